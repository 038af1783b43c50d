//! Rules: loading, operators, expressions, messages, examples.

mod raw;

pub use raw::*;
