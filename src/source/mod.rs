//! Sources: named, decoded text with byte spans, line positions and a masked view.
//!
//! A [`Source`] is the only owner of input text. Everything later in the flow points into it with
//! [`Span`]s; renderers never see the text itself, only what [`mask`] lets through.

mod lines;
pub mod mask;
mod region;
pub mod secret_names;

pub use lines::{LineIndex, Position};
pub use region::Region;

use smol_str::SmolStr;
use std::sync::OnceLock;

/// Largest input that is held in memory, in bytes (1 GiB); larger files are refused with a located error.
pub const MAX_SOURCE_BYTES: u64 = 1 << 30;

/// A half-open byte range `start..end` in one [`Source`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// Offset of the first byte.
    pub start: u32,
    /// Offset one past the last byte; equal to `start` for an empty span.
    pub end: u32,
}

impl Span {
    /// The range `start..end`; an `end` before `start` gives an empty span at `start`.
    pub fn new(start: usize, end: usize) -> Self {
        let start = start as u32;
        Span { start, end: (end as u32).max(start) }
    }

    /// Number of bytes covered.
    pub fn len(self) -> usize {
        (self.end - self.start) as usize
    }

    /// True when no byte is covered.
    pub fn is_empty(self) -> bool {
        self.start == self.end
    }

    /// The span as an index range.
    pub fn range(self) -> std::ops::Range<usize> {
        self.start as usize..self.end as usize
    }
}

/// Named UTF-8 text. Offsets count bytes of the text as it lies on disk, a byte order mark included.
#[derive(Debug)]
pub struct Source {
    name: SmolStr,
    anchor: Option<String>,
    open_to_all: Option<bool>,
    quoted: bool,
    text: Box<str>,
    lines: OnceLock<LineIndex>,
    origin: Origin,
}

/// Where in a file a text begins that is a part of it. Spans count from there; line, column and offset, as users see them,
/// from the file's first byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Bytes before it.
    pub byte: u64,
    /// Line and column of its first character.
    pub position: Position,
}

impl Default for Origin {
    fn default() -> Self {
        Origin { byte: 0, position: Position { line: 1, column: 1 } }
    }
}

impl Origin {
    /// Where the text goes on behind a part that begins here.
    pub fn behind(self, part: &str) -> Self {
        let lines = memchr::memchr_iter(b'\n', part.as_bytes()).count() as u32;
        let last = part.rsplit('\n').next().unwrap_or_default().chars().count() as u32;
        let Position { line, column } = self.position;
        let column = if lines == 0 { column + last } else { last + 1 };
        Origin { byte: self.byte + part.len() as u64, position: Position { line: line + lines, column } }
    }
}

/// Why bytes could not become a [`Source`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecodeError {
    /// What is wrong and what to do about it.
    pub message: String,
    /// Offset of the first byte that is wrong.
    pub offset: usize,
    /// Line and column of that byte, both from 1.
    pub position: Position,
}

impl Source {
    /// Wraps text that is already UTF-8 (stdin of an embedder, fixtures, decoded values).
    pub fn from_text(name: impl Into<SmolStr>, text: impl Into<Box<str>>) -> Self {
        let (text, lines, origin) = (text.into(), OnceLock::new(), Origin::default());
        Source { name: name.into(), anchor: None, open_to_all: None, quoted: true, text, lines, origin }
    }

    /// Another part of the same file.
    pub fn part(&self, text: impl Into<Box<str>>, origin: Origin) -> Self {
        let (name, anchor, open_to_all) = (self.name.clone(), self.anchor.clone(), self.open_to_all);
        Source { name, anchor, open_to_all, quoted: self.quoted, text: text.into(), lines: OnceLock::new(), origin }
    }

    /// Where the text begins in its file.
    pub fn origin(&self) -> Origin {
        self.origin
    }

    /// Decodes file content. UTF-8 with or without a byte order mark is accepted; UTF-16, UTF-32,
    /// NUL bytes and invalid UTF-8 are errors that name the first offending byte.
    pub fn from_bytes(name: impl Into<SmolStr>, bytes: Vec<u8>) -> Result<Self, DecodeError> {
        let wide = match bytes.as_slice() {
            [0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..] => Some("UTF-32"),
            [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => Some("UTF-16"),
            [0, b, ..] | [b, 0, ..] if *b != 0 => Some("UTF-16 without a byte order mark"),
            _ => None,
        };
        if let Some(encoding) = wide {
            return Err(DecodeError {
                message: format!("the file is {encoding}; convert it to UTF-8 (for example with iconv)"),
                offset: 0,
                position: Position { line: 1, column: 1 },
            });
        }
        let nul = memchr::memchr(0, &bytes);
        let text = match String::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => {
                let offset = error.utf8_error().valid_up_to();
                let bytes = error.into_bytes();
                let valid = String::from_utf8_lossy(&bytes[..offset]);
                return Err(DecodeError {
                    message: format!("byte 0x{:02x} is not valid UTF-8; convert the file to UTF-8", bytes[offset]),
                    offset,
                    position: LineIndex::new(&valid).position(&valid, offset),
                });
            }
        };
        if let Some(offset) = nul {
            return Err(DecodeError {
                message: "NUL byte: this is not a text file, or it was truncated while being written".into(),
                offset,
                position: LineIndex::new(&text).position(&text, offset),
            });
        }
        Ok(Source::from_text(name, text))
    }

    /// The name shown to users: a path with `/` separators, or `<stdin>`.
    pub fn name(&self) -> &SmolStr {
        &self.name
    }

    /// Gives the source the path that identifies it across runs: relative to the policy's folder, however and from
    /// wherever the file was named.
    pub fn anchored(self, path: impl Into<String>) -> Self {
        Source { anchor: Some(path.into()), ..self }
    }

    /// The path that identifies the source across runs; its name unless [`Source::anchored`] gave another.
    pub fn anchor(&self) -> &str {
        self.anchor.as_deref().unwrap_or(&self.name)
    }

    /// Says whether every user of the machine may read the file where it lies.
    pub fn opened_to_all(self, open: Option<bool>) -> Self {
        Source { open_to_all: open, ..self }
    }

    /// Whether every user of the machine may read the file where it lies; `None` when nobody knows, or when it does not
    /// matter (a checkout, standard input).
    pub fn open_to_all(&self) -> Option<bool> {
        self.open_to_all
    }

    /// Says that no report quotes lines of it, so that nobody looks for the secrets in them: views of it hide everything.
    pub fn unquoted(self) -> Self {
        Source { quoted: false, ..self }
    }

    /// May reports quote lines of it? They may unless [`Source::unquoted`] says otherwise.
    pub fn is_quoted(&self) -> bool {
        self.quoted
    }

    /// The whole text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The text under a span; empty when the span does not lie on character boundaries inside the text.
    pub fn slice(&self, span: Span) -> &str {
        self.text.get(span.range()).unwrap_or("")
    }

    /// Line and column in the file of a byte offset in the text (built on first use: only findings need it).
    pub fn position(&self, offset: usize) -> Position {
        let Position { line, column } = self.line_index().position(&self.text, offset);
        let first = self.origin.position;
        Position { line: line + (first.line - 1), column: if line == 1 { column + (first.column - 1) } else { column } }
    }

    /// The line table.
    pub fn line_index(&self) -> &LineIndex {
        self.lines.get_or_init(|| LineIndex::new(&self.text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_what_is_not_utf8_and_says_where() {
        let utf16: Vec<u8> = [0xff, 0xfe].into_iter().chain("{}".encode_utf16().flat_map(u16::to_le_bytes)).collect();
        assert!(Source::from_bytes("a", utf16).unwrap_err().message.contains("UTF-16"));
        let error = Source::from_bytes("a", b"ok\nb\xffd".to_vec()).unwrap_err();
        assert_eq!((error.offset, error.position), (4, Position { line: 2, column: 2 }));
        let error = Source::from_bytes("a", b"ok\n\0".to_vec()).unwrap_err();
        assert_eq!(error.position, Position { line: 2, column: 1 });
        assert_eq!(Source::from_bytes("a", "\u{feff}x".into()).unwrap().text().len(), 4);
    }
}
