//! The account a scan keeps of the tokens it found, as the examples of rules about them write it. Logs themselves are read
//! by [`crate::scan`].

use super::{Adapter, Kind, Reader, Sink};
use crate::model::{Field, Leak, Target, TargetKind};
use crate::parse::Document;

/// The one member of such an account.
const MEMBER: &str = "tokenvet-leaks";

pub(super) struct Leaks;

impl Adapter for Leaks {
    fn kinds(&self) -> &'static [Kind] {
        &[Kind {
            name: MEMBER,
            doc: "What a scan knows of the tokens it found; written only in examples of rules about them.",
            targets: &[TargetKind::Leak],
        }]
    }

    fn recognise(&self, document: &Document) -> Option<&'static str> {
        document.root().get(MEMBER).filter(|list| list.is_seq()).map(|_| MEMBER)
    }

    fn adapt(&self, document: &Document, _: &'static str, sink: &mut dyn Sink) {
        let Some(list) = document.root().get(MEMBER) else { return };
        for item in list.items() {
            let reader = Reader::new(item);
            let remaining = match reader.text("remaining").as_text() {
                Some("unlimited") => Field::unlimited(reader.at("remaining")),
                _ => reader.int("remaining"),
            };
            let record = Leak {
                form: reader.text("form"),
                state: reader.text("state"),
                purpose: reader.text("purpose"),
                carrier: reader.text("carrier"),
                issuer: reader.text("issuer"),
                jti: reader.text("jti"),
                client_id: reader.text("client_id"),
                scopes: reader.texts("scopes"),
                writes: reader.bool("writes"),
                remaining,
                count: reader.int("count"),
                files: reader.int("files"),
                fingerprint: reader.text("fingerprint"),
                signature: reader.text("signature"),
            };
            let at = reader.place(item);
            let name = record.fingerprint.as_text().unwrap_or_default().to_string();
            sink.target(&[document], Target { at, ..Target::new(TargetKind::Leak, name, record) });
        }
    }
}
