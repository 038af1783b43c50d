//! The verifiers: where each comes from, what it needs, and how its driver is run.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// No driver may take longer; what hangs is ended with everything it started.
const PATIENCE: Duration = Duration::from_secs(600);

/// A verifier of one version.
pub(crate) struct Verifier {
    /// What the columns of its verdicts start with, as in the recorded matrix: software and version; empty: the driver's columns
    /// are whole names.
    pub(crate) name: &'static str,
    driver: &'static str,
    needs: Needs,
}

enum Needs {
    /// A Debian package and the start of its version.
    Debian(&'static str, &'static str),
    /// The libraries of the wheel htcondor.
    HtcondorWheel,
    /// The packages of requirements.txt.
    Python,
    /// The packages of package.json.
    Node,
}

pub(crate) const SCITOKENS_CPP: Verifier = Verifier {
    name: "scitokens-cpp-0.7.3",
    driver: "scitokens_cpp.py",
    needs: Needs::Debian("libscitokens0", "0.7.3"),
};
pub(crate) const SCITOKENS_CPP_OF_HTCONDOR: Verifier = Verifier {
    name: "scitokens-cpp-in-htcondor-wheel-25.14.1",
    driver: "scitokens_cpp.py",
    needs: Needs::HtcondorWheel,
};
pub(crate) const HTCONDOR: Verifier =
    Verifier { name: "HTCondor-25.14.1", driver: "htcondor.py", needs: Needs::HtcondorWheel };
pub(crate) const XROOTD: Verifier =
    Verifier { name: "XRootD-5.5.3", driver: "xrootd.py", needs: Needs::Debian("xrootd-scitokens-plugins", "5.5.3") };
pub(crate) const ARC: Verifier =
    Verifier { name: "ARC-6.17.0-JWSE", driver: "arc.py", needs: Needs::Debian("nordugrid-arc-dev", "6.17.0") };
pub(crate) const MOD_AUTH_OPENIDC: Verifier = Verifier {
    name: "mod_auth_openidc-2.4.12.3",
    driver: "mod_auth_openidc.py",
    needs: Needs::Debian("libapache2-mod-auth-openidc", "2.4.12.3"),
};
pub(crate) const PYTHON: Verifier = Verifier { name: "", driver: "python_libraries.py", needs: Needs::Python };
pub(crate) const JAVASCRIPT: Verifier = Verifier { name: "", driver: "javascript_libraries.py", needs: Needs::Node };
pub(crate) const PROVIDER: Verifier =
    Verifier { name: "panva-oidc-provider-9.13.3", driver: "provider.py", needs: Needs::Node };

/// One line of a driver's answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) case: String,
    pub(crate) column: String,
    pub(crate) verdict: String,
    pub(crate) reason: String,
}

impl Verifier {
    /// Why it cannot be asked on this machine, if so.
    pub(crate) fn missing(&self) -> Option<String> {
        if !cfg!(target_os = "linux") || !Path::new("/proc/self/ns/net").exists() || !is_root() {
            return Some("needs Linux and root, for a network of its own".to_string());
        }
        for command in ["faketime", "unshare", "openssl"] {
            if !on_path(command) {
                return Some(format!("{command} is missing"));
            }
        }
        if !python().exists() {
            return Some("the Python environment is missing".to_string());
        }
        match self.needs {
            Needs::Debian(package, version) => match debian_version(package) {
                Some(found) if found.starts_with(version) => None,
                Some(found) => Some(format!("{package} is of version {found}, not {version}")),
                None => Some(format!("{package} is missing")),
            },
            Needs::HtcondorWheel => htcondor_libraries().is_none().then(|| "the wheel htcondor is missing".to_string()),
            Needs::Python => {
                (!installed().join("venv/requirements.txt").exists()).then(|| "PyPI packages are missing".to_string())
            }
            Needs::Node if !on_path("node") => Some("node is missing".to_string()),
            Needs::Node => {
                (!installed().join("node/installed.json").exists()).then(|| "npm packages are missing".to_string())
            }
        }
    }

    /// Runs the driver on a run's directory.
    ///
    /// # Panics
    /// When the driver fails or does not end in time.
    pub(crate) fn ask(&self, run: &Path, more: &[&Path]) -> Vec<Answer> {
        let mut command = Command::new("unshare");
        command
            .args(["--mount", "--net", "--pid", "--fork", "--kill-child=KILL", "--"])
            .arg(python())
            .arg(drivers().join(self.driver));
        command.arg(run).args(more).env("PYTHONDONTWRITEBYTECODE", "1").stdin(Stdio::null());
        match self.needs {
            Needs::HtcondorWheel => {
                let libraries = htcondor_libraries().expect("asked only when they are there");
                if self.driver == "scitokens_cpp.py" {
                    command.arg(file_starting(&libraries, "libSciTokens").expect("the wheel brings scitokens-cpp"));
                    command.env("LD_LIBRARY_PATH", libraries);
                } else {
                    command.arg(libraries);
                }
            }
            Needs::Debian("libscitokens0", _) => drop(command.arg("libSciTokens.so.0")),
            Needs::Node => drop(command.arg(installed().join("node"))),
            Needs::Debian(..) | Needs::Python => {}
        }
        self.read(command, run)
    }

    fn read(&self, mut command: Command, run: &Path) -> Vec<Answer> {
        let out = run.join(format!("{}.tsv", self.driver.trim_end_matches(".py")));
        let log = run.join(format!("{}.log", self.driver.trim_end_matches(".py")));
        command
            .stdout(std::fs::File::create(&out).expect("created"))
            .stderr(std::fs::File::create(&log).expect("created"));
        let mut child = command.spawn().expect("unshare starts");
        let start = Instant::now();
        let status = loop {
            if let Some(status) = child.try_wait().expect("waited") {
                break Some(status);
            }
            if start.elapsed() > PATIENCE {
                // With it ends everything in its namespace of processes.
                child.kill().expect("killed");
                child.wait().expect("waited");
                break None;
            }
            std::thread::sleep(Duration::from_millis(50));
        };
        let end = |path: &Path| {
            let text = String::from_utf8_lossy(&std::fs::read(path).expect("read")).into_owned();
            text.lines().rev().take(12).collect::<Vec<_>>().into_iter().rev().collect::<Vec<_>>().join("\n")
        };
        assert!(
            status.is_some_and(|status| status.success()),
            "{} {}: {}",
            self.driver,
            if status.is_none() { "did not end in time" } else { "failed" },
            end(&log)
        );
        let text = std::fs::read_to_string(&out).expect("drivers print UTF-8");
        text.lines().map(|line| self.answer(line)).collect()
    }

    fn answer(&self, line: &str) -> Answer {
        let mut parts = line.splitn(4, '\t').map(str::to_string);
        let mut next = || parts.next().unwrap_or_else(|| panic!("{}: a line of four parts, not {line:?}", self.driver));
        let (case, column, verdict, reason) = (next(), next(), next(), next());
        let column = match column.as_str() {
            "-" => self.name.to_string(),
            more if more.starts_with('+') || self.name.is_empty() => format!("{}{more}", self.name),
            part => format!("{}/{part}", self.name),
        };
        Answer { case, column, verdict, reason }
    }
}

fn drivers() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracles/drivers")
}

/// Where install.sh puts what it does not put into the system.
pub(crate) fn installed() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("target/oracles")
}

fn python() -> PathBuf {
    installed().join("venv/bin/python")
}

fn htcondor_libraries() -> Option<PathBuf> {
    let library = file_starting(&installed().join("venv/lib"), "python")?;
    let libraries = library.join("site-packages/htcondor.libs");
    let version = library.join("site-packages/htcondor-25.14.1.dist-info");
    (libraries.is_dir() && version.is_dir()).then_some(libraries)
}

fn file_starting(directory: &Path, start: &str) -> Option<PathBuf> {
    let entries = std::fs::read_dir(directory).ok()?;
    entries.flatten().find(|entry| entry.file_name().to_string_lossy().starts_with(start)).map(|entry| entry.path())
}

fn is_root() -> bool {
    said("id", &["-u"]).is_some_and(|id| id.trim() == "0")
}

pub(crate) fn on_path(command: &str) -> bool {
    std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|directory| directory.join(command).is_file()))
}

fn debian_version(package: &str) -> Option<String> {
    said("dpkg-query", &["-W", "-f", "${db:Status-Status} ${Version}", package])?
        .strip_prefix("installed ")
        .map(str::to_string)
}

fn said(command: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(command).args(arguments).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}
