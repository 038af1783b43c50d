//! The names of secrets, for everything that hides them: snippets, snapshots and copies of logs.
//!
//! What is hidden in a snippet of a configuration file nobody misses. A log is kept and read, so a name may count there only
//! when its value looks drawn at random, or not at all.

use Certainty::{Certain, Header, Likely, No};
use Match::{Ending, Never, Whole};

/// Longest name that is looked at, in bytes.
pub const MAX_NAME: usize = 64;

/// How a name is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Match {
    /// It is the whole name (`token`).
    Whole,
    /// The name ends with it as well (`IAM_ADMIN_PASSWORD`, `db-secret`).
    Ending,
    /// It is no such name here.
    Never,
}

/// How certain it is that a log holds a secret under a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Certainty {
    /// Whatever the value looks like.
    Certain,
    /// When it looks drawn at random.
    Likely,
    /// It is what stands behind the scheme of a header, when that looks like credentials.
    Header,
    /// It is none.
    No,
}

/// A name in snake case, and where values under it are secrets.
#[derive(Clone, Copy, Debug)]
struct Name {
    text: &'static str,
    in_file: Match,
    in_log: Match,
    certainty: Certainty,
}

const fn name(text: &'static str, in_file: Match, in_log: Match, certainty: Certainty) -> Name {
    Name { text, in_file, in_log, certainty }
}

/// The first that matches counts. No more than 64: their places are kept as bits.
const NAMES: &[Name] = &[
    name("password", Ending, Ending, Certain),
    name("passwd", Ending, Ending, Certain),
    name("passphrase", Ending, Ending, Certain),
    name("user_pass", Ending, Ending, Certain),
    name("db_pwd", Ending, Ending, Certain),
    name("mysql_pwd", Ending, Ending, Certain),
    name("secret", Ending, Ending, Certain),
    name("secret_key", Ending, Ending, Certain),
    name("secret_access_key", Ending, Ending, Certain),
    name("secret_data", Ending, Ending, Certain),
    name("secret_string", Ending, Ending, Certain),
    name("secret_salt", Ending, Ending, Certain),
    name("client_secret_rotated", Ending, Ending, Certain),
    name("api_key", Ending, Ending, Certain),
    name("private_key", Ending, Ending, Certain),
    name("private_key_pem", Ending, Ending, Certain),
    name("access_token", Ending, Ending, Certain),
    name("refresh_token", Ending, Ending, Certain),
    name("id_token", Ending, Ending, Certain),
    name("id_token_hint", Ending, Ending, Certain),
    name("registration_token", Ending, Ending, Certain),
    name("subject_token", Ending, Ending, Certain),
    name("actor_token", Ending, Ending, Certain),
    name("bearer_token", Ending, Ending, Certain),
    name("auth_token", Ending, Ending, Certain),
    name("api_token", Ending, Ending, Certain),
    name("client_assertion", Ending, Ending, Certain),
    name("device_code", Ending, Ending, Certain),
    // These also name lists and paths of secrets, algorithms, identifiers of keys, a way to authenticate, or policies.
    name("secrets", Whole, Whole, Likely),
    name("client_secret_basic", Whole, Whole, Likely),
    name("signing_key", Ending, Ending, Likely),
    name("encryption_key", Ending, Ending, Likely),
    name("authz", Whole, Whole, Likely),
    name("assertion", Whole, Whole, Likely),
    name("token_value", Whole, Whole, Likely),
    name("mytoken", Ending, Ending, Likely),
    name("header_authorization", Ending, Ending, Header),
    // `required_authorization` in a file is a rule for whom it lets in.
    name("authorization", Whole, Ending, Header),
    // These say where a list goes on.
    name("page_token", Never, Ending, No),
    name("continue_token", Never, Ending, No),
    name("continuation_token", Never, Ending, No),
    name("sync_token", Never, Ending, No),
    // Settings that end so are about tokens: `scope_in_token`.
    name("token", Whole, Ending, Likely),
    // No value tells in a log. A certificate's subject, the identifier of an access key in a signed request for S3, the paths of
    // proxies:
    name("credential", Whole, Never, No),
    name("credentials", Whole, Never, No),
    // hosts and databases; a password in a URL is found by itself:
    name("dsn", Whole, Never, No),
    // the folder that a shell works in:
    name("pwd", Whole, Never, No),
    // checksums of files, and what they were computed with:
    name("hash", Whole, Never, No),
    name("salt", Whole, Never, No),
    // signed tokens, which are found by themselves:
    name("jwt", Whole, Never, No),
    name("software_statement", Whole, Never, No),
];

/// Longest of [`NAMES`], in bytes.
const LONGEST: usize = 24;

/// [`NAMES`] as names are compared, each with its length.
static FOLDED: [([u8; LONGEST], usize); NAMES.len()] = {
    let mut all = [([0; LONGEST], 0); NAMES.len()];
    let mut index = 0;
    while index < NAMES.len() {
        let text = NAMES[index].text.as_bytes();
        let (mut at, mut length) = (0, 0);
        while at < text.len() {
            if text[at] != b'_' {
                all[index].0[length] = text[at];
                length += 1;
            }
            at += 1;
        }
        all[index].1 = length;
        index += 1;
    }
    all
};

/// By the last byte of a name, the places in [`NAMES`] of those that end with it: every member of every document is asked.
static PLACES: [u64; 256] = {
    assert!(NAMES.len() <= 64);
    let mut places = [0; 256];
    let mut index = 0;
    while index < NAMES.len() {
        let text = NAMES[index].text.as_bytes();
        places[text[text.len() - 1] as usize] |= 1 << index;
        index += 1;
    }
    places
};

/// A name as names are compared: small, without `-`, `_`, `.` and blanks. `None` when it is too long.
fn folded<'f>(name: &[u8], into: &'f mut [u8; MAX_NAME]) -> Option<&'f [u8]> {
    if name.len() > MAX_NAME {
        return None;
    }
    let mut length = 0;
    // Without branches, since so many names are asked.
    for byte in name {
        into[length] = byte.to_ascii_lowercase();
        length += usize::from(!matches!(byte, b'-' | b'_' | b'.' | b' '));
    }
    Some(&into[..length])
}

/// The first of [`NAMES`] that this is, compared in one of the two ways.
fn find(name: &[u8], how: fn(&Name) -> Match) -> Option<&'static Name> {
    let mut places = PLACES[usize::from(*name.last()?)];
    while places != 0 {
        let index = places.trailing_zeros() as usize;
        places &= places - 1;
        let (letters, length) = &FOLDED[index];
        let found = name.ends_with(&letters[..*length])
            && match how(&NAMES[index]) {
                Never => false,
                Whole => name.len() == *length,
                Ending => true,
            };
        if found {
            return Some(&NAMES[index]);
        }
    }
    None
}

/// `SECRET_CERT_KEY` holds one, `SECRET_DB_PASSWORD_FILE` names a file.
fn is_set_apart(name: &[u8], folded: &[u8]) -> bool {
    name.len() > 7
        && name[..7].eq_ignore_ascii_case(b"secret_")
        && !["file", "name", "path"].iter().any(|ending| folded.ends_with(ending.as_bytes()))
}

/// True when the string value under a member of this name of a configuration file is a secret.
pub fn is_secret_key(name: &str) -> bool {
    let mut bytes = [0; MAX_NAME];
    folded(name.as_bytes(), &mut bytes)
        .is_some_and(|folded| find(folded, |name| name.in_file).is_some() || is_set_apart(name.as_bytes(), folded))
}

/// How certain it is that the value under this name in a log is a secret.
pub fn certainty(name: &[u8]) -> Certainty {
    let mut bytes = [0; MAX_NAME];
    match folded(name, &mut bytes) {
        None => No,
        Some(folded) => match find(folded, |name| name.in_log) {
            Some(known) => known.certainty,
            None if is_set_apart(name, folded) => Likely,
            None => No,
        },
    }
}

/// Is it one of these, which are written as names are compared?
pub fn is_one_of(name: &[u8], known: &[&str]) -> bool {
    let mut bytes = [0; MAX_NAME];
    folded(name, &mut bytes).is_some_and(|folded| known.iter().any(|known| known.as_bytes() == folded))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::{Mode, Redactor};
    use crate::source::mask;

    /// A name in every spelling that is usual.
    fn spellings(name: &str) -> Vec<String> {
        let capital = |word: &str| word[..1].to_ascii_uppercase() + &word[1..];
        let words: Vec<&str> = name.split('_').collect();
        let capitals: Vec<String> = words.iter().map(|word| capital(word)).collect();
        let camel = words[0].to_string() + &capitals[1..].concat();
        let mut all =
            vec![name.to_string(), words.join("-"), words.concat(), camel, capitals.concat(), capitals.join("-")];
        all.extend([name.to_ascii_uppercase(), words.join("-").to_ascii_uppercase()]);
        all.push(words.concat().to_ascii_uppercase());
        all
    }

    /// Is what stands under a name hidden, under longer ones only where its ending says so?
    fn hides(name: &str, how: Match, within: impl Fn(&str) -> bool) {
        for name in spellings(name) {
            assert_eq!(within(&name), how != Never, "{name}");
            for longer in [format!("site_{name}"), format!("site-{name}"), format!("SITE.{name}")] {
                assert_eq!(within(&longer), how == Ending, "{longer}");
            }
        }
    }

    #[test]
    fn every_name_is_hidden_where_the_table_says() {
        const VALUE: &str = "kJ8vQ2mN5xR7tW3zB6cD";
        let redactor = Redactor::new(Mode::Signature, true).expect("built-in words");
        let redacted = |name: &str| {
            let mut copies = ["x&{name}={value}&y", "{\"{name}\":\"{value}\"}", "{'{name}': '{value}'}"].map(|text| {
                let (text, mut copy) = (text.replace("{name}", name).replace("{value}", VALUE), Vec::new());
                redactor.copy(text.as_bytes(), &mut copy).expect("memory");
                String::from_utf8(copy).expect("text") != text
            });
            copies.sort_unstable();
            assert_eq!(copies[0], copies[2], "{name}");
            copies[0]
        };
        let masked = |name: &str| {
            let hidden = mask::redact(&format!("{name}={VALUE}")) != format!("{name}={VALUE}");
            assert_eq!(hidden, is_secret_key(name), "{name}");
            hidden
        };
        for name in NAMES {
            let in_log = if name.certainty == No { Never } else { name.in_log };
            hides(name.text, name.in_file, masked);
            hides(name.text, in_log, redacted);
        }
    }

    #[test]
    fn knows_secret_names_in_every_spelling() {
        for name in [
            "client_secret",
            "clientSecret",
            "IAM_DB_PASSWORD",
            "client.secret",
            "registration_access_token",
            "refresh-token",
            "SECRET_CERT_KEY",
            "aws_secret_access_key",
            "auth_token",
            "authToken",
            "secretAccessKey",
            "id_token_hint",
            "authz",
            "user_pass",
            "mysql_pwd",
            "db_pwd",
        ] {
            assert!(is_secret_key(name), "{name}");
        }
        for name in [
            "client_id",
            "token_endpoint",
            "secretary",
            "SECRET_DB_PASSWORD_FILE",
            "password_file_path_hint",
            "jwks_uri",
        ] {
            assert!(!is_secret_key(name), "{name}");
        }
    }

    #[test]
    fn no_name_stands_behind_another_that_it_ends_with() {
        for (index, name) in NAMES.iter().enumerate() {
            for how in [(|name: &Name| name.in_file) as fn(&Name) -> Match, |name| name.in_log] {
                let mut bytes = [0; MAX_NAME];
                let folded = folded(name.text.as_bytes(), &mut bytes).expect("short");
                let found = find(folded, how).map(|found| found.text);
                assert!(how(&NAMES[index]) == Never || found == Some(name.text), "{}: {found:?}", name.text);
            }
        }
    }

    #[test]
    fn certain_secrets_are_hidden_whatever_they_look_like() {
        for name in NAMES.iter().filter(|name| name.certainty == Certain) {
            assert_eq!(certainty(name.text.as_bytes()), Certain);
            assert_ne!((name.in_file, name.in_log), (Never, Never));
        }
        assert_eq!(certainty(b"SECRET_ID"), Likely);
        assert_eq!(certainty(b"secret_name"), No);
        assert_eq!(certainty(b"nextPageToken"), No);
        assert_eq!(certainty(&[b'a'; 100]), No);
    }
}
