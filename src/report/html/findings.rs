//! Findings by what they are about: a client, a service, a token, a file. And the statements of documents they rest on.

use super::gather::Shown;
use super::page::{Page, name, scroller, severity};
use super::write::Doc;
use crate::report::excerpt::Excerpt;
use crate::report::{Finding, RuleInfo, text};
use crate::rule::Severity;
use smol_str::SmolStr;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// Lines of the index.
const INDEX: usize = 60;
/// Places of one rule in one group that are shown whole; others are named.
const WHOLE: usize = 4;

/// The id of the place with this number.
pub(super) fn anchor(place: usize) -> String {
    format!("f{}", place + 1)
}

/// What findings are about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Subject {
    kind: String,
    name: String,
    /// What tells it from others of its name.
    place: String,
}

/// The findings about one subject.
struct Group<'a> {
    subject: Subject,
    /// By rule, the worst first; of each the numbers of its places.
    rules: Vec<(&'a str, Severity, Vec<usize>)>,
    /// Places by severity: note, warning, error.
    counts: [u64; 3],
}

impl Group<'_> {
    fn worst_first(&self) -> impl Ord + '_ {
        let [notes, warnings, errors] = self.counts;
        (Reverse((errors, warnings, notes)), &self.subject)
    }

    fn counts(&self) -> String {
        let severities = [Severity::Error, Severity::Warning, Severity::Note];
        let parts = severities.iter().map(|severity| (self.counts[*severity as usize], severity.name()));
        let parts: Vec<String> =
            parts.filter(|(number, _)| *number > 0).map(|(number, noun)| text::counted(number, noun)).collect();
        parts.join(", ")
    }
}

fn subject(page: &Page<'_>, finding: &Finding) -> Subject {
    let kind = finding.target.kind.as_str();
    let own = kind == "client" || kind == "leak" || kind.ends_with("token");
    match page.service_of(&finding.path) {
        Some(service) if !own => {
            Subject { kind: "service".into(), name: service.name.clone(), place: service.place.clone() }
        }
        _ if own => Subject {
            kind: kind.replace('-', " "),
            name: finding.target.name.to_string(),
            place: finding.path.to_string(),
        },
        _ => Subject { kind: "file".into(), name: finding.path.to_string(), place: String::new() },
    }
}

fn groups<'a>(page: &'a Page<'_>) -> Vec<Group<'a>> {
    let mut all: BTreeMap<Subject, BTreeMap<&str, Vec<usize>>> = BTreeMap::new();
    for (number, shown) in page.gathered.shown.iter().enumerate() {
        let finding = &shown.findings[0];
        all.entry(subject(page, finding)).or_default().entry(&finding.rule).or_default().push(number);
    }
    let severity = |number: usize| page.gathered.shown[number].findings[0].severity;
    let mut groups: Vec<Group<'_>> = Vec::new();
    for (subject, rules) in all {
        let mut counts = [0; 3];
        let mut of_rules: Vec<(&str, Severity, Vec<usize>)> = Vec::new();
        for (rule, numbers) in rules {
            numbers.iter().for_each(|number| counts[severity(*number) as usize] += 1);
            let worst = numbers.iter().map(|number| severity(*number)).max().unwrap_or(Severity::Note);
            of_rules.push((rule, worst, numbers));
        }
        of_rules.sort_by_key(|(rule, worst, _)| (Reverse(*worst), *rule));
        groups.push(Group { subject, rules: of_rules, counts });
    }
    groups.sort_by(|one, other| one.worst_first().cmp(&other.worst_first()));
    groups
}

pub(super) fn write(page: &Page<'_>, doc: &mut Doc) {
    let groups = groups(page);
    let left: u64 = page.gathered.left_out.iter().sum();
    if left > 0 {
        let [notes, warnings, errors] = page.gathered.left_out;
        let counts = [(errors, "error"), (warnings, "warning"), (notes, "note")];
        let counts: Vec<String> = counts
            .iter()
            .filter(|(number, _)| *number > 0)
            .map(|(number, noun)| text::counted(*number, noun))
            .collect();
        doc.node("p", &[("class", "remark")], |doc| {
            doc.text(&format!(
                "Not shown, so that the page stays readable: {}. The full list is in ",
                counts.join(", ")
            ));
            doc.leaf("code", &[], "--format json");
            doc.text("; ");
            doc.leaf("code", &[], "--all");
            doc.text(" shows it here.");
        });
    }
    index(doc, &groups);
    let mut explained = BTreeSet::new();
    for (number, group) in groups.iter().enumerate() {
        doc.node("details", &[("class", "group"), ("id", &group_id(number)), ("open", "open")], |doc| {
            doc.node("summary", &[], |doc| {
                doc.node("h3", &[], |doc| {
                    doc.leaf("span", &[("class", "kind")], &name(&group.subject.kind));
                    doc.text(" ");
                    doc.text(&name(&group.subject.name));
                });
                doc.text(" ");
                doc.leaf("span", &[("class", "quiet")], &group.counts());
                if !group.subject.place.is_empty() {
                    doc.text(" ");
                    doc.leaf("code", &[("class", "quiet")], &name(&group.subject.place));
                }
            });
            for (rule, worst, numbers) in &group.rules {
                card(page, doc, &group.subject, (rule, *worst, numbers), explained.insert(*rule));
            }
        });
    }
}

fn group_id(number: usize) -> String {
    format!("g{}", number + 1)
}

fn index(doc: &mut Doc, groups: &[Group<'_>]) {
    if groups.len() < 2 {
        return;
    }
    doc.node("ul", &[("class", "index")], |doc| {
        for (number, group) in groups.iter().enumerate().take(INDEX) {
            doc.node("li", &[], |doc| {
                doc.node("span", &[("class", "dots"), ("aria-hidden", "true")], |doc| {
                    for (class, number) in ["note", "warning", "error"].iter().zip(group.counts).rev() {
                        if number > 0 {
                            doc.leaf("i", &[("class", class)], "");
                        }
                    }
                });
                doc.jump(&group_id(number), "", |doc| {
                    doc.text(&text::shortened(&format!("{} {}", group.subject.kind, group.subject.name), 60));
                });
                if group.subject.kind == "service" && !group.subject.place.is_empty() {
                    doc.text(" ");
                    doc.leaf("code", &[("class", "quiet")], &text::shortened(&group.subject.place, 40));
                }
                doc.text(" ");
                doc.leaf("span", &[("class", "quiet")], &group.counts());
            });
        }
    });
    if groups.len() > INDEX {
        let more = text::count((groups.len() - INDEX) as u64);
        doc.leaf("p", &[("class", "quiet")], &format!("{more} more further down."));
    }
}

/// What was found by one rule about one subject. `explain` says why it matters, which is told once.
fn card(page: &Page<'_>, doc: &mut Doc, subject: &Subject, found: (&str, Severity, &[usize]), explain: bool) {
    let (rule, worst, numbers) = found;
    let info = page.rules.info(rule).unwrap_or_default();
    let shown = |number: usize| &page.gathered.shown[number];
    let Some(&first) = numbers.first() else { return };
    let class = match worst {
        Severity::Error => "card error",
        Severity::Warning => "card warning",
        Severity::Note => "card note",
    };
    doc.node("article", &[("class", class)], |doc| {
        let one = numbers.len() == 1;
        let finding = &shown(first).findings[0];
        let heading = if one || info.title.is_empty() { &finding.message } else { &info.title };
        doc.node("h4", &[], |doc| {
            severity(doc, worst);
            doc.text(" ");
            doc.text(&text::shown(heading));
        });
        doc.node("div", &[("class", "places")], |doc| {
            for &number in &numbers[..numbers.len().min(WHOLE)] {
                doc.node("div", &[("id", &anchor(number)), ("class", "place")], |doc| {
                    if !one {
                        doc.leaf("p", &[("class", "message")], &text::shown(&shown(number).findings[0].message));
                    }
                    place(doc, shown(number), subject);
                });
            }
            if numbers.len() > WHOLE {
                more_places(page, doc, &numbers[WHOLE..]);
            }
        });
        doc.node("div", &[("class", "turn")], |doc| {
            help(doc, &finding.help, &info.contact);
            basis(page, doc, shown(first));
            if explain {
                why(doc, rule, &info);
            }
        });
    });
}

fn more_places(page: &Page<'_>, doc: &mut Doc, numbers: &[usize]) {
    doc.node("details", &[("class", "more")], |doc| {
        doc.leaf("summary", &[], &format!("{} more", text::counted(numbers.len() as u64, "place")));
        doc.node("ul", &[("class", "plain")], |doc| {
            for &number in numbers {
                let finding = &page.gathered.shown[number].findings[0];
                doc.node("li", &[("id", &anchor(number))], |doc| {
                    doc.leaf("code", &[], &place_name(finding));
                    doc.text(" ");
                    doc.text(&text::shown(&finding.message));
                });
            }
        });
    });
}

fn place_name(finding: &Finding) -> String {
    format!("{}:{}:{}", name(&finding.path), finding.region.start_line, finding.region.start_column)
}

fn place(doc: &mut Doc, shown: &Shown, subject: &Subject) {
    let finding = &shown.findings[0];
    doc.node("p", &[("class", "where")], |doc| {
        doc.leaf("code", &[], &place_name(finding));
        let mut pointer = text::shortened(&finding.pointer, 200);
        if let Some(inner) = &finding.inner_pointer {
            pointer = format!("{pointer} → {}", text::shortened(inner, 200));
        }
        if !pointer.is_empty() {
            doc.text(" ");
            doc.leaf("code", &[("class", "quiet")], &pointer);
        }
        let mut target = String::new();
        if finding.target.name != subject.name {
            let kind = name(&finding.target.kind.replace('-', " "));
            target = format!("{kind} {}", name(&finding.target.name));
        }
        if let Some(workflow) = &finding.target.workflow {
            target.push_str(&format!(" workflow {}", name(workflow)));
        }
        if !target.is_empty() {
            doc.text(" ");
            doc.leaf("span", &[("class", "quiet")], &target);
        }
    });
    if let Some(excerpt) = &shown.excerpt {
        lines(doc, finding, excerpt);
    }
    if !finding.related.is_empty() {
        doc.node("ul", &[("class", "plain related")], |doc| {
            for related in finding.related.iter().take(WHOLE) {
                doc.node("li", &[], |doc| {
                    doc.text("also ");
                    let at = format!(
                        "{}:{}:{}",
                        name(&related.path),
                        related.region.start_line,
                        related.region.start_column
                    );
                    doc.leaf("code", &[], &at);
                    doc.text(" ");
                    doc.text(&text::shown(&related.message));
                });
            }
            if finding.related.len() > WHOLE {
                let more = text::counted((finding.related.len() - WHOLE) as u64, "further place");
                doc.leaf("li", &[], &format!("and {more}"));
            }
        });
    }
}

/// Lines of the file, masked, with what is at fault marked.
fn lines(doc: &mut Doc, finding: &Finding, excerpt: &Excerpt) {
    let label = format!("Excerpt of {}, line {}", name(&finding.path), finding.region.start_line);
    let label = [("tabindex", "0"), ("role", "region"), ("aria-label", label.as_str())];
    doc.node("pre", &label, |doc| {
        // A file's last line is empty more often than not.
        let blank = |at: usize, line: &str| at > excerpt.marked_line && line.is_empty();
        for (at, line) in excerpt.lines.iter().enumerate().filter(|(at, line)| !blank(*at, line)) {
            doc.node("span", &[("class", "line")], |doc| {
                let number = u64::from(excerpt.first_line) + at as u64;
                doc.leaf("span", &[("class", "number"), ("aria-hidden", "true")], &format!("{number:>4}  "));
                if at != excerpt.marked_line {
                    return doc.text(line);
                }
                let marked = excerpt.marked.clone();
                doc.text(&line[..marked.start]);
                doc.leaf("mark", &[], &line[marked.clone()]);
                doc.text(&line[marked.end..]);
                if let Some(end) = excerpt.ends_on {
                    doc.leaf("span", &[("class", "number")], &format!("  … goes on to line {end}"));
                }
            });
        }
    });
}

/// What to do. Most texts begin with whose turn it is; where one does not, `contact` says it.
pub(super) fn help(doc: &mut Doc, help: &str, contact: &str) {
    let help = text::shown(help.trim());
    if help.is_empty() {
        return;
    }
    doc.node("p", &[("class", "help")], |doc| match help.split_once(": ") {
        Some((who, what)) if who.chars().count() <= 40 => {
            doc.leaf("b", &[], &format!("{who}:"));
            doc.text(&format!(" {what}"));
        }
        Some(_) | None => {
            if !contact.is_empty() {
                doc.leaf("b", &[("class", "who")], &name(contact));
                doc.text(" ");
            }
            doc.text(&help);
        }
    });
}

/// The profiles a place was judged by, and the statements they rest on.
fn basis(page: &Page<'_>, doc: &mut Doc, shown: &Shown) {
    let worst = &shown.findings[0];
    doc.node("p", &[("class", "basis")], |doc| {
        doc.text("rule ");
        doc.leaf("code", &[], &name(&worst.rule));
        for judged in &shown.findings {
            doc.text(" · ");
            doc.leaf("code", &[], &name(&judged.profile));
            for id in &judged.requirements {
                doc.text(" ");
                match page.statement(id) {
                    Some(number) => doc.jump(&statement_id(number), "ref", |doc| doc.text(&name(id))),
                    None => doc.leaf("code", &[], &name(id)),
                }
            }
            if judged.severity != worst.severity {
                doc.text(&format!(" ({})", judged.severity));
            }
            if judged.severity != judged.default_severity {
                doc.text(&format!(" ({} by default; the policy changed it)", judged.default_severity));
            }
            if judged.message != worst.message {
                doc.text(" – ");
                doc.text(&text::shown(&judged.message));
            }
        }
    });
}

fn why(doc: &mut Doc, rule: &str, info: &RuleInfo) {
    if info.rationale.trim().is_empty() && info.references.is_empty() {
        return;
    }
    doc.node("details", &[("class", "why")], |doc| {
        doc.leaf("summary", &[], "Why it matters");
        doc.leaf("p", &[], &text::shortened(info.rationale.trim(), 2000));
        if !info.references.is_empty() {
            doc.node("ul", &[("class", "plain")], |doc| {
                for reference in &info.references {
                    doc.node("li", &[], |doc| doc.link(reference, &text::shown(reference)));
                }
            });
        }
        doc.node("p", &[("class", "quiet")], |doc| {
            doc.leaf("code", &[], &format!("tokenvet explain {}", name(rule)));
        });
    });
}

impl Page<'_> {
    /// The statements that the shown places cite, by id, each once.
    fn cited(&self) -> BTreeSet<&str> {
        let findings = self.gathered.shown.iter().flat_map(|shown| &shown.findings);
        let ids: BTreeSet<&str> =
            findings.flat_map(|finding| finding.requirements.iter().map(SmolStr::as_str)).collect();
        ids.into_iter().filter(|id| self.rules.requirement(id).is_some()).collect()
    }

    /// The number of a statement that the page lists.
    fn statement(&self, id: &str) -> Option<usize> {
        self.statements.get(id).copied()
    }

    /// Numbers the statements, for anchors.
    pub(super) fn number_statements(&mut self) {
        let cited: Vec<String> = self.cited().into_iter().map(str::to_string).collect();
        self.statements = cited.into_iter().enumerate().map(|(number, id)| (id, number)).collect();
    }
}

fn statement_id(number: usize) -> String {
    format!("s{}", number + 1)
}

/// The statements, with where to read them.
pub(super) fn statements(page: &Page<'_>, doc: &mut Doc) {
    doc.leaf("p", &[("class", "lead")], "In our words; the documents themselves decide.");
    scroller(doc, "Statements of documents", |doc| {
        doc.node("table", &[("class", "list")], |doc| {
            head(doc, &["Statement", "Says", "Where"]);
            doc.node("tbody", &[], |doc| {
                for (id, number) in &page.statements {
                    let Some(info) = page.rules.requirement(id) else { continue };
                    doc.node("tr", &[("id", &statement_id(*number))], |doc| {
                        doc.node("th", &[("scope", "row")], |doc| {
                            doc.leaf("code", &[], &name(id));
                        });
                        doc.node("td", &[], |doc| {
                            doc.leaf("b", &[], &name(&info.level));
                            doc.text(" ");
                            doc.text(&text::shown(&info.statement));
                        });
                        doc.node("td", &[], |doc| {
                            doc.link(&info.url, &text::shown(&info.document));
                            doc.text(" ");
                            doc.leaf("span", &[("class", "quiet")], &section(&info.section));
                        });
                    });
                }
            });
        });
    });
}

/// A section as it is cited.
fn section(section: &str) -> String {
    match section.starts_with(|c: char| c.is_ascii_digit()) {
        true => format!("section {}", text::shown(section)),
        false => text::shown(section),
    }
}

/// The head of a table.
pub(super) fn head(doc: &mut Doc, titles: &[&str]) {
    doc.node("thead", &[], |doc| {
        doc.node("tr", &[], |doc| titles.iter().for_each(|title| doc.leaf("th", &[("scope", "col")], title)));
    });
}
