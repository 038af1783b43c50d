//! Several files by one name: patterns that the shell did not expand, and the rotated siblings of a log.

use super::walk::here;
use globset::{GlobBuilder, GlobMatcher};
use std::ffi::OsStr;
use std::fs;
use std::path::{Component, Path, PathBuf};

/// Files that one pattern may stand for.
const MAX_MATCHES: usize = 1_000_000;
/// Folders inside one another that `**` looks into.
const MAX_DEPTH: usize = 64;

/// The paths that a pattern stands for, sorted; `None` when it is none. `*`, `?`, `[…]` and `{…}` stay within a name, `**`
/// stands for any folders. Hidden files must be named, as in a shell; links to folders are not followed by `**`.
pub fn expand(pattern: &Path) -> Option<Vec<PathBuf>> {
    let is_pattern =
        |part: &Component<'_>| part.as_os_str().as_encoded_bytes().iter().any(|byte| b"*?[{".contains(byte));
    if !pattern.components().any(|part| is_pattern(&part)) {
        return None;
    }
    let mut found = vec![PathBuf::new()];
    for part in pattern.components() {
        found = match is_pattern(&part) {
            _ if part.as_os_str() == "**" => found.iter().flat_map(|folder| folders(folder, 0)).collect(),
            true => {
                let matcher = matcher(part.as_os_str())?;
                found.iter().flat_map(|folder| matching(folder, &matcher, part.as_os_str())).collect()
            }
            false => found.into_iter().map(|folder| folder.join(part)).collect(),
        };
        found.truncate(MAX_MATCHES);
    }
    found.retain(|path| fs::symlink_metadata(path).is_ok());
    found.sort();
    found.dedup();
    Some(found)
}

fn matcher(part: &OsStr) -> Option<GlobMatcher> {
    let glob = GlobBuilder::new(part.to_str()?).literal_separator(true).backslash_escape(true).build();
    glob.ok().map(|glob| glob.compile_matcher())
}

/// The names in a folder, with the folder before them.
fn entries(folder: &Path) -> Vec<(PathBuf, bool)> {
    let entries = fs::read_dir(here(folder)).into_iter().flatten().flatten();
    let entries = entries.map(|entry| {
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        (folder.join(entry.file_name()), is_folder)
    });
    entries.collect()
}

fn is_hidden(name: &OsStr) -> bool {
    name.as_encoded_bytes().first() == Some(&b'.')
}

fn matching(folder: &Path, matcher: &GlobMatcher, pattern: &OsStr) -> Vec<PathBuf> {
    let fits = |path: &PathBuf| {
        path.file_name().is_some_and(|name| matcher.is_match(name) && (!is_hidden(name) || is_hidden(pattern)))
    };
    entries(folder).into_iter().map(|(path, _)| path).filter(fits).collect()
}

/// A folder and all below it.
fn folders(folder: &Path, depth: usize) -> Vec<PathBuf> {
    let mut found = vec![folder.to_path_buf()];
    if depth < MAX_DEPTH {
        let visible = |path: &PathBuf| path.file_name().is_some_and(|name| !is_hidden(name));
        let below = entries(folder).into_iter().filter(|(path, is_folder)| *is_folder && visible(path));
        found.extend(below.flat_map(|(path, _)| folders(&path, depth + 1)));
    }
    found
}

/// The rotated siblings of a log, oldest first by the time they were last written to: `x.log.1`, `x.log.2.gz`,
/// `x.log-20261101.gz`, `x-20261101.log`, `x.1.log.xz`, `x.log.old`.
pub fn rotated(log: &Path) -> Vec<PathBuf> {
    let (Some(name), Some(folder)) = (log.file_name().and_then(OsStr::to_str), log.parent()) else { return vec![] };
    let is_sibling = |path: &Path| {
        path.file_name().and_then(OsStr::to_str).is_some_and(|other| is_rotated(name, other))
            && fs::metadata(path).is_ok_and(|metadata| metadata.is_file())
    };
    let mut found: Vec<_> = entries(folder)
        .into_iter()
        .filter(|(path, _)| is_sibling(path))
        .map(|(path, _)| (fs::metadata(&path).and_then(|metadata| metadata.modified()).ok(), path))
        .collect();
    found.sort();
    found.into_iter().map(|(_, path)| path).collect()
}

/// Is a name that of a rotated log?
fn is_rotated(log: &str, name: &str) -> bool {
    let plain = [".gz", ".zst", ".xz", ".bz2"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name);
    if let Some(mark) = plain.strip_prefix(log) {
        return is_mark(mark) || mark == ".old" || mark == "~";
    }
    // With the mark before the extension.
    let Some((stem, extension)) = log.rsplit_once('.').filter(|(stem, _)| !stem.is_empty()) else { return false };
    let middle =
        plain.strip_prefix(stem).and_then(|rest| rest.strip_suffix(extension)).and_then(|rest| rest.strip_suffix('.'));
    middle.is_some_and(is_mark)
}

/// A number or a date behind a separator.
fn is_mark(mark: &str) -> bool {
    let Some(rest) = mark.strip_prefix(['.', '-', '_']) else { return false };
    rest.starts_with(|c: char| c.is_ascii_digit())
        && rest.chars().all(|c| c.is_ascii_digit() || matches!(c, '-' | '_' | '.' | ':' | 'T' | 'Z'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_rotated_logs() {
        for (name, expected) in [
            ("x.log.1", true),
            ("x.log.2.gz", true),
            ("x.log-20261101.zst", true),
            ("x.log-20261101-1793491200.xz", true),
            ("x.log.2026-11-01.bz2", true),
            ("x-20261101.log", true),
            ("x.1.log.gz", true),
            ("x.log.old", true),
            ("x.log", false),
            ("x.log.gz", false),
            ("x.log.bak1", false),
            ("xy.log.1", false),
            ("x.logs.1", false),
            ("x.log.1.tar", false),
            ("other-20261101.log", false),
        ] {
            assert_eq!(is_rotated("x.log", name), expected, "{name}");
        }
        assert!(is_rotated("messages", "messages-20261101") && !is_rotated("messages", "messages.conf"));
    }

    #[test]
    fn patterns_stand_for_what_is_there() {
        let folder = tempfile::tempdir().expect("folder");
        for file in ["a/x.log", "a/x.log.1.gz", "a/b/y.log", "a/b/c/z.log", "a/.hidden.log", "w.log"] {
            let path = folder.path().join(file);
            fs::create_dir_all(path.parent().expect("below the folder")).expect("folder");
            fs::write(path, "").expect("file");
        }
        let found = |pattern: &str| -> Vec<String> {
            let found = expand(&folder.path().join(pattern)).expect("a pattern");
            let below = |path: PathBuf| path.strip_prefix(folder.path()).expect("below").display().to_string();
            found.into_iter().map(below).collect()
        };
        for (pattern, expected) in [
            ("*.log", vec!["w.log"]),
            ("a/*.log", vec!["a/x.log"]),
            ("a/x.log*", vec!["a/x.log", "a/x.log.1.gz"]),
            ("*/?.log", vec!["a/x.log"]),
            ("**/*.log", vec!["a/b/c/z.log", "a/b/y.log", "a/x.log", "w.log"]),
            ("a/.*.log", vec!["a/.hidden.log"]),
            ("a/*/y.{log,txt}", vec!["a/b/y.log"]),
            ("none/*", vec![]),
        ] {
            assert_eq!(found(pattern), expected, "{pattern}");
        }
        assert_eq!(expand(Path::new("a/plain.log")), None);
    }
}
