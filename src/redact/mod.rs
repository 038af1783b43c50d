//! Copying a text of any length with its tokens and other secrets replaced, in constant memory.
//!
//! Everything between two replaced stretches stays byte for byte, whatever its encoding, and every line keeps its number:
//! line breaks within a replaced stretch stay as well. A text that was redacted is not changed by redacting it again. Where a
//! format states lengths (a journal's export), what is replaced keeps its own.

mod journal;
mod marker;
pub mod secret;

pub use marker::{MARK, is_marker};

use crate::scan::find::{Finder, Form, Found, Hit, MAX_TOKEN, Memo, State, object_of};
use crate::scan::fingerprint::Fingerprints;
use crate::scan::tally;
use journal::Fields;
use secret::{Secret, Secrets, Tokens};
use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::ops::Range;

/// Bytes read at once.
const CHUNK: usize = 256 << 10;
/// Bytes before the next one to write that stay at hand: what a token or a name may begin with, and the
/// object that a key stands in.
const BEHIND: usize = 1024 + secret::KEY_REACH;
/// What markers are filled up with; like they it means nothing, and no token goes on with it.
const FILL: u8 = b'*';
/// A stretch of so many bytes was cut for its length.
const CUT: usize = MAX_TOKEN - CHUNK;

/// What is left of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Header and payload; tokens that can be used without a signature are treated as by `Token`.
    Signature,
    /// Its form and fingerprint.
    Token,
    /// Its form and fingerprint, `jti`, `sub` and `exp`.
    Claims,
}

/// What was done to a text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Tokens that were replaced, or their signature.
    pub tokens: BTreeMap<Form, u64>,
    /// Other secrets that were replaced.
    pub secrets: BTreeMap<secret::Kind, u64>,
    /// Tokens that had no signature any more and were left as they are.
    pub redacted: u64,
    /// Tokens whose end is missing from the payload on, and were left as they are.
    pub cut: u64,
    /// Bytes read.
    pub read: u64,
    /// Bytes written.
    pub written: u64,
}

impl Summary {
    /// True when the copy differs from the text.
    pub fn changed(&self) -> bool {
        !self.tokens.is_empty() || !self.secrets.is_empty()
    }

    /// Adds what was done to another text.
    pub fn add(&mut self, other: &Summary) {
        other.tokens.iter().for_each(|(form, count)| *self.tokens.entry(*form).or_default() += count);
        other.secrets.iter().for_each(|(kind, count)| *self.secrets.entry(*kind).or_default() += count);
        self.redacted += other.redacted;
        self.cut += other.cut;
        self.read += other.read;
        self.written += other.written;
    }
}

/// Why copying ended early.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// The text could not be read to its end.
    #[error("reading it ended early: {0}")]
    Read(io::Error),
    /// The copy could not be written.
    #[error("{0}")]
    Write(io::Error),
}

/// Redacts texts.
#[derive(Debug)]
pub struct Redactor {
    finder: Finder,
    secrets: Option<Secrets>,
    mode: Mode,
    fingerprints: Fingerprints,
}

impl Redactor {
    /// A redactor; `secrets` says whether secrets that are no tokens are replaced, too. An error is a defect of the search
    /// library's and never seen.
    pub fn new(mode: Mode, secrets: bool) -> Result<Self, String> {
        let secrets = if secrets { Some(Secrets::new()?) } else { None };
        Ok(Redactor { finder: Finder::lenient()?, secrets, mode, fingerprints: Fingerprints::default() })
    }

    /// With these fingerprints in its markers.
    pub fn fingerprinting(self, fingerprints: Fingerprints) -> Self {
        Redactor { fingerprints, ..self }
    }

    /// Copies a text. What was written before an error is redacted and ends somewhere.
    pub fn copy(&self, mut from: impl Read, mut to: impl Write) -> Result<Summary, CopyError> {
        let mut copy = Copy::new(self);
        loop {
            let last = !copy.fill(&mut from).map_err(CopyError::Read)?;
            copy.search(last);
            copy.write(last, &mut to).map_err(CopyError::Write)?;
            if last {
                to.flush().map_err(CopyError::Write)?;
                return Ok(copy.summary);
            }
        }
    }

    /// What of a text in memory is replaced, in order.
    pub fn stretches(&self, text: &[u8]) -> Vec<Range<usize>> {
        let mut places = Places::default();
        places.search(self, text, true);
        let token = |hit: &Hit| {
            let unsigned = hit.form == Form::Jwt && is_unsigned(&text[hit.header.clone()]);
            self.edit(hit, text, unsigned).map(|(span, _)| span)
        };
        let secrets = places.secrets.into_iter().flat_map(|secret| secret.parts);
        let mut all: Vec<Range<usize>> = places.tokens.iter().filter_map(token).chain(secrets).collect();
        all.sort_unstable_by_key(|span| span.start);
        all
    }

    /// What takes the place of a token's bytes.
    fn edit(&self, hit: &Hit, window: &[u8], unsigned: bool) -> Option<(Range<usize>, String)> {
        let fingerprint = || self.fingerprints.of(&tally::digest(hit, window));
        let whole = |text| Some((hit.span.clone(), text));
        match (self.mode, hit.form) {
            (_, Form::Envelope) if hit.state == State::Redacted => None,
            // A token that nobody signed can be made again by whoever knows what it says. The signature of one that was cut for its length lies somewhere beyond.
            _ if unsigned || (hit.state == State::Truncated && hit.span.len() >= CUT) => {
                whole(marker::token(hit.form, &fingerprint()))
            }
            (Mode::Signature, Form::Jwt | Form::Jwe) if hit.secret.is_empty() => None,
            (Mode::Signature, Form::Jwt | Form::Jwe) => Some((hit.secret.clone(), MARK.to_string())),
            (Mode::Claims, Form::Jwt) => whole(marker::with_claims(hit, window, &fingerprint())),
            (Mode::Signature, Form::Macaroon | Form::Eos | Form::Envelope)
            | (Mode::Token, _)
            | (Mode::Claims, Form::Jwe | Form::Macaroon | Form::Eos | Form::Envelope) => {
                whole(marker::token(hit.form, &fingerprint()))
            }
        }
    }
}

/// Does a header say that there is no signature?
fn is_unsigned(header: &[u8]) -> bool {
    let header = object_of(header);
    let algorithm = header.as_ref().and_then(|header| header.get("alg")?.as_str());
    algorithm.is_some_and(|algorithm| algorithm.eq_ignore_ascii_case("none"))
}

/// What goes on where a token or a value was cut for its length.
#[derive(Clone, Copy)]
enum Tail {
    Token,
    Value,
}

impl Tail {
    fn has(self, byte: u8) -> bool {
        match self {
            Tail::Token => byte.is_ascii_alphanumeric() || b"-_.%+/=".contains(&byte),
            Tail::Value => !byte.is_ascii_whitespace() && !b"&\"'<>`".contains(&byte),
        }
    }
}

/// A stretch with what takes its place.
struct Edit {
    span: Range<usize>,
    text: String,
    /// It was cut for its length, and goes on so.
    tail: Option<Tail>,
}

/// What was found in a text so far. A secret counts once all tokens that begin before its end are known, so that it does not
/// matter in which pieces a text comes.
#[derive(Default)]
struct Places {
    /// Where the search for tokens goes on, and that for other secrets.
    token_at: usize,
    secret_at: usize,
    /// Tokens that are found and not written, whether anything takes their place or not.
    tokens: Vec<Hit>,
    secrets: Vec<Secret>,
    memo: Memo,
}

impl Places {
    fn search(&mut self, by: &Redactor, text: &[u8], last: bool) {
        loop {
            match by.finder.next_with(&mut self.memo, text, self.token_at, last) {
                Found::Token(hit) => {
                    self.token_at = hit.span.end.max(hit.span.start + 1);
                    self.tokens.push(hit);
                }
                Found::Open(from) => {
                    self.token_at = from;
                    break;
                }
                Found::Nothing => {
                    self.token_at = text.len();
                    break;
                }
            }
        }
        let Some(secrets) = &by.secrets else {
            self.secret_at = text.len();
            return;
        };
        loop {
            let tokens = Tokens { hits: &self.tokens, until: self.token_at };
            match secrets.next(text, self.secret_at, last, tokens) {
                secret::Found::Secret(secret) => {
                    self.secret_at = self.take(secret);
                }
                secret::Found::Open(from) => {
                    self.secret_at = from;
                    break;
                }
                secret::Found::Nothing => {
                    self.secret_at = text.len();
                    break;
                }
            }
        }
    }

    /// Takes a secret and says where it ends. What looks like a token in a private key is part of it.
    fn take(&mut self, mut secret: Secret) -> usize {
        if let (secret::Kind::PrivateKey, [key]) = (secret.kind, &mut secret.parts[..]) {
            let first = self.tokens.partition_point(|hit| hit.span.end <= key.start);
            let within = self.tokens[first..].iter().take_while(|hit| hit.span.start < key.end).count();
            for hit in self.tokens.drain(first..first + within) {
                *key = key.start.min(hit.span.start)..key.end.max(hit.span.end);
            }
            secret.end = key.end;
        }
        let end = secret.end;
        self.secrets.push(secret);
        end
    }

    /// Counts all places from further on.
    fn move_back(&mut self, by: usize) {
        self.token_at -= by;
        self.secret_at -= by;
        for hit in &mut self.tokens {
            for range in [&mut hit.span, &mut hit.header, &mut hit.payload, &mut hit.secret] {
                *range = range.start - by..range.end - by;
            }
        }
        debug_assert!(self.secrets.is_empty(), "secrets are written when they are found");
    }
}

/// A copy in the making.
struct Copy<'r> {
    by: &'r Redactor,
    bytes: Vec<u8>,
    /// Bytes of it that are filled.
    end: usize,
    /// What stands before is written.
    done: usize,
    places: Places,
    /// The header that was looked at last, and whether it says that there is no signature.
    header: (Vec<u8>, bool),
    /// What is cut for its length goes on.
    tail: Option<Tail>,
    /// What has to keep its length.
    fields: Fields,
    summary: Summary,
}

impl<'r> Copy<'r> {
    fn new(by: &'r Redactor) -> Self {
        let (bytes, tail, summary) = (vec![0; CHUNK + BEHIND], None, Summary::default());
        let (places, header, fields) = (Places::default(), (Vec::new(), false), Fields::new());
        Copy { by, bytes, end: 0, done: 0, places, header, tail, fields, summary }
    }

    /// Reads on; false at the end of the text.
    fn fill(&mut self, from: &mut impl Read) -> io::Result<bool> {
        let behind = self.done.saturating_sub(BEHIND);
        // Moving bytes for every short read of a pipe would cost more than the memory.
        if behind >= CHUNK / 2 || (self.end == self.bytes.len() && behind > 0) {
            self.bytes.copy_within(behind..self.end, 0);
            self.end -= behind;
            self.done -= behind;
            self.places.move_back(behind);
            self.fields.forget(self.base());
        }
        if self.end == self.bytes.len() {
            self.bytes.resize((self.bytes.len() * 2).min(self.bytes.len() + MAX_TOKEN), 0);
        }
        loop {
            match from.read(&mut self.bytes[self.end..]) {
                Ok(0) => return Ok(false),
                Ok(read) => {
                    self.fields.push(&self.bytes[self.end..self.end + read]);
                    self.end += read;
                    self.summary.read += read as u64;
                    return Ok(true);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn search(&mut self, last: bool) {
        self.places.search(self.by, &self.bytes[..self.end], last);
    }

    /// Writes what is certain.
    fn write(&mut self, last: bool, to: &mut impl Write) -> io::Result<()> {
        let certain = if last { self.end } else { self.places.token_at.min(self.places.secret_at) };
        let tokens = self.places.tokens.iter().take_while(|hit| hit.span.end <= certain).count();
        let tokens: Vec<Hit> = self.places.tokens.drain(..tokens).collect();
        let secrets = std::mem::take(&mut self.places.secrets);
        // A token that reaches beyond what is certain of other secrets is written with them.
        let certain = self.places.tokens.first().map_or(certain, |hit| certain.min(hit.span.start));
        for edit in self.edits(tokens, secrets) {
            self.keep(edit.span.start, to)?;
            self.replace(edit, to)?;
        }
        self.keep(certain, to)
    }

    /// What takes the place of these, in order.
    fn edits(&mut self, tokens: Vec<Hit>, secrets: Vec<Secret>) -> Vec<Edit> {
        let mut edits = Vec::new();
        for Secret { kind, parts, end, cut } in secrets {
            *self.summary.secrets.entry(kind).or_default() += 1;
            for span in parts {
                let tail = Some(Tail::Value).filter(|_| cut && span.end == end);
                edits.push(Edit { span, text: MARK.to_string(), tail });
            }
        }
        for hit in &tokens {
            let window = &self.bytes[..self.end];
            let header = &window[hit.header.clone()];
            if self.header.0 != header {
                self.header = (header.to_vec(), is_unsigned(header));
            }
            match self.by.edit(hit, window, hit.form == Form::Jwt && self.header.1) {
                Some((span, text)) => {
                    *self.summary.tokens.entry(hit.form).or_default() += 1;
                    let tail = Some(Tail::Token).filter(|_| span.len() >= CUT);
                    edits.push(Edit { span, text, tail });
                }
                None if hit.state == State::Redacted => self.summary.redacted += 1,
                None => self.summary.cut += 1,
            }
        }
        edits.sort_unstable_by_key(|edit| edit.span.start);
        edits
    }

    /// Where the bytes at hand begin in the text.
    fn base(&self) -> u64 {
        self.summary.read - self.end as u64
    }

    /// Has some of this stretch to keep its length?
    fn is_fixed(&self, span: &Range<usize>) -> bool {
        self.fields.fix(self.base() + span.start as u64..self.base() + span.end as u64)
    }

    /// Writes the text up to here as it is, without what goes on from something that was cut.
    fn keep(&mut self, until: usize, to: &mut impl Write) -> io::Result<()> {
        if until <= self.done {
            return Ok(());
        }
        if let Some(tail) = self.tail {
            let length = self.bytes[self.done..until].iter().take_while(|byte| tail.has(**byte)).count();
            self.put(self.done..self.done + length, "", to)?;
            if self.done < until {
                self.tail = None;
            }
        }
        to.write_all(&self.bytes[self.done..until])?;
        self.summary.written += (until - self.done) as u64;
        self.done = until;
        Ok(())
    }

    /// Writes what takes the place of a stretch.
    fn replace(&mut self, edit: Edit, to: &mut impl Write) -> io::Result<()> {
        let span = edit.span.start.max(self.done)..edit.span.end;
        self.put(span, &edit.text, to)?;
        self.tail = edit.tail;
        Ok(())
    }

    /// Writes a text in place of a stretch, with the line breaks of that. Where the length is fixed it is cut or filled up.
    fn put(&mut self, span: Range<usize>, text: &str, to: &mut impl Write) -> io::Result<()> {
        let old = &self.bytes[span.clone()];
        let lead = old.iter().take_while(|byte| is_break(byte)).count();
        let breaks = old[lead..].iter().copied().filter(is_break);
        let mut new = old[..lead].to_vec();
        match self.is_fixed(&span) {
            true => {
                let room = old.len() - lead - breaks.clone().count();
                new.extend(text.bytes().chain(std::iter::repeat(FILL)).take(room));
            }
            false => new.extend_from_slice(text.as_bytes()),
        }
        new.extend(breaks);
        to.write_all(&new)?;
        self.summary.written += new.len() as u64;
        self.done = span.end;
        Ok(())
    }
}

fn is_break(byte: &u8) -> bool {
    matches!(byte, b'\n' | b'\r')
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    fn redacted(text: &str, mode: Mode) -> String {
        let redactor = Redactor::new(mode, true).expect("built-in words");
        let mut copy = Vec::new();
        redactor.copy(text.as_bytes(), &mut copy).expect("memory");
        String::from_utf8(copy).expect("what was text stays text")
    }

    fn token(header: &str, payload: &str, signature: &str) -> String {
        format!("{}.{}.{signature}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload))
    }

    fn es256() -> String {
        let payload = r#"{"jti":"j-1","sub":"alice@x","exp":1767225600}"#;
        token(r#"{"alg":"ES256"}"#, payload, &"TestSignature-".repeat(7)[..86])
    }

    #[test]
    fn a_mode_says_what_is_left_of_a_token() {
        let jwt = es256();
        let (body, _) = jwt.rsplit_once('.').expect("three parts");
        let refresh = token(r#"{"alg":"none"}"#, r#"{"jti":"r"}"#, "");
        let jwe = token(r#"{"alg":"RSA-OAEP","enc":"A256GCM"}"#, "k", "VGVzdA.VGVzdA.VGVzdA");
        let (jwe_header, _) = jwe.split_once('.').expect("five parts");
        let eos = "zteos64:MDAwMDAxTestTestTestTestTestTest==";
        let fingerprint = regex::Regex::new("(REDACTED-[a-z-]+-)[0-9a-f]{12}").expect("a pattern");
        for (mode, text, expected, remark) in [
            (Mode::Signature, format!("a={jwt} b"), format!("a={body}.REDACTED b"), "a signed token"),
            (Mode::Signature, format!("a={refresh}&b"), "a=REDACTED-jwt-#&b".into(), "an unsigned one"),
            (
                Mode::Signature,
                format!("a={}&b", &refresh[..refresh.len() - 1]),
                "a=REDACTED-jwt-#&b".into(),
                "without its dot",
            ),
            (Mode::Signature, format!("a {jwe} b"), format!("a {jwe_header}.REDACTED b"), "an encrypted one"),
            (Mode::Signature, format!("a {eos} b"), "a REDACTED-eos-token-# b".into(), "nothing to read in it"),
            (Mode::Signature, format!("a {body}. b"), format!("a {body}. b"), "no signature any more"),
            (Mode::Token, format!("a {body}. b"), "a REDACTED-jwt-#. b".into(), "the same without claims"),
            (Mode::Token, format!("a={jwt} b"), "a=REDACTED-jwt-# b".into(), "a signed token"),
            (
                Mode::Claims,
                format!("a={jwt} b"),
                "a=REDACTED-jwt-#(jti=j-1,sub=alice@x,exp=20260101T000000Z) b".into(),
                "a signed token",
            ),
            (
                Mode::Claims,
                format!("a={refresh}&b"),
                "a=REDACTED-jwt-#&b".into(),
                "knowing the jti is enough to make it",
            ),
        ] {
            let copy = redacted(&text, mode);
            assert_eq!(fingerprint.replace_all(&copy, "$1#"), expected, "{remark}");
            assert_eq!(redacted(&copy, mode), copy, "{remark}, twice");
        }
    }

    #[test]
    fn lines_keep_their_number_within_what_is_replaced() {
        let jwt = es256();
        let lines: Vec<&str> = (0..jwt.len()).step_by(64).map(|at| &jwt[at..jwt.len().min(at + 64)]).collect();
        for (break_, remark) in [("\n", "plain"), ("\r\n", "CRLF"), ("=\r\n", "quoted-printable"), ("\n  ", "indented")]
        {
            for mode in [Mode::Signature, Mode::Token, Mode::Claims] {
                let text = format!("first\n{}\nlast\n", lines.join(break_));
                let copy = redacted(&text, mode);
                assert_eq!(copy.matches('\n').count(), text.matches('\n').count(), "{remark}");
                assert!(copy.starts_with("first\n") && copy.ends_with("\nlast\n"), "{remark}: {copy}");
                assert!(!copy.contains("Signature"), "{remark}");
            }
        }
    }

    #[test]
    fn secrets_that_are_no_tokens_are_replaced_too() {
        for (text, expected) in [
            ("grant_type=x&client_secret=s3cr&y=1", "grant_type=x&client_secret=REDACTED&y=1"),
            ("{\"client_secret\" : \"a\\\"b\", \"x\": 1}", "{\"client_secret\" : \"REDACTED\", \"x\": 1}"),
            ("{\"m\":\"{\\\"password\\\":\\\"abc\\\"}\"}", "{\"m\":\"{\\\"password\\\":\\\"REDACTED\\\"}\"}"),
            ("{'refresh_token': 'abc', 'a': 1}", "{'refresh_token': 'REDACTED', 'a': 1}"),
            ("client_secret%3Dabc%26x%3D1", "client_secret%3DREDACTED%26x%3D1"),
            (
                "x%253D1%2526client_secret%253Dabc%2526x%253D1%26y",
                "x%253D1%2526client_secret%253DREDACTED%2526x%253D1%26y",
            ),
            // Encoded more often than the sign, it may be part of the password; a name behind it says that it is not.
            ("password=abc%26x%3D1", "password=REDACTED"),
            ("password=abc%26client_id%3D1", "password=REDACTED%26client_id%3D1"),
            ("password%3Dabc%2526x%3D1", "password%3DREDACTED"),
            ("user=x,password=a,b;c,z=1", "user=x,password=REDACTED"),
            ("password=a,b,client_id=c;token_type=d", "password=REDACTED,client_id=c;token_type=d"),
            (
                "Authorization: Digest username=\"u\", nonce=\"dcd98b7102dd2f0e\", response=\"6629fae49393a05397450978507c4ef1\", opaque=\"5ccc069c403ebaf9\"",
                "Authorization: Digest username=\"u\", nonce=\"dcd98b7102dd2f0e\", response=\"REDACTED\", opaque=\"5ccc069c403ebaf9\"",
            ),
            (
                r#"{"authorization":"Digest realm=\"r\",response=\"6629fae49393a05397450978507c4ef1\",qop=auth","x":1}"#,
                r#"{"authorization":"Digest REDACTED","x":1}"#,
            ),
            (
                "proxy-authorization: digest uri=/x, response=6629fae49393a05397450978507c4ef1, qop=auth",
                "proxy-authorization: digest uri=/x, response=REDACTED, qop=auth",
            ),
            ("password=abc|access_token=abc", "password=REDACTED|access_token=REDACTED"),
            ("{client_secret:a1b2c3d4e5f6a7b8c9,client_id:x}", "{client_secret:REDACTED,client_id:x}"),
            ("x%26token%3Da1b2c3d4e5f6a7b8c9%26y", "x%26token%3DREDACTED%26y"),
            ("{'client_secret': b'abc', 'x': 1}", "{'client_secret': b'REDACTED', 'x': 1}"),
            ("{u'client_secret': u'abc', u'x': 1}", "{u'client_secret': u'REDACTED', u'x': 1}"),
            ("password=rb\"abc\"", "password=rb\"REDACTED\""),
            // The quotes of a value that was cut off close around the name of the next one.
            ("client_secret=\"abc, refresh_token=\"def\" x=1", "client_secret=\"REDACTED\" x=1"),
            ("password='abc 'passwd' : 'def' x='1'", "password='REDACTED'passwd' : 'REDACTED' x='1'"),
            ("password: \"abc, token: \"VGVz dA==\" x=\"1\"", "password: \"REDACTED\" x=\"1\""),
            ("client_secret=\"dGVzdA==\" x=\"1\"", "client_secret=\"REDACTED\" x=\"1\""),
            ("{'passwd': 'abc&client_secret': 'def', 'x': 1}", "{'passwd': 'REDACTED', 'x': 1}"),
            ("passwd='abc client_secret' : 'def' x=1", "passwd='REDACTED' x=1"),
            ("{'passwd': 'secret', 'client_secret': 'def'}", "{'passwd': 'REDACTED', 'client_secret': 'REDACTED'}"),
            // Not every closing quote has the escapes of the one that opens.
            ("password\\\": \\\"abc\", x", "password\\\": \\\"REDACTED\", x"),
            ("password\\\": \\\"REDACTED\", x", "password\\\": \\\"REDACTED\", x"),
            ("client_secret=\"abc, scope=\"def\" x=1", "client_secret=\"REDACTED\"def\" x=1"),
            ("{'Authorization': b'Basic dXNlcjpzZWNyZXRwYXNz'}", "{'Authorization': b'Basic REDACTED'}"),
            (
                "%7B%22client_secret%22%3A%22a%5C%22bc%22%2C%22x%22%3A1%7D",
                "%7B%22client_secret%22%3A%22REDACTED%22%2C%22x%22%3A1%7D",
            ),
            (
                "%2522client_secret%2522%253A%2520%2522abc%2522%252C",
                "%2522client_secret%2522%253A%2520%2522REDACTED%2522%252C",
            ),
            (
                "%7B%5C%22client_secret%5C%22%3A%5C%22abc%5C%22%7D",
                "%7B%5C%22client_secret%5C%22%3A%5C%22REDACTED%5C%22%7D",
            ),
            ("Authorization%3A%20Basic%20dGVzdDp0ZXN0&x", "Authorization%3A%20Basic%20REDACTED&x"),
            ("Authorization: Basic dGVzdDp0ZXN0\r\n", "Authorization: Basic REDACTED\r\n"),
            ("authorization : bearer h480djs93hd8, x", "authorization : bearer REDACTED, x"),
            ("'Authorization': 'Bearer h480djs93hd8'", "'Authorization': 'Bearer REDACTED'"),
            ("f?authz=Bearer%20abcdef0123456789&x", "f?authz=Bearer%20REDACTED&x"),
            ("authz=Bearer abcdef0123456789, flags", "authz=Bearer REDACTED, flags"),
            ("https://user:pass@h/x", "https://user:REDACTED@h/x"),
            ("<password>abc</password>", "<password>REDACTED</password>"),
            ("cmd --client-secret abc --x", "cmd --client-secret REDACTED --x"),
            ("  db_password: abc\n", "  db_password: REDACTED\n"),
            (
                "-----BEGIN RSA PRIVATE KEY-----\nVGVzdFRlc3Q\nVGVzdFRlc3Q\n-----END RSA PRIVATE KEY-----\n",
                "-----BEGIN RSA PRIVATE KEY-----\nREDACTED\n\n-----END RSA PRIVATE KEY-----\n",
            ),
            ("-----BEGIN PRIVATE KEY-----\nVGVzdFRlc3RUZXN0\nVGVz", "-----BEGIN PRIVATE KEY-----\nREDACTED\n"),
            (
                r#"{"kty":"EC","crv":"P-256","d":"VGVzdFRlc3RUZXN0VGVzdA","x":"VGVzdFRlc3RUZXN0"}"#,
                r#"{"kty":"EC","crv":"P-256","d":"REDACTED","x":"VGVzdFRlc3RUZXN0"}"#,
            ),
            (r#"{"k" : "VGVzdFRlc3RUZXN0VGVzdA", "kty": "oct"}"#, r#"{"k" : "REDACTED", "kty": "oct"}"#),
            (
                r#"{"keys":[{"kty":"EC","d":"VGVzdFRlc3RUZXN0VGVzdA"},{"kid":"{","kty":"EC"}]}"#,
                r#"{"keys":[{"kty":"EC","d":"REDACTED"},{"kid":"{","kty":"EC"}]}"#,
            ),
            (
                r#"{"m":"{\"kty\":\"RSA\",\"dp\":\"VGVzdFRlc3RUZXN0VGVzdA\",\"qi\":\"VGVzdFRlc3RUZXN0\"}"}"#,
                r#"{"m":"{\"kty\":\"RSA\",\"dp\":\"REDACTED\",\"qi\":\"REDACTED\"}"}"#,
            ),
            (
                "{'kty': 'RSA', 'n': 'VGVzdFRlc3RUZXN0', 'p': 'VGVzdFRlc3RUZXN0'}",
                "{'kty': 'RSA', 'n': 'VGVzdFRlc3RUZXN0', 'p': 'REDACTED'}",
            ),
            (
                r#"{"kty":"RSA","oth":[{"r":"VGVzdFRlc3Q","d":"VGVzdFRlc3Q","t":"VGVz"}],"e":"AQAB"}"#,
                r#"{"kty":"RSA","oth":[REDACTED],"e":"AQAB"}"#,
            ),
            ("__CURSOR=s=1\nMESSAGE=client_secret: abc\n", "__CURSOR=s=1\nMESSAGE=client_secret: REDACTED\n"),
            // In lists, tuples and pairs of name and value.
            (r#"{"Authorization":["Basic dTpTM2NyZXRTM2NyZXQ="]}"#, r#"{"Authorization":["Basic REDACTED"]}"#),
            (
                r#"http.Header{"Authorization":[]string{"Bearer Zk7qP3vR9xW2mL5tB8nYcD4hJ6sF"}}"#,
                r#"http.Header{"Authorization":[]string{"Bearer REDACTED"}}"#,
            ),
            ("map[Authorization:[Basic dTpTM2NyZXRTM2NyZXQ=]]", "map[Authorization:[Basic REDACTED]]"),
            ("[(b\"authorization\", b\"Basic dTpTM2NyZXRTM2NyZXQ=\")]", "[(b\"authorization\", b\"Basic REDACTED\")]"),
            ("('client_secret', 'Zk7qP3vR9xW2mL5t')", "('client_secret', 'REDACTED')"),
            ("[Authorization] => Basic dTpTM2NyZXRTM2NyZXQ=\n", "[Authorization] => Basic REDACTED\n"),
            (r#"{"client_secret": [ "abc" ], "x": 1}"#, r#"{"client_secret": [ "REDACTED" ], "x": 1}"#),
            (r#"{"name":"CLIENT_SECRET","value":"abc"}"#, r#"{"name":"CLIENT_SECRET","value":"REDACTED"}"#),
            ("- name: CLIENT_SECRET\n  value: abc\n", "- name: CLIENT_SECRET\n  value: REDACTED\n"),
            (
                "{\n  \"name\": \"DB_PASSWORD\",\n  \"value\": \"abc\"\n}",
                "{\n  \"name\": \"DB_PASSWORD\",\n  \"value\": \"REDACTED\"\n}",
            ),
            ("client_secret: |\n  abc\nx: 1\n", "client_secret: |\n  REDACTED\nx: 1\n"),
            ("  password: >-\r\n    abc\r\n", "  password: >-\r\n    REDACTED\r\n"),
            // Names of products.
            ("X-Vault-Token: hvs.CAESIJ7qP3vR9xW2mL5tB8nY\n", "X-Vault-Token: REDACTED\n"),
            ("GITHUB_TOKEN=ghp_Zk7qP3vR9xW2mL5tB8nY X=1", "GITHUB_TOKEN=REDACTED X=1"),
            ("{\"client_token\":\"hvs.CAESIJ7qP3vR9xW2mL5tB8nY\"}", "{\"client_token\":\"REDACTED\"}"),
            ("MYSQL_PWD=abc davix-ls --userpass abc -k", "MYSQL_PWD=REDACTED davix-ls --userpass REDACTED -k"),
            (
                "db_pwd=abc mysql_pwd=abc dbPwd=abc user_pass=abc",
                "db_pwd=REDACTED mysql_pwd=REDACTED dbPwd=REDACTED user_pass=REDACTED",
            ),
            ("userpass=abc USER_PASS=abc userPass: x1", "userpass=REDACTED USER_PASS=REDACTED userPass: x1"),
            (
                r#"{"secretData":"abc","private_key_pem":"abc","deviceCode":"abc"}"#,
                r#"{"secretData":"REDACTED","private_key_pem":"REDACTED","deviceCode":"REDACTED"}"#,
            ),
            (
                "signingKey=a1b2c3d4e5f6a7b8c9 encryption_key=a1b2c3d4e5f6a7b8c9",
                "signingKey=REDACTED encryption_key=REDACTED",
            ),
            ("SECRET_ID=0b1c8a4e-53f1-4d1c-9a52-0d5a4f6c2b10 X=1", "SECRET_ID=REDACTED X=1"),
            ("curl -s -u client-1:abc https://h/token", "curl -s -u client-1:REDACTED https://h/token"),
            ("curl --user 'client-1:abc' https://h", "curl --user 'client-1:REDACTED' https://h"),
            ("machine h login me password abc\n", "machine h login me password REDACTED\n"),
            ("machine h\n  login me\n  password abc\n", "machine h\n  login me\n  password REDACTED\n"),
            ("DB_PASSWORD=${DB_PASSWORD:-S3cretS3cret} x", "DB_PASSWORD=REDACTED} x"),
            ("DB_PASSWORD=${A:=${B:-S3cretS3cret}} x", "DB_PASSWORD=REDACTED}} x"),
            // Escaped otherwise.
            (
                r#"body="{\x22client_secret\x22:\x22abc\x5C\x22d\x22,\x22x\x22:1}""#,
                r#"body="{\x22client_secret\x22:\x22REDACTED\x22,\x22x\x22:1}""#,
            ),
            (r#"\u0022token\u0022: \u0022a1b2c3d4e5f6a7b8c9\u0022,"#, r#"\u0022token\u0022: \u0022REDACTED\u0022,"#),
            (
                r#"client_id=a\u0026client_secret\u003dabc\u0026x=1"#,
                r#"client_id=a\u0026client_secret\u003dREDACTED\u0026x=1"#,
            ),
            (
                "{&quot;client_secret&quot;:&quot;abc&quot;} {&#34;password&#34;:&#34;abc&#34;}",
                "{&quot;client_secret&quot;:&quot;REDACTED&quot;} {&#34;password&#34;:&#34;REDACTED&#34;}",
            ),
            (
                "\u{1b}[34;1m\"client_secret\"\u{1b}[0m\u{1b}[1;39m:\u{1b}[0m \u{1b}[0;32m\"abc\"\u{1b}[0m",
                "\u{1b}[34;1m\"client_secret\"\u{1b}[0m\u{1b}[1;39m:\u{1b}[0m \u{1b}[0;32m\"REDACTED\"\u{1b}[0m",
            ),
            (r"https:\/\/u:abc@h\/p", r"https:\/\/u:REDACTED@h\/p"),
            ("url=https%3A%2F%2Fu%3Aabc%40h%2Fp&x", "url=https%3A%2F%2Fu%3AREDACTED%40h%2Fp&x"),
            ("mysql://rucio:ab/cd#9?x@db/rucio?a=b@c", "mysql://rucio:REDACTED@db/rucio?a=b@c"),
            ("A=b\0CLIENT_SECRET=abc\0HOME=/root\0", "A=b\0CLIENT_SECRET=REDACTED\0HOME=/root\0"),
        ] {
            let copy = redacted(text, Mode::Signature);
            assert_eq!(copy, expected);
            assert_eq!(redacted(&copy, Mode::Signature), copy, "twice");
            let only = Redactor::new(Mode::Signature, false).expect("built-in words");
            let mut same = Vec::new();
            only.copy(text.as_bytes(), &mut same).expect("memory");
            assert_eq!(same, text.as_bytes(), "tokens only");
        }
    }

    /// Whatever stands before the line that opens a private key, or before each of its lines.
    #[test]
    fn private_keys_are_replaced_wherever_they_stand() {
        let line = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj";
        let (begin, end) = ("-----BEGIN PRIVATE KEY-----", "-----END PRIVATE KEY-----");
        let syslog = "Nov  1 10:00:00 h app[1]: ";
        let log = |text: &str| format!("{{\"log\":\"{text}\\n\",\"stream\":\"stdout\"}}\n");
        for (text, rest) in [
            (format!("PRIVATE_KEY=\"{begin}\n{line}\n{line}\n{end}\"\nX=1"), vec!["PRIVATE_KEY", "X=1"]),
            (format!("private_key: {begin}\n{line}\n{line}\n{end}\nx: 1"), vec!["private_key", "x: 1"]),
            (format!("private_key={begin} {line} {line} {end} x"), vec!["private_key", " x"]),
            (format!("password={begin}\\n{line}\\n{line}\\n{end}\\n x"), vec!["password", " x"]),
            (format!("<private_key>{begin}\n{line}\n{end}\n</private_key>"), vec!["<private_key>", "</private_key>"]),
            (format!("api_key=abcdefgh1;{begin}\n{line}\n{end}\n"), vec!["api_key", end]),
            (format!("{{\"private_key\":\"{begin}\\n{line}\\n{end}\\n\",\"x\":1}}"), vec!["private_key", "\"x\":1}"]),
            (
                format!("k=-----BEGIN%20PRIVATE%20KEY-----%0A{line}%0A-----END%20PRIVATE%20KEY-----%0A&x=1"),
                vec!["BEGIN%20", "&x=1"],
            ),
            // Cut off.
            (format!("{syslog}{begin}\n{syslog}{line}\n{syslog}{line}\n{syslog}MIIE==\nnext"), vec![begin, "\nnext"]),
            (format!("> {begin}\n> {line}\n> {line}\n> MIIE\n> \nnext"), vec![begin, "> \nnext"]),
            (format!("{}{}{}next", log(begin), log(line), log(line)), vec![begin, "stdout\"}\nnext"]),
            (
                format!("{begin}\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,0\n\n{line}\n{line}\nnext line"),
                vec![begin, "\nnext line"],
            ),
            (format!("{begin}\\n{line}\\n{line} and more"), vec![begin, " and more"]),
        ] {
            let copy = redacted(&text, Mode::Signature);
            assert!(copy.contains("REDACTED") && !copy.contains("MIIE"), "{text}: {copy}");
            assert!(rest.iter().all(|rest| copy.contains(rest)), "{text}: {copy}");
            assert_eq!(copy.matches('\n').count(), text.matches('\n').count(), "{text}: {copy}");
            assert_eq!(redacted(&copy, Mode::Signature), copy, "twice");
        }
        let many = "[10:01] INFO a line of a log that goes on\n".repeat(40);
        for text in [
            format!(
                "ERROR: no {begin} in hostkey.pem\n{many}-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
            ),
            format!("ERROR: no {begin} in hostkey.pem\n{many}{end} was looked for\n"),
            format!("ERROR: no {begin} in hostkey.pem\n{many}"),
            format!("ERROR: no {begin} in hostkey.pem\n[10:01] sha256 {}\n", "0123456789abcdef".repeat(4)),
            format!("ERROR: {begin} or -----BEGIN RSA PRIVATE KEY----- is expected"),
        ] {
            assert_eq!(redacted(&text, Mode::Signature), text);
        }
    }

    /// What a logger cuts over records with a prefix each cannot be used when what the next ones hold is gone.
    #[test]
    fn the_rest_of_a_token_in_the_next_records_is_replaced() {
        let jwt = token(
            r#"{"alg":"RS256"}"#,
            r#"{"sub":"0b1c8a4e-Subject-That-Is-Long-Enough-To-Be-Cut","scope":"storage.modify:/a storage.read:/b"}"#,
            &"T3stSigNatUre-".repeat(30),
        );
        let (payload, signature) = jwt.rsplit_once('.').expect("three parts");
        for (prefix, behind, next, remark) in [
            ("Nov 23 10:00:01 h app[1]: ", "\n", "Nov 23 10:00:02 h app[1]: done\n", "syslog"),
            ("2026-11-23T10:00:01.123456789Z stdout P ", "\n", "2026-11-23T10:00:02.1Z stdout F ok\n", "CRI"),
            (
                "{\"log\":\"",
                "\",\"stream\":\"stdout\",\"time\":\"2026-11-23T10:00:01.1Z\"}\n",
                "{\"log\":\"ok\"}\n",
                "docker",
            ),
        ] {
            let written = format!("Authorization: Bearer {jwt}");
            let dot = written.len() - signature.len() - 1;
            // Cut in the payload, before and behind the dot, and in the signature.
            for width in [120, dot, dot + 1, dot + 11] {
                let pieces = (0..written.len()).step_by(width).map(|at| &written[at..written.len().min(at + width)]);
                let records = pieces.map(|piece| format!("{prefix}{piece}{behind}"));
                let text: String = records.chain([next.to_string()]).collect();
                for mode in [Mode::Signature, Mode::Token, Mode::Claims] {
                    let copy = redacted(&text, mode);
                    assert!(!copy.contains(&signature[30..60]), "{remark} {width}: {copy}");
                    assert!(width != 120 || !copy.contains(&payload[payload.len() - 60..]), "{remark} {width}: {copy}");
                    assert!(copy.starts_with(prefix) && copy.ends_with(&format!("{behind}{next}")), "{remark}: {copy}");
                    assert_eq!(copy.matches('\n').count(), text.matches('\n').count(), "{remark}");
                    assert_eq!(redacted(&copy, mode), copy, "{remark} {width}, twice");
                }
            }
        }
        let cut = &payload[..payload.len() - 30];
        for end in ["", "\n", "\nx", "\n[10:01] ", "\n[10:01] abc", "\"", "\"\n{\"log\":\""] {
            let text = format!("Bearer {cut}{end}");
            assert_eq!(redacted(&text, Mode::Signature), text);
        }
        for next in [
            "[10:01] se-17.cluster.example.org answered",
            "[10:01] sha256 0123456789abcdef0123456789abcdef",
            "Caused by: org.springframework.security.oauth2.jwt.OAuth2AuthenticationException: cut",
            "[10:01] REDACTED aB3dE5gH7jK9mN1pQ3sT5vW7yZ",
            "a Word That Is Short",
            "",
        ] {
            let text = format!("[10:00] Bearer {cut}\n{next}\n{}", "line\n".repeat(100));
            assert_eq!(redacted(&text, Mode::Signature), text);
        }
    }

    /// A secret beside a token in one value goes as well, and what is no secret stays.
    #[test]
    fn secrets_beside_tokens_are_replaced() {
        let jwt = es256();
        for (text, expected) in [
            (
                "body=client_id%3Dfts%26client_secret%3DkJ8vQ2mN5xR7%26subject_token%3D{t}",
                "body=client_id%3Dfts%26client_secret%3DREDACTED%26subject_token%3D{r}",
            ),
            ("client_secret=kJ8vQ2mN5xR7,access_token={t}", "client_secret=REDACTED,access_token={r}"),
            ("access_token={t};refresh_token=kJ8vQ2mN5xR7", "access_token={r};refresh_token=REDACTED"),
            ("client_secret=kJ8vQ2mN5xR7,authz=REDACTED", "client_secret=REDACTED,authz=REDACTED"),
            ("client_secret=kJ8vQ2mN5xR7;REDACTED", "client_secret=REDACTED;REDACTED"),
            ("client_secret=kJ8vQ2mN5xR7;x={t};abc", "client_secret=REDACTED={r};REDACTED"),
            ("client_secret=kJ8vQ2mN5xR7%2C{t}&a", "client_secret=REDACTED%2C{r}&a"),
            ("\"password\":\"{t} kJ8vQ2mN5xR7\"", "\"password\":\"{r} REDACTED\""),
            ("access_token={t}%26x%3D1 access_token={t},x=1;y", "access_token={r}%26x%3D1 access_token={r},x=1;y"),
            ("https://user:{t}:abc@h", "https://user:{r}:REDACTED@h"),
            // Where a part of a value is secret, all of it is, with the names in it: none is left to be found the next time.
            (
                "authz\":\"kJ8vQ2mN5x00A0&x={t}&client_secret%22%3A%22{t},client_id=REDACTED&",
                "authz\":\"REDACTED={r}&REDACTED%22%3A%22{r},REDACTED=REDACTED&",
            ),
            (
                "authz\":\"{t}&client_secret%22%3A%22REDACTED,client_id=REDACTED&kJ8vQ2mN5x00A0b1C2",
                "authz\":\"{r}&REDACTED%22%3A%22REDACTED,REDACTED=REDACTED&REDACTED",
            ),
            ("{\"token\":\"{t}\",\"x\":\"client_id=fts\"}", "{\"token\":\"{r}\",\"x\":\"client_id=fts\"}"),
            (
                "%22access_token%22%3A%22{t}%22%2C%22client_secret%22%3A%22abc%22",
                "%22access_token%22%3A%22{r}%22%2C%22client_secret%22%3A%22REDACTED%22",
            ),
        ] {
            let text = text.replace("{t}", &jwt);
            for mode in [Mode::Signature, Mode::Token, Mode::Claims] {
                let token = redacted(&jwt, mode);
                let copy = redacted(&text, mode);
                assert_eq!(copy, expected.replace("{r}", &token), "{mode:?}");
                assert_eq!(redacted(&copy, mode), copy, "{mode:?}, twice");
            }
        }
    }

    /// Were each name looked at as far as the text goes, this would not end.
    #[test]
    fn hostile_names_cost_no_more_than_their_length() {
        for unit in [
            "token=",
            "authorization:",
            "token=,,",
            "token%3D%2C",
            "token=REDACTEDz",
            "password=,access_token=,",
            "token=\"",
            "password=\"<",
            "password=${a:-",
            "://a:b/",
            "-----BEGIN PRIVATE KEY-----",
        ] {
            let copy = redacted(&unit.repeat((1 << 20) / unit.len()), Mode::Signature);
            assert_eq!(redacted(&copy, Mode::Signature), copy, "{unit}");
        }
    }

    #[test]
    fn what_sounds_like_a_secret_and_is_none_stays() {
        for text in [
            "access_token=3600s id_token: 1h",
            // Names of files, of proxies of a grid and of S3's keys, of what was computed, and of the folder one works in.
            "PWD=/home/Me1/a-folder-17 OLDPWD=/home/Me1/a-folder-18 pwd=a1b2c3d4e5f6a7b8c9",
            "hash=a1b2c3d4e5f6a7b8c9 salt=a1b2c3d4e5f6a7b8c9 dsn=host=db1.example.org",
            "Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request credentials=/DC=org/CN=Robot1",
            "signing_key=rsa-1 secret_name=a1b2c3d4e5f6a7b8c9",
            "client_secret=$SECRET client_secret=${SECRET} password=%s password=<hidden> token=***",
            "Authorization: Bearer $TOKEN",
            "Authorization: Bearer token is missing",
            "authorization: denied for user1234",
            "invalid password: user bob not found",
            "token=expired token_type=bearer token_endpoint=https://h/t",
            "https://h:8443/a?mail=x@y https://h:80&mail=a@b root://h:1094//p@x",
            "BearerTokenCredential[MDAx+{Hash=gAUJ1o24s3s}+maWV]",
            "if password == other",
            "{\"client_secret\":null,\"token\":true}",
            "BEARER_TOKEN_FILE=/run/user/1/bt SECRET=/run/secrets/x.key",
            "-----BEGIN PRIVATE KEY-----\n...\n-----END PRIVATE KEY-----",
            r#"{"d":"VGVzdFRlc3RUZXN0VGVzdA","k":"VGVzdFRlc3RUZXN0VGVzdA"}"#,
            r#"{"kty":"EC","kid":"d","x":"VGVzdFRlc3RUZXN0VGVzdA","y":"VGVzdFRlc3RUZXN0VGVzdA"}"#,
            r#"{"kty":"EC"} {"d":"VGVzdFRlc3RUZXN0VGVzdA"} {"kty":"EC"}"#,
            r#"{"kty":"EC","d":"2026-11-22T12:00:00Z","k":1795348800123456,"q":"short","p":null}"#,
            "said=password: bob was here",
            "token=%22client_id%22%3A%22fts%22 authz: Authorization%3A%20",
            "Digest of x\nresponse=6629fae49393a05397450978507c4ef1",
            "GET /x?response=6629fae49393a05397450978507c4ef1 cresponse=6629fae49393a05397450978507c4ef1",
            "WWW-Authenticate: Digest realm=\"r\", nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\"",
            "-----BEGIN CERTIFICATE-----\nVGVzdFRlc3RUZXN0VGVzdFRlc3Q\n-----END CERTIFICATE-----",
            "{\"required\":[\"client_secret\",\"redirect_uri\"]} in ('password', 'token')",
            "[client_secret] \"name\": \"client_secret\", \"type\": \"text\"",
            "- name: CLIENT_SECRET\n  valueFrom: {secretKeyRef: {name: iam}}\n",
            "{\"nextPageToken\":\"a1b2c3d4e5f6a7b8c9\",\"csrf_token_name\":\"X-CSRF\"}",
            "docker run --user 1000:1000 x; curl -u $USER:$PASSWORD https://h; curl -u client-1 https://h",
            "the password is wrong: login me password",
            "http://[::1]:80/a@b http://h:${PORT}/a@b file://C:/a@b",
            "PASSWORD=${PASSWORD:-} SECRET=${SECRET} TOKEN=${TOKEN:?not set} PASSWORD=${A:-${B:=}}",
        ] {
            assert_eq!(redacted(text, Mode::Signature), text);
        }
    }

    #[test]
    fn a_value_without_end_is_replaced_without_memory() {
        for (text, length) in [
            (format!("password={} x", "a1".repeat(4 << 20)), "password=REDACTED x".len()),
            (
                format!(
                    "{} x",
                    token(
                        r#"{"alg":"ES256"}"#,
                        &format!(r#"{{"a":"{}"}}"#, "b".repeat(4 << 20)),
                        "TestSignature-TestSignature"
                    )
                ),
                0,
            ),
        ] {
            let copy = redacted(&text, Mode::Signature);
            assert!(copy.len() < 100 && copy.ends_with(" x"), "{} bytes", copy.len());
            assert!(length == 0 || copy.len() == length, "{copy}");
        }
    }
}
