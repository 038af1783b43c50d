//! tokenvet vets a token trust fabric: the tokens, the clients that get them, the issuers that sign them and the
//! services that accept them.
//!
//! The modules follow the way of the data: [`source`] → [`parse`] → [`adapt`] (to [`model`] targets) → [`evaluate`]
//! (with [`rule`]s judged by [`profile`]s) → [`suppress`] → [`report`]. See `docs/architecture.md`.

pub mod adapt;
pub mod audit;
pub mod check;
pub mod compare;
pub mod compat;
pub mod diff;
pub mod discover;
pub mod docs;
pub mod edit;
pub mod evaluate;
#[cfg(feature = "fetch")]
pub mod fetch;
pub mod fix;
mod hex;
pub mod incident;
pub mod inspect;
mod keyed;
pub mod model;
mod near;
pub mod parse;
mod percent;
pub mod policy;
pub mod profile;
pub mod redact;
pub mod report;
pub mod rule;
pub mod scan;
pub mod schema;
pub mod shard;
mod shell;
pub mod source;
#[cfg(feature = "state")]
pub mod state;
pub mod suppress;
pub mod trace;
pub mod trial;
#[cfg(feature = "verify")]
pub mod verify;
pub mod whatif;

#[cfg(feature = "cli")]
pub mod cli;
