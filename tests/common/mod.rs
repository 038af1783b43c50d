//! What the black-box tests share: running the built command in an empty environment, every report of one run, and
//! canaries, which are made-up secrets that must not turn up in any output.

// Each test file uses its own part of this.
#![allow(dead_code)]
// Notes about what this machine cannot do are for whoever runs the tests.
#![allow(clippy::print_stderr)]

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::ffi::OsStr;
use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The formats of `--format`.
pub(crate) const FORMATS: [&str; 9] =
    ["human", "json", "jsonl", "sarif", "github", "gitlab", "junit", "markdown", "html"];

/// The clock of every run that does not test the clock.
pub(crate) const NOW: &str = "2026-11-22T12:00:00Z";

/// No run of these tests may take longer; a hang ends here.
const PATIENCE: Duration = Duration::from_secs(120);

/// The built command.
pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_tokenvet");

/// How a run ended.
#[derive(Debug)]
pub(crate) struct Ran {
    /// Exit code; `None` when a signal ended it.
    pub(crate) code: Option<i32>,
    /// The signal that ended it.
    pub(crate) signal: Option<i32>,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: Vec<u8>,
    pub(crate) took: Duration,
}

impl Ran {
    pub(crate) fn out(&self) -> String {
        String::from_utf8(self.stdout.clone()).expect("standard output is UTF-8")
    }

    pub(crate) fn err(&self) -> String {
        String::from_utf8(self.stderr.clone()).expect("standard error is UTF-8")
    }

    /// Standard output and standard error.
    pub(crate) fn all(&self) -> String {
        self.out() + &self.err()
    }

    /// The report of `--format json`.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.stdout).unwrap_or_else(|error| panic!("no JSON ({error}): {}", self.all()))
    }

    /// It ended by itself with this code and did not panic.
    pub(crate) fn exits(&self, code: i32, why: &str) -> &Self {
        assert_eq!(self.code, Some(code), "{why}: signal {:?}\n{}", self.signal, ends_of(&self.stdout, &self.stderr));
        assert!(!self.err().contains("internal error"), "{why}: {}", self.err());
        self
    }
}

fn ends_of(stdout: &[u8], stderr: &[u8]) -> String {
    let end = |bytes: &[u8]| String::from_utf8_lossy(&bytes[bytes.len().saturating_sub(2000)..]).into_owned();
    format!("stdout: …{}\nstderr: …{}", end(stdout), end(stderr))
}

/// A program with an environment that holds nothing but a search path.
pub(crate) fn program(name: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(name);
    command.env_clear().env("PATH", "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin").env("TOKENVET", BINARY);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// The command under test.
pub(crate) fn tokenvet() -> Command {
    program(BINARY)
}

/// Runs it to its end.
pub(crate) fn run(command: &mut Command) -> Ran {
    finish(command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}")), b"")
}

/// Runs it with this on standard input.
pub(crate) fn run_with_input(command: &mut Command, input: &[u8]) -> Ran {
    finish(command.stdin(Stdio::piped()).spawn().expect("spawns"), input)
}

/// `tokenvet check` in this folder.
pub(crate) fn check<S: AsRef<OsStr>>(folder: &Path, arguments: &[S]) -> Ran {
    run(tokenvet().current_dir(folder).args(["check", "--now", NOW]).args(arguments))
}

/// `tokenvet check --format json` in this folder.
pub(crate) fn check_json<S: AsRef<OsStr>>(folder: &Path, arguments: &[S]) -> Value {
    run(tokenvet().current_dir(folder).args(["check", "--now", NOW, "--format", "json"]).args(arguments)).json()
}

/// A shell script in this folder; `$TOKENVET` is the command under test.
pub(crate) fn shell(folder: &Path, script: &str) -> Ran {
    run(program("bash").current_dir(folder).args(["-c", script]))
}

fn finish(mut child: Child, input: &[u8]) -> Ran {
    let start = Instant::now();
    let collect = |stream: Option<Box<dyn Read + Send>>| {
        std::thread::spawn(move || {
            let mut bytes = Vec::new();
            if let Some(mut stream) = stream {
                let _ = stream.read_to_end(&mut bytes);
            }
            bytes
        })
    };
    let stdout = collect(child.stdout.take().map(|stream| Box::new(stream) as Box<dyn Read + Send>));
    let stderr = collect(child.stderr.take().map(|stream| Box::new(stream) as Box<dyn Read + Send>));
    if let Some(mut stdin) = child.stdin.take() {
        let input = input.to_vec();
        std::thread::spawn(move || stdin.write_all(&input));
    }
    let status = loop {
        if let Some(status) = child.try_wait().expect("waits") {
            break status;
        }
        if start.elapsed() > PATIENCE {
            let _ = child.kill();
            let _ = child.wait();
            panic!("still running after {PATIENCE:?}");
        }
        std::thread::sleep(Duration::from_millis(3));
    };
    let took = start.elapsed();
    let (stdout, stderr) = (stdout.join().expect("reads"), stderr.join().expect("reads"));
    Ran { code: status.code(), signal: status.signal(), stdout, stderr, took }
}

/// Every report of one run over the same input: `--format human` goes to standard output, the rest to files.
pub(crate) struct Reports {
    pub(crate) ran: Ran,
    texts: HashMap<String, String>,
}

impl Reports {
    /// Runs `check` with these arguments and every format.
    pub(crate) fn of<S: AsRef<OsStr>>(folder: &Path, arguments: &[S]) -> Self {
        let out = tempfile::tempdir().expect("a folder");
        let mut command = tokenvet();
        command.current_dir(folder).args(["check", "--now", NOW]).args(arguments);
        for format in &FORMATS[1..] {
            command.arg("--output").arg(format!("{format}={}", out.path().join(format).display()));
        }
        let ran = run(&mut command);
        let mut texts = HashMap::from([("human".to_string(), ran.out())]);
        for format in &FORMATS[1..] {
            let text = std::fs::read_to_string(out.path().join(format));
            let text = text.unwrap_or_else(|error| panic!("{format}: {error}: {}", ran.err()));
            texts.insert((*format).to_string(), text);
        }
        assert_eq!(
            std::fs::read_dir(out.path()).expect("lists").count(),
            FORMATS.len() - 1,
            "no temporary file is left behind"
        );
        Reports { ran, texts }
    }

    /// The report in one format.
    pub(crate) fn get(&self, format: &str) -> &str {
        &self.texts[format]
    }

    /// The `json` report.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(self.get("json")).expect("the report is JSON")
    }

    /// Every text a user or a machine may see, with its name.
    pub(crate) fn outputs(&self) -> impl Iterator<Item = (&str, &[u8])> {
        let reports = self.texts.iter().map(|(name, text)| (name.as_str(), text.as_bytes()));
        reports.chain([("stderr", self.ran.stderr.as_slice())])
    }
}

/// A list inside a report.
pub(crate) fn list<'v>(report: &'v Value, name: &str) -> &'v [Value] {
    report[name].as_array().map_or(&[], Vec::as_slice)
}

/// Ids of the rules that fired, sorted, once each.
pub(crate) fn rules_of(report: &Value) -> Vec<&str> {
    let mut rules: Vec<&str> = list(report, "findings").iter().filter_map(|finding| finding["rule"].as_str()).collect();
    rules.sort_unstable();
    rules.dedup();
    rules
}

/// Messages of the errors about a file.
pub(crate) fn errors_of<'v>(report: &'v Value, path: &str) -> Vec<&'v str> {
    let of_file = list(report, "errors").iter().filter(|error| error["path"] == path);
    of_file.filter_map(|error| error["message"].as_str()).collect()
}

/// A temporary folder with these files; `/` in a name makes folders.
pub(crate) fn folder<N: AsRef<Path>, C: AsRef<[u8]>>(files: &[(N, C)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, content) in files {
        write(&folder.path().join(name), content.as_ref());
    }
    folder
}

/// Writes a file and its folders.
pub(crate) fn write(path: &Path, content: &[u8]) {
    std::fs::create_dir_all(path.parent().expect("a parent")).expect("makes folders");
    std::fs::write(path, content).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}

/// A client with exactly one error: its redirect URI is not https.
pub(crate) const BAD_CLIENT: &str = r#"{"client_id":"transfers","client_name":"transfers",
"grant_types":["authorization_code"],"response_types":["code"],"scope":"openid",
"token_endpoint_auth_method":"client_secret_basic","redirect_uris":["http://portal.example.org/cb"]}"#;

/// The rule that [`BAD_CLIENT`] breaks.
pub(crate) const BAD_CLIENT_RULE: &str = "client-redirect-not-https";

pub(crate) fn base64url(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A compact JWS with these texts as header and payload.
pub(crate) fn jwt(header: &str, payload: &str, signature: &str) -> String {
    format!("{}.{}.{signature}", base64url(header), base64url(payload))
}

/// An unremarkable access token with these claims.
pub(crate) fn access_token(claims: &Value) -> String {
    jwt(r#"{"alg":"RS256","kid":"k1","typ":"at+jwt"}"#, &claims.to_string(), &base64url([7; 64]))
}

/// Prints why part of a test was left out.
pub(crate) fn note(text: &str) {
    eprintln!("note: skipped: {text}");
}

/// True when this program can be started.
pub(crate) fn has(name: &str) -> bool {
    let found = program("bash").args(["-c", &format!("command -v {name}")]).status();
    let found = found.is_ok_and(|status| status.success());
    if !found {
        note(&format!("no {name} on this machine"));
    }
    found
}

/// The command as a user whom file permissions and process limits bind (root is exempt from both); `None` where that
/// cannot be had.
pub(crate) fn unprivileged(folder: &Path) -> Option<Command> {
    use std::os::unix::fs::PermissionsExt;
    if !rustix_is_root() {
        return Some(program("env"));
    }
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755)).expect("opens the folder");
    let command = || {
        let mut command = program("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "--"]);
        command
    };
    let works = command().args([BINARY, "--version"]).output().is_ok_and(|output| output.status.success());
    if !works {
        note("cannot run the command as another user");
    }
    works.then(command)
}

fn rustix_is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// The public vectors beside the project, when they are there.
pub(crate) fn shared(name: &str) -> Option<PathBuf> {
    let shared = std::env::var_os("TOKENVET_SHARED")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared"), PathBuf::from);
    let path = shared.join(name);
    if !path.exists() {
        note(&format!("nothing at {}", path.display()));
        return None;
    }
    Some(path)
}

/// Length of the pieces of a secret that count as a leak, in bytes.
const WINDOW: usize = 12;

/// Made-up secrets, and every piece of every form of them.
#[derive(Default)]
pub(crate) struct Canaries {
    pieces: HashMap<[u8; WINDOW], String>,
}

impl Canaries {
    /// A new secret of 40 letters and digits (30 bytes as base64url), the same at each run. `label` says where it is put.
    pub(crate) fn mint(&mut self, label: &str) -> String {
        let mut secret: String = Sha256::digest(label).iter().map(|byte| format!("{byte:02X}")).collect();
        // Mixed case, as base64 has it.
        let digest = Sha256::digest(secret.as_bytes());
        secret = STANDARD.encode(digest).replace(['+', '/', '='], "x");
        secret.truncate(40);
        self.watch(label, &secret);
        secret
    }

    /// Counts this text as a secret.
    pub(crate) fn watch(&mut self, label: &str, secret: &str) {
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let mut forms = vec![("itself", secret.to_string()), ("reversed", secret.chars().rev().collect())];
        forms.push(("hex", hex(secret.as_bytes())));
        forms.push(("HEX", hex(secret.as_bytes()).to_uppercase()));
        forms.push(("percent", secret.bytes().map(|byte| format!("%{byte:02X}")).collect()));
        forms.push(("percent", secret.bytes().map(|byte| format!("%{byte:02x}")).collect()));
        forms.push(("escaped", secret.bytes().map(|byte| format!("\\u{byte:04x}")).collect()));
        if let Ok(bytes) = URL_SAFE_NO_PAD.decode(secret) {
            forms.push(("hex of its bytes", hex(&bytes)));
        }
        // A secret inside a longer text encodes in three ways; the edges depend on what stands around it.
        for skip in 0..3 {
            let inner = &secret.as_bytes()[skip..skip + (secret.len() - skip) / 3 * 3];
            forms.push(("base64", STANDARD_NO_PAD.encode(inner)));
            forms.push(("base64url", URL_SAFE_NO_PAD.encode(inner)));
        }
        for (form, text) in forms {
            for piece in text.as_bytes().windows(WINDOW) {
                let piece: [u8; WINDOW] = piece.try_into().expect("a window");
                self.pieces.entry(piece).or_insert_with(|| format!("{label} ({form})"));
            }
        }
    }

    /// Where a secret came from that shows in this output.
    pub(crate) fn leaked(&self, output: &[u8]) -> Vec<String> {
        let mut found: Vec<String> = Vec::new();
        for (at, piece) in output.windows(WINDOW).enumerate() {
            let piece: [u8; WINDOW] = piece.try_into().expect("a window");
            if let Some(label) = self.pieces.get(&piece)
                && !found.iter().any(|known| known.starts_with(label))
            {
                let around = &output[at.saturating_sub(120)..(at + 60).min(output.len())];
                found.push(format!("{label}: …{}…", String::from_utf8_lossy(around)));
            }
        }
        found
    }

    /// No output holds any of the secrets.
    pub(crate) fn assert_hidden<'o>(&self, outputs: impl Iterator<Item = (&'o str, &'o [u8])>) {
        let leaks: Vec<String> = outputs
            .flat_map(|(name, output)| self.leaked(output).into_iter().map(move |leak| format!("{name}: {leak}")))
            .collect();
        assert!(leaks.is_empty(), "{} leaks:\n{}", leaks.len(), leaks.join("\n"));
    }
}
