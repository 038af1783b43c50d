//! A configuration file says the same inside a Kubernetes object or Helm values as it says alone. The files are the examples
//! of the built-in rules, of every format that is known by its lines.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};
use tokenvet::check::{Outcome, check};
use tokenvet::discover::syntax_of;
use tokenvet::evaluate::{Adjustments, Plan, Selection};
use tokenvet::parse::Syntax;
use tokenvet::rule::RuleBook;
use tokenvet::source::Source;
use tokenvet::trial::{self, NOW};

/// Outer texts, with the indentation of the file that follows: as people write them and as `kubectl get -o yaml` prints them.
const OUTER: [(&str, &str, &str); 4] = [
    ("ConfigMap", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\ndata:\n  file: |\n", "    "),
    ("ConfigMap, printed", "apiVersion: v1\ndata:\n  other: |\n    x\n  file: |\n", "    "),
    ("Secret", "# Ours.\n---\nkind: Secret\napiVersion: v1\nstringData:\n  file: |-\n", "      "),
    ("Helm values", "replicas: 2\nse:\n  config:\n    file: |\n", "      "),
];

fn outer(name: &str, head: &str, indent: &str, text: &str) -> String {
    let mut whole = head.to_string();
    for line in text.lines() {
        whole.push_str(if line.is_empty() { "" } else { indent });
        whole.push_str(line);
        whole.push('\n');
    }
    whole.push_str(if name == "ConfigMap, printed" { "kind: ConfigMap\nmetadata:\n  name: x\n" } else { "" });
    whole
}

static BOOK: LazyLock<Arc<RuleBook>> =
    LazyLock::new(|| Arc::new(RuleBook::builtin().expect("the built-in rules load")));

fn judge(text: &str) -> Outcome {
    static PLAN: LazyLock<Plan> =
        LazyLock::new(|| Plan::new(Arc::clone(&BOOK), Selection::Auto, &Adjustments::default()));
    check(&PLAN, &Arc::new(Source::from_text("file", text)), NOW)
}

/// Rule, message and the text they point at. What is said of a whole document differs with the document.
fn said(outcome: &Outcome, text: &str) -> BTreeSet<(String, String, String)> {
    let findings = outcome.findings.iter().filter(|finding| !finding.rule.starts_with("document-"));
    let said = findings.map(|finding| {
        let start = finding.region.byte_offset as usize;
        let place = &text[start..start + finding.region.byte_length as usize];
        (finding.rule.to_string(), finding.message.clone(), place.to_string())
    });
    said.collect()
}

#[test]
fn a_file_says_the_same_inside_other_documents() {
    let mut tried: BTreeMap<String, usize> = BTreeMap::new();
    let mut wrong = Vec::new();
    for rule in &BOOK.rules {
        for example in rule.examples() {
            let (_, document) = trial::expectation(example).expect("examples are complete");
            let Some(text) = document.as_str().filter(|text| !text.starts_with([' ', '\t']) && !text.contains('\r'))
            else {
                continue;
            };
            if !matches!(syntax_of("file", text), Some(Syntax::Ini(_) | Syntax::Words(_) | Syntax::Cfg)) {
                continue;
            }
            let alone = judge(text);
            *tried.entry(example.kind.clone()).or_default() += 1;
            for (name, head, indent) in OUTER {
                let whole = outer(name, head, indent, text);
                let inside = judge(&whole);
                let (expected, got) = (said(&alone, text), said(&inside, &whole));
                if expected != got || alone.targets != inside.targets {
                    let targets = (&alone.targets, &inside.targets);
                    let example = format!("{}, {}", example.kind, example.name);
                    wrong.push(format!("{example} in {name}:\n{expected:#?}\n{got:#?}\n{targets:?}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {tried:?}\n{}", wrong.len(), wrong.join("\n"));
    assert!(tried.len() >= 16, "{tried:?}");
}

#[test]
fn files_of_several_formats_stand_in_one_object() {
    let object = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\ndata:\n  rucio.cfg: |\n    [oidc]\n    \
                  expected_audience = any\n  scitokens.cfg: |\n    [Global]\n    audience = https://se.example.org:1094\n    \
                  [Issuer X]\n    issuer = https://x.example.org/\n    base_path = /\n  10-condor.conf: |\n    \
                  SCITOKENS_SERVER_AUDIENCE = https://ce.example.org:9619\n    SEC_SCITOKENS_FOREIGN_TOKEN_ISSUERS = *\n";
    let outcome = judge(object);
    let kinds: Vec<&str> = outcome.documents.iter().map(|document| document.kind.as_str()).collect();
    assert_eq!((kinds, outcome.errors.len()), (vec!["kubernetes-service"], 0));
    assert_eq!(outcome.targets["service"], 3);
    let rules: BTreeSet<&str> = outcome.findings.iter().map(|finding| finding.rule.as_str()).collect();
    assert!(!rules.contains("service-without-audience"), "{rules:?}");
    let places: Vec<_> = said(&outcome, object).into_iter().map(|(_, _, place)| place).collect();
    assert!(places.iter().any(|place| place == "/"), "the whole name space: {places:?}");
}
