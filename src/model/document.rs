//! What can be said of any document.

super::record! {
    /// Facts about a whole document.
    pub struct DocumentFacts {
        /// The recognised kind (`indigo-iam-clients`, `jwks`, …).
        kind "kind": Text,
        /// Keys that stand twice in one mapping; each item is the later occurrence.
        duplicate_keys "duplicate_keys": Texts,
        /// Plain YAML scalars that YAML 1.1 and 1.2 readers understand differently.
        ambiguous_scalars "ambiguous_scalars": Texts,
        /// Total number of entries a paged listing says exist; absent when the listing does not page.
        paging_total "paging.total": Int,
        /// Number of entries the listing shows.
        paging_shown "paging.shown": Int,
        /// Members that hold a live client secret, password or private key; items name the member, never the value.
        secrets "secrets": Texts,
        /// True when every user of the machine may read the file where it lies; absent for checkouts (folders with a `.git`
        /// above them), for standard input and where file modes mean nothing.
        open_to_all "open_to_all": Bool,
        /// True when the secrets stand where the product expects them (an administrator's export, a secrets file).
        secrets_expected "secrets_expected": Bool,
    }
}
