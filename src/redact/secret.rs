//! Secrets that are no tokens, in text of any kind: client secrets and passwords by the names they are given under,
//! credentials of headers, private keys, passwords of URLs.
//!
//! What [`crate::source::mask`] hides in a snippet nobody misses. A log is kept and read, so less is taken for a secret
//! here: the name says so beyond doubt, or the value looks drawn at random.

use super::marker;
use crate::percent::{self, Char};
use crate::scan::find::{Hit, TAKEN_AWAY};
use crate::source::mask;
use crate::source::secret_names::{Certainty, MAX_NAME, certainty, is_one_of};
use aho_corasick::{AhoCorasick, AhoCorasickBuilder, Input, MatchKind};
use base64::Engine as _;
use std::ops::Range;

/// Longest value, in bytes (64 KiB); what goes on beyond is cut there.
pub const MAX_VALUE: usize = 64 << 10;
/// Shortest value that is taken for one drawn at random, in bytes.
const RANDOM: usize = 8;
/// The same where the name alone says little.
const VERY_RANDOM: usize = 16;

/// What kind of secret it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A value under a name such as `client_secret`, `password` or `refresh_token`.
    Named,
    /// The credentials of an `Authorization` header.
    Header,
    /// A private key in PEM, or a private member of a JSON Web Key.
    PrivateKey,
    /// The password of a URL.
    Url,
}

impl Kind {
    /// The name that reports give it.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Named => "named secret",
            Kind::Header => "authorization header",
            Kind::PrivateKey => "private key",
            Kind::Url => "URL password",
        }
    }
}

/// One secret in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Secret {
    /// What kind.
    pub kind: Kind,
    /// Its bytes, without the name and the quotes, and without the tokens and markers among them. Never empty.
    pub parts: Vec<Range<usize>>,
    /// Where it ends.
    pub end: usize,
    /// It was cut for its length, and goes on behind its end.
    pub cut: bool,
}

/// The tokens of a text. A secret may hold some, and where they end says where a value does.
#[derive(Clone, Copy, Debug)]
pub struct Tokens<'t> {
    /// In order.
    pub hits: &'t [Hit],
    /// All that begin before this are known.
    pub until: usize,
}

/// What a search came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// The next secret.
    Secret(Secret),
    /// Something may begin here, and the text ends before it is certain.
    Open(usize),
    /// Nothing more.
    Nothing,
}

/// How far from a member of a JSON Web Key its `kty` may stand, in bytes: the largest RSA keys take 7 KiB.
pub const KEY_REACH: usize = 8 << 10;
/// Braces that are looked at on the way there.
const KEY_BRACES: usize = 64;
/// Bytes that may still be looked at behind a sign or a quote: the name of a scheme with its blank.
const AHEAD: usize = 16;
/// Tokens and markers of one value that are told apart; it ends with the last of them.
const MAX_KNOWN: usize = 16;
/// Values that one may swallow whose closing quote was cut off, so that hostile names cost no more than their length.
const MAX_OPENED: usize = 8;
/// Bytes of a value that say whether it was drawn at random.
const TELLING: usize = 256;

/// What a word that was found may be part of.
#[derive(Clone, Copy, Debug)]
enum What {
    /// The name of a secret.
    Name,
    /// The response of a `Digest` header.
    Response,
    /// An option of `curl`.
    User,
    /// The line that opens a key or a certificate.
    Pem,
    /// A URL, whose signs are so often percent-encoded.
    Url(usize),
    /// A private member of a JSON Web Key.
    KeyMember,
}

/// What is looked for: what stands in the names of secrets in every spelling, and what the others begin with. The members of
/// JSON Web Keys stand there as in JSON, in JSON within JSON, and in Python.
const WORDS: &[(&str, What)] = &[
    ("ecret", What::Name),
    ("ECRET", What::Name),
    ("pass", What::Name),
    ("Pass", What::Name),
    ("PASS", What::Name),
    ("pwd", What::Name),
    ("Pwd", What::Name),
    ("PWD", What::Name),
    ("oken", What::Name),
    ("OKEN", What::Name),
    ("pikey", What::Name),
    ("piKey", What::Name),
    ("PIKEY", What::Name),
    ("pi_key", What::Name),
    ("PI_KEY", What::Name),
    ("pi-key", What::Name),
    ("pi-Key", What::Name),
    ("PI-K", What::Name),
    ("rivate", What::Name),
    ("RIVATE", What::Name),
    ("igning", What::Name),
    ("IGNING", What::Name),
    ("ncryption", What::Name),
    ("NCRYPTION", What::Name),
    ("evice", What::Name),
    ("EVICE", What::Name),
    ("ssertion", What::Name),
    ("SSERTION", What::Name),
    ("uthz", What::Name),
    ("UTHZ", What::Name),
    ("uthorization", What::Name),
    ("UTHORIZATION", What::Name),
    ("response=", What::Response),
    (" -u ", What::User),
    ("--user", What::User),
    (BEGIN, What::Pem),
    ("://", What::Url(0)),
    (":\\/\\/", What::Url(0)),
    ("%3A%2F%2F", What::Url(1)),
    ("%3a%2f%2f", What::Url(1)),
    ("\"d\"", What::KeyMember),
    ("\"p\"", What::KeyMember),
    ("\"q\"", What::KeyMember),
    ("\"dp\"", What::KeyMember),
    ("\"dq\"", What::KeyMember),
    ("\"qi\"", What::KeyMember),
    ("\"k\"", What::KeyMember),
    ("\"oth\"", What::KeyMember),
    ("\"d\\\"", What::KeyMember),
    ("\"p\\\"", What::KeyMember),
    ("\"q\\\"", What::KeyMember),
    ("\"dp\\\"", What::KeyMember),
    ("\"dq\\\"", What::KeyMember),
    ("\"qi\\\"", What::KeyMember),
    ("\"k\\\"", What::KeyMember),
    ("\"oth\\\"", What::KeyMember),
    ("'d'", What::KeyMember),
    ("'p'", What::KeyMember),
    ("'q'", What::KeyMember),
    ("'dp'", What::KeyMember),
    ("'dq'", What::KeyMember),
    ("'qi'", What::KeyMember),
    ("'k'", What::KeyMember),
    ("'oth'", What::KeyMember),
];
/// With more of them aho-corasick looks at one byte after the other, which takes six times as long.
const _: () = assert!(WORDS.len() <= 64);
/// The longest word, in bytes.
const LONGEST_WORD: usize = {
    let (mut longest, mut index) = (0, 0);
    while index < WORDS.len() {
        let length = WORDS[index].0.len();
        longest = if length > longest { length } else { longest };
        index += 1;
    }
    longest
};
/// What the line that opens a key or a certificate begins with.
const BEGIN: &str = "-----BEGIN";

/// What headers begin with, in front of the credentials.
const SCHEMES: [&str; 6] = ["bearer", "basic", "token", "digest", "negotiate", "ntlm"];
/// How blanks are written.
const BLANKS: [&str; 5] = [" ", "%2520", "%20", "+", "\t"];
/// Names of what often stands beside a secret and is none. Behind a separator such a name ends a value, as that of another
/// secret does.
const BESIDE: [&str; 24] = [
    "aud",
    "audience",
    "clientid",
    "code",
    "exp",
    "expiresin",
    "granttype",
    "host",
    "iat",
    "iss",
    "issuer",
    "jti",
    "nonce",
    "path",
    "redirecturi",
    "resource",
    "responsetype",
    "scope",
    "state",
    "sub",
    "subjecttokentype",
    "tokentype",
    "user",
    "username",
];
/// Words in place of a secret, beside those for what was taken away.
const NO_SECRETS: [&str; 17] = [
    "none",
    "null",
    "nil",
    "undefined",
    "empty",
    "true",
    "false",
    "yes",
    "no",
    "required",
    "optional",
    "missing",
    "invalid",
    "expired",
    "failed",
    "unset",
    "filtered",
];

/// Finds secrets.
#[derive(Debug)]
pub struct Secrets {
    words: AhoCorasick,
}

/// What a look at one place came to.
enum Look {
    Secret(Secret),
    /// It reaches the end of the text.
    Open,
    No,
}

impl Secrets {
    /// A finder. An error is a defect of the search library's and never seen.
    pub fn new() -> Result<Self, String> {
        let words =
            AhoCorasickBuilder::new().match_kind(MatchKind::LeftmostFirst).build(WORDS.iter().map(|(word, _)| word));
        words.map(|words| Secrets { words }).map_err(|error| error.to_string())
    }

    /// The first secret whose name is at or behind `from`. `last` says that nothing follows the text.
    pub fn next(&self, text: &[u8], from: usize, last: bool, tokens: Tokens<'_>) -> Found {
        let mut at = from.min(text.len());
        let mut ends = Ends::default();
        while let Some(found) = self.words.find(Input::new(text).range(at..)) {
            let (start, end) = (found.start(), found.end());
            let look = match WORDS[found.pattern().as_usize()].1 {
                What::Name => named(text, start, end, last, tokens, &mut ends),
                What::Response => digest(text, start..end, last, tokens, &mut ends),
                What::User => user(text, start..end, last, tokens, &mut ends),
                What::Pem => private_key(text, end, last),
                What::Url(level) => url(text, end, level, last, tokens),
                What::KeyMember => key_member(text, start, end, last),
            };
            match look {
                // What a token takes of it is not known yet.
                Look::Secret(secret) if secret.end > tokens.until => return Found::Open(start),
                Look::Secret(secret) if secret.parts[0].start >= from => return Found::Secret(secret),
                Look::Open => return Found::Open(start),
                Look::Secret(_) | Look::No => at = end,
            }
        }
        let tail = text.len().saturating_sub(LONGEST_WORD - 1).max(at);
        if last || tail >= text.len() { Found::Nothing } else { Found::Open(tail) }
    }
}

fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.')
}

/// Is it the name of something that stands in a list with others?
fn is_known(name: &[u8]) -> bool {
    certainty(name) != Certainty::No || is_one_of(name, &BESIDE)
}

/// How often a character counts as encoded that is written by a code of JSON (`\u0022`), of nginx and Python (`\x22`) or of
/// HTML (`&quot;`, `&#34;`): more often than those in percent-encoding.
const ESCAPED: usize = 3;

fn char_at(text: &[u8], at: usize) -> Option<Char> {
    escaped_at(text, at).or_else(|| percent::char_at(text, at, 2))
}

/// A character of ASCII that is written by such a code.
fn escaped_at(text: &[u8], at: usize) -> Option<Char> {
    /// By name, those that stand around names and values.
    const NAMED: [(&str, u8); 3] = [("&quot;", b'"'), ("&apos;", b'\''), ("&amp;", b'&')];
    let rest = &text[at.min(text.len())..];
    let char = |byte, length| Some(Char { byte, length, level: ESCAPED }).filter(|char| char.byte.is_ascii());
    let code = |digits: &[u8], radix| u8::from_str_radix(std::str::from_utf8(digits).ok()?, radix).ok();
    match rest {
        [b'\\', b'x', digits @ ..] => char(code(digits.get(..2)?, 16)?, 4),
        [b'\\', b'u', b'0', b'0', digits @ ..] => char(code(digits.get(..2)?, 16)?, 6),
        [b'&', b'#', digits @ ..] => {
            let length = digits.iter().take(3).take_while(|byte| byte.is_ascii_digit()).count();
            char(code(&digits[..length], 10).filter(|_| digits.get(length) == Some(&b';'))?, length + 3)
        }
        [b'&', ..] => {
            let (name, byte) = NAMED.iter().find(|(name, _)| rest.starts_with(name.as_bytes()))?;
            char(*byte, name.len())
        }
        _ => None,
    }
}

/// Blanks, and what colours a terminal's text, up to here.
fn gap(text: &[u8], from: usize, level: usize) -> usize {
    let mut at = from + run(text, from, level, is_blank).1;
    while let Some(codes) = text.get(at..).and_then(|rest| rest.strip_prefix(b"\x1b[")) {
        let length = codes.iter().take(AHEAD).take_while(|byte| byte.is_ascii_digit() || **byte == b';').count();
        if codes.get(length) != Some(&b'm') {
            break;
        }
        at += length + 3;
        at += run(text, at, level, is_blank).1;
    }
    at
}

/// How many characters of a kind stand there, eight at the most, and their length.
fn run(text: &[u8], at: usize, level: usize, is: fn(u8) -> bool) -> (usize, usize) {
    let (mut count, mut length) = (0, 0);
    while let Some(char) = char_at(text, at + length).filter(|char| char.level <= level && is(char.byte) && count < 8) {
        count += 1;
        length += char.length;
    }
    (count, length)
}

/// What encodes a character, but for the sign itself: a name behind `%26` does not begin with `26`, nor one behind `\x22` with
/// `x22`.
fn code_before(text: &[u8], start: usize, end: usize) -> usize {
    let Some(sign) = start.checked_sub(1).filter(|at| matches!(text[*at], b'%' | b'\\')) else { return 0 };
    char_at(&text[..end], sign).map_or(0, |char| char.length - 1)
}

/// What is given under the name that this word is part of.
fn named(text: &[u8], start: usize, end: usize, last: bool, tokens: Tokens<'_>, ends: &mut Ends) -> Look {
    let before = text[..start].iter().rev().take(MAX_NAME).take_while(|byte| is_name(**byte)).count();
    let behind = text[end..].iter().take(MAX_NAME).take_while(|byte| is_name(**byte)).count();
    let name = start - before..end + behind;
    if !last && name.end == text.len() {
        return Look::Open;
    }
    let name = name.start + code_before(text, name.start, start)..name.end;
    let certainty = certainty(&text[name.clone()]);
    if certainty == Certainty::No {
        return Look::No;
    }
    let (reached, found) = assigned(text, &name, certainty);
    if !last && text.len() < reached + AHEAD {
        return Look::Open;
    }
    let Some(found) = found else { return Look::No };
    let Some((value, cut)) = found.range(text, last, ends) else { return Look::Open };
    if value.end > tokens.until {
        return Look::Open;
    }
    let Some(value) = before_key(text, value, last) else { return Look::Open };
    let hides = |part: &[u8]| match certainty {
        _ if found.doubtful && !(part.len() >= VERY_RANDOM && is_random(part)) => false,
        Certainty::Certain => !is_harmless(&text[name.clone()], part),
        Certainty::Likely => part.len() >= VERY_RANDOM && is_random(part),
        Certainty::Header => is_random(part) || is_basic(part),
        Certainty::No => false,
    };
    // No part looks drawn at random when the whole does not.
    if (found.doubtful || certainty != Certainty::Certain) && !hides(&text[value.clone()]) {
        return Look::No;
    }
    let kind = if certainty == Certainty::Header { Kind::Header } else { Kind::Named };
    secret(kind, text, value, found.quote.is_some(), cut, tokens, hides)
}

/// What of a value is secret beside its tokens, and beside what stands in place of something: where one part is, every one,
/// so that no name within it is left to be found the next time. A value without quotes that begins with a token or a marker
/// is that, and ends with it.
fn secret(
    kind: Kind,
    text: &[u8],
    value: Range<usize>,
    quoted: bool,
    cut: bool,
    tokens: Tokens<'_>,
    hides: impl Fn(&[u8]) -> bool,
) -> Look {
    let first = tokens.hits.partition_point(|hit| hit.span.end <= value.start);
    let within = tokens.hits[first..].iter().take_while(|hit| hit.span.start < value.end);
    let mut hits = within.map(|hit| hit.span.clone()).peekable();
    let mark_behind = |at: usize| {
        let found = memchr::memmem::find(text.get(at..value.end)?, super::MARK.as_bytes())?;
        Some(at + found..at + found + marker::length(&text[at + found..value.end]))
    };
    let mut mark = mark_behind(value.start);
    let (mut parts, mut hidden, mut at, mut known) = (Vec::new(), false, value.start, 0);
    loop {
        let next = match (hits.peek(), &mark) {
            (Some(hit), Some(mark)) if mark.start < hit.start => Some(mark.clone()),
            (Some(_), _) => hits.next(),
            (None, mark) => mark.clone(),
        };
        let gap = at..next.as_ref().map_or(value.end, |next| next.start.max(at));
        let part = match (known, &next) {
            (0, None) => gap,
            _ => without_signs(text, gap, known > 0, next.is_some()),
        };
        let empty = part.is_empty();
        if !empty {
            hidden |= hides(&text[part.clone()]);
            parts.push(part);
        }
        let Some(next) = next else { break };
        known += 1;
        at = next.end.max(at);
        if mark.as_ref().is_some_and(|mark| mark.start < at) {
            mark = mark_behind(at);
        }
        let goes_on = text[..value.end].get(at).is_some_and(u8::is_ascii_alphanumeric);
        if known >= MAX_KNOWN || (known == 1 && empty && !quoted && !goes_on) {
            break;
        }
    }
    match parts.last().map(|part| part.end).filter(|_| hidden) {
        None => Look::No,
        Some(end) => Look::Secret(Secret { kind, parts, end, cut: cut && end == value.end }),
    }
}

/// A stretch beside a token or a marker, without the signs that separate them.
fn without_signs(text: &[u8], part: Range<usize>, front: bool, back: bool) -> Range<usize> {
    let Range { mut start, mut end } = part;
    while front && let Some(char) = char_at(&text[..end], start).filter(|char| !char.byte.is_ascii_alphanumeric()) {
        start += char.length;
    }
    while back && start < end {
        let sign = [5, 3, 1].into_iter().find(|length| {
            let char = (end - start).checked_sub(*length).and_then(|_| char_at(&text[..end], end - length));
            char.is_some_and(|char| char.length == *length && !char.byte.is_ascii_alphanumeric())
        });
        let Some(length) = sign else { break };
        end -= length;
    }
    start..end
}

/// Where a value begins, and how it ends.
struct Value {
    start: usize,
    /// Without one it ends with the word.
    quote: Option<Quote>,
    /// How often its sign is percent-encoded.
    level: usize,
    /// Prose may stand here, so that only what looks random counts.
    doubtful: bool,
}

/// What closes a value.
#[derive(Clone, Copy)]
struct Quote {
    mark: u8,
    escapes: usize,
    /// How often it is percent-encoded.
    level: usize,
}

/// The value behind a name: `name=value`, `"name": "value"`, `"name": ["value"]`, `<name>value<`, `--name value`,
/// `("name", "value")`, `"name": "NAME", "value": "…"`, and how far it was looked.
fn assigned(text: &[u8], name: &Range<usize>, certainty: Certainty) -> (usize, Option<Value>) {
    let rest = &text[name.end..];
    let before = &text[..name.start];
    if before.ends_with(b"<") && rest.first() == Some(&b'>') {
        let quote = Some(Quote { mark: b'<', escapes: 0, level: 0 });
        return (name.end + 1, Some(Value { start: name.end + 1, quote, level: 0, doubtful: false }));
    }
    let option = text[name.clone()].starts_with(b"--") || before.ends_with(b"--");
    if option && rest.first() == Some(&b' ') && rest.get(1).is_some_and(|byte| !matches!(byte, b'-' | b' ')) {
        let value = value_at(text, name.end + 1, 0);
        return (value.start, Some(value));
    }
    if certainty == Certainty::Certain
        && rest.first().is_some_and(|byte| is_blank(*byte))
        && is_login(before, &text[name.clone()])
    {
        let value = value_at(text, gap(text, name.end, 0), 0);
        return (value.start, Some(value));
    }
    let (_, escapes) = run(text, name.end, 2, |byte| byte == b'\\');
    let quote = char_at(text, name.end + escapes).filter(|char| matches!(char.byte, b'"' | b'\''));
    let mut at = name.end + quote.map_or(0, |quote| escapes + quote.length);
    // PHP: `[name] => value`.
    at += usize::from(quote.is_none() && before.ends_with(b"[") && rest.first() == Some(&b']'));
    at = gap(text, at, 2);
    let Some(sign) = char_at(text, at).filter(|char| matches!(char.byte, b'=' | b':')) else {
        return beside(text, name, at, quote.is_some());
    };
    at += sign.length;
    let colon = sign.byte == b':';
    match char_at(text, at).filter(|_| !colon) {
        // A comparison.
        Some(Char { byte: b'=', .. }) => return (at, None),
        Some(Char { byte: b'>', length, .. }) => at += length,
        _ => {}
    }
    let level = if sign.level == ESCAPED { 0 } else { sign.level };
    at = gap(text, at, level);
    // YAML: a text on the following lines.
    if colon
        && quote.is_none()
        && let Some(length) = block(&text[at..])
    {
        return (at + length, Some(value_at(text, at + length, 0)));
    }
    if let Some(bracket) = char_at(text, at).filter(|char| char.byte == b'[' && char.level <= level) {
        // Go: `[]string{"value"}`.
        let of_go = if text[at..].starts_with(b"[]string{") { 9 } else { bracket.length };
        at = gap(text, at + of_go, level);
    }
    let mut value = value_at(text, at, level);
    let reached = value.start;
    value.start += scheme(text, value.start);
    // `password: abc` is a setting when nothing else stands in its line, and may be prose elsewhere.
    let alone = is_alone(before);
    value.doubtful = colon && quote.is_none() && value.quote.is_none() && certainty == Certainty::Certain && !alone;
    (reached, Some(value))
}

/// The bytes before a text of YAML that stands on the lines behind `|` or `>`; `None` when there is no such sign.
fn block(text: &[u8]) -> Option<usize> {
    let indicators = text.strip_prefix(b"|").or(text.strip_prefix(b">"))?;
    let length = indicators.iter().take(2).take_while(|byte| b"+-123456789".contains(byte)).count();
    let rest = indicators[length..].strip_prefix(b"\r").unwrap_or(&indicators[length..]);
    let indent = rest.strip_prefix(b"\n")?.iter().take(MAX_NAME).take_while(|byte| is_blank(**byte)).count();
    (indent > 0).then(|| text.len() - rest.len() + 1 + indent)
}

/// The value of a name that no sign follows, but a comma, a line break or a blank: the other member of a tuple, or that of a
/// pair whose members are called name and value.
fn beside(text: &[u8], name: &Range<usize>, at: usize, quoted: bool) -> (usize, Option<Value>) {
    /// Blanks and line breaks that are looked at.
    const WIDEST: usize = 64;
    let rest = &text[at..];
    let comma = usize::from(rest.first() == Some(&b','));
    if quoted && comma > 0 {
        let before = &text[..name.start.saturating_sub(1)];
        let prefix = before.iter().rev().take(2).take_while(|byte| b"bBuUrR".contains(byte)).count();
        if before[..before.len() - prefix].ends_with(b"(") {
            let value = value_at(text, gap(text, at + comma, 0), 0);
            let (start, reached) = (value.start + scheme(text, value.start), value.start);
            return (reached, Some(Value { start, doubtful: true, ..value }));
        }
    }
    let blanks = rest[comma..].iter().take(WIDEST).take_while(|byte| byte.is_ascii_whitespace()).count();
    let at = at + comma + blanks;
    let rest = text[at..].strip_prefix(b"\"").unwrap_or(&text[at..]);
    let Some(rest) = rest.strip_prefix(b"value") else { return (at, None) };
    let rest = rest.strip_prefix(b"\"").unwrap_or(rest);
    let blanks = rest.iter().take(AHEAD / 4).take_while(|byte| is_blank(**byte)).count();
    match rest.get(blanks) {
        Some(b':' | b'=') => {
            let value = value_at(text, gap(text, text.len() - rest.len() + blanks + 1, 0), 0);
            (value.start, Some(value))
        }
        _ => (at, None),
    }
}

/// Is it the password of a `.netrc`: `machine … login … password …`?
fn is_login(before: &[u8], name: &[u8]) -> bool {
    /// What stands further away is not looked at.
    const REACH: usize = 512;
    let before = &before[before.len().saturating_sub(REACH)..];
    let mut words = before.rsplit(u8::is_ascii_whitespace).filter(|word| !word.is_empty()).skip(1);
    let login = name == b"password" && words.next() == Some(b"login");
    login && (words.next() == Some(b"default") || words.next() == Some(b"machine"))
}

/// Does a line begin here, but for blanks, the dash of a list, and the name of a journal's field (`MESSAGE=`)?
fn is_alone(before: &[u8]) -> bool {
    /// What is indented further is not looked at.
    const INDENT: usize = 1024;
    let lead = before.iter().rev().take(INDENT).take_while(|byte| matches!(byte, b' ' | b'\t' | b'-')).count();
    let before = &before[..before.len() - lead];
    match before.strip_suffix(b"=") {
        None => before.last().is_none_or(|byte| *byte == b'\n'),
        Some(before) => {
            let in_field = |byte: &&u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || **byte == b'_';
            let field = before.iter().rev().take(MAX_NAME).take_while(in_field).count();
            field > 0 && before[..before.len() - field].last().is_none_or(|byte| *byte == b'\n')
        }
    }
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// The length of `Bearer ` and the like, however its blank is written; 0 when there is none.
fn scheme(text: &[u8], at: usize) -> usize {
    let rest = &text[at..];
    let begins = |word: &&&str| rest.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word.as_bytes()));
    let Some(word) = SCHEMES.iter().find(begins) else { return 0 };
    let blank = BLANKS.iter().find(|blank| rest[word.len()..].starts_with(blank.as_bytes()));
    blank.map_or(0, |blank| word.len() + blank.len())
}

/// The value that begins here, behind a sign that is so often percent-encoded.
fn value_at(text: &[u8], at: usize, level: usize) -> Value {
    // Python: `b'…'`, `u'…'`, `rb'…'`.
    let prefix = text[at..].iter().take(2).take_while(|byte| b"bBuUrRfF".contains(byte)).count();
    let (escapes, length) = run(text, at + prefix, level, |byte| byte == b'\\');
    let quote = char_at(text, at + prefix + length);
    let is_level = |char: &Char| char.level <= level || char.level == ESCAPED;
    match quote.filter(|char| is_level(char) && matches!(char.byte, b'"' | b'\'')) {
        Some(Char { byte: mark, length: closing, level: own }) => {
            let quote = Some(Quote { mark, escapes, level: own });
            Value { start: at + prefix + length + closing, quote, level, doubtful: false }
        }
        None => Value { start: at, quote: None, level, doubtful: false },
    }
}

/// Where words were found not to end, by how often the sign before them is encoded: a name in the value of another ends
/// where that does, and nothing is looked at twice.
#[derive(Default)]
struct Ends([Range<usize>; 3]);

impl Ends {
    /// The end of the word that begins here, `limit` at the most; `None` when the text ends before it is certain.
    fn of(&mut self, text: &[u8], start: usize, level: usize, limit: usize, last: bool) -> Option<usize> {
        let known = &mut self.0[level];
        if !(known.start..=known.end).contains(&start) {
            *known = start..start;
        }
        while known.end < limit && !ends(text, known.end, level, last)? {
            known.end += 1;
        }
        Some(known.end.min(limit))
    }
}

/// The end of a string in C stands between the variables of a process's environment.
fn ends_word(byte: u8) -> bool {
    byte.is_ascii_whitespace() || b"&\"'\\<>`\0".contains(&byte)
}

/// Does a word end here whose sign is so often encoded? A password may hold a comma, and what is encoded: such signs end it
/// where another name stands behind, and `&` does where it is encoded no more often than the sign was. `None` when the text
/// ends before it is certain.
fn ends(text: &[u8], at: usize, level: usize, last: bool) -> Option<bool> {
    let byte = text[at];
    if ends_word(byte) || !b",;|%".contains(&byte) {
        return Some(ends_word(byte));
    }
    if byte == b'%' && !last && text.len() - at < 5 {
        return None;
    }
    let Some(sign) = char_at(text, at).filter(|char| b",;|&".contains(&char.byte)) else { return Some(false) };
    if sign.byte == b'&' && sign.level <= level {
        return Some(true);
    }
    let is_quote = |byte: u8| matches!(byte, b'"' | b'\'');
    let mut at = at + sign.length;
    at += run(text, at, 2, is_blank).1;
    at += run(text, at, 2, is_quote).1;
    let length = text[at..].iter().take(MAX_NAME).take_while(|byte| is_name(**byte)).count();
    let name = at..at + length;
    at += length + run(text, name.end, 2, is_quote).1;
    let assigns = char_at(text, at).is_some_and(|char| matches!(char.byte, b'=' | b':'));
    match !last && text.len() < at + 5 {
        true => None,
        false => Some(assigns && is_known(&text[name])),
    }
}

impl Value {
    /// Its bytes, and whether it was cut for its length; `None` when the text ends before it does.
    fn range(&self, text: &[u8], last: bool, ends: &mut Ends) -> Option<(Range<usize>, bool)> {
        let longest = self.start + MAX_VALUE;
        let limit = text.len().min(longest);
        let end = match self.quote {
            Some(quote) => quote.end(text, self.start, limit),
            None => ends.of(text, self.start, self.level, limit, last)?,
        };
        // What stands behind a closing quote says whether it is that.
        let ahead = |quote: Quote| if quote.closes(text, end) { AHEAD } else { 2 * quote.level };
        if end + self.quote.map_or(0, ahead) >= text.len() && !last {
            return None;
        }
        let end = end.min(limit);
        let closing = match self.quote {
            Some(quote) if quote.closes(text, end) => quote.escapes_before(text, self.start..end),
            Some(_) => 0,
            None => text[self.start..end].iter().rev().take(64).take_while(|byte| b",;)]}".contains(byte)).count(),
        };
        Some((self.start..end.saturating_sub(closing).max(self.start), end == longest))
    }
}

impl Quote {
    fn closes(self, text: &[u8], at: usize) -> bool {
        char_at(text, at).is_some_and(|char| char.level == self.level && char.byte == self.mark)
    }

    /// Bytes of the escapes that belong to the closing quote behind a value: inside an escaped text it has its own.
    fn escapes_before(self, text: &[u8], value: Range<usize>) -> usize {
        let length = if self.level == ESCAPED { r"\x5c".len() } else { 1 + 2 * self.level };
        let is_escape = |at: usize| {
            at >= value.start && char_at(text, at).is_some_and(|char| char.byte == b'\\' && char.length == length)
        };
        let escapes = 1..=self.escapes;
        length * escapes.take_while(|count| value.end.checked_sub(count * length).is_some_and(is_escape)).count()
    }

    /// Where the value that begins here ends; beyond the limit it is not looked for.
    fn end(self, text: &[u8], start: usize, limit: usize) -> usize {
        let (mut at, mut opened) = (start, 0);
        while at < limit {
            let byte = text[at];
            let char = if self.level == 0 { None } else { char_at(text, at) };
            let char = char.unwrap_or(Char { byte, length: 1, level: 0 });
            // What is encoded holds no such sign.
            if byte == b'\n' || (char.level != self.level && ends_word(byte)) {
                break;
            }
            match char.level == self.level {
                true if char.byte == self.mark
                    && opened < MAX_OPENED
                    && is_of_another(&text[start..at], text.get(at + char.length..).unwrap_or_default()) =>
                {
                    opened += 1;
                    at += char.length;
                }
                true if char.byte == self.mark => break,
                // What is escaped does not close it.
                true if char.byte == b'\\' && self.escapes == 0 => {
                    let next =
                        if self.level == 0 { Some(1) } else { char_at(text, at + char.length).map(|next| next.length) };
                    at += char.length + next.unwrap_or(1);
                }
                _ => at += char.length,
            }
        }
        at
    }
}

/// Does a quote between these close the name of another secret, or open its value? What stands before was cut off then, with
/// its closing quote.
fn is_of_another(before: &[u8], behind: &[u8]) -> bool {
    let names = |before: &[u8]| {
        let name = before.iter().rev().take(MAX_NAME).take_while(|byte| is_name(**byte)).count();
        certainty(&before[before.len() - name..]) != Certainty::No
    };
    let blanks = behind.iter().take(AHEAD / 2).take_while(|byte| is_blank(**byte)).count();
    if matches!(behind.get(blanks), Some(b'=' | b':')) {
        return names(before);
    }
    let Some((b'=' | b':', before)) = before.trim_ascii_end().split_last() else { return false };
    let before = before.trim_ascii_end();
    names(before.strip_suffix(b"\"").or(before.strip_suffix(b"'")).unwrap_or(before))
}

/// True for what hides nothing: words and signs in place of a secret, variables, lifetimes and paths.
fn is_harmless(name: &[u8], value: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(value) else { return value.is_empty() };
    let bare = text.trim_matches(|c: char| !c.is_ascii_alphanumeric());
    let variable = text.strip_prefix('$').is_some_and(|variable| match variable.strip_prefix('{') {
        // What stands in for one that is not set is as secret.
        Some(braced) => match braced.rfind(":-").max(braced.rfind(":=")) {
            Some(at) => is_harmless(name, &braced.as_bytes()[at + 2..]),
            None => true,
        },
        None => {
            let in_name = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
            variable.starts_with('(') || variable.bytes().all(in_name)
        }
    });
    let template =
        ["{{", "{%", "%(", "<"].iter().any(|start| text.starts_with(start)) || matches!(text, "%s" | "{}" | "%v");
    let is_path_byte = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"/._-".contains(&byte);
    let path = text.starts_with('/') && text[1..].contains('/') && text.bytes().all(is_path_byte);
    let one = text.bytes().next().is_none_or(|first| text.bytes().all(|byte| byte == first));
    bare.is_empty()
        || one
        || variable
        || template
        || path
        || NO_SECRETS.iter().chain(&TAKEN_AWAY).any(|word| bare.eq_ignore_ascii_case(word))
        || std::str::from_utf8(name).is_ok_and(|name| mask::is_token_lifetime(name, text))
}

/// Letters with digits among them, or of both cases for long enough: no word of a language. What encodes a sign is neither.
fn is_random(value: &[u8]) -> bool {
    let telling = &value[..value.len().min(TELLING)];
    let (mut decoded, mut at) = (Vec::with_capacity(telling.len()), 0);
    while let Some(char) = char_at(telling, at) {
        decoded.push(char.byte);
        at += char.length;
    }
    let has = |is: fn(&u8) -> bool| decoded.iter().any(is);
    let letters = has(u8::is_ascii_alphabetic);
    let mixed = has(u8::is_ascii_uppercase) && has(u8::is_ascii_lowercase) && value.len() >= 3 * RANDOM;
    value.len() >= RANDOM && ((letters && has(u8::is_ascii_digit)) || mixed) && !is_harmless(b"", value)
}

/// A name and a password in base64.
fn is_basic(value: &[u8]) -> bool {
    /// Longer ones are not looked at to their end; four characters are three bytes.
    const LONGEST: usize = 4 * TELLING;
    let value = &value[..value.len().min(LONGEST)];
    let end = value.iter().position(|byte| matches!(byte, b'=' | b'%')).unwrap_or(value.len());
    let decoded = base64::engine::general_purpose::STANDARD_NO_PAD.decode(&value[..end]);
    decoded
        .is_ok_and(|pair| pair.contains(&b':') && pair.iter().all(|byte| !byte.is_ascii_control()) && pair.is_ascii())
}

/// What stands before in the same line, as far as the header or the command may begin there.
fn line_before(text: &[u8], at: usize) -> &[u8] {
    /// In bytes.
    const REACH: usize = 1024;
    let before = &text[at.saturating_sub(REACH)..at];
    &before[memchr::memrchr(b'\n', before).map_or(0, |at| at + 1)..]
}

/// The response of a `Digest` header, by which a password can be guessed; its other members name the user and the request.
fn digest(text: &[u8], word: Range<usize>, last: bool, tokens: Tokens<'_>, ends: &mut Ends) -> Look {
    let line = line_before(text, word.start);
    let begins = |word: &[u8]| memchr::memmem::find(line, word).is_some();
    if line.last().is_some_and(|byte| is_name(*byte)) || !(begins(b"Digest ") || begins(b"digest ")) {
        return Look::No;
    }
    if !last && text.len() < word.end + AHEAD {
        return Look::Open;
    }
    let value = value_at(text, word.end, 0);
    let Some((span, cut)) = value.range(text, last, ends) else { return Look::Open };
    if span.end > tokens.until {
        return Look::Open;
    }
    let hides = |part: &[u8]| part.len() >= VERY_RANDOM && is_random(part);
    secret(Kind::Header, text, span, value.quote.is_some(), cut, tokens, hides)
}

/// A private key, whatever looks like a token in it.
fn key(span: Range<usize>) -> Look {
    let (end, cut) = (span.end, span.len() >= MAX_VALUE);
    Look::Secret(Secret { kind: Kind::PrivateKey, parts: vec![span], end, cut })
}

/// What every line before or behind a key or a certificate begins with.
const DASHES: &[u8] = b"-----";

/// The label behind `-----BEGIN`, with the blank before it, when it is that of a private key; an error when the text ends before
/// that is certain.
fn key_label(text: &[u8], at: usize, last: bool) -> Result<Option<&[u8]>, ()> {
    /// The longest is ` ENCRYPTED PRIVATE KEY`, with its blanks encoded and the dashes.
    const LONGEST: usize = 40;
    let label = &text[at.min(text.len())..text.len().min(at + LONGEST)];
    let Some(end) = memchr::memmem::find(label, DASHES) else {
        return if !last && label.len() < LONGEST { Err(()) } else { Ok(None) };
    };
    let label = &label[..end];
    let of_key = [" PRIVATE KEY", "%20PRIVATE%20KEY", "+PRIVATE+KEY"].iter().any(|key| label.ends_with(key.as_bytes()));
    Ok(Some(label).filter(|label| of_key && !label[0].is_ascii_alphanumeric()))
}

/// A value without the private key whose first line it ends with: the key is found by itself. `None` when the text ends before
/// that is certain.
fn before_key(text: &[u8], value: Range<usize>, last: bool) -> Option<Range<usize>> {
    /// Bytes of the end of a value among which that line is looked for.
    const LINE: usize = 64;
    let tail = value.start.max(value.end.saturating_sub(LINE));
    let Some(at) = memchr::memmem::rfind(&text[tail..value.end], BEGIN.as_bytes()) else { return Some(value) };
    let key = tail + at;
    let label = key_label(text, key + BEGIN.len(), last).ok()?;
    Some(if label.is_some() { value.start..key } else { value })
}

/// What stands between the lines that open and close a private key.
fn private_key(text: &[u8], end: usize, last: bool) -> Look {
    let label = match key_label(text, end, last) {
        Ok(Some(label)) => label,
        Ok(None) => return Look::No,
        Err(()) => return Look::Open,
    };
    let start = end + label.len() + DASHES.len();
    let window = &text[start..text.len().min(start + MAX_VALUE)];
    let is_border = |at: &usize| {
        let word = &window[at + DASHES.len()..];
        word.starts_with(b"BEGIN") || word.starts_with(b"END")
    };
    let border = memchr::memmem::find_iter(window, DASHES).find(is_border);
    if border.is_none() && !last && window.len() < MAX_VALUE {
        return Look::Open;
    }
    let body = &window[..border.unwrap_or(window.len())];
    if body.trim_ascii_start().starts_with(super::MARK.as_bytes()) {
        return Look::No;
    }
    let closes = window[body.len()..].strip_prefix(b"-----END").is_some_and(|rest| rest.starts_with(label));
    let length = if closes && is_key_text(body) { body.len() } else { key_lines(body) };
    if length == 0 { Look::No } else { key(start..start + length) }
}

/// Base64, and what line breaks in it may be written with.
fn in_key(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"+/=\\%".contains(&byte)
}

/// Characters of base64 that no word has in a row.
const KEY_LINE: usize = 40;

/// Is most of it base64, or is it too short to tell? A line may only speak of a key, and another one of its end.
fn is_key_text(body: &[u8]) -> bool {
    /// A shorter text is a key when it has letters enough.
    const SHORT: usize = 128;
    let runs = body.split(|byte| !in_key(*byte)).map(<[u8]>::len);
    let long: usize = runs.filter(|run| *run >= KEY_LINE).sum();
    let letters = body.iter().filter(|byte| byte.is_ascii_alphanumeric()).count();
    letters >= VERY_RANDOM && (body.len() <= SHORT || long * 4 >= body.len())
}

/// How far a key goes that was cut off: as long as its lines follow each other, each in the same place of its line.
fn key_lines(body: &[u8]) -> usize {
    // Between two pieces of one line: a blank, or a line break that is written as `\n` and so part of a piece.
    let piece = |text: &[u8]| text.iter().take_while(|byte| in_key(**byte)).count();
    let (mut end, mut at, mut column) = (0, 0, None);
    for (number, line) in body.split_inclusive(|byte| *byte == b'\n').enumerate() {
        let start = at;
        at += line.len();
        let line = line.trim_ascii_end();
        if number == 0 {
            // Behind the line that opens it, all of it may stand in one line.
            let mut from = line.len() - line.trim_ascii_start().len();
            while let length @ VERY_RANDOM.. = piece(&line[from..]) {
                end = from + length;
                from = line.len().min(end + 1);
            }
            let is_prose = end == 0 && line.trim_ascii_start().first().is_some_and(u8::is_ascii_alphanumeric);
            if is_prose || (end > 0 && end < line.len()) {
                break;
            }
            continue;
        }
        let least = |column: usize| if column == 0 { VERY_RANDOM } else { KEY_LINE };
        let first = || {
            let mut from = 0;
            while from < line.len() {
                match piece(&line[from..]) {
                    length if length >= least(from) => return Some(from),
                    length => from += length + 1,
                }
            }
            None
        };
        let Some(from) = column.or_else(first) else {
            let heads =
                [&b"Proc-Type:"[..], b"DEK-Info:"].iter().any(|head| memchr::memmem::find(line, head).is_some());
            if heads || line.is_empty() {
                continue;
            }
            break;
        };
        let rest = line.get(from..).unwrap_or_default();
        let length = piece(rest);
        // The last line is shorter, and no word of a sentence.
        let is_last = length < least(from);
        if length == 0 || (is_last && rest.get(length).is_some_and(|byte| !b"\"'<".contains(byte))) {
            break;
        }
        (end, column) = (start + from + length, Some(from));
        if is_last {
            break;
        }
    }
    end
}

/// A private member of a JSON Web Key, whose name stands from `start` to `end` with its quotes: base64url in an object that
/// has a `kty`.
fn key_member(text: &[u8], start: usize, end: usize, last: bool) -> Look {
    // Sign, quotes and blanks stand close together.
    if !last && text.len() - end < 32 {
        return Look::Open;
    }
    let blanks = |at: usize| run(text, at, 0, is_blank).1;
    let at = end + blanks(end);
    if text.get(at) != Some(&b':') {
        return Look::No;
    }
    let at = at + 1 + blanks(at + 1);
    let span = if text.get(at) == Some(&b'[') {
        // The further primes of `oth`, objects without brackets in them.
        let window = &text[at..text.len().min(at + MAX_VALUE)];
        match memchr::memchr(b']', window) {
            Some(length) => at + 1..at + length,
            None if !last && window.len() < MAX_VALUE => return Look::Open,
            None => return Look::No,
        }
    } else {
        let value = value_at(text, at, 0);
        if value.quote.is_none() {
            return Look::No;
        }
        let Some((span, _)) = value.range(text, last, &mut Ends::default()) else { return Look::Open };
        let is_base64url = text[span.clone()].iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_=".contains(byte));
        if !is_base64url {
            return Look::No;
        }
        span
    };
    let value = &text[span.clone()];
    if value.len() < VERY_RANDOM || memchr::memmem::find(value, super::MARK.as_bytes()).is_some() {
        return Look::No;
    }
    match is_in_key(text, start, span.end, last) {
        Some(true) => key(span),
        Some(false) => Look::No,
        None => Look::Open,
    }
}

/// Is what stands from `start` to `end` part of an object with a `kty`? `None` when the text ends before that is certain.
fn is_in_key(text: &[u8], start: usize, end: usize, last: bool) -> Option<bool> {
    let names_type = |part: &[u8]| memchr::memmem::find(part, b"kty").is_some();
    let before = &text[start.saturating_sub(KEY_REACH)..start];
    let mut depth = 0;
    let mut opened = None;
    for at in memchr::memrchr2_iter(b'{', b'}', before).take(KEY_BRACES) {
        match (before[at], depth) {
            (b'{', 0) => {
                opened = Some(at);
                break;
            }
            (b'{', _) => depth -= 1,
            _ => depth += 1,
        }
    }
    let Some(opened) = opened else { return Some(false) };
    if names_type(&before[opened..]) {
        return Some(true);
    }
    let behind = &text[end..text.len().min(end + KEY_REACH)];
    let mut depth = 0;
    for at in memchr::memchr2_iter(b'{', b'}', behind).take(KEY_BRACES) {
        match (behind[at], depth) {
            (b'}', 0) => return Some(names_type(&behind[..at])),
            (b'}', _) => depth -= 1,
            _ => depth += 1,
        }
    }
    if behind.len() < KEY_REACH && !last { None } else { Some(names_type(behind)) }
}

/// `://user:password@host`, whose signs are so often percent-encoded.
fn url(text: &[u8], start: usize, level: usize, last: bool, tokens: Tokens<'_>) -> Look {
    const LONGEST: usize = 1024;
    /// Of a password behind a sign that ends a host.
    const BEYOND: usize = 64;
    let (mut at, mut password, mut end, mut beyond) = (start, None, None, false);
    let mut limit = start + LONGEST;
    loop {
        if !last && text.len() < limit && text.len() - at.min(text.len()) < 1 + 2 * level {
            return Look::Open;
        }
        let Some(char) = percent::char_at(&text[..limit.min(text.len())], at, level) else { break };
        if char.level == 0 && (ends_word(char.byte) && (level > 0 || char.byte != b'&')) {
            break;
        }
        match char.byte {
            _ if char.level != level => {}
            b':' if password.is_none() => password = Some(at + char.length),
            b'@' if password.is_none() => break,
            b'@' => {
                end = Some(at);
                if beyond {
                    break;
                }
            }
            // Here the host ends, unless what stood there can be no port: a password may hold such a sign.
            b'/' | b'?' | b'#' if !beyond => {
                let port = password.filter(|_| end.is_none()).map(|from| &text[from..at]);
                if port.is_none_or(|port| port.iter().all(u8::is_ascii_digit)) || text[start] == b'[' {
                    break;
                }
                (beyond, limit) = (true, limit.min(at + BEYOND));
            }
            _ => {}
        }
        at += char.length;
    }
    let (Some(start), Some(end)) = (password, end) else { return Look::No };
    let password = &text[start..end];
    // `host:443,user@…` and `host:443&mail=a@b` have a port there.
    let digits = password.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let port = digits > 0 && matches!(password.get(digits), Some(b',' | b'&' | b';' | b')' | b']'));
    if port {
        return Look::No;
    }
    if end > tokens.until {
        return Look::Open;
    }
    secret(Kind::Url, text, start..end, true, false, tokens, |part| !is_harmless(b"", part))
}

/// `curl -u user:password`; another option with such a name is one of those that name their secret.
fn user(text: &[u8], option: Range<usize>, last: bool, tokens: Tokens<'_>, ends: &mut Ends) -> Look {
    if !last && text.len() < option.end + AHEAD {
        return Look::Open;
    }
    let start = match text.get(option.end) {
        _ if text[option.clone()].ends_with(b" ") => option.end,
        Some(b' ' | b'=') => option.end + 1,
        _ => return named(text, option.start, option.end, last, tokens, ends),
    };
    if memchr::memmem::find(line_before(text, option.start), b"curl").is_none() {
        return Look::No;
    }
    let value = value_at(text, start, 0);
    let Some((span, cut)) = value.range(text, last, ends) else { return Look::Open };
    if span.end > tokens.until {
        return Look::Open;
    }
    let Some(colon) = memchr::memchr(b':', &text[span.clone()]) else { return Look::No };
    let password = span.start + colon + 1..span.end;
    secret(Kind::Named, text, password, value.quote.is_some(), cut, tokens, |part| !is_harmless(b"", part))
}
