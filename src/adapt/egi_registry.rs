//! The EGI federation registry (rciam): client forms and the tenant policy.
//!
//! Forms spell lifetimes as JSON strings. Without `offline_access` among the scopes the registry stores no refresh
//! token lifetime at all.

use super::client_form::{OFFLINE_ACCESS, absent, emit, holds, inline_keys, pkce, product, public_from, tristate};
use super::list::{any_element, for_each_element, has_any};
use super::{Adapter, Kind, Reader, Sink, secret};
use crate::model::{Client, Field, State, TargetKind};
use crate::parse::{Cursor, Document};

/// The adapter.
pub(super) struct EgiRegistry;

const CLIENT: &str = "egi-registry-client";
const CLIENTS: &str = "egi-registry-clients";
const TENANT: &str = "egi-registry-tenant";

static KINDS: [Kind; 3] = [
    Kind {
        name: CLIENT,
        doc: "EGI federation registry: one service's registration form",
        targets: &[TargetKind::Client],
    },
    Kind { name: CLIENTS, doc: "EGI federation registry: list of registrations", targets: &[TargetKind::Client] },
    Kind {
        name: TENANT,
        doc: "EGI federation registry: a tenant's form configuration. Its numbers are the registry's own limits for \
              registrations, not settings of a token issuer, so there is nothing to judge in it",
        targets: &[],
    },
];

const NOT_SET: &str = "the form leaves it to the issuer";

fn is_client(at: Cursor<'_>) -> bool {
    let form = has_any(at, &["integration_environment", "id_token_timeout_seconds", "access_token_validation_model"]);
    let scalar_environment = at.get("integration_environment").is_none_or(|value| !value.is_seq());
    form && scalar_environment && has_any(at, &["client_id", "service_name", "redirect_uris"])
}

fn is_tenant(root: Cursor<'_>) -> bool {
    let form = root.get("form").filter(|form| form.is_map());
    form.is_some_and(|form| {
        form.get("integration_environment").is_some_and(Cursor::is_seq)
            && has_any(form, &["contact_types", "more_info"])
    })
}

impl Adapter for EgiRegistry {
    fn kinds(&self) -> &'static [Kind] {
        &KINDS
    }

    fn flows(&self, kind: &str) -> bool {
        matches!(kind, CLIENTS)
    }

    fn recognise(&self, document: &Document) -> Option<&'static str> {
        let root = document.root();
        if is_tenant(root) {
            Some(TENANT)
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
        match kind {
            TENANT => {}
            CLIENTS => for_each_element(root, sink, adapt_client),
            _ => adapt_client(root, sink),
        }
    }
}

fn adapt_client(at: Cursor<'_>, sink: &mut dyn Sink) {
    let reader = Reader::new(at);
    if reader.text("protocol").as_text() == Some("saml") {
        return;
    }
    let auth_method = reader.filled("token_endpoint_auth_method").or(Field::unknown(NOT_SET, None));
    let scopes = reader.words_or_texts("scope");
    let refresh = holds(&scopes, OFFLINE_ACCESS);
    let refresh_lifetime = reader.int_or_digits("refresh_token_validity_seconds");
    let client = Client {
        client_id: reader.filled("client_id"),
        name: reader.filled("service_name"),
        description: reader.filled("service_description"),
        product: product("egi-federation-registry"),
        redirect_uris: reader.texts("redirect_uris"),
        grant_types: reader.texts("grant_types"),
        public: public_from(&auth_method),
        auth_method,
        application_type: application_type(reader),
        contacts: contacts(reader),
        client_uri: reader.filled("website_url"),
        policy_uri: reader.filled("policy_uri"),
        tos_uri: reader.filled("aup_uri"),
        jwks_uri: reader.filled("jwks_uri"),
        has_inline_keys: inline_keys(reader, "jwks", sink),
        pkce_method: pkce(reader.text("code_challenge_method")),
        lifetime_access_token: positive(reader.int_or_digits("access_token_validity_seconds")),
        lifetime_refresh_token: match refresh {
            Some(false) => absent(refresh_lifetime.at),
            Some(true) | None => positive(refresh_lifetime),
        },
        lifetime_id_token: positive(reader.int_or_digits("id_token_timeout_seconds")),
        lifetime_device_code: device_code(reader),
        refresh_tokens: tristate(refresh, scopes.at, "the scopes do not show"),
        reuse_refresh_tokens: reader.bool("reuse_refresh_token"),
        allow_introspection: reader.bool("allow_introspection"),
        has_secret: secret::look(&reader, "client_secret", &[], sink).present,
        active: Field::bool(true, None),
        validation_model: validation_model(reader),
        environment: reader.filled("integration_environment"),
        scopes,
        ..Client::default()
    };
    emit(sink, at, client, "");
}

/// A lifetime as the form has it; empty, null and 0 leave the choice to the issuer behind the registry.
fn positive(field: Field<'_>) -> Field<'_> {
    let at = field.at;
    field.or(Field::unknown(NOT_SET, at)).map_int(|seconds, at| match seconds {
        1.. => Field::int(seconds, at),
        _ => Field::unknown(NOT_SET, at),
    })
}

fn device_code<'d>(reader: Reader<'d>) -> Field<'d> {
    let lifetime = reader.int_or_digits("device_code_validity_seconds");
    match holds(&reader.texts("grant_types"), super::client_form::grant::DEVICE_CODE) {
        Some(false) => absent(lifetime.at),
        Some(true) | None => positive(lifetime),
    }
}

fn application_type<'d>(reader: Reader<'d>) -> Field<'d> {
    let field = reader.filled("application_type");
    match field.as_text().map(str::to_ascii_lowercase) {
        Some(text) => Field::text(text, field.at),
        None => field,
    }
}

fn validation_model<'d>(reader: Reader<'d>) -> Field<'d> {
    let field = reader.filled("access_token_validation_model");
    match (field.as_text(), &field.state) {
        (Some("OFFLINE_VERIFIABLE"), _) => Field::text("offline", field.at),
        (Some("ONLINE_VALIDATION_REQUIRED"), _) => Field::text("online", field.at),
        (Some(_), _) => Field::malformed("OFFLINE_VERIFIABLE or ONLINE_VALIDATION_REQUIRED is expected", field.at),
        // The registry's default.
        (None, State::Absent) => Field::text("offline", None),
        (None, _) => field,
    }
}

/// Contacts are e-mail addresses, or objects with the address and its type.
fn contacts<'d>(reader: Reader<'d>) -> Field<'d> {
    let Some(list) = reader.cursor().get("contacts").filter(|list| list.is_seq()) else {
        return reader.texts("contacts");
    };
    let items = list.items().map(|item| match item.get("email").and_then(|email| Some((email, email.as_str()?))) {
        Some((email, text)) => Field::text(text, reader.place(email)),
        None => match item.as_str() {
            Some(text) => Field::text(text, reader.place(item)),
            None => Field::malformed("an e-mail address is expected", reader.place(item)),
        },
    });
    Field::list(items.collect(), reader.place(list))
}

#[cfg(test)]
mod tests {
    use crate::adapt::testing::{Collected, collect, corpus};
    use crate::parse::Syntax;

    fn read(text: &str) -> Collected {
        collect(text, Syntax::Json)
    }

    #[test]
    fn lifetimes_are_strings_of_digits() {
        for (value, expected, remark) in [
            (r#""3600""#, "3600", "as the form writes it"),
            ("3600", "3600", "as a number"),
            (r#""""#, "unknown: the form leaves it to the issuer", "empty"),
            ("null", "unknown: the form leaves it to the issuer", "null"),
            (r#""1h""#, "malformed: a whole number is expected", "a unit"),
        ] {
            let got = read(&format!(
                r#"{{"client_id": "c", "integration_environment": "production", "access_token_validity_seconds": {value}}}"#
            ));
            assert_eq!(got.kinds, ["egi-registry-client"], "{remark}");
            assert_eq!(got.targets[0].get("lifetimes.access_token"), expected, "{remark}");
        }
    }

    #[test]
    fn refresh_tokens_need_offline_access() {
        for (scope, expected) in [(r#"["openid"]"#, ""), (r#"["openid", "offline_access"]"#, "2592000")] {
            let got = read(&format!(
                r#"{{"service_name": "s", "id_token_timeout_seconds": "600", "scope": {scope}, "refresh_token_validity_seconds": "2592000"}}"#
            ));
            assert_eq!(got.targets[0].get("lifetimes.refresh_token"), expected, "{scope}");
        }
    }

    #[test]
    fn the_form_says_how_tokens_are_validated_and_where_it_runs() {
        for (model, expected) in [
            ("", "offline"),
            (r#", "access_token_validation_model": "ONLINE_VALIDATION_REQUIRED""#, "online"),
            (r#", "access_token_validation_model": "OFFLINE_VERIFIABLE""#, "offline"),
        ] {
            let got = read(&format!(
                r#"{{"client_id": "c", "integration_environment": "demo", "application_type": "NATIVE",
                    "contacts": [{{"email": "a@example.org", "type": "security"}}, "b@example.org"]{model}}}"#
            ));
            let client = &got.targets[0];
            assert_eq!(client.get("validation_model"), expected);
            assert_eq!(client.get("environment"), "demo");
            assert_eq!(client.get("application_type"), "native");
            assert_eq!(client.get("contacts"), "a@example.org b@example.org");
        }
    }

    #[test]
    fn saml_services_hold_no_oauth_client() {
        let got = read(r#"{"service_name": "s", "integration_environment": "demo", "protocol": "saml"}"#);
        assert_eq!((got.kinds, got.targets.len()), (vec!["egi-registry-client"], 0));
    }

    #[test]
    fn the_corpus_reads_as_a_person_reads_it() {
        let Some(form) = corpus("issuer/90-egi-federation-registry-initial-values.json") else { return };
        let got = read(&form);
        assert_eq!(got.kinds, ["egi-registry-client"]);
        assert_eq!(got.targets[0].get("lifetimes.access_token"), "3600");
        assert_eq!(got.targets[0].get("lifetimes.refresh_token"), "", "no offline_access");
        for file in ["88-egi-federation-registry-tenant.json", "89-egi-federation-registry-tenant1.json"] {
            let Some(tenant) = corpus(&format!("issuer/{file}")) else { return };
            let got = read(&tenant);
            assert_eq!((got.kinds, got.targets.len()), (vec!["egi-registry-tenant"], 0), "{file}");
        }
    }
}
