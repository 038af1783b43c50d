//! Found tokens as findings: each is judged as a leak, and its claims like those of any token.

use super::find::State;
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

/// Other places that a finding names.
const SHOWN: usize = 5;

/// What is wrong with one found token, at the place it was found first. Nothing of it shows the token.
pub fn findings(plan: &Plan, seen: &Seen, now: i64) -> Vec<Finding> {
    let Some(first) = seen.places.first() else { return vec![] };
    let outcome = match seen.payload.is_empty() {
        false => check_token(plan, &Arc::new(Source::from_text(&*first.path, readable(seen))), now),
        true => Default::default(),
    };
    let purpose = outcome.targets.keys().find(|kind| kind.as_str() != TargetKind::Document.name()).cloned();
    let record = leak(seen, purpose.unwrap_or_else(|| "token".into()), now);
    let mut builder = TreeBuilder::new();
    builder.leaf(Data::Null, Default::default());
    let nowhere = Arc::new(Source::from_text(&*first.path, ""));
    let document = Document::new(nowhere, Syntax::Json, builder.finish());
    let mut target = Target::new(TargetKind::Leak, seen.fingerprint(), record);
    target.identity = seen.fingerprint();
    let leaked = check_targets(plan, &document, &[target], now).findings;
    let related = seen.places.iter().skip(1).take(SHOWN).map(|place| Related {
        message: "also here".into(),
        path: place.path.to_string(),
        region: region(place),
        pointer: String::new(),
    });
    let related: Vec<Related> = related.collect();
    let leaked = leaked.into_iter().map(|finding| Finding { related: related.clone(), ..finding });
    // What is wrong with the text as a file of tokens is not the question, and of a token without its signature that is
    // missing on purpose.
    let of_token =
        |finding: &Finding| seen.state != State::Redacted && finding.target.kind != TargetKind::Document.name();
    let claims = outcome.findings.into_iter().filter(of_token);
    let all = leaked.chain(claims.map(|finding| Finding { related: vec![], ..finding }));
    all.map(|finding| Finding {
        region: region(first),
        pointer: String::new(),
        path: first.path.to_string(),
        ..finding
    })
    .collect()
}

/// Header and payload of a token as its holder would send them, with as many `A` as its signature has characters.
fn readable(seen: &Seen) -> String {
    let mut text =
        String::with_capacity((seen.header.len() + seen.payload.len()) / 3 * 4 + seen.signature as usize + 8);
    URL_SAFE_NO_PAD.encode_string(&seen.header, &mut text);
    text.push('.');
    URL_SAFE_NO_PAD.encode_string(&seen.payload, &mut text);
    text.push('.');
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
fn leak(seen: &Seen, purpose: String, now: i64) -> Leak<'static> {
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
        purpose: Field::text(purpose, None),
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
        fingerprint: Field::text(seen.fingerprint(), None),
    }
}

/// The claims; null when they cannot be read.
fn claims(seen: &Seen) -> Value {
    serde_json::from_slice(&seen.payload).ok().filter(Value::is_object).unwrap_or(Value::Null)
}
