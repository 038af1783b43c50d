//! Running the examples that rules carry: the same way from bytes to judgement that user input takes.

use crate::adapt::Sink;
use crate::audit::ratchet::Accepted;
use crate::check::{Outcome, check, check_fleet};
use crate::discover;
use crate::edit::apply;
use crate::evaluate::{Adjustments, Plan, Selection};
use crate::fix::{self, Fix};
use crate::model::Target;
use crate::parse::{Document, NodeId};
use crate::policy::{Environment, Software, Workflows};
use crate::rule::condition::{Conditions, Scope, Verdict, lenient_version};
use crate::rule::{Compiled, RawExample, Rule, RuleBook};
use crate::source::{Source, Span};
use serde_json::Value;
use std::fmt::Write as _;
use std::sync::Arc;

/// The clock of examples: 2026-01-01T00:00:00Z.
pub const NOW: i64 = 1_767_225_600;

/// What an example expects, or what a rule said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// The rule applies and finds nothing.
    Pass,
    /// The rule finds something.
    Fail,
    /// The rule does not apply.
    Skip,
    /// The rule cannot judge.
    Unknown,
}

impl Expected {
    fn name(self) -> &'static str {
        match self {
            Expected::Pass => "pass",
            Expected::Fail => "fail",
            Expected::Skip => "skip",
            Expected::Unknown => "unknown",
        }
    }
}

/// What an example brought to light.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Name of the example.
    pub example: String,
    /// Expected against got, line by line.
    pub diff: String,
}

/// An example's document and expectation.
pub fn expectation(example: &RawExample) -> Result<(Expected, &Value), String> {
    let given = [
        (Expected::Pass, &example.pass),
        (Expected::Fail, &example.fail),
        (Expected::Skip, &example.skip),
        (Expected::Unknown, &example.unknown),
    ];
    let mut found = given.into_iter().filter_map(|(expected, value)| value.as_ref().map(|value| (expected, value)));
    match (found.next(), found.next()) {
        (Some(one), None) => Ok(one),
        _ => Err("give exactly one of pass, fail, skip and unknown".into()),
    }
}

/// The text of an example's document: a string is the file as it is, anything else is written as JSON.
pub fn document_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        value => serde_json::to_string_pretty(value).unwrap_or_default(),
    }
}

/// Runs every example of a rule.
pub fn run(book: &Arc<RuleBook>, rule: &Rule) -> Vec<Failure> {
    let examples = rule.examples().iter();
    examples
        .filter_map(|example| {
            let fail = |diff: String| Some(Failure { example: example.name.clone(), diff });
            match run_one(book, rule, example) {
                Ok(None) => None,
                Ok(Some(diff)) | Err(diff) => fail(diff),
            }
        })
        .collect()
}

fn run_one(book: &Arc<RuleBook>, rule: &Rule, example: &RawExample) -> Result<Option<String>, String> {
    let (expected, value) = expectation(example)?;
    let Some(trial) = Trial::new(book, rule, example)? else { return Ok(None) };
    let outcome = trial.judge(value)?;
    let diff = compare(&trial, rule, &outcome, (expected, value));
    match (diff, rule.prose().fix) {
        (None, Some(fix)) if expected == Expected::Fail => trial.mend(value, &outcome, fix),
        (diff, _) => Ok(diff),
    }
}

/// An example's surroundings: the profile it is judged by and the documents beside it.
pub struct Trial<'e> {
    plan: Plan,
    profile: usize,
    example: &'e RawExample,
}

impl<'e> Trial<'e> {
    /// Prepares an example; `None` when its profile does not hold the rule, which is what `skip` means then.
    pub fn new(book: &Arc<RuleBook>, rule: &Rule, example: &'e RawExample) -> Result<Option<Self>, String> {
        let (expected, _) = expectation(example)?;
        let application = match &example.profile {
            // The newest profile that holds the rule.
            None => rule.applications.last().ok_or("no profile holds this rule")?,
            Some(text) => {
                let profile = book.resolve_profile(text)?;
                let found = rule.applications.iter().find(|application| application.profile == profile);
                match (found, expected) {
                    (Some(application), _) => application,
                    (None, Expected::Skip) => return Ok(None),
                    (None, _) => return Err(format!("profile {text} does not hold this rule")),
                }
            }
        };
        let workflows =
            Workflows::new(&example.workflows).map_err(|(_, _, message)| format!("workflows: {message}"))?;
        let only = vec![rule.id.to_string()];
        let environment = example.environment.map_or("", Environment::name);
        let version =
            example.version.as_deref().map(|text| lenient_version(text).ok_or("`version` is none")).transpose()?;
        let software =
            version.map(|version| Arc::new(Software { product: String::new(), version: Some(version), entry: None }));
        let workflows = Arc::new(workflows);
        let audited = match example.audited.is_empty() {
            true => None,
            false => {
                let others = example.audited.iter().map(|(name, seconds)| (name.clone(), (*seconds).into()));
                Some(Arc::new(Accepted { others: Some(others.collect()), ..Accepted::default() }))
            }
        };
        let adjustments = Adjustments { only, environment, software, workflows, audited, ..Adjustments::default() };
        let profile = application.profile;
        let plan = Plan::new(Arc::clone(book), Selection::Chosen(vec![profile]), &adjustments);
        Ok(Some(Trial { plan, profile, example }))
    }

    /// What the rule says of a document in the example's place.
    pub fn outcome(&self, document: &Value) -> Result<Expected, String> {
        self.judge(document).map(|outcome| self.verdict(&outcome))
    }

    fn source(&self, name: &str, document: &Value) -> Arc<Source> {
        let source = Source::from_text(name, document_text(document));
        Arc::new(source.opened_to_all(self.example.open_to_all))
    }

    /// What the example's own document is called: some formats are told by the file's name, and kinds are called as their
    /// files are.
    fn path(&self) -> String {
        format!("example {}", self.example.kind)
    }

    fn judge(&self, document: &Value) -> Result<Outcome, String> {
        let path = self.path();
        let mut outcome = check(&self.plan, &self.source(&path, document), NOW);
        let mut facts = std::mem::take(&mut outcome.facts);
        for (index, beside) in self.example.beside.iter().enumerate() {
            let folder = beside.folder.as_ref().map_or(String::new(), |folder| format!("{folder}/"));
            let file = beside.file.clone().unwrap_or_else(|| format!("beside {index} {}", beside.kind));
            let other = check(&self.plan, &self.source(&format!("{folder}{file}"), &beside.document), NOW);
            if !other.documents.iter().any(|document| document.kind == beside.kind) {
                return Err(format!("the document beside it ({index}) is not recognised as {}", beside.kind));
            }
            facts.extend(other.facts);
        }
        let fleet = check_fleet(&self.plan, facts, NOW);
        outcome.passed += fleet.passed;
        outcome.findings.extend(fleet.findings.into_iter().filter(|finding| finding.path == path));
        outcome.not_judged.extend(fleet.not_judged.into_iter().filter(|gap| gap.path == path));
        if let Some(defect) = outcome.defects.first() {
            return Err(defect.clone());
        }
        if let Some(error) = outcome.errors.first() {
            return Err(format!("the document has an error: {}", error.message));
        }
        let kinds: Vec<&str> = outcome.documents.iter().map(|document| document.kind.as_str()).collect();
        if !kinds.contains(&self.example.kind.as_str()) {
            let found = if kinds.is_empty() { "nothing known".to_string() } else { kinds.join(", ") };
            return Err(format!("the document is recognised as {found}, not as {}", self.example.kind));
        }
        let profile = &self.plan.book.profiles[self.profile].id;
        outcome.findings.retain(|finding| finding.profile == *profile);
        Ok(outcome)
    }

    /// Makes the rule's fix where it found something; what is left to say when that does not mend the document.
    fn mend(&self, document: &Value, outcome: &Outcome, fix: Fix) -> Result<Option<String>, String> {
        let source = Arc::new(Source::from_text("example", document_text(document)));
        let recognised = discover::recognise(&source);
        let documents: Vec<&Document> = recognised.documents.iter().map(|(document, _)| document).collect();
        let places: Vec<Span> = outcome.findings.iter().map(|finding| finding.region.span()).collect();
        let edits = places.iter().filter_map(|place| fix::edits(&source, &documents, *place, fix, &places));
        let mended = apply(source.text(), edits.flatten().collect()).ok_or("its fixes touch each other")?;
        let left = self.judge(&Value::from(mended))?.findings.into_iter().next();
        Ok(left.map(|finding| format!("- the fix mends it\n+ found: {}\n", finding.message)))
    }

    /// Why a rule has nothing to say of a document, for each of the targets that it could judge.
    fn silence(&self, rule: &Rule, document: &Value) -> Vec<String> {
        let mut silence = Silence { rule, plan: &self.plan, why: vec![] };
        for (document, known) in &discover::recognise(&self.source(&self.path(), document)).documents {
            if let Some((adapter, kind)) = known {
                adapter.adapt(document, kind, &mut silence);
            }
        }
        match silence.why.is_empty() {
            true => vec![format!("there is no {} in it", rule.subjects().join(" or "))],
            false => silence.why,
        }
    }

    fn verdict(&self, outcome: &Outcome) -> Expected {
        match (outcome.findings.is_empty(), outcome.not_judged.first(), outcome.passed) {
            (false, ..) => Expected::Fail,
            (true, Some(_), _) => Expected::Unknown,
            (true, None, 1..) => Expected::Pass,
            (true, None, 0) => Expected::Skip,
        }
    }
}

/// Looks for what keeps a rule silent.
struct Silence<'s> {
    rule: &'s Rule,
    plan: &'s Plan,
    why: Vec<String>,
}

impl Silence<'_> {
    fn of(&self, target: &Target<'_>, form: &Compiled) -> Option<String> {
        let specs = target.kind.fields();
        let scope = Scope::new(&*target.record, specs, &self.plan.book.registry, NOW);
        let scope = Scope { environment: self.plan.environment, ..scope };
        let absent = |conditions: &Conditions| {
            let mut absent = conditions.reads().0;
            absent.retain(|index| target.record.field(*index).is_absent());
            absent.sort_unstable();
            absent.dedup();
            let names: Vec<&str> = absent.iter().map(|index| specs[*index].name).collect();
            (!names.is_empty()).then(|| format!("absent: {}", names.join(", ")))
        };
        if let Some(when) = form.when.as_ref().filter(|when| when.applies(&scope) != Verdict::Holds) {
            return Some(format!(
                "`when` does not hold{}",
                absent(when).map_or(String::new(), |names| format!("; {names}"))
            ));
        }
        if let Some(list) = form.each.filter(|list| target.record.field(*list).items().is_empty()) {
            return Some(format!("`each`: {} is absent or empty", specs[list].name));
        }
        let other = form.join.as_ref().filter(|join| !join.kinds.is_empty());
        absent(&form.check)
            .or_else(|| other.map(|_| "no other target fits `join`, or what it is compared in is absent".into()))
    }
}

impl Sink for Silence<'_> {
    fn target(&mut self, _documents: &[&Document], target: Target<'_>) {
        let Some(form) = self.rule.targets().position(|kind| kind == target.kind) else { return };
        let why = self.of(&target, self.rule.form(form));
        self.why.push(why.unwrap_or_else(|| "the rule does not apply to it".into()));
    }

    fn secret(&mut self, _document: &Document, _node: NodeId) {}

    fn error(&mut self, _document: &Document, _node: NodeId, _message: String) {}

    fn paging(&mut self, _shown: NodeId, _shown_count: i64, _total: (NodeId, i64)) {}

    fn secrets_expected(&mut self) {}
}

/// Expected against got; `None` when they agree.
fn compare(trial: &Trial<'_>, rule: &Rule, outcome: &Outcome, example: (Expected, &Value)) -> Option<String> {
    let (expected, document) = example;
    let example = trial.example;
    let failed = &outcome.findings;
    let got = trial.verdict(outcome);
    let mut diff = String::new();
    if got != expected {
        let _ = writeln!(diff, "- expected: {}\n+ got:      {}", expected.name(), got.name());
        for gap in &outcome.not_judged {
            let _ = writeln!(diff, "+           {} is unknown: {}", gap.field, gap.why);
        }
        if got == Expected::Skip {
            for why in trial.silence(rule, document) {
                let _ = writeln!(diff, "+           {why}");
            }
        }
    }
    let at: Vec<String> = failed
        .iter()
        .map(|finding| match &finding.inner_pointer {
            None => finding.pointer.to_string(),
            Some(inner) => format!("{}!{inner}", finding.pointer),
        })
        .collect();
    let wanted: &[String] = if expected == Expected::Fail { &example.at } else { &[] };
    if at != wanted {
        let _ = writeln!(diff, "- at: {}\n+ at: {}", wanted.join(" "), at.join(" "));
    }
    let says = failed.first().map_or("nothing", |finding| finding.message.as_str());
    if example.says.as_ref().is_some_and(|wanted| wanted != says) {
        let _ = writeln!(diff, "- says: {}\n+ says: {says}", example.says.as_deref().unwrap_or_default());
    }
    (!diff.is_empty()).then(|| {
        failed.iter().for_each(|finding| {
            let _ = writeln!(diff, "+ found: {}", finding.message);
        });
        diff
    })
}
