//! Which audiences a service takes, when its parts are put together.

use super::fact::{Fact, Kept, field_of};
use crate::model::{Field, State, TargetKind, Value};
use std::collections::BTreeMap;

const ELSEWHERE: &str = "no file of this run says which audiences the service takes";

/// What is known of one service.
#[derive(Default)]
struct Known {
    /// What a part says of the service as a whole: `audience_checked` and `audiences`.
    told: Option<(Field<'static>, Field<'static>)>,
    /// False once the entry of an issuer checks no audience; `None` as long as none says so or otherwise.
    checked: Option<bool>,
    /// Audiences in the entries of issuers.
    listed: Vec<Field<'static>>,
    /// True when one of those lists is not known.
    unsure: bool,
    /// A fact that shows that tokens are accepted.
    accepts: Option<usize>,
    /// True when there is a fact of the service as such.
    seen: bool,
}

/// Tells the parts of each service what only another part says. Where no part says it, it is unknown.
pub(super) fn settle(facts: &mut Vec<Fact>) {
    let mut known: BTreeMap<usize, Known> = BTreeMap::new();
    for (at, fact) in facts.iter().enumerate() {
        if let Some(service) = fact.service {
            known.entry(service).or_default().take(at, fact);
        }
    }
    let fields = ["audience_checked", "audiences"].map(|name| field_of(TargetKind::Service, name));
    let [Some(checked), Some(audiences)] = fields else { return };
    for fact in facts.iter_mut() {
        let Some(known) = fact.service.and_then(|service| known.get(&service)) else { continue };
        match fact.kind {
            TargetKind::Service => {
                let (is_checked, list) = known.answer();
                if !says(fact.known(checked)) {
                    fact.put(checked, is_checked);
                }
                if !matches!(fact.known(audiences).state, State::Value(_)) {
                    fact.put(audiences, list);
                }
            }
            // The entry of an issuer leaves it to the service.
            TargetKind::Trust if matches!(fact.named("audience_checked").state, State::Unknown(_)) => {
                if let Some((is_checked, list)) = &known.told {
                    let told = [("audience_checked", is_checked), ("audiences", list)];
                    let told = told.map(|(name, field)| (field_of(TargetKind::Trust, name), field));
                    told.into_iter().for_each(|(at, field)| at.into_iter().for_each(|at| fact.put(at, field.clone())));
                }
            }
            _ => {}
        }
    }
    // A service that only its map files show.
    let unseen =
        known.values().filter(|known| !known.seen).filter_map(|known| Some((known.accepts?, known.answer().0)));
    let unseen: Vec<Fact> = unseen
        .map(|(at, field)| Fact {
            kind: TargetKind::Service,
            fields: vec![Kept::derived(checked, field)],
            #[cfg(feature = "verify")]
            proof: None,
            ..facts[at].clone()
        })
        .collect();
    facts.extend(unseen);
}

/// Is it known whether audiences are checked?
fn says(checked: &Field<'_>) -> bool {
    checked.as_bool().is_some()
}

impl Known {
    fn take(&mut self, at: usize, fact: &Fact) {
        match fact.kind {
            TargetKind::Service => {
                self.seen = true;
                let checked = fact.named("audience_checked");
                if self.told.is_none() && says(checked) {
                    self.told = Some((checked.clone(), fact.named("audiences").clone()));
                }
                if fact.named("tokens").as_bool() == Some(true) {
                    self.accepts = self.accepts.or(Some(at));
                }
            }
            TargetKind::Trust if fact.named("active").as_bool() != Some(false) => {
                self.accepts = self.accepts.or(Some(at));
                let checked = fact.named("audience_checked").as_bool();
                self.checked = checked.map(|checked| checked && self.checked != Some(false)).or(self.checked);
                match &fact.named("audiences").state {
                    State::Value(Value::List(items)) => self.listed.extend(items.iter().cloned()),
                    State::Absent => {}
                    State::Unknown(_) | State::Malformed(_) | State::Unlimited | State::Value(_) => self.unsure = true,
                }
            }
            _ => {}
        }
    }

    /// `audience_checked` and `audiences` of the whole; absent for what accepts no tokens.
    fn answer(&self) -> (Field<'static>, Field<'static>) {
        match (&self.told, self.checked) {
            (Some(told), _) => told.clone(),
            (None, Some(false)) => (Field::bool(false, None), Field::default()),
            (None, Some(true)) if !self.unsure => (Field::bool(true, None), Field::list(self.listed.clone(), None)),
            _ if self.accepts.is_some() => (Field::unknown(ELSEWHERE, None), Field::default()),
            _ => Default::default(),
        }
    }
}
