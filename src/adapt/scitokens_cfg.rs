//! `scitokens.cfg`, the issuers that XRootD's SciTokens plug-in (also in EOS and Echo) trusts.
//!
//! What inih and the plug-in do with such a file, read from their sources: names have no case; a section is an issuer's
//! when its name starts with `issuer` and a blank, global when it starts with `global`, and is skipped without a word
//! otherwise; sections of one name are one; the last value of a key counts, and an indented line is another value of the
//! key before; of two sections with one issuer URL that of the name that sorts first counts. Unknown keys are skipped.

use super::traps::Found;
use super::{Adapter, Kind, Sample, Sink, is_placeholder};
use crate::model::{At, Field, Service, Target, TargetKind, Trust};
use crate::parse::ini::IniDialect;
use crate::parse::{Cursor, Document, NoteKind, Syntax};
use std::collections::BTreeMap;

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

const UNKNOWN_SECTION: &str = "xrootd-unknown-section";
const UNKNOWN_KEY: &str = "xrootd-unknown-key";
const LINE_CUT: &str = "xrootd-line-cut";
const VALUE_REPLACED: &str = "xrootd-value-replaced";
const ISSUER_DROPPED: &str = "xrootd-issuer-dropped";

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
        (issuers || global).then_some(SYNTAX)
    }

    fn recognise(&self, document: &Document) -> Option<&'static str> {
        (document.syntax == SYNTAX).then_some(KIND)
    }

    fn traps(&self) -> &'static [&'static str] {
        &[UNKNOWN_SECTION, UNKNOWN_KEY, LINE_CUT, VALUE_REPLACED, ISSUER_DROPPED]
    }

    fn adapt(&self, document: &Document, _kind: &'static str, sink: &mut dyn Sink) {
        let sections = sections(document);
        let (audiences, without_token) = match sections.iter().find(|section| section.is_global()) {
            Some(global) => (audiences(global), global.text("onmissing").or(Field::text("passthrough", None))),
            None => (Field::default(), Field::text("passthrough", None)),
        };
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
            let usable = record.issuer.as_text().is_some() && !record.base_paths.items().is_empty();
            let target = Target {
                identity: section.name.to_string(),
                at: At::node(section.at.id),
                ..Target::new(
                    TargetKind::Trust,
                    section.name,
                    Trust { active: Field::bool(dropped.is_none() && usable, None), ..record },
                )
            };
            sink.target(&[document], target);
        }
        traps(document, sink);
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
            let words = text.split([',', ' ', '\t']).filter(|word| !word.is_empty()).enumerate();
            Field::list(words.map(|(index, word)| Field::text(word, at.word(index))).collect(), at)
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
            text if is_placeholder(text) => Field::unknown("a template placeholder stands in its place", at),
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
    for at in document.root().items().filter(|member| member.is_map()) {
        let same = sections.iter().position(|known| known.at.key() == at.key());
        let index = same.unwrap_or_else(|| {
            let name = at.key_span().map_or("", |span| document.source.slice(span));
            sections.push(Section { name, at, values: BTreeMap::new() });
            sections.len() - 1
        });
        sections[index].values.extend(at.entries());
    }
    sections.sort_by_key(|section| section.name);
    sections
}

/// The audiences of both keys together.
fn audiences<'d>(global: &Section<'d>) -> Field<'d> {
    let plain = global.list("audience");
    let json = global.field("audience_json", |text, at| match serde_json::from_str::<Vec<String>>(text) {
        Ok(items) => Field::list(items.into_iter().map(|item| Field::text(item, at)).collect(), at),
        Err(_) => Field::malformed("a JSON list of strings is expected; XRootD refuses the whole file", at),
    });
    match (plain.items().is_empty(), json.items().is_empty()) {
        (false, false) => Field::list(plain.items().iter().chain(json.items()).cloned().collect(), plain.at),
        (true, _) if !json.is_absent() => json,
        _ => plain,
    }
}

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
    let all = || ["capability", "group", "mapping"].map(|word| Field::text(word, None)).to_vec();
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
        base_paths: section.list("base_path"),
        restricted_paths: section.list("restricted_path"),
        strategy: section.list("authorization_strategy").or(Field::list(all(), None)),
        mapping: Field::list(mapping, None),
        account,
        account_claim: claim,
        map_file,
        groups_claim: section.text("groups_claim").or(Field::text("wlcg.groups", None)),
        without_token: without_token.clone(),
        ..Trust::default()
    }
}

/// What the plug-in reads in another way than it looks.
fn traps(document: &Document, sink: &mut dyn Sink) {
    let noted = |kind: NoteKind, node| document.tree.notes.iter().any(|note| note.kind == kind && note.node == node);
    for section in document.root().items() {
        let known: &[&str] = match section.key().unwrap_or_default() {
            name if is_global(name) => &GLOBAL_KEYS,
            name if is_issuer(name) => &ISSUER_KEYS,
            _ => {
                let name = section.key_span().map_or("", |span| document.source.slice(span));
                Found::new(PRODUCT, UNKNOWN_SECTION, section, name).tell(sink);
                continue;
            }
        };
        for (key, entry) in section.entries() {
            let found = |code| Found::new(PRODUCT, code, entry, key).section(section.key().unwrap_or_default());
            if noted(NoteKind::CutLine, entry.id) {
                found(LINE_CUT).tell(sink);
            } else if noted(NoteKind::Continuation, entry.id) {
                found(VALUE_REPLACED).tell(sink);
            } else if !known.contains(&key) {
                found(UNKNOWN_KEY).nearest(known).tell(sink);
            }
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
            "[Global]\naudience = https://se.example.org:1094, any ; ours\naudience_json = [\"x y\"]\nonmissing = deny\n\
             [Issuer VO]\nissuer = https://vo.example.org/\nbase_path = /data/vo, /store\nrestricted_path = /store/mc\n\
             map_subject = TRUE\ndefault_user = vo\nname_mapfile = /etc/xrootd/vo.json\nauthorization_strategy = capability\n",
        );
        assert_eq!((collected.kinds.as_slice(), collected.targets.len()), (&[KIND][..], 2));
        let service = &collected.targets[0];
        assert_eq!(service.get("audiences"), "https://se.example.org:1094 any x y");
        assert_eq!((service.get("without_token"), service.get("files")), ("deny", "/etc/xrootd/vo.json"));
        let trust = &collected.targets[1];
        for (field, expected) in [
            ("issuer", "https://vo.example.org/"),
            ("alias", "Issuer VO"),
            ("base_paths", "/data/vo /store"),
            ("restricted_paths", "/store/mc"),
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
