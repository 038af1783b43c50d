//! The files that a policy lists: globs, looked up no further than they reach.

use super::walk::{Found, Input, Unreadable, describe, name_of};
use crate::policy::glob;
use globset::{GlobMatcher, GlobSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Folders in each other that are looked through.
const DEPTH: usize = 64;

/// The files that a glob of a policy names: relative to `base`, or absolute. Unlike in walked folders nothing is left out
/// because of a `.gitignore`: whoever lists a file wants it. Links are followed where a glob names them without a wildcard.
/// A glob that names no file is an error, since what it stands for would never be missed.
pub fn listed(base: &Path, text: &str) -> Result<Found, String> {
    let absolute = text.starts_with('/');
    let trimmed = text.strip_prefix("./").unwrap_or(text).trim_matches('/');
    let fits = glob::paths(&[text.to_string()]).map_err(|(_, message)| message)?;
    let mut steps: Vec<&str> = trimmed.split('/').filter(|step| !step.is_empty()).collect();
    if !text.starts_with('/') && steps.len() == 1 && trimmed != "**" && is_glob(trimmed) {
        // Without a slash a glob fits at any depth.
        steps.insert(0, "**");
    }
    let base = if absolute { PathBuf::from("/") } else { base.to_path_buf() };
    let named = !is_glob(trimmed);
    let mut search = Search { base: base.clone(), fits, named, found: Found::default() };
    search.descend(&base, &steps, 0);
    let mut found = search.found;
    found.inputs.sort_by(|a, b| a.name().cmp(b.name()));
    found.inputs.dedup_by(|a, b| a.path() == b.path());
    if found.inputs.is_empty() && found.unreadable.is_empty() {
        let message = "the policy lists it, and there is no such file; check the path";
        found.unreadable.push(Unreadable { name: name_of(Path::new(text)), message: message.into(), content: false });
    }
    Ok(found)
}

fn is_glob(step: &str) -> bool {
    step.contains(['*', '?', '[', '{', '\\'])
}

struct Search {
    base: PathBuf,
    fits: GlobSet,
    named: bool,
    found: Found,
}

impl Search {
    /// Looks for what the remaining steps name below a path.
    fn descend(&mut self, at: &Path, steps: &[&str], depth: usize) {
        match steps.split_first() {
            None => self.take(at, self.named, depth),
            // Alternatives may hold slashes: everything below is held against the whole glob.
            Some((&step, _)) if step == "**" || step.contains(['{', '}', '\\']) => self.tree(at, depth),
            Some((&step, rest)) if is_glob(step) => {
                let Ok(step) = glob::matcher(step, true) else { return };
                self.folder(at, Some(&step), rest, depth);
            }
            Some((&step, rest)) => {
                let next = if step == "." { at.to_path_buf() } else { at.join(step) };
                self.descend(&next, rest, depth + 1);
            }
        }
    }

    /// A path that the steps have reached: a file, or a folder with everything in it.
    fn take(&mut self, path: &Path, follow: bool, depth: usize) {
        let known = if follow { fs::metadata(path) } else { fs::symlink_metadata(path) };
        match known {
            Ok(known) if known.is_dir() => self.tree(path, depth),
            Ok(known) if known.is_file() => self.add(path),
            Ok(_) => self.found.skipped += 1,
            // What only some of several folders hold is no error.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && !self.named => {}
            Err(error) => self.refuse(path, &error),
        }
    }

    fn tree(&mut self, folder: &Path, depth: usize) {
        self.folder(folder, None, &[], depth);
    }

    /// The entries of a folder: those that fit a step lead on to the next one, without a step everything below counts.
    fn folder(&mut self, folder: &Path, step: Option<&GlobMatcher>, rest: &[&str], depth: usize) {
        if depth > DEPTH {
            let message = format!("more than {DEPTH} folders in each other");
            self.found.unreadable.push(Unreadable { name: name_of(folder), message, content: false });
            return;
        }
        // What a glob reaches through a name that is no folder is not there.
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotADirectory => return,
            Err(error) => return self.refuse(folder, &error),
        };
        let mut paths: Vec<(PathBuf, fs::FileType)> = Vec::new();
        for entry in entries {
            match entry.and_then(|entry| Ok((entry.path(), entry.file_type()?))) {
                Ok(known) => paths.push(known),
                Err(error) => self.refuse(folder, &error),
            }
        }
        paths.sort_by(|a, b| a.0.cmp(&b.0));
        for (path, kind) in paths {
            let name = path.file_name().unwrap_or_default();
            match step {
                Some(step) if !step.is_match(Path::new(name)) => {}
                Some(_) if rest.is_empty() => self.take(&path, false, depth + 1),
                Some(_) if kind.is_dir() => self.descend(&path, rest, depth + 1),
                Some(_) => {}
                None if kind.is_dir() && name == ".git" => {}
                None if kind.is_dir() => self.tree(&path, depth + 1),
                None if kind.is_file() => self.add(&path),
                None => self.found.skipped += 1,
            }
        }
    }

    fn add(&mut self, path: &Path) {
        let relative = path.strip_prefix(&self.base).unwrap_or(path);
        if self.fits.is_match(relative) {
            // The base is the folder at work, or the root.
            let path = match self.base.as_os_str() == "." {
                true => relative.to_path_buf(),
                false => path.to_path_buf(),
            };
            self.found.inputs.push(match self.named {
                true => Input::named(path),
                false => Input::found(path),
            });
        }
    }

    fn refuse(&mut self, path: &Path, error: &std::io::Error) {
        let message = describe(error, path);
        self.found.unreadable.push(Unreadable { name: name_of(path), message, content: false });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_find_what_they_fit_and_nothing_else() {
        let folder = tempfile::tempdir().expect("a folder");
        for path in ["a/x.conf", "a/b/y.conf", "a/b/z.log", "a/b/z.log.1.gz", "c/x.conf", "top.json", "c/.gitignore"] {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().expect("has one")).expect("makes it");
            fs::write(path, "*\n").expect("writes");
        }
        for (text, expected, remark) in [
            ("*.conf", vec!["a/b/y.conf", "a/x.conf", "c/x.conf"], "any depth; no .gitignore counts"),
            ("a/*.conf", vec!["a/x.conf"], "one folder"),
            ("a/**", vec!["a/b/y.conf", "a/b/z.log", "a/b/z.log.1.gz", "a/x.conf"], "everything below"),
            ("a", vec!["a/b/y.conf", "a/b/z.log", "a/b/z.log.1.gz", "a/x.conf"], "a folder"),
            ("./a/b/z.log*", vec!["a/b/z.log", "a/b/z.log.1.gz"], "rotated logs"),
            ("*/x.conf", vec!["a/x.conf", "c/x.conf"], "a wildcard on the way"),
            ("{a,c}/x.conf", vec!["a/x.conf", "c/x.conf"], "alternatives"),
            ("{a/b,c}/?.conf", vec!["a/b/y.conf", "c/x.conf"], "alternatives with a slash"),
            ("top.json", vec!["top.json"], "a file"),
        ] {
            let found = listed(folder.path(), text).expect("a glob");
            let names: Vec<String> = found
                .inputs
                .iter()
                .map(|input| input.path().strip_prefix(folder.path()).expect("below").display().to_string())
                .collect();
            assert_eq!(names, expected, "{text}: {remark}");
            assert_eq!(found.unreadable, vec![], "{text}: {remark}");
        }
        let absolute = format!("{}/a/b/*.log", folder.path().display());
        assert_eq!(listed(Path::new("/nowhere"), &absolute).expect("a glob").inputs.len(), 1, "absolute");
        for text in ["nothing", "a/*.yaml", "*.yaml", "a/x.conf/y"] {
            let found = listed(folder.path(), text).expect("a glob");
            assert_eq!((found.inputs.len(), found.unreadable.len()), (0, 1), "{text}");
        }
        assert!(listed(folder.path(), "a[").is_err());
    }
}
