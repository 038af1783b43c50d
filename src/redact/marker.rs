//! What stands in a text in place of a secret.
//!
//! Markers are made of characters that mean nothing in queries, JSON, headers, XML and shells, so that what was well-formed
//! stays so, and nothing that looks for tokens or secrets takes them for one.

use crate::scan::find::{Form, Hit, object_of};
use crate::scan::fingerprint::DIGITS;
use crate::source::mask;
use serde_json::Value;

/// What every marker begins with.
pub const MARK: &str = "REDACTED";
/// Most characters of a claim that a marker names.
const MAX_CLAIM: usize = 80;

/// What names a token by its form and fingerprint: `REDACTED-jwt-1f2e3d4c5b6a`.
pub(super) fn token(form: Form, fingerprint: &str) -> String {
    format!("{MARK}-{}-{fingerprint}", form.name())
}

/// [`token`] with the claims that a log can be joined by: `REDACTED-jwt-1f2e3d4c5b6a(jti=…,sub=…,exp=…)`.
pub(super) fn with_claims(hit: &Hit, window: &[u8], fingerprint: &str) -> String {
    let claims = object_of(&window[hit.payload.clone()]).unwrap_or_default();
    let text = |name: &str| claims.get(name).and_then(Value::as_str).map(escaped);
    let time = |name: &str| claims.get(name).and_then(Value::as_i64).and_then(time);
    let named = [("jti", text("jti")), ("sub", text("sub")), ("exp", time("exp"))];
    let named: Vec<String> =
        named.into_iter().filter_map(|(name, value)| value.map(|value| format!("{name}={value}"))).collect();
    let marker = token(hit.form, fingerprint);
    if named.is_empty() { marker } else { format!("{marker}({})", named.join(",")) }
}

/// The length of the marker that a text begins with; where a length was fixed its end may be missing.
pub(super) fn length(text: &[u8]) -> usize {
    const FORMS: [Form; 5] = [Form::Jwt, Form::Jwe, Form::Macaroon, Form::Eos, Form::Envelope];
    let rest = text.get(MARK.len()..).unwrap_or_default();
    let count = |bytes: &[u8], is: fn(&u8) -> bool| bytes.iter().take_while(|byte| is(byte)).count();
    for form in FORMS {
        let name = format!("-{}-", form.name());
        if name.as_bytes().starts_with(rest) {
            return text.len();
        }
        let Some(behind) = rest.strip_prefix(name.as_bytes()) else { continue };
        let digits = count(behind, |byte| byte.is_ascii_hexdigit()).min(DIGITS);
        let claims = behind[digits..].strip_prefix(b"(").map_or(0, |claims| {
            let inside = count(claims, |byte| byte.is_ascii_alphanumeric() || b"-_.:@/*~=,".contains(byte));
            1 + inside + usize::from(claims.get(inside) == Some(&b')'))
        });
        return MARK.len() + name.len() + digits + claims;
    }
    MARK.len()
}

/// Is all of a text a marker?
pub fn is_marker(text: &str) -> bool {
    text.starts_with(MARK) && length(text.as_bytes()) == text.len()
}

/// A time as `20260131T120000Z`; a colon might be taken for that of a URL.
fn time(seconds: i64) -> Option<String> {
    jiff::Timestamp::from_second(seconds).ok().map(|time| time.strftime("%Y%m%dT%H%M%SZ").to_string())
}

/// The characters that identifiers are made of stay, of everything else the bytes are written as `~` and two hexadecimal
/// digits. A token within is masked first, and nothing of the result begins one.
fn escaped(claim: &str) -> String {
    const BEGINNINGS: [&str; 9] = ["eyJ", "eyI", "eyA", "ewo", "ewk", "ew0", "MDA", "zteos64", "//"];
    let claim = mask::redact(claim);
    let mut shown = String::new();
    let mut rest: &str = &claim;
    while let Some(c) = rest.chars().next() {
        if shown.len() >= MAX_CLAIM {
            shown.push('~');
            break;
        }
        let plain = c.is_ascii_alphanumeric() || "-_.:@/*".contains(c);
        if plain && !BEGINNINGS.iter().any(|start| rest.starts_with(start)) {
            shown.push(c);
        } else {
            let mut bytes = [0; 4];
            c.encode_utf8(&mut bytes).bytes().for_each(|byte| shown += &format!("~{byte:02x}"));
        }
        rest = &rest[c.len_utf8()..];
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marker_is_known_with_all_that_it_says() {
        for (text, length_) in [
            ("REDACTED", 8),
            ("REDACTED;x", 8),
            ("REDACTED-kJ8vQ2mN5xR7", 8),
            ("REDACTED-jwt-0123456789abcdef", 25),
            ("REDACTED-jwt-0123456789ab(jti=a,sub=x@y,exp=20260101T000000Z);x", 61),
            ("REDACTED-jwt-0123456789ab(jti=a,su", 34),
            ("REDACTED-jwt-01", 15),
            ("REDACTED-maca", 13),
            ("REDACTED-eos-token-0123456789ab x", 31),
        ] {
            assert_eq!(length(text.as_bytes()), length_, "{text}");
            assert_eq!(is_marker(text), length_ == text.len(), "{text}");
        }
    }

    #[test]
    fn claims_are_written_so_that_no_text_is_changed_by_them() {
        for (claim, shown) in [
            ("alice@vo.example.org", "alice@vo.example.org"),
            ("https://x.example.org/a", "https:~2f/x.example.org/a"),
            ("CN=Ünal \"x\"", "CN~3d~c3~9cnal~20~22x~22"),
            ("a\n\u{1b}[31m", "a~0a~1b~5b31m"),
            ("a~b", "a~7eb"),
            ("eyJhbGciOiJub25lIn0", "~65yJhbGciOiJub25lIn0"),
        ] {
            assert_eq!(escaped(claim), shown);
        }
        assert_eq!(escaped(&"x".repeat(500)), "x".repeat(MAX_CLAIM) + "~");
        let token = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJ4In0.VGVzdFNpZ25hdHVyZQ";
        assert_eq!(escaped(token), "~65yJhbGciOiJFUzI1NiJ9.~65yJzdWIiOiJ4In0.******************");
    }
}
