//! What is known of the token that an incident is about: from the token itself, from what is left of it, from its decoded
//! claims, or from what somebody was told.

use super::macaroon::Macaroon;
use crate::inspect::{self, Bound, PowerView, TokenView, ValidityState};
use crate::model::url;
use crate::scan::find::{Form, State};
use crate::scan::fingerprint::Fingerprints;
use crate::scan::tally::{Seen, Standing};
use crate::source::{Source, mask};
use crate::trace::read::body;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use schemars::JsonSchema;
use secrecy::SecretString;
use serde::Serialize;
use serde_json::Value as Json;
use std::sync::Arc;

/// Longest value that is kept of a claim, in characters.
const LONGEST: usize = 500;
/// Items that are kept of a list.
const MOST: usize = 100;
/// What stands for a signature where none is at hand: as long as one of ES256.
const FILLER: usize = 86;

/// What identifies a token; each may be unknown.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Identity {
    /// Who issued it.
    pub issuer: Option<String>,
    /// Its subject.
    pub subject: Option<String>,
    /// The client that got it.
    pub client: Option<String>,
    /// Its identifier. That of an unsigned refresh token is the secret itself and never given.
    pub jti: Option<String>,
}

impl Identity {
    /// Takes over what is not known yet.
    pub fn learn(&mut self, other: &Identity) {
        let pairs = [
            (&mut self.issuer, &other.issuer),
            (&mut self.subject, &other.subject),
            (&mut self.client, &other.client),
            (&mut self.jti, &other.jti),
        ];
        for (own, other) in pairs {
            if own.is_none() {
                own.clone_from(other);
            }
        }
    }

    /// Does another one say all of this? `None` when it says nothing else, but not all.
    pub fn fits(&self, other: &Identity) -> Option<bool> {
        let issuer = |text: &Option<String>| text.as_deref().map(url::issuer_form);
        let pairs = [
            (issuer(&self.issuer), issuer(&other.issuer)),
            (self.subject.clone(), other.subject.clone()),
            (self.client.clone(), other.client.clone()),
            (self.jti.clone(), other.jti.clone()),
        ];
        let asked = pairs.into_iter().filter_map(|(own, other)| Some((own?, other)));
        let said: Vec<Option<bool>> = asked.map(|(own, other)| other.map(|other| other == own)).collect();
        match () {
            () if said.contains(&Some(false)) => Some(false),
            () if said.contains(&None) => None,
            () => Some(true),
        }
    }

    /// True when nothing is known.
    pub fn is_empty(&self) -> bool {
        *self == Identity::default()
    }
}

/// Where the knowledge comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// The whole token: whoever read it can use it.
    WholeToken,
    /// A token that never had a signature.
    UnsignedToken,
    /// A token whose end is missing.
    CutToken,
    /// A token whose signature was taken away.
    RedactedToken,
    /// Decoded claims.
    Claims,
    /// What somebody was told: issuer, subject, client or jti.
    Told,
}

impl Origin {
    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Origin::WholeToken => "the whole token: whoever read this can use it",
            Origin::UnsignedToken => "the whole token (it never had a signature): whoever read this can use it",
            Origin::CutToken => "a token whose end is missing",
            Origin::RedactedToken => "a token without its signature",
            Origin::Claims => "decoded claims, not the token",
            Origin::Told => "what was given on the command line, not the token",
        }
    }
}

/// Where a token was found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct FoundAt {
    /// The file.
    pub path: String,
    /// The line, from 1.
    pub line: u64,
}

/// When it ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum End {
    /// Then, in seconds since 1970.
    At(i64),
    /// Never: it has no end.
    Never,
    /// That is not known.
    #[default]
    Unknown,
}

/// What an incident is about. Nothing of it can be used as a token.
#[derive(Clone, Debug)]
pub struct Suspect {
    /// What identifies it.
    pub identity: Identity,
    /// What it is: `access-token`, `refresh-token`, `macaroon`, …; `token` when that is not known.
    pub kind: String,
    /// What says so.
    pub kind_because: String,
    /// Where the knowledge comes from.
    pub origin: Origin,
    /// Its fingerprint, as a scan shows it; `None` without the whole token.
    pub fingerprint: Option<String>,
    /// The fingerprint of what is left of it. It finds nothing but what was cut in the same way.
    pub rest: Option<String>,
    /// What it has in common with the whole token, where that can be read.
    pub(crate) body: Option<[u8; 32]>,
    /// Its places: the first ones.
    pub places: Vec<FoundAt>,
    /// How often it was found, and in how many files.
    pub count: (u64, u64),
    /// The name it stood under: `authz`, `bearer`, …; empty without.
    pub carrier: String,
    /// Audiences; empty when it names none. Only meaningful when `claims_known`.
    pub audiences: Vec<String>,
    /// Scopes, likewise.
    pub scopes: Vec<String>,
    /// Groups, likewise.
    pub groups: Vec<String>,
    /// True when its claims could be read.
    pub claims_known: bool,
    /// When it began to be valid (`nbf`, else `iat`), in seconds since 1970.
    pub begin: Option<i64>,
    /// When it ends.
    pub end: End,
    /// False when `nbf` lies in the future.
    pub begun: bool,
    /// What its scopes allow.
    pub powers: Vec<PowerView>,
    /// Limits of a macaroon, and the service that made it.
    pub macaroon: Option<Macaroon>,
    /// What services would be sent, with something in place of its signature.
    pub compact: Option<SecretString>,
    /// How urgent it is.
    pub standing: Standing,
}

impl Suspect {
    /// Nothing is known but what was told.
    pub fn told(identity: Identity) -> Self {
        Suspect {
            identity,
            kind: "token".into(),
            kind_because: "only identifiers were given".into(),
            origin: Origin::Told,
            fingerprint: None,
            rest: None,
            body: None,
            places: Vec::new(),
            count: (0, 0),
            carrier: String::new(),
            audiences: Vec::new(),
            scopes: Vec::new(),
            groups: Vec::new(),
            claims_known: false,
            begin: None,
            end: End::Unknown,
            begun: true,
            powers: Vec::new(),
            macaroon: None,
            compact: None,
            standing: Standing::Opaque,
        }
    }

    /// A token that was found in a text.
    pub fn found(seen: &Seen, fingerprints: &Fingerprints, macaroon: Option<Macaroon>, now: i64) -> Self {
        let (header, payload) = seen.parts();
        let unsigned = seen.state == State::Unsigned;
        let filler = if unsigned { 0 } else { FILLER };
        let view = (!payload.is_empty()).then(|| {
            let encoded = format!("{}.{}.", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
            encoded + &"A".repeat(filler)
        });
        let mut suspect = match view {
            Some(compact) => Suspect::read(compact, now),
            None => Suspect::told(Identity::default()),
        };
        suspect.origin = match seen.state {
            State::Whole => Origin::WholeToken,
            State::Unsigned => Origin::UnsignedToken,
            State::Truncated => Origin::CutToken,
            State::Redacted => Origin::RedactedToken,
        };
        // Who knows the identifier of such a token can write the token.
        suspect.identity.jti = suspect.identity.jti.filter(|_| !unsigned);
        let print = Some(fingerprints.of(seen.digest()));
        match seen.state {
            State::Whole | State::Unsigned => suspect.fingerprint = print,
            State::Truncated | State::Redacted => {
                let json = |part: &[u8]| serde_json::from_slice::<Json>(part).unwrap_or_default();
                suspect.rest = print;
                suspect.body = body(&json(header), &json(payload));
            }
        }
        let place =
            |place: &crate::scan::tally::Place| FoundAt { path: place.path.to_string(), line: place.line.into() };
        suspect.places = seen.places.iter().map(place).collect();
        suspect.count = (seen.count, seen.files);
        suspect.carrier = seen.carrier.into();
        suspect.standing = seen.standing;
        if !suspect.claims_known {
            suspect.opaque(seen.form, seen.state);
        }
        if let Some(macaroon) = macaroon {
            suspect.end = macaroon.end().map_or(End::Unknown, End::At);
            suspect.standing = match suspect.end {
                End::At(end) if end <= now => Standing::Expired,
                End::At(_) | End::Never | End::Unknown => suspect.standing,
            };
            suspect.macaroon = Some(macaroon);
        }
        suspect
    }

    /// What cannot be read, by its form.
    fn opaque(&mut self, form: Form, state: State) {
        let (kind, because) = match (form, state) {
            (Form::Jwt, State::Truncated) => ("token", "what is left of it cannot be read"),
            (Form::Jwt, State::Whole | State::Unsigned | State::Redacted) => ("token", "its claims cannot be read"),
            (Form::Jwe, _) => ("encrypted-token", "it is encrypted: only its issuer and the service can read it"),
            (Form::Macaroon, _) => ("macaroon", "the form of a macaroon, which a storage made for its own use"),
            (Form::Eos, _) => ("eos-token", "the form of EOS's own tokens; `eos token --token` on the MGM shows it"),
            (Form::Envelope, _) => ("alice-envelope", "the form of ALICE's envelopes"),
        };
        (self.kind, self.kind_because) = (kind.into(), because.into());
    }

    /// Decoded claims, with or without their header; `None` when this is no object of claims.
    pub fn claims(json: &Json, now: i64) -> Option<Self> {
        let object = json.as_object()?;
        let member = |name: &str| object.get(name).filter(|value| value.is_object());
        let payload = member("payload").or(member("claims"));
        let known = |object: &Json| ["iss", "sub", "jti", "exp", "scope"].iter().any(|name| object.get(name).is_some());
        let claims = payload.unwrap_or(json);
        if !known(claims) {
            return None;
        }
        let fallback = serde_json::json!({ "alg": "RS256" });
        let header = payload.and(member("header")).unwrap_or(&fallback);
        let part = |json: &Json| URL_SAFE_NO_PAD.encode(json.to_string());
        let compact = format!("{}.{}.{}", part(header), part(claims), "A".repeat(FILLER));
        let mut suspect = Suspect::read(compact, now);
        suspect.origin = Origin::Claims;
        suspect.standing = match suspect.end {
            End::At(end) if end <= now => Standing::Expired,
            End::At(_) | End::Never | End::Unknown => Standing::Usable,
        };
        suspect.claims_known.then_some(suspect)
    }

    /// Reads the claims of a compact form.
    fn read(compact: String, now: i64) -> Self {
        let source = Arc::new(Source::from_text("", compact.as_str()));
        let mut suspect = Suspect::told(Identity::default());
        let Some(view) = inspect::unjudged(&source, now) else { return suspect };
        suspect.kind = view.kind.clone();
        suspect.kind_because = view.evidence.clone();
        suspect.claims_known = true;
        suspect.identity = identity(&view);
        let kept = |list: &[String]| list.iter().take(MOST).map(|item| shortened(item)).collect::<Vec<_>>();
        suspect.audiences = kept(&view.facts.audiences);
        suspect.scopes = kept(&view.facts.scopes);
        suspect.groups = kept(&view.facts.groups);
        suspect.end = match view.facts.end {
            Bound::Known(end) => End::At(end),
            // Of a refresh token only the issuer knows.
            Bound::Never if suspect.renews() => End::Unknown,
            Bound::Never => End::Never,
            Bound::Unknown => End::Unknown,
        };
        suspect.begin = number(&view, "nbf").or_else(|| number(&view, "iat"));
        suspect.begun = view.validity.as_ref().is_none_or(|validity| validity.state != ValidityState::NotYetValid);
        suspect.powers = view.powers;
        // A refresh token never goes to a service.
        suspect.compact = (suspect.kind != "refresh-token").then(|| compact.into());
        suspect
    }

    /// Does a scan show it, or what is left of it, by this fingerprint?
    pub fn is_shown_as(&self, print: &str) -> bool {
        [&self.fingerprint, &self.rest].into_iter().flatten().any(|own| own == print)
    }

    /// Is it of the kinds that get other tokens?
    pub fn renews(&self) -> bool {
        matches!(self.kind.as_str(), "refresh-token" | "registration-token")
    }

    /// Has it ended for certain?
    pub fn has_expired(&self, now: i64) -> bool {
        matches!(self.end, End::At(end) if end <= now)
    }
}

/// A value without what is secret, as it is: whoever shows it escapes it.
fn shortened(value: &str) -> String {
    mask::redact(value).chars().take(LONGEST).collect()
}

fn claim<'v>(view: &'v TokenView, name: &str) -> Option<&'v Json> {
    // Of several with one name the last, as most readers take it.
    view.payload.iter().rfind(|claim| claim.name == name).map(|claim| &claim.value)
}

fn number(view: &TokenView, name: &str) -> Option<i64> {
    claim(view, name).and_then(Json::as_i64)
}

fn identity(view: &TokenView) -> Identity {
    // What is hidden is all asterisks, and no value.
    let shown = |text: &&str| !text.is_empty() && !text.chars().all(|c| c == mask::MASK);
    let text = |name: &str| claim(view, name).and_then(Json::as_str).filter(shown).map(shortened);
    Identity {
        issuer: text("iss"),
        subject: text("sub"),
        client: text("client_id").or_else(|| text("azp")),
        jti: text("jti"),
    }
}
