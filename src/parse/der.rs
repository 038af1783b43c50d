//! As much of DER (X.690) as it takes to read from when to when an X.509 certificate is valid (RFC 5280 section 4.1.2.5).

/// When a certificate is valid, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// In seconds since 1970.
    pub not_before: i64,
    /// In seconds since 1970; `None` for 99991231235959Z, by which RFC 5280 means that there is no end.
    pub not_after: Option<i64>,
}

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
/// `[0] EXPLICIT`: the version of a certificate.
const VERSION: u8 = 0xa0;
const NO_END: &[u8] = b"99991231235959Z";

/// From when to when a certificate is valid; `None` for anything that is no certificate.
pub fn validity(certificate: &[u8]) -> Option<Validity> {
    let (tag, certificate, rest) = element(certificate)?;
    if tag != SEQUENCE || !rest.is_empty() {
        return None;
    }
    let mut rest = expect(certificate, SEQUENCE)?.0;
    if let Some((VERSION, _, after)) = element(rest) {
        rest = after;
    }
    // Serial number, algorithm of the signature, name of the CA.
    for tag in [INTEGER, SEQUENCE, SEQUENCE] {
        rest = expect(rest, tag)?.1;
    }
    let (validity, _) = expect(rest, SEQUENCE)?;
    let (kind, begin, rest) = element(validity)?;
    let not_before = time(kind, begin)?;
    let (kind, end, rest) = element(rest)?;
    let not_after = match (kind, end) {
        (GENERALIZED_TIME, NO_END) => None,
        _ => Some(time(kind, end)?),
    };
    rest.is_empty().then_some(Validity { not_before, not_after })
}

/// Content of the first element, which has this tag, and what follows it.
fn expect(bytes: &[u8], wanted: u8) -> Option<(&[u8], &[u8])> {
    element(bytes).and_then(|(tag, content, rest)| (tag == wanted).then_some((content, rest)))
}

/// Tag, content and what follows; lengths as DER has them.
fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let [tag, first, rest @ ..] = bytes else { return None };
    let (length, rest) = match first {
        0..=0x7f => (usize::from(*first), rest),
        0x81..=0x84 => {
            let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            (digits.iter().fold(0usize, |length, byte| length << 8 | usize::from(*byte)), rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((*tag, content, rest))
}

/// Seconds since 1970 of `YYMMDDHHMMSSZ` (years from 1950 to 2049) or `YYYYMMDDHHMMSSZ`.
fn time(kind: u8, text: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(text).ok()?.strip_suffix('Z')?;
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let (year, rest) = match (kind, text.len()) {
        (UTC_TIME, 12) => {
            let year: i16 = text[..2].parse().ok()?;
            (if year < 50 { 2000 + year } else { 1900 + year }, &text[2..])
        }
        (GENERALIZED_TIME, 14) => (text[..4].parse().ok()?, &text[4..]),
        _ => return None,
    };
    let part = |at: usize| rest[at..at + 2].parse::<i8>().ok();
    let time = jiff::civil::DateTime::new(year, part(0)?, part(2)?, part(4)?, part(6)?, part(8)?, 0).ok()?;
    Some(time.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().as_second())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tagged(tag: u8, content: &[u8]) -> Vec<u8> {
        let length = content.len();
        let head =
            if length < 0x80 { vec![tag, length as u8] } else { vec![tag, 0x82, (length >> 8) as u8, length as u8] };
        [head, content.to_vec()].concat()
    }

    /// As much of a certificate as stands before its validity, the validity, and something after it.
    fn certificate(version: bool, begin: (u8, &str), end: (u8, &str)) -> Vec<u8> {
        let times = [tagged(begin.0, begin.1.as_bytes()), tagged(end.0, end.1.as_bytes())].concat();
        let mut body = if version { tagged(VERSION, &tagged(INTEGER, &[2])) } else { vec![] };
        for (tag, content) in [(INTEGER, &[7u8; 20][..]), (SEQUENCE, &[]), (SEQUENCE, &[0; 200]), (SEQUENCE, &times)] {
            body.extend(tagged(tag, content));
        }
        body.extend(tagged(SEQUENCE, b"the subject"));
        tagged(SEQUENCE, &tagged(SEQUENCE, &body))
    }

    #[test]
    fn validity_is_read() {
        let begin = (UTC_TIME, "260101000000Z");
        for (version, end, expected, remark) in [
            (true, (UTC_TIME, "261122120000Z"), Some(Some(1_795_348_800)), "this century"),
            (
                false,
                (UTC_TIME, "491231235959Z"),
                Some(Some(2_524_607_999)),
                "the last second of UTCTime; without version",
            ),
            (true, (UTC_TIME, "500101000000Z"), Some(Some(-631_152_000)), "1950"),
            (true, (GENERALIZED_TIME, "20500101000000Z"), Some(Some(2_524_608_000)), "beyond UTCTime"),
            (true, (GENERALIZED_TIME, "99991231235959Z"), Some(None), "no end"),
            (true, (UTC_TIME, "261322120000Z"), None, "a thirteenth month"),
            (true, (UTC_TIME, "2611221200Z"), None, "no seconds"),
            (true, (UTC_TIME, "261122120000+0100"), None, "an offset, which DER forbids"),
            (true, (SEQUENCE, "261122120000Z"), None, "another type"),
        ] {
            let got = validity(&certificate(version, begin, end));
            assert_eq!(got.map(|validity| validity.not_after), expected, "{remark}");
            assert!(got.is_none_or(|validity| validity.not_before == 1_767_225_600), "{remark}");
        }
    }

    #[test]
    fn what_is_cut_off_or_no_certificate_says_nothing() {
        let whole = certificate(true, (UTC_TIME, "260101000000Z"), (UTC_TIME, "261122120000Z"));
        for length in 0..whole.len() {
            assert_eq!(validity(&whole[..length]), None, "the first {length} bytes");
        }
        for bytes in
            [&b"-----BEGIN CERTIFICATE-----"[..], &[0x30, 0x84, 0xff, 0xff, 0xff, 0xff], &[0x30, 0x80, 0, 0], &[0x30]]
        {
            assert_eq!(validity(bytes), None, "{bytes:?}");
        }
        assert_eq!(validity(&[whole, vec![0]].concat()), None, "something behind it");
    }
}
