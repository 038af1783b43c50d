//! OA4MP clients (CILogon, the SciTokens lightweight issuer, Pelican).
//!
//! The unit depends on the door: the registration protocol (RFC 7591) counts lifetimes in seconds, everything stored
//! (properties files, administrator's JSON) and the token configuration `cfg` in milliseconds. A refresh lifetime of 0
//! or none in a request means no refresh tokens, the opposite of INDIGO IAM; −1 means the server's maximum. Checked
//! against the OA4MP source of 2021.

use super::client_form::{absent, emit, emit_with, grant, holds, product, public_from};
use super::list::{has_any, has_text};
use super::{Adapter, Kind, Reader, Sink, rfc7591};
use crate::model::{Client, Field, TargetKind};
use crate::parse::{Cursor, Document, Syntax};

/// The adapter.
pub(super) struct Oa4mp;

const REQUEST: &str = "oa4mp-client-request";
const RESPONSE: &str = "oa4mp-client";
const CFG: &str = "oa4mp-client-cfg";
const API: &str = "oa4mp-client-api";
const STORED: &str = "oa4mp-client-stored";
const PROPERTIES: &str = "oa4mp-client-properties";

const TARGETS: &[TargetKind] = &[TargetKind::Client];

static KINDS: [Kind; 6] = [
    Kind { name: REQUEST, doc: "OA4MP: registration request (RFC 7591), lifetimes in seconds", targets: TARGETS },
    Kind { name: RESPONSE, doc: "OA4MP: registered client as the server answers (RFC 7592)", targets: TARGETS },
    Kind {
        name: CFG,
        doc: "OA4MP: a client's token configuration (`cfg`), lifetimes in milliseconds",
        targets: TARGETS,
    },
    Kind { name: API, doc: "OA4MP: command to the client management API", targets: TARGETS },
    Kind { name: STORED, doc: "OA4MP: stored client as JSON, lifetimes in milliseconds", targets: TARGETS },
    Kind {
        name: PROPERTIES,
        doc: "OA4MP: stored client as Java properties XML, lifetimes in milliseconds",
        targets: TARGETS,
    },
];

const SERVER_DEFAULT: &str = "the server's default applies, which is not in this file";
const SERVER_MAXIMUM: &str = "the server's maximum applies, which is not in this file";
const UNRELIABLE: &str = "some OA4MP versions answer with the refresh token lifetime in its place";
const SCRIPTED: &str = "a QDL script on the server decides";
const CFG_ONLY: &str = "a token configuration does not show it; look at the client's registration";
const NOT_SHOWN: &str = "the file does not show it";

/// Members of the registration protocol that only OA4MP has.
const EXTENSIONS: &[&str] = &["rt_lifetime", "at_lifetime", "strict_scopes", "proxy_limited", "public_client"];

fn is_cfg(at: Cursor<'_>) -> bool {
    at.get("tokens").is_some_and(|tokens| {
        ["access", "refresh", "identity"]
            .iter()
            .filter_map(|name| tokens.get(name))
            .any(|token| has_any(token, &["type", "lifetime", "templates", "qdl"]))
    })
}

fn is_registration(at: Cursor<'_>) -> bool {
    let scripted = || at.get("cfg").is_some_and(|cfg| is_cfg(cfg) || has_any(cfg, &["qdl", "claims"]));
    at.get("redirect_uris").is_some_and(Cursor::is_seq) && (has_any(at, EXTENSIONS) || scripted())
}

fn is_stored(at: Cursor<'_>) -> bool {
    has_text(at, "client_id")
        && at.has("callback_uri")
        && has_any(at, &["rt_lifetime", "at_lifetime", "public_client", "creation_ts", "strict_scopes"])
}

fn api_content(root: Cursor<'_>) -> Option<Cursor<'_>> {
    let api = root.get("api")?;
    let action = api.path(&["action", "type"])?.as_str()?;
    let content = api.get("content").filter(|content| content.is_map())?;
    (action == "client" && has_any(content, &["callback_uri", "scopes", "cfg"])).then_some(content)
}

impl Adapter for Oa4mp {
    fn kinds(&self) -> &'static [Kind] {
        &KINDS
    }

    fn recognise(&self, document: &Document) -> Option<&'static str> {
        let root = document.root();
        match document.syntax {
            Syntax::Xml => properties(document).map(|_| PROPERTIES),
            Syntax::Json | Syntax::Yaml | Syntax::Env | Syntax::Jwt => {
                if is_registration(root) && root.has("client_id") {
                    Some(RESPONSE)
                } else if is_registration(root) {
                    Some(REQUEST)
                } else if api_content(root).is_some() {
                    Some(API)
                } else if is_stored(root) {
                    Some(STORED)
                } else if is_cfg(root) {
                    Some(CFG)
                } else {
                    None
                }
            }
        }
    }

    fn adapt(&self, document: &Document, kind: &'static str, sink: &mut dyn Sink) {
        let root = document.root();
        match kind {
            REQUEST | RESPONSE => adapt_registration(root, kind == RESPONSE, sink),
            CFG => adapt_cfg(root, sink),
            API => {
                if let Some(content) = api_content(root) {
                    adapt_stored(Reader::new(content), true, sink);
                }
            }
            STORED => adapt_stored(Reader::new(root), false, sink),
            _ => {
                if let Some(map) = properties(document) {
                    adapt_properties(map, sink);
                }
            }
        }
    }
}

fn adapt_registration(at: Cursor<'_>, response: bool, sink: &mut dyn Sink) {
    let reader = Reader::new(at);
    let mut client: Client<'_> = rfc7591::client(reader, sink);
    client.product = product("oa4mp");
    let public = reader.bool("public_client");
    if public.as_bool() == Some(true) {
        client.auth_method = Field::text("none", public.at);
        client.public = public;
    } else if response && !reader.has("token_endpoint_auth_method") {
        client.auth_method = Field::unknown("the answer leaves out the authentication method", None);
        client.public = public_from(&client.auth_method);
    }
    let seconds = |name: &str| reader.int(name);
    refresh(&mut client, seconds("rt_lifetime"), reader.has("grant_types"), response);
    client.lifetime_access_token = match response {
        true => Field::unknown(UNRELIABLE, reader.at("at_lifetime")),
        false => access(seconds("at_lifetime")),
    };
    if let Some(cfg) = reader.map("cfg") {
        apply_cfg(&mut client, cfg);
    }
    emit(sink, at, client, "");
}

/// An access token lifetime in seconds; none, 0 and −1 are the server's default.
fn access(field: Field<'_>) -> Field<'_> {
    let at = field.at;
    field.or(Field::unknown(SERVER_DEFAULT, at)).map_int(|seconds, at| match seconds {
        1.. => Field::int(seconds, at),
        _ => Field::unknown(SERVER_DEFAULT, at),
    })
}

/// Refresh tokens, from their lifetime in seconds: none or 0 disables them, −1 is the server's maximum. An answer
/// that leaves the lifetime out says nothing.
fn refresh<'d>(client: &mut Client<'d>, lifetime: Field<'d>, grants_given: bool, silent_when_absent: bool) {
    let at = lifetime.at;
    let granted = holds(&client.grant_types, grant::REFRESH_TOKEN);
    (client.refresh_tokens, client.lifetime_refresh_token) = match lifetime.as_int() {
        Some(0) => (Field::bool(false, at), absent(at)),
        None if lifetime.is_absent() && !silent_when_absent => (Field::bool(false, at), absent(at)),
        None if lifetime.is_absent() => (Field::unknown(NOT_SHOWN, at), Field::unknown(NOT_SHOWN, at)),
        None => (Field::unknown(NOT_SHOWN, at), lifetime),
        Some(seconds) => {
            let lifetime = if seconds > 0 { lifetime } else { Field::unknown(SERVER_MAXIMUM, at) };
            match (granted, grants_given) {
                (Some(true), _) | (_, false) => (Field::bool(true, at), lifetime),
                // Whether the grant must be named, too, depends on the server's version and settings.
                _ => (Field::unknown("the grant types do not name refresh_token", client.grant_types.at), lifetime),
            }
        }
    };
    if !grants_given && client.refresh_tokens.as_bool() == Some(true) && granted == Some(false) {
        let mut items = client.grant_types.items().to_vec();
        items.push(Field::text(grant::REFRESH_TOKEN, at));
        client.grant_types = Field::list(items, client.grant_types.at);
    }
}

/// Milliseconds as whole seconds. Less than a second counts as one, so that a short lifetime never becomes 0.
fn from_millis(field: Field<'_>) -> Field<'_> {
    field.map_int(|millis, at| Field::int(if millis > 0 { (millis / 1000).max(1) } else { millis }, at))
}

/// What a client's token configuration says over its registration.
fn apply_cfg<'d>(client: &mut Client<'d>, cfg: Reader<'d>) {
    let tokens = cfg.map("tokens");
    let token = |name: &str| tokens.and_then(|tokens| tokens.map(name));
    let scripted = |token: Option<Reader<'d>>| {
        let script = token.and_then(|token| token.at("qdl")).or_else(|| cfg.at("qdl"));
        script.map(|at| Field::unknown(SCRIPTED, at))
    };
    let lifetime =
        |token: Option<Reader<'d>>| token.map(|token| from_millis(token.int("lifetime"))).unwrap_or_default();

    let access_token = token("access");
    let given = access(lifetime(access_token));
    match scripted(access_token) {
        Some(scripted) => client.lifetime_access_token = scripted,
        None if given.at.is_some() => client.lifetime_access_token = given,
        None => {}
    }
    let refresh_token = token("refresh");
    let given = lifetime(refresh_token);
    if client.refresh_tokens.as_bool() != Some(false) {
        match scripted(refresh_token) {
            Some(scripted) => client.lifetime_refresh_token = scripted,
            None if matches!(given.as_int(), Some(1..)) => client.lifetime_refresh_token = given,
            None => {}
        }
    }
    let given = lifetime(token("identity"));
    if matches!(given.as_int(), Some(1..)) {
        client.lifetime_id_token = given;
    }
    if let Some(token) = access_token {
        client.audience = token.text_or_texts("audience");
        client.issuer = token.filled("issuer");
    }
}

fn adapt_cfg(at: Cursor<'_>, sink: &mut dyn Sink) {
    let reader = Reader::new(at);
    let unknown = || Field::unknown(CFG_ONLY, None);
    let mut client = Client {
        name: Field::text("token configuration", None),
        product: product("oa4mp"),
        redirect_uris: unknown(),
        grant_types: unknown(),
        scopes: unknown(),
        auth_method: unknown(),
        public: unknown(),
        contacts: unknown(),
        pkce_method: unknown(),
        refresh_tokens: unknown(),
        lifetime_access_token: unknown(),
        lifetime_refresh_token: unknown(),
        lifetime_id_token: unknown(),
        active: Field::bool(true, None),
        ..Client::default()
    };
    apply_cfg(&mut client, reader);
    emit(sink, at, client, "");
}

/// The stored members, whether they stand in JSON or in a properties file.
struct Stored<'d> {
    client_id: Field<'d>,
    name: Field<'d>,
    callback_uri: Field<'d>,
    scopes: Field<'d>,
    home_url: Field<'d>,
    email: Field<'d>,
    public_client: Field<'d>,
    at_lifetime: Field<'d>,
    rt_lifetime: Field<'d>,
    creation_ts: Field<'d>,
}

fn adapt_stored(reader: Reader<'_>, command: bool, sink: &mut dyn Sink) {
    let stored = Stored::read(reader, reader.text_or_texts("callback_uri"), reader.text_or_texts("scopes"));
    let mut client = stored.client(command);
    if let Some(cfg) = reader.map("cfg") {
        apply_cfg(&mut client, cfg);
    }
    emit(sink, reader.cursor(), client, "");
}

impl<'d> Stored<'d> {
    fn read(reader: Reader<'d>, callback_uri: Field<'d>, scopes: Field<'d>) -> Self {
        Stored {
            client_id: reader.filled("client_id"),
            name: reader.filled("name"),
            callback_uri,
            scopes,
            home_url: reader.filled("home_url"),
            email: reader.filled("email"),
            public_client: reader.bool_or_text("public_client"),
            at_lifetime: reader.int_or_digits("at_lifetime"),
            rt_lifetime: reader.int_or_digits("rt_lifetime"),
            creation_ts: reader.date_time("creation_ts"),
        }
    }

    fn client(self, command: bool) -> Client<'d> {
        let public = match self.public_client.is_absent() {
            true if command => Field::bool(false, None),
            true => Field::unknown(NOT_SHOWN, None),
            false => self.public_client,
        };
        let auth_method = match public.as_bool() {
            Some(true) => Field::text("none", public.at),
            Some(false) => Field::unknown("OA4MP does not store how the client authenticates", None),
            None => Field::unknown(NOT_SHOWN, None),
        };
        let contacts = match self.email.is_absent() {
            true => self.email,
            false => Field::list(vec![self.email.clone()], self.email.at),
        };
        let mut client = Client {
            client_id: self.client_id,
            name: self.name,
            product: product("oa4mp"),
            redirect_uris: self.callback_uri,
            grant_types: super::client_form::default_list(&[grant::AUTHORIZATION_CODE]),
            scopes: self.scopes,
            client_uri: self.home_url,
            contacts,
            public,
            auth_method,
            active: Field::bool(true, None),
            created: self.creation_ts,
            lifetime_access_token: access(from_millis(self.at_lifetime)),
            lifetime_id_token: Field::unknown(SERVER_DEFAULT, None),
            ..Client::default()
        };
        refresh(&mut client, from_millis(self.rt_lifetime), false, false);
        client
    }
}

/// The members of a properties file: a mapping from key to text.
fn properties(document: &Document) -> Option<Cursor<'_>> {
    document.root().get("properties").filter(|map| document.syntax == Syntax::Xml && is_stored(*map))
}

/// A properties file: every value is text, lists and `cfg` are JSON text.
fn adapt_properties(map: Cursor<'_>, sink: &mut dyn Sink) {
    let reader = Reader::new(map);
    let mut nested: Vec<(&str, Document)> = Vec::new();
    for name in ["callback_uri", "scopes", "cfg"] {
        let Some(member) = map.get(name) else { continue };
        // A single value may stand there as plain text.
        if !member.as_str().is_some_and(|text| text.trim_start().starts_with(['[', '{'])) {
            continue;
        }
        match map.document.nested_json(member.id) {
            Ok(document) => nested.push((name, document)),
            Err(error) => sink.error(map.document, member.id, error.message),
        }
    }
    let inner = |name: &str| {
        let index = nested.iter().position(|(nested, _)| *nested == name)?;
        Some(Reader::of_document(nested[index].1.root(), u8::try_from(index + 1).ok()?))
    };
    let list = |name: &str| match inner(name) {
        Some(inner) => inner.items(inner.cursor()),
        None => reader.text_or_texts(name),
    };
    let mut client = Stored::read(reader, list("callback_uri"), list("scopes")).client(false);
    if let Some(cfg) = inner("cfg") {
        apply_cfg(&mut client, cfg);
    }
    let documents: Vec<&Document> = nested.iter().map(|(_, document)| document).collect();
    emit_with(sink, map, &documents, client, "");
}
