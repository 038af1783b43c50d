//! What a scan found: each distinct token once, with the places it stands at.
//!
//! One [`Tally`] takes the tokens of one text after the other; tallies of different texts are merged. What is reported does
//! not depend on which thread or machine read what, nor in which order they are merged: counts add up, first places are the
//! smallest, and when there are more tokens than are told apart, the same ones are kept.

use super::find::{Form, Hit, State, plain};
use super::fingerprint::Fingerprints;
use super::glance::Glance;
use super::judge::Evidence;
use super::sketch::Sketch;
use super::stream;
use crate::parse::jwt::decode_bytes;
use schemars::JsonSchema;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

/// Places that are kept of one token, in different texts before others; all are counted.
pub const PLACES: usize = 6;
/// Bytes before a token in which its carrier is looked for.
const BEFORE: usize = 96;
/// Longest header and payload that are kept together, in characters (64 KiB); of longer tokens nothing can be read.
const READABLE: usize = 64 << 10;
/// Bytes that a token takes besides what can be read of it.
const OVERHEAD: usize = 256;

/// SHA-256 of a token in its plain form, or of another spelling of it.
type Digest = [u8; 32];

/// What a tally keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Distinct tokens that are told apart.
    pub tokens: usize,
    /// Bytes that they may take together, about.
    pub bytes: usize,
    /// The clock of the run, in seconds since 1970: tokens that are still valid come first.
    pub now: i64,
    /// Signatures are kept in memory until they are verified. Only where there are keys to verify them with.
    pub signatures: bool,
}

impl Limits {
    /// Distinct tokens that are told apart unless somebody asks for more.
    pub const TOKENS: usize = 100_000;

    /// Limits for this many distinct tokens of usual size.
    pub fn of(tokens: usize, now: i64) -> Self {
        const USUAL: usize = 1 << 10;
        Limits { tokens, bytes: tokens.saturating_mul(USUAL), now, signatures: false }
    }
}

/// Where a token stands.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The text, as users named it.
    pub path: Arc<str>,
    /// Offset in bytes.
    pub offset: u64,
    /// Length in bytes, with everything that encodes or wraps it.
    pub length: u32,
    /// The line, from 1; the largest number stands for all beyond.
    pub line: u32,
    /// Characters of the line before it.
    pub column: u32,
    /// The line of its end, and the characters of that line up to there.
    pub end: (u32, u32),
}

/// One distinct token. What makes it usable is not kept, unless it is to be verified.
#[derive(Debug, Clone)]
pub struct Seen {
    /// What it is.
    pub form: Form,
    /// How much of it there is.
    pub state: State,
    /// The name before it at its first place: `bearer`, `authz`, `access_token`, …; empty when there is none.
    pub carrier: &'static str,
    /// Places by path and offset, the first one before all: in as many texts as there is room for, then further ones in the
    /// same texts.
    pub places: Vec<Place>,
    /// How often it was found.
    pub count: u64,
    /// In how many texts; those of which only a stretch was read stand in `stretches` until the end.
    pub files: u64,
    /// The texts of which only stretches were read, by their names.
    pub(crate) stretches: BTreeSet<Arc<str>>,
    /// The last text it was found in, by number.
    pub(crate) last_text: u64,
    /// SHA-256 of the token in its plain form, keyed where the user gave a key.
    pub(crate) digest: Digest,
    /// The decoded header of a JWT; empty when it cannot be read.
    pub(crate) header: Arc<[u8]>,
    /// Its decoded payload; empty when it cannot be read.
    pub(crate) payload: Box<[u8]>,
    /// Characters of its signature.
    pub(crate) signature: u32,
    /// The signature itself, where it is to be verified.
    pub(crate) sealed: Option<SecretString>,
    /// How much it matters.
    pub standing: Standing,
    /// Bytes that it takes, about; they depend on nothing but the token.
    pub(crate) weight: usize,
    /// What findings need of it, where that was made out by whoever read the texts: nothing else of the token is known then.
    pub(crate) evidence: Option<Box<Evidence<'static>>>,
}

/// One of many tokens. In a place of its own, since moving them all whenever there are twice as many would take three times
/// the memory for a moment.
pub type Kept = Box<Seen>;

/// How much a found token matters, as far as the token alone shows it: the order in which people are told, and in which
/// tokens are kept when there are too many.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Standing {
    /// It can be used to get others (a refresh token) or to change a client (a registration token).
    Renewing,
    /// It is still valid, and its scopes let it change something or reach everything.
    Powerful,
    /// It is still valid.
    Usable,
    /// All of it is there, and nothing in it says how long it is valid.
    Opaque,
    /// It has expired.
    Expired,
    /// Its end is missing.
    Truncated,
    /// Its signature was taken away.
    Redacted,
}

impl Standing {
    /// Of a token of which all is there, by what it says; `None` when that is nothing one could read.
    fn of(glance: Option<Glance>, now: i64) -> Standing {
        match glance {
            Some(glance) if glance.exp.is_some_and(|exp| exp <= now as f64) => Standing::Expired,
            Some(glance) if glance.renews => Standing::Renewing,
            Some(glance) if glance.is_powerful => Standing::Powerful,
            Some(_) | None => Standing::Usable,
        }
    }
}

/// Which of two tokens is rather kept. It depends on nothing but the token, so that every tally keeps the same ones; among
/// equals the digest decides, which is as good as by chance.
pub(crate) type Rank = (Standing, Digest);

impl Seen {
    /// What fingerprints are the beginning of: SHA-256 of the token in its plain form, keyed where the user gave a key.
    pub fn digest(&self) -> &[u8; 32] {
        &self.digest
    }

    /// The decoded header of a JWT, and its decoded payload; empty where they cannot be read.
    pub fn parts(&self) -> (&[u8], &[u8]) {
        (&self.header, &self.payload)
    }

    fn rank(&self) -> Rank {
        (self.standing, self.digest)
    }

    /// Takes what was found of the same token in other texts, or in other stretches.
    fn merge(&mut self, theirs: Seen) {
        self.count = self.count.saturating_add(theirs.count);
        self.files = self.files.saturating_add(theirs.files);
        self.stretches.extend(theirs.stretches);
        let carrier = theirs.carrier;
        let is_first = |theirs: &Place| self.places.first().is_none_or(|ours| theirs < ours);
        if theirs.evidence.is_some() && theirs.places.first().is_some_and(is_first) {
            self.evidence = theirs.evidence;
        }
        theirs.places.into_iter().for_each(|place| self.keep_place(place, || carrier));
    }

    /// How many places in the same text are kept before each place.
    fn ranks(&self) -> impl Iterator<Item = (usize, &Place)> {
        let mut rank = 0;
        self.places.iter().enumerate().map(move |(index, place)| {
            let is_further = index > 0 && self.places[index - 1].path == place.path;
            rank = if is_further { rank + 1 } else { 0 };
            (rank, place)
        })
    }

    /// Is a place in this text kept? Whoever takes tokens out of reach must know every text, so the first place in each text
    /// comes before the second in any. What is kept of some places and of others is then what is kept of all.
    fn wants(&self, path: &Arc<str>, offset: u64) -> bool {
        if self.places.len() < PLACES {
            return true;
        }
        let rank = self.places.iter().filter(|known| known.offset < offset && known.path == *path).count();
        self.ranks().any(|(other, known)| (other, &known.path, known.offset) >= (rank, path, offset))
    }

    /// Keeps a place, if it is one of those that are kept; `carrier` says by what name the token is given there.
    fn keep_place(&mut self, place: Place, carrier: impl FnOnce() -> &'static str) {
        let at = self.places.partition_point(|known| *known < place);
        if at == 0 {
            self.carrier = carrier();
        }
        self.places.insert(at, place);
        if self.places.len() > PLACES {
            let last = self.ranks().enumerate().max_by_key(|(_, (rank, _))| *rank);
            if let Some(last) = last.map(|(index, _)| index) {
                self.places.remove(last);
            }
        }
    }
}

/// SHA-256 of a token in its plain form; `window` is the text that the hit's spans count in.
pub fn digest(hit: &Hit, window: &[u8]) -> [u8; 32] {
    match hit.form {
        Form::Jwt => digest_of(hit, &parts(hit, window)),
        Form::Jwe | Form::Macaroon | Form::Eos | Form::Envelope => Sha256::digest(&window[hit.span.clone()]).into(),
    }
}

/// Header, payload and signature of a JWT in their plain form.
fn parts<'w>(hit: &Hit, window: &'w [u8]) -> [Cow<'w, [u8]>; 3] {
    [&hit.header, &hit.payload, &hit.secret].map(|part| match hit.is_plain {
        true => Cow::Borrowed(&window[part.clone()]),
        false => plain(&window[part.clone()]),
    })
}

fn digest_of(hit: &Hit, parts: &[Cow<'_, [u8]>; 3]) -> Digest {
    let [header, payload, secret] = parts;
    match hit.spelling.filter(|_| hit.is_plain) {
        Some(spelling) => spelling,
        None => Sha256::digest([header, b".".as_slice(), payload, b".", secret].concat()).into(),
    }
}

/// The fingerprint of a digest without a key.
pub fn fingerprint(digest: &[u8; 32]) -> String {
    Fingerprints::default().of(digest)
}

/// Collects tokens.
#[derive(Debug)]
pub struct Tally {
    limits: Limits,
    seen: Vec<Kept>,
    /// Tokens by their digests and by those of other spellings.
    by_digest: HashMap<Digest, usize>,
    headers: HashSet<Arc<[u8]>>,
    weight: usize,
    /// Of the tokens from this rank on some were dropped, so none is kept.
    bound: Option<Rank>,
    /// The text at work, and how many there were.
    path: Arc<str>,
    texts: u64,
    /// Where the stretch of it begins that is read, when that is not all of it.
    stretch: Option<u64>,
    found: u64,
    fingerprints: Fingerprints,
    /// The tokens that are not kept; those that are join them where somebody asks how many there are.
    kinds: Kinds,
}

/// Sketches of what is too much to be kept: how many different tokens, subjects and identifiers there are, about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Kinds {
    pub(crate) tokens: Sketch,
    /// By `iss` and `sub`.
    pub(crate) subjects: Sketch,
    /// By `iss` and `jti`.
    pub(crate) identifiers: Sketch,
}

impl Kinds {
    /// Adds a token; once more changes nothing.
    fn add(&mut self, seen: &Seen) {
        #[derive(Deserialize)]
        struct Who<'c> {
            #[serde(borrow)]
            iss: Option<Cow<'c, str>>,
            #[serde(borrow)]
            sub: Option<Cow<'c, str>>,
            #[serde(borrow)]
            jti: Option<Cow<'c, str>>,
        }
        self.tokens.add(&seen.digest);
        let Ok(who) = serde_json::from_slice::<Who<'_>>(&seen.payload) else { return };
        let issuer = who.iss.unwrap_or_default();
        let hash = |text: &str| Sha256::digest([issuer.as_bytes(), b"\0", text.as_bytes()].concat()).into();
        who.sub.iter().for_each(|sub| self.subjects.add(&hash(sub)));
        who.jti.iter().for_each(|jti| self.identifiers.add(&hash(jti)));
    }

    pub(crate) fn merge(&mut self, other: &Kinds) {
        self.tokens.merge(&other.tokens);
        self.subjects.merge(&other.subjects);
        self.identifiers.merge(&other.identifiers);
    }
}

/// What was found in some texts, on its way to where it is merged with what was found in others.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) tokens: Vec<Kept>,
    pub(crate) bound: Option<Rank>,
    pub(crate) found: u64,
    pub(crate) kinds: Kinds,
}

impl Tally {
    /// Nothing found yet.
    pub fn new(limits: Limits) -> Self {
        Tally {
            limits,
            seen: vec![],
            by_digest: HashMap::new(),
            headers: HashSet::new(),
            weight: 0,
            bound: None,
            path: "".into(),
            texts: 0,
            stretch: None,
            found: 0,
            fingerprints: Fingerprints::default(),
            kinds: Kinds::default(),
        }
    }

    /// The same, with other names for tokens. All tallies that are merged need the same.
    pub fn named_by(self, fingerprints: Fingerprints) -> Self {
        Tally { fingerprints, ..self }
    }

    /// What was found, to be sent away: by rank, so that it does not depend on who found what first.
    pub(crate) fn into_shared(mut self) -> Shared {
        self.sort_out();
        self.seen.sort_by_key(|seen| seen.rank());
        self.seen.iter().for_each(|seen| self.kinds.add(seen));
        Shared { tokens: self.seen, bound: self.bound, found: self.found, kinds: self.kinds }
    }

    /// What somebody else found.
    pub(crate) fn of_shared(limits: Limits, shared: Shared) -> Self {
        let mut tally = Tally::new(limits);
        (tally.bound, tally.found, tally.kinds) = (shared.bound, shared.found, shared.kinds);
        shared.tokens.into_iter().for_each(|seen| {
            tally.keep(seen);
        });
        tally
    }

    /// Another text begins, by the name that users know it by. Members of an archive may have the same one.
    pub fn begin(&mut self, path: &str) {
        self.path = path.into();
        self.texts += 1;
        self.stretch = None;
    }

    /// Another stretch of a text begins, at the beginning of a line: at this offset. Lines count from there; whoever knows
    /// all stretches numbers them, see [`Account::number_lines`].
    pub fn begin_stretch(&mut self, path: &str, offset: u64) {
        self.begin(path);
        self.stretch = Some(offset);
    }

    /// Takes one token of the text that was begun last.
    pub fn add(&mut self, found: &stream::Place<'_>) {
        self.found += 1;
        let known = found.hit.spelling.and_then(|spelling| self.by_digest.get(&spelling).copied());
        let index = match known {
            Some(index) => index,
            None => match self.index_of(found) {
                Some(index) => index,
                None => return,
            },
        };
        let seen = &mut self.seen[index];
        seen.count += 1;
        if seen.last_text != self.texts {
            match self.stretch {
                Some(_) => _ = seen.stretches.insert(Arc::clone(&self.path)),
                None => seen.files += 1,
            }
            seen.last_text = self.texts;
        }
        if seen.wants(&self.path, self.stretch.unwrap_or(0) + found.offset) {
            let place = self.place(found);
            let before = &found.window[found.hit.span.start.saturating_sub(BEFORE)..found.hit.span.start];
            self.seen[index].keep_place(place, || carrier(before));
        }
    }

    fn place(&self, found: &stream::Place<'_>) -> Place {
        let number = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
        let (lines, column) = found.extent();
        Place {
            path: Arc::clone(&self.path),
            offset: self.stretch.unwrap_or(0) + found.offset,
            length: number(found.hit.span.len() as u64),
            line: number(found.line),
            column: number(found.column),
            end: (number(found.line + lines), number(column)),
        }
    }

    /// The number of a token whose spelling is new; `None` when it is not kept.
    fn index_of(&mut self, found: &stream::Place<'_>) -> Option<usize> {
        let (hit, window) = (found.hit, found.window);
        let parts = parts(hit, window);
        let digest = match hit.form {
            Form::Jwt => digest_of(hit, &parts),
            Form::Jwe | Form::Macaroon | Form::Eos | Form::Envelope => digest(hit, window),
        };
        let digest = self.fingerprints.whole(&digest);
        let spelling = hit.spelling.filter(|spelling| *spelling != digest);
        // In its plain form it is new, as its spelling is.
        let known = if hit.spelling == Some(digest) { None } else { self.by_digest.get(&digest).copied() };
        let index = match known {
            Some(index) => index,
            None => {
                let seen = Kept::new(self.seen_first(found, &parts, digest));
                self.keep(seen)?
            }
        };
        // Whoever spells one token in ever new ways is made to wait rather than to fill the memory.
        if let Some(spelling) = spelling.filter(|_| self.by_digest.len() < 2 * self.limits.tokens) {
            self.by_digest.entry(spelling).or_insert(index);
        }
        Some(index)
    }

    fn seen_first(&self, found: &stream::Place<'_>, parts: &[Cow<'_, [u8]>; 3], digest: Digest) -> Seen {
        let hit = found.hit;
        let readable = hit.form == Form::Jwt
            && matches!(hit.state, State::Whole | State::Unsigned | State::Redacted)
            && parts[0].len() + parts[1].len() <= READABLE;
        let decoded = |part: &[u8]| decode_bytes(part).unwrap_or_default();
        let (payload, glance): (Box<[u8]>, _) = match found.opened {
            _ if !readable => Default::default(),
            Some((payload, glance)) => (payload.into(), Some(glance)),
            None => {
                let payload = decoded(&parts[1]);
                let glance = Glance::of(&payload);
                (payload.into(), glance)
            }
        };
        let header = if readable { decoded(&parts[0]) } else { vec![] };
        let keeps = self.limits.signatures && readable && hit.state == State::Whole && parts[2].len() <= READABLE;
        Seen {
            form: hit.form,
            state: hit.state,
            carrier: "",
            places: Vec::with_capacity(1),
            count: 0,
            files: 0,
            stretches: BTreeSet::new(),
            last_text: 0,
            digest,
            weight: OVERHEAD + header.len() + payload.len() + if keeps { parts[2].len() } else { 0 },
            evidence: None,
            header: header.into(),
            standing: match (hit.state, payload.is_empty()) {
                (State::Truncated, _) => Standing::Truncated,
                (State::Redacted, _) => Standing::Redacted,
                (State::Whole | State::Unsigned, true) => Standing::Opaque,
                (State::Whole | State::Unsigned, false) => Standing::of(glance, self.limits.now),
            },
            payload,
            signature: u32::try_from(parts[2].len().min(READABLE)).unwrap_or(u32::MAX),
            sealed: keeps.then(|| std::str::from_utf8(&parts[2]).ok().map(SecretString::from)).flatten(),
        }
    }

    /// Takes a token that is not known yet; `None` when there is no room for its like.
    fn keep(&mut self, mut seen: Kept) -> Option<usize> {
        if self.bound.is_some_and(|bound| seen.rank() >= bound) {
            self.kinds.add(&seen);
            return None;
        }
        match self.headers.get(&seen.header) {
            Some(header) => seen.header = Arc::clone(header),
            None if self.headers.len() < self.limits.tokens => {
                self.headers.insert(Arc::clone(&seen.header));
            }
            None => {}
        }
        let (index, digest) = (self.seen.len(), seen.digest);
        self.weight += seen.weight;
        self.by_digest.insert(digest, index);
        self.seen.push(seen);
        // Some more than the limit, so that tokens are sorted out a few times and not each time.
        if self.seen.len() > self.limits.tokens + self.limits.tokens / 4 || self.weight > self.limits.bytes / 4 * 5 {
            self.sort_out();
            return self.by_digest.get(&digest).copied();
        }
        Some(index)
    }

    /// Drops what is over the limits.
    fn sort_out(&mut self) {
        if self.seen.len() <= self.limits.tokens && self.weight <= self.limits.bytes {
            return;
        }
        let mut ranks: Vec<(Rank, usize)> = self.seen.iter().map(|seen| (seen.rank(), seen.weight)).collect();
        ranks.sort_unstable();
        let mut weight = 0;
        let mut fits = |(index, (_, of_one)): (usize, &(Rank, usize))| {
            weight += of_one;
            index < self.limits.tokens && weight <= self.limits.bytes
        };
        if let Some(first) = ranks.iter().enumerate().position(|ranked| !fits(ranked)) {
            self.drop_from(ranks[first].0);
        }
    }

    /// Keeps no token from this rank on.
    fn drop_from(&mut self, bound: Rank) {
        let bound = self.bound.map_or(bound, |earlier| earlier.min(bound));
        self.bound = Some(bound);
        let kinds = &mut self.kinds;
        self.seen.retain(|seen| {
            let is_kept = seen.rank() < bound;
            if !is_kept {
                kinds.add(seen);
            }
            is_kept
        });
        self.weight = self.seen.iter().map(|seen| seen.weight).sum();
        self.by_digest = self.seen.iter().enumerate().map(|(index, seen)| (seen.digest, index)).collect();
        self.headers = self.seen.iter().map(|seen| Arc::clone(&seen.header)).collect();
    }

    /// Adds what was found in other texts.
    pub fn merge(&mut self, other: Tally) {
        if self.found == 0 && self.limits == other.limits && self.bound.is_none() {
            *self = other;
            return;
        }
        self.found = self.found.saturating_add(other.found);
        self.kinds.merge(&other.kinds);
        // Numbers of texts only tell those of one tally apart.
        self.texts += other.texts;
        if let Some(bound) = other.bound {
            self.drop_from(bound);
        }
        for mut theirs in other.seen {
            theirs.last_text = 0;
            match self.by_digest.get(&theirs.digest) {
                Some(&index) => self.seen[index].merge(*theirs),
                None => {
                    self.keep(theirs);
                }
            }
        }
    }

    /// What was found, once all texts were read.
    pub fn finish(mut self) -> Account {
        self.sort_out();
        let told_apart = self.seen.iter().fold(0u64, |sum, seen| sum.saturating_add(seen.count));
        let mut tokens = self.seen;
        for seen in &mut tokens {
            seen.files = seen.files.saturating_add(std::mem::take(&mut seen.stretches).len() as u64);
        }
        // Texts may have one name, so that two tokens can stand at the same place.
        let order = |seen: &Kept| (seen.standing, seen.places.first().cloned(), seen.digest);
        tokens.sort_by_cached_key(order);
        let beyond = self.found.saturating_sub(told_apart);
        if beyond > 0 {
            tokens.iter().for_each(|seen| self.kinds.add(seen));
        }
        Account { tokens, found: self.found, beyond, kinds: self.kinds }
    }
}

/// All that a scan found.
#[derive(Debug)]
pub struct Account {
    /// The tokens that are told apart: those that matter most first, then by their first places.
    pub tokens: Vec<Kept>,
    /// How many tokens stand in the texts, each counted as often as it does.
    pub found: u64,
    /// How many of those belong to tokens for which there was no room.
    pub beyond: u64,
    kinds: Kinds,
}

impl Account {
    /// Numbers the lines of texts of which stretches were read: `before` says how many lines there are before the stretch
    /// that holds an offset, and `None` for texts that were read as a whole.
    pub fn number_lines(&mut self, before: &dyn Fn(&str, u64) -> Option<u64>) {
        for place in self.tokens.iter_mut().flat_map(|seen| &mut seen.places) {
            let Some(lines) = before(&place.path, place.offset) else { continue };
            let numbered = |line: u32| u32::try_from(lines.saturating_add(u64::from(line))).unwrap_or(u32::MAX);
            (place.line, place.end.0) = (numbered(place.line), numbered(place.end.0));
        }
    }

    /// What a report has to say of its own gaps.
    pub fn notes(&self) -> Vec<String> {
        match self.beyond {
            0 => vec![],
            beyond => vec![format!(
                "there are more distinct tokens than are told apart: {} are reported, those that can still be used before \
                 others, and {beyond} of {} occurrences belong to tokens that are not; in all there are about {} tokens \
                 with {} identifiers, of {} subjects; raise --max-tokens, or scan fewer files at a time",
                self.tokens.len(),
                self.found,
                self.kinds.tokens.estimate(),
                self.kinds.identifiers.estimate(),
                self.kinds.subjects.estimate()
            )],
        }
    }
}

/// Names that tokens are given by; one that ends another stands behind it.
pub(crate) const CARRIERS: [&str; 14] = [
    "registration_access_token",
    "refresh_token",
    "subject_token",
    "actor_token",
    "client_assertion",
    "id_token_hint",
    "access_token",
    "id_token",
    "transferheaderauthorization",
    "authorization",
    "bearer_token",
    "bearer",
    "authz",
    "token",
];

/// The name that a token is given by, right before it.
fn carrier(before: &[u8]) -> &'static str {
    /// What may stand between the name and the token: signs, and their percent-encoded or escaped forms.
    const SIGNS: [u8; 12] = *b" =:\"'\\\t([>,+";
    const ENCODED: [&[u8]; 7] = [b"%20", b"%22", b"%3d", b"%3a", b"%2520", b"%253d", b"\\u0022"];
    let mut lower = [0; BEFORE];
    let lower = &mut lower[..before.len().min(BEFORE)];
    lower.copy_from_slice(&before[before.len() - lower.len()..]);
    lower.make_ascii_lowercase();
    let mut rest = &*lower;
    loop {
        let shorter = match rest {
            [shorter @ .., sign] if SIGNS.contains(sign) => Some(shorter),
            _ => ENCODED.iter().find_map(|sign| rest.strip_suffix(*sign)),
        };
        match shorter {
            Some(shorter) => rest = shorter,
            None => break,
        }
    }
    CARRIERS.into_iter().find(|name| rest.ends_with(name.as_bytes())).unwrap_or("")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan::find::Finder;
    use crate::scan::stream::Scanner;
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    const NOW: i64 = 1_767_225_600;

    /// A token with a made-up signature: no key ever signed it. Every third can still be used.
    fn token(n: usize) -> String {
        let exp = NOW + if n.is_multiple_of(3) { 3600 } else { -3600 };
        let payload = format!(r#"{{"iss":"https://vo.example.org/","jti":"{n}","exp":{exp}}}"#);
        let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
        format!("{}.{}.{}", part(r#"{"alg":"ES256"}"#), part(&payload), "TestSignature-".repeat(7)[..86].to_owned())
    }

    /// Texts that share tokens, spelled in three ways.
    fn texts(tokens: usize) -> Vec<(String, String)> {
        let mut dice = 7usize;
        let mut roll = |sides: usize| {
            dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (dice >> 33) % sides
        };
        let text = |roll: &mut dyn FnMut(usize) -> usize| {
            let lines = (0..40).map(|_| {
                let jwt = token(roll(tokens));
                match roll(4) {
                    0 => format!("authz=Bearer%20{jwt}&x\n"),
                    1 => format!("?access_token={}\n", jwt.replace('.', "%2E")),
                    2 => format!("ä {}...\n", &jwt[..jwt.len() - 30]),
                    _ => format!("Authorization: Bearer {jwt}\n"),
                }
            });
            lines.collect::<String>()
        };
        (0..12).map(|n| (format!("log.{n:02}"), text(&mut roll))).collect()
    }

    fn tally<'t>(limits: Limits, texts: impl Iterator<Item = &'t (String, String)>) -> Tally {
        let finder = Finder::new().expect("anchors");
        let mut scanner = Scanner::new(&finder);
        let mut tally = Tally::new(limits);
        for (path, text) in texts {
            tally.begin(path);
            scanner.tokens(text.as_bytes(), &mut |place| tally.add(&place)).expect("memory");
        }
        tally
    }

    /// Everything that is reported of an account.
    fn shown(account: &Account) -> Vec<String> {
        let token = |seen: &Kept| {
            let fingerprint = Fingerprints::default().of(&seen.digest);
            format!("{fingerprint} {} {} {} {:?} {:?}", seen.carrier, seen.count, seen.files, seen.state, seen.places)
        };
        let counts = format!("{} {}", account.found, account.beyond);
        account.tokens.iter().map(token).chain([counts]).collect()
    }

    #[test]
    fn places_in_different_texts_are_kept_before_others() {
        let limits = Limits::of(10, NOW);
        let kept = |times: &[usize]| {
            let text =
                |(n, times): (usize, &usize)| (format!("log.{n}"), format!("Bearer {}\n", token(0)).repeat(*times));
            let texts: Vec<_> = times.iter().enumerate().map(text).collect();
            let account = tally(limits, texts.iter()).finish();
            assert_eq!(account.tokens[0].count, times.iter().sum::<usize>() as u64);
            let place = |place: &Place| format!("{}:{}", &place.path["log.".len()..], place.line);
            account.tokens[0].places.iter().map(place).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(kept(&[9]), "0:1 0:2 0:3 0:4 0:5 0:6");
        assert_eq!(kept(&[9, 1]), "0:1 0:2 0:3 0:4 0:5 1:1");
        assert_eq!(kept(&[9, 9]), "0:1 0:2 0:3 1:1 1:2 1:3");
        assert_eq!(kept(&[1, 9, 1, 2]), "0:1 1:1 1:2 2:1 3:1 3:2");
        assert_eq!(kept(&[2, 1, 1, 1, 1, 1, 1, 1]), "0:1 1:1 2:1 3:1 4:1 5:1");
    }

    /// Each of few tokens stands in every text, in most of them several times.
    #[test]
    fn the_same_places_are_kept_whoever_reads_what_in_which_order() {
        let (texts, limits) = (texts(7), Limits::of(1000, NOW));
        let expected = shown(&tally(limits, texts.iter()).finish());
        assert_eq!(shown(&tally(limits, texts.iter().rev()).finish()), expected, "last text first");
        for parts in [2, 3, 5, 12] {
            for turn in 0..parts {
                let mut merged = Tally::new(limits);
                for n in 0..parts {
                    merged.merge(tally(limits, texts.iter().skip((n + turn) % parts).step_by(parts)));
                }
                assert_eq!(shown(&merged.finish()), expected, "{parts} parts from {turn}");
            }
        }
    }

    #[test]
    fn the_same_is_found_whoever_reads_what_in_which_order() {
        let texts = texts(90);
        for limits in [
            Limits { tokens: 1000, bytes: 1 << 20, now: NOW, signatures: false },
            Limits { tokens: 20, bytes: 1 << 20, now: NOW, signatures: false },
            Limits { tokens: 1000, bytes: 15 * (OVERHEAD + 90), now: NOW, signatures: false },
        ] {
            let whole = tally(limits, texts.iter()).finish();
            let expected = shown(&whole);
            assert_eq!(whole.found, 480);
            assert!(whole.tokens.len() <= limits.tokens && (whole.beyond > 0) == (whole.tokens.len() < 60));
            let backwards = tally(limits, texts.iter().rev()).finish();
            assert_eq!(shown(&backwards), expected, "{limits:?}: last text first");
            for parts in [2, 3, 5, 12] {
                let part = |n: usize| tally(limits, texts.iter().skip(n).step_by(parts));
                for turn in 0..parts {
                    let mut merged = Tally::new(limits);
                    (0..parts).for_each(|n| merged.merge(part((n + turn) % parts)));
                    assert_eq!(shown(&merged.finish()), expected, "{limits:?}: {parts} parts from {turn}");
                }
            }
        }
    }

    /// As what was appended to a tar: its members have one name, and their tokens begin at one place.
    #[test]
    fn texts_of_one_name_are_told_in_one_order() {
        let limits = Limits { tokens: 1000, bytes: 1 << 20, now: NOW, signatures: false };
        let texts: Vec<(String, String)> = (0..6).map(|n| ("x.tar!a.log".into(), token(n))).collect();
        let expected = shown(&tally(limits, texts.iter()).finish());
        assert_eq!(shown(&tally(limits, texts.iter().rev()).finish()), expected, "last text first");
        let sent = Tally::of_shared(limits, tally(limits, texts.iter()).into_shared());
        assert_eq!(shown(&sent.finish()), expected, "sent away and merged");
    }

    #[test]
    fn those_that_can_be_used_are_kept_before_others() {
        let limits = Limits { tokens: 30, bytes: 1 << 20, now: NOW, signatures: false };
        let account = tally(limits, texts(90).iter()).finish();
        assert_eq!(account.tokens.len(), 30);
        let usable = account.tokens.iter().filter(|seen| seen.standing < Standing::Opaque).count();
        assert!((25..=30).contains(&usable), "{usable} of the 30 that exist");
        let kept: u64 = account.tokens.iter().map(|seen| seen.count).sum();
        assert_eq!(kept + account.beyond, account.found, "what is not kept is counted");
    }

    #[test]
    fn one_token_is_one_however_it_is_spelled() {
        let jwt = token(0);
        let spelled = [
            jwt.clone(),
            jwt.replace('.', "%2E"),
            format!("{}\n{}", &jwt[..100], &jwt[100..]),
            jwt.replace('.', "%252e"),
            format!("{jwt}."),
        ];
        let lines: String = spelled.iter().map(|token| format!("Bearer {token} and\n")).collect();
        let limits = Limits::of(10, NOW);
        let account = tally(limits, [("a".to_string(), lines.clone()), ("b".to_string(), lines)].iter()).finish();
        assert_eq!(account.tokens.len(), 1);
        let seen = &account.tokens[0];
        assert_eq!((seen.count, seen.files, seen.places.len(), seen.carrier), (10, 2, PLACES, "bearer"));
        let (first, second) = seen.places.split_at(3);
        assert!(first.iter().all(|place| &*place.path == "a") && second.iter().all(|place| &*place.path == "b"));
        assert_eq!(first[0].line, 1);
        assert_eq!(first[2].end, (4, (jwt.len() - 100) as u32), "the wrapped one ends in the next line");
    }

    #[test]
    fn memory_is_bounded_whatever_is_found() {
        let limits = Limits { tokens: 50, bytes: 64 << 10, now: NOW, signatures: false };
        let mut most = 0;
        let finder = Finder::new().expect("anchors");
        let mut scanner = Scanner::new(&finder);
        let mut tally = Tally::new(limits);
        for n in 0..2000 {
            tally.begin("log");
            // Some with a long payload, some spelled anew each time.
            let long = URL_SAFE_NO_PAD.encode(format!(r#"{{"jti":"{n}","x":"{}"}}"#, "y".repeat(n % 7 * 2000)));
            let jwt = format!(
                "{}.{long}.{}",
                URL_SAFE_NO_PAD.encode(format!(r#"{{"alg":"ES256","kid":"{n}"}}"#)),
                "T".repeat(86)
            );
            scanner.tokens(format!("Bearer {jwt}\n").as_bytes(), &mut |place| tally.add(&place)).expect("memory");
            most = most.max(tally.weight);
            assert!(tally.seen.len() <= 63 && tally.by_digest.len() <= 200 && tally.headers.len() <= 64);
            assert!(tally.headers.len() <= tally.seen.len(), "what is not kept leaves no header");
        }
        assert!(most <= limits.bytes / 4 * 5 + READABLE, "{most}");
        let account = tally.finish();
        assert!(account.beyond > 1900 && account.found == 2000 && account.tokens.len() <= 50);
    }

    #[test]
    fn carriers_are_named() {
        for (before, expected) in [
            ("Authorization: Bearer ", "bearer"),
            ("?authz=Bearer%20", "bearer"),
            ("?authz=Bearer%2520", "bearer"),
            ("?authz=", "authz"),
            ("{\"refresh_token\": \"", "refresh_token"),
            ("{\\\"access_token\\\":\\\"", "access_token"),
            ("&subject_token=", "subject_token"),
            ("'id_token': b'", ""),
            ("the ", ""),
            ("", ""),
        ] {
            assert_eq!(carrier(before.as_bytes()), expected, "{before}");
        }
    }
}
