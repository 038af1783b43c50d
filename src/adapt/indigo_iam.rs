//! INDIGO IAM server settings: one table of keys, environment names, units and defaults, whatever file they stand in.
//!
//! IAM is a Spring application: its packaged `application.yml` names an environment variable and a default for most
//! keys. A setting can therefore come from a system property (`-Dkey=value` in `IAM_JAVA_OPTS`), from the variable
//! Spring derives from the key, from the variable named in `application.yml`, or from the file, in that order.
//! Figures and defaults are those of IAM 1.12 (`application.yml`) and, where marked, of 1.13.

use super::placeholder::{Dialect, resolve};
use crate::model::{At, Field, Settings};
use crate::source::secret_names::is_secret_key;
use std::borrow::Cow;

/// Major, minor and patch number of an IAM release.
pub(super) type Version = (u32, u32, u32);

/// How a value is read.
#[derive(Clone, Copy)]
enum Read {
    /// Text or a URL.
    Text,
    /// Whole seconds. Values up to the second figure mean "no limit".
    Seconds(Option<i64>),
    /// A Spring duration: seconds, or a number with `ms`, `s`, `m`, `h`, `d`.
    Duration,
    /// `true` or `false`, with Spring's synonyms.
    Bool,
    /// `iam`, `wlcg`, `aarc` or `kc`.
    Profile,
}

/// What holds when nothing sets the value.
#[derive(Clone, Copy)]
enum Initial {
    /// Nothing is known of a default.
    None,
    /// The packaged default.
    Is(&'static str),
    /// The packaged default from this version on, and the one before it (empty: the setting did not exist).
    From(Version, &'static str, &'static str),
}

type Slot = for<'a, 'd> fn(&'a mut Settings<'d>) -> &'a mut Field<'d>;

/// One setting.
struct Setting {
    /// The Spring key.
    key: &'static str,
    /// The variable that the packaged `application.yml` reads; empty where it reads none.
    env: &'static str,
    slot: Slot,
    read: Read,
    initial: Initial,
}

const V1_13: Version = (1, 13, 0);
/// The defaults below were read from 1.12; the ones of lifetimes hold since 1.8.1.
const OLDEST_KNOWN_DEFAULTS: Version = (1, 8, 1);

/// Settings that go straight into a field. Where two keys feed one field, the first that is set counts.
static TABLE: &[Setting] = &[
    row("iam.issuer", "IAM_ISSUER", |s| &mut s.issuer, Read::Text, ISSUER),
    row("iam.baseUrl", "IAM_BASE_URL", |s| &mut s.base_url, Read::Text, Initial::Is("http://${iam.host}:8080")),
    row(
        "iam.jwt-profile.default-profile",
        "IAM_JWT_DEFAULT_PROFILE",
        |s| &mut s.default_profile,
        Read::Profile,
        Initial::Is("iam"),
    ),
    // The variable's name says the opposite of what it does: `true` lets an exchange widen the scopes.
    row(
        "iam.jwt-profile.token-exchange-upscoping-enabled",
        "IAM_TOKEN_EXCHANGE_DISABLE_UPSCOPING",
        |s| &mut s.exchange_upscoping,
        Read::Bool,
        Initial::From(V1_13, "true", ""),
    ),
    row(
        "iam.access_token.include_scope",
        "IAM_ACCESS_TOKEN_INCLUDE_SCOPE",
        |s| &mut s.scope_in_token,
        Read::Bool,
        Initial::Is("false"),
    ),
    row(
        "iam.access_token.include_nbf",
        "IAM_ACCESS_TOKEN_INCLUDE_NBF",
        |s| &mut s.nbf_in_token,
        Read::Bool,
        Initial::Is("false"),
    ),
    row(
        "iam.access_token.include_authn_info",
        "IAM_ACCESS_TOKEN_INCLUDE_AUTHN_INFO",
        |s| &mut s.authn_info_in_token,
        Read::Bool,
        Initial::Is("false"),
    ),
    row(
        "iam.access_token.nbf-offset-seconds",
        "IAM_ACCESS_TOKEN_NBF_OFFSET_SECONDS",
        |s| &mut s.nbf_offset,
        Read::Seconds(None),
        Initial::From(V1_13, "60", ""),
    ),
    // A lifetime of 0 or less is stored with the client, and IAM writes `exp` only for lifetimes above 0.
    row(
        "client-registration.client-defaults.default-access-token-validity-seconds",
        "IAM_DEFAULT_ACCESS_TOKEN_VALIDITY_SECONDS",
        |s| &mut s.lifetime_access_token,
        Read::Seconds(Some(0)),
        Initial::Is("3600"),
    ),
    row(
        "client-registration.client-defaults.default-refresh-token-validity-seconds",
        "IAM_DEFAULT_REFRESH_TOKEN_VALIDITY_SECONDS",
        |s| &mut s.lifetime_refresh_token,
        Read::Seconds(Some(0)),
        Initial::Is("2592000"),
    ),
    row(
        "client-registration.client-defaults.default-id-token-validity-seconds",
        "IAM_DEFAULT_ID_TOKEN_VALIDITY_SECONDS",
        |s| &mut s.lifetime_id_token,
        Read::Seconds(None),
        Initial::Is("600"),
    ),
    row(
        "client-registration.client-defaults.default-device-code-validity-seconds",
        "IAM_DEFAULT_DEVICE_CODE_VALIDITY_SECONDS",
        |s| &mut s.lifetime_device_code,
        Read::Seconds(None),
        Initial::Is("600"),
    ),
    row(
        "iam.token.lifetime",
        "IAM_REGISTRATION_TOKEN_LIFETIME",
        |s| &mut s.lifetime_registration_token,
        Read::Seconds(Some(0)),
        Initial::Is("-1"),
    ),
    row(
        "client-registration.client-defaults.default-registration-access-token-validity-seconds",
        "",
        |s| &mut s.lifetime_registration_token,
        Read::Seconds(Some(-1)),
        Initial::None,
    ),
    row(
        "spring.web.resources.cache.cachecontrol.max-age",
        "IAM_JWK_CACHE_LIFETIME",
        |s| &mut s.jwks_cache,
        Read::Duration,
        Initial::Is("21600"),
    ),
    row(
        "iam.jwk.keystore-location",
        "IAM_KEY_STORE_LOCATION",
        |s| &mut s.keystore,
        Read::Text,
        Initial::Is(DEFAULT_KEYSTORE),
    ),
    row(
        "iam.jwk.default-jws-algorithm",
        "IAM_JWK_DEFAULT_JWS_ALGORITHM",
        |s| &mut s.signing_alg,
        Read::Text,
        Initial::Is("RS256"),
    ),
    row("iam.enableScopeAuthz", "IAM_ENABLE_SCOPE_AUTHZ", |s| &mut s.scope_policies, Read::Bool, Initial::Is("true")),
    row(
        "client-registration.admin-only-custom-scopes",
        "IAM_CLIENT_ADMIN_ONLY_CUSTOM_SCOPES",
        |s| &mut s.custom_scopes_admin_only,
        Read::Bool,
        Initial::From(V1_13, "false", ""),
    ),
    row(
        "iam.client.track-last-used",
        "IAM_CLIENT_TRACK_LAST_USED",
        |s| &mut s.tracks_last_used,
        Read::Bool,
        Initial::Is("false"),
    ),
    row(
        "iam.device-code.allow-complete-verification-uri",
        "IAM_DEVICE_CODE_ALLOW_COMPLETE_VERIFICATION_URI",
        |s| &mut s.device_complete_uri,
        Read::Bool,
        Initial::Is("true"),
    ),
    row("x509.tlsVersion", "IAM_X509_TLS_VERSION", |s| &mut s.tls_version, Read::Text, Initial::Is("TLSv1")),
    // Without the `saml` start-up profile these are not read, so no default is filled in.
    row(
        "saml.idp-metadata[0].require-valid-signature",
        "IAM_SAML_METADATA_REQUIRE_VALID_SIGNATURE",
        |s| &mut s.saml_metadata_signed,
        Read::Bool,
        Initial::None,
    ),
];

const ISSUER: Initial = Initial::From(V1_13, "http://${iam.host}:8080/", "http://${iam.host}:8080");
const DEFAULT_KEYSTORE: &str = "classpath:keystore.jwks";

const fn row(key: &'static str, env: &'static str, slot: Slot, read: Read, initial: Initial) -> Setting {
    Setting { key, env, slot, read, initial }
}

/// Settings that need more than a copy, as (key, variable).
const HOST: (&str, &str) = ("iam.host", "IAM_HOST");
const ALLOW_FOR: (&str, &str) = ("client-registration.allow-for", "IAM_CLIENT_REGISTRATION_ALLOW_FOR");
const REGISTRATION: (&str, &str) = ("client-registration.enable", "IAM_CLIENT_REGISTRATION_ENABLE");
const PROFILES: (&str, &str) = ("spring.profiles.active", "");
/// Property of the Maven plugin that starts IAM from its sources.
const MAVEN_PROFILES: (&str, &str) = ("spring-boot.run.profiles", "");
const ACTUATOR_PASSWORD: (&str, &str) = ("iam.actuator-user.password", "IAM_ACTUATOR_USER_PASSWORD");

/// Variables of a deployment that no field needs, but that show whose environment this is.
const OTHER_ENV: &[&str] = &[
    "IAM_JAVA_OPTS",
    "IAM_HOST",
    "IAM_DB_HOST",
    "IAM_DB_NAME",
    "IAM_DB_USERNAME",
    "IAM_DB_PASSWORD",
    "IAM_ORGANISATION_NAME",
    "IAM_ACTUATOR_USER_USERNAME",
    "IAM_ACTUATOR_USER_PASSWORD",
    "IAM_CLIENT_REGISTRATION_ALLOW_FOR",
    "IAM_CLIENT_REGISTRATION_ENABLE",
    "IAM_JWK_DEFAULT_KEY_ID",
    "IAM_FORWARD_HEADERS_STRATEGY",
    "IAM_TOPBAR_TITLE",
    "IAM_LOCAL_AUTHN_ENABLED_FOR",
    "IAM_MAIL_HOST",
    "IAM_NOTIFICATION_DISABLE",
    "IAM_NOTIFICATION_FROM",
];

/// Variables that were renamed: old name, new name, first version that reads only the new one. (0, 0, 0) is for
/// renamings long past and for names that circulate in documentation and that no release reads.
const RENAMED: &[(&str, &str, Version)] = &[
    ("IAM_USE_FORWARDED_HEADERS", "IAM_FORWARD_HEADERS_STRATEGY", (1, 8, 0)),
    ("DEFAULT_ACCESS_TOKEN_VALIDITY_SECONDS", "IAM_DEFAULT_ACCESS_TOKEN_VALIDITY_SECONDS", (1, 10, 0)),
    ("DEFAULT_REFRESH_TOKEN_VALIDITY_SECONDS", "IAM_DEFAULT_REFRESH_TOKEN_VALIDITY_SECONDS", (1, 10, 0)),
    ("DEFAULT_ID_TOKEN_VALIDITY_SECONDS", "IAM_DEFAULT_ID_TOKEN_VALIDITY_SECONDS", (1, 10, 0)),
    ("DEFAULT_DEVICE_CODE_VALIDITY_SECONDS", "IAM_DEFAULT_DEVICE_CODE_VALIDITY_SECONDS", (1, 10, 0)),
    ("IAM_SUPERUSER_USERNAME", "IAM_ACTUATOR_USER_USERNAME", (0, 0, 0)),
    ("IAM_SUPERUSER_PASSWORD", "IAM_ACTUATOR_USER_PASSWORD", (0, 0, 0)),
    ("IAM_LOGO_HEIGTH", "IAM_LOGO_HEIGHT", (0, 0, 0)),
    ("IAM_ACCOUNT_LINKING_DISABLE", "IAM_ACCOUNT_LINKING_ENABLE", (0, 0, 0)),
    ("IAM_REDIS_CACHE_ENABLED", "IAM_CACHE_REDIS_ENABLED", (0, 0, 0)),
];

/// Passwords and secrets that IAM's packaged files, its seed data or its charts hold.
const SHIPPED_SECRETS: &[&str] = &["actuator-password", "define_me_please", "password", "pwd", "root", "secret"];

/// Start-up profiles that load test data; `dev` also reads it in.
const TEST_PROFILES: &[&str] =
    &["dev", "h2", "h2-test", "h2-test-redis", "mysql-test", "mysql-test-tc", "mysql-test-tc-redis"];

const OPEN: &str = "a variable without a known value stands in its place";
const DEPENDS_ON_VERSION: &str = "it is not set here, and its default depends on the INDIGO IAM version";

const OLDER_VERSION: &str = "this INDIGO IAM version is older than the setting or the default that is known";

/// Where an assignment stands in Spring's order of precedence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Origin {
    /// `-Dkey=value`.
    SystemProperty,
    /// An environment variable.
    Env,
    /// A configuration file, or a chart's own key.
    File,
}

/// One assignment.
struct Entry<'d> {
    origin: Origin,
    /// As written; shown in reports.
    name: Cow<'d, str>,
    /// What it is compared by: the variable's name, or the key in uniform spelling.
    id: String,
    /// `None` when only the name is known here.
    value: Option<Cow<'d, str>>,
    at: At,
}

/// What an absent setting means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unset {
    /// The file is one fragment among several and says nothing of other settings.
    Absent,
    /// The product's default is in force.
    Default,
    /// Something that is not shown here may set it; the text completes "not judged: …".
    Unknown(&'static str),
}

/// Everything one place says about an IAM server.
pub(super) struct Given<'d> {
    entries: Vec<Entry<'d>>,
    /// Release, where an image tag shows it.
    pub(super) version: Option<Version>,
}

/// A key in uniform spelling: Spring takes `client-registration`, `clientRegistration` and `client_registration` alike.
pub(super) fn uniform(key: &str) -> String {
    key.chars().filter(|c| !matches!(c, '-' | '_')).map(|c| c.to_ascii_lowercase()).collect()
}

/// The environment variable that Spring derives from a key.
fn spring_env(key: &str) -> String {
    uniform(key).replace(['.', '['], "_").replace(']', "").to_ascii_uppercase()
}

/// True for a variable that IAM servers read (its renamed predecessors included).
pub(super) fn is_server_env(name: &str) -> bool {
    (name.starts_with("IAM_") || name.starts_with("DEFAULT_"))
        && (OTHER_ENV.contains(&name)
            || TABLE.iter().any(|setting| setting.env == name)
            || RENAMED.iter().any(|(old, new, _)| *old == name || *new == name))
}

/// True for a key (in uniform spelling) that goes into a field.
pub(super) fn is_server_key(key: &str) -> bool {
    let special = [HOST, ALLOW_FOR, REGISTRATION, ACTUATOR_PASSWORD];
    TABLE.iter().map(|setting| setting.key).chain(special.map(|(key, _)| key)).any(|known| uniform(known) == key)
}

/// The release an image tag names (`v1.8.2p2`).
pub(super) fn version_of_tag(tag: &str) -> Option<Version> {
    let mut numbers = tag.strip_prefix('v').unwrap_or(tag).splitn(3, '.').map(|part| {
        let digits = part.len() - part.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        part[..digits].parse::<u32>()
    });
    let major = numbers.next()?.ok()?;
    let minor = numbers.next()?.ok()?;
    Some((major, minor, numbers.next().and_then(Result::ok).unwrap_or(0)))
}

impl<'d> Given<'d> {
    /// Nothing yet.
    pub(super) fn new(version: Option<Version>) -> Self {
        Given { entries: Vec::new(), version }
    }

    /// An environment variable; `None` when its value comes from elsewhere. `IAM_JAVA_OPTS` is taken apart.
    pub(super) fn env(&mut self, name: impl Into<Cow<'d, str>>, value: Option<Cow<'d, str>>, at: At) {
        let name = name.into();
        if let (true, Some(options)) = (is_java_options(&name), &value) {
            for option in options.split_ascii_whitespace() {
                if let Some((key, value)) = option.strip_prefix("-D").and_then(|option| option.split_once('=')) {
                    let value = value.trim_matches(['"', '\'']).to_string();
                    self.push(
                        Origin::SystemProperty,
                        Cow::Owned(key.to_string()),
                        uniform(key),
                        Some(value.into()),
                        at,
                    );
                }
            }
        }
        let id = name.to_string();
        self.push(Origin::Env, name, id, value, at);
    }

    /// A key of a configuration file; `id` is the key in uniform spelling.
    pub(super) fn file(&mut self, name: Cow<'d, str>, id: String, value: Option<Cow<'d, str>>, at: At) {
        self.push(Origin::File, name, id, value, at);
    }

    fn push(&mut self, origin: Origin, name: Cow<'d, str>, id: String, value: Option<Cow<'d, str>>, at: At) {
        self.entries.push(Entry { origin, name, id, value, at });
    }

    /// True when the variable is set in any way.
    pub(super) fn has_env(&self, name: &str) -> bool {
        self.entries.iter().any(|entry| entry.origin == Origin::Env && entry.id == name)
    }

    /// True when a file sets this key or another source its setting.
    pub(super) fn sets(&self, key: &str) -> bool {
        self.find((key, "")).is_some()
    }

    /// A key's text with its variables filled in.
    pub(super) fn file_text(&self, key: &str) -> Field<'d> {
        self.read((key, ""), Read::Text)
    }

    /// The assignment in force; of several in one place the last.
    fn find(&self, (key, env): (&str, &str)) -> Option<&Entry<'d>> {
        let uniform = uniform(key);
        let derived = spring_env(key);
        let last = |origin: Origin, id: &str| {
            self.entries.iter().rev().find(|entry| entry.origin == origin && !id.is_empty() && entry.id == id)
        };
        last(Origin::SystemProperty, &uniform)
            .or_else(|| last(Origin::Env, &derived))
            .or_else(|| last(Origin::Env, env).filter(|entry| !self.is_ignored(&entry.id)))
            .or_else(|| self.old_name(env).and_then(|old| last(Origin::Env, old)))
            .or_else(|| last(Origin::File, &uniform))
    }

    /// The name this variable had in the running version, when that is known and old enough.
    fn old_name(&self, env: &str) -> Option<&'static str> {
        let (old, _, renamed) = RENAMED.iter().find(|(_, new, _)| *new == env)?;
        (self.version? < *renamed).then_some(*old)
    }

    /// True when the running version does not read this variable. Without a version, the current release counts.
    fn is_ignored(&self, name: &str) -> bool {
        RENAMED.iter().any(|(old, new, renamed)| match self.version {
            Some(version) if version < *renamed => *new == name,
            _ => *old == name,
        })
    }

    /// The entry's text with its variables filled in; `None` when one stays open.
    fn text(&self, entry: &Entry<'d>) -> Option<Cow<'d, str>> {
        match entry.value.clone()? {
            Cow::Borrowed(text) => resolve(text, Dialect::Spring, &|name| self.lookup(name)),
            Cow::Owned(text) => {
                let owned = |name: &str| self.lookup(name).map(|value| Cow::Owned(value.into_owned()));
                resolve(&text, Dialect::Spring, &owned).map(|value| Cow::Owned(value.into_owned()))
            }
        }
    }

    /// What a placeholder of this name stands for: a key or a variable that is set here.
    fn lookup(&self, name: &str) -> Option<Cow<'d, str>> {
        let special = if uniform(name) == HOST.0 { HOST } else { (name, name) };
        match self.find(special) {
            Some(entry) => entry.value.clone(),
            None if special == HOST && self.entries.iter().any(|entry| entry.origin == Origin::Env) => {
                Some(Cow::Borrowed("localhost"))
            }
            None => None,
        }
    }

    fn read(&self, setting: (&str, &str), how: Read) -> Field<'d> {
        match self.find(setting) {
            None => Field::default(),
            Some(entry) => match self.text(entry) {
                None => Field::unknown(OPEN, entry.at),
                Some(text) => read(how, text, Some(entry.at)),
            },
        }
    }

    /// The default of a setting that nothing sets.
    fn default(&self, setting: &Setting, unset: Unset) -> Field<'d> {
        let default = match (unset, setting.initial, self.version) {
            (_, Initial::None, _) | (Unset::Absent, ..) => return Field::default(),
            (Unset::Unknown(why), ..) => return Field::unknown(why, None),
            (Unset::Default, _, Some(version)) if version < OLDEST_KNOWN_DEFAULTS => "",
            (Unset::Default, Initial::Is(default), _) => default,
            (Unset::Default, Initial::From(from, new, _), Some(version)) if version >= from => new,
            (Unset::Default, Initial::From(_, _, old), Some(_)) => old,
            (Unset::Default, Initial::From(..), None) => "",
        };
        if default.is_empty() {
            let why = if self.version.is_some() { OLDER_VERSION } else { DEPENDS_ON_VERSION };
            return Field::unknown(why, None);
        }
        match resolve(default, Dialect::Spring, &|name| self.lookup(name)) {
            Some(text) => read(setting.read, text, None),
            None => Field::unknown(OPEN, None),
        }
    }

    /// True for a setting that the running version does not have yet.
    fn is_newer(&self, setting: &Setting) -> bool {
        match (setting.initial, self.version) {
            (Initial::From(from, _, ""), Some(version)) => version < from,
            _ => false,
        }
    }

    /// The normalised settings.
    pub(super) fn settings(&self, unset: Unset) -> Settings<'d> {
        let mut settings = Settings { product: Field::text("indigo-iam", None), ..Settings::default() };
        for setting in TABLE {
            let slot = (setting.slot)(&mut settings);
            if slot.at.is_none() && !self.is_newer(setting) {
                *slot = self.read((setting.key, setting.env), setting.read).or(std::mem::take(slot));
            }
        }
        for setting in TABLE {
            let slot = (setting.slot)(&mut settings);
            if slot.is_absent() && slot.at.is_none() {
                *slot = self.default(setting, unset);
            }
        }
        settings.registration = self.registration(unset);
        settings.keystore_is_default = match settings.keystore.as_text() {
            Some(location) => Field::bool(location.trim() == DEFAULT_KEYSTORE, settings.keystore.at),
            None => settings.keystore.clone(),
        };
        self.claims_of_profile(&mut settings);
        settings.default_secrets = self.default_secrets(unset);
        settings.ignored_settings = self.ignored();
        settings.test_profiles = self.test_profiles();
        settings
    }

    fn registration(&self, unset: Unset) -> Field<'d> {
        let enabled = self.read(REGISTRATION, Read::Bool);
        if enabled.as_bool() == Some(false) {
            return Field::text("nobody", enabled.at);
        }
        let default = match unset {
            Unset::Absent => Field::default(),
            Unset::Default => Field::text("anyone", None),
            Unset::Unknown(why) => Field::unknown(why, None),
        };
        let allowed = self.read(ALLOW_FOR, Read::Text);
        let at = allowed.at;
        match allowed.as_text().map(|text| text.trim().to_ascii_uppercase().replace('-', "_")).as_deref() {
            None => allowed.or(default),
            Some("ANYONE") => Field::text("anyone", at),
            Some("REGISTERED_USERS") => Field::text("users", at),
            Some("ADMINISTRATORS") => Field::text("administrators", at),
            Some(_) => Field::malformed("ANYONE, REGISTERED_USERS or ADMINISTRATORS is expected", at),
        }
    }

    /// `include_scope` and `include_nbf` are read by the `iam` profile only; the others decide for themselves.
    fn claims_of_profile(&self, settings: &mut Settings<'d>) {
        let at = settings.default_profile.at;
        match settings.default_profile.as_text() {
            Some("wlcg" | "kc") => {
                settings.scope_in_token = Field::bool(true, at);
                settings.nbf_in_token = Field::bool(true, at);
            }
            Some("aarc") => {
                settings.scope_in_token = Field::bool(false, at);
                settings.nbf_in_token = Field::bool(false, at);
            }
            _ => {}
        }
    }

    /// Settings that hold a shipped password or secret.
    pub(super) fn default_secrets(&self, unset: Unset) -> Field<'d> {
        let mut items: Vec<Field<'d>> = self
            .entries
            .iter()
            .filter(|entry| names_secret(&entry.id) && !self.is_ignored(&entry.id))
            .filter(|entry| self.text(entry).is_some_and(|text| SHIPPED_SECRETS.contains(&text.trim())))
            .map(|entry| Field::text(entry.name.clone(), entry.at))
            .collect();
        if unset == Unset::Default && self.find(ACTUATOR_PASSWORD).is_none() && !self.has_env("IAM_SUPERUSER_PASSWORD")
        {
            items.push(Field::text(format!("{} (not set)", ACTUATOR_PASSWORD.1), None));
        }
        Field::list(items, None)
    }

    fn ignored(&self) -> Field<'d> {
        let items = self.entries.iter().filter(|entry| entry.origin == Origin::Env && self.is_ignored(&entry.id));
        let item = |entry: &Entry<'d>| {
            let other = RENAMED.iter().find_map(|(old, new, _)| match () {
                () if *old == entry.id => Some(format!("{old} (now {new})")),
                () if *new == entry.id => Some(format!("{new} (still {old} in this version)")),
                () => None,
            });
            Field::text(other.unwrap_or_default(), entry.at)
        };
        Field::list(items.map(item).collect(), None)
    }

    fn test_profiles(&self) -> Field<'d> {
        let options = self.entries.iter().rev().find(|entry| entry.origin == Origin::Env && is_java_options(&entry.id));
        let Some(entry) = self.find(PROFILES).or_else(|| self.find(MAVEN_PROFILES)) else {
            return match options {
                None => Field::default(),
                Some(options) if self.text(options).is_none() => Field::unknown(OPEN, options.at),
                // Java options that name no profile replace the image's own, and `h2-test` is Spring's fallback here.
                Some(options) => Field::list(vec![Field::text("h2-test", options.at)], options.at),
            };
        };
        let Some(text) = self.text(entry) else { return Field::unknown(OPEN, entry.at) };
        let names = text.split(',').map(|name| name.trim().to_string());
        let tests = names.filter(|name| TEST_PROFILES.contains(&name.as_str()));
        Field::list(tests.map(|name| Field::text(name, entry.at)).collect(), entry.at)
    }
}

fn is_java_options(name: &str) -> bool {
    name == "IAM_JAVA_OPTS"
}

/// True when a key or variable of this name holds a secret.
pub(super) fn names_secret(name: &str) -> bool {
    let last = name.rsplit('.').next().unwrap_or(name);
    is_secret_key(last) || last.to_ascii_lowercase().contains("password")
}

fn read<'d>(how: Read, text: Cow<'d, str>, at: Option<At>) -> Field<'d> {
    let trimmed = text.trim();
    if trimmed.is_empty() {
        return Field { at, ..Field::default() };
    }
    match how {
        Read::Text if trimmed.len() == text.len() => Field::text(text, at),
        Read::Text => Field::text(trimmed.to_string(), at),
        Read::Seconds(unlimited) => match (trimmed.parse::<i64>(), unlimited) {
            (Ok(seconds), Some(highest)) if seconds <= highest => Field::unlimited(at),
            (Ok(seconds), _) => Field::int(seconds, at),
            (Err(_), _) => Field::malformed("a whole number of seconds is expected", at),
        },
        Read::Duration => match duration(trimmed) {
            Some(seconds) => Field::int(seconds, at),
            None => Field::malformed("a number of seconds, or a number with ms, s, m, h or d, is expected", at),
        },
        Read::Bool => match trimmed.to_ascii_lowercase().as_str() {
            "true" | "on" | "yes" | "1" => Field::bool(true, at),
            "false" | "off" | "no" | "0" => Field::bool(false, at),
            _ => Field::malformed("true or false is expected", at),
        },
        Read::Profile => match trimmed.to_ascii_lowercase().as_str() {
            profile @ ("iam" | "wlcg" | "aarc" | "kc") => Field::text(profile.to_string(), at),
            _ => Field::malformed("iam, wlcg, aarc or kc is expected", at),
        },
    }
}

/// Seconds of a Spring duration in its simple form; fractions of a second are cut off.
fn duration(text: &str) -> Option<i64> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let number: i64 = text[..digits].parse().ok()?;
    match &text[digits..] {
        "" | "s" => Some(number),
        "ms" => Some(number / 1000),
        "m" => number.checked_mul(60),
        "h" => number.checked_mul(3600),
        "d" => number.checked_mul(86400),
        _ => None,
    }
}
