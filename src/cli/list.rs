//! `tokenvet rules` and `tokenvet profile`: what there is.

use super::args::{ProfileArgs, ProfileCommand, RulesArgs, RulesCommand};
use super::exit::{Exit, Failure};
use super::output;
use crate::docs;
use crate::rule::RuleBook;
use std::fmt::Write as _;

/// Prints rules, document kinds or target fields.
pub(super) fn rules(args: &RulesArgs) -> Result<Exit, Failure> {
    let book = RuleBook::builtin().map_err(Failure::Usage)?;
    let text = match args.what.unwrap_or(RulesCommand::List) {
        RulesCommand::List => rule_list(&book),
        RulesCommand::Kinds => docs::plain(&docs::kind_page()),
        RulesCommand::Fields => docs::plain(&docs::field_page()),
    };
    output::print(&text)?;
    Ok(Exit::Clean)
}

fn rule_list(book: &RuleBook) -> String {
    let mut out = String::new();
    for rule in &book.rules {
        let on = rule.subjects().join(",");
        let mut families: Vec<&str> =
            rule.applications.iter().map(|a| book.profiles[a.profile].raw.family.as_str()).collect();
        families.dedup();
        let severity = rule.worst().map_or("", |severity| severity.name());
        let _ = writeln!(out, "{:<48} {severity:<8} {on:<40} {}", rule.id, families.join(","));
    }
    let _ = writeln!(out, "{} rules; severities are the worst of all profiles", book.rules.len());
    out
}

/// Prints profiles, or one of them.
pub(super) fn profiles(args: &ProfileArgs) -> Result<Exit, Failure> {
    let book = RuleBook::builtin().map_err(Failure::Usage)?;
    let text = match args.what.clone().unwrap_or(ProfileCommand::List) {
        ProfileCommand::List => profile_list(&book),
        ProfileCommand::Show { profile } => docs::plain(&docs::profile_page(&book, book.resolve_profile(&profile)?)),
        ProfileCommand::Diff(args) => return super::diff::run(&args),
    };
    output::print(&text)?;
    Ok(Exit::Clean)
}

fn profile_list(book: &RuleBook) -> String {
    let mut out = String::new();
    for (index, profile) in book.profiles.iter().enumerate() {
        let rules = book.rules.iter().filter(|rule| rule.applications.iter().any(|a| a.profile == index)).count();
        let _ = writeln!(out, "{:<20} {rules:>3} rules  {:<38} {}", profile.id, profile.applies(), profile.raw.title);
    }
    out
}
