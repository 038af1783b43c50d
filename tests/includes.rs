//! Files that configurations name: never opened unless the user says so, each once, and what is wrong with one is told
//! at the place that names it.

mod common;

use common::{check, check_json, errors_of, folder, list, write};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::Path;

/// A token configuration that names a map file.
fn naming(path: &str) -> String {
    format!(
        "[Global]\naudience = https://se.example.org\n[Issuer VO]\nissuer = https://vo.example.org/\n\
         base_path = /data/vo\nname_mapfile = {path}\n"
    )
}

fn judged(report: &Value) -> BTreeSet<String> {
    let documents = list(report, "documents");
    documents.iter().map(|document| document["path"].as_str().unwrap_or_default().to_string()).collect()
}

fn paths(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(ToString::to_string).collect()
}

#[test]
fn named_files_are_opened_only_when_the_user_says_so() {
    let folder = folder(&[("se/scitokens.cfg", naming("../other/more.cfg")), ("other/more.cfg", naming("last.cfg"))]);
    write(&folder.path().join("other/last.cfg"), naming("more.cfg").as_bytes());
    let report = check_json(folder.path(), &["se"]);
    assert_eq!(judged(&report), paths(&["se/scitokens.cfg"]));
    assert_eq!(list(&report, "errors").len(), 0);
    let report = check_json(folder.path(), &["se", "--follow-includes"]);
    let all = ["se/../other/last.cfg", "se/../other/more.cfg", "se/scitokens.cfg"];
    assert_eq!(judged(&report), paths(&all), "files that included files name, in a loop, are followed once");
    assert_eq!(list(&report, "errors").len(), 0);
}

#[test]
fn a_file_of_the_run_is_not_judged_again_when_it_is_named() {
    let folder = folder(&[("a.cfg", naming("./b.cfg")), ("b.cfg", naming("sub/../a.cfg"))]);
    std::fs::create_dir(folder.path().join("sub")).expect("a folder");
    std::os::unix::fs::symlink("b.cfg", folder.path().join("c.cfg")).expect("a link");
    write(&folder.path().join("d.cfg"), naming("c.cfg").as_bytes());
    let report = check_json(folder.path(), &[".", "--follow-includes"]);
    assert_eq!(list(&report, "documents").len(), 3, "{report}");
    assert_eq!(judged(&report), paths(&["a.cfg", "b.cfg", "d.cfg"]));
}

/// The one error of a run: its text and the line it points at.
fn the_error(root: &Path, arguments: &[&str]) -> (String, u64) {
    let ran = check(root, &[arguments, &["--follow-includes", "--format", "json"]].concat());
    ran.exits(2, "a file could not be followed");
    let report = ran.json();
    let errors = list(&report, "errors");
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert_eq!(errors_of(&report, "site/scitokens.cfg").len(), 1, "{errors:?}");
    assert!(!judged(&report).is_empty(), "the file itself is judged all the same");
    (errors[0]["message"].as_str().unwrap_or_default().into(), errors[0]["region"]["start_line"].as_u64().unwrap_or(0))
}

#[test]
fn what_cannot_be_followed_is_told_at_its_line() {
    for (named, arguments, message, remark) in [
        ("/etc/xrootd/no-such-map.json", &["site"][..], "no such file", "missing, absolute"),
        ("maps/none.json", &["site"], "no such file", "missing, relative"),
        ("/etc/passwd", &["site", "--root", "machine"], "no such file", "below the root, not at the machine's own"),
        ("/../../../../../../etc/passwd", &["site", "--root", "machine"], "outside --root", "out by dots"),
        ("/etc/out", &["site", "--root", "machine"], "outside --root", "out by a link"),
        ("/etc/loop", &["site", "--root", "machine"], "loop", "a link to itself"),
        ("/etc/dangling", &["site", "--root", "machine"], "leads nowhere", "a link to nothing"),
        ("../beyond.cfg", &["site", "--root", "machine"], "outside --root", "relative, out of both trees"),
    ] {
        let folder = folder(&[("site/scitokens.cfg", naming(named)), ("beyond.cfg", naming("x"))]);
        let etc = folder.path().join("machine/etc");
        std::fs::create_dir_all(&etc).expect("a folder");
        for (target, link) in [("/etc/passwd", "out"), ("loop", "loop"), ("nowhere", "dangling")] {
            std::os::unix::fs::symlink(target, etc.join(link)).expect("a link");
        }
        let (text, line) = the_error(folder.path(), arguments);
        assert!(text.contains(message), "{remark}: {text}");
        assert_eq!(line, 6, "{remark}");
        assert!(!text.contains("passwd") && !text.contains("beyond"), "{remark}: no text of the file: {text}");
    }
}

#[test]
fn absolute_paths_are_taken_from_the_root() {
    let folder = folder(&[
        ("site/scitokens.cfg", naming("/etc/xrootd/a.cfg")),
        ("machine/etc/xrootd/a.cfg", naming("/etc/xrootd/d")),
        ("machine/etc/xrootd/d/b.cfg", naming("../a.cfg")),
        ("machine/etc/xrootd/d/.hidden.cfg", naming("x")),
        ("machine/etc/xrootd/d/below/c.cfg", naming("x")),
    ]);
    std::os::unix::fs::symlink("../a.cfg", folder.path().join("machine/etc/xrootd/d/link.cfg")).expect("a link");
    let ran = check(folder.path(), &["site", "--follow-includes", "--root", "machine", "--format", "json"]);
    let all = ["machine/etc/xrootd/a.cfg", "machine/etc/xrootd/d/b.cfg", "site/scitokens.cfg"];
    assert_eq!(judged(&ran.json()), paths(&all), "of a folder its own files, neither hidden ones nor links");
    ran.exits(0, "nothing is wrong with them");
}

#[test]
fn a_chain_of_files_ends_somewhere() {
    let folder = folder(&[("site/scitokens.cfg", naming("1.cfg"))]);
    for number in 1..100 {
        let name = format!("site/{number}.cfg");
        write(&folder.path().join(name), naming(&format!("{}.cfg", number + 1)).as_bytes());
    }
    let report = check_json(folder.path(), &["site/scitokens.cfg", "--follow-includes"]);
    assert_eq!(list(&report, "documents").len(), 17);
    let errors = errors_of(&report, "site/16.cfg");
    assert!(errors.len() == 1 && errors[0].contains("16 files"), "{errors:?}");
}

#[test]
fn the_root_needs_the_flag_and_must_be_there() {
    let folder = folder(&[("scitokens.cfg", naming("a.cfg"))]);
    for arguments in [&["scitokens.cfg", "--root", "."][..], &["scitokens.cfg", "--follow-includes", "--root", "none"]]
    {
        let ran = check(folder.path(), arguments);
        ran.exits(2, "bad usage");
        assert!(ran.err().contains("--"), "{}", ran.err());
    }
}

#[test]
fn what_the_policy_ignores_is_not_followed() {
    let folder = folder(&[
        ("tokenvet.yaml", "ignore: [maps/**]\n".to_string()),
        ("se.cfg", naming("maps/a.cfg")),
        ("maps/a.cfg", naming("b.cfg")),
    ]);
    let report = check_json(folder.path(), &[".", "--follow-includes"]);
    assert_eq!(judged(&report), paths(&["se.cfg"]), "{report}");
    assert_eq!(list(&report, "errors").len(), 0);
}
