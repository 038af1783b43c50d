//! The answer as people and programs read it.

use super::book::Book;
use super::question::Question;
use super::raw::Field;
use super::search::{Because, Found, Hit, ServiceLogs, blind, span};
use super::time::Clock;
use crate::profile::Registry;
use crate::report::{Finding, Options, text};
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Characters of a record that are shown.
const SHOWN: usize = 320;
/// Records of one service that people see unless they ask for all.
const LINES: usize = 12;

/// The answer to a question.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(title = "tokenvet trace")]
pub struct Traced {
    /// Version of this form.
    pub schema_version: String,
    /// What was asked.
    pub asked: Asked,
    /// What the records say, for certain first.
    pub answers: Vec<Answer>,
    /// The services whose logs hold something of it, by name.
    pub services: Vec<ServicePart>,
    /// Questions that these logs cannot answer, and why.
    pub cannot_answer: Vec<String>,
    /// What was read.
    pub read: Vec<ReadPart>,
    /// What was cut, left out or assumed.
    pub notes: Vec<String>,
    /// What is wrong with the logs as such.
    pub findings: Vec<Finding>,
}

/// The question.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Asked {
    /// The values that are known.
    pub known: Vec<KnownValue>,
    /// The moment (RFC 3339, UTC).
    pub time: Option<String>,
    /// Seconds around it, and around what is joined by time.
    pub within: i64,
    /// The zone taken for times that name none.
    pub timezone: String,
}

/// A value that is known.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct KnownValue {
    /// What it is.
    pub what: String,
    /// The value.
    pub value: String,
}

/// Something that the records say.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Answer {
    /// What it is: `vo`, `job`, `payload`, `sub`, `iss`, `jti`, `client`, `user`, `dn`, `group`, `address`, `node`.
    pub what: String,
    /// The value.
    pub value: String,
    /// True where it rests on exact names alone, false where only on nearness in time.
    pub certain: bool,
    /// Records that say it.
    pub records: u64,
    /// The first of them.
    pub place: TracePlace,
    /// For a VO: what it was concluded from.
    pub from: Option<String>,
}

/// A record's place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct TracePlace {
    /// The file.
    pub path: String,
    /// The first line of the record.
    pub line: u64,
}

/// What one service saw.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ServicePart {
    /// Its name.
    pub service: String,
    /// Records that belong to the answer.
    pub records: u64,
    /// The first moment (RFC 3339, UTC).
    pub first: Option<String>,
    /// The last moment.
    pub last: Option<String>,
    /// From where.
    pub addresses: Vec<String>,
    /// With what outcome, and how often.
    pub results: BTreeMap<String, u64>,
    /// The records, by time.
    pub entries: Vec<Entry>,
}

/// One record.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Entry {
    /// When (RFC 3339, UTC); null when the record does not say.
    pub time: Option<String>,
    /// The log names no zone: that of the question was taken.
    pub zone_assumed: bool,
    /// The log names no year.
    pub year_assumed: bool,
    /// The file.
    pub path: String,
    /// The first line of the record.
    pub line: u64,
    /// The log format; null when it is not known.
    pub format: Option<String>,
    /// The kind of record; null when the format knows none that fits.
    pub says: Option<String>,
    /// Why it is here.
    pub because: Because,
    /// The value by which it was joined.
    pub shared: Option<String>,
    /// True where it is here by an exact name.
    pub certain: bool,
    /// What it says.
    pub fields: BTreeMap<String, Vec<String>>,
    /// Fingerprints of the tokens in it.
    pub tokens: Vec<String>,
    /// The record without what is secret, cut to 320 characters.
    pub text: String,
}

/// What was read of a service's logs.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ReadPart {
    /// The service.
    pub service: String,
    /// Records.
    pub records: u64,
    /// Those whose format is known.
    pub known: u64,
    /// Those without a time that can be read.
    pub without_time: u64,
    /// Those that name a token or an identity.
    pub identified: u64,
    /// Those of them without jti: the issuer's log cannot be asked about them.
    pub without_jti: u64,
    /// How many records hold which field.
    pub fields: BTreeMap<String, u64>,
}

/// What is needed to make a page of an answer.
pub struct Context<'c> {
    /// The formats.
    pub book: &'c Book,
    /// The known issuers.
    pub registry: &'c Registry,
    /// How times were read.
    pub clock: &'c Clock,
    /// The name of the zone.
    pub timezone: &'c str,
}

/// Makes the answer of what was found.
pub fn traced(context: &Context<'_>, question: &Question, found: &Found, findings: Vec<Finding>) -> Traced {
    let known = question
        .conditions
        .iter()
        .map(|condition| KnownValue { what: condition.known.words().into(), value: condition.value.clone() });
    let answers = answers(context.registry, found);
    Traced {
        schema_version: "1".into(),
        asked: Asked {
            known: known.collect(),
            time: question.time.map(|time| time.to_string()),
            within: question.within,
            timezone: context.timezone.into(),
        },
        cannot_answer: cannot(question, found, &answers),
        answers,
        services: services(context.book, found),
        read: found.services.iter().map(|(name, logs)| read_part(name, logs)).collect(),
        notes: notes(context, question, found),
        findings,
    }
}

fn services(book: &Book, found: &Found) -> Vec<ServicePart> {
    let mut parts: BTreeMap<&str, Vec<&Hit>> = BTreeMap::new();
    for hit in &found.hits {
        parts.entry(&hit.service).or_default().push(hit);
    }
    let part = |(service, hits): (&str, Vec<&Hit>)| {
        let span = span(hits.iter().copied());
        let mut addresses: Vec<String> = Vec::new();
        let mut results: BTreeMap<String, u64> = BTreeMap::new();
        for hit in &hits {
            for address in hit.record.content.all(Field::Address).chain(hit.record.content.all(Field::Node)) {
                let address = super::question::address_key(address);
                if !addresses.contains(&address) && addresses.len() < 100 {
                    addresses.push(address);
                }
            }
            if let Some(result) = hit.record.content.first(Field::Result) {
                *results.entry(text::shortened(result, 80)).or_default() += 1;
            }
        }
        ServicePart {
            service: service.into(),
            records: hits.len() as u64,
            first: span.map(|(first, _)| first.to_string()),
            last: span.map(|(_, last)| last.to_string()),
            addresses,
            results,
            entries: hits.into_iter().map(|hit| entry(book, hit)).collect(),
        }
    };
    parts.into_iter().map(part).collect()
}

fn entry(book: &Book, hit: &Hit) -> Entry {
    let content = &hit.record.content;
    let format = content.format.map(|index| &book.formats[index].raw);
    let mut fields: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (field, value) in &content.values {
        fields.entry(field.name().into()).or_default().push(value.clone());
    }
    Entry {
        time: content.when.map(|when| when.at.to_string()),
        zone_assumed: content.when.is_some_and(|when| when.zone_assumed),
        year_assumed: content.when.is_some_and(|when| when.year_assumed),
        path: hit.path.clone(),
        line: hit.record.line,
        format: format.map(|format| format.format.clone()),
        says: format.zip(content.line).map(|(format, line)| format.lines[line].says.clone()),
        because: hit.because,
        shared: Some(hit.shared.clone()).filter(|shared| !shared.is_empty()),
        certain: hit.because.is_certain(),
        fields,
        tokens: hit.record.tokens.iter().map(|token| token.fingerprint.clone()).collect(),
        text: text::shortened(&hit.record.text, SHOWN),
    }
}

fn read_part(service: &str, logs: &ServiceLogs) -> ReadPart {
    ReadPart {
        service: service.into(),
        records: logs.records,
        known: logs.known,
        without_time: logs.timeless,
        identified: logs.identified,
        without_jti: logs.unjoined.values().map(|unjoined| unjoined.records).sum(),
        fields: logs.fields.iter().map(|(field, records)| (field.name().into(), *records)).collect(),
    }
}

/// The VO that a record speaks of, and what says so.
fn vo(registry: &Registry, hit: &Hit) -> Option<(String, String)> {
    let content = &hit.record.content;
    if let Some(vo) = content.first(Field::Vo) {
        return Some((vo.into(), "named in the record".into()));
    }
    if let Some(iss) = content.first(Field::Iss) {
        let known = registry.find(iss).and_then(|known| known.vo.clone());
        return Some(match known {
            Some(vo) => (vo, format!("issuer {iss}")),
            None => (iss.into(), "the issuer; its VO is not known here".into()),
        });
    }
    let group = content.all(Field::Group).find_map(|group| group.strip_prefix('/')?.split('/').next().zip(Some(group)));
    group.map(|(vo, group)| (vo.to_string(), format!("group {group}")))
}

fn answers(registry: &Registry, found: &Found) -> Vec<Answer> {
    const WHAT: [Field; 11] = [
        Field::Job,
        Field::Payload,
        Field::Sub,
        Field::Iss,
        Field::Jti,
        Field::Client,
        Field::User,
        Field::Dn,
        Field::Group,
        Field::Address,
        Field::Node,
    ];
    let mut all: BTreeMap<(usize, String), Answer> = BTreeMap::new();
    for hit in &found.hits {
        let mut say = |rank: usize, what: &str, value: &str, from: Option<String>| {
            let place = TracePlace { path: hit.path.clone(), line: hit.record.line };
            let (certain, what) = (hit.because.is_certain(), what.to_string());
            let fresh = || Answer { what, value: value.into(), certain, records: 0, place, from };
            let answer = all.entry((rank, value.to_string())).or_insert_with(fresh);
            answer.records += 1;
            if certain && !answer.certain {
                answer.certain = true;
                answer.place = TracePlace { path: hit.path.clone(), line: hit.record.line };
            }
        };
        if let Some((vo, from)) = vo(registry, hit) {
            say(0, "vo", &vo, Some(from));
        }
        for (rank, field) in WHAT.into_iter().enumerate() {
            for value in hit.record.content.all(field) {
                let value = match field {
                    Field::Job => super::question::job(value),
                    Field::Address | Field::Node => super::question::address_key(value),
                    _ => value.to_string(),
                };
                say(rank + 1, field.name(), &value, None);
            }
        }
    }
    let mut answers: Vec<((usize, String), Answer)> = all.into_iter().collect();
    answers.sort_by_key(|((rank, value), answer)| (*rank, !answer.certain, value.clone()));
    answers.into_iter().map(|(_, answer)| answer).take(1000).collect()
}

/// What these logs do not tell.
fn cannot(question: &Question, found: &Found, answers: &[Answer]) -> Vec<String> {
    let mut all = Vec::new();
    for (name, logs) in &found.services {
        for condition in blind(logs, question) {
            let what = condition.known.words();
            let records = text::counted(logs.records, "record");
            let how = match condition.stands_in_text() && logs.only_text() > 0 {
                true => format!("can be asked by {what} only as plain text"),
                false => format!("cannot be asked by {what}"),
            };
            all.push(format!("{name} {how}: none of its {records} has a field for it"));
        }
    }
    if found.hidden_jtis > 0 {
        let them = text::counted(found.hidden_jtis, "record");
        all.push(format!(
            "whether {them} with a token without signature (alg none) hold the jti: it is the secret of such a token, and is \
             not looked for; ask by --fingerprint"
        ));
    }
    if found.hits.is_empty() {
        let nothing = if found.hidden_jtis > 0 { "nothing else" } else { "nothing" };
        all.push(format!("{nothing} that was read holds what was asked"));
        return all;
    }
    for (what, words) in [
        ("vo", "which VO"),
        ("job", "which job"),
        ("payload", "which payload of the VO's own workload system"),
        ("sub", "whose token (subject)"),
        ("jti", "which token (jti): the issuer's log cannot be asked"),
        ("address", "from where"),
    ] {
        let known = |certain: bool| answers.iter().any(|answer| answer.what == what && answer.certain == certain);
        match (known(true), known(false)) {
            (true, _) => {}
            (false, true) => all.push(format!("{words}: not for certain, only near in time")),
            (false, false) => all.push(format!("{words}: no record that was found says it")),
        }
    }
    all
}

fn notes(context: &Context<'_>, question: &Question, found: &Found) -> Vec<String> {
    let mut notes = Vec::new();
    let records = |number| text::counted(number, "record");
    let assumed = |get: fn(&super::time::When) -> bool| {
        found.hits.iter().filter_map(|hit| hit.record.content.when.as_ref()).any(get)
    };
    if assumed(|when| when.zone_assumed) {
        notes.push(format!("some logs name no time zone; {} was taken (--timezone)", context.timezone));
    }
    if assumed(|when| when.year_assumed) {
        notes.push("some logs name no year; the last one that is not in the future was taken".into());
    }
    if found.timeless > 0 {
        let them = records(found.timeless);
        notes.push(format!("left out, as there is no time in what holds what was asked: {them}"));
    }
    if found.beyond > 0 {
        notes.push(format!("{} more belong to the answer and are not shown", records(found.beyond)));
    }
    if found.names_capped {
        notes.push("there were more names than are kept; records that are joined by the rest are missing".into());
    }
    if found.services.values().any(|logs| logs.sessions_capped) {
        notes
            .push("there were more connections than are kept; of the rest, records without jti are not counted".into());
    }
    if found.near_capped {
        notes.push("more records are near in time than are taken up; choose a shorter --within".into());
    }
    if found.extent.long_lines > 0 {
        let lines = text::counted(found.extent.long_lines, "line");
        notes.push(format!("{lines} were longer than 256 KiB; what follows in them was not looked at"));
    }
    if found.extent.long_records > 0 {
        notes.push(format!("{} had more than 200 lines and were cut", records(found.extent.long_records)));
    }
    let unknown: u64 = found.services.values().map(|logs| logs.records - logs.known).sum();
    if unknown > 0 {
        let them = records(unknown);
        notes.push(format!("of {them} the format is not known: only tokens and the plain text were looked at"));
    }
    if question.conditions.is_empty() {
        notes.push("no value was asked for: everything at that time is shown".into());
    }
    notes
}

/// The answer as JSON, with a final newline.
pub fn json(traced: &Traced) -> String {
    crate::report::json_text(traced)
}

/// The answer for people.
pub fn human(traced: &Traced, options: Options) -> String {
    let mut out = String::new();
    let bold = |text: &str| if options.color { format!("\x1b[1m{text}\x1b[0m") } else { text.to_string() };
    let asked: Vec<String> =
        traced.asked.known.iter().map(|known| format!("{} {}", known.what, text::shown(&known.value))).collect();
    let time = traced.asked.time.iter().map(|time| format!("{time} ± {} s", traced.asked.within));
    let _ = writeln!(out, "{}", bold(&asked.into_iter().chain(time).collect::<Vec<_>>().join(", ")));
    for answer in &traced.answers {
        if !options.all && traced.answers.iter().filter(|one| one.what == answer.what).count() > 20 {
            continue;
        }
        let mark = if answer.certain { "" } else { " (uncertain)" };
        let from = answer.from.as_ref().map(|from| format!(", {from}")).unwrap_or_default();
        let place = format!("{}:{}", answer.place.path, answer.place.line);
        let line = format!("  {:<8} {}{mark}  ({place}{from})", answer.what, answer.value);
        let _ = writeln!(out, "{}", text::shown(&line));
    }
    for service in &traced.services {
        service_lines(&mut out, service, options, &bold);
    }
    section(&mut out, "cannot answer", &traced.cannot_answer, options, &bold);
    let unjoined = traced.read.iter().filter(|read| read.without_jti > 0).map(|read| {
        let (all, none) = (text::count(read.identified), text::count(read.without_jti));
        format!("{}: {none} of {all} records that name a token or an identity carry no jti", read.service)
    });
    section(&mut out, "cannot be joined to the issuer's log", &unjoined.collect::<Vec<_>>(), options, &bold);
    let findings = traced.findings.iter().map(|finding| {
        format!(
            "{}[{}]: {} ({}:{})",
            finding.severity, finding.rule, finding.message, finding.path, finding.region.start_line
        )
    });
    section(&mut out, "findings", &findings.collect::<Vec<_>>(), options, &bold);
    section(&mut out, "notes", &traced.notes, options, &bold);
    text::without_commands(&out).into_owned()
}

fn section(out: &mut String, title: &str, lines: &[String], options: Options, bold: &dyn Fn(&str) -> String) {
    if lines.is_empty() {
        return;
    }
    let _ = writeln!(out, "\n{}", bold(title));
    for line in lines {
        for (index, part) in text::wrapped(&text::shown(line), options.width.saturating_sub(4)).iter().enumerate() {
            let _ = writeln!(out, "{}{part}", if index == 0 { "  - " } else { "    " });
        }
    }
}

fn service_lines(out: &mut String, service: &ServicePart, options: Options, bold: &dyn Fn(&str) -> String) {
    let from =
        if service.addresses.is_empty() { String::new() } else { format!(", from {}", service.addresses.join(" ")) };
    let records = text::counted(service.records, "record");
    let _ = writeln!(out, "\n{}", bold(&text::shown(&format!("{}: {records}{from}", service.service))));
    let shown = if options.all { usize::MAX } else { LINES };
    for entry in service.entries.iter().take(shown) {
        let mark = if entry.zone_assumed || entry.year_assumed { "~" } else { " " };
        let time = entry.time.as_deref().unwrap_or("no time");
        let says = entry.says.as_deref().unwrap_or("a record");
        let result = entry.fields.get("result").and_then(|all| all.first()).map(|one| format!(": {one}"));
        let why = match (&entry.because, &entry.shared) {
            (Because::Asked, _) => String::new(),
            (because, None) => format!(" [{}]", because.words()),
            (because, Some(shared)) => format!(" [{}: {shared}]", because.words()),
        };
        let sure = if entry.certain { "" } else { "uncertain: " };
        let head = format!("  {mark}{time}  {sure}{says}{}{why}", result.unwrap_or_default());
        let _ = writeln!(out, "{}", text::shown(&head));
        let line = format!("      {}:{}  {}", entry.path, entry.line, entry.text.replace('\n', " "));
        let _ = writeln!(out, "{}", text::shortened(&text::shown(&line), options.width.max(60) * 2));
    }
    if service.entries.len() > shown {
        let more = text::counted((service.entries.len() - shown) as u64, "record");
        let _ = writeln!(out, "      {more} more; --all shows them");
    }
}
