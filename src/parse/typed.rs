//! Our own YAML files (rules, policy, waivers, baselines) as typed values, with errors at the offending place.

use super::{Cursor, Document, ParseError, Syntax, parse};
use crate::source::{Source, Span};
use serde::de::DeserializeOwned;
use std::sync::Arc;

/// Reads the one document of a YAML (or JSON) source into `T`. Errors point at the value or key that does not fit.
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
        1 => documents.remove(0),
        0 => return Err(ParseError::at(0, "the file is empty")),
        _ => return Err(ParseError::at(0, "one document is expected; remove the `---` separators")),
    };
    if let Some(note) = document.tree.notes.iter().find(|note| note.kind == super::NoteKind::DuplicateKey) {
        let cursor = document.cursor(note.node);
        let span = cursor.key_span().unwrap_or(cursor.span());
        return Err(ParseError { message: "this key stands here twice".into(), span });
    }
    match convert(document.root()) {
        Ok(value) => Ok((value, document)),
        Err(error) => Err(error),
    }
}

/// Reads a part of a document into `T`.
pub fn convert<T: DeserializeOwned>(cursor: Cursor<'_>) -> Result<T, ParseError> {
    let json = cursor.to_json();
    serde_path_to_error::deserialize(&json).map_err(|error| {
        let place = follow(cursor, error.path());
        let message = match error.inner().to_string() {
            // Names of types tell nobody what to write.
            ours if ours.contains("expected struct ") => "a mapping is expected here".to_string(),
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
    if let Some(span) = named.and_then(|name| at.get(name)).and_then(Cursor::key_span) {
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
}
