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
    /// What a fingerprint tells it by: its identity, or where it stands.
    pub anchor: String,
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

/// What joining rules said.
#[derive(Debug, Default)]
pub struct FleetJudgements<'f> {
    /// What is wrong.
    pub findings: Vec<FleetFinding<'f>>,
    /// Targets that could not be judged: fact, rule, field, why.
    pub gaps: Vec<(&'f Fact, &'f Rule, String, String)>,
    /// Judgements that found nothing wrong.
    pub passed: u64,
}

/// Gives key sets and clients, whose files name no issuer, the issuer whose metadata lies in the same folder, when
/// there is exactly one.
pub fn link(facts: &mut [Fact]) {
    let folder = |path: &str| path.rsplit_once('/').map_or(String::new(), |(folder, _)| folder.to_string());
    let issuer_field = |kind: TargetKind| kind.fields().iter().position(|spec| spec.name == "issuer");
    let mut of_folder: HashMap<String, Option<Field<'static>>> = HashMap::new();
    for fact in facts.iter().filter(|fact| fact.kind == TargetKind::Issuer) {
        let Some(field) = issuer_field(fact.kind).map(|index| fact.field(index).clone()) else { continue };
        let known = of_folder.entry(folder(&fact.path)).or_insert_with(|| Some(field.clone()));
        if known.as_ref().is_some_and(|known| known.state != field.state) {
            *known = None;
        }
    }
    for fact in facts.iter_mut() {
        let lonely = matches!(fact.kind, TargetKind::Key | TargetKind::KeySet | TargetKind::Client);
        let Some(index) = issuer_field(fact.kind).filter(|index| lonely && fact.field(*index).is_absent()) else {
            continue;
        };
        if let Some(Some(field)) = of_folder.get(&folder(&fact.path)) {
            fact.fields.push((index, Field { at: None, ..field.clone() }, None));
        }
    }
}

/// Runs every joining rule over linked facts.
pub fn judge_fleet<'f>(plan: &'f Plan, facts: &'f [Fact], now: i64) -> FleetJudgements<'f> {
    let mut said = FleetJudgements::default();
    for (kind, entry) in &plan.fleet {
        let rule = &plan.book.rules[entry.rule];
        let form = &rule.compiled[entry.form].1;
        let Some(join) = &form.join else { continue };
        let groups = Groups::new(facts, join);
        for fact in facts.iter().filter(|fact| fact.kind == *kind) {
            let others: Vec<&Fact> = groups.of(fact, join).filter(|other| !std::ptr::eq(*other, fact)).collect();
            let judge = Judge { plan, entry, rule, form, join, fact, now };
            judge.against(&others, &mut said);
        }
    }
    said
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
        let own = Scope { environment: self.plan.environment, ..own };
        let other = other.map(|other| other as &dyn Record<'static>);
        Scope { other, limit: planned.limit, ..own }
    }

    fn gap(&self, said: &mut FleetJudgements<'f>, field: impl Into<String>, why: impl Into<String>) {
        said.gaps.push((self.fact, self.rule, field.into(), why.into()));
    }

    fn against(&self, others: &[&'f Fact], said: &mut FleetJudgements<'f>) {
        if others.is_empty() {
            return;
        }
        if others.len() > MAX_GROUP {
            self.gap(said, "join", format!("more than {MAX_GROUP} others belong to it; the rest was not compared"));
        }
        let others = &others[..others.len().min(MAX_GROUP)];
        for planned in self.entry.planned.iter().filter(|planned| self.fact.profiles.contains(planned.profile)) {
            let scope = self.scope(None, planned);
            match self.form.when.as_ref().map_or(Verdict::Holds, |when| when.applies(&scope)) {
                Verdict::Holds => self.under(planned, others, said),
                Verdict::Unknown { field, why } => self.gap(said, field, why),
                Verdict::Broken(_) | Verdict::Absent => {}
                Verdict::Defective(why) => self.gap(said, "rule", why),
            }
        }
    }

    fn under(&self, planned: &'f Planned, others: &[&'f Fact], said: &mut FleetJudgements<'f>) {
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
            said.findings.push(self.finding(planned, &broken));
        } else if let Some((field, why)) = open.filter(|_| !(held && self.join.hold == Hold::Any)) {
            self.gap(said, field, why);
        } else {
            said.passed += u64::from(held);
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
        let profile = planned.profile_name(&self.plan.book);
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
            message: self.form.message.render(&scope, &violation, &profile),
            related: related.collect(),
        }
    }
}
