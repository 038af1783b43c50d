//! Tokens in a batch of texts.

use crate::text::Text;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use serde::Serialize;
use tokenvet::evaluate::Plan;
use tokenvet::report::Finding;
use tokenvet::scan::find::Finder;
use tokenvet::scan::fingerprint::Fingerprints;
use tokenvet::scan::judge::Judge;
use tokenvet::scan::stream::Scanner;
use tokenvet::scan::tally::{Account, Limits, Place, Tally};

/// A finding with the number of the text that it points into.
#[derive(Serialize)]
struct Indexed<'f> {
    index: usize,
    #[serde(flatten)]
    finding: &'f Finding,
}

/// Finds the tokens in texts and judges each distinct one once, at the place where it stands first. `names` are those of
/// the texts in reports, `now` is in seconds since 1970. A list of findings as JSON, each with the number of its text.
#[pyfunction]
pub(crate) fn scan(
    py: Python<'_>,
    texts: Vec<Text>,
    names: Option<Vec<String>>,
    now: i64,
    fingerprint_key: Option<&[u8]>,
) -> PyResult<String> {
    let fingerprints = fingerprint_key.map(Fingerprints::keyed).transpose().map_err(PyValueError::new_err)?;
    let fingerprints = fingerprints.unwrap_or_default();
    if names.as_ref().is_some_and(|names| names.len() != texts.len()) {
        return Err(PyValueError::new_err("there are not as many names as texts"));
    }
    let plan = crate::plan()?;
    let found = crate::released(py, move || {
        let account = search(&texts, fingerprints, now)?;
        let name =
            |index: usize| names.as_ref().map_or_else(|| format!("texts[{index}]"), |names| names[index].clone());
        judged(account, &plan, &name, now)
    })?;
    found.map_err(PyValueError::new_err)
}

/// The tokens, at places whose path is the number of the text with leading zeros, so that order is that of the numbers.
fn search(texts: &[Text], fingerprints: Fingerprints, now: i64) -> Result<Account, String> {
    let finder = Finder::new()?;
    let mut scanner = Scanner::new(&finder);
    let mut tally = Tally::new(Limits::of(Limits::TOKENS, now)).named_by(fingerprints);
    for (index, text) in texts.iter().enumerate() {
        tally.begin(&format!("{index:020}"));
        // Reading from memory does not fail.
        scanner.tokens(text.bytes(), &mut |place| tally.add(&place)).map_err(|error| error.to_string())?;
    }
    Ok(tally.finish())
}

fn judged(mut account: Account, plan: &Plan, name: &dyn Fn(usize) -> String, now: i64) -> Result<String, String> {
    let number = |place: &Place| place.path.parse().unwrap_or_default();
    let judge = Judge::new(now, None);
    let mut found = Vec::new();
    for seen in &mut account.tokens {
        let index = seen.places.first().map_or(0, number);
        for place in &mut seen.places {
            place.path = name(number(place)).into();
        }
        found.extend(judge.findings(plan, seen).into_iter().map(|finding| (index, finding)));
    }
    let found: Vec<Indexed<'_>> = found.iter().map(|(index, finding)| Indexed { index: *index, finding }).collect();
    serde_json::to_string(&found).map_err(|error| error.to_string())
}
