//! Tokens that cannot be read as they stand: which part is broken, and what can still be read of the others.
//!
//! Only what decodes to JSON is shown, and never the part in the place of a signature, so no guess about a broken
//! text can bring its secret out.

use super::view::{list, sha256_prefix, signature};
use super::{Claim, Problem, TokenView, claims};
use crate::parse::jwt::{LEFT_OVER, MAX_TOKEN_BYTES, bare, check_base64url, is_left_over};
use crate::parse::{Document, Syntax, parse};
use crate::source::Source;
use base64::Engine as _;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use std::sync::Arc;

/// base64url that forgives left-over bits and padding.
static LENIENT: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Takes a text apart that should have been a token.
pub(super) fn dissect(text: &str, now: i64) -> TokenView {
    let token = &text[bare(text).range()];
    let mut view = TokenView {
        kind: "unreadable".into(),
        evidence: "not classified: the token cannot be read as it stands, so nothing is judged".into(),
        sha256_prefix: Some(sha256_prefix(token)),
        size: Some(token.len()),
        ..TokenView::default()
    };
    let mut problem = |part: &'static str, message: String| view.problems.push(Problem { part, message });
    if token.is_empty() {
        problem("token", "there is nothing: the text is empty".into());
        return view;
    }
    if token.len() > MAX_TOKEN_BYTES {
        problem("token", "longer than 64 KiB; no server accepts that, and it is not taken apart".into());
        return view;
    }
    let parts: Vec<&str> = token.split('.').collect();
    let left_over = is_left_over(token);
    if left_over {
        problem("token", LEFT_OVER.into());
    } else if let Some(message) = outline(&parts) {
        problem("token", message);
    }
    if parts.len() == 1 {
        return view;
    }
    // Of an encrypted token everything behind the header is ciphertext.
    let readable: &[(&'static str, usize)] = match parts.len() {
        5 => &[("header", 0)],
        _ => &[("header", 0), ("payload", 1)],
    };
    for &(name, index) in readable {
        let (claims, problems) = part(parts[index], name, now);
        if !left_over {
            view.problems.extend(problems.into_iter().map(|message| Problem { part: name, message }));
        }
        match name {
            "header" => view.header = claims,
            _ => view.payload = claims,
        }
    }
    if let [_, _, last] = parts.as_slice()
        && !left_over
    {
        view.signature = Some(signature(token));
        if let Err((offset, why)) = check_base64url(last.as_bytes()) {
            let message = format!("{why} (character {} of the signature)", offset + 1);
            view.problems.push(Problem { part: "signature", message });
        }
    }
    view
}

/// What the number of parts tells.
fn outline(parts: &[&str]) -> Option<String> {
    let text = match parts {
        [only] if only.starts_with("MDA") => {
            "one part that begins like a macaroon (dCache): no JWT; its caveats are read by the service that issued it"
        }
        [only] if only.starts_with("ey") => {
            "one part only, a JWT has three with dots between them: this may be a header or payload alone, or a token \
             that was cut off"
        }
        [_] => {
            "one part without dots: an opaque token, or no token; what it means only its issuer can say, ask the \
             introspection endpoint"
        }
        [_, _] => {
            "two parts, a signed token has three: the signature is missing, the token was cut off (an unsigned token \
             ends with a dot)"
        }
        [_, _, _] => return None,
        [_, _, _, _, _] => "five parts: an encrypted token (JWE); only its recipient can decrypt and read the claims",
        _ => {
            return Some(format!(
                "{} parts, a signed token has three: text was added, or two tokens ran together",
                parts.len()
            ));
        }
    };
    Some(text.into())
}

/// Reads one encoded part as far as possible: what it holds and what is wrong with it.
fn part(encoded: &str, name: &str, now: i64) -> (Vec<Claim>, Vec<String>) {
    let mut problems = Vec::new();
    if encoded.is_empty() {
        return (vec![], vec!["is empty".into()]);
    }
    if let Err((offset, why)) = check_base64url(encoded.as_bytes()) {
        problems.push(format!("{why} (character {} of the {name})", offset + 1));
    }
    let mut tidy: String = encoded
        .chars()
        .filter(|c| !c.is_whitespace() && *c != '=')
        .map(|c| match c {
            '+' => '-',
            '/' => '_',
            other => other,
        })
        .collect();
    if tidy.is_ascii() && tidy.len() % 4 == 1 {
        tidy.pop();
    }
    let Ok(bytes) = LENIENT.decode(&tidy) else {
        problems.push("cannot be decoded, so nothing of it can be read".into());
        return (vec![], problems);
    };
    let json = match std::str::from_utf8(&bytes) {
        Ok(json) => json,
        Err(error) => {
            let valid = error.valid_up_to();
            problems.push(format!("is no UTF-8 text from byte {} on", valid + 1));
            std::str::from_utf8(&bytes[..valid]).unwrap_or_default()
        }
    };
    let document = match object(json) {
        Ok(document) => Some(document),
        Err(why) => {
            problems.push(why);
            salvaged(json)
        }
    };
    let table = if name == "header" { claims::header } else { claims::claim };
    // An identifier may be all there is to a refresh token, and an unreadable token cannot be told from one.
    let hidden: &[&str] = if name == "header" { &[] } else { &["jti"] };
    (document.map_or(vec![], |document| list(document.root(), table, hidden, now)), problems)
}

/// A JSON object, or what is wrong with the text.
fn object(json: &str) -> Result<Document, String> {
    let source = Arc::new(Source::from_text("", json));
    let (mut documents, errors) = parse(&source, Syntax::Json);
    match (errors.first(), documents.pop()) {
        (Some(error), _) => {
            Err(format!("is no valid JSON at byte {} of the decoded text: {}", error.span.start + 1, error.message))
        }
        (None, Some(document)) if document.root().is_map() => Ok(document),
        (None, _) => Err("is no JSON object".into()),
    }
}

/// The members of an object that was cut off, up to the last whole one.
fn salvaged(json: &str) -> Option<Document> {
    let (mut depth, mut quoted, mut escaped, mut last) = (0_u32, false, false, None);
    for (at, byte) in json.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            _ if quoted => {}
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            b',' if depth == 1 => last = Some(at),
            _ => {}
        }
    }
    object(&format!("{}}}", json.get(..last?)?)).ok()
}
