//! `scitokens.cfg`, the issuers that XRootD's SciTokens plug-in (also in EOS and Echo) trusts.
//!
//! What inih and the plug-in do with such a file, read from their sources: names have no case; a section is an issuer's
//! when its name starts with `issuer` and a blank, global when it starts with `global`, and is skipped without a word
//! otherwise; sections of one name are one; the last value of a key counts, and an indented line is another value of the
//! key before; of two sections with one issuer URL that of the name that sorts first counts. Unknown keys are skipped.
//! Lists end at commas and blanks (not tabs), strategies at blanks; paths that do not start with a slash are left out.
//! The outcome for a token is kept for 60 seconds (`m_expiry_secs`).

use super::read::TEMPLATE;
use super::traps::Found;
use super::{Adapter, Kind, Sample, Sink, is_placeholder};
use crate::model::{At, Field, Service, State, Target, TargetKind, Trust};
use crate::parse::ini::IniDialect;
use crate::parse::{Cursor, Document, NoteKind, Syntax};
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

/// The adapter.
pub(super) struct ScitokensCfg;

const KIND: &str = "scitokens.cfg";
const PRODUCT: &str = "xrootd";
const SYNTAX: Syntax = Syntax::Ini(IniDialect::ScitokensCfg);

const GLOBAL_KEYS: [&str; 3] = ["audience", "audience_json", "onmissing"];
const ISSUER_KEYS: [&str; 9] = [
    "issuer",
    "base_path",
    "restricted_path",
    "map_subject",
    "default_user",
    "username_claim",
    "groups_claim",
    "name_mapfile",
    "authorization_strategy",
];

/// Keys of Pelican's fork of the plug-in.
const PELICAN_KEYS: [&str; 2] = ["required_authorization", "acceptable_authorization"];
const STRATEGIES: [&str; 3] = ["capability", "group", "mapping"];
/// Seconds that the plug-in keeps the outcome for a token.
const RESULT_CACHE: i64 = 60;

const UNKNOWN_SECTION: &str = "xrootd-unknown-section";
const UNKNOWN_KEY: &str = "xrootd-unknown-key";
const KEY_MISPLACED: &str = "xrootd-key-misplaced";
const KEY_OF_PELICAN: &str = "xrootd-key-of-pelican";
const KEY_REPEATED: &str = "xrootd-key-repeated";
const LINE_CUT: &str = "xrootd-line-cut";
const VALUE_REPLACED: &str = "xrootd-value-replaced";
const VALUE_QUOTED: &str = "xrootd-value-quoted";
const VALUE_WITH_COMMENT: &str = "xrootd-value-with-comment";
const BOOLEAN_UNKNOWN: &str = "xrootd-boolean-unknown";
const STRATEGY_UNKNOWN: &str = "xrootd-strategy-unknown";
const FILE_REFUSED: &str = "xrootd-file-refused";
const PATH_LEFT_OUT: &str = "xrootd-path-left-out";
const PATH_RESOLVED: &str = "xrootd-path-resolved";
const RESTRICTED_PATH_WITH_BASE: &str = "xrootd-restricted-path-with-base";
const ISSUER_DROPPED: &str = "xrootd-issuer-dropped";
const ISSUER_SKIPPED: &str = "xrootd-issuer-skipped";

impl Adapter for ScitokensCfg {
    fn kinds(&self) -> &'static [Kind] {
        &[Kind {
            name: KIND,
            doc: "scitokens.cfg: the token issuers that XRootD, EOS or Echo trust",
            targets: &[TargetKind::Service, TargetKind::Trust, TargetKind::Trap],
        }]
    }

    fn syntax(&self, sample: &Sample<'_>) -> Option<Syntax> {
        let lines: Vec<String> = sample.lines().map(str::to_ascii_lowercase).collect();
        let key = |names: &[&str]| {
            lines.iter().any(|line| {
                let name = line.split(['=', ':']).next().unwrap_or_default().trim_end();
                name.len() < line.len() && names.contains(&name)
            })
        };
        let section = |start: &str| lines.iter().any(|line| line.starts_with(start));
        let issuers = section("[issuer") && key(&["issuer", "base_path", "map_subject"]);
        let global = section("[global") && key(&GLOBAL_KEYS);
        // Without a heading only the name tells; the directives of XRootD's main configuration have no separator.
        let named = sample.name().starts_with("scitokens") && key(&["audience", "issuer", "base_path", "onmissing"]);
        (issuers || global || named).then_some(SYNTAX)
    }

    fn recognise(&self, document: &Document) -> Option<&'static str> {
        (document.syntax == SYNTAX).then_some(KIND)
    }

    fn traps(&self) -> &'static [&'static str] {
        &[
            UNKNOWN_SECTION,
            UNKNOWN_KEY,
            KEY_MISPLACED,
            KEY_OF_PELICAN,
            KEY_REPEATED,
            LINE_CUT,
            VALUE_REPLACED,
            VALUE_QUOTED,
            VALUE_WITH_COMMENT,
            BOOLEAN_UNKNOWN,
            STRATEGY_UNKNOWN,
            FILE_REFUSED,
            PATH_LEFT_OUT,
            PATH_RESOLVED,
            RESTRICTED_PATH_WITH_BASE,
            ISSUER_DROPPED,
            ISSUER_SKIPPED,
        ]
    }

    fn adapt(&self, document: &Document, _kind: &'static str, sink: &mut dyn Sink) {
        let sections = sections(document);
        let (audiences, without_token) = global(&sections);
        let issuers: Vec<&Section<'_>> = sections.iter().filter(|section| section.is_issuer()).collect();
        let files: Vec<Field<'_>> = issuers.iter().map(|issuer| issuer.text("name_mapfile")).collect();
        let files: Vec<Field<'_>> = files.into_iter().filter(|file| file.as_text().is_some()).collect();
        let service = Service {
            product: Field::text(PRODUCT, None),
            tokens: Field::bool(true, None),
            audiences: audiences.clone(),
            audience_checked: Field::bool(true, None),
            any_issuer: Field::bool(false, None),
            without_token: without_token.clone(),
            result_cache: Field::int(RESULT_CACHE, None),
            files: if files.is_empty() { Field::default() } else { Field::list(files, None) },
            ..Service::default()
        };
        sink.target(&[document], Target::new(TargetKind::Service, "XRootD token authorisation", service));
        let mut taken: BTreeMap<&str, &str> = BTreeMap::new();
        for section in issuers {
            let issuer = section.get("issuer");
            let dropped = issuer.and_then(|at| Some((at, *taken.get(at.as_str()?)?)));
            if let Some((at, first)) = dropped {
                let trap = Found::new(PRODUCT, ISSUER_DROPPED, at, section.name).section(section.name);
                trap.effect(format!("[{first}] is used instead")).tell(sink);
            } else if let Some(url) = issuer.and_then(Cursor::as_str) {
                taken.insert(url, section.name);
            }
            let record = trust(section, &audiences, &without_token);
            // `[Issuer  ]` names nothing and is passed over.
            let named = section.at.key().is_some_and(|name| !name["issuer ".len()..].trim().is_empty());
            let active = match (dropped, &record.issuer.state) {
                (Some(_), _) => Field::bool(false, None),
                _ if !named || record.base_paths.items().is_empty() => Field::bool(false, None),
                (None, State::Unknown(_)) => Field::unknown(TEMPLATE, None),
                (None, _) => Field::bool(record.issuer.as_text().is_some(), None),
            };
            let target = Target {
                identity: section.name.to_string().into(),
                at: At::node(section.at.id),
                ..Target::new(TargetKind::Trust, section.name, Trust { active, ..record })
            };
            sink.target(&[document], target);
        }
        for section in document.root().items() {
            section_traps(document, section, sink);
        }
        for section in sections.iter().filter(|section| section.is_issuer()) {
            skipped(document, section, sink);
        }
    }
}

/// What has one name for inih: a section, or several that are merged.
struct Section<'d> {
    /// The name as first written; sections are taken in the order of these names.
    name: &'d str,
    at: Cursor<'d>,
    /// The value of each key that counts: the last.
    values: BTreeMap<&'d str, Cursor<'d>>,
}

impl<'d> Section<'d> {
    fn is_global(&self) -> bool {
        self.at.key().is_some_and(is_global)
    }

    fn is_issuer(&self) -> bool {
        self.at.key().is_some_and(is_issuer)
    }

    fn get(&self, key: &str) -> Option<Cursor<'d>> {
        self.values.get(key).copied()
    }

    fn text(&self, key: &str) -> Field<'d> {
        self.field(key, Field::text)
    }

    /// A list, its words separated by commas and blanks.
    fn list(&self, key: &str) -> Field<'d> {
        self.field(key, |text, at| {
            Field::list(words(text).enumerate().map(|(index, word)| Field::text(word, at.word(index))).collect(), at)
        })
    }

    /// A list of paths as the plug-in uses them; those that it leaves out are not there.
    fn paths(&self, key: &str) -> Field<'d> {
        self.field(key, |text, at| {
            let path = |(index, word)| Some(Field::text(canonical(word)?, at.word(index)));
            Field::list(words(text).enumerate().filter_map(path).collect(), at)
        })
    }

    /// The strategies that the plug-in knows, in its spelling.
    fn strategies(&self) -> Field<'d> {
        self.field("authorization_strategy", |text, at| {
            let known =
                text.split(' ').filter_map(|word| STRATEGIES.iter().find(|name| word.eq_ignore_ascii_case(name)));
            Field::list(known.map(|name| Field::text(*name, at)).collect(), at)
        })
    }

    fn bool(&self, key: &str) -> Field<'d> {
        self.field(key, |text, at| match text.to_ascii_lowercase().as_str() {
            "true" | "yes" | "on" | "1" => Field::bool(true, at),
            "false" | "no" | "off" | "0" => Field::bool(false, at),
            // Whatever else stands there, the default holds.
            _ => Field::default(),
        })
    }

    fn field(&self, key: &str, read: impl FnOnce(&'d str, At) -> Field<'d>) -> Field<'d> {
        let Some(cursor) = self.get(key) else { return Field::default() };
        let at = At::node(cursor.id);
        match cursor.as_str().unwrap_or_default() {
            "" => Field { at: Some(at), ..Field::default() },
            text if is_placeholder(text) => Field::unknown(TEMPLATE, at),
            text => read(text, at),
        }
    }
}

fn is_global(name: &str) -> bool {
    name.starts_with("global")
}

fn is_issuer(name: &str) -> bool {
    name.starts_with("issuer ")
}

/// The sections in the order the plug-in takes them in.
fn sections(document: &Document) -> Vec<Section<'_>> {
    let mut sections: Vec<Section<'_>> = Vec::new();
    let mut by_key: HashMap<Option<&str>, usize> = HashMap::new();
    for at in document.root().items().filter(|member| member.is_map()) {
        let index = *by_key.entry(at.key()).or_insert_with(|| {
            let name = at.key_span().map_or("", |span| document.source.slice(span));
            sections.push(Section { name, at, values: BTreeMap::new() });
            sections.len() - 1
        });
        sections[index].values.extend(at.entries());
    }
    sections.sort_by_key(|section| section.name);
    sections
}

/// The words of a list.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split([',', ' ']).filter(|word| !word.is_empty())
}

/// A path as the plug-in compares it: without empty, `.` and `..` components; `None` for one that it leaves out.
fn canonical(path: &str) -> Option<Cow<'_, str>> {
    if !path.starts_with('/') {
        return None;
    }
    let mut kept: Vec<&str> = Vec::new();
    for component in path.split('/') {
        match component {
            "" | "." => {}
            ".." => drop(kept.pop()),
            _ => kept.push(component),
        }
    }
    let canonical = format!("/{}", kept.join("/"));
    Some(if canonical == path { Cow::Borrowed(path) } else { Cow::Owned(canonical) })
}

/// Audiences and `onmissing` of all global sections.
fn global<'d>(sections: &[Section<'d>]) -> (Field<'d>, Field<'d>) {
    let mut all = Field::default();
    let mut without_token = Field::text("passthrough", None);
    for section in sections.iter().filter(|section| section.is_global()) {
        all = match (all.items().is_empty(), audiences(section)) {
            (true, more) => more.or(all),
            (false, more) if more.items().is_empty() => all,
            (false, more) => Field::list(all.items().iter().chain(more.items()).cloned().collect(), all.at),
        };
        let word = section.text("onmissing");
        without_token = if word.is_absent() { without_token } else { word };
    }
    (all, without_token)
}

/// The audiences of both keys together.
fn audiences<'d>(global: &Section<'d>) -> Field<'d> {
    let plain = global.list("audience");
    let json = global.field("audience_json", |text, at| match serde_json::from_str::<Vec<String>>(text) {
        Ok(items) => Field::list(items.into_iter().map(|item| Field::text(item, at)).collect(), at),
        Err(_) => Field::malformed(NO_LIST, at),
    });
    match (plain.items().is_empty(), json.items().is_empty()) {
        _ if matches!(json.state, State::Malformed(_)) => json,
        (false, false) => Field::list(plain.items().iter().chain(json.items()).cloned().collect(), plain.at),
        (true, _) if !json.is_absent() => json,
        _ => plain,
    }
}

const NO_LIST: &str = "audience_json must be a JSON list of strings";

fn trust<'d>(section: &Section<'d>, audiences: &Field<'d>, without_token: &Field<'d>) -> Trust<'d> {
    let (account, claim) = (section.text("default_user"), section.text("username_claim"));
    let (map_file, subject) = (section.text("name_mapfile"), section.bool("map_subject"));
    let ways = [
        ("claim", claim.at.filter(|_| claim.as_text().is_some())),
        ("subject", subject.at.filter(|_| subject.as_bool() == Some(true))),
        ("file", map_file.at.filter(|_| map_file.as_text().is_some())),
        ("fixed", account.at.filter(|_| account.as_text().is_some())),
    ];
    let mapping = ways.into_iter().filter_map(|(way, at)| Some(Field::text(way, at?))).collect();
    // Where no restricted path is left, or all is below one of them, there is no restriction.
    let restricted = section.paths("restricted_path");
    let unrestricted =
        matches!(restricted.state, State::Value(_)) && (restricted.items().is_empty() || restricted.contains("/"));
    Trust {
        product: Field::text(PRODUCT, None),
        issuer: section.text("issuer"),
        alias: Field::text(section.name, At::node(section.at.id)),
        audiences: audiences.clone(),
        audience_checked: Field::bool(true, None),
        any_audience: Field::bool(true, None),
        missing_audience: match audiences.items().is_empty() {
            true => Field::unknown("a WLCG token without audience is refused, a SciToken 1.0 is not", None),
            false => Field::bool(false, None),
        },
        base_paths: section.paths("base_path"),
        restricted_paths: if unrestricted { Field { state: State::Absent, ..restricted } } else { restricted },
        strategy: section.strategies(),
        mapping: Field::list(mapping, None),
        account,
        account_claim: claim,
        map_file,
        groups_claim: section.text("groups_claim").or(Field::text("wlcg.groups", None)),
        without_token: without_token.clone(),
        ..Trust::default()
    }
}

/// A section of one kind with the keys that the plug-in reads there.
fn known_keys(section: &str) -> Option<&'static [&'static str]> {
    match section {
        name if is_global(name) => Some(&GLOBAL_KEYS),
        name if is_issuer(name) => Some(&ISSUER_KEYS),
        _ => None,
    }
}

/// What the plug-in reads in another way than it looks.
fn section_traps(document: &Document, section: Cursor<'_>, sink: &mut dyn Sink) {
    let name = section.key_span().map_or("", |span| document.source.slice(span));
    if !section.is_map() {
        let trap = Found::new(PRODUCT, KEY_MISPLACED, section, name);
        return trap.effect(" outside of any section").tell(sink);
    }
    let Some(known) = known_keys(section.key().unwrap_or_default()) else {
        return Found::new(PRODUCT, UNKNOWN_SECTION, section, name).tell(sink);
    };
    let entries: Vec<_> = section.entries().collect();
    for (index, &(key, entry)) in entries.iter().enumerate() {
        let found = |code| Found::new(PRODUCT, code, entry, key).section(name);
        let noted = |kind: NoteKind, entry: Cursor<'_>| {
            document.tree.notes.iter().any(|note| note.kind == kind && note.node == entry.id)
        };
        let again = |&(other, entry): &(&str, Cursor<'_>)| other == key && !noted(NoteKind::Continuation, entry);
        if noted(NoteKind::CutLine, entry) {
            found(LINE_CUT).tell(sink);
        } else if noted(NoteKind::Continuation, entry) {
            found(VALUE_REPLACED).tell(sink);
        } else if PELICAN_KEYS.contains(&key) {
            found(KEY_OF_PELICAN).tell(sink);
        } else if !known.contains(&key) {
            let elsewhere = GLOBAL_KEYS.contains(&key) || ISSUER_KEYS.contains(&key);
            match elsewhere {
                true => found(KEY_MISPLACED).effect(format!(" in [{name}]")).tell(sink),
                false => found(UNKNOWN_KEY).nearest(known).tell(sink),
            }
        } else if entries[index + 1..].iter().any(again) {
            found(KEY_REPEATED).tell(sink);
        } else {
            value_traps(key, entry, &found, sink);
        }
    }
}

/// What the plug-in makes of a value.
fn value_traps<'d>(key: &str, entry: Cursor<'d>, found: &dyn Fn(&'static str) -> Found<'d>, sink: &mut dyn Sink) {
    let text = entry.as_str().unwrap_or_default();
    let lower = text.to_ascii_lowercase();
    if text.is_empty() || is_placeholder(text) {
        return;
    }
    if key == "audience_json" {
        if serde_json::from_str::<Vec<String>>(text).is_err() {
            found(FILE_REFUSED).effect(NO_LIST).tell(sink);
        }
        return;
    }
    if text.contains(" #") {
        return found(VALUE_WITH_COMMENT).tell(sink);
    }
    if words(text).any(|word| word.starts_with(['"', '\'']) || word.ends_with(['"', '\''])) {
        return found(VALUE_QUOTED).tell(sink);
    }
    match key {
        "onmissing" if !["passthrough", "allow", "deny"].contains(&text) => {
            found(FILE_REFUSED).effect("onmissing must be passthrough, allow or deny, in lower case").tell(sink);
        }
        "map_subject" if !["true", "yes", "on", "1", "false", "no", "off", "0"].contains(&lower.as_str()) => {
            found(BOOLEAN_UNKNOWN).tell(sink);
        }
        "authorization_strategy" => strategy_traps(text, found, sink),
        "base_path" | "restricted_path" => path_traps(key, text, found, sink),
        _ => {}
    }
}

fn strategy_traps<'d>(text: &str, found: &dyn Fn(&'static str) -> Found<'d>, sink: &mut dyn Sink) {
    let is_known = |word: &&str| STRATEGIES.iter().any(|name| word.eq_ignore_ascii_case(name));
    let left = text.split(' ').any(|word| is_known(&word));
    for word in text.split(' ').filter(|word| !word.is_empty() && !is_known(word)) {
        let effect = match left {
            true => "",
            false => "; none is left, so tokens of the issuer give no rights at all",
        };
        found(STRATEGY_UNKNOWN).called(word).effect(effect).tell(sink);
    }
}

fn path_traps<'d>(key: &str, text: &str, found: &dyn Fn(&'static str) -> Found<'d>, sink: &mut dyn Sink) {
    let left = words(text).any(|word| word.starts_with('/'));
    for (index, word) in words(text).enumerate() {
        match canonical(word) {
            None => {
                let effect = match (left, key) {
                    (true, _) => "",
                    (false, "base_path") => "; the issuer's tokens reach no path",
                    (false, _) => "; no restriction is left, so the issuer's tokens reach everything below base_path",
                };
                found(PATH_LEFT_OUT).called(word).word(index).effect(effect).tell(sink);
            }
            Some(path) if word.split('/').any(|component| matches!(component, "." | "..")) => {
                found(PATH_RESOLVED).called(word).word(index).effect(path.into_owned()).tell(sink);
            }
            Some(_) => {}
        }
    }
}

/// Traps of an issuer's section as a whole, its parts taken together.
fn skipped(document: &Document, section: &Section<'_>, sink: &mut dyn Sink) {
    let swallowed = section.at.entries().any(|(_, entry)| {
        document.tree.notes.iter().any(|note| note.kind == NoteKind::Continuation && note.node == entry.id)
    });
    let empty = |key| section.get(key).and_then(Cursor::as_str).is_none_or(str::is_empty);
    let why = match section.name["issuer ".len()..].trim() {
        "" => Some("its name is missing; write one behind the word issuer"),
        // An indented line has taken the key in, which is said there.
        _ if swallowed => None,
        _ if empty("issuer") => Some("it has no key issuer"),
        _ if empty("base_path") => Some("it has no key base_path"),
        _ => None,
    };
    if let Some(why) = why {
        Found::new(PRODUCT, ISSUER_SKIPPED, section.at, section.name).effect(why).tell(sink);
    }
    let Some(limits) = section.get("restricted_path") else { return };
    let bases = section.paths("base_path");
    let within = |path: &str| {
        let base = bases.items().iter().filter_map(Field::as_text).find(|base| {
            *base != "/" && path.strip_prefix(*base).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        });
        base.map(str::to_string)
    };
    for (index, word) in words(limits.as_str().unwrap_or_default()).enumerate() {
        if let Some(base) = canonical(word).and_then(|path| within(&path)) {
            let trap = Found::new(PRODUCT, RESTRICTED_PATH_WITH_BASE, limits, word).section(section.name);
            trap.word(index).effect(base).tell(sink);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapt::testing::{Collected, collect};

    fn read(text: &str) -> Collected {
        assert_eq!(ScitokensCfg.syntax(&Sample::new("t", text)), Some(SYNTAX));
        collect(text, SYNTAX)
    }

    #[test]
    fn issuers_are_read_as_the_plugin_takes_them() {
        let collected = read(
            "[Global]\naudience = https://se.example.org:1094, any ; ours\naudience_json = [\"x y\"]\nonmissing = allow\n\
             [GlobalTwo]\naudience = second\nonmissing = deny\n\
             [Issuer VO]\nissuer = https://vo.example.org/\nbase_path = /data//vo/, /store, x\nrestricted_path = /mc/./a\n\
             map_subject = TRUE\ndefault_user = vo\nname_mapfile = /etc/xrootd/vo.json\nauthorization_strategy = Capability other\n",
        );
        assert_eq!((collected.kinds.as_slice(), collected.targets.len()), (&[KIND][..], 5));
        let service = &collected.targets[0];
        assert_eq!(service.get("audiences"), "https://se.example.org:1094 any x y second");
        assert_eq!((service.get("without_token"), service.get("files")), ("deny", "/etc/xrootd/vo.json"));
        let trust = &collected.targets[1];
        for (field, expected) in [
            ("issuer", "https://vo.example.org/"),
            ("alias", "Issuer VO"),
            ("base_paths", "/data/vo /store"),
            ("restricted_paths", "/mc/a"),
            ("strategy", "capability"),
            ("mapping", "subject file fixed"),
            ("any_audience", "true"),
            ("missing_audience", "false"),
            ("active", "true"),
        ] {
            assert_eq!(trust.get(field), expected, "{field}");
        }
        assert_eq!(trust.pointers["base_paths"], "/issuer vo/base_path");
    }

    #[test]
    fn what_is_left_out_does_not_restrict() {
        let issuer = "[Issuer A]\nissuer = https://a.example/\nbase_path = /vo\n";
        for (line, field, expected, remark) in [
            ("restricted_path = mc, raw", "restricted_paths", "", "no path is left, so none limits"),
            ("restricted_path = /raw, /", "restricted_paths", "", "all is below one of them"),
            ("restricted_path = mc, /raw", "restricted_paths", "/raw", "one is left"),
            ("authorization_strategy = capability,group", "strategy", "", "commas do not separate"),
            ("authorization_strategy = ", "strategy", "", "an empty value is no value"),
            ("base_path = vo", "active", "false", "an issuer without a path gives nothing"),
        ] {
            let collected = read(&format!("{issuer}{line}\n"));
            let trust = collected.targets.iter().find(|got| got.kind == TargetKind::Trust).expect("one issuer");
            assert_eq!(trust.get(field), expected, "{remark}");
        }
    }

    #[test]
    fn what_the_plugin_skips_is_a_trap() {
        for (text, code, name, remark) in [
            (
                "[IssuerX]\nissuer = https://a.example/\n[Issuer A]\nissuer = https://b.example/\nbase_path = /\n",
                UNKNOWN_SECTION,
                "IssuerX",
                "no blank",
            ),
            ("[Global]\naudiance = a\naudience = b\n", UNKNOWN_KEY, "audiance", "misspelt"),
            ("[Global]\naudience = a,\n  b\n", VALUE_REPLACED, "audience", "list over two lines"),
            ("[Issuer A]\nissuer = https://a.example/\n  base_path = /\n", VALUE_REPLACED, "issuer", "indented key"),
            (
                "[Issuer B]\nissuer = https://a.example/\nbase_path=/\n[Issuer A]\nissuer = https://a.example/\nbase_path=/\n",
                ISSUER_DROPPED,
                "Issuer B",
                "the name that sorts first counts",
            ),
        ] {
            let collected = read(text);
            let traps: Vec<_> = collected.targets.iter().filter(|got| got.kind == TargetKind::Trap).collect();
            assert_eq!(traps.len(), 1, "{remark}");
            assert_eq!((traps[0].get("code"), traps[0].get("name")), (code, name), "{remark}");
        }
        let long = format!("[Global]\naudience = {},https://late.example\n", "a".repeat(1010));
        assert_eq!(read(&long).targets[1].get("code"), LINE_CUT);
    }
}
