//! Messages: a template with `{field}` placeholders and how values are shown to people.

use super::condition::{Defect, Limit, Scope, Violation, field_index};
use crate::model::{Field, FieldSpec, FieldType, State, Value};
use crate::report::text;
use crate::source::mask;
use std::borrow::Cow;
use std::fmt::Write as _;

/// Longest value a message quotes, in characters.
const MAX_QUOTED: usize = 120;
/// The same for an element that is judged on its own, which may be a sentence of ours.
const MAX_ITEM: usize = 500;

/// A compiled template.
#[derive(Debug, Clone)]
pub(crate) struct Template {
    parts: Vec<Part>,
}

#[derive(Debug, Clone)]
enum Part {
    Text(String),
    Field(usize),
    /// A field, and what is said where it is absent.
    Or(usize, String),
    /// A number with the noun that it counts.
    Counted(usize, String),
    /// Of the target that `join` found.
    Other(usize, FieldType),
    Item,
    Limit,
    Profile,
    Reason,
}

impl Part {
    /// `{count time}`: the noun is in the singular.
    fn counted(name: &str, noun: &str, specs: &[FieldSpec]) -> Result<Self, Defect> {
        let index = field_index(specs, name)?;
        match specs[index].ty {
            FieldType::Int => Ok(Part::Counted(index, noun.to_string())),
            FieldType::Text
            | FieldType::Url
            | FieldType::Seconds
            | FieldType::Time
            | FieldType::Bool
            | FieldType::Texts
            | FieldType::Urls => Err(format!("`{name}` is no number, so it counts no {noun}")),
        }
    }

    fn named(name: &str, specs: &[FieldSpec], other: &[FieldSpec]) -> Result<Self, Defect> {
        match name.strip_prefix("other.").filter(|_| !other.is_empty()) {
            Some(name) => field_index(other, name).map(|index| Part::Other(index, other[index].ty)),
            None => field_index(specs, name).map(Part::Field),
        }
    }
}

impl Template {
    /// Parses `{name}` placeholders; `{{` and `}}` are literal braces.
    pub(crate) fn compile(text: &str, specs: &[FieldSpec], other: &[FieldSpec]) -> Result<Self, Defect> {
        let mut parts = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            literal.push_str(&rest[..at]);
            let tail = &rest[at..];
            if tail.starts_with("{{") || tail.starts_with("}}") {
                literal.push_str(&tail[..1]);
                rest = &tail[2..];
                continue;
            }
            let Some(end) = tail.find('}').filter(|_| tail.starts_with('{')) else {
                return Err("`message`: a brace stands alone; write `{{` or `}}` for a literal one".into());
            };
            if !literal.is_empty() {
                parts.push(Part::Text(std::mem::take(&mut literal)));
            }
            parts.push(match &tail[1..end] {
                "item" => Part::Item,
                "limit" => Part::Limit,
                "profile" => Part::Profile,
                "reason" => Part::Reason,
                name => match (name.split_once('|'), name.split_once(' ')) {
                    (Some((name, absent)), _) => {
                        field_index(specs, name).map(|index| Part::Or(index, absent.to_string()))
                    }
                    (None, Some((name, noun))) => Part::counted(name, noun, specs),
                    (None, None) => Part::named(name, specs, other),
                }
                .map_err(|defect| format!("`message`: {defect}"))?,
            });
            rest = &tail[end + 1..];
        }
        literal.push_str(rest);
        if !literal.is_empty() {
            parts.push(Part::Text(literal));
        }
        Ok(Template { parts })
    }

    /// Indexes of the fields it quotes.
    pub(crate) fn reads(&self) -> Vec<usize> {
        let field = |part: &Part| match part {
            Part::Field(index) | Part::Or(index, _) | Part::Counted(index, _) => Some(*index),
            Part::Text(_) | Part::Other(..) | Part::Item | Part::Limit | Part::Profile | Part::Reason => None,
        };
        self.parts.iter().filter_map(field).collect()
    }

    /// The same of the target that `join` found.
    pub(crate) fn reads_other(&self) -> Vec<usize> {
        let field = |part: &Part| match part {
            Part::Other(index, _) => Some(*index),
            Part::Text(_)
            | Part::Field(_)
            | Part::Or(..)
            | Part::Counted(..)
            | Part::Item
            | Part::Limit
            | Part::Profile
            | Part::Reason => None,
        };
        self.parts.iter().filter_map(field).collect()
    }

    /// Fills the template. Quoted values are shortened and freed of everything that looks like a secret; `hide`
    /// lists texts known to be secret.
    pub(crate) fn render(&self, scope: &Scope<'_, '_>, violation: &Violation, profile: &str) -> String {
        const USUAL: usize = 120;
        let mut out = String::with_capacity(USUAL);
        for part in &self.parts {
            match part {
                Part::Text(text) => out.push_str(text),
                Part::Profile => out.push_str(profile),
                Part::Reason => out.push_str(&quote(&violation.reason)),
                Part::Limit => out.push_str(&scope.limit.map_or_else(String::new, |limit| show_limit(limit, scope))),
                Part::Item => match (&violation.item, scope.item) {
                    (Some(item), _) => out.push_str(&shortened(item, MAX_ITEM)),
                    (None, Some(item)) => match item.as_text() {
                        Some(text) => out.push_str(&shortened(text, MAX_ITEM)),
                        None => out.push_str(&show(item, FieldType::Text)),
                    },
                    (None, None) => {}
                },
                Part::Other(index, ty) => {
                    let other = scope.other.map_or(Field::absent(), |other| other.field(*index));
                    out.push_str(&show(other, *ty));
                }
                Part::Counted(index, noun) => {
                    let field = scope.record.field(*index);
                    let number = field.as_int().and_then(|number| u64::try_from(number).ok());
                    let _ = match number {
                        Some(number) => write!(out, "{number} {}", text::plural(number, noun)),
                        None => write!(out, "{} {}", show(field, FieldType::Int), text::plural(0, noun)),
                    };
                }
                Part::Or(index, absent) if scope.record.field(*index).is_absent() => out.push_str(absent),
                Part::Field(index) | Part::Or(index, _) => {
                    out.push_str(&show(scope.record.field(*index), scope.specs[*index].ty));
                }
            }
        }
        out
    }
}

fn show_limit(limit: Limit, scope: &Scope<'_, '_>) -> String {
    // A bound below 100 is a count, a key size is never a multiple of 60; everything else is a duration.
    let is_time = scope.specs.iter().any(|spec| spec.ty == FieldType::Seconds) && limit.value >= 60;
    let bound = if is_time { duration(limit.value) } else { limit.value.to_string() };
    // Every limit that excludes its own value is a maximum.
    if limit.exclusive { format!("less than {bound}") } else { bound }
}

/// Shortens, hides secret shapes; control characters are escaped by the writers.
pub(crate) fn quote(text: &str) -> Cow<'_, str> {
    shortened(text, MAX_QUOTED)
}

fn shortened(text: &str, most: usize) -> Cow<'_, str> {
    let masked = mask::redact(text);
    // No text has more characters than bytes.
    if masked.len() <= most || masked.chars().count() <= most {
        return masked;
    }
    masked.chars().take(most).chain(['…']).collect()
}

/// A field as people read it.
pub(crate) fn show<'f>(field: &'f Field<'_>, ty: FieldType) -> Cow<'f, str> {
    match &field.state {
        State::Absent => "nothing".into(),
        State::Unknown(_) => "unknown".into(),
        State::Malformed(_) => "malformed".into(),
        State::Unlimited => "without limit".into(),
        State::Value(Value::Int(number)) => match ty {
            FieldType::Seconds => duration(*number).into(),
            FieldType::Time => time(*number).into(),
            FieldType::Text
            | FieldType::Url
            | FieldType::Int
            | FieldType::Bool
            | FieldType::Texts
            | FieldType::Urls => number.to_string().into(),
        },
        State::Value(Value::Bool(value)) => value.to_string().into(),
        State::Value(Value::Text(text)) => quote(text),
        State::Value(Value::List(items)) => {
            let texts: Vec<Cow<'_, str>> = items.iter().map(|item| show(item, FieldType::Text)).collect();
            if texts.is_empty() { "nothing".into() } else { quote(&listed(&texts)).into_owned().into() }
        }
    }
}

/// The first few texts, each once, with how often it stands there.
fn listed(texts: &[Cow<'_, str>]) -> String {
    const SHOWN: usize = 5;
    let mut distinct: Vec<(&str, usize)> = Vec::new();
    let mut counted = 0;
    for text in texts {
        match distinct.iter().position(|(known, _)| known == text) {
            Some(index) => distinct[index].1 += 1,
            None if distinct.len() < SHOWN => distinct.push((text, 1)),
            None => continue,
        }
        counted += 1;
    }
    let mut parts: Vec<String> = distinct
        .into_iter()
        .map(|(text, count)| if count == 1 { text.to_string() } else { format!("{text} ×{count}") })
        .collect();
    if counted < texts.len() {
        parts.push(format!("… {} more", texts.len() - counted));
    }
    parts.join(", ")
}

/// Seconds as "4 d (345600 s)"; the exact number always stands beside a rounded one.
pub(crate) fn duration(seconds: i64) -> String {
    // Two whole units at most: "24 h 1 min" says more than "24.0 h".
    let units = |large: i64, name: &str, small: i64, rest: &str| match (seconds % large, seconds % small) {
        (0, _) => format!("{} {name}", seconds / large),
        (over, 0) if seconds > 0 => format!("{} {name} {} {rest}", seconds / large, over / small),
        _ => format!("{:.1} {name}", seconds as f64 / large as f64),
    };
    match seconds.unsigned_abs() {
        0..120 => format!("{seconds} s"),
        120..7200 if seconds % 60 == 0 => format!("{} min ({seconds} s)", seconds / 60),
        120..7200 => format!("{seconds} s"),
        7200..172_800 => format!("{} ({seconds} s)", units(3600, "h", 60, "min")),
        _ => format!("{} ({seconds} s)", units(86_400, "d", 3600, "h")),
    }
}

/// Seconds since 1970 as RFC 3339 in UTC; numbers beyond year 9999 stay numbers.
pub(crate) fn time(seconds: i64) -> String {
    match jiff::Timestamp::from_second(seconds) {
        Ok(timestamp) => timestamp.to_string(),
        Err(_) => format!("{seconds} s after 1970, beyond year 9999"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_numbers_count_something_and_only_fields_are_told() {
        let specs = crate::model::Leak::FIELDS;
        for (text, ok) in [
            ("found {count time} in {files file}", true),
            ("{form time}", false),
            ("{remaining second}", false),
            ("{nothing time}", false),
            ("{count} {time}", false),
            ("of {issuer|an unknown issuer}", true),
            ("of {nobody|an unknown issuer}", false),
        ] {
            assert_eq!(Template::compile(text, specs, &[]).is_ok(), ok, "{text}");
        }
    }

    #[test]
    fn durations_and_times_read_well_and_stay_exact() {
        for (seconds, text) in [
            (0, "0 s"),
            (90, "90 s"),
            (3600, "60 min (3600 s)"),
            (21_600, "6 h (21600 s)"),
            (345_600, "4 d (345600 s)"),
            (100_000, "27.8 h (100000 s)"),
            (86_460, "24 h 1 min (86460 s)"),
            (356_400, "4 d 3 h (356400 s)"),
            (-360_000, "-4.2 d (-360000 s)"),
            (-60, "-60 s"),
        ] {
            assert_eq!(duration(seconds), text);
        }
        let texts = ["a", "b", "a", "a", "c", "d", "e", "f", "g"].map(Cow::from);
        assert_eq!(listed(&texts), "a ×3, b, c, d, e, … 2 more");
        assert_eq!(time(0), "1970-01-01T00:00:00Z");
        assert!(time(i64::MAX).contains("beyond year 9999"));
    }
}
