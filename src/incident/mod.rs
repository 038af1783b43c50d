//! One page for a security officer: what a token in the wrong hands can do, where, for how long, and how to stop it.
//!
//! [`suspect`] says what is known of the token, from whatever is left of it; [`service`] asks each service of the policy whether it
//! would take it and what it can refuse tokens by; [`others`] reads logs and registrations for whoever shares its subject or client.
//! [`page`] puts that together, and [`show`] renders it. What products can do is data (`rules/incident/`, [`raw`], [`book`]).

pub mod book;
mod macaroon;
pub mod others;
pub mod page;
pub mod raw;
pub mod service;
pub mod show;
pub mod suspect;
pub mod text;

pub use macaroon::Macaroon;
