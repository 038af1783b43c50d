//! What readers of the page can rely on, whatever is in it. A browser looks at it in `tests/html`.

use super::*;
use crate::audit::inventory::Entry;
use crate::audit::{self, Change, Counts, Expiring, Item, Lost, Outcome, Point, Role, Trend, WaiverRef};
use crate::report::{
    Band, Finding, Region, RequirementInfo, RuleInfo, Suppressed, SuppressionKind, TargetRef, Tool, View,
};
use crate::rule::Severity;
use crate::source::Source;
use base64::Engine;
use serde_json::json;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};

const ELEMENTS: &[&str] = &[
    "html", "head", "meta", "title", "style", "body", "header", "nav", "main", "section", "footer", "article",
    "details", "summary", "div", "span", "p", "a", "b", "i", "code", "pre", "mark", "time", "ul", "ol", "li", "dl",
    "dt", "dd", "h1", "h2", "h3", "h4", "table", "thead", "tbody", "tr", "th", "td", "svg", "text", "line", "rect",
    "circle",
];
const ATTRIBUTES: &[&str] = &[
    "lang",
    "charset",
    "http-equiv",
    "content",
    "name",
    "class",
    "id",
    "href",
    "rel",
    "tabindex",
    "role",
    "scope",
    "open",
    "datetime",
    "title",
    "aria-label",
    "aria-labelledby",
    "aria-hidden",
    "width",
    "height",
    "x",
    "y",
    "x1",
    "x2",
    "y1",
    "y2",
    "rx",
    "cx",
    "cy",
    "r",
    "text-anchor",
];

/// The page has nothing in it but what this program puts there; the text of files is text.
pub(in crate::report) fn assert_safe(page: &str) {
    let options = roxmltree::ParsingOptions { allow_dtd: true, ..Default::default() };
    let document =
        roxmltree::Document::parse_with_options(page, options).unwrap_or_else(|error| panic!("{error}: {page}"));
    let mut ids = BTreeSet::new();
    for node in document.descendants().filter(roxmltree::Node::is_element) {
        assert!(ELEMENTS.contains(&node.tag_name().name()), "{node:?}");
        for attribute in node.attributes() {
            assert!(ATTRIBUTES.contains(&attribute.name()), "{attribute:?}");
        }
        if let Some(id) = node.attribute("id") {
            assert!(ids.insert(id), "{id} is given twice");
        }
    }
    for href in document.descendants().filter_map(|node| node.attribute("href")) {
        let known = href.strip_prefix('#').map_or(href.starts_with("https://example.org/"), |id| ids.contains(id));
        assert!(known, "{href} leads nowhere");
    }
    let sheet = document.descendants().find(|node| node.has_tag_name("style")).and_then(|node| node.text());
    let sheet = sheet.expect("a page has a style sheet");
    let hash = base64::engine::general_purpose::STANDARD.encode(Sha256::digest(sheet.as_bytes()));
    let policy = document.descendants().find(|node| node.attribute("http-equiv") == Some("Content-Security-Policy"));
    let policy = policy.and_then(|node| node.attribute("content")).expect("a page has a policy");
    let expected = format!("default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'");
    assert_eq!(policy, expected);
}

/// A rule book in which everything is said with this text.
struct Says<'a>(&'a str);

impl RuleBook for Says<'_> {
    fn info(&self, id: &str) -> Option<RuleInfo> {
        let text = self.0.to_string();
        Some(RuleInfo {
            id: id.into(),
            title: text.clone(),
            help: format!("{text}: {text}"),
            rationale: text.clone(),
            references: vec![text.clone(), "https://example.org/read".into()],
            contact: text,
            limit: "access_token.lifetime.max".into(),
        })
    }

    fn requirement(&self, _: &str) -> Option<RequirementInfo> {
        let text = self.0.to_string();
        let (statement, level, document, section) = (text.clone(), text.clone(), text.clone(), text.clone());
        Some(RequirementInfo { statement, level, document, section, url: text })
    }
}

fn entry(kind: &str, path: &str, name: &str, record: serde_json::Value) -> Entry {
    let record = record.as_object().cloned().unwrap_or_default();
    let (kind, path, name) = (kind.to_string(), path.to_string(), name.to_string());
    Entry { kind, anchor: String::new(), path, name, record, grown: vec![] }
}

fn inventory(text: &str) -> Vec<Entry> {
    vec![
        entry(
            "client",
            text,
            text,
            json!({"lifetimes.access_token": 2_592_000, "lifetimes.refresh_token": "unlimited", "secret_expires": 1_800_000_000}),
        ),
        entry("settings", text, text, json!({"product": text, "lifetimes.id_token": 600})),
        entry("access-token", text, text, json!({"lifetime": 3600})),
        entry("issuer", text, text, json!({"issuer": text})),
        entry(
            "trust",
            text,
            text,
            json!({"product": text, "issuer": text, "audience_checked": false, "base_paths": [text, "/a", "/b", "/c"]}),
        ),
        entry("trust", "other/x", text, json!({"product": text, "issuer": "unlimited", "active": false})),
        entry("service", "other/y", text, json!({"product": text, "any_issuer": true})),
        entry(
            "key",
            text,
            text,
            json!({"kid": text, "kty": text, "alg": text, "bits": 2048, "nbf": 1, "exp": 4_000_000_000u32}),
        ),
        entry("key", text, "plain", json!({"kid": "plain"})),
        entry(
            "certificate",
            text,
            text,
            json!({"subject": text, "server": text, "not_before": 1, "not_after": 1_700_000_000}),
        ),
    ]
}

fn finding(source: &Source, text: &str) -> Finding {
    let (start, end) = (source.position(0), source.position(1));
    let region = Region::new(start, end, 0, 1);
    Finding {
        rule: text.into(),
        profile: text.into(),
        severity: Severity::Error,
        default_severity: Severity::Warning,
        message: text.into(),
        path: source.name().clone(),
        region,
        fault: (1, 1),
        pointer: text.into(),
        inner_pointer: Some(text.into()),
        target: TargetRef { kind: "client".into(), name: text.into(), workflow: Some(text.into()) },
        requirements: vec![text.into(), "OTHER-001".into()],
        related: vec![],
        help: format!("{text}: {text}").into(),
        identity: Default::default(),
        fingerprint: text.into(),
        suppressed: None,
        deviation: None,
        measure: Some(crate::report::Measure { value: 2_592_000.into(), bound: 21_600 }),
    }
}

fn run(text: &str) -> Run {
    let band = |token: &str| Band {
        token: token.into(),
        profile: text.into(),
        min: Some(900),
        recommended: Some(3600),
        max: Some(21_600),
        allowance: 60,
        by_policy: true,
    };
    let waiver = |rule: &str| WaiverRef {
        rule: rule.into(),
        owner: text.into(),
        path: text.into(),
        ends: Some("2026-12-01T00:00:00Z".into()),
        used: false,
    };
    Run {
        now: "2026-11-22T00:00:00Z".into(),
        policy_digest: Some(text.into()),
        bands: vec![band("access_token"), band("id_token")],
        waivers: vec![waiver(text), waiver("other")],
        services: BTreeMap::from([(text.to_string(), 0), ("other/x".to_string(), 1)]),
        ..Run::default()
    }
}

fn report(text: &str) -> Report {
    let change = || Change {
        rule: text.into(),
        profile: text.into(),
        severity: Severity::Warning,
        path: text.into(),
        line: 3,
        kind: text.into(),
        name: text.into(),
        message: text.into(),
        fingerprint: text.into(),
        first_seen: text.into(),
        why: text.into(),
    };
    let lost = Lost {
        name: text.into(),
        role: Role::File,
        service: Some(text.into()),
        why: text.into(),
        last_seen: text.into(),
        findings: 2,
    };
    let item = || Item {
        kind: text.into(),
        name: text.into(),
        path: text.into(),
        begins: Some(text.into()),
        ends: Some(text.into()),
        days: Some(3),
    };
    let snapshot = audit::SnapshotRef {
        issuer: text.into(),
        path: text.into(),
        taken: Some(text.into()),
        age: Some(90_000),
        failed: text.into(),
    };
    let edit = |before, after| audit::Edit { field: text.into(), before, after };
    let trend = Trend {
        lifetimes: BTreeMap::from([("access_token".into(), Some(3600)), ("refresh_token".into(), None)]),
        widest_scope: Some(text.into()),
        waivers: BTreeMap::from([(text.into(), 2)]),
        findings: BTreeMap::from([("error".into(), 2), ("note".into(), 1)]),
        suppressed: 1,
        inventory: BTreeMap::new(),
    };
    let expiring = Expiring {
        what: text.into(),
        name: text.into(),
        owner: String::new(),
        path: text.into(),
        at: text.into(),
        seconds: 1_800_000_000,
        days: -2,
    };
    let edits =
        vec![edit(json!([text]), json!([text, "b"])), edit(json!(null), json!(text)), edit(json!(1), json!({}))];
    Report {
        schema_version: "1".into(),
        tool: Tool::this(),
        policy: text.into(),
        policy_digest: Some(text.into()),
        now: "2026-11-22T00:00:00Z".into(),
        previous: Some(text.into()),
        changed: vec![text.into()],
        outcome: Outcome::Worse,
        new: vec![change()],
        worsened: vec![change()],
        fixed: vec![change()],
        still: Counts::default(),
        findings: Counts { error: 2, warning: 0, note: 1, suppressed: 1 },
        unverified: 0,
        coverage: audit::Coverage {
            audited: 1,
            added: vec![text.into()],
            lost: vec![lost.clone()],
            still_lost: vec![lost],
            returned: vec![text.into()],
            incomplete: vec![text.into()],
        },
        expiring: vec![expiring],
        expiring_within: 86_400,
        waivers: run(text).waivers,
        inventory: audit::Inventory {
            added: vec![item()],
            removed: vec![item()],
            changed: vec![audit::Changed { item: item(), edits }],
        },
        trend: vec![
            Point { at: text.into(), trend: trend.clone() },
            Point { at: "2026-11-22T00:00:00Z".into(), trend },
        ],
        errors: vec![],
        snapshots: vec![snapshot],
    }
}

/// A page in which this text is in every place that files reach.
fn page(text: &str) -> String {
    let source = Source::from_text(text, format!("x{text}"));
    let live = finding(&source, text);
    let by = Suppressed {
        kind: SuppressionKind::Waiver,
        reason: text.into(),
        owner: Some(text.into()),
        expires: Some("2026-11-30".into()),
        mitigations: vec![text.into()],
        line: 0,
    };
    let inline = Suppressed { kind: SuppressionKind::Inline, ..by.clone() };
    let findings = vec![
        live.clone(),
        Finding { suppressed: Some(by), ..live.clone() },
        Finding { suppressed: Some(inline), ..live.clone() },
        Finding { target: TargetRef { kind: "trust".into(), ..live.target.clone() }, ..live.clone() },
        Finding { target: TargetRef { kind: "document".into(), ..live.target.clone() }, path: "none".into(), ..live },
    ];
    let documents = vec![crate::report::DocumentRef { path: text.into(), kind: text.into(), targets: 1 }];
    let mut page = HtmlPage::default();
    let checked = Checked {
        view: Some(View::new(&source, &[])),
        documents,
        findings,
        inventory: inventory(text),
        service: Some(text.into()),
        ..Checked::default()
    };
    page.file(&checked).and_then(|()| page.finish(&run(text))).expect("it only gathers");
    page.text(&Says(text), Some(&report(text)))
}

const HOSTILE: &[&str] = &[
    "<script>alert(1)</script>",
    "</style><img src=x onerror=alert(1)>",
    "\"><svg onload=alert(1)>",
    "' onfocus='alert(1)' autofocus x='",
    "javascript:alert(1)",
    "https://example.org/\" onclick=\"alert(1)",
    "data:text/html,<script>alert(1)</script>",
    "&lt;b&gt; &#60; &amp",
    "]]><!-- --><![CDATA[",
    "\u{202e}txt.exe\u{2066} \u{200b}\u{feff}",
    "a\u{0}b\u{1b}[31m\u{7}\r\n::error::x",
    "${{ secrets }} {{7*7}} <%= 1 %>",
    "",
    " ",
];

#[test]
fn whatever_files_say_is_text() {
    for text in HOSTILE.iter().map(|text| text.to_string()).chain([format!("{}<b>", "long-name".repeat(4000))]) {
        let page = page(&text);
        assert_safe(&page);
        assert!(!page.contains(|c: char| c != '\n' && crate::report::text::is_unsafe(c)), "{text:?}");
        assert!(page.len() < 200_000, "long names are cut: {}", page.len());
    }
}

#[test]
fn every_section_is_there_when_there_is_something_to_say() {
    let page = page("https://example.org/plain");
    for id in
        ["summary", "changes", "findings", "lifetimes", "trust", "keys", "trend", "waivers", "statements", "glossary"]
    {
        assert!(page.contains(&format!("<section id=\"{id}\"")), "{id}");
        assert!(page.contains(&format!("<a href=\"#{id}\"")), "{id} is in the navigation");
    }
    assert!(!page.contains("are left out"));
    for words in [
        "15 minutes to 6 hours, best 1 hour (by the policy)",
        "longer than https://example.org/plain allows",
        "without end",
        "any issuer",
        "any audience",
        "not in effect",
        "unknown",
        "to 2023-11-14",
        "2026-11-30",
        "in 8 days",
        "hides",
        "It got worse since",
    ] {
        assert!(page.to_lowercase().contains(&words.to_lowercase()), "{words}");
    }
}

#[test]
fn sections_without_data_are_named_once() {
    let mut page = HtmlPage::default();
    page.finish(&Run { now: "2026-11-22T00:00:00Z".into(), ..Run::default() }).expect("it only gathers");
    let page = page.text(&Says(""), None);
    assert_safe(&page);
    assert!(page.contains("No findings in 0 files.") && page.contains("are left out: "), "{page}");
    assert_eq!(page.matches("<section").count(), 2, "the summary and the glossary: {page}");
}

#[test]
fn an_audit_of_the_past_is_told_without_its_findings() {
    let page = HtmlPage::default().text(&BTreeMap::new(), Some(&report("x")));
    assert_safe(&page);
    for id in ["changes", "trend", "waivers"] {
        assert!(page.contains(&format!("<section id=\"{id}\"")), "{id}");
    }
    assert!(page.contains("2 errors and 1 note."), "{page}");
}

#[test]
fn the_page_stays_readable_however_much_is_found() {
    let source = Source::from_text("clients.json", "x\n".repeat(10));
    let one = finding(&source, "x");
    let mut few = HtmlPage::default();
    let mut all = HtmlPage::new(Options { all: true, ..Options::default() });
    for number in 0..5000 {
        let severity = if number % 50 == 0 { Severity::Error } else { Severity::Note };
        let name = format!("client-{number}");
        let rule = format!("rule-{}", number % 100);
        let target = TargetRef { kind: "client".into(), name: name.clone().into(), workflow: None };
        let record = json!({"lifetimes.access_token": number + 60});
        let checked = Checked {
            view: Some(View::new(&source, &[])),
            findings: vec![Finding { severity, rule: rule.into(), target, ..one.clone() }],
            inventory: vec![entry("client", "clients.json", &name, record)],
            ..Checked::default()
        };
        few.file(&checked).and_then(|()| all.file(&checked)).expect("it only gathers");
    }
    let run = run("x");
    few.finish(&run).and_then(|()| all.finish(&run)).expect("it only gathers");
    let (few, all) = (few.text(&Says("x"), None), all.text(&Says("x"), None));
    assert!(few.len() < 2_000_000 && all.len() > 2 * few.len(), "{} {}", few.len(), all.len());
    assert!(few.contains("Not shown, so that the page stays readable: ") && few.contains("--format json"));
    assert!(few.contains("100 errors and 4,900 notes in"), "all are counted");
    assert!(!all.contains("Not shown, so that"));
}

#[test]
fn the_same_input_gives_the_same_page() {
    assert_eq!(page("same"), page("same"));
}
