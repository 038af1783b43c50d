//! What the logs of a service, or of a whole site, tell of tokens.

super::record! {
    /// What logs hold: of one service as read, of one service as configured, or of a site as a whole.
    pub struct Logging {
        /// The service, by the policy's name for it or its software's; absent for a site as a whole.
        service "service": Text,
        /// Its software; absent where the format of the log tells none.
        product "product": Text,
        /// The log format whose records are counted; absent where it is not known.
        format "format": Text,
        /// The kind of record that is counted, as its format calls it.
        kind "kind": Text,
        /// Records that name a token or an identity but no `jti`; absent where no log was read.
        without_jti "without_jti": Int,
        /// True where the configured log says whose token was used, false where it cannot; unknown where settings or releases
        /// decide that the files do not show.
        names_tokens "names_tokens": Bool,
        /// How long the logs are kept, in seconds, as the policy declares it.
        retention "retention": Seconds,
        /// How many questions of the Traceability and Isolation working group were asked: three of a site.
        asked "asked": Int,
        /// How many of them its configured logs cannot answer.
        unanswered "unanswered": Int,
    }
}
