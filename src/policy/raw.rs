//! The policy and waiver files as written: what `schemas/policy.schema.json` and `schemas/waivers.schema.json` describe.

use crate::rule::Severity;
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeMap;

/// `tokenvet.yaml`: what applies where.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
#[schemars(title = "tokenvet policy")]
pub struct RawPolicy {
    /// Profiles to judge by (`wlcg@1.3`, `wlcg@^1`). Without any, each target gets what it shows.
    pub profiles: Vec<String>,
    /// What the input is for; some findings depend on it.
    pub environment: Option<Environment>,
    /// Which rules run.
    pub rules: RawSelection,
    /// Severity by rule, in place of the one its profile gives.
    pub severity: BTreeMap<String, Level>,
    /// Limits by name (`access_token.lifetime.max`), in place of the profile's: a number (seconds, bits), or a
    /// duration with its unit (`2 d`, `36 h`).
    pub limits: BTreeMap<String, Amount>,
    /// Files to leave out of walked folders.
    pub ignore: Vec<String>,
    /// Other settings for some files. All that fit a file apply in order, the later ones winning.
    pub overrides: Vec<RawOverride>,
    /// Rule files or folders of rule files, below the policy's folder.
    pub rule_files: Vec<String>,
    /// Waiver files, below the policy's folder.
    pub waivers: Vec<String>,
    /// The baseline file, below the policy's folder.
    pub baseline: Option<String>,
    /// Severity from which a finding makes the run fail (`error` by default).
    pub fail_on: Option<FailOn>,
}

/// Settings for some files.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct RawOverride {
    /// The files, as globs relative to the policy's folder.
    pub files: Vec<String>,
    /// In place of the policy's profiles.
    #[serde(default)]
    pub profiles: Vec<String>,
    /// In place of the policy's environment.
    #[serde(default)]
    pub environment: Option<Environment>,
    /// `only` in place of the policy's; `ignore` besides it.
    #[serde(default)]
    pub rules: RawSelection,
    /// Besides the policy's; also turns a rule on again.
    #[serde(default)]
    pub severity: BTreeMap<String, Level>,
    /// Besides the policy's.
    #[serde(default)]
    pub limits: BTreeMap<String, Amount>,
}

/// Which rules run.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawSelection {
    /// When not empty, only these.
    pub only: Vec<String>,
    /// Not these.
    pub ignore: Vec<String>,
}

/// What the input is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Environment {
    /// Real users depend on it.
    Production,
    /// Somebody works on it.
    Development,
    /// It is there to try things out.
    Test,
}

impl Environment {
    /// The word expressions compare with.
    pub fn name(self) -> &'static str {
        match self {
            Environment::Production => "production",
            Environment::Development => "development",
            Environment::Test => "test",
        }
    }
}

/// A severity, or off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// `error`
    Error,
    /// `warning`
    Warning,
    /// `note`
    Note,
    /// The rule does not run.
    Off,
}

impl Level {
    /// The severity; `None` switches the rule off.
    pub fn severity(self) -> Option<Severity> {
        match self {
            Level::Error => Some(Severity::Error),
            Level::Warning => Some(Severity::Warning),
            Level::Note => Some(Severity::Note),
            Level::Off => None,
        }
    }
}

/// The bound of a limit.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "a whole number, or a duration such as `2 d` or `36 h`, is expected")]
pub enum Amount {
    /// Seconds for lifetimes, bits for key sizes.
    Number(i64),
    /// A duration with its unit.
    Text(String),
}

/// From which severity on a run fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[serde(rename_all = "lowercase")]
pub enum FailOn {
    /// `error`
    #[default]
    Error,
    /// `warning` and `error`
    Warning,
    /// Any finding
    Note,
    /// No finding
    Never,
}

impl FailOn {
    /// True when this severity makes the run fail.
    pub fn includes(self, severity: Severity) -> bool {
        match self {
            FailOn::Error => severity >= Severity::Error,
            FailOn::Warning => severity >= Severity::Warning,
            FailOn::Note => true,
            FailOn::Never => false,
        }
    }
}

/// A waiver file: a list of waivers.
pub type RawWaivers = Vec<RawWaiver>;

/// One waiver: findings that somebody answers for, for a while.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "tokenvet waiver")]
pub struct RawWaiver {
    /// The rule it waives.
    pub rule: String,
    /// What it covers; everything given must fit.
    #[serde(rename = "match")]
    pub covers: RawCover,
    /// Why the findings are acceptable.
    pub reason: String,
    /// Who answers for it.
    pub owner: String,
    /// The last day it holds (YYYY-MM-DD, UTC).
    pub expires: String,
}

/// What a waiver covers. At least one member is given.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawCover {
    /// Files, as a glob relative to the policy's folder (`"**"` for every file).
    pub path: Option<String>,
    /// Name or identity of the target (client name or id, `jti`, `kid`), as a glob.
    pub target: Option<String>,
    /// JSON Pointer of the finding, as a glob; `*` stands for one step, `**` for several.
    pub pointer: Option<String>,
}
