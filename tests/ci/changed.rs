//! Findings on changed lines: what counts as touched, and what switches it off.

use super::repository::{NOW, Repository, places, report};
use serde_json::json;
use std::fs;
use std::io::Write;
use std::process::Stdio;

const CLIENTS: &str = "iam/clients.json";
const OLD_FAULT: &str = "iam/clients.json:15 client-access-token-over-maximum";

#[test]
fn a_change_answers_for_its_own_lines() {
    let repository = Repository::demo();
    let (code, everything) = repository.json(&[]);
    assert_eq!(code, 1);
    assert!(places(&everything).contains(&OLD_FAULT.to_string()) && everything.get("only_changed").is_none());
    let (code, report) = repository.json(&["--changed-since", "main"]);
    assert_eq!(code, 1);
    let expected = [
        "iam/clients.json:26 client-redirect-wildcard-inert",
        "iam/clients.json:32 client-access-token-over-maximum",
        // Of two places that a rule compares the change touches one.
        "se1/etc/xrootd/scitokens.cfg:8 trust-area-shared",
        "se1/etc/xrootd/scitokens.cfg:14 trust-area-shared",
    ];
    assert_eq!(places(&report), expected);
    assert_eq!(report["only_changed"]["files"], 2);
    assert_eq!(report["only_changed"]["left_out"], json!({"error": 1, "warning": 0, "note": 0}));
    assert_eq!(report["summary"]["error"], 1, "what is left out is not in the summary");
}

#[test]
fn old_faults_do_not_fail_a_change() {
    let repository = Repository::demo();
    repository.git(&["checkout", "-q", "main"]);
    let text = repository.read(CLIENTS).replace("archive@northsky", "nightly@northsky");
    repository.write(CLIENTS, text);
    assert_eq!(repository.run(&[]).status.code(), Some(1));
    let (code, report) = repository.json(&["--changed-since", "HEAD"]);
    assert_eq!((code, places(&report).len()), (0, 0), "also what is not committed yet is compared");
}

#[test]
fn every_format_says_what_was_left_out() {
    let repository = Repository::demo();
    for format in ["human", "json", "jsonl", "sarif", "github", "gitlab", "junit", "markdown", "html"] {
        let output = repository.run(&["--changed-since", "main", "-f", format]);
        let text = String::from_utf8(output.stdout).unwrap();
        // Human lines stand around the excerpt, and the page draws the lifetimes of every client.
        let names_all = ["human", "html"].contains(&format);
        assert!(!text.contains("nightly-archive") || names_all, "{format} shows a finding that was left out");
        let words = ["only lines changed since main", "\"since\":\"main (", "only lines changed since main"];
        assert!(words.iter().any(|word| text.contains(word)), "{format}: {text}");
    }
}

#[test]
fn a_diff_may_come_from_elsewhere() {
    let repository = Repository::demo();
    let diff = repository.git(&["diff", "main"]);
    repository.write("change.patch", &diff);
    let expected = places(&repository.json(&["--changed-since", "main"]).1);
    // The diff itself is none of its files.
    let (_, given) = repository.json(&["--diff", "change.patch"]);
    assert_eq!(places(&given), expected);
    let mut child = repository
        .command(&["check", ".", "--now", NOW, "--diff", "-", "-f", "json"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(diff.as_bytes()).unwrap();
    assert_eq!(places(&report(&child.wait_with_output().unwrap()).1), expected);
    // From a folder below, paths are still those of the repository.
    let below = repository.command(&["check", ".", "--now", NOW, "--diff", "../change.patch", "-f", "json"]);
    let mut below = below;
    let output = below.current_dir(repository.path("iam")).output().unwrap();
    assert_eq!(places(&report(&output).1)[0], "clients.json:26 client-redirect-wildcard-inert");
    repository.write("change.patch", &diff[..diff.len() - 40]);
    let output = repository.run(&["--diff", "change.patch"]);
    assert_eq!(output.status.code(), Some(2), "a diff that was cut off is no diff");
    assert!(output.stdout.is_empty());
}

#[test]
fn what_says_nothing_of_a_change_is_no_diff() {
    let repository = Repository::demo();
    let of = |args: &[&str]| repository.git(&[&["diff", "main"], args].concat());
    let plain = of(&[]);
    let utf16: Vec<u8> = plain.encode_utf16().flat_map(u16::to_le_bytes).collect();
    for (bytes, remark) in [
        (b"<!DOCTYPE html>\n<title>404</title>\n".to_vec(), "names no changed file"),
        (of(&["--stat"]).into_bytes(), "names no changed file"),
        (of(&["--name-only"]).into_bytes(), "names no changed file"),
        (utf16, "names no changed file"),
        (of(&["--color=always"]).into_bytes(), "make it with --color=never"),
        (of(&["--word-diff"]).into_bytes(), "hunk"),
        (of(&["--relative=iam"]).into_bytes(), "none of the files it names is below"),
    ] {
        repository.write("change.patch", &bytes);
        let output = repository.run(&["--diff", "change.patch"]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(2) && said.contains(remark), "{remark}: {said}");
    }
    repository.write("change.patch", "\n");
    assert_eq!(repository.json(&["--diff", "change.patch"]).1["only_changed"]["files"], 0, "nothing changed");
    // As GNU diff writes it.
    let by_path = plain.replace("+++ b/", "+++ ./").replace("--- a/", "--- ../old/");
    let gnu = by_path.lines().filter(|line| !line.starts_with("diff --git") && !line.starts_with("index "));
    let gnu = gnu.map(|line| match line.starts_with("+++ ") || line.starts_with("--- ") {
        true => format!("{line}\t2026-01-01 00:00:00.000000000 +0100\n"),
        false => format!("{line}\n"),
    });
    repository.write("change.patch", gnu.collect::<String>());
    let expected = places(&repository.json(&["--changed-since", "main"]).1);
    assert_eq!(places(&repository.json(&["--diff", "change.patch"]).1), expected);
}

#[test]
fn files_are_followed_through_every_kind_of_change() {
    let fault = |lifetime: u32| {
        let text = fs::read_to_string(super::repository::demo("base/iam/clients.json")).unwrap();
        text.replace("172800", &lifetime.to_string())
    };
    let repository = Repository::new();
    for name in ["kept.json", "moved.json", "moved-and-changed.json", "gone.json"] {
        repository.write(name, fault(172_800));
    }
    repository.commit("base");
    repository.git(&["mv", "moved.json", "renamed.json"]);
    repository.git(&["mv", "moved-and-changed.json", "a\"b\\ü\t .json"]);
    repository.write("a\"b\\ü\t .json", fault(172_801));
    fs::remove_file(repository.path("gone.json")).unwrap();
    repository.write("new file.json", fault(172_802));
    repository.write("untracked.json", fault(172_803));
    repository.git(&["add", "-A", "--", "new file.json", "a\"b\\ü\t .json", "gone.json"]);
    let (_, found) = repository.json(&["--changed-since", "HEAD"]);
    let files = places(&found);
    assert_eq!(files.len(), 3, "{files:?}");
    for name in ["a\"b\\ü\t .json:15", "new file.json:15", "untracked.json:15"] {
        assert!(files.iter().any(|place| place.starts_with(name) || place.contains("15")), "{name}: {files:?}");
    }
    assert!(!files.iter().any(|place| place.starts_with("renamed") || place.starts_with("kept")), "{files:?}");
    assert_eq!(found["only_changed"]["left_out"]["error"], 2);
}

#[test]
fn a_missing_member_counts_when_its_object_is_changed() {
    let repository = Repository::demo();
    repository.git(&["checkout", "-q", "main"]);
    let clients = repository.read(CLIENTS);
    let fault = |text: &str| {
        repository.write(CLIENTS, text);
        let (_, report) = repository.json(&["--changed-since", "HEAD"]);
        places(&report).into_iter().filter(|place| place.contains("client-without-contacts")).collect::<Vec<_>>()
    };
    let contacts = "      \"contacts\": [\"portal@northsky.example\"],\n";
    // The rule points at the client's id, a line that none of these changes touches.
    let expected = ["iam/clients.json:24 client-without-contacts"];
    assert_eq!(fault(&clients.replace(contacts, "")), expected, "a line is removed");
    assert_eq!(fault(&clients.replace("\"portal@northsky.example\"", "")), expected, "a list is emptied");
    let text = clients.replace(contacts, "");
    repository.write(CLIENTS, &text);
    repository.commit("old fault");
    assert_eq!(fault(&text.replace("nightly-archive", "archive")), [""; 0], "another client is changed");
    assert_eq!(fault(&text.replace("data-portal", "portal")), expected, "this client is changed and still lacks it");
}

#[test]
fn what_governs_the_run_switches_it_off() {
    for (file, text) in [
        ("tokenvet.yaml", "profiles: [wlcg@1.3]\nfail-on: never\n"),
        ("waivers.yaml", "# Nothing at all.\n[]\n"),
        ("elsewhere/tokenvet.yaml", "fail-on: never\n"),
    ] {
        let repository = Repository::demo();
        repository.write(file, text);
        repository.commit("policy");
        let (_, report) = repository.json(&["--changed-since", "main"]);
        assert!(places(&report).contains(&OLD_FAULT.to_string()), "{file}: everything is reported");
        let off = report["only_changed"]["off"].as_str().unwrap();
        assert!(off.contains(file), "{off}");
    }
    let repository = Repository::demo();
    fs::remove_file(repository.path("tokenvet.yaml")).unwrap();
    repository.commit("no policy");
    let (_, report) = repository.json(&["--changed-since", "main"]);
    assert!(report["only_changed"]["off"].as_str().is_some_and(|off| off.contains("tokenvet.yaml")));
}

#[test]
fn a_change_cannot_rewrite_the_rules_it_is_judged_by() {
    let strict = Repository::demo();
    let (code, report) = strict.json(&["--changed-since", "main", "--policy-from", "main"]);
    assert_eq!((code, report["policy_from"]["reference"].as_str()), (1, Some("main")));
    let digest = report["policy_digest"].clone();
    for (file, text, remark) in [
        ("tokenvet.yaml", "ignore: ['*']\n", "everything is ignored"),
        ("tokenvet.yaml", "fail-on: never\n", "nothing fails"),
        ("tokenvet.yaml", "not: [a policy", "a broken policy"),
        ("iam/tokenvet.yaml", "fail-on: never\n", "a policy nearer to the file"),
        (".gitignore", "*\n", "an ignore file"),
        (
            "waivers.yaml",
            "- rule: client-access-token-over-maximum\n  match: { path: '**' }\n  reason: x\n  owner: me\n  \
             expires: 2099-01-01\n",
            "a waiver of its own",
        ),
    ] {
        let repository = Repository::demo();
        repository.write(file, text);
        repository.commit("silence");
        let (code, report) = repository.json(&["--changed-since", "main", "--policy-from", "main"]);
        assert_eq!(code, 1, "{remark}");
        assert_eq!(report["policy_digest"], digest, "{remark}");
        let found = places(&report);
        assert!(found.iter().any(|place| place.starts_with("iam/clients.json:32 ")), "{remark}: {found:?}");
    }
    // The same policy as a link that leads elsewhere.
    let repository = Repository::demo();
    fs::remove_file(repository.path("tokenvet.yaml")).unwrap();
    repository.write("lax.yaml", "fail-on: never\n");
    std::os::unix::fs::symlink("lax.yaml", repository.path("tokenvet.yaml")).unwrap();
    repository.commit("link");
    let (code, report) = repository.json(&["--policy-from", "main"]);
    assert_eq!((code, &report["policy_digest"]), (1, &digest));
}

#[test]
fn rule_files_and_baselines_come_from_the_base_too() {
    let repository = Repository::new();
    let rule = fs::read_to_string(super::repository::demo("../cli/rules.in/client-off-portal.yaml")).unwrap();
    repository.write("rules/own/client-off-portal.yaml", &rule);
    repository.write("rules/readme.txt", "none");
    repository.write("tokenvet.yaml", "rule-files: [rules]\nbaseline: known.json\n");
    repository.write("known.json", "{\"tokenvet_baseline\": 1, \"findings\": []}\n");
    repository.write(CLIENTS, fs::read(super::repository::demo("base/iam/clients.json")).unwrap());
    repository.commit("base");
    let digest = repository.json(&[]).1["policy_digest"].clone();
    fs::remove_dir_all(repository.path("rules")).unwrap();
    repository.write("known.json", "no baseline");
    repository.commit("silence");
    assert_eq!(repository.run(&[]).status.code(), Some(2));
    let (code, report) = repository.json(&["--policy-from", "HEAD~1"]);
    assert_eq!((code, &report["policy_digest"]), (1, &digest), "{}", report["findings"]);
}

#[test]
fn comments_count_once_they_are_in_the_base() {
    let token = "header: { alg: RS256, kid: rsa1 }\npayload:\n  wlcg.ver: \"1.0\"\n  sub: a\n  iss: https://iam.example.org/\n  \
                 aud: https://se.example.org\n  nbf: 1763783940\n  iat: 1763784000\n  exp: 1764784000\n  scope: storage.read:/\n  \
                 jti: 0b1c8a4e\n  client_id: c\n";
    let repository = Repository::new();
    repository.write("token.yaml", token);
    repository.commit("base");
    let allowed = token.replace("exp: 1764784000", "exp: 1764784001 # tokenvet: allow token-outlives-maximum -- mine");
    repository.write("token.yaml", &allowed);
    repository.commit("silence");
    let live = |args: &[&str]| {
        let (_, report) = repository.json(args);
        let findings = report["findings"].as_array().unwrap().clone();
        let rule = |finding: &&serde_json::Value| finding["rule"] == "token-outlives-maximum";
        findings.iter().filter(rule).filter(|finding| finding["suppressed"].is_null()).count()
    };
    assert_eq!(live(&["--changed-since", "HEAD~1"]), 0, "a comment is an agreement among those who may commit");
    assert_ne!(live(&["--changed-since", "HEAD~1", "--policy-from", "HEAD~1"]), 0, "not of a stranger");
    assert_ne!(live(&["--policy-from", "HEAD~1"]), 0, "also where everything is reported");
    assert_eq!(live(&["--changed-since", "HEAD~1", "--policy-from", "HEAD"]), 0, "the base has it");
}

#[test]
fn the_base_of_a_request_is_found_as_each_service_names_it() {
    let repository = Repository::demo();
    let base = repository.git(&["rev-parse", "main"]).trim().to_string();
    repository.git(&["update-ref", "refs/remotes/origin/main", "main"]);
    for (name, value) in
        [("GITHUB_BASE_REF", "main"), ("CHANGE_TARGET", "main"), ("CI_MERGE_REQUEST_DIFF_BASE_SHA", base.as_str())]
    {
        let mut command = repository.command(&["check", ".", "--now", NOW, "--only-changed", "-f", "json"]);
        let (_, report) = report(&command.env(name, value).output().unwrap());
        assert_eq!(places(&report).len(), 4, "{name}");
    }
    let (_, report_of_push) = repository.json(&["--only-changed"]);
    assert_eq!(places(&report_of_push).len(), 5, "no request, no changed lines");
    assert!(report_of_push["only_changed"]["off"].is_string());
    // GitHub's checkout of the merge, two commits deep, without the branch.
    repository.git(&["update-ref", "-d", "refs/remotes/origin/main"]);
    repository.git(&["checkout", "-q", "--detach", "main"]);
    repository.git(&["merge", "-q", "--no-ff", "-m", "merge", "change"]);
    let mut command = repository.command(&["check", ".", "--now", NOW, "--only-changed", "-f", "json"]);
    let output = command.env("GITHUB_BASE_REF", "main").env("GITHUB_REF", "refs/pull/7/merge").output().unwrap();
    assert_eq!(places(&report(&output).1).len(), 4);
}

#[test]
fn references_are_no_options_and_nothing_of_the_repository_runs() {
    let repository = Repository::demo();
    for reference in ["--output=pwned", "-h", "", "no-such-branch", "main..change", "main\n", "$(touch pwned)"] {
        let output = repository.run(&[&format!("--changed-since={reference}")]);
        assert_eq!(output.status.code(), Some(2), "{reference}: {}", String::from_utf8_lossy(&output.stderr));
        assert!(!repository.path("pwned").exists());
    }
    let script = repository.path("run.sh");
    fs::write(&script, "#!/bin/sh\ntouch \"$(dirname \"$0\")/pwned\"\ncat\n").unwrap();
    fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let script = script.to_str().unwrap();
    for (name, value) in [
        ("diff.external", script),
        ("core.fsmonitor", script),
        ("core.pager", script),
        ("diff.evil.command", script),
        ("diff.evil.textconv", script),
        ("core.hooksPath", "."),
    ] {
        repository.git(&["config", name, value]);
    }
    repository.write(".gitattributes", "* diff=evil\n");
    repository.write("post-index-change", "#!/bin/sh\ntouch pwned\n");
    let output = repository.run(&["--changed-since", "main", "--policy-from", "main"]);
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(!repository.path("pwned").exists());
}

#[test]
fn a_history_that_is_too_short_is_said() {
    let repository = Repository::demo();
    let clone = tempfile::TempDir::new().unwrap();
    let url = format!("file://{}", repository.folder().display());
    let target = clone.path().join("c");
    repository.git(&["clone", "-q", "--depth=1", "--branch=change", &url, target.to_str().unwrap()]);
    let output = repository.command(&["check", ".", "--changed-since", "main"]).current_dir(&target).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("fetch-depth: 0"));
}
