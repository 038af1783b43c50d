//! The workflows of a policy, as the examples of rules about them write it. Policies themselves are read by
//! [`crate::policy`].

use super::{Adapter, Kind, Reader, Sink};
use crate::model::{Target, TargetKind, WorkflowEntry};
use crate::parse::Document;

/// The one member of such a list.
const MEMBER: &str = "tokenvet-workflows";

pub(super) struct Workflows;

impl Adapter for Workflows {
    fn kinds(&self) -> &'static [Kind] {
        &[Kind {
            name: MEMBER,
            doc: "What a run knows of the policy's workflows; written only in examples of rules about them.",
            targets: &[TargetKind::Workflow],
        }]
    }

    fn recognise(&self, document: &Document) -> Option<&'static str> {
        document.root().get(MEMBER).filter(|list| list.is_seq()).map(|_| MEMBER)
    }

    fn adapt(&self, document: &Document, _: &'static str, sink: &mut dyn Sink) {
        let Some(list) = document.root().get(MEMBER) else { return };
        for item in list.items() {
            let reader = Reader::new(item);
            let record = WorkflowEntry {
                name: reader.text("name"),
                class: reader.text("class"),
                user_class: reader.text("user_class"),
                max_transfer_time: reader.int("max_transfer_time"),
                contact: reader.text("contact"),
                mitigations: reader.texts("mitigations"),
                used: reader.bool("used"),
            };
            let at = reader.place(item);
            let name = record.name.as_text().unwrap_or_default().to_string();
            sink.target(&[document], Target { at, ..Target::new(TargetKind::Workflow, name, record) });
        }
    }
}
