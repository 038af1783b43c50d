//! `tokenvet scan` as its users meet it: tokens in logs, found wherever they stand, told apart, and never shown.

#![allow(clippy::unwrap_used, clippy::print_stdout)] // a helper that fails is a failed test; notes on what is skipped

mod common;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use common::Ran;
use serde_json::Value;
use std::fs;
use std::path::Path;

const NOW: &str = "2026-01-01T00:00:00Z";
const EXP: i64 = 1_767_225_600;

/// A token with a made-up signature that no report may show.
fn token(header: &str, payload: &str, signature: &str) -> String {
    format!("{}.{}.{signature}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload))
}

fn access_token(remaining: i64, n: u32) -> (String, String) {
    let signature = format!("TestSignature{n:03}").repeat(6)[..86].to_string();
    let payload = format!(
        r#"{{"wlcg.ver":"1.0","iss":"https://vo.example.org/","sub":"s","aud":"https://se.example.org","jti":"j{n}","scope":"storage.modify:/vo","nbf":{0},"iat":{0},"exp":{1}}}"#,
        EXP + remaining - 604_800,
        EXP + remaining
    );
    (token(r#"{"alg":"ES256","kid":"k","typ":"at+jwt"}"#, &payload, &signature), signature)
}

fn scan(folder: &Path, args: &[&str], input: &[u8]) -> Ran {
    common::run_with_input(
        common::tokenvet().current_dir(folder).args(["scan", "--no-config", "--now", NOW]).args(args),
        input,
    )
}

/// `rule path:line:column` of the findings about leaks.
fn leaks(report: &Value) -> Vec<String> {
    let findings = report["findings"].as_array().unwrap().iter();
    findings
        .filter(|finding| finding["target"]["kind"] == "leak")
        .map(|finding| {
            let (path, region) = (finding["path"].as_str().unwrap(), &finding["region"]);
            let rule = finding["rule"].as_str().unwrap();
            format!("{rule} {path}:{}:{}", region["start_line"], region["start_column"])
        })
        .collect()
}

#[test]
fn an_empty_log_was_read_and_an_empty_folder_was_not() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("empty.log"), "").unwrap();
    std::fs::create_dir(folder.path().join("none")).unwrap();
    for (path, code) in [("empty.log", 0), ("-", 0), ("none", 3)] {
        scan(folder.path(), &[path], b"").exits(code, path);
    }
}

#[test]
fn every_distinct_token_is_reported_once_where_it_stands_first() {
    let folder = tempfile::tempdir().unwrap();
    let (live, secret) = access_token(3600, 1);
    let (old, old_secret) = access_token(-3600, 2);
    let refresh = token(r#"{"alg":"none"}"#, r#"{"jti":"r1"}"#, "");
    let cut = &live[..live.len() - 60];
    let log = format!(
        "start\nGET /a?authz=Bearer%20{live}&x HTTP/1.1\nGET /b?authz=Bearer%2520{}\nold {old}\n{{\"refresh_token\":\"{refresh}\"}}\n{cut}...\n",
        live.replace('.', "%2E")
    );
    fs::write(folder.path().join("a.log"), &log).unwrap();
    fs::write(folder.path().join("b.log"), format!("\n\nAuthorization: Bearer {live}\n")).unwrap();
    fs::write(folder.path().join("clean.log"), "nothing eyJ here\n").unwrap();
    let output = scan(folder.path(), &[".", "-f", "json"], b"");
    assert_eq!(output.code, Some(1));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        leaks(&report),
        [
            "leaked-token-usable a.log:2:23",
            "leaked-token-expired a.log:4:5",
            "leaked-refresh-token a.log:5:19",
            "leaked-token-truncated a.log:6:1",
        ]
    );
    let usable = report["findings"].as_array().unwrap().iter().find(|finding| finding["rule"] == "leaked-token-usable");
    let usable = usable.unwrap();
    let message = usable["message"].as_str().unwrap();
    assert!(message.contains("60 min") && message.contains("3 times in 2 files"), "{message}");
    let related: Vec<String> = usable["related"]
        .as_array()
        .unwrap()
        .iter()
        .map(|place| format!("{}:{}", place["path"].as_str().unwrap(), place["region"]["start_line"]))
        .collect();
    assert_eq!(related, ["a.log:3", "b.log:3"]);
    let region = &usable["region"];
    let (from, length) =
        (region["byte_offset"].as_u64().unwrap() as usize, region["byte_length"].as_u64().unwrap() as usize);
    assert_eq!(&log[from..from + length], live, "the region is the token's bytes");
    // The claims are judged like those of any token: this one may live as long as it does.
    assert!(report["findings"].as_array().unwrap().iter().any(|finding| finding["target"]["kind"] == "access-token"));
    for format in ["human", "json", "jsonl", "sarif", "github", "gitlab", "junit", "markdown", "html"] {
        let output = scan(folder.path(), &[".", "-f", format, "--all"], b"");
        let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        for secret in [&secret, &old_secret] {
            let shown = (0..secret.len() - 16).any(|at| text.contains(&secret[at..at + 16]));
            assert!(!shown, "{format} shows a signature");
        }
        assert!(!text.contains(&refresh[..refresh.len() - 1]), "{format} shows a refresh token");
    }
}

#[test]
fn more_places_than_are_listed_are_told_in_every_format() {
    let folder = tempfile::tempdir().unwrap();
    let (live, _) = access_token(3600, 1);
    let line = format!("Authorization: Bearer {live}\n");
    let related = || {
        let output = scan(folder.path(), &[".", "-f", "json"], b"");
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        let found =
            &report["findings"].as_array().unwrap().iter().find(|f| f["rule"] == "leaked-token-usable").unwrap();
        let place = |place: &Value| format!("{}:{}", place["path"].as_str().unwrap(), place["region"]["start_line"]);
        found["related"].as_array().unwrap().iter().map(place).collect::<Vec<_>>().join(" ")
    };
    for (name, times) in [("a.log", 3), ("b.log", 1), ("c.log", 1), ("d.log", 1)] {
        fs::write(folder.path().join(name), line.repeat(times)).unwrap();
    }
    assert_eq!(related(), "a.log:2 a.log:3 b.log:1 c.log:1 d.log:1");
    const FORMATS: [&str; 9] = ["human", "json", "jsonl", "sarif", "github", "gitlab", "junit", "markdown", "html"];
    let tells = |format: &str| {
        let output = scan(folder.path(), &[".", "-f", format], b"");
        let text = String::from_utf8_lossy(&output.stdout).replace("\n  │ ", " ");
        text.contains("at most 6 of these places are listed")
    };
    assert!(!FORMATS.into_iter().any(tells), "all six are listed");
    for name in ["e.log", "f.log", "g.log"] {
        fs::write(folder.path().join(name), &line).unwrap();
    }
    assert_eq!(related(), "b.log:1 c.log:1 d.log:1 e.log:1 f.log:1", "who cleans up must know every file");
    for format in FORMATS {
        assert!(tells(format), "{format}");
    }
}

#[test]
fn standard_input_of_any_bytes_is_scanned() {
    let folder = tempfile::tempdir().unwrap();
    let (live, _) = access_token(60, 3);
    let mut text = vec![0xff, 0x00, b'\n'];
    text.extend_from_slice(live.as_bytes());
    text.extend_from_slice(&[b' ', 0xfe, 0x00]);
    let output = scan(folder.path(), &["-", "-f", "json"], &text);
    assert_eq!(output.code, Some(1));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(leaks(&report), ["leaked-token-usable <stdin>:2:1"]);
    let clean = scan(folder.path(), &["-"], b"nothing\n");
    assert_eq!(clean.code, Some(0));
    let missing = scan(folder.path(), &["no-such-file"], b"");
    assert_eq!(missing.code, Some(2));
}

/// Tokens in every style that logs have them in, and what only looks like one: the log, and for every token how often it
/// stands there whole, and where first.
fn log_of_all_styles() -> (String, Vec<(String, u64, usize, usize)>) {
    let tokens: Vec<String> = (0..40).map(|n| access_token(if n % 2 == 0 { 3600 } else { -3600 }, n).0).collect();
    let mut log = String::new();
    let mut truth: Vec<(String, u64, usize, usize)> = Vec::new();
    for n in 0..600usize {
        let token = &tokens[n * n * 7 % 40];
        // `None` stands where there is no whole token.
        let (before, written, behind) = match n % 15 {
            0 => (" hdr=\"Authorization: Bearer ", Some(token.clone()), "\""),
            1 => ("?authz=Bearer%20", Some(token.clone()), " bytes=1"),
            2 => ("?authz=Bearer%2520", Some(token.clone()), "&xrd.wantprot=ztn"),
            3 => ("?access_token=", Some(token.replace('.', "%2E")), " HTTP/1.1"),
            4 => (",\"access_token\":\"", Some(token.clone()), "\",\"msg\":\"x\""),
            5 => ("{'Authorization': b'Bearer ", Some(token.clone()), "\\n'}"),
            6 => ("#access_token=", Some(token.clone()), "&token_type=Bearer"),
            7 => (" token=", None, "..."),
            8 => (" eyJ5d69a05d69fcab816b59a05d69fcab816b59a05d69fcab816b", None, ""),
            9 => (" data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAUAeyJhbGciOiJFUzI1NiJ9", None, ".png"),
            10 => (" ä=\u{fffd}\u{0}", Some(token.clone()), "\u{0}"),
            11 => (" grant_type=urn%3Aietf&subject_token=", Some(token.replace('.', "%252e")), "&scope=x"),
            12 => ("BearerTokenCredential[eyJh+{Hash=1234567}+maWV]", None, ""),
            13 => ("", Some(token.clone()), "."),
            _ => ("nothing here", None, ""),
        };
        let line = format!("Jan 01 00:00:00 host{n} GET /path{before}");
        match written {
            Some(written) => {
                let column = line.chars().count() + 1;
                match truth.iter_mut().find(|(known, ..)| known == token) {
                    Some((_, count, ..)) => *count += 1,
                    None => truth.push((token.clone(), 1, n + 1, column)),
                }
                log += &format!("{line}{written}{behind}\n");
            }
            None if n % 15 == 7 => log += &format!("{line}{}{behind}\n", &token[..token.len() * 2 / 3]),
            None => log += &format!("{line}{behind}\n"),
        }
    }
    (log, truth)
}

/// Messages of the findings of a rule, with their first places.
fn of_rule<'r>(report: &'r Value, rule: &str) -> Vec<(&'r str, u64, u64)> {
    let findings = report["findings"].as_array().unwrap().iter().filter(|finding| finding["rule"] == rule);
    let place = |finding: &'r Value| {
        let region = &finding["region"];
        let at = |name: &str| region[name].as_u64().unwrap();
        (finding["message"].as_str().unwrap(), at("start_line"), at("start_column"))
    };
    findings.map(place).collect()
}

#[test]
fn every_style_of_a_log_is_found_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let (log, mut truth) = log_of_all_styles();
    fs::write(folder.path().join("a.log"), &log).unwrap();
    let output = scan(folder.path(), &["a.log", "-f", "json"], b"");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let mut found = of_rule(&report, "leaked-token-usable");
    found.extend(of_rule(&report, "leaked-token-expired"));
    found.sort_by_key(|(_, line, column)| (*line, *column));
    truth.sort_by_key(|(_, _, line, column)| (*line, *column));
    assert_eq!(found.len(), truth.len());
    for ((message, line, column), (_, count, first, at)) in found.into_iter().zip(truth) {
        assert_eq!((line, column), (first as u64, at as u64), "{message}");
        let times = if count == 1 { "time" } else { "times" };
        assert!(message.contains(&format!("found {count} {times} in 1 file")), "{message}: {count} times");
    }
    let cut: u64 = of_rule(&report, "leaked-token-truncated")
        .iter()
        .map(|(message, ..)| message.split("found ").nth(1).unwrap().split(' ').next().unwrap().parse::<u64>().unwrap())
        .sum();
    assert_eq!(cut, 40, "what is cut off is said to be");
    assert_eq!(report["documents"][0]["targets"], 440, "whole ones and those that are cut off");
}

#[test]
fn what_matters_most_is_told_first() {
    let folder = tempfile::tempdir().unwrap();
    let claims = |claims: &str| token(r#"{"alg":"ES256","kid":"k"}"#, claims, &"TestSignature".repeat(7)[..86]);
    let iss = r#""iss":"https://vo.example.org/","sub":"s","client_id":"c","jti":"#;
    let reads = claims(&format!(r#"{{{iss}"r","scope":"storage.read:/vo/data","exp":{}}}"#, EXP + 273_600));
    let writes = claims(&format!(r#"{{{iss}"w","scope":"storage.modify:/vo","exp":{}}}"#, EXP + 60));
    let old = claims(&format!(r#"{{{iss}"o","scope":"storage.modify:/","exp":{}}}"#, EXP - 60));
    let refresh = token(r#"{"alg":"none"}"#, r#"{"jti":"r1"}"#, "");
    let redacted = format!("{}.REDACTED", writes.rsplit_once('.').unwrap().0);
    let log = format!("{redacted} \n{old} \n{reads} \n{}... \n{writes} \n{refresh} \n", &reads[..reads.len() - 50]);
    let output = scan(folder.path(), &["-"], log.as_bytes());
    let text = String::from_utf8(output.stdout).unwrap();
    let at = |word: &str| text.find(word).unwrap_or_else(|| panic!("{word} is missing in\n{text}"));
    let places: Vec<usize> = [6, 5, 3, 2, 4, 1].iter().map(|line| at(&format!("<stdin>:{line}:1"))).collect();
    assert!(places.is_sorted(), "refresh token, writing, reading, expired, cut off, redacted\n{text}");
    let text = text.split_whitespace().filter(|word| *word != "│").collect::<Vec<_>>().join(" ");
    assert!(text.contains("is still valid for 3 d 4 h (273600 s): start the incident procedure"), "{text}");
    assert!(text.contains("stands here without its signature; found 1 time in 1 file"), "{text}");
    // Files for programs stay in the order of places.
    let output = scan(folder.path(), &["-", "-f", "json"], log.as_bytes());
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let lines: Vec<u64> =
        report["findings"].as_array().unwrap().iter().map(|f| f["region"]["start_line"].as_u64().unwrap()).collect();
    assert!(lines.is_sorted() && lines.first() == Some(&1) && lines.last() == Some(&6), "{lines:?}");
    // Reports for people name a token by its fingerprint.
    for finding in report["findings"].as_array().unwrap().iter().filter(|f| f["target"]["kind"] == "leak") {
        let fingerprint = finding["target"]["name"].as_str().unwrap();
        assert!(fingerprint.len() == 12 && text.contains(fingerprint), "{fingerprint}");
    }
}

#[test]
fn fingerprints_with_a_key_are_others() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("key"), "0123456789abcdef0123456789abcdef\n").unwrap();
    fs::write(folder.path().join("other"), "0123456789abcdef0123456789abcdee\n").unwrap();
    fs::write(folder.path().join("short"), "0123\n").unwrap();
    let (live, _) = access_token(60, 3);
    let names = |args: &[&str]| -> Vec<String> {
        let output = scan(folder.path(), &[&["-", "-f", "json"], args].concat(), live.as_bytes());
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        let of_leaks = report["findings"].as_array().unwrap().iter().filter(|f| f["target"]["kind"] == "leak");
        of_leaks.map(|finding| finding["target"]["name"].as_str().unwrap().to_string()).collect()
    };
    let (plain, keyed) = (names(&[]), names(&["--fingerprint-key", "key"]));
    assert_eq!(keyed, names(&["--fingerprint-key", "key"]));
    assert!(plain != keyed && keyed != names(&["--fingerprint-key", "other"]), "{plain:?} {keyed:?}");
    for key in ["short", "missing"] {
        let output = scan(folder.path(), &["-", "--fingerprint-key", key], live.as_bytes());
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.code == Some(2) && said.contains("--fingerprint-key"), "{said}");
        assert!(!said.contains("0123"), "the key is not shown");
    }
}

#[test]
fn what_there_is_no_room_for_is_counted() {
    let folder = tempfile::tempdir().unwrap();
    let log: String = (0..20).map(|n| access_token(if n < 3 { 60 } else { -60 }, n).0 + "\n").collect();
    let output = scan(folder.path(), &["-", "-f", "json", "--max-tokens", "5"], log.as_bytes());
    assert_eq!(output.code, Some(1), "the exit code is that of what was judged");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(of_rule(&report, "leaked-token-usable").len(), 3, "those that can be used are kept");
    assert_eq!(of_rule(&report, "leaked-token-expired").len(), 2);
    let said = report["errors"][0]["message"].as_str().unwrap();
    assert!(said.contains("5 are reported") && said.contains("15 of 20"), "{said}");
}

#[test]
fn a_whole_token_is_reported_whatever_its_claims_look_like() {
    let header = r#"{"alg":"ES256"}"#;
    let with = |exp: &str| {
        let payload = format!(r#"{{"iss":"https://vo.example.org/","sub":"s","jti":"j","scope":"x"{exp}}}"#);
        token(header, &payload, &"TestSignature".repeat(7)[..86])
    };
    let long = token(header, &format!(r#"{{"x":"{}"}}"#, "y".repeat(60_000)), &"TestSignature".repeat(7)[..86]);
    let key = "TestKey0".repeat(40);
    let encrypted = format!(
        "{}.{key}.TestVector000000.{key}.TestTag0TestTag0TestTa",
        URL_SAFE_NO_PAD.encode(r#"{"alg":"RSA-OAEP","enc":"A256GCM"}"#)
    );
    for (written, rule, said, remark) in [
        (with(r#","exp":1767225660.5"#), "leaked-token-usable", "is still valid for 60 s", "half a second"),
        (with(r#","exp":1.76722566e9"#), "leaked-token-usable", "is still valid for 60 s", "an exponent"),
        (with(r#","exp":1767225540.5"#), "leaked-token-expired", "has expired", "half a second, before"),
        (with(r#","exp":1e300"#), "leaked-token-unread", "exp cannot be read", "further than a number goes"),
        (with(r#","exp":1e30"#), "leaked-token-unread", "exp cannot be read", "beyond all dates"),
        (with(r#","exp":1767222000000"#), "leaked-token-unread", "exp cannot be read", "milliseconds, an hour ago"),
        (with(r#","exp":1000000000,"exp":1767225660"#), "leaked-token-usable", "60 s", "the last of two counts"),
        (with(r#","nbf":4000000000,"exp":4000003600"#), "leaked-token-early", "and expires in", "it has not begun"),
        (with(""), "leaked-token-endless", "of https://vo.example.org/ never expires", "none"),
        (
            token(header, r#"{"exp":1767225660}"#, &"TestSignature".repeat(7)[..86]),
            "leaked-token-usable",
            "of an unknown issuer is still valid for",
            "it names no issuer",
        ),
        (with(r#","exp":"tomorrow""#), "leaked-token-unread", "exp cannot be read", "a text"),
        (long, "leaked-token-unread", "exp cannot be read", "too long to be read"),
        (encrypted, "leaked-secret-token", "jwe", "encrypted"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let output = scan(folder.path(), &["-", "-f", "json"], format!("Bearer {written}\n").as_bytes());
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(leaks(&report), [format!("{rule} <stdin>:1:8")], "{remark}");
        assert!(of_rule(&report, rule)[0].0.contains(said), "{remark}: {:?}", of_rule(&report, rule));
    }
}

/// RFC 9449: it goes with one request, and grants nothing by itself.
#[test]
fn a_dpop_proof_is_no_token_that_never_expires() {
    let proof = |typ: &str| {
        let header = format!(r#"{{"typ":"{typ}","alg":"ES256","jwk":{{"kty":"EC","crv":"P-256","x":"","y":""}}}}"#);
        let payload = r#"{"jti":"j","htm":"POST","htu":"https://iam.example.org/token","iat":1767225590}"#;
        token(&header, payload, &"TestSignature".repeat(7)[..86])
    };
    let folder = tempfile::tempdir().unwrap();
    let report = |typ| {
        let output = scan(folder.path(), &["-", "-f", "json"], format!("DPoP: {}\n", proof(typ)).as_bytes());
        serde_json::from_slice::<Value>(&output.stdout).unwrap()
    };
    assert_eq!(report("dpop+jwt")["findings"], serde_json::json!([]));
    assert_eq!(leaks(&report("jwt")), ["leaked-token-endless <stdin>:1:7"], "nothing else says that it is a proof");
}

#[test]
fn a_token_has_one_fingerprint_however_it_is_written() {
    let (token, _) = access_token(60, 1);
    let encoded = token.replace('.', "%2E").replace('-', "%2D").replace('_', "%5F");
    let padded = token.split('.').map(|part| format!("{part}{}", &"==="[..(4 - part.len() % 4) % 4]));
    let padded: Vec<String> = padded.collect();
    let log = format!("Bearer {token}\n?authz=Bearer%20{encoded}&x\nBearer {}\n", padded.join("."));
    let folder = tempfile::tempdir().unwrap();
    let output = scan(folder.path(), &["-", "-f", "json"], log.as_bytes());
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(leaks(&report), ["leaked-token-usable <stdin>:1:8"]);
    assert!(of_rule(&report, "leaked-token-usable")[0].0.contains("found 3 times"));
}

#[cfg(feature = "verify")]
#[test]
fn tokens_whose_signature_is_valid_are_told() {
    use ring::rand::SystemRandom;
    use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
    let dice = SystemRandom::new();
    let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
    let document = EcdsaKeyPair::generate_pkcs8(algorithm, &dice).unwrap();
    let pair = EcdsaKeyPair::from_pkcs8(algorithm, document.as_ref(), &dice).unwrap();
    let point = pair.public_key().as_ref();
    let coordinate = |from: usize| URL_SAFE_NO_PAD.encode(&point[from..from + 32]);
    let keys = serde_json::json!({"keys": [{"kty": "EC", "crv": "P-256", "kid": "k", "x": coordinate(1), "y": coordinate(33)}]});
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("keys.json"), keys.to_string()).unwrap();
    let body = |jti: &str| {
        let payload =
            format!(r#"{{"iss":"https://vo.example.org/","sub":"s","jti":"{jti}","scope":"x","exp":{}}}"#, EXP + 60);
        format!("{}.{}", URL_SAFE_NO_PAD.encode(r#"{"alg":"ES256","kid":"k"}"#), URL_SAFE_NO_PAD.encode(payload))
    };
    let signature = URL_SAFE_NO_PAD.encode(pair.sign(&dice, body("1").as_bytes()).unwrap());
    let signed = format!("{}.{signature}", body("1"));
    let unknown = signed.replace(
        &URL_SAFE_NO_PAD.encode(r#"{"alg":"ES256","kid":"k"}"#),
        &URL_SAFE_NO_PAD.encode(r#"{"alg":"ES256","kid":"z"}"#),
    );
    let altered = format!("{}.{signature}", body("2"));
    let log = format!("Bearer {signed}\nauthz=Bearer%20{signed}&\n{altered}\n{unknown}\n");
    let output = scan(folder.path(), &["-", "-f", "json", "--keys", "keys.json"], log.as_bytes());
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let said = of_rule(&report, "leaked-token-usable");
    assert_eq!(said.len(), 3);
    assert!(said[0].0.ends_with("2 times in 1 file; its signature is valid"), "{said:?}");
    assert!(said[1].0.ends_with("; no key at hand made its signature"), "{said:?}");
    assert!(said[2].0.ends_with("1 time in 1 file"), "a key that is not known: nothing is said\n{said:?}");
    // Whatever rules are asked for.
    let one_rule = ["-", "-f", "json", "--keys", "keys.json", "--only", "leaked-token-usable"];
    let output = scan(folder.path(), &one_rule, log.as_bytes());
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(of_rule(&report, "leaked-token-usable"), said);
    for format in ["json", "human", "sarif"] {
        let output = scan(folder.path(), &["-", "-f", format, "--all", "--keys", "keys.json"], log.as_bytes());
        let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert!(!(0..signature.len() - 16).any(|at| text.contains(&signature[at..at + 16])), "{format}");
    }
}

#[test]
fn real_logs_alarm_only_for_what_is_there() {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared");
    let shared = std::env::var("TOKENVET_SHARED").unwrap_or_else(|_| beside.into());
    let logs = Path::new(&shared).join("corpus/logs");
    if !logs.is_dir() {
        println!("note: the shared logs are not at hand, this check is skipped");
        return;
    }
    let output = scan(&logs, &[".", "-f", "json"], b"");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let found = leaks(&report);
    // Their signatures were taken away before they were shared, so no signed token of them can be used.
    assert!(!found.iter().any(|leak| leak.starts_with("leaked-token-usable")), "{found:#?}");
    for (file, rule, remark) in [
        ("01-pelican", "leaked-token-redacted", "in the query of an URL"),
        ("18-condor", "leaked-token-truncated", "shortened in the documentation"),
        ("21-scitokens", "leaked-token-expired", "over lines"),
        ("26-iam", "leaked-refresh-token", "unsigned, and a credential all the same"),
        ("31-nginx", "leaked-token-truncated", "cut off in the documentation"),
        ("37-dirac", "leaked-token-redacted", "in a dictionary of Python's"),
        ("39-rucio", "leaked-token-redacted", "in a dump of a database"),
        ("44-xrootd", "leaked-token-redacted", "an envelope"),
    ] {
        let expected = found.iter().any(|leak| leak.starts_with(&format!("{rule} ")) && leak.contains(file));
        assert!(expected, "{file}: {remark}\n{found:#?}");
    }
    // How many tokens each file holds, by its number in the index; the others hold none.
    const HELD: [(u32, u64); 35] = [
        (1, 1),
        (2, 1),
        (3, 1),
        (4, 1),
        (7, 4),
        (13, 1),
        (14, 2),
        (15, 3),
        (16, 1),
        (18, 2),
        (20, 1),
        (21, 1),
        (22, 2),
        (23, 2),
        (24, 1),
        (25, 1),
        (26, 1),
        (31, 1),
        (33, 3),
        (34, 8),
        (35, 9),
        (36, 1),
        (37, 5),
        (38, 2),
        (39, 2),
        (40, 2),
        (41, 2),
        (42, 2),
        (43, 1),
        (44, 1),
        (49, 2),
        (52, 2),
        (54, 2),
        (55, 1),
        (56, 2),
    ];
    for document in report["documents"].as_array().unwrap() {
        let path = document["path"].as_str().unwrap();
        let number = path.get(..2).and_then(|digits| digits.parse::<u32>().ok()).unwrap_or(0);
        let held = HELD.iter().find(|(known, _)| *known == number).map_or(0, |(_, held)| *held);
        assert_eq!(document["targets"], held, "{path}");
    }
}
