//! Byte offset to line and column.

/// A place in a text: both numbers count from 1, the column in Unicode code points.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// Line number, from 1.
    pub line: u32,
    /// Column in code points, from 1.
    pub column: u32,
}

/// The offsets at which lines start. `\n` and `\r\n` end a line; a lone `\r` does not.
#[derive(Debug)]
pub struct LineIndex {
    starts: Vec<u32>,
}

impl LineIndex {
    /// Scans a text once.
    pub fn new(text: &str) -> Self {
        let mut starts = vec![0];
        starts.extend(memchr::memchr_iter(b'\n', text.as_bytes()).map(|at| at as u32 + 1));
        LineIndex { starts }
    }

    /// Line and column of `offset`; offsets past the end give the end, offsets inside a character its start.
    pub fn position(&self, text: &str, offset: usize) -> Position {
        let mut offset = offset.min(text.len());
        while !text.is_char_boundary(offset) {
            offset -= 1;
        }
        let line = self.starts.partition_point(|&start| start as usize <= offset);
        let start = self.starts[line - 1] as usize;
        Position { line: line as u32, column: text[start..offset].chars().count() as u32 + 1 }
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

#[cfg(test)]
mod tests {
    use super::*;

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
