//! Helm values of charts that deploy a service which accepts tokens: its files as texts, its variables as a list. Charts name
//! their keys freely, so both are known by what they hold. The realm or clients of an issuer may be such a text as well.

use super::embedded::{self, Embedded};
use super::{Adapter, Kind, Sink, storm};
use crate::model::{At, Target, TargetKind};
use crate::parse::{Cursor, Document, Syntax};

/// The adapter.
pub(super) struct ServiceHelm;

const KIND: &str = "service-helm-values";

/// Deepest member that is looked at; charts need three or four levels.
const MAX_DEPTH: usize = 6;

impl Adapter for ServiceHelm {
    fn kinds(&self) -> &'static [Kind] {
        &[Kind {
            name: KIND,
            doc: "Helm values of a chart that deploys a service which accepts tokens, with its configuration files, or those \
                  that hold the realm or clients of an issuer as a JSON file",
            targets: &[
                TargetKind::Service,
                TargetKind::Trust,
                TargetKind::Mapping,
                TargetKind::Trap,
                TargetKind::Settings,
                TargetKind::Client,
            ],
        }]
    }

    fn recognise(&self, document: &Document) -> Option<&'static str> {
        let root = document.root();
        let other = ["apiVersion", "services", "jobs"].iter().any(|key| root.has(key));
        if document.syntax != Syntax::Yaml || !root.is_map() || other {
            return None;
        }
        let mut members = Vec::new();
        collect(root, 0, &mut members);
        let ours = |member: &Cursor<'_>| !variables(*member).is_empty() || file(document, *member).is_some();
        members.iter().any(ours).then_some(KIND)
    }

    fn adapt(&self, document: &Document, _kind: &'static str, sink: &mut dyn Sink) {
        let mut members = Vec::new();
        collect(document.root(), 0, &mut members);
        for member in members {
            let variables = variables(member);
            for (_, _, at) in variables.iter().filter(|(name, value, _)| storm::is_secret(name, value)) {
                sink.secret(document, at.node);
            }
            if let Some(service) = storm::environment(&variables) {
                let target = Target::new(TargetKind::Service, "StoRM WebDAV", service);
                sink.target(&[document], Target { at: At::node(member.id), ..target });
            }
            if let Some(file) = file(document, member) {
                file.adapt(document, sink);
            }
        }
    }
}

/// Texts of several lines, and lists, in document order.
fn collect<'d>(at: Cursor<'d>, depth: usize, found: &mut Vec<Cursor<'d>>) {
    for member in at.items() {
        if member.is_seq() || member.as_str().is_some_and(|text| text.contains('\n')) {
            found.push(member);
        } else if member.is_map() && depth < MAX_DEPTH {
            collect(member, depth + 1, found);
        }
    }
}

/// The variables of StoRM WebDAV in a `[{name, value}]` list.
fn variables(list: Cursor<'_>) -> Vec<storm::Variable<'_>> {
    let items = list.items().filter_map(|item| {
        let name = item.get("name")?.as_str()?;
        let value = item.get("value")?;
        Some((name, value.scalar_text()?, At::node(value.id)))
    });
    items.filter(|(name, _, _)| name.starts_with(storm::VARIABLES)).collect()
}

fn file<'d>(document: &'d Document, member: Cursor<'d>) -> Option<Embedded<'d>> {
    embedded::read(document, member, member.key()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapt::testing::collect;

    #[test]
    fn files_and_variables_are_found_wherever_the_chart_puts_them() {
        let collected = collect(
            "extraEnv:\n  - name: STORM_WEBDAV_OAUTH_REFRESH_PERIOD_MINUTES\n    value: \"5\"\nconfig:\n  application: |-\n    \
             oauth:\n      issuers:\n        - name: vo\n          issuer: https://vo.example.org/\n  sa:\n    vo.properties: |\n      \
             accessPoints=/vo\n      orgs=https://vo.example.org/\n",
            Syntax::Yaml,
        );
        assert_eq!(collected.kinds, [KIND]);
        let kinds: Vec<TargetKind> = collected.targets.iter().map(|got| got.kind).collect();
        use TargetKind::{Service, Trap, Trust};
        assert_eq!(kinds, [Service, Service, Trust, Service, Trust, Trap]);
        assert_eq!(collected.targets[0].get("key_refresh"), "300");
        assert_eq!(collected.targets[4].pointers["issuer"], "/orgs");
    }

    #[test]
    fn realms_are_found_in_the_values_of_an_issuer() {
        let collected = collect(
            "keycloakConfigCli:\n  configuration:\n    realm.json: |\n      {\n        \"realm\": \"r\",\n        \
             \"accessTokenLifespan\": 300\n      }\n",
            Syntax::Yaml,
        );
        assert_eq!(collected.kinds, [KIND]);
        assert_eq!(collected.targets[0].kind, TargetKind::Settings);
        assert_eq!(collected.targets[0].pointers["lifetimes.access_token"], "/accessTokenLifespan");
    }

    #[test]
    fn other_values_are_not_taken() {
        for yaml in
            ["script: |\n  echo a\n  echo b\n", "env:\n  - {name: A, value: b}\n", "apiVersion: v1\ndata: {a: b}\n"]
        {
            assert!(!collect(yaml, Syntax::Yaml).kinds.contains(&KIND), "{yaml}");
        }
    }
}
