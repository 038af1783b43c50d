//! Judging: a plan (which rules under which profiles) against one target. Pure: no I/O, no clock, no environment.

mod plan;
mod target;

pub use plan::{Adjustments, Plan, Planned, Selection};
pub use target::{Judgement, Judgements, ProfileSet, judge, judge_native};
