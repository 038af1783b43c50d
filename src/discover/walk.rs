//! Walking the file system: named paths, trees, and reading files that may be anything.

use super::several;
use crate::source::{DecodeError, MAX_SOURCE_BYTES, Source, mask};
use std::cmp::Ordering;
use std::fs::{self, File, OpenOptions};
use std::io::Read;
use std::path::{Path, PathBuf};

/// One input to check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input {
    /// Its path; its name where that is no part of the path. Of a large tree these are most of what is in memory.
    text: Box<str>,
    /// Where its name begins there.
    name_at: u8,
    /// Where to open it, when that is not `text`.
    path: Option<Box<PathBuf>>,
    named: bool,
}

impl Input {
    /// An input that the user named; `-` is standard input.
    pub fn named(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        match path.as_os_str() == "-" {
            true => Input { text: "<stdin>".into(), name_at: 0, path: Some(Box::new(path)), named: true },
            false => Input { named: true, ..Input::found(path) },
        }
    }

    /// A file that the user did not name.
    pub fn found(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        let name = name_of(&path);
        match path.to_str().filter(|text| text.ends_with(&name)).map(|text| text.len() - name.len()) {
            Some(before @ (0 | 2)) => {
                let text = path.into_os_string().into_string().unwrap_or(name).into();
                Input { text, name_at: before as u8, path: None, named: false }
            }
            _ => Input { text: name.into(), name_at: 0, path: Some(Box::new(path)), named: false },
        }
    }

    /// One that is known by its name for reports alone, which is all there is to open it by.
    pub fn told(name: impl Into<Box<str>>, named: bool) -> Self {
        Input { text: name.into(), name_at: 0, path: None, named }
    }

    /// Where to open it; `-` is standard input.
    pub fn path(&self) -> &Path {
        self.path.as_ref().map_or(Path::new(&*self.text), |path| path.as_path())
    }

    /// Name for reports, with `/` separators.
    pub fn name(&self) -> &str {
        &self.text[usize::from(self.name_at)..]
    }

    /// Did the user name it, as opposed to finding it in a tree?
    pub fn is_named(&self) -> bool {
        self.named
    }

    /// The order of reports, by name; of one name the input that the user named comes first.
    pub fn by_name(&self, other: &Self) -> Ordering {
        self.name().cmp(other.name()).then(other.named.cmp(&self.named))
    }

    /// Is it standard input?
    pub fn is_stdin(&self) -> bool {
        self.path().as_os_str() == "-"
    }
}

/// A path that could not be walked or read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    /// Name for reports.
    pub name: String,
    /// What is wrong and what to do.
    pub message: String,
    /// True when the file could be opened but its content is no text (binary, another encoding).
    pub content: bool,
}

/// What a set of paths holds, sorted by name.
#[derive(Debug, Default)]
pub struct Found {
    /// Files to check.
    pub inputs: Vec<Input>,
    /// Paths that could not be walked.
    pub unreadable: Vec<Unreadable>,
    /// Links, sockets, pipes and devices met in trees and left alone.
    pub skipped: u64,
}

impl Found {
    /// Without the files of trees that are no configuration by their names: they are skipped.
    pub fn configuration(mut self) -> Self {
        let all = self.inputs.len();
        self.inputs.retain(|input| input.is_named() || !super::is_no_configuration(input.name()));
        self.skipped += (all - self.inputs.len()) as u64;
        self
    }
}

/// The name of a path in reports. A path that holds a token (a token given in place of a file) is shown without what
/// is secret of it.
pub fn name_of(path: &Path) -> String {
    let text = path.to_string_lossy();
    let text = text.strip_prefix("./").unwrap_or(&text);
    let shown = mask::redact(text);
    if shown.contains('\\') { shown.replace('\\', "/") } else { shown.into_owned() }
}

/// Expands paths: files are taken as they are, folders are walked. `.gitignore` counts and `.git` is left out; hidden
/// files are read, since `.well-known` is one. Links inside a tree are not followed.
pub fn walk(paths: &[PathBuf], ignored: &dyn Fn(&Path, bool) -> bool) -> Found {
    let mut found = Found::default();
    for path in paths {
        if path.as_os_str() == "-" {
            found.inputs.push(Input::named(path));
            continue;
        }
        match fs::metadata(path) {
            Ok(metadata) if metadata.is_dir() => walk_tree(path, ignored, &mut found),
            // Anything else is opened, and refused there with the reason when it is no regular file.
            Ok(_) => found.inputs.push(Input::named(path)),
            // A pattern in quotes, which the shell left as it is.
            Err(_) if let Some(paths) = several::expand(path).filter(|paths| !paths.is_empty()) => {
                for path in paths {
                    match path.is_dir() {
                        true => walk_tree(&path, ignored, &mut found),
                        false => found.inputs.push(Input::named(path)),
                    }
                }
            }
            Err(error) => {
                let message = match mask::redact(&path.to_string_lossy()) != path.to_string_lossy() {
                    true => "a token as an argument can be seen by every user of this machine (ps); pass it on \
                             standard input, with `-` as the path"
                        .into(),
                    false => describe(&error, path),
                };
                found.unreadable.push(Unreadable { name: name_of(path), message, content: false });
            }
        }
    }
    // Names of others are alike only where they are no text. Sorted in place, since the list may be long.
    found.inputs.sort_unstable_by(|a, b| a.by_name(b).then_with(|| a.path().cmp(b.path())));
    found.unreadable.sort_by(|a, b| (&a.name, &a.message).cmp(&(&b.name, &b.message)));
    // The same file named twice, also as `./x` and `x`, is one input.
    let plain = |path: &Path| path.strip_prefix(".").map_or_else(|_| path.to_path_buf(), Path::to_path_buf);
    found.inputs.dedup_by(|a, b| a.name() == b.name() && plain(a.path()) == plain(b.path()));
    found.inputs.shrink_to_fit();
    found
}

fn walk_tree(root: &Path, ignored: &dyn Fn(&Path, bool) -> bool, found: &mut Found) {
    let mut builder = ignore::WalkBuilder::new(root);
    // What one user has git ignore everywhere must not change a result.
    builder.hidden(false).follow_links(false).require_git(false).git_global(false);
    builder.filter_entry(|entry| entry.file_name() != ".git");
    for entry in builder.build() {
        match entry {
            Ok(entry) => {
                let Some(kind) = entry.file_type() else { continue };
                if ignored(entry.path(), kind.is_dir()) || kind.is_dir() {
                    continue;
                }
                if kind.is_file() {
                    found.inputs.push(Input::found(entry.into_path()));
                } else {
                    found.skipped += 1;
                }
            }
            Err(error) => {
                let name = match &error {
                    ignore::Error::WithPath { path, .. } => name_of(path),
                    _ => name_of(root),
                };
                let message = match error.io_error() {
                    Some(error) => describe(error, root),
                    None => "cannot be walked: a loop of links, or a broken ignore file".to_string(),
                };
                found.unreadable.push(Unreadable { name, message, content: false });
            }
        }
    }
}

/// An input that is open to be read as bytes.
pub struct Opened {
    /// Its bytes.
    pub bytes: Box<dyn Read>,
    /// Its length in bytes when it was opened; `None` for standard input.
    pub length: Option<u64>,
    /// When it was last modified, in seconds since 1970; `None` for standard input.
    pub modified: Option<i64>,
    /// Tells what happened to a file while it was read.
    pub watch: Option<Watch>,
}

/// A file that is being read, to see what others do to it meanwhile.
pub struct Watch {
    file: File,
    path: PathBuf,
    length: u64,
}

impl Watch {
    /// What happened to the file since it was opened that keeps the report from being whole; `None` when nothing did.
    pub fn changed(&self) -> Option<String> {
        let now = self.file.metadata().ok()?;
        if now.len() < self.length {
            return Some(format!(
                "it was cut from {} to {} bytes while it was being read; what was gone by then is not in this report: \
                 scan the file that its content was moved to",
                self.length,
                now.len()
            ));
        }
        let moved = match fs::metadata(&self.path) {
            Ok(there) => identity(&there) != identity(&now),
            Err(_) => true,
        };
        moved.then(|| {
            "it was moved away or replaced while it was being read; all of it was read, but not what has its name \
             now: scan again"
                .into()
        })
    }
}

/// What tells a file from all others, whatever its name. `None` where the system has no such thing.
pub(crate) fn identity(metadata: &fs::Metadata) -> Option<(u64, u64)> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        Some((metadata.dev(), metadata.ino()))
    }
    #[cfg(not(unix))]
    {
        let _ = metadata;
        None
    }
}

/// The length of a file in bytes, as far as the system says; 0 for anything else.
pub fn length_of(input: &Input) -> u64 {
    fs::metadata(input.path()).ok().filter(fs::Metadata::is_file).map_or(0, |metadata| metadata.len())
}

/// When an input was last modified, in seconds since 1970, as far as the system says.
pub fn modified(input: &Input) -> Option<i64> {
    seconds(fs::metadata(input.path()).ok().filter(fs::Metadata::is_file)?.modified().ok()?)
}

/// Opens an input to be read as bytes, as many as there are now. Only regular files are opened, and standard input.
pub fn stream(input: &Input) -> Result<Box<dyn Read>, Unreadable> {
    opened(input).map(|opened| opened.bytes)
}

/// Opens an input like [`stream`], with what is known of it.
pub fn opened(input: &Input) -> Result<Opened, Unreadable> {
    if input.is_stdin() {
        return Ok(Opened { bytes: Box::new(std::io::stdin().lock()), length: None, modified: None, watch: None });
    }
    let (file, metadata) = regular(input)?;
    let length = metadata.len();
    let modified = metadata.modified().ok().and_then(seconds);
    let watch = file.try_clone().ok().map(|file| Watch { file, path: input.path().to_path_buf(), length });
    // A log may grow faster than it is read. Files of the system (`/proc`) do not know their length.
    let bytes = file.take(if length == 0 { u64::MAX } else { length });
    Ok(Opened { bytes: Box::new(bytes), length: Some(length), modified, watch })
}

/// Opens an input that is read from any place on, with its length in bytes. Only regular files are.
pub fn seekable(input: &Input) -> Result<(File, u64, Option<Watch>), Unreadable> {
    let (file, metadata) = regular(input)?;
    let length = metadata.len();
    let watch = file.try_clone().ok().map(|file| Watch { file, path: input.path().to_path_buf(), length });
    Ok((file, length, watch))
}

/// Seconds since 1970, negative before it.
fn seconds(time: std::time::SystemTime) -> Option<i64> {
    match time.duration_since(std::time::UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_secs()).ok(),
        Err(before) => i64::try_from(before.duration().as_secs()).ok().map(|before| -before),
    }
}

/// An open regular file and what the system says of it.
pub(crate) fn regular(input: &Input) -> Result<(File, fs::Metadata), Unreadable> {
    let fail = |message: String| Unreadable { name: input.name().to_string(), message, content: false };
    let file = open_file(input.path()).map_err(|error| fail(describe(&error, input.path())))?;
    let metadata = file.metadata().map_err(|error| fail(describe(&error, input.path())))?;
    match metadata.is_file() {
        true => Ok((file, metadata)),
        false => Err(fail("not a regular file (a folder, pipe, socket or device); use `-` to read a pipe".into())),
    }
}

/// An input that was opened.
pub enum Taken {
    /// It is no larger than it may be to be read as a whole.
    Read(Source),
    /// A larger one, or standard input, of which nobody knows how large it is: a source without text that knows what the
    /// system says of the file, and what it is read from.
    Large(Source, Box<dyn Read + Send>),
}

/// Opens an input; up to `whole` bytes it is read at once. Only regular files are opened, see [`read`].
pub fn take(input: &Input, whole: u64) -> Result<Taken, Unreadable> {
    if input.is_stdin() {
        return Ok(Taken::Large(Source::from_text(input.name(), ""), Box::new(std::io::stdin())));
    }
    let (file, metadata) = regular(input)?;
    if metadata.len() <= whole {
        return read_regular(input, file, &metadata).map(Taken::Read);
    }
    let frame = Source::from_text(input.name(), "").opened_to_all(mode_opens_to_all(&metadata));
    Ok(Taken::Large(frame, Box::new(file)))
}

/// Reads an input to its end of which `read` gives a part and the rest; nothing where it gives nothing back.
pub fn read_rest(
    input: &Input,
    frame: &Source,
    read: std::io::Result<Option<crate::parse::flow::Rest>>,
) -> Result<Option<Source>, Unreadable> {
    let fail =
        |error| Unreadable { name: input.name().to_string(), message: describe(&error, input.path()), content: false };
    let Some((mut bytes, rest)) = read.map_err(fail)? else { return Ok(None) };
    let room = (MAX_SOURCE_BYTES + 1).saturating_sub(bytes.len() as u64);
    rest.take(room).read_to_end(&mut bytes).map_err(fail)?;
    Ok(Some(decode(input, bytes)?.opened_to_all(frame.open_to_all())))
}

/// Reads an input. Only regular files are opened, so that a pipe or device never blocks; the descriptor that was
/// examined is the one that is read.
pub fn read(input: &Input) -> Result<Source, Unreadable> {
    if !input.is_stdin() {
        let (file, metadata) = regular(input)?;
        return read_regular(input, file, &metadata);
    }
    let mut bytes = Vec::new();
    match std::io::stdin().lock().take(MAX_SOURCE_BYTES + 1).read_to_end(&mut bytes) {
        Ok(_) => decode(input, bytes),
        Err(error) => {
            let message = format!("standard input: {error}");
            Err(Unreadable { name: input.name().to_string(), message, content: false })
        }
    }
}

fn read_regular(input: &Input, mut file: File, metadata: &fs::Metadata) -> Result<Source, Unreadable> {
    let limit = MAX_SOURCE_BYTES;
    let mut bytes = vec![0; usize::try_from(metadata.len().min(limit + 1)).unwrap_or(0)];
    read_whole(&mut file, &mut bytes, limit).map_err(|error| Unreadable {
        name: input.name().to_string(),
        message: describe(&error, input.path()),
        content: false,
    })?;
    Ok(decode(input, bytes)?.opened_to_all(mode_opens_to_all(metadata)))
}

fn decode(input: &Input, bytes: Vec<u8>) -> Result<Source, Unreadable> {
    let fail = |message: String| Unreadable { name: input.name().to_string(), message, content: false };
    if bytes.len() as u64 > MAX_SOURCE_BYTES {
        return Err(fail(format!("larger than {} GiB; split it", MAX_SOURCE_BYTES >> 30)));
    }
    Source::from_bytes(input.name().to_string(), bytes).map_err(|DecodeError { message, position, .. }| {
        let message = format!("line {}, column {}: {message}", position.line, position.column);
        Unreadable { content: true, ..fail(message) }
    })
}

/// Reads a file into a buffer of its length, in one go as a rule. One that is shorter or has no length of its own (below
/// `/proc`) is read to its end.
fn read_whole(file: &mut File, bytes: &mut Vec<u8>, limit: u64) -> std::io::Result<()> {
    let read = loop {
        match file.read(bytes) {
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            read => break read?,
        }
    };
    if read < bytes.len() || bytes.is_empty() {
        bytes.truncate(read);
        file.take(limit + 1 - read as u64).read_to_end(bytes)?;
    }
    Ok(())
}

/// Does the mode of a file let every user of the machine read it? `None` where there are no modes.
fn mode_opens_to_all(metadata: &fs::Metadata) -> Option<bool> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        Some(metadata.permissions().mode() & 0o004 != 0)
    }
    #[cfg(not(unix))]
    {
        let _ = metadata;
        None
    }
}

/// A folder as the system takes it: an empty path is the folder the program runs in.
pub(crate) fn here(folder: &Path) -> &Path {
    if folder.as_os_str().is_empty() { Path::new(".") } else { folder }
}

/// The folder a file stands in.
pub(crate) fn folder_of(path: &Path) -> &Path {
    path.parent().map_or(Path::new("."), here)
}

/// Whether every user of the machine can reach what lies in a folder; `None` for one that does not matter: a checkout, whose
/// modes are those of whoever checked it out.
pub fn folder_opens_to_all(folder: &Path) -> Option<bool> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let real = fs::canonicalize(here(folder)).ok()?;
        if real.ancestors().any(|above| above.join(".git").exists()) {
            return None;
        }
        let passable = |above: &Path| fs::metadata(above).is_ok_and(|found| found.permissions().mode() & 0o001 != 0);
        Some(real.ancestors().all(passable))
    }
    #[cfg(not(unix))]
    {
        let _ = folder;
        None
    }
}

pub(super) fn open_file(path: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        // A FIFO without a writer, or a terminal, must not block the run.
        let flags = rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOCTTY;
        options.custom_flags(flags.bits() as i32);
    }
    options.open(path)
}

/// The files of a folder by name, without those below it, hidden ones and links.
pub(super) fn folder_files(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let hidden = entry.file_name().as_encoded_bytes().first() == Some(&b'.');
        if !hidden && entry.file_type()?.is_file() {
            files.push(entry.path());
        }
    }
    files.sort();
    Ok(files)
}

/// Why a path could not be opened, and what to do about it.
pub(crate) fn describe(error: &std::io::Error, path: &Path) -> String {
    use std::io::ErrorKind;
    match error.kind() {
        ErrorKind::NotFound if fs::symlink_metadata(path).is_ok() => "a link that leads nowhere".into(),
        ErrorKind::NotFound => "there is no such file; check the path".into(),
        ErrorKind::PermissionDenied => "no permission to read it; run as a user who may, or leave it out".into(),
        _ if error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error()) => "a loop of links".into(),
        _ => format!("cannot be read: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(of: &[&Path]) -> Vec<PathBuf> {
        let of: Vec<PathBuf> = of.iter().map(PathBuf::from).collect();
        walk(&of, &|_, _| false).inputs.into_iter().map(|input| input.path().to_path_buf()).collect()
    }

    #[test]
    fn an_input_has_the_path_it_was_given_and_a_name_for_reports() {
        for (path, name, stdin) in [
            ("a/b.json", "a/b.json", false),
            ("./a/b.json", "a/b.json", false),
            ("/a/b.json", "/a/b.json", false),
            ("././b.json", "./b.json", false),
            ("a\\b.json", "a/b.json", false),
            ("./-", "-", false),
            ("-", "<stdin>", true),
        ] {
            let input = Input::named(path);
            assert_eq!((input.path(), input.name(), input.is_stdin()), (Path::new(path), name, stdin));
        }
        let token = format!("x/eyJhbGciOiJFUzI1NiJ9.eyJqdGkiOiJqIn0.{}", "TestSignature".repeat(7));
        let input = Input::found(&token);
        assert_eq!(input.path(), Path::new(&token));
        assert!(!input.name().contains("Signature") && !input.is_named(), "{}", input.name());
    }

    #[test]
    fn a_file_that_is_named_twice_is_one_input_whatever_the_order() {
        for names in [["Cargo.toml", "./Cargo.toml"], ["./Cargo.toml", "Cargo.toml"]] {
            assert_eq!(paths(&names.map(Path::new)), [Path::new("./Cargo.toml")], "{names:?}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn files_with_names_that_are_no_text_come_in_one_order() {
        use std::os::unix::ffi::OsStrExt;
        let folder = tempfile::tempdir().expect("a folder");
        let names: [&[u8]; 4] = [b"a\xff", b"a\xfe", b"a", b"b/a\xfe"];
        fs::create_dir(folder.path().join("b")).expect("a folder");
        for name in names {
            fs::write(folder.path().join(std::ffi::OsStr::from_bytes(name)), "{}").expect("a file");
        }
        let expected = [2, 1, 0, 3].map(|index: usize| folder.path().join(std::ffi::OsStr::from_bytes(names[index])));
        assert_eq!(paths(&[folder.path()]), expected);
    }
}
