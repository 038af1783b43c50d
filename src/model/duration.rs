//! Durations as configuration files write them: Go's notation (dex, Hydra) and numbers with a unit word (OA4MP).
//!
//! Everything ends in whole seconds. A fraction of a second counts as a whole one, so that a short duration never
//! becomes 0, which many products read as "no limit".

use super::{Field, State, Value};
use std::borrow::Cow;

const NANOSECONDS: i128 = 1_000_000_000;

/// Seconds, away from zero.
fn whole_seconds(nanoseconds: i128) -> Option<i64> {
    let up = (nanoseconds.abs() + NANOSECONDS - 1) / NANOSECONDS;
    i64::try_from(if nanoseconds < 0 { -up } else { up }).ok()
}

/// A duration as Go's `time.ParseDuration` reads it (`1h30m`, `720h`, `1.5h`, `300ms`, `0`), in seconds. `None` for
/// everything Go refuses: a bare number other than 0, the unit `d`, spaces, more than 2^63 ns (292 years).
pub fn go(text: &str) -> Option<i64> {
    let (negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Some(0);
    }
    if rest.is_empty() {
        return None;
    }
    let mut total: i128 = 0;
    while !rest.is_empty() {
        let number_end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let (number, after) = rest.split_at(number_end);
        let unit_end = after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len());
        let (unit, next) = after.split_at(unit_end);
        let unit: i128 = match unit {
            "ns" => 1,
            "us" | "µs" | "μs" => 1_000,
            "ms" => 1_000_000,
            "s" => NANOSECONDS,
            "m" => 60 * NANOSECONDS,
            "h" => 3600 * NANOSECONDS,
            _ => return None,
        };
        total = total.checked_add(decimal(number, unit)?)?;
        if total > i128::from(i64::MAX) {
            return None;
        }
        rest = next;
    }
    whole_seconds(if negative { -total } else { total })
}

/// `number * unit` for a plain decimal number; digits of the fraction that weigh less than the unit's parts are cut.
fn decimal(number: &str, unit: i128) -> Option<i128> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let whole: i128 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let mut value = whole.checked_mul(unit)?;
    let mut weight = unit;
    for digit in fraction.bytes() {
        if !digit.is_ascii_digit() {
            return None;
        }
        weight /= 10;
        value = value.checked_add(weight * i128::from(digit - b'0'))?;
    }
    Some(value)
}

/// What [`typed`] reads, for those who wrote something else.
pub const TYPED: &str = "a duration is expected, with its units: for example 30d, 1h30m or 90 min";

/// A duration as people write it in policies and on the command line, in seconds: numbers with their units, from `w` to
/// `ns`, also as words (`2 weeks`, `36h`, `1h 30m`, `90 min`, `1.5 h`); a number alone is seconds. Products read less, each
/// in its own way.
pub fn typed(text: &str) -> Option<i64> {
    let text = text.trim();
    let (negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit()) {
        return rest.parse::<i64>().ok().map(|seconds| if negative { -seconds } else { seconds });
    }
    let mut total: i128 = 0;
    loop {
        let (number, after) = rest.split_at(rest.find(|c: char| !c.is_ascii_digit() && c != '.')?);
        let after = after.trim_start();
        let (unit, after) = after.split_at(after.find(|c: char| !c.is_alphabetic()).unwrap_or(after.len()));
        let unit: i128 = match unit {
            "ns" => 1,
            "us" | "µs" | "μs" => 1_000,
            "ms" | "msec" | "millisecond" | "milliseconds" => 1_000_000,
            "s" | "sec" | "secs" | "second" | "seconds" => NANOSECONDS,
            "m" | "min" | "mins" | "minute" | "minutes" => 60 * NANOSECONDS,
            "h" | "hr" | "hrs" | "hour" | "hours" => 3600 * NANOSECONDS,
            "d" | "day" | "days" => 86_400 * NANOSECONDS,
            "w" | "wk" | "week" | "weeks" => 7 * 86_400 * NANOSECONDS,
            _ => return None,
        };
        total = total.checked_add(decimal(number, unit)?)?;
        // An abbreviation may have its point: `20 min.`
        let point = after.strip_prefix('.').filter(|behind| !behind.starts_with(|c: char| c.is_ascii_digit()));
        rest = point.unwrap_or(after).trim_start();
        if rest.is_empty() {
            return whole_seconds(if negative { -total } else { total });
        }
    }
}

/// The unit of a number that carries none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BareUnit {
    /// OA4MP server settings.
    Seconds,
    /// OA4MP client settings and token requests.
    Milliseconds,
}

/// A whole number with an optional unit word as OA4MP reads it (`1009 sec.`, `20 min`, `30 days`, `250 ms`), in
/// seconds. `None` for anything else, months and years included since their length is not said.
pub fn with_unit(text: &str, bare: BareUnit) -> Option<i64> {
    let text = text.trim();
    let digits = text.strip_prefix('-').unwrap_or(text);
    let unit_at = text.len() - digits.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(unit_at);
    let unit = unit.trim().trim_end_matches('.');
    let milliseconds: i128 = match (unit, bare) {
        ("", BareUnit::Milliseconds) => 1,
        ("", BareUnit::Seconds) => 1_000,
        ("ms" | "msec" | "millisecond" | "milliseconds", _) => 1,
        ("s" | "sec" | "secs" | "second" | "seconds", _) => 1_000,
        ("min" | "mins" | "minute" | "minutes", _) => 60_000,
        ("hr" | "hrs" | "hour" | "hours", _) => 3_600_000,
        ("day" | "days", _) => 86_400_000,
        ("wk" | "week" | "weeks", _) => 7 * 86_400_000,
        _ => return None,
    };
    let number: i128 = number.parse().ok()?;
    whole_seconds(number.checked_mul(milliseconds)?.checked_mul(1_000_000)?)
}

/// A field that was read as text, as seconds; `parse` is [`go`] or a closure over [`with_unit`]. A text it refuses
/// is malformed, with `expected` saying what such a duration looks like. Other states stay as they are.
pub fn field<'d>(field: Field<'d>, parse: impl Fn(&str) -> Option<i64>, expected: &'static str) -> Field<'d> {
    let state = match field.state {
        State::Value(Value::Text(text)) => match parse(&text) {
            Some(seconds) => State::Value(Value::Int(seconds)),
            None => State::Malformed(Cow::Borrowed(expected)),
        },
        other => other,
    };
    Field { state, at: field.at }
}

/// A field that holds a Go duration, as seconds.
pub fn go_field<'d>(text: Field<'d>) -> Field<'d> {
    field(text, go, "a duration such as 24h, 1h30m or 90s is expected; days are written in hours")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::At;

    #[test]
    fn go_durations_read_as_go_reads_them() {
        for (text, expected, remark) in [
            ("24h", Some(86_400), "dex's default"),
            ("720h", Some(2_592_000), "30 days"),
            ("1h30m", Some(5_400), "two units"),
            ("1h0m0s", Some(3_600), "as Go prints it"),
            ("1.5h", Some(5_400), "a fraction"),
            (".5h", Some(1_800), "no digit before the point"),
            ("5.h", Some(18_000), "no digit after the point"),
            ("300ms", Some(1), "never rounds down to 0"),
            ("1500ms", Some(2), "up"),
            ("1µs", Some(1), "micro sign"),
            ("1μs", Some(1), "Greek letter"),
            ("0", Some(0), "the only bare number"),
            ("-0", Some(0), "signed"),
            ("0s", Some(0), "zero with a unit"),
            ("-1h", Some(-3_600), "negative"),
            ("-1ms", Some(-1), "away from zero"),
            ("+1h", Some(3_600), "plus"),
            ("2562047h", Some(9_223_369_200), "near the largest"),
            ("2562048h", None, "beyond 2^63 ns"),
            ("30d", None, "Go has no days"),
            ("3600", None, "a number without unit"),
            ("-1", None, "callers handle what a product says of it"),
            ("1 h", None, "a space"),
            ("h", None, "no number"),
            (".h", None, "no digits"),
            ("1..5h", None, "two points"),
            ("1H", None, "case counts"),
            ("", None, "empty"),
            ("-", None, "a sign alone"),
            ("99999999999999999999999999999999999999999h", None, "does not overflow"),
        ] {
            assert_eq!(go(text), expected, "{text}: {remark}");
        }
    }

    #[test]
    fn people_write_durations_in_one_way() {
        for (text, expected) in [
            ("2 d", Some(172_800)),
            ("2d", Some(172_800)),
            ("36 h", Some(129_600)),
            ("36h", Some(129_600)),
            ("90 min", Some(5_400)),
            ("90min.", Some(5_400)),
            ("10m", Some(600)),
            ("3 days", Some(259_200)),
            ("1w", Some(604_800)),
            ("2 weeks", Some(1_209_600)),
            ("1h30m", Some(5_400)),
            ("1h 30 min.", Some(5_400)),
            ("1d12h", Some(129_600)),
            ("1h.5m", Some(3_630)),
            ("1.5h", Some(5_400)),
            ("300ms", Some(1)),
            (" 60 ", Some(60)),
            ("0", Some(0)),
            ("-1d", Some(-86_400)),
            ("1 month", None),
            ("1h30", None),
            ("1 h and 30 m", None),
            ("P1D", None),
            ("d", None),
            (".", None),
            ("1.5", None),
            ("", None),
            ("-", None),
            ("soon", None),
            ("99999999999999999999", None),
            ("99999999999999999999 d", None),
            ("99999999999999999999999999999999999999999 d", None),
        ] {
            assert_eq!(typed(text), expected, "{text}");
        }
    }

    #[test]
    fn unit_words_read_as_oa4mp_reads_them() {
        use BareUnit::{Milliseconds, Seconds};
        for (text, bare, expected, remark) in [
            ("1009 sec.", Milliseconds, Some(1009), "a point after the unit"),
            ("20 min", Seconds, Some(1200), ""),
            ("30 days", Seconds, Some(2_592_000), ""),
            ("12 hr", Seconds, Some(43_200), ""),
            ("900", Seconds, Some(900), "server settings"),
            ("750019", Milliseconds, Some(751), "client settings, rounded up"),
            ("3600000ms", Seconds, Some(3600), "no space"),
            ("-1", Seconds, Some(-1), "callers know what -1 means"),
            (" 5 s ", Seconds, Some(5), "surrounding space"),
            ("13 months", Seconds, None, "of no exact length"),
            ("1.5 hr", Seconds, None, "whole numbers only"),
            ("sec", Seconds, None, "no number"),
            ("", Seconds, None, "empty"),
            ("99999999999999999999999999999999999999999 days", Seconds, None, "does not overflow"),
        ] {
            assert_eq!(with_unit(text, bare), expected, "{text}: {remark}");
        }
    }

    #[test]
    fn fields_keep_their_place_and_other_states() {
        assert_eq!(go_field(Field::text("1h", At::ROOT)), Field::int(3600, At::ROOT));
        assert_eq!(go_field(Field::default()), Field::default());
        let malformed = go_field(Field::text("7d", At::ROOT));
        assert_eq!(malformed.at, Some(At::ROOT));
        assert!(matches!(malformed.state, State::Malformed(why) if !why.contains("7d")));
    }
}
