//! `tokenvet compare` as users run it. No token here is signed: the third part is a marked text.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const NOW: &str = "2025-11-22T05:00:00Z";
/// NOW in seconds since 1970.
const SECONDS: i64 = 1_763_787_600;
/// What must never come out.
const CANARY: &str = "test signature, not real: canary";

/// A WLCG access token that lives an hour from NOW, with some claims replaced; null takes a claim out.
fn token(changes: &Value) -> String {
    let mut claims = json!({"wlcg.ver": "1.0", "iss": "https://iam.example.org/", "sub": "6d3fb4a7",
        "aud": "https://se.example.org", "iat": SECONDS, "nbf": SECONDS, "exp": SECONDS + 3600, "jti": "id-1",
        "scope": "storage.read:/store"});
    let members = claims.as_object_mut().expect("an object");
    for (name, value) in changes.as_object().expect("an object") {
        members.insert(name.clone(), value.clone());
    }
    members.retain(|_, value| !value.is_null());
    let encode = |text: &str| URL_SAFE_NO_PAD.encode(text);
    let header = r#"{"kid":"rsa1","alg":"RS256"}"#;
    format!("{}.{}.{}", encode(header), encode(&claims.to_string()), encode(CANARY))
}

fn file(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, text).expect("written");
    path
}

fn run(args: &[&str]) -> Output {
    let output = Command::new(env!("CARGO_BIN_EXE_tokenvet")).args(args).args(["--now", NOW]).output();
    let output = output.expect("the binary runs");
    let all = [&output.stdout[..], &output.stderr].concat();
    let signature = URL_SAFE_NO_PAD.encode(CANARY);
    assert!(!String::from_utf8_lossy(&all).contains(&signature[..16]), "no signature comes out");
    output
}

/// Compares tokens with these claims.
fn compare(a: &Value, b: &Value) -> Value {
    let folder = tempfile::tempdir().expect("a folder");
    let (a, b) = (file(folder.path(), "a.jwt", &token(a)), file(folder.path(), "b.jwt", &token(b)));
    let (a, b) = (a.display().to_string(), b.display().to_string());
    let output = run(&["compare", &a, &b, "--format", "json"]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let human = run(&["compare", &a, &b]);
    let comparison: Value = serde_json::from_slice(&output.stdout).expect("json");
    let text: String = String::from_utf8(human.stdout).expect("UTF-8").split_whitespace().collect();
    let verdict: String = comparison["verdict"].as_str().expect("a text").split_whitespace().collect();
    assert!(text.ends_with(&verdict), "the verdict closes the page: {text}");
    comparison
}

#[test]
fn each_dimension_is_ordered_on_its_own() {
    let wildcard = "https://wlcg.cern.ch/jwt/v1/any";
    for (dimension, a, b, expected, remark) in [
        ("other_scopes", json!({"scope": "openid"}), json!({"scope": "openid offline_access"}), "less", "refreshing"),
        ("lifetime", json!({"exp": SECONDS + 7200}), json!({}), "more", "two hours against one"),
        ("lifetime", json!({"exp": null}), json!({}), "more", "no end"),
        ("lifetime", json!({"exp": "soon"}), json!({}), "unknown", "no number"),
        ("lifetime", json!({"iat": 0, "nbf": 0}), json!({}), "more", "begun long ago"),
        ("remaining", json!({"iat": 0, "nbf": 0}), json!({}), "equal", "but ends at the same time"),
        ("remaining", json!({"exp": SECONDS - 60}), json!({"exp": SECONDS - 10}), "equal", "both are over"),
        ("audience", json!({"aud": wildcard}), json!({}), "more", "every service"),
        ("audience", json!({"aud": wildcard}), json!({"aud": [wildcard, "x"]}), "equal", "more than all is all"),
        ("audience", json!({"aud": "ANY"}), json!({}), "incomparable", "a plain name for WLCG services"),
        ("audience", json!({"aud": "ANY", "wlcg.ver": null, "ver": "scitoken:2.0"}), json!({}), "more", "SciTokens"),
        ("audience", json!({"aud": ["https://se.example.org", "x"]}), json!({}), "more", "one service more"),
        ("audience", json!({"aud": "x"}), json!({}), "incomparable", "another service"),
        ("audience", json!({"aud": null}), json!({}), "unknown", "services differ"),
        ("groups", json!({"wlcg.groups": ["/cms"]}), json!({}), "more", "a group"),
        (
            "groups",
            json!({"wlcg.groups": ["/cms/uscms"]}),
            json!({"wlcg.groups": ["/cms"]}),
            "incomparable",
            "no parent",
        ),
    ] {
        let comparison = compare(&a, &b);
        assert_eq!(comparison[dimension]["relation"], expected, "{dimension}: {remark}");
        let mirrored = match expected {
            "more" => "less",
            "less" => "more",
            same => same,
        };
        assert_eq!(compare(&b, &a)[dimension]["relation"], mirrored, "{dimension}, the other way round: {remark}");
    }
}

#[test]
fn scope_power_is_a_partial_order() {
    for (a, b, expected, remark) in [
        ("storage.read:/", "storage.read:/store", json!([["wlcg@1.0..1.3", "more"]]), "the root"),
        ("storage.modify:/a", "storage.read:/a", json!([["wlcg@1.0..1.3", "incomparable"]]), "changing does not read"),
        ("storage.read:/a openid", "storage.read:/a", json!([["wlcg@1.0..1.3", "equal"]]), "no capability"),
        (
            "storage.stage:/a",
            "storage.read:/a",
            json!([["wlcg@1.2..1.3", "incomparable"], ["wlcg@1.0..1.1", "more"]]),
            "staging read until 1.1",
        ),
        ("openid", "email", json!([]), "no capabilities at all"),
        (
            "read:/a",
            "storage.read:/a",
            json!([["wlcg@1.0..1.3", "less"], ["scitokens@2.0..2.0", "more"]]),
            "each family understands its own",
        ),
    ] {
        let comparison = compare(&json!({"scope": a}), &json!({"scope": b}));
        let version = |level: &Value| level.as_str().expect("a text").split('@').nth(1).expect("@").to_string();
        let rows = comparison["scope"].as_array().expect("a list").iter().map(|row| {
            let levels = row["levels"].as_array().expect("a list");
            let (first, last) = (&levels[0], &levels[levels.len() - 1]);
            json!([format!("{}..{}", first.as_str().expect("a text"), version(last)), row["relation"]])
        });
        assert_eq!(Value::Array(rows.collect()), expected, "{a} and {b}: {remark}");
    }
}

#[test]
fn what_each_has_more_is_named() {
    let comparison = compare(
        &json!({"scope": "storage.read:/store storage.create:/out compute.create"}),
        &json!({"scope": "storage.read:/store/cms storage.stage:/tape"}),
    );
    let newest = &comparison["scope"][0];
    assert_eq!(
        newest["only_a"],
        json!([
            "/out: stat, list, create, make directories, rename, poll locality",
            "/store: read, stat, list, poll locality",
            "submit jobs"
        ])
    );
    let staging = "/tape: stat, list, stage, cancel staging, release and pin, poll locality";
    assert_eq!(newest["only_b"], json!([staging]));
}

#[test]
fn the_verdict_is_sentences_and_no_score() {
    for (a, b, verdict) in [
        (json!({}), json!({}), "A and B are equal in scope, lifetime, audience and groups"),
        (
            json!({"scope": "storage.modify:/store storage.read:/store"}),
            json!({"exp": SECONDS + 7200}),
            "A is more powerful in scope; B lives longer",
        ),
        (
            json!({"scope": "storage.stage:/store"}),
            json!({}),
            "neither is more powerful in scope at wlcg@1.2, wlcg@1.3, each allows what the other does not; \
             A is more powerful in scope at wlcg@1.0, wlcg@1.1",
        ),
        (json!({"iat": SECONDS - 60, "nbf": SECONDS - 60}), json!({}), "A lives longer"),
        (json!({"aud": null}), json!({}), "the audiences do not compare"),
    ] {
        assert_eq!(compare(&a, &b)["verdict"], verdict);
    }
    let other = compare(&json!({"iss": "https://other.example.org/"}), &json!({}));
    assert_eq!(other["caveats"], json!(["the issuers differ, so the same path means another place"]));
}

#[test]
fn tokens_come_from_files_standard_input_and_arguments() {
    let folder = tempfile::tempdir().expect("a folder");
    let one = file(folder.path(), "one.jwt", &token(&json!({}))).display().to_string();
    let response = json!({"access_token": token(&json!({})), "id_token": token(&json!({"nonce": "n", "scope": null,
        "wlcg.ver": null, "aud": "client"}))});
    let response = file(folder.path(), "response.json", &response.to_string()).display().to_string();
    let two = format!("{}\n{}\n", token(&json!({})), token(&json!({"jti": "id-2"})));
    let two = file(folder.path(), "two.jwt", &two).display().to_string();
    let none = file(folder.path(), "none.json", "{}").display().to_string();
    let argument = token(&json!({}));
    for (args, code, says) in [
        ([one.as_str(), &response], 0, ""),
        ([one.as_str(), &argument], 0, "process list"),
        (["-", "-"], 2, "only one of the two"),
        ([one.as_str(), &two], 2, "2 tokens in it"),
        ([one.as_str(), &none], 2, "no token in it"),
        ([one.as_str(), "ey.broken"], 2, "cannot be read"),
    ] {
        let output = run(&[&["compare"], &args[..]].concat());
        let err = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {err}");
        assert!(err.contains(says), "{args:?}: {err}");
    }
}

#[test]
fn the_json_form_is_described() {
    schema(&compare(&json!({"aud": null}), &json!({})));
}

/// The output follows the committed schema.
fn schema(output: &Value) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas/compare.schema.json");
    let text = std::fs::read_to_string(path).expect("kept in the repository");
    let validator = jsonschema::validator_for(&serde_json::from_str(&text).expect("json")).expect("a schema");
    let errors: Vec<String> = validator.iter_errors(output).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{errors:?}");
}
