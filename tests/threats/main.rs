//! Threats to tokenvet itself, each with the behaviour a user can rely on: black-box tests on the built command.
//! The number in a test's name is the threat's row in the project's threat list; rows without a test here are about
//! things this version does not have (archives, signed bundles, fuzzing campaigns) or are tested elsewhere (row 31 with
//! the policy, row 26 with the writers).

mod behaviour;
#[path = "../common/mod.rs"]
mod common;
mod injection;
mod secrets;
