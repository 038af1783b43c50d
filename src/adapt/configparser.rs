//! Files that Python's `configparser` reads, and others of that shape: values as the products take them.

use super::read::TEMPLATE;
use super::{Reader, is_placeholder};
use crate::model::{At, Field};
use crate::near::distance;
use crate::parse::Cursor;

/// What stands for a value in a file that nobody has filled in yet.
const BLANKS: [&str; 2] = ["replacethis", "changeme"];

/// True for a value that something else fills in: a template, or `configparser` from other keys.
fn is_open(text: &str) -> bool {
    is_placeholder(text) || text.contains("%(")
}

/// True for a value that is still to be filled in.
pub(super) fn is_blank(text: &str) -> bool {
    let text = text.trim();
    text.is_empty()
        || is_open(text)
        || BLANKS.contains(&text.to_ascii_lowercase().as_str())
        || (text.starts_with('<') && text.ends_with('>'))
}

/// A value that is filled in; unknown where a template stands in its place, absent where it is empty.
pub(super) fn text<'d>(section: &Reader<'d>, key: &str) -> Field<'d> {
    let field = section.filled(key);
    match field.as_text() {
        Some(text) if is_blank(text) => Field::unknown("it is still to be filled in", field.at),
        _ => field,
    }
}

/// What `getboolean` takes for yes and no; anything else is an error there.
pub(super) fn boolean<'d>(section: &Reader<'d>, key: &str) -> Field<'d> {
    let field = section.text(key);
    match field.as_text().map(|text| text.trim().to_ascii_lowercase()).as_deref() {
        Some("1" | "yes" | "true" | "on") => Field::bool(true, field.at),
        Some("0" | "no" | "false" | "off") => Field::bool(false, field.at),
        Some(_) => Field::malformed("one of true, false, yes, no, on, off, 1 and 0 is expected", field.at),
        None => field,
    }
}

/// The words of a value, each with its place.
pub(super) fn words<'d>(section: &Reader<'d>, key: &str, separators: &[char]) -> Field<'d> {
    let Some(at) = section.cursor().get(key) else { return Field::default() };
    let place = At::node(at.id);
    match at.scalar_text() {
        Some(text) if is_open(text) => Field::unknown(TEMPLATE, place),
        Some(text) => {
            let words = text.split(separators).map(str::trim).filter(|word| !word.is_empty()).enumerate();
            Field::list(words.map(|(index, word)| Field::text(word, place.word(index))).collect(), place)
        }
        None => Field::malformed("a text is expected", place),
    }
}

/// The name before the first separator of a line of keys and values; `None` for other lines.
pub(super) fn key_of(line: &str) -> Option<&str> {
    let name = line.split_once('=')?.0.trim_end();
    (!name.is_empty() && !name.contains(['"', '\'', '{', '$', '('])).then_some(name)
}

/// The known name that differs by its case, or by two letters at most where it is long enough to tell; `None` when the
/// name itself is known, or nothing is near.
pub(super) fn misspelt<'k>(name: &str, known: &[&'k str]) -> Option<&'k str> {
    // Letters are compared only where the lengths allow it: a file may hold very many names.
    let close = |known: &&&str| known.len().abs_diff(name.len()) <= 2 && known.len() <= 64;
    if known.contains(&name) {
        return None;
    }
    let same = known.iter().find(|known| known.eq_ignore_ascii_case(name));
    let near = || known.iter().filter(close).find(|known| name.len() > 6 && distance(known, name) <= 2);
    same.or_else(near).copied()
}

/// The sections of a file, in order; entries before the first belong to none.
pub(super) fn sections(root: Cursor<'_>) -> impl Iterator<Item = (&str, Cursor<'_>)> {
    root.entries().filter(|(_, member)| member.is_map())
}
