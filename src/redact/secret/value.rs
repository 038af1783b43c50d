//! Values: where they begin and end, and what of them is secret.

use super::chars::{ESCAPED, char_at, ends_word, is_blank, is_name, run};
use super::name::is_known;
use super::{Kind, Look, MAX_VALUE, Secret, Tokens};
use crate::percent::Char;
use crate::redact::marker;
use crate::source::secret_names::{Certainty, MAX_NAME, certainty};
use std::ops::Range;

/// Bytes that may still be looked at behind a sign or a quote: the name of a scheme with its blank.
pub(super) const AHEAD: usize = 16;
/// Tokens and markers of one value that are told apart; it ends with the last of them.
const MAX_KNOWN: usize = 16;
/// Values that one may swallow whose closing quote was cut off, so that hostile names cost no more than their length.
const MAX_OPENED: usize = 8;

/// Where a value begins, and how it ends.
pub(super) struct Value {
    pub(super) start: usize,
    /// Without one it ends with the word.
    pub(super) quote: Option<Quote>,
    /// How often its sign is percent-encoded.
    pub(super) level: usize,
    /// Prose may stand here, so that only what looks random counts.
    pub(super) doubtful: bool,
}

/// What closes a value.
#[derive(Clone, Copy)]
pub(super) struct Quote {
    pub(super) mark: u8,
    pub(super) escapes: usize,
    /// How often it is percent-encoded.
    pub(super) level: usize,
}

/// The value that begins here, behind a sign that is so often percent-encoded.
pub(super) fn value_at(text: &[u8], at: usize, level: usize) -> Value {
    // Python: `b'…'`, `u'…'`, `rb'…'`.
    let prefix = text[at..].iter().take(2).take_while(|byte| b"bBuUrRfF".contains(byte)).count();
    let (escapes, length) = run(text, at + prefix, level, |byte| byte == b'\\');
    let quote = char_at(text, at + prefix + length);
    let is_level = |char: &Char| char.level <= level || char.level == ESCAPED;
    match quote.filter(|char| is_level(char) && matches!(char.byte, b'"' | b'\'')) {
        Some(Char { byte: mark, length: closing, level: own }) => {
            let quote = Some(Quote { mark, escapes, level: own });
            Value { start: at + prefix + length + closing, quote, level, doubtful: false }
        }
        None => Value { start: at, quote: None, level, doubtful: false },
    }
}

/// Where words were found not to end, by how often the sign before them is encoded: a name in the value of another ends
/// where that does, and nothing is looked at twice.
#[derive(Default)]
pub(super) struct Ends([Range<usize>; 3]);

impl Ends {
    /// The end of the word that begins here, `limit` at the most; `None` when the text ends before it is certain.
    fn of(&mut self, text: &[u8], start: usize, level: usize, limit: usize, last: bool) -> Option<usize> {
        let known = &mut self.0[level];
        if !(known.start..=known.end).contains(&start) {
            *known = start..start;
        }
        while known.end < limit && !ends(text, known.end, level, last)? {
            known.end += 1;
        }
        Some(known.end.min(limit))
    }
}

/// Does a word end here whose sign is so often encoded? A password may hold a comma, and what is encoded: such signs end it
/// where another name stands behind, and `&` does where it is encoded no more often than the sign was. `None` when the text
/// ends before it is certain.
pub(super) fn ends(text: &[u8], at: usize, level: usize, last: bool) -> Option<bool> {
    let byte = text[at];
    if ends_word(byte) || !b",;|%".contains(&byte) {
        return Some(ends_word(byte));
    }
    if byte == b'%' && !last && text.len() - at < 5 {
        return None;
    }
    let Some(sign) = char_at(text, at).filter(|char| b",;|&".contains(&char.byte)) else { return Some(false) };
    if sign.byte == b'&' && sign.level <= level {
        return Some(true);
    }
    let is_quote = |byte: u8| matches!(byte, b'"' | b'\'');
    let mut at = at + sign.length;
    at += run(text, at, 2, is_blank).1;
    at += run(text, at, 2, is_quote).1;
    let length = text[at..].iter().take(MAX_NAME).take_while(|byte| is_name(**byte)).count();
    let name = at..at + length;
    at += length + run(text, name.end, 2, is_quote).1;
    let assigns = char_at(text, at).is_some_and(|char| matches!(char.byte, b'=' | b':'));
    match !last && text.len() < at + 5 {
        true => None,
        false => Some(assigns && is_known(&text[name])),
    }
}

impl Value {
    /// Its bytes, and whether it was cut for its length; `None` when the text ends before it does.
    pub(super) fn range(&self, text: &[u8], last: bool, ends: &mut Ends) -> Option<(Range<usize>, bool)> {
        let longest = self.start + MAX_VALUE;
        let limit = text.len().min(longest);
        let end = match self.quote {
            Some(quote) => quote.end(text, self.start, limit),
            None => ends.of(text, self.start, self.level, limit, last)?,
        };
        // What stands behind a closing quote says whether it is that.
        let ahead = |quote: Quote| if quote.closes(text, end) { AHEAD } else { 2 * quote.level };
        if end + self.quote.map_or(0, ahead) >= text.len() && !last {
            return None;
        }
        let end = end.min(limit);
        let closing = match self.quote {
            Some(quote) if quote.closes(text, end) => quote.escapes_before(text, self.start..end),
            Some(_) => 0,
            None => text[self.start..end].iter().rev().take(64).take_while(|byte| b",;)]}".contains(byte)).count(),
        };
        Some((self.start..end.saturating_sub(closing).max(self.start), end == longest))
    }
}

impl Quote {
    fn closes(self, text: &[u8], at: usize) -> bool {
        char_at(text, at).is_some_and(|char| char.level == self.level && char.byte == self.mark)
    }

    /// Bytes of the escapes that belong to the closing quote behind a value: inside an escaped text it has its own.
    fn escapes_before(self, text: &[u8], value: Range<usize>) -> usize {
        let length = if self.level == ESCAPED { r"\x5c".len() } else { 1 + 2 * self.level };
        let is_escape = |at: usize| {
            at >= value.start && char_at(text, at).is_some_and(|char| char.byte == b'\\' && char.length == length)
        };
        let escapes = 1..=self.escapes;
        length * escapes.take_while(|count| value.end.checked_sub(count * length).is_some_and(is_escape)).count()
    }

    /// Where the value that begins here ends; beyond the limit it is not looked for.
    fn end(self, text: &[u8], start: usize, limit: usize) -> usize {
        let (mut at, mut opened) = (start, 0);
        while at < limit {
            let byte = text[at];
            let char = if self.level == 0 { None } else { char_at(text, at) };
            let char = char.unwrap_or(Char { byte, length: 1, level: 0 });
            // What is encoded holds no such sign.
            if byte == b'\n' || (char.level != self.level && ends_word(byte)) {
                break;
            }
            match char.level == self.level {
                true if char.byte == self.mark
                    && opened < MAX_OPENED
                    && is_of_another(&text[start..at], text.get(at + char.length..).unwrap_or_default()) =>
                {
                    opened += 1;
                    at += char.length;
                }
                true if char.byte == self.mark => break,
                // What is escaped does not close it.
                true if char.byte == b'\\' && self.escapes == 0 => {
                    let next =
                        if self.level == 0 { Some(1) } else { char_at(text, at + char.length).map(|next| next.length) };
                    at += char.length + next.unwrap_or(1);
                }
                _ => at += char.length,
            }
        }
        at
    }
}

/// Does a quote between these close the name of another secret, or open its value? What stands before was cut off then, with
/// its closing quote.
fn is_of_another(before: &[u8], behind: &[u8]) -> bool {
    let names = |before: &[u8]| {
        let name = before.iter().rev().take(MAX_NAME).take_while(|byte| is_name(**byte)).count();
        certainty(&before[before.len() - name..]) != Certainty::No
    };
    let blanks = behind.iter().take(AHEAD / 2).take_while(|byte| is_blank(**byte)).count();
    if matches!(behind.get(blanks), Some(b'=' | b':')) {
        return names(before);
    }
    let Some((b'=' | b':', before)) = before.trim_ascii_end().split_last() else { return false };
    let before = before.trim_ascii_end();
    names(before.strip_suffix(b"\"").or(before.strip_suffix(b"'")).unwrap_or(before))
}

/// What of a value is secret beside its tokens, and beside what stands in place of something: where one part is, every one,
/// so that no name within it is left to be found the next time. A value without quotes that begins with a token or a marker
/// is that, and ends with it.
pub(super) fn secret(
    kind: Kind,
    text: &[u8],
    value: Range<usize>,
    quoted: bool,
    cut: bool,
    tokens: Tokens<'_>,
    hides: impl Fn(&[u8]) -> bool,
) -> Look {
    let first = tokens.hits.partition_point(|hit| hit.span.end <= value.start);
    let within = tokens.hits[first..].iter().take_while(|hit| hit.span.start < value.end);
    let mut hits = within.map(|hit| hit.span.clone()).peekable();
    let mark_behind = |at: usize| {
        let found = memchr::memmem::find(text.get(at..value.end)?, crate::redact::MARK.as_bytes())?;
        Some(at + found..at + found + marker::length(&text[at + found..value.end]))
    };
    let mut mark = mark_behind(value.start);
    let (mut parts, mut hidden, mut at, mut known) = (Vec::new(), false, value.start, 0);
    loop {
        let next = match (hits.peek(), &mark) {
            (Some(hit), Some(mark)) if mark.start < hit.start => Some(mark.clone()),
            (Some(_), _) => hits.next(),
            (None, mark) => mark.clone(),
        };
        let gap = at..next.as_ref().map_or(value.end, |next| next.start.max(at));
        let part = match (known, &next) {
            (0, None) => gap,
            _ => without_signs(text, gap, known > 0, next.is_some()),
        };
        let empty = part.is_empty();
        if !empty {
            hidden |= hides(&text[part.clone()]);
            parts.push(part);
        }
        let Some(next) = next else { break };
        known += 1;
        at = next.end.max(at);
        if mark.as_ref().is_some_and(|mark| mark.start < at) {
            mark = mark_behind(at);
        }
        let goes_on = text[..value.end].get(at).is_some_and(u8::is_ascii_alphanumeric);
        if known >= MAX_KNOWN || (known == 1 && empty && !quoted && !goes_on) {
            break;
        }
    }
    match parts.last().map(|part| part.end).filter(|_| hidden) {
        None => Look::No,
        Some(end) => Look::Secret(Secret { kind, parts, end, cut: cut && end == value.end }),
    }
}

/// A stretch beside a token or a marker, without the signs that separate them.
fn without_signs(text: &[u8], part: Range<usize>, front: bool, back: bool) -> Range<usize> {
    let Range { mut start, mut end } = part;
    while front && let Some(char) = char_at(&text[..end], start).filter(|char| !char.byte.is_ascii_alphanumeric()) {
        start += char.length;
    }
    while back && start < end {
        let sign = [5, 3, 1].into_iter().find(|length| {
            let char = (end - start).checked_sub(*length).and_then(|_| char_at(&text[..end], end - length));
            char.is_some_and(|char| char.length == *length && !char.byte.is_ascii_alphanumeric())
        });
        let Some(length) = sign else { break };
        end -= length;
    }
    start..end
}
