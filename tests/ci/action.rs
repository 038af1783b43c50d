//! The action's script without containers: its inputs as GitHub would hand them over, in folders with blanks.

use super::repository::{OF_CI, Repository};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;

/// Inputs that a careless script would run, split, expand or print as a command.
const HOSTILE: [&str; 24] = [
    "; touch pwned;",
    "$(touch pwned)",
    "`touch pwned`",
    "\"; touch pwned; \"",
    "'; touch pwned; '",
    "a\" && touch pwned && \"",
    "| touch pwned",
    "> pwned",
    "& touch pwned &",
    "-h",
    "--config=other",
    "--",
    "a  b",
    " ",
    "\t",
    "*",
    "{a,b}",
    "~",
    "$HOME ${IFS} $0",
    "\\",
    "::error file=x::forged",
    "%0A::error::forged %25",
    "a[$(touch pwned)]",
    "\u{1b}[31m\u{202e}ü",
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A runner: folders with blanks in their names, and a program in tokenvet's place that notes its arguments.
struct Runner {
    folder: TempDir,
    env: BTreeMap<String, String>,
}

impl Runner {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        for name in ["work space", "runner temp", "bin dir"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        let runner = Runner { folder, env: BTreeMap::new() };
        runner.program("recorder", "printf '%s\\0' \"$@\" >\"$RECORD\"\nexit \"${RECORD_EXIT:-0}\"\n");
        let env = [
            ("GITHUB_ACTION_PATH", root().to_path_buf()),
            ("RUNNER_TEMP", runner.path("runner temp")),
            ("GITHUB_OUTPUT", runner.path("out put")),
            ("GITHUB_STEP_SUMMARY", runner.path("sum mary")),
            ("RECORD", runner.path("record ed")),
            ("TOKENVET_BINARY", runner.path("bin dir/recorder")),
        ];
        let mut runner = runner;
        env.into_iter().for_each(|(name, value)| runner.set(name, value.to_str().unwrap()));
        // What action.yml says when the user says nothing.
        for (name, value) in [
            ("TOKENVET_PATHS", "."),
            ("TOKENVET_ONLY_CHANGED", "false"),
            ("TOKENVET_POLICY_FROM_BASE", "true"),
            ("TOKENVET_SUMMARY", "true"),
        ] {
            runner.set(name, value);
        }
        runner
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn program(&self, name: &str, body: &str) {
        let path = self.path("bin dir").join(name);
        fs::write(&path, format!("#!/usr/bin/env bash\n{body}")).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn set(&mut self, name: &str, value: &str) {
        self.env.insert(name.into(), value.into());
    }

    /// Runs the script in this folder.
    fn run_in(&self, folder: &Path) -> Output {
        let mut command = Command::new("bash");
        command.arg(root().join("contrib/ci/github.sh")).current_dir(folder);
        OF_CI.iter().for_each(|name| {
            command.env_remove(name);
        });
        command.envs(&self.env).output().expect("these tests need bash")
    }

    fn run(&self) -> Output {
        self.run_in(&self.path("work space"))
    }

    /// The arguments that the program was given; `None` when it was not started.
    fn arguments(&self) -> Option<Vec<String>> {
        let noted = fs::read_to_string(self.path("record ed")).ok()?;
        fs::remove_file(self.path("record ed")).unwrap();
        Some(noted.split_terminator('\0').map(str::to_string).collect())
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    fn assert_untouched(&self, remark: &str) {
        let left: Vec<_> = fs::read_dir(self.path("work space")).unwrap().collect();
        assert!(left.is_empty(), "{remark}: {left:?}");
    }
}

fn silent(output: &Output) -> bool {
    let text = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    !text.contains("forged") && !text.contains("::") && !text.contains('\u{1b}')
}

#[test]
fn every_input_arrives_as_it_is_and_is_never_run_or_printed() {
    let mut runner = Runner::new();
    for text in HOSTILE {
        for name in
            ["TOKENVET_PATHS", "TOKENVET_PROFILES", "TOKENVET_CONFIG", "TOKENVET_FAIL_ON", "TOKENVET_SARIF_FILE"]
        {
            runner.set(name, text);
        }
        let output = runner.run();
        assert_eq!(output.status.code(), Some(0), "{text}: {}", String::from_utf8_lossy(&output.stderr));
        assert!(silent(&output), "{text}: {output:?}");
        let mut arguments = runner.arguments().expect("it was started");
        let summary = arguments.iter().position(|word| word.starts_with("--output=markdown=")).unwrap();
        arguments.remove(summary);
        let expected = [
            "check",
            "--unrecognised",
            "skip",
            "--format",
            "github",
            "--color",
            "never",
            &format!("--output=sarif={text}"),
            &format!("--config={text}"),
            &format!("--fail-on={text}"),
            &format!("--profile={text}"),
            "--",
            text,
        ];
        assert_eq!(arguments, expected);
        runner.assert_untouched(text);
        assert_eq!(runner.read("out put"), "exit-code=0\n");
        fs::remove_file(runner.path("out put")).unwrap();
    }
}

#[test]
fn lists_are_lines_and_everything_else_is_one() {
    let mut runner = Runner::new();
    runner.set("TOKENVET_PATHS", "iam/clients file.json\n\n-x\nsites/*\n");
    runner.set("TOKENVET_PROFILES", "wlcg@1.3\nrfc8725@1");
    assert_eq!(runner.run().status.code(), Some(0));
    let arguments = runner.arguments().unwrap();
    let end = arguments.iter().position(|word| word == "--").unwrap();
    assert_eq!(arguments[end..], ["--", "iam/clients file.json", "-x", "sites/*"]);
    assert_eq!(arguments[end - 2..end], ["--profile=wlcg@1.3", "--profile=rfc8725@1"]);
    for name in ["TOKENVET_CONFIG", "TOKENVET_FAIL_ON", "TOKENVET_SARIF_FILE", "TOKENVET_BINARY"] {
        for text in ["a\nexit-code=0", "a\r::error::forged", "\n"] {
            let mut runner = Runner::new();
            runner.set(name, text);
            let output = runner.run();
            assert_eq!((output.status.code(), runner.arguments()), (Some(2), None), "{name}");
            assert!(silent(&output) && runner.read("out put").is_empty(), "{name}: {output:?}");
        }
    }
    let mut runner = Runner::new();
    runner.set("TOKENVET_PATHS", "\n\n");
    assert_eq!((runner.run().status.code(), runner.arguments()), (Some(2), None), "nothing to check is no check");
}

#[test]
fn switches_are_true_or_false() {
    for name in ["TOKENVET_ONLY_CHANGED", "TOKENVET_POLICY_FROM_BASE", "TOKENVET_SUMMARY"] {
        for text in HOSTILE.iter().chain(&["True", "1", "true\nfalse"]) {
            let mut runner = Runner::new();
            runner.set(name, text);
            let output = runner.run();
            assert_eq!((output.status.code(), runner.arguments()), (Some(2), None), "{name} {text}");
            assert!(silent(&output), "{name} {text}: {output:?}");
            runner.assert_untouched(text);
        }
    }
    let mut runner = Runner::new();
    runner.set("TOKENVET_ONLY_CHANGED", "true");
    runner.set("TOKENVET_SUMMARY", "false");
    runner.run();
    let arguments = runner.arguments().unwrap();
    assert!(arguments.contains(&"--only-changed".to_string()));
    assert!(!arguments.iter().any(|word| word.starts_with("--output=markdown")));
}

#[test]
fn the_exit_code_is_tokenvets() {
    for code in ["0", "1", "2", "3"] {
        let mut runner = Runner::new();
        runner.set("RECORD_EXIT", code);
        assert_eq!(runner.run().status.code().map(|code| code.to_string()).as_deref(), Some(code));
        assert_eq!(runner.read("out put"), format!("exit-code={code}\n"));
    }
}

#[test]
fn pull_requests_take_the_policy_of_their_base() {
    let repository = Repository::demo();
    let mut runner = Runner::new();
    let from = |runner: &Runner| {
        let code = runner.run_in(repository.folder()).status.code();
        let arguments = runner.arguments();
        (code, arguments.map(|words| words.into_iter().find(|word| word.starts_with("--policy-from"))))
    };
    assert_eq!(from(&runner), (Some(0), Some(None)), "no pull request");
    for branch in ["main", "; touch pwned", "$(touch pwned)", "-x", "main^{tree}", "main\nmain"] {
        runner.set("GITHUB_BASE_REF", branch);
        assert_eq!(
            from(&runner),
            (Some(2), None),
            "{branch}: the branch is not there, and nothing else is taken for it"
        );
    }
    repository.git(&["update-ref", "refs/remotes/origin/main", "main"]);
    runner.set("GITHUB_BASE_REF", "main");
    assert_eq!(from(&runner), (Some(0), Some(Some("--policy-from=refs/remotes/origin/main".into()))));
    runner.set("TOKENVET_POLICY_FROM_BASE", "false");
    assert_eq!(from(&runner), (Some(0), Some(None)));
    assert!(!repository.path("pwned").exists());
}

#[test]
fn it_is_built_from_the_actions_own_folder_with_what_its_lock_file_says() {
    let mut runner = Runner::new();
    // Cargo obeys this file where it is started; it may be a stranger's.
    fs::create_dir(runner.path("work space/.cargo")).unwrap();
    fs::write(runner.path("work space/.cargo/config.toml"), "[build]\nrustc-wrapper = \"evil\"\n").unwrap();
    runner.program(
        "cargo",
        "printf '%s\\0' \"$PWD\" \"$@\" >\"$BUILT\"\nwhile [ \"$1\" != --target-dir ]; do shift; done\n\
         mkdir -p \"$2/release\"\ncp \"$(dirname \"$0\")/recorder\" \"$2/release/tokenvet\"\n",
    );
    let path = format!("{}:{}", runner.path("bin dir").display(), std::env::var("PATH").unwrap());
    runner.set("PATH", &path);
    runner.set("TOKENVET_BINARY", "");
    runner.set("BUILT", runner.path("built").to_str().unwrap());
    let output = runner.run();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let built = runner.read("built");
    let words: Vec<&str> = built.split_terminator('\0').collect();
    assert_eq!(Path::new(words[0]).canonicalize().unwrap(), root().canonicalize().unwrap());
    assert!(words.contains(&"--locked") && words.contains(&"build"), "{words:?}");
    assert_eq!(runner.arguments().unwrap()[0], "check");
}

#[test]
fn a_pull_request_gets_annotations_a_summary_and_sarif() {
    let repository = Repository::demo();
    repository.git(&["update-ref", "refs/remotes/origin/main", "main"]);
    let mut runner = Runner::new();
    runner.set("TOKENVET_BINARY", env!("CARGO_BIN_EXE_tokenvet"));
    runner.set("TOKENVET_ONLY_CHANGED", "true");
    runner.set("TOKENVET_SARIF_FILE", runner.path("work space/the report.sarif").to_str().unwrap());
    runner.set("GITHUB_BASE_REF", "main");
    let output = runner.run_in(repository.folder());
    let log = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{log}{}", String::from_utf8_lossy(&output.stderr));
    let annotated: Vec<(&str, &str)> = log
        .lines()
        .filter_map(|line| line.strip_prefix("::")?.split_once("file=")?.1.split_once(",line="))
        .map(|(file, rest)| (file, rest.split(',').next().unwrap()))
        .collect();
    let [first, second, third, fourth] = annotated.as_slice() else { panic!("{log}") };
    assert_eq!((*first, *second), (("iam/clients.json", "26"), ("iam/clients.json", "32")));
    // The rule compares two places; the second is new.
    assert_eq!((*third, *fourth), (("se1/etc/xrootd/scitokens.cfg", "8"), ("se1/etc/xrootd/scitokens.cfg", "14")));
    assert!(log.contains("only lines changed since refs/remotes/origin/main"), "{log}");
    let summary = runner.read("sum mary");
    assert!(summary.starts_with("## tokenvet: 1 error") && !summary.contains("nightly-archive"), "{summary}");
    let sarif: serde_json::Value = serde_json::from_str(&runner.read("work space/the report.sarif")).unwrap();
    assert_eq!(sarif["runs"][0]["results"].as_array().unwrap().len(), 4);
    let path = runner.path("work space/the report.sarif");
    assert_eq!(runner.read("out put"), format!("exit-code=1\nsarif={}\n", path.display()));
}

/// The value of a YAML member on this line.
fn value<'l>(line: &'l str, member: &str) -> Option<&'l str> {
    line.trim_start().trim_start_matches("- ").strip_prefix(member)?.strip_prefix(':').map(str::trim)
}

#[test]
fn the_action_puts_no_input_into_a_command_and_takes_nothing_unpinned() {
    let action = fs::read_to_string(root().join("action.yml")).unwrap();
    let (inputs, rest) = action.split_once("\noutputs:").unwrap();
    let inputs: Vec<&str> = inputs
        .lines()
        .filter_map(|line| line.strip_prefix("  ").filter(|name| !name.starts_with(' '))?.strip_suffix(':'))
        .collect();
    assert!(inputs.len() > 5, "{inputs:?}");
    let (steps, env) = rest.split_once("      env:").unwrap();
    for input in inputs {
        let variable = format!("TOKENVET_{}: ${{{{ inputs.{input} }}}}", input.to_uppercase().replace('-', "_"));
        assert!(env.contains(&variable), "{variable}");
    }
    assert!(!steps.split_once("runs:").unwrap().1.contains("${{"), "an expression in a command is code");
    for file in ["action.yml", "docs/ci.md", "contrib/ci/gitlab-ci.yml", "contrib/ci/Jenkinsfile"] {
        let text = fs::read_to_string(root().join(file)).unwrap();
        for used in text.lines().filter_map(|line| value(line, "uses")) {
            let (name, commit) = used.split_whitespace().next().unwrap().split_once('@').unwrap();
            let pinned = commit.len() == 40 && commit.bytes().all(|digit| digit.is_ascii_hexdigit());
            assert!(pinned || (name, commit) == ("OWNER/tokenvet", "COMMIT"), "{file}: {used}");
        }
        for run in text.lines().filter_map(|line| value(line, "run")) {
            assert!(!run.contains("${{"), "{file}: {run}");
        }
    }
}

#[test]
#[expect(clippy::print_stdout, reason = "a test says what it left out")]
fn pre_commit_reads_and_runs_the_hooks() {
    let known = Command::new("pre-commit").arg("--version").output();
    if !known.is_ok_and(|output| output.status.success()) {
        println!("note: pre-commit is not installed (`pip install pre-commit`); its hooks were not tried");
        return;
    }
    let hooks = root().join(".pre-commit-hooks.yaml");
    let valid = Command::new("pre-commit").arg("validate-manifest").arg(&hooks).output().unwrap();
    assert!(valid.status.success(), "{}", String::from_utf8_lossy(&valid.stdout));
    let published = Repository::new();
    published.write(".pre-commit-hooks.yaml", fs::read(hooks).unwrap());
    published.commit("hooks");
    let repository = Repository::demo();
    repository.git(&["checkout", "-q", "main"]);
    let folder = Path::new(env!("CARGO_BIN_EXE_tokenvet")).parent().unwrap();
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap());
    let home = TempDir::new().unwrap();
    let hook = |name: &str| {
        let mut command = Command::new("pre-commit");
        command.current_dir(repository.folder()).args(["try-repo"]).arg(published.folder()).arg(name);
        command.arg("--all-files").env("PATH", &path).env("PRE_COMMIT_HOME", home.path());
        let output = command.output().unwrap();
        (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let (passed, text) = hook("tokenvet");
    assert!(!passed && text.contains("client-access-token-over-maximum"), "{text}");
    let (passed, text) = hook("tokenvet-changed");
    assert!(passed, "old faults do not stop a commit: {text}");
    let clients = repository.read("iam/clients.json").replace("172800", "172801");
    repository.write("iam/clients.json", clients);
    repository.git(&["add", "-A"]);
    let (passed, text) = hook("tokenvet-changed");
    assert!(!passed && text.contains("client-access-token-over-maximum"), "{text}");
}
