//! Rules: loading, operators, expressions, messages, examples.

mod book;
pub(crate) mod condition;
mod expr;
mod load;
pub(crate) mod message;
mod plain;
mod quick;
mod raw;
pub(crate) mod shapes;

pub use book::{Application, Profile, Rule, RuleBook};
pub(crate) use book::{Compiled, Joined};
pub use condition::Limit;
pub use load::RuleFile;
pub use raw::*;
