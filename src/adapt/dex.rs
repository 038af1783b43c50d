//! dex: its configuration file, also inside a Kubernetes ConfigMap or Helm values.
//!
//! dex's access tokens are ID tokens and live as long (`expiry.idTokens`, 24 h unless set). Refresh tokens have no
//! limit unless `expiry.refreshTokens.absoluteLifetime` sets one; 0 means none, too. Durations are Go durations.
//! `staticClients` carry no lifetimes or grants of their own: the server's grants hold for all of them.

use super::{Adapter, Kind, Reader, Sink, secret};
use crate::model::{At, Client, Field, Settings, State, Target, TargetKind, Value, duration};
use crate::parse::{Cursor, Document, yaml};

/// The adapter.
pub(super) struct Dex;

const KIND: &str = "dex-config";

/// Secret of `example-app` in dex's examples.
const DEFAULT_CLIENT_SECRETS: &[&str] = &["ZXhhbXBsZS1hcHAtc2VjcmV0"];

/// bcrypt hash of "password" in dex's examples.
const DEFAULT_HASHES: &[&str] = &["$2a$10$2b2cU8CPhOTaGrs1HRQuAueS7JTT5ZHsHSzYiFPm1leZck7Mc8T4W"];

/// Grants dex offers when `oauth2.grantTypes` does not choose (`server/server.go`); the password grant comes with
/// `oauth2.passwordConnector`, the implicit grant with a response type that hands out access tokens.
const DEFAULT_GRANTS: [&str; 4] = [
    "authorization_code",
    "refresh_token",
    "urn:ietf:params:oauth:grant-type:device_code",
    "urn:ietf:params:oauth:grant-type:token-exchange",
];

/// Path of dex's own end of the device flow; registered like a redirect URI, but never leaves dex.
const DEVICE_CALLBACK: &str = "/device/callback";

impl Adapter for Dex {
    fn kinds(&self) -> &'static [Kind] {
        &[Kind {
            name: KIND,
            doc: "dex configuration (config.yaml), also in a Kubernetes ConfigMap or in Helm values",
            targets: &[TargetKind::Settings, TargetKind::Client],
        }]
    }

    fn recognise(&self, document: &Document) -> Option<&'static str> {
        let root = document.root();
        let found = is_config(root)
            || helm_nodes(root).any(is_config)
            || config_map_texts(root).any(|text| nested(text).is_some());
        found.then_some(KIND)
    }

    fn adapt(&self, document: &Document, _kind: &'static str, sink: &mut dyn Sink) {
        let root = document.root();
        if is_config(root) {
            return targets(root, sink);
        }
        helm_targets(root, sink);
        if root.get("kind").and_then(Cursor::as_str) == Some("Secret") {
            sink.secrets_expected();
        }
        for text in config_map_texts(root) {
            if let Some(inner) = nested(text) {
                targets(inner.root(), sink);
            }
        }
    }
}

/// Where Helm charts keep a dex configuration: dex's own chart, and charts that embed it.
fn helm_nodes(root: Cursor<'_>) -> impl Iterator<Item = Cursor<'_>> {
    [root.get("config"), root.path(&["dex", "config"])].into_iter().flatten()
}

/// Yields the targets of the dex configurations in Helm values, for charts that bring dex along with another issuer.
pub(super) fn helm_targets(root: Cursor<'_>, sink: &mut dyn Sink) {
    if root.path(&["dex", "enabled"]).and_then(Cursor::as_bool) != Some(false) {
        for node in helm_nodes(root).filter(|&node| is_config(node)) {
            targets(node, sink);
        }
    }
}

/// Texts of a ConfigMap's (or a Secret's `stringData`) files.
fn config_map_texts(root: Cursor<'_>) -> impl Iterator<Item = Cursor<'_>> {
    let data = match root.get("kind").and_then(Cursor::as_str) {
        Some("ConfigMap") => root.get("data"),
        Some("Secret") => root.get("stringData"),
        _ => None,
    };
    data.into_iter().flat_map(Cursor::items).filter(|item| item.as_str().is_some())
}

/// The dex configuration inside a text.
fn nested(text: Cursor<'_>) -> Option<Document> {
    // Most files of a ConfigMap are something else: look before parsing.
    if !text.as_str()?.contains("issuer") {
        return None;
    }
    let (documents, errors) = text.document.nested(text.id, crate::parse::Syntax::Yaml);
    let inner = documents.into_iter().next()?;
    (errors.is_empty() && is_config(inner.root())).then_some(inner)
}

/// True for a complete dex configuration: `issuer` and members that in this company only dex has.
pub(super) fn is_config(node: Cursor<'_>) -> bool {
    if node.get("issuer").is_none_or(|issuer| issuer.as_str().is_none()) {
        return false;
    }
    let storage = node.path(&["storage", "type"]).is_some_and(|kind| kind.as_str().is_some());
    let own = ["staticClients", "enablePasswordDB", "staticPasswords"].iter().filter(|name| node.has(name)).count();
    let connectors = node
        .get("connectors")
        .is_some_and(|list| list.is_seq() && list.items().any(|item| item.has("type") && item.has("id")));
    let shared = ["web", "expiry", "oauth2", "frontend", "telemetry", "grpc", "logger", "signer"]
        .iter()
        .filter(|name| node.get(name).is_some_and(Cursor::is_map))
        .count();
    let strong = own + usize::from(connectors);
    (strong >= 1 && strong + usize::from(storage) + shared >= 2) || (storage && node.has("web") && shared >= 2)
}

/// Yields the targets of a dex configuration at a node.
pub(super) fn targets(node: Cursor<'_>, sink: &mut dyn Sink) {
    let config = Reader::new(node);
    let oauth2 = config.map("oauth2");
    let server = Server {
        issuer: config.text("issuer"),
        grants: grants(oauth2),
        no_rotation: refresh(&config)
            .map(|r| switch(&r, "disableRotation"))
            .unwrap_or_default()
            .or(Field::bool(false, None)),
        skips_consent: oauth2
            .map(|o| switch(&o, "skipApprovalScreen"))
            .unwrap_or_default()
            .or(Field::bool(false, None)),
        pkce: oauth2.and_then(|o| o.map("pkce")),
    };
    settings(&config, &server, sink);
    for item in config.cursor().get("staticClients").into_iter().flat_map(Cursor::items).filter(|item| item.is_map()) {
        client(&Reader::new(item), &server, sink);
    }
    for item in config.cursor().get("connectors").into_iter().flat_map(Cursor::items) {
        if let Some(password) = item.path(&["config", "bindPW"]) {
            secret::mask_all(password, sink);
        }
    }
}

/// What holds for every client.
struct Server<'d> {
    issuer: Field<'d>,
    grants: Field<'d>,
    no_rotation: Field<'d>,
    skips_consent: Field<'d>,
    pkce: Option<Reader<'d>>,
}

fn refresh<'d>(config: &Reader<'d>) -> Option<Reader<'d>> {
    config.map("expiry")?.map("refreshTokens")
}

/// A Go duration; the empty string counts as not set.
fn span<'d>(reader: Option<Reader<'d>>, name: &str) -> Field<'d> {
    let text = reader.map(|reader| reader.any_text(name)).unwrap_or_default();
    if text.as_text() == Some("") { Field::default() } else { duration::go_field(text) }
}

/// A boolean as dex's YAML 1.1 reader takes it: `yes` and `on` are true.
fn switch<'d>(reader: &Reader<'d>, name: &str) -> Field<'d> {
    let text = reader.cursor().get(name).and_then(Cursor::as_str);
    match text.and_then(yaml::scalar_1_1) {
        Some(yaml::Scalar11::Bool(value)) => Field::bool(value, reader.at(name)),
        _ => reader.bool(name),
    }
}

/// A duration that limits nothing when it is 0 or not set. `near` is the place to point at when it is not set.
fn limit(field: Field<'_>, near: Option<At>) -> Field<'_> {
    match (&field.state, field.as_int()) {
        (State::Absent, _) => Field::unlimited(field.at.or(near)),
        (_, Some(0)) => Field::unlimited(field.at),
        _ => field,
    }
}

/// The grants dex offers.
fn grants<'d>(oauth2: Option<Reader<'d>>) -> Field<'d> {
    let password = oauth2.map(|o| o.text("passwordConnector")).unwrap_or_default();
    let chosen = oauth2.map(|o| o.texts("grantTypes")).unwrap_or_default();
    let has_password = password.as_text().is_none_or(|name| !name.is_empty()) && !password.is_absent();
    let responses = oauth2.map(|o| o.texts("responseTypes")).unwrap_or_default();
    let hands_out = |kind: &&Field<'d>| kind.as_text().is_some_and(|kind| kind.split(' ').any(|part| part == "token"));
    let implicit = responses.items().iter().find(hands_out);
    match chosen.state {
        State::Value(Value::List(items)) if !items.is_empty() => {
            // Without a connector to check passwords, or a response type, dex leaves the grant out.
            let offered = |item: &Field<'d>| match item.as_text() {
                Some("password") => has_password,
                Some("implicit") => implicit.is_some() || !matches!(responses.state, State::Absent | State::Value(_)),
                _ => true,
            };
            let items = items.into_iter().filter(offered).collect();
            Field { state: State::Value(Value::List(items)), at: chosen.at }
        }
        State::Absent | State::Value(_) => {
            let mut items: Vec<Field<'d>> = DEFAULT_GRANTS.iter().map(|grant| Field::text(*grant, None)).collect();
            if has_password {
                items.push(Field::text("password", password.at));
            }
            if let Some(kind) = implicit {
                items.push(Field::text("implicit", kind.at));
            }
            Field::list(items, None)
        }
        State::Unknown(_) | State::Malformed(_) | State::Unlimited => chosen,
    }
}

fn settings(config: &Reader<'_>, server: &Server<'_>, sink: &mut dyn Sink) {
    let expiry = config.map("expiry");
    let refresh_at = expiry.and_then(|expiry| expiry.at("refreshTokens")).or(config.at("expiry"));
    let signer = config.map("signer");
    let local = signer.is_none_or(|signer| signer.text("type").as_text() == Some("local"));
    let signer_config = signer.and_then(|signer| signer.map("config"));
    let tokens = span(expiry, "idTokens").or(Field::int(86_400, None));
    let refreshes = server.grants.contains("refresh_token");
    let mut record = Settings {
        product: Field::text("dex", None),
        issuer: server.issuer.clone(),
        lifetime_access_token: tokens.clone(),
        lifetime_id_token: tokens,
        lifetime_device_code: span(expiry, "deviceRequests").or(Field::int(300, None)),
        key_rotation: span(signer_config, "keysRotationPeriod").or(span(expiry, "signingKeys")),
        reuse_refresh_tokens: server.no_rotation.clone(),
        pkce_enforced: server
            .pkce
            .map(|pkce| switch(&pkce, "enforce"))
            .unwrap_or_default()
            .or(Field::bool(false, None)),
        signing_alg: signer_config.map(|signer| signer.text("algorithm")).unwrap_or_default(),
        default_secrets: default_hashes(config, sink),
        grant_types: server.grants.clone(),
        skips_consent: server.skips_consent.clone(),
        ..Settings::default()
    };
    if local {
        record.key_rotation = record.key_rotation.or(Field::int(6 * 3600, None));
        record.signing_alg = record.signing_alg.or(Field::text("RS256", None));
    }
    if refreshes {
        let refresh = refresh(config);
        record.lifetime_refresh_token = limit(span(refresh, "absoluteLifetime"), refresh_at);
        record.lifetime_refresh_idle = limit(span(refresh, "validIfNotUsedFor"), refresh_at);
    }
    let name = record.issuer.as_text().unwrap_or("dex").to_string();
    let identity = record.issuer.as_text().unwrap_or_default().to_string();
    let at = config.place(config.cursor());
    let target = Target { identity: identity.into(), at, ..Target::new(TargetKind::Settings, name, record) };
    sink.target(&[config.cursor().document], target);
}

/// Static passwords whose hash is the published one of dex's examples.
fn default_hashes<'d>(config: &Reader<'d>, sink: &mut dyn Sink) -> Field<'d> {
    let Some(list) = config.cursor().get("staticPasswords") else { return Field::default() };
    let mut found = Vec::new();
    for entry in list.items().filter(|entry| entry.is_map()) {
        let hash = secret::look(&Reader::new(entry), "hash", DEFAULT_HASHES, sink);
        match hash.is_default.state {
            State::Unknown(_) => found.push(hash.is_default),
            _ if hash.is_default.as_bool() == Some(true) => {
                found.push(Field::text("staticPasswords.hash", hash.is_default.at));
            }
            _ => {}
        }
    }
    if found.is_empty() { Field::default() } else { Field::list(found, config.place(list)) }
}

fn client(entry: &Reader<'_>, server: &Server<'_>, sink: &mut dyn Sink) {
    let mut client_id = entry.any_text("id");
    if client_id.is_absent()
        && let Some(at) = entry.at("idEnv")
    {
        client_id = Field::unknown("the id is in an environment variable", at);
    }
    let public = switch(entry, "public").or(Field::bool(false, None));
    let secret = secret::look(entry, "secret", DEFAULT_CLIENT_SECRETS, sink);
    let name = entry.any_text("name");
    let shown = name.as_text().filter(|name| !name.is_empty()).or(client_id.as_text()).unwrap_or("static client");
    let target_name = shown.to_string();
    let identity = client_id.as_text().unwrap_or("").to_string();
    let record = Client {
        auth_method: match public.as_bool() {
            Some(true) => Field::text("none", public.at),
            _ => Field::default(),
        },
        client_id,
        name,
        issuer: server.issuer.clone(),
        product: Field::text("dex", None),
        redirect_uris: redirects(entry),
        grant_types: server.grants.clone(),
        public,
        pkce_method: pkce_method(server.pkce),
        refresh_tokens: Field::bool(server.grants.contains("refresh_token"), None),
        reuse_refresh_tokens: server.no_rotation.clone(),
        dynamically_registered: Field::bool(false, None),
        active: Field::bool(true, None),
        has_secret: secret.present,
        secret_is_default: secret.is_default,
        skips_consent: server.skips_consent.clone(),
        ..Client::default()
    };
    let at = entry.place(entry.cursor());
    let target = Target { identity: identity.into(), at, ..Target::new(TargetKind::Client, target_name, record) };
    sink.target(&[entry.cursor().document], target);
}

fn redirects<'d>(entry: &Reader<'d>) -> Field<'d> {
    let field = entry.texts("redirectURIs");
    match field.state {
        State::Value(Value::List(mut items)) => {
            items.retain(|item| {
                item.as_text().is_none_or(|uri| !(uri.starts_with('/') && uri.ends_with(DEVICE_CALLBACK)))
            });
            Field::list(items, field.at)
        }
        state => Field { state, at: field.at },
    }
}

/// With `pkce.enforce` dex demands a challenge of any method it supports; a client that can do S256 is not hurt, so
/// only a server that supports nothing but `plain` counts as demanding `plain`.
fn pkce_method<'d>(pkce: Option<Reader<'d>>) -> Field<'d> {
    let Some(pkce) = pkce else { return Field::default() };
    let enforce = switch(&pkce, "enforce");
    let methods = pkce.texts("codeChallengeMethodsSupported");
    match (&enforce.state, enforce.as_bool()) {
        (State::Unknown(_) | State::Malformed(_), _) => enforce,
        (_, Some(true)) if methods.contains("plain") && !methods.contains("S256") => Field::text("plain", methods.at),
        (_, Some(true)) => Field::text("S256", enforce.at),
        _ => Field::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::KIND;
    use crate::adapt::testing::{Collected, collect};
    use crate::model::TargetKind;
    use crate::parse::Syntax;

    const BASE: &str =
        "issuer: https://dex.test\nstorage:\n  type: sqlite3\nweb:\n  http: 0.0.0.0:5556\nenablePasswordDB: true\n";

    fn dex(more: &str) -> Collected {
        let got = collect(&format!("{BASE}{more}"), Syntax::Yaml);
        assert_eq!((got.kinds.as_slice(), got.errors.len()), ([KIND].as_slice(), 0));
        got
    }

    #[test]
    fn defaults_are_dexs_own() {
        let got = dex("");
        let server = &got.targets[0];
        assert_eq!(server.kind, TargetKind::Settings);
        for (field, expected) in [
            ("issuer", "https://dex.test"),
            ("lifetimes.access_token", "86400"),
            ("lifetimes.id_token", "86400"),
            ("lifetimes.refresh_token", "unlimited"),
            ("lifetimes.refresh_idle", "unlimited"),
            ("lifetimes.device_code", "300"),
            ("key_rotation", "21600"),
            ("reuse_refresh_tokens", "false"),
            ("skips_consent", "false"),
            ("pkce_enforced", "false"),
            ("default_secrets", ""),
        ] {
            assert_eq!(server.get(field), expected, "{field}");
        }
        assert!(!server.get("grant_types").contains("password"));
    }

    #[test]
    fn lifetimes_are_go_durations_and_zero_is_no_limit() {
        for (more, field, expected) in [
            ("expiry: {idTokens: 1h30m}", "lifetimes.access_token", "5400"),
            ("expiry: {idTokens: ''}", "lifetimes.access_token", "86400"),
            ("expiry: {refreshTokens: {absoluteLifetime: 720h}}", "lifetimes.refresh_token", "2592000"),
            ("expiry: {refreshTokens: {absoluteLifetime: 0s}}", "lifetimes.refresh_token", "unlimited"),
            ("expiry: {refreshTokens: {absoluteLifetime: '0'}}", "lifetimes.refresh_token", "unlimited"),
            ("expiry: {refreshTokens: {validIfNotUsedFor: 168h}}", "lifetimes.refresh_idle", "604800"),
            ("expiry: {refreshTokens: {disableRotation: true}}", "reuse_refresh_tokens", "true"),
            ("expiry: {signingKeys: 12h}", "key_rotation", "43200"),
            ("signer: {type: local, config: {keysRotationPeriod: 3h, algorithm: ES256}}", "key_rotation", "10800"),
            ("signer: {type: local, config: {algorithm: ES256}}", "signing_alg", "ES256"),
            ("signer: {type: vault, config: {}}", "signing_alg", ""),
            ("oauth2: {grantTypes: [authorization_code]}", "lifetimes.refresh_token", ""),
            ("oauth2: {grantTypes: [password, refresh_token]}", "grant_types", "refresh_token"),
            ("oauth2: {grantTypes: [password], passwordConnector: local}", "grant_types", "password"),
            ("oauth2: {grantTypes: [implicit, refresh_token]}", "grant_types", "refresh_token"),
            ("oauth2: {grantTypes: [implicit], responseTypes: [code, token]}", "grant_types", "implicit"),
            ("oauth2: {skipApprovalScreen: true}", "skips_consent", "true"),
            ("oauth2: {skipApprovalScreen: yes}", "skips_consent", "true"),
            ("oauth2: {pkce: {enforce: true}}", "pkce_enforced", "true"),
        ] {
            assert_eq!(dex(more).targets[0].get(field), expected, "{more}");
        }
        let days = dex("expiry: {idTokens: 7d}");
        assert!(days.targets[0].get("lifetimes.access_token").starts_with("malformed"));
        assert!(dex("oauth2: {passwordConnector: local}").targets[0].get("grant_types").ends_with("password"));
        for (responses, implicit) in [
            ("[code, id_token]", false),
            ("['code id_token']", false),
            ("[code, token]", true),
            ("['code token']", true),
            ("['id_token token']", true),
        ] {
            let got = dex(&format!("oauth2: {{responseTypes: {responses}}}"));
            assert_eq!(got.targets[0].get("grant_types").ends_with("implicit"), implicit, "{responses}");
        }
    }

    #[test]
    fn static_clients_follow_the_server() {
        let got = dex(
            "oauth2:\n  pkce:\n    enforce: true\nstaticClients:\n- id: app\n  name: App\n  secret: ZXhhbXBsZS1hcHAtc2VjcmV0\n  \
             redirectURIs: ['http://127.0.0.1:5555/callback', '/dex/device/callback']\n- id: cli\n  public: true\n- idEnv: APP_ID\n  \
             secretEnv: APP_SECRET\n",
        );
        let app = &got.targets[1];
        assert_eq!((app.name.as_str(), app.identity.as_str()), ("App", "app"));
        assert_eq!(app.get("redirect_uris"), "http://127.0.0.1:5555/callback", "dex's own device callback is left out");
        assert_eq!((app.get("has_secret"), app.get("secret_is_default"), app.get("public")), ("true", "true", "false"));
        assert_eq!(app.get("pkce_method"), "S256");
        assert_eq!(app.pointers["has_secret"], "/staticClients/0/secret");
        let cli = &got.targets[2];
        assert_eq!((cli.get("public"), cli.get("token_endpoint_auth_method")), ("true", "none"));
        assert_eq!((cli.get("refresh_tokens"), cli.get("has_secret")), ("true", ""));
        let env = &got.targets[3];
        assert!(env.get("client_id").starts_with("unknown"));
        assert_eq!(env.get("has_secret"), "");
    }

    #[test]
    fn the_published_password_hash_is_a_default_secret() {
        let got = dex(
            "staticPasswords:\n- email: a@dex.test\n  hash: $2a$10$2b2cU8CPhOTaGrs1HRQuAueS7JTT5ZHsHSzYiFPm1leZck7Mc8T4W\n",
        );
        assert_eq!(got.targets[0].get("default_secrets"), "staticPasswords.hash");
        assert_eq!(got.secrets, ["/staticPasswords/0/hash"]);
        let own = dex("staticPasswords:\n- email: a@dex.test\n  hash: $2a$10$testtesttesttesttest\n");
        assert_eq!(own.targets[0].get("default_secrets"), "");
    }

    #[test]
    fn wrapped_configurations_are_read_where_they_stand() {
        let indented: String = BASE.lines().map(|line| format!("    {line}\n")).collect();
        let got = collect(
            &format!("kind: ConfigMap\napiVersion: v1\ndata:\n  other.txt: hello\n  config.yaml: |\n{indented}"),
            Syntax::Yaml,
        );
        assert_eq!((got.kinds.as_slice(), got.targets.len()), ([KIND].as_slice(), 1));
        assert_eq!(got.targets[0].get("issuer"), "https://dex.test");
        let values = collect(&format!("dex:\n  config:\n{indented}"), Syntax::Yaml);
        assert_eq!(values.targets[0].pointers["issuer"], "/dex/config/issuer");
    }

    #[test]
    fn similar_files_are_left_alone() {
        for (text, remark) in [
            ("issuer: https://a.test\nlogger: {level: info}\nweb: {port: 1}\n", "some service"),
            ("issuer: https://a.test\nproviders: []\nsigning: {mytoken: {alg: ES512}}\nserver: {}\n", "mytoken"),
            ("issuer: https://a.test\nauthorization_endpoint: https://a.test/authorize\n", "discovery"),
            ("connectors:\n- type: github\n  id: github\n", "connectors alone"),
            ("kind: ConfigMap\ndata:\n  a: 'issuer: https://a.test'\n", "a ConfigMap of something else"),
            ("config:\n  issuer: https://a.test\n", "values of something else"),
        ] {
            assert!(!collect(text, Syntax::Yaml).kinds.contains(&KIND), "{remark}");
        }
    }
}
