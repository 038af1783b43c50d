//! Embeds the rule book: `rules/**/*.yaml` becomes compact JSON at build time, logic apart from prose and examples,
//! so that start-up reads only what judging needs, rule by rule.

use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::{env, fs};

/// Members that only `explain`, reports and documentation need.
const PROSE: &[&str] = &["title", "help", "fix", "rationale", "exceptions", "references", "severity_reason", "risks"];
/// Members that are needed when a target is there to be judged.
const BODY: &[&str] = &["select", "when", "each", "check", "at", "message"];
/// The same of a statement of the ledger as [`PROSE`] of a rule.
const WORDS: &[&str] = &["section", "statement", "unchecked", "checkable_from"];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=rules");
    println!("cargo:rerun-if-changed=build.rs");
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("OUT_DIR is not set")?);
    let (mut logic, mut texts) = (Vec::new(), BTreeMap::new());
    let (mut profiles, mut ledger, mut tables) = (Vec::new(), Ledger::default(), Map::new());
    let mut compat = Compat::default();
    let (mut logs, mut incident) = (Vec::new(), Vec::new());
    for path in yaml_files(Path::new("rules"))? {
        println!("cargo:rerun-if-changed={}", path.display());
        let text = fs::read_to_string(&path)?;
        let value: Value = serde_yaml::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))?;
        let name = path.to_string_lossy().replace('\\', "/");
        match name.split('/').nth(1) {
            Some("profiles") => profiles.push(value),
            Some("requirements") => ledger.take(&name, value)?,
            Some("compat") => compat.take(&path, value)?,
            Some("logs") => logs.push(value),
            Some("incident") => {
                let stem = path.file_stem().and_then(|stem| stem.to_str());
                if value.get("product").and_then(Value::as_str) != stem {
                    return Err(format!("{name}: the product must equal the file name").into());
                }
                incident.push(value);
            }
            Some("tables") => {
                let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
                tables.insert(stem, value);
            }
            _ => {
                let Value::Object(mut rule) = value else { return Err(format!("{name}: not a mapping").into()) };
                let id = rule.get("id").and_then(Value::as_str).unwrap_or_default().to_string();
                if path.file_stem().and_then(|stem| stem.to_str()) != Some(&id) {
                    return Err(format!("{name}: the id must equal the file name").into());
                }
                let (prose, body) = (taken(&mut rule, PROSE)?, taken(&mut rule, BODY)?);
                let examples = rule.remove("examples").unwrap_or(Value::Array(vec![]));
                let entry = (body, prose, serde_json::to_string(&examples)?, name.clone());
                if texts.insert(id.clone(), entry).is_some() {
                    return Err(format!("{name}: another rule has the id {id}").into());
                }
                // A list also of one: what may be either is read twice.
                if let Some(target) = rule.get_mut("target").filter(|target| target.is_string()) {
                    *target = Value::Array(vec![target.take()]);
                }
                logic.push(Value::Object(rule));
            }
        }
    }
    // In the order of the book, so that none is put before another that is there already.
    logic.sort_by(|a, b| a["id"].as_str().cmp(&b["id"].as_str()));
    let lines = logic.iter().map(serde_json::to_string).collect::<Result<Vec<_>, _>>()?;
    fs::write(out.join("rules.jsonl"), lines.join("\n"))?;
    for (file, value) in [
        ("profiles.json", Value::Array(profiles)),
        ("tables.json", Value::Object(tables)),
        ("compat.json", compat.into_value()),
        ("logs.json", Value::Array(logs)),
        ("incident.json", Value::Array(incident)),
    ] {
        fs::write(out.join(file), serde_json::to_vec(&value)?)?;
    }
    // Id, body, prose, examples, path: a run reads the bodies of rules that meet a target, and the prose of those that
    // found something.
    let texts: Vec<_> =
        texts.iter().map(|(id, (body, prose, examples, path))| (id, body, prose, examples, path)).collect();
    fs::write(out.join("texts.rs"), format!("&{texts:#?}"))?;
    let (statements, words): (Vec<_>, Vec<_>) = ledger.statements.into_values().unzip();
    let documents: Vec<_> = ledger.documents.iter().map(|(name, (title, url))| (name, title, url)).collect();
    fs::write(out.join("ledger.rs"), format!("&[{}]", statements.join(",\n")))?;
    fs::write(out.join("words.rs"), format!("&{words:#?}"))?;
    fs::write(out.join("documents.rs"), format!("&{documents:#?}"))?;
    Ok(())
}

/// Takes members out, as JSON.
fn taken(from: &mut Map<String, Value>, members: &[&str]) -> Result<String, Box<dyn Error>> {
    let taken = members.iter().filter_map(|name| from.remove(*name).map(|value| (name.to_string(), value)));
    Ok(serde_json::to_string(&taken.collect::<Map<String, Value>>())?)
}

/// The files below `rules/requirements/`.
#[derive(Default)]
struct Ledger {
    /// By id: the statement as source code, and its words in JSON.
    statements: BTreeMap<String, (String, String)>,
    /// Title and URL by name.
    documents: BTreeMap<String, (String, String)>,
}

impl Ledger {
    fn take(&mut self, path: &str, mut value: Value) -> Result<(), Box<dyn Error>> {
        let text = |name: &str| value.get(name).and_then(Value::as_str).map(str::to_string);
        let (Some(document), Some(title), Some(url)) = (text("document"), text("title"), text("url")) else {
            return Err(format!("{path}: `document`, `title` and `url` are mandatory").into());
        };
        let Some(Value::Array(statements)) = value.get_mut("requirements").map(Value::take) else {
            return Err(format!("{path}: `requirements` is no list").into());
        };
        for statement in statements {
            let Value::Object(mut statement) = statement else { return Err(format!("{path}: no mapping").into()) };
            let words = taken(&mut statement, WORDS)?;
            let (id, source) = requirement(statement, &document).map_err(|error| format!("{path}: {error}"))?;
            if self.statements.insert(id.clone(), (source, words)).is_some() {
                return Err(format!("{path}: another statement has the id {id}").into());
            }
        }
        self.documents.insert(document, (title, url));
        Ok(())
    }
}

/// The id of a statement, and what judging needs of it as a literal of the type `Requirement`.
fn requirement(mut statement: Map<String, Value>, document: &str) -> Result<(String, String), Box<dyn Error>> {
    let mut member = |name: &str| statement.remove(name).unwrap_or_default();
    let id: String = serde_json::from_value(member("id"))?;
    let level: String = serde_json::from_value(member("level"))?;
    let basis: Option<String> = serde_json::from_value(member("basis"))?;
    let versions: Option<Vec<String>> = serde_json::from_value(member("versions"))?;
    let secondary: Option<bool> = serde_json::from_value(member("secondary"))?;
    let restates: Option<String> = serde_json::from_value(member("restates"))?;
    if let Some(unknown) = statement.keys().next() {
        return Err(format!("{id}: there is no member `{unknown}`").into());
    }
    let (level, basis) = (variant(&level), variant(basis.as_deref().unwrap_or("keyword")));
    let (versions, secondary) = (versions.unwrap_or_default(), secondary.unwrap_or_default());
    let source = format!(
        "Requirement {{ id: {id:?}, document: {document:?}, level: Level::{level}, basis: Basis::{basis}, \
         versions: &{versions:?}, secondary: {secondary}, restates: {restates:?} }}"
    );
    Ok((id, source))
}

/// How the variant is called that a word of the ledger stands for: `MUST NOT` is `MustNot`, `by-reference` `ByReference`.
fn variant(word: &str) -> String {
    let capitalised = |part: &str| part[..1].to_ascii_uppercase() + &part[1..].to_ascii_lowercase();
    word.split([' ', '-']).filter(|part| part.is_ascii() && !part.is_empty()).map(capitalised).collect()
}

/// The files below `rules/compat/`: software, how tokens are read, and what nobody checks.
#[derive(Default)]
struct Compat {
    softwares: Vec<Value>,
    readers: Vec<Value>,
    /// What is about all of them, by file name.
    others: Map<String, Value>,
}

impl Compat {
    fn take(&mut self, path: &Path, value: Value) -> Result<(), Box<dyn Error>> {
        let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let (name, list) = match (value.get("reader"), value.get("software")) {
            (Some(Value::String(name)), None) => (name, &mut self.readers),
            (_, Some(Value::String(name))) => (name, &mut self.softwares),
            _ => {
                self.others.insert(stem, value);
                return Ok(());
            }
        };
        if *name != stem {
            return Err(format!("{}: the name must equal the file name", path.display()).into());
        }
        list.push(value);
        Ok(())
    }

    fn into_value(self) -> Value {
        serde_json::json!({ "softwares": self.softwares, "readers": self.readers, "others": self.others })
    }
}

/// Every `.yaml` file below a folder, sorted, so that the build is reproducible.
fn yaml_files(root: &Path) -> Result<Vec<PathBuf>, Box<dyn Error>> {
    let mut found = Vec::new();
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        println!("cargo:rerun-if-changed={}", folder.display());
        if !folder.exists() {
            continue;
        }
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "yaml") {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}
