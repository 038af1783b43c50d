//! What an audit tells: described by `schemas/audit.schema.json`.

use super::memory::Role;
use super::trend::Point;
use crate::report::Tool;
use crate::rule::Severity;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The version of the JSON form.
pub const SCHEMA_VERSION: &str = "1";

/// The report of an audit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(title = "tokenvet audit")]
pub struct Report {
    /// Version of this form.
    pub schema_version: String,
    /// What wrote it.
    pub tool: Tool<'static>,
    /// The policy file.
    pub policy: String,
    /// SHA-256 of everything that governed the audit.
    pub policy_digest: Option<String>,
    /// The clock (RFC 3339, UTC).
    pub now: String,
    /// When the audit before this one was; null for the first.
    pub previous: Option<String>,
    /// What changed about the audit itself since then: another policy, another version of tokenvet. Findings may be new or
    /// gone because of it.
    pub changed: Vec<String>,
    /// What it comes to.
    pub outcome: Outcome,
    /// Findings that the audit before did not have.
    pub new: Vec<Change>,
    /// Findings that have become worse.
    pub worsened: Vec<Change>,
    /// Findings that are gone; what they were in was judged as a whole.
    pub fixed: Vec<Change>,
    /// How many findings there were before and are still.
    pub still: Counts,
    /// All findings of this audit.
    pub findings: Counts,
    /// Findings of earlier audits that this one could say nothing of.
    pub unverified: u64,
    /// What was audited, and what was not.
    pub coverage: Coverage,
    /// What ends soon or has ended.
    pub expiring: Vec<Expiring>,
    /// How soon counts, in seconds.
    pub expiring_within: i64,
    /// The waivers of the policy.
    pub waivers: Vec<WaiverRef>,
    /// The snapshots of the issuers that the policy names.
    #[serde(default)]
    pub snapshots: Vec<SnapshotRef>,
    /// What changed about clients, issuers, keys, services, whether a rule speaks of it or not.
    pub inventory: Inventory,
    /// The figures of the last audits, the oldest first; this one is the last.
    pub trend: Vec<Point>,
    /// What could not be read or judged.
    pub errors: Vec<Problem>,
}

/// What an audit comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// There was none before: everything is what later ones compare with.
    First,
    /// Nothing got worse.
    Steady,
    /// Something got worse.
    Worse,
}

/// Findings by severity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Counts {
    /// Errors that nothing suppresses.
    pub error: u64,
    /// Warnings.
    pub warning: u64,
    /// Notes.
    pub note: u64,
    /// Suppressed ones of any severity.
    pub suppressed: u64,
}

impl Counts {
    pub(super) fn add(&mut self, severity: Severity, suppressed: bool) {
        match (suppressed, severity) {
            (true, _) => self.suppressed += 1,
            (false, Severity::Error) => self.error += 1,
            (false, Severity::Warning) => self.warning += 1,
            (false, Severity::Note) => self.note += 1,
        }
    }
}

/// A finding that is new, worse or gone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Change {
    /// Rule id.
    pub rule: String,
    /// The profile it was judged by.
    pub profile: String,
    /// Severity after policy.
    pub severity: Severity,
    /// File.
    pub path: String,
    /// Line, from 1.
    pub line: u32,
    /// Kind of the target.
    pub kind: String,
    /// Name of the target.
    pub name: String,
    /// What was found.
    pub message: String,
    /// Its identity over time.
    pub fingerprint: String,
    /// When it was found first (RFC 3339, UTC).
    pub first_seen: String,
    /// What became worse, or what is to be known of a new or a fixed one; empty otherwise.
    pub why: String,
}

/// What was audited.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Coverage {
    /// Files, and services' logs as one each, that were audited.
    pub audited: u64,
    /// Those that no audit had before, when this is not the first.
    pub added: Vec<String>,
    /// What the last audit had and this one has not. Its findings do not count as fixed.
    pub lost: Vec<Lost>,
    /// What was lost before and still is.
    pub still_lost: Vec<Lost>,
    /// What was lost and is back.
    pub returned: Vec<String>,
    /// What was judged in part.
    pub incomplete: Vec<String>,
}

/// Something that is no longer audited.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Lost {
    /// The file, or `logs of` a service.
    pub name: String,
    /// File or logs.
    pub role: Role,
    /// The service it belongs to.
    pub service: Option<String>,
    /// Why.
    pub why: String,
    /// When it was audited last (RFC 3339, UTC).
    pub last_seen: String,
    /// Findings it had.
    pub findings: u64,
}

/// Something that ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Expiring {
    /// `waiver`, `client secret`, `certificate`, `key`, `certificate of a key`, `access-token`, …
    pub what: String,
    /// Which one.
    pub name: String,
    /// Who answers for it: its contact, the policy's for its file, else its issuer; empty when nobody is known.
    pub owner: String,
    /// File.
    pub path: String,
    /// When (RFC 3339, UTC).
    pub at: String,
    /// The same in seconds since 1970.
    pub seconds: i64,
    /// Whole days from now; negative when it has ended.
    pub days: i64,
}

/// A waiver of the policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WaiverRef {
    /// The rule it waives.
    pub rule: String,
    /// Who answers for it.
    pub owner: String,
    /// Its file.
    pub path: String,
    /// When it ends (RFC 3339, UTC); null when nothing says it.
    pub ends: Option<String>,
    /// It hides a finding of this audit.
    pub used: bool,
}

/// The snapshot of an issuer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SnapshotRef {
    /// The issuer.
    pub issuer: String,
    /// Its folder.
    pub path: String,
    /// When it was taken (RFC 3339, UTC); null when nothing says it, or when there is none.
    pub taken: Option<String>,
    /// How old it is, in seconds; null when that is not known.
    pub age: Option<i64>,
    /// Why no new one could be taken, where `--fetch` asked for one: this audit is about the old one. Empty otherwise.
    pub failed: String,
}

/// What changed about what there is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Inventory {
    /// What was not there before.
    pub added: Vec<Item>,
    /// What is gone.
    pub removed: Vec<Item>,
    /// What is different.
    pub changed: Vec<Changed>,
}

/// Something of the inventory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Item {
    /// Kind of the target.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Its file.
    pub path: String,
    /// When it begins (RFC 3339, UTC), where that is still to come: a key that is published ahead of its use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub begins: Option<String>,
    /// When it ends (RFC 3339, UTC): a certificate, a key, a client's secret. Absent when nothing says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends: Option<String>,
    /// Whole days from now to its end; negative when it has ended. Absent when nothing says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub days: Option<i64>,
}

/// Something of the inventory that is different.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Changed {
    /// Which one.
    #[serde(flatten)]
    pub item: Item,
    /// What about it.
    pub edits: Vec<Edit>,
}

/// A field that is different.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Edit {
    /// Name of the field, as rules call it.
    pub field: String,
    /// Before; null when it was absent. Of a list, what was taken away.
    pub before: Value,
    /// Now; null when it is absent. Of a list, what was added.
    pub after: Value,
}

/// What could not be read or judged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Problem {
    /// File; empty for what belongs to no file.
    pub path: String,
    /// What is wrong and what to do next.
    pub message: String,
}
