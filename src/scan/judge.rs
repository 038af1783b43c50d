//! Found tokens as findings: each is judged as a leak, and its claims like those of any token.

use super::find::State;
use super::fingerprint::Fingerprints;
use super::tally::{Place, Seen};
use crate::check::{check_targets, check_token};
use crate::evaluate::Plan;
use crate::model::{Field, Leak, Target, TargetKind, scope::Capability};
use crate::parse::{Data, Document, Syntax, TreeBuilder};
use crate::report::{Finding, Region, Related};
use crate::source::Source;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::Value;
use std::sync::Arc;

/// Says whether a signature is valid; `None` when no key at hand could tell. It is given the encoded token and its `iss`.
pub type Verifier<'v> = dyn Fn(&str, &str) -> Option<bool> + 'v;

/// Makes findings of found tokens.
pub struct Judge<'j> {
    now: i64,
    fingerprints: Fingerprints,
    verifier: Option<&'j Verifier<'j>>,
    /// A document without a text: what leaks say of themselves stands in none.
    nowhere: Document,
}

impl<'j> Judge<'j> {
    /// A judge by this clock (seconds since 1970), who names tokens by these fingerprints and verifies them if asked to.
    pub fn new(now: i64, fingerprints: Fingerprints, verifier: Option<&'j Verifier<'j>>) -> Self {
        let mut builder = TreeBuilder::new();
        builder.leaf(Data::Null, Default::default());
        let nowhere = Arc::new(Source::from_text("", ""));
        let nowhere = Document::new(nowhere, Syntax::Json, builder.finish());
        Judge { now, fingerprints, verifier, nowhere }
    }

    /// What is wrong with one found token, at the place it was found first: that it stands there, then what is wrong with
    /// its claims. Nothing of it shows the token.
    pub fn findings(&self, plan: &Plan, seen: &Seen) -> Vec<Finding> {
        let Some(first) = seen.places.first() else { return vec![] };
        let fingerprint = self.fingerprints.of(seen.digest());
        let outcome = match seen.payload.is_empty() {
            false => check_token(plan, &Arc::new(Source::from_text(&*first.path, readable(seen))), self.now),
            true => Default::default(),
        };
        let purpose = outcome.targets.keys().find(|kind| kind.as_str() != TargetKind::Document.name());
        let signature = self.verify(seen);
        let record = leak(seen, purpose.map_or("token", String::as_str), &fingerprint, signature, self.now);
        let mut target = Target::new(TargetKind::Leak, fingerprint.as_str(), record);
        target.identity = fingerprint;
        let leaked = check_targets(plan, &self.nowhere, &[target], self.now).findings;
        let leaked = leaked.into_iter().map(|finding| {
            let related = seen.places.iter().skip(1).map(also).collect();
            Finding { related, message: finding.message + said(signature), ..finding }
        });
        // What is wrong with the text as a file of tokens is not the question, and of a token without its signature that
        // is missing on purpose.
        let of_token =
            |finding: &Finding| seen.state != State::Redacted && finding.target.kind != TargetKind::Document.name();
        let claims =
            outcome.findings.into_iter().filter(of_token).map(|finding| Finding { related: vec![], ..finding });
        let here = |finding| Finding {
            region: region(first),
            pointer: String::new(),
            path: first.path.to_string(),
            ..finding
        };
        leaked.chain(claims).map(here).collect()
    }

    fn verify(&self, seen: &Seen) -> Option<bool> {
        let (verifier, sealed) = (self.verifier?, seen.sealed.as_ref()?);
        let mut token = super::tally::Sealed::of(encoded(seen, sealed.expose().len()));
        token.push(sealed.expose());
        let issuer = claims(seen).get("iss").and_then(Value::as_str).unwrap_or_default().to_string();
        verifier(token.expose(), &issuer)
    }
}

fn said(signature: Option<bool>) -> &'static str {
    match signature {
        Some(true) => "; its signature is valid",
        Some(false) => "; no key at hand made its signature",
        None => "",
    }
}

fn also(place: &Place) -> Related {
    let (message, path) = ("also here".into(), place.path.to_string());
    Related { message, path, region: region(place), pointer: String::new() }
}

/// Header and payload of a token as its holder would send them, each with a dot behind, and room for a signature.
fn encoded(seen: &Seen, room: usize) -> String {
    let mut text = String::with_capacity((seen.header.len() + seen.payload.len()) / 3 * 4 + room + 12);
    URL_SAFE_NO_PAD.encode_string(&seen.header, &mut text);
    text.push('.');
    URL_SAFE_NO_PAD.encode_string(&seen.payload, &mut text);
    text.push('.');
    text
}

/// A token with as many `A` as its signature has characters.
fn readable(seen: &Seen) -> String {
    let mut text = encoded(seen, seen.signature as usize);
    text.extend(std::iter::repeat_n('A', seen.signature as usize));
    text
}

fn region(place: &Place) -> Region {
    Region {
        start_line: place.line,
        start_column: place.column.saturating_add(1),
        end_line: place.end.0,
        end_column: place.end.1.saturating_add(1),
        byte_offset: place.offset,
        byte_length: u64::from(place.length),
    }
}

/// What a rule may know of a found token.
fn leak(seen: &Seen, purpose: &str, fingerprint: &str, signature: Option<bool>, now: i64) -> Leak<'static> {
    let state = match seen.state {
        State::Whole => "whole",
        State::Unsigned => "unsigned",
        State::Truncated => "truncated",
        State::Redacted => "redacted",
    };
    let number = |number: u64| Field::int(i64::try_from(number).unwrap_or(i64::MAX), None);
    let claims = claims(seen);
    let text = |name: &str| match claims.get(name).and_then(Value::as_str) {
        Some(text) => Field::text(text.to_string(), None),
        None => Field::default(),
    };
    let scopes: Vec<&str> = claims.get("scope").and_then(Value::as_str).unwrap_or_default().split(' ').collect();
    let scopes: Vec<&str> = scopes.into_iter().filter(|scope| !scope.is_empty()).collect();
    let writes = scopes.iter().filter_map(|scope| Capability::parse(scope)).any(Capability::permits_modifying);
    Leak {
        form: Field::text(seen.form.name(), None),
        state: Field::text(state, None),
        purpose: Field::text(purpose.to_string(), None),
        carrier: if seen.carrier.is_empty() { Field::default() } else { Field::text(seen.carrier, None) },
        issuer: text("iss"),
        jti: text("jti"),
        client_id: text("client_id"),
        writes: if scopes.is_empty() { Field::default() } else { Field::bool(writes, None) },
        scopes: match scopes.is_empty() {
            true => Field::default(),
            false => Field::list(scopes.iter().map(|scope| Field::text(scope.to_string(), None)).collect(), None),
        },
        remaining: match (claims.is_null(), claims.get("exp").map(Value::as_i64)) {
            (true, _) => Field::default(),
            (false, None) => Field::unlimited(None),
            (false, Some(Some(exp))) => Field::int(exp.saturating_sub(now), None),
            (false, Some(None)) => Field::unknown("its exp is no whole number", None),
        },
        count: number(seen.count),
        files: number(seen.files),
        fingerprint: Field::text(fingerprint.to_string(), None),
        signature: match signature {
            Some(true) => Field::text("valid", None),
            Some(false) => Field::text("invalid", None),
            None => Field::default(),
        },
    }
}

/// The claims; null when they cannot be read.
fn claims(seen: &Seen) -> Value {
    serde_json::from_slice(&seen.payload).ok().filter(Value::is_object).unwrap_or(Value::Null)
}
