//! The parts of a snapshot that no issuer serves as they are: its manifest, the headers its key set came with, the
//! certificates of its server.

use super::list::has_text;
use super::{Adapter, Kind, Reader, Sink};
use crate::model::{Certificate, Field, Settings, State, Target, TargetKind};
use crate::parse::{Cursor, Document};

/// The adapter.
pub(super) struct Snapshot;

/// The member that says which part a document is.
pub(crate) const PART: &str = "tokenvet_snapshot";
/// Value of [`PART`] for the manifest.
pub(crate) const MANIFEST_PART: &str = "manifest";
/// Value of [`PART`] for the headers of the key set.
pub(crate) const HEADERS_PART: &str = "key-set-headers";
/// Value of [`PART`] for the certificates.
pub(crate) const CERTIFICATES_PART: &str = "certificates";

/// How certificates say that they have no end (RFC 5280 section 4.1.2.5); no date beside it is meant so.
pub(crate) const NO_END: &str = "9999-12-31T23:59:59Z";

const MANIFEST: &str = "tokenvet-snapshot";
const HEADERS: &str = "tokenvet-key-set-headers";
const CERTIFICATES: &str = "tokenvet-certificates";

static KINDS: [Kind; 3] = [
    Kind {
        name: MANIFEST,
        doc: "Snapshot of an issuer: its manifest, what was fetched from where; says nothing that could be judged",
        targets: &[],
    },
    Kind {
        name: HEADERS,
        doc: "Snapshot of an issuer: the HTTP caching headers its key set came with",
        targets: &[TargetKind::Settings],
    },
    Kind {
        name: CERTIFICATES,
        doc: "Snapshot of an issuer: the certificates of its server; audits tell when they end, no rule judges them",
        targets: &[TargetKind::Certificate],
    },
];

impl Adapter for Snapshot {
    fn kinds(&self) -> &'static [Kind] {
        &KINDS
    }

    fn recognise(&self, document: &Document) -> Option<&'static str> {
        let root = document.root();
        if !has_text(root, PART) {
            return None;
        }
        match root.get(PART).and_then(Cursor::as_str) {
            Some(MANIFEST_PART) => Some(MANIFEST),
            Some(HEADERS_PART) => Some(HEADERS),
            Some(CERTIFICATES_PART) => Some(CERTIFICATES),
            _ => None,
        }
    }

    fn adapt(&self, document: &Document, kind: &'static str, sink: &mut dyn Sink) {
        let reader = Reader::new(document.root());
        if kind == CERTIFICATES {
            return certificates(document, reader, sink);
        }
        if kind != HEADERS {
            return;
        }
        let settings = Settings {
            issuer: reader.text("issuer"),
            jwks_cache: reader.map("headers").map(freshness).unwrap_or_default(),
            ..Settings::default()
        };
        let name = settings.issuer.as_text().unwrap_or("issuer").to_string();
        let mut target = Target::new(TargetKind::Settings, format!("key set of {name}"), settings);
        target.identity = name.into();
        target.evidence = "HTTP headers of the key set".into();
        sink.target(&[document], target);
    }
}

/// The chain, the server's own certificate first. What tells them apart over time is the server and the place: a renewed
/// certificate is another, in the same place.
fn certificates<'d>(document: &'d Document, reader: Reader<'d>, sink: &mut dyn Sink) {
    let server = reader.text("server");
    let chain = reader.cursor().get("certificates").into_iter().flat_map(Cursor::items);
    for (index, at) in chain.enumerate().filter(|(_, at)| at.is_map()) {
        let of = Reader::new(at);
        let place = index as i64 + 1;
        let record = Certificate {
            server: server.clone(),
            place: Field::int(place, of.place(at)),
            subject: of.text("subject"),
            authority: of.text("issuer"),
            classes: reader.texts("classes"),
            names: of.texts("names"),
            not_before: of.date_time("not_before"),
            not_after: end(of),
        };
        let name = record.subject.as_text().filter(|name| !name.is_empty()).unwrap_or("certificate").to_string();
        let identity = format!("{} {place}", server.as_text().unwrap_or_default());
        let mut target = Target::new(TargetKind::Certificate, name, record);
        target.identity = identity.into();
        target.at = of.place(at);
        sink.target(&[document], target);
    }
}

/// The end of a certificate, which may say that it has none.
fn end<'d>(of: Reader<'d>) -> Field<'d> {
    let text = of.text("not_after");
    match text.as_text() == Some(NO_END) {
        true => Field { state: State::Unlimited, at: text.at },
        false => of.date_time("not_after"),
    }
}

/// How long the answer may be kept (RFC 9111 section 4.2.1): `max-age`, else `Expires` less `Date`; nothing where the
/// server leaves it to the reader. An answer that must not be kept, or not used without asking again, is fresh for 0.
fn freshness<'d>(headers: Reader<'d>) -> Field<'d> {
    let control = headers.text("cache-control");
    if let Some(text) = control.as_text() {
        let directives = || text.split(',').map(str::trim);
        let named = |name: &str| directives().any(|directive| directive.eq_ignore_ascii_case(name));
        if named("no-store") || named("no-cache") {
            return Field::int(0, control.at);
        }
        let age = directives().find_map(|directive| {
            let (name, value) = directive.split_once('=')?;
            name.trim().eq_ignore_ascii_case("max-age").then_some(value.trim().trim_matches('"'))
        });
        match age.map(str::parse::<i64>) {
            Some(Ok(seconds @ 0..)) => return Field::int(seconds, control.at),
            Some(_) => return Field::malformed("max-age is no whole number of seconds", control.at),
            None => {}
        }
    }
    let (expires, date) = (headers.text("expires"), headers.text("date"));
    let (Some(end), Some(start)) = (expires.as_text(), date.as_text()) else { return Field::default() };
    match (http_date(end), http_date(start)) {
        (Some(end), Some(start)) => Field::int((end - start).max(0), expires.at),
        // RFC 9111 section 5.3: what is no date, `0` above all, has gone by.
        (None, Some(_)) => Field::int(0, expires.at),
        (_, None) => Field::default(),
    }
}

/// Seconds since 1970 of a date in the form of RFC 9110 section 5.6.7.
fn http_date(text: &str) -> Option<i64> {
    jiff::fmt::rfc2822::parse(text).ok().map(|zoned| zoned.timestamp().as_second())
}

#[cfg(test)]
mod tests {
    use crate::adapt::testing::collect;
    use crate::parse::Syntax;

    #[test]
    fn headers_say_how_long_keys_may_be_kept() {
        let date = r#""date": "Sun, 22 Nov 2026 08:00:00 GMT""#;
        for (headers, expected, at, remark) in [
            (r#""cache-control": "max-age=21600""#, "21600", "cache-control", "plain"),
            (r#""cache-control": "public, Max-Age=\"60\", must-revalidate""#, "60", "cache-control", "among others"),
            (
                r#""cache-control": "no-cache, no-store, max-age=0, must-revalidate""#,
                "0",
                "cache-control",
                "not at all",
            ),
            (r#""cache-control": "no-cache""#, "0", "cache-control", "not without asking again"),
            (r#""cache-control": "max-age=soon""#, "malformed: ", "cache-control", "no number"),
            (r#""cache-control": "max-age=-1""#, "malformed: ", "cache-control", "below 0"),
            (r#""expires": "Sun, 22 Nov 2026 09:00:00 GMT""#, "3600", "expires", "expires less date"),
            (r#""expires": "Sun, 22 Nov 2026 07:00:00 GMT""#, "0", "expires", "gone by"),
            (r#""expires": "0""#, "0", "expires", "no date has gone by"),
            (
                r#""cache-control": "max-age=5", "expires": "Sun, 22 Nov 2026 09:00:00 GMT""#,
                "5",
                "cache-control",
                "max-age counts",
            ),
            (r#""cache-control": "public""#, "", "", "left to the reader"),
            (r#""etag": "\"a\"""#, "", "", "nothing said"),
        ] {
            let text = format!(
                r#"{{"tokenvet_snapshot": "key-set-headers", "issuer": "https://iam.example.org/", "headers": {{{headers}, {date}}}}}"#
            );
            let got = collect(&text, Syntax::Json);
            assert_eq!(got.kinds, ["tokenvet-key-set-headers"], "{remark}");
            let shown = got.targets[0].get("jwks_cache");
            assert!(
                if expected.ends_with(": ") { shown.starts_with(expected) } else { shown == expected },
                "{remark}: {shown}"
            );
            let pointer = got.targets[0].pointers.get("jwks_cache").map_or("", String::as_str);
            assert_eq!(pointer.trim_start_matches("/headers/"), at, "{remark}");
            assert_eq!(got.targets[0].get("issuer"), "https://iam.example.org/", "{remark}");
        }
    }

    #[test]
    fn certificates_are_told_apart_by_their_place() {
        let text = r#"{"tokenvet_snapshot": "certificates", "server": "iam.example.org:443", "classes": ["IGTF"],
            "certificates": [
                {"subject": "CN=iam.example.org", "issuer": "CN=Test CA", "not_before": "2026-01-01T00:00:00Z",
                 "not_after": "2027-01-01T00:00:00Z", "names": ["iam.example.org"], "sha256": "00", "pem": "x"},
                {"subject": "CN=Test CA", "issuer": "CN=Test CA", "not_before": "?", "not_after": "9999-12-31T23:59:59Z"},
                7]}"#;
        let got = collect(text, Syntax::Json);
        let shown: Vec<_> = got
            .targets
            .iter()
            .map(|target| {
                (target.identity.as_str(), target.name.as_str(), target.get("not_after"), target.get("authority"))
            })
            .collect();
        let expected = [
            ("iam.example.org:443 1", "CN=iam.example.org", "1798761600", "CN=Test CA"),
            ("iam.example.org:443 2", "CN=Test CA", "unlimited", "CN=Test CA"),
        ];
        assert_eq!(shown, expected);
        assert!(got.targets[1].get("not_before").starts_with("malformed: "), "what OpenSSL could not say either");
    }

    #[test]
    fn other_parts_hold_nothing_to_judge() {
        for (part, kind) in [("manifest", "tokenvet-snapshot"), ("certificates", "tokenvet-certificates")] {
            let got = collect(&format!(r#"{{"tokenvet_snapshot": "{part}"}}"#), Syntax::Json);
            assert_eq!((got.kinds.as_slice(), got.targets.len()), (&[kind][..], 0));
        }
        assert!(collect(r#"{"tokenvet_snapshot": "something else"}"#, Syntax::Json).kinds.is_empty());
    }
}
