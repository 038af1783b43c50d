//! What the user vouches for on the command line: known issuers (`--issuers`) and keys to verify tokens with (`--keys`).

use super::exit::Failure;
use super::problem;
use super::store::Store;
#[cfg(feature = "verify")]
use crate::check::check;
#[cfg(feature = "verify")]
use crate::evaluate::{Adjustments, Fact, Plan, Selection};
#[cfg(feature = "verify")]
use crate::model::TargetKind;
#[cfg(feature = "verify")]
use crate::parse::ParseError;
use crate::profile::Registry;
#[cfg(feature = "verify")]
use crate::rule::RuleBook;
use crate::source::Source;
use std::path::PathBuf;
use std::sync::Arc;

/// Largest registry or key set, in bytes.
const MAX_FILE: u64 = 1 << 20;

/// Adds the issuers of registry files to the built-in ones; the files are handed back for the policy's digest.
pub(super) fn issuers(store: &Store, registry: &mut Registry, paths: &[PathBuf]) -> Result<Vec<Arc<Source>>, Failure> {
    let mut sources = Vec::new();
    for path in paths {
        let source = Arc::new(store.read(path, MAX_FILE).map_err(Failure::Reported)?);
        let own = Registry::read(&source).map_err(|error| Failure::Reported(problem::render(&source, &error)))?;
        registry.add(own);
        sources.push(source);
    }
    Ok(sources)
}

/// The keys of key set files, as facts that verify tokens of any issuer and are themselves not judged. They are read in full
/// whatever rules the run is limited to.
#[cfg(feature = "verify")]
pub(super) fn keys(book: &Arc<RuleBook>, paths: &[PathBuf], now: i64) -> Result<Vec<Fact>, Failure> {
    let mut facts = Vec::new();
    if paths.is_empty() {
        return Ok(facts);
    }
    let plan = Plan::new(Arc::clone(book), Selection::Auto, &Adjustments::default());
    for path in paths {
        let source = Arc::new(problem::read_small(path, MAX_FILE).map_err(Failure::Reported)?);
        let refuse = |error: ParseError| Failure::Reported(problem::render(&source, &error));
        let outcome = check(&plan, &source, now);
        if let Some(error) = outcome.errors.into_iter().next() {
            let span = error.region.map(|region| region.span()).unwrap_or_default();
            return Err(refuse(ParseError { message: error.message, span }));
        }
        if !outcome.documents.iter().any(|document| matches!(document.kind.as_str(), "jwks" | "jwk")) {
            return Err(refuse(ParseError::at(
                0,
                "a JSON Web Key Set (or one key) is expected, as a jwks_uri serves it",
            )));
        }
        let keys = outcome.facts.into_iter().filter(|fact| fact.kind == TargetKind::Key);
        facts.extend(keys.map(|fact| Fact { given: true, ..fact }));
    }
    Ok(facts)
}
