//! The model as it is written: `rules/compat/*.yaml`, one file per software, and `rules/compat/readers/*.yaml`.

use super::form::Form;
use super::json::Dialect;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How one software decides about a token.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "tokenvet compatibility model")]
pub struct RawSoftware {
    /// Name on the command line; equals the file name.
    pub software: String,
    /// Name for people.
    pub title: String,
    /// What it is, and what "accepted" means there.
    pub doc: String,
    /// Other names on the command line.
    #[serde(default)]
    pub aliases: Vec<String>,
    /// Versions whose behaviour was seen, oldest first; answers about other versions are interpolated and say so.
    pub versions: Vec<String>,
    /// How these versions are known: run (`oracle`) or read.
    #[serde(default = "oracle")]
    pub known_by: EvidenceKind,
    /// Ways it can be asked; the first is the usual one. Empty when there is one way only.
    #[serde(default)]
    pub modes: Vec<RawMode>,
    /// Libraries it carries.
    #[serde(default)]
    pub parts: Vec<RawPart>,
    /// What the service's configuration may settle, in the words of the steps; for documentation.
    #[serde(default)]
    pub settings: Vec<String>,
    /// What its configuration says of issuers.
    #[serde(default)]
    pub configuration: Configuration,
    /// Traps in its configuration with which it takes no token at all.
    #[serde(default)]
    pub closed_by: Vec<RawClosedBy>,
    /// Traps in its configuration that leave open which issuers it trusts beside those that are certain.
    #[serde(default)]
    pub opened_by: Vec<String>,
    /// How it takes a token apart; the first whose `versions` fit.
    #[serde(default)]
    pub reader: Vec<RawReaderUse>,
    /// What it looks at, in its order.
    pub steps: Vec<RawStep>,
    /// How the `scope` claim becomes permissions.
    #[serde(default)]
    pub scopes: Option<RawScopes>,
    /// What permissions become on the service.
    #[serde(default)]
    pub grants: Option<RawGrants>,
    /// Properties that it never looks at although others do; see [`RawIgnored`].
    #[serde(default)]
    pub ignores: Vec<RawIgnored>,
}

fn oracle() -> EvidenceKind {
    EvidenceKind::Oracle
}

/// What the configuration of a software says of issuers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Configuration {
    /// The issuers whose tokens it takes.
    #[default]
    Issuers,
    /// Rules on tokens that were found valid, whoever issued them: each names what a token has to hold.
    Rules,
    /// Patterns that make users of tokens that were found valid, whoever issued them.
    Patterns,
    /// The issuers whose tokens it takes, in a file that stops the service when it is broken: `scitokens.cfg`.
    ScitokensCfg,
}

/// A way a software can be asked.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawMode {
    /// Name on the command line, behind a slash.
    pub mode: String,
    /// What is asked.
    pub doc: String,
}

/// A trap with which a software takes no token at all.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawClosedBy {
    /// Code of the trap, as the adapter of the configuration gives it.
    pub trap: String,
    /// Why no token is taken, for people; `{name}` and `{effect}` are the trap's.
    pub reason: String,
}

/// A library in a software.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawPart {
    /// The library.
    pub software: String,
    /// Its version.
    pub version: String,
    /// Versions of the software that carry it; a range as in Cargo (`>=5.7.0, <6`).
    #[serde(default)]
    pub versions: Option<String>,
    /// How it is known.
    pub evidence: RawEvidence,
}

/// Which reader a software uses.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawReaderUse {
    /// Name of a reader file.
    pub reader: String,
    /// Versions of the software; without it every one.
    #[serde(default)]
    pub versions: Option<String>,
}

/// How a library reads a compact token, its JSON and its times.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "tokenvet token reader")]
pub struct RawReader {
    /// Name; equals the file name.
    pub reader: String,
    /// What it is.
    pub doc: String,
    /// What it makes of unusual tokens is not known: where this reader stops, nothing is said.
    #[serde(default)]
    pub cautious: bool,
    /// The outside of the token.
    pub form: Form,
    /// Its JSON.
    pub json: Dialect,
    /// Its times.
    pub clock: Clock,
    /// How all of this is known.
    pub evidence: Vec<RawEvidence>,
}

/// What becomes of `exp`, `nbf` and `iat`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Clock {
    /// JSON types that are a time to it (`int`, `float`, `text`).
    pub types: Vec<String>,
    /// The arithmetic.
    pub arithmetic: Arithmetic,
}

/// The arithmetic of times.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Arithmetic {
    /// As large as numbers get.
    Exact,
    /// Nanoseconds in 64 bits; what is beyond the year 2262 wraps around. Doubles are rounded first.
    Nanoseconds,
    /// Seconds in 32 bits as C's `(int)` cuts them, and differences in 32 bits.
    Int32,
}

/// One thing that a software looks at. Exactly one of `refuse`, `crash`, `unsure`, `let`, `use` and `key` is there.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawStep {
    /// Name, unique in the file.
    pub id: String,
    /// Versions that have it; a range as in Cargo.
    #[serde(default)]
    pub versions: Option<String>,
    /// Modes that have it; without it every one.
    #[serde(default)]
    pub modes: Vec<String>,
    /// CEL: the token is refused when it holds.
    #[serde(default)]
    pub refuse: Option<String>,
    /// CEL: what then happens cannot be said.
    #[serde(default)]
    pub unsure: Option<String>,
    /// A name for later expressions.
    #[serde(default, rename = "let")]
    pub name: Option<String>,
    /// CEL: the text it stands for.
    #[serde(default)]
    pub be: Option<String>,
    /// Asks a library that it carries, in this mode.
    #[serde(default, rename = "use")]
    pub part: Option<String>,
    /// The mode of that library.
    #[serde(default)]
    pub mode: Option<String>,
    /// Finds the key and verifies the signature.
    #[serde(default)]
    pub key: Option<RawKey>,
    /// Why the token is refused, for people; `{claim}` in braces is the claim's value as read.
    #[serde(default)]
    pub reason: String,
    /// How it is known.
    #[serde(default)]
    pub evidence: Vec<RawEvidence>,
}

/// How a key is found, and which signatures pass.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawKey {
    /// Key types that it can read.
    pub types: Vec<String>,
    /// Algorithms that it can verify.
    pub algorithms: Vec<String>,
    /// Who says which algorithm it is.
    pub algorithm_of: AlgorithmOf,
    /// What happens without `kid`.
    pub without_kid: WithoutKid,
    /// Algorithms that are verified as if the header named another one.
    #[serde(default)]
    pub verified_as: Vec<RawAlias>,
    /// A key in the token's own header (`jwk`) is used.
    #[serde(default)]
    pub embedded: bool,
    /// `alg` of `none` with an empty signature passes.
    #[serde(default)]
    pub unsigned: bool,
}

/// An algorithm that is verified as another.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawAlias {
    /// As the header says.
    pub alg: String,
    /// As it is verified.
    pub like: String,
}

/// Who says which algorithm a signature has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AlgorithmOf {
    /// The published key (`alg`, else RS256 for RSA and ES256 for P-256); the header must say the same.
    Key,
    /// The header; the key has to be of the type.
    Header,
}

/// What happens to a token without `kid`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum WithoutKid {
    /// The issuer's key is taken when it publishes one only.
    OnlyKey,
    /// There is no key.
    NoKey,
    /// Every key is tried.
    Any,
    /// Nobody looked.
    Unknown,
}

/// How a fact is known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawEvidence {
    /// What kind of knowledge it is.
    pub kind: EvidenceKind,
    /// Where: cases of the run, file of the source, page, thread.
    pub what: String,
    /// Versions it is about; without it all that the step has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub versions: Option<String>,
}

/// Kinds of knowledge, the strongest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum EvidenceKind {
    /// The software was run with such a token.
    Oracle,
    /// Its source says so.
    Source,
    /// Its documentation says so.
    Documentation,
    /// People report it.
    Issue,
    /// We conclude it.
    Inference,
}

impl EvidenceKind {
    /// The word in files and reports.
    pub fn name(self) -> &'static str {
        match self {
            EvidenceKind::Oracle => "oracle",
            EvidenceKind::Source => "source",
            EvidenceKind::Documentation => "documentation",
            EvidenceKind::Issue => "issue",
            EvidenceKind::Inference => "inference",
        }
    }

    /// What the word means, for people.
    pub fn meaning(self) -> &'static str {
        match self {
            EvidenceKind::Oracle => "the software was run with such a token",
            EvidenceKind::Source => "read in its source",
            EvidenceKind::Documentation => "read in its documentation",
            EvidenceKind::Issue => "reported by its users",
            EvidenceKind::Inference => "concluded, not seen",
        }
    }
}

/// How scopes become permissions (a name and a path).
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawScopes {
    /// Modes that look at scopes.
    #[serde(default)]
    pub modes: Vec<String>,
    /// How the path of a scope is read; the first whose `versions` fit.
    pub paths: Vec<RawScopePaths>,
    /// Scopes with other names on the service.
    pub translate: Vec<RawTranslation>,
    /// CEL: when `translate` and `together` apply.
    pub translate_when: String,
    /// Scopes that give something only all together.
    #[serde(default)]
    pub together: Vec<RawTogether>,
}

/// How the path of a scope is read.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawScopePaths {
    /// Versions; without it every one.
    #[serde(default)]
    pub versions: Option<String>,
    /// The reading.
    pub paths: ScopePaths,
    /// How it is known.
    pub evidence: Vec<RawEvidence>,
}

/// Readings of scope paths. All take a missing path for `/` and a relative one for absolute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ScopePaths {
    /// Empty components and `.` vanish, `..` takes away the component before it, and crashes the process when there is
    /// none.
    Lexical,
    /// Components are percent-decoded up to four times; `..`, a backslash, a NUL, an encoded slash and what still is
    /// percent-encoded make the whole token refused.
    Strict,
}

/// One scope's names on the service.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawTranslation {
    /// The scope without its path.
    pub scope: String,
    /// Permissions it becomes.
    pub to: Vec<String>,
    /// The path, in place of the scope's own.
    #[serde(default)]
    pub path: Option<String>,
}

/// Scopes that together give a permission.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawTogether {
    /// All of these.
    pub scopes: Vec<String>,
    /// The permission.
    pub to: String,
    /// Its path.
    pub path: String,
}

/// What permissions become on a service with a name space.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawGrants {
    /// How a path is compared with a permission's; the first whose `versions` fit.
    pub paths: Vec<RawMatching>,
    /// What `restricted_path` of an issuer does.
    pub restricted: Vec<RawRestricted>,
    /// Operations that a permission gives.
    pub gives: Vec<RawGives>,
    /// Operations a request needs.
    pub requests: Vec<RawRequest>,
}

/// How paths are compared.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawMatching {
    /// Versions; without it every one.
    #[serde(default)]
    pub versions: Option<String>,
    /// The comparison.
    pub matching: Matching,
    /// How it is known.
    pub evidence: Vec<RawEvidence>,
}

/// Comparisons of paths.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Matching {
    /// Text that begins alike: `/dat` covers `/data`.
    Prefix,
    /// Whole components, except that a permission for `/` covers `/` alone (a mistake of one release).
    ComponentsBelowRoot,
    /// Whole components. Parents of a permitted path may be looked at and made.
    Components,
}

/// What a list of restricted paths does to a permission.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawRestricted {
    /// Versions; without it every one.
    #[serde(default)]
    pub versions: Option<String>,
    /// The effect.
    pub restricted: Restricted,
    /// How it is known.
    pub evidence: Vec<RawEvidence>,
}

/// Effects of restricted paths.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Restricted {
    /// A permission stays when its path begins like a restricted one; all others go.
    BelowOnly,
    /// The same on whole components, and a wider permission is narrowed to the restricted paths below it.
    Narrowed,
}

/// Operations that a permission gives.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawGives {
    /// The permission.
    pub permission: String,
    /// Versions; without it every one.
    #[serde(default)]
    pub versions: Option<String>,
    /// Only where none of these was given for the same path.
    #[serde(default)]
    pub unless: Vec<String>,
    /// The operations.
    pub operations: Vec<String>,
}

/// Operations a request needs.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawRequest {
    /// Name on the command line.
    pub request: String,
    /// What it is.
    pub doc: String,
    /// Alternatives: one of these lists of operations suffices.
    pub needs: Vec<Vec<String>>,
}

/// Something that a software does not look at although the community relies on it. A token that is taken although this
/// is wrong counts as "accepted without being checked".
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawIgnored {
    /// Name, unique in the file.
    pub id: String,
    /// Versions; without it every one.
    #[serde(default)]
    pub versions: Option<String>,
    /// Modes; without it every one.
    #[serde(default)]
    pub modes: Vec<String>,
    /// CEL: the token is wrong in this.
    pub when: String,
    /// What is not checked, for people.
    pub reason: String,
    /// How it is known.
    pub evidence: Vec<RawEvidence>,
}

/// What no software at all checks: `rules/compat/everywhere.yaml`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "tokenvet: what no service checks")]
pub struct RawEverywhere {
    /// The properties.
    pub ignores: Vec<RawIgnored>,
}

/// Where the model and a run differ: `rules/compat/known-disagreements.yaml`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawDisagreements {
    /// The differences.
    pub disagreements: Vec<RawDisagreement>,
}

/// Recorded verdicts that the model does not give.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawDisagreement {
    /// Columns of the recorded runs.
    pub columns: Vec<String>,
    /// Cases in them.
    pub cases: Vec<String>,
    /// Why.
    pub why: String,
}
