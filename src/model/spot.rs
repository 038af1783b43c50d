//! Where what a field points at stands in the user's file.

use super::At;
use crate::parse::{Cursor, Data, Document, Syntax};
use crate::source::{Region, Source, Span};
use smol_str::SmolStr;

/// Where something stands in a file, resolved while the file was in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spot {
    /// Place in the file.
    pub region: Region,
    /// Last line of what stands there: of an object over several lines `region` is the beginning only.
    pub last_line: u32,
    /// Pointer in the file's document.
    pub pointer: SmolStr,
    /// Pointer in the document decoded from there.
    pub inner_pointer: Option<SmolStr>,
}

impl Spot {
    /// Of a node, or of one word of it, counted from 1; 0 is all of it.
    pub fn of(cursor: Cursor<'_>, word: u16) -> Spot {
        let document = cursor.document;
        let (source, pointer, inner_pointer) = match &document.decoded {
            None => (&document.source, document.pointer(cursor.id).into(), None),
            Some(decoded) => {
                (&decoded.outer, decoded.outer_pointer.as_str().into(), Some(document.pointer(cursor.id).into()))
            }
        };
        let span = match word {
            0 => visible(cursor),
            word => cursor.word_span(usize::from(word) - 1),
        };
        Spot {
            region: Region::of(source, document.outer_span(span)),
            last_line: last_line(source, document.outer_span(cursor.span())),
            pointer,
            inner_pointer,
        }
    }

    /// Of a place of a target that stands in these documents.
    pub fn at(documents: &[&Document], at: At) -> Spot {
        let document = documents.get(at.document as usize).copied().unwrap_or(documents[0]);
        Spot::of(document.cursor(at.node), at.word)
    }
}

/// The bytes to point at: the value, or the opening bracket of a container over several lines.
fn visible(cursor: Cursor<'_>) -> Span {
    let span = cursor.span();
    let container = matches!(cursor.data(), Data::Map | Data::Seq | Data::Skipped);
    let text = cursor.document.source.slice(span);
    match text.find('\n') {
        Some(_) if container && matches!(cursor.document.syntax, Syntax::Json | Syntax::Jwt) => {
            Span { start: span.start, end: span.start + 1 }
        }
        Some(end) if container => Span { start: span.start, end: span.start + end as u32 },
        _ => span,
    }
}

/// The line of a span's last character that is no white space.
fn last_line(source: &Source, span: Span) -> u32 {
    let kept = source.slice(span).trim_end().len();
    let line = source.line_index().line_of(span.start as usize + kept.saturating_sub(1));
    source.origin().position.line - 1 + line
}
