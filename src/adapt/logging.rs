//! What is known of the logs of a site, as the examples of rules about them write it. Logs themselves are read by
//! [`crate::trace`].

use super::account::Account;
use super::{Kind, Reader};
use crate::model::{Field, Logging, Target, TargetKind};

pub(super) static LOGGINGS: Account = Account {
    kind: &[Kind {
        name: "tokenvet-logging",
        doc: "What is known of the logs of a site; written only in examples of rules about them.",
        targets: &[TargetKind::Logging],
    }],
    read,
};

fn read<'d>(reader: &Reader<'d>) -> Target<'d> {
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
    let name = record.service.as_text().unwrap_or("site").to_string();
    Target::new(TargetKind::Logging, name, record)
}
