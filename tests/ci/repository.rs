//! A git repository in a temporary folder.

use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;

/// The clock of every run.
pub(crate) const NOW: &str = "2026-01-01T00:00:00Z";

/// Variables of CI services, which must not reach the runs of a test.
pub(crate) const OF_CI: [&str; 6] = [
    "GITHUB_BASE_REF",
    "GITHUB_REF",
    "CI_MERGE_REQUEST_DIFF_BASE_SHA",
    "CHANGE_TARGET",
    "GITHUB_OUTPUT",
    "GITHUB_STEP_SUMMARY",
];

pub(crate) struct Repository(TempDir);

/// The demonstration's folder below `testdata/ci`.
pub(crate) fn demo(part: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/ci").join(part)
}

impl Repository {
    pub(crate) fn new() -> Self {
        let repository = Repository(TempDir::new().unwrap());
        repository.git(&["init", "-q", "-b", "main", "."]);
        repository
    }

    /// The demonstration: the state before on `main`, the change on `change`.
    pub(crate) fn demo() -> Self {
        let repository = Repository::new();
        repository.copy(&demo("base"));
        repository.commit("base");
        repository.git(&["checkout", "-q", "-b", "change"]);
        repository.copy(&demo("change"));
        repository.commit("change");
        repository
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn folder(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    fn copy(&self, from: &Path) {
        for entry in walk(from) {
            let inside = entry.strip_prefix(from).unwrap().to_str().unwrap();
            self.write(inside, fs::read(&entry).unwrap());
        }
    }

    pub(crate) fn git(&self, args: &[&str]) -> String {
        let mut git = Command::new("git");
        git.current_dir(self.folder()).args(["-c", "user.name=t", "-c", "user.email=t@example.org"]).args(args);
        git.env("GIT_CONFIG_GLOBAL", "/dev/null").env_remove("GIT_DIR");
        let output = git.output().expect("these tests need git");
        assert!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    pub(crate) fn commit(&self, message: &str) {
        self.git(&["add", "-A", "-f", "."]);
        self.git(&["commit", "-q", "-m", message]);
    }

    /// tokenvet in the top folder.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tokenvet"));
        command.current_dir(self.folder()).args(args);
        OF_CI.iter().for_each(|name| {
            command.env_remove(name);
        });
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> Output {
        self.command(&[&["check", ".", "--now", NOW], args].concat()).output().unwrap()
    }

    /// Exit code and json report.
    pub(crate) fn json(&self, args: &[&str]) -> (i32, Value) {
        report(&self.run(&[args, &["-f", "json"]].concat()))
    }
}

/// Exit code and json report of a run.
pub(crate) fn report(output: &Output) -> (i32, Value) {
    let report = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("no report: {}", String::from_utf8_lossy(&output.stderr)));
    (output.status.code().unwrap(), report)
}

/// `path:line rule` of every finding.
pub(crate) fn places(report: &Value) -> Vec<String> {
    let findings = report["findings"].as_array().unwrap().iter();
    let place = |finding: &Value| {
        let (path, rule) = (finding["path"].as_str().unwrap(), finding["rule"].as_str().unwrap());
        format!("{path}:{} {rule}", finding["region"]["start_line"])
    };
    findings.map(place).collect()
}

/// Every file below a folder.
fn walk(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => files.extend(walk(&path)),
            false => files.push(path),
        }
    }
    files
}
