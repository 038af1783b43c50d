//! XRootD's authorisation file (`acc.authdb`) and map files (`name_mapfile` of `scitokens.cfg`).
//!
//! The authorisation file has a rule on each line: what it is for (one letter and a name), then pairs of path and
//! privileges, or names of templates. `=` defines an identity by what must all hold (`o:` is the issuer of a token); `x` and
//! `s` give it privileges, and of `x` rules the first that matches counts. A rule for a name that is not defined above makes
//! XRootD refuse the file.
//!
//! A map file is a JSON list; the first entry whose conditions all hold gives the account. XRootD refuses the file, and with
//! it the whole configuration, for an entry without `result` or one whose `sub`, `path`, `group` or `result` is no text. An
//! entry is passed over when `ignore` is a text, whatever text; a `username` that is no text is left out.

use super::traps::Found;
use super::{Adapter, Kind, Sample, Sink};
use crate::model::{At, Field, Mapping, Target, TargetKind};
use crate::parse::words::WordsDialect;
use crate::parse::{Cursor, Document, Syntax};
use std::collections::BTreeMap;

/// The adapter.
pub(super) struct XrootdMaps;

const AUTHDB: &str = "xrootd-authdb";
const MAPFILE: &str = "xrootd-name-mapfile";
const PRODUCT: &str = "xrootd";
const SYNTAX: Syntax = Syntax::Words(WordsDialect::Authdb);
const MAP_KEYS: [&str; 7] = ["sub", "username", "path", "group", "result", "ignore", "comment"];

const AUTHDB_UNDEFINED: &str = "xrootd-authdb-undefined";
const MAP_REFUSED: &str = "xrootd-map-refused";
const MAP_IGNORE: &str = "xrootd-map-ignore";
const MAP_USERNAME: &str = "xrootd-map-username-left-out";

impl Adapter for XrootdMaps {
    fn kinds(&self) -> &'static [Kind] {
        &[
            Kind {
                name: AUTHDB,
                doc: "Authorisation file of XRootD (acc.authdb): who may do what where",
                targets: &[TargetKind::Mapping, TargetKind::Trap],
            },
            Kind {
                name: MAPFILE,
                doc: "name_mapfile of XRootD's SciTokens plug-in: accounts for subjects, groups and paths",
                targets: &[TargetKind::Mapping, TargetKind::Trap],
            },
        ]
    }

    fn syntax(&self, sample: &Sample<'_>) -> Option<Syntax> {
        let mut goes_on = false;
        let mut rules = 0;
        for line in sample.lines() {
            if std::mem::replace(&mut goes_on, line.ends_with('\\')) {
                continue;
            }
            let words: Vec<&str> = line.split_whitespace().collect();
            let letter = words[0].len() == 1 && "ghnorstux=".contains(words[0]);
            if !letter || words.len() < 3 || (words[1].starts_with('=') && (words[1].len() > 1 || words[0] != "u")) {
                return None;
            }
            rules += usize::from(words.iter().any(|word| word.starts_with('/')));
        }
        (rules > 0).then_some(SYNTAX)
    }

    fn recognise(&self, document: &Document) -> Option<&'static str> {
        if document.syntax == SYNTAX {
            return Some(AUTHDB);
        }
        let root = document.root();
        let known = |entry: Cursor<'_>| {
            let condition = ["sub", "username", "path", "group"].iter().any(|key| entry.has(key));
            condition && entry.has("result") && entry.entries().all(|(key, _)| MAP_KEYS.contains(&key))
        };
        (document.syntax == Syntax::Json && root.is_seq() && root.items().any(known)).then_some(MAPFILE)
    }

    fn traps(&self) -> &'static [&'static str] {
        &[AUTHDB_UNDEFINED, MAP_REFUSED, MAP_IGNORE, MAP_USERNAME]
    }

    fn adapt(&self, document: &Document, kind: &'static str, sink: &mut dyn Sink) {
        match kind {
            AUTHDB => authdb(document, sink),
            _ => mapfile(document, sink),
        }
    }
}

/// A word with its place.
type Word<'d> = (Cursor<'d>, &'d str);

/// What an authorisation file has defined up to a line.
#[derive(Default)]
struct Defined<'d> {
    /// Identities, with what they demand.
    identities: BTreeMap<&'d str, Vec<Word<'d>>>,
    /// Templates, with their pairs as `PATH PRIVILEGES`.
    templates: BTreeMap<&'d str, Vec<(Cursor<'d>, String)>>,
    /// What the identities of earlier `x` rules demand.
    exclusive: Vec<Vec<&'d str>>,
}

fn authdb(document: &Document, sink: &mut dyn Sink) {
    let mut defined = Defined::default();
    for line in document.root().items() {
        let words: Vec<Word<'_>> = line.items().filter_map(|word| Some((word, word.as_str()?))).collect();
        let [(_, letter), (at, name), rest @ ..] = words.as_slice() else { continue };
        match *letter {
            "=" => drop(defined.identities.insert(name, rest.to_vec())),
            "t" => {
                let pairs = privileges(rest, &defined, sink);
                defined.templates.insert(name, pairs);
            }
            "x" | "s" => {
                let gives = privileges(rest, &defined, sink);
                match defined.identities.get(name).cloned() {
                    None => Found::new(PRODUCT, AUTHDB_UNDEFINED, *at, *name).tell(sink),
                    Some(demands) => {
                        let texts: Vec<&str> = demands.iter().map(|(_, text)| *text).collect();
                        let active = *letter == "s" || !defined.exclusive.contains(&texts);
                        defined.exclusive.extend((*letter == "x").then_some(texts));
                        identity(document, *at, name, &demands, gives, active, sink);
                    }
                }
            }
            "u" if *name == "*" => {
                let gives = privileges(rest, &defined, sink);
                let record = Mapping { subject: Field::unlimited(At::node(at.id)), ..mapping(gives, true) };
                let target = Target { at: At::node(at.id), ..Target::new(TargetKind::Mapping, "everybody", record) };
                sink.target(&[document], target);
            }
            _ => drop(privileges(rest, &defined, sink)),
        }
    }
}

/// The pairs of a rule, those of its templates included.
fn privileges<'d>(words: &[Word<'d>], defined: &Defined<'d>, sink: &mut dyn Sink) -> Vec<(Cursor<'d>, String)> {
    let mut pairs = Vec::new();
    let mut words = words.iter();
    while let Some(&(at, word)) = words.next() {
        if word.starts_with(['/', '\\']) {
            pairs.extend(words.next().map(|(_, privileges)| (at, format!("{word} {privileges}"))));
        } else {
            match defined.templates.get(word) {
                Some(template) => pairs.extend(template.iter().map(|(_, pair)| (at, pair.clone()))),
                None => Found::new(PRODUCT, AUTHDB_UNDEFINED, at, word).tell(sink),
            }
        }
    }
    pairs
}

fn mapping(gives: Vec<(Cursor<'_>, String)>, active: bool) -> Mapping<'_> {
    let gives = gives.into_iter().map(|(at, pair)| Field::text(pair, At::node(at.id))).collect();
    Mapping {
        product: Field::text(PRODUCT, None),
        gives: Field::list(gives, None),
        bans: Field::bool(false, None),
        active: Field::bool(active, None),
        ..Mapping::default()
    }
}

/// An identity of tokens: one whose organisation is an issuer's address.
fn identity<'d>(
    document: &'d Document,
    at: Cursor<'d>,
    name: &'d str,
    demands: &[Word<'d>],
    gives: Vec<(Cursor<'d>, String)>,
    active: bool,
    sink: &mut dyn Sink,
) {
    let value = |letter: char| {
        let is = |(_, word): &&Word<'d>| word.len() <= 2 && word.starts_with(letter);
        let index = demands.iter().position(|word| is(&word))?;
        demands.get(index + 1).map(|(at, text)| Field::text(*text, At::node(at.id)))
    };
    let Some(issuer) = value('o').filter(|issuer| issuer.as_text().is_some_and(|text| text.starts_with("http"))) else {
        return;
    };
    let record = Mapping {
        issuer,
        group: value('g').unwrap_or_default(),
        subject: value('u').unwrap_or_default(),
        ..mapping(gives, active)
    };
    let target = Target { at: At::node(at.id), ..Target::new(TargetKind::Mapping, name, record) };
    sink.target(&[document], target);
}

fn mapfile(document: &Document, sink: &mut dyn Sink) {
    let mut everybody = false;
    for entry in document.root().items() {
        if !entry.is_map() {
            Found::new(PRODUCT, MAP_REFUSED, entry, "entry").effect("an object is expected").tell(sink);
            continue;
        }
        let off = entry.get("ignore").is_some_and(|ignore| ignore.as_str().is_some());
        map_traps(entry, off, sink);
        let text = |key: &str| {
            let found = entry.get(key).and_then(|value| Some((value, value.as_str()?)));
            let found = found.filter(|(_, text)| !text.is_empty());
            found.map_or_else(Field::default, |(at, text)| Field::text(text, At::node(at.id)))
        };
        let account = text("result");
        if account.is_absent() {
            continue;
        }
        let name = account.as_text().unwrap_or_default().to_string();
        let active = !off && !everybody;
        everybody |= !off && ["sub", "username", "path", "group"].iter().all(|key| text(key).is_absent());
        let record = Mapping { subject: text("sub"), group: text("group"), account, ..mapping(vec![], active) };
        // The section of scitokens.cfg that names the file is that of an issuer.
        let record = Mapping { gives: Field::default(), one_issuer: Field::bool(true, None), ..record };
        sink.target(&[document], Target { at: At::node(entry.id), ..Target::new(TargetKind::Mapping, name, record) });
    }
}

/// What the plug-in makes of an entry; it takes the members in the order of their names and stops at `ignore`.
fn map_traps(entry: Cursor<'_>, off: bool, sink: &mut dyn Sink) {
    let mut members: Vec<(&str, Cursor<'_>)> = entry.entries().filter(|(key, _)| !off || *key <= "ignore").collect();
    members.sort_by_key(|(key, _)| *key);
    for (key, value) in members {
        match (key, value.as_str()) {
            ("result" | "group" | "sub" | "path", None) => {
                Found::new(PRODUCT, MAP_REFUSED, value, key).effect(format!("{key} must be a text")).tell(sink);
            }
            ("path", Some(path)) if !path.starts_with('/') => {
                Found::new(PRODUCT, MAP_REFUSED, value, key).effect("path must start with a slash").tell(sink);
            }
            ("username", None) => Found::new(PRODUCT, MAP_USERNAME, value, key).tell(sink),
            ("ignore", None) if value.as_bool() != Some(false) && !value.is_null() => {
                Found::new(PRODUCT, MAP_IGNORE, value, key)
                    .effect("the entry stays on: only a text switches it off")
                    .tell(sink);
            }
            ("ignore", Some(text)) if ["false", "no", "0", "off", ""].contains(&text.to_ascii_lowercase().as_str()) => {
                Found::new(PRODUCT, MAP_IGNORE, value, key)
                    .effect("the entry is off: any text switches it off")
                    .tell(sink);
            }
            _ => {}
        }
    }
    if !off && entry.get("result").is_none_or(|result| result.as_str() == Some("")) {
        Found::new(PRODUCT, MAP_REFUSED, entry, "entry").effect("result is missing").tell(sink);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapt::testing::collect;

    #[test]
    fn identities_of_tokens_get_what_their_rules_give() {
        let text = "t data /vo a /public lr\n= prod o: https://vo.example.org/ g: /vo/prod\n= again o: https://vo.example.org/ g: /vo/prod\n\
                    = dn o: vo g: /vo\nx prod data\nx again /other a\nx dn data\nu * /public rl\n";
        assert_eq!(XrootdMaps.syntax(&Sample::new("Authfile", text)), Some(SYNTAX));
        let got = collect(text, SYNTAX);
        let rows: Vec<_> =
            got.targets.iter().map(|got| (got.get("issuer"), got.get("gives"), got.get("active"))).collect();
        let issuer = "https://vo.example.org/";
        let expected =
            [(issuer, "/vo a /public lr", "true"), (issuer, "/other a", "false"), ("", "/public rl", "true")];
        assert_eq!(rows, expected, "a second rule for the same identity is never reached; the third is no token's");
        assert_eq!(XrootdMaps.syntax(&Sample::new("t", "u = 1\nx = /a\n")), None, "assignments");
        assert_eq!(XrootdMaps.syntax(&Sample::new("t", "GSI /CN=a x\n")), None, "an HTCondor map file");
    }

    #[test]
    fn map_entries_count_as_the_plugin_takes_them() {
        let text = r#"[{"sub":"a","result":"x"},{"group":"/vo","result":"y","ignore":"why not"},{"result":"all"},{"sub":"b","result":"z"}]"#;
        let got = collect(text, Syntax::Json);
        assert_eq!(got.kinds, [MAPFILE]);
        let rows: Vec<_> = got.targets.iter().map(|got| (got.get("account"), got.get("active"))).collect();
        assert_eq!(rows, [("x", "true"), ("y", "false"), ("all", "true"), ("z", "false")]);
    }
}
