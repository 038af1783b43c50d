//! What else carries the same subject or client: who stops when it is banned, and where the token itself was used.

use super::suspect::{FoundAt, Identity, Suspect};
use crate::compat::Row;
use crate::model::{Target, TargetKind, url};
use crate::parse::{Document, NodeId};
use crate::source::Source;
use crate::trace::question::{Condition, Held, Known};
use crate::trace::raw::Field;
use crate::trace::read::{Extent, Record, SeenToken};
use crate::trace::search::{Logs, Origin, Reading};
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Distinct names that are told apart.
const MOST: usize = 10_000;
/// Names that are listed.
const LISTED: usize = 12;
/// Services that are told apart.
const SERVICES: usize = 1_000;

/// A number of distinct things, with the first of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Names {
    /// How many there are; a lower bound when `capped`.
    pub distinct: usize,
    /// True when there are more than are told apart.
    pub capped: bool,
    /// Some of them, sorted.
    pub some: Vec<String>,
}

#[derive(Debug, Default)]
struct Set {
    names: BTreeSet<String>,
    capped: bool,
}

impl Set {
    fn add(&mut self, name: &str) {
        match self.names.len() < MOST || self.names.contains(name) {
            true => {
                self.names.insert(name.chars().take(300).collect());
            }
            false => self.capped = true,
        }
    }

    fn names(&self) -> Names {
        let some = self.names.iter().take(LISTED).cloned().collect();
        Names { distinct: self.names.len(), capped: self.capped, some }
    }
}

/// Records of one service.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Use {
    /// The service.
    pub service: String,
    /// How many records.
    pub records: u64,
    /// The first, RFC 3339; null when no record has a time.
    pub first: Option<String>,
    /// The last.
    pub last: Option<String>,
    /// From where, some of the addresses.
    pub addresses: Names,
    /// Place of the first record that was read.
    pub place: Option<FoundAt>,
}

/// Everything that carries one subject, or one client.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Crowd {
    /// The subject or client.
    pub value: String,
    /// Records that name it.
    pub records: u64,
    /// Tokens that records tell apart by their jti.
    pub tokens: Names,
    /// Clients that got tokens for the subject, or subjects whose tokens the client got.
    pub with: Names,
    /// Local accounts.
    pub accounts: Names,
    /// By service.
    pub services: Vec<Use>,
}

/// A client as an issuer's registration shows it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Registration {
    /// Its identifier.
    pub client: String,
    /// Its name.
    pub name: Option<String>,
    /// The product whose form the registration has.
    pub product: Option<String>,
    /// Whom to ask.
    pub contacts: Vec<String>,
    /// How it gets tokens.
    pub grants: Vec<String>,
    /// Scopes it may ask for: what a thief of its secret gets.
    pub scopes: Vec<String>,
    /// Is it enabled; null when not shown.
    pub active: Option<bool>,
    /// Where it stands.
    pub place: FoundAt,
}

/// The whole token, of which something was taken away where it was found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Whole {
    /// Its fingerprint.
    pub fingerprint: String,
    /// Where it stands first.
    pub place: FoundAt,
}

/// What logs and registrations say.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Elsewhere {
    /// True when logs were read: records of a known format, or of a service of the policy.
    pub logs_read: bool,
    /// Records that were read.
    pub records: u64,
    /// Where the token itself was used.
    pub used: Vec<Use>,
    /// Records in whose text its jti stands, and of which no format says that it is one.
    pub in_text: u64,
    /// The whole token, where only what is left of it is at hand and what was read holds it: the one token with its header
    /// and claims.
    pub whole: Option<Whole>,
    /// What the logs taught about it: issuer, subject, client.
    pub learned: Identity,
    /// All that carries its subject; null when the subject is not known or no log was read.
    pub subject: Option<Crowd>,
    /// All that carries its client, likewise.
    pub client: Option<Crowd>,
    /// Its registrations, in the exports that were read.
    pub registrations: Vec<Registration>,
    /// True when registrations of clients were read, whether it is among them or not.
    pub registrations_read: bool,
    /// Workflows of the policy that the client belongs to, with their contact.
    pub workflows: Vec<String>,
}

#[derive(Default)]
struct Uses(BTreeMap<String, (Use, Set)>);

impl Uses {
    fn add(&mut self, service: &str, origin: &Origin<'_>, record: &Record) {
        if self.0.len() >= SERVICES && !self.0.contains_key(service) {
            return;
        }
        let fresh = || {
            let place = FoundAt { path: origin.path.into(), line: record.line };
            (Use { service: service.into(), place: Some(place), ..Use::default() }, Set::default())
        };
        let (one, addresses) = self.0.entry(service.to_string()).or_insert_with(fresh);
        one.records += 1;
        for address in record.content.all(Field::Address).chain(record.content.all(Field::Node)) {
            addresses.add(address);
        }
        let Some(at) = record.content.when.map(|when| when.at.to_string()) else { return };
        if one.first.as_ref().is_none_or(|first| at < *first) {
            one.first = Some(at.clone());
        }
        if one.last.as_ref().is_none_or(|last| at > *last) {
            one.last = Some(at);
        }
    }

    fn finish(self) -> Vec<Use> {
        self.0.into_values().map(|(one, addresses)| Use { addresses: addresses.names(), ..one }).collect()
    }
}

#[derive(Default)]
struct Gathering {
    records: u64,
    tokens: Set,
    with: Set,
    accounts: Set,
    uses: Uses,
}

impl Gathering {
    fn add(&mut self, service: &str, origin: &Origin<'_>, record: &Record, with: Field) {
        self.records += 1;
        record.content.all(Field::Jti).for_each(|jti| self.tokens.add(jti));
        record.content.all(with).for_each(|name| self.with.add(name));
        record.content.all(Field::User).for_each(|user| self.accounts.add(user));
        self.uses.add(service, origin, record);
    }

    fn finish(self, value: &str) -> Crowd {
        Crowd {
            value: value.into(),
            records: self.records,
            tokens: self.tokens.names(),
            with: self.with.names(),
            accounts: self.accounts.names(),
            services: self.uses.finish(),
        }
    }
}

/// Does a record name this token?
fn is_token(record: &Record, suspect: &Suspect) -> bool {
    let is_own = |token: &SeenToken| suspect.is_shown_as(&token.fingerprint) || has_body(token, suspect);
    if record.tokens.iter().any(is_own) {
        return true;
    }
    let jti = suspect.identity.jti.as_deref();
    jti.is_some_and(|jti| record.content.all(Field::Jti).any(|known| known == jti))
        && same_issuer(record, suspect.identity.issuer.as_deref())
}

/// Is a token the suspected one but for the signature?
fn has_body(token: &SeenToken, suspect: &Suspect) -> bool {
    suspect.body.is_some() && token.body == suspect.body
}

/// Two issuers may have the same subject: a record that names another one is about somebody else.
fn same_issuer(record: &Record, issuer: Option<&str>) -> bool {
    let Some(issuer) = issuer else { return true };
    record.content.first(Field::Iss).is_none_or(|iss| url::same_issuer(iss, issuer))
}

fn service_of(reading: &Reading<'_>, origin: &Origin<'_>, record: &Record) -> String {
    let format = record.content.format.map(|index| &reading.book.formats[index].raw.product);
    let known = format.filter(|product| *product != "any").cloned();
    origin.service.map(str::to_string).or(known).unwrap_or_else(|| "unknown services".into())
}

/// Reads the logs, twice when only they tell whose token it is.
pub fn survey(logs: &mut dyn Logs, reading: &Reading<'_>, suspect: &Suspect) -> Elsewhere {
    let mut known = suspect.identity.clone();
    let mut learned = Identity::default();
    let named = known.jti.is_some() || suspect.fingerprint.is_some() || suspect.rest.is_some();
    if named && (known.subject.is_none() || known.client.is_none() || known.issuer.is_none()) {
        logs.each(reading, &mut |_, record| {
            if is_token(record, suspect) {
                let text = |field| record.content.first(field).map(str::to_string);
                learned.learn(&Identity {
                    issuer: text(Field::Iss),
                    subject: text(Field::Sub),
                    client: text(Field::Client),
                    jti: text(Field::Jti),
                });
            }
        });
        known.learn(&learned);
    }
    let (mut used, mut subject, mut client) = (Uses::default(), Gathering::default(), Gathering::default());
    let mut told = 0u64;
    let mut wholes: BTreeMap<String, FoundAt> = BTreeMap::new();
    let jti = known.jti.clone().map(|value| Condition { known: Known::Jti, value });
    let mut in_text = 0u64;
    let extent: Extent = logs.each(reading, &mut |origin, record| {
        let service = service_of(reading, origin, record);
        let own = is_token(record, suspect);
        let is_log = record.content.format.is_some() || origin.service.is_some();
        told += u64::from(is_log);
        for token in record.tokens.iter().filter(|token| token.is_whole && has_body(token, suspect)) {
            // Two are as many as are needed to see that it is not known which is the token.
            if wholes.len() < 2 {
                let place = || FoundAt { path: origin.path.into(), line: record.line };
                wholes.entry(token.fingerprint.clone()).or_insert_with(place);
            }
        }
        in_text += u64::from(!own && jti.as_ref().is_some_and(|jti| jti.held(record) == Held::InText));
        // A mail or a dump is where it was found, and no use of it.
        if own && !is_log {
            return;
        }
        if own {
            used.add(&service, origin, record);
        }
        if !same_issuer(record, known.issuer.as_deref()) {
            return;
        }
        let holds = |field, value: &Option<String>| {
            value.as_deref().is_some_and(|value| record.content.all(field).any(|one| one == value))
        };
        if holds(Field::Sub, &known.subject) {
            subject.add(&service, origin, record, Field::Client);
        }
        if holds(Field::Client, &known.client) {
            client.add(&service, origin, record, Field::Sub);
        }
    });
    // Only what is new was learned.
    for (new, own) in [
        (&mut learned.issuer, &suspect.identity.issuer),
        (&mut learned.subject, &suspect.identity.subject),
        (&mut learned.client, &suspect.identity.client),
        (&mut learned.jti, &suspect.identity.jti),
    ] {
        if own.is_some() {
            *new = None;
        }
    }
    // What the token itself hides as its secret must not come back from a log.
    if suspect.renews() {
        learned.jti = None;
    }
    Elsewhere {
        logs_read: told > 0,
        records: extent.records,
        used: used.finish(),
        in_text,
        whole: if wholes.len() == 1 { wholes.pop_first() } else { None }
            .map(|(fingerprint, place)| Whole { fingerprint, place }),
        learned,
        subject: known.subject.as_deref().map(|value| subject.finish(value)),
        client: known.client.as_deref().map(|value| client.finish(value)),
        ..Elsewhere::default()
    }
}

/// An issuer as a snapshot shows it.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// Issuers of its metadata: identifier, product, revocation endpoint.
    pub issuers: Vec<(String, Option<String>, Option<String>)>,
    /// Its clients.
    pub clients: Vec<(Option<String>, Registration)>,
}

impl Snapshot {
    /// Reads what a file says of issuers and clients; false when it says nothing of either.
    pub fn read(&mut self, source: &Arc<Source>) -> bool {
        let before = self.issuers.len() + self.clients.len();
        for (document, known) in &crate::discover::recognise(source).documents {
            if let Some((adapter, kind)) = known {
                adapter.adapt(document, kind, self);
            }
        }
        self.issuers.len() + self.clients.len() > before
    }

    /// The product of an issuer: what its metadata says, else what form its clients have.
    pub fn product(&self, issuer: &str) -> Option<&str> {
        let same = |one: &str| url::same_issuer(one, issuer);
        let stated = self.issuers.iter().find(|(iss, product, _)| same(iss) && product.is_some());
        let form = || {
            let own = self.clients.iter().filter(|(iss, _)| iss.as_deref().is_some_and(same));
            own.filter_map(|(_, client)| client.product.as_deref()).next()
        };
        stated.and_then(|(_, product, _)| product.as_deref()).or_else(form)
    }

    /// Where an issuer takes revocations.
    pub fn revocation(&self, issuer: &str) -> Option<&str> {
        let same = |one: &str| url::same_issuer(one, issuer);
        self.issuers.iter().find(|(iss, ..)| same(iss)).and_then(|(.., endpoint)| endpoint.as_deref())
    }

    /// The registrations of a client, those of other issuers aside.
    pub fn registrations(&self, client: &str, issuer: Option<&str>) -> Vec<Registration> {
        let other = |iss: &Option<String>| iss.as_deref().zip(issuer).is_some_and(|(a, b)| !url::same_issuer(a, b));
        let own = self.clients.iter().filter(|(iss, one)| one.client == client && !other(iss));
        own.map(|(_, one)| one.clone()).collect()
    }
}

impl crate::adapt::Sink for Snapshot {
    fn target(&mut self, documents: &[&Document], target: Target<'_>) {
        let row = Row::of(documents, &target);
        match target.kind {
            TargetKind::Client => {
                let Some(client) = row.first("client_id") else { return };
                let list = |name: &str| row.get(name).texts.unwrap_or_default().into_iter().take(200).collect();
                let place = row.get("client_id").place;
                let place = place.map(|place| FoundAt { path: place.path, line: place.line as u64 });
                let registration = Registration {
                    client,
                    name: row.first("name"),
                    product: row.first("product"),
                    contacts: list("contacts"),
                    grants: list("grant_types"),
                    scopes: list("scopes"),
                    active: row.first("active").map(|active| active == "true"),
                    place: place.unwrap_or(FoundAt { path: String::new(), line: 0 }),
                };
                self.clients.push((row.first("issuer"), registration));
            }
            TargetKind::Issuer => {
                if let Some(issuer) = row.first("issuer") {
                    self.issuers.push((issuer, row.first("product"), row.first("revocation_endpoint")));
                }
            }
            _ => {}
        }
    }

    fn secret(&mut self, _: &Document, _: NodeId) {}

    fn error(&mut self, _: &Document, _: NodeId, _: String) {}

    fn paging(&mut self, _: NodeId, _: i64, _: (NodeId, i64)) {}

    fn secrets_expected(&mut self) {}
}
