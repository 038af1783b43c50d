//! Suppressions, in this order: a comment beside the finding, a waiver, the baseline. The first that fits is noted in
//! the finding, which stays in the report and no longer makes the run fail.
//!
//! Whether a suppression itself is in order (known rule, reason, not expired, still needed) is judged by rules like
//! everything else: it becomes a [`Suppression`](crate::model::Suppression) target.

pub mod baseline;
pub mod changed;
pub mod inline;
pub mod mitigation;
pub mod waiver;

use crate::check::check_targets;
use crate::evaluate::Plan;
use crate::model::Target;
use crate::parse::Document;
use crate::report::Finding;

/// Largest waiver or baseline file, in bytes.
pub const MAX_FILE: u64 = 16 << 20;

/// The end of a day (`2027-01-31`) in UTC, in seconds since 1970: the first moment that is no longer part of it.
/// `None` for anything but four, two and two digits that name a day. Of the last days of the year 9999 it is the last moment
/// that can be written.
pub fn end_of_day(text: &str) -> Option<i64> {
    let shape = text.len() == 10 && text.bytes().all(|b| b.is_ascii_digit() || b == b'-');
    let day: jiff::civil::Date = shape.then(|| text.parse().ok())??;
    let days = jiff::civil::date(1970, 1, 1).until(day).ok()?.get_days();
    Some(((i64::from(days) + 1) * 86_400).min(jiff::Timestamp::MAX.as_second()))
}

/// Judges suppressions that stand in `document`, with the plan that holds for the whole run.
fn judge(plan: &Plan, document: &Document, targets: &[Target<'_>], now: i64) -> Vec<Finding> {
    check_targets(plan, document, targets, now).findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_ends_at_midnight_utc() {
        for (text, expected, remark) in [
            ("1970-01-01", Some(86_400), "the first day"),
            ("2026-12-31", Some(1_798_761_600), "2027-01-01T00:00:00Z"),
            ("2028-02-29", Some(1_835_481_600), "a leap day"),
            ("1969-12-30", Some(-86_400), "a day before"),
            ("9999-12-31", Some(253_402_207_200), "the last day there is"),
            ("2027-02-29", None, "no such day"),
            ("2027-1-1", None, "digits are missing"),
            ("20270101", None, "no hyphens"),
            ("2027-01-01T00:00:00Z", None, "a time"),
            ("+002027-01", None, "another notation"),
            ("", None, "empty"),
        ] {
            assert_eq!(end_of_day(text), expected, "{text}: {remark}");
        }
    }
}
