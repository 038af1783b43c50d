//! Real verifiers on freshly minted tokens: what they say is compared with what was recorded and with what is predicted.
//!
//! `tests/oracles/install.sh` installs the verifiers; one that is missing is named and skipped. See README.md beside this file.

// Notes on what was skipped and seen are for whoever runs the tests.
#![allow(clippy::print_stderr)]

mod mint;
mod recorded;
mod verifiers;

use mint::{AUDIENCE, Case, Mint, NOW, issuer};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use verifiers::{Answer, Verifier};

/// The verdicts of our cases as they were seen; `UPDATE=1` writes what is seen now.
const SEEN: &str = "tests/oracles/verdicts.tsv";

/// The tokens of one run and where they lie.
struct Tokens {
    directory: PathBuf,
    cases: Vec<Case>,
}

/// All tokens of this run: ours and, where they are there, the recorded ones. The signing keys are gone when this returns.
fn tokens() -> &'static Tokens {
    static TOKENS: OnceLock<Tokens> = OnceLock::new();
    TOKENS.get_or_init(|| {
        let directory = verifiers::installed().join("run");
        // What an earlier run left.
        let _ = std::fs::remove_dir_all(&directory);
        let keys = directory.join("keys");
        std::fs::create_dir_all(&keys).expect("created");
        std::fs::create_dir_all(directory.join("tokens")).expect("created");
        let mint = Mint::new(&keys);
        let mut cases = mint.cases(include_str!("cases.txt"));
        match recorded::directory() {
            Some(recorded) => cases.extend(recorded::cases(&mint, &recorded)),
            None => eprintln!("note: no recorded runs beside the project, our own cases alone"),
        }
        for case in &cases {
            std::fs::write(directory.join(format!("tokens/{}.jwt", case.name)), &case.token).expect("written");
        }
        mint.certificates(&directory);
        std::fs::remove_dir_all(&keys).expect("removed");
        let names: Vec<&str> = cases.iter().map(|case| case.name.as_str()).collect();
        let settings = serde_json::json!({ "issuer": issuer(), "audience": AUDIENCE, "now": NOW, "cases": names });
        std::fs::write(directory.join("settings.json"), settings.to_string()).expect("written");
        std::fs::write(directory.join("names"), names.join("\n") + "\n").expect("written");
        std::fs::write(directory.join("jwks.json"), mint.key_set()).expect("written");
        let shown: Vec<_> = cases.iter().map(shown).collect();
        std::fs::write(directory.join("cases.json"), serde_json::json!(shown).to_string()).expect("written");
        Tokens { directory, cases }
    })
}

/// A case for the eye: what was signed, and how.
fn shown(case: &Case) -> serde_json::Value {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let mint::Signing { key, algorithm, damage, form } = &case.signing;
    serde_json::json!({
        "case": case.name, "header": text(&case.header), "payload": text(&case.payload),
        "key": key, "algorithm": algorithm, "damage": damage, "form": form,
    })
}

/// Asks a verifier about all tokens, or says why not.
fn ask(verifier: &Verifier) -> Option<Vec<Answer>> {
    if let Some(why) = verifier.missing() {
        eprintln!("note: skipped {}: {why}", verifier.name);
        return None;
    }
    let tokens = tokens();
    // A directory of its own, so that drivers at work at the same time do not meet.
    let run = tokens.directory.join(if verifier.name.is_empty() { "libraries" } else { verifier.name });
    std::fs::create_dir_all(&run).expect("created");
    for file in ["tokens", "settings.json", "names", "jwks.json", "ca.pem", "host.pem", "host.key"] {
        let link = run.join(file);
        if !link.exists() {
            std::os::unix::fs::symlink(tokens.directory.join(file), link).expect("linked");
        }
    }
    let answers = verifier.ask(&run, &[]);
    let answered: BTreeSet<&str> = answers.iter().map(|answer| answer.case.as_str()).collect();
    for case in &tokens.cases {
        assert!(answered.contains(case.name.as_str()), "{}: no answer for {}", verifier.name, case.name);
    }
    Some(answers)
}

/// A verifier says what it said before: in the recorded runs, and about our cases.
fn check(verifier: &Verifier) {
    let Some(answers) = ask(verifier) else { return };
    let mut wrong = String::new();
    let (mut same, mut new) = (0, 0);
    let matrix = recorded::directory().map(|directory| recorded::matrix(&directory)).unwrap_or_default();
    let seen = seen();
    for answer in &answers {
        let (known, name) = match answer.case.strip_prefix(recorded::PREFIX) {
            Some(name) => (&matrix, name),
            None => (&seen, answer.case.as_str()),
        };
        match known.get(&(name.to_string(), answer.column.clone())) {
            Some(verdict) if *verdict == answer.verdict => same += 1,
            Some(verdict) => {
                let Answer { case, column, verdict: now, reason } = answer;
                writeln!(wrong, "{case}\t{column}\tbefore {verdict}, now {now}\t{reason}").expect("a String takes all");
            }
            None => new += 1,
        }
    }
    eprintln!("{}: {same} verdicts as before, {new} new", answers.first().map_or("", |answer| &answer.column));
    if std::env::var_os("UPDATE").is_some() {
        remember(&answers);
        return;
    }
    assert!(wrong.is_empty(), "verdicts that changed:\n{wrong}");
    assert_eq!(new, 0, "cases without a verdict in {SEEN}: run with UPDATE=1");
}

fn seen() -> BTreeMap<(String, String), String> {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(SEEN)).unwrap_or_default();
    let mut found = BTreeMap::new();
    let mut lines = text.lines().filter(|line| !line.starts_with('#'));
    let columns: Vec<&str> = lines.next().unwrap_or_default().split('\t').skip(1).collect();
    for line in lines {
        let mut cells = line.split('\t');
        let case = cells.next().unwrap_or_default();
        for (column, verdict) in columns.iter().zip(cells) {
            if !verdict.is_empty() {
                found.insert((case.to_string(), (*column).to_string()), verdict.to_string());
            }
        }
    }
    found
}

/// Writes the verdicts on our cases beside those of other verifiers.
fn remember(answers: &[Answer]) {
    static WRITING: std::sync::Mutex<()> = std::sync::Mutex::new(());
    let _one_at_a_time = WRITING.lock().expect("no test panics here");
    let mut all = seen();
    for answer in answers.iter().filter(|answer| !answer.case.starts_with(recorded::PREFIX)) {
        all.insert((answer.case.clone(), answer.column.clone()), answer.verdict.clone());
    }
    let columns: BTreeSet<&str> = all.keys().map(|(_, column)| column.as_str()).collect();
    let mut text = String::from("# Verdicts seen on the cases of cases.txt; written by `UPDATE=1 cargo test --features oracles --test oracles`.\n");
    text += &std::iter::once("case").chain(columns.iter().copied()).collect::<Vec<_>>().join("\t");
    for case in tokens().cases.iter().filter(|case| !case.name.starts_with(recorded::PREFIX)) {
        text += "\n";
        text += &case.name;
        for column in &columns {
            text += "\t";
            text += all.get(&(case.name.clone(), (*column).to_string())).map_or("", String::as_str);
        }
    }
    std::fs::write(Path::new(env!("CARGO_MANIFEST_DIR")).join(SEEN), text + "\n").expect("written");
}

#[test]
fn scitokens_cpp() {
    check(&verifiers::SCITOKENS_CPP);
}

#[test]
fn scitokens_cpp_of_htcondor() {
    check(&verifiers::SCITOKENS_CPP_OF_HTCONDOR);
}

#[test]
fn htcondor() {
    check(&verifiers::HTCONDOR);
}

#[test]
fn xrootd() {
    check(&verifiers::XROOTD);
}

#[test]
fn arc() {
    check(&verifiers::ARC);
}

#[test]
fn mod_auth_openidc() {
    check(&verifiers::MOD_AUTH_OPENIDC);
}

#[test]
fn python_libraries() {
    check(&verifiers::PYTHON);
}

#[test]
fn javascript_libraries() {
    check(&verifiers::JAVASCRIPT);
}
