//! Finding tokens in bytes of any kind, wherever and however they stand there.
//!
//! A JWT is found by its header: `eyJ` begins every JSON object with a member, in base64url. What decides is that the
//! header decodes to an object with `alg`, and the payload to one, at least as far as it goes: what is only shaped like a
//! token (images, hashes, base64 JSON) does not. Dots may be percent-encoded once or several times, the token may be wrapped
//! over lines, cut off, or already without its signature. Macaroons, EOS's own tokens and ALICE's envelopes are found by
//! what they begin with.
//!
//! Nothing here allocates for text without tokens, nor for a token that was met before: what was made out once is kept in a
//! [`Memo`] under a hash of its bytes.

use super::glance::Glance;
use crate::keyed::{ByHash, Keyed};
use crate::parse::macaroon::packets;
use crate::percent::{Char, char_at};
use aho_corasick::{AhoCorasick, Input, MatchKind};
use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::collections::HashMap;
use std::hash::Hasher as _;
use std::ops::Range;
use std::sync::Arc;

/// Longest stretch that one token may take, in bytes (1 MiB); what goes on beyond is cut there.
pub const MAX_TOKEN: usize = 1 << 20;
/// A line is only taken for wrapped when it is at least so long, in bytes.
const WRAPPED: usize = 40;
/// Shorter words that might belong to what was cut off are those of a sentence, or the ending of a file's name.
const SHORTEST: usize = 20;
/// Longest header, in characters (16 KiB: a chain of certificates fits).
const MAX_HEADER: usize = 16 << 10;
/// Lines that one part of a wrapped token takes at the most.
const MAX_LINES: usize = 400;
/// Places within one word at which a token is tried, so that a hostile text costs no more than its length.
const MAX_TRIES: u32 = 8;
/// Bytes between two parts of a wrapped token: line break, indentation, quoting marks.
const MAX_INDENT: usize = 64;
/// Bytes that must follow a token before it is certain where it ends: a wrapped line, an encoded dot, an ellipsis.
const AHEAD: usize = MAX_INDENT + 8;
/// Longest token that is kept in a [`Memo`], in bytes; longer ones are rare and made out each time.
const MAX_KNOWN: usize = 64 << 10;
/// Tokens that a [`Memo`] keeps (4 MiB); it starts anew beyond. Seven eighths of a power of two, with which the table is full.
const MAX_MEMO: usize = 7 << 12;
/// Headers that a [`Memo`] keeps: issuers have one per key.
const MAX_HEADERS: usize = 256;

/// What was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Form {
    /// A signed (or unsecured) token of three parts.
    Jwt,
    /// An encrypted token of five parts; nothing but its header can be read.
    Jwe,
    /// A macaroon (dCache, XRootD).
    Macaroon,
    /// A token of EOS (`zteos64:`).
    Eos,
    /// An authorisation envelope of ALICE.
    Envelope,
}

/// How much of it is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// All of it: whoever reads it can use it.
    Whole,
    /// All of it, and it never had a signature (`alg` none); as a refresh token it is as good as a signed one.
    Unsigned,
    /// Its end is missing.
    Truncated,
    /// Header and payload can be read, the signature was taken away.
    Redacted,
}

/// One token in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hit {
    /// What it is.
    pub form: Form,
    /// How much of it is there.
    pub state: State,
    /// All its bytes.
    pub span: Range<usize>,
    /// The encoded header of a JWT or JWE, with whatever wraps it; empty for other forms.
    pub header: Range<usize>,
    /// The encoded payload of a JWT; empty for other forms.
    pub payload: Range<usize>,
    /// What must not be shown: the signature of a JWT, the parts behind the header of a JWE, all of other forms.
    pub secret: Range<usize>,
    /// SHA-256 of the bytes from which alone all this follows: the same bytes are the same token. `None` where more than the
    /// token's own line counts.
    pub spelling: Option<[u8; 32]>,
    /// Those bytes are a whole JWT in its plain form, and nothing else.
    pub is_plain: bool,
}

impl Hit {
    /// The same, `by` bytes further on.
    fn moved(&self, by: usize) -> Hit {
        let moved = |range: &Range<usize>| range.start + by..range.end + by;
        let (span, header, payload, secret) =
            (moved(&self.span), moved(&self.header), moved(&self.payload), moved(&self.secret));
        Hit { span, header, payload, secret, ..*self }
    }

    /// The same, counted from its own beginning.
    fn counted_from_start(&self) -> Hit {
        let start = self.span.start;
        let moved = |range: &Range<usize>| range.start - start..range.end - start;
        let (span, header, payload, secret) =
            (moved(&self.span), moved(&self.header), moved(&self.payload), moved(&self.secret));
        Hit { span, header, payload, secret, ..*self }
    }
}

/// What a search learned, so that a token that stands in a text a thousand times is made out once. It holds no byte of a
/// token but of headers and of one payload.
#[derive(Debug, Default)]
pub struct Memo {
    payload: Payload,
    /// Tokens by the hash of their bytes, counted from their own beginning.
    hits: ByHash<Hit>,
    keyed: Option<Keyed>,
    headers: HashMap<Vec<u8>, Option<Arc<Header>>>,
}

/// The payload that was read last.
#[derive(Debug, Default)]
struct Payload {
    decoded: Vec<u8>,
    glance: Option<Glance>,
}

impl Payload {
    /// Reads a part; false when it is no payload.
    fn read(&mut self, chars: &[u8]) -> bool {
        self.glance = None;
        self.glance = decode_object(chars, &mut self.decoded).and_then(Glance::of);
        self.glance.is_some()
    }
}

/// What decides of a header.
#[derive(Debug)]
struct Header {
    /// Empty when it is no text.
    algorithm: Option<String>,
    encrypted: bool,
}

impl Header {
    /// Of an encoded header; `None` when it is none.
    fn read(chars: &[u8]) -> Option<Header> {
        let header = object(chars)?;
        let algorithm = header.get("alg").map(|alg| alg.as_str().unwrap_or_default().to_string());
        Some(Header { algorithm, encrypted: header.get("enc").is_some() })
    }
}

impl Memo {
    fn header(&mut self, chars: &[u8]) -> Option<Arc<Header>> {
        if let Some(known) = self.headers.get(chars) {
            return known.clone();
        }
        if self.headers.len() >= MAX_HEADERS {
            self.headers.clear();
        }
        let header = Header::read(chars).map(Arc::new);
        self.headers.insert(chars.to_vec(), header.clone());
        header
    }

    /// The decoded payload of the token that was found last, and what it says; `None` when it was not read for that.
    pub(super) fn opened(&self) -> Option<(&[u8], Glance)> {
        self.payload.glance.map(|glance| (self.payload.decoded.as_slice(), glance))
    }

    /// What is known of these bytes is kept under this.
    fn key(&mut self, bytes: &[u8]) -> u128 {
        self.keyed.get_or_insert_with(Keyed::new).hash(|hasher| hasher.write(bytes))
    }

    fn keep(&mut self, key: u128, hit: &Hit) {
        if self.hits.len() >= MAX_MEMO {
            self.hits.clear();
        }
        self.hits.insert(key, hit.counted_from_start());
    }
}

impl Form {
    /// The name that reports give it.
    pub fn name(self) -> &'static str {
        match self {
            Form::Jwt => "jwt",
            Form::Jwe => "jwe",
            Form::Macaroon => "macaroon",
            Form::Eos => "eos-token",
            Form::Envelope => "alice-envelope",
        }
    }
}

/// What a search came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// The next token.
    Token(Hit),
    /// Something may begin here, and the text ends before it is certain; more text is needed.
    Open(usize),
    /// Nothing more.
    Nothing,
}

/// What tokens that are no JSON begin with; an envelope in a query has its blanks encoded.
const OTHERS: [&str; 5] =
    ["MDA", "zteos64", "-----BEGIN SEALED CIPHER", "-----BEGIN+SEALED+CIPHER", "-----BEGIN%20SEALED%20CIPHER"];
/// The longest of them, in bytes.
const LONGEST_ANCHOR: usize = OTHERS[4].len();
/// A JSON object, in base64url: `{"` and a letter.
const OBJECT: &str = "eyJ";
/// Others of its beginnings: a blank or a line break behind the brace, or a name that begins with no letter.
const OBJECTS: [&str; 5] = ["eyI", "eyA", "ewo", "ewk", "ew0"];

/// May a token begin with these bytes? Every anchor begins with such a pair. Without a jump, like [`is_base64url`].
pub(crate) fn may_begin(first: u8, second: u8) -> bool {
    let is = |pair: &[u8; 2]| (first == pair[0]) & (second == pair[1]);
    is(b"MD") | is(b"zt") | is(b"--") | is(b"ey") | is(b"ew")
}

/// Finds tokens.
#[derive(Debug)]
pub struct Finder {
    anchors: AhoCorasick,
    lenient: bool,
}

/// What a look at one place came to.
enum Look {
    Hit(Hit),
    /// It reaches the end of the text, and what follows may belong to it.
    Open,
    /// No token, and none further on before this place.
    No(usize),
}

impl Finder {
    /// A finder. An error is a defect of the search library's and never seen.
    pub fn new() -> Result<Self, String> {
        Self::of(&[OBJECT], false)
    }

    /// A finder for what must not be shown: it also takes what has the shape of a token and cannot be one by its content
    /// (no algorithm, a payload that is no JSON), and headers in any layout.
    pub fn lenient() -> Result<Self, String> {
        Self::of(&[&[OBJECT][..], &OBJECTS].concat(), true)
    }

    fn of(objects: &[&str], lenient: bool) -> Result<Self, String> {
        // Vector search is only used where matches have an order.
        let order = MatchKind::LeftmostFirst;
        let anchors = AhoCorasick::builder().match_kind(order).build(OTHERS.iter().chain(objects));
        anchors.map(|anchors| Finder { anchors, lenient }).map_err(|error| error.to_string())
    }

    /// The first token at or behind `from`. `last` says that nothing follows the text.
    pub fn next(&self, text: &[u8], from: usize, last: bool) -> Found {
        self.next_with(&mut Memo::default(), text, from, last)
    }

    /// The same, with what earlier searches of this finder learned.
    pub fn next_with(&self, memo: &mut Memo, text: &[u8], from: usize, last: bool) -> Found {
        let mut at = from;
        let (mut word, mut tries) = (0, 0);
        while let Some(found) = self.anchors.find(Input::new(text).range(at..)) {
            let start = found.start();
            // The first in a word, or another try within it.
            match start < word {
                true => tries += 1,
                false => (word, tries) = (run(text, start), 0),
            }
            let pattern = found.pattern().as_usize();
            if pattern >= OTHERS.len() && word - start > MAX_HEADER {
                at = word - MAX_HEADER;
                continue;
            }
            match self.look(memo, text, start, pattern, last) {
                Look::Hit(hit) => return Found::Token(hit),
                Look::Open => return Found::Open(start),
                Look::No(next) => at = next.max(if tries < MAX_TRIES { start + 1 } else { word }),
            }
        }
        // The end may cut an anchor in two.
        let tail = text.len().saturating_sub(LONGEST_ANCHOR - 1).max(at.min(text.len()));
        if last || tail >= text.len() { Found::Nothing } else { Found::Open(tail) }
    }

    /// How far a look at each place of the text at which a token might begin goes: the place, and the end of the token or of
    /// what can hold none. These are all places, also those that a search leaves out because of what stands before them;
    /// within one word no more than `most` are looked at, and `None` stands for it and its end. A place whose end is not
    /// certain reaches the end of the text. Stops where `sink` says so.
    pub(crate) fn reaches(&self, text: &[u8], most: u32, sink: &mut dyn FnMut(usize, Option<usize>) -> bool) {
        let mut memo = Memo::default();
        let (mut at, mut word, mut tries) = (0, 0, 0);
        while let Some(found) = self.anchors.find(Input::new(text).range(at..)) {
            let start = found.start();
            match start < word {
                true => tries += 1,
                false => (word, tries) = (run(text, start), 0),
            }
            if tries >= most {
                if !sink(start, None) {
                    return;
                }
                at = word;
                continue;
            }
            let end = match self.look(&mut memo, text, start, found.pattern().as_usize(), false) {
                Look::Hit(hit) => hit.span.end,
                Look::Open => text.len(),
                Look::No(next) => next,
            };
            if !sink(start, Some(end)) {
                return;
            }
            at = start + 1;
        }
    }

    fn look(&self, memo: &mut Memo, text: &[u8], start: usize, pattern: usize, last: bool) -> Look {
        memo.payload.glance = None;
        match pattern {
            0 => macaroon(text, start, last),
            1 => eos(text, start, last),
            2 => envelope(text, start, " ", last),
            3 => envelope(text, start, "+", last),
            4 => envelope(text, start, "%20", last),
            _ => self.known_or_jwt(memo, text, start, last),
        }
    }

    fn known_or_jwt(&self, memo: &mut Memo, text: &[u8], start: usize, last: bool) -> Look {
        let Some(extent) = Extent::of(text, start, last) else {
            return jwt(memo, text, start, Runs::default(), self.lenient, last);
        };
        let chars = &text[start..extent.end];
        let key = memo.key(chars);
        // For whoever hides tokens what the next record of a log holds may belong to it.
        let decides = |hit: &Hit| hit.is_plain || (extent.is_alone && !self.lenient);
        if let Some(known) = memo.hits.get(&key).filter(|known| decides(known)) {
            return Look::Hit(known.moved(start));
        }
        match jwt(memo, text, start, extent.runs, self.lenient, last) {
            Look::Hit(hit) => {
                let is_plain = hit.span == (start..extent.end) && is_complete(memo, text, &hit);
                let hit = Hit { is_plain, ..hit };
                if !decides(&hit) {
                    return Look::Hit(hit);
                }
                let hit = Hit { spelling: Some(Sha256::digest(chars).into()), ..hit };
                memo.keep(key, &hit);
                Look::Hit(hit)
            }
            other => other,
        }
    }
}

/// Is this a whole JWT in its plain form, with a signature that no further line can belong to?
fn is_complete(memo: &mut Memo, text: &[u8], hit: &Hit) -> bool {
    let parts = hit.header.len() + hit.payload.len() + hit.secret.len();
    // Only dots of one byte leave two more.
    if hit.form != Form::Jwt || hit.state != State::Whole || hit.span.len() != parts + 2 {
        return false;
    }
    let header = memo.header(&text[hit.header.clone()]);
    let algorithm = header.as_ref().and_then(|header| header.algorithm.as_deref()).unwrap_or_default();
    has_length_of(algorithm, hit.secret.len())
}

/// Does something that ends here go on behind the text? Not when nothing follows, nor beyond the longest token.
fn is_open(text: &[u8], start: usize, end: usize, last: bool) -> bool {
    // A wrapped line, an encoded dot or an ellipsis may follow within a few bytes.
    !last && text.len() - end.min(text.len()) < AHEAD && text.len() - start < MAX_TOKEN
}

/// Is it a character of base64url? Without a jump, so that the compiler asks it of many bytes at once.
pub(super) fn is_base64url(byte: u8) -> bool {
    let letter = (byte | 0x20).wrapping_sub(b'a') < 26;
    letter | (byte.wrapping_sub(b'0') < 10) | (byte == b'-') | (byte == b'_')
}

/// How many bytes at the beginning are characters of base64url.
pub(super) fn count_base64url(text: &[u8]) -> usize {
    const AT_ONCE: usize = 32;
    let blocks = text.chunks_exact(AT_ONCE);
    let whole =
        AT_ONCE * blocks.take_while(|block| block.iter().fold(true, |all, byte| all & is_base64url(*byte))).count();
    let rest = &text[whole..];
    whole + rest.iter().position(|byte| !is_base64url(*byte)).unwrap_or(rest.len())
}

/// The end of the base64url characters from here.
fn run(text: &[u8], at: usize) -> usize {
    let length = count_base64url(&text[at..text.len().min(at + MAX_TOKEN)]);
    #[cfg(test)]
    WORK.set(WORK.get() + length);
    at + length
}

#[cfg(test)]
thread_local! {
    /// Bytes that tests made the search look at, not counting the search for anchors.
    static WORK: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// The length of a dot, however it is written, with the padding before it that some encoders leave; 0 when there is none.
fn dot(text: &[u8], at: usize) -> usize {
    match plain_dot(text, at) {
        0 => (),
        length => return length,
    }
    let mut end = at;
    for _ in 0..2 {
        end += match text.get(end) {
            Some(b'=') => 1,
            _ => encoded(text, end, b'='),
        };
    }
    match plain_dot(text, end) {
        0 => 0,
        length => end - at + length,
    }
}

/// The length of a character where it stands in percent-encoding; 0 when it does not.
fn encoded(text: &[u8], at: usize, byte: u8) -> usize {
    encoded_char(text, at).filter(|char| char.byte == byte).map_or(0, |char| char.length)
}

/// A character in percent-encoding, once or several times.
fn encoded_char(text: &[u8], at: usize) -> Option<Char> {
    const DEEPEST: usize = 5;
    char_at(text, at, DEEPEST).filter(|char| char.level > 0)
}

/// A character of base64url that is percent-encoded, though it need not be.
fn encoded_base64url(text: &[u8], at: usize) -> Option<Char> {
    encoded_char(text, at).filter(|char| matches!(char.byte, b'-' | b'_'))
}

/// The characters of one part, without what wraps or encodes it.
pub(super) fn plain(part: &[u8]) -> Cow<'_, [u8]> {
    let mut end = count_base64url(part);
    if end == part.len() {
        return Cow::Borrowed(part);
    }
    let mut chars = part[..end].to_vec();
    while end < part.len() {
        end += match encoded_base64url(part, end) {
            Some(char) => {
                chars.push(char.byte);
                char.length
            }
            None => match line_break(part, end) {
                0 => {
                    chars.extend(Some(part[end]).filter(|byte| is_base64url(*byte)));
                    1
                }
                length => length,
            },
        };
    }
    Cow::Owned(chars)
}

/// The length of a dot without padding before it.
fn plain_dot(text: &[u8], at: usize) -> usize {
    let rest = &text[at.min(text.len())..];
    if rest.first() == Some(&b'.') {
        return 1;
    }
    if rest.len() >= 6 && rest[..6].eq_ignore_ascii_case(br"\u002e") {
        return 6;
    }
    // %2E, %252E, %25252E … and =2E of quoted-printable mails.
    match rest {
        [b'=', code @ ..] if code.get(..2).is_some_and(|code| code.eq_ignore_ascii_case(b"2e")) => 3,
        _ => encoded(text, at, b'.'),
    }
}

/// Where a text that is wrapped here goes on in the next line. The line break may be written as `\n`.
fn unwrapped(text: &[u8], at: usize) -> Option<usize> {
    let mut next = at;
    while matches!(text.get(next), Some(b'=' | b'\\' | b'"' | b'\'' | b'+' | b' ' | b'\r')) && next < at + 8 {
        next += 1;
    }
    let escaped = next.checked_sub(1).filter(|last| *last >= at && text[*last] == b'\\');
    next += match escaped.map_or(0, |escape| line_break(text, escape)) {
        0 if text.get(next) == Some(&b'\n') => 1,
        0 => return None,
        length => length - 1,
    };
    if at < WRAPPED || text[at - WRAPPED..at].contains(&b'\n') {
        return None;
    }
    while matches!(text.get(next), Some(b' ' | b'\t' | b'>' | b'|' | b'#' | b'"' | b'\'')) && next < at + MAX_INDENT {
        next += 1;
    }
    text.get(next).filter(|&&byte| is_base64url(byte) || byte == b'.').map(|_| next)
}

/// The length of a line break that is written as `\n` or `\r\n`; 0 when there is none.
fn line_break(text: &[u8], at: usize) -> usize {
    [&br"\r\n"[..], br"\n"].into_iter().find(|written| text[at..].starts_with(written)).map_or(0, <[u8]>::len)
}

/// One part of a token, over as many lines as `goes_on` asks for, with the characters that count; `first` is the run of
/// characters it begins with.
fn part(text: &[u8], first: Range<usize>, goes_on: impl Fn(&[u8]) -> bool) -> (usize, Cow<'_, [u8]>) {
    let mut end = first.end;
    let mut chars = Cow::Borrowed(&text[first]);
    for _ in 0..MAX_LINES {
        while let Some(Char { byte, length, .. }) = encoded_base64url(text, end).filter(|_| chars.len() < MAX_TOKEN) {
            let more = run(text, end + length);
            chars.to_mut().push(byte);
            chars.to_mut().extend_from_slice(&text[end + length..more]);
            end = more;
        }
        if dot(text, end) > 0 || !goes_on(&chars) {
            break;
        }
        let Some(next) = unwrapped(text, end) else { break };
        let more = run(text, next);
        chars.to_mut().extend_from_slice(&text[next..more]);
        end = more;
    }
    (end, chars)
}

/// Puts into `room` what a part encodes, when it ends like a JSON object.
fn decode_object<'r>(chars: &[u8], room: &'r mut Vec<u8>) -> Option<&'r [u8]> {
    // Most parts of a token are no object by their last characters already: four to seven of them, since it is fours that
    // are decoded.
    let mut last = [0; 6];
    let whole = chars.len() - chars.len() % 4;
    let length = URL_SAFE_NO_PAD.decode_slice(&chars[whole.saturating_sub(4)..], &mut last).ok()?;
    let end = last[..length].trim_ascii_end();
    if !end.ends_with(b"}") && !end.is_empty() {
        return None;
    }
    #[cfg(test)]
    WORK.set(WORK.get() + chars.len());
    room.clear();
    URL_SAFE_NO_PAD.decode_vec(chars, room).ok()?;
    Some(room)
}

/// The JSON object that a part encodes.
fn object(chars: &[u8]) -> Option<Value> {
    serde_json::from_slice::<Value>(decode_object(chars, &mut Vec::new())?).ok().filter(Value::is_object)
}

/// The JSON object that a part encodes, whatever wraps or encodes it.
pub(crate) fn object_of(part: &[u8]) -> Option<Value> {
    object(&plain(part))
}

/// Does a part encode a JSON object?
fn is_object(chars: &[u8]) -> bool {
    Payload::default().read(chars)
}

/// Does a part encode the beginning of a JSON object?
fn begins_object(chars: &[u8]) -> bool {
    let whole = chars.len() - chars.len() % 4;
    let Ok(bytes) = URL_SAFE_NO_PAD.decode(&chars[..whole]) else { return false };
    let text = bytes.strip_prefix(b"{").unwrap_or_default();
    let text = &text[text.iter().take_while(|byte| byte.is_ascii_whitespace()).count()..];
    text.first() == Some(&b'"') && text.iter().take(64).all(|byte| !byte.is_ascii_control())
}

/// The dot behind a part, at once or at the start of the next line: where it begins, and where what follows does.
fn separator(text: &[u8], at: usize) -> Option<(usize, usize)> {
    let place = match dot(text, at) {
        0 => unwrapped(text, at).filter(|&next| dot(text, next) > 0)?,
        _ => at,
    };
    let end = place + dot(text, place);
    let behind = match text.get(end) {
        Some(byte) if is_base64url(*byte) => end,
        _ => unwrapped(text, end).unwrap_or(end),
    };
    Some((place, behind))
}

/// The characters and dots of what may be a token.
struct Extent {
    end: usize,
    /// They decide alone what they are: in the next line nothing stands that they might go on with.
    is_alone: bool,
    /// The parts between its dots.
    runs: Runs,
}

/// Where the first runs of base64url characters begin and end, as far as that is known.
#[derive(Clone, Copy, Default)]
struct Runs([(usize, usize); 3]);

impl Runs {
    /// The end of the one that begins here.
    fn end(&self, text: &[u8], at: usize) -> usize {
        let known = self.0.iter().find(|(start, end)| *start == at && start < end);
        known.map_or_else(|| run(text, at), |(_, end)| *end)
    }
}

impl Extent {
    /// From here on; `None` where more is needed to tell its end.
    fn of(text: &[u8], start: usize, last: bool) -> Option<Extent> {
        /// Dots of a token with an ellipsis behind it, and some more.
        const MOST: usize = 8;
        let mut end = run(text, start);
        let mut runs = Runs([(start, end); 3]);
        let mut dots = 0;
        loop {
            let begin = match dot(text, end) {
                0 => break,
                length => end + length,
            };
            end = run(text, begin);
            dots += 1;
            if let Some(known) = runs.0.get_mut(dots) {
                *known = (begin, end);
            }
            if dots > MOST {
                return None;
            }
        }
        let is_certain =
            (last || text.len() - end >= AHEAD) && !is_ellipsis(text, end) && encoded_base64url(text, end).is_none();
        let is_alone = unwrapped(text, end).is_none();
        (dots > 0 && is_certain && end - start <= MAX_KNOWN).then_some(Extent { end, is_alone, runs })
    }
}

fn jwt(memo: &mut Memo, text: &[u8], start: usize, runs: Runs, lenient: bool, last: bool) -> Look {
    let incomplete = |chars: &[u8]| !is_object(chars);
    let (end, chars) = part(text, start..runs.end(text, start), incomplete);
    // Most of what begins like a token is none, which shows at its end.
    let Some((_, next)) = separator(text, end) else {
        return if is_open(text, start, end, last) { Look::Open } else { Look::No(end) };
    };
    if chars.len() > MAX_HEADER {
        return Look::No(end.saturating_sub(MAX_HEADER));
    }
    let Some(header) = memo.header(&chars).filter(|header| lenient || header.algorithm.is_some()) else {
        return Look::No(start);
    };
    let header_span = start..end;
    if header.encrypted {
        return jwe(text, header_span, next, last);
    }
    let (end, chars) = part(text, next..runs.end(text, next), incomplete);
    if is_open(text, start, end, last) {
        return Look::Open;
    }
    if !memo.payload.read(&chars) {
        return unreadable(text, header_span, next, lenient, last);
    }
    let payload = next..end;
    let hit = |state, span_end: usize, secret: Range<usize>| {
        Look::Hit(Hit {
            form: Form::Jwt,
            state,
            span: start..span_end,
            header: header_span.clone(),
            payload: payload.clone(),
            secret,
            spelling: None,
            is_plain: false,
        })
    };
    let beyond = |at: usize| if lenient { rest(text, at, last) } else { Some(at..at) };
    let Some((dot_at, next)) = separator(text, end) else {
        return match beyond(end) {
            None => Look::Open,
            Some(rest) if rest.is_empty() => hit(State::Redacted, end, end..end),
            Some(rest) => hit(State::Truncated, rest.end, rest),
        };
    };
    let algorithm = header.algorithm.as_deref().unwrap_or_default();
    let (far, end, chars) = signature(text, next, runs, algorithm);
    if is_open(text, start, far, last) {
        return Look::Open;
    }
    // A word in the line behind one that ends with a dot is only believed when it has the length of a signature.
    let elsewhere =
        next > dot_at + dot(text, dot_at) && !is_placeholder(&chars) && !has_length_of(algorithm, chars.len());
    let chars = if elsewhere { Cow::default() } else { chars };
    let cut = is_ellipsis(text, end) || is_ellipsis(text, dot_at);
    let is_short = !algorithm.eq_ignore_ascii_case("none") && !has_length_of(algorithm, chars.len());
    if is_short && !cut && !is_placeholder(&chars) {
        let (from, at) = if chars.is_empty() { (None, dot_at + dot(text, dot_at)) } else { (Some(next), end) };
        let Some(rest) = beyond(at) else { return Look::Open };
        if !rest.is_empty() {
            return hit(State::Truncated, rest.end, from.unwrap_or(rest.start)..rest.end);
        }
    }
    match (chars.is_empty(), cut) {
        (true, _) if algorithm.eq_ignore_ascii_case("none") && !cut => {
            hit(State::Unsigned, dot_at + dot(text, dot_at), end..end)
        }
        // An ellipsis in place of the signature begins with the dot that was taken for the separator.
        (true, _) => hit(State::Redacted, payload.end, payload.end..payload.end),
        (false, _) if is_placeholder(&chars) => hit(State::Redacted, end, end..end),
        (false, true) => hit(State::Truncated, end, next..end),
        (false, false) => hit(State::Whole, end, next..end),
    }
}

/// A payload that is no object: it is cut off, or another token stands right behind it. Lines that do not complete it are
/// none of its own; what follows behind one more dot is a signature all the same.
fn unreadable(text: &[u8], header: Range<usize>, next: usize, lenient: bool, last: bool) -> Look {
    let start = header.start;
    let hit = |state, end: usize, secret: Range<usize>| {
        let span = start..end.max(secret.end);
        Look::Hit(Hit {
            form: Form::Jwt,
            state,
            span,
            header: header.clone(),
            payload: next..end,
            secret,
            spelling: None,
            is_plain: false,
        })
    };
    let end = run(text, next);
    if let Some(other) = embedded(text, next, end) {
        return match () {
            () if is_object(&text[next..other]) => hit(State::Redacted, other, other..other),
            () if other == next || begins_object(&text[next..other]) => hit(State::Truncated, other, other..other),
            () => Look::No(start),
        };
    }
    let (far, parts) = dotted(text, next);
    if is_open(text, start, far, last) {
        return Look::Open;
    }
    let behind = end + dot(text, end);
    let signature = behind..run(text, behind);
    let begins = begins_object(&text[next..end]);
    let Some(rest) = (if lenient && begins { rest(text, end, last) } else { Some(end..end) }) else {
        return Look::Open;
    };
    match begins {
        true if !rest.is_empty() => hit(State::Truncated, end, rest),
        true if signature.len() >= SHORTEST => hit(State::Truncated, end, signature),
        true => hit(State::Truncated, end, end..end),
        // Encrypted, or a signature over something that is no JSON.
        false if lenient && parts > 1 => hit(State::Truncated, next, next..far),
        false => Look::No(start),
    }
}

/// Do capitals, small letters and digits alternate as in base64? In names, hosts and sums they come in rows.
fn is_mixed(word: &[u8]) -> bool {
    let kind = |byte: &u8| (byte.is_ascii_uppercase(), byte.is_ascii_lowercase(), byte.is_ascii_digit());
    let turns = word.windows(2).filter(|pair| kind(&pair[0]) != kind(&pair[1])).count();
    word.len() >= SHORTEST && turns * 3 >= word.len() && word.iter().any(u8::is_ascii_uppercase)
}

/// What further records of a log hold of a token that ends here at the end of one: behind a time or a name a long word of
/// base64url, up to the end of that record or anywhere in it. Empty when there is none, `None` when the text ends before that
/// is certain.
fn rest(text: &[u8], end: usize, last: bool) -> Option<Range<usize>> {
    /// The most that stands in a record before it, in bytes.
    const PREFIX: usize = 96;
    /// How docker's records end and begin.
    const DOCKER: &[u8] = b"{\"log\":\"";
    const FIELDS: usize = 128;
    let piece = |at: usize| {
        let limit = text.len().min(at + MAX_TOKEN);
        at + text[at..limit].iter().take_while(|byte| is_base64url(**byte) || **byte == b'.').count()
    };
    let mut found = end..end;
    for _ in 0..MAX_LINES {
        if !last && text.len() - found.end < FIELDS + PREFIX + SHORTEST && text.len() - end < MAX_TOKEN {
            return None;
        }
        let behind = &text[found.end..text.len().min(found.end + FIELDS)];
        let Some(newline) = memchr::memchr(b'\n', behind) else { break };
        let record = found.end + newline + 1;
        let is_docker = behind.starts_with(b"\"") && text[record..].starts_with(DOCKER);
        if !is_docker && !behind[..newline].trim_ascii().is_empty() {
            break;
        }
        let until = text.len().min(record + PREFIX);
        let (mut at, mut word) = (record, record..record);
        while at < until && word.is_empty() {
            let end = piece(at);
            match end - at {
                SHORTEST.. => word = at..end,
                // What was hidden before ends it.
                _ if is_placeholder(&text[at..end]) => break,
                length => at += length + 1,
            }
        }
        // Another token, or words that people made.
        let word_text = &text[word.clone()];
        if word_text.starts_with(b"ey") || !word_text.split(|byte| *byte == b'.').any(is_mixed) {
            break;
        }
        if !last && word.end == text.len() && text.len() - end < MAX_TOKEN {
            return None;
        }
        found = if found.is_empty() { word } else { found.start..word.end };
    }
    Some(found)
}

/// How far a signature was looked for, where it ends, and its characters. What is joined over lines is only believed when
/// that gives it the length of its algorithm; of several lengths the longest.
fn signature<'t>(text: &'t [u8], start: usize, runs: Runs, algorithm: &str) -> (usize, usize, Cow<'t, [u8]>) {
    /// Of ML-DSA-87.
    const LONGEST: usize = 6170;
    let (first, one) = part(text, start..runs.end(text, start), |_| false);
    if has_length_of(algorithm, one.len()) || is_placeholder(&one) {
        return (first, first, one);
    }
    let (mut end, mut chars, mut whole) = (first, one.to_vec(), None);
    while chars.len() < LONGEST && dot(text, end) == 0 {
        let Some(next) = unwrapped(text, end) else { break };
        let line;
        (end, line) = part(text, next..run(text, next), |_| false);
        chars.extend_from_slice(&line);
        if has_length_of(algorithm, chars.len()) {
            whole = Some((end, chars.clone()));
        }
    }
    match whole {
        Some((whole, chars)) => (end, whole, Cow::Owned(chars)),
        // Cut off in one of its lines.
        None if end > first && is_ellipsis(text, end) => (end, end, Cow::Owned(chars)),
        None => match embedded(text, start, first) {
            Some(other) => (end, other, Cow::Borrowed(&text[start..other])),
            None => (end, first, one),
        },
    }
}

/// Where in a run of characters, with a dot behind it, the header of another token begins.
fn embedded(text: &[u8], start: usize, end: usize) -> Option<usize> {
    if dot(text, end) == 0 {
        return None;
    }
    let from = start.max(end.saturating_sub(MAX_HEADER));
    let places = memchr::memmem::rfind_iter(&text[from..end], OBJECT).map(|at| from + at).take(MAX_TRIES as usize);
    places.filter(|&at| object(&text[at..end]).is_some_and(|header| header.get("alg").is_some())).last()
}

/// Is this how many characters the signatures of an algorithm have?
fn has_length_of(algorithm: &str, length: usize) -> bool {
    match algorithm {
        "HS256" => length == 43,
        "HS384" => length == 64,
        "HS512" | "ES256" | "ES256K" | "Ed25519" => length == 86,
        "EdDSA" => matches!(length, 86 | 152),
        "Ed448" => length == 152,
        "ES384" => length == 128,
        "ES512" => length == 176,
        "ML-DSA-44" => length == 3227,
        "ML-DSA-65" => length == 4412,
        "ML-DSA-87" => length == 6170,
        // Keys of 1024 to 4096 bits in steps of 512, and of 5120, 6144, 7168, 8192 and 16384.
        _ => matches!(length, 171 | 256 | 342 | 427 | 512 | 598 | 683 | 854 | 1024 | 1195 | 1366 | 2731),
    }
}

/// Do three dots (or the one sign for them) follow?
fn is_ellipsis(text: &[u8], at: usize) -> bool {
    let rest = &text[at.min(text.len())..];
    rest.starts_with(b"...") || rest.starts_with("…".as_bytes()) || rest.starts_with(b"[...")
}

/// Is this a token that nobody can use any more: shortened with an ellipsis, or without its signature, or with a word in its
/// place? One that never had a signature (`alg` none) needs none.
pub(crate) fn is_defused(text: &str) -> bool {
    let text = text.replace('…', "...");
    let (kept, rest) = text.split_once("...").map_or((&*text, None), |(kept, rest)| (kept, Some(rest)));
    let parts: Vec<&[u8]> = kept.split('.').map(str::as_bytes).collect();
    let header = object(parts[0]);
    let algorithm = header.as_ref().and_then(|header| header.get("alg")?.as_str()).unwrap_or_default();
    let is_readable = parts.get(1).is_some_and(|payload| is_object(payload));
    let is_token = [OBJECT, OTHERS[0]].iter().any(|start| text.starts_with(start));
    if !is_token || (is_readable && algorithm.eq_ignore_ascii_case("none")) {
        return false;
    }
    match (rest, &*parts) {
        (Some(_), [_, _, signature]) if has_length_of(algorithm, signature.len()) => false,
        (Some(_), [_, _, _, _, tag]) if is_tag(tag) => false,
        // Every part may be shortened; what is no part of this token may be another.
        (Some(rest), _) => rest.split("...").all(|piece| piece.trim_matches('.').matches('.').count() < 2),
        (None, [_, _] | [_, _, b""]) if is_readable && !algorithm.is_empty() => true,
        (None, [_, .., last]) => is_placeholder(last),
        (None, _) => false,
    }
}

/// Words that are put in place of what is taken away.
pub(crate) const TAKEN_AWAY: [&str; 5] = ["redacted", "removed", "hidden", "masked", "omitted"];

/// Is a word standing where a signature was?
fn is_placeholder(chars: &[u8]) -> bool {
    let mut word = chars;
    while let [b'_' | b'-', rest @ ..] | [rest @ .., b'_' | b'-'] = word {
        word = rest;
    }
    let is_cross = |byte: &u8| byte.eq_ignore_ascii_case(&b'x');
    let mut words = TAKEN_AWAY.into_iter().chain(["signature", "sig"]);
    words.any(|known| word.eq_ignore_ascii_case(known.as_bytes())) || (word.len() >= 3 && word.iter().all(is_cross))
}

/// Key, initialisation vector, ciphertext and tag; the first may be empty.
fn jwe(text: &[u8], header: Range<usize>, start: usize, last: bool) -> Look {
    let (end, parts) = dotted(text, start);
    let wrapped = (parts < 4 || unwrapped(text, end).is_some()).then(|| wrapped_jwe(text, start)).flatten();
    if is_open(text, header.start, wrapped.unwrap_or(end), last) {
        return Look::Open;
    }
    let hit = |state, end: usize, secret: Range<usize>| {
        let span = header.start..end;
        let header = header.clone();
        Look::Hit(Hit {
            form: Form::Jwe,
            state,
            span,
            payload: end..end,
            header,
            secret,
            spelling: None,
            is_plain: false,
        })
    };
    match wrapped {
        Some(end) => hit(State::Whole, end, start..end),
        None if parts == 1 && is_placeholder(&text[start..end]) => hit(State::Redacted, end, end..end),
        None if parts == 4 && !is_ellipsis(text, end) => hit(State::Whole, end, start..end),
        None => hit(State::Truncated, end, start..end),
    }
}

/// The end of up to four parts with dots between them, and how many there are.
fn dotted(text: &[u8], start: usize) -> (usize, usize) {
    let mut end = run(text, start);
    for parts in 1..4 {
        let dot = dot(text, end);
        if dot == 0 || is_ellipsis(text, end) {
            return (end, parts);
        }
        end = run(text, end + dot);
    }
    (embedded(text, start, end).unwrap_or(end), 4)
}

/// The end of four parts over several lines, which is only believed when the last has the length of a tag.
fn wrapped_jwe(text: &[u8], start: usize) -> Option<usize> {
    let mut at = start;
    for _ in 0..3 {
        (_, at) = separator(text, part(text, at..run(text, at), |_| true).0)?;
    }
    let (end, tag) = part(text, at..run(text, at), |chars| !is_tag(chars));
    is_tag(&tag).then_some(end)
}

/// Tags of 128, 192 and 256 bits.
fn is_tag(chars: &[u8]) -> bool {
    matches!(chars.len(), 22 | 32 | 43)
}

/// All of it is secret, if anything is left.
fn opaque(form: Form, state: State, span: Range<usize>) -> Look {
    let none = span.end..span.end;
    Look::Hit(Hit {
        form,
        state,
        header: none.clone(),
        secret: if state == State::Redacted { none.clone() } else { span.clone() },
        payload: none,
        span,
        spelling: None,
        is_plain: false,
    })
}

/// Macaroons of version 1 are packets: four hexadecimal digits of length, a name, a value. The first is the location or
/// the identifier, the last the signature.
fn macaroon(text: &[u8], start: usize, last: bool) -> Look {
    if start > 0
        && (is_base64url(text[start - 1]) || matches!(text[start - 1], b'+' | b'/'))
        && !is_escaped(text, start)
    {
        return Look::No(start);
    }
    let is_char = |byte: &u8| is_base64url(*byte) || matches!(byte, b'+' | b'/');
    let limit = text.len().min(start + MAX_TOKEN);
    let run = |at: usize| at + text[at..limit].iter().position(|byte| !is_char(byte)).unwrap_or(limit - at);
    let mut end = run(start);
    let first = end;
    if is_open(text, start, end, last) {
        return Look::Open;
    }
    let mut chars = text[start..end].to_vec();
    let mut signed = macaroon_packets(&chars);
    for _ in 0..MAX_LINES {
        let goes_on = signed == Ok(Some(false)) && chars.len() < MAX_KNOWN;
        let Some(next) = unwrapped(text, end).filter(|next| goes_on && *next < limit) else { break };
        end = run(next);
        if is_open(text, start, end, last) {
            return Look::Open;
        }
        chars.extend_from_slice(&text[next..end]);
        signed = macaroon_packets(&chars);
    }
    match signed {
        Err(()) if end == first => Look::No(end),
        Ok(None) if end == first => Look::No(start),
        Ok(Some(true)) => opaque(Form::Macaroon, State::Whole, start..end),
        // Of the lines behind it nobody knows whether they belong to it.
        _ => opaque(Form::Macaroon, State::Truncated, start..first),
    }
}

/// Whether an encoded macaroon ends with its signature; `None` when it is none, and an error when it is not encoded like one.
fn macaroon_packets(chars: &[u8]) -> Result<Option<bool>, ()> {
    let standard = |byte: &u8| match byte {
        b'-' => b'+',
        b'_' => b'/',
        byte => *byte,
    };
    let chars: Vec<u8> = chars.iter().map(standard).collect();
    // A part of four characters that is not whole is cut off.
    let whole = if chars.len() % 4 == 1 { chars.len() - 1 } else { chars.len() };
    let lenient = GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true);
    let engine = GeneralPurpose::new(&STANDARD, lenient.with_decode_padding_mode(DecodePaddingMode::Indifferent));
    Ok(is_signed(&engine.decode(&chars[..whole]).map_err(drop)?))
}

/// Whether packets end with a signature; `None` when they are none.
fn is_signed(bytes: &[u8]) -> Option<bool> {
    let mut packets = packets(bytes);
    if !matches!(packets.next()?.name, b"location" | b"identifier") {
        return None;
    }
    Some(packets.find(|packet| packet.name == b"signature").is_some_and(|packet| packet.is_whole))
}

/// Does a percent-encoded character or an escape end here, so that what follows begins a word?
fn is_escaped(text: &[u8], at: usize) -> bool {
    let hex = |range: Option<&[u8]>| range.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit));
    let before = &text[at.saturating_sub(8)..at];
    let end = before.len();
    (end >= 3 && before[end - 3] == b'%' && hex(before.get(end - 2..)))
        || (end >= 5 && before[end - 5..].starts_with(b"%25") && hex(before.get(end - 2..)))
        || (end >= 2 && before[end - 2] == b'\\' && matches!(before[end - 1], b'n' | b'r' | b't'))
        || (end >= 6 && before[end - 6..].starts_with(br"\u") && hex(before.get(end - 4..)))
}

/// `zteos64:` or `zteos64%3A`, then base64 with its special characters as they are or percent-encoded.
fn eos(text: &[u8], start: usize, last: bool) -> Look {
    const NAME: usize = "zteos64".len();
    let rest = &text[start + NAME..];
    let colon = match rest {
        [b':', ..] => 1,
        [b'%', b'3', b'A' | b'a', ..] => 3,
        [b'%', b'2', b'5', b'3', b'A' | b'a', ..] => 5,
        _ => return if is_open(text, start, start + NAME, last) { Look::Open } else { Look::No(start) },
    };
    let mut end = start + NAME + colon;
    while end < text.len().min(start + MAX_TOKEN) {
        end += match &text[end..] {
            [byte, ..] if is_base64url(*byte) || matches!(byte, b'+' | b'/' | b'=') => 1,
            [b'%', b'2', b'B' | b'b' | b'F' | b'f', ..] | [b'%', b'3', b'D' | b'd', ..] => 3,
            _ => break,
        };
    }
    if is_open(text, start, end, last) {
        return Look::Open;
    }
    // Shorter ones are placeholders in documentation.
    const SHORTEST: usize = 20;
    match end - start - NAME - colon {
        length if length < SHORTEST => Look::No(start),
        // A word that base64 spells once in 10^14 tokens.
        _ if text[start..end].ends_with(b"REDACTED") => opaque(Form::Eos, State::Redacted, start..end),
        _ if is_ellipsis(text, end) => opaque(Form::Eos, State::Truncated, start..end),
        _ => opaque(Form::Eos, State::Whole, start..end),
    }
}

/// From its first line to its last, or as far as the text goes. A cipher has its envelope behind it. `blank` is how the
/// text writes blanks.
fn envelope(text: &[u8], start: usize, blank: &str, last: bool) -> Look {
    const LONGEST: usize = 64 << 10;
    let mark = |words: [&str; 3]| format!("-----{}-----", words.join(blank));
    let opened = mark(["BEGIN", "SEALED", "ENVELOPE"]);
    let ends = [mark(["END", "SEALED", "ENVELOPE"]), mark(["END", "SEALED", "CIPHER"])];
    let window = &text[start..text.len().min(start + LONGEST)];
    let behind = |mark: &str| Some(memchr::memmem::find(window, mark.as_bytes())? + mark.len());
    let cipher = behind(&ends[1]);
    let end = behind(&ends[0]).or_else(|| cipher.filter(|_| last && behind(&opened).is_none()));
    let inside = |end: usize| &window[mark(["BEGIN", "SEALED", "CIPHER"]).len().min(end)..end];
    match (end, cipher) {
        (Some(end), Some(cipher)) if is_emptied(inside(cipher - ends[1].len())) => {
            opaque(Form::Envelope, State::Redacted, start..start + end)
        }
        (Some(end), _) => opaque(Form::Envelope, State::Whole, start..start + end),
        (None, _) if !last && window.len() < LONGEST => Look::Open,
        (None, _) => {
            let end = cipher.or_else(|| memchr::memchr(b'\n', window)).unwrap_or(window.len());
            opaque(Form::Envelope, State::Truncated, start..start + end)
        }
    }
}

/// Is a word all that is left between two marks?
fn is_emptied(inside: &[u8]) -> bool {
    let inside = inside.trim_ascii();
    let inside = inside.strip_prefix(b"%0A").unwrap_or(inside);
    is_placeholder(inside.strip_suffix(b"%0A").unwrap_or(inside))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A token with a made-up signature: no key ever signed it.
    fn token(header: &str, payload: &str, signature: usize) -> String {
        let parts = [header, payload].map(|part| URL_SAFE_NO_PAD.encode(part));
        format!("{}.{}.{}", parts[0], parts[1], &"TestSignature-".repeat(100)[..signature])
    }

    fn es256() -> String {
        token(
            r#"{"alg":"ES256","kid":"k"}"#,
            r#"{"iss":"https://a.example/","sub":"s","exp":1767225600,"x":"yyyyyyyyyy"}"#,
            86,
        )
    }

    /// Everything found in a text, as form, state and text.
    fn all(text: &[u8]) -> Vec<(Form, State, String)> {
        let finder = Finder::new().expect("anchors");
        let (mut at, mut found) = (0, Vec::new());
        while let Found::Token(hit) = finder.next(text, at, true) {
            found.push((hit.form, hit.state, String::from_utf8_lossy(&text[hit.span.clone()]).into_owned()));
            at = hit.span.end.max(at + 1);
        }
        found
    }

    #[test]
    fn tokens_that_lost_what_makes_them_usable_are_known() {
        let signed = es256();
        let (unsigned, _) = signed.rsplit_once('.').expect("a signature");
        let plain = token(r#"{"alg":"none"}"#, r#"{"jti":"test-refresh-id"}"#, 0);
        for (text, defused, remark) in [
            ("eyJhbGciOi...", true, "shortened"),
            ("eyJhbGciOi…", true, "with the one sign"),
            ("eyJhbGc/.../....", true, "as documents write it"),
            ("eyJhbGciOi...eyJzdWIi...c2ln", true, "each part shortened"),
            ("MDAxY2xvY2F0aW9u...", true, "a macaroon"),
            ("eyJr.REDACTED", true, "a word"),
            (unsigned, true, "no signature"),
            (&format!("{unsigned}."), true, "no signature behind the dot"),
            (&format!("{unsigned}.REDACTED"), true, "a word in place of the signature"),
            (&format!("{unsigned}....."), true, "dots in place of the signature"),
            (&format!("{unsigned}.c2lnbmF0dXJl..."), true, "a shortened signature"),
            (&signed, false, "whole"),
            (&format!("{signed}..."), false, "whole, with dots behind"),
            (&format!("eyJ...{signed}"), false, "another one behind"),
            (&plain, false, "it never had a signature"),
            (plain.trim_end_matches('.'), false, "nor the dot"),
            (&format!("{plain}REDACTED"), false, "nor needs it one"),
            (&format!("{plain}..."), false, "nor that"),
            ("eyJhbGciOi", false, "some other secret"),
            ("hunter2...", false, "a password"),
            ("", false, "nothing"),
        ] {
            assert_eq!(is_defused(text), defused, "{remark}");
        }
    }

    #[test]
    fn what_was_learned_at_one_place_holds_at_every_other() {
        let header = r#"{"alg":"ES256","kid":"k"}"#;
        let payload = r#"{"iss":"https://a.example/","sub":"s","exp":1767225600}"#;
        let tokens = [86, 60, 3, 0].map(|signature| token(header, payload, signature));
        let encoded = tokens[0].replace('.', "%2E");
        let signs = encoded.replace('-', "%2D");
        let rest = "A".repeat(26);
        let behind = ["", " x", "\nNext line", "\"\n2026", ".", ". And", "...", ".eyJ", "\n", "=\n"];
        let behind =
            behind.map(str::to_string).into_iter().chain([format!("\n{rest}\n"), format!("\n{rest}.{rest} x")]);
        let behind: Vec<String> = behind.collect();
        let texts = tokens
            .iter()
            .chain([&encoded, &signs])
            .flat_map(|token| behind.iter().map(move |end| format!("{token}{end}")));
        let texts: Vec<String> = texts.collect();
        let finder = Finder::new().expect("anchors");
        let mut plain = 0;
        for first in &texts {
            let mut memo = Memo::default();
            let _ = finder.next_with(&mut memo, first.as_bytes(), 0, true);
            for text in &texts {
                let found = finder.next_with(&mut memo, text.as_bytes(), 0, true);
                assert_eq!(found, finder.next(text.as_bytes(), 0, true), "{first} before {text}");
                let Found::Token(hit) = found else { panic!("{text}") };
                let digest: [u8; 32] = Sha256::digest(&text[hit.span.clone()]).into();
                assert!(!hit.is_plain || hit.spelling == Some(digest), "{text}");
                plain += usize::from(hit.is_plain);
            }
        }
        // Of the signed ones all but those with a dot behind: such a signature does not go on in the next line.
        assert_eq!(plain, (behind.len() - 4) * texts.len());
    }

    fn wrapped(text: &str, width: usize, between: &str) -> String {
        let chars: Vec<char> = text.chars().collect();
        let lines: Vec<String> = chars.chunks(width).map(|line| line.iter().collect()).collect();
        lines.join(between)
    }

    #[test]
    fn tokens_are_found_however_they_stand() {
        let jwt = es256();
        let rs4096 = token(r#"{"alg":"RS256","kid":"k"}"#, r#"{"sub":"s"}"#, 683);
        let odd = |length: usize| wrapped(&token(r#"{"alg":"PS512"}"#, r#"{"sub":"s"}"#, length), 64, "\n");
        let rs256 =
            token(r#"{"alg":"RS256"}"#, r#"{"sub":"s","iss":"i","jti":"0b1c8a4e-9d57-4a2b-9a39-6f1c3f7e2d10"}"#, 342);
        let dots = |dot: &str| jwt.replace('.', dot);
        for (before, written, behind, remark) in [
            ("Authorization: Bearer ", jwt.clone(), "\r\n", "header"),
            ("GET /x?authz=Bearer%20", jwt.clone(), "&y=1 HTTP/1.1", "query, encoded blank"),
            ("GET /x?authz=Bearer%2520", jwt.clone(), "&y=1", "query, encoded twice"),
            ("?access_token=", dots("%2E"), " ", "encoded dots"),
            ("?access_token=", dots("%252e"), " ", "dots encoded twice"),
            ("{\"access_token\":\"", jwt.clone(), "\",\"expires_in\":3600}", "JSON"),
            ("{'token': '", jwt.clone(), "'}", "Python"),
            ("b'Bearer ", jwt.clone(), "\\n'", "Python bytes with an escaped line break"),
            ("#access_token=", jwt.clone(), "&token_type=Bearer", "fragment"),
            ("TOKEN", jwt.clone(), ";", "a word in front"),
            ("a\n", wrapped(&jwt, 64, "\n"), "\nnext line", "wrapped"),
            ("a\n    ", wrapped(&rs256, 79, "\n    "), "\n\nmore", "wrapped and indented"),
            ("> ", wrapped(&rs256, 70, "\n> "), "\n> Regards", "wrapped in a quoted mail"),
            ("", wrapped(&rs4096, 57, "\n"), "\nnext", "a line of it ends where a shorter signature does"),
            ("", odd(427), "\nnext", "by a key of 2560 bits"),
            ("", odd(1366), "\nnext", "by a key of 8192 bits"),
            ("", wrapped(&rs256, 70, "=\r\n"), "\r\n", "quoted-printable"),
            ("{\"log\":\"", wrapped(&rs256, 76, r"\n"), "\"}", "line breaks written as in JSON"),
            ("'", wrapped(&rs256, 76, r"\r\n"), r"\r\nRegards'", "line breaks written as in Python"),
            ("?authz=Bearer%20", dots("%2E").replace('-', "%2D"), "&x", "every sign encoded"),
            ("?authz=Bearer%2520", dots("%252E").replace('-', "%252d"), "&x", "every sign encoded twice"),
            ("Bearer ", dots("=."), "\n", "with padding"),
            ("Bearer ", dots("==."), "==\n", "with more padding"),
            ("?access_token=", dots("%3D."), "&x", "with encoded padding"),
            ("a\n", wrapped(&token(r#"{"alg":"Ed25519"}"#, r#"{"sub":"s"}"#, 86), 64, "\n"), "\nRegards", "RFC 9864"),
            ("", jwt.clone(), "", "nothing else"),
            ("", jwt.clone(), ".\n", "the end of a sentence"),
            ("", jwt.clone(), "\nINFO next line", "a word in the next line"),
        ] {
            let text = format!("{before}{written}{behind}");
            assert_eq!(all(text.as_bytes()), [(Form::Jwt, State::Whole, written)], "{remark}");
        }
    }

    #[test]
    fn a_part_is_the_same_however_it_is_written() {
        for written in [
            "ab-c_de",
            "ab%2Dc%5fde",
            "ab%252dc%25255Fde",
            "ab-c_\r\n  > de",
            "ab-c_=\nde",
            r"ab-c_\nde",
            r"ab-c_\\nde",
            r"ab-c_\r\nde",
        ] {
            assert_eq!(String::from_utf8_lossy(&plain(written.as_bytes())), "ab-c_de", "{written}");
        }
    }

    #[test]
    fn what_is_left_of_a_token_is_told() {
        let jwt = es256();
        let (body, _) = jwt.rsplit_once('.').expect("three parts");
        let none = token(r#"{"alg":"none"}"#, r#"{"jti":"0b1c8a4e"}"#, 0);
        let payload_cut = &jwt[..body.len() - 20];
        let rs256 = token(r#"{"alg":"RS256"}"#, r#"{"sub":"s"}"#, 342);
        let lines = wrapped(&rs256[..rs256.len() - 100], 64, "\n");
        let cases: [(&str, State, usize, &str); 15] = [
            (&format!("{lines}...\n\nRegards"), State::Truncated, lines.len(), "cut in a line behind its first"),
            (&format!("{none} "), State::Unsigned, none.len(), "alg none"),
            (&format!("{none}\""), State::Unsigned, none.len(), "alg none in JSON"),
            (&format!("{none}\nINFO next"), State::Unsigned, none.len(), "a word in the next line"),
            (&format!("{body}.\nINFO next"), State::Redacted, body.len(), "the same without a signature"),
            (&format!("{body}.REDACTED "), State::Redacted, body.len() + 9, "a word for the signature"),
            (&format!("{body}.xxxxx "), State::Redacted, body.len() + 6, "crosses"),
            (&format!("{body}. "), State::Redacted, body.len(), "no signature, but an algorithm"),
            (&format!("{body}.<redacted>"), State::Redacted, body.len(), "in brackets"),
            (&format!("{body} "), State::Redacted, body.len(), "two parts"),
            (&format!("{body}... "), State::Redacted, body.len(), "an ellipsis for the signature"),
            (&format!("{}...", &jwt[..jwt.len() - 40]), State::Truncated, jwt.len() - 40, "cut in the signature"),
            (&format!("{payload_cut}..."), State::Truncated, payload_cut.len(), "cut in the payload"),
            (&format!("{payload_cut}\nnext"), State::Truncated, payload_cut.len(), "cut at the line's end"),
            (&format!("{payload_cut}…"), State::Truncated, payload_cut.len(), "the sign for an ellipsis"),
        ];
        for (text, state, length, remark) in cases {
            assert_eq!(all(text.as_bytes()), [(Form::Jwt, state, text[..length].to_string())], "{remark}");
        }
    }

    #[test]
    fn tokens_without_anything_between_them_are_told_apart() {
        let (first, second) = (es256(), token(r#"{"alg":"RS256"}"#, r#"{"sub":"other"}"#, 342));
        let (body, _) = first.rsplit_once('.').expect("three parts");
        let none = token(r#"{"alg":"none"}"#, r#"{"jti":"0b1c8a4e"}"#, 0);
        for (before, state, remark) in [
            (first.clone(), State::Whole, "whole"),
            (first.replace('.', "%2E"), State::Whole, "encoded dots"),
            (first[..first.len() - 30].to_string(), State::Whole, "a signature that is too short"),
            (none, State::Unsigned, "unsigned"),
            (format!("{body}."), State::Redacted, "no signature"),
            (body.to_string(), State::Redacted, "two parts"),
            (format!("{body}.REDACTED"), State::Redacted, "a word for the signature"),
            (body[..body.len() - 9].to_string(), State::Truncated, "cut in the payload"),
        ] {
            let found = all(format!("{before}{second}\n").as_bytes());
            let mut expected = vec![(Form::Jwt, state, before), (Form::Jwt, State::Whole, second.clone())];
            // The dot behind two parts separates nothing.
            expected[0].2 = expected[0].2.trim_end_matches(|c| c == '.' && state == State::Redacted).to_string();
            assert_eq!(found, expected, "{remark}");
        }
    }

    #[test]
    fn what_was_taken_away_is_not_found_again() {
        let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"RSA-OAEP","enc":"A256GCM"}"#);
        let (body, _) = es256().rsplit_once('.').map(|(body, _)| (body.to_string(), ())).expect("three parts");
        let word = "w".repeat(86 - "REDACTED".len());
        for (text, length, remark) in [
            (format!("{header}.REDACTED "), header.len() + 9, "an encrypted token"),
            (format!("{header}%2EREDACTED&x"), header.len() + 11, "with its dot encoded"),
            (format!("{body}.REDACTED\n\" {word}"), body.len() + 9, "a word in the next line"),
            (
                "-----BEGIN SEALED CIPHER-----\nREDACTED\n-----END SEALED CIPHER-----\n-----BEGIN SEALED ENVELOPE-----\n-----END SEALED ENVELOPE-----".into(),
                128,
                "an envelope",
            ),
        ] {
            let found = all(text.as_bytes());
            assert_eq!(found.len(), 1, "{remark}: {found:?}");
            assert_eq!((found[0].1, found[0].2.len()), (State::Redacted, length), "{remark}");
        }
    }

    #[test]
    fn a_signature_behind_an_unreadable_payload_is_secret() {
        let payload = URL_SAFE_NO_PAD.encode(b"{\"sub\":\"\xfc\"}");
        let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"ES256"}"#);
        let text = format!("{header}.{payload}.{}", "TestSignature-".repeat(6));
        let finder = Finder::new().expect("anchors");
        let Found::Token(hit) = finder.next(text.as_bytes(), 0, true) else { panic!("nothing found") };
        assert_eq!((hit.state, &text[hit.secret]), (State::Truncated, &"TestSignature-".repeat(6)[..]));
    }

    #[test]
    fn what_must_not_be_shown_is_more_than_what_is_a_token() {
        let plain = |text: &str| URL_SAFE_NO_PAD.encode(text);
        let lenient = Finder::lenient().expect("anchors");
        for (header, payload, secret, remark) in [
            (r#"{"typ":"JWT"}"#, plain(r#"{"sub":"s"}"#), "signature", "no algorithm"),
            ("{\n  \"alg\": \"ES256\"}", plain(r#"{"sub":"s"}"#), "signature", "a header over lines"),
            (r#"{"alg":"ES256"}"#, "bm90IEpTT04".into(), "bm90IEpTT04.signature", "a payload that is no JSON"),
        ] {
            let text = format!("{}.{payload}.signature", plain(header)).replace("signature", "TestSignature");
            let Found::Token(hit) = lenient.next(text.as_bytes(), 0, true) else { panic!("{remark}") };
            assert_eq!(text[hit.secret], secret.replace("signature", "TestSignature"), "{remark}");
        }
    }

    #[test]
    fn what_only_looks_like_a_token_is_left_alone() {
        let json = URL_SAFE_NO_PAD.encode(r#"{"user":"me","group":"vo"}"#);
        for (text, remark) in [
            ("eyJ0123456789abcdef0123456789abcdef", "a hash"),
            (&format!("X-User: {json}"), "base64 JSON"),
            (&format!("{json}.{json}.{json}"), "no algorithm in it"),
            ("eyJhbGciOi...", "shortened"),
            ("eyJhbGc....", "shortened"),
            ("data:image/png;base64,iVBORw0KGgoeyJhbGciOiJFUzI1NiJ9AAAA.png", "an image"),
            ("$TOKEN eyJ", "the end of the text"),
            ("BearerTokenCredential[MDAx+{Hash=1234}+maWV]", "dCache's hash"),
            ("zteos64:...", "shortened EOS token"),
            ("zteos64 is the name", "a word"),
        ] {
            assert_eq!(all(text.as_bytes()), [], "{remark}");
        }
    }

    #[test]
    fn other_kinds_are_told_apart() {
        let packet = |name: &str, value: &str| format!("{:04x}{name} {value}\n", 4 + name.len() + value.len() + 2);
        let parts = [
            packet("location", "dcache.example.org"),
            packet("identifier", "test"),
            packet("cid", "path:/x"),
            packet("signature", "TestTestTestTestTestTestTestTest"),
        ];
        let macaroon = URL_SAFE_NO_PAD.encode(parts.concat());
        let lines = wrapped(&macaroon, 64, "\n");
        let jwe = format!(
            "{}.{k}.{k}.{k}.{k}",
            URL_SAFE_NO_PAD.encode(r#"{"alg":"RSA-OAEP","enc":"A256GCM"}"#),
            k = "VGVzdFRlc3Q"
        );
        let wide = format!(
            "{}.{k}.VGVzdFRlc3RUZXN0.{k}.TestTestTestTestTestTe",
            URL_SAFE_NO_PAD.encode(r#"{"alg":"RSA-OAEP","enc":"A256GCM"}"#),
            k = "VGVzdFRlc3Q".repeat(20)
        );
        let wide = wrapped(&wide, 76, "\n  ");
        let eos = "zteos64:MDAwMDAxTestTestTestTestTestTest==";
        let envelope = "-----BEGIN SEALED CIPHER-----\nabc\n-----END SEALED CIPHER-----\n-----BEGIN SEALED ENVELOPE-----\nx\n-----END SEALED ENVELOPE-----";
        for (text, form, state, length, remark) in [
            (format!("Bearer {macaroon}\n"), Form::Macaroon, State::Whole, macaroon.len(), "macaroon"),
            (
                format!("authz=Bearer%20{macaroon}&x"),
                Form::Macaroon,
                State::Whole,
                macaroon.len(),
                "macaroon in a query",
            ),
            (format!("{}...", &macaroon[..60]), Form::Macaroon, State::Truncated, 60, "the beginning of a macaroon"),
            (
                format!("Macaroon:\n{lines}\n\nRegards"),
                Form::Macaroon,
                State::Whole,
                lines.len(),
                "a macaroon over several lines",
            ),
            (
                format!("{}\nRegards", &lines[..105]),
                Form::Macaroon,
                State::Truncated,
                64,
                "the beginning of one over several lines",
            ),
            (jwe.clone(), Form::Jwe, State::Whole, jwe.len(), "encrypted"),
            (format!("  {wide}\nmore"), Form::Jwe, State::Whole, wide.len(), "encrypted and wrapped"),
            (format!("?authz={eos}&x=1"), Form::Eos, State::Whole, eos.len(), "EOS"),
            (
                format!("?authz={}", eos.replace(':', "%3A").replace('=', "%3D")),
                Form::Eos,
                State::Whole,
                eos.len() + 6,
                "EOS, encoded",
            ),
            ("zteos64:MDAwMDAxTestTestTREDACTED".into(), Form::Eos, State::Redacted, 33, "EOS, redacted"),
            (format!("x {envelope} y"), Form::Envelope, State::Whole, envelope.len(), "ALICE"),
            (
                format!("?authz={} HTTP/1.1", envelope.replace(' ', "+").replace('\n', "%0A")),
                Form::Envelope,
                State::Whole,
                envelope.len() + 10,
                "ALICE in a query",
            ),
        ] {
            let found = all(text.as_bytes());
            assert_eq!(found.len(), 1, "{remark}: {found:?}");
            assert_eq!((found[0].0, found[0].1, found[0].2.len()), (form, state, length), "{remark}");
        }
        let inside = format!("x{macaroon}");
        assert_eq!(all(inside.as_bytes()), [], "not within another word");
    }

    #[test]
    fn hostile_text_costs_no_more_than_its_length() {
        let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"ES256"}"#);
        let line = "eyJ".repeat(25);
        let long = format!(
            "{header}.{}.{}",
            URL_SAFE_NO_PAD.encode(format!(r#"{{"x":"{}"}}"#, "y".repeat(1 << 18))),
            "T".repeat(86)
        );
        for (text, most, remark) in [
            ("eyJ".repeat(1 << 17), 4, "beginnings"),
            (format!("{}.", "eyJ".repeat(1 << 17)), 4, "beginnings with a dot behind"),
            (format!("{line}\n").repeat(1 << 13), 40, "lines of beginnings"),
            (format!("{header}.{}", format!("{line}\n").repeat(1 << 13)), 80, "a payload of them"),
            (format!("{header}.").repeat(1 << 13), 40, "headers only"),
            (format!("{header}.{}", "eyJ".repeat(1 << 17)), 8, "a payload without end"),
            (format!("{long}\n").repeat(4), 8, "long tokens"),
            (format!("eyJ{}.\n", "A".repeat(60_000)).repeat(8), 4, "long words with a dot behind"),
            ("MDA".repeat(1 << 17), 12, "macaroons"),
            ("MDA ".repeat(1 << 17), 4, "beginnings of macaroons"),
            ("-----BEGIN SEALED CIPHER".repeat(1 << 8), 4, "envelopes"),
        ] {
            WORK.set(0);
            all(text.as_bytes());
            let work = WORK.get() / text.len();
            assert!(work <= most, "{remark}: each byte was looked at {work} times");
        }
    }

    #[test]
    fn anchors_begin_with_known_pairs() {
        for anchor in OTHERS.into_iter().chain([OBJECT]).chain(OBJECTS) {
            assert!(may_begin(anchor.as_bytes()[0], anchor.as_bytes()[1]), "{anchor}");
        }
    }

    #[test]
    fn bytes_of_any_kind_are_searched() {
        let jwt = es256();
        for (before, behind) in [(&b"\0\0"[..], &b"\0"[..]), (b"\xff\xfe", b"\xc3\x28"), (b"\xe2\x82", b"\x80\x80")] {
            let text = [before, jwt.as_bytes(), behind].concat();
            assert_eq!(all(&text), [(Form::Jwt, State::Whole, jwt.clone())], "{before:?}");
        }
    }

    #[test]
    fn a_text_in_pieces_gives_the_same_tokens() {
        let jwt = es256();
        let text = format!("a {jwt} b Bearer%20{} c {}\n", jwt.replace('.', "%2E"), wrapped(&jwt, 60, "\n"));
        let text = text.as_bytes();
        let whole = all(text);
        assert_eq!(whole.len(), 3);
        let finder = Finder::new().expect("anchors");
        for step in [1, 7, 64, 100, 333] {
            let (mut have, mut at, mut found) = (0, 0, Vec::new());
            while have < text.len() {
                have = text.len().min(have + step);
                let last = have == text.len();
                loop {
                    match finder.next(&text[..have], at, last) {
                        Found::Token(hit) => {
                            at = hit.span.end;
                            found.push((hit.form, hit.state, String::from_utf8_lossy(&text[hit.span]).into_owned()));
                        }
                        Found::Open(from) => {
                            at = from;
                            break;
                        }
                        Found::Nothing => {
                            at = have;
                            break;
                        }
                    }
                }
            }
            assert_eq!(found, whole, "steps of {step}");
        }
    }
}
