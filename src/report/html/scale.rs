//! Numbers as lengths, and durations and times in words.

use crate::model::Quantity;
use crate::report::text;
use jiff::{Timestamp, tz::TimeZone};

/// The shortest and the longest lifetime that the log scale tells apart, in seconds.
const SHORTEST: f64 = 30.0;
const LONGEST: f64 = 63_072_000.0;
/// Where the longest stands, in percent; what has no end stands behind it.
const KNOWN: f64 = 90.0;

/// The marks of the log scale.
pub(super) const TICKS: [(i64, &str); 5] =
    [(60, "1 min"), (3600, "1 h"), (86_400, "1 d"), (2_592_000, "30 d"), (31_536_000, "1 y")];

/// Where a lifetime in seconds stands on the log scale, in percent of the width.
pub(super) fn place(lifetime: impl Into<Quantity>) -> f64 {
    let Quantity::Of(seconds) = lifetime.into() else { return 97.0 };
    let seconds = (seconds.max(1) as f64).clamp(SHORTEST, LONGEST);
    (seconds / SHORTEST).ln() / (LONGEST / SHORTEST).ln() * (KNOWN - 2.0) + 2.0
}

/// A length in percent, as SVG takes it.
pub(super) fn percent(of_width: f64) -> String {
    format!("{of_width:.2}%")
}

/// A lifetime in words: `6 hours`, `25 hours`, `1 hour 30 minutes`, `without end`.
pub(super) fn lasts(lifetime: impl Into<Quantity>) -> String {
    let Quantity::Of(seconds) = lifetime.into() else { return "without end".into() };
    if seconds < 0 {
        return format!("{seconds} s");
    }
    let units = [(86_400, "day"), (3600, "hour"), (60, "minute"), (1, "second")];
    // Up to two days, hours say more than days: 25 hours, not 1 day 1 hour.
    let from = if seconds < 172_800 { 1 } else { 0 };
    let mut parts = Vec::new();
    let mut rest = seconds.unsigned_abs();
    for &(length, noun) in &units[from..] {
        if rest >= length && parts.len() < 2 {
            parts.push(text::counted(rest / length, noun));
            rest %= length;
        } else if !parts.is_empty() {
            break;
        }
    }
    match (parts.is_empty(), rest) {
        (true, _) => "0 seconds".into(),
        (false, 0) => parts.join(" "),
        (false, _) => format!("about {}", parts.join(" ")),
    }
}

/// A day (YYYY-MM-DD, UTC) of a number of seconds since 1970.
pub(super) fn day(seconds: i64) -> String {
    match Timestamp::from_second(seconds) {
        Ok(at) => at.to_zoned(TimeZone::UTC).strftime("%Y-%m-%d").to_string(),
        Err(_) => "beyond year 9999".into(),
    }
}

/// A time to the minute, as people read it; what is no time stays as it is.
pub(super) fn minute(time: &str) -> String {
    match time.parse::<Timestamp>() {
        Ok(at) => at.to_zoned(TimeZone::UTC).strftime("%Y-%m-%d %H:%M UTC").to_string(),
        Err(_) => time.to_string(),
    }
}

/// Seconds since 1970 of an RFC 3339 time, or of the end of a day that is written alone.
pub(super) fn seconds(time: &str) -> Option<i64> {
    match time.parse::<Timestamp>() {
        Ok(at) => Some(at.as_second()),
        Err(_) => {
            let day: jiff::civil::Date = time.parse().ok()?;
            Some(day.tomorrow().ok()?.to_zoned(TimeZone::UTC).ok()?.timestamp().as_second())
        }
    }
}

/// How far away a time is: `in 12 days`, `3 days ago`, `today`.
pub(super) fn away(at: i64, now: i64) -> String {
    let days = at.saturating_sub(now).div_euclid(86_400);
    match days {
        0 => "within a day".into(),
        1.. => format!("in {}", text::counted(days.unsigned_abs(), "day")),
        _ => format!("{} ago", text::counted(days.unsigned_abs(), "day")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_words() {
        for (seconds, words) in [
            (0, "0 seconds"),
            (59, "59 seconds"),
            (900, "15 minutes"),
            (3600, "1 hour"),
            (5400, "1 hour 30 minutes"),
            (21_660, "6 hours 1 minute"),
            (90_000, "25 hours"),
            (90_061, "about 25 hours 1 minute"),
            (3605, "about 1 hour"),
            (2_592_000, "30 days"),
            (34_560_000, "400 days"),
        ] {
            assert_eq!(lasts(seconds), words, "{seconds}");
        }
        assert_eq!(lasts(Quantity::Unlimited), "without end");
    }

    #[test]
    fn longer_is_further_right() {
        let lives = [0, 30, 60, 900, 3600, 86_400, 2_592_000, 31_536_000].map(Quantity::Of);
        let places: Vec<f64> = lives.into_iter().chain([Quantity::Unlimited]).map(place).collect();
        assert!(places.is_sorted() && places[1] < places[2] && places.iter().all(|at| (0.0..=100.0).contains(at)));
        assert_eq!(percent(place(60)).len(), "10.00%".len() - usize::from(place(60) < 10.0));
    }

    #[test]
    fn times_are_read_and_said() {
        assert_eq!(minute("2026-11-22T10:20:30Z"), "2026-11-22 10:20 UTC");
        assert_eq!(minute("soon"), "soon");
        assert_eq!(seconds("1970-01-01"), Some(86_400), "the day counts to its end");
        assert_eq!(away(86_400 * 3 + 5, 0), "in 3 days");
        assert_eq!(away(-5, 0), "1 day ago");
        assert_eq!(day(0), "1970-01-01");
    }
}
