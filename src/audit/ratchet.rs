//! The ratchet: lifetimes may shrink between audits, and grow only when somebody answers for it.

use crate::model::{Field, FieldType, Held, Quantity, Record, Target, TargetKind};
use crate::rule::message;
use std::collections::{BTreeMap, HashMap};

/// The field that names the lifetimes that grew.
pub(crate) const GROWN: &str = "lifetimes.grown";

/// The lifetimes that the last audit accepted, in seconds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Accepted {
    /// By kind and anchor of the target and its file, then by field (`lifetimes.access_token`). Issuers have clients of the
    /// same name.
    pub of: HashMap<(String, String, String), BTreeMap<String, Quantity>>,
    /// By kind and anchor, those whose file is gone: it may have another name now.
    pub moved: HashMap<(String, String), BTreeMap<String, Quantity>>,
    /// Those of targets that are not named there: the examples of rules have none.
    pub others: Option<BTreeMap<String, Quantity>>,
}

/// A target's record with what grew since the last audit.
struct Audited<'d> {
    record: Held<'d>,
    index: usize,
    grown: Field<'d>,
}

impl<'d> Record<'d> for Audited<'d> {
    fn field(&self, index: usize) -> &Field<'d> {
        if index == self.index { &self.grown } else { self.record.field(index) }
    }
}

/// Do targets of this kind have lifetimes that are compared?
fn has_lifetimes(kind: TargetKind) -> bool {
    matches!(kind, TargetKind::Client | TargetKind::Settings)
}

impl Accepted {
    /// Learns which files are gone. Of one target in several of them the longest lifetimes count.
    pub fn look_for_files(&mut self, exists: impl Fn(&str) -> bool) {
        for ((kind, anchor, _), lifetimes) in self.of.iter().filter(|((.., path), _)| !exists(path)) {
            let moved = self.moved.entry((kind.clone(), anchor.clone())).or_default();
            for (name, seconds) in lifetimes {
                moved.entry(name.clone()).and_modify(|known| *known = (*known).max(*seconds)).or_insert(*seconds);
            }
        }
    }

    /// What was accepted of a target; `None` for one that no audit has seen.
    pub(crate) fn get(&self, kind: &str, anchor: &str, path: &str) -> Option<&BTreeMap<String, Quantity>> {
        let (kind, anchor) = (kind.to_string(), anchor.to_string());
        let here = self.of.get(&(kind.clone(), anchor.clone(), path.to_string()));
        here.or_else(|| self.moved.get(&(kind, anchor))).or(self.others.as_ref())
    }

    /// Writes into a target which of its lifetimes grew. One that no audit has seen keeps the field absent.
    pub(crate) fn compare<'d>(&self, anchor: &str, path: &str, target: Target<'d>) -> Target<'d> {
        if !has_lifetimes(target.kind) || (self.of.is_empty() && self.others.is_none()) {
            return target;
        }
        let Some(accepted) = self.get(target.kind.name(), anchor, path) else { return target };
        let specs = target.kind.fields();
        let Some(index) = specs.iter().position(|spec| spec.name == GROWN) else { return target };
        let mut grown = Vec::new();
        for (at, spec) in specs.iter().enumerate().filter(|(_, spec)| spec.ty == FieldType::Seconds) {
            let field = target.record.field(at);
            let (Some(before), Some(now)) = (accepted.get(spec.name), field.quantity()) else { continue };
            if now > *before {
                let words = format!("{} was {} and is {}", spec.name, lasts(*before), lasts(now));
                grown.push(Field::text(words, field.at));
            }
        }
        let at = grown.first().and_then(|field| field.at);
        let record = Held::Own(Box::new(Audited { record: target.record, index, grown: Field::list(grown, at) }));
        Target { record, ..target }
    }
}

/// A lifetime in seconds, for people.
pub(crate) fn lasts(lifetime: impl Into<Quantity>) -> String {
    lifetime.into().number().map_or("without end".into(), message::duration)
}
