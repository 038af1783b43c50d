//! What is read of a text: whether a member that is not there yet would mean anything.

use crate::adapt::Sink;
use crate::discover;
use crate::edit::{apply, value};
use crate::model::{Field, State, Target, Value};
use crate::near::did_you_mean;
use crate::parse::{Cursor, Document, NodeId};
use crate::source::Source;
use serde_json::{Value as Json, json};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::mem::discriminant;
use std::sync::Arc;

/// Refuses a new member of `map` that nothing is read from: a slip of the pen would look like a change without consequences.
///
/// Only the adapter knows which members it reads, and it is asked by giving it one. The value that is wanted may be the very
/// one that a missing member stands for, so others are tried as well.
pub(super) fn demand(map: Cursor<'_>, name: &str, wanted: &Json) -> Result<(), String> {
    let source = &map.document.source;
    let before = fingerprint(source);
    let others = [json!("x"), json!(1), json!(true), json!(false), json!([]), json!({})];
    let is_read = [wanted].into_iter().chain(&others).any(|value| {
        let text = value::insert(map, name, value).ok().and_then(|edit| apply(source.text(), vec![edit]));
        text.is_some_and(|text| fingerprint(&Arc::new(source.part(text, source.origin()))) != before)
    });
    if is_read {
        return Ok(());
    }
    // A record leaves out what others beside it have.
    let tree = &map.document.tree;
    let names = || tree.ids().filter_map(|id| map.document.cursor(id).key());
    let own = || map.items().filter_map(Cursor::key);
    let near = Some(did_you_mean(name, own())).filter(|near| !near.is_empty());
    let near = near.unwrap_or_else(|| did_you_mean(name, names()));
    Err(format!("there is no member {name:?}, and no field is read from one of that name{near}"))
}

/// Of everything that adapters read of a text, wherever it stands.
fn fingerprint(source: &Arc<Source>) -> u64 {
    let mut read = Read(DefaultHasher::new());
    for (document, known) in &discover::recognise(source).documents {
        if let Some((adapter, kind)) = known {
            kind.hash(&mut read.0);
            adapter.adapt(document, kind, &mut read);
        }
    }
    read.0.finish()
}

struct Read(DefaultHasher);

impl Read {
    fn field(&mut self, field: &Field<'_>) {
        (field.at.is_some(), discriminant(&field.state)).hash(&mut self.0);
        match &field.state {
            State::Absent | State::Unlimited => {}
            State::Unknown(why) | State::Malformed(why) => why.hash(&mut self.0),
            State::Value(Value::Text(text)) => text.hash(&mut self.0),
            State::Value(Value::Int(number)) => number.hash(&mut self.0),
            State::Value(Value::Bool(value)) => value.hash(&mut self.0),
            State::Value(Value::List(items)) => {
                items.len().hash(&mut self.0);
                items.iter().for_each(|item| self.field(item));
            }
        }
    }
}

impl Sink for Read {
    fn target(&mut self, _documents: &[&Document], target: Target<'_>) {
        (target.kind as u8, &target.name, &target.identity, &target.evidence).hash(&mut self.0);
        (0..target.kind.fields().len()).for_each(|index| self.field(target.record.field(index)));
    }

    fn secret(&mut self, _document: &Document, _node: NodeId) {
        "secret".hash(&mut self.0);
    }

    fn names(&mut self, _document: &Document, _node: NodeId, path: &str) {
        path.hash(&mut self.0);
    }

    fn error(&mut self, _document: &Document, _node: NodeId, message: String) {
        message.hash(&mut self.0);
    }

    fn paging(&mut self, _shown: NodeId, shown_count: i64, total: (NodeId, i64)) {
        (shown_count, total.1).hash(&mut self.0);
    }

    fn secrets_expected(&mut self) {
        "expected".hash(&mut self.0);
    }
}
