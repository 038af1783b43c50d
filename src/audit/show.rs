//! Reports of audits as text: for people, for mail, for Nagios and for Prometheus.

use super::inventory::TIMES;
use super::report::{Change, Counts, Edit, Expiring, Item, Lost, Outcome, Report, SnapshotRef};
use super::trend::Trend;
use crate::audit::ratchet::lasts;
use crate::report::{Options, text};
use crate::rule::{Severity, message};
use serde_json::Value as Json;
use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;

/// Entries of a list that are shown, unless all are asked for.
const SHOWN: usize = 40;
/// Audits in the table of figures.
const ROWS: usize = 6;
/// Columns of a mail.
const MAIL: usize = 76;

/// Writes `human`.
pub fn human(report: &Report, options: Options) -> String {
    let mut page = Page { out: String::new(), options };
    page.line(0, &headline(report));
    for what in &report.changed {
        page.line(2, what);
    }
    page.section("new findings", report.new.len(), |page| page.changes(&report.new));
    page.section("worse than before", report.worsened.len(), |page| page.changes(&report.worsened));
    page.section("no longer audited", report.coverage.lost.len(), |page| page.lost(&report.coverage.lost));
    page.section("errors", report.errors.len(), |page| {
        page.list(&report.errors, |problem| match problem.path.as_str() {
            "" => problem.message.clone(),
            path => format!("{path}: {}", problem.message),
        });
    });
    let failed: Vec<&SnapshotRef> = report.snapshots.iter().filter(|snapshot| !snapshot.failed.is_empty()).collect();
    page.section("issuers that could not be fetched", failed.len(), |page| page.list(&failed, |it| stale(it)));
    let within = format!("ended, or ending within {}", days(report.expiring_within));
    page.section(&within, report.expiring.len(), |page| page.list(&report.expiring, expiring));
    page.section("fixed", report.fixed.len(), |page| page.changes(&report.fixed));
    page.inventory(report);
    let returned = &report.coverage.returned;
    page.section("audited again", returned.len(), |page| page.list(returned, String::clone));
    let added = &report.coverage.added;
    page.section("audited for the first time", added.len(), |page| page.list(added, String::clone));
    page.trend(report);
    page.out.push('\n');
    page.line(0, &closing(report));
    page.out
}

/// Writes a text that a mailer takes as it is: a subject and a few headers, an empty line, the report.
pub fn mail(report: &Report) -> String {
    let subject = match (report.outcome, report.errors.is_empty()) {
        (Outcome::Worse, _) => "worse",
        (Outcome::First | Outcome::Steady, false) => "incomplete",
        (Outcome::First | Outcome::Steady, true) => "OK",
    };
    let policy = text::shortened(&report.policy, 60);
    let mut out = format!("Subject: tokenvet audit of {policy}: {subject}, {}\n", sum(report));
    // Names of files may hold anything; headers are ASCII.
    out = out.chars().map(|c| if c.is_ascii() { c } else { '?' }).collect();
    out.push_str("MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n");
    out.push_str("Auto-Submitted: auto-generated\n\n");
    out.push_str(&human(report, Options { width: MAIL, ..Options::default() }));
    out
}

/// What a monitoring plugin says of an audit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing got worse, nothing ends soon.
    Ok = 0,
    /// A warning is new or worse, something ends soon, or an issuer could not be fetched.
    Warning = 1,
    /// An error is new or worse, or something is no longer audited.
    Critical = 2,
    /// Something could not be read or judged.
    Unknown = 3,
}

fn verdict(report: &Report) -> Verdict {
    let worst = report.new.iter().chain(&report.worsened).map(|change| change.severity).max();
    let worse = report.outcome == Outcome::Worse;
    let stale = stale_ones(report);
    match worst {
        Some(Severity::Error) if worse => Verdict::Critical,
        _ if worse && !report.coverage.lost.is_empty() => Verdict::Critical,
        _ if !report.errors.is_empty() => Verdict::Unknown,
        _ if worse || !report.expiring.is_empty() || stale > 0 => Verdict::Warning,
        _ => Verdict::Ok,
    }
}

/// Snapshots that were to be taken anew and could not be.
fn stale_ones(report: &Report) -> usize {
    report.snapshots.iter().filter(|snapshot| !snapshot.failed.is_empty()).count()
}

/// Writes the line of a Nagios plugin with its performance data.
pub fn nagios(report: &Report) -> (String, Verdict) {
    let verdict = verdict(report);
    let word = match verdict {
        Verdict::Ok => "OK",
        Verdict::Warning => "WARNING",
        Verdict::Critical => "CRITICAL",
        Verdict::Unknown => "UNKNOWN",
    };
    let first = report.new.iter().chain(&report.worsened).next();
    let mut line = format!("TOKENVET {word} - {}", sum(report));
    if let Some(change) = first {
        let _ = write!(line, "; first: {} {}:{}", change.rule, change.path, change.line);
    }
    if let Some(lost) = report.coverage.lost.first() {
        let _ = write!(line, "; no longer audited: {}", lost.name);
    }
    if let Some(problem) = report.errors.first() {
        let _ = write!(line, "; {}: {}", problem.path, problem.message);
    }
    if let Some(snapshot) = report.snapshots.iter().find(|snapshot| !snapshot.failed.is_empty()) {
        let _ = write!(line, "; not fetched: {}", stale(snapshot));
    }
    // A bar would begin the performance data.
    let line = text::shortened(&line.replace('|', "/"), 400);
    let Counts { error, warning, note, suppressed } = report.findings;
    let (new, worse, fixed) = (report.new.len(), report.worsened.len(), report.fixed.len());
    let (lost, ends, errors) = (report.coverage.lost.len(), report.expiring.len(), report.errors.len());
    let stale = stale_ones(report);
    let line = format!(
        "{line} | new={new};0 worsened={worse};0 fixed={fixed} lost={lost};;0 expiring={ends};0 error={error} \
         warning={warning} note={note} suppressed={suppressed} unreadable={errors} not_fetched={stale};0\n"
    );
    (line, verdict)
}

/// Writes a file for the textfile collector of node_exporter.
pub fn prometheus(report: &Report, now: i64) -> String {
    let mut metrics = Metrics { out: String::new(), name: "" };
    let steady = |yes: bool| if yes { 1 } else { 0 };
    metrics.gauge("last_run_timestamp_seconds", "When the last audit was.");
    metrics.sample(&[], now);
    metrics.gauge("complete", "Whether everything could be read and judged.");
    metrics.sample(&[], steady(report.errors.is_empty() && report.coverage.incomplete.is_empty()));
    metrics.gauge("worse", "Whether something got worse since the audit before.");
    metrics.sample(&[], steady(report.outcome == Outcome::Worse));
    metrics.gauge("findings", "Findings by severity; suppressed ones apart.");
    let Counts { error, warning, note, suppressed } = report.findings;
    for (severity, number) in [("error", error), ("warning", warning), ("note", note), ("suppressed", suppressed)] {
        metrics.sample(&[("severity", severity)], number as i64);
    }
    metrics.gauge("findings_changed", "Findings that changed since the audit before.");
    for (change, list) in [("new", &report.new), ("worsened", &report.worsened), ("fixed", &report.fixed)] {
        let mut by_severity = BTreeMap::from([("error", 0), ("warning", 0), ("note", 0)]);
        list.iter().for_each(|change| *by_severity.entry(change.severity.name()).or_default() += 1);
        for (severity, number) in by_severity {
            metrics.sample(&[("change", change), ("severity", severity)], number);
        }
    }
    metrics.gauge("findings_unverified", "Findings of earlier audits that the last one could say nothing of.");
    metrics.sample(&[], report.unverified as i64);
    metrics.gauge("sources", "Files and services' logs that were audited, or no longer are.");
    let lost = report.coverage.lost.len() + report.coverage.still_lost.len();
    metrics.sample(&[("state", "audited")], report.coverage.audited as i64);
    metrics.sample(&[("state", "incomplete")], report.coverage.incomplete.len() as i64);
    metrics.sample(&[("state", "lost")], lost as i64);
    metrics.gauge("errors", "What could not be read or judged.");
    metrics.sample(&[], report.errors.len() as i64);
    metrics.gauge("expiry_timestamp_seconds", "When something ends that ends soon.");
    let mut known: BTreeMap<(&str, &str, &str), i64> = BTreeMap::new();
    for ends in &report.expiring {
        // A series may appear once; of what has one name the first end counts.
        known.entry((&ends.what, &ends.name, &ends.path)).or_insert(ends.seconds);
    }
    for ((what, name, path), seconds) in known {
        metrics.sample(&[("what", what), ("name", name), ("path", path)], seconds);
    }
    metrics.gauge("snapshot_timestamp_seconds", "When the snapshot of an issuer was taken.");
    let mut known: BTreeMap<(&str, &str), i64> = BTreeMap::new();
    for snapshot in &report.snapshots {
        if let Some(age) = snapshot.age {
            known.insert((&snapshot.issuer, &snapshot.path), now - age);
        }
    }
    for ((issuer, path), taken) in known {
        metrics.sample(&[("issuer", issuer), ("path", path)], taken);
    }
    if let Some(last) = report.trend.last() {
        metrics.trend(&last.trend);
    }
    metrics.out
}

struct Metrics {
    out: String,
    /// The gauge that was announced last, without what all names begin with.
    name: &'static str,
}

impl Metrics {
    fn gauge(&mut self, name: &'static str, help: &str) {
        self.name = name;
        let _ = writeln!(self.out, "# HELP tokenvet_audit_{name} {help}\n# TYPE tokenvet_audit_{name} gauge");
    }

    /// A sample of the gauge that was announced last.
    fn sample(&mut self, labels: &[(&str, &str)], value: i64) {
        let labels: Vec<String> = labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
        let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        let _ = writeln!(self.out, "tokenvet_audit_{}{labels} {value}", self.name);
    }

    fn trend(&mut self, trend: &Trend) {
        self.gauge(
            "lifetime_median_seconds",
            "Median lifetime that clients are registered with; -1 when it has no end.",
        );
        for (token, seconds) in &trend.lifetimes {
            self.sample(&[("token", token)], seconds.unwrap_or(-1));
        }
        self.gauge("waivers", "Waivers that hide findings, by VO.");
        for (vo, number) in &trend.waivers {
            self.sample(&[("vo", vo)], *number as i64);
        }
        self.gauge("inventory", "What there is, by kind.");
        for (kind, number) in &trend.inventory {
            self.sample(&[("kind", kind)], *number as i64);
        }
    }
}

/// A label's value: made visible first, so that no control character gets into the file.
fn escaped(value: &str) -> String {
    text::shown(value).replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

struct Page {
    out: String,
    options: Options,
}

impl Page {
    /// Text from files, wrapped.
    fn line(&mut self, indent: usize, line: &str) {
        let width = self.options.width.max(40) - indent - 2;
        for (at, part) in text::wrapped(&text::shown(line), width).iter().enumerate() {
            let indent = if at == 0 { indent } else { indent + 2 };
            let _ = writeln!(self.out, "{:indent$}{part}", "");
        }
    }

    fn section(&mut self, title: &str, number: usize, write: impl FnOnce(&mut Self)) {
        if number > 0 {
            let (bold, plain) = if self.options.color { ("\x1b[1m", "\x1b[0m") } else { ("", "") };
            let _ = writeln!(self.out, "\n{bold}{title} ({}){plain}", text::count(number as u64));
            write(self);
        }
    }

    fn list<T>(&mut self, items: &[T], words: impl Fn(&T) -> String) {
        let shown = if self.options.all { items.len() } else { items.len().min(SHOWN) };
        for item in &items[..shown] {
            self.line(2, &words(item));
        }
        if shown < items.len() {
            let more = text::count((items.len() - shown) as u64);
            self.line(2, &format!("and {more} more, which --all and the JSON report show"));
        }
    }

    /// Findings, those of one place and rule as one whatever profiles found them.
    fn changes(&mut self, changes: &[Change]) {
        let mut merged: Vec<(&Change, Vec<&str>)> = Vec::new();
        let mut known: HashMap<_, usize> = HashMap::new();
        for change in changes {
            let Change { rule, path, line, name, why, severity, .. } = change;
            match known.entry((rule, path, line, name, why, severity)) {
                Entry::Occupied(at) => merged[*at.get()].1.push(&change.profile),
                Entry::Vacant(free) => {
                    free.insert(merged.len());
                    merged.push((change, vec![&change.profile]));
                }
            }
        }
        self.list(&merged, |(change, profiles)| {
            let why = if change.why.is_empty() { String::new() } else { format!(" ({})", change.why) };
            format!(
                "{}:{} {} {}: {} {}: {}{why} [{}]",
                change.path,
                change.line,
                change.severity,
                change.rule,
                change.kind,
                change.name,
                change.message,
                profiles.join(", ")
            )
        });
    }

    fn lost(&mut self, lost: &[Lost]) {
        self.list(lost, |lost| {
            let service = lost.service.as_ref().map_or(String::new(), |service| format!(" of {service}"));
            let findings = match lost.findings {
                0 => String::new(),
                number => format!("; {} there can not be told to be fixed", text::counted(number, "finding")),
            };
            format!("{}{service}: {}{findings}", lost.name, lost.why)
        });
    }

    fn inventory(&mut self, report: &Report) {
        let inventory = &report.inventory;
        let number = inventory.added.len() + inventory.removed.len() + inventory.changed.len();
        self.section("what there is", number, |page| {
            let item = |item: &Item| format!("{} {} ({}){}", item.kind, item.name, item.path, span(item));
            page.list(&inventory.added, |added| format!("+ {}", item(added)));
            page.list(&inventory.removed, |removed| format!("- {}", item(removed)));
            page.list(&inventory.changed, |changed| {
                let edits: Vec<String> = changed.edits.iter().map(words).collect();
                format!("~ {}: {}", item(&changed.item), edits.join("; "))
            });
        });
    }

    fn trend(&mut self, report: &Report) {
        if report.trend.len() < 2 {
            return;
        }
        let points = &report.trend[report.trend.len().saturating_sub(ROWS)..];
        self.section("over time", report.trend.len(), |page| {
            let heading = "audit             error warning note waivers  access token  refresh token  widest scope";
            let _ = writeln!(page.out, "  {heading}");
            for point in points {
                let trend = &point.trend;
                let number = |name: &str| text::count(trend.findings.get(name).copied().unwrap_or(0));
                let median = |token: &str| trend.lifetimes.get(token).map_or("-".into(), |life| short(*life));
                let at = point.at.get(..16).unwrap_or(&point.at).replace('T', " ");
                let waivers: u64 = trend.waivers.values().sum();
                let room = page.options.width.saturating_sub(76).max(16);
                let scope = text::shortened(trend.widest_scope.as_deref().unwrap_or("-"), room);
                let row = format!(
                    "{at}  {:>5} {:>7} {:>4} {waivers:>7}  {:>12}  {:>13}  {scope}",
                    number("error"),
                    number("warning"),
                    number("note"),
                    median("access_token"),
                    median("refresh_token"),
                );
                let _ = writeln!(page.out, "  {row}");
            }
        });
        if let Some(last) = report.trend.last().filter(|last| !last.trend.waivers.is_empty()) {
            let of = |(vo, number): (&String, &u64)| format!("{vo} {number}");
            let waivers: Vec<String> = last.trend.waivers.iter().map(of).collect();
            self.line(2, &format!("waivers in use: {}", waivers.join(", ")));
        }
    }
}

fn headline(report: &Report) -> String {
    let since = match &report.previous {
        Some(previous) => format!("compared with {previous}"),
        None => "first audit: later ones compare with it".into(),
    };
    format!("audit of {}, {}, {since}", report.policy, report.now)
}

/// The outcome in one line.
fn sum(report: &Report) -> String {
    let found = |counts: &Counts| {
        let parts = [(counts.error, "error"), (counts.warning, "warning"), (counts.note, "note")];
        let parts = parts.iter().filter(|(number, _)| *number > 0);
        let parts: Vec<String> = parts.map(|(number, noun)| text::counted(*number, noun)).collect();
        if parts.is_empty() { "no findings".to_string() } else { parts.join(", ") }
    };
    let mut parts = match report.outcome {
        Outcome::First => vec!["first audit".to_string()],
        Outcome::Steady => vec!["nothing got worse".to_string()],
        Outcome::Worse => vec![],
    };
    let ended = report.expiring.iter().filter(|ends| ends.days < 0).count();
    let lists = [
        (report.new.len(), "new"),
        (report.worsened.len(), "worse"),
        (report.coverage.lost.len(), "no longer audited"),
        (report.fixed.len(), "fixed"),
        (ended, "ended"),
        (report.expiring.len() - ended, "ending soon"),
        (stale_ones(report), "not fetched"),
    ];
    parts.extend(lists.iter().filter(|(number, _)| *number > 0).map(|(number, word)| format!("{number} {word}")));
    parts.push(format!("{} in all", found(&report.findings)));
    if !report.errors.is_empty() {
        parts.push(format!("{} while reading", text::counted(report.errors.len() as u64, "error")));
    }
    parts.join(", ")
}

fn closing(report: &Report) -> String {
    let mut line = sum(report);
    let Counts { error, warning, note, .. } = report.findings;
    if report.outcome == Outcome::First && error + warning + note > 0 {
        // What is there already is no news, and so stands in no list.
        line.push_str("; `tokenvet check` over the same files shows them");
    }
    let still = report.still.error + report.still.warning + report.still.note;
    if still > 0 {
        let _ = write!(line, "; {} still there", text::count(still));
    }
    if report.findings.suppressed > 0 {
        let _ = write!(line, "; {} suppressed", text::count(report.findings.suppressed));
    }
    if report.unverified > 0 {
        let _ = write!(line, "; {} not looked at this time", text::count(report.unverified));
    }
    if !report.coverage.still_lost.is_empty() {
        let lost = report.coverage.still_lost.len() as u64;
        let _ = write!(line, "; {} no longer audited since an earlier time", text::counted(lost, "source"));
    }
    line
}

fn expiring(ends: &Expiring) -> String {
    let when = match ends.days {
        days if days < 0 => format!("ended {} ago", text::counted(days.unsigned_abs(), "day")),
        0 => "ends today".to_string(),
        days => format!("ends in {}", text::counted(days.unsigned_abs(), "day")),
    };
    let owner = if ends.owner.is_empty() { String::new() } else { format!(", {}", ends.owner) };
    format!("{}: {} {} {when}{owner} ({})", ends.at, ends.what, ends.name, ends.path)
}

/// From when to when something counts, where that is known.
fn span(item: &Item) -> String {
    let mut words = String::new();
    if let Some(begins) = &item.begins {
        let _ = write!(words, ", from {begins} on");
    }
    if let (Some(ends), Some(days)) = (&item.ends, item.days) {
        let number = text::counted(days.unsigned_abs(), "day");
        let _ = match days {
            days if days < 0 => write!(words, ", ended {ends}, {number} ago"),
            _ => write!(words, ", ends {ends}, in {number}"),
        };
    }
    words
}

/// An issuer without a new snapshot, and what this audit is about instead.
fn stale(snapshot: &SnapshotRef) -> String {
    let SnapshotRef { path, taken, age, failed, .. } = snapshot;
    match (taken, age) {
        (Some(taken), Some(age)) => {
            format!("{failed}; the snapshot in {path} is of {taken}, {} old", message::duration(*age))
        }
        _ => format!("{failed}; nothing says how old {path} is, if there is any"),
    }
}

fn days(seconds: i64) -> String {
    text::counted(u64::try_from(seconds / 86_400).unwrap_or(0), "day")
}

/// A lifetime without the exact number beside it.
fn short(seconds: Option<i64>) -> String {
    let words = lasts(seconds);
    words.split(" (").next().unwrap_or_default().to_string()
}

/// An edit for people: `scopes +a -b`, `lifetimes.access_token 1 h → 6 h`.
fn words(edit: &Edit) -> String {
    let value = |value: &Json| match value {
        Json::Null => "nothing".to_string(),
        Json::String(text) => text.clone(),
        Json::Number(number) => match number.as_i64().filter(|_| edit.field.starts_with("lifetimes.")) {
            Some(seconds) => lasts(seconds),
            None if TIMES.contains(&edit.field.as_str()) => message::time(number.as_i64().unwrap_or_default()),
            None => number.to_string(),
        },
        Json::Bool(yes) => yes.to_string(),
        Json::Array(items) => items.iter().filter_map(Json::as_str).collect::<Vec<_>>().join(" "),
        Json::Object(_) => String::new(),
    };
    match (&edit.before, &edit.after) {
        (Json::Array(less), Json::Array(more)) => {
            let sign = |sign: &str, items: &[Json]| -> Vec<String> {
                items.iter().filter_map(Json::as_str).map(|item| format!("{sign}{item}")).collect()
            };
            let mut parts = sign("+", more);
            parts.extend(sign("-", less));
            format!("{} {}", edit.field, parts.join(" "))
        }
        (before, after) => format!("{} {} → {}", edit.field, value(before), value(after)),
    }
}
