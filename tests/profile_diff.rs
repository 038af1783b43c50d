//! `tokenvet profile diff` as users run it. No token here is signed: the third part is a marked text.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;
use tokenvet::diff::{Differ, Direction, Grade};
use tokenvet::rule::RuleBook;
use tokenvet::source::Source;

const NOW: &str = "2025-11-22T05:00:00Z";
/// NOW in seconds since 1970.
const SECONDS: i64 = 1_763_787_600;

/// A WLCG access token that lives an hour from NOW, with some claims replaced; null takes a claim out.
fn token(changes: &Value) -> String {
    let mut claims = json!({"wlcg.ver": "1.0", "iss": "https://iam.example.org/", "sub": "6d3fb4a7",
        "aud": "https://se.example.org", "iat": SECONDS, "nbf": SECONDS, "exp": SECONDS + 1200, "jti": "id-1",
        "scope": "storage.read:/store"});
    let members = claims.as_object_mut().expect("an object");
    for (name, value) in changes.as_object().expect("an object") {
        members.insert(name.clone(), value.clone());
    }
    members.retain(|_, value| !value.is_null());
    let encode = |text: &str| URL_SAFE_NO_PAD.encode(text);
    format!("{}.{}.{}", encode(r#"{"kid":"rsa1","alg":"RS256"}"#), encode(&claims.to_string()), encode("no signature"))
}

fn run(args: &[&str]) -> Output {
    let output = Command::new(env!("CARGO_BIN_EXE_tokenvet")).args(["profile", "diff"]).args(args).output();
    output.expect("the binary runs")
}

fn diff(args: &[&str]) -> Value {
    let output = run(&[args, &["--format", "json"]].concat());
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("json")
}

fn entry<'j>(list: &'j Value, key: &str, name: &str) -> &'j Value {
    let list = list.as_array().expect("a list");
    list.iter().find(|entry| entry[key] == name).unwrap_or_else(|| panic!("no {name} in {list:?}"))
}

#[test]
fn the_rule_books_are_laid_side_by_side() {
    let diff = diff(&["wlcg@1.0", "wlcg@1.3"]);
    assert!(diff["corpus"].is_null());
    let lifetime = entry(&diff["limits"], "name", "access_token.lifetime.max");
    assert_eq!((&lifetime["from"]["value"], &lifetime["to"]["value"]), (&json!(21600), &json!(21600)));
    assert_eq!((&lifetime["from"]["exclusive"], &lifetime["to"]["exclusive"]), (&json!(true), &json!(false)));
    assert_eq!((&lifetime["from"]["waivable"], &lifetime["to"]["waivable"]), (&json!(false), &json!(true)));
    let shortest = entry(&diff["limits"], "name", "access_token.lifetime.min");
    assert_eq!((&shortest["from"]["value"], &shortest["to"]["value"]), (&json!(300), &json!(900)));
    assert!(entry(&diff["limits"], "name", "access_token.lifetime.recommended")["to"].is_null(), "dropped by 1.1");
    assert!(entry(&diff["limits"], "name", "token.backdating.max")["from"].is_null(), "new in 1.1");
    let site = entry(&diff["rules"], "rule", "audience-is-site-name");
    assert!(site["from"].is_null() && site["to"]["severity"] == "warning", "gained: {site}");
    let recommended = entry(&diff["rules"], "rule", "token-longer-than-recommended");
    assert!(recommended["to"].is_null(), "lost: {recommended}");
    let longest = entry(&diff["rules"], "rule", "client-refresh-token-over-maximum");
    assert_eq!(longest["limit"], "refresh_token.lifetime.max");
    for (id, added, remark) in [
        ("WLCG-SCP-011", false, "staging reads no longer"),
        ("WLCG-SCP-012", true, "staging without reading"),
        ("WLCG-SCP-047", true, "host.auth"),
    ] {
        let requirement = entry(&diff["requirements"], "id", id);
        assert_eq!(requirement["added"], added, "{id}: {remark}");
        assert!(!requirement["statement"].as_str().unwrap_or_default().is_empty(), "{id} says what it demands");
    }
}

#[test]
fn a_profile_does_not_differ_from_itself_and_the_order_only_swaps_the_sides() {
    let same = diff(&["wlcg@1.2", "wlcg@1.2"]);
    for part in ["limits", "rules", "requirements"] {
        assert_eq!(same[part], json!([]), "{part}");
    }
    let (there, back) = (diff(&["wlcg@1.0", "wlcg@1.1"]), diff(&["wlcg@1.1", "wlcg@1.0"]));
    for part in ["limits", "rules"] {
        let swapped: Vec<Value> = back[part]
            .as_array()
            .expect("a list")
            .iter()
            .map(|change| {
                let mut change = change.clone();
                let from = change["from"].take();
                let to = std::mem::replace(&mut change["to"], from);
                change["from"] = to;
                change
            })
            .collect();
        assert_eq!(there[part], Value::Array(swapped), "{part}");
    }
}

/// How a token with these claims is judged under two versions: worst finding before and after, and what changes.
fn verdicts(changes: &Value, from: &str, to: &str) -> (Grade, Grade, Vec<String>) {
    let book = Arc::new(RuleBook::builtin().expect("the built-in rules load"));
    let index = |profile: &str| book.profile(profile).expect("a profile");
    let (from, to) = (index(from), index(to));
    let mut differ = Differ::new(Arc::clone(&book), from, to, SECONDS);
    let judged = differ.judge(&Arc::new(Source::from_text("token", token(changes))));
    differ.take(judged);
    let corpus = differ.finish(Some(NOW.into())).corpus.expect("files were judged");
    assert_eq!((corpus.files, corpus.targets.values().sum::<u64>(), corpus.errors.len()), (1, 1, 0));
    match corpus.changes.as_slice() {
        [] => (Grade::Ok, Grade::Ok, vec![]),
        [change] => {
            let expected = match change.from.cmp(&change.to) {
                std::cmp::Ordering::Less => Direction::Stricter,
                std::cmp::Ordering::Greater => Direction::Milder,
                std::cmp::Ordering::Equal => Direction::Same,
            };
            assert_eq!(change.direction, expected);
            (change.from, change.to, change.findings.iter().map(|finding| finding.rule.to_string()).collect())
        }
        several => panic!("one token: {several:?}"),
    }
}

/// Rows of the comparison of the releases that a token alone shows.
#[test]
fn the_same_token_gets_another_verdict() {
    use Grade::{Error, Ok, Warning};
    for (changes, from, to, before, after, rule, remark) in [
        (json!({"exp": SECONDS + 21600}), "1.0", "1.1", Error, Ok, "token-outlives-maximum", "exactly six hours"),
        (json!({"exp": SECONDS + 3600}), "1.0", "1.1", Warning, Ok, "token-longer-than-recommended", "aims at 20 min"),
        (json!({"exp": SECONDS + 600}), "1.0", "1.1", Ok, Warning, "", "below 15 min"),
        (json!({"nbf": SECONDS - 3600, "exp": SECONDS + 900}), "1.1", "1.3", Ok, Ok, "", "the same since 1.1"),
        (json!({"aud": "SITE_FOO"}), "1.0", "1.1", Ok, Warning, "audience-is-site-name", "site names"),
        (json!({"aud": "https://se.example.org/"}), "1.0", "1.3", Ok, Warning, "audience-not-normalised", "a slash"),
        (json!({"scope": "storage.read:/store"}), "1.1", "1.3", Ok, Ok, "", "a plain token"),
    ] {
        let (got_before, got_after, rules) = verdicts(&changes, &format!("wlcg@{from}"), &format!("wlcg@{to}"));
        assert_eq!((got_before, got_after), (before, after), "{remark}: {rules:?}");
        assert!(rule.is_empty() || rules.iter().any(|found| found == rule), "{remark}: {rules:?}");
        assert_eq!(rules.is_empty(), before == after, "{remark}: {rules:?}");
    }
}

#[test]
fn files_and_folders_are_judged_as_check_does() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    let write = |name: &str, text: &[u8]| std::fs::write(path(name), text).expect("written");
    write("long.jwt", token(&json!({"exp": SECONDS + 21600, "sub": "6d3fb4a7"})).as_bytes());
    write("fine.jwt", token(&json!({"sub": "85e6f7a5"})).as_bytes());
    write("notes.md", b"nothing to see");
    write("picture.png", b"\x89PNG\x00\xff");
    let root = folder.path().display().to_string();
    let args = ["wlcg@1.0", "wlcg@1.3", "--now", NOW, "--corpus", &root];
    let diff = diff(&args);
    let corpus = &diff["corpus"];
    assert_eq!((&corpus["files"], &corpus["skipped"]), (&json!(2), &json!(2)), "{corpus}");
    assert_eq!(corpus["targets"], json!({"access-token": 2}));
    let changes = corpus["changes"].as_array().expect("a list");
    let [change] = changes.as_slice() else { panic!("one token changes: {changes:?}") };
    assert_eq!(
        (&change["from"], &change["to"], &change["direction"]),
        (&json!("error"), &json!("ok"), &json!("milder"))
    );
    let finding = entry(&change["findings"], "rule", "token-outlives-maximum");
    assert_eq!((&finding["from"], &finding["to"]), (&json!("error"), &Value::Null));
    assert_eq!(finding["inner_pointer"], "/exp");
    assert_eq!(finding["region"]["start_line"], 1);
    schema(&diff);
    let human = String::from_utf8(run(&args).stdout).expect("UTF-8");
    assert!(human.contains("2 targets in 2 files") && human.contains("error → ok: access token 6d3fb4a7"), "{human}");

    let missing = path("missing").display().to_string();
    let notes = path("notes.md").display().to_string();
    let empty = tempfile::tempdir().expect("a folder").path().display().to_string();
    std::fs::create_dir(&empty).expect("made");
    for (corpus, code, says) in
        [(&missing, 2, "no such file"), (&notes, 2, "not recognised"), (&empty, 3, "0 targets in 0 files")]
    {
        let output = run(&["wlcg@1.0", "wlcg@1.3", "--corpus", corpus]);
        let out = String::from_utf8_lossy(&output.stdout);
        assert_eq!(output.status.code(), Some(code), "{corpus}: {out}");
        assert!(out.split_whitespace().collect::<Vec<_>>().join(" ").contains(says), "{corpus}: {out}");
    }
    std::fs::remove_dir(&empty).expect("removed");
    assert_eq!(run(&["wlcg@1.0", "wlcg@7"]).status.code(), Some(2), "no such profile");
}

/// The output follows the committed schema.
fn schema(output: &Value) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas/profile-diff.schema.json");
    let text = std::fs::read_to_string(path).expect("kept in the repository");
    let validator = jsonschema::validator_for(&serde_json::from_str(&text).expect("json")).expect("a schema");
    let errors: Vec<String> = validator.iter_errors(output).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{errors:?}");
}
