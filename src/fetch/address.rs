//! Which addresses may be talked to.
//!
//! What counts is the address that is connected to, not the name: names are resolved here, and nothing resolves them
//! again, so that a name that changes its mind between question and connection (DNS rebinding) gains nothing.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::sync::mpsc;
use std::time::Duration;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

/// Resolves names and lets addresses pass.
#[derive(Clone, Debug)]
pub(super) struct Guard {
    /// The host that may have a private address, and may be spoken to without TLS on this machine: the issuer's, when the
    /// user said so. What the issuer's metadata names must be public all the same.
    pub(super) private_host: Option<String>,
    /// How long a name may take to resolve.
    pub(super) timeout: Duration,
}

/// The parts of an address that decide what may be done with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Origin {
    /// True for https, false for http.
    pub(super) tls: bool,
    /// Host in lower case; an IPv6 address without brackets.
    pub(super) host: String,
    /// Port, the scheme's own where the URL has none.
    pub(super) port: u16,
}

impl Origin {
    /// The origin of a URL; `None` when it is none of http or https or has no host.
    pub(super) fn of(uri: &Uri) -> Option<Self> {
        let tls = match uri.scheme_str()?.to_ascii_lowercase().as_str() {
            "https" => true,
            "http" => false,
            _ => return None,
        };
        let host = uri.host()?.trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
        let port = uri.port_u16().unwrap_or(if tls { 443 } else { 80 });
        (!host.is_empty()).then_some(Origin { tls, host, port })
    }
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "[{}]:{}", self.host, self.port),
            false => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

impl Guard {
    /// The addresses of an origin that may be connected to; the error says why there is none, and what to do.
    pub(super) fn addresses(&self, origin: &Origin) -> Result<Vec<SocketAddr>, String> {
        let (host, port) = (origin.host.clone(), origin.port);
        let (sender, receiver) = mpsc::sync_channel(1);
        // The system's resolver has no timeout of its own that could be set; a thread that outlives it ends by itself.
        std::thread::spawn(move || {
            let found = (host.as_str(), port).to_socket_addrs().map(|found| found.take(16).collect::<Vec<_>>());
            let _ = sender.send(found);
        });
        let found = match receiver.recv_timeout(self.timeout) {
            Ok(Ok(found)) if !found.is_empty() => found,
            Ok(_) => return Err(format!("the name {} has no address; check it, and the name server", origin.host)),
            Err(_) => return Err(format!("the name {} was not resolved in time; try again later", origin.host)),
        };
        let mut refused = None;
        let mut passed = Vec::new();
        for address in found {
            match self.refuses(origin, address.ip()) {
                None => passed.push(address),
                Some(why) => refused = refused.or(Some(why)),
            }
        }
        if passed.is_empty() { Err(refused.unwrap_or_default()) } else { Ok(passed) }
    }

    /// Why this address is not connected to; `None` when it is.
    fn refuses(&self, origin: &Origin, address: IpAddr) -> Option<String> {
        let vouched = self.private_host.as_deref() == Some(origin.host.as_str());
        let here = vouched && embedded(address).is_loopback();
        if !origin.tls && !here {
            return Some(
                "plain http is spoken to this machine only, and with --allow-private; anywhere else use https".into(),
            );
        }
        let kind = kind(address)?;
        if vouched && kind != "reserved" {
            return None;
        }
        let host = match origin.host.parse::<IpAddr>() {
            Ok(_) => format!("{address} is a {kind} address"),
            Err(_) => format!("{} has the {kind} address {address}", origin.host),
        };
        Some(match (&self.private_host, kind) {
            (_, "reserved") => format!("{host}, where no issuer is"),
            (None, _) => format!("{host}; if that is meant, say --allow-private"),
            (Some(_), _) => {
                format!("{host}; --allow-private covers the issuer's own host, not others that its metadata names")
            }
        })
    }
}

impl Resolver for Guard {
    fn resolve(&self, uri: &Uri, _: &Config, _: NextTimeout) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let refuse = |why: String| ureq::Error::Other(Box::new(Refused(why)));
        let origin = Origin::of(uri).ok_or_else(|| refuse("no http address".into()))?;
        let mut resolved = self.empty();
        self.addresses(&origin).map_err(refuse)?.into_iter().for_each(|address| resolved.push(address));
        Ok(resolved)
    }
}

/// What [`Guard`] says through the HTTP library.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Refused(pub(super) String);

/// The IPv4 address that an IPv6 address stands for (mapped, compatible, NAT64, 6to4), else the address.
fn embedded(address: IpAddr) -> IpAddr {
    let IpAddr::V6(six) = address else { return address };
    let segments = six.segments();
    let four = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        IpAddr::V4(Ipv4Addr::new(a, b, c, d))
    };
    match segments {
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => address,
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => four(high, low),
        [0x2002, high, low, ..] => four(high, low),
        _ => address,
    }
}

/// What is not public about an address; `None` for a public one.
fn kind(address: IpAddr) -> Option<&'static str> {
    match embedded(address) {
        IpAddr::V4(address) => kind_v4(address),
        IpAddr::V6(address) => kind_v6(address),
    }
}

/// After IANA's registry of special-purpose IPv4 addresses.
fn kind_v4(address: Ipv4Addr) -> Option<&'static str> {
    match address.octets() {
        [127, ..] => Some("loopback"),
        [10, ..] | [192, 168, ..] | [172, 16..=31, ..] | [100, 64..=127, ..] => Some("private"),
        [169, 254, ..] => Some("link-local"),
        [0, ..] => Some("unspecified"),
        [192, 0, 0 | 2, _] | [198, 18..=19, ..] | [198, 51, 100, _] | [203, 0, 113, _] | [224..=255, ..] => {
            Some("reserved")
        }
        _ => None,
    }
}

/// After IANA's registry of special-purpose IPv6 addresses.
fn kind_v6(address: Ipv6Addr) -> Option<&'static str> {
    match address.segments() {
        [0, 0, 0, 0, 0, 0, 0, 1] => Some("loopback"),
        [0, 0, 0, 0, 0, 0, 0, 0] => Some("unspecified"),
        [0xfc00..=0xfdff, ..] => Some("private"),
        [0xfe80..=0xfeff, ..] => Some("link-local"),
        [0xff00..=0xffff, ..] | [0x2001, 0x0db8, ..] | [0x0100, 0, 0, 0, ..] => Some("reserved"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard(private_host: Option<&str>) -> Guard {
        Guard { private_host: private_host.map(str::to_string), timeout: Duration::from_secs(5) }
    }

    #[test]
    fn addresses_are_told_apart() {
        for (address, expected) in [
            ("8.8.8.8", None),
            ("172.15.0.1", None),
            ("172.32.0.1", None),
            ("100.63.0.1", None),
            ("2606:4700::1111", None),
            ("127.0.0.1", Some("loopback")),
            ("127.8.8.8", Some("loopback")),
            ("10.0.0.1", Some("private")),
            ("172.16.0.1", Some("private")),
            ("192.168.1.1", Some("private")),
            ("100.64.0.1", Some("private")),
            ("169.254.169.254", Some("link-local")),
            ("0.0.0.0", Some("unspecified")),
            ("224.0.0.1", Some("reserved")),
            ("255.255.255.255", Some("reserved")),
            ("::1", Some("loopback")),
            ("::", Some("unspecified")),
            ("fd00::1", Some("private")),
            ("fe80::1", Some("link-local")),
            ("ff02::1", Some("reserved")),
            ("::ffff:127.0.0.1", Some("loopback")),
            ("::ffff:8.8.8.8", None),
            ("::10.0.0.1", Some("private")),
            ("64:ff9b::a9fe:a9fe", Some("link-local")),
            ("2002:7f00:1::", Some("loopback")),
        ] {
            assert_eq!(kind(address.parse().expect(address)), expected, "{address}");
        }
    }

    #[test]
    fn the_resolved_address_decides_and_not_the_name() {
        let origin = |url: &str| Origin::of(&url.parse::<Uri>().expect(url)).expect(url);
        for (url, private_host, expected) in [
            ("https://localhost:1/", None, "say --allow-private"),
            ("https://localhost:1/", Some("localhost"), ""),
            ("https://localhost:1/", Some("iam.example.org"), "not others that its metadata names"),
            ("http://localhost:1/", Some("localhost"), ""),
            ("http://localhost:1/", None, "plain http"),
            ("http://10.0.0.1:1/", Some("10.0.0.1"), "plain http"),
            ("https://10.0.0.1:1/", Some("10.0.0.1"), ""),
            ("https://[::ffff:127.0.0.1]:1/", None, "loopback"),
            ("https://224.0.0.1/", Some("224.0.0.1"), "reserved"),
        ] {
            let got = guard(private_host).addresses(&origin(url));
            match expected {
                "" => assert!(got.is_ok_and(|addresses| !addresses.is_empty()), "{url}"),
                why => assert!(got.expect_err(url).contains(why), "{url}"),
            }
        }
    }

    #[test]
    fn origins_are_compared_without_case_and_with_the_default_port() {
        let origin = |url: &str| Origin::of(&url.parse::<Uri>().expect(url));
        assert_eq!(origin("https://IAM.example.org/a"), origin("https://iam.example.org:443/b"));
        assert_ne!(origin("https://iam.example.org/"), origin("http://iam.example.org:443/"));
        assert_eq!(origin("https://[::1]:8443/").map(|origin| origin.to_string()), Some("[::1]:8443".into()));
        assert_eq!(origin("ftp://iam.example.org/"), None);
    }
}
