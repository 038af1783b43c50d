//! Certificates of an issuer's server.

super::record! {
    /// One certificate of the chain that an issuer's server shows (RFC 5280).
    pub struct Certificate {
        /// The server it was shown by, host and port.
        server "server": Text,
        /// Place in the chain: 1 is the server's own, what follows vouches for the one before.
        place "place": Int,
        /// Distinguished name of whom it is for.
        subject "subject": Text,
        /// Distinguished name of the CA that signed it.
        authority "authority": Text,
        /// Who vouches for the server: `public CA`, `IGTF`, `private CA`; empty when nobody does.
        classes "classes": Texts,
        /// DNS names and addresses it is for.
        names "names": Texts,
        /// From when on it is valid.
        not_before "not_before": Time,
        /// Until when it is valid. Unlimited for the year 9999, by which RFC 5280 says "no end".
        not_after "not_after": Time,
    }
}
