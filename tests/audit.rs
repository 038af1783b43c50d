//! `tokenvet audit` as a site meets it: day after day over the same folder, killed, locked, without space.

#![cfg(feature = "state")]
#![allow(clippy::unwrap_used)]

mod common;

use common::{Ran, access_token, folder, list, note, program, run, tokenvet, unprivileged, write};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use tempfile::TempDir;

const POLICY: &str = "
services:
  - { name: se01, type: xrootd, files: [se01/**], logs: [\"logs/se01.log*\"], contact: se@example.org }
audit: { paths: [iam] }
waivers: [waivers.yaml]
";

const SCITOKENS: &str = "[Global]
audience = https://se01.example.org

[Issuer vo]
issuer = https://vo.example.org/
base_path = /vo
";

/// One client as INDIGO IAM exports it; `redirect` to plain http is a finding.
fn client(id: &str, redirect: &str, scope: &str, lifetime: i64) -> Value {
    json!({
        "client_id": id, "client_name": id, "redirect_uris": [redirect], "scope": scope,
        "token_endpoint_auth_method": "client_secret_basic", "client_secret": "TESTSECRET-canary",
        "grant_types": ["authorization_code"], "contacts": ["ops@example.org"], "active": true,
        "access_token_validity_seconds": lifetime
    })
}

const GOOD: &str = "https://portal.example.org/cb";
const BAD: &str = "http://portal.example.org/cb";
const REDIRECT: &str = "client-redirect-not-https";

struct Site {
    folder: TempDir,
}

impl Site {
    fn new() -> Self {
        let folder = folder(&[
            ("site.yaml", POLICY),
            ("waivers.yaml", "[]\n"),
            ("se01/scitokens.cfg", SCITOKENS),
            ("logs/se01.log", "nothing of interest\n"),
        ]);
        let site = Site { folder };
        site.clients(&[client("portal", GOOD, "openid", 3600)]);
        site
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn put(&self, name: &str, content: &str) {
        write(&self.path().join(name), content.as_bytes());
    }

    fn clients(&self, clients: &[Value]) {
        self.put("iam/clients.json", &serde_json::to_string_pretty(clients).unwrap());
    }

    /// The audit of a day of November 2026, as JSON; with its exit code.
    fn day(&self, day: u32, code: i32, why: &str) -> Value {
        let ran = self.run(day, &["--format", "json"]);
        ran.exits(code, why);
        ran.json()
    }

    fn run(&self, day: u32, arguments: &[&str]) -> Ran {
        run(self.command(day).args(arguments))
    }

    fn command(&self, day: u32) -> std::process::Command {
        let mut command = tokenvet();
        let now = format!("2026-11-{day:02}T03:00:00Z");
        command.current_dir(self.path()).args(["audit", "site.yaml", "--state", "state", "--now", &now]);
        command
    }
}

fn rules<'r>(report: &'r Value, list_of: &str) -> Vec<&'r str> {
    list(report, list_of).iter().map(|change| change["rule"].as_str().unwrap()).collect()
}

#[test]
fn each_day_tells_what_changed_since_the_day_before() {
    let site = Site::new();
    let first = site.day(1, 0, "the first audit is what later ones compare with, whatever it finds");
    assert_eq!(first["outcome"], "first");
    assert_eq!((list(&first, "new").len(), &first["previous"]), (0, &Value::Null));

    let same = site.day(2, 0, "nothing changed");
    assert_eq!(same["outcome"], "steady");
    assert_eq!(same["previous"], "2026-11-01T03:00:00Z");
    assert_eq!(same["inventory"], json!({"added": [], "removed": [], "changed": []}));

    site.clients(&[client("portal", BAD, "openid storage.read:/", 3600), client("new", GOOD, "openid", 3600)]);
    let worse = site.day(3, 1, "a finding is new");
    assert_eq!(worse["outcome"], "worse");
    assert!(rules(&worse, "new").contains(&REDIRECT), "{worse:#}");
    let inventory = &worse["inventory"];
    assert_eq!(list(inventory, "added"), [json!({"kind": "client", "name": "new", "path": "iam/clients.json"})]);
    let edits = &inventory["changed"][0]["edits"];
    let scopes = edits.as_array().unwrap().iter().find(|edit| edit["field"] == "scopes").unwrap();
    assert_eq!(scopes["after"], json!(["storage.read:/"]), "what was added, though no rule speaks of it");

    let still = site.day(4, 0, "it is still there, which is no news");
    assert_eq!((rules(&still, "new"), rules(&still, "fixed")), (vec![], vec![]));

    site.clients(&[client("portal", GOOD, "openid", 3600)]);
    let fixed = site.day(5, 0, "it was repaired");
    assert!(rules(&fixed, "fixed").contains(&REDIRECT), "{fixed:#}");
    assert_eq!(fixed["inventory"]["removed"][0]["name"], "new");
    let trend: Vec<&str> = list(&fixed, "trend").iter().map(|point| point["at"].as_str().unwrap()).collect();
    assert_eq!((trend.len(), trend[0]), (5, "2026-11-01T03:00:00Z"));
    assert_eq!(fixed["trend"][4]["lifetimes"]["access_token"], 3600);
    assert_eq!(fixed["trend"][2]["widest_scope"], "storage.read:/");

    site.clients(&[client("portal", BAD, "openid", 3600)]);
    let back = site.day(6, 1, "it came back");
    let again = list(&back, "new").iter().find(|change| change["rule"] == REDIRECT).unwrap();
    assert_eq!(again["first_seen"], "2026-11-03T03:00:00Z", "when it was found first of all");
    assert!(again["why"].as_str().unwrap().contains("2026-11-05"), "{again:#}");
}

#[test]
fn what_is_gone_or_unreadable_never_counts_as_fixed() {
    let site = Site::new();
    site.clients(&[client("portal", BAD, "openid", 3600)]);
    site.day(1, 0, "first");
    let clients = fs::read(site.path().join("iam/clients.json")).unwrap();

    fs::write(site.path().join("iam/clients.json"), &clients[..clients.len() - 20]).unwrap();
    let broken = site.day(2, 2, "a file is broken");
    assert_eq!(rules(&broken, "fixed"), Vec::<&str>::new(), "{broken:#}");
    assert!(broken["unverified"].as_u64().unwrap() > 0 && !list(&broken, "errors").is_empty());

    fs::remove_file(site.path().join("iam/clients.json")).unwrap();
    fs::create_dir_all(site.path().join("iam")).unwrap();
    site.put("iam/other.json", &serde_json::to_string(&[client("other", GOOD, "openid", 3600)]).unwrap());
    let gone = site.run(3, &["--format", "json"]).json();
    assert_eq!(rules(&gone, "fixed"), Vec::<&str>::new(), "{gone:#}");
    assert!(list(&gone["inventory"], "removed").is_empty(), "nobody knows");

    let later = site.day(4, 0, "the loss is no news any more");
    assert_eq!(list(&later["coverage"], "still_lost").len(), 1, "but it is still told: {later:#}");

    fs::write(site.path().join("iam/clients.json"), &clients).unwrap();
    let back = site.day(5, 0, "back as it was");
    assert_eq!(list(&back["coverage"], "returned"), [json!("iam/clients.json")]);
    assert_eq!(rules(&back, "new"), Vec::<&str>::new(), "its findings are known: {back:#}");
}

#[test]
fn a_file_that_is_gone_is_told_once_as_a_loss() {
    let site = Site::new();
    site.put("iam/second.json", &serde_json::to_string(&[client("second", BAD, "openid", 3600)]).unwrap());
    site.day(1, 0, "first");
    fs::remove_file(site.path().join("iam/second.json")).unwrap();
    let gone = site.day(2, 1, "less is audited than before");
    let lost = &gone["coverage"]["lost"][0];
    assert_eq!((&lost["name"], &lost["why"]), (&json!("iam/second.json"), &json!("it is gone")));
    assert!(lost["findings"].as_u64().unwrap() > 0);
    site.put("iam/clients.json", "nothing that anybody knows\n");
    let unknown = site.day(3, 1, "nothing in it is recognised");
    assert_eq!(unknown["coverage"]["lost"][0]["why"], "nothing in it is recognised any more", "{unknown:#}");
}

#[test]
fn findings_move_with_their_file() {
    let site = Site::new();
    site.clients(&[client("portal", BAD, "openid", 3600)]);
    site.day(1, 0, "first");
    fs::rename(site.path().join("iam/clients.json"), site.path().join("iam/moved.json")).unwrap();
    let moved = site.run(2, &["--format", "json"]).json();
    // What is said of the file itself is about another file now.
    let of_clients = list(&moved, "new").iter().filter(|change| change["kind"] == "client").count();
    assert_eq!((of_clients, rules(&moved, "fixed")), (0, vec![]), "{moved:#}");
    let inventory = &moved["inventory"];
    assert_eq!((list(inventory, "added"), list(inventory, "removed")), (&[][..], &[][..]), "{moved:#}");
}

#[test]
fn clients_of_the_same_name_at_two_issuers_are_two() {
    let site = Site::new();
    let vo = |file: &str, redirect, lifetime| {
        let clients = [client("portal", redirect, "openid", lifetime)];
        site.put(&format!("iam/{file}.json"), &serde_json::to_string_pretty(&clients).unwrap());
    };
    let grown = |report: &Value| {
        let of_rule = list(report, "new").iter().filter(|change| change["rule"] == "lifetime-grew");
        of_rule.map(|change| change["path"].as_str().unwrap().to_string()).collect::<Vec<_>>()
    };
    vo("clients", BAD, 14_400);
    vo("other", GOOD, 3600);
    site.day(1, 0, "first");
    vo("clients", GOOD, 14_400);
    vo("other", BAD, 3600);
    let swapped = site.day(2, 1, "the other issuer has it now");
    assert!(rules(&swapped, "new").contains(&REDIRECT) && rules(&swapped, "fixed").contains(&REDIRECT), "{swapped:#}");
    vo("clients", BAD, 14_400);
    site.day(3, 1, "both have it");
    vo("other", GOOD, 3600);
    let one = site.day(4, 0, "one has it no more");
    assert_eq!(rules(&one, "fixed"), [REDIRECT]);
    vo("other", GOOD, 7200);
    let longer = site.day(5, 1, "what one issuer was allowed is not the other's");
    assert_eq!(grown(&longer), ["iam/other.json"]);
    fs::rename(site.path().join("iam/other.json"), site.path().join("iam/renamed.json")).unwrap();
    let renamed = site.run(6, &["--format", "json"]).json();
    let still = &renamed["still"];
    assert_eq!((grown(&renamed).len(), &still["warning"]), (0, &longer["findings"]["warning"]), "{renamed:#}");
}

#[test]
fn lifetimes_grow_only_when_somebody_answers_for_it() {
    let site = Site::new();
    site.day(1, 0, "first");
    site.clients(&[client("portal", GOOD, "openid", 7200)]);
    for day in [2, 3] {
        let report = site.run(day, &["--format", "json"]).json();
        let all = rules(&report, "new").len() + report["still"]["warning"].as_u64().unwrap() as usize;
        assert!(all > 0, "as long as it is longer than what was accepted: {report:#}");
    }
    site.clients(&[client("portal", GOOD, "openid", 3000)]);
    let report = site.day(4, 0, "it is shorter again");
    assert!(rules(&report, "fixed").contains(&"lifetime-grew"), "{report:#}");
    site.clients(&[client("portal", GOOD, "openid", 3600)]);
    let report = site.day(5, 1, "what was accepted once is not accepted for ever");
    assert_eq!(rules(&report, "new"), ["lifetime-grew"]);
    let waiver = "- {rule: lifetime-grew, match: {target: portal}, reason: agreed, owner: ops, expires: 2026-11-07}\n";
    site.put("waivers.yaml", waiver);
    site.day(6, 0, "somebody answers for it");
    site.put("waivers.yaml", "[]\n");
    let report = site.day(8, 0, "and so it is accepted for good");
    assert_eq!(rules(&report, "worsened"), Vec::<&str>::new());
    assert!(!list(&report, "changed").is_empty(), "the waivers were edited: {report:#}");
}

#[test]
fn what_a_waiver_hid_is_worse_when_it_ends_and_its_end_is_told_before() {
    let site = Site::new();
    site.clients(&[client("portal", BAD, "openid", 3600)]);
    let waiver = "- {rule: client-redirect-not-https, match: {target: portal}, reason: moves, owner: ops, expires: 2026-11-03}\n";
    site.put("waivers.yaml", waiver);
    let report = site.day(1, 0, "first");
    let ends = &report["expiring"][0];
    assert_eq!((&ends["what"], &ends["name"], &ends["days"]), (&json!("waiver"), &json!(REDIRECT), &json!(2)));
    assert_eq!(report["waivers"][0]["used"], true);
    for (within, number) in [("2d", 1), ("1d", 0)] {
        let report = site.run(2, &["--format", "json", "--expiring", within]).json();
        assert_eq!(list(&report, "expiring").len(), number, "the waiver holds until the end of the next day: {within}");
    }
    let report = site.day(4, 1, "it has ended");
    let worse = list(&report, "worsened").iter().find(|change| change["rule"] == REDIRECT).unwrap();
    assert_eq!(worse["why"], "nothing covers it any more");
    let page = site.run(4, &[]).out();
    assert!(page.contains("ended, or ending within 30 days (1)") && page.contains(", 1 ended, "), "{page}");
}

#[test]
fn waivers_count_for_the_vo_whose_issuer_the_export_came_from() {
    let waiver = "- {rule: client-redirect-not-https, match: {target: portal}, reason: moves, owner: ops, expires: 2026-12-31}\n";
    let metadata = json!({"issuer": "https://beside.example.org/", "token_endpoint": "https://beside.example.org/token",
        "jwks_uri": "https://beside.example.org/jwk", "response_types_supported": ["code"]});
    let issuers = "issuers: [{ issuer: \"https://vo.example.org/\", snapshot: iam }]\n";
    for (policy, beside, expected, remark) in [
        ("", false, "unknown", "nothing says whose clients these are"),
        (issuers, false, "https://vo.example.org/", "they are in the issuer's snapshot"),
        ("", true, "https://beside.example.org/", "its metadata lies beside them"),
    ] {
        let site = Site::new();
        site.clients(&[client("portal", BAD, "openid", 3600)]);
        site.put("waivers.yaml", waiver);
        site.put("site.yaml", &format!("{POLICY}{policy}"));
        if beside {
            site.put("iam/openid-configuration.json", &metadata.to_string());
        }
        let report = site.day(1, 0, remark);
        assert_eq!(report["trend"][0]["waivers"], json!({ expected: 1 }), "{remark}");
    }
}

#[test]
fn a_value_that_moves_further_from_its_limit_is_worse() {
    let site = Site::new();
    site.put("site.yaml", &format!("{POLICY}profiles: [wlcg@1.3]\nrules: {{ignore: [lifetime-grew]}}\n"));
    site.clients(&[client("portal", GOOD, "openid", 100_000)]);
    site.day(1, 0, "first");
    site.clients(&[client("portal", GOOD, "openid", 200_000)]);
    let report = site.day(2, 1, "further over the maximum");
    let why: Vec<&str> = list(&report, "worsened").iter().map(|change| change["why"].as_str().unwrap()).collect();
    assert!(why.contains(&"it was 100000 and is 200000"), "{report:#}");
    site.clients(&[client("portal", GOOD, "openid", 90_000)]);
    let report = site.day(3, 0, "nearer to it");
    assert_eq!(rules(&report, "worsened"), Vec::<&str>::new());
}

#[test]
fn tokens_in_logs_are_followed_through_rotation() {
    let site = Site::new();
    site.day(1, 0, "first");
    let claims = json!({"iss": "https://vo.example.org/", "sub": "s", "aud": "https://se01.example.org", "jti": "j",
        "wlcg.ver": "1.0", "scope": "storage.modify:/vo", "nbf": 1_793_500_000, "iat": 1_793_500_000, "exp": 1_900_000_000});
    let token = access_token(&claims);
    let signature = token.rsplit('.').next().unwrap().to_string();
    site.put("logs/se01.log", &format!("GET /vo Authorization: Bearer {token}\n"));
    let found = site.run(2, &["--format", "json"]);
    found.exits(1, "a token in a log");
    assert!(rules(&found.json(), "new").contains(&"leaked-token-usable"), "{}", found.out());
    assert!(!found.all().contains(&signature));
    fs::rename(site.path().join("logs/se01.log"), site.path().join("logs/se01.log.1")).unwrap();
    site.put("logs/se01.log", "a new day\n");
    let rotated = site.day(3, 0, "the same token under another name is no news");
    assert_eq!(rules(&rotated, "fixed"), Vec::<&str>::new(), "{rotated:#}");
    fs::remove_file(site.path().join("logs/se01.log.1")).unwrap();
    let deleted = site.day(4, 0, "the log was deleted, as logs are");
    let gone = list(&deleted, "fixed").iter().find(|change| change["rule"] == "leaked-token-usable").unwrap();
    assert_eq!(gone["why"], "no longer in the logs that are kept");
    let state = fs::read(site.path().join("state/audit.sqlite3")).unwrap();
    for secret in [signature.as_bytes(), b"TESTSECRET-canary"] {
        assert!(!state.windows(secret.len()).any(|window| window == secret), "no secret is kept");
    }
}

#[test]
fn the_same_audit_from_anywhere_has_the_same_names() {
    let site = Site::new();
    site.clients(&[client("portal", BAD, "openid", 3600)]);
    site.day(1, 0, "from the folder");
    let mut command = tokenvet();
    let (policy, state) = (site.path().join("site.yaml"), site.path().join("state"));
    command.current_dir("/").arg("audit").arg(policy).arg("--state").arg(state);
    let ran = run(command.args(["--now", "2026-11-02T03:00:00Z", "--format", "json"]));
    ran.exits(0, "from elsewhere, as cron does");
    assert_eq!(list(&ran.json()["coverage"], "lost"), &[] as &[Value]);
}

#[test]
fn asking_for_the_last_audit_makes_nothing() {
    let site = Site::new();
    for folder in ["state", "stat"] {
        let mut command = tokenvet();
        let ran = run(command.current_dir(site.path()).args(["audit", "site.yaml", "--last", "--state", folder]));
        ran.exits(2, "there is none");
        assert!(ran.err().contains("there was no audit yet"), "{}", ran.err());
        assert!(!site.path().join(folder).exists(), "{folder} is not made");
    }
}

#[test]
fn reports_are_what_their_readers_take() {
    let site = Site::new();
    site.day(1, 0, "first");
    let name = "a\"b\\c\n| x\u{1b}[31m";
    site.clients(&[client(name, BAD, "openid", 3600)]);
    let ran = site
        .run(2, &["--nagios", "--output", "prometheus=out.prom", "--notify", "mail.txt", "--output", "json=out.json"]);
    ran.exits(2, "an error is new: the plugin's CRITICAL");
    let line = ran.out();
    assert!(line.starts_with("TOKENVET CRITICAL - ") && line.lines().count() == 1, "{line}");
    let (text, data) = line.split_once('|').unwrap();
    assert!(text.contains("new") && data.split_whitespace().all(|item| item.contains('=')), "{line}");
    assert!(!line.contains('\u{1b}') && !data.contains('|'));

    let metrics = fs::read_to_string(site.path().join("out.prom")).unwrap();
    for metric in metrics.lines().filter(|line| !line.starts_with('#')) {
        let (name, value) = metric.rsplit_once(' ').unwrap();
        assert!(name.starts_with("tokenvet_audit_") && value.parse::<i64>().is_ok(), "{metric}");
    }
    assert!(metrics.contains("tokenvet_audit_worse 1\n") && metrics.ends_with('\n'));

    let mail = fs::read_to_string(site.path().join("mail.txt")).unwrap();
    let (head, body) = mail.split_once("\n\n").unwrap();
    assert!(head.starts_with("Subject: tokenvet audit of site.yaml: worse, ") && head.is_ascii(), "{head}");
    assert!(head.lines().all(|line| line.split_once(": ").is_some()), "{head}");
    assert!(body.contains(REDIRECT) && !body.contains('\u{1b}'), "{body}");

    let schema: Value = serde_json::from_str(include_str!("../schemas/audit.schema.json")).unwrap();
    let report: Value = serde_json::from_slice(&fs::read(site.path().join("out.json")).unwrap()).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let errors: Vec<String> = validator.iter_errors(&report).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{errors:?}");

    let last = site.run(3, &["--last", "--format", "json"]).json();
    assert_eq!(last, report, "the last audit can be told again");
    let old = site.run(5, &["--last", "--max-age", "26h", "--nagios"]);
    old.exits(3, "a plugin's UNKNOWN");
    assert!(old.out().starts_with("TOKENVET UNKNOWN - the last audit was "), "{}", old.out());
}

#[test]
fn a_hostile_label_stays_one_label() {
    let site = Site::new();
    let mut hostile = client("x", GOOD, "openid", 3600);
    hostile["client_name"] = json!("a\"} 1\ntokenvet_audit_worse{x=\"\\");
    hostile["client_secret_expires_at"] = json!(1_795_000_000);
    site.put("iam/clients.json", &serde_json::to_string(&hostile).unwrap());
    site.run(1, &["--output", "prometheus=out.prom"]);
    let metrics = fs::read_to_string(site.path().join("out.prom")).unwrap();
    let worse = metrics.lines().filter(|line| line.starts_with("tokenvet_audit_worse"));
    assert_eq!(worse.count(), 1, "{metrics}");
}

#[test]
fn what_cannot_be_read_is_listed_file_by_file() {
    let site = Site::new();
    let Some(mut command) = unprivileged(site.path()) else { return };
    use std::os::unix::fs::PermissionsExt;
    fs::create_dir(site.path().join("state")).unwrap();
    fs::set_permissions(site.path().join("state"), fs::Permissions::from_mode(0o777)).unwrap();
    site.put("se01/closed.cfg", SCITOKENS);
    for (path, mode) in [("se01/closed.cfg", 0), ("logs/se01.log", 0), ("site.yaml", 0o644), ("waivers.yaml", 0o644)] {
        fs::set_permissions(site.path().join(path), fs::Permissions::from_mode(mode)).unwrap();
    }
    command.current_dir(site.path()).args([common::BINARY, "audit", "site.yaml", "--state", "state"]);
    let ran = run(command.args(["--now", "2026-11-01T03:00:00Z", "--format", "json"]));
    ran.exits(2, "not everything could be read");
    let report = ran.json();
    let mut paths: Vec<&str> = list(&report, "errors").iter().map(|error| error["path"].as_str().unwrap()).collect();
    paths.sort_unstable();
    assert_eq!(paths, ["logs/se01.log", "se01/closed.cfg"]);
}

#[test]
fn policies_that_list_nothing_or_what_is_not_there_are_errors() {
    let site = Site::new();
    site.put("site.yaml", "environment: production\n");
    let ran = site.run(1, &[]);
    ran.exits(2, "nothing to audit");
    assert!(ran.err().contains("lists nothing to audit"), "{}", ran.err());
    site.put("site.yaml", "audit: {paths: [iam, 'logs/*.gz']}\n");
    let report = site.day(2, 2, "a glob without a file");
    assert_eq!(report["errors"][0]["path"], "logs/*.gz", "{report:#}");
    let ran = site.run(1, &[]);
    ran.exits(2, "the clock went back");
    assert!(ran.err().contains("2026-11-02T03:00:00Z"), "{}", ran.err());
}

#[test]
fn states_of_others_and_of_the_future_are_refused() {
    let site = Site::new();
    site.day(1, 0, "first");
    let file = site.path().join("state/audit.sqlite3");
    let good = fs::read(&file).unwrap();
    for (patch, words) in [
        ((60, 9_999_u32.to_be_bytes()), "a newer tokenvet wrote this state (form 9999"),
        ((68, 7_u32.to_be_bytes()), "belongs to another program"),
        ((0, *b"GIF8"), "the state is damaged"),
    ] {
        let mut bytes = good.clone();
        bytes[patch.0..patch.0 + 4].copy_from_slice(&patch.1);
        fs::write(&file, &bytes).unwrap();
        let ran = site.run(2, &[]);
        ran.exits(2, words);
        assert!(ran.err().contains(words) && ran.err().contains("audit.sqlite3"), "{words}: {}", ran.err());
        assert_eq!(fs::read(&file).unwrap(), bytes, "{words}: it is left alone");
    }
    fs::write(&file, b"").unwrap();
    let ran = site.run(2, &[]);
    ran.exits(2, "an empty file");
    assert!(ran.err().contains("the state is damaged") && fs::read(&file).unwrap().is_empty(), "{}", ran.err());
    fs::write(&file, &good).unwrap();
    site.day(2, 0, "and the good one still works");
}

#[test]
fn an_audit_of_a_clock_that_was_ahead_is_no_dead_end() {
    let site = Site::new();
    site.clients(&[client("portal", BAD, "openid", 3600)]);
    site.day(1, 0, "first");
    let ahead = |now: &str| {
        let mut command = tokenvet();
        command.current_dir(site.path()).args(["audit", "site.yaml", "--state", "state", "--now", now]);
        run(&mut command)
    };
    ahead("2027-01-01T00:00:00Z").exits(0, "the clock is ahead");
    let ran = site.run(2, &[]);
    ran.exits(2, "the last audit is of a time to come");
    assert!(ran.err().contains("--clock-was-ahead"), "{}", ran.err());
    let ran = site.run(2, &["--last", "--nagios", "--max-age", "26h"]);
    ran.exits(3, "nobody can say how old it is");
    assert!(ran.out().starts_with("TOKENVET UNKNOWN - the last audit is of 2027-01-01"), "{}", ran.out());

    let ran = site.run(2, &["--clock-was-ahead", "--format", "json"]);
    ran.exits(0, "nothing is new");
    assert_eq!(ran.json()["previous"], "2026-11-02T03:00:00Z");
    site.clients(&[client("portal", GOOD, "openid", 3600)]);
    let report = site.day(3, 0, "and it goes on as ever");
    assert!(rules(&report, "fixed").contains(&REDIRECT), "{report:#}");
    site.run(3, &["--last", "--nagios", "--max-age", "26h"]).exits(0, "young enough");
}

#[test]
fn a_plugin_never_fails_in_another_way() {
    let site = Site::new();
    for (arguments, why) in [
        (&["audit", "site.yaml", "--nagios"][..], "no state"),
        (&["audit", "site.yaml", "--nagios", "--state", "state", "--latest"], "no such option"),
    ] {
        let ran = run(tokenvet().current_dir(site.path()).args(arguments));
        ran.exits(3, why);
        assert!(ran.out().starts_with("TOKENVET UNKNOWN - ") && ran.out().lines().count() == 1, "{why}: {}", ran.out());
    }
}

#[test]
fn of_two_audits_at_once_the_second_says_who_is_there() {
    let site = Site::new();
    site.day(1, 0, "first");
    let lock = fs::OpenOptions::new().read(true).write(true).open(site.path().join("state/lock")).unwrap();
    rustix::fs::flock(&lock, rustix::fs::FlockOperation::LockExclusive).unwrap();
    let ran = site.run(2, &[]);
    ran.exits(2, "locked");
    assert!(ran.err().contains("another audit is at work") && ran.err().contains("process "), "{}", ran.err());
    drop(lock);
    site.day(2, 0, "let go");
}

#[test]
fn without_space_the_old_state_stays() {
    let site = Site::new();
    site.day(1, 0, "first");
    let before = fs::read(site.path().join("state/audit.sqlite3")).unwrap();
    let many: Vec<Value> = (0..400).map(|n| client(&format!("client-{n}"), BAD, "openid", 3600)).collect();
    site.clients(&many);
    // A limit on the size of files stands for a full disk; bash counts it in KiB.
    let script =
        "trap '' XFSZ; ulimit -f 150; exec \"$TOKENVET\" audit site.yaml --state state --now 2026-11-02T03:00:00Z";
    let ran = run(program("bash").current_dir(site.path()).args(["-c", script]));
    ran.exits(2, "no space");
    assert!(ran.err().contains("the state is still the one of the audit before"), "{}", ran.err());
    assert_eq!(ran.out(), "", "nothing is told that is not kept");
    let report = site.day(2, 1, "with space");
    assert_eq!(report["previous"], "2026-11-01T03:00:00Z");
    assert!(!before.is_empty());
}

#[test]
fn audits_that_are_killed_lose_nothing() {
    let kills: u32 = std::env::var("TOKENVET_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(20);
    let site = Site::new();
    site.clients(&[client("portal", BAD, "openid", 3600)]);
    site.day(1, 0, "first");
    let whole = site.run(1, &[]).took;
    let mut dice = 0x9e37_79b9_u64;
    for kill in 0..kills {
        // Each round has something to write: a client comes or goes.
        let others = (0..kill % 7).map(|n| client(&format!("c{n}"), BAD, "openid", 3600));
        site.clients(&others.chain([client("portal", BAD, "openid", 3600)]).collect::<Vec<_>>());
        let mut child = site.command(2).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        std::thread::sleep(
            whole.mul_f64((dice >> 33) as f64 / f64::from(u32::MAX >> 1) * 1.1).min(Duration::from_secs(5)),
        );
        let _ = child.kill();
        let _ = child.wait();
        let state = rusqlite::Connection::open(site.path().join("state/audit.sqlite3")).unwrap();
        let sound: String = state.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
        assert_eq!(sound, "ok", "after kill {kill}");
        let first: String = state
            .query_row("SELECT strftime('%Y-%m-%d', min(at), 'unixepoch') FROM runs", [], |row| row.get(0))
            .unwrap();
        assert_eq!(first, "2026-11-01", "after kill {kill}: the first audit is there");
    }
    site.clients(&[client("portal", BAD, "openid", 3600)]);
    let report = site.run(3, &["--format", "json"]);
    report.exits(0, "the next audit is whole, and nothing got worse");
    let state = rusqlite::Connection::open(site.path().join("state/audit.sqlite3")).unwrap();
    let since: i64 = state
        .query_row("SELECT min(first_seen) FROM findings WHERE name = 'portal' AND closed IS NULL", [], |row| {
            row.get(0)
        })
        .unwrap();
    assert_eq!(since, 1_793_502_000, "what the first audit found was never forgotten");
    note(&format!("{kills} audits were killed; TOKENVET_KILLS=200 kills more"));
}

#[test]
fn the_service_files_are_sound() {
    let units = Path::new(env!("CARGO_MANIFEST_DIR")).join("contrib/systemd");
    if !common::has("systemd-analyze") {
        return note("systemd-analyze is not installed: the units were not verified");
    }
    let scratch = tempfile::tempdir().unwrap();
    // The service as it is, then with the drop-in for audits that fetch.
    for (name, place) in [
        ("tokenvet-audit.timer", "tokenvet-audit.timer"),
        ("tokenvet-audit.service", "tokenvet-audit.service"),
        ("fetch.conf", "tokenvet-audit.service.d/fetch.conf"),
    ] {
        let text = fs::read_to_string(units.join(name)).unwrap();
        // It looks whether the command is there.
        write(&scratch.path().join(place), text.replace("/usr/local/bin/tokenvet", common::BINARY).as_bytes());
        if name.ends_with(".timer") {
            continue;
        }
        let ran = run(program("systemd-analyze").current_dir(scratch.path()).args([
            "verify",
            "--man=no",
            "./tokenvet-audit.service",
            "./tokenvet-audit.timer",
        ]));
        ran.exits(0, "systemd takes the units");
        assert!(!ran.err().contains("tokenvet-audit") && !ran.err().contains("fetch.conf"), "{name}: {}", ran.err());
    }
}

/// A file of `contrib/`, with the demo's issuer and the folders of this test in place of the real ones.
fn contrib(name: &str, folder: &Path) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let demo = root.join("testdata/demo/iam/clients.json");
    write(&folder.join("etc/iam/clients.json"), &fs::read(demo).unwrap());
    write(&folder.join("etc/site.yaml"), b"audit: { paths: [iam] }\n");
    fs::create_dir_all(folder.join("var")).unwrap();
    let text = fs::read_to_string(root.join("contrib").join(name)).unwrap();
    let text = text.replace("/usr/local/bin/tokenvet", common::BINARY);
    text.replace("/etc/tokenvet", &folder.join("etc").display().to_string())
        .replace("/var/lib/tokenvet", &folder.join("var").display().to_string())
}

/// More lifetime for a client of the demo: something gets worse.
fn worsen(folder: &Path) {
    let clients = folder.join("etc/iam/clients.json");
    let text = fs::read_to_string(&clients).unwrap();
    assert!(text.contains("_seconds\": 345600"));
    fs::write(clients, text.replace("_seconds\": 345600", "_seconds\": 604800")).unwrap();
}

#[test]
fn the_service_needs_no_rights_no_network_and_one_folder() {
    let folder = tempfile::tempdir().unwrap();
    let unit = contrib("systemd/tokenvet-audit.service", folder.path());
    let line = unit.lines().find_map(|line| line.strip_prefix("ExecStart=")).unwrap();
    let Some(_) = unprivileged(folder.path()) else { return };
    // What the unit asks systemd for, as far as these tools can give it: no network, a root that is read-only but for
    // the state, a user of its own without any capability.
    let var = folder.path().join("var");
    let sandbox = format!(
        "mount --make-rprivate / && mount --bind {0} {0} && mount -o remount,ro,bind / && cd / && exec setpriv \
         --no-new-privs --reuid=65534 --regid=65534 --clear-groups --bounding-set=-all --inh-caps=-all -- {line}",
        var.display()
    );
    let chown = run(program("chown").arg("65534:65534").arg(&var));
    let works = run(program("unshare").args(["-n", "-m", "true"]));
    if chown.code != Some(0) || works.code != Some(0) {
        return note("no namespaces for this user: the service's line was not run");
    }
    let first = run(program("unshare").args(["-n", "-m", "sh", "-c", &sandbox]));
    first.exits(0, "the first night");
    worsen(folder.path());
    let second = run(program("unshare").args(["-n", "-m", "sh", "-c", &sandbox]));
    second.exits(1, "something got worse, which the unit counts as success");
    assert!(unit.lines().any(|line| line == "SuccessExitStatus=1"));
    assert!(fs::read_to_string(var.join("mail.txt")).unwrap().contains("worse"));
    let mut names: Vec<_> = fs::read_dir(&var).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["audit.sqlite3", "lock", "mail.txt", "tokenvet.prom"]);
}

#[test]
fn the_line_for_cron_prints_only_when_something_got_worse() {
    let folder = tempfile::tempdir().unwrap();
    let crontab = contrib("cron/tokenvet-audit", folder.path());
    let line = crontab.lines().find(|line| line.starts_with("17 4 * * *")).unwrap();
    let command = line.strip_prefix("17 4 * * * tokenvet ").unwrap();
    assert!(!command.contains('%'), "cron would end the command there");
    let bin = Path::new(common::BINARY).parent().unwrap();
    let night = || {
        let mut sh = program("sh");
        run(sh.current_dir("/").env("PATH", format!("{}:/usr/bin:/bin", bin.display())).args(["-c", command]))
    };
    let first = night();
    assert_eq!((first.code, first.all().as_str()), (Some(0), ""), "no mail");
    worsen(folder.path());
    let second = night();
    assert!(second.out().contains("lifetime-grew") && second.err().is_empty(), "{}", second.all());
    assert_eq!(night().all(), "", "no news");
    fs::remove_file(folder.path().join("etc/site.yaml")).unwrap();
    assert!(night().err().contains("site.yaml"), "a mail says that there was no audit");
}

#[test]
fn a_night_without_an_audit_does_not_send_the_report_of_the_night_before() {
    let folder = tempfile::tempdir().unwrap();
    let crontab = contrib("cron/tokenvet-audit", folder.path());
    let command = crontab.lines().find_map(|line| line.strip_prefix("17 4 * * * tokenvet ")).unwrap();
    let guide = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/audit.md")).unwrap();
    let shown = guide.lines().find_map(|line| line.strip_prefix("17 4 * * * tokenvet ")).unwrap();
    let prometheus = " --output prometheus=/var/lib/tokenvet/tokenvet.prom";
    let kept = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("contrib/cron/tokenvet-audit")).unwrap();
    assert!(kept.replace(prometheus, "").contains(shown), "the guide shows the same line");
    let bin = Path::new(common::BINARY).parent().unwrap();
    let night = || {
        let mut sh = program("sh");
        run(sh.current_dir("/").env("PATH", format!("{}:/usr/bin:/bin", bin.display())).args(["-c", command]))
    };
    night();
    worsen(folder.path());
    assert!(night().out().contains("lifetime-grew"), "the mail of the night before");
    fs::write(folder.path().join("etc/site.yaml"), "colour: red\n").unwrap();
    let ran = night();
    assert!(ran.err().contains("site.yaml") && ran.out().is_empty(), "{}", ran.all());

    let unit = contrib("systemd/tokenvet-audit.service", folder.path());
    let mail = unit.split_once("--notify ").and_then(|(_, rest)| rest.split(' ').next()).unwrap();
    assert!(unit.contains(&format!("\nExecStartPre=/bin/rm -f {mail}\n")), "nor does the service leave its mail");
}

#[test]
fn the_nagios_command_tells_of_the_last_audit() {
    let folder = tempfile::tempdir().unwrap();
    let config = contrib("nagios/tokenvet.cfg", folder.path());
    let line = config.lines().find_map(|line| line.trim().strip_prefix("command_line")).unwrap().trim();
    let plugin = || run(program("sh").args(["-c", line]));
    plugin().exits(3, "there was no audit yet");
    let (policy, state) = (folder.path().join("etc/site.yaml"), folder.path().join("var"));
    run(tokenvet().arg("audit").arg(policy).arg("--state").arg(state)).exits(0, "the timer's audit");
    let ran = plugin();
    ran.exits(0, "nothing got worse");
    assert!(ran.out().starts_with("TOKENVET OK - ") && ran.out().lines().count() == 1, "{}", ran.out());
}
