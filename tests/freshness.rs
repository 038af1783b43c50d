//! `docs/` and `schemas/` say what the rules and types say: `UPDATE=1 cargo test` rewrites them, otherwise they are
//! compared.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{env, fs};
use tokenvet::docs::{self, markdown};
use tokenvet::rule::RuleBook;
use tokenvet::schema;

const GENERATED: &str = "<!-- Generated from the rules and types by `UPDATE=1 cargo test`; edit those. -->\n\n";

/// Every generated file by its path in the project.
fn generated() -> BTreeMap<String, String> {
    let book = RuleBook::builtin().expect("the built-in rules load");
    let mut files = BTreeMap::new();
    let mut page = |path: String, text: String| files.insert(path, format!("{GENERATED}{text}"));
    for rule in &book.rules {
        let source = format!("\n---\n\nThe rule itself: [{0}](../../{0})\n", rule.path());
        page(format!("docs/rules/{}.md", rule.id), markdown(&docs::rule_page(&book, rule), 1, "") + &source);
    }
    page("docs/rules/README.md".into(), markdown(&docs::rule_index(&book), 1, ""));
    page("docs/fields.md".into(), markdown(&docs::field_page(), 1, "rules/"));
    page("docs/kinds.md".into(), markdown(&docs::kind_page(), 1, "rules/"));
    let profiles = (0..book.profiles.len()).map(|index| markdown(&docs::profile_page(&book, index), 2, "rules/"));
    let lead = "# Profiles\n\nA profile says how bad it is to break a rule, and where the limits are. Without `--profile` \
                each target is judged by the families it shows, at their newest version, beside the generic profiles.\n\n";
    page("docs/profiles.md".into(), lead.to_string() + &profiles.collect::<Vec<_>>().join("\n"));
    for kind in schema::Kind::ALL {
        files.insert(format!("schemas/{}", kind.file_name()), schema::text(kind));
    }
    files
}

/// Committed files of a folder that are generated, so that pages of rules that are gone are noticed.
fn present(root: &Path, folder: &str, suffix: &str) -> Vec<String> {
    let entries = fs::read_dir(root.join(folder)).into_iter().flatten().flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    names.filter(|name| name.ends_with(suffix)).map(|name| format!("{folder}/{name}")).collect()
}

#[test]
fn docs_and_schemas_are_fresh() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let files = generated();
    let committed = present(&root, "docs/rules", ".md").into_iter().chain(present(&root, "schemas", ".schema.json"));
    let left_over: Vec<String> = committed.filter(|path| !files.contains_key(path)).collect();
    if env::var_os("UPDATE").is_some() {
        left_over.iter().for_each(|path| fs::remove_file(root.join(path)).expect("docs/ and schemas/ are writable"));
        fs::create_dir_all(root.join("docs/rules")).expect("docs/ is writable");
        for (path, text) in &files {
            fs::write(root.join(path), text).expect("docs/ and schemas/ are writable");
        }
        return;
    }
    let current = |path: &str| fs::read_to_string(root.join(path)).unwrap_or_default().replace("\r\n", "\n");
    let stale: Vec<&String> =
        files.iter().filter(|(path, text)| current(path) != **text).map(|(path, _)| path).chain(&left_over).collect();
    assert!(stale.is_empty(), "stale; UPDATE=1 cargo test rewrites them: {stale:#?}");
}
