//! The rule file as written: what `schemas/rule.schema.json` describes.

use crate::fix::Fix;
use crate::model::TargetKind;
use crate::policy::{Amount, Environment, RawWorkflow, lifetime};
use schemars::JsonSchema;
use serde::de::value::SeqAccessDeserializer;
use serde::de::{self, IntoDeserializer as _, MapAccess, SeqAccess, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

/// How bad a finding is; the words are SARIF's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing; never fails a run by default.
    Note,
    /// A recommendation is not followed.
    Warning,
    /// A requirement is broken, or someone can gain access now.
    Error,
}

impl Severity {
    /// The word in reports.
    pub fn name(self) -> &'static str {
        match self {
            Severity::Note => "note",
            Severity::Warning => "warning",
            Severity::Error => "error",
        }
    }
}

impl std::fmt::Display for Severity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// One rule, one file.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "tokenvet rule")]
pub struct RawRule {
    /// Kebab-case name of the bad thing; reads after "allow …". Equals the file name.
    pub id: String,
    /// One sentence that says what is wrong.
    pub title: String,
    /// The target kinds the rule judges. Exactly one of `target` and `kind` is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<OneOrMany<TargetKind>>,
    /// Native document kinds the rule judges through `select`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<OneOrMany<String>>,
    /// JSONPath (RFC 9535) into the native document; every match is judged on its own, or is the violation itself
    /// when there is no `check`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub select: Option<String>,
    /// Name of the profile limit that `limit` stands for in `check`; severity and requirements come from there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<String>,
    /// Ids of the requirements the rule enforces. They decide profiles and severity.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub requirements: Vec<String>,
    /// Severity of a rule without requirements (exposures and product traps; always applied), or a lower severity
    /// than the requirements give; then `severity_reason` says why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub severity: Option<Severity>,
    /// Why the severity is not the one the requirements give.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub severity_reason: Option<String>,
    /// The software versions the rule speaks of (`<5.9.3`, a semver requirement). Where the version of a target's software
    /// is not known, the rule applies and its message names the versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub versions: Option<String>,
    /// Entries of the WG's risk register (`TR-1` … `TR-7`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub risks: Vec<String>,
    /// The targets of other documents that the rule looks at; it then runs once per run, on what all documents said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub join: Option<Join>,
    /// When the rule applies; everything else is "not applicable". All conditions must hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<Check>,
    /// The list field whose elements are judged one by one (`item` in `check` and `message`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub each: Option<String>,
    /// What must hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check: Option<Check>,
    /// Fields to point at; the default is the operator's field. Mandatory with `cel`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub at: Vec<String>,
    /// What was found; `{field}`, `{item}`, `{limit}`, `{profile}` and `{reason}` (the operator's own words; with `join`
    /// and `hold: any`, `; did you mean …?` where what is shown of another is nearly ours) are filled in. `{count time}` is a
    /// number with its noun: `1 time`, `3 times`. `{issuer|an unknown issuer}` tells what is said where the field is absent.
    pub message: String,
    /// What to do: names the product's own knob and who can turn it.
    pub help: String,
    /// What `tokenvet fix` does at the place of a finding, where that is safe: it says what was meant, and allows nobody more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fix: Option<Fix>,
    /// Why it matters.
    pub rationale: String,
    /// Legitimate exceptions and how the tool knows them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exceptions: Option<String>,
    /// Documents and pages to read on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub references: Vec<String>,
    /// Inputs with the expected outcome; run by `tokenvet test` and `cargo test`.
    #[serde(default)]
    pub examples: Vec<RawExample>,
}

/// What a rule file says of where the rule applies; [`RawBody`], [`Prose`] and the examples are read when somebody asks.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawLogic {
    /// See [`RawRule::id`].
    pub id: String,
    /// See [`RawRule::target`].
    #[serde(default)]
    pub target: Option<Vec<TargetKind>>,
    /// See [`RawRule::kind`].
    #[serde(default)]
    pub kind: Option<OneOrMany<String>>,
    /// See [`RawRule::limit`].
    #[serde(default)]
    pub limit: Option<String>,
    /// See [`RawRule::requirements`].
    #[serde(default)]
    pub requirements: Vec<String>,
    /// See [`RawRule::severity`].
    #[serde(default)]
    pub severity: Option<Severity>,
    /// See [`RawRule::versions`].
    #[serde(default)]
    pub versions: Option<String>,
    /// See [`RawRule::join`].
    #[serde(default)]
    pub join: Option<Box<Join>>,
}

/// What a rule file says of how targets are judged.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawBody {
    /// See [`RawRule::select`].
    #[serde(default)]
    pub select: Option<String>,
    /// See [`RawRule::when`].
    #[serde(default)]
    pub when: Option<Check>,
    /// See [`RawRule::each`].
    #[serde(default)]
    pub each: Option<String>,
    /// See [`RawRule::check`].
    #[serde(default)]
    pub check: Option<Check>,
    /// See [`RawRule::at`].
    #[serde(default)]
    pub at: Vec<String>,
    /// See [`RawRule::message`].
    pub message: String,
}

/// What a rule file says to people.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Prose {
    /// See [`RawRule::title`].
    pub title: String,
    /// See [`RawRule::help`].
    pub help: String,
    /// See [`RawRule::fix`].
    #[serde(default)]
    pub fix: Option<Fix>,
    /// See [`RawRule::rationale`].
    pub rationale: String,
    /// See [`RawRule::exceptions`].
    #[serde(default)]
    pub exceptions: Option<String>,
    /// See [`RawRule::references`].
    #[serde(default)]
    pub references: Vec<String>,
    /// See [`RawRule::severity_reason`].
    #[serde(default)]
    pub severity_reason: Option<String>,
    /// See [`RawRule::risks`].
    #[serde(default)]
    pub risks: Vec<String>,
}

impl RawRule {
    /// The part that tells where it applies.
    pub fn logic(&self) -> RawLogic {
        RawLogic {
            id: self.id.clone(),
            target: self.target.as_ref().map(|kinds| kinds.as_slice().to_vec()),
            kind: self.kind.clone(),
            limit: self.limit.clone(),
            requirements: self.requirements.clone(),
            severity: self.severity,
            versions: self.versions.clone(),
            join: self.join.clone().map(Box::new),
        }
    }

    /// The part that targets are judged by.
    pub fn body(&self) -> RawBody {
        RawBody {
            select: self.select.clone(),
            when: self.when.clone(),
            each: self.each.clone(),
            check: self.check.clone(),
            at: self.at.clone(),
            message: self.message.clone(),
        }
    }

    /// The part for people.
    pub fn prose(&self) -> Prose {
        Prose {
            title: self.title.clone(),
            help: self.help.clone(),
            fix: self.fix,
            rationale: self.rationale.clone(),
            exceptions: self.exceptions.clone(),
            references: self.references.clone(),
            severity_reason: self.severity_reason.clone(),
            risks: self.risks.clone(),
        }
    }
}

/// How a rule finds the targets of other documents that belong to the one it judges. `other` is one of them in `check`
/// (expressions only) and, as `{other.field}`, in `message`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Join {
    /// Kinds of the other targets. Without any the rule compares with nothing: it only waits for what the whole run tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub with: Option<OneOrMany<TargetKind>>,
    /// Fields that must agree: ours to theirs. URLs are compared without case of scheme and host, without a final slash and
    /// as if http were https, so that two spellings of one issuer still meet. Without any, all targets of the kind
    /// are looked at.
    #[serde(default)]
    pub on: BTreeMap<String, String>,
    /// Where the others are looked for.
    #[serde(default, rename = "where", skip_serializing_if = "Where::is_default")]
    pub place: Where,
    /// How many of the others must satisfy `check`.
    #[serde(default)]
    pub hold: Hold,
    /// `true`: a target without any other breaks the rule as well; else there is nothing to judge then.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub required: bool,
    /// Fields of the other target to show beside the finding.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub show: Vec<String>,
}

/// Where joined targets are looked for. The files of one service are those that one entry of the policy's `services` names,
/// else those of one product in one folder, with folders below it that are called `layouts`, `config` or end in `.d`;
/// of two files that each describe the same product as a whole in the same way each is a service of its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Where {
    /// Everywhere in the run.
    #[default]
    Run,
    /// In other files; what one file says of itself has its own rules.
    OtherFiles,
    /// In the files of the same service.
    Service,
    /// In the files of other services.
    OtherServices,
}

impl Where {
    fn is_default(&self) -> bool {
        *self == Where::default()
    }
}

/// How many joined targets must satisfy a check.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Hold {
    /// Every one.
    #[default]
    All,
    /// At least one.
    Any,
    /// Those of most services, so that the odd one out is at fault; of two camps of one size the one that comes first by its
    /// path is right. A service that has it both ways means it and belongs to neither.
    Most,
}

/// A list that may be written as a single value.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum OneOrMany<T> {
    /// One value.
    One(T),
    /// Several values.
    Many(Vec<T>),
}

impl<T> OneOrMany<T> {
    /// The values.
    pub fn as_slice(&self) -> &[T] {
        match self {
            OneOrMany::One(one) => std::slice::from_ref(one),
            OneOrMany::Many(many) => many,
        }
    }
}

/// By hand, since of a derived one nobody learns what is wrong with the value.
impl<'de, T: Deserialize<'de>> Deserialize<'de> for OneOrMany<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Values<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Values<T> {
            type Value = OneOrMany<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a word or a list of words")
            }

            fn visit_str<E: de::Error>(self, word: &str) -> Result<Self::Value, E> {
                T::deserialize(word.into_deserializer()).map(OneOrMany::One)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, words: A) -> Result<Self::Value, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(words)).map(OneOrMany::Many)
            }
        }
        deserializer.deserialize_any(Values(PhantomData))
    }
}

/// Conditions on fields, all of which must hold. The key is a field name (`item` under `each`), or `cel`.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub struct Check {
    /// A CEL expression over `self`, `item`, `limit`, `now` and `environment` (the policy's, or empty) that must be
    /// true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cel: Option<String>,
    /// Operators by field.
    #[serde(flatten)]
    pub fields: BTreeMap<String, Box<Operators>>,
}

/// By hand, since a derived `flatten` copies all members before it reads them, at every start.
impl<'de> Deserialize<'de> for Check {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Check;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a mapping of fields to operators, or `cel`")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Check, A::Error> {
                let mut check = Check::default();
                while let Some(name) = members.next_key::<String>()? {
                    match name.as_str() {
                        "cel" => check.cel = members.next_value()?,
                        _ => drop(check.fields.insert(name, members.next_value()?)),
                    }
                }
                Ok(check)
            }
        }
        deserializer.deserialize_map(Members)
    }
}

/// A number written out, or the word `limit` for the profile's value.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Bound {
    /// A fixed number.
    Number(i64),
    /// The profile's limit; only the word `limit` is accepted.
    Limit(LimitWord),
}

/// The word `limit`.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LimitWord {
    /// The profile's limit.
    Limit,
}

/// By hand, for the same reason as with [`OneOrMany`].
impl<'de> Deserialize<'de> for Bound {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Figure;
        impl Visitor<'_> for Figure {
            type Value = Bound;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a whole number (of lifetimes and times the seconds) or the word `limit`; what is computed goes into `cel`")
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Bound, E> {
                Ok(Bound::Number(number))
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Bound, E> {
                i64::try_from(number)
                    .map(Bound::Number)
                    .map_err(|_| E::invalid_value(Unexpected::Unsigned(number), &self))
            }

            fn visit_str<E: de::Error>(self, word: &str) -> Result<Bound, E> {
                match (word, lifetime(&Amount::Text(word.into()))) {
                    ("limit", _) => Ok(Bound::Limit(LimitWord::Limit)),
                    (_, Ok(seconds)) => Err(E::custom(format_args!("bounds are whole seconds: write {seconds}"))),
                    (_, Err(_)) => Err(E::invalid_value(Unexpected::Str(word), &self)),
                }
            }
        }
        deserializer.deserialize_any(Figure)
    }
}

/// Operators on one field. Several may stand together; all must hold.
///
/// On an absent field every operator but `present` is "not applicable" in `check` and false in `when`; on an unknown or malformed one the
/// rule is "not judged". List fields: `contains*` look at the whole list, the text operators at every element.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Operators {
    /// `true`: the field must be there (unknown is not judged). `false`: it must be absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub present: Option<bool>,
    /// `true`: the field must have no limit; `false`: it must have one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unlimited: Option<bool>,
    /// `false`: the field must not be of a wrong type or form; an unknown one is "not applicable".
    #[serde(skip_serializing_if = "Option::is_none")]
    pub malformed: Option<bool>,
    /// Boolean fields: must have this value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is: Option<bool>,
    /// Must be equal to this text or number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub equals: Option<Scalar>,
    /// Must not be equal to this text or number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_equals: Option<Scalar>,
    /// Must be one of these.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub one_of: Option<Vec<Scalar>>,
    /// Must be none of these.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub none_of: Option<Vec<Scalar>>,
    /// The list must hold this element.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contains: Option<String>,
    /// The list must hold at least one of these.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contains_any: Option<Vec<String>>,
    /// The list must hold none of these; every offending element is one finding.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contains_none: Option<Vec<String>>,
    /// Must match this regular expression (Rust `regex` syntax, unanchored, linear time).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pattern: Option<String>,
    /// The list must hold at least one element that matches this regular expression.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub any_pattern: Option<String>,
    /// Must not match this regular expression.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_pattern: Option<String>,
    /// At most this (seconds, bits or count); a list counts its elements, a text its characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max: Option<Bound>,
    /// At least this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min: Option<Bound>,
    /// A list has no element twice.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unique: Option<bool>,
    /// Must be a URL of this form.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<UrlShape>,
    /// Scope algebra on every scope of the list (or on the one text).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<ScopeShape>,
    /// Must be an issuer of this kind, by the registry of known issuers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub registry: Option<RegistryShape>,
    /// Must follow the group grammar of this family.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<GroupGrammar>,
    /// Values of the AARC guidelines (entitlements, identifiers, assurance); values of another kind pass every demand.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub urn: Option<UrnShape>,
    /// Must be a version this semver requirement matches (`>=1.0, <2`); `1.0` counts as `1.0.0`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

/// A text, number or boolean.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Scalar {
    /// True or false.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Text.
    Text(String),
}

/// What a URL must look like. A text that is no absolute URL fails every demand.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct UrlShape {
    /// Allowed schemes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scheme: Option<Vec<String>>,
    /// Forbidden schemes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_scheme: Option<Vec<String>>,
    /// May it have a query?
    #[serde(skip_serializing_if = "Option::is_none")]
    pub query: Option<bool>,
    /// May it have a fragment?
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fragment: Option<bool>,
    /// May it carry user information (`user:password@`)?
    #[serde(skip_serializing_if = "Option::is_none")]
    pub userinfo: Option<bool>,
    /// May it end with a slash?
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trailing_slash: Option<bool>,
    /// May it be a loopback address (127.0.0.0/8, ::1, localhost)?
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loopback: Option<bool>,
    /// May it be an address or name that only this machine or site can reach (RFC 1918, link-local, `.local`, a bare host name)?
    #[serde(skip_serializing_if = "Option::is_none")]
    pub private: Option<bool>,
    /// May it hold a wildcard (`*`)?
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wildcard: Option<bool>,
    /// May it name the scheme's default port?
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_port: Option<bool>,
    /// May it have upper-case letters in scheme or host, or dot segments in its path?
    #[serde(skip_serializing_if = "Option::is_none")]
    pub denormalised: Option<bool>,
    /// May its path hold an empty segment (`//`)?
    #[serde(skip_serializing_if = "Option::is_none")]
    pub empty_segment: Option<bool>,
}

/// What scopes must look like. Texts that are no capability scope (`openid`, `wlcg`) pass every demand.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ScopeShape {
    /// The capability scopes this is about, by operation (`storage.modify`); all when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub of: Option<Vec<String>>,
    /// `true`: a path must be given. `false`: no path may be given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<bool>,
    /// `true`: the path must be absolute (`/…`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub absolute: Option<bool>,
    /// `true`: the path must be normalised: no `.` or `..` segment, no `//`, no percent-encoded slash or dot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub normalised: Option<bool>,
    /// `false`: the path must not be the root `/`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub root: Option<bool>,
    /// `true`: the operation must be one the profile family defines.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub known: Option<bool>,
    /// `false`: no scope may be covered by another one of the list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub redundant: Option<bool>,
}

/// What the registry of known issuers must say of a URL. Issuers it does not know pass every demand but `near_miss`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RegistryShape {
    /// `false`: the host name must not be within two letters of a known issuer's without being one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub near_miss: Option<bool>,
    /// `true`: a known issuer must be written letter by letter as the registry has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spelled: Option<bool>,
    /// A known issuer must be of none of these classes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_class: Option<Vec<crate::profile::IssuerClass>>,
}

/// What a value of the AARC guidelines must look like. Values that are not of the kind (a URL among entitlements, another
/// framework's assurance) pass every demand.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UrnShape {
    /// Which grammar.
    pub kind: UrnKind,
    /// `false`: values that break the grammar do not pass.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub malformed: Option<bool>,
    /// `false`: values of an older edition do not pass.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub legacy: Option<bool>,
    /// `true`: the value must name an authority after `#`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authority: Option<bool>,
}

/// Grammars of the AARC guidelines and of RFC 8141.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum UrnKind {
    /// Any URN (RFC 8141).
    Urn,
    /// Group entitlement (AARC-G069; AARC-G002 is legacy).
    Entitlement,
    /// Capability (AARC-G027).
    Capability,
    /// Community user identifier (AARC-G026).
    Subject,
    /// Assurance value (REFEDS Assurance Framework).
    Assurance,
}

/// Group grammars.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum GroupGrammar {
    /// WLCG: `/vo/sub`, segments of letters, digits, `_`, `-`, `.`.
    Wlcg,
}

/// One example. Exactly one of `pass`, `fail`, `skip` and `unknown` holds the native document.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawExample {
    /// What the example shows.
    pub name: String,
    /// Native kind of the document (`jwt-claims`, `indigo-iam-clients`); it must be recognised as this.
    pub kind: String,
    /// The profile to judge by; the newest one that holds the rule when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// Whether every user of the machine may read the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open_to_all: Option<bool>,
    /// The rule applies and finds nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pass: Option<serde_json::Value>,
    /// The rule finds something at `at`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fail: Option<serde_json::Value>,
    /// The rule does not apply.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skip: Option<serde_json::Value>,
    /// The rule cannot judge: a field it needs is unknown or malformed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unknown: Option<serde_json::Value>,
    /// Native pointers of the findings a `fail` must give, all of them, in document order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub at: Vec<String>,
    /// What the policy says the document is for; nothing when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<Environment>,
    /// The version of the document's software, as a policy would declare it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Workflows of the policy by which the document is judged, as `tokenvet.yaml` declares them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub workflows: Vec<RawWorkflow>,
    /// Lifetimes (`lifetimes.access_token`) in seconds that the last audit accepted.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub audited: BTreeMap<String, i64>,
    /// Documents that lie beside it, for rules with `join`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub beside: Vec<RawBeside>,
    /// The message of the first finding, when the example pins it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub says: Option<String>,
}

/// A document beside an example's own.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawBeside {
    /// Native kind; it must be recognised as this.
    pub kind: String,
    /// A folder below the example's own where it lies; its own when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folder: Option<String>,
    /// Its file name, where that matters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The document.
    pub document: serde_json::Value,
}
