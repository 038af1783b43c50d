//! Tokens in text that is no configuration: logs, dumps, mails. Found, told apart, and made harmless.

pub mod find;
pub mod stream;
