//! What adapter tests share: run an adapter over text and look at the targets as plain data.

use super::Sink;
use crate::model::{Field, State, Target, TargetKind, Value};
use crate::parse::{Document, NodeId, Syntax, parse};
use crate::source::Source;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Everything an adapter said, as owned data.
#[derive(Debug, Default)]
pub(crate) struct Collected {
    /// Kinds of the recognised documents.
    pub(crate) kinds: Vec<&'static str>,
    /// The targets.
    pub(crate) targets: Vec<Got>,
    /// Errors, as `pointer: message`.
    pub(crate) errors: Vec<String>,
    /// Pointers of the values the adapter marked as secret.
    pub(crate) secrets: Vec<String>,
    /// Entries shown and in total, when the listing pages.
    pub(crate) paging: Option<(i64, i64)>,
    /// True when secrets were declared as expected.
    pub(crate) secrets_expected: bool,
}

/// One target.
#[derive(Debug)]
pub(crate) struct Got {
    pub(crate) kind: TargetKind,
    pub(crate) name: String,
    pub(crate) identity: String,
    pub(crate) evidence: String,
    /// Field values as text: `3600`, `true`, `a b c` for lists, `unlimited`, `unknown: why`, `malformed: why`.
    /// Absent fields are left out.
    pub(crate) fields: BTreeMap<&'static str, String>,
    /// Pointers the fields were read at; `(1)/exp` for document 1.
    pub(crate) pointers: BTreeMap<&'static str, String>,
}

impl Got {
    /// A field's text, `""` when absent.
    pub(crate) fn get(&self, name: &str) -> &str {
        assert!(self.kind.fields().iter().any(|spec| spec.name == name), "no such field: {name}");
        self.fields.get(name).map_or("", String::as_str)
    }
}

fn show(field: &Field<'_>) -> Option<String> {
    Some(match &field.state {
        State::Absent => return None,
        State::Unknown(why) => format!("unknown: {why}"),
        State::Malformed(why) => format!("malformed: {why}"),
        State::Unlimited => "unlimited".into(),
        State::Value(Value::Text(text)) => text.to_string(),
        State::Value(Value::Int(number)) => number.to_string(),
        State::Value(Value::Bool(value)) => value.to_string(),
        State::Value(Value::List(items)) => {
            items.iter().map(|item| show(item).unwrap_or_default()).collect::<Vec<_>>().join(" ")
        }
    })
}

impl Sink for Collected {
    fn target(&mut self, documents: &[&Document], target: Target<'_>) {
        let mut got = Got {
            kind: target.kind,
            name: target.name.to_string(),
            identity: target.identity.to_string(),
            evidence: target.evidence.to_string(),
            fields: BTreeMap::new(),
            pointers: BTreeMap::new(),
        };
        for (index, spec) in target.kind.fields().iter().enumerate() {
            let field = target.record.field(index);
            if let Some(text) = show(field) {
                got.fields.insert(spec.name, text);
            }
            if let Some(at) = field.at {
                let pointer = documents[at.document as usize].pointer(at.node);
                let prefix = if at.document == 0 { String::new() } else { format!("({})", at.document) };
                got.pointers.insert(spec.name, prefix + &pointer);
            }
        }
        self.targets.push(got);
    }

    fn secret(&mut self, document: &Document, node: NodeId) {
        self.secrets.push(document.pointer(node));
    }

    fn error(&mut self, document: &Document, node: NodeId, message: String) {
        self.errors.push(format!("{}: {message}", document.pointer(node)));
    }

    fn paging(&mut self, _shown: NodeId, shown_count: i64, total: (NodeId, i64)) {
        self.paging = Some((shown_count, total.1));
    }

    fn secrets_expected(&mut self) {
        self.secrets_expected = true;
    }
}

/// Parses text and runs the adapter that recognises it; parse errors land in `errors`.
pub(crate) fn collect_recognised(text: &str) -> Collected {
    crate::discover::syntax_of("t", text).map_or_else(Collected::default, |syntax| collect(text, syntax))
}

/// The same of a text in this syntax.
pub(crate) fn collect(text: &str, syntax: Syntax) -> Collected {
    let source = Arc::new(Source::from_text("test", text));
    let (documents, errors) = parse(&source, syntax);
    let mut collected = Collected::default();
    collected.errors.extend(errors.into_iter().map(|error| error.message));
    for document in &documents {
        if let Some((adapter, kind)) = super::recognise(document) {
            collected.kinds.push(kind);
            adapter.adapt(document, kind, &mut collected);
        }
    }
    collected
}

/// A file of the shared corpus; `None`, with a note, where the corpus is not at hand.
#[allow(clippy::print_stderr)]
pub(crate) fn corpus(path: &str) -> Option<String> {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared");
    let shared = std::env::var("TOKENVET_SHARED").unwrap_or_else(|_| beside.into());
    let text = std::fs::read_to_string(std::path::Path::new(&shared).join("corpus").join(path)).ok();
    if text.is_none() {
        eprintln!("note: corpus file {path} is not at hand, this check is skipped");
    }
    text
}
