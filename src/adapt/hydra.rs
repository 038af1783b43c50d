//! Ory Hydra: the server's YAML configuration.
//!
//! Lifetimes stand in `ttl` as Go durations; `refresh_token: -1` means that refresh tokens never expire. Keys that
//! are left out have Hydra's defaults, unless the environment sets them, which a file cannot show.

use super::{Adapter, Kind, Reader, Sink, secret};
use crate::model::{Field, Settings, Target, TargetKind, duration};
use crate::parse::{Cursor, Document};

/// The adapter.
pub(super) struct Hydra;

const KIND: &str = "hydra-config";

/// Secrets that Hydra's quickstart and its reference configuration use.
const DEFAULT_SECRETS: &[&str] =
    &["youReallyNeedToChangeThis", "this-is-the-primary-secret", "this-is-an-old-secret", "this-is-another-old-secret"];

const TTLS: [&str; 5] = ["access_token", "refresh_token", "id_token", "auth_code", "login_consent_request"];

impl Adapter for Hydra {
    fn kinds(&self) -> &'static [Kind] {
        &[Kind { name: KIND, doc: "Ory Hydra server configuration (hydra.yml)", targets: &[TargetKind::Settings] }]
    }

    fn recognise(&self, document: &Document) -> Option<&'static str> {
        let root = document.root();
        let urls = root.path(&["urls", "self"]).is_some_and(Cursor::is_map);
        let ttl = root.get("ttl").is_some_and(|ttl| TTLS.iter().any(|name| ttl.has(name)));
        let login = ["login", "consent", "logout"].iter().any(|name| root.path(&["urls", name]).is_some());
        let system = root.path(&["secrets", "system"]).is_some_and(Cursor::is_seq);
        let other = ["dsn", "strategies", "oauth2", "oidc", "serve"].iter().filter(|name| root.has(name)).count();
        // `secrets` and `serve` are shared with Ory's other servers, `urls.self` and token lifetimes are not.
        let found = (urls && (login || system || ttl || other > 0)) || (ttl && (system || login || other > 1));
        found.then_some(KIND)
    }

    fn adapt(&self, document: &Document, _kind: &'static str, sink: &mut dyn Sink) {
        let config = Reader::new(document.root());
        let ttl = config.map("ttl");
        let urls = config.map("urls").and_then(|urls| urls.map("self"));
        let refresh = ttl.map(|ttl| ttl.any_text("refresh_token")).unwrap_or_default();
        let record = Settings {
            product: Field::text("hydra", None),
            version: config.any_text("version"),
            issuer: urls.map(|urls| urls.text("issuer")).unwrap_or_default(),
            base_url: urls.map(|urls| urls.text("public")).unwrap_or_default(),
            lifetime_access_token: lifetime(ttl, "access_token", 3600),
            lifetime_refresh_token: match refresh.as_text() {
                Some("-1") => Field::unlimited(refresh.at),
                _ => lifetime(ttl, "refresh_token", 720 * 3600),
            },
            lifetime_id_token: lifetime(ttl, "id_token", 3600),
            lifetime_device_code: lifetime(ttl, "device_user_code", 600),
            lifetime_authorization_code: lifetime(ttl, "auth_code", 600),
            registration: registration(&config),
            pkce_enforced: pkce(&config),
            default_secrets: default_secrets(&config, sink),
            ..Settings::default()
        };
        mask_other_secrets(document.root(), sink);
        let name = record.issuer.as_text().unwrap_or("hydra").to_string();
        let identity = record.issuer.as_text().unwrap_or_default().to_string();
        let target = Target::new(TargetKind::Settings, name, record);
        sink.target(&[document], Target { identity: identity.into(), ..target });
    }
}

fn lifetime<'d>(ttl: Option<Reader<'d>>, name: &str, default: i64) -> Field<'d> {
    duration::go_field(ttl.map(|ttl| ttl.any_text(name)).unwrap_or_default()).or(Field::int(default, None))
}

/// Without dynamic registration clients are made through the administrative interface.
fn registration<'d>(config: &Reader<'d>) -> Field<'d> {
    let dynamic = config.map("oidc").and_then(|oidc| oidc.map("dynamic_client_registration"));
    let enabled = dynamic.map(|dynamic| dynamic.bool_or_text("enabled")).unwrap_or_default();
    match enabled.as_bool() {
        Some(true) => Field::text("anyone", enabled.at),
        Some(false) => Field::text("administrators", enabled.at),
        None if enabled.is_absent() => Field::text("administrators", None),
        None => enabled,
    }
}

fn pkce<'d>(config: &Reader<'d>) -> Field<'d> {
    let pkce = config.map("oauth2").and_then(|oauth2| oauth2.map("pkce"));
    let read = |name: &str| pkce.map(|pkce| pkce.bool_or_text(name)).unwrap_or_default();
    let (all, public) = (read("enforced"), read("enforced_for_public_clients"));
    if all.as_bool() == Some(true) { all } else { public.or(all).or(Field::bool(false, None)) }
}

/// Settings with a published secret; masks every secret it looks at.
fn default_secrets<'d>(config: &Reader<'d>, sink: &mut dyn Sink) -> Field<'d> {
    let root = config.cursor();
    let lists = [("secrets.system", ["secrets", "system"]), ("secrets.cookie", ["secrets", "cookie"])];
    let mut found = Vec::new();
    let mut judge = |name: &'static str, node: Cursor<'d>, sink: &mut dyn Sink| {
        secret::mask_all(node, sink);
        if node.as_str().is_some_and(|text| DEFAULT_SECRETS.contains(&text)) {
            found.push(Field::text(name, config.place(node)));
        }
    };
    for (name, path) in lists {
        for item in root.path(&path).into_iter().flat_map(Cursor::items) {
            judge(name, item, sink);
        }
    }
    if let Some(salt) = root.path(&["oidc", "subject_identifiers", "pairwise", "salt"]) {
        judge("oidc.subject_identifiers.pairwise.salt", salt, sink);
    }
    let at = found.first().and_then(|item| item.at);
    if found.is_empty() { Field::default() } else { Field::list(found, at) }
}

fn mask_other_secrets(root: Cursor<'_>, sink: &mut dyn Sink) {
    let tls = ["public", "admin"].map(|side| root.path(&["serve", side, "tls", "key", "base64"]));
    let others = [root.path(&["serve", "tls", "key", "base64"]), root.path(&["hsm", "pin"])];
    // A data source name carries the database password between `:` and `@`.
    let dsn = root.get("dsn").filter(|dsn| dsn.as_str().is_some_and(|text| text.contains('@')));
    for node in tls.into_iter().chain(others).flatten().chain(dsn) {
        secret::mask_all(node, sink);
    }
}

#[cfg(test)]
mod tests {
    use super::KIND;
    use crate::adapt::testing::collect;
    use crate::parse::Syntax;

    #[test]
    fn settings_have_hydras_defaults() {
        let got = collect(
            "urls:\n  self:\n    issuer: http://127.0.0.1:4444\n  login: http://127.0.0.1:3000/login\nsecrets:\n  system:\n    \
             - youReallyNeedToChangeThis\n    - test-own-secret\ndsn: postgres://hydra:test@db.test/hydra\n",
            Syntax::Yaml,
        );
        assert_eq!((got.kinds.as_slice(), got.errors.len()), ([KIND].as_slice(), 0));
        let hydra = &got.targets[0];
        for (field, expected) in [
            ("issuer", "http://127.0.0.1:4444"),
            ("lifetimes.access_token", "3600"),
            ("lifetimes.refresh_token", "2592000"),
            ("lifetimes.authorization_code", "600"),
            ("registration", "administrators"),
            ("pkce_enforced", "false"),
            ("default_secrets", "secrets.system"),
        ] {
            assert_eq!(hydra.get(field), expected, "{field}");
        }
        assert_eq!(got.secrets, ["/secrets/system/0", "/secrets/system/1", "/dsn"]);
    }

    #[test]
    fn lifetimes_and_switches_are_read() {
        for (ttl, expected) in [
            ("-1", "unlimited"),
            ("\"-1\"", "unlimited"),
            ("168h", "604800"),
            ("7d", "malformed: a duration such as 24h, 1h30m or 90s is expected; days are written in hours"),
            ("${TTL}", "unknown: a template placeholder stands in its place"),
        ] {
            let text = format!(
                "ttl:\n  access_token: 20m\n  refresh_token: {ttl}\nurls:\n  self:\n    issuer: https://a.test/\noidc:\n  \
                 dynamic_client_registration:\n    enabled: true\noauth2:\n  pkce:\n    enforced_for_public_clients: true\n"
            );
            let got = collect(&text, Syntax::Yaml);
            let hydra = &got.targets[0];
            assert_eq!(hydra.get("lifetimes.refresh_token"), expected, "{ttl}");
            assert_eq!(hydra.get("lifetimes.access_token"), "1200");
            assert_eq!((hydra.get("registration"), hydra.get("pkce_enforced")), ("anyone", "true"));
        }
    }

    #[test]
    fn similar_files_are_left_alone() {
        for (text, remark) in [
            ("dsn: memory\nserve:\n  public: {}\nselfservice: {}\nsecrets:\n  cookie: [a]\n", "Ory Kratos"),
            ("ttl: 300\nserve: x\n", "any cache"),
            ("urls:\n  self: https://a.test\n  login: x\n", "URLs of something else"),
            ("ttl:\n  access_token: 60\n", "token lifetimes of something else"),
        ] {
            assert!(!collect(text, Syntax::Yaml).kinds.contains(&KIND), "{remark}");
        }
    }
}
