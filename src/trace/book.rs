//! The log formats, ready to read records.

use super::raw::{Field, RawFormat, RawLine};
use super::time::{Clock, When};
use regex::{Captures, Regex, RegexBuilder, RegexSet, RegexSetBuilder};
use serde_json::Value;
use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};

/// Largest compiled expression, in bytes.
const MAX_REGEX: usize = 4 << 20;
/// Values that one record may give.
const MAX_VALUES: usize = 200;

/// One format.
#[derive(Debug)]
pub struct Format {
    /// As written.
    pub raw: RawFormat,
    begins: Regex,
    continues: Option<Regex>,
    lines: Vec<Line>,
}

#[derive(Debug)]
struct Line {
    matches: Regex,
    also: Vec<Regex>,
}

/// All formats.
#[derive(Debug)]
pub struct Book {
    /// Every format.
    pub formats: Vec<Format>,
    begins: RegexSet,
}

/// What a record says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Content {
    /// The format, as its place in the book.
    pub format: Option<usize>,
    /// The kind of record, as its place in the format; `None` where the format knows nothing of such records.
    pub line: Option<usize>,
    /// When it was written.
    pub when: Option<When>,
    /// What it says, in the order it was read.
    pub values: Vec<(Field, String)>,
}

impl Content {
    /// The values of one field.
    pub fn all(&self, field: Field) -> impl Iterator<Item = &str> {
        self.values.iter().filter(move |(of, _)| *of == field).map(|(_, value)| value.as_str())
    }

    /// The first value of a field.
    pub fn first(&self, field: Field) -> Option<&str> {
        self.all(field).next()
    }

    /// Takes a value unless it is one of the ways to write none.
    pub fn add(&mut self, field: Field, value: &str) {
        let mut value = value.trim();
        if matches!(field, Field::Path | Field::Remote) {
            // What stands behind the path may be a secret.
            value = value.split('?').next().unwrap_or_default();
        }
        let nothing = matches!(value, "" | "-" | "null" | "(null)" | "<unknown>" | "unknown" | "None" | "(anonymous)");
        if !nothing
            && self.values.len() < MAX_VALUES
            && !self.values.iter().any(|(of, one)| *of == field && one == value)
        {
            self.values.push((field, value.to_string()));
        }
    }
}

impl Book {
    /// The built-in formats. The error is a defect of our data.
    pub fn builtin() -> Result<Arc<Book>, String> {
        static BOOK: LazyLock<Result<Arc<Book>, String>> = LazyLock::new(|| {
            let json = include_str!(concat!(env!("OUT_DIR"), "/logs.json"));
            let raw: Vec<RawFormat> = serde_json::from_str(json).map_err(|error| format!("log formats: {error}"))?;
            Book::new(raw).map(Arc::new)
        });
        BOOK.clone()
    }

    fn new(raw: Vec<RawFormat>) -> Result<Book, String> {
        let begins =
            RegexSetBuilder::new(raw.iter().map(|format| format.begins.as_str())).size_limit(MAX_REGEX).build();
        let begins = begins.map_err(|error| format!("log formats: {error}"))?;
        let formats = raw.into_iter().map(Format::new).collect::<Result<_, _>>()?;
        Ok(Book { formats, begins })
    }

    /// The formats whose records begin like this line, in the order of the book.
    pub(super) fn beginning(&self, line: &str) -> impl Iterator<Item = usize> {
        self.begins.matches(line).into_iter()
    }

    /// Does this line go on with a record of a format?
    pub(super) fn continues(&self, format: usize, line: &str) -> bool {
        self.formats[format].continues.as_ref().is_some_and(|continues| continues.is_match(line))
    }

    /// Reads a record whose first line fits one or more formats.
    pub(super) fn read(&self, candidates: &[usize], text: &str, clock: &Clock) -> Content {
        self.read_within(candidates, text, clock, false)
    }

    fn read_within(&self, candidates: &[usize], text: &str, clock: &Clock, nested: bool) -> Content {
        let read = candidates.iter().map(|&format| (format, self.formats[format].line(text)));
        let mut read: Vec<(usize, Option<usize>)> = read.collect();
        // What a format knows outranks what only begins like it.
        read.sort_by_key(|(_, line)| line.is_none());
        let Some(&(index, line)) = read.first() else { return Content::default() };
        let format = &self.formats[index];
        let mut content = Content { format: Some(index), line, ..Content::default() };
        let mut time = None;
        let mut inner = None;
        if let Some(captures) = format.begins.captures(text) {
            take(&mut content, &format.begins, &captures, &mut time, &mut inner);
        }
        if let Some(at) = line {
            format.fields(at, text, &mut content, &mut time, &mut inner);
        }
        content.when = time.zip(format.raw.time.as_ref()).and_then(|(text, how)| clock.read(how, &text));
        if let Some(inner) = inner.filter(|_| !nested) {
            self.enclosed(&inner, clock, &mut content);
        }
        content
    }

    /// A record in a record: what journald or another program took over from the one that wrote it.
    fn enclosed(&self, inner: &str, clock: &Clock, outer: &mut Content) {
        let first = inner.lines().next().unwrap_or_default();
        let candidates: Vec<usize> = self.beginning(first).filter(|index| Some(*index) != outer.format).collect();
        let within = self.read_within(&candidates, inner, clock, true);
        if within.format.is_none() {
            return;
        }
        // A zone that is written is better than one that is assumed.
        let surer = |when: &Option<When>| when.as_ref().map(|when| (when.zone_assumed, when.year_assumed));
        if within.when.is_some() && (outer.when.is_none() || surer(&within.when) <= surer(&outer.when)) {
            outer.when = within.when;
        }
        outer.format = within.format;
        outer.line = within.line;
        let own = std::mem::take(&mut outer.values);
        for (field, value) in within.values.iter().chain(&own) {
            outer.add(*field, value);
        }
    }

    /// A format by its name.
    pub fn format(&self, name: &str) -> Option<(usize, &Format)> {
        self.formats.iter().enumerate().find(|(_, format)| format.raw.format == name)
    }
}

/// An expression may give a field in several places: `sub`, `sub_2`.
fn plain_name(name: &str) -> &str {
    name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '_')
}

/// Takes what groups of an expression captured.
fn take(
    content: &mut Content,
    regex: &Regex,
    captures: &Captures<'_>,
    time: &mut Option<String>,
    inner: &mut Option<String>,
) {
    for name in regex.capture_names().flatten() {
        let Some(found) = captures.name(name) else { continue };
        let plain = plain_name(name);
        match (plain, Field::parse(plain)) {
            (_, Some(field)) => content.add(field, found.as_str()),
            ("time", None) => *time = Some(found.as_str().to_string()),
            ("inner", None) => *inner = Some(found.as_str().to_string()),
            _ => {}
        }
    }
}

impl Format {
    fn new(raw: RawFormat) -> Result<Format, String> {
        let name = raw.format.clone();
        let compile = |text: &str| {
            let built = RegexBuilder::new(text).dot_matches_new_line(false).size_limit(MAX_REGEX).build();
            built.map_err(|error| format!("log format {name}: {error}"))
        };
        let begins = compile(&raw.begins)?;
        let continues = raw.continues.as_deref().map(&compile).transpose()?;
        let mut lines = Vec::new();
        for line in &raw.lines {
            let also = line.also.iter().map(|text| compile(text)).collect::<Result<_, _>>()?;
            lines.push(Line { matches: compile(&line.matches)?, also });
            for need in &line.needs {
                raw.settings
                    .iter()
                    .find(|setting| setting.name == need.setting)
                    .ok_or_else(|| format!("log format {name}: {} is not among its settings", need.setting))?;
            }
        }
        Ok(Format { raw, begins, continues, lines })
    }

    /// The fields that every record of a kind has, and those that only some have.
    pub fn gives(&self, line: usize) -> (BTreeSet<Field>, BTreeSet<Field>) {
        let (compiled, raw) = (&self.lines[line], &self.raw.lines[line]);
        let regexes = [&self.begins, &compiled.matches].into_iter().chain(&compiled.also);
        let names = regexes.flat_map(|regex| regex.capture_names().flatten());
        let named = names.filter_map(|name| Field::parse(plain_name(name)));
        let mut all: BTreeSet<Field> =
            named.chain(raw.json.values().copied()).chain(raw.pairs.values().copied()).collect();
        all.extend(raw.result.as_ref().map(|_| Field::Result));
        let lacking: BTreeSet<Field> = raw.may_lack.iter().copied().collect();
        let sure = all.difference(&lacking).copied().collect();
        (sure, all.intersection(&lacking).copied().collect())
    }

    /// The first kind of record that a text is.
    fn line(&self, text: &str) -> Option<usize> {
        self.lines.iter().position(|line| line.matches.is_match(text))
    }

    fn fields(
        &self,
        at: usize,
        text: &str,
        content: &mut Content,
        time: &mut Option<String>,
        inner: &mut Option<String>,
    ) {
        let (line, raw) = (&self.lines[at], &self.raw.lines[at]);
        if let Some(captures) = line.matches.captures(text) {
            take(content, &line.matches, &captures, time, inner);
            if let Some(json) = captures.name("json") {
                members(content, raw, json.as_str(), time, inner);
            }
            if let Some(list) = captures.name("pairs") {
                for (name, value) in pairs(list.as_str()) {
                    if let Some(field) = raw.pairs.get(name) {
                        content.add(*field, &value);
                    }
                }
            }
        }
        for also in &line.also {
            for captures in also.captures_iter(text).take(MAX_VALUES) {
                take(content, also, &captures, time, inner);
            }
        }
        if let Some(result) = raw.result.as_deref().filter(|_| content.first(Field::Result).is_none()) {
            content.add(Field::Result, result);
        }
    }
}

/// Members of a JSON object that may be followed by other text.
fn members(content: &mut Content, raw: &RawLine, json: &str, time: &mut Option<String>, inner: &mut Option<String>) {
    let mut objects = serde_json::Deserializer::from_str(json).into_iter::<Value>();
    let Some(Ok(object)) = objects.next() else { return };
    for (pointer, field) in &raw.json {
        match object.pointer(pointer) {
            Some(Value::String(text)) => content.add(*field, text),
            Some(Value::Array(items)) => {
                items.iter().filter_map(Value::as_str).for_each(|item| content.add(*field, item));
            }
            Some(Value::Number(number)) => content.add(*field, &number.to_string()),
            Some(Value::Bool(_) | Value::Null | Value::Object(_)) | None => {}
        }
    }
    if time.is_none() {
        *time = object.get("timestamp").map(|at| at.as_str().map_or_else(|| at.to_string(), str::to_string));
    }
    if inner.is_none() {
        *inner = object.get("MESSAGE").and_then(Value::as_str).map(str::to_string);
    }
}

/// The words of `a=1 b="two words" c=`, in which a backslash protects the next character of a quoted value.
fn pairs(text: &str) -> Vec<(&str, String)> {
    let mut found = Vec::new();
    let mut rest = text.trim_start();
    while let Some((name, behind)) = rest.split_once('=') {
        let name = name.rsplit(char::is_whitespace).next().unwrap_or(name);
        let (value, behind) = match behind.strip_prefix('"') {
            Some(quoted) => quoted_value(quoted),
            None => {
                let end = behind.find(char::is_whitespace).unwrap_or(behind.len());
                (behind[..end].to_string(), &behind[end..])
            }
        };
        found.push((name, value));
        rest = behind.trim_start();
        if found.len() >= MAX_VALUES {
            break;
        }
    }
    found
}

fn quoted_value(text: &str) -> (String, &str) {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((at, c)) = characters.next() {
        match c {
            '"' => return (value, &text[at + 1..]),
            '\\' => value.extend(characters.next().map(|(_, c)| if c == 'n' { '\n' } else { c })),
            c => value.push(c),
        }
    }
    (value, "")
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::tz::TimeZone;

    fn clock() -> Clock {
        Clock { zone: TimeZone::UTC, now: "2026-01-31T12:00:00Z".parse().expect("a time") }
    }

    #[test]
    fn every_example_of_every_format_is_read_as_it_says() {
        let book = Book::builtin().expect("the formats compile");
        let mut wrong = Vec::new();
        for format in &book.formats {
            for example in &format.raw.examples {
                let place = format!("{}: {}", format.raw.format, example.text.lines().next().unwrap_or_default());
                let mut records = Vec::new();
                let limits = crate::trace::read::Limits::default();
                crate::trace::read::records(&book, example.text.as_bytes(), &clock(), limits, &mut |record| {
                    records.push(record.content.clone());
                })
                .expect("memory");
                let [content] = records.as_slice() else {
                    wrong.push(format!("{place}: {} records", records.len()));
                    continue;
                };
                let name = content.format.map(|index| book.formats[index].raw.format.as_str());
                let read = content.format.map(|index| &book.formats[index]);
                let says = read.zip(content.line).map(|(format, line)| format.raw.lines[line].says.as_str());
                let enclosing =
                    ["pelican", "syslog", "journald", "journald-export"].contains(&format.raw.format.as_str());
                if (name != Some(&format.raw.format) && !enclosing) || says != example.says.as_deref() {
                    wrong.push(format!("{place}: read as {name:?}, {says:?}"));
                }
                let time = content.when.map(|when| when.at.to_string());
                if time != example.time {
                    wrong.push(format!("{place}: time {time:?}"));
                }
                let expected: Vec<(Field, String)> = example
                    .fields
                    .iter()
                    .flat_map(|(field, values)| values.items().iter().map(|value| (*field, value.clone())))
                    .collect();
                let mut got = content.values.clone();
                got.sort();
                let mut expected = expected;
                expected.sort();
                if got != expected {
                    wrong.push(format!("{place}:\n     got {got:?}\n  wanted {expected:?}"));
                }
            }
            assert!(!format.raw.examples.is_empty(), "{} has no example", format.raw.format);
        }
        assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    }

    #[test]
    fn every_kind_of_record_has_an_example_and_every_setting_a_use() {
        let book = Book::builtin().expect("the formats compile");
        for format in &book.formats {
            let raw = &format.raw;
            for line in &raw.lines {
                let shown = raw.examples.iter().any(|example| example.says.as_deref() == Some(&line.says))
                    || ["pelican", "journald", "journald-export"].contains(&raw.format.as_str());
                assert!(shown, "{}: {} has no example", raw.format, line.says);
            }
            for setting in &raw.settings {
                let used = raw.lines.iter().flat_map(|line| &line.needs).any(|need| need.setting == setting.name);
                assert!(used, "{}: nothing needs {}", raw.format, setting.name);
            }
            assert!(!raw.sources.is_empty(), "{} has no source", raw.format);
        }
    }

    #[test]
    fn lists_of_names_and_values_are_read_with_their_quotes() {
        let read = pairs(r#"a=1 b="two \"words\"" c= d=e=f path="/x y""#);
        let expected = [("a", "1"), ("b", "two \"words\""), ("c", ""), ("d", "e=f"), ("path", "/x y")]
            .map(|(n, v)| (n, v.to_string()));
        assert_eq!(read, expected);
        assert_eq!(pairs("\"never closed=\"x"), [("closed", "x".to_string())]);
    }
}
