//! Which service trusts which issuer.

use super::gather::TrustEntry;
use super::page::{Page, Service, name, scroller};
use super::write::Doc;
use crate::report::text;
use std::collections::{BTreeMap, BTreeSet};

/// Rows and columns that are drawn.
const ISSUERS: usize = 60;
const SERVICES: usize = 30;
/// Base paths of a cell.
const PATHS: usize = 3;

/// What one service says of one issuer, perhaps in several entries.
#[derive(Default)]
struct Cell<'a> {
    entries: Vec<&'a TrustEntry>,
}

pub(super) fn write(page: &Page<'_>, doc: &mut Doc) {
    // Without an issuer's name it is "any issuer", which stands first.
    let mut cells: BTreeMap<(Option<&str>, Service), Cell<'_>> = BTreeMap::new();
    for entry in &page.gathered.trusts {
        let service = page.service_of(&entry.path).cloned();
        let service = service.unwrap_or_else(|| Service { name: entry.product.clone(), place: entry.path.clone() });
        cells.entry((entry.issuer.as_deref(), service)).or_default().entries.push(entry);
    }
    let services: BTreeSet<Service> = cells.keys().map(|(_, service)| service.clone()).collect();
    let known = page.gathered.issuers.iter().map(|issuer| Some(issuer.as_str()));
    let issuers: BTreeSet<Option<&str>> = cells.keys().map(|(issuer, _)| *issuer).chain(known).collect();
    doc.leaf(
        "p",
        &[("class", "lead")],
        "An entry says that the service accepts tokens of the issuer, and below which paths. Issuers are told apart as they are \
         written: services compare letter by letter.",
    );
    scroller(doc, "Issuers and the services that trust them", |doc| {
        doc.node("table", &[("class", "matrix")], |doc| {
            doc.node("thead", &[], |doc| {
                doc.node("tr", &[], |doc| {
                    doc.leaf("th", &[("scope", "col")], "Issuer");
                    for service in services.iter().take(SERVICES) {
                        doc.node("th", &[("scope", "col")], |doc| {
                            doc.text(&name(&service.name));
                            doc.text(" ");
                            doc.leaf("span", &[("class", "quiet")], &name(&service.place));
                        });
                    }
                });
            });
            doc.node("tbody", &[], |doc| {
                for issuer in issuers.iter().take(ISSUERS) {
                    doc.node("tr", &[], |doc| {
                        doc.node("th", &[("scope", "row")], |doc| match issuer {
                            Some(issuer) => doc.leaf("code", &[], &name(issuer)),
                            None => doc.leaf("span", &[("class", "beyond")], "any issuer"),
                        });
                        for service in services.iter().take(SERVICES) {
                            doc.node("td", &[], |doc| match cells.get(&(*issuer, service.clone())) {
                                Some(found) => cell(doc, found),
                                None => doc.leaf("span", &[("class", "quiet")], "–"),
                            });
                        }
                    });
                }
            });
        });
    });
    let more = [(issuers.len(), ISSUERS, "issuer"), (services.len(), SERVICES, "service")];
    let more = more.iter().filter(|(number, most, _)| number > most);
    let more: Vec<String> = more.map(|(number, most, noun)| text::counted((number - most) as u64, noun)).collect();
    if !more.is_empty() || page.gathered.trusts_left_out > 0 {
        let left = page.gathered.trusts_left_out;
        let entries = if left > 0 { vec![text::counted(left, "trust entry")] } else { vec![] };
        let words = [more, entries].concat().join(", ");
        doc.leaf("p", &[("class", "quiet")], &format!("Not drawn: {words}."));
    }
}

fn cell(doc: &mut Doc, cell: &Cell<'_>) {
    let active = cell.entries.iter().any(|entry| !entry.inactive);
    match active {
        true => doc.leaf("span", &[("class", "trusted")], "trusted"),
        false => doc.leaf("span", &[("class", "beyond")], "not in effect"),
    }
    if active && cell.entries.iter().any(|entry| entry.audience_unchecked && !entry.inactive) {
        doc.text(" ");
        doc.leaf("span", &[("class", "beyond")], "any audience");
    }
    let paths: BTreeSet<&str> = cell.entries.iter().flat_map(|entry| &entry.base_paths).map(String::as_str).collect();
    if !paths.is_empty() {
        doc.node("ul", &[("class", "plain")], |doc| {
            for path in paths.iter().take(PATHS) {
                doc.node("li", &[], |doc| doc.leaf("code", &[], &text::shortened(path, 40)));
            }
            if paths.len() > PATHS {
                let more = text::count((paths.len() - PATHS) as u64);
                doc.leaf("li", &[("class", "quiet")], &format!("and {more} more"));
            }
        });
    }
}
