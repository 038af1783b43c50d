//! A token that stands where it should not: in a log, a dump, a mail.

super::record! {
    /// One distinct token found in scanned text, however often it stands there.
    pub struct Leak {
        /// What it is: `jwt`, `jwe`, `macaroon`, `eos-token` or `alice-envelope`.
        form "form": Text,
        /// How much of it is there: `whole`, `unsigned` (whole, and never signed), `truncated`, or `redacted` (header and
        /// payload without the signature).
        state "state": Text,
        /// What it is for, as far as it shows: `access-token`, `id-token`, `refresh-token`, `registration-token`, `token`;
        /// `dpop-proof` is no token but the proof that goes with one request (RFC 9449).
        purpose "purpose": Text,
        /// How it stands there first: the name before it (`bearer`, `authz`, `access_token`, `refresh_token` …).
        carrier "carrier": Text,
        /// Who issued it.
        issuer "issuer": Url,
        /// Its identifier (`jti`), by which the issuer's log names it.
        jti "jti": Text,
        /// The client it was issued to.
        client_id "client_id": Text,
        /// Its scopes.
        scopes "scopes": Texts,
        /// True when a scope lets it write or change something.
        writes "writes": Bool,
        /// Seconds until it expires; negative since it has; unlimited when it says no time. Absent when that cannot be
        /// read.
        remaining "remaining": Seconds,
        /// Seconds until it is valid, where that is still to come (`nbf`). Absent otherwise.
        begins "begins": Seconds,
        /// Times it was found.
        count "count": Int,
        /// Files it was found in.
        files "files": Int,
        /// Twelve hexadecimal digits of a hash of the token (SHA-256, or HMAC-SHA-256 with a key of the user's), by which it
        /// can be told from others.
        fingerprint "fingerprint": Text,
        /// `valid` or `invalid`, where keys that the user gave could tell. Absent when none could.
        signature "signature": Text,
    }
}
