//! What is known of the logs of a site, as the examples of rules about them write it. Logs themselves are read by
//! [`crate::trace`].

use super::{Adapter, Kind, Reader, Sink};
use crate::model::{Field, Logging, Target, TargetKind};
use crate::parse::Document;

/// The one member of such an account.
const MEMBER: &str = "tokenvet-logging";

pub(super) struct Loggings;

impl Adapter for Loggings {
    fn kinds(&self) -> &'static [Kind] {
        &[Kind {
            name: MEMBER,
            doc: "What is known of the logs of a site; written only in examples of rules about them.",
            targets: &[TargetKind::Logging],
        }]
    }

    fn recognise(&self, document: &Document) -> Option<&'static str> {
        document.root().get(MEMBER).filter(|list| list.is_seq()).map(|_| MEMBER)
    }

    fn adapt(&self, document: &Document, _: &'static str, sink: &mut dyn Sink) {
        let Some(list) = document.root().get(MEMBER) else { return };
        for item in list.items() {
            let reader = Reader::new(item);
            let names_tokens = match reader.text("names_tokens").as_text() {
                Some("unknown") => Field::unknown("the files do not show it", reader.at("names_tokens")),
                _ => reader.bool("names_tokens"),
            };
            let record = Logging {
                service: reader.text("service"),
                product: reader.text("product"),
                format: reader.text("format"),
                kind: reader.text("kind"),
                without_jti: reader.int("without_jti"),
                names_tokens,
                retention: reader.int("retention"),
                asked: reader.int("asked"),
                unanswered: reader.int("unanswered"),
            };
            let at = reader.place(item);
            let name = record.service.as_text().unwrap_or("site").to_string();
            sink.target(&[document], Target { at, ..Target::new(TargetKind::Logging, name, record) });
        }
    }
}
