//! The services of a policy: would this one take the token, what can it refuse tokens by, how long does that take.
//!
//! What a service is configured to trust comes from the same targets that rules and `compat` read; whether a token passes is what
//! `compat` says. Nothing is read a second way here, and what these do not know stays unknown.

use super::book::{Book, Values};
use super::raw::{Can, Handle, Part, RawAct, RawHandle, RawProduct, Verifies};
use super::suspect::{FoundAt, Suspect};
use crate::adapt::Sink;
use crate::compat::{Ask, Cell, Model, Place, Row, Service, Verdict, judge, said};
use crate::discover;
use crate::model::{Target, TargetKind, url};
use crate::parse::{Document, NodeId};
use crate::source::Source;
use schemars::JsonSchema;
use secrecy::ExposeSecret;
use serde::Serialize;
use std::sync::Arc;

/// A service as the policy declares it, with its files.
#[derive(Clone, Debug, Default)]
pub struct Declared {
    /// What people call it.
    pub name: String,
    /// The software.
    pub product: String,
    /// Its version, when the policy says.
    pub version: Option<String>,
    /// Its configuration files.
    pub files: Vec<Arc<Source>>,
    /// Its logs, as the policy lists them.
    pub logs: Vec<String>,
    /// How long they are kept, in seconds.
    pub retention: Option<i64>,
    /// Whom to call.
    pub contact: Option<String>,
}

/// Would a service take the token?
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Takes {
    /// It would.
    Yes,
    /// That is not known.
    Unknown,
    /// It would not.
    No,
}

impl Takes {
    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Takes::Yes => "takes it",
            Takes::Unknown => "not known whether it takes it",
            Takes::No => "refuses it",
        }
    }
}

/// Something to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Act {
    /// The file that lines belong to; null for commands and words.
    pub file: Option<String>,
    /// Lines of that file.
    pub lines: Vec<String>,
    /// Commands of a shell.
    pub shell: Vec<String>,
    /// Where, and with which rights.
    pub on: Option<String>,
    /// What to do, in words.
    pub text: Option<String>,
}

impl Act {
    /// With values in place of names.
    pub fn of(raw: &RawAct, values: &Values) -> Act {
        let fill = |list: &[String]| list.iter().map(|line| values.fill(line)).collect();
        let one = |text: &Option<String>| text.as_deref().map(|text| values.fill(text));
        Act {
            file: one(&raw.file),
            lines: fill(&raw.lines),
            shell: fill(&raw.shell),
            on: one(&raw.on),
            text: one(&raw.text),
        }
    }
}

/// A handle that a service can refuse tokens by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct HandlePart {
    /// The handle.
    pub handle: Handle,
    /// Whether this service can, as far as its configuration and public documentation say.
    pub can: Can,
    /// By what, or why not.
    pub why: String,
    /// What else it hits.
    pub hits: Option<String>,
    /// True when it hits every token of the VO.
    pub whole_vo: bool,
    /// Whether what it needs is set up there: true, false, or null when the files do not show it or nothing is needed.
    pub ready: Option<bool>,
    /// What must hold that was not checked.
    pub needs: Option<String>,
    /// What sets it up, where it is not.
    pub setup: Vec<Act>,
    /// What to do.
    pub act: Vec<Act>,
    /// Seconds until it works; null when not known.
    pub effect: Option<i64>,
    /// Why that long.
    pub effect_why: Option<String>,
    /// Where it is stated.
    pub sources: Vec<String>,
}

/// One way by which the token stops working at a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Way {
    /// What is done or awaited.
    pub what: String,
    /// Seconds until the service refuses the token, at the most; null when not known.
    pub seconds: Option<i64>,
    /// What says so.
    pub source: String,
}

/// A service in the incident.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ServicePart {
    /// What people call it.
    pub name: String,
    /// The software.
    pub product: String,
    /// Would it take the token?
    pub takes: Takes,
    /// Why.
    pub reason: String,
    /// The place in the configuration that decided.
    pub place: Option<FoundAt>,
    /// How that is known.
    pub known_by: Option<String>,
    /// What the token may do there, where the service has a name space.
    pub rights: Vec<String>,
    /// Does it ask the issuer about a token?
    pub verifies: Verifies,
    /// How it checks tokens.
    pub verifies_why: String,
    /// What it can refuse tokens by, narrowest first. Empty for software of which nothing is known here.
    pub handles: Vec<HandlePart>,
    /// The narrowest handle that can be used now; null when there is none.
    pub narrowest: Option<Handle>,
    /// True when nothing that leaves the rest of the VO alone can be enforced; null when that is not known.
    pub only_whole_vo: Option<bool>,
    /// The ways by which the token stops working there.
    pub ways: Vec<Way>,
    /// The shortest of them that is known, as its place in `ways`.
    pub shortest: Option<usize>,
    /// Its logs, as the policy lists them.
    pub logs: Vec<String>,
    /// How long they are kept, in seconds; null when the policy does not say.
    pub retention: Option<i64>,
    /// Whom to call; null when the policy does not say.
    pub contact: Option<String>,
    /// What is worth keeping there.
    pub evidence: Vec<String>,
}

/// What a service's files say.
#[derive(Default)]
struct Files {
    services: Vec<Row>,
    trusts: Vec<Row>,
    mappings: Vec<Row>,
}

impl Sink for Files {
    fn target(&mut self, documents: &[&Document], target: Target<'_>) {
        let list = match target.kind {
            TargetKind::Service => &mut self.services,
            TargetKind::Trust => &mut self.trusts,
            TargetKind::Mapping => &mut self.mappings,
            _ => return,
        };
        list.push(Row::of(documents, &target));
    }

    fn secret(&mut self, _: &Document, _: NodeId) {}

    fn error(&mut self, _: &Document, _: NodeId, _: String) {}

    fn paging(&mut self, _: NodeId, _: i64, _: (NodeId, i64)) {}

    fn secrets_expected(&mut self) {}
}

impl Files {
    fn read(source: &Arc<Source>) -> Files {
        let mut files = Files::default();
        for (document, known) in &discover::recognise(source).documents {
            if let Some((adapter, kind)) = known {
                adapter.adapt(document, kind, &mut files);
            }
        }
        files
    }

    fn add(&mut self, other: Files) {
        self.services.extend(other.services);
        self.trusts.extend(other.trusts);
        self.mappings.extend(other.mappings);
    }

    /// What it says of an issuer.
    fn trust(&self, issuer: Option<&str>) -> Option<&Row> {
        let issuer = issuer?;
        self.trusts.iter().find(|row| row.first("issuer").as_deref() == Some(issuer))
    }

    /// The first value of a field that some row shows: of the issuer's entry, else of the service.
    fn number(&self, issuer: Option<&str>, name: &str) -> Option<(i64, Option<Place>)> {
        let rows = self.trust(issuer).into_iter().chain(&self.services);
        let known = rows.filter(|row| row.has(name)).map(|row| row.get(name)).filter(|known| !known.absent);
        known.filter_map(|known| Some((known.texts?.first()?.parse().ok()?, known.place))).next()
    }

    /// A yes or no of the service.
    fn says(&self, name: &str) -> Option<bool> {
        said(&self.services, name)
    }
}

fn found_at(place: &Place) -> FoundAt {
    FoundAt { path: place.path.clone(), line: place.line as u64 }
}

/// The answer to "would it take this token?".
struct Answer {
    takes: Takes,
    reason: String,
    place: Option<FoundAt>,
    known_by: Option<String>,
    rights: Vec<String>,
}

impl Answer {
    fn new(takes: Takes, reason: impl Into<String>) -> Self {
        Answer { takes, reason: reason.into(), place: None, known_by: None, rights: Vec::new() }
    }
}

/// Looks at one service.
pub fn look(
    book: &Book,
    model: &Model,
    declared: &Declared,
    suspect: &Suspect,
    values: &Values,
    now: i64,
) -> ServicePart {
    let mut files = Files::default();
    let mut configured: Option<Service> = None;
    for source in &declared.files {
        let own = Files::read(source);
        if let Some(one) = service(model, declared, source, &own) {
            configured = Some(merged(configured, one));
        }
        files.add(own);
    }
    let product = book.find(&declared.product, Part::Service);
    let issuer = suspect.identity.issuer.as_deref();
    let answer = match product {
        Some(product) if !product.takes_tokens => Answer::new(Takes::No, "it is a client and takes no tokens"),
        _ => answer(model, declared, configured.as_ref(), &files, suspect, now),
    };
    let alias = files.trust(issuer).and_then(|row| row.first("alias"));
    let values = Values { alias: alias.or(values.alias.clone()), ..values.clone() };
    let handles = product.map_or_else(Vec::new, |product| {
        product.handles.iter().map(|raw| handle(raw, &files, issuer, &values)).collect()
    });
    let usable = |part: &&HandlePart| part.can == Can::Enforceable && is_known(part.handle, suspect);
    let narrowest = handles.iter().find(usable).map(|part| part.handle);
    let ways = ways(product, &handles, narrowest, &files, suspect, now);
    let known = ways.iter().enumerate().filter_map(|(at, way)| Some((way.seconds?, at)));
    ServicePart {
        name: declared.name.clone(),
        product: declared.product.clone(),
        takes: answer.takes,
        reason: answer.reason,
        place: answer.place,
        known_by: answer.known_by,
        rights: answer.rights,
        verifies: product.and_then(|product| product.verifies).unwrap_or(Verifies::Unknown),
        verifies_why: match product.and_then(|product| product.verifies_why.clone()) {
            Some(why) => why,
            None => "nothing is known here of this software".into(),
        },
        only_whole_vo: only_whole_vo(&handles),
        narrowest,
        shortest: known.min().map(|(_, at)| at),
        ways,
        handles,
        logs: declared.logs.clone(),
        retention: declared.retention,
        contact: declared.contact.clone(),
        evidence: product.map_or_else(Vec::new, |product| product.evidence.clone()),
    }
}

/// What `compat` reads of one file; `None` for files that say nothing of trust.
fn service(model: &Model, declared: &Declared, source: &Arc<Source>, own: &Files) -> Option<Service> {
    let name = match &declared.version {
        Some(version) => format!("{}@{version}", declared.product),
        None => declared.product.clone(),
    };
    let service = Service::parse(&name, model).or_else(|_| Service::parse(&declared.product, model)).ok()?;
    let audiences = own.services.iter().any(|row| !row.get("audiences").absent);
    // Of XRootD every file would be taken for the one that lists issuers.
    let speaks = !own.trusts.is_empty() || (audiences && service.software != "xrootd");
    let service = speaks.then(|| service.configured(source, None).ok()).flatten()?;
    // The rules of all files are looked at together.
    Some(Service { admission: None, ..service })
}

/// Two files of one service.
fn merged(before: Option<Service>, more: Service) -> Service {
    let Some(mut service) = before else { return more };
    match (&mut service.issuers, more.issuers) {
        (Some(own), Some(more)) => own.extend(more),
        (own @ None, more) => *own = more,
        (Some(_), None) => {}
    }
    service.audiences = service.audiences.or(more.audiences);
    service.open_issuer = service.open_issuer.or(more.open_issuer);
    service.scopes = service.scopes.or(more.scopes);
    service.issuers_place = service.issuers_place.or(more.issuers_place);
    service.refuses_to_start = service.refuses_to_start.or(more.refuses_to_start);
    // What takes no tokens by one file may take them by another.
    service.takes_no_tokens = service.takes_no_tokens.filter(|_| more.takes_no_tokens.is_some());
    if more.on_missing.value > service.on_missing.value {
        service.on_missing = more.on_missing;
    }
    service
}

fn answer(
    model: &Model,
    declared: &Declared,
    configured: Option<&Service>,
    files: &Files,
    suspect: &Suspect,
    now: i64,
) -> Answer {
    if suspect.renews() {
        return Answer::new(Takes::No, "such a token goes to its issuer only; what it gets there, services take");
    }
    if files.says("tokens") == Some(false) {
        return Answer::new(Takes::No, "its configuration takes no tokens");
    }
    if matches!(suspect.kind.as_str(), "macaroon" | "eos-token" | "alice-envelope") {
        return Answer::new(Takes::Unknown, "only the service that made it can tell");
    }
    if model.find(&declared.product).is_none() {
        return Answer::new(Takes::Unknown, "what this software makes of tokens is not known here");
    }
    let plain = Service::parse(&declared.product, model).ok();
    let Some(service) = configured.or(plain.as_ref()) else {
        return Answer::new(Takes::Unknown, "what this software makes of tokens is not known here");
    };
    let Some(token) = suspect.compact.as_ref().map(ExposeSecret::expose_secret) else {
        return by_issuer(service, files, suspect);
    };
    let cell = judge(model, Ask { token: Some(token), now: now as f64, keys: None, service, request: None });
    let takes = match cell.verdict {
        Verdict::Accepted | Verdict::Unchecked => Takes::Yes,
        Verdict::Refused => Takes::No,
        Verdict::Unsaid => Takes::Unknown,
    };
    let answered = of_cell(takes, cell);
    match (takes, &service.issuers) {
        (Takes::Yes, None) => doubted(answered, declared, files, suspect),
        _ => answered,
    }
}

fn of_cell(takes: Takes, cell: Cell) -> Answer {
    let known_by = cell.evidence.first().map(|one| format!("{}: {}", one.kind.meaning(), one.what));
    let place = cell.config.as_ref().map(found_at);
    let mut reason = cell.reason;
    // What was not looked at is the reason already, where it is one thing.
    for note in cell.unchecked.iter().filter(|note| !reason.contains(&note.reason)).collect::<Vec<_>>() {
        reason = format!("{reason}; {}", note.reason);
    }
    Answer { takes, reason, place, known_by, rights: cell.rights }
}

/// The token is in order, and whether the service trusts its issuer was not asked: map files decide, or nothing was read.
fn doubted(answered: Answer, declared: &Declared, files: &Files, suspect: &Suspect) -> Answer {
    let issuer = suspect.identity.issuer.as_deref().unwrap_or_default();
    if files.says("any_issuer") == Some(true) {
        return Answer { reason: format!("any issuer is trusted; {}", answered.reason), ..answered };
    }
    if files.mappings.is_empty() {
        let reason = match declared.files.is_empty() {
            true => {
                "the token is in order; whom this service trusts is not known: the policy lists no file that was found"
            }
            false => "the token is in order; whom this service trusts stands in no file that was read",
        };
        return Answer { reason: reason.into(), takes: Takes::Unknown, ..answered };
    }
    let rows = files.mappings.iter().filter(|row| row.first("active").as_deref() != Some("false"));
    let mut open = false;
    for row in rows {
        let known = row.get("issuer");
        let banning = row.first("bans").as_deref() == Some("true");
        match known.texts.as_ref().and_then(|texts| texts.first()) {
            Some(one) if url::same_issuer(one, issuer) => {
                let place = known.place.as_ref().map(found_at).or(answered.place.clone());
                // A line may ask for more than the issuer.
                let narrow = !row.get("subject").absent && row.get("subject").texts.is_some();
                return match (banning, narrow) {
                    (false, false) => Answer { reason: "its map file names the issuer".into(), place, ..answered },
                    (false, true) => Answer {
                        reason: "its map file names the issuer for some subjects; whether for this one is not known"
                            .into(),
                        place,
                        takes: Takes::Unknown,
                        ..answered
                    },
                    (true, _) => Answer {
                        reason: "its map file bans tokens of this issuer; whether this one is not known".into(),
                        place,
                        takes: Takes::Unknown,
                        ..answered
                    },
                };
            }
            // Unlimited or unknown: it may match.
            None if !known.absent => open = true,
            None | Some(_) => {}
        }
    }
    match open {
        true => {
            Answer { reason: "a line of its map file may match any issuer".into(), takes: Takes::Unknown, ..answered }
        }
        false => Answer {
            reason: "no line of its map file names the issuer".into(),
            takes: Takes::No,
            rights: Vec::new(),
            ..answered
        },
    }
}

/// Without claims: all that can be said is whether the issuer is trusted.
fn by_issuer(service: &Service, files: &Files, suspect: &Suspect) -> Answer {
    let Some(issuer) = suspect.identity.issuer.as_deref() else {
        return Answer::new(Takes::Unknown, "the issuer is not known");
    };
    let Some(issuers) = &service.issuers else {
        let reason = match files.says("any_issuer") {
            Some(true) => "any issuer is trusted; audience and scopes are not known",
            Some(false) | None => "whom this service trusts is not known",
        };
        return Answer::new(Takes::Unknown, reason);
    };
    match issuers.iter().find(|one| one.issuer.value == issuer) {
        Some(one) => {
            let place = one.issuer.place.as_ref().map(found_at);
            Answer { place, ..Answer::new(Takes::Unknown, "it trusts the issuer; audience and scopes are not known") }
        }
        None => {
            let place = service.issuers_place.as_ref().map(found_at);
            Answer { place, ..Answer::new(Takes::No, "it does not trust the issuer") }
        }
    }
}

/// One handle at this very service.
fn handle(raw: &RawHandle, files: &Files, issuer: Option<&str>, values: &Values) -> HandlePart {
    let (mut can, mut why) = (raw.can, raw.why.clone());
    if let Some(when) = &raw.when {
        let known = files.trust(issuer).map(|row| row.get(&when.field));
        let holds = match &known {
            // The product's default holds everything.
            None => None,
            Some(known) if known.absent => Some(true),
            Some(known) => known.texts.as_ref().map(|all| all.iter().any(|one| one.eq_ignore_ascii_case(&when.lacks))),
        };
        match holds {
            Some(false) => {}
            Some(true) => {
                can = Can::Impossible;
                why = raw.otherwise.clone().unwrap_or(why);
            }
            None => {
                can = Can::Unknown;
                why = format!("only {why}; whether that is so here was not seen");
            }
        }
    }
    // All tokens of the issuer may have one account.
    let shared = files.trust(issuer).and_then(|row| row.first("account")).filter(|_| raw.handle == Handle::Account);
    let hits = match &shared {
        Some(account) => Some(format!("every token of this issuer: all of them are mapped to {account}")),
        None => raw.hits.clone(),
    };
    let ready = if raw.hook { files.says("ban_hook") } else { None };
    let acts = |list: &[RawAct]| list.iter().map(|act| Act::of(act, values)).collect();
    let used = can == Can::Enforceable;
    HandlePart {
        handle: raw.handle,
        can,
        why,
        hits: hits.filter(|_| used),
        whole_vo: shared.is_some() || !raw.handle.selects(),
        ready: ready.filter(|_| used),
        needs: raw.needs.clone().filter(|_| used),
        setup: if used && ready != Some(true) { acts(&raw.setup) } else { Vec::new() },
        act: if used { acts(&raw.act) } else { Vec::new() },
        effect: raw.effect.filter(|_| used),
        effect_why: raw.effect_why.clone().filter(|_| used),
        sources: raw.sources.clone(),
    }
}

/// Is the value known that a handle needs? Accounts stand in the service's own log.
fn is_known(handle: Handle, suspect: &Suspect) -> bool {
    match handle {
        Handle::Jti => suspect.identity.jti.is_some(),
        Handle::Sub => suspect.identity.subject.is_some(),
        Handle::Client => suspect.identity.client.is_some(),
        Handle::Group => !suspect.groups.is_empty(),
        Handle::Account | Handle::Path | Handle::Key => true,
        Handle::Issuer => suspect.identity.issuer.is_some(),
    }
}

/// Is there nothing narrower than the VO?
fn only_whole_vo(handles: &[HandlePart]) -> Option<bool> {
    let narrow = || handles.iter().filter(|part| !part.whole_vo).map(|part| part.can);
    match () {
        () if handles.is_empty() => None,
        () if narrow().any(|can| can == Can::Enforceable) => Some(false),
        () if narrow().any(|can| can == Can::Unknown) => None,
        () => Some(true),
    }
}

/// The ways by which the token stops working there: its end, the narrowest ban, the issuer, its keys.
fn ways(
    product: Option<&RawProduct>,
    handles: &[HandlePart],
    narrowest: Option<Handle>,
    files: &Files,
    suspect: &Suspect,
    now: i64,
) -> Vec<Way> {
    let mut ways = vec![super::page::expiry(suspect, now)];
    let mut banned = Vec::new();
    banned.extend(narrowest);
    banned.push(Handle::Issuer);
    banned.dedup();
    for part in handles.iter().filter(|part| banned.contains(&part.handle) && part.can == Can::Enforceable) {
        let ready = part.ready != Some(false);
        let why = part.effect_why.clone();
        ways.push(Way {
            what: match part.handle {
                Handle::Path => "the service limits where tokens of the issuer work".into(),
                handle => format!("the service refuses the {}", handle.words()),
            },
            seconds: part.effect.filter(|_| ready),
            source: match (ready, why) {
                (false, _) => "what it needs is not set up there".into(),
                (true, Some(why)) => why,
                (true, None) => "how long it takes is not known".into(),
            },
        });
    }
    let issuer = suspect.identity.issuer.as_deref();
    let keys = product.and_then(|product| product.keys.as_ref());
    let configured = files.number(issuer, "key_cache");
    let (seconds, source) = match (configured, keys) {
        (Some((seconds, Some(place))), _) => (Some(seconds), format!("{}:{}", place.path, place.line)),
        (Some((seconds, None)), Some(keys)) => (Some(seconds), keys.why.clone()),
        (Some((seconds, None)), None) => (Some(seconds), "what the software does when nothing is set".into()),
        (None, Some(keys)) => (keys.seconds, keys.why.clone()),
        (None, None) => (None, "nothing is known here of this software".into()),
    };
    ways.push(Way { what: "the issuer withdraws its key, which ends all of its tokens".into(), seconds, source });
    ways
}
