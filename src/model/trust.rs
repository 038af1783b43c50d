//! An issuer as a service trusts it.

super::record! {
    /// One issuer that one service accepts tokens of, with everything the service lets such tokens do.
    pub struct Trust {
        /// The software (`xrootd`, `eos`, `dcache`, `storm-webdav`, `htcondor`, `htcondor-ce`, `arc`, `fts`, `rucio`, `dirac`, …).
        product "product": Text,
        /// Software version, where the file shows it.
        version "version": Text,
        /// Issuer identifier as the service compares it with `iss`; unlimited where any issuer is accepted, absent where
        /// the entry names none (it then trusts nobody).
        issuer "issuer": Url,
        /// True where the entry is a pattern that takes other spellings of the issuer as well: it goes on behind the name, or
        /// does not tell capitals from small letters.
        issuer_open "issuer_open": Bool,
        /// The name the service gives the issuer (section, provider), by which other files of the service refer to it.
        alias "alias": Text,
        /// Audiences that the service takes for its own. Absent where none is configured; `audience_checked` says what
        /// becomes of tokens then.
        audiences "audiences": Texts,
        /// False where the service does not compare the audience of this issuer's tokens with anything.
        audience_checked "audience_checked": Bool,
        /// True where a token for the WLCG audience "any" is accepted, listed or not.
        any_audience "any_audience": Bool,
        /// True where a token without audience is accepted.
        missing_audience "missing_audience": Bool,
        /// Paths of the service's name space below which the paths of scopes are taken.
        base_paths "base_paths": Texts,
        /// Paths (as tokens name them) outside which scopes of the issuer give nothing; absent where there is no such limit.
        restricted_paths "restricted_paths": Texts,
        /// How requests are authorised: any of `capability` (scopes), `group`, `mapping` (the account decides). Absent where
        /// the product's default holds (XRootD: all three); an empty list where nothing is.
        strategy "strategy": Texts,
        /// True where a token of the issuer gives rights whatever its scopes (StoRM's organisations, a plain mapping).
        rights_without_scope "rights_without_scope": Bool,
        /// True where that includes writing.
        writes_without_scope "writes_without_scope": Bool,
        /// How the local identity is made: any of `fixed` (one account for all), `subject` (`sub` is the account), `claim`
        /// (another claim is), `file` (a map file decides), `group`.
        mapping "mapping": Texts,
        /// The account all tokens of the issuer get, where there is one.
        account "account": Text,
        /// The claim that is taken for the account's name.
        account_claim "account_claim": Text,
        /// The map file, as the configuration names it.
        map_file "map_file": Text,
        /// The claim that groups are read from.
        groups_claim "groups_claim": Text,
        /// Token profile that the service reads the issuer's tokens by (`wlcg`, `scitokens`, `oidc`).
        profile "profile": Text,
        /// What becomes of a request without usable token: `allow`, `deny`, `passthrough` (something else decides).
        without_token "without_token": Text,
        /// Longest time a fetched key is used without asking the issuer again, in seconds.
        key_cache "key_cache": Seconds,
        /// What tokens of the issuer can reach: each base path with each restricted path below it. Here and in the next two
        /// fields, known only to rules that span documents.
        areas "areas": Texts,
        /// The VO that the registry of known issuers gives the issuer; for one that it does not know, the issuer itself.
        vo "vo": Text,
        /// What the registry says the issuer is for: `production`, `test`, `development`, `demo` or `retired`; absent for one
        /// that it does not know.
        issuer_class "issuer_class": Text,
        /// True when the entry takes effect; false for one that the service drops silently (the reason is a `trap`).
        active "active": Bool,
    }
}
