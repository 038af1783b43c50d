//! Judging a document under one profile, for tests that compare profiles.

use serde_json::Value;
use std::sync::{Arc, LazyLock};
use tokenvet::check::{Outcome, check};
use tokenvet::evaluate::{Adjustments, Plan, Selection};
use tokenvet::rule::RuleBook;
use tokenvet::source::Source;
use tokenvet::trial::NOW;

static BOOK: LazyLock<Arc<RuleBook>> =
    LazyLock::new(|| Arc::new(RuleBook::builtin().expect("the built-in rules load")));

/// The built-in rule book.
pub(crate) fn book() -> Arc<RuleBook> {
    Arc::clone(&BOOK)
}

/// What is found in a document under this profile (and the one that always applies). The document must be readable and
/// known.
pub(crate) fn judge(profile: &str, document: &Value) -> Outcome {
    judge_by(&plan(profile, &Adjustments::default()), document)
}

/// This profile (and the one that always applies), with a policy's changes.
pub(crate) fn plan(profile: &str, adjustments: &Adjustments) -> Plan {
    let profile = BOOK.profile(profile).expect("a shipped profile");
    Plan::new(book(), Selection::Chosen(vec![profile]), adjustments)
}

/// The same as [`judge`] under a plan.
pub(crate) fn judge_by(plan: &Plan, document: &Value) -> Outcome {
    let outcome = check(plan, &Arc::new(Source::from_text("document", document.to_string())), NOW);
    assert!(outcome.recognised && outcome.errors.is_empty(), "{document}: {:?}", outcome.errors);
    outcome
}
