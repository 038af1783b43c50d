//! The page as a whole: head, sections in their order, and what they share.

use super::gather::{Closing, Gathered};
use super::write::Doc;
use super::{audit, findings, keys, lifetimes, scale, summary, trust, waivers};
use crate::audit::Report;
use crate::report::{RuleBook, Tool, text};
use crate::rule::Severity;
use base64::Engine;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// The style sheet; its hash in the content security policy is the only permission that the page gives.
const SHEET: &str = include_str!("report.css");

/// Longest name or path that is shown, in characters.
const NAME: usize = 120;

/// What sections share.
pub(super) struct Page<'a> {
    pub(super) gathered: &'a Gathered,
    pub(super) run: &'a Closing,
    pub(super) rules: &'a dyn RuleBook,
    pub(super) audit: Option<&'a Report>,
    /// Seconds since 1970.
    pub(super) now: i64,
    /// The statements that are cited, with their numbers.
    pub(super) statements: BTreeMap<String, usize>,
    services: Services,
}

/// A section of the page.
struct Section {
    id: &'static str,
    title: &'static str,
    /// Why it is left out; `None` when it is there.
    missing: Option<&'static str>,
    write: fn(&Page<'_>, &mut Doc),
}

/// The page.
pub(super) fn text(gathered: &Gathered, rules: &dyn RuleBook, audit: Option<&Report>) -> String {
    let nothing = Closing::default();
    let run = gathered.run.as_ref().unwrap_or(&nothing);
    let now = audit.map_or(run.now.as_str(), |audit| audit.now.as_str());
    let now = scale::seconds(now).unwrap_or(0);
    let (services, statements) = (Services::new(gathered, run), BTreeMap::new());
    let mut page = Page { gathered, run, rules, audit, now, statements, services };
    page.number_statements();
    let sections = page.sections();
    let mut doc = Doc::new();
    doc.node("html", &[("lang", "en")], |doc| {
        doc.node("head", &[], |doc| page.head(doc));
        doc.node("body", &[], |doc| {
            doc.jump("main", "skip", |doc| doc.text("Skip to the report"));
            page.top(doc);
            navigation(doc, &sections);
            doc.node("main", &[("id", "main"), ("tabindex", "-1")], |doc| page.main(doc, &sections));
            doc.node("footer", &[], |doc| page.foot(doc));
        });
    });
    doc.into_text()
}

fn navigation(doc: &mut Doc, sections: &[Section]) {
    doc.node("nav", &[("aria-label", "Sections")], |doc| {
        doc.node("ul", &[], |doc| {
            let titles = sections.iter().filter(|section| section.missing.is_none());
            for (id, title) in titles.map(|section| (section.id, section.title)).chain([("glossary", "Glossary")]) {
                doc.node("li", &[], |doc| doc.jump(id, "", |doc| doc.text(title)));
            }
        });
    });
}

impl Page<'_> {
    fn sections(&self) -> Vec<Section> {
        type Writer = fn(&Page<'_>, &mut Doc);
        let section = |id, title, there: bool, missing, write: Writer| Section {
            id,
            title,
            missing: (!there).then_some(missing),
            write,
        };
        let audited = self.gathered.run.is_some();
        let kept = "history is kept by tokenvet audit";
        vec![
            section("summary", "Summary", true, "", summary::write),
            section("changes", "Since the last audit", self.audit.is_some(), kept, audit::changes),
            section(
                "findings",
                "Findings",
                audited && self.gathered.places != [0; 3],
                "nothing was found",
                findings::write,
            ),
            section(
                "lifetimes",
                "Lifetimes",
                !self.gathered.lifetimes.is_empty(),
                "no registration, server setting or token here shows a lifetime",
                lifetimes::write,
            ),
            section(
                "trust",
                "Who trusts whom",
                !self.gathered.trusts.is_empty(),
                "no configuration of a service is among the files",
                trust::write,
            ),
            section(
                "keys",
                "Keys over time",
                keys::any(self),
                "neither key sets nor certificates are among the files",
                keys::write,
            ),
            section("trend", "Trend", self.audit.is_some_and(|audit| !audit.trend.is_empty()), kept, audit::trend),
            section(
                "waivers",
                "Waivers",
                waivers::any(self),
                "nothing is waived, accepted in a comment or covered by a baseline",
                waivers::write,
            ),
            section(
                "statements",
                "What the findings rest on",
                !self.statements.is_empty(),
                "no finding cites a document",
                findings::statements,
            ),
        ]
    }

    fn head(&self, doc: &mut Doc) {
        doc.void("meta", &[("charset", "utf-8")]);
        let hash = base64::engine::general_purpose::STANDARD.encode(Sha256::digest(SHEET.as_bytes()));
        let policy = format!("default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'");
        doc.void("meta", &[("http-equiv", "Content-Security-Policy"), ("content", &policy)]);
        doc.void("meta", &[("name", "viewport"), ("content", "width=device-width, initial-scale=1")]);
        doc.void("meta", &[("name", "color-scheme"), ("content", "light dark")]);
        doc.void("meta", &[("name", "referrer"), ("content", "no-referrer")]);
        doc.leaf("title", &[], &format!("{}: {}", self.title(), self.counts()));
        doc.style(SHEET);
    }

    fn title(&self) -> String {
        match self.audit {
            Some(audit) => format!("Audit of {}", text::shortened(&audit.policy, NAME)),
            None => "tokenvet report".into(),
        }
    }

    fn top(&self, doc: &mut Doc) {
        doc.node("header", &[("class", "top")], |doc| {
            doc.leaf("h1", &[], &self.title());
            doc.node("p", &[], |doc| {
                let now = self.audit.map_or(&self.run.now, |audit| &audit.now);
                doc.text("Judged as of ");
                doc.leaf("time", &[("datetime", now)], &scale::minute(now));
                let tool = self.audit.map_or_else(Tool::this, |audit| audit.tool.clone());
                doc.text(&format!(" by {} {}", tool.name, tool.version));
                let digest = self.audit.map_or(&self.run.policy_digest, |audit| &audit.policy_digest);
                if let Some(digest) = digest {
                    doc.text(", policy ");
                    let short: String = digest.chars().take(12).collect();
                    doc.leaf("code", &[("title", &text::shortened(digest, NAME))], &short);
                }
            });
        });
    }

    fn main(&self, doc: &mut Doc, sections: &[Section]) {
        for section in sections.iter().filter(|section| section.missing.is_none()) {
            let heading = format!("{}-title", section.id);
            doc.node("section", &[("id", section.id), ("aria-labelledby", &heading)], |doc| {
                doc.leaf("h2", &[("id", &heading)], section.title);
                (section.write)(self, doc);
                if section.id == "summary" {
                    left_out(doc, sections);
                }
            });
        }
        let terms = doc.spotter.terms();
        doc.node("section", &[("id", "glossary"), ("aria-labelledby", "glossary-title")], |doc| {
            doc.leaf("h2", &[("id", "glossary-title")], "Glossary");
            doc.leaf("p", &[("class", "lead")], "The words of the field that this report uses.");
            doc.node("dl", &[("class", "glossary")], |doc| {
                for term in terms {
                    doc.node("div", &[], |doc| {
                        doc.leaf("dt", &[], &term.term);
                        doc.leaf("dd", &[], &term.text);
                    });
                }
            });
        });
    }

    fn foot(&self, doc: &mut Doc) {
        doc.node("p", &[], |doc| {
            doc.text("Secrets are masked in every excerpt. This page holds no scripts and loads nothing. The same input gives the same page; ");
            doc.leaf("code", &[], "tokenvet explain RULE");
            doc.text(" says more about a rule, and ");
            doc.leaf("code", &[], "--format json");
            doc.text(" lists everything.");
        });
    }

    /// `2 errors, 1 warning`.
    pub(super) fn counts(&self) -> String {
        let counts = match (self.audit, &self.gathered.run) {
            (Some(audit), None) => [audit.findings.note, audit.findings.warning, audit.findings.error],
            (_, _) => self.gathered.counts.by_severity,
        };
        let parts =
            [Severity::Error, Severity::Warning, Severity::Note].map(|severity| (severity, counts[severity as usize]));
        let parts = parts.iter().filter(|(_, number)| *number > 0);
        let parts: Vec<String> = parts.map(|(severity, number)| text::counted(*number, severity.name())).collect();
        match parts.split_last() {
            None => "no findings".into(),
            Some((one, [])) => one.clone(),
            Some((last, others)) => format!("{} and {last}", others.join(", ")),
        }
    }

    /// The name of the service that a file belongs to.
    pub(super) fn service_of(&self, path: &str) -> Option<&Service> {
        self.services.of(path)
    }
}

fn left_out(doc: &mut Doc, sections: &[Section]) {
    let mut missing: Vec<(&str, Vec<&str>)> = Vec::new();
    for (title, why) in sections.iter().filter_map(|section| Some((section.title, section.missing?))) {
        match missing.iter_mut().find(|(reason, _)| *reason == why) {
            Some((_, titles)) => titles.push(title),
            None => missing.push((why, vec![title])),
        }
    }
    if missing.is_empty() {
        return;
    }
    let words: Vec<String> = missing.iter().map(|(why, titles)| format!("{} ({why})", titles.join(", "))).collect();
    let words = format!("Sections without anything to show are left out: {}.", words.join("; "));
    doc.leaf("p", &[("class", "quiet")], &words);
}

/// A name or path of somebody else, as long as it may be.
pub(super) fn name(text: &str) -> String {
    text::shortened(text, NAME)
}

/// A severity in words, coloured.
pub(super) fn severity(doc: &mut Doc, severity: Severity) {
    doc.leaf("span", &[("class", severity_class(severity))], severity.name());
}

fn severity_class(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "sev error",
        Severity::Warning => "sev warning",
        Severity::Note => "sev note",
    }
}

/// A part of the page that scrolls by itself where it is too wide, also with the keyboard.
pub(super) fn scroller(doc: &mut Doc, label: &str, inside: impl FnOnce(&mut Doc)) {
    doc.node("div", &[("class", "scroll"), ("role", "region"), ("tabindex", "0"), ("aria-label", label)], inside);
}

/// A service of the run.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Service {
    /// As the policy calls it, or its software.
    pub(super) name: String,
    /// The folder its files are in, without what all services have in common; empty where a name says it.
    pub(super) place: String,
}

/// The services by path of their files.
struct Services {
    of_path: BTreeMap<String, Service>,
}

impl Services {
    fn new(gathered: &Gathered, run: &Closing) -> Self {
        // Files that nothing was linked of stand for themselves.
        let mut groups: BTreeMap<Result<usize, &String>, Vec<&String>> = BTreeMap::new();
        let alone =
            gathered.products.keys().filter(|path| !run.services.contains_key(*path)).map(|path| (Err(path), path));
        for (key, path) in run.services.iter().map(|(path, number)| (Ok(*number), path)).chain(alone) {
            groups.entry(key).or_default().push(path);
        }
        let folders: Vec<Vec<&str>> =
            groups.values().map(|paths| common(paths.iter().map(|path| folder(path)))).collect();
        let trunk = common(folders.iter().map(|parts| parts.as_slice()));
        let mut named: Vec<(Service, &Vec<&String>)> = Vec::new();
        for (paths, parts) in groups.values().zip(&folders) {
            let declared = paths.iter().find_map(|path| gathered.declared.get(*path));
            let product = paths.iter().find_map(|path| gathered.products.get(*path));
            let place = parts[trunk.len().min(parts.len())..].join("/");
            let service = match (declared, product) {
                (Some(name), _) => Service { name: name.clone(), place: String::new() },
                (None, product) => {
                    let product = product.map_or("service", String::as_str).to_string();
                    Service { name: product, place: if place.is_empty() { ".".into() } else { place } }
                }
            };
            named.push((service, paths));
        }
        let mut times: BTreeMap<Service, usize> = BTreeMap::new();
        named.iter().for_each(|(service, _)| *times.entry(service.clone()).or_default() += 1);
        let mut of_path = BTreeMap::new();
        for (service, paths) in named {
            let mut service = service;
            // Services of one folder are told apart by a file of theirs; those that the policy calls the same are the same.
            if !service.place.is_empty() && times.get(&service).is_some_and(|times| *times > 1) {
                let first = paths.first().map_or("", |path| path.as_str());
                service.place = first.split('/').skip(trunk.len()).collect::<Vec<_>>().join("/");
            }
            paths.iter().for_each(|path| drop(of_path.insert((*path).clone(), service.clone())));
        }
        Services { of_path }
    }

    fn of(&self, path: &str) -> Option<&Service> {
        self.of_path.get(path)
    }
}

fn folder(path: &str) -> Vec<&str> {
    let mut parts: Vec<&str> = path.split('/').collect();
    parts.pop();
    parts
}

/// The folders that all begin with.
fn common<'p, P: AsRef<[&'p str]>>(folders: impl Iterator<Item = P>) -> Vec<&'p str> {
    let mut shared: Option<Vec<&str>> = None;
    for parts in folders {
        let parts = parts.as_ref();
        match &mut shared {
            None => shared = Some(parts.to_vec()),
            Some(known) => {
                let same = known.iter().zip(parts).take_while(|(one, other)| one == other).count();
                known.truncate(same);
            }
        }
    }
    shared.unwrap_or_default()
}
