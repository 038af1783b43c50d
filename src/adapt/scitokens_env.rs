//! Environment variables of the token library scitokens-cpp (`SCITOKEN_CONFIG_*`, since 1.3.0) and of EOS, in env files
//! and wherever configuration sets variables.
//!
//! The library reads nine names when it is loaded, in upper or lower case. Numbers are read up to the first character
//! that is no digit; what is no number or below 0, and names it does not know, are passed over without a word. EOS leaves
//! out the check of TLS certificates as soon as `EOS_MGM_OIDC_INSECURE` is set, whatever to.

use super::traps::Found;
use super::{Adapter, Kind, Sink};
use crate::model::{At, Field, Service, Target, TargetKind};
use crate::parse::{Cursor, Document, Syntax};

/// The adapter for env files.
pub(super) struct ScitokensEnv;

const SCITOKENS: &str = "scitokens-env";
const EOS: &str = "eos-env";

const PRODUCT: &str = "scitokens-cpp";
const PREFIX: &str = "SCITOKEN_CONFIG_";
const KEY_CACHE: &str = "KEYCACHE_EXPIRATION_INTERVAL_S";
const KEY_REFRESH: &str = "KEYCACHE_UPDATE_INTERVAL_S";
/// Seconds that hold where the variables do not say otherwise (`configurer::Configuration`, 0.7.3 to 1.4.1).
const REFRESH_DEFAULT: i64 = 600;
const CACHE_DEFAULT: i64 = 4 * 86_400;
const CA_FILE: &str = "TLS_CA_FILE";
const NUMBERS: [&str; 5] = [
    KEY_CACHE,
    KEY_REFRESH,
    "MONITORING_FILE_INTERVAL_S",
    "KEYCACHE_REFRESH_INTERVAL_MS",
    "KEYCACHE_REFRESH_THRESHOLD_MS",
];
const TEXTS: [&str; 4] = ["KEYCACHE_CACHE_HOME", "KEYCACHE_ALLOW_IN_MEMORY", CA_FILE, "MONITORING_FILE"];
const INSECURE: &str = "EOS_MGM_OIDC_INSECURE";

const UNKNOWN_SETTING: &str = "scitokens-cpp-unknown-setting";
const NO_NUMBER: &str = "scitokens-cpp-setting-no-number";
const SET_TO_FALSE: &str = "eos-insecure-set-to-false";

/// What variables say about how keys are fetched.
#[derive(Default)]
pub(super) struct Settings<'d> {
    /// See [`Service`].
    pub(super) key_cache: Field<'d>,
    /// See [`Service`].
    pub(super) key_refresh: Field<'d>,
    /// See [`Service`].
    pub(super) ca_store: Field<'d>,
    /// See [`Service`].
    pub(super) tls_verified: Field<'d>,
}

impl<'d> Settings<'d> {
    /// Of variables with their places and values.
    pub(super) fn of<'n>(variables: impl Iterator<Item = (&'n str, Cursor<'d>, &'d str)>) -> Self {
        let mut settings = Settings::default();
        for (name, cursor, value) in variables {
            let at = At::node(cursor.id);
            let seconds = || number(value).map_or_else(Field::default, |seconds| Field::int(seconds, at));
            match setting(name).as_deref() {
                Some(KEY_CACHE) => settings.key_cache = seconds(),
                Some(KEY_REFRESH) => settings.key_refresh = seconds(),
                Some(CA_FILE) if !value.is_empty() => settings.ca_store = Field::text(value, at),
                _ if name == INSECURE => settings.tls_verified = Field::bool(false, at),
                _ => {}
            }
        }
        // One of the two is not set without the other.
        if settings.key_cache.as_int().is_some() {
            settings.key_refresh = settings.key_refresh.or(Field::int(REFRESH_DEFAULT, None));
        } else if settings.key_refresh.as_int().is_some() {
            settings.key_cache = settings.key_cache.or(Field::int(CACHE_DEFAULT, None));
        }
        settings
    }
}

/// A variable's name without the library's prefix, in upper case.
fn setting(name: &str) -> Option<String> {
    let lower = PREFIX.to_ascii_lowercase();
    let rest = name.strip_prefix(PREFIX).or_else(|| name.strip_prefix(&lower))?;
    Some(rest.to_ascii_uppercase())
}

/// A number as the library reads it; `None` for what it passes over.
fn number(text: &str) -> Option<i64> {
    let text = text.trim_start();
    let digits = text.strip_prefix('+').unwrap_or(text);
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    digits[..end].parse::<i32>().ok().map(i64::from)
}

/// What the library and EOS read in another way than it looks.
pub(super) fn traps<'n, 'd>(variables: impl Iterator<Item = (&'n str, Cursor<'d>, &'d str)>, sink: &mut dyn Sink) {
    for (name, cursor, value) in variables {
        if name == INSECURE {
            if matches!(value.trim().to_ascii_lowercase().as_str(), "" | "0" | "false" | "no" | "off") {
                Found::new("eos", SET_TO_FALSE, cursor, name).tell(sink);
            }
            continue;
        }
        let Some(setting) = setting(name) else { continue };
        if NUMBERS.contains(&setting.as_str()) {
            if number(value).is_none() && !super::is_placeholder(value) {
                Found::new(PRODUCT, NO_NUMBER, cursor, name).tell(sink);
            }
        } else if !TEXTS.contains(&setting.as_str()) {
            let known: Vec<String> = NUMBERS.iter().chain(&TEXTS).map(|name| format!("{PREFIX}{name}")).collect();
            let known: Vec<&str> = known.iter().map(String::as_str).collect();
            Found::new(PRODUCT, UNKNOWN_SETTING, cursor, name).nearest(&known).tell(sink);
        }
    }
}

fn variables(document: &Document) -> impl Iterator<Item = (&str, Cursor<'_>, &str)> {
    document.root().entries().filter_map(|(name, at)| Some((name, at, at.scalar_text()?)))
}

impl Adapter for ScitokensEnv {
    fn kinds(&self) -> &'static [Kind] {
        &[
            Kind {
                name: SCITOKENS,
                doc: "env file with settings of the token library scitokens-cpp (XRootD, EOS, HTCondor)",
                targets: &[TargetKind::Service, TargetKind::Trap],
            },
            Kind {
                name: EOS,
                doc: "env file of an EOS MGM that says how tokens are looked up",
                targets: &[TargetKind::Service, TargetKind::Trap],
            },
        ]
    }

    fn recognise(&self, document: &Document) -> Option<&'static str> {
        if document.syntax != Syntax::Env {
            return None;
        }
        let has = |test: &dyn Fn(&str) -> bool| document.root().entries().any(|(name, _)| test(name));
        if has(&|name| name.starts_with("EOS_MGM_OIDC_")) {
            Some(EOS)
        } else {
            has(&|name| setting(name).is_some()).then_some(SCITOKENS)
        }
    }

    fn traps(&self) -> &'static [&'static str] {
        &[UNKNOWN_SETTING, NO_NUMBER, SET_TO_FALSE]
    }

    fn adapt(&self, document: &Document, kind: &'static str, sink: &mut dyn Sink) {
        let settings = Settings::of(variables(document));
        let (product, name) = match kind {
            EOS => ("eos", "EOS"),
            _ => (PRODUCT, "scitokens-cpp"),
        };
        let service = Service {
            product: Field::text(product, None),
            tls_verified: settings.tls_verified,
            ca_store: settings.ca_store,
            key_cache: settings.key_cache,
            key_refresh: settings.key_refresh,
            ..Service::default()
        };
        sink.target(&[document], Target::new(TargetKind::Service, name, service));
        traps(variables(document), sink);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapt::testing::collect;

    #[test]
    fn variables_count_as_the_library_reads_them() {
        for (value, expected, remark) in [
            ("86400", "86400", "a number"),
            ("3600s", "3600", "digits at the start"),
            ("0", "0", "never kept"),
            ("-1", "", "below 0 is passed over"),
            ("one day", "", "no number"),
            ("99999999999", "", "more than 32 bits"),
        ] {
            let collected = collect(&format!("SCITOKEN_CONFIG_KEYCACHE_EXPIRATION_INTERVAL_S={value}\n"), Syntax::Env);
            assert_eq!(collected.kinds, [SCITOKENS], "{remark}");
            assert_eq!(collected.targets[0].get("key_cache"), expected, "{remark}");
        }
        let lower = collect("scitoken_config_keycache_update_interval_s=600\n", Syntax::Env);
        assert_eq!(lower.targets[0].get("key_refresh"), "600");
    }

    #[test]
    fn eos_is_insecure_whatever_the_value() {
        for value in ["1", "0", "false"] {
            let collected = collect(&format!("EOS_MGM_OIDC_INSECURE={value}\n"), Syntax::Env);
            assert_eq!(collected.kinds, [EOS]);
            assert_eq!(collected.targets[0].get("tls_verified"), "false", "{value}");
            assert_eq!(collected.targets.len(), if value == "1" { 1 } else { 2 }, "{value}");
        }
    }
}
