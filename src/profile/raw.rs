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
    /// Limits by name (`access_token.lifetime.max`), or the name of the table they are taken from.
    #[serde(default)]
    pub limits: RawLimits,
}

/// Where the limits of a profile stand.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum RawLimits {
    /// In `rules/tables/<name>.yaml`.
    Table(String),
    /// Here, by name.
    Here(BTreeMap<String, RawLimit>),
}

impl Default for RawLimits {
    fn default() -> Self {
        RawLimits::Here(BTreeMap::new())
    }
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
    /// `true`: a waiver with an agreement may lift it (a plain one, where what breaks it belongs to no workflow).
    /// `false`: no waiver may. Absent: any waiver may.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waivable: Option<bool>,
    /// The requirements it rests on.
    pub requirements: Vec<String>,
}

/// `rules/tables/<name>.yaml`: the token lifetimes of a guideline, as it prints them.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "tokenvet lifetime table")]
pub struct RawLifetimes {
    /// The guideline.
    pub title: String,
    /// Which edition the figures are of, and where they were read.
    pub edition: String,
    /// What the guideline decides and the table can't tell.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unknown: Vec<String>,
    /// The rows. Every token type, validation model and level has at most one figure per bound.
    pub rows: Vec<RawLifetime>,
}

/// A row: the life of one kind of token.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawLifetime {
    /// The token it is about.
    pub token: TokenType,
    /// How services must check the token for the row to hold.
    pub validation: ValidationModel,
    /// The level of authorisation the row is for; absent when it holds for all. Files do not show it, so rows with a
    /// level are shown to people and judge nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub level: Option<String>,
    /// The shortest life.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimum: Option<RawCell>,
    /// The life to set when nothing else is known; shown to people, since every life between the bounds is as good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recommended: Option<RawCell>,
    /// The longest life.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maximum: Option<RawCell>,
    /// Who vouches for the figures.
    pub basis: String,
}

/// A cell of a table of lifetimes. An absent cell says that the guideline has no such bound (or another row has it).
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum RawCell {
    /// There is a bound, and its figure could not be read or its sources contradict each other. Judges nothing.
    Unknown(UnknownWord),
    /// The figure.
    Known(RawBound),
}

/// The word `unknown`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum UnknownWord {
    /// Not known.
    Unknown,
}

/// A figure of a table. How bad it is to break it follows from the requirements.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawBound {
    /// The life in seconds, itself within the bound.
    pub seconds: i64,
    /// Seconds of legitimate backdating of `nbf` that do not count; 0 by default.
    #[serde(default)]
    pub allowance: i64,
    /// See [`RawLimit::waivable`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waivable: Option<bool>,
    /// The requirements it rests on; at least one.
    pub requirements: Vec<String>,
}

/// A kind of token in a table of lifetimes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TokenType {
    /// Shown to services.
    AccessToken,
    /// Shown to the client.
    IdToken,
    /// Kept by the client to get access tokens.
    RefreshToken,
}

/// How services check a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ValidationModel {
    /// The row holds however they do.
    Any,
    /// At least one may trust the signature alone; assumed when nothing is known.
    Offline,
    /// Every one asks the issuer each time.
    Online,
}

// The tool reads it in two parts, `Requirement` and `Words`.
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
