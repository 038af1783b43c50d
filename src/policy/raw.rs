//! The policy and waiver files as written: what `schemas/policy.schema.json` and `schemas/waivers.schema.json` describe.

use crate::rule::Severity;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
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
    pub waivers: Vec<RawWaiverFile>,
    /// Who runs tokenvet. A `site` cannot shorten the tokens of a VO: for it, a lifetime over a maximum that a waiver may
    /// lift is a warning that says whom to ask.
    pub role: Option<Role>,
    /// The token workflows there are, to which clients and tokens are matched.
    pub workflows: Vec<RawWorkflow>,
    /// The services there are: what software they run, their configuration and their logs.
    pub services: Vec<RawService>,
    /// The issuers there are: whom to ask about them, and where their snapshots lie.
    pub issuers: Vec<RawIssuer>,
    /// What audits look at besides.
    pub audit: RawAudit,
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

/// A service as the policy declares it.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct RawService {
    /// What people call it (`se01`). Without it, its `type` and its place in the list.
    #[serde(default)]
    pub name: Option<String>,
    /// The software: `xrootd`, `eos`, `dcache`, `storm-webdav`, `htcondor`, `htcondor-ce`, `arc`, `fts`, `rucio`, `dirac`,
    /// `diracx`, `gfal2`.
    #[serde(rename = "type")]
    pub product: String,
    /// Its version, as the software prints it (`9.2.24`). Rules that speak of some versions only are then certain.
    #[serde(default)]
    pub version: Option<String>,
    /// Its configuration files, as globs relative to the policy's folder. The first service that fits a file counts. Rules
    /// that compare services take these files for one.
    pub files: Vec<String>,
    /// Its logs, as globs: absolute, or relative to the policy's folder. Commands that read logs take them from here.
    #[serde(default)]
    pub logs: Vec<String>,
    /// How long its logs are kept: a number of seconds, or a duration with its unit (`90 d`). Unknown when it is absent.
    #[serde(default)]
    pub log_retention: Option<Amount>,
    /// Whom to call when something happens there.
    #[serde(default)]
    pub contact: Option<String>,
}

/// An issuer as the policy declares it.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct RawIssuer {
    /// Its `iss`, a URL.
    pub issuer: String,
    /// The folder of its snapshot, below the policy's folder. `tokenvet audit --fetch` takes a new one there.
    #[serde(default)]
    pub snapshot: Option<String>,
    /// For `audit --fetch`: the file with the bearer token for its administration API, absolute or relative to the policy's
    /// folder. Without a token what everybody can read is fetched.
    #[serde(default)]
    pub token_file: Option<String>,
    /// For `audit --fetch`: the environment variable that holds the token, in place of `token-file`.
    #[serde(default)]
    pub token_env: Option<String>,
    /// Which administration API it has, where its metadata does not show that: for `audit --fetch` with a token, and for
    /// the steps of `incident`.
    #[serde(default)]
    pub api: Option<RawApi>,
    /// Whom to call when something happens there.
    #[serde(default)]
    pub contact: Option<String>,
}

/// An administration API that `tokenvet fetch` knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RawApi {
    /// INDIGO IAM's.
    IndigoIam,
    /// Keycloak's.
    Keycloak,
}

impl RawApi {
    /// The product, as targets name it.
    pub fn product(self) -> &'static str {
        match self {
            RawApi::IndigoIam => "indigo-iam",
            RawApi::Keycloak => "keycloak",
        }
    }
}

/// What `tokenvet audit` looks at besides the files and logs of services and the snapshots of issuers.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawAudit {
    /// Further files and folders, as globs: absolute, or relative to the policy's folder.
    pub paths: Vec<String>,
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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

/// Who runs tokenvet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// A site: it accepts tokens that others issue and cannot change their lifetime.
    Site,
}

/// A waiver file: its path, or its path and the digest of the edition that was reviewed.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "a path, or a mapping of `path` and `sha256`, is expected")]
pub enum RawWaiverFile {
    /// The path.
    Path(String),
    /// The path of a file that must be this very one.
    Pinned(RawPinned),
}

/// A file that must be this very one.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawPinned {
    /// Path below the policy's folder.
    pub path: String,
    /// SHA-256 of the file, 64 hexadecimal digits.
    pub sha256: String,
}

impl RawWaiverFile {
    /// The path.
    pub fn path(&self) -> &str {
        match self {
            RawWaiverFile::Path(path) => path,
            RawWaiverFile::Pinned(pinned) => &pinned.path,
        }
    }

    /// The digest the file must have.
    pub fn sha256(&self) -> Option<&str> {
        match self {
            RawWaiverFile::Path(_) => None,
            RawWaiverFile::Pinned(pinned) => Some(&pinned.sha256),
        }
    }
}

/// One workflow: what some tokens are for, and which those are.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct RawWorkflow {
    /// Name, by which waivers and reports refer to it.
    pub name: String,
    /// What kind of workflow it is.
    pub class: WorkflowClass,
    /// Whose work it is.
    pub user_class: UserClass,
    /// The clients and tokens that belong to it; everything given must fit.
    #[serde(rename = "match")]
    pub covers: RawWorkflowMatch,
    /// How long a transfer may take at the most, for the `fts` classes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_transfer_time: Option<Amount>,
    /// What limits the damage of a stolen token beyond what the token itself shows; shown "as declared".
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mitigations: Vec<Mitigation>,
    /// Whom to ask.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact: Option<String>,
}

/// What belongs to a workflow. At least one member is given; of a list one entry must fit.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct RawWorkflowMatch {
    /// Client ids, as globs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub client_id: Vec<String>,
    /// Issuers; a slash at the end does not count.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub issuer: Vec<String>,
    /// Scopes, as globs; one scope of the token (or one that the client may ask for) must fit.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub scope: Vec<String>,
    /// Names or identities of targets (client name or id, `jti`), as globs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub target: Vec<String>,
    /// Files, as globs relative to the policy's folder.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub path: Vec<String>,
}

/// What a workflow does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum WorkflowClass {
    /// Transfers by FTS with tokens that last as long as the transfer.
    FtsLong,
    /// Transfers by FTS, which refreshes tokens.
    FtsRefresh,
    /// Jobs that carry a token from submission to the end.
    GridJob,
    /// Submission of pilots and jobs to computing elements.
    JobSubmit,
    /// Users who manage their own data.
    UserData,
    /// Jobs of users.
    UserJobs,
    /// Asking whether files are on disk.
    Poll,
    /// A VO's own machine at a site.
    Vobox,
    /// Web applications.
    Web,
    /// Administration.
    Admin,
    /// Tests and monitoring.
    Test,
}

impl WorkflowClass {
    /// The word in policies and expressions.
    pub fn name(self) -> &'static str {
        match self {
            WorkflowClass::FtsLong => "fts-long",
            WorkflowClass::FtsRefresh => "fts-refresh",
            WorkflowClass::GridJob => "grid-job",
            WorkflowClass::JobSubmit => "job-submit",
            WorkflowClass::UserData => "user-data",
            WorkflowClass::UserJobs => "user-jobs",
            WorkflowClass::Poll => "poll",
            WorkflowClass::Vobox => "vobox",
            WorkflowClass::Web => "web",
            WorkflowClass::Admin => "admin",
            WorkflowClass::Test => "test",
        }
    }
}

/// Whose work a workflow is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum UserClass {
    /// Central services of a VO.
    Production,
    /// Users with more rights or needs than others.
    Power,
    /// Everybody else.
    Ordinary,
}

impl UserClass {
    /// The word in policies and expressions.
    pub fn name(self) -> &'static str {
        match self {
            UserClass::Production => "production",
            UserClass::Power => "power",
            UserClass::Ordinary => "ordinary",
        }
    }
}

/// What limits the damage a stolen long-lived token can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Mitigation {
    /// Every storage scope but reading and polling is confined to a directory deep enough; verified on tokens.
    NarrowScope,
    /// No scope permits changing or deleting; verified on tokens.
    NoModify,
    /// Every audience names one service; verified on tokens.
    SpecificAudience,
    /// Services fetch what they need instead of being sent it.
    PullMode,
    /// A service that people look after holds the tokens.
    ManagedService,
    /// Compute tokens do not travel with jobs.
    ComputeNotDelegated,
    /// The token of a pilot can only fetch payloads.
    PilotTokenOnlyPulls,
    /// Payloads get narrower tokens than their pilot.
    PayloadNarrow,
}

impl Mitigation {
    /// The word in policies and waivers.
    pub fn name(self) -> &'static str {
        match self {
            Mitigation::NarrowScope => "narrow_scope",
            Mitigation::NoModify => "no_modify",
            Mitigation::SpecificAudience => "specific_audience",
            Mitigation::PullMode => "pull_mode",
            Mitigation::ManagedService => "managed_service",
            Mitigation::ComputeNotDelegated => "compute_not_delegated",
            Mitigation::PilotTokenOnlyPulls => "pilot_token_only_pulls",
            Mitigation::PayloadNarrow => "payload_narrow",
        }
    }

    /// Can a token show it?
    pub fn is_verifiable(self) -> bool {
        match self {
            Mitigation::NarrowScope | Mitigation::NoModify | Mitigation::SpecificAudience => true,
            Mitigation::PullMode
            | Mitigation::ManagedService
            | Mitigation::ComputeNotDelegated
            | Mitigation::PilotTokenOnlyPulls
            | Mitigation::PayloadNarrow => false,
        }
    }
}

/// The bound of a limit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "a whole number, or a duration such as `2 d` or `36 h`, is expected")]
pub enum Amount {
    /// Seconds for lifetimes, bits for key sizes.
    Number(i64),
    /// A duration with its unit.
    Text(String),
}

impl Amount {
    /// As somebody wrote it.
    pub fn as_written(&self) -> String {
        match self {
            Amount::Number(number) => number.to_string(),
            Amount::Text(text) => text.clone(),
        }
    }
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
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(title = "tokenvet waiver")]
pub struct RawWaiver {
    /// The rule it waives.
    pub rule: String,
    /// What it covers; everything given must fit. Not needed where `workflow` says it.
    #[serde(rename = "match", default)]
    pub covers: RawCover,
    /// Why the findings are acceptable.
    pub reason: String,
    /// Who answers for it.
    pub owner: String,
    /// The last day it holds (YYYY-MM-DD, UTC). Not needed where `review-by` is given.
    #[serde(default)]
    pub expires: Option<String>,
    /// The workflow whose clients and tokens it covers (maxima that may be lifted).
    #[serde(default)]
    pub workflow: Option<String>,
    /// The longest lifetime it permits (maxima that may be lifted).
    #[serde(default)]
    pub limit: Option<Amount>,
    /// Who agreed to the risk (maxima that may be lifted).
    #[serde(default)]
    pub agreed: RawAgreement,
    /// The day by which it is looked at again (YYYY-MM-DD, UTC); it does not hold after that.
    #[serde(default)]
    pub review_by: Option<String>,
    /// What must be true of everything it covers, or it holds for nothing.
    #[serde(default)]
    pub requires: Vec<Mitigation>,
}

/// The agreement behind a waiver.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawAgreement {
    /// Who agreed.
    pub by: Option<String>,
    /// When (YYYY-MM-DD).
    pub on: Option<String>,
    /// Entry of the risk register it rests on (`TR-4`).
    pub risk: Option<String>,
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
