//! Map files of dCache's multimap plug-in.
//!
//! Read from the plug-in's source: the first word of a line is what must match, the others are principals to add; every line
//! that matches adds, whatever stands before it. A word is `type:value`; a word of unknown type, without colon or with a
//! number that is none makes the plug-in skip the line with a warning. A provider is known by its name (`op:NAME`): with
//! the URL behind it (`op:NAME:URL`) the line is read and never matches.

use super::dcache_args::{Word, words};
use super::traps::Found;
use super::{Adapter, Kind, Sample, Sink, is_placeholder};
use crate::model::{At, Field, Mapping, Target, TargetKind};
use crate::parse::words::WordsDialect;
use crate::parse::{Cursor, Document, Syntax};

/// The adapter.
pub(super) struct Multimap;

const KIND: &str = "dcache-multimap";
const PRODUCT: &str = super::dcache::PRODUCT;
const SYNTAX: Syntax = Syntax::Words(WordsDialect::Multimap);

const LINE_SKIPPED: &str = "dcache-map-line-skipped";
const NEVER_MATCHES: &str = "dcache-map-never-matches";

const TYPES: [&str; 13] = [
    "dn",
    "email",
    "entitlement",
    "fqan",
    "gid",
    "group",
    "kerberos",
    "oidc",
    "oidcgrp",
    "op",
    "roles",
    "uid",
    "username",
];
/// Types that tokens bring.
const OF_TOKENS: [&str; 5] = ["email", "entitlement", "oidc", "oidcgrp", "op"];

impl Adapter for Multimap {
    fn kinds(&self) -> &'static [Kind] {
        &[Kind {
            name: KIND,
            doc: "map file of dCache's multimap plug-in: which identities get which account and groups",
            targets: &[TargetKind::Mapping, TargetKind::Trap],
        }]
    }

    fn syntax(&self, sample: &Sample<'_>) -> Option<Syntax> {
        let (mut ours, mut other) = (0_usize, 0_usize);
        for line in sample.lines() {
            let words = words(line);
            let typed = |word: Option<&Word<'_>>| {
                word.and_then(|word| word.text.split_once(':'))
                    .is_some_and(|(kind, value)| TYPES.contains(&kind) && !value.is_empty() && !value.starts_with(' '))
            };
            match typed(words.first()) && typed(words.get(1)) {
                true => ours += 1,
                false => other += 1,
            }
        }
        (ours > other).then_some(SYNTAX)
    }

    fn recognise(&self, document: &Document) -> Option<&'static str> {
        (document.syntax == SYNTAX).then_some(KIND)
    }

    fn traps(&self) -> &'static [&'static str] {
        &[LINE_SKIPPED, NEVER_MATCHES]
    }

    fn adapt(&self, document: &Document, _kind: &'static str, sink: &mut dyn Sink) {
        for at in document.root().items().filter_map(|line| line.items().next()) {
            line(document, at, sink);
        }
    }
}

fn line<'d>(document: &'d Document, at: Cursor<'d>, sink: &mut dyn Sink) {
    let text = at.as_str().unwrap_or_default();
    let words = words(text);
    let words: Vec<&Word<'_>> = words.iter().filter(|word| word.option.is_none()).collect();
    let Some((first, rest)) = words.split_first() else { return };
    let (kind, value) = first.text.split_once(':').unwrap_or((&first.text, ""));
    let name = format!("{kind}:{value}");
    if let Some((word, why)) = skipped(first, rest) {
        let known = word.split(':').next().unwrap_or_default();
        let found = Found::new(PRODUCT, LINE_SKIPPED, at, word.as_str());
        let near = crate::near::nearest(known, TYPES.into_iter()).filter(|_| !TYPES.contains(&known));
        let near = near.map_or_else(String::new, |near| format!("; did you mean {near}?"));
        return found.effect(format!("{why}{near}")).tell(sink);
    }
    let never = kind == "op" && value.contains(':');
    if never {
        let alias = value.split(':').next().unwrap_or_default();
        Found::new(PRODUCT, NEVER_MATCHES, at, name.as_str()).effect(format!("op:{alias}")).tell(sink);
    }
    if OF_TOKENS.contains(&kind) && !is_placeholder(text) {
        let mapping = mapping(kind, value, rest, At::node(at.id), text, !never);
        let target = Target::new(TargetKind::Mapping, name, mapping);
        sink.target(&[document], Target { at: At::node(at.id), ..target });
    }
}

/// The first word for which the plug-in skips the line, and why.
fn skipped(first: &Word<'_>, rest: &[&Word<'_>]) -> Option<(String, &'static str)> {
    if rest.is_empty() {
        return Some((first.text.to_string(), "nothing is given behind it"));
    }
    let wrong = |word: &Word<'_>, given: bool| {
        let Some((kind, value)) = word.text.split_once(':') else { return Some("it has no colon") };
        let number = value.split(',').next().unwrap_or_default();
        match kind {
            _ if !TYPES.contains(&kind) => Some("dCache has no such type"),
            "uid" | "gid" if number.parse::<i64>().is_err() => Some("it is no number"),
            "oidc" if given && !value.contains('@') => Some("the provider behind @ is missing"),
            _ => None,
        }
    };
    let words = std::iter::once((first, false)).chain(rest.iter().map(|word| (*word, true)));
    words
        .filter(|(word, _)| !is_placeholder(&word.text))
        .find_map(|(word, given)| Some((word.text.to_string(), wrong(word, given)?)))
}

fn mapping<'d>(kind: &str, value: &str, given: &[&Word<'_>], at: At, text: &str, active: bool) -> Mapping<'d> {
    let field = |value: &str| Field::text(value.to_string(), at.word(0));
    let (subject, provider) = match kind {
        "oidc" => value.rsplit_once('@').map_or((value, None), |(subject, provider)| (subject, Some(provider))),
        _ => (value, None),
    };
    let account = given.iter().find_map(|word| Some((word, word.text.strip_prefix("username:")?)));
    let gives = given.iter().map(|word| Field::text(word.text.to_string(), word.at(at, text))).collect();
    Mapping {
        product: Field::text(PRODUCT, None),
        issuer: match (kind, provider) {
            // A subject alone matches the same subject of every provider.
            ("oidc", None) => Field::unlimited(at.word(0)),
            _ => Field::default(),
        },
        alias: match (kind, provider) {
            ("op", _) => field(value.split(':').next().unwrap_or_default()),
            (_, Some(provider)) => field(provider),
            _ => Field::default(),
        },
        subject: if kind == "oidc" { field(subject) } else { Field::default() },
        group: if ["oidcgrp", "entitlement"].contains(&kind) { field(value) } else { Field::default() },
        account: account.map_or_else(Field::default, |(word, name)| Field::text(name.to_string(), word.at(at, text))),
        gives: Field::list(gives, None),
        bans: Field::bool(false, None),
        active: Field::bool(active, None),
        ..Mapping::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapt::testing::{Collected, Got, collect};

    fn read(text: &str) -> Collected {
        assert_eq!(Multimap.syntax(&Sample::new("t", text)), Some(SYNTAX), "{text}");
        collect(text, SYNTAX)
    }

    fn of(collected: &Collected, kind: TargetKind) -> Vec<&Got> {
        collected.targets.iter().filter(|got| got.kind == kind).collect()
    }

    #[test]
    fn lines_of_tokens_are_mappings() {
        for (text, expected, remark) in [
            (
                "op:vo  uid:1999 gid:1999,true username:vo_oidc\n",
                [
                    ("alias", "vo"),
                    ("account", "vo_oidc"),
                    ("gives", "uid:1999 gid:1999,true username:vo_oidc"),
                    ("active", "true"),
                ],
                "a provider",
            ),
            (
                "oidc:5f1d@vo username:prod\n",
                [("alias", "vo"), ("subject", "5f1d"), ("account", "prod"), ("issuer", "")],
                "a subject of a provider",
            ),
            (
                "oidc:5f1d username:prod\n",
                [("alias", ""), ("subject", "5f1d"), ("account", "prod"), ("issuer", "unlimited")],
                "a subject of any provider",
            ),
            (
                "\"oidcgrp:/vo/a b\" gid:1300\n",
                [("group", "/vo/a b"), ("gives", "gid:1300"), ("account", ""), ("alias", "")],
                "a quoted group",
            ),
            (
                "email:user@example.org username:'a user'\n",
                [("subject", ""), ("account", "a user"), ("gives", "username:a user"), ("active", "true")],
                "a mail address, quotes within a word",
            ),
        ] {
            let collected = read(text);
            let mappings = of(&collected, TargetKind::Mapping);
            assert_eq!((mappings.len(), collected.targets.len()), (1, 1), "{remark}");
            for (field, value) in expected {
                assert_eq!(mappings[0].get(field), value, "{remark}: {field}");
            }
        }
        let certificates = read("dn:\"/C=XX/CN=A User\" username:user uid:1 gid:2,true\nfqan:/vo gid:3\n");
        assert!(certificates.targets.is_empty(), "certificates are no tokens");
    }

    #[test]
    fn lines_that_do_nothing_are_traps() {
        for (line, code, name, effect, remark) in [
            ("op:vo:https://vo.example.org/ uid:1", NEVER_MATCHES, "op:vo:https://vo.example.org/", "op:vo", "URL"),
            ("opp:vo uid:1", LINE_SKIPPED, "opp:vo", "dCache has no such type; did you mean op?", "unknown type"),
            ("op:vo role:admin", LINE_SKIPPED, "role:admin", "dCache has no such type; did you mean roles?", "given"),
            ("op:vo gid:main", LINE_SKIPPED, "gid:main", "it is no number", "no number"),
            ("op:vo", LINE_SKIPPED, "op:vo", "nothing is given behind it", "one word"),
            ("op:vo vo_oidc", LINE_SKIPPED, "vo_oidc", "it has no colon", "no type"),
        ] {
            let collected = read(&format!("op:a uid:1\nop:b uid:2\n{line}\n"));
            let traps = of(&collected, TargetKind::Trap);
            assert_eq!(traps.len(), 1, "{remark}");
            assert_eq!((traps[0].get("code"), traps[0].get("name")), (code, name), "{remark}");
            assert!(traps[0].get("effect").starts_with(effect), "{remark}: {}", traps[0].get("effect"));
        }
    }

    #[test]
    fn other_texts_are_not_taken() {
        for text in ["op: a\nuid: 1\n", "group: x uid: y\n", "username:x\n", ""] {
            assert_eq!(Multimap.syntax(&Sample::new("t", text)), None, "{text}");
        }
    }
}
