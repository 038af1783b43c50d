//! What `compat` predicts against what the software said: every recorded verdict is compared, column by column.
//!
//! The recorded runs lie beside the project and are not part of it; without them those tests say so and pass.

#![allow(clippy::print_stdout)]

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{env, fs};
use tokenvet::compat::{Ask, Expectations, KeySet, Model, Placed, Request, Service, TrustedIssuer, Verdict, judge};
use tokenvet::source::Source;

/// The folder of recorded runs, when it is there.
fn oracles() -> Option<PathBuf> {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared");
    let root = env::var_os("TOKENVET_SHARED").map_or_else(|| PathBuf::from(beside), PathBuf::from);
    let folder = root.join("oracles");
    if folder.is_dir() {
        return Some(folder);
    }
    println!("skipped: no recorded runs at {}", folder.display());
    None
}

/// A column of the runs, and how `compat` is asked for it: service, its audiences, the request.
struct Column {
    name: &'static str,
    service: &'static str,
    audience: bool,
    request: Option<&'static str>,
}

const fn column(name: &'static str, service: &'static str, audience: bool, request: Option<&'static str>) -> Column {
    Column { name, service, audience, request }
}

const READ: Option<&str> = Some("read:/data/f.txt");
const OTHER: Option<&str> = Some("read:/other/f.txt");
const WRITE: Option<&str> = Some("write:/data/up.txt");

const COLUMNS: &[Column] = &[
    column("scitokens-cpp-0.7.3/verify-compat", "scitokens-cpp@0.7.3/verify", true, None),
    column("scitokens-cpp-0.7.3/enforce-aud", "scitokens-cpp@0.7.3/enforce", true, None),
    column("scitokens-cpp-0.7.3/enforce-noaud", "scitokens-cpp@0.7.3/enforce", false, None),
    column("scitokens-cpp-0.7.3/verify-wlcg", "scitokens-cpp@0.7.3/verify-wlcg", true, None),
    column("scitokens-cpp-in-htcondor-wheel-25.14.1/verify-compat", "scitokens-cpp@1.1.3/verify", true, None),
    column("scitokens-cpp-in-htcondor-wheel-25.14.1/enforce-aud", "scitokens-cpp@1.1.3/enforce", true, None),
    column("scitokens-cpp-in-htcondor-wheel-25.14.1/enforce-noaud", "scitokens-cpp@1.1.3/enforce", false, None),
    column("scitokens-cpp-in-htcondor-wheel-25.14.1/verify-wlcg", "scitokens-cpp@1.1.3/verify-wlcg", true, None),
    column("scitokens-cpp-1.4.1/verify-compat", "scitokens-cpp@1.4.1/verify", true, None),
    column("scitokens-cpp-1.4.1/enforce-aud", "scitokens-cpp@1.4.1/enforce", true, None),
    column("scitokens-cpp-1.4.1/enforce-noaud", "scitokens-cpp@1.4.1/enforce", false, None),
    column("scitokens-cpp-1.4.1/verify-wlcg", "scitokens-cpp@1.4.1/verify-wlcg", true, None),
    column("HTCondor-25.14.1", "htcondor@25.14.1", true, None),
    column("XRootD-5.5.3/GET", "xrootd@5.5.3", true, READ),
    column("XRootD-5.5.3/GET-other", "xrootd@5.5.3", true, OTHER),
    column("XRootD-5.5.3/PUT", "xrootd@5.5.3", true, WRITE),
    column("XRootD-6.2.1/GET", "xrootd@6.2.1", true, READ),
    column("XRootD-6.2.1/GET-other", "xrootd@6.2.1", true, OTHER),
    column("XRootD-6.2.1/PUT", "xrootd@6.2.1", true, WRITE),
    column("ARC-6.17.0-JWSE", "arc@6.17.0/jwse", true, None),
    column("ARC-6.17.0-JWSE+https-key", "arc@6.17.0/https-key", true, None),
];

/// True for a cell that is known to differ; the model says why and `docs/compat.md` shows it.
fn is_known(model: &Model, column: &str, case: &str) -> bool {
    let about = |names: &[String], name: &str| names.iter().any(|known| known == name);
    model.disagreements.iter().any(|known| about(&known.columns, column) && about(&known.cases, case))
}

/// The runs: keys, clock, names, and the tokens as sent.
struct Runs {
    keys: KeySet,
    now: f64,
    issuer: String,
    audience: String,
    tokens: BTreeMap<String, String>,
    /// Tokens whose signature we do not have.
    unsigned: BTreeMap<String, String>,
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn runs(cases: &Path, keys: &Path, tokens: &Path) -> Runs {
    let json: serde_json::Value = serde_json::from_str(&text(cases)).expect("cases.json is JSON");
    let word = |names: [&str; 2]| {
        let found = names.iter().find_map(|name| json[*name].as_str());
        found.expect("cases.json names issuer and audience").to_string()
    };
    let now = json["now"].as_f64().expect("cases.json has a clock");
    let mut found = BTreeMap::new();
    for case in json["cases"].as_array().expect("cases.json lists cases") {
        let id = case["id"].as_str().expect("a case has an id");
        // Some file names differ from their case's id.
        let file = match id {
            "typ-app-at+jwt" => "typ-app-at",
            "typ-at+jwt" => "typ-at",
            "typ-jwt-lower" => "typ-lower",
            other => other,
        };
        let path = [id, file].map(|name| tokens.join(format!("{name}.jwt"))).into_iter().find(|path| path.is_file());
        if let Some(token) = path.map(|path| fs::read(path).expect("tokens are readable")) {
            found.insert(id.to_string(), String::from_utf8_lossy(&token).into_owned());
        }
    }
    Runs {
        keys: KeySet::read(&text(keys)).expect("jwks.json is a key set"),
        now: now + 5.0,
        issuer: word(["iss", "issuer"]),
        audience: word(["aud", "audience"]),
        tokens: found,
        unsigned: BTreeMap::new(),
    }
}

fn service(column: &Column, runs: &Runs, model: &Model) -> Service {
    let mut service = Service::parse(column.service, model).expect("the column's service is known");
    let audiences = if column.audience { vec![runs.audience.clone()] } else { Vec::new() };
    service.audiences = Some(Placed::nowhere(audiences));
    service.issuers = Some(vec![TrustedIssuer::everywhere(&runs.issuer)]);
    service
}

/// Compares a column; the differences.
fn compare(column: &Column, runs: &Runs, verdicts: &BTreeMap<String, String>) -> (usize, Vec<String>) {
    let model = Model::builtin().expect("the model loads");
    let service = service(column, runs, &model);
    let request = column.request.map(|request| Request::parse(request, &model).expect("requests are well-formed"));
    let (mut total, mut differing) = (0, Vec::new());
    for (case, verdict) in verdicts {
        let expected = match verdict.as_str() {
            "accept" => true,
            "reject" | "crash" => false,
            // Not sent at all.
            _ => continue,
        };
        let signed = runs.tokens.get(case);
        let Some(token) = signed.or_else(|| runs.unsigned.get(case)) else { continue };
        let ask = Ask {
            token: Some(token),
            now: runs.now,
            keys: signed.map(|_| &runs.keys),
            service: &service,
            request: request.as_ref(),
        };
        let cell = judge(&model, ask);
        total += 1;
        let known = is_known(&model, column.name, case);
        if cell.verdict.takes() != Some(expected) && !known {
            differing
                .push(format!("{} {case}: {verdict} there, here {:?} ({})", column.name, cell.verdict, cell.reason));
        }
    }
    (total, differing)
}

fn check(runs: &Runs, cells: &BTreeMap<String, BTreeMap<String, String>>) -> Vec<String> {
    let mut differing = Vec::new();
    for column in COLUMNS {
        let Some(verdicts) = cells.get(column.name) else { continue };
        let (total, wrong) = compare(column, runs, verdicts);
        println!("{:56} {}/{total}", column.name, total - wrong.len());
        differing.extend(wrong);
    }
    differing
}

#[test]
fn recorded_verdicts_are_predicted() {
    let Some(folder) = oracles() else { return };
    let mut runs = runs(&folder.join("cases.json"), &folder.join("jwks.json"), &folder.join("tokens"));
    unsigned_cases(&folder, &mut runs);
    let table = text(&folder.join("matrix.tsv"));
    let mut rows = table.lines().map(|line| line.split('\t').collect::<Vec<_>>());
    let head = rows.next().expect("the table has a head");
    let mut cells: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    for row in rows {
        for (name, verdict) in head.iter().zip(&row).skip(3) {
            cells.entry(name.to_string()).or_default().insert(row[0].to_string(), verdict.to_string());
        }
    }
    let differing = check(&runs, &cells);
    assert!(differing.is_empty(), "{} cells differ:\n{}", differing.len(), differing.join("\n"));
}

/// Three tokens are too large to lie in the folder. Their claims are known and their signatures are not, so that they are
/// judged without keys.
fn unsigned_cases(folder: &Path, runs: &mut Runs) {
    let json: serde_json::Value = serde_json::from_str(&text(&folder.join("cases.json"))).expect("cases.json is JSON");
    let encode = |text: &str| URL_SAFE_NO_PAD.encode(text);
    let cases = json["cases"].as_array().expect("cases.json lists cases");
    let base = cases.iter().find(|case| case["id"] == "base-rs256").expect("the plain token is among the cases");
    for case in cases {
        let id = case["id"].as_str().expect("a case has an id");
        if runs.tokens.contains_key(id) {
            continue;
        }
        let payload = match case["payload"].is_object() {
            true => case["payload"].to_string(),
            // A claim nested 20000 deep, which the file leaves out.
            false => {
                assert_eq!(id, "nest-20000");
                let nested = "[".repeat(20_000) + &"]".repeat(20_000);
                base["payload"].to_string().replacen('{', &format!("{{\"x\":{nested},"), 1)
            }
        };
        let signature = encode(&"s".repeat(256));
        let token = format!("{}.{}.{signature}", encode(&case["header"].to_string()), encode(&payload));
        runs.unsigned.insert(id.into(), token);
    }
}

/// A token of the config runs, made as the runs made theirs: the plain one but for some claims.
fn probe(runs: &Runs, changes: &[(&str, Option<serde_json::Value>)]) -> String {
    let now = runs.now as i64 - 5;
    let mut claims = serde_json::json!({
        "wlcg.ver": "1.0", "iss": runs.issuer, "sub": "probe", "jti": "probe-1", "iat": now, "nbf": now, "exp": now + 1200,
        "aud": "https://wlcg.cern.ch/jwt/v1/any", "scope": "storage.read:/ storage.modify:/data compute.read",
    });
    for (name, value) in changes {
        let members = claims.as_object_mut().expect("claims are an object");
        match value {
            Some(value) => drop(members.insert(name.to_string(), value.clone())),
            None => drop(members.remove(*name)),
        }
    }
    let encode = |text: &str| URL_SAFE_NO_PAD.encode(text);
    let header = r#"{"alg":"RS256","kid":"rsa1","typ":"JWT"}"#;
    format!("{}.{}.{}", encode(header), encode(&claims.to_string()), encode(&"s".repeat(256)))
}

/// The probes of the config runs: token and request, by the name of their column.
fn probes(runs: &Runs) -> Vec<(&'static str, Option<String>, Request)> {
    let json = |value: &str| Some(serde_json::Value::from(value));
    let any = probe(runs, &[]);
    let probes = [
        ("any-token", Some(any.clone()), "read:/data/f.txt"),
        ("aud-right", Some(probe(runs, &[("aud", json(&runs.audience))])), "read:/data/f.txt"),
        ("aud-wrong", Some(probe(runs, &[("aud", json("https://other.example.org"))])), "read:/data/f.txt"),
        ("aud-absent", Some(probe(runs, &[("aud", None)])), "read:/data/f.txt"),
        ("scope-other", Some(probe(runs, &[("scope", json("storage.read:/other"))])), "read:/data/f.txt"),
        ("any-token GET /other", Some(any), "read:/other/f.txt"),
        ("no-token", None, "read:/data/f.txt"),
    ];
    let model = Model::builtin().expect("the model loads");
    let request = |text| Request::parse(text, &model).expect("requests are well-formed");
    probes.into_iter().map(|(name, token, text)| (name, token, request(text))).collect()
}

/// What a live XRootD did with one configuration, by the name of the column (`start` among them), against what is
/// predicted; the difference. No bytes: no file.
fn configuration(
    runs: &Runs,
    software: &str,
    variant: &str,
    bytes: Option<Vec<u8>>,
    seen: &BTreeMap<String, String>,
) -> Option<String> {
    let model = Model::builtin().expect("the model loads");
    let service = Service::parse(software, &model).expect("the version is known");
    let source = bytes.map(|bytes| Source::from_bytes(format!("{variant}.cfg"), bytes));
    let service = match source {
        Some(Ok(source)) => {
            Some(service.configured(&Arc::new(source), Some(&|path| fs::read(path))).expect("any file is read"))
        }
        // No file, or one that is no text.
        Some(Err(_)) | None => None,
    };
    let mut found = BTreeMap::new();
    let running = service.as_ref().filter(|service| service.refuses_to_start.is_none());
    found.insert("start".to_string(), if running.is_some() { "starts" } else { "refuses" }.to_string());
    for (name, token, request) in probes(runs) {
        let answer = running.map(|service| {
            let token = token.as_deref();
            let ask = Ask { token, now: runs.now, keys: None, service, request: Some(&request) };
            judge(&model, ask).verdict.takes()
        });
        let word = match answer {
            None => "-",
            Some(Some(true)) => "200",
            Some(Some(false)) => "403",
            Some(None) => "?",
        };
        found.insert(name.into(), word.into());
    }
    let wrong: Vec<String> = seen
        .iter()
        .filter(|(name, word)| found.get(*name) != Some(word))
        .map(|(name, word)| format!("{name} {word} there, {} here", found.get(name).map_or("?", String::as_str)))
        .collect();
    (!wrong.is_empty()).then(|| format!("{software} {variant}: {}", wrong.join("; ")))
}

/// Live XRootD with fifty variants of its token configuration: does it start, and what becomes of seven requests?
#[test]
fn configurations_are_predicted() {
    let Some(folder) = oracles() else { return };
    let runs = runs(&folder.join("cases.json"), &folder.join("jwks.json"), &folder.join("tokens"));
    let table = text(&folder.join("xrootd-config-matrix.tsv"));
    let mut lines = table.lines().map(|line| line.split('\t').collect::<Vec<_>>());
    let head = lines.next().expect("the table has a head");
    let (mut rows, mut differing) = (0, Vec::new());
    for row in lines {
        let software = row[0].replace("XRootD-", "xrootd@");
        let bytes = fs::read(folder.join(format!("xrootd-configs/{}.cfg", row[1]))).ok();
        let pairs = head.iter().zip(&row).skip(2).take(8);
        let seen = pairs.map(|(name, word)| (name.to_string(), word.to_string())).collect();
        rows += 1;
        differing.extend(configuration(&runs, &software, row[1], bytes, &seen));
    }
    println!("{:56} {}/{rows}", "xrootd-config-matrix", rows - differing.len());
    assert!(differing.is_empty(), "{} rows differ:\n{}", differing.len(), differing.join("\n"));
}

/// The project's own variants on a live XRootD.
#[test]
fn own_configurations_are_predicted() {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/oracles"));
    let variants = text(&folder.join("xrootd-configs.txt"));
    let runs = Runs {
        keys: KeySet::default(),
        now: 1_795_305_699.0,
        issuer: "https://localhost:19443".into(),
        audience: "https://localhost:1094".into(),
        tokens: BTreeMap::new(),
        unsigned: BTreeMap::new(),
    };
    let model = Model::builtin().expect("the model loads");
    let table = text(&folder.join("xrootd-configs.tsv"));
    let mut lines =
        table.lines().filter(|line| !line.starts_with('#')).map(|line| line.split('\t').collect::<Vec<_>>());
    let head = lines.next().expect("the table has a head");
    let seen: BTreeMap<&str, Vec<&str>> = lines.map(|row| (row[0], row[1..].to_vec())).collect();
    let (mut rows, mut differing) = (0, Vec::new());
    for part in variants.split("\n=== ").skip(1) {
        let (name, body) = part.split_once('\n').unwrap_or((part, ""));
        let Some(row) = seen.get(name) else { continue };
        let bytes = (body.trim() != "(no file)").then(|| unescaped(body));
        let columns = head[1..].iter().zip(row);
        let wanted = columns.filter_map(|(column, word)| {
            let (software, probe) = column.split_once('/').expect("columns are SOFTWARE/PROBE");
            (software == "XRootD-5.5.3").then(|| (probe.to_string(), word.to_string()))
        });
        // Requests that got no answer say nothing of this kind.
        let wanted: BTreeMap<_, _> = wanted.filter(|(_, word)| word != "None").collect();
        if is_known(&model, "XRootD-5.5.3/start", name) {
            continue;
        }
        rows += 1;
        differing.extend(configuration(&runs, "xrootd@5.5.3", name, bytes, &wanted));
    }
    println!("{:56} {}/{rows}", "own configurations of XRootD 5.5.3", rows - differing.len());
    assert!(differing.is_empty(), "{} rows differ:\n{}", differing.len(), differing.join("\n"));
}

/// The bytes of a variant: `\xHH`, `\n`, `\t`, `\r`, and a backslash at the end of a line, which joins it to the next.
fn unescaped(body: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut bytes = format!("{body}\n").into_bytes().into_iter().peekable();
    while let Some(byte) = bytes.next() {
        match (byte, bytes.peek()) {
            (b'\\', Some(b'\n')) => drop(bytes.next()),
            (b'\\', Some(b'n')) => {
                bytes.next();
                out.push(b'\n');
            }
            (b'\\', Some(b't')) => {
                bytes.next();
                out.push(b'\t');
            }
            (b'\\', Some(b'r')) => {
                bytes.next();
                out.push(b'\r');
            }
            (b'\\', Some(b'x')) => {
                bytes.next();
                let digits: Vec<u8> = bytes.by_ref().take(2).collect();
                let digits = std::str::from_utf8(&digits).expect("hexadecimal digits");
                out.push(u8::from_str_radix(digits, 16).expect("hexadecimal digits"));
            }
            _ => out.push(byte),
        }
    }
    out
}

/// Claims of our own, with a signature that is taken to be right.
fn sent(claims: &serde_json::Value, alg: &str) -> String {
    let encode = |text: &str| URL_SAFE_NO_PAD.encode(text);
    let header = serde_json::json!({ "alg": alg, "kid": "key" });
    format!("{}.{}.{}", encode(&header.to_string()), encode(&claims.to_string()), encode("signature"))
}

fn ours(changes: serde_json::Value) -> serde_json::Value {
    let mut claims = serde_json::json!({
        "wlcg.ver": "1.0", "iss": "https://issuer.example.org", "sub": "someone", "jti": "1", "iat": 1000, "nbf": 1000,
        "exp": 2000, "aud": "https://se.example.org", "scope": "storage.read:/raw",
    });
    for (name, value) in changes.as_object().expect("changes are an object") {
        claims.as_object_mut().expect("claims are an object").insert(name.clone(), value.clone());
    }
    claims
}

fn asked(service: &str, token: &str, request: Option<&str>) -> tokenvet::compat::Cell {
    let model = Model::builtin().expect("the model loads");
    let mut service = Service::parse(service, &model).expect("the service is known");
    service.audiences = Some(Placed::nowhere(vec!["https://se.example.org".into()]));
    service.issuers = Some(vec![TrustedIssuer::everywhere("https://issuer.example.org")]);
    let request = request.map(|request| Request::parse(request, &model).expect("requests are well-formed"));
    let ask = Ask { token: Some(token), now: 1500.0, keys: None, service: &service, request: request.as_ref() };
    judge(&model, ask)
}

#[test]
fn each_cell_says_what_decided_and_how_that_is_known() {
    use tokenvet::compat::EvidenceKind::{Inference, Oracle, Source};
    let json = |text: &str| serde_json::from_str(text).expect("JSON");
    for (service, changes, alg, request, verdict, step, kind) in [
        ("xrootd@6.2.1", "{}", "RS256", Some("read:/raw/f"), Verdict::Accepted, None, Oracle),
        ("xrootd@6.2.1", "{}", "RS256", Some("write:/raw/f"), Verdict::Refused, Some("xrootd/rights"), Oracle),
        ("xrootd@5.9.0", "{}", "RS256", Some("read:/raw/f"), Verdict::Accepted, None, Inference),
        ("xrootd@5.9.0", "{}", "RS256", Some("read:/rawhide"), Verdict::Refused, Some("xrootd/rights"), Source),
        ("xrootd@5.5.3", "{}", "RS256", Some("read:/rawhide"), Verdict::Accepted, None, Oracle),
        (
            "xrootd",
            r#"{"wlcg.ver":"1.2"}"#,
            "RS256",
            None,
            Verdict::Refused,
            Some("scitokens-cpp/wlcg-ver-unknown"),
            Oracle,
        ),
        (
            "scitokens-cpp@1.2.0",
            r#"{"wlcg.ver":"1.2"}"#,
            "RS256",
            None,
            Verdict::Refused,
            Some("scitokens-cpp/wlcg-ver-unknown"),
            Source,
        ),
        ("arc", "{}", "ES256", None, Verdict::Refused, Some("arc/key"), Oracle),
        ("arc", r#"{"aud":"https://other.example.org"}"#, "RS256", None, Verdict::Unchecked, None, Oracle),
        ("dcache", r#"{"scope":"storage.read"}"#, "RS256", None, Verdict::Refused, Some("dcache/scope-path"), Source),
        ("dcache@9.2.24", r#"{"wlcg.ver":"1.1"}"#, "RS256", None, Verdict::Refused, Some("dcache/wlcg-ver"), Inference),
        (
            "eos",
            r#"{"aud":"https://other.example.org"}"#,
            "RS256",
            None,
            Verdict::Refused,
            Some("scitokens-cpp/aud-of-another"),
            Source,
        ),
        (
            "storm",
            r#"{"exp":"2000"}"#,
            "RS256",
            None,
            Verdict::Unsaid,
            Some("storm-webdav/time-of-unusual-type"),
            Inference,
        ),
    ] {
        let cell = asked(service, &sent(&ours(json(changes)), alg), request);
        let found = (cell.verdict, cell.step.as_deref());
        assert_eq!(found, (verdict, step), "{service} {changes}: {}", cell.reason);
        let best = cell.evidence.iter().map(|one| one.kind).min();
        assert_eq!(best, Some(kind), "{service} {changes}: {:?}", cell.evidence);
        assert!(!cell.reason.is_empty() && !cell.evidence.is_empty());
    }
}

#[test]
fn a_lifetime_that_no_software_checks_is_never_simply_accepted() {
    let token = sent(&ours(serde_json::json!({ "exp": 1000 + 86_400 })), "RS256");
    let model = Model::builtin().expect("the model loads");
    for software in &model.softwares {
        let cell = asked(&software.raw.software, &token, None);
        assert_ne!(cell.verdict, Verdict::Accepted, "{}", software.raw.software);
    }
}

#[test]
fn a_configuration_decides_and_its_line_is_named() {
    let model = Model::builtin().expect("the model loads");
    let text = "[Global]\naudience = https://se.example.org\nonmissing = deny\n\n[Issuer vo]\n\
                issuer = https://issuer.example.org\nbase_path = /vo\n";
    let source = Arc::new(Source::from_text("scitokens.cfg", text));
    let service = Service::parse("xrootd@6.2.1", &model).expect("the service is known");
    let service = service.configured(&source, None).expect("XRootD's format");
    let judged = |claims: serde_json::Value, request: &str| {
        let request = Request::parse(request, &model).expect("requests are well-formed");
        let token = sent(&claims, "RS256");
        let ask = Ask { token: Some(&token), now: 1500.0, keys: None, service: &service, request: Some(&request) };
        let cell = judge(&model, ask);
        (cell.verdict, cell.config.map(|place| place.line))
    };
    let plain = serde_json::json!({});
    assert_eq!(judged(ours(plain.clone()), "read:/vo/raw/f"), (Verdict::Accepted, None));
    assert_eq!(judged(ours(plain), "read:/raw/f"), (Verdict::Refused, Some(7)), "base_path");
    let other = serde_json::json!({ "aud": "https://other.example.org" });
    assert_eq!(judged(ours(other), "read:/vo/raw/f"), (Verdict::Refused, Some(2)), "audience");
    let any = serde_json::json!({ "aud": "https://wlcg.cern.ch/jwt/v1/any" });
    assert_eq!(judged(ours(any), "read:/vo/raw/f"), (Verdict::Unchecked, Some(2)), "passes whatever is configured");
}

#[test]
fn a_provider_of_dcache_decides_by_its_own_line() {
    let model = Model::builtin().expect("the model loads");
    let text = "gplazma.oidc.provider!vo = https://issuer.example.org -profile=wlcg -prefix=/vo\n\
                gplazma.oidc.provider!lab = https://lab.example.org -suppress=audience\n\
                gplazma.oidc.audience-targets = https://se.example.org\n";
    let source = Arc::new(Source::from_text("dcache.conf", text));
    let service = Service::parse("dcache@9.2.24", &model).expect("the service is known");
    let service = service.configured(&source, None).expect("dCache's format");
    let other = "https://other.example.org";
    for (changes, verdict, step, line) in [
        (serde_json::json!({}), Verdict::Accepted, None, None),
        (serde_json::json!({ "wlcg.ver": "1.1" }), Verdict::Refused, Some("dcache/wlcg-ver"), Some(1)),
        (serde_json::json!({ "aud": other }), Verdict::Refused, Some("dcache/aud-of-another"), Some(3)),
        (serde_json::json!({ "iss": "https://lab.example.org", "wlcg.ver": "1.1" }), Verdict::Unchecked, None, Some(2)),
        (serde_json::json!({ "iss": "https://lab.example.org", "aud": other }), Verdict::Unchecked, None, Some(2)),
        (
            serde_json::json!({ "iss": "https://third.example.org" }),
            Verdict::Refused,
            Some("dcache/iss-not-trusted"),
            Some(1),
        ),
    ] {
        let token = sent(&ours(changes.clone()), "RS256");
        let ask = Ask { token: Some(&token), now: 1500.0, keys: None, service: &service, request: None };
        let cell = judge(&model, ask);
        let found = (cell.verdict, cell.step.as_deref(), cell.config.map(|place| place.line));
        assert_eq!(found, (verdict, step, line), "{changes}: {}", cell.reason);
    }
}

/// The service of a configuration file.
fn configured(software: &str, name: &str, text: &str) -> Service {
    let model = Model::builtin().expect("the model loads");
    let source = Arc::new(Source::from_text(name, text));
    let service = Service::parse(software, &model).expect("the service is known");
    service.configured(&source, None).expect("the format is recognised")
}

/// What it makes of one of our tokens.
fn at(service: &Service, changes: serde_json::Value, request: Option<&str>) -> tokenvet::compat::Cell {
    let model = Model::builtin().expect("the model loads");
    let token = sent(&ours(changes), "RS256");
    let request = request.map(|request| Request::parse(request, &model).expect("requests are well-formed"));
    judge(&model, Ask { token: Some(&token), now: 1500.0, keys: None, service, request: request.as_ref() })
}

#[test]
fn a_service_that_takes_no_tokens_refuses_and_names_the_line() {
    let dcache = "gplazma.oidc.audience-targets = https://se.example.org\n";
    let provider = "gplazma.oidc.provider!vo = https://issuer.example.org -profile=wlcg";
    let fts = "[providers]\nvo=https://issuer.example.org\nvo_ClientId=x\nvo_ClientSecret=REDACTED\n";
    let audience = "AuthorizedVO=*\nAuthorizedAudiences=https://se.example.org\nJWKCacheSeconds=60\n";
    let cases = [
        ("dcache", format!("{dcache}{provider}\n"), Some(2), "gPlazma cannot load its plug-in oidc with the provider vo: the profile wlcg needs -prefix=/path"),
        (
            "dcache",
            format!("{dcache}{provider} -prefix=/vo\ngplazma.oidc.provider!lab = https://lab.example.org -profile=wlcg\n"),
            Some(3),
            "gPlazma cannot load its plug-in oidc with the provider lab: the profile wlcg needs -prefix=/path",
        ),
        ("fts", format!("[fts3]\n{audience}{fts}"), Some(6), "FTS refuses every token: OAuth2 is not set to True"),
        ("fts", format!("[fts3]\n{audience}OAuth2=True\n"), Some(5), "FTS refuses every token: [providers] names no issuer"),
        ("rucio", "[oidc]\nexpected_audience = https://se.example.org\n".into(), Some(2), "no idpsecrets in [oidc]: Rucio trusts no issuer and refuses every token"),
        ("rucio", "{\"vo\": {\"issuer\": \"https://issuer.example.org\", \"client_id\": \"c\", \"redirect_uris\": [], \"client_secret\": \"REDACTED\"}}".into(), Some(1), "the entry vo has no SCIM client: Rucio drops all issuers of the file"),
        ("arc", "[common]\n[authgroup:vo]\nauthtokens = * https://issuer.example.org * * *\n[arex/ws/jobs]\nallowaccess=vo\n".into(), Some(3), "there is no block [authtokens], so that no rule on tokens ever matches"),
        ("arc", "[common]\n[arex/ws/jobs]\n".into(), None, "its configuration takes no tokens"),
        ("eos", "[Global]\naudience = https://se.example.org\n[Issuer vo]\nissuer = https://issuer.example.org\nbase_path = vo\n".into(), Some(4), "none of the issuers that its configuration names takes effect"),
    ];
    for (software, text, line, reason) in cases {
        let service = configured(software, "service.conf", &text);
        let cell = at(&service, serde_json::json!({}), None);
        let found = (cell.verdict, cell.reason.as_str(), cell.config.map(|place| place.line));
        assert_eq!(found, (Verdict::Refused, reason, line), "{software}: {text}");
    }
    let on = configured("fts", "fts3restconfig", &format!("[fts3]\n{audience}OAuth2=True\n{fts}"));
    assert_eq!(at(&on, serde_json::json!({}), None).verdict, Verdict::Accepted);
    // Which of two gPlazmas is asked is not known.
    let two = format!("{dcache}[a]\n[a/gplazma]\n{provider} -prefix=/vo\n[b]\n[b/gplazma]\n{provider}\n");
    assert_ne!(at(&configured("dcache", "layout.conf", &two), serde_json::json!({}), None).verdict, Verdict::Refused);
}

#[test]
fn requests_without_a_token_get_what_the_configuration_gives_them() {
    let storm = "oauth:\n  issuers:\n    - name: vo\n      issuer: https://issuer.example.org\n";
    let off = format!("{storm}storm:\n  authz:\n    disabled: true\n");
    let policy = format!(
        "{storm}storm:\n  authz:\n    policies:\n      - sa: vo\n        actions: [all]\n        effect: permit\n        principals: [{{type: anyone}}]\n"
    );
    let area = |more: &str| {
        format!("name=vo\nrootPath=/storage/vo\naccessPoints=/vo\norgs=https://issuer.example.org\n{more}\n")
    };
    let doors = |first: &str, second: &str| {
        let door = |operations: &str| format!("[d/webdav]\nwebdav.authn.protocol=https\n{operations}\n");
        format!(
            "[d]\n{}{}[d/gplazma]\ngplazma.oidc.provider!vo = https://issuer.example.org -profile=wlcg -prefix=/vo\n",
            door(first),
            door(second)
        )
    };
    let operations = |what: &str| format!("webdav.authz.anonymous-operations={what}");
    let cfg = |what: &str| {
        format!(
            "[Global]\naudience = https://se.example.org\nonmissing = {what}\n[Issuer vo]\nissuer = https://issuer.example.org\nbase_path = /vo\n"
        )
    };
    let (open, no, unsaid) = (Verdict::Unchecked, Verdict::Refused, Verdict::Unsaid);
    let (everything, read, silent) = ("everything is permitted", "may read there", "does not say");
    for (software, name, text, without, with_bad, line, says) in [
        ("storm", "application.yml", off, open, no, Some(7), everything),
        // A storage area or a policy may let in anybody.
        ("storm", "application.yml", policy, unsaid, no, None, silent),
        ("storm", "application.yml", storm.to_string(), unsaid, no, None, silent),
        ("storm", "vo.properties", area("anonymousReadEnabled=true"), open, no, Some(5), read),
        ("storm", "vo.properties", area("anonymousReadEnabled=false"), no, no, None, "no token"),
        ("storm", "vo.properties", area("fineGrainedAuthzEnabled=true"), unsaid, no, Some(5), silent),
        ("dcache", "layout.conf", doors(&operations("NONE"), &operations("FULL")), open, no, Some(7), everything),
        ("dcache", "layout.conf", doors(&operations("READONLY"), &operations("NONE")), open, no, Some(4), read),
        ("dcache", "layout.conf", doors(&operations("NONE"), &operations("NONE")), no, no, None, "no token"),
        ("dcache", "layout.conf", doors(&operations("NONE"), ""), unsaid, no, None, silent),
        ("eos", "scitokens.cfg", cfg("allow"), open, open, Some(3), everything),
        ("eos", "scitokens.cfg", cfg("deny"), no, no, None, "no token"),
        ("xrootd", "scitokens.cfg", cfg("allow"), open, open, Some(3), everything),
        ("xrootd", "scitokens.cfg", cfg("passthrough"), no, no, None, "no token"),
    ] {
        let model = Model::builtin().expect("the model loads");
        let service = configured(software, name, &text);
        let write = Request::parse("write:/vo/file", &model).expect("requests are well-formed");
        let ask = Ask { token: None, now: 1500.0, keys: None, service: &service, request: None };
        let cell = judge(&model, ask);
        assert_eq!(cell.verdict, without, "{software}: {text}: {}", cell.reason);
        assert!(cell.reason.contains(says), "{software}: {text}: {}", cell.reason);
        let place = cell.config.filter(|_| cell.verdict != no).map(|place| place.line);
        assert_eq!(place, line, "{software}: {text}");
        // What a service with permissions of its own lets them do there is not known.
        let writing = judge(&model, Ask { request: Some(&write), ..ask }).verdict;
        let known = without == no || software == "xrootd" || says == everything && software == "eos";
        assert_eq!(writing, if known { without } else { unsaid }, "{software}: {text}");
        let expired = at(&service, serde_json::json!({ "exp": 1100 }), None);
        assert_eq!(expired.verdict, with_bad, "{software}: {text}: {}", expired.reason);
    }
}

#[test]
fn a_final_slash_of_an_issuer_is_nothing_to_fts() {
    let audience = "AuthorizedVO=*\nAuthorizedAudiences=https://se.example.org\nJWKCacheSeconds=60\nOAuth2=True\n";
    for (written, iss, verdict) in [
        ("https://op.example.org/realm", "https://op.example.org/realm", Verdict::Accepted),
        ("https://op.example.org/realm/", "https://op.example.org/realm/", Verdict::Accepted),
        // Which of both the issuer has in its metadata is not known.
        ("https://op.example.org/realm/", "https://op.example.org/realm", Verdict::Unsaid),
        ("https://op.example.org/realm", "https://op.example.org/realm/", Verdict::Unsaid),
        ("https://op.example.org/realm", "https://op.example.org/realms", Verdict::Refused),
        ("https://op.example.org/realm", "https://OP.example.org/realm", Verdict::Refused),
    ] {
        let providers = format!("[providers]\nvo={written}\nvo_ClientId=x\nvo_ClientSecret=REDACTED\n");
        let fts = configured("fts", "fts3restconfig", &format!("[fts3]\n{audience}{providers}"));
        let cell = at(&fts, serde_json::json!({ "iss": iss }), None);
        assert_eq!(cell.verdict, verdict, "{written}, {iss}: {}", cell.reason);
    }
}

#[test]
fn an_audience_that_nothing_compares_is_never_simply_accepted() {
    let issuer = "https://issuer.example.org";
    let storm = |more: &str| format!("oauth:\n  issuers:\n    - name: vo\n      issuer: {issuer}\n{more}");
    let dcache = |more: &str| format!("gplazma.oidc.provider!vo = {issuer} -profile=wlcg -prefix=/vo {more}\n");
    let arc = |rules: &str| {
        let rest = "[mapping]\nmap_to_user = vo pilot:grp\n[arex]\n[arex/ws]\n[arex/ws/jobs]\nallowaccess=vo\n";
        format!("[common]\n[authtokens]\n[authgroup:vo]\n{rules}\n{rest}")
    };
    let open = arc(&format!("authtokens = * {issuer} * * *"));
    let ours = arc(&format!("authtokens = * {issuer} https://se.example.org * *"));
    let both = arc(&format!("authtokens = * {issuer} * * *\nauthtokens = * {issuer} https://se.example.org * *"));
    let list = "      audiences: [https://se.example.org]\n";
    let enforced = format!("{list}      enforce-audience-checks: true\n");
    let (yes, unchecked, no) = (Verdict::Accepted, Verdict::Unchecked, Verdict::Refused);
    for (software, name, text, right, wrong) in [
        ("storm", "application.yml", storm(""), unchecked, unchecked),
        ("storm", "application.yml", storm(list), yes, unchecked),
        ("storm", "application.yml", storm(&enforced), yes, no),
        ("dcache", "layout.conf", dcache("-suppress=audience"), unchecked, unchecked),
        ("arc", "arc.conf", open, unchecked, unchecked),
        ("arc", "arc.conf", ours, yes, no),
        ("arc", "arc.conf", both, yes, unchecked),
    ] {
        let service = configured(software, name, &text);
        for (aud, verdict) in [("https://se.example.org", right), ("https://other.example.org", wrong)] {
            let cell = at(&service, serde_json::json!({ "aud": aud }), None);
            assert_eq!(cell.verdict, verdict, "{software}: {text}, {aud}: {}", cell.reason);
        }
    }
}

#[test]
fn every_scope_that_rucio_expects_has_to_be_there() {
    let rucio = |expected: &str| {
        let config =
            format!("[oidc]\nidpsecrets = /idp.json\nexpected_audience = https://se.example.org\n{expected}\n");
        configured("rucio", "rucio.cfg", &config)
    };
    let scope = |scope: &str| serde_json::json!({ "scope": scope });
    let (missing, absent) = (Some("rucio/scope-missing"), Some("rucio/scope-absent"));
    for (expected, changes, verdict, step, line) in [
        ("expected_scope = openid", scope("openid storage.read:/"), Verdict::Accepted, None, None),
        ("expected_scope = openid rucio", scope("openid"), Verdict::Refused, missing, Some(4)),
        ("expected_scope = openid", scope("openidx"), Verdict::Refused, missing, Some(4)),
        ("expected_scope = openid", serde_json::json!({ "scope": null }), Verdict::Unsaid, absent, Some(4)),
        ("", scope("openid profile"), Verdict::Accepted, None, None),
        ("", scope("openid"), Verdict::Refused, missing, None),
        ("expected_scope =", scope("storage.read:/"), Verdict::Accepted, None, None),
        ("expected_scope = ${SCOPE}", scope("storage.read:/"), Verdict::Unsaid, Some("rucio/scope-open"), None),
    ] {
        let cell = at(&rucio(expected), changes.clone(), None);
        let found = (cell.verdict, cell.step.as_deref(), cell.config.map(|place| place.line));
        assert_eq!(found, (verdict, step, line), "{expected}, {changes}: {}", cell.reason);
    }
}

#[test]
fn what_a_configuration_does_not_show_may_be_known_from_elsewhere() {
    let model = Model::builtin().expect("the model loads");
    let ours = "https://issuer.example.org";
    let open = [
        (
            "dcache",
            "other.conf",
            format!(
                "gplazma.oidc.provider!vo = {ours} -profile=wlcg -prefix=/vo\ndcache.oidc.provider!b = https://other.example.org -profile=wlcg -prefix=/b\n"
            ),
        ),
        (
            "dcache",
            "layout.conf",
            format!(
                "gplazma.oidc.provider!vo = {ours} -profile=wlcg -prefix=/vo\ngplazma.oidc.provider!b = {{{{ issuer }}}} -profile=wlcg -prefix=/b\n"
            ),
        ),
        (
            "xrootd",
            "scitokens.cfg",
            format!(
                "[Global]\naudience = https://se.example.org\n[Issuer vo]\nissuer = {ours}\nbase_path = /vo\n[Issuer b]\nissuer = {{{{ issuer }}}}\nbase_path = /b\n"
            ),
        ),
    ];
    for (software, name, text) in open {
        let source = Arc::new(Source::from_text(name, text.as_str()));
        let service = |issuers: &[&str], audiences: &[&str]| {
            let mut service = Service::parse(software, &model).expect("the service is known");
            let audiences = audiences.iter().map(|audience| audience.to_string()).collect::<Vec<_>>();
            service.audiences = Some(audiences).filter(|all| !all.is_empty()).map(Placed::nowhere);
            let issuers: Vec<_> = issuers.iter().map(|issuer| TrustedIssuer::everywhere(issuer)).collect();
            service.issuers = Some(issuers).filter(|all| !all.is_empty());
            service.configured(&source, None).expect("the format is recognised")
        };
        let verdict = |service: &Service, issuer: &str| at(service, serde_json::json!({ "iss": issuer }), None);
        let other = "https://other.example.org";
        let cell = verdict(&service(&[], &["https://se.example.org"]), other);
        assert_eq!(cell.verdict, Verdict::Unsaid, "{software}: {}", cell.reason);
        assert!(
            cell.reason.contains("not all issuers of its configuration are certain") && cell.config.is_some(),
            "{cell:?}"
        );
        let cell = verdict(&service(&[], &["https://se.example.org"]), ours);
        assert_eq!(cell.verdict, Verdict::Accepted, "{software}: {}", cell.reason);
        if name == "other.conf" {
            continue;
        }
        let known = service(&[other], &["https://se.example.org"]);
        assert_eq!(verdict(&known, other).verdict, Verdict::Accepted, "{software}: the command line knows it");
        assert_eq!(verdict(&known, "https://third.example.org").verdict, Verdict::Refused, "{software}");
        if software == "dcache" {
            let cell = verdict(&service(&[], &["https://se02.example.org"]), ours);
            assert_eq!(
                cell.step.as_deref(),
                Some("dcache/aud-of-another"),
                "the audience of the command line: {cell:?}"
            );
        }
    }
}

#[test]
fn the_rules_of_arc_conf_decide_over_valid_tokens() {
    let issuer = "https://issuer.example.org";
    let rest = "[mapping]\nmap_to_user = vo pilot:grp\n[arex]\n[arex/ws]\n[arex/ws/jobs]\n";
    let conf = |rules: &str| format!("[common]\n[authtokens]\n[authgroup:vo]\n{rules}\n{rest}allowaccess=vo\n");
    let exact = format!("authtokens = someone {issuer} https://se.example.org storage.read:/raw *");
    let (yes, no, open) = (Verdict::Accepted, Verdict::Refused, Verdict::Unsaid);
    let unchecked = Verdict::Unchecked;
    for (text, verdict, line, said) in [
        (
            conf(&format!("authtokens = * {issuer} * * *")),
            unchecked,
            Some(4),
            "what else the configuration compares is not part of this",
        ),
        (conf(&exact), yes, Some(4), "a rule on tokens lets it in"),
        (
            conf("authtokens = * https://other.example.org/ https://ce.example.org * *"),
            no,
            Some(4),
            "the one rule on tokens does not let it in; it wants `iss` \"https://other.example.org/\" and `aud` \"https://ce.example.org\"",
        ),
        (conf(&format!("authtokens = * {issuer}/ * * *")), no, Some(4), "wants `iss` \"https://issuer.example.org/\""),
        (
            conf(&format!("authtokens = other {issuer} * * *\nauthtokens = * {issuer} * compute.create /vo")),
            no,
            Some(4),
            "none of the 2 rules on tokens lets it in; the first wants `sub` \"other\"",
        ),
        (
            conf(&format!("authtokens = other {issuer} * * *\nauthtokens = * {issuer} * * *")),
            unchecked,
            Some(5),
            "a rule on tokens lets it in",
        ),
        // What else may let it in or throw it out.
        (
            conf("authtokens = * https://other.example.org * * *\nplugin = 10 /usr/bin/decide %D"),
            open,
            Some(4),
            "something else may",
        ),
        (conf("!authtokens = * https://other.example.org * * *"), open, None, "not known"),
        (conf("voms = vo * * *\nauthtokens = * https://other.example.org * * *"), no, Some(5), "does not let it in"),
        (
            conf(&format!("-authtokens = bad {issuer} * * *\nauthtokens = * {issuer} * * *")),
            open,
            Some(5),
            "whether another one throws it out",
        ),
        (conf("authtokensgen = (iss~\"https://.*\")"), open, Some(4), "cannot be told from the rule"),
        (
            conf("authtokensgen = (iss=\"https://other.example.org\") & (scope~\"x\")"),
            no,
            Some(4),
            "`iss` \"https://other.example.org\"",
        ),
        (
            "[authgroup:vo]\nauthtokens = * https://other.example.org * * *\n".to_string(),
            open,
            Some(2),
            "something else may",
        ),
        (format!("[common]\n[authtokens]\n{rest}"), unchecked, Some(7), "lets in every valid token"),
        (
            format!("[common]\n[authtokens]\n{rest}allowaccess=vo\n"),
            open,
            None,
            "no rule on tokens that counts is seen here",
        ),
    ] {
        let cell = at(&configured("arc", "arc.conf", &text), serde_json::json!({}), None);
        let found = (cell.verdict, cell.config.map(|place| place.line));
        assert_eq!(found, (verdict, line), "{text}: {}", cell.reason);
        assert!(cell.reason.contains(said), "{text}: {}", cell.reason);
    }
    // ARC takes the first of several audiences.
    let service = configured("arc", "arc.conf", &conf(&format!("authtokens = * {issuer} https://se.example.org * *")));
    for (audiences, verdict) in [
        (serde_json::json!(["https://se.example.org", "https://b.example.org"]), yes),
        (serde_json::json!(["https://b.example.org", "https://se.example.org"]), open),
        (serde_json::json!("https://wlcg.cern.ch/jwt/v1/any"), no),
        (serde_json::json!(null), no),
    ] {
        let cell = at(&service, serde_json::json!({ "aud": audiences }), None);
        assert_eq!(cell.verdict, verdict, "{audiences}: {}", cell.reason);
    }
    let long = at(&service, serde_json::json!({ "exp": 1_000_000 }), None);
    assert_eq!(long.verdict, Verdict::Unchecked);
    assert!(long.reason.contains("what else the configuration compares"), "{}", long.reason);
    // What is wrong with the token itself comes first.
    let expired = at(&service, serde_json::json!({ "exp": 1400 }), None);
    assert_eq!(expired.step.as_deref(), Some("arc/exp-passed"));
}

#[test]
fn a_request_is_never_answered_by_a_model_that_does_not_know_it() {
    let model = Model::builtin().expect("the model loads");
    for software in &model.softwares {
        let name = &software.raw.software;
        let plain = asked(name, &sent(&ours(serde_json::json!({})), "RS256"), None);
        let cell = asked(name, &sent(&ours(serde_json::json!({})), "RS256"), Some("read:/zzz"));
        match (&software.raw.grants, plain.verdict) {
            (None, Verdict::Accepted | Verdict::Unchecked) => {
                assert_eq!(cell.verdict, Verdict::Unsaid, "{name}: {}", cell.reason);
                let start = "whether it permits read of /zzz is not part of what is known of this software";
                assert_eq!(cell.reason, format!("{start}; of the token itself: {}", plain.reason), "{name}");
            }
            (None, before) => assert_eq!(cell.verdict, before, "{name}"),
            (Some(_), _) => assert_eq!(cell.verdict, Verdict::Refused, "{name}: {}", cell.reason),
        }
        let expired =
            asked(name, &sent(&ours(serde_json::json!({ "exp": 1200, "iat": 1000 })), "RS256"), Some("read:/zzz"));
        assert_eq!(expired.verdict, Verdict::Refused, "{name}: {}", expired.reason);
    }
}

#[test]
fn operations_that_nobody_knows_are_errors() {
    let model = Model::builtin().expect("the model loads");
    for (text, good) in
        [("delete:/vo", true), ("delet:/vo", false), ("update:/vo", false), ("read", false), (":/", false)]
    {
        let read = Request::parse(text, &model);
        assert_eq!(read.is_ok(), good, "{text}: {read:?}");
    }
    let error = Request::parse("delet:/vo", &model).expect_err("a misspelt operation");
    assert_eq!(
        error,
        "delet:/vo: no operation \"delet\" is known; known: read, list, stat, write, create, mkdir, delete, stage"
    );
    for (pattern, good) in [
        ("write:*", true),
        ("write:/data/*", true),
        ("write:/data", true),
        ("*", true),
        ("*:/data", true),
        ("wr*", true),
        ("", true),
        ("write", false),
        ("delet:*", false),
        ("update*", false),
        ("write:data", false),
    ] {
        let text = format!(
            "expect:\n  - verdict: refuse\n  - service: \"*\"\n    request: \"{pattern}\"\n    verdict: accept\n"
        );
        let source = Arc::new(Source::from_text("expectations.yaml", text));
        match Expectations::read(&source, &model) {
            Ok(_) => assert!(good, "{pattern}"),
            Err(error) => {
                assert!(!good && error.message.contains("known: read, list"), "{pattern}: {}", error.message);
                assert_eq!(source.position(error.span.start as usize).line, 4, "{pattern}");
            }
        }
    }
}

#[test]
fn hostile_tokens_get_an_answer_everywhere() {
    let model = Model::builtin().expect("the model loads");
    let nested = |depth: usize| format!("{{\"iss\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
    let encode = |text: &str| URL_SAFE_NO_PAD.encode(text);
    let header = encode(r#"{"alg":"RS256","kid":"key"}"#);
    let keys: Vec<String> = (0..20_000).map(|number| format!("\"k{number}\":1")).collect();
    let scopes = "storage.modify:/a ".repeat(20_000);
    let tokens = [
        String::new(),
        ".".repeat(100_000),
        "\u{0}.\u{0}.\u{0}".into(),
        "ü.ß.€".into(),
        format!("{header}.{}.x", encode(&nested(90_000))),
        format!("{header}.{}.x", encode(&format!("{{{}}}", keys.join(",")))),
        format!("{header}.{}.x", encode(&ours(serde_json::json!({ "scope": scopes })).to_string())),
        format!("{header}.{}.x", encode("{\"exp\":1e999,\"nbf\":-1e999,\"iat\":99999999999999999999}")),
        "a".repeat(5 << 20),
    ];
    for software in &model.softwares {
        for mode in software.raw.modes.iter().map(|mode| format!("/{}", mode.mode)).chain([String::new()]) {
            for token in &tokens {
                let cell = asked(&format!("{}{mode}", software.raw.software), token, None);
                assert!(!cell.reason.is_empty());
                assert!(!cell.reason.contains("gap"), "{}: {}", software.raw.software, cell.reason);
                assert!(cell.reason.len() < 2000, "reasons stay short");
            }
        }
    }
}

#[test]
fn every_step_says_why_and_how_it_is_known() {
    let model = Model::builtin().expect("the model loads");
    for software in &model.softwares {
        let mut names = std::collections::BTreeSet::new();
        for step in &software.raw.steps {
            assert!(names.insert(&step.id), "{}/{} twice", software.raw.software, step.id);
            let decides = step.name.is_none() && step.part.is_none();
            assert!(!decides || !step.evidence.is_empty(), "{}/{} without evidence", software.raw.software, step.id);
            let speaks = step.refuse.is_some() || step.unsure.is_some();
            assert_eq!(speaks, !step.reason.is_empty(), "{}/{}", software.raw.software, step.id);
        }
        for ignored in &software.raw.ignores {
            assert!(!ignored.evidence.is_empty() && !ignored.reason.is_empty());
        }
    }
}

#[test]
fn a_verdict_answers_the_question_of_a_pipeline() {
    assert_eq!(Verdict::Unchecked.takes(), Some(true));
    assert_eq!(Verdict::Unsaid.takes(), None);
}

#[test]
fn map_files_that_only_we_cannot_read_say_nothing() {
    use std::io::ErrorKind;
    let refuses = |content: Result<&[u8], ErrorKind>| {
        let text = "[Issuer vo]\nissuer = https://issuer.example.org\nbase_path = /vo\nname_mapfile = /etc/vo.json\n";
        let source = Arc::new(Source::from_text("scitokens.cfg", text));
        let model = Model::builtin().expect("the models are in order");
        let service = Service::parse("xrootd", &model).expect("the service is known");
        let read = |path: &str| {
            assert_eq!(path, "/etc/vo.json");
            content.map(<[u8]>::to_vec).map_err(Into::into)
        };
        let service = service.configured(&source, Some(&read)).expect("XRootD's format");
        service.refuses_to_start.map(|why| why.value)
    };
    let why = |what: &str| Some(format!("it does not start: the name_mapfile {what}"));
    assert_eq!(refuses(Err(ErrorKind::PermissionDenied)), None);
    assert_eq!(refuses(Err(ErrorKind::Unsupported)), None);
    assert_eq!(refuses(Ok(b"[{\"sub\": \"caf\xe9\", \"result\": \"vo\"}]")), None, "no UTF-8, which nobody asks for");
    assert_eq!(refuses(Err(ErrorKind::NotFound)), why("is not there"));
    assert_eq!(refuses(Err(ErrorKind::IsADirectory)), why("is no JSON list"));
    assert_eq!(refuses(Ok(b"")), why("is no JSON list"));
}
