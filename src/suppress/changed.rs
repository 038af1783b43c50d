//! What a change touches, read from a unified diff: the files, and of each the lines that are new or were altered.
//!
//! A diff comes from whoever made the change. Whatever cannot be read is an error, since a line that is taken for
//! untouched is a finding that nobody sees.

use std::collections::BTreeMap;
use std::fmt;

/// Largest diff that is read, in bytes (256 MiB).
pub const MAX_DIFF: u64 = 256 << 20;

/// Mode of a submodule in git's trees.
const SUBMODULE: &[u8] = b"160000";

/// A change: what became of each file. Paths are bytes, counted from the top of the repository.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    files: BTreeMap<Vec<u8>, FileChange>,
    /// Every path that the change names, also what is deleted and what files were called before.
    names: Vec<Vec<u8>>,
}

/// What a change did to one file that is still there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileChange {
    /// What it was called before, when it was renamed.
    pub from: Option<Vec<u8>>,
    /// All of it counts as touched: nobody can say which lines (a binary file, a copy, a submodule).
    pub whole: bool,
    /// Touched lines as ranges from first to last, counted from 1, in order. Where lines were only removed, these are the
    /// lines before and behind.
    pub lines: Vec<(u32, u32)>,
}

/// A diff that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiffError {
    /// Line of the diff, from 1.
    pub line: usize,
    /// What is wrong and what to do.
    pub message: &'static str,
}

impl fmt::Display for DiffError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.message)
    }
}

impl std::error::Error for DiffError {}

impl FileChange {
    /// Is one of these lines touched?
    pub fn touches(&self, first: u32, last: u32) -> bool {
        self.whole || self.lines.iter().any(|&(from, to)| from <= last && first <= to)
    }
}

impl Change {
    /// Reads the unified diff that git or `diff -u` writes.
    pub fn read(diff: &[u8]) -> Result<Self, DiffError> {
        let mut reader = Reader::default();
        for line in diff.split_inclusive(|&byte| byte == b'\n') {
            reader.number += 1;
            reader.line(line)?;
        }
        reader.end()
    }

    /// Does it name no file at all?
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// Counts all of a file, or of a folder, as touched.
    pub fn add_whole(&mut self, path: Vec<u8>) {
        self.names.push(path.clone());
        self.files.entry(path).or_default().whole = true;
    }

    /// What it did to the file of this path; `None` when it does not touch the file. A changed submodule touches everything
    /// below it.
    pub fn of(&self, path: &[u8]) -> Option<&FileChange> {
        let above = path.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(at, _)| &path[..at]);
        let submodule = |folder| self.files.get(folder).filter(|change: &&FileChange| change.whole);
        self.files.get(path).or_else(|| above.filter_map(submodule).next())
    }

    /// Does it name this path, or one below it?
    pub fn names(&self, path: &[u8]) -> bool {
        let below = |name: &[u8]| name.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"));
        self.names.iter().any(|name| below(name))
    }

    /// The first path that ends in this file name.
    pub fn named(&self, file_name: &[u8]) -> Option<&[u8]> {
        let last = |name: &&Vec<u8>| name.rsplit(|&byte| byte == b'/').next() == Some(file_name);
        self.names.iter().find(last).map(Vec::as_slice)
    }

    /// The files that are still there, with what became of them.
    pub fn files(&self) -> impl Iterator<Item = (&[u8], &FileChange)> {
        self.files.iter().map(|(path, change)| (path.as_slice(), change))
    }
}

/// What is known so far of the file at hand.
#[derive(Default)]
struct Entry {
    /// Names on git's own header, where that is certain.
    both: Option<Vec<u8>>,
    old: Option<Named>,
    new: Option<Named>,
    change: FileChange,
    submodule: bool,
}

/// A name on a `---` or `+++` line.
#[derive(Clone, PartialEq)]
enum Named {
    Nothing,
    File(Vec<u8>),
}

#[derive(Default)]
struct Reader {
    number: usize,
    entry: Option<Entry>,
    /// Lines of the current hunk that must follow: of the old and of the new file.
    owed: (u32, u32),
    /// The next line of the new file.
    next: u32,
    /// Whether lines were removed and added since the last line that stays.
    run: (bool, bool),
    /// The current hunk has a line that was removed or added.
    changes: bool,
    change: Change,
}

impl Reader {
    fn fail<T>(&self, message: &'static str) -> Result<T, DiffError> {
        Err(DiffError { line: self.number, message })
    }

    fn line(&mut self, line: &[u8]) -> Result<(), DiffError> {
        if self.owed != (0, 0) {
            return self.body(line);
        }
        // A remark on the line before: it has no newline.
        if line.starts_with(b"\\ ") {
            return Ok(());
        }
        self.close_run();
        if line.starts_with(b"\x1b[") {
            return self.fail("the diff has colours; make it with --color=never");
        }
        let text = line.strip_suffix(b"\n").unwrap_or(line);
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        if let Some(rest) = text.strip_prefix(b"diff --git ") {
            self.finish_entry()?;
            self.entry = Some(Entry { both: same_name(rest), ..Entry::default() });
            return Ok(());
        }
        if text.starts_with(b"diff --cc ") || text.starts_with(b"diff --combined ") || text.starts_with(b"@@@") {
            return self.fail("the combined diff of a merge does not tell what a change did; compare two commits");
        }
        if let Some(rest) = text.strip_prefix(b"@@ ") {
            return self.hunk(rest);
        }
        if let Some(rest) = text.strip_prefix(b"--- ") {
            let named = self.name(rest)?;
            // Diffs without git's header begin a file here.
            if self.entry.as_ref().is_none_or(|entry| entry.old.is_some()) {
                self.finish_entry()?;
            }
            self.entry.get_or_insert_default().old = Some(named);
            return Ok(());
        }
        if let Some(rest) = text.strip_prefix(b"+++ ") {
            let named = self.name(rest)?;
            match &mut self.entry {
                Some(entry) if entry.old.is_some() && entry.new.is_none() => entry.new = Some(named),
                _ => return self.fail("`+++` without a `---` before it"),
            }
            return Ok(());
        }
        self.header(text)
    }

    /// The lines that git writes between its header and the first hunk.
    fn header(&mut self, text: &[u8]) -> Result<(), DiffError> {
        let number = self.number;
        let bad = |message| DiffError { line: number, message };
        let Some(entry) = &mut self.entry else { return Ok(()) };
        let path = |rest| unquoted(rest).ok_or(bad("a quoted path that is not closed, or holds an unknown escape"));
        if let Some(rest) = text.strip_prefix(b"rename from ") {
            entry.change.from = Some(path(rest)?);
        } else if let Some(rest) = text.strip_prefix(b"copy from ") {
            path(rest)?;
            entry.change.whole = true;
        } else if let Some(rest) = text.strip_prefix(b"rename to ").or(text.strip_prefix(b"copy to ")) {
            entry.both = Some(path(rest)?);
        } else if text.starts_with(b"Binary files ") || text == b"GIT binary patch" {
            entry.change.whole = true;
        } else if text.starts_with(b"deleted file mode ") {
            entry.new = Some(Named::Nothing);
            entry.old = entry.both.clone().map(Named::File);
        } else if let Some(mode) = text.strip_prefix(b"new file mode ").or(text.strip_prefix(b"new mode ")) {
            entry.submodule |= mode == SUBMODULE;
        } else if text.starts_with(b"index ") {
            entry.submodule |= text.ends_with(b" 160000");
        } else if text.starts_with(b"Binary ") {
            return Err(bad("two binary files; make the diff with `git diff`, which names them"));
        }
        Ok(())
    }

    /// `-a,b +c,d @@ …`, without the leading marks.
    fn hunk(&mut self, rest: &[u8]) -> Result<(), DiffError> {
        let whole = matches!(&self.entry, Some(entry) if entry.old.is_some() && entry.new.is_some());
        let counts = std::str::from_utf8(rest.split(|&byte| byte == b'@').next().unwrap_or_default()).ok();
        let mut parts = counts.unwrap_or_default().split_ascii_whitespace();
        let read = |part: Option<&str>, sign: char| {
            let (start, count) = part?.strip_prefix(sign)?.split_once(',').map_or_else(
                || part.and_then(|part| part.strip_prefix(sign)).map(|start| (start, "1")),
                |(start, count)| Some((start, count)),
            )?;
            Some((start.parse::<u32>().ok()?, count.parse::<u32>().ok()?))
        };
        let (old, new) = (read(parts.next(), '-'), read(parts.next(), '+'));
        match (old, new) {
            (Some((_, removed)), Some((start, added))) if whole && start < u32::MAX / 2 && added < u32::MAX / 2 => {
                self.owed = (removed, added);
                // A hunk without lines of the new file names the line before it.
                self.next = if added == 0 { start + 1 } else { start };
                self.run = (false, false);
                self.changes = false;
                Ok(())
            }
            _ if !whole => self.fail("a hunk of no file; pass the whole diff"),
            _ => self.fail("a hunk whose line numbers cannot be read"),
        }
    }

    fn body(&mut self, line: &[u8]) -> Result<(), DiffError> {
        let (removed, added) = match line.first() {
            Some(b'\\') => return Ok(()),
            Some(b'-') => (1, 0),
            Some(b'+') => (0, 1),
            // Mail programs cut blanks at the end of a line.
            Some(b' ' | b'\n' | b'\r') => (1, 1),
            _ => return self.fail("a hunk ends early; pass the whole diff"),
        };
        let Some(owed) = self.owed.0.checked_sub(removed).zip(self.owed.1.checked_sub(added)) else {
            return self.fail("a hunk is longer than it says; pass the diff as git wrote it");
        };
        self.owed = owed;
        self.changes |= (removed, added) != (1, 1);
        if owed == (0, 0) && !self.changes {
            return self.fail("a hunk in which no line begins with + or -; make the diff without --word-diff");
        }
        match (removed, added) {
            (1, 0) => self.run.0 = true,
            (0, 1) => {
                self.run.1 = true;
                let next = self.next;
                self.touch(next, next);
                self.next += 1;
            }
            _ => {
                self.close_run();
                self.next += 1;
            }
        }
        Ok(())
    }

    /// Ends a run of changed lines: where lines were only removed, their neighbours stand for them.
    fn close_run(&mut self) {
        if let (true, false) = std::mem::take(&mut self.run) {
            let next = self.next;
            self.touch(next.saturating_sub(1).max(1), next);
        }
    }

    fn touch(&mut self, first: u32, last: u32) {
        let Some(entry) = &mut self.entry else { return };
        match entry.change.lines.last_mut() {
            Some((_, end)) if first <= end.saturating_add(1) => *end = last.max(*end),
            _ => entry.change.lines.push((first, last)),
        }
    }

    /// The path on a `---` or `+++` line: a tab ends it when it has blanks; other tools put the time behind that.
    fn name(&self, rest: &[u8]) -> Result<Named, DiffError> {
        let start = if rest.starts_with(b"\"") { quoted_end(rest).unwrap_or(0) } else { 0 };
        let tab = rest[start..].iter().position(|&byte| byte == b'\t');
        match unquoted(&rest[..tab.map_or(rest.len(), |tab| start + tab)]) {
            Some(path) if path == b"/dev/null" => Ok(Named::Nothing),
            // As `diff -r` names what it finds below the working folder.
            Some(path) if !path.is_empty() => Ok(Named::File(path.strip_prefix(b"./").unwrap_or(&path).to_vec())),
            _ => self.fail("a path that cannot be read"),
        }
    }

    fn finish_entry(&mut self) -> Result<(), DiffError> {
        let Some(Entry { both, old, new, mut change, submodule }) = self.entry.take() else { return Ok(()) };
        change.whole |= submodule;
        let names = &mut self.change.names;
        names.extend(change.from.clone());
        let paths = match (old, new) {
            (Some(Named::Nothing), Some(Named::Nothing)) => return self.fail("a change from nothing to nothing"),
            (Some(Named::File(old)), Some(Named::Nothing)) => {
                names.extend(readings(&old));
                names.extend(both);
                return Ok(());
            }
            (None, Some(Named::Nothing)) => {
                names.extend(both);
                return Ok(());
            }
            (Some(Named::File(old)), Some(Named::File(new))) => match without_prefixes(&old, &new) {
                Some((old, new)) => {
                    names.push(old);
                    vec![new]
                }
                None => {
                    names.push(old);
                    vec![new]
                }
            },
            (Some(Named::Nothing) | None, Some(Named::File(new))) => match both {
                Some(path) => vec![path],
                None => readings(&new),
            },
            (_, None) => match both {
                Some(path) => vec![path],
                None => return self.fail("a file whose name cannot be read"),
            },
        };
        for path in paths {
            names.push(path.clone());
            let file = self.change.files.entry(path).or_default();
            file.whole |= change.whole;
            file.from = file.from.take().or(change.from.clone());
            file.lines.extend(&change.lines);
        }
        Ok(())
    }

    fn end(mut self) -> Result<Change, DiffError> {
        if self.owed != (0, 0) {
            return self.fail("the diff ends inside a hunk; pass the whole diff");
        }
        self.close_run();
        self.finish_entry()?;
        Ok(self.change)
    }
}

/// The first part of a path is one letter, as git writes before paths (`a/`, `b/`, `i/`, `w/` …).
fn prefixed(path: &[u8]) -> Option<(u8, &[u8])> {
    match path {
        [letter @ (b'a' | b'b' | b'c' | b'i' | b'o' | b'w'), b'/', rest @ ..] if !rest.is_empty() => {
            Some((*letter, rest))
        }
        _ => None,
    }
}

/// Both paths without git's prefixes; `None` when they have none.
fn without_prefixes(old: &[u8], new: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let ((left, old), (right, new)) = (prefixed(old)?, prefixed(new)?);
    (left != right).then(|| (old.to_vec(), new.to_vec()))
}

/// What a path may mean of which nothing tells whether it has a prefix: both, so that nothing is missed.
fn readings(path: &[u8]) -> Vec<Vec<u8>> {
    let rest = prefixed(path).map(|(_, rest)| rest.to_vec());
    rest.into_iter().chain([path.to_vec()]).collect()
}

/// The path on `diff --git a/PATH b/PATH`; `None` when the two differ or have no prefixes, which later lines then settle.
fn same_name(rest: &[u8]) -> Option<Vec<u8>> {
    let (old, new) = match rest.strip_prefix(b"\"") {
        Some(_) => {
            let end = quoted_end(rest)?;
            (unquoted(&rest[..end])?, unquoted(rest[end..].strip_prefix(b" ")?)?)
        }
        None => {
            let middle = rest.len() / 2;
            (rest.get(middle) == Some(&b' ')).then_some(())?;
            (rest[..middle].to_vec(), rest[middle + 1..].to_vec())
        }
    };
    match without_prefixes(&old, &new) {
        Some((old, new)) => (old == new).then_some(new),
        None => (old == new).then_some(new),
    }
}

/// Where a quoted path ends, behind its closing mark.
fn quoted_end(text: &[u8]) -> Option<usize> {
    let mut at = 1;
    while *text.get(at)? != b'"' {
        at += if text[at] == b'\\' { 2 } else { 1 };
    }
    Some(at + 1)
}

/// A path as it is: git quotes those with control characters, quotation marks and backslashes as C does.
fn unquoted(text: &[u8]) -> Option<Vec<u8>> {
    if !text.starts_with(b"\"") {
        return Some(text.to_vec());
    }
    let inside = text.get(1..quoted_end(text)? - 1).filter(|inside| inside.len() + 2 == text.len())?;
    let mut path = Vec::with_capacity(inside.len());
    let mut bytes = inside.iter().copied();
    while let Some(byte) = bytes.next() {
        if byte != b'\\' {
            path.push(byte);
            continue;
        }
        path.push(match bytes.next()? {
            b'a' => 7,
            b'b' => 8,
            b't' => b'\t',
            b'n' => b'\n',
            b'v' => 11,
            b'f' => 12,
            b'r' => b'\r',
            byte @ (b'"' | b'\\') => byte,
            first @ b'0'..=b'3' => {
                let mut digit = || bytes.next().filter(|byte| (b'0'..=b'7').contains(byte)).map(|byte| byte - b'0');
                (first - b'0') * 64 + digit()? * 8 + digit()?
            }
            _ => return None,
        });
    }
    Some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(diff: &str, path: &str) -> Vec<(u32, u32)> {
        let change = Change::read(diff.as_bytes()).expect("a good diff");
        change.of(path.as_bytes()).map(|file| file.lines.clone()).unwrap_or_default()
    }

    const HEAD: &str = "diff --git a/x b/x\nindex 1..2 100644\n--- a/x\n+++ b/x\n";

    #[test]
    fn lines_are_those_of_the_new_file() {
        for (hunks, expected, remark) in [
            ("@@ -1,3 +1,4 @@\n a\n+b\n c\n d\n", vec![(2, 2)], "a new line"),
            ("@@ -2 +2 @@ more words\n-a\n+b\n", vec![(2, 2)], "an altered line without context"),
            ("@@ -5,2 +4,0 @@\n-a\n-b\n", vec![(4, 5)], "removed lines: their neighbours"),
            ("@@ -1,2 +0,0 @@\n-a\n-b\n", vec![(1, 1)], "the first lines are removed"),
            ("@@ -1,3 +1,2 @@\n a\n-b\n c\n", vec![(1, 2)], "removed between context"),
            ("@@ -1,2 +1,3 @@\n-a\n+b\n+c\n d\n@@ -9,0 +10,2 @@\n+e\n+f\n", vec![(1, 2), (10, 11)], "two hunks"),
            ("@@ -1 +1,2 @@\n-a\n+++ b/y\n+@@ -9 +9 @@\n", vec![(1, 2)], "content that looks like headers"),
            (
                "@@ -1 +1 @@\n-a\n\\ No newline at end of file\n+b\n\\ No newline at end of file\n",
                vec![(1, 1)],
                "no newline",
            ),
            ("@@ -1,3 +1,3 @@\n a\n\n-b\n+c\n", vec![(3, 3)], "a blank context line that lost its blank"),
            ("@@ -1,2 +1,2 @@\r\n a\r\n-b\r\n+c\r\n", vec![(2, 2)], "CRLF"),
        ] {
            assert_eq!(lines(&format!("{HEAD}{hunks}"), "x"), expected, "{remark}");
        }
    }

    #[test]
    fn every_way_to_name_a_file_is_read() {
        let hunk = "@@ -1 +1 @@\n-a\n+b\n";
        for (head, path, remark) in [
            ("diff --git a/d e/f b/d e/f\n--- a/d e/f\t\n+++ b/d e/f\t\n", "d e/f", "blanks"),
            (
                "diff --git \"a/\\303\\274\\t\" \"b/\\303\\274\\t\"\n--- \"a/\\303\\274\\t\"\n+++ \"b/\\303\\274\\t\"\n",
                "ü\t",
                "octal",
            ),
            (
                "diff --git \"a/q\\\"\\\\\" \"b/q\\\"\\\\\"\n--- \"a/q\\\"\\\\\"\n+++ \"b/q\\\"\\\\\"\n",
                "q\"\\",
                "quotation marks",
            ),
            ("diff --git \"a/\\t x\" \"b/\\t x\"\n--- \"a/\\t x\"\t\n+++ \"b/\\t x\"\t\n", "\t x", "a tab and a blank"),
            ("diff --git i/x w/x\n--- i/x\n+++ w/x\n", "x", "mnemonic prefixes"),
            ("diff --git x x\n--- x\n+++ x\n", "x", "no prefixes"),
            ("diff --git b/x b/x\n--- b/x\n+++ b/x\n", "b/x", "no prefixes, a folder that looks like one"),
            ("diff --git b/x b/x\nnew file mode 100644\n--- /dev/null\n+++ b/x\n", "b/x", "the same, a new file"),
            ("--- x.orig\t2026-01-01 00:00:00\n+++ x\t2026-01-02 00:00:00\n", "x", "diff -u"),
            (
                "diff -ru ../old/x ./x\n--- ../old/x\t2026-01-01 00:00:00\n+++ ./x\t2026-01-02 00:00:00\n",
                "x",
                "diff -ru",
            ),
            ("Index: x\n===\n--- a/x\n+++ b/x\n", "x", "other tools"),
            (
                "diff --git a/old b/new\nsimilarity index 90%\nrename from old\nrename to new\n--- a/old\n+++ b/new\n",
                "new",
                "renamed",
            ),
            ("diff --git a/a b/b b/a b/b\n--- a/a b/b\t\n+++ b/a b/b\t\n", "a b/b", "a path that looks like two"),
        ] {
            assert_eq!(lines(&format!("{head}{hunk}"), path), [(1, 1)], "{remark}");
        }
    }

    #[test]
    fn changes_without_lines_count_as_they_must() {
        let change = Change::read(
            b"diff --git a/bin b/bin\nindex 1..2 100644\nBinary files a/bin and b/bin differ\n\
              diff --git a/mode b/mode\nold mode 100644\nnew mode 100755\n\
              diff --git a/old b/new\nsimilarity index 100%\nrename from old\nrename to new\n\
              diff --git a/src b/copy\nsimilarity index 100%\ncopy from src\ncopy to copy\n\
              diff --git a/gone b/gone\ndeleted file mode 100644\nindex 1..0\n--- a/gone\n+++ /dev/null\n@@ -1 +0,0 @@\n-x\n\
              diff --git a/empty b/empty\nnew file mode 100644\nindex 0..e\n\
              diff --git a/sub b/sub\nindex 1..2 160000\n--- a/sub\n+++ b/sub\n@@ -1 +1 @@\n-Subproject commit 1\n+Subproject commit 2\n\
              diff --git a/void b/void\ndeleted file mode 100644\nindex e..0\n",
        )
        .expect("a good diff");
        let whole = |path: &str| change.of(path.as_bytes()).map(|file| file.whole);
        for (path, expected, remark) in [
            ("bin", Some(true), "which bytes changed is not said"),
            ("mode", Some(false), "no line is touched"),
            ("new", Some(false), "nor by a new name"),
            ("old", None, "is gone"),
            ("copy", Some(true), "all of it is new"),
            ("src", None, "was only read"),
            ("gone", None, "deleted"),
            ("empty", Some(false), "has no lines"),
            ("sub/a/b", Some(true), "below a submodule"),
            ("subject", None, "another name"),
        ] {
            assert_eq!(whole(path), expected, "{path}: {remark}");
        }
        assert_eq!(change.of(b"new").and_then(|file| file.from.as_deref()), Some(&b"old"[..]));
        for (path, expected) in
            [("old", true), ("gone", true), ("void", true), ("sub", true), ("go", false), ("other", false)]
        {
            assert_eq!(change.names(path.as_bytes()), expected, "{path}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        for (diff, line, remark) in [
            ("@@ -1 +1 @@\n-a\n+b\n".to_string(), 1, "a hunk of no file"),
            (format!("{HEAD}@@ -1,9 +1,9 @@\n-a\n+b\ndiff --git a/y b/y\n"), 8, "a hunk that would swallow a file"),
            (format!("{HEAD}@@ -1,9 +1,9 @@\n-a\n"), 6, "a diff that was cut off"),
            (format!("{HEAD}@@ -1 +1,0 @@\n-a\n+b\n@@ -x @@\n"), 8, "numbers that are none"),
            (format!("{HEAD}@@ -1,2 +1 @@\n-a\n+b\n+c\n"), 8, "more lines than it says"),
            ("diff --cc x\n".to_string(), 1, "a merge"),
            ("\x1b[1mdiff --git a/x b/x\x1b[m\n".to_string(), 1, "colours"),
            (format!("{HEAD}@@ -1,2 +1,2 @@\n a\n [-b-]{{+c+}}\n"), 7, "words instead of lines"),
            ("+++ b/x\n@@ -1 +1 @@\n-a\n+b\n".to_string(), 1, "half a header"),
            ("--- a/x\n+++ \"b/\\9\"\n".to_string(), 2, "an unknown escape"),
            ("diff --git a/x b/y\nold mode 1\n".to_string(), 2, "no name"),
            (format!("{HEAD}@@ -1 +99999999999 @@\n-a\n+b\n"), 5, "a number beyond every file"),
        ] {
            assert_eq!(Change::read(diff.as_bytes()).map_err(|error| error.line), Err(line), "{remark}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_crash_the_reader(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..400)) {
            let _ = Change::read(&bytes);
        }

        #[test]
        fn no_mixture_of_lines_crashes_the_reader(picks in proptest::collection::vec(0usize..14, 0..40)) {
            const LINES: [&str; 14] = ["diff --git a/x b/x", "--- a/x", "+++ b/x", "@@ -1 +1 @@", "@@ -0,0 +1,2 @@",
                "-a", "+b", " c", "\\ No newline", "rename from y", "rename to \"z\\", "deleted file mode 1", "", "index 1..2 160000"];
            let text: Vec<&str> = picks.iter().map(|&pick| LINES[pick]).collect();
            let _ = Change::read(text.join("\n").as_bytes());
        }
    }
}
