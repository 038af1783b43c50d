//! oidc-agent: issuer files (`issuer.config`, `issuer.config.d/*`; an object or a list) and account dumps
//! (`oidc-gen --print`).
//!
//! An issuer's `pubclient` is a public client that oidc-agent ships for everybody: the scopes are a ceiling, a secret
//! with it is published. It runs on the user's machine and comes back to loopback addresses, which the issuer file
//! does not list: they are oidc-agent's own.

use super::{Adapter, Kind, Reader, Sample, Sink, secret};
use crate::model::{At, Client, Field, State, Target, TargetKind, Value};
use crate::parse::words::WordsDialect;
use crate::parse::{Cursor, Document, Syntax};

/// The adapter.
pub(super) struct OidcAgent;

const ISSUERS: &str = "oidc-agent-issuer-config";
const ACCOUNT: &str = "oidc-agent-account";
const ENCRYPTED: &str = "oidc-agent-account-encrypted";

/// The last line of what oidc-agent encrypts; the lines before it are one word each.
const GENERATED: &str = "Generated using version:";
const LINES: Syntax = Syntax::Words(WordsDialect::Lsc);

/// Redirect URIs that oidc-agent's documentation has registered for its clients.
const REDIRECTS: [&str; 4] =
    ["http://localhost:4242", "http://localhost:8080", "http://localhost:43985", "edu.kit.data.oidc-agent:/redirect"];

/// Members that only an issuer entry has.
const ISSUER_MEMBERS: [&str; 8] = [
    "pubclient",
    "register",
    "manual_register",
    "legacy_aud_mode",
    "configuration_endpoint",
    "pw-store",
    "default_account",
    "accounts",
];

impl Adapter for OidcAgent {
    fn kinds(&self) -> &'static [Kind] {
        &[
            Kind {
                name: ISSUERS,
                doc: "oidc-agent issuer file (/etc/oidc-agent/issuer.config, issuer.config.d); issuers without a public \
                      client hold nothing to judge",
                targets: &[TargetKind::Client],
            },
            Kind {
                name: ACCOUNT,
                doc: "oidc-agent account in clear (oidc-gen --print)",
                targets: &[TargetKind::Client],
            },
            Kind {
                name: ENCRYPTED,
                doc: "oidc-agent account as it lies in ~/.config/oidc-agent; encrypted, so there is nothing to judge \
                      (oidc-gen --print shows it in clear)",
                targets: &[],
            },
        ]
    }

    fn syntax(&self, sample: &Sample<'_>) -> Option<Syntax> {
        is_encrypted(sample.lines()).then_some(LINES)
    }

    fn recognise(&self, document: &Document) -> Option<&'static str> {
        let root = document.root();
        if document.syntax == LINES {
            let lines = root.items().filter_map(|line| line.items().next()?.as_str());
            return is_encrypted(lines).then_some(ENCRYPTED);
        }
        if root.is_map() {
            return if is_account(root) { Some(ACCOUNT) } else { is_issuer(root).then_some(ISSUERS) };
        }
        let mut items = root.items().peekable();
        (root.is_seq() && items.peek().is_some() && items.all(is_issuer)).then_some(ISSUERS)
    }

    fn adapt(&self, document: &Document, kind: &'static str, sink: &mut dyn Sink) {
        let root = document.root();
        if kind == ENCRYPTED {
            return;
        }
        if kind == ACCOUNT {
            return account(&Reader::new(root), sink);
        }
        let entries = if root.is_map() { vec![root] } else { root.items().collect() };
        for entry in entries {
            public_client(&Reader::new(entry), sink);
        }
    }
}

/// A length, three to four texts, the parameters of the encryption, and the version.
fn is_encrypted<'t>(lines: impl Iterator<Item = &'t str>) -> bool {
    let lines: Vec<&str> = lines.take(9).collect();
    let number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let parameters = |line: &str| line.split(':').count() == 8 && line.split(':').all(number);
    (5..=8).contains(&lines.len())
        && number(lines[0])
        && lines.iter().any(|line| parameters(line))
        && lines.last().is_some_and(|line| line.starts_with(GENERATED))
}

fn is_issuer(entry: Cursor<'_>) -> bool {
    let issuer = entry.get("issuer").is_some_and(|issuer| issuer.as_str().is_some());
    // Discovery documents have endpoints, clients an id of their own.
    let other = ["authorization_endpoint", "token_endpoint", "jwks_uri", "client_id", "redirect_uris"];
    issuer && ISSUER_MEMBERS.iter().any(|name| entry.has(name)) && !other.iter().any(|name| entry.has(name))
}

fn is_account(entry: Cursor<'_>) -> bool {
    let own = ["daeSetByUser", "config_endpoint", "refresh_token", "cert_path"];
    entry.has("issuer_url") && entry.has("client_id") && own.iter().any(|name| entry.has(name))
}

fn public_client(entry: &Reader<'_>, sink: &mut dyn Sink) {
    let Some(public) = entry.map("pubclient") else { return };
    let at = public.place(public.cursor());
    let client_id = public.any_text("client_id");
    let secret = secret::look(&public, "client_secret", &[], sink);
    let scopes = public.words_or_texts("scope");
    let issuer = entry.text("issuer");
    let name = issuer.as_text().map_or_else(|| "public client".into(), |issuer| format!("public client at {issuer}"));
    let record = Client {
        issuer,
        product: Field::text("oidc-agent", None),
        redirect_uris: Field::list(REDIRECTS.iter().map(|uri| Field::text(*uri, None)).collect(), None),
        grant_types: flows(&public),
        refresh_tokens: refresh_tokens(&scopes),
        scopes,
        auth_method: match secret.present.is_absent() {
            true => Field::text("none", None),
            false => Field::default(),
        },
        public: Field::bool(true, at),
        application_type: Field::text("native", None),
        pkce_method: unknown_pkce(),
        active: Field::bool(true, None),
        has_secret: secret.present,
        ..Client::default()
    };
    deliver(&public, client_id, name, record, sink);
}

/// oidc-agent sends an S256 challenge whatever the issuer demands.
fn unknown_pkce<'d>() -> Field<'d> {
    Field::unknown("oidc-agent always sends a PKCE challenge; whether the issuer demands it is not in this file", None)
}

fn refresh_tokens<'d>(scopes: &Field<'d>) -> Field<'d> {
    match scopes.contains("offline_access") {
        true => Field::bool(true, scopes.at),
        // Without the scope it depends on the issuer.
        false => Field::default(),
    }
}

/// `flows` in oidc-agent's words, as grant types; absent when the file leaves the choice to oidc-agent.
fn flows<'d>(client: &Reader<'d>) -> Field<'d> {
    let flows = client.text_or_texts("flows");
    let State::Value(Value::List(items)) = flows.state else { return flows };
    let grant = |item: Field<'d>| match item.as_text() {
        Some("code") => Field::text("authorization_code", item.at),
        Some("device") => Field::text("urn:ietf:params:oauth:grant-type:device_code", item.at),
        Some("refresh") => Field::text("refresh_token", item.at),
        _ => item,
    };
    Field::list(items.into_iter().map(grant).collect(), flows.at)
}

fn account(entry: &Reader<'_>, sink: &mut dyn Sink) {
    let client_id = entry.any_text("client_id");
    let secret = secret::look(entry, "client_secret", &[], sink);
    for name in ["refresh_token", "access_token", "password", "registration_access_token"] {
        secret::look(entry, name, &[], sink);
    }
    let scopes = entry.words_or_texts("scope");
    let name = ["name", "client_name"].iter().find_map(|name| entry.cursor().get(name)?.as_str());
    let name = name.filter(|name| !name.is_empty()).unwrap_or("oidc-agent account").to_string();
    let public = secret.present.is_absent();
    let record = Client {
        name: entry.any_text("client_name"),
        issuer: entry.text("issuer_url"),
        product: Field::text("oidc-agent", None),
        redirect_uris: entry.texts("redirect_uris"),
        grant_types: entry.texts("grant_types"),
        response_types: entry.texts("response_types"),
        refresh_tokens: match has_text(entry, "refresh_token") {
            Some(at) => Field::bool(true, at),
            None => refresh_tokens(&scopes),
        },
        scopes,
        auth_method: entry.text("token_endpoint_auth_method").or(match public {
            true => Field::text("none", None),
            false => Field::default(),
        }),
        public: Field::bool(public, entry.at("client_secret")),
        application_type: Field::text("native", None),
        pkce_method: unknown_pkce(),
        active: Field::bool(true, None),
        has_secret: secret.present,
        ..Client::default()
    };
    deliver(entry, client_id, name, record, sink);
}

fn has_text(entry: &Reader<'_>, name: &str) -> Option<At> {
    entry.cursor().get(name)?.as_str().filter(|text| !text.is_empty())?;
    entry.at(name)
}

fn deliver<'d>(at: &Reader<'d>, client_id: Field<'d>, name: String, record: Client<'d>, sink: &mut dyn Sink) {
    let identity = client_id.as_text().unwrap_or("").to_string();
    let record = Client { client_id, ..record };
    let target = Target {
        identity: identity.into(),
        at: at.place(at.cursor()),
        ..Target::new(TargetKind::Client, name, record)
    };
    sink.target(&[at.cursor().document], target);
}

#[cfg(test)]
mod tests {
    use super::{ACCOUNT, ENCRYPTED, ISSUERS};
    use crate::adapt::testing::{collect, collect_recognised};
    use crate::parse::Syntax;

    #[test]
    fn public_clients_are_native_and_public() {
        let got = collect(
            r#"[{"issuer": "https://one.test/", "register": "https://one.test/register",
                 "pubclient": {"client_id": "c1", "scope": "openid offline_access storage.read:/", "flows": ["code", "device"]}},
                {"issuer": "https://two.test/", "legacy_aud_mode": true},
                {"issuer": "https://three.test/", "pubclient": {"client_id": "c3", "client_secret": "published"}}]"#,
            Syntax::Json,
        );
        assert_eq!(got.kinds, [ISSUERS]);
        assert_eq!(got.targets.len(), 2, "an issuer without public client is no target");
        let first = &got.targets[0];
        assert_eq!(first.identity, "c1");
        assert_eq!(first.get("issuer"), "https://one.test/");
        assert_eq!(first.get("public"), "true");
        assert_eq!(first.get("application_type"), "native");
        assert_eq!(first.get("token_endpoint_auth_method"), "none");
        assert_eq!(first.get("refresh_tokens"), "true");
        assert_eq!(first.get("grant_types"), "authorization_code urn:ietf:params:oauth:grant-type:device_code");
        assert!(first.get("redirect_uris").contains("edu.kit.data.oidc-agent:/redirect"));
        assert!(first.get("pkce_method").starts_with("unknown"));
        assert_eq!(first.pointers["scopes"], "/0/pubclient/scope");
        let third = &got.targets[1];
        assert_eq!((third.get("public"), third.get("has_secret")), ("true", "true"));
        assert_eq!(got.secrets, ["/2/pubclient/client_secret"]);
        assert_eq!(third.get("refresh_tokens"), "", "depends on the issuer");
    }

    #[test]
    fn account_dumps_mask_their_tokens() {
        let got = collect(
            r#"{"name": "wlcg", "client_name": "oidc-agent:wlcg", "issuer_url": "https://one.test/", "client_id": "c1",
                "config_endpoint": "https://one.test/.well-known/openid-configuration", "client_secret": "test-secret",
                "refresh_token": "test-token", "cert_path": "", "scope": "openid", "redirect_uris": ["http://localhost:8080"],
                "password": ""}"#,
            Syntax::Json,
        );
        assert_eq!(got.kinds, [ACCOUNT]);
        let client = &got.targets[0];
        assert_eq!((client.name.as_str(), client.get("public")), ("wlcg", "false"));
        assert_eq!(client.get("refresh_tokens"), "true");
        assert_eq!(got.secrets, ["/client_secret", "/refresh_token"]);
    }

    #[test]
    fn encrypted_accounts_are_recognised_and_closed() {
        let text = "64\nAAAA\nBBBB\n24:16:16:32:1:2:67108864:2\nCCCC\nDDDD\nGenerated using version: 5.0.0\n";
        let read = collect_recognised;
        let got = read(text);
        assert_eq!((got.kinds.as_slice(), got.targets.len(), got.errors.len()), (&[ENCRYPTED][..], 0, 0));
        for other in ["64\nAAAA\nGenerated using version: 5.0.0\n", "a: 1\nb: 2\nc: 3\nd: 1:2:3:4:5:6:7:8\ne: 5\n"] {
            assert!(!read(other).kinds.contains(&ENCRYPTED), "{other}");
        }
    }

    #[test]
    fn similar_files_are_left_alone() {
        for (text, remark) in [
            (
                r#"{"issuer": "https://a.test", "token_endpoint": "https://a.test/token",
                 "device_authorization_endpoint": "https://a.test/device"}"#,
                "discovery",
            ),
            (r#"{"issuer": "https://a.test"}"#, "nothing of oidc-agent's"),
            (r#"{"issuer": "https://a.test", "client_id": "c", "register": true}"#, "a service's client settings"),
            ("[]", "an empty list"),
            (r#"[{"issuer": "https://a.test", "register": "x"}, 1]"#, "a mixed list"),
            (r#"{"client_id": "c", "redirect_uris": []}"#, "a registration"),
        ] {
            let kinds = collect(text, Syntax::Json).kinds;
            assert!(kinds.iter().all(|kind| ![ISSUERS, ACCOUNT].contains(kind)), "{remark}");
        }
    }
}
