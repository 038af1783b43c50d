//! Published keys, and whether one of them made a token's signature.
//!
//! Apart from [`crate::verify`], which says "open" where services differ, this follows one software: which key it
//! takes, who decides the algorithm, and that RSA keys of 1024 bits verify as well as others.

use super::form::Parted;
use super::json::Value;
use super::raw::{AlgorithmOf, RawKey, WithoutKid};
#[cfg(feature = "verify")]
use crate::adapt::bit_length;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

/// Most keys that are tried for one token.
const MAX_TRIED: usize = 16;

/// The keys an issuer publishes.
#[derive(Clone, Debug, Default)]
pub struct KeySet {
    keys: Vec<Jwk>,
}

/// A JSON Web Key; private members are not read.
#[derive(Clone, Debug, Default)]
// Without the feature nothing is verified, and numbers and points are of no use.
#[cfg_attr(not(feature = "verify"), allow(dead_code))]
struct Jwk {
    kid: Option<String>,
    kty: Option<String>,
    alg: Option<String>,
    crv: Option<String>,
    n: Option<Vec<u8>>,
    e: Option<Vec<u8>>,
    x: Option<Vec<u8>>,
    y: Option<Vec<u8>>,
}

impl KeySet {
    /// Reads a key set or a single key. The error says what is expected.
    pub fn read(text: &str) -> Result<KeySet, String> {
        let json: serde_json::Value =
            serde_json::from_str(text).map_err(|_| "a JSON Web Key Set is expected, as a jwks_uri serves it")?;
        let keys = match (json.get("keys"), json.get("kty")) {
            (Some(serde_json::Value::Array(keys)), _) => keys.iter().map(Jwk::of_json).collect(),
            (None, Some(_)) => vec![Jwk::of_json(&json)],
            _ => return Err("a JSON Web Key Set (or one key) is expected, as a jwks_uri serves it".into()),
        };
        Ok(KeySet { keys })
    }
}

impl Jwk {
    fn of_json(json: &serde_json::Value) -> Jwk {
        Jwk::of(|name| json.get(name).and_then(serde_json::Value::as_str))
    }

    fn of_value(value: &Value) -> Option<Jwk> {
        let members = value.members()?;
        let text = |name: &str| members.iter().find(|(key, _)| key == name).and_then(|(_, value)| value.as_text());
        Some(Jwk::of(text))
    }

    fn of<'v>(text: impl Fn(&str) -> Option<&'v str>) -> Jwk {
        let owned = |name: &str| text(name).map(str::to_string);
        let bytes = |name: &str| text(name).and_then(|t| URL_SAFE_NO_PAD.decode(t.trim_end_matches('=')).ok());
        Jwk {
            kid: owned("kid"),
            kty: owned("kty"),
            alg: owned("alg"),
            crv: owned("crv"),
            n: bytes("n"),
            e: bytes("e"),
            x: bytes("x"),
            y: bytes("y"),
        }
    }

    /// The algorithm that the key says, or that its type means; `None` when that is not one.
    fn algorithm(&self) -> Option<&str> {
        match (self.alg.as_deref(), self.kty.as_deref(), self.crv.as_deref()) {
            (Some(alg), _, _) => Some(alg),
            (None, Some("RSA"), _) => Some("RS256"),
            (None, Some("EC"), Some("P-256")) => Some("ES256"),
            (None, _, _) => None,
        }
    }

    /// Whether the key made this signature; `None` when that cannot be tried here.
    #[cfg(feature = "verify")]
    fn made(&self, alg: &str, signed: &[u8], signature: &[u8]) -> Option<bool> {
        use ring::signature as sig;
        // The shortest keys each is tried with here; that says nothing about shorter ones.
        let (rsa, shortest) = match alg {
            "RS256" => (&sig::RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY, 1024),
            "RS384" => (&sig::RSA_PKCS1_2048_8192_SHA384, 2048),
            "RS512" => (&sig::RSA_PKCS1_1024_8192_SHA512_FOR_LEGACY_USE_ONLY, 1024),
            "PS256" => (&sig::RSA_PSS_2048_8192_SHA256, 2048),
            "PS384" => (&sig::RSA_PSS_2048_8192_SHA384, 2048),
            "PS512" => (&sig::RSA_PSS_2048_8192_SHA512, 2048),
            _ => return self.made_on_curve(alg, signed, signature),
        };
        // An EC key has no such numbers and so makes no such signature.
        let (Some(n), Some(e)) = (&self.n, &self.e) else { return Some(false) };
        let plain = |bytes: &[u8]| bytes.iter().copied().skip_while(|byte| *byte == 0).collect::<Vec<u8>>();
        let (n, e) = (plain(n), plain(e));
        if !(shortest..=8192).contains(&bit_length(&n)) || e.len() > 4 {
            return None;
        }
        Some(sig::RsaPublicKeyComponents { n: &n, e: &e }.verify(rsa, signed, signature).is_ok())
    }

    #[cfg(feature = "verify")]
    fn made_on_curve(&self, alg: &str, signed: &[u8], signature: &[u8]) -> Option<bool> {
        use ring::signature as sig;
        let (algorithm, size): (&'static dyn sig::VerificationAlgorithm, usize) = match alg {
            "ES256" => (&sig::ECDSA_P256_SHA256_FIXED, 32),
            "ES384" => (&sig::ECDSA_P384_SHA384_FIXED, 48),
            "EdDSA" | "Ed25519" => (&sig::ED25519, 32),
            _ => return None,
        };
        let Some(x) = &self.x else { return Some(false) };
        let point = match (&self.y, algorithm_has_y(alg)) {
            (_, false) => x.clone(),
            (None, true) => return Some(false),
            (Some(y), true) => [vec![4], padded(x, size), padded(y, size)].concat(),
        };
        Some(sig::UnparsedPublicKey::new(algorithm, point).verify(signed, signature).is_ok())
    }

    /// Without the feature nothing is tried.
    #[cfg(not(feature = "verify"))]
    fn made(&self, _: &str, _: &[u8], _: &[u8]) -> Option<bool> {
        None
    }
}

#[cfg(feature = "verify")]
fn algorithm_has_y(alg: &str) -> bool {
    alg.starts_with("ES")
}

#[cfg(feature = "verify")]
fn padded(bytes: &[u8], size: usize) -> Vec<u8> {
    [vec![0; size.saturating_sub(bytes.len())], bytes.to_vec()].concat()
}

/// What a software makes of a signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Proven {
    /// It is right, by a key from here.
    By(Origin),
    /// It could not be tried and is taken to be right.
    Assumed,
    /// It is refused; the text completes "the token …".
    Refused(String),
    /// Nobody can say from here; the text completes "the token …".
    Unsure(String),
}

/// Where the key came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// The issuer publishes it.
    Issuer,
    /// The token brought it along.
    Token,
    /// There is none: the token is unsigned.
    None,
}

impl Origin {
    /// The word in expressions (`key_origin`).
    pub(super) fn name(self) -> &'static str {
        match self {
            Origin::Issuer => "issuer",
            Origin::Token => "token",
            Origin::None => "none",
        }
    }
}

/// Finds the key as this software does and verifies with it. The header is as the software reads it.
pub(super) fn prove(how: &RawKey, keys: Option<&KeySet>, header: &Value, parted: &Parted<'_>) -> Proven {
    let member = |name: &str| {
        let members = header.members().unwrap_or_default();
        members.iter().find(|(key, _)| key == name).map(|(_, value)| value)
    };
    let Some(named) = member("alg").and_then(Value::as_text) else { return refused("has no `alg`") };
    let alg = how.verified_as.iter().find(|alias| alias.alg == named).map_or(named, |alias| alias.like.as_str());
    if how.embedded {
        match (member("x5c"), member("jwk")) {
            (Some(Value::List(items)), _) if !items.is_empty() && items.iter().all(may_be_certificate) => {
                return Proven::Unsure("brings a certificate along, which is not read here".into());
            }
            (Some(_), _) => return refused("has an `x5c` that holds no certificate"),
            (None, Some(jwk)) => return embedded(how, jwk, alg, parted),
            (None, None) => {}
        }
    }
    let kid = member("kid").and_then(Value::as_text).unwrap_or_default();
    let unsigned_passes = how.unsigned && alg == "none";
    if how.without_kid == WithoutKid::NoKey && member("kid").is_none() {
        return match unsigned_passes && parted.signature.is_empty() {
            true => Proven::By(Origin::None),
            false => refused("names no key (`kid`)"),
        };
    }
    if kid.is_empty() && how.without_kid == WithoutKid::Unknown {
        return Proven::Unsure("names no key (`kid`), and what it does then was not looked at".into());
    }
    let Some(keys) = keys else {
        return if unsigned_passes { unsigned(parted) } else { assumed(how, named, alg, kid) };
    };
    match candidates(how, keys, kid) {
        Err(why) => refused(why),
        Ok(_) if unsigned_passes => unsigned(parted),
        Ok(candidates) => tried(how, &candidates, alg, parted),
    }
}

/// What can be said without the issuer's keys.
fn assumed(how: &RawKey, named: &str, alg: &str, kid: &str) -> Proven {
    let readable = |kty: &str| how.types.iter().any(|known| known == kty);
    if natural(named).is_some_and(|kty| !readable(kty)) {
        return Proven::Refused(format!("has `alg` {named:?}, and keys for that are not read there"));
    }
    if !how.algorithms.iter().any(|known| known == alg) {
        return Proven::Refused(format!("has `alg` {alg:?}, which is not verified there"));
    }
    match kid.is_empty() && how.without_kid == WithoutKid::OnlyKey {
        true => Proven::Unsure(
            "names no key (`kid`), which is refused when its issuer publishes several; say which with --keys".into(),
        ),
        false => Proven::Assumed,
    }
}

/// The published keys that are tried; the error completes "the token …".
fn candidates<'k>(how: &RawKey, keys: &'k KeySet, kid: &str) -> Result<Vec<&'k Jwk>, &'static str> {
    let readable = |key: &&Jwk| key.kty.as_ref().is_some_and(|kty| how.types.contains(kty));
    let found: Vec<&Jwk> = match (kid.is_empty(), how.without_kid) {
        (true, WithoutKid::OnlyKey) if keys.keys.len() != 1 => {
            return Err("names no key (`kid`), and its issuer publishes several");
        }
        (true, WithoutKid::OnlyKey | WithoutKid::Any | WithoutKid::Unknown) => {
            keys.keys.iter().filter(readable).take(MAX_TRIED).collect()
        }
        (true, WithoutKid::NoKey) | (false, _) => {
            // Unreadable keys are left out where the header decides, and are found and then refused where the key does.
            let named = |key: &&Jwk| key.kid.as_deref().unwrap_or_default() == kid;
            let usable = |key: &&Jwk| how.algorithm_of == AlgorithmOf::Key || readable(key);
            keys.keys.iter().filter(named).filter(usable).take(1).collect()
        }
    };
    match found.is_empty() {
        true => Err("names a key (`kid`) that its issuer does not publish, or not in a form that is read there"),
        false => Ok(found),
    }
}

/// True for base64 of what begins like a certificate (a sequence in DER).
fn may_be_certificate(item: &Value) -> bool {
    use base64::engine::general_purpose::STANDARD;
    item.as_text().and_then(|text| STANDARD.decode(text).ok()).is_some_and(|bytes| bytes.starts_with(&[0x30]))
}

/// The type of key that an algorithm is meant for.
fn natural(alg: &str) -> Option<&'static str> {
    match alg {
        alg if alg.starts_with("RS") || alg.starts_with("PS") => Some("RSA"),
        alg if alg.starts_with("ES") => Some("EC"),
        "EdDSA" | "Ed25519" => Some("OKP"),
        _ => None,
    }
}

fn tried(how: &RawKey, candidates: &[&Jwk], alg: &str, parted: &Parted<'_>) -> Proven {
    let supported = |alg: &str| how.algorithms.iter().any(|known| known == alg);
    let mut open = false;
    for key in candidates {
        match how.algorithm_of {
            AlgorithmOf::Key => match key.algorithm() {
                Some(of_key) if !supported(of_key) => {
                    return Proven::Refused(format!("names a key for {of_key:?}, which is not verified there"));
                }
                None => return refused("names a key of a type that is not read there"),
                Some(of_key) if of_key != alg => {
                    return Proven::Refused(format!("has `alg` {alg:?}, and its key is for {of_key:?}"));
                }
                Some(_) => {}
            },
            AlgorithmOf::Header if !supported(alg) => {
                return Proven::Refused(format!("has `alg` {alg:?}, which is not verified there"));
            }
            AlgorithmOf::Header => {}
        }
        match key.made(alg, parted.signed.as_bytes(), &parted.signature) {
            Some(true) => return Proven::By(Origin::Issuer),
            Some(false) => {}
            None => open = true,
        }
    }
    if open { Proven::Assumed } else { refused("has a signature that is not by its key") }
}

fn embedded(how: &RawKey, jwk: &Value, alg: &str, parted: &Parted<'_>) -> Proven {
    let key = Jwk::of_value(jwk).filter(|key| key.kty.as_ref().is_some_and(|kty| how.types.contains(kty)));
    let Some(key) = key else { return refused("brings a key along (`jwk`) that is not read there") };
    if how.unsigned && alg == "none" {
        return unsigned(parted);
    }
    match tried(how, &[&key], alg, parted) {
        Proven::By(_) => Proven::By(Origin::Token),
        other => other,
    }
}

fn unsigned(parted: &Parted<'_>) -> Proven {
    match parted.signature.is_empty() {
        true => Proven::By(Origin::None),
        false => refused("says it is unsigned and has a signature"),
    }
}

fn refused(why: &str) -> Proven {
    Proven::Refused(why.into())
}

#[cfg(all(test, feature = "verify"))]
mod tests {
    use super::KeySet;
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

    /// A key of 1024 bits and what it made of a text; its private half is gone.
    const SMALL: &str = "4J-6HUBnBLY0l5KJN1z5SQDEsedLTzE4UF9_i2ONMT-GHWjv7iyBnWczdubo7oltbwVteuR_tJ6nGRFEILnj6QMOlxcdDeBzVktI\
                         SQJlTbw-DPyBBvFQH58LcIn2I2fN3_pbQ-SG99E64Je6ksSe3WLcMdTeyeDPEr4BLEue19s";
    const MADE: [(&str, &str); 5] = [
        (
            "RS256",
            "VCffk8fmCOtMWA3JgNJgYw4ATnnhZuRjHfOxNqvDsNdGf2YV95g55-2BAoceuOqJp8OJfyoSIAyPtx6BkRJ4g-\
             HLBjL-HIntivuuhOSlNhOlJc-OGjSMXV65-dXZVjypqIG_TIe5xgVwryH6cEIOlLs_UXnuYCqbR3zCv-zVljk",
        ),
        (
            "RS384",
            "y5Ei0uzeppC0Ye-meObpwP81muoYzp3tc0wVXqty03J6OCXOoCREJ1IJWYrL6nfhlEG2j-sGBSPiLw2STCkSae\
             kSgv9Qe6kQn-BU1kDBxtGmxdB6tf8ZQ33usTwh4GxV92_-HnKDZlf41kAgX7hUd62J8cKUX5F7f4iu8S6rmLA",
        ),
        (
            "RS512",
            "3RBC2DL5MkHMwCbnNvBtZv-mBiTSZBHtKWnaElpzR3b3mBlo8myjMK4ltYXywS7YuUkbWLsI8PuL_rPpNAgXDy\
             YJmNOjkJT7lnTI6a3vX6sAQjuy6PPb3uQmLgihRXHtTB0F9lTwkmyRtML5LAbFqtb9Is303HQnmKYD-y6w0mE",
        ),
        (
            "PS256",
            "O2tw35lzbmSpCLGzwHf0xzp-lpSEWj98P4AfyrQDpuiqDQurLm6YFhZhA7Q0gqxk8Mt0f7z5RSUO1GbcZLDLt6\
             usM0nyxriqq8McX5uLylArSvw0xRQwTQshDSYWnle4mZZUnPUCobo9W-_F2y_KFyoynl5bvAyQCh5_Blf_GKQ",
        ),
        (
            "PS384",
            "NYMhYsozNFnySLOJqlQEr2ePfsStuexSi7DeB3VjOOwrxuAVF5pHTqblUYZo8SrIXpYSybDH5gpCB4cWxvshbW\
             N0Jzba2f1HwGQls0QNfTNosm7fHgUmk4b70CBS2NUhW3RziR1RMUoRhp5HxplY0cINYF_g8VEcDj7iv4syYZM",
        ),
    ];

    #[test]
    fn a_good_signature_of_a_short_key_is_never_called_wrong() {
        for written in [SMALL.to_string(), format!("AAAA{SMALL}")] {
            let set = format!(r#"{{"kty":"RSA","e":"AQAB","n":"{written}"}}"#);
            let key = &KeySet::read(&set).expect("a key").keys[0];
            for (alg, signature) in MADE {
                let signature = URL_SAFE_NO_PAD.decode(signature).expect("base64url");
                // What cannot be tried with such a key here is not known; what can be is told apart.
                let expected = ["RS256", "RS512"].contains(&alg).then_some(true);
                assert_eq!(key.made(alg, b"header.claims", &signature), expected, "{alg}");
                assert_eq!(key.made(alg, b"header.others", &signature), expected.map(|_| false), "{alg}");
            }
        }
    }
}
