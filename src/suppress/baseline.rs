//! Baselines: the findings a project starts with. A baseline holds fingerprints, so that findings are known again when
//! lines move, and nothing that could be a secret.

use crate::evaluate::Plan;
use crate::model::{At, Field, Suppression, Target, TargetKind};
use crate::parse::{Cursor, Document, ParseError, typed};
use crate::report::{Finding, Suppressed, SuppressionKind};
use crate::source::{Source, Span};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

/// Version of the file; grows when fingerprints change their meaning.
const VERSION: u32 = 1;

/// A baseline file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawBaseline {
    tokenvet_baseline: u32,
    findings: Vec<Entry>,
}

/// One finding of a baseline, in the order of the file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// File, relative to the policy's folder.
    pub path: String,
    /// Rule.
    pub rule: String,
    /// What the finding is known by.
    pub fingerprint: String,
}

/// A baseline and which of its findings still occur.
#[derive(Debug)]
pub struct Baseline {
    document: Document,
    entries: Vec<Entry>,
    /// By fingerprint; files of several issuers may have some in common.
    by_fingerprint: HashMap<String, Vec<usize>>,
    occurs: Vec<bool>,
    /// Paths that were judged without an error.
    judged: BTreeSet<String>,
}

impl Baseline {
    /// Reads a baseline.
    pub fn read(source: &Arc<Source>) -> Result<Self, ParseError> {
        let (raw, document): (RawBaseline, _) = typed::read(source)?;
        if raw.tokenvet_baseline != VERSION {
            let span = document.root().get("tokenvet_baseline").map_or(Span::default(), Cursor::span);
            let message = format!("a baseline of version {VERSION} is expected; write it again with --write-baseline");
            return Err(ParseError { message, span });
        }
        let entries = raw.findings;
        let mut by_fingerprint: HashMap<String, Vec<usize>> = HashMap::new();
        for (index, entry) in entries.iter().enumerate() {
            by_fingerprint.entry(entry.fingerprint.clone()).or_default().push(index);
        }
        let occurs = vec![false; entries.len()];
        Ok(Baseline { document, entries, by_fingerprint, occurs, judged: BTreeSet::new() })
    }

    /// Marks the findings of a file that the baseline holds. `complete` says that the whole file was judged.
    pub fn apply(&mut self, path: &str, findings: &mut [Finding], complete: bool) {
        self.judge(path, complete);
        for finding in findings {
            let mut alike = self.by_fingerprint.get(&finding.fingerprint).into_iter().flatten();
            let Some(&index) = alike.find(|index| self.entries[**index].path == path) else { continue };
            self.occurs[index] = true;
            if finding.suppressed.is_none() {
                let reason = "in the baseline".to_string();
                let kind = SuppressionKind::Baseline;
                let mitigations = vec![];
                finding.suppressed =
                    Some(Suppressed { kind, reason, owner: None, expires: None, mitigations, line: 0 });
            }
        }
    }

    /// Takes note of a file that was judged; `complete` says that it was as a whole.
    pub fn judge(&mut self, path: &str, complete: bool) {
        if complete {
            self.judged.insert(path.to_string());
        }
    }

    /// Entries that this run says nothing about: those of files it did not judge, and of rules that `runs` says it left out
    /// for the path.
    pub fn unjudged<'b>(&'b self, runs: &'b dyn Fn(&str, &str) -> bool) -> impl Iterator<Item = &'b Entry> {
        self.entries.iter().filter(|entry| !self.judged.contains(&entry.path) || !runs(&entry.path, &entry.rule))
    }

    /// Findings about entries that no longer occur in files that were judged.
    pub fn finish(&self, plan: &Plan, now: i64) -> Vec<Finding> {
        let places: Vec<Cursor<'_>> =
            self.document.root().get("findings").into_iter().flat_map(Cursor::items).collect();
        let entries = self.entries.iter().zip(&self.occurs).zip(places);
        let targets: Vec<Target<'_>> = entries
            .map(|((entry, &occurs), place)| {
                let told = self.judged.contains(&entry.path) && plan.runs(&entry.rule);
                let rule = place.get("rule").map(|member| At::node(member.id));
                let record = Suppression {
                    by: Field::text("baseline", None),
                    rule: Field::text(entry.rule.as_str(), rule),
                    used: if told { Field::bool(occurs, rule) } else { Field::default() },
                    ..Suppression::default()
                };
                let mut target = Target::new(TargetKind::Suppression, entry.path.clone(), record);
                target.identity = format!("{}\0{}", self.document.source.anchor(), entry.fingerprint).into();
                target.at = At::node(place.id);
                target
            })
            .collect();
        super::judge(plan, &self.document, &targets, now)
    }
}

/// The text of a baseline: one line per finding, sorted, so that two runs give the same bytes and changes read well.
pub fn text(entries: impl IntoIterator<Item = Entry>) -> String {
    let entries: BTreeSet<Entry> = entries.into_iter().collect();
    let mut text = format!("{{\n  \"tokenvet_baseline\": {VERSION},\n  \"findings\": [");
    for (index, entry) in entries.iter().enumerate() {
        text.push_str(if index == 0 { "\n    " } else { ",\n    " });
        text.push_str(&serde_json::to_string(entry).unwrap_or_default());
    }
    text.push_str(if entries.is_empty() { "]\n}\n" } else { "\n  ]\n}\n" });
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_does_not_depend_on_order() {
        let entry = |path: &str, fingerprint: &str| Entry {
            path: path.into(),
            rule: "kid-among-claims".into(),
            fingerprint: fingerprint.into(),
        };
        let written = text([entry("b", "2"), entry("a \"ü\n", "1"), entry("b", "2")]);
        assert_eq!(written, text([entry("a \"ü\n", "1"), entry("b", "2")]));
        let read = Baseline::read(&Arc::new(Source::from_text("b.json", written.as_str()))).unwrap();
        assert_eq!(read.entries, [entry("a \"ü\n", "1"), entry("b", "2")]);
        assert!(Baseline::read(&Arc::new(Source::from_text("b.json", text([]).as_str()))).is_ok());
    }

    #[test]
    fn other_files_are_refused() {
        for text in ["[]", "{}", "{\"tokenvet_baseline\": 2, \"findings\": []}", "{\"tokenvet_baseline\": 1}", ""] {
            assert!(Baseline::read(&Arc::new(Source::from_text("b.json", text))).is_err(), "{text}");
        }
    }
}
