//! Where reports go: standard output, and files that appear whole or not at all.

use super::exit::Failure;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek, Write};
use std::path::{Path, PathBuf};

/// A report file in the making: gathered out of sight, put in place when complete.
pub(super) enum ReportFile {
    /// A file without a name in the destination's folder, so that a killed run leaves nothing behind, and where its
    /// content will go.
    Staged(File, PathBuf),
    /// A destination that is no regular file (`/dev/stderr`, a pipe), written directly.
    Direct(File, PathBuf),
}

impl ReportFile {
    /// Opens the destination, so that a bad path is known before anything is checked.
    pub(super) fn create(path: &Path) -> Result<Self, Failure> {
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
                let staged = tempfile::tempfile_in(folder_of(path)).map_err(fail)?;
                Ok(ReportFile::Staged(staged, path.to_path_buf()))
            }
        }
    }

    /// A second handle for the renderer.
    pub(super) fn writer(&self) -> Result<File, Failure> {
        let (ReportFile::Staged(file, _) | ReportFile::Direct(file, _)) = self;
        Ok(file.try_clone()?)
    }

    /// Makes the report durable and visible.
    pub(super) fn publish(self) -> Result<(), Failure> {
        match self {
            ReportFile::Direct(mut file, path) => file.flush().map_err(|error| unwritable(&path, &error)),
            ReportFile::Staged(file, path) => replace(file, &path).map_err(|error| unwritable(&path, &error)),
        }
    }
}

/// Puts the content at the path: the old file or the whole new one, never anything else.
fn replace(mut content: File, path: &Path) -> io::Result<()> {
    let folder = folder_of(path);
    let mut named = tempfile::Builder::new().prefix(".tokenvet-").permissions(permissions()).tempfile_in(folder)?;
    content.rewind()?;
    io::copy(&mut content, named.as_file_mut())?;
    named.as_file().sync_all()?;
    named.persist(path).map_err(|error| error.error)?;
    // The rename itself is durable once the folder is; some file systems cannot sync folders.
    if let Ok(folder) = File::open(folder) {
        let _ = folder.sync_all();
    }
    Ok(())
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
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

/// Reports are no secrets: the usual permissions of new files, less the user's umask.
fn permissions() -> fs::Permissions {
    use std::os::unix::fs::PermissionsExt;
    fs::Permissions::from_mode(0o666)
}

/// Prints text to standard output in one piece.
pub(super) fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    Ok(out.flush()?)
}
