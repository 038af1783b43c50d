//! Found tokens as findings: each is judged as a leak, and its claims like those of any token.

use super::find::State;
use super::fingerprint;
use super::tally::{Place, Seen};
use crate::adapt::jwt_token::{NumericDate, Opened, is_dpop_proof};
use crate::check::{check_alone, check_token};
use crate::evaluate::Plan;
use crate::model::{Field, Leak, Target, TargetKind, scope::Capability};
use crate::parse::jwt::{Segment, decoded_segment};
use crate::parse::{Cursor, Data, Document, Syntax, TreeBuilder};
use crate::report::{Finding, Region, Related};
use crate::source::Source;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use schemars::JsonSchema;
use secrecy::ExposeSecret as _;
use secrecy::zeroize::Zeroizing;
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;
use std::borrow::Cow;
use std::cell::{RefCell, RefMut};
use std::collections::HashMap;
use std::sync::Arc;

/// Says whether a signature is valid; `None` when no key at hand could tell. It is given the encoded token and its `iss`.
pub type Verifier<'v> = dyn Fn(&str, &str) -> Option<bool> + Sync + 'v;

/// What findings need of a token: with this nobody needs the token any more. It holds nothing that makes one usable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence<'e> {
    /// What is wrong with its claims, by the plan for the file it stands in first. Their places mean nothing.
    pub claims: Vec<Finding>,
    /// What it is for, as [`Leak`] says it.
    pub purpose: Cow<'e, str>,
    /// Its `iss`.
    pub issuer: Option<Cow<'e, str>>,
    /// Its `jti`, unless that is what makes it usable.
    pub jti: Option<Cow<'e, str>>,
    /// Its `client_id`.
    pub client_id: Option<Cow<'e, str>>,
    /// Its scopes.
    pub scopes: Vec<Cow<'e, str>>,
    /// When it expires.
    pub expiry: Expiry,
    /// When it begins to be valid, in seconds since 1970.
    pub begin: Option<i64>,
    /// Whether its signature is valid; `None` when no key at hand could tell.
    pub signature: Option<bool>,
}

impl Evidence<'_> {
    /// The same, to be kept without the token.
    pub fn into_owned(self) -> Evidence<'static> {
        let owned = |text: Cow<'_, str>| Cow::Owned(text.into_owned());
        Evidence {
            claims: self.claims,
            purpose: owned(self.purpose),
            issuer: self.issuer.map(owned),
            jti: self.jti.map(owned),
            client_id: self.client_id.map(owned),
            scopes: self.scopes.into_iter().map(owned).collect(),
            expiry: self.expiry,
            begin: self.begin,
            signature: self.signature,
        }
    }
}

/// When a token expires.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Expiry {
    /// Its claims cannot be read.
    Unseen,
    /// It says no time.
    Never,
    /// In seconds since 1970.
    At(i64),
    /// What it says is no number, or none that counts seconds.
    Odd,
}

/// Headers that are kept with the text they stand in: issuers have one per key.
const MAX_HEADERS: usize = 64;

/// Makes findings of found tokens.
pub struct Judge<'j> {
    now: i64,
    verifier: Option<&'j Verifier<'j>>,
    /// Where leaks stand.
    nowhere: Document,
    /// The text that the last token stands in first.
    room: RefCell<Room>,
}

/// A text with room for one token, and the headers that tokens in it have; `None` is one that cannot be read.
struct Room {
    document: Document,
    headers: HashMap<Arc<[u8]>, Option<Document>>,
}

impl Room {
    fn of(name: &str) -> Self {
        Room { document: nowhere(name), headers: HashMap::new() }
    }

    /// Judges the token of this header in this text; `payload` is read of the same text. Says what it is for, and what is wrong
    /// with it; `None` when its header cannot be read.
    fn check(
        &mut self,
        plan: &Plan,
        seen: &Seen,
        payload: &Document,
        now: i64,
    ) -> Option<(&'static str, Vec<Finding>)> {
        let Room { document, headers } = self;
        let at = document.root().items().next()?;
        if headers.len() >= MAX_HEADERS && !headers.contains_key(&seen.header) {
            headers.clear();
        }
        let read = || decoded_segment(document, at.id, Segment::Header, &seen.header).ok();
        let header = headers.entry(Arc::clone(&seen.header)).or_insert_with(read).as_ref()?;
        let opened = Opened { header, payload, signature: seen.signature as usize };
        let (kind, findings) = check_token(plan, at, &opened, now)?;
        Some((if is_dpop_proof(header) { "dpop-proof" } else { kind.name() }, findings))
    }

    /// The claims of a token that stands in this text; `None` when they cannot be read.
    fn payload(&self, seen: &Seen) -> Option<Document> {
        let at = self.document.root().items().next().filter(|_| !seen.payload.is_empty())?;
        decoded_segment(&self.document, at.id, Segment::Payload, &seen.payload).ok()
    }
}

/// A document without a text, with room for one token: what leaks say of themselves stands in none.
fn nowhere(name: &str) -> Document {
    let mut builder = TreeBuilder::new();
    builder.open(Data::Seq, 0);
    builder.leaf(Data::Null, Default::default());
    builder.close(0, "");
    Document::new(Arc::new(Source::from_text(name, "")), Syntax::Json, builder.finish())
}

impl<'j> Judge<'j> {
    /// A judge by this clock (seconds since 1970), who verifies tokens if asked to.
    pub fn new(now: i64, verifier: Option<&'j Verifier<'j>>) -> Self {
        Judge { now, verifier, nowhere: nowhere(""), room: RefCell::new(Room::of("")) }
    }

    /// What is wrong with one found token, at the place it was found first: that it stands there, then what is wrong with
    /// its claims. Nothing of it shows the token.
    pub fn findings(&self, plan: &Plan, seen: &Seen) -> Vec<Finding> {
        match &seen.evidence {
            Some(evidence) => self.conclude(plan, seen, Evidence::clone(evidence)),
            None => {
                let mut room = self.room_of(seen);
                let payload = room.payload(seen);
                let evidence = self.made_out(plan, seen, &mut room, payload.as_ref());
                self.conclude(plan, seen, evidence)
            }
        }
    }

    /// What findings need of one found token; `plan` is the one for the file it was found in first.
    pub fn evidence(&self, plan: &Plan, seen: &Seen) -> Evidence<'static> {
        let mut room = self.room_of(seen);
        let payload = room.payload(seen);
        self.made_out(plan, seen, &mut room, payload.as_ref()).into_owned()
    }

    /// The text that a token stands in first.
    fn room_of(&self, seen: &Seen) -> RefMut<'_, Room> {
        let path = seen.places.first().map_or("", |first| &*first.path);
        let mut room = self.room.borrow_mut();
        if room.document.source.name() != path {
            *room = Room::of(path);
        }
        room
    }

    fn made_out<'p>(&self, plan: &Plan, seen: &Seen, room: &mut Room, payload: Option<&'p Document>) -> Evidence<'p> {
        let checked = payload.and_then(|payload| room.check(plan, seen, payload, self.now));
        let (purpose, mut claims) = checked.unwrap_or(("token", vec![]));
        // Of a token without its signature that is missing on purpose.
        if seen.state == State::Redacted {
            claims.clear();
        }
        claims.iter_mut().for_each(|finding| finding.related.clear());
        let said = payload.map(Said::of).unwrap_or_default();
        let seconds = |claim: Cursor<'_>| NumericDate::of(claim).and_then(NumericDate::seconds);
        let text = |claim: Option<Cursor<'p>>| claim.and_then(Cursor::as_str).map(Cow::Borrowed);
        let scopes = said.scope.and_then(Cursor::as_str).unwrap_or_default();
        // Who knows the identifier of such a token can write the token.
        let usable = seen.state == State::Unsigned || purpose == TargetKind::RefreshToken.name();
        Evidence {
            claims,
            purpose: purpose.into(),
            issuer: text(said.iss),
            jti: text(said.jti).filter(|_| !usable),
            client_id: text(said.client_id),
            scopes: scopes.split(' ').filter(|scope| !scope.is_empty()).map(Cow::Borrowed).collect(),
            expiry: match (payload, said.exp) {
                (None, _) => Expiry::Unseen,
                (Some(_), None) => Expiry::Never,
                (Some(_), Some(exp)) => seconds(exp).map_or(Expiry::Odd, Expiry::At),
            },
            begin: said.nbf.and_then(seconds),
            signature: self.verify(seen, said.iss.and_then(Cursor::as_str).unwrap_or_default()),
        }
    }

    /// Findings of one token, from what was made out of it.
    fn conclude(&self, plan: &Plan, seen: &Seen, mut evidence: Evidence<'_>) -> Vec<Finding> {
        let Some(first) = seen.places.first() else { return vec![] };
        let fingerprint = fingerprint::shown(seen.digest());
        let record = leak(seen, &evidence, &fingerprint, self.now);
        let fingerprint = fingerprint.as_str();
        let unlisted = of_unlisted(seen);
        let target = Target { identity: fingerprint.into(), ..Target::of(TargetKind::Leak, fingerprint, &record) };
        let mut findings = check_alone(plan, &self.nowhere, &target, self.now);
        drop(target);
        for finding in &mut findings {
            finding.related = seen.places.iter().skip(1).map(also).collect();
            finding.message.push_str(of_signature(evidence.signature));
            finding.message.push_str(&unlisted);
        }
        findings.append(&mut evidence.claims);
        let (path, region) = (SmolStr::from(&*first.path), region(first));
        for finding in &mut findings {
            finding.path.clone_from(&path);
            finding.region = region;
            finding.pointer = SmolStr::default();
        }
        findings
    }

    fn verify(&self, seen: &Seen, issuer: &str) -> Option<bool> {
        let (verifier, signature) = (self.verifier?, seen.sealed.as_ref()?.expose_secret());
        let mut token = Zeroizing::new(encoded(seen, signature.len()));
        // There is room for it, so that no copy stays behind.
        token.push_str(signature);
        verifier(&token, issuer)
    }
}

fn of_signature(signature: Option<bool>) -> &'static str {
    match signature {
        Some(true) => "; its signature is valid",
        Some(false) => "; no key at hand made its signature",
        None => "",
    }
}

/// Where there are more places than findings list. Of some formats the first place is all that is shown.
fn of_unlisted(seen: &Seen) -> String {
    match seen.places.len() {
        listed if seen.count > listed as u64 => {
            format!("; at most {listed} of these places are listed, `tokenvet trace` finds all")
        }
        _ => String::new(),
    }
}

fn also(place: &Place) -> Related {
    let (message, path) = ("the same token".into(), place.path.as_ref().into());
    Related { message, path, region: region(place), pointer: SmolStr::default() }
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
fn leak<'e>(seen: &Seen, evidence: &'e Evidence<'_>, fingerprint: &'e str, now: i64) -> Leak<'e> {
    let state = match seen.state {
        State::Whole => "whole",
        State::Unsigned => "unsigned",
        State::Truncated => "truncated",
        State::Redacted => "redacted",
    };
    let number = |number: u64| Field::int(i64::try_from(number).unwrap_or(i64::MAX), None);
    let text =
        |text: &'e Option<Cow<'_, str>>| text.as_deref().map_or_else(Field::default, |text| Field::text(text, None));
    let scopes = &evidence.scopes;
    let writes = scopes.iter().filter_map(|scope| Capability::parse(scope)).any(Capability::permits_modifying);
    Leak {
        form: Field::text(seen.form.name(), None),
        state: Field::text(state, None),
        purpose: Field::text(&*evidence.purpose, None),
        carrier: if seen.carrier.is_empty() { Field::default() } else { Field::text(seen.carrier, None) },
        issuer: text(&evidence.issuer),
        jti: text(&evidence.jti),
        client_id: text(&evidence.client_id),
        writes: if scopes.is_empty() { Field::default() } else { Field::bool(writes, None) },
        scopes: match scopes.is_empty() {
            true => Field::default(),
            false => Field::list(scopes.iter().map(|scope| Field::text(&**scope, None)).collect(), None),
        },
        remaining: match evidence.expiry {
            Expiry::Unseen | Expiry::Odd => Field::default(),
            Expiry::Never => Field::unlimited(None),
            Expiry::At(exp) => Field::int(exp.saturating_sub(now), None),
        },
        begins: match evidence.begin {
            Some(begin) if begin > now => Field::int(begin.saturating_sub(now), None),
            Some(_) | None => Field::default(),
        },
        count: number(seen.count),
        files: number(seen.files),
        fingerprint: Field::text(fingerprint, None),
        signature: match evidence.signature {
            Some(true) => Field::text("valid", None),
            Some(false) => Field::text("invalid", None),
            None => Field::default(),
        },
    }
}

/// Claims that evidence holds; of several with one name the last, as most readers take it.
#[derive(Default)]
struct Said<'p> {
    iss: Option<Cursor<'p>>,
    jti: Option<Cursor<'p>>,
    client_id: Option<Cursor<'p>>,
    scope: Option<Cursor<'p>>,
    exp: Option<Cursor<'p>>,
    nbf: Option<Cursor<'p>>,
}

impl<'p> Said<'p> {
    fn of(payload: &'p Document) -> Self {
        let mut said = Said::default();
        for (name, claim) in payload.root().entries() {
            let place = match name {
                "iss" => &mut said.iss,
                "jti" => &mut said.jti,
                "client_id" => &mut said.client_id,
                "scope" => &mut said.scope,
                "exp" => &mut said.exp,
                "nbf" => &mut said.nbf,
                _ => continue,
            };
            *place = Some(claim);
        }
        said
    }
}
