//! `tokenvet incident` as security officers meet it: incidents with what the page must say, and what it must not show.

#![allow(clippy::unwrap_used, clippy::print_stdout)] // a helper that fails is a failed test; notes on what is skipped

mod common;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use common::Ran;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use tempfile::TempDir;

const NOW: &str = "2026-01-01T00:00:00Z";
const CLOCK: i64 = 1_767_225_600;
const VO: &str = "https://vo.example.org/";

fn part(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(text)
}

/// A token of these claims with a made-up signature.
fn token(claims: &Value, signature: &str) -> String {
    format!("{}.{}.{signature}", part(r#"{"alg":"ES256","kid":"k","typ":"JWT"}"#), part(&claims.to_string()))
}

fn signature(n: u32) -> String {
    format!("TestSignature{n:03}").repeat(6)[..86].to_string()
}

/// Claims of a WLCG token that was issued an hour ago and lives for four days.
fn claims() -> Value {
    json!({
        "wlcg.ver": "1.0", "iss": VO, "sub": "data-manager", "client_id": "data-manager", "jti": "5b1c-1",
        "aud": "https://wlcg.cern.ch/jwt/v1/any", "scope": "storage.read:/ storage.modify:/",
        "nbf": CLOCK - 3600, "iat": CLOCK - 3600, "exp": CLOCK - 3600 + 345_600,
    })
}

fn with(mut claims: Value, changes: &[(&str, Value)]) -> Value {
    for (name, value) in changes {
        claims[*name] = value.clone();
    }
    claims
}

const SCITOKENS: &str =
    "[Global]\naudience = https://se01.example.org\n[Issuer VO]\nissuer = https://vo.example.org/\nbase_path = /vo\n";
const DCACHE: &str = "gplazma.oidc.provider!vo = https://vo.example.org/ -profile=wlcg -prefix=/vo\ngplazma.oidc.audience-targets = https://se02.example.org\n";
const GPLAZMA: &str = "auth optional oidc\naccount requisite banfile\nsession requisite authzdb\n";
const MAPFILE: &str = "SCITOKENS /^https:\\/\\/vo\\.example\\.org\\/,/ vopilot\n";
const FTS: &str = "[fts3]\nOAuth2=True\nAuthorizedVO=*\n[providers]\nother=https://other.example.org/\nother_ClientId=fts\nother_ClientSecret=an-example-not-a-real-secret\n";
const POLICY: &str = "services:
  - { name: se01, type: xrootd, files: [se01/scitokens.cfg], logs: [log/xrootd.txt], log-retention: 90 d, contact: storage@site.example.org }
  - { name: se02, type: dcache, files: ['se02/*'] }
  - { name: ce01, type: htcondor-ce, files: ['ce01/*'], logs: [log/AuditLog] }
  - { name: fts, type: fts, files: ['fts/*'] }
issuers:
  - { issuer: 'https://vo.example.org/', api: indigo-iam, contact: iam@vo.example.org, snapshot: iam }
";
const CLIENTS: &str = r#"{"totalResults":1,"itemsPerPage":1,"startIndex":1,"Resources":[{"client_id":"data-manager","client_secret":"TEST-ONLY-not-a-secret-7",
"client_name":"data management","contacts":["data@vo.example.org"],"grant_types":["client_credentials"],"token_endpoint_auth_method":"client_secret_basic",
"scope":"storage.read:/ storage.modify:/","access_token_validity_seconds":345600,"active":true}]}"#;
const AUDIT: &str = "12/31/25 23:14:16 (cid:28) Examining SciToken with payload {\"iss\":\"https://vo.example.org/\",\"jti\":\"5b1c-1\",\"sub\":\"data-manager\",\"client_id\":\"data-manager\"}.
12/31/25 23:20:11 (cid:29) Examining SciToken with payload {\"iss\":\"https://vo.example.org/\",\"jti\":\"5b1c-2\",\"sub\":\"data-manager\",\"client_id\":\"data-manager\"}.
12/31/25 23:21:11 (cid:30) Examining SciToken with payload {\"iss\":\"https://other.example.org/\",\"jti\":\"5b1c-1\",\"sub\":\"data-manager\",\"client_id\":\"x\"}.
";

/// A site with four services and one issuer.
fn site() -> TempDir {
    let folder = TempDir::new().unwrap();
    for (path, text) in [
        ("site.yaml", POLICY),
        ("se01/scitokens.cfg", SCITOKENS),
        ("se02/dcache.conf", DCACHE),
        ("se02/gplazma.conf", GPLAZMA),
        ("ce01/10-tokens.conf", MAPFILE),
        ("fts/fts3restconfig", FTS),
        ("iam/clients.json", CLIENTS),
        ("log/AuditLog", AUDIT),
        ("log/xrootd.txt", "251231 23:20:00 2207 XrootdXeq: pool.12:88@[2001:db8::7] pvt IPv6 login\n"),
    ] {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

fn run(folder: &Path, args: &[&str], input: &str) -> Ran {
    let mut command = common::tokenvet();
    common::run_with_input(command.current_dir(folder).args(["incident", "--now", NOW]).args(args), input.as_bytes())
}

/// The page as JSON, with the code it ends with.
fn page(folder: &Path, args: &[&str], input: &str, code: i32) -> Value {
    let ran = run(folder, &[args, &["--format", "json"]].concat(), input);
    ran.exits(code, &format!("{args:?}"));
    ran.json()
}

fn incident(folder: &Path, args: &[&str], input: &str) -> Value {
    let page = page(folder, args, input, 0);
    assert_eq!(page["incidents"].as_array().unwrap().len(), 1, "{page:#}");
    page["incidents"][0].clone()
}

#[test]
fn evidence_of_a_token_that_is_not_valid_yet_ends_now_and_begins_nowhere() {
    let later =
        with(claims(), &[("nbf", json!(CLOCK + 3600)), ("iat", json!(CLOCK + 3600)), ("exp", json!(CLOCK + 7200))]);
    let folder = TempDir::new().unwrap();
    let incident = incident(folder.path(), &["-"], &token(&later, &signature(9)));
    assert_eq!(incident["evidence"]["from"], Value::Null);
    assert_eq!(incident["evidence"]["to"], NOW);
}

/// Who takes it, by service.
fn takes(incident: &Value) -> Vec<(&str, &str)> {
    let services = incident["services"].as_array().unwrap().iter();
    services.map(|one| (one["name"].as_str().unwrap(), one["takes"].as_str().unwrap())).collect()
}

fn service<'v>(incident: &'v Value, name: &str) -> &'v Value {
    incident["services"].as_array().unwrap().iter().find(|one| one["name"] == name).unwrap()
}

fn words(value: &Value) -> String {
    value.to_string()
}

/// What is done in which order: place and deed.
fn steps(incident: &Value) -> Vec<String> {
    let steps = incident["steps"].as_array().unwrap().iter();
    steps.map(|one| format!("{}: {}", one["place"].as_str().unwrap_or("-"), one["what"].as_str().unwrap())).collect()
}

#[test]
fn incident_1_a_token_that_may_change_everything_of_the_vo_is_pasted_into_a_ticket() {
    let folder = site();
    let token = token(&claims(), &signature(1));
    let mail = format!("please help, curl -H 'Authorization: Bearer {token}' does not work\n");
    let found = incident(folder.path(), &["-", "--config", "site.yaml"], &mail);
    assert_eq!(found["facts"]["kind"], "access-token");
    assert_eq!(found["facts"]["origin"], "whole-token");
    assert_eq!(found["time"]["state"], "valid");
    assert_eq!(found["time"]["words"], "still valid for 3 d 23 h, until 2026-01-04T23:00:00Z");
    let power = found["power"]["summary"].as_str().unwrap();
    assert!(
        power.starts_with("create, change, overwrite, rename and delete everything of this VO"),
        "the worst first: {power}"
    );
    // XRootD and HTCondor take the any audience and trust the issuer, dCache lists other audiences, FTS trusts another issuer.
    assert_eq!(
        takes(&found),
        [("se01", "yes"), ("ce01", "yes"), ("se02", "no"), ("fts", "no")],
        "{:#}",
        found["services"]
    );
    assert_eq!(service(&found, "se01")["place"]["path"].as_str().unwrap().rsplit('/').next(), Some("scitokens.cfg"));
    // Of XRootD nothing that leaves the rest of the VO alone is possible, of HTCondor the subject.
    assert_eq!(service(&found, "se01")["only_whole_vo"], true);
    assert_eq!(service(&found, "se01")["narrowest"], "path");
    assert_eq!(service(&found, "ce01")["only_whole_vo"], false);
    assert_eq!(service(&found, "ce01")["narrowest"], "sub");
    // What hits the thief alone comes before what hits the VO, services before the issuer, who cannot stop this token.
    let order = steps(&found);
    assert!(order[0].starts_with("ce01 (htcondor-ce): refuse the subject"), "{order:?}");
    assert!(order[1].starts_with("se01 (xrootd): nothing narrower than the VO"), "{order:?}");
    assert!(order[2].starts_with("INDIGO IAM: disable the client"), "{order:?}");
    let commands = words(&found["steps"]);
    assert!(commands.contains("/iam/api/clients/data-manager/disable"), "{commands}");
    assert!(commands.contains("$/ incident@banned.htcondor.org"), "{commands}");
    // The subject is the client's: banning it stops a whole service.
    let stops = words(&found["who_stops"]);
    assert!(stops.contains("2 known tokens") && stops.contains("subject and client are the same"), "{stops}");
    assert_eq!(found["elsewhere"]["used"][0]["service"], "ce01");
    assert_eq!(found["elsewhere"]["used"][0]["records"], 1, "another issuer's token of that jti is another token");
    assert_eq!(found["elsewhere"]["registrations"][0]["name"], "data management");
    assert_eq!(found["revocation"]["offline"], json!(["se01", "ce01"]));
    assert!(words(&found["revocation"]).contains("does not stop services that check tokens offline"));
    // XRootD in 2 min; of HTCondor only its key cache is known, which its own end beats.
    assert_eq!(found["neutralise"]["seconds"], 345_600 - 3600);
    let contacts = words(&found["contacts"]);
    for contact in ["iam@vo.example.org", "data@vo.example.org", "storage@site.example.org"] {
        assert!(contacts.contains(contact), "{contacts}");
    }
    assert_eq!(found["evidence"]["from"], "2025-12-31T23:00:00Z");
    assert_eq!(found["evidence"]["to"], "2026-01-01T00:00:00Z");
    let kept = found["evidence"]["items"].as_array().unwrap();
    let se01 = kept.iter().find(|item| item["place"] == "se01").unwrap();
    assert_eq!(se01["deleted_from"], "2026-03-31T23:00:00Z", "ninety days after it began");
    let text = found["broadcast"]["text"].as_str().unwrap();
    assert!(
        text.starts_with("TLP:AMBER\n") && text.contains(found["facts"]["fingerprint"].as_str().unwrap()),
        "{text}"
    );
    assert!(text.lines().all(|line| line.chars().count() <= 72 || line.starts_with("  ")), "{text}");
    assert!(text.is_ascii());
}

#[test]
fn incident_2_a_refresh_token_lies_in_a_log() {
    let folder = site();
    let refresh =
        format!("{}.{}.", part(r#"{"alg":"none"}"#), part(r#"{"jti":"d1f0c2aa-0001-4b2a-9a39-6f1c3f7e2d10"}"#));
    fs::write(folder.path().join("app.log"), format!("POST body refresh_token={refresh}&grant_type=refresh_token\n"))
        .unwrap();
    let found = incident(folder.path(), &["app.log", "--config", "site.yaml"], "");
    assert_eq!(found["facts"]["kind"], "refresh-token");
    assert_eq!(found["facts"]["origin"], "unsigned-token");
    assert_eq!(found["facts"]["identity"]["jti"], Value::Null, "it is the secret itself");
    assert_eq!(found["time"]["state"], "unknown");
    assert!(found["power"]["summary"].as_str().unwrap().contains("new access tokens"), "{}", found["power"]);
    assert!(takes(&found).iter().all(|(_, takes)| *takes == "no"), "services never see it");
    // The issuer first: it makes new tokens. Which one is not known.
    assert!(steps(&found)[0].starts_with("an OAuth 2.0 issuer: "), "{:?}", steps(&found));
    assert!(words(&found["unknown"]).contains("issuer: nothing that was read says it"), "{}", found["unknown"]);
    assert!(words(&found["steps"]).contains("tokenvet redact --in-place app.log"));
    // With what somebody knows besides, the product's own steps.
    let told =
        incident(folder.path(), &["app.log", "--config", "site.yaml", "--iss", VO, "--client", "data-manager"], "");
    assert!(steps(&told)[0].starts_with("INDIGO IAM: disable the client"), "{:?}", steps(&told));
    let shown =
        run(folder.path(), &["app.log", "--config", "site.yaml", "--all"], "").all() + &words(&found) + &words(&told);
    assert!(!shown.contains("d1f0c2aa"), "{shown}");
}

#[test]
fn incident_3_the_token_was_redacted_before_the_officer_got_it() {
    let folder = site();
    let token = token(&claims(), "REDACTED");
    let found = incident(folder.path(), &["-", "--config", "site.yaml"], &format!("authz=Bearer%20{token} 200\n"));
    assert_eq!(found["facts"]["origin"], "redacted-token");
    assert_eq!(found["facts"]["identity"]["jti"], "5b1c-1");
    assert_eq!(takes(&found)[0], ("se01", "yes"), "what was sent had its signature");
    assert!(!words(&found["steps"]).contains("redact --in-place"), "nothing is left to be taken out");
}

/// The fingerprint of what is left of a token is another than that of the token: nobody finds the token by it.
#[test]
fn what_is_left_of_a_token_is_not_searched_by_its_fingerprint() {
    let folder = TempDir::new().unwrap();
    let whole = token(&claims(), &signature(15));
    let print = incident(folder.path(), &["-"], &whole)["facts"]["fingerprint"].as_str().unwrap().to_string();
    let access =
        |token: &str| format!("192.0.2.1 - - [31/Dec/2025:23:30:00 +0000] \"GET /f?authz={token} HTTP/1.1\" 200 1\n");
    fs::write(folder.path().join("access.log"), access(&whole)).unwrap();
    let nameless = with(claims(), &[("jti", Value::Null)]);
    let anonymous = with(nameless.clone(), &[("sub", Value::Null), ("client_id", Value::Null)]);
    for (left, search, says, remark) in [
        (token(&claims(), "REDACTED"), Some("--jti 5b1c-1"), "issuer and jti identify it", "without its signature"),
        (whole[..whole.len() - 100].to_string() + "...", None, "by what is known of it", "cut off"),
        (token(&nameless, "REDACTED"), Some("--sub data-manager"), "by what is known of it", "without jti"),
        (token(&anonymous, "REDACTED"), Some("--vo https://vo.example.org/"), "by what is known of it", "nobody's"),
    ] {
        let found = incident(folder.path(), &["-"], &format!("Bearer {left}\n"));
        assert_eq!(found["facts"]["fingerprint"], Value::Null, "{remark}");
        let rest = found["facts"]["fingerprint_of_rest"].as_str().unwrap();
        assert_ne!(rest, print, "{remark}");
        let all: String = ["human", "markdown", "broadcast"]
            .map(|format| run(folder.path(), &["-", "--format", format], &format!("Bearer {left}\n")).out())
            .concat();
        assert!(!all.contains("--fingerprint") && !all.contains("the fingerprint identifies"), "{remark}: {all}");
        let text = found["broadcast"]["text"].as_str().unwrap();
        assert!(!text.contains(rest) && !text.contains("SHA-256"), "{remark}: {text}");
        let lines: Vec<&str> = text.lines().filter(|line| line.contains("tokenvet trace LOGS")).collect();
        assert!(search.is_none_or(|search| lines == [format!("  tokenvet trace LOGS {search}")]), "{remark}: {text}");
        assert!(words(&found["steps"]).contains(says), "{remark}: {}", found["steps"]);
        assert!(all.contains(&format!("that of what is left is {rest}")), "{remark}: {all}");
    }
    // What it is called by here still finds it here.
    let left = format!("Bearer {}\n", token(&claims(), "REDACTED"));
    fs::write(folder.path().join("mail.txt"), &left).unwrap();
    let alone = incident(folder.path(), &["mail.txt"], "");
    let rest = alone["facts"]["fingerprint_of_rest"].as_str().unwrap();
    let same = incident(folder.path(), &["mail.txt", "--fingerprint", rest], "");
    assert_eq!(same["facts"]["origin"], "redacted-token");
    // The logs that are read hold the whole token.
    let found = incident(folder.path(), &["mail.txt", "access.log"], "");
    assert_eq!(found["facts"]["fingerprint"], json!(print));
    assert_eq!(found["facts"]["origin"], "redacted-token");
    assert_eq!(found["elsewhere"]["whole"]["fingerprint"], json!(print));
    assert_eq!(found["elsewhere"]["whole"]["place"], json!({ "path": "access.log", "line": 1 }));
    assert!(found["broadcast"]["text"].as_str().unwrap().contains(&format!("--fingerprint {print}")));
    let shown = run(folder.path(), &["mail.txt", "access.log"], "").out();
    assert!(shown.contains("access.log:1") && shown.contains(&format!("--fingerprint {print}")), "{shown}");
    // Without jti the content tells that it is the same one, and where it was used.
    let whole = token(&nameless, &signature(16));
    fs::write(folder.path().join("access.log"), access(&whole)).unwrap();
    fs::write(folder.path().join("mail.txt"), format!("Bearer {}\n", token(&nameless, "REDACTED"))).unwrap();
    let found = incident(folder.path(), &["mail.txt", "access.log"], "");
    assert_ne!(found["facts"]["fingerprint"], Value::Null);
    assert_eq!(found["elsewhere"]["used"][0]["records"], 1);
    // Two signatures of one content: which is the token's is not known.
    fs::write(folder.path().join("access.log"), access(&whole) + &access(&token(&nameless, &signature(17)))).unwrap();
    let found = incident(folder.path(), &["mail.txt", "access.log"], "");
    assert_eq!((&found["facts"]["fingerprint"], &found["elsewhere"]["whole"]), (&Value::Null, &Value::Null));
}

/// What nobody saw is an answer, and the page says it. What is only text is none.
#[test]
fn that_no_log_names_the_token_is_said() {
    let folder = site();
    fs::write(folder.path().join("none.txt"), "nothing of it\n").unwrap();
    fs::write(folder.path().join("text.txt"), "nothing of it\nid=nosuch-1 came by\n").unwrap();
    let asked = |args: &[&str]| {
        let args = [args, &["--jti", "nosuch-1"]].concat();
        let found = incident(folder.path(), &args, "");
        let shown = run(folder.path(), &args, "").out().split_whitespace().collect::<Vec<_>>().join(" ");
        (found, shown)
    };
    let (found, shown) = asked(&["log/AuditLog"]);
    assert_eq!(found["elsewhere"]["logs_read"], true);
    assert!(shown.contains("used no log that was read names it"), "{shown}");
    let (found, shown) = asked(&["log/AuditLog", "text.txt"]);
    assert_eq!(found["elsewhere"]["in_text"], 1);
    assert!(shown.contains("used not for certain: its jti stands in the text of 1 record"), "{shown}");
    let (found, shown) = asked(&["none.txt"]);
    assert_eq!(found["elsewhere"]["logs_read"], false);
    assert!(shown.contains("used not known: nothing that was read is a log of a format that is known"), "{shown}");
    assert!(!shown.contains("no logs were read") && !shown.contains("neither logs nor"), "{shown}");
    // Nothing was asked where nothing was read, nor where there is nothing to ask by.
    let (_, shown) = asked(&[]);
    assert!(!shown.contains("names it") && !shown.contains("used not"), "{shown}");
    let shown = run(folder.path(), &["log/AuditLog", "--sub", "nobody"], "").out();
    assert!(shown.contains("no log that was read names this subject") && !shown.contains("names it"), "{shown}");
    let (_, shown) = asked(&["--config", "site.yaml"]);
    assert!(shown.contains("used no log that was read names it"), "{shown}");
}

/// A value is no option, whatever it begins with.
#[test]
fn values_that_begin_like_options_are_none() {
    let folder = site();
    let told = ["--jti=--help", "--sub=-rf", "--client=-c 'x'", "--config", "site.yaml"];
    let found = incident(folder.path(), &told, "");
    let commands = found["evidence"]["commands"].as_array().unwrap();
    let trace = "tokenvet trace --config site.yaml";
    let expected =
        [format!("{trace} --jti=--help"), format!("{trace} --sub=-rf"), format!(r"{trace} --client='-c '\''x'\'''")];
    assert_eq!(commands, &expected.map(Value::from));
    let text = found["broadcast"]["text"].as_str().unwrap();
    assert!(text.contains("  tokenvet trace LOGS --jti=--help\n"), "{text}");
    let token = token(&claims(), &signature(18));
    fs::write(folder.path().join("-x.log"), format!("Bearer {token}\n")).unwrap();
    let found = run(folder.path(), &["--format", "json", "--", "-x.log"], "").json();
    assert!(words(&found["incidents"][0]["steps"]).contains("tokenvet redact --in-place ./-x.log"), "{found}");
}

/// Logs of which nothing says whose they are.
#[test]
fn sentences_of_one_record_and_of_no_service_read_as_such() {
    let folder = TempDir::new().unwrap();
    let token = token(&claims(), &signature(19));
    let line = format!("192.0.2.1 - - [31/Dec/2025:23:30:00 +0000] \"GET /f?authz={token} HTTP/1.1\" 200 1\n");
    fs::write(folder.path().join("access.log"), line).unwrap();
    let shown = run(folder.path(), &["access.log"], "").out().split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(shown.contains("used in the logs of unknown services"), "{shown}");
    assert!(shown.contains("stop, at unknown services (1 record names it)"), "{shown}");
}

#[test]
fn incident_4_only_the_jti_is_known_and_the_logs_tell_the_rest() {
    let folder = site();
    let found = incident(folder.path(), &["--config", "site.yaml", "--jti", "5b1c-2"], "");
    assert_eq!(found["facts"]["origin"], "told");
    assert_eq!(found["facts"]["identity"]["issuer"], VO, "a log says it");
    assert_eq!(found["facts"]["identity"]["subject"], "data-manager");
    assert_eq!(found["elsewhere"]["learned"]["client"], "data-manager");
    assert_eq!(found["elsewhere"]["used"][0]["records"], 1);
    assert_eq!(found["time"]["state"], "unknown");
    assert_eq!(found["power"]["summary"], "not known: its claims are not at hand");
    // Trust is known, audience and scopes are not; FTS does not trust the issuer.
    let mut places = takes(&found);
    places.sort();
    assert_eq!(places, [("ce01", "unknown"), ("fts", "no"), ("se01", "unknown"), ("se02", "unknown")]);
    assert!(words(&found["unknown"]).contains("scopes and audience"), "{}", found["unknown"]);
    assert!(words(&found["evidence"]["commands"]).contains("tokenvet trace --config site.yaml --jti 5b1c-2"));
    // The log line alone will do as well.
    let line = AUDIT.lines().nth(1).unwrap();
    let from_line = incident(folder.path(), &["-", "--config", "site.yaml"], line);
    assert_eq!(from_line["facts"]["identity"], found["facts"]["identity"]);
}

#[test]
fn incident_5_it_has_expired() {
    let folder = site();
    let old = with(claims(), &[("exp", json!(CLOCK - 60)), ("jti", json!("5b1c-1"))]);
    let found = incident(folder.path(), &["-", "--config", "site.yaml"], &token(&old, &signature(5)));
    assert_eq!(found["time"]["state"], "expired");
    assert_eq!(found["neutralise"]["seconds"], 0);
    assert!(takes(&found).iter().all(|(_, takes)| *takes == "no"), "{:?}", takes(&found));
    assert!(steps(&found)[0].contains("ban nothing"), "{:?}", steps(&found));
    assert!(!words(&found["steps"]).contains("banned.htcondor.org") && !words(&found["steps"]).contains("/disable"));
    assert_eq!(found["evidence"]["to"], "2025-12-31T23:59:00Z", "its end");
    assert_eq!(found["elsewhere"]["used"][0]["service"], "ce01", "whether it was used is still asked");
}

#[test]
fn incident_6_the_issuer_is_one_for_development() {
    let folder = site();
    let dev = with(claims(), &[("iss", json!("https://wlcg.cloud.cnaf.infn.it/"))]);
    let found = incident(folder.path(), &["-", "--config", "site.yaml"], &token(&dev, &signature(6)));
    let class = found["facts"]["known_issuer"]["class"].as_str().unwrap();
    assert_ne!(class, "production");
    let shown = run(folder.path(), &["-", "--config", "site.yaml"], &token(&dev, &signature(6))).out();
    let shown = shown.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(shown.contains("services for real users should not trust it"), "{shown}");
    assert_eq!(found["elsewhere"]["registrations"], json!([]), "the snapshot is another issuer's");
    assert_eq!(found["facts"]["issuer_product"], Value::Null);
    let near = with(claims(), &[("iss", json!("https://atlice-auth.cern.ch/"))]);
    let found = incident(folder.path(), &["-"], &token(&near, &signature(6)));
    assert_eq!(found["facts"]["issuer_near"], "https://alice-auth.cern.ch/");
}

#[test]
fn incident_7_no_service_trusts_the_issuer() {
    let folder = site();
    let foreign = with(claims(), &[("iss", json!("https://nobody.example.org/"))]);
    let found = incident(folder.path(), &["-", "--config", "site.yaml"], &token(&foreign, &signature(7)));
    assert!(takes(&found).iter().all(|(_, takes)| *takes == "no"), "{:#}", found["services"]);
    assert!(found["neutralise"]["words"].as_str().unwrap().contains("no service is known to take it"));
    let text = words(&found["steps"]);
    assert!(!text.contains("scitokens.cfg") && !text.contains("ban.conf"), "nothing to ban here: {text}");
    assert!(
        words(&found["contacts"]).contains("issuers[].contact"),
        "whom to call is not known, and where it could stand"
    );
}

#[test]
fn incident_8_a_macaroon_of_a_storage() {
    let folder = site();
    let mut bytes = Vec::new();
    for (name, value) in [
        ("location", "https://se02.example.org"),
        ("identifier", "an-identifier"),
        ("cid", "activity:DOWNLOAD,LIST"),
        ("cid", "path:/vo/data"),
        ("cid", "before:2026-01-01T06:00:00Z"),
        ("signature", "0123456789abcdef0123456789abcdef"),
    ] {
        bytes.extend(format!("{:04x}{name} {value}\n", 4 + name.len() + 1 + value.len() + 1).into_bytes());
    }
    let macaroon = URL_SAFE_NO_PAD.encode(&bytes);
    let log = format!("GET /vo/data/f?authz={macaroon} 200\n");
    let found = incident(folder.path(), &["-", "--config", "site.yaml"], &log);
    assert_eq!(found["facts"]["kind"], "macaroon");
    assert_eq!(found["time"]["until"], "2026-01-01T06:00:00Z");
    assert_eq!(found["time"]["words"], "still valid for 6 h, until 2026-01-01T06:00:00Z");
    let power = words(&found["power"]);
    assert!(power.contains("path:/vo/data") && power.contains("activity:DOWNLOAD,LIST"), "{power}");
    assert!(takes(&found).iter().all(|(_, takes)| *takes == "unknown"), "{:?}", takes(&found));
    let all = run(folder.path(), &["-", "--config", "site.yaml", "--all"], &log).all() + &words(&found);
    assert!(!all.contains("0123456789abcdef") && !all.contains(&macaroon[20..60]), "{all}");
}

#[test]
fn what_is_not_known_stays_unknown() {
    let folder = TempDir::new().unwrap();
    let token = token(&claims(), &signature(9));
    let alone = incident(folder.path(), &["-"], &token);
    assert_eq!(alone["services"], json!([]));
    assert!(words(&alone["unknown"]).contains("where the token works is not known"), "{}", alone["unknown"]);
    assert!(words(&alone["who_stops"]).contains("not known"), "{}", alone["who_stops"]);
    assert_eq!(alone["facts"]["issuer_product"], Value::Null);
    assert!(steps(&alone)[0].starts_with("an OAuth 2.0 issuer"), "{:?}", steps(&alone));
    // A service without files, and software of which nothing says how it refuses tokens.
    let policy = "services:\n  - { name: a, type: xrootd, files: [none.cfg] }\n  - { name: b, type: dirac, files: [none.cfg] }\n";
    fs::write(folder.path().join("site.yaml"), policy).unwrap();
    let found = incident(folder.path(), &["-", "--config", "site.yaml"], &token);
    assert_eq!(takes(&found), [("a", "unknown"), ("b", "unknown")]);
    let a = service(&found, "a");
    let sub = a["handles"].as_array().unwrap().iter().find(|one| one["handle"] == "sub").unwrap();
    assert_eq!(sub["can"], "unknown", "it depends on a file that nobody read");
    assert_eq!(a["only_whole_vo"], Value::Null);
    assert_eq!(service(&found, "b")["ways"].as_array().unwrap().last().unwrap()["seconds"], Value::Null);
    // One without end and without service.
    let endless = with(claims(), &[("exp", Value::Null)]);
    let found = incident(folder.path(), &["-"], &self::token(&endless, &signature(9)));
    assert_ne!(found["time"]["state"], "valid");
    assert_eq!(found["time"]["seconds"], Value::Null);
}

/// What a service can refuse tokens by follows from its own configuration.
#[test]
fn handles_follow_the_configuration() {
    let folder = site();
    let token = token(&claims(), &signature(10));
    // Without capabilities the name map decides, and a subject can be refused.
    let mapping = format!("{SCITOKENS}authorization_strategy = mapping\nname_mapfile = /etc/xrootd/map.json\n");
    fs::write(folder.path().join("se01/scitokens.cfg"), mapping).unwrap();
    let found = incident(folder.path(), &["-", "--config", "site.yaml"], &token);
    assert_eq!(service(&found, "se01")["narrowest"], "sub", "{:#}", service(&found, "se01")["handles"][1]);
    assert_eq!(service(&found, "se01")["only_whole_vo"], false);
    // A ban file of dCache that is set up, and one that is not.
    let handle = |found: &Value| {
        let handles = service(found, "se02")["handles"].as_array().unwrap().clone();
        handles.into_iter().find(|one| one["handle"] == "account").unwrap()
    };
    assert_eq!((&handle(&found)["ready"], &handle(&found)["setup"]), (&json!(true), &json!([])));
    fs::write(folder.path().join("se02/gplazma.conf"), "auth optional oidc\nsession requisite authzdb\n").unwrap();
    let without = incident(folder.path(), &["-", "--config", "site.yaml"], &token);
    assert_eq!(handle(&without)["ready"], false);
    assert!(words(&handle(&without)["setup"]).contains("account requisite banfile"));
    // One account for all tokens of the issuer is the whole VO.
    let shared = DCACHE.replace("-prefix=/vo", "-prefix=/vo -authz-id=\"username:vo uid:1000 gid:1000\"");
    fs::write(folder.path().join("se02/dcache.conf"), shared).unwrap();
    let shared = incident(folder.path(), &["-", "--config", "site.yaml"], &token);
    assert_eq!(handle(&shared)["whole_vo"], true, "{:#}", handle(&shared));
}

#[test]
fn several_tokens_have_a_page_each_up_to_a_cap_that_is_said() {
    let folder = TempDir::new().unwrap();
    let mut log = String::new();
    for n in 0..5 {
        let one = with(
            claims(),
            &[("jti", json!(format!("j-{n}"))), ("exp", json!(CLOCK + if n == 3 { 600 } else { -600 }))],
        );
        log.push_str(&format!("Bearer {}\n", token(&one, &signature(n))));
    }
    fs::write(folder.path().join("x.log"), &log).unwrap();
    let found = page(folder.path(), &["x.log"], "", 0);
    assert_eq!(found["incidents"].as_array().unwrap().len(), 3);
    assert_eq!(found["incidents"][0]["facts"]["identity"]["jti"], "j-3", "the one that can still be used first");
    assert_eq!(found["beyond"].as_array().unwrap().len(), 2);
    assert!(words(&found["notes"]).contains("5 tokens were found"), "{}", found["notes"]);
    assert_eq!(page(folder.path(), &["x.log", "--all"], "", 0)["incidents"].as_array().unwrap().len(), 5);
    // By its identifier one of them is meant.
    let one = incident(folder.path(), &["x.log", "--jti", "j-4"], "");
    assert_eq!((&one["facts"]["origin"], &one["time"]["state"]), (&json!("whole-token"), &json!("expired")));
    let print = one["facts"]["fingerprint"].as_str().unwrap().to_string();
    let same = incident(folder.path(), &["x.log", "--fingerprint", &print], "");
    assert_eq!(same["facts"]["identity"], one["facts"]["identity"]);
    for part in [&print[..1], &print[..11], &format!("{print}0"), "zzzzzzzzzzzz"] {
        let ran = run(folder.path(), &["x.log", "--fingerprint", part], "");
        assert_eq!(ran.code, Some(2), "{part}: {}", ran.all());
        assert!(ran.err().contains("write the 12 hexadecimal digits that a scan shows"), "{}", ran.err());
    }
    // A subject has many tokens: it is meant as such.
    let all = page(folder.path(), &["x.log", "--sub", "data-manager"], "", 0);
    assert_eq!(all["incidents"][0]["facts"]["origin"], "told");
    assert!(words(&all["notes"]).contains("5 tokens in the files fit"), "{}", all["notes"]);
}

#[test]
fn decoded_claims_and_encrypted_tokens_are_accepted() {
    let folder = TempDir::new().unwrap();
    for (text, kind, remark) in [
        (claims().to_string(), "access-token", "claims alone"),
        (
            json!({ "header": { "alg": "RS256", "typ": "at+jwt" }, "payload": claims() }).to_string(),
            "access-token",
            "with header",
        ),
        (json!([claims()]).to_string(), "access-token", "a list"),
    ] {
        let found = incident(folder.path(), &["-"], &text);
        assert_eq!((&found["facts"]["kind"], &found["facts"]["origin"]), (&json!(kind), &json!("claims")), "{remark}");
        assert_eq!(found["facts"]["fingerprint"], Value::Null, "{remark}: no token, no fingerprint");
        assert_eq!(found["facts"]["identity"]["jti"], "5b1c-1", "{remark}");
    }
    // Of claims that stand twice the last counts; who knows the jti of a token without signature can write it.
    let twice = r#"{"iss":"https://vo.example.org/","jti":"5b1c-2","exp":1000000000,"exp":1999999999}"#;
    for (algorithm, signature, jti) in
        [("RS256", "S".repeat(342), json!("5b1c-2")), ("none", String::new(), Value::Null)]
    {
        let token = format!("{}.{}.{signature}", part(&format!(r#"{{"alg":"{algorithm}"}}"#)), part(twice));
        let found = incident(folder.path(), &["-"], &token);
        assert_eq!(found["facts"]["identity"]["jti"], jti, "{algorithm}");
        assert!(words(&found).contains("2033-05-18"), "{algorithm}: {found}");
        assert_eq!(words(&found).contains("5b1c-2"), algorithm != "none", "{algorithm}");
    }
    let jwe = format!(
        "Bearer {}.{}.{}.{}.{}",
        part(r#"{"alg":"RSA-OAEP","enc":"A256GCM"}"#),
        "K".repeat(342),
        "I".repeat(16),
        "C".repeat(200),
        "T".repeat(22)
    );
    let found = incident(folder.path(), &["-"], &jwe);
    assert_eq!(found["facts"]["kind"], "encrypted-token");
    assert!(!words(&found).contains(&"C".repeat(30)));
    let nothing = run(folder.path(), &["-"], "no token here\n");
    assert_eq!(nothing.code, Some(3), "{}", nothing.all());
}

#[test]
fn wrong_questions_are_answered_without_showing_a_token() {
    let folder = TempDir::new().unwrap();
    let token = token(&claims(), &signature(11));
    for (args, code, says) in [
        (vec![], 2, "which token?"),
        (vec![token.as_str()], 2, "standard input"),
        (vec!["--jti", token.as_str()], 2, "standard input"),
        (vec!["--sub", " "], 2, "empty"),
        (vec!["no-such-file"], 2, "no-such-file"),
    ] {
        let ran = run(folder.path(), &args, "");
        ran.exits(code, says);
        assert!(ran.err().contains(says), "{}", ran.err());
        assert!(!ran.all().contains(&token[40..80]) && !ran.all().contains("TestSignature"), "{}", ran.all());
    }
}

/// Claims are an attacker's: they must not speak to terminals, pages, mails or shells.
#[test]
fn hostile_names_stay_names() {
    let folder = site();
    let evil = "a\u{1b}[2J\u{202e}x](https://evil.example/)<script>|`$(reboot)`'\"\nTLP:CLEAR\n::error::x ##[command]y";
    let hostile = with(
        claims(),
        &[
            ("sub", json!(evil)),
            ("client_id", json!(evil)),
            ("jti", json!(evil)),
            ("scope", json!("storage.modify:/\u{1b}]0;x\u{7} #x::y")),
        ],
    );
    let token = token(&hostile, &signature(12));
    for format in ["human", "markdown", "json", "broadcast"] {
        let ran = run(folder.path(), &["-", "--config", "site.yaml", "--all", "--format", format], &token);
        ran.exits(0, format);
        let out = ran.out();
        assert!(!out.contains(['\u{1b}', '\u{202e}', '\u{7}']), "{format}");
        assert!(
            !out.lines().any(|line| line.trim_start().starts_with("::") || line.contains("##[")),
            "{format}: {out}"
        );
        assert!(!out.lines().any(|line| line.trim() == "TLP:CLEAR"), "{format}: a second mark");
        // No command holds what a shell would run, and no line of a file more than a value.
        let risky = |line: &&str| {
            (line.contains("curl") || line.contains("SCITOKENS") || line.contains("tokenvet trace"))
                && line.contains("reboot")
        };
        let lines: Vec<&str> = out.lines().filter(risky).collect();
        assert!(format == "json" || lines.is_empty(), "{format}: {lines:?}");
    }
    let markdown = run(folder.path(), &["-", "--config", "site.yaml", "--format", "markdown"], &token).out();
    for event in pulldown_cmark::Parser::new(&markdown) {
        use pulldown_cmark::{Event, Tag};
        // Comments keep mentions from becoming links; nothing else is HTML, and nothing is a link.
        let is_comment = |html: &str| html.replace("<!-- -->", "").trim().is_empty();
        match &event {
            Event::Html(html) | Event::InlineHtml(html) => assert!(is_comment(html), "{html}"),
            Event::Start(Tag::Link { .. } | Tag::Image { .. }) => panic!("{event:?}"),
            _ => {}
        }
    }
    let json = page(folder.path(), &["-", "--config", "site.yaml"], &token, 0);
    for act in
        json["incidents"][0]["steps"].as_array().unwrap().iter().flat_map(|step| step["acts"].as_array().unwrap())
    {
        let lines = act["shell"].as_array().unwrap().iter().chain(act["lines"].as_array().unwrap());
        for line in lines.map(|line| line.as_str().unwrap()) {
            assert!(!line.contains("reboot") && !line.contains('\n'), "{line}");
        }
    }
}

#[test]
fn the_page_is_the_same_every_time_and_fits_its_schema() {
    let folder = site();
    let token = token(&claims(), &signature(13));
    for format in ["human", "markdown", "json", "broadcast"] {
        let args = ["-", "--config", "site.yaml", "--format", format];
        assert_eq!(run(folder.path(), &args, &token).out(), run(folder.path(), &args, &token).out(), "{format}");
    }
    let schema = common::run(common::tokenvet().args(["schema", "incident"])).json();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let told = ["--jti", "5b1c-2", "--config", "site.yaml"];
    for (args, input) in
        [(&["-", "--config", "site.yaml"][..], token.as_str()), (&told, ""), (&["-"], claims().to_string().as_str())]
    {
        let page = page(folder.path(), args, input, 0);
        assert_eq!(page["schema_version"], "1");
        let errors: Vec<String> = validator.iter_errors(&page).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{args:?}: {errors:?}");
    }
}

/// A file that cannot be read does not keep the page from being written, and shows in the exit code.
#[test]
fn what_could_not_be_read_is_said() {
    let folder = site();
    fs::write(folder.path().join("token.txt"), token(&claims(), &signature(14))).unwrap();
    let found = page(folder.path(), &["token.txt", "no-such-log"], "", 2);
    assert!(words(&found["notes"]).contains("no-such-log"), "{}", found["notes"]);
    assert_eq!(found["incidents"].as_array().unwrap().len(), 1);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    /// Nothing of a signature, a client secret or an unsigned refresh token is ever printed.
    #[test]
    fn secrets_never_reach_the_page(
        secret in "[A-Za-z0-9_-]{86}",
        sub in "[a-z0-9-]{1,12}",
        left in -100_000i64..400_000,
        encoding in 0usize..4,
        format in 0usize..4,
        refresh in any::<bool>(),
    ) {
        let folder = site();
        let claims = with(claims(), &[("sub", json!(sub)), ("exp", json!(CLOCK + left))]);
        let (token, secret) = match refresh {
            false => (token(&claims, &secret), secret),
            true => {
                let payload = json!({ "jti": secret }).to_string();
                (format!("{}.{}.", part(r#"{"alg":"none"}"#), part(&payload)), secret)
            }
        };
        let text = match encoding {
            0 => token.clone(),
            1 => format!("GET /f?authz=Bearer%20{} HTTP/1.1\n", token.replace('.', "%2E")),
            2 => format!("{{\"access_token\":\"{token}\"}}\n"),
            _ => format!("{}\n{}", AUDIT, token),
        };
        let format = ["human", "markdown", "json", "broadcast"][format];
        fs::write(folder.path().join("log/AuditLog"), format!("{AUDIT}x {token}\n")).unwrap();
        let ran = run(folder.path(), &["-", "--config", "site.yaml", "--all", "--format", format], &text);
        let all = ran.all();
        prop_assert!(ran.code == Some(0), "{}", all);
        prop_assert!(!(0..secret.len() - 16).any(|at| all.contains(&secret[at..at + 16])), "{}: {}", format, all);
        let encoded = token.split('.').nth(1).unwrap();
        prop_assert!(!all.contains(&encoded[..encoded.len().min(40)]), "{}: {}", format, all);
        prop_assert!(!all.contains("not-a-secret-7"), "{}", format);
    }
}
