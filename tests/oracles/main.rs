//! Real verifiers on freshly minted tokens: what they say is compared with what was recorded and with what is predicted.
//!
//! `tests/oracles/install.sh` installs the verifiers; one that is missing is named and skipped. See README.md beside this file.

// Notes on what was skipped and seen are for whoever runs the tests.
#![allow(clippy::print_stderr)]

mod mint;
mod predicted;
mod recorded;
mod verifiers;

use mint::{AUDIENCE, Case, Mint, NOW, issuer};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use verifiers::{Answer, Verifier};

/// The verdicts on our cases as they were seen; `UPDATE=1` writes what is seen now.
const SEEN: &str = "tests/oracles/verdicts.tsv";
/// What the live XRootD does with our variants of its configuration.
const SEEN_CONFIGURATIONS: &str = "tests/oracles/xrootd-configs.tsv";

/// What the live provider answers to our registrations.
const SEEN_REGISTRATIONS: &str = "tests/oracles/registrations.tsv";

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
    let answers = verifier.ask(&directory_of(verifier.name), &[]);
    let answered: BTreeSet<&str> = answers.iter().map(|answer| answer.case.as_str()).collect();
    for name in names(verifier.name) {
        assert!(answered.contains(name), "{}: no answer for {name}", verifier.name);
    }
    Some(answers)
}

/// The cases that a verifier is asked about: all of them, but for libraries, of which nothing is predicted, none drawn by lot.
fn names(verifier: &str) -> Vec<&'static str> {
    let all = tokens().cases.iter().map(|case| case.name.as_str());
    all.filter(|name| !verifier.is_empty() || !name.starts_with("lot-")).collect()
}

/// A directory that holds this run's files, of its own, so that drivers at work at the same time do not meet.
fn directory_of(name: &str) -> PathBuf {
    let tokens = tokens();
    let run = tokens.directory.join(if name.is_empty() { "libraries" } else { name });
    std::fs::create_dir_all(&run).expect("created");
    let names = names(name);
    let settings = serde_json::json!({ "issuer": issuer(), "audience": AUDIENCE, "now": NOW, "cases": names });
    std::fs::write(run.join("settings.json"), settings.to_string()).expect("written");
    std::fs::write(run.join("names"), names.join("\n") + "\n").expect("written");
    for file in ["tokens", "jwks.json", "ca.pem", "host.pem", "host.key"] {
        let link = run.join(file);
        if !link.exists() {
            std::os::unix::fs::symlink(tokens.directory.join(file), link).expect("linked");
        }
    }
    run
}

/// A verifier says what it said before: in the recorded runs, and about our cases.
fn check(verifier: &Verifier) {
    let Some(answers) = ask(verifier) else { return };
    let recorded = recorded::directory().map(|directory| recorded::matrix(&directory)).unwrap_or_default();
    let ours: Vec<&str> = tokens()
        .cases
        .iter()
        .map(|case| case.name.as_str())
        .filter(|name| !name.starts_with(recorded::PREFIX))
        .collect();
    compare(&answers, &recorded, SEEN, &ours);
    let seen = table(SEEN);
    let crashed =
        |answer: &Answer| seen.get(&(answer.case.clone(), answer.column.clone())).is_some_and(|seen| seen == "crash");
    let answers: Vec<Answer> = answers.into_iter().filter(|answer| !crashed(answer)).collect();
    let differing = predicted::differing(&answers, tokens(), &tokens().directory.join("jwks.json"));
    note(verifier.name, &differing);
    assert!(differing.is_empty(), "{} verdicts are predicted otherwise:\n{}", differing.len(), differing.join("\n"));
}

/// Keeps what was predicted otherwise for the eye, beside the run.
fn note(name: &str, differing: &[String]) {
    if !differing.is_empty() {
        std::fs::write(directory_of(name).join("differing.tsv"), differing.join("\n") + "\n").expect("written");
    }
}

/// Compares answers with those recorded and with those seen before, which stand in the table `seen_in`; `UPDATE=1` writes them.
fn compare(answers: &[Answer], recorded: &Table, seen_in: &str, order: &[&str]) {
    let seen = table(seen_in);
    let mut wrong = String::new();
    let mut same: BTreeMap<&str, [usize; 2]> = BTreeMap::new();
    let mut new = 0;
    for answer in answers {
        let (known, name, at) = match answer.case.strip_prefix(recorded::PREFIX) {
            Some(name) => (recorded, name, 0),
            None => (&seen, answer.case.as_str(), 1),
        };
        match known.get(&(name.to_string(), answer.column.clone())) {
            // What ended the software once is an error of memory in it: it may do anything another time.
            Some(verdict) if *verdict == answer.verdict || verdict == "crash" => {
                same.entry(&answer.column).or_default()[at] += 1
            }
            Some(verdict) => {
                let Answer { case, column, verdict: now, reason } = answer;
                writeln!(wrong, "{case}\t{column}\tbefore {verdict}, now {now}\t{reason}").expect("a String takes all");
            }
            None => new += 1,
        }
    }
    for (column, [recorded, ours]) in same {
        eprintln!("{column}: as recorded {recorded}, as seen before {ours}");
    }
    if std::env::var_os("UPDATE").is_some() {
        remember(answers, seen_in, order);
        return;
    }
    assert!(wrong.is_empty(), "answers that changed:\n{wrong}");
    assert_eq!(new, 0, "cases without an answer in {seen_in}: run with UPDATE=1");
}

/// Answers by case and column.
type Table = BTreeMap<(String, String), String>;

/// A table of answers; empty when it is not there yet.
fn table(path: &str) -> Table {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap_or_default();
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

/// Writes the answers about our cases into a table, beside those of other columns.
fn remember(answers: &[Answer], path: &str, order: &[&str]) {
    static WRITING: std::sync::Mutex<()> = std::sync::Mutex::new(());
    let _one_at_a_time = WRITING.lock().expect("no test panics here");
    let mut all = table(path);
    for answer in answers.iter().filter(|answer| !answer.case.starts_with(recorded::PREFIX)) {
        all.insert((answer.case.clone(), answer.column.clone()), answer.verdict.clone());
    }
    let columns: BTreeSet<&str> = all.keys().map(|(_, column)| column.as_str()).collect();
    let mut text =
        String::from("# Answers seen; written by `UPDATE=1 cargo test --features oracles --test oracles`.\n");
    text += &std::iter::once("case").chain(columns.iter().copied()).collect::<Vec<_>>().join("\t");
    for case in order {
        text += "\n";
        text += case;
        for column in &columns {
            text += "\t";
            text += all.get(&((*case).to_string(), (*column).to_string())).map_or("", String::as_str);
        }
    }
    std::fs::write(Path::new(env!("CARGO_MANIFEST_DIR")).join(path), text + "\n").expect("written");
}

/// The variants of scitokens.cfg in xrootd-configs.txt: name and bytes.
fn configurations() -> Vec<(&'static str, Vec<u8>)> {
    let text = include_str!("xrootd-configs.txt");
    let variants = text.split("\n=== ").skip(1);
    variants
        .map(|variant| {
            let (name, text) = variant.split_once('\n').unwrap_or((variant, ""));
            (name, mint::unescape(&format!("{text}\n").replace("\\\n", "")))
        })
        .map(|(name, text)| if text.is_empty() { (name, b"\n".to_vec()) } else { (name, text) })
        .collect()
}

/// A live XRootD starts or refuses, and answers seven requests, as it did before, on every variant of its configuration.
#[test]
fn xrootd_configurations() {
    let verifier = &verifiers::XROOTD;
    if let Some(why) = verifier.missing() {
        eprintln!("note: skipped configurations of {}: {why}", verifier.name);
        return;
    }
    let run = directory_of("xrootd-configurations");
    let variants = run.join("variants");
    std::fs::create_dir_all(&variants).expect("created");
    let ours = configurations();
    for (name, text) in &ours {
        std::fs::write(variants.join(format!("{name}.cfg")), text).expect("written");
    }
    let recorded = recorded::directory();
    if let Some(directory) = &recorded {
        recorded::configurations(directory, &variants);
    }
    let answers = verifier.ask(&run, &[&variants]);
    let recorded = recorded.map(|directory| recorded::configuration_matrix(&directory)).unwrap_or_default();
    compare(&answers, &recorded, SEEN_CONFIGURATIONS, &ours.iter().map(|(name, _)| *name).collect::<Vec<_>>());
    let differing = predicted::differing_configurations(&answers, tokens(), &variants);
    note("xrootd-configurations", &differing);
    assert!(differing.is_empty(), "{} answers are predicted otherwise:\n{}", differing.len(), differing.join("\n"));
}

/// The requests of registrations.txt, one a line: name, tab, JSON.
fn registrations() -> Vec<(String, String)> {
    let text = include_str!("registrations.txt");
    let mut found = Vec::new();
    for line in text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        let (name, members) = line.split_once(' ').unwrap_or((line, ""));
        let members = members.trim_start();
        let (own, members) = match members.strip_prefix("-redirect_uris") {
            Some(members) => (true, members.trim_start()),
            None => (members.starts_with("\"redirect_uris\""), members),
        };
        let usual = if own { "" } else { "\"redirect_uris\":[\"https://rp.example.org/cb\"]" };
        let comma = if usual.is_empty() || members.is_empty() { "" } else { "," };
        let members = String::from_utf8(mint::repeated(members)).expect("registrations are UTF-8");
        found.push((name.to_string(), format!("{{{usual}{comma}{members}}}")));
    }
    found
}

/// A live provider takes or refuses registrations of clients as it did before.
#[test]
fn provider() {
    let verifier = &verifiers::PROVIDER;
    if let Some(why) = verifier.missing() {
        eprintln!("note: skipped {}: {why}", verifier.name);
        return;
    }
    let ours = registrations();
    let recorded = recorded::directory().map(|directory| recorded::registrations(&directory)).unwrap_or_default();
    let mut lines: Vec<String> = ours.iter().map(|(name, request)| format!("{name}\t{request}")).collect();
    lines.extend(recorded.iter().map(|(name, _, request)| format!("{}{name}\t{request}", recorded::PREFIX)));
    let run = directory_of("provider");
    let requests = run.join("requests");
    std::fs::write(&requests, lines.join("\n") + "\n").expect("written");
    let answers = verifier.ask(&run, &[&requests]);
    assert_eq!(answers.len(), lines.len(), "an answer for every registration");
    let recorded =
        recorded.into_iter().map(|(name, verdict, _)| ((name, verifier.name.to_string()), verdict)).collect();
    compare(&answers, &recorded, SEEN_REGISTRATIONS, &ours.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>());
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
