//! A whole site: contradictions between services are found where they stand, and a sound site is silent.

mod common;

use common::{check_json, list};
use std::path::Path;

fn site(name: &str) -> serde_json::Value {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata");
    // At the clock of these tests the token in there is valid.
    check_json(&root, &[name])
}

#[test]
fn contradictions_between_services_are_found_where_they_stand() {
    let report = site("site");
    let findings: Vec<(&str, &str, u64)> = list(&report, "findings")
        .iter()
        .map(|finding| {
            let text = |name: &str| finding[name].as_str().unwrap_or_default();
            let path = text("path").strip_prefix("site/").unwrap_or_default();
            (text("rule"), path, finding["region"]["start_line"].as_u64().unwrap_or(0))
        })
        .collect();
    let expected = [
        ("trust-area-shared", "se1/etc/xrootd/scitokens.cfg", 8),
        ("service-file-missing", "se1/etc/xrootd/scitokens.cfg", 12),
        ("trust-issuer-migration", "se1/etc/xrootd/scitokens.cfg", 29),
        ("trust-issuer-spelling", "se2/etc/dcache/dcache.conf", 7),
        ("mapping-provider-unknown", "se2/etc/dcache/multi-mapfile", 2),
        ("token-audience-of-no-service", "tokens/upload.json", 7),
    ];
    assert_eq!(findings, expected, "{report:#}");
}

#[test]
fn a_sound_site_is_silent() {
    let report = site("site-clean");
    assert_eq!(list(&report, "findings").len(), 0, "{report:#}");
    assert_eq!(list(&report, "errors").len(), 0, "{report:#}");
    assert_eq!(list(&report, "documents").len(), 11, "every file is recognised");
}

#[test]
fn one_service_of_the_site_contradicts_nobody() {
    for service in ["ce1", "arc1", "fts", "se2/etc/dcache/dcache.conf", "se2/etc/dcache/multi-mapfile", "tokens"] {
        let report = site(&format!("site/{service}"));
        assert_eq!(list(&report, "findings").len(), 0, "{service}: {report:#}");
    }
}
