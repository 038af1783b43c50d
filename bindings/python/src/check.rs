//! Configuration, registrations and tokens that are held in memory.

use crate::text::Text;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use serde::Serialize;
use std::collections::HashMap;
use std::sync::Arc;
use tokenvet::check::{Outcome, check as judge, check_fleet};
use tokenvet::evaluate::{Adjustments, Plan, Selection};
use tokenvet::report::{FileError, Finding, NotJudged, Region};
use tokenvet::source::{Source, mask};
use tokenvet::suppress::inline::Allow;

/// What a run came to.
#[derive(Default, Serialize)]
struct Report {
    findings: Vec<Finding>,
    not_judged: Vec<NotJudged>,
    errors: Vec<FileError>,
}

/// Judges texts as the files of these names. `now` is in seconds since 1970; without profiles each target is judged by
/// those it shows. An object with `findings`, `not_judged` and `errors` as JSON.
#[pyfunction]
pub(crate) fn check(py: Python<'_>, texts: Vec<(String, Text)>, now: i64, profiles: Vec<String>) -> PyResult<String> {
    let plan = if profiles.is_empty() { crate::plan()? } else { chosen(&profiles)? };
    let report = crate::released(py, move || serde_json::to_string(&report(&plan, &texts, now)))?;
    report.map_err(|error| PyValueError::new_err(error.to_string()))
}

/// The built-in rules under profiles that the user chose.
fn chosen(profiles: &[String]) -> PyResult<Arc<Plan>> {
    let book = crate::book()?;
    let resolved = profiles.iter().map(|profile| book.resolve_profile(profile)).collect::<Result<Vec<_>, _>>();
    let resolved = resolved.map_err(|error| PyValueError::new_err(mask::redact(&error).into_owned()))?;
    Ok(Arc::new(Plan::new(book, Selection::Chosen(resolved), &Adjustments::default())))
}

fn defective(defect: String) -> FileError {
    FileError { path: String::new(), message: format!("a rule is defective: {defect}"), region: None }
}

fn report(plan: &Plan, texts: &[(String, Text)], now: i64) -> Report {
    let (mut report, mut facts, mut allowed) = (Report::default(), vec![], HashMap::<String, Vec<Allow>>::new());
    for (name, text) in texts {
        let source = match Source::from_bytes(name.as_str(), text.bytes().to_vec()) {
            Ok(source) => Arc::new(source),
            Err(error) => {
                let region = Region::new(error.position, error.position, error.offset, 0);
                report.errors.push(FileError { path: name.clone(), message: error.message, region: Some(region) });
                continue;
            }
        };
        let outcome = judge(plan, &source, now);
        if !outcome.recognised && outcome.errors.is_empty() {
            let message = "not recognised: nothing in it looks like a client, token, key set, issuer metadata or \
                           configuration that tokenvet knows";
            report.errors.push(FileError { path: name.clone(), message: message.into(), region: None });
        }
        let Outcome { findings, not_judged, errors, defects, facts: left, allowed: allows, .. } = outcome;
        report.findings.extend(findings);
        report.not_judged.extend(not_judged);
        report.errors.extend(errors);
        report.errors.extend(defects.into_iter().map(defective));
        facts.extend(left);
        allowed.entry(name.clone()).or_default().extend(allows);
    }
    let fleet = check_fleet(plan, facts, now);
    for mut finding in fleet.findings {
        let here = allowed.get(finding.path.as_str()).into_iter().flatten();
        finding.suppressed = here.clone().find(|allow| allow.covers(&finding)).and_then(Allow::suppressed);
        report.findings.push(finding);
    }
    report.not_judged.extend(fleet.not_judged);
    report.errors.extend(fleet.defects.into_iter().map(defective));
    report.findings.sort_by(|a, b| a.order().cmp(&b.order()));
    report
}
