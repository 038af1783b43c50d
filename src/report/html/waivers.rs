//! What is agreed to for a time, and what is hidden otherwise.

use super::findings::head;
use super::gather::Hiding;
use super::page::{Page, name, scroller};
use super::scale;
use super::write::Doc;
use crate::audit::WaiverRef;
use crate::report::text;
use std::collections::{BTreeMap, BTreeSet};

/// Rows of a table.
const ROWS: usize = 200;

/// A waiver, whether it stands in the policy's files or is known from what it hides alone.
#[derive(Clone, Debug, Default)]
struct Row {
    rule: String,
    owner: String,
    /// Where it stands.
    path: String,
    ends: Option<i64>,
    reasons: BTreeSet<String>,
    mitigations: BTreeSet<String>,
    hides: u64,
    /// It hides something, though perhaps nobody counted what.
    used: bool,
}

fn waivers<'p>(page: &'p Page<'_>) -> &'p [WaiverRef] {
    page.audit.map_or(&page.run.waivers, |audit| &audit.waivers)
}

/// Is there anything to show?
pub(super) fn any(page: &Page<'_>) -> bool {
    !waivers(page).is_empty() || !page.gathered.hidden.is_empty()
}

fn rows(page: &Page<'_>) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    for waiver in waivers(page) {
        let ends = waiver.ends.as_deref().and_then(scale::seconds);
        let (rule, owner, path) = (waiver.rule.clone(), waiver.owner.clone(), waiver.path.clone());
        rows.push(Row { rule, owner, path, ends, used: waiver.used, ..Row::default() });
    }
    let hides = |row: &Row, hiding: &Hiding| row.rule == hiding.rule && Some(&row.owner) == hiding.owner.as_ref();
    for (hiding, number) in page.gathered.hidden.iter().filter(|(hiding, _)| hiding.kind == "waiver") {
        let ends = hiding.expires.as_deref().and_then(scale::seconds);
        // Where several waivers of one owner fit, the one with the same end is meant.
        let fitting: Vec<usize> = (0..rows.len()).filter(|at| hides(&rows[*at], hiding)).collect();
        let exact = fitting.iter().find(|at| rows[**at].ends == ends).or(fitting.first()).copied();
        let at = exact.unwrap_or_else(|| {
            let owner = hiding.owner.clone().unwrap_or_default();
            rows.push(Row { rule: hiding.rule.clone(), owner, ends, ..Row::default() });
            rows.len() - 1
        });
        let row = &mut rows[at];
        row.hides += number;
        row.used = true;
        row.reasons.insert(hiding.reason.clone());
        row.mitigations.extend(hiding.mitigations.iter().cloned());
    }
    rows.sort_by(|a, b| {
        (a.ends.is_none(), a.ends, &a.rule, &a.owner).cmp(&(b.ends.is_none(), b.ends, &b.rule, &b.owner))
    });
    rows
}

pub(super) fn write(page: &Page<'_>, doc: &mut Doc) {
    let rows = rows(page);
    if !rows.is_empty() {
        table(page, doc, &rows);
    }
    let mut others: BTreeMap<(&str, &str, &str), u64> = BTreeMap::new();
    for (hiding, number) in page.gathered.hidden.iter().filter(|(hiding, _)| hiding.kind != "waiver") {
        *others.entry((hiding.kind, &hiding.rule, &hiding.reason)).or_default() += number;
    }
    if others.is_empty() {
        return;
    }
    doc.leaf("h3", &[], "Accepted without an end");
    doc.node("ul", &[("class", "plain")], |doc| {
        for ((kind, rule, reason), number) in others.iter().take(ROWS) {
            doc.node("li", &[], |doc| {
                doc.text(&format!("{} by {kind}: ", text::counted(*number, "finding")));
                doc.leaf("code", &[], &name(rule));
                doc.text(" ");
                doc.leaf("span", &[("class", "quiet")], &text::shown(reason));
            });
        }
        if others.len() > ROWS {
            let more = text::count((others.len() - ROWS) as u64);
            doc.leaf("li", &[], &format!("{more} more, in --format json"));
        }
    });
}

fn table(page: &Page<'_>, doc: &mut Doc, rows: &[Row]) {
    scroller(doc, "Waivers", |doc| {
        doc.node("table", &[("class", "list")], |doc| {
            head(doc, &["Rule", "Ends", "Owner", "Hides", "Reason"]);
            doc.node("tbody", &[], |doc| {
                for row in rows.iter().take(ROWS) {
                    doc.node("tr", &[], |doc| {
                        doc.node("th", &[("scope", "row")], |doc| doc.leaf("code", &[], &name(&row.rule)));
                        doc.node("td", &[("class", "nowrap")], |doc| ends(doc, row.ends, page.now));
                        doc.leaf("td", &[], &name(&row.owner));
                        let hides = match (row.hides, row.used) {
                            (0, false) => "nothing".into(),
                            (0, true) => "something".into(),
                            (number, _) => text::counted(number, "finding"),
                        };
                        doc.leaf("td", &[], &hides);
                        doc.node("td", &[], |doc| reason(doc, row));
                    });
                }
            });
        });
    });
    if rows.len() > ROWS {
        let more = text::count((rows.len() - ROWS) as u64);
        doc.leaf("p", &[("class", "quiet")], &format!("{more} more, in --format json."));
    }
}

fn ends(doc: &mut Doc, at: Option<i64>, now: i64) {
    match at {
        // The first second it does not hold any more; people name the day before.
        Some(at) => {
            let class = if at <= now { "beyond" } else { "life" };
            doc.leaf("span", &[("class", class)], &scale::day(at - 1));
            doc.text(" ");
            let away = scale::away(at - 1, now);
            let away = if at <= now { format!("ended {away}") } else { away };
            doc.leaf("span", &[("class", "quiet")], &away);
        }
        None => doc.leaf("span", &[("class", "quiet")], "no end"),
    }
}

fn reason(doc: &mut Doc, row: &Row) {
    let reasons: Vec<String> = row.reasons.iter().take(3).map(|reason| text::shown(reason)).collect();
    doc.text(&reasons.join("; "));
    for mitigation in row.mitigations.iter().take(6) {
        doc.text(" ");
        doc.leaf("span", &[("class", "chip")], &name(mitigation));
    }
    if reasons.is_empty() {
        doc.leaf("code", &[("class", "quiet")], &name(&row.path));
    }
}
