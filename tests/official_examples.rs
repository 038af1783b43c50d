//! What the tool says of the examples that the WLCG profile itself prints: `docs/official-examples.md`.
//!
//! `testdata/official-examples.json` holds documents of their shape: members, scopes, audiences and times as printed,
//! names and identifiers of ours. `UPDATE=1 cargo test --test official_examples` writes the page anew.

use serde::Deserialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use tokenvet::check::{Outcome, check};
use tokenvet::evaluate::{Adjustments, Plan, Selection};
use tokenvet::profile::ProfileClass;
use tokenvet::rule::{Profile, RuleBook};
use tokenvet::source::Source;

/// An example of the profile.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Printed {
    /// Section in 1.3; 1.0 has the same examples without numbers.
    section: String,
    /// The versions that print it in this shape.
    versions: Vec<String>,
    /// What is remarkable about it.
    shape: String,
    /// The document; decoded, where it is a token.
    #[serde(default)]
    document: Value,
    /// The document as text, where it is no JSON.
    text: Option<String>,
}

impl Printed {
    fn text(&self) -> String {
        self.text.clone().unwrap_or_else(|| format!("{:#}\n", self.document))
    }

    /// The minute after a token was issued, so that nothing is found just because the document is old.
    fn now(&self) -> i64 {
        self.document["payload"]["iat"].as_i64().map_or(tokenvet::trial::NOW, |issued| issued + 60)
    }

    fn judged(&self, book: &Arc<RuleBook>, version: &str) -> Outcome {
        let wlcg = book.profile(&format!("wlcg@{version}")).expect("a shipped profile");
        // The RFCs hold beside it, as they do when no profile is chosen.
        let generic = |(_, profile): &(usize, &Profile)| profile.raw.class == ProfileClass::Generic;
        let profiles = book.profiles.iter().enumerate().filter(generic).map(|(index, _)| index).chain([wlcg]);
        let plan = Plan::new(Arc::clone(book), Selection::Chosen(profiles.collect()), &Adjustments::default());
        check(&plan, &Arc::new(Source::from_text("example.json", self.text())), self.now())
    }
}

/// What is said of an example, as lines of a list, the version of the profile aside.
fn said(outcome: &Outcome) -> BTreeSet<String> {
    let errors = outcome.errors.iter().map(|error| format!("cannot be read: {}", error.message));
    let mut findings: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for finding in &outcome.findings {
        let (family, _) = finding.profile.split_once('@').unwrap_or((&finding.profile, ""));
        let message = escaped(&finding.message.replace(finding.profile.as_str(), "the profile"));
        let line = format!("{} [{1}](rules/{1}.md): {message}", finding.severity, finding.rule);
        let rests = findings.entry(line).or_default();
        rests.extend(finding.requirements.iter().map(|id| id.as_str()));
        rests.extend(finding.requirements.is_empty().then_some(family));
    }
    let findings = findings
        .into_iter()
        .map(|(line, rests)| format!("{line} ({})", rests.into_iter().collect::<Vec<_>>().join(", ")));
    errors.chain(findings).collect()
}

fn escaped(text: &str) -> String {
    text.replace('|', "\\|").replace('*', "\\*").replace('<', "\\<")
}

fn examples() -> Vec<Printed> {
    serde_json::from_str(include_str!("../testdata/official-examples.json")).expect("the examples are readable")
}

fn page(book: &Arc<RuleBook>) -> String {
    let mut out = String::from(
        "# The examples of the WLCG profile\n\n<!-- Written by UPDATE=1 cargo test --test official_examples. -->\n\nThe \
         WLCG profile prints tokens, metadata and a key set as examples. Some break its own rules: do not take them for \
         templates.\nBelow is what tokenvet says of documents with their members, scopes, audiences and times (names \
         and identifiers are\nours), each under the versions that print it, at the time of the token. Sections are \
         those of 1.3; 1.0 has no numbers.\n",
    );
    for example in examples() {
        let mut by_finding: BTreeMap<BTreeSet<String>, Vec<&str>> = BTreeMap::new();
        for version in &example.versions {
            let said = said(&example.judged(book, version));
            by_finding.entry(said).or_default().push(version);
        }
        let mut groups: Vec<(Vec<&str>, BTreeSet<String>)> =
            by_finding.into_iter().map(|(said, versions)| (versions, said)).collect();
        groups.sort();
        let _ = write!(out, "\n## {}: {}\n", example.section, example.shape);
        for (versions, said) in groups {
            let versions = versions.join(", ");
            if said.is_empty() {
                let _ = write!(out, "\n{versions}: nothing.\n");
            } else {
                let _ = write!(out, "\n{versions}:\n\n");
                said.iter().for_each(|line| {
                    let _ = writeln!(out, "- {line}");
                });
            }
        }
    }
    out
}

#[test]
fn the_page_on_the_profiles_own_examples_is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/official-examples.md");
    let wanted = page(&Arc::new(RuleBook::builtin().expect("the built-in rules load")));
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &wanted).expect("docs/official-examples.md can be written");
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default().replace("\r\n", "\n");
    assert!(wanted == found, "docs/official-examples.md differs; UPDATE=1 cargo test --test official_examples");
}

/// The examples that are known to break the profile's rules: section, version, rule.
#[test]
fn what_the_examples_break_is_found() {
    let book = Arc::new(RuleBook::builtin().expect("the built-in rules load"));
    let examples = examples();
    for (section, version, rule) in [
        ("4.2.2, metadata", "1.3", "issuer-incomplete-metadata"),
        ("4.2.2, verification", "1.0", "scope-not-a-text"),
        ("4.2.2, verification", "1.0", "unprefixed-storage-scope"),
        ("4.2.2, verification", "1.1", "token-without-aud"),
        ("5.3.2, access token", "1.3", "token-without-aud"),
        ("5.3.2, access token", "1.3", "subject-readable"),
        ("5.3.4", "1.3", "token-shorter-than-minimum"),
        ("5.3.5", "1.1", "token-shorter-than-minimum"),
        ("5.3.5", "1.0", "compute-scope-with-path"),
    ] {
        let printed = |example: &&Printed| {
            example.section.starts_with(section) && example.versions.iter().any(|printed| printed == version)
        };
        let found = examples.iter().filter(printed).flat_map(|example| example.judged(&book, version).findings);
        assert!(found.into_iter().any(|finding| finding.rule == rule), "{section} under {version}: {rule}");
    }
    // The minimum was 300 s in 1.0: the same token is long enough there.
    let groups = examples.iter().find(|example| example.section.starts_with("5.3.4")).expect("listed");
    let under = groups.judged(&book, "1.0");
    assert!(under.findings.iter().all(|finding| finding.rule != "token-shorter-than-minimum"));
}
