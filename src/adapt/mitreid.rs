//! MITREid Connect clients: the camelCase listing of `/api/clients` and the export of `/api/data`.
//!
//! One product, two spellings: the listing writes Java's constant for the authentication method (`SECRET_BASIC`), the
//! export the RFC 7591 name. A null lifetime means no limit. Checked against MITREid 1.3.5.

use super::client_form::{
    OFFLINE_ACCESS, absent, auth_method_from_java, both, emit, grant, holds, inline_keys, pkce, product, public_from,
    tristate,
};
use super::list::{any_element, for_each_element, has_any, has_text};
use super::{Adapter, Kind, Reader, Sink, secret};
use crate::model::{Client, Field, TargetKind};
use crate::parse::{Cursor, Document};

/// The adapter.
pub(super) struct Mitreid;

const CLIENT: &str = "mitreid-client";
const CLIENTS: &str = "mitreid-clients";
const DATA: &str = "mitreid-data";

const TARGETS: &[TargetKind] = &[TargetKind::Client, TargetKind::KeySet, TargetKind::Key];

static KINDS: [Kind; 3] = [
    Kind { name: CLIENT, doc: "MITREid Connect (INDIGO IAM before 1.8): one client of /api/clients", targets: TARGETS },
    Kind { name: CLIENTS, doc: "MITREid Connect (INDIGO IAM before 1.8): listing of /api/clients", targets: TARGETS },
    Kind { name: DATA, doc: "MITREid Connect: export of /api/data with clients and stored tokens", targets: TARGETS },
];

/// Roots of the export, one for each version of its format.
const ROOTS: [&str; 4] = ["mitreid-connect-1.3", "mitreid-connect-1.2", "mitreid-connect-1.1", "mitreid-connect-1.0"];

/// Members that tell a MITREid client from other camelCase forms.
const DISTINCTIVE: &[&str] = &[
    "accessTokenValiditySeconds",
    "refreshTokenValiditySeconds",
    "idTokenValiditySeconds",
    "deviceCodeValiditySeconds",
    "clearAccessTokensOnRefresh",
    "allowIntrospection",
];

const USER_VIEW: &str = "the listing for users does not show it; ask an administrator for an export";
const ZERO_REFRESH: &str = "0 means no limit or dead at once, depending on the version";
const NO_REFRESH: &str = "it does not show whether the client can get refresh tokens";

fn is_client(at: Cursor<'_>) -> bool {
    has_text(at, "clientId") && (has_any(at, DISTINCTIVE) || is_user_view(at))
}

/// What a user sees: six members, nothing about lifetimes.
fn is_user_view(at: Cursor<'_>) -> bool {
    at.has("clientName")
        && at.has("scope")
        && at.entries().all(|(name, _)| {
            matches!(name, "id" | "clientId" | "clientName" | "clientDescription" | "scope" | "logoUri")
        })
}

fn data(root: Cursor<'_>) -> Option<Cursor<'_>> {
    ROOTS.iter().find_map(|name| root.get(name)).filter(|data| data.is_map())
}

impl Adapter for Mitreid {
    fn kinds(&self) -> &'static [Kind] {
        &KINDS
    }

    fn flows(&self, kind: &str) -> bool {
        matches!(kind, CLIENTS)
    }

    fn recognise(&self, document: &Document) -> Option<&'static str> {
        let root = document.root();
        if data(root).is_some() {
            Some(DATA)
        } else if is_client(root) {
            Some(CLIENT)
        } else if any_element(root, is_client) {
            Some(CLIENTS)
        } else {
            None
        }
    }

    fn adapt(&self, document: &Document, kind: &'static str, sink: &mut dyn Sink) {
        let root = document.root();
        match data(root) {
            Some(data) if kind == DATA => adapt_data(data, sink),
            _ if root.is_seq() => for_each_element(root, sink, adapt_client),
            _ => adapt_client(root, sink),
        }
    }
}

fn adapt_data(data: Cursor<'_>, sink: &mut dyn Sink) {
    sink.secrets_expected();
    if let Some(clients) = data.get("clients") {
        for_each_element(clients, sink, adapt_client);
    }
    for list in ["accessTokens", "refreshTokens"].iter().filter_map(|name| data.get(name)) {
        for_each_element(list, sink, |token, sink| {
            secret::look(&Reader::new(token), "value", &[], sink);
        });
    }
}

fn adapt_client(at: Cursor<'_>, sink: &mut dyn Sink) {
    if !at.is_map() {
        return sink.error(at.document, at.id, "a client object is expected in this list".into());
    }
    let reader = Reader::new(at);
    let user_view = is_user_view(at);
    let given = |field| if user_view { Field::or(field, Field::unknown(USER_VIEW, None)) } else { field };
    // NULL in the database; the export and the listing write it as null.
    let auth_method = auth_method_from_java(reader.filled("tokenEndpointAuthMethod"));
    let auth_method = if user_view { given(auth_method) } else { auth_method.or(Field::text("none", None)) };
    let mut client = Client {
        client_id: reader.filled("clientId"),
        name: reader.filled(reader.which(&["clientName", "name"])),
        description: reader.filled(reader.which(&["clientDescription", "description"])),
        product: product("mitreid"),
        redirect_uris: given(reader.texts("redirectUris")),
        grant_types: given(reader.texts("grantTypes")),
        response_types: reader.texts("responseTypes"),
        scopes: reader.texts("scope"),
        public: public_from(&auth_method),
        auth_method,
        application_type: lowercase(reader.filled("applicationType")),
        contacts: reader.texts("contacts"),
        client_uri: reader.filled(reader.which(&["clientUri", "uri"])),
        policy_uri: reader.filled("policyUri"),
        tos_uri: reader.filled("tosUri"),
        jwks_uri: reader.filled("jwksUri"),
        has_inline_keys: inline_keys(reader, "jwks", sink),
        pkce_method: given(pkce(reader.text("codeChallengeMethod"))),
        reuse_refresh_tokens: reader.bool("reuseRefreshToken"),
        dynamically_registered: reader.bool("dynamicallyRegistered"),
        allow_introspection: reader.bool("allowIntrospection"),
        active: Field::bool(true, None),
        created: reader.date_time(reader.which(&["createdAt", "creationDate"])),
        id_token_alg: reader.filled(reader.which(&["idTokenSignedResponseAlg", "idTokenSignedResponseAlgorithm"])),
        has_secret: secret::look(&reader, reader.which(&["clientSecret", "secret"]), &[], sink).present,
        ..Client::default()
    };
    if client.has_secret.as_bool() == Some(true) {
        sink.secrets_expected();
    }
    lifetimes(reader, user_view, &mut client);
    emit(sink, at, client, if user_view { "listing for users" } else { "" });
}

fn lowercase(field: Field<'_>) -> Field<'_> {
    match field.as_text().map(str::to_ascii_lowercase) {
        Some(text) => Field::text(text, field.at),
        None => field,
    }
}

fn lifetimes<'d>(reader: Reader<'d>, user_view: bool, client: &mut Client<'d>) {
    let null = |field: Field<'d>| {
        let at = field.at;
        field.or(if user_view { Field::unknown(USER_VIEW, at) } else { Field::unlimited(at) })
    };
    let refresh = both(holds(&client.grant_types, grant::REFRESH_TOKEN), holds(&client.scopes, OFFLINE_ACCESS));
    client.refresh_tokens = tristate(refresh, client.grant_types.at, NO_REFRESH);
    client.lifetime_access_token = null(reader.int("accessTokenValiditySeconds"))
        .map_int(|seconds, at| if seconds > 0 { Field::int(seconds, at) } else { Field::unlimited(at) });
    let number = reader.int("refreshTokenValiditySeconds");
    client.lifetime_refresh_token = match refresh {
        Some(false) => absent(number.at),
        Some(true) => null(number).map_int(|seconds, at| match seconds {
            1.. => Field::int(seconds, at),
            _ => Field::unknown(ZERO_REFRESH, at),
        }),
        None if matches!(number.as_int(), Some(1..)) => number,
        None => Field::unknown(NO_REFRESH, number.at),
    };
    let id_token = reader.int("idTokenValiditySeconds");
    client.lifetime_id_token = if user_view { id_token.or(Field::unknown(USER_VIEW, None)) } else { id_token };
    let number = reader.int("deviceCodeValiditySeconds");
    client.lifetime_device_code = match holds(&client.grant_types, grant::DEVICE_CODE) {
        Some(false) => absent(number.at),
        Some(true) => null(number),
        None => number.or(Field::unknown(USER_VIEW, None)),
    };
}

#[cfg(test)]
mod tests {
    use crate::adapt::testing::{Collected, collect};
    use crate::parse::Syntax;

    fn read(text: &str) -> Collected {
        collect(text, Syntax::Json)
    }

    #[test]
    fn the_listing_and_the_export_agree() {
        let listing = read(
            r#"[{"id": 1, "clientId": "c", "clientName": "Name", "clientSecret": "t-secret", "scope": ["openid", "offline_access"],
                "grantTypes": ["refresh_token"], "redirectUris": ["https://a.example/"], "tokenEndpointAuthMethod": "SECRET_POST",
                "accessTokenValiditySeconds": null, "refreshTokenValiditySeconds": null, "codeChallengeMethod": null,
                "createdAt": "1970-01-01T00:01:00+0000", "reuseRefreshToken": true}]"#,
        );
        let export = read(
            r#"{"exported-at": "x", "mitreid-connect-1.3": {"clients": [{"clientId": "c", "name": "Name", "secret": "t-secret",
                "scope": ["openid", "offline_access"], "grantTypes": ["refresh_token"], "redirectUris": ["https://a.example/"],
                "tokenEndpointAuthMethod": "client_secret_post", "accessTokenValiditySeconds": null,
                "refreshTokenValiditySeconds": null, "creationDate": "1970-01-01T00:01:00+0000", "reuseRefreshToken": true}],
                "accessTokens": [{"id": 7, "value": "t-token"}], "refreshTokens": [{"id": 8, "value": "t-token"}]}}"#,
        );
        assert_eq!(listing.kinds, ["mitreid-clients"]);
        assert_eq!(export.kinds, ["mitreid-data"]);
        assert!(export.secrets_expected);
        assert_eq!(
            export.secrets,
            [
                "/mitreid-connect-1.3/clients/0/secret",
                "/mitreid-connect-1.3/accessTokens/0/value",
                "/mitreid-connect-1.3/refreshTokens/0/value"
            ]
        );
        for (field, expected) in [
            ("client_id", "c"),
            ("name", "Name"),
            ("token_endpoint_auth_method", "client_secret_post"),
            ("lifetimes.access_token", "unlimited"),
            ("lifetimes.refresh_token", "unlimited"),
            ("refresh_tokens", "true"),
            ("pkce_method", ""),
            ("created", "60"),
            ("has_secret", "true"),
        ] {
            assert_eq!(listing.targets[0].get(field), expected, "listing: {field}");
            assert_eq!(export.targets[0].get(field), expected, "export: {field}");
        }
    }

    #[test]
    fn zero_differs_by_token_and_version() {
        let got = read(
            r#"{"clientId": "c", "scope": ["offline_access"], "grantTypes": ["refresh_token"],
                "accessTokenValiditySeconds": 0, "refreshTokenValiditySeconds": 0}"#,
        );
        assert_eq!(got.kinds, ["mitreid-client"]);
        assert_eq!(got.targets[0].get("lifetimes.access_token"), "unlimited");
        assert!(got.targets[0].get("lifetimes.refresh_token").starts_with("unknown: 0 means no limit or dead at once"));
    }

    #[test]
    fn the_users_listing_shows_no_lifetimes() {
        let got = read(
            r#"[{"id": 1, "clientId": "c", "clientName": "N", "clientDescription": null, "scope": ["openid"], "logoUri": null}]"#,
        );
        assert_eq!(got.kinds, ["mitreid-clients"]);
        for field in ["lifetimes.access_token", "grant_types", "token_endpoint_auth_method", "public", "redirect_uris"]
        {
            assert!(got.targets[0].get(field).starts_with("unknown: the listing for users"), "{field}");
        }
    }

    #[test]
    fn other_camel_case_clients_are_left_to_others() {
        for text in [
            r#"[{"clientId": "c", "publicClient": true, "redirectUris": ["*"]}]"#,
            r#"{"clientId": "c", "clientName": "N", "allow_introspection": true}"#,
            r#"{"clientId": "c"}"#,
        ] {
            let kinds = read(text).kinds;
            assert!(kinds.iter().all(|kind| !kind.starts_with("mitreid")), "{text}: {kinds:?}");
        }
    }
}
