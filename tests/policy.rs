//! Policy and suppressions as a user meets them: the built program in a folder of its own.

#![allow(clippy::unwrap_used)] // a helper that fails is a failed test

use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};
use tempfile::TempDir;

const NOW: &str = "2026-01-01T00:00:00Z";

/// An access token of 11 days whose kid stands among the claims.
const TOKEN: &str = r#"header: { alg: RS256 }
payload:
  wlcg.ver: "1.0"
  sub: 6d3fb4a7-52cb-4f47-8f4e-1c1f2f0d9b11
  kid: rsa1
  iss: https://iam.example.org/
  aud: https://se.example.org
  nbf: 1763783940
  iat: 1763784000
  exp: 1764784000
  scope: storage.read:/
  jti: 0b1c8a4e-9d57-4a2b-9a39-6f1c3f7e2d10
  client_id: 85e6f7a5-580b-4a1c-a6d2-39055143063d
"#;

/// The same with its kid in the header: the lifetime is all that is wrong.
fn long_lived() -> String {
    TOKEN.replace("alg: RS256", "alg: RS256, kid: rsa1").replace("  kid: rsa1\n", "")
}

/// A folder that no policy above it reaches.
struct Project(TempDir);

impl Project {
    fn new(files: &[(&str, &str)]) -> Self {
        let project = Project(TempDir::new().unwrap());
        fs::create_dir(project.path(".git")).unwrap();
        files.iter().for_each(|(name, text)| project.write(name, text));
        project
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn run_in(&self, folder: &Path, args: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tokenvet"));
        command.current_dir(folder).args(["check", "--now", NOW]).args(args).output().unwrap()
    }

    fn run(&self, args: &[&str]) -> Output {
        self.run_in(self.0.path(), args)
    }

    /// Exit code and json report.
    fn json(&self, args: &[&str]) -> (i32, Value) {
        let output = self.run(&[args, &["-f", "json"]].concat());
        let report = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|_| panic!("no report: {}", String::from_utf8_lossy(&output.stderr)));
        (output.status.code().unwrap(), report)
    }

    /// The error of a run that must not begin.
    fn refused(&self, args: &[&str]) -> String {
        let output = self.run(args);
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{text}");
        assert!(output.stdout.is_empty());
        text
    }
}

/// `rule severity path` of the findings that count, sorted.
fn live(report: &Value) -> Vec<String> {
    listed(report, |finding| finding["suppressed"].is_null())
}

/// `rule severity path` of suppressed findings.
fn suppressed(report: &Value) -> Vec<String> {
    listed(report, |finding| !finding["suppressed"].is_null())
}

fn listed(report: &Value, wanted: impl Fn(&Value) -> bool) -> Vec<String> {
    let findings = report["findings"].as_array().unwrap().iter().filter(|finding| wanted(finding));
    let text = |finding: &Value, member: &str| finding[member].as_str().unwrap().to_string();
    let mut list: Vec<String> =
        findings.map(|f| format!("{} {} {}", text(f, "rule"), text(f, "severity"), text(f, "path"))).collect();
    list.sort();
    list
}

fn of_rule<'r>(report: &'r Value, rule: &str) -> &'r Value {
    let findings = report["findings"].as_array().unwrap();
    findings.iter().find(|finding| finding["rule"] == rule).unwrap_or_else(|| panic!("no {rule}: {findings:?}"))
}

const KID: &str = "kid-among-claims";
const LIFE: &str = "token-outlives-maximum";

#[test]
fn without_policy_both_rules_find_something() {
    let project = Project::new(&[("t.yaml", TOKEN)]);
    let (code, report) = project.json(&["t.yaml"]);
    assert_eq!(code, 1);
    assert!(report["policy_digest"].is_null());
    assert_eq!(of_rule(&report, LIFE)["severity"], "error");
    assert_eq!(suppressed(&report), [""; 0]);
    of_rule(&report, KID);
}

#[test]
fn a_policy_is_found_upward_within_the_repository() {
    let project = Project::new(&[("tokenvet.yaml", "rules: {only: [kid-among-claims]}\n"), ("a/b/t.yaml", TOKEN)]);
    let only = |args: &[&str], folder: &str| {
        let output = project.run_in(&project.path(folder), &[args, &["-f", "json"]].concat());
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        let rules = report["findings"].as_array().unwrap().iter().map(|f| f["rule"].as_str().unwrap().to_string());
        rules.collect::<Vec<_>>() == [KID]
    };
    assert!(only(&["a/b/t.yaml"], "."), "from above");
    assert!(only(&["t.yaml"], "a/b"), "from inside");
    assert!(only(&["a"], "."), "a folder");
    assert!(!only(&["a", "--no-config"], "."), "switched off");
    project.write("other.yaml", "rules: {only: [token-outlives-maximum]}\n");
    assert!(!only(&["a", "--config", "other.yaml"], "."), "another file");
    fs::create_dir(project.path("a/.git")).unwrap();
    assert!(!only(&["t.yaml"], "a/b"), "not beyond the repository");
}

#[test]
fn fingerprints_do_not_depend_on_the_working_folder() {
    // Without names only its place tells a token from others.
    let named = |line: &&str| ["jti:", "sub:"].iter().any(|name| line.contains(name));
    let unnamed: String = TOKEN.lines().filter(|line| !named(line)).map(|line| format!("{line}\n")).collect();
    let project = Project::new(&[("tokenvet.yaml", "{}\n"), ("a/t.yaml", &unnamed), ("b/t.yaml", &unnamed)]);
    let fingerprint = |folder: &str, path: &str| {
        let output = project.run_in(&project.path(folder), &[path, "--only", LIFE, "-f", "json"]);
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        of_rule(&report, LIFE)["fingerprint"].as_str().unwrap().to_string()
    };
    let here = fingerprint(".", "a/t.yaml");
    assert_ne!(here, fingerprint(".", "b/t.yaml"), "the place counts");
    for (folder, path) in [("a", "t.yaml"), ("a", "../a/t.yaml"), (".", "./a"), ("b", "../a/t.yaml")] {
        assert_eq!(fingerprint(folder, path), here, "{folder} {path}");
    }
}

#[test]
fn overrides_hold_for_their_files() {
    let policy = "overrides:\n- {files: [old/**], severity: {token-outlives-maximum: warning}}\n\
                  - {files: ['*.test.yaml'], rules: {ignore: [token-outlives-maximum]}}\n";
    let project = Project::new(&[
        ("tokenvet.yaml", policy),
        ("new/t.yaml", TOKEN),
        ("old/t.yaml", TOKEN),
        ("old/x.test.yaml", TOKEN),
    ]);
    let (code, report) = project.json(&["."]);
    assert_eq!(code, 1);
    let lives: Vec<String> = live(&report).into_iter().filter(|line| line.starts_with(LIFE)).collect();
    assert_eq!(lives, [format!("{LIFE} error new/t.yaml"), format!("{LIFE} warning old/t.yaml")]);
    let changed =
        report["findings"].as_array().unwrap().iter().find(|f| f["severity"] == "warning" && f["rule"] == LIFE);
    assert_eq!(changed.unwrap()["default_severity"], "error", "the change shows");
}

#[test]
fn a_changed_severity_is_said_to_people_too() {
    let project =
        Project::new(&[("tokenvet.yaml", "severity: {token-outlives-maximum: note}\n"), ("t.yaml", &long_lived())]);
    let output = project.run(&["t.yaml"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(text.contains("error by default"), "{text}");
}

#[test]
fn limits_and_failing_follow_the_policy_and_the_command_line_wins() {
    let project = Project::new(&[("t.yaml", TOKEN)]);
    let policy = |text: &str| project.write("tokenvet.yaml", text);
    let has = |args: &[&str]| live(&project.json(args).1).iter().any(|line| line.starts_with(LIFE));
    policy("limits: {access_token.lifetime.max: 12 d}\n");
    assert!(!has(&["t.yaml"]), "a longer limit");
    policy("limits: {access_token.lifetime.max: 2 d}\n");
    let (code, report) = project.json(&["t.yaml"]);
    assert_eq!(code, 1);
    assert!(of_rule(&report, LIFE)["message"].as_str().unwrap().contains("2 d"));
    policy("rules: {ignore: [token-outlives-maximum]}\nfail-on: note\n");
    assert!(!has(&["t.yaml"]));
    assert!(has(&["t.yaml", "--only", LIFE]), "asked for by name");
    assert_eq!(project.json(&["t.yaml"]).0, 1, "the policy's fail-on");
    assert_eq!(project.json(&["t.yaml", "--fail-on", "never"]).0, 0, "the command line's");
    policy("profiles: [rfc9068]\n");
    let (_, report) = project.json(&["t.yaml"]);
    let why = |id: &str, report: &Value| {
        let profiles = report["profiles"].as_array().unwrap().iter().find(|profile| profile["id"] == id).cloned();
        profiles.map(|profile| profile["why"].as_str().unwrap().to_string())
    };
    assert_eq!(why("rfc9068@1", &report).as_deref(), Some("tokenvet.yaml"));
    let (_, report) = project.json(&["t.yaml", "--profile", "wlcg@1.3"]);
    assert_eq!((why("wlcg@1.3", &report).as_deref(), why("rfc9068@1", &report)), (Some("--profile"), None));
}

#[test]
fn ignored_paths_are_left_out_of_folders_but_named_files_are_meant() {
    let project = Project::new(&[
        ("tokenvet.yaml", "ignore: [vendor, '*.bak.yaml']\n"),
        ("vendor/a/t.yaml", TOKEN),
        ("t.bak.yaml", TOKEN),
        ("t.yaml", TOKEN),
    ]);
    let paths = |report: &Value| {
        let documents = report["documents"].as_array().unwrap().iter();
        documents.map(|document| document["path"].as_str().unwrap().to_string()).collect::<Vec<_>>()
    };
    assert_eq!(paths(&project.json(&["."]).1), ["t.yaml"]);
    assert_eq!(paths(&project.json(&["t.bak.yaml"]).1), ["t.bak.yaml"]);
}

#[test]
fn comments_suppress_with_a_reason() {
    let exp = "  exp: 1764784000";
    let token = long_lived();
    let with = |comment: &str| token.replace(exp, &format!("{exp} {comment}"));
    for (text, hidden, expected, remark) in [
        (with("# tokenvet: allow token-outlives-maximum -- agreed"), true, None, "behind the value"),
        (
            token.replace(exp, &format!("  # tokenvet: allow token-outlives-maximum -- agreed\n{exp}")),
            true,
            None,
            "above",
        ),
        (with("# tokenvet: allow token-outlives-maximum"), false, Some("suppression-without-reason"), "no reason"),
        (with("# tokenvet: allow token-outlives-max -- x"), false, Some("suppression-of-unknown-rule"), "unknown"),
        (with("# tokenvet: allow kid-among-claims -- x"), false, Some("suppression-unused"), "nothing there"),
    ] {
        let project = Project::new(&[("t.yaml", &text)]);
        let (code, report) = project.json(&["t.yaml"]);
        assert_eq!(suppressed(&report).len(), usize::from(hidden), "{remark}");
        assert_eq!(code, i32::from(!hidden), "{remark}");
        let own: Vec<&str> =
            report["findings"].as_array().unwrap().iter().map(|f| f["rule"].as_str().unwrap()).collect();
        let own: Vec<&str> = own.into_iter().filter(|rule| rule.starts_with("suppression")).collect();
        assert_eq!(own, expected.into_iter().collect::<Vec<_>>(), "{remark}");
        if let Some(rule) = expected {
            let finding = of_rule(&report, rule);
            let start = finding["region"]["byte_offset"].as_u64().unwrap() as usize;
            let end = start + finding["region"]["byte_length"].as_u64().unwrap() as usize;
            let named = text.split("allow ").nth(1).unwrap().split_whitespace().next().unwrap();
            assert_eq!(&text[start..end], named, "{remark}: it points into the comment");
        }
    }
}

#[test]
fn a_rule_that_did_not_run_leaves_its_suppression_alone() {
    let text = TOKEN.replace("  exp", "  # tokenvet: allow token-outlives-maximum -- agreed\n  exp");
    let project = Project::new(&[("t.yaml", &text)]);
    for args in [["t.yaml", "--ignore", LIFE], ["t.yaml", "--profile", "rfc9068"]] {
        let found = live(&project.json(&args).1);
        assert!(!found.iter().any(|line| line.starts_with("suppression")), "{args:?}: {found:?}");
    }
}

#[test]
fn suppressed_findings_stay_in_the_reports() {
    let text = TOKEN.replace("  exp", "  # tokenvet: allow token-outlives-maximum -- agreed\n  exp");
    let project = Project::new(&[("t.yaml", &text)]);
    let (_, report) = project.json(&["t.yaml", "-o", "sarif=out.sarif"]);
    assert_eq!(report["summary"]["suppressed"], 1);
    let kept = of_rule(&report, LIFE)["suppressed"].clone();
    assert_eq!((kept["kind"].as_str(), kept["reason"].as_str()), (Some("inline"), Some("agreed")));
    let sarif: Value = serde_json::from_slice(&fs::read(project.path("out.sarif")).unwrap()).unwrap();
    let results = sarif["runs"][0]["results"].as_array().unwrap();
    let result = results.iter().find(|result| result["ruleId"] == LIFE).unwrap();
    assert_eq!(result["suppressions"][0]["kind"], "inSource");
    assert_eq!(result["suppressions"][0]["justification"], "agreed");
}

fn waiver(rule: &str, covers: &str, expires: &str) -> String {
    format!("- rule: {rule}\n  match: {covers}\n  reason: agreed\n  owner: ops\n  expires: {expires}\n")
}

#[test]
fn waivers_hold_until_the_end_of_their_day() {
    let misplaced = TOKEN.replace("1764784000", "1763787600");
    for (covers, expires, hidden, expected, remark) in [
        ("{path: t.yaml}", "2027-01-31", true, "", "by path"),
        ("{path: '**', target: '6d3fb*'}", "2027-01-31", true, "", "by name"),
        ("{pointer: /payload/*}", "2027-01-31", true, "", "by pointer"),
        ("{target: 0b1c8a4e*}", "2027-01-31", true, "", "by identity"),
        ("{path: t.yaml}", "2026-01-01", true, "waiver-expiring note", "its last day"),
        ("{path: t.yaml}", "2025-12-31", false, "waiver-expired warning", "the day after"),
        ("{path: x.yaml}", "2027-01-31", false, "waiver-unused warning", "another path"),
        ("{path: t.yaml, target: other}", "2027-01-31", false, "waiver-unused warning", "another target"),
        ("{pointer: /payload}", "2027-01-31", false, "waiver-unused warning", "another pointer"),
    ] {
        let file = waiver(KID, covers, expires);
        let files = [
            ("tokenvet.yaml", "waivers: [w.yaml]\nseverity: {kid-among-claims: error}\n"),
            ("w.yaml", &file),
            ("t.yaml", &misplaced),
        ];
        let project = Project::new(&files);
        let (code, report) = project.json(&["."]);
        assert_eq!(code, i32::from(!hidden), "{remark}");
        assert_eq!(suppressed(&report).len(), usize::from(hidden), "{remark}");
        let own: Vec<String> = live(&report).into_iter().filter(|line| line.starts_with("waiver")).collect();
        let wanted: Vec<String> = (!expected.is_empty()).then(|| format!("{expected} w.yaml")).into_iter().collect();
        assert_eq!(own, wanted, "{remark}");
        if hidden {
            let kept = of_rule(&report, KID)["suppressed"].clone();
            assert_eq!((kept["owner"].as_str(), kept["expires"].as_str()), (Some("ops"), Some(expires)), "{remark}");
        }
    }
}

#[test]
fn a_waiver_of_what_was_not_checked_is_not_called_unused() {
    let file = waiver(KID, "{path: other/**}", "2027-01-31");
    let project = Project::new(&[("tokenvet.yaml", "waivers: [w.yaml]\n"), ("w.yaml", &file), ("t.yaml", TOKEN)]);
    assert!(!live(&project.json(&["t.yaml"]).1).iter().any(|line| line.starts_with("waiver")));
    assert!(live(&project.json(&["."]).1).contains(&"waiver-unused warning w.yaml".to_string()));
}

#[test]
fn a_waiver_that_says_too_little_is_refused() {
    let good = waiver(KID, "{path: t.yaml}", "2027-01-31");
    let project = Project::new(&[("t.yaml", TOKEN)]);
    for (bad, says, remark) in [
        (good.replace("  expires: 2027-01-31\n", ""), "expires", "no last day"),
        (good.replace("2027-01-31", "2027-02-30"), "YYYY-MM-DD", "no such day"),
        (good.replace("2027-01-31", "''"), "YYYY-MM-DD", "an empty day"),
        (good.replace("agreed", "' '"), "empty", "no reason"),
        (good.replace("  owner: ops\n", ""), "owner", "no owner"),
        (good.replace("{path: t.yaml}", "{}"), "say what is covered", "covers nothing"),
        (good.replace(KID, "kid-among-claim"), "did you mean `kid-among-claims`", "unknown rule"),
        (good.replace("path:", "file:"), "unknown field", "unknown member"),
        (good.replace("t.yaml", "'['"), "no valid glob", "a broken glob"),
    ] {
        project.write("w.yaml", &bad);
        let text = project.refused(&["t.yaml", "--waivers", "w.yaml"]);
        assert!(text.contains(says) && text.contains("w.yaml"), "{remark}: {text}");
    }
}

#[test]
fn a_baseline_hides_what_was_there_and_tells_what_is_gone() {
    let project = Project::new(&[("t.yaml", TOKEN)]);
    let written = project.run(&["t.yaml", "--write-baseline", "b.json"]);
    assert_eq!(written.status.code(), Some(0), "accepted findings do not fail");
    let first = fs::read_to_string(project.path("b.json")).unwrap();
    assert!(first.contains(LIFE) && !first.contains("1764784000"));
    project.run(&["t.yaml", "--write-baseline", "c.json"]);
    assert_eq!(fs::read_to_string(project.path("c.json")).unwrap(), first, "stable bytes");

    let (code, report) = project.json(&["t.yaml", "--baseline", "b.json"]);
    assert_eq!((code, live(&report).len()), (0, 0));
    assert_eq!(of_rule(&report, LIFE)["suppressed"]["kind"], "baseline");

    project.write("t.yaml", &format!("# moved\n\n{}", TOKEN.replace("exp: 1764784000", "exp: 1763785000")));
    let (code, report) = project.json(&["t.yaml", "--baseline", "b.json"]);
    assert_eq!(code, 0);
    assert_eq!(live(&report), ["baseline-stale note b.json"], "repaired");
    project.write("u.yaml", &TOKEN.replace("0b1c8a4e", "1b1c8a4e"));
    let (code, report) = project.json(&["u.yaml", "--baseline", "b.json"]);
    assert_eq!(code, 1, "another token");
    assert!(!live(&report).iter().any(|line| line.starts_with("baseline")), "t.yaml was not judged");
}

#[test]
fn writing_a_baseline_keeps_what_was_not_judged_and_loses_nothing() {
    let other = TOKEN.replace("0b1c8a4e", "1b1c8a4e");
    let project = Project::new(&[("t.yaml", TOKEN), ("u.yaml", &other), ("tokenvet.yaml", "baseline: b.json\n")]);
    project.run(&[".", "--write-baseline", "b.json"]);
    let both = fs::read_to_string(project.path("b.json")).unwrap();
    assert!(both.contains("\"t.yaml\"") && both.contains("\"u.yaml\""), "{both}");
    project.run(&["t.yaml", "--write-baseline", "b.json"]);
    assert_eq!(fs::read_to_string(project.path("b.json")).unwrap(), both);
    project.write("bad.json", "{\"client_id\": ");
    assert_eq!(project.run(&["bad.json", "--write-baseline", "b.json"]).status.code(), Some(2));
    assert_eq!(fs::read_to_string(project.path("b.json")).unwrap(), both, "the old file is whole");
    assert_eq!(project.run(&["t.yaml", "--write-baseline", "no/such/b.json"]).status.code(), Some(2));
    assert!(
        !fs::read_dir(project.0.path()).unwrap().any(|e| e
            .unwrap()
            .file_name()
            .to_string_lossy()
            .starts_with(".tokenvet-"))
    );
}

#[test]
fn what_looks_like_a_policy_is_not_passed_over() {
    let project = Project::new(&[("in/t.yaml", TOKEN), ("in/below/u.yaml", TOKEN)]);
    project.write("in/tokenvet.yml", "severities: {}\n");
    for path in ["in/t.yaml", "in/below/u.yaml"] {
        let ran = project.run(&[path]);
        let text = String::from_utf8_lossy(&ran.stdout).into_owned();
        assert!(text.contains("in/tokenvet.yml is not read as the policy, whose name is tokenvet.yaml"), "{text}");
    }
    std::os::unix::fs::symlink("gone.yaml", project.path("in/tokenvet.yaml")).unwrap();
    for path in ["in/t.yaml", "in/below/u.yaml"] {
        let text = project.refused(&[path]);
        assert!(text.contains("in/tokenvet.yaml: the policy is to be here"), "{text}");
    }
    fs::remove_file(project.path("in/tokenvet.yaml")).unwrap();
    fs::create_dir(project.path("in/tokenvet.yaml")).unwrap();
    assert!(project.refused(&["in"]).contains("in/tokenvet.yaml: the policy is to be here"));
    assert_eq!(project.run(&["in/t.yaml", "--no-config"]).status.code(), Some(1));
    fs::remove_dir_all(project.path("in/tokenvet.yaml")).unwrap();
    project.write("in/tokenvet.yaml", "{}\n");
    let ran = project.run(&["in/t.yaml"]);
    assert!(!String::from_utf8_lossy(&ran.stdout).contains("tokenvet.yml"), "the right one is there");
}

#[test]
fn a_baseline_holds_for_the_files_it_names() {
    let client = |grant: &str| {
        format!(
            "client_id: rucio\nclient_name: rucio\ngrant_types: [{grant}]\nredirect_uris: []\nscope: openid\n\
             token_endpoint_auth_method: client_secret_basic\naccess_token_validity_seconds: 3600\n"
        )
    };
    let (bad, good) = (client("password"), client("client_credentials"));
    let project = Project::new(&[("atlas/c.yaml", &bad), ("cms/c.yaml", &good)]);
    project.run(&[".", "--write-baseline", "b.json"]);
    project.write("cms/c.yaml", &bad);
    let (_, report) = project.json(&[".", "--baseline", "b.json"]);
    let of_rule =
        |list: Vec<String>| list.into_iter().filter(|line| line.starts_with("client-password-grant")).collect();
    let (hidden, told): (Vec<String>, Vec<String>) = (of_rule(suppressed(&report)), of_rule(live(&report)));
    assert_eq!(hidden, ["client-password-grant error atlas/c.yaml"]);
    assert_eq!(told, ["client-password-grant error cms/c.yaml"], "another client of the same name");
}

#[test]
fn a_baseline_keeps_what_a_run_says_nothing_about() {
    let other = TOKEN.replace("0b1c8a4e", "1b1c8a4e");
    let project = Project::new(&[("t.yaml", TOKEN), ("u.yaml", &other)]);
    let written = || fs::read_to_string(project.path("b.json")).unwrap();
    project.run(&[".", "--write-baseline", "b.json"]);
    let both = written();
    for (arguments, remark) in [
        (&["t.yaml"][..], "of an existing file, other files"),
        (&[".", "--baseline", "b.json", "--only", LIFE], "other rules"),
        (&[".", "--ignore", LIFE], "the rule that is left out"),
    ] {
        let arguments = [arguments, &["--write-baseline", "b.json"]].concat();
        assert_eq!(project.run(&arguments).status.code(), Some(0), "{remark}");
        assert_eq!(written(), both, "{remark}");
    }
    project.write("t.yaml", &TOKEN.replace("exp: 1764784000", "exp: 1763785000"));
    project.run(&["t.yaml", "--write-baseline", "b.json"]);
    assert_eq!(written().matches(LIFE).count(), both.matches(LIFE).count() - 1, "what is repaired goes");
}

#[test]
fn nothing_that_a_run_reads_is_overwritten() {
    let project = Project::new(&[("in/t.yaml", TOKEN), ("in/w.yaml", "[]\n"), ("link/x", "")]);
    project.write("in/tokenvet.yaml", "waivers: [w.yaml]\n");
    std::os::unix::fs::symlink(project.path("in/t.yaml"), project.path("link/t.yaml")).unwrap();
    for (arguments, says) in [
        (&["in/t.yaml", "-o", "json=in/t.yaml"][..], "cannot write in/t.yaml: it is one of the files to check"),
        (&["in", "-o", "json=link/../in/t.yaml"], "it is one of the files to check"),
        (&["in", "-o", "json=link/t.yaml"], "it is one of the files to check"),
        (&["in", "-o", "json=in/w.yaml"], "it governs this run"),
        (&["in", "-o", "sarif=in/tokenvet.yaml"], "it governs this run"),
        (&["in", "--write-baseline", "in/t.yaml"], "no baseline"),
        (&["in", "--write-baseline", "in/tokenvet.yaml"], "no baseline"),
        (&["in", "-o", "json=out", "-o", "sarif=in/../out"], "twice"),
        (&["in", "-o", "json=out", "--write-baseline", "out"], "twice"),
    ] {
        let text = project.refused(arguments);
        assert!(text.contains(says), "{arguments:?}: {text}");
    }
    assert_eq!(fs::read_to_string(project.path("in/t.yaml")).unwrap(), TOKEN);
    for _ in 0..2 {
        let ran = project.run(&["in", "-o", "json=in/report.json", "-o", "sarif=in/report.sarif"]);
        assert_eq!(ran.status.code(), Some(1), "reports may lie beside what they are about");
    }
    let ran = project.run(&["in", "-o", "json=/dev/null", "-o", "sarif=/dev/null"]);
    assert_eq!(ran.status.code(), Some(1), "and go nowhere");
}

#[test]
fn a_policy_names_nothing_outside_its_folder() {
    let project = Project::new(&[("p/t.yaml", TOKEN), ("outside/w.yaml", "[]\n"), ("p/in/w.yaml", "[]\n")]);
    std::os::unix::fs::symlink(project.path("outside"), project.path("p/out")).unwrap();
    std::os::unix::fs::symlink(project.path("outside/w.yaml"), project.path("p/w.yaml")).unwrap();
    std::os::unix::fs::symlink(project.path("p/in/w.yaml"), project.path("p/ok.yaml")).unwrap();
    let absolute = project.path("outside/w.yaml").display().to_string();
    for name in [
        "../outside/w.yaml",
        "in/../../outside/w.yaml",
        "in/../in/w.yaml",
        absolute.as_str(),
        "/etc/passwd",
        "file:///etc/passwd",
        "https://example.org/w.yaml",
        "out/w.yaml",
        "w.yaml",
        "..",
        "in/*.yaml",
        "missing.yaml",
        "''",
    ] {
        for member in ["rule-files: [X]", "waivers: [X]", "baseline: X"] {
            project.write("p/tokenvet.yaml", &format!("{}\n", member.replace('X', name)));
            let text = project.refused(&["p/t.yaml"]);
            assert!(text.contains("tokenvet.yaml:1:"), "{member} {name}: {text}");
            assert!(!text.contains("root:"), "{member} {name}: {text}");
        }
    }
    for name in ["in/w.yaml", "./in/w.yaml", "ok.yaml"] {
        project.write("p/tokenvet.yaml", &format!("waivers: [{name}]\n"));
        assert_eq!(project.run(&["p/t.yaml"]).status.code(), Some(1), "{name}");
    }
}

#[test]
fn hostile_policies_end_soon_at_a_place() {
    let bomb: String = (1..9).fold("a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_string(), |text, n| {
        let line = vec![format!("*a{}", n - 1); 9].join(", ");
        text + &format!("a{n}: &a{n} [{line}]\n")
    });
    let deep = format!("ignore: {}{}\n", "[".repeat(100_000), "]".repeat(100_000));
    let large = format!("ignore: [{}]\n", "a,".repeat(600_000));
    let many = format!("overrides: [{}]\n", "{files: [a]},".repeat(101));
    let globs = format!("ignore: ['{}']\n", "{a,b}*".repeat(160));
    let project = Project::new(&[("t.yaml", TOKEN)]);
    for (text, remark) in [
        (bomb.as_str(), "aliases"),
        (&deep, "nesting"),
        (&large, "size"),
        (&many, "overrides"),
        ("", "nothing"),
        ("a: b: c\n", "no YAML"),
        ("--- {}\n--- {}\n", "two documents"),
        ("ignore: ['{a,{b,{c']\n", "a broken glob"),
    ] {
        project.write("tokenvet.yaml", text);
        let start = Instant::now();
        let error = project.refused(&["t.yaml"]);
        assert!(start.elapsed() < Duration::from_secs(5), "{remark}");
        assert!(error.contains("tokenvet.yaml") && error.len() < 10_000, "{remark}: {error}");
    }
    project.write("tokenvet.yaml", &globs);
    let start = Instant::now();
    project.run(&["."]);
    assert!(start.elapsed() < Duration::from_secs(5), "a glob of many alternatives");
}

#[test]
fn own_rules_come_with_the_policy_and_count_in_the_digest() {
    let rule = "id: token-of-iam\ntitle: T\ntarget: access-token\nseverity: note\ncheck: {iss: {pattern: '^x'}}\n\
                message: m\nhelp: h\nrationale: r\nexamples: []\n";
    let project = Project::new(&[("rules/token-of-iam.yaml", rule), ("t.yaml", TOKEN)]);
    project.write("tokenvet.yaml", "rule-files: [rules]\nseverity: {token-of-iam: error}\n");
    let (_, report) = project.json(&["t.yaml"]);
    assert_eq!(of_rule(&report, "token-of-iam")["severity"], "error");
    let digest = report["policy_digest"].as_str().unwrap().to_string();
    assert_eq!(digest.len(), 64);
    assert_eq!(project.run(&["t.yaml", "--policy-digest", &digest]).status.code(), Some(1));
    project.write("rules/token-of-iam.yaml", &rule.replace("'^x'", "'^y'"));
    let (_, changed) = project.json(&["t.yaml"]);
    assert_ne!(changed["policy_digest"], digest.as_str());
    assert!(project.refused(&["t.yaml", "--policy-digest", &digest]).contains("another"));
}

#[test]
fn expressions_know_the_environment() {
    let rule = "id: in-production\ntitle: T\ntarget: access-token\nseverity: note\n\
                check: {cel: \"environment != 'production' || self.iss == ''\"}\nat: [iss]\n\
                message: m\nhelp: h\nrationale: r\nexamples: []\n";
    let project = Project::new(&[("in-production.yaml", rule), ("t.yaml", TOKEN)]);
    for (policy, found) in [("environment: production\n", true), ("environment: test\n", false), ("{}\n", false)] {
        project.write("tokenvet.yaml", policy);
        let (_, report) = project.json(&["t.yaml", "--rules", "in-production.yaml", "--only", "in-production"]);
        assert_eq!(live(&report).len(), usize::from(found), "{policy}");
    }
}

#[test]
fn secrets_near_a_comment_stay_hidden() {
    let text =
        "client_id: a\nclient_secret: canary-8f2c91d7e6b5 # tokenvet: allow no-such-rule -- x\nregistration: y\n";
    let project = Project::new(&[("t.yaml", text), ("c.env", "")]);
    let env = "IAM_ISSUER=https://iam.example.org/\nIAM_JAVA_OPTS=-Xmx1g\n# tokenvet: allow no-such-rule -- x\n\
               IAM_DB_PASSWORD=canary-8f2c91d7e6b5\n";
    project.write("c.env", env);
    for name in ["t.yaml", "c.env"] {
        for format in ["human", "json", "sarif", "github", "markdown"] {
            let output = project.run(&[name, "-f", format, "--unrecognised", "skip"]);
            let all = [output.stdout, output.stderr].concat();
            assert!(!String::from_utf8_lossy(&all).contains("canary-8f2c91d7e6b5"), "{name} {format}");
        }
    }
    assert!(live(&project.json(&["c.env"]).1).iter().any(|line| line.starts_with("suppression-of-unknown-rule")));
}

/// A rule on XRootD before version 6, about what every file here shows.
const RULE_OF_OLD_VERSIONS: &str = r#"
id: old-xrootd-reads-differently
title: Old versions read this in another way
target: trust
severity: warning
versions: "<6"
check:
  restricted_paths: { present: false }
message: "{restricted_paths} is refused itself"
help: "Site: update."
rationale: A test.
examples:
  - name: an old version
    kind: scitokens.cfg
    version: 5.5.3
    fail: "[Issuer VO]\nissuer = https://vo.example.org/\nbase_path = /\nrestricted_path = /vo\n"
    at: ["/issuer vo/restricted_path"]
    says: "/vo is refused itself"
  - name: a new version
    kind: scitokens.cfg
    version: 6.2.1
    skip: "[Issuer VO]\nissuer = https://vo.example.org/\nbase_path = /\nrestricted_path = /vo\n"
  - name: a version that nobody knows
    kind: scitokens.cfg
    fail: "[Issuer VO]\nissuer = https://vo.example.org/\nbase_path = /\nrestricted_path = /vo\n"
    at: ["/issuer vo/restricted_path"]
    says: >-
      /vo is refused itself (true of versions <6; the version here is not known, `services:` in the policy declares it)
  - name: no restricted path
    kind: scitokens.cfg
    pass: "[Issuer VO]\nissuer = https://vo.example.org/\nbase_path = /vo\n"
"#;

#[test]
fn declared_services_settle_which_versions_a_rule_speaks_of() {
    let config = "[Issuer VO]\nissuer = https://vo.example.org/\nbase_path = /\nrestricted_path = /vo\n";
    let policy = |services: &str| {
        format!(
            "rule-files: [old-xrootd-reads-differently.yaml]\nrules: {{only: [old-xrootd-reads-differently]}}\n{services}"
        )
    };
    let project = Project::new(&[
        ("old-xrootd-reads-differently.yaml", RULE_OF_OLD_VERSIONS),
        ("a/scitokens.cfg", config),
        ("b/scitokens.cfg", config),
    ]);
    let tested = Command::new(env!("CARGO_BIN_EXE_tokenvet"))
        .args(["test", "old-xrootd-reads-differently.yaml"])
        .current_dir(project.path(""))
        .output();
    assert!(tested.unwrap().status.success(), "the rule's own examples hold");
    for (services, expected, remark) in [
        ("", vec![("a/scitokens.cfg", true), ("b/scitokens.cfg", true)], "nothing declared"),
        (
            "services: [{type: xrootd, version: 6.2.1, files: ['a/*']}, {type: xrootd, version: '5.5', files: ['b/*']}]\n",
            vec![("b/scitokens.cfg", false)],
            "both declared",
        ),
        (
            "services: [{type: dcache, version: 6.2.1, files: ['**']}]\n",
            vec![("a/scitokens.cfg", true), ("b/scitokens.cfg", true)],
            "the version of other software",
        ),
    ] {
        project.write("tokenvet.yaml", &policy(services));
        let (_, report) = project.json(&["."]);
        let found = report["findings"].as_array().unwrap().iter();
        let found: Vec<(&str, bool)> = found
            .map(|finding| {
                (
                    finding["path"].as_str().unwrap(),
                    finding["message"].as_str().unwrap().contains("true of versions <6"),
                )
            })
            .collect();
        assert_eq!(found, expected, "{remark}");
    }
    for (services, place) in [
        ("services: [{type: dcahe, files: ['**']}]\n", "did you mean `dcache`"),
        ("services: [{type: dcache, version: newest, files: ['**']}]\n", "a version such as 9.2.24"),
        ("services: [{type: dcache, files: ['[']}]\n", "tokenvet.yaml:3"),
    ] {
        project.write("tokenvet.yaml", &policy(services));
        let told = project.refused(&["."]);
        assert!(told.contains(place), "{told}");
    }
}

#[cfg(unix)]
#[test]
fn modes_of_files_with_secrets_count_where_they_are_in_use() {
    use std::os::unix::fs::PermissionsExt;
    let config = "issuers:\n  - name: vo\n    clientid: vault\n    secret: TESTSECRET-not-real\n    url: https://iam.example.org/\n    roles: [{name: default, scopes: [openid]}]\n";
    let live = TempDir::new().unwrap();
    let mode = |path: &Path, mode: u32| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    let found = |folder: &Path| {
        let args = [
            "check",
            "--no-config",
            "--only",
            "document-secrets-open-to-all",
            "-f",
            "json",
            "--now",
            NOW,
            "vault.yaml",
        ];
        let output = Command::new(env!("CARGO_BIN_EXE_tokenvet")).current_dir(folder).args(args).output().unwrap();
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        report["findings"].as_array().unwrap().len()
    };
    let file = live.path().join("vault.yaml");
    fs::write(&file, config).unwrap();
    for (folder_mode, file_mode, checkout, expected, remark) in [
        (0o755, 0o644, false, 1, "everybody can read it"),
        (0o755, 0o640, false, 0, "the group can"),
        (0o700, 0o644, false, 0, "nobody else can enter the folder"),
        (0o755, 0o644, true, 0, "a checkout"),
    ] {
        mode(live.path(), folder_mode);
        mode(&file, file_mode);
        if checkout {
            fs::create_dir(live.path().join(".git")).unwrap();
        }
        // Where others cannot reach the folder for temporary files, nothing is open to all.
        let open =
            live.path().ancestors().skip(1).all(|above| fs::metadata(above).unwrap().permissions().mode() & 0o001 != 0);
        assert_eq!(found(live.path()), if open { expected } else { 0 }, "{remark}");
    }
}

const RULE: &str = r#"id: client-off-portal
title: A redirect URI leads off the portal
target: client
severity: warning
when: { active: { is: true } }
each: redirect_uris
check: { item: { pattern: '^https://portal[.]example[.]org/' } }
message: "{item} is not on the portal"
help: Register another.
rationale: It was agreed.
examples:
  - { name: a, kind: rfc7591-client, pass: { client_id: a, redirect_uris: ["https://portal.example.org/cb"] } }
  - { name: b, kind: rfc7591-client, fail: { client_id: a, redirect_uris: ["https://x.example.org/"] }, at: [/redirect_uris/0] }
  - { name: c, kind: rfc7591-client, skip: { client_id: a, redirect_uris: [] } }
"#;

#[test]
fn what_is_wrong_with_a_rule_file_is_said_where_it_stands() {
    let max = "{ lifetimes.access_token: { max: FIGURE } }\nwas: ";
    for (old, new, place, words) in [
        (
            "target: client",
            "target: clients",
            "3:9",
            &["unknown variant `clients`", "`trust`", "did you mean `client`?"][..],
        ),
        ("target: client", "target: [client, Client]", "3:18", &["did you mean `client`?"]),
        ("severity: warning", "severity: warning\njoin: { with: isuer }", "5:15", &["did you mean `issuer`?"]),
        ("check: ", &format!("check: {}", max.replace("FIGURE", "1h")), "7:41", &["write 3600"]),
        (
            "check: ",
            &format!("check: {}", max.replace("FIGURE", "some")),
            "7:41",
            &["whole number", "seconds", "`limit`", "`cel`"],
        ),
        ("when: { active: { is: true } }", "when: { cel: self.actve }", "5:9", &["when: ", "did you mean `active`?"]),
        (
            "severity: warning",
            "requirements: [RFC9700-008, RFC9700-999]",
            "4:29",
            &["not in the ledger", "did you mean"],
        ),
        ("severity: warning", "limit: access_token.lifetime.mx", "4:1", &["did you mean `access_token.lifetime.max`?"]),
        ("title:", "titel:", "2:1", &["unknown field `titel`", "did you mean `title`?"]),
    ] {
        let project = Project::new(&[("client-off-portal.yaml", &RULE.replacen(old, new, 1))]);
        let mut command = Command::new(env!("CARGO_BIN_EXE_tokenvet"));
        let output = command.args(["test", "client-off-portal.yaml"]).current_dir(project.path("")).output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(2), "{new}: {said}");
        let flat = said.replace("\n  │", "");
        assert!(flat.contains(&format!("client-off-portal.yaml:{place}]")), "{new}: {said}");
        assert!(words.iter().all(|word| flat.contains(word)), "{new}: {said}");
    }
}

#[test]
fn a_rule_passes_its_test_only_when_a_run_would_take_it() {
    let typed = RULE.replace("check: {", "check: { cel: 'item == 3 + \"x\"',");
    let project = Project::new(&[
        ("client-off-portal.yaml", RULE),
        ("portal.yaml", RULE),
        ("client-idle.yaml", &RULE.replace("client-off-portal", "client-idle")),
        ("client-types.yaml", &typed.replace("client-off-portal", "client-types")),
    ]);
    for (file, code, word) in [
        ("client-off-portal.yaml", 0, "0 failed"),
        ("portal.yaml", 1, "the id is not the file's name"),
        ("client-types.yaml", 1, "does not fit the types"),
        ("client-idle.yaml", 2, "another rule has the id `client-idle`"),
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tokenvet"));
        let output = command.args(["test", file]).current_dir(project.path("")).output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.code() == Some(code) && said.contains(word), "{file}: {said}");
    }
}

#[test]
fn what_is_wrong_with_a_policy_is_said_where_it_stands() {
    let client = r#"{"client_id": "a", "client_name": "a", "redirect_uris": ["https://portal.example.org/cb"]}"#;
    for (policy, place, word) in [
        ("profile: [wlcg]\n", ":1:1]", "did you mean `profiles`?"),
        ("enviroment: production\n", ":1:1]", "did you mean `environment`?"),
        ("environment: production\nfail_on: note\n", ":2:1]", "did you mean `fail-on`?"),
        ("- a\n", ":1:1]", "a mapping is expected here, of `profiles`, `environment`"),
        ("profiles: wlcg\n", ":1:11]", "a list is expected here"),
        ("", ":1:1]", "the file is empty"),
    ] {
        let project = Project::new(&[("tokenvet.yaml", policy), ("client.json", client)]);
        let output = project.run(&["client.json"]);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{policy}: {said}");
        assert!(said.contains(place) && said.replace("\n  │", "").contains(word), "{policy}: {said}");
    }
    for (name, text) in [("tokenvet.yaml", "# nothing yet\n"), ("waivers.yaml", "# none\n"), ("waivers.yaml", "[]\n")] {
        let policy = if name == "tokenvet.yaml" { text } else { "waivers: [waivers.yaml]\n" };
        let project = Project::new(&[("tokenvet.yaml", policy), (name, text), ("client.json", client)]);
        let output = project.run(&["client.json"]);
        assert_eq!(output.status.code(), Some(0), "{text}: {}", String::from_utf8_lossy(&output.stderr));
    }
}
