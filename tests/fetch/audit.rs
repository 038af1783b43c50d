//! `tokenvet audit --fetch`: nights on which the issuer answers, does not, or breaks off.

use crate::common::{Ran, list, run, tokenvet, write};
use crate::replay::{self, CANARY, TOKEN, iam};
use crate::server::{Identity, Reply, Server};
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A site whose policy names one issuer.
fn site(issuer: &str, more: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let policy =
        format!("issuers:\n- {{ issuer: \"{issuer}\", snapshot: issuers/vo, contact: vo@example.org{more} }}\n");
    write(&folder.path().join("site.yaml"), policy.as_bytes());
    write(&folder.path().join("token"), TOKEN.as_bytes());
    folder
}

fn audit(folder: &Path, arguments: &[&str]) -> Ran {
    let mut command = tokenvet();
    command.current_dir(folder).env("SSL_CERT_FILE", "/dev/null").args(["audit", "site.yaml", "--state", "state"]);
    let ran = run(command.args(["--format", "json"]).args(arguments));
    assert!(!ran.all().contains(CANARY) && !ran.all().contains(TOKEN), "no secret is shown: {}", ran.all());
    ran
}

const FETCH: [&str; 2] = ["--fetch", "--allow-private"];

/// A server whose answers the number tells: 0 those of an issuer with that many clients, others a broken server.
fn server(clients: usize) -> (Server, Arc<AtomicUsize>) {
    let broken = Arc::new(AtomicUsize::new(0));
    let seen_by = Arc::clone(&broken);
    let server = Server::start(None, |base| {
        let issuer = base.to_string();
        Box::new(move |seen| match broken.load(Ordering::SeqCst) {
            0 => iam(&issuer, seen, clients),
            _ => Reply::status(503),
        })
    });
    (server, seen_by)
}

#[test]
fn a_night_without_the_issuer_is_a_note_and_the_old_snapshot_counts() {
    let (server, broken) = server(3);
    let site = site(&server.base, ", token-file: token");
    let first = audit(site.path(), &FETCH);
    first.exits(0, "the first night makes the folder and fills it");
    let report = first.json();
    let snapshot = &report["snapshots"][0];
    assert_eq!((&snapshot["issuer"], &snapshot["path"]), (&server.base.as_str().into(), &"issuers/vo".into()));
    assert_eq!(snapshot["failed"], "");
    assert!(snapshot["age"].as_i64().is_some_and(|age| (0..300).contains(&age)), "{snapshot}");
    assert!(list(&report["coverage"], "incomplete").is_empty());
    let before = fs::read(site.path().join("issuers/vo/clients.json")).expect("clients");

    broken.store(1, Ordering::SeqCst);
    let ran = audit(site.path(), &[&FETCH[..], &["--notify", "mail.txt", "--output", "prometheus=out.prom"]].concat());
    ran.exits(0, "nothing got worse");
    assert!(ran.err().starts_with("note: ") && ran.err().contains("answered 503"), "{}", ran.err());
    let report = ran.json();
    let snapshot = &report["snapshots"][0];
    assert!(snapshot["failed"].as_str().is_some_and(|why| why.contains("answered 503")), "{snapshot}");
    assert_eq!((list(&report, "errors").len(), list(&report["coverage"], "lost").len()), (0, 0), "{report:#}");
    assert_eq!(fs::read(site.path().join("issuers/vo/clients.json")).expect("clients"), before);
    let mail = fs::read_to_string(site.path().join("mail.txt")).expect("a mail");
    assert!(mail.contains("issuers that could not be fetched (1)") && mail.contains(" old"), "{mail}");
    assert!(
        mail.lines().next().is_some_and(|subject| subject.contains(": OK, nothing got worse, 1 not fetched")),
        "{mail}"
    );
    let metrics = fs::read_to_string(site.path().join("out.prom")).expect("metrics");
    assert!(metrics.contains("tokenvet_audit_snapshot_timestamp_seconds{issuer=\"http://127.0.0.1:"), "{metrics}");

    let last =
        run(tokenvet().current_dir(site.path()).args(["audit", "site.yaml", "--state", "state", "--last", "--nagios"]));
    last.exits(1, "a plugin warns of it");
    assert!(last.out().contains("; not fetched: ") && last.out().contains("not_fetched=1;0"), "{}", last.out());

    broken.store(0, Ordering::SeqCst);
    let report = audit(site.path(), &FETCH).json();
    assert_eq!((&report["outcome"], &report["snapshots"][0]["failed"]), (&"steady".into(), &"".into()), "{report:#}");
    let report = audit(site.path(), &[]).json();
    assert_eq!(report["snapshots"][0]["failed"], "", "without --fetch nobody is asked, and the age is told");
    assert!(report["snapshots"][0]["age"].is_i64());
}

#[test]
fn an_issuer_that_never_answered_is_an_error() {
    let site = site("http://127.0.0.1:1", "");
    let ran = audit(site.path(), &FETCH);
    ran.exits(2, "there is nothing to audit");
    assert!(ran.err().contains("nothing listens there"), "{}", ran.err());
    let report = ran.json();
    assert_eq!(report["errors"][0]["path"], "issuers/vo", "{report:#}");
    assert_eq!((&report["snapshots"][0]["taken"], &report["snapshots"][0]["age"]), (&Value::Null, &Value::Null));
}

#[test]
fn an_interrupted_fetch_goes_on_the_next_night() {
    static ASKED: AtomicUsize = AtomicUsize::new(0);
    let server = Server::start(None, |base| {
        let issuer = base.to_string();
        Box::new(move |seen| {
            let clients = seen.path.starts_with("/iam/api/clients");
            match clients && ASKED.fetch_add(1, Ordering::SeqCst) == 2 {
                true => Reply::status(503),
                false => iam(&issuer, seen, 250),
            }
        })
    });
    let site = site(&server.base, ", token-file: token");
    // A folder that is being filled is beside the snapshot; that it is listed, too, makes it no snapshot.
    let policy = fs::read_to_string(site.path().join("site.yaml")).expect("the policy");
    write(&site.path().join("site.yaml"), format!("{policy}audit: {{ paths: ['issuers/**', iam] }}\n").as_bytes());
    write(&site.path().join("iam/clients.json"), b"[]");
    let ran = audit(site.path(), &FETCH);
    ran.exits(2, "no snapshot yet");
    assert!(ran.err().contains("200 clients are kept"), "{}", ran.err());
    assert!(site.path().join("issuers/vo.partial").exists());
    assert!(!ran.out().contains("vo.partial/page"), "{}", ran.out());
    let before = server.seen().len();
    let ran = audit(site.path(), &FETCH);
    let asked = server.seen()[before..].iter().filter(|seen| seen.path.starts_with("/iam/api/clients")).count();
    assert_eq!(asked, 1, "the last page");
    assert_eq!((ran.err(), site.path().join("issuers/vo.partial").exists()), (String::new(), false));
    assert!(audit(site.path(), &FETCH).err().is_empty(), "that there is nothing to resume is no news");
}

#[test]
fn a_snapshot_with_clients_is_not_replaced_by_one_without() {
    let (server, _) = server(2);
    let site = site(&server.base, ", token-file: token");
    audit(site.path(), &FETCH).exits(0, "with a token");
    let policy = fs::read_to_string(site.path().join("site.yaml")).expect("the policy");
    for (entry, why) in [
        ("", "which only a token shows"),
        (", token-file: gone", "gone: "),
        (", token-env: NO_SUCH_VARIABLE", "no such environment variable"),
        (", token-file: token, token-env: X", "leave one of them out"),
        (", token-file: empty", "it is empty"),
    ] {
        write(&site.path().join("empty"), b"\n");
        write(&site.path().join("site.yaml"), policy.replace(", token-file: token", entry).as_bytes());
        let ran = audit(site.path(), &FETCH);
        let report = ran.json();
        let failed = report["snapshots"][0]["failed"].as_str().unwrap_or_default().to_string();
        assert!(failed.starts_with(&server.base) && failed.contains(why), "{entry}: {failed}");
        assert!(list(&report["coverage"], "lost").is_empty(), "{entry}: {report:#}");
    }
}

#[test]
fn ends_of_certificates_and_keys_are_told_ahead() {
    let identity = Identity::until(&["localhost"], 2090, 12, 1);
    let server = Server::start(Some(&identity), |base| {
        let issuer = base.to_string();
        Box::new(move |seen| match seen.path.as_str() {
            "/jwk" => {
                let mut keys = replay::keys();
                let (mut old, mut next) = (keys["keys"][0].clone(), keys["keys"][0].clone());
                (old["kid"], old["exp"]) = ("old".into(), 3_815_294_400_i64.into());
                (next["kid"], next["nbf"], next["exp"]) =
                    ("next".into(), 3_815_208_000_i64.into(), 3_913_142_400_i64.into());
                keys["keys"].as_array_mut().expect("a list").extend([old, next]);
                Reply::json(keys.to_string())
            }
            _ => iam(&issuer, seen, 0),
        })
    });
    let site = site(&server.base, "");
    identity.write_ca(&site.path().join("ca.pem"));
    write(&site.path().join("iam.json"), b"[]");
    // A night of the future: the certificate must be valid when the test runs.
    let now = ["--now", "2090-11-22T12:00:00Z", "--ca-file", "ca.pem"];
    let report = audit(site.path(), &[&FETCH[..], &now[..]].concat()).json();
    let ends: Vec<_> = list(&report, "expiring")
        .iter()
        .map(|ends| ["what", "name", "owner", "at"].map(|name| ends[name].as_str().unwrap_or_default().to_string()))
        .collect();
    let expected = [
        ["key", "old", "vo@example.org", "2090-11-25T12:00:00Z"],
        ["certificate", "CN=iam.example.org", "vo@example.org", "2090-12-01T00:00:00Z"],
    ];
    assert_eq!(ends, expected, "{report:#}");
    assert_eq!(report["expiring"][1]["days"], 8);

    // What comes new says from when to when it counts.
    fs::remove_dir_all(site.path().join("state")).expect("removed");
    fs::rename(site.path().join("issuers/vo"), site.path().join("kept")).expect("moved");
    write(
        &site.path().join("issuers/vo/openid-configuration.json"),
        &fs::read(site.path().join("kept/openid-configuration.json")).expect("read"),
    );
    audit(site.path(), &["--now", "2090-11-21T12:00:00Z"]).exits(0, "before there were keys");
    fs::remove_dir_all(site.path().join("issuers/vo")).expect("removed");
    fs::rename(site.path().join("kept"), site.path().join("issuers/vo")).expect("moved");
    let report = audit(site.path(), &["--now", "2090-11-22T12:00:00Z"]).json();
    let added = list(&report["inventory"], "added");
    let of = |name: &str| added.iter().find(|item| item["name"] == name).unwrap_or(&Value::Null).clone();
    assert_eq!(
        (&of("next")["begins"], &of("next")["days"]),
        (&"2090-11-24T12:00:00Z".into(), &1135.into()),
        "{added:?}"
    );
    assert_eq!((&of("k1")["begins"], &of("k1")["ends"]), (&Value::Null, &Value::Null), "unknown stays unknown");
    assert_eq!(of("CN=iam.example.org")["ends"], "2090-12-01T00:00:00Z");
}

#[test]
fn options_about_fetching_need_it_and_an_issuer_with_a_folder() {
    let site = site("https://iam.example.org/", "");
    let ran = audit(site.path(), &["--allow-private"]);
    ran.exits(2, "without --fetch");
    assert!(ran.err().contains("add --fetch"), "{}", ran.err());
    write(
        &site.path().join("site.yaml"),
        b"issuers: [{ issuer: https://iam.example.org/ }]\naudit: { paths: [site.yaml] }\n",
    );
    let ran = audit(site.path(), &FETCH);
    ran.exits(2, "no folder");
    assert!(ran.err().contains("names no issuer with a folder"), "{}", ran.err());
    write(&site.path().join("site.yaml"), b"issuers: [{ issuer: https://iam.example.org/, snapshot: ../vo }]\n");
    audit(site.path(), &FETCH).exits(2, "a folder elsewhere");
}
