//! INDIGO IAM client registrations: the management API, "my clients", dynamic registration, database rows and the
//! audit log.
//!
//! The same object comes in views that hide different members, so each object is looked at for itself: a lifetime
//! missing from a limited view is unknown, one missing from the management view is NULL in the database, which IAM
//! reads as "never expires". Checked against INDIGO IAM 1.12.0 and its MITREid fork.

use super::client_form::{
    OFFLINE_ACCESS, absent, auth_method_from_java, both, emit, grant, holds, inline_keys, pkce, product, public_from,
    tristate,
};
use super::list::{any_element, for_each_element, has_any, has_text};
use super::withheld::WITHHELD_DEFAULT;
use super::{Adapter, Kind, Reader, Sink, secret};
use crate::model::{Client, Field, TargetKind};
use crate::parse::{Cursor, Document};

/// The adapter.
pub(super) struct IndigoIamClient;

const CLIENT: &str = "indigo-iam-client";
const CLIENTS: &str = "indigo-iam-clients";
const REQUEST: &str = "indigo-iam-client-request";
const ROWS: &str = "indigo-iam-client-rows";
const AUDIT: &str = "indigo-iam-client-audit";

const TARGETS: &[TargetKind] = &[TargetKind::Client, TargetKind::KeySet, TargetKind::Key];

static KINDS: [Kind; 5] = [
    Kind {
        name: CLIENT,
        doc: "INDIGO IAM: one client as its API returns it (management, \"my clients\" or dynamic-registration view)",
        targets: TARGETS,
    },
    Kind {
        name: CLIENTS,
        doc: "INDIGO IAM: client list of the management, search or \"my clients\" API; one page, or pages in an array",
        targets: TARGETS,
    },
    Kind { name: REQUEST, doc: "INDIGO IAM: a registration request, not yet a client", targets: TARGETS },
    Kind { name: ROWS, doc: "INDIGO IAM: rows of the client_details table with their child tables", targets: TARGETS },
    Kind { name: AUDIT, doc: "INDIGO IAM: clients as the audit log writes them", targets: TARGETS },
];

/// Members only the management view has.
const MANAGEMENT: &[&str] = &[
    "access_token_validity_seconds",
    "refresh_token_validity_seconds",
    "id_token_validity_seconds",
    "device_code_validity_seconds",
    "allow_introspection",
];

/// Members the "my clients" view never has.
const BEYOND_LIMITED: &[&str] = &[
    "grant_types",
    "response_types",
    "token_endpoint_auth_method",
    "reuse_refresh_token",
    "clear_access_tokens_on_refresh",
    "dynamically_registered",
    "require_auth_time",
    "registration_access_token",
    "registration_client_uri",
    "client_secret",
];

/// Members that no other product's form has under these names.
const DISTINCTIVE: &[&str] = &[
    "access_token_validity_seconds",
    "refresh_token_validity_seconds",
    "id_token_validity_seconds",
    "device_code_validity_seconds",
    "allow_introspection",
    "reuse_refresh_token",
    "clear_access_tokens_on_refresh",
    "dynamically_registered",
    "status_changed_on",
    "status_changed_by",
];

/// Which members this object shows, and what it means when a lifetime is missing.
#[derive(Clone, Copy, PartialEq, Eq)]
enum View {
    Management,
    DynamicRegistration,
    Limited,
    Request,
    Rows,
    Audit,
}

const NO_LIFETIMES_LIMITED: &str = "the 'my clients' view does not show lifetimes; ask an administrator for an export";
const NO_LIFETIMES_DYNAMIC: &str = "the dynamic-registration view does not show lifetimes";
const NO_GRANTS: &str = "the 'my clients' view does not show grant types and client authentication";
const SERVER_DEFAULT: &str = "the server puts its default in when the client is registered";
const NO_CHILD_TABLES: &str = "the rows of the child tables are not in this file";
const NO_REFRESH: &str = "it does not show whether the client can get refresh tokens";

impl View {
    fn of(client: Cursor<'_>) -> View {
        if has_any(client, MANAGEMENT) {
            View::Management
        } else if has_any(client, BEYOND_LIMITED) {
            View::DynamicRegistration
        } else {
            View::Limited
        }
    }

    fn evidence(self) -> &'static str {
        match self {
            View::Management => "management view",
            View::DynamicRegistration => "dynamic-registration view",
            View::Limited => "'my clients' view",
            View::Request => "registration request",
            View::Rows => "database row",
            View::Audit => "audit log",
        }
    }

    /// What a lifetime is that this view leaves out; `stored_null` is the meaning of NULL in the database.
    fn missing_lifetime<'d>(self, stored_null: Field<'d>) -> Field<'d> {
        match self {
            View::Management | View::Rows | View::Audit => stored_null,
            View::DynamicRegistration => Field::unknown(NO_LIFETIMES_DYNAMIC, stored_null.at),
            View::Limited => Field::unknown(NO_LIFETIMES_LIMITED, stored_null.at),
            View::Request => Field::unknown(SERVER_DEFAULT, stored_null.at),
        }
    }
}

fn is_row(at: Cursor<'_>) -> bool {
    let java_method = || {
        let method = at.get("token_endpoint_auth_method").and_then(Cursor::as_str).unwrap_or_default();
        matches!(method, "SECRET_BASIC" | "SECRET_POST" | "SECRET_JWT" | "PRIVATE_KEY" | "NONE")
    };
    has_text(at, "client_id")
        && at.has("access_token_validity_seconds")
        && (at.has("reuse_refresh_tokens") || at.has("client_grant_type") || java_method())
}

fn is_audit(at: Cursor<'_>) -> bool {
    has_text(at, "clientId")
        && has_any(at, &["clear_access_token_on_refresh", "allow_introspection", "access_token_validity_seconds"])
}

fn is_client(at: Cursor<'_>) -> bool {
    let limited = || {
        let java_time = at.get("created_at").and_then(Cursor::as_i64).is_some_and(|millis| millis > 100_000_000_000);
        let active = at.get("active").is_some_and(|active| active.as_bool().is_some());
        has_text(at, "client_name") && (java_time || active) && has_any(at, &["scope", "redirect_uris"])
    };
    has_text(at, "client_id") && !is_row(at) && (has_any(at, DISTINCTIVE) || limited())
}

fn is_request(at: Cursor<'_>) -> bool {
    let no_id = at.get("client_id").is_none_or(Cursor::is_null);
    no_id
        && has_any(at, &["redirect_uris", "grant_types"])
        && (has_any(at, DISTINCTIVE) || at.has("code_challenge_method"))
}

fn resources(at: Cursor<'_>) -> Option<Cursor<'_>> {
    at.get("Resources").or_else(|| at.get("resources")).filter(|list| list.is_seq())
}

fn is_page(at: Cursor<'_>) -> bool {
    let empty_page = |list: Cursor<'_>| {
        list.items().next().is_none() && at.has("itemsPerPage") && at.has("totalResults") && !at.has("schemas")
    };
    resources(at).is_some_and(|list| any_element(list, is_client) || empty_page(list))
}

impl Adapter for IndigoIamClient {
    fn kinds(&self) -> &'static [Kind] {
        &KINDS
    }

    fn flows(&self, kind: &str) -> bool {
        matches!(kind, CLIENTS | ROWS | AUDIT)
    }

    fn recognise(&self, document: &Document) -> Option<&'static str> {
        let root = document.root();
        if root.is_map() {
            let audited = root.get("client").is_some_and(is_audit);
            return if is_page(root) {
                Some(CLIENTS)
            } else if is_row(root) {
                Some(ROWS)
            } else if is_client(root) {
                Some(CLIENT)
            } else if is_audit(root) || audited {
                Some(AUDIT)
            } else if is_request(root) {
                Some(REQUEST)
            } else {
                None
            };
        }
        if any_element(root, is_row) {
            Some(ROWS)
        } else if any_element(root, |item| is_client(item) || is_page(item)) {
            Some(CLIENTS)
        } else if any_element(root, |item| is_audit(item) || item.get("client").is_some_and(is_audit)) {
            Some(AUDIT)
        } else {
            None
        }
    }

    fn adapt(&self, document: &Document, kind: &'static str, sink: &mut dyn Sink) {
        let root = document.root();
        if kind == CLIENTS {
            return adapt_pages(root, sink);
        }
        let visit = |at: Cursor<'_>, sink: &mut dyn Sink| {
            let at = if kind == AUDIT { at.get("client").unwrap_or(at) } else { at };
            match kind {
                ROWS => adapt_row(at, sink),
                AUDIT => adapt_client(at, View::Audit, sink),
                REQUEST => adapt_client(at, View::Request, sink),
                _ => adapt_client(at, View::of(at), sink),
            }
        };
        if root.is_seq() {
            for_each_element(root, sink, visit);
        } else {
            visit(root, sink);
        }
    }
}

fn adapt_pages(root: Cursor<'_>, sink: &mut dyn Sink) {
    if let Some(list) = resources(root) {
        adapt_page(list, sink);
        if let Some((total, count)) = root.get("totalResults").and_then(|total| Some((total, total.as_i64()?))) {
            sink.paging(list.id, list.items().count() as i64, (total.id, count));
        }
        return;
    }
    // Pages put together in one array: complete when they hold as many clients as they say exist.
    let (mut shown, mut said) = (0, None);
    for_each_element(root, sink, |item, sink| match resources(item) {
        Some(list) => {
            adapt_page(list, sink);
            shown += list.items().count() as i64;
            said = said.max(item.get("totalResults").and_then(Cursor::as_i64));
        }
        None => adapt_client(item, View::of(item), sink),
    });
    if let Some(total) = said {
        sink.paging(root.id, shown, (root.id, total));
    }
}

fn adapt_page(list: Cursor<'_>, sink: &mut dyn Sink) {
    for_each_element(list, sink, |item, sink| {
        if item.is_map() {
            adapt_client(item, View::of(item), sink);
        } else {
            sink.error(item.document, item.id, "a client object is expected in this list".into());
        }
    });
}

/// IAM's scope member: one string; a list is read as no scope at all, null and a missing member are no scope.
fn scopes<'d>(reader: Reader<'d>, view: View) -> Field<'d> {
    match (view, reader.cursor().get("scope")) {
        (View::Audit, _) => reader.texts("scope"),
        (_, Some(member)) if member.is_seq() => Field::malformed(
            "INDIGO IAM reads a list here as no scope at all; write the scopes as one space-separated string",
            reader.place(member),
        ),
        (View::Request, None) => Field::unknown("the server adds its default scopes to a request without any", None),
        _ => {
            let words = reader.words("scope");
            let at = words.at;
            words.or(Field::list(vec![], at))
        }
    }
}

fn hidden_when_limited<'d>(view: View, field: Field<'d>) -> Field<'d> {
    match view {
        View::Limited => field.or(Field::unknown(NO_GRANTS, None)),
        View::Management | View::DynamicRegistration | View::Request | View::Rows | View::Audit => field,
    }
}

fn grants<'d>(reader: Reader<'d>, view: View, scopes: &Field<'d>) -> Field<'d> {
    let given = hidden_when_limited(view, reader.texts("grant_types"));
    if view != View::Request {
        return given.or(Field::unknown("the registration names no grant types", None));
    }
    let asked = given.or(super::client_form::default_list(&[grant::AUTHORIZATION_CODE]));
    if holds(scopes, OFFLINE_ACCESS) != Some(true) || holds(&asked, grant::REFRESH_TOKEN) != Some(false) {
        return asked;
    }
    // The server adds the grant itself when the scope is asked for.
    let mut items = asked.items().to_vec();
    items.push(Field::text(grant::REFRESH_TOKEN, scopes.at));
    Field::list(items, asked.at)
}

fn adapt_client(at: Cursor<'_>, view: View, sink: &mut dyn Sink) {
    let reader = Reader::new(at);
    let scopes = scopes(reader, view);
    let auth_method = match view {
        View::Request => reader.text("token_endpoint_auth_method").or(Field::text("client_secret_basic", None)),
        View::DynamicRegistration | View::Limited | View::Management | View::Rows | View::Audit => {
            hidden_when_limited(view, reader.text("token_endpoint_auth_method"))
        }
    };
    let mut client = Client {
        client_id: reader.filled(reader.which(&["client_id", "clientId"])),
        name: reader.filled(reader.which(&["client_name", "clientName"])),
        description: reader.filled("client_description"),
        product: product("indigo-iam"),
        redirect_uris: reader.texts("redirect_uris"),
        grant_types: grants(reader, view, &scopes),
        response_types: reader.texts("response_types"),
        public: public_from(&auth_method),
        auth_method,
        contacts: reader.texts("contacts"),
        client_uri: reader.filled("client_uri"),
        policy_uri: reader.filled("policy_uri"),
        tos_uri: reader.filled("tos_uri"),
        jwks_uri: reader.filled("jwks_uri"),
        registration_client_uri: reader.filled("registration_client_uri"),
        has_inline_keys: inline_keys(reader, "jwk", sink),
        pkce_method: hidden_when_limited(view, pkce(reader.text("code_challenge_method"))),
        reuse_refresh_tokens: reader.bool("reuse_refresh_token"),
        dynamically_registered: reader.bool("dynamically_registered"),
        allow_introspection: reader.bool("allow_introspection"),
        active: reader.bool("active").or(Field::bool(true, None)),
        created: reader.epoch_millis("created_at"),
        last_used: reader.date_time("last_used"),
        secret_expires: reader.epoch_millis("client_secret_expires_at").map_int(|time, at| match time {
            0 => absent(at),
            _ => Field::int(time, at),
        }),
        scopes,
        ..Client::default()
    };
    secrets(reader, view, &mut client, sink);
    lifetimes(reader, view, &mut client);
    emit(sink, at, client, view.evidence());
}

fn adapt_row(at: Cursor<'_>, sink: &mut dyn Sink) {
    let reader = Reader::new(at);
    let child = |name: &'static str| match reader.has(name) {
        true => reader.texts(name),
        // A row without any child has the table's list missing when the export joined them.
        false if has_any(at, &["client_scope", "client_grant_type", "client_redirect_uri"]) => {
            Field::list(vec![], None)
        }
        false => Field::unknown(NO_CHILD_TABLES, None),
    };
    // The column is NULL for a public client.
    let auth_method = auth_method_from_java(reader.text("token_endpoint_auth_method"))
        .or(Field::text("none", reader.at("token_endpoint_auth_method")));
    let mut client = Client {
        client_id: reader.filled("client_id"),
        name: reader.filled("client_name"),
        description: reader.filled("client_description"),
        product: product("indigo-iam"),
        redirect_uris: child("client_redirect_uri"),
        grant_types: child("client_grant_type"),
        response_types: child("client_response_type"),
        scopes: child("client_scope"),
        contacts: child("client_contact"),
        public: public_from(&auth_method),
        auth_method,
        application_type: reader.filled("application_type"),
        client_uri: reader.filled("client_uri"),
        policy_uri: reader.filled("policy_uri"),
        tos_uri: reader.filled("tos_uri"),
        jwks_uri: reader.filled("jwks_uri"),
        has_inline_keys: inline_keys(reader, "jwks", sink),
        pkce_method: pkce(reader.text("code_challenge_method")),
        reuse_refresh_tokens: reader.flag("reuse_refresh_tokens"),
        dynamically_registered: reader.flag("dynamically_registered"),
        allow_introspection: reader.flag("allow_introspection"),
        active: reader.flag("active").or(Field::bool(true, None)),
        // The server's time zone, which the row does not name; a day more or less does not matter here.
        created: reader.date_time("created_at"),
        id_token_alg: reader.filled("id_token_signed_response_alg"),
        ..Client::default()
    };
    secrets(reader, View::Rows, &mut client, sink);
    lifetimes(reader, View::Rows, &mut client);
    emit(sink, at, client, View::Rows.evidence());
}

/// The production seed of INDIGO IAM creates this client with this secret.
pub(crate) fn has_seeded_secret(client: Cursor<'_>) -> bool {
    let is = |name: &str, value: &str| client.get(name).and_then(Cursor::as_str) == Some(value);
    is("client_id", "client") && is("client_secret", "secret")
}

fn secrets<'d>(reader: Reader<'d>, view: View, client: &mut Client<'d>, sink: &mut dyn Sink) {
    client.has_secret = secret::look(&reader, "client_secret", &[], sink).present;
    secret::look(&reader, "registration_access_token", &[], sink);
    if client.has_secret.as_bool() != Some(true) {
        return;
    }
    let withheld = reader.cursor().get("client_secret").and_then(Cursor::as_str) == Some(WITHHELD_DEFAULT);
    let seeded = withheld || has_seeded_secret(reader.cursor());
    client.secret_is_default = Field::bool(seeded, client.has_secret.at);
    match view {
        View::Management | View::Rows => sink.secrets_expected(),
        View::DynamicRegistration | View::Limited | View::Request | View::Audit => {}
    }
}

/// Lifetimes as IAM's token service reads them: an access or refresh token gets `exp` only for a number above 0.
fn lifetimes<'d>(reader: Reader<'d>, view: View, client: &mut Client<'d>) {
    let refresh = both(holds(&client.grant_types, grant::REFRESH_TOKEN), holds(&client.scopes, OFFLINE_ACCESS));
    client.refresh_tokens = tristate(refresh, client.grant_types.at, NO_REFRESH);

    let number = reader.int("access_token_validity_seconds");
    let null = Field::unlimited(number.at);
    client.lifetime_access_token =
        number.or(view.missing_lifetime(null)).map_int(|seconds, at| match (seconds, view) {
            (1.., _) => Field::int(seconds, at),
            (_, View::Request) => Field::unknown(SERVER_DEFAULT, at),
            _ => Field::unlimited(at),
        });

    let number = reader.int("refresh_token_validity_seconds");
    let at = number.at;
    client.lifetime_refresh_token = match refresh {
        Some(false) => absent(at),
        Some(true) => number.or(view.missing_lifetime(Field::unlimited(at))).map_int(never_when_zero),
        None => match number.as_int() {
            Some(1..) => number,
            _ => view.missing_lifetime(Field::unknown(NO_REFRESH, at)),
        },
    };

    let number = reader.int("id_token_validity_seconds");
    let null = Field::unknown("the export shows no ID token lifetime", number.at);
    // 0 is a dead token, not an unlimited one: `exp` is the time of issue.
    client.lifetime_id_token = number.or(view.missing_lifetime(null));

    let number = reader.int("device_code_validity_seconds");
    let at = number.at;
    client.lifetime_device_code = match holds(&client.grant_types, grant::DEVICE_CODE) {
        Some(false) => absent(at),
        Some(true) => number.or(view.missing_lifetime(Field::unlimited(at))),
        None => number.or(view.missing_lifetime(Field::unknown(NO_GRANTS, at))),
    };
}

fn never_when_zero<'d>(seconds: i64, at: Option<crate::model::At>) -> Field<'d> {
    if seconds > 0 { Field::int(seconds, at) } else { Field::unlimited(at) }
}

#[cfg(test)]
mod tests {
    use crate::adapt::testing::{Collected, collect, corpus};
    use crate::model::TargetKind;
    use crate::parse::Syntax;

    fn read(text: &str) -> Collected {
        collect(text, Syntax::Json)
    }

    /// A client of the management view that can get refresh tokens, with these members besides.
    fn managed(members: &str) -> String {
        format!(
            r#"{{"client_id": "c1", "allow_introspection": true, "scope": "openid offline_access",
                "grant_types": ["authorization_code", "refresh_token"], "token_endpoint_auth_method": "client_secret_basic"
                {members}}}"#
        )
    }

    #[test]
    fn lifetimes_of_the_management_view_mean_what_the_token_service_makes_of_them() {
        for (members, field, expected, remark) in [
            (r#", "access_token_validity_seconds": 3600"#, "lifetimes.access_token", "3600", "a number"),
            (r#", "access_token_validity_seconds": 0"#, "lifetimes.access_token", "unlimited", "0: token without exp"),
            (r#", "access_token_validity_seconds": null"#, "lifetimes.access_token", "unlimited", "null"),
            ("", "lifetimes.access_token", "unlimited", "left out is null in the database"),
            (r#", "refresh_token_validity_seconds": 2592000"#, "lifetimes.refresh_token", "2592000", "a number"),
            (r#", "refresh_token_validity_seconds": 0"#, "lifetimes.refresh_token", "unlimited", "0 is infinite"),
            ("", "lifetimes.refresh_token", "unlimited", "left out is null in the database"),
            (r#", "id_token_validity_seconds": 0"#, "lifetimes.id_token", "0", "a dead token, not an unlimited one"),
            (r#", "device_code_validity_seconds": 600"#, "lifetimes.device_code", "", "no device grant"),
            (
                r#", "access_token_validity_seconds": 1.5"#,
                "lifetimes.access_token",
                "malformed: the number is no whole number within 64 bits",
                "a fraction",
            ),
        ] {
            let got = read(&managed(members));
            assert_eq!(got.kinds, ["indigo-iam-client"], "{remark}");
            assert_eq!(got.targets[0].get(field), expected, "{remark}");
        }
    }

    #[test]
    fn a_client_that_cannot_get_refresh_tokens_has_no_refresh_lifetime() {
        for (grants, scope, refresh, remark) in [
            (r#"["client_credentials"]"#, "storage.read:/", "false", "neither grant nor scope"),
            (r#"["refresh_token"]"#, "openid", "false", "the scope is missing"),
            (r#"["authorization_code"]"#, "offline_access", "false", "the grant is missing"),
            (r#"["refresh_token"]"#, "offline_access", "true", "both"),
        ] {
            for lifetime in
                ["", r#", "refresh_token_validity_seconds": 0"#, r#", "refresh_token_validity_seconds": 999999999"#]
            {
                let got = read(&format!(
                    r#"{{"client_id": "c", "allow_introspection": true, "grant_types": {grants}, "scope": "{scope}"{lifetime}}}"#
                ));
                assert_eq!(got.targets[0].get("refresh_tokens"), refresh, "{remark}");
                assert_eq!(
                    got.targets[0].get("lifetimes.refresh_token").is_empty(),
                    refresh == "false",
                    "{remark}{lifetime}"
                );
            }
        }
    }

    #[test]
    fn device_codes_without_lifetime_never_expire() {
        let got = read(
            r#"{"client_id": "c", "allow_introspection": true, "scope": null,
                "grant_types": ["urn:ietf:params:oauth:grant-type:device_code"]}"#,
        );
        assert_eq!(got.targets[0].get("lifetimes.device_code"), "unlimited");
        assert_eq!(got.targets[0].get("scopes"), "", "a null scope is an empty list");
        assert_eq!(got.targets[0].pointers["scopes"], "/scope");
    }

    #[test]
    fn each_object_of_a_list_is_read_in_its_own_view() {
        let got = read(
            r#"{"totalResults": 25, "itemsPerPage": 3, "startIndex": 1, "Resources": [
                {"client_id": "m", "access_token_validity_seconds": 60, "grant_types": ["client_credentials"], "scope": "a"},
                {"client_id": "d", "grant_types": ["authorization_code", "refresh_token"], "scope": "offline_access"},
                {"client_id": "l", "client_name": "Mine", "scope": "offline_access", "redirect_uris": ["https://a.example/"],
                 "created_at": 1649338971207, "active": true}]}"#,
        );
        assert_eq!(got.kinds, ["indigo-iam-clients"]);
        assert_eq!(got.paging, Some((3, 25)), "two pages are missing");
        let [managed, dynamic, limited] = &got.targets[..] else { panic!("three clients, got {}", got.targets.len()) };
        assert_eq!(managed.get("lifetimes.access_token"), "60");
        assert_eq!(managed.evidence, "management view");
        for field in ["lifetimes.access_token", "lifetimes.refresh_token", "lifetimes.id_token"] {
            assert!(dynamic.get(field).starts_with("unknown: the dynamic-registration view"), "{field}");
            assert!(limited.get(field).starts_with("unknown: "), "{field}");
        }
        assert_eq!(limited.evidence, "'my clients' view");
        assert!(limited.get("lifetimes.access_token").contains("the 'my clients' view does not show lifetimes"));
        assert!(limited.get("grant_types").starts_with("unknown: "));
        assert!(limited.get("public").starts_with("unknown: "));
        assert!(limited.get("pkce_method").starts_with("unknown: "));
        assert_eq!(limited.get("created"), "1649338971", "milliseconds become seconds");
        assert_eq!(limited.name, "Mine");
        assert_eq!(limited.identity, "l");
    }

    #[test]
    fn pages_in_one_array_are_counted_together() {
        let got = read(
            r#"[{"totalResults": 2, "Resources": [{"client_id": "a", "allow_introspection": true}]},
                {"totalResults": 2, "Resources": [{"client_id": "b", "allow_introspection": true}]}]"#,
        );
        assert_eq!(got.kinds, ["indigo-iam-clients"]);
        assert_eq!(got.targets.len(), 2);
        assert_eq!(got.paging, Some((2, 2)));
        let bare = read(r#"[{"client_id": "a", "allow_introspection": true}, {"client_id": "b", "active": true}]"#);
        assert_eq!((bare.kinds, bare.targets.len(), bare.paging), (vec!["indigo-iam-clients"], 2, None));
    }

    #[test]
    fn large_lists_are_read_element_by_element() {
        let filler = "x".repeat(2000);
        let client = |n: usize| {
            format!(
                r#"{{"client_id": "c{n}", "allow_introspection": true, "client_description": "{filler}", "scope": "s"}}"#
            )
        };
        let all: Vec<_> = (0..600).map(client).collect();
        let got = read(&format!(r#"{{"totalResults": 600, "Resources": [{}]}}"#, all.join(",")));
        assert_eq!(got.targets.len(), 600);
        assert_eq!(got.targets[599].pointers["client_id"], "/Resources/599/client_id");
        assert_eq!(got.errors, [""; 0]);
    }

    #[test]
    fn scopes_written_as_a_list_are_malformed() {
        let got = read(r#"{"client_id": "c", "allow_introspection": true, "scope": ["openid", "offline_access"]}"#);
        assert!(got.targets[0].get("scopes").starts_with("malformed: INDIGO IAM reads a list here as no scope"));
    }

    #[test]
    fn pkce_none_and_empty_demand_nothing() {
        for (method, expected) in
            [("\"S256\"", "S256"), ("\"none\"", ""), ("\"\"", ""), ("null", ""), ("\"plain\"", "plain")]
        {
            let got = read(&managed(&format!(r#", "code_challenge_method": {method}"#)));
            assert_eq!(got.targets[0].get("pkce_method"), expected, "{method}");
        }
    }

    #[test]
    fn secrets_are_marked_and_the_seeded_one_is_known() {
        let seeded = r#"{"client_id": "client", "client_secret": "secret", "allow_introspection": true}"#;
        let got = read(seeded);
        assert_eq!(got.secrets, ["/client_secret"]);
        assert!(got.secrets_expected, "an administrator's export holds secrets");
        assert_eq!(got.targets[0].get("secret_is_default"), "true");
        let own = read(r#"{"client_id": "other", "client_secret": "secret", "allow_introspection": true}"#);
        assert_eq!(own.targets[0].get("secret_is_default"), "false", "the seed is one client with one secret");
        let masked = read(r#"{"client_id": "client", "client_secret": "********", "allow_introspection": true}"#);
        assert!(masked.targets[0].get("has_secret").starts_with("unknown: "));
        assert_eq!(masked.targets[0].get("secret_is_default"), "");
        assert!(masked.secrets.is_empty() && !masked.secrets_expected);
        let answer = read(
            r#"{"client_id": "c", "client_secret": "t", "registration_access_token": "t", "reuse_refresh_token": true}"#,
        );
        assert_eq!(answer.secrets.len(), 2);
        assert!(!answer.secrets_expected, "a registration answer is no place to keep a secret in");
    }

    #[test]
    fn a_snapshot_says_of_a_secret_what_rules_ask() {
        for (marker, default) in
            [("withheld by tokenvet", "false"), ("withheld by tokenvet: known to everybody", "true")]
        {
            let got = read(&managed(&format!(r#", "client_secret": "{marker}""#)));
            assert_eq!(got.targets[0].get("has_secret"), "true");
            assert_eq!(got.targets[0].get("secret_is_default"), default, "{marker}");
            assert!(got.secrets.is_empty(), "the file holds none");
        }
    }

    #[test]
    fn the_jwk_string_is_read_as_keys() {
        let got = read(&managed(r#", "jwk": "{\"keys\": [{\"kty\": \"EC\", \"kid\": \"k1\", \"crv\": \"P-256\"}]}""#));
        let kinds: Vec<_> = got.targets.iter().map(|target| target.kind).collect();
        assert_eq!(kinds, [TargetKind::KeySet, TargetKind::Key, TargetKind::Client]);
        assert_eq!(got.targets[1].get("kid"), "k1");
        assert_eq!(got.targets[2].get("has_inline_keys"), "true");
        let broken = read(&managed(r#", "jwk": "{""#));
        assert_eq!(broken.targets.len(), 1, "the client itself is read");
        assert!(broken.errors[0].starts_with("/jwk: not readable as a key set"), "{:?}", broken.errors);
        assert_eq!(read(&managed(r#", "jwk": """#)).targets[0].get("has_inline_keys"), "");
    }

    #[test]
    fn suspended_and_older_clients() {
        assert_eq!(read(&managed(r#", "active": false"#)).targets[0].get("active"), "false");
        assert_eq!(read(&managed("")).targets[0].get("active"), "true", "exports before 1.9 have no such member");
        assert_eq!(read(&managed(r#", "last_used": "2026-01-02""#)).targets[0].get("last_used"), "1767312000");
    }

    #[test]
    fn a_request_is_filled_in_by_the_server() {
        let got = read(
            r#"{"client_name": "new", "redirect_uris": ["edu.kit.data.oidc-agent:/redirect"], "scope": "openid offline_access",
                "code_challenge_method": "S256", "refresh_token_validity_seconds": 0, "access_token_validity_seconds": 0}"#,
        );
        assert_eq!(got.kinds, ["indigo-iam-client-request"]);
        let client = &got.targets[0];
        assert_eq!(client.get("grant_types"), "authorization_code refresh_token", "offline_access brings the grant");
        assert_eq!(client.get("token_endpoint_auth_method"), "client_secret_basic");
        assert!(client.get("lifetimes.access_token").starts_with("unknown: "), "0 asks for the default");
        assert_eq!(client.get("lifetimes.refresh_token"), "unlimited", "0 is kept and means infinite");
        assert_eq!(client.get("redirect_uris"), "edu.kit.data.oidc-agent:/redirect");
    }

    #[test]
    fn database_rows() {
        let row = r#"{"id": 2, "client_id": "r", "client_name": "Row", "access_token_validity_seconds": null,
            "refresh_token_validity_seconds": null, "id_token_validity_seconds": 600, "reuse_refresh_tokens": 1,
            "dynamically_registered": 0, "token_endpoint_auth_method": "PRIVATE_KEY", "created_at": "1970-01-01 00:01:00""#;
        let joined =
            format!(r#"[{row}, "client_scope": ["offline_access"], "client_grant_type": ["refresh_token"]}}]"#);
        let got = read(&joined);
        assert_eq!(got.kinds, ["indigo-iam-client-rows"]);
        let client = &got.targets[0];
        for (field, expected) in [
            ("token_endpoint_auth_method", "private_key_jwt"),
            ("lifetimes.access_token", "unlimited"),
            ("lifetimes.refresh_token", "unlimited"),
            ("reuse_refresh_tokens", "true"),
            ("dynamically_registered", "false"),
            ("created", "60"),
            ("public", "false"),
        ] {
            assert_eq!(client.get(field), expected, "{field}");
        }
        let alone = read(&format!("[{row}}}]"));
        assert!(alone.targets[0].get("scopes").starts_with("unknown: the rows of the child tables"));
        assert!(alone.targets[0].get("lifetimes.refresh_token").starts_with("unknown: "));
    }

    #[test]
    fn the_audit_log_spells_two_members_in_camel_case() {
        let got = read(
            r#"{"client": {"clientId": "a", "clientName": "Audited", "allow_introspection": true, "scope": ["openid"],
                "grant_types": ["implicit"], "clear_access_token_on_refresh": true, "token_endpoint_auth_method": "none"}}"#,
        );
        assert_eq!(got.kinds, ["indigo-iam-client-audit"]);
        assert_eq!(got.targets[0].name, "Audited");
        assert_eq!(got.targets[0].get("lifetimes.access_token"), "unlimited", "only null is left out");
        assert_eq!(got.targets[0].get("scopes"), "openid");
        assert_eq!(got.targets[0].get("public"), "true");
    }

    #[test]
    fn near_misses_are_left_to_others() {
        for (text, remark) in [
            (r#"{"issuer": "https://i.example/", "grant_types_supported": ["implicit"]}"#, "discovery"),
            (r#"{"keys": [{"kty": "RSA"}]}"#, "JWKS"),
            (r#"{"iss": "https://i.example/", "client_id": "c", "scope": "openid", "exp": 1}"#, "token claims"),
            (r#"{"active": true, "client_id": "c", "scope": "openid"}"#, "introspection response"),
            (
                r#"{"totalResults": 1, "schemas": ["x"], "Resources": [{"userName": "u", "active": true}]}"#,
                "SCIM users",
            ),
            (r#"{"totalResults": 0, "schemas": ["x"], "itemsPerPage": 0, "Resources": []}"#, "empty SCIM list"),
            (
                r#"{"client_id": "c", "integration_environment": "demo", "access_token_validity_seconds": "3600"}"#,
                "EGI",
            ),
            (r#"{"client_id": "c", "redirect_uris": ["https://a.example/"], "grant_types": []}"#, "RFC 7591"),
            ("[]", "an empty list is nobody's"),
            ("null", "no object"),
        ] {
            let got = read(text);
            assert!(got.kinds.iter().all(|kind| !kind.starts_with("indigo-iam-client")), "{remark}: {:?}", got.kinds);
        }
    }

    #[test]
    fn the_corpus_reads_as_a_person_reads_it() {
        let Some(list) = corpus("issuer/37-iam-clients-list-derived.json") else { return };
        let got = read(&list);
        assert_eq!((got.kinds, got.paging), (vec!["indigo-iam-clients"], Some((4, 4))));
        let rucio = &got.targets[0];
        assert_eq!(rucio.get("lifetimes.refresh_token"), "2592000");
        assert_eq!(rucio.get("created"), "1702366359");
        assert_eq!(got.targets[3].get("lifetimes.refresh_token"), "", "client_credentials only");
        let Some(rows) = corpus("issuer/38-iam-db-client-details-derived.json") else { return };
        let rows = read(&rows);
        assert_eq!(rows.kinds, ["indigo-iam-client-rows"]);
        for (row, listed) in rows.targets.iter().zip(&got.targets) {
            for field in ["client_id", "lifetimes.access_token", "lifetimes.refresh_token", "grant_types", "created"] {
                assert_eq!(row.get(field), listed.get(field), "the same client in both files: {field}");
            }
        }
        let Some(answer) = corpus("issuer/26-iam-client-registration-response.json") else { return };
        let answer = read(&answer);
        assert_eq!(answer.kinds, ["indigo-iam-client"]);
        assert_eq!(answer.targets[0].evidence, "dynamic-registration view");
        assert!(answer.targets[0].get("has_secret").starts_with("unknown: "));
    }
}
