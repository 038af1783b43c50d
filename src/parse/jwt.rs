//! Compact JWTs (RFC 7519 in the JWS compact form of RFC 7515 section 3.1): finding them in a text, splitting them,
//! decoding header and payload.
//!
//! A text holds one token, or one per line. Blank lines and lines that start with `#` are skipped; a `Bearer `
//! or `Authorization: Bearer ` prefix and quotes around the token are tolerated. The tree is a list of strings.
//!
//! The third part is checked for its alphabet and never decoded, kept or returned: with it a live token could be used.

use super::{Data, Decoded, Document, Encoding, NodeId, ParseError, Text, Tree, TreeBuilder};
use crate::scan::find::is_defused;
use crate::source::Span;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

/// Longest token accepted, in bytes (64 KiB). HTTP servers refuse headers far below that.
pub const MAX_TOKEN_BYTES: usize = 64 * 1024;

/// The two parts of a compact JWS that are decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Segment {
    /// The JOSE header.
    Header,
    /// The claims.
    Payload,
}

impl Segment {
    fn name(self) -> &'static str {
        match self {
            Segment::Header => "header",
            Segment::Payload => "payload",
        }
    }
}

/// Where the parts of one compact JWS lie in its text. Holds no text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compact {
    /// The encoded header.
    pub header: Span,
    /// The encoded payload.
    pub payload: Span,
    /// False when the signature part is empty (an unsecured JWS, RFC 7515 appendix A.5).
    pub signed: bool,
}

impl Compact {
    /// Splits a compact JWS; offsets count within `text`. Surrounding whitespace, quotes and `Bearer ` are skipped.
    ///
    /// Errors: not three parts (each case says what the text seems to be), a byte outside the base64url alphabet,
    /// padding, an impossible length, left-over bits, more than [`MAX_TOKEN_BYTES`]; of a token that was shortened or
    /// redacted just that.
    pub fn split(text: &str) -> Result<Compact, ParseError> {
        let bare = bare(text);
        Compact::split_bare(text, bare).map_err(|error| of_left_over(&text[bare.range()], bare).unwrap_or(error))
    }

    fn split_bare(text: &str, bare: Span) -> Result<Compact, ParseError> {
        if bare.len() > MAX_TOKEN_BYTES {
            return Err(ParseError {
                message: "the token is longer than 64 KiB; no server accepts that".into(),
                span: bare,
            });
        }
        let token = &text[bare.range()];
        let base = bare.start as usize;
        let dots: Vec<usize> = memchr::memchr_iter(b'.', token.as_bytes()).collect();
        let &[first, second] = dots.as_slice() else {
            return Err(ParseError { message: wrong_parts(dots.len() + 1, token.is_empty()).into(), span: bare });
        };
        for (name, from, to) in
            [("header", 0, first), ("payload", first + 1, second), ("signature", second + 1, token.len())]
        {
            check_base64url(&token.as_bytes()[from..to])
                .map_err(|(offset, why)| ParseError::at(base + from + offset, format!("the token's {name} {why}")))?;
        }
        if first == 0 {
            return Err(ParseError::at(base, "the token's header is empty; a JWT starts with ey"));
        }
        Ok(Compact {
            header: Span::new(base, base + first),
            payload: Span::new(base + first + 1, base + second),
            signed: second + 1 < token.len(),
        })
    }

    fn segment(&self, segment: Segment) -> Span {
        match segment {
            Segment::Header => self.header,
            Segment::Payload => self.payload,
        }
    }
}

/// What is said of [what is left of a token](is_left_over).
pub(crate) const LEFT_OVER: &str =
    "a token that was shortened or redacted: nobody can use it, and what is left of it cannot be judged";

/// Is this what somebody left of a token, a word or dots in place of the rest? Two parts alone may be a mishap.
pub(crate) fn is_left_over(token: &str) -> bool {
    token.len() <= MAX_TOKEN_BYTES && token.split('.').nth(2).is_some() && is_defused(token)
}

/// The error of what is left of a token, which says more than what is wrong with its parts.
fn of_left_over(token: &str, span: Span) -> Option<ParseError> {
    is_left_over(token).then(|| ParseError { message: LEFT_OVER.into(), span })
}

fn wrong_parts(parts: usize, empty: bool) -> &'static str {
    match parts {
        _ if empty => "a JWT is expected, the value is empty",
        1 => "no JWT: a signed token has three parts with dots between them; an opaque token cannot be read",
        2 => "two parts only: the signature part is missing, the token was cut off (an unsigned JWT ends with a dot)",
        5 => "an encrypted token (JWE, five parts); decrypt it first, its claims cannot be read",
        _ => "no JWT: a signed token has exactly three parts with dots between them",
    }
}

/// Checks unpadded base64url (RFC 7515 section 2); an error is the offset and the rest of a sentence.
pub(crate) fn check_base64url(segment: &[u8]) -> Result<(), (usize, &'static str)> {
    let bad = segment.iter().position(|byte| !matches!(byte, b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_'));
    if let Some(at) = bad {
        return Err((
            at,
            match segment[at] {
                b'=' => "is padded; base64url in a JWT has no = at its end",
                b'+' | b'/' => "is in the wrong base64 alphabet; a JWT uses - and _ instead of + and /",
                b' ' | b'\t' | b'\r' | b'\n' => "has a space or line break in it; remove it",
                _ => "holds a character that base64url does not have",
            },
        ));
    }
    let last = segment.len().saturating_sub(1);
    let spare_bits = match segment.len() % 4 {
        1 => return Err((last, "has a length base64url cannot have; a character is missing or too many")),
        2 => 0b1111,
        3 => 0b11,
        _ => return Ok(()),
    };
    match segment.last().is_some_and(|&byte| sextet(byte) & spare_bits != 0) {
        true => Err((last, "ends in bits that encode nothing; it was altered or cut off")),
        false => Ok(()),
    }
}

/// Value of one base64url character; the alphabet was checked before.
fn sextet(byte: u8) -> u8 {
    match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'-' => 62,
        _ => 63,
    }
}

/// Skips whitespace, quotes, `Authorization:` and `Bearer` around a token.
pub(crate) fn bare(text: &str) -> Span {
    let mut inner = text.trim();
    loop {
        let before = inner.len();
        for quote in ['"', '\'', '`'] {
            inner = inner.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote)).unwrap_or(inner).trim();
        }
        for prefix in ["Authorization:", "Bearer "] {
            if inner.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix)) {
                inner = inner[prefix.len()..].trim_start();
            }
        }
        if inner.len() == before {
            break;
        }
    }
    let start = inner.as_ptr() as usize - text.as_ptr() as usize;
    Span::new(start, start + inner.len())
}

/// True when the text starts like a compact JWT: its first token begins with `ey` (an encoded `{"`) and has dots.
/// Cheap; what it accepts may still turn out broken.
pub fn looks_like_jwt(text: &str) -> bool {
    let Some((_, token)) = tokens(text.strip_prefix('\u{feff}').unwrap_or(text)).next() else { return false };
    token.starts_with("ey")
        && token.contains('.')
        && token.bytes().take(4096).all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'='))
}

/// The lines that should hold a token, bare, with their offsets.
pub(crate) fn tokens(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut start = 0;
    text.split_inclusive('\n').filter_map(move |line| {
        let at = start;
        start += line.len();
        let trimmed = line.trim();
        if trimmed.is_empty() || trimmed.starts_with('#') {
            return None;
        }
        let span = bare(line);
        Some((at + span.start as usize, &line[span.range()]))
    })
}

/// Reads a text of one JWT per line into a list of strings. Every token's parts are checked, none is decoded. A broken
/// line is an error of its own and hides none of the others; there is no tree when every line is broken.
pub fn read_lines(text: &str) -> (Option<Tree>, Vec<ParseError>) {
    let body = text.strip_prefix('\u{feff}').unwrap_or(text);
    let skipped = text.len() - body.len();
    let mut builder = TreeBuilder::new();
    builder.open(Data::Seq, skipped);
    let mut errors = Vec::new();
    for (offset, token) in tokens(body) {
        let offset = offset + skipped;
        let span = Span::new(offset, offset + token.len());
        match Compact::split(token) {
            Ok(_) => {
                builder.leaf(Data::Text(Text::Raw(span)), span);
            }
            Err(error) => errors.push(shifted(error, offset)),
        }
    }
    if builder.tree().len() > 1 {
        builder.close(text.len(), text);
        return (Some(builder.finish()), errors);
    }
    if errors.is_empty() {
        errors.push(ParseError::at(text.len(), "no token: the text is empty or holds comments only"));
    }
    // Lines that are all broken are one text of something else, or one token broken into lines: one error will do.
    errors.truncate(1);
    (None, errors)
}

fn shifted(error: ParseError, offset: usize) -> ParseError {
    let Span { start, end } = error.span;
    ParseError { span: Span::new(start as usize + offset, end as usize + offset), ..error }
}

/// Decodes one part of the compact JWT that the string `node` holds, as a document of its own.
///
/// Errors are located in the outer document's file: a string that is no compact JWS, a part that is no UTF-8, no
/// JSON, or no JSON object, or a token that was shortened or redacted.
pub fn decode_segment(document: &Document, node: NodeId, segment: Segment) -> Result<Document, ParseError> {
    let (text, start) = match &document.tree.node(node).data {
        Data::Text(Text::Raw(span)) => (document.source.slice(*span), Some(span.start as usize)),
        Data::Text(Text::Owned(text)) => (text.as_ref(), None),
        Data::Null | Data::Bool(_) | Data::Number | Data::Seq | Data::Map | Data::Skipped => {
            let span = document.tree.node(node).span;
            return Err(ParseError { message: "a string holding a JWT is expected".into(), span });
        }
    };
    let whole = document.decoded_at(node, document.tree.node(node).span, Encoding::Escaped);
    let compact = Compact::split(text).map_err(|error| match start {
        Some(start) if document.decoded.is_none() => shifted(error, start),
        _ => ParseError { span: whole.span, ..error },
    })?;
    let part = compact.segment(segment);
    let decoded = match start {
        Some(start) => {
            let span = Span::new(start + part.start as usize, start + part.end as usize);
            document.decoded_at(node, span, Encoding::Base64Url)
        }
        None => whole,
    };
    let bytes = URL_SAFE_NO_PAD.decode(&text[part.range()]).map_err(|_| ParseError {
        message: format!("the token's {} is no base64url", segment.name()),
        span: decoded.outer_span(Span::default()),
    })?;
    let found = derived(document, segment, &bytes, decoded);
    found.map_err(|error| of_left_over(&text[bare(text).range()], document.tree.node(node).span).unwrap_or(error))
}

/// A decoded part of a token that stands at `node`, somehow, as a document of its own; errors as those of [`decode_segment`].
pub(crate) fn decoded_segment(
    document: &Document,
    node: NodeId,
    segment: Segment,
    bytes: &[u8],
) -> Result<Document, ParseError> {
    let decoded = document.decoded_at(node, document.tree.node(node).span, Encoding::Escaped);
    derived(document, segment, bytes, decoded)
}

fn derived(document: &Document, segment: Segment, bytes: &[u8], decoded: Decoded) -> Result<Document, ParseError> {
    let name = segment.name();
    let json = std::str::from_utf8(bytes).map_err(|error| {
        let at = error.valid_up_to();
        let span = decoded.outer_span(Span::new(at, at + 1));
        ParseError { message: format!("the token's {name} is no UTF-8 text"), span }
    })?;
    let inner = document.derive(json, decoded).map_err(|error| ParseError {
        message: format!("the token's {name} is no valid JSON: {}", error.message),
        ..error
    })?;
    if inner.root().is_map() {
        return Ok(inner);
    }
    let root = inner.root().span();
    let span = inner.decoded.as_ref().map_or(root, |decoded| decoded.outer_span(root));
    Err(ParseError { message: format!("the token's {name} is no JSON object"), span })
}

/// The bytes that a part of a token encodes; `None` when it is no base64url.
pub fn decode_bytes(part: impl AsRef<[u8]>) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(part).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::{Syntax, parse};
    use crate::source::Source;
    use std::sync::Arc;

    fn encode(text: impl AsRef<[u8]>) -> String {
        URL_SAFE_NO_PAD.encode(text)
    }

    fn token(payload: impl AsRef<[u8]>) -> String {
        format!("{}.{}.{}", encode(r#"{"alg":"ES256"}"#), encode(payload), encode("test signature, not real"))
    }

    fn document(text: &str, syntax: Syntax) -> Document {
        let source = Arc::new(Source::from_text("t", text));
        let (mut documents, errors) = parse(&source, syntax);
        assert_eq!(errors, []);
        documents.remove(0)
    }

    #[test]
    fn tokens_are_found_in_every_wrapping() {
        let jwt = token(r#"{"sub":"x"}"#);
        let text = format!(
            "\u{feff}# comment\r\n\r\n{jwt}\r\nBearer {jwt}\n  authorization: bearer {jwt}  \n\"{jwt}\"\n'Bearer {jwt}'\n"
        );
        let document = document(&text, Syntax::Jwt);
        let found: Vec<_> = document.root().items().map(|item| item.as_str().expect("text")).collect();
        assert_eq!(found, [jwt.as_str(); 5]);
        assert!(document.root().items().all(|item| document.source.slice(item.span()) == jwt));
        assert!(looks_like_jwt(&text));
    }

    #[test]
    fn errors_say_what_stands_there() {
        let jwt = token("{}");
        let (header, _) = jwt.split_once('.').expect("dot");
        for (text, offset, part) in [
            ("", 0, "no token"),
            ("# only\n", 7, "no token"),
            ("opaque-token-value", 0, "opaque"),
            (&format!("{header}.e30"), 0, "signature part is missing"),
            (&format!("{header}.a.b.c.d"), 0, "encrypted"),
            (&format!("{header}.a.b.c"), 0, "exactly three"),
            (&format!("{jwt}\n{header}.e30"), jwt.len() + 1, "signature part is missing"),
            (&format!("{header}.e30=.AAAA"), header.len() + 4, "padded"),
            (&format!("{header}.e3+0.AAAA"), header.len() + 3, "wrong base64 alphabet"),
            (&format!("{header}.e31.AAAA"), header.len() + 3, "payload ends in bits"),
            (&format!("{header}.e30.AB"), header.len() + 6, "signature ends in bits"),
            (&format!("{header}.e30.AAAAA"), header.len() + 9, "signature has a length"),
            (&format!("{header}.e30.A§AA"), header.len() + 6, "signature holds a character"),
            (&format!("{header}.e30 .AAAA"), header.len() + 4, "space"),
            (".e30.AAAA", 0, "header is empty"),
            (&format!("{header}.e30.{}", "A".repeat(MAX_TOKEN_BYTES)), 0, "64 KiB"),
            (&format!("Bearer {}.e30.REDACTED", &header[..9]), 7, "shortened or redacted"),
            (&format!("{header}.e3.redacted"), 0, "shortened or redacted"),
            (&format!("{}...e30...REDACTED", &header[..9]), 0, "shortened or redacted"),
            (&format!("{header}..."), 0, "shortened or redacted"),
        ] {
            let (_, errors) = read_lines(text);
            let error = errors.first().expect(text);
            assert_eq!(error.span.start as usize, offset, "{text}: {error}");
            assert!(error.message.contains(part), "{text}: {error}");
        }
    }

    #[test]
    fn a_broken_line_hides_no_other() {
        let good = token("{}");
        let (tree, errors) = read_lines(&format!("{good}\neyJhbGciOiJSUzI1NiJ9.e30\n{good}\n"));
        assert_eq!(tree.map(|tree| tree.children(NodeId::ROOT).count()), Some(2));
        assert_eq!(errors.iter().map(|error| error.span.start as usize).collect::<Vec<_>>(), [good.len() + 1]);
    }

    #[test]
    fn an_empty_signature_is_an_unsigned_token() {
        let unsigned = format!("{}.{}.", encode(r#"{"alg":"none"}"#), encode("{}"));
        assert!(!Compact::split(&unsigned).expect("compact").signed);
        assert!(Compact::split(&token("{}")).expect("compact").signed);
    }

    #[test]
    fn claims_point_at_their_base64_in_the_file() {
        let jwt = token(r#"{"sub":"someone","exp":1700000000}"#);
        for (text, syntax, pointer) in [
            (jwt.clone(), Syntax::Jwt, "/0"),
            (format!("{{\"access_token\": \"Bearer {jwt}\"}}"), Syntax::Json, "/access_token"),
        ] {
            let outer = document(&text, syntax);
            let node = outer.at_pointer(pointer).expect("node").id;
            let header = decode_segment(&outer, node, Segment::Header).expect("header");
            assert_eq!(header.root().get("alg").and_then(|alg| alg.as_str()), Some("ES256"));
            let payload = decode_segment(&outer, node, Segment::Payload).expect("payload");
            let exp = payload.root().get("exp").expect("exp");
            assert_eq!(exp.as_i64(), Some(1_700_000_000));
            let decoded = payload.decoded.as_ref().expect("decoded");
            assert_eq!((decoded.outer_pointer.as_str(), decoded.encoding), (pointer, Encoding::Base64Url));
            let span = decoded.outer_span(exp.span());
            // The run of base64 characters covers the value and would not with one character less at either end.
            let from = (span.start - decoded.span.start) * 6;
            let to = (span.end - decoded.span.start) * 6;
            let inner = exp.span();
            assert!(from <= inner.start * 8 && inner.start * 8 < from + 6);
            assert!(to - 6 < inner.end * 8 && inner.end * 8 <= to);
            assert!(span.start >= decoded.span.start && span.end <= decoded.span.end);
            assert!(!payload.source.text().contains("signature") && !header.source.text().contains("signature"));
        }
    }

    #[test]
    fn broken_segments_are_located_in_the_file() {
        for (payload, inner, part) in [
            (&b"{\"sub\":\"\xff\"}"[..], 8, "UTF-8"),
            (b"[1]", 0, "no JSON object"),
            (b"{\"a\":1,}", 6, "no comma"),
            (b"", 0, "no valid JSON"),
            (b"\xef\xbb\xbf{}", 0, "byte order mark"),
        ] {
            let text = format!("{}\n{}", token("{}"), token(payload));
            let outer = document(&text, Syntax::Jwt);
            let node = outer.root().items().nth(1).expect("second");
            let error = decode_segment(&outer, node.id, Segment::Payload).expect_err("broken");
            let start = node.span().start as usize + encode(r#"{"alg":"ES256"}"#).len() + 1;
            assert_eq!(error.span.start as usize, start + inner * 4 / 3, "{error}");
            assert!(error.message.contains(part), "{error}");
        }
        for text in
            [format!("{}.e30.REDACTED", encode(r#"{"alg":"ES25"#)), format!("{}.eyJp.xxxx", encode(r#"{"a":1}"#))]
        {
            let outer = document(&text, Syntax::Jwt);
            let node = outer.root().items().next().expect("one").id;
            let decode = |segment| decode_segment(&outer, node, segment);
            let error = decode(Segment::Header).and(decode(Segment::Payload)).expect_err("cut");
            assert_eq!((error.message.as_str(), error.span.start), (LEFT_OVER, 0), "{text}");
        }
        let outer = document(r#"{"t": "a\u002eb", "n": 1}"#, Syntax::Json);
        for name in ["t", "n"] {
            let node = outer.root().get(name).expect("member");
            let error = decode_segment(&outer, node.id, Segment::Payload).expect_err(name);
            assert_eq!(error.span, node.span(), "{name}");
        }
    }

    #[test]
    fn looks_are_cheap_and_strict_enough() {
        for (text, expected) in [
            (token("{}"), true),
            (format!("Bearer {}", token("{}")), true),
            ("eyes.wide.shut and more".into(), false),
            ("{\"a\": 1}".into(), false),
            ("key: value".into(), false),
            ("".into(), false),
        ] {
            assert_eq!(looks_like_jwt(&text), expected, "{text}");
        }
    }
}
