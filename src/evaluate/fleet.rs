//! Rules that span documents: they run once per run, on the compact facts that targets left behind.

use super::plan::{Entry, Plan, Planned};
use crate::model::{At, Field, Record, State, TargetKind, Value, url};
use crate::report::Region;
use crate::rule::condition::{Scope, Verdict};
use crate::rule::{Compiled, Hold, Joined, Rule};
use std::collections::HashMap;

/// Others that one target is compared with at the most; a group beyond that is cut and counted as not judged.
const MAX_GROUP: usize = 1000;

/// Where something stands in a file, resolved while the file was in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spot {
    /// Place in the file.
    pub region: Region,
    /// Pointer in the file's document.
    pub pointer: String,
    /// Pointer in the document decoded from there.
    pub inner_pointer: Option<String>,
}

/// What a target leaves behind for the rules that join: the fields they read, and where those stand.
#[derive(Clone, Debug)]
pub struct Fact {
    /// Kind of the target.
    pub kind: TargetKind,
    /// What users call it.
    pub name: String,
    /// Its identity across runs; may be empty.
    pub identity: String,
    /// The file it came from.
    pub path: String,
    /// Where the target stands.
    pub spot: Spot,
    /// Profiles that apply to it, by index into the rule book.
    pub profiles: super::ProfileSet,
    /// Kept fields by index, with their places.
    pub fields: Vec<(usize, Field<'static>, Option<Spot>)>,
}

impl Record<'static> for Fact {
    fn field(&self, index: usize) -> &Field<'static> {
        self.fields.iter().find(|(known, ..)| *known == index).map_or(Field::absent(), |(_, field, _)| field)
    }
}

impl Fact {
    fn spot_of(&self, index: usize) -> Option<&Spot> {
        self.fields.iter().find(|(known, ..)| *known == index).and_then(|(.., spot)| spot.as_ref())
    }
}

/// A finding that spans documents, before it is dressed for the report.
#[derive(Debug)]
pub struct FleetFinding<'f> {
    /// The rule.
    pub rule: &'f Rule,
    /// The profile and severity.
    pub planned: &'f Planned,
    /// The target that breaks the rule.
    pub fact: &'f Fact,
    /// Where.
    pub spot: &'f Spot,
    /// The field at fault.
    pub field: &'static str,
    /// What was found.
    pub message: String,
    /// The other target's places.
    pub related: Vec<(&'f Fact, &'f Spot)>,
}

/// Runs every joining rule. `gap` hears of targets that could not be judged: fact, rule, field, why.
pub fn judge_fleet<'f>(
    plan: &'f Plan,
    facts: &'f [Fact],
    now: i64,
    gap: &mut dyn FnMut(&Fact, &Rule, &str, &str),
) -> Vec<FleetFinding<'f>> {
    let mut found = Vec::new();
    for (kind, entry) in &plan.fleet {
        let rule = &plan.book.rules[entry.rule];
        let form = &rule.compiled[entry.form].1;
        let Some(join) = &form.join else { continue };
        let groups = Groups::new(facts, join);
        for fact in facts.iter().filter(|fact| fact.kind == *kind) {
            let others: Vec<&Fact> = groups.of(fact, join).filter(|other| !std::ptr::eq(*other, fact)).collect();
            let judge = Judge { plan, entry, rule, form, join, fact, now };
            judge.against(&others, &mut found, gap);
        }
    }
    found
}

/// Others by the values they are joined on.
struct Groups<'f> {
    by_key: HashMap<Vec<String>, Vec<&'f Fact>>,
}

impl<'f> Groups<'f> {
    fn new(facts: &'f [Fact], join: &Joined) -> Self {
        let mut by_key: HashMap<Vec<String>, Vec<&'f Fact>> = HashMap::new();
        for fact in facts.iter().filter(|fact| join.kinds.contains(&fact.kind)) {
            if let Some(key) = key(fact, join.on.iter().map(|(_, theirs)| *theirs)) {
                by_key.entry(key).or_default().push(fact);
            }
        }
        Groups { by_key }
    }

    fn of(&self, fact: &Fact, join: &Joined) -> impl Iterator<Item = &'f Fact> + '_ {
        let key = key(fact, join.on.iter().map(|(ours, _)| *ours));
        key.and_then(|key| self.by_key.get(&key)).into_iter().flatten().copied()
    }
}

/// The texts of the joined fields; `None` when one of them holds none.
fn key(fact: &Fact, fields: impl Iterator<Item = usize>) -> Option<Vec<String>> {
    fields
        .map(|index| match &fact.field(index).state {
            State::Value(Value::Text(text)) => Some(url::comparable(text)),
            State::Value(Value::Int(_) | Value::Bool(_) | Value::List(_)) => None,
            State::Absent | State::Unknown(_) | State::Malformed(_) | State::Unlimited => None,
        })
        .collect()
}

struct Judge<'f> {
    plan: &'f Plan,
    entry: &'f Entry,
    rule: &'f Rule,
    form: &'f Compiled,
    join: &'f Joined,
    fact: &'f Fact,
    now: i64,
}

impl<'f> Judge<'f> {
    fn scope<'s>(&self, other: Option<&'s Fact>, planned: &Planned) -> Scope<'s, 'static>
    where
        'f: 's,
    {
        let own = Scope::new(self.fact, self.fact.kind.fields(), &self.plan.book.registry, self.now);
        let other = other.map(|other| other as &dyn Record<'static>);
        Scope { other, limit: planned.limit, ..own }
    }

    fn against(
        &self,
        others: &[&'f Fact],
        found: &mut Vec<FleetFinding<'f>>,
        gap: &mut dyn FnMut(&Fact, &Rule, &str, &str),
    ) {
        if others.is_empty() {
            return;
        }
        if others.len() > MAX_GROUP {
            let why = format!("more than {MAX_GROUP} others belong to it; only those were compared");
            gap(self.fact, self.rule, "join", &why);
        }
        let others = &others[..others.len().min(MAX_GROUP)];
        for planned in self.entry.planned.iter().filter(|planned| self.fact.profiles.contains(planned.profile)) {
            let scope = self.scope(None, planned);
            match self.form.when.as_ref().map_or(Verdict::Holds, |when| when.applies(&scope)) {
                Verdict::Holds => self.under(planned, others, found, gap),
                Verdict::Unknown { field, why } => gap(self.fact, self.rule, &field, &why),
                Verdict::Broken(_) | Verdict::Absent => {}
                Verdict::Defective(why) => gap(self.fact, self.rule, "rule", &why),
            }
        }
    }

    fn under(
        &self,
        planned: &'f Planned,
        others: &[&'f Fact],
        found: &mut Vec<FleetFinding<'f>>,
        gap: &mut dyn FnMut(&Fact, &Rule, &str, &str),
    ) {
        let mut broken: Vec<&'f Fact> = Vec::new();
        let (mut held, mut open) = (false, None);
        for other in others {
            match self.form.check.judge(&self.scope(Some(other), planned)) {
                Verdict::Holds => held = true,
                Verdict::Broken(_) => broken.push(other),
                Verdict::Absent => {}
                Verdict::Unknown { field, why } => open = Some((field, why)),
                Verdict::Defective(why) => open = Some(("rule".to_string(), why)),
            }
        }
        let fails = match self.join.hold {
            Hold::All => !broken.is_empty(),
            // One whose answer is open might be the one that satisfies it.
            Hold::Any => !held && !broken.is_empty() && open.is_none(),
        };
        if fails {
            found.push(self.finding(planned, &broken));
        } else if let Some((field, why)) = open.filter(|_| !(held && self.join.hold == Hold::Any)) {
            gap(self.fact, self.rule, &field, &why);
        }
    }

    fn finding(&self, planned: &'f Planned, broken: &[&'f Fact]) -> FleetFinding<'f> {
        const SHOWN: usize = 3;
        let scope = self.scope(broken.first().copied(), planned);
        let violation = crate::rule::condition::Violation {
            at: None::<At>,
            field: "",
            item: broken.first().map(|other| other.name.clone()),
            reason: String::new(),
        };
        let profile = &self.plan.book.profiles[planned.profile].id;
        let first = self.form.at.first().copied();
        let related = broken.iter().take(SHOWN).map(|other| {
            let shown = self.join.show.iter().find_map(|index| other.spot_of(*index));
            (*other, shown.unwrap_or(&other.spot))
        });
        FleetFinding {
            rule: self.rule,
            planned,
            fact: self.fact,
            spot: first.and_then(|index| self.fact.spot_of(index)).unwrap_or(&self.fact.spot),
            field: first.map_or("", |index| scope.specs[index].name),
            message: self.form.message.render(&scope, &violation, profile),
            related: related.collect(),
        }
    }
}
