//! What the readers of line-based configuration share: physical lines and words, with their places.

use super::ParseError;
use crate::source::Span;

/// A tree as far as it could be read, and the lines that could not.
pub(super) type Read = (super::Tree, Vec<ParseError>);

/// Lines that one file may get wrong before its reader gives up: such a file is of another format.
pub(super) const MAX_ERRORS: usize = 20;

/// One physical line, without its line break.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// Offset of its first byte.
    pub(super) start: usize,
    /// Offset behind its last byte; a carriage return before the line break does not count.
    pub(super) end: usize,
    /// True for the rest of a line that the product cuts, see [`lines`].
    pub(super) rest: bool,
}

impl Line {
    /// Its text.
    pub(super) fn text(self, text: &str) -> &str {
        &text[self.start..self.end]
    }

    /// The span of its text without blanks at either end; empty at the line's start when there is nothing else.
    pub(super) fn trimmed(self, text: &str) -> Span {
        trim(text, Span::new(self.start, self.end))
    }
}

/// The physical lines of a text, a byte order mark left out. Products that read into a buffer of fixed size take what
/// is behind `limit` bytes of a line (its line break counts) for another line; they get a `Line` of its own.
pub(super) fn lines(text: &str, limit: Option<usize>) -> impl Iterator<Item = Line> + '_ {
    let mut at = 0;
    let mut rest = false;
    // The mark takes part of the first buffer.
    let mut skip = if text.starts_with('\u{feff}') { 3 } else { 0 };
    std::iter::from_fn(move || {
        if at >= text.len() {
            return None;
        }
        let line_end = memchr::memchr(b'\n', &text.as_bytes()[at..]).map_or(text.len(), |found| at + found);
        let room = limit.map_or(usize::MAX, |limit| at + limit);
        let (end, next, cut) = match room <= line_end && room < text.len() {
            // Bytes are cut, but a span ends at a character; the few bytes more make no difference to any key.
            true => {
                let end = (room..=text.len()).find(|&end| text.is_char_boundary(end)).unwrap_or(text.len());
                (end, end, end < line_end)
            }
            false => (line_end, line_end + 1, false),
        };
        let bare = text[at..end].strip_suffix('\r').map_or(end, |bare| at + bare.len());
        let line = Line { start: (at + skip).min(bare), end: bare, rest };
        // A line break that just did not fit makes an empty line, which is nothing.
        (at, rest, skip) = (next, cut, 0);
        Some(line)
    })
}

/// A span without the blanks at either end of its text.
pub(super) fn trim(text: &str, span: Span) -> Span {
    let slice = &text[span.range()];
    let start = span.start as usize + (slice.len() - slice.trim_start().len());
    Span::new(start, start + slice.trim().len())
}

/// The error for a NUL byte, which every product reads differently; `None` when there is none.
pub(super) fn nul(text: &str) -> Option<ParseError> {
    let at = memchr::memchr(0, text.as_bytes())?;
    Some(ParseError::at(at, "a NUL byte: the file is damaged, or no text; restore it from where it was made"))
}

/// The error for a template that nobody rendered yet: some line starts with a directive of its engine. Placeholders
/// within a line leave the other lines readable, and are none.
pub(super) fn template(text: &str) -> Option<ParseError> {
    let mut offset = 0;
    for line in text.split_inclusive('\n') {
        let bare = line.trim_start();
        if bare.starts_with("{{") || bare.starts_with("{%") || bare.starts_with("<%") {
            let message = "this is an unrendered template (Helm, Jinja or Go); render it and check the result";
            return Some(ParseError::at(offset + line.len() - bare.len(), message));
        }
        offset += line.len();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_are_told_from_placeholders() {
        for (text, expected, remark) in [
            ("[Global]\n{{- if .Audience}}\n", Some(9), "Go"),
            ("  {% if x %}\n", Some(2), "Jinja"),
            ("all.sitename {{.Sitename}}\n", None, "a value"),
            ("# {{ x }}\n", None, "a comment"),
        ] {
            assert_eq!(template(text).map(|error| error.span.start), expected, "{remark}");
        }
    }

    #[test]
    fn lines_are_cut_where_the_product_cuts_them() {
        for (text, limit, expected, remark) in [
            ("a\r\nb\n", None, vec!["a", "b"], "both line breaks"),
            ("a\n\nb", None, vec!["a", "", "b"], "blank line, no line break at the end"),
            ("\u{feff}a\nb", None, vec!["a", "b"], "byte order mark"),
            ("abcdef\ng\n", Some(4), vec!["abcd", "ef", "g"], "a line over the limit"),
            ("abcd\ne\n", Some(4), vec!["abcd", "", "e"], "the line break is what does not fit"),
            ("abc\ne\n", Some(4), vec!["abc", "e"], "it just fits"),
            ("abé\n", Some(3), vec!["abé", ""], "never within a character"),
            ("", None, vec![], "nothing"),
        ] {
            let got: Vec<&str> = lines(text, limit).map(|line| line.text(text)).collect();
            assert_eq!(got, expected, "{remark}");
        }
        let rests: Vec<bool> = lines("abcdef\ng\n", Some(4)).map(|line| line.rest).collect();
        assert_eq!(rests, [false, true, false]);
    }
}
