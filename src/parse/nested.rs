//! Files inside a YAML text: those of a Kubernetes ConfigMap or of Helm values.

use super::document::Encoding;
use super::{Data, Document, NodeId, ParseError, Syntax, Text, parse};
use crate::source::Source;
use std::sync::Arc;

impl Document {
    /// Reads the file that a string of this document holds, in a syntax; nothing when the node is no string.
    ///
    /// Places map back as closely as the outer spelling allows: exactly for plain and literal (`|`) strings, to the
    /// whole string for folded and escaped ones. Errors are located in the file.
    pub fn nested(&self, node: NodeId, syntax: Syntax) -> (Vec<Document>, Vec<ParseError>) {
        let outer_span = self.tree.node(node).span;
        let (text, span, encoding) = match &self.tree.node(node).data {
            Data::Text(Text::Raw(span)) => (self.source.slice(*span), *span, Encoding::Literal),
            Data::Text(Text::Owned(text)) => match block_indent(self.source.slice(outer_span), text) {
                Some(indent) => (text.as_ref(), outer_span, Encoding::Indented(indent)),
                None => (text.as_ref(), outer_span, Encoding::Escaped),
            },
            Data::Null | Data::Bool(_) | Data::Number | Data::Seq | Data::Map | Data::Skipped => {
                return (vec![], vec![]);
            }
        };
        let decoded = self.decoded_at(node, span, encoding);
        let source = Arc::new(Source::from_text(self.source.name().clone(), text));
        let (mut documents, mut errors) = parse(&source, syntax);
        for document in &mut documents {
            document.decoded = Some(decoded.clone());
        }
        for error in &mut errors {
            error.span = decoded.outer_span(error.span);
        }
        (documents, errors)
    }
}

/// The lines of a literal block as `(offset of the content in the outer text, content)`, the header line left out.
fn block_lines(outer: &str, indent: usize) -> impl Iterator<Item = (usize, &str)> {
    let header = match outer.starts_with('|') {
        true => outer.find('\n').map_or(outer.len(), |end| end + 1),
        // The span starts inside the first line of content when the reader leaves the header out.
        false => 0,
    };
    let mut at = header;
    outer[header..].split_inclusive('\n').map(move |line| {
        let start = at;
        at += line.len();
        let spaces = line.bytes().take_while(|&b| b == b' ').count();
        // Indentation before the span is not part of it.
        let skip = if start == 0 { 0 } else { spaces.min(indent) };
        (start + skip, line[skip..].trim_end_matches(['\n', '\r']))
    })
}

/// The indentation under which `outer` is a literal block that spells `text`; `None` when it is none.
fn block_indent(outer: &str, text: &str) -> Option<u32> {
    let spaces = |line: &str| line.bytes().take_while(|&b| b == b' ').count();
    let header = usize::from(outer.starts_with('|'));
    // Without a header the span starts behind the first line's indentation, so that line cannot tell.
    let mut pairs = outer.lines().skip(header).zip(text.lines()).skip(1 - header);
    let (written, read) = pairs.find(|(_, read)| !read.trim().is_empty()).unwrap_or_default();
    let indent = spaces(written).checked_sub(spaces(read))?;
    let mut contents = block_lines(outer, indent).map(|(_, content)| content);
    // Blank lines at the end may lie behind the span.
    let same = text.lines().all(|line| contents.next().map_or(line.trim().is_empty(), |content| content == line));
    same.then(|| u32::try_from(indent).ok()).flatten()
}

/// Offset in a literal block's outer text of an offset in its decoded text.
pub(super) fn block_offset(outer: &str, indent: usize, inner: usize) -> usize {
    let mut before = 0;
    for (start, content) in block_lines(outer, indent) {
        if inner <= before + content.len() {
            return start + (inner - before);
        }
        before += content.len() + 1;
    }
    outer.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads `outer`, then the string at `/data/file`, and gives the outer text under the inner value at `pointer`.
    fn seen_outside(outer: &str, pointer: &str) -> String {
        let source = Arc::new(Source::from_text("test", outer));
        let (documents, errors) = parse(&source, Syntax::Yaml);
        assert!(errors.is_empty(), "{errors:?}");
        let node = documents[0].at_pointer("/data/file").expect("the test has a file");
        let (inner, errors) = documents[0].nested(node.id, Syntax::Yaml);
        assert!(errors.is_empty(), "{errors:?}");
        let span = inner[0].at_pointer(pointer).expect("the test has a value").span();
        let decoded = inner[0].decoded.clone().expect("nested documents know where they came from");
        assert_eq!(decoded.outer_pointer, "/data/file");
        source.slice(decoded.outer_span(span)).to_string()
    }

    #[test]
    fn values_are_found_in_the_outer_file() {
        for (outer, pointer, expected, remark) in [
            ("data:\n  file: |\n    a: 1\n    b:\n      - deep\n", "/b/0", "deep", "literal block"),
            ("data:\n  file: |-\n    a: 1\n    b: last", "/b", "last", "no final line ending"),
            ("data:\n  file: |+\n    a: 1\n\n    b: after blank\n\n", "/b", "after blank", "a blank line"),
            ("data:\n  file: |\n    a:\n      b: 1\n", "/a/b", "1", "nesting right after the first line"),
            ("data:\n  file: |\n    a: only\n", "/a", "only", "one line"),
            ("data:\n  file: >\n    a: 1\n    b\n", "/a", "a: 1\n    b", "folded: the whole string"),
            ("data:\n  file: |\n    a: 1\n  \n    b: x\n", "/b", "x", "a blank line with less indentation"),
            ("data:\n  file: |\r\n    a: 1\r\n    b: crlf\r\n", "/b", "crlf", "CRLF line endings"),
            ("data:\n  file: | # comment\n    é: ü\n    b: 'q'\n", "/b", "'q'", "characters of several bytes"),
            ("data:\n  file: |2\n      a: 1\n      b: x\n", "/b", "x", "an indentation indicator"),
            ("data:\n  file: 'a: [1, 2]'\n", "/a/1", "2", "single quotes"),
            ("data:\n  file: \"a: 1\\nb: x\"\n", "/b", "\"a: 1\\nb: x\"", "escapes: the whole string"),
        ] {
            assert_eq!(seen_outside(outer, pointer), expected, "{remark}");
        }
    }

    #[test]
    fn errors_are_located_in_the_outer_file() {
        let outer = "data:\n  file: |\n    a: 1\n    b: [\n";
        let source = Arc::new(Source::from_text("test", outer));
        let (documents, _) = parse(&source, Syntax::Yaml);
        let node = documents[0].at_pointer("/data/file").expect("the test has a file");
        let (_, errors) = documents[0].nested(node.id, Syntax::Yaml);
        assert!(errors[0].span.start as usize >= outer.find("b:").expect("in the text"), "{errors:?}");
    }

    #[test]
    fn what_is_no_string_holds_no_document() {
        let source = Arc::new(Source::from_text("test", "a: {b: 1}"));
        let (documents, _) = parse(&source, Syntax::Yaml);
        let (inner, errors) = documents[0].nested(documents[0].root().id, Syntax::Yaml);
        assert!(inner.is_empty() && errors.is_empty());
    }
}
