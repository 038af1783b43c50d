//! Judging: a plan (which rules under which profiles) against one target. Pure: no I/O, no clock, no environment.

mod audience;
mod bands;
mod fact;
mod facts;
mod fleet;
mod link;
mod memory;
mod plan;
mod service;
mod target;

pub use fact::{Fact, Kept};
pub use facts::Facts;
pub use fleet::{FleetFinding, FleetJudgements, judge_fleet};
pub use link::link;
#[cfg(feature = "verify")]
pub(crate) use link::name_issuers;
pub(crate) use plan::Keep;
pub use plan::{Adjustments, Plan, Planned, Selection};
pub use service::Home;
pub use target::{Judgement, Judgements, ProfileSet, judge, judge_native};
