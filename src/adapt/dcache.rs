//! dCache's properties: `dcache.conf`, layouts with `[domain]` and `[domain/service]` headings, and the defaults that come
//! with the software.
//!
//! Read from dCache's sources: a service's value is looked for in its own section, then in its domain's, in the part before
//! the first heading, in `dcache.conf` and in the defaults, so what one file does not set is unknown here. A key stands once
//! in a scope; twice, and the domain does not start. Unknown keys are logged and nothing more. Comments are whole lines.

use super::dcache_args::{Word, words};
use super::dcache_provider::{self, OIDC, Provider, SCITOKEN, audiences};
use super::traps::Found;
use super::{Adapter, Kind, Sample, Sink, is_placeholder, read};
use crate::hex::hex;
use crate::model::{At, Field, Service, State, Target, TargetKind};
use crate::parse::ini::IniDialect;
use crate::parse::{Cursor, Data, Document, Syntax};
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};

/// The adapter.
pub(super) struct Dcache;

pub(super) const PRODUCT: &str = "dcache";
const CONF: &str = "dcache.conf";
const LAYOUT: &str = "dcache-layout";
const DEFAULTS: &str = "dcache-defaults";
const SYNTAX: Syntax = Syntax::Ini(IniDialect::Dcache);

pub(super) const REFERENCE: &str = "it refers to a property that is set elsewhere";
const ELSEWHERE: &str = "it is not set here; another file of dCache or its defaults decide";

const KEY_TWICE: &str = "dcache-key-twice";
const KEY_UNKNOWN: &str = "dcache-unknown-key";
const KEY_REFUSED: &str = "dcache-key-refused";
const INLINE_COMMENT: &str = "dcache-inline-comment";
const ISSUER_TWICE: &str = "dcache-issuer-twice";
const AUDIENCE_OPTION: &str = "dcache-audience-dropped";
const AUDIENCE_COMMA: &str = "dcache-audience-comma";
const NOT_READ: &str = "dcache-provider-not-read";
const OLD_PLUGIN: &str = "dcache-scitoken-plugin";
const HEADING: &str = "dcache-heading-not-read";
const DOMAIN: &str = "dcache-domain-missing";

/// Keys that concern tokens, complete for their first two steps; `!` stands behind those that take a name.
const TOKEN_KEYS: [&str; 40] = [
    "gplazma.oidc.provider!",
    "gplazma.oidc.audience-targets",
    "gplazma.oidc.discovery-cache",
    "gplazma.oidc.discovery-cache.unit",
    "gplazma.oidc.concurrent-requests",
    "gplazma.oidc.http.total-concurrent-requests",
    "gplazma.oidc.http.per-route-concurrent-requests",
    "gplazma.oidc.http.slow-threshold",
    "gplazma.oidc.http.slow-threshold.unit",
    "gplazma.oidc.http.timeout",
    "gplazma.oidc.http.timeout.unit",
    "gplazma.oidc.access-token-cache.size",
    "gplazma.oidc.access-token-cache.refresh",
    "gplazma.oidc.access-token-cache.refresh.unit",
    "gplazma.oidc.access-token-cache.expire",
    "gplazma.oidc.access-token-cache.expire.unit",
    "gplazma.oidc.token-history",
    "gplazma.oidc-te.url",
    "gplazma.oidc-te.client-id",
    "gplazma.oidc-te.client-secret",
    "gplazma.oidc-te.grant-type",
    "gplazma.oidc-te.subject-issuer",
    "gplazma.oidc-te.subject-token-type",
    "gplazma.oidc-te.audience",
    "gplazma.scitoken.issuer!",
    "gplazma.scitoken.token-history",
    "gplazma.scitoken.audience-targets",
    "gplazma.scitoken.dcache-supports-exempt-principal",
    "gplazma.alise.endpoint",
    "gplazma.alise.apikey",
    "gplazma.alise.target",
    "gplazma.alise.timeout",
    "gplazma.alise.issuers",
    "webdav.macaroons.accept-over-unencrypted-channel",
    "frontend.macaroons.accept-over-unencrypted-channel",
    "dcache.macaroons.accept-over-unencrypted-channel",
    "webdav.authn.protocol",
    "frontend.authn.protocol",
    "webdav.oidc.client.id!",
    "webdav.oidc.client.secret!",
];
/// Prefixes under which [`TOKEN_KEYS`] is complete.
const CLOSED: [&str; 4] = ["gplazma.oidc.", "gplazma.oidc-te.", "gplazma.scitoken.", "gplazma.alise."];
/// Second steps of gPlazma's other keys, none of which is a misspelt `oidc` or `scitoken`.
const OTHER_PLUGINS: [&str; 3] = ["oidc", "oidc-te", "scitoken"];
/// Keys that dCache refuses, with the reason.
const REFUSED: [(&str, &str); 3] = [
    ("gplazma.oidc.hostnames", "the key is forbidden since dCache 8.2; write gplazma.oidc.provider!NAME"),
    ("gplazma.oidc.provider", "the name of the provider is missing: gplazma.oidc.provider!NAME"),
    ("gplazma.scitoken.issuer", "the name of the issuer is missing: gplazma.scitoken.issuer!NAME"),
];
/// SHA-256 of secrets that come with dCache, by their key.
const SHIPPED: [(&str, &str); 2] = [
    ("frontend.authn.oidc.client-secret", "ac785ae1a017d4545e9485b3b6af47cb2476d6d1baf0c4bca9be6d48a1a6aaf3"),
    ("gplazma.oidc-te.client-secret", "cd2eb0837c9b4c962c22d2ff8b5441b7b45805887f051d39bf133b583baf6860"),
];
/// Endings of keys with secrets that the list for all formats does not have.
const SECRETS: [&str; 3] = ["apikey", "bindpw", "password"];

/// The values of one scope of the file.
#[derive(Default)]
pub(super) struct Values<'d> {
    /// By key; of a key that stands twice the first, as dCache keeps it.
    by_key: HashMap<&'d str, Cursor<'d>>,
    /// It names issuers for the OIDC plug-in, for the SciToken plug-in.
    oidc: bool,
    scitoken: bool,
}

impl<'d> Values<'d> {
    fn add(&mut self, key: &'d str, entry: Cursor<'d>) {
        self.oidc |= key.starts_with(OIDC);
        self.scitoken |= key.starts_with(SCITOKEN);
        self.by_key.entry(key).or_insert(entry);
    }
}

/// A value with what it refers to filled in.
pub(super) struct Setting<'d> {
    pub(super) text: Cow<'d, str>,
    pub(super) at: At,
}

impl Setting<'_> {
    /// The place of one of its words, or the whole where the text does not stand there literally.
    pub(super) fn place(&self, word: &Word<'_>) -> At {
        match self.text {
            Cow::Borrowed(text) => word.at(self.at, text),
            Cow::Owned(_) => self.at,
        }
    }
}

/// A section, or the part before the first one, with everything that holds in it.
pub(super) struct Scope<'s, 'd> {
    /// Its own values first, then those it inherits.
    chain: Vec<&'s Values<'d>>,
}

impl<'d> Scope<'_, 'd> {
    fn get(&self, key: &str) -> Option<Cursor<'d>> {
        self.chain.iter().find_map(|values| values.by_key.get(key)).copied()
    }

    /// The value of a key; `None` where the file does not set it. References that the file does not resolve stay.
    pub(super) fn setting(&self, key: &str) -> Option<Setting<'d>> {
        let cursor = self.get(key)?;
        Some(self.resolved(cursor))
    }

    fn resolved(&self, cursor: Cursor<'d>) -> Setting<'d> {
        const MOST: usize = 200;
        let text = cursor.as_str().unwrap_or_default();
        let mut left = MOST;
        let text = match text.contains("${") {
            true => Cow::Owned(self.fill(text, 0, &mut left)),
            false => Cow::Borrowed(text),
        };
        Setting { text, at: At::node(cursor.id) }
    }

    /// Fills in references; `left` bounds their number, so that references to references do not grow without end.
    fn fill(&self, text: &str, depth: usize, left: &mut usize) -> String {
        const DEEPEST: usize = 8;
        let mut filled = String::new();
        let mut rest = text;
        while let Some(start) = rest.find("${") {
            let Some(end) = rest[start..].find('}').map(|end| start + end) else { break };
            let value = self.get(&rest[start + 2..end]).and_then(Cursor::as_str);
            filled.push_str(&rest[..start]);
            match value {
                Some(value) if depth < DEEPEST && *left > 0 => {
                    *left -= 1;
                    filled.push_str(&self.fill(value, depth + 1, left));
                }
                _ => filled.push_str(&rest[start..=end]),
            }
            rest = &rest[end + 1..];
        }
        filled + rest
    }

    /// A text; unknown where the file does not set it or refers elsewhere.
    fn text(&self, key: &str) -> Field<'d> {
        match self.setting(key) {
            None => Field::unknown(ELSEWHERE, None),
            Some(setting) if is_placeholder(&setting.text) => Field::unknown(REFERENCE, setting.at),
            Some(setting) => Field::text(setting.text, setting.at),
        }
    }
}

/// The file with its scopes.
struct Properties<'d> {
    document: &'d Document,
    global: Values<'d>,
    /// Domains that have a heading of their own, with the values below it.
    domains: HashMap<&'d str, Values<'d>>,
}

impl<'d> Properties<'d> {
    fn new(document: &'d Document) -> Self {
        let mut properties = Properties { document, global: Values::default(), domains: HashMap::new() };
        for item in document.root().items() {
            let key = item.key().unwrap_or_default();
            match item.data() {
                Data::Map if !key.contains('/') => {
                    let values = properties.domains.entry(key).or_default();
                    item.entries().for_each(|(key, entry)| values.add(key, entry));
                }
                Data::Map => {}
                _ => properties.global.add(key, item),
            }
        }
        properties
    }

    /// The scope of a section with these values of its own.
    fn scope<'s>(&'s self, section: &str, own: &'s Values<'d>) -> Scope<'s, 'd> {
        let domain = section.split_once('/').and_then(|(domain, _)| self.domains.get(domain));
        Scope { chain: [Some(own), domain, Some(&self.global)].into_iter().flatten().collect() }
    }
}

/// A key without the annotation in parentheses that the defaults have.
fn bare(key: &str) -> &str {
    key.strip_prefix('(').and_then(|rest| rest.split_once(')')).map_or(key, |(_, key)| key)
}

impl Adapter for Dcache {
    fn kinds(&self) -> &'static [Kind] {
        const YIELDS: &[TargetKind] = &[TargetKind::Service, TargetKind::Trust, TargetKind::Trap];
        &[
            Kind { name: CONF, doc: "dcache.conf: properties for all of a dCache instance", targets: YIELDS },
            Kind {
                name: LAYOUT,
                doc: "layout file of dCache, or part of one: domains and services with their properties",
                targets: YIELDS,
            },
            Kind {
                name: DEFAULTS,
                doc: "file of defaults that comes with dCache; it is no site's configuration, so nothing in it is judged",
                targets: &[],
            },
        ]
    }

    fn syntax(&self, sample: &Sample<'_>) -> Option<Syntax> {
        let (mut ours, mut own, mut other, mut known) = (0_usize, 0_usize, 0_usize, false);
        let mut continued = false;
        for line in sample.lines().filter(|line| !line.starts_with(['!', '@'])) {
            match continued || is_line(line) {
                true => ours += 1,
                false if is_own_property(line) => own += 1,
                false if ours + own == 0 => return None,
                false => other += 1,
            }
            known |= is_known(line);
            continued = line.ends_with('\\');
        }
        (known && other * 4 <= ours && own <= ours).then_some(SYNTAX)
    }

    fn recognise(&self, document: &Document) -> Option<&'static str> {
        if document.syntax != SYNTAX {
            return None;
        }
        let root = document.root();
        let annotated = |key: &str| key.starts_with('(') && bare(key) != key;
        let name = document.source.name();
        Some(if document.source.text().contains("@DEFAULTS_HEADER@") || root.entries().any(|(key, _)| annotated(key)) {
            DEFAULTS
        } else if root.items().any(Cursor::is_map) {
            LAYOUT
        } else if root.has("dcache.layout") || name.rsplit('/').next().is_some_and(|name| name.ends_with(CONF)) {
            CONF
        } else {
            LAYOUT
        })
    }

    fn traps(&self) -> &'static [&'static str] {
        &[
            KEY_TWICE,
            KEY_UNKNOWN,
            KEY_REFUSED,
            INLINE_COMMENT,
            ISSUER_TWICE,
            AUDIENCE_OPTION,
            AUDIENCE_COMMA,
            NOT_READ,
            OLD_PLUGIN,
            HEADING,
            DOMAIN,
            dcache_provider::OPTION_IGNORED,
            dcache_provider::EXTRA_WORDS,
            dcache_provider::PROVIDER_REFUSED,
        ]
    }

    fn adapt(&self, document: &Document, kind: &'static str, sink: &mut dyn Sink) {
        if kind == DEFAULTS {
            return sink.secrets_expected();
        }
        let properties = Properties::new(document);
        section(&properties, "", document.root(), &properties.global, sink);
        for item in document.root().items().filter(|item| item.is_map()) {
            let name = item.key().unwrap_or_default();
            let mut own = Values::default();
            item.entries().for_each(|(key, entry)| own.add(key, entry));
            section(&properties, name, item, &own, sink);
        }
        missing_domains(&properties, sink);
        twice(document, sink);
    }
}

/// True for a line that dCache's properties are made of: a heading, or a dotted key with a value.
fn is_line(line: &str) -> bool {
    if let Some(inner) = line.strip_prefix('[') {
        return inner
            .split_once(']')
            .is_some_and(|(name, _)| !name.is_empty() && !name.replace("${", "").contains(['"', '{', ',', '=']));
    }
    let Some((key, _)) = line.split_once('=') else { return false };
    let key = bare(key.trim());
    key.contains('.') && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_!/${}".contains(&byte))
}

/// True for a property that a site has thought up for itself, to refer to: its name need not have a dot.
fn is_own_property(line: &str) -> bool {
    let key = line.split_once('=').map_or("", |(key, _)| key.trim_end());
    key.starts_with(|c: char| c.is_ascii_alphabetic())
        && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}

/// True for a line that only dCache has.
fn is_known(line: &str) -> bool {
    const SERVICES: [&str; 12] = [
        "gplazma",
        "webdav",
        "frontend",
        "xrootd",
        "poolmanager",
        "pnfsmanager",
        "pool",
        "admin",
        "nfs",
        "ftp",
        "srm",
        "zookeeper",
    ];
    let service = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).and_then(|name| name.split_once('/'));
    let key = bare(line);
    service.is_some_and(|(_, service)| SERVICES.contains(&service))
        || ["gplazma.", "dcache."].iter().any(|prefix| key.starts_with(prefix))
}

/// Everything in one section, or in the part before the first.
fn section<'d>(properties: &Properties<'d>, name: &'d str, at: Cursor<'d>, own: &Values<'d>, sink: &mut dyn Sink) {
    let document = properties.document;
    let scope = properties.scope(name, own);
    let kind = name.split_once('/').map_or("", |(_, service)| service);
    let inherited = kind == "gplazma" && scope.chain.iter().any(|values| values.oidc || values.scitoken);
    if inherited || own.oidc || own.scitoken {
        let mut target = Target::new(TargetKind::Service, label(name, "gPlazma"), gplazma(&scope));
        target.at = At::node(at.id);
        sink.target(&[document], target);
    }
    for door in ["webdav", "frontend"] {
        if kind == door || (name.is_empty() && own.by_key.contains_key(accepts_plain(door).as_str())) {
            let mut target =
                Target::new(TargetKind::Service, label(name, door), self::door(door, kind == door, &scope));
            target.at = At::node(at.id);
            sink.target(&[document], target);
        }
    }
    let mut issuers: BTreeMap<String, &str> = BTreeMap::new();
    let mut old = false;
    for (key, entry) in at.entries().filter(|(_, entry)| !entry.is_map()) {
        secret(document, key, entry, sink);
        key_traps(&scope, name, key, entry, sink);
        let setting = scope.resolved(entry);
        if let Some(alias) = key.strip_prefix(OIDC) {
            let provider = Provider::new(alias, &setting);
            let trust = provider.trust(&scope);
            if let Some(issuer) = provider.issuer().as_text()
                && let Some(other) = issuers.insert(issuer.to_string(), alias).filter(|other| *other != alias)
            {
                Found::new(PRODUCT, ISSUER_TWICE, entry, alias).section(name).effect(other).tell(sink);
            }
            tell(document, entry, alias, trust, sink);
            provider.traps(entry, sink);
        } else if let Some(alias) = key.strip_prefix(SCITOKEN) {
            tell(document, entry, alias, dcache_provider::scitoken(alias, &setting, &scope), sink);
            if !std::mem::replace(&mut old, true) {
                Found::new(PRODUCT, OLD_PLUGIN, entry, "scitoken").section(name).tell(sink);
            }
        }
    }
}

fn accepts_plain(door: &str) -> String {
    format!("{door}.macaroons.accept-over-unencrypted-channel")
}

fn label(section: &str, fallback: &str) -> String {
    if section.is_empty() { fallback.to_string() } else { section.to_string() }
}

fn tell<'d>(
    document: &'d Document,
    entry: Cursor<'d>,
    alias: &str,
    trust: crate::model::Trust<'d>,
    sink: &mut dyn Sink,
) {
    let identity = trust.issuer.as_text().unwrap_or_default().to_string();
    let target = Target::new(TargetKind::Trust, alias, trust);
    sink.target(&[document], Target { identity: identity.into(), at: At::node(entry.id), ..target });
}

/// gPlazma with what its token plug-ins have in common.
fn gplazma<'d>(scope: &Scope<'_, 'd>) -> Service<'d> {
    let text = |word: &'static str| Field::text(word, None);
    let level = log_level(scope);
    let leaks = match &level.state {
        State::Unknown(why) => Field::unknown(why.clone(), level.at),
        _ => Field::bool(level.as_text().is_some_and(|level| ["debug", "trace", "all"].contains(&level)), level.at),
    };
    let key = match scope.chain.iter().any(|values| values.oidc) {
        true => "gplazma.oidc.audience-targets",
        false => "gplazma.scitoken.audience-targets",
    };
    Service {
        product: text(PRODUCT),
        name: text("gplazma"),
        tokens: Field::bool(true, None),
        audiences: audiences(scope, key),
        any_issuer: Field::bool(false, None),
        ca_store: text("java"),
        log_level: level,
        log_leaks_tokens: leaks,
        log_settings: access_log(scope),
        ..Service::default()
    }
}

/// The level of the doors' access logs, where the file sets it.
fn access_log<'d>(scope: &Scope<'_, 'd>) -> Field<'d> {
    let key = "dcache.log.level.access";
    read::log_settings([read::log_setting(key, &scope.text(key))])
}

/// The most talkative level of the logs that the OIDC plug-in's messages reach.
fn log_level<'d>(scope: &Scope<'_, 'd>) -> Field<'d> {
    const LEVELS: [&str; 7] = ["off", "error", "warn", "info", "debug", "trace", "all"];
    let keys = ["dcache.log.level.file", "dcache.log.level.pinboard", "dcache.log.level.remote"];
    let set = keys.map(|key| scope.text(key)).into_iter().filter(|level| level.as_text().is_some());
    let rank = |level: &Field<'_>| LEVELS.iter().position(|known| Some(*known) == level.as_text());
    set.max_by_key(rank).unwrap_or_else(|| Field::unknown(ELSEWHERE, None))
}

/// A door that speaks HTTP. `whole` is false for a file that sets values for doors without having one.
fn door<'d>(door: &'static str, whole: bool, scope: &Scope<'_, 'd>) -> Service<'d> {
    let protocol = scope.text(&format!("{door}.authn.protocol"));
    let plain = match protocol.as_text() {
        Some(protocol) => Field::bool(protocol == "http", protocol_at(scope, door)),
        None => protocol.clone(),
    };
    let own = scope.text(&accepts_plain(door));
    let accept = match own.as_text() {
        Some(_) => own,
        None => scope.text("dcache.macaroons.accept-over-unencrypted-channel"),
    };
    let tokens = match (plain.as_bool(), accept.as_text()) {
        (Some(false), _) | (_, Some("false")) => Field::bool(false, accept.at.or(plain.at)),
        // Nobody sets it for a door with TLS.
        (_, Some("true")) => Field::bool(true, accept.at),
        _ => Field::unknown(ELSEWHERE, accept.at),
    };
    let anonymous = scope.text(&format!("{door}.authz.anonymous-operations"));
    let without = match anonymous.as_text() {
        Some("NONE") => Field::text("deny", anonymous.at),
        Some("READONLY") => Field::text("read", anonymous.at),
        Some("FULL") => Field::text("allow", anonymous.at),
        _ => Field::unknown(ELSEWHERE, anonymous.at),
    };
    Service {
        product: Field::text(PRODUCT, None),
        name: Field::text(door, None),
        plain_http: plain,
        tokens_over_plain_http: tokens,
        without_token: if whole { without } else { Field::default() },
        default_secrets: default_secrets(scope),
        log_settings: access_log(scope),
        ..Service::default()
    }
}

fn protocol_at(scope: &Scope<'_, '_>, door: &str) -> Option<At> {
    scope.get(&format!("{door}.authn.protocol")).map(|cursor| At::node(cursor.id))
}

fn default_secrets<'d>(scope: &Scope<'_, 'd>) -> Field<'d> {
    let shipped = SHIPPED.iter().filter_map(|(key, digest)| {
        let cursor = scope.get(key)?;
        let hash = Sha256::digest(cursor.as_str()?.as_bytes());
        (hex(&hash) == *digest).then(|| Field::text(*key, At::node(cursor.id)))
    });
    let shipped: Vec<Field<'d>> = shipped.collect();
    if shipped.is_empty() { Field::default() } else { Field::list(shipped, None) }
}

fn secret(document: &Document, key: &str, entry: Cursor<'_>, sink: &mut dyn Sink) {
    let text = entry.as_str().unwrap_or_default();
    let named = key.starts_with("webdav.oidc.client.secret!") || SECRETS.iter().any(|ending| key.ends_with(ending));
    if named && !text.is_empty() && !is_placeholder(text) {
        sink.secret(document, entry.id);
    }
}

/// What dCache reads in another way than it looks, key by key.
fn key_traps<'d>(scope: &Scope<'_, 'd>, section: &str, key: &'d str, entry: Cursor<'d>, sink: &mut dyn Sink) {
    let found = |code, name: &str| Found::new(PRODUCT, code, entry, name).section(section);
    let text = entry.as_str().unwrap_or_default();
    if key.starts_with('[') {
        return found(HEADING, key).tell(sink);
    }
    if let Some((_, why)) = REFUSED.iter().find(|(refused, _)| *refused == key) {
        return found(KEY_REFUSED, key).effect(*why).tell(sink);
    }
    if let Some(name) = key.strip_prefix("dcache.oidc.provider!") {
        return found(NOT_READ, name).tell(sink);
    }
    let stem = key.find('!').map_or(key, |at| &key[..=at]);
    if is_token_key(key) && !TOKEN_KEYS.contains(&stem) {
        return found(KEY_UNKNOWN, stem).nearest(&TOKEN_KEYS).tell(sink);
    }
    if TOKEN_KEYS.contains(&stem) && words(text).iter().any(|word| word.option.is_none() && word.text.starts_with('#'))
    {
        found(INLINE_COMMENT, key).tell(sink);
    }
    if key == "gplazma.oidc.audience-targets" {
        let setting = scope.resolved(entry);
        for word in words(&setting.text) {
            if let Some(option) = &word.option {
                found(AUDIENCE_OPTION, &format!("-{option}")).tell(sink);
            } else if word.text.contains(',') {
                found(AUDIENCE_COMMA, &word.text).tell(sink);
            }
        }
    }
}

/// True for keys that concern tokens, misspelt ones included.
fn is_token_key(key: &str) -> bool {
    let second = key.strip_prefix("gplazma.").and_then(|rest| rest.split('.').next()).unwrap_or_default();
    let misspelt = |name: &str| second != name && crate::near::distance(second, name) <= 2;
    CLOSED.iter().any(|prefix| key.starts_with(prefix))
        || (second.len() >= 4
            && second.len() < 16
            && OTHER_PLUGINS.iter().all(|name| second != *name)
            && (misspelt("oidc") || misspelt("scitoken")))
}

/// Services whose domain has no heading before them; in a file that shows no domain at all, they are an excerpt.
fn missing_domains(properties: &Properties<'_>, sink: &mut dyn Sink) {
    let mut seen = HashSet::new();
    if properties.domains.is_empty() {
        return;
    }
    for item in properties.document.root().items().filter(|item| item.is_map()) {
        let name = item.key().unwrap_or_default();
        match name.split_once('/') {
            None => drop(seen.insert(name)),
            Some((domain, _)) if seen.contains(domain) || domain.contains("${") => {}
            Some((domain, _)) => Found::new(PRODUCT, DOMAIN, item, name).section(domain).tell(sink),
        }
    }
}

/// Keys that stand twice in one scope. Headings of one domain are one scope, those of a service are as many services.
fn twice<'d>(document: &'d Document, sink: &mut dyn Sink) {
    let mut global = HashSet::new();
    let mut domains: HashMap<&str, HashSet<&str>> = HashMap::new();
    let mut tell = |seen: &mut HashSet<&'d str>, key: &'d str, entry: Cursor<'d>, section: &str| {
        if !seen.insert(key) {
            Found::new(PRODUCT, KEY_TWICE, entry, key).section(section).tell(sink);
        }
    };
    for item in document.root().items() {
        let name = item.key().unwrap_or_default();
        let mut service = HashSet::new();
        match item.is_map() {
            false => tell(&mut global, name, item, ""),
            true => {
                let seen = if name.contains('/') { &mut service } else { domains.entry(name).or_default() };
                item.entries().for_each(|(key, entry)| tell(seen, key, entry, name));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapt::testing::{Collected, Got, collect};

    fn read(text: &str) -> Collected {
        assert_eq!(Dcache.syntax(&Sample::new("t", text)), Some(SYNTAX), "{text}");
        collect(text, SYNTAX)
    }

    fn of(collected: &Collected, kind: TargetKind) -> Vec<&Got> {
        collected.targets.iter().filter(|got| got.kind == kind).collect()
    }

    const GPLAZMA: &str = "[d]\n[d/gplazma]\n";

    #[test]
    fn files_are_told_apart() {
        for (text, kind, remark) in [
            ("dcache.layout = site\n", CONF, "dcache.conf"),
            ("dcache.log.level.file=info\n[d]\n[d/pool]\npool.name=a\n", LAYOUT, "a layout"),
            ("gplazma.oidc.provider!vo = https://vo.example.org/\n", LAYOUT, "part of a layout"),
            ("mysite=1\ndcache.layout = site\n", CONF, "a property of the site's own"),
            ("[d]\nFOO = 1\n[d/gplazma]\ngplazma.oidc.audience-targets = a\n", LAYOUT, "the same in a layout"),
            ("@DEFAULTS_HEADER@\n# x\n(one-of?a|b)gplazma.x.y = a\n", DEFAULTS, "defaults"),
        ] {
            assert_eq!(read(text).kinds, [kind], "{remark}");
        }
        for text in [
            "apiVersion: v1\ndata:\n  dcache.conf: |\n    dcache.layout = x\n",
            "server.port = 80\nspring.application.name = x\n",
            "[Service]\nEnvironment=\"X=dcache.x\"\n",
            "Set\ndcache.layout = x\nin dcache.conf.\n",
            "A=1\nB=2\ndcache.layout = x\n",
            "",
        ] {
            assert_eq!(Dcache.syntax(&Sample::new("t", text)), None, "{text}");
        }
    }

    #[test]
    fn providers_are_read_with_their_profile() {
        let collected = read(&format!(
            "{GPLAZMA}gplazma.oidc.provider!vo = https://vo.example.org/ -profile=wlcg -prefix=/data/vo \
             -authz-id=\"uid:1999 gid:1999 username:vo\"\ngplazma.oidc.audience-targets = https://se.example.org roots://se.example.org\n"
        ));
        let trust = of(&collected, TargetKind::Trust)[0];
        for (field, expected) in [
            ("issuer", "https://vo.example.org/"),
            ("alias", "vo"),
            ("audiences", "https://se.example.org roots://se.example.org"),
            ("audience_checked", "true"),
            ("any_audience", "false"),
            ("missing_audience", "true"),
            ("base_paths", "/data/vo"),
            ("profile", "wlcg"),
            ("mapping", "fixed file"),
            ("account", "vo"),
            ("key_cache", "21600"),
            ("active", "true"),
        ] {
            assert_eq!(trust.get(field), expected, "{field}");
        }
        assert_eq!(trust.pointers["issuer"], "/d~1gplazma/gplazma.oidc.provider!vo");
        let service = of(&collected, TargetKind::Service)[0];
        assert_eq!((service.get("tokens"), service.name.as_str()), ("true", "d/gplazma"));
        assert!(of(&collected, TargetKind::Trap).is_empty());
    }

    #[test]
    fn what_a_provider_leaves_open_is_told_from_what_it_says() {
        for (options, field, expected, remark) in [
            ("", "profile", "oidc", "the default profile"),
            ("", "audiences", "unknown: the audiences", "another file may set them"),
            ("", "rights_without_scope", "unknown: gPlazma's map files", "scopes do not count"),
            ("-profile=scitokens -prefix=/vo", "rights_without_scope", "false", "a scope is needed"),
            (
                "-profile=wlcg -prefix=/vo -non-authz-id=username:x",
                "rights_without_scope",
                "true",
                "an identity for all",
            ),
            ("-suppress=offline,audience", "audience_checked", "false", "suppressed"),
            ("-suppress=offline,audience", "any_audience", "true", "so any passes"),
            ("-accept=username", "account_claim", "preferred_username", "the account is in the token"),
            ("-profile=wlcg -prefix=//", "base_paths", "/", "the root in another spelling"),
            ("-profile=wlcg -prefix=/./", "base_paths", "/", "the root with a dot"),
            ("-profile=wlcg -prefix=/a//vo/", "base_paths", "/a/vo", "empty components"),
            ("-prefix=/vo", "base_paths", "", "no path without a profile that knows paths"),
            ("-profile=wlcg", "active", "false", "the plug-in does not start"),
        ] {
            let collected = read(&format!("{GPLAZMA}gplazma.oidc.provider!vo = https://vo.example.org/ {options}\n"));
            let got = of(&collected, TargetKind::Trust)[0].get(field).to_string();
            assert!(got.starts_with(expected) && got.is_empty() == expected.is_empty(), "{remark}: {got}");
        }
    }

    #[test]
    fn values_come_from_the_nearest_scope() {
        for (text, expected, remark) in [
            ("gplazma.oidc.audience-targets = a\n[d]\n[d/gplazma]\n", "a", "the part before the headings"),
            (
                "gplazma.oidc.audience-targets = a\n[d]\ngplazma.oidc.audience-targets = b\n[d/gplazma]\n",
                "b",
                "the domain",
            ),
            ("x.y = ${x.z}\nx.z = c\n[d]\n[d/gplazma]\ngplazma.oidc.audience-targets = ${x.y}\n", "c", "references"),
            ("[d]\n[d/gplazma]\ngplazma.oidc.audience-targets = ${x}\n", "unknown: it refers", "to another file"),
            (
                "[d]\n[d/gplazma]\ngplazma.oidc.audience-targets = ${gplazma.oidc.audience-targets}\n",
                "unknown",
                "to itself",
            ),
        ] {
            let collected = read(&format!("{text}gplazma.oidc.provider!vo = https://vo.example.org/\n"));
            let got = of(&collected, TargetKind::Trust)[0].get("audiences").to_string();
            assert!(got.starts_with(expected), "{remark}: {got}");
        }
        let bomb: String = (0..40).map(|step| format!("a.{step} = ${{a.{0}}}${{a.{0}}}\n", step + 1)).collect();
        let collected = read(&format!("{bomb}[d]\n{GPLAZMA}gplazma.oidc.provider!vo = ${{a.0}}\n"));
        assert_eq!(of(&collected, TargetKind::Trust).len(), 1, "references to references come to an end");
    }

    #[test]
    fn the_plug_in_before_is_read_as_well() {
        let collected =
            read(&format!("{GPLAZMA}gplazma.scitoken.issuer!vo = https://vo.example.org/ /vo uid:1 username:vo\n"));
        let trust = of(&collected, TargetKind::Trust)[0];
        assert_eq!((trust.get("base_paths"), trust.get("account"), trust.get("key_cache")), ("/vo", "vo", "600"));
        assert_eq!(of(&collected, TargetKind::Trap)[0].get("code"), OLD_PLUGIN);
    }

    #[test]
    fn doors_say_how_tokens_reach_them() {
        for (text, plain, tokens, without, remark) in [
            ("webdav.authn.protocol = https\n", "true", "false", "unknown", "TLS"),
            (
                "webdav.authn.protocol = http\nwebdav.macaroons.accept-over-unencrypted-channel = true\n",
                "true",
                "true",
                "unknown",
                "tokens in clear",
            ),
            ("webdav.authn.protocol = http\n", "true", "unknown", "unknown", "the default may be changed elsewhere"),
            ("webdav.authz.anonymous-operations = READONLY\n", "unknown", "unknown", "read", "anonymous reading"),
        ] {
            let collected = read(&format!("[d]\n[d/webdav]\n{text}"));
            let door = of(&collected, TargetKind::Service)[0];
            let expected_plain = if text.contains("= https") { "false" } else { plain };
            assert!(door.get("plain_http").starts_with(expected_plain), "{remark}");
            assert!(door.get("tokens_over_plain_http").starts_with(tokens), "{remark}");
            assert!(door.get("without_token").starts_with(without), "{remark}");
        }
        let conf = read("dcache.layout = x\nfrontend.macaroons.accept-over-unencrypted-channel = true\n");
        assert_eq!(of(&conf, TargetKind::Service)[0].get("tokens_over_plain_http"), "true");
        let talkative = read(&format!(
            "dcache.log.level.file = debug\n{GPLAZMA}gplazma.oidc.provider!vo = https://vo.example.org/\n"
        ));
        assert_eq!(of(&talkative, TargetKind::Service)[0].get("log_leaks_tokens"), "true");
    }

    #[test]
    fn secrets_are_masked_and_shipped_ones_known() {
        let collected = read(
            "dcache.db.password = s3cr3t\ngplazma.alise.apikey = k\n[d]\n[d/frontend]\ngplazma.oidc-te.client-secret = xxx\n\
             webdav.oidc.client.secret!op.example.org = abc\nchimera.db.password = ${dcache.db.password}\n",
        );
        assert_eq!(
            collected.secrets,
            ["/dcache.db.password", "/gplazma.alise.apikey", "/d~1frontend/webdav.oidc.client.secret!op.example.org"]
        );
        assert_eq!(of(&collected, TargetKind::Service)[0].get("default_secrets"), "gplazma.oidc-te.client-secret");
    }

    #[test]
    fn what_dcache_reads_otherwise_is_a_trap() {
        const VO: &str = "gplazma.oidc.provider!vo = https://vo.example.org/";
        let provider = |options: &str| format!("{GPLAZMA}{VO} {options}\n");
        let section = |lines: &str| format!("{GPLAZMA}{lines}\n");
        for (text, code, name, remark) in [
            (section("pool.a = 1\npool.a = 2"), KEY_TWICE, "pool.a", "twice in a section"),
            ("dcache.a = 1\ndcache.a = 2\n".into(), KEY_TWICE, "dcache.a", "twice before the first"),
            ("[d]\ndcache.a=1\n[d]\ndcache.a = 2\n".into(), KEY_TWICE, "dcache.a", "twice in headings of one domain"),
            (section("gplazma.oidc.audience-target = a"), KEY_UNKNOWN, "gplazma.oidc.audience-target", "misspelt"),
            (section("gplazma.odic.provider!vo = https://a.example/"), KEY_UNKNOWN, "gplazma.odic.provider!", "prefix"),
            (section("gplazma.oidc.hostnames = a"), KEY_REFUSED, "gplazma.oidc.hostnames", "forbidden"),
            (section("gplazma.oidc.provider = https://a.example/"), KEY_REFUSED, "gplazma.oidc.provider", "no name"),
            (provider("# ours"), INLINE_COMMENT, "gplazma.oidc.provider!vo", "a comment behind the value"),
            (
                format!("{}gplazma.oidc.provider!b = https://vo.example.org/\n", provider("")),
                ISSUER_TWICE,
                "b",
                "one issuer, two names",
            ),
            (section("gplazma.oidc.audience-targets = -a b"), AUDIENCE_OPTION, "-a", "an audience with a dash"),
            (section("gplazma.oidc.audience-targets = a,b"), AUDIENCE_COMMA, "a,b", "commas do not separate"),
            ("dcache.oidc.provider!vo = https://a.example/\n".into(), NOT_READ, "vo", "the old key"),
            ("[d] # main\n[e]\n[e/pool]\n".into(), HEADING, "[d]", "a comment behind a heading"),
            ("[d]\n[e/gplazma]\n".into(), DOMAIN, "e/gplazma", "no such domain"),
            ("[e/pool]\n[e]\n".into(), DOMAIN, "e/pool", "before its domain"),
            (provider("-supress=audience"), dcache_provider::OPTION_IGNORED, "supress", "misspelt option"),
            (provider("-suppress=audiance"), dcache_provider::OPTION_IGNORED, "audiance", "misspelt keyword"),
            (provider("-prefix=/vo"), dcache_provider::OPTION_IGNORED, "prefix", "no profile that reads it"),
            (
                provider("-profile=wlcg -prefix=/vo -authz-id=uid:1 gid:1"),
                dcache_provider::EXTRA_WORDS,
                "vo",
                "quotes are missing",
            ),
            (provider("-profile=wlcg"), dcache_provider::PROVIDER_REFUSED, "vo", "no prefix"),
            (provider("-profile=wlcg -prefix=vo"), dcache_provider::PROVIDER_REFUSED, "vo", "relative prefix"),
            (provider("-profile=wlgc -prefix=/vo"), dcache_provider::PROVIDER_REFUSED, "vo", "no such profile"),
            (provider("-accept=email"), dcache_provider::PROVIDER_REFUSED, "vo", "no such claim"),
            (
                provider("-profile=wlcg -prefix=/vo -authz-id=gid:1,true"),
                dcache_provider::PROVIDER_REFUSED,
                "vo",
                "a primary group as in map files",
            ),
        ] {
            let collected = read(&text);
            let traps: Vec<(&str, &str)> =
                of(&collected, TargetKind::Trap).iter().map(|got| (got.get("code"), got.get("name"))).collect();
            assert_eq!(traps, [(code, name)], "{remark}");
        }
    }

    #[test]
    fn healthy_files_have_no_traps() {
        for (text, remark) in [
            ("[d/gplazma]\ngplazma.oidc.provider!vo = https://a.example/\n", "an excerpt without its domain"),
            ("[d]\n[d/pool]\npool.name=a\n[d/pool]\npool.name=b\n", "two services of one kind"),
            ("[${host.name}-d]\n[${host.name}-d/pool]\n", "a domain named after the host"),
            ("gplazma.ldap.url = x\ngplazma.htpasswd.file = y\n", "other plug-ins of gPlazma"),
            (
                "frontend.static!dcache-view.oidc-provider-name-list = a\nwebdav.my.site = 1\ndcache.x.y=1\n",
                "unknown keys",
            ),
            ("[d]\n[d/gplazma]\ngplazma.oidc.provider!a = ${ISSUER}\n", "a template"),
        ] {
            let collected = read(text);
            assert!(of(&collected, TargetKind::Trap).is_empty(), "{remark}: {:?}", collected.targets);
            assert!(collected.errors.is_empty(), "{remark}");
        }
    }
}
