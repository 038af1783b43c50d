//! Profiles and their versions, limit tables, and the requirement ledger.

mod ledger;
mod raw;
mod registry;
mod table;

pub use ledger::{LEDGER, Requirement, Words};
pub use raw::*;
pub use registry::{IssuerClass, KnownIssuer, Registry};
