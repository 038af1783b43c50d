//! Rows 14, 17 to 19, 21, 29, 30, 32, 34 and 35: what a report claims, what rules may do, and the clock. Rows 12, 13, 15,
//! 16, 22, 23, 25, 27, 28 and 36 are in `tests/bad_input.rs`.

use crate::common::{
    BAD_CLIENT, BAD_CLIENT_RULE, Reports, access_token, check, check_json, folder, jwt, list, rules_of, run, tokenvet,
};
use serde_json::json;
use std::net::TcpListener;
use std::time::Duration;

/// A user's rule on clients with this check.
fn rule(check: &str) -> String {
    format!(
        "id: local-check\ntitle: A local check\ntarget: client\nseverity: warning\nseverity_reason: a test\n\
         when:\n  redirect_uris: {{ present: true }}\ncheck:\n  {check}\nat: [redirect_uris]\nmessage: broken\n\
         help: Somebody changes it.\nrationale: A test.\nexamples: []\n"
    )
}

#[test]
fn row_14_both_places_of_a_repeated_key_are_named_in_every_kind_of_file() {
    let files = [
        ("header.jwt", jwt(r#"{"alg":"RS256","\u0061lg":"none"}"#, r#"{"exp":1}"#, "AAAA")),
        ("payload.jwt", jwt(r#"{"alg":"RS256"}"#, r#"{"exp":1,"\u0065xp":9999999999}"#, "AAAA")),
        ("keys.json", r#"{"keys":[{"kty":"RSA","kid":"a","n":"AQAB","e":"AQAB","kid":"b"}]}"#.into()),
        ("client.json", BAD_CLIENT.replacen('{', r#"{"client_id":"other","#, 1)),
        ("config.yaml", "issuer: https://h.example.org/dex\nstorage: {type: memory}\nweb: {http: 0.0.0.0:1}\nissuer: https://i.example.org\nstaticClients: []\n".into()),
    ];
    let folder = folder(&files);
    let report = check_json(folder.path(), &["."]);
    for (name, _) in &files {
        let found = list(&report, "findings")
            .iter()
            .find(|finding| finding["path"] == *name && finding["rule"] == "document-duplicate-key");
        let found = found.unwrap_or_else(|| panic!("{name}: {:?} {}", rules_of(&report), report["errors"]));
        assert_eq!(list(found, "related").len(), 1, "{name}: {found}");
        assert_ne!(found["region"], found["related"][0]["region"], "{name}");
    }
}

#[test]
fn row_17_no_report_claims_that_a_signature_was_verified() {
    let token =
        access_token(&json!({"iss": "https://h.example.org/", "sub": "s", "exp": 4_000_000_000u64, "wlcg.ver": "1.0"}));
    let key = r#"{"keys":[{"kty":"RSA","kid":"k1","alg":"RS256","use":"sig","n":"AQAB","e":"AQAB"}]}"#;
    let folder = folder(&[("token", token.as_str()), ("keys.json", key)]);
    let reports = Reports::of(folder.path(), &["--all", "."]);
    let inspected = run(tokenvet().current_dir(folder.path()).args(["inspect", "token"]));
    let texts = reports
        .outputs()
        .map(|(name, text)| (name.to_string(), text.to_vec()))
        .chain([("inspect".into(), inspected.stdout)]);
    for (name, text) in texts {
        let text = String::from_utf8_lossy(&text).to_lowercase().replace("not verified", "");
        for claim in
            ["signature is valid", "signature valid", "signature verified", "signature ok", "verified signature"]
        {
            assert!(!text.contains(claim), "{name} says {claim}");
        }
    }
}

#[test]
fn row_18_patterns_of_users_take_linear_time_and_have_a_size_limit() {
    let long = format!("http://h.example.org/{}!", "a".repeat(100_000));
    let client = BAD_CLIENT.replace("http://portal.example.org/cb", &long);
    for pattern in ["(a+)+$", "(a|a)*$", "(.*a){20}$", "^(([a-z])+.)+[A-Z]([a-z])+$"] {
        for check_of in [
            format!("redirect_uris: {{ not_pattern: '{pattern}' }}"),
            format!("cel: '!self.redirect_uris.exists(u, u.matches(\"{pattern}\"))'"),
        ] {
            let folder = folder(&[("client.json", client.as_str()), ("rule.yaml", &rule(&check_of))]);
            let ran = check(folder.path(), &["--rules", "rule.yaml", "--only", "local-check", "client.json"]);
            assert!(ran.took < Duration::from_secs(10) && ran.code.is_some(), "{check_of}: {:?}", ran.took);
        }
    }
    let folder = folder(&[
        ("client.json", BAD_CLIENT),
        ("rule.yaml", &rule("redirect_uris: { not_pattern: '((a{1000}){1000}){1000}' }")),
    ]);
    let ran = check(folder.path(), &["--rules", "rule.yaml", "client.json"]);
    ran.exits(2, "a pattern that would grow without bound");
    assert!(ran.took < Duration::from_secs(10));
}

#[test]
fn row_19_what_nothing_recognises_is_never_a_silent_pass() {
    let folder = folder(&[("empty/.keep", ""), ("other/readme.txt", "hello"), ("wrong/clients.txt", BAD_CLIENT)]);
    check(folder.path(), &["empty"]).exits(3, "nothing to check");
    check(folder.path(), &["other"]).exits(3, "nothing recognised");
    assert_eq!(check_json(folder.path(), &["other"])["skipped"], 1, "and counted");
    check(folder.path(), &["other/readme.txt"]).exits(2, "named, so it was meant");
    check(folder.path(), &["other/readme.txt", "--unrecognised", "skip"]).exits(3, "named, but may be skipped");
    let wrong = check_json(folder.path(), &["wrong"]);
    assert!(rules_of(&wrong).contains(&BAD_CLIENT_RULE), "content counts, not the name");
}

#[test]
fn row_21_links_out_of_a_tree_are_not_followed() {
    let folder = folder(&[("secret/client.json", BAD_CLIENT), ("tree/a.json", BAD_CLIENT)]);
    let tree = folder.path().join("tree");
    for (target, name) in
        [("../secret", "out"), ("../secret/client.json", "file.json"), (".", "self"), ("loop", "loop")]
    {
        std::os::unix::fs::symlink(target, tree.join(name)).expect("a link");
    }
    std::fs::hard_link(folder.path().join("secret/client.json"), tree.join("hard.json")).expect("a hard link");
    let report = check_json(folder.path(), &["tree"]);
    let paths: Vec<_> = list(&report, "documents").iter().filter_map(|document| document["path"].as_str()).collect();
    assert_eq!(paths, ["tree/a.json", "tree/hard.json"], "a hard link is the file itself");
    assert_eq!(report["skipped"], 4);
}

#[test]
fn row_29_rules_come_from_named_files_only() {
    let own = rule("redirect_uris: { not_pattern: 'x' }");
    let folder = folder(&[("client.json", BAD_CLIENT), ("outside/rule.yaml", &own), ("rules/.keep", "")]);
    std::os::unix::fs::symlink("../outside/rule.yaml", folder.path().join("rules/link.yaml")).expect("a link");
    std::os::unix::fs::symlink("../outside", folder.path().join("rules/folder")).expect("a link");
    let linked = check(folder.path(), &["--rules", "rules", "--only", "local-check", "client.json"]);
    linked.exits(2, "a linked rule is not loaded, so its id is unknown");
    for place in [
        "https://evil.example/rules.yaml",
        "file:///etc/passwd",
        "rules/../../../../etc/passwd",
        "/etc/passwd",
        "rules/*.yaml",
    ] {
        let ran = check(folder.path(), &["--rules", place, "client.json"]);
        ran.exits(2, place);
    }
}

#[test]
fn row_30_addresses_in_files_are_never_asked() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.set_nonblocking(true).expect("does not wait");
    let url = format!("http://{}/x", listener.local_addr().expect("an address"));
    let files = [
        (
            "client.json",
            json!({"$schema": url, "$ref": url, "client_id": "a", "client_name": "x", "jwks_uri": url, "logo_uri": url,
            "redirect_uris": [url], "sector_identifier_uri": url, "jwks": {"$ref": "file:///etc/passwd"}})
            .to_string(),
        ),
        (
            "discovery.json",
            json!({"issuer": url, "jwks_uri": url, "authorization_endpoint": url, "token_endpoint": url,
            "response_types_supported": ["code"], "grant_types_supported": ["authorization_code"]})
            .to_string(),
        ),
        (
            "token",
            jwt(&json!({"alg": "RS256", "jku": url, "x5u": url}).to_string(), &json!({"iss": url}).to_string(), "AAAA"),
        ),
        (
            "entity.xml",
            format!(
                "<!DOCTYPE properties SYSTEM \"{url}\" [<!ENTITY e SYSTEM \"{url}\">]>\n<properties><entry key=\"client_id\">&e;</entry></properties>"
            ),
        ),
        (
            "rule.yaml",
            format!("# yaml-language-server: $schema={url}\n$ref: {url}\n{}", rule("redirect_uris: { present: true }")),
        ),
    ];
    let folder = folder(&files);
    let ran = check(folder.path(), &["-f", "json", "client.json", "discovery.json", "token", "entity.xml"]);
    assert!(list(&ran.json(), "documents").len() >= 3, "{}", ran.out());
    check(folder.path(), &["--rules", "rule.yaml", "client.json"]).exits(2, "an unknown member of a rule");
    for name in ["client.json", "token"] {
        run(tokenvet().current_dir(folder.path()).args(["inspect", name]));
    }
    assert!(listener.accept().is_err(), "no connection was made");
}

#[test]
fn row_32_rules_that_would_not_end_are_stopped_with_an_error() {
    let uris: Vec<String> = (0..3000).map(|index| format!("https://h.example.org/{index}")).collect();
    let client =
        json!({"client_id": "a", "client_name": "x", "redirect_uris": uris, "grant_types": ["authorization_code"]})
            .to_string();
    let nested = |depth: usize| {
        let names = ["a", "b", "c", "d", "e", "f"];
        let open: String = names[..depth].iter().map(|name| format!("self.redirect_uris.all({name}, ")).collect();
        format!("cel: '{open}a != \"x\"{}'", ")".repeat(depth))
    };
    let folder_of = |check_of: &str| folder(&[("client.json", client.as_str()), ("rule.yaml", &rule(check_of))]);
    let long = folder_of(&nested(2));
    let report = check_json(long.path(), &["--rules", "rule.yaml", "--only", "local-check", "client.json"]);
    assert_eq!(report["summary"]["not_judged"], 1, "nine million steps are not taken, and the report says so");
    for chain in [
        format!("self{}", ".a".repeat(900)),
        format!("true{}", " && true".repeat(230)),
        format!("1{} == 1", " == 1".repeat(380)),
    ] {
        let folder = folder_of(&format!("cel: '{chain}'"));
        let ran = check(folder.path(), &["--rules", "rule.yaml", "--only", "local-check", "client.json"]);
        assert!(ran.code.is_some() && !ran.err().contains("internal error"), "{chain}: {:?} {}", ran.signal, ran.err());
    }
    for (check_of, why) in [
        (nested(3), "27 thousand million steps"),
        (nested(6), "no end in sight"),
        (format!("cel: '{}true{}'", "(".repeat(900), ")".repeat(900)), "deep brackets"),
        (format!("cel: '{}'", "!".repeat(1900) + "true"), "deep negation"),
        (format!("cel: '1{}'", " == 1".repeat(380)), "a long comparison"),
        (format!("cel: 'self{} == 1'", "[0]".repeat(600)), "a long index"),
        (format!("cel: '1{}'", " in self".repeat(230)), "a long membership"),
        (format!("cel: '1{} > 0'", " + 1".repeat(480)), "a long sum"),
        (format!("cel: '{}true{}'", "true ? ".repeat(120), " : true".repeat(120)), "stacked conditions"),
        ("cel: 'env(\"HOME\") == \"x\"'".into(), "the environment"),
        ("cel: 'read(\"/etc/passwd\") == \"x\"'".into(), "a file"),
    ] {
        let folder = folder_of(&check_of);
        let ran = check(folder.path(), &["--rules", "rule.yaml", "--only", "local-check", "client.json"]);
        ran.exits(2, why);
        assert!(ran.took < Duration::from_secs(6), "{why} took {:?}", ran.took);
    }
}

#[test]
fn row_34_one_clock_for_the_whole_run_however_odd() {
    let token = access_token(
        &json!({"iss": "https://h.example.org/", "sub": "s", "iat": 4_102_444_800u64, "exp": 253_402_300_800u64, "nbf": 0}),
    );
    let folder = folder(&[("token", token.as_str()), ("client.json", BAD_CLIENT)]);
    for (now, shown) in [
        ("1970-01-01T00:00:00Z", "1970-01-01T00:00:00Z"),
        ("1969-12-31T23:59:59Z", "1969-12-31T23:59:59Z"),
        ("2038-01-19T03:14:08Z", "2038-01-19T03:14:08Z"),
        ("2100-02-28T23:59:59+14:00", "2100-02-28T09:59:59Z"),
        ("2262-04-12T00:00:00Z", "2262-04-12T00:00:00Z"),
        ("9999-12-30T00:00:00Z", "9999-12-30T00:00:00Z"),
        ("2016-12-31T23:59:60Z", "2016-12-31T23:59:59Z"),
    ] {
        let ran = run(tokenvet().current_dir(folder.path()).args(["check", "--now", now, "-f", "json", "."]));
        ran.exits(1, now);
        assert_eq!(ran.json()["now"], shown, "the clock is printed in UTC");
    }
    for now in ["yesterday", "2026-01-01", "2026-01-01T00:00:00", "10000-01-01T00:00:00Z", "", "1700000000"] {
        let ran = run(tokenvet().current_dir(folder.path()).args(["check", "--now", now, "client.json"]));
        ran.exits(2, now);
        assert!(ran.err().contains("RFC 3339"), "{now}: {}", ran.err());
    }
}

#[test]
fn row_35_no_tolerance_is_added_to_the_clock_unasked() {
    let from = 1_800_000_000u64;
    let token = |iat: u64| {
        access_token(
            &json!({"iss": "https://h.example.org/", "sub": "s", "iat": iat, "nbf": iat, "exp": iat + 600, "scope": "storage.read:/"}),
        )
    };
    let folder = folder(&[("token", token(from))]);
    let judged = |now: &str| {
        rules_of(
            &run(tokenvet().current_dir(folder.path()).args(["check", "--now", now, "-f", "json", "token"])).json(),
        )
        .contains(&"token-from-the-future")
    };
    assert!(!judged("2027-01-15T08:00:00Z"), "at its very second it is not from the future");
    assert!(judged("2027-01-15T06:00:00Z"), "two hours before it is");
}
