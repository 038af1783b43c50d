//! A workflow that the policy declares, as rules judge it.

super::record! {
    /// One entry of `workflows:`.
    pub struct WorkflowEntry {
        /// Name.
        name "name": Text,
        /// Class (`fts-long`, `grid-job`, …).
        class "class": Text,
        /// Whose work it is: `production`, `power` or `ordinary`.
        user_class "user_class": Text,
        /// How long a transfer may take.
        max_transfer_time "max_transfer_time": Seconds,
        /// Whom to ask.
        contact "contact": Text,
        /// Mitigations it declares.
        mitigations "mitigations": Texts,
        /// True when some client or token of this run belongs to it; absent when the run cannot tell, because it did not judge
        /// everything below the policy's folder.
        used "used": Bool,
    }
}
