//! Will this token be accepted there? `tokenvet compat`.
//!
//! What a software does is data (`rules/compat/`): how it reads a token, what it looks at and in which order, what its
//! scopes give, and how each of these facts is known. This module runs such a description over a token, as that software
//! would see it, and keeps apart what was seen in a run, read in source and concluded.

mod admission;
mod client;
mod config;
mod engine;
mod form;
mod formula;
mod json;
mod keys;
mod model;
mod page;
mod raw;
mod scopes;
mod service;
mod table;

pub use admission::Admission;
pub use client::{Issued, clients};
pub use config::{Files, product_of};
pub(crate) use config::{Row, said};
pub use engine::{Ask, Cell, Note, Verdict, judge};
pub use keys::KeySet;
pub use model::{Model, Software};
pub use page::page;
pub use raw::{
    EvidenceKind, RawClosedBy, RawDisagreement, RawEverywhere, RawEvidence, RawReader, RawRequest, RawSoftware,
};
pub use service::{OnMissing, Place, Placed, Request, Service, TrustedIssuer};
pub use table::{
    Expectation, Expectations, Given, Question, Sent, Summary, Table, Wanted, human, json, markdown, table,
};
