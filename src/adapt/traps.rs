//! Handing over traps: places that a product does not read as they look.

use super::Sink;
use crate::model::{At, Field, Target, TargetKind, Trap};
use crate::parse::Cursor;

/// One trap on its way out.
pub(super) struct Found<'d> {
    product: &'static str,
    at: Cursor<'d>,
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
        Found { product, at, name, record }
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
        let nearest = crate::rule::near::nearest(&self.name, known.iter().copied());
        self.record.nearest = nearest.map_or_else(Field::default, |name| Field::text(name.to_string(), None));
        self.effect(nearest.map_or_else(String::new, |name| format!("; did you mean {name}?")))
    }

    /// Hands it over.
    pub(super) fn tell(self, sink: &mut dyn Sink) {
        let name = format!("{} ({})", self.name, self.product);
        let at = At::node(self.at.id);
        sink.target(&[self.at.document], Target { at, ..Target::new(TargetKind::Trap, name, self.record) });
    }
}
