//! Lists of native objects: element by element, so that a large export never stands in memory as one tree.

use super::Sink;
use crate::parse::{Cursor, Data, Document};

/// How many elements a recogniser looks at before it says that a list is not its own.
const PROBED: usize = 3;

/// Calls `visit` for every element of a list, with the document the element is part of. Elements the reader skipped
/// are read one at a time; one that cannot be read is reported and the others go on.
pub(super) fn for_each_element(
    list: Cursor<'_>,
    sink: &mut dyn Sink,
    mut visit: impl FnMut(Cursor<'_>, &mut dyn Sink),
) {
    for item in list.items() {
        match item.data() {
            Data::Skipped => match item.document.element(item.id) {
                Ok(element) => visit(element.root(), sink),
                Err(error) => sink.error(item.document, item.id, error.message),
            },
            Data::Null | Data::Bool(_) | Data::Number | Data::Text(_) | Data::Seq | Data::Map => visit(item, sink),
        }
    }
}

/// True when `at` is a list and one of its first elements passes the test.
pub(super) fn any_element(at: Cursor<'_>, test: impl Fn(Cursor<'_>) -> bool) -> bool {
    at.is_seq()
        && at.items().take(PROBED).any(|item| match item.data() {
            Data::Skipped => item.document.element(item.id).is_ok_and(|element: Document| test(element.root())),
            Data::Null | Data::Bool(_) | Data::Number | Data::Text(_) | Data::Seq | Data::Map => test(item),
        })
}

/// The members with one of these names that are there, as a test for recognisers.
pub(super) fn has_any(at: Cursor<'_>, names: &[&str]) -> bool {
    names.iter().any(|name| at.has(name))
}

/// True when the member is there and a string.
pub(super) fn has_text(at: Cursor<'_>, name: &str) -> bool {
    at.get(name).is_some_and(|member| member.as_str().is_some())
}
