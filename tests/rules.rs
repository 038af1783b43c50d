//! The built-in rules: every file says what it means, and every rule fires on a real file through the real command.

use serde_json::Value;
use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::{error, fs};
use tokenvet::adapt::{Kind, kinds};
use tokenvet::profile::{LEDGER, Requirement};
use tokenvet::report::RuleInfo;
use tokenvet::rule::{RawExample, Rule, RuleBook};
use tokenvet::trial::{self, Expected};

fn book() -> Arc<RuleBook> {
    Arc::new(RuleBook::builtin().expect("the built-in rules load"))
}

#[test]
fn every_example_has_the_outcome_it_names() {
    let book = book();
    let failures: Vec<String> = book
        .rules
        .iter()
        .flat_map(|rule| trial::run(&book, rule).into_iter().map(move |failure| (rule, failure)))
        .map(|(rule, failure)| format!("{}: {}\n{}", rule.path(), failure.example, failure.diff))
        .collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// What is wrong with a rule file as documentation.
fn shortcomings(rule: &Rule) -> Vec<String> {
    let mut found = Vec::new();
    let prose = rule.prose();
    if rule.path().rsplit('/').next() != Some(&format!("{}.yaml", rule.id)) {
        found.push("the id is not the file name".to_string());
    }
    for (name, text) in [("title", &prose.title), ("help", &prose.help), ("rationale", &prose.rationale)] {
        if text.trim().is_empty() {
            found.push(format!("`{name}` is empty"));
        }
    }
    if RuleInfo::contact_named_in(&prose.help).is_empty() {
        found.push("`help` names nobody who can act".into());
    }
    for (expected, name) in [(Expected::Pass, "pass"), (Expected::Fail, "fail"), (Expected::Skip, "skip")] {
        let has = |example| trial::expectation(example).is_ok_and(|(given, _)| given == expected);
        if !rule.examples().iter().any(has) {
            found.push(format!("no `{name}` example"));
        }
    }
    let names: BTreeSet<&str> = rule.examples().iter().map(|example| example.name.as_str()).collect();
    if names.len() < rule.examples().len() {
        found.push("two examples have the same name".into());
    }
    let prose_of_all = [&prose.title, &prose.help, &prose.rationale].into_iter().chain(&prose.exceptions);
    for word in prose_of_all.flat_map(|text| text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-'))) {
        let digits = word.rsplit_once('-').map_or("", |(_, digits)| digits);
        let is_id = digits.len() == 3 && digits.bytes().all(|b| b.is_ascii_digit());
        let family = |id: &str| id.split('-').next().map(str::to_string);
        let of_ledger = || LEDGER.iter().any(|known| family(known.id) == family(word));
        if is_id && of_ledger() && Requirement::find(word).is_none() {
            found.push(format!("{word} is cited, and `explain` does not know it"));
        }
    }
    let registered = |risk: &String| matches!(risk.strip_prefix("TR-"), Some("1" | "2" | "3" | "4" | "5" | "6" | "7"));
    if !prose.risks.iter().all(registered) {
        found.push("`risks` names none of TR-1 to TR-7".into());
    }
    if let Err(defect) = rule.validate() {
        found.push(defect);
    }
    if rule.applications.is_empty() {
        found.push("no profile holds it".into());
    }
    if rule.logic.severity.is_some() && !rule.logic.requirements.is_empty() && prose.severity_reason.is_none() {
        found.push("`severity` differs from the requirements' without a `severity_reason`".into());
    }
    let placeholder = regex::Regex::new(r"\{[\w.]+\}").expect("a pattern");
    if placeholder.is_match(&prose.help) {
        found.push("nothing fills a placeholder in `help`".into());
    }
    found
}

/// Kinds of document that a standard describes and no product writes in just this form.
const GENERIC: [&str; 5] = ["rfc7591-client", "rfc7591-clients", "rfc7591-client-request", "jwk", "decoded-jwt"];

/// A decoded token as issuers really make them: header and all the claims that every product writes.
fn is_whole_token(example: &RawExample) -> bool {
    let document = trial::expectation(example).map(|(_, document)| document.clone()).unwrap_or_default();
    let claims = ["iss", "sub", "iat", "exp", "jti"];
    !document["header"]["kid"].is_null() && claims.iter().all(|claim| !document["payload"][claim].is_null())
}

/// The examples of a rule are of use only if one has the shape that a product writes, unless none writes what it judges.
#[test]
fn every_rule_is_tried_on_the_shape_of_a_product() {
    let book = book();
    let mut bare = Vec::new();
    for rule in &book.rules {
        let judged = |kind: &&Kind| match &rule.logic.kind {
            Some(kinds) => kinds.as_slice().iter().any(|name| name == kind.name),
            None => rule.targets().any(|target| kind.targets.contains(&target)),
        };
        let written = kinds().filter(judged).any(|kind| !GENERIC.contains(&kind.name));
        let shaped = |example: &RawExample| !GENERIC.contains(&example.kind.as_str()) || is_whole_token(example);
        if written && !rule.examples().iter().any(shaped) {
            bare.push(rule.path());
        }
    }
    assert!(bare.is_empty(), "no example from a product: {bare:#?}");
}

#[test]
fn every_rule_file_is_complete() {
    let book = book();
    let found: Vec<String> = book
        .rules
        .iter()
        .flat_map(|rule| shortcomings(rule).into_iter().map(move |what| format!("{}: {what}", rule.path())))
        .collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
    let ids: BTreeSet<&str> = book.rules.iter().map(|rule| rule.id.as_str()).collect();
    assert_eq!(ids.len(), book.rules.len(), "ids are unique");
    assert!(book.rules.len() >= 60, "{} rules", book.rules.len());
}

/// Writes every failing example into a folder of its own, `<rule>/<number>`, and a policy with the workflows and
/// environments of all, each confined to its example's folder.
fn most_violations(root: &Path, book: &RuleBook) -> Result<(), Box<dyn error::Error>> {
    let (mut workflows, mut overrides) = (Vec::new(), Vec::new());
    for rule in &book.rules {
        for (index, example) in rule.examples().iter().enumerate() {
            let (Expected::Fail, document) = trial::expectation(example)? else { continue };
            let folder = root.join(&rule.id).join(index.to_string());
            fs::create_dir_all(&folder)?;
            // No extensions: files are known by their content.
            fs::write(folder.join("example"), trial::document_text(document))?;
            for workflow in &example.workflows {
                let mut workflow = workflow.clone();
                workflow.name = format!("{} {} {index}", workflow.name, rule.id);
                workflow.covers.path = vec![format!("{}/{index}", rule.id)];
                workflows.push(workflow);
            }
            if let Some(environment) = example.environment {
                let files = vec![format!("{}/{index}", rule.id)];
                overrides.push(serde_json::json!({ "files": files, "environment": environment }));
            }
            for (number, beside) in example.beside.iter().enumerate() {
                let folder = beside.folder.as_ref().map_or(folder.clone(), |name| folder.join(name));
                fs::create_dir_all(&folder)?;
                let file = beside.file.clone().unwrap_or_else(|| format!("beside-{number}"));
                fs::write(folder.join(file), trial::document_text(&beside.document))?;
            }
        }
    }
    let policy = serde_json::json!({ "workflows": workflows, "overrides": overrides });
    fs::write(root.join("tokenvet.yaml"), serde_json::to_string_pretty(&policy)?)?;
    Ok(())
}

fn check(root: &Path, arguments: &[String]) -> Result<(Option<i32>, Vec<u8>), Box<dyn error::Error>> {
    check_below(root, ".", arguments)
}

fn check_below(root: &Path, path: &str, arguments: &[String]) -> Result<(Option<i32>, Vec<u8>), Box<dyn error::Error>> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tokenvet"));
    command.current_dir(root).args(["check", path, "--format", "json", "--now", "2026-01-01T00:00:00Z"]);
    let output = command.args(arguments).output()?;
    Ok((output.status.code(), output.stdout))
}

#[test]
fn every_rule_fires_in_the_tree_of_most_violations() -> Result<(), Box<dyn error::Error>> {
    let book = book();
    let tree = tempfile::tempdir()?;
    most_violations(tree.path(), &book)?;
    let profiles: Vec<String> =
        book.profiles.iter().flat_map(|profile| ["--profile".to_string(), profile.id.to_string()]).collect();
    let (code, report) = check(tree.path(), &profiles)?;
    let report: Value = serde_json::from_slice(&report)?;
    assert_eq!(report["errors"], Value::Array(vec![]), "every example is read whole");
    assert_eq!(code, Some(1));
    let of = |finding: &Value, name: &str| finding[name].as_str().unwrap_or_default().to_string();
    let findings = report["findings"].as_array().ok_or("no findings")?;
    // Each rule must fire on its own files; that others fire there as well is in the nature of bad examples.
    let fired: BTreeSet<String> = findings
        .iter()
        .filter(|finding| of(finding, "path").split('/').any(|part| part == of(finding, "rule")))
        .map(|finding| of(finding, "rule"))
        .collect();
    let mut silent: Vec<&str> =
        book.rules.iter().map(|rule| rule.id.as_str()).filter(|id| !fired.contains(*id)).collect();
    // What only an audit knows is tried in audits.
    let audited =
        |id: &str| book.rule(id).is_some_and(|rule| rule.examples().iter().any(|one| !one.audited.is_empty()));
    silent.retain(|id| !audited(id));
    // A rule that misses something in the whole run may find it in another rule's example: it is tried in runs of its own.
    let joins = |id: &str| book.rule(id).is_some_and(|rule| rule.logic.join.is_some());
    for id in std::mem::take(&mut silent) {
        if !joins(id) || !fires_alone(tree.path(), id)? {
            silent.push(id);
        }
    }
    assert!(silent.is_empty(), "never fired: {silent:?}");
    Ok(())
}

/// Does every failing example of a rule, alone in a run, make it fire?
fn fires_alone(root: &Path, id: &str) -> Result<bool, Box<dyn error::Error>> {
    for example in fs::read_dir(root.join(id))? {
        let path = format!("{id}/{}", example?.file_name().to_string_lossy());
        let (_, report) = check_below(root, &path, &["--only".to_string(), id.to_string()])?;
        let report: Value = serde_json::from_slice(&report)?;
        if report["findings"].as_array().is_none_or(Vec::is_empty) {
            return Ok(false);
        }
    }
    Ok(true)
}

#[test]
fn threads_do_not_change_the_report() -> Result<(), Box<dyn error::Error>> {
    let tree = tempfile::tempdir()?;
    most_violations(tree.path(), &book())?;
    let (one, alone) = check(tree.path(), &["--threads".into(), "1".into()])?;
    let (many, together) = check(tree.path(), &["--threads".into(), "4".into()])?;
    assert_eq!(one, many);
    assert!(alone == together, "the same bytes with 1 and 4 threads");
    Ok(())
}

#[test]
fn every_trap_has_the_rule_of_its_name() {
    let book = RuleBook::builtin().expect("built in");
    let missing: Vec<&str> =
        tokenvet::adapt::traps().filter(|code| !book.rules.iter().any(|rule| rule.id == *code)).collect();
    assert!(missing.is_empty(), "traps without a rule: {missing:?}");
}
