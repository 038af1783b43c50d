//! HTCondor's configuration language, as its `Parse_macros` takes lines in.
//!
//! The root is a mapping from names (in lower case, since HTCondor compares them so) to values. `use CATEGORY : templates`,
//! `include : file`, `error :` and `warning :` are members of that name. The body of an `if` is a mapping below the key `if`,
//! `elif` or `else`: which of them counts shows only on the machine. A name that `+=` appends to has a `+` at its end.

use super::lines::{Line, MAX_ERRORS, Read, lines, nul, trim};
use super::{Data, MAX_DEPTH, ParseError, Text, TreeBuilder};
use crate::source::Span;

type Lines<'t> = std::iter::Peekable<Box<dyn Iterator<Item = Line> + 't>>;

/// Reads a whole file.
pub(super) fn read(text: &str) -> Read {
    let mut reader =
        Reader { text, builder: TreeBuilder::new(), errors: nul(text).into_iter().collect(), open: Vec::new() };
    reader.builder.open(Data::Map, 0);
    let mut lines: Lines<'_> = (Box::new(lines(text, None)) as Box<dyn Iterator<Item = Line>>).peekable();
    while let Some(line) = lines.next() {
        if reader.errors.len() >= MAX_ERRORS {
            break;
        }
        reader.line(line, &mut lines);
    }
    while let Some(start) = reader.open.pop() {
        reader
            .errors
            .push(ParseError::at(start, "this if is never closed; HTCondor refuses the file, end it with endif"));
        reader.builder.close_repeating(text.len());
    }
    reader.builder.close_repeating(text.len());
    (reader.builder.finish(), reader.errors)
}

struct Reader<'t> {
    text: &'t str,
    builder: TreeBuilder,
    errors: Vec<ParseError>,
    /// Where the branches that are open start.
    open: Vec<usize>,
}

/// What stands between a name and its value.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Operator {
    /// `=`, or `:` in its place.
    Assign,
    /// `@=tag`: the value is the lines up to `@tag`.
    Here,
    /// `+=`, also with a separator in between.
    Append,
}

impl<'t> Reader<'t> {
    fn line(&mut self, line: Line, rest: &mut Lines<'t>) {
        let mut span = line.trimmed(self.text);
        if span.is_empty() {
            return;
        }
        if self.text[span.range()].starts_with('#') {
            return self.builder.comment(span);
        }
        if self.text[span.range()].starts_with(':') && !self.open.is_empty() {
            // Such lines were meant to be invisible to old versions.
            span = trim(self.text, Span::new(span.start as usize + 1, span.end as usize));
        }
        if self.branch(span) {
            return;
        }
        self.entry(span, rest);
    }

    /// `if`, `elif`, `else` and `endif`; false for every other line.
    fn branch(&mut self, span: Span) -> bool {
        let text = &self.text[span.range()];
        let word = text.split_whitespace().next().unwrap_or_default();
        let start = span.start as usize;
        let key = match word.to_ascii_lowercase().as_str() {
            "if" => "if",
            "elif" => "elif",
            "else" => "else",
            "endif" => {
                match self.open.pop() {
                    Some(_) => self.builder.close_repeating(span.end as usize),
                    None => self.errors.push(ParseError::at(start, "this endif has no if; remove it")),
                }
                return true;
            }
            _ => return false,
        };
        if key == "if" && self.builder.depth() >= MAX_DEPTH {
            self.errors.push(ParseError::at(start, "if is nested too deeply"));
            return true;
        }
        if key != "if" {
            match self.open.pop() {
                Some(_) => self.builder.close_repeating(start),
                None => {
                    self.errors.push(ParseError::at(start, format!("this {key} has no if; remove it")));
                    return true;
                }
            }
        }
        self.builder.key(Text::Owned(key.into()), Span::new(start, start + word.len()));
        self.builder.open(Data::Map, start);
        self.open.push(start);
        true
    }

    fn entry(&mut self, span: Span, rest: &mut Lines<'t>) {
        let text = &self.text[span.range()];
        let start = span.start as usize;
        let name_end = text.find([' ', '\t', '=', ':']).unwrap_or(text.len());
        let Some((operator, at, value_at)) = operator(text, name_end) else {
            if !text.starts_with('[') {
                let message = "a name, = and a value are expected; HTCondor refuses the file, correct this line";
                self.errors.push(ParseError { message: message.into(), span });
            }
            return;
        };
        let directive = ["use", "include", "error", "warning"].into_iter().find(|word| {
            text.as_bytes().get(at) == Some(&b':')
                && text[..name_end].trim_start_matches('@').eq_ignore_ascii_case(word)
        });
        let (key, value_at) = match (directive, operator) {
            (Some(word), _) => (word.to_string(), name_end),
            (None, Operator::Append) => (text[..name_end].to_ascii_lowercase() + "+", value_at),
            (None, Operator::Assign | Operator::Here) => (text[..name_end].to_ascii_lowercase(), value_at),
        };
        let key_span = Span::new(start, start + name_end);
        let value = trim(self.text, Span::new(start + value_at, span.end as usize));
        let (value_text, whole) = match operator {
            Operator::Here => self.here(value, rest),
            Operator::Assign | Operator::Append => self.continued(value, rest),
        };
        let raw = key == self.text[key_span.range()];
        self.builder.key(if raw { Text::Raw(key_span) } else { Text::Owned(key.into()) }, key_span);
        self.builder.leaf(Data::Text(value_text), whole);
    }

    /// A value with the lines that a backslash joins to it.
    fn continued(&mut self, first: Span, rest: &mut Lines<'t>) -> (Text, Span) {
        let mut whole = first;
        let Some(bare) = self.text[first.range()].strip_suffix('\\') else { return (Text::Raw(first), first) };
        let mut value = bare.to_string();
        for line in rest.by_ref() {
            let part = line.trimmed(self.text);
            whole.end = part.end.max(whole.end);
            let text = &self.text[part.range()];
            let (piece, more) = match text.strip_suffix('\\') {
                Some(piece) => (piece, true),
                None => (text, false),
            };
            match text.starts_with('#') {
                true => self.builder.comment(part),
                false => value.push_str(piece),
            }
            if !more {
                break;
            }
        }
        (Text::Owned(value.trim_end().into()), whole)
    }

    /// The lines up to the end mark of an `@=`.
    fn here(&mut self, tag: Span, rest: &mut Lines<'t>) -> (Text, Span) {
        let mark = format!("@{}", &self.text[tag.range()]);
        let mut body: Option<Span> = None;
        for line in rest {
            let part = line.trimmed(self.text);
            if self.text[part.range()] == *mark {
                let body = body.unwrap_or(Span { start: part.start, end: part.start });
                return (Text::Raw(body), body);
            }
            body = Some(body.map_or(part, |body| Span { start: body.start, end: part.end.max(body.end) }));
        }
        let message =
            "the end mark of this value is missing; HTCondor refuses the file, end the value with @ and the mark";
        self.errors.push(ParseError { message: message.into(), span: tag });
        let body = body.unwrap_or(tag);
        (Text::Raw(body), body)
    }
}

/// The operator behind a name, its offset and that of the value.
fn operator(text: &str, name_end: usize) -> Option<(Operator, usize, usize)> {
    let at = name_end + text[name_end..].find(['=', ':', '@', '+'])?;
    let behind = &text[at + 1..];
    match text.as_bytes()[at] {
        b'=' | b':' => Some((Operator::Assign, at, at + 1)),
        b'@' => behind.starts_with('=').then_some((Operator::Here, at, at + 2)),
        _ => {
            // A separator may stand between + and =.
            let equals = behind.char_indices().take(3).find(|(_, c)| *c == '=').map(|(equals, _)| equals)?;
            Some((Operator::Append, at, at + 1 + equals + 1))
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::parse::ini::{IniDialect, read};
    use crate::parse::{Document, Syntax};
    use crate::source::Source;
    use std::sync::Arc;

    fn flat(text: &str) -> (Vec<String>, Vec<u32>) {
        let (tree, errors) = read(text, IniDialect::Condor);
        let document = Document::new(Arc::new(Source::from_text("t", text)), Syntax::Ini(IniDialect::Condor), tree);
        let values = document
            .tree
            .ids()
            .filter_map(|id| Some(format!("{}={}", document.pointer(id), document.cursor(id).as_str()?)));
        (values.collect(), errors.into_iter().map(|error| error.span.start).collect())
    }

    #[test]
    fn lines_are_taken_as_htcondor_takes_them() {
        for (text, expected, remark) in [
            ("A = b\r\nSchedd.C=d\r\n", vec!["/a=b", "/schedd.c=d"], "names have no case; CRLF"),
            ("A = b \\\n\t c\nD=e\n", vec!["/a=b c", "/d=e"], "continued"),
            ("A = b \\\n# old \\\n c\n", vec!["/a=b c"], "a comment within"),
            ("# x \\\nA=b\n", vec!["/a=b"], "a comment is not continued"),
            ("A = b # c\n", vec!["/a=b # c"], "no comments behind values"),
            ("A : b\n", vec!["/a=b"], "the old operator"),
            ("use SECURITY : recommended\n", vec!["/use=SECURITY : recommended"], "template"),
            ("use security:recommended, x\n", vec!["/use=security:recommended, x"], "template without blanks"),
            (
                "include ifexist : /etc/x\n@include : y\n",
                vec!["/include=ifexist : /etc/x", "/include#2=: y"],
                "include",
            ),
            ("A @=end\n 1\n2\n@end\nB=c\n", vec!["/a=1\n2", "/b=c"], "here value"),
            ("A @=e\n@e\n", vec!["/a="], "empty here value"),
            ("A += b\nB +,= c\n", vec!["/a+=b", "/b+=c"], "append"),
            (
                "if version > 9\n A=1\n: B=2\nelse\n A=2\nendif\nC=3\n",
                vec!["/if/a=1", "/if/b=2", "/else/a=2", "/c=3"],
                "if",
            ),
            ("[x]\nA=\n", vec!["/a="], "a heading is a comment"),
            ("IF = 1\n", vec![], "if is a keyword"),
            ("", vec![], "empty"),
        ] {
            let got = flat(text);
            assert_eq!(got.0, expected, "{remark}");
        }
    }

    #[test]
    fn what_htcondor_refuses_is_an_error_at_its_place() {
        for (text, values, errors, remark) in [
            ("nonsense\nA=1\n", 1, vec![0], "no operator"),
            ("endif\nelse\nA=1\n", 1, vec![0, 6], "no if"),
            ("if true\nA=1\n", 1, vec![0], "no endif"),
            ("A @=end\n1\n", 1, vec![4], "no end mark"),
            ("A=1\0\n", 1, vec![3], "NUL"),
            ("A = \\", 1, vec![], "truncated behind a backslash"),
        ] {
            let got = flat(text);
            assert_eq!((got.0.len(), got.1), (values, errors), "{remark}");
        }
        let deep = "if x\n".repeat(10_000);
        assert!(!flat(&deep).1.is_empty());
        let long = format!("A = {}\n", "x".repeat(2 << 20));
        assert_eq!(flat(&long).0.len(), 1, "2 MiB in a line");
    }
}
