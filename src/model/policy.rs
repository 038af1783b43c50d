//! Scope and token-exchange policies.

super::record! {
    /// One scope policy: who may have which scopes.
    pub struct ScopePolicy {
        /// Identifier.
        id "id": Text,
        /// What it is for.
        description "description": Text,
        /// `PERMIT` or `DENY`.
        rule "rule": Text,
        /// How scopes are compared: `EQ`, `REGEXP` or `PATH`.
        matching "matching_policy": Text,
        /// The scopes; unlimited when the policy names none and so covers every scope.
        scopes "scopes": Texts,
        /// Who it applies to: `everybody`, `account` or `group`.
        subject "subject": Text,
        /// The issuer whose policy it is: of the metadata in the same folder, where there is exactly one; never in the
        /// file itself.
        issuer "issuer": Url,
        /// Scopes that nobody gets because of it: those it denies to everybody by equality, less what some policy of the
        /// same file may permit to an account or a group, which goes first. Absent where it denies nothing in that way.
        denied_to_all "denied_to_all": Texts,
        /// Scopes of the policy that some policy of the same file denies to everybody by path, with all below them.
        denied_below "denied_below": Texts,
    }
}

super::record! {
    /// One token-exchange policy: which client may exchange whose tokens.
    pub struct ExchangePolicy {
        /// Identifier.
        id "id": Text,
        /// What it is for.
        description "description": Text,
        /// `PERMIT` or `DENY`.
        rule "rule": Text,
        /// Match type of the origin client: `ANY`, `BY_ID` or `BY_SCOPE`.
        origin "origin": Text,
        /// Match type of the destination client.
        destination "destination": Text,
        /// Scopes that may pass; unlimited when the policy names none.
        scopes "scopes": Texts,
    }
}
