//! Private keys in PEM.

use super::looks::VERY_RANDOM;
use super::{Look, MAX_VALUE, key};
use std::ops::Range;

/// What the line that opens a key or a certificate begins with.
pub(super) const BEGIN: &str = "-----BEGIN";
/// What every line before or behind a key or a certificate begins with.
const DASHES: &[u8] = b"-----";
/// Characters of base64 that no word has in a row.
const KEY_LINE: usize = 40;

/// The label behind `-----BEGIN`, with the blank before it, when it is that of a private key; an error when the text ends before
/// that is certain.
fn key_label(text: &[u8], at: usize, last: bool) -> Result<Option<&[u8]>, ()> {
    /// The longest is ` ENCRYPTED PRIVATE KEY`, with its blanks encoded and the dashes.
    const LONGEST: usize = 40;
    let label = &text[at.min(text.len())..text.len().min(at + LONGEST)];
    let Some(end) = memchr::memmem::find(label, DASHES) else {
        return if !last && label.len() < LONGEST { Err(()) } else { Ok(None) };
    };
    let label = &label[..end];
    let of_key = [" PRIVATE KEY", "%20PRIVATE%20KEY", "+PRIVATE+KEY"].iter().any(|key| label.ends_with(key.as_bytes()));
    Ok(Some(label).filter(|label| of_key && !label[0].is_ascii_alphanumeric()))
}

/// A value without the private key whose first line it ends with: the key is found by itself. `None` when the text ends before
/// that is certain.
pub(super) fn before_key(text: &[u8], value: Range<usize>, last: bool) -> Option<Range<usize>> {
    /// Bytes of the end of a value among which that line is looked for.
    const LINE: usize = 64;
    let tail = value.start.max(value.end.saturating_sub(LINE));
    let Some(at) = memchr::memmem::rfind(&text[tail..value.end], BEGIN.as_bytes()) else { return Some(value) };
    let key = tail + at;
    let label = key_label(text, key + BEGIN.len(), last).ok()?;
    Some(if label.is_some() { value.start..key } else { value })
}

/// What stands between the lines that open and close a private key.
pub(super) fn private_key(text: &[u8], end: usize, last: bool) -> Look {
    let label = match key_label(text, end, last) {
        Ok(Some(label)) => label,
        Ok(None) => return Look::No,
        Err(()) => return Look::Open,
    };
    let start = end + label.len() + DASHES.len();
    let window = &text[start..text.len().min(start + MAX_VALUE)];
    let is_border = |at: &usize| {
        let word = &window[at + DASHES.len()..];
        word.starts_with(b"BEGIN") || word.starts_with(b"END")
    };
    let border = memchr::memmem::find_iter(window, DASHES).find(is_border);
    if border.is_none() && !last && window.len() < MAX_VALUE {
        return Look::Open;
    }
    let body = &window[..border.unwrap_or(window.len())];
    if body.trim_ascii_start().starts_with(crate::redact::MARK.as_bytes()) {
        return Look::No;
    }
    let closes = window[body.len()..].strip_prefix(b"-----END").is_some_and(|rest| rest.starts_with(label));
    let length = if closes && is_key_text(body) { body.len() } else { key_lines(body) };
    if length == 0 { Look::No } else { key(start..start + length) }
}

/// Base64, and what line breaks in it may be written with.
fn in_key(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"+/=\\%".contains(&byte)
}

/// Is most of it base64, or is it too short to tell? A line may only speak of a key, and another one of its end.
fn is_key_text(body: &[u8]) -> bool {
    /// A shorter text is a key when it has letters enough.
    const SHORT: usize = 128;
    let runs = body.split(|byte| !in_key(*byte)).map(<[u8]>::len);
    let long: usize = runs.filter(|run| *run >= KEY_LINE).sum();
    let letters = body.iter().filter(|byte| byte.is_ascii_alphanumeric()).count();
    letters >= VERY_RANDOM && (body.len() <= SHORT || long * 4 >= body.len())
}

/// How far a key goes that was cut off: as long as its lines follow each other, each in the same place of its line.
fn key_lines(body: &[u8]) -> usize {
    // Between two pieces of one line: a blank, or a line break that is written as `\n` and so part of a piece.
    let piece = |text: &[u8]| text.iter().take_while(|byte| in_key(**byte)).count();
    let (mut end, mut at, mut column) = (0, 0, None);
    for (number, line) in body.split_inclusive(|byte| *byte == b'\n').enumerate() {
        let start = at;
        at += line.len();
        let line = line.trim_ascii_end();
        if number == 0 {
            // Behind the line that opens it, all of it may stand in one line.
            let mut from = line.len() - line.trim_ascii_start().len();
            while let length @ VERY_RANDOM.. = piece(&line[from..]) {
                end = from + length;
                from = line.len().min(end + 1);
            }
            let is_prose = end == 0 && line.trim_ascii_start().first().is_some_and(u8::is_ascii_alphanumeric);
            if is_prose || (end > 0 && end < line.len()) {
                break;
            }
            continue;
        }
        let least = |column: usize| if column == 0 { VERY_RANDOM } else { KEY_LINE };
        let first = || {
            let mut from = 0;
            while from < line.len() {
                match piece(&line[from..]) {
                    length if length >= least(from) => return Some(from),
                    length => from += length + 1,
                }
            }
            None
        };
        let Some(from) = column.or_else(first) else {
            let heads =
                [&b"Proc-Type:"[..], b"DEK-Info:"].iter().any(|head| memchr::memmem::find(line, head).is_some());
            if heads || line.is_empty() {
                continue;
            }
            break;
        };
        let rest = line.get(from..).unwrap_or_default();
        let length = piece(rest);
        // The last line is shorter, and no word of a sentence.
        let is_last = length < least(from);
        if length == 0 || (is_last && rest.get(length).is_some_and(|byte| !b"\"'<".contains(byte))) {
            break;
        }
        (end, column) = (start + from + length, Some(from));
        if is_last {
            break;
        }
    }
    end
}
