//! Tokens in text that is no configuration: logs, dumps, mails.
//!
//! [`stream`] reads a text in constant memory, [`find`] tells what in it is a token, and with [`glance`] how much it matters;
//! [`tally`] keeps each distinct one with its places, [`judge`] makes findings of them, in which tokens have the names that
//! [`fingerprint`] makes. None of them shows a token.

pub mod find;
pub mod fingerprint;
pub mod glance;
pub mod judge;
pub mod member;
pub mod since;
pub mod sketch;
pub mod stream;
pub mod tally;
#[cfg(test)]
mod testing;
pub mod when;
