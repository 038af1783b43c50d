//! Profiles and requirements as written under `rules/profiles/` and `rules/requirements/`.

use crate::model::TargetKind;
use crate::rule::{Check, OneOrMany, Severity};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// `rules/profiles/<family>@<version>.yaml`: one version of one profile.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "tokenvet profile")]
pub struct RawProfile {
    /// Family name (`wlcg`).
    pub family: String,
    /// Version of the document (`1.3`); `1` for families without versions.
    pub version: String,
    /// Full title and date of the document.
    pub title: String,
    /// One paragraph: what it is for and when to choose it.
    pub description: String,
    /// Always applied, whatever is chosen (`general`), or applied to targets that show no family (`generic`), or
    /// only when a target shows it or the user asks for it (`family`).
    pub class: ProfileClass,
    /// Documents of the ledger whose requirements of `document_version` belong to this profile.
    pub documents: Vec<String>,
    /// The version of the requirements taken from those documents; absent takes every one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub document_version: Option<String>,
    /// What shows that a target belongs to this family; the family's newest version then applies. Any version may
    /// hold evidence, one is enough.
    #[serde(default)]
    pub shown_by: Vec<RawEvidence>,
    /// Limits by name (`access_token.lifetime.max`).
    #[serde(default)]
    pub limits: BTreeMap<String, RawLimit>,
}

/// Evidence that a target belongs to a family.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawEvidence {
    /// The target kinds this evidence is about.
    pub target: OneOrMany<TargetKind>,
    /// What must hold.
    pub when: Check,
    /// True when it shows this very version, not only the family: then this version applies instead of the newest.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub exact: bool,
    /// Completes "wlcg@1.3 applies because …" (`the token carries wlcg.ver`).
    pub why: String,
}

/// How a profile comes to apply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ProfileClass {
    /// Always.
    General,
    /// To targets of its kind unless the user chose profiles.
    Generic,
    /// To targets that show the family, or when chosen.
    Family,
}

/// One limit.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawLimit {
    /// The bound: seconds for lifetimes, bits for key sizes.
    pub value: i64,
    /// True when the bound itself is already out of range.
    #[serde(default)]
    pub exclusive: bool,
    /// Seconds of legitimate backdating of `nbf` that do not count against the bound; 0 by default.
    #[serde(default)]
    pub allowance: i64,
    /// How bad it is to be out of range.
    pub severity: Severity,
    /// May an agreed waiver lift it?
    #[serde(default)]
    pub waivable: bool,
    /// The requirements it rests on.
    pub requirements: Vec<String>,
}

/// One normative statement (`rules/requirements/<document>.yaml` holds a list of them).
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawRequirement {
    /// Stable id (`WLCG-TOK-006`, `RFC9700-CL-003`).
    pub id: String,
    /// Section of the document.
    pub section: String,
    /// Its RFC 2119 level.
    pub level: Level,
    /// What the level rests on.
    #[serde(default)]
    pub basis: Basis,
    /// Document versions that hold it; empty means every version.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub versions: Vec<String>,
    /// True when the document itself could not be read and an adopter is the source; then at most a warning.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub secondary: bool,
    /// The statement in one line, in our words.
    pub statement: String,
    /// The statement of another document that says the same. Where this one is only described, cited or in small
    /// letters, breaking it then weighs as much as breaking that one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restates: Option<String>,
    /// Why no rule checks it, for statements that files cannot show; absent when rules do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unchecked: Option<String>,
    /// What it can be checked from (`token`, `discovery`, `jwks`, `client_config`, `issuer_config`, …).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checkable_from: Vec<String>,
}

/// `rules/requirements/<document>.yaml`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "tokenvet requirement ledger")]
pub struct RawLedger {
    /// Short name of the document (`wlcg`, `rfc9700`).
    pub document: String,
    /// Its full title.
    pub title: String,
    /// Where to read it.
    pub url: String,
    /// The statements.
    pub requirements: Vec<RawRequirement>,
}

/// RFC 2119 level.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Level {
    /// MUST, SHALL, REQUIRED.
    #[serde(rename = "MUST")]
    Must,
    /// MUST NOT.
    #[serde(rename = "MUST NOT")]
    MustNot,
    /// SHOULD, RECOMMENDED.
    #[serde(rename = "SHOULD")]
    Should,
    /// SHOULD NOT.
    #[serde(rename = "SHOULD NOT")]
    ShouldNot,
    /// MAY, OPTIONAL.
    #[serde(rename = "MAY")]
    May,
    /// Practice or context, no demand.
    #[serde(rename = "INFORMATIVE")]
    Informative,
}

impl Level {
    /// The RFC 2119 words.
    pub fn name(self) -> &'static str {
        match self {
            Level::Must => "MUST",
            Level::MustNot => "MUST NOT",
            Level::Should => "SHOULD",
            Level::ShouldNot => "SHOULD NOT",
            Level::May => "MAY",
            Level::Informative => "INFORMATIVE",
        }
    }
}

/// What a level rests on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Basis {
    /// RFC 2119 key words in capitals.
    #[default]
    Keyword,
    /// A table of the document that says "required".
    Table,
    /// The same words in small letters.
    Lowercase,
    /// Stated as a fact.
    Descriptive,
    /// The rule stands in a document it cites.
    ByReference,
    /// Our own consequence.
    Implied,
}

impl RawRequirement {
    /// How bad it is to break it, what it [restates](RawRequirement::restates) apart: MUST by key word or table is an error; SHOULD, and MUST that is only described or
    /// cited, a warning; the rest a note. A secondary source is at most a warning.
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
