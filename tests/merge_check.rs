//! Checks that are shared out: the shards' reports give the report of a single run.

mod common;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use common::{NOW, Ran, run, tokenvet, write};
use serde_json::json;
use std::fs;
use std::path::Path;
use tempfile::TempDir;

/// The formats of merged checks; the page has what only a single run knows.
const FORMATS: [&str; 8] = ["human", "json", "jsonl", "sarif", "github", "gitlab", "junit", "markdown"];

/// A project with files of all kinds, with comments, waivers of both kinds, a baseline, workflows and what nothing
/// recognises.
fn project() -> TempDir {
    let project = TempDir::new().expect("a folder");
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata");
    for name in ["site", "demo"] {
        copy(&data.join(name), &project.path().join(name));
    }
    let write = |name: &str, text: &str| write(&project.path().join(name), text.as_bytes());
    let cfg = fs::read_to_string(data.join("site/se1/etc/xrootd/scitokens.cfg")).expect("in the repository");
    write(
        "se3/etc/xrootd/scitokens.cfg",
        &format!("# tokenvet: allow xrootd-value-quoted -- a test\n# tokenvet: allow nothing\n{cfg}"),
    );
    write("notes/readme.txt", "nothing that anybody knows\n");
    write("broken/clients.json", "{\"client_id\": \"c\", \"redirect_uris\": [\n");
    write(
        "odd/öäü \u{202e}name.json",
        &json!({"client_id": "ö", "redirect_uris": ["http://host.example.org/*"], "grant_types": ["implicit"],
        "client_secret": "TestSecret", "access_token_validity_seconds": 99_999_999})
        .to_string(),
    );
    let clients = |n: usize| {
        json!({"client_id": format!("c{n}"), "client_name": format!("client {n}"), "client_secret": "TestSecret",
        "redirect_uris": ["http://host.example.org/x"], "grant_types": ["implicit"], "access_token_validity_seconds": 9_000_000 + n})
    };
    for n in 0..8 {
        write(&format!("clients/c{n}.json"), &clients(n).to_string());
    }
    write(
        "tokenvet.yaml",
        "waivers: [waivers.yaml]\nbaseline: baseline.json\nfail-on: warning\noverrides:\n- files: ['clients/**']\n  severity: {client-redirect-not-https: note}\n",
    );
    write(
        "waivers.yaml",
        "- rule: xrootd-value-quoted\n  reason: a test\n  owner: site\n  expires: 2027-01-01\n  match: {path: 'site/**'}\n\
         - rule: client-implicit-grant\n  reason: never used\n  owner: site\n  expires: 2027-01-01\n  match: {path: 'nowhere/**'}\n",
    );
    write("baseline.json", "{\"tokenvet_baseline\": 1, \"findings\": []}\n");
    project
}

fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).expect("a folder") {
        let (entry, to) = (entry.expect("an entry").path(), to.to_path_buf());
        let to = to.join(entry.file_name().expect("a name"));
        match entry.is_dir() {
            true => copy(&entry, &to),
            false => write(&to, &fs::read(&entry).expect("a file")),
        }
    }
}

/// All formats of one run, with how it ended.
fn reports(folder: &Path, arguments: &[String]) -> (Ran, Vec<Vec<u8>>) {
    let outputs: Vec<String> = FORMATS.iter().map(|format| format!("--output={format}=../report.{format}")).collect();
    let ran = run(tokenvet().current_dir(folder).args(arguments).args(&outputs).args(["--all", "--color", "never"]));
    let report = |format: &&str| {
        let path = folder.join(format!("../report.{format}"));
        let report = fs::read(&path).unwrap_or_default();
        let _ = fs::remove_file(path);
        report
    };
    let reports = FORMATS.iter().map(report).collect();
    (ran, reports)
}

/// Does a run of this many shards give what a single run gives? Hands over all shard reports.
fn compare(project: &Path, of: u32, options: &[&str], ends: i32, remark: &str) -> String {
    let texts = |arguments: &[&str]| arguments.iter().map(|text| text.to_string()).collect::<Vec<_>>();
    let common = [&["check", ".", "--now", NOW][..], options].concat();
    let (single, expected) = reports(project, &texts(&common));
    single.exits(ends, remark);
    let parts = project.join("../parts");
    let _ = fs::remove_dir_all(&parts);
    fs::create_dir(&parts).expect("a folder");
    for number in (1..=of).rev() {
        let share = [format!("--shard={number}/{of}"), format!("--shard-report=../parts/{number}")];
        run(tokenvet().current_dir(project).args(&common).args(&share)).exits(0, remark);
    }
    let (merged, got) = reports(project, &texts(&["merge", "../parts"]));
    assert_eq!(
        (merged.code, merged.err(), merged.out()),
        (single.code, single.err(), single.out()),
        "{remark}, {of} shards"
    );
    for ((format, got), expected) in FORMATS.iter().zip(got).zip(expected) {
        assert!(expected.len() > 100, "{remark}: {format}");
        assert_eq!(
            String::from_utf8_lossy(&got),
            String::from_utf8_lossy(&expected),
            "{remark}, {of} shards: {format}"
        );
    }
    let page = run(tokenvet().current_dir(project).args(["merge", "../parts", "--format", "html"]));
    assert!(page.exits(2, remark).err().contains("single run"), "{remark}");
    (1..=of).map(|number| fs::read_to_string(parts.join(number.to_string())).expect("written")).collect()
}

/// A folder of its own below a temporary one, so that reports can lie beside it.
fn inside(project: &TempDir) -> std::path::PathBuf {
    let folder = project.path().join("work");
    fs::create_dir(&folder).expect("a folder");
    for entry in fs::read_dir(project.path()).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path != folder {
            fs::rename(&path, folder.join(path.file_name().expect("a name"))).expect("moved");
        }
    }
    folder
}

#[test]
fn every_format_is_that_of_a_single_run() {
    let project = project();
    let folder = inside(&project);
    for (of, options, ends, remark) in [
        (1, &[][..], 2, "one shard"),
        (4, &[], 2, "several"),
        (3, &["--no-config", "--unrecognised", "skip"], 2, "without the policy"),
        (5, &["--profile", "wlcg@1.3", "--ignore", "client-*"], 2, "other rules"),
    ] {
        let parts = compare(&folder, of, options, ends, remark);
        assert!(!parts.contains("TestSecret"), "{remark}");
    }
}

#[test]
fn a_baseline_is_written_at_the_merge() {
    let project = project();
    let folder = inside(&project);
    fs::remove_dir_all(folder.join("broken")).expect("there");
    compare(&folder, 3, &[], 1, "before");
    for (command, name) in [(&["check", ".", "--now", NOW][..], "one.json"), (&["merge", "../parts"], "two.json")] {
        run(tokenvet().current_dir(&folder).args(command).args(["--write-baseline", &format!("../{name}")]))
            .exits(0, name);
    }
    let text = |name: &str| fs::read_to_string(project.path().join(name)).expect("written");
    assert!(text("one.json").lines().count() > 10);
    assert_eq!(text("one.json"), text("two.json"));
    fs::copy(project.path().join("one.json"), folder.join("baseline.json")).expect("copied");
    compare(&folder, 4, &[], 1, "all but what is said of waivers is in the baseline");
}

#[test]
fn what_the_shards_decided_is_not_asked_again() {
    let project = project();
    let folder = inside(&project);
    for arguments in [
        &["--only", "kid-among-claims"][..],
        &["--ignore", "kid-among-claims"],
        &["--profile", "wlcg"],
        &["--now", NOW],
        &["--follow-includes"],
        &["--only-changed"],
        &["--changed-since", "HEAD"],
        &["--diff", "x"],
    ] {
        let ran = run(tokenvet().current_dir(&folder).args(["merge", "../parts"]).args(arguments));
        ran.exits(2, arguments[0]);
        assert!(ran.err().contains(arguments[0]) && ran.err().contains("shards"), "{}", ran.err());
    }
}

#[test]
fn large_lists_are_shared_out_whole() {
    let project = TempDir::new().expect("a folder");
    let folder = inside(&project);
    let client = |n: usize| {
        json!({"client_id": format!("c{n}"), "client_name": format!("client {n}"), "client_secret": "TestSecret",
        "redirect_uris": ["http://host.example.org/x"], "grant_types": ["implicit"], "filler": "x".repeat(9000)})
    };
    let clients: Vec<_> = (0..500).map(client).collect();
    write(&folder.join("a/clients.json"), json!(clients).to_string().as_bytes());
    write(
        &folder.join("a/openid-configuration.json"),
        json!({"issuer": "https://vo.example.org/", "jwks_uri": "https://vo.example.org/jwk",
        "token_endpoint": "https://vo.example.org/token", "grant_types_supported": ["authorization_code"]})
        .to_string()
        .as_bytes(),
    );
    write(&folder.join("b/clients.json"), json!({"Resources": clients, "totalResults": 900}).to_string().as_bytes());
    let parts = compare(&folder, 3, &[], 1, "large");
    assert!(!parts.contains("TestSecret"));
}

#[cfg(feature = "verify")]
#[test]
fn tokens_are_verified_by_their_shard_with_keys_of_others() {
    use ring::rand::SystemRandom;
    use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
    let random = SystemRandom::new();
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).expect("a key");
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref(), &random).expect("a key");
    let point = &pair.public_key().as_ref()[1..];
    let (x, y) = (URL_SAFE_NO_PAD.encode(&point[..32]), URL_SAFE_NO_PAD.encode(&point[32..]));
    let keys = json!({"keys": [{"kty": "EC", "crv": "P-256", "kid": "k", "x": x, "y": y}]}).to_string();
    let token = |n: usize| {
        let claims = json!({"iss": "https://iam.example.org/", "sub": format!("u{n}"), "jti": n.to_string(), "exp": 1_795_400_000});
        let text = [json!({"alg": "ES256", "kid": "k"}), claims]
            .map(|part| URL_SAFE_NO_PAD.encode(part.to_string()))
            .join(".");
        let mut signature = pair.sign(&random, text.as_bytes()).expect("a signature").as_ref().to_vec();
        // Every third one is forged, and every seventh cut off.
        signature[0] ^= u8::from(n.is_multiple_of(3));
        let signature = URL_SAFE_NO_PAD.encode(signature);
        format!("{text}.{}", if n.is_multiple_of(7) { &signature[..40] } else { &signature })
    };
    let project = TempDir::new().expect("a folder");
    let folder = inside(&project);
    let mut signatures = Vec::new();
    for n in 1..12 {
        let token = token(n);
        signatures.push(token.rsplit('.').next().expect("a signature").to_string());
        write(&folder.join(format!("tokens/{n}.jwt")), token.as_bytes());
    }
    write(&folder.join("iam/jwks.json"), keys.as_bytes());
    let metadata = json!({"issuer": "https://iam.example.org/", "jwks_uri": "https://iam.example.org/jwk",
        "token_endpoint": "https://iam.example.org/token", "id_token_signing_alg_values_supported": ["ES256"]});
    write(&folder.join("iam/openid-configuration.json"), metadata.to_string().as_bytes());
    fs::write(project.path().join("keys.json"), keys).expect("written");
    for (options, remark) in
        [(&[][..], "keys beside their issuer"), (&["--keys", "../keys.json"], "keys of the user's")]
    {
        let parts = compare(&folder, 5, options, 1, remark);
        assert!(signatures.iter().all(|signature| !parts.contains(signature.as_str())), "{remark}");
        assert!(parts.contains("\"verdict\":[false"), "{remark}");
    }
    // The same keys verify what stands in logs.
    fs::write(project.path().join("log"), (1..12).map(|n| format!("Bearer {}\n", token(n))).collect::<String>())
        .expect("written");
    let scan = |arguments: &[&str]| run(tokenvet().current_dir(project.path()).args(arguments));
    let common = ["scan", "log", "--now", NOW, "--keys", "keys.json"];
    let expected = scan(&[&common[..], &["--format", "json"]].concat());
    assert!(expected.out().contains("its signature is valid") && expected.out().contains("no key at hand made"));
    for n in 1..=2 {
        let share = ["--shard", &format!("{n}/2"), "--shard-block", "1000", "--shard-report", &format!("scan.{n}")];
        scan(&[&common[..], &share].concat()).exits(0, "a shard");
        let part = fs::read_to_string(project.path().join(format!("scan.{n}"))).expect("written");
        assert!(!part.contains("eyJ"));
    }
    // No keys are needed for that.
    fs::remove_file(project.path().join("keys.json")).expect("there");
    assert_eq!(scan(&["merge", "scan.1", "scan.2", "--format", "json"]).out(), expected.out());
}

#[test]
fn what_others_found_in_real_configurations_is_the_same() {
    let Some(corpus) = common::shared("corpus") else { return };
    let project = TempDir::new().expect("a folder");
    let folder = inside(&project);
    copy(&corpus, &folder.join("corpus"));
    compare(&folder, 4, &["--unrecognised", "skip"], 2, "the corpus");
}
