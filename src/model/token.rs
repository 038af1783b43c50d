//! A JSON Web Token.

super::record! {
    /// A decoded JWT. Claims that are not listed here stay reachable for native rules.
    pub struct Token {
        /// `alg` of the JOSE header.
        alg "header.alg": Text,
        /// `kid` of the JOSE header.
        kid "header.kid": Text,
        /// `typ` of the JOSE header.
        typ "header.typ": Text,
        /// `crit` of the JOSE header.
        crit "header.crit": Texts,
        /// Header members that make a verifier fetch or trust a key of the token's own choice (`jku`, `x5u`, `jwk`, `x5c`);
        /// empty when there is none.
        key_references "header.key_references": Texts,
        /// A `kid` among the claims instead of the header.
        kid_claim "kid": Text,
        /// Issuer.
        iss "iss": Url,
        /// Subject.
        sub "sub": Text,
        /// Audience; one string counts as a list of one.
        aud "aud": Texts,
        /// Expiry.
        exp "exp": Time,
        /// Start of validity.
        nbf "nbf": Time,
        /// Time of issue.
        iat "iat": Time,
        /// Token identifier.
        jti "jti": Text,
        /// `exp` minus `nbf`, or minus `iat` without `nbf`; unlimited without `exp`.
        lifetime "lifetime": Seconds,
        /// `iat` minus `nbf`: how far the start of validity was put back; negative when `nbf` is later.
        backdating "backdating": Seconds,
        /// Scopes of the `scope` claim (a space-separated string) or of an `scp` list.
        scopes "scope": Texts,
        /// The spelling of the scope claim: `string`, `array`, `scp`.
        scope_form "scope_form": Text,
        /// Client the token was issued to (`client_id`, `azp`, `cid`).
        client_id "client_id": Text,
        /// Authorized party of an ID token.
        azp "azp": Text,
        /// `wlcg.ver`.
        wlcg_ver "wlcg.ver": Text,
        /// `wlcg.groups`.
        wlcg_groups "wlcg.groups": Texts,
        /// First segments of `wlcg.groups` without their slash, each once, where its first group stands; as a whole it
        /// points at the group that brings in the second one. Groups without a leading slash are left out.
        wlcg_roots "wlcg.roots": Texts,
        /// `ver` (SciTokens).
        ver "ver": Text,
        /// `auth_time`.
        auth_time "auth_time": Time,
        /// `acr`.
        acr "acr": Text,
        /// `nonce`.
        nonce "nonce": Text,
        /// `at_hash`.
        at_hash "at_hash": Text,
        /// `eduperson_assurance`.
        assurance "eduperson_assurance": Texts,
        /// `entitlements` and `eduperson_entitlement`.
        entitlements "entitlements": Texts,
        /// Which of the claims `entitlements` and `eduperson_entitlement` are there; items name the claim, empty when none is.
        entitlement_claims "entitlement_claims": Texts,
        /// `voperson_id`; one string counts as a list of one.
        voperson_id "voperson_id": Texts,
        /// `eduperson_unique_id`.
        unique_id "eduperson_unique_id": Text,
        /// Scoped affiliations: `eduperson_scoped_affiliation` and `voperson_external_affiliation`.
        affiliations "affiliations": Texts,
        /// `groups`.
        groups "groups": Texts,
        /// `roles`.
        roles "roles": Texts,
        /// Claims that name or describe a person (`name`, `email`, `preferred_username`, …); empty when there is none.
        personal_claims "personal_claims": Texts,
        /// `cnf.jkt`: thumbprint of the key a DPoP-bound token is bound to (RFC 9449 section 6.1).
        bound_key "cnf.jkt": Text,
        /// `x5t#S256` of `cnf`: hash of the certificate a token is bound to (RFC 8705 section 3.1).
        bound_certificate "cnf.x5t_s256": Text,
        /// Claims without a value (null, or an empty text, list or object); items name the claim, empty when there is none.
        empty_claims "empty_claims": Texts,
        /// Registered claims whose JSON type their RFC forbids (RFC 7519 section 4.1; `client_id`, `act` and `may_act` by RFC 8693);
        /// items name the claim, empty when there is none.
        mistyped_claims "mistyped_claims": Texts,
        /// The virtual organisation that all of `wlcg.groups` belong to: their first segment; absent when they differ.
        vo "vo": Text,
        /// True when a key of the issuer made the signature, false when it did not; absent when no such key is at
        /// hand. Settled after all documents were read, so only rules with `join` see it.
        signature_valid "signature_valid": Bool,
        /// Thumbprint of the key that `signature_valid` rests on.
        verifying_key "verifying_key": Text,
        /// True when the compact form carries a signature (an empty third part is none).
        signed "signed": Bool,
        /// Length of the compact form in bytes; absent for decoded tokens.
        size "size": Int,
        /// Fewest path components among the storage scopes that permit more than reading and polling (`/` has none); absent
        /// without such a scope.
        storage_depth "storage_depth": Int,
        /// Paths of those scopes, each once.
        storage_paths "storage_paths": Texts,
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
