//! Byte offset to line and column.

use std::sync::OnceLock;

/// A place in a text: both numbers count from 1, the column in Unicode code points.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// Line number, from 1.
    pub line: u32,
    /// Column in code points, from 1.
    pub column: u32,
}

/// Bytes between places whose column is kept.
const BLOCK: usize = 256;

/// The offsets at which lines start. `\n` and `\r\n` end a line; a lone `\r` does not.
#[derive(Debug)]
pub struct LineIndex {
    starts: Vec<u32>,
    /// Bytes that go on with a code point before each block of the text and before its end, made when a long line is asked
    /// about: a whole file may be one line, and counting from its start for every finding would take time in proportion to
    /// the square of its length.
    continued: OnceLock<Vec<u32>>,
}

impl LineIndex {
    /// Scans a text once.
    pub fn new(text: &str) -> Self {
        let ends = memchr::memchr_iter(b'\n', text.as_bytes());
        let mut starts = Vec::with_capacity(ends.clone().count() + 1);
        starts.push(0);
        starts.extend(ends.map(|at| at as u32 + 1));
        LineIndex { starts, continued: OnceLock::new() }
    }

    /// Code points between two offsets on character boundaries.
    fn columns(&self, text: &str, start: usize, end: usize) -> u32 {
        let bytes = text.as_bytes();
        let length = (end - start) as u32;
        if end - start < BLOCK {
            return length - continued(&bytes[start..end]);
        }
        let before = self.continued.get_or_init(|| {
            let blocks = bytes.chunks(BLOCK).map(continued);
            let add = |sum: &mut u32, here: u32| Some(std::mem::replace(sum, *sum + here));
            blocks.chain([0]).scan(0, add).collect()
        });
        // Nearly all stretches are ASCII.
        if before[start / BLOCK] == before[end.div_ceil(BLOCK)] {
            return length;
        }
        let before = |offset: usize| before[offset / BLOCK] + continued(&bytes[offset / BLOCK * BLOCK..offset]);
        length - (before(end) - before(start))
    }

    /// Line and column of `offset`; offsets past the end give the end, offsets inside a character its start.
    pub fn position(&self, text: &str, offset: usize) -> Position {
        let mut offset = offset.min(text.len());
        while !text.is_char_boundary(offset) {
            offset -= 1;
        }
        let line = self.starts.partition_point(|&start| start as usize <= offset);
        let start = self.starts[line - 1] as usize;
        Position { line: line as u32, column: self.columns(text, start, offset) + 1 }
    }

    /// The line of `offset` alone, which costs the same however long the line is.
    pub fn line_of(&self, offset: usize) -> u32 {
        self.starts.partition_point(|&start| start as usize <= offset) as u32
    }

    /// Number of lines, at least 1.
    pub fn count(&self) -> usize {
        self.starts.len()
    }

    /// Byte range of a line (from 1) without its line ending; `None` when there is no such line.
    pub fn line(&self, text: &str, line: u32) -> Option<std::ops::Range<usize>> {
        let index = (line as usize).checked_sub(1)?;
        let start = *self.starts.get(index)? as usize;
        let end = self.starts.get(index + 1).map_or(text.len(), |&next| next as usize);
        Some(start..start + text[start..end].trim_end_matches(['\n', '\r']).len())
    }
}

/// Bytes that go on with a code point of a text.
fn continued(bytes: &[u8]) -> u32 {
    // As many as are counted in a byte; counting in blocks of one size lets the compiler count many at a time.
    let (blocks, rest) = bytes.as_chunks::<64>();
    let goes_on = |byte: &u8| u8::from(byte & 0xc0 == 0x80);
    let of_block = |block: &[u8; 64]| u32::from(block.iter().map(goes_on).sum::<u8>());
    blocks.iter().map(of_block).sum::<u32>() + u32::from(rest.iter().map(goes_on).sum::<u8>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_in_long_lines_are_those_counted_from_the_start() {
        let text = format!("short\n{}\n{}", "aüß€𝄞".repeat(700), "x".repeat(3 * BLOCK));
        let index = LineIndex::new(&text);
        for (offset, _) in text.char_indices().chain([(text.len(), ' ')]) {
            let start = text[..offset].rfind('\n').map_or(0, |at| at + 1);
            assert_eq!(index.position(&text, offset).column as usize, text[start..offset].chars().count() + 1);
        }
    }

    #[test]
    fn columns_count_code_points() {
        let text = "a\r\nüb\n";
        let index = LineIndex::new(text);
        assert_eq!(index.position(text, 0), Position { line: 1, column: 1 });
        assert_eq!(index.position(text, 5), Position { line: 2, column: 2 });
        assert_eq!(index.position(text, 4), Position { line: 2, column: 1 }, "inside ü");
        assert_eq!(index.position(text, 99), Position { line: 3, column: 1 });
        assert_eq!([0, 2, 3, 6].map(|offset| index.line_of(offset)), [1, 1, 2, 2]);
        assert_eq!(index.line(text, 1), Some(0..1));
        assert_eq!(index.line(text, 2), Some(3..6));
        assert_eq!(index.line(text, 4), None);
    }
}
