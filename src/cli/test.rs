//! `tokenvet test`: runs the examples of rule files.

use super::args::TestArgs;
use super::exit::{Exit, Failure};
use super::{output, problem, rules};
use crate::parse::ParseError;
use crate::report::text::counted;
use crate::rule::{RuleBook, RuleFile};
use crate::source::Source;
use crate::trial;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

/// Runs the command: exit 1 when an example fails, 2 when a file is broken, 3 without any rule file.
pub(super) fn run(args: &TestArgs) -> Result<Exit, Failure> {
    let paths = rules::rule_files(&args.paths)?;
    let mut book = RuleBook::builtin().map_err(Failure::Usage)?;
    let (mut out, mut broken, mut failed, mut examples) = (String::new(), 0usize, 0usize, 0usize);
    let mut loaded: Vec<(String, Arc<Source>, RuleFile)> = Vec::new();
    for path in &paths {
        match replace(&mut book, path) {
            Ok(rule) => loaded.push(rule),
            Err(text) => {
                broken += 1;
                out.push_str(&text);
            }
        }
    }
    let book = Arc::new(book);
    for (id, source, file) in &loaded {
        let Some(rule) = book.rule(id) else { continue };
        examples += file.raw.examples.len();
        for failure in trial::run(&book, rule) {
            failed += 1;
            let index = file.raw.examples.iter().position(|example| example.name == failure.example).unwrap_or(0);
            let message = format!("{id}: example `{}`\n{}", failure.example, failure.diff.trim_end());
            out.push_str(&problem::render(source, &ParseError { message, span: file.example_span(index) }));
        }
        for missing in missing(file).into_iter().chain(misnamed(id, source.name())) {
            failed += 1;
            let _ = writeln!(out, "{}: {id}: {missing}", source.name());
        }
    }
    let (rules, examples) = (counted(loaded.len() as u64, "rule"), counted(examples as u64, "example"));
    let _ = writeln!(out, "{rules}, {examples}: {failed} failed, {} broken", counted(broken as u64, "file"));
    output::print(&out)?;
    Ok(match (paths.is_empty(), broken, failed) {
        (true, ..) => Exit::Nothing,
        (false, 1.., _) => Exit::Usage,
        (false, 0, 1..) => Exit::Findings,
        (false, 0, 0) => Exit::Clean,
    })
}

/// Loads a rule file. The files of built-in rules take the place of those, so that the project's own rules can be tested;
/// another file with such an id is refused, as in a run.
fn replace(book: &mut RuleBook, path: &Path) -> Result<(String, Arc<Source>, RuleFile), String> {
    let source = Arc::new(problem::read(path)?);
    let file = RuleFile::read(&source).map_err(|error| problem::render(&source, &error))?;
    if book.rule(&file.raw.id).is_some_and(|rule| path.ends_with(rule.path())) {
        book.remove_builtin(&file.raw.id);
    }
    rules::load(book, path)
}

/// People look for a rule in the file of its name.
fn misnamed(id: &str, path: &str) -> Option<&'static str> {
    let path = Path::new(path);
    let is_yaml = path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml");
    (is_yaml && path.file_stem().is_some_and(|stem| stem != id)).then_some("the id is not the file's name")
}

/// A rule without a pass, a fail and a skip example does not say what it means.
fn missing(file: &RuleFile) -> Vec<&'static str> {
    let examples = &file.raw.examples;
    let mut missing = Vec::new();
    if !examples.iter().any(|example| example.pass.is_some()) {
        missing.push("no `pass` example");
    }
    if !examples.iter().any(|example| example.fail.is_some()) {
        missing.push("no `fail` example");
    }
    if !examples.iter().any(|example| example.skip.is_some()) {
        missing.push("no `skip` example");
    }
    missing
}
