//! From bytes to records: lines that belong together, what they say, and the tokens in them.

use super::book::{Book, Content};
use super::raw::Field;
use super::time::Clock;
use crate::redact::{MARK, Mode, Redactor};
use crate::scan::find::{Finder, Form, Found, Hit, State, object_of};
use crate::scan::tally;
use crate::source::mask;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use std::io::{self, BufRead, BufReader, Read};
use std::ops::Range;

/// How much of a text is looked at.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of one line; what follows in it is not looked at.
    pub line: usize,
    /// Lines of one record; what follows is taken for another.
    pub lines: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { line: 256 << 10, lines: 200 }
    }
}

/// What was cut, and how much there was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extent {
    /// Records.
    pub records: u64,
    /// Lines longer than is looked at.
    pub long_lines: u64,
    /// Records with more lines than are taken for one.
    pub long_records: u64,
}

/// A token in a record. Nothing of it that could be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenToken {
    /// Twelve digits that tell it from others, as a scan shows them.
    pub fingerprint: String,
    /// What it is.
    pub form: Form,
    /// Does it name itself (`jti`)?
    pub has_jti: bool,
    /// Is its `jti` the secret, and so not looked at? It is all there is to a token without a signature.
    pub hides_jti: bool,
    /// What a token and the same one without its signature have in common; `None` where it cannot be read.
    pub(crate) body: Option<[u8; 32]>,
    /// Is its signature there?
    pub(crate) is_whole: bool,
}

/// What tells header and claims of a token from others, whoever signed them.
pub(crate) fn body(header: &Value, claims: &Value) -> Option<[u8; 32]> {
    let readable = header.is_object() && claims.is_object();
    readable.then(|| Sha256::digest(format!("{header}.{claims}")).into())
}

/// A record.
#[derive(Clone, Debug)]
pub struct Record {
    /// The first of its lines, from 1.
    pub line: u64,
    /// What it says; what its tokens say is added.
    pub content: Content,
    /// The tokens in it.
    pub tokens: Vec<SeenToken>,
    /// The text, without what is secret.
    pub text: String,
}

/// Hands over every record of a text, in order.
pub fn records(
    book: &Book,
    from: impl Read,
    clock: &Clock,
    limits: Limits,
    sink: &mut dyn FnMut(&Record),
) -> io::Result<Extent> {
    let eyes = Eyes::new().map_err(io::Error::other)?;
    let mut reader = BufReader::with_capacity(64 << 10, from);
    let mut extent = Extent::default();
    let mut open = Open::default();
    let mut bytes = Vec::new();
    let mut number = 0;
    loop {
        bytes.clear();
        let more = line(&mut reader, &mut bytes, limits.line, &mut extent)?;
        if !more {
            break;
        }
        number += 1;
        let text = String::from_utf8_lossy(&bytes);
        let candidates: Vec<usize> = book.beginning(&text).collect();
        let goes_on = open.lines > 0
            && candidates.iter().all(|format| open.candidates.contains(format))
            && open.candidates.iter().any(|format| book.continues(*format, &text));
        if goes_on && open.lines < limits.lines {
            open.text.push('\n');
            open.text.push_str(&text);
            open.lines += 1;
            continue;
        }
        extent.long_records += u64::from(goes_on);
        open.close(book, &eyes, clock, &mut extent, sink);
        open = Open { text: text.into_owned(), line: number, lines: 1, candidates };
    }
    open.close(book, &eyes, clock, &mut extent, sink);
    Ok(extent)
}

/// Reads one line without its end; false at the end of the text.
fn line(reader: &mut impl BufRead, into: &mut Vec<u8>, limit: usize, extent: &mut Extent) -> io::Result<bool> {
    let mut any = false;
    let mut cut = false;
    loop {
        let buffer = match reader.fill_buf() {
            Ok(buffer) => buffer,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if buffer.is_empty() {
            break;
        }
        any = true;
        let end = memchr::memchr(b'\n', buffer);
        let piece = &buffer[..end.unwrap_or(buffer.len())];
        let room = limit.saturating_sub(into.len()).min(piece.len());
        cut |= room < piece.len();
        into.extend_from_slice(&piece[..room]);
        let used = end.map_or(buffer.len(), |end| end + 1);
        reader.consume(used);
        if end.is_some() {
            break;
        }
    }
    if into.last() == Some(&b'\r') {
        into.pop();
    }
    extent.long_lines += u64::from(cut);
    Ok(any)
}

#[derive(Default)]
struct Open {
    text: String,
    line: u64,
    lines: usize,
    candidates: Vec<usize>,
}

impl Open {
    fn close(&mut self, book: &Book, eyes: &Eyes, clock: &Clock, extent: &mut Extent, sink: &mut dyn FnMut(&Record)) {
        if self.text.is_empty() {
            return;
        }
        extent.records += 1;
        let text = std::mem::take(&mut self.text);
        let mut content = book.read(&self.candidates, &text, clock);
        let seen = eyes.see(&text);
        let tokens = seen.tokens(&text, &mut content);
        // A field that took a secret for its value must not show it; what was escaped in the text reads otherwise there.
        if !seen.is_clean() || memchr::memchr2(b'\\', b'%', text.as_bytes()).is_some() {
            for (_, value) in &mut content.values {
                *value = seen.without_secrets(&text, eyes.see(value).shown(value, |_| "[token]".into()));
            }
        }
        let text = seen.shown(&text, |hit| format!("[token {}]", fingerprint(hit, &text)));
        sink(&Record { line: self.line, content, tokens, text });
    }
}

fn hits(finder: &Finder, text: &[u8]) -> Vec<Hit> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Found::Token(hit) = finder.next(text, at, true) {
        at = hit.span.end.max(at + 1);
        found.push(hit);
    }
    found
}

/// What finds tokens, and all that must not be shown: the same that `redact` replaces.
struct Eyes {
    finder: Finder,
    redactor: Redactor,
}

/// What must not be shown of a text.
struct Seen {
    hits: Vec<Hit>,
    /// What is secret beside these, in order.
    secrets: Vec<Range<usize>>,
}

impl Eyes {
    fn new() -> Result<Self, String> {
        Ok(Eyes { finder: Finder::new()?, redactor: Redactor::new(Mode::Signature, true)? })
    }

    fn see(&self, text: &str) -> Seen {
        let hits = hits(&self.finder, text.as_bytes());
        let mut secrets = Vec::new();
        let mut next = 0;
        for stretch in self.redactor.stretches(text.as_bytes()) {
            let mut from = stretch.start;
            while hits.get(next).is_some_and(|hit| hit.span.end <= from) {
                next += 1;
            }
            let within = hits[next..].iter().take_while(|hit| hit.span.start < stretch.end);
            for hit in within {
                secrets.push(from..hit.span.start.max(from));
                from = hit.span.end;
            }
            secrets.push(from..stretch.end.max(from));
        }
        secrets.retain(|span| !span.is_empty());
        Seen { hits, secrets }
    }
}

impl Seen {
    fn is_clean(&self) -> bool {
        self.hits.is_empty() && self.secrets.is_empty()
    }

    /// The text with a mark in place of each token and of each other secret.
    fn shown(&self, text: &str, mark: impl Fn(&Hit) -> String) -> String {
        let hits = self.hits.iter().map(|hit| (&hit.span, mark(hit)));
        let secrets = self.secrets.iter().map(|span| (span, MARK.to_string()));
        let mut marks: Vec<(&Range<usize>, String)> = hits.chain(secrets).collect();
        marks.sort_unstable_by_key(|(span, _)| span.start);
        // A copy of a log keeps `salt=` and its like, which nobody here asks for.
        let between = |span: Range<usize>| mask::redact(text.get(span).unwrap_or_default());
        let mut out = String::with_capacity(text.len());
        let mut from = 0;
        for (span, mark) in marks {
            out.push_str(&between(from..span.start));
            out.push_str(&mark);
            from = span.end;
        }
        out.push_str(&between(from..text.len()));
        out
    }

    /// A value of a record with this text, without what is secret there.
    fn without_secrets(&self, text: &str, value: String) -> String {
        /// What is shorter may stand in a value by chance.
        const TELLING: usize = 8;
        let secrets = self.secrets.iter().filter_map(|span| text.get(span.clone()));
        secrets.fold(value, |value, secret| match secret.len() >= TELLING || value == secret {
            true => value.replace(secret, MARK),
            false => value,
        })
    }

    /// The tokens, each once, and what they say.
    fn tokens(&self, text: &str, content: &mut Content) -> Vec<SeenToken> {
        let mut tokens: Vec<SeenToken> = Vec::new();
        for hit in &self.hits {
            let fingerprint = fingerprint(hit, text);
            let mut claims = object(hit, &hit.payload, text);
            let body = body(&object(hit, &hit.header, text), &claims);
            let mut has_jti = claims.get("jti").is_some_and(Value::is_string);
            // The identifier of a token that never had a signature is all there is to it: with it the token can be made again.
            let hides_jti = has_jti && hit.state == State::Unsigned;
            if let Some(claims) = claims.as_object_mut().filter(|_| hides_jti) {
                claims.remove("jti");
                has_jti = false;
            }
            told(&claims, content);
            if !tokens.iter().any(|token| token.fingerprint == fingerprint) {
                let is_whole = hit.state == State::Whole;
                tokens.push(SeenToken { fingerprint, form: hit.form, has_jti, hides_jti, body, is_whole });
            }
        }
        tokens
    }
}

fn fingerprint(hit: &Hit, text: &str) -> String {
    tally::fingerprint(&tally::digest(hit, text.as_bytes()))
}

/// The header or the claims of a JWT; null where they cannot be read.
fn object(hit: &Hit, part: &Range<usize>, text: &str) -> Value {
    if hit.form != Form::Jwt {
        return Value::Null;
    }
    object_of(&text.as_bytes()[part.clone()]).unwrap_or_default()
}

/// Adds what a token says of itself.
fn told(claims: &Value, content: &mut Content) {
    for (name, field) in [
        ("jti", Field::Jti),
        ("iss", Field::Iss),
        ("sub", Field::Sub),
        ("client_id", Field::Client),
        ("azp", Field::Client),
    ] {
        if let Some(text) = claims.get(name).and_then(Value::as_str) {
            content.add(field, text);
        }
    }
    let groups = ["wlcg.groups", "groups", "entitlements", "eduperson_entitlement"].map(|name| claims.get(name));
    for group in groups.into_iter().flatten().filter_map(Value::as_array).flatten().filter_map(Value::as_str).take(20) {
        content.add(Field::Group, group);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use jiff::tz::TimeZone;

    fn all(text: &str, limits: Limits) -> (Vec<Record>, Extent) {
        let book = Book::builtin().expect("the formats compile");
        let clock = Clock { zone: TimeZone::UTC, now: "2026-01-31T12:00:00Z".parse().expect("a time") };
        let mut found = Vec::new();
        let extent = records(&book, text.as_bytes(), &clock, limits, &mut |record| found.push(record.clone()));
        (found, extent.expect("memory"))
    }

    fn token() -> String {
        let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
        let claims = r#"{"sub":"s-1","iss":"https://vo.example.org/","jti":"j-1","wlcg.groups":["/vo"]}"#;
        format!("{}.{}.{}", part(r#"{"alg":"ES256"}"#), part(claims), "T".repeat(86))
    }

    #[test]
    fn tokens_tell_who_they_are_and_are_not_shown() {
        let token = token();
        for (line, remark) in [
            (format!("anything Authorization: Bearer {token} more"), "a format that nobody knows"),
            (format!("x?authz=Bearer%20{}", token.replace('.', "%2E")), "encoded dots"),
            (
                format!("192.0.2.1 - - [10/Oct/2024:13:55:36 +0200] \"GET /f?authz={token} HTTP/1.1\" 200 1"),
                "in a path",
            ),
        ] {
            let (found, _) = all(&line, Limits::default());
            let [record] = found.as_slice() else { panic!("{remark}: {} records", found.len()) };
            assert_eq!(record.content.first(Field::Jti), Some("j-1"), "{remark}");
            assert_eq!(record.content.first(Field::Iss), Some("https://vo.example.org/"), "{remark}");
            assert_eq!(record.content.first(Field::Group), Some("/vo"), "{remark}");
            let shown = format!("{record:?}");
            assert!(!shown.contains(&"T".repeat(20)) && !shown.contains("eyJ"), "{remark}: {shown}");
            assert!(record.text.contains(&record.tokens[0].fingerprint), "{remark}: {}", record.text);
        }
    }

    #[test]
    fn no_secret_of_any_kind_is_shown() {
        for (line, shown) in [
            (
                "2025-08-21T10:00:00+02:00 dav1 http[78]: > Authorization: Bearer h4Jx9Qm2Tz7Lp0Vw5Ks8Rd3Yb6",
                "> Authorization: Bearer REDACTED",
            ),
            (
                r#"< {"access_token":"h4Jx9Qm2Tz7Lp0Vw5Ks8Rd3","refresh_token":"h4Jx9Qm2Tz7Lp0Vw5Ks8Rd4"}"#,
                r#"{"access_token":"REDACTED","refresh_token":"REDACTED"}"#,
            ),
            (
                r#"{"client_id":"x","client_secret":"h4Jx9Qm2Tz7Lp0"}"#,
                r#"{"client_id":"x","client_secret":"REDACTED"}"#,
            ),
            (
                r#"192.0.2.1 - - [10/Oct/2024:13:55:36 +0200] "GET /f?authz=Bearer%20h4Jx9Qm2Tz7Lp0Vw5Ks8&x=1 HTTP/1.1" 200 1"#,
                "/f?authz=Bearer%20REDACTED&x=1",
            ),
            (
                "251103 09:21:02 2291 XrdPfc_Cache: info Attach() pelican://u1@origin.example.org:443//ns/file?&authz=h4Jx9Qm2Tz7Lp0Vw5Ks8",
                "file?&authz=REDACTED",
            ),
            ("Authorization: Basic aDRKeDk6UW0yVHo3THAwVnc1", "Authorization: Basic REDACTED"),
            ("{'Authorization': 'Bearer h4Jx9Qm2Tz7Lp0Vw5Ks8'}", "{'Authorization': 'Bearer REDACTED'}"),
            ("password: h4Jx9Qm2Tz", "password: REDACTED"),
            ("root://user:h4Jx9Qm2Tz@se.example.org", "root://user:REDACTED@se.example.org"),
        ] {
            let (found, _) = all(line, Limits::default());
            let [record] = found.as_slice() else { panic!("{line}: {} records", found.len()) };
            assert!(record.text.contains(shown), "{}", record.text);
            assert!(!format!("{record:?}").contains("h4Jx9") && !record.text.contains("aDRKeDk6"), "{record:?}");
        }
    }

    #[test]
    fn the_identifier_of_an_unsigned_token_is_its_secret() {
        let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
        let token = format!("{}.{}.", part(r#"{"alg":"none"}"#), part(r#"{"jti":"d1f0c2aa-0001"}"#));
        let (found, _) = all(&format!("refresh_token={token} x"), Limits::default());
        let [record] = found.as_slice() else { panic!("{} records", found.len()) };
        assert_eq!((record.tokens.len(), record.content.first(Field::Jti)), (1, None));
        assert!(record.tokens[0].hides_jti && !record.tokens[0].has_jti);
        assert!(!format!("{record:?}").contains("d1f0c2aa"), "{record:?}");
    }

    #[test]
    fn hostile_lines_are_cut_and_counted() {
        let limits = Limits { line: 1000, lines: 3 };
        let (found, extent) = all(&format!("{}\nnext", "x".repeat(100_000)), limits);
        assert_eq!((found.len(), extent.long_lines), (2, 1));
        let lines: String = (0..9).map(|n| format!("> Header{n}: x\n")).collect();
        let (_, extent) =
            all(&format!("INFO    Fri, 12 Apr 2024 10:16:33 -0400; Davix: > COPY /f HTTP/1.1\n{lines}"), limits);
        assert_eq!(extent.long_records, 1);
        let (found, _) = all("\u{0}\u{1}\r\n\n\r\n\u{feff}\n", limits);
        assert_eq!(found.len(), 2, "empty lines are none");
    }
}
