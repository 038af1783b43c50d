//! The requirement ledger: what judging needs of every statement, and the words for people, which are read when somebody
//! asks.

use super::{Basis, Level};
use crate::rule::Severity;
use serde::Deserialize;
use std::collections::BTreeMap;

/// The statements, without words.
static STATEMENTS: &str = include_str!(concat!(env!("OUT_DIR"), "/ledger.json"));
/// Id and words (in JSON) of the statements, sorted by id.
static WORDS: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/words.rs"));
/// Name, title and URL of the documents, sorted by name.
static DOCUMENTS: &[(&str, &str, &str)] = include!(concat!(env!("OUT_DIR"), "/documents.rs"));

/// A statement of a document, as far as judging needs it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Requirement {
    /// See [`super::RawRequirement::id`].
    pub id: &'static str,
    /// Short name of the document.
    pub document: &'static str,
    /// See [`super::RawRequirement::level`].
    pub level: Level,
    /// See [`super::RawRequirement::basis`].
    #[serde(default)]
    pub basis: Basis,
    /// See [`super::RawRequirement::versions`].
    #[serde(default, borrow)]
    pub versions: Vec<&'static str>,
    /// See [`super::RawRequirement::secondary`].
    #[serde(default)]
    pub secondary: bool,
    /// See [`super::RawRequirement::restates`].
    #[serde(default, borrow)]
    pub restates: Option<&'static str>,
}

/// What the ledger says of a statement to people.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Words {
    /// See [`super::RawRequirement::section`].
    pub section: String,
    /// See [`super::RawRequirement::statement`].
    pub statement: String,
    /// See [`super::RawRequirement::unchecked`].
    #[serde(default)]
    pub unchecked: Option<String>,
    /// See [`super::RawRequirement::checkable_from`].
    #[serde(default)]
    pub checkable_from: Vec<String>,
}

/// All statements by id.
pub(crate) fn ledger() -> Result<BTreeMap<&'static str, Requirement>, serde_json::Error> {
    let statements: Vec<Requirement> = serde_json::from_str(STATEMENTS)?;
    Ok(statements.into_iter().map(|statement| (statement.id, statement)).collect())
}

impl Requirement {
    /// The part for people.
    pub fn words(&self) -> Words {
        let at = WORDS.binary_search_by(|(id, _)| (*id).cmp(self.id));
        at.ok().and_then(|at| serde_json::from_str(WORDS[at].1).ok()).unwrap_or_default()
    }

    /// Full title of the document, and where to read it.
    pub fn document(&self) -> (&'static str, &'static str) {
        let at = DOCUMENTS.binary_search_by(|(name, ..)| (*name).cmp(self.document));
        at.map_or(("", ""), |at| (DOCUMENTS[at].1, DOCUMENTS[at].2))
    }

    /// How bad it is to break it, what it [restates](Self::restates) apart: MUST by key word or table is an error;
    /// SHOULD, and MUST that is only described or cited, a warning; the rest a note. A secondary source is at most a
    /// warning.
    pub fn severity(&self) -> Severity {
        let firm = matches!(self.basis, Basis::Keyword | Basis::Table) && !self.secondary;
        match self.level {
            _ if self.basis == Basis::Implied => Severity::Note,
            Level::Must | Level::MustNot if firm => Severity::Error,
            Level::Must | Level::MustNot | Level::Should | Level::ShouldNot => Severity::Warning,
            Level::May | Level::Informative => Severity::Note,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_statement_has_words_and_a_document() {
        let ledger = ledger().expect("built in");
        assert_eq!(ledger.len(), WORDS.len());
        for (id, words) in WORDS {
            let parsed: Words = serde_json::from_str(words).expect("words");
            let requirement = ledger.get(id).expect("listed");
            assert_eq!((requirement.words().statement, parsed.section.is_empty()), (parsed.statement, false), "{id}");
            let (title, url) = requirement.document();
            assert!(!title.is_empty() && url.starts_with("https://"), "{id}");
        }
    }
}
