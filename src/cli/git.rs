//! What git knows of a repository: what changed since a commit, and files as a commit has them.
//!
//! The repository may hold a stranger's work. Git is asked so that nothing of it runs: no external diff, text conversion,
//! hook or file-system monitor; no reference is taken for an option; nothing is fetched; and no question stays open for
//! longer than [`PATIENCE`].

use super::exit::Failure;
use crate::suppress::changed::MAX_DIFF;
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io::{self, Read};
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// Longest time that git may take for one answer.
const PATIENCE: Duration = Duration::from_secs(120);
/// Bytes of git's own words that are kept.
const WORDS: u64 = 4096;

/// Settings that must not come from elsewhere: they run programs or change the form of the answer.
const SETTINGS: &[&str] = &[
    "core.fsmonitor=false",
    "core.hooksPath=/dev/null",
    "core.quotePath=true",
    "diff.ignoreSubmodules=dirty",
    "diff.relative=false",
    "diff.suppressBlankEmpty=false",
    "protocol.allow=never",
];

/// A work tree.
#[derive(Debug)]
pub(super) struct Repository {
    /// Its top folder, links resolved.
    pub(super) top: PathBuf,
}

impl Repository {
    /// The work tree that holds a folder.
    pub(super) fn of(folder: &Path) -> Result<Self, Failure> {
        let answer = ask(folder, &["rev-parse", "--show-toplevel"])?;
        Ok(Repository { top: path_of(answer.strip_suffix(b"\n").unwrap_or(&answer)) })
    }

    /// The commit that a reference names.
    pub(super) fn commit(&self, reference: &str) -> Result<String, Failure> {
        let unknown = || {
            Failure::Usage(format!(
                "git knows no commit {reference}; check the name, and fetch the branch (in GitHub's checkout action: \
                 fetch-depth: 0)"
            ))
        };
        if reference.starts_with('-') || reference.contains(char::is_control) || reference.is_empty() {
            return Err(unknown());
        }
        let commit = format!("{reference}^{{commit}}");
        let answer = ask(&self.top, &["rev-parse", "--verify", "--quiet", "--end-of-options", &commit]);
        let answer = answer.map_err(|_| unknown())?;
        let id = String::from_utf8_lossy(&answer).trim().to_string();
        match id.len() >= 40 && id.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            true => Ok(id),
            false => Err(unknown()),
        }
    }

    /// Where the history of the work tree left that of a commit.
    pub(super) fn fork_point(&self, commit: &str) -> Result<String, Failure> {
        let answer = ask(&self.top, &["merge-base", commit, "HEAD"]).map_err(|_| {
            Failure::Usage(format!(
                "the history does not reach back to where it left {commit}; fetch all of it (in GitHub's checkout \
                 action: fetch-depth: 0)"
            ))
        })?;
        Ok(String::from_utf8_lossy(&answer).trim().to_string())
    }

    /// The diff from a commit to the files as they lie in the work tree.
    pub(super) fn diff(&self, commit: &str) -> Result<Vec<u8>, Failure> {
        ask(
            &self.top,
            &[
                "diff",
                "--no-color",
                "--no-ext-diff",
                "--no-textconv",
                "--submodule=short",
                "--find-renames",
                "--unified=0",
                "--inter-hunk-context=0",
                "--src-prefix=a/",
                "--dst-prefix=b/",
                commit,
                "--",
            ],
        )
    }

    /// Files that git does not know yet and was not told to ignore.
    pub(super) fn untracked(&self) -> Result<Vec<Vec<u8>>, Failure> {
        let answer = ask(&self.top, &["ls-files", "--others", "--exclude-standard", "-z"])?;
        Ok(answer.split(|&byte| byte == 0).filter(|path| !path.is_empty()).map(<[u8]>::to_vec).collect())
    }

    /// The files of a commit.
    pub(super) fn tree(&self, commit: &str) -> Result<BTreeMap<PathBuf, Entry>, Failure> {
        let answer = ask(&self.top, &["ls-tree", "-r", "-z", "-l", "--full-tree", commit])?;
        let mut entries = BTreeMap::new();
        for line in answer.split(|&byte| byte == 0).filter(|line| !line.is_empty()) {
            let at = line.iter().position(|&byte| byte == b'\t').unwrap_or(line.len());
            let words = String::from_utf8_lossy(&line[..at]).into_owned();
            let mut words = words.split_ascii_whitespace();
            let (mode, _, id, size) = (words.next(), words.next(), words.next(), words.next());
            let size = size.and_then(|size| size.parse().ok()).unwrap_or(0);
            let entry = Entry {
                regular: mode.is_some_and(|mode| mode.starts_with("100")),
                id: id.unwrap_or_default().to_string(),
                size,
            };
            entries.insert(path_of(line.get(at + 1..).unwrap_or_default()), entry);
        }
        Ok(entries)
    }

    /// What a file of a commit holds.
    pub(super) fn content(&self, entry: &Entry) -> Result<Vec<u8>, Failure> {
        ask(&self.top, &["cat-file", "blob", &entry.id])
    }
}

/// A file of a commit.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    /// Neither a link nor a submodule.
    pub(super) regular: bool,
    /// Bytes.
    pub(super) size: u64,
    id: String,
}

/// The path that these bytes are.
pub(super) fn path_of(bytes: &[u8]) -> PathBuf {
    OsString::from_vec(bytes.to_vec()).into()
}

/// Git's answer to one question.
fn ask(folder: &Path, args: &[&str]) -> Result<Vec<u8>, Failure> {
    let settings = SETTINGS.iter().flat_map(|setting| ["-c", setting]);
    let mut command = Command::new("git");
    command.arg("-C").arg(folder).args(["--no-pager", "--no-optional-locks", "--literal-pathspecs"]);
    command.args(settings).args(args.iter().map(OsStr::new));
    for name in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_EXTERNAL_DIFF"] {
        command.env_remove(name);
    }
    command.env("GIT_TERMINAL_PROMPT", "0").env("GIT_NO_LAZY_FETCH", "1").env("LC_ALL", "C");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => {
            Failure::Usage("git is not installed; make the diff elsewhere and pass --diff".into())
        }
        _ => Failure::Usage(format!("git cannot be run: {error}")),
    })?;
    let answer = answer(&mut child);
    if answer.is_err() {
        let _ = child.kill();
    }
    let status = child.wait();
    let (bytes, words) = answer?;
    if bytes.len() as u64 > MAX_DIFF {
        return Err(Failure::Usage(format!(
            "git's answer is larger than {} MiB; check less at a time",
            MAX_DIFF >> 20
        )));
    }
    match status {
        Ok(status) if status.success() => Ok(bytes),
        _ => {
            let words = String::from_utf8_lossy(&words).into_owned();
            let first = words.lines().next().unwrap_or("it gives no reason");
            Err(Failure::Usage(format!("git {}: {first}", args.first().unwrap_or(&""))))
        }
    }
}

/// What a process writes to both of its streams.
fn answer(child: &mut Child) -> Result<(Vec<u8>, Vec<u8>), Failure> {
    let (send, receive) = mpsc::channel();
    let (out, words) = (child.stdout.take(), child.stderr.take());
    let errors = thread::spawn(move || {
        let mut kept = Vec::new();
        if let Some(mut words) = words {
            let _ = words.by_ref().take(WORDS).read_to_end(&mut kept);
            let _ = io::copy(&mut words, &mut io::sink());
        }
        kept
    });
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let read = out.map_or(Ok(0), |out| out.take(MAX_DIFF + 1).read_to_end(&mut bytes));
        let _ = send.send(read.map(|_| bytes));
    });
    match receive.recv_timeout(PATIENCE) {
        Ok(Ok(bytes)) if bytes.len() as u64 > MAX_DIFF => Ok((bytes, vec![])),
        Ok(Ok(bytes)) => Ok((bytes, errors.join().unwrap_or_default())),
        Ok(Err(error)) => Err(Failure::Usage(format!("git's answer cannot be read: {error}"))),
        Err(_) => Err(Failure::Usage(format!("git did not answer within {} s", PATIENCE.as_secs()))),
    }
}
