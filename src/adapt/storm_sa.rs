//! Storage areas of StoRM WebDAV, one properties file each.
//!
//! Read from its sources: a token of a listed issuer (`orgs`) may read where `orgsGrantReadPermission` holds, and write where
//! `orgsGrantWritePermission` holds as well; both are true where they are left out. Further answers come from the scopes
//! and from the policies, where those are switched on, and the majority decides, a tie for the user. Unknown keys are ignored.

use super::storm::{PRODUCT, boolean, text, texts};
use super::traps::Found;
use super::{Adapter, Kind, Sample, Sink};
use crate::model::{At, Field, Service, Target, TargetKind, Trust};
use crate::parse::ini::{self, IniDialect};
use crate::parse::{Cursor, Document, Syntax};
use crate::source::Source;
use std::sync::Arc;

/// The adapter.
pub(super) struct StormSa;

const KIND: &str = "storm-sa.properties";
const SYNTAX: Syntax = Syntax::Ini(IniDialect::Properties);

const UNKNOWN_KEY: &str = super::storm_application::UNKNOWN_KEY;
const WRITE_LEFT_OUT: &str = "storm-write-permission-left-out";
const SCOPES_OUTVOTED: &str = "storm-scopes-outvoted";

const KEYS: [&str; 15] = [
    "name",
    "rootPath",
    "accessPoints",
    "vos",
    "orgs",
    "authenticatedReadEnabled",
    "anonymousReadEnabled",
    "voMapEnabled",
    "voMapGrantsWritePermission",
    "orgsGrantReadPermission",
    "orgsGrantWritePermission",
    "wlcgScopeAuthzEnabled",
    "fineGrainedAuthzEnabled",
    "tapeEnabled",
    "filesystemType",
];

impl Adapter for StormSa {
    fn kinds(&self) -> &'static [Kind] {
        &[Kind {
            name: KIND,
            doc: "storage area of StoRM WebDAV: which issuers' tokens may do what in it",
            targets: &[TargetKind::Service, TargetKind::Trust, TargetKind::Trap],
        }]
    }

    fn syntax(&self, sample: &Sample<'_>) -> Option<Syntax> {
        let names = || KEYS[1..].iter().filter(|key| sample.text.contains(*key));
        (names().take(2).count() == 2 && is_area(sample.text)).then_some(SYNTAX)
    }

    fn recognise(&self, document: &Document) -> Option<&'static str> {
        (document.syntax == SYNTAX).then_some(KIND)
    }

    fn traps(&self) -> &'static [&'static str] {
        &[WRITE_LEFT_OUT, SCOPES_OUTVOTED]
    }

    fn adapt(&self, document: &Document, _kind: &'static str, sink: &mut dyn Sink) {
        let root = document.root();
        let area = Area::new(root);
        let name = text(area.get("name")).as_text().unwrap_or("storage area").to_string();
        sink.target(&[document], Target::new(TargetKind::Service, name.as_str(), area.service()));
        let orgs = texts(area.get("orgs"));
        for org in orgs.items() {
            let identity = org.as_text().unwrap_or_default().to_string();
            let target = Target::new(TargetKind::Trust, format!("{identity} in {name}"), area.trust(org.clone()));
            sink.target(&[document], Target { identity: identity.into(), at: org.at.unwrap_or(At::ROOT), ..target });
        }
        for (key, member) in root.entries().filter(|(key, _)| !KEYS.contains(key)) {
            Found::new(PRODUCT, UNKNOWN_KEY, member, key).section(name.as_str()).nearest(&KEYS).tell(sink);
        }
        if !orgs.items().is_empty() {
            area.traps(&name, sink);
        }
    }
}

/// Is a text that names keys of a storage area one? Properties are spelt in so many ways that others look like them: at least
/// half of the keys must be known, and what YAML would read as a list or as a mapping in a mapping is left to it.
fn is_area(text: &str) -> bool {
    let source = Arc::new(Source::from_text("", text));
    let (tree, _) = ini::read(source.text(), IniDialect::Properties);
    let document = Document::new(source, SYNTAX, tree);
    let (mut all, mut telling, mut named, mut opened) = (0, 0, 0, None);
    for (key, entry) in document.root().entries() {
        let start = entry.key_span().map_or(0, |span| span.start as usize);
        let indentation = start - text[..start].rfind('\n').map_or(0, |newline| newline + 1);
        let value = entry.as_str().unwrap_or_default();
        let nested = opened.is_some_and(|outer| indentation > outer);
        if nested
            || value.starts_with(['[', '{'])
            || !key.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
        {
            return false;
        }
        opened = (value.is_empty() && text[start + key.len()..].starts_with(':')).then_some(indentation);
        telling += usize::from(KEYS[1..].contains(&key) || key.starts_with("orgsGrant"));
        named += usize::from(key == KEYS[0]);
        all += 1;
    }
    telling >= 2 && (telling + named) * 2 >= all
}

/// A storage area with what holds where a key is left out.
struct Area<'d> {
    root: Cursor<'d>,
    read: Field<'d>,
    write: Field<'d>,
    scopes: Field<'d>,
    policies: Field<'d>,
}

impl<'d> Area<'d> {
    fn new(root: Cursor<'d>) -> Self {
        let flag = |key: &str, default: bool| boolean(last(root, key)).or(Field::bool(default, None));
        let (read, write) = (flag("orgsGrantReadPermission", true), flag("orgsGrantWritePermission", true));
        // Whoever may not read may not write.
        let write = match (read.as_bool(), write.as_bool()) {
            (Some(false), _) => read.clone(),
            (_, Some(false)) | (Some(true), _) => write,
            (None, _) => read.clone(),
        };
        Area {
            root,
            write,
            read,
            scopes: flag("wlcgScopeAuthzEnabled", false),
            policies: flag("fineGrainedAuthzEnabled", false),
        }
    }

    fn get(&self, key: &str) -> Option<Cursor<'d>> {
        last(self.root, key)
    }

    fn service(&self) -> Service<'d> {
        let anonymous = boolean(self.get("anonymousReadEnabled")).or(Field::bool(false, None));
        Service {
            product: Field::text(PRODUCT, None),
            name: text(self.get("name")),
            without_token: match anonymous.as_bool() {
                Some(true) => Field::text("read", anonymous.at),
                Some(false) if self.policies.as_bool() != Some(false) => {
                    Field::unknown("the policies in application.yml decide", self.policies.at)
                }
                Some(false) => Field::text("deny", anonymous.at),
                None => anonymous,
            },
            any_issuer: Field::bool(false, None),
            ..Service::default()
        }
    }

    fn trust(&self, issuer: Field<'d>) -> Trust<'d> {
        let ways = [("capability", &self.scopes), ("group", &self.policies)];
        let ways = ways.into_iter().filter(|(_, field)| field.as_bool() == Some(true));
        let base = texts(self.get("accessPoints"));
        Trust {
            product: Field::text(PRODUCT, None),
            issuer,
            alias: text(self.get("name")),
            base_paths: base,
            strategy: Field::list(ways.map(|(way, field)| Field::text(way, field.at)).collect(), None),
            rights_without_scope: self.read.clone(),
            writes_without_scope: self.write.clone(),
            active: Field::bool(true, None),
            ..Trust::default()
        }
    }

    fn traps(&self, name: &str, sink: &mut dyn Sink) {
        let writes = self.write.as_bool() == Some(true);
        let Some(orgs) = self.get("orgs") else { return };
        if writes && self.get("orgsGrantWritePermission").is_none() {
            Found::new(PRODUCT, WRITE_LEFT_OUT, orgs, name).tell(sink);
        }
        if let Some(at) = self
            .get("wlcgScopeAuthzEnabled")
            .filter(|_| self.scopes.as_bool() == Some(true) && self.read.as_bool() == Some(true))
        {
            let effect = if writes { "read and write" } else { "read" };
            Found::new(PRODUCT, SCOPES_OUTVOTED, at, name).effect(effect).tell(sink);
        }
    }
}

/// The value of a key; of several the last, as Java reads properties.
fn last<'d>(root: Cursor<'d>, key: &str) -> Option<Cursor<'d>> {
    root.entries().filter(|(name, _)| *name == key).last().map(|(_, member)| member)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapt::testing::{Collected, Got, collect};

    fn read(text: &str) -> Collected {
        assert_eq!(StormSa.syntax(&Sample::new("t", text)), Some(SYNTAX), "{text}");
        collect(text, SYNTAX)
    }

    fn of(collected: &Collected, kind: TargetKind) -> Vec<&Got> {
        collected.targets.iter().filter(|got| got.kind == kind).collect()
    }

    const AREA: &str = "name=vo\naccessPoints=/vo,/vo2\norgs=https://vo.example.org/\n";

    #[test]
    fn organisations_get_what_is_not_taken_from_them() {
        for (lines, read_right, write_right, strategy, remark) in [
            ("", "true", "true", "", "both by default"),
            ("orgsGrantWritePermission=false\n", "true", "false", "", "reading stays"),
            ("orgsGrantReadPermission=false\n", "false", "false", "", "who may not read may not write"),
            (
                "orgsGrantReadPermission=FALSE\nwlcgScopeAuthzEnabled=true\nfineGrainedAuthzEnabled=true\n",
                "false",
                "false",
                "capability group",
                "scopes and groups",
            ),
            ("orgsGrantWritePermission=false\norgsGrantWritePermission=true\n", "true", "true", "", "the last counts"),
            ("orgsGrantReadPermission=${x}\n", "unknown", "unknown", "", "a placeholder"),
        ] {
            let collected = read(&format!("{AREA}{lines}"));
            let trust = of(&collected, TargetKind::Trust)[0];
            assert!(trust.get("rights_without_scope").starts_with(read_right), "{remark}");
            assert!(trust.get("writes_without_scope").starts_with(write_right), "{remark}");
            assert_eq!((trust.get("strategy"), trust.get("base_paths")), (strategy, "/vo /vo2"), "{remark}");
        }
        let two =
            read("accessPoints = /a\norgs = https://a.example/ , https://b.example/\nanonymousReadEnabled = true\n");
        let issuers: Vec<&str> = of(&two, TargetKind::Trust).iter().map(|got| got.get("issuer")).collect();
        assert_eq!(issuers, ["https://a.example/", "https://b.example/"]);
        assert_eq!(two.targets[0].get("without_token"), "read");
        let decided = read(&format!("{AREA}fineGrainedAuthzEnabled=true\n"));
        assert!(decided.targets[0].get("without_token").starts_with("unknown"), "policies elsewhere");
    }

    #[test]
    fn what_the_service_reads_otherwise_is_a_trap() {
        for (lines, code, name, remark) in [
            ("orgsGrantReadPermission=true\n", WRITE_LEFT_OUT, "vo", "the default in code"),
            (
                "orgsGrantWritePermission=false\nvoMapGrantsWriteAccess=false\n",
                UNKNOWN_KEY,
                "voMapGrantsWriteAccess",
                "docs",
            ),
            (
                "orgsGrantReadPermission=false\norgsGrantWritePermissions=false\n",
                UNKNOWN_KEY,
                "orgsGrantWritePermissions",
                "plural",
            ),
            ("orgsGrantWritePermission=false\nwlcgScopeAuthzEnabled=true\n", SCOPES_OUTVOTED, "vo", "a tie grants"),
        ] {
            let collected = read(&format!("{AREA}{lines}"));
            let traps: Vec<(&str, &str)> =
                of(&collected, TargetKind::Trap).iter().map(|got| (got.get("code"), got.get("name"))).collect();
            assert_eq!(traps, [(code, name)], "{remark}");
        }
        for healthy in [
            "orgsGrantReadPermission=false\nwlcgScopeAuthzEnabled=true\n",
            "orgsGrantReadPermission=false\norgsGrantWritePermission=false\nwlcgScopeAuthzEnabled=true\ntapeEnabled=true\n",
        ] {
            assert!(of(&read(&format!("{AREA}{healthy}")), TargetKind::Trap).is_empty(), "{healthy}");
        }
        assert!(of(&read("name=x\naccessPoints=/x\nrootPath=/y\n"), TargetKind::Trap).is_empty(), "no issuers");
    }

    #[test]
    fn other_properties_are_not_taken() {
        for text in [
            "server.port=80\nname=x\n",
            "orgs: [a]\naccessPoints: [b]\n",
            "orgs:\n  - a\naccessPoints:\n  - b\n",
            "storm:\n  rootPath: /x\n  accessPoints: /y\n  vos: z\n",
            "rootPath is a folder\nand accessPoints are paths\n- orgs own them\n",
            "rootPath=/x\n",
            "",
        ] {
            assert_eq!(StormSa.syntax(&Sample::new("t", text)), None, "{text}");
        }
    }

    #[test]
    fn every_spelling_of_properties_is_taken() {
        for text in [
            "name=wlcg\naccessPoints=/a,\\\n  /b\norgs=https://i.example/\nwlcgScopeAuthzEnabled=true\n",
            "! ours\nname : wlcg\naccessPoints : /a, /b\norgs : https://i.example/\n",
            "name: wlcg\r\naccessPoints: /a,/b\r\norgs: https://i.example/\r\nvos:\r\n",
            "name wlcg\n  accessPoints /a,/b\norgs \\\n  https://i.example/\nvos\n",
        ] {
            let collected = read(text);
            let trust = of(&collected, TargetKind::Trust)[0];
            let got = (collected.targets[0].get("name"), trust.get("issuer"), trust.get("base_paths"));
            assert_eq!(got, ("wlcg", "https://i.example/", "/a /b"), "{text}");
        }
    }
}
