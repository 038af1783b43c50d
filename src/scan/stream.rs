//! Reading a text of any length in constant memory, with the tokens in it and where they stand.

use super::find::{Finder, Found, Hit, MAX_TOKEN, Memo};
use super::glance::Glance;
use std::io::{self, Read};

/// Bytes read at once: what is searched and counted is still in the processor's nearest caches. Twice as many cost half as
/// much again in the system.
const CHUNK: usize = 64 << 10;
/// Bytes before a token that stay at hand: its line's beginning, and what carries it.
const BEHIND: usize = 1024;
/// What is kept of the text ends at a multiple of this many bytes, where reading on is fastest.
const ALIGNED: usize = 4096;

/// A token with its place in a text of any length.
#[derive(Debug)]
pub struct Place<'b> {
    /// The token; its spans count in `window`.
    pub hit: &'b Hit,
    /// The bytes at hand: the token, and up to 1 KiB before it.
    pub window: &'b [u8],
    /// Its decoded payload, and what it says, where it had to be read to find the token.
    pub(super) opened: Option<(&'b [u8], Glance)>,
    /// Offset of the token in the text, in bytes.
    pub offset: u64,
    /// Its line, from 1.
    pub line: u64,
    /// Characters between the line's beginning and the token; bytes that are no UTF-8 count as one each, but for those that
    /// look like the middle of a character.
    pub column: u64,
}

impl Place<'_> {
    /// Line breaks within the token, and the characters of its last line up to its end.
    pub fn extent(&self) -> (u64, u64) {
        let token = &self.window[self.hit.span.clone()];
        // Base64url and dots, as nearly every token is.
        if self.hit.is_plain {
            return (0, self.column + token.len() as u64);
        }
        match memchr::memrchr(b'\n', token) {
            None => (0, self.column + characters(token)),
            Some(last) => (line_breaks(token), characters(&token[last + 1..])),
        }
    }
}

/// What of a text was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extent {
    /// Bytes.
    pub bytes: u64,
    /// Line breaks.
    pub lines: u64,
}

fn line_breaks(text: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', text).count() as u64
}

/// Bytes that begin a character of UTF-8.
fn characters(text: &[u8]) -> u64 {
    /// So many are counted in one byte each.
    const BLOCK: usize = u8::MAX as usize;
    let begins = |block: &[u8]| block.iter().map(|byte| u8::from(byte & 0xc0 != 0x80)).sum::<u8>();
    text.chunks(BLOCK).map(|block| u64::from(begins(block))).sum()
}

/// Reads texts one after the other. What it learned about tokens in one serves for the next.
#[derive(Debug)]
pub struct Scanner<'f> {
    finder: &'f Finder,
    memo: Memo,
    buffer: Buffer,
}

impl<'f> Scanner<'f> {
    /// A scanner; it takes no memory before it reads.
    pub fn new(finder: &'f Finder) -> Self {
        Scanner { finder, memo: Memo::default(), buffer: Buffer::default() }
    }

    /// Hands over every token of a text, in order. A text that ends early with an error has been searched up to there.
    pub fn tokens(&mut self, from: impl Read, sink: &mut dyn FnMut(Place<'_>)) -> io::Result<Extent> {
        self.tokens_before(u64::MAX, from, sink)
    }

    /// Hands over every token that begins before an offset, in order; the text is read as far as these need it. The extent
    /// is that of the text before the offset.
    pub fn tokens_before(
        &mut self,
        limit: u64,
        mut from: impl Read,
        sink: &mut dyn FnMut(Place<'_>),
    ) -> io::Result<Extent> {
        let Scanner { finder, memo, buffer } = self;
        *buffer = Buffer { bytes: std::mem::take(&mut buffer.bytes), ..Buffer::default() };
        if buffer.bytes.len() != CHUNK + ALIGNED {
            buffer.bytes = vec![0; CHUNK + ALIGNED];
        }
        loop {
            let filled = buffer.fill(&mut from);
            let last = !matches!(filled, Ok(true));
            buffer.search(finder, memo, limit, last, sink);
            if last || buffer.base + buffer.at as u64 >= limit {
                filled?;
                let end = buffer.end.min(usize::try_from(limit - buffer.base).unwrap_or(usize::MAX));
                let lines = buffer.lines_until(end);
                return Ok(Extent { bytes: buffer.base + end as u64, lines });
            }
            buffer.drop_front();
        }
    }
}

/// Hands over every token of one text, in order.
pub fn tokens(finder: &Finder, from: impl Read, sink: &mut dyn FnMut(Place<'_>)) -> io::Result<Extent> {
    Scanner::new(finder).tokens(from, sink)
}

/// A text that comes piece by piece, for which nobody waits.
#[derive(Debug, Default)]
pub struct Growing(Buffer);

impl Growing {
    /// Takes the next piece, and hands over the tokens that are certain by now.
    pub fn push(&mut self, scanner: &mut Scanner<'_>, mut piece: &[u8], sink: &mut dyn FnMut(Place<'_>)) {
        while !piece.is_empty() {
            // Reading from memory does not fail.
            let _ = self.0.fill(&mut piece);
            self.0.search(scanner.finder, &mut scanner.memo, u64::MAX, false, sink);
            self.0.drop_front();
        }
    }

    /// Hands over what is there of tokens whose end is not certain. More pieces may follow all the same.
    pub fn settle(&mut self, scanner: &mut Scanner<'_>, sink: &mut dyn FnMut(Place<'_>)) {
        self.0.search(scanner.finder, &mut scanner.memo, u64::MAX, true, sink);
        self.0.forget();
        // Many texts may be at rest at a time.
        self.0.bytes.truncate(self.0.end);
        self.0.bytes.shrink_to_fit();
    }
}

/// The stretch of a text that is in memory, and how far it was searched.
#[derive(Debug, Default)]
struct Buffer {
    bytes: Vec<u8>,
    /// Bytes of it that are filled.
    end: usize,
    /// Where the search goes on.
    at: usize,
    /// Line breaks are counted up to here.
    counted: usize,
    /// Line breaks before that.
    lines: u64,
    /// Characters of the line at `counted` before that.
    column: u64,
    /// Offset of the buffer's first byte in the text.
    base: u64,
}

impl Buffer {
    /// Reads on; false at the end of the text.
    fn fill(&mut self, from: &mut impl Read) -> io::Result<bool> {
        if self.end == self.bytes.len() {
            // A token longer than the buffer; the search gives up on it at its longest.
            let longer = (self.bytes.len() * 2).min(MAX_TOKEN + CHUNK + ALIGNED);
            self.bytes.resize(longer.max(self.bytes.len() + CHUNK), 0);
        }
        // A token that goes on is looked at again from its beginning, so twice as much is read each time.
        let room = self.bytes.len().min(self.end + CHUNK.max(self.end - self.at));
        loop {
            match from.read(&mut self.bytes[self.end..room]) {
                Ok(0) => return Ok(false),
                Ok(read) => {
                    self.end += read;
                    return Ok(true);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Hands over the tokens that begin before an offset of the text.
    fn search(&mut self, finder: &Finder, memo: &mut Memo, limit: u64, last: bool, sink: &mut dyn FnMut(Place<'_>)) {
        loop {
            match finder.next_with(memo, &self.bytes[..self.end], self.at, last) {
                Found::Token(hit) => {
                    let start = hit.span.start;
                    if self.base + start as u64 >= limit {
                        self.at = start;
                        return;
                    }
                    let line = self.lines_until(start) + 1;
                    let offset = self.base + start as u64;
                    self.at = hit.span.end.max(start + 1);
                    let (window, opened) = (&self.bytes[..self.end], memo.opened());
                    sink(Place { hit: &hit, window, opened, offset, line, column: self.column });
                }
                Found::Open(from) => {
                    self.at = from;
                    return;
                }
                Found::Nothing => {
                    self.at = self.end;
                    return;
                }
            }
        }
    }

    /// Line breaks of the text before a place in the buffer.
    fn lines_until(&mut self, at: usize) -> u64 {
        let counted = &self.bytes[self.counted..at.max(self.counted)];
        match memchr::memrchr(b'\n', counted) {
            Some(last) => {
                self.lines += line_breaks(counted);
                self.column = characters(&counted[last + 1..]);
            }
            None => self.column += characters(counted),
        }
        self.counted = self.counted.max(at);
        self.lines
    }

    /// Forgets what is searched, except for what stands right before.
    fn drop_front(&mut self) {
        let keep = self.at.saturating_sub(BEHIND);
        // Moving bytes for every short read (a pipe, a growing file) would cost more than the memory.
        if keep < CHUNK / 2 && self.end < self.bytes.len() {
            return;
        }
        self.forget();
    }

    /// The same however little there is.
    fn forget(&mut self) {
        let keep = self.at.saturating_sub(BEHIND);
        self.lines_until(self.at);
        let keep = keep - keep.min((ALIGNED - (self.end - keep) % ALIGNED) % ALIGNED);
        self.bytes.copy_within(keep..self.end, 0);
        self.base += keep as u64;
        self.end -= keep;
        self.at -= keep;
        self.counted -= keep;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan::testing::Slow;
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    fn token() -> String {
        let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
        format!("{}.{}.{}", part(r#"{"alg":"ES256"}"#), part(r#"{"sub":"s"}"#), "T".repeat(86))
    }

    #[test]
    fn places_are_right_whatever_the_reader_gives() {
        let jwt = token();
        let mut text = String::new();
        let mut expected = Vec::new();
        for n in 0..3000u64 {
            if n % 7 == 3 {
                let column = 3 + n % 40;
                expected.push((text.len() as u64 + column, n + 1, column, (0, column + jwt.len() as u64)));
                text += &format!("{:column$}{jwt} and more\n", "", column = column as usize);
            } else {
                text += &format!("line {n} {}\n", "x".repeat((n % 400) as usize));
            }
        }
        let finder = Finder::new().expect("anchors");
        let mut scanner = Scanner::new(&finder);
        for step in [1 << 20, CHUNK, 65_536, 1000, 33] {
            let mut found = Vec::new();
            let read = scanner.tokens(Slow(text.as_bytes(), step), &mut |place| {
                assert_eq!(&place.window[place.hit.span.clone()], jwt.as_bytes());
                found.push((place.offset, place.line, place.column, place.extent()));
            });
            assert_eq!(read.expect("read"), Extent { bytes: text.len() as u64, lines: 3000 });
            assert_eq!(found, expected, "steps of {step}");
        }
    }

    #[test]
    fn columns_count_characters() {
        let jwt = token();
        let wrapped = format!("{}\n{}", &jwt[..60], &jwt[60..]);
        let long = "ä".repeat(CHUNK);
        let finder = Finder::new().expect("anchors");
        for (text, line, column, extent, remark) in [
            (format!("x\näöü {jwt}\n"), 2, 4, (0, 4 + jwt.len() as u64), "two bytes each"),
            (
                format!("{long}{jwt}\n"),
                1,
                CHUNK as u64,
                (0, (CHUNK + jwt.len()) as u64),
                "a line longer than the buffer",
            ),
            (format!("ä {wrapped}\n"), 1, 2, (1, jwt.len() as u64 - 60), "over two lines"),
        ] {
            let mut found = Vec::new();
            let mut sink = |place: Place<'_>| found.push((place.line, place.column, place.extent()));
            tokens(&finder, Slow(text.as_bytes(), 10_001), &mut sink).expect("read");
            assert_eq!(found, [(line, column, extent)], "{remark}");
        }
    }

    #[test]
    fn memory_stays_bounded_by_the_longest_token() {
        let finder = Finder::new().expect("anchors");
        let mut scanner = Scanner::new(&finder);
        // One line of 20 MB that looks like the beginning of a token all the way.
        for (start, remark) in [
            (format!("eyJ{}", "A".repeat(20 << 20)), "a header without end"),
            (format!("{}.eyJ{}", URL_SAFE_NO_PAD.encode(r#"{"alg":"ES256"}"#), "A".repeat(20 << 20)), "a payload"),
            ("eyJ".repeat(7 << 20), "headers only"),
        ] {
            let read = scanner.tokens(start.as_bytes(), &mut |_| ()).expect("read");
            assert_eq!(read.bytes, start.len() as u64);
            assert!(scanner.buffer.bytes.len() <= MAX_TOKEN + 2 * CHUNK, "{remark}: {}", scanner.buffer.bytes.len());
        }
    }

    #[test]
    fn a_text_that_grows_gives_the_same_places() {
        let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
        let jwt = format!("{}.{}.{}", part(r#"{"alg":"ES256"}"#), part(r#"{"sub":"s"}"#), "T".repeat(86));
        let text: String = (0..4000).map(|n| format!("line {n} {} {jwt}\n", "x".repeat(n % 90))).collect();
        let finder = Finder::new().expect("anchors");
        let mut expected = Vec::new();
        let _ = tokens(&finder, text.as_bytes(), &mut |place| expected.push((place.offset, place.line, place.column)));
        assert_eq!(expected.len(), 4000);
        for step in [700, 70_000, 1 << 20] {
            let (mut scanner, mut growing, mut found) = (Scanner::new(&finder), Growing::default(), Vec::new());
            let mut take = |place: Place<'_>| found.push((place.offset, place.line, place.column));
            let mut rest = text.as_bytes();
            while !rest.is_empty() {
                // Quiet comes after whole lines.
                let end = rest[..step.min(rest.len())]
                    .iter()
                    .rposition(|byte| *byte == b'\n')
                    .map_or(rest.len(), |at| at + 1);
                growing.push(&mut scanner, &rest[..end / 2], &mut take);
                growing.push(&mut scanner, &rest[end / 2..end], &mut take);
                growing.settle(&mut scanner, &mut take);
                rest = &rest[end..];
            }
            assert!(found == expected, "steps of {step}");
        }
    }

    #[test]
    fn what_was_read_before_an_error_is_told() {
        struct Broken(bool);
        impl Read for Broken {
            fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
                let text = format!("x {}\n", token());
                match std::mem::replace(&mut self.0, true) {
                    true => Err(io::Error::other("gone")),
                    false => {
                        into[..text.len()].copy_from_slice(text.as_bytes());
                        Ok(text.len())
                    }
                }
            }
        }
        let finder = Finder::new().expect("anchors");
        let mut found = 0;
        assert!(tokens(&finder, Broken(false), &mut |_| found += 1).is_err());
        assert_eq!(found, 1);
    }
}
