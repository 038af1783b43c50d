//! Times as logs write them, made UTC.

use super::raw::{RawTime, RawZone};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::fmt::strtime::BrokenDownTime;
use jiff::tz::{AmbiguousOffset, Offset, TimeZone};

/// When something happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct When {
    /// The moment.
    pub at: Timestamp,
    /// The log names no zone; the one that was given (or UTC) is taken.
    pub zone_assumed: bool,
    /// The log names no year.
    pub year_assumed: bool,
}

/// What a log does not say about its times.
#[derive(Clone, Debug)]
pub struct Clock {
    /// The zone of machines that write none.
    pub zone: TimeZone,
    /// The latest moment that a time without year can be.
    pub now: Timestamp,
}

impl Clock {
    /// Reads `UTC`, `+02:00`, `-0530` or a POSIX rule (`CET-1CEST,M3.5.0,M10.5.0/3`).
    pub fn zone(text: &str) -> Result<TimeZone, String> {
        let advice = || {
            format!(
                "{text:?} is no zone that is known here; write UTC, an offset (+02:00) or a POSIX rule \
                 (CET-1CEST,M3.5.0,M10.5.0/3)"
            )
        };
        if text.eq_ignore_ascii_case("utc") || text == "Z" {
            return Ok(TimeZone::UTC);
        }
        if text.starts_with(['+', '-']) {
            return offset(text).map(TimeZone::fixed).ok_or_else(advice);
        }
        TimeZone::posix(text).map_err(|_| advice())
    }

    /// The moment that a text means; `None` when it does not fit the pattern.
    pub(super) fn read(&self, how: &RawTime, text: &str) -> Option<When> {
        let sure = |at| When { at, zone_assumed: false, year_assumed: false };
        match how.pattern.as_str() {
            "rfc3339" => return text.parse::<Timestamp>().ok().map(sure),
            // ISO 8601 as journald writes it, the offset with or without a colon.
            "iso" => {
                let plain = text.strip_suffix('Z').map_or_else(|| text.to_string(), |utc| format!("{utc}+0000"));
                let patterns = ["%Y-%m-%dT%H:%M:%S%.f%z", "%Y-%m-%dT%H:%M:%S%.f%:z"];
                let read = patterns.iter().find_map(|pattern| BrokenDownTime::parse(pattern, &plain).ok());
                return read.and_then(|parsed| parsed.to_timestamp().ok()).map(sure);
            }
            "epoch-milliseconds" => return Timestamp::from_millisecond(text.parse().ok()?).ok().map(sure),
            "epoch-microseconds" => return Timestamp::from_microsecond(text.parse().ok()?).ok().map(sure),
            _ => {}
        }
        let with_year = how.pattern.contains("%y") || how.pattern.contains("%Y");
        let parsed = match with_year {
            true => BrokenDownTime::parse(&how.pattern, text).ok()?,
            false => {
                let year = self.zone.to_datetime(self.now).year();
                let parse =
                    |year: i16| BrokenDownTime::parse(format!("%Y {}", how.pattern), format!("{year} {text}")).ok();
                let this = parse(year)?;
                // Clocks differ, by less than a day.
                let latest = self.now.as_second() + 86_400;
                let read = this.to_datetime().ok().and_then(|at| self.local(at));
                let later = read.is_some_and(|at| at.as_second() > latest);
                if later { parse(year - 1)? } else { this }
            }
        };
        let at = match how.zone {
            RawZone::Written => parsed.to_timestamp().ok()?,
            RawZone::Utc => TimeZone::UTC.to_timestamp(parsed.to_datetime().ok()?).ok()?,
            RawZone::Local => self.local(parsed.to_datetime().ok()?)?,
        };
        Some(When { at, zone_assumed: how.zone == RawZone::Local, year_assumed: !with_year })
    }

    fn local(&self, at: DateTime) -> Option<Timestamp> {
        match self.zone.to_ambiguous_timestamp(at).offset() {
            // The hour that comes twice in autumn: the first is taken.
            AmbiguousOffset::Fold { before, .. } => before.to_timestamp(at).ok(),
            AmbiguousOffset::Unambiguous { .. } | AmbiguousOffset::Gap { .. } => self.zone.to_timestamp(at).ok(),
        }
    }
}

fn offset(text: &str) -> Option<Offset> {
    let (sign, digits) = text.split_at_checked(1)?;
    let digits: String = digits.chars().filter(|c| *c != ':').collect();
    let well = matches!(digits.len(), 2 | 4) && digits.bytes().all(|byte| byte.is_ascii_digit());
    let number = |range: std::ops::Range<usize>| digits.get(range).unwrap_or("0").parse::<i32>().ok();
    let seconds = number(0..2).filter(|_| well)? * 3600 + number(2..digits.len().max(2)).unwrap_or(0) * 60;
    Offset::from_seconds(if sign == "-" { -seconds } else { seconds }).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_and_years_that_logs_leave_out_are_filled_in_and_said() {
        let clock = Clock {
            zone: Clock::zone("CET-1CEST,M3.5.0,M10.5.0/3").expect("a rule"),
            now: "2026-01-10T00:00:00Z".parse().expect("a time"),
        };
        let cases = [
            ("%y%m%d %H:%M:%S", RawZone::Local, "251107 10:00:00", "2025-11-07T09:00:00Z", "winter"),
            ("%y%m%d %H:%M:%S", RawZone::Local, "250707 10:00:00", "2025-07-07T08:00:00Z", "summer"),
            ("%m.%d %H:%M:%S", RawZone::Local, "01.09 10:00:00", "2026-01-09T09:00:00Z", "this year"),
            ("%m.%d %H:%M:%S", RawZone::Local, "11.07 10:00:00", "2025-11-07T09:00:00Z", "cannot be in the future"),
            ("%Y-%m-%d %H:%M:%S", RawZone::Utc, "2025-07-07 10:00:00", "2025-07-07T10:00:00Z", "always UTC"),
            ("%d/%b/%Y:%H:%M:%S %z", RawZone::Written, "07/Jul/2025:10:00:00 -0400", "2025-07-07T14:00:00Z", "written"),
            ("epoch-milliseconds", RawZone::Written, "1751882400123", "2025-07-07T10:00:00.123Z", "a number"),
        ];
        for (pattern, zone, text, expected, remark) in cases {
            let read = clock.read(&RawTime { pattern: pattern.into(), zone }, text).expect(remark);
            assert_eq!(read.at.to_string(), expected, "{remark}");
            assert_eq!(read.zone_assumed, zone == RawZone::Local, "{remark}");
            assert_eq!(read.year_assumed, pattern.starts_with("%m"), "{remark}");
        }
        for (zone, seconds) in [("+02:00", 7200), ("-0530", -19800), ("UTC", 0), ("+01", 3600)] {
            let zone = Clock::zone(zone).expect("an offset");
            assert_eq!(zone.to_offset(clock.now).seconds(), seconds);
        }
        for zone in ["Europe/Nowhere", "+2:xx", "", "+99:00"] {
            assert!(Clock::zone(zone).is_err(), "{zone}");
        }
    }
}
