//! Tokens by services: the table, its expectations, and how it is shown.

use super::client::Issued;
use super::engine::{Ask, Cell, Verdict, judge};
use super::keys::KeySet;
use super::model::Model;
use super::service::{Request, Service};
use crate::near::did_you_mean;
use crate::parse::{ParseError, typed};
use crate::report::{Options, text};
use crate::source::{Source, Span};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt::Write as _;
use std::sync::Arc;

/// A token that is asked about.
pub struct Given {
    /// How it is named in the table.
    pub name: String,
    /// What is sent.
    pub sent: Sent,
    /// What has to be so that the verdicts hold; said with the table.
    pub condition: Option<String>,
}

/// What is sent to a service.
pub enum Sent {
    /// This compact token.
    Token(String),
    /// A token that a client may get, made for the service that is asked.
    Issued(Issued),
    /// No token.
    Nothing,
}

impl std::fmt::Debug for Given {
    // The compact form is a live token.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Given").field("name", &self.name).finish_non_exhaustive()
    }
}

/// What is wanted of a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Wanted {
    /// The service takes the token, with or without checking everything.
    Accept,
    /// It does not.
    Refuse,
}

impl Wanted {
    /// The word in files and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Wanted::Accept => "accept",
            Wanted::Refuse => "refuse",
        }
    }

    fn met(self, verdict: Verdict) -> bool {
        verdict.takes() == Some(self == Wanted::Accept)
    }
}

/// An expectation file.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "tokenvet compat expectations")]
pub struct Expectations {
    /// The first that fits a cell counts; a cell that none fits has no expectation.
    pub expect: Vec<Expectation>,
}

/// What is wanted of some cells.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Expectation {
    /// Name of the token in the table, with `*` for any text; without it every token.
    #[serde(default)]
    pub token: Option<String>,
    /// Label of the service, likewise.
    #[serde(default)]
    pub service: Option<String>,
    /// The request (`read:/data`), likewise. Its operation has to be one that is known.
    #[serde(default)]
    pub request: Option<String>,
    /// What is wanted.
    pub verdict: Wanted,
    /// Where it stands in its file.
    #[serde(skip)]
    #[schemars(skip)]
    at: Span,
}

impl Expectation {
    fn fits(&self, token: &str, service: &str, request: &str) -> bool {
        let fits = |pattern: &Option<String>, text: &str| pattern.as_ref().is_none_or(|pattern| like(pattern, text));
        fits(&self.token, token) && fits(&self.service, service) && fits(&self.request, request)
    }

    /// Why it fits no cell: the first of its patterns that fits none.
    fn misses(&self, table: &Table) -> String {
        type Name = fn(&Entry) -> &str;
        let parts: [(&str, &Option<String>, Name); 3] = [
            ("token", &self.token, |entry| &entry.token),
            ("service", &self.service, |entry| &entry.service),
            ("request", &self.request, Entry::asked),
        ];
        for (what, pattern, name) in parts {
            let Some(pattern) = pattern else { continue };
            let mut names = table.cells.iter().map(name).filter(|name| !name.is_empty());
            if !table.cells.iter().any(|entry| like(pattern, name(entry))) {
                let near = did_you_mean(pattern, names.clone());
                let first = names.next().filter(|_| near.is_empty());
                let first = first.map_or_else(String::new, |first| format!("; the first is {first:?}"));
                return format!("no {what} of this run fits {pattern:?}{near}{first}");
            }
        }
        "no answer of this run fits all of its patterns".into()
    }
}

impl Expectations {
    /// The same for all cells.
    pub fn all(verdict: Wanted) -> Self {
        Expectations {
            expect: vec![Expectation { token: None, service: None, request: None, verdict, at: Span::default() }],
        }
    }

    /// Reads a file. The error points at what is wrong in it.
    pub fn read(source: &Arc<Source>, model: &Model) -> Result<Self, ParseError> {
        let (mut read, document) = typed::read::<Expectations>(source)?;
        let list = document.root().get("expect").unwrap_or(document.root());
        if read.expect.is_empty() {
            return Err(ParseError { message: "the list is empty: nothing is expected".into(), span: list.span() });
        }
        for (one, at) in read.expect.iter_mut().zip(list.items()) {
            one.at = at.span();
            let Some(pattern) = one.request.as_deref().filter(|pattern| !pattern.is_empty()) else { continue };
            if !model.operations().any(|known| may_fit(pattern, &known.request)) {
                let message = format!(
                    "no request fits {pattern:?}: it begins with no known operation; {}",
                    model.known_operations()
                );
                return Err(ParseError { message, span: at.get("request").unwrap_or(at).span() });
            }
        }
        Ok(read)
    }

    fn of(&self, token: &str, service: &str, request: Option<&str>) -> Option<Wanted> {
        let mut fitting = self.expect.iter().filter(|one| one.fits(token, service, request.unwrap_or_default()));
        fitting.next().map(|one| one.verdict)
    }

    /// Those that fit no cell: a slip of the pen would turn off what they are to guard.
    pub fn unused(&self, table: &Table) -> Vec<ParseError> {
        let used =
            |one: &Expectation| table.cells.iter().any(|entry| one.fits(&entry.token, &entry.service, entry.asked()));
        let unused = self.expect.iter().filter(|one| !used(one));
        unused.map(|one| ParseError { message: one.misses(table), span: one.at }).collect()
    }
}

/// True when a pattern may fit requests of an operation.
fn may_fit(pattern: &str, operation: &str) -> bool {
    let begin = format!("{operation}:/");
    match pattern.split_once('*') {
        Some((fixed, _)) => fixed.starts_with(&begin) || begin.starts_with(fixed),
        None => pattern.starts_with(&begin),
    }
}

/// True when a text fits a pattern in which `*` stands for any text.
fn like(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    true
}

/// Version of the JSON form.
const SCHEMA_VERSION: &str = "1";

/// The table as JSON has it.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Table {
    /// Version of this form.
    pub schema_version: &'static str,
    /// Who made it.
    pub tool: crate::report::Tool<'static>,
    /// The clock of the judgement, RFC 3339.
    pub now: String,
    /// True when signatures were verified with keys; otherwise they are taken to be right.
    pub signatures_verified: bool,
    /// One per token, service and request.
    pub cells: Vec<Entry>,
    /// What no software checks at all.
    pub never_checked: Vec<String>,
    /// Cells by verdict, and unmet expectations.
    pub summary: Summary,
}

/// A cell and what it is about.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Entry {
    /// The token.
    pub token: String,
    /// The service.
    pub service: String,
    /// The request; `null` when the token as such was asked about.
    pub request: Option<String>,
    /// What has to be so that the verdict holds; `null` for tokens as sent.
    pub condition: Option<String>,
    /// What was wanted; `null` without an expectation.
    pub expected: Option<Wanted>,
    /// False when something else was wanted.
    pub met: bool,
    /// The verdict.
    #[serde(flatten)]
    pub cell: Cell,
}

impl Entry {
    /// The request as expectations name it.
    fn asked(&self) -> &str {
        self.request.as_deref().unwrap_or_default()
    }
}

/// Counts of a table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Summary {
    /// Taken, everything checked.
    pub accepted: usize,
    /// Taken without being checked.
    pub unchecked: usize,
    /// Not taken.
    pub refused: usize,
    /// Open.
    pub unsaid: usize,
    /// Expectations that are not met.
    pub unmet: usize,
}

/// What a table is made of.
#[derive(Debug)]
pub struct Question<'a> {
    /// Rows.
    pub tokens: &'a [Given],
    /// Columns.
    pub services: &'a [Service],
    /// Columns within a service; empty: the token as such.
    pub requests: &'a [Request],
    /// What is wanted.
    pub expectations: &'a Expectations,
    /// Keys to verify with.
    pub keys: Option<&'a KeySet>,
    /// The clock.
    pub now: jiff::Timestamp,
}

/// Makes the table.
pub fn table(model: &Model, question: &Question<'_>) -> Table {
    let now = question.now.as_second() as f64 + f64::from(question.now.subsec_nanosecond()) / 1e9;
    let mut cells = Vec::new();
    for given in question.tokens {
        for service in question.services {
            let requests: Vec<Option<&Request>> = match question.requests {
                [] => vec![None],
                requests => requests.iter().map(Some).collect(),
            };
            for request in requests {
                let made = match &given.sent {
                    Sent::Issued(issued) => Some(issued.token(service, question.now.as_second())),
                    Sent::Token(_) | Sent::Nothing => None,
                };
                let (token, keys) = match &given.sent {
                    Sent::Token(token) => (Some(token.as_str()), question.keys),
                    // Nobody signed it, so no key can tell.
                    Sent::Issued(_) => (made.as_deref(), None),
                    Sent::Nothing => (None, question.keys),
                };
                let ask = Ask { token, now, keys, service, request };
                let cell = judge(model, ask);
                let request = request.map(|request| format!("{}:{}", request.operation, request.path));
                let expected = question.expectations.of(&given.name, &service.label, request.as_deref());
                cells.push(Entry {
                    token: given.name.clone(),
                    service: service.label.clone(),
                    request,
                    condition: given.condition.clone(),
                    expected,
                    met: expected.is_none_or(|wanted| wanted.met(cell.verdict)),
                    cell,
                });
            }
        }
    }
    let count = |verdict: Verdict| cells.iter().filter(|entry| entry.cell.verdict == verdict).count();
    let summary = Summary {
        accepted: count(Verdict::Accepted),
        unchecked: count(Verdict::Unchecked),
        refused: count(Verdict::Refused),
        unsaid: count(Verdict::Unsaid),
        unmet: cells.iter().filter(|entry| !entry.met).count(),
    };
    Table {
        schema_version: SCHEMA_VERSION,
        tool: crate::report::Tool::this(),
        now: question.now.to_string(),
        signatures_verified: question.keys.is_some() && cfg!(feature = "verify"),
        never_checked: model.everywhere.iter().map(|one| one.raw.reason.clone()).collect(),
        cells,
        summary,
    }
}

/// The table as JSON, with a final newline. Characters a terminal would obey are escaped.
pub fn json(table: &Table) -> String {
    crate::report::json_text(table)
}

/// What is under the table: reasons of a cell, one line each.
fn reasons(entry: &Entry, all: bool) -> Vec<String> {
    let mut lines = vec![entry.cell.reason.clone()];
    lines.extend(entry.cell.unchecked.iter().skip(1).map(|note| note.reason.clone()));
    if let Some(place) = &entry.cell.config {
        lines.push(format!("decided at {}:{}", place.path, place.line));
    }
    let evidence = entry.cell.evidence.iter().take(if all { usize::MAX } else { 1 });
    lines.extend(evidence.map(|one| format!("{}: {}", one.kind.meaning(), one.what)));
    if !entry.cell.rights.is_empty() {
        lines.push(format!("permits {}", entry.cell.rights.join("; ")));
    }
    if !entry.met {
        let wanted = entry.expected.map_or("", Wanted::name);
        lines.push(format!("expected: {wanted}"));
    }
    lines
}

/// What the whole table rests on.
fn premises(table: &Table) -> Vec<String> {
    let mut lines = Vec::new();
    if table.cells.iter().any(|entry| !entry.cell.assumed.is_empty()) {
        lines.push("signatures are taken to be right; --keys verifies them".to_string());
    }
    let mut conditions: Vec<&String> = table.cells.iter().filter_map(|entry| entry.condition.as_ref()).collect();
    conditions.dedup();
    lines.extend(conditions.into_iter().cloned());
    lines
}

fn totals(summary: &Summary) -> String {
    let mut parts = vec![
        format!("{} accepted", summary.accepted),
        format!("{} accepted without being checked", summary.unchecked),
        format!("{} refused", summary.refused),
        format!("{} cannot be said", summary.unsaid),
    ];
    if summary.unmet > 0 {
        parts.push(format!("{} not as expected", summary.unmet));
    }
    parts.join(", ")
}

/// The table for a person at a terminal.
pub fn human(table: &Table, options: Options) -> String {
    let mut out = String::new();
    let width = options.width.clamp(60, 120);
    let bold = |text: &str| if options.color { format!("\x1b[1m{text}\x1b[0m") } else { text.to_string() };
    let mut last = "";
    for entry in &table.cells {
        if entry.token != last {
            let lead = if last.is_empty() { "" } else { "\n" };
            let _ = writeln!(out, "{lead}{}", bold(&text::shown(&entry.token)));
            last = &entry.token;
        }
        let request = entry.request.as_ref().map(|request| format!(" {request}")).unwrap_or_default();
        let mark = if entry.met { "  " } else { "! " };
        let label = format!("{}{}", entry.service, request);
        let _ = writeln!(out, "{mark}{}: {}", text::shown(&label), bold(entry.cell.verdict.words()));
        for line in reasons(entry, options.all) {
            for line in text::wrapped(&text::shown(&line), width - 6) {
                let _ = writeln!(out, "      {line}");
            }
        }
    }
    let _ = writeln!(out, "\n{}", bold(&totals(&table.summary)));
    for line in premises(table) {
        let _ = writeln!(out, "{}", text::shown(&line));
    }
    text::without_commands(&out).into_owned()
}

/// The table for a page.
pub fn markdown(table: &Table, options: Options) -> String {
    let cell = |text: &str| crate::report::markdown_escaped(text);
    let mut out = String::from("| token | service | request | verdict | why |\n| --- | --- | --- | --- | --- |\n");
    for entry in &table.cells {
        let why: Vec<String> = reasons(entry, options.all).iter().map(|line| cell(line)).collect();
        let verdict = entry.cell.verdict.words();
        let verdict = if entry.met { verdict.to_string() } else { format!("**{verdict}**") };
        let request = cell(entry.request.as_deref().unwrap_or("-"));
        let _ = writeln!(
            out,
            "| {} | {} | {request} | {verdict} | {} |",
            cell(&entry.token),
            cell(&entry.service),
            why.join("<br>")
        );
    }
    let _ = writeln!(out, "\n{}", totals(&table.summary));
    for line in premises(table) {
        let _ = writeln!(out, "\n{}", cell(&line));
    }
    text::without_commands(&out).into_owned()
}
