//! One request, with everything that an answer must not be: from elsewhere, endless, slow, compressed, a login page.

use super::Error;
use super::address::{Guard, Origin, Refused};
use super::token::Token;
use super::trust::Trust;
use crate::model::url::Url;
use std::sync::Arc;
use std::time::Duration;
use ureq::http::{HeaderMap, Uri};
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::unversioned::transport::DefaultConnector;
use ureq::{Agent, Timeout};

/// Largest metadata document or key set, in bytes.
pub(super) const SMALL: u64 = 1 << 20;
/// Largest answer of an administration API, in bytes: a page of clients, a realm.
pub(super) const LARGE: u64 = 32 << 20;
/// Longest head of an answer, in bytes.
const MAX_HEAD: usize = 64 << 10;
/// Redirects that are followed.
const MAX_REDIRECTS: usize = 3;

/// The headers that say how long an answer may be kept (RFC 9111).
const CACHING: [&str; 5] = ["age", "cache-control", "date", "etag", "expires"];

/// Longest caching header that is kept, in bytes.
const MAX_HEADER: usize = 4096;

/// How long things may take.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// A connection, resolving of the name included.
    pub connect: Duration,
    /// A whole answer.
    pub total: Duration,
}

/// Asks servers.
pub(super) struct Web {
    agent: Agent,
    guard: Guard,
    timeouts: Timeouts,
}

/// What is asked.
pub(super) struct Ask<'a> {
    /// Where.
    pub(super) url: &'a str,
    /// With which token; a request with one follows no redirect.
    pub(super) token: Option<&'a Token>,
    /// Largest answer in bytes.
    pub(super) limit: u64,
    /// Scope or role that the call needs.
    pub(super) needs: Option<&'static str>,
}

/// An answer of status 200 whose text is JSON as far as its headers say.
pub(super) struct Answer {
    /// Where it came from, after redirects.
    pub(super) url: String,
    /// The caching headers by name.
    pub(super) caching: Vec<(&'static str, String)>,
    /// The text.
    pub(super) text: String,
}

impl Web {
    pub(super) fn new(trust: &Trust, guard: Guard, timeouts: Timeouts) -> Self {
        let roots = trust.roots().map(|root| Certificate::from_der(root).to_owned());
        let tls = TlsConfig::builder()
            .root_certs(RootCerts::from(roots))
            .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .build();
        let config = Agent::config_builder()
            .tls_config(tls)
            // Behind a proxy nobody here would know which address is talked to.
            .proxy(None)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .http_status_as_error(false)
            .max_response_header_size(MAX_HEAD)
            .timeout_resolve(Some(timeouts.connect))
            .timeout_connect(Some(timeouts.connect))
            .timeout_global(Some(timeouts.total))
            .user_agent(concat!("tokenvet/", env!("CARGO_PKG_VERSION")))
            .accept("application/json")
            .build();
        let agent = Agent::with_parts(config, DefaultConnector::default(), guard.clone());
        Web { agent, guard, timeouts }
    }

    /// Who checks addresses.
    pub(super) fn guard(&self) -> &Guard {
        &self.guard
    }

    /// Asks for a JSON document.
    pub(super) fn get(&self, ask: &Ask<'_>) -> Result<Answer, Error> {
        let mut url = ask.url.to_string();
        for _ in 0..=MAX_REDIRECTS {
            let fail = |message: String| Error::new(&url, message);
            let (uri, origin) = address(&url).map_err(fail)?;
            let mut request = self.agent.get(uri);
            if let Some(token) = ask.token {
                request = request.header("authorization", token.header());
            }
            let mut response = request.call().map_err(|error| fail(self.explain(error, ask.limit)))?;
            let status = response.status().as_u16();
            if matches!(status, 301 | 302 | 303 | 307 | 308) {
                let to = redirect(&url, &origin, response.headers(), ask);
                url = to.map_err(|error| Error { status: Some(status), ..error })?;
                continue;
            }
            if status != 200 {
                return Err(Error { status: Some(status), ..fail(refusal(status, ask)) });
            }
            acceptable(response.headers(), ask.token.is_some()).map_err(fail)?;
            let caching = caching(response.headers());
            let body = response.body_mut().with_config().limit(ask.limit).read_to_vec();
            let body = body.map_err(|error| fail(self.explain(error, ask.limit)))?;
            let text = String::from_utf8(body).map_err(|_| {
                fail("the answer is not UTF-8, as JSON must be; tell the operator of the server".into())
            })?;
            return Ok(Answer { url, caching, text });
        }
        Err(Error::new(ask.url, format!("redirects more than {MAX_REDIRECTS} times; ask for the final address")))
    }

    /// What went wrong, in words of ours: texts of servers and libraries are not passed on.
    fn explain(&self, error: ureq::Error, limit: u64) -> String {
        let Timeouts { connect, total } = self.timeouts;
        match error {
            ureq::Error::Timeout(Timeout::Resolve | Timeout::Connect) => {
                format!(
                    "no connection within {} s; check address and firewall, or raise --connect-timeout",
                    connect.as_secs()
                )
            }
            ureq::Error::Timeout(_) => {
                format!("the answer was not whole within {} s; try again, or raise --timeout", total.as_secs())
            }
            ureq::Error::Other(error) => match error.downcast_ref::<Refused>() {
                Some(refused) => refused.0.clone(),
                None => "the request failed; check the address".into(),
            },
            ureq::Error::HostNotFound => "the name of the host is not known; check it, and the name server".into(),
            ureq::Error::Rustls(error) => tls(&error),
            ureq::Error::Tls(_) | ureq::Error::TlsRequired => "TLS could not be agreed on; check host and port".into(),
            ureq::Error::BodyExceedsLimit(_) => format!(
                "the answer is larger than {} MiB, more than such a document needs; check the address, and tell the \
                 operator of the server",
                limit >> 20
            ),
            ureq::Error::LargeResponseHeader(..) => {
                "the head of the answer is larger than 64 KiB; check the address".into()
            }
            ureq::Error::Protocol(_) | ureq::Error::Http(_) => {
                "the answer is not HTTP as it should be; check host and port".into()
            }
            ureq::Error::Io(error) => match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
                Some(error) => tls(error),
                None => io(&error),
            },
            _ => "the request failed; check the address".into(),
        }
    }
}

fn io(error: &std::io::Error) -> String {
    use std::io::ErrorKind;
    match error.kind() {
        ErrorKind::ConnectionRefused => "the connection was refused: nothing listens there; check host and port".into(),
        ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => {
            "the host cannot be reached from here; check network and firewall (a proxy is not used)".into()
        }
        ErrorKind::UnexpectedEof
        | ErrorKind::ConnectionReset
        | ErrorKind::ConnectionAborted
        | ErrorKind::BrokenPipe => "the server closed the connection before the answer was whole; try again".into(),
        _ => "the connection failed; check host and port, and try again".into(),
    }
}

/// What is wrong with TLS, and what to do.
pub(super) fn tls(error: &rustls::Error) -> String {
    use rustls::{CertificateError, Error};
    let Error::InvalidCertificate(error) = error else {
        return "TLS could not be agreed on; check that the server speaks TLS 1.2 or 1.3 at this port".into();
    };
    match error {
        CertificateError::UnknownIssuer => {
            "no CA that is trusted here stands for the server's certificate; name the CA \
                                            with --ca-file, or the folder of IGTF's CAs with --igtf"
                .into()
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "the server's certificate has expired; its operator must renew it".into()
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "the server's certificate is not valid yet; check this machine's clock".into()
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "the server's certificate is for another name; check the address".into()
        }
        _ => "the server's certificate is not valid; look at it with `openssl s_client`".into(),
    }
}

/// A URL that may be asked for, and its origin.
pub(super) fn address(url: &str) -> Result<(Uri, Origin), String> {
    let parsed = Url::parse(url).map_err(|why| format!("is no URL: it {why}"))?;
    if parsed.userinfo.is_some() {
        return Err("names a user in its host part; leave that out".into());
    }
    if parsed.port.is_some_and(|port| port.parse::<u16>().is_err()) {
        return Err("has a port that is no number; write one, or leave the colon out".into());
    }
    if parsed.fragment.is_some() {
        return Err("has a fragment (#…); leave that out".into());
    }
    let uri: Uri = url.parse().map_err(|_| "is no URL that HTTP can ask for".to_string())?;
    let origin = Origin::of(&uri).ok_or("is no https URL; tokens and keys are fetched over https")?;
    // Two readers of one text must agree on the host, or one would check what the other does not use.
    let host = parsed.host.unwrap_or("").trim_start_matches('[').trim_end_matches(']');
    if !host.eq_ignore_ascii_case(&origin.host) {
        return Err("has a host that can be read in two ways".into());
    }
    Ok((uri, origin))
}

/// Where a redirect leads, when it may be followed.
fn redirect(from: &str, origin: &Origin, headers: &HeaderMap, ask: &Ask<'_>) -> Result<String, Error> {
    let fail = |message: &str| Error::new(from, message.to_string());
    if let Some(needs) = ask.needs {
        let message = format!(
            "redirects, as to a login page, instead of answering: the token was not accepted; this call needs {needs}"
        );
        return Err(fail(&message));
    }
    let location = headers.get("location").and_then(|value| value.to_str().ok());
    let Some(location) = location else {
        return Err(fail("redirects without saying where to; tell the operator of the server"));
    };
    let target = match location.starts_with('/') && !location.starts_with("//") {
        true => format!("{}://{origin}{location}", if origin.tls { "https" } else { "http" }),
        false => location.to_string(),
    };
    match address(&target) {
        Ok((_, to)) if to == *origin => Ok(target),
        Ok((_, to)) if !to.tls && origin.tls => {
            Err(fail("redirects to http, where anybody on the way could answer; it is not followed"))
        }
        Ok((_, to)) => Err(fail(&format!(
            "redirects to another server ({to}); it is not followed: ask for that one if it is meant"
        ))),
        Err(_) => Err(fail("redirects to something that is no https address; it is not followed")),
    }
}

/// What a status other than 200 means.
fn refusal(status: u16, ask: &Ask<'_>) -> String {
    let needs = ask.needs.map(|needs| format!("; this call needs {needs}")).unwrap_or_default();
    match status {
        401 if ask.token.is_some() => {
            format!("answered 401: the token has expired, or is not meant for this API{needs}; get a new one")
        }
        401 => format!("answered 401: it wants a login for what should be public{needs}"),
        403 => format!("answered 403: forbidden{needs}"),
        404 | 410 => format!("answered {status}: there is nothing; check the address"),
        429 => "answered 429: too many requests; try again later".into(),
        500..=599 => format!("answered {status}: the server has a problem; try again later"),
        _ => format!("answered {status}, not 200; check the address"),
    }
}

/// Refuses answers that are compressed, though nobody asked for that, or no JSON.
fn acceptable(headers: &HeaderMap, api: bool) -> Result<(), String> {
    let header = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("?").trim().to_ascii_lowercase());
    if header("content-encoding").is_some_and(|encoding| !matches!(encoding.as_str(), "" | "identity")) {
        return Err("the answer is compressed though that was not asked for; tell the operator of the server".into());
    }
    let media = header("content-type").unwrap_or_default();
    let media = media.split(';').next().unwrap_or_default().trim();
    let json = media == "application/json" || (media.starts_with("application/") && media.ends_with("+json"));
    // Static web servers do not know what a file without an extension is.
    let unsaid = !api && matches!(media, "" | "application/octet-stream" | "binary/octet-stream" | "text/plain");
    match json || unsaid {
        true => Ok(()),
        false => {
            Err("the answer is no JSON by its content type, but perhaps a page for people; check the address".into())
        }
    }
}

fn caching(headers: &HeaderMap) -> Vec<(&'static str, String)> {
    let kept = |name: &&'static str| {
        // Several headers of one name mean the same as one with commas (RFC 9110 section 5.3).
        let values: Vec<&str> = headers.get_all(*name).iter().filter_map(|value| value.to_str().ok()).collect();
        let value = values.join(", ");
        (!values.is_empty() && value.len() <= MAX_HEADER).then_some((*name, value))
    };
    CACHING.iter().filter_map(kept).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_in_one_way_only() {
        for (url, ok) in [
            ("https://iam.example.org/jwk", true),
            ("https://[2001:db8::1]:8443/jwk", true),
            ("http://iam.example.org/", true), // who may be spoken to so, the guard decides
            ("https://user:x@iam.example.org/", false),
            ("https://iam.example.org/#x", false),
            ("https://iam.example.org:*/", false),
            ("https://iam.example.org\\@evil.example/", false),
            ("file:///etc/passwd", false),
            ("gopher://iam.example.org/", false),
            ("//iam.example.org/", false),
            ("https:///jwk", false),
            ("iam.example.org", false),
            ("https://iam.example.org/\u{1b}", false),
        ] {
            assert_eq!(address(url).is_ok(), ok, "{url}");
        }
    }

    #[test]
    fn redirects_stay_where_they_are() {
        let (_, origin) = address("https://iam.example.org/a").expect("an address");
        let ask = Ask { url: "", token: None, limit: 1, needs: None };
        for (location, expected) in [
            ("/b", Ok("https://iam.example.org:443/b")),
            ("https://iam.example.org/b", Ok("https://iam.example.org/b")),
            ("https://IAM.example.org:443/b", Ok("https://IAM.example.org:443/b")),
            ("http://iam.example.org/b", Err("to http")),
            ("https://iam.example.org:8443/b", Err("another server (iam.example.org:8443)")),
            ("https://evil.example/b", Err("another server (evil.example:443)")),
            ("//evil.example/b", Err("no https address")),
            ("b", Err("no https address")),
            ("https://iam.example.org@evil.example/", Err("no https address")),
        ] {
            let headers =
                HeaderMap::from_iter([("location".parse().expect("a name"), location.parse().expect("a value"))]);
            match (redirect("https://iam.example.org/a", &origin, &headers, &ask), expected) {
                (Ok(to), Ok(expected)) => assert_eq!(to, expected),
                (Err(error), Err(why)) => assert!(error.to_string().contains(why), "{location}: {error}"),
                (got, _) => panic!("{location}: {got:?}"),
            }
        }
    }

    #[test]
    fn answers_are_json_and_not_compressed() {
        for (media, encoding, api, ok) in [
            ("application/json", "", true, true),
            ("application/json;charset=UTF-8", "identity", true, true),
            ("application/jwk-set+json", "", false, true),
            ("text/plain", "", false, true),
            ("application/octet-stream", "", false, true),
            ("application/octet-stream", "", true, false),
            ("text/html", "", false, false),
            ("application/json", "gzip", false, false),
            ("application/json", "br", true, false),
        ] {
            let header = |name: &str, value: &str| (name.parse().expect("a name"), value.parse().expect("a value"));
            let headers = HeaderMap::from_iter([header("content-type", media), header("content-encoding", encoding)]);
            assert_eq!(acceptable(&headers, api).is_ok(), ok, "{media} {encoding}");
        }
    }
}
