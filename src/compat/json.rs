//! JSON as other software reads it.
//!
//! tokenvet's own reader is strict. To say what a service makes of a token one has to read it with that service's
//! mistakes: which of two equal keys counts, whether garbage may follow, what becomes of a number that is too large.
//! All of this is in [`Dialect`], which is data.

use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::HashMap;

/// Values below this depth are read and forgotten: nothing that decides lies there, and a tree that deep could not be
/// dropped safely.
const KEPT_DEPTH: usize = 32;
/// Containers open at a time at which reading ends in "cannot be said"; a stack of the software would be exhausted.
const MAX_DEPTH: usize = 100_000;

/// A value as some software sees it.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number that the software keeps as an integer.
    Int(i64),
    /// A number that it keeps as a double, and integers that no 64 bits hold.
    Float(f64),
    /// A text; bytes that are no UTF-8 became replacement characters.
    Text(String),
    /// A list.
    List(Vec<Value>),
    /// An object; every key once, in the order of the first occurrence.
    Map(Vec<(String, Value)>),
}

impl Value {
    /// The word for the type in the expressions of the model.
    pub(super) fn type_name(&self) -> &'static str {
        match self {
            Value::Null => "null",
            Value::Bool(_) => "bool",
            Value::Int(_) => "int",
            Value::Float(_) => "float",
            Value::Text(_) => "text",
            Value::List(_) => "list",
            Value::Map(_) => "map",
        }
    }

    /// The text, when it is one.
    pub(super) fn as_text(&self) -> Option<&str> {
        match self {
            Value::Text(text) => Some(text),
            Value::Null | Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::List(_) | Value::Map(_) => None,
        }
    }

    /// The members of an object.
    pub(super) fn members(&self) -> Option<&[(String, Value)]> {
        match self {
            Value::Map(members) => Some(members),
            Value::Null | Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::List(_) | Value::Text(_) => None,
        }
    }
}

/// How a JSON reader differs from the standard. The defaults are RFC 8259 read strictly.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Dialect {
    /// Which of several equal keys counts.
    pub duplicates: Duplicates,
    /// Members that may stand only once, whatever `duplicates` says; the software refuses the token otherwise.
    pub once: Vec<String>,
    /// Keys differ by case alone: they do not differ.
    pub keys_without_case: bool,
    /// What may follow the value.
    pub trailing: Trailing,
    /// The text ends at the first NUL.
    pub ends_at_nul: bool,
    /// Encodings that are taken.
    pub encoding: Encoding,
    /// What a byte order mark at the start of UTF-8 does.
    pub byte_order_mark: Mark,
    /// Every byte up to the blank counts as white space, not four of them.
    pub loose_space: bool,
    /// Control characters may stand in texts.
    pub controls_in_text: bool,
    /// `\ud800` without its other half.
    pub lone_surrogates: Surrogates,
    /// `\u0000` in texts.
    pub nul_escape: Nul,
    /// A backslash before any other character stands for that character, and `\u` without four digits for nothing.
    pub any_escape: bool,
    /// Which texts are numbers.
    pub numbers: Numbers,
    /// What becomes of integers that do not fit 64 bits.
    pub big_integers: BigIntegers,
    /// What becomes of numbers that no double holds (`1e400`).
    pub infinite: Infinite,
    /// `NaN`, `Infinity` and `-Infinity` are numbers.
    pub nan: bool,
    /// Most containers that may be open at a time; without it there is no limit.
    pub depth: Option<usize>,
    /// Objects count in `depth` too, not lists alone.
    pub depth_of_objects: bool,
}

/// Which of several equal keys counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Duplicates {
    /// The first one.
    First,
    /// The last one.
    Last,
    /// None: the token is refused.
    #[default]
    Refused,
}

/// What may follow the value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Trailing {
    /// White space.
    #[default]
    Space,
    /// Anything.
    Anything,
}

/// Encodings that are taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Encoding {
    /// UTF-8 only.
    #[default]
    Utf8,
    /// Bytes are copied unseen.
    Bytes,
    /// UTF-8 where it is valid; what is not becomes a replacement character.
    Replaced,
    /// UTF-8, UTF-16 and UTF-32, told apart by their first bytes.
    Detected,
}

/// What a byte order mark does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Mark {
    /// It is no JSON.
    #[default]
    Refused,
    /// It is passed over.
    Skipped,
}

/// A surrogate without its other half.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Surrogates {
    /// No JSON.
    #[default]
    Refused,
    /// Kept as a character of its own.
    Kept,
    /// Left out.
    Dropped,
}

/// `\u0000` in texts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Nul {
    /// A character like any other.
    #[default]
    Kept,
    /// Left out.
    Dropped,
    /// The token is refused.
    Refused,
    /// Taken in values, refused in keys.
    RefusedInKeys,
}

/// Which texts are numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Numbers {
    /// RFC 8259 section 6.
    #[default]
    Strict,
    /// What C's `strtoimax`, then `strtod` read completely (`01`, `1.`, `-.5`), begun by a digit or a minus.
    Strtod,
    /// A minus, a zero, digits, a fraction, an exponent, each of which may be missing (old cJSON).
    Parts,
}

/// What becomes of integers that do not fit 64 bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum BigIntegers {
    /// They become doubles.
    #[default]
    Float,
    /// The token is refused.
    Refused,
}

/// What becomes of numbers that no double holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Infinite {
    /// They become infinity.
    #[default]
    Kept,
    /// The token is refused.
    Refused,
    /// Those written with a fraction or an exponent are refused; integers become infinity.
    RefusedUnlessInteger,
}

/// Why a text is no JSON for this reader; the words complete "its payload …".
pub(super) type Refusal = &'static str;

/// Reads one value.
pub(super) fn read(bytes: &[u8], dialect: &Dialect) -> Result<Value, Refusal> {
    let text = decoded(bytes, dialect)?;
    let mut reader = Reader { bytes: &text, at: 0, dialect };
    reader.space();
    let value = reader.value()?;
    reader.space();
    match dialect.trailing {
        Trailing::Anything => Ok(value),
        Trailing::Space if reader.at == text.len() => Ok(value),
        Trailing::Space => Err("has something behind its JSON"),
    }
}

/// The bytes in UTF-8 (or as they are, for readers that do not care).
fn decoded(bytes: &[u8], dialect: &Dialect) -> Result<Vec<u8>, Refusal> {
    let mut text = match dialect.encoding {
        Encoding::Bytes => bytes.to_vec(),
        Encoding::Replaced => String::from_utf8_lossy(bytes).into_owned().into_bytes(),
        Encoding::Utf8 => valid_utf8(bytes)?,
        Encoding::Detected => match wide(bytes) {
            Some(text) => text?.into_bytes(),
            None => valid_utf8(bytes)?,
        },
    };
    if text.starts_with(b"\xef\xbb\xbf") && dialect.byte_order_mark == Mark::Skipped {
        text.drain(..3);
    }
    if dialect.ends_at_nul
        && let Some(end) = text.iter().position(|byte| *byte == 0)
    {
        text.truncate(end);
    }
    Ok(text)
}

fn valid_utf8(bytes: &[u8]) -> Result<Vec<u8>, Refusal> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(text.as_bytes().to_vec()),
        Err(_) => Err("is no UTF-8"),
    }
}

/// UTF-16 or UTF-32 by a byte order mark or by the NUL bytes beside the first ASCII character; `None` for UTF-8.
fn wide(bytes: &[u8]) -> Option<Result<String, Refusal>> {
    let (size, little, skip) = match bytes {
        [0xff, 0xfe, 0, 0, ..] => (4, true, 4),
        [0, 0, 0xfe, 0xff, ..] => (4, false, 4),
        [0xff, 0xfe, ..] => (2, true, 2),
        [0xfe, 0xff, ..] => (2, false, 2),
        [0, 0, 0, _, ..] => (4, false, 0),
        [0, _, ..] => (2, false, 0),
        [_, 0, 0, 0, ..] => (4, true, 0),
        [_, 0, ..] => (2, true, 0),
        _ => return None,
    };
    let units = bytes[skip..].chunks(size).map(|unit| {
        let mut number = 0u32;
        let ordered: Vec<u8> = if little { unit.iter().rev().copied().collect() } else { unit.to_vec() };
        ordered.iter().for_each(|byte| number = number << 8 | u32::from(*byte));
        (unit.len() == size).then_some(number)
    });
    let units: Option<Vec<u32>> = units.collect();
    let text = units.and_then(|units| match size {
        2 => String::from_utf16(&units.iter().map(|unit| *unit as u16).collect::<Vec<_>>()).ok(),
        _ => units.iter().map(|unit| char::from_u32(*unit)).collect(),
    });
    Some(text.ok_or("is neither UTF-8 nor UTF-16 nor UTF-32"))
}

/// A container that is being read.
enum Open {
    List(Vec<Value>),
    Map(Members, String),
}

/// Members of an object that is being read.
#[derive(Default)]
struct Members {
    list: Vec<(String, Value)>,
    /// Where a key stands in the list; in lower case for readers that do not tell cases apart.
    places: HashMap<String, usize>,
}

struct Reader<'t> {
    bytes: &'t [u8],
    at: usize,
    dialect: &'t Dialect,
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn take(&mut self, byte: u8) -> bool {
        let there = self.peek() == Some(byte);
        self.at += usize::from(there);
        there
    }

    fn space(&mut self) {
        let loose = self.dialect.loose_space;
        while self.peek().is_some_and(|b| matches!(b, b' ' | b'\t' | b'\n' | b'\r') || (loose && b <= b' ' && b != 0)) {
            self.at += 1;
        }
    }

    /// One value, without recursion: depth is the token's choice.
    fn value(&mut self) -> Result<Value, Refusal> {
        let mut stack: Vec<Open> = Vec::new();
        let mut lists = 0;
        loop {
            self.space();
            let done = match self.peek() {
                Some(b'[') => {
                    self.enter(stack.len(), lists)?;
                    if !self.closes(b']') {
                        stack.push(Open::List(Vec::new()));
                        lists += 1;
                        continue;
                    }
                    Value::List(Vec::new())
                }
                Some(b'{') => {
                    self.enter(stack.len(), lists)?;
                    if !self.closes(b'}') {
                        let key = self.key()?;
                        stack.push(Open::Map(Members::default(), key));
                        continue;
                    }
                    Value::Map(Vec::new())
                }
                _ => self.scalar()?,
            };
            if let Some(whole) = self.attach(&mut stack, &mut lists, done)? {
                return Ok(whole);
            }
        }
    }

    /// Puts a finished value where it belongs and closes what ends with it; the outermost value comes back.
    fn attach(&mut self, stack: &mut Vec<Open>, lists: &mut usize, value: Value) -> Result<Option<Value>, Refusal> {
        let mut done = value;
        loop {
            let depth = stack.len();
            let Some(open) = stack.last_mut() else { return Ok(Some(done)) };
            let kept = if depth > KEPT_DEPTH { Value::Null } else { done };
            let end = match open {
                Open::List(items) => {
                    if depth <= KEPT_DEPTH {
                        items.push(kept);
                    }
                    b']'
                }
                Open::Map(members, key) => {
                    members.insert(std::mem::take(key), kept, self.dialect)?;
                    b'}'
                }
            };
            self.space();
            if self.take(b',') {
                if let Some(Open::Map(_, key)) = stack.last_mut() {
                    *key = self.key()?;
                }
                return Ok(None);
            }
            if !self.take(end) {
                return Err("is no JSON: a list or an object does not end");
            }
            done = match stack.pop() {
                Some(Open::List(items)) => {
                    *lists -= 1;
                    Value::List(items)
                }
                Some(Open::Map(members, _)) => Value::Map(members.list),
                None => Value::Null,
            };
        }
    }

    /// Opens a container; `lists` of those around it are lists.
    fn enter(&mut self, around: usize, lists: usize) -> Result<(), Refusal> {
        self.at += 1;
        let open = if self.dialect.depth_of_objects { around } else { lists };
        match self.dialect.depth {
            Some(limit) if open >= limit => Err("is nested deeper than its reader allows"),
            None | Some(_) if around > MAX_DEPTH => Err("is nested too deeply"),
            None | Some(_) => Ok(()),
        }
    }

    fn closes(&mut self, end: u8) -> bool {
        self.space();
        self.take(end)
    }

    fn key(&mut self) -> Result<String, Refusal> {
        self.space();
        if self.peek() != Some(b'"') {
            return Err("is no JSON: a key is expected");
        }
        let key = self.text()?;
        if key.contains('\0') && self.dialect.nul_escape == Nul::RefusedInKeys {
            return Err("has a NUL in a key");
        }
        self.space();
        if self.take(b':') { Ok(key) } else { Err("is no JSON: a colon is missing") }
    }

    fn scalar(&mut self) -> Result<Value, Refusal> {
        let rest = &self.bytes[self.at..];
        let words: [(&[u8], Value); 6] = [
            (b"null", Value::Null),
            (b"true", Value::Bool(true)),
            (b"false", Value::Bool(false)),
            (b"NaN", Value::Float(f64::NAN)),
            (b"Infinity", Value::Float(f64::INFINITY)),
            (b"-Infinity", Value::Float(f64::NEG_INFINITY)),
        ];
        let plain = if self.dialect.nan { 6 } else { 3 };
        for (word, value) in words.into_iter().take(plain) {
            if rest.starts_with(word) {
                self.at += word.len();
                return Ok(value);
            }
        }
        match rest.first() {
            Some(b'"') => self.text().map(Value::Text),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => Err("is no JSON"),
        }
    }

    fn number(&mut self) -> Result<Value, Refusal> {
        let text = match self.dialect.numbers {
            Numbers::Strict => self.strict_number()?,
            Numbers::Strtod => self.run(|byte| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'e' | b'E' | b'.')),
            Numbers::Parts => return Ok(self.parts()),
        };
        let digits = text.strip_prefix('-').unwrap_or(&text);
        if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
            match (text.parse::<i64>(), self.dialect.big_integers) {
                (Ok(number), _) => return Ok(Value::Int(number)),
                (Err(_), BigIntegers::Refused) => return Err("has an integer beyond 64 bits"),
                (Err(_), BigIntegers::Float) => {}
            }
        }
        // Rust reads what strtod reads of these characters.
        let number: f64 = text.parse().map_err(|_| "is no JSON: a number is malformed")?;
        let integer = digits.bytes().all(|byte| byte.is_ascii_digit());
        match (number.is_finite(), self.dialect.infinite) {
            (true, _) | (false, Infinite::Kept) => Ok(Value::Float(number)),
            (false, Infinite::RefusedUnlessInteger) if integer => Ok(Value::Float(number)),
            (false, Infinite::Refused | Infinite::RefusedUnlessInteger) => Err("has a number that no double holds"),
        }
    }

    fn run(&mut self, belongs: impl Fn(u8) -> bool) -> String {
        let start = self.at;
        while self.peek().is_some_and(&belongs) {
            self.at += 1;
        }
        String::from_utf8_lossy(&self.bytes[start..self.at]).into_owned()
    }

    fn strict_number(&mut self) -> Result<String, Refusal> {
        const BAD: Refusal = "is no JSON: a number is malformed";
        let start = self.at;
        self.take(b'-');
        let digits = self.run(|byte| byte.is_ascii_digit());
        if digits.is_empty() || (digits.len() > 1 && digits.starts_with('0')) {
            return Err(BAD);
        }
        if self.take(b'.') && self.run(|byte| byte.is_ascii_digit()).is_empty() {
            return Err(BAD);
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            self.at += usize::from(matches!(self.peek(), Some(b'+' | b'-')));
            if self.run(|byte| byte.is_ascii_digit()).is_empty() {
                return Err(BAD);
            }
        }
        Ok(String::from_utf8_lossy(&self.bytes[start..self.at]).into_owned())
    }

    /// Old cJSON: whatever stands there gives some number; the double is what its `valuedouble` holds.
    fn parts(&mut self) -> Value {
        let negative = self.take(b'-');
        self.take(b'0');
        let digit = |byte: u8| byte.is_ascii_digit();
        let whole = if matches!(self.peek(), Some(b'1'..=b'9')) { self.run(digit) } else { String::new() };
        let mut text = if whole.is_empty() { "0".to_string() } else { whole };
        let mut integer = true;
        if self.peek() == Some(b'.') && self.bytes.get(self.at + 1).is_some_and(u8::is_ascii_digit) {
            self.at += 1;
            text = format!("{text}.{}", self.run(digit));
            integer = false;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            let minus = !self.take(b'+') && self.take(b'-');
            let exponent = self.run(digit);
            let exponent = if exponent.is_empty() { "0" } else { exponent.as_str() };
            text = format!("{text}e{}{exponent}", if minus { "-" } else { "" });
            integer = false;
        }
        let text = if negative { format!("-{text}") } else { text };
        match text.parse::<i64>() {
            Ok(number) if integer => Value::Int(number),
            Ok(_) | Err(_) => Value::Float(text.parse().unwrap_or(f64::INFINITY)),
        }
    }

    /// A text; the opening quote is there.
    fn text(&mut self) -> Result<String, Refusal> {
        const UNENDED: Refusal = "is no JSON: a text does not end";
        self.at += 1;
        let mut out: Vec<u8> = Vec::new();
        loop {
            let byte = match self.peek() {
                Some(byte) => byte,
                // Old cJSON takes the end of the input for the end of the text, and then misses what should follow.
                None => return Err(UNENDED),
            };
            self.at += 1;
            match byte {
                b'"' => return Ok(String::from_utf8_lossy(&out).into_owned()),
                b'\\' => self.escape(&mut out)?,
                0..=0x1f if !self.dialect.controls_in_text => return Err("has a control character in a text"),
                _ => out.push(byte),
            }
        }
    }

    fn escape(&mut self, out: &mut Vec<u8>) -> Result<(), Refusal> {
        const BAD: Refusal = "is no JSON: an escape is malformed";
        let byte = self.peek().ok_or(BAD)?;
        self.at += 1;
        let plain = match byte {
            b'"' | b'\\' | b'/' => byte,
            b'b' => 8,
            b'f' => 12,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'u' => return self.unicode(out),
            other if self.dialect.any_escape => other,
            _ => return Err(BAD),
        };
        out.push(plain);
        Ok(())
    }

    fn unicode(&mut self, out: &mut Vec<u8>) -> Result<(), Refusal> {
        const BAD: Refusal = "is no JSON: an escape is malformed";
        let Some(first) = self.hex() else {
            self.at = (self.at + 4).min(self.bytes.len());
            return if self.dialect.any_escape { Ok(()) } else { Err(BAD) };
        };
        let mut point = u32::from(first);
        if (0xd800..0xdc00).contains(&first) {
            let back = self.at;
            let second = if self.take(b'\\') && self.take(b'u') { self.hex() } else { None };
            match second.filter(|second| (0xdc00..0xe000).contains(second)) {
                Some(second) => point = 0x10000 + ((point & 0x3ff) << 10 | u32::from(second) & 0x3ff),
                None => self.at = back,
            }
        }
        if point == 0 {
            return match self.dialect.nul_escape {
                Nul::Kept | Nul::RefusedInKeys => {
                    out.push(0);
                    Ok(())
                }
                Nul::Dropped => Ok(()),
                Nul::Refused => Err("has a NUL in a text"),
            };
        }
        match (char::from_u32(point), self.dialect.lone_surrogates) {
            (Some(character), _) => {
                let mut buffer = [0; 4];
                out.extend_from_slice(character.encode_utf8(&mut buffer).as_bytes());
                Ok(())
            }
            (None, Surrogates::Refused) => Err("has half a surrogate pair"),
            (None, Surrogates::Kept) => {
                out.extend_from_slice("\u{fffd}".as_bytes());
                Ok(())
            }
            (None, Surrogates::Dropped) => Ok(()),
        }
    }

    fn hex(&mut self) -> Option<u16> {
        let digits = self.bytes.get(self.at..self.at + 4)?;
        let number = u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
        // `from_str_radix` takes a sign.
        digits.iter().all(u8::is_ascii_hexdigit).then(|| {
            self.at += 4;
            number
        })
    }
}

impl Members {
    /// Puts a member among the others; which of two equal ones stays is the dialect's choice.
    fn insert(&mut self, key: String, value: Value, dialect: &Dialect) -> Result<(), Refusal> {
        let name = if dialect.keys_without_case { key.to_ascii_lowercase() } else { key.clone() };
        match self.places.get(&name) {
            None => {
                self.places.insert(name, self.list.len());
                // A reader that knows no case finds the member under every spelling; the plain one is asked for.
                let key = if dialect.keys_without_case { key.to_ascii_lowercase() } else { key };
                self.list.push((key, value));
            }
            Some(_) if dialect.duplicates == Duplicates::Refused || dialect.once.contains(&key) => {
                return Err("has a key twice");
            }
            Some(place) if dialect.duplicates == Duplicates::Last => self.list[*place].1 = value,
            Some(_) => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loose() -> Dialect {
        Dialect {
            duplicates: Duplicates::First,
            keys_without_case: true,
            trailing: Trailing::Anything,
            ends_at_nul: true,
            encoding: Encoding::Bytes,
            loose_space: true,
            controls_in_text: true,
            lone_surrogates: Surrogates::Dropped,
            nul_escape: Nul::Dropped,
            any_escape: true,
            numbers: Numbers::Parts,
            ..Dialect::default()
        }
    }

    fn picky() -> Dialect {
        Dialect {
            duplicates: Duplicates::Last,
            numbers: Numbers::Strtod,
            infinite: Infinite::Refused,
            ..Dialect::default()
        }
    }

    #[test]
    fn one_text_is_another_value_to_another_reader() {
        let int = |number| Some(Value::Int(number));
        let text = |text: &str| Some(Value::Text(text.into()));
        for (json, first, last, remark) in [
            (r#"{"a":1,"a":2}"#, int(1), int(2), "equal keys"),
            (r#"{"A":1,"a":2}"#, int(1), int(2), "keys that differ by case"),
            (r#"{"a":01}"#, int(1), int(1), "a leading zero"),
            (r#"{"a":1.5}"#, Some(Value::Float(1.5)), Some(Value::Float(1.5)), "a fraction"),
            (r#"{"a":"\ud800"}"#, text(""), None, "half a pair"),
            (r#"{"a":"\ud83d\ude00"}"#, text("😀"), text("😀"), "a whole pair"),
            (r#"{"a":"\q"}"#, text("q"), None, "an escape that is none"),
            (r#"{"a":1} and more"#, int(1), None, "something behind"),
            (r#"{"a":1e400}"#, Some(Value::Float(f64::INFINITY)), None, "more than a double holds"),
            ("{\"a\":\"\u{1}\"}", text("\u{1}"), None, "a control character"),
            (r#"{"a":1,}"#, None, None, "a comma too many"),
            (r#"{"a":}"#, None, None, "no value"),
            (r#"{"a":"#, None, None, "no end"),
            (r#"{'a':1}"#, None, None, "single quotes"),
        ] {
            for (dialect, expected) in [(loose(), first), (picky(), last)] {
                let found = read(json.as_bytes(), &dialect).ok();
                let member = found.and_then(|value| value.members().map(<[_]>::to_vec)).and_then(|mut all| all.pop());
                assert_eq!(member.map(|(_, value)| value), expected, "{remark}");
            }
        }
    }

    #[test]
    fn depth_is_the_tokens_choice_and_ends_nothing() {
        let deep = |depth: usize| format!("{{\"a\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
        let bounded = Dialect { depth: Some(100), ..Dialect::default() };
        assert!(read(deep(100).as_bytes(), &bounded).is_ok());
        assert!(read(deep(101).as_bytes(), &bounded).is_err());
        assert!(read(deep(90_000).as_bytes(), &Dialect::default()).is_ok());
        assert!(read(deep(200_000).as_bytes(), &Dialect::default()).is_err());
        assert!(read("[".repeat(1_000_000).as_bytes(), &loose()).is_err());
    }

    #[test]
    fn encodings_are_told_apart() {
        let wide: Vec<u8> = "{\"a\":1}".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let detected = Dialect { encoding: Encoding::Detected, ..Dialect::default() };
        assert!(read(&wide, &detected).is_ok());
        assert!(read(&wide, &Dialect::default()).is_err());
        assert!(read(b"{\"a\":\"\xff\"}", &Dialect::default()).is_err());
        assert!(read(b"{\"a\":\"\xff\"}", &loose()).is_ok());
        let marked = Dialect { byte_order_mark: Mark::Skipped, ..Dialect::default() };
        assert!(read(b"\xef\xbb\xbf{}", &marked).is_ok());
        assert!(read(b"\xef\xbb\xbf{}", &Dialect::default()).is_err());
    }
}
