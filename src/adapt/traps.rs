//! Handing over traps: places that a product does not read as they look.

use super::Sink;
use crate::model::{At, Field, Target, TargetKind, Trap};
use crate::parse::{Cursor, Document};

/// One trap on its way out.
pub(super) struct Found<'d> {
    product: &'static str,
    document: &'d Document,
    at: At,
    name: String,
    record: Trap<'d>,
}

impl<'d> Found<'d> {
    /// A trap of a product, with its code and the place it stands at.
    pub(super) fn new(product: &'static str, code: &'static str, at: Cursor<'d>, name: impl Into<String>) -> Self {
        let name = name.into();
        let place = At::node(at.id);
        let record = Trap {
            product: Field::text(product, None),
            code: Field::text(code, place),
            name: Field::text(name.clone(), place),
            ..Trap::default()
        };
        Found { product, document: at.document, at: place, name, record }
    }

    /// Another name than that of the place.
    pub(super) fn called(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self.record.name = Field::text(self.name.clone(), self.at);
        self
    }

    /// The word of the value that it is about, counted from 0.
    pub(super) fn word(mut self, index: usize) -> Self {
        self.at = self.at.word(index);
        self.record.code.at = Some(self.at);
        self.record.name.at = Some(self.at);
        self
    }

    /// The section it stands in.
    pub(super) fn section(mut self, section: impl Into<String>) -> Self {
        self.record.section = Field::text(section.into(), None);
        self
    }

    /// What the product makes of it.
    pub(super) fn effect(mut self, effect: impl Into<String>) -> Self {
        self.record.effect = Field::text(effect.into(), None);
        self
    }

    /// The known name that is nearest to it, if one is near: the effect then is `; did you mean NAME?`, else empty.
    pub(super) fn nearest(mut self, known: &[&str]) -> Self {
        let nearest = crate::near::nearest(&self.name, known.iter().copied());
        self.record.nearest = nearest.map_or_else(Field::default, |name| Field::text(name.to_string(), None));
        self.effect(nearest.map_or_else(String::new, |name| format!("; did you mean {name}?")))
    }

    /// Hands it over.
    pub(super) fn tell(self, sink: &mut dyn Sink) {
        let name = format!("{} ({})", self.name, self.product);
        sink.target(&[self.document], Target { at: self.at, ..Target::new(TargetKind::Trap, name, self.record) });
    }
}
