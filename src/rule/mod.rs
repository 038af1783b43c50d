//! Rules: loading, operators, expressions, messages, examples.

mod raw;
mod shapes;

pub use raw::*;
pub use shapes::{check_group, check_scope, check_url};
