//! What is asked of logs, and whether a record holds it.

use super::raw::Field;
use super::read::Record;
use crate::model::url;
use crate::percent;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;
use std::borrow::Cow;
use std::net::IpAddr;

/// What is known of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Known {
    /// The token's identifier.
    Jti,
    /// The token's subject.
    Sub,
    /// The client that got the token.
    Client,
    /// The token's fingerprint, as a scan shows it.
    Fingerprint,
    /// A person or account: subject, local account or distinguished name.
    User,
    /// The other end of the connection.
    Address,
    /// A file, or a folder with all in it.
    Path,
    /// A job or transfer.
    Job,
    /// A VO.
    Vo,
}

impl Known {
    /// How people call it.
    pub fn words(self) -> &'static str {
        match self {
            Known::Jti => "jti",
            Known::Sub => "subject",
            Known::Client => "client",
            Known::Fingerprint => "token fingerprint",
            Known::User => "user",
            Known::Address => "address",
            Known::Path => "path",
            Known::Job => "job",
            Known::Vo => "VO",
        }
    }

    /// The fields of records that can hold it; none for what only tokens in the text show.
    pub fn fields(self) -> &'static [Field] {
        match self {
            Known::Jti => &[Field::Jti],
            Known::Sub => &[Field::Sub],
            Known::Client => &[Field::Client],
            Known::Fingerprint => &[],
            Known::User => &[Field::User, Field::Sub, Field::Dn],
            Known::Address => &[Field::Address, Field::Node],
            Known::Path => &[Field::Path, Field::Remote],
            Known::Job => &[Field::Job, Field::Payload],
            Known::Vo => &[Field::Vo, Field::Group, Field::Iss],
        }
    }
}

/// One value that is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// What it is.
    pub known: Known,
    /// Its value as given.
    pub value: String,
}

/// Shortest value that is looked for in mere text, in bytes.
const SHORTEST: usize = 3;

/// A question.
#[derive(Clone, Debug, Default)]
pub struct Question {
    /// All of these hold.
    pub conditions: Vec<Condition>,
    /// When it happened.
    pub time: Option<Timestamp>,
    /// How far from that moment records may be, in seconds; also how far apart records may be that are joined by time.
    pub within: i64,
}

/// How a record stands to a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Held {
    /// A field has the value, or a token in the record.
    Yes,
    /// The value stands in the text of a record whose format does not say what it is.
    InText,
    /// The field has another value.
    Other,
    /// The record says nothing of it.
    Silent,
}

impl Condition {
    /// Can it be found in the mere text of a record? What is shorter stands there by chance.
    pub fn stands_in_text(&self) -> bool {
        self.known != Known::Fingerprint && self.value.len() >= SHORTEST
    }

    pub(crate) fn held(&self, record: &Record) -> Held {
        if self.known == Known::Fingerprint {
            let wanted = self.value.to_ascii_lowercase();
            return match record.tokens.iter().any(|token| token.fingerprint == wanted) {
                true => Held::Yes,
                false if record.tokens.is_empty() => Held::Silent,
                false => Held::Other,
            };
        }
        let mut other = false;
        for field in self.known.fields() {
            for found in record.content.all(*field) {
                if same(*field, &self.value, found) {
                    return Held::Yes;
                }
                other |= *field == self.known.fields()[0];
            }
        }
        match record.content.line.is_none() && self.stands_in_text() && in_text(&self.value, &record.text) {
            true => Held::InText,
            false if other => Held::Other,
            false => Held::Silent,
        }
    }
}

/// Does a value of a field mean what was asked for?
pub(super) fn same(field: Field, asked: &str, found: &str) -> bool {
    let (asked, found) = (decoded(asked), decoded(found));
    if asked == found {
        return true;
    }
    match field {
        Field::Address | Field::Node | Field::Remote | Field::Path if address(&asked).is_some() => {
            address(&asked) == address(&found)
        }
        Field::Address | Field::Node => host(&asked) == host(&found),
        Field::Dn => names(&asked).is_some_and(|asked| Some(asked) == names(&found)),
        Field::User => local(&found) == asked || names(&asked).is_some_and(|asked| Some(asked) == names(&found)),
        Field::Path | Field::Remote => below(&path(&asked), &path(&found)),
        Field::Job | Field::Payload => job(&asked) == job(&found),
        Field::Iss => url::same_issuer(&asked, &found),
        Field::Group => found.split(['/', ':']).any(|part| part == asked),
        Field::Jti
        | Field::Sub
        | Field::Client
        | Field::Vo
        | Field::Host
        | Field::Operation
        | Field::Result
        | Field::Session
        | Field::Service
        | Field::Thread => false,
    }
}

/// Percent-encoding undone, twice encoded values included.
fn decoded(text: &str) -> Cow<'_, str> {
    let mut text = Cow::Borrowed(text);
    for _ in 0..2 {
        let Cow::Owned(once) = percent::decoded(text.as_bytes()) else { break };
        text = Cow::Owned(String::from_utf8_lossy(&once).into_owned());
    }
    text
}

/// Is this one address or host name, with or without its port? Networks, ranges and patterns are none.
pub fn is_one_address(text: &str) -> bool {
    let bare = text.trim().split('?').next().unwrap_or_default();
    let digits = |bare: &str| bare.contains('.') && bare.chars().all(|c| c.is_ascii_digit() || ".-:".contains(c));
    let is_name = || bare.matches(':').count() < 2 && !digits(bare);
    !bare.contains(['/', '*']) && (address(text).is_some() || is_name())
}

/// The IP address in `192.0.2.1:443`, `[2001:db8::1]:443`, `<192.0.2.1:9618?addrs=…>`, `[::192.0.2.1]`.
pub(super) fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim().trim_start_matches('<').trim_end_matches('>');
    let text = text.split('?').next().unwrap_or_default();
    let bare = match text.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None if text.matches(':').count() == 1 => text.split(':').next().unwrap_or_default(),
        None => text,
    };
    let bare = bare.split('%').next().unwrap_or_default();
    bare.parse::<IpAddr>().ok().map(plain)
}

/// The IPv4 address that is written as an IPv6 one: `::ffff:192.0.2.1`, and `::192.0.2.1` as XRootD has it. Behind 96 zeros,
/// `::` and `::1` are no such: no machine has an IPv4 address that begins with 0.
fn plain(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(six) if six.octets()[12] != 0 => six.to_ipv4().map_or(address, IpAddr::V4),
        canonical => canonical,
    }
}

/// A host name without port, in small letters.
fn host(text: &str) -> String {
    let text = text.trim_matches(['[', ']', '<', '>']);
    let name = if text.matches(':').count() == 1 { text.split(':').next().unwrap_or_default() } else { text };
    name.trim_end_matches('.').to_ascii_lowercase()
}

/// What two spellings of an address have in common.
pub(super) fn address_key(text: &str) -> String {
    address(text).map_or_else(|| host(text), |address| address.to_string())
}

/// A job without leading zeros (`017.000` is `17.0`).
pub(super) fn job(text: &str) -> String {
    let number = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit()) && !part.is_empty();
    let parts: Vec<&str> = text.split('.').collect();
    if parts.len() < 2 || !parts.iter().all(|part| number(part)) {
        return text.to_string();
    }
    let plain = |part: &&str| part.trim_start_matches('0').to_string();
    let plain = |part: &&str| Some(plain(part)).filter(|part| !part.is_empty()).unwrap_or_else(|| "0".into());
    parts.iter().take(2).map(plain).collect::<Vec<_>>().join(".")
}

/// The account of `name@domain`.
fn local(text: &str) -> &str {
    text.split('@').next().unwrap_or(text)
}

/// The parts of a distinguished name in the order of `/DC=org/CN=x`; `CN=x,DC=org` is the same name.
fn names(text: &str) -> Option<Vec<String>> {
    let clean = |part: &str| {
        part.split_once('=').map(|(name, value)| format!("{}={}", name.trim().to_ascii_uppercase(), value.trim()))
    };
    let parts: Option<Vec<String>> = match text.strip_prefix('/') {
        Some(rest) => {
            // A slash in a value (`CN=host/name`) does not begin a part.
            let mut parts: Vec<String> = Vec::new();
            for piece in rest.split('/') {
                match (piece.contains('='), parts.last_mut()) {
                    (false, Some(last)) => {
                        last.push('/');
                        last.push_str(piece);
                    }
                    _ => parts.push(piece.to_string()),
                }
            }
            parts.iter().map(|part| clean(part)).collect()
        }
        None => text.split(',').rev().map(clean).collect(),
    };
    parts.filter(|parts| parts.len() > 1)
}

/// The path of a URL or path, without doubled slashes.
fn path(text: &str) -> String {
    let text = match text.split_once("://") {
        Some((_, rest)) => rest.find('/').map_or("/", |at| &rest[at..]),
        None => text,
    };
    let parts: Vec<&str> = text.split('/').filter(|part| !part.is_empty()).collect();
    format!("/{}", parts.join("/"))
}

fn below(asked: &str, found: &str) -> bool {
    found.strip_prefix(asked.trim_end_matches('/')).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Does a value stand in a text, as a word of its own?
fn in_text(value: &str, text: &str) -> bool {
    let found = |text: &str| {
        let word = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | ':' | '@');
        let mut from = 0;
        while let Some(at) = text[from..].find(value) {
            let (start, end) = (from + at, from + at + value.len());
            let before =
                text[..start].chars().next_back().is_some_and(|c| c.is_alphanumeric() || matches!(c, '-' | '_'));
            let mut behind = text[end..].chars();
            let next = behind.next();
            // A sentence may end behind it, a longer name may not.
            let after =
                next.is_some_and(|c| word(c) && (!matches!(c, '.' | ':' | '@') || behind.next().is_some_and(word)));
            let port = next == Some(':') && address(value).is_some();
            if !before && (!after || port) {
                return true;
            }
            from = start + value.chars().next().map_or(1, char::len_utf8);
        }
        false
    };
    found(text) || (text.contains('%') && found(&decoded(text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_thing_in_two_spellings_is_the_same() {
        let cases = [
            (Field::Address, "2001:db8::7", "[2001:0db8:0::7]:1094", true, "IPv6 with a port"),
            (Field::Address, "192.0.2.1", "<192.0.2.1:9618?addrs=192.0.2.1-9618>", true, "HTCondor's form"),
            (Field::Address, "192.0.2.1", "[::ffff:192.0.2.1]:443", true, "IPv4 in IPv6"),
            (Field::Address, "192.0.2.77", "[::192.0.2.77]", true, "XRootD's form"),
            (Field::Address, "::1", "0.0.0.1", false, "the machine itself"),
            (Field::Address, "::", "0.0.0.0", false, "any address"),
            (Field::Address, "::c000:24d", "192.0.2.77", true, "the same in digits"),
            (Field::Address, "2001:db8::c000:24d", "192.0.2.77", false, "an address that ends like it"),
            (Field::Address, "192.0.2.1", "192.0.2.10", false, "only begins alike"),
            (Field::Address, "WN7.example.org", "wn7.example.org:33", true, "a name"),
            (Field::Address, "wn7", "wn7.example.org", false, "half a name may be another machine"),
            (Field::Sub, "a person, or two", "a%20person%2C%20or%20two", true, "encoded"),
            (Field::Sub, "a b", "a%2520b", true, "encoded twice"),
            (Field::Sub, "100%", "100%", true, "no code"),
            (Field::Sub, "x", "X", false, "subjects have a case"),
            (Field::Dn, "/DC=org/CN=A Person", "CN=A Person, DC=org", true, "two orders"),
            (Field::Dn, "/DC=org/CN=host/se.example.org", "CN=host/se.example.org,DC=org", true, "a slash in a value"),
            (Field::Dn, "/DC=org/CN=A", "/DC=org/CN=A/CN=proxy", false, "another name"),
            (Field::User, "vopilot", "vopilot@users.htcondor.org", true, "the account of a domain"),
            (Field::User, "vo", "vopilot", false, "begins alike"),
            (Field::Path, "/vo/data", "https://se.example.org:1094//vo/data/f%201", true, "a file in a folder"),
            (Field::Path, "/vo/data", "/vo/database/f", false, "another folder"),
            (Field::Path, "/50%05", "/50%+5", false, "a sign is no digit"),
            (Field::Job, "17.0", "017.000", true, "zeros"),
            (Field::Job, "17.0", "17.01", false, "another process"),
            (Field::Group, "vo", "/vo/pilots", true, "a group of the VO"),
            (Field::Iss, "https://vo.example.org", "https://vo.example.org/", true, "the slash"),
            (Field::Iss, "https://vo.example.org", "https://VO.example.org:443/", true, "the default port"),
        ];
        for (field, asked, found, expected, remark) in cases {
            assert_eq!(same(field, asked, found), expected, "{remark}: {asked} {found}");
        }
    }

    #[test]
    fn one_address_is_no_network() {
        for one in [
            "192.0.2.1",
            "192.0.2.1:443",
            "2001:db8::7",
            "[2001:db8::7]:1094",
            "<192.0.2.1:9618?addrs=192.0.2.1-9618&sock=a/b>",
            "wn7.example.org:33",
            "slot1@wn7.example.org",
            "wn-7",
            "007",
        ] {
            assert!(is_one_address(one), "{one}");
        }
        for other in [
            "192.0.2.0/24",
            "2001:db8::/32",
            "[2001:db8::]/32",
            "192.0.2.0/255.255.255.0",
            "192.0.2.*",
            "*.example.org",
            "192.0.2",
            "192.0.2.",
            "192.0.2.256",
            "192.0.2.1-192.0.2.9",
            "2001:db8:",
            "https://se.example.org/",
        ] {
            assert!(!is_one_address(other), "{other}");
        }
    }

    #[test]
    fn words_in_unknown_text_are_whole_words() {
        let cases = [
            ("0b1c-1", "jti=0b1c-1;", true),
            ("0b1c-1", "jti=0b1c-12", false),
            ("0b1c-1", "x0b1c-1", false),
            ("192.0.2.1", "from 192.0.2.1:443.", true),
            ("192.0.2.1", "from 192.0.2.17", false),
            ("192.0.2.1", "from 192.0.2.1.", true),
            ("a b", "sub=a%20b&x", true),
            ("é1x", "sub é1x", true),
        ];
        for (value, text, expected) in cases {
            assert_eq!(in_text(value, text), expected, "{value} in {text}");
        }
        let stands = |value: &str| Condition { known: Known::Jti, value: value.into() }.stands_in_text();
        assert_eq!(["ab", "abc"].map(stands), [false, true], "what is short stands there by chance");
    }
}
