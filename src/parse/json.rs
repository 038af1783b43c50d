//! JSON, strictly as RFC 8259 has it, onto a [`Tree`] with byte spans.
//!
//! * Spans of strings and keys include the quotes. Text without escapes stays a slice of the source
//!   ([`Text::Raw`]); numbers keep their text whatever their size.
//! * A byte order mark in front is accepted in files ([`read`]) and refused in JWT segments ([`read_strict`]).
//! * Repeated keys are kept and noted, also when one of them is written with escapes. A lone surrogate escape is
//!   read as U+FFFD and noted: Java products write them and read them back.
//! * The reader works iteratively: nesting beyond [`MAX_DEPTH`] and more than [`MAX_NODES`] values are errors at
//!   the place, however the text goes on.
//! * Large listings flow. In a text above [`LARGE`] bytes the list at the root, or the list in a root member
//!   named as in [`LIST_MEMBERS`], keeps its objects after the first [`READ_IN_FULL`] as [`Data::Skipped`] leaves.
//!   They are checked for well-formedness at once, so that a truncated file is an error now; what they hold is
//!   read by [`super::Document::element`].

use super::{Data, Decoded, Document, Encoding, MAX_DEPTH, NodeId, NoteKind, ParseError, Text, Tree, TreeBuilder};
use crate::source::{Source, Span};
use std::sync::Arc;

/// Texts up to this many bytes (1 MiB) are always read in full.
pub const LARGE: usize = 1 << 20;

/// Root members whose lists are read element by element in large texts: SCIM, INDIGO IAM and Keycloak listings.
pub const LIST_MEMBERS: [&str; 3] = ["Resources", "resources", "clients"];

/// Objects of a large list that are read in full, so that a format can be recognised by them.
pub const READ_IN_FULL: usize = 8;

/// About how many bytes of compact JSON a value takes, for room in the tree.
const BYTES_PER_VALUE: usize = 24;

/// Values that a client registration has, for room in the tree.
const USUAL_VALUES: usize = 64;

/// Most values one document may hold; beyond, a hostile file would take more memory than a site has.
pub const MAX_NODES: usize = 1 << 24;

/// Reads a file: one JSON value, a leading byte order mark allowed.
pub fn read(text: &str) -> Result<Tree, ParseError> {
    let start = if text.starts_with('\u{feff}') { 3 } else { 0 };
    read_range(text, start, text.len(), text.len() > LARGE)
}

/// Reads a decoded JWT segment: as [`read`], but a byte order mark is an error and nothing is skipped.
pub fn read_strict(text: &str) -> Result<Tree, ParseError> {
    read_range(text, 0, text.len(), false)
}

/// Reads the one JSON value under a span; all offsets are offsets in the whole text.
pub fn read_span(text: &str, span: Span) -> Result<Tree, ParseError> {
    read_range(text, span.start as usize, span.end as usize, false)
}

fn read_range(text: &str, start: usize, end: usize, large: bool) -> Result<Tree, ParseError> {
    let Some(within) = text.get(..end).filter(|_| text.is_char_boundary(start) && start <= end) else {
        return Err(ParseError::at(start, "the place to read lies outside the text"));
    };
    let mut reader = Reader { bytes: within.as_bytes(), at: start };
    let expected = if large { 0 } else { (end - start) / BYTES_PER_VALUE };
    let mut build = Build { text: within, builder: TreeBuilder::with_capacity(expected), lone_in_key: false };
    let mut place = Place { base: 0, open: Vec::new(), large, in_list_member: false, list: None };
    reader.value(&mut build, &mut place)?;
    reader.space();
    match reader.peek() {
        None => Ok(build.builder.finish()),
        Some(byte) => Err(ParseError::at(reader.at, trailing(byte))),
    }
}

/// Bytes that an error may stand before the place where the text ends too early: it need not be one when more text follows.
pub(super) const CERTAIN: usize = 16;

/// The beginning of a list.
pub(super) struct Head {
    /// The list with its first elements.
    pub(super) tree: Tree,
    /// Where the text goes on.
    pub(super) next: usize,
    /// Elements in the tree.
    pub(super) elements: usize,
}

/// Reads a list up to its first [`READ_IN_FULL`] objects, or as many other elements; `None` for what is no list. A list that
/// ends before is an error like any other: it is not large.
pub(super) fn read_head(text: &str) -> Result<Option<Head>, ParseError> {
    const ELEMENTS: usize = 64;
    let start = if text.starts_with('\u{feff}') { 3 } else { 0 };
    let mut reader = Reader { bytes: text.as_bytes(), at: start };
    reader.space();
    if reader.peek() != Some(b'[') {
        return Ok(None);
    }
    let mut build = Build { text, builder: TreeBuilder::new(), lone_in_key: false };
    build.open(Data::Seq, reader.at);
    reader.at += 1;
    let (mut objects, mut elements) = (0, 0);
    loop {
        reader.space();
        objects += usize::from(reader.peek() == Some(b'{'));
        reader.value(&mut build, &mut Place::element())?;
        elements += 1;
        if objects == READ_IN_FULL || elements == ELEMENTS {
            break;
        }
        if !reader.after(&mut Check, &mut Place::list())? {
            return reader.error("the list ends");
        }
    }
    build.close(reader.at);
    Ok(Some(Head { tree: build.builder.finish(), next: reader.at, elements }))
}

/// What follows in a list.
#[expect(clippy::large_enum_variant, reason = "one is there at a time, and nearly all are elements")]
pub(super) enum Step {
    /// An element and where it ends.
    Element {
        /// The element, with offsets in the whole text.
        tree: Tree,
        /// Behind its last byte.
        end: usize,
    },
    /// The end of the list, and of the text.
    End,
}

/// Reads on in a list behind one of its elements.
pub(super) fn next_element(text: &str, at: usize) -> Result<Step, ParseError> {
    let mut reader = Reader { bytes: text.as_bytes(), at };
    if !reader.after(&mut Check, &mut Place::list())? {
        reader.space();
        return match reader.peek() {
            None => Ok(Step::End),
            Some(byte) => Err(ParseError::at(reader.at, trailing(byte))),
        };
    }
    if reader.peek().is_none() {
        return reader.error(CUT_LIST);
    }
    let mut build = Build { text, builder: TreeBuilder::with_capacity(USUAL_VALUES), lone_in_key: false };
    reader.value(&mut build, &mut Place::element())?;
    Ok(Step::Element { tree: build.builder.finish(), end: reader.at })
}

impl Document {
    /// Reads the JSON text that a string of this document holds (INDIGO IAM keeps a client's `jwk` so).
    ///
    /// Errors are located in the file: at the place inside the string when the string stands there literally,
    /// else at the whole string.
    pub fn nested_json(&self, node: NodeId) -> Result<Document, ParseError> {
        let (text, span, encoding) = match &self.tree.node(node).data {
            Data::Text(Text::Raw(span)) => (self.source.slice(*span), *span, Encoding::Literal),
            Data::Text(Text::Owned(text)) => (text.as_ref(), self.tree.node(node).span, Encoding::Escaped),
            Data::Null | Data::Bool(_) | Data::Number | Data::Seq | Data::Map | Data::Skipped => {
                let span = self.tree.node(node).span;
                return Err(ParseError { message: "a string holding JSON text is expected".into(), span });
            }
        };
        let decoded = self.decoded_at(node, span, encoding);
        self.derive(text, decoded)
    }

    /// Where a text decoded from `span` of this document came from in the file.
    pub(super) fn decoded_at(&self, node: NodeId, span: Span, encoding: Encoding) -> Decoded {
        match &self.decoded {
            None => Decoded { outer_pointer: self.pointer(node), outer: Arc::clone(&self.source), span, encoding },
            // Two encodings deep only the whole value can be pointed at.
            Some(outer) => Decoded {
                outer_pointer: outer.outer_pointer.clone(),
                outer: Arc::clone(&outer.outer),
                span: outer.outer_span(span),
                encoding: Encoding::Escaped,
            },
        }
    }

    /// Reads decoded JSON text as a document of its own.
    pub(super) fn derive(&self, text: &str, decoded: Decoded) -> Result<Document, ParseError> {
        let tree = read_strict(text)
            .map_err(|error| ParseError { span: decoded.outer_span(error.span), message: error.message })?;
        let source = Arc::new(Source::from_text(self.source.name().clone(), text));
        let decoded = Some(decoded);
        Ok(Document { decoded, ..Document::new(source, super::Syntax::Json, tree) })
    }
}

/// What the grammar tells whoever reads along.
trait Visitor {
    fn key(&mut self, string: Scanned);
    fn string(&mut self, string: Scanned);
    fn scalar(&mut self, data: Data, span: Span);
    fn open(&mut self, data: Data, start: usize);
    fn close(&mut self, end: usize);
    /// True when no further value is taken.
    fn full(&self) -> bool;
}

/// A well-formed string: its span with quotes, and whether it holds escapes.
#[derive(Clone, Copy)]
struct Scanned {
    span: Span,
    escaped: bool,
}

/// Builds the tree.
struct Build<'t> {
    text: &'t str,
    builder: TreeBuilder,
    lone_in_key: bool,
}

impl Build<'_> {
    fn text_of(&self, string: Scanned) -> (Text, bool) {
        let inner = Span { start: string.span.start + 1, end: string.span.end - 1 };
        if string.escaped {
            let (text, lone) = unescape(&self.text[inner.range()]);
            (Text::Owned(text.into_boxed_str()), lone)
        } else {
            (Text::Raw(inner), false)
        }
    }

    fn added(&mut self, node: NodeId, lone: bool) {
        if std::mem::take(&mut self.lone_in_key) || lone {
            self.builder.note(NoteKind::LoneSurrogate, node);
        }
    }
}

impl Visitor for Build<'_> {
    fn key(&mut self, string: Scanned) {
        let (text, lone) = self.text_of(string);
        self.lone_in_key = lone;
        self.builder.key(text, string.span);
    }

    fn string(&mut self, string: Scanned) {
        let (text, lone) = self.text_of(string);
        let node = self.builder.leaf(Data::Text(text), string.span);
        self.added(node, lone);
    }

    fn scalar(&mut self, data: Data, span: Span) {
        let node = self.builder.leaf(data, span);
        self.added(node, false);
    }

    fn open(&mut self, data: Data, start: usize) {
        let node = self.builder.open(data, start);
        self.added(node, false);
    }

    fn close(&mut self, end: usize) {
        self.builder.close(end, self.text);
    }

    fn full(&self) -> bool {
        self.builder.tree().len() >= MAX_NODES
    }
}

/// Only checks.
struct Check;

impl Visitor for Check {
    fn key(&mut self, _: Scanned) {}
    fn string(&mut self, _: Scanned) {}
    fn scalar(&mut self, _: Data, _: Span) {}
    fn open(&mut self, _: Data, _: usize) {}
    fn close(&mut self, _: usize) {}
    fn full(&self) -> bool {
        false
    }
}

/// Where in the nesting the reader is.
struct Place {
    /// Containers around the value that is read.
    base: usize,
    /// The open containers; true for a mapping.
    open: Vec<bool>,
    /// True when the list of a listing is to be skipped through.
    large: bool,
    /// True when the last key of the root mapping is one of [`LIST_MEMBERS`].
    in_list_member: bool,
    /// Depth of that list's elements and the objects met in it.
    list: Option<(usize, usize)>,
}

impl Place {
    /// Behind an element of a list.
    fn list() -> Self {
        Place { base: 0, open: vec![false], large: false, in_list_member: false, list: None }
    }

    /// At an element of a list.
    fn element() -> Self {
        Place { base: 1, open: Vec::new(), large: false, in_list_member: false, list: None }
    }

    /// Called at an opening `[`: remembers the list whose elements are skipped.
    fn enter_list(&mut self) {
        let depth = self.open.len();
        if self.large && (depth == 0 || (depth == 1 && self.open[0] && self.in_list_member)) {
            self.list = Some((depth + 1, 0));
        }
    }

    /// Called at an opening `{`: true when that object is to be skipped.
    fn skips(&mut self) -> bool {
        match &mut self.list {
            Some((depth, seen)) if *depth == self.open.len() => {
                *seen += 1;
                *seen > READ_IN_FULL
            }
            _ => false,
        }
    }
}

struct Reader<'t> {
    bytes: &'t [u8],
    at: usize,
}

impl Reader<'_> {
    #[inline]
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    #[inline]
    fn space(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.peek() {
            self.at += 1;
        }
    }

    fn error<T>(&self, message: &str) -> Result<T, ParseError> {
        Err(ParseError::at(self.at, message))
    }

    /// Reads one value.
    fn value<V: Visitor>(&mut self, visitor: &mut V, place: &mut Place) -> Result<(), ParseError> {
        loop {
            if self.begin(visitor, place)? && !self.after(visitor, place)? {
                return Ok(());
            }
        }
    }

    /// Reads a scalar, an empty container, or up to the first value of a container; true when the value is complete.
    fn begin<V: Visitor>(&mut self, visitor: &mut V, place: &mut Place) -> Result<bool, ParseError> {
        self.space();
        if visitor.full() {
            return self.error("the document holds more than 16 million values; split it into several files");
        }
        let start = self.at;
        match self.peek() {
            Some(b'"') => {
                let string = self.string()?;
                visitor.string(string);
            }
            Some(b'{') if place.skips() => {
                let base = place.base + place.open.len();
                let mut inner = Place { base, open: Vec::new(), large: false, in_list_member: false, list: None };
                self.value(&mut Check, &mut inner)?;
                visitor.scalar(Data::Skipped, Span::new(start, self.at));
            }
            Some(byte @ (b'{' | b'[')) => return self.container(byte == b'{', visitor, place),
            Some(b'-' | b'0'..=b'9') => {
                self.number()?;
                visitor.scalar(Data::Number, Span::new(start, self.at));
            }
            Some(b't') => self.word(b"true", Data::Bool(true), visitor)?,
            Some(b'f') => self.word(b"false", Data::Bool(false), visitor)?,
            Some(b'n') => self.word(b"null", Data::Null, visitor)?,
            other => return Err(self.no_value(other, place)),
        }
        Ok(true)
    }

    fn container<V: Visitor>(&mut self, map: bool, visitor: &mut V, place: &mut Place) -> Result<bool, ParseError> {
        if place.base + place.open.len() >= MAX_DEPTH {
            return self
                .error("nested deeper than 256 levels; no configuration needs that, check how the file was made");
        }
        if !map {
            place.enter_list();
        }
        visitor.open(if map { Data::Map } else { Data::Seq }, self.at);
        self.at += 1;
        self.space();
        match self.peek() {
            Some(b'}') if map => {}
            Some(b']') if !map => {}
            _ => {
                place.open.push(map);
                if map {
                    self.key(visitor, place)?;
                }
                return Ok(false);
            }
        }
        self.at += 1;
        visitor.close(self.at);
        Ok(true)
    }

    /// Reads what may follow a value; true when another value is to come.
    fn after<V: Visitor>(&mut self, visitor: &mut V, place: &mut Place) -> Result<bool, ParseError> {
        while let Some(&map) = place.open.last() {
            self.space();
            match self.peek() {
                Some(b',') => {
                    let comma = self.at;
                    self.at += 1;
                    self.space();
                    if let Some(b'}' | b']') = self.peek() {
                        return Err(ParseError::at(comma, "JSON allows no comma before a closing bracket; remove it"));
                    }
                    if map {
                        self.key(visitor, place)?;
                    }
                    return Ok(true);
                }
                Some(b'}') if map => {}
                Some(b']') if !map => {}
                other => return self.error(no_separator(other, map)),
            }
            self.at += 1;
            place.open.pop();
            visitor.close(self.at);
        }
        Ok(false)
    }

    fn key<V: Visitor>(&mut self, visitor: &mut V, place: &mut Place) -> Result<(), ParseError> {
        match self.peek() {
            Some(b'"') => {}
            None => return self.error(CUT_MAP),
            Some(b'\'') => return self.error("a key is written in double quotes, not in single ones"),
            Some(b'/' | b'#') => return self.error("JSON has no comments; remove it"),
            Some(b',') => return self.error("a comma without a member before it; remove it"),
            Some(_) => return self.error("a key in double quotes is expected here"),
        }
        let string = self.string()?;
        if place.large && place.open.len() == 1 {
            let name = &self.bytes[string.span.start as usize + 1..string.span.end as usize - 1];
            place.in_list_member = LIST_MEMBERS.iter().any(|member| member.as_bytes() == name);
        }
        visitor.key(string);
        self.space();
        match self.peek() {
            Some(b':') => {
                self.at += 1;
                Ok(())
            }
            None => self.error(CUT_MAP),
            Some(_) => self.error("a colon is expected between a key and its value"),
        }
    }

    fn word<V: Visitor>(&mut self, word: &[u8], data: Data, visitor: &mut V) -> Result<(), ParseError> {
        let start = self.at;
        if !self.bytes[start..].starts_with(word) {
            return self.error("only true, false and null may stand without quotes; put text into double quotes");
        }
        self.at += word.len();
        visitor.scalar(data, Span::new(start, self.at));
        Ok(())
    }

    fn digits(&mut self, message: &str) -> Result<(), ParseError> {
        let start = self.at;
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
        if self.at == start { self.error(message) } else { Ok(()) }
    }

    fn number(&mut self) -> Result<(), ParseError> {
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        match self.peek() {
            Some(b'0') => {
                self.at += 1;
                if let Some(b'0'..=b'9') = self.peek() {
                    self.at -= 1;
                    return self.error("JSON allows no leading zeros; remove them, or quote the value if it is text");
                }
                if let Some(b'x' | b'X' | b'o' | b'b') = self.peek() {
                    return self.error("JSON has decimal numbers only; write the number in decimal digits");
                }
            }
            Some(b'N' | b'I') => return self.error(NOT_A_NUMBER),
            _ => self.digits("a digit is expected after the minus sign")?,
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits("a digit is expected after the decimal point")?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            self.digits("a digit is expected in the exponent")?;
        }
        Ok(())
    }

    /// Scans a string and checks its escapes.
    fn string(&mut self) -> Result<Scanned, ParseError> {
        let start = self.at;
        let mut escaped = false;
        self.at += 1;
        loop {
            self.at += literal_run(&self.bytes[self.at..]);
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(Scanned { span: Span::new(start, self.at), escaped });
                }
                Some(b'\\') => {
                    escaped = true;
                    self.escape()?;
                }
                Some(b'\n' | b'\r') => {
                    return self.error("a line break inside a string: the closing quote is missing, or write \\n");
                }
                Some(_) => {
                    return self.error("a control character inside a string; write it as an escape (\\t, \\u001b …)");
                }
                None => {
                    let span = Span::new(start, self.at);
                    let message = "the text ends inside a string: it was cut off, or a closing quote is missing".into();
                    return Err(ParseError { message, span });
                }
            }
        }
    }

    fn escape(&mut self) -> Result<(), ParseError> {
        match self.bytes.get(self.at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 2,
            Some(b'u') => {
                let digits = self.bytes.get(self.at + 2..self.at + 6);
                if !digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit)) {
                    return self.error("\\u needs four hexadecimal digits");
                }
                self.at += 6;
            }
            _ => return self.error("JSON knows no such escape; a literal backslash is written \\\\"),
        }
        Ok(())
    }

    fn no_value(&self, found: Option<u8>, place: &Place) -> ParseError {
        let rest = &self.bytes[self.at..];
        let message = match found {
            None => match place.open.last() {
                None if place.base == 0 => "the text is empty; a JSON value is expected",
                Some(true) | None => CUT_MAP,
                Some(false) => CUT_LIST,
            },
            Some(b'\'') => "a string is written in double quotes, not in single ones",
            Some(b'/' | b'#') => "JSON has no comments; remove it",
            Some(b',') => "a comma without a value before it; remove it",
            Some(b'N' | b'I') if rest.starts_with(b"NaN") || rest.starts_with(b"Infinity") => NOT_A_NUMBER,
            Some(b'T' | b'F' | b'N') => "JSON writes true, false and null in lower case",
            Some(b'+') => "JSON allows no plus sign before a number; remove it",
            Some(b'.') => "a number needs a digit before the decimal point",
            Some(0xef) if rest.starts_with("\u{feff}".as_bytes()) => "a byte order mark is not allowed here; remove it",
            Some(b'}' | b']') => "a value is expected before the closing bracket",
            Some(_) => "a JSON value is expected here",
        };
        ParseError::at(self.at, message)
    }
}

const CUT_MAP: &str = "the text ends inside a mapping: it was cut off, or a closing } is missing";
const CUT_LIST: &str = "the text ends inside a list: it was cut off, or a closing ] is missing";
const NOT_A_NUMBER: &str = "JSON has no NaN or Infinity; write null or a number";

fn no_separator(found: Option<u8>, map: bool) -> &'static str {
    match (found, map) {
        (None, true) => CUT_MAP,
        (None, false) => CUT_LIST,
        (Some(b'/' | b'#'), _) => "JSON has no comments; remove it",
        (Some(b']'), true) => "a mapping ends with }, not with ]",
        (Some(b'}'), false) => "a list ends with ], not with }",
        (Some(_), true) => "a comma or } is expected after the value of a member",
        (Some(_), false) => "a comma or ] is expected after an element",
    }
}

fn trailing(byte: u8) -> &'static str {
    match byte {
        b'{' | b'[' | b'"' => "a second JSON value follows; a document holds one (wrap several in a list)",
        b'}' | b']' => "a closing bracket that was never opened; remove it",
        b'/' | b'#' => "JSON has no comments; remove it",
        _ => "text follows after the JSON value; remove it",
    }
}

/// Number of leading bytes that stand in a string as they are, eight at a time.
#[inline]
fn literal_run(bytes: &[u8]) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHS: u64 = 0x8080_8080_8080_8080;
    let (chunks, _) = bytes.as_chunks::<8>();
    let mut run = 0;
    for chunk in chunks {
        let word = u64::from_le_bytes(*chunk);
        // A byte's high bit is set when the byte is below the subtrahend; borrows only spoil bytes further up.
        let quote = word ^ (ONES * u64::from(b'"'));
        let slash = word ^ (ONES * u64::from(b'\\'));
        let stops = (quote.wrapping_sub(ONES) & !quote)
            | (slash.wrapping_sub(ONES) & !slash)
            | (word.wrapping_sub(ONES * 0x20) & !word);
        let stops = stops & HIGHS;
        if stops != 0 {
            return run + stops.trailing_zeros() as usize / 8;
        }
        run += 8;
    }
    run + bytes[run..].iter().take_while(|&&byte| byte >= 0x20 && byte != b'"' && byte != b'\\').count()
}

/// Resolves the escapes of a scanned string; true when a surrogate stood alone.
fn unescape(raw: &str) -> (String, bool) {
    let mut text = String::with_capacity(raw.len());
    let mut lone = false;
    let mut rest = raw;
    while let Some(at) = memchr::memchr(b'\\', rest.as_bytes()) {
        text.push_str(&rest[..at]);
        let code = rest.as_bytes().get(at + 1).copied().unwrap_or(b'\\');
        rest = rest.get(at + 2..).unwrap_or("");
        match code {
            b'b' => text.push('\u{8}'),
            b'f' => text.push('\u{c}'),
            b'n' => text.push('\n'),
            b'r' => text.push('\r'),
            b't' => text.push('\t'),
            b'u' => {
                let (c, used) = unicode_escape(rest);
                lone |= c.is_none();
                text.push(c.unwrap_or(char::REPLACEMENT_CHARACTER));
                rest = rest.get(used..).unwrap_or("");
            }
            other => text.push(char::from(other)),
        }
    }
    text.push_str(rest);
    (text, lone)
}

/// The character behind `\u`, `None` for a lone surrogate, and the bytes it took.
fn unicode_escape(rest: &str) -> (Option<char>, usize) {
    let unit = |at: usize| rest.get(at..at + 4).and_then(|digits| u32::from_str_radix(digits, 16).ok());
    match unit(0) {
        Some(high @ 0xd800..=0xdbff) if rest.get(4..6) == Some("\\u") => match unit(6) {
            Some(low @ 0xdc00..=0xdfff) => (char::from_u32(0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00)), 10),
            _ => (None, 4),
        },
        Some(unit) => (char::from_u32(unit), 4),
        None => (None, 4),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::Syntax;

    fn document(text: &str) -> Document {
        let source = Arc::new(Source::from_text("t", text));
        let tree = read(source.text()).unwrap_or_else(|error| panic!("{text}: {error}"));
        Document::new(source, Syntax::Json, tree)
    }

    #[test]
    fn errors_name_the_place_and_the_remedy() {
        for (text, offset, part) in [
            ("", 0, "empty"),
            ("  ", 2, "empty"),
            ("{\"a\": 1,}", 7, "no comma before"),
            ("[1,]", 2, "no comma before"),
            ("[1,,2]", 3, "comma without a value"),
            ("[,1]", 1, "comma without a value"),
            ("{,}", 1, "comma without a member"),
            ("[1 2]", 3, "a comma or ]"),
            ("{\"a\" 1}", 5, "colon"),
            ("{\"a\": 1", 7, "cut off"),
            ("{\"a\": ", 6, "cut off"),
            ("[1", 2, "cut off"),
            ("[", 1, "cut off"),
            ("{", 1, "cut off"),
            ("\"abc", 0, "cut off"),
            ("{\"a\": }", 6, "value is expected"),
            ("[01]", 1, "leading zeros"),
            ("[-01]", 2, "leading zeros"),
            ("[0x1f]", 2, "decimal"),
            ("[1.]", 3, "after the decimal point"),
            ("[.5]", 1, "before the decimal point"),
            ("[1e+]", 4, "exponent"),
            ("[-]", 2, "minus"),
            ("[+1]", 1, "plus"),
            ("[NaN]", 1, "NaN"),
            ("[-Infinity]", 2, "NaN"),
            ("[None]", 1, "lower case"),
            ("[tru]", 1, "only true"),
            ("{'a': 1}", 1, "double quotes"),
            ("{a: 1}", 1, "double quotes"),
            ("['a']", 1, "double quotes"),
            ("// x\n{}", 0, "no comments"),
            ("{} // x", 3, "no comments"),
            ("{\"a\": 1 # x\n}", 8, "no comments"),
            ("{}{}", 2, "second JSON value"),
            ("{}]", 2, "never opened"),
            ("1 x", 2, "text follows"),
            ("[1}", 2, "list ends"),
            ("{\"a\": 1]", 7, "mapping ends"),
            ("\"a\tb\"", 2, "control"),
            ("\"a\nb\"", 2, "line break"),
            (r#""\x""#, 1, "no such escape"),
            (r#""\u12g4""#, 1, "four hexadecimal"),
            ("\u{feff}\u{feff}{}", 3, "byte order mark"),
        ] {
            let error = read(text).expect_err(text);
            assert_eq!(error.span.start, offset, "{text}: {error}");
            assert!(error.message.contains(part), "{text}: {error}");
        }
        assert!(read_strict("\u{feff}{}").expect_err("refused").message.contains("byte order mark"));
    }

    #[test]
    fn spans_cover_values_and_keys_with_their_quotes() {
        let text = "\u{feff}{ \"k\\u00fc\" : [ 1.50e1 , \"ü\" ] }";
        let document = document(text);
        let list = document.root().get("kü").expect("key");
        assert_eq!(document.source.slice(list.key_span().expect("key")), "\"k\\u00fc\"");
        assert_eq!(document.source.slice(list.span()), "[ 1.50e1 , \"ü\" ]");
        let slices: Vec<_> = list.items().map(|item| document.source.slice(item.span())).collect();
        assert_eq!(slices, ["1.50e1", "\"ü\""]);
        assert_eq!(document.source.slice(document.root().span()), &text[3..]);
    }

    #[test]
    fn escapes_resolve_and_lone_surrogates_are_noted() {
        for (raw, expected, lone) in [
            (r"\ud83d\ude00", "😀", false),
            (r"\uD83D", "\u{fffd}", true),
            (r"\ud83d\u0041", "\u{fffd}A", true),
            (r"\ude00\ud83d", "\u{fffd}\u{fffd}", true),
            (r"\ud83d\ud83d\ude00", "\u{fffd}😀", true),
            (r#"\"\\\/\b\f\n\r\t\u0000"#, "\"\\/\u{8}\u{c}\n\r\t\0", false),
            (r"\\ud800", r"\ud800", false),
        ] {
            let document = document(&format!("[\"{raw}\"]"));
            let item = document.root().items().next().expect("item");
            assert_eq!(item.as_str(), Some(expected), "{raw}");
            let noted = document.tree.notes.iter().any(|n| n.kind == NoteKind::LoneSurrogate && n.node == item.id);
            assert_eq!(noted, lone, "{raw}");
        }
        let document = document(r#"{"\ud800": {"a": 1}}"#);
        let member = document.root().items().next().expect("member");
        assert_eq!(document.tree.notes[0].node, member.id, "a lone surrogate in a key is about the member");
    }

    #[test]
    fn repeated_keys_are_noted_also_when_escaped() {
        let document = document(r#"{"exp": 1, "x": {"exp": 2}, "\u0065xp": 3}"#);
        let [note] = document.tree.notes.as_slice() else { panic!("one note") };
        assert_eq!(note.kind, NoteKind::DuplicateKey);
        assert_eq!(document.pointer(note.node), "/exp#2");
        assert_eq!(note.other.map(|node| document.pointer(node)).as_deref(), Some("/exp"));
    }

    #[test]
    fn depth_is_limited_without_recursion() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(read(&nested(MAX_DEPTH)).is_ok());
        for depth in [MAX_DEPTH + 1, 10_000, 1_000_000] {
            assert_eq!(read(&nested(depth)).expect_err("refused").span.start as usize, MAX_DEPTH);
        }
        assert_eq!(read(&"{\"a\":".repeat(1_000_000)).expect_err("refused").span.start as usize, MAX_DEPTH * 5);
        let within_skipped = format!("[{}{{\"a\":{}}}]", "{}, ".repeat(LARGE / 4), nested(MAX_DEPTH));
        assert!(read(&within_skipped).expect_err("refused").message.contains("256 levels"));
    }

    #[test]
    fn large_lists_are_skipped_through_but_checked() {
        let element =
            |n: usize| format!("{{\"client_id\":\"c{n}\",\"note\":\"{}\",\"n\":[{{}},{n}]}}", "x".repeat(1000));
        let elements = (0..2000).map(element).collect::<Vec<_>>().join(",\n");
        for (text, list) in [
            (format!("[{elements}, 7]"), ""),
            (format!("{{\"other\":[{{}}], \"Resources\" : [{elements}, 7], \"z\": 1}}"), "/Resources"),
        ] {
            let document = document(&text);
            let list = document.at_pointer(list).expect("list");
            let items: Vec<_> = list.items().collect();
            assert_eq!(items.len(), 2001);
            assert!(items[..READ_IN_FULL].iter().all(|item| item.is_map()));
            assert!(items[READ_IN_FULL..2000].iter().all(|item| *item.data() == Data::Skipped));
            assert_eq!(items[2000].as_i64(), Some(7));
            let element = document.element(items[1234].id).expect("element");
            let id = element.root().get("client_id").expect("id");
            assert_eq!((id.as_str(), element.source.slice(id.span())), (Some("c1234"), "\"c1234\""));
            assert_eq!(element.pointer(id.id), format!("{}/client_id", document.pointer(items[1234].id)));
            assert!(read(&text[..text.len() - 1500]).is_err(), "truncated");
        }
        let other = document(&format!("{{\"members\":[{elements}]}}"));
        assert!(other.tree.ids().all(|id| other.tree.node(id).data != Data::Skipped));
    }

    #[test]
    fn json_text_in_a_string_points_into_the_file() {
        let literal = document(r#"{"jwk": "[1, 22]"}"#);
        let escaped = document(r#"{"jwk": "{\"keys\": [ ]}"}"#);
        let node = |document: &Document| document.root().get("jwk").expect("jwk").id;
        let nested = literal.nested_json(node(&literal)).expect("json");
        let second = nested.root().items().nth(1).expect("second");
        let decoded = nested.decoded.as_ref().expect("decoded");
        assert_eq!(literal.source.slice(decoded.outer_span(second.span())), "22");
        assert_eq!(decoded.outer_pointer, "/jwk");
        let nested = escaped.nested_json(node(&escaped)).expect("json");
        assert!(nested.root().has("keys"));
        let whole = nested.decoded.as_ref().expect("decoded").outer_span(nested.root().span());
        assert_eq!(escaped.source.slice(whole), r#""{\"keys\": [ ]}""#);

        let broken = document(r#"{"jwk": "[1,]"}"#);
        assert_eq!(broken.nested_json(node(&broken)).expect_err("refused").span.start, 11);
        assert!(broken.nested_json(NodeId::ROOT).is_err());
    }
}
