//! New values at the nodes of a document, written as the document's syntax writes them.
//!
//! Every function gives the edits that bring its change about, or says why it cannot. Reading the text again shows the
//! change and nothing else; the callers make sure of that, since a syntax has more corners than an editor knows.

use super::Edit;
use crate::parse::{Cursor, Data, Syntax};
use crate::source::Span;
use serde_json::Value;

/// Why a change cannot be made.
pub type Refusal = String;

/// A new value for a node.
pub fn set(at: Cursor<'_>, value: &Value) -> Result<Edit, Refusal> {
    own(at)?;
    Ok(Edit { span: at.span(), text: written(at, value)? })
}

/// A new member of a mapping, behind the others.
pub fn insert(map: Cursor<'_>, name: &str, value: &Value) -> Result<Edit, Refusal> {
    own(map)?;
    let source = map.document.source.text();
    let key = |quoted: bool| if quoted { Value::from(name).to_string() } else { name.to_string() };
    let Some(last) = map.items().last() else {
        return match source.get(map.span().range()) {
            Some("{}") if is_json_like(map) => {
                Ok(Edit { span: map.span(), text: format!("{{{}: {}}}", key(true), written(map, value)?) })
            }
            _ => Err("there is no member beside which it could be added".into()),
        };
    };
    let key_span = last.key_span().ok_or("the mapping is written in a way that cannot be extended")?;
    let end = end_of(last);
    let value = written(map, value)?;
    let text = match (map.document.syntax, opens(map, '{')) {
        (Syntax::Json, _) | (Syntax::Yaml, true) => {
            format!(",{}{}: {value}", before(map, key_span, '{'), key(true))
        }
        (Syntax::Yaml, false) => format!("\n{}{}: {value}", indent(source, key_span.start), key(!is_plain(name))),
        _ => return Err(no_syntax(map)),
    };
    Ok(Edit { span: Span::new(end, end), text })
}

/// A list, or a text of words, without some and with others behind what is left; every occurrence of the former goes.
pub fn change(at: Cursor<'_>, gone: &[String], more: &[String]) -> Result<Vec<Edit>, Refusal> {
    own(at)?;
    let stays = |word: &&str| !gone.iter().any(|gone| gone == word);
    match at.data() {
        Data::Seq => {
            let items: Vec<Cursor<'_>> = at.items().collect();
            let goes = |index: &usize| items[*index].as_str().is_some_and(|word| !stays(&word));
            let indexes: Vec<usize> = (0..items.len()).filter(goes).collect();
            if indexes.len() == items.len() && !more.is_empty() {
                return Ok(vec![set(at, &Value::from(more))?]);
            }
            let last = (0..items.len()).rev().find(|index| !indexes.contains(index)).map(|index| items[index]);
            let mut edits = remove_items(at, &items, &indexes)?;
            edits.extend(if more.is_empty() { None } else { Some(add_items(at, last, more)?) });
            Ok(edits)
        }
        Data::Text(_) | Data::Null => {
            let words = at.as_str().unwrap_or_default().split_whitespace().filter(stays);
            let words: Vec<&str> = words.chain(more.iter().map(String::as_str)).collect();
            Ok(vec![set(at, &Value::from(words.join(" ")))?])
        }
        Data::Map | Data::Bool(_) | Data::Number | Data::Skipped => Err("it is neither a list nor a text".into()),
    }
}

/// Elements of a list go, with what separates them from the others.
fn remove_items(list: Cursor<'_>, items: &[Cursor<'_>], gone: &[usize]) -> Result<Vec<Edit>, Refusal> {
    let source = list.document.source.text();
    if gone.is_empty() {
        return Ok(vec![]);
    }
    let flow = is_json_like(list) && (list.document.syntax == Syntax::Json || opens(list, '['));
    if gone.len() == items.len() {
        return match flow {
            true => Ok(vec![Edit { span: list.span(), text: "[]".into() }]),
            false => Err("nothing would be left of the list; take the whole member out by hand".into()),
        };
    }
    let edits = gone.iter().map(|&index| {
        let span = items[index].span();
        if !flow {
            let start = line_start(source, span.start as usize);
            let end = source[span.end as usize..].find('\n').map_or(source.len(), |at| span.end as usize + at + 1);
            return Edit { span: Span::new(start, end), text: String::new() };
        }
        // From the end of the last that stays, or up to the start of the first that does.
        match (0..index).rev().find(|before| !gone.contains(before)) {
            Some(_) => Edit { span: Span::new(end_of(items[index - 1]), end_of(items[index])), text: String::new() },
            None => {
                let next = items.get(index + 1).map_or(span.end, |next| next.span().start);
                Edit { span: Span::new(span.start as usize, next as usize), text: String::new() }
            }
        }
    });
    Ok(edits.collect())
}

/// Texts behind the last element of a list that stays, separated as its elements are.
fn add_items(list: Cursor<'_>, last: Option<Cursor<'_>>, texts: &[String]) -> Result<Edit, Refusal> {
    let source = list.document.source.text();
    let Some(last) = last else {
        return match is_json_like(list) && opens(list, '[') {
            true => set(list, &Value::from(texts)),
            false => Err("the list is empty and written in a way that cannot be extended".into()),
        };
    };
    let separator = match (list.document.syntax, opens(list, '[')) {
        (Syntax::Json, _) | (Syntax::Yaml, true) => format!(",{}", before(list, last.span(), '[')),
        (Syntax::Yaml, false) if !matches!(last.data(), Data::Map | Data::Seq) => {
            let start = line_start(source, last.span().start as usize);
            format!("\n{}", &source[start..last.span().start as usize])
        }
        _ => return Err(no_syntax(list)),
    };
    let mut text = String::new();
    for more in texts {
        text += &separator;
        text += &written(list, &Value::from(more.as_str()))?;
    }
    let end = end_of(last);
    Ok(Edit { span: Span::new(end, end), text })
}

/// The blanks between the opening bracket or the comma before an element and the element.
fn before(parent: Cursor<'_>, element: Span, open: char) -> &str {
    let source = parent.document.source.text();
    let head = &source[..element.start as usize];
    let blanks = &head[head.trim_end_matches([' ', '\t', '\r', '\n']).len()..];
    match head.trim_end().ends_with(open) {
        // Blanks behind a bracket say how it is written only when they break the line.
        true if !blanks.contains('\n') => " ",
        _ => blanks,
    }
}

/// Where an element ends: behind its brackets, too.
fn end_of(element: Cursor<'_>) -> usize {
    element.span().end as usize
}

/// A value as the document writes scalars; lists only where brackets are known.
fn written(at: Cursor<'_>, value: &Value) -> Result<String, Refusal> {
    match at.document.syntax {
        // A JSON value is a YAML flow value.
        Syntax::Json | Syntax::Yaml => Ok(match value {
            Value::String(text) if at.document.syntax == Syntax::Yaml && is_plain(text) => text.clone(),
            value => value.to_string(),
        }),
        Syntax::Ini(_) | Syntax::Env => match value {
            Value::String(text) if !text.contains(['\n', '\r', '\0']) => Ok(text.clone()),
            Value::Number(_) | Value::Bool(_) => Ok(value.to_string()),
            _ => Err("a text, a number or a boolean is expected there".into()),
        },
        Syntax::Xml | Syntax::Jwt | Syntax::Words(_) | Syntax::Cfg => Err(no_syntax(at)),
    }
}

/// Text that YAML reads as itself without quotes, whichever version reads it.
fn is_plain(text: &str) -> bool {
    let safe = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/' | ':');
    let reserved = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"];
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(safe)
        && !text.ends_with(':')
        && !reserved.contains(&text.to_ascii_lowercase().as_str())
}

fn is_json_like(at: Cursor<'_>) -> bool {
    matches!(at.document.syntax, Syntax::Json | Syntax::Yaml)
}

fn opens(at: Cursor<'_>, bracket: char) -> bool {
    at.document.source.slice(at.span()).starts_with(bracket)
}

fn line_start(source: &str, at: usize) -> usize {
    source[..at].rfind('\n').map_or(0, |found| found + 1)
}

/// What stands before a key in its line, as blanks: `- ` of a list is no indentation to repeat.
fn indent(source: &str, at: u32) -> String {
    let start = line_start(source, at as usize);
    source[start..at as usize].chars().map(|c| if c == '\t' { '\t' } else { ' ' }).collect()
}

/// Only what stands in the file itself can be changed there.
fn own(at: Cursor<'_>) -> Result<(), Refusal> {
    match at.document.decoded {
        None => Ok(()),
        Some(_) => Err("it stands encoded in another value, which cannot be changed in place".into()),
    }
}

fn no_syntax(at: Cursor<'_>) -> Refusal {
    format!("{} files cannot be changed in place", at.document.syntax.name())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edit::apply;
    use crate::parse::{Document, parse};
    use crate::source::Source;
    use serde_json::json;
    use std::sync::Arc;

    fn document(text: &str, syntax: Syntax) -> Document {
        let source = Arc::new(Source::from_text("x", text));
        let (mut documents, errors) = parse(&source, syntax);
        assert_eq!(errors, [], "{text}");
        documents.remove(0)
    }

    /// The text after the edits, and what it then says.
    fn after(text: &str, syntax: Syntax, change: impl Fn(&Document) -> Result<Vec<Edit>, Refusal>) -> (String, Value) {
        let edits = change(&document(text, syntax)).expect("possible");
        let text = apply(text, edits).expect("apart");
        let value = document(&text, syntax).to_json();
        (text, value)
    }

    const PRETTY: &str = "{\n  \"scope\": \"a b\",\n  \"list\": [\n    \"x\",\n    \"y\"\n  ],\n  \"n\": 1\n}\n";
    const COMPACT: &str = "{\"scope\":\"a b\",\"list\":[\"x\",\"y\"],\"n\":1}";
    const BLOCK: &str = "# clients\nscope: a b  # both\nlist:\n  - x\n  - y\nn: 1\n";
    const FLOW: &str = "{scope: a b, list: [x, y], n: 1}\n";

    #[test]
    fn a_change_is_read_back_and_nothing_else_changes() {
        type Change = fn(&Document) -> Result<Vec<Edit>, Refusal>;
        let changes: [(Change, Value, &str); 8] = [
            (
                |d| change(d.root().get("scope").expect("it"), &[], &["c:/".into()]),
                json!({"scope": "a b c:/"}),
                "a word more",
            ),
            (|d| change(d.root().get("scope").expect("it"), &["a".into()], &[]), json!({"scope": "b"}), "a word less"),
            (
                |d| change(d.root().get("list").expect("it"), &[], &["z".into()]),
                json!({"list": ["x", "y", "z"]}),
                "an item more",
            ),
            (
                |d| change(d.root().get("list").expect("it"), &["x".into()], &[]),
                json!({"list": ["y"]}),
                "the first item less",
            ),
            (
                |d| change(d.root().get("list").expect("it"), &["y".into()], &[]),
                json!({"list": ["x"]}),
                "the last item less",
            ),
            (
                |d| change(d.root().get("list").expect("it"), &["y".into()], &["z".into(), "u".into()]),
                json!({"list": ["x", "z", "u"]}),
                "the last item less and two more",
            ),
            (|d| Ok(vec![set(d.root().get("n").expect("it"), &json!(2))?]), json!({"n": 2}), "another number"),
            (|d| Ok(vec![insert(d.root(), "new", &json!("no"))?]), json!({"new": "no"}), "a new member"),
        ];
        for text in [PRETTY, COMPACT, BLOCK, FLOW] {
            let syntax = if matches!(text, PRETTY | COMPACT) { Syntax::Json } else { Syntax::Yaml };
            for (change, expected, remark) in &changes {
                let (written, found) = after(text, syntax, change);
                let mut whole = document(text, syntax).to_json();
                whole.as_object_mut().expect("object").extend(expected.as_object().expect("object").clone());
                assert_eq!(found, whole, "{remark}: {written}");
                assert_eq!(written.contains("# both"), text.contains("# both"), "{remark}: comments stay");
            }
        }
    }

    #[test]
    fn layout_is_kept() {
        for (text, syntax, expected) in [
            (PRETTY, Syntax::Json, "    \"y\",\n    \"z\"\n  ]"),
            (COMPACT, Syntax::Json, "[\"x\",\"y\",\"z\"]"),
            (BLOCK, Syntax::Yaml, "  - y\n  - z\nn"),
            (FLOW, Syntax::Yaml, "[x, y, z]"),
        ] {
            let (written, _) = after(text, syntax, |d| change(d.root().get("list").expect("it"), &[], &["z".into()]));
            assert!(written.contains(expected), "{written}");
        }
    }

    #[test]
    fn what_cannot_be_changed_is_said() {
        let xml = document("<a><b>x</b></a>", Syntax::Xml);
        assert!(set(xml.root(), &json!("y")).is_err());
        let one = document("list:\n  - x\n", Syntax::Yaml);
        assert!(change(one.root().get("list").expect("it"), &["x".into()], &[]).is_err());
        let number = document("{\"n\": 1}", Syntax::Json);
        assert!(change(number.root().get("n").expect("it"), &[], &["x".into()]).is_err());
    }
}
