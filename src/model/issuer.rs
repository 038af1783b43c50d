//! Issuer metadata.

super::record! {
    /// OIDC discovery or RFC 8414 metadata of an issuer.
    pub struct Issuer {
        /// Issuer identifier; must equal the `iss` of its tokens character by character.
        issuer "issuer": Url,
        /// The product, where its constants show it (`indigo-iam`, `keycloak`, `oa4mp`, `dex`, `hydra`).
        product "product": Text,
        /// Authorization endpoint.
        authorization_endpoint "authorization_endpoint": Url,
        /// Token endpoint.
        token_endpoint "token_endpoint": Url,
        /// Userinfo endpoint.
        userinfo_endpoint "userinfo_endpoint": Url,
        /// Key set.
        jwks_uri "jwks_uri": Url,
        /// Dynamic registration endpoint (RFC 7591).
        registration_endpoint "registration_endpoint": Url,
        /// Introspection endpoint (RFC 7662).
        introspection_endpoint "introspection_endpoint": Url,
        /// Revocation endpoint (RFC 7009).
        revocation_endpoint "revocation_endpoint": Url,
        /// Device authorization endpoint (RFC 8628).
        device_authorization_endpoint "device_authorization_endpoint": Url,
        /// Every member that ends in `_endpoint` or `_uri`, but for `jwks_uri`, which has rules of its own.
        endpoints "endpoints": Urls,
        /// Scopes on offer.
        scopes_supported "scopes_supported": Texts,
        /// Response types on offer.
        response_types_supported "response_types_supported": Texts,
        /// Response modes on offer.
        response_modes_supported "response_modes_supported": Texts,
        /// Grant types on offer; absent means authorization_code and implicit (RFC 8414 section 2).
        grant_types_supported "grant_types_supported": Texts,
        /// Subject types on offer.
        subject_types_supported "subject_types_supported": Texts,
        /// Signature algorithms of ID tokens.
        id_token_algs "id_token_signing_alg_values_supported": Texts,
        /// Client authentication methods; absent means client_secret_basic.
        auth_methods "token_endpoint_auth_methods_supported": Texts,
        /// Algorithms of signed client assertions.
        auth_algs "token_endpoint_auth_signing_alg_values_supported": Texts,
        /// PKCE methods; absent means no PKCE (RFC 8414 section 2).
        code_challenge_methods "code_challenge_methods_supported": Texts,
        /// Claims on offer.
        claims_supported "claims_supported": Texts,
        /// True when responses carry `iss` (RFC 9207).
        response_iss "authorization_response_iss_parameter_supported": Bool,
        /// Human-readable documentation.
        service_documentation "service_documentation": Url,
        /// Policy page.
        op_policy_uri "op_policy_uri": Url,
        /// Terms of service page.
        op_tos_uri "op_tos_uri": Url,
    }
}
