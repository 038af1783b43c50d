//! Where the files that govern a run are read: as they lie on disk, or as a commit has them, so that a change cannot
//! rewrite the rules it is judged by.

use super::exit::Failure;
use super::git::{Entry, Repository};
use super::{problem, rules};
use crate::discover::walk;
use crate::report::PolicyFrom;
use crate::source::Source;
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

/// Reads the files that govern a run.
pub(super) struct Store {
    /// `None` reads from disk alone.
    tree: Option<Tree>,
}

/// The files of a commit. What lies outside of its repository is read from disk.
struct Tree {
    repository: Repository,
    files: BTreeMap<PathBuf, Entry>,
    /// The working folder, links resolved.
    here: PathBuf,
    from: PolicyFrom,
}

/// Where a path leads.
enum Place<'t> {
    Disk,
    File(&'t Tree, &'t Entry),
    Folder,
    Link,
    Missing,
}

impl Store {
    /// Reads from disk, or from the commit that a reference names in the repository that holds `folder`.
    pub(super) fn new(reference: Option<&str>, folder: &Path) -> Result<Self, Failure> {
        let Some(reference) = reference else { return Ok(Store { tree: None }) };
        let repository = Repository::of(folder)?;
        let commit = repository.commit(reference)?;
        let files = repository.tree(&commit)?;
        let here = fs::canonicalize(".")
            .map_err(|error| Failure::Usage(format!("the working folder cannot be read: {error}")))?;
        let from = PolicyFrom { reference: reference.to_string(), commit };
        Ok(Store { tree: Some(Tree { repository, files, here, from }) })
    }

    /// The commit, when files are read from one.
    pub(super) fn from(&self) -> Option<&PolicyFrom> {
        self.tree.as_ref().map(|tree| &tree.from)
    }

    /// Reads a file of ours that is small by nature; the error is a line for standard error.
    pub(super) fn read(&self, path: &Path, limit: u64) -> Result<Source, String> {
        let name = walk::name_of(path);
        let PolicyFrom { reference, .. } = self.from().cloned().unwrap_or_default();
        match self.place(path) {
            Place::Disk => problem::read_small(path, limit),
            Place::File(_, entry) if entry.size > limit => {
                Err(format!("{name}: larger than {} MiB at {reference}; this is no file of tokenvet's\n", limit >> 20))
            }
            Place::File(tree, entry) => {
                let content = tree.repository.content(entry);
                let bytes = content.map_err(|_| format!("{name}: git cannot read it at {reference}\n"))?;
                Source::from_bytes(name.as_str(), bytes).map_err(|error| format!("{name}: {}\n", error.message))
            }
            Place::Link => Err(format!("{name}: a link at {reference}; name the file itself\n")),
            Place::Folder => Err(format!("{name}: a folder at {reference}\n")),
            Place::Missing => {
                Err(format!("{name}: there is no such file at {reference}; --policy-from reads it there\n"))
            }
        }
    }

    /// Is it a file?
    pub(super) fn is_file(&self, path: &Path) -> bool {
        match self.place(path) {
            Place::Disk => path.is_file(),
            // A link is read, and refused there with its reason.
            Place::File(..) | Place::Link => true,
            Place::Folder | Place::Missing => false,
        }
    }

    /// Is it a folder?
    pub(super) fn is_folder(&self, path: &Path) -> bool {
        match self.place(path) {
            Place::Disk => path.is_dir(),
            Place::Folder => true,
            Place::File(..) | Place::Link | Place::Missing => false,
        }
    }

    /// The absolute path without links; an error where nothing is, or a link that a commit holds.
    pub(super) fn real(&self, path: &Path) -> io::Result<PathBuf> {
        match self.place(path) {
            Place::Disk => fs::canonicalize(path),
            Place::File(..) | Place::Folder => Ok(self.absolute(path)),
            Place::Link => Err(io::Error::other("a link")),
            Place::Missing => Err(io::ErrorKind::NotFound.into()),
        }
    }

    /// Rule files below paths, sorted.
    pub(super) fn rule_files(&self, paths: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
        let mut files = Vec::new();
        for path in paths {
            match (self.place(path), &self.tree) {
                (Place::Folder, Some(tree)) => {
                    let folder = self.absolute(path);
                    let below = tree.files.iter().filter(|(_, entry)| entry.regular).filter_map(|(file, _)| {
                        let inside = tree.repository.top.join(file).strip_prefix(&folder).ok()?.to_path_buf();
                        rules::is_rule_file(&inside).then(|| path.join(inside))
                    });
                    files.extend(below);
                }
                (Place::Disk, _) => files.extend(rules::rule_files(std::slice::from_ref(path))?),
                _ => files.push(path.clone()),
            }
        }
        files.sort();
        Ok(files)
    }

    fn place(&self, path: &Path) -> Place<'_> {
        let Some(tree) = &self.tree else { return Place::Disk };
        let absolute = self.absolute(path);
        let Ok(inside) = absolute.strip_prefix(&tree.repository.top) else { return Place::Disk };
        if let Some(entry) = tree.files.get(inside) {
            return if entry.regular { Place::File(tree, entry) } else { Place::Link };
        }
        let below = |file: &PathBuf| file.starts_with(inside);
        let next = tree.files.range(inside.to_path_buf()..).next();
        match inside.as_os_str().is_empty() || next.is_some_and(|(file, _)| below(file)) {
            true => Place::Folder,
            false => Place::Missing,
        }
    }

    /// The absolute path with `.` and `..` taken as words: links of the work tree, which a change may have made, do not
    /// count.
    fn absolute(&self, path: &Path) -> PathBuf {
        let mut absolute = self.tree.as_ref().map_or_else(PathBuf::new, |tree| tree.here.clone());
        for part in path.components() {
            match part {
                Component::CurDir => {}
                Component::ParentDir => {
                    absolute.pop();
                }
                part => absolute.push(part),
            }
        }
        absolute
    }
}
