//! The account a scan keeps of the tokens it found, as the examples of rules about them write it. Logs themselves are read
//! by [`crate::scan`].

use super::account::Account;
use super::{Kind, Reader};
use crate::model::{Field, Leak, Target, TargetKind};

pub(super) static LEAKS: Account = Account {
    kind: &[Kind {
        name: "tokenvet-leaks",
        doc: "What a scan knows of the tokens it found; written only in examples of rules about them.",
        targets: &[TargetKind::Leak],
    }],
    read,
};

fn read<'d>(reader: &Reader<'d>) -> Target<'d> {
    let remaining = match reader.text("remaining").as_text() {
        Some("unlimited") => Field::unlimited(reader.at("remaining")),
        _ => reader.int("remaining"),
    };
    // `redacted` is a state here, and not what somebody put in place of one.
    let state = reader.cursor().get("state").map(|state| Reader::text_of(state, reader.place(state)));
    let record = Leak {
        form: reader.text("form"),
        state: state.unwrap_or_default(),
        purpose: reader.text("purpose"),
        carrier: reader.text("carrier"),
        issuer: reader.text("issuer"),
        jti: reader.text("jti"),
        client_id: reader.text("client_id"),
        scopes: reader.texts("scopes"),
        writes: reader.bool("writes"),
        remaining,
        begins: reader.int("begins"),
        count: reader.int("count"),
        files: reader.int("files"),
        fingerprint: reader.text("fingerprint"),
        signature: reader.text("signature"),
    };
    let name = record.fingerprint.as_text().unwrap_or_default().to_string();
    Target::new(TargetKind::Leak, name, record)
}
