//! An authorization server's own configuration.

super::record! {
    /// Settings of an authorization server or token broker.
    pub struct Settings {
        /// The product (`indigo-iam`, `keycloak`, `dex`, `hydra`, `mytoken`, `htvault-config`, `oidc-agent`, …).
        product "product": Text,
        /// Software version, where an image tag or the file shows it.
        version "version": Text,
        /// Issuer identifier.
        issuer "issuer": Url,
        /// Base URL of the endpoints.
        base_url "base_url": Url,
        /// Default lifetime of access tokens in seconds.
        lifetime_access_token "lifetimes.access_token": Seconds,
        /// Default lifetime of refresh tokens in seconds.
        lifetime_refresh_token "lifetimes.refresh_token": Seconds,
        /// Longest time a refresh token may stay unused, in seconds.
        lifetime_refresh_idle "lifetimes.refresh_idle": Seconds,
        /// Longest lifetime of refresh tokens that outlive the session (Keycloak's offline tokens), in seconds;
        /// unlimited where they never expire. Absent where the product has no such kind.
        lifetime_offline_token "lifetimes.offline_token": Seconds,
        /// Lifetime of ID tokens in seconds.
        lifetime_id_token "lifetimes.id_token": Seconds,
        /// Lifetime of device codes in seconds.
        lifetime_device_code "lifetimes.device_code": Seconds,
        /// Lifetime of authorization codes in seconds.
        lifetime_authorization_code "lifetimes.authorization_code": Seconds,
        /// Lifetime of registration access tokens in seconds.
        lifetime_registration_token "lifetimes.registration_token": Seconds,
        /// Lifetimes that are longer than the last audit accepted, each with both; empty when none is. Known only to
        /// `tokenvet audit`, of what an earlier one has seen.
        lifetimes_grown "lifetimes.grown": Texts,
        /// How long verifiers may cache the key set (Cache-Control max-age), in seconds.
        jwks_cache "jwks_cache": Seconds,
        /// Time between changes of the signing key, in seconds.
        key_rotation "key_rotation": Seconds,
        /// How far `nbf` is put before `iat`, in seconds.
        nbf_offset "nbf_offset": Seconds,
        /// Token profile issued by default (`wlcg`, `iam`, `aarc`, `kc`).
        default_profile "default_profile": Text,
        /// Who may register clients: `anyone`, `users`, `administrators` or `nobody`.
        registration "registration": Text,
        /// True when access tokens carry the user's name, e-mail and groups whatever was asked for.
        authn_info_in_token "authn_info_in_token": Bool,
        /// True when access tokens carry the granted scopes, whatever sets that (INDIGO IAM: the token profile or a switch).
        scope_in_token "scope_in_token": Bool,
        /// True when access tokens carry `nbf`.
        nbf_in_token "nbf_in_token": Bool,
        /// True when the server's scope policies are enforced.
        scope_policies "scope_policies": Bool,
        /// True when only administrators may give clients scopes that the server does not know.
        custom_scopes_admin_only "custom_scopes_admin_only": Bool,
        /// True when the server records when a client last got a token.
        tracks_last_used "tracks_last_used": Bool,
        /// True when the device flow offers a link that already holds the user code.
        device_complete_uri "device_complete_uri": Bool,
        /// TLS version that the server speaks to fetch certificates and metadata, in the product's spelling (`TLSv1`).
        tls_version "tls_version": Text,
        /// True when SAML metadata of identity providers must carry a valid signature.
        saml_metadata_signed "saml_metadata_signed": Bool,
        /// True when one refresh token may be used again and again (no rotation).
        reuse_refresh_tokens "reuse_refresh_tokens": Bool,
        /// True when PKCE is demanded of public clients.
        pkce_enforced "pkce_enforced": Bool,
        /// Signature algorithm.
        signing_alg "signing_alg": Text,
        /// Size of the RSA key the server signs with, in bits; absent for elliptic curves.
        signing_key_bits "signing_key_bits": Int,
        /// Where the signing keys are read from.
        keystore "keystore": Text,
        /// True when that is a key the product ships, whose private half everybody has.
        keystore_is_default "keystore_is_default": Bool,
        /// Settings that hold a password or secret a product ships or documents; items name the setting.
        default_secrets "default_secrets": Texts,
        /// Settings that the running version ignores (renamed, misspelt); items name the setting.
        ignored_settings "ignored_settings": Texts,
        /// Start-up profiles that load test users and clients, or a product's development mode (Keycloak `start-dev`).
        test_profiles "test_profiles": Texts,
        /// True when a token exchange can widen the scopes of the exchanged token.
        exchange_upscoping "exchange_upscoping": Bool,
        /// Which connections must use TLS: `none`, `external` or `all`.
        tls_required "tls_required": Text,
        /// Redirect URIs that skip consent; mytoken's are regular expressions.
        trusted_redirects "trusted_redirects": Texts,
        /// Grant types the server offers.
        grant_types "grant_types": Texts,
        /// Scopes the server or broker asks for or hands out.
        scopes "scopes": Texts,
        /// True when users are not asked for consent.
        skips_consent "skips_consent": Bool,
    }
}
