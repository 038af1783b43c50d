//! What the pages say.

use super::{Block, Cell, Page, Section};
use crate::adapt;
use crate::model::{FieldType, TargetKind};
use crate::profile::{LEDGER, ProfileClass, RawCell, RawLifetime, RawLifetimes, RawLimit, Requirement};
use crate::report::RuleInfo;
use crate::rule::message::duration;
use crate::rule::{Application, Limit, Profile, Rule, RuleBook};
use crate::trial::{self, Expected};
use smol_str::SmolStr;
use std::collections::{BTreeMap, BTreeSet};

fn text(text: impl Into<String>) -> Cell {
    Cell::Text(text.into())
}

fn code(name: impl Into<String>) -> Cell {
    Cell::Code(name.into())
}

impl Page {
    /// Adds a section, unless there is nothing in it.
    fn add(&mut self, title: &str, blocks: Vec<Block>) {
        let filled = blocks.iter().any(|block| match block {
            Block::Text(text) | Block::File(text) => !text.trim().is_empty(),
            Block::List(items) => !items.is_empty(),
            Block::Table(_, rows) => !rows.is_empty(),
        });
        if filled {
            self.sections.push(Section { title: title.to_string(), blocks });
        }
    }
}

/// A bound as people read it: bits for key sizes, else a duration.
fn bound(name: &str, value: i64) -> String {
    if name.contains("bits") { format!("{value} bits") } else { duration(value) }
}

fn limit_text(rule: &Rule, limit: Option<Limit>) -> String {
    let (Some(name), Some(limit)) = (&rule.logic.limit, limit) else { return String::new() };
    let excluded = if limit.exclusive { ", itself excluded" } else { "" };
    format!("{}{excluded}", bound(name, limit.value))
}

/// A rule, whole.
pub fn rule_page(book: &RuleBook, rule: &Rule) -> Page {
    let prose = rule.prose();
    let mut page = Page { title: rule.id.to_string(), lead: prose.title.clone(), sections: vec![] };
    page.add("Why it matters", vec![Block::Text(prose.rationale.clone())]);
    page.add("What to do", vec![Block::Text(prose.help.clone())]);
    page.add("Exceptions", vec![Block::Text(prose.exceptions.clone().unwrap_or_default())]);
    let versions =
        rule.versions.as_ref().map_or_else(String::new, |versions| format!(" Versions of the software: {versions}."));
    let subjects = format!("Judges: {}.{versions}", rule.subjects().join(", "));
    let row = |application: &Application| {
        vec![
            code(book.profiles[application.profile].id.as_str()),
            text(application.severity.name()),
            text(limit_text(rule, application.limit)),
            text(application.requirements.join(", ")),
        ]
    };
    let rows = rule.applications.iter().map(row).collect();
    let table = Block::Table(vec!["profile", "severity", "limit", "requirements"], rows);
    page.add("Applies", vec![Block::Text(subjects), table]);
    page.add("Severity", vec![Block::Text(prose.severity_reason.clone().unwrap_or_default())]);
    let cited: BTreeSet<&SmolStr> = rule.applications.iter().flat_map(|applied| &applied.requirements).collect();
    let statements = cited.into_iter().filter_map(|id| Requirement::find(id));
    let rests = statements.map(|found| {
        let words = found.words();
        format!("{} ({}; {}, {}): {}", found.id, found.level.name(), found.document, words.section, words.statement)
    });
    page.add("Rests on", vec![Block::List(rests.collect())]);
    page.add("Example that fails", example(rule));
    let risks = prose.risks.iter().map(|risk| {
        let name = RISKS.iter().find(|(id, _)| id == risk).map_or("", |(_, name)| name);
        format!("Risk register of the token working group, {risk}: {name}")
    });
    page.add("Read on", vec![Block::List(prose.references.iter().cloned().chain(risks).collect())]);
    page
}

/// The first example that fails, as the native file it is.
fn example(rule: &Rule) -> Vec<Block> {
    let mut failing = rule.examples().iter().filter_map(|example| match trial::expectation(example) {
        Ok((Expected::Fail, document)) => Some((example, trial::document_text(document))),
        Ok((Expected::Pass | Expected::Skip | Expected::Unknown, _)) | Err(_) => None,
    });
    let Some((example, document)) = failing.next() else { return vec![] };
    let policy = example.environment.map(|said| format!(", with `environment: {}` in the policy", said.name()));
    let heading = format!("{} ({}{}):", example.name, example.kind, policy.unwrap_or_default());
    let mut blocks = vec![Block::Text(heading), Block::File(document)];
    for beside in &example.beside {
        blocks.push(Block::Text(format!("beside it ({}):", beside.kind)));
        blocks.push(Block::File(trial::document_text(&beside.document)));
    }
    blocks
}

/// A requirement: what it says, in our words, and what checks it.
pub fn requirement_page(book: &RuleBook, requirement: &Requirement) -> Page {
    let (words, (document, url)) = (requirement.words(), requirement.document());
    let title = format!("{} ({})", requirement.id, requirement.level.name());
    let lead = format!("{document}, {}", words.section);
    let mut page = Page { title, lead, sections: vec![] };
    page.add("Statement, in our words", vec![Block::Text(words.statement)]);
    page.add("Says the same as", vec![Block::List(requirement.restates.into_iter().map(str::to_string).collect())]);
    page.add("In versions", vec![Block::Text(requirement.versions.join(", "))]);
    let second_hand = "The document itself could not be read; an adopter is the source, so it is at most a warning.";
    let source = if requirement.secondary { second_hand } else { "" };
    page.add("Breaking it is at most", vec![Block::Text(format!("{}\n\n{source}", requirement.severity()))]);
    let rules = book
        .rules
        .iter()
        .filter(|rule| rule.applications.iter().any(|a| a.requirements.iter().any(|cited| *cited == requirement.id)));
    let checked: Vec<String> = rules.map(|rule| rule.id.to_string()).collect();
    match (checked.is_empty(), &words.unchecked) {
        (false, _) => page.add("Checked by", vec![Block::List(checked)]),
        (true, None) => page.add("Checked by", vec![Block::Text("no rule".into())]),
        (true, Some(why)) => page.add("Checked by", vec![Block::Text(format!("no rule: {why}"))]),
    }
    page.add("Read on", vec![Block::List(vec![url.to_string()])]);
    page
}

/// A limit: its value in every profile that has it, and the rules that ask for it. `None` where no profile has one of this
/// name.
pub fn limit_page(book: &RuleBook, name: &str) -> Option<Page> {
    let held: Vec<(&Profile, &RawLimit)> =
        book.profiles.iter().filter_map(|profile| Some((profile, profile.limits.get(name)?))).collect();
    if held.is_empty() {
        return None;
    }
    let lead = "A limit of profiles; `limits` in a policy sets another".to_string();
    let mut page = Page { title: name.to_string(), lead, sections: vec![] };
    let rows = held.into_iter().map(|(profile, limit)| {
        let (severity, notes) = (limit.severity.name(), limit_notes(limit));
        vec![code(profile.id.as_str()), text(bound(name, limit.value)), text(severity), text(notes)]
    });
    let head = vec!["profile", "value", "severity", "notes and requirements"];
    page.add("Values", vec![Block::Table(head, rows.collect())]);
    let rules = book.rules.iter().filter(|rule| rule.logic.limit.as_deref() == Some(name));
    page.add("Checked by", vec![Block::List(rules.map(|rule| rule.id.to_string()).collect())]);
    Some(page)
}

/// What else is said of a limit.
fn limit_notes(limit: &RawLimit) -> String {
    let notes = [
        limit.exclusive.then(|| "itself excluded".to_string()),
        (limit.allowance > 0).then(|| format!("+ {} s for a backdated nbf", limit.allowance)),
        limit.waivable.map(|waivable| if waivable { "waivable" } else { "no waiver lifts it" }.to_string()),
    ];
    let requirements = limit.requirements.join(", ");
    notes.into_iter().flatten().chain([requirements]).collect::<Vec<_>>().join("; ")
}

/// The entries of the working group's risk register, in our words.
const RISKS: [(&str, &str); 7] = [
    ("TR-1", "the issuer is not available"),
    ("TR-2", "the issuer is broken into"),
    ("TR-3", "somebody gets rights that are not theirs"),
    ("TR-4", "tokens are stolen"),
    ("TR-5", "one identity misuses resources and cannot be stopped"),
    ("TR-6", "what happened cannot be traced"),
    ("TR-7", "data are lost or laid open by a wrong configuration"),
];

/// Every rule, by what it judges, by the risk it bears on and by the requirement it rests on.
pub fn rule_index(book: &RuleBook) -> Page {
    let lead = format!(
        "{} rules: by what they judge, by the risk they bear on, by the requirement they rest on. Severities are the worst \
         of all profiles; each rule's page says which profile gives which.",
        book.rules.len()
    );
    let mut page = Page { title: "Rules".into(), lead, sections: vec![] };
    let mut subjects: BTreeMap<&str, Vec<&Rule>> = BTreeMap::new();
    for rule in &book.rules {
        rule.subjects().into_iter().for_each(|subject| subjects.entry(subject).or_default().push(rule));
    }
    for (subject, rules) in subjects {
        let row = |rule: &&Rule| {
            let severity = rule.worst().map_or("", |severity| severity.name());
            let contact = RuleInfo::contact_named_in(&rule.prose().help);
            vec![Cell::Rule(rule.id.to_string()), text(severity), text(&rule.prose().title), text(contact)]
        };
        let head = vec!["rule", "severity", "what is wrong", "who can change it"];
        page.add(&format!("On {subject}"), vec![Block::Table(head, rules.iter().map(row).collect())]);
    }
    for (risk, name) in RISKS {
        let bearing = book.rules.iter().filter(|rule| rule.prose().risks.iter().any(|id| id == risk));
        let rows = bearing.map(|rule| vec![Cell::Rule(rule.id.to_string()), text(&rule.prose().title)]).collect();
        page.add(&format!("By risk: {risk}, {name}"), vec![Block::Table(vec!["rule", "what is wrong"], rows)]);
    }
    let mut documents: BTreeMap<&str, Vec<Vec<Cell>>> = BTreeMap::new();
    for requirement in LEDGER {
        let (id, (document, _)) = (requirement.id, requirement.document());
        for rule in book
            .rules
            .iter()
            .filter(|rule| rule.applications.iter().any(|a| a.requirements.iter().any(|cited| cited == id)))
        {
            let row = vec![code(id), text(requirement.level.name()), Cell::Rule(rule.id.to_string())];
            documents.entry(document).or_default().push(row);
        }
    }
    for (document, rows) in documents {
        let table = Block::Table(vec!["requirement", "level", "rule"], rows);
        page.add(&format!("By requirement: {document}"), vec![table]);
    }
    page
}

/// A profile: when it applies, its limits and rules.
pub fn profile_page(book: &RuleBook, index: usize) -> Page {
    let profile = &book.profiles[index];
    let when = profile.applies();
    let lead = format!("{}. Applies {when}.", profile.raw.title);
    let mut page = Page { title: profile.id.to_string(), lead, sections: vec![] };
    page.add("What it is for", vec![Block::Text(profile.raw.description.clone())]);
    let evidence = profile.raw.shown_by.iter().map(|shown| {
        let kinds: Vec<&str> = shown.target.as_slice().iter().map(|kind| kind.name()).collect();
        format!("{} ({})", shown.why, kinds.join(", "))
    });
    page.add("A target shows this family when", vec![Block::List(evidence.collect())]);
    let limits = profile.limits.iter().map(|(name, limit)| {
        let notes = limit_notes(limit);
        vec![code(name), text(bound(name, limit.value)), text(limit.severity.name()), text(notes)]
    });
    let head = vec!["limit", "value", "severity", "notes and requirements"];
    page.add("Limits", vec![Block::Table(head, limits.collect())]);
    if let Some(table) = &profile.table {
        page.add("Lifetimes as the guideline has them", lifetimes(table));
    }
    let mut rows = Vec::new();
    for rule in &book.rules {
        for applied in rule.applications.iter().filter(|applied| applied.profile == index) {
            let requirements = applied.requirements.join(", ");
            rows.push(vec![Cell::Rule(rule.id.to_string()), text(applied.severity.name()), text(requirements)]);
        }
    }
    page.add("Rules", vec![Block::Table(vec!["rule", "severity", "requirements"], rows)]);
    page
}

impl Profile {
    /// When the profile applies, completing "applies …".
    pub fn applies(&self) -> &'static str {
        match self.raw.class {
            ProfileClass::General => "always",
            ProfileClass::Generic => "unless profiles are chosen",
            ProfileClass::Family => "when a target shows it, or when chosen",
        }
    }
}

/// A table of lifetimes and what it leaves open.
fn lifetimes(table: &RawLifetimes) -> Vec<Block> {
    let figure = |cell: &Option<RawCell>| match cell {
        None => text("—"),
        Some(RawCell::Unknown(_)) => text("unknown"),
        Some(RawCell::Known(bound)) => text(duration(bound.seconds)),
    };
    let row = |row: &RawLifetime| {
        let level = row.level.as_deref().unwrap_or("any");
        let bounds = [&row.minimum, &row.recommended, &row.maximum].map(figure);
        let mut cells = vec![code(row.token.name()), text(row.validation.name()), text(level)];
        cells.extend(bounds);
        cells.push(text(&row.basis));
        cells
    };
    let head = vec!["token", "validation", "level", "minimum", "recommended", "maximum", "basis"];
    let edition = format!("{}, {}.", table.title, table.edition);
    let mut blocks = vec![Block::Text(edition), Block::Table(head, table.rows.iter().map(row).collect())];
    if !table.unknown.is_empty() {
        blocks.push(Block::Text("Not known, and judged by nothing:".into()));
        blocks.push(Block::List(table.unknown.clone()));
    }
    blocks
}

/// Every target kind with its fields, as rules name them.
pub fn field_page() -> Page {
    let lead = "What rules can ask about a target, whatever product its file came from. A field may also be absent, \
                unknown (this file does not show it; the rule is then not judged), malformed, or without limit.";
    let mut page = Page { title: "Fields".into(), lead: lead.into(), sections: vec![] };
    for kind in TargetKind::ALL {
        let row = |field: &crate::model::FieldSpec| {
            vec![code(field.name), text(type_name(field.ty)), text(field.doc.trim().replace("  ", " "))]
        };
        let table = Block::Table(vec!["field", "type", "meaning"], kind.fields().iter().map(row).collect());
        page.add(kind.name(), vec![table]);
    }
    page
}

fn type_name(ty: FieldType) -> &'static str {
    match ty {
        FieldType::Text => "text",
        FieldType::Url => "URL",
        FieldType::Seconds => "seconds",
        FieldType::Time => "time",
        FieldType::Int => "number",
        FieldType::Bool => "true/false",
        FieldType::Texts => "texts",
        FieldType::Urls => "URLs",
    }
}

/// Every kind of document that is recognised, and what it yields.
pub fn kind_page() -> Page {
    let lead = "Files are recognised by their content. Where that leaves something open, the name may settle it: a \
                scitokens.cfg without headings, files of HTCondor that may be those of a CE, the main file of dCache, \
                texts of ConfigMaps and Helm values that are YAML.";
    let mut page = Page { title: "Document kinds".into(), lead: lead.into(), sections: vec![] };
    let (judged, other): (Vec<&adapt::Kind>, Vec<&adapt::Kind>) =
        adapt::kinds().partition(|kind| !kind.targets.is_empty());
    let rows = judged.iter().map(|kind| {
        let targets: Vec<&str> = kind.targets.iter().map(|target| target.name()).collect();
        vec![code(kind.name), text(targets.join(", ")), text(kind.doc)]
    });
    page.add("Judged", vec![Block::Table(vec!["kind", "holds", "what it is"], rows.collect())]);
    let rows = other.iter().map(|kind| vec![code(kind.name), text(kind.doc)]).collect();
    page.add(
        "Recognised, with nothing to judge but the document itself",
        vec![Block::Table(vec!["kind", "what it is"], rows)],
    );
    page
}
