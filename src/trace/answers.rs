//! What logs can answer, from the configuration alone.
//!
//! The Traceability and Isolation working group of WLCG asked six things of sites and VOs; the recommendations are quoted in
//! the minutes of the second meeting of the Token Trust and Traceability working group (12 September 2023). The wording here
//! is ours. Whether a service can answer follows from the kinds of record that its settings switch on, and which of them an
//! exact name ties together.

use super::book::{Book, Format};
use super::page::TracePlace;
use super::raw::{Field, RawNeed, RawSetting};
use crate::report::{Options, text};
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// Any of some fields.
type OneOf = &'static [Field];

const VO: OneOf = &[Field::Vo, Field::Iss, Field::Group];
const JOB: OneOf = &[Field::Job];
const NODE: OneOf = &[Field::Node];
const CLIENT: OneOf = &[Field::Address, Field::Node];
const DONE: OneOf = &[Field::Path];
const PERSON: OneOf = &[Field::Sub, Field::Dn];
const PAYLOAD: OneOf = &[Field::Payload];

/// One of the six questions.
#[derive(Debug)]
pub struct Six {
    /// Its number, from 1.
    pub number: u8,
    /// Our wording.
    pub question: &'static str,
    /// Whether VOs are asked rather than sites.
    pub asks_vos: bool,
    /// The fields that must meet in records that belong together.
    needs: &'static [OneOf],
    /// Less than that, which is still worth having.
    partly: &'static [OneOf],
    /// What is then known.
    part: &'static str,
}

/// The six questions.
pub const SIX: [Six; 6] = [
    Six {
        number: 1,
        question: "Given a time and an IP address: which VOs and jobs?",
        asks_vos: false,
        needs: &[NODE, VO, JOB],
        partly: &[CLIENT, VO],
        part: "which VO came from that address to this service, not which job ran there",
    },
    Six {
        number: 2,
        question: "Given a time, an IP address and one activity: exactly which VO and job?",
        asks_vos: false,
        needs: &[CLIENT, DONE, VO, JOB],
        partly: &[CLIENT, DONE, VO],
        part: "which VO's token read or wrote that file, not for which job",
    },
    Six {
        number: 3,
        question: "Given a period and a VO (perhaps its jobs): which IP addresses?",
        asks_vos: false,
        needs: &[VO, NODE],
        partly: &[VO, CLIENT],
        part: "from where the VO's tokens came to this service, not where its jobs ran",
    },
    Six {
        number: 4,
        question: "Given a time and an IP address: which users and payloads?",
        asks_vos: true,
        needs: &[CLIENT, PERSON, PAYLOAD],
        partly: &[CLIENT, PERSON],
        part: "whose token came from that address, not for which payload",
    },
    Six {
        number: 5,
        question: "Given a time, an IP address and a job: exactly which user's payload?",
        asks_vos: true,
        needs: &[NODE, JOB, PERSON, PAYLOAD],
        partly: &[JOB, PERSON],
        part: "who submitted the job, not whose payload a pilot then ran",
    },
    Six {
        number: 6,
        question: "Given a time and a user: which pilot jobs ran payloads of that user?",
        asks_vos: true,
        needs: &[PERSON, JOB, PAYLOAD],
        partly: &[PERSON, JOB],
        part: "the jobs that this user submitted; which pilots took payloads only the VO's workload system knows",
    },
];

/// A service of the policy.
#[derive(Clone, Debug, Default)]
pub struct SiteService {
    /// What it is called.
    pub name: String,
    /// The software.
    pub product: String,
    /// What its configuration sets of its logs; `None` when no file of it could be read.
    pub settings: Option<BTreeMap<String, Set>>,
    /// How long its logs are kept, in seconds; `None` when the policy does not say.
    pub retention: Option<i64>,
}

/// A setting in a configuration file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Set {
    /// Its words; `None` when the file does not show them (a condition, a variable).
    pub words: Option<Vec<String>>,
    /// Where it stands.
    pub place: Option<TracePlace>,
}

/// What is known of something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It can be answered.
    Answerable,
    /// It depends on something that the configuration does not show.
    Unknown,
    /// It cannot be answered.
    CannotAnswer,
}

impl Verdict {
    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Verdict::Answerable => "answerable",
            Verdict::Unknown => "unknown",
            Verdict::CannotAnswer => "cannot answer",
        }
    }
}

/// What a site's logs can answer.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(title = "tokenvet trace --can-answer")]
pub struct Answers {
    /// Version of this form.
    pub schema_version: String,
    /// The six questions.
    pub questions: Vec<Judged>,
    /// The services with what their logs hold.
    pub services: Vec<ServiceAnswers>,
    /// The one change that would gain most; null when none gains anything.
    pub best_change: Option<Change>,
    /// What was left out or assumed.
    pub notes: Vec<String>,
    /// What the rules say of it.
    pub findings: Vec<crate::report::Finding>,
}

/// One question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Judged {
    /// Its number among the six.
    pub number: u8,
    /// Our wording of it.
    pub question: String,
    /// `site` or `vo`: who is asked.
    pub asked_of: String,
    /// The best that any service can do.
    pub verdict: Verdict,
    /// Why, and by which service.
    pub because: Vec<String>,
}

/// What one service's logs hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ServiceAnswers {
    /// The service.
    pub service: String,
    /// The software.
    pub product: String,
    /// Kinds of record that are written for sure, as `format: kind`.
    pub written: Vec<String>,
    /// Kinds that are not.
    pub not_written: Vec<String>,
    /// Kinds of which that is not known.
    pub perhaps: Vec<String>,
    /// Can a token be told from its log?
    pub identity: Verdict,
    /// Does its log name tokens by jti, as the issuer's log does?
    pub jti: Verdict,
}

/// A change of one line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Change {
    /// The service.
    pub service: String,
    /// The line, as one writes it.
    pub line: String,
    /// Where the setting stands now.
    pub place: Option<TracePlace>,
    /// What one gains.
    pub gains: Vec<String>,
    /// What one must know before.
    pub caution: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Written {
    Yes,
    Perhaps,
    No,
}

/// A kind of record as a service writes it.
struct Kind<'b> {
    format: &'b Format,
    line: usize,
    written: Written,
    sure: BTreeSet<Field>,
    maybe: BTreeSet<Field>,
}

/// Do files of this product name hold logs of a format?
fn writes(product: &str, format: &Format) -> bool {
    let family = match product {
        "htcondor-ce" => "htcondor",
        "eos" => "xrootd",
        other => other,
    };
    format.raw.product == family
}

fn setting<'b>(format: &'b Format, name: &str) -> Option<&'b RawSetting> {
    format.raw.settings.iter().find(|setting| setting.name == name)
}

/// Does a setting have one of the values that are needed?
fn met(format: &Format, need: &RawNeed, settings: Option<&BTreeMap<String, Set>>) -> Written {
    let Some(settings) = settings else { return Written::Perhaps };
    let fits = |words: &[String]| {
        let any = |word: &String| need.any.iter().any(|wanted| wanted == "*" || wanted.eq_ignore_ascii_case(word));
        if words.iter().any(any) { Written::Yes } else { Written::No }
    };
    let raw = setting(format, &need.setting);
    match settings.get(&need.setting).map(|set| set.words.as_deref()) {
        Some(Some(words)) => match fits(words) {
            Written::No if raw.is_some_and(|raw| raw.unsure) && !words.is_empty() => Written::Perhaps,
            met => met,
        },
        Some(None) => Written::Perhaps,
        None => raw.map_or(Written::Perhaps, |raw| if raw.unsure { Written::Perhaps } else { fits(&raw.shipped) }),
    }
}

fn kinds<'b>(book: &'b Book, service: &SiteService) -> Vec<Kind<'b>> {
    let mut kinds = Vec::new();
    for format in book.formats.iter().filter(|format| writes(&service.product, format)) {
        for (line, raw) in format.raw.lines.iter().enumerate() {
            let needs = raw.needs.iter().map(|need| met(format, need, service.settings.as_ref()));
            let written = needs.max().unwrap_or(Written::Yes);
            let (sure, maybe) = format.gives(line);
            // What is written for some requests only answers nothing for sure.
            let written = if raw.sometimes { written.max(Written::Perhaps) } else { written };
            if !raw.sometimes {
                kinds.push(Kind { format, line, written, sure, maybe });
            }
        }
    }
    kinds
}

/// The fields of records that an exact name ties together.
fn together(kinds: &[Kind<'_>], least: Written, with_maybe: bool) -> Vec<BTreeSet<Field>> {
    let of = |kind: &Kind<'_>| {
        let mut fields = kind.sure.clone();
        if with_maybe {
            fields.extend(&kind.maybe);
        }
        fields
    };
    let mut groups: Vec<(BTreeSet<String>, BTreeSet<Field>)> = Vec::new();
    for kind in kinds.iter().filter(|kind| kind.written <= least && kind.format.raw.time.is_some()) {
        let fields = of(kind);
        let ties = fields.iter().filter_map(|field| match field {
            Field::Jti | Field::Job => Some(field.name().to_string()),
            // A connection's name means something within its own log only.
            Field::Session => Some(format!("session of {}", kind.format.raw.format)),
            _ => None,
        });
        let mut merged = (ties.collect::<BTreeSet<String>>(), fields);
        groups.retain(|(ties, fields)| {
            let apart = ties.is_disjoint(&merged.0);
            if !apart {
                merged.0.extend(ties.iter().cloned());
                merged.1.extend(fields);
            }
            apart
        });
        groups.push(merged);
    }
    groups.into_iter().map(|(_, fields)| fields).collect()
}

fn meets(groups: &[BTreeSet<Field>], needs: &[OneOf]) -> bool {
    groups.iter().any(|group| needs.iter().all(|any| any.iter().any(|field| group.contains(field))))
}

/// What one service makes of a question: the verdict, and whether it answers a part for sure.
fn judge(kinds: &[Kind<'_>], six: &Six) -> (Verdict, bool) {
    let sure = together(kinds, Written::Yes, false);
    let perhaps = together(kinds, Written::Perhaps, true);
    let verdict = match (meets(&sure, six.needs), meets(&perhaps, six.needs)) {
        (true, _) => Verdict::Answerable,
        (false, true) => Verdict::Unknown,
        (false, false) => Verdict::CannotAnswer,
    };
    (verdict, meets(&sure, six.partly))
}

/// What a site's services can answer.
pub fn answers(book: &Book, services: &[SiteService]) -> Answers {
    let all: Vec<Vec<Kind<'_>>> = services.iter().map(|service| kinds(book, service)).collect();
    let questions = SIX.iter().map(|six| {
        let judged: Vec<(Verdict, bool)> = all.iter().map(|kinds| judge(kinds, six)).collect();
        let verdict = judged.iter().map(|(verdict, _)| *verdict).min().unwrap_or(Verdict::CannotAnswer);
        Judged {
            number: six.number,
            question: six.question.into(),
            asked_of: if six.asks_vos { "vo" } else { "site" }.into(),
            verdict,
            because: because(six, verdict, &judged, services, &all),
        }
    });
    Answers {
        schema_version: "1".into(),
        questions: questions.collect(),
        services: services.iter().zip(&all).map(|(service, kinds)| of_service(service, kinds)).collect(),
        best_change: best_change(book, services),
        notes: notes(book, services),
        findings: Vec::new(),
    }
}

fn because(
    six: &Six,
    verdict: Verdict,
    judged: &[(Verdict, bool)],
    services: &[SiteService],
    kinds: &[Vec<Kind<'_>>],
) -> Vec<String> {
    let mut why = Vec::new();
    for ((service, (own, part)), kinds) in services.iter().zip(judged).zip(kinds) {
        match own {
            Verdict::Answerable => why.push(format!("{}: {}", service.name, holders(six.needs, kinds, Written::Yes))),
            Verdict::Unknown if verdict == Verdict::Unknown => {
                let reason = match service.settings {
                    None => "none of its configuration files could be read",
                    Some(_) => "it depends on settings or releases that its files do not show",
                };
                why.push(format!("{}: {reason} ({})", service.name, holders(six.needs, kinds, Written::Perhaps)));
            }
            Verdict::Unknown | Verdict::CannotAnswer if verdict != Verdict::Answerable && *part => {
                why.push(format!("{}: only {}", service.name, six.part));
            }
            Verdict::Unknown | Verdict::CannotAnswer => {}
        }
    }
    if verdict == Verdict::CannotAnswer {
        let known =
            kinds.iter().flatten().any(|kind| kind.sure.union(&kind.maybe).any(|field| PAYLOAD.contains(field)));
        if six.needs.contains(&PAYLOAD) && !known {
            why.push("no log format that is known here holds payloads: ask the VO's workload system".into());
        } else if why.is_empty() {
            why.push(lacking(six, kinds));
        }
    }
    why
}

/// Which kinds of record hold what is needed.
fn holders(needs: &[OneOf], kinds: &[Kind<'_>], least: Written) -> String {
    let mut said: Vec<String> = Vec::new();
    for kind in kinds.iter().filter(|kind| kind.written <= least) {
        let held: Vec<&str> = needs
            .iter()
            .flat_map(|any| any.iter().find(|field| kind.sure.contains(field) || kind.maybe.contains(field)))
            .map(|field| field.name())
            .collect();
        if !held.is_empty() {
            said.push(format!("{} in \"{}\"", held.join(", "), kind.format.raw.lines[kind.line].says));
        }
    }
    said.dedup();
    said.join("; ")
}

/// What is missing everywhere.
fn lacking(six: &Six, kinds: &[Vec<Kind<'_>>]) -> String {
    let written: BTreeSet<Field> = kinds
        .iter()
        .flatten()
        .filter(|kind| kind.written == Written::Yes)
        .flat_map(|kind| kind.sure.iter().copied())
        .collect();
    let missing: Vec<&str> = six
        .needs
        .iter()
        .filter(|any| !any.iter().any(|field| written.contains(field)))
        .map(|any| any[0].name())
        .collect();
    match missing.is_empty() {
        true => "what is needed stands in records that no exact name ties together".into(),
        false => format!("no service writes for sure: {}", missing.join(", ")),
    }
}

fn of_service(service: &SiteService, kinds: &[Kind<'_>]) -> ServiceAnswers {
    let named = |written: Written| {
        let kinds = kinds.iter().filter(|kind| kind.written == written);
        kinds.map(|kind| format!("{}: {}", kind.format.raw.format, kind.format.raw.lines[kind.line].says)).collect()
    };
    let any = |fields: OneOf| {
        let sure = |kind: &Kind<'_>| fields.iter().any(|field| kind.sure.contains(field));
        let maybe =
            |kind: &Kind<'_>| fields.iter().any(|field| kind.sure.contains(field) || kind.maybe.contains(field));
        match (
            kinds.iter().any(|kind| kind.written == Written::Yes && sure(kind)),
            kinds.iter().any(|kind| kind.written != Written::No && maybe(kind)),
        ) {
            (true, _) => Verdict::Answerable,
            (false, true) => Verdict::Unknown,
            (false, false) => Verdict::CannotAnswer,
        }
    };
    ServiceAnswers {
        service: service.name.clone(),
        product: service.product.clone(),
        written: named(Written::Yes),
        not_written: named(Written::No),
        perhaps: named(Written::Perhaps),
        identity: any(&[Field::Sub, Field::Jti]),
        jti: any(&[Field::Jti]),
    }
}

/// What a set of services is worth: whole questions, parts of them, services that name tokens.
fn worth(book: &Book, services: &[SiteService]) -> (BTreeSet<u8>, BTreeSet<u8>, usize, usize) {
    let all: Vec<Vec<Kind<'_>>> = services.iter().map(|service| kinds(book, service)).collect();
    let (mut whole, mut part) = (BTreeSet::new(), BTreeSet::new());
    for six in &SIX {
        let judged: Vec<(Verdict, bool)> = all.iter().map(|kinds| judge(kinds, six)).collect();
        if judged.iter().any(|(verdict, _)| *verdict == Verdict::Answerable) {
            whole.insert(six.number);
        }
        if judged.iter().any(|(_, part)| *part) {
            part.insert(six.number);
        }
    }
    let told = services.iter().zip(&all).map(|(service, kinds)| of_service(service, kinds));
    let told: Vec<ServiceAnswers> = told.collect();
    let count =
        |get: fn(&ServiceAnswers) -> Verdict| told.iter().filter(|answers| get(answers) == Verdict::Answerable).count();
    (whole, part, count(|answers| answers.jti), count(|answers| answers.identity))
}

/// The change of one setting that gains most; ties go to the first service and setting.
fn best_change(book: &Book, services: &[SiteService]) -> Option<Change> {
    let now = worth(book, services);
    let mut best: Option<((usize, usize, usize, usize), Change)> = None;
    for (index, service) in services.iter().enumerate() {
        let Some(settings) = &service.settings else { continue };
        for format in book.formats.iter().filter(|format| writes(&service.product, format)) {
            for raw in &format.raw.settings {
                let mut changed = services.to_vec();
                let needs =
                    format.raw.lines.iter().flat_map(|line| &line.needs).filter(|need| need.setting == raw.name);
                let words = needs.flat_map(|need| need.any.iter().cloned()).collect();
                let set = Set { words: Some(words), place: None };
                if let Some(own) = &mut changed[index].settings {
                    own.insert(raw.name.clone(), set);
                }
                let then = worth(book, &changed);
                let more = |then: &BTreeSet<u8>, now: &BTreeSet<u8>| then.difference(now).count();
                let gain = (
                    more(&then.0, &now.0),
                    more(&then.1, &now.1),
                    then.2.saturating_sub(now.2),
                    then.3.saturating_sub(now.3),
                );
                if gain == (0, 0, 0, 0) || best.as_ref().is_some_and(|(known, _)| *known >= gain) {
                    continue;
                }
                let mut gains: Vec<String> = Vec::new();
                let whole = then.0.difference(&now.0).map(|number| format!("question {number} becomes answerable"));
                gains.extend(whole);
                let part = then.1.difference(&now.1).map(|number| {
                    let six = &SIX[usize::from(*number) - 1];
                    format!("question {number} in part: {}", six.part)
                });
                gains.extend(part);
                if gain.2 > 0 {
                    gains.push("its log names tokens by jti".into());
                }
                if gain.3 > 0 {
                    gains.push("its log says whose token was used".into());
                }
                let change = Change {
                    service: service.name.clone(),
                    line: raw.change.clone(),
                    place: settings.get(&raw.name).and_then(|set| set.place.clone()),
                    gains,
                    caution: raw.caution.clone(),
                };
                best = Some((gain, change));
            }
        }
    }
    best.map(|(_, change)| change)
}

fn notes(book: &Book, services: &[SiteService]) -> Vec<String> {
    let mut notes = Vec::new();
    for service in services {
        if !book.formats.iter().any(|format| writes(&service.product, format)) {
            let (name, product) = (&service.name, &service.product);
            notes.push(format!("{name}: no log format of {product} is known here; what its logs answer is not judged"));
        } else if service.settings.is_none() {
            notes.push(format!("{}: none of its files was recognised, so its settings are not known", service.name));
        }
        if service.retention.is_none() {
            notes.push(format!("{}: the policy does not say how long its logs are kept (log-retention)", service.name));
        }
    }
    if services.is_empty() {
        notes.push("the policy names no services".into());
    }
    notes
}

/// As JSON, with a final newline.
pub fn json(answers: &Answers) -> String {
    crate::report::json_text(answers)
}

/// For people.
pub fn human(answers: &Answers, options: Options) -> String {
    let mut out = String::new();
    let bold = |text: &str| if options.color { format!("\x1b[1m{text}\x1b[0m") } else { text.to_string() };
    let fill = |out: &mut String, lead: &str, line: &str| {
        for (index, part) in text::wrapped(&text::shown(line), options.width.saturating_sub(8)).iter().enumerate() {
            let _ = writeln!(out, "{}{part}", if index == 0 { lead } else { "        " });
        }
    };
    for judged in &answers.questions {
        let of = if judged.asked_of == "vo" { " (asked of VOs)" } else { "" };
        let _ = writeln!(out, "{}. {}{of}", judged.number, judged.question);
        let _ = writeln!(out, "   {}", bold(judged.verdict.words()));
        judged.because.iter().for_each(|line| fill(&mut out, "      - ", line));
    }
    let _ = writeln!(out, "\n{}", bold("services"));
    for service in &answers.services {
        let line = format!(
            "{} ({}): who used a token: {}; which token (jti): {}",
            service.service,
            service.product,
            service.identity.words(),
            service.jti.words()
        );
        fill(&mut out, "  ", &line);
    }
    match &answers.best_change {
        None => {
            let _ = writeln!(out, "\nno change of one line that is known here gains anything");
        }
        Some(change) => {
            let _ = writeln!(out, "\n{}", bold("the one change that gains most"));
            fill(&mut out, "  ", &format!("{}: {}", change.service, change.line));
            change.gains.iter().for_each(|line| fill(&mut out, "      - ", line));
            if let Some(place) = &change.place {
                fill(&mut out, "      now at ", &format!("{}:{}", place.path, place.line));
            }
            if let Some(caution) = &change.caution {
                fill(&mut out, "      but: ", caution);
            }
        }
    }
    for finding in &answers.findings {
        let line = format!("{}[{}]: {}", finding.severity, finding.rule, finding.message);
        fill(&mut out, "\n  ", &line);
        fill(&mut out, "      help: ", &finding.help);
    }
    if !answers.notes.is_empty() {
        let _ = writeln!(out, "\n{}", bold("notes"));
        answers.notes.iter().for_each(|line| fill(&mut out, "  - ", line));
    }
    text::without_commands(&out).into_owned()
}
