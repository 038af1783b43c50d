//! Runs that are shared out, and what is made of their shards.

mod common;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use common::{FORMATS, NOW, Ran, run, tokenvet};
use std::fs;
use std::path::Path;
use tempfile::TempDir;

/// A token with a made-up signature: no key ever signed it. Every third can still be used.
fn token(n: usize) -> String {
    let exp = if n.is_multiple_of(3) { 1_795_400_000 } else { 1_795_000_000 };
    let payload = format!(
        r#"{{"iss":"https://vo.example.org/","sub":"u{n}","jti":"{n}","exp":{exp},"scope":"storage.modify:/"}}"#
    );
    let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
    format!("{}.{}.{}", part(r#"{"alg":"ES256"}"#), part(&payload), "TestSignature-".repeat(7)[..86].to_owned())
}

/// A folder with logs: one that is cut, small ones, an archive, one that cannot be opened, and one that was compressed.
fn site() -> TempDir {
    let site = TempDir::new().expect("a folder");
    let logs = site.path().join("logs");
    fs::create_dir(&logs).expect("a folder");
    let lines = |numbers: std::ops::Range<usize>| -> String {
        let line = |n: usize| match n % 5 {
            0 => format!("GET /x?authz=Bearer%20{}&n={n}\n", token(n % 40)),
            1 => format!("> {}\n> {}\n", &token(n % 40)[..90], &token(n % 40)[90..]),
            2 => "öäü\n".repeat(n % 4),
            _ => format!("{n} nothing of interest {}\n", "x".repeat(n % 90)),
        };
        numbers.map(line).collect()
    };
    fs::write(logs.join("large.log"), lines(0..900)).expect("written");
    for n in 0..7 {
        fs::write(logs.join(format!("small.{n}.log")), lines(n * 10..n * 10 + 12)).expect("written");
    }
    fs::write(logs.join("packed.zip"), b"PK\x03\x04 and so on").expect("written");
    let mut tar = tar::Builder::new(fs::File::create(logs.join("old.tar")).expect("written"));
    for name in ["a.log", "b.log"] {
        let text = lines(3..30);
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, name, text.as_bytes()).expect("written");
    }
    tar.finish().expect("written");
    fs::write(site.path().join("tokenvet.yaml"), "waivers: [waivers.yaml]\nfail-on: warning\n").expect("written");
    let waiver = "- rule: leaked-token-expired\n  reason: old logs\n  owner: site\n  expires: 2027-01-01\n  match: {path: 'logs/small.*'}\n";
    fs::write(site.path().join("waivers.yaml"), waiver).expect("written");
    site
}

fn scan(site: &Path, arguments: &[&str]) -> Ran {
    run(tokenvet().current_dir(site).args(["scan", "logs", "--now", NOW]).args(arguments))
}

fn merge(site: &Path, arguments: &[&str]) -> Ran {
    run(tokenvet().current_dir(site).arg("merge").args(arguments))
}

/// Runs all shards and names their reports.
fn shards(site: &Path, of: u32, arguments: &[&str]) -> Vec<String> {
    let shard = |number: u32| {
        let (name, share) = (format!("part.{number}"), format!("{number}/{of}"));
        let own = ["--shard", &share, "--shard-report", &name, "--shard-block", "4KB"];
        scan(site, &[&own, arguments].concat()).exits(0, "a shard");
        name
    };
    (1..=of).map(shard).collect()
}

#[test]
fn every_format_is_that_of_a_single_run() {
    let site = site();
    let site = site.path();
    for (of, arguments, remark) in [
        (1, &[][..], "one shard"),
        (4, &[], "several"),
        (3, &["--max-tokens", "9"], "more tokens than are told apart"),
        (4, &["--unrecognised", "skip", "--no-config"], "without the policy"),
        (5, &["--since", "2026-01-01"], "recent lines"),
        (2, &["--profile", "wlcg@1.3", "--ignore", "leaked-token-expired"], "other rules"),
    ] {
        let parts = shards(site, of, arguments);
        let parts: Vec<&str> = parts.iter().rev().chain(&parts[..1]).map(String::as_str).collect();
        for format in FORMATS {
            let expected = scan(site, &[&["--format", format, "--all"], arguments].concat());
            let merged = merge(site, &[&parts[..], &["--format", format, "--all"]].concat());
            assert_eq!(merged.out(), expected.out(), "{remark}: {format}");
            assert_eq!((merged.code, merged.err()), (expected.code, expected.err()), "{remark}: {format}");
            assert!(expected.out().len() > 500 && !expected.out().contains("TestSignature"));
        }
    }
}

#[test]
fn merged_shards_are_merged_again() {
    let site = site();
    let site = site.path();
    let expected = scan(site, &["--format", "json"]);
    shards(site, 5, &[]);
    merge(site, &["part.4", "part.2", "--shard-report", "even"]).exits(0, "some");
    merge(site, &["part.5", "part.1", "part.3", "part.2", "--shard-report", "odd"])
        .exits(0, "the others, and one again");
    let merged = merge(site, &["odd", "part.4", "even", "even", "--format", "json"]);
    assert_eq!(merged.out(), expected.out());
    merge(site, &["even", "odd", "--shard-report", "all"]).exits(0, "all");
    merge(site, &["odd", "part.4", "even", "--shard-report", "same"]).exits(0, "all, otherwise");
    let bytes = |name: &str| fs::read(site.join(name)).expect("written");
    assert_eq!(bytes("all"), bytes("same"));
    assert!(!String::from_utf8_lossy(&bytes("all")).contains("TestSignature"));
    // A folder stands for the files in it.
    fs::create_dir(site.join("parts")).expect("a folder");
    fs::rename(site.join("all"), site.join("parts/all")).expect("moved");
    assert_eq!(merge(site, &["parts", "--format", "json"]).out(), expected.out());
}

#[test]
fn what_does_not_belong_together_is_named() {
    let site = site();
    let site = site.path();
    shards(site, 3, &[]);
    let keep = |name: &str| fs::copy(site.join("part.2"), site.join(name)).expect("copied");
    keep("whole");
    let text = fs::read(site.join("part.2")).expect("written");
    fs::write(site.join("cut"), &text[..text.len() / 2]).expect("written");
    run(tokenvet()
        .current_dir(site)
        .args("scan logs --shard 2/3 --shard-report later --now 2026-11-22T12:00:01Z".split(' ')))
    .exits(0, "another clock");
    scan(site, &["--shard", "2/4", "--shard-report", "other", "--shard-block", "4KB"]).exits(0, "of four");
    fs::write(site.join("logs/small.0.log"), "nothing\n").expect("written");
    shards(site, 3, &[]);
    let differs = (1..=3).find(|n| n != &2 && fs::read(site.join(format!("part.{n}"))).is_ok()).expect("one");
    assert!(differs > 0);
    for (parts, expected) in [
        (&["part.1", "part.3"][..], &["shard of 3 missing: 2"][..]),
        (&["part.1"], &["2 shards of 3 missing: 2, 3"]),
        (&["part.1", "cut", "part.3"], &["cut: no whole shard report", "1 shard of 3 missing: 2"]),
        (&["part.1", "nowhere", "part.3"], &["nowhere: no whole shard report: there is no such file"]),
        (&["part.1", "part.3", "later"], &["later: of another run", "--now"]),
        (&["part.1", "part.3", "other"], &["other: of another run: one of 3 shards, the other of 4"]),
        (&["tokenvet.yaml"], &["tokenvet.yaml: no whole shard report"]),
    ] {
        let ran = merge(site, &[parts, &["--format", "json"]].concat());
        ran.exits(2, "no report");
        assert!(ran.out().is_empty(), "{parts:?}");
        for text in expected {
            assert!(ran.err().contains(text), "{parts:?}: {text}\n{}", ran.err());
        }
    }
    fs::write(site.join("tokenvet.yaml"), "fail-on: note\n").expect("written");
    let ran = merge(site, &["part.1", "part.2", "part.3"]);
    assert!(ran.exits(2, "another policy").err().contains("the policy here is not the one"), "{}", ran.err());
}

#[test]
fn a_shard_that_is_run_again_on_other_files_is_told() {
    let site = site();
    let site = site.path();
    shards(site, 2, &[]);
    for n in 1..=2 {
        fs::rename(site.join(format!("part.{n}")), site.join(format!("first.{n}"))).expect("moved");
    }
    let log = site.join("logs/large.log");
    let text = fs::read_to_string(&log).expect("written");
    fs::write(&log, text.replace("nothing of interest", &format!("{} of interest", token(1)))).expect("written");
    shards(site, 2, &[]);
    let ran = merge(site, &["first.1", "first.2", "part.2"]);
    assert!(ran.exits(2, "twice").err().contains("first.2 and part.2: both hold shard 2"), "{}", ran.err());
    let ran = merge(site, &["first.1", "part.2"]);
    assert!(ran.exits(2, "mixed").err().contains("logs/large.log"), "{}", ran.err());
}

#[test]
fn what_cannot_be_shared_out_is_refused() {
    let site = site();
    for (arguments, expected) in [
        (&["--shard", "0/3"][..], "shards are numbered from 1"),
        (&["--shard", "4/3"], "shards are numbered from 1"),
        (&["--shard", "x"], "for example 3/8"),
        (&["--shard", "1/2", "--format", "json"], "--format: a shard writes its shard report"),
        (&["--shard", "1/2", "--output", "json=x"], "--output: a shard"),
        (&["--shard", "1/2", "--write-baseline", "x"], "--write-baseline: a shard"),
        (&["--shard", "1/2", "--only-changed"], "--only-changed cannot be combined"),
        (&["--shard", "1/2", "--follow"], "--follow"),
        (&["--shard", "1/2", "-"], "standard input cannot be shared out"),
        (&["--shard-report", "x"], "--shard"),
    ] {
        let ran = scan(site.path(), arguments);
        assert!(ran.exits(2, expected).err().contains(expected), "{arguments:?}: {}", ran.err());
    }
}

#[test]
fn a_key_for_fingerprints_hides_tokens_in_shard_reports_too() {
    let site = site();
    let site = site.path();
    fs::write(site.join("key"), "test key of more than sixteen bytes\n").expect("written");
    let arguments = ["--fingerprint-key", "key"];
    let expected = scan(site, &["--format", "json", "--fingerprint-key", "key"]);
    let parts = shards(site, 3, &arguments);
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    assert_eq!(merge(site, &[&parts[..], &["--format", "json"]].concat()).out(), expected.out());
    let plain = shards(site, 3, &[]);
    let ids = |name: &str| -> Vec<String> {
        let part: serde_json::Value =
            serde_json::from_slice(&fs::read(site.join(name)).expect("written")).expect("JSON");
        let shard = &part["shards"].as_object().expect("shards").values().next().expect("one")["work"]["scan"];
        shard["tokens"].as_array().expect("tokens").iter().map(|token| token["id"].to_string()).collect()
    };
    let plain: Vec<String> = plain.iter().flat_map(|name| ids(name)).collect();
    assert!(!plain.is_empty());
    shards(site, 3, &arguments);
    let keyed: Vec<String> = (1..=3).flat_map(|n| ids(&format!("part.{n}"))).collect();
    assert!(keyed.len() == plain.len() && keyed.iter().all(|id| !plain.contains(id)));
}
