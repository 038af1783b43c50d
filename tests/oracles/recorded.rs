//! The recorded runs, which lie beside the project (`../shared/oracles`): the same tokens under fresh keys, and their verdicts.

use crate::mint::{Case, Mint, Signing};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What the names of recorded cases start with in a run, so that they do not meet ours.
pub(crate) const PREFIX: &str = "recorded.";

/// Where the recorded runs lie, if they are there.
pub(crate) fn directory() -> Option<PathBuf> {
    let shared = std::env::var_os("TOKENVET_SHARED")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared"), PathBuf::from);
    let path = shared.join("oracles");
    path.is_dir().then_some(path)
}

/// The recorded cases, signed by this run's keys: same header, same payload.
pub(crate) fn cases(mint: &Mint, directory: &Path) -> Vec<Case> {
    let list: Value = serde_json::from_slice(&read(&directory.join("cases.json"))).expect("cases.json is JSON");
    list["cases"].as_array().expect("a list of cases").iter().filter_map(|case| again(mint, directory, case)).collect()
}

fn read(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// `None` for a case that is too large to have been kept, and is more than the JSON that cases.json shows.
fn again(mint: &Mint, directory: &Path, case: &Value) -> Option<Case> {
    let name = case["id"].as_str().expect("a name");
    let (mut header, payload) = match std::fs::read_to_string(directory.join(format!("tokens/{name}.jwt"))) {
        Ok(token) => {
            let mut segments = token.trim().trim_start_matches("Bearer ").split('.').map(decoded);
            (segments.next().unwrap_or_default(), segments.next().unwrap_or_default())
        }
        Err(_) if case["payload"].is_null() => return None,
        Err(_) => (case["header"].to_string().into_bytes(), case["payload"].to_string().into_bytes()),
    };
    let key = case["key"].as_str().expect("a key").to_string();
    if let Ok(mut read) = serde_json::from_slice::<Value>(&header)
        && read.get("jwk").is_some()
    {
        read["jwk"] = mint.public_key(&key).clone();
        header = read.to_string().into_bytes();
    }
    Some(mint.sign(&format!("{PREFIX}{name}"), header, payload, signing(name, key, &case["header"]["alg"])))
}

fn decoded(segment: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(segment.trim_end_matches('=')).unwrap_or_default()
}

/// How a case is signed: by its key's algorithm or the header's, except where its name says that just this is wrong.
fn signing(name: &str, key: String, header_algorithm: &Value) -> Signing {
    let usual = match key.as_str() {
        "ec1" => "ES256",
        "ec384" => "ES384",
        "ec521" => "ES512",
        "ed1" => "EdDSA",
        _ => "RS256",
    };
    let algorithm = match (name, header_algorithm.as_str()) {
        ("alg-mismatch-RS512hdr", _) => usual,
        (_, Some(alg)) if ["RS", "PS", "HS"].iter().any(|family| alg.starts_with(family)) => alg,
        _ => usual,
    };
    let damage = match name {
        "alg-none" | "alg-None" | "sig-empty" => "empty",
        "sig-flip" => "flip",
        "sig-es256-zero" => "zero",
        "sig-es256-der" => "der",
        _ => "",
    };
    let form = match name {
        "fmt-bearer" | "fmt-newline" | "fmt-leading-space" | "fmt-2seg" | "fmt-4seg" | "fmt-dots" | "fmt-padded" => {
            &name[4..]
        }
        _ => "",
    };
    Signing { key, algorithm: algorithm.to_string(), damage: damage.to_string(), form: form.to_string() }
}

/// The verdicts of matrix.tsv by case and column.
pub(crate) fn matrix(directory: &Path) -> BTreeMap<(String, String), String> {
    let text = String::from_utf8(read(&directory.join("matrix.tsv"))).expect("matrix.tsv is UTF-8");
    let mut lines = text.lines();
    let columns: Vec<&str> = lines.next().expect("a head").split('\t').skip(3).collect();
    let mut found = BTreeMap::new();
    for line in lines {
        let mut cells = line.split('\t');
        let case = cells.next().expect("a name").to_string();
        for (column, verdict) in columns.iter().zip(cells.skip(2)) {
            found.insert((case.clone(), (*column).to_string()), verdict.to_string());
        }
    }
    found
}

/// Copies the recorded variants of scitokens.cfg, under names that start with [`PREFIX`].
pub(crate) fn configurations(directory: &Path, to: &Path) {
    let variants = configuration_matrix(directory);
    for name in variants.keys().map(|(name, _)| name).collect::<std::collections::BTreeSet<_>>() {
        let file = directory.join(format!("xrootd-configs/{name}.cfg"));
        // The variant "missing" is a file that is not there.
        let text = if name == "missing" { b"(no file)".to_vec() } else { read(&file) };
        std::fs::write(to.join(format!("{PREFIX}{name}.cfg")), text).expect("written");
    }
}

/// What the live XRootD 5.5.3 did, by variant and column.
pub(crate) fn configuration_matrix(directory: &Path) -> BTreeMap<(String, String), String> {
    let text = String::from_utf8(read(&directory.join("xrootd-config-matrix.tsv"))).expect("the matrix is UTF-8");
    let mut lines = text.lines().map(|line| line.split('\t').collect::<Vec<_>>());
    let columns = lines.next().expect("a head");
    let mut found = BTreeMap::new();
    for row in lines.filter(|row| row[0] == "XRootD-5.5.3") {
        // The last column is what the server logged, which has places and dates in it.
        for (column, answer) in columns.iter().zip(&row).skip(2).filter(|(column, _)| **column != "log") {
            found.insert((row[1].to_string(), format!("XRootD-5.5.3/{column}")), (*answer).to_string());
        }
    }
    found
}

/// The recorded registrations of clients: name, verdict, request. One that was not kept whole is left out.
pub(crate) fn registrations(directory: &Path) -> Vec<(String, String, String)> {
    let text = String::from_utf8(read(&directory.join("clients.tsv"))).expect("clients.tsv is UTF-8");
    let rows = text.lines().skip(1).map(|line| line.split('\t').collect::<Vec<_>>());
    rows.filter(|row| serde_json::from_str::<Value>(row[4]).is_ok())
        .map(|row| (row[0].to_string(), row[2].to_string(), row[4].to_string()))
        .collect()
}
