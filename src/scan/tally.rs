//! What a scan found: each distinct token once, with the places it stands at.

use super::find::{Form, Hit, State};
use sha2::{Digest, Sha256};
use std::collections::HashMap;

/// Places that are kept of one token; all are counted.
const KEPT: usize = 20;
/// Distinct tokens that are told apart; what comes beyond is counted together.
const MOST: usize = 100_000;
/// Bytes before a token in which its carrier is looked for.
const BEFORE: usize = 96;

/// Where a token stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file, as users named it.
    pub path: String,
    /// Offset in bytes.
    pub offset: u64,
    /// Length in bytes, with everything that encodes or wraps it.
    pub length: u64,
    /// The line, from 1.
    pub line: u64,
    /// Bytes of the line before it.
    pub column: u64,
}

/// One distinct token. What makes it usable is not kept.
#[derive(Debug)]
pub struct Seen {
    /// What it is.
    pub form: Form,
    /// The most that was seen of it.
    pub state: State,
    /// The name before it where it was found first: `bearer`, `authz`, `access_token`, …; empty when there is none.
    pub carrier: &'static str,
    /// The first places.
    pub places: Vec<Place>,
    /// How often it was found.
    pub count: u64,
    /// In how many files; files come one after the other.
    pub files: u64,
    last_file: String,
    /// SHA-256 of the token in its plain form.
    digest: [u8; 32],
    /// Header and payload of a JWT as its holder would send them, and as many `A` as the signature has characters. Empty
    /// for other forms.
    pub(super) readable: String,
}

impl Seen {
    /// Twelve hexadecimal digits that tell tokens apart and reveal nothing.
    pub fn fingerprint(&self) -> String {
        fingerprint(&self.digest)
    }
}

/// SHA-256 of a token in its plain form; `window` is the text that the hit's spans count in.
pub fn digest(hit: &Hit, window: &[u8]) -> [u8; 32] {
    match hit.form {
        Form::Jwt => {
            let parts = [&hit.header, &hit.payload, &hit.secret].map(|part| plain(&window[part.clone()]));
            Sha256::digest(parts.join(".").as_bytes()).into()
        }
        Form::Jwe | Form::Macaroon | Form::Eos | Form::Envelope => Sha256::digest(&window[hit.span.clone()]).into(),
    }
}

/// Twelve hexadecimal digits of a digest that tell tokens apart and reveal nothing.
pub fn fingerprint(digest: &[u8; 32]) -> String {
    digest.iter().take(6).map(|byte| format!("{byte:02x}")).collect()
}

/// Collects tokens.
#[derive(Debug, Default)]
pub struct Tally {
    seen: Vec<Seen>,
    by_digest: HashMap<[u8; 32], usize>,
    /// Tokens beyond the most that are told apart.
    pub uncounted: u64,
}

impl Tally {
    /// Takes one token; `window` holds it and what stands before it.
    pub fn add(&mut self, hit: &Hit, window: &[u8], place: Place) {
        let parts = [&hit.header, &hit.payload, &hit.secret].map(|part| plain(&window[part.clone()]));
        let digest = digest(hit, window);
        if let Some(&index) = self.by_digest.get(&digest) {
            let seen = &mut self.seen[index];
            seen.count += 1;
            if seen.last_file != place.path {
                seen.files += 1;
                seen.last_file.clone_from(&place.path);
            }
            if seen.places.len() < KEPT {
                seen.places.push(place);
            }
        } else if self.seen.len() >= MOST {
            self.uncounted += 1;
        } else {
            self.by_digest.insert(digest, self.seen.len());
            let carrier = carrier(&window[hit.span.start.saturating_sub(BEFORE)..hit.span.start]);
            self.seen.push(Seen {
                form: hit.form,
                state: hit.state,
                carrier,
                count: 1,
                files: 1,
                last_file: place.path.clone(),
                places: vec![place],
                digest,
                readable: match hit.form {
                    Form::Jwt => format!("{}.{}.{}", parts[0], parts[1], "A".repeat(parts[2].len())),
                    Form::Jwe | Form::Macaroon | Form::Eos | Form::Envelope => String::new(),
                },
            });
        }
    }

    /// The tokens in the order they were found first.
    pub fn tokens(&self) -> &[Seen] {
        &self.seen
    }
}

/// The characters of one part, without what wraps it.
fn plain(part: &[u8]) -> String {
    let kept = part.iter().filter(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(byte));
    kept.map(|byte| char::from(*byte)).collect()
}

/// The name that a token is given by, right before it.
fn carrier(before: &[u8]) -> &'static str {
    const NAMES: [&str; 14] = [
        "registration_access_token",
        "refresh_token",
        "subject_token",
        "actor_token",
        "client_assertion",
        "id_token_hint",
        "access_token",
        "id_token",
        "transferheaderauthorization",
        "authorization",
        "bearer_token",
        "bearer",
        "authz",
        "token",
    ];
    let text = String::from_utf8_lossy(before).to_ascii_lowercase();
    // What may stand between the name and the token: signs, and their percent-encoded or escaped forms.
    let mut rest = text.as_str();
    loop {
        let shorter = rest.trim_end_matches([' ', '=', ':', '"', '\'', '\\', '\t', '(', '[', '>', ',']);
        let shorter = ["%20", "%22", "%3d", "%3a", "%2520", "%253d", "\\u0022", "+"]
            .iter()
            .find_map(|sign| shorter.strip_suffix(sign))
            .unwrap_or(shorter);
        if shorter.len() == rest.len() {
            break;
        }
        rest = shorter;
    }
    NAMES.into_iter().find(|name| rest.ends_with(name)).unwrap_or("")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn carriers_are_named() {
        for (before, expected) in [
            ("Authorization: Bearer ", "bearer"),
            ("?authz=Bearer%20", "bearer"),
            ("?authz=Bearer%2520", "bearer"),
            ("?authz=", "authz"),
            ("{\"refresh_token\": \"", "refresh_token"),
            ("{\\\"access_token\\\":\\\"", "access_token"),
            ("&subject_token=", "subject_token"),
            ("'id_token': b'", ""),
            ("the ", ""),
            ("", ""),
        ] {
            assert_eq!(carrier(before.as_bytes()), expected, "{before}");
        }
    }
}
