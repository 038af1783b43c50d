//! Manual pages: one for each subcommand, whole, and the same every time.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

fn pages(folder: &Path) -> BTreeMap<String, String> {
    let output = Command::new(env!("CARGO_BIN_EXE_tokenvet")).args(["man", "--into"]).arg(folder).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_string();
    entries.map(|path| (name(&path), fs::read_to_string(&path).unwrap())).collect()
}

#[test]
fn every_subcommand_has_a_page_with_all_sections() {
    let folder = tempfile::TempDir::new().unwrap();
    let pages = pages(&folder.path().join("man1"));
    let help = Command::new(env!("CARGO_BIN_EXE_tokenvet")).arg("--help").output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let commands = help.split_once("Commands:").unwrap().1.split_once("Options:").unwrap().0;
    let named = |line: &str| line.starts_with("  ") && line.as_bytes().get(2).is_some_and(u8::is_ascii_lowercase);
    let names = commands.lines().filter(|line| named(line)).map(|line| line.split_whitespace().next().unwrap());
    let names: Vec<&str> = names.filter(|name| *name != "help").collect();
    assert!(names.contains(&"check") && names.contains(&"man"), "{names:?}");
    for name in names {
        assert!(pages.contains_key(&format!("tokenvet-{name}.1")), "{name} has no page");
    }
    for (name, page) in &pages {
        for section in ["NAME", "SYNOPSIS", "OPTIONS", "EXIT STATUS", "ENVIRONMENT"] {
            let there = page.contains(&format!(".SH {section}\n")) || page.contains(&format!(".SH \"{section}\"\n"));
            assert!(there, "{name} lacks {section}");
        }
    }
    assert!(pages["tokenvet-check.1"].contains("EXAMPLES") && pages["tokenvet-check.1"].contains("tokenvet check"));
    assert!(pages.contains_key("tokenvet-profile-diff.1"));
    let synopsis = pages["tokenvet-audit.1"].split_once("SYNOPSIS").unwrap().1.lines().nth(1).unwrap();
    assert_eq!(synopsis.replace('\\', ""), "fBtokenvet auditfR [OPTIONS] --state <DIR> <POLICY>");
}

#[test]
fn pages_are_the_same_every_time_and_on_standard_output() {
    let (one, other) = (tempfile::TempDir::new().unwrap(), tempfile::TempDir::new().unwrap());
    let first = pages(one.path());
    assert_eq!(first, pages(other.path()));
    let print = |args: &[&str]| Command::new(env!("CARGO_BIN_EXE_tokenvet")).args(args).output().unwrap();
    assert_eq!(String::from_utf8(print(&["man", "check"]).stdout).unwrap(), first["tokenvet-check.1"]);
    assert_eq!(String::from_utf8(print(&["man"]).stdout).unwrap(), first["tokenvet.1"]);
    assert_eq!(print(&["man", "no-such-command"]).status.code(), Some(2));
}
