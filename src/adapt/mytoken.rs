//! mytoken: the server's YAML configuration, and the env file of its compose project.
//!
//! mytoken is a client of its providers: each entry of `providers` becomes a client. What users hold is a mytoken,
//! which gives access tokens again and again; its limit `mytokens_max_lifetime` (seconds; 0 or absent: none) stands
//! in the client's `lifetimes.refresh_token`.

use super::traps::Found;
use super::{Adapter, Kind, Reader, Sink, secret};
use crate::model::{Client, Field, Settings, State, Target, TargetKind, Trust};
use crate::parse::{Cursor, Document, Syntax};

/// The adapter.
pub(super) struct Mytoken;

const CONFIG: &str = "mytoken-server-config";
const ENV: &str = "mytoken-env";

const GUEST_MODE: &str = "mytoken-guest-mode";

/// Secrets of mytoken's example configurations.
const DEFAULT_CLIENT_SECRETS: &[&str] = &["clientsecret"];
const DEFAULT_DATABASE_PASSWORDS: &[&str] = &["mytoken"];

impl Adapter for Mytoken {
    fn kinds(&self) -> &'static [Kind] {
        &[
            Kind {
                name: CONFIG,
                doc: "mytoken server configuration (config.yaml)",
                targets: &[TargetKind::Settings, TargetKind::Trust, TargetKind::Client, TargetKind::Trap],
            },
            Kind {
                name: ENV,
                doc: "env file of mytoken's compose project; names paths only, the settings are in config.yaml",
                targets: &[],
            },
        ]
    }

    fn traps(&self) -> &'static [&'static str] {
        &[GUEST_MODE]
    }

    fn recognise(&self, document: &Document) -> Option<&'static str> {
        let root = document.root();
        if document.syntax == Syntax::Env {
            return root.has("MYTOKEN_CONFIG_FILE").then_some(ENV);
        }
        let signing = root.get("signing").is_some_and(|signing| signing.has("mytoken") || signing.has("key_file"));
        let operator = root.get("service_operator").is_some_and(Cursor::is_map);
        let providers = root
            .get("providers")
            .is_some_and(|list| list.is_seq() && list.items().any(|item| item.has("issuer") && item.has("client_id")));
        let limit = providers
            && root.get("providers").is_some_and(|list| list.items().any(|item| item.has("mytokens_max_lifetime")));
        let own = ["polling_codes", "transfer_codes", "short_tokens", "tokeninfo"];
        let features = root.get("features").is_some_and(|features| own.iter().any(|name| features.has(name)));
        let evidence = [signing, operator, providers, features, root.has("geo_ip_db_file")];
        let count = evidence.iter().filter(|found| **found).count();
        (root.has("issuer") && (limit || features || signing) && count >= 2).then_some(CONFIG)
    }

    fn adapt(&self, document: &Document, kind: &'static str, sink: &mut dyn Sink) {
        if kind == ENV {
            return;
        }
        let config = Reader::new(document.root());
        settings(&config, sink);
        if let Some(at) = document.root().path(&["features", "guest_mode"]).filter(|at| at.as_bool() == Some(true)) {
            Found::new("mytoken", GUEST_MODE, at, "features.guest_mode").section("features").tell(sink);
        }
        let providers = document.root().get("providers");
        for item in providers.into_iter().flat_map(Cursor::items).filter(|item| item.is_map()) {
            provider(&Reader::new(item), sink);
        }
        mask_other_secrets(document.root(), sink);
    }
}

fn settings(config: &Reader<'_>, sink: &mut dyn Sink) {
    let signing = config.map("signing");
    // Newer servers sign with `signing.mytoken`, older ones with `signing` itself.
    let signing = signing.and_then(|signing| signing.map("mytoken")).or(signing);
    let web = ["features", "oidc_flows", "authorization_code", "web"].iter().try_fold(*config, |at, name| at.map(name));
    let database = config.map("database").map(|database| {
        let password = secret::look(&database, "password", DEFAULT_DATABASE_PASSWORDS, sink);
        password.is_default
    });
    let alg = signing.map(|signing| signing.text("alg")).unwrap_or_default();
    let rsa = alg.as_text().is_some_and(|alg| alg.starts_with("RS") || alg.starts_with("PS"));
    let record = Settings {
        product: Field::text("mytoken", None),
        issuer: config.text("issuer"),
        keystore: signing.map(|signing| signing.text("key_file")).unwrap_or_default(),
        signing_key_bits: match (rsa, signing) {
            (true, Some(signing)) => signing.int("rsa_key_len").or(Field::int(2048, None)),
            _ => Field::default(),
        },
        signing_alg: alg,
        trusted_redirects: web.map(|web| web.texts("trusted_redirect_uris")).unwrap_or_default(),
        default_secrets: match database {
            Some(field) if field.as_bool() == Some(true) => {
                Field::list(vec![Field::text("database.password", field.at)], field.at)
            }
            Some(field) if matches!(field.state, State::Unknown(_)) => field,
            _ => Field::default(),
        },
        ..Settings::default()
    };
    let name = record.issuer.as_text().unwrap_or("mytoken").to_string();
    let identity = record.issuer.as_text().unwrap_or_default().to_string();
    let target = Target::new(TargetKind::Settings, name, record);
    sink.target(&[config.cursor().document], Target { identity: identity.into(), ..target });
}

fn provider(entry: &Reader<'_>, sink: &mut dyn Sink) {
    let secret = secret::look(entry, "client_secret", DEFAULT_CLIENT_SECRETS, sink);
    let limit = entry.int("mytokens_max_lifetime");
    let client_id = entry.any_text("client_id");
    let name = entry.any_text("name");
    let shown = name.as_text().or(client_id.as_text()).unwrap_or("provider").to_string();
    let identity = client_id.as_text().unwrap_or("").to_string();
    let issuer = entry.text("issuer");
    if !issuer.is_absent() {
        // Users log in there, and the server acts with what the issuer gives for them.
        let (product, alias) = (Field::text("mytoken", None), name.clone());
        let trust =
            Trust { product, issuer: issuer.clone(), alias, active: Field::bool(true, None), ..Trust::default() };
        let at = entry.place(entry.cursor());
        let target =
            Target { identity: shown.clone().into(), at, ..Target::new(TargetKind::Trust, shown.clone(), trust) };
        sink.target(&[entry.cursor().document], target);
    }
    let grants = ["authorization_code", "refresh_token"].map(|grant| Field::text(grant, None));
    let record = Client {
        client_id,
        name,
        issuer,
        product: Field::text("mytoken", None),
        grant_types: Field::list(grants.to_vec(), None),
        scopes: entry.texts("scopes"),
        public: match secret.present.as_bool() {
            Some(_) => Field::bool(false, None),
            None => Field::default(),
        },
        lifetime_refresh_token: match (&limit.state, limit.as_int()) {
            (State::Absent, _) | (_, Some(0)) => Field::unlimited(limit.at),
            _ => limit,
        },
        refresh_tokens: Field::bool(true, None),
        active: Field::bool(true, None),
        has_secret: secret.present,
        secret_is_default: secret.is_default,
        ..Client::default()
    };
    let target = Target {
        identity: identity.into(),
        evidence: "provider of a mytoken server; lifetimes.refresh_token is that of mytokens".into(),
        at: entry.place(entry.cursor()),
        ..Target::new(TargetKind::Client, shown, record)
    };
    sink.target(&[entry.cursor().document], target);
}

fn mask_other_secrets(root: Cursor<'_>, sink: &mut dyn Sink) {
    let mail = root.path(&["features", "notifications", "email", "mail_server", "password"]);
    let cache = root.path(&["cache", "external", "redis", "password"]);
    for node in mail.into_iter().chain(cache) {
        secret::mask_all(node, sink);
    }
    // Server profile groups map a name to its password.
    if let Some(groups) = root.path(&["features", "server_profiles", "groups"]) {
        secret::mask_all(groups, sink);
    }
}

#[cfg(test)]
mod tests {
    use super::{CONFIG, ENV};
    use crate::adapt::testing::collect;
    use crate::model::TargetKind;
    use crate::parse::Syntax;

    const SERVER: &str = "issuer: https://mytoken.test\ndatabase:\n  password: mytoken\nsigning:\n  mytoken:\n    alg: RS512\n    \
                          key_file: /keys/mytoken.key\n    rsa_key_len: 1024\nfeatures:\n  oidc_flows:\n    authorization_code:\n      \
                          web:\n        trusted_redirect_uris:\n          - \"^https://.*\"\n  polling_codes:\n    enabled: true\n";

    #[test]
    fn server_settings_are_read() {
        let got = collect(SERVER, Syntax::Yaml);
        assert_eq!((got.kinds.as_slice(), got.errors.len()), ([CONFIG].as_slice(), 0));
        let server = &got.targets[0];
        for (field, expected) in [
            ("issuer", "https://mytoken.test"),
            ("signing_alg", "RS512"),
            ("signing_key_bits", "1024"),
            ("keystore", "/keys/mytoken.key"),
            ("trusted_redirects", "^https://.*"),
            ("default_secrets", "database.password"),
        ] {
            assert_eq!(server.get(field), expected, "{field}");
        }
        assert_eq!(got.secrets, ["/database/password"]);
    }

    #[test]
    fn older_versions_sign_with_one_key() {
        let older = SERVER.replace("  mytoken:\n    alg", "  alg").replace("    key_file", "  key_file");
        let got = collect(&older.replace("    rsa_key_len", "  rsa_key_len"), Syntax::Yaml);
        let server = &got.targets[0];
        assert_eq!((server.get("signing_alg"), server.get("keystore")), ("RS512", "/keys/mytoken.key"));
        assert_eq!(server.identity, "https://mytoken.test");
    }

    #[test]
    fn an_elliptic_curve_has_no_key_length() {
        let got = collect(&SERVER.replace("RS512", "ES512"), Syntax::Yaml);
        assert_eq!(got.targets[0].get("signing_key_bits"), "");
    }

    #[test]
    fn providers_are_clients_and_no_limit_is_unlimited() {
        for (limit, expected) in [
            ("", "unlimited"),
            ("    mytokens_max_lifetime: 0\n", "unlimited"),
            ("    mytokens_max_lifetime:\n", "unlimited"),
            ("    mytokens_max_lifetime: 604800\n", "604800"),
            ("    mytokens_max_lifetime: 7d\n", "malformed: a number is expected, a string stands there"),
        ] {
            let text = format!(
                "{SERVER}providers:\n  - issuer: https://op.test/\n    client_id: c1\n    client_secret: clientsecret\n    \
                 scopes: [openid, offline_access]\n{limit}"
            );
            let got = collect(&text, Syntax::Yaml);
            assert_eq!((got.targets[1].kind, got.targets[1].get("issuer")), (TargetKind::Trust, "https://op.test/"));
            let client = &got.targets[2];
            assert_eq!(client.get("lifetimes.refresh_token"), expected, "{limit}");
            assert_eq!((client.get("issuer"), client.get("client_id")), ("https://op.test/", "c1"));
            assert_eq!((client.get("has_secret"), client.get("secret_is_default")), ("true", "true"));
            assert_eq!(client.get("scopes"), "openid offline_access");
        }
    }

    #[test]
    fn guests_are_a_trap() {
        for (value, traps) in [("true", 1), ("false", 0)] {
            let got = collect(&format!("{SERVER}  guest_mode: {value}\n"), Syntax::Yaml);
            assert_eq!(got.targets.iter().filter(|got| got.kind == TargetKind::Trap).count(), traps, "{value}");
        }
    }

    #[test]
    fn the_env_file_holds_nothing_to_judge() {
        let got = collect("COMPOSE_PROJECT_NAME=mytoken\nMYTOKEN_CONFIG_FILE=/etc/mytoken/config.yaml\n", Syntax::Env);
        assert_eq!((got.kinds.as_slice(), got.targets.len()), ([ENV].as_slice(), 0));
    }

    #[test]
    fn similar_files_are_left_alone() {
        for (text, remark) in [
            ("issuer: https://dex.test\nstorage:\n  type: memory\nenablePasswordDB: true\n", "dex"),
            ("issuer: https://a.test\nproviders:\n  - issuer: https://b.test\n    client_id: c\n", "some proxy"),
            ("providers: []\n", "a list of providers"),
        ] {
            assert!(!collect(text, Syntax::Yaml).kinds.contains(&CONFIG), "{remark}");
        }
    }
}
