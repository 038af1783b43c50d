//! The account a run keeps of its suppressions, as the examples of rules about them write it. Comments, waiver files
//! and baselines themselves are read by [`crate::suppress`], which knows what they hid.

use super::account::Account;
use super::{Kind, Reader};
use crate::model::{Field, Suppression, Target, TargetKind};
use crate::suppress::end_of_day;

pub(super) static SUPPRESSIONS: Account = Account {
    kind: &[Kind {
        name: "tokenvet-suppressions",
        doc: "What a run knows of its suppressions; written only in examples of rules about them.",
        targets: &[TargetKind::Suppression],
    }],
    read,
};

fn read<'d>(reader: &Reader<'d>) -> Target<'d> {
    let expires = reader.text("expires");
    let end = |day: &Field<'_>| Some(Field::int(day.as_text().and_then(end_of_day)?, day.at));
    let (ends, review_by) = (end(&expires), reader.text("review_by"));
    let record = Suppression {
        by: reader.text("by"),
        rule: reader.text("rule"),
        known: reader.bool("known"),
        nearest: reader.text("nearest"),
        reason: reader.text("reason"),
        owner: reader.text("owner"),
        ends: ends.unwrap_or_default(),
        expires,
        exposure: reader.bool("exposure"),
        used: reader.bool("used"),
        workflow: reader.text("workflow"),
        workflow_known: reader.bool("workflow_known"),
        review_ends: end(&review_by).unwrap_or_default(),
        review_by,
        missing: reader.texts("missing"),
        exceeded: reader.texts("exceeded"),
        untrue: reader.texts("untrue"),
    };
    let name = record.rule.as_text().unwrap_or_default().to_string();
    Target::new(TargetKind::Suppression, name, record)
}
