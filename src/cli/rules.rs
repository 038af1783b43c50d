//! The rule book as the command line sees it: built-in rules, the user's rule files, prose for reports.

use super::exit::Failure;
use super::problem;
use super::store::Store;
use crate::near::did_you_mean;
use crate::profile::{LEDGER, Requirement};
use crate::report::{self, RequirementInfo, RuleInfo};
use crate::rule::{RuleBook, RuleFile};
use crate::source::{MAX_SOURCE_BYTES, Source};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The built-in book plus rule files; every broken file is reported with a snippet.
pub(super) fn book(paths: &[PathBuf]) -> Result<RuleBook, Failure> {
    Ok(book_and_sources(&Store::new(None, Path::new("."))?, paths)?.0)
}

/// The same, with the rule files that were read.
pub(super) fn book_and_sources(store: &Store, paths: &[PathBuf]) -> Result<(RuleBook, Vec<Arc<Source>>), Failure> {
    let mut book = RuleBook::builtin().map_err(|defect| Failure::Usage(format!("the built-in rule book: {defect}")))?;
    let (mut problems, mut sources) = (String::new(), Vec::new());
    for path in store.rule_files(paths)? {
        match store.read(&path, MAX_SOURCE_BYTES).and_then(|source| add(&mut book, source)) {
            Ok((_, source, _)) => sources.push(source),
            Err(problem) => problems.push_str(&problem),
        }
    }
    if problems.is_empty() { Ok((book, sources)) } else { Err(Failure::Reported(problems)) }
}

/// Adds one rule file; the error is the rendered problem.
pub(super) fn load(book: &mut RuleBook, path: &Path) -> Result<(String, Arc<Source>, RuleFile), String> {
    add(book, problem::read(path)?)
}

fn add(book: &mut RuleBook, source: Source) -> Result<(String, Arc<Source>, RuleFile), String> {
    let source = Arc::new(source);
    let file = RuleFile::read(&source).map_err(|error| problem::render(&source, &error))?;
    book.add_custom(&file.raw, source.name()).map_err(|defect| problem::render(&source, &file.locate(defect)))?;
    Ok((file.raw.id.clone(), source, file))
}

/// Rule files below paths, sorted. Ignore files do not count here: a rule that is named is meant.
pub(super) fn rule_files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    let mut files = Vec::new();
    for path in paths {
        if !path.is_dir() {
            files.push(path.clone());
            continue;
        }
        for entry in ignore::WalkBuilder::new(path).standard_filters(false).follow_links(false).build() {
            let entry = entry.map_err(|error| Failure::Usage(format!("{}: {error}", path.display())))?;
            if is_rule_file(entry.path()) && entry.file_type().is_some_and(|kind| kind.is_file()) {
                files.push(entry.into_path());
            }
        }
    }
    files.sort();
    Ok(files)
}

/// Does a file of a folder of rules hold one, by its name? Profiles and the requirement ledger lie beside rules.
pub(super) fn is_rule_file(path: &Path) -> bool {
    let yaml = path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml");
    let data = |part: &str| matches!(part, "profiles" | "requirements" | "tables");
    yaml && !path.components().any(|part| part.as_os_str().to_str().is_some_and(data))
}

/// Checks that a rule id exists.
pub(super) fn known(book: &RuleBook, id: &str) -> Result<(), Failure> {
    Ok(book.require(id).map(|_| ())?)
}

/// The ids that a name stands for: one rule's, or with `*` in it those of every rule that fits. One at least.
pub(super) fn named(book: &RuleBook, name: &str) -> Result<Vec<String>, Failure> {
    if !name.contains('*') {
        return known(book, name).map(|()| vec![name.to_string()]);
    }
    let pattern = format!("^{}$", name.split('*').map(regex::escape).collect::<Vec<_>>().join(".*"));
    let pattern = regex::Regex::new(&pattern).map_err(|_| Failure::Usage(format!("`{name}` is too long")))?;
    let fitting: Vec<String> = book.ids().filter(|id| pattern.is_match(id)).map(str::to_string).collect();
    match fitting.is_empty() {
        true => Err(Failure::Usage(format!("no rule is called like `{name}`; `tokenvet rules` lists what there is"))),
        false => Ok(fitting),
    }
}

/// Says that an id is no rule's, requirement's, limit's or profile's.
pub(super) fn unknown(book: &RuleBook, id: &str) -> Failure {
    let requirement = did_you_mean(&id.to_ascii_uppercase(), LEDGER.iter().map(|requirement| requirement.id));
    let families = book.profiles.iter().map(|profile| profile.raw.family.as_str());
    let limits = book.profiles.iter().flat_map(|profile| profile.limits.keys()).map(String::as_str);
    let names = book.ids().chain(families).chain(limits);
    let near = if requirement.is_empty() { did_you_mean(id, names) } else { requirement };
    let lists = if near.is_empty() { "; `tokenvet rules` and `tokenvet profile` list what there is" } else { "" };
    Failure::Usage(format!("there is no rule, requirement, limit or profile `{id}`{near}{lists}"))
}

/// Prose for renderers.
pub(super) struct Lookup<'b>(pub(super) &'b RuleBook);

impl report::RuleBook for Lookup<'_> {
    fn info(&self, id: &str) -> Option<RuleInfo> {
        self.0.rule(id).map(|rule| {
            let limit = rule.logic.limit.clone().unwrap_or_default();
            RuleInfo { limit, ..RuleInfo::new(id, rule.prose()) }
        })
    }

    fn requirement(&self, id: &str) -> Option<RequirementInfo> {
        Requirement::find(id).map(|requirement| {
            let (words, (document, url)) = (requirement.words(), requirement.document());
            RequirementInfo {
                statement: words.statement,
                level: requirement.level.name().to_string(),
                document: document.to_string(),
                section: words.section,
                url: url.to_string(),
            }
        })
    }
}
