//! tokenvet where continuous integration runs it: on changes, under a stranger's hand, behind the action's script.

#![allow(clippy::unwrap_used)] // a helper that fails is a failed test

mod action;
mod changed;
mod injection;
mod man;
mod repository;
