//! A [`Document`]: a tree over its source, read through [`Cursor`]s, addressed by JSON Pointer.

use super::{Data, NodeId, Syntax, Text, Tree, json};
use crate::source::{Source, Span};
use smol_str::format_smolstr;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock};

/// A parsed document (or one element of a large list, or a value decoded from another document).
#[derive(Debug)]
pub struct Document {
    /// The text it was read from.
    pub source: Arc<Source>,
    /// The syntax it was read in.
    pub syntax: Syntax,
    /// The nodes.
    pub tree: Tree,
    /// JSON Pointer of the root inside the source's own document; empty unless this is one element of a list.
    pub prefix: String,
    /// Set when the text was decoded from a value of another document (a JWT segment, a `jwk` string).
    pub decoded: Option<Decoded>,
    /// See [`Document::ordinals`]; made when the first pointer is asked for.
    pub(super) ordinals: OnceLock<Box<[u32]>>,
    /// What is still to be read of the list at the root, see [`super::flow`].
    pub(super) flow: Option<Box<Mutex<super::flow::Flow>>>,
}

/// How a decoded document's bytes map back to the file they came from.
#[derive(Debug, Clone)]
pub struct Decoded {
    /// Pointer of the outer node, in the outer document.
    pub outer_pointer: String,
    /// The file's source.
    pub outer: Arc<Source>,
    /// The outer bytes that were decoded.
    pub span: Span,
    /// The encoding between the two.
    pub encoding: Encoding,
}

/// Encodings a document can be nested in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// base64url without padding, standing literally in the outer text.
    Base64Url,
    /// A string whose escapes were resolved; only the whole string can be pointed at when it had escapes.
    Escaped,
    /// A string standing literally in the outer text.
    Literal,
    /// A literal block of YAML (`|`): the outer lines with this many bytes of indentation before each.
    Indented(u32),
}

impl Decoded {
    /// The smallest outer span that covers `inner`.
    pub fn outer_span(&self, inner: Span) -> Span {
        let start = self.span.start as usize;
        match self.encoding {
            Encoding::Escaped => self.span,
            Encoding::Literal => Span::new(start + inner.start as usize, start + inner.end as usize),
            Encoding::Indented(indent) => {
                let outer = self.outer.slice(self.span);
                let map = |offset: u32| start + super::nested::block_offset(outer, indent as usize, offset as usize);
                Span::new(map(inner.start), map(inner.end))
            }
            Encoding::Base64Url => {
                let from = start + inner.start as usize * 4 / 3;
                let to = start + (inner.end as usize * 4).div_ceil(3);
                Span::new(from, to.min(self.span.end as usize))
            }
        }
    }
}

impl Document {
    /// The bytes of the user's file that hold a span of this document.
    pub fn outer_span(&self, span: Span) -> Span {
        self.decoded.as_ref().map_or(span, |decoded| decoded.outer_span(span))
    }

    /// A document at the top of a source.
    pub fn new(source: Arc<Source>, syntax: Syntax, tree: Tree) -> Self {
        let (prefix, ordinals) = (String::new(), OnceLock::new());
        Document { source, syntax, tree, prefix, decoded: None, ordinals, flow: None }
    }

    /// A cursor on the root.
    pub fn root(&self) -> Cursor<'_> {
        self.cursor(NodeId::ROOT)
    }

    /// A cursor on any node.
    pub fn cursor(&self, id: NodeId) -> Cursor<'_> {
        Cursor { document: self, id }
    }

    /// Text of a key or string.
    pub fn text<'d>(&'d self, text: &'d Text) -> &'d str {
        match text {
            Text::Raw(span) => self.source.slice(*span),
            Text::Owned(text) => text,
        }
    }

    /// JSON Pointer (RFC 6901) of a node, with the document's prefix. A repeated key gets its occurrence
    /// number from the second on: `/exp#2`.
    pub fn pointer(&self, id: NodeId) -> String {
        const USUAL: usize = 64;
        let room = if id == NodeId::ROOT { 0 } else { USUAL };
        let mut pointer = String::with_capacity(self.prefix.len() + room);
        pointer.push_str(&self.prefix);
        self.push_steps(id, &mut pointer);
        pointer
    }

    /// The way from the root to a node; as deep as documents nest, see [`super::MAX_DEPTH`].
    fn push_steps(&self, id: NodeId, pointer: &mut String) {
        let Some(parent) = self.tree.parent(id) else { return };
        self.push_steps(parent, pointer);
        pointer.push('/');
        let Some(key) = self.cursor(id).key() else {
            return pointer.push_str(&format_smolstr!("{}", self.place_in_list(parent, id)));
        };
        let mut rest = key;
        while let Some(at) = memchr::memchr2(b'~', b'/', rest.as_bytes()) {
            let escaped = if rest.as_bytes()[at] == b'~' { "~0" } else { "~1" };
            pointer.extend([&rest[..at], escaped]);
            rest = &rest[at + 1..];
        }
        pointer.push_str(rest);
        if self.tree.may_repeat_keys() && self.ordinals()[id.0 as usize] > 0 {
            pointer.push_str(&format!("#{}", self.ordinals()[id.0 as usize] + 1));
        }
    }

    fn place_in_list(&self, list: NodeId, id: NodeId) -> u32 {
        const FEW: usize = 500;
        match self.tree.len() {
            // Looking at so few is less work than numbering all.
            ..FEW => self.tree.children(list).take_while(|child| *child != id).count() as u32,
            _ => self.ordinals()[id.0 as usize],
        }
    }

    /// Of every node its place in its list, or the number of earlier members of its mapping with the same key. A file with
    /// many findings asks for many pointers, and counting siblings for each would cost their number squared.
    fn ordinals(&self) -> &[u32] {
        self.ordinals.get_or_init(|| {
            let mut ordinals = vec![0; self.tree.len()];
            for parent in self.tree.ids() {
                let mut seen: HashMap<&str, u32> = HashMap::new();
                for (index, child) in self.tree.children(parent).enumerate() {
                    ordinals[child.0 as usize] = match self.cursor(child).key() {
                        None => index as u32,
                        Some(key) => {
                            let earlier = seen.entry(key).or_default();
                            *earlier += 1;
                            *earlier - 1
                        }
                    };
                }
            }
            ordinals.into()
        })
    }

    /// The node a pointer of [`Document::pointer`] (without prefix) leads to; the first of repeated keys unless `#n` says
    /// otherwise.
    pub fn at_pointer(&self, pointer: &str) -> Option<Cursor<'_>> {
        let mut at = self.root();
        for step in pointer.split('/').skip(1) {
            let name = step.replace("~1", "/").replace("~0", "~");
            let nth =
                |name: &str, n: usize| at.entries().filter(|(key, _)| *key == name).nth(n).map(|(_, found)| found);
            at = match at.data() {
                Data::Seq => at.items().nth(step.parse().ok()?)?,
                _ => match (nth(&name, 0), step.rsplit_once('#')) {
                    (Some(member), _) => member,
                    (None, Some((name, n))) => {
                        let n: usize = n.parse().ok()?;
                        nth(name, n.checked_sub(1)?)?
                    }
                    (None, None) => return None,
                },
            };
        }
        Some(at)
    }

    /// Reads a skipped list element as a document of its own (same source, prefixed pointer).
    pub fn element(&self, id: NodeId) -> Result<Document, super::ParseError> {
        self.element_at(id, self.pointer(id))
    }

    /// The same for a caller that walks the list and so knows the element's pointer: finding it again costs a walk
    /// along the list for every element.
    pub fn element_at(&self, id: NodeId, pointer: String) -> Result<Document, super::ParseError> {
        let tree = json::read_span(self.source.text(), self.tree.node(id).span)?;
        Ok(Document {
            source: Arc::clone(&self.source),
            syntax: self.syntax,
            tree,
            prefix: pointer,
            decoded: self.decoded.clone(),
            ordinals: OnceLock::new(),
            flow: None,
        })
    }

    /// The whole document as a JSON value, for JSONPath. Repeated keys: the last wins; numbers that fit neither
    /// i64 nor u64 nor f64 become strings of their text.
    pub fn to_json(&self) -> serde_json::Value {
        self.root().to_json()
    }
}

/// A borrowed position in a document.
#[derive(Clone, Copy)]
pub struct Cursor<'d> {
    /// The document.
    pub document: &'d Document,
    /// The node.
    pub id: NodeId,
}

impl std::fmt::Debug for Cursor<'_> {
    // Never the value: it may be a secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Cursor({})", self.document.pointer(self.id))
    }
}

impl<'d> Cursor<'d> {
    /// What the node is.
    pub fn data(self) -> &'d Data {
        &self.document.tree.node(self.id).data
    }

    /// Span of the value.
    pub fn span(self) -> Span {
        self.document.tree.node(self.id).span
    }

    /// The key, when the node is a member of a mapping.
    pub fn key(self) -> Option<&'d str> {
        self.document.tree.node(self.id).key.text(self.document.source.text())
    }

    /// Span of the key.
    pub fn key_span(self) -> Option<Span> {
        self.document.tree.node(self.id).key.span()
    }

    /// The member with this name, of several the last, as nearly every reader takes it; `None` also when the node is no
    /// mapping.
    pub fn get(self, name: &str) -> Option<Cursor<'d>> {
        let document = self.document;
        let found = document.tree.member(self.id, name, document.source.text());
        found.map(|id| Cursor { document, id })
    }

    /// Follows several names.
    pub fn path(self, names: &[&str]) -> Option<Cursor<'d>> {
        names.iter().try_fold(self, |at, name| at.get(name))
    }

    /// True when the node is a mapping with this member.
    pub fn has(self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Children of a list or mapping; nothing for scalars.
    pub fn items(self) -> impl Iterator<Item = Cursor<'d>> + 'd {
        let document = self.document;
        document.tree.children(self.id).map(move |id| Cursor { document, id })
    }

    /// Members of a mapping with their names.
    pub fn entries(self) -> impl Iterator<Item = (&'d str, Cursor<'d>)> + 'd {
        self.items().filter_map(|item| item.key().map(|key| (key, item)))
    }

    /// True for a mapping.
    pub fn is_map(self) -> bool {
        matches!(self.data(), Data::Map)
    }

    /// True for a list.
    pub fn is_seq(self) -> bool {
        matches!(self.data(), Data::Seq)
    }

    /// True for null.
    pub fn is_null(self) -> bool {
        matches!(self.data(), Data::Null)
    }

    /// The text of a string; `None` for everything else (numbers included).
    pub fn as_str(self) -> Option<&'d str> {
        match self.data() {
            Data::Text(text) => Some(self.document.text(text)),
            _ => None,
        }
    }

    /// The text of any scalar as it stands in the file (a string without its quotes).
    pub fn scalar_text(self) -> Option<&'d str> {
        match self.data() {
            Data::Text(text) => Some(self.document.text(text)),
            Data::Number | Data::Bool(_) => Some(self.document.source.slice(self.span())),
            _ => None,
        }
    }

    /// A boolean.
    pub fn as_bool(self) -> Option<bool> {
        match self.data() {
            Data::Bool(value) => Some(*value),
            _ => None,
        }
    }

    /// A number that is a whole number within 64 bits: `3600`, `3600.0` and `3.6e3` alike, computed from the
    /// digits without floating point. `None` for strings, fractions and anything larger.
    pub fn as_i64(self) -> Option<i64> {
        match self.data() {
            Data::Number => whole_number(self.document.source.slice(self.span())),
            _ => None,
        }
    }

    /// Span of one word (from 0) of a string that stands literally in the source; the whole value when the string had
    /// escapes or has no such word. Blanks separate words, in the lists of line-based formats commas too, and semicolons
    /// where the format's lists have them.
    pub fn word_span(self, index: usize) -> Span {
        let Data::Text(Text::Raw(span)) = self.data() else { return self.span() };
        let text = self.document.source.slice(*span);
        let commas = matches!(self.document.syntax, Syntax::Ini(_) | Syntax::Words(_));
        let semicolons = self.document.syntax == Syntax::Ini(super::ini::IniDialect::FtsRest);
        let separates = |c: char| c.is_ascii_whitespace() || (commas && c == ',') || (semicolons && c == ';');
        match text.split(separates).filter(|word| !word.is_empty()).nth(index) {
            Some(word) => {
                let start = span.start as usize + (word.as_ptr() as usize - text.as_ptr() as usize);
                Span::new(start, start + word.len())
            }
            None => self.span(),
        }
    }

    /// This node and everything below as a JSON value; see [`Document::to_json`].
    pub fn to_json(self) -> serde_json::Value {
        use serde_json::Value;
        match self.data() {
            Data::Null | Data::Skipped => Value::Null,
            Data::Bool(value) => Value::Bool(*value),
            Data::Number => {
                let text = self.document.source.slice(self.span());
                match (text.parse::<i64>(), text.parse::<u64>(), whole_number(text)) {
                    (Ok(number), ..) => number.into(),
                    (_, Ok(number), _) => number.into(),
                    (.., Some(number)) => number.into(),
                    _ => {
                        let float = text.parse::<f64>().ok().and_then(serde_json::Number::from_f64);
                        float.map_or_else(|| Value::String(text.into()), Value::Number)
                    }
                }
            }
            Data::Text(text) => Value::String(self.document.text(text).into()),
            Data::Seq => self.items().map(Cursor::to_json).collect(),
            Data::Map => Value::Object(self.entries().map(|(key, item)| (key.to_string(), item.to_json())).collect()),
        }
    }
}

/// The exact value of a JSON number when it is whole and fits 64 bits.
pub(crate) fn whole_number(text: &str) -> Option<i64> {
    // Nearly all numbers are a few digits, which fit.
    if (1..=18).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(text.bytes().fold(0, |number, byte| number * 10 + i64::from(byte - b'0')));
    }
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (mantissa, exponent) = match digits.find(['e', 'E']) {
        Some(at) => (&digits[..at], digits[at + 1..].parse::<i32>().ok()?),
        None => (digits, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all = whole.bytes().chain(fraction.bytes());
    if whole.is_empty() || !all.clone().all(|b| b.is_ascii_digit()) {
        return None;
    }
    // Value = (whole ++ fraction) * 10^(exponent - fraction.len()).
    let shift = exponent.checked_sub(i32::try_from(fraction.len()).ok()?)?;
    let mut value: i128 = 0;
    let total = whole.len() + fraction.len();
    for (index, byte) in all.enumerate() {
        let digit = i128::from(byte - b'0');
        let remaining = total - index;
        if shift < 0 && remaining <= shift.unsigned_abs() as usize {
            if digit != 0 {
                return None; // a real fraction
            }
            continue;
        }
        value = value.checked_mul(10)?.checked_add(digit)?;
    }
    for _ in 0..shift.max(0) {
        if value == 0 {
            break;
        }
        value = value.checked_mul(10)?;
        if value > i128::from(u64::MAX) {
            return None;
        }
    }
    i64::try_from(if negative { -value } else { value }).ok()
}

#[cfg(test)]
mod tests {
    use super::{Cursor, whole_number};
    use crate::parse::{Syntax, parse};
    use crate::source::Source;
    use std::sync::Arc;

    #[test]
    fn of_a_repeated_key_the_last_counts_and_every_one_has_its_pointer() {
        let many: String = (0..100).map(|n| format!("\"k{n}\": {n}, ")).collect();
        for (syntax, text, remark) in [
            (Syntax::Json, r#"{"a": {"x": 1}, "b": 0, "\u0061": {"x": 2}}"#.to_string(), "JSON"),
            (Syntax::Json, format!(r#"{{{many}"a": {{"x": 1}}, "a": {{"x": 2}}}}"#), "among many"),
            (Syntax::Yaml, "a: {x: 1}\nb: 0\na: {x: 2}\n".to_string(), "YAML"),
            (Syntax::Yaml, "m: &m {x: 3}\na: {x: 1}\na: {<<: *m, x: 0, x: 2}\n".to_string(), "a merge key"),
        ] {
            let (documents, errors) = parse(&Arc::new(Source::from_text("t", text)), syntax);
            let ([document], []) = (&documents[..], &errors[..]) else { panic!("{remark}: {errors:?}") };
            let found = document.root().path(&["a", "x"]).expect(remark);
            assert_eq!(found.scalar_text(), Some("2"), "{remark}");
            assert_eq!(document.to_json().pointer("/a/x").and_then(serde_json::Value::as_i64), Some(2), "{remark}");
            let pointer = document.pointer(found.id);
            assert!(pointer.starts_with("/a#2/x"), "{remark}: {pointer}");
            assert_eq!(document.at_pointer(&pointer).map(|at| at.id), Some(found.id), "{remark}");
            let first = document.at_pointer("/a").and_then(|at| at.get("x")).and_then(Cursor::scalar_text);
            assert_eq!(first, Some("1"), "{remark}");
        }
    }

    #[test]
    fn whole_numbers_are_exact() {
        for (text, expected) in [
            ("0", Some(0)),
            ("-0", Some(0)),
            ("3600.0", Some(3600)),
            ("3.6e3", Some(3600)),
            ("36000e-1", Some(3600)),
            ("1.5", None),
            ("1e400", None),
            ("0e999999999", Some(0)),
            ("9007199254740993", Some(9007199254740993)),
            ("9223372036854775807", Some(i64::MAX)),
            ("-9223372036854775808", Some(i64::MIN)),
            ("9223372036854775808", None),
            ("1e", None),
        ] {
            assert_eq!(whole_number(text), expected, "{text}");
        }
    }
}
