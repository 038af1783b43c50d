//! What a run holds, in a form that can be kept: one compact record without secrets for each target.

use crate::model::{Field, FieldType, Quantity, State, Target, TargetKind, Value};
use crate::source::mask;
use serde_json::{Map, Value as Json};

/// A target as audits remember it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its kind.
    pub kind: String,
    /// What tells it from others of its kind: its identity, or where it stands.
    pub anchor: String,
    /// Its file, relative to the policy's folder.
    pub path: String,
    /// What users call it.
    pub name: String,
    /// Its fields: texts, numbers, yes or no, sorted lists of texts. [`UNLIMITED`] stands for what has no limit, null for
    /// what this view of it does not show. Absent fields are left out.
    pub record: Map<String, Json>,
    /// Lifetimes over what the last audit accepted, by the name of their field. Not kept.
    pub grown: Vec<String>,
}

/// What a record holds for a lifetime without end, and for a list that names no element because it covers all.
pub const UNLIMITED: &str = "unlimited";

/// Fields of records that hold a time, in seconds since 1970.
#[cfg(feature = "cli")]
pub(super) const TIMES: [&str; 6] = ["secret_expires", "exp", "nbf", "not_before", "not_after", "x5c_not_after"];

/// Longest list that is kept of a field. What comes beyond is not compared.
const MOST: usize = 500;

/// The fields that are kept of a kind; `None` for kinds that audits do not remember.
fn fields(kind: TargetKind) -> Option<&'static [&'static str]> {
    match kind {
        TargetKind::Client => Some(&[
            "client_id",
            "name",
            "issuer",
            "scopes",
            "grant_types",
            "redirect_uris",
            "contacts",
            "audience",
            "token_endpoint_auth_method",
            "active",
            "lifetimes.access_token",
            "lifetimes.refresh_token",
            "lifetimes.id_token",
            "lifetimes.device_code",
            "secret_expires",
        ]),
        TargetKind::Issuer => Some(&[
            "issuer",
            "token_endpoint",
            "jwks_uri",
            "registration_endpoint",
            "scopes_supported",
            "grant_types_supported",
        ]),
        TargetKind::Key => Some(&["kid", "kty", "alg", "use", "bits", "thumbprint", "nbf", "exp", "x5c_not_after"]),
        TargetKind::Certificate => Some(&["server", "subject", "authority", "names", "not_before", "not_after"]),
        TargetKind::Trust => Some(&[
            "product",
            "issuer",
            "audiences",
            "audience_checked",
            "base_paths",
            "restricted_paths",
            "strategy",
            "mapping",
            "account",
            "active",
        ]),
        TargetKind::Service => {
            Some(&["product", "version", "tokens", "audiences", "audience_checked", "any_issuer", "without_token"])
        }
        TargetKind::Settings => Some(&[
            "product",
            "version",
            "issuer",
            "lifetimes.access_token",
            "lifetimes.refresh_token",
            "lifetimes.id_token",
            "lifetimes.device_code",
            "registration",
            "grant_types",
            "scopes",
        ]),
        TargetKind::ScopePolicy => Some(&["rule", "matching_policy", "scopes", "subject"]),
        TargetKind::AccessToken
        | TargetKind::IdToken
        | TargetKind::RefreshToken
        | TargetKind::RegistrationToken
        | TargetKind::Token => Some(&["iss", "exp", "lifetime", "scope"]),
        TargetKind::Document
        | TargetKind::KeySet
        | TargetKind::ExchangePolicy
        | TargetKind::Suppression
        | TargetKind::Workflow
        | TargetKind::Mapping
        | TargetKind::Trap
        | TargetKind::Leak
        | TargetKind::Logging => None,
    }
}

impl Entry {
    /// The record of a target; `None` for kinds that audits do not remember.
    pub(crate) fn of(target: &Target<'_>, anchor: &str, path: &str, name: String) -> Option<Entry> {
        let names = fields(target.kind)?;
        let mut record = Map::new();
        let mut grown = Vec::new();
        for (index, spec) in target.kind.fields().iter().enumerate() {
            let field = target.record.field(index);
            if spec.name == super::ratchet::GROWN {
                let texts = field.items().iter().filter_map(Field::as_text);
                grown.extend(texts.filter_map(|text| Some(text.split_once(' ')?.0.to_string())));
            }
            if names.contains(&spec.name)
                && let Some(known) = known(field, spec.ty)
            {
                record.insert(spec.name.to_string(), known);
            }
        }
        let (anchor, path) = (anchor.to_string(), path.to_string());
        Some(Entry { kind: target.kind.name().to_string(), anchor, path, name, record, grown })
    }

    /// A text of the record.
    pub fn text(&self, field: &str) -> Option<&str> {
        self.record.get(field)?.as_str()
    }

    /// A number of the record, a duration in seconds; `None` when it is not known.
    pub fn quantity(&self, field: &str) -> Option<Quantity> {
        match self.record.get(field)? {
            Json::String(text) if text == UNLIMITED => Some(Quantity::Unlimited),
            number => number.as_i64().map(Quantity::Of),
        }
    }

    /// A time of the record, in seconds since 1970; `None` when it is not known, or never comes.
    fn time(&self, field: &str) -> Option<i64> {
        self.record.get(field)?.as_i64()
    }

    /// What of it ends: what that is called, and when, in seconds since 1970. Nothing where nothing says it.
    pub fn ends(&self) -> Vec<(&'static str, i64)> {
        let fields: &[(&str, &'static str)] = match self.kind.as_str() {
            "client" => &[("secret_expires", "client secret")],
            "key" => &[("exp", "key"), ("x5c_not_after", "certificate of a key")],
            "certificate" => &[("not_after", "certificate")],
            _ => &[],
        };
        fields.iter().filter_map(|(field, what)| Some((*what, self.time(field)?))).collect()
    }

    /// When it begins, in seconds since 1970; `None` when nothing says it.
    pub fn begins(&self) -> Option<i64> {
        match self.kind.as_str() {
            "key" => self.time("nbf"),
            "certificate" => self.time("not_before"),
            _ => None,
        }
    }

    /// The texts of a list.
    pub fn texts(&self, field: &str) -> impl Iterator<Item = &str> {
        self.record.get(field).and_then(Json::as_array).into_iter().flatten().filter_map(Json::as_str)
    }

    /// Is it something that stays, unlike a token?
    pub fn lasts(&self) -> bool {
        !self.kind.ends_with("token")
    }
}

fn known(field: &Field<'_>, ty: FieldType) -> Option<Json> {
    let text = |text: &str| mask::redact(text).into_owned();
    match &field.state {
        State::Absent => None,
        State::Unknown(_) | State::Malformed(_) => Some(Json::Null),
        State::Unlimited => Some(UNLIMITED.into()),
        State::Value(Value::Text(value)) => Some(text(value).into()),
        State::Value(Value::Int(number)) => Some((*number).into()),
        State::Value(Value::Bool(value)) => Some((*value).into()),
        State::Value(Value::List(items)) => {
            if items.len() > MOST || items.iter().any(|item| item.as_text().is_none()) {
                return Some(Json::Null);
            }
            let mut texts: Vec<String> = items.iter().filter_map(Field::as_text).map(text).collect();
            texts.sort();
            texts.dedup();
            debug_assert!(matches!(ty, FieldType::Texts | FieldType::Urls));
            Some(texts.into())
        }
    }
}
