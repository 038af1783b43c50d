//! Rules that span documents: they run once per run, on the compact facts that targets left behind.

use super::fact::Fact;
use super::plan::{Entry, Plan, Planned};
use crate::model::{Field, Record, Spot, State, Value, url};
use crate::near;
use crate::rule::condition::{Scope, Verdict, Violation};
use crate::rule::{Compiled, Hold, Joined, Rule, Where};
use std::cell::Cell;
use std::collections::{BTreeSet, HashMap};

/// Others that one target is compared with at the most; a group beyond that is cut and counted as not judged.
const MAX_GROUP: usize = 1000;

/// Comparisons of two targets that one rule may take in a run. A configuration of many thousand issuers would else keep it
/// busy for minutes; what is left over is counted as not judged.
const MAX_PAIRS: usize = 500_000;

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

/// Runs every joining rule over linked facts.
pub fn judge_fleet<'f>(plan: &'f Plan, facts: &'f [Fact], now: i64) -> FleetJudgements<'f> {
    let mut said = FleetJudgements::default();
    for (kind, entry) in &plan.fleet {
        let rule = &plan.book.rules[entry.rule];
        let form = rule.form(entry.form);
        let Some(join) = &form.join else { continue };
        let groups = Groups::new(facts, form, join);
        // What belongs to no service has no others of its service that could be missing.
        let homed = |fact: &Fact| join.place != Where::Service || fact.service.is_some();
        let left = Cell::new(MAX_PAIRS);
        for fact in facts.iter().filter(|fact| fact.kind == *kind && !fact.given && homed(fact)) {
            let others =
                groups.of(fact, join).filter(|other| !std::ptr::eq(*other, fact) && is_there(fact, other, join));
            let others: Vec<&Fact> = others.take(MAX_GROUP + 1).collect();
            let judge = Judge { plan, entry, rule, form, join, fact, left: &left, now };
            judge.against(&others, &mut said);
        }
    }
    said
}

/// Does the other lie where the rule looks? The group settles what belongs to one service.
fn is_there(fact: &Fact, other: &Fact, join: &Joined) -> bool {
    match join.place {
        Where::Run | Where::Service => true,
        Where::OtherFiles => other.path != fact.path,
        Where::OtherServices => fact.service.is_some() && other.service.is_some() && fact.service != other.service,
    }
}

/// Others by the values they are joined on.
struct Groups<'f> {
    by_key: HashMap<Vec<String>, Vec<&'f Fact>>,
}

impl<'f> Groups<'f> {
    /// Of others that look the same to the check (and, where it matters, lie in the same place) two are kept: one for
    /// all, and one for the first itself. So the tokens of an issuer need not be compared each with each.
    fn new(facts: &'f [Fact], form: &Compiled, join: &Joined) -> Self {
        let mut by_key: HashMap<Vec<String>, Vec<&'f Fact>> = HashMap::new();
        let mut alike: HashMap<(Vec<String>, String), u8> = HashMap::new();
        let (_, read) = form.check.reads();
        for fact in facts.iter().filter(|fact| join.kinds.contains(&fact.kind)) {
            let Some(key) = key(fact, join, join.on.iter().map(|(_, theirs)| *theirs)) else { continue };
            let states: Vec<_> = read.iter().map(|index| fact.field(*index)).map(|field| &field.state).collect();
            let look = match (join.hold, join.place) {
                (Hold::Most, _) | (_, Where::OtherServices) => format!("{states:?}{:?}{}", fact.service, fact.path),
                (_, Where::OtherFiles) => format!("{states:?}{}", fact.path),
                (_, Where::Run | Where::Service) => format!("{states:?}"),
            };
            let seen = alike.entry((key.clone(), look)).or_default();
            if *seen < 2 {
                *seen += 1;
                by_key.entry(key).or_default().push(fact);
            }
        }
        Groups { by_key }
    }

    fn of(&self, fact: &Fact, join: &Joined) -> impl Iterator<Item = &'f Fact> + '_ {
        let key = key(fact, join, join.on.iter().map(|(ours, _)| *ours));
        key.and_then(|key| self.by_key.get(&key)).into_iter().flatten().copied()
    }
}

/// The texts of the joined fields, and the service where that has to be the same; `None` when one of them is not there.
fn key(fact: &Fact, join: &Joined, fields: impl Iterator<Item = usize>) -> Option<Vec<String>> {
    let text = |index| match &fact.field(index).state {
        State::Value(Value::Text(text)) => Some(joined(text)),
        State::Value(Value::Int(_) | Value::Bool(_) | Value::List(_)) => None,
        State::Absent | State::Unknown(_) | State::Malformed(_) | State::Unlimited => None,
    };
    let service = match join.place {
        Where::Service => Some(fact.service?.to_string()),
        Where::Run | Where::OtherFiles | Where::OtherServices => None,
    };
    fields.map(text).chain(service.map(Some)).collect()
}

/// A text so that spellings of one URL are equal.
fn joined(text: &str) -> String {
    let text = url::comparable(text);
    text.strip_prefix("http://").map_or(text.clone(), |rest| format!("https://{rest}"))
}

struct Judge<'f, 'l> {
    plan: &'f Plan,
    entry: &'f Entry,
    rule: &'f Rule,
    form: &'f Compiled,
    join: &'f Joined,
    fact: &'f Fact,
    /// Of [`MAX_PAIRS`].
    left: &'l Cell<usize>,
    now: i64,
}

impl<'f> Judge<'f, '_> {
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
        if others.is_empty() && !self.join.required && !self.join.kinds.is_empty() {
            return;
        }
        let cut = others.len() > MAX_GROUP;
        if cut {
            self.gap(said, "join", format!("more than {MAX_GROUP} others belong to it; the rest was not compared"));
        }
        let others = &others[..others.len().min(MAX_GROUP)];
        for planned in self.entry.planned.iter().filter(|planned| self.fact.profiles.contains(planned.profile)) {
            let scope = self.scope(None, planned);
            match self.form.when.as_ref().map_or(Verdict::Holds, |when| when.applies(&scope)) {
                Verdict::Holds => self.under(planned, others, cut, said),
                Verdict::Unknown { field, why } => self.gap(said, field, why),
                Verdict::Broken(_) | Verdict::Absent => {}
                Verdict::Defective(why) => self.gap(said, "rule", why),
            }
        }
    }

    /// Judges the target, or each element of its list.
    fn under(&self, planned: &'f Planned, others: &[&'f Fact], cut: bool, said: &mut FleetJudgements<'f>) {
        let Some(list) = self.form.each else { return self.one(planned, others, cut, None, said) };
        let field = self.fact.field(list);
        match &field.state {
            State::Value(Value::List(items)) => {
                (0..items.len()).for_each(|at| self.one(planned, others, cut, Some((list, at)), said));
            }
            State::Unknown(why) => self.gap(said, self.fact.kind.fields()[list].name, why.to_string()),
            State::Malformed(why) => self.gap(said, self.fact.kind.fields()[list].name, format!("malformed: {why}")),
            State::Absent | State::Unlimited | State::Value(Value::Text(_) | Value::Int(_) | Value::Bool(_)) => {}
        }
    }

    fn one(
        &self,
        planned: &'f Planned,
        others: &[&'f Fact],
        cut: bool,
        item: Option<(usize, usize)>,
        said: &mut FleetJudgements<'f>,
    ) {
        let mut sides = Sides::default();
        if self.join.kinds.is_empty() {
            return self.whole(planned, item, said);
        }
        let Some(left) = self.left.get().checked_sub(others.len()) else {
            let why = format!("the rule compared {MAX_PAIRS} pairs of targets before; check fewer files at a time");
            return self.gap(said, "join", why);
        };
        self.left.set(left);
        for other in others {
            let scope = Scope { item: self.item(item), ..self.scope(Some(other), planned) };
            match self.form.check.judge(&scope) {
                Verdict::Holds => sides.held.push(other),
                Verdict::Broken(_) => sides.broken.push(other),
                Verdict::Absent => {}
                Verdict::Unknown { field, why } => sides.open = Some((field, why)),
                Verdict::Defective(why) => sides.open = Some(("rule".to_string(), why)),
            }
        }
        let alone = self.join.required && others.is_empty();
        let fails = alone
            || match self.join.hold {
                Hold::All => !sides.broken.is_empty(),
                // One whose answer is open might be the one that satisfies it.
                Hold::Any => sides.held.is_empty() && !sides.broken.is_empty() && sides.open.is_none() && !cut,
                Hold::Most => self.is_odd_one(&mut sides) && !cut,
            };
        let satisfied = !sides.held.is_empty() && self.join.hold == Hold::Any;
        if fails {
            said.findings.push(self.finding(planned, sides.broken, item));
        } else if let Some((field, why)) = sides.open.filter(|_| !satisfied) {
            self.gap(said, field, why);
        } else {
            said.passed += u64::from(!sides.held.is_empty());
        }
    }

    /// Judges by what the whole run tells, without others.
    fn whole(&self, planned: &'f Planned, item: Option<(usize, usize)>, said: &mut FleetJudgements<'f>) {
        let scope = Scope { item: self.item(item), ..self.scope(None, planned) };
        match self.form.check.judge(&scope) {
            Verdict::Holds => said.passed += 1,
            Verdict::Broken(_) => said.findings.push(self.finding(planned, vec![], item)),
            Verdict::Absent => {}
            Verdict::Unknown { field, why } => self.gap(said, field, why),
            Verdict::Defective(why) => self.gap(said, "rule", why),
        }
    }

    fn item(&self, item: Option<(usize, usize)>) -> Option<&Field<'static>> {
        item.and_then(|(list, at)| self.fact.field(list).items().get(at))
    }

    /// Do most services have it another way? Those that have it both ways are taken out.
    fn is_odd_one(&self, sides: &mut Sides<'f>) -> bool {
        let parties = |facts: &[&'f Fact]| facts.iter().map(|fact| party(fact)).collect::<BTreeSet<_>>();
        let (held, broken) = (parties(&sides.held), parties(&sides.broken));
        let own = party(self.fact);
        sides.broken.retain(|other| !held.contains(&party(other)));
        let with_us = held.iter().filter(|party| **party != own && !broken.contains(*party)).count() + 1;
        let against = parties(&sides.broken).len();
        let first = sides.broken.iter().map(|other| rank(other)).min();
        !broken.contains(&own) && (against > with_us || against == with_us && first < Some(rank(self.fact)))
    }

    fn finding(
        &self,
        planned: &'f Planned,
        mut broken: Vec<&'f Fact>,
        item: Option<(usize, usize)>,
    ) -> FleetFinding<'f> {
        const SHOWN: usize = 3;
        let reason = self.near_miss(&mut broken).unwrap_or_default();
        let scope = Scope { item: self.item(item), ..self.scope(broken.first().copied(), planned) };
        let name = broken.first().filter(|_| item.is_none()).map(|other| other.name.to_string());
        let violation = Violation { at: None, field: "", item: name, reason };
        let profile = planned.profile_name(&self.plan.book);
        let at = item.map(|(list, _)| list).or_else(|| self.form.at.first().copied());
        let element = item.and_then(|(list, at)| self.fact.kept(list)?.items.get(at)?.as_ref());
        let related = broken.iter().take(SHOWN).map(|other| {
            let shown = self.join.show.iter().find_map(|index| other.spot_of(*index));
            (*other, shown.unwrap_or(&other.spot))
        });
        FleetFinding {
            rule: self.rule,
            planned,
            fact: self.fact,
            spot: element.or_else(|| at.and_then(|index| self.fact.spot_of(index))).unwrap_or(&self.fact.spot),
            field: at.map_or("", |index| scope.specs[index].name),
            message: self.form.message.render(&scope, &violation, &profile),
            related: related.collect(),
        }
    }

    /// Where one of the others was to satisfy the check: puts the one first that nearly does, and asks whether it was meant.
    fn near_miss(&self, broken: &mut [&'f Fact]) -> Option<String> {
        const SLIP: usize = 2;
        if self.join.hold != Hold::Any {
            return None;
        }
        let ours = self.fact.field(*self.form.at.first()?).as_text()?;
        let shown = *self.join.show.first()?;
        let short = |text: &str| text.chars().take(200).collect::<String>();
        let edits = |other: &Fact| Some(near::distance(&short(other.field(shown).as_text()?), &short(ours)));
        let (at, distance) = broken
            .iter()
            .enumerate()
            .filter_map(|(at, other)| Some((at, edits(other)?)))
            .min_by_key(|(_, edits)| *edits)?;
        if distance > SLIP || distance >= ours.chars().count() {
            return None;
        }
        broken.swap(0, at);
        broken[0].field(shown).as_text().map(|text| format!("; did you mean {text}?"))
    }
}

/// The others by what the check says of them.
#[derive(Default)]
struct Sides<'f> {
    held: Vec<&'f Fact>,
    broken: Vec<&'f Fact>,
    /// A field that kept it from being said of one, and why.
    open: Option<(String, String)>,
}

/// Who speaks: the service, else the file.
fn party(fact: &Fact) -> Result<usize, &str> {
    fact.service.ok_or(fact.path.as_str())
}

/// The order in which facts come in.
fn rank(fact: &Fact) -> (&str, u64) {
    (&fact.path, fact.spot.region.byte_offset)
}
