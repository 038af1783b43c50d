//! Names, and where the values they are given stand.

use super::chars::{ESCAPED, char_at, code_before, gap, is_blank, is_name, run};
use super::looks::{VERY_RANDOM, is_basic, is_harmless, is_random};
use super::pem::before_key;
use super::value::{AHEAD, Ends, Quote, Value, secret, value_at};
use super::{Kind, Look, Tokens};
use crate::percent::Char;
use crate::source::secret_names::{Certainty, MAX_NAME, certainty, is_one_of};
use std::ops::Range;

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

/// Is it the name of something that stands in a list with others?
pub(super) fn is_known(name: &[u8]) -> bool {
    certainty(name) != Certainty::No || is_one_of(name, &BESIDE)
}

/// What is given under the name that this word is part of.
pub(super) fn named(text: &[u8], start: usize, end: usize, last: bool, tokens: Tokens<'_>, ends: &mut Ends) -> Look {
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
pub(super) fn beside(text: &[u8], name: &Range<usize>, at: usize, quoted: bool) -> (usize, Option<Value>) {
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

/// The length of `Bearer ` and the like, however its blank is written; 0 when there is none.
pub(super) fn scheme(text: &[u8], at: usize) -> usize {
    let rest = &text[at..];
    let begins = |word: &&&str| rest.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word.as_bytes()));
    let Some(word) = SCHEMES.iter().find(begins) else { return 0 };
    let blank = BLANKS.iter().find(|blank| rest[word.len()..].starts_with(blank.as_bytes()));
    blank.map_or(0, |blank| word.len() + blank.len())
}
