//! XML: Java properties files and OA4MP server configuration.
//!
//! The JSON view, which pointers and rules see:
//!
//! * `<properties><entry key="k">v</entry></properties>` is `{"properties": {"k": "v"}}`; `<comment>` is left out,
//!   a repeated key is noted;
//! * any other element is `{"@attribute": "text", "#text": "text", "child": [ … ]}` under its name without
//!   namespace prefix. Children of one name are one list, in the order of their first; `#text` is missing when there
//!   is only white space.
//!
//! Spans of attributes include the quotes, spans of elements the tags. A DOCTYPE is read over, nothing is ever
//! fetched, and entity declarations are refused: they can make a short text arbitrarily large.

use super::{Data, MAX_DEPTH, ParseError, Text, Tree, TreeBuilder};
use crate::source::Span;
use roxmltree::{Document, Error, Node, ParsingOptions};

/// Most nodes one file may have.
const MAX_NODES: u32 = 1 << 20;

/// Most attributes of one tag; the XML crate compares them pairwise.
const MAX_ATTRIBUTES: usize = 1000;

/// Reads a whole file.
pub fn read(text: &str) -> Result<Tree, ParseError> {
    refuse_hostile(text)?;
    let options = ParsingOptions { allow_dtd: true, nodes_limit: MAX_NODES, ..ParsingOptions::default() };
    let document = Document::parse_with_options(text, options).map_err(|error| located(text, &error))?;
    let root = document.root_element();
    let mut view = View { text, builder: TreeBuilder::new() };
    view.builder.open(Data::Map, root.range().start);
    view.name_key(root);
    if is_properties(root) {
        view.properties(root)?
    } else {
        view.element(root, 1)?
    }
    view.builder.close(root.range().end, text);
    for comment in document.descendants().filter(Node::is_comment) {
        view.builder.comment(span_of(comment.range()));
    }
    Ok(view.builder.finish())
}

/// Refuses what would cost the XML crate more time or stack than the text is worth: entities, deep nesting, tags with
/// very many attributes.
fn refuse_hostile(text: &str) -> Result<(), ParseError> {
    let bytes = text.as_bytes();
    let mut depth = 0usize;
    let mut at = 0;
    while let Some(found) = memchr::memchr(b'<', &bytes[at..]) {
        let start = at + found;
        let rest = &bytes[start..];
        let closing = [("<!--", "-->"), ("<![CDATA[", "]]>"), ("<?", "?>")]
            .iter()
            .find(|(opening, _)| rest.starts_with(opening.as_bytes()));
        if let Some((opening, closing)) = closing {
            let body = &rest[opening.len()..];
            let Some(end) = memchr::memmem::find(body, closing.as_bytes()) else { return Ok(()) };
            at = start + opening.len() + end + closing.len();
            continue;
        }
        if rest.starts_with(b"<!ENTITY") {
            return Err(ParseError::at(start, "the file declares entities; write their text out instead"));
        }
        // Inside a DOCTYPE the declarations are looked at one by one.
        let (length, attributes) = if rest.starts_with(b"<!DOCTYPE") { (1, 0) } else { tag(rest) };
        match rest.get(1) {
            Some(b'/') => depth = depth.saturating_sub(1),
            Some(b'!') | None => {}
            Some(_) if rest[..length].ends_with(b"/>") => {}
            Some(_) => depth += 1,
        }
        if depth > MAX_DEPTH {
            return Err(ParseError::at(start, TOO_DEEP));
        }
        if attributes > MAX_ATTRIBUTES {
            return Err(ParseError::at(start, "the tag has more than 1000 attributes"));
        }
        at = start + length;
    }
    Ok(())
}

/// Length of the tag at the start of `bytes` and the attributes it has; quoted values may hold `>`.
fn tag(bytes: &[u8]) -> (usize, usize) {
    let mut quote = None;
    let mut attributes = 0;
    for (at, &byte) in bytes.iter().enumerate() {
        match (quote, byte) {
            (Some(open), _) if open == byte => quote = None,
            (Some(_), _) => {}
            (None, b'"' | b'\'') => quote = Some(byte),
            (None, b'=') => attributes += 1,
            (None, b'>') => return (at + 1, attributes),
            (None, _) => {}
        }
    }
    (bytes.len(), attributes)
}

const TOO_DEEP: &str = "nested deeper than 256 levels; no configuration needs that, check how the file was made";

fn span_of(range: std::ops::Range<usize>) -> Span {
    Span::new(range.start, range.end)
}

/// A Java properties file: nothing but entries and comments.
fn is_properties(root: Node<'_, '_>) -> bool {
    root.tag_name().name() == "properties"
        && root.children().filter(Node::is_element).all(|child| matches!(child.tag_name().name(), "entry" | "comment"))
}

struct View<'t> {
    text: &'t str,
    builder: TreeBuilder,
}

impl View<'_> {
    fn properties(&mut self, root: Node<'_, '_>) -> Result<(), ParseError> {
        self.builder.open(Data::Map, root.range().start);
        for entry in root.children().filter(|child| child.has_tag_name("entry")) {
            let Some(key) = entry.attributes().find(|attribute| attribute.name() == "key") else {
                return Err(ParseError::at(entry.range().start, "an entry of a properties file needs a key attribute"));
            };
            if let Some(child) = entry.children().find(Node::is_element) {
                return Err(ParseError::at(child.range().start, "an entry of a properties file holds text only"));
            }
            let (text, span) = self.attribute(&key);
            self.builder.key(text, span);
            let (text, span) = self.element_text(entry).unwrap_or((Text::Owned("".into()), span_of(entry.range())));
            self.builder.leaf(Data::Text(text), span);
        }
        self.builder.close(root.range().end, self.text);
        Ok(())
    }

    fn element(&mut self, node: Node<'_, '_>, depth: usize) -> Result<(), ParseError> {
        // An element takes two levels of the view: itself and the list it stands in.
        if depth * 2 > MAX_DEPTH {
            return Err(ParseError::at(node.range().start, TOO_DEEP));
        }
        self.builder.open(Data::Map, node.range().start);
        for attribute in node.attributes() {
            let name = attribute.range_qname();
            self.builder.key(Text::Owned(format!("@{}", attribute.name()).into()), span_of(name));
            let (text, span) = self.attribute(&attribute);
            self.builder.leaf(Data::Text(text), span);
        }
        let blank = |node: &Node<'_, '_>| node.text().is_none_or(|text| text.trim().is_empty());
        if node.children().filter(Node::is_text).any(|text| !blank(&text))
            && let Some((text, span)) = self.element_text(node)
        {
            self.builder.key(Text::Owned("#text".into()), span);
            self.builder.leaf(Data::Text(text), span);
        }
        for group in groups(node) {
            let (Some(first), Some(last)) = (group.first(), group.last()) else { continue };
            self.name_key(*first);
            self.builder.open(Data::Seq, first.range().start);
            for child in &group {
                self.element(*child, depth + 1)?;
            }
            self.builder.close(last.range().end, self.text);
        }
        self.builder.close(node.range().end, self.text);
        Ok(())
    }

    /// Uses an element's name as key.
    fn name_key(&mut self, node: Node<'_, '_>) {
        let start = node.range().start + 1;
        let tail = self.text.get(start..node.range().end).unwrap_or("");
        let qualified = &tail[..tail.find(|c: char| c.is_whitespace() || matches!(c, '/' | '>')).unwrap_or(0)];
        let prefix = qualified.find(':').map_or(0, |colon| colon + 1);
        let span = Span::new(start + prefix, start + qualified.len());
        let name = node.tag_name().name();
        match &qualified[prefix..] == name {
            true => self.builder.key(Text::Raw(span), span),
            false => self.builder.key(Text::Owned(name.into()), span_of(node.range())),
        }
    }

    /// Value and span (with quotes) of an attribute.
    fn attribute(&self, attribute: &roxmltree::Attribute<'_, '_>) -> (Text, Span) {
        let inner = attribute.range_value();
        let quote = |at: usize| matches!(self.text.as_bytes().get(at), Some(b'"' | b'\''));
        // The crate's offsets saturate for absurdly long names and gaps; then the whole attribute is pointed at.
        let exact = inner.start > 0 && inner.start <= inner.end && quote(inner.start - 1) && quote(inner.end);
        let span = match exact {
            true => Span::new(inner.start - 1, inner.end + 1),
            false => span_of(attribute.range()),
        };
        match exact && self.text.get(inner.clone()) == Some(attribute.value()) {
            true => (Text::Raw(span_of(inner)), span),
            false => (Text::Owned(attribute.value().into()), span),
        }
    }

    /// The text directly inside an element, with the span from its first to its last piece; `None` without any.
    fn element_text(&self, node: Node<'_, '_>) -> Option<(Text, Span)> {
        let pieces: Vec<_> = node.children().filter(Node::is_text).collect();
        let span = Span::new(pieces.first()?.range().start, pieces.last()?.range().end);
        let text: String = pieces.iter().filter_map(Node::text).collect();
        match self.text.get(span.range()) == Some(text.as_str()) {
            true => Some((Text::Raw(span), span)),
            false => Some((Text::Owned(text.into()), span)),
        }
    }
}

/// Child elements by name, in the order of the first of each name.
fn groups<'a, 'i>(node: Node<'a, 'i>) -> Vec<Vec<Node<'a, 'i>>> {
    let mut found: Vec<Vec<Node<'a, 'i>>> = Vec::new();
    let mut index = std::collections::HashMap::new();
    for child in node.children().filter(Node::is_element) {
        let at = *index.entry(child.tag_name().name()).or_insert(found.len());
        match found.get_mut(at) {
            Some(group) => group.push(child),
            None => found.push(vec![child]),
        }
    }
    found
}

/// Our own words for an error of the XML crate, whose text may quote the file.
fn located(text: &str, error: &Error) -> ParseError {
    let message = match error {
        Error::UnexpectedEndOfStream | Error::UnclosedRootNode => {
            return ParseError::at(
                text.len(),
                "the file ends inside an element: it was cut off, or an end tag is missing",
            );
        }
        Error::NoRootNode => return ParseError::at(text.len(), "no element; an XML document has one at its root"),
        Error::NodesLimitReached => {
            return ParseError::at(0, "the file has more than a million nodes; split it into several files");
        }
        Error::UnexpectedCloseTag(..) | Error::UnexpectedEntityCloseTag(_) => {
            "this end tag does not match the element that is open"
        }
        Error::DuplicatedAttribute(..) => "the tag has this attribute twice",
        Error::UnknownEntityReference(..) | Error::MalformedEntityReference(_) => {
            "no such entity; write &amp; for an ampersand"
        }
        Error::UnknownNamespace(..) => "the namespace prefix is not declared",
        Error::InvalidAttributeValue(_) => "a < inside an attribute; write &lt;",
        _ => "this is no well-formed XML; check the tag here and the one before it",
    };
    let position = error.pos();
    let start: usize = text.split_inclusive('\n').take(position.row.saturating_sub(1) as usize).map(str::len).sum();
    let column = position.col.saturating_sub(1) as usize;
    let offset = text[start..].char_indices().nth(column).map_or(text.len(), |(at, _)| start + at);
    ParseError::at(offset, message)
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
        Document::new(source, Syntax::Xml, tree)
    }

    #[test]
    fn properties_are_a_flat_mapping() {
        let text = "\u{feff}<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n\
            <!DOCTYPE properties SYSTEM \"http://java.sun.com/dtd/properties.dtd\">\r\n\
            <!-- ü --><properties>\r\n<comment>c</comment>\r\n<entry key=\"a\">1 &lt; 2</entry>\r\n\
            <entry key='b'>é</entry><entry key=\"b\"/></properties>\r\n";
        let document = document(text);
        assert_eq!(document.to_json(), serde_json::json!({"properties": {"a": "1 < 2", "b": ""}}));
        let members: Vec<_> = document.root().get("properties").expect("root").items().collect();
        let slices: Vec<_> = members.iter().map(|member| document.source.slice(member.span())).collect();
        assert_eq!(slices, ["1 &lt; 2", "é", "<entry key=\"b\"/>"]);
        assert_eq!(members[1].key_span().map(|span| document.source.slice(span)), Some("'b'"));
        assert_eq!(document.pointer(document.tree.notes[0].node), "/properties/b#2");
        assert_eq!(document.tree.comments.len(), 1);
    }

    #[test]
    fn elements_are_mappings_of_lists() {
        let text = "<c xmlns:x='u'> <x:s id=\"1\">t<!-- -->u</x:s>\n<o/><s><![CDATA[<]]></s></c>";
        let document = document(text);
        assert_eq!(
            document.to_json(),
            serde_json::json!({"c": {"s": [{"@id": "1", "#text": "tu"}, {"#text": "<"}], "o": [{}]}})
        );
        let first = document.at_pointer("/c/s/0").expect("element");
        assert_eq!(document.source.slice(first.span()), "<x:s id=\"1\">t<!-- -->u</x:s>");
        let id = first.get("@id").expect("attribute");
        assert_eq!(document.source.slice(id.span()), "\"1\"");
        let list = document.at_pointer("/c/s").expect("list");
        assert_eq!(list.key_span().map(|span| document.source.slice(span)), Some("s"));
    }

    #[test]
    fn errors_are_located() {
        for (text, offset, part) in [
            ("", 0, "no element"),
            ("<a>", 3, "ends inside"),
            ("<a>\n<ü></b></a>", 8, "does not match"),
            ("<a b='1' b='2'/>", 9, "twice"),
            ("<a>&nope;</a>", 3, "entity"),
            ("<properties><entry>x</entry></properties>", 12, "key attribute"),
            ("<properties><entry key='a'><b/></entry></properties>", 27, "text only"),
            ("<!DOCTYPE a [<!ENTITY b \"x\">]><a>&b;</a>", 13, "entities"),
            ("<!DOCTYPE a [<!ELEMENT a ANY><!ENTITY b \"x\">]><a>&b;</a>", 29, "entities"),
            ("plain text", 0, "well-formed"),
        ] {
            let error = read(text).expect_err(text);
            assert!(error.message.contains(part), "{text}: {error}");
            assert_eq!(error.span.start, offset, "{text}: {error}");
        }
    }

    #[test]
    fn hostile_files_are_quick_errors() {
        for depth in [200, 2_000, 1_000_000] {
            let text = format!("{}{}", "<a>".repeat(depth), "</a>".repeat(depth));
            assert!(read(&text).expect_err("refused").message.contains("256 levels"), "{depth}");
        }
        let text = "<a/>".repeat(1000) + "<!-- <!ENTITY --><![CDATA[<!ENTITY ]]>" + &"<a>x</a>".repeat(1000);
        assert!(read(&format!("<r>{text}</r>")).is_ok(), "many siblings, and declarations that are none");
        let attributes: String = (0..200_000).map(|n| format!(" a{n}='1'")).collect();
        assert!(read(&format!("<a b='>'{attributes}/>")).expect_err("refused").message.contains("attributes"));
        for text in
            ["<".repeat(1_000_000), "<a".repeat(500_000), "<!DOCTYPE a ".repeat(80_000), "<a b='".repeat(100_000)]
        {
            assert!(read(&text).is_err());
        }
    }
}
