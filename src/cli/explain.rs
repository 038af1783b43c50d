//! `tokenvet explain`: a rule or a requirement, whole.

use super::args::ExplainArgs;
use super::exit::{Exit, Failure};
use super::{output, rules};
use crate::report::text;
use crate::rule::{Requirement, Rule, RuleBook};
use crate::trial;
use std::fmt::Write as _;

/// Columns of running text.
const WIDTH: usize = 88;

/// Prints a rule or requirement.
pub(super) fn run(args: &ExplainArgs) -> Result<Exit, Failure> {
    let book = rules::book(&args.rules)?;
    let wanted = args.id.to_ascii_uppercase();
    let text = match (book.rule(&args.id), book.requirements.get(&wanted)) {
        (Some(rule), _) => rule_text(&book, rule),
        (None, Some(requirement)) => requirement_text(&book, requirement),
        (None, None) => {
            rules::known(&book, &args.id)?;
            String::new()
        }
    };
    output::print(&text)?;
    Ok(Exit::Clean)
}

fn section(out: &mut String, title: &str, body: &str) {
    if !body.trim().is_empty() {
        let _ = write!(out, "\n{title}\n");
        for paragraph in body.trim().split("\n\n") {
            for line in text::wrapped(&paragraph.split_whitespace().collect::<Vec<_>>().join(" "), WIDTH - 2) {
                let _ = writeln!(out, "  {line}");
            }
        }
    }
}

fn rule_text(book: &RuleBook, rule: &Rule) -> String {
    let prose = rule.prose();
    let mut out = format!("{}\n{}\n", rule.id, prose.title.trim());
    section(&mut out, "Why it matters", &prose.rationale);
    section(&mut out, "What to do", &prose.help);
    section(&mut out, "Exceptions", prose.exceptions.as_deref().unwrap_or_default());
    out.push_str("\nApplies\n");
    let targets: Vec<&str> = rule.targets().map(|kind| kind.name()).collect();
    let kinds: Vec<&str> = rule.logic.kind.iter().flat_map(|kinds| kinds.as_slice()).map(String::as_str).collect();
    let _ = writeln!(out, "  to {}", [targets, kinds].concat().join(", "));
    for application in &rule.applications {
        let profile = &book.profiles[application.profile].id;
        let limit = application.limit.map_or_else(String::new, |limit| {
            let bound = if limit.exclusive { ", bound excluded" } else { "" };
            format!(" (limit {}{bound})", limit.value)
        });
        let rests = match application.requirements.as_slice() {
            [] => String::new(),
            ids => format!("  {}", ids.join(", ")),
        };
        let _ = writeln!(out, "  {profile:<18} {:<8}{limit}{rests}", application.severity.name());
    }
    if let Some(reason) = &prose.severity_reason {
        section(&mut out, "Severity", reason);
    }
    let mut cited: Vec<&String> = rule.applications.iter().flat_map(|a| &a.requirements).collect();
    cited.sort();
    cited.dedup();
    if !cited.is_empty() {
        out.push_str("\nRests on\n");
        for id in cited {
            if let Some(requirement) = book.requirements.get(id) {
                let line = format!(
                    "{id} ({}, {}): {}",
                    requirement.raw.level.name(),
                    requirement.raw.section,
                    requirement.raw.statement
                );
                for (index, line) in text::wrapped(&line, WIDTH - 4).into_iter().enumerate() {
                    let _ = writeln!(out, "  {}{line}", if index == 0 { "" } else { "  " });
                }
            }
        }
    }
    for example in rule.examples() {
        if let Ok((trial::Expected::Fail, value)) = trial::expectation(example) {
            let _ = writeln!(out, "\nExample that fails: {} ({})", example.name, example.kind);
            trial::document_text(value).lines().for_each(|line| {
                let _ = writeln!(out, "  {}", text::visible(line));
            });
            break;
        }
    }
    let mut more = prose.references.clone();
    more.extend(prose.risks.iter().map(|risk| format!("risk register entry {risk}")));
    section(&mut out, "Read on", &more.join("\n\n"));
    out
}

fn requirement_text(book: &RuleBook, requirement: &Requirement) -> String {
    let raw = &requirement.raw;
    let mut out = format!("{} — {}\n{}, {}\n", raw.id, raw.level.name(), requirement.document_title, raw.section);
    section(&mut out, "Statement (in our words)", &raw.statement);
    if !raw.versions.is_empty() {
        let _ = write!(out, "\nIn versions {}\n", raw.versions.join(", "));
    }
    if raw.secondary {
        out.push_str(
            "\nThe document itself could not be read; an adopter is the source, so it is at most a warning.\n",
        );
    }
    let _ = write!(out, "\nBreaking it is at most: {}\n", raw.severity());
    let rules = book.rules.iter().filter(|rule| rule.applications.iter().any(|a| a.requirements.contains(&raw.id)));
    let ids: Vec<&str> = rules.map(|rule| rule.id.as_str()).collect();
    let _ = match ids.as_slice() {
        [] => write!(out, "\nNo rule checks it.\n"),
        ids => write!(out, "\nChecked by {}\n", ids.join(", ")),
    };
    let _ = write!(out, "\nRead it at {}\n", requirement.url);
    out
}
