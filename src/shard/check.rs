//! What a shard of a check found: what is known of each of its files before any other file is known. What waivers and the
//! baseline cover, and what spans files, is for whoever has all shards.

use super::Trouble;
use super::fact;
use super::finding::Carried;
use super::scan::Gap;
use crate::check::Outcome;
use crate::evaluate::Fact;
use crate::report::{DocumentRef, FileError, Lines, NotJudged, ProfileRef, View};
use crate::rule::RuleBook;
use crate::source::{Source, Span};
use crate::suppress::inline::Allow;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// What a shard found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Work {
    /// Its files, in order.
    pub files: Vec<File>,
    /// Keys that the user gave, the same in every shard.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub given: Vec<fact::Carried>,
}

impl Work {
    /// What was found in some files, by a run that was given these keys.
    pub fn new(files: Vec<File>, given: Vec<Fact>) -> Self {
        Work { files, given: given.into_iter().map(fact::Carried::of).collect() }
    }
}

/// What was found in one file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// Its place among all files of the run, from 0.
    pub index: u64,
    /// Its name in reports.
    pub name: String,
    /// The user named it, as opposed to a folder that it lies in.
    pub named: bool,
    /// Why it could not be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<Gap>,
    /// What was found in it: in one part, or in several when it is large.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<Part>,
}

/// A rule that a comment allows: rule, span of its name, reason, line it holds for, line of the comment.
pub type Allowed = (String, (u32, u32), Option<String>, u32, u32);

/// What was found in a file, or in a part of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// False when nothing recognised it, and that is no error.
    pub counts: bool,
    /// Recognised documents.
    pub documents: Vec<DocumentRef>,
    /// Number of targets by kind.
    pub targets: BTreeMap<String, u64>,
    /// Findings; those that a comment suppresses are marked.
    pub findings: Vec<Carried>,
    /// Rules that could not judge a target.
    pub not_judged: Vec<NotJudged>,
    /// Errors.
    pub errors: Vec<FileError>,
    /// Profiles that were applied, with the reason.
    pub profiles: BTreeSet<ProfileRef>,
    /// Targets that every applicable rule could judge, targets that some could not judge, and judgements that found nothing
    /// wrong.
    pub counted: (u64, u64, u64),
    /// Targets by the number of the policy's workflow.
    pub workflows: BTreeMap<usize, u64>,
    /// What comments say of findings of rules that span documents: rule, span of its name, reason, line it holds for, its own
    /// line.
    pub allowed: Vec<Allowed>,
    /// What rules that span documents may ask for.
    pub facts: Vec<fact::Carried>,
    /// Rules that are defective.
    pub defects: Vec<String>,
    /// Further parts follow.
    pub more: bool,
    /// The file says that it is a part of something larger.
    pub partial: bool,
    /// Its format holds no metadata of issuers.
    pub issuerless: bool,
    /// Errors kept earlier parts from being judged as a whole.
    pub gapped: bool,
    /// The lines around findings.
    pub lines: Lines,
    /// The lines that findings of the whole run may point at, when the run has so few files that reports show them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept: Option<Lines>,
}

impl Part {
    /// Of an outcome. `hidden` are the spans of all secrets in the source, where reports show the lines that findings of the
    /// whole run point at. What became of tokens is added later, see [`Part::settle`].
    pub fn of(source: &Source, outcome: Outcome, counts: bool, hidden: Option<&[Span]>) -> Self {
        let facts: Vec<fact::Carried> = outcome.facts.into_iter().map(fact::Carried::of).collect();
        let findings: Vec<Carried> = outcome.findings.into_iter().map(Carried::placed).collect();
        let of_findings = findings.iter().filter_map(|finding| finding.region.as_ref());
        let lines = Lines::of(&View::new(source, &outcome.secrets), of_findings.clone());
        let of_facts = facts.iter().flat_map(fact::Carried::places);
        let kept = hidden.map(|hidden| Lines::of(&View::new(source, hidden), of_facts.chain(of_findings)));
        let allow =
            |allow: Allow| (allow.rule, (allow.span.start, allow.span.end), allow.reason, allow.line, allow.stands_on);
        Part {
            counts,
            documents: outcome.documents,
            targets: outcome.targets,
            findings,
            not_judged: outcome.not_judged,
            errors: outcome.errors,
            profiles: outcome.profiles,
            counted: (outcome.judged, outcome.not_judged_targets, outcome.passed),
            workflows: outcome.workflows,
            allowed: outcome.allowed.into_iter().map(allow).collect(),
            facts,
            defects: outcome.defects,
            more: outcome.more,
            partial: outcome.partial,
            issuerless: outcome.issuerless,
            gapped: outcome.gapped,
            lines,
            kept,
        }
    }

    /// Adds what became of the tokens among its facts, which are given as they were.
    pub fn settle(&mut self, facts: &[Fact]) {
        for (carried, fact) in self.facts.iter_mut().zip(facts) {
            carried.settle(fact);
        }
    }

    /// The outcome again, whether it counts, and the lines that reports show. An error says that no shard writes such a report.
    pub fn open(self, book: &RuleBook) -> Result<(Outcome, bool, Lines, Option<Lines>), Trouble> {
        let corrupt = |what: &str| Trouble::Corrupt(what.into());
        let findings = self.findings.into_iter().map(|carried| carried.finding(book)).collect::<Option<Vec<_>>>();
        let facts = self.facts.into_iter().map(fact::Carried::fact).collect::<Option<Vec<Fact>>>();
        let allow = |(rule, (start, end), reason, line, stands_on)| Allow {
            rule,
            span: Span { start, end },
            reason,
            line,
            stands_on,
        };
        let (judged, not_judged_targets, passed) = self.counted;
        let outcome = Outcome {
            documents: self.documents,
            targets: self.targets,
            findings: findings.ok_or_else(|| corrupt("a finding of a rule that there is not"))?,
            not_judged: self.not_judged,
            errors: self.errors,
            profiles: self.profiles,
            judged,
            not_judged_targets,
            passed,
            workflows: self.workflows,
            allowed: self.allowed.into_iter().map(allow).collect(),
            facts: facts.ok_or_else(|| corrupt("a fact of a document or software that there is not"))?,
            recognised: true,
            defects: self.defects,
            more: self.more,
            partial: self.partial,
            issuerless: self.issuerless,
            gapped: self.gapped,
            ..Outcome::default()
        };
        Ok((outcome, self.counts, self.lines, self.kept))
    }
}

/// Puts together what the shards of a run found.
#[derive(Debug, Default)]
pub struct Gather {
    files: BTreeMap<u64, File>,
    given: Vec<fact::Carried>,
}

impl Gather {
    /// Takes what one shard found. No shard may be given twice.
    pub fn add(&mut self, work: Work) -> Result<(), Trouble> {
        self.given = work.given;
        for file in work.files {
            let name = file.name.clone();
            if self.files.insert(file.index, file).is_some() {
                return Err(Trouble::Foreign(format!("{name} was judged by another shard as well")));
            }
        }
        Ok(())
    }

    /// All files of the run in order, when none is missing, and the keys that the user gave.
    pub fn finish(self, terms: &super::Terms) -> Result<(Vec<File>, Vec<Fact>), Trouble> {
        let names = super::plan::listing(self.files.values().map(|file| file.name.as_str()));
        if self.files.len() as u64 != terms.inputs || names != terms.listing {
            return Err(Trouble::Foreign(format!("{} of {} files were judged", self.files.len(), terms.inputs)));
        }
        let given = self.given.into_iter().map(fact::Carried::fact).collect::<Option<_>>();
        let given = given.ok_or_else(|| Trouble::Corrupt("a key that is not described as keys are".into()))?;
        Ok((self.files.into_values().collect(), given))
    }
}

/// Verifies the tokens among facts with the keys among them, in the order of the run. Only what became of them remains.
#[cfg(feature = "verify")]
pub fn verify(facts: &mut [Fact]) {
    crate::evaluate::name_issuers(facts);
    crate::verify::verify_all(facts);
}
