//! What `tokenvet scan` reads: compressed files, archives, rotated sets, patterns, journals; what it leaves out when asked,
//! and what it says about inputs that are damaged or change under its hands.

#![cfg(all(unix, feature = "cli", feature = "archives"))]
#![allow(clippy::unwrap_used)] // a helper that fails is a failed test

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, SystemTime};
use tokenvet::scan::member::codec::{Codec, Encoder};

const NOW: &str = "2026-11-22T10:00:00Z";

/// A token that is told from all others by its number; no report may show its signature.
fn token(n: u32) -> String {
    let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
    let signature = format!("TestSignature{n:06}").repeat(5)[..86].to_string();
    format!(
        "{}.{}.{signature}",
        part(r#"{"alg":"ES256","kid":"k"}"#),
        part(&format!(r#"{{"jti":"t{n}","exp":4102444800}}"#))
    )
}

/// A log of ten lines with these tokens in the third and following ones.
fn log(tokens: &[u32]) -> String {
    let mut lines: Vec<String> = (1..=10).map(|n| format!("line {n}")).collect();
    for (line, n) in lines[2..].iter_mut().zip(tokens) {
        *line += &format!(" Bearer {}", token(*n));
    }
    lines.join("\n") + "\n"
}

fn packed(codec: Codec, text: &[u8]) -> Vec<u8> {
    let mut encoder = Encoder::new(codec, Vec::new()).unwrap();
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

fn archive(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, data) in members {
        let mut header = tar::Header::new_gnu();
        header.set_size(data.len() as u64);
        header.set_mtime(1_795_000_000);
        header.set_mode(0o600);
        header.set_cksum();
        builder.append_data(&mut header, name, *data).unwrap();
    }
    builder.into_inner().unwrap()
}

fn scan(folder: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tokenvet"))
        .current_dir(folder)
        .args(["scan", "--no-config", "--now", NOW])
        .args(args)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

/// The report, and the exit code.
fn report(folder: &Path, args: &[&str]) -> (Value, i32) {
    let output = scan(folder, &[args, &["-f", "json"]].concat());
    let report = serde_json::from_slice(&output.stdout);
    (report.unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr))), output.status.code().unwrap())
}

/// `jti path:line` of the places that are reported, first ones and others.
fn places(report: &Value) -> Vec<String> {
    let leaks = report["findings"].as_array().unwrap().iter().filter(|finding| finding["target"]["kind"] == "leak");
    let place = |place: &Value| format!("{}:{}", place["path"].as_str().unwrap(), place["region"]["start_line"]);
    let mut places: Vec<String> = leaks
        .flat_map(|leak| std::iter::once(place(leak)).chain(leak["related"].as_array().unwrap().iter().map(place)))
        .collect();
    places.sort();
    places
}

/// `path: message` of what the report says went wrong.
fn errors(report: &Value) -> Vec<String> {
    let errors = report["errors"].as_array().unwrap().iter();
    errors.map(|error| format!("{}: {}", error["path"].as_str().unwrap(), error["message"].as_str().unwrap())).collect()
}

fn aged(path: &Path, days: u64) {
    // The clock of the runs is fixed.
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_341_600);
    File::options().write(true).open(path).unwrap().set_modified(now - Duration::from_secs(days * 86_400)).unwrap();
}

#[test]
fn everything_in_a_tree_is_opened_and_places_name_members() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| fs::write(folder.path().join(name), bytes).unwrap();
    write("a.log", log(&[1]).as_bytes());
    write("b.gz", &packed(Codec::Gzip, log(&[2]).as_bytes()));
    write("c.any-name", &packed(Codec::Zstd, log(&[3]).as_bytes()));
    write("d.xz", &packed(Codec::Xz, log(&[4]).as_bytes()));
    write("e.bz2", &packed(Codec::Bzip2, log(&[5]).as_bytes()));
    let inner = packed(Codec::Gzip, log(&[6]).as_bytes());
    let bundle = archive(&[("var/log/x.log", log(&[7, 1]).as_bytes()), ("var/log/x.log.1.gz", &inner)]);
    write("f.tgz", &packed(Codec::Gzip, &bundle));
    let (report, exit) = report(folder.path(), &["."]);
    assert_eq!(exit, 1);
    assert_eq!(errors(&report), [""; 0]);
    assert_eq!(
        places(&report),
        [
            "a.log:3",
            "b.gz:3",
            "c.any-name:3",
            "d.xz:3",
            "e.bz2:3",
            "f.tgz!var/log/x.log.1.gz:3",
            "f.tgz!var/log/x.log:3",
            "f.tgz!var/log/x.log:4",
        ]
    );
    let documents: Vec<_> =
        report["documents"].as_array().unwrap().iter().map(|document| document["targets"].as_u64()).collect();
    assert_eq!(documents, [1, 1, 1, 1, 1, 3].map(Some), "tokens per input");
}

#[test]
fn one_bad_input_never_hides_another() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| fs::write(folder.path().join(name), bytes).unwrap();
    let gz = packed(Codec::Gzip, (log(&[1]) + &"x".repeat(99)).as_bytes());
    write("a.gz", &gz[..gz.len() - 5]);
    write("b.gz", b"\x1f\x8b\x08nothing of gzip");
    let mut tar = archive(&[("x", log(&[2]).as_bytes()), ("y", b"y"), ("z", log(&[3]).as_bytes())]);
    let header = tar.windows(2).position(|at| at == b"y\0").unwrap();
    tar[header] = b'Y';
    write("c.tar", &tar);
    write("d.zip", b"PK\x03\x04 stored");
    write("e.log", log(&[4]).as_bytes());
    let (report, exit) = report(folder.path(), &["a.gz", "b.gz", "c.tar", "d.zip", "e.log", "gone.log"]);
    assert_eq!(exit, 2, "not all could be read");
    assert_eq!(places(&report), ["a.gz:3", "c.tar!x:3", "c.tar!z:3", "e.log:3"]);
    let errors = errors(&report);
    for (path, words) in [
        ("a.gz", "cut off"),
        ("b.gz", "gzip data is"),
        ("c.tar", "header of a member is damaged"),
        ("d.zip", "zip data is not opened"),
        ("gone.log", "no such file"),
    ] {
        let named = errors.iter().filter(|error| error.starts_with(&format!("{path}: "))).collect::<Vec<_>>();
        assert!(named.len() == 1 && named[0].contains(words), "{path}: {errors:#?}");
    }
    // Met in a tree, an archive of another kind is no error, and is named all the same.
    let (tree, _) = self::report(folder.path(), &["."]);
    assert!(!self::errors(&tree).iter().any(|error| error.starts_with("d.zip")));
    assert_eq!(tree["skipped"], 1);
    let notes = |report: &Value| report["notes"].as_array().map_or(vec![], |notes| notes.clone());
    let note = notes(&tree)[0].as_str().unwrap().to_string();
    assert!(note.starts_with("1 file ") && note.contains(": d.zip;"), "{note}");
    for more in ["e.zip", "f.zip", "g.zip", "h.zip"] {
        write(more, b"PK\x03\x04 stored");
    }
    let note = notes(&self::report(folder.path(), &["."]).0)[0].as_str().unwrap().to_string();
    assert!(note.starts_with("5 files ") && note.contains(": d.zip, e.zip, f.zip and 2 more;"), "{note}");
    let (silenced, _) = self::report(folder.path(), &[".", "--unrecognised", "skip"]);
    assert_eq!(notes(&silenced), Vec::<Value>::new());
}

#[test]
fn a_bomb_is_stopped_and_the_limit_is_the_users() {
    let folder = tempfile::tempdir().unwrap();
    let text = [vec![b'a'; 3 << 20], b"\n".to_vec(), log(&[1]).into_bytes()].concat();
    fs::write(folder.path().join("a.gz"), packed(Codec::Gzip, &text)).unwrap();
    let (stopped, exit) = report(folder.path(), &["a.gz", "--max-expanded", "2MiB"]);
    assert_eq!((exit, places(&stopped).len()), (2, 0));
    assert!(errors(&stopped)[0].contains("--max-expanded"), "{:?}", errors(&stopped));
    let (whole, exit) = report(folder.path(), &["a.gz", "--max-expanded", "4 MiB"]);
    assert_eq!((exit, places(&whole)), (1, vec!["a.gz:4".to_string()]));
    for wrong in ["", "x", "5 parsecs", "99999999999999999999", "-1"] {
        assert_eq!(
            scan(folder.path(), &["a.gz", &format!("--max-expanded={wrong}")]).status.code(),
            Some(2),
            "{wrong}"
        );
    }
}

#[test]
fn rotated_siblings_and_patterns() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| fs::write(folder.path().join(name), bytes).unwrap();
    write("x.log", log(&[1]).as_bytes());
    write("x.log.1", log(&[2]).as_bytes());
    write("x.log.2.gz", &packed(Codec::Gzip, log(&[3]).as_bytes()));
    write("x.log-20261101.zst", &packed(Codec::Zstd, log(&[4]).as_bytes()));
    write("y.log", log(&[5]).as_bytes());
    let all = ["x.log-20261101.zst:3", "x.log.1:3", "x.log.2.gz:3", "x.log:3"];
    assert_eq!(places(&report(folder.path(), &["x.log", "--rotated"]).0), all);
    assert_eq!(places(&report(folder.path(), &["x.log", "x.log.1", "--rotated"]).0), all, "none is read twice");
    assert_eq!(places(&report(folder.path(), &["x.log"]).0), ["x.log:3"]);
    assert_eq!(places(&report(folder.path(), &["x.log.*"]).0), ["x.log.1:3", "x.log.2.gz:3"]);
    assert_eq!(places(&report(folder.path(), &["?.log"]).0), ["x.log:3", "y.log:3"]);
    let (nothing, exit) = report(folder.path(), &["none*.log"]);
    assert!(exit == 2 && errors(&nothing)[0].starts_with("none*.log: "), "{:?}", errors(&nothing));
}

#[test]
fn what_is_older_is_left_out_and_counted() {
    let folder = tempfile::tempdir().unwrap();
    let line = |time: &str, n: u32| format!("{time} GET /?authz=Bearer%20{}\n", token(n));
    let old = line("2026-11-01T00:00:00Z", 1);
    let text = format!("{old}  {}\n{}", token(2), line("2026-11-21T00:00:00Z", 3));
    fs::write(folder.path().join("a.log"), &text).unwrap();
    aged(&folder.path().join("a.log"), 0);
    fs::write(folder.path().join("b.log"), log(&[4])).unwrap();
    aged(&folder.path().join("b.log"), 30);
    fs::write(folder.path().join("c.log"), log(&[5])).unwrap();
    aged(&folder.path().join("c.log"), 1);
    for since in ["7d", "2026-11-15", "2026-11-15T00:00:00Z"] {
        let (report, exit) = report(folder.path(), &[".", "--since", since]);
        assert_eq!(places(&report), ["a.log:3", "c.log:3"], "{since}: what has no time belongs to the line before it");
        let left = old.len() + 2 + token(2).len() + 1;
        let expected = format!("1 file of {} bytes, and {left} bytes of lines", log(&[4]).len());
        assert!(report["notes"][0].as_str().unwrap().contains(&expected), "{}", report["notes"]);
        assert!(errors(&report).is_empty(), "what was left out on request is no error: {:?}", errors(&report));
        assert_eq!(exit, 1, "a token that is still valid was found");
    }
    assert_eq!(places(&report(folder.path(), &["."]).0).len(), 5);
    assert_eq!(report(folder.path(), &["b.log", "--since", "7d"]).1, 3, "nothing to scan");
    fs::write(folder.path().join("d.log"), line("2026-11-01T00:00:00Z", 6)).unwrap();
    aged(&folder.path().join("d.log"), 0);
    fs::write(folder.path().join("e.log.gz"), packed(Codec::Gzip, old.as_bytes())).unwrap();
    aged(&folder.path().join("e.log.gz"), 0);
    for names in [&["d.log"][..], &["e.log.gz"], &["b.log", "d.log", "e.log.gz"]] {
        let (report, exit) = report(folder.path(), &[names, &["--since", "7d"]].concat());
        assert_eq!((exit, &report["documents"]), (3, &serde_json::json!([])), "all lines are older: {names:?}");
    }
    assert_eq!(report(folder.path(), &["d.log", "c.log", "--since", "7d"]).1, 1, "something was left");
    fs::write(folder.path().join("empty.log"), "").unwrap();
    assert_eq!(report(folder.path(), &["empty.log", "--since", "7d"]).1, 0, "it is not older");
    assert_eq!(scan(folder.path(), &[".", "--since", "soon"]).status.code(), Some(2));
}

#[test]
fn journals_are_read_whole_and_left_out_by_the_entry() {
    let folder = tempfile::tempdir().unwrap();
    let entry = |micros: u64, message: String| {
        let mut entry =
            format!("__CURSOR=s={micros}\n__REALTIME_TIMESTAMP={micros}\n_CMDLINE=x\nMESSAGE\n").into_bytes();
        entry.extend((message.len() as u64).to_le_bytes());
        entry.extend(message.as_bytes());
        entry.extend(b"\n\n");
        entry
    };
    let journal = [
        entry(1_793_000_000_000_000, format!("old\n{}", token(1))),
        entry(1_795_330_000_000_000, format!("new\nBearer {}\n", token(2))),
    ];
    fs::write(folder.path().join("a.export"), journal.concat()).unwrap();
    let json = format!("{{\"__REALTIME_TIMESTAMP\":\"1793000000000000\",\"MESSAGE\":\"{}\"}}\n", token(3));
    fs::write(folder.path().join("b.json"), json).unwrap();
    assert_eq!(places(&report(folder.path(), &["."]).0), ["a.export:13", "a.export:6", "b.json:1"]);
    assert_eq!(places(&report(folder.path(), &[".", "--since", "7d"]).0), ["a.export:13"]);
}

#[test]
fn the_report_is_the_same_however_many_threads_read() {
    let folder = tempfile::tempdir().unwrap();
    for n in 0..60u32 {
        let text = log(&[n % 7, n, 1000 + n % 3]);
        let (name, bytes) = match n % 4 {
            0 => (format!("{n}.log"), text.into_bytes()),
            1 => (format!("{n}.gz"), packed(Codec::Gzip, text.as_bytes())),
            2 => (format!("{n}.tar"), archive(&[("a", text.as_bytes()), ("b", log(&[n]).as_bytes())])),
            _ => (format!("{n}.zst"), packed(Codec::Zstd, text.as_bytes())[..40].to_vec()),
        };
        fs::write(folder.path().join(name), bytes).unwrap();
    }
    for format in ["json", "jsonl", "human", "sarif"] {
        let one = scan(folder.path(), &[".", "--threads", "1", "-f", format]);
        for threads in ["2", "7"] {
            let several = scan(folder.path(), &[".", "--threads", threads, "-f", format]);
            assert!(one.stdout == several.stdout, "{format} with {threads} threads");
            assert_eq!(one.status.code(), several.status.code());
        }
        assert!(one.stdout.len() > 1000, "{format} says something");
    }
}

#[test]
fn a_file_that_is_cut_or_replaced_while_it_is_read_is_a_note() {
    let folder = tempfile::tempdir().unwrap();
    // Large enough that others come in between.
    let text = log(&[1]) + &"nothing to see here\n".repeat(2_000_000);
    for (rotate, words) in [("cut", "it was cut from"), ("replace", "it was moved away or replaced")] {
        let path = folder.path().join("a.log");
        fs::write(&path, &text).unwrap();
        fs::write(folder.path().join("b.log"), log(&[2])).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_tokenvet"))
            .current_dir(folder.path())
            .args(["scan", "--no-config", "a.log", "b.log", "-f", "json", "--threads", "1"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let opened = || {
            let links = fs::read_dir(format!("/proc/{}/fd", child.id())).unwrap().flatten();
            links
                .filter_map(|link| fs::read_link(link.path()).ok())
                .any(|target| target == path.canonicalize().unwrap())
        };
        while !opened() {
            std::thread::yield_now();
        }
        match rotate {
            "cut" => File::options().write(true).open(&path).unwrap().set_len(0).unwrap(),
            _ => fs::rename(&path, folder.path().join("a.log.1")).unwrap(),
        }
        let mut stdout = String::new();
        std::io::Read::read_to_string(child.stdout.as_mut().unwrap(), &mut stdout).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(2));
        let report: Value = serde_json::from_str(&stdout).unwrap();
        assert!(errors(&report).iter().any(|error| error.contains(words)), "{rotate}: {:?}", errors(&report));
        assert!(places(&report).contains(&"b.log:3".to_string()), "{rotate}: the rest is whole");
    }
}
