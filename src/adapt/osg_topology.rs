//! Virtual organisations in OSG's topology: which issuers a VO has, and which account and paths they get.
//!
//! OSG makes the map file of its HTCondor-CEs from `Credentials.TokenIssuers` (`/^URL,/` or `/^URL,SUBJECT$/`, the account is
//! the VO's default), and `scitokens.cfg` of origins and caches from the `SciTokens` entries below `DataFederations`.

use super::{Adapter, Kind, Reader, Sink};
use crate::model::{Field, Mapping, Target, TargetKind, Trust};
use crate::parse::{Cursor, Document};
use std::collections::BTreeSet;

/// The adapter.
pub(super) struct OsgTopology;

const KIND: &str = "osg-topology-vo";
const PRODUCT: &str = "osg-topology";

impl Adapter for OsgTopology {
    fn kinds(&self) -> &'static [Kind] {
        &[Kind {
            name: KIND,
            doc: "a virtual organisation in OSG's topology repository, from which map files and scitokens.cfg are made",
            targets: &[TargetKind::Mapping, TargetKind::Trust],
        }]
    }

    fn recognise(&self, document: &Document) -> Option<&'static str> {
        let root = document.root();
        let issuers = root.path(&["Credentials", "TokenIssuers"]).is_some_and(Cursor::is_seq);
        let federation = root.path(&["DataFederations", "StashCache", "Namespaces"]).is_some();
        let described = root.has("LongName") && root.has("FieldsOfScience");
        (root.has("ID") && (issuers || federation || described)).then_some(KIND)
    }

    fn adapt(&self, document: &Document, _kind: &'static str, sink: &mut dyn Sink) {
        let root = document.root();
        let mut named = BTreeSet::new();
        let issuers = root.path(&["Credentials", "TokenIssuers"]).into_iter().flat_map(Cursor::items);
        for entry in issuers.filter(|entry| entry.is_map()) {
            mapping(&Reader::new(entry), sink);
            let url = entry.get("URL").and_then(Cursor::as_str).unwrap_or_default();
            if named.insert(url.to_string()) {
                compute(&Reader::new(entry), sink);
            }
        }
        let mut written = BTreeSet::new();
        for authorization in authorizations(root) {
            let Some(tokens) = authorization.get("SciTokens").filter(|tokens| tokens.is_map()) else { continue };
            let text = |name: &str| tokens.get(name).and_then(Cursor::scalar_text).unwrap_or_default().to_string();
            // Every namespace repeats the entries of the VO.
            if written.insert([text("Issuer"), text("Base Path"), text("Restricted Path")]) {
                storage(&Reader::new(tokens), sink);
            }
        }
    }
}

/// The authorisations of all namespaces, which are a list of today or a mapping of former days.
fn authorizations<'d>(root: Cursor<'d>) -> impl Iterator<Item = Cursor<'d>> {
    let namespaces = root.path(&["DataFederations", "StashCache", "Namespaces"]).into_iter().flat_map(Cursor::items);
    namespaces.flat_map(|namespace| {
        let list = if namespace.is_map() { namespace.get("Authorizations") } else { Some(namespace) };
        list.into_iter().flat_map(Cursor::items)
    })
}

fn mapping(entry: &Reader<'_>, sink: &mut dyn Sink) {
    let at = entry.place(entry.cursor());
    let issuer = entry.text("URL");
    let name = issuer.as_text().unwrap_or("token issuer").to_string();
    let record = Mapping {
        product: Field::text(PRODUCT, None),
        issuer,
        subject: entry.any_text("Subject").or(Field::unlimited(at)),
        issuer_anchored: Field::bool(true, None),
        other_hosts: Field::bool(false, None),
        loose_dots: Field::bool(false, None),
        account: entry.text("DefaultUnixUser"),
        bans: Field::bool(false, None),
        active: Field::bool(true, None),
        ..Mapping::default()
    };
    sink.target(&[entry.cursor().document], Target { at, ..Target::new(TargetKind::Mapping, name, record) });
}

/// The issuer as HTCondor-CEs trust it.
fn compute(entry: &Reader<'_>, sink: &mut dyn Sink) {
    const ELSEWHERE: &str = "each service has its own configuration";
    let record = Trust {
        audiences: Field::unknown(ELSEWHERE, None),
        audience_checked: Field::unknown(ELSEWHERE, None),
        mapping: Field::list(vec![Field::text("file", None)], None),
        ..trust(entry.text("URL"))
    };
    emit(entry, record, sink);
}

/// The issuer as origins and caches trust it.
fn storage(entry: &Reader<'_>, sink: &mut dyn Sink) {
    let record = Trust {
        base_paths: paths(entry, "Base Path"),
        restricted_paths: paths(entry, "Restricted Path"),
        strategy: Field::list(vec![Field::text("capability", None)], None),
        ..trust(entry.text("Issuer"))
    };
    emit(entry, record, sink);
}

fn trust<'d>(issuer: Field<'d>) -> Trust<'d> {
    Trust {
        product: Field::text(PRODUCT, None),
        issuer,
        any_audience: Field::bool(true, None),
        active: Field::bool(true, None),
        ..Trust::default()
    }
}

fn emit(entry: &Reader<'_>, record: Trust<'_>, sink: &mut dyn Sink) {
    let name = record.issuer.as_text().unwrap_or("token issuer").to_string();
    let target = Target { at: entry.place(entry.cursor()), ..Target::new(TargetKind::Trust, name, record) };
    sink.target(&[entry.cursor().document], target);
}

/// Paths separated by commas, as scitokens.cfg takes them.
fn paths<'d>(entry: &Reader<'d>, name: &str) -> Field<'d> {
    let field = entry.text(name);
    let Some(at) = field.at.filter(|_| field.as_text().is_some()) else { return field };
    let text = entry.cursor().get(name).and_then(Cursor::as_str).unwrap_or_default();
    let paths = text.split([',', ' ']).filter(|path| !path.is_empty());
    Field::list(paths.map(|path| Field::text(path, at)).collect(), at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapt::testing::{Got, collect};
    use crate::parse::Syntax;

    #[test]
    fn a_vo_names_its_issuers_accounts_and_paths() {
        let collected = collect(
            "ID: 7\nCredentials:\n  TokenIssuers:\n    - URL: https://a.example\n      DefaultUnixUser: vo\n    \
             - URL: https://a.example\n      Subject: 0a1b\n      DefaultUnixUser: pilot\n\
             DataFederations:\n  StashCache:\n    Namespaces:\n      - Path: /vo\n        Authorizations:\n          - FQAN: /vo\n          \
             - SciTokens:\n              Issuer: https://a.example\n              Base Path: /vo,/ospool\n              \
             Restricted Path: /data\n      - Path: /vo/more\n        Authorizations:\n          - SciTokens:\n              \
             Issuer: https://a.example\n              Base Path: /vo,/ospool\n              Restricted Path: /data\n          - PUBLIC\n",
            Syntax::Yaml,
        );
        assert_eq!((collected.kinds.as_slice(), collected.errors.len()), ([KIND].as_slice(), 0));
        let row = |got: &Got| match got.kind {
            TargetKind::Mapping => ["issuer", "subject", "account"].map(|field| got.get(field)).join(" "),
            _ => ["issuer", "base_paths", "restricted_paths"].map(|field| got.get(field)).join(" "),
        };
        let rows: Vec<String> = collected.targets.iter().map(row).collect();
        assert_eq!(
            rows,
            [
                "https://a.example unlimited vo",
                "https://a.example  ",
                "https://a.example 0a1b pilot",
                "https://a.example /vo /ospool /data",
            ]
        );
    }

    #[test]
    fn former_and_odd_shapes_are_read_or_left_alone() {
        for (text, targets, remark) in [
            (
                "ID: 1\nDataFederations:\n  StashCache:\n    Namespaces:\n      /vo:\n        - SciTokens: {Issuer: i, Base Path: /vo}\n",
                Some(1),
                "a mapping of namespaces",
            ),
            ("ID: 1\nLongName: x\nFieldsOfScience: {}\n", Some(0), "no credentials"),
            ("ID: 1\nCredentials: {TokenIssuers: [x, 1, null]}\n", Some(0), "issuers that are none"),
            ("ID: 1\n", None, "an ID alone"),
            ("ID: 1\nCredentials: {User: x}\n", None, "other credentials"),
        ] {
            let collected = collect(text, Syntax::Yaml);
            match targets {
                Some(targets) => assert_eq!(collected.targets.len(), targets, "{remark}"),
                None => assert!(!collected.kinds.contains(&KIND), "{remark}"),
            }
        }
    }
}
