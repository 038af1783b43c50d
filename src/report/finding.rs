//! What renderers receive.

use super::text;
use crate::model::Quantity;
use crate::policy::Mitigation;
use crate::rule::Severity;
use crate::source::Region;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

/// The thing a finding is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TargetRef {
    /// Target kind (`client`, `access-token`, …), or `document` for native rules.
    pub kind: SmolStr,
    /// What users call it.
    pub name: SmolStr,
    /// The policy's workflow it was judged as.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workflow: Option<SmolStr>,
}

/// How often a workflow of the policy was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct WorkflowRef {
    /// Its name.
    pub name: String,
    /// Its class.
    pub class: String,
    /// Whose work it is: `production`, `power` or `ordinary`.
    pub user_class: String,
    /// Clients and tokens that were judged as belonging to it.
    pub targets: u64,
}

/// A lifetime over a maximum that an agreed waiver may lift, as waivers look at it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deviation {
    /// The lifetime in seconds; `None` when it has no end.
    pub lifetime: Option<i64>,
    /// Seconds of it that do not count (backdating).
    pub allowance: i64,
    /// Verifiable mitigations that are not true, with the reason; `None` when the target cannot show them.
    pub untrue: Option<Vec<(Mitigation, String)>>,
}

/// A number on the wrong side of a bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Measure {
    /// The number, in the unit of its field.
    pub value: Quantity,
    /// The bound.
    pub bound: i64,
}

/// A further place that belongs to a finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Related {
    /// What it shows.
    pub message: SmolStr,
    /// File.
    pub path: SmolStr,
    /// Place in the file.
    pub region: Region,
    /// Its pointer.
    pub pointer: SmolStr,
}

/// How a finding was suppressed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Suppressed {
    /// `inline`, `waiver` or `baseline`.
    pub kind: SuppressionKind,
    /// The reason given.
    pub reason: String,
    /// Who owns the waiver, when it names someone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Last day a waiver holds (YYYY-MM-DD).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires: Option<String>,
    /// What the waiver requires, each with how it was established: `narrow_scope: verified`, `pull_mode: as declared`,
    /// `no_modify: not shown by a registration`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub mitigations: Vec<String>,
    /// Line of the comment, from 1; 0 for what is no comment.
    #[serde(skip)]
    pub line: u32,
}

/// Where a suppression came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SuppressionKind {
    /// A comment beside the finding.
    Inline,
    /// A waiver file.
    Waiver,
    /// A baseline file.
    Baseline,
}

impl Finding {
    /// The order of findings in reports: path, offset, length, rule, profile, pointer; the fingerprint settles the rest.
    pub fn order(&self) -> impl Ord + '_ {
        (
            &self.path,
            self.region.byte_offset,
            self.region.byte_length,
            &self.rule,
            &self.profile,
            &self.pointer,
            &self.inner_pointer,
            &self.fingerprint,
        )
    }
}

/// A finished finding. Texts are free of secrets; control characters are escaped by each writer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Finding {
    /// Rule id.
    pub rule: SmolStr,
    /// The one profile it was judged by (`wlcg@1.3`, `general@1`).
    pub profile: SmolStr,
    /// Severity after policy.
    pub severity: Severity,
    /// Severity the profile gives.
    pub default_severity: Severity,
    /// What was found.
    pub message: String,
    /// File, relative to the working directory where it lies below it; `<stdin>` for standard input.
    pub path: SmolStr,
    /// Place in the file.
    pub region: Region,
    /// First and last line of what is at fault: of an object over several lines `region` is the beginning only, and a
    /// member that is missing has no place but the object it is missing in.
    #[serde(skip)]
    pub fault: (u32, u32),
    /// JSON Pointer in the file's document.
    pub pointer: SmolStr,
    /// JSON Pointer in the document decoded from there (a JWT's payload), else null.
    pub inner_pointer: Option<SmolStr>,
    /// What it is about.
    pub target: TargetRef,
    /// Requirements of this profile the rule rests on.
    pub requirements: Vec<SmolStr>,
    /// Further places.
    pub related: Vec<Related>,
    /// What to do.
    pub help: SmolStr,
    /// What identifies the target across runs (a client id, a `jti`); empty when only its place does. Waivers match
    /// it, reports do not show it.
    #[serde(skip)]
    pub identity: SmolStr,
    /// Stable identity across runs, 32 hexadecimal digits.
    pub fingerprint: String,
    /// Set when suppressed.
    pub suppressed: Option<Suppressed>,
    /// What an agreed waiver looks at; `None` unless the rule is about a maximum that one may lift.
    #[serde(skip)]
    pub deviation: Option<Box<Deviation>>,
    /// By how much a bound is missed, where the rule has one: audits tell from it whether things got worse.
    #[serde(skip)]
    pub measure: Option<Measure>,
}

/// A rule that could not judge a target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NotJudged {
    /// Rule id.
    pub rule: SmolStr,
    /// File.
    pub path: SmolStr,
    /// What was not judged.
    pub target: TargetRef,
    /// The field that is missing or malformed.
    pub field: SmolStr,
    /// Why.
    pub why: String,
}

/// A file that could not be read, parsed or recognised, or part of one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FileError {
    /// File.
    pub path: String,
    /// What is wrong and what to do next.
    pub message: String,
    /// Where, when known.
    pub region: Option<Region>,
}

/// A document that was judged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DocumentRef {
    /// File.
    pub path: String,
    /// Native kind.
    pub kind: String,
    /// Number of targets it yielded.
    pub targets: u64,
}

/// That findings on touched lines only were asked for, and what became of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct OnlyChanged {
    /// What the change is compared with: a branch or commit, or the diff that was given; null when nothing says so.
    pub since: Option<String>,
    /// Why everything is reported all the same; null when findings elsewhere were left out.
    pub off: Option<String>,
    /// Files that the change touches and that are still there.
    pub files: u64,
    /// Findings on other lines: counted here, and neither listed nor in the summary.
    pub left_out: LeftOut,
}

/// Findings that are counted and not listed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct LeftOut {
    /// Errors.
    pub error: u64,
    /// Warnings.
    pub warning: u64,
    /// Notes.
    pub note: u64,
}

/// The commit that policy, waivers, baseline and rule files were read from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct PolicyFrom {
    /// The branch or commit as it was named.
    pub reference: String,
    /// The commit, in hexadecimal digits.
    pub commit: String,
}

impl OnlyChanged {
    /// The same in one sentence.
    pub fn sentence(&self) -> String {
        let since = self.since.as_deref().unwrap_or_default();
        if let Some(off) = &self.off {
            return format!("everything is reported, not changed lines only: {off}");
        }
        let LeftOut { error, warning, note } = self.left_out;
        let files = text::counted(self.files, "file");
        let counts = [(error, "error"), (warning, "warning"), (note, "note")];
        let counts: Vec<_> = counts
            .iter()
            .filter(|(number, _)| *number > 0)
            .map(|&(number, noun)| text::counted(number, noun))
            .collect();
        let rest = if counts.is_empty() { "nothing".into() } else { counts.join(", ") };
        format!("only lines changed since {since} are reported ({files}); on other lines: {rest}")
    }
}

impl PolicyFrom {
    /// The same in one sentence.
    pub fn sentence(&self) -> String {
        format!("policy, waivers, baseline and rule files are those of {} ({})", self.reference, self.commit)
    }
}

/// What a profile says of the lifetime of one type of token, in seconds.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Band {
    /// The type of token (`access_token`).
    pub token: String,
    /// `family@version`.
    pub profile: String,
    /// It should live this long at least.
    pub min: Option<i64>,
    /// How long it best lives.
    pub recommended: Option<i64>,
    /// It should live this long at most.
    pub max: Option<i64>,
    /// Seconds over the maximum that do not count (backdating).
    pub allowance: i64,
    /// The policy put another bound in the place of the profile's.
    pub by_policy: bool,
}

/// A profile that was applied and why.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct ProfileRef {
    /// `family@version`.
    pub id: SmolStr,
    /// Why it applies.
    pub why: SmolStr,
}

/// Counts of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Summary {
    /// Findings of severity error that are not suppressed.
    pub error: u64,
    /// Warnings.
    pub warning: u64,
    /// Notes.
    pub note: u64,
    /// Suppressed findings of any severity.
    pub suppressed: u64,
    /// Targets that every applicable rule could judge.
    pub judged: u64,
    /// Targets that at least one applicable rule could not judge.
    pub not_judged: u64,
}
