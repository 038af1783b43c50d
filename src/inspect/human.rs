//! An inspection for a person at a terminal.

use super::{
    Claim, GrantView, Inspection, Item, PowerView, Problem, ProfileVerdict, RuleFindings, TokenView, ValidityState,
    Verdict,
};
use crate::model::power::Operation;
use crate::report::{Options, text};
use crate::rule::Severity;
use serde_json::Value;
use smol_str::SmolStr;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// Longest value shown, in characters; longer ones are cut.
const MAX_VALUE: usize = 400;

/// Places of one rule shown before "… n more", unless all are asked for.
const MAX_PLACES: usize = 5;

/// Items of a list of scopes or audiences shown before "… n more", unless all are asked for.
const MAX_ITEMS: usize = 24;

/// What is said of claims and scopes that the tables do not have.
const UNDEFINED: &str = "not defined by any known profile";

/// Widest column of names.
const MAX_NAME: usize = 28;

/// The whole inspection as text.
pub fn human(inspection: &Inspection, options: Options) -> String {
    let mut page = Page { out: String::new(), options: Options { width: options.width.clamp(60, 100), ..options } };
    for (index, token) in inspection.tokens.iter().enumerate() {
        if index > 0 {
            page.out.push('\n');
        }
        page.token(inspection, token);
    }
    for error in &inspection.errors {
        let label = page.paint(Paint::Severity(Severity::Error), "not read:");
        let _ = writeln!(page.out, "{label} {}", text::shown(&error.path));
        page.block(4, &text::shown(&error.message));
    }
    text::without_commands(&page.out).into_owned()
}

struct Page {
    out: String,
    options: Options,
}

#[derive(Clone, Copy)]
enum Paint {
    Severity(Severity),
    Good,
    Dim,
    Bold,
}

impl Page {
    fn paint(&self, paint: Paint, text: &str) -> String {
        if !self.options.color || text.is_empty() {
            return text.to_owned();
        }
        let code = match paint {
            Paint::Severity(Severity::Error) => "1;31",
            Paint::Severity(Severity::Warning) => "1;33",
            Paint::Severity(Severity::Note) => "1;36",
            Paint::Good => "32",
            Paint::Dim => "2",
            Paint::Bold => "1",
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }

    /// Running text, every line indented.
    fn block(&mut self, indent: usize, text: &str) {
        for line in text::wrapped(text, self.options.width - indent) {
            let _ = writeln!(self.out, "{:indent$}{line}", "");
        }
    }

    /// A labelled value; further lines stand under the first.
    fn entry(&mut self, name: &str, width: usize, value: &str, paint: Option<Paint>) {
        let label = format!("  {}{:pad$}  ", name, "", pad = width.saturating_sub(name.chars().count()));
        let indent = width + 4;
        for (at, line) in text::wrapped(value, self.options.width - indent).iter().enumerate() {
            let line = paint.map_or_else(|| line.clone(), |paint| self.paint(paint, line));
            match at {
                0 => self.out.push_str(&self.paint(Paint::Bold, &label)),
                _ => self.out.push_str(&" ".repeat(indent)),
            }
            let _ = writeln!(self.out, "{line}");
        }
    }

    fn heading(&mut self, title: &str) {
        let title = self.paint(Paint::Bold, title);
        let _ = writeln!(self.out, "\n{title}");
    }

    fn token(&mut self, inspection: &Inspection, token: &TokenView) {
        let mut title = format!("{} from {}", token.kind.replace('-', " "), text::shown(&inspection.source));
        if inspection.tokens.len() > 1 || token.nth > 1 {
            let _ = write!(title, ", token {}", token.nth);
        }
        if token.kind == "unreadable" {
            title = title.replacen("unreadable", "unreadable token", 1);
        }
        let title = self.paint(Paint::Bold, &title);
        let _ = writeln!(self.out, "{title}");
        self.facts(token);
        for (title, claims) in [("Header", &token.header), ("Payload", &token.payload)] {
            if !claims.is_empty() {
                self.heading(title);
                let width = claims.iter().map(|claim| name(claim).chars().count()).max().unwrap_or(0);
                claims.iter().for_each(|claim| self.claim(claim, width));
            }
        }
        self.powers(&token.powers);
        if !token.verdicts.is_empty() {
            self.verdicts(&token.verdicts);
            self.findings(&token.findings);
            self.not_judged(token);
        }
        for defect in &token.defects {
            self.block(2, &format!("a rule is defective: {}", text::shown(defect)));
        }
    }

    fn facts(&mut self, token: &TokenView) {
        const WIDTH: usize = 9;
        for Problem { part, message } in &token.problems {
            self.entry(part, WIDTH, &text::shown(message), Some(Paint::Severity(Severity::Error)));
        }
        if let Some(validity) = &token.validity {
            let paint = match validity.state {
                ValidityState::Valid => Paint::Good,
                ValidityState::Expired | ValidityState::NotYetValid => Paint::Severity(Severity::Warning),
                ValidityState::NeverExpires | ValidityState::Unknown => Paint::Severity(Severity::Error),
            };
            self.entry("life", WIDTH, &text::shown(&validity.words), Some(paint));
        }
        self.entry("taken for", WIDTH, &text::shown(&token.evidence), None);
        let families: Vec<String> =
            token.families.iter().map(|family| format!("{} ({})", family.id, family.why)).collect();
        if !families.is_empty() {
            self.entry("shows", WIDTH, &text::shown(&families.join(", ")), None);
        } else if !token.verdicts.is_empty() {
            self.entry("shows", WIDTH, "no profile family", None);
        }
        let signature = token.signature.as_ref().map(|signature| match (signature.present, signature.taken_away) {
            (true, _) => format!("{} characters, not verified and not shown", signature.length),
            (false, true) => "taken away: a word stands in its place, and nobody can use what is left".to_string(),
            (false, false) => "none: the token is unsigned, anybody can make one like it".to_string(),
        });
        if let Some(signature) = signature {
            self.entry("signature", WIDTH, &signature, None);
        }
        if let (Some(size), Some(prefix)) = (token.size, &token.sha256_prefix) {
            let size = text::counted(size as u64, "byte");
            self.entry("size", WIDTH, &format!("{size}; SHA-256 begins {prefix}"), None);
        }
    }

    fn claim(&mut self, claim: &Claim, width: usize) {
        let mut value = match (&claim.date, &claim.words) {
            (Some(date), Some(words)) => format!("{} = {date}, {words}", raw(&claim.value)),
            (None, Some(words)) => format!("{}: {words}", raw(&claim.value)),
            _ => raw(&claim.value),
        };
        let explained = claim.items.iter().any(|item| item.words.is_some());
        match claim.items.as_slice() {
            [only] if explained => value = item_line(only),
            items if explained => value = text::counted(items.len() as u64, "item"),
            _ => {}
        }
        if claim.repeated {
            value.push_str(" (this name stands more than once; services differ in which one counts)");
        }
        self.entry(&name(claim), width, &value, None);
        let indent = width + 4;
        if explained && claim.items.len() > 1 {
            let shown = if self.options.all { claim.items.len() } else { MAX_ITEMS };
            for item in claim.items.iter().take(shown) {
                self.hanging(indent, &item_line(item));
            }
            if claim.items.len() > shown {
                self.block(indent, &format!("… {} more (--all)", claim.items.len() - shown));
            }
        }
        let meaning = claim.meaning.unwrap_or(UNDEFINED);
        let rests = match claim.requirements {
            [] => String::new(),
            ids => format!(" ({})", ids.join(", ")),
        };
        for line in text::wrapped(&format!("{meaning}{rests}"), self.options.width - indent) {
            let line = self.paint(Paint::Dim, &line);
            let _ = writeln!(self.out, "{:indent$}{line}", "");
        }
    }

    /// An item whose further lines are indented a little more.
    fn hanging(&mut self, indent: usize, line: &str) {
        for (at, line) in text::wrapped(line, self.options.width - indent - 2).iter().enumerate() {
            let more = if at == 0 { 0 } else { 2 };
            let _ = writeln!(self.out, "{:pad$}{line}", "", pad = indent + more);
        }
    }

    /// What the newest release allows, and where older ones differ.
    fn powers(&mut self, powers: &[PowerView]) {
        let mut newest: Option<&PowerView> = None;
        for power in powers {
            let family = |power: &PowerView| power.levels[0].split_once('@').map(|(family, _)| family);
            match newest.filter(|newest| family(newest) == family(power)) {
                Some(newest) => self.difference(newest, power),
                None => {
                    newest = Some(power);
                    self.power(power);
                }
            }
        }
    }

    fn power(&mut self, power: &PowerView) {
        self.heading(&format!("Can do at services of level {}", power.levels.join(", ")));
        let places = by_path(&power.allowed);
        let width = places.iter().map(|(path, _)| path.chars().count()).max().unwrap_or(0).min(MAX_NAME);
        let shown = if self.options.all { places.len() } else { MAX_ITEMS };
        for (path, verbs) in places.iter().take(shown) {
            self.entry(&text::shortened(path, MAX_VALUE), width, &verbs.join(", "), None);
        }
        if places.len() > shown {
            self.block(2, &format!("… {} more (--all)", places.len() - shown));
        }
        if places.is_empty() {
            self.block(2, "nothing that the profile grants");
        }
        if let Some(scope) = &power.refused_for {
            let scope = text::shortened(scope, MAX_VALUE);
            self.hanging(2, &format!("but conforming services refuse the token as a whole: {scope} has no path"));
        }
        let mut open: Vec<&str> = power.left_to_service.iter().map(|grant| grant.operation.verb()).collect();
        open.sort_unstable();
        open.dedup();
        if !open.is_empty() {
            self.hanging(2, &format!("left to the service: {}", open.join(", ")));
        }
    }

    /// An older release against the newest. What one of them leaves to the service is no difference worth a line.
    fn difference(&mut self, newest: &PowerView, older: &PowerView) {
        let beyond = |one: &PowerView, other: &PowerView| {
            let known: BTreeSet<&GrantView> = other.allowed.iter().chain(&other.left_to_service).collect();
            one.allowed.iter().filter(|grant| !known.contains(grant)).map(GrantView::words).collect::<Vec<String>>()
        };
        for (word, grants) in [("also", beyond(older, newest)), ("not", beyond(newest, older))] {
            if !grants.is_empty() {
                let shown = if self.options.all { grants.len() } else { MAX_ITEMS };
                let mut list = grants.iter().take(shown).cloned().collect::<Vec<_>>().join(", ");
                if grants.len() > shown {
                    let _ = write!(list, ", … {} more (--all)", grants.len() - shown);
                }
                self.hanging(2, &text::visible(&format!("at level {} {word}: {list}", older.levels.join(", "))));
            }
        }
    }

    fn verdicts(&mut self, verdicts: &[ProfileVerdict]) {
        self.heading("Verdicts");
        let width = verdicts.iter().map(|row| row.profile.chars().count()).max().unwrap_or(0);
        let cells: Vec<(String, Paint)> = verdicts.iter().map(verdict).collect();
        let room = cells.iter().map(|(cell, _)| cell.chars().count()).max().unwrap_or(0);
        for (row, (cell, paint)) in verdicts.iter().zip(cells) {
            let profile = text::visible(&row.profile).into_owned();
            let pad = room - cell.chars().count();
            let why = row.why.as_deref().map(|why| format!("{:pad$}  {}", "", text::shown(why))).unwrap_or_default();
            let cell = self.paint(paint, &cell);
            let why = self.paint(Paint::Dim, &why);
            let _ = writeln!(self.out, "  {profile:width$}  {cell}{why}");
        }
    }

    fn findings(&mut self, findings: &[RuleFindings]) {
        if findings.is_empty() {
            return;
        }
        self.heading("Findings");
        for found in findings {
            let severity = self.paint(Paint::Severity(found.severity), &format!("{:7}", found.severity.name()));
            let _ = writeln!(self.out, "  {severity}  {}", self.paint(Paint::Bold, &text::visible(&found.rule)));
            let places = merged(found);
            let shown = if self.options.all { places.len() } else { MAX_PLACES };
            for (message, pointer, profiles) in places.iter().take(shown) {
                let mut line = text::shown(message);
                if !pointer.is_empty() {
                    let _ = write!(line, " ({})", text::shortened(pointer, 80));
                }
                if profiles.len() < found.profiles.len() {
                    let _ = write!(line, " – {}", text::shown(&profiles.join(", ")));
                }
                self.hanging(11, &line);
            }
            if places.len() > shown {
                self.block(11, &format!("… {} more (--all)", places.len() - shown));
            }
            self.labelled("held by", &text::visible(&held(found)));
            self.labelled("help", &text::shown(&found.help));
        }
    }

    fn labelled(&mut self, label: &str, value: &str) {
        const INDENT: usize = 20;
        for (at, line) in text::wrapped(value, self.options.width - INDENT).iter().enumerate() {
            let label = self.paint(Paint::Dim, &format!("{:7}", if at == 0 { label } else { "" }));
            let _ = writeln!(self.out, "           {label}  {line}");
        }
    }

    fn not_judged(&mut self, token: &TokenView) {
        let mut reasons: BTreeMap<(&str, &str), Vec<&str>> = BTreeMap::new();
        for gap in &token.not_judged {
            reasons.entry((&gap.field, &gap.why)).or_default().push(&gap.rule);
        }
        if reasons.is_empty() {
            return;
        }
        self.heading("Not judged");
        for ((field, why), mut rules) in reasons {
            rules.dedup();
            let count = text::counted(rules.len() as u64, "rule");
            self.hanging(2, &text::shown(&format!("{field}: {why} ({count}: {})", rules.join(", "))));
        }
    }
}

/// Verbs by path, in the order of the operations. Making the parents of a path goes without saying.
fn by_path(grants: &[GrantView]) -> Vec<(&str, Vec<&'static str>)> {
    let mut order: Vec<(&str, Vec<&'static str>)> = Vec::new();
    let mut known: BTreeMap<&str, usize> = BTreeMap::new();
    for grant in grants.iter().filter(|grant| grant.operation != Operation::MakeParents) {
        let path = grant.path.as_deref().unwrap_or("jobs");
        let at = *known.entry(path).or_insert_with(|| {
            order.push((path, vec![]));
            order.len() - 1
        });
        order[at].1.push(grant.operation.verb());
    }
    order
}

/// Message, pointer and profiles of what a rule found, with messages that differ by the profile's name alone as one.
fn merged(found: &RuleFindings) -> Vec<(String, &str, Vec<&str>)> {
    let mut rows: Vec<(String, &str, Vec<&str>)> = Vec::new();
    let several = found.profiles.len() > 1;
    for place in &found.places {
        let named = place.profiles.iter().find(|profile| several && place.message.contains(profile.as_str()));
        let message =
            named.map_or_else(|| place.message.clone(), |name| place.message.replace(name.as_str(), "the profile"));
        let profiles = place.profiles.iter().map(SmolStr::as_str);
        match rows.iter_mut().find(|(known, pointer, _)| *known == message && *pointer == place.pointer) {
            Some((.., known)) => known.extend(profiles),
            None => rows.push((message, &place.pointer, profiles.collect())),
        }
    }
    rows
}

fn name(claim: &Claim) -> String {
    text::shortened(&claim.name, MAX_NAME)
}

fn item_line(item: &Item) -> String {
    let words = item.words.as_deref().unwrap_or(UNDEFINED);
    format!("{} – {}", text::shortened(&item.text, MAX_VALUE), text::shown(words))
}

/// A value on one line: texts without quotes, everything else as JSON.
fn raw(value: &Value) -> String {
    match value {
        Value::String(text) if text.is_empty() => "\"\"".into(),
        Value::String(text) => text::shortened(text, MAX_VALUE),
        other => text::shortened(&other.to_string(), MAX_VALUE),
    }
}

/// A profile's row in words.
fn verdict(row: &ProfileVerdict) -> (String, Paint) {
    let mut parts = Vec::new();
    for (number, noun) in [(row.errors, "error"), (row.warnings, "warning"), (row.notes, "note")] {
        if number > 0 {
            parts.push(text::counted(number as u64, noun));
        }
    }
    let paint = match row {
        ProfileVerdict { errors: 1.., .. } => Paint::Severity(Severity::Error),
        ProfileVerdict { warnings: 1.., .. } => Paint::Severity(Severity::Warning),
        ProfileVerdict { notes: 1.., .. } => Paint::Severity(Severity::Note),
        ProfileVerdict { verdict: Verdict::Ok, .. } => Paint::Good,
        _ => Paint::Dim,
    };
    match row.verdict {
        Verdict::Ok => parts.push(format!("ok ({})", text::counted(row.passed, "rule"))),
        Verdict::NotJudged if row.not_judged == 0 => parts.push("nothing to judge".into()),
        Verdict::NotJudged | Verdict::Findings => {}
    }
    if row.not_judged > 0 {
        parts.push(format!("{} not judged", text::counted(row.not_judged as u64, "rule")));
    }
    (parts.join(", "), paint)
}

/// `wlcg@1.0, wlcg@1.1: WLCG-TOK-030 · rfc9068@1: RFC9068-005`: profiles that rest on the same together.
fn held(found: &RuleFindings) -> String {
    let mut groups: Vec<(String, Vec<&str>)> = Vec::new();
    for held in &found.profiles {
        let mut basis = held.requirements.join(", ");
        if held.severity != found.severity {
            basis = format!("{basis} ({})", held.severity).trim_start().to_string();
        }
        match groups.iter_mut().find(|(known, _)| *known == basis) {
            Some((_, profiles)) => profiles.push(&held.profile),
            None => groups.push((basis, vec![&held.profile])),
        }
    }
    let texts: Vec<String> = groups
        .into_iter()
        .map(|(basis, profiles)| match basis.as_str() {
            "" => profiles.join(", "),
            basis => format!("{}: {basis}", profiles.join(", ")),
        })
        .collect();
    texts.join("; ")
}
