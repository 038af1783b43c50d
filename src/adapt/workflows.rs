//! The workflows of a policy, as the examples of rules about them write it. Policies themselves are read by
//! [`crate::policy`].

use super::account::Account;
use super::{Kind, Reader};
use crate::model::{Target, TargetKind, WorkflowEntry};

pub(super) static WORKFLOWS: Account = Account {
    kind: &[Kind {
        name: "tokenvet-workflows",
        doc: "What a run knows of the policy's workflows; written only in examples of rules about them.",
        targets: &[TargetKind::Workflow],
    }],
    read,
};

fn read<'d>(reader: &Reader<'d>) -> Target<'d> {
    let record = WorkflowEntry {
        name: reader.text("name"),
        class: reader.text("class"),
        user_class: reader.text("user_class"),
        max_transfer_time: reader.int("max_transfer_time"),
        contact: reader.text("contact"),
        mitigations: reader.texts("mitigations"),
        used: reader.bool("used"),
    };
    let name = record.name.as_text().unwrap_or_default().to_string();
    Target::new(TargetKind::Workflow, name, record)
}
