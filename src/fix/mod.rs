//! Fixes: changes of a file that a rule declares safe, since they say what was meant in the words its product understands.
//!
//! A rule names its [`Fix`]; [`edits`] makes it at the bytes a finding points at. Nothing here decides that a fix is good:
//! the caller judges the changed text again, and takes the change only when the finding is gone and no new one is there.

use crate::edit::Edit;
use crate::model::url::Url;
use crate::parse::{Cursor, Document};
use crate::source::{Source, Span};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What is done at the place of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Fix {
    /// The quotes around the value go.
    Unquote,
    /// What follows `#` in the line becomes a comment line of its own before it.
    CommentAbove,
    /// Blanks around the semicolons of the value go.
    NoBlanks,
    /// Every line of the file ends with a line feed only.
    LineFeeds,
    /// The slash at the end of the value goes.
    NoTrailingSlash,
    /// The URL is written in normal form: lower-case host, no default port, no slash at its end.
    NormalUrl,
    /// The member goes.
    RemoveMember,
}

/// The edits of a fix at the bytes a finding points at, in the documents the source was read as; `None` where the text is
/// not what the fix is for. `removed` are the values of all members that go, this one among them.
pub fn edits(source: &Source, documents: &[&Document], at: Span, fix: Fix, removed: &[Span]) -> Option<Vec<Edit>> {
    let text = source.text();
    let value = text.get(at.range())?;
    let one = |span: Span, text: String| Some(vec![Edit { span, text }]);
    match fix {
        Fix::Unquote => {
            let (start, inner) = quoted(value)?;
            let start = at.start as usize + start;
            one(Span::new(start, start + inner.len() + 2), inner.to_string())
        }
        Fix::CommentAbove => comment_above(text, at),
        Fix::NoBlanks => {
            let parts: Vec<&str> = value.split(';').map(str::trim).collect();
            one(at, parts.join(";")).filter(|_| value.contains(';'))
        }
        Fix::LineFeeds => {
            let found = memchr::memmem::find_iter(text.as_bytes(), b"\r\n");
            let edits: Vec<Edit> = found.map(|at| Edit { span: Span::new(at, at + 1), text: String::new() }).collect();
            (!edits.is_empty()).then_some(edits)
        }
        // Of what is written with escapes these bytes are not the value.
        Fix::NoTrailingSlash | Fix::NormalUrl if value.contains('\\') => None,
        Fix::NoTrailingSlash => {
            let inner = value.trim_end_matches(['"', '\'']);
            let kept = inner.trim_end_matches('/');
            let (start, end) = (at.start as usize + kept.len(), at.start as usize + inner.len());
            one(Span::new(start, end), String::new()).filter(|_| kept.len() < inner.len() && !kept.is_empty())
        }
        Fix::NormalUrl => {
            let inner = value.trim_matches(['"', '\'']);
            let start = at.start as usize + value.find(inner)?;
            let normal = normal_url(inner)?;
            one(Span::new(start, start + inner.len()), normal.clone()).filter(|_| normal != inner)
        }
        Fix::RemoveMember => {
            documents.iter().find_map(|document| remove_member(document, at, removed)).map(|edit| vec![edit])
        }
    }
}

/// Where the quotes begin, and what is between them.
fn quoted(value: &str) -> Option<(usize, &str)> {
    let trimmed = value.trim();
    let start = value.find(trimmed)?;
    let inner = ['"', '\''].iter().find_map(|quote| trimmed.strip_prefix(*quote)?.strip_suffix(*quote))?;
    (!inner.contains(['"', '\''])).then_some((start, inner))
}

/// The remark behind a value gets the line before it. Not where the value goes on in the next line, or began in the one before:
/// a comment between the two would end it.
fn comment_above(text: &str, at: Span) -> Option<Vec<Edit>> {
    let line_start = text[..at.start as usize].rfind('\n').map_or(0, |found| found + 1);
    let line_end = text[at.start as usize..].find('\n').map_or(text.len(), |found| at.start as usize + found);
    let line = text[line_start..line_end].trim_end_matches('\r');
    let before = text[..line_start].lines().next_back().unwrap_or_default();
    if [before, line].iter().any(|line| line.ends_with('\\')) {
        return None;
    }
    let sign = line.char_indices().find(|(at, c)| *c == '#' && line[..*at].ends_with([' ', '\t']))?.0;
    let kept = line[..sign].trim_end();
    // A line that is nothing but a comment needs no mending.
    if kept.trim().is_empty() {
        return None;
    }
    let indent = &line[..line.len() - line.trim_start().len()];
    let ending = if text[line_start..line_end].ends_with('\r') { "\r\n" } else { "\n" };
    Some(vec![
        Edit { span: Span::new(line_start, line_start), text: format!("{indent}{}{ending}", &line[sign..]) },
        Edit { span: Span::new(line_start + kept.len(), line_start + line.len()), text: String::new() },
    ])
}

/// The normal form of a URL as services compare it.
fn normal_url(text: &str) -> Option<String> {
    let url = Url::parse(text).ok()?;
    let scheme = url.scheme.to_ascii_lowercase();
    let default = match scheme.as_str() {
        "https" => "443",
        "http" => "80",
        _ => return None,
    };
    // Whoever put a name and password, a query or a fragment there meant something that a normal form cannot say.
    if url.userinfo.is_some() || url.query.is_some() || url.fragment.is_some() {
        return None;
    }
    let host = url.host?.to_ascii_lowercase();
    let port = url.port.filter(|port| !port.is_empty() && *port != default);
    let port = port.map_or(String::new(), |port| format!(":{port}"));
    Some(format!("{scheme}://{host}{port}{}", url.path.trim_end_matches('/')))
}

/// Takes the member whose value stands at these bytes out of its mapping, with the comma that is not needed any more once all
/// of `removed` went.
fn remove_member(document: &Document, at: Span, removed: &[Span]) -> Option<Edit> {
    if document.decoded.is_some() || document.syntax != crate::parse::Syntax::Json {
        return None;
    }
    let id = document.tree.ids().find(|id| document.tree.node(*id).span == at && *id != crate::parse::NodeId::ROOT)?;
    let member = document.cursor(id);
    let parent = document.cursor(document.tree.parent(id)?);
    let members: Vec<Cursor<'_>> = parent.items().collect();
    let index = members.iter().position(|candidate| candidate.id == id)?;
    let start = member.key_span()?.start as usize;
    let stays = |member: &Cursor<'_>| !removed.contains(&member.span());
    let span = match members.get(index + 1) {
        _ if members[..index].iter().any(stays) => Span::new(members[index - 1].span().end as usize, at.end as usize),
        Some(next) => Span::new(start, next.key_span()?.start as usize),
        None => Span::new(start, at.end as usize),
    };
    Some(Edit { span, text: String::new() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edit::apply;
    use crate::parse::{Syntax, parse};
    use std::sync::Arc;

    fn fixed(text: &str, value: &str, fix: Fix) -> Option<String> {
        let source = Arc::new(Source::from_text("x", text));
        let start = text.find(value).expect("there");
        let documents = if text.starts_with('{') { parse(&source, Syntax::Json).0 } else { vec![] };
        let documents: Vec<&Document> = documents.iter().collect();
        let at = Span::new(start, start + value.len());
        apply(text, edits(&source, &documents, at, fix, &[at])?)
    }

    #[test]
    fn each_fix_changes_what_it_is_for_and_nothing_else() {
        for (text, value, fix, expected, remark) in [
            ("a = \"x\"\nb = 1\n", "\"x\"", Fix::Unquote, Some("a = x\nb = 1\n"), "quotes"),
            ("a = \"x\", \"y\"\n", "\"x\", \"y\"", Fix::Unquote, None, "two quoted values are a list"),
            ("a = x\n", "x", Fix::Unquote, None, "no quotes"),
            ("  a = x # why\nb\n", "x", Fix::CommentAbove, Some("  # why\n  a = x\nb\n"), "a remark"),
            ("a = x#y\n", "x#y", Fix::CommentAbove, None, "no blank before it: a part of the value"),
            ("a = x # why\r\nb\r\n", "x", Fix::CommentAbove, Some("# why\r\na = x\r\nb\r\n"), "line ends stay"),
            ("l = a; b ;c\n", "a; b ;c", Fix::NoBlanks, Some("l = a;b;c\n"), "blanks in a list"),
            ("l = a b\n", "a b", Fix::NoBlanks, None, "no list"),
            ("a\r\nb\r\n", "a", Fix::LineFeeds, Some("a\nb\n"), "line ends"),
            ("a\nb\n", "a", Fix::LineFeeds, None, "nothing to do"),
            ("u=\"https://h/x/\"\n", "\"https://h/x/\"", Fix::NoTrailingSlash, Some("u=\"https://h/x\"\n"), "a slash"),
            (
                "u=\"https://h/x\\/\"\n",
                "\"https://h/x\\/\"",
                Fix::NoTrailingSlash,
                None,
                "a slash written with an escape",
            ),
            ("\"https:\\/\\/H\\/\"", "\"https:\\/\\/H\\/\"", Fix::NormalUrl, None, "a URL written with escapes"),
            ("a = x # why \\\n  y\n", "x", Fix::CommentAbove, None, "a value that goes on"),
            ("a = w \\\n  x # why\n", "x", Fix::CommentAbove, None, "a value that began before"),
            ("# \\\n\na = x # why\n", "x", Fix::CommentAbove, Some("# \\\n\n# why\na = x\n"), "an empty line between"),
            ("u=/\n", "/", Fix::NoTrailingSlash, None, "the root"),
            ("HTTPS://H.Example:443/", "HTTPS://H.Example:443/", Fix::NormalUrl, Some("https://h.example"), "a URL"),
            ("https://h:8443/", "https://h:8443/", Fix::NormalUrl, Some("https://h:8443"), "a port that counts"),
            ("https://u:p@h/", "https://u:p@h/", Fix::NormalUrl, None, "with a password"),
            ("https://h", "https://h", Fix::NormalUrl, None, "normal already"),
            ("{\"a\": 1, \"b\": []}", "[]", Fix::RemoveMember, Some("{\"a\": 1}"), "the last member"),
            ("{\"b\": [], \"a\": 1}", "[]", Fix::RemoveMember, Some("{\"a\": 1}"), "the first member"),
            ("{\"b\": []}", "[]", Fix::RemoveMember, Some("{}"), "the only member"),
        ] {
            assert_eq!(fixed(text, value, fix).as_deref(), expected, "{remark}");
        }
    }

    #[test]
    fn members_go_together() {
        for (text, expected) in [
            ("{\"a\": [], \"b\": [], \"c\": 1}", "{\"c\": 1}"),
            ("{\"c\": 1, \"a\": [], \"b\": []}", "{\"c\": 1}"),
            ("{\"a\": [], \"c\": 1, \"b\": []}", "{\"c\": 1}"),
            ("{\"a\": [], \"b\": []}", "{}"),
        ] {
            let source = Arc::new(Source::from_text("x", text));
            let documents = parse(&source, Syntax::Json).0;
            let documents: Vec<&Document> = documents.iter().collect();
            let lists: Vec<Span> = text.match_indices("[]").map(|(at, _)| Span::new(at, at + 2)).collect();
            let edits = lists.iter().map(|at| edits(&source, &documents, *at, Fix::RemoveMember, &lists));
            let edits: Vec<Edit> = edits.map(|edits| edits.expect("a member")).collect::<Vec<_>>().concat();
            assert_eq!(apply(text, edits).as_deref(), Some(expected), "{text}");
        }
    }
}
