//! Profiles and their versions, limit tables, and the requirement ledger.

mod raw;
mod registry;

pub use raw::*;
pub use registry::{IssuerClass, KnownIssuer, Registry};
