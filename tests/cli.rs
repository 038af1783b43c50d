//! The command line as people see it: every case under `testdata/cli/`, and the commands of the README and the guides.
//! `TRYCMD=overwrite cargo test --test cli` rewrites the expected output.

use std::path::Path;

#[test]
fn commands_print_what_the_cases_show() {
    let cases = trycmd::TestCases::new();
    cases.register_bin("tokenvet", Path::new(env!("CARGO_BIN_EXE_tokenvet")));
    // The size of the terminal and the user's taste must not matter.
    cases.env("COLUMNS", "100").env("NO_COLOR", "1");
    cases.case("testdata/cli/*.md").case("README.md").case("docs/scopes-and-power.md").case("docs/incident.md");
}

#[test]
fn the_guide_shows_the_rule_that_the_cases_test() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |path: &str| std::fs::read_to_string(root.join(path)).expect("kept in the repository");
    let rule = read("testdata/cli/rules.in/client-off-portal.yaml");
    assert!(read("docs/writing-rules.md").contains(&format!("```yaml\n{rule}```\n")));
}
