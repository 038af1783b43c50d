//! Generic OAuth client metadata (RFC 7591, OpenID Connect Registration): requests, responses, and listings of them.
//!
//! The last resort among client forms. The standard has no lifetimes and no flag for suspended clients, so these stay
//! unknown or absent; its defaults are filled in.

use super::client_form::{
    OFFLINE_ACCESS, absent, default_list, emit, grant, holds, inline_keys, public_from, tristate,
};
use super::list::{any_element, for_each_element};
use super::{Adapter, Kind, Reader, Sink, secret};
use crate::model::{Client, Field, TargetKind};
use crate::parse::{Cursor, Document};

/// The adapter.
pub(super) struct Rfc7591;

const CLIENT: &str = "rfc7591-client";
const CLIENTS: &str = "rfc7591-clients";
const REQUEST: &str = "rfc7591-client-request";

const TARGETS: &[TargetKind] = &[TargetKind::Client, TargetKind::KeySet, TargetKind::Key];

static KINDS: [Kind; 3] = [
    Kind {
        name: CLIENT,
        doc: "RFC 7591: a registered client as the issuer answers (it has a client_id)",
        targets: TARGETS,
    },
    Kind { name: CLIENTS, doc: "RFC 7591: a list of clients", targets: TARGETS },
    Kind { name: REQUEST, doc: "RFC 7591: a registration request (no client_id yet)", targets: TARGETS },
];

const NO_LIFETIMES: &str = "RFC 7591 registrations carry no lifetimes; the issuer's own export does";

/// Any of these beside `redirect_uris` makes a client registration.
const COMPANIONS: [&str; 4] = ["client_id", "grant_types", "token_endpoint_auth_method", "client_name"];

fn is_client(at: Cursor<'_>) -> bool {
    at.get("redirect_uris").is_some_and(Cursor::is_seq) && COMPANIONS.iter().any(|name| at.has(name))
}

impl Adapter for Rfc7591 {
    fn kinds(&self) -> &'static [Kind] {
        &KINDS
    }

    fn recognise(&self, document: &Document) -> Option<&'static str> {
        let root = document.root();
        if is_client(root) && root.get("client_id").is_some_and(|id| !id.is_null()) {
            Some(CLIENT)
        } else if is_client(root) {
            Some(REQUEST)
        } else if any_element(root, is_client) {
            Some(CLIENTS)
        } else {
            None
        }
    }

    fn adapt(&self, document: &Document, _kind: &'static str, sink: &mut dyn Sink) {
        let root = document.root();
        let visit = |at: Cursor<'_>, sink: &mut dyn Sink| {
            let client = client(Reader::new(at), sink);
            emit(sink, at, client, "");
        };
        if root.is_seq() {
            for_each_element(root, sink, visit);
        } else {
            visit(root, sink);
        }
    }
}

/// The members of RFC 7591 with its defaults; lifetimes unknown. Other forms that extend it start from this.
pub(super) fn client<'d>(reader: Reader<'d>, sink: &mut dyn Sink) -> Client<'d> {
    let auth_method = reader.filled("token_endpoint_auth_method").or(Field::text("client_secret_basic", None));
    let grant_types = reader.texts("grant_types").or(default_list(&[grant::AUTHORIZATION_CODE]));
    let scopes = match reader.words_or_texts("scope") {
        field if field.is_absent() => {
            Field::unknown("the issuer adds its default scopes to a registration without any", field.at)
        }
        field => field,
    };
    secret::look(&reader, "registration_access_token", &[], sink);
    // Whether offline_access is needed besides the grant is the issuer's own matter.
    let refresh = holds(&grant_types, grant::REFRESH_TOKEN);
    let offline = holds(&scopes, OFFLINE_ACCESS) == Some(true);
    let refresh = if refresh == Some(false) && offline { None } else { refresh };
    Client {
        client_id: reader.filled("client_id"),
        name: reader.filled("client_name"),
        redirect_uris: reader.texts("redirect_uris"),
        active: Field::bool(true, None),
        response_types: reader.texts("response_types").or(default_list(&["code"])),
        public: public_from(&auth_method),
        auth_method,
        application_type: reader.filled("application_type").or(Field::text("web", None)),
        contacts: reader.texts("contacts"),
        client_uri: reader.filled("client_uri"),
        policy_uri: reader.filled("policy_uri"),
        tos_uri: reader.filled("tos_uri"),
        jwks_uri: reader.filled("jwks_uri"),
        has_inline_keys: inline_keys(reader, "jwks", sink),
        pkce_method: super::client_form::pkce(reader.text("code_challenge_method")),
        lifetime_access_token: Field::unknown(NO_LIFETIMES, None),
        lifetime_refresh_token: match refresh {
            Some(false) => Field::default(),
            Some(true) | None => Field::unknown(NO_LIFETIMES, None),
        },
        lifetime_id_token: Field::unknown(NO_LIFETIMES, None),
        refresh_tokens: tristate(refresh, grant_types.at, "the scope asks for refresh tokens, the grant types do not"),
        created: reader.int("client_id_issued_at"),
        secret_expires: reader.int("client_secret_expires_at").map_int(|time, at| match time {
            0 => absent(at),
            _ => Field::int(time, at),
        }),
        has_secret: secret::look(&reader, "client_secret", &[], sink).present,
        id_token_alg: reader.filled("id_token_signed_response_alg"),
        encryption_algs: encryption_algs(reader),
        encryption_without_alg: encryption_without_alg(reader),
        auth_signing_alg: reader.filled("token_endpoint_auth_signing_alg"),
        request_uris: reader.texts("request_uris"),
        tls_names: members(reader, |name| name.starts_with("tls_client_auth_")),
        registration_client_uri: reader.filled("registration_client_uri"),
        grant_types,
        scopes,
        ..Client::default()
    }
}

/// Members that hold an encryption algorithm, and those that need one beside them.
const ENCRYPTION: [(&str, &str); 3] = [
    ("id_token_encrypted_response_alg", "id_token_encrypted_response_enc"),
    ("userinfo_encrypted_response_alg", "userinfo_encrypted_response_enc"),
    ("request_object_encryption_alg", "request_object_encryption_enc"),
];

fn encryption_algs<'d>(reader: Reader<'d>) -> Field<'d> {
    let algs: Vec<Field<'d>> =
        ENCRYPTION.iter().map(|(alg, _)| reader.filled(alg)).filter(|field| !field.is_absent()).collect();
    if algs.is_empty() { Field::default() } else { Field::list(algs, reader.place(reader.cursor())) }
}

fn encryption_without_alg<'d>(reader: Reader<'d>) -> Field<'d> {
    let alone = |name: &str| ENCRYPTION.iter().any(|(alg, enc)| *enc == name && reader.filled(alg).is_absent());
    members(reader, alone)
}

/// The members with a value whose name fits, as a list of their names.
fn members<'d>(reader: Reader<'d>, fits: impl Fn(&str) -> bool) -> Field<'d> {
    let items: Vec<_> = reader
        .cursor()
        .entries()
        .filter(|(name, _)| fits(name) && !reader.filled(name).is_absent())
        .map(|(name, value)| Field::text(name, reader.place(value)))
        .collect();
    Field::list(items, reader.place(reader.cursor()))
}

#[cfg(test)]
mod tests {
    use crate::adapt::testing::{Collected, collect, corpus};
    use crate::model::TargetKind;
    use crate::parse::Syntax;

    fn read(text: &str) -> Collected {
        collect(text, Syntax::Json)
    }

    #[test]
    fn defaults_of_the_standard_are_filled_in() {
        let got =
            read(r#"{"client_id": "c", "redirect_uris": ["https://a.example/cb"], "client_secret_expires_at": 0}"#);
        assert_eq!(got.kinds, ["rfc7591-client"]);
        let client = &got.targets[0];
        for (field, expected) in [
            ("grant_types", "authorization_code"),
            ("response_types", "code"),
            ("token_endpoint_auth_method", "client_secret_basic"),
            ("application_type", "web"),
            ("public", "false"),
            ("active", "true"),
            ("secret_expires", ""),
            ("refresh_tokens", "false"),
            ("lifetimes.refresh_token", ""),
        ] {
            assert_eq!(client.get(field), expected, "{field}");
        }
        assert!(client.get("lifetimes.access_token").starts_with("unknown: RFC 7591"));
        assert!(client.get("scopes").starts_with("unknown: "), "an issuer adds its defaults");
    }

    #[test]
    fn requests_and_lists_have_their_own_kinds() {
        let request =
            read(r#"{"redirect_uris": ["http://127.0.0.1/cb"], "grant_types": ["refresh_token"], "scope": "a b"}"#);
        assert_eq!(request.kinds, ["rfc7591-client-request"]);
        assert_eq!(request.targets[0].get("scopes"), "a b");
        assert!(request.targets[0].get("lifetimes.refresh_token").starts_with("unknown: "));
        let list = read(r#"[{"redirect_uris": [], "client_id": "c1"}, {"redirect_uris": [], "client_id": "c2"}]"#);
        assert_eq!((list.kinds, list.targets.len()), (vec!["rfc7591-clients"], 2));
    }

    #[test]
    fn encryption_and_certificate_names() {
        let got = read(
            r#"{"client_id": "c", "redirect_uris": [], "id_token_encrypted_response_alg": "RSA-OAEP",
                "id_token_encrypted_response_enc": "A256GCM", "request_object_encryption_enc": "A256GCM",
                "tls_client_auth_san_dns": "c.example", "tls_client_auth_subject_dn": ""}"#,
        );
        for (field, expected, remark) in [
            ("encryption_algs", "RSA-OAEP", ""),
            ("encryption_without_alg", "request_object_encryption_enc", "the other has its algorithm"),
            ("tls_names", "tls_client_auth_san_dns", "an empty name is none"),
        ] {
            assert_eq!(got.targets[0].get(field), expected, "{field} {remark}");
        }
    }

    #[test]
    fn keys_and_secrets() {
        let got = read(
            r#"{"client_id": "c", "redirect_uris": [], "jwks": {"keys": [{"kty": "EC"}]}, "client_secret": "t-secret",
                "registration_access_token": "t-token", "client_id_issued_at": 1622230466, "client_secret_expires_at": 1700000000}"#,
        );
        assert_eq!(got.secrets, ["/registration_access_token", "/client_secret"]);
        let [set, key, client] = &got.targets[..] else { panic!("key set, key and client expected") };
        assert_eq!((set.kind, key.kind), (TargetKind::KeySet, TargetKind::Key));
        assert_eq!(client.get("has_inline_keys"), "true");
        assert_eq!(client.get("created"), "1622230466", "seconds, unlike INDIGO IAM");
        assert_eq!(client.get("secret_expires"), "1700000000");
        assert!(!got.secrets_expected);
    }

    #[test]
    fn other_documents_are_no_clients() {
        for (text, remark) in [
            (r#"{"issuer": "https://i.example", "jwks_uri": "https://i.example/jwks"}"#, "discovery"),
            (r#"{"keys": []}"#, "JWKS"),
            (r#"{"client_id": "c", "scope": "openid", "exp": 1}"#, "introspection or token"),
            (r#"{"client_id": "c", "client_secret": "t"}"#, "no redirect_uris"),
            (r#"{"redirect_uris": "https://a.example"}"#, "not a list, nothing beside it"),
        ] {
            let kinds = read(text).kinds;
            assert!(kinds.iter().all(|kind| !kind.starts_with("rfc7591")), "{remark}: {kinds:?}");
        }
    }

    #[test]
    fn the_corpus_reads_as_a_person_reads_it() {
        let Some(text) = corpus("issuer/25-iam-client-registration-request.json") else { return };
        let got = read(&text);
        assert_eq!(got.kinds, ["rfc7591-client-request"], "nothing in it is INDIGO IAM's own");
        assert_eq!(got.targets[0].get("refresh_tokens"), "true");
    }
}
