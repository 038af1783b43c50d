//! The masked view: source text as renderers may see it.
//!
//! Secrets are known by provenance (spans an adapter or the secret-key list named) and, as a second line,
//! by shape (JWT signatures, PEM private keys, URL credentials). Masking keeps the number of characters and
//! the line breaks, so that columns under a snippet stay true.

use super::secret_names::{MAX_NAME, is_secret_key};
use super::{Source, Span};
use crate::scan::find::{Finder, Found, State, may_begin};
use std::ops::Range;
use std::sync::LazyLock;

/// The character that stands for a hidden one.
pub const MASK: char = '*';

/// JWK members that hold private key material (RFC 7518 sections 6.2.2, 6.3.2 and 6.4).
const JWK_PRIVATE: &[&str] = &["d", "p", "q", "dp", "dq", "qi", "k", "oth"];

/// True when this member of a JWK (an object with `kty`) holds private key material.
pub fn is_private_jwk_member(name: &str) -> bool {
    JWK_PRIVATE.contains(&name)
}

/// Byte ranges of `text` that look like secrets: what makes a token usable, the body of a PEM private key, the password of
/// a URL, what is assigned with `=` to a secret's name. Takes time linear in the text.
fn secret_shapes(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    if !may_hide(text.as_bytes()) {
        return found;
    }
    tokens(text, &mut found);
    private_keys(text, &mut found);
    url_passwords(text, &mut found);
    assignments(text, b'=', &mut found);
    found
}

/// Is there anything that one of these shapes needs? In most texts that are quoted there is not, and to see that costs less
/// than to look for each of them.
fn may_hide(text: &[u8]) -> bool {
    // A password ends at `@`, what is assigned stands behind `=`, and a key between hyphens, as some tokens do.
    let ends = |byte: u8| (byte == b'@') | (byte == b'=') | (byte == b'%');
    let pairs = text.iter().zip(text.get(1..).unwrap_or_default());
    text.iter().fold(false, |any, byte| any | ends(*byte))
        || pairs.fold(false, |any, (first, second)| any | may_begin(*first, *second))
}

fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

/// What of tokens must not be shown: signatures, what is encrypted, and whole those of other kinds; of a token that never
/// had a signature the payload.
fn tokens(text: &str, found: &mut Vec<Range<usize>>) {
    static FINDER: LazyLock<Result<Finder, String>> = LazyLock::new(Finder::lenient);
    let bytes = text.as_bytes();
    let Ok(finder) = &*FINDER else {
        found.push(0..bytes.len());
        return;
    };
    let mut at = 0;
    while let Found::Token(hit) = finder.next(bytes, at, true) {
        at = hit.span.end.max(hit.span.start + 1);
        let secret = if hit.state == State::Unsigned { hit.payload } else { hit.secret };
        if !secret.is_empty() {
            // What goes on with the characters of a signature may be one.
            let goes_on = |byte: &&u8| is_token_byte(**byte) || matches!(byte, b'.' | b'=' | b'+');
            let rest = bytes[secret.end..].iter().take_while(goes_on).count();
            at = at.max(secret.end + rest);
            found.push(secret.start..secret.end + rest);
        }
    }
}

fn private_keys(text: &str, found: &mut Vec<Range<usize>>) {
    const BEGIN: &str = "PRIVATE KEY-----";
    let mut from = 0;
    // Hyphens are rarer than what a search for the words looks for.
    static HYPHENS: LazyLock<memchr::memmem::Finder<'static>> = LazyLock::new(|| memchr::memmem::Finder::new("-----"));
    if HYPHENS.find(text.as_bytes()).is_none() {
        return;
    }
    while let Some(at) = text[from..].find(BEGIN) {
        let label = &text[from..from + at];
        from += at + BEGIN.len();
        // The closing line carries the same words.
        if label.rfind("-----BEGIN").is_some_and(|begin| label[begin..].len() < 40) {
            let end = text[from..].find("-----END").map_or(text.len(), |end| from + end);
            found.push(from..end);
            from = end;
        }
    }
}

/// `//user:password@host`.
fn url_passwords(text: &str, found: &mut Vec<Range<usize>>) {
    let mut from = 0;
    for slash in memchr::memchr_iter(b'/', text.as_bytes()) {
        if slash < from || text.as_bytes().get(slash + 1) != Some(&b'/') {
            continue;
        }
        let start = slash + 2;
        let ends = |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, b'/' | b'"' | b'\'' | b'<' | b'>' | b'`');
        let length = text.as_bytes()[start..].iter().take_while(|byte| !ends(byte)).count();
        let authority = &text[start..start + length];
        if let (Some(colon), Some(sign)) = (authority.find(':'), authority.rfind('@'))
            && colon + 1 < sign
        {
            found.push(start + colon + 1..start + sign);
        }
        from = start + length;
    }
}

/// What is assigned to a secret's name: `client_secret=…` in forms, commands and settings; with `:` as the sign, members
/// of JSON objects and YAML mappings on one line.
fn assignments(text: &str, sign: u8, found: &mut Vec<Range<usize>>) {
    let bytes = text.as_bytes();
    assigned(text, sign, &mut memchr::memchr_iter(sign, bytes).map(|at| (at, at + 1)), found);
    if sign == b'=' {
        let encoded = memchr::memchr_iter(b'%', bytes).filter(|at| bytes[*at..].starts_with(b"%3D"));
        assigned(text, sign, &mut encoded.map(|at| (at, at + 3)), found);
    }
}

/// [`assignments`] at these places of the sign, ascending.
fn assigned(text: &str, sign: u8, places: &mut dyn Iterator<Item = (usize, usize)>, found: &mut Vec<Range<usize>>) {
    let bytes = text.as_bytes();
    let mut covered = 0;
    for (at, behind) in places {
        if at < covered {
            continue;
        }
        let blank = |byte: &&u8| matches!(byte, b' ' | b'\t');
        let mut end = at - bytes[..at].iter().rev().take(8).take_while(blank).count();
        end -= usize::from(end > 0 && matches!(bytes[end - 1], b'"' | b'\''));
        end -= usize::from(end > 0 && bytes[end - 1] == b'\\');
        let in_name = |byte: &&u8| is_token_byte(**byte) || **byte == b'.';
        let start = end - bytes[..end].iter().rev().take(MAX_NAME + 1).take_while(in_name).count();
        if start == end || !is_secret_key(&text[start..end]) {
            continue;
        }
        let value = behind + bytes[behind..].iter().take(8).take_while(blank).count();
        let inside = value_range(&bytes[value..], sign);
        let inside = value + inside.start..value + inside.end;
        if !inside.is_empty() && !is_harmless(&text[start..end], &text[inside.clone()]) {
            covered = inside.end;
            found.push(inside);
        }
    }
}

/// The value that begins here, without its quotes.
fn value_range(bytes: &[u8], sign: u8) -> Range<usize> {
    let escapes = bytes.iter().take_while(|byte| **byte == b'\\').count();
    match bytes.get(escapes) {
        Some(&mark @ (b'"' | b'\'')) => {
            let start = escapes + 1;
            let mut at = start;
            while let Some(&byte) = bytes.get(at) {
                match byte {
                    b'\n' => break,
                    b'\\' if escapes == 0 => at += 1,
                    _ if byte == mark => break,
                    _ => {}
                }
                at += 1;
            }
            // Inside an escaped text the closing quote has its own escapes.
            let end = at.min(bytes.len());
            start..end.saturating_sub(if bytes.get(end) == Some(&mark) { escapes } else { 0 }).max(start)
        }
        // The bracket of a container is no value.
        Some(b'{' | b'[') => 0..0,
        _ => {
            // In YAML a comma ends a value only inside brackets, which nothing here knows; a comment always does.
            let ends = |pair: &[u8]| {
                matches!(
                    (sign, pair),
                    (_, [b'\n' | b'\r' | b'"', ..])
                        | (b':', [b' ', b'#'] | [b',', b' '])
                        | (b'=', [b'&' | b'\'' | b' ' | b'\t', ..])
                )
            };
            0..(0..bytes.len()).take_while(|&at| !ends(&bytes[at..bytes.len().min(at + 2)])).count()
        }
    }
}

/// True for values that hide nothing though their name sounds secret: literals of the syntax, block markers, and the
/// lifetime of a kind of token (`access_token: 1h`).
fn is_harmless(name: &str, value: &str) -> bool {
    let first = value.trim().split([',', '}', ']', ' ']).next().unwrap_or_default();
    // What stands before a token that was found already.
    let scheme = first.trim_end_matches("%20").trim_end_matches('+');
    matches!(first, "true" | "false" | "null" | "~" | "|" | ">" | "|-" | ">-")
        || (scheme.len() < first.len() && ["bearer", "basic"].iter().any(|name| scheme.eq_ignore_ascii_case(name)))
        || is_token_lifetime(name, first)
}

/// True when a member named after a kind of token holds a lifetime, not a token.
pub fn is_token_lifetime(name: &str, value: &str) -> bool {
    let unit = |c: char| {
        c.is_ascii_digit() || matches!(c, 's' | 'm' | 'h' | 'd' | 'w' | 'y' | '.' | '-' | 'P' | 'T' | 'H' | 'M')
    };
    name.to_ascii_lowercase().ends_with("token")
        && value.len() <= 12
        && value.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '-' | 'P'))
        && value.chars().all(unit)
}

/// Replaces everything that looks like a secret. For values quoted in messages and names.
pub fn redact(text: &str) -> std::borrow::Cow<'_, str> {
    let shapes = secret_shapes(text);
    if shapes.is_empty() {
        return text.into();
    }
    mask_ranges(text, 0, &shapes).into()
}

/// A window of the source, whole lines, with every secret replaced character by character.
///
/// `secrets` are spans of the whole source; shapes are searched in the window and some bytes around it, so that a
/// secret that begins before the window is still recognised.
pub fn window(source: &Source, range: Range<usize>, secrets: &[Span]) -> String {
    const AROUND: usize = 16 * 1024;
    let text = source.text();
    let bytes = text.as_bytes();
    let mut from = range.start.saturating_sub(AROUND);
    // A token or an assigned value may be longer than that.
    from -= bytes[..from].iter().rev().take_while(|byte| is_token_byte(**byte) || **byte == b'.').count();
    while !text.is_char_boundary(from) {
        from -= 1;
    }
    let mut to = (range.end + AROUND).min(text.len());
    while !text.is_char_boundary(to) {
        to += 1;
    }
    let mut ranges = secret_shapes(&text[from..to]);
    assignments(&text[from..to], b':', &mut ranges);
    let mut ranges: Vec<_> = ranges.into_iter().map(|r| r.start + from..r.end + from).collect();
    ranges.extend(secrets.iter().map(|span| span.range()).filter(|r| r.start < range.end && r.end > range.start));
    let clipped: Vec<_> = ranges
        .into_iter()
        .map(|r| r.start.max(range.start)..r.end.min(range.end))
        .filter(|r| r.start < r.end)
        .collect();
    mask_ranges(&text[range.clone()], range.start, &clipped)
}

fn mask_ranges(text: &str, base: usize, ranges: &[Range<usize>]) -> String {
    let mut sorted = ranges.to_vec();
    sorted.sort_unstable_by_key(|range| range.start);
    let mut next = sorted.into_iter().peekable();
    let mut hidden_to = 0;
    text.char_indices()
        .map(|(at, c)| {
            let at = at + base;
            while let Some(range) = next.next_if(|range| range.start <= at) {
                hidden_to = hidden_to.max(range.end);
            }
            if at < hidden_to && c != '\n' && c != '\r' { MASK } else { c }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_by_shape_and_keeps_length() {
        let text = "a eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl b https://u:pw@h/ x";
        let masked = redact(text);
        assert!(
            masked.contains("eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.*")
                && !masked.contains("c2ln")
                && !masked.contains("pw@")
        );
        assert_eq!(masked.chars().count(), text.chars().count());
    }

    #[test]
    fn knows_the_shapes_of_secrets() {
        for (text, masked, why) in [
            ("https://u:p@h/x", "https://u:*@h/x", "password of a URL"),
            ("redis://:pass@h", "redis://:****@h", "without a user"),
            ("https://h:8443/a@b", "https://h:8443/a@b", "a port is none"),
            ("keycloak.example.org/monkey.patch.py", "keycloak.example.org/monkey.patch.py", "a host name is no token"),
            ("eyJhIjoxfQ.eyJhIjoxfQ.c2ln", "eyJhIjoxfQ.eyJhIjoxfQ.****", "a signature"),
            ("xeyJhIjoxfQ.eyJhIjoxfQ.c2ln=", "xeyJhIjoxfQ.eyJhIjoxfQ.*****", "glued to other text"),
            ("eyJhIjoxfQ.eyJhIjoxfQ", "eyJhIjoxfQ.eyJhIjoxfQ", "no signature"),
            ("eyJhIjoxfQ.c2ln.c2ln.c2ln.c2ln", "eyJhIjoxfQ.*******************", "encrypted"),
            ("ewogImEiOjF9.eyJhIjoxfQ.c2ln x", "ewogImEiOjF9.eyJhIjoxfQ.**** x", "a header with a line break"),
            ("a?client_secret=x&b=c", "a?client_secret=*&b=c", "form"),
            ("refresh_token%3Dabc", "refresh_token%3D***", "percent-encoded sign"),
            ("-Dspring.datasource.password=abc -Dx=y", "-Dspring.datasource.password=*** -Dx=y", "command line"),
            ("PASSWORD='a b' X=y", "PASSWORD='***' X=y", "quoted"),
            ("access_token=3600s", "access_token=3600s", "a lifetime"),
            ("the secret: see above", "the secret: see above", "prose"),
            (
                "-----BEGIN PRIVATE KEY-----\nab\n-----END PRIVATE KEY-----\n",
                "-----BEGIN PRIVATE KEY-----\n**\n-----END PRIVATE KEY-----\n",
                "a key",
            ),
        ] {
            assert_eq!(redact(text), masked, "{why}");
        }
    }

    #[test]
    fn masks_what_stands_under_a_secret_name_in_a_window() {
        for (text, masked) in [
            ("{\"client_secret\" : \"a,\\\"b\", \"x\": 1}", "{\"client_secret\" : \"*****\", \"x\": 1}"),
            ("- password: a b c\n  user: u", "- password: *****\n  user: u"),
            ("{password: abc, user: u}", "{password: ***, user: u}"),
            ("password: a,b{c}", "password: ******"),
            ("{\"a\": \"{\\\"password\\\":\\\"abc\\\"}\"}", "{\"a\": \"{\\\"password\\\":\\\"***\\\"}\"}"),
            ("access_token: 1h\nsecrets:\n", "access_token: 1h\nsecrets:\n"),
            ("\"credentials\": [1]", "\"credentials\": [1]"),
            ("{\"secret\":null,\"reuse_refresh_token\":true}", "{\"secret\":null,\"reuse_refresh_token\":true}"),
            ("password: null", "password: null"),
            ("password: abc # x", "password: *** # x"),
        ] {
            let source = Source::from_text("x", text);
            assert_eq!(window(&source, 0..text.len(), &[]), masked);
        }
        let long = format!("eyJhIjoxfQ.{}.{}", "a".repeat(40_000), "c2ln".repeat(10_000));
        let source = Source::from_text("x", long.as_str());
        assert_eq!(window(&source, long.len() - 20..long.len(), &[]), "*".repeat(20), "a token longer than the window");
    }

    #[test]
    fn masks_by_provenance_inside_a_window() {
        let source = Source::from_text("x", "first\nsecret: hünter2\nlast");
        let span = Span::new(14, 22);
        assert_eq!(window(&source, 6..22, &[span]), "secret: *******");
    }
}
