//! What a macaroon says of itself: where it works, and the limits that were added to it.
//! Its signature is one of its packets; it is never read.

use crate::parse::jwt::decode_bytes;
use crate::parse::macaroon::{Packet, packets};
use crate::report::text;
use crate::source::mask;

/// Limits that are taken up.
const MOST: usize = 50;
/// Longest of them, in characters.
const LONGEST: usize = 300;

/// What can be read of a macaroon.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Macaroon {
    /// The service that made it, by its own word.
    pub location: Option<String>,
    /// Its limits, as written.
    pub limits: Vec<String>,
    /// It was read up to its signature, so that there are no more limits.
    pub is_whole: bool,
}

impl Macaroon {
    /// Reads the encoded form; what is broken from some place on is read up to there.
    pub fn read(encoded: &[u8]) -> Self {
        let plain: String = encoded
            .iter()
            .filter_map(|byte| match byte {
                b'+' => Some('-'),
                b'/' => Some('_'),
                byte if byte.is_ascii_alphanumeric() || b"-_".contains(byte) => Some(char::from(*byte)),
                _ => None,
            })
            .collect();
        // Up to three characters at the end may belong to a group that was cut.
        let whole = (0..4.min(plain.len())).find_map(|cut| decode_bytes(&plain[..plain.len() - cut]));
        let bytes = whole.unwrap_or_default();
        let mut found = Macaroon::default();
        for Packet { name, value, .. } in packets(&bytes) {
            // Identifiers may hold what other tokens are made with, and the signature is the secret.
            let shown = || value.and_then(|value| std::str::from_utf8(value).ok()).filter(|text| is_text(text));
            match name {
                b"location" => found.location = shown().map(clean),
                b"cid" if found.limits.len() < MOST => found.limits.extend(shown().map(clean)),
                b"signature" => found.is_whole = value.is_some(),
                _ => {}
            }
        }
        found
    }

    /// When it ends, in seconds since 1970, by the earliest `before:`.
    pub fn end(&self) -> Option<i64> {
        let times = self.limits.iter().filter_map(|limit| limit.strip_prefix("before:"));
        times.filter_map(|time| time.trim().parse::<jiff::Timestamp>().ok()).map(|time| time.as_second()).min()
    }
}

fn is_text(value: &str) -> bool {
    !value.contains(text::is_unsafe)
}

fn clean(value: &str) -> String {
    text::shortened(&mask::redact(value), LONGEST)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    /// A made-up macaroon with these limits and this signature.
    pub(crate) fn made_up(limits: &[&str], signature: &[u8]) -> String {
        let mut bytes = Vec::new();
        let mut packet = |name: &str, value: &[u8]| {
            bytes.extend(format!("{:04x}{name} ", 4 + name.len() + 1 + value.len() + 1).into_bytes());
            bytes.extend(value);
            bytes.push(b'\n');
        };
        packet("location", b"https://se.example.org");
        packet("identifier", b"an identifier");
        limits.iter().for_each(|limit| packet("cid", limit.as_bytes()));
        packet("signature", signature);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    #[test]
    fn limits_and_place_are_read_and_nothing_else() {
        let limits =
            ["activity:DOWNLOAD,LIST", "path:/vo", "before:2026-01-01T00:00:00.000Z", "before:2027-01-01T00:00:00Z"];
        let text = made_up(&limits, b"0123456789abcdef0123456789abcdef");
        let read = Macaroon::read(text.as_bytes());
        assert_eq!(read.location.as_deref(), Some("https://se.example.org"));
        assert_eq!(read.limits, limits);
        assert_eq!((read.end(), read.is_whole), (Some(1_767_225_600), true));
        assert!(!format!("{read:?}").contains("0123456789abcdef"));
        for cut in 0..text.len() {
            let part = Macaroon::read(&text.as_bytes()[..cut]);
            assert!(part.limits.len() <= 4 && !part.is_whole, "a cut one is read as far as it goes");
        }
        assert_eq!(Macaroon::read(b"MDAwMA"), Macaroon::default(), "a packet without length");
        assert_eq!(Macaroon::read(b""), Macaroon::default());
    }
}
