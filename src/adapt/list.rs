//! Lists of native objects: element by element, so that a large export never stands in memory as one tree.

use super::Sink;
use crate::parse::{Cursor, Data, Document, NodeId};

/// How many elements a recogniser looks at before it says that a list is not its own.
const PROBED: usize = 3;

/// Calls `visit` for every element of a list, with the document the element is part of. Elements the reader skipped
/// are read one at a time; one that cannot be read is reported and the others go on.
pub(super) fn for_each_element(
    list: Cursor<'_>,
    sink: &mut dyn Sink,
    mut visit: impl FnMut(Cursor<'_>, &mut dyn Sink),
) {
    let pointer = list.document.pointer(list.id);
    for (index, item) in list.items().enumerate() {
        match item.data() {
            Data::Skipped => match item.document.element_at(item.id, format!("{pointer}/{index}")) {
                Ok(element) => visit(element.root(), sink),
                Err(error) => sink.error(item.document, item.id, error.message),
            },
            Data::Null | Data::Bool(_) | Data::Number | Data::Text(_) | Data::Seq | Data::Map => visit(item, sink),
        }
    }
    if list.id == NodeId::ROOT {
        while let Some(element) = list.document.next_element() {
            visit(element.root(), sink);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapt::testing::Collected;
    use crate::parse::{Syntax, parse};
    use crate::source::Source;
    use std::sync::Arc;

    #[test]
    fn every_element_is_visited_once_with_its_pointer() {
        let filler = "x".repeat(4000);
        let items: Vec<_> = (0..500).map(|n| format!(r#"{{"n": {n}, "filler": "{filler}"}}"#)).collect();
        let source = Arc::new(Source::from_text("list", format!("[{}]", items.join(","))));
        let (documents, _) = parse(&source, Syntax::Json);
        let mut skipped = 0;
        let mut seen = Vec::new();
        for_each_element(documents[0].root(), &mut Collected::default(), |item, _| {
            skipped += usize::from(!std::ptr::eq(item.document, &documents[0]));
            let n = item.get("n").and_then(Cursor::as_i64).unwrap_or(-1);
            assert_eq!(item.document.pointer(item.id), format!("/{n}"));
            seen.push(n);
        });
        assert!(skipped > 400, "a list of 2 MB is not read as one tree");
        assert_eq!(seen, (0..500).collect::<Vec<_>>());
    }

    #[test]
    fn recognisers_look_at_the_first_elements_only() {
        let source = Arc::new(Source::from_text("list", r#"[1, 2, {"a": 1}, {"b": 1}]"#));
        let (documents, _) = parse(&source, Syntax::Json);
        let root = documents[0].root();
        assert!(any_element(root, |item| item.has("a")));
        assert!(!any_element(root, |item| item.has("b")), "too far down");
        assert!(!any_element(root.items().next().unwrap_or(root), |_| true), "a number is no list");
    }
}
