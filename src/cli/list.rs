//! `tokenvet rules` and `tokenvet profile`: what there is.

use super::args::{ProfileArgs, ProfileCommand, RulesArgs, RulesCommand};
use super::exit::{Exit, Failure};
use super::output;
use crate::adapt;
use crate::model::{FieldType, TargetKind};
use crate::profile::ProfileClass;
use crate::rule::message::duration;
use crate::rule::{Profile, RuleBook};
use std::fmt::Write as _;

/// Prints rules, document kinds or target fields.
pub(super) fn rules(args: &RulesArgs) -> Result<Exit, Failure> {
    let book = RuleBook::builtin().map_err(Failure::Usage)?;
    let text = match args.what.unwrap_or(RulesCommand::List) {
        RulesCommand::List => rule_list(&book),
        RulesCommand::Kinds => kind_list(),
        RulesCommand::Fields => field_list(),
    };
    output::print(&text)?;
    Ok(Exit::Clean)
}

fn rule_list(book: &RuleBook) -> String {
    let mut out = String::new();
    for rule in &book.rules {
        let worst = rule.applications.iter().map(|application| application.severity).max();
        let targets: Vec<&str> = rule.targets().map(|kind| kind.name()).collect();
        let kinds = rule.logic.kind.iter().flat_map(|kinds| kinds.as_slice()).map(String::as_str);
        let on = targets.into_iter().chain(kinds).collect::<Vec<_>>().join(",");
        let mut families: Vec<&str> =
            rule.applications.iter().map(|a| book.profiles[a.profile].raw.family.as_str()).collect();
        families.dedup();
        let severity = worst.map_or("", |severity| severity.name());
        let _ = writeln!(out, "{:<48} {severity:<8} {on:<40} {}", rule.id, families.join(","));
    }
    let _ = writeln!(out, "{} rules; severities are the worst of all profiles", book.rules.len());
    out
}

fn kind_list() -> String {
    let mut out = String::new();
    for kind in adapt::kinds() {
        let targets: Vec<&str> = kind.targets.iter().map(|target| target.name()).collect();
        let yields = if targets.is_empty() { "nothing to judge".to_string() } else { targets.join(", ") };
        let _ = writeln!(out, "{:<36} {yields}\n    {}", kind.name, kind.doc);
    }
    out
}

fn field_list() -> String {
    let mut out = String::new();
    for kind in TargetKind::ALL {
        let _ = writeln!(out, "{kind}");
        for field in kind.fields() {
            let ty = match field.ty {
                FieldType::Text => "text",
                FieldType::Url => "URL",
                FieldType::Seconds => "seconds",
                FieldType::Time => "time",
                FieldType::Int => "number",
                FieldType::Bool => "true/false",
                FieldType::Texts => "texts",
                FieldType::Urls => "URLs",
            };
            let _ = writeln!(out, "  {:<44} {ty:<10} {}", field.name, field.doc.trim());
        }
    }
    out
}

/// Prints profiles, or one of them.
pub(super) fn profiles(args: &ProfileArgs) -> Result<Exit, Failure> {
    let book = RuleBook::builtin().map_err(Failure::Usage)?;
    let text = match args.what.clone().unwrap_or(ProfileCommand::List) {
        ProfileCommand::List => profile_list(&book),
        ProfileCommand::Show { profile } => show(&book, book.resolve_profile(&profile)?),
    };
    output::print(&text)?;
    Ok(Exit::Clean)
}

fn when(profile: &Profile) -> &'static str {
    match profile.raw.class {
        ProfileClass::General => "always",
        ProfileClass::Generic => "unless profiles are chosen",
        ProfileClass::Family => "when shown or chosen",
    }
}

fn profile_list(book: &RuleBook) -> String {
    let mut out = String::new();
    for (index, profile) in book.profiles.iter().enumerate() {
        let rules = book.rules.iter().filter(|rule| rule.applications.iter().any(|a| a.profile == index)).count();
        let _ = writeln!(out, "{:<20} {rules:>3} rules  {:<27} {}", profile.id, when(profile), profile.raw.title);
    }
    out
}

fn show(book: &RuleBook, index: usize) -> String {
    let profile = &book.profiles[index];
    let mut out = format!("{}\n{}\nApplies {}.\n\n", profile.id, profile.raw.title, when(profile));
    for line in crate::report::text::wrapped(profile.raw.description.trim(), 88) {
        let _ = writeln!(out, "{line}");
    }
    if !profile.raw.shown_by.is_empty() {
        out.push_str("\nA target shows this family when\n");
        for evidence in &profile.raw.shown_by {
            let kinds: Vec<&str> = evidence.target.as_slice().iter().map(|kind| kind.name()).collect();
            let _ = writeln!(out, "  {} ({})", evidence.why, kinds.join(", "));
        }
    }
    if !profile.raw.limits.is_empty() {
        out.push_str("\nLimits\n");
        for (name, limit) in &profile.raw.limits {
            let value = if name.contains("bits") { limit.value.to_string() } else { duration(limit.value) };
            let notes = [
                limit.exclusive.then(|| "bound excluded".to_string()),
                (limit.allowance > 0).then(|| format!("+ {} s for a backdated nbf", limit.allowance)),
                limit.waivable.then(|| "waivable".to_string()),
            ];
            let notes: Vec<String> = notes.into_iter().flatten().collect();
            let _ = writeln!(
                out,
                "  {name:<36} {value:<22} {:<8} {}  {}",
                limit.severity.name(),
                limit.requirements.join(", "),
                notes.join(", ")
            );
        }
    }
    out.push_str("\nRules\n");
    for rule in &book.rules {
        for application in rule.applications.iter().filter(|application| application.profile == index) {
            let rests = application.requirements.join(", ");
            let _ = writeln!(out, "  {:<8} {:<48} {rests}", application.severity.name(), rule.id);
        }
    }
    out
}
