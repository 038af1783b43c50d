//! A rule that makes a local identity of a token.

super::record! {
    /// One line of a map file: which tokens get which local identity.
    pub struct Mapping {
        /// The software (`xrootd`, `dcache`, `htcondor`, `htcondor-ce`, `arc`, …).
        product "product": Text,
        /// Software version, where the file shows it.
        version "version": Text,
        /// The issuer it matches; unlimited where any issuer matches, absent where the line does not look at it.
        issuer "issuer": Url,
        /// True where the file holds for tokens of one issuer only, which another file names (`name_mapfile` of XRootD).
        one_issuer "one_issuer": Bool,
        /// The service's name for the issuer, where the line uses that (dCache's provider name).
        alias "alias": Text,
        /// The subject it matches; unlimited where any matches, absent where the line does not look at it.
        subject "subject": Text,
        /// The group it matches; unlimited where any matches, absent where the line does not look at it.
        group "group": Text,
        /// The audience it matches; unlimited where any matches, absent where the line does not look at it.
        audience "audience": Text,
        /// The scope it matches; unlimited where any matches, absent where the line does not look at it.
        scope "scope": Text,
        /// The pattern as written, where it is a regular expression.
        pattern "pattern": Text,
        /// True when the pattern cannot match issuers that merely begin like the one it names.
        issuer_anchored "issuer_anchored": Bool,
        /// True where the entry is a pattern that takes other spellings of the issuer as well: it goes on behind the name, or
        /// does not tell capitals from small letters.
        issuer_open "issuer_open": Bool,
        /// True when the pattern also matches issuers on hosts of others: it does not start where the issuer does, or ends
        /// within the host's name.
        other_hosts "other_hosts": Bool,
        /// True when a dot of the issuer's name stands for any character in the pattern.
        loose_dots "loose_dots": Bool,
        /// True when a dot of the subject stands for any character in the pattern.
        loose_subject_dots "loose_subject_dots": Bool,
        /// True when the pattern ends where the subject does.
        subject_anchored "subject_anchored": Bool,
        /// The local account, where it is one.
        account "account": Text,
        /// What else it gives: principals, groups, a pool.
        gives "gives": Texts,
        /// True when tokens that match are refused.
        bans "bans": Bool,
        /// True when the line takes effect; false when an earlier line always matches first.
        active "active": Bool,
    }
}
