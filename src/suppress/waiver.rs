//! Waiver files: findings that somebody answers for until a day.
//!
//! A waiver of a maximum that may be lifted needs an agreement and mitigations, which are verified on everything it
//! covers. One token that breaks them voids it for all, so such findings are decided together when all are known.

use super::end_of_day;
use crate::evaluate::Plan;
use crate::model::{At, Field, Suppression, Target, TargetKind};
use crate::parse::{Cursor, Document, ParseError, typed};
use crate::policy::{self, Mitigation, RawWaiver, RawWaivers, Workflows, glob, has_workflow};
use crate::profile::ProfileClass;
use crate::report::{Deviation, Finding, Suppressed, SuppressionKind};
use crate::rule::{RuleBook, Severity, message};
use crate::source::{Source, Span};
use globset::{GlobMatcher, GlobSet};
use smol_str::SmolStr;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

/// Sentences about one waiver that are told at the most.
const MAX_TOLD: usize = 20;

/// The waivers of a run and what they were good for.
#[derive(Debug, Default)]
pub struct Waivers {
    files: Vec<Document>,
    waivers: Vec<Waiver>,
    by_rule: HashMap<String, Vec<usize>>,
}

#[derive(Debug)]
struct Waiver {
    raw: RawWaiver,
    /// Index of its file, place in it.
    place: (usize, At),
    /// First second it does not hold any more; `None` when only its review ends it.
    ends: Option<i64>,
    path: Option<GlobSet>,
    target: Option<GlobMatcher>,
    pointer: Option<GlobMatcher>,
    used: bool,
    /// The run judged a file that it may cover.
    covered: bool,
    /// For maxima that may be lifted.
    agreement: Option<Agreement>,
    /// Profiles whose limit no waiver lifts.
    kept_by: Vec<SmolStr>,
}

/// What makes a waiver lift a maximum.
#[derive(Debug, Default)]
struct Agreement {
    /// Longest lifetime in seconds.
    limit: i64,
    /// First second after the day of its review.
    review_ends: Option<i64>,
    /// First second after the day it was agreed on.
    agreed_ends: Option<i64>,
    /// Members that are not there.
    missing: Vec<&'static str>,
    /// What lives longer than it permits.
    exceeded: BTreeSet<String>,
    /// Which mitigation is not true of what.
    untrue: BTreeSet<String>,
}

/// A finding that only the end of the run can decide, with its file relative to the policy's folder.
pub type Held = (String, Finding);

impl Waivers {
    /// Adds a waiver file. Everything in it must be in order, or the file is refused.
    pub fn add(&mut self, source: &Arc<Source>, book: &RuleBook) -> Result<(), ParseError> {
        let (raw, document): (RawWaivers, _) = typed::read(source)?;
        let file = self.files.len();
        let places: Vec<Cursor<'_>> = document.root().items().collect();
        for (raw, place) in raw.into_iter().zip(places) {
            let waiver = Waiver::new(raw, place, file, book)?;
            self.by_rule.entry(waiver.raw.rule.clone()).or_default().push(self.waivers.len());
            self.waivers.push(waiver);
        }
        self.files.push(document);
        Ok(())
    }

    /// Marks the findings of a judged file that a waiver covers. `path` is relative to the policy's folder.
    pub fn apply(&mut self, path: &str, findings: &mut [Finding], now: i64) {
        for waiver in &mut self.waivers {
            waiver.covered |= waiver.path.as_ref().is_some_and(|globs| globs.is_match(path));
        }
        for finding in findings.iter_mut().filter(|finding| finding.suppressed.is_none()) {
            let Some(candidates) = self.by_rule.get(finding.rule.as_str()) else { continue };
            for &index in candidates {
                let waiver = &mut self.waivers[index];
                if waiver.agreement.is_none() && waiver.runs(now) && waiver.fits(path, finding) {
                    waiver.used = true;
                    finding.suppressed = Some(waiver.suppressed(vec![]));
                    break;
                }
            }
        }
    }

    /// Must this finding wait for [`Waivers::decide`]?
    pub fn holds_back(&self, path: &str, finding: &Finding) -> bool {
        let candidates = self.by_rule.get(finding.rule.as_str()).into_iter().flatten();
        finding.suppressed.is_none()
            && finding.deviation.is_some()
            && candidates
                .map(|&index| &self.waivers[index])
                .any(|waiver| waiver.agreement.is_some() && waiver.fits(path, finding))
    }

    /// Decides what was held back, once everything is known: first which waivers are void, then what the others cover.
    /// The order of the findings does not matter.
    pub fn decide(&mut self, held: &mut [Held], workflows: &Workflows, now: i64) {
        for waiver in &mut self.waivers {
            waiver.verify(held, workflows, now);
        }
        for (path, finding) in held {
            for &index in self.by_rule.get(finding.rule.as_str()).into_iter().flatten() {
                let waiver = &mut self.waivers[index];
                if waiver.lifts(path, finding, workflows, now) {
                    waiver.used = true;
                    finding.suppressed = Some(waiver.suppressed(waiver.standings(finding)));
                    break;
                }
            }
        }
    }

    /// Every waiver as written, with the file it stands in, when it ends (the first second it does not hold any more), and
    /// whether it hides a finding of this run.
    pub fn list(&self) -> impl Iterator<Item = (&RawWaiver, &str, Option<i64>, bool)> {
        self.waivers.iter().map(|waiver| {
            let review = waiver.agreement.as_ref().and_then(|agreement| agreement.review_ends);
            let ends = [waiver.ends, review].into_iter().flatten().min();
            (&waiver.raw, self.files[waiver.place.0].source.name().as_str(), ends, waiver.used)
        })
    }

    /// Findings about the waivers themselves. `whole` says that the run judged everything below the policy's folder.
    pub fn finish(&self, plan: &Plan, whole: bool, now: i64) -> Vec<Finding> {
        let mut found = Vec::new();
        for (file, document) in self.files.iter().enumerate() {
            let waivers = self.waivers.iter().filter(|waiver| waiver.place.0 == file);
            let targets: Vec<Target<'_>> = waivers.map(|waiver| waiver.target(document, plan, whole, now)).collect();
            found.extend(super::judge(plan, document, &targets, now));
        }
        found
    }
}

/// Does the rule report errors whatever the profile? Those are not breaches of a document but open doors.
fn is_exposure(book: &RuleBook, rule: &str) -> bool {
    let applications = book.rule(rule).map_or(&[][..], |rule| &rule.applications);
    applications.iter().any(|application| {
        application.severity == Severity::Error && book.profiles[application.profile].raw.class == ProfileClass::General
    })
}

/// What an agreement lacks in one sentence; empty when it is complete.
fn missing_as_one(agreement: &Agreement, now: i64) -> Vec<String> {
    let missing = agreement.missing(now);
    if missing.is_empty() { vec![] } else { vec![missing.join(", ")] }
}

/// Is the rule about a maximum of clients or tokens that a waiver may lift?
fn is_liftable(book: &RuleBook, rule: &str) -> bool {
    book.rule(rule).is_some_and(|rule| {
        rule.applications.iter().any(|application| application.waivable == Some(true))
            && rule.targets().any(has_workflow)
    })
}

/// The profiles whose limit no waiver lifts, and whether that is all of those that hold the rule.
fn kept_by(book: &RuleBook, rule: &str) -> (Vec<SmolStr>, bool) {
    let applications = book.rule(rule).map_or(&[][..], |rule| &rule.applications);
    let kept = applications.iter().filter(|application| application.waivable == Some(false));
    let kept: Vec<SmolStr> = kept.map(|application| book.profiles[application.profile].id.clone()).collect();
    let all = kept.len() == applications.len() && !kept.is_empty();
    (kept, all)
}

/// The end of a day that a member names.
fn day(text: Option<&str>, name: &str) -> Result<Option<i64>, String> {
    let read =
        |text| end_of_day(text).ok_or_else(|| format!("{name} is expected as YYYY-MM-DD, for example 2027-06-30"));
    text.map(read).transpose()
}

impl Agreement {
    /// Reads what the waiver says; the error names the member.
    fn new(raw: &RawWaiver) -> Result<Self, (Vec<&'static str>, String)> {
        let filled = |text: &Option<String>| text.as_ref().is_some_and(|text| !text.trim().is_empty());
        let agreed = &raw.agreed;
        let parts = [
            ("workflow", filled(&raw.workflow)),
            ("limit", raw.limit.is_some()),
            ("agreed.by", filled(&agreed.by)),
            ("agreed.on", agreed.on.is_some()),
            ("agreed.risk", filled(&agreed.risk)),
            ("review-by", raw.review_by.is_some() || raw.expires.is_some()),
            ("requires", !raw.requires.is_empty()),
        ];
        let limit = raw.limit.as_ref().map(policy::lifetime).transpose();
        Ok(Agreement {
            limit: limit.map_err(|message| (vec!["limit"], message))?.unwrap_or(0),
            review_ends: day(raw.review_by.as_deref(), "the day of the review")
                .map_err(|message| (vec!["review-by"], message))?,
            agreed_ends: day(agreed.on.as_deref(), "the day of the agreement")
                .map_err(|message| (vec!["agreed", "on"], message))?,
            missing: parts.into_iter().filter(|(_, there)| !there).map(|(name, _)| name).collect(),
            ..Agreement::default()
        })
    }

    /// What the agreement lacks; one of a day to come is none yet.
    fn missing(&self, now: i64) -> Vec<&'static str> {
        let mut missing = self.missing.clone();
        missing
            .extend(self.agreed_ends.filter(|ends| now < ends - 86_400).map(|_| "agreed.on (that day has not come)"));
        missing
    }

    fn permits(&self, deviation: &Deviation) -> bool {
        let most = self.limit.saturating_add(deviation.allowance);
        deviation.lifetime.is_some_and(|seconds| seconds <= most)
    }
}

impl Waiver {
    /// Neither its last day nor its review has passed.
    fn runs(&self, now: i64) -> bool {
        let review = self.agreement.as_ref().and_then(|agreement| agreement.review_ends);
        [self.ends, review].into_iter().flatten().all(|ends| now < ends)
    }

    /// Does its agreement hold, mitigations apart?
    fn is_agreed(&self, agreement: &Agreement, workflows: &Workflows, now: i64) -> bool {
        self.runs(now) && agreement.missing(now).is_empty() && self.workflow(workflows).is_some()
    }

    fn workflow<'w>(&self, workflows: &'w Workflows) -> Option<&'w policy::Workflow> {
        workflows.named(self.raw.workflow.as_deref()?)
    }

    fn lifts(&self, path: &str, finding: &Finding, workflows: &Workflows, now: i64) -> bool {
        let (Some(agreement), Some(deviation)) = (&self.agreement, &finding.deviation) else { return false };
        agreement.untrue.is_empty()
            && self.is_agreed(agreement, workflows, now)
            && agreement.permits(deviation)
            && self.fits(path, finding)
    }

    /// Collects what speaks against it among the findings that it is meant for.
    fn verify(&mut self, held: &[Held], workflows: &Workflows, now: i64) {
        let Some(agreement) = self.agreement.as_ref().filter(|agreement| self.is_agreed(agreement, workflows, now))
        else {
            return;
        };
        let (mut exceeded, mut untrue) = (BTreeSet::new(), BTreeSet::new());
        let meant = held.iter().filter(|(path, finding)| finding.rule == self.raw.rule && self.fits(path, finding));
        let mut any = false;
        for (_, finding) in meant {
            let Some(deviation) = &finding.deviation else { continue };
            let who = format!(
                "{} {} ({}:{})",
                finding.target.kind, finding.target.name, finding.path, finding.region.start_line
            );
            if !agreement.permits(deviation) {
                let lives = deviation
                    .lifetime
                    .map_or("has no end".into(), |seconds| format!("lives {}", message::duration(seconds)));
                exceeded.insert(format!("{who} {lives}"));
                continue;
            }
            any = true;
            for (mitigation, why) in deviation.untrue.iter().flatten() {
                if self.raw.requires.contains(mitigation) {
                    untrue.insert(format!("{} is not true of {who}: {why}", mitigation.name()));
                }
            }
        }
        let declared =
            |mitigation: &Mitigation| self.workflow(workflows).is_some_and(|flow| flow.declares(*mitigation));
        let undeclared =
            self.raw.requires.iter().filter(|mitigation| !mitigation.is_verifiable() && !declared(mitigation));
        let name = self.raw.workflow.as_deref().unwrap_or_default();
        untrue.extend(undeclared.filter(|_| any).map(|mitigation| {
            format!("{} is not among the mitigations that the workflow {name} declares", mitigation.name())
        }));
        if let Some(agreement) = &mut self.agreement {
            (agreement.exceeded, agreement.untrue) = (exceeded, untrue);
        }
    }

    /// What it requires, each with how that was established for this finding.
    fn standings(&self, finding: &Finding) -> Vec<String> {
        let verified = finding.deviation.as_ref().is_some_and(|deviation| deviation.untrue.is_some());
        let standing = |mitigation: &Mitigation| match (mitigation.is_verifiable(), verified) {
            (false, _) => "as declared",
            (true, true) => "verified",
            (true, false) if finding.target.kind == TargetKind::Client.name() => "not shown by a registration",
            (true, false) => "not shown by this kind of token",
        };
        self.raw.requires.iter().map(|mitigation| format!("{}: {}", mitigation.name(), standing(mitigation))).collect()
    }

    fn suppressed(&self, mitigations: Vec<String>) -> Suppressed {
        // The day that comes first ends it.
        let days = [&self.raw.expires, &self.raw.review_by].into_iter().flatten();
        Suppressed {
            kind: SuppressionKind::Waiver,
            reason: self.raw.reason.clone(),
            owner: Some(self.raw.owner.clone()),
            expires: days.min().cloned(),
            mitigations,
            line: 0,
        }
    }

    fn new(raw: RawWaiver, place: Cursor<'_>, file: usize, book: &RuleBook) -> Result<Self, ParseError> {
        let error = |names: &[&str], message: String| {
            let member = place.path(names).unwrap_or(place);
            let span = if member.is_map() { member.key_span() } else { Some(member.span()) };
            ParseError { message, span: span.unwrap_or(Span { end: place.span().start, ..place.span() }) }
        };
        if !place.is_map() {
            return Err(error(&[], "a mapping is expected; see `tokenvet schema waivers`".into()));
        }
        book.require(&raw.rule).map_err(|message| error(&["rule"], message))?;
        for (name, text) in [("reason", &raw.reason), ("owner", &raw.owner)] {
            if text.trim().is_empty() {
                return Err(error(
                    &[name],
                    format!("`{name}` is empty; a waiver says why it holds and who answers for it"),
                ));
            }
        }
        let ends = day(raw.expires.as_deref(), "the last day").map_err(|message| error(&["expires"], message))?;
        let liftable = is_liftable(book, &raw.rule);
        if !liftable {
            let only = [
                ("limit", raw.limit.is_some()),
                ("review-by", raw.review_by.is_some()),
                ("requires", !raw.requires.is_empty()),
            ];
            if let Some((name, _)) = only.into_iter().find(|(_, there)| *there) {
                let message =
                    format!("`{name}` is for rules on maxima that an agreement may lift; {} is none", raw.rule);
                return Err(error(&[name], message));
            }
            if ends.is_none() {
                return Err(error(&[], "`expires` is missing: the last day the waiver holds, as YYYY-MM-DD".into()));
            }
        }
        let (kept_by, always) = kept_by(book, &raw.rule);
        if always {
            let message = format!("no waiver lifts it: {} says so of this limit", kept_by.join(", "));
            return Err(error(&["rule"], message));
        }
        let agreement = liftable.then(|| Agreement::new(&raw)).transpose();
        let agreement = agreement.map_err(|(member, message)| error(&member, message))?;
        let covers = &raw.covers;
        if covers.path.is_none() && covers.target.is_none() && covers.pointer.is_none() && raw.workflow.is_none() {
            return Err(error(
                &["match"],
                "say what is covered: `path`, `target` or `pointer`, or a `workflow`".into(),
            ));
        }
        let one = |text: &Option<String>, name: &str, separated: bool| {
            let matcher = text.as_deref().map(|text| glob::matcher(text, separated)).transpose();
            matcher.map_err(|message| error(&["match", name], message))
        };
        let path = covers.path.clone().map(|text| glob::paths(&[text])).transpose();
        let path = path.map_err(|(_, message)| error(&["match", "path"], message))?;
        let (target, pointer) = (one(&covers.target, "target", false)?, one(&covers.pointer, "pointer", true)?);
        let place = (file, At::node(place.id));
        Ok(Waiver { raw, place, ends, path, target, pointer, used: false, covered: false, agreement, kept_by })
    }

    fn fits(&self, path: &str, finding: &Finding) -> bool {
        let named = |glob: &GlobMatcher| {
            glob.is_match(&finding.target.name) || (!finding.identity.is_empty() && glob.is_match(&finding.identity))
        };
        let pointed = |glob: &GlobMatcher| {
            glob.is_match(&finding.pointer) || finding.inner_pointer.as_ref().is_some_and(|inner| glob.is_match(inner))
        };
        // Reports shorten long names.
        let workflow = |name: &String| finding.target.workflow == Some(message::quote(name).into());
        !self.kept_by.contains(&finding.profile)
            && self.raw.workflow.as_ref().is_none_or(workflow)
            && self.path.as_ref().is_none_or(|globs| globs.is_match(path))
            && self.target.as_ref().is_none_or(named)
            && self.pointer.as_ref().is_none_or(pointed)
    }

    fn target<'d>(&'d self, document: &'d Document, plan: &Plan, whole: bool, now: i64) -> Target<'d> {
        let place = document.cursor(self.place.1.node);
        let at = |name: &str| place.get(name).map(|member| At::node(member.id));
        let text = |text: &Option<String>, at| text.clone().map_or_else(Field::default, |text| Field::text(text, at));
        let agreement = self.agreement.as_ref();
        let holds = agreement.is_none_or(|agreement| {
            self.is_agreed(agreement, &plan.workflows, now)
                && agreement.untrue.is_empty()
                && agreement.exceeded.is_empty()
        });
        let told = (whole || self.covered) && self.runs(now) && holds && plan.runs(&self.raw.rule);
        let sentences = |read: &dyn Fn(&Agreement) -> Vec<String>, name: &str| {
            let at = at(name).unwrap_or(self.place.1);
            let list =
                |agreement| read(agreement).into_iter().take(MAX_TOLD).map(|text| Field::text(text, at)).collect();
            agreement.map_or_else(Field::default, |agreement| Field::list(list(agreement), at))
        };
        let day = |ends: Option<i64>, name| ends.map_or_else(Field::default, |ends| Field::int(ends, at(name)));
        let record = Suppression {
            by: Field::text("waiver", None),
            rule: Field::text(self.raw.rule.as_str(), at("rule")),
            known: Field::bool(true, at("rule")),
            reason: Field::text(self.raw.reason.as_str(), at("reason")),
            owner: Field::text(self.raw.owner.as_str(), at("owner")),
            expires: text(&self.raw.expires, at("expires")),
            ends: day(self.ends, "expires"),
            workflow: text(&self.raw.workflow, at("workflow")),
            workflow_known: match (agreement, &self.raw.workflow) {
                (Some(_), Some(_)) => Field::bool(self.workflow(&plan.workflows).is_some(), at("workflow")),
                (None, _) | (_, None) => Field::default(),
            },
            review_by: text(&self.raw.review_by, at("review-by")),
            review_ends: day(agreement.and_then(|agreement| agreement.review_ends), "review-by"),
            missing: sentences(&|agreement| missing_as_one(agreement, now), "agreed"),
            exceeded: sentences(&|agreement| agreement.exceeded.iter().cloned().collect(), "limit"),
            untrue: sentences(&|agreement| agreement.untrue.iter().cloned().collect(), "requires"),
            exposure: Field::bool(is_exposure(&plan.book, &self.raw.rule), at("rule")),
            used: if told { Field::bool(self.used, at("rule")) } else { Field::default() },
            ..Suppression::default()
        };
        let covers = &self.raw.covers;
        let part = |text: &Option<String>| text.clone().unwrap_or_default();
        let mut target = Target::new(TargetKind::Suppression, self.raw.rule.clone(), record);
        target.identity = [
            document.source.anchor(),
            &self.raw.rule,
            &part(&covers.path),
            &part(&covers.target),
            &part(&covers.pointer),
            &part(&self.raw.workflow),
        ]
        .join("\0")
        .into();
        target.at = self.place.1;
        target
    }
}
