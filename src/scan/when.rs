//! When a line of a log was written, as far as it says so itself.
//!
//! What is taken for a timestamp stands at the beginning of the line, in the brackets of an access log, behind `ts=` or
//! `time=`, or under one of the names that JSON logs use. Where two readings are possible the later one counts, so that nothing is taken for older
//! than it may be.

use crate::model::duration;
use jiff::civil::DateTime;
use jiff::tz::Offset;

/// Bytes of a line that are looked at.
pub const LOOK: usize = 4 << 10;
/// Bytes in which the brackets of an access log are looked for: they stand behind the address and the user.
const ACCESS: usize = 256;
/// The farthest that a clock without a zone is behind UTC, in seconds.
const WEST: i64 = 12 * 3600;
const DAY: i64 = 24 * 3600;

/// The latest time, in seconds since 1970, at which a line can have been written; `None` when it does not say. `now`
/// decides the year where only month and day are given.
pub fn latest(line: &[u8], now: i64) -> Option<i64> {
    let line = &line[..line.len().min(LOOK)];
    let start = line.trim_ascii_start();
    if start.first() == Some(&b'{') {
        return json(start, now);
    }
    at_start(start, now).or_else(|| access(start)).or_else(|| logfmt(start, now))
}

/// A timestamp that a line begins with.
fn at_start(text: &[u8], now: i64) -> Option<i64> {
    let text = match text.first()? {
        // `<34>`, with a version behind it in the newer form of syslog.
        b'<' => {
            let end = text.iter().take(5).position(|byte| *byte == b'>')?;
            let rest = &text[end + 1..];
            rest.strip_prefix(b"1 ").unwrap_or(rest)
        }
        b'[' | b'"' | b'(' => &text[1..],
        _ => text,
    };
    iso(text, b'-')
        .or_else(|| iso(text, b'/'))
        .or_else(|| epoch(text))
        .or_else(|| compact(text))
        .or_else(|| named_month(text, now))
        .or_else(|| two_digit_year(text))
        .or_else(|| without_year(text, now))
}

/// `2026-11-22T08:37:34.5+01:00` and its relatives.
fn iso(text: &[u8], dash: u8) -> Option<i64> {
    let year = number(text.get(..4)?)?;
    let (month, day) = (number(text.get(5..7)?)?, number(text.get(8..10)?)?);
    if text[4] != dash || text[7] != dash || !matches!(text.get(10)?, b'T' | b't' | b' ' | b'_') {
        return None;
    }
    let (clock, rest) = clock(&text[11..])?;
    seconds(year, month, day, clock).map(|local| in_zone(local, rest))
}

/// `261122 08:37:34`, as XRootD writes it.
fn compact(text: &[u8]) -> Option<i64> {
    let date = number(text.get(..6)?)?;
    if text.get(6) != Some(&b' ') {
        return None;
    }
    let (clock, _) = clock(&text[7..])?;
    Some(seconds(2000 + date / 10_000, date / 100 % 100, date % 100, clock)? + WEST)
}

/// `Nov 22 08:37:34`, `Sun Nov 22 08:37:34.12 2026`, `22 Nov 2026 08:37:34`.
fn named_month(text: &[u8], now: i64) -> Option<i64> {
    const DAYS: [&[u8]; 7] = [b"Mon", b"Tue", b"Wed", b"Thu", b"Fri", b"Sat", b"Sun"];
    let text = match DAYS.iter().find_map(|day| text.strip_prefix(*day)) {
        Some(rest) => rest.strip_prefix(b",").unwrap_or(rest).trim_ascii_start(),
        None => text,
    };
    if let Some(month) = month(text) {
        let (day, rest) = day(text.get(3..)?.strip_prefix(b" ")?)?;
        let (clock, rest) = clock(rest.strip_prefix(b" ")?)?;
        let year = rest.strip_prefix(b" ").and_then(|rest| number(rest.get(..4)?)).filter(|year| *year >= 1970);
        return match year {
            Some(year) => Some(seconds(year, month, day, clock)? + WEST),
            None => in_recent_year(month, day, clock, now),
        };
    }
    let (day, rest) = day(text)?;
    let rest = rest.strip_prefix(b" ")?;
    let (month, year) = (month(rest)?, number(rest.get(4..8)?)?);
    let (clock, rest) = clock(rest.get(8..)?.strip_prefix(b" ")?)?;
    seconds(year, month, day, clock).map(|local| in_zone(local, rest))
}

/// `11/22/26 08:37:34`, as HTCondor writes it; elsewhere the day comes first.
fn two_digit_year(text: &[u8]) -> Option<i64> {
    let [first, second, year] = [text.get(..2)?, text.get(3..5)?, text.get(6..8)?].map(number);
    if text[2] != b'/' || text[5] != b'/' || text.get(8) != Some(&b' ') {
        return None;
    }
    let (clock, _) = clock(&text[9..])?;
    let (first, second, year) = (first?, second?, 2000 + year?);
    let readings = [seconds(year, first, second, clock), seconds(year, second, first, clock)];
    readings.into_iter().flatten().max().map(|local| local + WEST)
}

/// `11.22 08:37:34`, as dCache's billing writes it.
fn without_year(text: &[u8], now: i64) -> Option<i64> {
    let (month, day) = (number(text.get(..2)?)?, number(text.get(3..5)?)?);
    if text[2] != b'.' || text.get(5) != Some(&b' ') {
        return None;
    }
    let (clock, _) = clock(&text[6..])?;
    in_recent_year(month, day, clock, now)
}

/// Seconds since 1970, or thousandths, millionths or billionths of them by their length.
fn epoch(text: &[u8]) -> Option<i64> {
    let digits = text.iter().take(20).take_while(|byte| byte.is_ascii_digit()).count();
    let divisor = match digits {
        10 => 1,
        13 => 1_000,
        16 => 1_000_000,
        19 => 1_000_000_000,
        _ => return None,
    };
    let ends = text.get(digits).is_none_or(|byte| !byte.is_ascii_alphanumeric() && !matches!(byte, b'-' | b'_'));
    let seconds = number(&text[..digits])? / divisor;
    // From 2000 to 2100; other numbers are no times.
    (ends && (946_684_800..4_102_444_800).contains(&seconds)).then_some(seconds)
}

/// `[22/Nov/2026:08:37:34 +0100]`, behind address and user.
fn access(text: &[u8]) -> Option<i64> {
    let head = &text[..text.len().min(ACCESS)];
    memchr::memchr_iter(b'[', head).find_map(|at| {
        let text = text.get(at + 1..)?;
        let (day, year) = (number(text.get(..2)?)?, number(text.get(7..11)?)?);
        if text[2] != b'/' || text[6] != b'/' || text.get(11) != Some(&b':') {
            return None;
        }
        let (clock, rest) = clock(&text[12..])?;
        seconds(year, month(&text[3..])?, day, clock).map(|local| in_zone(local, rest))
    })
}

/// `level=INFO ts=2026-11-22T08:37:34.337+0000 event=…`, as dCache writes its access log, or `time="…"`.
fn logfmt(text: &[u8], now: i64) -> Option<i64> {
    let head = &text[..text.len().min(ACCESS)];
    let mut starts = std::iter::once(0).chain(memchr::memchr_iter(b' ', head).map(|at| at + 1));
    starts.find_map(|at| {
        let value = text[at..].strip_prefix(b"ts=").or_else(|| text[at..].strip_prefix(b"time="))?;
        at_start(value, now)
    })
}

/// The latest of the times that a line of JSON gives under a usual name.
fn json(line: &[u8], now: i64) -> Option<i64> {
    const NAMES: [&[u8]; 9] = [
        b"time",
        b"timestamp",
        b"@timestamp",
        b"ts",
        b"date",
        b"datetime",
        b"asctime",
        b"eventTime",
        b"__REALTIME_TIMESTAMP",
    ];
    let mut quotes = memchr::memchr_iter(b'"', line).peekable();
    let mut latest = None;
    while let Some(from) = quotes.next() {
        let Some(&to) = quotes.peek() else { break };
        if !NAMES.contains(&&line[from + 1..to]) {
            continue;
        }
        let Some(value) = line[to + 1..].trim_ascii_start().strip_prefix(b":") else { continue };
        let value = value.trim_ascii_start();
        let value = value.strip_prefix(b"\"").unwrap_or(value);
        latest =
            latest.max(at_start(value, now).or_else(|| access(&[b"[", value.get(..40).unwrap_or(value)].concat())));
    }
    latest
}

/// The clock of a line, and what follows it.
type Clock = (i64, i64, i64);

/// `08:37:34`, with a fraction or without.
fn clock(text: &[u8]) -> Option<(Clock, &[u8])> {
    let [hour, minute, second] = [text.get(..2)?, text.get(3..5)?, text.get(6..8)?].map(number);
    if text[2] != b':' || text[5] != b':' {
        return None;
    }
    let mut rest = &text[8..];
    if let [b'.' | b',', digits @ ..] = rest
        && digits.first().is_some_and(u8::is_ascii_digit)
    {
        rest = &digits[digits.iter().take_while(|byte| byte.is_ascii_digit()).count()..];
    }
    // A leap second is the end of its minute.
    Some(((hour?, minute?, second?.min(59)), rest))
}

/// A local time with the zone that follows it; without one, the latest that it can be.
fn in_zone(local: i64, rest: &[u8]) -> i64 {
    let rest = rest.strip_prefix(b" ").unwrap_or(rest);
    let offset = match rest {
        [b'Z' | b'z', ..] | [b'U', b'T', b'C', ..] | [b'G', b'M', b'T', ..] => Some(0),
        [sign @ (b'+' | b'-'), zone @ ..] => {
            let minutes = zone.get(2..).map(|minutes| minutes.strip_prefix(b":").unwrap_or(minutes));
            let hours = zone.get(..2).and_then(number).filter(|hours| *hours <= 14);
            let minutes = minutes.and_then(|minutes| number(minutes.get(..2)?)).filter(|minutes| *minutes < 60);
            let east = hours.map(|hours| hours * 3600 + minutes.unwrap_or(0) * 60);
            east.map(|east| if *sign == b'-' { -east } else { east })
        }
        _ => None,
    };
    offset.map_or(local + WEST, |offset| local - offset)
}

/// The last year in which a date was not in the future; a clock may be a day ahead.
fn in_recent_year(month: i64, day: i64, clock: Clock, now: i64) -> Option<i64> {
    let year = jiff::Timestamp::from_second(now).ok().map(|now| i64::from(Offset::UTC.to_datetime(now).year()))?;
    let readings = [year + 1, year, year - 1].map(|year| seconds(year, month, day, clock));
    readings.into_iter().flatten().find(|local| *local <= now + DAY).map(|local| local + WEST)
}

fn seconds(year: i64, month: i64, day: i64, (hour, minute, second): Clock) -> Option<i64> {
    let small = |number: i64| i8::try_from(number).ok();
    let year = i16::try_from(year).ok()?;
    let date = DateTime::new(year, small(month)?, small(day)?, small(hour)?, small(minute)?, small(second)?, 0).ok()?;
    Offset::UTC.to_timestamp(date).ok().map(jiff::Timestamp::as_second)
}

fn month(text: &[u8]) -> Option<i64> {
    const MONTHS: &[u8; 36] = b"JanFebMarAprMayJunJulAugSepOctNovDec";
    let name = text.get(..3)?;
    MONTHS.chunks(3).position(|month| month == name).map(|at| at as i64 + 1)
}

/// A day of one digit, of two, or padded with a blank.
fn day(text: &[u8]) -> Option<(i64, &[u8])> {
    let text = text.trim_ascii_start();
    let digits = text.iter().take(2).take_while(|byte| byte.is_ascii_digit()).count();
    Some((number(&text[..digits])?, &text[digits..]))
}

fn number(digits: &[u8]) -> Option<i64> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    str::from_utf8(digits).ok()?.parse().ok()
}

/// The time that a user names: RFC 3339, a date (its beginning in UTC), or how long before `now` (`7 d`, `1h30m`).
pub fn since(text: &str, now: i64) -> Result<i64, String> {
    let text = text.trim();
    if let Ok(time) = text.parse::<jiff::Timestamp>() {
        return Ok(time.as_second());
    }
    if let Ok(date) = text.parse::<jiff::civil::Date>()
        && !text.contains(['T', 't', ' '])
        && let Ok(time) = Offset::UTC.to_timestamp(date.at(0, 0, 0, 0))
    {
        return Ok(time.as_second());
    }
    // A number alone may be meant for a year or for seconds since 1970.
    let ago = duration::typed(text).filter(|ago| *ago >= 0 && text.contains(char::is_alphabetic));
    ago.and_then(|ago| now.checked_sub(ago)).ok_or_else(|| {
        format!(
            "{text}: write a time with its zone (2026-01-31T12:00:00Z), a date (2026-01-31) or a duration (7d, 1h30m)"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> i64 {
        text.parse::<jiff::Timestamp>().expect("RFC 3339").as_second()
    }

    #[test]
    fn the_latest_reading_of_a_line_counts() {
        let now = time("2026-11-22T10:00:00Z");
        for (line, expected, remark) in [
            ("2026-11-22T08:37:34Z GET", Some("2026-11-22T08:37:34Z"), "RFC 3339"),
            ("2026-11-22T08:37:34.123456+01:00 x", Some("2026-11-22T07:37:34Z"), "with its zone"),
            ("2026-11-22T08:37:34-0500 host sshd", Some("2026-11-22T13:37:34Z"), "journalctl -o short-iso"),
            ("2026-11-22 08:37:34,123 INFO", Some("2026-11-22T20:37:34Z"), "no zone: as far west as there is one"),
            ("[2026-11-22 08:37:34 +0000] [12] [INFO]", Some("2026-11-22T08:37:34Z"), "in brackets"),
            ("2026/11/22 08:37:34 [error] 1#1", Some("2026-11-22T20:37:34Z"), "nginx errors"),
            ("<34>1 2026-10-11T22:14:15.003Z host", Some("2026-10-11T22:14:15Z"), "RFC 5424"),
            ("<34>Oct 11 22:14:15 host su", Some("2026-10-12T10:14:15Z"), "RFC 3164"),
            ("Nov 22 08:37:34 host kernel", Some("2026-11-22T20:37:34Z"), "syslog, this year"),
            ("Dec  1 08:37:34 host kernel", Some("2025-12-01T20:37:34Z"), "syslog, last year"),
            ("Feb 29 08:37:34 host kernel", None, "no such day in a recent year"),
            ("[Sun Nov 22 08:37:34.123456 2026] [core:error]", Some("2026-11-22T20:37:34Z"), "httpd errors"),
            ("22 Nov 2026 08:37:34 (door) [x]", Some("2026-11-22T20:37:34Z"), "dCache"),
            ("11.22 08:37:34 [door:x]", Some("2026-11-22T20:37:34Z"), "dCache billing"),
            ("261122 08:37:34 1234 XrootdXeq: u", Some("2026-11-22T20:37:34Z"), "XRootD"),
            ("11/22/26 08:37:34 (pid:1) x", Some("2026-11-22T20:37:34Z"), "HTCondor"),
            ("02/03/26 08:37:34 (pid:1) x", Some("2026-03-02T20:37:34Z"), "the later of two readings"),
            ("1795336654.123 5 192.0.2.1", Some("2026-11-22T08:37:34Z"), "epoch"),
            ("1795336654123 x", Some("2026-11-22T08:37:34Z"), "epoch in ms"),
            (
                "192.0.2.1 - u [22/Nov/2026:08:37:34 +0100] \"GET / HTTP/1.1\"",
                Some("2026-11-22T07:37:34Z"),
                "access logs",
            ),
            ("level=INFO ts=2026-11-22T08:37:34.337+0000 event=x", Some("2026-11-22T08:37:34Z"), "dCache's access log"),
            ("time=\"2026-11-22T08:37:34Z\" level=info", Some("2026-11-22T08:37:34Z"), "logrus"),
            ("took time=12 ms", None, "a duration"),
            (r#"{"level":"info","ts":1795336654.5,"msg":"x"}"#, Some("2026-11-22T08:37:34Z"), "JSON"),
            (r#"{ "timestamp" : "2026-11-22T08:37:34Z" }"#, Some("2026-11-22T08:37:34Z"), "JSON with blanks"),
            (r#"{"__REALTIME_TIMESTAMP":"1795336654000000"}"#, Some("2026-11-22T08:37:34Z"), "journald JSON"),
            (
                r#"{"old":{"time":"2020-01-01T00:00:00Z"},"time":"2026-11-22T08:37:34Z"}"#,
                Some("2026-11-22T08:37:34Z"),
                "the latest of several",
            ),
            (r#"{"exp":1795336654}"#, None, "no name of a time"),
            ("    at org.example.Main(Main.java:12)", None, "the line of a traceback"),
            ("2026-13-22T08:37:34Z", None, "no such month"),
            ("17953366541 x", None, "a number of another length"),
            ("1795336654abc", None, "a word"),
            ("", None, "nothing"),
            ("<", None, "hardly anything"),
            ("[", None, "hardly anything"),
        ] {
            assert_eq!(latest(line.as_bytes(), now), expected.map(time), "{remark}: {line}");
        }
    }

    #[test]
    fn no_cut_of_a_line_is_a_surprise() {
        let lines = [
            "<34>1 2026-10-11T22:14:15.003+01:30 host",
            "[Sun Nov 22 08:37:34.123456 2026] x",
            "192.0.2.1 - u [22/Nov/2026:08:37:34 +0100] x",
            r#"{"time":"22/Nov/2026:08:37:34 +0100","ts":"#,
            "02/03/26 08:37:34 (pid:1) x",
        ];
        for line in lines {
            for end in 0..=line.len() {
                let _ = latest(&line.as_bytes()[..end], 0);
            }
        }
    }

    #[test]
    fn users_name_a_time_in_three_ways() {
        let now = time("2026-11-22T10:00:00Z");
        for (text, expected) in [
            ("2026-11-20T00:00:00+01:00", "2026-11-19T23:00:00Z"),
            ("2026-11-20", "2026-11-20T00:00:00Z"),
            ("7 d", "2026-11-15T10:00:00Z"),
            ("36h", "2026-11-20T22:00:00Z"),
            ("1h30m", "2026-11-22T08:30:00Z"),
            ("1w", "2026-11-15T10:00:00Z"),
            ("2 weeks", "2026-11-08T10:00:00Z"),
            ("90 min", "2026-11-22T08:30:00Z"),
        ] {
            assert_eq!(since(text, now), Ok(time(expected)), "{text}");
        }
        for text in ["", "yesterday", "7", "d", "-7d", "2026-11-20T00:00:00", "99999999999999999999d"] {
            assert!(since(text, now).is_err(), "{text}");
        }
    }
}
