//! What stands in a snapshot where the issuer showed a secret.
//!
//! A snapshot holds no secrets, but rules ask whether a client has one, whether it is one that everybody knows, and
//! whether a key set shows private members. These texts keep the answers and lose the value.

/// In place of a secret.
pub(crate) const WITHHELD: &str = "withheld by tokenvet";

/// In place of a secret that a product ships or documents.
pub(crate) const WITHHELD_DEFAULT: &str = "withheld by tokenvet: known to everybody";

/// True for the texts that stand in place of a secret.
pub(crate) fn is_withheld(text: &str) -> bool {
    text == WITHHELD || text == WITHHELD_DEFAULT
}
