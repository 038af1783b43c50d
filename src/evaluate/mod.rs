//! Judging: a plan (which rules under which profiles) against one target. Pure: no I/O, no clock, no environment.

mod fleet;
mod plan;
mod target;

pub use fleet::{Fact, FleetFinding, FleetJudgements, Spot, judge_fleet, link};
pub use plan::{Adjustments, Plan, Planned, Selection};
pub use target::{Judgement, Judgements, ProfileSet, judge, judge_native};
