//! Signatures: public test vectors, keys made here, and what the command says.
//!
//! The vectors lie beside the project (`../shared/vectors`) and are no part of it; without them the test prints a note
//! and passes.

#![cfg(feature = "verify")]
// The note about skipped vectors is for whoever runs the tests.
#![allow(clippy::print_stderr)]

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::rand::SystemRandom;
use ring::signature::{self, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokenvet::check::{Outcome as Checked, check, check_fleet};
use tokenvet::evaluate::{Adjustments, Plan, Selection};
use tokenvet::parse::{Syntax, parse};
use tokenvet::rule::RuleBook;
use tokenvet::source::Source;
use tokenvet::verify::{Outcome, PublicKey, verify};

fn shared(name: &str) -> Option<PathBuf> {
    let shared = std::env::var_os("TOKENVET_SHARED")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared"), PathBuf::from);
    let path = shared.join(name);
    if !path.is_file() {
        eprintln!("note: skipped, nothing at {}", path.display());
        return None;
    }
    Some(path)
}

fn read_key(jwk: &Value) -> Result<PublicKey, &'static str> {
    let source = Arc::new(Source::from_text("key", jwk.to_string()));
    let (documents, errors) = parse(&source, Syntax::Json);
    assert_eq!(errors, []);
    PublicKey::read(documents[0].root())
}

/// The outcome with the one key, or with every key of a set: one that accepts decides.
fn with_keys(jws: &str, keys: &Value) -> Outcome {
    let keys = keys["keys"].as_array().cloned().unwrap_or_else(|| vec![keys.clone()]);
    let tried = keys.iter().map(|key| match read_key(key) {
        Ok(key) => verify(jws, &key),
        Err(why) => Outcome::Open(why),
    });
    let tried: Vec<Outcome> = tried.collect();
    *tried.iter().find(|outcome| **outcome == Outcome::Valid).or(tried.first()).expect("a key")
}

/// The `alg` of a compact JWS; null for what is none.
fn alg(jws: &str) -> Value {
    let header = URL_SAFE_NO_PAD.decode(jws.split('.').next().unwrap_or_default()).unwrap_or_default();
    serde_json::from_slice::<Value>(&header).map_or(Value::Null, |header| header["alg"].clone())
}

#[test]
fn the_vectors_are_told_apart() {
    const VERIFIED: [&str; 8] = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384"];
    let (mut accepted, mut refused, mut open) = (0, 0, 0);
    for file in ["json_web_signature_test.json", "json_web_key_test.json", "json_web_crypto_test.json"] {
        let Some(path) = shared(&format!("vectors/wycheproof/{file}")) else { return };
        let vectors: Value = serde_json::from_str(&std::fs::read_to_string(path).expect("file")).expect("JSON");
        for group in vectors["testGroups"].as_array().expect("groups") {
            let keys = if group["public"].is_object() { &group["public"] } else { &group["private"] };
            for test in group["tests"].as_array().expect("tests") {
                let Some(jws) = test["jws"].as_str() else { continue };
                let name = format!("{file} {} {}", test["tcId"], test["comment"]);
                let valid = test["result"] == "valid";
                let public = keys["kty"] != "oct" && !keys["keys"].is_array();
                match with_keys(jws, keys) {
                    Outcome::Valid => {
                        assert!(valid, "{name}: accepted, which is wrong");
                        accepted += 1;
                    }
                    Outcome::Invalid => {
                        assert!(!valid, "{name}: refused, which is wrong");
                        refused += 1;
                    }
                    Outcome::Open(why) => {
                        // Two keys of the vectors name another algorithm than their token, which stays open here.
                        let ours = public && VERIFIED.iter().any(|name| keys["alg"] == *name && alg(jws) == *name);
                        assert!(!(valid && ours), "{name}: not judged ({why}), which is a miss");
                        open += 1;
                    }
                }
            }
        }
    }
    eprintln!("{accepted} accepted, {refused} refused, {open} open");
    assert!(accepted >= 30 && refused >= 200, "{accepted} accepted, {refused} refused, {open} open");
}

/// A signer made for one test.
enum Signer {
    P256(EcdsaKeyPair),
    P384(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

impl Signer {
    fn ecdsa(algorithm: &'static signature::EcdsaSigningAlgorithm) -> EcdsaKeyPair {
        let random = SystemRandom::new();
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(algorithm, &random).expect("a key");
        EcdsaKeyPair::from_pkcs8(algorithm, pkcs8.as_ref(), &random).expect("a key")
    }

    fn all() -> [Signer; 3] {
        let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).expect("a key");
        [
            Signer::P256(Self::ecdsa(&signature::ECDSA_P256_SHA256_FIXED_SIGNING)),
            Signer::P384(Self::ecdsa(&signature::ECDSA_P384_SHA384_FIXED_SIGNING)),
            Signer::Ed25519(Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).expect("a key")),
        ]
    }

    fn alg(&self) -> &'static str {
        match self {
            Signer::P256(_) => "ES256",
            Signer::P384(_) => "ES384",
            Signer::Ed25519(_) => "EdDSA",
        }
    }

    fn jwk(&self) -> Value {
        let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let ec = |crv: &str, pair: &EcdsaKeyPair| {
            let point = &pair.public_key().as_ref()[1..];
            let (x, y) = point.split_at(point.len() / 2);
            json!({ "kty": "EC", "crv": crv, "kid": crv, "x": encode(x), "y": encode(y) })
        };
        match self {
            Signer::P256(pair) => ec("P-256", pair),
            Signer::P384(pair) => ec("P-384", pair),
            Signer::Ed25519(pair) => {
                json!({ "kty": "OKP", "crv": "Ed25519", "kid": "Ed25519", "x": encode(pair.public_key().as_ref()) })
            }
        }
    }

    fn token(&self, claims: &Value) -> String {
        let header = json!({ "alg": self.alg(), "kid": self.jwk()["kid"] });
        let text = [header.to_string(), claims.to_string()].map(|part| URL_SAFE_NO_PAD.encode(part)).join(".");
        let signature = match self {
            Signer::P256(pair) | Signer::P384(pair) => {
                let signed = pair.sign(&SystemRandom::new(), text.as_bytes()).expect("a signature");
                signed.as_ref().to_vec()
            }
            Signer::Ed25519(pair) => pair.sign(text.as_bytes()).as_ref().to_vec(),
        };
        format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

/// The token with the first byte of its signature changed.
fn tampered(token: &str) -> String {
    let (text, signature) = token.rsplit_once('.').expect("a dot");
    let mut bytes = URL_SAFE_NO_PAD.decode(signature).expect("base64url");
    bytes[0] ^= 1;
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(bytes))
}

#[test]
fn only_the_key_that_signed_verifies() {
    let claims = json!({ "iss": "https://iam.example.org/", "sub": "test" });
    for signer in Signer::all() {
        let (key, token) = (read_key(&signer.jwk()).expect("a key"), signer.token(&claims));
        assert_eq!(verify(&token, &key), Outcome::Valid, "{}", signer.alg());
        assert_eq!(verify(&tampered(&token), &key), Outcome::Invalid, "{}", signer.alg());
        let (text, _) = token.rsplit_once('.').expect("a dot");
        let (header, _) = text.split_once('.').expect("a dot");
        let other = format!("{header}.e30.{}", token.rsplit('.').next().expect("a signature"));
        assert_eq!(verify(&other, &key), Outcome::Invalid, "other claims under the same signature");
        for cut in [format!("{text}."), format!("{text}.AAAA")] {
            assert!(matches!(verify(&cut, &key), Outcome::Open(_)), "no whole signature");
        }
    }
    let [one, ..] = Signer::all();
    let [two, three, _] = Signer::all();
    let key = |signer: &Signer| read_key(&signer.jwk()).expect("a key");
    assert_eq!(verify(&one.token(&claims), &key(&two)), Outcome::Invalid, "another key of the same kind");
    assert!(matches!(verify(&one.token(&claims), &key(&three)), Outcome::Open(_)), "a key of another kind");
}

#[test]
fn keys_that_cannot_verify_are_refused_with_a_reason() {
    let [signer, ..] = Signer::all();
    let changed = |name: &str, value: Value| {
        let mut jwk = signer.jwk();
        jwk[name] = value;
        read_key(&jwk).map(|_| ()).expect_err(name)
    };
    for (name, value, reason) in [
        ("use", json!("enc"), "not for signatures"),
        ("key_ops", json!(["encrypt"]), "not for signatures"),
        ("crv", json!("secp256k1"), "curve"),
        ("kty", json!("oct"), "type"),
        ("x", json!("?"), "RFC 7518"),
        ("x", json!(URL_SAFE_NO_PAD.encode([1; 33])), "RFC 7518"),
        ("y", Value::Null, "RFC 7518"),
    ] {
        assert!(changed(name, value.clone()).contains(reason), "{name} {value}");
    }
    let rsa = |n: usize, e: &[u8]| {
        let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        read_key(&json!({ "kty": "RSA", "n": encode(&vec![0xff; n]), "e": encode(e) })).map(|_| ())
    };
    assert_eq!(rsa(256, &[1, 0, 1]), Ok(()));
    for (n, e, remark) in [
        (255, &[1, 0, 1][..], "short"),
        (1025, &[1, 0, 1], "long"),
        (256, &[1], "exponent 1"),
        (256, &[2], "even"),
        (256, &[1, 0, 0, 0, 1], "large exponent"),
        (0, &[], "empty"),
    ] {
        assert!(rsa(n, e).is_err(), "{remark}");
    }
}

fn run(files: &[(&str, String)]) -> Checked {
    let book = Arc::new(RuleBook::builtin().expect("the built-in rules load"));
    let plan = Plan::new(book, Selection::Auto, &Adjustments::default());
    let now = 1_767_225_600;
    let mut facts = Vec::new();
    for (path, text) in files {
        let outcome = check(&plan, &Arc::new(Source::from_text(*path, text.clone())), now);
        assert!(outcome.recognised, "{path}");
        facts.extend(outcome.facts);
    }
    let shown = format!("{facts:?}");
    for (path, text) in files.iter().filter(|(_, text)| text.starts_with("ey")) {
        let signature = text.rsplit('.').next().expect("a signature");
        assert!(signature.is_empty() || !shown.contains(signature), "{path}: a signature is shown");
    }
    check_fleet(&plan, facts, now)
}

fn of<'o>(outcome: &'o Checked, rule: &str) -> (Vec<&'o str>, Vec<&'o str>) {
    let findings = outcome.findings.iter().filter(|finding| finding.rule == rule);
    let gaps = outcome.not_judged.iter().filter(|gap| gap.rule == rule);
    (findings.map(|finding| finding.path.as_str()).collect(), gaps.map(|gap| gap.why.as_str()).collect())
}

#[test]
fn a_run_verifies_the_tokens_whose_issuer_it_knows() {
    const RULE: &str = "token-signature-invalid";
    let claims = json!({ "iss": "https://iam.example.org/", "sub": "test", "scope": "storage.read:/",
        "iat": 1_767_225_000, "exp": 1_767_228_600, "jti": "test" });
    let metadata = json!({ "issuer": "https://iam.example.org/", "jwks_uri": "https://iam.example.org/jwk",
        "token_endpoint": "https://iam.example.org/token", "response_types_supported": ["code"],
        "subject_types_supported": ["public"], "id_token_signing_alg_values_supported": ["ES256"] });
    let [signer, other, _] = Signer::all();
    let token = signer.token(&claims);
    let keys = json!({ "keys": [signer.jwk()] }).to_string();
    let files = |token: &str, keys: &str| {
        vec![("t.jwt", token.to_string()), ("iam/openid.json", metadata.to_string()), ("iam/jwks.json", keys.into())]
    };
    let (findings, gaps) = (|outcome| of(outcome, RULE).0.len(), |outcome| of(outcome, RULE).1.len());
    let good = run(&files(&token, &keys));
    assert_eq!((findings(&good), gaps(&good)), (0, 0), "{:?}", good.not_judged);
    let bad = run(&files(&tampered(&token), &keys));
    assert_eq!(of(&bad, RULE).0, ["t.jwt"]);
    let text = format!("{bad:?}");
    assert!(!text.contains(token.rsplit('.').next().expect("a signature")), "no signature comes out");
    let masked = run(&files(&format!("{}.c2ln", token.rsplit_once('.').expect("a dot").0), &keys));
    assert_eq!((findings(&masked), of(&masked, RULE).1.len()), (0, 1), "a masked signature is no forgery");
    let unrelated = run(&files(&other.token(&claims), &keys));
    assert_eq!((findings(&unrelated), gaps(&unrelated)), (0, 0), "its key is not published, which another rule says");
    assert!(of(&unrelated, "token-key-not-published").0.contains(&"t.jwt"));
    let alone = run(&files(&tampered(&token), &keys)[..1]);
    assert_eq!((findings(&alone), gaps(&alone)), (0, 0), "no keys, no word");
}

/// Runs the command in a folder: exit code, standard output, standard error.
fn command(folder: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_tokenvet"));
    let fixed = ["check", "--no-config", "--now", "2026-01-01T00:00:00Z", "--color", "never"];
    let output = command.current_dir(folder).args(fixed).args(arguments).output().expect("the command runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn keys_on_the_command_line_verify_tokens_of_any_issuer() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: String| std::fs::write(folder.path().join(name), text).expect("a file");
    let claims = json!({ "iss": "https://iam.example.org/", "sub": "test", "scope": "storage.read:/",
        "iat": 1_767_225_000, "exp": 1_767_228_600, "jti": "test" });
    let [signer, other, _] = Signer::all();
    let token = signer.token(&claims);
    write("good.jwt", token.clone());
    write("bad.jwt", tampered(&token));
    write("keys.json", json!({ "keys": [signer.jwk()] }).to_string());
    write("other.json", json!({ "keys": [other.jwk()] }).to_string());
    write("no-keys.json", json!({ "issuer": "https://iam.example.org/", "jwks_uri": "x" }).to_string());
    let only = ["--only", "token-signature-invalid", "--format", "json"];
    let said = |arguments: &[&str]| {
        let (code, report, stderr) = command(folder.path(), &[arguments, &only].concat());
        let report: Value = serde_json::from_str(&report).unwrap_or_else(|_| panic!("no report: {stderr}"));
        let count = |name: &str| report[name].as_array().map_or(0, Vec::len);
        (code, count("findings"), count("not_judged"))
    };
    assert_eq!(said(&["good.jwt", "--keys", "keys.json"]), (Some(0), 0, 0));
    assert_eq!(said(&["bad.jwt", "--keys", "keys.json"]), (Some(1), 1, 0));
    assert_eq!(said(&["bad.jwt", "--keys", "other.json"]), (Some(0), 0, 1), "no key of this kid");
    assert_eq!(said(&["bad.jwt", "--keys", "other.json", "--keys", "keys.json"]), (Some(1), 1, 0));
    assert_eq!(said(&["bad.jwt"]), (Some(0), 0, 0), "without keys nothing is said");
    let (code, _, stderr) = command(folder.path(), &["good.jwt", "--keys", "no-keys.json"]);
    assert_eq!(code, Some(2));
    assert!(stderr.contains("Key Set") && stderr.contains("no-keys.json"), "{stderr}");
    let signature = token.rsplit('.').next().expect("a signature");
    let (_, report, stderr) = command(folder.path(), &["good.jwt", "bad.jwt", "--keys", "keys.json", "--all"]);
    assert!(!report.contains(&signature[2..]) && !stderr.contains(&signature[2..]), "no signature is shown");
}

#[test]
fn a_registry_on_the_command_line_adds_and_replaces() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("a file");
    let issuer = |name: &str| json!({ "iss": name, "sub": "x", "exp": 1_767_228_600, "scope": "openid" }).to_string();
    write("near.json", &issuer("https://atlice-auth.cern.ch/"));
    write("alice.json", &issuer("https://alice-auth.cern.ch/"));
    write(
        "own.yaml",
        "issuers:\n\
         - { issuer: 'https://atlice-auth.cern.ch', name: Test, class: production, source: test }\n\
         - { issuer: 'https://alice-auth.cern.ch', name: Test, class: retired, source: test }\n",
    );
    write("broken.yaml", "issuers:\n- { issuer: 'atlice', name: Test, class: production, source: test }\n");
    let fires = |rule: &str, arguments: &[&str]| {
        let (_, report, _) = command(folder.path(), &[arguments, &["--only", rule, "--format", "json"]].concat());
        let report: Value = serde_json::from_str(&report).expect("a report");
        report["findings"].as_array().is_some_and(|findings| !findings.is_empty())
    };
    assert!(fires("token-issuer-near-known", &["near.json"]));
    assert!(!fires("token-issuer-near-known", &["near.json", "--issuers", "own.yaml"]), "now it is known");
    assert!(!fires("token-of-retired-issuer", &["alice.json"]));
    assert!(
        fires("token-of-retired-issuer", &["alice.json", "--issuers", "own.yaml"]),
        "the built-in entry is replaced"
    );
    let (code, _, stderr) = command(folder.path(), &["near.json", "--issuers", "broken.yaml"]);
    assert_eq!(code, Some(2));
    assert!(stderr.contains("broken.yaml:2") && stderr.contains("absolute URL"), "{stderr}");
}
