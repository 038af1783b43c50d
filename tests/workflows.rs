//! Workflows, and waivers whose mitigations must be true, as a user meets them: the built program in a folder of its
//! own.

#![allow(clippy::unwrap_used)] // a helper that fails is a failed test

use serde_json::Value;
use sha2::{Digest, Sha256};
use std::fs;
use std::process::{Command, Output};
use tempfile::TempDir;

const NOW: &str = "2026-01-01T00:00:00Z";
const LIFE: &str = "token-outlives-maximum";

const POLICY: &str = r#"profiles: [wlcg@1.3]
waivers: [w.yaml]
workflows:
- name: transfers
  class: fts-long
  user-class: production
  match: { client-id: [fts-*] }
  max-transfer-time: 5 d
  mitigations: [pull_mode]
  contact: transfers@example.org
"#;

const WAIVER: &str = r#"- rule: token-outlives-maximum
  workflow: transfers
  limit: 5 d
  reason: transfers wait for tapes
  owner: vo@example.org
  agreed: { by: VO security, on: 2025-10-01, risk: TR-4 }
  review-by: 2026-10-01
  requires: [narrow_scope, no_modify, specific_audience, pull_mode]
"#;

/// A token of `hours` that the transfer service got for one file.
fn token(name: &str, hours: i64, aud: &str, scope: &str) -> String {
    let exp = 1_763_784_000 + hours * 3_600;
    format!(
        "header: {{ alg: RS256, kid: rsa1 }}\npayload:\n  wlcg.ver: \"1.0\"\n  sub: fts\n  iss: https://iam.example.org/\n  \
         aud: {aud}\n  nbf: 1763784000\n  iat: 1763784000\n  exp: {exp}\n  scope: {scope}\n  jti: {name}\n  client_id: fts-1\n"
    )
}

fn good(name: &str) -> String {
    token(name, 96, "https://se.example.org", "storage.create:/data/f1 storage.read:/")
}

fn deleting(name: &str) -> String {
    token(name, 96, "https://se.example.org", "storage.modify:/data/f1")
}

struct Project(TempDir);

impl Project {
    /// A folder with policy, waiver file and more.
    fn new(policy: &str, waiver: &str, files: &[(&str, &str)]) -> Self {
        let project = Project(TempDir::new().unwrap());
        fs::create_dir(project.0.path().join(".git")).unwrap();
        project.write("tokenvet.yaml", policy);
        project.write("w.yaml", waiver);
        files.iter().for_each(|(name, text)| project.write(name, text));
        project
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.0.path().join(name), text).unwrap();
    }

    fn run(&self, args: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tokenvet"));
        let now: &[&str] = if args.contains(&"--now") { &[] } else { &["--now", NOW] };
        command.current_dir(self.0.path()).arg("check").args(now).args(args).output().unwrap()
    }

    fn json(&self, args: &[&str]) -> Value {
        let output = self.run(&[args, &["-f", "json"]].concat());
        serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|_| panic!("no report: {}", String::from_utf8_lossy(&output.stderr)))
    }

    fn refused(&self) -> String {
        let output = self.run(&["."]);
        assert_eq!(output.status.code(), Some(2));
        String::from_utf8_lossy(&output.stderr).into_owned()
    }
}

fn findings<'r>(report: &'r Value, rule: &str) -> Vec<&'r Value> {
    report["findings"].as_array().unwrap().iter().filter(|finding| finding["rule"] == rule).collect()
}

/// `path severity` of what a rule reports and nothing suppresses.
fn live(report: &Value, rule: &str) -> Vec<String> {
    let found = findings(report, rule).into_iter().filter(|finding| finding["suppressed"].is_null());
    found.map(|f| format!("{} {}", f["path"].as_str().unwrap(), f["severity"].as_str().unwrap())).collect()
}

/// The rules about waivers that found something, with their messages.
fn about_waivers(report: &Value) -> Vec<String> {
    let found = report["findings"].as_array().unwrap().iter();
    let own = found.filter(|finding| finding["rule"].as_str().unwrap().starts_with("waiver"));
    own.map(|f| format!("{}: {}", f["rule"].as_str().unwrap(), f["message"].as_str().unwrap())).collect()
}

#[test]
fn a_waiver_lifts_a_maximum_when_all_of_it_holds() {
    let without = |line: &str| {
        let kept: Vec<&str> = WAIVER.lines().filter(|kept| !kept.contains(line)).collect();
        kept.join("\n") + "\n"
    };
    for (waiver, lifted, expected, remark) in [
        (WAIVER.to_string(), true, "", "complete"),
        (WAIVER.replace("review-by: 2026-10-01", "expires: 2026-10-01"), true, "", "a last day will do"),
        (WAIVER.replace("5 d", "4 d"), true, "", "the limit itself"),
        (WAIVER.replace("5 d", "3 d"), false, "waiver-limit-exceeded", "a shorter limit"),
        (without("agreed"), false, "waiver-incomplete-agreement", "no agreement"),
        (WAIVER.replace(", risk: TR-4", ""), false, "waiver-incomplete-agreement", "no risk"),
        (WAIVER.replace("2025-10-01", "2026-10-01"), false, "waiver-incomplete-agreement", "a day to come"),
        (without("requires"), false, "waiver-incomplete-agreement", "no mitigations"),
        (without("limit"), false, "waiver-incomplete-agreement", "no limit"),
        (without("review-by"), false, "waiver-incomplete-agreement", "no end"),
        (
            WAIVER.replace("workflow: transfers", "match: { path: '**' }"),
            false,
            "waiver-incomplete-agreement",
            "no workflow",
        ),
        (WAIVER.replace("2026-10-01", "2025-12-31"), false, "waiver-review-passed", "the review is overdue"),
        (WAIVER.replace("review-by: 2026-10-01", "expires: 2025-12-31"), false, "waiver-expired", "expired"),
        (
            WAIVER.replace("workflow: transfers", "workflow: transfer"),
            false,
            "waiver-of-unknown-workflow",
            "a misspelt name",
        ),
        (
            WAIVER.replace("pull_mode]", "pull_mode, managed_service]"),
            false,
            "waiver-mitigation-not-true",
            "what the workflow does not declare",
        ),
    ] {
        let project = Project::new(POLICY, &waiver, &[("a.yaml", &good("a"))]);
        let report = project.json(&["."]);
        let wanted: &[&str] = if lifted { &[] } else { &["a.yaml error"] };
        assert_eq!(live(&report, LIFE), wanted, "{remark}");
        let own: Vec<String> = about_waivers(&report);
        let own: Vec<&str> = own.iter().map(|line| line.split(':').next().unwrap()).collect();
        assert_eq!(own, Vec::from_iter((!expected.is_empty()).then_some(expected)), "{remark}");
    }
}

#[test]
fn what_is_lifted_stays_in_the_report_with_the_standing_of_each_mitigation() {
    let project = Project::new(POLICY, WAIVER, &[("a.yaml", &good("a"))]);
    let report = project.json(&["."]);
    let suppressed = &findings(&report, LIFE)[0]["suppressed"];
    assert_eq!(suppressed["kind"], "waiver");
    assert_eq!(suppressed["expires"], "2026-10-01");
    let standings =
        ["narrow_scope: verified", "no_modify: verified", "specific_audience: verified", "pull_mode: as declared"];
    assert_eq!(suppressed["mitigations"], Value::from(standings.to_vec()));
}

#[test]
fn a_mitigation_that_is_not_true_voids_the_waiver() {
    let narrow = "storage.create:/data/f1";
    for (aud, scope, broken, remark) in [
        ("https://se.example.org", "storage.modify:/data/f1", Some("no_modify"), "deleting"),
        ("https://se.example.org", "storage.create:/data", Some("narrow_scope"), "one component"),
        ("https://se.example.org", "storage.stage:/", Some("narrow_scope"), "staging everything"),
        ("https://se.example.org", "storage.create:/a/../data", Some("narrow_scope"), "dots go up"),
        ("https://wlcg.cern.ch/jwt/v1/any", narrow, Some("specific_audience"), "every service"),
        ("[https://se.example.org, https://wlcg.cern.ch/jwt/v1/any]", narrow, Some("specific_audience"), "one of two"),
        ("[]", narrow, Some("specific_audience"), "no audience"),
        ("[https://a.example.org, https://b.example.org]", narrow, None, "two services"),
        ("https://se.example.org", "storage.create:/data/f1 storage.read:/ storage.poll:/", None, "wide reading"),
    ] {
        let project = Project::new(POLICY, WAIVER, &[("a.yaml", &token("a", 96, aud, scope))]);
        let report = project.json(&["."]);
        assert_eq!(live(&report, LIFE).is_empty(), broken.is_none(), "{remark}");
        let own = about_waivers(&report);
        match broken {
            None => assert!(own.is_empty(), "{remark}: {own:?}"),
            Some(mitigation) => {
                let start = format!("waiver-mitigation-not-true: {mitigation} is not true of access-token ");
                assert!(own.len() == 1 && own[0].starts_with(&start), "{remark}: {own:?}");
                assert!(own[0].contains("(a.yaml:"), "{remark}: {own:?}");
            }
        }
    }
}

#[test]
fn the_depth_of_a_narrow_scope_is_the_policys() {
    let policy = format!("{POLICY}limits: {{ narrow_scope.depth.min: 3 }}\n");
    let project = Project::new(&policy, WAIVER, &[("a.yaml", &good("a"))]);
    assert_eq!(live(&project.json(&["."]), LIFE), ["a.yaml error"]);
}

#[test]
fn one_token_voids_the_waiver_for_all_in_any_order_and_with_any_number_of_threads() {
    for (bad, other) in [("a.yaml", "z.yaml"), ("z.yaml", "a.yaml")] {
        let project = Project::new(POLICY, WAIVER, &[(bad, &deleting("bad")), (other, &good("good"))]);
        for order in [["a.yaml", "z.yaml"], ["z.yaml", "a.yaml"]] {
            for threads in ["1", "4"] {
                let report = project.json(&[order[0], order[1], "--threads", threads]);
                assert_eq!(live(&report, LIFE), ["a.yaml error", "z.yaml error"], "{bad} {order:?} {threads}");
                let own = about_waivers(&report);
                assert!(own.len() == 1 && own[0].contains(&format!("({bad}:")), "{own:?}");
            }
        }
        // What is not covered voids nothing.
        let report = project.json(&[other]);
        assert_eq!(live(&report, LIFE), [""; 0]);
    }
    let short = token("short", 5, "https://se.example.org", "storage.modify:/");
    let longer = token("longer", 24 * 6, "https://se.example.org", "storage.modify:/");
    let files = [("a.yaml", good("a")), ("b.yaml", short), ("c.yaml", longer)];
    let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (*name, text.as_str())).collect();
    let report = Project::new(POLICY, WAIVER, &files).json(&["."]);
    assert_eq!(live(&report, LIFE), ["c.yaml error"], "one needs no waiver, one exceeds it");
    assert!(about_waivers(&report)[0].starts_with("waiver-limit-exceeded"), "{:?}", about_waivers(&report));
}

#[test]
fn every_format_shows_a_decision_of_the_end() {
    let project = Project::new(POLICY, WAIVER, &[("a.yaml", &good("a")), ("b.yaml", &deleting("b"))]);
    for format in ["human", "jsonl", "sarif", "github", "gitlab", "junit", "markdown", "html"] {
        let voided = project.run(&[".", "-f", format]);
        let text = String::from_utf8_lossy(&voided.stdout).into_owned();
        assert!(text.contains(LIFE) && text.contains("waiver-mitigation-not-true"), "{format}: {text}");
        assert_eq!(voided.status.code(), Some(1), "{format}");
        assert_eq!(project.run(&["a.yaml", "-f", format]).status.code(), Some(0), "{format}");
    }
}

const CLIENT: &str = r#"{"client_id": "fts-1", "client_name": "Transfers", "token_endpoint_auth_method": "client_secret_basic",
 "access_token_validity_seconds": 345600, "active": true, "grant_types": ["client_credentials"], "scope": "storage.modify:/",
 "contacts": ["a@example.org"], "redirect_uris": []}"#;

#[test]
fn a_registration_never_voids_a_waiver() {
    let waiver = WAIVER.replace(LIFE, "client-access-token-over-maximum");
    let project = Project::new(POLICY, &waiver, &[("c.json", CLIENT)]);
    let report = project.json(&["."]);
    assert_eq!(live(&report, "client-access-token-over-maximum"), [""; 0]);
    assert_eq!(about_waivers(&report), [""; 0]);
    let suppressed = &findings(&report, "client-access-token-over-maximum")[0]["suppressed"];
    let shown: Vec<&str> = suppressed["mitigations"].as_array().unwrap().iter().map(|m| m.as_str().unwrap()).collect();
    assert_eq!(shown[..3].iter().filter(|text| text.ends_with("not shown by a registration")).count(), 3, "{shown:?}");
    assert_eq!(shown[3], "pull_mode: as declared");
}

#[test]
fn versions_whose_limit_nothing_lifts_stay_errors() {
    let policy = POLICY.replace("wlcg@1.3", "wlcg@1.0, wlcg@1.3");
    let report = Project::new(&policy, WAIVER, &[("a.yaml", &good("a"))]).json(&["."]);
    let standing: Vec<_> =
        findings(&report, LIFE).iter().map(|f| (f["profile"].clone(), f["suppressed"].is_null())).collect();
    assert_eq!(standing, [("wlcg@1.0".into(), true), ("wlcg@1.3".into(), false)]);
}

#[test]
fn a_plain_waiver_lifts_no_maximum_that_its_profile_keeps() {
    let server = r#"{"services": {"iam": {"image": "indigoiam/iam-login-service:v1.12.0", "environment": {
        "IAM_ISSUER": "https://iam.example.org/", "IAM_DEFAULT_ACCESS_TOKEN_VALIDITY_SECONDS": "90000",
        "IAM_JWK_CACHE_LIFETIME": "172800"}}}}"#;
    let plain = |rule: &str| {
        format!("- {{rule: {rule}, match: {{path: '**'}}, reason: x, owner: o@example.org, expires: 2026-06-30}}\n")
    };
    let waivers = plain("settings-access-token-over-maximum") + &plain("settings-key-cache-too-long");
    let policy = "profiles: [wlcg@1.0, wlcg@1.3]\nwaivers: [w.yaml]\n";
    let report = Project::new(policy, &waivers, &[("compose.yaml", server)]).json(&["."]);
    let of = |rule: &str| -> Vec<_> {
        findings(&report, rule).iter().map(|f| (f["profile"].clone(), f["suppressed"].is_null())).collect()
    };
    let (old, new) = (|kept| ("wlcg@1.0".into(), kept), ("wlcg@1.3".into(), false));
    assert_eq!(of("settings-access-token-over-maximum"), [old(true), new.clone()], "1.0 says that nothing lifts it");
    assert_eq!(of("settings-key-cache-too-long"), [old(false), new], "of the key cache no version says so");
    // Where no profile lets a waiver lift it, the waiver is refused.
    let refused = Project::new(POLICY, &plain("user-token-outlives-maximum"), &[]).refused();
    assert!(refused.contains("no waiver lifts it"), "{refused}");
}

#[test]
fn findings_at_the_end_of_a_run_show_their_lines_without_secrets() {
    let metadata = r#"{"issuer": "https://idp.example.org", "authorization_endpoint": "https://idp.example.org/a",
        "token_endpoint": "https://idp.example.org/t", "jwks_uri": "https://idp.example.org/j",
        "response_types_supported": ["code"], "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"], "grant_types_supported": ["authorization_code"]}"#;
    let client = r#"{"client_id": "fts-2", "client_name": "Agent", "token_endpoint_auth_method": "client_secret_basic",
        "client_secret": "TESTSECRETVALUE",
        "grant_types": ["client_credentials"], "db_password": "TESTSECRETVALUE",
        "redirect_uris": [], "contacts": ["a@example.org"], "scope": "openid"}"#;
    let files = [("op.json", metadata), ("client.json", client), ("a.yaml", &*good("a"))];
    let project = Project::new(POLICY, &WAIVER.replace("5 d", "3 d"), &files);
    let output = project.run(&[".", "--all"]);
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    let of = |rule: &str| shown.split("\n\n").find(|part| part.contains(rule)).unwrap_or_default().to_string();
    let (spanning, held) = (of("client-grant-not-offered"), of(LIFE));
    assert!(spanning.contains(r#""grant_types": ["client_credentials"]"#), "{shown}");
    assert!(held.contains("exp: 17641"), "{shown}");
    assert!(!shown.contains("TESTSECRETVALUE"), "{shown}");
    // The masks stand around a finding of the end, whatever else was found in the file.
    assert!(spanning.contains(r#""client_secret": **"#), "{spanning}");
}

#[test]
fn waivers_and_baselines_do_not_take_what_is_not_theirs() {
    let project = Project::new(POLICY, WAIVER, &[("a.yaml", &deleting("a"))]);
    project.run(&[".", "--write-baseline", "b.json"]);
    let report = project.json(&[".", "--baseline", "b.json"]);
    assert_eq!(findings(&report, LIFE)[0]["suppressed"]["kind"], "baseline");
    let stale = findings(&report, "baseline-stale");
    assert!(stale.is_empty(), "{stale:?}");
    for (waiver, message) in [
        (
            "- {rule: kid-among-claims, match: {path: a}, reason: x, owner: x, expires: 2027-01-01, limit: 5 d}\n",
            "`limit`",
        ),
        ("- {rule: kid-among-claims, match: {path: a}, reason: x, owner: x}\n", "`expires`"),
        ("- {rule: kid-among-claims, reason: x, owner: x, expires: 2027-01-01}\n", "say what is covered"),
        ("- {rule: token-outlives-maximum, workflow: a, reason: x, owner: x, limit: soon}\n", "a duration"),
        ("- {rule: token-outlives-maximum, workflow: a, reason: x, owner: x, requires: [luck]}\n", "luck"),
        ("- {rule: token-outlives-maximum, workflow: a, reason: x, owner: x, review-by: soon}\n", "YYYY-MM-DD"),
    ] {
        project.write("w.yaml", waiver);
        let text = project.refused();
        assert!(text.contains(message), "{message}: {text}");
    }
}

#[test]
fn a_site_is_told_to_ask_the_vo() {
    let policy = format!("role: site\n{POLICY}");
    let project = Project::new(&policy, "[]\n", &[("a.yaml", &good("a"))]);
    let report = project.json(&["."]);
    assert_eq!(live(&report, LIFE), ["a.yaml warning"]);
    let finding = findings(&report, LIFE)[0];
    assert_eq!(finding["default_severity"], "error");
    assert!(finding["message"].as_str().unwrap().contains("ask it"), "{finding}");
    assert_eq!(project.run(&["."]).status.code(), Some(0));
    project.write("w.yaml", WAIVER);
    let report = project.json(&["."]);
    assert_eq!(live(&report, LIFE), [""; 0]);
    assert!(!findings(&report, LIFE)[0]["message"].as_str().unwrap().contains("ask it"), "nothing is left to ask");
    project.write("tokenvet.yaml", &format!("severity: {{ {LIFE}: error }}\n{policy}"));
    project.write("w.yaml", "[]\n");
    assert_eq!(live(&project.json(&["."]), LIFE), ["a.yaml error"], "the policy's own word counts more");
}

#[test]
fn waiver_files_can_be_pinned() {
    let digest: String = Sha256::digest(WAIVER.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
    let policy = |digest: &str| POLICY.replace("[w.yaml]", &format!("[{{ path: w.yaml, sha256: {digest} }}]"));
    let project = Project::new(&policy(&digest), WAIVER, &[("a.yaml", &good("a"))]);
    assert_eq!(live(&project.json(&["."]), LIFE), [""; 0]);
    project.write("tokenvet.yaml", &policy(&digest.to_uppercase()));
    assert_eq!(live(&project.json(&["."]), LIFE), [""; 0], "digits in upper case");
    project.write("w.yaml", &format!("{WAIVER}\n"));
    let text = project.refused();
    assert!(text.contains("another edition") && text.contains("tokenvet.yaml"), "{text}");
    project.write("tokenvet.yaml", &policy("abc"));
    assert!(project.refused().contains("64 hexadecimal digits"));
    project.write("tokenvet.yaml", &policy(&digest).replace("w.yaml", "../w.yaml"));
    assert!(project.refused().contains("below the policy's folder"));
}

#[test]
fn workflows_are_matched_and_counted() {
    for (covers, fits, remark) in [
        ("{ client-id: [fts-*] }", true, "client id"),
        ("{ client-id: [other, fts-1] }", true, "one of several"),
        ("{ client-id: [fts] }", false, "a glob covers the whole id"),
        ("{ issuer: ['https://iam.example.org'] }", true, "issuer, whatever its slash"),
        ("{ issuer: ['https://iam.example.com'] }", false, "another issuer"),
        ("{ scope: ['storage.create:/data/*'] }", true, "scope"),
        ("{ scope: [storage.create] }", false, "another scope"),
        ("{ target: [a] }", true, "identity"),
        ("{ path: ['*.yaml'] }", true, "file"),
        ("{ path: [x/**] }", false, "another folder"),
        ("{ client-id: [fts-*], scope: [openid] }", false, "everything given must fit"),
    ] {
        let policy = POLICY.replace("{ client-id: [fts-*] }", covers);
        let report = Project::new(&policy, "[]\n", &[("a.yaml", &good("a"))]).json(&["."]);
        let wanted = if fits { Value::from("transfers") } else { Value::Null };
        assert_eq!(findings(&report, LIFE)[0]["target"]["workflow"], wanted, "{remark}");
        assert_eq!(report["workflows"][0]["targets"], u64::from(fits), "{remark}");
        assert_eq!(findings(&report, "workflow-unused").len(), usize::from(!fits), "{remark}");
        assert_eq!(findings(&report, "token-of-no-workflow").len(), usize::from(!fits), "{remark}");
    }
    let policy =
        POLICY.replace("{ client-id: [fts-*] }", "{ issuer: ['https://iam.example.org/'], client-id: [fts-*] }");
    let report = Project::new(&policy, "[]\n", &[("c.json", CLIENT)]).json(&["."]);
    assert_eq!(report["workflows"][0]["targets"], 1, "the export of a client names no issuer");
}

#[test]
fn what_fits_two_workflows_belongs_to_none() {
    let second = "- { name: probes, class: test, user-class: production, match: { path: ['**'] }, contact: x }\n";
    let project = Project::new(&format!("{POLICY}{second}"), WAIVER, &[("a.yaml", &good("a"))]);
    let report = project.json(&["."]);
    assert_eq!(live(&report, LIFE), ["a.yaml error"], "no waiver holds");
    assert_eq!(live(&report, "token-of-several-workflows"), ["a.yaml warning"]);
    assert_eq!(findings(&report, LIFE)[0]["target"].get("workflow"), None);
}

#[test]
fn an_unused_workflow_is_told_only_when_everything_was_judged() {
    let project = Project::new(POLICY, "[]\n", &[("a.yaml", &good("a").replace("fts-1", "other"))]);
    assert_eq!(findings(&project.json(&["a.yaml"]), "workflow-unused").len(), 0);
    let report = project.json(&["."]);
    let finding = findings(&report, "workflow-unused")[0];
    assert_eq!((finding["path"].as_str(), finding["region"]["start_line"].as_u64()), (Some("tokenvet.yaml"), Some(4)));
}

#[test]
fn people_see_the_workflow() {
    let project = Project::new(POLICY, "[]\n", &[("a.yaml", &good("a"))]);
    let text = String::from_utf8(project.run(&["."]).stdout).unwrap();
    assert!(text.contains("workflow transfers"), "{text}");
}

#[test]
fn mistakes_in_workflows_are_told_at_their_place() {
    let one = "{ name: a, class: test, user-class: power, match: { path: [x] } }";
    for (list, message, remark) in [
        (one.replace("{ path: [x] }", "{}"), "say what belongs", "an empty match"),
        (one.replace("test", "tests"), "unknown variant", "a class that does not exist"),
        (one.replace("path: [x]", "path: ['[']"), "no valid glob", "a broken glob"),
        (one.replace("match", "matches"), "matches", "an unknown member"),
        (format!("{one}, {one}"), "another workflow has this name", "a name twice"),
        (
            one.replace(" }}", " }, max-transfer-time: soon }").replace(" } }", " }, max-transfer-time: soon }"),
            "a duration",
            "no duration",
        ),
        (one.replace("name: a", "name: ''"), "a name in one line", "no name"),
    ] {
        let text = Project::new(&format!("workflows: [{list}]\n"), "[]\n", &[]).refused();
        assert!(text.contains(message), "{remark}: {text}");
    }
}

#[test]
fn the_examples_of_the_documentation_work() {
    let page = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/policy.md")).unwrap();
    let blocks: Vec<&str> = page.split("```yaml\n").skip(1).filter_map(|block| block.split("```").next()).collect();
    let block = |start: &str| *blocks.iter().find(|block| block.starts_with(start)).unwrap();
    let policy = format!("profiles: [wlcg@1.3]\nwaivers: [w.yaml]\n{}", block("workflows:"));
    let token = good("a").replace("https://iam.example.org/", "https://vo.example.org/");
    let project = Project::new(&policy, block("- rule: token-outlives-maximum"), &[("a.yaml", &token)]);
    // The agreement of the example is of 2026-03-01.
    let output = project.run(&[".", "--now", "2026-04-01T00:00:00Z", "-f", "json"]);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(live(&report, LIFE), [""; 0]);
    assert_eq!(about_waivers(&report), [""; 0]);
    project.write("w.yaml", blocks.iter().find(|block| block.starts_with("- rule: client-redirect")).unwrap());
    assert_eq!(live(&project.json(&["."]), LIFE), ["a.yaml error"], "a plain waiver is read as well");
}
