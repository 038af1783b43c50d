//! The command line as people see it: every case under `testdata/cli/`, and the commands of the README and the guides.
//! `TRYCMD=overwrite cargo test --test cli` rewrites the expected output.

use std::path::Path;

#[test]
fn commands_print_what_the_cases_show() {
    let cases = trycmd::TestCases::new();
    cases.register_bin("tokenvet", Path::new(env!("CARGO_BIN_EXE_tokenvet")));
    // The size of the terminal and the user's taste must not matter.
    cases.env("COLUMNS", "100").env("NO_COLOR", "1");
    cases.case("testdata/cli/*.md").case("README.md").case("docs/scopes-and-power.md").case("docs/whatif.md");
}

/// trycmd takes backslashes for those of paths, and the page shows a pattern that has some.
#[test]
fn the_guide_shows_the_page_of_an_incident() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let guide = std::fs::read_to_string(root.join("docs/incident.md")).expect("kept in the repository");
    let (before, session) = guide.split_once("```console\n$ tokenvet ").expect("a session");
    let (session, behind) = session.split_once("```\n").expect("its end");
    let (arguments, shown) = session.split_once('\n').expect("a command");
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_tokenvet"));
    command.current_dir(root).env("COLUMNS", "100").env("NO_COLOR", "1").args(arguments.split(' '));
    let printed = String::from_utf8(command.output().expect("it runs").stdout).expect("text");
    if std::env::var("TRYCMD").is_ok_and(|what| what == "overwrite") {
        let guide = format!("{before}```console\n$ tokenvet {arguments}\n{printed}\n```\n{behind}");
        return std::fs::write(root.join("docs/incident.md"), guide).expect("written");
    }
    assert_eq!(shown.trim_end(), printed.trim_end(), "TRYCMD=overwrite rewrites it");
}

#[test]
fn the_guide_shows_the_rules_that_the_cases_test() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |path: &str| std::fs::read_to_string(root.join(path)).expect("kept in the repository");
    for rule in ["client-off-portal", "client-over-half-of-maximum", "client-scope-not-offered"] {
        let text = read(&format!("testdata/cli/rules.in/{rule}.yaml"));
        assert!(read("docs/writing-rules.md").contains(&format!("```yaml\n{text}```\n")), "{rule}");
    }
}
