//! htvault-config: the YAML files of `/etc/htvault-config/config.d`, which it merges by the entries' `name`.
//!
//! Each entry of `issuers` is a client of that issuer, with the scopes its roles ask for. A scope that ends in `:`
//! (`storage.read:`) stands for that scope on any path. PyYAML reads these files, by the rules of YAML 1.1.

use super::traps::Found;
use super::{Adapter, Kind, Reader, Sink, secret};
use crate::model::{Client, Field, State, Target, TargetKind, Trust, Value};
use crate::parse::{Cursor, Document};

/// The adapter.
pub(super) struct Htvault;

const KIND: &str = "htvault-config";

const EMPTY_PATH: &str = "htvault-scope-empty-path";

const SECTIONS: [&str; 6] = ["issuers", "kerberos", "ssh", "ratelimits", "cluster", "delete"];

impl Adapter for Htvault {
    fn kinds(&self) -> &'static [Kind] {
        &[Kind {
            name: KIND,
            doc: "htvault-config file; one with only kerberos, ssh, ratelimits or cluster sections holds no client and \
                  nothing to judge",
            targets: &[TargetKind::Trust, TargetKind::Client, TargetKind::Trap],
        }]
    }

    fn traps(&self) -> &'static [&'static str] {
        &[EMPTY_PATH]
    }

    fn recognise(&self, document: &Document) -> Option<&'static str> {
        let root = document.root();
        if !root.is_map() || root.entries().any(|(name, _)| !SECTIONS.contains(&name)) {
            return None;
        }
        let entries = |section: &str| root.get(section).into_iter().flat_map(Cursor::items);
        let issuer = |item: Cursor<'_>| {
            item.has("name")
                && (item.has("clientid") || (item.has("url") && item.has("roles")) || item.has("callbackmode"))
        };
        let found = entries("issuers").any(issuer)
            || entries("kerberos").any(|item| item.has("name") && (item.has("ldapurl") || item.has("policydomain")))
            || entries("ratelimits").any(|item| item.has("path") && item.has("rate"))
            || root.get("ssh").is_some_and(|ssh| ssh.has("self-registration"))
            || root.get("cluster").is_some_and(|cluster| {
                ["master", "myname"].iter().any(|name| cluster.has(name))
                    && (cluster.has("name") || cluster.has("peer1"))
            });
        found.then_some(KIND)
    }

    fn adapt(&self, document: &Document, _kind: &'static str, sink: &mut dyn Sink) {
        let issuers = document.root().get("issuers");
        for item in issuers.into_iter().flat_map(Cursor::items).filter(|item| item.is_map()) {
            // An entry that removes one of another file describes no client.
            if !item.has("delete") {
                issuer(&Reader::new(item), sink);
                empty_paths(item, sink);
            }
        }
    }
}

/// Storage scopes that end with their colon.
fn empty_paths(entry: Cursor<'_>, sink: &mut dyn Sink) {
    let reader = Reader::new(entry);
    let roles = entry.get("roles").into_iter().flat_map(Cursor::items);
    for (role, item) in
        roles.flat_map(|role| role.get("scopes").into_iter().flat_map(Cursor::items).map(move |item| (role, item)))
    {
        let bare = bare_prefix(&reader, item);
        let scope = item.as_str().or(bare.as_ref().and_then(Field::as_text)).unwrap_or_default();
        if scope.starts_with("storage.") && scope.ends_with(':') {
            let role = role.get("name").and_then(Cursor::as_str).unwrap_or_default();
            Found::new("htvault-config", EMPTY_PATH, item, scope).section(role).tell(sink);
        }
    }
}

fn issuer(entry: &Reader<'_>, sink: &mut dyn Sink) {
    let secret = secret::look(entry, "secret", &[], sink);
    let mode = entry.text("callbackmode");
    let client_id = entry.any_text("clientid");
    let name = entry.any_text("name");
    let shown = name.as_text().or(client_id.as_text()).unwrap_or("issuer").to_string();
    let identity = client_id.as_text().unwrap_or("").to_string();
    let url = entry.text("url");
    if !url.is_absent() {
        // Vault's plug-in believes the ID tokens of the issuer.
        let (issuer, alias) = (url.clone(), name.clone());
        let product = Field::text("htvault-config", None);
        let trust = Trust { product, issuer, alias, active: Field::bool(true, None), ..Trust::default() };
        let at = entry.place(entry.cursor());
        let target =
            Target { identity: shown.clone().into(), at, ..Target::new(TargetKind::Trust, shown.clone(), trust) };
        sink.target(&[entry.cursor().document], target);
    }
    let scopes = scopes(entry);
    let record = Client {
        client_id,
        name,
        issuer: url,
        product: Field::text("htvault-config", None),
        grant_types: grants(&mode),
        refresh_tokens: match scopes.contains("offline_access") {
            true => Field::bool(true, scopes.at),
            // Some issuers give refresh tokens without that scope.
            false => Field::default(),
        },
        scopes,
        skips_consent: match mode.as_text() {
            Some("noconfirm") => Field::bool(true, mode.at),
            Some(_) => Field::bool(false, mode.at),
            None if mode.is_absent() => Field::bool(false, None),
            None => mode,
        },
        active: Field::bool(true, None),
        has_secret: secret.present,
        ..Client::default()
    };
    let target = Target {
        identity: identity.into(),
        at: entry.place(entry.cursor()),
        ..Target::new(TargetKind::Client, shown, record)
    };
    sink.target(&[entry.cursor().document], target);
}

/// `device` (the default) is the device flow, `direct` and `noconfirm` come back through the browser. Vault keeps
/// the refresh token in both.
fn grants<'d>(mode: &Field<'d>) -> Field<'d> {
    let first = match (&mode.state, mode.as_text()) {
        (State::Absent, _) | (_, Some("device")) => "urn:ietf:params:oauth:grant-type:device_code",
        (_, Some("direct" | "noconfirm")) => "authorization_code",
        (_, Some(_)) => return Field::unknown("the callback mode is none that is known", mode.at),
        _ => return mode.clone(),
    };
    Field::list(vec![Field::text(first, mode.at), Field::text("refresh_token", None)], mode.at)
}

/// The scopes of all roles, each once, where it stands first. Absent when the roles are in another file.
fn scopes<'d>(entry: &Reader<'d>) -> Field<'d> {
    let Some(roles) = entry.cursor().get("roles") else { return Field::default() };
    let mut all: Vec<Field<'d>> = Vec::new();
    for role in roles.items().filter(|role| role.is_map()) {
        let field = Reader::new(role).text_or_texts("scopes");
        let State::Value(Value::List(items)) = field.state else {
            all.extend((!field.is_absent()).then_some(field));
            continue;
        };
        let nodes: Vec<Cursor<'d>> = role.get("scopes").into_iter().flat_map(Cursor::items).collect();
        for (index, item) in items.into_iter().enumerate() {
            let item = nodes.get(index).and_then(|&node| bare_prefix(entry, node)).unwrap_or(item);
            if item.as_text().is_none_or(|text| !all.iter().any(|known| known.as_text() == Some(text))) {
                all.push(item);
            }
        }
    }
    Field::list(all, entry.place(roles))
}

/// `[storage.read:, …]`: without quotes YAML takes the colon for that of a mapping with an empty value. htvault-config's
/// own documentation writes scopes so; the scope with its colon is meant.
fn bare_prefix<'d>(entry: &Reader<'d>, item: Cursor<'d>) -> Option<Field<'d>> {
    let mut members = item.entries();
    let (name, value) = members.next()?;
    (value.is_null() && members.next().is_none()).then(|| Field::text(format!("{name}:"), entry.place(item)))
}

#[cfg(test)]
mod tests {
    use super::KIND;
    use crate::adapt::testing::collect;
    use crate::model::TargetKind;
    use crate::parse::Syntax;

    #[test]
    fn issuers_are_clients() {
        let got = collect(
            "issuers:\n  - name: one\n    clientid: c1\n    secret: test-secret\n    url: https://one.test/\n    \
             callbackmode: noconfirm\n    roles:\n      - name: default\n        scopes: [profile,storage.read:,\"storage.create:/\"]\n      \
             - name: readonly\n        scopes: [profile,offline_access]\n  - name: two\n    clientid: c2\n    url: https://two.test\n  \
             - name: gone\n    clientid: c3\n    delete: true\n",
            Syntax::Yaml,
        );
        assert_eq!((got.kinds.as_slice(), got.errors.len()), ([KIND].as_slice(), 0));
        let of = |kind| got.targets.iter().filter(|got| got.kind == kind).collect::<Vec<_>>();
        let trusts: Vec<_> = of(TargetKind::Trust).iter().map(|got| (got.get("alias"), got.get("issuer"))).collect();
        assert_eq!(trusts, [("one", "https://one.test/"), ("two", "https://two.test")]);
        let traps: Vec<_> = of(TargetKind::Trap).iter().map(|got| got.get("name")).collect();
        assert_eq!(traps, ["storage.read:"]);
        let one = of(TargetKind::Client)[0];
        assert_eq!((one.name.as_str(), one.get("client_id"), one.get("issuer")), ("one", "c1", "https://one.test/"));
        assert_eq!(one.get("scopes"), "profile storage.read: storage.create:/ offline_access");
        assert_eq!(one.get("grant_types"), "authorization_code refresh_token");
        assert_eq!((one.get("skips_consent"), one.get("refresh_tokens")), ("true", "true"));
        assert_eq!(got.secrets, ["/issuers/0/secret"]);
        let two = of(TargetKind::Client)[1];
        assert_eq!(two.get("grant_types"), "urn:ietf:params:oauth:grant-type:device_code refresh_token");
        assert_eq!((two.get("skips_consent"), two.get("scopes")), ("false", ""), "the roles may be in another file");
        assert_eq!(of(TargetKind::Client).len(), 2, "an entry that deletes is no client");
    }

    #[test]
    fn files_of_other_sections_are_recognised_and_hold_no_target() {
        for text in [
            "kerberos:\n  - name: one\n    ldapurl: ldaps://ldap.test\n",
            "cluster:\n  name: vault.test\n  master: vault1.test\n  peer1: vault2.test\n",
            "ssh:\n  self-registration: disallowed\n",
            "ratelimits:\n  - name: login\n    path: auth/login\n    rate: 10\n",
        ] {
            let got = collect(text, Syntax::Yaml);
            assert_eq!((got.kinds.as_slice(), got.targets.len()), ([KIND].as_slice(), 0), "{text}");
        }
    }

    #[test]
    fn similar_files_are_left_alone() {
        for (text, remark) in [
            ("issuers:\n  - https://one.test/\n", "a service's trusted issuers"),
            ("issuers:\n  - name: one\n    issuer: https://one.test/\n", "StoRM's issuers"),
            ("issuers:\n  - name: one\n    clientid: c\nother: 1\n", "a section htvault-config does not know"),
            ("cluster:\n  name: k8s\n", "another cluster"),
            ("kerberos: true\n", "a switch"),
        ] {
            assert!(!collect(text, Syntax::Yaml).kinds.contains(&KIND), "{remark}");
        }
    }
}
