//! Running the examples that rules carry: the same way from bytes to judgement that user input takes.

use crate::check::{Outcome, check, check_fleet};
use crate::evaluate::{Adjustments, Plan, Selection};
use crate::rule::{RawExample, Rule, RuleBook};
use crate::source::Source;
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
    let application = match &example.profile {
        // The newest profile that holds the rule.
        None => rule.applications.last().ok_or("no profile holds this rule")?,
        Some(text) => {
            let profile = book.resolve_profile(text)?;
            let found = rule.applications.iter().find(|application| application.profile == profile);
            match (found, expected) {
                (Some(application), _) => application,
                // A rule that the profile does not hold says nothing there: that is what `skip` means.
                (None, Expected::Skip) => return Ok(None),
                (None, _) => return Err(format!("profile {text} does not hold this rule")),
            }
        }
    };
    let adjustments = Adjustments { only: vec![rule.id.clone()], ..Adjustments::default() };
    let plan = Plan::new(Arc::clone(book), Selection::Chosen(vec![application.profile]), &adjustments);
    let mut outcome = check(&plan, &Arc::new(Source::from_text("example", document_text(value))), NOW);
    let mut facts = std::mem::take(&mut outcome.facts);
    for (index, beside) in example.beside.iter().enumerate() {
        let source = Source::from_text(format!("beside {index}"), document_text(&beside.document));
        let other = check(&plan, &Arc::new(source), NOW);
        if !other.documents.iter().any(|document| document.kind == beside.kind) {
            return Err(format!("the document beside it ({index}) is not recognised as {}", beside.kind));
        }
        facts.extend(other.facts);
    }
    let fleet = check_fleet(&plan, facts, NOW);
    outcome.passed += fleet.passed;
    outcome.findings.extend(fleet.findings.into_iter().filter(|finding| finding.path == "example"));
    outcome.not_judged.extend(fleet.not_judged.into_iter().filter(|gap| gap.path == "example"));
    if let Some(defect) = outcome.defects.first() {
        return Err(defect.clone());
    }
    if let Some(error) = outcome.errors.first() {
        return Err(format!("the document has an error: {}", error.message));
    }
    let kinds: Vec<&str> = outcome.documents.iter().map(|document| document.kind.as_str()).collect();
    if !kinds.contains(&example.kind.as_str()) {
        let found = if kinds.is_empty() { "nothing known".to_string() } else { kinds.join(", ") };
        return Err(format!("the document is recognised as {found}, not as {}", example.kind));
    }
    Ok(compare(&outcome, &book.profiles[application.profile].id, expected, example))
}

/// Expected against got; `None` when they agree.
fn compare(outcome: &Outcome, profile: &str, expected: Expected, example: &RawExample) -> Option<String> {
    let failed: Vec<_> = outcome.findings.iter().filter(|finding| finding.profile == profile).collect();
    let got = match (failed.is_empty(), outcome.not_judged.first(), outcome.passed) {
        (false, ..) => Expected::Fail,
        (true, Some(_), _) => Expected::Unknown,
        (true, None, 1..) => Expected::Pass,
        (true, None, 0) => Expected::Skip,
    };
    let mut diff = String::new();
    if got != expected {
        let _ = writeln!(diff, "- expected: {}\n+ got:      {}", expected.name(), got.name());
        for gap in &outcome.not_judged {
            let _ = writeln!(diff, "+           {} is unknown: {}", gap.field, gap.why);
        }
    }
    let at: Vec<String> = failed
        .iter()
        .map(|finding| match &finding.inner_pointer {
            None => finding.pointer.clone(),
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
