//! Waiver files: findings that somebody answers for until a day.

use super::end_of_day;
use crate::evaluate::Plan;
use crate::model::{At, Field, Suppression, Target, TargetKind};
use crate::parse::{Cursor, Document, ParseError, typed};
use crate::policy::{RawWaiver, RawWaivers, glob};
use crate::profile::ProfileClass;
use crate::report::{Finding, Suppressed, SuppressionKind};
use crate::rule::{RuleBook, Severity};
use crate::source::{Source, Span};
use globset::{GlobMatcher, GlobSet};
use std::collections::HashMap;
use std::sync::Arc;

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
    /// First second it does not hold any more.
    ends: i64,
    path: Option<GlobSet>,
    target: Option<GlobMatcher>,
    pointer: Option<GlobMatcher>,
    used: bool,
    /// The run judged a file that it may cover.
    covered: bool,
}

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
            let Some(candidates) = self.by_rule.get(&finding.rule) else { continue };
            for &index in candidates {
                let waiver = &mut self.waivers[index];
                if now < waiver.ends && waiver.fits(path, finding) {
                    waiver.used = true;
                    finding.suppressed = Some(Suppressed {
                        kind: SuppressionKind::Waiver,
                        reason: waiver.raw.reason.clone(),
                        owner: Some(waiver.raw.owner.clone()),
                        expires: Some(waiver.raw.expires.clone()),
                    });
                    break;
                }
            }
        }
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

impl Waiver {
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
        let ends = end_of_day(&raw.expires).ok_or_else(|| {
            error(&["expires"], "the last day is expected as YYYY-MM-DD, for example 2027-06-30".into())
        })?;
        let covers = &raw.covers;
        if covers.path.is_none() && covers.target.is_none() && covers.pointer.is_none() {
            return Err(error(&["match"], "say what is covered: `path`, `target` or `pointer`".into()));
        }
        let one = |text: &Option<String>, name: &str, separated: bool| {
            let matcher = text.as_deref().map(|text| glob::matcher(text, separated)).transpose();
            matcher.map_err(|message| error(&["match", name], message))
        };
        let path = covers.path.clone().map(|text| glob::paths(&[text])).transpose();
        let path = path.map_err(|(_, message)| error(&["match", "path"], message))?;
        let (target, pointer) = (one(&covers.target, "target", false)?, one(&covers.pointer, "pointer", true)?);
        let place = (file, At::node(place.id));
        Ok(Waiver { raw, place, ends, path, target, pointer, used: false, covered: false })
    }

    fn fits(&self, path: &str, finding: &Finding) -> bool {
        let named = |glob: &GlobMatcher| {
            glob.is_match(&finding.target.name) || (!finding.identity.is_empty() && glob.is_match(&finding.identity))
        };
        let pointed = |glob: &GlobMatcher| {
            glob.is_match(&finding.pointer) || finding.inner_pointer.as_ref().is_some_and(|inner| glob.is_match(inner))
        };
        self.path.as_ref().is_none_or(|globs| globs.is_match(path))
            && self.target.as_ref().is_none_or(named)
            && self.pointer.as_ref().is_none_or(pointed)
    }

    fn target<'d>(&'d self, document: &'d Document, plan: &Plan, whole: bool, now: i64) -> Target<'d> {
        let place = document.cursor(self.place.1.node);
        let at = |name: &str| place.get(name).map(|member| At::node(member.id));
        let told = (whole || self.covered) && now < self.ends && plan.runs(&self.raw.rule);
        let record = Suppression {
            by: Field::text("waiver", None),
            rule: Field::text(self.raw.rule.as_str(), at("rule")),
            known: Field::bool(true, at("rule")),
            reason: Field::text(self.raw.reason.as_str(), at("reason")),
            owner: Field::text(self.raw.owner.as_str(), at("owner")),
            expires: Field::text(self.raw.expires.as_str(), at("expires")),
            ends: Field::int(self.ends, at("expires")),
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
        ]
        .join("\0");
        target.at = self.place.1;
        target
    }
}
