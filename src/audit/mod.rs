//! Audits: what is new, gone, worse or about to end since the last time. Nothing here touches files or a clock: the
//! command line judges, [`compare`] holds the outcome against what is remembered, and the state keeps the rest.

mod compare;
pub mod inventory;
mod memory;
pub mod ratchet;
mod report;
#[cfg(feature = "cli")]
mod show;
mod trend;

pub use compare::{Judge, Settings, compare};
pub use memory::{Key, Memory, Observed, Part, Remembered, Role, Run, Seen, Snapshot, Source, Waiver};
pub use report::{
    Change, Changed, Counts, Coverage, Edit, Expiring, Inventory, Item, Lost, Outcome, Problem, Report, SCHEMA_VERSION,
    SnapshotRef, WaiverRef,
};
#[cfg(feature = "cli")]
pub use show::{Verdict, human, mail, nagios, prometheus};
pub use trend::{Point, Trend};
