//! A minimal reader of absolute URLs (RFC 3986) for redirect URIs, issuers and endpoints.
//!
//! It splits and answers questions; it never changes the text, since OAuth compares URLs character by character.

use crate::percent;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// An absolute URL, split. All parts are slices of the text as written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Url<'s> {
    /// Scheme without the colon.
    pub scheme: &'s str,
    /// User information before `@`; `None` without one.
    pub userinfo: Option<&'s str>,
    /// Host, IPv6 brackets included; `None` when the URL has no authority (`edu.kit.data.oidc-agent:/redirect`).
    pub host: Option<&'s str>,
    /// Port digits; empty for a bare colon, `None` without a colon.
    pub port: Option<&'s str>,
    /// Path, possibly empty.
    pub path: &'s str,
    /// What stands after `?`.
    pub query: Option<&'s str>,
    /// What stands after `#`.
    pub fragment: Option<&'s str>,
}

impl<'s> Url<'s> {
    /// Splits a text. The error completes the sentence "the URL …" and never quotes the text.
    pub fn parse(text: &'s str) -> Result<Self, &'static str> {
        check_bytes(text)?;
        let (scheme, rest) = text.split_once(':').ok_or("is not absolute: it has no scheme")?;
        if !is_scheme(scheme) {
            return Err("is not absolute: it has no scheme");
        }
        let (rest, fragment) = split_off(rest, '#');
        let (rest, query) = split_off(rest, '?');
        let mut url = Url { scheme, userinfo: None, host: None, port: None, path: rest, query, fragment };
        if let Some(rest) = rest.strip_prefix("//") {
            let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            url.path = path;
            url.read_authority(authority)?;
        }
        if url.is_network() && url.host.is_none_or(str::is_empty) {
            return Err("has no host");
        }
        Ok(url)
    }

    fn read_authority(&mut self, authority: &'s str) -> Result<(), &'static str> {
        // The last `@` separates, as in browsers: what looks like a host before it is user information.
        let host_port = match authority.rsplit_once('@') {
            Some((userinfo, host_port)) => {
                self.userinfo = Some(userinfo);
                host_port
            }
            None => authority,
        };
        let port_from = match host_port.rfind(']') {
            Some(bracket) if host_port.starts_with('[') => bracket + 1,
            _ => host_port.find(':').unwrap_or(host_port.len()),
        };
        let (host, port) = host_port.split_at(port_from);
        self.host = Some(host);
        if host.starts_with('[') && self.ip().is_none() {
            return Err("has a bracketed host that is no IPv6 address");
        }
        if host.contains(['[', ']']) && !host.starts_with('[') {
            return Err("has brackets inside its host");
        }
        if port.is_empty() {
            return Ok(());
        }
        let digits = port.strip_prefix(':').ok_or("has text between host and port")?;
        // Some issuers allow any port by a wildcard; that is a question of its own.
        if digits != "*" && !digits.is_empty() && digits.parse::<u16>().is_err() {
            return Err("has a port that is no number up to 65535");
        }
        self.port = Some(digits);
        Ok(())
    }

    /// True for schemes whose host is a machine on the network. In all others (`myapp://callback`) the host is just a
    /// word.
    pub fn is_network(&self) -> bool {
        const NETWORK: [&str; 12] =
            ["http", "https", "ws", "wss", "root", "roots", "xroot", "xroots", "dav", "davs", "gsiftp", "srm"];
        NETWORK.iter().any(|scheme| self.has_scheme(scheme))
    }

    /// Compares the scheme; case does not count.
    pub fn has_scheme(&self, scheme: &str) -> bool {
        self.scheme.eq_ignore_ascii_case(scheme)
    }

    /// The host without the root dot that a fully qualified name may end in.
    fn name(&self) -> &'s str {
        let host = self.host.unwrap_or("");
        host.strip_suffix('.').unwrap_or(host)
    }

    /// The address, when the host is one, in any spelling that resolvers take (`127.1`, `0x7f000001`).
    pub fn ip(&self) -> Option<IpAddr> {
        let host = self.name();
        match host.strip_prefix('[') {
            Some(inner) => {
                let address = inner.strip_suffix(']')?;
                // A zone (RFC 6874) does not change what kind of address it is.
                let address = address.split_once('%').map_or(address, |(address, _)| address);
                let address: Ipv6Addr = address.parse().ok()?;
                Some(address.to_ipv4_mapped().map_or(IpAddr::V6(address), IpAddr::V4))
            }
            None => ipv4(host).map(IpAddr::V4),
        }
    }

    /// True for this machine itself: 127.0.0.0/8, ::1, `localhost` and names below it.
    pub fn is_loopback(&self) -> bool {
        self.is_network()
            && match self.ip() {
                Some(address) => address.is_loopback(),
                None => ends_in(self.name(), "localhost"),
            }
    }

    /// True for a host that only its own site can reach: private, shared, link-local and unspecified addresses, names
    /// without a dot, and names under `local`, `localdomain`, `internal`, `lan`, `home.arpa` and Kubernetes' `svc`.
    /// False for loopback.
    pub fn is_private(&self) -> bool {
        if !self.is_network() || self.is_loopback() {
            return false;
        }
        match self.ip() {
            Some(IpAddr::V4(address)) => {
                let [first, second, ..] = address.octets();
                address.is_private()
                    || address.is_link_local()
                    || address.is_unspecified()
                    || (first == 100 && second & 0xc0 == 64) // shared address space, RFC 6598
            }
            Some(IpAddr::V6(address)) => {
                address.is_unique_local() || address.is_unicast_link_local() || address.is_unspecified()
            }
            None => {
                let name = self.name();
                let zones = ["local", "localdomain", "internal", "lan", "home.arpa", "svc"];
                // A wildcard for the whole host is no name.
                (!name.contains('.') && !name.contains('*')) || zones.iter().any(|zone| ends_in(name, zone))
            }
        }
    }

    /// True when the port is written though it is the scheme's default, or the colon is written without one.
    pub fn has_default_port(&self) -> bool {
        match self.port {
            None => false,
            Some("") => true,
            Some(port) => {
                let default = match self.scheme.to_ascii_lowercase().as_str() {
                    "http" | "ws" => 80,
                    "https" | "wss" => 443,
                    _ => return false,
                };
                port.parse() == Ok(default)
            }
        }
    }

    /// True when scheme or host have upper-case letters or the path has dot segments (percent-encoded ones included).
    pub fn is_denormalised(&self) -> bool {
        let upper = |text: &str| text.bytes().any(|byte| byte.is_ascii_uppercase());
        upper(self.scheme) || self.host.is_some_and(upper) || self.path.split('/').any(is_dot_segment)
    }

    /// True when the path has an empty segment (`//`).
    pub fn has_empty_segment(&self) -> bool {
        self.path.contains("//")
    }
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'))
}

/// Characters RFC 3986 allows, and complete percent escapes. A backslash counts as a slash in browsers and as a letter
/// elsewhere; white space is cut by some readers and not by others.
fn check_bytes(text: &str) -> Result<(), &'static str> {
    for (index, byte) in text.bytes().enumerate() {
        match byte {
            b'\\' => return Err("holds a backslash"),
            b'%' if percent::code(&text.as_bytes()[index..]).is_none() => return Err("has a broken percent escape"),
            0..=b' ' | 0x7f => return Err("holds white space or a control character"),
            b'"' | b'<' | b'>' | b'^' | b'`' | b'{' | b'|' | b'}' | 0x80.. => {
                return Err("holds a character that a URL must percent-encode");
            }
            _ => {}
        }
    }
    Ok(())
}

fn split_off(text: &str, separator: char) -> (&str, Option<&str>) {
    match text.split_once(separator) {
        Some((before, after)) => (before, Some(after)),
        None => (text, None),
    }
}

fn ends_in(name: &str, zone: &str) -> bool {
    let Some(start) = name.len().checked_sub(zone.len()) else { return false };
    let bytes = name.as_bytes();
    bytes[start..].eq_ignore_ascii_case(zone.as_bytes()) && (start == 0 || bytes[start - 1] == b'.')
}

fn is_dot_segment(segment: &str) -> bool {
    // At most two dots of three characters each count, so nothing long needs a closer look.
    segment.len() <= 6 && matches!(segment.to_ascii_lowercase().replace("%2e", ".").as_str(), "." | "..")
}

/// An IPv4 address in the spellings of `inet_aton`: one to four parts, decimal, octal or hexadecimal, the last filling
/// the remaining bytes.
fn ipv4(host: &str) -> Option<Ipv4Addr> {
    let parts: Vec<&str> = host.split('.').take(5).collect();
    if parts.len() > 4 {
        return None;
    }
    let mut numbers = Vec::with_capacity(4);
    for part in &parts {
        let lower = part.to_ascii_lowercase();
        let (digits, radix) = match lower.strip_prefix("0x") {
            Some(digits) => (digits, 16),
            None if lower.len() > 1 && lower.starts_with('0') => (&lower[1..], 8),
            None => (lower.as_str(), 10),
        };
        if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        numbers.push(u32::from_str_radix(digits, radix).ok()?);
    }
    let (last, leading) = numbers.split_last()?;
    let room = 32 - 8 * leading.len() as u32;
    if leading.iter().any(|number| *number > 255) || u64::from(*last) >> room != 0 {
        return None;
    }
    let high = leading.iter().enumerate().map(|(index, number)| number << (24 - 8 * index)).sum::<u32>();
    Some(Ipv4Addr::from(high | last))
}

/// A form in which two spellings of one URL are equal: scheme and host in lower case, no default port, no final
/// slash. Text that is no URL is its own form.
pub fn comparable(text: &str) -> String {
    let Ok(url) = Url::parse(text) else { return text.to_string() };
    let Some(host) = url.host else { return text.to_string() };
    let port = url.port.filter(|_| !url.has_default_port()).map_or_else(String::new, |port| format!(":{port}"));
    let path = url.path.strip_suffix('/').unwrap_or(url.path);
    format!("{}://{}{port}{path}", url.scheme.to_ascii_lowercase(), host.to_ascii_lowercase())
}

/// The form in which two spellings of one issuer are equal: a URL's, without any final slash, also where the text is no
/// URL.
pub fn issuer_form(text: &str) -> String {
    comparable(text.trim_end_matches('/'))
}

/// Do two texts name the same issuer? Verifiers are stricter, each in its own way; [`crate::compat`] follows them.
pub fn same_issuer(a: &str, b: &str) -> bool {
    a == b || issuer_form(a) == issuer_form(b)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn one_issuer_has_many_spellings() {
        for (a, b, same) in [
            ("https://vo.example.org", "https://vo.example.org/", true),
            ("https://vo.example.org/vo//", "https://vo.example.org/vo", true),
            ("https://vo.example.org", "HTTPS://VO.example.org:443/", true),
            ("vo.example.org/", "vo.example.org", true),
            ("https://vo.example.org/a", "https://vo.example.org/A", false),
            ("https://vo.example.org", "http://vo.example.org", false),
            ("https://vo.example.org", "https://vo.example.org:8443", false),
            ("https://vo.example.org", "https://vo.example.org/vo", false),
            ("", "https://vo.example.org", false),
        ] {
            assert_eq!(same_issuer(a, b), same, "{a} {b}");
            assert_eq!(same_issuer(b, a), same, "{b} {a}");
        }
    }

    #[test]
    fn urls_are_split() {
        let url = Url::parse("https://u:p@Host.example:8443/a/b?q=1?2#f").expect("a URL");
        assert_eq!(
            (url.scheme, url.userinfo, url.host, url.port, url.path, url.query, url.fragment),
            ("https", Some("u:p"), Some("Host.example"), Some("8443"), "/a/b", Some("q=1?2"), Some("f"))
        );
        let url = Url::parse("edu.kit.data.oidc-agent:/redirect").expect("a URL");
        assert_eq!((url.scheme, url.host, url.path), ("edu.kit.data.oidc-agent", None, "/redirect"));
        let url = Url::parse("http://[::1]:80").expect("a URL");
        assert_eq!((url.host, url.port, url.path), (Some("[::1]"), Some("80"), ""));
        let url = Url::parse("https://good.example@evil.example/").expect("a URL");
        assert_eq!(url.host, Some("evil.example"), "what stands before @ is no host");
    }

    #[test]
    fn texts_that_are_no_url_say_why() {
        for (text, why) in [
            ("", "scheme"),
            ("/callback", "scheme"),
            ("*", "scheme"),
            ("host.example/x", "scheme"),
            ("//host.example/x", "scheme"),
            ("https:", "no host"),
            ("https:///x", "no host"),
            ("https://:80/", "no host"),
            ("https://h:x/", "port"),
            ("https://h:65536/", "port"),
            ("https://[::1", "bracket"),
            ("https://[zz]/", "bracket"),
            ("https://[::1]x/", "between host and port"),
            ("https://a[b]/", "brackets"),
            ("https://h/\\evil", "backslash"),
            ("https://h/ x", "white space"),
            ("https://h/\u{1b}", "control"),
            ("https://h/%zz", "percent escape"),
            ("https://h/%", "percent escape"),
            ("https://hé/", "percent-encode"),
        ] {
            let error = Url::parse(text).expect_err(text);
            assert!(error.contains(why), "{text:?}: {error}");
        }
    }

    #[test]
    fn hosts_are_told_apart() {
        for (text, loopback, private) in [
            ("http://localhost:4242/", true, false),
            ("http://LOCALHOST./", true, false),
            ("http://x.localhost/", true, false),
            ("http://127.0.0.1/", true, false),
            ("http://127.1/", true, false),
            ("http://0x7f000001/", true, false),
            ("http://2130706433/", true, false),
            ("http://0177.0.0.1/", true, false),
            ("http://[::1]/", true, false),
            ("http://[::ffff:127.0.0.1]/", true, false),
            ("http://notlocalhost.example/", false, false),
            ("http://127.0.0.1.example.org/", false, false),
            ("http://256.0.0.1/", false, false),
            ("https://10.1.2.3/", false, true),
            ("https://172.31.0.1/", false, true),
            ("https://172.32.0.1/", false, false),
            ("https://192.168.1.1/", false, true),
            ("https://169.254.1.1/", false, true),
            ("https://100.64.0.1/", false, true),
            ("https://100.128.0.1/", false, false),
            ("https://0.0.0.0/", false, true),
            ("https://[fe80::1%25eth0]/", false, true),
            ("https://[fd00::1]/", false, true),
            ("https://[2001:db8::1]/", false, false),
            ("https://printer.local/", false, true),
            ("https://iam.default.svc.cluster.local/", false, true),
            ("https://iam/", false, true),
            ("https://iam.example.org/", false, false),
            ("https://mylocal.example.org/", false, false),
            ("https://*/x", false, false),
            ("com.example.app://callback", false, false),
            ("edu.kit.data.oidc-agent:/redirect", false, false),
        ] {
            let url = Url::parse(text).expect(text);
            assert_eq!((url.is_loopback(), url.is_private()), (loopback, private), "{text}");
        }
    }

    #[test]
    fn spellings_are_noticed() {
        for (text, default_port, denormalised, empty_segment) in [
            ("https://h.example/a/", false, false, false),
            ("https://h.example:443/", true, false, false),
            ("https://h.example:0443/", true, false, false),
            ("https://h.example:/", true, false, false),
            ("https://h.example:80/", false, false, false),
            ("http://h.example:80/", true, false, false),
            ("HTTPS://h.example/", false, true, false),
            ("https://H.example/", false, true, false),
            ("https://h.example/A", false, false, false),
            ("https://h.example/a/../b", false, true, false),
            ("https://h.example/a/%2E%2e/b", false, true, false),
            ("https://h.example/a/..b", false, false, false),
            ("https://h.example//a", false, false, true),
            ("https://h.example/?x=//", false, false, false),
        ] {
            let url = Url::parse(text).expect(text);
            let got = (url.has_default_port(), url.is_denormalised(), url.has_empty_segment());
            assert_eq!(got, (default_port, denormalised, empty_segment), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_panic(text in "(https?://)?\\PC*") {
            if let Ok(url) = Url::parse(&text) {
                let _ = (url.is_loopback(), url.is_private(), url.has_default_port(), url.is_denormalised());
            }
        }

        #[test]
        fn addresses_read_as_the_standard_library_does(bytes: [u8; 4]) {
            let address = Ipv4Addr::from(bytes);
            prop_assert_eq!(ipv4(&address.to_string()), Some(address));
        }
    }
}
