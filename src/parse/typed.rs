//! Our own YAML files (rules, policy, waivers, baselines) as typed values, with errors at the offending place.

use super::{Cursor, Data, Document, ParseError, Syntax, TreeBuilder, parse};
use crate::near::did_you_mean;
use crate::source::{Source, Span};
use serde::de::DeserializeOwned;
use serde_json::json;
use std::sync::Arc;

/// Reads the one document of a YAML (or JSON) source into `T`. Errors point at the value or key that does not fit.
/// A file of comments says nothing, as an empty mapping or list does; one without any text is nobody's intention.
pub fn read<T: DeserializeOwned>(source: &Arc<Source>) -> Result<(T, Document), ParseError> {
    let syntax = match source.text().trim_start().as_bytes() {
        [b'{' | b'[', ..] => Syntax::Json,
        _ => Syntax::Yaml,
    };
    let (mut documents, errors) = parse(source, syntax);
    if let Some(error) = errors.into_iter().next() {
        return Err(error);
    }
    let document = match documents.len() {
        0 | 1 if !source.text().trim().is_empty() && documents.iter().all(|document| document.root().is_null()) => {
            return nothing(source);
        }
        1 => documents.remove(0),
        0 => return Err(ParseError::at(0, "the file is empty")),
        _ => return Err(ParseError::at(0, "one document is expected; remove the `---` separators")),
    };
    if let Some(note) = document.tree.notes.iter().find(|note| note.kind == super::NoteKind::DuplicateKey) {
        let cursor = document.cursor(note.node);
        let span = cursor.key_span().unwrap_or(cursor.span());
        return Err(ParseError { message: "this key stands here twice".into(), span });
    }
    // A list of the values in the order of their names would be readable, but nobody means that.
    if document.root().is_seq() && !is_list::<T>() {
        return Err(ParseError { span: span_of(document.root(), ""), message: mapping_of::<T>() });
    }
    match convert(document.root()) {
        Ok(value) => Ok((value, document)),
        Err(error) => Err(error),
    }
}

/// What a file without content comes to.
fn nothing<T: DeserializeOwned>(source: &Arc<Source>) -> Result<(T, Document), ParseError> {
    let mut tree = TreeBuilder::new();
    tree.open(if is_list::<T>() { Data::Seq } else { Data::Map }, 0);
    tree.close(0, source.text());
    let document = Document::new(Arc::clone(source), Syntax::Yaml, tree.finish());
    convert(document.root()).map(|value| (value, document))
}

/// Is `T` written as a list?
fn is_list<T: DeserializeOwned>() -> bool {
    serde_json::from_value::<T>(json!({})).is_err_and(|error| error.to_string().starts_with("invalid type: map"))
}

/// Says that a mapping is expected, and of what.
fn mapping_of<T: DeserializeOwned>() -> String {
    let names = serde_json::from_value::<T>(json!({ "": null })).err().map(|error| error.to_string());
    match names.as_deref().map(expected).as_deref() {
        Some([first, rest @ ..]) => {
            let names = rest.iter().fold(format!("`{first}`"), |all, name| format!("{all}, `{name}`"));
            format!("a mapping is expected here, of {names}")
        }
        _ => "a mapping is expected here".into(),
    }
}

/// The names that could stand in the place of an unknown one.
fn expected(message: &str) -> Vec<&str> {
    let names = message.split_once(", expected ").map_or("", |(_, names)| names);
    names.split('`').skip(1).step_by(2).collect()
}

/// Reads a part of a document into `T`.
pub fn convert<T: DeserializeOwned>(cursor: Cursor<'_>) -> Result<T, ParseError> {
    let json = cursor.to_json();
    serde_path_to_error::deserialize(&json).map_err(|error| {
        let place = follow(cursor, error.path());
        let message = match error.inner().to_string() {
            // Names of types tell nobody what to write.
            ours if ours.contains("expected struct ") => "a mapping is expected here".to_string(),
            list if list.ends_with("expected a sequence") => "a list is expected here".to_string(),
            message if message.starts_with("unknown ") => {
                let unknown = message.split('`').nth(1).unwrap_or_default();
                let near = did_you_mean(unknown, expected(&message).into_iter());
                message + &near
            }
            message => message,
        };
        ParseError { span: span_of(place, &message), message }
    })
}

fn follow<'d>(root: Cursor<'d>, path: &serde_path_to_error::Path) -> Cursor<'d> {
    use serde_path_to_error::Segment;
    let mut at = root;
    for segment in path {
        let next = match segment {
            Segment::Map { key } => at.get(key),
            Segment::Seq { index } => at.items().nth(*index),
            Segment::Enum { .. } | Segment::Unknown => None,
        };
        match next {
            Some(next) => at = next,
            None => break,
        }
    }
    at
}

/// "unknown field `x`" points at `x`; everything else at the value, or the first line of a container.
fn span_of(at: Cursor<'_>, message: &str) -> Span {
    let named = message.split('`').nth(1).filter(|_| message.starts_with("unknown field"));
    let key = |name: &str| at.get(name).or(Some(at).filter(|at| at.key() == Some(name)));
    if let Some(span) = named.and_then(key).and_then(Cursor::key_span) {
        return span;
    }
    match (at.is_map() || at.is_seq(), at.key_span()) {
        (true, Some(key)) => key,
        (true, None) => Span { start: at.span().start, end: at.span().start },
        (false, _) => at.span(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    struct Outer {
        #[serde(rename = "inner")]
        _inner: Inner,
    }

    #[derive(Debug, serde::Deserialize)]
    struct Inner {
        #[serde(rename = "number")]
        _number: u8,
    }

    #[test]
    fn errors_name_no_type_of_ours() {
        for (text, message, offset) in [
            ("3", "a mapping is expected here", 0),
            ("[]", "a mapping is expected here", 0),
            ("inner: text", "a mapping is expected here", 7),
            ("inner: []", "a mapping is expected here", 0),
            ("inner: {number: text}", "invalid type: string \"text\", expected u8", 16),
        ] {
            let error = read::<Outer>(&Arc::new(Source::from_text("t", text))).expect_err(text);
            assert_eq!((error.message.as_str(), error.span.start), (message, offset), "{text}");
        }
    }

    #[derive(Debug, Default, PartialEq, serde::Deserialize)]
    #[serde(deny_unknown_fields, default)]
    struct Loose {
        names: Vec<String>,
        inner: std::collections::BTreeMap<String, Loose>,
    }

    #[test]
    fn a_slip_of_the_pen_is_shown_where_it_is_with_what_was_meant() {
        let names = "expected `names` or `inner`";
        for (text, message, marked) in [
            ("name: [a]", format!("unknown field `name`, {names}; did you mean `names`?"), "name"),
            ("name: {a: b}", format!("unknown field `name`, {names}; did you mean `names`?"), "name"),
            ("inner: {a: {inne: 1}}", format!("unknown field `inne`, {names}; did you mean `inner`?"), "inne"),
            ("colour: red", format!("unknown field `colour`, {names}"), "colour"),
            ("names: a", "a list is expected here".into(), "a"),
            ("- a", "a mapping is expected here, of `names`, `inner`".into(), ""),
        ] {
            let source = Arc::new(Source::from_text("t", text));
            let error = read::<Loose>(&source).expect_err(text);
            assert_eq!((error.message.as_str(), source.slice(error.span)), (message.as_str(), marked), "{text}");
        }
    }

    #[test]
    fn a_file_of_comments_says_nothing() {
        for text in ["# nothing yet\n", "---\n# nothing yet\n", "---\n", "null"] {
            let source = Arc::new(Source::from_text("t", text));
            assert_eq!(read::<Loose>(&source).expect(text).0, Loose::default(), "{text}");
            assert_eq!(read::<Vec<Loose>>(&source).expect(text).0, [], "{text}");
        }
        for text in ["", " \n"] {
            let source = Arc::new(Source::from_text("t", text));
            assert_eq!(read::<Loose>(&source).expect_err(text).message, "the file is empty", "{text}");
        }
        assert!(read::<Vec<Loose>>(&Arc::new(Source::from_text("t", "[]"))).is_ok());
        assert!(read::<Vec<Loose>>(&Arc::new(Source::from_text("t", "a: b"))).is_err());
    }
}
