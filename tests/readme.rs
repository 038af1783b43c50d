//! The README's sessions that need a folder of their own: a repository with the demo's issuer in `iam/` and a policy.
//! `TRYCMD=overwrite cargo test --test readme` rewrites their output.

#![cfg(feature = "state")]
#![allow(clippy::unwrap_used)]

mod common;

use common::{BINARY, program, run};
use std::fs;
use std::path::Path;

const FENCE: &str = "```shell-session\n";
/// What stands between the outputs of two commands.
const MARK: &str = "\u{1}";

/// A repository as the sessions find it.
fn repository() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/demo/iam");
    for entry in fs::read_dir(demo).unwrap() {
        let entry = entry.unwrap();
        common::write(&folder.path().join("iam").join(entry.file_name()), &fs::read(entry.path()).unwrap());
    }
    common::write(&folder.path().join("site.yaml"), b"audit: { paths: [iam] }\n");
    let script = "git init -q -b main && git add . && git -c user.name=a -c user.email=a@example.org commit -qm start";
    common::shell(folder.path(), script).exits(0, "a repository");
    folder
}

/// The session with what its commands print now.
fn played(session: &str) -> String {
    let folder = repository();
    let commands: Vec<&str> = session.lines().filter_map(|line| line.strip_prefix("$ ")).collect();
    let script: String = commands.iter().map(|command| format!("{command}\nprintf '{MARK}'\n")).collect();
    let path = format!("{}:/usr/local/bin:/usr/bin:/bin", Path::new(BINARY).parent().unwrap().display());
    let mut bash = program("bash");
    bash.current_dir(folder.path()).env("PATH", path).env("COLUMNS", "100").env("NO_COLOR", "1");
    let ran = run(bash.args(["-c", &format!("exec 2>&1\n{script}")]));
    let out = ran.out();
    assert_eq!(out.matches(MARK).count(), commands.len(), "{out}");
    commands.iter().zip(out.split(MARK)).map(|(command, out)| format!("$ {command}\n{out}")).collect()
}

/// Without the name of the commit, which is another one each time: hexadecimal digits in parentheses.
fn without_commit(text: &str) -> String {
    let is_commit = |word: &str| word.len() >= 7 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    let piece = |piece: &str| match piece.split_once(')') {
        Some((word, rest)) if is_commit(word) => format!("COMMIT){rest}"),
        _ => piece.to_string(),
    };
    text.split('(').map(piece).collect::<Vec<_>>().join("(")
}

#[test]
fn the_readme_shows_what_is_printed() {
    if !common::has("git") {
        return common::note("git is not installed: the README's sessions were not played");
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let text = fs::read_to_string(&path).unwrap();
    let mut parts = text.split(FENCE);
    let mut rewritten = parts.next().unwrap_or_default().to_string();
    let mut wrong = Vec::new();
    let mut sessions = 0;
    for part in parts {
        let (session, rest) = part.split_once("```\n").unwrap();
        let got = played(session);
        sessions += 1;
        let kept = if without_commit(session) == without_commit(&got) { session } else { &got };
        if kept == got && got != session {
            wrong.push(format!("the README says\n{session}\nand this is printed\n{got}"));
        }
        rewritten.push_str(&format!("{FENCE}{kept}```\n{rest}"));
    }
    assert_eq!(sessions, 3, "one for each of the three moments");
    if std::env::var("TRYCMD").is_ok_and(|what| what == "overwrite") {
        return fs::write(&path, rewritten).unwrap();
    }
    assert!(wrong.is_empty(), "{}\nTRYCMD=overwrite rewrites it", wrong.join("\n"));
}
