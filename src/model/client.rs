//! A registered OAuth client.

super::record! {
    /// A client registration, whatever product it was exported from.
    pub struct Client {
        /// Identifier the issuer knows the client by.
        client_id "client_id": Text,
        /// Name for people.
        name "name": Text,
        /// Free description.
        description "description": Text,
        /// The issuer the client is registered at, where the file says so.
        issuer "issuer": Url,
        /// The product whose form this is (`indigo-iam`, `keycloak`, `mitreid`, `oa4mp`, `hydra`, `egi-federation-registry`, …).
        product "product": Text,
        /// Redirect URIs of the authorization-code and implicit flows.
        redirect_uris "redirect_uris": Urls,
        /// Origins that browsers may call the token endpoint from (Keycloak `webOrigins`).
        web_origins "web_origins": Texts,
        /// Grant types the client may use, as RFC 7591 and RFC 8628/8693 names. A product's default is filled in.
        grant_types "grant_types": Texts,
        /// Response types the client may use.
        response_types "response_types": Texts,
        /// Scopes the client may request: a ceiling, not what its tokens hold.
        scopes "scopes": Texts,
        /// Audiences the client may request, where the product restricts them.
        audience "audience": Texts,
        /// Kind of the client's access tokens, where the registration chooses it (OA4MP `wlcg`, `sci_token`, `rfc9068`,
        /// `default`).
        token_profile "token_profile": Text,
        /// How the client authenticates at the token endpoint, as an RFC 7591 name; `none` is a public client.
        auth_method "token_endpoint_auth_method": Text,
        /// True when the client has no credential (auth method `none`, Keycloak `publicClient`).
        public "public": Bool,
        /// `web` or `native`, where registered; native clients run on a user's machine.
        application_type "application_type": Text,
        /// E-mail addresses of people responsible.
        contacts "contacts": Texts,
        /// Home page.
        client_uri "client_uri": Url,
        /// Privacy policy page.
        policy_uri "policy_uri": Url,
        /// Terms of service page.
        tos_uri "tos_uri": Url,
        /// Where the client publishes its keys.
        jwks_uri "jwks_uri": Url,
        /// True when keys are registered inline (`jwks`, or INDIGO IAM's `jwk` string).
        has_inline_keys "has_inline_keys": Bool,
        /// PKCE method the registration demands (`S256`, `plain`); absent when the client may go without PKCE.
        pkce_method "pkce_method": Text,
        /// Lifetime of access tokens in seconds. Unlimited where the product issues tokens without `exp`.
        lifetime_access_token "lifetimes.access_token": Seconds,
        /// Lifetime of refresh tokens in seconds. Unlimited where they never expire; absent where none are issued.
        lifetime_refresh_token "lifetimes.refresh_token": Seconds,
        /// Lifetime of ID tokens in seconds.
        lifetime_id_token "lifetimes.id_token": Seconds,
        /// Lifetime of device codes in seconds.
        lifetime_device_code "lifetimes.device_code": Seconds,
        /// Lifetimes that are longer than the last audit accepted, each with both; empty when none is. Known only to
        /// `tokenvet audit`, of what an earlier one has seen.
        lifetimes_grown "lifetimes.grown": Texts,
        /// True when the client can get refresh tokens at all: the grant and, where the product asks for it, `offline_access`.
        refresh_tokens "refresh_tokens": Bool,
        /// True when one refresh token may be used again and again (no rotation).
        reuse_refresh_tokens "reuse_refresh_tokens": Bool,
        /// True when the client registered itself (RFC 7591) instead of being made by an administrator.
        dynamically_registered "dynamically_registered": Bool,
        /// False when the client was suspended; rules on live clients do not judge suspended ones. Adapters of products
        /// without such a state fill in true, so that rules can ask for `active: {is: true}`.
        active "active": Bool,
        /// When the client was registered.
        created "created": Time,
        /// When it last got a token, where the product tracks that; absent does not mean never.
        last_used "last_used": Time,
        /// When the client secret expires; absent or 0 in the file means never.
        secret_expires "secret_expires": Time,
        /// True when the client has a secret: the file holds it in clear, or a snapshot says that it was withheld.
        has_secret "has_secret": Bool,
        /// True when the secret is one that a product ships or documents (`secret`, `example-app-secret`).
        secret_is_default "secret_is_default": Bool,
        /// True when every role or scope of the realm lands in the token (Keycloak `fullScopeAllowed`).
        full_scope "full_scope": Bool,
        /// True when users are not asked for consent.
        skips_consent "skips_consent": Bool,
        /// True when the client may introspect tokens of others.
        allow_introspection "allow_introspection": Bool,
        /// Signature algorithm of ID tokens for this client.
        id_token_alg "id_token_signed_response_alg": Text,
        /// Encryption algorithms registered (`…_encrypted_response_alg`, `request_object_encryption_alg`).
        encryption_algs "encryption_algs": Texts,
        /// Content encryptions (`…_enc`) registered without the algorithm they need; items name the member, empty when there is none.
        encryption_without_alg "encryption_without_alg": Texts,
        /// Signature algorithm of the client's assertions.
        auth_signing_alg "token_endpoint_auth_signing_alg": Text,
        /// Where the client publishes request objects.
        request_uris "request_uris": Urls,
        /// Names by which the client's certificate is known (RFC 8705 section 2.1.2); items name the member, empty when there is none.
        tls_names "tls_names": Texts,
        /// Where the registration is managed (RFC 7592).
        registration_client_uri "registration_client_uri": Url,
        /// How resource servers validate its tokens: `offline` or `online` (EGI federation registry).
        validation_model "validation_model": Text,
        /// `production`, `development` or `demo`, where the registration says so.
        environment "environment": Text,
        /// The policy's workflow it belongs to; absent without `workflows:`, and unless exactly one fits.
        workflow "workflow.name": Text,
        /// Class of that workflow.
        workflow_class "workflow.class": Text,
        /// Whose work it is: `production`, `power` or `ordinary`.
        workflow_user_class "workflow.user_class": Text,
        /// How long a transfer of that workflow may take.
        workflow_max_transfer_time "workflow.max_transfer_time": Seconds,
        /// Every workflow that fits; absent without `workflows:`, empty when none fits.
        workflow_fitting "workflow.fitting": Texts,
    }
}
