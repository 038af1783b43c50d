//! The readers on files: exact trees, notes, comments and errors (`testdata/parse/<syntax>/{ok,err}`), and properties
//! that hold for any text. `UPDATE=1 cargo test --test readers` rewrites the expected `.out` files.

use proptest::prelude::*;
use serde_json::Value;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokenvet::parse::jwt::{Segment, decode_segment};
use tokenvet::parse::{Cursor, Data, Document, NoteKind, ParseError, Syntax, json, parse};
use tokenvet::source::{Source, Span};

const SYNTAXES: [(&str, Syntax); 5] =
    [("json", Syntax::Json), ("yaml", Syntax::Yaml), ("env", Syntax::Env), ("xml", Syntax::Xml), ("jwt", Syntax::Jwt)];

/// Line, column and length of a span.
fn place(source: &Source, span: Span) -> String {
    let position = source.position(span.start as usize);
    format!("{}:{}+{}", position.line, position.column, span.len())
}

/// One line per node: pointer, place of the key, place of the value, value.
fn dump_node(cursor: Cursor<'_>, out: &mut String) {
    let document = cursor.document;
    let source = &document.source;
    let pointer = document.pointer(cursor.id);
    let key = cursor.key_span().map(|span| format!(" key {}", place(source, span))).unwrap_or_default();
    let value = match cursor.data() {
        Data::Null => "null".to_string(),
        Data::Bool(value) => value.to_string(),
        Data::Number => format!("number {}", cursor.scalar_text().unwrap_or_default()),
        // The text of a token has a signature, which no snapshot holds.
        Data::Text(_) if document.syntax == Syntax::Jwt => "token".into(),
        Data::Text(_) => format!("{:?}", cursor.as_str().unwrap_or_default()),
        Data::Seq => "list".into(),
        Data::Map => "mapping".into(),
        Data::Skipped => "skipped".into(),
    };
    writeln!(out, "{pointer:?}{key} at {} {value}", place(source, cursor.span())).expect("string");
    if document.syntax == Syntax::Jwt && cursor.as_str().is_some() {
        for segment in [Segment::Header, Segment::Payload] {
            match decode_segment(document, cursor.id, segment) {
                Ok(inner) => dump_node(inner.root(), out),
                Err(error) => dump_error(source, &error, out),
            }
        }
    }
    for item in cursor.items() {
        dump_node(item, out);
    }
}

fn dump_error(source: &Source, error: &ParseError, out: &mut String) {
    writeln!(out, "error at {} {}", place(source, error.span), error.message).expect("string");
}

fn dump(bytes: Vec<u8>, syntax: Syntax) -> String {
    let mut out = String::new();
    let source = match Source::from_bytes("file", bytes) {
        Ok(source) => Arc::new(source),
        Err(error) => return format!("error at {}:{} {}\n", error.position.line, error.position.column, error.message),
    };
    let (documents, errors) = parse(&source, syntax);
    for document in &documents {
        out.push_str("document\n");
        dump_node(document.root(), &mut out);
        for note in &document.tree.notes {
            let what = match note.kind {
                NoteKind::DuplicateKey => "duplicate key",
                NoteKind::AmbiguousScalar => "ambiguous scalar",
                NoteKind::LoneSurrogate => "lone surrogate",
                NoteKind::CutLine => "cut line",
                NoteKind::Continuation => "continuation",
            };
            writeln!(out, "note {what} {:?}", document.pointer(note.node)).expect("string");
        }
        for span in &document.tree.comments {
            writeln!(out, "comment at {} {:?}", place(&source, *span), source.slice(*span)).expect("string");
        }
    }
    errors.iter().for_each(|error| dump_error(&source, error, &mut out));
    out
}

fn inputs(directory: &Path) -> Vec<PathBuf> {
    let mut found: Vec<_> = std::fs::read_dir(directory)
        .unwrap_or_else(|error| panic!("{}: {error}", directory.display()))
        .map(|entry| entry.expect("entry").path())
        .filter(|path| path.extension().is_none_or(|extension| extension != "out"))
        .collect();
    found.sort();
    found
}

#[test]
fn files_read_as_expected() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/parse");
    let update = std::env::var_os("UPDATE").is_some();
    let mut wrong = Vec::new();
    for (name, syntax) in SYNTAXES {
        for outcome in ["ok", "err"] {
            let files = inputs(&root.join(name).join(outcome));
            assert!(files.len() >= 2, "{name}/{outcome}");
            for file in files {
                let found = dump(std::fs::read(&file).expect("file"), syntax);
                let has_error = found.lines().any(|line| line.starts_with("error at "));
                assert_eq!(has_error, outcome == "err", "{}: {found}", file.display());
                let mut out = file.clone().into_os_string();
                out.push(".out");
                if update {
                    std::fs::write(&out, &found).expect("writable");
                } else if std::fs::read_to_string(&out).ok().as_deref() != Some(&found) {
                    wrong.push(format!("{}:\n{found}", file.display()));
                }
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "run UPDATE=1 cargo test --test readers and look at the difference\n{}",
        wrong.join("\n")
    );
}

#[test]
fn deep_texts_are_quick_errors_in_every_syntax() {
    for (syntax, opening) in [
        (Syntax::Json, "["),
        (Syntax::Json, "{\"a\":"),
        (Syntax::Yaml, "["),
        (Syntax::Yaml, "{a: "),
        (Syntax::Yaml, "- "),
        (Syntax::Xml, "<a>"),
    ] {
        let source = Arc::new(Source::from_text("deep", opening.repeat(10_000)));
        let (documents, errors) = parse(&source, syntax);
        assert_eq!((documents.len(), errors.len()), (0, 1), "{opening}");
        assert!(errors[0].message.contains("256 levels"), "{opening}: {}", errors[0]);
    }
}

/// JSON values; numbers are such that their text tells the same to a reader of YAML.
fn values() -> impl Strategy<Value = Value> {
    let text = || prop::collection::vec(any::<char>(), 0..10).prop_map(|chars| chars.into_iter().collect::<String>());
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<i32>().prop_filter("a fraction", |n| n % 8 != 0).prop_map(|n| Value::from(f64::from(n) / 8.0)),
        text().prop_map(Value::from),
        prop::sample::select(vec!["no", "010", "null", "~", "<<", "a: b", "# c", " x ", "{{ x }}"])
            .prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::Array),
            prop::collection::btree_map(text(), inner, 0..6).prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// Texts that look a little like each syntax.
fn texts() -> impl Strategy<Value = String> {
    let pieces = [
        "{",
        "}",
        "[",
        "]",
        ":",
        ": ",
        ",",
        "\"",
        "'",
        "\\",
        "\\u00e9",
        "\\ud800",
        "\n",
        "\r\n",
        " ",
        "  ",
        "\t",
        "-",
        "- ",
        "? ",
        "&a ",
        "*a",
        "<<: ",
        "|",
        ">-",
        "#",
        " # ",
        "é",
        "\u{feff}",
        "😀",
        "=",
        "<a>",
        "</a>",
        "<a/>",
        "<",
        "/>",
        "<![CDATA[",
        "]]>",
        "<!--",
        "-->",
        "<!DOCTYPE a>",
        "<entry key='k'>",
        "<properties>",
        "&lt;",
        "a",
        "0",
        "1e",
        "-1.5",
        "true",
        "null",
        "no",
        "---\n",
        "...\n",
        "!",
        "!!int ",
        "%YAML 1.2\n",
        "eyJhIjoxfQ",
        ".",
        "Bearer ",
        "export ",
        "A=",
        "\u{0}",
        "\u{85}",
        "\u{2028}",
    ];
    prop::collection::vec(prop::sample::select(pieces.to_vec()), 0..30).prop_map(|pieces| pieces.concat())
}

fn check_spans(document: &Document) {
    let text = document.source.text();
    let spans = document.tree.ids().flat_map(|id| [Some(document.cursor(id).span()), document.cursor(id).key_span()]);
    for span in spans.flatten().chain(document.tree.comments.iter().copied()) {
        assert!(text.get(span.range()).is_some(), "{span:?} lies in the text on character boundaries");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_value_survives_json(value in values()) {
        for text in [value.to_string(), serde_json::to_string_pretty(&value).expect("JSON")] {
            let source = Arc::new(Source::from_text("t", text));
            let (documents, errors) = parse(&source, Syntax::Json);
            prop_assert_eq!(errors, []);
            prop_assert_eq!(documents[0].to_json(), value.clone());
            for id in documents[0].tree.ids() {
                let cursor = documents[0].cursor(id);
                let alone = json::read_span(source.text(), cursor.span()).expect("a node's slice is JSON");
                let alone = Document::new(Arc::clone(&source), Syntax::Json, alone);
                prop_assert_eq!(alone.to_json(), cursor.to_json());
            }
        }
    }

    #[test]
    fn json_read_as_yaml_is_the_same_value(value in values()) {
        for text in [value.to_string(), serde_json::to_string_pretty(&value).expect("JSON")] {
            let source = Arc::new(Source::from_text("t", text));
            let (documents, errors) = parse(&source, Syntax::Yaml);
            // YAML has no control and private-use characters that JSON takes as they are.
            let printable = source.text().chars().all(|c| matches!(c, ' '..='~' | '\n' | '\u{a0}'..='\u{d7ff}'));
            prop_assert!(errors.is_empty() || !printable, "{:?}", errors);
            if errors.is_empty() {
                prop_assert_eq!(documents[0].to_json(), value.clone());
                documents.iter().for_each(check_spans);
            }
        }
    }

    #[test]
    fn no_text_breaks_a_reader(text in texts()) {
        for (_, syntax) in SYNTAXES {
            let source = Arc::new(Source::from_text("t", text.clone()));
            let (documents, errors) = parse(&source, syntax);
            for document in &documents {
                check_spans(document);
                for id in document.tree.ids() {
                    for inner in [document.nested_json(id), decode_segment(document, id, Segment::Payload)] {
                        match inner {
                            Ok(inner) => check_spans(&inner),
                            Err(error) => prop_assert!(text.get(error.span.range()).is_some(), "{}", error),
                        }
                    }
                }
            }
            for error in errors {
                prop_assert!(text.is_char_boundary(error.span.start as usize), "{}", error);
            }
        }
    }

    #[test]
    fn a_truncated_list_or_mapping_is_an_error(value in values(), cut in any::<prop::sample::Index>()) {
        let text = Value::Array(vec![value]).to_string();
        let mut end = cut.index(text.len());
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        prop_assert!(json::read(&text[..end]).is_err());
    }
}
