//! INDIGO IAM's Spring configuration: `application.yml`, `application-<profile>.yml`, and the test client's file.

use super::indigo_iam::{Given, Unset, is_server_env, is_server_key, names_secret, uniform};
use super::{Adapter, Kind, Sink};
use crate::model::{At, Field, Settings, Target, TargetKind};
use crate::parse::yaml::{Scalar11, scalar_1_1};
use crate::parse::{Cursor, Data, Document, Syntax, Text};
use crate::source::secret_names::is_secret_key;
use std::borrow::Cow;

/// Adapter for INDIGO IAM's Spring configuration files.
pub(super) struct IndigoIamApplication;

const SERVER: &str = "indigo-iam-settings";
const CLIENT: &str = "indigo-iam-client-settings";

/// Top-level keys of IAM's configuration files, in uniform spelling.
const TOP_KEYS: &[&str] = &[
    "cache",
    "clientregistration",
    "iam",
    "lifecycle",
    "management",
    "mfa",
    "notification",
    "oidc",
    "openidfederation",
    "proxycert",
    "rcauth",
    "saml",
    "scim",
    "scope",
    "server",
    "spring",
    "task",
    "x509",
];

/// Keys longer than this name nothing; following them further would only cost memory.
const MAX_KEY: usize = 256;

const ELSEWHERE: &str = "it is not set in this file; another configuration file or the environment decides";

impl Adapter for IndigoIamApplication {
    fn kinds(&self) -> &'static [Kind] {
        &[
            Kind {
                name: SERVER,
                doc: "INDIGO IAM server settings: application.yml or application-<profile>.yml",
                targets: &[TargetKind::Settings],
            },
            Kind {
                name: CLIENT,
                doc: "settings of INDIGO IAM's test client: application.yml of iam-test-client",
                targets: &[TargetKind::Settings],
            },
        ]
    }

    fn recognise(&self, document: &Document) -> Option<&'static str> {
        let root = document.root();
        if document.syntax != Syntax::Yaml || !root.is_map() || root.has("apiVersion") {
            return None;
        }
        let ours = |key: &str| TOP_KEYS.contains(&uniform(key.split('.').next().unwrap_or(key)).as_str());
        if !root.entries().any(|(key, _)| key.len() <= MAX_KEY && ours(key)) {
            return None;
        }
        let mut given = Vec::new();
        flatten(root, "", "", &mut |_, id, value| given.push((id, value)));
        if given.iter().any(|(id, _)| id == "iam.client.clientid" || id == "iam.client.clientsecret") {
            return Some(CLIENT);
        }
        let reads_env = |(_, value): &(String, Cursor)| value.as_str().is_some_and(reads_server_variable);
        let own = given.iter().filter(|(id, _)| is_server_key(id)).count();
        let matchers = root.path(&["scope", "matchers"]).is_some_and(Cursor::is_seq);
        (own >= 2 || matchers || given.iter().any(reads_env)).then_some(SERVER)
    }

    fn adapt(&self, document: &Document, kind: &'static str, sink: &mut dyn Sink) {
        let mut given = Given::new(None);
        flatten(document.root(), "", "", &mut |name, id, value| {
            // Masking by names takes care of the usual ones.
            if names_secret(&id) && !value.key().is_some_and(is_secret_key) {
                sink.secret(document, value.id);
            }
            given.file(Cow::Owned(name), id, text(value), At::node(value.id));
        });
        let settings = if kind == CLIENT {
            let get = |key: &str| given.file_text(key);
            let scopes = get("iam.client.scope");
            Settings {
                product: Field::text("indigo-iam-test-client", None),
                issuer: get("iam.issuer"),
                scopes: words(&scopes),
                tls_version: get("iam.tls.version"),
                default_secrets: given.default_secrets(Unset::Absent),
                ..Settings::default()
            }
        } else {
            // A file that names the server itself is its main file: it alone says what else could be expected here.
            let main = given.sets("iam.issuer") || given.sets("iam.baseUrl");
            given.settings(if main { Unset::Unknown(ELSEWHERE) } else { Unset::Absent })
        };
        let issuer = settings.issuer.as_text().unwrap_or_default().to_string();
        let name = match (issuer.is_empty(), kind == CLIENT) {
            (false, false) => issuer.clone(),
            (true, false) => "INDIGO IAM".to_string(),
            (_, true) => "INDIGO IAM test client".to_string(),
        };
        let identity = if kind == CLIENT { String::new() } else { issuer };
        sink.target(
            &[document],
            Target { identity: identity.into(), ..Target::new(TargetKind::Settings, name, settings) },
        );
    }
}

/// True for a placeholder of a variable that starts as IAM's do. `IAM_CLIENT_ID` and its like are what clients of an
/// IAM call their own settings.
fn reads_server_variable(text: &str) -> bool {
    text.split("${").skip(1).any(|rest| {
        let name = rest.split([':', '}']).next().unwrap_or_default();
        name.starts_with("IAM_") && (is_server_env(name) || !name.starts_with("IAM_CLIENT_"))
    })
}

/// The words of a space-separated text field, each at the place of the whole.
fn words<'d>(field: &Field<'d>) -> Field<'d> {
    match field.as_text() {
        Some(text) => {
            let items = text.split_ascii_whitespace().map(|word| Field::text(word.to_string(), field.at)).collect();
            Field::list(items, field.at)
        }
        None => field.clone(),
    }
}

/// A scalar's text; plain scalars as Spring's YAML 1.1 reader hands them on (`1_000` is 1000).
fn text(value: Cursor<'_>) -> Option<Cow<'_, str>> {
    let text = value.scalar_text()?;
    let plain = matches!(value.data(), Data::Text(Text::Raw(span)) if *span == value.span());
    match scalar_1_1(text).filter(|_| plain) {
        Some(Scalar11::Int(number)) => Some(Cow::Owned(number.to_string())),
        _ => Some(Cow::Borrowed(text)),
    }
}

/// Calls `found` for every scalar with its key as written, the key in uniform spelling, and the scalar. List elements
/// are numbered as Spring does (`oidc.providers[0].issuer`).
pub(super) fn flatten<'d>(at: Cursor<'d>, name: &str, id: &str, found: &mut dyn FnMut(String, String, Cursor<'d>)) {
    if name.len() > MAX_KEY {
        return;
    }
    match at.data() {
        Data::Map => {
            let dot = if name.is_empty() { "" } else { "." };
            for (key, member) in at.entries().filter(|(key, _)| key.len() <= MAX_KEY) {
                flatten(member, &format!("{name}{dot}{key}"), &format!("{id}{dot}{}", uniform(key)), found);
            }
        }
        Data::Seq => {
            for (index, item) in at.items().enumerate() {
                flatten(item, &format!("{name}[{index}]"), &format!("{id}[{index}]"), found);
            }
        }
        Data::Bool(_) | Data::Number | Data::Text(_) => found(name.to_string(), id.to_string(), at),
        Data::Null | Data::Skipped => {}
    }
}

#[cfg(test)]
mod tests {
    use crate::adapt::testing::{Got, collect};
    use crate::parse::Syntax;

    fn settings(yaml: &str) -> Got {
        let mut collected = collect(yaml, Syntax::Yaml);
        assert_eq!(collected.kinds, ["indigo-iam-settings"], "{yaml} {:?}", collected.errors);
        collected.targets.remove(0)
    }

    #[test]
    fn defaults_of_placeholders_are_the_values() {
        let got = settings(
            "
iam:
  host: ${IAM_HOST:localhost}
  baseUrl: ${IAM_BASE_URL:http://${iam.host}:8080}
  issuer: ${IAM_ISSUER:https://${iam.host}/}
  token:
    lifetime: ${IAM_REGISTRATION_TOKEN_LIFETIME:-1}
  jwk:
    keystore-location: ${IAM_KEY_STORE_LOCATION:classpath:keystore.jwks}
  actuator-user:
    password: ${IAM_ACTUATOR_USER_PASSWORD:actuator-password}
client-registration:
  allow-for: ${IAM_CLIENT_REGISTRATION_ALLOW_FOR:ANYONE}
  client-defaults:
    default-access-token-validity-seconds: ${IAM_DEFAULT_ACCESS_TOKEN_VALIDITY_SECONDS:3600}
    default-refresh-token-validity-seconds: ${IAM_DEFAULT_REFRESH_TOKEN_VALIDITY_SECONDS}
spring.web.resources.cache.cachecontrol.max-age: 6h
",
        );
        for (field, expected, pointer) in [
            ("base_url", "http://localhost:8080", "/iam/baseUrl"),
            ("issuer", "https://localhost/", "/iam/issuer"),
            ("lifetimes.registration_token", "unlimited", "/iam/token/lifetime"),
            ("keystore_is_default", "true", "/iam/jwk/keystore-location"),
            ("registration", "anyone", "/client-registration/allow-for"),
            (
                "lifetimes.access_token",
                "3600",
                "/client-registration/client-defaults/default-access-token-validity-seconds",
            ),
            (
                "lifetimes.refresh_token",
                "unknown: a variable without a known value stands in its place",
                "/client-registration/client-defaults/default-refresh-token-validity-seconds",
            ),
            ("jwks_cache", "21600", "/spring.web.resources.cache.cachecontrol.max-age"),
        ] {
            assert_eq!((got.get(field), got.pointers[field].as_str()), (expected, pointer), "{field}");
        }
        assert_eq!(got.get("default_secrets"), "iam.actuator-user.password");
        // The main file is not the only source of settings.
        assert!(got.get("default_profile").starts_with("unknown: it is not set in this file"));
        assert_eq!(got.identity, "https://localhost/");
    }

    #[test]
    fn keys_are_read_in_every_spelling() {
        for key in ["client-registration", "clientRegistration", "client_registration", "CLIENT-REGISTRATION"] {
            let got = settings(&format!("{key}:\n  allowFor: registered-users\n  enable: yes\n"));
            assert_eq!(got.get("registration"), "users", "{key}");
        }
    }

    #[test]
    fn values_mean_what_the_product_makes_of_them() {
        let defaults = "client-registration.client-defaults";
        for (key, value, field, expected, remark) in [
            ("client-registration.enable", "false", "registration", "nobody", "switched off"),
            (
                "client-registration.allow-for",
                "EVERYBODY",
                "registration",
                "malformed: ANYONE, REGISTERED_USERS or ADMINISTRATORS is expected",
                "no such word",
            ),
            (
                "iam.jwt-profile.default-profile",
                "keycloak",
                "default_profile",
                "malformed: iam, wlcg, aarc or kc is expected",
                "the profile is called kc",
            ),
            ("iam.jwt-profile.default-profile", "wlcg", "scope_in_token", "true", "wlcg always writes scope"),
            ("iam.jwt-profile.default-profile", "aarc", "nbf_in_token", "false", "aarc never writes nbf"),
            ("iam.access_token.include_nbf", "true", "nbf_in_token", "true", "the switch of the iam profile"),
            (
                "iam.jwt-profile.token-exchange-upscoping-enabled",
                "${IAM_TOKEN_EXCHANGE_DISABLE_UPSCOPING:true}",
                "exchange_upscoping",
                "true",
                "true enables, whatever the variable's name says",
            ),
            ("spring.profiles.active", "prod,dev,saml", "test_profiles", "dev", "one of the profiles loads test data"),
            ("iam.jwk.keystore-location", "file:/keys.jwks", "keystore_is_default", "false", "an own key store"),
            ("x509.tlsVersion", "TLSv1.2", "tls_version", "TLSv1.2", "as written"),
            (
                "iam.issuer",
                "https://$HOST_NAME/",
                "issuer",
                "unknown: a variable without a known value stands in its place",
                "template",
            ),
        ] {
            // A second key of the product makes the file recognisable whatever the first one is.
            let got =
                settings(&format!("{key}: {value}\niam.host: a\niam.token.lifetime: 1\niam.enableScopeAuthz: true\n"));
            assert_eq!(got.get(field), expected, "{remark}: {key}: {value}");
        }
        for (name, value, field, expected) in [
            ("default-refresh-token-validity-seconds", "0", "lifetimes.refresh_token", "unlimited"),
            ("default-access-token-validity-seconds", "0", "lifetimes.access_token", "unlimited"),
            ("default-id-token-validity-seconds", "0", "lifetimes.id_token", "0"),
            ("default-device-code-validity-seconds", "1_200", "lifetimes.device_code", "1200"),
            ("default-registration-access-token-validity-seconds", "-1", "lifetimes.registration_token", "unlimited"),
            (
                "default-access-token-validity-seconds",
                "1h",
                "lifetimes.access_token",
                "malformed: a whole number of seconds is expected",
            ),
        ] {
            let got = settings(&format!("{defaults}.{name}: {value}\nclient-registration.enable: true\n"));
            assert_eq!(got.get(field), expected, "{name}: {value}");
        }
    }

    #[test]
    fn fragments_say_nothing_of_what_they_leave_out() {
        let got = settings(
            "mfa:\n  password-to-encrypt-and-decrypt: ${IAM_TOTP_MFA_PASSWORD_TO_ENCRYPT_AND_DECRYPT:define_me_please}\n",
        );
        assert_eq!(got.get("default_secrets"), "mfa.password-to-encrypt-and-decrypt");
        assert_eq!((got.get("issuer"), got.get("registration")), ("", ""));
    }

    #[test]
    fn the_test_clients_file_is_no_server_file() {
        let collected = collect(
            "iam:\n  issuer: ${IAM_CLIENT_ISSUER:http://localhost:8080/}\n  client:\n    clientId: client\n    \
             clientSecret: ${IAM_CLIENT_SECRET:secret}\n    scope: openid profile\n",
            Syntax::Yaml,
        );
        assert_eq!(collected.kinds, ["indigo-iam-client-settings"]);
        let got = &collected.targets[0];
        assert_eq!(got.get("issuer"), "http://localhost:8080/");
        assert_eq!(got.get("scopes"), "openid profile");
        assert_eq!(got.get("default_secrets"), "iam.client.clientSecret");
    }

    #[test]
    fn other_spring_files_are_not_taken() {
        for yaml in
            ["spring:\n  profiles:\n    active: dev\n", "server:\n  port: 8080\n", "iam:\n  host: x\n", "- iam\n"]
        {
            assert!(collect(yaml, Syntax::Yaml).kinds.is_empty(), "{yaml}");
        }
    }
}
