//! `docs/` and `schemas/` say what the rules and types say: `UPDATE=1 cargo test` rewrites them, otherwise they are
//! compared.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{env, fs};
use tokenvet::docs::{self, markdown};
use tokenvet::model::power::{Power, ServiceLevel};
use tokenvet::rule::RuleBook;
use tokenvet::schema;

const GENERATED: &str = "<!-- Generated from the rules and types by `UPDATE=1 cargo test`; edit those. -->\n\n";

/// The page on power is written by hand, its tables are not.
const POWER_PAGE: &str = "docs/scopes-and-power.md";

/// The page with the tables between its two marks anew.
fn with_power(page: &str) -> String {
    let (before, rest) =
        page.split_once(" -->\n").filter(|(before, _)| before.ends_with("--test freshness")).expect("a mark");
    let (_, after) = rest.split_once("<!-- /power -->").expect("a second mark");
    let wlcg: [&[ServiceLevel]; 3] =
        [&[ServiceLevel::Wlcg10], &[ServiceLevel::Wlcg11], &[ServiceLevel::Wlcg12, ServiceLevel::Wlcg13]];
    let storage = ["read", "create", "modify", "stage", "poll"].map(|operation| format!("storage.{operation}:/p"));
    let compute = ["read", "create", "modify", "cancel"].map(|operation| format!("compute.{operation}"));
    let wlcg =
        power_table("| WLCG scope | at 1.0 | at 1.1 | at 1.2 and 1.3 |", &[&storage[..], &compute[..]].concat(), &wlcg);
    let scitokens = ["read:/p", "write:/p", "queue", "execute", "condor:/READ", "condor:/WRITE"].map(String::from);
    let scitokens = power_table("| SciTokens scope | at 2.0 |", &scitokens, &[&[ServiceLevel::SciTokens]]);
    format!("{before} -->\n{wlcg}\n{scitokens}<!-- /power -->{after}")
}

/// A row per scope, a column per set of levels, which agree.
fn power_table(head: &str, scopes: &[String], columns: &[&[ServiceLevel]]) -> String {
    let mut table = format!("{head}\n{}|\n", "| --- ".repeat(columns.len() + 1));
    for scope in scopes {
        table.push_str(&format!("| `{scope}` |"));
        for levels in columns {
            let powers: Vec<Power> = levels.iter().map(|level| Power::of([scope.as_str()], *level)).collect();
            assert!(powers.windows(2).all(|pair| pair[0].is_same(&pair[1])), "{scope}: the levels differ");
            let verbs: Vec<&str> = powers[0].allowed().map(|grant| grant.operation.verb()).collect();
            let open: Vec<&str> = powers[0].left_to_service().map(|grant| grant.operation.verb()).collect();
            let open = if open.is_empty() { String::new() } else { format!("*{}*", open.join(", ")) };
            let cell =
                [verbs.join(", "), open].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("; ");
            table.push_str(&format!(" {} |", if cell.is_empty() { "nothing" } else { &cell }));
        }
        table.push('\n');
    }
    table
}

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
    let model = tokenvet::compat::Model::builtin().expect("the compatibility model loads");
    page("docs/compat.md".into(), markdown(&tokenvet::compat::page(&model), 1, "rules/"));
    let profiles = (0..book.profiles.len()).map(|index| markdown(&docs::profile_page(&book, index), 2, "rules/"));
    let lead = "# Profiles\n\nA profile says how bad it is to break a rule, and where the limits are. Without `--profile` \
                each target is judged by the families it shows, at their newest version, beside the generic profiles.\n\n";
    page("docs/profiles.md".into(), lead.to_string() + &profiles.collect::<Vec<_>>().join("\n"));
    let written = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(POWER_PAGE)).expect("kept here");
    files.insert(POWER_PAGE.into(), with_power(&written.replace("\r\n", "\n")));
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
