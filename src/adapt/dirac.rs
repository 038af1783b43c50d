//! DIRAC's configuration (`dirac.cfg`, the files of the Configuration Service), and DiracX: the environment of its
//! authentication service and the identity providers in its configuration.
//!
//! DIRAC is a client of the issuers in `/Resources/IdProviders`, and takes their tokens. Which computing elements get pilots
//! with tokens is a matter of their tag `Token` or `Token:VO`, compared with case. DiracX issues tokens of its own.

use super::client_form::{emit, product, tristate};
use super::configparser::is_blank;
use super::traps::Found;
use super::{Adapter, Kind, Reader, Sample, Sink, secret};
use crate::model::{At, Client, Field, Settings, State, Target, TargetKind, Trust};
use crate::parse::{Cursor, Document, Syntax};

/// The adapter.
pub(super) struct Dirac;

const CFG: &str = "dirac.cfg";
const X_ENV: &str = "diracx-env";
const X_CONFIG: &str = "diracx-config";

/// Top-level sections of DIRAC.
const SECTIONS: [&str; 8] =
    ["DIRAC", "Registry", "Resources", "Systems", "Operations", "LocalSite", "LocalInstallation", "DiracX"];

/// The environment of DiracX's authentication service.
const PREFIX: &str = "DIRACX_SERVICE_AUTH_";
/// Minutes that DiracX's tokens live where nothing else is set.
const ACCESS_MINUTES: i64 = 20;
const REFRESH_MINUTES: i64 = 60;

const COMMENT: &str = "dirac-comment-in-value";
const UNKNOWN_PROVIDER: &str = "dirac-unknown-provider";
const TOKEN_TAG: &str = "dirac-token-tag";
const ALGORITHMS: &str = "diracx-algorithms";

const NOT_HERE: &str = "DIRAC's configuration does not show it; look at the issuer's export";

impl Adapter for Dirac {
    fn kinds(&self) -> &'static [Kind] {
        &[
            Kind {
                name: CFG,
                doc: "DIRAC configuration (dirac.cfg): identity providers, and which computing elements get tokens",
                targets: &[TargetKind::Trust, TargetKind::Client, TargetKind::Trap],
            },
            Kind {
                name: X_ENV,
                doc: "environment of DiracX's services: the tokens it issues",
                targets: &[TargetKind::Settings, TargetKind::Trap],
            },
            Kind {
                name: X_CONFIG,
                doc: "DiracX configuration (YAML or JSON): the identity provider of each VO",
                targets: &[TargetKind::Trust, TargetKind::Client],
            },
        ]
    }

    fn syntax(&self, sample: &Sample<'_>) -> Option<Syntax> {
        let mut lines = sample.lines().peekable();
        let mut found = false;
        while let Some(line) = lines.next() {
            let name = line.strip_suffix('{').map(str::trim_end);
            let below = lines.peek().is_some_and(|next| *next == "{");
            found |= name.or(below.then_some(line)).is_some_and(|name| SECTIONS.contains(&name));
        }
        found.then_some(Syntax::Cfg)
    }

    fn recognise(&self, document: &Document) -> Option<&'static str> {
        let root = document.root();
        match document.syntax {
            Syntax::Cfg => Some(CFG),
            Syntax::Env => root.entries().any(|(name, _)| name.starts_with(PREFIX)).then_some(X_ENV),
            Syntax::Yaml | Syntax::Json => vos(root).next().map(|_| X_CONFIG),
            Syntax::Xml | Syntax::Jwt | Syntax::Ini(_) | Syntax::Words(_) => None,
        }
    }

    fn traps(&self) -> &'static [&'static str] {
        &[COMMENT, UNKNOWN_PROVIDER, TOKEN_TAG, ALGORITHMS]
    }

    fn adapt(&self, document: &Document, kind: &'static str, sink: &mut dyn Sink) {
        match kind {
            CFG => cfg(document.root(), sink),
            X_ENV => environment(document, sink),
            _ => {
                for (name, provider) in vos(document.root()) {
                    let entry = Entry { name, at: provider, issuer: "URL", client_id: "ClientID", product: "diracx" };
                    entry.targets(sink);
                }
            }
        }
    }
}

fn cfg(root: Cursor<'_>, sink: &mut dyn Sink) {
    let providers: Vec<(&str, Cursor<'_>)> = root
        .path(&["Resources", "IdProviders"])
        .map(|section| section.entries().filter(|(_, at)| at.is_map()).collect())
        .unwrap_or_default();
    for (name, at) in &providers {
        Entry { name, at: *at, issuer: "issuer", client_id: "client_id", product: "dirac" }.targets(sink);
        for key in ["issuer", "client_id", "scope", "ProviderType"] {
            if let Some(at) = at.get(key).filter(|at| at.as_str().is_some_and(|value| value.contains(" #"))) {
                Found::new("dirac", COMMENT, at, key).section(*name).tell(sink);
            }
        }
    }
    if let Some(key) = root.path(&["DiracX", "LegacyExchangeApiKey"]) {
        hide(key, sink);
    }
    secrets(root, sink);
    let vos = root.path(&["Registry", "VO"]).into_iter().flat_map(Cursor::entries);
    for (vo, section) in vos.filter(|_| !providers.is_empty()) {
        let Some(at) = section.get("IdProvider") else { continue };
        let name = at.as_str().unwrap_or_default();
        if !name.is_empty() && !providers.iter().any(|(known, _)| *known == name) {
            Found::new("dirac", UNKNOWN_PROVIDER, at, name).section(vo).tell(sink);
        }
    }
    if let Some(sites) = root.path(&["Resources", "Sites"]) {
        tags(sites, 0, sink);
    }
}

/// Masks the secrets of all sections.
fn secrets(root: Cursor<'_>, sink: &mut dyn Sink) {
    let mut open = vec![root];
    while let Some(section) = open.pop() {
        for (key, at) in section.entries() {
            if at.is_map() {
                open.push(at);
            } else if ["password", "client_secret"].iter().any(|secret| key.eq_ignore_ascii_case(secret)) {
                hide(at, sink);
            }
        }
    }
}

/// Masks a value, unless it is still to be filled in.
fn hide(at: Cursor<'_>, sink: &mut dyn Sink) {
    if at.scalar_text().is_some_and(|text| !is_open(text)) {
        sink.secret(at.document, at.id);
    }
}

/// DIRAC's example writes `type_client_id_here…` where a value is to be filled in.
fn is_open(text: &str) -> bool {
    is_blank(text) || text.starts_with("type_")
}

/// Tags of computing elements and queues that are nearly `Token`.
fn tags(section: Cursor<'_>, depth: usize, sink: &mut dyn Sink) {
    // Sites/<grid>/<site>/CEs/<ce>/Queues/<queue>
    if depth > 8 {
        return;
    }
    for at in section.items().filter(|at| at.is_map()) {
        tags(at, depth + 1, sink);
    }
    let tags = section.entries().filter(|(key, at)| *key == "Tag" && at.as_str().is_some());
    for (_, at) in tags {
        let words = at.as_str().unwrap_or_default().split(',').map(str::trim);
        let nearly = |word: &&str| {
            let head = word.split(':').next().unwrap_or_default().trim();
            let blank = word.contains(": ") || word.contains(" :");
            (head.eq_ignore_ascii_case("token") && (head != "Token" || blank)) || head.eq_ignore_ascii_case("tokens")
        };
        if let Some(word) = words.into_iter().find(nearly) {
            Found::new("dirac", TOKEN_TAG, at, word).section(section.key().unwrap_or_default()).tell(sink);
        }
    }
}

/// The identity providers of a DiracX configuration, by VO.
fn vos(root: Cursor<'_>) -> impl Iterator<Item = (&str, Cursor<'_>)> {
    let vos = root.get("Registry").into_iter().flat_map(Cursor::entries);
    vos.filter_map(|(name, vo)| {
        let provider = vo.get("IdP")?;
        (provider.has("URL") && provider.has("ClientID")).then_some((name, provider))
    })
}

/// An identity provider.
struct Entry<'d> {
    name: &'d str,
    at: Cursor<'d>,
    /// The keys it calls them by.
    issuer: &'static str,
    client_id: &'static str,
    product: &'static str,
}

impl<'d> Entry<'d> {
    fn text(&self, key: &str) -> Field<'d> {
        let field = Reader::new(self.at).filled(key);
        match field.as_text() {
            Some(text) if is_open(text) => Field::unknown("it is still to be filled in", field.at),
            Some(text) => match text.split_once(" #") {
                Some((bare, _)) => Field::text(bare.trim_end().to_string(), field.at),
                None => field,
            },
            None => field,
        }
    }

    fn targets(&self, sink: &mut dyn Sink) {
        let issuer = self.text(self.issuer);
        let trust = Trust {
            product: product(self.product),
            issuer: issuer.clone(),
            alias: Field::text(self.name, At::node(self.at.id)),
            active: Field::bool(true, None),
            ..Trust::default()
        };
        let at = At::node(self.at.id);
        let target = Target { identity: self.name.into(), at, ..Target::new(TargetKind::Trust, self.name, trust) };
        sink.target(&[self.at.document], target);
        let reader = Reader::new(self.at);
        let filled = reader.text("client_secret").as_text().is_some_and(|text| !is_open(text));
        let has_secret =
            if filled { secret::look(&reader, "client_secret", &[], sink).present } else { Field::default() };
        let unknown = || Field::unknown(NOT_HERE, None);
        let scopes = super::configparser::words(&reader, "scope", &[',', ' ']);
        let client = Client {
            client_id: self.text(self.client_id),
            issuer,
            product: product(self.product),
            redirect_uris: unknown(),
            grant_types: unknown(),
            auth_method: unknown(),
            scopes: match scopes.state {
                State::Absent => unknown(),
                _ => scopes,
            },
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
}

fn environment(document: &Document, sink: &mut dyn Sink) {
    let root = document.root();
    let reader = Reader::new(root);
    let key = |name: &str| format!("{PREFIX}{name}");
    let minutes = |name: &str, default: i64| {
        let field = reader.int_or_digits(&key(name)).or(Field::int(default, None));
        match field.as_int() {
            Some(minutes) => Field::int(minutes.saturating_mul(60), field.at),
            None => field,
        }
    };
    for (name, at) in root.entries() {
        let inline = name == key("TOKEN_KEYSTORE") && at.as_str().is_some_and(|value| value.contains('{'));
        if inline || name == key("STATE_KEY") || name == "DIRACX_LEGACY_EXCHANGE_HASHED_API_KEY" {
            hide(at, sink);
        }
    }
    let keystore = reader.filled(&key("TOKEN_KEYSTORE"));
    let settings = Settings {
        product: product("diracx"),
        issuer: reader.filled(&key("TOKEN_ISSUER")),
        lifetime_access_token: minutes("ACCESS_TOKEN_EXPIRE_MINUTES", ACCESS_MINUTES),
        lifetime_refresh_token: minutes("REFRESH_TOKEN_EXPIRE_MINUTES", REFRESH_MINUTES),
        keystore: match keystore.as_text() {
            Some(text) if text.contains('{') => Field::unknown("the keys stand in the variable itself", keystore.at),
            _ => keystore,
        },
        ..Settings::default()
    };
    let identity = settings.issuer.as_text().unwrap_or_default().to_string();
    let name = if identity.is_empty() { "DiracX".to_string() } else { identity.clone() };
    sink.target(&[document], Target { identity: identity.into(), ..Target::new(TargetKind::Settings, name, settings) });
    let Some(at) = root.get(&key("TOKEN_ALLOWED_ALGORITHMS")) else { return };
    let listed = at.as_str().and_then(|text| serde_json::from_str::<Vec<String>>(text).ok());
    let fit = |algorithm: &String| ["RS256", "ES256"].contains(&algorithm.as_str());
    if listed.is_some_and(|listed| !listed.is_empty() && !listed.iter().any(fit)) {
        Found::new("diracx", ALGORITHMS, at, key("TOKEN_ALLOWED_ALGORITHMS")).tell(sink);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapt::testing::{Collected, Got, collect_recognised, corpus};

    fn read(text: &str) -> Collected {
        collect_recognised(text)
    }

    fn of(collected: &Collected, kind: TargetKind) -> Vec<&Got> {
        collected.targets.iter().filter(|got| got.kind == kind).collect()
    }

    fn traps(collected: &Collected) -> Vec<(&str, &str)> {
        of(collected, TargetKind::Trap).iter().map(|got| (got.get("code"), got.get("name"))).collect()
    }

    const PROVIDERS: &str = "Resources\n{\n  IdProviders\n  {\n    vo\n    {\n      ProviderType = IAM\n      issuer = https://vo.example.org/\n      \
                             client_id = c1\n      client_secret = t-secret\n      scope = openid, offline_access\n    }\n  }\n}\n";

    #[test]
    fn identity_providers_are_trusted_issuers_and_clients() {
        let got = read(PROVIDERS);
        assert_eq!((got.kinds.as_slice(), got.errors.len()), (&[CFG][..], 0));
        let trust = of(&got, TargetKind::Trust)[0];
        assert_eq!((trust.get("issuer"), trust.get("alias")), ("https://vo.example.org/", "vo"));
        let client = of(&got, TargetKind::Client)[0];
        assert_eq!(client.identity, "https://vo.example.org/ c1");
        assert_eq!((client.get("scopes"), client.get("has_secret")), ("openid offline_access", "true"));
        assert!(got.secrets.contains(&"/Resources/IdProviders/vo/client_secret".to_string()));
        assert!(!got.secrets_expected);
    }

    #[test]
    fn what_dirac_reads_in_another_way_is_a_trap() {
        let registry = |name: &str| {
            format!("{PROVIDERS}Registry\n{{\n VO\n {{\n  vo\n  {{\n   IdProvider = {name}\n  }}\n }}\n}}\n")
        };
        let site = |tag: &str| {
            format!(
                "Resources\n{{\nSites\n{{\nG\n{{\nS\n{{\nCEs\n{{\nce.example.org\n{{\nTag = {tag}\n}}\n}}\n}}\n}}\n}}\n}}\n"
            )
        };
        for (text, expected, remark) in [
            (registry("vo"), vec![], "a known provider"),
            (registry("other"), vec![(UNKNOWN_PROVIDER, "other")], "an unknown one"),
            (registry("other").replace(PROVIDERS, ""), vec![], "providers are in another file"),
            (
                PROVIDERS.replace("https://vo.example.org/", "https://vo.example.org/ # IAM"),
                vec![(COMMENT, "issuer")],
                "a comment behind a value",
            ),
            (site("Token"), vec![], "all VOs"),
            (site("GPU, Token:lhcb"), vec![], "one VO"),
            (site("token"), vec![(TOKEN_TAG, "token")], "case"),
            (site("GPU,Token: lhcb"), vec![(TOKEN_TAG, "Token: lhcb")], "a blank"),
            (site("Tokens"), vec![(TOKEN_TAG, "Tokens")], "plural"),
            (site("MultiProcessor"), vec![], "another tag"),
        ] {
            assert_eq!(traps(&read(&text)), expected, "{remark}");
        }
    }

    #[test]
    fn diracx_says_how_long_its_tokens_live() {
        let got = read(
            "DIRACX_SERVICE_AUTH_TOKEN_ISSUER=https://diracx.example.org/\nDIRACX_SERVICE_AUTH_ACCESS_TOKEN_EXPIRE_MINUTES=600\n\
             DIRACX_SERVICE_AUTH_STATE_KEY=t-secret\nDIRACX_SERVICE_AUTH_TOKEN_KEYSTORE='{\"keys\": []}'\n\
             DIRACX_SERVICE_AUTH_TOKEN_ALLOWED_ALGORITHMS='[\"Ed25519\"]'\n",
        );
        assert_eq!((got.kinds.as_slice(), got.errors.len()), (&[X_ENV][..], 0));
        let settings = of(&got, TargetKind::Settings)[0];
        for (field, expected) in [
            ("issuer", "https://diracx.example.org/"),
            ("lifetimes.access_token", "36000"),
            ("lifetimes.refresh_token", "3600"),
            ("keystore", "unknown: the keys stand in the variable itself"),
        ] {
            assert_eq!(settings.get(field), expected, "{field}");
        }
        assert_eq!(got.secrets.len(), 2);
        assert_eq!(traps(&got), [(ALGORITHMS, "DIRACX_SERVICE_AUTH_TOKEN_ALLOWED_ALGORITHMS")]);
        let both = "DIRACX_SERVICE_AUTH_TOKEN_ALLOWED_ALGORITHMS=[\"RS256\",\"Ed25519\"]\nDIRACX_SERVICE_AUTH_TOKEN_ISSUER=x\n";
        assert_eq!(traps(&read(both)), []);
    }

    #[test]
    fn diracx_names_the_provider_of_each_vo() {
        let got = read(
            "Registry:\n  vo:\n    IdP:\n      URL: https://vo.example.org\n      ClientID: c1\n    DefaultGroup: g\n",
        );
        assert_eq!(got.kinds, [X_CONFIG]);
        assert_eq!(of(&got, TargetKind::Trust)[0].get("alias"), "vo");
        assert_eq!(of(&got, TargetKind::Client)[0].get("client_id"), "c1");
    }

    #[test]
    fn similar_files_are_left_alone() {
        for (text, remark) in [
            ("server\n{\n  listen = 80\n}\n", "another product's braces"),
            ("Resources:\n  - client_id: a\n", "YAML"),
            ("Registry:\n  vo: {}\n", "no provider"),
            ("DIRACX_CONFIG_BACKEND_URL=git+file:///x\n", "another part of DiracX"),
        ] {
            assert!(!read(text).kinds.iter().any(|kind| [CFG, X_ENV, X_CONFIG].contains(kind)), "{remark}");
        }
    }

    #[test]
    fn the_corpus_reads_as_a_person_reads_it() {
        let Some(text) = corpus("rp/118-dirac.cfg") else { return };
        let got = read(&text);
        assert_eq!((got.kinds.as_slice(), got.errors.len()), (&[CFG][..], 0), "{:?}", got.errors);
        let aliases: Vec<_> = of(&got, TargetKind::Trust).iter().map(|got| got.get("alias")).collect();
        assert_eq!(aliases, ["EGI_Checkin", "WLCG_IAM"]);
        assert_eq!(traps(&got), [(UNKNOWN_PROVIDER, "CheckIn")]);
    }
}
