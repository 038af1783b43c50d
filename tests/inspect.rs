//! `tokenvet inspect` as users run it. No token here is signed: the third part is a marked text.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What must never come out, decoded.
const CANARY: &str = "test signature, not real: canary 4711 canary 0815";
const NOW: &str = "2025-11-22T05:00:00Z";
/// NOW in seconds since 1970.
const SECONDS: i64 = 1_763_787_600;

fn encode(text: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(text)
}

fn compact(header: &str, payload: &str) -> String {
    format!("{}.{}.{}", encode(header), encode(payload), encode(CANARY))
}

fn header() -> Value {
    json!({"kid": "rsa1", "alg": "RS256"})
}

/// The payload of a WLCG access token that lives an hour from NOW.
fn payload() -> Value {
    json!({"wlcg.ver": "1.0", "iss": "https://iam.example.org/", "sub": "6d3fb4a7-52cb-4f47-8f4e-1c1f2f0d9b11",
        "aud": "https://se.example.org", "iat": SECONDS, "nbf": SECONDS, "exp": SECONDS + 3600, "jti": "id-1",
        "scope": "storage.read:/ storage.create:/data", "client_id": "85e6f7a5"})
}

/// The token of `payload` with some claims replaced; null takes a claim out.
fn token(changes: &Value) -> String {
    let mut claims = payload();
    for (name, value) in changes.as_object().expect("an object") {
        match value {
            Value::Null => claims.as_object_mut().expect("an object").remove(name),
            value => claims.as_object_mut().expect("an object").insert(name.clone(), value.clone()),
        };
    }
    compact(&header().to_string(), &claims.to_string())
}

struct Ran {
    code: i32,
    out: String,
    err: String,
}

/// Runs the binary in an environment without tokens.
struct Run {
    command: Command,
    stdin: String,
}

impl Run {
    fn new(args: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tokenvet"));
        command.args(args).args(["--now", NOW]);
        for name in ["BEARER_TOKEN", "BEARER_TOKEN_FILE", "XDG_RUNTIME_DIR", "COLUMNS", "CLICOLOR_FORCE"] {
            command.env_remove(name);
        }
        Run { command, stdin: String::new() }
    }

    fn env(mut self, name: &str, value: impl AsRef<std::ffi::OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    fn stdin(mut self, text: impl Into<String>) -> Self {
        self.stdin = text.into();
        self
    }

    /// Runs, and looks for the canary in everything that came out.
    fn run(mut self) -> Ran {
        let piped = self.command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = piped.spawn().expect("the binary starts");
        // The program may end without reading.
        let _ = child.stdin.take().expect("piped").write_all(self.stdin.as_bytes());
        let output = child.wait_with_output().expect("the binary ends");
        let ran = Ran {
            code: output.status.code().expect("no signal"),
            out: String::from_utf8(output.stdout).expect("UTF-8"),
            err: String::from_utf8(output.stderr).expect("UTF-8"),
        };
        no_canary(&ran);
        ran
    }
}

/// No window of 12 characters of the signature, in any spelling it might come out in.
fn no_canary(ran: &Ran) {
    let hex: String = CANARY.bytes().map(|byte| format!("{byte:02x}")).collect();
    let reversed: String = encode(CANARY).chars().rev().collect();
    for spelling in [CANARY.to_string(), encode(CANARY), STANDARD.encode(CANARY), hex, reversed] {
        let characters: Vec<char> = spelling.chars().collect();
        for window in characters.windows(12) {
            let window: String = window.iter().collect();
            assert!(!ran.out.contains(&window) && !ran.err.contains(&window), "{window}\n{}\n{}", ran.out, ran.err);
        }
    }
}

fn inspect(text: &str) -> Ran {
    Run::new(&["inspect", "-"]).stdin(text).run()
}

fn inspect_json(text: &str) -> Value {
    let ran = Run::new(&["inspect", "-", "--format", "json"]).stdin(text).run();
    serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error}: {} {}", ran.out, ran.err))
}

fn verdict<'j>(token: &'j Value, profile: &str) -> &'j Value {
    let rows = token["verdicts"].as_array().expect("a list");
    rows.iter().find(|row| row["profile"] == profile).unwrap_or_else(|| panic!("no row for {profile}: {rows:?}"))
}

fn file(folder: &Path, name: &str, text: &str, mode: u32) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, text).expect("written");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).expect("set");
    path
}

#[test]
fn a_good_token_is_explained_claim_by_claim() {
    let ran = inspect(&token(&json!({"colour": "blue"})));
    assert_eq!(ran.code, 0, "{}", ran.out);
    for part in [
        "access token from <stdin>",
        "access token: has scope and client_id",
        "wlcg@1.3 (the token carries wlcg.ver)",
        "2025-11-22T06:00:00Z, expires in 1 h",
        "read everything of this VO",
        "create files and folders below /data of this VO",
        "not defined by any known profile",
        "WLCG-TOK-006",
        "characters, not verified and not shown",
    ] {
        assert!(ran.out.contains(part), "{part} in\n{}", ran.out);
    }
    assert!(ran.out.lines().all(|line| line.chars().count() <= 100), "{}", ran.out);
    assert!(ran.out.lines().all(|line| line == line.trim_end()), "{}", ran.out);
}

#[test]
fn every_shipped_profile_that_judges_such_tokens_has_a_row() {
    let report = inspect_json(&token(&json!({})));
    let profiles: Vec<&str> = report["tokens"][0]["verdicts"]
        .as_array()
        .expect("rows")
        .iter()
        .filter_map(|row| row["profile"].as_str())
        .collect();
    for profile in
        ["wlcg@1.0", "wlcg@1.1", "wlcg@1.2", "wlcg@1.3", "rfc8725@1", "rfc9068@1", "aarc-g081@1", "scitokens@2.0"]
    {
        assert!(profiles.contains(&profile), "{profile} in {profiles:?}");
    }
    let id = compact(
        r#"{"alg":"RS256","kid":"k"}"#,
        &json!({"iss": "https://i.example", "sub": "s", "aud": "c", "nonce": "n",
        "iat": SECONDS, "exp": SECONDS + 600})
        .to_string(),
    );
    let report = inspect_json(&id);
    assert_eq!(report["tokens"][0]["kind"], "id-token");
    assert!(verdict(&report["tokens"][0], "oidc-core@1")["why"].is_string());
}

#[test]
fn lifetimes_are_judged_by_each_version_as_its_table_says() {
    // Lifetime in seconds (from nbf; iat 60 s later for backdated ones); errors under 1.0 and under 1.3; remark.
    for (lifetime, old, new, remark) in [
        (3600, 0, 0, "an hour is fine everywhere"),
        (21_599, 0, 0, "1.0 wants less than six hours"),
        (21_600, 1, 0, "1.0 excludes the bound, 1.3 includes it"),
        (21_660, 1, 0, "a minute of backdating is allowed from 1.1 on"),
        (21_661, 1, 1, "beyond six hours and a minute"),
        (345_600, 1, 1, "four days"),
    ] {
        let claims = json!({"nbf": SECONDS - 60, "iat": SECONDS, "exp": SECONDS - 60 + lifetime});
        let report = inspect_json(&token(&claims));
        let token = &report["tokens"][0];
        assert_eq!(verdict(token, "wlcg@1.0")["errors"], old, "{lifetime}: {remark}");
        assert_eq!(verdict(token, "wlcg@1.3")["errors"], new, "{lifetime}: {remark}");
    }
}

#[test]
fn claims_are_demanded_as_the_token_table_says() {
    // Claim taken out or replaced; does wlcg@1.3 then find an error; remark.
    for (claim, value, error, remark) in [
        ("sub", Value::Null, true, "required"),
        ("exp", Value::Null, true, "required"),
        ("iss", Value::Null, true, "required"),
        ("aud", Value::Null, true, "required"),
        ("iat", Value::Null, true, "required"),
        ("jti", Value::Null, true, "required"),
        ("wlcg.ver", Value::Null, true, "required"),
        ("nbf", Value::Null, false, "optional"),
        ("client_id", Value::Null, false, "not of the profile"),
        ("wlcg.groups", json!(["/cms"]), false, "optional"),
        ("wlcg.groups", json!(["cms"]), true, "the grammar of groups"),
        ("wlcg.ver", json!("1"), true, "two numbers with a dot"),
        ("scope", json!("storage.read"), true, "a storage scope needs a path"),
        ("colour", json!("blue"), false, "further claims are allowed"),
    ] {
        let report = inspect_json(&token(&json!({ claim: value })));
        let errors = verdict(&report["tokens"][0], "wlcg@1.3")["errors"].as_u64();
        assert_eq!(errors > Some(0), error, "{claim} {remark}: {errors:?}");
    }
    let report = inspect_json(&compact(r#"{"alg":"RS256"}"#, &payload().to_string()));
    assert_ne!(verdict(&report["tokens"][0], "wlcg@1.3")["errors"], 0, "kid is required");
}

#[test]
fn the_table_agrees_with_check() {
    let text = token(&json!({"exp": SECONDS + 90_000, "jti": null, "aud": "https://wlcg.cern.ch/jwt/v1/any"}));
    let report = inspect_json(&text);
    for row in report["tokens"][0]["verdicts"].as_array().expect("rows") {
        let profile = row["profile"].as_str().expect("text");
        if profile == "general@1" {
            continue;
        }
        let ran = Run::new(&["check", "-", "--format", "json", "--profile", profile]).stdin(text.as_str()).run();
        let checked: Value = serde_json::from_str(&ran.out).expect("json");
        let of_profile =
            checked["findings"].as_array().expect("list").iter().filter(|finding| finding["profile"] == profile);
        let severity = |name: &str| of_profile.clone().filter(|finding| finding["severity"] == name).count();
        assert_eq!(
            (row["errors"].as_u64(), row["warnings"].as_u64()),
            (Some(severity("error") as u64), Some(severity("warning") as u64)),
            "{profile}"
        );
    }
}

#[test]
fn times_are_told_from_the_clock() {
    for (changes, state, words) in [
        (json!({}), "valid", "expires in 1 h;"),
        (json!({"exp": SECONDS + 11_520}), "valid", "expires in 3 h 12 min"),
        (
            json!({"exp": SECONDS - 345_600, "nbf": SECONDS - 349_200, "iat": SECONDS - 349_200}),
            "expired",
            "expired 4 d ago",
        ),
        (json!({"nbf": SECONDS + 300}), "not-yet-valid", "begins in 5 min"),
        (json!({"exp": null}), "never-expires", "never expires"),
        (json!({"exp": (SECONDS + 3600) * 1000}), "unknown", "milliseconds"),
        (json!({"exp": "tomorrow"}), "unknown", "number of seconds"),
        (json!({"exp": 9_007_199_254_740_993_i64}), "unknown", "too large"),
    ] {
        let report = inspect_json(&token(&changes));
        let validity = &report["tokens"][0]["validity"];
        assert_eq!(validity["state"], state, "{changes}");
        assert!(validity["words"].as_str().expect("text").contains(words), "{changes}: {validity}");
    }
}

/// RFC 9449: it has no exp, and shows the key that it was signed with.
#[test]
fn a_dpop_proof_is_taken_for_what_it_is() {
    let header = r#"{"typ":"dpop+jwt","alg":"ES256","jwk":{"kty":"EC","crv":"P-256","x":"","y":""}}"#;
    let claims = json!({"jti": "j", "htm": "POST", "htu": "https://iam.example.org/token", "iat": SECONDS});
    let token = &inspect_json(&compact(header, &claims.to_string()))["tokens"][0];
    assert_eq!(token["validity"]["state"], "unknown", "{token}");
    assert!(token["validity"]["words"].as_str().unwrap().contains("good for one request"), "{token}");
    assert!(token["evidence"].as_str().unwrap().contains("a proof that goes with one request"), "{token}");
    let found: Vec<&str> =
        token["findings"].as_array().unwrap().iter().map(|found| found["rule"].as_str().unwrap()).collect();
    assert!(!found.contains(&"token-without-exp") && !found.contains(&"token-names-its-own-key"), "{found:?}");
}

#[test]
fn the_exit_code_goes_by_what_the_token_shows() {
    let too_long = token(&json!({"exp": SECONDS + 90_000}));
    // typ is missing, which only RFC 9068 minds, and the token does not claim to follow it.
    for (text, args, code) in [
        (token(&json!({})), vec![], 0),
        (token(&json!({})), vec!["--profile", "rfc9068@1"], 1),
        (too_long.clone(), vec![], 1),
        (too_long.clone(), vec!["--fail-on", "never"], 0),
        (too_long.clone(), vec!["--profile", "rfc8725@1"], 0),
        (too_long[..too_long.len() / 2].to_string(), vec![], 2),
        ("{\"issuer\": \"https://i.example\", \"jwks_uri\": \"https://i.example/jwk\"}".into(), vec![], 3),
        (String::new(), vec![], 3),
        ("hello: world".into(), vec![], 2),
        ("{\"a\":".into(), vec![], 2),
    ] {
        let ran = Run::new(&[&["inspect", "-"], args.as_slice()].concat()).stdin(text).run();
        assert_eq!(ran.code, code, "{args:?}\n{}\n{}", ran.out, ran.err);
    }
}

#[test]
fn profiles_can_be_chosen() {
    let ran = Run::new(&["inspect", "-", "--profile", "wlcg@1.0", "-f", "json"]).stdin(token(&json!({}))).run();
    let report: Value = serde_json::from_str(&ran.out).expect("json");
    let rows: Vec<&Value> =
        report["tokens"][0]["verdicts"].as_array().expect("rows").iter().map(|row| &row["profile"]).collect();
    assert_eq!(rows, ["wlcg@1.0", "general@1"]);
    assert_eq!(report["tokens"][0]["families"][0]["id"], "wlcg@1.3", "what it shows is said all the same");
}

#[test]
fn broken_tokens_are_explained_and_read_as_far_as_possible() {
    let good = token(&json!({}));
    let parts: Vec<&str> = good.split('.').collect();
    let (head, body, signature) = (parts[0], parts[1], parts[2]);
    let jwe =
        format!("{}.{signature}.{signature}.{signature}.{signature}", encode(r#"{"alg":"RSA-OAEP","enc":"A256GCM"}"#));
    for (text, problem, still, remark) in [
        (format!("{head}.{body}"), "the signature is missing", "iam.example.org", "cut off behind the payload"),
        (format!("{head}.{}", &body[..80]), "the signature is missing", "85e6f7a5", "cut off inside the payload"),
        (jwe, "encrypted token (JWE)", "A256GCM", "the header of a JWE"),
        (format!("{head}.{body}==.{signature}"), "padded", "iam.example.org", "padding"),
        (format!("{head}.!{body}.{signature}"), "character that base64url", "rsa1", "another character"),
        (format!("{head}.{body}.{signature}=="), "signature  is padded", "iam.example.org", "padding of the signature"),
        (format!("{head}.{}.{signature}", encode("[1]")), "no JSON object", "rsa1", "a payload that is no object"),
        (format!("{head}.{}.{signature}", encode("{\"a\":1,}")), "no valid JSON", "rsa1", "a trailing comma"),
        (format!("{head}.{}.{signature}", encode(b"{\"iss\":\"x\",\"a\":\"\xff\"}")), "no UTF-8", "iss", "not UTF-8"),
        (format!("{head}.{body}.{signature}.{signature}"), "4 parts", "iam.example.org", "too many parts"),
        (format!("{head}..{signature}"), "is empty", "rsa1", "no payload"),
        (format!("{head}.{}.REDACTED", &body[..81]), "shortened or redacted", "85e6f7a5", "redacted, the payload cut"),
        (
            format!("{}.{body}.xxxx", &head[..14]),
            "shortened or redacted",
            "iam.example.org",
            "redacted, the header cut",
        ),
        (format!("{head}...{}", &body[..9]), "shortened or redacted", "rsa1", "shortened with dots"),
    ] {
        let ran = inspect(&text);
        assert_eq!(ran.code, 2, "{remark}\n{}", ran.out);
        assert!(ran.out.starts_with("unreadable token"), "{remark}\n{}\n{}", ran.out, ran.err);
        let out = ran.out.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(out.contains(&problem.replace("  ", " ")), "{remark}: {problem} in\n{}", ran.out);
        assert!(out.contains(still), "{remark}: {still} in\n{}", ran.out);
        let why_not = ["JSON", "base64url", "parts,"].iter().any(|word| out.contains(word));
        assert!(problem != "shortened or redacted" || !why_not, "{remark}: nothing else is said\n{}", ran.out);
    }
}

#[test]
fn a_token_in_a_log_is_left_to_scan() {
    let good = token(&json!({}));
    for text in [
        format!("2026-01-01 GET /x?authz=Bearer%20{good} HTTP/1.1\n"),
        format!("2026-01-01\tGET\t{good}\n"),
        format!("\tat main: {good}\n"),
        format!("a: [\n\tBearer {good}\n"),
        format!("INFO\ttoken: {good}\nINFO\tdone\n"),
    ] {
        let ran = inspect(&text);
        assert!(ran.code == 2 && (ran.out.clone() + &ran.err).contains("`tokenvet scan`"), "{text}\n{}", ran.out);
        assert!(!ran.out.contains("YAML") && !ran.out.contains("unreadable token"), "{text}\n{}", ran.out);
    }
    let ran = inspect("a: [\n\tno token\n");
    assert!(ran.code == 2 && !ran.out.contains("tokenvet scan"), "{}", ran.out);
}

#[test]
fn a_signature_that_was_taken_away_is_none() {
    let good = token(&json!({}));
    let (body, _) = good.rsplit_once('.').unwrap();
    for word in ["REDACTED", "xxxx"] {
        let text = format!("{body}.{word}");
        let ran = inspect(&text);
        assert!(ran.out.contains("signature  taken away"), "{}", ran.out);
        let signature = &inspect_json(&text)["tokens"][0]["signature"];
        assert_eq!((&signature["present"], &signature["taken_away"]), (&json!(false), &json!(true)), "{word}");
    }
    assert_eq!(inspect_json(&good)["tokens"][0]["signature"]["taken_away"], false);
    assert!(inspect(&format!("{body}.")).out.contains("signature  none"));
}

#[test]
fn a_token_broken_into_lines_is_read_with_a_warning() {
    let good = token(&json!({}));
    let line = |text: &str| text.as_bytes().chunks(64).map(|line| String::from_utf8_lossy(line).into_owned()).collect();
    let lines: Vec<String> = line(&good);
    for text in [
        lines.join("\n"),
        lines.join("\r\n  "),
        format!("Bearer {}", lines.join(" ")),
        format!("\"{}\"", lines.join("\n")),
    ] {
        let ran = inspect(&text);
        assert!(ran.code == 0 && ran.out.starts_with("access token"), "{text}\n{}{}", ran.out, ran.err);
        assert!(ran.err.contains("warning: spaces or line breaks"), "{}", ran.err);
    }
    let ran = inspect(&format!("{good}\nand a remark of mine\n"));
    assert!(ran.code == 2 && ran.out.starts_with("access token"), "a remark is no part of it: {}", ran.out);
}

#[test]
fn opaque_tokens_are_not_shown_at_all() {
    for secret in
        ["opaque-0123456789-abcdefghij-0123456789-abcdefghij", "MDAxY2xvY2F0aW9uIGV4YW1wbGUtbm90LXJlYWwtbWFjYXJvb24"]
    {
        for run in [
            Run::new(&["inspect", secret]),
            Run::new(&["inspect", "-"]).stdin(secret),
            Run::new(&["inspect"]).env("BEARER_TOKEN", secret),
        ] {
            let ran = run.run();
            assert_eq!(ran.code, 2, "{}{}", ran.out, ran.err);
            assert!(ran.out.contains("unreadable token"), "{}", ran.out);
            assert!(!ran.out.contains(&secret[..12]) && !ran.err.contains(&secret[..12]), "{}{}", ran.out, ran.err);
        }
    }
}

#[test]
fn repeated_claims_are_both_shown() {
    let text = compact(
        r#"{"alg":"RS256","kid":"k"}"#,
        r#"{"iss":"https://i.example","sub":"a","scope":"x","sub":"b","exp":1763791200}"#,
    );
    let report = inspect_json(&text);
    let claims = report["tokens"][0]["payload"].as_array().expect("list");
    let subs: Vec<(&Value, &Value)> = claims
        .iter()
        .filter(|claim| claim["name"] == "sub")
        .map(|claim| (&claim["value"], &claim["repeated"]))
        .collect();
    assert_eq!(subs, [(&json!("a"), &json!(true)), (&json!("b"), &json!(true))]);
    assert!(inspect(&text).out.contains("stands more than once"));
}

#[test]
fn hostile_values_cannot_command_the_terminal() {
    let hostile = "\u{1b}]0;x\u{7}\u{202e}::error::\n::warning::x ##[error] \u{9b}31m\u{200b}";
    let text = token(&json!({"sub": hostile, "scope": format!("storage.read:/{hostile}"), "kid": hostile,
        "aud": [hostile], hostile: {"a": hostile}}));
    let broken = &text[..text.len() - 90];
    for (text, format) in [(text.as_str(), "human"), (text.as_str(), "json"), (broken, "human"), (broken, "json")] {
        let ran = Run::new(&["inspect", "-", "--format", format, "--all"]).stdin(text).run();
        for bad in ['\u{1b}', '\u{7}', '\u{202e}', '\u{9b}', '\u{200b}', '\r'] {
            assert!(!ran.out.contains(bad) && !ran.err.contains(bad), "{bad:?} in {format}");
        }
        assert!(
            !ran.out.contains("##[") && !ran.out.lines().any(|line| line.trim_start().starts_with("::")),
            "{format}"
        );
        if format == "json" {
            let report: Value = serde_json::from_str(&ran.out).expect("json");
            assert!(report["tokens"][0]["payload"].as_array().is_some_and(|claims| !claims.is_empty()));
        }
    }
}

#[test]
fn discovery_follows_its_order() {
    let folder = tempfile::tempdir().expect("a folder");
    let uid =
        std::fs::metadata(folder.path()).map(|metadata| std::os::unix::fs::MetadataExt::uid(&metadata)).expect("ours");
    let named = |sub: &str| token(&json!({"sub": sub}));
    let variable_file = file(folder.path(), "token", &format!("  {}\n", named("from-file")), 0o600);
    let runtime = file(folder.path(), &format!("bt_u{uid}"), &named("from-runtime"), 0o600);
    let all = || Run::new(&["inspect"]).env("XDG_RUNTIME_DIR", folder.path());
    let both = || all().env("BEARER_TOKEN_FILE", &variable_file);

    let ran = both().env("BEARER_TOKEN", format!("Bearer {}", named("from-variable"))).run();
    assert!(
        ran.out.contains("from-variable") && ran.err.contains("token taken from BEARER_TOKEN\n"),
        "{}{}",
        ran.out,
        ran.err
    );
    let ran = both().env("BEARER_TOKEN", "").run();
    assert!(ran.out.contains("from-file") && ran.err.contains("BEARER_TOKEN_FILE"), "{}{}", ran.out, ran.err);
    let ran = all().run();
    assert!(ran.out.contains("from-runtime") && ran.err.contains(&format!("bt_u{uid}")), "{}{}", ran.out, ran.err);
    assert!(!ran.err.contains("warning"), "{}", ran.err);

    std::fs::set_permissions(&runtime, std::fs::Permissions::from_mode(0o644)).expect("set");
    assert!(all().run().err.contains("open to other users (mode 644)"));

    let ran = all().env("BEARER_TOKEN_FILE", folder.path().join("missing")).run();
    assert_eq!(ran.code, 2, "a variable that is set settles it: {}", ran.out);

    std::fs::remove_file(runtime).expect("removed");
    if !Path::new(&format!("/tmp/bt_u{uid}")).exists() {
        let ran = all().run();
        assert_eq!(ran.code, 3, "{}{}", ran.out, ran.err);
        assert!(ran.err.contains("BEARER_TOKEN") && ran.out.is_empty(), "{}", ran.err);
    }
}

#[test]
fn a_token_as_argument_works_with_a_warning() {
    let jwt = token(&json!({}));
    let quoted = format!("'Bearer {jwt}' ");
    for args in [
        vec!["inspect", jwt.as_str()],
        vec!["inspect", quoted.as_str()],
        vec!["inspect", "Authorization:", "Bearer", jwt.as_str()],
        vec![jwt.as_str()],
    ] {
        let ran = Run::new(&args).run();
        assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
        assert!(ran.err.contains("warning") && ran.err.contains("ps"), "{}", ran.err);
        assert!(ran.out.starts_with("access token from <argument>"), "{}", ran.out);
    }
    assert!(!inspect(&jwt).err.contains("warning"));
}

#[test]
fn misplaced_tokens_are_not_repeated_by_errors() {
    let jwt = token(&json!({}));
    for args in [
        vec!["inspect", "--nth", jwt.as_str()],
        vec!["inspect", "--profile", jwt.as_str(), "-"],
        vec!["inspect", "--format", jwt.as_str()],
        vec!["explain", "a", jwt.as_str()],
        vec!["inspect", "no-such-file", jwt.as_str(), "x"],
    ] {
        let ran = Run::new(&args).run();
        assert_eq!(ran.code, 2, "{}{}", ran.out, ran.err);
    }
}

#[test]
fn files_with_several_tokens_are_shown_one_by_one() {
    let (one, two) = (token(&json!({"sub": "subject-1"})), token(&json!({"sub": "subject-2"})));
    let response = json!({"access_token": one, "refresh_token": "opaque-not-real-0123456789", "token_type": "Bearer"});
    let list = json!([{"header": header(), "payload": payload()}, {"header": header(), "payload": payload()}]);
    for (text, kinds, remark) in [
        (format!("# two\n{one}\n{two}\n"), vec!["access-token", "access-token"], "one per line"),
        (response.to_string(), vec!["access-token", "unreadable"], "a token response"),
        (list.to_string(), vec!["access-token", "access-token"], "decoded tokens"),
        (payload().to_string(), vec!["access-token"], "claims alone"),
        (format!("{one}\n{}\n", &two[..two.len() - 80]), vec!["access-token", "unreadable"], "a broken one among them"),
    ] {
        let report = inspect_json(&text);
        let seen: Vec<&Value> = report["tokens"].as_array().expect("list").iter().map(|token| &token["kind"]).collect();
        assert_eq!(seen, kinds, "{remark}");
        assert!(!report.to_string().contains("opaque-not-real"), "{remark}");
    }
    let ran = Run::new(&["inspect", "-", "--nth", "2"]).stdin(format!("{one}\n{two}\n")).run();
    assert!(
        ran.out.contains("subject-2") && !ran.out.contains("subject-1") && ran.out.contains("token 2"),
        "{}",
        ran.out
    );
    let ran = Run::new(&["inspect", "-", "--nth", "3"]).stdin(format!("{one}\n{two}\n")).run();
    assert!(ran.code == 2 && ran.err.contains("holds 2 tokens"), "{}", ran.err);
}

#[test]
fn refresh_tokens_do_not_show_their_identifier() {
    let unsigned = format!("{}.{}.", encode(r#"{"alg":"none"}"#), encode(r#"{"jti":"refresh-canary-not-real"}"#));
    let broken = format!("{}.{}", encode(r#"{"alg":"none"}"#), encode(r#"{"jti":"refresh-canary-not-real"}"#));
    for (text, kind) in [(unsigned, "refresh token"), (broken, "unreadable token")] {
        for format in ["human", "json"] {
            let ran = Run::new(&["inspect", "-", "-f", format]).stdin(text.as_str()).run();
            assert!(!ran.out.contains("refresh-canary") && !ran.err.contains("refresh-canary"), "{}", ran.out);
            assert!(format == "json" || ran.out.starts_with(kind), "{}", ran.out);
        }
    }
}

#[test]
fn secrets_inside_claims_are_hidden() {
    let inner = token(&json!({}));
    let text = token(
        &json!({"client_secret": "claim-canary-1", "cnf": {"jwk": {"kty": "EC", "x": "public", "d": "claim-canary-2"}},
        "note": format!("see {inner}"), "sub": "https://user:claim-canary-3@example.org"}),
    );
    for format in ["human", "json"] {
        let ran = Run::new(&["inspect", "-", "-f", format]).stdin(text.as_str()).run();
        assert!(!ran.out.contains("claim-canary") && ran.out.contains("public"), "{}", ran.out);
    }
}

#[test]
fn json_is_what_its_schema_says() {
    let ran = Command::new(env!("CARGO_BIN_EXE_tokenvet")).args(["schema", "inspect"]).output().expect("ran");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas/inspect.schema.json");
    let kept = std::fs::read(&path).unwrap_or_default();
    assert!(kept == ran.stdout, "schemas/inspect.schema.json is stale: UPDATE=1 cargo test rewrites it");
    let schema: Value = serde_json::from_slice(&ran.stdout).expect("json");
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    for text in [token(&json!({})), token(&json!({"exp": "x"})), "ey.broken".into(), payload().to_string()] {
        let report = inspect_json(&text);
        let errors: Vec<String> = validator.iter_errors(&report).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{errors:?}");
    }
}

#[test]
fn colour_is_used_only_when_asked_for() {
    let text = token(&json!({}));
    assert!(Run::new(&["inspect", "-", "--color", "always"]).stdin(text.as_str()).run().out.contains("\u{1b}[1m"));
    assert!(!inspect(&text).out.contains('\u{1b}'));
}

#[test]
fn what_the_token_can_do_is_shown_by_level() {
    let scopes = json!({"scope": "storage.stage:/tape storage.create:/out compute.read storage.poll:/all openid"});
    let ran = inspect(&token(&scopes));
    let page: Vec<&str> = ran.out.lines().map(str::trim_end).collect();
    for line in [
        "Can do at services of level wlcg@1.2, wlcg@1.3",
        "  /out   stat, create, make directories, rename, poll locality",
        "  /tape  stat, stage, cancel staging, release and pin, poll locality",
        "  /all   poll locality",
        "  jobs   see jobs",
        "  left to the service: list",
        "  at level wlcg@1.1 also: read /tape",
        "  at level wlcg@1.1 not: poll locality /all",
        "  at level wlcg@1.0 also: read /tape",
    ] {
        assert!(page.contains(&line), "{line}\n{}", ran.out);
    }
    let view = &inspect_json(&token(&scopes))["tokens"][0];
    assert_eq!(view["powers"][0]["levels"], json!(["wlcg@1.2", "wlcg@1.3"]));
    let allowed = view["powers"][0]["allowed"].as_array().expect("a list");
    assert!(allowed.contains(&json!({"operation": "stage", "path": "/tape"})), "{allowed:?}");
    assert!(allowed.contains(&json!({"operation": "read-jobs", "path": null})), "{allowed:?}");
    assert!(inspect_json(&token(&json!({"scope": "openid"})))["tokens"][0]["powers"] == json!([]));
    let spoilt = inspect(&token(&json!({"scope": "storage.read compute.read"})));
    assert!(spoilt.out.contains("refuse the token as a whole: storage.read has no path"), "{}", spoilt.out);
}
