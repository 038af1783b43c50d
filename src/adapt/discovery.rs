//! Issuer metadata: OpenID Connect discovery and RFC 8414, also the incomplete documents that SciTokens issuers serve.

use super::read::Reader;
use super::{Adapter, Kind, Sink};
use crate::model::{Field, Issuer, Target, TargetKind};
use crate::parse::{Cursor, Document};

/// The adapter for issuer metadata.
pub(super) struct Discovery;

const DISCOVERY: &str = "oidc-discovery";

impl Adapter for Discovery {
    fn kinds(&self) -> &'static [Kind] {
        &[Kind {
            name: DISCOVERY,
            doc: "Issuer metadata: .well-known/openid-configuration or .well-known/oauth-authorization-server",
            targets: &[TargetKind::Issuer],
        }]
    }

    fn recognise(&self, document: &Document) -> Option<&'static str> {
        let root = document.root();
        // Client registrations and relying parties' settings name an issuer and endpoints as well.
        const NOT_METADATA: [&str; 4] = ["client_id", "client_secret", "redirect_uris", "redirect_uri"];
        if !root.is_map() || NOT_METADATA.iter().any(|name| root.has(name)) {
            return None;
        }
        let metadata = root.entries().filter(|(name, _)| is_metadata(name)).count();
        (metadata >= if root.has("issuer") { 1 } else { 3 }).then_some(DISCOVERY)
    }

    fn adapt(&self, document: &Document, _kind: &'static str, sink: &mut dyn Sink) {
        let reader = Reader::new(document.root());
        let record = issuer(reader);
        let product = product(document.root());
        let record = Issuer {
            product: product
                .as_ref()
                .map_or_else(Field::default, |(name, _, at)| Field::text(*name, reader.place(*at))),
            ..record
        };
        let name = record.issuer.as_text().unwrap_or("").to_string();
        let mut target =
            Target::new(TargetKind::Issuer, if name.is_empty() { "issuer".into() } else { name.clone() }, record);
        target.identity = name.into();
        target.evidence = product.map_or(String::new(), |(name, why, _)| format!("{name}: {why}")).into();
        sink.target(&[document], target);
    }
}

fn is_metadata(name: &str) -> bool {
    name == "jwks_uri" || (name.ends_with("_endpoint") && name.len() > 9) || name.ends_with("_supported")
}

fn issuer<'d>(reader: Reader<'d>) -> Issuer<'d> {
    let endpoints: Vec<Field<'d>> = reader
        .cursor()
        .entries()
        .filter(|(name, _)| name.ends_with("_endpoint") || (name.ends_with("_uri") && *name != "jwks_uri"))
        .filter(|(_, value)| value.as_str().is_some())
        .map(|(_, value)| Field::text(value.as_str().unwrap_or(""), reader.place(value)))
        .collect();
    Issuer {
        issuer: reader.text("issuer"),
        product: Field::default(),
        authorization_endpoint: reader.text("authorization_endpoint"),
        token_endpoint: reader.text("token_endpoint"),
        userinfo_endpoint: reader.text("userinfo_endpoint"),
        jwks_uri: reader.text("jwks_uri"),
        registration_endpoint: reader.text("registration_endpoint"),
        introspection_endpoint: reader.text("introspection_endpoint"),
        revocation_endpoint: reader.text("revocation_endpoint"),
        device_authorization_endpoint: reader.text("device_authorization_endpoint"),
        endpoints: Field::list(endpoints, reader.place(reader.cursor())),
        scopes_supported: reader.texts("scopes_supported"),
        response_types_supported: reader.texts("response_types_supported"),
        response_modes_supported: reader.texts("response_modes_supported"),
        grant_types_supported: reader.texts("grant_types_supported"),
        subject_types_supported: reader.texts("subject_types_supported"),
        id_token_algs: reader.texts("id_token_signing_alg_values_supported"),
        auth_methods: reader.texts("token_endpoint_auth_methods_supported"),
        auth_algs: reader.texts("token_endpoint_auth_signing_alg_values_supported"),
        code_challenge_methods: reader.texts("code_challenge_methods_supported"),
        claims_supported: reader.texts("claims_supported"),
        response_iss: reader.bool("authorization_response_iss_parameter_supported"),
        service_documentation: reader.text("service_documentation"),
        op_policy_uri: reader.text("op_policy_uri"),
        op_tos_uri: reader.text("op_tos_uri"),
    }
}

/// The product, the evidence, and the member that shows it.
pub(crate) fn product<'d>(root: Cursor<'d>) -> Option<(&'static str, String, Cursor<'d>)> {
    // Endings and parts of one endpoint that no other product has.
    let unique = [
        ("indigo-iam", "registration_endpoint", "/iam/api/client-registration"),
        ("keycloak", "token_endpoint", "/protocol/openid-connect/token"),
        ("keycloak", "jwks_uri", "/protocol/openid-connect/certs"),
        ("oa4mp", "registration_endpoint", "/oidc-cm"),
    ];
    let text = |name: &str| root.get(name).and_then(|value| Some((value.as_str()?, value)));
    for (product, member, ending) in unique {
        if let Some((_, at)) = text(member).filter(|(url, _)| url.trim_end_matches('/').ends_with(ending)) {
            return Some((product, format!("{member} ends in {ending}"), at));
        }
    }
    // Plain endpoint names that only count together.
    let together = [
        ("indigo-iam", "device_authorization_endpoint", "/devicecode", "scim_endpoint", "/scim"),
        ("indigo-iam", "device_authorization_endpoint", "/devicecode", "jwks_uri", "/jwk"),
        ("hydra", "token_endpoint", "/oauth2/token", "jwks_uri", "/.well-known/jwks.json"),
        ("dex", "device_authorization_endpoint", "/device/code", "jwks_uri", "/keys"),
    ];
    for (product, first, first_ending, second, second_ending) in together {
        if let (Some((one, at)), Some((two, _))) = (text(first), text(second))
            && one.ends_with(first_ending)
            && two.ends_with(second_ending)
        {
            return Some((product, format!("{first} ends in {first_ending} and {second} in {second_ending}"), at));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::super::testing::collect;
    use crate::parse::Syntax;

    #[test]
    fn metadata_is_read() {
        let got = collect(
            r#"{"issuer":"https://iam.example.org/","token_endpoint":"https://iam.example.org/token",
                "jwks_uri":"https://iam.example.org/jwk","scopes_supported":["openid",7],"op_tos_uri":null,
                "registration_endpoint":"https://iam.example.org/iam/api/client-registration",
                "grant_types_supported":"code","authorization_response_iss_parameter_supported":true}"#,
            Syntax::Json,
        );
        assert_eq!(got.kinds, ["oidc-discovery"]);
        let issuer = &got.targets[0];
        assert_eq!(
            (issuer.name.as_str(), issuer.identity.as_str()),
            ("https://iam.example.org/", "https://iam.example.org/")
        );
        assert_eq!(issuer.get("product"), "indigo-iam");
        assert_eq!(issuer.evidence, "indigo-iam: registration_endpoint ends in /iam/api/client-registration");
        assert_eq!(issuer.get("scopes_supported"), "openid malformed: a string is expected, a number stands there");
        assert_eq!(issuer.get("grant_types_supported"), "malformed: a list is expected, a string stands there");
        assert_eq!(issuer.get("endpoints").split(' ').count(), 2, "jwks_uri has rules of its own");
        assert_eq!(issuer.get("response_types_supported"), "", "absent stays absent");
        assert_eq!(issuer.get("authorization_response_iss_parameter_supported"), "true");
        assert_eq!(issuer.pointers["jwks_uri"], "/jwks_uri");
    }

    #[test]
    fn products_show_by_their_constants() {
        for (members, product) in [
            (r#""token_endpoint":"https://kc.example/realms/x/protocol/openid-connect/token""#, "keycloak"),
            (r#""registration_endpoint":"https://h.example/scitokens-server/oidc-cm""#, "oa4mp"),
            (
                r#""token_endpoint":"https://h.example/oauth2/token","jwks_uri":"https://h.example/.well-known/jwks.json""#,
                "hydra",
            ),
            (
                r#""device_authorization_endpoint":"https://h.example/dex/device/code","jwks_uri":"https://h.example/dex/keys""#,
                "dex",
            ),
            (
                r#""device_authorization_endpoint":"https://h.example/devicecode","jwks_uri":"https://h.example/jwk""#,
                "indigo-iam",
            ),
            (r#""jwks_uri":"https://h.example/jwk""#, ""),
        ] {
            let got = collect(&format!(r#"{{"issuer":"https://h.example",{members}}}"#), Syntax::Json);
            assert_eq!(got.targets[0].get("product"), product, "{members}");
        }
    }

    #[test]
    fn incomplete_metadata_is_recognised_and_clients_are_not() {
        for (text, expected) in [
            (r#"{"issuer":"https://h.example","jwks_uri":"https://h.example/jwks"}"#, true),
            (r#"{"token_endpoint":"https://h.example/t","jwks_uri":"x","scopes_supported":[]}"#, true),
            (r#"{"token_endpoint":"https://h.example/t","jwks_uri":"x"}"#, false),
            (r#"{"issuer":"https://h.example","register":"https://h.example/r"}"#, false),
            (r#"{"issuer":"https://h.example","token_endpoint":"x","client_id":"c"}"#, false),
            (r#"[{"issuer":"https://h.example","token_endpoint":"x"}]"#, false),
        ] {
            assert_eq!(collect(text, Syntax::Json).kinds == ["oidc-discovery"], expected, "{text}");
        }
    }
}
