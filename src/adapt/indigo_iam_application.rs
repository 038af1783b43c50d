//! INDIGO IAM's Spring configuration: `application.yml`, `application-<profile>.yml`, and the test client's file.

use super::indigo_iam::{Given, Unset, is_server_key, uniform};
use super::{Adapter, Kind, Sink};
use crate::model::{At, Field, Settings, Target, TargetKind};
use crate::parse::{Cursor, Data, Document, Syntax};
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
        let reads_env = |(_, value): &(String, Cursor)| value.as_str().is_some_and(|text| text.contains("${IAM_"));
        let own = given.iter().filter(|(id, _)| is_server_key(id)).count();
        let matchers = root.path(&["scope", "matchers"]).is_some_and(Cursor::is_seq);
        (own >= 2 || matchers || given.iter().any(reads_env)).then_some(SERVER)
    }

    fn adapt(&self, document: &Document, kind: &'static str, sink: &mut dyn Sink) {
        let mut given = Given::new(None);
        flatten(document.root(), "", "", &mut |name, id, value| {
            given.file(Cow::Owned(name), id, value.scalar_text().map(Cow::Borrowed), At::node(value.id));
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
        sink.target(&[document], Target { identity, ..Target::new(TargetKind::Settings, name, settings) });
    }
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
