//! DIRAC's configuration: options `key = value` in sections `name { … }`, nested.
//!
//! Its reader goes line by line: a line that starts with `#` is a comment, and no other; `=` takes the whole line, so that
//! a value goes on to its end, with what looks like a comment or a closing brace; a section's name may stand on the line
//! before its brace. `+=` appends to an option; here it is another entry of the same key. Where that reader would glue
//! words together or lose them, this one says so.
//!
//! The root is a mapping, sections are members that are mappings, values are strings.

use super::lines::{Line, MAX_ERRORS, Read, lines, nul, trim};
use super::{Data, MAX_DEPTH, ParseError, Text, TreeBuilder};
use crate::source::Span;

/// Reads a whole file.
pub fn read(text: &str) -> Read {
    let mut reader =
        Reader { text, builder: TreeBuilder::new(), errors: nul(text).into_iter().collect(), open: vec![], name: None };
    reader.builder.open(Data::Map, 0);
    for line in lines(text, None) {
        if reader.errors.len() >= MAX_ERRORS {
            break;
        }
        reader.line(line);
    }
    reader.end()
}

struct Reader<'t> {
    text: &'t str,
    builder: TreeBuilder,
    errors: Vec<ParseError>,
    /// Names of the open sections.
    open: Vec<Span>,
    /// Words that wait for their brace.
    name: Option<Span>,
}

impl Reader<'_> {
    fn error(&mut self, span: Span, message: &str) {
        self.errors.push(ParseError { message: message.into(), span });
    }

    fn line(&mut self, line: Line) {
        let span = line.trimmed(self.text);
        let text = &self.text[span.range()];
        if text.starts_with('#') {
            return self.builder.comment(span);
        }
        let start = span.start as usize;
        let mut from = 0;
        while let Some(found) = text[from..].find(['{', '}', '=']).map(|found| from + found) {
            let before = trim(self.text, Span::new(start + from, start + found));
            match text.as_bytes()[found] {
                b'=' if from > 0 => {
                    return self
                        .error(span, "an option stands on a line of its own; DIRAC takes all of this line for one");
                }
                b'=' => return self.option(span, found),
                brace => {
                    self.word(before);
                    match brace {
                        b'{' => self.section(Span::new(start + found, start + found + 1)),
                        _ => self.close(Span::new(start + found, start + found + 1)),
                    }
                }
            }
            from = found + 1;
        }
        self.word(trim(self.text, Span::new(start + from, span.end as usize)));
    }

    /// Words without a meaning of their own: the name of the section that follows.
    fn word(&mut self, span: Span) {
        if span.start == span.end {
            return;
        }
        if let Some(earlier) = self.name.replace(span) {
            self.error(
                earlier,
                "a brace or = is expected behind this; DIRAC makes it a part of the next section's name",
            );
        }
    }

    fn section(&mut self, brace: Span) {
        match self.name.take() {
            None => self.error(brace, "a section needs a name before its brace"),
            Some(_) if self.open.len() >= MAX_DEPTH => self.error(brace, "sections are nested too deeply"),
            Some(name) => {
                self.builder.key(Text::Raw(name), name);
                self.builder.open(Data::Map, brace.start as usize);
                self.open.push(name);
            }
        }
    }

    fn close(&mut self, brace: Span) {
        if let Some(name) = self.name.take() {
            self.error(name, "a brace or = is expected behind this");
        }
        match self.open.pop() {
            Some(_) => self.builder.close_repeating(brace.end as usize),
            None => self.error(brace, "this brace closes nothing"),
        }
    }

    fn option(&mut self, line: Span, equals: usize) {
        if let Some(name) = self.name.take() {
            self.error(name, "a brace or = is expected behind this; DIRAC drops it");
        }
        let equals = line.start as usize + equals;
        let key = trim(self.text, Span::new(line.start as usize, equals));
        let key = match self.text[key.range()].strip_suffix('+') {
            Some(bare) => trim(self.text, Span::new(key.start as usize, key.start as usize + bare.len())),
            None => key,
        };
        if key.start == key.end {
            return self.error(line, "an option needs a name before its =");
        }
        let value = trim(self.text, Span::new(equals + 1, line.end as usize));
        self.builder.key(Text::Raw(key), key);
        self.builder.leaf(Data::Text(Text::Raw(value)), value);
    }

    fn end(mut self) -> Read {
        if let Some(name) = self.name.take() {
            self.error(name, "a brace or = is expected behind this");
        }
        while let Some(name) = self.open.pop() {
            self.error(name, "this section is not closed; end it with }");
            self.builder.close_repeating(self.text.len());
        }
        self.builder.close_repeating(self.text.len());
        self.errors.truncate(MAX_ERRORS);
        (self.builder.finish(), self.errors)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::{Document, Syntax};
    use crate::source::Source;
    use std::sync::Arc;

    /// The tree as `pointer=value` lines, and the texts the errors point at.
    fn flat(text: &str) -> (Vec<String>, Vec<String>) {
        let (tree, errors) = read(text);
        let document = Document::new(Arc::new(Source::from_text("t", text)), Syntax::Cfg, tree);
        let values = document.tree.ids().filter_map(|id| {
            let cursor = document.cursor(id);
            Some(format!("{}={}", document.pointer(id), cursor.as_str()?))
        });
        let errors = errors.iter().map(|error| text[error.span.range()].chars().take(20).collect()).collect();
        (values.collect(), errors)
    }

    #[test]
    fn sections_and_options_are_read_as_dirac_reads_them() {
        for (text, values, errors, remark) in [
            ("A\n{\n  b = 1\n}\n", vec!["/A/b=1"], vec![], "the brace on a line of its own"),
            ("A{\nB {\nc=x\n}\n}\nd = 2\n", vec!["/A/B/c=x", "/d=2"], vec![], "nested, braces behind the name"),
            ("A\n# why\n\n{\n}\n", vec![], vec![], "a comment between name and brace"),
            ("a = b # c\n", vec!["/a=b # c"], vec![], "no comments behind values"),
            ("a = b }\n", vec!["/a=b }"], vec![], "a brace within a value"),
            ("a = x = y\n", vec!["/a=x = y"], vec![], "the first = separates"),
            ("a = 1\na += 2\n", vec!["/a=1", "/a#2=2"], vec![], "appended"),
            ("A\r\n{\r\n\tb = 1\r\n}\r\n", vec!["/A/b=1"], vec![], "CRLF and tabs"),
            ("\u{feff}a = 1", vec!["/a=1"], vec![], "byte order mark, no line break"),
            ("", vec![], vec![], "empty"),
            ("A\n{\n b = 1\n", vec!["/A/b=1"], vec!["A"], "not closed"),
            ("a = 1\n}\nb = 2\n", vec!["/a=1", "/b=2"], vec!["}"], "closed too often"),
            ("{\na = 1\n}\n", vec!["/a=1"], vec!["{", "}"], "no name"),
            ("A { b = 1 }\n", vec![], vec!["A { b = 1 }", "A"], "all on one line"),
            ("A\nB\n{\n}\n", vec![], vec!["A"], "two names"),
            ("A\n{\n} # end\nB\n{\n}\n", vec![], vec!["# end"], "a comment behind a brace"),
            ("word\na = 1\n", vec!["/a=1"], vec!["word"], "lost"),
            ("= 1\n", vec![], vec!["= 1"], "no key"),
            ("a = 1\0\n", vec!["/a=1\0"], vec![""], "NUL"),
        ] {
            let errors: Vec<String> = errors.into_iter().map(str::to_string).collect();
            assert_eq!(flat(text), (values.into_iter().map(str::to_string).collect(), errors), "{remark}");
        }
    }

    #[test]
    fn hostile_nesting_and_noise_end() {
        let deep = "a{\n".repeat(100_000);
        assert_eq!(read(&deep).1.len(), MAX_ERRORS);
        assert_eq!(read(&"x\n".repeat(100_000)).1.len(), MAX_ERRORS);
        let long = format!("a = {}\n", "x".repeat(2 << 20));
        assert!(read(&long).1.is_empty());
    }
}
