//! What the client registration forms of all products share.

use super::read::is_placeholder;
use super::{Reader, Sink, jwks};
use crate::model::{At, Client, Field, State, Target, TargetKind, Value};
use crate::parse::{Cursor, Document, NodeId};

/// Grant type names (RFC 6749, RFC 8628, RFC 8693).
pub(super) mod grant {
    pub(in crate::adapt) const AUTHORIZATION_CODE: &str = "authorization_code";
    pub(in crate::adapt) const REFRESH_TOKEN: &str = "refresh_token";
    pub(in crate::adapt) const IMPLICIT: &str = "implicit";
    pub(in crate::adapt) const PASSWORD: &str = "password";
    pub(in crate::adapt) const CLIENT_CREDENTIALS: &str = "client_credentials";
    pub(in crate::adapt) const DEVICE_CODE: &str = "urn:ietf:params:oauth:grant-type:device_code";
    pub(in crate::adapt) const TOKEN_EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
    pub(in crate::adapt) const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
}

/// The scope that asks for refresh tokens (OIDC Core section 11).
pub(super) const OFFLINE_ACCESS: &str = "offline_access";

/// A product's name as a field: read nowhere, known from the form.
pub(super) fn product<'d>(name: &'static str) -> Field<'d> {
    Field::text(name, None)
}

/// An absent field that remembers where it was read.
pub(super) fn absent<'d>(at: Option<At>) -> Field<'d> {
    Field { at, ..Field::default() }
}

/// Whether a list holds a word; `None` when the list (or one of its items) does not show.
pub(super) fn holds(list: &Field<'_>, word: &str) -> Option<bool> {
    match &list.state {
        State::Absent => Some(false),
        State::Unknown(_) | State::Malformed(_) => None,
        State::Unlimited => Some(true),
        State::Value(Value::Text(_) | Value::Int(_) | Value::Bool(_)) => None,
        State::Value(Value::List(items)) if items.iter().any(|item| item.as_text() == Some(word)) => Some(true),
        State::Value(Value::List(items)) => items.iter().all(|item| item.as_text().is_some()).then_some(false),
    }
}

/// Three-valued "and".
pub(super) fn both(left: Option<bool>, right: Option<bool>) -> Option<bool> {
    match (left, right) {
        (Some(false), _) | (_, Some(false)) => Some(false),
        (Some(true), Some(true)) => Some(true),
        _ => None,
    }
}

/// Three-valued yes or no as a field.
pub(super) fn tristate<'d>(value: Option<bool>, at: Option<At>, why_unknown: &'static str) -> Field<'d> {
    match value {
        Some(value) => Field::bool(value, at),
        None => Field::unknown(why_unknown, at),
    }
}

/// Whether the client is public, from its authentication method.
pub(super) fn public_from<'d>(auth_method: &Field<'d>) -> Field<'d> {
    match (&auth_method.state, auth_method.as_text()) {
        (_, Some(method)) => Field::bool(method == "none", auth_method.at),
        (State::Unknown(why), _) => Field::unknown(why.clone(), auth_method.at),
        _ => absent(auth_method.at),
    }
}

/// The RFC 7591 name of an authentication method that may be spelt as MITREid's Java constant.
pub(super) fn auth_method_from_java(field: Field<'_>) -> Field<'_> {
    let name = match field.as_text() {
        Some("SECRET_BASIC") => "client_secret_basic",
        Some("SECRET_POST") => "client_secret_post",
        Some("SECRET_JWT") => "client_secret_jwt",
        Some("PRIVATE_KEY") => "private_key_jwt",
        Some("NONE") => "none",
        _ => return field,
    };
    Field::text(name, field.at)
}

/// The PKCE method a registration demands: `""` and `none` demand nothing.
pub(super) fn pkce(field: Field<'_>) -> Field<'_> {
    match field.as_text() {
        Some("" | "none") => absent(field.at),
        _ => field,
    }
}

/// True when a member holds at least one key: a key set object, or its JSON text. The keys are targets of their own.
pub(super) fn inline_keys<'d>(reader: Reader<'d>, name: &str, sink: &mut dyn Sink) -> Field<'d> {
    let Some(member) = reader.cursor().get(name) else { return Field::default() };
    let at = Some(reader.place(member));
    match member.as_str() {
        Some(text) if text.trim().is_empty() => absent(at),
        Some(text) if is_placeholder(text) => reader.text(name),
        Some(_) => {
            match member.document.nested_json(member.id) {
                Ok(keys) => jwks::key_targets(&keys, NodeId::ROOT, sink),
                Err(error) => sink.error(member.document, member.id, format!("not readable as a key set: {error}")),
            }
            Field::bool(true, at)
        }
        None if !member.is_map() => absent(at),
        None => {
            let any = member.get("keys").is_some_and(|keys| keys.items().next().is_some());
            if any {
                jwks::key_targets(member.document, member.id, sink);
            }
            Field::bool(any, at)
        }
    }
}

/// A list that a product fills in when the registration names none.
pub(super) fn default_list<'d>(names: &[&'static str]) -> Field<'d> {
    Field::list(names.iter().map(|name| Field::text(*name, None)).collect(), None)
}

/// Hands a client over: named by its name, else its id; identified by issuer and id.
pub(super) fn emit(sink: &mut dyn Sink, at: Cursor<'_>, client: Client<'_>, evidence: &str) {
    emit_with(sink, at, &[], client, evidence);
}

/// The same for a client some of whose fields stand in further documents (index 1 and up).
pub(super) fn emit_with(sink: &mut dyn Sink, at: Cursor<'_>, more: &[&Document], client: Client<'_>, evidence: &str) {
    fn filled<'f>(field: &'f Field<'_>) -> Option<&'f str> {
        field.as_text().filter(|text| !text.trim().is_empty())
    }
    let id = filled(&client.client_id);
    let name = filled(&client.name).or(id).unwrap_or("client without a name");
    let target = Target {
        identity: match (filled(&client.issuer), id) {
            (Some(issuer), Some(id)) => format!("{issuer} {id}").into(),
            (_, id) => id.unwrap_or_default().into(),
        },
        evidence: evidence.into(),
        at: At::node(at.id),
        ..Target::of(TargetKind::Client, name, &client)
    };
    let mut documents = vec![at.document];
    documents.extend(more);
    sink.target(&documents, target);
}
