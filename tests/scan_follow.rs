//! `tokenvet scan --follow`: every token that is written is reported once, at its place, however the log is rotated.

#![cfg(all(unix, feature = "cli"))]
#![allow(clippy::unwrap_used)] // a helper that fails is a failed test

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// A line with a token that is told by the column it stands at.
fn line(n: usize) -> String {
    let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
    let signature = format!("TestSignature{n:06}").repeat(5)[..86].to_string();
    let payload = part(&format!(r#"{{"jti":"t{n}","exp":4102444800}}"#));
    format!("{} {}.{payload}.{signature}\n", "x".repeat(n), part(r#"{"alg":"ES256","kid":"k"}"#))
}

struct Following {
    child: Child,
    lines: Receiver<Value>,
    /// Lines by the token's number.
    found: BTreeMap<usize, Vec<u64>>,
    notes: Vec<String>,
    documents: Vec<u64>,
    ended: bool,
}

impl Following {
    fn start(folder: &Path, args: &[&str]) -> (Self, ChildStdin) {
        let mut child = Command::new(env!("CARGO_BIN_EXE_tokenvet"))
            .current_dir(folder)
            .args(["scan", "--follow", "--no-config", "-f", "jsonl"])
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (send, lines) = channel();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            for line in stdout.lines() {
                let _ = send.send(serde_json::from_str(&line.unwrap()).unwrap());
            }
        });
        let stdin = child.stdin.take().unwrap();
        let (found, notes, documents) = (BTreeMap::new(), vec![], vec![]);
        (Following { child, lines, found, notes, documents, ended: false }, stdin)
    }

    /// Takes one line of the report.
    fn take(&mut self, line: &Value) {
        match line["type"].as_str().unwrap() {
            "finding" if line["target"]["kind"] == "leak" => {
                let number = line["region"]["start_column"].as_u64().unwrap() as usize - 2;
                self.found.entry(number).or_default().push(line["region"]["start_line"].as_u64().unwrap());
            }
            "document" => self.documents.push(line["targets"].as_u64().unwrap()),
            "error" => self.notes.push(line["message"].as_str().unwrap().to_string()),
            "run" => self.ended = true,
            _ => {}
        }
    }

    /// Waits for the report of a token.
    fn wait_for(&mut self, number: usize) {
        while !self.found.contains_key(&number) {
            let line = self
                .lines
                .recv_timeout(Duration::from_secs(60))
                .unwrap_or_else(|_| panic!("token {number} is not reported"));
            self.take(&line);
        }
    }

    fn end(self) -> Self {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        self.ends()
    }

    fn ends(mut self) -> Self {
        let code = self.child.wait().unwrap().code();
        while let Ok(line) = self.lines.recv_timeout(Duration::from_secs(60)) {
            self.take(&line);
        }
        assert_eq!(code, Some(1), "tokens were found, and nothing was lost: {:?}", self.notes);
        assert!(self.ended, "the report has its summary");
        self
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        let _ = self.child.kill();
    }
}

/// What several profiles say of one token is shown once, and counted as the summary of JSON counts it.
#[test]
fn a_followed_log_and_a_scanned_one_come_to_the_same_counts() {
    let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
    let payload = r#"{"jti":"j","sub":"s","iat":4102441200,"exp":4112444800,"scope":"storage.read:/x"}"#;
    let signature = "TestSignature000001".repeat(5)[..86].to_string();
    let log = format!("{}.{}.{signature}\n", part(r#"{"alg":"ES256","kid":"k"}"#), part(payload));
    let scan = |more: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tokenvet"));
        command.args(["scan", "--no-config", "--profile", "wlcg@1.1", "--profile", "wlcg@1.3", "-"]).args(more);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(log.as_bytes()).unwrap();
        String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap()
    };
    let last = |text: String| text[text.find("severity count").unwrap()..].to_string();
    let (followed, scanned) = (last(scan(&["--follow"])), last(scan(&[])));
    assert_eq!(followed, scanned);
    let report: Value = serde_json::from_str(&scan(&["-f", "json"])).unwrap();
    let errors = report["summary"]["error"].as_u64().unwrap();
    assert!(errors > 1 && scanned.contains(&format!("\n{errors} errors")), "{scanned}");
    assert!(scanned.contains("shown with what another profile says of the same place"), "{scanned}");
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Rotation {
    /// The writer goes on with the old file for a while.
    Rename,
    Copy,
}

/// A log with its writer.
struct Written {
    path: PathBuf,
    file: File,
    /// Lines in the file.
    lines: u64,
    /// Lines by the token's number.
    expected: BTreeMap<usize, Vec<u64>>,
    next: usize,
}

impl Written {
    fn new(path: PathBuf) -> Self {
        let file = OpenOptions::new().create(true).append(true).open(&path).unwrap();
        Written { path, file, lines: 0, expected: BTreeMap::new(), next: 0 }
    }

    fn write(&mut self, plain: u64) {
        for _ in 0..plain {
            writeln!(self.file, "nothing here").unwrap();
        }
        self.file.write_all(line(self.next).as_bytes()).unwrap();
        self.lines += plain + 1;
        self.expected.insert(self.next, vec![self.lines]);
        self.next += 1;
    }

    fn rotated(&self, n: usize) -> PathBuf {
        PathBuf::from(format!("{}.{n}", self.path.display()))
    }

    fn rotate(&mut self, rotation: Rotation, late: bool) {
        let _ = fs::remove_file(self.rotated(9));
        for n in (1..9).rev() {
            let _ = fs::rename(self.rotated(n), self.rotated(n + 1));
        }
        match rotation {
            Rotation::Rename => {
                fs::rename(&self.path, self.rotated(1)).unwrap();
                let new = OpenOptions::new().create(true).append(true).open(&self.path).unwrap();
                if late {
                    self.write(1);
                }
                self.file = new;
            }
            Rotation::Copy => {
                fs::copy(&self.path, self.rotated(1)).unwrap();
                self.file.set_len(0).unwrap();
            }
        }
        self.lines = 0;
    }
}

#[test]
fn each_token_is_reported_once_over_many_rotations() {
    use Rotation::{Copy, Rename};
    for (rotations, longest) in
        [([Rename, Rename], 400), ([Copy, Copy], 400), ([Rename, Copy], 400), ([Copy, Rename], 60)]
    {
        let folder = tempfile::tempdir().unwrap();
        let mut log = Written::new(folder.path().join("x.log"));
        // What was rotated before is none of this run's.
        fs::write(log.rotated(1), line(900)).unwrap();
        log.write(3);
        let (mut following, _stdin) = Following::start(folder.path(), &["x.log"]);
        following.wait_for(0);
        let mut state = 88_172_645_463_325_252u64;
        let mut random = |below: u64| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state % below
        };
        for n in 0..24 {
            for _ in 0..=random(4) {
                log.write(random(3));
                std::thread::sleep(Duration::from_millis(random(20)));
            }
            log.rotate(rotations[n % 2], random(2) == 0);
            if random(3) > 0 {
                log.write(random(5));
            }
            std::thread::sleep(Duration::from_millis(random(longest)));
        }
        log.write(0);
        let last = log.next - 1;
        following.wait_for(last);
        let following = following.end();
        assert_eq!(following.notes, [""; 0], "{rotations:?}");
        let lost: Vec<_> = log.expected.iter().filter(|(n, lines)| following.found.get(n) != Some(lines)).collect();
        assert_eq!(lost, [], "{rotations:?}: token and line; found instead: {:?}", following.found);
        assert_eq!(following.documents, [log.next as u64], "{rotations:?}: nothing is read twice");
    }
}

#[test]
fn a_log_that_is_emptied_without_a_copy_is_a_note() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = Written::new(folder.path().join("x.log"));
    log.write(3);
    let (mut following, _stdin) = Following::start(folder.path(), &["x.log"]);
    following.wait_for(0);
    log.file.set_len(0).unwrap();
    log.lines = 0;
    log.write(1);
    following.wait_for(1);
    let id = following.child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    assert_eq!(following.child.wait().unwrap().code(), Some(2), "not all could be read");
    while let Ok(line) = following.lines.recv_timeout(Duration::from_secs(60)) {
        following.take(&line);
    }
    assert_eq!(following.found, log.expected);
    assert!(following.notes.len() == 1 && following.notes[0].contains("no copy"), "{:?}", following.notes);
}

#[test]
fn several_logs_and_a_stream_are_followed_together() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.log"), line(1)).unwrap();
    fs::write(folder.path().join("b.log"), "").unwrap();
    let (mut following, mut stdin) = Following::start(folder.path(), &["a.log", "b.log", "-"]);
    following.wait_for(1);
    // A program that writes in blocks stops in the middle of a token.
    let text = line(2);
    stdin.write_all(&text.as_bytes()[..70]).unwrap();
    std::thread::sleep(Duration::from_millis(700));
    stdin.write_all(&text.as_bytes()[70..]).unwrap();
    following.wait_for(2);
    OpenOptions::new().append(true).open(folder.path().join("b.log")).unwrap().write_all(line(3).as_bytes()).unwrap();
    following.wait_for(3);
    stdin.write_all(line(4).trim_end().as_bytes()).unwrap();
    drop(stdin);
    following.wait_for(4);
    let following = following.end();
    assert_eq!(following.found, BTreeMap::from([(1, vec![1]), (2, vec![1]), (3, vec![1]), (4, vec![2])]));
    assert_eq!(following.notes, [""; 0]);
}

#[test]
fn a_stream_that_ends_ends_the_run() {
    let folder = tempfile::tempdir().unwrap();
    let (mut following, mut stdin) = Following::start(folder.path(), &["-"]);
    stdin.write_all(line(1).as_bytes()).unwrap();
    following.wait_for(1);
    stdin.write_all(line(1).as_bytes()).unwrap();
    drop(stdin);
    let following = following.ends();
    assert_eq!(following.found, BTreeMap::from([(1, vec![1])]), "a token that is known is not reported again");
    assert_eq!(following.documents, [2], "but counted");
}
