//! What values look like: drawn at random, or as what hides nothing.

use super::chars::char_at;
use crate::scan::find::TAKEN_AWAY;
use crate::source::mask;
use base64::Engine as _;

/// Shortest value that is taken for one drawn at random, in bytes.
const RANDOM: usize = 8;
/// The same where the name alone says little.
pub(super) const VERY_RANDOM: usize = 16;
/// Bytes of a value that say whether it was drawn at random.
const TELLING: usize = 256;

/// Words in place of a secret, beside those for what was taken away.
const NO_SECRETS: [&str; 17] = [
    "none",
    "null",
    "nil",
    "undefined",
    "empty",
    "true",
    "false",
    "yes",
    "no",
    "required",
    "optional",
    "missing",
    "invalid",
    "expired",
    "failed",
    "unset",
    "filtered",
];

/// True for what hides nothing: words and signs in place of a secret, variables, lifetimes and paths.
pub(super) fn is_harmless(name: &[u8], value: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(value) else { return value.is_empty() };
    let bare = text.trim_matches(|c: char| !c.is_ascii_alphanumeric());
    let variable = text.strip_prefix('$').is_some_and(|variable| match variable.strip_prefix('{') {
        // What stands in for one that is not set is as secret.
        Some(braced) => match braced.rfind(":-").max(braced.rfind(":=")) {
            Some(at) => is_harmless(name, &braced.as_bytes()[at + 2..]),
            None => true,
        },
        None => {
            let in_name = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
            variable.starts_with('(') || variable.bytes().all(in_name)
        }
    });
    let template =
        ["{{", "{%", "%(", "<"].iter().any(|start| text.starts_with(start)) || matches!(text, "%s" | "{}" | "%v");
    let is_path_byte = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"/._-".contains(&byte);
    let path = text.starts_with('/') && text[1..].contains('/') && text.bytes().all(is_path_byte);
    let one = text.bytes().next().is_none_or(|first| text.bytes().all(|byte| byte == first));
    bare.is_empty()
        || one
        || variable
        || template
        || path
        || NO_SECRETS.iter().chain(&TAKEN_AWAY).any(|word| bare.eq_ignore_ascii_case(word))
        || std::str::from_utf8(name).is_ok_and(|name| mask::is_token_lifetime(name, text))
}

/// Letters with digits among them, or of both cases for long enough: no word of a language. What encodes a sign is neither.
pub(super) fn is_random(value: &[u8]) -> bool {
    let telling = &value[..value.len().min(TELLING)];
    let (mut decoded, mut at) = (Vec::with_capacity(telling.len()), 0);
    while let Some(char) = char_at(telling, at) {
        decoded.push(char.byte);
        at += char.length;
    }
    let has = |is: fn(&u8) -> bool| decoded.iter().any(is);
    let letters = has(u8::is_ascii_alphabetic);
    let mixed = has(u8::is_ascii_uppercase) && has(u8::is_ascii_lowercase) && value.len() >= 3 * RANDOM;
    value.len() >= RANDOM && ((letters && has(u8::is_ascii_digit)) || mixed) && !is_harmless(b"", value)
}

/// A name and a password in base64.
pub(super) fn is_basic(value: &[u8]) -> bool {
    /// Longer ones are not looked at to their end; four characters are three bytes.
    const LONGEST: usize = 4 * TELLING;
    let value = &value[..value.len().min(LONGEST)];
    let end = value.iter().position(|byte| matches!(byte, b'=' | b'%')).unwrap_or(value.len());
    let decoded = base64::engine::general_purpose::STANDARD_NO_PAD.decode(&value[..end]);
    decoded
        .is_ok_and(|pair| pair.contains(&b':') && pair.iter().all(|byte| !byte.is_ascii_control()) && pair.is_ascii())
}
