//! Changes to a text that leave everything else in it as it stands: comments, order, indentation.
//!
//! [`value`] says what to change for a new value at a node; [`apply`] puts changes into a text. Nothing here judges or writes
//! files.

pub mod value;

use crate::source::Span;

/// One replacement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    /// The bytes to replace; empty for an insertion.
    pub span: Span,
    /// What stands there afterwards.
    pub text: String,
}

/// The text with all edits made; `None` when two of them touch the same bytes, or one lies outside the text or within a
/// character.
pub fn apply(text: &str, mut edits: Vec<Edit>) -> Option<String> {
    edits.sort_by_key(|edit| (edit.span.start, edit.span.end));
    edits.dedup();
    let mut result = String::with_capacity(text.len() + edits.iter().map(|edit| edit.text.len()).sum::<usize>());
    let mut at = 0;
    for edit in &edits {
        let range = edit.span.range();
        result.push_str(text.get(at..range.start)?);
        result.push_str(&edit.text);
        text.get(range.clone())?;
        at = range.end;
    }
    result.push_str(text.get(at..)?);
    Some(result)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edit(start: usize, end: usize, text: &str) -> Edit {
        Edit { span: Span::new(start, end), text: text.into() }
    }

    #[test]
    fn edits_are_made_in_any_order_and_never_over_each_other() {
        for (edits, expected, remark) in [
            (vec![edit(3, 4, "X"), edit(0, 1, "YY")], Some("YYbcXe"), "the later first"),
            (vec![edit(2, 2, "-")], Some("ab-cde"), "an insertion"),
            (vec![edit(5, 5, "!")], Some("abcde!"), "at the end"),
            (vec![edit(1, 3, ""), edit(1, 3, "")], Some("ade"), "the same twice"),
            (vec![edit(1, 3, "x"), edit(2, 4, "y")], None, "over each other"),
            (vec![edit(4, 9, "x")], None, "behind the end"),
        ] {
            assert_eq!(apply("abcde", edits).as_deref(), expected, "{remark}");
        }
        assert_eq!(apply("é", vec![edit(1, 2, "x")]), None, "within a character");
    }
}
