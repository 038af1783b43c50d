//! `tokenvet scan` as its users meet it: tokens in logs, found wherever they stand, told apart, and never shown.

#![allow(clippy::unwrap_used, clippy::print_stdout)] // a helper that fails is a failed test; notes on what is skipped

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

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

fn scan(folder: &Path, args: &[&str], input: &[u8]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_tokenvet"))
        .current_dir(folder)
        .args(["scan", "--no-config", "--now", NOW])
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let writer = std::thread::spawn(move || {
        let _ = stdin.write_all(&input);
    });
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    output
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
    assert_eq!(output.status.code(), Some(1));
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
    for format in ["human", "json", "jsonl", "sarif", "github", "gitlab", "junit", "markdown"] {
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
fn standard_input_of_any_bytes_is_scanned() {
    let folder = tempfile::tempdir().unwrap();
    let (live, _) = access_token(60, 3);
    let mut text = vec![0xff, 0x00, b'\n'];
    text.extend_from_slice(live.as_bytes());
    text.extend_from_slice(&[b' ', 0xfe, 0x00]);
    let output = scan(folder.path(), &["-", "-f", "json"], &text);
    assert_eq!(output.status.code(), Some(1));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(leaks(&report), ["leaked-token-usable <stdin>:2:1"]);
    let clean = scan(folder.path(), &["-"], b"nothing\n");
    assert_eq!(clean.status.code(), Some(0));
    let missing = scan(folder.path(), &["no-such-file"], b"");
    assert_eq!(missing.status.code(), Some(2));
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
        ("26-iam-tokens-api-refresh-algnone.json", "leaked-refresh-token", "unsigned, and a credential all the same"),
        ("31-nginx-xrootd-token-cli.txt", "leaked-token-truncated", "cut off in the documentation"),
    ] {
        assert!(found.iter().any(|leak| leak.starts_with(rule) && leak.contains(file)), "{file}: {remark}\n{found:#?}");
    }
    for file in [
        "05-pelican-x-pelican-user-header.txt",
        "10-dcache-webdav-access.log",
        "28-iam-audit.log",
        "46-dcache-login-fail-opaque.log",
        "57-storm-webdav-access.log",
    ] {
        assert!(!found.iter().any(|leak| leak.contains(file)), "{file} holds no token\n{found:#?}");
    }
}
