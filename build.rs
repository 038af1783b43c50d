//! Embeds the rule book: `rules/**/*.yaml` becomes compact JSON at build time, logic apart from prose and examples,
//! so that start-up reads only what judging needs, rule by rule.

use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::{env, fs};

/// Members that only `explain`, reports and documentation need.
const PROSE: &[&str] = &["title", "help", "fix", "rationale", "exceptions", "references", "severity_reason", "risks"];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=rules");
    println!("cargo:rerun-if-changed=build.rs");
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("OUT_DIR is not set")?);
    let (mut logic, mut texts) = (Vec::new(), BTreeMap::new());
    let (mut profiles, mut ledgers, mut tables) = (Vec::new(), Vec::new(), Map::new());
    let mut compat = Compat::default();
    let (mut logs, mut incident) = (Vec::new(), Vec::new());
    for path in yaml_files(Path::new("rules"))? {
        println!("cargo:rerun-if-changed={}", path.display());
        let text = fs::read_to_string(&path)?;
        let value: Value = serde_yaml::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))?;
        let name = path.to_string_lossy().replace('\\', "/");
        match name.split('/').nth(1) {
            Some("profiles") => profiles.push(value),
            Some("requirements") => ledgers.push(value),
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
                let text: Map<String, Value> =
                    PROSE.iter().filter_map(|key| rule.remove(*key).map(|value| (key.to_string(), value))).collect();
                let examples = rule.remove("examples").unwrap_or(Value::Array(vec![]));
                let entry = (serde_json::to_string(&text)?, serde_json::to_string(&examples)?, name.clone());
                if texts.insert(id.clone(), entry).is_some() {
                    return Err(format!("{name}: another rule has the id {id}").into());
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
        ("ledgers.json", Value::Array(ledgers)),
        ("tables.json", Value::Object(tables)),
        ("compat.json", compat.into_value()),
        ("logs.json", Value::Array(logs)),
        ("incident.json", Value::Array(incident)),
    ] {
        fs::write(out.join(file), serde_json::to_vec(&value)?)?;
    }
    // Id, prose, examples, path: a run reads the prose of the rules that found something, and nothing else of it.
    let texts: Vec<_> = texts.iter().map(|(id, (prose, examples, path))| (id, prose, examples, path)).collect();
    fs::write(out.join("texts.rs"), format!("&{texts:#?}"))?;
    Ok(())
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
