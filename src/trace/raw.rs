//! Log formats as written: `rules/logs/*.yaml`, one file per format.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One log format: how its records look and what they tell of tokens and identities.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(title = "tokenvet log format")]
pub struct RawFormat {
    /// Name; equals the file name.
    pub format: String,
    /// The software that writes it, as policies name it in `services[].type`; `any` for what many write.
    pub product: String,
    /// What it is, for people.
    pub doc: String,
    /// A regular expression that the first line of every record fits, and lines of other formats do not.
    pub begins: String,
    /// A regular expression that the further lines of a record fit. Without it every record is one line.
    #[serde(default)]
    pub continues: Option<String>,
    /// How the captured `time` is written. Absent for records without one.
    #[serde(default)]
    pub time: Option<RawTime>,
    /// The kinds of record, by what they say. The first that fits counts; a record that none fits has its beginning's
    /// captures alone.
    #[serde(default)]
    pub lines: Vec<RawLine>,
    /// What decides whether lines are written, with the value that the software ships.
    #[serde(default)]
    pub settings: Vec<RawSetting>,
    /// How the shape is known.
    pub sources: Vec<String>,
    /// Made-up records with what must be read from them.
    pub examples: Vec<RawExample>,
}

/// How a time is written.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct RawTime {
    /// A pattern of strptime, or `rfc3339`, `epoch-milliseconds`, `epoch-microseconds`.
    pub pattern: String,
    /// Where the zone comes from.
    pub zone: RawZone,
}

/// Where the zone of a time comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RawZone {
    /// It is written with the time.
    Written,
    /// The software always writes UTC.
    Utc,
    /// The software writes the time of its machine and no zone.
    Local,
}

/// One kind of record.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct RawLine {
    /// What such a record says, unique in the format.
    pub says: String,
    /// A regular expression over the whole record. Groups are named after fields (`sub`, `iss`, `jti`, `address` …);
    /// `json`, `pairs` and `inner` hold what is read further.
    pub matches: String,
    /// Expressions that are looked for again and again in the record.
    #[serde(default)]
    pub also: Vec<String>,
    /// Members of the JSON object in the group `json` (JSON pointers), and the fields they are.
    #[serde(default)]
    pub json: BTreeMap<String, Field>,
    /// Names in the list of `name=value` in the group `pairs`, and the fields they are.
    #[serde(default)]
    pub pairs: BTreeMap<String, Field>,
    /// What such a record says about the outcome when no field does.
    #[serde(default)]
    pub result: Option<String>,
    /// The settings under which it is written: all of them must hold. Without any it is always written.
    #[serde(default)]
    pub needs: Vec<RawNeed>,
    /// The software writes such a record for some requests only (failures, transfers): it answers nothing for sure.
    #[serde(default)]
    pub sometimes: bool,
    /// Fields that not every such record has (older releases, other kinds of login).
    #[serde(default)]
    pub may_lack: Vec<Field>,
}

/// A setting that must have one of some values.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct RawNeed {
    /// Its name among `settings`.
    pub setting: String,
    /// Values that do; a setting that is a list of words needs one of them.
    pub any: Vec<String>,
}

/// A setting of the software.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct RawSetting {
    /// Its name in the product's own configuration.
    pub name: String,
    /// Its value as shipped, as words; empty when it is off or not set.
    #[serde(default)]
    pub shipped: Vec<String>,
    /// The one line that switches it on, as one writes it there.
    pub change: String,
    /// What is shipped is not known: when the configuration does not set it, nothing is said.
    #[serde(default)]
    pub unsure: bool,
    /// What comes with it that one must know (tokens in the log, load).
    #[serde(default)]
    pub caution: Option<String>,
}

/// A made-up record.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct RawExample {
    /// The record as it stands in the log.
    pub text: String,
    /// The kind of record it is; absent when none fits.
    #[serde(default)]
    pub says: Option<String>,
    /// Its time in UTC (RFC 3339), with the machine's zone taken for UTC; absent when it has none.
    #[serde(default)]
    pub time: Option<String>,
    /// Its fields; those with several values hold a list.
    #[serde(default)]
    pub fields: BTreeMap<Field, OneOrMore>,
}

/// One text or several.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum OneOrMore {
    /// One.
    One(String),
    /// Several.
    More(Vec<String>),
}

impl OneOrMore {
    /// All of them.
    pub fn items(&self) -> &[String] {
        match self {
            OneOrMore::One(one) => std::slice::from_ref(one),
            OneOrMore::More(all) => all,
        }
    }
}

/// What a record can say of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Field {
    /// Identifier of the token.
    Jti,
    /// Issuer of the token.
    Iss,
    /// Subject of the token.
    Sub,
    /// Client that got the token.
    Client,
    /// Local account, as the record writes it.
    User,
    /// Distinguished name of a certificate.
    Dn,
    /// VO, or the name under which the service knows its issuer.
    Vo,
    /// Group or FQAN.
    Group,
    /// Job or transfer.
    Job,
    /// Job of the VO's own workload system, inside of a pilot.
    Payload,
    /// The other end of the connection: an IP address, or a name.
    Address,
    /// The machine that a job runs on.
    Node,
    /// The machine that wrote the record.
    Host,
    /// Path of a file.
    Path,
    /// What was asked for.
    Operation,
    /// What came of it.
    Result,
    /// The other end of a third-party transfer.
    Remote,
    /// What names one connection or request within the log.
    Session,
    /// The service, where many write to one log.
    Service,
    /// What names the thread that wrote the record. It serves one request after the other, so that it ties records together
    /// for seconds only.
    Thread,
}

impl Field {
    /// Every field.
    pub const ALL: [Field; 20] = [
        Field::Jti,
        Field::Iss,
        Field::Sub,
        Field::Client,
        Field::User,
        Field::Dn,
        Field::Vo,
        Field::Group,
        Field::Job,
        Field::Payload,
        Field::Address,
        Field::Node,
        Field::Host,
        Field::Path,
        Field::Operation,
        Field::Result,
        Field::Remote,
        Field::Session,
        Field::Service,
        Field::Thread,
    ];

    /// The name in format files and reports.
    pub fn name(self) -> &'static str {
        match self {
            Field::Jti => "jti",
            Field::Iss => "iss",
            Field::Sub => "sub",
            Field::Client => "client",
            Field::User => "user",
            Field::Dn => "dn",
            Field::Vo => "vo",
            Field::Group => "group",
            Field::Job => "job",
            Field::Payload => "payload",
            Field::Address => "address",
            Field::Node => "node",
            Field::Host => "host",
            Field::Path => "path",
            Field::Operation => "operation",
            Field::Result => "result",
            Field::Remote => "remote",
            Field::Session => "session",
            Field::Service => "service",
            Field::Thread => "thread",
        }
    }

    /// The field of this name.
    pub fn parse(name: &str) -> Option<Field> {
        Field::ALL.into_iter().find(|field| field.name() == name)
    }
}
