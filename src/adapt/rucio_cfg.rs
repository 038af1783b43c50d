//! `rucio.cfg` of servers and clients, and the same settings as Helm values of Rucio's charts.
//!
//! Python's `configparser` reads the file: keys have no case, section names do, and there is no comment behind a value. Of a
//! token Rucio demands every audience and every scope that is configured (the lists are split at blanks), and which issuers
//! it trusts stands in the file that `idpsecrets` names. Read in Rucio's source as of April 2026.

use super::client_form::product;
use super::configparser::{is_blank, key_of, misspelt, sections, text, words};
use super::traps::Found;
use super::workload::image_parts;
use super::{Adapter, Kind, Reader, Sample, Sink, secret};
use crate::model::{At, Field, Service, State, Target, TargetKind};
use crate::parse::ini::IniDialect;
use crate::parse::{Cursor, Document, Syntax};

/// The adapter.
pub(super) struct RucioCfg;

const KIND: &str = "rucio.cfg";
const HELM: &str = "rucio-helm-values";
const PRODUCT: &str = "rucio";
const SYNTAX: Syntax = Syntax::Ini(IniDialect::ConfigParser);

/// What is in the lists when they are not set.
const AUDIENCE: &str = "rucio";
const SCOPES: [&str; 2] = ["openid", "profile"];
const MIN_LIFETIME: i64 = 300;
const MAX_LIFETIME: i64 = 21_600;

const OIDC_KEYS: [&str; 9] = [
    "idpsecrets",
    "admin_issuer",
    "expected_audience",
    "expected_scope",
    "token_min_lifetime",
    "token_max_lifetime",
    "exchange_grant_type",
    "default_jwt_refresh_lifetime",
    "supports_audience",
];
const CLIENT_KEYS: [&str; 11] = [
    "auth_type",
    "auth_host",
    "rucio_host",
    "auth_token_file_path",
    "auth_oidc_refresh_active",
    "auth_oidc_refresh_before_exp",
    "oidc_audience",
    "oidc_issuer",
    "oidc_polling",
    "oidc_refresh_lifetime",
    "oidc_scope",
];
/// Keys whose values are secrets, in any section.
const SECRETS: [&str; 4] = ["password", "userpass_pwd", "secret_key", "access_key"];

const KEY_IGNORED: &str = "rucio-key-ignored";
const COMMENT: &str = "rucio-comment-in-value";
const LIST: &str = "rucio-list";
const LIFETIMES: &str = "rucio-token-lifetimes";
const NO_ISSUERS: &str = "rucio-no-issuers";

impl Adapter for RucioCfg {
    fn kinds(&self) -> &'static [Kind] {
        &[
            Kind {
                name: KIND,
                doc: "rucio.cfg of a Rucio server, daemon or client",
                targets: &[TargetKind::Service, TargetKind::Trap],
            },
            Kind {
                name: HELM,
                doc: "Helm values (or a Flux HelmRelease) of a Rucio chart, with the settings of rucio.cfg below config",
                targets: &[TargetKind::Service, TargetKind::Trap],
            },
        ]
    }

    fn syntax(&self, sample: &Sample<'_>) -> Option<Syntax> {
        let mut section = "";
        let mut found = false;
        for line in sample.lines() {
            if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
                section = name.0;
            }
            let key = key_of(line).unwrap_or_default().to_ascii_lowercase();
            found |= match section.to_ascii_lowercase().as_str() {
                "oidc" => ["idpsecrets", "admin_issuer", "expected_audience"].contains(&key.as_str()),
                "client" => key == "rucio_host",
                _ => false,
            };
        }
        found.then_some(SYNTAX)
    }

    fn recognise(&self, document: &Document) -> Option<&'static str> {
        let root = document.root();
        if document.syntax == SYNTAX {
            let own = |section: &str, keys: &[&str]| {
                let found = sections(root).filter(|(name, _)| name.eq_ignore_ascii_case(section));
                found.into_iter().any(|(_, at)| keys.iter().any(|key| at.has(key)))
            };
            return (own("oidc", &OIDC_KEYS[..3]) || own("client", &["rucio_host"])).then_some(KIND);
        }
        let oidc = values(root).and_then(|values| values.path(&["config", "oidc"]))?;
        OIDC_KEYS[..3].iter().any(|key| oidc.has(key)).then_some(HELM)
    }

    fn traps(&self) -> &'static [&'static str] {
        &[KEY_IGNORED, COMMENT, LIST, LIFETIMES, NO_ISSUERS]
    }

    fn adapt(&self, document: &Document, kind: &'static str, sink: &mut dyn Sink) {
        let root = document.root();
        let values = values(root).filter(|_| kind == HELM);
        let config = values.and_then(|values| values.get("config")).unwrap_or(root);
        if let Some(oidc) = config.get("oidc") {
            service(document, values, config, oidc, sink);
        }
        for (name, section) in sections(config) {
            secrets(section, sink);
            section_traps(name, section, kind, sink);
        }
    }
}

/// The values of a chart: the file itself, or what a HelmRelease gives.
fn values(root: Cursor<'_>) -> Option<Cursor<'_>> {
    match root.get("kind").and_then(Cursor::as_str) {
        Some("HelmRelease") => root.path(&["spec", "values"]),
        Some(_) => None,
        None => Some(root),
    }
}

fn service<'d>(
    document: &Document,
    values: Option<Cursor<'d>>,
    config: Cursor<'d>,
    oidc: Cursor<'d>,
    sink: &mut dyn Sink,
) {
    let reader = Reader::new(oidc);
    let list = |key, default: &[&'static str]| {
        let default = || Field::list(default.iter().map(|word| Field::text(*word, None)).collect(), None);
        words(&reader, key, &[' ']).or_else(default)
    };
    let audiences = list("expected_audience", &[AUDIENCE]);
    let scopes = list("expected_scope", &SCOPES);
    let idpsecrets = text(&reader, "idpsecrets");
    let tokens = match (&idpsecrets.state, values) {
        (State::Absent, None) => Field::bool(false, None),
        (State::Absent, Some(_)) => Field::unknown("the values name no file of issuers; another part may", None),
        _ => Field::bool(true, idpsecrets.at),
    };
    let log_level = config.get("common").map(|common| text(&Reader::new(common), "loglevel")).unwrap_or_default();
    let files = idpsecrets.as_text().map(|_| Field::list(vec![idpsecrets.clone()], idpsecrets.at));
    let service = Service {
        product: product(PRODUCT),
        version: values.and_then(version).unwrap_or_default(),
        tokens,
        audience_checked: match audiences.items().is_empty() {
            // An empty list demands nothing.
            true if matches!(audiences.state, State::Value(_)) => Field::bool(false, audiences.at),
            _ => Field::bool(true, None),
        },
        audiences,
        scopes,
        any_issuer: Field::bool(false, None),
        // Certificates, passwords and Rucio's own tokens open the same doors.
        without_token: Field::text("passthrough", None),
        log_level,
        files: files.unwrap_or_default(),
        ..Service::default()
    };
    let target = Target { at: At::node(oidc.id), ..Target::new(TargetKind::Service, "Rucio server", service) };
    sink.target(&[document], target);
    oidc_traps(&reader, values.is_some(), sink);
}

/// The version that the tag of Rucio's image names (`release-35.8.0`).
fn version(values: Cursor<'_>) -> Option<Field<'_>> {
    let image = values.get("image")?;
    let repository = image.get("repository")?.as_str()?;
    let at = image.get("tag")?;
    let own = image_parts(repository).0.rsplit('/').next()?.starts_with("rucio-");
    let tag = at.scalar_text()?.trim_start_matches("release-");
    (own && tag.starts_with(|c: char| c.is_ascii_digit())).then(|| Field::text(tag, At::node(at.id)))
}

/// Masks passwords, also the one in the address of the database.
fn secrets(section: Cursor<'_>, sink: &mut dyn Sink) {
    let reader = Reader::new(section);
    for key in SECRETS {
        if reader.any_text(key).as_text().is_some_and(|text| !is_blank(text)) {
            secret::look(&reader, key, &[], sink);
        }
    }
    let address = section.get("default").filter(|_| section.key() == Some("database"));
    let password = |text: &str| {
        let user = text.split_once("://").and_then(|(_, rest)| rest.split_once('@')).map(|(user, _)| user);
        user.and_then(|user| user.split_once(':')).is_some_and(|(_, password)| !is_blank(password))
    };
    if let Some(at) = address.filter(|at| at.as_str().is_some_and(password)) {
        sink.secret(at.document, at.id);
    }
}

fn oidc_traps(oidc: &Reader<'_>, part: bool, sink: &mut dyn Sink) {
    let at = oidc.cursor();
    let seconds = |key: &str, default: i64| oidc.int_or_digits(key).or(Field::int(default, None)).as_int();
    let (least, most) = (seconds("token_min_lifetime", MIN_LIFETIME), seconds("token_max_lifetime", MAX_LIFETIME));
    let named = ["token_min_lifetime", "token_max_lifetime"].into_iter().find_map(|key| Some((key, at.get(key)?)));
    if let (Some(least), Some(most), Some((key, at))) = (least, most, named)
        && least >= most
    {
        let effect = format!("a token is used again while {least} seconds are left, and forgotten after {most}");
        Found::new(PRODUCT, LIFETIMES, at, key).section("oidc").effect(effect).tell(sink);
    }
    for key in ["expected_audience", "expected_scope"] {
        let Some((value, at)) = at.get(key).and_then(|at| Some((at.as_str()?, at))) else { continue };
        let effect = if value.contains([',', ';']) {
            "blanks separate its words, so a comma or semicolon belongs to one of them"
        } else if key == "expected_audience" && value.split_whitespace().count() > 1 {
            "a token has to name every one of them, not one of them"
        } else {
            continue;
        };
        Found::new(PRODUCT, LIST, at, key).section("oidc").effect(effect).tell(sink);
    }
    let first = OIDC_KEYS.iter().find_map(|key| at.get(key));
    // Python refuses a file with a section twice, so the one does not hide what the other says.
    let mut twins = sections(at.document.root()).filter(|(name, _)| *name == "oidc");
    let named = at.has("idpsecrets") || twins.any(|(_, section)| section.has("idpsecrets"));
    if let (false, false, Some(first)) = (part, named, first) {
        Found::new(PRODUCT, NO_ISSUERS, first, "idpsecrets").section("oidc").tell(sink);
    }
}

fn section_traps(name: &str, section: Cursor<'_>, kind: &'static str, sink: &mut dyn Sink) {
    let known: &[&str] = match name {
        "oidc" => &OIDC_KEYS,
        "client" => &CLIENT_KEYS,
        _ => {
            let meant = ["oidc", "client", "conveyor"].into_iter().find(|known| known.eq_ignore_ascii_case(name));
            if let Some(meant) = meant.filter(|meant| *meant != name) {
                let effect = format!("the section is called [{meant}], in small letters");
                Found::new(PRODUCT, KEY_IGNORED, section, format!("[{name}]")).effect(effect).tell(sink);
            }
            return;
        }
    };
    for (key, at) in section.entries().take(2000) {
        if let Some(meant) = misspelt(key, known) {
            let effect = format!("{meant} is what it reads");
            Found::new(PRODUCT, KEY_IGNORED, at, key).section(name).effect(effect).tell(sink);
        }
        let comment = |text: &str| text.contains(" #") || text.contains(" ;") || text.contains("\t#");
        if kind == KIND && known.contains(&key) && at.as_str().is_some_and(comment) {
            Found::new(PRODUCT, COMMENT, at, key).section(name).tell(sink);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapt::testing::{Collected, Got, collect_recognised, corpus};

    fn read(text: &str) -> Collected {
        collect_recognised(text)
    }

    fn traps(collected: &Collected) -> Vec<(&str, &str)> {
        let traps = collected.targets.iter().filter(|got| got.kind == TargetKind::Trap);
        traps.map(|got| (got.get("code"), got.get("name"))).collect()
    }

    fn service(collected: &Collected) -> &Got {
        collected.targets.iter().find(|got| got.kind == TargetKind::Service).expect("a service")
    }

    #[test]
    fn a_server_demands_what_is_expected() {
        for (text, audiences, tokens, remark) in [
            ("[oidc]\nidpsecrets = /x.json\n", "rucio", "true", "default"),
            (
                "[oidc]\nidpsecrets: /x.json\nExpected_Audience = https://rucio.example.org\n",
                "https://rucio.example.org",
                "true",
                "no case",
            ),
            ("[oidc]\nadmin_issuer = vo\n", "rucio", "false", "no file of issuers"),
            (
                "[oidc]\nidpsecrets = ${FILE}\nexpected_audience = %(aud)s\n",
                "unknown: a template placeholder stands in its place",
                "true",
                "interpolated",
            ),
        ] {
            let got = read(text);
            assert_eq!((got.kinds.as_slice(), got.errors.len()), (&[KIND][..], 0), "{remark}");
            assert_eq!((service(&got).get("audiences"), service(&got).get("tokens")), (audiences, tokens), "{remark}");
        }
        let got = read("[client]\nrucio_host = https://r.example.org\nauth_type = oidc\n");
        assert_eq!((got.kinds.as_slice(), got.targets.len()), (&[KIND][..], 0), "a client accepts no tokens");
    }

    #[test]
    fn helm_values_hold_the_same_settings() {
        for text in [
            "image: {repository: rucio/rucio-server, tag: release-35.8.0}\nconfig:\n  oidc:\n    admin_issuer: vo\n    expected_audience: rucio\n",
            "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nspec:\n  values:\n    image:\n      repository: r.example.org/rucio-server\n      tag: 35.8.0\n    config:\n      oidc:\n        admin_issuer: vo\n        expected_audience: rucio\n",
        ] {
            let got = read(text);
            assert_eq!((got.kinds.as_slice(), got.errors.len()), (&[HELM][..], 0), "{text}");
            let service = service(&got);
            assert_eq!((service.get("version"), service.get("audiences")), ("35.8.0", "rucio"));
            assert!(service.get("tokens").starts_with("unknown"), "another part of the values may name the file");
            assert_eq!(traps(&got), []);
        }
    }

    #[test]
    fn what_rucio_does_not_read_is_a_trap() {
        for (text, expected, remark) in [
            ("[oidc]\nidpsecrets=/x\nexpected_audiences=a\n", vec![(KEY_IGNORED, "expected_audiences")], "plural"),
            (
                "[client]\nrucio_host=h\nauth_oidc_refresh_activate=true\n",
                vec![(KEY_IGNORED, "auth_oidc_refresh_activate")],
                "nearly",
            ),
            ("[client]\nrucio_host=h\nca_cert=c\naccount=a\n", vec![], "other keys are left alone"),
            ("[OIDC]\nidpsecrets=/x\n", vec![(KEY_IGNORED, "[OIDC]")], "sections have case"),
            (
                "[oidc]\nidpsecrets=/x\nexpected_audience=rucio # ours\n",
                vec![(LIST, "expected_audience"), (COMMENT, "expected_audience")],
                "comment",
            ),
            ("[oidc]\nidpsecrets=/x\nexpected_audience=a,b\n", vec![(LIST, "expected_audience")], "comma"),
            ("[oidc]\nidpsecrets=/x\nexpected_audience=a b\n", vec![(LIST, "expected_audience")], "both are demanded"),
            ("[oidc]\nidpsecrets=/x\nexpected_scope=openid profile\n", vec![], "several scopes are usual"),
            (
                "[oidc]\nidpsecrets=/x\ntoken_min_lifetime=3600\ntoken_max_lifetime=3600\n",
                vec![(LIFETIMES, "token_min_lifetime")],
                "swapped",
            ),
            ("[oidc]\nidpsecrets=/x\ntoken_min_lifetime=60\n", vec![], "below the default of the other"),
            ("[oidc]\nexpected_audience=rucio\n", vec![(NO_ISSUERS, "idpsecrets")], "no issuers"),
            (
                "[oidc]\nidpsecrets=/x\n[oidc]\nexpected_audience=rucio\n",
                vec![],
                "issuers in a section of the same name",
            ),
        ] {
            assert_eq!(traps(&read(text)), expected, "{remark}");
        }
    }

    #[test]
    fn passwords_are_masked() {
        let got = read(
            "[client]\nrucio_host=h\npassword=t-secret\n[database]\ndefault = postgresql://rucio:t-secret@db.example.org/rucio\n\
             [messaging-hermes]\npassword=REDACTED\n",
        );
        assert_eq!(got.secrets, ["/client/password", "/database/default"]);
        assert!(!got.secrets_expected);
        assert!(read("[oidc]\nidpsecrets=/x\n[database]\ndefault = sqlite:////tmp/r.db\n").secrets.is_empty());
    }

    #[test]
    fn similar_files_are_left_alone() {
        for (text, remark) in [
            ("[client]\nhost = a\n", "some client"),
            ("[oidc]\nissuer = https://a.example/\n", "some service"),
            ("kind: Deployment\nconfig:\n  oidc:\n    admin_issuer: a\n", "another object"),
        ] {
            assert!(!read(text).kinds.iter().any(|kind| [KIND, HELM].contains(kind)), "{remark}");
        }
    }

    #[test]
    fn the_corpus_reads_as_a_person_reads_it() {
        for (file, kind, audiences) in [
            ("rp/043-rucio.cfg.template", KIND, "rucio"),
            ("rp/048-vre-rucio-servers.yaml", HELM, "rucio"),
            ("rp/051-cms-rucio-authserver.yaml", HELM, "rucio"),
        ] {
            let Some(text) = corpus(file) else { return };
            let got = read(&text);
            assert_eq!((got.kinds.as_slice(), service(&got).get("audiences")), (&[kind][..], audiences), "{file}");
        }
    }
}
