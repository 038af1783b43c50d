//! Secrets that are no tokens, in text of any kind: client secrets and passwords by the names they are given under,
//! credentials of headers, private keys, passwords of URLs.
//!
//! What [`crate::source::mask`] hides in a snippet nobody misses. A log is kept and read, so less is taken for a secret
//! here: the name says so beyond doubt, or the value looks drawn at random.

mod chars;
mod jwk;
mod line;
mod looks;
mod name;
mod pem;
mod url;
mod value;

pub use jwk::KEY_REACH;

use crate::scan::find::Hit;
use aho_corasick::{AhoCorasick, AhoCorasickBuilder, Input, MatchKind};
use jwk::key_member;
use line::{digest, user};
use name::named;
use pem::{BEGIN, private_key};
use std::ops::Range;
use url::url;
use value::Ends;

/// Longest value, in bytes (64 KiB); what goes on beyond is cut there.
pub const MAX_VALUE: usize = 64 << 10;

/// What kind of secret it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A value under a name such as `client_secret`, `password` or `refresh_token`.
    Named,
    /// The credentials of an `Authorization` header.
    Header,
    /// A private key in PEM, or a private member of a JSON Web Key.
    PrivateKey,
    /// The password of a URL.
    Url,
}

impl Kind {
    /// The name that reports give it.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Named => "named secret",
            Kind::Header => "authorization header",
            Kind::PrivateKey => "private key",
            Kind::Url => "URL password",
        }
    }
}

/// One secret in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Secret {
    /// What kind.
    pub kind: Kind,
    /// Its bytes, without the name and the quotes, and without the tokens and markers among them. Never empty.
    pub parts: Vec<Range<usize>>,
    /// Where it ends.
    pub end: usize,
    /// It was cut for its length, and goes on behind its end.
    pub cut: bool,
}

/// The tokens of a text. A secret may hold some, and where they end says where a value does.
#[derive(Clone, Copy, Debug)]
pub struct Tokens<'t> {
    /// In order.
    pub hits: &'t [Hit],
    /// All that begin before this are known.
    pub until: usize,
}

/// What a search came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// The next secret.
    Secret(Secret),
    /// Something may begin here, and the text ends before it is certain.
    Open(usize),
    /// Nothing more.
    Nothing,
}

/// What a word that was found may be part of.
#[derive(Clone, Copy, Debug)]
enum What {
    /// The name of a secret.
    Name,
    /// The response of a `Digest` header.
    Response,
    /// An option of `curl`.
    User,
    /// The line that opens a key or a certificate.
    Pem,
    /// A URL, whose signs are so often percent-encoded.
    Url(usize),
    /// A private member of a JSON Web Key.
    KeyMember,
}

/// What is looked for: what stands in the names of secrets in every spelling, and what the others begin with. The members of
/// JSON Web Keys stand there as in JSON, in JSON within JSON, and in Python.
const WORDS: &[(&str, What)] = &[
    ("ecret", What::Name),
    ("ECRET", What::Name),
    ("pass", What::Name),
    ("Pass", What::Name),
    ("PASS", What::Name),
    ("pwd", What::Name),
    ("Pwd", What::Name),
    ("PWD", What::Name),
    ("oken", What::Name),
    ("OKEN", What::Name),
    ("pikey", What::Name),
    ("piKey", What::Name),
    ("PIKEY", What::Name),
    ("pi_key", What::Name),
    ("PI_KEY", What::Name),
    ("pi-key", What::Name),
    ("pi-Key", What::Name),
    ("PI-K", What::Name),
    ("rivate", What::Name),
    ("RIVATE", What::Name),
    ("igning", What::Name),
    ("IGNING", What::Name),
    ("ncryption", What::Name),
    ("NCRYPTION", What::Name),
    ("evice", What::Name),
    ("EVICE", What::Name),
    ("ssertion", What::Name),
    ("SSERTION", What::Name),
    ("uthz", What::Name),
    ("UTHZ", What::Name),
    ("uthorization", What::Name),
    ("UTHORIZATION", What::Name),
    ("response=", What::Response),
    (" -u ", What::User),
    ("--user", What::User),
    (BEGIN, What::Pem),
    ("://", What::Url(0)),
    (":\\/\\/", What::Url(0)),
    ("%3A%2F%2F", What::Url(1)),
    ("%3a%2f%2f", What::Url(1)),
    ("\"d\"", What::KeyMember),
    ("\"p\"", What::KeyMember),
    ("\"q\"", What::KeyMember),
    ("\"dp\"", What::KeyMember),
    ("\"dq\"", What::KeyMember),
    ("\"qi\"", What::KeyMember),
    ("\"k\"", What::KeyMember),
    ("\"oth\"", What::KeyMember),
    ("\"d\\\"", What::KeyMember),
    ("\"p\\\"", What::KeyMember),
    ("\"q\\\"", What::KeyMember),
    ("\"dp\\\"", What::KeyMember),
    ("\"dq\\\"", What::KeyMember),
    ("\"qi\\\"", What::KeyMember),
    ("\"k\\\"", What::KeyMember),
    ("\"oth\\\"", What::KeyMember),
    ("'d'", What::KeyMember),
    ("'p'", What::KeyMember),
    ("'q'", What::KeyMember),
    ("'dp'", What::KeyMember),
    ("'dq'", What::KeyMember),
    ("'qi'", What::KeyMember),
    ("'k'", What::KeyMember),
    ("'oth'", What::KeyMember),
];

/// With more of them aho-corasick looks at one byte after the other, which takes six times as long.
const _: () = assert!(WORDS.len() <= 64);

/// The longest word, in bytes.
const LONGEST_WORD: usize = {
    let (mut longest, mut index) = (0, 0);
    while index < WORDS.len() {
        let length = WORDS[index].0.len();
        longest = if length > longest { length } else { longest };
        index += 1;
    }
    longest
};

/// Finds secrets.
#[derive(Debug)]
pub struct Secrets {
    words: AhoCorasick,
}

/// What a look at one place came to.
enum Look {
    Secret(Secret),
    /// It reaches the end of the text.
    Open,
    No,
}

impl Secrets {
    /// A finder. An error is a defect of the search library's and never seen.
    pub fn new() -> Result<Self, String> {
        let words =
            AhoCorasickBuilder::new().match_kind(MatchKind::LeftmostFirst).build(WORDS.iter().map(|(word, _)| word));
        words.map(|words| Secrets { words }).map_err(|error| error.to_string())
    }

    /// The first secret whose name is at or behind `from`. `last` says that nothing follows the text.
    pub fn next(&self, text: &[u8], from: usize, last: bool, tokens: Tokens<'_>) -> Found {
        let mut at = from.min(text.len());
        let mut ends = Ends::default();
        while let Some(found) = self.words.find(Input::new(text).range(at..)) {
            let (start, end) = (found.start(), found.end());
            let look = match WORDS[found.pattern().as_usize()].1 {
                What::Name => named(text, start, end, last, tokens, &mut ends),
                What::Response => digest(text, start..end, last, tokens, &mut ends),
                What::User => user(text, start..end, last, tokens, &mut ends),
                What::Pem => private_key(text, end, last),
                What::Url(level) => url(text, end, level, last, tokens),
                What::KeyMember => key_member(text, start, end, last),
            };
            match look {
                // What a token takes of it is not known yet.
                Look::Secret(secret) if secret.end > tokens.until => return Found::Open(start),
                Look::Secret(secret) if secret.parts[0].start >= from => return Found::Secret(secret),
                Look::Open => return Found::Open(start),
                Look::Secret(_) | Look::No => at = end,
            }
        }
        let tail = text.len().saturating_sub(LONGEST_WORD - 1).max(at);
        if last || tail >= text.len() { Found::Nothing } else { Found::Open(tail) }
    }
}

/// A private key, whatever looks like a token in it.
fn key(span: Range<usize>) -> Look {
    let (end, cut) = (span.end, span.len() >= MAX_VALUE);
    Look::Secret(Secret { kind: Kind::PrivateKey, parts: vec![span], end, cut })
}
