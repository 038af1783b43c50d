//! The requirement ledger: what judging needs of every statement, and the words for people, which are read when somebody
//! asks.

use super::{Basis, Level};
use crate::rule::Severity;
use serde::Deserialize;

/// Every statement, sorted by id.
pub static LEDGER: &[Requirement] = include!(concat!(env!("OUT_DIR"), "/ledger.rs"));
/// The words of the statements (in JSON), in the same order.
static WORDS: &[&str] = include!(concat!(env!("OUT_DIR"), "/words.rs"));
/// Name, title and URL of the documents, sorted by name.
static DOCUMENTS: &[(&str, &str, &str)] = include!(concat!(env!("OUT_DIR"), "/documents.rs"));

/// A statement of a document, as far as judging needs it.
#[derive(Clone, Debug)]
pub struct Requirement {
    /// See [`super::RawRequirement::id`].
    pub id: &'static str,
    /// Short name of the document.
    pub document: &'static str,
    /// See [`super::RawRequirement::level`].
    pub level: Level,
    /// See [`super::RawRequirement::basis`].
    pub basis: Basis,
    /// See [`super::RawRequirement::versions`].
    pub versions: &'static [&'static str],
    /// See [`super::RawRequirement::secondary`].
    pub secondary: bool,
    /// See [`super::RawRequirement::restates`].
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

impl Requirement {
    /// The statement with this id.
    pub fn find(id: &str) -> Option<&'static Requirement> {
        place(id).map(|at| &LEDGER[at])
    }

    /// The part for people.
    pub fn words(&self) -> Words {
        place(self.id).and_then(|at| serde_json::from_str(WORDS[at]).ok()).unwrap_or_default()
    }

    /// Full title of the document, and where to read it.
    pub fn document(&self) -> (&'static str, &'static str) {
        let at = DOCUMENTS.binary_search_by(|(name, ..)| (*name).cmp(self.document));
        at.map_or(("", ""), |at| (DOCUMENTS[at].1, DOCUMENTS[at].2))
    }

    /// How bad it is to break it: what its own words say, or those that it restates if they weigh more.
    pub fn severity(&self) -> Severity {
        let restated = self.restates.and_then(Requirement::find);
        restated.map_or(self.own_severity(), |other| self.own_severity().max(other.own_severity()))
    }

    /// How bad it is by its own words: MUST by key word or table is an error; SHOULD, and MUST that is only described or
    /// cited, a warning; the rest a note. A secondary source is at most a warning.
    pub fn own_severity(&self) -> Severity {
        let firm = matches!(self.basis, Basis::Keyword | Basis::Table) && !self.secondary;
        match self.level {
            _ if self.basis == Basis::Implied => Severity::Note,
            Level::Must | Level::MustNot if firm => Severity::Error,
            Level::Must | Level::MustNot | Level::Should | Level::ShouldNot => Severity::Warning,
            Level::May | Level::Informative => Severity::Note,
        }
    }
}

fn place(id: &str) -> Option<usize> {
    LEDGER.binary_search_by(|requirement| requirement.id.cmp(id)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_statement_has_words_and_a_document() {
        assert_eq!(LEDGER.len(), WORDS.len());
        for (requirement, words) in LEDGER.iter().zip(WORDS) {
            let parsed: Words = serde_json::from_str(words).expect("words");
            let found = Requirement::find(requirement.id).expect("sorted").words();
            assert_eq!((found.statement, parsed.section.is_empty()), (parsed.statement, false), "{}", requirement.id);
            let (title, url) = requirement.document();
            assert!(!title.is_empty() && url.starts_with("https://"), "{}", requirement.id);
        }
    }
}
