//! `tokenvet profile diff`: what changes between two profiles, in the rule book and for given files.
//!
//! Files are judged by [`crate::check::check`], once under each profile; there is no second way of judging. What holds
//! under every profile (`general`) changes nothing and is left out, and so are findings that a comment suppresses.

mod human;

pub use human::human;

use crate::check::{Outcome, check, check_fleet};
use crate::evaluate::{Adjustments, Fact, Plan, Selection};
use crate::profile::LEDGER;
use crate::report::{FileError, Finding, Region, Tool};
use crate::rule::{Profile, RuleBook, Severity};
use crate::source::Source;
use schemars::JsonSchema;
use serde::Serialize;
use smol_str::SmolStr;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Version of the json output; grows when a member changes its meaning or goes away, not when one is added.
pub const SCHEMA_VERSION: &str = "1";

/// What `tokenvet profile diff --format json` writes.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(title = "tokenvet profile difference")]
pub struct ProfileDiff {
    /// Version of this format, `1`.
    pub schema_version: &'static str,
    /// The program that wrote it.
    pub tool: Tool<'static>,
    /// The first profile.
    pub from: ProfileTitle,
    /// The second profile.
    pub to: ProfileTitle,
    /// Limits that differ, by name.
    pub limits: Vec<LimitChange>,
    /// Rules that differ, by id.
    pub rules: Vec<RuleChange>,
    /// Requirements that only one of the two holds, by id.
    pub requirements: Vec<RequirementChange>,
    /// What the given files make of it; null without files.
    pub corpus: Option<CorpusDiff>,
}

/// A profile.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ProfileTitle {
    /// `family@version`.
    pub profile: String,
    /// Title and date of the document.
    pub title: String,
}

/// A limit that differs.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct LimitChange {
    /// Its name (`access_token.lifetime.max`).
    pub name: String,
    /// Under the first profile; null when it has no such limit.
    pub from: Option<LimitView>,
    /// Under the second profile; null when it has no such limit.
    pub to: Option<LimitView>,
}

/// A limit under one profile.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct LimitView {
    /// The bound: seconds for lifetimes, bits for key sizes.
    pub value: i64,
    /// True when the bound itself is already out of range.
    pub exclusive: bool,
    /// Seconds of legitimate backdating of `nbf` that do not count against the bound.
    pub allowance: i64,
    /// How bad it is to be out of range.
    pub severity: Severity,
    /// True when a waiver with an agreement may lift it.
    pub waivable: bool,
    /// The requirements it rests on.
    pub requirements: Vec<String>,
}

/// A rule that differs.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct RuleChange {
    /// The rule.
    pub rule: String,
    /// Its title.
    pub title: String,
    /// The limit it applies; null when it has none. The value may differ though severity and requirements do not.
    pub limit: Option<String>,
    /// Under the first profile; null when that does not hold the rule.
    pub from: Option<RuleView>,
    /// Under the second profile; null when that does not hold the rule.
    pub to: Option<RuleView>,
}

/// A rule under one profile.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct RuleView {
    /// Its severity.
    pub severity: Severity,
    /// The requirements it rests on.
    pub requirements: Vec<SmolStr>,
}

/// A requirement that only one of the profiles holds.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct RequirementChange {
    /// Its id.
    pub id: String,
    /// True when the second profile holds it, false when the first does.
    pub added: bool,
    /// Section of the document.
    pub section: String,
    /// Its RFC 2119 level.
    pub level: &'static str,
    /// The statement.
    pub statement: String,
}

/// What changes for the targets of the given files.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub struct CorpusDiff {
    /// The clock that the rules went by (RFC 3339, UTC).
    pub now: String,
    /// Files in which something was recognised.
    pub files: u64,
    /// Files that nothing recognised, and what is no file.
    pub skipped: u64,
    /// Number of targets by kind.
    pub targets: BTreeMap<String, u64>,
    /// Targets with other findings than before, by path; the others keep their verdict. Targets of a file that have
    /// the same kind, name and identifier count as one.
    pub changes: Vec<TargetChange>,
    /// What could not be read or judged.
    pub errors: Vec<FileError>,
}

/// A target that is judged otherwise.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct TargetChange {
    /// File.
    pub path: String,
    /// Target kind (`client`, `access-token`, …).
    pub kind: String,
    /// What users call it.
    pub name: String,
    /// The worst finding under the first profile.
    pub from: Grade,
    /// The worst finding under the second profile.
    pub to: Grade,
    /// Which way the verdict goes.
    pub direction: Direction,
    /// The findings that only one profile has, or both with another severity.
    pub findings: Vec<FindingChange>,
}

/// The worst that was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Grade {
    /// No finding. Rules that could not judge do not count.
    Ok,
    /// A note.
    Note,
    /// A warning.
    Warning,
    /// An error.
    Error,
}

impl Grade {
    fn of(findings: &BTreeMap<Spot, FindingView>) -> Self {
        match findings.values().map(|finding| finding.severity).max() {
            None => Grade::Ok,
            Some(Severity::Note) => Grade::Note,
            Some(Severity::Warning) => Grade::Warning,
            Some(Severity::Error) => Grade::Error,
        }
    }

    /// The name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Grade::Ok => "ok",
            Grade::Note => "note",
            Grade::Warning => "warning",
            Grade::Error => "error",
        }
    }
}

/// Which way a verdict goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// The second profile is stricter.
    Stricter,
    /// The second profile is milder.
    Milder,
    /// As bad as before, with other findings.
    Same,
}

/// A finding that differs.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct FindingChange {
    /// The rule.
    pub rule: SmolStr,
    /// Severity under the first profile; null when it finds nothing there.
    pub from: Option<Severity>,
    /// Severity under the second profile; null when it finds nothing there.
    pub to: Option<Severity>,
    /// What was found, by the second profile if it finds it.
    pub message: String,
    /// Place in the file.
    pub region: Region,
    /// JSON Pointer in the file's document.
    pub pointer: SmolStr,
    /// JSON Pointer in the document decoded from there (a JWT's payload), else null.
    pub inner_pointer: Option<SmolStr>,
    /// The requirements of the profile that finds it, of the second one if both do.
    pub requirements: Vec<SmolStr>,
}

/// What tells the findings of a target apart.
type Spot = (Region, SmolStr, SmolStr, Option<SmolStr>);

/// The rest of a finding.
#[derive(Debug)]
struct FindingView {
    severity: Severity,
    message: String,
    requirements: Vec<SmolStr>,
}

/// What tells targets apart: file, kind, name, identifier.
type TargetKey = (SmolStr, SmolStr, SmolStr, SmolStr);

/// The difference of two profiles, gathered file by file.
#[derive(Debug)]
pub struct Differ {
    book: Arc<RuleBook>,
    profiles: [usize; 2],
    plans: [Plan; 2],
    now: i64,
    found: BTreeMap<TargetKey, [BTreeMap<Spot, FindingView>; 2]>,
    facts: [Vec<Fact>; 2],
    corpus: CorpusDiff,
}

/// What one file is under the two profiles.
#[derive(Debug)]
pub struct Judged([Outcome; 2]);

impl Judged {
    /// True when some document of the file was recognised.
    pub fn is_recognised(&self) -> bool {
        self.0[0].recognised
    }

    /// What could not be read of it.
    pub fn errors(&self) -> &[FileError] {
        &self.0[0].errors
    }
}

impl Differ {
    /// Prepares the comparison of two profiles (indexes into the book) at a time (seconds since 1970).
    pub fn new(book: Arc<RuleBook>, from: usize, to: usize, now: i64) -> Self {
        let plan = |index| Plan::new(Arc::clone(&book), Selection::Chosen(vec![index]), &Adjustments::default());
        Differ {
            plans: [plan(from), plan(to)],
            profiles: [from, to],
            now,
            found: BTreeMap::new(),
            facts: [vec![], vec![]],
            corpus: CorpusDiff::default(),
            book,
        }
    }

    /// Judges one file under both profiles.
    pub fn judge(&self, source: &Arc<Source>) -> Judged {
        Judged([check(&self.plans[0], source, self.now), check(&self.plans[1], source, self.now)])
    }

    /// Takes what a file is.
    pub fn take(&mut self, judged: Judged) {
        let Judged([first, second]) = judged;
        self.corpus.files += u64::from(first.recognised);
        self.corpus.errors.extend(first.errors.iter().cloned());
        for (kind, count) in &first.targets {
            *self.corpus.targets.entry(kind.clone()).or_default() += count;
        }
        for (side, mut outcome) in [first, second].into_iter().enumerate() {
            self.facts[side].append(&mut outcome.facts);
            self.findings(side, outcome);
        }
    }

    /// Notes what could not be read.
    pub fn error(&mut self, error: FileError) {
        self.corpus.errors.push(error);
    }

    /// Counts what nothing recognised.
    pub fn skip(&mut self, count: u64) {
        self.corpus.skipped += count;
    }

    fn findings(&mut self, side: usize, outcome: Outcome) {
        for defect in outcome.defects {
            let message = format!("a rule is defective: {defect}");
            if !self.corpus.errors.iter().any(|error| error.message == message) {
                self.corpus.errors.push(FileError { path: String::new(), message, region: None });
            }
        }
        let profile = &self.book.profiles[self.profiles[side]].id;
        for finding in outcome.findings {
            if finding.profile != *profile || finding.suppressed.is_some() {
                continue;
            }
            let Finding { severity, message, requirements, .. } = finding;
            let target = (finding.path, finding.target.kind, finding.target.name, finding.identity);
            let spot = (finding.region, finding.rule, finding.pointer, finding.inner_pointer);
            let view = FindingView { severity, message, requirements };
            self.found.entry(target).or_default()[side].insert(spot, view);
        }
    }

    /// The difference. `now` is given when files were judged: the clock as RFC 3339.
    pub fn finish(mut self, now: Option<String>) -> ProfileDiff {
        let [from, to] = self.profiles.map(|index| &self.book.profiles[index]);
        let title =
            |profile: &Profile| ProfileTitle { profile: profile.id.to_string(), title: profile.raw.title.clone() };
        let (from_title, to_title) = (title(from), title(to));
        let (limits, requirements) = (limits(from, to), requirements(from, to));
        let rules = rules(&self.book, self.profiles);
        ProfileDiff {
            schema_version: SCHEMA_VERSION,
            tool: Tool::this(),
            from: from_title,
            to: to_title,
            limits,
            rules,
            requirements,
            corpus: now.map(|now| self.corpus(now)),
        }
    }

    fn corpus(&mut self, now: String) -> CorpusDiff {
        for side in [0, 1] {
            let outcome = check_fleet(&self.plans[side], std::mem::take(&mut self.facts[side]), self.now);
            self.findings(side, outcome);
        }
        let found = std::mem::take(&mut self.found);
        let changes = found.into_iter().filter_map(|(target, sides)| change(target, sides)).collect();
        CorpusDiff { now, changes, ..std::mem::take(&mut self.corpus) }
    }
}

/// What changes for a target; `None` when nothing does.
fn change(target: TargetKey, sides: [BTreeMap<Spot, FindingView>; 2]) -> Option<TargetChange> {
    let [mut before, after] = sides;
    let (from, to) = (Grade::of(&before), Grade::of(&after));
    let mut findings = Vec::new();
    let mut add = |spot: Spot, from: Option<Severity>, to: Option<Severity>, view: FindingView| {
        let (region, rule, pointer, inner_pointer) = spot;
        let FindingView { message, requirements, .. } = view;
        findings.push(FindingChange { rule, from, to, message, region, pointer, inner_pointer, requirements });
    };
    for (spot, view) in after {
        let earlier = before.remove(&spot).map(|view| view.severity);
        if earlier != Some(view.severity) {
            add(spot, earlier, Some(view.severity), view);
        }
    }
    for (spot, view) in before {
        add(spot, Some(view.severity), None, view);
    }
    if findings.is_empty() {
        return None;
    }
    findings.sort_by(|a, b| (a.region, &a.rule, &a.pointer).cmp(&(b.region, &b.rule, &b.pointer)));
    let direction = match from.cmp(&to) {
        std::cmp::Ordering::Less => Direction::Stricter,
        std::cmp::Ordering::Greater => Direction::Milder,
        std::cmp::Ordering::Equal => Direction::Same,
    };
    let (path, kind, name, _) = target;
    Some(TargetChange {
        path: path.to_string(),
        kind: kind.to_string(),
        name: name.to_string(),
        from,
        to,
        direction,
        findings,
    })
}

fn limits(from: &Profile, to: &Profile) -> Vec<LimitChange> {
    let view = |profile: &Profile, name: &str| {
        profile.limits.get(name).map(|limit| LimitView {
            value: limit.value,
            exclusive: limit.exclusive,
            allowance: limit.allowance,
            severity: limit.severity,
            waivable: limit.waivable == Some(true),
            requirements: limit.requirements.clone(),
        })
    };
    let names: BTreeSet<&String> = from.limits.keys().chain(to.limits.keys()).collect();
    let change = |name: &String| LimitChange { name: name.clone(), from: view(from, name), to: view(to, name) };
    names.into_iter().map(change).filter(|change| change.from != change.to).collect()
}

fn rules(book: &RuleBook, profiles: [usize; 2]) -> Vec<RuleChange> {
    let changes = book.rules.iter().filter_map(|rule| {
        let [from, to] = profiles.map(|profile| rule.applications.iter().find(|it| it.profile == profile));
        let view = |severity, requirements: &[SmolStr]| RuleView { severity, requirements: requirements.to_vec() };
        let [before, after] = [from, to].map(|held| held.map(|it| view(it.severity, &it.requirements)));
        let limit = |held: Option<&crate::rule::Application>| held.and_then(|it| it.limit);
        (before != after || limit(from) != limit(to)).then(|| RuleChange {
            rule: rule.id.to_string(),
            title: rule.prose().title.trim().to_string(),
            limit: rule.logic.limit.clone(),
            from: before,
            to: after,
        })
    });
    changes.collect()
}

fn requirements(from: &Profile, to: &Profile) -> Vec<RequirementChange> {
    let changes = LEDGER.iter().filter_map(|requirement| {
        let (before, after) = (from.holds(requirement), to.holds(requirement));
        (before != after).then(|| {
            let words = requirement.words();
            RequirementChange {
                id: requirement.id.to_string(),
                added: after,
                section: words.section,
                level: requirement.level.name(),
                statement: words.statement,
            }
        })
    });
    changes.collect()
}

/// The difference as JSON, with a final newline. Characters a terminal would obey are escaped.
pub fn json(diff: &ProfileDiff) -> String {
    crate::report::json_text(diff)
}
