//! The page as a value: everything that is known, in the order in which it is needed.

use super::book::{Book, Values};
use super::others::{Elsewhere, Snapshot};
use super::raw::{Handle, Needs, RawStep, Verifies};
use super::service::{self, Act, Declared, ServicePart, Takes, Way};
use super::suspect::{End, FoundAt, Identity, Origin, Suspect};
use super::text as broadcast;
use crate::compat::Model;
use crate::inspect::{self, PowerView};
use crate::model::scope::Capability;
use crate::model::url;
use crate::policy::{Workflow, Workflows};
use crate::profile::Registry;
use crate::report::Tool;
use crate::rule::message;
use crate::shell;
use crate::trace::answers::{Answers, Verdict};
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeSet;

/// Version of the json output; grows when a member changes its meaning or goes away, not when one is added.
pub const SCHEMA_VERSION: &str = "1";

/// What `tokenvet incident --format json` writes.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(title = "tokenvet incident")]
pub struct Page {
    /// Version of this format, `1`.
    pub schema_version: &'static str,
    /// The program that wrote it.
    pub tool: Tool<'static>,
    /// The clock (RFC 3339, UTC).
    pub now: String,
    /// The incidents, the most urgent first.
    pub incidents: Vec<Incident>,
    /// Fingerprints of further tokens in the input that have no page, because there are too many.
    pub beyond: Vec<String>,
    /// What was left out or could not be read.
    pub notes: Vec<String>,
}

/// One token.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Incident {
    /// What it is about.
    pub facts: Facts,
    /// How long the token can be used.
    pub time: TimeLeft,
    /// What a thief can do with it.
    pub power: PowerPart,
    /// The services of the policy: those that take the token first.
    pub services: Vec<ServicePart>,
    /// What logs and registrations say of it, of its subject and of its client.
    pub elsewhere: Elsewhere,
    /// Who stops when something is banned, in sentences.
    pub who_stops: Vec<String>,
    /// Whether it can be revoked, and what that does not stop.
    pub revocation: Revocation,
    /// How long it takes until no service takes it any more.
    pub neutralise: Neutralise,
    /// What to do, in order.
    pub steps: Vec<Step>,
    /// Whom to call.
    pub contacts: Vec<Contact>,
    /// What to keep.
    pub evidence: Evidence,
    /// A text for a mailing list.
    pub broadcast: Broadcast,
    /// What is not known and would matter.
    pub unknown: Vec<String>,
}

/// What identifies the token.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Facts {
    /// What it is: `access-token`, `refresh-token`, `macaroon`, …; `token` when that is not known.
    pub kind: String,
    /// What says so.
    pub kind_because: String,
    /// Where this knowledge comes from.
    pub origin: Origin,
    /// Twelve digits by which `scan` and `trace` show it; null without the whole token.
    pub fingerprint: Option<String>,
    /// The same of what is left of it, by which only what was cut in the same way is found; null where that is all of it, or
    /// nothing.
    pub fingerprint_of_rest: Option<String>,
    /// Issuer, subject, client, identifier.
    pub identity: Identity,
    /// The registered issuer's name, its VO and class; null for one that the registry does not know.
    pub known_issuer: Option<KnownIssuer>,
    /// A registered issuer whose host name this one nearly has: perhaps a forgery.
    pub issuer_near: Option<String>,
    /// The issuer's product, where it is known.
    pub issuer_product: Option<String>,
    /// True when its claims could be read; else audiences, scopes and groups say nothing.
    pub claims_known: bool,
    /// Audiences.
    pub audiences: Vec<String>,
    /// Scopes.
    pub scopes: Vec<String>,
    /// Groups.
    pub groups: Vec<String>,
    /// Where it was found.
    pub places: Vec<FoundAt>,
    /// How often.
    pub count: u64,
    /// In how many files.
    pub files: u64,
    /// The name it stood under (`authz`, `bearer`, …).
    pub carrier: Option<String>,
}

/// An issuer of the registry.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct KnownIssuer {
    /// Its name.
    pub name: String,
    /// The VO it serves.
    pub vo: Option<String>,
    /// `production`, `test`, `development`, `demo` or `retired`.
    pub class: String,
}

/// The cases of [`TimeLeft`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TimeState {
    /// It can be used.
    Valid,
    /// It can be used later.
    NotYetValid,
    /// It has ended.
    Expired,
    /// It has no end.
    NeverExpires,
    /// That is not known.
    Unknown,
}

/// How long it can be used.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct TimeLeft {
    /// The case.
    pub state: TimeState,
    /// Since when (RFC 3339); null when not known.
    pub from: Option<String>,
    /// Until when (RFC 3339); null when not known, or never.
    pub until: Option<String>,
    /// Seconds left; negative for expired ones, null when not known, or never.
    pub seconds: Option<i64>,
    /// In words.
    pub words: String,
}

/// What a thief can do.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct PowerPart {
    /// In one sentence without its full stop.
    pub summary: String,
    /// Scope by scope, the strongest first; limits of a macaroon.
    pub details: Vec<String>,
    /// What its scopes allow, by the release that a service implements.
    pub powers: Vec<PowerView>,
}

/// Revoking it.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Revocation {
    /// What the issuer can do, and what that does not stop.
    pub words: Vec<String>,
    /// Services that take it or may, and never ask the issuer.
    pub offline: Vec<String>,
}

/// How long it takes.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Neutralise {
    /// Seconds until every service that takes it, or may, refuses it, each by its shortest way; null when not known.
    pub seconds: Option<i64>,
    /// In words, with what it rests on.
    pub words: String,
}

/// One step.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Step {
    /// Its number, from 1.
    pub number: usize,
    /// What to do, as a sentence without its full stop.
    pub what: String,
    /// Where: a service, or the issuer.
    pub place: Option<String>,
    /// What to know before.
    pub cautions: Vec<String>,
    /// How.
    pub acts: Vec<Act>,
    /// Where it is stated that this works.
    pub sources: Vec<String>,
}

/// Somebody to call.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Contact {
    /// For what.
    pub who: String,
    /// The contact; null when it is not known.
    pub contact: Option<String>,
    /// Where it stands, or where it could.
    pub source: String,
}

/// What to keep.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Evidence {
    /// From when the token could be used (RFC 3339); null when not known, and when it cannot be used yet.
    pub from: Option<String>,
    /// Until when: its end, or now.
    pub to: String,
    /// By service and issuer.
    pub items: Vec<EvidenceItem>,
    /// Commands that find what the logs hold.
    pub commands: Vec<String>,
}

/// What to keep of one service, or of the issuer.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct EvidenceItem {
    /// The service, or the issuer.
    pub place: String,
    /// Logs, as the policy lists them.
    pub logs: Vec<String>,
    /// How long they are kept, in seconds; null when not known.
    pub retention: Option<i64>,
    /// When the first of what is needed is deleted (RFC 3339); null when not known.
    pub deleted_from: Option<String>,
    /// Does its log name tokens by jti; null when it is not known here.
    pub names_jti: Option<bool>,
    /// What else.
    pub what: Vec<String>,
}

/// A text for others.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Broadcast {
    /// Its Traffic Light Protocol mark (FIRST, TLP 2.0).
    pub tlp: String,
    /// The subject of the mail.
    pub subject: String,
    /// The text: plain ASCII, lines of at most 72 characters but for long values. It holds no part of the token that could be used.
    pub text: String,
}

/// An issuer as the policy declares it.
#[derive(Clone, Debug, Default)]
pub struct DeclaredIssuer {
    /// Its identifier.
    pub issuer: String,
    /// Its product, when the policy says.
    pub product: Option<String>,
    /// Whom to call.
    pub contact: Option<String>,
}

/// What is known beside the token.
#[derive(Clone, Copy)]
pub struct Site<'s> {
    /// What products can do.
    pub book: &'s Book,
    /// What software makes of tokens.
    pub model: &'s Model,
    /// Known issuers.
    pub registry: &'s Registry,
    /// Services of the policy.
    pub services: &'s [Declared],
    /// Issuers of the policy.
    pub issuers: &'s [DeclaredIssuer],
    /// What snapshots and exports say.
    pub snapshot: &'s Snapshot,
    /// Workflows of the policy.
    pub workflows: &'s Workflows,
    /// What the services' logs hold.
    pub answers: Option<&'s Answers>,
    /// The policy file, for commands; `None` without one.
    pub policy: Option<&'s str>,
    /// The mark of the broadcast.
    pub tlp: Tlp,
    /// The clock, in seconds since 1970.
    pub now: i64,
}

/// Marks of the Traffic Light Protocol 2.0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum Tlp {
    /// For the recipients only
    Red,
    /// For the recipients' organisations
    AmberStrict,
    /// For the recipients' organisations and those they serve
    #[default]
    Amber,
    /// For the community
    Green,
    /// For everybody
    Clear,
}

impl Tlp {
    /// As it is written.
    pub fn mark(self) -> &'static str {
        match self {
            Tlp::Red => "TLP:RED",
            Tlp::AmberStrict => "TLP:AMBER+STRICT",
            Tlp::Amber => "TLP:AMBER",
            Tlp::Green => "TLP:GREEN",
            Tlp::Clear => "TLP:CLEAR",
        }
    }
}

fn date(seconds: i64) -> String {
    message::time(seconds)
}

/// How long a token lasts by its own word.
pub(super) fn expiry(suspect: &Suspect, now: i64) -> Way {
    let (seconds, source) = match suspect.end {
        End::At(end) => (Some((end - now).max(0)), "the token's own end"),
        End::Never => (None, "the token has no end"),
        End::Unknown => (None, "when the token ends is not known"),
    };
    Way { what: "the token expires".into(), seconds, source: source.into() }
}

/// Puts together what is known of one token.
pub fn incident(site: &Site<'_>, mut suspect: Suspect, mut elsewhere: Elsewhere) -> Incident {
    suspect.identity.learn(&elsewhere.learned);
    suspect.fingerprint =
        suspect.fingerprint.or_else(|| elsewhere.whole.as_ref().map(|whole| whole.fingerprint.clone()));
    let issuer = suspect.identity.issuer.clone();
    let declared = issuer.as_deref().and_then(|iss| {
        let same = |one: &&DeclaredIssuer| url::same_issuer(&one.issuer, iss);
        site.issuers.iter().find(same)
    });
    let shown = issuer.as_deref().and_then(|iss| site.snapshot.product(iss));
    let product = declared.and_then(|one| one.product.as_deref()).or(shown);
    if let Some(client) = suspect.identity.client.as_deref() {
        elsewhere.registrations = site.snapshot.registrations(client, issuer.as_deref());
        elsewhere.workflows = workflows(site.workflows, client, issuer.as_deref());
    }
    elsewhere.registrations_read = !site.snapshot.clients.is_empty();
    let product = product.or_else(|| elsewhere.registrations.iter().find_map(|one| one.product.as_deref()));
    let product = product.map(str::to_string);
    let values = Values {
        iss: issuer.clone(),
        sub: suspect.identity.subject.clone(),
        client: suspect.identity.client.clone(),
        jti: suspect.identity.jti.clone(),
        alias: None,
        revocation: issuer.as_deref().and_then(|iss| site.snapshot.revocation(iss)).map(str::to_string),
    };
    let look = |one| service::look(site.book, site.model, one, &suspect, &values, site.now);
    let mut services: Vec<ServicePart> = site.services.iter().map(look).collect();
    services.sort_by_key(|part| part.takes);
    let facts = facts(site, &suspect, product.clone());
    let time = time_left(&suspect, site.now);
    let power = power(&suspect, &elsewhere);
    let mut incident = Incident {
        who_stops: who_stops(&suspect, &elsewhere),
        revocation: revocation(site, &suspect, &services, product.as_deref()),
        neutralise: neutralise(&suspect, &services, site.now),
        steps: Vec::new(),
        contacts: contacts(&suspect, &services, &elsewhere, declared),
        evidence: evidence(site, &suspect, &services, product.as_deref()),
        broadcast: Broadcast { tlp: site.tlp.mark().into(), subject: String::new(), text: String::new() },
        unknown: unknown(site, &suspect, &services, &elsewhere, product.is_some()),
        facts,
        time,
        power,
        services,
        elsewhere,
    };
    incident.steps = steps(site, &suspect, &incident, &values, product.as_deref());
    incident.broadcast = broadcast::text(&incident, site.tlp, site.now);
    incident
}

fn facts(site: &Site<'_>, suspect: &Suspect, product: Option<String>) -> Facts {
    let issuer = suspect.identity.issuer.as_deref();
    let known = issuer.and_then(|iss| site.registry.find(iss));
    Facts {
        kind: suspect.kind.clone(),
        kind_because: suspect.kind_because.clone(),
        origin: suspect.origin,
        fingerprint: suspect.fingerprint.clone(),
        fingerprint_of_rest: suspect.rest.clone(),
        identity: suspect.identity.clone(),
        known_issuer: known.map(|known| KnownIssuer {
            name: known.name.clone(),
            vo: known.vo.clone(),
            class: known.class.name().into(),
        }),
        issuer_near: issuer.and_then(|iss| site.registry.near_miss(iss)).map(|near| near.issuer.clone()),
        issuer_product: product,
        claims_known: suspect.claims_known,
        audiences: suspect.audiences.clone(),
        scopes: suspect.scopes.clone(),
        groups: suspect.groups.clone(),
        places: suspect.places.clone(),
        count: suspect.count.0,
        files: suspect.count.1,
        carrier: Some(suspect.carrier.clone()).filter(|carrier| !carrier.is_empty()),
    }
}

fn time_left(suspect: &Suspect, now: i64) -> TimeLeft {
    let from = suspect.begin.map(date);
    let (state, until, seconds, words) = match suspect.end {
        End::At(end) if end <= now => {
            let words = format!("expired {} ago, at {}", inspect::span(now - end), date(end));
            (TimeState::Expired, Some(date(end)), Some(end - now), words)
        }
        End::At(end) if !suspect.begun => {
            let words = format!("not valid yet: from {} until {}", from.clone().unwrap_or_default(), date(end));
            (TimeState::NotYetValid, Some(date(end)), Some(end - now), words)
        }
        End::At(end) => {
            let words = format!("still valid for {}, until {}", inspect::span(end - now), date(end));
            (TimeState::Valid, Some(date(end)), Some(end - now), words)
        }
        End::Never => (TimeState::NeverExpires, None, None, "never expires by itself: it has no exp".into()),
        End::Unknown if suspect.renews() => {
            (TimeState::Unknown, None, None, "not known: only its issuer knows when it ends; take it for valid".into())
        }
        End::Unknown => (TimeState::Unknown, None, None, "not known; take it for valid".into()),
    };
    TimeLeft { state, from, until, seconds, words }
}

/// The scopes, those that change something or reach everything first.
fn strongest(scopes: &[String]) -> Vec<&String> {
    let mut sorted: Vec<&String> = scopes.iter().collect();
    sorted.sort_by_key(|scope| {
        let capability = Capability::parse(scope);
        let admin = scope.starts_with("iam:admin") || scope.starts_with("scim:write");
        let changes = capability.is_some_and(|one| one.permits_modifying());
        let known = capability.is_some_and(|one| one.is_known());
        let root = capability.is_some_and(|one| one.is_known() && one.is_root());
        (!admin, !changes, !root, !known)
    });
    sorted
}

fn power(suspect: &Suspect, elsewhere: &Elsewhere) -> PowerPart {
    let words = |scope: &String| match inspect::scope_in_words(scope) {
        Some(words) => format!("{scope}: {words}"),
        None => format!("{scope}: not defined by any profile that is known here"),
    };
    let mut details: Vec<String> = strongest(&suspect.scopes).into_iter().map(words).collect();
    if let Some(macaroon) = &suspect.macaroon {
        details.extend(macaroon.location.iter().map(|place| format!("made by {place}")));
        details.extend(macaroon.limits.iter().cloned());
    }
    if suspect.renews() {
        let grown = elsewhere.registrations.iter().flat_map(|one| &one.scopes);
        let scopes: Vec<String> = grown.cloned().collect();
        details.extend(strongest(&scopes).into_iter().map(|scope| format!("the client may ask for {}", words(scope))));
    }
    for power in &suspect.powers {
        if let Some(scope) = &power.refused_for {
            details.push(format!(
                "services that follow the profile refuse the token as a whole, because {scope} has no path; many do not"
            ));
            break;
        }
    }
    let capable: Vec<String> = strongest(&suspect.scopes)
        .into_iter()
        .filter(|scope| Capability::parse(scope).is_some_and(|one| one.is_known()) || scope.starts_with("iam:admin"))
        .filter_map(|scope| inspect::scope_in_words(scope))
        .collect();
    let summary = match () {
        () if suspect.kind == "refresh-token" => {
            "get new access tokens of its client, with whatever the client was given, until it is revoked".into()
        }
        () if suspect.kind == "registration-token" => "change the registration of its client".into(),
        () if let Some(macaroon) = &suspect.macaroon => match (macaroon.limits.is_empty(), macaroon.is_whole) {
            (true, true) => "whatever its owner can do at the service that made it: it holds no limits".into(),
            (true, false) => "not known: it is cut off, perhaps before its limits".into(),
            (false, true) => "what its limits leave, at the service that made it".into(),
            (false, false) => {
                "no more than its limits leave, at the service that made it; more of them are cut off".into()
            }
        },
        () if !suspect.claims_known => "not known: its claims are not at hand".into(),
        () if capable.len() > 2 => format!("{}; and {} more", capable[..2].join("; "), capable.len() - 2),
        () if !capable.is_empty() => capable.join("; "),
        () if !suspect.groups.is_empty() => {
            format!("what the services give to {}: it names groups and no capabilities", suspect.groups.join(", "))
        }
        () if suspect.kind == "id-token" => {
            "log in where services take ID tokens for access tokens; it names no capabilities".into()
        }
        () => "what services give to its subject: it names neither capabilities nor groups".into(),
    };
    PowerPart { summary, details, powers: suspect.powers.clone() }
}

/// The workflows of a client. Of one that asks for more than client and issuer nobody can say from here whether it is meant.
fn workflows(all: &Workflows, client: &str, issuer: Option<&str>) -> Vec<String> {
    let named = |workflow: &Workflow| {
        let raw = &workflow.raw;
        let perhaps = match workflow.of_client(client, issuer) {
            Some(true) => "",
            None if !raw.covers.client_id.is_empty() => "perhaps ",
            Some(false) | None => return None,
        };
        let contact = raw.contact.as_ref().map(|contact| format!(" ({contact})")).unwrap_or_default();
        Some(format!("{perhaps}{}{contact}", raw.name))
    };
    all.all().iter().filter_map(named).collect()
}

fn who_stops(suspect: &Suspect, elsewhere: &Elsewhere) -> Vec<String> {
    let mut said = Vec::new();
    let at_least = |names: &super::others::Names| if names.capped { "more than " } else { "" };
    for (what, crowd, with) in [("subject", &elsewhere.subject, "client"), ("client", &elsewhere.client, "subject")] {
        let Some(crowd) = crowd else { continue };
        if !elsewhere.logs_read {
            continue;
        }
        let services: Vec<&str> = crowd.services.iter().map(|one| one.service.as_str()).collect();
        said.push(match crowd.records {
            0 => format!("no log that was read names this {what}"),
            records => format!(
                "ban the {what}, and {}{} with {}{} stop, at {} ({} {} it)",
                at_least(&crowd.tokens),
                crate::report::text::counted(crowd.tokens.distinct as u64, "known token"),
                at_least(&crowd.with),
                crate::report::text::counted(crowd.with.distinct as u64, with),
                services.join(", "),
                crate::report::text::counted(records, "record"),
                if records == 1 { "names" } else { "name" },
            ),
        });
    }
    let identity = &suspect.identity;
    if identity.subject.is_some() && identity.subject == identity.client {
        said.push("subject and client are the same: this is a service's own token, and banning it stops all that the service does".into());
    }
    for one in &elsewhere.registrations {
        let name = one.name.as_deref().unwrap_or(&one.client);
        let grants = if one.grants.is_empty() {
            String::new()
        } else {
            format!("; it gets tokens by {}", one.grants.join(", "))
        };
        let off = if one.active == Some(false) { " (it is disabled already)" } else { "" };
        said.push(format!("disable the client, and {name} stops{off}{grants}"));
    }
    if !elsewhere.workflows.is_empty() {
        said.push(format!("the policy says that the client serves: {}", elsewhere.workflows.join(", ")));
    }
    if !elsewhere.logs_read && !elsewhere.registrations_read {
        let read = match elsewhere.records {
            0 => "neither logs nor client registrations were read",
            _ => "nothing that was read is a log of a format that is known, or a client registration",
        };
        said.insert(0, format!("not known: {read}; give them as further paths, or in a policy (--config)"));
    }
    if said.is_empty() {
        said.push("not known: neither subject nor client are".into());
    }
    said
}

/// Services where something must be done, or may have to.
fn concerned(services: &[ServicePart]) -> impl Iterator<Item = &ServicePart> {
    services.iter().filter(|part| part.takes != Takes::No)
}

fn revocation(site: &Site<'_>, suspect: &Suspect, services: &[ServicePart], product: Option<&str>) -> Revocation {
    let issuer = site.book.issuer(product);
    // Access tokens that a refresh token got go to services that refuse the refresh token itself.
    let all = |part: &&ServicePart| suspect.renews() || part.takes != Takes::No;
    let offline = services.iter().filter(all).filter(|part| part.verifies == Verifies::Offline);
    let offline: Vec<String> = offline.map(|part| part.name.clone()).collect();
    let mut words = Vec::new();
    match suspect.kind.as_str() {
        "refresh-token" => {
            words.push("it can be revoked at the issuer, and then gets no more tokens".into());
            words.push("access tokens that were got with it go on until they expire".into());
        }
        "registration-token" => words.push("the issuer can make a new one, which ends this one".into()),
        "macaroon" => words.push(
            "only the service that made it can end it, by changing what it makes macaroons with; that ends all of them"
                .into(),
        ),
        "eos-token" => words.push("EOS can ban it by its voucher: eos access ban token VOUCHER".into()),
        _ => {
            words.push(
                "revoking it at the issuer does not stop services that check tokens offline: they never ask".into(),
            );
            words.extend(issuer.introspection.clone());
        }
    }
    if !offline.is_empty() {
        words.push(format!("offline, by public documentation: {}", offline.join(", ")));
    }
    Revocation { words, offline }
}

fn neutralise(suspect: &Suspect, services: &[ServicePart], now: i64) -> Neutralise {
    if suspect.has_expired(now) {
        return Neutralise {
            seconds: Some(0),
            words: "it has expired; services that check exp refuse it already".into(),
        };
    }
    let own = expiry(suspect, now);
    let parts: Vec<&ServicePart> = concerned(services).collect();
    if parts.is_empty() {
        let words = match own.seconds {
            Some(seconds) => {
                format!("no later than its own end, in {}; no service is known to take it", inspect::span(seconds))
            }
            None => "not known: its end is not known, and no service is known to take it".into(),
        };
        return Neutralise { seconds: own.seconds, words };
    }
    let worst =
        parts.iter().map(|part| part.shortest.and_then(|at| Some((part.ways[at].seconds?, part, &part.ways[at]))));
    let worst: Option<Vec<_>> = worst.collect();
    match worst.and_then(|all| all.into_iter().max_by_key(|(seconds, ..)| *seconds)) {
        Some((seconds, part, way)) => {
            // A ban may work sooner than what is known to work.
            let sooner = part.ways.iter().any(|way| way.seconds.is_none()) && part.narrowest.is_some();
            let sooner = if sooner { "; a ban may work sooner there, but nothing states when" } else { "" };
            let span = inspect::span(seconds);
            let words = format!(
                "in {span}, if what follows is done now: {} is the last ({}; {}){sooner}",
                part.name, way.what, way.source
            );
            Neutralise { seconds: Some(seconds), words }
        }
        None => {
            let open: Vec<&str> =
                parts.iter().filter(|part| part.shortest.is_none()).map(|part| part.name.as_str()).collect();
            Neutralise { seconds: None, words: format!("not known, because of {}", open.join(", ")) }
        }
    }
}

fn contacts(
    suspect: &Suspect,
    services: &[ServicePart],
    elsewhere: &Elsewhere,
    declared: Option<&DeclaredIssuer>,
) -> Vec<Contact> {
    let mut all = Vec::new();
    let mut add = |who: String, contact: Option<String>, source: &str| {
        all.push(Contact { who, contact, source: source.into() });
    };
    let named = suspect.identity.issuer.clone().unwrap_or_else(|| "the issuer, which is not known".into());
    match declared {
        Some(issuer) => add(format!("issuer {named}"), issuer.contact.clone(), "the policy, issuers[].contact"),
        None => add(format!("issuer {named}"), None, "the policy could say: issuers[].contact"),
    }
    for one in &elsewhere.registrations {
        let name = one.name.as_deref().unwrap_or(&one.client);
        let contact = Some(one.contacts.join(", ")).filter(|contacts| !contacts.is_empty());
        let source = format!("{}:{}", one.place.path, one.place.line);
        add(format!("owner of the client {name}"), contact, &source);
    }
    for part in services {
        let needed = part.takes != Takes::No || suspect.renews();
        if needed {
            let source = if part.contact.is_some() {
                "the policy, services[].contact"
            } else {
                "the policy could say: services[].contact"
            };
            add(format!("service {}", part.name), part.contact.clone(), source);
        }
    }
    all
}

fn evidence(site: &Site<'_>, suspect: &Suspect, services: &[ServicePart], product: Option<&str>) -> Evidence {
    let to = match suspect.end {
        End::At(end) => end.min(site.now),
        End::Never | End::Unknown => site.now,
    };
    let item = |part: &ServicePart| {
        let said = site.answers.and_then(|all| all.services.iter().find(|one| one.service == part.name));
        EvidenceItem {
            place: part.name.clone(),
            logs: part.logs.clone(),
            retention: part.retention,
            deleted_from: suspect.begin.zip(part.retention).map(|(begin, kept)| date(begin.saturating_add(kept))),
            names_jti: said.and_then(|one| match one.jti {
                Verdict::Answerable => Some(true),
                Verdict::CannotAnswer => Some(false),
                Verdict::Unknown => None,
            }),
            what: part.evidence.clone(),
        }
    };
    // A service that refuses it as far as is known may have been tried nevertheless.
    let mut items: Vec<EvidenceItem> = services.iter().map(item).collect();
    items.push(EvidenceItem {
        place: "the issuer".into(),
        logs: Vec::new(),
        retention: None,
        deleted_from: None,
        names_jti: None,
        what: site.book.issuer(product).evidence.clone(),
    });
    let logs = match site.policy {
        Some(policy) => shell::option("--config", policy),
        None => "LOGS…".into(),
    };
    let mut commands = Vec::new();
    let identity = &suspect.identity;
    let known = [
        ("--jti", &identity.jti),
        ("--fingerprint", &suspect.fingerprint),
        ("--sub", &identity.subject),
        ("--client", &identity.client),
    ];
    let usable = |value: &String| !value.contains(crate::report::text::is_unsafe) && value.chars().count() <= 300;
    for (name, value) in known {
        if let Some(value) = value.as_ref().filter(|value| usable(value)) {
            commands.push(format!("tokenvet trace {logs} {}", shell::option(name, value)));
        }
    }
    let from = suspect.begin.filter(|begin| *begin <= to);
    Evidence { from: from.map(date), to: date(to), items, commands }
}

/// What would help to know.
fn unknown(
    site: &Site<'_>,
    suspect: &Suspect,
    services: &[ServicePart],
    elsewhere: &Elsewhere,
    product_known: bool,
) -> Vec<String> {
    let mut open = Vec::new();
    let identity = &suspect.identity;
    for (what, value) in [
        ("issuer", &identity.issuer),
        ("subject", &identity.subject),
        ("client", &identity.client),
        ("jti", &identity.jti),
    ] {
        if value.is_none() {
            let is_secret = suspect.renews() || suspect.origin == Origin::UnsignedToken;
            let hidden = what == "jti" && is_secret && suspect.claims_known;
            open.push(match hidden {
                true => "jti: that of such a token is the secret itself and not shown".into(),
                false => format!("{what}: nothing that was read says it"),
            });
        }
    }
    if suspect.end == End::Unknown {
        open.push("when the token ends".into());
    }
    if !suspect.claims_known {
        open.push("scopes and audience, and so what it can do and where".into());
    }
    if services.is_empty() {
        open.push(
            "services: no policy lists any (--config, `services:`), so where the token works is not known".into(),
        );
    }
    for part in services.iter().filter(|part| part.takes == Takes::Unknown) {
        open.push(format!("{}: {}", part.name, part.reason));
    }
    for part in concerned(services).filter(|part| part.handles.is_empty()) {
        open.push(format!("{}: what {} can refuse tokens by", part.name, part.product));
    }
    if !elsewhere.logs_read {
        let read = match elsewhere.records {
            0 => "no logs were read",
            _ => "nothing that was read is a log of a format that is known",
        };
        open.push(format!("who else has the same subject or client: {read}"));
    }
    if !product_known && identity.issuer.is_some() {
        open.push("the issuer's product: the policy can say it (issuers[].api), or a snapshot shows it".into());
    }
    if site.now < 0 {
        open.push("the time: the clock stands before 1970".into());
    }
    open
}

fn steps(site: &Site<'_>, suspect: &Suspect, incident: &Incident, values: &Values, product: Option<&str>) -> Vec<Step> {
    let expired = suspect.has_expired(site.now);
    let at_issuer = issuer_steps(site, suspect, values, product);
    let at_services = service_steps(suspect, &incident.services);
    let mut steps: Vec<Step> = match () {
        () if expired => vec![Step::of(
            "ban nothing for this token's sake: it has expired. Look whether it was used before",
            "whoever took it from where it was found may have taken more: refresh tokens, client secrets",
        )],
        // What makes new tokens is stopped first.
        () if suspect.renews() => at_issuer.into_iter().chain(at_services).collect(),
        () => at_services.into_iter().chain(at_issuer).collect(),
    };
    let from = incident.evidence.from.as_ref().map(|from| format!("from {from} ")).unwrap_or_default();
    let mut save = Step::of(
        format!("save the logs {from}up to {} before they are deleted, and look what they hold", incident.evidence.to),
        "logs may hold live tokens: copy them with tokenvet redact before they leave the site",
    );
    save.acts = vec![commands(&incident.evidence.commands)];
    steps.push(save);
    let named_by = match (&suspect.fingerprint, &suspect.identity.jti) {
        (Some(_), _) => "the fingerprint identifies it",
        (None, Some(_)) => "issuer and jti identify it",
        (None, None) => "others look for it by what is known of it",
    };
    steps.push(Step::of(
        "call the contacts below, then send the text at the end of this page",
        &format!("never send the token: {named_by}"),
    ));
    steps.extend(clean(suspect));
    if !expired {
        steps.push(Step::of(format!("take the bans out again {}", bans_end(&incident.time)), ""));
    }
    for (step, number) in steps.iter_mut().zip(1..) {
        step.number = number;
        step.acts.retain(|act| !act.shell.is_empty() || !act.lines.is_empty() || act.text.is_some());
    }
    steps
}

impl Step {
    /// A step that is nobody's in particular; without a caution when that is empty.
    fn of(what: impl Into<String>, caution: &str) -> Self {
        let cautions = Some(caution.to_string()).filter(|caution| !caution.is_empty()).into_iter().collect();
        Step { number: 0, what: what.into(), place: None, cautions, acts: Vec::new(), sources: Vec::new() }
    }
}

/// Takes the token out of where it was found; `None` when nothing usable is there.
fn clean(suspect: &Suspect) -> Option<Step> {
    let usable = matches!(suspect.origin, Origin::WholeToken | Origin::UnsignedToken);
    if suspect.places.is_empty() || !usable {
        return None;
    }
    let files: BTreeSet<&str> = suspect.places.iter().map(|place| place.path.as_str()).collect();
    // Standard input and members of archives cannot be changed in place.
    let named = files.into_iter().filter(|path| !path.starts_with('<') && !path.contains('!'));
    let shell: Vec<String> = named.map(|path| format!("tokenvet redact --in-place {}", shell::path(path))).collect();
    let mut step = Step::of(
        "take the token out of where it was found, and find out how it came there",
        "keep a copy for evidence where only the incident's team can read it",
    );
    step.acts = vec![commands(&shell)];
    Some(step)
}

/// When bans can go.
fn bans_end(time: &TimeLeft) -> String {
    match (&time.until, time.state) {
        (Some(until), _) => format!("after {until}"),
        (None, TimeState::NeverExpires) => {
            "only when the issuer has withdrawn the key that signed it: it has no end".into()
        }
        (None, TimeState::Valid | TimeState::NotYetValid | TimeState::Expired | TimeState::Unknown) => {
            "only when it is certain that the token has ended".into()
        }
    }
}

fn commands(shell: &[String]) -> Act {
    Act { file: None, lines: Vec::new(), shell: shell.to_vec(), on: None, text: None }
}

fn issuer_steps(site: &Site<'_>, suspect: &Suspect, values: &Values, product: Option<&str>) -> Vec<Step> {
    let own = matches!(suspect.kind.as_str(), "macaroon" | "eos-token" | "alice-envelope");
    if own {
        return Vec::new();
    }
    let known = site.book.issuer(product);
    let identity = &suspect.identity;
    let person = identity.subject.is_some() && identity.subject != identity.client;
    let fits = |step: &&RawStep| {
        let kind = step.kinds.iter().any(|kind| kind == "any" || *kind == suspect.kind);
        let enough = match step.needs {
            Needs::Nothing => true,
            Needs::Client => identity.client.is_some() || suspect.renews(),
            Needs::Subject | Needs::Person => person,
            Needs::SubjectAndClient => person && identity.client.is_some(),
            Needs::Token => matches!(suspect.origin, Origin::WholeToken | Origin::UnsignedToken),
        };
        kind && enough
    };
    let lead =
        "this stops new tokens, not this one: do it when the thief may have the client's secret or a refresh token";
    let made = |step: &RawStep| Step {
        number: 0,
        what: step.does.clone(),
        place: Some(known.title.clone()),
        cautions: vec![format!("it leaves: {}", step.leaves)],
        acts: step.act.iter().map(|act| Act::of(act, values)).collect(),
        sources: step.sources.clone(),
    };
    let mut steps: Vec<Step> = known.steps.iter().filter(fits).map(made).collect();
    if let Some(first) = steps.first_mut().filter(|_| !suspect.renews()) {
        first.cautions.insert(0, lead.into());
    }
    steps
}

fn service_steps(suspect: &Suspect, services: &[ServicePart]) -> Vec<Step> {
    let needed = |part: &&ServicePart| (part.takes != Takes::No || suspect.renews()) && !part.handles.is_empty();
    let mut parts: Vec<&ServicePart> = services.iter().filter(needed).collect();
    // What hits others is decided by day; what hits the thief alone comes first.
    parts.sort_by_key(|part| (part.only_whole_vo == Some(true), part.takes));
    parts.into_iter().map(service_step).collect()
}

fn service_step(part: &ServicePart) -> Step {
    let chosen = part.narrowest.and_then(|handle| part.handles.iter().find(|one| one.handle == handle));
    let place = Some(format!("{} ({})", part.name, part.product));
    let mut cautions = Vec::new();
    if part.takes == Takes::Unknown {
        cautions.push(format!("whether it takes the token is not known: {}", part.reason));
    }
    match (part.only_whole_vo, chosen) {
        (Some(true), _) => {
            cautions.push("what follows hits all tokens of the VO: agree on it with the VO first".into());
        }
        (None, Some(one)) if one.whole_vo => cautions.push(
            "whether something narrower than the VO can be refused here is not known; this hits all of its tokens"
                .into(),
        ),
        (None | Some(false), _) => {}
    }
    let Some(one) = chosen else {
        return Step {
            number: 0,
            what: "nothing is known that this service could refuse the token by; ask its administrators".into(),
            place,
            cautions,
            acts: Vec::new(),
            sources: Vec::new(),
        };
    };
    cautions.extend(one.hits.as_ref().map(|hits| format!("it hits {hits}")));
    if one.ready == Some(false) {
        cautions.push("what it needs is not set up there: do that first".into());
    }
    cautions.extend(one.needs.as_ref().map(|needs| format!("it needs {needs}")));
    Step {
        number: 0,
        what: match (part.only_whole_vo, one.handle) {
            (Some(true), Handle::Path) => {
                "nothing narrower than the VO can be refused here; limit where its tokens work".into()
            }
            (Some(true), handle) => {
                format!("nothing narrower than the VO can be refused here; refuse the {}", handle.words())
            }
            (_, Handle::Path) => "limit where tokens of this issuer work".into(),
            (_, handle) => format!("refuse the {}", handle.words()),
        },
        place,
        cautions,
        acts: one.setup.iter().chain(&one.act).cloned().collect(),
        sources: one.sources.clone(),
    }
}

/// The page as JSON, with a final newline. Characters a terminal would obey are escaped.
pub fn json(page: &Page) -> String {
    crate::report::json_text(page)
}
