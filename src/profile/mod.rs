//! Profiles and their versions, limit tables, and the requirement ledger.

mod raw;

pub use raw::*;
