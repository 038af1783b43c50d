//! Judging one target, or one native document.

use super::memory::{self, Answer, Contents, Speaking};
use super::plan::{Entry, Group, Plan, Planned, Reads, Shows};
use crate::model::{At, Field, FieldSpec, Record, State, Target};
use crate::parse::{Cursor, Data, Document, NodeId};
use crate::rule::condition::{Scope, Verdict, Violation, lenient_version};
use crate::rule::{Compiled, Rule};
use serde_json_path::{NormalizedPath, PathElement};
use smol_str::SmolStr;

/// Which profiles apply to a target, and what showed the families among them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProfileSet {
    bits: u64,
    /// Family profiles that apply, with the evidence.
    pub shown: Vec<(usize, SmolStr)>,
}

impl ProfileSet {
    /// The profiles that apply to every target under the plan's selection, before any evidence.
    pub fn fixed(plan: &Plan) -> Self {
        ProfileSet { bits: plan.fixed, shown: vec![] }
    }

    /// The profiles that apply to this target.
    pub fn of(plan: &Plan, target: &Target<'_>) -> Self {
        let mut set = Self::fixed(plan);
        let evidence = plan.evidence(target.kind);
        let present = if evidence.is_empty() { 0 } else { target.record.present(target.kind.fields().len()) };
        for &Shows { profile, evidence, shown, needs } in evidence {
            if set.contains(shown) || needs & !present != 0 {
                continue;
            }
            let evidence = &plan.book.profiles[profile].evidence[evidence];
            if evidence.when.applies(&scope(plan, target, 0)) == Verdict::Holds {
                set.bits |= 1 << shown;
                set.shown.push((shown, evidence.why.clone()));
            }
        }
        set
    }

    /// The same profiles, without what showed them.
    pub(crate) fn without_evidence(&self) -> Self {
        ProfileSet { bits: self.bits, shown: vec![] }
    }

    /// As one number: a bit for each profile, by its index.
    pub(crate) fn bits(&self) -> u64 {
        self.bits
    }

    /// The profiles of such a number.
    pub(crate) fn of_bits(bits: u64) -> Self {
        ProfileSet { bits, shown: vec![] }
    }

    /// Is this profile among them?
    pub fn contains(&self, profile: usize) -> bool {
        self.bits & (1 << profile) != 0
    }
}

fn scope<'a, 'd>(plan: &'a Plan, target: &'a Target<'d>, now: i64) -> Scope<'a, 'd> {
    let scope = Scope::new(&*target.record, target.kind.fields(), &plan.book.registry, now);
    Scope { environment: plan.environment, ..scope }
}

/// What one rule says of one target under one profile.
#[derive(Debug, Clone, PartialEq)]
pub enum Judgement {
    /// Nothing is wrong.
    Pass,
    /// Something is wrong.
    Fail {
        /// The places, most important first; empty when the value is absent.
        at: Vec<At>,
        /// The field (or list) that is at fault; empty for native values.
        field: &'static str,
        /// The filled-in message.
        message: String,
    },
    /// The rule does not apply.
    NotApplicable,
    /// The rule applies but a field it needs is unknown or malformed.
    NotJudged {
        /// The field.
        field: String,
        /// Why.
        why: String,
    },
    /// The rule is defective.
    Error(String),
}

/// Receives judgements: the rule, the profile it was judged under, the outcome.
pub type Judgements<'s> = dyn FnMut(&Rule, &Planned, Judgement) + 's;

/// A judgement that has something to say, and the rule of a group that says it.
#[derive(Debug, Clone)]
pub(super) struct Said {
    /// Index of the rule in its group.
    entry: usize,
    /// Index of the profile among those of the rule.
    planned: usize,
    pub(super) judgement: Judgement,
}

/// Judges a target by every rule of the plan for its kind, under the profiles that apply to it. Returns how many judgements
/// found nothing wrong; the others are handed out unless the rule does not apply.
pub fn judge(plan: &Plan, target: &Target<'_>, profiles: &ProfileSet, now: i64, sink: &mut Judgements<'_>) -> u64 {
    memory::with(plan, now, |memory| {
        let (kind, fields) = (target.kind as usize, target.kind.fields().len());
        let record = &*target.record;
        let present = record.present(fields);
        let mut contents = Contents::new(memory, record, fields, kind, profiles.bits);
        let mut on = On { plan, target, profiles, present, scope: scope(plan, target, now), said: vec![] };
        let mut passed = 0;
        for (index, group) in plan.groups(target.kind).iter().enumerate() {
            if !group.may_speak(profiles.bits, present) {
                continue;
            }
            let key = group.reads.and_then(|reads| {
                let of_group = memory.asks(kind, index)?;
                Some((reads, contents.key(memory, of_group, reads)))
            });
            passed += match key.and_then(|(_, key)| memory.answer(kind, index, key)) {
                Some(answer) => on.recall(group, answer),
                None => match key {
                    Some((reads, key)) => {
                        let answer = on.answer(group, reads);
                        let passed =
                            answer.passed + answer.speaking.iter().map(|speaking| speaking.passed).sum::<u64>();
                        memory.remember(key, answer);
                        passed
                    }
                    None => group.entries.iter().enumerate().map(|(index, entry)| on.judge(index, entry)).sum(),
                },
            };
            for Said { entry, planned, judgement } in on.said.drain(..) {
                let entry = &group.entries[entry];
                sink(&plan.book.rules[entry.rule], &entry.planned[planned], judgement);
            }
        }
        contents.done(memory);
        passed
    })
}

/// A target under judgement.
struct On<'o, 'd> {
    plan: &'o Plan,
    target: &'o Target<'d>,
    profiles: &'o ProfileSet,
    /// The fields that are there.
    present: u128,
    scope: Scope<'o, 'd>,
    said: Vec<Said>,
}

impl On<'_, '_> {
    /// Judges by one rule of a group; returns how many judgements found nothing wrong.
    fn judge(&mut self, index: usize, entry: &Entry) -> u64 {
        if entry.profiles & self.profiles.bits == 0 || !entry.needs.met_by(self.present) {
            return 0;
        }
        let (plan, target) = (self.plan, self.target);
        let rule = &plan.book.rules[entry.rule];
        let form = rule.form(entry.form);
        let early = match form.when.as_ref().map_or(Verdict::Holds, |when| when.applies(&self.scope)) {
            Verdict::Holds => None,
            Verdict::Broken(_) | Verdict::Absent => return 0,
            Verdict::Unknown { field, why } => Some(Judgement::NotJudged { field, why }),
            Verdict::Defective(defect) => Some(Judgement::Error(defect)),
        };
        // Nearly every rule finds nothing wrong, which is told without a verdict for each profile.
        let is_plain = early.is_none() && form.each.is_none() && rule.versions.is_none();
        match is_plain.then(|| form.check.plainly(&self.scope)).flatten() {
            Some(true) => {
                return entry.planned.iter().filter(|planned| self.profiles.contains(planned.profile)).count() as u64;
            }
            Some(false) => return 0,
            None => {}
        }
        let Some(unsure) = of_version(plan, rule, target.kind.fields(), &*target.record) else { return 0 };
        let mut judge = Judge { plan, form, unsure, index, passed: 0, said: &mut self.said };
        judge.entry(entry, self.profiles, early, &mut self.scope);
        self.scope.limit = None;
        judge.passed
    }

    /// Judges by all rules of a group that reads these fields, and keeps what they said.
    fn answer(&mut self, group: &Group, reads: Reads) -> Answer {
        let (mut quiet, mut speaking) = (0, Vec::new());
        for (index, entry) in group.entries.iter().enumerate() {
            let before = self.said.len();
            let passed = self.judge(index, entry);
            match &self.said[before..] {
                [] => quiet += passed,
                said => {
                    let reads = Some(reads).filter(|_| entry.quotes_reads);
                    speaking.push(Speaking::new(index, passed, said, reads, &*self.target.record));
                }
            }
        }
        Answer { passed: quiet, speaking: speaking.into() }
    }

    /// Says what was said of the same contents before.
    fn recall(&mut self, group: &Group, answer: &Answer) -> u64 {
        let mut passed = answer.passed;
        for speaking in &answer.speaking {
            let known = speaking.say(&*self.target.record, &mut self.said);
            passed += known.unwrap_or_else(|| self.judge(speaking.entry, &group.entries[speaking.entry]));
        }
        passed
    }
}

/// Does a rule speak of the version of a target's software? `None` when not; the text says what is not known.
fn of_version<'d>(plan: &Plan, rule: &Rule, specs: &[FieldSpec], record: &dyn Record<'d>) -> Option<Option<String>> {
    let Some(versions) = &rule.versions else { return Some(None) };
    let text = |name: &str| {
        let index = specs.iter().position(|spec| spec.name == name)?;
        record.field(index).as_text().map(str::to_string)
    };
    let product = text("product").unwrap_or_default();
    let declared = plan.software.as_ref().filter(|known| known.product.is_empty() || known.product == product);
    let known = declared.and_then(|known| known.version.clone());
    match known.or_else(|| lenient_version(&text("version")?)) {
        Some(version) if versions.matches(&version) => Some(None),
        Some(_) => None,
        None => Some(Some(format!(
            " (true of versions {versions}; the version here is not known, `services:` in the policy declares it)"
        ))),
    }
}

/// One rule at work on one target.
struct Judge<'j> {
    plan: &'j Plan,
    form: &'j Compiled,
    /// Ends messages when it is not known whether the software has a version the rule speaks of.
    unsure: Option<String>,
    /// Index of the rule in its group.
    index: usize,
    /// Judgements that found nothing wrong.
    passed: u64,
    said: &'j mut Vec<Said>,
}

impl Judge<'_> {
    fn say(&mut self, planned: usize, judgement: Judgement) {
        match judgement {
            Judgement::Pass => self.passed += 1,
            Judgement::NotApplicable => {}
            judgement @ (Judgement::Fail { .. } | Judgement::NotJudged { .. } | Judgement::Error(_)) => {
                self.said.push(Said { entry: self.index, planned, judgement });
            }
        }
    }

    /// Judges under each profile; `early` is what is to be said of all of them.
    fn entry<'a, 'd>(
        &mut self,
        entry: &Entry,
        profiles: &ProfileSet,
        early: Option<Judgement>,
        scope: &mut Scope<'a, 'd>,
    ) {
        let record = scope.record;
        let items: Option<&'a [Field<'d>]> = self.form.each.map(|index| record.field(index).items());
        let planned = entry.planned.iter().enumerate();
        for planned in planned.filter(|(_, planned)| profiles.contains(planned.profile)) {
            scope.limit = planned.1.limit;
            match (&early, items) {
                (Some(judgement), _) => self.say(planned.0, judgement.clone()),
                (None, None) => {
                    let verdict = match scope.limit.and_then(|_| self.form.check.plainly(scope)) {
                        Some(true) => Verdict::Holds,
                        Some(false) => Verdict::Absent,
                        None => self.form.check.judge(scope),
                    };
                    self.deliver(planned, scope, verdict);
                }
                (None, Some(items)) => self.each(planned, scope, items),
            }
        }
    }

    /// Judges every element; one outcome per violation, else one for the whole list.
    fn each<'a, 'd>(&mut self, planned: (usize, &Planned), scope: &mut Scope<'a, 'd>, items: &'a [Field<'d>]) {
        let (mut held, mut failed, mut open) = (false, false, None);
        scope.siblings = items;
        for item in items {
            scope.item = Some(item);
            match self.form.check.judge(scope) {
                Verdict::Holds => held = true,
                broken @ Verdict::Broken(_) => {
                    failed = true;
                    self.deliver(planned, scope, broken);
                }
                Verdict::Absent => {}
                other => open = Some(other),
            }
        }
        scope.item = None;
        scope.siblings = &[];
        if !failed {
            let verdict = open.unwrap_or_else(|| if held { Verdict::Holds } else { self.list_state(scope) });
            self.deliver(planned, scope, verdict);
        }
    }

    /// The verdict on a list that had no element to judge: unknown when the list itself is.
    fn list_state(&self, scope: &Scope<'_, '_>) -> Verdict {
        let Some(index) = self.form.each else { return Verdict::Absent };
        match &scope.record.field(index).state {
            State::Unknown(why) | State::Malformed(why) => {
                Verdict::Unknown { field: scope.specs[index].name.to_string(), why: why.to_string() }
            }
            State::Absent | State::Unlimited | State::Value(_) => Verdict::Absent,
        }
    }

    fn deliver(&mut self, (index, planned): (usize, &Planned), scope: &Scope<'_, '_>, verdict: Verdict) {
        let violations = match verdict {
            Verdict::Holds => return self.say(index, Judgement::Pass),
            Verdict::Absent => return self.say(index, Judgement::NotApplicable),
            Verdict::Unknown { field, why } => return self.say(index, Judgement::NotJudged { field, why }),
            Verdict::Defective(defect) => return self.say(index, Judgement::Error(defect)),
            Verdict::Broken(violations) => violations,
        };
        let form = self.form;
        let profile = planned.profile_name(&self.plan.book);
        for violation in violations {
            let mut message = form.message.render(scope, &violation, &profile);
            message.extend(self.unsure.as_deref());
            let labels = form.at.iter().filter_map(|index| scope.record.field(*index).at);
            let mut at: Vec<At> = match form.at.is_empty() {
                true => violation.at.into_iter().collect(),
                false => labels.collect(),
            };
            at.dedup();
            // The field's name belongs to the fingerprint, so an expression takes its first label's.
            let field = match (violation.field, form.at.first().or(form.each.as_ref())) {
                ("" | "item", Some(index)) => scope.specs[*index].name,
                (field, _) => field,
            };
            self.say(index, Judgement::Fail { at, field, message });
        }
    }
}

/// Judges a native document by the rules of its kind, under the profiles that apply to every target.
pub fn judge_native(plan: &Plan, document: &Document, kind: &str, now: i64, sink: &mut Judgements<'_>) {
    let profiles = ProfileSet::fixed(plan);
    let mut json = None;
    for entry in &plan.native {
        let rule = &plan.book.rules[entry.rule];
        let native = rule.native.as_ref().filter(|native| native.kinds.iter().any(|known| known == kind));
        let Some(native) = native else { continue };
        let json = json.get_or_insert_with(|| document.to_json());
        let paths = native.select.query_located(json);
        let found: Vec<NodeId> = paths.locations().filter_map(|path| node_at(document, path)).collect();
        for planned in entry.planned.iter().filter(|planned| profiles.contains(planned.profile)) {
            judge_selected(plan, rule, planned, document, &found, now, sink);
        }
    }
}

/// The node that this part of the document's JSON was made of.
fn node_at(document: &Document, path: &NormalizedPath<'_>) -> Option<NodeId> {
    let found = path.iter().try_fold(document.root(), |at, step| match step {
        PathElement::Name(name) => at.get(name),
        PathElement::Index(index) => at.items().nth(*index),
    });
    found.map(|cursor| cursor.id)
}

fn judge_selected(
    plan: &Plan,
    rule: &Rule,
    planned: &Planned,
    document: &Document,
    found: &[NodeId],
    now: i64,
    sink: &mut Judgements<'_>,
) {
    struct Nothing;
    impl<'d> Record<'d> for Nothing {
        fn field(&self, _index: usize) -> &Field<'d> {
            Field::absent()
        }
    }
    let Some(native) = &rule.native else { return };
    let mut failed = false;
    let mut outcome = Judgement::NotApplicable;
    for &node in found {
        let item = native_field(document.cursor(node));
        let alone = Scope::new(&Nothing, &[], &plan.book.registry, now);
        let scope = Scope { item: Some(&item), limit: planned.limit, environment: plan.environment, ..alone };
        let itself = || vec![Violation { at: item.at, field: "", item: None, reason: String::new() }];
        match native.check.as_ref().map_or_else(|| Verdict::Broken(itself()), |check| check.judge(&scope)) {
            Verdict::Holds if outcome == Judgement::NotApplicable => outcome = Judgement::Pass,
            Verdict::Holds | Verdict::Absent => {}
            Verdict::Unknown { field, why } => outcome = Judgement::NotJudged { field, why },
            Verdict::Defective(defect) => outcome = Judgement::Error(defect),
            Verdict::Broken(violations) => {
                failed = true;
                for violation in violations {
                    let profile = planned.profile_name(&plan.book);
                    let message = native.message.render(&scope, &violation, &profile);
                    let at = violation.at.into_iter().collect();
                    sink(rule, planned, Judgement::Fail { at, field: "", message });
                }
            }
        }
    }
    if !failed {
        sink(rule, planned, outcome);
    }
}

/// A native value as a field, so that operators and expressions read it like any other.
fn native_field(cursor: Cursor<'_>) -> Field<'_> {
    let at = At::node(cursor.id);
    match cursor.data() {
        Data::Text(_) => match cursor.as_str().unwrap_or_default() {
            text if crate::adapt::is_placeholder(text) => Field::unknown("a template placeholder stands there", at),
            text => Field::text(text, at),
        },
        Data::Number => match cursor.as_i64() {
            Some(number) => Field::int(number, at),
            None => Field::malformed("no whole number within 64 bits", at),
        },
        Data::Bool(value) => Field::bool(*value, at),
        Data::Seq => Field::list(cursor.items().map(native_field).collect(), at),
        Data::Null | Data::Map | Data::Skipped => Field { at: Some(at), ..Field::default() },
    }
}
