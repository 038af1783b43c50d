//! FTS: `fts3config` of the transfer daemons, `fts3restconfig` of the REST front-end, and the token housekeeper's
//! `ftstokenhousekeeperd.ini`.
//!
//! What the front-end does, read from its source: the file goes to Python's `configparser` with the case of keys kept,
//! unknown keys are never looked at, and a key belongs to the section above it whatever it is. In `[providers]` each key
//! without `_` names a provider and needs its `_ClientId` and `_ClientSecret`; URLs get a slash at their end. Lists are
//! split at `;` and the blanks stay. The daemons read their file with Boost: keys have case, unknown ones are skipped, a
//! `#` anywhere starts a comment, and of a switch only `false` and `0` mean no.

use super::client_form::{emit, product, tristate};
use super::configparser::{boolean, is_blank, key_of, misspelt, sections, text, words};
use super::traps::Found;
use super::{Adapter, Kind, Reader, Sample, Sink, read, secret};
use crate::model::{At, Client, Field, Service, State, Target, TargetKind, Trust};
use crate::parse::ini::IniDialect;
use crate::parse::{Cursor, Document, Syntax};
use std::collections::BTreeMap;

/// The adapter.
pub(super) struct Fts;

const REST: &str = "fts3restconfig";
const SERVER: &str = "fts3config";
const HOUSEKEEPER: &str = "fts-token-ini";
const PRODUCT: &str = "fts";

/// The audience that WLCG's profile defines for any service.
const ANY: &str = "https://wlcg.cern.ch/jwt/v1/any";
/// Seconds that keys are kept when `JWKCacheSeconds` is not set.
const KEY_CACHE: i64 = 86_400;
/// Seconds of `TokenRefreshMarginPeriod` and `TokenRefreshSafetyPeriod` when they are not set.
const MARGIN: i64 = 300;
/// Seconds of `TokenRefreshCheckInterval` and `TokenRefreshPollerInterval` when they are not set.
const POLLING: i64 = 15;

/// Providers that are looked at; real files have fewer than fifty.
const MAX_PROVIDERS: usize = 200;

/// Keys of the main section that the front-end looks at; the first are known by no other product.
const REST_KEYS: [&str; 36] = [
    "AuthorizedAudiences",
    "AuthorizedVO",
    "JWKCacheSeconds",
    "ValidateAccessTokenOffline",
    "TokenRefreshDaemonIntervalInSeconds",
    "NonManagedTokens",
    "OverwriteHopValidation",
    "JobMetadataSizeLimit",
    "FileMetadataSizeLimit",
    "StagingMetadataSizeLimit",
    "ArchiveMetadataSizeLimit",
    "BringOnlineAndExpirationDelta",
    "AutoSessionReuse",
    "AutoSessionReuseMinFiles",
    "AutoSessionReuseMaxFiles",
    "AutoSessionReuseMaxBigFiles",
    "AutoSessionReuseMaxSmallFileSize",
    "AutoSessionReuseMaxBigFileSize",
    "OAuth2",
    "Optimizer",
    "ExperimentalPostgresSupport",
    "CheckDuplicates",
    "DbType",
    "DbUserName",
    "DbPassword",
    "DbConnectString",
    "SiteName",
    "Alias",
    "User",
    "Group",
    "MessagingDirectory",
    "MonitoringMessaging",
    "MonitoringPublishDN",
    "HeartBeatInterval",
    "TransferLogDirectory",
    "ServerLogDirectory",
];
/// How many of them belong to the front-end alone.
const REST_OWN: usize = 18;
/// The ones that decide over tokens.
const REST_TOKEN_KEYS: [&str; 6] = [
    "AuthorizedAudiences",
    "AuthorizedVO",
    "JWKCacheSeconds",
    "ValidateAccessTokenOffline",
    "NonManagedTokens",
    "OAuth2",
];

/// Keys of the daemons' file that are known by no other product.
const SERVER_OWN: [&str; 14] = [
    "LogTokenRequests",
    "TokenExchangeCheckInterval",
    "TokenExchangeBulkSize",
    "TokenRefreshCheckInterval",
    "TokenRefreshPollerInterval",
    "TokenRefreshBulkSize",
    "TokenRefreshSafetyPeriod",
    "TokenRefreshMarginPeriod",
    "TokenExchangeCheckGraceTime",
    "TokenRefreshGraceTime",
    "UrlCopyProcessPingInterval",
    "TransferLogDirectory",
    "DbThreadsNum",
    "MaxUrlCopyProcesses",
];

const PROVIDER_NAME: &str = "fts-provider-name";
const PROVIDER_REFUSED: &str = "fts-provider-refused";
const PROVIDER_OPTION: &str = "fts-provider-option";
const KEY_IGNORED: &str = "fts-key-ignored";
const BLANK_IN_LIST: &str = "fts-blank-in-list";
const TOKENS_OFF: &str = "fts-tokens-off";
const ONLINE: &str = "fts-online-validation";
const NOT_FALSE: &str = "fts-switch-not-false";
const VALUE_CUT: &str = "fts-value-cut";
const MARGIN_SHORT: &str = "fts-refresh-margin-short";

const NOT_HERE: &str = "FTS's configuration does not show it; look at the issuer's export";

impl Adapter for Fts {
    fn kinds(&self) -> &'static [Kind] {
        &[
            Kind {
                name: REST,
                doc: "fts3restconfig: the token issuers that the REST front-end of FTS trusts, and its clients there",
                targets: &[TargetKind::Service, TargetKind::Trust, TargetKind::Client, TargetKind::Trap],
            },
            Kind {
                name: SERVER,
                doc: "fts3config: the transfer and token daemons of FTS",
                targets: &[TargetKind::Service, TargetKind::Trap],
            },
            Kind {
                name: HOUSEKEEPER,
                doc: "ftstokenhousekeeperd.ini of FTS: access to the token database; only live secrets are looked for",
                targets: &[],
            },
        ]
    }

    fn syntax(&self, sample: &Sample<'_>) -> Option<Syntax> {
        let keys: Vec<&str> = sample.lines().filter_map(key_of).take(400).collect();
        let count = |known: &[&str]| {
            known.iter().filter(|known| keys.iter().any(|key| key.eq_ignore_ascii_case(known))).count()
        };
        let providers = sample.lines().any(|line| line == "[providers]")
            && keys.iter().any(|key| key.to_ascii_lowercase().ends_with("_clientid"));
        let housekeeper = sample.text.contains("ftstokenhousekeeper")
            || (sample.lines().any(|line| line == "[database]") && count(&["max_tokens_to_retire"]) > 0);
        if providers || count(&REST_KEYS[..REST_OWN]) >= 2 {
            Some(Syntax::Ini(IniDialect::FtsRest))
        } else if count(&SERVER_OWN) >= 2 {
            Some(Syntax::Ini(IniDialect::Fts3Config))
        } else {
            (housekeeper && keys.contains(&"password")).then_some(Syntax::Ini(IniDialect::ConfigParser))
        }
    }

    fn recognise(&self, document: &Document) -> Option<&'static str> {
        match document.syntax {
            Syntax::Ini(IniDialect::FtsRest) => Some(REST),
            Syntax::Ini(IniDialect::Fts3Config) => Some(SERVER),
            Syntax::Ini(IniDialect::ConfigParser) => {
                let database = document.root().get("database")?;
                let own = ["user", "password", "database", "host"].iter().all(|key| database.has(key));
                (own && document.root().has("main")).then_some(HOUSEKEEPER)
            }
            _ => None,
        }
    }

    fn traps(&self) -> &'static [&'static str] {
        &[
            PROVIDER_NAME,
            PROVIDER_REFUSED,
            PROVIDER_OPTION,
            KEY_IGNORED,
            BLANK_IN_LIST,
            TOKENS_OFF,
            ONLINE,
            NOT_FALSE,
            VALUE_CUT,
            MARGIN_SHORT,
        ]
    }

    fn adapt(&self, document: &Document, kind: &'static str, sink: &mut dyn Sink) {
        sink.secrets_expected();
        match kind {
            REST => rest(document, sink),
            SERVER => server(document, sink),
            _ => {
                if let Some(database) = document.root().get("database") {
                    password(&Reader::new(database), "password", sink);
                }
            }
        }
    }
}

/// Masks a password; one that is still to be filled in is none.
fn password(section: &Reader<'_>, key: &str, sink: &mut dyn Sink) {
    if section.text(key).as_text().is_some_and(|text| !is_blank(text)) {
        secret::look(section, key, &[], sink);
    }
}

fn rest(document: &Document, sink: &mut dyn Sink) {
    let root = document.root();
    // The front-end puts [fts3] in front of a file that does not begin with it.
    let main = root.get("fts3").unwrap_or(root);
    let section = Reader::new(main);
    password(&section, "DbPassword", sink);
    let mut providers: Vec<Provider<'_>> = root.get("providers").map(providers).unwrap_or_default();
    if providers.len() > MAX_PROVIDERS {
        let message = format!("more than {MAX_PROVIDERS} providers; those behind it are not judged");
        sink.error(document, providers[MAX_PROVIDERS].at.id, message);
        providers.truncate(MAX_PROVIDERS);
    }
    let accepts = boolean(&section, "OAuth2").or(Field::bool(false, None));
    let audiences = words(&section, "AuthorizedAudiences", &[';']);
    let audiences = match audiences.state {
        State::Unknown(_) | State::Malformed(_) => audiences,
        _ if audiences.items().is_empty() => Field::list(vec![Field::text(ANY, audiences.at)], audiences.at),
        _ => audiences,
    };
    let level = root.get("logger_fts3rest").map(|logger| Reader::new(logger).filled("level")).unwrap_or_default();
    let leaks = level.as_text().map(|level| matches!(level, "DEBUG" | "NOTSET"));
    let service = Service {
        product: product(PRODUCT),
        tokens: match (accepts.as_bool(), providers.is_empty()) {
            (Some(true), true) => Field::bool(false, accepts.at),
            _ => accepts.clone(),
        },
        audiences: audiences.clone(),
        audience_checked: Field::bool(true, None),
        any_issuer: Field::bool(false, None),
        // A user with a certificate is let in without token.
        without_token: Field::text("passthrough", None),
        log_leaks_tokens: leaks.map(|leaks| Field::bool(leaks, level.at)).unwrap_or_default(),
        log_level: level,
        key_cache: section.int_or_digits("JWKCacheSeconds").or(Field::int(KEY_CACHE, None)),
        ..Service::default()
    };
    let shared = Shared { accepts, audiences, key_cache: service.key_cache.clone() };
    sink.target(&[document], Target::new(TargetKind::Service, "FTS REST front-end", service));
    for provider in &providers {
        provider.targets(document, &shared, sink);
    }
    rest_traps(root, main, &providers, &shared, sink);
}

/// What holds for every provider.
struct Shared<'d> {
    accepts: Field<'d>,
    audiences: Field<'d>,
    key_cache: Field<'d>,
}

/// A key of `[providers]` without `_`.
struct Provider<'d> {
    name: &'d str,
    /// The entry that holds its URL.
    at: Cursor<'d>,
    section: Reader<'d>,
}

/// The providers that the front-end sees.
fn providers(section: Cursor<'_>) -> Vec<Provider<'_>> {
    let named = section.entries().filter(|(name, _)| !name.contains('_'));
    named.map(|(name, at)| Provider { name, at, section: Reader::new(section) }).take(MAX_PROVIDERS + 1).collect()
}

impl<'d> Provider<'d> {
    /// The URL as the front-end keeps it, by which it tells providers apart.
    fn url(&self) -> String {
        let url = self.at.as_str().unwrap_or_default();
        if url.ends_with('/') { url.to_string() } else { format!("{url}/") }
    }

    fn key(&self, option: &str) -> String {
        format!("{}_{option}", self.name)
    }

    fn targets(&self, document: &Document, shared: &Shared<'d>, sink: &mut dyn Sink) {
        let scope = self.section.filled(&self.key("OauthScopeFts"));
        let needs_scope = !scope.is_absent();
        let any = shared.audiences.items().iter().any(|item| item.as_text() == Some(ANY));
        let trust = Trust {
            product: product(PRODUCT),
            // A slash at its end counts for nothing: the front-end adds one to its own name of the provider, and compares
            // `iss` with what the issuer's metadata say.
            issuer: text(&self.section, self.name),
            alias: Field::text(self.name, At::node(self.at.id)),
            audiences: shared.audiences.clone(),
            audience_checked: Field::bool(true, None),
            any_audience: Field::bool(any, shared.audiences.at),
            missing_audience: Field::bool(false, None),
            // Every user of an issuer may do everything that FTS lets users do.
            strategy: Field::list(
                vec![Field::text(if needs_scope { "capability" } else { "mapping" }, scope.at)],
                None,
            ),
            rights_without_scope: Field::bool(!needs_scope, scope.at),
            mapping: Field::list(vec![Field::text("subject", None)], None),
            without_token: Field::text("passthrough", None),
            key_cache: shared.key_cache.clone(),
            active: shared.accepts.clone(),
            ..Trust::default()
        };
        let identity = self.name.to_string();
        let target = Target {
            identity: identity.into(),
            at: At::node(self.at.id),
            ..Target::new(TargetKind::Trust, self.name, trust)
        };
        sink.target(&[document], target);
        self.client(sink);
    }

    fn client(&self, sink: &mut dyn Sink) {
        let client_id = text(&self.section, &self.key("ClientId"));
        let key = self.key("ClientSecret");
        let filled = self.section.text(&key).as_text().is_some_and(|secret| !is_blank(secret));
        let has_secret = if filled { secret::look(&self.section, &key, &[], sink).present } else { Field::default() };
        if client_id.is_absent() {
            return;
        }
        let unknown = || Field::unknown(NOT_HERE, None);
        let client = Client {
            client_id,
            issuer: text(&self.section, self.name),
            product: product(PRODUCT),
            redirect_uris: unknown(),
            grant_types: unknown(),
            scopes: unknown(),
            auth_method: unknown(),
            public: tristate(has_secret.at.map(|_| false), has_secret.at, NOT_HERE),
            pkce_method: unknown(),
            lifetime_access_token: unknown(),
            lifetime_refresh_token: unknown(),
            lifetime_id_token: unknown(),
            lifetime_device_code: unknown(),
            refresh_tokens: unknown(),
            active: Field::bool(true, None),
            has_secret,
            ..Client::default()
        };
        emit(sink, self.at, client, "");
    }

    /// Why the front-end does not start with this entry.
    fn refusal(&self, earlier: &BTreeMap<String, &str>) -> Option<String> {
        let missing = ["ClientId", "ClientSecret"].map(|option| self.key(option)).into_iter().find(|key| {
            let value = self.section.text(key);
            value.is_absent() || value.as_text().is_some_and(|value| value.trim().is_empty())
        });
        if let Some(key) = missing {
            return Some(format!("{key} has no value"));
        }
        if let Some(first) = earlier.get(&self.url()) {
            return Some(format!("{first} has the same URL"));
        }
        let scopes = self.section.text(&self.key("OauthScopeFts"));
        let many = scopes.as_text().is_some_and(|scopes| scopes.split_whitespace().count() > 1);
        many.then(|| format!("{} names more than one scope", self.key("OauthScopeFts")))
    }
}

fn rest_traps<'d>(
    root: Cursor<'d>,
    main: Cursor<'d>,
    providers: &[Provider<'d>],
    shared: &Shared<'d>,
    sink: &mut dyn Sink,
) {
    key_traps(main, "fts3", &REST_KEYS, sink);
    for (name, section) in sections(root).filter(|(_, section)| section.id != main.id) {
        for (key, at) in section.entries().filter(|(key, _)| REST_TOKEN_KEYS.contains(key)) {
            let effect = format!("it stands in [{name}], where nothing reads it");
            Found::new(PRODUCT, KEY_IGNORED, at, key).section(name).effect(effect).tell(sink);
        }
    }
    for key in ["AuthorizedAudiences", "AuthorizedVO"] {
        let Some(at) = main.get(key) else { continue };
        let items = at.as_str().unwrap_or_default().split(';');
        if items.clone().any(|item| !item.trim().is_empty() && item.trim() != item) {
            Found::new(PRODUCT, BLANK_IN_LIST, at, key).section("fts3").tell(sink);
        }
    }
    if let Some(section) = root.get("providers") {
        provider_traps(section, providers, sink);
    }
    let switch = main.get("OAuth2").or_else(|| providers.first().map(|provider| provider.at));
    let off = match (shared.accepts.as_bool(), providers.is_empty()) {
        (Some(false), false) => Some("OAuth2 is not set to True"),
        (Some(true), true) => Some("[providers] names no issuer"),
        _ => None,
    };
    if let (Some(at), Some(why)) = (switch, off) {
        Found::new(PRODUCT, TOKENS_OFF, at, "OAuth2").effect(why).tell(sink);
    }
    let offline = boolean(&Reader::new(main), "ValidateAccessTokenOffline");
    if let (Some(false), Some(at)) = (offline.as_bool(), main.get("ValidateAccessTokenOffline")) {
        Found::new(PRODUCT, ONLINE, at, "ValidateAccessTokenOffline").tell(sink);
    }
}

/// Keys that are nearly one that is read.
fn key_traps(section: Cursor<'_>, name: &str, known: &[&'static str], sink: &mut dyn Sink) {
    // Real files have some fifty keys.
    for (key, at) in section.entries().filter(|(_, at)| !at.is_map()).take(2000) {
        if let Some(meant) = misspelt(key, known).filter(|meant| !section.has(meant)) {
            let effect = format!("{meant} is what it reads");
            Found::new(PRODUCT, KEY_IGNORED, at, key).section(name).effect(effect).tell(sink);
        }
    }
}

/// Options of a provider that the front-end reads by their whole name.
const OPTIONS: [&str; 4] = ["ClientId", "ClientSecret", "OauthScopeFts", "VO"];
/// Options that it finds by cutting the provider's name off.
const CUT_OPTIONS: [&str; 2] = ["audience", "no_requested_token_type"];

fn provider_traps<'d>(section: Cursor<'d>, providers: &[Provider<'d>], sink: &mut dyn Sink) {
    let mut urls = BTreeMap::new();
    for provider in providers.iter().take(2000) {
        if let Some(effect) = provider.refusal(&urls) {
            let found = Found::new(PRODUCT, PROVIDER_REFUSED, provider.at, provider.name).section("providers");
            found.effect(effect).tell(sink);
        }
        urls.entry(provider.url()).or_insert(provider.name);
    }
    for (key, at) in section.entries().take(2000) {
        let Some((_, option)) = key.rsplit_once('_') else { continue };
        let of =
            providers.iter().find_map(|provider| Some((provider, key.strip_prefix(provider.name)?.strip_prefix('_')?)));
        let url = at.as_str().is_some_and(|value| value.starts_with("https://") || value.starts_with("http://"));
        match of {
            Some((provider, option)) => option_trap(provider, option, key, at, sink),
            None if url && option != "audience" => {
                Found::new(PRODUCT, PROVIDER_NAME, at, key).section("providers").tell(sink);
            }
            None => {}
        }
    }
}

fn option_trap<'d>(provider: &Provider<'d>, option: &str, key: &str, at: Cursor<'d>, sink: &mut dyn Sink) {
    let effect = if OPTIONS.contains(&option) {
        None
    } else if CUT_OPTIONS.contains(&option) {
        // What is cut off is every leading letter that the provider's name has.
        let kept = key.trim_start_matches(|letter| letter == '_' || provider.name.contains(letter));
        let name = provider.name;
        (kept != option)
            .then(|| format!("it keeps {kept} of the name, since it cuts off every leading letter that {name} has"))
    } else {
        let all = [&OPTIONS[..], &CUT_OPTIONS[..]].concat();
        misspelt(option, &all).map(|meant| format!("{}_{meant} is what it reads", provider.name))
    };
    if let Some(effect) = effect {
        Found::new(PRODUCT, PROVIDER_OPTION, at, key).section("providers").effect(effect).tell(sink);
    }
}

fn server(document: &Document, sink: &mut dyn Sink) {
    let root = document.root();
    let section = Reader::new(root);
    password(&section, "DbPassword", sink);
    let tokens = root.get("LogTokenRequests");
    let on =
        tokens.and_then(Cursor::as_str).map(|value| !["false", "0"].contains(&value.to_ascii_lowercase().as_str()));
    let leaks = on.map(|on| Field::bool(on, tokens.map(|at| At::node(at.id)))).unwrap_or(Field::bool(false, None));
    let service = Service {
        product: product(PRODUCT),
        name: Field::text("daemons", None),
        log_settings: read::log_settings(
            ["LogLevel", "LogTokenRequests"].map(|name| read::log_setting(name, &section.filled(name))),
        ),
        log_level: section.filled("LogLevel").or(Field::text("INFO", None)),
        log_leaks_tokens: leaks,
        ..Service::default()
    };
    sink.target(&[document], Target::new(TargetKind::Service, "FTS daemons", service));
    let no = |value: &str| ["no", "off", "f", "n", "disabled", ""].contains(&value.to_ascii_lowercase().as_str());
    if let Some(at) = tokens.filter(|at| at.as_str().is_some_and(no)) {
        Found::new(PRODUCT, NOT_FALSE, at, "LogTokenRequests").tell(sink);
    }
    key_traps(root, "", &SERVER_OWN, sink);
    for (key, at) in root.entries().take(2000) {
        let end = at.span().end as usize;
        if document.source.text()[end..].starts_with('#') {
            Found::new(PRODUCT, VALUE_CUT, at, key).tell(sink);
        }
    }
    margin_trap(&section, sink);
}

/// A token is renewed when less than the margin of its time is left, and that takes as long as both pollers wait.
fn margin_trap(section: &Reader<'_>, sink: &mut dyn Sink) {
    let seconds = |key: &str, default: i64| section.int_or_digits(key).or(Field::int(default, None)).as_int();
    let (Some(margin), Some(check), Some(poll)) = (
        seconds("TokenRefreshMarginPeriod", MARGIN),
        seconds("TokenRefreshCheckInterval", POLLING),
        seconds("TokenRefreshPollerInterval", POLLING),
    ) else {
        return;
    };
    let waits = check.saturating_add(poll);
    let named = ["TokenRefreshMarginPeriod", "TokenRefreshCheckInterval", "TokenRefreshPollerInterval"];
    let at = named.into_iter().find_map(|key| Some((key, section.cursor().get(key)?)));
    if let (Some((key, at)), true) = (at, margin < waits) {
        let effect = format!("a token is renewed {margin} seconds before its end, and asking may take {waits}");
        Found::new(PRODUCT, MARGIN_SHORT, at, key).effect(effect).tell(sink);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapt::testing::{Collected, collect};

    fn read(text: &str) -> Collected {
        let syntax = crate::discover::syntax_of("t", text).unwrap();
        assert!(matches!(syntax, Syntax::Ini(_)), "{syntax:?}");
        collect(text, syntax)
    }

    fn of(collected: &Collected, kind: TargetKind) -> Vec<&crate::adapt::testing::Got> {
        collected.targets.iter().filter(|got| got.kind == kind).collect()
    }

    #[test]
    fn providers_are_trusted_issuers_and_clients() {
        let got = read(
            "AuthorizedVO=*\nAuthorizedAudiences=https://fts.example.org:8446;https://wlcg.cern.ch/jwt/v1/any\nOAuth2=on\n\
             JWKCacheSeconds=3600\nDbPassword=t-secret\n[providers]\nvo=https://vo.example.org\nvo_ClientId=c1\n\
             vo_ClientSecret=t-secret\nvo_OauthScopeFts=fts\nop=https://op.example.org/\nop_ClientId=<client-id>\n\
             op_ClientSecret=<client-secret>\n[logger_fts3rest]\nlevel = DEBUG\n",
        );
        assert_eq!((got.kinds.as_slice(), got.errors.len()), (&[REST][..], 0));
        assert!(got.secrets_expected);
        assert_eq!(got.secrets, ["/DbPassword", "/providers/vo_ClientSecret"], "a blank of the template is no secret");
        let service = of(&got, TargetKind::Service)[0];
        for (field, expected) in [
            ("tokens", "true"),
            ("audiences", "https://fts.example.org:8446 https://wlcg.cern.ch/jwt/v1/any"),
            ("key_cache", "3600"),
            ("log_leaks_tokens", "true"),
            ("any_issuer", "false"),
        ] {
            assert_eq!(service.get(field), expected, "{field}");
        }
        let trusts = of(&got, TargetKind::Trust);
        assert_eq!(trusts.len(), 2);
        for (field, first, second) in [
            ("issuer", "https://vo.example.org", "https://op.example.org/"),
            ("alias", "vo", "op"),
            ("any_audience", "true", "true"),
            ("missing_audience", "false", "false"),
            ("rights_without_scope", "false", "true"),
            ("active", "true", "true"),
        ] {
            assert_eq!((trusts[0].get(field), trusts[1].get(field)), (first, second), "{field}");
        }
        let clients = of(&got, TargetKind::Client);
        assert_eq!(clients[0].identity, "https://vo.example.org c1");
        assert!(clients[1].get("client_id").starts_with("unknown: "), "not filled in");
    }

    #[test]
    fn what_is_not_set_is_what_the_front_end_takes() {
        let got = read(
            "AuthorizedVO=*\nAuthorizedAudiences=\n[providers]\nvo=https://a.example/\nvo_ClientId=c\nvo_ClientSecret=REDACTED\n",
        );
        let service = of(&got, TargetKind::Service)[0];
        assert_eq!((service.get("audiences"), service.get("key_cache")), (ANY, "86400"));
        assert_eq!((service.get("tokens"), of(&got, TargetKind::Trust)[0].get("active")), ("false", "false"));
        assert_eq!(service.get("log_leaks_tokens"), "", "the level is not in the file");
        let got = read("[fts3]\nAuthorizedVO=*\nOAuth2=maybe\nJWKCacheSeconds=1d\n");
        let service = of(&got, TargetKind::Service)[0];
        assert!(service.get("tokens").starts_with("malformed"));
        assert!(service.get("key_cache").starts_with("malformed"));
        assert_eq!(service.pointers["key_cache"], "/fts3/JWKCacheSeconds");
    }

    #[test]
    fn what_fts_does_not_read_is_a_trap() {
        let rest = "AuthorizedVO=*\nJWKCacheSeconds=3600\nOAuth2=true\n[providers]\nvo=https://a.example/\nvo_ClientId=c\nvo_ClientSecret=REDACTED\n";
        let with = |more: &str| format!("{rest}{more}");
        for (text, codes, remark) in [
            (with(""), vec![], "healthy"),
            (with("vo_VO=cms\nvo_audience=https://a.example\n"), vec![], "known options"),
            (with("my_vo=https://b.example/\n"), vec![(PROVIDER_NAME, "my_vo")], "a name with an underscore"),
            (with("vo_clientid=c\n"), vec![(PROVIDER_OPTION, "vo_clientid")], "the case of an option"),
            (
                with("eu=https://b.example/\neu_ClientId=c\neu_ClientSecret=REDACTED\neu_audience=x\n"),
                vec![],
                "nothing cut",
            ),
            (
                with("ua=https://b.example/\nua_ClientId=c\nua_ClientSecret=REDACTED\nua_audience=x\n"),
                vec![(PROVIDER_OPTION, "ua_audience")],
                "its letters eat the option",
            ),
            (with("b=https://b.example/\n"), vec![(PROVIDER_REFUSED, "b")], "no client"),
            (
                with("b=https://a.example\nb_ClientId=c\nb_ClientSecret=REDACTED\n"),
                vec![(PROVIDER_REFUSED, "b")],
                "same URL but for the slash",
            ),
            (with("vo_OauthScopeFts=a b\n"), vec![(PROVIDER_REFUSED, "vo")], "two scopes"),
            (with("[roles]\nOAuth2=True\n"), vec![(KEY_IGNORED, "OAuth2")], "below another section"),
            (
                format!("oauth2=false\nAuthorisedAudiences=a\n{}", with("")),
                vec![(KEY_IGNORED, "AuthorisedAudiences")],
                "misspelt",
            ),
            (format!("AuthorizedAudiences=a; b\n{}", with("")), vec![(BLANK_IN_LIST, "AuthorizedAudiences")], "blank"),
            ("AuthorizedVO=*\nJWKCacheSeconds=1\nOAuth2=1\n".into(), vec![(TOKENS_OFF, "OAuth2")], "no providers"),
            (
                format!("ValidateAccessTokenOffline=no\n{}", with("")),
                vec![(ONLINE, "ValidateAccessTokenOffline")],
                "online",
            ),
            (
                "LogTokenRequests=off\nTokenRefreshBulkSize=5\n".into(),
                vec![(NOT_FALSE, "LogTokenRequests")],
                "off is on",
            ),
            ("LogTokenRequests=False\nTokenRefreshBulkSize=5\n".into(), vec![], "any case"),
            (
                "LogTokenRequests=0\nTokenRefreshMarginPeriod=60\nTokenRefreshPollerInterval=50\n".into(),
                vec![(MARGIN_SHORT, "TokenRefreshMarginPeriod")],
                "60 against 50 + 15",
            ),
            ("TokenRefreshMarginPeriod=0\nTokenRefreshCheckInterval=x\n".into(), vec![], "not a number: not known"),
            ("DbThreadsNum=1#2\nLogTokenRequests=0\n".into(), vec![(VALUE_CUT, "DbThreadsNum")], "cut"),
            (
                "SomethingOfAnotherVersion=1\nDbThreadsNum=2\nLogTokenRequests=0\n".into(),
                vec![],
                "unknown keys are left alone",
            ),
        ] {
            let got = read(&text);
            let traps: Vec<_> = of(&got, TargetKind::Trap)
                .iter()
                .map(|got| (got.get("code").to_string(), got.get("name").to_string()))
                .collect();
            let codes: Vec<_> = codes.iter().map(|(code, name)| (code.to_string(), name.to_string())).collect();
            assert_eq!(traps, codes, "{remark}");
        }
    }

    #[test]
    fn the_daemons_log_tokens_unless_told_false_or_0() {
        for (value, expected) in [("true", "true"), ("no", "true"), ("FALSE", "false"), ("0", "false")] {
            let got = read(&format!(
                "LogTokenRequests = {value} # as asked\nTokenRefreshBulkSize=5\nDbPassword = replacethis\n"
            ));
            assert_eq!((got.kinds.as_slice(), got.secrets.len()), (&[SERVER][..], 0));
            assert_eq!(of(&got, TargetKind::Service)[0].get("log_leaks_tokens"), expected, "{value}");
        }
    }

    #[test]
    fn the_housekeeper_has_a_password_and_nothing_to_judge() {
        let got =
            read("[main]\nmax_tokens_to_retire=5\n[database]\nuser=u\npassword=t-secret\ndatabase=d\nhost=h\nport=1\n");
        assert_eq!((got.kinds.as_slice(), got.targets.len()), (&[HOUSEKEEPER][..], 0));
        assert_eq!(got.secrets, ["/database/password"]);
    }

    #[test]
    fn similar_files_are_left_alone() {
        for (text, remark) in [
            ("[database]\nuser=u\npassword=p\n", "some database"),
            ("User=fts3\nGroup=fts3\nDbType=mysql\n", "names many products have"),
            ("AuthorizedVO: x\nJWKCacheSeconds: 5\n", "YAML"),
        ] {
            assert_eq!(Fts.syntax(&Sample::new("t", text)), None, "{remark}");
        }
    }
}
