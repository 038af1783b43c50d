//! `tokenvet whatif` as an administrator meets it who was asked to change a client.

#![allow(clippy::unwrap_used)] // a helper that fails is a failed test

use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::Command;

const CLIENTS: &str = r#"[
  {
    "client_id": "a-1", "client_secret": "TestSecretTestSecret", "client_name": "transfers",
    "scope": "storage.read:/vo", "redirect_uris": [], "grant_types": ["client_credentials"],
    "contacts": ["ops@example.org"], "access_token_validity_seconds": 3600, "reuse_refresh_token": true
  },
  {
    "client_id": "b-2", "client_name": "old", "scope": "storage.modify:/", "redirect_uris": [],
    "grant_types": ["client_credentials"], "contacts": ["ops@example.org"],
    "access_token_validity_seconds": 864000, "reuse_refresh_token": true
  }
]"#;

fn whatif(folder: &Path, args: &[&str]) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_tokenvet"))
        .current_dir(folder)
        .args(["whatif", "--no-config", "--now", "2026-01-01T00:00:00Z", "--profile", "wlcg@1.3"])
        .args(args)
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("clients.json"), CLIENTS).unwrap();
    folder
}

/// The rules of a list of findings.
fn rules(findings: &Value) -> Vec<String> {
    let all = findings.as_array().unwrap().iter().map(|finding| finding["rule"].as_str().unwrap().to_string());
    let mut all: Vec<String> = all.collect();
    all.sort();
    all
}

#[test]
fn a_change_shows_what_comes_and_goes() {
    let folder = folder();
    let lifetime = "client-access-token-over-maximum";
    for (args, exit, added, removed, remark) in [
        (
            &["--client", "a-1", "--set", "access_token_validity_seconds=864000"][..],
            1,
            &[lifetime][..],
            &[][..],
            "a lifetime over the maximum",
        ),
        (&["--client", "b-2", "--set", "access_token_validity_seconds=3600"], 0, &[], &[lifetime], "one below it"),
        (
            &["--client", "b-2", "--remove-scope", "storage.modify:/", "--add-scope", "storage.read:/vo"],
            0,
            &[],
            &["client-wide-delete-scope"],
            "a narrower scope",
        ),
        (&["--client", "a-1", "--add-scope", "storage.stage:/vo"], 0, &[], &[], "a harmless scope"),
        (&["--set", "limits.access_token.lifetime.max=30 d"], 0, &[], &[lifetime], "another limit"),
        (&["--set", "limits.access_token.lifetime.max=10 min"], 1, &[lifetime], &[], "a limit that few keep"),
    ] {
        let (code, out, err) = whatif(folder.path(), &[args, &["--format", "json", "clients.json"]].concat());
        assert_eq!(code, exit, "{remark}: {err}");
        let answer: Value = serde_json::from_str(&out).unwrap();
        assert_eq!(rules(&answer["added"]), added, "{remark}");
        assert_eq!(rules(&answer["removed"]), removed, "{remark}");
        assert!(!out.contains("TestSecret"), "{remark}: no secret is shown");
    }
    assert_eq!(fs::read_to_string(folder.path().join("clients.json")).unwrap(), CLIENTS, "nothing is written");
}

#[test]
fn what_is_asked_for_must_be_there_once() {
    let folder = folder();
    fs::write(folder.path().join("again.json"), CLIENTS).unwrap();
    for (args, message, remark) in [
        (&["clients.json"][..], "no change is asked for", "nothing to do"),
        (&["--client", "c", "--add-scope", "x", "clients.json"], "no client c", "no such client"),
        (&["--client", "a-1", "--add-scope", "x", "."], "give the file that is meant", "in two files"),
        (&["--client", "a-1", "--add-scope", "a b", "clients.json"], "is no scope", "two words"),
        (&["--set", "limits.access_token.lifetime.mx=1", "clients.json"], "no profile has such a limit", "a limit"),
        (&["--set", "x", "clients.json"], "PATH=VALUE", "no value"),
        (
            &["--client", "a-1", "--set", "acces_token_validity_seconds=864000", "clients.json"],
            "did you mean `access_token_validity_seconds`?",
            "a member that nothing is read from",
        ),
        (&["--client", "a-1", "--add-scope", "x", "--output", "json=x", "clients.json"], "writes no files", "a report"),
    ] {
        let (code, out, err) = whatif(folder.path(), args);
        assert_eq!((code, out.as_str()), (2, ""), "{remark}");
        assert!(err.contains(message), "{remark}: {err}");
    }
}

#[test]
fn a_member_that_is_read_may_be_new() {
    let folder = folder();
    for member in
        ["active=true", "active=false", "device_code_validity_seconds=600", "jwks_uri=https://vo.example/jwks"]
    {
        let (code, out, err) = whatif(folder.path(), &["--client", "a-1", "--set", member, "clients.json"]);
        assert!(code < 2 && out.contains(" is set to "), "{member}: {err}");
    }
}

#[test]
fn a_patch_file_changes_several_clients_and_limits() {
    let folder = folder();
    let patch = "limits: {access_token.lifetime.max: 12 h}\nclients:\n\
                 - {client: a-1, set: {access_token_validity_seconds: 28800}}\n\
                 - {client: b-2, remove-scopes: [storage.modify:/], set: {access_token_validity_seconds: 60}}\n";
    fs::write(folder.path().join("patch.yaml"), patch).unwrap();
    let (code, out, err) = whatif(folder.path(), &["--apply", "patch.yaml", "clients.json"]);
    assert_eq!(code, 0, "{out}{err}");
    assert!(out.contains("the limit access_token.lifetime.max is 12 h"), "{out}");
    assert!(out.contains("- error client-access-token-over-maximum"), "{out}");
    assert!(out.contains("nothing was written"), "{out}");
    fs::write(folder.path().join("patch.yaml"), "client: [x]\n").unwrap();
    let (code, _, err) = whatif(folder.path(), &["--apply", "patch.yaml", "clients.json"]);
    assert!(code == 2 && err.contains("patch.yaml:1:1"), "{err}");
}
