//! Every statement of a profile that a file can show has a rule that checks it, or a reason why none does; and
//! `docs/coverage.md`, which says so to people, is what the rule book says.
//!
//! `UPDATE=1 cargo test --test coverage` writes the page anew.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;
use tokenvet::profile::{LEDGER, Level, Requirement};
use tokenvet::rule::RuleBook;

/// What the tool reads today, in the ledger's words.
const READ: [&str; 5] = ["token", "discovery", "jwks", "client_config", "issuer_config"];

fn book() -> RuleBook {
    RuleBook::builtin().expect("the built-in rules load")
}

/// Rules by the requirement they rest on in some profile.
fn rules(book: &RuleBook) -> BTreeMap<&str, BTreeSet<&str>> {
    let mut found: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for rule in &book.rules {
        for id in rule.applications.iter().flat_map(|application| &application.requirements) {
            found.entry(id).or_default().insert(&rule.id);
        }
    }
    found
}

fn can_be_shown(requirement: &Requirement) -> bool {
    requirement.words().checkable_from.iter().any(|from| READ.contains(&from.as_str()))
}

fn demands(level: Level) -> bool {
    match level {
        Level::Must | Level::MustNot | Level::Should | Level::ShouldNot => true,
        Level::May | Level::Informative => false,
    }
}

#[test]
fn every_checkable_demand_has_a_rule_or_a_reason() {
    let book = book();
    let rules = rules(&book);
    let mut wrong = Vec::new();
    for requirement in LEDGER {
        let id = requirement.id;
        let (rule, reason) = (rules.get(id), &requirement.words().unchecked);
        match (rule, reason) {
            (Some(rules), Some(_)) => wrong.push(format!("{id}: {rules:?} check it, and a reason says that none does")),
            (None, Some(reason)) if reason.split_whitespace().count() < 4 => wrong.push(format!("{id}: {reason}?")),
            (None, None) if can_be_shown(requirement) && demands(requirement.level) => {
                wrong.push(format!("{id}: neither a rule nor a reason"));
            }
            (Some(_), None) | (None, Some(_) | None) => {}
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn reasons_name_rules_and_statements_that_exist() {
    let book = book();
    for requirement in LEDGER {
        let id = requirement.id;
        let reason = requirement.words().unchecked.unwrap_or_default();
        for name in reason.split('`').skip(1).step_by(2) {
            assert!(book.rule(name).is_some(), "{id}: there is no rule {name}");
        }
        let family = id.split('-').next().unwrap_or_default();
        for word in reason.split(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '-')) {
            let numbered =
                word.len() > 4 && word.as_bytes()[word.len() - 4] == b'-' && word.ends_with(char::is_numeric);
            let known = |name: &str| Requirement::find(name).is_some();
            assert!(!numbered || known(word) || known(&format!("{family}-{word}")), "{id}: there is no {word}");
        }
    }
}

#[test]
fn what_restates_weighs_as_much_as_what_is_restated() {
    for requirement in LEDGER {
        let id = requirement.id;
        let Some(other) = requirement.restates else { continue };
        let restated = Requirement::find(other).expect("the restated statement is in the ledger");
        assert_ne!(restated.document, requirement.document, "{id} restates its own document");
        assert!(restated.restates.is_none(), "{id} restates {other}, which restates another");
        assert_eq!(requirement.severity(), restated.own_severity(), "{id} restates {other} without need");
        assert_ne!(requirement.own_severity(), restated.own_severity(), "{id} restates {other} without need");
    }
}

/// The ledger of the WLCG profile has as many statements as the document; one that is lost would not be missed
/// otherwise.
#[test]
fn the_wlcg_ledger_is_complete() {
    let of = |version: &str| {
        let held = LEDGER.iter().filter(|requirement| requirement.document == "wlcg");
        held.filter(|r| r.versions.is_empty() || r.versions.contains(&version)).count()
    };
    let all = LEDGER.iter().filter(|requirement| requirement.document == "wlcg").count();
    assert_eq!((all, [of("1.0"), of("1.1"), of("1.2"), of("1.3")]), (305, [218, 265, 269, 277]));
}

#[test]
fn the_page_on_coverage_is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/coverage.md");
    let wanted = page(&book());
    if std::env::var_os("UPDATE").is_some() {
        std::fs::create_dir_all(path.parent().unwrap_or(&path)).expect("docs/ can be made");
        std::fs::write(&path, &wanted).expect("docs/coverage.md can be written");
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    let differs = wanted.lines().zip(found.lines()).position(|(wanted, found)| wanted != found);
    assert!(wanted == found, "docs/coverage.md differs (line {differs:?}); UPDATE=1 cargo test --test coverage");
}

/// How a statement stands, for the totals.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// A rule checks it.
    Checked,
    /// A reason says why none does.
    Reasoned,
    /// It permits or explains, or cannot be shown by what is read today.
    Outside,
    /// Neither, and it could be.
    Open,
}

fn standing(requirement: &Requirement, rules: &BTreeMap<&str, BTreeSet<&str>>) -> Standing {
    match (rules.contains_key(requirement.id), &requirement.words().unchecked) {
        (true, _) => Standing::Checked,
        (false, Some(_)) => Standing::Reasoned,
        (false, None) if can_be_shown(requirement) && demands(requirement.level) => Standing::Open,
        (false, None) => Standing::Outside,
    }
}

/// The last column: rules, the reason, or what else is to say.
fn how(requirement: &Requirement, rules: &BTreeMap<&str, BTreeSet<&str>>) -> String {
    let words = requirement.words();
    let names = |ids: &BTreeSet<&str>| ids.iter().map(|id| format!("`{id}`")).collect::<Vec<_>>().join(", ");
    match (rules.get(requirement.id), &words.unchecked) {
        (Some(ids), _) => names(ids),
        (None, Some(reason)) => reason.trim().to_string(),
        (None, None) if !demands(requirement.level) => "—".into(),
        (None, None) if can_be_shown(requirement) => "*open*".into(),
        (None, None) => match words.checkable_from.iter().map(|from| place(from)).collect::<Vec<_>>().as_slice() {
            [] => "*no file shows it*".into(),
            places => format!("*shown by {} only*", places.join(" and ")),
        },
    }
}

fn place(from: &str) -> &str {
    match from {
        "rp_config" => "a service's settings",
        "log" => "logs",
        other => other,
    }
}

fn page(book: &RuleBook) -> String {
    let rules = rules(book);
    let mut documents: BTreeMap<&str, Vec<&Requirement>> = BTreeMap::new();
    for requirement in LEDGER {
        documents.entry(requirement.document).or_default().push(requirement);
    }
    let mut out = String::from(
        "# What is checked\n\n<!-- Written by UPDATE=1 cargo test --test coverage. -->\n\nEvery statement of the \
         documents that the rules rest on, with the rules that check it or the reason why none does.\nPermissions and \
         definitions have neither unless there is something to say. `tokenvet explain ID` tells more.\n\n| document | \
         statements | with rules | with a reason | nothing to check in files read today | open |\n|---|--:|--:|--:|--:|--:|\n",
    );
    for (name, requirements) in &documents {
        let count = |wanted| requirements.iter().filter(|r| standing(r, &rules) == wanted).count();
        let [checked, reasoned, outside, open] =
            [Standing::Checked, Standing::Reasoned, Standing::Outside, Standing::Open].map(count);
        let total = requirements.len();
        let _ = writeln!(out, "| [{name}](#{name}) | {total} | {checked} | {reasoned} | {outside} | {open} |");
    }
    for (name, requirements) in &documents {
        let (title, url) = requirements.first().map_or(("", ""), |requirement| requirement.document());
        let _ = write!(out, "\n## {name}\n\n[{title}]({url})\n\n");
        out.push_str("| requirement | level | versions | statement | checked by |\n|---|---|---|---|---|\n");
        for requirement in requirements {
            let (id, statement) = (requirement.id, requirement.words().statement);
            let versions = match requirement.versions.is_empty() {
                true => "all".into(),
                false => requirement.versions.join(", "),
            };
            let (level, how) = (requirement.level.name(), how(requirement, &rules));
            let _ = writeln!(out, "| {id} | {level} | {versions} | {} | {} |", cell(&statement), cell(&how));
        }
    }
    out
}

/// Text inside a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}
