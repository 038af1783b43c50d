//! Secrets that are no tokens, in text of any kind: client secrets and passwords by the names they are given under,
//! credentials of headers, private keys, passwords of URLs.
//!
//! What [`crate::source::mask`] hides in a snippet nobody misses. A log is kept and read, so less is taken for a secret
//! here: the name says so beyond doubt, or the value looks drawn at random.

use crate::source::mask;
use aho_corasick::{AhoCorasick, AhoCorasickBuilder, Input, MatchKind};
use base64::Engine as _;
use std::ops::Range;

/// Longest value, in bytes (64 KiB); what goes on beyond is cut there.
pub const MAX_VALUE: usize = 64 << 10;
/// Longest name, in bytes.
const MAX_NAME: usize = 64;
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
    /// Its bytes, without the name and the quotes.
    pub span: Range<usize>,
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

/// Words that stand in the names of secrets, in the spellings that are used; last the private members of JSON Web Keys as
/// they stand in JSON, in JSON within JSON, and in Python.
const WORDS: [&str; 57] = [
    "secret",
    "Secret",
    "SECRET",
    "passw",
    "Passw",
    "PASSW",
    "passphr",
    "Passphr",
    "PASSPHR",
    "token",
    "Token",
    "TOKEN",
    "apikey",
    "apiKey",
    "ApiKey",
    "APIKEY",
    "api_key",
    "API_KEY",
    "api-key",
    "Api-Key",
    "API-Key",
    "ssertion",
    "SSERTION",
    "authz",
    "AUTHZ",
    "uthorization",
    "UTHORIZATION",
    "private_key",
    "PRIVATE_KEY",
    "privateKey",
    "device_code",
    "-----BEGIN ",
    "://",
    "\"d\"",
    "\"p\"",
    "\"q\"",
    "\"dp\"",
    "\"dq\"",
    "\"qi\"",
    "\"k\"",
    "\"oth\"",
    "\"d\\\"",
    "\"p\\\"",
    "\"q\\\"",
    "\"dp\\\"",
    "\"dq\\\"",
    "\"qi\\\"",
    "\"k\\\"",
    "\"oth\\\"",
    "'d'",
    "'p'",
    "'q'",
    "'dp'",
    "'dq'",
    "'qi'",
    "'k'",
    "'oth'",
];
const PEM: usize = KEY - 2;
const URL: usize = KEY - 1;
/// The first of those of JSON Web Keys.
const KEY: usize = WORDS.len() - 24;
/// The longest word, in bytes.
const LONGEST_WORD: usize = "uthorization".len();

/// Names whose values are secrets, by how they end, without `-`, `_` and `.`.
const CERTAIN: [&str; 20] = [
    "password",
    "passwd",
    "passphrase",
    "secret",
    "secretkey",
    "apikey",
    "privatekey",
    "accesstoken",
    "refreshtoken",
    "idtoken",
    "registrationtoken",
    "subjecttoken",
    "actortoken",
    "bearertoken",
    "authtoken",
    "apitoken",
    "clientassertion",
    "idtokenhint",
    "devicecode",
    "secretaccesskey",
];
/// Names whose values may be something else.
const LIKELY: [&str; 4] = ["token", "authz", "assertion", "tokenvalue"];
/// What headers begin with, in front of the credentials.
const SCHEMES: [&str; 6] = ["bearer", "basic", "token", "digest", "negotiate", "ntlm"];
/// How blanks are written.
const BLANKS: [&str; 5] = [" ", "%2520", "%20", "+", "\t"];
/// Words in place of a secret.
const NO_SECRETS: [&str; 22] = [
    "redacted",
    "removed",
    "hidden",
    "masked",
    "omitted",
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
        let words = AhoCorasickBuilder::new().match_kind(MatchKind::LeftmostFirst).build(WORDS);
        words.map(|words| Secrets { words }).map_err(|error| error.to_string())
    }

    /// The first secret whose name is at or behind `from`. `last` says that nothing follows the text.
    pub fn next(&self, text: &[u8], from: usize, last: bool) -> Found {
        let mut at = from.min(text.len());
        while let Some(found) = self.words.find(Input::new(text).range(at..)) {
            let (start, end) = (found.start(), found.end());
            let look = match found.pattern().as_usize() {
                PEM => private_key(text, end, last),
                URL => url(text, end, last),
                KEY.. => key_member(text, start, end, last),
                _ => named(text, start, end, last),
            };
            match look {
                Look::Secret(secret) if secret.span.start >= from => return Found::Secret(secret),
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

/// How certain it is that what stands under a name is a secret.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Name {
    Certain,
    Likely,
    Header,
}

fn name_of(name: &[u8]) -> Option<Name> {
    if name.len() > MAX_NAME {
        return None;
    }
    let kept = name.iter().filter(|byte| !matches!(byte, b'-' | b'_' | b'.'));
    let folded: Vec<u8> = kept.map(u8::to_ascii_lowercase).collect();
    let ends = |names: &[&str]| names.iter().any(|name| folded.ends_with(name.as_bytes()));
    match () {
        () if ends(&["authorization"]) => Some(Name::Header),
        () if ends(&CERTAIN) => Some(Name::Certain),
        () if LIKELY.iter().any(|name| name.as_bytes() == folded) => Some(Name::Likely),
        () => None,
    }
}

/// What is given under the name that this word is part of.
fn named(text: &[u8], start: usize, end: usize, last: bool) -> Look {
    let before = text[..start].iter().rev().take(MAX_NAME).take_while(|byte| is_name(**byte)).count();
    let behind = text[end..].iter().take(MAX_NAME).take_while(|byte| is_name(**byte)).count();
    let name = start - before..end + behind;
    // Sign, quotes and blanks stand close together.
    if !last && text.len() - name.end < 32 {
        return Look::Open;
    }
    let Some(kind) = name_of(&text[name.clone()]) else { return Look::No };
    let Some(found) = assigned(text, &name, kind) else { return Look::No };
    let Some(value) = found.range(text, last) else { return Look::Open };
    let shown = &text[value.clone()];
    let certain = match kind {
        _ if found.doubtful && !(shown.len() >= VERY_RANDOM && is_random(shown)) => false,
        Name::Certain => !is_harmless(&text[name], shown),
        Name::Likely => shown.len() >= VERY_RANDOM && is_random(shown),
        Name::Header => is_random(shown) || is_basic(shown),
    };
    let kind = if kind == Name::Header { Kind::Header } else { Kind::Named };
    if certain { Look::Secret(Secret { kind, span: value }) } else { Look::No }
}

/// Where a value begins, and how it ends.
struct Value {
    start: usize,
    /// What closes it; without one it ends with the word.
    close: Option<(u8, usize)>,
    /// Prose may stand here, so that only what looks random counts.
    doubtful: bool,
}

/// The value behind a name: `name=value`, `"name": "value"`, `<name>value<`, `--name value`.
fn assigned(text: &[u8], name: &Range<usize>, kind: Name) -> Option<Value> {
    let rest = &text[name.end..];
    let before = &text[..name.start];
    if before.ends_with(b"<") && rest.first() == Some(&b'>') {
        return Some(Value { start: name.end + 1, close: Some((b'<', 0)), doubtful: false });
    }
    let option = text[name.clone()].starts_with(b"--") || before.ends_with(b"--");
    if option && rest.first() == Some(&b' ') && rest.get(1).is_some_and(|byte| !matches!(byte, b'-' | b' ')) {
        return Some(value_at(text, name.end + 1));
    }
    let escapes = rest.iter().take(4).take_while(|byte| **byte == b'\\').count();
    let quoted = matches!(rest.get(escapes), Some(b'"' | b'\''));
    let mut at = name.end + if quoted { escapes + 1 } else { 0 };
    at += blanks(text, at);
    let signs: [(&str, bool); 6] =
        [("=>", false), ("=", false), (":", true), ("%3D", false), ("%3d", false), ("%253D", false)];
    let (sign, colon) = signs.into_iter().find(|(sign, _)| text[at..].starts_with(sign.as_bytes()))?;
    at += sign.len();
    // A comparison.
    if sign == "=" && text.get(at) == Some(&b'=') {
        return None;
    }
    at += blanks(text, at);
    let mut value = value_at(text, at);
    value.start += scheme(text, value.start);
    // `password: abc` is a setting when nothing else stands in its line, and may be prose elsewhere.
    let alone = is_alone(before);
    value.doubtful = colon && !quoted && value.close.is_none() && kind == Name::Certain && !alone;
    Some(value)
}

/// Does a line begin here, but for blanks, the dash of a list, and the name of a journal's field (`MESSAGE=`)?
fn is_alone(before: &[u8]) -> bool {
    let lead = before.iter().rev().take_while(|byte| matches!(byte, b' ' | b'\t' | b'-')).count();
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

fn blanks(text: &[u8], at: usize) -> usize {
    text[at..].iter().take(8).take_while(|byte| matches!(byte, b' ' | b'\t')).count()
}

/// The length of `Bearer ` and the like, however its blank is written; 0 when there is none.
fn scheme(text: &[u8], at: usize) -> usize {
    let rest = &text[at..];
    let begins = |word: &&&str| rest.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word.as_bytes()));
    let Some(word) = SCHEMES.iter().find(begins) else { return 0 };
    let blank = BLANKS.iter().find(|blank| rest[word.len()..].starts_with(blank.as_bytes()));
    blank.map_or(0, |blank| word.len() + blank.len())
}

fn value_at(text: &[u8], at: usize) -> Value {
    let escapes = text[at..].iter().take(4).take_while(|byte| **byte == b'\\').count();
    match text.get(at + escapes) {
        Some(&mark @ (b'"' | b'\'')) => {
            Value { start: at + escapes + 1, close: Some((mark, escapes)), doubtful: false }
        }
        _ => Value { start: at, close: None, doubtful: false },
    }
}

impl Value {
    /// Its bytes; `None` when the text ends before it does.
    fn range(&self, text: &[u8], last: bool) -> Option<Range<usize>> {
        let limit = text.len().min(self.start + MAX_VALUE);
        let mut end = self.start;
        while end < limit {
            let byte = text[end];
            match self.close {
                _ if byte == b'\n' => break,
                Some((mark, _)) if byte == mark => break,
                // What is escaped does not close it.
                Some((_, 0)) if byte == b'\\' => end += 1,
                None if byte.is_ascii_whitespace() || b"&\"'\\<>`".contains(&byte) => break,
                Some(_) | None => {}
            }
            end += 1;
        }
        if end >= text.len() && !last {
            return None;
        }
        let end = end.min(limit);
        let closing = match self.close {
            // Inside an escaped text the closing quote has its own escapes.
            Some((mark, escapes)) if text.get(end) == Some(&mark) => escapes,
            Some(_) => 0,
            None => text[self.start..end].iter().rev().take_while(|byte| b",;)]}".contains(byte)).count(),
        };
        Some(self.start..end.saturating_sub(closing).max(self.start))
    }
}

/// True for what hides nothing: words and signs in place of a secret, variables, lifetimes and paths.
fn is_harmless(name: &[u8], value: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(value) else { return value.is_empty() };
    let bare = text.trim_matches(|c: char| !c.is_ascii_alphanumeric());
    let variable = text.strip_prefix('$').is_some_and(|name| {
        name.starts_with(['{', '('])
            || name.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
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
        || NO_SECRETS.iter().any(|word| bare.eq_ignore_ascii_case(word))
        || text.contains(super::MARK)
        || std::str::from_utf8(name).is_ok_and(|name| mask::is_token_lifetime(name, text))
}

/// Letters with digits among them, or of both cases for long enough: no word of a language.
fn is_random(value: &[u8]) -> bool {
    let has = |is: fn(&u8) -> bool| value.iter().any(is);
    let letters = has(u8::is_ascii_alphabetic);
    let mixed = has(u8::is_ascii_uppercase) && has(u8::is_ascii_lowercase) && value.len() >= 3 * RANDOM;
    value.len() >= RANDOM && ((letters && has(u8::is_ascii_digit)) || mixed) && !is_harmless(b"", value)
}

/// A name and a password in base64.
fn is_basic(value: &[u8]) -> bool {
    let end = value.iter().position(|byte| matches!(byte, b'=' | b'%')).unwrap_or(value.len());
    let decoded = base64::engine::general_purpose::STANDARD_NO_PAD.decode(&value[..end]);
    decoded
        .is_ok_and(|pair| pair.contains(&b':') && pair.iter().all(|byte| !byte.is_ascii_control()) && pair.is_ascii())
}

/// What stands between the lines that open and close a private key.
fn private_key(text: &[u8], end: usize, last: bool) -> Look {
    /// The longest label is `OPENSSH PRIVATE KEY`, with its dashes.
    const LABEL: usize = 32;
    let label = &text[end..text.len().min(end + LABEL)];
    let Some(dashes) = memchr::memmem::find(label, b"-----") else {
        return if !last && label.len() < LABEL { Look::Open } else { Look::No };
    };
    if !label[..dashes].ends_with(b"PRIVATE KEY") {
        return Look::No;
    }
    let start = end + dashes + 5;
    let window = &text[start..text.len().min(start + MAX_VALUE)];
    let in_key = |byte: &&u8| byte.is_ascii_alphanumeric() || b"+/=\r\n\t \\,:-".contains(byte);
    let length = match memchr::memmem::find(window, b"-----END") {
        Some(length) => length,
        None if !last && window.len() < MAX_VALUE => return Look::Open,
        // Cut off: as far as it looks like one.
        None => window.iter().take_while(in_key).count(),
    };
    let body = &window[..length];
    let marked = memchr::memmem::find(body, super::MARK.as_bytes()).is_some();
    let is_key = body.iter().filter(|byte| byte.is_ascii_alphanumeric()).count() >= VERY_RANDOM;
    if is_key && !(marked && body.trim_ascii().len() == super::MARK.len()) {
        return Look::Secret(Secret { kind: Kind::PrivateKey, span: start..start + length });
    }
    Look::No
}

/// A private member of a JSON Web Key, whose name stands from `start` to `end` with its quotes: base64url in an object that
/// has a `kty`.
fn key_member(text: &[u8], start: usize, end: usize, last: bool) -> Look {
    // Sign, quotes and blanks stand close together.
    if !last && text.len() - end < 32 {
        return Look::Open;
    }
    let at = end + blanks(text, end);
    if text.get(at) != Some(&b':') {
        return Look::No;
    }
    let at = at + 1 + blanks(text, at + 1);
    let span = if text.get(at) == Some(&b'[') {
        // The further primes of `oth`, objects without brackets in them.
        let window = &text[at..text.len().min(at + MAX_VALUE)];
        match memchr::memchr(b']', window) {
            Some(length) => at + 1..at + length,
            None if !last && window.len() < MAX_VALUE => return Look::Open,
            None => return Look::No,
        }
    } else {
        let value = value_at(text, at);
        if value.close.is_none() {
            return Look::No;
        }
        let Some(span) = value.range(text, last) else { return Look::Open };
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
        Some(true) => Look::Secret(Secret { kind: Kind::PrivateKey, span }),
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

/// `://user:password@host`.
fn url(text: &[u8], start: usize, last: bool) -> Look {
    const LONGEST: usize = 1024;
    let window = &text[start..text.len().min(start + LONGEST)];
    let ends = |byte: &u8| byte.is_ascii_whitespace() || b"/?#\"'<>`\\".contains(byte);
    let Some(length) = window.iter().position(ends).or((last || window.len() == LONGEST).then_some(window.len()))
    else {
        return Look::Open;
    };
    let authority = &window[..length];
    let (Some(colon), Some(sign)) = (memchr::memchr(b':', authority), memchr::memrchr(b'@', authority)) else {
        return Look::No;
    };
    let password = authority.get(colon + 1..sign).unwrap_or_default();
    // `host:443,user@…` and `host:443&mail=a@b` have a port there.
    let digits = password.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let port = digits > 0 && matches!(password.get(digits), Some(b',' | b'&' | b';' | b')' | b']'));
    if port || is_harmless(b"", password) {
        return Look::No;
    }
    Look::Secret(Secret { kind: Kind::Url, span: start + colon + 1..start + sign })
}
