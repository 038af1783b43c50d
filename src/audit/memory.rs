//! What an audit saw, and what is kept of it.

use super::inventory::Entry;
use super::ratchet::Accepted;
use super::trend::Trend;
use crate::model::Quantity;
use crate::rule::Severity;
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

/// What tells findings apart over time: the fingerprint, and the [`Source`] it was found in.
pub type Key = (String, String);

/// What is audited as one: a file, or the logs of a service, which come and go under changing names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// A file that is judged.
    File,
    /// All logs of a service.
    Logs,
}

impl Role {
    /// The word in the state.
    pub fn name(self) -> &'static str {
        match self {
            Role::File => "file",
            Role::Logs => "logs",
        }
    }
}

/// A finding without what can be had from the rule book.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observed {
    /// Rule id.
    pub rule: String,
    /// The profile it was judged by.
    pub profile: String,
    /// Severity after policy.
    pub severity: Severity,
    /// File.
    pub path: String,
    /// First line of its place.
    pub line: u32,
    /// Kind of the target.
    pub kind: String,
    /// Name of the target.
    pub name: String,
    /// What was found.
    pub message: String,
    /// The number that misses the bound, and the bound.
    pub measure: Option<(Quantity, i64)>,
    /// A comment, waiver or baseline covers it.
    pub suppressed: bool,
}

/// A finding of this or an earlier audit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remembered {
    /// As it was last.
    pub observed: Observed,
    /// When it was found first, in seconds since 1970.
    pub first_seen: i64,
    /// When it was found last.
    pub last_seen: i64,
    /// When its source was judged as a whole without it.
    pub closed: Option<i64>,
}

/// What was audited.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// File or logs.
    pub role: Role,
    /// The service it belongs to.
    pub service: Option<String>,
    /// When it was audited last, in seconds since 1970.
    pub last_seen: i64,
    /// Since when it is missing or cannot be read.
    pub lost: Option<i64>,
}

/// An audit of the past.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// When, in seconds since 1970.
    pub at: i64,
    /// Version of tokenvet.
    pub tool: String,
    /// SHA-256 of what governed it.
    pub policy: Option<String>,
    /// Everything could be read and judged.
    pub complete: bool,
    /// Its figures.
    pub trend: Trend,
}

/// All that is kept.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Memory {
    /// Audits, the oldest first.
    pub runs: Vec<Run>,
    /// Findings, open and closed.
    pub findings: BTreeMap<Key, Remembered>,
    /// What was audited, by name.
    pub sources: BTreeMap<String, Source>,
    /// What lasts, by kind, anchor and path.
    pub inventory: BTreeMap<(String, String, String), Entry>,
    /// The ratchet.
    pub accepted: Accepted,
}

impl Memory {
    /// The same, with nothing in it that is later than `now`: a clock that was ahead left it there.
    pub fn as_of(&self, now: i64) -> Cow<'_, Self> {
        // Whatever an audit left is as old as the audit.
        if self.runs.iter().all(|run| run.at <= now) {
            return Cow::Borrowed(self);
        }
        let mut memory = self.clone();
        let findings = memory
            .findings
            .values_mut()
            .flat_map(|finding| [Some(&mut finding.first_seen), Some(&mut finding.last_seen), finding.closed.as_mut()]);
        let sources =
            memory.sources.values_mut().flat_map(|source| [Some(&mut source.last_seen), source.lost.as_mut()]);
        let runs = memory.runs.iter_mut().map(|run| &mut run.at);
        runs.chain(findings.flatten()).chain(sources.flatten()).for_each(|time| *time = now.min(*time));
        Cow::Owned(memory)
    }
}

/// A part of the outcome of this audit: what was audited as one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// File or logs.
    pub role: Role,
    /// The service it belongs to.
    pub service: Option<String>,
    /// All of it was read and judged.
    pub complete: bool,
}

/// A waiver of the policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiver {
    /// The rule it waives.
    pub rule: String,
    /// Who answers for it.
    pub owner: String,
    /// Its file.
    pub path: String,
    /// The first second it does not hold any more, in seconds since 1970; `None` when nothing says it.
    pub ends: Option<i64>,
    /// It hides a finding of this audit.
    pub used: bool,
}

/// The snapshot of an issuer that the policy names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// The issuer.
    pub issuer: String,
    /// Its folder.
    pub path: String,
    /// When it was taken, in seconds since 1970; `None` when nothing says it.
    pub taken: Option<i64>,
    /// Why no new one could be taken, where one was wanted; empty otherwise.
    pub failed: String,
}

/// The outcome of this audit, before it is compared.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// Findings.
    pub findings: BTreeMap<Key, Observed>,
    /// What was audited.
    pub sources: BTreeMap<String, Part>,
    /// What is in it.
    pub inventory: Vec<Entry>,
    /// Waivers of the policy.
    pub waivers: Vec<Waiver>,
    /// Waivers that hide something, by VO.
    pub waived: BTreeMap<String, u64>,
    /// What could not be judged: rule, path, name of the target.
    pub not_judged: BTreeSet<(SmolStr, SmolStr, SmolStr)>,
    /// Snapshots of issuers.
    pub snapshots: Vec<Snapshot>,
    /// Whom the policy names for a file: the contact of its service or issuer.
    pub contacts: BTreeMap<String, String>,
    /// Files with what is wrong; the path is empty for what belongs to no file.
    pub errors: Vec<(String, String)>,
}

impl Seen {
    /// Was this file audited? What is not in it any more has not moved: another issuer may have a client of the same name.
    pub(super) fn is_still_file(&self, source: &str) -> bool {
        self.sources.get(source).is_some_and(|part| part.role == Role::File)
    }
}
