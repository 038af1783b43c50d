//! The readers against public test vectors, which lie beside the project (`../shared/vectors`) and are no part of it.
//! Without them each test prints a note and passes.

// The note about skipped vectors is for whoever runs the tests.
#![allow(clippy::print_stderr)]

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokenvet::parse::jwt::Compact;
use tokenvet::parse::{Data, Document, NoteKind, ParseError, Syntax, parse};
use tokenvet::source::Source;

/// The directory of one set of vectors, when it is there.
fn vectors(name: &str) -> Option<PathBuf> {
    shared(&format!("vectors/{name}"))
}

fn shared(name: &str) -> Option<PathBuf> {
    let shared = std::env::var_os("TOKENVET_SHARED")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared"), PathBuf::from);
    let path = shared.join(name);
    if !path.is_dir() {
        eprintln!("note: skipped, nothing at {}", path.display());
        return None;
    }
    Some(path)
}

/// Files below a directory, sorted.
fn files(path: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut todo = vec![path.to_path_buf()];
    while let Some(at) = todo.pop() {
        for entry in std::fs::read_dir(&at).expect("directory") {
            let path = entry.expect("entry").path();
            if path.is_dir() { todo.push(path) } else { found.push(path) }
        }
    }
    found.sort();
    found
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// Reads bytes; a text that is no UTF-8 is an error as well.
fn read(bytes: Vec<u8>, syntax: Syntax) -> (Vec<Document>, Vec<ParseError>) {
    let length = bytes.len();
    match Source::from_bytes("vector", bytes) {
        Ok(source) => {
            let (documents, errors) = parse(&Arc::new(source), syntax);
            for document in &documents {
                check_spans(document);
            }
            for error in &errors {
                assert!(error.span.end as usize <= length, "an error lies inside the text");
                assert!(!error.message.is_empty());
            }
            (documents, errors)
        }
        Err(error) => {
            assert!(error.offset < length);
            (vec![], vec![ParseError::at(error.offset, error.message)])
        }
    }
}

/// Every span lies inside the source, on character boundaries.
fn check_spans(document: &Document) {
    let text = document.source.text();
    for id in document.tree.ids() {
        let cursor = document.cursor(id);
        for span in [Some(cursor.span()), cursor.key_span()].into_iter().flatten() {
            assert!(text.get(span.range()).is_some(), "{span:?} lies in the text");
        }
    }
    for &span in &document.tree.comments {
        assert!(text[span.range()].starts_with(['#', '<', ';']), "a comment");
    }
}

#[test]
fn json_parsing() {
    let Some(path) = vectors("jsontestsuite/test_parsing") else { return };
    let (mut accepted, mut refused) = (0, 0);
    for file in files(&path) {
        let name = name(&file);
        let (documents, errors) = read(std::fs::read(&file).expect("file"), Syntax::Json);
        assert_eq!(documents.len() + errors.len(), 1, "{name}");
        match name.as_bytes()[0] {
            b'y' => {
                assert_eq!(errors, [], "{name}");
                accepted += 1;
            }
            b'n' => {
                assert_eq!(documents.len(), 0, "{name}");
                refused += 1;
            }
            _ => {}
        }
    }
    assert!(accepted >= 95 && refused >= 188, "{accepted} and {refused}");
}

#[test]
fn json_transform() {
    let Some(path) = vectors("jsontestsuite/test_transform") else { return };
    for (file, noted) in [
        ("object_same_key_different_values.json", Some(NoteKind::DuplicateKey)),
        ("object_same_key_same_value.json", Some(NoteKind::DuplicateKey)),
        ("object_key_nfc_nfd.json", None),
        ("string_1_escaped_invalid_codepoint.json", Some(NoteKind::LoneSurrogate)),
        ("string_3_escaped_invalid_codepoints.json", Some(NoteKind::LoneSurrogate)),
        ("string_with_escaped_NULL.json", None),
    ] {
        let (documents, _) = read(std::fs::read(path.join(file)).expect(file), Syntax::Json);
        let notes: Vec<_> = documents[0].tree.notes.iter().map(|note| note.kind).collect();
        assert_eq!(notes.first().copied(), noted, "{file}");
    }
    for (file, text, whole) in [
        ("number_-9223372036854775808.json", "-9223372036854775808", Some(i64::MIN)),
        ("number_9223372036854775808.json", "9223372036854775808", None),
        ("number_10000000000000000999.json", "10000000000000000999", None),
        ("number_1e6.json", "1E6", Some(1_000_000)),
        ("number_1.000000000000000005.json", "1.000000000000000005", None),
    ] {
        let (documents, _) = read(std::fs::read(path.join(file)).expect(file), Syntax::Json);
        let number = documents[0].root().items().next().expect(file);
        assert_eq!((number.scalar_text(), number.as_i64()), (Some(text), whole), "{file}: the text is kept");
    }
    for file in files(&path) {
        let (documents, errors) = read(std::fs::read(&file).expect("file"), Syntax::Json);
        assert_eq!(documents.len() + errors.len(), 1, "{}", name(&file));
    }
}

/// Documents the suite wants refused and we accept: a flow list whose lines are not indented, as PyYAML takes it too.
/// The values are the ones anybody would read.
const YAML_ACCEPTED: &[&str] = &["9C9N"];

/// Valid documents that we refuse, all for the same reason: a list or mapping as key, which no configuration has.
const YAML_COMPLEX_KEYS: &[&str] = &[
    "4FJ6", "6BFJ", "6PBE", "9MMW", "KK5P", "LX3P", "M2N8/00", "M2N8/01", "M5DY", "Q9WF", "RZP5", "SBG9", "V9D5",
    "X38W", "XW4D",
];

/// Documents that we read to another value than the suite: a hexadecimal number stays text and gets a note.
const YAML_AMBIGUOUS: &[&str] = &["C4HZ"];

#[test]
fn yaml_suite() {
    let Some(path) = vectors("yaml-test-suite/data") else { return };
    let (mut accepted, mut refused, mut differs, mut same) = (vec![], vec![], vec![], 0);
    for file in files(&path).into_iter().filter(|file| name(file) == "in.yaml") {
        let case = file.parent().expect("directory");
        let id = case.strip_prefix(&path).expect("below").to_string_lossy().replace('\\', "/");
        let (documents, errors) = read(std::fs::read(&file).expect("file"), Syntax::Yaml);
        if case.join("error").exists() {
            if errors.is_empty() {
                accepted.push(id);
            }
            continue;
        }
        if let Some(error) = errors.first() {
            assert!(error.message.contains("single value"), "{id}: {error}");
            refused.push(id);
            continue;
        }
        let Ok(json) = std::fs::read_to_string(case.join("in.json")) else { continue };
        let expected: Vec<Value> =
            serde_json::Deserializer::from_str(&json).into_iter().collect::<Result<_, _>>().expect("the suite's JSON");
        let found: Vec<Value> = documents.iter().map(Document::to_json).collect();
        if found == expected || (found.is_empty() && expected == [Value::Null]) {
            same += 1;
        } else {
            assert!(documents[0].tree.notes.iter().any(|note| note.kind == NoteKind::AmbiguousScalar), "{id}");
            differs.push(id);
        }
    }
    assert_eq!(accepted, YAML_ACCEPTED, "must fail, but are accepted");
    assert_eq!(refused, YAML_COMPLEX_KEYS, "are valid, but refused");
    assert_eq!(differs, YAML_AMBIGUOUS, "have another value");
    assert!(same >= 270, "{same}");
}

#[test]
fn naughty_strings_survive_in_every_syntax() {
    let Some(path) = vectors("blns") else { return };
    let text = std::fs::read_to_string(path.join("blns.json")).expect("file");
    let expected: Vec<String> = serde_json::from_str(&text).expect("JSON");
    let (documents, errors) = read(text.into_bytes(), Syntax::Json);
    assert_eq!(errors, []);
    let found: Vec<_> = documents[0].root().items().filter_map(|item| item.as_str()).collect();
    assert_eq!(found, expected);
    for string in expected {
        for syntax in [Syntax::Json, Syntax::Yaml, Syntax::Env, Syntax::Xml, Syntax::Jwt] {
            read(string.clone().into_bytes(), syntax);
        }
        let quoted = serde_json::to_string(&string).expect("JSON");
        let (documents, errors) = read(quoted.clone().into_bytes(), Syntax::Yaml);
        if errors.is_empty() {
            assert_eq!(documents[0].root().as_str(), Some(string.as_str()), "{quoted}");
        }
    }
    assert!(documents[0].tree.ids().all(|id| documents[0].tree.node(id).data != Data::Skipped));
}
#[test]
fn compact_signatures() {
    let Some(path) = vectors("wycheproof") else { return };
    let text = std::fs::read_to_string(path.join("json_web_signature_test.json")).expect("file");
    let suite: Value = serde_json::from_str(&text).expect("JSON");
    let (mut valid, mut refused) = (0, 0);
    for test in
        suite["testGroups"].as_array().into_iter().flatten().filter_map(|group| group["tests"].as_array()).flatten()
    {
        let jws = test["jws"].as_str().expect("compact form");
        // Signatures are not ours to verify; what is valid must split, what is no compact JWS must not.
        let split = Compact::split(jws);
        if test["result"] == "valid" {
            // The suite lets a decoder pass over foreign characters; RFC 7515 section 2 does not.
            let comment = test["comment"].as_str().unwrap_or_default();
            assert_eq!(split.is_ok(), !comment.starts_with("InvalidCharacter"), "{comment}");
            valid += 1;
        } else if jws.matches('.').count() != 2 {
            assert!(split.is_err(), "{}", test["comment"]);
            refused += 1;
        }
    }
    assert!(valid >= 46 && refused >= 18, "{valid} and {refused}");
}

#[test]
fn real_files_break_no_reader() {
    let Some(path) = shared("corpus") else { return };
    for file in files(&path) {
        for syntax in [Syntax::Json, Syntax::Yaml, Syntax::Env, Syntax::Xml, Syntax::Jwt] {
            read(std::fs::read(&file).expect("file"), syntax);
        }
    }
}
