//! Secrets in broker and issuer configurations: seen, masked, never passed on.

use super::withheld::{WITHHELD_DEFAULT, is_withheld};
use super::{Reader, Sink};
use crate::model::{Field, State};

/// What is said of a secret without saying it.
#[derive(Default)]
pub(super) struct Secret<'d> {
    /// For `has_secret`: true when it stands in clear or was withheld from a snapshot, unknown behind a placeholder, absent
    /// when there is none.
    pub(super) present: Field<'d>,
    /// For `secret_is_default`: true when it is one of the `defaults`.
    pub(super) is_default: Field<'d>,
}

/// Looks at a member that holds a secret and has it masked. `defaults` are values that products ship or document.
pub(super) fn look<'d>(reader: &Reader<'d>, name: &str, defaults: &[&str], sink: &mut dyn Sink) -> Secret<'d> {
    let field = reader.any_text(name);
    let Some(member) = reader.cursor().get(name) else { return Secret::default() };
    match (&field.state, field.as_text()) {
        (State::Absent, _) | (_, Some("")) => Secret::default(),
        (_, Some(text)) if is_withheld(text) => {
            Secret { present: Field::bool(true, field.at), is_default: Field::bool(text == WITHHELD_DEFAULT, field.at) }
        }
        (_, Some(text)) => {
            sink.secret(member.document, member.id);
            Secret { present: Field::bool(true, field.at), is_default: Field::bool(defaults.contains(&text), field.at) }
        }
        _ => Secret { present: field.clone(), is_default: field },
    }
}

/// Masks every text below a node, whatever the names.
pub(super) fn mask_all(node: crate::parse::Cursor<'_>, sink: &mut dyn Sink) {
    let mut open = vec![node];
    while let Some(node) = open.pop() {
        if node.scalar_text().is_some() {
            sink.secret(node.document, node.id);
        }
        open.extend(node.items());
    }
}
