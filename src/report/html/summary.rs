//! The summary: what was found, what to do first, what was judged and what was not.

use super::page::{Page, name, severity};
use super::write::Doc;
use super::{audit, findings};
use crate::report::text;
use crate::rule::Severity;
use std::cmp::Reverse;

/// Steps that are told.
const STEPS: usize = 6;
/// Lines of a list.
const LINES: usize = 30;

pub(super) fn write(page: &Page<'_>, doc: &mut Doc) {
    verdict(page, doc);
    tiles(page, doc);
    if page.gathered.run.is_none() {
        return;
    }
    for remark in &page.run.remarks {
        doc.leaf("p", &[("class", "remark")], &text::shown(remark));
    }
    first(page, doc);
    doc.node("div", &[("class", "columns")], |doc| {
        doc.node("div", &[], |doc| judged(page, doc));
        doc.node("div", &[], |doc| not_judged(page, doc));
    });
}

fn verdict(page: &Page<'_>, doc: &mut Doc) {
    let mut words = match page.audit {
        Some(report) => audit::verdict(report),
        None => String::new(),
    };
    let counts = page.counts();
    let mut letters = counts.chars();
    words.extend(letters.next().map(|first| first.to_ascii_uppercase()));
    words.push_str(letters.as_str());
    if page.gathered.run.is_some() {
        words.push_str(&format!(" in {}.", text::counted(page.gathered.files, "file")));
    } else {
        words.push('.');
    }
    doc.leaf("p", &[("class", "verdict")], &words);
    if let Some(words) = page.gathered.counts.repeated_words() {
        doc.leaf("p", &[("class", "quiet")], &format!("{words}."));
    }
}

/// The counts as large figures.
fn tiles(page: &Page<'_>, doc: &mut Doc) {
    let [notes, warnings, errors] = page.gathered.counts.by_severity;
    let summary = &page.run.summary;
    let counts = page.audit.filter(|_| page.gathered.run.is_none()).map(|audit| audit.findings);
    let (errors, warnings, notes) =
        counts.map_or((errors, warnings, notes), |counts| (counts.error, counts.warning, counts.note));
    let suppressed = counts.map_or(summary.suppressed, |counts| counts.suppressed);
    let mut figures = vec![
        ("tile error", errors, text::plural(errors, "error")),
        ("tile warning", warnings, text::plural(warnings, "warning")),
        ("tile note", notes, text::plural(notes, "note")),
        ("tile", suppressed, "suppressed".into()),
    ];
    if page.gathered.run.is_some() {
        figures.push(("tile", summary.judged, "judged in full".into()));
        figures.push(("tile", summary.not_judged, "judged in part".into()));
    }
    doc.node("ul", &[("class", "tiles")], |doc| {
        for (class, number, words) in figures {
            let class = if number == 0 { "tile none" } else { class };
            doc.node("li", &[("class", class)], |doc| {
                doc.leaf("b", &[], &text::count(number));
                doc.text(" ");
                doc.leaf("span", &[], &words);
            });
        }
    });
}

/// What to do first: the rules with the worst findings, those of the most targets first.
fn first(page: &Page<'_>, doc: &mut Doc) {
    let mut rules: Vec<_> = page.gathered.rules.iter().collect();
    if rules.is_empty() {
        return;
    }
    rules.sort_by_key(|(id, count)| (Reverse(count.severity), Reverse(count.targets), *id));
    doc.leaf("h3", &[], "What to do first");
    doc.node("ol", &[("class", "steps")], |doc| {
        for (id, count) in &rules[..rules.len().min(STEPS)] {
            let info = page.rules.info(id).unwrap_or_default();
            let title = if info.title.is_empty() { (*id).clone() } else { text::shown(&info.title) };
            doc.node("li", &[], |doc| {
                severity(doc, count.severity.unwrap_or(Severity::Note));
                doc.text(" ");
                match count.first {
                    Some(place) => doc.jump(&findings::anchor(place), "", |doc| doc.text(&title)),
                    None => doc.text(&title),
                }
                doc.text(" ");
                doc.leaf("span", &[("class", "quiet nowrap")], &extent(count));
                findings::help(doc, &info.help, &info.contact);
            });
        }
    });
    if rules.len() > STEPS {
        let more = text::count((rules.len() - STEPS) as u64);
        doc.leaf("p", &[("class", "quiet")], &format!("And {more} more, below."));
    }
}

/// `14 clients`, `3 places in 2 targets`.
fn extent(count: &super::gather::RuleCount) -> String {
    let kind = match &count.last {
        Some(last) if !count.mixed => last.kind.replace('-', " "),
        Some(_) | None => "target".into(),
    };
    let targets = text::counted(count.targets, &name(&kind));
    match count.targets == count.places {
        true => targets,
        false => format!("{} in {targets}", text::counted(count.places, "place")),
    }
}

fn judged(page: &Page<'_>, doc: &mut Doc) {
    let gathered = page.gathered;
    doc.leaf("h3", &[], "What was judged");
    doc.node("dl", &[("class", "facts")], |doc| {
        fact(doc, "Files", |doc| {
            doc.text(&text::count(gathered.files));
            let kinds: Vec<_> = gathered.documents.iter().map(|(kind, n)| (kind.clone(), *n)).collect();
            counted_list(doc, &kinds);
        });
        fact(doc, "Targets", |doc| {
            let all: u64 = gathered.targets.values().sum();
            doc.text(&text::count(all));
            let kinds: Vec<_> = gathered.targets.iter().map(|(kind, n)| (kind.replace('-', " "), *n)).collect();
            counted_list(doc, &kinds);
        });
        fact(doc, "Profiles", |doc| profiles(page, doc));
        if !page.run.workflows.is_empty() {
            fact(doc, "Workflows", |doc| {
                let names = page.run.workflows.iter().map(|workflow| (name(&workflow.name), workflow.targets));
                counted_list(doc, &names.collect::<Vec<_>>());
            });
        }
    });
}

fn fact(doc: &mut Doc, title: &str, inside: impl FnOnce(&mut Doc)) {
    doc.node("div", &[], |doc| {
        doc.leaf("dt", &[], title);
        doc.node("dd", &[], inside);
    });
}

/// Names with numbers, the greatest first.
fn counted_list(doc: &mut Doc, items: &[(String, u64)]) {
    let mut items: Vec<&(String, u64)> = items.iter().collect();
    items.sort_by_key(|(name, number)| (Reverse(*number), name.as_str()));
    doc.node("ul", &[("class", "inline")], |doc| {
        for (kind, number) in &items[..items.len().min(LINES)] {
            doc.node("li", &[], |doc| {
                doc.text(&name(kind));
                doc.text("\u{a0}");
                doc.leaf("b", &[], &text::count(*number));
            });
        }
    });
}

/// The profiles with their reasons, those of the same reasons together.
fn profiles(page: &Page<'_>, doc: &mut Doc) {
    let groups = crate::report::profiles_by_reason(&page.run.profiles);
    doc.node("ul", &[("class", "plain")], |doc| {
        for (ids, whys) in groups.iter().take(LINES) {
            doc.node("li", &[], |doc| {
                for (at, id) in ids.iter().enumerate() {
                    if at > 0 {
                        doc.text(", ");
                    }
                    doc.leaf("code", &[], &name(id));
                }
                doc.text(" ");
                doc.leaf("span", &[("class", "quiet")], &text::shown(&whys.join("; ")));
            });
        }
    });
}

fn not_judged(page: &Page<'_>, doc: &mut Doc) {
    let gathered = page.gathered;
    doc.leaf("h3", &[], "What was not");
    let left: u64 = gathered.left_out.iter().sum();
    let mut lines: Vec<String> = Vec::new();
    if page.run.skipped > 0 {
        lines
            .push(format!("{} skipped: nothing in them is known to tokenvet", text::counted(page.run.skipped, "file")));
    }
    if left > 0 {
        lines.push(format!("{} judged but not shown here (see Findings)", text::counted(left, "place")));
    }
    if gathered.errors.is_empty() && gathered.gaps.is_empty() && lines.is_empty() {
        doc.leaf("p", &[], "Everything that was found could be read and judged in full.");
        return;
    }
    if !gathered.errors.is_empty() {
        errors(page, doc);
    }
    let mut gaps: Vec<_> = gathered.gaps.iter().collect();
    gaps.sort_by_key(|(key, gap)| (Reverse(gap.targets), *key));
    doc.node("ul", &[("class", "plain")], |doc| {
        for ((kind, why), gap) in &gaps[..gaps.len().min(LINES)] {
            let total = gathered.targets.get(kind).copied().unwrap_or(0).max(gap.targets);
            doc.node("li", &[], |doc| {
                let kind = kind.replace('-', " ");
                let noun = text::plural(total, &kind);
                let (some, all) = (text::count(gap.targets), text::count(total));
                doc.leaf("b", &[], &name(&format!("{some} of {all} {noun}")));
                doc.text(" not judged by every rule: ");
                doc.text(&text::shown(why));
                doc.text(" ");
                let fields: Vec<&str> = gap.fields.iter().map(String::as_str).collect();
                doc.leaf("span", &[("class", "quiet")], &text::shown(&format!("({})", fields.join(", "))));
            });
        }
        if gaps.len() > LINES {
            lines.push(format!("{} more reasons, in --format json", text::count((gaps.len() - LINES) as u64)));
        }
        lines.iter().for_each(|line| doc.leaf("li", &[], line));
    });
}

fn errors(page: &Page<'_>, doc: &mut Doc) {
    let gathered = page.gathered;
    doc.node("ul", &[("class", "plain problems")], |doc| {
        for error in &gathered.errors {
            doc.node("li", &[], |doc| {
                if !error.path.is_empty() {
                    let place =
                        error.region.map_or_else(String::new, |at| format!(":{}:{}", at.start_line, at.start_column));
                    doc.leaf("code", &[], &format!("{}{place}", name(&error.path)));
                    doc.text(" ");
                }
                doc.text(&text::shown(&error.message));
            });
        }
        if gathered.errors_left_out > 0 {
            let more = text::count(gathered.errors_left_out);
            doc.leaf("li", &[], &format!("{more} more, in --format json"));
        }
    });
}
