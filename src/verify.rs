//! Signatures of compact tokens, checked with the public keys of their issuers.
//!
//! RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384 and EdDSA with Ed25519. Everything else stays open, and so does
//! what cannot be a whole signature: an answer of "invalid" is given only where a service would say so as well.
//! Tokens are kept sealed until all key sets are known and wiped afterwards; no signature is ever shown.

use crate::adapt::{bit_length, decode_member};
use crate::evaluate::{Fact, Kept};
use crate::model::{At, Field, TargetKind, Token, url};
use crate::parse::jwt::Compact;
use crate::parse::{Cursor, Document};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::signature::{self, RsaPublicKeyComponents, UnparsedPublicKey};
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};
use std::borrow::Cow;
use std::collections::HashMap;

/// Keys of one kid (or, for a token without one, of one issuer) that are tried at the most.
const MAX_CANDIDATES: usize = 8;
/// RSA moduli that are used, in bits. Shorter ones break RFC 7518 section 3.3, longer ones only cost time.
const RSA_BITS: std::ops::RangeInclusive<i64> = 2048..=8192;

/// What a signature proved to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The key made it over this very text.
    Valid,
    /// It did not.
    Invalid,
    /// It could not be tried; the text completes "not judged: …".
    Open(&'static str),
}

/// The public half of a key, ready to verify with.
#[derive(Clone, Debug)]
pub struct PublicKey {
    form: Form,
    /// The one algorithm it is for, where the key says so.
    alg: Option<String>,
}

#[derive(Clone, Debug)]
enum Form {
    Rsa { n: Vec<u8>, e: Vec<u8> },
    P256(Vec<u8>),
    P384(Vec<u8>),
    Ed25519(Vec<u8>),
}

impl PublicKey {
    /// Reads a JSON Web Key; private members are not looked at.
    ///
    /// Errors complete "not judged: …": a type or curve that is not used here, a key for encryption, members that are
    /// missing or no base64url, an RSA key outside 2048 to 8192 bits.
    pub fn read(jwk: Cursor<'_>) -> Result<PublicKey, &'static str> {
        let text = |name: &str| jwk.get(name).and_then(Cursor::as_str);
        let bytes = |name: &str| text(name).and_then(decode_member).ok_or("its key is not written as RFC 7518 asks");
        let ops: Vec<&str> =
            jwk.get("key_ops").map(|ops| ops.items().filter_map(Cursor::as_str).collect()).unwrap_or_default();
        let signs = ops.is_empty() || ops.contains(&"verify") || ops.contains(&"sign");
        if text("use").is_some_and(|purpose| purpose != "sig") || !signs {
            return Err("its key is not for signatures");
        }
        let point = |size: usize| -> Result<Vec<u8>, &'static str> {
            // 4 stands for "both coordinates follow" (SEC 1 section 2.3.3).
            Ok([vec![4], padded(bytes("x")?, size)?, padded(bytes("y")?, size)?].concat())
        };
        let form = match (text("kty"), text("crv")) {
            (Some("RSA"), _) => rsa(trimmed(bytes("n")?), trimmed(bytes("e")?))?,
            (Some("EC"), Some("P-256")) => Form::P256(point(32)?),
            (Some("EC"), Some("P-384")) => Form::P384(point(48)?),
            (Some("OKP"), Some("Ed25519")) => Form::Ed25519(padded(bytes("x")?, 32)?),
            (Some("EC" | "OKP"), _) => return Err("signatures by a key on this curve are not verified"),
            _ => return Err("signatures by a key of this type are not verified"),
        };
        Ok(PublicKey { form, alg: text("alg").map(str::to_string) })
    }

    /// True when a token with this algorithm may have been signed by the key.
    fn fits(&self, alg: &str) -> bool {
        let same = |known: &str| known == alg || [known, alg].iter().all(|name| matches!(*name, "EdDSA" | "Ed25519"));
        let by_form = match &self.form {
            Form::Rsa { .. } => alg.starts_with("RS") || alg.starts_with("PS"),
            Form::P256(_) => alg == "ES256",
            Form::P384(_) => alg == "ES384",
            Form::Ed25519(_) => matches!(alg, "EdDSA" | "Ed25519"),
        };
        by_form && self.alg.as_deref().is_none_or(same)
    }

    /// Length of a whole signature in bytes (RFC 7518 sections 3.3 to 3.5, RFC 8032).
    fn signature_length(&self) -> usize {
        match &self.form {
            Form::Rsa { n, .. } => n.len(),
            Form::P256(_) | Form::Ed25519(_) => 64,
            Form::P384(_) => 96,
        }
    }

    fn accepts(&self, alg: &str, text: &[u8], signature: &[u8]) -> Option<bool> {
        let plain = |algorithm: &'static dyn signature::VerificationAlgorithm, key: &[u8]| {
            UnparsedPublicKey::new(algorithm, key).verify(text, signature).is_ok()
        };
        Some(match &self.form {
            Form::P256(point) => plain(&signature::ECDSA_P256_SHA256_FIXED, point),
            Form::P384(point) => plain(&signature::ECDSA_P384_SHA384_FIXED, point),
            Form::Ed25519(point) => plain(&signature::ED25519, point),
            Form::Rsa { n, e } => {
                let algorithm = match alg {
                    "RS256" => &signature::RSA_PKCS1_2048_8192_SHA256,
                    "RS384" => &signature::RSA_PKCS1_2048_8192_SHA384,
                    "RS512" => &signature::RSA_PKCS1_2048_8192_SHA512,
                    "PS256" => &signature::RSA_PSS_2048_8192_SHA256,
                    "PS384" => &signature::RSA_PSS_2048_8192_SHA384,
                    "PS512" => &signature::RSA_PSS_2048_8192_SHA512,
                    _ => return None,
                };
                RsaPublicKeyComponents { n, e }.verify(algorithm, text, signature).is_ok()
            }
        })
    }
}

fn rsa(n: Vec<u8>, e: Vec<u8>) -> Result<Form, &'static str> {
    // Larger exponents are not in use and make verification slow.
    let odd = e.last().is_some_and(|last| last % 2 == 1) && e.len() <= 4 && e != [1];
    match (RSA_BITS.contains(&bit_length(&n)) && odd, has_roca(&n)) {
        (true, false) => Ok(Form::Rsa { n, e }),
        (true, true) => Err("its RSA key can be computed by others (CVE-2017-15361, ROCA)"),
        (false, _) => Err("its RSA key is outside 2048 to 8192 bits or has an unusual exponent"),
    }
}

/// True for moduli with the mark of the library of CVE-2017-15361: modulo every small prime they are a power of 65537.
/// One in some hundred million other moduli has it by chance.
fn has_roca(n: &[u8]) -> bool {
    const PRIMES: [u32; 17] = [11, 13, 17, 19, 37, 53, 61, 71, 73, 79, 97, 103, 107, 109, 127, 151, 157];
    PRIMES.iter().all(|prime| {
        let rest = n.iter().fold(0, |rest, byte| (rest * 256 + u32::from(*byte)) % prime);
        let powers = std::iter::successors(Some(1), |power| Some(power * 65537 % prime)).take(*prime as usize);
        powers.into_iter().any(|power| power == rest)
    })
}

/// Without leading zero bytes, which RFC 7518 section 2 forbids and some writers add.
fn trimmed(bytes: Vec<u8>) -> Vec<u8> {
    let start = bytes.iter().position(|byte| *byte != 0).unwrap_or(bytes.len());
    bytes[start..].to_vec()
}

/// With the leading zero bytes that RFC 7518 section 6.2.1.2 asks for and some writers leave out.
fn padded(bytes: Vec<u8>, size: usize) -> Result<Vec<u8>, &'static str> {
    let missing = size.checked_sub(bytes.len()).ok_or("its key is not written as RFC 7518 asks")?;
    Ok([vec![0; missing], bytes].concat())
}

/// What the header says to a verifier.
struct Header {
    alg: String,
    kid: Option<String>,
    /// Extensions that a verifier must understand (`crit`); none is understood here.
    critical: bool,
}

impl Header {
    fn read(token: &str) -> Option<Header> {
        let compact = Compact::split(token).ok()?;
        let bytes = URL_SAFE_NO_PAD.decode(&token[compact.header.range()]).ok()?;
        let json: serde_json::Value = serde_json::from_slice(&bytes).ok()?;
        let text = |name: &str| json.get(name).and_then(serde_json::Value::as_str).map(str::to_string);
        Some(Header { alg: text("alg")?, kid: text("kid"), critical: json.get("crit").is_some() })
    }

    /// False for unsigned tokens and shared secrets, which no public key can answer for.
    fn asymmetric(&self) -> bool {
        !self.alg.eq_ignore_ascii_case("none") && !self.alg.starts_with("HS")
    }
}

/// Verifies a compact JWS (RFC 7515 section 5.2) with one key. Claims and times are not looked at.
pub fn verify(token: &str, key: &PublicKey) -> Outcome {
    let (Ok(compact), Some(header)) = (Compact::split(token), Header::read(token)) else {
        return Outcome::Open("it is no compact JWT with an alg");
    };
    if header.critical {
        return Outcome::Open("its header has extensions that are not understood here");
    }
    if !key.fits(&header.alg) {
        return Outcome::Open("its alg is not one that its key is for");
    }
    let text = &token[compact.header.start as usize..compact.payload.end as usize];
    let encoded = crate::parse::jwt::bare(token);
    let encoded = &token[compact.payload.end as usize + 1..encoded.end as usize];
    let Ok(signature) = URL_SAFE_NO_PAD.decode(encoded).map(Zeroizing::new) else {
        return Outcome::Open("its signature is no base64url");
    };
    if signature.len() != key.signature_length() {
        return Outcome::Open("its signature has not the length that its key gives; it was masked or cut off");
    }
    match key.accepts(&header.alg, text.as_bytes(), &signature) {
        Some(true) => Outcome::Valid,
        Some(false) => Outcome::Invalid,
        None => Outcome::Open("signatures with its alg are not verified"),
    }
}

/// What a target leaves behind for verification.
#[derive(Clone, Debug)]
pub enum Proof {
    /// A compact token, out of sight.
    Token(SecretString),
    /// A key, or why it cannot be used; with its kid and thumbprint.
    Key {
        /// The key.
        key: Result<PublicKey, &'static str>,
        /// Its `kid`.
        kid: Option<String>,
    },
    /// What became of a token.
    Settled(Verdict),
}

/// What became of the signature of a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Whether it is valid; `None` when it stays open.
    pub valid: Option<bool>,
    /// The thumbprint of the key that this rests on.
    pub key: String,
    /// Why it stays open; completes "not judged: …".
    pub why: Cow<'static, str>,
}

impl Proof {
    /// Takes what a target at this place holds; `None` for decoded tokens and all other kinds.
    pub(crate) fn of(kind: TargetKind, documents: &[&Document], at: At) -> Option<Proof> {
        let cursor = documents.first()?.cursor(at.node);
        match kind {
            TargetKind::Key => {
                let kid = cursor.get("kid").and_then(Cursor::as_str).map(str::to_string);
                Some(Proof::Key { key: PublicKey::read(cursor), kid })
            }
            // A compact token comes with its file, its header and its payload.
            TargetKind::AccessToken
            | TargetKind::IdToken
            | TargetKind::RefreshToken
            | TargetKind::RegistrationToken
            | TargetKind::Token
                if documents.len() == 3 =>
            {
                Some(Proof::Token(cursor.as_str()?.into()))
            }
            _ => None,
        }
    }
}

/// The keys of a run.
struct Keys<'f> {
    all: Vec<Known<'f>>,
    by_kid: HashMap<&'f str, Vec<usize>>,
    given: bool,
}

struct Known<'f> {
    key: &'f Result<PublicKey, &'static str>,
    thumbprint: &'f str,
    /// The issuer it belongs to, comparable; `None` for a key the user vouches for, which stands for every issuer.
    issuer: Option<String>,
}

impl<'f> Keys<'f> {
    fn new(facts: &'f [Fact]) -> Self {
        let index = |name: &str| TargetKind::Key.fields().iter().position(|spec| spec.name == name);
        let (issuer, thumbprint) = (index("issuer"), index("thumbprint"));
        let text = |fact: &'f Fact, index: Option<usize>| index.and_then(|index| fact.known(index).as_text());
        let mut keys = Keys { all: vec![], by_kid: HashMap::new(), given: false };
        for fact in facts {
            let Some(Proof::Key { key, kid }) = &fact.proof else { continue };
            let issuer = text(fact, issuer).map(url::comparable);
            if issuer.is_none() && !fact.given {
                continue;
            }
            let issuer = issuer.filter(|_| !fact.given);
            if let Some(kid) = kid {
                keys.by_kid.entry(kid).or_default().push(keys.all.len());
            }
            keys.given |= fact.given;
            keys.all.push(Known { key, thumbprint: text(fact, thumbprint).unwrap_or_default(), issuer });
        }
        keys
    }

    fn of_issuer(&self, iss: &str) -> impl Iterator<Item = &Known<'f>> {
        self.all.iter().filter(move |known| known.issuer.as_deref().is_none_or(|issuer| issuer == iss))
    }

    /// The keys that may have signed a token, or why none can be told.
    fn candidates(&self, iss: &str, header: &Header) -> Result<Vec<&Known<'f>>, &'static str> {
        let found: Vec<&Known<'f>> = match &header.kid {
            Some(kid) => {
                let of_kid = self.by_kid.get(kid.as_str()).into_iter().flatten().map(|index| &self.all[*index]);
                of_kid.filter(|known| known.issuer.as_deref().is_none_or(|issuer| issuer == iss)).collect()
            }
            None => {
                let fits = |known: &&Known<'f>| known.key.as_ref().is_ok_and(|key| key.fits(&header.alg));
                self.of_issuer(iss).filter(fits).take(2).collect()
            }
        };
        match (found.len(), &header.kid) {
            (0, Some(_)) => Err("no key at hand has its kid"),
            (2.., None) => Err("it names no key, and several keys could have signed it"),
            (0, None) => Err("it names no key, and no key at hand fits its alg"),
            _ => Ok(found.into_iter().take(MAX_CANDIDATES).collect()),
        }
    }

    /// The outcome, and the thumbprint of the key it rests on.
    fn settle(&self, token: &str, header: &Header, iss: &str) -> (Outcome, String) {
        let candidates = match self.candidates(iss, header) {
            Ok(candidates) => candidates,
            Err(why) => return (Outcome::Open(why), String::new()),
        };
        let tried = candidates.iter().map(|known| match known.key {
            Ok(key) => (verify(token, key), known.thumbprint),
            Err(why) => (Outcome::Open(why), known.thumbprint),
        });
        // The best answer counts: one key that made it, then one that could not be tried.
        let rank = |outcome: Outcome| match outcome {
            Outcome::Valid => 0,
            Outcome::Open(_) => 1,
            Outcome::Invalid => 2,
        };
        let best = tried.min_by_key(|(outcome, _)| rank(*outcome));
        best.map_or((Outcome::Open("no key is at hand"), String::new()), |(outcome, key)| (outcome, key.to_string()))
    }
}

/// Verifies tokens one by one with the keys among some facts.
pub(crate) struct Verifier<'f> {
    keys: Keys<'f>,
}

impl<'f> Verifier<'f> {
    pub(crate) fn new(facts: &'f [Fact]) -> Self {
        Verifier { keys: Keys::new(facts) }
    }

    /// Is the signature of a compact token of this issuer valid? `None` when no key at hand could tell.
    pub(crate) fn verify(&self, token: &str, iss: &str) -> Option<bool> {
        let header = Header::read(token).filter(Header::asymmetric)?;
        match self.keys.settle(token, &header, &url::comparable(iss)).0 {
            Outcome::Valid => Some(true),
            Outcome::Invalid => Some(false),
            Outcome::Open(_) => None,
        }
    }
}

/// Verifies every token whose issuer's keys are among the facts, once per distinct token, fills in what rules read
/// (`signature_valid`, `verifying_key`) and wipes the tokens.
///
/// Returns the tokens that stay open, by index, with the reason. Nothing is said of a token whose issuer's keys are not
/// at hand, unless the user gave keys.
pub(crate) fn settle(facts: &mut [Fact]) -> Vec<(usize, Cow<'static, str>)> {
    let (Some(valid), Some(by)) = (field("signature_valid"), field("verifying_key")) else { return vec![] };
    verify_all(facts);
    let mut open = Vec::new();
    for (at, fact) in facts.iter_mut().enumerate() {
        let Some(Proof::Settled(verdict)) = &fact.proof else { continue };
        let Verdict { valid: outcome, key, why } = verdict.clone();
        match outcome {
            None => open.push((at, why)),
            Some(outcome) => {
                let spot = Some(fact.spot.clone());
                fact.fields.push(Kept { spot, ..Kept::derived(valid, Field::bool(outcome, None)) });
                fact.fields.push(Kept::derived(by, Field::text(key, None)));
            }
        }
    }
    open
}

/// The index of a token's field.
fn field(name: &str) -> Option<usize> {
    Token::FIELDS.iter().position(|spec| spec.name == name)
}

/// Puts what became of each token in its place, and wipes the tokens. Keys need to know their issuers by then. Those that
/// nothing is said of have no proof any more.
pub(crate) fn verify_all(facts: &mut [Fact]) {
    let Some(iss) = field("iss") else { return };
    let sealed: Vec<(usize, SecretString)> = facts
        .iter_mut()
        .enumerate()
        .filter_map(|(at, fact)| match fact.proof.take() {
            Some(Proof::Token(sealed)) => Some((at, sealed)),
            other => {
                fact.proof = other;
                None
            }
        })
        .collect();
    let keys = Keys::new(facts);
    let mut known: HashMap<[u8; 32], (Outcome, String)> = HashMap::new();
    let mut settled = Vec::new();
    for (at, token) in sealed {
        let text = token.expose_secret();
        let iss = facts[at].known(iss).as_text().map(url::comparable).unwrap_or_default();
        let Some(header) = Header::read(text).filter(Header::asymmetric) else { continue };
        // The rule on unknown key ids speaks of keys of the issuer; the user's own keys are spoken of here.
        if !keys.given && (keys.of_issuer(&iss).next().is_none() || !keys.knows(&header)) {
            continue;
        }
        let hash: [u8; 32] = Sha256::digest(text).into();
        let answer = known.entry(hash).or_insert_with(|| keys.settle(text, &header, &iss));
        settled.push((at, answer.clone()));
    }
    for (at, (outcome, key)) in settled {
        let (valid, why) = match outcome {
            Outcome::Open(why) => (None, why),
            Outcome::Valid => (Some(true), ""),
            Outcome::Invalid => (Some(false), ""),
        };
        facts[at].proof = Some(Proof::Settled(Verdict { valid, key, why: why.into() }));
    }
}

impl Keys<'_> {
    /// False when the token names a key that no key set has.
    fn knows(&self, header: &Header) -> bool {
        header.kid.as_deref().is_none_or(|kid| self.by_kid.contains_key(kid))
    }
}
