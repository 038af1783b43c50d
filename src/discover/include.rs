//! Files that configurations name: included files, map files, the token configuration a main configuration points to.
//!
//! Nothing here runs unless the user asks for it: a configuration under test is not trusted to choose what is opened.

use super::recognise;
use super::walk::{Found, Input, describe, folder_files, folder_of, read};
use crate::adapt::Sink;
use crate::model::{At, Spot, Target, TargetKind};
use crate::parse::{Document, NodeId};
use crate::report::FileError;
use crate::source::Region;
use std::collections::{HashSet, VecDeque};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Largest file in which names are looked for, in bytes; configurations are smaller.
const MAX_FILE: u64 = 4 << 20;
/// Files that name files that name files …
const MAX_DEPTH: usize = 16;
/// Files that are added to a run.
const MAX_ADDED: usize = 10_000;

/// Where named files are looked for.
pub struct Follow<'f> {
    /// The folder that stands for `/` of the machine whose configuration it is. With it nothing outside of it and of
    /// `trees` is opened.
    pub root: Option<&'f Path>,
    /// The files and folders that the user named.
    pub trees: &'f [PathBuf],
    /// Is a file left out by the policy?
    pub ignored: &'f dyn Fn(&Path) -> bool,
}

impl Follow<'_> {
    /// Adds the files that those found name, and the files that these name. Every file is added once, by whatever way it is
    /// named. What cannot be followed is an error at the place that names it.
    pub fn run(&self, found: &mut Found) -> Vec<FileError> {
        let bounds = self.root.map(|root| self.trees.iter().map(|tree| base(tree)).chain([root.to_path_buf()]));
        let bounds = bounds.map(|paths| paths.filter_map(|path| fs::canonicalize(path).ok()).collect());
        let known = found.inputs.iter().filter_map(|input| fs::canonicalize(input.path()).ok()).collect();
        let mut walk = Walk { follow: self, bounds, known, added: vec![], errors: vec![] };
        let mut queue: VecDeque<(Input, usize)> = found.inputs.iter().map(|input| (input.clone(), 0)).collect();
        while let Some((input, depth)) = queue.pop_front() {
            for named in names(&input) {
                if depth == MAX_DEPTH {
                    walk.refuse(
                        &input,
                        &named,
                        format!("more than {MAX_DEPTH} files name each other; not followed further"),
                    );
                    break;
                }
                let before = walk.added.len();
                walk.take(&input, &named);
                queue.extend(walk.added[before..].iter().map(|input| (input.clone(), depth + 1)));
            }
        }
        found.inputs.append(&mut walk.added);
        found.inputs.sort_by(Input::by_name);
        walk.errors
    }
}

/// The tree that a path of the command line stands for: itself, or the folder of a file.
fn base(path: &Path) -> PathBuf {
    if path.is_dir() { path } else { folder_of(path) }.into()
}

/// A file as a configuration names it.
struct Named {
    path: String,
    region: Option<Region>,
}

/// Collects the files that documents name.
#[derive(Default)]
struct Names(Vec<Named>);

impl Sink for Names {
    fn target(&mut self, documents: &[&Document], target: Target<'_>) {
        let files = TargetKind::Service.fields().iter().position(|spec| spec.name == "files");
        let Some(files) = files.filter(|_| target.kind == TargetKind::Service) else { return };
        for file in target.record.field(files).items() {
            let region = file.at.map(|at| Spot::at(documents, at).region);
            self.0.extend(file.as_text().map(|path| Named { path: path.to_string(), region }));
        }
    }

    fn names(&mut self, document: &Document, node: NodeId, path: &str) {
        let region = Some(Spot::at(&[document], At::node(node)).region);
        self.0.push(Named { path: path.to_string(), region });
    }

    fn secret(&mut self, _document: &Document, _node: NodeId) {}

    fn error(&mut self, _document: &Document, _node: NodeId, _message: String) {}

    fn paging(&mut self, _shown: NodeId, _shown_count: i64, _total: (NodeId, i64)) {}

    fn secrets_expected(&mut self) {}
}

/// The files that a file names. What is wrong with the file itself is said when it is judged.
fn names(input: &Input) -> Vec<Named> {
    let small = fs::metadata(input.path()).is_ok_and(|metadata| metadata.is_file() && metadata.len() <= MAX_FILE);
    let Some(source) = small.then(|| read(input).ok()).flatten() else { return vec![] };
    let mut names = Names::default();
    for (document, known) in recognise(&Arc::new(source)).documents {
        if let Some((adapter, kind)) = known {
            adapter.adapt(&document, kind, &mut names);
        }
    }
    // Patterns and variables name no file that could be missing.
    names.0.retain(|named| !named.path.is_empty() && !named.path.contains(['*', '?', '$', '%', '\0']));
    names.0
}

struct Walk<'w> {
    follow: &'w Follow<'w>,
    /// Where named files may lie; anywhere when there are none.
    bounds: Option<Vec<PathBuf>>,
    /// Files of the run as they really lie.
    known: HashSet<PathBuf>,
    added: Vec<Input>,
    errors: Vec<FileError>,
}

impl Walk<'_> {
    fn refuse(&mut self, by: &Input, named: &Named, message: impl Into<String>) {
        self.errors.push(FileError { path: by.name().to_string(), message: message.into(), region: named.region });
    }

    fn take(&mut self, by: &Input, named: &Named) {
        let path = self.locate(by, &named.path);
        let real = match fs::canonicalize(&path) {
            Ok(real) => real,
            Err(error) => {
                let why = describe(&error, &path);
                return self.refuse(by, named, format!("the file named here: {why}"));
            }
        };
        if self.bounds.as_ref().is_some_and(|bounds| !bounds.iter().any(|bound| real.starts_with(bound))) {
            return self.refuse(
                by,
                named,
                "the file named here lies outside --root and was not opened; copy it there, or name it on the command line",
            );
        }
        if !real.is_dir() {
            return self.add(by, named, path, real);
        }
        match folder_files(&path) {
            Ok(files) => files.into_iter().for_each(|file| {
                if let Ok(real) = fs::canonicalize(&file) {
                    self.add(by, named, file, real);
                }
            }),
            Err(error) => self.refuse(by, named, format!("the folder named here: {}", describe(&error, &path))),
        }
    }

    /// Where a path lies that a file names: relative ones beside that file, absolute ones below the root.
    fn locate(&self, by: &Input, named: &str) -> PathBuf {
        let named = Path::new(named);
        match (named.strip_prefix("/"), self.follow.root) {
            (Ok(rest), Some(root)) => root.join(rest),
            (Ok(_), None) => named.to_path_buf(),
            (Err(_), _) => by.path().parent().unwrap_or(Path::new("")).join(named),
        }
    }

    fn add(&mut self, by: &Input, named: &Named, path: PathBuf, real: PathBuf) {
        if self.known.contains(&real) || (self.follow.ignored)(&path) {
            return;
        }
        if self.added.len() == MAX_ADDED {
            return self.refuse(by, named, format!("more than {MAX_ADDED} files are named; this one was not opened"));
        }
        self.known.insert(real);
        self.added.push(Input::found(path));
    }
}
