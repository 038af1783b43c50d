//! YAML 1.2 onto [`Tree`]s, one per document of the stream. The only file that knows the YAML crate.
//!
//! * Plain scalars follow the core schema (YAML 1.2.2 section 10.3) where YAML 1.1 agrees. Scalars that the two read
//!   differently (`no`, `010`, `0x1F`, `12:30`, `1_000`, `1e3`, `.inf` …) stay text and get
//!   [`NoteKind::AmbiguousScalar`]; an adapter of a product with a YAML 1.1 reader asks [`scalar_1_1`]. Dates stay
//!   text without a note: no product reads one where a date is not meant. `!!str` makes text, other core tags
//!   resolve quoted scalars too, any other tag leaves a scalar text.
//! * An alias is copied: the copy has the spans of the anchored node. Copies are limited to [`MAX_COPIES`] nodes per
//!   stream. A merge key `<<` adds the members that the mapping does not have itself, after its own.
//! * A mapping key must be a single value; lists and mappings as keys are errors.
//! * An error ends its document; the documents before and after it are read. A stream without content has none.
//! * A block mapping or list spans from its first key or item to the end of its last value.

use super::json::MAX_NODES;
use super::{Data, MAX_DEPTH, NoteKind, ParseError, Text, Tree, TreeBuilder};
use crate::source::Span;
use granit_parser::{ErrorKind, Event, Parser, ScalarStyle, ScanError, StructureStyle, Tag};
use std::collections::{HashMap, HashSet};

/// Most nodes that aliases and merge keys of one stream may copy; beyond, it is an alias bomb.
pub const MAX_COPIES: usize = 100_000;

/// Errors reported for one stream; a file broken in more documents than that is broken as a whole.
const MAX_ERRORS: usize = 20;

/// Reads every document of a stream; documents that could not be read are missing and have an error each.
pub fn read(text: &str) -> (Vec<Tree>, Vec<ParseError>) {
    let options = granit_parser::options! {
        flow_nesting_limit: MAX_DEPTH,
        block_nesting_limit: MAX_DEPTH,
        // Long runs of comment lines are common in shipped configuration files.
        max_buffered_comment_events: usize::MAX,
    };
    let mut parser = Parser::new_from_str_with_options(text, options);
    let mut stream = Stream { text, ..Stream::default() };
    while let Some(next) = parser.next() {
        match next {
            Ok((event, span)) => {
                let span = span.byte_range().map_or(Span::default(), |range| Span::new(range.start, range.end));
                stream.event(event, span);
            }
            Err(error) => {
                stream.fail(scan_error(text, &error));
                match parser.proceed_next_document() {
                    Ok(true) => {}
                    Ok(false) => break,
                    Err(error) => {
                        stream.fail(scan_error(text, &error));
                        break;
                    }
                }
            }
        }
        if stream.stop || stream.errors.len() >= MAX_ERRORS {
            break;
        }
    }
    if let Some(last) = stream.trees.last_mut() {
        last.comments.append(&mut stream.comments);
    }
    (stream.trees, stream.errors)
}

/// What a YAML 1.1 reader makes of a plain scalar that stays text here.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scalar11 {
    /// `yes`, `Off` …
    Bool(bool),
    /// A whole number in binary, octal, hexadecimal, base 60 or with underscores.
    Int(i64),
    /// A fraction in base 60 or with underscores, an infinity, or no number at all (NaN).
    Float(f64),
}

/// How SnakeYAML (Spring: INDIGO IAM, dCache) and PyYAML (htvault-config) read a plain scalar with
/// [`NoteKind::AmbiguousScalar`]; `None` when they too take it for text (`0o10`, `08`, `1e3`, and `y` and `n`, which
/// the YAML 1.1 type repository calls booleans but both readers leave alone) or it exceeds 64 bits.
pub fn scalar_1_1(text: &str) -> Option<Scalar11> {
    match text {
        "yes" | "Yes" | "YES" | "on" | "On" | "ON" | "true" | "True" | "TRUE" => return Some(Scalar11::Bool(true)),
        "no" | "No" | "NO" | "off" | "Off" | "OFF" | "false" | "False" | "FALSE" => {
            return Some(Scalar11::Bool(false));
        }
        _ => {}
    }
    let (sign, digits) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    match digits {
        ".inf" | ".Inf" | ".INF" => return Some(Scalar11::Float(f64::INFINITY * sign as f64)),
        ".nan" | ".NaN" | ".NAN" if digits.len() == text.len() => return Some(Scalar11::Float(f64::NAN)),
        _ => {}
    }
    if !digits.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let plain = digits.replace('_', "");
    let signed = |value: i64| value.checked_mul(sign).map(Scalar11::Int);
    let radix = |digits: &str, radix: u32| i64::from_str_radix(digits, radix).ok().and_then(signed);
    if let Some(binary) = plain.strip_prefix("0b") {
        return unsigned(binary).and_then(|digits| radix(digits, 2));
    }
    if let Some(hex) = plain.strip_prefix("0x") {
        return unsigned(hex).and_then(|digits| radix(digits, 16));
    }
    if plain.contains(':') {
        return base_60(&plain, sign);
    }
    if plain.bytes().all(|b| b.is_ascii_digit()) {
        return match plain.strip_prefix('0') {
            Some("") => Some(Scalar11::Int(0)),
            Some(octal) => radix(octal, 8),
            None => radix(&plain, 10),
        };
    }
    let float = plain.contains('.') && !plain.bytes().any(|b| b.is_ascii_alphabetic() && !matches!(b, b'e' | b'E'));
    plain.parse::<f64>().ok().filter(|_| float).map(|value| Scalar11::Float(value * sign as f64))
}

fn unsigned(digits: &str) -> Option<&str> {
    (!digits.starts_with(['+', '-'])).then_some(digits)
}

/// `190:20:30` and `190:20:30.15` of YAML 1.1.
fn base_60(text: &str, sign: i64) -> Option<Scalar11> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let mut value = 0i64;
    for (index, part) in whole.split(':').enumerate() {
        let number: i64 = unsigned(part)?.parse().ok()?;
        if index > 0 && (part.len() > 2 || number > 59) {
            return None;
        }
        value = value.checked_mul(60)?.checked_add(number)?;
    }
    if whole.len() == text.len() {
        return if text.starts_with('0') { None } else { value.checked_mul(sign).map(Scalar11::Int) };
    }
    let fraction: f64 = format!("0.{fraction}0").parse().ok()?;
    Some(Scalar11::Float((value as f64 + fraction) * sign as f64))
}

/// What a plain scalar is.
fn resolve(text: &str) -> (Option<Data>, bool) {
    let data = match text {
        "" | "~" | "null" | "Null" | "NULL" => Some(Data::Null),
        "true" | "True" | "TRUE" => Some(Data::Bool(true)),
        "false" | "False" | "FALSE" => Some(Data::Bool(false)),
        _ if is_number_in_both(text) => Some(Data::Number),
        _ => None,
    };
    let ambiguous = data.is_none() && is_ambiguous(text);
    (data, ambiguous)
}

/// Decimal numbers that YAML 1.1 and 1.2 read alike.
fn is_number_in_both(text: &str) -> bool {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (mantissa, exponent) = match digits.find(['e', 'E']) {
        Some(at) => (&digits[..at], Some(&digits[at + 1..])),
        None => (digits, None),
    };
    let all_digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    match mantissa.split_once('.') {
        Some((whole, fraction)) => {
            // YAML 1.1 wants a sign in the exponent.
            let exponent_fits = exponent.is_none_or(|exponent| {
                exponent.strip_prefix(['-', '+']).is_some_and(|digits| !digits.is_empty() && all_digits(digits))
            });
            exponent_fits && all_digits(whole) && all_digits(fraction) && !(whole.is_empty() && fraction.is_empty())
        }
        None => {
            exponent.is_none() && !mantissa.is_empty() && all_digits(mantissa)
                // A leading zero means octal in YAML 1.1 and nothing in YAML 1.2.
                && (mantissa.len() == 1 || !mantissa.starts_with('0'))
        }
    }
}

/// True when one of the two versions reads more than text, and not both the same.
fn is_ambiguous(text: &str) -> bool {
    if text.len() > 64 {
        return false;
    }
    if matches!(text, "y" | "Y" | "n" | "N") || scalar_1_1(text).is_some() {
        return true;
    }
    // What only YAML 1.2 takes for a number: 0o17, 08, 1e3, 1.5e3.
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    match digits.strip_prefix("0o") {
        Some(octal) => !octal.is_empty() && octal.bytes().all(|b| (b'0'..=b'7').contains(&b)),
        None => {
            digits.starts_with(|c: char| c.is_ascii_digit() || c == '.')
                && digits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-'))
                && digits.parse::<f64>().is_ok()
        }
    }
}

/// One node as the stream has it, aliases and merge keys not yet followed.
struct Raw {
    span: Span,
    data: RawData,
}

enum RawData {
    Scalar { text: Text, data: Option<Data>, ambiguous: bool, merge: bool },
    Seq(Vec<usize>),
    Map(Vec<(usize, usize)>),
    Alias(usize),
}

/// A container that is not closed yet.
struct Open {
    node: usize,
    key: Option<usize>,
    flow: bool,
}

/// Collects the events of one document at a time.
#[derive(Default)]
struct Stream<'t> {
    text: &'t str,
    trees: Vec<Tree>,
    errors: Vec<ParseError>,
    comments: Vec<Span>,
    nodes: Vec<Raw>,
    open: Vec<Open>,
    anchors: HashMap<usize, usize>,
    copies: usize,
    /// True after an error of ours: the rest of the document is passed over.
    failed: bool,
    /// True when the whole stream is to be given up.
    stop: bool,
}

impl Stream<'_> {
    fn fail(&mut self, error: ParseError) {
        self.errors.push(error);
        self.failed = true;
    }

    fn reset(&mut self) {
        self.nodes.clear();
        self.open.clear();
        self.anchors.clear();
        self.failed = false;
    }

    fn event(&mut self, event: Event<'_>, span: Span) {
        match event {
            Event::DocumentStart(..) => self.reset(),
            Event::DocumentEnd if !self.failed => self.finish(),
            Event::Comment(..) => self.comments.push(self.trimmed(span)),
            _ if self.failed => {}
            Event::Scalar(value, style, anchor, tag) => {
                let raw = scalar(self.text, &value, style, tag.as_deref(), span);
                self.add(raw, anchor);
            }
            Event::SequenceStart(style, anchor, _) => self.start(RawData::Seq(Vec::new()), span, style, anchor),
            Event::MappingStart(style, anchor, _) => self.start(RawData::Map(Vec::new()), span, style, anchor),
            Event::SequenceEnd | Event::MappingEnd => self.end(span),
            Event::Alias(id) => match self.anchors.get(&id) {
                Some(target) if self.open.iter().any(|open| open.node == *target) => {
                    self.fail(ParseError { message: "the alias refers to a node that contains it".into(), span });
                }
                Some(&target) => {
                    self.add(Raw { span, data: RawData::Alias(target) }, 0);
                }
                None => self.fail(ParseError { message: NO_ANCHOR.into(), span }),
            },
            _ => {}
        }
    }

    fn trimmed(&self, span: Span) -> Span {
        let text = self.text.get(span.range()).unwrap_or("");
        Span::new(span.start as usize, span.start as usize + text.trim_end().len())
    }

    fn add(&mut self, raw: Raw, anchor: usize) -> usize {
        let id = self.nodes.len();
        if id >= MAX_NODES {
            self.fail(ParseError::at(
                raw.span.start as usize,
                "the document holds more than 16 million values; split it into several files",
            ));
            self.stop = true;
            return id;
        }
        self.nodes.push(raw);
        if anchor != 0 {
            self.anchors.insert(anchor, id);
        }
        if let Some(open) = self.open.last_mut() {
            match (&mut self.nodes[open.node].data, open.key.take()) {
                (RawData::Seq(items), _) => items.push(id),
                (RawData::Map(pairs), Some(key)) => pairs.push((key, id)),
                (RawData::Map(_), None) => open.key = Some(id),
                (RawData::Scalar { .. } | RawData::Alias(_), _) => {}
            }
        }
        id
    }

    fn start(&mut self, data: RawData, span: Span, style: StructureStyle, anchor: usize) {
        let node = self.add(Raw { span, data }, anchor);
        self.open.push(Open { node, key: None, flow: style == StructureStyle::Flow });
    }

    fn end(&mut self, span: Span) {
        let Some(open) = self.open.pop() else { return };
        let Some(Raw { data, span: own }) = self.nodes.get(open.node) else { return };
        let (first, last) = match data {
            RawData::Seq(items) => (items.first().copied(), items.last().copied()),
            RawData::Map(pairs) => (pairs.first().map(|pair| pair.0), pairs.last().map(|pair| pair.1)),
            RawData::Scalar { .. } | RawData::Alias(_) => (None, None),
        };
        let start = match first {
            Some(first) if !open.flow => own.start.min(self.nodes[first].span.start),
            _ => own.start,
        };
        let end = match last {
            // A pair without braces in a flow list, its value left out, ends with its colon.
            Some(last) if open.flow && span.is_empty() && self.nodes[last].span.is_empty() => {
                let end = self.nodes[last].span.end;
                end + u32::from(self.text.as_bytes().get(end as usize) == Some(&b':'))
            }
            Some(last) if !open.flow || span.is_empty() => self.nodes[last].span.end,
            _ => span.end,
        };
        self.nodes[open.node].span = Span { start, end: end.max(start) };
    }

    fn finish(&mut self) {
        if self.nodes.is_empty() {
            return;
        }
        let mut emit = Emit {
            text: self.text,
            nodes: &self.nodes,
            builder: TreeBuilder::new(),
            copies: self.copies,
            alias: Span::default(),
        };
        let emitted = emit.node(0, 0, false);
        self.copies = emit.copies;
        match emitted {
            Ok(()) => {
                let mut tree = emit.builder.finish();
                tree.comments = std::mem::take(&mut self.comments);
                self.trees.push(tree);
            }
            Err(error) => self.errors.push(or_template(self.text, error)),
        }
        self.reset();
    }
}

fn scalar(text: &str, value: &str, style: ScalarStyle, tag: Option<&Tag>, span: Span) -> Raw {
    let plain = style == ScalarStyle::Plain;
    let (span, inner) = match style {
        ScalarStyle::Plain => (span, span),
        ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => {
            (span, Span::new(span.start as usize + 1, (span.end as usize).saturating_sub(1)))
        }
        // A block scalar ends with its last line that is not blank.
        ScalarStyle::Literal | ScalarStyle::Folded => {
            let end = text.get(span.range()).map_or(0, |block| block.trim_end().len());
            let span = Span::new(span.start as usize, span.start as usize + end);
            (span, Span::default())
        }
    };
    let literal = text.get(inner.range()) == Some(value) && (plain || !inner.is_empty() || value.is_empty());
    let (data, ambiguous) = match tag {
        None if plain => resolve(value),
        None => (None, false),
        Some(tag) => match tag.core_suffix() {
            Some("null" | "bool" | "int" | "float") => resolve(value),
            _ => (None, false),
        },
    };
    // The text of a number is the slice under its span.
    let (data, span) = match data {
        Some(Data::Number) if !literal => (None, span),
        Some(Data::Number) => (data, inner),
        other => (other, span),
    };
    let text = if literal { Text::Raw(inner) } else { Text::Owned(value.into()) };
    Raw { span, data: RawData::Scalar { text, data, ambiguous, merge: plain && tag.is_none() && value == "<<" } }
}

/// Builds the tree of one document, following aliases and merge keys.
struct Emit<'t> {
    text: &'t str,
    nodes: &'t [Raw],
    builder: TreeBuilder,
    copies: usize,
    /// The alias or merge value that is being copied.
    alias: Span,
}

impl<'t> Emit<'t> {
    fn count_copy(&mut self) -> Result<(), ParseError> {
        self.copies += 1;
        if self.copies > MAX_COPIES {
            let message = "aliases copy more than 100000 nodes; write the values out where they are needed".into();
            return Err(ParseError { message, span: self.alias });
        }
        Ok(())
    }

    fn check_depth(depth: usize, span: Span) -> Result<(), ParseError> {
        match depth >= MAX_DEPTH {
            true => Err(ParseError::at(span.start as usize, TOO_DEEP)),
            false => Ok(()),
        }
    }

    fn node(&mut self, id: usize, depth: usize, copied: bool) -> Result<(), ParseError> {
        let nodes = self.nodes;
        let raw = &nodes[id];
        if copied {
            self.count_copy()?;
        }
        match &raw.data {
            RawData::Alias(target) => {
                if !copied {
                    self.alias = raw.span;
                }
                return self.node(*target, depth, true);
            }
            RawData::Scalar { text, data, ambiguous, .. } => {
                let data = data.clone().unwrap_or_else(|| Data::Text(text.clone()));
                let node = self.builder.leaf(data, raw.span);
                if *ambiguous {
                    self.builder.note(NoteKind::AmbiguousScalar, node);
                }
            }
            RawData::Seq(items) => {
                Self::check_depth(depth, raw.span)?;
                self.builder.open(Data::Seq, raw.span.start as usize);
                for &item in items {
                    self.node(item, depth + 1, copied)?;
                }
                self.builder.close(raw.span.end as usize, self.text);
            }
            RawData::Map(pairs) => {
                Self::check_depth(depth, raw.span)?;
                self.builder.open(Data::Map, raw.span.start as usize);
                self.members(pairs, depth, copied)?;
                self.builder.close(raw.span.end as usize, self.text);
            }
        }
        Ok(())
    }

    fn members(&mut self, pairs: &'t [(usize, usize)], depth: usize, copied: bool) -> Result<(), ParseError> {
        let (merges, own): (Vec<_>, Vec<_>) = pairs.iter().partition(|(key, _)| self.is_merge(*key));
        for (key, value) in &own {
            let (text, span) = self.key(*key)?;
            self.builder.key(text, span);
            self.node(*value, depth + 1, copied)?;
        }
        if merges.is_empty() {
            return Ok(());
        }
        let mut seen = HashSet::new();
        for (key, _) in own {
            seen.insert(self.key_text(key)?);
        }
        for (_, value) in merges {
            if !copied {
                self.alias = self.nodes[value].span;
            }
            self.merge(value, depth, 0, &mut seen)?;
        }
        Ok(())
    }

    /// Adds the members of a mapping, or of several, that are not there yet.
    fn merge(&mut self, id: usize, depth: usize, nested: usize, seen: &mut HashSet<&'t str>) -> Result<(), ParseError> {
        let nodes = self.nodes;
        self.count_copy()?;
        Self::check_depth(nested, nodes[id].span)?;
        match &nodes[id].data {
            RawData::Alias(target) => self.merge(*target, depth, nested + 1, seen),
            RawData::Seq(items) => items.iter().try_for_each(|&item| self.merge(item, depth, nested + 1, seen)),
            RawData::Map(pairs) => {
                let (merges, own): (Vec<_>, Vec<_>) = pairs.iter().partition(|(key, _)| self.is_merge(*key));
                for (key, value) in own {
                    self.count_copy()?;
                    if seen.insert(self.key_text(key)?) {
                        let (text, span) = self.key(key)?;
                        self.builder.key(text, span);
                        self.node(value, depth + 1, true)?;
                    }
                }
                merges.into_iter().try_for_each(|(_, value)| self.merge(value, depth, nested + 1, seen))
            }
            RawData::Scalar { .. } => Err(ParseError {
                message: "a merge key << takes a mapping or a list of mappings".into(),
                span: nodes[id].span,
            }),
        }
    }

    fn is_merge(&self, key: usize) -> bool {
        matches!(self.nodes[key].data, RawData::Scalar { merge: true, .. })
    }

    fn key(&self, id: usize) -> Result<(Text, Span), ParseError> {
        let span = self.nodes[id].span;
        match &self.nodes[id].data {
            RawData::Scalar { text, .. } => Ok((text.clone(), span)),
            RawData::Alias(target) => Ok((self.key(*target)?.0, span)),
            RawData::Seq(_) | RawData::Map(_) => {
                Err(ParseError { message: "a key must be a single value, not a list or mapping".into(), span })
            }
        }
    }

    fn key_text(&self, id: usize) -> Result<&'t str, ParseError> {
        match &self.nodes[id].data {
            RawData::Scalar { text: Text::Raw(span), .. } => Ok(self.text.get(span.range()).unwrap_or("")),
            RawData::Scalar { text: Text::Owned(text), .. } => Ok(text),
            RawData::Alias(target) => self.key_text(*target),
            RawData::Seq(_) | RawData::Map(_) => self.key(id).map(|_| ""),
        }
    }
}

const TAB: &str = "a tab where YAML allows only spaces; indent with spaces";
const NO_ANCHOR: &str = "the alias has no anchor of that name before it";
const TOO_DEEP: &str = "nested deeper than 256 levels; no configuration needs that, check how the file was made";

/// Our own words for an error of the YAML crate, whose text may quote the file.
fn scan_error(text: &str, error: &ScanError) -> ParseError {
    let mut at = error.marker().byte_offset().unwrap_or(text.len()).min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    use ErrorKind::*;
    let message = match error.kind() {
        UnknownAnchor => NO_ANCHOR,
        RecursionLimitExceeded => TOO_DEEP,
        TabNotAllowed | TabInBlockIndentation | TabAtBlockScalarStart | TabInIndentation | TabInPlainScalar => TAB,
        InvalidQuotedScalarIndent => {
            "a quoted string goes on without indentation: a quote is missing, or the line needs indenting"
        }
        InvalidIndentation | InvalidBlockScalarIndent | InvalidFlowScalarIndent | ZeroBlockScalarIndent => {
            "the indentation does not fit the lines above; align it with its siblings"
        }
        UnclosedQuotedScalar | DocumentIndicatorInQuotedScalar => {
            "a quoted string is not closed: the file was cut off, or a quote is missing"
        }
        UnclosedFlowCollection { .. }
        | UnexpectedEofFlowSequence
        | UnexpectedEofFlowMapping
        | UnexpectedEofImplicitFlowMapping => "a [ or { is not closed: the file was cut off, or a bracket is missing",
        UnexpectedEof | UnexpectedEofBlockSequence | UnexpectedEofBlockMapping => {
            "the file ends in the middle of a value: it was cut off"
        }
        MisplacedFlowCollectionEnd | MismatchedFlowCollectionEnd { .. } => "a closing bracket that opens nowhere here",
        UnknownQuotedScalarEscape | InvalidQuotedScalarHexEscape => {
            "no such escape in a double-quoted string; write \\\\ for a backslash, or use single quotes"
        }
        InvalidLowSurrogateHexEscape
        | InvalidLowSurrogate
        | MissingLowSurrogate
        | UnpairedLowSurrogate
        | InvalidUnicodeEscape => "the escape is no Unicode character",
        MappingKeyNotAllowed
        | MappingValueNotAllowed
        | InvalidMappingValueWhitespace
        | InvalidColonPlacement
        | SimpleKeyExpected
        | InvalidSimpleKey
        | ExpectedBlockMappingKey => {
            "a key: value pair cannot stand here; check the indentation, and quote text that holds a colon and a space"
        }
        ExpectedFlowMappingSeparator | ExpectedFlowSequenceSeparator => "a comma or closing bracket is expected here",
        BlockSequenceEntryNotAllowed
        | BlockEntryInFlowCollection
        | ExpectedBlockSequenceEntry
        | InvalidBlockEntryWhitespace => "a list item cannot stand here; check the indentation",
        UndeclaredTagHandle => "the tag's handle is not declared",
        BomInsideDocument => "a byte order mark inside the text; remove it",
        UnexpectedCharacter { .. } => "a character that cannot start a value; quote the text",
        InvalidTrailingSingleQuotedScalar | InvalidTrailingDoubleQuotedScalar => {
            "text follows a closing quote; quote the whole value, and double quotes inside it or escape them"
        }
        CommentNotSeparated | CommentInterceptedScalar => {
            "a comment cannot stand here; put a space before # or quote it"
        }
        _ => "this is no YAML; check the line and the one before it",
    };
    // The crate points at the value that the tab interrupts.
    if message == TAB {
        at += memchr::memchr(b'\t', &text.as_bytes()[at..]).unwrap_or(0);
    }
    or_template(text, ParseError::at(at, message))
}

/// Says that a file is an unrendered template when the error stands at template syntax.
fn or_template(text: &str, error: ParseError) -> ParseError {
    let start = error.span.start as usize;
    let end = text[start..].find('\n').map_or(text.len(), |at| start + at);
    let here = text[..end].lines().rev();
    let marked = |line: &str| ["{{", "{%", "<%", "{#"].iter().any(|mark| line.contains(mark));
    let template = here.clone().take(3).any(marked)
        || here.take(1000).any(|line| ["{{", "{%", "<%"].iter().any(|mark| line.trim_start().starts_with(mark)));
    if !template {
        return error;
    }
    let message = "this is an unrendered template (Helm, Jinja or Go); render it and check the result";
    ParseError { message: message.into(), ..error }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::{Cursor, Document, Syntax, parse};
    use crate::source::Source;
    use std::sync::Arc;

    fn documents(text: &str) -> Vec<Document> {
        let (documents, errors) = parse(&Arc::new(Source::from_text("t", text)), Syntax::Yaml);
        assert_eq!(errors, [], "{text}");
        documents
    }

    fn document(text: &str) -> Document {
        documents(text).into_iter().next().unwrap_or_else(|| panic!("{text}: no document"))
    }

    #[test]
    fn scalars_that_both_versions_read_alike_get_a_type() {
        for (text, data) in [
            ("~", Data::Null),
            ("null", Data::Null),
            ("True", Data::Bool(true)),
            ("FALSE", Data::Bool(false)),
            ("0", Data::Number),
            ("-12", Data::Number),
            ("+3", Data::Number),
            ("0.5", Data::Number),
            (".5", Data::Number),
            ("1.", Data::Number),
            ("1.5e+3", Data::Number),
            ("!!int \"5\"", Data::Number),
        ] {
            let document = document(&format!("- {text}"));
            assert_eq!(*document.root().items().next().expect(text).data(), data, "{text}");
            assert_eq!(document.tree.notes, [], "{text}");
        }
        for text in ["'1'", "\"true\"", "!!str 1", "! 1", "!vault 1", "1.2.3", "a:b", "10:20x", "-", "2024-01-01", "."]
        {
            let document = document(&format!("- {text}\n"));
            let item = document.root().items().next().expect(text);
            assert!(item.as_str().is_some() || text == "-", "{text}");
            assert_eq!(document.tree.notes, [], "{text}");
        }
    }

    #[test]
    fn scalars_read_differently_stay_text_and_are_noted() {
        use Scalar11::{Bool, Float, Int};
        for (text, old) in [
            ("yes", Some(Bool(true))),
            ("Off", Some(Bool(false))),
            ("y", None),
            ("N", None),
            ("010", Some(Int(8))),
            ("-010", Some(Int(-8))),
            ("08", None),
            ("0o10", None),
            ("0x1F", Some(Int(31))),
            ("0b101", Some(Int(5))),
            ("1_000", Some(Int(1000))),
            ("12:30", Some(Int(750))),
            ("1:00:00", Some(Int(3600))),
            ("1:30.5", Some(Float(90.5))),
            ("1_0.5", Some(Float(10.5))),
            ("1e3", None),
            ("1.5e3", Some(Float(1500.0))),
            ("-.inf", Some(Float(f64::NEG_INFINITY))),
        ] {
            let document = document(&format!("a: {text}\n"));
            let item = document.root().get("a").expect(text);
            assert_eq!(item.as_str(), Some(text));
            assert_eq!(document.tree.notes.len(), 1, "{text}");
            assert_eq!(
                (document.tree.notes[0].kind, document.tree.notes[0].node),
                (NoteKind::AmbiguousScalar, item.id)
            );
            assert_eq!(scalar_1_1(text), old, "{text}");
        }
        assert!(matches!(scalar_1_1(".NaN"), Some(Float(value)) if value.is_nan()));
        for text in ["", "text", "0x", "0x+1", "12:60", "12:+1", "1:2:", "99999999999999999999", "-", "_1", "1_a"] {
            assert_eq!(scalar_1_1(text), None, "{text}");
        }
    }

    #[test]
    fn spans_are_those_of_the_values() {
        let text = "\u{feff}a: 1\r\nü:\r\nc: [x, 'y', \"z\\n\"] # com\r\nd: |\r\n  foo\r\n\r\ne:\r\n- 1\r\n- k: v\r\n  l: é\r\n";
        let document = document(text);
        let slice = |pointer: &str| document.source.slice(document.at_pointer(pointer).expect(pointer).span());
        for (pointer, expected) in [
            ("/a", "1"),
            ("/ü", ""),
            ("/c", "[x, 'y', \"z\\n\"]"),
            ("/c/1", "'y'"),
            ("/c/2", "\"z\\n\""),
            ("/d", "foo"),
            ("/e", "1\r\n- k: v\r\n  l: é"),
            ("/e/1", "k: v\r\n  l: é"),
            ("/e/1/l", "é"),
        ] {
            assert_eq!(slice(pointer), expected, "{pointer}");
        }
        let at = |pointer: &str| document.at_pointer(pointer).expect(pointer);
        assert_eq!(at("/ü").key_span().map(|span| document.source.slice(span)), Some("ü"));
        assert_eq!((at("/c/2").as_str(), at("/d").as_str()), (Some("z\n"), Some("foo\n")));
        assert_eq!(document.source.slice(document.tree.comments[0]), "# com");
    }

    #[test]
    fn a_pair_without_value_in_a_flow_list_ends_with_its_colon() {
        let document = document("a: [x.read:, y: 1, {z: }]\n");
        let spans: Vec<&str> = document
            .root()
            .get("a")
            .into_iter()
            .flat_map(Cursor::items)
            .map(|item| document.source.slice(item.span()))
            .collect();
        assert_eq!(spans, ["x.read:", "y: 1", "{z: }"]);
    }

    #[test]
    fn aliases_are_copied_and_merge_keys_fill_up() {
        let text = "base: &b {x: 1, y: 2}\nmore: &m\n  y: 3\n  z: 4\none: *b\ntwo:\n  <<: [*m, *b]\n  x: 9\n\
            three: {<<: *b, <<: *m}\nfour:\n  \"<<\": 1\n";
        let document = document(text);
        let json = document.to_json();
        assert_eq!(json["one"], serde_json::json!({"x": 1, "y": 2}));
        assert_eq!(json["two"], serde_json::json!({"x": 9, "y": 3, "z": 4}), "own members win, then the first merged");
        assert_eq!(json["three"], serde_json::json!({"x": 1, "y": 2, "z": 4}));
        assert_eq!(json["four"], serde_json::json!({"<<": 1}), "a quoted << is a key like any other");
        let copied = document.at_pointer("/one/y").expect("copy");
        assert_eq!(copied.span(), document.at_pointer("/base/y").expect("original").span());
        assert_eq!(document.tree.notes, []);
    }

    #[test]
    fn repeated_keys_are_noted() {
        let document = document("exp: 1\n'exp': 2\n");
        assert_eq!(document.pointer(document.tree.notes[0].node), "/exp#2");
    }

    #[test]
    fn streams_recover_after_a_broken_document() {
        let source = Arc::new(Source::from_text("t", "a: 1\n---\nb: [1\n---\nc: 3\n---\n? [x]\n: 1\n--- \n"));
        let (documents, errors) = parse(&source, Syntax::Yaml);
        let values: Vec<_> = documents.iter().map(Document::to_json).collect();
        assert_eq!(values, [serde_json::json!({"a": 1}), serde_json::json!({"c": 3}), serde_json::Value::Null]);
        assert_eq!(errors.len(), 2);
        assert!(errors[1].message.contains("single value"));
        assert_eq!(source.position(errors[1].span.start as usize).line, 7);
        assert_eq!(parse(&Arc::new(Source::from_text("t", "# nothing\n")), Syntax::Yaml).0.len(), 0);
        let (_, errors) = read(&"--- ]\n".repeat(10_000));
        assert_eq!(errors.len(), MAX_ERRORS);
    }

    #[test]
    fn errors_are_located_and_in_our_words() {
        for (text, line, part) in [
            ("a: 1\n\tb: 2\n", 2, "tab"),
            ("a: *x\n", 1, "no anchor"),
            ("a: &x [*x]\n", 1, "contains it"),
            ("a: \"x\n", 2, "a quote is missing"),
            ("a: \"x", 1, "not closed"),
            ("a: b: c\n", 1, "key: value pair"),
            ("a: \"x\" y\n", 1, "closing quote"),
            ("a: 1\nb: %x\n", 2, "cannot start"),
            ("<<: 1\n", 1, "merge key"),
            ("a: \"\\q\"\n", 1, "escape"),
            ("{{ .Values.x }}\na: 1\n", 1, "unrendered template"),
            ("a: {{ x }}\n", 1, "unrendered template"),
            ("a: 1\n{%- if x %}\nb: 2\n", 2, "unrendered template"),
        ] {
            let (_, errors) = read(text);
            let error = errors.first().unwrap_or_else(|| panic!("{text}: accepted"));
            assert!(error.message.contains(part), "{text}: {error}");
            assert_eq!(Source::from_text("t", text).position(error.span.start as usize).line, line, "{text}: {error}");
        }
        assert!(documents("a: ${VAR}\nb: '{{ x }}'\nc: x {{ y }}\n").len() == 1, "templates that are YAML stay text");
    }

    #[test]
    fn hostile_streams_are_quick_errors() {
        let mut bomb = String::from("a0: &a0 [x,x,x,x,x,x,x,x,x]\n");
        for n in 1..30 {
            let alias = format!("*a{}", n - 1);
            bomb.push_str(&format!("a{n}: &a{n} [{}]\n", [alias.as_str(); 9].join(",")));
        }
        let mut merges = String::from("a0: &a0 {k: 1}\n");
        for n in 1..30 {
            let alias = format!("*a{}", n - 1);
            merges.push_str(&format!("a{n}: &a{n} {{<<: [{}]}}\n", [alias.as_str(); 9].join(",")));
        }
        for (name, text, part) in [
            ("aliases", bomb, "copy more than"),
            ("merges", merges, "copy more than"),
            ("flow", "[".repeat(1_000_000), "256 levels"),
            ("flow maps", "{a: ".repeat(1_000_000), "256 levels"),
            ("block", "- ".repeat(100_000), "256 levels"),
        ] {
            let start = std::time::Instant::now();
            let (_, errors) = read(&text);
            assert!(errors[0].message.contains(part), "{name}: {}", errors[0]);
            assert!(start.elapsed().as_secs() < 10, "{name}");
        }
        let mut chain = String::from("a0: &a0 x\n");
        for n in 1..2_000 {
            chain.push_str(&format!("a{n}: &a{n} [*a{}]\n", n - 1));
        }
        assert!(
            read(&chain).1[0].message.contains("copy more than") || read(&chain).1[0].message.contains("256 levels")
        );
    }

    #[test]
    fn long_runs_of_comments_are_fine() {
        let text = format!("a:\n{}  b: 1\n", "# c\n".repeat(1000));
        assert_eq!(document(&text).tree.comments.len(), 1000);
    }
}
