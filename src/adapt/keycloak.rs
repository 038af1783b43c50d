//! Keycloak: realm exports, partial imports, single clients and operator resources.
//!
//! Client attributes are strings; `""` means the realm's value and `"-1"` the session maximum. A value missing from a
//! partial import stays whatever the server has, so it is unknown. Numbers are seconds. Checked against exports of
//! Keycloak 18 to 26.

use super::client_form::{absent, emit_with, grant, product};
use super::list::{any_element, for_each_element, has_any, has_text};
use super::read::is_placeholder;
use super::{Adapter, Kind, Reader, Sink, secret};
use crate::model::{At, Client, Field, Settings, State, Target, TargetKind, Value};
use crate::parse::{Cursor, Document};
use std::collections::HashSet;

/// The adapter.
pub(super) struct Keycloak;

const REALM: &str = "keycloak-realm";
const REALMS: &str = "keycloak-realms";
const CLIENT: &str = "keycloak-client";
const CLIENTS: &str = "keycloak-clients";
const RESOURCE: &str = "keycloak-operator-resource";

const BOTH: &[TargetKind] = &[TargetKind::Settings, TargetKind::Client];

static KINDS: [Kind; 5] = [
    Kind { name: REALM, doc: "Keycloak: a realm, exported, partial, or for keycloak-config-cli", targets: BOTH },
    Kind { name: REALMS, doc: "Keycloak: several realms in one array", targets: BOTH },
    Kind { name: CLIENT, doc: "Keycloak: one client of the admin API or console", targets: &[TargetKind::Client] },
    Kind { name: CLIENTS, doc: "Keycloak: clients without their realm", targets: &[TargetKind::Client] },
    Kind {
        name: RESOURCE,
        doc: "Keycloak operator: KeycloakRealmImport, KeycloakRealm, KeycloakClient",
        targets: BOTH,
    },
];

/// Clients every realm has; their settings are Keycloak's own.
const BUILT_IN: [&str; 6] =
    ["account", "account-console", "admin-cli", "broker", "realm-management", "security-admin-console"];

/// Members that, beside `realm` and [`REALM_SETTINGS`], make a realm.
const REALM_MEMBERS: &[&str] =
    &["keycloakVersion", "clientScopes", "identityProviders", "authenticationFlows", "clientPolicies"];

/// Members that set something for the whole realm.
const REALM_SETTINGS: &[&str] = &[
    "accessTokenLifespan",
    "accessCodeLifespan",
    "ssoSessionIdleTimeout",
    "ssoSessionMaxLifespan",
    "offlineSessionMaxLifespanEnabled",
    "oauth2DeviceCodeLifespan",
    "revokeRefreshToken",
    "defaultSignatureAlgorithm",
    "sslRequired",
];

/// Members that, beside `clientId`, make a Keycloak client.
const CLIENT_MEMBERS: &[&str] = &[
    "publicClient",
    "bearerOnly",
    "standardFlowEnabled",
    "implicitFlowEnabled",
    "directAccessGrantsEnabled",
    "serviceAccountsEnabled",
    "clientAuthenticatorType",
    "fullScopeAllowed",
    "optionalClientScopes",
    "webOrigins",
];

const PARTIAL: &str = "the file leaves the server's value as it is";
const NO_REALM: &str = "the realm decides, and it is not in this file";

fn is_realm(at: Cursor<'_>) -> bool {
    // Other products name a realm, too, and have users in it.
    let loose = || at.has("enabled") && has_any(at, &["clients", "users", "roles"]);
    let own = has_any(at, REALM_SETTINGS) || has_any(at, REALM_MEMBERS);
    has_text(at, "realm") && (own || loose() || at.get("clients").is_some_and(is_client_list))
}

fn is_client_list(at: Cursor<'_>) -> bool {
    any_element(at, is_client)
}

fn is_client(at: Cursor<'_>) -> bool {
    has_text(at, "clientId") && has_any(at, CLIENT_MEMBERS)
}

fn resource(root: Cursor<'_>) -> Option<(&str, Cursor<'_>)> {
    let api = root.get("apiVersion")?.as_str()?;
    let kind = root.get("kind")?.as_str()?;
    let member = match kind {
        "KeycloakRealmImport" | "KeycloakRealm" => "realm",
        "KeycloakClient" => "client",
        _ => return None,
    };
    let body = root.path(&["spec", member]).filter(|body| body.is_map())?;
    api.contains("keycloak").then_some((member, body))
}

impl Adapter for Keycloak {
    fn kinds(&self) -> &'static [Kind] {
        &KINDS
    }

    fn flows(&self, kind: &str) -> bool {
        matches!(kind, CLIENTS)
    }

    fn recognise(&self, document: &Document) -> Option<&'static str> {
        let root = document.root();
        if root.is_seq() {
            return if any_element(root, is_realm) {
                Some(REALMS)
            } else if is_client_list(root) {
                Some(CLIENTS)
            } else {
                None
            };
        }
        if resource(root).is_some() {
            Some(RESOURCE)
        } else if is_realm(root) {
            Some(REALM)
        } else if is_client(root) {
            Some(CLIENT)
        } else if root.get("clients").is_some_and(is_client_list) {
            Some(CLIENTS)
        } else {
            None
        }
    }

    fn adapt(&self, document: &Document, kind: &'static str, sink: &mut dyn Sink) {
        let root = document.root();
        match kind {
            REALMS => for_each_element(root, sink, adapt_realm),
            REALM => adapt_realm(root, sink),
            CLIENTS => for_each_element(root.get("clients").unwrap_or(root), sink, |client, sink| {
                adapt_client(client, &Realm::default(), &[], sink);
            }),
            RESOURCE => match resource(root) {
                Some(("realm", realm)) => adapt_realm(realm, sink),
                Some((_, client)) => adapt_client(client, &Realm::default(), &[], sink),
                None => {}
            },
            _ => adapt_client(root, &Realm::default(), &[], sink),
        }
    }
}

/// What clients inherit from their realm; unknown where the file has no realm.
struct Realm<'d> {
    access_token: Field<'d>,
    implicit_access_token: Field<'d>,
    session_max: Field<'d>,
    client_session_max: Field<'d>,
    offline_max: Field<'d>,
    client_offline_max: Field<'d>,
    device_code: Field<'d>,
    reuse_refresh_tokens: Field<'d>,
    policies: bool,
    /// Client policies may refuse these grants, whatever a client's switches say.
    refuses_implicit: bool,
    refuses_password: bool,
}

impl Default for Realm<'_> {
    fn default() -> Self {
        let unknown = || Field::unknown(NO_REALM, None);
        Realm {
            access_token: unknown(),
            implicit_access_token: unknown(),
            session_max: unknown(),
            client_session_max: unknown(),
            offline_max: unknown(),
            client_offline_max: unknown(),
            device_code: unknown(),
            reuse_refresh_tokens: unknown(),
            refuses_implicit: false,
            refuses_password: false,
            policies: false,
        }
    }
}

/// The smaller of two lifetimes. An unknown bound does not hide the number that was set.
fn bounded<'d>(lifetime: Field<'d>, maximum: &Field<'d>) -> Field<'d> {
    match (lifetime.as_int(), maximum.as_int()) {
        (Some(seconds), Some(limit)) if limit < seconds => maximum.clone(),
        _ => lifetime,
    }
}

/// The longer of two lifetimes; what has no end, or does not show, is the longer one.
fn longer<'d>(one: Field<'d>, other: Field<'d>) -> Field<'d> {
    match (one.as_int(), other.as_int()) {
        (Some(seconds), Some(more)) if more > seconds => other,
        (Some(_), None) => other,
        _ => one,
    }
}

impl<'d> Realm<'d> {
    fn read(reader: Reader<'d>) -> Self {
        let number = |name: &str| {
            let field = reader.int(name);
            let at = field.at;
            field.or(Field::unknown(PARTIAL, at))
        };
        let session_max = session_max(reader);
        let reuse = match (reader.bool("revokeRefreshToken"), reader.int("refreshTokenMaxReuse")) {
            (revoke, reuse) if revoke.as_bool() == Some(true) && reuse.as_int().is_some() => {
                reuse.map_int(|times, at| Field::bool(times > 0, at))
            }
            (revoke, _) if revoke.as_bool() == Some(false) => Field::bool(true, revoke.at),
            (revoke, _) => Field::unknown(PARTIAL, revoke.at),
        };
        let enabled_policy = |policy: Cursor<'d>| policy.get("enabled").and_then(Cursor::as_bool) != Some(false);
        let policies = reader.cursor().path(&["clientPolicies", "policies"]);
        let enabled: Vec<Cursor<'d>> =
            policies.into_iter().flat_map(Cursor::items).filter(|policy| enabled_policy(*policy)).collect();
        let profiles = reader.cursor().path(&["clientProfiles", "profiles"]);
        let names = enabled.iter().filter_map(|policy| policy.get("profiles")).flat_map(Cursor::items);
        let names: HashSet<&str> = names.filter_map(Cursor::as_str).collect();
        let refuses = |executor: &str| {
            let has = |profile: &Cursor<'d>| {
                let executors = profile.get("executors").into_iter().flat_map(Cursor::items);
                executors.filter_map(|at| at.get("executor")?.as_str()).any(|found| found == executor)
            };
            let own = profiles.into_iter().flat_map(Cursor::items).filter(|profile| !has(profile));
            let harmless: HashSet<&str> = own.filter_map(|profile| profile.get("name")?.as_str()).collect();
            // The profiles that come with Keycloak stand in no export, and may refuse it too.
            !names.is_subset(&harmless)
        };
        Realm {
            access_token: number("accessTokenLifespan"),
            implicit_access_token: number("accessTokenLifespanForImplicitFlow"),
            client_session_max: number("clientSessionMaxLifespan"),
            offline_max: match reader.bool("offlineSessionMaxLifespanEnabled") {
                // Without a maximum, offline tokens carry no `exp`; the number beside the switch is ignored.
                enabled if enabled.as_bool() == Some(false) => Field::unlimited(enabled.at),
                enabled if enabled.as_bool() == Some(true) => number("offlineSessionMaxLifespan"),
                enabled => Field::unknown(PARTIAL, enabled.at),
            },
            client_offline_max: reader.int("clientOfflineSessionMaxLifespan"),
            device_code: number("oauth2DeviceCodeLifespan"),
            reuse_refresh_tokens: reuse,
            policies: !enabled.is_empty(),
            refuses_implicit: refuses("reject-implicit-grant"),
            refuses_password: refuses("reject-ropc-grant"),
            session_max,
        }
    }
}

/// The longest an SSO session lasts; the "remember me" maximum counts where it is longer and in use.
fn session_max<'d>(reader: Reader<'d>) -> Field<'d> {
    let normal = reader.int("ssoSessionMaxLifespan");
    let remembered = reader.int("ssoSessionMaxLifespanRememberMe");
    let at = normal.at;
    match (normal.as_int(), remembered.as_int()) {
        (Some(seconds), Some(longer)) if longer > seconds && reader.bool("rememberMe").as_bool() == Some(true) => {
            remembered
        }
        _ => normal.or(Field::unknown(PARTIAL, at)),
    }
}

/// An access token lifespan: −1 lasts as long as an SSO session, and no token outlives its own session.
fn access_lifespan<'d>(lifespan: Field<'d>, realm: &Realm<'d>, session_end: &Field<'d>) -> Field<'d> {
    let lifespan = lifespan.map_int(|seconds, at| match seconds {
        -1 => match realm.session_max.as_int() {
            Some(maximum) => Field::int(maximum, at),
            None => Field::unknown("-1 means the session maximum, which is not in this file", at),
        },
        1.. => Field::int(seconds, at),
        _ => Field::malformed("a number of seconds above 0, or -1 for the session maximum, is expected", at),
    });
    bounded(lifespan, session_end)
}

fn adapt_realm(at: Cursor<'_>, sink: &mut dyn Sink) {
    if !at.is_map() {
        return sink.error(at.document, at.id, "a realm object is expected in this list".into());
    }
    let reader = Reader::new(at);
    let realm = Realm::read(reader);
    mark_secrets(reader, sink);
    if at.has("keycloakVersion") {
        // Only an export, which an administrator made, names the version; secrets are part of it.
        sink.secrets_expected();
    }
    // A file that only adds clients or users says nothing about the realm itself.
    if has_any(at, REALM_SETTINGS) {
        let settings = realm_settings(reader, &realm);
        let name = at.get("realm").and_then(Cursor::as_str).unwrap_or("realm").to_string();
        let mut target = Target::new(TargetKind::Settings, format!("realm {name}"), settings);
        target.identity = name.into();
        target.at = At::node(at.id);
        sink.target(&[at.document], target);
    }
    if let Some(clients) = at.get("clients") {
        // Elements read on their own are documents of their own; what they inherit stands in the realm's.
        let inherited = Realm::read(Reader::of_document(at, 1));
        for_each_element(clients, sink, |client, sink| match std::ptr::eq(client.document, at.document) {
            true => adapt_client(client, &realm, &[], sink),
            false => adapt_client(client, &inherited, &[at.document], sink),
        });
    }
}

fn realm_settings<'d>(reader: Reader<'d>, realm: &Realm<'d>) -> Settings<'d> {
    let number = |name: &str| {
        let field = reader.int(name);
        let at = field.at;
        field.or(Field::unknown(PARTIAL, at))
    };
    let text = |name: &str| {
        let field = reader.filled(name);
        let at = field.at;
        field.or(Field::unknown(PARTIAL, at))
    };
    Settings {
        product: product("keycloak"),
        version: reader.filled("keycloakVersion"),
        base_url: reader.map("attributes").map(|attributes| attributes.filled("frontendUrl")).unwrap_or_default(),
        lifetime_access_token: access_lifespan(realm.access_token.clone(), realm, &realm.session_max),
        lifetime_refresh_token: realm.session_max.clone(),
        lifetime_refresh_idle: number("ssoSessionIdleTimeout"),
        lifetime_offline_token: realm.offline_max.clone(),
        lifetime_device_code: realm.device_code.clone(),
        lifetime_authorization_code: number("accessCodeLifespan"),
        reuse_refresh_tokens: realm.reuse_refresh_tokens.clone(),
        signing_alg: text("defaultSignatureAlgorithm"),
        tls_required: match text("sslRequired") {
            // Keycloak compares the word without case.
            required if required.as_text().is_some_and(|word| word.bytes().any(|byte| byte.is_ascii_uppercase())) => {
                Field::text(required.as_text().unwrap_or_default().to_ascii_lowercase(), required.at)
            }
            required => required,
        },
        ..Settings::default()
    }
}

/// Marks the secrets whose member names do not tell: passwords of users and keys of key providers.
fn mark_secrets(reader: Reader<'_>, sink: &mut dyn Sink) {
    let root = reader.cursor();
    for credential in root
        .get("users")
        .into_iter()
        .flat_map(Cursor::items)
        .filter_map(|user| user.get("credentials"))
        .flat_map(Cursor::items)
    {
        for name in ["value", "secretData", "hashedSaltedValue"] {
            secret::look(&Reader::new(credential), name, &[], sink);
        }
    }
    let providers = root.path(&["components", "org.keycloak.keys.KeyProvider"]);
    for config in providers.into_iter().flat_map(Cursor::items).filter_map(|provider| provider.get("config")) {
        for list in
            ["privateKey", "secret", "keystorePassword", "keyPassword"].iter().filter_map(|name| config.get(name))
        {
            let in_clear =
                |value: &Cursor<'_>| value.as_str().is_some_and(|text| !text.is_empty() && !is_placeholder(text));
            for value in list.items().filter(in_clear) {
                sink.secret(value.document, value.id);
            }
        }
    }
}

fn is_built_in(reader: Reader<'_>) -> bool {
    let id = reader.text("clientId");
    let id = id.as_text().unwrap_or_default();
    // The master realm has one bearer-only client for every realm.
    BUILT_IN.contains(&id) || (id.ends_with("-realm") && reader.bool("bearerOnly").as_bool() == Some(true))
}

/// The switches of a client, with Keycloak's defaults for a new one.
struct Flows<'d> {
    standard: Field<'d>,
    implicit: Field<'d>,
    password: Field<'d>,
    service: Field<'d>,
    device: Field<'d>,
    exchange: Field<'d>,
    jwt_bearer: Field<'d>,
}

fn on(field: &Field<'_>) -> bool {
    field.as_bool() == Some(true)
}

impl<'d> Flows<'d> {
    fn read(reader: Reader<'d>, attributes: Option<Reader<'d>>) -> Self {
        let switch = |name: &str, default: bool| reader.bool(name).or(Field::bool(default, None));
        let attribute = |name: &str| attributes.map(|map| map.bool_or_text(name)).unwrap_or_default();
        Flows {
            standard: switch("standardFlowEnabled", true),
            implicit: switch("implicitFlowEnabled", false),
            password: switch("directAccessGrantsEnabled", false),
            service: switch("serviceAccountsEnabled", false),
            device: attribute("oauth2.device.authorization.grant.enabled"),
            exchange: attribute("standard.token.exchange.enabled"),
            jwt_bearer: attribute("oauth2.jwt.authorization.grant.enabled"),
        }
    }

    /// The flows in which a user gets tokens from the token endpoint.
    fn of_a_user(&self) -> impl Iterator<Item = &Field<'d>> {
        [&self.standard, &self.password, &self.device].into_iter()
    }

    /// Grant types, each at its switch. A bearer-only client gets no tokens.
    fn grants(&self, refresh: &Field<'d>, at: At) -> Field<'d> {
        let switches = [
            (grant::AUTHORIZATION_CODE, &self.standard),
            (grant::IMPLICIT, &self.implicit),
            (grant::PASSWORD, &self.password),
            (grant::CLIENT_CREDENTIALS, &self.service),
            (grant::DEVICE_CODE, &self.device),
            (grant::TOKEN_EXCHANGE, &self.exchange),
            (grant::JWT_BEARER, &self.jwt_bearer),
            (grant::REFRESH_TOKEN, refresh),
        ];
        let items = switches.iter().filter_map(|(grant, switch)| match switch.state {
            State::Value(Value::Bool(true)) => Some(Field::text(*grant, switch.at)),
            State::Unknown(_) | State::Malformed(_) => Some(Field { state: switch.state.clone(), at: switch.at }),
            State::Value(_) | State::Absent | State::Unlimited => None,
        });
        Field::list(items.collect(), at)
    }
}

fn adapt_client(at: Cursor<'_>, realm: &Realm<'_>, more: &[&Document], sink: &mut dyn Sink) {
    let reader = Reader::new(at);
    let protocol = reader.text("protocol");
    if !at.is_map() {
        return sink.error(at.document, at.id, "a client object is expected in this list".into());
    }
    if protocol.as_text().is_some_and(|protocol| protocol != "openid-connect") || is_built_in(reader) {
        return;
    }
    let has_secret = secret::look(&reader, "secret", &[], sink).present;
    let client = client(reader, realm, has_secret);
    emit_with(sink, at, more, client, "");
}

fn client<'d>(reader: Reader<'d>, realm: &Realm<'d>, has_secret: Field<'d>) -> Client<'d> {
    let place = reader.place(reader.cursor());
    let attributes = reader.map("attributes");
    let attribute = |name: &str| attributes.map(|map| map.filled(name)).unwrap_or_default();
    let bearer_only = on(&reader.bool("bearerOnly"));
    let mut flows = Flows::read(reader, attributes);
    for (switch, refused) in
        [(&mut flows.implicit, realm.refuses_implicit), (&mut flows.password, realm.refuses_password)]
    {
        if refused && on(switch) {
            *switch = Field::unknown("client policies of the realm may refuse the grant", switch.at);
        }
    }
    let refresh =
        if bearer_only { Field::bool(false, reader.at("bearerOnly")) } else { refresh_tokens(&flows, attributes) };
    let public = reader.bool("publicClient").or(Field::bool(false, None));
    let pkce = attribute("pkce.code.challenge.method");
    let scopes = scopes(reader);
    // A service account without refresh tokens has no session to go on with.
    let offline = scopes.items().iter().any(|scope| scope.as_text() == Some("offline_access"))
        && (flows.of_a_user().any(on) || on(&refresh));
    let sessions = Sessions::read(attributes, realm, offline);
    Client {
        client_id: reader.filled("clientId"),
        name: reader.filled("name"),
        description: reader.filled("description"),
        product: product("keycloak"),
        redirect_uris: redirect_uris(reader),
        web_origins: reader.texts("webOrigins"),
        grant_types: if bearer_only {
            Field::list(vec![], reader.at("bearerOnly"))
        } else {
            flows.grants(&refresh, place)
        },
        scopes,
        auth_method: auth_method(reader, &public),
        client_uri: absolute(reader.filled("baseUrl")),
        policy_uri: attribute("policyUri"),
        tos_uri: attribute("tosUri"),
        jwks_uri: attribute("jwks.url"),
        pkce_method: match pkce.is_absent() && realm.policies {
            true => Field::unknown("client policies of the realm may demand PKCE", pkce.at),
            false => pkce,
        },
        lifetime_access_token: match bearer_only {
            true => Field::default(),
            false => access_token(&flows, attributes, realm, &sessions),
        },
        lifetime_refresh_token: refresh_lifetime(&refresh, &sessions),
        lifetime_device_code: device_code(&flows, attributes, realm),
        reuse_refresh_tokens: realm.reuse_refresh_tokens.clone(),
        refresh_tokens: refresh,
        active: reader.bool("enabled").or(Field::bool(true, None)),
        full_scope: reader.bool("fullScopeAllowed"),
        skips_consent: reader.bool("consentRequired").map_bool(|asked| !asked),
        id_token_alg: attribute("id.token.signed.response.alg"),
        public,
        has_secret,
        ..Client::default()
    }
}

/// Refresh tokens come with every flow of a user unless `use.refresh.tokens` is off; a service account gets them only
/// when asked for.
fn refresh_tokens<'d>(flows: &Flows<'d>, attributes: Option<Reader<'d>>) -> Field<'d> {
    let attribute = |name: &str| attributes.map(|map| map.bool_or_text(name)).unwrap_or_default();
    let used = attribute("use.refresh.tokens").or(Field::bool(true, None));
    let service = attribute("client_credentials.use_refresh_token");
    let user_flow = flows.of_a_user().any(on);
    match (used.as_bool(), user_flow, on(&flows.service) && on(&service)) {
        (_, _, true) => Field::bool(true, service.at),
        (Some(used_by_users), true, false) => Field::bool(used_by_users, used.at),
        (Some(_), false, false) => Field::bool(false, used.at),
        (None, _, false) => Field::unknown("it does not show whether the client can get refresh tokens", used.at),
    }
}

fn auth_method<'d>(reader: Reader<'d>, public: &Field<'d>) -> Field<'d> {
    if on(public) {
        return Field::text("none", public.at);
    }
    let field = reader.filled("clientAuthenticatorType");
    let name = match field.as_text() {
        Some("client-secret") => "client_secret_basic",
        Some("client-jwt") => "private_key_jwt",
        Some("client-secret-jwt") => "client_secret_jwt",
        Some("client-x509") => "tls_client_auth",
        Some(_) => return Field::unknown("it is an authenticator of the server's own making", field.at),
        None if field.is_absent() => "client_secret_basic",
        None => return field,
    };
    Field::text(name, field.at)
}

/// Default and optional client scopes; a client that names neither gets the realm's.
fn scopes<'d>(reader: Reader<'d>) -> Field<'d> {
    let (default, optional) = (reader.texts("defaultClientScopes"), reader.texts("optionalClientScopes"));
    match (default.is_absent(), optional.is_absent()) {
        (false, false) => {
            let items = default.items().iter().chain(optional.items()).cloned().collect();
            Field::list(items, default.at)
        }
        (true, true) => Field::unknown("the realm's default client scopes apply", None),
        _ => Field::unknown(
            "the realm's default client scopes apply to the list that is not named",
            default.at.or(optional.at),
        ),
    }
}

fn absolute(url: Field<'_>) -> Field<'_> {
    match url.as_text() {
        Some(text) if text.starts_with('/') => absent(url.at),
        _ => url,
    }
}

/// Redirect URIs, relative ones put behind the client's root URL.
fn redirect_uris<'d>(reader: Reader<'d>) -> Field<'d> {
    let uris = reader.texts("redirectUris");
    let root = reader.filled("rootUrl");
    let items = uris.items().iter().map(|uri| match (uri.as_text(), root.as_text()) {
        (Some(text), Some(root)) if text.starts_with('/') => {
            Field::text(format!("{}{text}", root.trim_end_matches('/')), uri.at)
        }
        (Some(text), None) if text.starts_with('/') => {
            Field::unknown("a redirect URI without a host is put behind the server's own address", uri.at)
        }
        _ => uri.clone(),
    });
    match &uris.state {
        State::Value(_) => Field::list(items.collect(), uris.at),
        State::Absent | State::Unknown(_) | State::Malformed(_) | State::Unlimited => uris.clone(),
    }
}

/// A number in an attribute; absent for `""`, which stands for the realm's value.
fn attribute_seconds<'d>(attributes: Option<Reader<'d>>, name: &str) -> Field<'d> {
    attributes.map(|map| map.int_or_digits(name)).unwrap_or_default()
}

/// When the sessions of a client end at the latest.
struct Sessions<'d> {
    online: Field<'d>,
    /// Of a user who asks for `offline_access`; absent where the client may not.
    offline: Field<'d>,
}

impl<'d> Sessions<'d> {
    fn read(attributes: Option<Reader<'d>>, realm: &Realm<'d>, offline: bool) -> Self {
        let own = |name: &str, inherited: &Field<'d>| {
            let own = attribute_seconds(attributes, name);
            let own = if matches!(own.as_int(), Some(1..)) { own } else { inherited.clone() };
            matches!(own.as_int(), Some(1..)).then_some(own)
        };
        let until = |own: Option<Field<'d>>, maximum: &Field<'d>| {
            own.map_or_else(|| maximum.clone(), |own| bounded(own, maximum))
        };
        // The realm's number for clients counts where its offline sessions have a maximum at all.
        let client_offline = match realm.offline_max.as_int() {
            Some(_) => &realm.client_offline_max,
            None => &realm.offline_max,
        };
        Sessions {
            online: until(own("client.session.max.lifespan", &realm.client_session_max), &realm.session_max),
            offline: match offline {
                true => until(own("client.offline.session.max.lifespan", client_offline), &realm.offline_max),
                false => Field::default(),
            },
        }
    }

    fn longest(&self) -> Field<'d> {
        match self.offline.is_absent() {
            true => self.online.clone(),
            false => longer(self.online.clone(), self.offline.clone()),
        }
    }
}

/// The implicit flow does not look at the client's own lifespan.
fn access_token<'d>(
    flows: &Flows<'d>,
    attributes: Option<Reader<'d>>,
    realm: &Realm<'d>,
    sessions: &Sessions<'d>,
) -> Field<'d> {
    if on(&flows.implicit) && !flows.of_a_user().any(on) && !on(&flows.service) {
        return access_lifespan(realm.implicit_access_token.clone(), realm, &sessions.online);
    }
    let own = attribute_seconds(attributes, "access.token.lifespan");
    let lifespan = if own.is_absent() { realm.access_token.clone() } else { own };
    access_lifespan(lifespan, realm, &sessions.longest())
}

/// Refresh tokens end with the session at the latest. Offline tokens without an end are a matter of the realm, and are
/// judged there.
fn refresh_lifetime<'d>(refresh: &Field<'d>, sessions: &Sessions<'d>) -> Field<'d> {
    if refresh.as_bool() == Some(false) {
        return absent(refresh.at);
    }
    match sessions.longest() {
        endless if matches!(endless.state, State::Unlimited) => absent(endless.at),
        longest => longest,
    }
}

fn device_code<'d>(flows: &Flows<'d>, attributes: Option<Reader<'d>>, realm: &Realm<'d>) -> Field<'d> {
    if !on(&flows.device) {
        return absent(flows.device.at);
    }
    let own = attribute_seconds(attributes, "oauth2.device.code.lifespan");
    if own.is_absent() { realm.device_code.clone() } else { own }
}

#[cfg(test)]
mod tests {
    use crate::adapt::testing::{Collected, Got, collect, corpus};
    use crate::model::TargetKind;
    use crate::parse::Syntax;

    fn read(text: &str) -> Collected {
        collect(text, Syntax::Json)
    }

    /// The client of a realm with these members.
    fn in_realm(realm: &str, client: &str) -> Got {
        let text = format!(
            r#"{{"realm": "r", "enabled": true, {realm} "clients": [{{"clientId": "c", "publicClient": false {client}}}]}}"#
        );
        let mut got = read(&text);
        assert_eq!(got.kinds, ["keycloak-realm"], "{text}");
        got.targets.pop().expect("a client")
    }

    #[test]
    fn access_tokens_live_as_the_client_or_realm_says_but_no_longer_than_the_session() {
        let realm =
            r#""accessTokenLifespan": 300, "accessTokenLifespanForImplicitFlow": 900, "ssoSessionMaxLifespan": 36000,"#;
        for (client, expected, at, remark) in [
            ("", "300", "/accessTokenLifespan", "the realm's"),
            (r#", "attributes": {"access.token.lifespan": ""}"#, "300", "/accessTokenLifespan", "empty is the realm's"),
            (
                r#", "attributes": {"access.token.lifespan": "7200"}"#,
                "7200",
                "/clients/0/attributes/access.token.lifespan",
                "its own, as a string",
            ),
            (
                r#", "attributes": {"access.token.lifespan": "-1"}"#,
                "36000",
                "/clients/0/attributes/access.token.lifespan",
                "-1 is the session maximum",
            ),
            (
                r#", "attributes": {"access.token.lifespan": "86400"}"#,
                "36000",
                "/ssoSessionMaxLifespan",
                "the session ends first",
            ),
            (
                r#", "implicitFlowEnabled": true, "standardFlowEnabled": false, "attributes": {"access.token.lifespan": "60"}"#,
                "900",
                "/accessTokenLifespanForImplicitFlow",
                "the implicit flow does not look at the client's",
            ),
        ] {
            let got = in_realm(realm, client);
            assert_eq!(got.get("lifetimes.access_token"), expected, "{remark}");
            assert_eq!(got.pointers["lifetimes.access_token"], at, "{remark}");
        }
        let partial = in_realm("", "");
        assert!(partial.get("lifetimes.access_token").starts_with("unknown: the file leaves the server's value"));
        let forever = in_realm(r#""accessTokenLifespan": -1,"#, "");
        assert!(forever.get("lifetimes.access_token").starts_with("unknown: -1 means the session maximum"));
    }

    #[test]
    fn grants_follow_the_switches() {
        for (client, grants, refresh, remark) in [
            ("", "authorization_code refresh_token", "true", "a new client has the standard flow"),
            (r#", "standardFlowEnabled": false"#, "", "false", "nothing at all"),
            (
                r#", "standardFlowEnabled": false, "serviceAccountsEnabled": true"#,
                "client_credentials",
                "false",
                "service account",
            ),
            (
                r#", "standardFlowEnabled": false, "serviceAccountsEnabled": true,
                   "attributes": {"client_credentials.use_refresh_token": "true"}"#,
                "client_credentials refresh_token",
                "true",
                "service account that asks for refresh tokens",
            ),
            (r#", "attributes": {"use.refresh.tokens": "false"}"#, "authorization_code", "false", "switched off"),
            (r#", "bearerOnly": true"#, "", "false", "bearer-only clients get no tokens"),
            (
                r#", "standardFlowEnabled": false, "directAccessGrantsEnabled": true, "implicitFlowEnabled": true"#,
                "implicit password refresh_token",
                "true",
                "direct access is the password grant",
            ),
        ] {
            let got = in_realm(r#""ssoSessionMaxLifespan": 36000,"#, client);
            assert_eq!(got.get("grant_types"), grants, "{remark}");
            assert_eq!(got.get("refresh_tokens"), refresh, "{remark}");
            let lifetime = if refresh == "true" { "36000" } else { "" };
            assert_eq!(got.get("lifetimes.refresh_token"), lifetime, "{remark}");
        }
    }

    #[test]
    fn refresh_tokens_end_with_the_shorter_of_session_and_client_session() {
        let realm = r#""ssoSessionMaxLifespan": 36000, "clientSessionMaxLifespan": 0,"#;
        for (client, expected, remark) in [
            ("", "36000", "0 inherits the session"),
            (r#", "attributes": {"client.session.max.lifespan": "600"}"#, "600", "its own"),
            (r#", "attributes": {"client.session.max.lifespan": "99999"}"#, "36000", "the session ends first"),
        ] {
            assert_eq!(in_realm(realm, client).get("lifetimes.refresh_token"), expected, "{remark}");
        }
        let remembered =
            r#""ssoSessionMaxLifespan": 36000, "ssoSessionMaxLifespanRememberMe": 864000, "rememberMe": true,"#;
        assert_eq!(in_realm(remembered, "").get("lifetimes.refresh_token"), "864000");
    }

    #[test]
    fn who_may_ask_for_offline_access_is_bound_by_the_offline_session() {
        let limited = r#""ssoSessionMaxLifespan": 18000, "offlineSessionMaxLifespanEnabled": true, "offlineSessionMaxLifespan": 5184000,"#;
        let endless = r#""ssoSessionMaxLifespan": 18000, "offlineSessionMaxLifespanEnabled": false, "offlineSessionMaxLifespan": 60,"#;
        let short = r#""ssoSessionMaxLifespan": 18000, "offlineSessionMaxLifespanEnabled": true, "offlineSessionMaxLifespan": 600,"#;
        let narrowed = r#""ssoSessionMaxLifespan": 18000, "offlineSessionMaxLifespanEnabled": true, "offlineSessionMaxLifespan": 5184000, "clientOfflineSessionMaxLifespan": 43200,"#;
        let partial = r#""ssoSessionMaxLifespan": 18000,"#;
        let day = r#""access.token.lifespan": "86400""#;
        let offline = r#""defaultClientScopes": [], "optionalClientScopes": ["offline_access"]"#;
        for (realm, client, access, refresh, remark) in [
            (limited, offline, "86400", "5184000", "the offline maximum"),
            (endless, offline, "86400", "", "no maximum; the realm's rule says so"),
            (short, offline, "18000", "18000", "a session without offline_access is the longer one"),
            (narrowed, offline, "43200", "43200", "the realm's number for clients"),
            (
                limited,
                r#""defaultClientScopes": ["openid"], "optionalClientScopes": []"#,
                "18000",
                "18000",
                "not offline",
            ),
            (
                limited,
                r#""standardFlowEnabled": false, "serviceAccountsEnabled": true, "defaultClientScopes": ["offline_access"], "optionalClientScopes": []"#,
                "18000",
                "",
                "a service account without refresh tokens",
            ),
        ] {
            let got = in_realm(realm, &format!(r#", {client}, "attributes": {{{day}}}"#));
            assert_eq!(got.get("lifetimes.access_token"), access, "{remark}");
            assert_eq!(got.get("lifetimes.refresh_token"), refresh, "{remark}");
        }
        let own = format!(r#", {offline}, "attributes": {{{day}, "client.offline.session.max.lifespan": "36000"}}"#);
        assert_eq!(in_realm(limited, &own).get("lifetimes.refresh_token"), "36000", "its own");
        assert_eq!(
            in_realm(endless, &own).get("lifetimes.access_token"),
            "36000",
            "its own counts without the realm's"
        );
        let got = in_realm(partial, &format!(r#", {offline}, "attributes": {{{day}}}"#));
        assert_eq!(got.get("lifetimes.access_token"), "86400", "an unknown bound does not hide what was set");
        assert!(got.get("lifetimes.refresh_token").starts_with("unknown: the file leaves the server's value"));
    }

    #[test]
    fn realm_settings() {
        for (members, field, expected, remark) in [
            (
                r#""offlineSessionMaxLifespanEnabled": false, "offlineSessionMaxLifespan": 5184000"#,
                "lifetimes.offline_token",
                "unlimited",
                "the number is ignored",
            ),
            (
                r#""offlineSessionMaxLifespanEnabled": true, "offlineSessionMaxLifespan": 5184000"#,
                "lifetimes.offline_token",
                "5184000",
                "the switch is on",
            ),
            (r#""revokeRefreshToken": true, "refreshTokenMaxReuse": 0"#, "reuse_refresh_tokens", "false", "rotation"),
            (
                r#""revokeRefreshToken": true, "refreshTokenMaxReuse": 3"#,
                "reuse_refresh_tokens",
                "true",
                "three more uses",
            ),
            (
                r#""revokeRefreshToken": false, "refreshTokenMaxReuse": 0"#,
                "reuse_refresh_tokens",
                "true",
                "no rotation",
            ),
            (r#""sslRequired": "none""#, "tls_required", "none", "plain http"),
            (r#""sslRequired": "NONE""#, "tls_required", "none", "plain http in capitals"),
            (
                r#""sslRequired": "all""#,
                "lifetimes.access_token",
                "unknown: the file leaves the server's value as it is",
                "partial",
            ),
            (
                r#""accessTokenLifespan": "$(env:ATL)""#,
                "lifetimes.access_token",
                "unknown: a template placeholder stands in its place",
                "config-cli variable",
            ),
            (
                r#""accessTokenLifespan": -1, "ssoSessionMaxLifespan": 36000"#,
                "lifetimes.access_token",
                "36000",
                "-1 is the session maximum",
            ),
        ] {
            let got = read(&format!(r#"{{"realm": "r", {members}}}"#));
            assert_eq!(got.kinds, ["keycloak-realm"], "{remark}");
            assert_eq!(got.targets[0].kind, TargetKind::Settings);
            assert_eq!(got.targets[0].get(field), expected, "{remark}");
        }
        let only_clients = read(r#"{"realm": "r", "enabled": true, "clients": [{"clientId": "c"}]}"#);
        assert!(
            only_clients.targets.iter().all(|target| target.kind == TargetKind::Client),
            "nothing said of the realm"
        );
    }

    #[test]
    fn built_in_and_saml_clients_are_not_judged() {
        let got = read(
            r#"{"realm": "master", "enabled": true, "clients": [
                {"clientId": "admin-cli", "directAccessGrantsEnabled": true}, {"clientId": "site-realm", "bearerOnly": true},
                {"clientId": "https://sp.example", "protocol": "saml"}, {"clientId": "mine-realm", "publicClient": true},
                {"clientId": "off", "enabled": false}]}"#,
        );
        let names: Vec<_> = got.targets.iter().map(|target| target.name.as_str()).collect();
        assert_eq!(names, ["mine-realm", "off"]);
        assert_eq!(got.targets[1].get("active"), "false");
    }

    #[test]
    fn redirect_uris_are_put_behind_the_root_url() {
        for (client, expected, remark) in [
            (
                r#", "rootUrl": "https://a.example/", "redirectUris": ["/*", "https://b.example/cb"]"#,
                "https://a.example/* https://b.example/cb",
                "relative",
            ),
            (r#", "redirectUris": ["*"]"#, "*", "a real wildcard"),
            (
                r#", "rootUrl": "", "redirectUris": ["/*"]"#,
                "unknown: a redirect URI without a host is put behind the server's own address",
                "no root",
            ),
            (
                r#", "rootUrl": "${authBaseUrl}", "redirectUris": ["/x"]"#,
                "unknown: a redirect URI without a host is put behind the server's own address",
                "placeholder",
            ),
        ] {
            assert_eq!(in_realm("", client).get("redirect_uris"), expected, "{remark}");
        }
    }

    #[test]
    fn authentication_scopes_and_pkce() {
        for (client, field, expected) in [
            (r#", "clientAuthenticatorType": "client-jwt""#, "token_endpoint_auth_method", "private_key_jwt"),
            (r#", "clientAuthenticatorType": "client-x509""#, "token_endpoint_auth_method", "tls_client_auth"),
            (
                r#", "defaultClientScopes": ["profile"], "optionalClientScopes": ["offline_access"]"#,
                "scopes",
                "profile offline_access",
            ),
            ("", "scopes", "unknown: the realm's default client scopes apply"),
            (r#", "attributes": {"pkce.code.challenge.method": ""}"#, "pkce_method", ""),
            (r#", "attributes": {"pkce.code.challenge.method": "S256"}"#, "pkce_method", "S256"),
            (r#", "secret": "**********""#, "has_secret", "unknown: a template placeholder stands in its place"),
        ] {
            assert_eq!(in_realm("", client).get(field), expected, "{client}");
        }
        let public = read(r#"{"clientId": "spa", "publicClient": true}"#);
        assert_eq!(public.kinds, ["keycloak-client"]);
        assert_eq!(public.targets[0].get("token_endpoint_auth_method"), "none");
        let policies = in_realm(r#""clientPolicies": {"policies": [{"name": "pkce", "enabled": true}]},"#, "");
        assert!(policies.get("pkce_method").starts_with("unknown: client policies of the realm"));
        let refusing = |executor: &str, enabled: bool| {
            in_realm(
                &format!(
                    r#""clientPolicies": {{"policies": [{{"name": "p", "enabled": {enabled}, "conditions": [{{"condition": "any-client"}}],
                       "profiles": ["own"]}}]}}, "clientProfiles": {{"profiles": [{{"name": "own", "executors": [{{"executor": "{executor}"}}]}}]}},"#
                ),
                r#", "implicitFlowEnabled": true, "directAccessGrantsEnabled": true"#,
            )
            .get("grant_types")
            .to_string()
        };
        const UNKNOWN: &str = "unknown: client policies of the realm may refuse the grant";
        for (executor, enabled, implicit, password) in [
            ("reject-implicit-grant", true, UNKNOWN, "password"),
            ("reject-ropc-grant", true, "implicit", UNKNOWN),
            ("reject-ropc-grant", false, "implicit", "password"),
            ("pkce-enforcer", true, "implicit", "password"),
        ] {
            let got = refusing(executor, enabled);
            assert!(got.contains(implicit) && got.contains(password), "{executor}: {got}");
            assert_eq!(got.contains(UNKNOWN), implicit == UNKNOWN || password == UNKNOWN, "{executor}: {got}");
        }
        let built_in = in_realm(
            r#""clientPolicies": {"policies": [{"name": "p", "profiles": ["fapi-2-security-profile"]}]},"#,
            r#", "implicitFlowEnabled": true"#,
        );
        assert!(built_in.get("grant_types").contains(UNKNOWN), "a profile that comes with Keycloak");
    }

    #[test]
    fn secrets_without_telling_names_are_marked() {
        let got = read(
            r#"{"realm": "r", "keycloakVersion": "26.0.5", "users": [{"credentials": [{"type": "password", "value": "t-secret"}]}],
                "components": {"org.keycloak.keys.KeyProvider": [{"config": {"privateKey": ["t-key"], "secret": ["REDACTED"]}}]},
                "clients": [{"clientId": "c", "secret": "t-secret"}]}"#,
        );
        assert!(got.secrets_expected, "an export");
        for pointer in [
            "/users/0/credentials/0/value",
            "/components/org.keycloak.keys.KeyProvider/0/config/privateKey/0",
            "/clients/0/secret",
        ] {
            assert!(got.secrets.iter().any(|secret| secret == pointer), "{pointer}");
        }
        assert_eq!(got.secrets.len(), 3, "a redacted value is no secret");
        let partial = read(r#"{"realm": "r", "enabled": true, "clients": [{"clientId": "c", "secret": "t-secret"}]}"#);
        assert!(!partial.secrets_expected, "a file in a repository");
    }

    #[test]
    fn containers_of_realms_and_clients() {
        let client = r#"{"clientId": "c", "publicClient": true}"#;
        for (text, syntax, kind, targets) in [
            (r#"[{"realm": "a", "sslRequired": "all"}, {"realm": "b", "sslRequired": "all"}]"#.into(), Syntax::Json, "keycloak-realms", 2),
            (format!("[{client}]"), Syntax::Json, "keycloak-clients", 1),
            (format!(r#"{{"ifResourceExists": "SKIP", "clients": [{client}]}}"#), Syntax::Json, "keycloak-clients", 1),
            (
                "apiVersion: k8s.keycloak.org/v2alpha1\nkind: KeycloakRealmImport\nspec:\n  realm:\n    realm: r\n    accessTokenLifespan: 300\n    clients:\n      - clientId: c\n".into(),
                Syntax::Yaml,
                "keycloak-operator-resource",
                2,
            ),
            (
                "apiVersion: keycloak.org/v1alpha1\nkind: KeycloakClient\nspec:\n  client:\n    clientId: c\n    publicClient: true\n".into(),
                Syntax::Yaml,
                "keycloak-operator-resource",
                1,
            ),
            ("realm: r\nenabled: true\nclients:\n  - clientId: c\n    attributes:\n      access.token.lifespan: $(env:X)\n".into(), Syntax::Yaml, "keycloak-realm", 1),
        ] {
            let got = collect(&text, syntax);
            assert_eq!((got.kinds, got.targets.len()), (vec![kind], targets), "{text}");
        }
    }

    #[test]
    fn clients_of_a_large_realm_still_point_at_the_realm() {
        let filler = "x".repeat(3000);
        let clients: Vec<_> =
            (0..400).map(|n| format!(r#"{{"clientId": "c{n}", "description": "{filler}"}}"#)).collect();
        let got = read(&format!(
            r#"{{"realm": "r", "accessTokenLifespan": 300, "keycloakVersion": "26.0.5", "clients": [{}]}}"#,
            clients.join(",")
        ));
        assert_eq!(got.targets.len(), 401);
        let last = &got.targets[400];
        assert_eq!(last.get("lifetimes.access_token"), "300");
        assert_eq!(last.pointers["lifetimes.access_token"], "(1)/accessTokenLifespan");
        assert_eq!(last.pointers["client_id"], "/clients/399/clientId");
    }

    #[test]
    fn near_misses_are_left_to_others() {
        for (text, remark) in [
            (r#"{"realm": "Restricted area", "users": [{"name": "u"}]}"#, "basic authentication"),
            (r#"{"realm": "r", "public_key": "x", "token-service": "y"}"#, "Keycloak's public realm info"),
            (r#"{"clientId": "c", "accessTokenValiditySeconds": null}"#, "MITREid"),
            (r#"{"realm": "r", "auth-server-url": "https://k.example", "resource": "c"}"#, "adapter configuration"),
            (r#"{"iss": "https://k.example/realms/r", "azp": "c", "realm_access": {}}"#, "token claims"),
        ] {
            let kinds = read(text).kinds;
            assert!(kinds.iter().all(|kind| !kind.starts_with("keycloak")), "{remark}: {kinds:?}");
        }
    }

    #[test]
    fn the_corpus_reads_as_a_person_reads_it() {
        let Some(text) = corpus("issuer/96-keycloak-26.0.5-baseline-realm.json") else { return };
        let got = read(&text);
        assert_eq!((got.kinds, got.targets.len()), (vec!["keycloak-realm"], 1), "all its clients are built in");
        let realm = &got.targets[0];
        for (field, expected) in [
            ("version", "26.0.5"),
            ("lifetimes.access_token", "300"),
            ("lifetimes.refresh_token", "36000"),
            ("lifetimes.offline_token", "unlimited"),
            ("tls_required", "external"),
            ("reuse_refresh_tokens", "true"),
        ] {
            assert_eq!(realm.get(field), expected, "{field}");
        }
        for (file, kind, targets) in [
            ("91-keycloak-18.0.2-master-realm.json", "keycloak-realm", 1),
            ("97-keycloak-26.0.5-baseline-client.json", "keycloak-client", 1),
            ("98-keycloak-moped-partial.json", "keycloak-realm", 2),
            ("103-keycloak-device-realm.json", "keycloak-realm", 1),
        ] {
            let Some(text) = corpus(&format!("issuer/{file}")) else { return };
            let got = read(&text);
            assert_eq!((got.kinds, got.targets.len()), (vec![kind], targets), "{file}");
        }
    }
}
