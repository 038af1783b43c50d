//! A place that its product does not read as it looks.

super::record! {
    /// One such place in a configuration. Adapters find them, since they know how the product reads the format; rules say
    /// how bad it is and what to do.
    pub struct Trap {
        /// The software.
        product "product": Text,
        /// Software version, where the file shows it.
        version "version": Text,
        /// Which trap it is: one of the codes that the format's adapter declares (`xrootd-line-cut`).
        code "code": Text,
        /// The key, section, option or word in question.
        name "name": Text,
        /// The section or block it stands in.
        section "section": Text,
        /// What the product takes in its place, or what becomes of it, where that can be said in a word.
        effect "effect": Text,
        /// The name that was probably meant.
        nearest "nearest": Text,
    }
}
