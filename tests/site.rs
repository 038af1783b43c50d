//! A whole site: contradictions between services are found where they stand, and a sound site is silent.

mod common;

use common::{check_json, list};
use serde_json::Value;
use std::path::Path;
use tokenvet::rule::RuleBook;

fn site(name: &str) -> Value {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata");
    // At the clock of these tests the token in there is valid.
    check_json(&root, &[name])
}

/// Findings of rules that compare; what one file says of itself is tested with the rules.
fn comparing(report: &Value) -> Vec<&Value> {
    let book = RuleBook::builtin().expect("the built-in rules load");
    let joins = |finding: &&Value| {
        let rule = finding["rule"].as_str().and_then(|id| book.rule(id));
        rule.is_some_and(|rule| rule.logic.join.is_some())
    };
    list(report, "findings").iter().filter(joins).collect()
}

/// Findings above a note.
fn serious(report: &Value) -> usize {
    list(report, "findings").iter().filter(|finding| finding["severity"] != "note").count()
}

#[test]
fn contradictions_between_services_are_found_where_they_stand() {
    let report = site("site");
    let findings: Vec<(&str, &str, u64)> = comparing(&report)
        .into_iter()
        .map(|finding| {
            let text = |name: &str| finding[name].as_str().unwrap_or_default();
            let path = text("path").strip_prefix("site/").unwrap_or_default();
            (text("rule"), path, finding["region"]["start_line"].as_u64().unwrap_or(0))
        })
        .collect();
    let expected = [
        ("trust-area-shared", "se1/etc/xrootd/scitokens.cfg", 8),
        ("service-file-missing", "se1/etc/xrootd/scitokens.cfg", 11),
        ("trust-issuer-migration", "se1/etc/xrootd/scitokens.cfg", 26),
        ("trust-issuer-spelling", "se2/etc/dcache/dcache.conf", 7),
        ("mapping-provider-unknown", "se2/etc/dcache/multi-mapfile", 2),
        ("token-audience-of-no-service", "tokens/upload.json", 7),
    ];
    assert_eq!(findings, expected, "{report:#}");
}

#[test]
fn a_sound_site_is_silent() {
    let report = site("site-clean");
    assert_eq!((comparing(&report).len(), serious(&report)), (0, 0), "{report:#}");
    assert_eq!(list(&report, "errors").len(), 0, "{report:#}");
    assert_eq!(list(&report, "documents").len(), 11, "every file is recognised");
}

#[test]
fn one_service_of_the_site_contradicts_nobody() {
    for service in ["ce1", "arc1", "fts", "se2/etc/dcache/dcache.conf", "se2/etc/dcache/multi-mapfile", "tokens"] {
        let report = site(&format!("site/{service}"));
        assert_eq!((comparing(&report).len(), serious(&report)), (0, 0), "{service}: {report:#}");
    }
}
