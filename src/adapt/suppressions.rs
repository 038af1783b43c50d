//! The account a run keeps of its suppressions, as the examples of rules about them write it. Comments, waiver files
//! and baselines themselves are read by [`crate::suppress`], which knows what they hid.

use super::{Adapter, Kind, Reader, Sink};
use crate::model::{Field, Suppression, Target, TargetKind};
use crate::parse::Document;
use crate::suppress::end_of_day;

/// The one member of such an account.
const MEMBER: &str = "tokenvet-suppressions";

pub(super) struct Suppressions;

impl Adapter for Suppressions {
    fn kinds(&self) -> &'static [Kind] {
        &[Kind {
            name: MEMBER,
            doc: "What a run knows of its suppressions; written only in examples of rules about them.",
            targets: &[TargetKind::Suppression],
        }]
    }

    fn recognise(&self, document: &Document) -> Option<&'static str> {
        document.root().get(MEMBER).filter(|list| list.is_seq()).map(|_| MEMBER)
    }

    fn adapt(&self, document: &Document, _: &'static str, sink: &mut dyn Sink) {
        let Some(list) = document.root().get(MEMBER) else { return };
        for item in list.items() {
            let reader = Reader::new(item);
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
            let at = reader.place(item);
            let name = record.rule.as_text().unwrap_or_default().to_string();
            sink.target(&[document], Target { at, ..Target::new(TargetKind::Suppression, name, record) });
        }
    }
}
