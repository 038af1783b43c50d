//! The words of the field that a report uses, explained once at its end: of `glossary.json` those terms that occur.

use aho_corasick::{AhoCorasick, MatchKind};
use serde::Deserialize;
use std::sync::LazyLock;

/// A term.
#[derive(Debug, Deserialize)]
pub(super) struct Term {
    /// As the glossary lists it.
    pub(super) term: String,
    /// In which words it occurs, in small letters; a plural `s` may follow.
    words: Vec<String>,
    /// What it means.
    pub(super) text: String,
}

static TERMS: LazyLock<Vec<Term>> =
    LazyLock::new(|| serde_json::from_str(include_str!("glossary.json")).unwrap_or_default());

/// Finds words, and says which term each belongs to.
struct Finder {
    words: AhoCorasick,
    terms: Vec<usize>,
}

static FINDER: LazyLock<Option<Finder>> = LazyLock::new(|| {
    let all = TERMS.iter().enumerate().flat_map(|(index, term)| term.words.iter().map(move |word| (index, word)));
    let (terms, words): (Vec<usize>, Vec<&String>) = all.unzip();
    let mut builder = AhoCorasick::builder();
    let words = builder.ascii_case_insensitive(true).match_kind(MatchKind::LeftmostLongest).build(words);
    Some(Finder { words: words.ok()?, terms })
});

/// Which terms occurred so far.
#[derive(Debug, Default)]
pub(super) struct Spotter {
    seen: Vec<bool>,
}

impl Spotter {
    /// Looks for terms in a text.
    pub(super) fn look(&mut self, text: &str) {
        let Some(finder) = &*FINDER else { return };
        self.seen.resize(TERMS.len(), false);
        for found in finder.words.find_iter(text) {
            let rest = &text[found.end()..];
            let starts = !text[..found.start()].ends_with(char::is_alphanumeric);
            let ends = !rest.strip_prefix('s').unwrap_or(rest).starts_with(char::is_alphanumeric);
            if starts && ends {
                self.seen[finder.terms[found.pattern().as_usize()]] = true;
            }
        }
    }

    /// The terms that occurred, in the order of the alphabet.
    pub(super) fn terms(&self) -> Vec<&'static Term> {
        let mut terms: Vec<&Term> =
            TERMS.iter().zip(&self.seen).filter(|(_, seen)| **seen).map(|(term, _)| term).collect();
        terms.sort_by_key(|term| term.term.to_lowercase());
        terms
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_term_is_found_by_its_words_and_explained() {
        assert!(TERMS.len() > 20 && FINDER.is_some());
        for term in TERMS.iter() {
            assert!(term.text.ends_with('.') && !term.words.is_empty(), "{}", term.term);
            for word in &term.words {
                assert_eq!(*word, word.to_lowercase());
                let mut spotter = Spotter::default();
                spotter.look(&format!("The {word}s are here"));
                assert!(spotter.terms().iter().any(|found| found.term == term.term), "{word}");
            }
        }
    }

    #[test]
    fn words_within_words_are_others() {
        let mut spotter = Spotter::default();
        spotter.look("telescopes and antiissuers");
        assert_eq!(spotter.terms().len(), 0);
    }
}
