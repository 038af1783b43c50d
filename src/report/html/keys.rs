//! Keys, certificates and client secrets over time.

use super::findings::head;
use super::gather::KeyEntry;
use super::page::{Page, name, scroller};
use super::scale::{self, percent};
use super::write::Doc;
use crate::report::text;

/// Rows of the timeline.
const ROWS: usize = 60;

/// Something that holds for a time.
struct Row {
    what: String,
    name: String,
    place: String,
    from: Option<i64>,
    to: Option<i64>,
}

/// Is there anything to show?
pub(super) fn any(page: &Page<'_>) -> bool {
    !page.gathered.keys.is_empty() || !page.gathered.secrets.is_empty()
}

fn rows(page: &Page<'_>) -> Vec<Row> {
    let row = |key: &KeyEntry| Row {
        what: if key.what.is_empty() { "key".into() } else { key.what.clone() },
        name: key.name.clone(),
        place: if key.issuer.is_empty() { key.path.clone() } else { key.issuer.clone() },
        from: key.not_before,
        to: key.not_after,
    };
    let keys = page.gathered.keys.iter().map(row);
    let secrets = page.gathered.secrets.iter().map(|(_, secret)| row(secret));
    let mut rows: Vec<Row> = keys.chain(secrets).collect();
    // What ends first stands first; what nobody knows the end of, last.
    rows.sort_by(|a, b| {
        (a.to.is_none(), a.to, &a.place, &a.name, &a.what).cmp(&(b.to.is_none(), b.to, &b.place, &b.name, &b.what))
    });
    rows
}

pub(super) fn write(page: &Page<'_>, doc: &mut Doc) {
    let rows = rows(page);
    let span = Span::of(&rows[..rows.len().min(ROWS)], page.now);
    let words = match span {
        Some(_) => {
            "What ends first stands first; the upright line is the time of this report. Where nothing says it, unknown."
        }
        None => "Nothing here says from when to when it holds: key sets rarely do. Unknown is shown as unknown.",
    };
    doc.leaf("p", &[("class", "lead")], words);
    scroller(doc, "Keys and how long they hold", |doc| {
        doc.node("table", &[("class", "list times")], |doc| {
            let titles = ["Key", "Kind", "Of", "Holds"];
            head(doc, &titles);
            doc.node("tbody", &[], |doc| {
                for row in rows.iter().take(ROWS) {
                    doc.node("tr", &[], |doc| {
                        doc.node("th", &[("scope", "row")], |doc| doc.leaf("code", &[], &name(&row.name)));
                        doc.leaf("td", &[], &name(&row.what));
                        doc.leaf("td", &[("class", "quiet")], &name(&row.place));
                        doc.node("td", &[("class", "when")], |doc| holds(doc, row, span.as_ref(), page.now));
                    });
                }
            });
        });
    });
    let hidden = rows.len().saturating_sub(ROWS) as u64 + page.gathered.keys_left_out;
    if hidden > 0 {
        doc.leaf("p", &[("class", "quiet")], &format!("{} more are not drawn.", text::count(hidden)));
    }
}

fn holds(doc: &mut Doc, row: &Row, span: Option<&Span>, now: i64) {
    let (class, words) = match (row.from, row.to) {
        (None, None) => ("quiet", "unknown".to_string()),
        (from, Some(to)) => {
            let from = from.map(|from| format!("from {} ", scale::day(from))).unwrap_or_default();
            let class = if to < now { "beyond" } else { "life" };
            (class, format!("{from}to {} ({})", scale::day(to), scale::away(to, now)))
        }
        (Some(from), None) => ("life", format!("from {}, end unknown", scale::day(from))),
    };
    doc.leaf("span", &[("class", class)], &words);
    if let (Some(span), true) = (span, row.from.is_some() || row.to.is_some()) {
        span.draw(doc, row, now);
    }
}

/// The stretch of time that is drawn.
struct Span {
    from: i64,
    to: i64,
}

impl Span {
    /// All that is known, and now; `None` when nothing is known.
    fn of(rows: &[Row], now: i64) -> Option<Span> {
        let known: Vec<i64> = rows.iter().flat_map(|row| [row.from, row.to]).flatten().collect();
        let (first, last) = (known.iter().min()?, known.iter().max()?);
        // A key that holds for centuries must not make a dot of all others.
        let decade = 315_360_000;
        let from = (*first).min(now).max(now - decade);
        let to = (*last).max(now).min(now + decade);
        let margin = (to - from) / 20 + 86_400;
        Some(Span { from: from - margin, to: to + margin })
    }

    fn place(&self, at: i64) -> f64 {
        let at = at.clamp(self.from, self.to);
        (at - self.from) as f64 / (self.to - self.from).max(1) as f64 * 100.0
    }

    fn draw(&self, doc: &mut Doc, row: &Row, now: i64) {
        let from = row.from.map_or(0.0, |from| self.place(from));
        let to = row.to.map_or(100.0, |to| self.place(to));
        let (x, width, here) = (percent(from), percent((to - from).max(0.5)), percent(self.place(now)));
        let class = match (row.from, row.to) {
            (_, Some(to)) if to < now => "span over",
            (Some(_), Some(_)) => "span",
            (None, _) | (_, None) => "span open",
        };
        doc.node("svg", &[("class", "strip"), ("width", "100%"), ("height", "14"), ("aria-hidden", "true")], |doc| {
            doc.void("line", &[("class", "ground"), ("x1", "0"), ("x2", "100%"), ("y1", "7"), ("y2", "7")]);
            doc.void(
                "rect",
                &[("class", class), ("x", &x), ("width", &width), ("y", "3"), ("height", "8"), ("rx", "2")],
            );
            doc.void("line", &[("class", "now"), ("x1", &here), ("x2", &here), ("y1", "0"), ("y2", "14")]);
        });
    }
}
