//! Where reports go: standard output, and files that appear whole or not at all.

use super::exit::Failure;
use super::staged::Staged;
use crate::discover::walk::folder_of;
use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Reports are no secrets: the usual permissions of new files, less the user's umask.
const MODE: u32 = 0o666;

/// A report file in the making: gathered out of sight, put in place when complete.
pub(super) enum ReportFile {
    /// A file in the making, and where it will stand.
    Staged(Staged, PathBuf),
    /// A destination that is no regular file (`/dev/stderr`, a pipe), written directly.
    Direct(File, PathBuf),
}

impl ReportFile {
    /// Opens the destination, so that a bad path is known before anything is checked.
    pub(super) fn create(path: &Path) -> Result<Self, Failure> {
        // Elsewhere it is standard input or output, so nobody means a file of this name.
        if path.as_os_str() == "-" {
            let message = "cannot write -: standard output takes what --format says; ./- is a file of that name";
            return Err(Failure::Usage(message.into()));
        }
        let fail = |error: io::Error| unwritable(path, &error);
        match fs::metadata(path) {
            Ok(metadata) if metadata.is_dir() => {
                Err(Failure::Usage(format!("cannot write {}: it is a folder", path.display())))
            }
            Ok(metadata) if !metadata.is_file() => {
                let file = OpenOptions::new().write(true).open(path).map_err(fail)?;
                Ok(ReportFile::Direct(file, path.to_path_buf()))
            }
            _ => {
                let staged = Staged::beside(path, MODE).map_err(fail)?;
                Ok(ReportFile::Staged(staged, path.to_path_buf()))
            }
        }
    }

    /// The file that it takes the place of, and what tells that from others; `None` where there is none.
    pub(super) fn replaces(&self) -> Option<(&Path, (u64, u64))> {
        match self {
            ReportFile::Staged(_, path) => Some((path, id_of(path)?)),
            ReportFile::Direct(..) => None,
        }
    }

    /// A second handle for the renderer.
    pub(super) fn writer(&self) -> Result<File, Failure> {
        let file = match self {
            ReportFile::Staged(staged, _) => staged.file(),
            ReportFile::Direct(file, _) => file,
        };
        Ok(file.try_clone()?)
    }

    /// Makes the report durable and visible.
    pub(super) fn publish(self) -> Result<(), Failure> {
        match self {
            ReportFile::Direct(mut file, path) => file.flush().map_err(|error| unwritable(&path, &error)),
            ReportFile::Staged(staged, path) => staged.publish(&path, true).map_err(|error| unwritable(&path, &error)),
        }
    }
}

/// Device and number of a file, links followed.
pub(super) fn id_of(path: &Path) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    fs::metadata(path).ok().map(|metadata| (metadata.dev(), metadata.ino()))
}

/// Refuses files of which one would take the place of another.
pub(super) fn distinct(files: &[&ReportFile]) -> Result<(), Failure> {
    let mut places = BTreeSet::new();
    for file in files {
        let ReportFile::Staged(_, path) = file else { continue };
        let folder = fs::canonicalize(folder_of(path)).unwrap_or_default();
        if !places.insert((folder, path.file_name())) {
            return Err(Failure::Usage(format!(
                "cannot write {} twice; give every output a file of its own",
                path.display()
            )));
        }
    }
    Ok(())
}

/// The system's reason without the name of the temporary file, which says nothing to users.
fn unwritable(path: &Path, error: &io::Error) -> Failure {
    let reason = match error.kind() {
        io::ErrorKind::NotFound => "its folder does not exist".to_string(),
        io::ErrorKind::PermissionDenied => "no permission to write there".to_string(),
        _ => error.to_string(),
    };
    Failure::Usage(format!("cannot write {}: {reason}", path.display()))
}

/// Prints text to standard output in one piece.
pub(super) fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    Ok(out.flush()?)
}
