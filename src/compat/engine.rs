//! One token at one service: the steps of the software, one after the other, and what the first that decides says.

use super::admission::Admitted;
use super::form::{self, Parted};
use super::formula::Names;
use super::json::{self, Value};
use super::keys::{self, KeySet, Origin, Proven};
use super::model::{Ignored, Model, Software, Step, evidence_for, fits, version};
use super::raw::{Arithmetic, EvidenceKind, RawEvidence, RawGrants, RawReader, RawScopes, Restricted, ScopePaths};
use super::scopes::{self, Bad, Permission, Right};
use super::service::{OnMissing, Place, Placed, Request, Service, TrustedIssuer};
use crate::report::text;
use schemars::JsonSchema;
use semver::Version;
use serde::Serialize;

/// Longest token that is looked at, in bytes; no service takes one of that size.
const MAX_TOKEN: usize = 4 << 20;
/// Longest claim in a reason, in characters.
const MAX_SHOWN: usize = 60;
/// Rights that are listed in a cell.
const MAX_LISTED: usize = 6;

/// What a service makes of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It is taken, and nothing that is wrong with it was overlooked.
    Accepted,
    /// It is taken although something is wrong with it that the service does not look at.
    Unchecked,
    /// It gives no rights.
    Refused,
    /// It cannot be said from here.
    Unsaid,
}

impl Verdict {
    /// The words of the table.
    pub fn words(self) -> &'static str {
        match self {
            Verdict::Accepted => "accepted",
            Verdict::Unchecked => "accepted without being checked",
            Verdict::Refused => "refused",
            Verdict::Unsaid => "cannot be said",
        }
    }

    /// True when the service takes the token, false when it does not; `None` when that is open.
    pub fn takes(self) -> Option<bool> {
        match self {
            Verdict::Accepted | Verdict::Unchecked => Some(true),
            Verdict::Refused => Some(false),
            Verdict::Unsaid => None,
        }
    }
}

/// A verdict with its reasons.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Cell {
    /// The verdict.
    pub verdict: Verdict,
    /// Why, in one sentence without its full stop.
    pub reason: String,
    /// The step of the model that decided, `software/step`; `null` when all were passed.
    pub step: Option<String>,
    /// How the reason is known, strongest first.
    pub evidence: Vec<RawEvidence>,
    /// The place in the configuration that decided.
    pub config: Option<Place>,
    /// What the token may do there, where the service has a name space or permissions.
    pub rights: Vec<String>,
    /// What is wrong with the token and not looked at.
    pub unchecked: Vec<Note>,
    /// What was taken to be true.
    pub assumed: Vec<String>,
}

/// Something that is wrong and not looked at.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Note {
    /// Its name in the model.
    pub property: String,
    /// The statement.
    pub reason: String,
    /// How it is known.
    pub evidence: Vec<RawEvidence>,
}

/// What is asked.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    /// The token as sent; `None` for a request without one.
    pub token: Option<&'a str>,
    /// Seconds since 1970.
    pub now: f64,
    /// The issuer's keys; without them the signature is taken to be right.
    pub keys: Option<&'a KeySet>,
    /// The service.
    pub service: &'a Service,
    /// What is to be done with the token there.
    pub request: Option<&'a Request>,
}

/// Why a run ended before its end.
struct Stop {
    verdict: Verdict,
    reason: String,
    step: Option<String>,
    evidence: Vec<RawEvidence>,
    config: Option<Place>,
}

/// A run through the steps.
struct Run<'a> {
    model: &'a Model,
    ask: Ask<'a>,
    names: Names,
    header: Value,
    claims: Value,
    parted: Option<Parted<'a>>,
    permissions: Vec<Permission>,
    assumed: Vec<String>,
    /// Software, version and mode of everything that was asked.
    asked: Vec<(&'a Software, String, String)>,
    /// What the configuration says of the token's issuer.
    entry: Option<&'a TrustedIssuer>,
    /// Why the rules of the configuration let the token in.
    admitted: Option<Placed<String>>,
}

/// Judges.
pub fn judge(model: &Model, ask: Ask<'_>) -> Cell {
    let Some(software) = model.named(&ask.service.software) else {
        return ended(stop(Verdict::Unsaid, "the software is not known"), Vec::new());
    };
    if let Some(broken) = &ask.service.refuses_to_start {
        let stopped = Stop { config: broken.place.clone(), ..stop(Verdict::Refused, &broken.value) };
        return ended(stopped, Vec::new());
    }
    let Some(token) = ask.token else {
        return tokenless(software, ask);
    };
    if let Some(closed) = &ask.service.takes_no_tokens {
        let stopped = Stop { config: closed.place.clone(), ..stop(Verdict::Refused, &closed.value) };
        return missing(ask.service, stopped, Vec::new());
    }
    if token.len() > MAX_TOKEN {
        return ended(stop(Verdict::Unsaid, "the token is larger than what is looked at here"), Vec::new());
    }
    let mut run = Run {
        model,
        ask,
        names: Names::new(),
        header: Value::Map(Vec::new()),
        claims: Value::Map(Vec::new()),
        parted: None,
        permissions: Vec::new(),
        assumed: Vec::new(),
        asked: Vec::new(),
        entry: None,
        admitted: None,
    };
    let iss = issuer_of(token);
    let mut issuers = ask.service.issuers.iter().flatten();
    run.entry = issuers.find(|one| Some(&one.issuer.value) == iss.as_ref());
    if let (Some(_), None, Some(open)) = (&iss, run.entry, &ask.service.open_issuer) {
        let why = "whether it trusts the issuer is not known: not all issuers of its configuration are certain";
        return ended(Stop { config: open.place.clone(), ..stop(Verdict::Unsaid, why) }, Vec::new());
    }
    run.outside(token);
    let number = ask.service.version.as_str();
    let mode = run.entry.and_then(|entry| entry.mode.as_ref()).map_or(&ask.service.mode, |mode| &mode.value);
    let outcome = run.steps(software, number, mode, token).and_then(|()| run.admit());
    let outcome = outcome.and_then(|()| run.granted(software, number));
    let cell = match outcome {
        Err(stopped) if stopped.verdict == Verdict::Refused => missing(ask.service, stopped, run.assumed),
        Err(stopped) => ended(stopped, run.assumed),
        Ok(rights) => match unknown_request(software, run.ask.request) {
            None => run.taken(rights),
            Some(unknown) => {
                let taken = run.taken(rights);
                Cell {
                    verdict: Verdict::Unsaid,
                    reason: format!("{unknown}; of the token itself: {}", taken.reason),
                    ..taken
                }
            }
        },
    };
    honest(cell, software, number)
}

/// Only what was run itself may say so: a run of a library inside another software is a reason to conclude.
fn honest(mut cell: Cell, software: &Software, number: &str) -> Cell {
    if software.was_run(number) {
        return cell;
    }
    let read = software.raw.known_by != EvidenceKind::Oracle;
    let other = read && !software.raw.versions.iter().any(|known| known == number);
    let notes = cell.unchecked.iter_mut().flat_map(|note| note.evidence.iter_mut());
    for one in cell.evidence.iter_mut().chain(notes) {
        match one.kind {
            EvidenceKind::Oracle => one.what = format!("its library was run: {}", one.what),
            EvidenceKind::Source if other => one.what = format!("from version {}: {}", software.newest(), one.what),
            EvidenceKind::Source | EvidenceKind::Documentation | EvidenceKind::Issue | EvidenceKind::Inference => {
                continue;
            }
        }
        one.kind = EvidenceKind::Inference;
    }
    cell
}

/// The issuer a token names, read as kindly as can be: it only chooses the entry of the configuration.
fn issuer_of(token: &str) -> Option<String> {
    let kind = json::Dialect {
        duplicates: json::Duplicates::Last,
        trailing: json::Trailing::Anything,
        encoding: json::Encoding::Replaced,
        numbers: json::Numbers::Strtod,
        ..json::Dialect::default()
    };
    let form = form::Form { trim: form::Trim::Both, parts: form::Parts::Rest, base64: form::Base64::SkipsGarbage };
    let claims = json::read(&form::part(token, &form).ok()?.payload, &kind).ok()?;
    let iss = claims.members()?.iter().find(|(name, _)| name == "iss")?.1.as_text()?;
    Some(iss.to_string())
}

fn stop(verdict: Verdict, reason: &str) -> Stop {
    Stop { verdict, reason: reason.into(), step: None, evidence: Vec::new(), config: None }
}

fn ended(stopped: Stop, assumed: Vec<String>) -> Cell {
    Cell {
        verdict: stopped.verdict,
        reason: stopped.reason,
        step: stopped.step,
        evidence: stopped.evidence,
        config: stopped.config,
        rights: Vec::new(),
        unchecked: Vec::new(),
        assumed,
    }
}

/// A request in a sentence.
fn wish(request: &Request) -> String {
    format!("{} of {}", request.operation, text::shortened(&request.path, MAX_SHOWN))
}

/// A request without a token.
fn tokenless(software: &Software, ask: Ask<'_>) -> Cell {
    let (verdict, gives) = match ask.service.on_missing.value {
        OnMissing::Refused | OnMissing::Allowed => {
            return missing(ask.service, stop(Verdict::Refused, "there is no token"), Vec::new());
        }
        OnMissing::Open => (Verdict::Unsaid, "its configuration does not say what requests without a token may do"),
        OnMissing::Reading => (Verdict::Unchecked, "requests without a token may read there"),
        OnMissing::WithoutToken => (Verdict::Unchecked, "everything is permitted to requests without a token"),
    };
    let stopped = match unknown_request(software, ask.request) {
        None => stop(verdict, gives),
        Some(unknown) => stop(Verdict::Unsaid, &format!("{gives}; {unknown}")),
    };
    ended(Stop { config: ask.service.on_missing.place.clone(), ..stopped }, Vec::new())
}

/// Why it is not known whether the software permits the request; `None` when it is.
fn unknown_request(software: &Software, request: Option<&Request>) -> Option<String> {
    let grants = software.raw.grants.as_ref();
    let request = request.filter(|request| {
        !grants.is_some_and(|grants| grants.requests.iter().any(|rule| rule.request == request.operation))
    })?;
    Some(format!("whether it permits {} is not part of what is known of this software", wish(request)))
}

/// A token that gives nothing is as good as none, where the service does not tell them apart.
fn missing(service: &Service, stopped: Stop, assumed: Vec<String>) -> Cell {
    match service.on_missing.value {
        OnMissing::Refused | OnMissing::Open | OnMissing::Reading | OnMissing::WithoutToken => ended(stopped, assumed),
        OnMissing::Allowed => {
            let reason =
                format!("everything is permitted to requests without a usable token; of this one: {}", stopped.reason);
            let config = service.on_missing.place.clone();
            ended(Stop { verdict: Verdict::Unchecked, reason, config, ..stopped }, assumed)
        }
    }
}

fn list(items: impl IntoIterator<Item = String>) -> Value {
    Value::List(items.into_iter().map(Value::Text).collect())
}

fn types_of(value: &Value) -> Value {
    let members = value.members().unwrap_or_default();
    Value::Map(members.iter().map(|(key, value)| (key.clone(), Value::Text(value.type_name().into()))).collect())
}

impl<'a> Run<'a> {
    /// What is known before anything was decoded.
    fn outside(&mut self, token: &str) {
        let service = self.ask.service;
        let audiences = self.audiences().map(|audiences| audiences.value.clone());
        let checked = self.entry.and_then(|entry| entry.audience_checked.as_ref());
        let scopes = service.scopes.as_ref().map(|scopes| scopes.value.clone());
        let issuers = service.issuers.as_ref().map(|issuers| issuers.iter().map(|one| one.issuer.value.clone()));
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'+' | b'/' | b'.');
        let in_header = |b: u8| (0x20..0x7f).contains(&b);
        let bare = token.trim_matches(' ') == token;
        self.names.set("now", &Value::Float(self.ask.now));
        self.names.set("key_origin", &Value::Text("issuer".into()));
        self.names.set("rule_audience", &Value::Null);
        self.names.set(
            "service",
            &Value::Map(vec![
                ("audience_checked".into(), checked.map_or(Value::Null, |checked| Value::Bool(checked.value))),
                ("knows_audiences".into(), Value::Bool(audiences.is_some())),
                ("audiences".into(), list(audiences.unwrap_or_default())),
                ("knows_scopes".into(), Value::Bool(scopes.is_some())),
                ("scopes".into(), list(scopes.unwrap_or_default())),
                ("knows_issuers".into(), Value::Bool(issuers.is_some())),
                ("issuer_addresses".into(), list(issuers.clone().into_iter().flatten().map(|iss| address(&iss)))),
                ("issuers".into(), list(issuers.into_iter().flatten())),
            ]),
        );
        self.names.set(
            "token",
            &Value::Map(vec![
                ("size".into(), Value::Int(token.len() as i64)),
                ("dots".into(), Value::Int(token.matches('.').count() as i64)),
                ("plain".into(), Value::Bool(token.bytes().all(plain))),
                ("fits_header".into(), Value::Bool(token.bytes().all(in_header) && bare)),
            ]),
        );
    }

    /// Audiences for this token: the issuer's entry's, else the service's.
    fn audiences(&self) -> Option<&'a Placed<Vec<String>>> {
        let own = self.entry.and_then(|entry| entry.audiences.as_ref());
        own.or(self.ask.service.audiences.as_ref())
    }

    /// Reads header and claims as this software does.
    fn read(&mut self, reader: &RawReader, token: &'a str) -> Result<(), Stop> {
        let refuse = |what: &str, why: &str| stop(Verdict::Refused, &format!("{what} {why}"));
        let parted = form::part(token, &reader.form).map_err(|why| refuse("the token", why))?;
        self.header = json::read(&parted.header, &reader.json).map_err(|why| refuse("the header", why))?;
        self.claims = json::read(&parted.payload, &reader.json).map_err(|why| refuse("the payload", why))?;
        for (value, what) in [(&self.header, "the header"), (&self.claims, "the payload")] {
            if value.members().is_none() {
                return Err(refuse(what, "is no JSON object"));
            }
        }
        self.parted = Some(parted);
        let audiences: &[Value] = match self.claim("aud") {
            Some(Value::List(items)) => items,
            Some(one @ Value::Text(_)) => std::slice::from_ref(one),
            Some(Value::Null | Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::Map(_)) | None => &[],
        };
        let texts: Vec<String> = audiences.iter().filter_map(|one| one.as_text().map(str::to_string)).collect();
        let all_texts = texts.len() == audiences.len();
        let scope = self.claim("scope").and_then(Value::as_text).unwrap_or_default();
        let scopes: Vec<String> = scope.split(' ').filter(|word| !word.is_empty()).map(str::to_string).collect();
        let at = Value::Map(self.instants(reader));
        let names: Vec<String> = self.claims.members().unwrap_or_default().iter().map(|(key, _)| key.clone()).collect();
        let iss = self.claim("iss").and_then(Value::as_text).map(address).unwrap_or_default();
        self.names.set("claim_names", &list(names));
        self.names.set("iss_address", &Value::Text(iss));
        self.names.set("aud", &list(texts));
        self.names.set("scopes", &list(scopes));
        self.names.set("aud_all_texts", &Value::Bool(all_texts));
        self.names.set("at", &at);
        self.names.set("header", &self.header);
        self.names.set("claims", &self.claims);
        self.names.set("header_types", &types_of(&self.header));
        self.names.set("types", &types_of(&self.claims));
        Ok(())
    }

    fn claim(&self, name: &str) -> Option<&Value> {
        self.claims.members().unwrap_or_default().iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }

    /// `exp`, `nbf` and `iat` in seconds, where the software takes them for times.
    fn instants(&self, reader: &RawReader) -> Vec<(String, Value)> {
        let known = |value: &Value| reader.clock.types.iter().any(|name| name == value.type_name());
        let time = |value: &Value| match value {
            Value::Int(number) => Some(seconds(Number::Int(*number), reader.clock.arithmetic, self.ask.now)),
            Value::Float(number) => Some(seconds(Number::Float(*number), reader.clock.arithmetic, self.ask.now)),
            Value::Text(text) => {
                let number = text.trim().parse::<i64>().ok()?;
                Some(seconds(Number::Int(number), reader.clock.arithmetic, self.ask.now))
            }
            Value::Null | Value::Bool(_) | Value::List(_) | Value::Map(_) => None,
        };
        let claims = ["exp", "nbf", "iat"];
        let found = claims.iter().filter_map(|name| Some((name, self.claim(name).filter(|value| known(value))?)));
        found.filter_map(|(name, value)| Some((name.to_string(), Value::Float(time(value)?)))).collect()
    }

    /// Everything the software looks at, in its order.
    fn steps(&mut self, software: &'a Software, number: &str, mode: &str, token: &'a str) -> Result<(), Stop> {
        let version = version(number).unwrap_or(Version::new(0, 0, 0));
        self.names.set("mode", &Value::Text(mode.into()));
        self.asked.push((software, number.to_string(), mode.to_string()));
        let reader = software.raw.reader.iter().find(|reader| fits(reader.versions.as_ref(), &version));
        if let Some(reader) = reader.and_then(|reader| self.model.reader(&reader.reader)) {
            self.read(reader, token).map_err(|stopped| {
                let evidence = evidence_for(&reader.evidence, software, number);
                let verdict = if reader.cautious { Verdict::Unsaid } else { stopped.verdict };
                Stop { verdict, step: Some(format!("{}/read", reader.reader)), evidence, ..stopped }
            })?;
            let members = self.header.members().unwrap_or_default();
            if reader.cautious && members.iter().any(|(key, _)| key == "crit") {
                return Err(stop(Verdict::Unsaid, "what it does with `crit` was not looked at"));
            }
        }
        for step in &software.steps {
            let raw = &step.raw;
            let asked = raw.modes.is_empty() || raw.modes.iter().any(|known| known == mode);
            if !asked || !fits(raw.versions.as_ref(), &version) {
                continue;
            }
            match &raw.part {
                None => self.step(software, number, step)?,
                Some(part) => {
                    self.part(software, part, &version, raw.mode.as_deref().unwrap_or_default(), token)?;
                    self.names.set("mode", &Value::Text(mode.into()));
                }
            }
        }
        match &software.raw.scopes {
            Some(scopes) if scopes.modes.is_empty() || scopes.modes.iter().any(|known| known == mode) => {
                self.scopes(software, scopes, number, &version)
            }
            Some(_) | None => Ok(()),
        }
    }

    /// One thing it looks at.
    fn step(&mut self, software: &Software, number: &str, step: &Step) -> Result<(), Stop> {
        let raw = &step.raw;
        let decided = |verdict, reason: String| Stop {
            verdict,
            reason,
            step: Some(format!("{}/{}", software.raw.software, raw.id)),
            evidence: evidence_for(&raw.evidence, software, number),
            config: None,
        };
        // A condition that cannot be evaluated is a gap of the model, never a verdict.
        let gap = |defect: String| decided(Verdict::Unsaid, format!("the model has a gap: {defect}"));
        match (&raw.key, &raw.name, &step.formula) {
            (Some(key), _, _) => {
                let Some(parted) = &self.parted else { return Ok(()) };
                let origin = match keys::prove(key, self.ask.keys, &self.header, parted) {
                    Proven::By(origin) => origin,
                    Proven::Assumed => {
                        self.assumed.push("its signature is right".into());
                        Origin::Issuer
                    }
                    Proven::Refused(why) => return Err(decided(Verdict::Refused, format!("the token {why}"))),
                    Proven::Unsure(why) => return Err(decided(Verdict::Unsaid, format!("the token {why}"))),
                };
                self.names.set("key_origin", &Value::Text(origin.name().into()));
            }
            (None, Some(name), Some(formula)) => {
                let text = formula.text(&self.names).map_err(gap)?;
                self.names.set(name, &Value::Text(text));
            }
            (None, None, Some(formula)) if formula.holds(&self.names).map_err(gap)? => {
                let verdict = if raw.refuse.is_some() { Verdict::Refused } else { Verdict::Unsaid };
                let config = self.deciding(&raw.id);
                return Err(Stop { config, ..decided(verdict, self.filled(&raw.reason)) });
            }
            (None, _, Some(_) | None) => {}
        }
        Ok(())
    }

    /// Runs a library that the software carries.
    fn part(&mut self, of: &'a Software, name: &str, at: &Version, mode: &str, token: &'a str) -> Result<(), Stop> {
        let given = self.ask.service.parts.iter().find(|(part, _)| part == name).map(|(_, number)| number.clone());
        let known = || of.raw.parts.iter().find(|part| part.software == name && fits(part.versions.as_ref(), at));
        let number = given.or_else(|| known().map(|part| part.version.clone()));
        let library = self.model.named(name);
        let (Some(number), Some(library)) = (number, library) else {
            let reason = format!("which version of {name} it carries is not known; name it (…+{name}@VERSION)");
            return Err(stop(Verdict::Unsaid, &reason));
        };
        self.steps(library, &number, mode, token)
    }

    /// The line of the configuration that a step is about.
    fn deciding(&self, step: &str) -> Option<Place> {
        let audiences = || self.audiences().and_then(|one| one.place.clone());
        let checked = || self.entry?.audience_checked.as_ref()?.place.clone();
        match step {
            step if step.starts_with("aud") || step.starts_with("any-aud") => checked().or_else(audiences),
            step if step.starts_with("scope") && self.ask.service.scopes.is_some() => {
                self.ask.service.scopes.as_ref().and_then(|one| one.place.clone())
            }
            step if step.starts_with("iss") => self.ask.service.issuers_place.clone(),
            // What a profile demands is decided where the profile is chosen.
            _ => {
                let entry = self.entry?;
                entry.mode.as_ref()?.place.clone().or_else(|| entry.issuer.place.clone())
            }
        }
    }

    /// Puts claims and settings into a reason.
    fn filled(&self, reason: &str) -> String {
        let mut out = String::new();
        let mut rest = reason;
        while let Some((before, behind)) = rest.split_once('{') {
            let Some((name, after)) = behind.split_once('}') else { break };
            out.push_str(before);
            out.push_str(&self.value_of(name));
            rest = after;
        }
        out + rest
    }

    fn value_of(&self, name: &str) -> String {
        let header = name.strip_prefix("header.").and_then(|name| {
            self.header.members().unwrap_or_default().iter().find(|(key, _)| key == name).map(|(_, value)| value)
        });
        let audiences = || self.audiences().map(|audiences| audiences.value.join(" "));
        let scopes = || self.ask.service.scopes.as_ref().map(|scopes| scopes.value.join(" "));
        let set =
            |words: Option<String>| text::shortened(&words.filter(|all| !all.is_empty()).unwrap_or("none".into()), 200);
        match (name, header.or_else(|| self.claim(name))) {
            ("audiences", _) => set(audiences()),
            ("scopes", _) => set(scopes()),
            (_, Some(value)) => text::shortened(&shown(value), MAX_SHOWN),
            (_, None) => "absent".into(),
        }
    }

    /// The scope claim as permissions.
    fn scopes(&mut self, of: &Software, raw: &RawScopes, number: &str, at: &Version) -> Result<(), Stop> {
        let Some(claim) = self.claim("scope").and_then(Value::as_text).map(str::to_string) else { return Ok(()) };
        let reading = raw.paths.iter().find(|paths| fits(paths.versions.as_ref(), at));
        let how = reading.map_or(ScopePaths::Strict, |paths| paths.paths);
        let ends = |verdict, reason: String| Stop {
            verdict,
            reason,
            step: Some(format!("{}/scope-path", of.raw.software)),
            evidence: evidence_for(reading.map_or(&[], |paths| paths.evidence.as_slice()), of, number),
            config: None,
        };
        let translates = match &of.translate_when {
            Some(when) => when.holds(&self.names).map_err(|defect| ends(Verdict::Unsaid, defect))?,
            None => false,
        };
        let mut seen: Vec<String> = Vec::new();
        for scope in scopes::split(&claim) {
            let (name, path) = scope.split_once(':').unwrap_or((scope, "/"));
            let path = scopes::normalised(path, how).map_err(|bad| {
                let scope = text::shortened(scope, MAX_SHOWN);
                match bad {
                    Bad::Refused => ends(Verdict::Refused, format!("scope `{scope}` has a path that is not allowed")),
                    Bad::Crash => ends(
                        Verdict::Refused,
                        format!("scope `{scope}` leads above the root, which ends the whole process"),
                    ),
                }
            })?;
            let rule = raw.translate.iter().find(|rule| translates && rule.scope == name);
            let names: &[String] = rule.map_or(&[], |rule| rule.to.as_slice());
            let path = rule.and_then(|rule| rule.path.clone()).unwrap_or(path);
            match rule {
                None => self.permissions.push(Permission { name: name.into(), path }),
                Some(_) => self
                    .permissions
                    .extend(names.iter().map(|name| Permission { name: name.clone(), path: path.clone() })),
            }
            seen.push(name.to_string());
        }
        for rule in raw.together.iter().filter(|_| translates) {
            if rule.scopes.iter().all(|scope| seen.contains(scope)) {
                self.permissions.push(Permission { name: rule.to.clone(), path: rule.path.clone() });
            }
        }
        Ok(())
    }

    /// What the rules of the configuration make of the token.
    fn admit(&mut self) -> Result<(), Stop> {
        let Some(admission) = &self.ask.service.admission else { return Ok(()) };
        let ends = |verdict, why: Placed<String>| Stop { config: why.place, ..stop(verdict, &why.value) };
        match admission.of_token(&self.claims) {
            Admitted::Yes { why, audience } => {
                self.names.set("rule_audience", &Value::Bool(audience));
                self.admitted = Some(why);
            }
            Admitted::No(why) => return Err(ends(Verdict::Refused, why)),
            Admitted::Open(why) => return Err(ends(Verdict::Unsaid, why)),
        }
        Ok(())
    }

    /// The configuration of the token's issuer.
    fn trusted(&self) -> Option<TrustedIssuer> {
        let iss = self.claim("iss").and_then(Value::as_text)?;
        match &self.ask.service.issuers {
            Some(issuers) => issuers.iter().find(|one| one.issuer.value == iss).cloned(),
            None => Some(TrustedIssuer::everywhere(iss)),
        }
    }

    /// Rights on a service with a name space, and whether the request is among them.
    fn granted(&self, software: &Software, number: &str) -> Result<Vec<String>, Stop> {
        let Some(grants) = &software.raw.grants else {
            let shown = self.permissions.iter().map(|one| format!("{}:{}", one.name, one.path));
            return Ok(listed(shown.collect()));
        };
        let version = version(number).unwrap_or(Version::new(0, 0, 0));
        let ends = |reason: String, config: Option<Place>, evidence: &[RawEvidence]| Stop {
            verdict: Verdict::Refused,
            reason,
            step: Some(format!("{}/rights", software.raw.software)),
            evidence: evidence_for(evidence, software, number),
            config,
        };
        let Some(issuer) = self.trusted() else {
            return Err(ends("its issuer is not configured there".into(), self.ask.service.issuers_place.clone(), &[]));
        };
        if !issuer.capabilities.value {
            let reason = "the configuration takes nothing from scopes for this issuer".to_string();
            return Err(ends(reason, issuer.capabilities.place.clone(), &[]));
        }
        let limits = grants.restricted.iter().find(|one| fits(one.versions.as_ref(), &version));
        let gives: Vec<_> = grants.gives.iter().filter(|one| fits(one.versions.as_ref(), &version)).collect();
        let rights = scopes::rights(
            &self.permissions,
            &gives,
            &issuer.base_paths.value,
            &issuer.restricted_paths.value,
            limits.map_or(Restricted::Narrowed, |limits| limits.restricted),
        );
        let matching = grants.paths.iter().find(|one| fits(one.versions.as_ref(), &version));
        let evidence = matching.map_or(&[][..], |matching| matching.evidence.as_slice());
        let place = issuer.restricted_paths.place.clone().or_else(|| issuer.base_paths.place.clone());
        match self.ask.request {
            None if rights.is_empty() => Err(ends("it is valid, and gives no right there".into(), place, evidence)),
            None => Ok(listed(summary(&rights))),
            Some(_) if unknown_request(software, self.ask.request).is_some() => Ok(listed(summary(&rights))),
            Some(request) if permits(grants, matching, &rights, request) => Ok(listed(summary(&rights))),
            Some(request) => {
                let rights = match summary(&rights).as_slice() {
                    [] => "nothing".to_string(),
                    some => listed(some.to_vec()).join("; "),
                };
                let wish = wish(request);
                Err(ends(format!("it is valid, and does not permit {wish}: it permits {rights}"), place, evidence))
            }
        }
    }

    /// A token that came through.
    fn taken(mut self, rights: Vec<String>) -> Cell {
        let mut unchecked = Vec::new();
        let mut asked = std::mem::take(&mut self.asked);
        for (software, number, mode) in &asked {
            self.names.set("mode", &Value::Text(mode.clone()));
            let version = version(number).unwrap_or(Version::new(0, 0, 0));
            let counts = |one: &&Ignored| {
                fits(one.raw.versions.as_ref(), &version) && (one.raw.modes.is_empty() || one.raw.modes.contains(mode))
            };
            self.ignored(software.ignores.iter().filter(counts), software, number, &mut unchecked);
        }
        if let Some((software, number, _)) = asked.drain(..).next() {
            self.ignored(self.model.everywhere.iter(), software, &number, &mut unchecked);
        }
        let service = self.ask.service;
        let software = self.model.named(&service.software);
        let verdict = if unchecked.is_empty() { Verdict::Accepted } else { Verdict::Unchecked };
        let reason = match (unchecked.first(), &self.admitted) {
            (None, None) => "every check is passed".to_string(),
            (None, Some(why)) => why.value.clone(),
            (Some(note), None) => note.reason.clone(),
            (Some(note), Some(why)) => format!("{}; {}", note.reason, why.value),
        };
        let evidence = match (unchecked.first(), software) {
            (Some(note), _) => note.evidence.clone(),
            (None, Some(software)) => vec![passed(software, &service.version)],
            (None, None) => Vec::new(),
        };
        let config = unchecked.first().and_then(|note| self.deciding(&note.property));
        let config = config.or(self.admitted.and_then(|why| why.place));
        Cell { verdict, reason, step: None, evidence, config, rights, unchecked, assumed: self.assumed }
    }

    /// What is wrong with the token and not looked at.
    fn ignored<'i>(
        &self,
        properties: impl Iterator<Item = &'i Ignored>,
        software: &Software,
        number: &str,
        unchecked: &mut Vec<Note>,
    ) {
        for ignored in properties {
            // An expression that does not fit this token says nothing about it.
            if ignored.when.holds(&self.names) == Ok(true) {
                let evidence = evidence_for(&ignored.raw.evidence, software, number);
                let (property, reason) = (ignored.raw.id.clone(), self.filled(&ignored.raw.reason));
                unchecked.push(Note { property, reason, evidence });
            }
        }
    }
}

/// What supports that a token passes.
fn passed(software: &Software, number: &str) -> RawEvidence {
    let (kind, what) = match (software.was_run(number), software.raw.known_by) {
        (true, _) => (EvidenceKind::Oracle, "tokens of this kind were accepted".to_string()),
        (false, EvidenceKind::Oracle) => {
            (EvidenceKind::Inference, format!("from versions {}", software.raw.versions.join(" and ")))
        }
        (false, read) => (read, "every step that is known from it is passed".to_string()),
    };
    RawEvidence { kind, what, versions: None }
}

/// Where a URL leads: scheme and host in lower case, the digits of the port, no slashes at the end, nothing behind `?` or
/// `#`. What a client would resolve or refuse (user names, dots) stays as it is.
fn address(url: &str) -> String {
    let url = url.trim_end().split(['?', '#']).next().unwrap_or_default();
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let host = match host.rsplit_once(':') {
        Some((name, port)) => {
            let digits: String = port.chars().take_while(char::is_ascii_digit).collect();
            format!("{name}:{digits}")
        }
        None => host.to_string(),
    };
    format!("{}://{}{}", scheme.to_ascii_lowercase(), host.to_ascii_lowercase(), path.trim_end_matches('/'))
}

/// A number before the arithmetic of a clock.
#[derive(Clone, Copy)]
enum Number {
    Int(i64),
    Float(f64),
}

/// Seconds as the clock has them, such that comparing them with `now` gives what the software's comparison gives.
fn seconds(number: Number, arithmetic: Arithmetic, now: f64) -> f64 {
    match (arithmetic, number) {
        (Arithmetic::Exact, Number::Int(number)) => number as f64,
        (Arithmetic::Exact, Number::Float(number)) => number,
        (Arithmetic::Nanoseconds, number) => {
            let whole = match number {
                Number::Int(number) => number,
                // What no 64 bits hold becomes the smallest number on the processors these run on.
                Number::Float(number) if number.is_nan() || number.abs() >= 9.3e18 => i64::MIN,
                Number::Float(number) => number.round() as i64,
            };
            whole.wrapping_mul(1_000_000_000) as f64 / 1e9
        }
        (Arithmetic::Int32, number) => {
            let cut = match number {
                Number::Int(number) => i32::try_from(number).unwrap_or(i32::MIN),
                Number::Float(number) if number.is_nan() || number.abs() >= 2_147_483_648.0 => i32::MIN,
                Number::Float(number) => number as i32,
            };
            now + f64::from((i64::from(cut) - now as i64) as i32)
        }
    }
}

fn permits(
    grants: &RawGrants,
    matching: Option<&super::raw::RawMatching>,
    rights: &[Right],
    request: &Request,
) -> bool {
    let Some(rule) = grants.requests.iter().find(|rule| rule.request == request.operation) else { return false };
    let how = matching.map_or(super::raw::Matching::Components, |matching| matching.matching);
    let has = |operation: &String| rights.iter().any(|right| scopes::covers(right, operation, &request.path, how));
    rule.needs.iter().any(|all| all.iter().all(has))
}

/// Rights by path: `read, list, stat of /data`.
fn summary(rights: &[Right]) -> Vec<String> {
    let mut paths: Vec<(&str, Vec<&str>)> = Vec::new();
    for right in rights {
        let full = paths.len() > MAX_LISTED;
        match paths.iter_mut().find(|(path, _)| *path == right.path) {
            None if full => break,
            None => paths.push((&right.path, vec![&right.operation])),
            Some((_, operations)) if operations.contains(&right.operation.as_str()) => {}
            Some((_, operations)) => operations.push(&right.operation),
        }
    }
    paths.iter().map(|(path, operations)| format!("{} of {path}", operations.join(", "))).collect()
}

/// A list that is not too long to read, with nothing unsafe in it.
fn listed(mut items: Vec<String>) -> Vec<String> {
    let more = items.len().saturating_sub(MAX_LISTED);
    items.truncate(MAX_LISTED);
    let mut items: Vec<String> = items.iter().map(|item| text::shortened(item, 120)).collect();
    if more > 0 {
        items.push("…".into());
    }
    items
}

/// A claim for a reason.
fn shown(value: &Value) -> String {
    match value {
        Value::Null => "null".into(),
        Value::Bool(value) => value.to_string(),
        Value::Int(number) => number.to_string(),
        Value::Float(number) => number.to_string(),
        Value::Text(text) => format!("\"{text}\""),
        Value::List(items) => {
            let shown: Vec<String> = items.iter().take(4).map(shown).collect();
            format!("[{}{}]", shown.join(", "), if items.len() > 4 { ", …" } else { "" })
        }
        Value::Map(_) => "an object".into(),
    }
}
