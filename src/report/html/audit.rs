//! What an audit adds: what changed since the one before, what ends soon, and the trend.

use super::findings::head;
use super::page::{Page, name, scroller, severity};
use super::scale::{self, percent};
use super::write::Doc;
use crate::audit::{Change, Edit, Item, Lost, Outcome, Point, Report, SnapshotRef};
use crate::report::text;
use serde_json::Value as Json;

/// Lines of a list.
const LINES: usize = 100;
/// Height of the bars of the trend, in pixels.
const HEIGHT: f64 = 96.0;

/// What the audit comes to, as the beginning of a sentence.
pub(super) fn verdict(report: &Report) -> String {
    let since = report.previous.as_deref().map(scale::minute).unwrap_or_default();
    match report.outcome {
        Outcome::First => "This is the first audit: later ones compare with it. ".into(),
        Outcome::Steady => format!("Nothing got worse since {since}. "),
        Outcome::Worse => {
            let parts = [
                (report.new.len(), "new"),
                (report.worsened.len(), "worse"),
                (report.coverage.lost.len(), "no longer audited"),
            ];
            let parts = parts.iter().filter(|(number, _)| *number > 0);
            let parts: Vec<String> =
                parts.map(|(number, word)| format!("{} {word}", text::count(*number as u64))).collect();
            format!("It got worse since {since}: {}. ", parts.join(", "))
        }
    }
}

pub(super) fn changes(page: &Page<'_>, doc: &mut Doc) {
    let Some(report) = page.audit else { return };
    for line in &report.changed {
        doc.leaf("p", &[("class", "remark")], &text::shown(line));
    }
    let mut told = false;
    let mut list = |doc: &mut Doc, title: &str, number: usize, inside: &dyn Fn(&mut Doc)| {
        if number > 0 {
            told = true;
            doc.leaf("h3", &[], &format!("{title} ({})", text::count(number as u64)));
            doc.node("ul", &[("class", "plain changes")], |doc| {
                inside(doc);
                if number > LINES {
                    let more = text::count((number - LINES) as u64);
                    doc.leaf("li", &[("class", "quiet")], &format!("and {more} more, in --format json"));
                }
            });
        }
    };
    for (title, findings) in [("New", &report.new), ("Worse", &report.worsened), ("Fixed", &report.fixed)] {
        list(doc, title, findings.len(), &|doc| findings.iter().take(LINES).for_each(|found| change(doc, found)));
    }
    let expiring = &report.expiring;
    list(doc, "Ends soon, or has ended", expiring.len(), &|doc| {
        for ends in expiring.iter().take(LINES) {
            doc.node("li", &[], |doc| {
                let class = if ends.days < 0 { "beyond" } else { "life" };
                // Of a waiver people name the last day on which it holds.
                let last = if ends.what == "waiver" { ends.seconds - 1 } else { ends.seconds };
                doc.leaf("span", &[("class", class)], &scale::day(last));
                doc.text(&format!(" {} ", scale::away(ends.seconds, page.now)));
                doc.leaf("span", &[("class", "kind")], &name(&ends.what));
                doc.text(&format!(" {} ", name(&ends.name)));
                let owner = if ends.owner.is_empty() { &ends.path } else { &ends.owner };
                doc.leaf("span", &[("class", "quiet")], &name(owner));
            });
        }
    });
    let failed: Vec<&SnapshotRef> = report.snapshots.iter().filter(|snapshot| !snapshot.failed.is_empty()).collect();
    list(doc, "No new snapshot", failed.len(), &|doc| failed.iter().take(LINES).for_each(|one| snapshot(doc, one)));
    let coverage = &report.coverage;
    for (title, lost) in [("No longer audited", &coverage.lost), ("Still not audited", &coverage.still_lost)] {
        list(doc, title, lost.len(), &|doc| lost.iter().take(LINES).for_each(|one| gone(doc, one)));
    }
    for (title, names) in [("Back again", &coverage.returned), ("Audited for the first time", &coverage.added)] {
        list(doc, title, names.len(), &|doc| {
            for one in names.iter().take(LINES) {
                doc.node("li", &[], |doc| doc.leaf("code", &[], &name(one)));
            }
        });
    }
    let inventory = &report.inventory;
    for (title, items) in [("Came", &inventory.added), ("Went", &inventory.removed)] {
        list(doc, title, items.len(), &|doc| items.iter().take(LINES).for_each(|one| item(doc, one, &[])));
    }
    list(doc, "Changed", inventory.changed.len(), &|doc| {
        inventory.changed.iter().take(LINES).for_each(|one| item(doc, &one.item, &one.edits));
    });
    if !told {
        let words = match report.outcome {
            Outcome::First => "There is nothing to compare with yet.",
            Outcome::Steady | Outcome::Worse => "Nothing changed.",
        };
        doc.leaf("p", &[], words);
    }
}

fn change(doc: &mut Doc, change: &Change) {
    doc.node("li", &[], |doc| {
        severity(doc, change.severity);
        doc.text(" ");
        doc.leaf("span", &[("class", "kind")], &name(&change.kind.replace('-', " ")));
        doc.text(&format!(" {}: {} ", name(&change.name), text::shown(&change.message)));
        if !change.why.is_empty() {
            doc.text(&format!("({}) ", text::shown(&change.why)));
        }
        doc.leaf("code", &[("class", "quiet")], &format!("{}:{}", name(&change.path), change.line));
        doc.text(" ");
        doc.leaf("code", &[("class", "quiet")], &name(&change.rule));
        doc.text(" ");
        doc.leaf("span", &[("class", "quiet")], &name(&change.profile));
    });
}

fn gone(doc: &mut Doc, lost: &Lost) {
    doc.node("li", &[], |doc| {
        doc.leaf("code", &[], &name(&lost.name));
        doc.text(&format!(" {}", text::shown(&lost.why)));
        if lost.findings > 0 {
            let findings = text::counted(lost.findings, "finding");
            doc.text(&format!("; {findings} there can not be told to be fixed"));
        }
    });
}

/// An issuer of which only an old snapshot could be looked at.
fn snapshot(doc: &mut Doc, snapshot: &SnapshotRef) {
    doc.node("li", &[], |doc| {
        doc.leaf("code", &[], &name(&snapshot.issuer));
        doc.text(&format!(" {}", text::shown(&snapshot.failed)));
        let age = snapshot.age.map_or("of unknown age".into(), |age| format!("{} old", scale::lasts(age)));
        doc.leaf("span", &[("class", "quiet")], &format!(" the one in {} is {age}", name(&snapshot.path)));
    });
}

fn item(doc: &mut Doc, item: &Item, edits: &[Edit]) {
    doc.node("li", &[], |doc| {
        doc.leaf("span", &[("class", "kind")], &name(&item.kind.replace('-', " ")));
        doc.text(&format!(" {} ", name(&item.name)));
        doc.leaf("code", &[("class", "quiet")], &name(&item.path));
        let times = [("begins", &item.begins), ("ends", &item.ends)];
        for (word, at) in times.iter().filter_map(|(word, at)| Some((word, at.as_deref()?))) {
            doc.leaf("span", &[("class", "quiet")], &format!(" {word} {}", text::shown(&scale::minute(at))));
        }
        for edit in edits.iter().take(8) {
            doc.text(" ");
            doc.leaf("span", &[("class", "chip")], &text::shown(&words(edit)));
        }
    });
}

/// An edit for people: `scopes +a -b`, `lifetimes.access_token 1 hour → 6 hours`.
fn words(edit: &Edit) -> String {
    let texts = |sign: &str, items: &[Json]| -> Vec<String> {
        items.iter().filter_map(Json::as_str).map(|item| format!("{sign}{item}")).collect()
    };
    let value = |value: &Json| match value {
        Json::Null => "nothing".to_string(),
        Json::String(text) => text.clone(),
        Json::Number(number) => match number.as_i64().filter(|_| edit.field.starts_with("lifetimes.")) {
            Some(seconds) => scale::lasts(seconds),
            None => number.to_string(),
        },
        Json::Bool(yes) => yes.to_string(),
        Json::Array(items) => texts("", items).join(" "),
        Json::Object(_) => String::new(),
    };
    match (&edit.before, &edit.after) {
        (Json::Array(less), Json::Array(more)) => {
            format!("{} {}", edit.field, [texts("+", more), texts("-", less)].concat().join(" "))
        }
        (before, after) => format!("{} {} → {}", edit.field, value(before), value(after)),
    }
}

const SEVERITIES: [&str; 3] = ["error", "warning", "note"];

fn findings(point: &Point, severity: &str) -> u64 {
    point.trend.findings.get(severity).copied().unwrap_or(0)
}

/// Findings of the last audits as bars, and the figures as a table.
pub(super) fn trend(page: &Page<'_>, doc: &mut Doc) {
    let Some(report) = page.audit else { return };
    let points = &report.trend;
    doc.leaf("p", &[("class", "lead")], "Findings of the last audits, the newest on the right and below.");
    doc.node("div", &[("class", "legend"), ("aria-hidden", "true")], |doc| {
        for severity in SEVERITIES {
            doc.leaf("i", &[("class", severity)], "");
            doc.leaf("span", &[], &format!("{severity}s"));
        }
    });
    bars(doc, points);
    scroller(doc, "Figures of the last audits", |doc| {
        doc.node("table", &[("class", "list figures")], |doc| {
            head(
                doc,
                &[
                    "Audit",
                    "Errors",
                    "Warnings",
                    "Notes",
                    "Waivers",
                    "Median access token",
                    "Median refresh token",
                    "Widest scope",
                ],
            );
            doc.node("tbody", &[], |doc| points.iter().for_each(|point| figures(doc, point)));
        });
    });
}

fn figures(doc: &mut Doc, point: &Point) {
    let trend = &point.trend;
    let median = |token: &str| match trend.lifetimes.get(token) {
        Some(seconds) => scale::lasts(*seconds),
        None => "–".into(),
    };
    doc.node("tr", &[], |doc| {
        doc.leaf("th", &[("scope", "row"), ("class", "nowrap")], &scale::minute(&point.at));
        for severity in SEVERITIES {
            doc.leaf("td", &[("class", "number")], &text::count(findings(point, severity)));
        }
        doc.leaf("td", &[("class", "number")], &text::count(trend.waivers.values().sum()));
        doc.leaf("td", &[], &median("access_token"));
        doc.leaf("td", &[], &median("refresh_token"));
        doc.node("td", &[], |doc| match &trend.widest_scope {
            Some(scope) => doc.leaf("code", &[], &name(scope)),
            None => doc.text("–"),
        });
    });
}

/// A bar for each audit, errors at the bottom.
fn bars(doc: &mut Doc, points: &[Point]) {
    let sum = |point: &Point| SEVERITIES.iter().map(|severity| findings(point, severity)).sum::<u64>();
    let most = points.iter().map(sum).max().unwrap_or(0).max(1) as f64;
    let width = 100.0 / points.len().max(6) as f64;
    let height = format!("{:.0}", HEIGHT + 16.0);
    let label = format!("Findings of {}", text::counted(points.len() as u64, "audit"));
    let svg =
        [("class", "bars"), ("width", "100%"), ("height", height.as_str()), ("role", "img"), ("aria-label", &label)];
    doc.node("svg", &svg, |doc| {
        for (at, point) in points.iter().enumerate() {
            let x = percent(at as f64 * width + width * 0.15);
            let mut top = HEIGHT + 14.0;
            for severity in SEVERITIES {
                let tall = findings(point, severity) as f64 / most * HEIGHT;
                top -= tall;
                if tall > 0.0 {
                    let (y, tall) = (format!("{top:.2}"), format!("{tall:.2}"));
                    let wide = percent(width * 0.7);
                    doc.void("rect", &[("class", severity), ("x", &x), ("y", &y), ("width", &wide), ("height", &tall)]);
                }
            }
            let (middle, y) = (percent(at as f64 * width + width * 0.5), format!("{:.2}", top - 3.0));
            doc.leaf("text", &[("x", &middle), ("y", &y), ("text-anchor", "middle")], &text::count(sum(point)));
        }
        let y = format!("{:.0}", HEIGHT + 15.0);
        doc.void("line", &[("class", "ground"), ("x1", "0"), ("x2", "100%"), ("y1", &y), ("y2", &y)]);
    });
}
