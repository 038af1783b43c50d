//! Claims and facts of one readable token, ready to be shown: secrets are gone from here on.

use super::claims::{self, Meaning};
use super::{Claim, Item, Signature, TOKENS, TokenView, Validity, ValidityState, words};
use crate::adapt::Sink;
use crate::discover;
use crate::hex::hex;
use crate::model::{Field, State, Target, TargetKind, Value};
use crate::parse::jwt::is_left_over;
use crate::parse::{Cursor, Data, Document, NodeId};
use crate::rule::message;
use crate::source::{Source, mask, secret_names};
use serde_json::Value as Json;
use sha2::{Digest, Sha256};
use std::sync::Arc;

/// What stands for a value that is not shown.
const HIDDEN: &str = "********";

/// The one token of a source.
pub(super) fn of_source(source: &Arc<Source>, now: i64) -> Option<(TargetKind, TokenView)> {
    let mut viewer = Viewer { now, seen: None };
    for (document, known) in &discover::recognise(source).documents {
        if let Some((adapter, kind)) = known {
            adapter.adapt(document, kind, &mut viewer);
        }
    }
    viewer.seen
}

struct Viewer {
    now: i64,
    seen: Option<(TargetKind, TokenView)>,
}

impl Sink for Viewer {
    fn target(&mut self, documents: &[&Document], target: Target<'_>) {
        let Some(document) = documents.first().filter(|_| TOKENS.contains(&target.kind) && self.seen.is_none()) else {
            return;
        };
        let at = document.cursor(target.at.node);
        let (header, payload) = match documents {
            [_, header, payload] => (Some(header.root()), payload.root()),
            _ => {
                let map = |name: &str| at.get(name).filter(|member| member.is_map());
                let payload = map("payload").or_else(|| map("claims"));
                (payload.and_then(|_| map("header")), payload.unwrap_or(at))
            }
        };
        let compact = at.as_str();
        // The identifier of an unsigned refresh token is all there is to it.
        let hidden: &[&str] = if target.kind == TargetKind::RefreshToken { &["jti"] } else { &[] };
        let facts = Facts::of(&target);
        let view = TokenView {
            kind: target.kind.name().into(),
            powers: super::power::views(&facts.scopes),
            evidence: target.evidence.to_string(),
            sha256_prefix: compact.map(sha256_prefix),
            size: compact.map(str::len),
            signature: compact.map(signature),
            validity: Some(validity(&target, self.now)),
            header: header.map_or(vec![], |header| list(header, claims::header, &[], self.now)),
            payload: list(payload, claims::claim, hidden, self.now),
            facts,
            ..TokenView::default()
        };
        self.seen = Some((target.kind, view));
    }

    fn secret(&mut self, _document: &Document, _node: NodeId) {}

    fn error(&mut self, _document: &Document, _node: NodeId, _message: String) {}

    fn paging(&mut self, _shown: NodeId, _count: i64, _total: (NodeId, i64)) {}

    fn secrets_expected(&mut self) {}
}

/// What two tokens are compared by. Texts hold no secret.
#[derive(Clone, Debug, Default)]
pub(crate) struct Facts {
    pub(crate) issuer: Option<String>,
    pub(crate) scopes: Vec<String>,
    /// Empty when the token names none.
    pub(crate) audiences: Vec<String>,
    pub(crate) groups: Vec<String>,
    /// `exp`, in seconds since 1970.
    pub(crate) end: Bound,
    /// `exp` minus `nbf` or `iat`, in seconds.
    pub(crate) lifetime: Bound,
    /// True when the token says that it is a SciToken, false when it says that it is a WLCG token.
    pub(crate) scitoken: Option<bool>,
}

/// A number that may be infinite.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Bound {
    Known(i64),
    Never,
    #[default]
    Unknown,
}

impl Facts {
    fn of(target: &Target<'_>) -> Self {
        let text = |name: &str| field(target, name).as_text().map(|text| mask::redact(text).into_owned());
        let texts = |name: &str| -> Vec<String> {
            let items = field(target, name).items().iter().filter_map(Field::as_text);
            items.map(|text| mask::redact(text).into_owned()).collect()
        };
        let bound = |name: &str, absent: Bound| match &field(target, name).state {
            State::Value(Value::Int(number)) => Bound::Known(*number),
            State::Unlimited => Bound::Never,
            State::Absent => absent,
            State::Value(_) | State::Unknown(_) | State::Malformed(_) => Bound::Unknown,
        };
        let scitoken = text("ver").map(|version| version.starts_with("scitoken"));
        Facts {
            issuer: text("iss"),
            scopes: texts("scope"),
            audiences: texts("aud"),
            groups: [texts("wlcg.groups"), texts("groups")].concat(),
            end: bound("exp", Bound::Never),
            lifetime: bound("lifetime", Bound::Unknown),
            scitoken: if text("wlcg.ver").is_some() { Some(false) } else { scitoken.filter(|is| *is) },
        }
    }
}

/// Four hexadecimal digits: enough to tell two tokens apart, nothing to find a token by.
pub(super) fn sha256_prefix(token: &str) -> String {
    hex(&Sha256::digest(token.as_bytes())[..2])
}

/// What may be known of the signature of a compact token.
pub(super) fn signature(token: &str) -> Signature {
    let part = token.rsplit('.').next().unwrap_or_default();
    let taken_away = !part.is_empty() && is_left_over(token);
    Signature { present: !part.is_empty() && !taken_away, length: part.chars().count(), taken_away }
}

/// The members of a header or payload. `hidden` names members whose value is never shown.
pub(super) fn list(
    at: Cursor<'_>,
    meaning: fn(&str) -> Option<&'static Meaning>,
    hidden: &[&str],
    now: i64,
) -> Vec<Claim> {
    let times = |name: &str| at.entries().filter(|(other, _)| *other == name).count();
    at.entries()
        .map(|(name, value)| {
            let known = meaning(name);
            let hide = hidden.contains(&name);
            let (date, words) = match words::time(name, value, now) {
                Some((date, words)) if !hide => (date, Some(words)),
                _ => (None, None),
            };
            Claim {
                name: mask::redact(name).into_owned(),
                value: if hide { HIDDEN.into() } else { shown(name, value, false) },
                date,
                words,
                items: items(name, value),
                meaning: known.map(|known| known.meaning),
                requirements: known.map_or(&[], |known| known.requirements),
                repeated: times(name) > 1,
            }
        })
        .collect()
}

/// A value without what is secret in it: whatever stands under a secret's name, private members of keys, and texts
/// with the shape of a secret.
fn shown(name: &str, value: Cursor<'_>, in_key: bool) -> Json {
    let private = in_key && mask::is_private_jwk_member(name);
    match value.data() {
        Data::Null | Data::Bool(_) | Data::Number | Data::Skipped if !private => value.to_json(),
        Data::Text(_) if !private && !secret_names::is_secret_key(name) => {
            mask::redact(value.as_str().unwrap_or_default()).into_owned().into()
        }
        Data::Seq => value.items().map(|item| shown(name, item, in_key)).collect(),
        Data::Map => {
            let key = value.has("kty");
            let members =
                value.entries().map(|(name, member)| (mask::redact(name).into_owned(), shown(name, member, key)));
            Json::Object(members.collect())
        }
        Data::Null | Data::Bool(_) | Data::Number | Data::Skipped | Data::Text(_) => HIDDEN.into(),
    }
}

/// Scopes and audiences, item by item.
fn items(name: &str, value: Cursor<'_>) -> Vec<Item> {
    let explain: fn(&str) -> Option<String> = match name {
        "scope" | "scp" => words::scope,
        "aud" => |text| words::audience(text).map(str::to_string),
        _ => return vec![],
    };
    let item = |text: &str| {
        let text = mask::redact(text).into_owned();
        Item { words: explain(&text), text }
    };
    match value.as_str() {
        Some(text) if name == "aud" => vec![item(text)],
        Some(text) => text.split_whitespace().map(item).collect(),
        None => value.items().filter_map(Cursor::as_str).map(item).collect(),
    }
}

fn field<'t, 'd>(target: &'t Target<'d>, name: &str) -> &'t Field<'d> {
    let index = target.kind.fields().iter().position(|spec| spec.name == name);
    target.record.field(index.unwrap_or(usize::MAX))
}

/// Whether the token can be used now, by its own word.
fn validity(target: &Target<'_>, now: i64) -> Validity {
    use ValidityState::{Expired, NeverExpires, NotYetValid, Unknown, Valid};
    let (exp, nbf) = (field(target, "exp"), field(target, "nbf"));
    let lifetime = field(target, "lifetime").as_int();
    let lives = lifetime.map_or_else(String::new, |lifetime| format!("; made to live {}", message::duration(lifetime)));
    let (state, words) = match (&exp.state, exp.as_int(), nbf.as_int()) {
        (_, _, Some(nbf)) if nbf > now => (NotYetValid, format!("not valid yet: begins in {}", words::span(nbf - now))),
        (_, Some(exp), _) if exp > now => (Valid, format!("expires in {}", words::span(exp - now))),
        (_, Some(exp), _) => (Expired, format!("expired {} ago", words::span(exp - now))),
        (State::Absent, ..) => (NeverExpires, "never expires: there is no exp".to_string()),
        (State::Malformed(why) | State::Unknown(why), ..) => (Unknown, format!("end unknown: {why}")),
        (State::Unlimited | State::Value(_), ..) => (Unknown, "end unknown".to_string()),
    };
    Validity { state, words: format!("{words}{lives}"), lifetime }
}
