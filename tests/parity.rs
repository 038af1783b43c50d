//! The ten rules of the benches find what a plain recount of the same files finds, in many small files and in one large list,
//! however many other rules run beside them and with any number of threads.

mod common;
#[path = "../benches/workload.rs"]
#[allow(dead_code)]
mod workload;

use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

/// How often each of the ten rules is broken, without any of our code.
fn recount<'c>(clients: impl Iterator<Item = &'c Value>) -> BTreeMap<&'static str, usize> {
    let mut broken: BTreeMap<&'static str, usize> = BTreeMap::new();
    for client in clients {
        let text = |name: &str| client[name].as_str().unwrap_or_default();
        let texts = |name: &str| client[name].as_array().into_iter().flatten().filter_map(Value::as_str);
        let counts = [
            texts("grant_types").filter(|grant| *grant == "implicit").count(),
            usize::from(client["access_token_validity_seconds"].as_i64() > Some(21_600)),
            usize::from(text("token_endpoint_auth_method") == "none"),
            usize::from(texts("contacts").next().is_none()),
            texts("grant_types").filter(|grant| *grant == "password").count(),
            usize::from(text("policy_uri").starts_with("http://")),
            texts("redirect_uris").filter(|uri| uri.starts_with("http://")).count(),
            texts("redirect_uris").filter(|uri| uri.contains('*')).count(),
            usize::from(text("client_name").chars().count() < 3),
            text("scope").split(' ').filter(|scope| *scope == "storage.modify:/").count(),
        ];
        for (id, count) in workload::PARITY.iter().zip(counts) {
            *broken.entry(*id).or_default() += count;
        }
    }
    broken
}

fn check(rules: &Path, only: &str, input: &Path, threads: &str) -> String {
    let mut command = Command::new(common::BINARY);
    command.args(["check", "--no-config", "--format", "jsonl", "--now", common::NOW, "--threads", threads]);
    let output = command.arg("--rules").arg(rules).args(["--only", only]).arg(input).output().expect("it runs");
    assert!(matches!(output.status.code(), Some(0 | 1)), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

fn found(report: &str) -> BTreeMap<String, usize> {
    let mut found = BTreeMap::new();
    let lines = report.lines().map(|line| serde_json::from_str::<Value>(line).expect("an object a line"));
    for line in lines.filter(|line| line["type"] == "finding") {
        *found.entry(line["rule"].as_str().expect("an id").to_string()).or_default() += 1;
    }
    found
}

#[test]
fn ten_rules_find_what_a_recount_finds() {
    let folder = tempfile::tempdir().expect("a folder");
    let tree = folder.path().join("tree");
    workload::client_files(&tree, 400).expect("written");
    let mut clients: Vec<Value> = Vec::new();
    for below in fs::read_dir(&tree).expect("folders") {
        for file in fs::read_dir(below.expect("a folder").path()).expect("files") {
            clients.push(serde_json::from_slice(&fs::read(file.expect("a file").path()).expect("read")).expect("JSON"));
        }
    }
    assert_eq!(clients.len(), 400);
    let expected = recount(clients.iter());
    let plain = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/parity");
    let report = check(&plain, "parity-*", &tree, "1");
    let seen = found(&report);
    assert_eq!(seen.values().sum::<usize>(), expected.values().sum::<usize>());
    for (id, count) in &expected {
        assert_eq!(seen.get(*id).copied().unwrap_or(0), *count, "{id}");
    }
    assert_eq!(check(&plain, "parity-*", &tree, "2"), report, "threads change nothing");

    let many = workload::parity_rules(&folder.path().join("rules"), 60).expect("written");
    let seen = found(&check(&many, "parity-*", &tree, "0"));
    for (id, count) in &expected {
        assert_eq!(seen.get(&format!("{id}-0")).copied().unwrap_or(0), *count, "{id} among sixty");
    }
}

#[test]
fn a_large_list_is_judged_like_its_elements() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("export.json");
    // More than is read at once.
    workload::export(&path, 6_000_000, true).expect("written");
    let page: Value = serde_json::from_slice(&fs::read(&path).expect("read")).expect("JSON");
    let clients = page["Resources"].as_array().expect("a list");
    let expected = recount(clients.iter());
    let plain = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/parity");
    let list = folder.path().join("list.json");
    let text = serde_json::to_string(clients).expect("JSON").replace("},{\"access", "},\n{\"access");
    fs::write(&list, &text).expect("written");
    for input in [&path, &list] {
        let seen = found(&check(&plain, "parity-*", input, "0"));
        for (id, count) in &expected {
            assert_eq!(seen.get(*id).copied().unwrap_or(0), *count, "{id} in {}", input.display());
        }
    }
    // Every finding of the list points at its bytes.
    let mut before = 0;
    for line in check(&plain, "parity-*", &list, "0").lines() {
        let line: Value = serde_json::from_str(line).expect("JSON");
        if line["type"] != "finding" {
            continue;
        }
        let (region, value) = (&line["region"], &page["Resources"]);
        let at = |name: &str| region[name].as_u64().expect("a number") as usize;
        let (offset, length) = (at("byte_offset"), at("byte_length"));
        let pointed: Value = serde_json::from_str(&text[offset..offset + length]).unwrap_or_default();
        let whole = value.pointer(line["pointer"].as_str().expect("a pointer"));
        assert!(pointed.is_null() || Some(&pointed) == whole, "{line}");
        assert_eq!(text[..offset].matches('\n').count() + 1, at("start_line"));
        let start = text[..offset].rfind('\n').map_or(0, |newline| newline + 1);
        assert_eq!(text[start..offset].chars().count() + 1, at("start_column"));
        assert!(offset >= before, "in the order of the document");
        before = offset;
    }
    assert!(before > 5_000_000);
}
