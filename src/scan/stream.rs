//! Reading a text of any length in constant memory, with the tokens in it and where they stand.

use super::find::{Finder, Found, Hit, MAX_TOKEN};
use std::io::{self, Read};

/// Bytes read at once.
const CHUNK: usize = 256 << 10;
/// Bytes before a token that stay at hand: its line's beginning, and what carries it.
const BEHIND: usize = 1024;

/// A token with its place in a text of any length.
pub struct Place<'b> {
    /// The token; its spans count in `window`.
    pub hit: &'b Hit,
    /// The bytes at hand: the token, and up to 1 KiB before it.
    pub window: &'b [u8],
    /// Offset of the token in the text, in bytes.
    pub offset: u64,
    /// Its line, from 1.
    pub line: u64,
    /// Bytes between the line's beginning and the token.
    pub column: u64,
}

/// What of a text was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extent {
    /// Bytes.
    pub bytes: u64,
    /// Line breaks.
    pub lines: u64,
}

/// Hands over every token of a text, in order.
pub fn tokens(finder: &Finder, mut from: impl Read, sink: &mut dyn FnMut(Place<'_>)) -> io::Result<Extent> {
    let mut buffer =
        Buffer { bytes: vec![0; CHUNK + BEHIND], end: 0, at: 0, counted: 0, lines: 0, line_start: 0, base: 0 };
    loop {
        let last = !buffer.fill(&mut from)?;
        buffer.search(finder, last, sink);
        if last {
            let lines = buffer.lines_until(buffer.end);
            return Ok(Extent { bytes: buffer.base + buffer.end as u64, lines });
        }
        buffer.drop_front();
    }
}

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
    /// Offset of the beginning of the line at `counted`, in the text.
    line_start: u64,
    /// Offset of the buffer's first byte in the text.
    base: u64,
}

impl Buffer {
    /// Reads on; false at the end of the text.
    fn fill(&mut self, from: &mut impl Read) -> io::Result<bool> {
        if self.end == self.bytes.len() {
            // A token longer than the buffer; the search gives up on it at its longest.
            let longer = (self.bytes.len() * 2).min(MAX_TOKEN + CHUNK + BEHIND);
            self.bytes.resize(longer.max(self.bytes.len() + CHUNK), 0);
        }
        loop {
            match from.read(&mut self.bytes[self.end..]) {
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

    fn search(&mut self, finder: &Finder, last: bool, sink: &mut dyn FnMut(Place<'_>)) {
        loop {
            match finder.next(&self.bytes[..self.end], self.at, last) {
                Found::Token(hit) => {
                    let start = hit.span.start;
                    let lines = self.lines_until(start);
                    let offset = self.base + start as u64;
                    let (line, column) = (lines + 1, offset - self.line_start);
                    self.at = hit.span.end.max(start + 1);
                    sink(Place { hit: &hit, window: &self.bytes[..self.end], offset, line, column });
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
        self.lines += memchr::memchr_iter(b'\n', counted).count() as u64;
        if let Some(found) = memchr::memrchr(b'\n', counted) {
            self.line_start = self.base + (self.counted + found) as u64 + 1;
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
        self.lines_until(self.at);
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
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    /// A reader that hands out a few bytes at a time.
    struct Slow<'t>(&'t [u8], usize);

    impl Read for Slow<'_> {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            let take = self.1.min(self.0.len()).min(into.len());
            into[..take].copy_from_slice(&self.0[..take]);
            self.0 = &self.0[take..];
            Ok(take)
        }
    }

    #[test]
    fn places_are_right_whatever_the_reader_gives() {
        let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
        let jwt = format!("{}.{}.{}", part(r#"{"alg":"ES256"}"#), part(r#"{"sub":"s"}"#), "T".repeat(86));
        let mut text = String::new();
        let mut expected = Vec::new();
        for n in 0..3000u64 {
            if n % 7 == 3 {
                let column = 3 + n % 40;
                expected.push((text.len() as u64 + column, n + 1, column));
                text += &format!("{:column$}{jwt} and more\n", "", column = column as usize);
            } else {
                text += &format!("line {n} {}\n", "x".repeat((n % 400) as usize));
            }
        }
        let finder = Finder::new().expect("anchors");
        for step in [1 << 20, CHUNK, 65_536, 1000, 33] {
            let mut found = Vec::new();
            let read = tokens(&finder, Slow(text.as_bytes(), step), &mut |place| {
                assert_eq!(&place.window[place.hit.span.clone()], jwt.as_bytes());
                found.push((place.offset, place.line, place.column));
            });
            assert_eq!(read.expect("read"), Extent { bytes: text.len() as u64, lines: 3000 });
            assert_eq!(found, expected, "steps of {step}");
        }
    }

    #[test]
    fn memory_stays_bounded_by_the_longest_token() {
        // One line of 20 MB that looks like the beginning of a token all the way.
        let start = format!("eyJ{}", "A".repeat(20 << 20));
        let finder = Finder::new().expect("anchors");
        let mut found = 0;
        let read = tokens(&finder, start.as_bytes(), &mut |_| found += 1).expect("read");
        assert_eq!((found, read.bytes), (0, start.len() as u64));
    }
}
