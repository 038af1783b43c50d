//! Finding the records that a question asks for, and those they lead to.
//!
//! Logs are read several times rather than kept: what is kept is what was found, and the names it leads on by. A record joins
//! because it shares an exact name (token, subject with issuer, job, connection) with one that was found, at most twice in a
//! row; or, marked as uncertain and leading no further, because it is near in time.

use super::book::Book;
use super::question::{self, Condition, Held, Known, Question};
use super::raw::Field;
use super::read::{Extent, Limits, Record};
use super::time::Clock;
use crate::model::url;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// Records that are shown; all are counted.
const MOST_FOUND: usize = 5_000;
/// Names that are kept to join by, and places to look at twice.
const MOST_NAMES: usize = 200_000;
/// Connections of one service that wait for a record with a jti.
const MOST_SESSIONS: usize = 50_000;
/// Records near in time that are taken up.
const MOST_NEAR: usize = 500;
/// Seconds for which a thread can be taken to serve one request.
const THREAD: i64 = 2;

/// Where a record was read.
#[derive(Clone, Copy, Debug)]
pub struct Origin<'o> {
    /// The file, counted over all inputs.
    pub file: u32,
    /// Its name.
    pub path: &'o str,
    /// The service that the policy says it belongs to.
    pub service: Option<&'o str>,
}

/// Logs that can be read again and again.
pub trait Logs {
    /// Hands over every record.
    fn each(&mut self, reading: &Reading<'_>, sink: &mut dyn FnMut(&Origin<'_>, &Record)) -> Extent;
}

/// How logs are read.
#[derive(Clone, Copy, Debug)]
pub struct Reading<'r> {
    /// The formats.
    pub book: &'r Book,
    /// What their times leave out.
    pub clock: &'r Clock,
    /// How much is looked at.
    pub limits: Limits,
}

/// Why a record belongs to the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Because {
    /// It holds what was asked.
    Asked,
    /// What was asked stands in its text; its format does not say as what.
    AskedInText,
    /// It names the same token.
    SameToken,
    /// It names the same subject of the same issuer.
    SameSubject,
    /// It names the same job.
    SameJob,
    /// It is about the same connection or request.
    SameSession,
    /// The same subject, where it does not say whose: not certain.
    SameSubjectName,
    /// The same thread wrote it within two seconds: not certain.
    SameThread,
    /// The same address, near in time: not certain.
    SameAddress,
    /// The same account at the same service, near in time: not certain.
    SameUser,
}

impl Because {
    /// Does it rest on an exact name?
    pub fn is_certain(self) -> bool {
        match self {
            Because::Asked | Because::SameToken | Because::SameSubject | Because::SameJob | Because::SameSession => {
                true
            }
            Because::AskedInText
            | Because::SameSubjectName
            | Because::SameThread
            | Because::SameAddress
            | Because::SameUser => false,
        }
    }

    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Because::Asked => "holds what was asked",
            Because::AskedInText => "what was asked stands in its text",
            Because::SameToken => "same token",
            Because::SameSubject => "same issuer and subject",
            Because::SameJob => "same job",
            Because::SameSession => "same connection",
            Because::SameSubjectName => "same subject, issuer not said",
            Because::SameThread => "same thread within 2 s",
            Because::SameAddress => "same address, near in time",
            Because::SameUser => "same account, near in time",
        }
    }
}

/// A record of the answer.
#[derive(Clone, Debug)]
pub struct Hit {
    /// The file.
    pub path: String,
    /// The service.
    pub service: String,
    /// The record.
    pub record: Record,
    /// Why it is here, and by which value.
    pub because: Because,
    /// The value it shares; empty for what was asked.
    pub shared: String,
}

/// Records that name a token or an identity without jti.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unjoined {
    /// How many.
    pub records: u64,
    /// The file of the first.
    pub path: String,
    /// Its line.
    pub line: u64,
}

/// What was read of one service.
#[derive(Clone, Debug, Default)]
pub struct ServiceLogs {
    /// Records.
    pub records: u64,
    /// Those of a format that is known.
    pub known: u64,
    /// Those without a time that can be read.
    pub timeless: u64,
    /// Records by field.
    pub fields: BTreeMap<Field, u64>,
    /// Records by format and kind.
    pub kinds: BTreeMap<(usize, usize), u64>,
    /// Records that name a token or an identity, by format and kind (`None`: not known).
    pub identified: u64,
    /// Those without jti, by format and kind, that no connection ties to a record with one.
    pub unjoined: BTreeMap<KindOf, Unjoined>,
    /// Connections of which a record has a jti.
    named: HashSet<String>,
    /// Records without jti of connections that may still name one.
    waiting: HashMap<String, BTreeMap<KindOf, Unjoined>>,
    /// More connections than are kept: records of the rest are not counted as unjoined.
    pub sessions_capped: bool,
}

/// The format and the kind of a record, as far as they are known.
type KindOf = Option<(usize, Option<usize>)>;

impl ServiceLogs {
    /// Records that do not say what they tell, so that only their text can be searched.
    pub fn only_text(&self) -> u64 {
        self.records - self.kinds.values().sum::<u64>()
    }

    /// All is read: what has waited for a jti has none.
    fn finish(&mut self) {
        for (session, kinds) in std::mem::take(&mut self.waiting) {
            if self.named.contains(&session) {
                continue;
            }
            for (kind, more) in kinds {
                match self.unjoined.entry(kind) {
                    Entry::Vacant(vacant) => {
                        vacant.insert(more);
                    }
                    Entry::Occupied(mut occupied) => {
                        let known = occupied.get_mut();
                        known.records += more.records;
                        if (&more.path, more.line) < (&known.path, known.line) {
                            (known.path, known.line) = (more.path, more.line);
                        }
                    }
                }
            }
        }
        self.named.clear();
    }

    /// Counts a record that names a token or an identity but no jti.
    fn count_unjoined(&mut self, session: Option<&str>, kind: KindOf, place: (&str, u64)) {
        let kinds = match session {
            None => &mut self.unjoined,
            Some(session) if self.named.contains(session) => return,
            Some(session) if self.waiting.len() < MOST_SESSIONS || self.waiting.contains_key(session) => {
                self.waiting.entry(session.to_string()).or_default()
            }
            Some(_) => {
                self.sessions_capped = true;
                return;
            }
        };
        let first = || Unjoined { records: 0, path: place.0.to_string(), line: place.1 };
        kinds.entry(kind).or_insert_with(first).records += 1;
    }
}

/// The answer.
#[derive(Debug, Default)]
pub struct Found {
    /// Records, by time.
    pub hits: Vec<Hit>,
    /// Records that belong to it beyond those.
    pub beyond: u64,
    /// What was read, by service.
    pub services: BTreeMap<String, ServiceLogs>,
    /// What was cut while reading.
    pub extent: Extent,
    /// Records without time that hold what was asked, when a time was asked for.
    pub timeless: u64,
    /// Records with a token whose jti is its secret, and was not looked for though a jti was asked for.
    pub hidden_jtis: u64,
    /// More names than are kept: some joins may be missing.
    pub names_capped: bool,
    /// More records near in time than are taken up.
    pub near_capped: bool,
}

/// Searches.
pub fn search(logs: &mut dyn Logs, reading: &Reading<'_>, question: &Question) -> Found {
    let mut search = Search { question, full: (1 << question.conditions.len()) - 1, ..Search::new(question) };
    let mut extent = Extent::default();
    if question.conditions.len() > 1 {
        logs.each(reading, &mut |origin, record| search.survey(reading.book, origin, record));
    }
    let mut services: BTreeMap<String, ServiceLogs> = BTreeMap::new();
    let read = logs.each(reading, &mut |origin, record| {
        let service = service_of(reading.book, origin, record);
        account(services.entry(service.clone()).or_default(), origin, record);
        search.asked(origin, &service, record);
    });
    extent.records += read.records;
    extent.long_lines += read.long_lines;
    extent.long_records += read.long_records;
    for last in [false, true] {
        if search.found.hits.is_empty() {
            break;
        }
        let names = search.names();
        logs.each(reading, &mut |origin, record| {
            let service = service_of(reading.book, origin, record);
            search.joined(&names, origin, &service, record, last);
        });
    }
    let mut found = search.found;
    found.hits.sort_by(|a, b| {
        let key = |hit: &Hit| (hit.record.content.when.map(|when| when.at), hit.path.clone(), hit.record.line);
        key(a).cmp(&key(b))
    });
    services.values_mut().for_each(ServiceLogs::finish);
    found.services = services;
    found.extent = extent;
    found
}

/// What only reading can tell of logs: see [`ServiceLogs`].
pub fn survey(logs: &mut dyn Logs, reading: &Reading<'_>) -> (BTreeMap<String, ServiceLogs>, Extent) {
    let mut services: BTreeMap<String, ServiceLogs> = BTreeMap::new();
    let extent = logs.each(reading, &mut |origin, record| {
        let service = service_of(reading.book, origin, record);
        account(services.entry(service).or_default(), origin, record);
    });
    services.values_mut().for_each(ServiceLogs::finish);
    (services, extent)
}

/// The service of a record: the policy's name for it, else the software that writes so.
fn service_of(book: &Book, origin: &Origin<'_>, record: &Record) -> String {
    let format = record.content.format.map(|index| &book.formats[index].raw);
    match (origin.service, format) {
        (Some(service), _) => service.to_string(),
        (None, Some(format)) if format.product != "any" => format.product.clone(),
        (None, Some(format)) => match record.content.first(Field::Service) {
            Some(unit) => unit.to_string(),
            None => format.format.clone(),
        },
        (None, None) => "unknown format".to_string(),
    }
}

fn account(service: &mut ServiceLogs, origin: &Origin<'_>, record: &Record) {
    service.records += 1;
    service.known += u64::from(record.content.format.is_some());
    service.timeless += u64::from(record.content.when.is_none());
    let fields: BTreeSet<Field> = record.content.values.iter().map(|(field, _)| *field).collect();
    for field in &fields {
        *service.fields.entry(*field).or_default() += 1;
    }
    let kind = record.content.format.map(|format| (format, record.content.line));
    if let Some((format, Some(line))) = kind {
        *service.kinds.entry((format, line)).or_default() += 1;
    }
    let identity = [Field::Sub, Field::Iss, Field::Dn].iter().any(|field| fields.contains(field));
    let session = record.content.first(Field::Session);
    let room = service.named.len() < MOST_NAMES;
    if let Some(session) = session.filter(|_| room && fields.contains(&Field::Jti)) {
        service.named.insert(session.to_string());
    }
    if identity || !record.tokens.is_empty() {
        service.identified += 1;
        if !fields.contains(&Field::Jti) {
            service.count_unjoined(session, kind, (origin.path, record.line));
        }
    }
}

/// A name that ties records together for certain.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Key {
    Token(String),
    Jti(String),
    Session(String, String),
}

/// The names to go on by, each with its moments where those matter.
#[derive(Debug, Default)]
struct Names {
    jtis: HashMap<String, Option<String>>,
    tokens: HashSet<String>,
    subjects: HashMap<(String, String), Vec<i64>>,
    jobs: HashSet<(String, String)>,
    sessions: HashMap<(String, String), Vec<i64>>,
    threads: HashMap<(String, String), Vec<i64>>,
    addresses: HashMap<String, Vec<i64>>,
    users: HashMap<(String, String), Vec<i64>>,
}

struct Search<'q> {
    question: &'q Question,
    /// A bit for each condition.
    full: u32,
    /// Conditions that hold for something, by its exact names.
    masks: HashMap<Key, u32>,
    taken: HashSet<(u32, u64)>,
    near: usize,
    found: Found,
}

impl<'q> Search<'q> {
    fn new(question: &'q Question) -> Self {
        let (masks, taken) = (HashMap::new(), HashSet::new());
        Search { question, full: 0, masks, taken, near: 0, found: Found::default() }
    }

    /// Is a record within the time that was asked for? `None` when the record does not say its own.
    fn in_time(&self, record: &Record) -> Option<bool> {
        let Some(time) = self.question.time else { return Some(true) };
        let at = record.content.when?.at;
        Some((at.as_second() - time.as_second()).abs() <= self.question.within)
    }

    /// The conditions that a record holds, whether one is contradicted, and whether one holds in its text only.
    fn mask(&self, record: &Record) -> (u32, bool, bool) {
        let (mut mask, mut other, mut text) = (0, false, false);
        for (bit, condition) in self.question.conditions.iter().enumerate() {
            match condition.held(record) {
                Held::Yes => mask |= 1 << bit,
                Held::InText => {
                    mask |= 1 << bit;
                    text = true;
                }
                Held::Other => other = true,
                Held::Silent => {}
            }
        }
        (mask, other, text)
    }

    /// Notes which conditions hold for which token or connection.
    fn survey(&mut self, book: &Book, origin: &Origin<'_>, record: &Record) {
        let (mask, _, text) = self.mask(record);
        if mask == 0 || text || self.in_time(record) != Some(true) {
            return;
        }
        for key in keys(&service_of(book, origin, record), record) {
            if self.masks.len() >= MOST_NAMES && !self.masks.contains_key(&key) {
                self.found.names_capped = true;
                continue;
            }
            *self.masks.entry(key).or_default() |= mask;
        }
    }

    fn asked(&mut self, origin: &Origin<'_>, service: &str, record: &Record) {
        let asks_jti = self.question.conditions.iter().any(|condition| condition.known == Known::Jti);
        if asks_jti && record.tokens.iter().any(|token| token.hides_jti) && self.in_time(record) != Some(false) {
            self.found.hidden_jtis += 1;
        }
        let (mask, other, text) = self.mask(record);
        if other || (mask == 0 && !self.question.conditions.is_empty()) {
            return;
        }
        let tied = keys(service, record).filter_map(|key| self.masks.get(&key)).fold(mask, |all, more| all | more);
        if tied != self.full {
            return;
        }
        match self.in_time(record) {
            Some(true) => {
                let because = if text { Because::AskedInText } else { Because::Asked };
                self.take(origin, service, record, because, String::new());
            }
            Some(false) => {}
            None => self.found.timeless += 1,
        }
    }

    fn take(&mut self, origin: &Origin<'_>, service: &str, record: &Record, because: Because, shared: String) {
        if self.taken.contains(&(origin.file, record.line)) {
            return;
        }
        if self.found.hits.len() >= MOST_FOUND {
            self.found.beyond += 1;
            return;
        }
        self.taken.insert((origin.file, record.line));
        let (path, service) = (origin.path.to_string(), service.to_string());
        self.found.hits.push(Hit { path, service, record: record.clone(), because, shared });
    }

    /// The names in what was found for certain.
    fn names(&mut self) -> Names {
        let mut names = Names::default();
        for hit in self.found.hits.iter().filter(|hit| hit.because.is_certain()) {
            let content = &hit.record.content;
            let at = content.when.map(|when| when.at.as_second());
            let moment = |times: &mut Vec<i64>| times.extend(at);
            for jti in content.all(Field::Jti) {
                names.jtis.insert(jti.to_string(), content.first(Field::Iss).map(str::to_string));
            }
            names.tokens.extend(hit.record.tokens.iter().map(|token| token.fingerprint.clone()));
            if let (Some(iss), Some(sub)) = (content.first(Field::Iss), content.first(Field::Sub)) {
                moment(names.subjects.entry((url::issuer_form(iss), sub.to_string())).or_default());
            }
            names.jobs.extend(content.all(Field::Job).map(|job| job_key(&hit.service, job)));
            let own = |value: &str| (hit.service.clone(), value.to_string());
            content.all(Field::Session).for_each(|one| moment(names.sessions.entry(own(one)).or_default()));
            content.all(Field::Thread).for_each(|one| moment(names.threads.entry(own(one)).or_default()));
            content.all(Field::User).for_each(|one| moment(names.users.entry(own(one)).or_default()));
            for address in content.all(Field::Address).chain(content.all(Field::Node)) {
                moment(names.addresses.entry(question::address_key(address)).or_default());
            }
        }
        let lists = names.subjects.values_mut().chain(names.sessions.values_mut()).chain(names.threads.values_mut());
        lists
            .chain(names.users.values_mut())
            .chain(names.addresses.values_mut())
            .for_each(|times| times.sort_unstable());
        names
    }

    /// Takes a record that shares a name with what was found. Only the last look takes up what is uncertain.
    fn joined(&mut self, names: &Names, origin: &Origin<'_>, service: &str, record: &Record, last: bool) {
        if self.taken.contains(&(origin.file, record.line)) {
            return;
        }
        if let Some((because, shared)) = names.certain(service, record, self.question.within) {
            self.take(origin, service, record, because, shared);
            return;
        }
        if !last {
            return;
        }
        let Some((because, shared)) = names.near(service, record, self.question.within) else { return };
        // Another value than the one that was asked for speaks against it.
        if self.mask(record).1 {
            return;
        }
        if self.near >= MOST_NEAR {
            self.found.near_capped = true;
            return;
        }
        self.near += 1;
        self.take(origin, service, record, because, shared);
    }
}

/// The exact names of a record that conditions on several records of it may share.
fn keys<'r>(service: &str, record: &'r Record) -> impl Iterator<Item = Key> + use<'r> {
    let content = &record.content;
    let service = service.to_string();
    let tokens = record.tokens.iter().map(|token| Key::Token(token.fingerprint.clone()));
    let jtis = content.all(Field::Jti).map(|jti| Key::Jti(jti.to_string()));
    let sessions = content.all(Field::Session).map(move |session| Key::Session(service.clone(), session.to_string()));
    tokens.chain(jtis).chain(sessions)
}

/// Long identifiers are the same job everywhere, numbers only within one service.
fn job_key(service: &str, job: &str) -> (String, String) {
    let job = question::job(job);
    let everywhere = job.len() >= 32 && job.contains('-');
    (if everywhere { String::new() } else { service.to_string() }, job)
}

/// Is a moment near one of some sorted ones?
fn is_near(times: &[i64], at: i64, within: i64) -> bool {
    let next = times.partition_point(|time| *time < at.saturating_sub(within));
    times.get(next).is_some_and(|time| *time <= at.saturating_add(within))
}

impl Names {
    /// The exact name that a record shares.
    fn certain(&self, service: &str, record: &Record, within: i64) -> Option<(Because, String)> {
        let content = &record.content;
        let at = content.when.map(|when| when.at.as_second());
        let iss = content.first(Field::Iss);
        for jti in content.all(Field::Jti) {
            // Two issuers may both count 1, 2, 3.
            let issuer = self.jtis.get(jti);
            let differs = |known: &Option<String>| {
                known.as_deref().zip(iss).is_some_and(|(known, iss)| !url::same_issuer(known, iss))
            };
            if issuer.is_some_and(|known| !differs(known)) {
                return Some((Because::SameToken, jti.to_string()));
            }
        }
        if let Some(token) = record.tokens.iter().find(|token| self.tokens.contains(&token.fingerprint)) {
            return Some((Because::SameToken, token.fingerprint.clone()));
        }
        if let Some(job) = content.all(Field::Job).find(|job| self.jobs.contains(&job_key(service, job))) {
            return Some((Because::SameJob, job.to_string()));
        }
        let at = at?;
        let session = content.all(Field::Session).find(|session| {
            let times = self.sessions.get(&(service.to_string(), (*session).to_string()));
            times.is_some_and(|times| is_near(times, at, within))
        });
        if let Some(session) = session {
            return Some((Because::SameSession, session.to_string()));
        }
        let (iss, sub) = (iss?, content.first(Field::Sub)?);
        let times = self.subjects.get(&(url::issuer_form(iss), sub.to_string()))?;
        is_near(times, at, within).then(|| (Because::SameSubject, sub.to_string()))
    }

    /// What a record shares that may be chance.
    fn near(&self, service: &str, record: &Record, within: i64) -> Option<(Because, String)> {
        let content = &record.content;
        let at = content.when?.at.as_second();
        let own = |value: &str| (service.to_string(), value.to_string());
        if let Some(sub) = content.first(Field::Sub).filter(|_| content.first(Field::Iss).is_none()) {
            let mut same = self.subjects.iter().filter(|((_, known), _)| known == sub);
            if same.any(|(_, times)| is_near(times, at, within)) {
                return Some((Because::SameSubjectName, sub.to_string()));
            }
        }
        let thread = content
            .all(Field::Thread)
            .find(|thread| self.threads.get(&own(thread)).is_some_and(|times| is_near(times, at, THREAD.min(within))));
        let says = [Field::Sub, Field::Iss, Field::Address, Field::Path, Field::Job, Field::Result];
        if let Some(thread) = thread.filter(|_| says.iter().any(|field| content.first(*field).is_some())) {
            return Some((Because::SameThread, thread.to_string()));
        }
        let address = content.all(Field::Address).chain(content.all(Field::Node)).find(|address| {
            let times = self.addresses.get(&question::address_key(address));
            times.is_some_and(|times| is_near(times, at, within))
        });
        if let Some(address) = address {
            return Some((Because::SameAddress, address.to_string()));
        }
        let user = content
            .all(Field::User)
            .find(|user| self.users.get(&own(user)).is_some_and(|times| is_near(times, at, within)))?;
        Some((Because::SameUser, user.to_string()))
    }
}

/// Which of the conditions no record of a service can hold, because none has such a field.
pub fn blind<'c>(service: &ServiceLogs, question: &'c Question) -> Vec<&'c Condition> {
    let silent = |condition: &&Condition| {
        let fields = condition.known.fields();
        condition.known != Known::Fingerprint && !fields.iter().any(|field| service.fields.contains_key(field))
    };
    question.conditions.iter().filter(silent).collect()
}

/// The first and the last moment of some records.
pub fn span<'h>(hits: impl Iterator<Item = &'h Hit>) -> Option<(Timestamp, Timestamp)> {
    let mut times = hits.filter_map(|hit| hit.record.content.when).map(|when| when.at);
    let first = times.next()?;
    Some(times.fold((first, first), |(low, high), at| (low.min(at), high.max(at))))
}
