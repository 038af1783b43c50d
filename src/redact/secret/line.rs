//! What is a secret because of what stands before it in its line: the response of a `Digest` header, the option of `curl`.

use super::chars::is_name;
use super::looks::{VERY_RANDOM, is_harmless, is_random};
use super::name::named;
use super::value::{AHEAD, Ends, secret, value_at};
use super::{Kind, Look, Tokens};
use std::ops::Range;

/// What stands before in the same line, as far as the header or the command may begin there.
fn line_before(text: &[u8], at: usize) -> &[u8] {
    /// In bytes.
    const REACH: usize = 1024;
    let before = &text[at.saturating_sub(REACH)..at];
    &before[memchr::memrchr(b'\n', before).map_or(0, |at| at + 1)..]
}

/// The response of a `Digest` header, by which a password can be guessed; its other members name the user and the request.
pub(super) fn digest(text: &[u8], word: Range<usize>, last: bool, tokens: Tokens<'_>, ends: &mut Ends) -> Look {
    let line = line_before(text, word.start);
    let begins = |word: &[u8]| memchr::memmem::find(line, word).is_some();
    if line.last().is_some_and(|byte| is_name(*byte)) || !(begins(b"Digest ") || begins(b"digest ")) {
        return Look::No;
    }
    if !last && text.len() < word.end + AHEAD {
        return Look::Open;
    }
    let value = value_at(text, word.end, 0);
    let Some((span, cut)) = value.range(text, last, ends) else { return Look::Open };
    if span.end > tokens.until {
        return Look::Open;
    }
    let hides = |part: &[u8]| part.len() >= VERY_RANDOM && is_random(part);
    secret(Kind::Header, text, span, value.quote.is_some(), cut, tokens, hides)
}

/// `curl -u user:password`; another option with such a name is one of those that name their secret.
pub(super) fn user(text: &[u8], option: Range<usize>, last: bool, tokens: Tokens<'_>, ends: &mut Ends) -> Look {
    if !last && text.len() < option.end + AHEAD {
        return Look::Open;
    }
    let start = match text.get(option.end) {
        _ if text[option.clone()].ends_with(b" ") => option.end,
        Some(b' ' | b'=') => option.end + 1,
        _ => return named(text, option.start, option.end, last, tokens, ends),
    };
    if memchr::memmem::find(line_before(text, option.start), b"curl").is_none() {
        return Look::No;
    }
    let value = value_at(text, start, 0);
    let Some((span, cut)) = value.range(text, last, ends) else { return Look::Open };
    if span.end > tokens.until {
        return Look::Open;
    }
    let Some(colon) = memchr::memchr(b':', &text[span.clone()]) else { return Look::No };
    let password = span.start + colon + 1..span.end;
    secret(Kind::Named, text, password, value.quote.is_some(), cut, tokens, |part| !is_harmless(b"", part))
}
