//! Reading members of a native mapping into [`Field`]s: one meaning of "absent", "wrong type" and "placeholder" for
//! all adapters.

use crate::model::{At, Field};
use crate::parse::{Cursor, Data};
use crate::redact;
use crate::scan::find::TAKEN_AWAY;

/// Reads members of one mapping.
#[derive(Clone, Copy)]
pub struct Reader<'d> {
    at: Cursor<'d>,
    document: u8,
}

/// What a template leaves open.
pub(super) const TEMPLATE: &str = "a template placeholder stands in its place";

/// True for text that a template engine fills in later (`${VAR}`, `$(env:X)`, `{{ … }}`, `<% … %>`, `%(x)s`, `@VAR@`,
/// `$VAR` as a whole), that a person is to fill in (`<client-secret>`, `xxxx`, `...`), or that somebody cut out
/// (`REDACTED`, `[redacted]`, `****`). A word that may be meant, such as `changeme`, is none.
pub fn is_placeholder(text: &str) -> bool {
    let bytes = text.as_bytes();
    let only = |known: fn(&u8) -> bool| bytes.len() >= 3 && bytes.iter().all(known);
    let whole = match bytes {
        [b'$', name @ ..] if !name.is_empty() => {
            name.iter().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || *b == b'_')
        }
        [b'@', .., b'@'] => text.len() > 2,
        // Digits may be those of a password.
        [b'<', name @ .., b'>'] if !name.is_empty() => {
            name.iter().all(|b| b.is_ascii_alphabetic() || matches!(b, b' ' | b'-' | b'_'))
        }
        [b'*', ..] if only(|b| *b == b'*') => true,
        [b'x' | b'X', ..] => only(|b| matches!(b, b'x' | b'X' | b'-')),
        [b'.', ..] => only(|b| *b == b'.'),
        [b'[' | b'(' | b'*' | b'_' | b'-' | b'R' | b'r', ..] => is_cut_out(text),
        _ => text == "…",
    };
    let opens = |at: usize| matches!(bytes.get(at..at + 2), Some(b"${" | b"$(" | b"{{" | b"<%"));
    whole || memchr::memchr3_iter(b'$', b'{', b'<', bytes).any(opens)
}

/// True for a word that says that something was taken away, with marks around it or alone when nothing else is meant by it.
fn is_cut_out(text: &str) -> bool {
    let word = text.trim_matches(['[', ']', '(', ')', '*', '_', '-']);
    let is = |known: &str| word.eq_ignore_ascii_case(known);
    let marked = || word.len() < text.len() && TAKEN_AWAY.into_iter().chain(["filtered"]).any(is);
    is("redacted") || marked() || redact::is_marker(word)
}

impl<'d> Reader<'d> {
    /// Reads from a mapping of the target's first document.
    pub fn new(at: Cursor<'d>) -> Self {
        Reader { at, document: 0 }
    }

    /// The same for another document of the target.
    pub fn of_document(at: Cursor<'d>, document: u8) -> Self {
        Reader { at, document }
    }

    /// The mapping itself.
    pub fn cursor(&self) -> Cursor<'d> {
        self.at
    }

    /// A reader on a member that is a mapping.
    pub fn map(&self, name: &str) -> Option<Reader<'d>> {
        self.at.get(name).filter(|member| member.is_map()).map(|at| Reader { at, ..*self })
    }

    /// The place of a node.
    pub fn place(&self, cursor: Cursor<'d>) -> At {
        At::node(cursor.id).of_document(self.document)
    }

    /// True when the member is there, null included.
    pub fn has(&self, name: &str) -> bool {
        self.at.has(name)
    }

    /// The place of a member, when it is there.
    pub fn at(&self, name: &str) -> Option<At> {
        self.at.get(name).map(|member| self.place(member))
    }

    fn member(&self, name: &str, read: impl FnOnce(Cursor<'d>, At) -> Field<'d>) -> Field<'d> {
        self.field(self.at.get(name), read)
    }

    /// What a member says that was looked up already, as [`Reader::text_of`] and the like read it.
    pub(super) fn field(
        &self,
        member: Option<Cursor<'d>>,
        read: impl FnOnce(Cursor<'d>, At) -> Field<'d>,
    ) -> Field<'d> {
        member.map_or_else(Field::default, |member| self.scalar(member, read))
    }

    fn scalar(&self, member: Cursor<'d>, read: impl FnOnce(Cursor<'d>, At) -> Field<'d>) -> Field<'d> {
        let at = self.place(member);
        match member.data() {
            Data::Null => Field { at: Some(at), ..Field::default() },
            Data::Text(_) if member.as_str().is_some_and(is_placeholder) => Field::unknown(TEMPLATE, at),
            _ => read(member, at),
        }
    }

    /// A string member. Null counts as absent; another type is malformed.
    pub fn text(&self, name: &str) -> Field<'d> {
        self.member(name, Self::text_of)
    }

    /// See [`Reader::text`].
    pub(super) fn text_of(member: Cursor<'d>, at: At) -> Field<'d> {
        match member.as_str() {
            Some(text) => Field::text(text, at),
            None => Field::malformed(format!("a string is expected, {} stands there", type_name(member)), at),
        }
    }

    /// A scalar member as text, numbers and booleans included (YAML and env values).
    pub fn any_text(&self, name: &str) -> Field<'d> {
        self.member(name, |member, at| match member.scalar_text() {
            Some(text) => Field::text(text, at),
            None => Field::malformed(format!("a single value is expected, {} stands there", type_name(member)), at),
        })
    }

    /// A whole number. Null counts as absent; fractions, numbers beyond 64 bits and other types are malformed.
    pub fn int(&self, name: &str) -> Field<'d> {
        self.member(name, |member, at| match (member.as_i64(), member.data()) {
            (Some(number), _) => Field::int(number, at),
            (None, Data::Number) => Field::malformed("the number is no whole number within 64 bits", at),
            _ => Field::malformed(format!("a number is expected, {} stands there", type_name(member)), at),
        })
    }

    /// A whole number that may be written as a string of digits (env values, Keycloak attributes, web forms).
    pub fn int_or_digits(&self, name: &str) -> Field<'d> {
        self.member(name, |member, at| {
            let text = member.scalar_text().unwrap_or("").trim();
            match (member.as_i64(), text.parse::<i64>()) {
                (Some(number), _) | (None, Ok(number)) => Field::int(number, at),
                _ if text.is_empty() && member.scalar_text().is_some() => Field { at: Some(at), ..Field::default() },
                _ => Field::malformed("a whole number is expected", at),
            }
        })
    }

    /// A boolean. Null counts as absent; other types are malformed.
    pub fn bool(&self, name: &str) -> Field<'d> {
        self.member(name, |member, at| match member.as_bool() {
            Some(value) => Field::bool(value, at),
            None => Field::malformed(format!("true or false is expected, {} stands there", type_name(member)), at),
        })
    }

    /// A boolean that may be written as a string (`"true"`, `"false"`, any case).
    pub fn bool_or_text(&self, name: &str) -> Field<'d> {
        self.member(name, |member, at| match member.as_bool() {
            Some(value) => Field::bool(value, at),
            None => match member.as_str().map(str::to_ascii_lowercase).as_deref() {
                Some("true") => Field::bool(true, at),
                Some("false") => Field::bool(false, at),
                Some("") => Field { at: Some(at), ..Field::default() },
                _ => Field::malformed("true or false is expected", at),
            },
        })
    }

    /// A list of strings. Null counts as absent; a wrong element type is malformed at the element.
    pub fn texts(&self, name: &str) -> Field<'d> {
        self.member(name, Self::texts_of)
    }

    /// See [`Reader::texts`].
    pub(super) fn texts_of(member: Cursor<'d>, at: At) -> Field<'d> {
        match member.is_seq() {
            true => Self::items_of(member, at),
            false => Field::malformed(format!("a list is expected, {} stands there", type_name(member)), at),
        }
    }

    /// The strings of a list node.
    pub fn items(&self, list: Cursor<'d>) -> Field<'d> {
        Self::items_of(list, self.place(list))
    }

    fn items_of(list: Cursor<'d>, at: At) -> Field<'d> {
        let reader = Reader { at: list, document: at.document };
        Field::list(list.items().map(|item| reader.scalar(item, Self::text_of)).collect(), at)
    }

    /// A list of strings, or one string that counts as a list of one.
    pub fn text_or_texts(&self, name: &str) -> Field<'d> {
        self.member(name, Self::text_or_texts_of)
    }

    /// See [`Reader::text_or_texts`].
    pub(super) fn text_or_texts_of(member: Cursor<'d>, at: At) -> Field<'d> {
        match member.as_str() {
            Some(text) => Field::list(vec![Field::text(text, at)], at),
            None if member.is_seq() => Self::items_of(member, at),
            None => Field::malformed(
                format!("a string or a list of strings is expected, {} stands there", type_name(member)),
                at,
            ),
        }
    }

    /// A space-separated string as a list; every word points at its own characters.
    pub fn words(&self, name: &str) -> Field<'d> {
        self.member(name, Self::words_of)
    }

    /// See [`Reader::words`].
    pub(super) fn words_of(member: Cursor<'d>, at: At) -> Field<'d> {
        match member.as_str() {
            Some(text) => {
                let words = text.split_ascii_whitespace().enumerate();
                Field::list(words.map(|(index, word)| Field::text(word, at.word(index))).collect(), at)
            }
            None => Field::malformed(
                format!("a space-separated string is expected, {} stands there", type_name(member)),
                at,
            ),
        }
    }

    /// A space-separated string or a list.
    pub fn words_or_texts(&self, name: &str) -> Field<'d> {
        match self.at.get(name) {
            Some(member) if member.is_seq() => self.texts(name),
            _ => self.words(name),
        }
    }

    /// The first of several spellings that is there, else the first: products that name one thing in two ways.
    pub fn which(&self, names: &[&'static str]) -> &'static str {
        names.iter().find(|name| self.has(name)).or(names.first()).copied().unwrap_or_default()
    }

    /// A string member whose empty form means "not set".
    pub fn filled(&self, name: &str) -> Field<'d> {
        let field = self.text(name);
        if field.as_text() == Some("") { Field { at: field.at, ..Field::default() } } else { field }
    }

    /// A boolean that may be written as 0 or 1 (database rows) or as text.
    pub fn flag(&self, name: &str) -> Field<'d> {
        match self.at.get(name).map(|member| (member.as_i64(), self.place(member))) {
            Some((Some(number @ (0 | 1)), at)) => Field::bool(number == 1, at),
            _ => self.bool_or_text(name),
        }
    }

    /// A point in time given in milliseconds since 1970, as whole seconds.
    pub fn epoch_millis(&self, name: &str) -> Field<'d> {
        let field = self.int(name);
        match field.as_int() {
            Some(millis) => Field::int(millis.div_euclid(1000), field.at),
            None => field,
        }
    }

    /// A point in time given as text: a date, a date with time, with or without offset. Without an offset it is
    /// read as UTC; a date alone means its midnight.
    pub fn date_time(&self, name: &str) -> Field<'d> {
        self.member(name, |member, at| match member.as_str().map(str::trim) {
            Some("") => Field { at: Some(at), ..Field::default() },
            Some(text) => match epoch_seconds(text) {
                Some(seconds) => Field::int(seconds, at),
                None => Field::malformed("a date such as 2026-01-31 or 2026-01-31T12:00:00Z is expected", at),
            },
            None => {
                Field::malformed(format!("a date in text form is expected, {} stands there", type_name(member)), at)
            }
        })
    }
}

/// Seconds since 1970 of a date or date with time; `None` when it is neither or lies outside the years 0 to 9999.
pub(super) fn epoch_seconds(text: &str) -> Option<i64> {
    use jiff::{Timestamp, civil};
    if let Ok(stamp) = text.parse::<Timestamp>() {
        return Some(stamp.as_second());
    }
    let utc = |time: civil::DateTime| time.to_zoned(jiff::tz::TimeZone::UTC).ok().map(|t| t.timestamp().as_second());
    if text.len() == "2026-01-31".len() {
        return text.parse::<civil::Date>().ok().and_then(|date| utc(date.at(0, 0, 0, 0)));
    }
    // Java's `Z` pattern writes offsets without a colon.
    ["%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%dT%H:%M:%S%.f%z"]
        .iter()
        .find_map(|format| Timestamp::strptime(format, text).ok())
        .map(|stamp| stamp.as_second())
        .or_else(|| text.parse::<civil::DateTime>().ok().and_then(utc))
}

/// How a JSON type is called in messages.
pub(super) fn type_name(cursor: Cursor<'_>) -> &'static str {
    match cursor.data() {
        Data::Null => "null",
        Data::Bool(_) => "a boolean",
        Data::Number => "a number",
        Data::Text(_) => "a string",
        Data::Seq => "a list",
        Data::Map => "a mapping",
        Data::Skipped => "an unread element",
    }
}

/// One of [`crate::model::Service::log_settings`]: `name=value`, or `name=?` when the value is not known.
pub(super) fn log_setting<'d>(name: &str, value: &Field<'_>) -> Option<Field<'d>> {
    match value.as_text() {
        Some(text) => Some(Field::text(format!("{name}={text}"), value.at)),
        // Nothing in the file sets it.
        None if value.at.is_none() => None,
        None => Some(Field::text(format!("{name}=?"), value.at)),
    }
}

/// The settings that a file shows.
pub(super) fn log_settings<'d>(found: impl IntoIterator<Item = Option<Field<'d>>>) -> Field<'d> {
    let items: Vec<Field<'d>> = found.into_iter().flatten().collect();
    if items.is_empty() { Field::default() } else { Field::list(items, None) }
}

#[cfg(test)]
mod tests {
    use super::{epoch_seconds, is_placeholder};

    #[test]
    fn what_is_to_be_filled_in_or_was_cut_out_is_known() {
        for text in [
            "${VAR}",
            "$(env:X)",
            "a {{ .Values.x }}",
            "<% x %>",
            "$VAR_2",
            "@VAR@",
            "REDACTED",
            "redacted",
            "[REDACTED]",
            "(redacted)",
            "***REDACTED***",
            "__hidden__",
            "[removed]",
            "[FILTERED]",
            "<token>",
            "<your client-secret>",
            "***",
            "**********",
            "xxx",
            "XXXX-XXXX",
            "...",
            "…",
            "REDACTED-jwt-0123456789ab",
            "REDACTED-jwt-0123456789ab(jti=a,exp=20260101T000000Z)",
        ] {
            assert!(is_placeholder(text), "{text}");
        }
        for text in [
            "",
            "$",
            "@",
            "*",
            "**",
            "/a/**",
            "xx",
            "x-ray",
            "..",
            "./a",
            "hunter2",
            "changeme",
            "secret",
            "hidden",
            "removed",
            "[hunter]",
            "<>",
            "<hunter2>",
            "<127.0.0.1:9618>",
            "-1",
            "_",
            "()",
            "REDACTED-hunter2",
            "unredacted",
        ] {
            assert!(!is_placeholder(text), "{text}");
        }
    }

    #[test]
    fn dates_of_the_products_are_read() {
        for (text, expected, remark) in [
            ("1970-01-02", Some(86_400), "INDIGO IAM last_used"),
            ("1970-01-01 00:01:00", Some(60), "database row"),
            ("1970-01-01T00:01:00Z", Some(60), "RFC 3339"),
            ("1970-01-01T01:01:00+01:00", Some(60), "with offset"),
            ("1970-01-01T01:01:00+0100", Some(60), "MITREid: offset without colon"),
            ("2022-01-19T19:55:55.172Z", Some(1_642_622_155), "OA4MP, with milliseconds"),
            ("last week", None, "no date"),
            ("1970-13-01", None, "no such month"),
            ("", None, "empty"),
        ] {
            assert_eq!(epoch_seconds(text), expected, "{remark}");
        }
    }
}
