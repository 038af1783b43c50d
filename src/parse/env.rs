//! `KEY=value` lines: docker and compose env files, systemd `EnvironmentFile`s, shell fragments with `export`.
//!
//! The dialects differ; this is what they share, read so that a value is never cut short silently:
//!
//! * blank lines, and lines whose first character is `#` or `;`, are skipped; `export ` before a key is tolerated,
//!   spaces around `=` too;
//! * a value in quotes may span lines. In double quotes a backslash escapes `"`, `\`, `$` and a backtick; before a
//!   line break it joins the lines; elsewhere it stands for itself. Single quotes escape nothing. When text follows
//!   the closing quote, the quotes belong to the value;
//! * any other value ends at the line's end or at a space and `#`, and goes on in the next line after a trailing
//!   backslash; spaces around it are dropped. `${VAR}` is kept as it stands.
//!
//! The root is a mapping of strings; a later assignment of the same key is noted. Spans of quoted values include the
//! quotes.

use super::{Data, ParseError, Text, Tree, TreeBuilder};
use crate::source::Span;

/// Reads a whole file. An error is the first line that is no assignment, or a quote that is never closed.
pub fn read(text: &str) -> Result<Tree, ParseError> {
    let mut builder = TreeBuilder::new();
    let mut at = if text.starts_with('\u{feff}') { 3 } else { 0 };
    builder.open(Data::Map, at);
    while at < text.len() {
        let line = &text[at..line_end(text, at)];
        let start = at + (line.len() - line.trim_start().len());
        let trimmed = line.trim();
        if trimmed.is_empty() {
            at = next_line(text, at);
        } else if trimmed.starts_with(['#', ';']) {
            builder.comment(Span::new(start, start + trimmed.len()));
            at = next_line(text, at);
        } else {
            at = assignment(text, start, &mut builder)?;
        }
    }
    builder.close(text.len(), text);
    Ok(builder.finish())
}

/// Offset of the line break, or of the end of the text.
fn line_end(text: &str, at: usize) -> usize {
    memchr::memchr(b'\n', &text.as_bytes()[at..]).map_or(text.len(), |found| at + found)
}

fn next_line(text: &str, at: usize) -> usize {
    (line_end(text, at) + 1).min(text.len())
}

/// Reads one assignment; the result is the offset of the next line.
fn assignment(text: &str, start: usize, builder: &mut TreeBuilder) -> Result<usize, ParseError> {
    let line = &text[start..line_end(text, start)];
    let exported = line.strip_prefix("export").filter(|rest| rest.starts_with([' ', '\t']));
    let name_at = start + exported.map_or(0, |rest| line.len() - rest.trim_start().len());
    let Some((name, _)) = text[name_at..start + line.len()].split_once('=') else {
        return Err(ParseError::at(start, "no assignment; every line is KEY=value, a comment, or blank"));
    };
    let key = name.trim_end();
    let well_formed = key.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && key.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'));
    if !well_formed {
        return Err(ParseError::at(
            name_at,
            "no name of a variable: letters, digits and _ are allowed, a digit not in front",
        ));
    }
    let key_span = Span::new(name_at, name_at + key.len());
    let rest = &text[name_at + name.len() + 1..start + line.len()];
    let value_at = start + line.len() - rest.trim_start().len();
    let (value, span, end) = match quoted(text, value_at)? {
        Some(found) => found,
        None => unquoted(text, value_at),
    };
    builder.key(Text::Raw(key_span), key_span);
    builder.leaf(Data::Text(value), span);
    if let Some(hash) = text[end..line_end(text, end)].find('#') {
        let comment = text[end + hash..line_end(text, end)].trim_end();
        builder.comment(Span::new(end + hash, end + hash + comment.len()));
    }
    Ok(next_line(text, end))
}

/// A value in quotes, its span and the offset behind it; `None` when the value is not one quoted string.
fn quoted(text: &str, at: usize) -> Result<Option<(Text, Span, usize)>, ParseError> {
    let quote = match text.as_bytes().get(at) {
        Some(quote @ (b'"' | b'\'')) => *quote,
        _ => return Ok(None),
    };
    let mut end = at + 1;
    loop {
        match text.as_bytes().get(end) {
            Some(byte) if *byte == quote => break,
            Some(b'\\') if quote == b'"' => end += 2,
            Some(_) => end += 1,
            None => return Err(ParseError::at(at, "the quote is never closed; close it, or escape it in the value")),
        }
    }
    let rest = text[end + 1..line_end(text, end + 1)].trim_end();
    if !(rest.is_empty() || rest.trim_start().starts_with('#') && rest.starts_with([' ', '\t'])) {
        return Ok(None);
    }
    let inner = Span::new(at + 1, end);
    let raw = &text[inner.range()];
    let value = match quote == b'"' && raw.contains('\\') {
        true => Text::Owned(unescape(raw).into_boxed_str()),
        false => Text::Raw(inner),
    };
    Ok(Some((value, Span::new(at, end + 1), end + 1)))
}

fn unescape(raw: &str) -> String {
    let mut value = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = rest.find('\\') {
        value.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(joined) = rest.strip_prefix("\r\n").or_else(|| rest.strip_prefix('\n')) {
            rest = joined;
        } else if let Some(escaped @ ('"' | '\\' | '$' | '`')) = rest.chars().next() {
            value.push(escaped);
            rest = &rest[1..];
        } else {
            value.push('\\');
        }
    }
    value.push_str(rest);
    value
}

/// A value up to the end of its line (or lines), its span and the offset behind it.
fn unquoted(text: &str, at: usize) -> (Text, Span, usize) {
    let mut joined: Option<String> = None;
    let mut from = at;
    loop {
        let line = &text[from..line_end(text, from)];
        let body = line.strip_suffix('\r').unwrap_or(line);
        let comment = if from == at && body.starts_with('#') { Some(0) } else { space_and_hash(body) };
        let continued = comment.is_none() && body.ends_with('\\') && next_line(text, from) > from + line.len();
        if continued {
            joined.get_or_insert_default().push_str(&body[..body.len() - 1]);
            from = next_line(text, from);
            if from < text.len() {
                continue;
            }
            let value = joined.unwrap_or_default().trim().to_string();
            let end = at + text[at..from].trim_end().len();
            return (Text::Owned(value.into()), Span::new(at, end), from);
        }
        let body = body[..comment.unwrap_or(body.len())].trim_end();
        let span = Span::new(at, from + body.len());
        let value = match joined {
            None => Text::Raw(span),
            Some(start) => Text::Owned((start + body).trim().into()),
        };
        return (value, span, from + body.len());
    }
}

/// Where a comment begins behind a value.
fn space_and_hash(body: &str) -> Option<usize> {
    body.match_indices('#').map(|(at, _)| at).find(|&at| body[..at].ends_with([' ', '\t']))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::{Document, Syntax};
    use crate::source::Source;
    use std::sync::Arc;

    fn document(text: &str) -> Document {
        let source = Arc::new(Source::from_text("t", text));
        let tree = read(source.text()).unwrap_or_else(|error| panic!("{text}: {error}"));
        Document::new(source, Syntax::Env, tree)
    }

    #[test]
    fn values_in_every_spelling() {
        for (text, value, slice, remark) in [
            ("K=v", "v", "v", "plain"),
            ("K=", "", "", "empty"),
            ("K=\r\n", "", "", "empty, CRLF"),
            ("\u{feff}K=v\r\n", "v", "v", "byte order mark and CRLF"),
            ("K=a=b", "a=b", "a=b", "= in the value"),
            ("  export  K =  a b  ", "a b", "a b", "export and spaces"),
            ("exported=1", "1", "1", "a name that starts with export"),
            ("K=\"a b\"", "a b", "\"a b\"", "double quotes"),
            ("K='a \\b'", "a \\b", "'a \\b'", "single quotes escape nothing"),
            (r#"K="a\"b\\c\$d\n""#, "a\"b\\c$d\\n", r#""a\"b\\c\$d\n""#, "escapes"),
            ("K=\"a\nb\" # c", "a\nb", "\"a\nb\"", "quotes over lines"),
            ("K=\"a\\\nb\"", "ab", "\"a\\\nb\"", "joined lines in quotes"),
            ("K=\"a\"b", "\"a\"b", "\"a\"b", "text behind the quote"),
            ("K=a \\\r\n  b\r\n", "a   b", "a \\\r\n  b", "continued line"),
            ("K=a\\\n", "a", "a\\", "continuation at the end"),
            ("K=a\\", "a\\", "a\\", "a backslash at the end of the text"),
            ("K=a#b # c", "a#b", "a#b", "comment behind a space"),
            ("K= # c", "", "", "comment only"),
            ("K=${X:-é}", "${X:-é}", "${X:-é}", "variables stay"),
        ] {
            let document = document(text);
            let member = document.root().items().next().expect(remark);
            assert_eq!(member.as_str(), Some(value), "{remark}");
            assert_eq!(document.source.slice(member.span()), slice, "{remark}");
            let key = member.key_span().map(|span| document.source.slice(span));
            assert_eq!(key, member.key(), "{remark}");
        }
    }

    #[test]
    fn comments_and_repeated_keys() {
        let document = document("# a\n; b\n\nA=1 # c\nA=2\n");
        let comments: Vec<_> = document.tree.comments.iter().map(|span| document.source.slice(*span)).collect();
        assert_eq!(comments, ["# a", "; b", "# c"]);
        assert_eq!(document.tree.notes.len(), 1);
        assert_eq!(document.pointer(document.tree.notes[0].node), "/A#2");
    }

    #[test]
    fn lines_that_are_no_assignment_are_errors() {
        for (text, offset) in [
            ("A=1\nset -a\n", 4),
            ("  1A=x", 2),
            ("A B=1", 0),
            ("=1", 0),
            ("A=1\nB=\"x\n", 6),
            ("K=\"\\", 2),
            ("{\"a\":1}", 0),
        ] {
            assert_eq!(read(text).expect_err(text).span.start, offset, "{text}");
        }
    }
}
