//! Characters of a text, however they are escaped or encoded.

use super::value::AHEAD;
use crate::percent::{self, Char};

pub(super) fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.')
}

pub(super) fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// The end of a string in C stands between the variables of a process's environment.
pub(super) fn ends_word(byte: u8) -> bool {
    byte.is_ascii_whitespace() || b"&\"'\\<>`\0".contains(&byte)
}

/// How often a character counts as encoded that is written by a code of JSON (`\u0022`), of nginx and Python (`\x22`) or of
/// HTML (`&quot;`, `&#34;`): more often than those in percent-encoding.
pub(super) const ESCAPED: usize = 3;

pub(super) fn char_at(text: &[u8], at: usize) -> Option<Char> {
    escaped_at(text, at).or_else(|| percent::char_at(text, at, 2))
}

/// A character of ASCII that is written by such a code.
fn escaped_at(text: &[u8], at: usize) -> Option<Char> {
    /// By name, those that stand around names and values.
    const NAMED: [(&str, u8); 3] = [("&quot;", b'"'), ("&apos;", b'\''), ("&amp;", b'&')];
    let rest = &text[at.min(text.len())..];
    let char = |byte, length| Some(Char { byte, length, level: ESCAPED }).filter(|char| char.byte.is_ascii());
    let code = |digits: &[u8], radix| u8::from_str_radix(std::str::from_utf8(digits).ok()?, radix).ok();
    match rest {
        [b'\\', b'x', digits @ ..] => char(code(digits.get(..2)?, 16)?, 4),
        [b'\\', b'u', b'0', b'0', digits @ ..] => char(code(digits.get(..2)?, 16)?, 6),
        [b'&', b'#', digits @ ..] => {
            let length = digits.iter().take(3).take_while(|byte| byte.is_ascii_digit()).count();
            char(code(&digits[..length], 10).filter(|_| digits.get(length) == Some(&b';'))?, length + 3)
        }
        [b'&', ..] => {
            let (name, byte) = NAMED.iter().find(|(name, _)| rest.starts_with(name.as_bytes()))?;
            char(*byte, name.len())
        }
        _ => None,
    }
}

/// Blanks, and what colours a terminal's text, up to here.
pub(super) fn gap(text: &[u8], from: usize, level: usize) -> usize {
    let mut at = from + run(text, from, level, is_blank).1;
    while let Some(codes) = text.get(at..).and_then(|rest| rest.strip_prefix(b"\x1b[")) {
        let length = codes.iter().take(AHEAD).take_while(|byte| byte.is_ascii_digit() || **byte == b';').count();
        if codes.get(length) != Some(&b'm') {
            break;
        }
        at += length + 3;
        at += run(text, at, level, is_blank).1;
    }
    at
}

/// How many characters of a kind stand there, eight at the most, and their length.
pub(super) fn run(text: &[u8], at: usize, level: usize, is: fn(u8) -> bool) -> (usize, usize) {
    let (mut count, mut length) = (0, 0);
    while let Some(char) = char_at(text, at + length).filter(|char| char.level <= level && is(char.byte) && count < 8) {
        count += 1;
        length += char.length;
    }
    (count, length)
}

/// What encodes a character, but for the sign itself: a name behind `%26` does not begin with `26`, nor one behind `\x22` with
/// `x22`.
pub(super) fn code_before(text: &[u8], start: usize, end: usize) -> usize {
    let Some(sign) = start.checked_sub(1).filter(|at| matches!(text[*at], b'%' | b'\\')) else { return 0 };
    char_at(&text[..end], sign).map_or(0, |char| char.length - 1)
}
