//! A service that accepts tokens.

/// The software that services run, as `product` names it and policies declare it.
pub const PRODUCTS: &[&str] = &[
    "xrootd",
    "eos",
    "dcache",
    "storm-webdav",
    "htcondor",
    "htcondor-ce",
    "arc",
    "fts",
    "rucio",
    "dirac",
    "diracx",
    "gfal2",
];

super::record! {
    /// What one configuration says of a service as a whole, whoever issued the token.
    pub struct Service {
        /// The software (`xrootd`, `eos`, `dcache`, `storm-webdav`, `htcondor`, `htcondor-ce`, `arc`, `fts`, `rucio`, `dirac`, …).
        product "product": Text,
        /// Software version, where the file shows it.
        version "version": Text,
        /// Name of the instance, door or block; absent where the file describes the whole service.
        name "name": Text,
        /// True where the service accepts tokens at all.
        tokens "tokens": Bool,
        /// Audiences that the service takes for its own.
        audiences "audiences": Texts,
        /// Scopes that every token has to have, whatever it is used for.
        scopes "scopes": Texts,
        /// False where the service compares no audience.
        audience_checked "audience_checked": Bool,
        /// True where any issuer whose keys can be fetched is accepted.
        any_issuer "any_issuer": Bool,
        /// True where something beside rules on the claims of tokens may let a token in: rules on names, lists, a plug-in.
        admits_otherwise "admits_otherwise": Bool,
        /// What becomes of a request without usable token: `allow`, `read` (only reading), `deny`, `passthrough`.
        without_token "without_token": Text,
        /// True where a door speaks plain http.
        plain_http "plain_http": Bool,
        /// True where bearer tokens are accepted over plain http.
        tokens_over_plain_http "tokens_over_plain_http": Bool,
        /// True where the TLS certificates of issuers (or of storage, for clients) are checked.
        tls_verified "tls_verified": Bool,
        /// Which CA certificates the service believes issuers by: `system` (public CAs), `igtf`, `java`, or a file's path.
        ca_store "ca_store": Text,
        /// The log level or trace setting that matters for tokens, in the product's spelling.
        log_level "log_level": Text,
        /// True where at this level tokens, or enough of them to be used, get into the log.
        log_leaks_tokens "log_leaks_tokens": Bool,
        /// True where a request's token can be told from the log (`jti`, or issuer and subject), false where it cannot.
        log_traces_tokens "log_traces_tokens": Bool,
        /// Settings that decide what the logs hold, as `name=value` (`scitokens.trace=info debug`); `name=?` where the file does
        /// not show the value.
        log_settings "log_settings": Texts,
        /// True where something can refuse single users or tokens of a trusted issuer (ban list, ban plug-in, revocation).
        ban_hook "ban_hook": Bool,
        /// Longest time a fetched key is used without asking the issuer again, in seconds.
        key_cache "key_cache": Seconds,
        /// Time after which keys are fetched again, in seconds.
        key_refresh "key_refresh": Seconds,
        /// Longest time the outcome for one token is kept, in seconds: a withdrawn trust works on for so long.
        result_cache "result_cache": Seconds,
        /// Largest token accepted, in bytes.
        max_token_bytes "max_token_bytes": Int,
        /// Longest token lifetime the service itself gives (tokens it issues), in seconds.
        issued_lifetime "issued_lifetime": Seconds,
        /// Settings that hold a value everybody knows (shipped or documented by the vendor); items name the setting.
        default_secrets "default_secrets": Texts,
        /// Files that belong to this configuration, as it names them: token configuration, map files, included files.
        files "files": Texts,
        /// Those among them that the run does not hold, though it holds more than one file of the service. Known only to rules
        /// that span documents.
        missing_files "missing_files": Texts,
    }
}
