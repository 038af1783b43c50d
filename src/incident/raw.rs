//! What is known of products in an incident, as written: `rules/incident/*.yaml`, one file per product.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One product: what a service of it can refuse, or what an issuer of it can do.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(title = "tokenvet incident product")]
pub struct RawProduct {
    /// Name; equals the file name. For services as policies name it in `services[].type`, for issuers as their snapshots show it, or `issuers[].api` says.
    pub product: String,
    /// What people call it.
    pub title: String,
    /// Service or issuer.
    pub role: Part,
    /// Services: how tokens are checked.
    #[serde(default)]
    pub verifies: Option<Verifies>,
    /// Services: how, in words.
    #[serde(default)]
    pub verifies_why: Option<String>,
    /// Services: false for clients, which send tokens and take none.
    #[serde(default = "yes")]
    pub takes_tokens: bool,
    /// Services: what it can refuse tokens by; each handle exactly once, narrowest first.
    #[serde(default)]
    pub handles: Vec<RawHandle>,
    /// Services: how long fetched keys are used.
    #[serde(default)]
    pub keys: Option<RawKeys>,
    /// Issuers: what can be done there, in order.
    #[serde(default)]
    pub steps: Vec<RawStep>,
    /// Issuers: what becomes of services that ask the issuer, and of those that do not.
    #[serde(default)]
    pub introspection: Option<String>,
    /// Where it leaves traces that are worth keeping.
    pub evidence: Vec<String>,
    /// Where the facts beside handles, keys and steps are stated.
    pub sources: Vec<String>,
}

fn yes() -> bool {
    true
}

/// What a product is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// It takes tokens.
    Service,
    /// It makes tokens.
    Issuer,
}

/// How a service checks tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Verifies {
    /// With keys it keeps: the issuer is not asked about a token.
    Offline,
    /// By asking the issuer.
    Online,
    /// It is not known.
    Unknown,
}

/// What a service may refuse tokens by, narrowest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Handle {
    /// This one token.
    Jti,
    /// The subject of its issuer.
    Sub,
    /// The client that got it.
    Client,
    /// A group.
    Group,
    /// The local account that it is mapped to.
    Account,
    /// A path, for all tokens of the issuer.
    Path,
    /// A key of the issuer, with all that it signed.
    Key,
    /// The issuer: the whole VO.
    Issuer,
}

impl Handle {
    /// Every handle, narrowest first.
    pub const ALL: [Handle; 8] = [
        Handle::Jti,
        Handle::Sub,
        Handle::Client,
        Handle::Group,
        Handle::Account,
        Handle::Path,
        Handle::Key,
        Handle::Issuer,
    ];

    /// The word in data and reports.
    pub fn name(self) -> &'static str {
        match self {
            Handle::Jti => "jti",
            Handle::Sub => "sub",
            Handle::Client => "client",
            Handle::Group => "group",
            Handle::Account => "account",
            Handle::Path => "path",
            Handle::Key => "key",
            Handle::Issuer => "issuer",
        }
    }

    /// How people call it.
    pub fn words(self) -> &'static str {
        match self {
            Handle::Jti => "token by its jti",
            Handle::Sub => "subject",
            Handle::Client => "client",
            Handle::Group => "group",
            Handle::Account => "account it is mapped to",
            Handle::Path => "path",
            Handle::Key => "issuer's key",
            Handle::Issuer => "issuer",
        }
    }

    /// Does it leave other tokens of the VO alone?
    pub fn selects(self) -> bool {
        match self {
            Handle::Jti | Handle::Sub | Handle::Client | Handle::Group | Handle::Account => true,
            Handle::Path | Handle::Key | Handle::Issuer => false,
        }
    }
}

/// Whether a service can refuse tokens by a handle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Can {
    /// It can.
    Enforceable,
    /// It cannot.
    Impossible,
    /// No public statement is known.
    Unknown,
}

/// One handle of a service.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct RawHandle {
    /// The handle.
    pub handle: Handle,
    /// Whether the service can refuse tokens by it.
    pub can: Can,
    /// By what, or why not.
    pub why: String,
    /// It can only where the configuration says so.
    #[serde(default)]
    pub when: Option<RawWhen>,
    /// Why it cannot where `when` does not hold.
    #[serde(default, rename = "else")]
    pub otherwise: Option<String>,
    /// What else it hits.
    #[serde(default)]
    pub hits: Option<String>,
    /// It needs a hook that the configuration may lack (the field `ban_hook` of a service).
    #[serde(default)]
    pub hook: bool,
    /// What sets up the hook.
    #[serde(default)]
    pub setup: Vec<RawAct>,
    /// What must hold that the configuration does not show here.
    #[serde(default)]
    pub needs: Option<String>,
    /// What to do.
    #[serde(default)]
    pub act: Vec<RawAct>,
    /// Seconds until it works everywhere in the service; absent when that is not known.
    #[serde(default)]
    pub effect: Option<i64>,
    /// Why that long.
    #[serde(default)]
    pub effect_why: Option<String>,
    /// Where it is stated.
    pub sources: Vec<String>,
}

/// A condition on what the configuration says of the token's issuer.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawWhen {
    /// A field of `trust` targets that is a list; absent, it holds the product's default, which is everything.
    pub field: String,
    /// A word that the list must not hold.
    pub lacks: String,
}

/// Something to do: a command, lines of a file, or plain words.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawAct {
    /// The file, in words where it has no fixed path.
    #[serde(default)]
    pub file: Option<String>,
    /// Its lines. `{iss}`, `{sub}`, `{client}`, `{jti}` and `{alias}` stand for values.
    #[serde(default)]
    pub lines: Vec<String>,
    /// Commands of a shell, with values such as `{client:url}` and `{sub:shell}`.
    #[serde(default)]
    pub shell: Vec<String>,
    /// Where, and with which rights.
    #[serde(default)]
    pub on: Option<String>,
    /// What to do in words.
    #[serde(default)]
    pub text: Option<String>,
}

/// How long a service uses the keys of an issuer.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawKeys {
    /// The longest time a withdrawn key is used, in seconds, where the configuration does not say; absent when not known.
    #[serde(default)]
    pub seconds: Option<i64>,
    /// Why that long.
    pub why: String,
    /// Where it is stated.
    pub sources: Vec<String>,
}

/// What an issuer's administrator can do.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawStep {
    /// Its name.
    pub id: String,
    /// The kinds of token it is for (`refresh-token`, …), or `any`.
    #[serde(rename = "for")]
    pub kinds: Vec<String>,
    /// What must be known.
    pub needs: Needs,
    /// What it does.
    pub does: String,
    /// What goes on working all the same.
    pub leaves: String,
    /// How.
    pub act: Vec<RawAct>,
    /// Where it is stated.
    pub sources: Vec<String>,
}

/// What must be known for a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Needs {
    /// Nothing.
    Nothing,
    /// The client.
    Client,
    /// The subject.
    Subject,
    /// Both.
    SubjectAndClient,
    /// A subject that is no client: a person.
    Person,
    /// The token itself.
    Token,
}
