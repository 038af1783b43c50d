//! OA4MP clients (CILogon, the SciTokens lightweight issuer, Pelican).
//!
//! The unit depends on the door: the registration protocol (RFC 7591) counts lifetimes in seconds, everything stored
//! (properties files, administrator's JSON) and the token configuration `cfg` in milliseconds. A refresh lifetime of 0
//! or none in a request means no refresh tokens, the opposite of INDIGO IAM; −1 means the server's maximum. Checked
//! against the OA4MP source of 2021.

use super::client_form::{absent, emit, emit_with, grant, holds, product, public_from};
use super::list::{has_any, has_text};
use super::{Adapter, Kind, Reader, Sink, oa4mp_cfg, rfc7591};
use crate::model::{At, Client, Field, TargetKind};
use crate::parse::{Cursor, Document, Syntax};

/// The adapter.
pub(super) struct Oa4mp;

const REQUEST: &str = "oa4mp-client-request";
const RESPONSE: &str = "oa4mp-client";
const API: &str = "oa4mp-client-api";
const STORED: &str = "oa4mp-client-stored";
const PROPERTIES: &str = "oa4mp-client-properties";

const TARGETS: &[TargetKind] = &[TargetKind::Client, TargetKind::KeySet, TargetKind::Key];

static KINDS: [Kind; 5] = [
    Kind { name: REQUEST, doc: "OA4MP: registration request (RFC 7591), lifetimes in seconds", targets: TARGETS },
    Kind { name: RESPONSE, doc: "OA4MP: registered client as the server answers (RFC 7592)", targets: TARGETS },
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
            Syntax::Ini(_) | Syntax::Words(_) | Syntax::Cfg => None,
            Syntax::Json | Syntax::Yaml | Syntax::Env | Syntax::Jwt => {
                if is_registration(root) {
                    Some(if root.has("client_id") { RESPONSE } else { REQUEST })
                } else if api_content(root).is_some() {
                    Some(API)
                } else if is_stored(root) {
                    Some(STORED)
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
            let lifetime = or_server_maximum(seconds, at);
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

/// What a client's token configuration says over its registration. Scripts on the server decide over both.
fn apply_cfg<'d>(client: &mut Client<'d>, cfg: Reader<'d>) {
    let tokens = cfg.map("tokens");
    let set = |name: &str| {
        let handler = tokens.and_then(|tokens| tokens.map(name));
        match (handler, cfg.at("qdl")) {
            (Some(handler), _) if handler.has("lifetime") || oa4mp_cfg::scripted(&handler).is_some() => {
                Some(oa4mp_cfg::lifetime(&handler))
            }
            (_, Some(script)) => Some(Field::unknown("a QDL script decides it when the token is made", script)),
            _ => None,
        }
    };
    if let Some(lifetime) = set("access") {
        client.lifetime_access_token = access(lifetime);
    }
    if let Some(lifetime) = set("refresh").filter(|_| client.refresh_tokens.as_bool() != Some(false)) {
        client.lifetime_refresh_token = lifetime.map_int(or_server_maximum);
    }
    if let Some(lifetime) = set("identity") {
        client.lifetime_id_token = access(lifetime);
    }
    if let Some(token) = tokens.and_then(|tokens| tokens.map("access")) {
        client.audience = token.text_or_texts("audience");
        client.issuer = token.filled("issuer");
        client.token_profile = token.filled("type");
    }
}

fn or_server_maximum<'d>(seconds: i64, at: Option<At>) -> Field<'d> {
    if seconds > 0 { Field::int(seconds, at) } else { Field::unknown(SERVER_MAXIMUM, at) }
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

#[cfg(test)]
mod tests {
    use crate::adapt::testing::{Collected, collect, corpus};
    use crate::parse::Syntax;

    fn read(text: &str) -> Collected {
        collect(text, Syntax::Json)
    }

    #[test]
    fn lifetimes_of_a_request_are_seconds_and_zero_disables_refresh_tokens() {
        for (members, access, refresh, tokens, remark) in [
            (r#""at_lifetime": 1009, "rt_lifetime": 1000000"#, "1009", "1000000", "true", "both set"),
            (r#""at_lifetime": 1009, "rt_lifetime": 0"#, "1009", "", "false", "0: no refresh tokens"),
            (r#""at_lifetime": 1009"#, "1009", "", "false", "absent: no refresh tokens"),
            (
                r#""at_lifetime": -1, "rt_lifetime": -1"#,
                "unknown: the server's default",
                "unknown: the server's maximum",
                "true",
                "-1",
            ),
            (r#""strict_scopes": false"#, "unknown: the server's default", "", "false", "neither"),
        ] {
            let got = read(&format!(r#"{{"redirect_uris": ["https://a.example/cb"], "client_name": "n", {members}}}"#));
            assert_eq!(got.kinds, ["oa4mp-client-request"], "{remark}");
            let client = &got.targets[0];
            for (field, expected) in
                [("lifetimes.access_token", access), ("lifetimes.refresh_token", refresh), ("refresh_tokens", tokens)]
            {
                let value = client.get(field);
                assert!(
                    value == expected
                        || (!expected.is_empty() && value.starts_with(expected) && value.starts_with("unknown")),
                    "{remark}: {field} = {value}"
                );
            }
            let grants = if tokens == "true" { "authorization_code refresh_token" } else { "authorization_code" };
            assert_eq!(client.get("grant_types"), grants, "{remark}");
        }
    }

    #[test]
    fn an_answer_is_not_trusted_for_access_tokens_nor_for_what_it_leaves_out() {
        let got = read(r#"{"client_id": "c", "redirect_uris": [], "at_lifetime": 1000000, "rt_lifetime": 1000000}"#);
        assert_eq!(got.kinds, ["oa4mp-client"]);
        assert!(got.targets[0].get("lifetimes.access_token").starts_with("unknown: some OA4MP versions"));
        assert_eq!(got.targets[0].get("lifetimes.refresh_token"), "1000000");
        assert!(got.targets[0].get("public").starts_with("unknown: "));
        let silent = read(r#"{"client_id": "c", "redirect_uris": [], "strict_scopes": true}"#);
        assert!(silent.targets[0].get("lifetimes.refresh_token").starts_with("unknown: "));
        assert!(silent.targets[0].get("refresh_tokens").starts_with("unknown: "));
    }

    #[test]
    fn the_token_configuration_counts_milliseconds_and_scripts_decide() {
        let with_cfg = |cfg: &str| {
            read(&format!(r#"{{"redirect_uris": [], "at_lifetime": 900, "rt_lifetime": 86400, "cfg": {cfg}}}"#))
                .targets
                .remove(0)
        };
        let set = with_cfg(
            r#"{"tokens": {"access": {"type": "wlcg", "lifetime": 7200000, "audience": "ANY"}, "refresh": {"lifetime": 3600000}}}"#,
        );
        assert_eq!(set.get("lifetimes.access_token"), "7200");
        assert_eq!(set.pointers["lifetimes.access_token"], "/cfg/tokens/access/lifetime");
        assert_eq!(set.get("lifetimes.refresh_token"), "3600");
        assert_eq!(set.get("audience"), "ANY");
        let silent = with_cfg(r#"{"tokens": {"access": {"type": "wlcg"}}}"#);
        assert_eq!(silent.get("lifetimes.access_token"), "900", "the registration's");
        for scripted in [r#"{"tokens": {"access": {"type": "wlcg", "qdl": {"load": "x"}}}}"#, r#"{"qdl": ["a"]}"#] {
            assert!(
                with_cfg(scripted).get("lifetimes.access_token").starts_with("unknown: a QDL script"),
                "{scripted}"
            );
        }
    }

    #[test]
    fn stored_clients_count_milliseconds() {
        let got = collect(
            r#"<?xml version="1.0"?>
<properties>
  <entry key="client_id">localhost:one</entry>
  <entry key="name">One</entry>
  <entry key="callback_uri">["https://a.example/ready", "https://b.example/ready"]</entry>
  <entry key="scopes">["openid", "wlcg"]</entry>
  <entry key="at_lifetime">900000</entry>
  <entry key="rt_lifetime">1209600000</entry>
  <entry key="public_client">true</entry>
  <entry key="email">someone@example.org</entry>
  <entry key="creation_ts">1970-01-01T00:01:00.500Z</entry>
  <entry key="cfg">{"tokens": {"access": {"type": "sci_token", "audience": "ANY", "lifetime": 600000}}}</entry>
</properties>"#,
            Syntax::Xml,
        );
        assert_eq!(got.kinds, ["oa4mp-client-properties"]);
        let client = &got.targets[0];
        for (field, expected) in [
            ("client_id", "localhost:one"),
            ("redirect_uris", "https://a.example/ready https://b.example/ready"),
            ("scopes", "openid wlcg"),
            ("lifetimes.access_token", "600"),
            ("lifetimes.refresh_token", "1209600"),
            ("refresh_tokens", "true"),
            ("public", "true"),
            ("token_endpoint_auth_method", "none"),
            ("contacts", "someone@example.org"),
            ("created", "60"),
            ("audience", "ANY"),
        ] {
            assert_eq!(client.get(field), expected, "{field}");
        }
        assert_eq!(client.pointers["lifetimes.access_token"], "(3)/tokens/access/lifetime");
        let json =
            read(r#"{"client_id": "c", "callback_uri": ["https://a.example/"], "rt_lifetime": 0, "at_lifetime": 250}"#);
        assert_eq!(json.kinds, ["oa4mp-client-stored"]);
        assert_eq!(json.targets[0].get("lifetimes.access_token"), "1", "a quarter of a second is not 0");
        assert_eq!(json.targets[0].get("refresh_tokens"), "false");
    }

    #[test]
    fn a_broken_cfg_is_reported_and_the_rest_is_read() {
        let got = collect(
            r#"<properties><entry key="client_id">c</entry><entry key="callback_uri">https://a.example/</entry>
               <entry key="rt_lifetime">-1</entry><entry key="cfg">{"tokens": </entry></properties>"#,
            Syntax::Xml,
        );
        assert_eq!(got.errors.len(), 1);
        assert!(got.errors[0].starts_with("/properties/cfg: "), "{:?}", got.errors);
        assert_eq!(got.targets[0].get("redirect_uris"), "https://a.example/");
        assert!(got.targets[0].get("lifetimes.refresh_token").starts_with("unknown: the server's maximum"));
    }

    #[test]
    fn near_misses_are_left_to_others() {
        for (text, syntax) in [
            (r#"{"redirect_uris": ["https://a.example/"], "client_name": "n"}"#, Syntax::Json),
            (r#"{"tokens": ["a"]}"#, Syntax::Json),
            (r#"{"client_id": "c", "callback_uri": "https://a.example/"}"#, Syntax::Json),
            (r#"<properties><entry key="database.url">x</entry></properties>"#, Syntax::Xml),
            (r#"<config><service name="x"/></config>"#, Syntax::Xml),
        ] {
            let kinds = collect(text, syntax).kinds;
            assert!(kinds.iter().all(|kind| !kind.starts_with("oa4mp")), "{text}: {kinds:?}");
        }
    }

    #[test]
    fn the_corpus_reads_as_a_person_reads_it() {
        for (file, syntax, kind, access, refresh) in [
            ("76-oa4mp-oidc-cm-create.json", Syntax::Json, "oa4mp-client-request", "1009", "1000000"),
            ("77-oa4mp-oidc-cm-create-public.json", Syntax::Json, "oa4mp-client-request", "900", "2592000"),
            ("79-oa4mp-oidc-cm-create-extra.json", Syntax::Json, "oa4mp-client-request", "unknown", ""),
            ("80-oa4mp-oidc-cm-output.json", Syntax::Json, "oa4mp-client", "unknown", "1000000"),
            ("84-oa4mp-client-api-create.json", Syntax::Json, "oa4mp-client-api", "unknown", ""),
            (
                "86-lightweight-issuer-client-template.properties.xml",
                Syntax::Xml,
                "oa4mp-client-properties",
                "unknown",
                "1209600",
            ),
            (
                "87-pelican-oa4mp-client-template.properties.xml",
                Syntax::Xml,
                "oa4mp-client-properties",
                "unknown",
                "unknown",
            ),
        ] {
            let Some(text) = corpus(&format!("issuer/{file}")) else { return };
            let got = collect(&text, syntax);
            assert_eq!((got.kinds, got.errors.len()), (vec![kind], 0), "{file}");
            let first = |field: &str| got.targets[0].get(field).split(':').next().unwrap_or_default().to_string();
            assert_eq!(first("lifetimes.access_token"), access, "{file}");
            assert_eq!(first("lifetimes.refresh_token"), refresh, "{file}");
        }
    }
}
