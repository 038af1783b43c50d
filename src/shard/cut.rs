//! Where a large text may be cut, so that its pieces are searched apart and nothing is lost or found twice.
//!
//! A piece begins at the beginning of a line before which every token has ended, whatever the search may have found or left
//! out before: then a search that begins there finds what a search from the beginning of the text finds there. A piece ends
//! where the next begins, and the search looks beyond for what the tokens in it need. Whoever knows the text finds the same
//! places, so nobody has to tell anybody else.

use crate::scan::find::{Finder, MAX_TOKEN};
use std::io::{self, Read, Seek, SeekFrom};

/// No token, and nothing that looks like one, goes on for more bytes: the longest token, and what is read at a time.
const FAR: u64 = MAX_TOKEN as u64 + (256 << 10);
/// Bytes in which a place is looked for at a time.
const STEP: u64 = 1 << 20;
/// Bytes behind them that show what goes on there.
const AHEAD: u64 = 64 << 10;
/// Places in one word that are looked at; a word with more may belong to anything.
const MOST: u32 = 64;
/// Bytes that looks in one step may go over; beyond, the text is not cut there.
const WORK: u64 = 256 << 20;

/// The first place at or behind `near` where a text of `length` bytes may be cut; `length` when there is none.
pub fn place(finder: &Finder, text: &mut (impl Read + Seek), length: u64, near: u64) -> io::Result<u64> {
    if near == 0 {
        return Ok(0);
    }
    let mut from = near;
    while from < length {
        // The line break before `from` may be the one.
        let begin = (from - 1).saturating_sub(FAR);
        let until = length.min(from + STEP);
        let end = length.min(until + AHEAD);
        text.seek(SeekFrom::Start(begin))?;
        let mut window = Vec::with_capacity(usize::try_from(end - begin).unwrap_or(0));
        text.by_ref().take(end - begin).read_to_end(&mut window)?;
        let inside = |at: u64| usize::try_from(at - begin).unwrap_or(usize::MAX).min(window.len());
        if let Some(at) = within(finder, &window, inside(from), inside(until)) {
            return Ok(begin + at as u64);
        }
        from = until;
    }
    Ok(length)
}

/// The first such place in a stretch of a window: at least `from`, less than `until`.
fn within(finder: &Finder, window: &[u8], from: usize, until: usize) -> Option<usize> {
    let mut candidates =
        memchr::memchr_iter(b'\n', &window[from - 1..until.saturating_sub(1).max(from - 1)]).map(|at| from + at);
    let mut next = candidates.next()?;
    let (mut reached, mut work, mut found) = (0, 0, None);
    finder.reaches(window, MOST, &mut |start, end| {
        // Everything that begins before the candidate is known.
        while next <= start {
            if reached <= next {
                found = Some(next);
                return false;
            }
            match candidates.next() {
                Some(another) => next = another,
                None => return false,
            }
        }
        let end = end.unwrap_or(start + FAR as usize);
        work += (end.max(start) - start) as u64;
        reached = reached.max(if work > WORK { usize::MAX } else { end });
        true
    });
    let rest = std::iter::once(next).chain(candidates);
    found.or_else(|| rest.into_iter().find(|candidate| reached <= *candidate && *candidate < until))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    fn places(text: &str) -> Vec<u64> {
        let finder = Finder::new().expect("anchors");
        let length = text.len() as u64;
        let at = |near| place(&finder, &mut Cursor::new(text.as_bytes()), length, near).expect("memory");
        let mut places: Vec<u64> = (0..=length).map(at).collect();
        assert!(places.is_sorted());
        places.dedup();
        places
    }

    #[test]
    fn lines_are_cut_between_and_tokens_are_not() {
        use base64::Engine as _;
        use base64::engine::general_purpose::URL_SAFE_NO_PAD;
        let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
        let jwt = format!("{}.{}.{}", part(r#"{"alg":"ES256"}"#), part(r#"{"sub":"s"}"#), "T".repeat(86));
        let wrapped = format!("{}\n{}", &jwt[..60], &jwt[60..]);
        assert_eq!(places("a\nbc\n\nd"), [0, 2, 5, 6, 7], "lines");
        assert_eq!(places("no line break at all"), [0, 20]);
        assert_eq!(
            places(&format!("{jwt}\n{jwt}\n")),
            [0, jwt.len() as u64 + 1, 2 * jwt.len() as u64 + 2],
            "bare tokens"
        );
        let end = "z".repeat(100);
        let text = format!("x\n> {wrapped}\ny\n{end}");
        let length = text.len() as u64;
        assert_eq!(places(&text), [0, 2, length - 102, length - 100, length], "a wrapped token is whole");
        let sealed = "-----BEGIN SEALED CIPHER-----\nabc\n-----END SEALED CIPHER-----\n-----BEGIN SEALED ENVELOPE-----\nx\n-----END SEALED ENVELOPE-----\n";
        assert_eq!(
            places(&format!("{sealed}y")),
            [0, sealed.len() as u64, sealed.len() as u64 + 1],
            "so is an envelope"
        );
    }

    #[test]
    fn a_place_that_is_far_is_found() {
        let long = "x ".repeat(2 << 20);
        let text = format!("{long}\n{long}\nend\n");
        let finder = Finder::new().expect("anchors");
        let mut at = Cursor::new(text.as_bytes());
        let length = text.len() as u64;
        let line = long.len() as u64 + 1;
        for (near, expected) in
            [(1, line), (line, line), (line + 1, 2 * line), (2 * line + 1, length), (length, length)]
        {
            assert_eq!(place(&finder, &mut at, length, near).expect("memory"), expected, "{near}");
        }
    }
}
