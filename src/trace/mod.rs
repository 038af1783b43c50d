//! Who used which token where: `tokenvet trace`.
//!
//! [`book`] holds the log formats, which are data (`rules/logs/`); [`read`] makes records of a text and finds the tokens in
//! them; [`time`] makes their times UTC. [`question`] says which records are asked for, [`search`] finds them and what they
//! lead to, and [`page`] shows the result.

pub mod answers;
pub mod book;
pub mod judge;
pub mod page;
pub mod question;
pub mod raw;
pub mod read;
pub mod search;
pub mod site;
pub mod time;
