//! Holding what an audit saw against what is remembered.

use super::inventory::Entry;
use super::memory::{Key, Memory, Observed, Remembered, Run, Seen, Source};
use super::report::{
    Change, Changed, Counts, Coverage, Edit, Expiring, Inventory, Item, Lost, Outcome, Problem, Report, SCHEMA_VERSION,
    SnapshotRef, WaiverRef,
};
use super::trend::{Point, Trend};
use crate::model::Quantity;
use crate::policy::FailOn;
use crate::report::Tool;
use crate::rule::message;
use serde_json::{Map, Value as Json};
use smol_str::SmolStr;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// The rule on lifetimes that grew, whose findings keep the ratchet where it is.
const RATCHET: &str = "lifetime-grew";
/// Audits whose figures a report shows.
const POINTS: usize = 12;
/// Seconds of a day.
const DAY: i64 = 86_400;

/// How to compare.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The policy file, as users name it.
    pub policy: String,
    /// SHA-256 of everything that governed the audit.
    pub digest: Option<String>,
    /// The clock, in seconds since 1970.
    pub now: i64,
    /// How soon an end counts, in seconds.
    pub expiring: i64,
    /// How long closed findings, lost sources and old audits are kept, in seconds.
    pub keep: i64,
    /// From which severity on a new or worse finding makes the audit worse.
    pub fail_on: FailOn,
}

/// What comparing asks of whoever judged.
pub trait Judge {
    /// Does this rule run under this profile's family?
    fn runs(&self, rule: &str, profile: &str) -> bool;
    /// Is it a rule that spans files?
    fn joins(&self, rule: &str) -> bool;
    /// Why something is no longer audited.
    fn why_lost(&self, name: &str, source: &Source) -> String;
}

/// Compares; the report, and what is to be remembered from now on.
pub fn compare(past: &Memory, seen: Seen, settings: &Settings, judge: &dyn Judge) -> (Report, Memory) {
    let mut comparison = Comparison { past, seen: &seen, settings, judge, next: Memory::default() };
    let coverage = comparison.coverage();
    let whole = coverage.lost.is_empty()
        && coverage.still_lost.is_empty()
        && coverage.incomplete.is_empty()
        && seen.errors.is_empty();
    let findings = comparison.findings(whole);
    let inventory = comparison.inventory();
    comparison.ratchet();
    let trend = Trend::of(&seen.inventory, seen.findings.values(), &seen.waived);
    comparison.close(trend, seen.errors.is_empty());
    let next = comparison.next;
    let last = past.runs.last();
    let mut counts = Counts::default();
    seen.findings.values().for_each(|finding| counts.add(finding.severity, finding.suppressed));
    let report = Report {
        schema_version: SCHEMA_VERSION.into(),
        tool: Tool::this(),
        policy: settings.policy.clone(),
        policy_digest: settings.digest.clone(),
        now: message::time(settings.now),
        previous: last.map(|run| message::time(run.at)),
        changed: last.map_or(vec![], |run| changed(run, settings)),
        outcome: outcome(last.is_none(), &findings, &coverage, settings.fail_on),
        new: findings.new,
        worsened: findings.worsened,
        fixed: findings.fixed,
        still: findings.still,
        findings: counts,
        unverified: findings.unverified,
        coverage,
        expiring: expiring(&seen, settings),
        expiring_within: settings.expiring,
        waivers: seen.waivers.iter().map(waiver).collect(),
        snapshots: seen.snapshots.iter().map(|snapshot| aged(snapshot, settings.now)).collect(),
        inventory,
        trend: points(&next.runs),
        errors: seen.errors.into_iter().map(|(path, message)| Problem { path, message }).collect(),
    };
    (report, next)
}

struct Comparison<'a> {
    past: &'a Memory,
    seen: &'a Seen,
    settings: &'a Settings,
    judge: &'a dyn Judge,
    next: Memory,
}

#[derive(Default)]
struct Findings {
    new: Vec<Change>,
    worsened: Vec<Change>,
    fixed: Vec<Change>,
    still: Counts,
    unverified: u64,
}

fn outcome(first: bool, findings: &Findings, coverage: &Coverage, fail_on: FailOn) -> Outcome {
    let bad = |change: &Change| fail_on.includes(change.severity);
    let worse = findings.new.iter().chain(&findings.worsened).any(bad) || !coverage.lost.is_empty();
    match (first, worse) {
        (true, _) => Outcome::First,
        (false, true) => Outcome::Worse,
        (false, false) => Outcome::Steady,
    }
}

/// What about the audit itself is another than last time.
fn changed(last: &Run, settings: &Settings) -> Vec<String> {
    let mut changed = Vec::new();
    let tool = Tool::this();
    if last.tool != tool.version {
        changed.push(format!("tokenvet was {} and is {}", last.tool, tool.version));
    }
    if last.policy != settings.digest {
        changed.push("the policy, or a file that it names, was edited".into());
    }
    changed
}

fn points(runs: &[Run]) -> Vec<Point> {
    let shown = &runs[runs.len().saturating_sub(POINTS)..];
    shown.iter().map(|run| Point { at: message::time(run.at), trend: run.trend.clone() }).collect()
}

impl Comparison<'_> {
    fn is_first(&self) -> bool {
        self.past.runs.is_empty()
    }

    fn coverage(&mut self) -> Coverage {
        let (past, seen, now) = (self.past, self.seen, self.settings.now);
        let mut coverage = Coverage { audited: seen.sources.len() as u64, ..Coverage::default() };
        for (name, part) in &seen.sources {
            let source = Source { role: part.role, service: part.service.clone(), last_seen: now, lost: None };
            match past.sources.get(name) {
                None if !self.is_first() => coverage.added.push(name.clone()),
                Some(before) if before.lost.is_some() => coverage.returned.push(name.clone()),
                None | Some(_) => {}
            }
            if !part.complete {
                coverage.incomplete.push(name.clone());
            }
            self.next.sources.insert(name.clone(), source);
        }
        let mut open: HashMap<&str, u64> = HashMap::new();
        for ((_, source), finding) in &past.findings {
            if finding.closed.is_none() && !finding.observed.suppressed {
                *open.entry(source).or_default() += 1;
            }
        }
        for (name, before) in past.sources.iter().filter(|(name, _)| !seen.sources.contains_key(*name)) {
            let since = before.lost.unwrap_or(now);
            if since < now - self.settings.keep {
                continue;
            }
            let lost = Lost {
                name: name.clone(),
                role: before.role,
                service: before.service.clone(),
                why: self.judge.why_lost(name, before),
                last_seen: message::time(before.last_seen),
                findings: open.get(name.as_str()).copied().unwrap_or(0),
            };
            match before.lost {
                None => coverage.lost.push(lost),
                Some(_) => coverage.still_lost.push(lost),
            }
            self.next.sources.insert(name.clone(), Source { lost: Some(since), ..before.clone() });
        }
        coverage
    }

    /// `whole` says that nothing at all is missing from this audit.
    fn findings(&mut self, whole: bool) -> Findings {
        let (past, seen, now) = (self.past, self.seen, self.settings.now);
        let mut found = Findings::default();
        let here: HashSet<&str> = seen.findings.keys().map(|(fingerprint, _)| fingerprint.as_str()).collect();
        // Open findings that are nowhere where they were: they may have moved.
        let has_moved = |key: &Key| here.contains(key.0.as_str()) && !seen.is_still_file(&key.1);
        let mut moved: HashMap<&str, &Remembered> = HashMap::new();
        for (key, before) in &past.findings {
            if before.closed.is_none() && !seen.findings.contains_key(key) && has_moved(key) {
                moved.insert(&key.0, before);
            }
        }
        for (key, finding) in &seen.findings {
            let known = past.findings.get(key);
            let before = known.filter(|known| known.closed.is_none()).or_else(|| moved.get(key.0.as_str()).copied());
            let first_seen = before.or(known).map_or(now, |before| before.first_seen);
            let change = |why: String| change(key, finding, first_seen, why);
            match before {
                _ if self.is_first() => {}
                None if finding.suppressed => {}
                None => found.new.push(change(known.map_or(String::new(), |known| {
                    format!("it was gone since {}", message::time(known.closed.unwrap_or(known.last_seen)))
                }))),
                Some(before) => match worse(&before.observed, finding) {
                    Some(why) => found.worsened.push(change(why)),
                    None => found.still.add(finding.severity, finding.suppressed),
                },
            }
            let (observed, last_seen) = (finding.clone(), now);
            self.next.findings.insert(key.clone(), Remembered { observed, first_seen, last_seen, closed: None });
        }
        for (key, before) in past.findings.iter().filter(|(key, _)| !seen.findings.contains_key(*key)) {
            let closed = match before.closed {
                Some(closed) => Some(closed),
                None if has_moved(key) => continue,
                None if !self.next.sources.contains_key(&key.1) => continue,
                None if self.is_settled(key, &before.observed, whole) => {
                    if !before.observed.suppressed {
                        found.fixed.push(change(key, &before.observed, before.first_seen, self.why_fixed(key)));
                    }
                    Some(now)
                }
                None => {
                    found.unverified += u64::from(!before.observed.suppressed);
                    None
                }
            };
            if closed.is_none_or(|closed| closed >= now - self.settings.keep) {
                self.next.findings.insert(key.clone(), Remembered { closed, ..before.clone() });
            }
        }
        for list in [&mut found.new, &mut found.worsened, &mut found.fixed] {
            list.sort_by(|a, b| {
                (b.severity, &a.path, a.line, &a.rule, &a.profile, &a.fingerprint).cmp(&(
                    a.severity,
                    &b.path,
                    b.line,
                    &b.rule,
                    &b.profile,
                    &b.fingerprint,
                ))
            });
        }
        found
    }

    /// Would this audit have found it if it were still there?
    fn is_settled(&self, key: &Key, finding: &Observed, whole: bool) -> bool {
        let place = [&finding.rule, &finding.path, &finding.name].map(SmolStr::from);
        self.seen.sources.get(&key.1).is_some_and(|part| part.complete)
            && self.judge.runs(&finding.rule, &finding.profile)
            && !self.seen.not_judged.contains(&place.into())
            && (whole || !self.judge.joins(&finding.rule))
    }

    fn why_fixed(&self, key: &Key) -> String {
        match self.seen.sources.get(&key.1).map(|part| part.role) {
            Some(super::Role::Logs) => "no longer in the logs that are kept".into(),
            Some(super::Role::File) | None => String::new(),
        }
    }

    fn inventory(&mut self) -> Inventory {
        let past = self.past;
        let mut inventory = Inventory::default();
        let key = |entry: &Entry| (entry.kind.clone(), entry.anchor.clone(), entry.path.clone());
        let now: BTreeMap<_, &Entry> =
            self.seen.inventory.iter().filter(|entry| entry.lasts()).map(|entry| (key(entry), entry)).collect();
        // What is in another file now: exactly one of its kind and anchor went with its file, and exactly one came.
        let mut gone: HashMap<(&str, &str), Vec<&Entry>> = HashMap::new();
        let went = |key: &(String, String, String)| !now.contains_key(key) && !self.seen.is_still_file(&key.2);
        for (_, entry) in past.inventory.iter().filter(|(key, _)| went(key)) {
            gone.entry((&entry.kind, &entry.anchor)).or_default().push(entry);
        }
        let mut moved: HashSet<(String, String, String)> = HashSet::new();
        for (key, entry) in &now {
            let before =
                past.inventory.get(key).or_else(|| match gone.get(&(&*entry.kind, &*entry.anchor))?.as_slice() {
                    [one] => {
                        moved.insert(self::key(one));
                        Some(*one)
                    }
                    _ => None,
                });
            let item = || item(entry, self.settings.now);
            match before {
                None if self.is_first() => {}
                None => inventory.added.push(item()),
                Some(before) => {
                    let edits = edits(&before.record, &entry.record);
                    if !edits.is_empty() {
                        inventory.changed.push(Changed { item: item(), edits });
                    }
                }
            }
            let kept = merged(before.map(|before| &before.record), &entry.record);
            self.next.inventory.insert(key.clone(), Entry { record: kept, grown: vec![], ..(*entry).clone() });
        }
        for (key, entry) in &past.inventory {
            if now.contains_key(key) || moved.contains(key) || !self.next.sources.contains_key(&entry.path) {
                continue;
            }
            if self.seen.sources.get(&entry.path).is_some_and(|part| part.complete) {
                inventory.removed.push(item(entry, self.settings.now));
            } else {
                self.next.inventory.insert(key.clone(), entry.clone());
            }
        }
        inventory
    }

    /// Accepts lifetimes: shorter ones at once, longer ones only when no finding stands against them.
    fn ratchet(&mut self) {
        let refused: BTreeSet<(&str, &str, &str)> = self
            .seen
            .findings
            .values()
            .filter(|finding| finding.rule == RATCHET && !finding.suppressed)
            .map(|finding| (finding.kind.as_str(), finding.path.as_str(), finding.name.as_str()))
            .collect();
        let accepted = &mut self.next.accepted.of;
        for entry in &self.seen.inventory {
            let names = entry.record.keys().filter(|name| name.starts_with("lifetimes."));
            let known: Vec<(String, Quantity)> =
                names.filter_map(|name| Some((name.clone(), entry.quantity(name)?))).collect();
            if known.is_empty() {
                continue;
            }
            let before = self.past.accepted.get(&entry.kind, &entry.anchor, &entry.path);
            let stands = refused.contains(&(entry.kind.as_str(), entry.path.as_str(), entry.name.as_str()));
            let of = accepted.entry(key(entry)).or_default();
            for (name, seconds) in known {
                let held = before.and_then(|before| before.get(&name)).filter(|held| stands && **held < seconds);
                let seconds = held.copied().unwrap_or(seconds);
                // The same client twice in a file: the longer one counts.
                of.entry(name).and_modify(|known| *known = (*known).max(seconds)).or_insert(seconds);
            }
        }
        // What is not to be seen this time, of something that is still there, stays accepted.
        for key in self.next.inventory.keys() {
            if let Some(before) = self.past.accepted.of.get(key) {
                let of = accepted.entry(key.clone()).or_default();
                for (name, seconds) in before {
                    of.entry(name.clone()).or_insert(*seconds);
                }
            }
        }
    }

    /// Adds this audit to those of the past, and drops the oldest.
    fn close(&mut self, trend: Trend, complete: bool) {
        let oldest = self.settings.now - self.settings.keep;
        self.next.runs = self.past.runs.iter().filter(|run| run.at >= oldest).cloned().collect();
        let (tool, policy) = (Tool::this().version.into_owned(), self.settings.digest.clone());
        self.next.runs.push(Run { at: self.settings.now, tool, policy, complete, trend });
    }
}

fn key(entry: &Entry) -> (String, String, String) {
    (entry.kind.clone(), entry.anchor.clone(), entry.path.clone())
}

fn item(entry: &Entry, now: i64) -> Item {
    let (kind, name, path) = (entry.kind.clone(), entry.name.clone(), entry.path.clone());
    let ends = entry.ends().into_iter().map(|(_, ends)| ends).min();
    Item {
        kind,
        name,
        path,
        begins: entry.begins().filter(|begins| *begins > now).map(message::time),
        ends: ends.map(message::time),
        days: ends.map(|ends| days(ends, now)),
    }
}

/// Whole days until then; negative when it is over.
fn days(then: i64, now: i64) -> i64 {
    then.saturating_sub(now).div_euclid(DAY)
}

fn aged(snapshot: &super::Snapshot, now: i64) -> SnapshotRef {
    SnapshotRef {
        issuer: snapshot.issuer.clone(),
        path: snapshot.path.clone(),
        taken: snapshot.taken.map(message::time),
        // A clock that went back, or a run as of the past, makes nothing younger than new.
        age: snapshot.taken.map(|taken| now.saturating_sub(taken).max(0)),
        failed: snapshot.failed.clone(),
    }
}

fn waiver(waiver: &super::Waiver) -> WaiverRef {
    WaiverRef {
        rule: waiver.rule.clone(),
        owner: waiver.owner.clone(),
        path: waiver.path.clone(),
        ends: waiver.ends.map(message::time),
        used: waiver.used,
    }
}

fn change(key: &Key, finding: &Observed, first_seen: i64, why: String) -> Change {
    Change {
        rule: finding.rule.clone(),
        profile: finding.profile.clone(),
        severity: finding.severity,
        path: finding.path.clone(),
        line: finding.line,
        kind: finding.kind.clone(),
        name: finding.name.clone(),
        message: finding.message.clone(),
        fingerprint: key.0.clone(),
        first_seen: message::time(first_seen),
        why,
    }
}

/// In what a finding became worse.
fn worse(before: &Observed, now: &Observed) -> Option<String> {
    if now.suppressed {
        return None;
    }
    if before.suppressed {
        return Some("nothing covers it any more".into());
    }
    if now.severity > before.severity {
        return Some(
            format!("it was a {} and is an {}", before.severity, now.severity).replace("an warning", "a warning"),
        );
    }
    let ((was, bound), (is, _)) = (before.measure?, now.measure?);
    let bound = Quantity::Of(bound);
    let over = is > bound && is > was;
    let under = is < bound && is < was;
    let words = |quantity: Quantity| quantity.number().map_or("without end".to_string(), |number| number.to_string());
    (over || under).then(|| format!("it was {} and is {}", words(was), words(is)))
}

/// What is different between two records. Fields that one of the two views does not show are not compared.
fn edits(before: &Map<String, Json>, now: &Map<String, Json>) -> Vec<Edit> {
    let names: BTreeSet<&String> = before.keys().chain(now.keys()).collect();
    let edit = |name: &String| {
        let (was, is) = (before.get(name), now.get(name));
        if was == is || was.is_some_and(Json::is_null) || is.is_some_and(Json::is_null) {
            return None;
        }
        let lists = |value: Option<&Json>| value.and_then(Json::as_array).cloned();
        let (before, after) = match (lists(was), lists(is)) {
            (Some(was), Some(is)) => {
                let only = |of: &[Json], other: &[Json]| -> Json {
                    let other: HashSet<&str> = other.iter().filter_map(Json::as_str).collect();
                    of.iter().filter(|item| item.as_str().is_some_and(|text| !other.contains(text))).cloned().collect()
                };
                (only(&was, &is), only(&is, &was))
            }
            _ => (was.cloned().unwrap_or(Json::Null), is.cloned().unwrap_or(Json::Null)),
        };
        Some(Edit { field: name.clone(), before, after })
    };
    names.into_iter().filter_map(edit).collect()
}

/// The record to keep: what this view does not show stays as it was known last.
fn merged(before: Option<&Map<String, Json>>, now: &Map<String, Json>) -> Map<String, Json> {
    let mut kept = now.clone();
    for (name, value) in &mut kept {
        if value.is_null()
            && let Some(known) = before.and_then(|before| before.get(name))
        {
            *value = known.clone();
        }
    }
    kept
}

/// What ends within the time that counts, the soonest first.
fn expiring(seen: &Seen, settings: &Settings) -> Vec<Expiring> {
    let until = settings.now.saturating_add(settings.expiring);
    let mut list = Vec::new();
    let mut add = |what: &str, name: &str, owner: &str, path: &str, ends: i64| {
        if ends <= until {
            list.push(Expiring {
                what: what.into(),
                name: name.into(),
                owner: owner.into(),
                path: path.into(),
                at: message::time(ends),
                seconds: ends,
                days: days(ends, settings.now),
            });
        }
    };
    for waiver in &seen.waivers {
        if let Some(ends) = waiver.ends {
            add("waiver", &waiver.rule, &waiver.owner, &waiver.path, ends);
        }
    }
    for entry in &seen.inventory {
        let contact = seen.contacts.get(&entry.path).map(String::as_str);
        let owner = entry.texts("contacts").next().or(contact).or(entry.text("iss")).unwrap_or_default();
        if entry.record.get("active") != Some(&Json::Bool(false)) {
            entry.ends().into_iter().for_each(|(what, ends)| add(what, &entry.name, owner, &entry.path, ends));
        }
        // Of tokens that never last that long nobody wants to hear that they end.
        let lasting = entry.quantity("lifetime").is_some_and(|lifetime| lifetime > settings.expiring.into());
        if let Some(Quantity::Of(ends)) = entry.quantity("exp").filter(|_| lasting) {
            add(&entry.kind, &entry.name, owner, &entry.path, ends);
        }
    }
    list.sort_by(|a, b| (a.seconds, &a.what, &a.name, &a.path).cmp(&(b.seconds, &b.what, &b.name, &b.path)));
    list
}
