//! Private members of JSON Web Keys.

use super::chars::{is_blank, run};
use super::looks::VERY_RANDOM;
use super::value::{Ends, value_at};
use super::{Look, MAX_VALUE, key};

/// How far from a member of a JSON Web Key its `kty` may stand, in bytes: the largest RSA keys take 7 KiB.
pub const KEY_REACH: usize = 8 << 10;
/// Braces that are looked at on the way there.
const KEY_BRACES: usize = 64;

/// A private member of a JSON Web Key, whose name stands from `start` to `end` with its quotes: base64url in an object that
/// has a `kty`.
pub(super) fn key_member(text: &[u8], start: usize, end: usize, last: bool) -> Look {
    // Sign, quotes and blanks stand close together.
    if !last && text.len() - end < 32 {
        return Look::Open;
    }
    let blanks = |at: usize| run(text, at, 0, is_blank).1;
    let at = end + blanks(end);
    if text.get(at) != Some(&b':') {
        return Look::No;
    }
    let at = at + 1 + blanks(at + 1);
    let span = if text.get(at) == Some(&b'[') {
        // The further primes of `oth`, objects without brackets in them.
        let window = &text[at..text.len().min(at + MAX_VALUE)];
        match memchr::memchr(b']', window) {
            Some(length) => at + 1..at + length,
            None if !last && window.len() < MAX_VALUE => return Look::Open,
            None => return Look::No,
        }
    } else {
        let value = value_at(text, at, 0);
        if value.quote.is_none() {
            return Look::No;
        }
        let Some((span, _)) = value.range(text, last, &mut Ends::default()) else { return Look::Open };
        let is_base64url = text[span.clone()].iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_=".contains(byte));
        if !is_base64url {
            return Look::No;
        }
        span
    };
    let value = &text[span.clone()];
    if value.len() < VERY_RANDOM || memchr::memmem::find(value, crate::redact::MARK.as_bytes()).is_some() {
        return Look::No;
    }
    match is_in_key(text, start, span.end, last) {
        Some(true) => key(span),
        Some(false) => Look::No,
        None => Look::Open,
    }
}

/// Is what stands from `start` to `end` part of an object with a `kty`? `None` when the text ends before that is certain.
fn is_in_key(text: &[u8], start: usize, end: usize, last: bool) -> Option<bool> {
    let names_type = |part: &[u8]| memchr::memmem::find(part, b"kty").is_some();
    let before = &text[start.saturating_sub(KEY_REACH)..start];
    let mut depth = 0;
    let mut opened = None;
    for at in memchr::memrchr2_iter(b'{', b'}', before).take(KEY_BRACES) {
        match (before[at], depth) {
            (b'{', 0) => {
                opened = Some(at);
                break;
            }
            (b'{', _) => depth -= 1,
            _ => depth += 1,
        }
    }
    let Some(opened) = opened else { return Some(false) };
    if names_type(&before[opened..]) {
        return Some(true);
    }
    let behind = &text[end..text.len().min(end + KEY_REACH)];
    let mut depth = 0;
    for at in memchr::memchr2_iter(b'{', b'}', behind).take(KEY_BRACES) {
        match (behind[at], depth) {
            (b'}', 0) => return Some(names_type(&behind[..at])),
            (b'}', _) => depth -= 1,
            _ => depth += 1,
        }
    }
    if behind.len() < KEY_REACH && !last { None } else { Some(names_type(behind)) }
}
