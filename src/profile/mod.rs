//! Profiles and their versions, limit tables, and the requirement ledger.

mod raw;
mod registry;
mod table;

pub use raw::*;
pub use registry::{IssuerClass, KnownIssuer, Registry};
