//! Lifetimes: what clients are registered with and servers give out, against what the profiles of the run allow, on a log
//! scale. Every strip stands beside its figure in words, so that nothing is told by the drawing alone.

use super::gather::{Holders, LIFETIMES, LifeRow, Missed, Whose};
use super::page::{Page, name};
use super::scale::{self, TICKS, percent};
use super::write::Doc;
use crate::model::Quantity;
use crate::report::{Band, text};
use std::cmp::Reverse;

/// Rows of the chart.
const ROWS: usize = 40;

pub(super) fn write(page: &Page<'_>, doc: &mut Doc) {
    let all = &page.gathered.lifetimes;
    let columns: Vec<usize> =
        (0..LIFETIMES.len()).filter(|at| all.keys().any(|(_, lives, _)| lives[*at].is_some())).collect();
    let mut rows: Vec<(&LifeRow, &Holders)> = all.iter().collect();
    rows.sort_by_key(|((whose, lives, _), holders)| (*whose, Reverse(*lives), holders.names.first().cloned()));
    doc.leaf(
        "p",
        &[("class", "lead")],
        "On a log scale, the longest first. The bar is what a profile allows, the dot a lifetime; it is red where a finding \
         stands against it. Outside of the bar and not red: no rule of this run speaks against it.",
    );
    doc.node("table", &[("class", "lives"), ("role", "table")], |doc| {
        doc.node("thead", &[("role", "rowgroup")], |doc| {
            doc.node("tr", &[("role", "row")], |doc| {
                doc.leaf("th", &[("scope", "col"), ("role", "columnheader")], "Who");
                for &at in &columns {
                    doc.node("th", &[("scope", "col"), ("role", "columnheader")], |doc| {
                        doc.text(LIFETIMES[at].2);
                        axis(doc);
                    });
                }
            });
        });
        doc.node("tbody", &[("role", "rowgroup"), ("class", "bands")], |doc| bands(page, doc, &columns));
        doc.node("tbody", &[("role", "rowgroup")], |doc| {
            for (row, holders) in rows.iter().take(ROWS) {
                write_row(page, doc, &columns, row, holders);
            }
        });
    });
    let hidden: u64 = rows.iter().skip(ROWS).map(|(_, holders)| holders.number).sum();
    let hidden = hidden + page.gathered.lifetimes_left_out;
    if hidden > 0 {
        let more = text::count(hidden);
        doc.leaf("p", &[("class", "quiet")], &format!("{more} more with other lifetimes are not drawn."));
    }
}

/// A row for each profile that speaks of lifetimes.
fn bands(page: &Page<'_>, doc: &mut Doc, columns: &[usize]) {
    let mut profiles: Vec<&str> = page.run.bands.iter().map(|band| band.profile.as_str()).collect();
    profiles.dedup();
    profiles.sort_unstable();
    profiles.dedup();
    for profile in profiles {
        doc.node("tr", &[("role", "row")], |doc| {
            doc.node("th", &[("scope", "row"), ("role", "rowheader")], |doc| {
                doc.leaf("span", &[("class", "kind")], "allowed by");
                doc.text(" ");
                doc.leaf("code", &[], &name(profile));
            });
            for &at in columns {
                let band = band_of(page, profile, at);
                doc.node("td", &[("role", "cell")], |doc| {
                    label(doc, at);
                    match band {
                        Some(band) => {
                            doc.leaf("span", &[("class", "life")], &allowed(band));
                            strip(doc, Some(band), None, "allowed");
                        }
                        None => doc.leaf("span", &[("class", "quiet")], "no bound"),
                    }
                });
            }
        });
    }
}

fn band_of<'p>(page: &'p Page<'_>, profile: &str, column: usize) -> Option<&'p Band> {
    page.run.bands.iter().find(|band| band.profile == profile && band.token == LIFETIMES[column].1)
}

/// The type of token, where the table is too narrow for columns.
fn label(doc: &mut Doc, column: usize) {
    doc.node("span", &[("class", "label"), ("aria-hidden", "true")], |doc| doc.text(LIFETIMES[column].2));
}

/// `15 minutes to 6 hours, best 1 hour`.
fn allowed(band: &Band) -> String {
    let mut words = match (band.min, band.max) {
        (Some(min), Some(max)) => format!("{} to {}", scale::lasts(min), scale::lasts(max)),
        (None, Some(max)) => format!("up to {}", scale::lasts(max)),
        (Some(min), None) => format!("{} or more", scale::lasts(min)),
        (None, None) => String::new(),
    };
    if let Some(best) = band.recommended {
        let comma = if words.is_empty() { "" } else { ", " };
        words.push_str(&format!("{comma}best {}", scale::lasts(best)));
    }
    if band.by_policy {
        words.push_str(" (by the policy)");
    }
    words
}

fn write_row(page: &Page<'_>, doc: &mut Doc, columns: &[usize], row: &LifeRow, holders: &Holders) {
    let (whose, lives, _) = row;
    doc.node("tr", &[("role", "row")], |doc| {
        doc.node("th", &[("scope", "row"), ("role", "rowheader")], |doc| {
            let kind = match whose {
                Whose::Settings => "server default",
                Whose::Client => "client",
                Whose::Token => "token found",
            };
            doc.leaf("span", &[("class", "kind")], kind);
            doc.text(" ");
            let names: Vec<String> = holders.names.iter().map(|one| text::shortened(one, 60)).collect();
            doc.text(&names.join(", "));
            let more = holders.number - names.len() as u64;
            if more > 0 {
                doc.text(" ");
                doc.leaf("span", &[("class", "quiet")], &format!("and {} more", text::count(more)));
            }
        });
        for &at in columns {
            let Some(lifetime) = lives[at] else {
                doc.node("td", &[("role", "cell"), ("class", "unknown quiet")], |doc| {
                    label(doc, at);
                    doc.text("not known");
                });
                continue;
            };
            doc.node("td", &[("role", "cell")], |doc| {
                label(doc, at);
                doc.leaf("span", &[("class", "life")], &scale::lasts(lifetime));
                let missed = missed(page, row, holders, at, lifetime);
                let live = missed.iter().any(|missed| !missed.suppressed);
                if !missed.is_empty() {
                    doc.text(" ");
                    let class = if live { "beyond" } else { "quiet" };
                    doc.leaf("span", &[("class", class)], &missed_words(&missed, live));
                }
                strip(doc, narrowest(page, at), Some(lifetime), if live { "mark out" } else { "mark" });
            });
        }
    });
}

/// The findings about this lifetime.
fn missed<'p>(
    page: &'p Page<'_>,
    row: &'p LifeRow,
    holders: &Holders,
    column: usize,
    lifetime: Quantity,
) -> Vec<&'p Missed> {
    let late = page
        .gathered
        .late
        .iter()
        .filter(|(name, _)| holders.names.iter().any(|held| held == name))
        .map(|(_, missed)| missed);
    let own = row.2.iter().chain(late).filter(|missed| missed.value == lifetime);
    let of_token = |missed: &&Missed| {
        let limit = page.rules.info(&missed.rule).unwrap_or_default().limit;
        limit.strip_prefix(LIFETIMES[column].1).is_some_and(|rest| rest.starts_with('.'))
    };
    own.filter(of_token).collect()
}

fn missed_words(missed: &[&Missed], live: bool) -> String {
    let mut profiles: Vec<String> = missed.iter().map(|missed| name(&missed.profile)).collect();
    profiles.sort();
    profiles.dedup();
    let profiles = profiles.join(", ");
    let words = match missed.iter().any(|missed| missed.over) {
        true => format!("longer than {profiles} allows"),
        false => format!("shorter than {profiles} asks for"),
    };
    if live { words } else { format!("{words}; accepted") }
}

/// What the profiles have in common, as the background of clients' strips.
fn narrowest<'p>(page: &'p Page<'_>, column: usize) -> Option<&'p Band> {
    let bands = page.run.bands.iter().filter(|band| band.token == LIFETIMES[column].1);
    bands.min_by_key(|band| (Quantity::from(band.max), Reverse(band.min)))
}

/// The marks of the scale, in words.
fn axis(doc: &mut Doc) {
    doc.node("svg", &[("class", "axis"), ("width", "100%"), ("height", "16"), ("aria-hidden", "true")], |doc| {
        for (seconds, words) in TICKS {
            let at = percent(scale::place(seconds));
            doc.leaf("text", &[("x", &at), ("y", "12"), ("text-anchor", "middle")], words);
        }
        let at = percent(scale::place(Quantity::Unlimited));
        doc.leaf("text", &[("x", &at), ("y", "12"), ("text-anchor", "middle")], "∞");
    });
}

/// The bar of a profile and the mark of a lifetime.
fn strip(doc: &mut Doc, band: Option<&Band>, lifetime: Option<Quantity>, class: &str) {
    doc.node("svg", &[("class", "strip"), ("width", "100%"), ("height", "14"), ("aria-hidden", "true")], |doc| {
        doc.void("line", &[("class", "ground"), ("x1", "0"), ("x2", "100%"), ("y1", "7"), ("y2", "7")]);
        for (tick, _) in TICKS {
            let at = percent(scale::place(tick));
            doc.void("line", &[("class", "tick"), ("x1", &at), ("x2", &at), ("y1", "3"), ("y2", "11")]);
        }
        if let Some(band) = band {
            let from = band.min.map_or(0.0, scale::place);
            let to = band.max.map_or(100.0, scale::place);
            let (x, width) = (percent(from), percent((to - from).max(0.5)));
            doc.void(
                "rect",
                &[("class", "band"), ("x", &x), ("width", &width), ("y", "3"), ("height", "8"), ("rx", "2")],
            );
            if let Some(best) = band.recommended {
                let at = percent(scale::place(best));
                doc.void("line", &[("class", "best"), ("x1", &at), ("x2", &at), ("y1", "1"), ("y2", "13")]);
            }
        }
        if let Some(lifetime) = lifetime {
            let at = percent(scale::place(lifetime));
            doc.void("circle", &[("class", class), ("cx", &at), ("cy", "7"), ("r", "5")]);
        }
    });
}
