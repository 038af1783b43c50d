//! JSON Web Keys.

super::record! {
    /// One JSON Web Key (RFC 7517).
    pub struct Key {
        /// The issuer the keys belong to: of the metadata in the same folder, where there is exactly one; never in
        /// the file itself.
        issuer "issuer": Url,
        /// Key type: `RSA`, `EC`, `OKP` or `oct`.
        kty "kty": Text,
        /// Key id.
        kid "kid": Text,
        /// `sig` or `enc`.
        key_use "use": Text,
        /// Algorithm the key is for.
        alg "alg": Text,
        /// Curve of EC and OKP keys.
        crv "crv": Text,
        /// Operations the key is for.
        key_ops "key_ops": Texts,
        /// Size of the RSA modulus, the EC field or the symmetric key, in bits.
        bits "bits": Int,
        /// RSA public exponent, where it fits 63 bits.
        exponent "exponent": Int,
        /// Members that hold private or symmetric key material; items name the member, never the value.
        private_members "private_members": Texts,
        /// Members whose base64url carries `=` padding or non-url characters.
        padded_members "padded_members": Texts,
        /// Members that the key's type demands and that are missing; items name them, empty when there is none.
        missing_members "missing_members": Texts,
        /// EC coordinates that are not as long as the curve's field (leading zeros cut off); items name the member.
        short_coordinates "short_coordinates": Texts,
        /// RFC 7638 SHA-256 thumbprint, base64url.
        thumbprint "thumbprint": Text,
        /// Name of the published test key this is, when it is one (its private half is public).
        known_test_key "known_test_key": Text,
        /// Certificate chain members present (`x5c`, `x5u`).
        certificates "certificates": Texts,
        /// From when on the key is used (`nbf`), where the key set says it.
        not_before "nbf": Time,
        /// Until when the key is used (`exp`), where the key set says it.
        expires "exp": Time,
        /// Until when the key's own certificate (the first of `x5c`) is valid. Verifiers that know the key by its `kid` do not
        /// look at it. Unlimited for the year 9999, by which RFC 5280 says "no end".
        certificate_ends "x5c_not_after": Time,
    }
}

super::record! {
    /// A JSON Web Key Set (RFC 7517 section 5).
    pub struct KeySet {
        /// The issuer the keys belong to: of the metadata in the same folder, where there is exactly one; never in
        /// the file itself.
        issuer "issuer": Url,
        /// Key ids in order; a key without one is left out.
        kids "kids": Texts,
        /// Key ids that more than one key carries; items stand at the later key.
        duplicate_kids "duplicate_kids": Texts,
        /// Number of keys.
        count "count": Int,
        /// The `use` of every key that says it, in order.
        uses "uses": Texts,
        /// Key types present.
        key_types "key_types": Texts,
    }
}
