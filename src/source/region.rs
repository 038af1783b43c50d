//! Places in files, as users and reports count them.

use super::{Position, Source, Span};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A place in a file. Lines and columns count from 1, columns in Unicode code points; the end is exclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Region {
    /// First line.
    pub start_line: u32,
    /// First column.
    pub start_column: u32,
    /// Line of the end.
    pub end_line: u32,
    /// Column one past the last character.
    pub end_column: u32,
    /// First byte, from 0.
    pub byte_offset: u64,
    /// Number of bytes.
    pub byte_length: u64,
}

impl Region {
    /// Where a span of a source stands in the user's file, of which the source may be a part.
    pub fn of(source: &Source, span: Span) -> Self {
        let start = source.position(span.start as usize);
        let before = usize::try_from(source.origin().byte).unwrap_or(usize::MAX);
        Region::new(start, source.position(span.end as usize), before + span.start as usize, span.len())
    }

    /// The region between two positions.
    pub fn new(start: Position, end: Position, byte_offset: usize, byte_length: usize) -> Self {
        Region {
            start_line: start.line,
            start_column: start.column,
            end_line: end.line,
            end_column: end.column,
            byte_offset: byte_offset as u64,
            byte_length: byte_length as u64,
        }
    }

    /// The same bytes as a span of a source; sources are smaller than what a span can hold.
    pub fn span(&self) -> Span {
        let start = self.byte_offset as usize;
        Span::new(start, start + self.byte_length as usize)
    }
}
