//! `tokenvet fetch` against servers on loopback: replayed INDIGO IAM and Keycloak APIs, servers that misbehave, and a real
//! OpenID provider.

#[cfg(feature = "state")]
mod audit;
#[path = "../common/mod.rs"]
mod common;
mod provider;
mod replay;
mod server;

use common::{Ran, check_json, list, rules_of, run, tokenvet};
use replay::{CANARY, TOKEN, iam, iam_metadata, keycloak};
use serde_json::Value;
use server::{Identity, Manner, Reply, Server};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// A folder to work in, with the token in a file.
fn workplace() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("token"), format!("{TOKEN}\n")).expect("written");
    folder
}

/// `tokenvet fetch` in this folder; no CA of the machine counts.
fn fetch(folder: &Path, issuer: &str, arguments: &[&str]) -> Ran {
    let mut command = tokenvet();
    command.current_dir(folder).env("SSL_CERT_FILE", "/dev/null").args(["fetch", issuer, "--into", "iam"]);
    let ran = run(command.args(arguments));
    assert!(!ran.all().contains(CANARY) && !ran.all().contains(TOKEN), "no secret is shown: {}", ran.all());
    ran
}

/// The files of a snapshot.
fn files(folder: &Path) -> BTreeMap<String, String> {
    let entries = fs::read_dir(folder.join("iam")).into_iter().flatten();
    let read = |entry: fs::DirEntry| {
        let text = fs::read_to_string(entry.path()).expect("text");
        assert!(!text.contains(CANARY) && !text.contains(TOKEN), "{:?} holds a secret", entry.path());
        (entry.file_name().to_string_lossy().into_owned(), text)
    };
    entries.map(|entry| read(entry.expect("an entry"))).collect()
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

#[test]
fn a_whole_issuer_lands_in_files_that_check_reads() {
    let folder = workplace();
    let server = Server::start(None, |base| {
        let issuer = format!("{base}/");
        Box::new(move |seen| iam(&issuer, seen, 250))
    });
    let issuer = format!("{}/", server.base);
    let arguments = ["--allow-private", "--token-file", "token"];
    fetch(folder.path(), &issuer, &arguments).exits(0, "fetched");
    let first = files(folder.path());
    let names: Vec<&str> = first.keys().map(String::as_str).collect();
    let expected = [
        "clients.json",
        "exchange-policies.json",
        "jwks.headers.json",
        "jwks.json",
        "manifest.json",
        "openid-configuration.json",
        "scope-policies.json",
    ];
    assert_eq!(names, expected);
    let clients = json(&first["clients.json"]);
    assert_eq!((clients["totalResults"].as_u64(), list(&clients, "Resources").len()), (Some(250), 250));
    assert!(server.seen().iter().all(|seen| seen.method == "GET"));
    for seen in server.seen() {
        let api = seen.path.starts_with("/iam/");
        assert_eq!(seen.authorization.is_some(), api, "the token goes where it is needed only: {}", seen.path);
    }
    let manifest = json(&first["manifest.json"]);
    let told = |file: &str, name: &str| {
        list(&manifest, "files").iter().find(|entry| entry["file"] == file).expect(file)[name].clone()
    };
    assert_eq!(told("clients.json", "needs"), "the scope iam:admin.read (or a user who is an administrator)");
    assert_eq!(told("clients.json", "entries"), 250);
    assert_eq!(told("clients.json", "withheld"), 750, "secret, registration token and key of each");
    assert_eq!(told("jwks.json", "url"), format!("{}/jwk", server.base));

    // The same answers make the same bytes.
    fetch(folder.path(), &issuer, &arguments).exits(0, "fetched again");
    let second = files(folder.path());
    for (name, text) in first.iter().filter(|(name, _)| *name != "manifest.json") {
        assert!(second[name] == *text, "{name} is the same");
    }

    let report = check_json(folder.path(), &["iam", "--profile", "wlcg@1.3"]);
    assert_eq!((list(&report, "errors").len(), report["skipped"].as_u64()), (0, Some(0)), "{:?}", report["errors"]);
    let kinds: BTreeMap<&str, &str> = list(&report, "documents")
        .iter()
        .map(|document| (document["path"].as_str().unwrap_or_default(), document["kind"].as_str().unwrap_or_default()))
        .collect();
    let expected = [
        ("iam/clients.json", "indigo-iam-clients"),
        ("iam/exchange-policies.json", "indigo-iam-exchange-policies"),
        ("iam/jwks.headers.json", "tokenvet-key-set-headers"),
        ("iam/jwks.json", "jwks"),
        ("iam/manifest.json", "tokenvet-snapshot"),
        ("iam/openid-configuration.json", "oidc-discovery"),
        ("iam/scope-policies.json", "indigo-iam-scope-policies"),
    ];
    assert_eq!(kinds, BTreeMap::from(expected));
    let rules = rules_of(&report);
    assert!(rules.contains(&"client-default-secret"), "the seeded client is still found: {rules:?}");
    let seeded = list(&report, "findings").iter().filter(|finding| finding["rule"] == "client-default-secret");
    assert_eq!(seeded.count(), 1);
    for quiet in
        ["document-holds-secrets", "document-leaks-secrets", "document-listing-incomplete", "key-value-malformed"]
    {
        assert!(!rules.contains(&quiet), "{quiet} has no reason");
    }
}

#[test]
fn clients_are_not_lost_for_want_of_a_token() {
    let folder = workplace();
    let server = Server::start(None, |base| {
        let issuer = format!("{base}/");
        Box::new(move |seen| iam(&issuer, seen, 2))
    });
    let issuer = format!("{}/", server.base);
    fetch(folder.path(), &issuer, &["--allow-private"]).exits(0, "without a token");
    fetch(folder.path(), &issuer, &["--allow-private"]).exits(0, "and again");
    fetch(folder.path(), &issuer, &["--allow-private", "--token-file", "token"]).exits(0, "with a token");
    let whole = files(folder.path());
    let ran = fetch(folder.path(), &issuer, &["--allow-private"]);
    ran.exits(2, "without a token");
    assert!(
        ran.err().contains("iam: this snapshot holds clients") && ran.err().contains("--token-file"),
        "{}",
        ran.err()
    );
    assert_eq!(files(folder.path()), whole);
}

#[test]
fn exchange_policies_that_the_token_may_not_read_are_left_out_and_told() {
    for (reply, told) in [
        (Reply::status as fn(u16) -> Reply, "answered 403"),
        (|_| Reply::status(404), "answered 404"),
        (|_| Reply::redirect("/login"), "as to a login page"),
    ] {
        let folder = workplace();
        let server = Server::start(None, |base| {
            let issuer = base.to_string();
            Box::new(move |seen| match seen.path.as_str() {
                "/iam/api/exchange/policies" => reply(403),
                _ => iam(&issuer, seen, 1),
            })
        });
        let ran = fetch(folder.path(), &server.base, &["--allow-private", "--token-file", "token"]);
        ran.exits(0, told);
        assert!(ran.err().contains(told) && ran.err().contains("without exchange policies"), "{}", ran.err());
        let files = files(folder.path());
        assert!(files.contains_key("clients.json") && !files.contains_key("exchange-policies.json"), "{told}");
    }
}

#[test]
fn headers_of_the_key_set_are_judged() {
    for (control, rule) in [
        ("max-age=21600", ""),
        ("max-age=864000", "settings-key-cache-too-long"),
        ("no-store", "settings-key-cache-too-short"),
    ] {
        let folder = workplace();
        let server = Server::start(None, |base| {
            let issuer = base.to_string();
            Box::new(move |seen| match seen.path.as_str() {
                "/jwk" => Reply::json(replay::keys().to_string()).with("Cache-Control", control),
                _ => iam(&issuer, seen, 0),
            })
        });
        fetch(folder.path(), &server.base, &["--allow-private"]).exits(0, control);
        let report = check_json(folder.path(), &["iam", "--profile", "wlcg@1.3"]);
        let rules = rules_of(&report);
        let about: Vec<&&str> = rules.iter().filter(|rule| rule.starts_with("settings-key-cache")).collect();
        assert_eq!(about, if rule.is_empty() { vec![] } else { vec![&rule] }, "{control}");
    }
}

#[test]
fn private_keys_that_an_issuer_publishes_are_found_and_not_kept() {
    let folder = workplace();
    let server = Server::start(None, |base| {
        let issuer = base.to_string();
        Box::new(move |seen| match seen.path.as_str() {
            "/jwk" => {
                let mut keys = replay::keys();
                keys["keys"][0]["d"] = CANARY.into();
                Reply::json(keys.to_string())
            }
            _ => iam(&issuer, seen, 0),
        })
    });
    let ran = fetch(folder.path(), &server.base, &["--allow-private"]);
    ran.exits(0, "fetched");
    assert!(ran.err().contains("private members"), "{}", ran.err());
    files(folder.path());
    let report = check_json(folder.path(), &["iam"]);
    let rules = rules_of(&report);
    assert!(rules.contains(&"key-private-members-published"), "{rules:?}");
    assert!(!rules.contains(&"document-leaks-secrets"), "the file does not hold it");
}

#[test]
fn a_keycloak_realm_and_its_clients_make_one_file() {
    let folder = workplace();
    let server = Server::start(None, |base| {
        let issuer = format!("{base}/realms/vo");
        Box::new(move |seen| keycloak(&issuer, seen, 230, true))
    });
    let issuer = format!("{}/realms/vo", server.base);
    fetch(folder.path(), &issuer, &["--allow-private", "--token-file", "token"]).exits(0, "fetched");
    let files = files(folder.path());
    let realm = json(&files["realm.json"]);
    assert_eq!(list(&realm, "clients").len(), 230);
    assert_eq!(realm["smtpServer"]["password"], "withheld by tokenvet");
    assert_eq!(realm["clients"][7]["secret"], "withheld by tokenvet");
    assert_eq!(realm["clients"][7]["attributes"]["client_credentials.use_refresh_token"], "false", "a switch is kept");
    let report = check_json(folder.path(), &["iam"]);
    assert_eq!((list(&report, "errors").len(), report["skipped"].as_u64()), (0, Some(0)));
    let document = list(&report, "documents").iter().find(|document| document["path"] == "iam/realm.json");
    assert_eq!(document.expect("recognised")["kind"], "keycloak-realm");

    let server = Server::start(None, |base| {
        let issuer = format!("{base}/realms/vo");
        Box::new(move |seen| keycloak(&issuer, seen, 1, false))
    });
    let ran =
        fetch(folder.path(), &format!("{}/realms/vo", server.base), &["--allow-private", "--token-file", "token"]);
    ran.exits(2, "a token without roles");
    assert!(ran.err().contains("view-realm"), "{}", ran.err());
}

#[test]
fn the_certificate_says_what_kind_of_ca_vouches_for_the_server() {
    let identity = Identity::new(&["localhost"], false);
    let server = Server::start(Some(&identity), |base| {
        let issuer = base.to_string();
        Box::new(move |seen| iam(&issuer, seen, 0))
    });
    let folder = workplace();
    let ca = folder.path().join("ca.pem");
    identity.write_ca(&ca);
    let igtf = folder.path().join("certificates");
    fs::create_dir(&igtf).expect("a folder");
    identity.write_ca(&igtf.join("0a1b2c3d.0"));
    fs::write(igtf.join("0a1b2c3d.signing_policy"), "no certificate").expect("written");
    for (arguments, system, class) in [
        (vec!["--ca-file", "ca.pem"], "/dev/null", "private CA"),
        (vec!["--igtf", "certificates"], "/dev/null", "IGTF"),
        (vec!["--igtf", "certificates", "--ca-file", "ca.pem"], "/dev/null", "IGTF"),
        (vec!["--ca-file", "ca.pem"], "ca.pem", "public CA"),
    ] {
        let mut command = tokenvet();
        command.current_dir(folder.path()).env("SSL_CERT_FILE", system);
        command.args(["fetch", &server.base, "--into", "iam", "--allow-private"]).args(&arguments);
        let ran = run(&mut command);
        ran.exits(0, class);
        assert!(ran.out().contains(class), "{}", ran.out());
        let certificates = json(&files(folder.path())["certificates.json"]);
        assert_eq!(certificates["classes"][0], class, "{arguments:?}");
        let own = &certificates["certificates"][0];
        assert_eq!((&own["subject"], &own["issuer"]), (&"CN=iam.example.org".into(), &"CN=Test CA of tokenvet".into()));
        assert_eq!(own["names"][0], "localhost");
        assert!(own["not_after"].as_str().is_some_and(|time| time.ends_with('Z')), "{own}");
        assert!(own["pem"].as_str().is_some_and(|pem| pem.starts_with("-----BEGIN CERTIFICATE-----\n")));
        let report = check_json(folder.path(), &["iam"]);
        assert_eq!((list(&report, "errors").len(), report["skipped"].as_u64()), (0, Some(0)));
    }
    let without = fetch(folder.path(), &server.base, &["--allow-private"]);
    without.exits(2, "nobody vouches for it");
    assert!(without.err().contains("--ca-file"), "{}", without.err());
    for (identity, why) in [
        (Identity::new(&["elsewhere.example.org"], false), "another name"),
        (Identity::new(&["localhost"], true), "expired"),
    ] {
        identity.write_ca(&ca);
        let server = Server::start(Some(&identity), |_| Box::new(|_| Reply::status(404)));
        let ran = fetch(folder.path(), &server.base, &["--allow-private", "--ca-file", "ca.pem"]);
        ran.exits(2, why);
        assert!(ran.err().contains(why), "{}", ran.err());
    }
}

#[test]
fn interrupted_paging_goes_on_where_it_stopped() {
    static ASKED: AtomicUsize = AtomicUsize::new(0);
    let folder = workplace();
    let server = Server::start(None, |base| {
        let issuer = base.to_string();
        Box::new(move |seen| {
            let clients = seen.path.starts_with("/iam/api/clients");
            // The server breaks down at the third page, once.
            if clients && ASKED.fetch_add(1, Ordering::SeqCst) == 2 {
                Reply::status(503)
            } else {
                iam(&issuer, seen, 450)
            }
        })
    });
    let arguments = ["--allow-private", "--token-file", "token"];
    let ran = fetch(folder.path(), &server.base, &arguments);
    ran.exits(2, "the third page fails");
    assert!(ran.err().contains("200 clients are kept: go on with --resume"), "{}", ran.err());
    assert!(!folder.path().join("iam").exists(), "nothing half-done stands there");
    let before = server.seen().len();
    fetch(folder.path(), &server.base, &[&arguments[..], &["--resume"]].concat()).exits(0, "resumed");
    let asked = server.seen()[before..].iter().filter(|seen| seen.path.starts_with("/iam/api/clients")).count();
    assert_eq!(asked, 3, "clients 201 to 450");
    let clients = json(&files(folder.path())["clients.json"]);
    let ids: Vec<&str> = list(&clients, "Resources").iter().filter_map(|client| client["client_id"].as_str()).collect();
    assert_eq!(ids.len(), 450);
    assert!(ids[1..].is_sorted());
    assert!(!folder.path().join("iam.partial").exists());
    let ran = fetch(folder.path(), &server.base, &[&arguments[..], &["--resume"]].concat());
    ran.exits(0, "nothing to resume");
    assert!(ran.err().contains("starting from the beginning"), "{}", ran.err());
}

#[test]
fn a_run_that_is_killed_leaves_what_the_next_one_needs() {
    static ASKED: AtomicUsize = AtomicUsize::new(0);
    let folder = workplace();
    let server = Server::start(None, |base| {
        let issuer = base.to_string();
        Box::new(move |seen| {
            let clients = seen.path.starts_with("/iam/api/clients");
            if clients && ASKED.fetch_add(1, Ordering::SeqCst) == 1 {
                std::thread::sleep(Duration::from_secs(30));
            }
            iam(&issuer, seen, 150)
        })
    });
    let arguments = ["--allow-private", "--token-file", "token"];
    let mut command = tokenvet();
    command.current_dir(folder.path()).args(["fetch", &server.base, "--into", "iam"]).args(arguments);
    let mut child = command.spawn().expect("spawns");
    let start = Instant::now();
    while ASKED.load(Ordering::SeqCst) < 2 {
        assert!(start.elapsed() < Duration::from_secs(60), "the second page is asked for");
        std::thread::sleep(Duration::from_millis(10));
    }
    let other = fetch(folder.path(), &server.base, &arguments);
    other.exits(2, "one at a time");
    assert!(other.err().contains("under way"), "{}", other.err());
    child.kill().expect("killed");
    child.wait().expect("ended");
    assert!(!folder.path().join("iam").exists());
    let asked = server.seen().len();
    fetch(folder.path(), &server.base, &[&arguments[..], &["--resume"]].concat()).exits(0, "resumed");
    let pages = server.seen()[asked..].iter().filter(|seen| seen.path.contains("startIndex=")).count();
    assert_eq!(pages, 1, "the first page was there");
    assert_eq!(list(&json(&files(folder.path())["clients.json"]), "Resources").len(), 150);
}

#[test]
fn a_list_that_changes_meanwhile_is_read_again() {
    static ASKED: AtomicUsize = AtomicUsize::new(0);
    let folder = workplace();
    let server = Server::start(None, |base| {
        let issuer = base.to_string();
        Box::new(move |seen| {
            let clients = seen.path.starts_with("/iam/api/clients");
            let before = clients && ASKED.fetch_add(1, Ordering::SeqCst) == 0;
            iam(&issuer, seen, if before { 150 } else { 151 })
        })
    });
    let ran = fetch(folder.path(), &server.base, &["--allow-private", "--token-file", "token"]);
    ran.exits(0, "read twice");
    assert!(ran.err().contains("starting over"), "{}", ran.err());
    assert_eq!(list(&json(&files(folder.path())["clients.json"]), "Resources").len(), 151);
}

#[test]
fn five_thousand_clients_are_a_matter_of_seconds() {
    let folder = workplace();
    let server = Server::start(None, |base| {
        let issuer = base.to_string();
        Box::new(move |seen| iam(&issuer, seen, 5000))
    });
    let ran = fetch(folder.path(), &server.base, &["--allow-private", "--token-file", "token"]);
    ran.exits(0, "fetched");
    assert!(ran.took < Duration::from_secs(90), "{:?}, in a debug build", ran.took);
    let report = check_json(folder.path(), &["iam"]);
    assert_eq!((list(&report, "errors").len(), report["skipped"].as_u64()), (0, Some(0)));
}

/// How a server misbehaves: what it answers at this path, by its own address.
type Misbehaviour = fn(&str, &str) -> Option<Reply>;

/// A name, how the server misbehaves, more arguments, and what the message must say.
type Case = (&'static str, Misbehaviour, &'static [&'static str], &'static [&'static str]);

const METADATA: &str = "/.well-known/openid-configuration";

fn metadata_with(base: &str, change: impl FnOnce(&mut Value)) -> Reply {
    let mut metadata = iam_metadata(base);
    change(&mut metadata);
    Reply::json(metadata.to_string())
}

const PUBLIC: &[Case] = &[
    (
        "redirect elsewhere",
        |_, path| (path == METADATA).then(|| Reply::redirect("https://evil.example/x")),
        &[],
        &["another server (evil.example:443)"],
    ),
    (
        "redirect to another port",
        |_, path| (path == METADATA).then(|| Reply::redirect("http://127.0.0.1:1/x")),
        &[],
        &["another server (127.0.0.1:1)"],
    ),
    (
        "redirect in a circle",
        |_, path| (path == METADATA).then(|| Reply::redirect(METADATA)),
        &[],
        &["redirects more than 3 times"],
    ),
    (
        "redirect to nowhere",
        |_, path| (path == METADATA).then(|| Reply::status(302)),
        &[],
        &["without saying where to"],
    ),
    (
        "another issuer",
        |base, path| {
            (path == METADATA).then(|| metadata_with(base, |m| m["issuer"] = "https://other.example.org/".into()))
        },
        &[],
        &["of another issuer", "check the address"],
    ),
    (
        "another spelling",
        |base, path| (path == METADATA).then(|| metadata_with(base, |m| m["issuer"] = format!("{base}/").into())),
        &[],
        &["calls itself", "ask for that"],
    ),
    (
        "no issuer",
        |base, path| (path == METADATA).then(|| metadata_with(base, |m| m["issuer"] = 7.into())),
        &[],
        &["names no issuer"],
    ),
    (
        "keys on a private host",
        |base, path| {
            (path == METADATA).then(|| metadata_with(base, |m| m["jwks_uri"] = "https://169.254.169.254/latest".into()))
        },
        &[],
        &["169.254.169.254 is a link-local address", "not others that its metadata names"],
    ),
    (
        "keys on another loopback address",
        |base, path| (path == METADATA).then(|| metadata_with(base, |m| m["jwks_uri"] = "http://127.0.0.2/jwk".into())),
        &[],
        &["plain http"],
    ),
    (
        "keys in a file",
        |base, path| (path == METADATA).then(|| metadata_with(base, |m| m["jwks_uri"] = "file:///etc/passwd".into())),
        &[],
        &["jwks_uri"],
    ),
    (
        "a page for people",
        |_, path| (path == METADATA).then(|| Reply::json("<html>").with("Content-Type", "text/html")),
        &[],
        &["no JSON by its content type"],
    ),
    (
        "no JSON",
        |_, path| (path == METADATA).then(|| Reply::json("{\"issuer\": geheim}")),
        &[],
        &["no JSON that can be read, at byte 11"],
    ),
    ("a list", |_, path| (path == METADATA).then(|| Reply::json("[]")), &[], &["no metadata of an issuer"]),
    (
        "too deep",
        |_, path| (path == METADATA).then(|| Reply::json("[".repeat(100_000))),
        &[],
        &["no JSON that can be read", "at byte 2"],
    ),
    ("too large", |_, path| (path == "/jwk").then(|| Reply::json(vec![b' '; 2 << 20])), &[], &["larger than 1 MiB"]),
    (
        "compressed",
        |_, path| (path == "/jwk").then(|| Reply::json(vec![0x1f, 0x8b]).with("Content-Encoding", "gzip")),
        &[],
        &["compressed though that was not asked for"],
    ),
    ("no UTF-8", |_, path| (path == "/jwk").then(|| Reply::json(vec![b'"', 0xff, b'"'])), &[], &["not UTF-8"]),
    ("no key set", |_, path| (path == "/jwk").then(|| Reply::json("{\"keys\":7}")), &[], &["no key set"]),
    (
        "half an answer",
        |_, path| (path == "/jwk").then(|| Reply::json(replay::keys().to_string()).sent(Manner::Half)),
        &[],
        &["/jwk: the server closed the connection"],
    ),
    (
        "a byte now and then",
        |_, path| (path == "/jwk").then(|| Reply::json(replay::keys().to_string()).sent(Manner::Trickle)),
        &["--timeout", "2"],
        &["not whole within 2 s"],
    ),
    (
        "a long head",
        |_, path| (path == "/jwk").then(|| Reply::json("{}").with("X-Long", &"x".repeat(200_000))),
        &[],
        &["head of the answer"],
    ),
    (
        "nothing there",
        |_, path| path.starts_with("/.well-known").then(|| Reply::status(404)),
        &[],
        &["answered 404", "oauth-authorization-server"],
    ),
    ("broken", |_, path| (path == "/jwk").then(|| Reply::status(500)), &[], &["/jwk: answered 500"]),
    (
        "control characters",
        |base, path| {
            (path == METADATA).then(|| metadata_with(base, |m| m["issuer"] = format!("{base}/\u{1b}[2J").into()))
        },
        &[],
        &["of another issuer"],
    ),
];

const API: &[Case] = &[
    (
        "forbidden",
        |_, path| path.starts_with("/iam/api/clients").then(|| Reply::status(403)),
        &[],
        &["/iam/api/clients?count=100&startIndex=1: answered 403", "needs the scope iam:admin.read"],
    ),
    (
        "unknown token",
        |_, path| path.starts_with("/iam/scope_policies").then(|| Reply::status(401)),
        &[],
        &["/iam/scope_policies: answered 401", "needs the scope iam:admin.read"],
    ),
    (
        "exchange policies of a server in trouble",
        |_, path| path.starts_with("/iam/api/exchange").then(|| Reply::status(503)),
        &[],
        &["/iam/api/exchange/policies: answered 503"],
    ),
    (
        "login page",
        |_, path| path.starts_with("/iam/").then(|| Reply::redirect("/login")),
        &[],
        &["as to a login page", "needs the scope iam:admin.read"],
    ),
    (
        "api elsewhere",
        |base, path| {
            (path == METADATA).then(|| {
                metadata_with(base, |m| {
                    m["registration_endpoint"] = "https://evil.example/iam/api/client-registration".into()
                })
            })
        },
        &[],
        &["the token is not sent there"],
    ),
    (
        "no policies",
        |_, path| path.starts_with("/iam/scope_policies").then(|| Reply::json("{}")),
        &[],
        &["no list of policies"],
    ),
    (
        "unknown product",
        |base, path| {
            (path == METADATA)
                .then(|| metadata_with(base, |m| m["registration_endpoint"] = format!("{base}/r").into()))
                .map(|reply| Reply {
                    body: String::from_utf8_lossy(&reply.body).replace("/devicecode", "/d").into_bytes(),
                    ..reply
                })
        },
        &[],
        &["pass --api"],
    ),
    (
        "octets",
        |_, path| {
            path.starts_with("/iam/api/clients")
                .then(|| Reply::json("{}").with("Content-Type", "application/octet-stream"))
        },
        &[],
        &["no JSON by its content type"],
    ),
];

#[test]
fn servers_that_misbehave_end_as_errors_and_leave_the_old_snapshot() {
    let cases = PUBLIC.iter().map(|case| (case, false)).chain(API.iter().map(|case| (case, true)));
    for ((name, misbehave, more, expected), with_token) in cases {
        let folder = workplace();
        let good = Server::start(None, |base| {
            let issuer = base.to_string();
            Box::new(move |seen| iam(&issuer, seen, 3))
        });
        fetch(folder.path(), &good.base, &["--allow-private"]).exits(0, "the old snapshot");
        let old = files(folder.path());
        let server = Server::start(None, |base| {
            let base = base.to_string();
            Box::new(move |seen| misbehave(&base, &seen.path).unwrap_or_else(|| iam(&base, seen, 3)))
        });
        let token: &[&str] = if with_token { &["--token-file", "token"] } else { &[] };
        let ran = fetch(folder.path(), &server.base, &[&["--allow-private"], token, *more].concat());
        ran.exits(2, name);
        let said = ran.err();
        assert!(expected.iter().all(|part| said.contains(part)), "{name}: {said}");
        assert!(!said.contains("geheim") && !said.contains('\u{1b}'), "{name}: {said}");
        assert_eq!(files(folder.path()), old, "{name}");
        assert!(!folder.path().join("iam.partial").exists(), "{name}");
    }
}

#[test]
fn addresses_that_are_not_public_need_to_be_allowed() {
    let folder = workplace();
    let server = Server::start(None, |base| {
        let issuer = base.to_string();
        Box::new(move |seen| iam(&issuer, seen, 0))
    });
    let port = server.base.rsplit(':').next().expect("a port").to_string();
    for (issuer, arguments, expected) in [
        (server.base.clone(), &[][..], "--allow-private"),
        (format!("http://localhost:{port}"), &[][..], "--allow-private"),
        (format!("https://localhost:{port}"), &[][..], "loopback address"),
        (format!("https://127.0.0.1:{port}"), &[][..], "loopback address"),
        (format!("https://[::ffff:127.0.0.1]:{port}"), &[][..], "loopback address"),
        (format!("https://0x7f000001:{port}"), &[][..], "loopback address"),
        ("http://192.0.2.1/".into(), &["--allow-private"][..], "plain http"),
        ("http://10.1.2.3/".into(), &["--allow-private"][..], "plain http"),
        ("https://user:x@iam.example.org/".into(), &[][..], "names a user"),
        ("https://iam.example.org/?x".into(), &[][..], "a query"),
        ("iam.example.org".into(), &[][..], "is no URL"),
        ("ftp://iam.example.org/".into(), &[][..], "no https URL"),
    ] {
        let ran = fetch(folder.path(), &issuer, arguments);
        ran.exits(2, &issuer);
        assert!(ran.err().contains(expected), "{issuer}: {}", ran.err());
        assert!(!folder.path().join("iam").exists() && !folder.path().join("iam.partial").exists());
    }
    assert!(server.seen().is_empty(), "nobody asked");
}

#[test]
fn tokens_come_from_where_the_user_says_and_go_to_their_issuer_only() {
    let folder = workplace();
    let server = Server::start(None, |base| {
        let issuer = base.to_string();
        Box::new(move |seen| iam(&issuer, seen, 1))
    });
    let fetched = |how: &dyn Fn(&mut std::process::Command), input: &str| {
        let mut command = tokenvet();
        command.current_dir(folder.path()).env("SSL_CERT_FILE", "/dev/null");
        command.args(["fetch", &server.base, "--into", "iam", "--allow-private"]);
        how(&mut command);
        common::run_with_input(&mut command, input.as_bytes())
    };
    let with = |arguments: &'static [&'static str]| {
        move |command: &mut std::process::Command| {
            command.args(arguments);
        }
    };
    fetched(&with(&["--token-file", "-"]), &format!("{TOKEN}\n")).exits(0, "standard input");
    fetched(
        &|command| {
            command.env("MY_TOKEN", TOKEN).args(["--token-env", "MY_TOKEN"]);
        },
        "",
    )
    .exits(0, "a variable");
    fs::remove_dir_all(folder.path().join("iam")).expect("the snapshot with clients");
    let before = server.seen().len();
    fetched(
        &|command| {
            command.env("BEARER_TOKEN", TOKEN);
        },
        "",
    )
    .exits(0, "no token is looked for");
    assert!(server.seen()[before..].iter().all(|seen| seen.authorization.is_none()));

    let before = server.seen().len();
    let foreign = common::access_token(&serde_json::json!({"iss": "https://other.example.org/"}));
    let ran = fetched(&with(&["--token-file", "-"]), &foreign);
    ran.exits(2, "another issuer's token");
    assert!(ran.err().contains("issued by another server") && !ran.err().contains(&foreign), "{}", ran.err());
    assert_eq!(server.seen().len(), before, "nobody was asked");
    for (input, why) in [("", "it is empty"), ("two words", "no bearer token")] {
        let ran = fetched(&with(&["--token-file", "-"]), input);
        ran.exits(2, why);
        assert!(ran.err().contains(why) && !ran.err().contains("two words"), "{}", ran.err());
    }
}

#[test]
fn servers_that_say_nothing_do_not_hold_a_run() {
    let folder = workplace();
    let start = Instant::now();
    let ran = fetch(folder.path(), &server::silent(), &["--allow-private", "--timeout", "2"]);
    ran.exits(2, "nothing comes");
    assert!(ran.err().contains("within 2 s"), "{}", ran.err());
    assert!(start.elapsed() < Duration::from_secs(30));
    let nobody = fetch(folder.path(), "http://127.0.0.1:1", &["--allow-private"]);
    nobody.exits(2, "nobody listens");
    assert!(nobody.err().contains("nothing listens there"), "{}", nobody.err());
}

#[test]
fn a_proxy_is_named_and_not_used() {
    let folder = workplace();
    let server = Server::start(None, |base| {
        let issuer = base.to_string();
        Box::new(move |seen| iam(&issuer, seen, 0))
    });
    let mut command = tokenvet();
    command.current_dir(folder.path()).env("SSL_CERT_FILE", "/dev/null").env("HTTP_PROXY", "http://127.0.0.1:1");
    let ran = run(command.args(["fetch", &server.base, "--into", "iam", "--allow-private"]));
    ran.exits(0, "directly");
    assert!(ran.err().contains("HTTP_PROXY is set and not used"), "{}", ran.err());
}

#[test]
fn metadata_of_rfc_8414_will_do() {
    let folder = workplace();
    let server = Server::start(None, |base| {
        let base = base.to_string();
        Box::new(move |seen| match seen.path.as_str() {
            "/.well-known/oauth-authorization-server/vo" => Reply::json(
                serde_json::json!({"issuer": format!("{base}/vo"), "jwks_uri": format!("{base}/keys"),
                    "token_endpoint": format!("{base}/token"), "response_types_supported": ["code"]})
                .to_string(),
            )
            .with("Content-Type", "application/octet-stream"),
            "/keys" => Reply::redirect("/keys.json"),
            "/keys.json" => Reply::json(replay::keys().to_string()),
            _ => Reply::status(404),
        })
    });
    fetch(folder.path(), &format!("{}/vo", server.base), &["--allow-private"]).exits(0, "fetched");
    let files = files(folder.path());
    assert!(files["openid-configuration.json"].contains("/vo"));
    let report = check_json(folder.path(), &["iam"]);
    assert_eq!((list(&report, "errors").len(), report["skipped"].as_u64()), (0, Some(0)));
}
