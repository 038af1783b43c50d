//! The masked view: source text as renderers may see it.
//!
//! Secrets are known by provenance (spans an adapter or the secret-key list named) and, as a second line,
//! by shape (JWT signatures, PEM private keys, URL credentials). Masking keeps the number of characters and
//! the line breaks, so that columns under a snippet stay true.

use super::{Source, Span};
use std::sync::LazyLock;

/// The character that stands for a hidden one.
pub const MASK: char = '*';

/// Member names whose string values are secrets in every format. Compared without case, `-`, `_` and `.`.
const SECRET_KEYS: &[&str] = &[
    "accesstoken",
    "actuatorpassword",
    "apikey",
    "apitoken",
    "assertion",
    "authorization",
    "bearertoken",
    "bindpassword",
    "clientassertion",
    "clientsecret",
    "clientsecretbasic",
    "cookiesecret",
    "credential",
    "credentials",
    "dbpassword",
    "devicecode",
    "dsn",
    "encryptionkey",
    "exampleappsecret",
    "idtoken",
    "iamdbpassword",
    "initialaccesstoken",
    "jwt",
    "keypassword",
    "keystorepassword",
    "mytoken",
    "passphrase",
    "passwd",
    "password",
    "privatekey",
    "privatekeypem",
    "pwd",
    "refreshtoken",
    "registrationaccesstoken",
    "registrationtoken",
    "rootpassword",
    "secret",
    "secretdata",
    "secretkey",
    "secretstring",
    "secrets",
    "secretsalt",
    "salt",
    "signingkey",
    "softwarestatement",
    "storepassword",
    "subjecttoken",
    "token",
    "tokenvalue",
    "actortoken",
    "hash",
    "value_secret",
];

/// Name endings that mark a secret as well (`IAM_ADMIN_PASSWORD`, `db-secret`).
const SECRET_ENDINGS: &[&str] =
    &["password", "passwd", "secret", "privatekey", "apikey", "accesstoken", "refreshtoken", "passphrase"];

/// JWK members that hold private key material (RFC 7518 sections 6.2.2, 6.3.2 and 6.4).
const JWK_PRIVATE: &[&str] = &["d", "p", "q", "dp", "dq", "qi", "k", "oth"];

/// True when the string value under a member of this name is a secret.
pub fn is_secret_key(name: &str) -> bool {
    if name.len() > 64 {
        return false;
    }
    let folded: String =
        name.chars().filter(|c| !matches!(c, '-' | '_' | '.' | ' ')).map(|c| c.to_ascii_lowercase()).collect();
    SECRET_KEYS.contains(&folded.as_str()) || SECRET_ENDINGS.iter().any(|ending| folded.ends_with(ending))
}

/// True when this member of a JWK (an object with `kty`) holds private key material.
pub fn is_private_jwk_member(name: &str) -> bool {
    JWK_PRIVATE.contains(&name)
}

static SHAPES: LazyLock<regex::Regex> = LazyLock::new(|| {
    regex::Regex::new(concat!(
        r"(?:ey[A-Za-z0-9_-]{6,}\.[A-Za-z0-9_-]*(?:\.[A-Za-z0-9_-]*){0,3}\.?(?P<jws>[A-Za-z0-9_=-]*))",
        r"|(?s:-----BEGIN [A-Z ]*PRIVATE KEY-----(?P<pem>.*?)(?:-----END|\z))",
        r"|(?://[^/\s:@]{1,256}:(?P<url>[^/\s@]{1,256})@)",
        r"|(?i:(?:client_secret|refresh_token|access_token|password)(?:=|%3D)(?P<form>[^&\s\x22']+))",
    ))
    .unwrap_or_else(|error| unreachable!("constant pattern: {error}"))
});

/// Byte ranges of `text` that look like secrets: everything of a JWT behind its second dot, the body of a PEM
/// private key, the password of a URL, form-encoded secrets.
fn secret_shapes(text: &str) -> Vec<std::ops::Range<usize>> {
    let mut found = Vec::new();
    for hit in SHAPES.captures_iter(text) {
        for name in ["pem", "url", "form"] {
            if let Some(group) = hit.name(name) {
                found.push(group.range());
            }
        }
        if let Some(whole) = hit.get(0)
            && whole.as_str().starts_with("ey")
        {
            let body = whole.as_str();
            let header_end = body.find('.').map_or(0, |dot| dot + 1);
            // Header and payload may be shown; a lone payload (no second dot) is redacted already.
            if let Some(dot) = body[header_end..].find('.') {
                found.push(whole.start() + header_end + dot + 1..whole.end());
            }
        }
    }
    found
}

/// Replaces everything that looks like a secret. For values quoted in messages and names.
pub fn redact(text: &str) -> std::borrow::Cow<'_, str> {
    let shapes = secret_shapes(text);
    if shapes.is_empty() {
        return text.into();
    }
    mask_ranges(text, 0, &shapes).into()
}

/// A window of the source, whole lines, with every secret replaced character by character.
///
/// `secrets` are spans of the whole source; shapes are searched in the window and some bytes around it, so that a
/// secret that begins before the window is still recognised.
pub fn window(source: &Source, range: std::ops::Range<usize>, secrets: &[Span]) -> String {
    const AROUND: usize = 16 * 1024;
    let text = source.text();
    let mut from = range.start.saturating_sub(AROUND);
    while !text.is_char_boundary(from) {
        from -= 1;
    }
    let mut to = (range.end + AROUND).min(text.len());
    while !text.is_char_boundary(to) {
        to += 1;
    }
    let mut ranges: Vec<_> = secret_shapes(&text[from..to]).into_iter().map(|r| r.start + from..r.end + from).collect();
    ranges.extend(secrets.iter().map(|span| span.range()).filter(|r| r.start < range.end && r.end > range.start));
    let clipped: Vec<_> = ranges
        .into_iter()
        .map(|r| r.start.max(range.start)..r.end.min(range.end))
        .filter(|r| r.start < r.end)
        .collect();
    mask_ranges(&text[range.clone()], range.start, &clipped)
}

fn mask_ranges(text: &str, base: usize, ranges: &[std::ops::Range<usize>]) -> String {
    text.char_indices()
        .map(|(at, c)| {
            let at = at + base;
            if c != '\n' && c != '\r' && ranges.iter().any(|r| r.contains(&at)) { MASK } else { c }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_secret_names_in_every_spelling() {
        for name in [
            "client_secret",
            "clientSecret",
            "IAM_DB_PASSWORD",
            "client.secret",
            "registration_access_token",
            "refresh-token",
        ] {
            assert!(is_secret_key(name), "{name}");
        }
        for name in ["client_id", "token_endpoint", "secretary", "password_file_path_hint", "jwks_uri"] {
            assert!(!is_secret_key(name), "{name}");
        }
    }

    #[test]
    fn masks_by_shape_and_keeps_length() {
        let text = "a eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl b https://u:pw@h/ x";
        let masked = redact(text);
        assert!(
            masked.contains("eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.*")
                && !masked.contains("c2ln")
                && !masked.contains("pw@")
        );
        assert_eq!(masked.chars().count(), text.chars().count());
    }

    #[test]
    fn masks_by_provenance_inside_a_window() {
        let source = Source::from_text("x", "first\nsecret: hünter2\nlast");
        let span = Span::new(14, 22);
        assert_eq!(window(&source, 6..22, &[span]), "secret: *******");
    }
}
