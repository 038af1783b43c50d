//! Where reports go: standard output, and files that appear whole or not at all.

use super::exit::Failure;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;

/// A report file in the making: written beside its destination, moved there when complete.
pub(super) enum ReportFile {
    /// A temporary file and where it will go.
    Staged(NamedTempFile, PathBuf),
    /// A destination that is no regular file (`/dev/stderr`, a pipe), written directly.
    Direct(File, PathBuf),
}

impl ReportFile {
    /// Opens the destination, so that a bad path is known before anything is checked.
    pub(super) fn create(path: &Path) -> Result<Self, Failure> {
        let fail = |error: io::Error| Failure::Usage(format!("cannot write {}: {error}", path.display()));
        match fs::metadata(path) {
            Ok(metadata) if metadata.is_dir() => {
                Err(Failure::Usage(format!("cannot write {}: it is a folder", path.display())))
            }
            Ok(metadata) if !metadata.is_file() => {
                let file = OpenOptions::new().write(true).open(path).map_err(fail)?;
                Ok(ReportFile::Direct(file, path.to_path_buf()))
            }
            _ => {
                let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
                let staged = tempfile::Builder::new()
                    .prefix(".tokenvet-")
                    .permissions(permissions())
                    .tempfile_in(folder.unwrap_or(Path::new(".")));
                Ok(ReportFile::Staged(staged.map_err(fail)?, path.to_path_buf()))
            }
        }
    }

    /// A second handle for the renderer.
    pub(super) fn writer(&self) -> Result<File, Failure> {
        let file = match self {
            ReportFile::Staged(file, _) => file.as_file(),
            ReportFile::Direct(file, _) => file,
        };
        Ok(file.try_clone()?)
    }

    /// Makes the report durable and visible.
    pub(super) fn publish(self) -> Result<(), Failure> {
        let (ReportFile::Staged(_, path) | ReportFile::Direct(_, path)) = &self;
        let path = path.clone();
        let fail = |error: io::Error| Failure::Usage(format!("cannot write {}: {error}", path.display()));
        match self {
            ReportFile::Direct(mut file, _) => file.flush().map_err(fail),
            ReportFile::Staged(file, path) => {
                file.as_file().sync_all().map_err(fail)?;
                file.persist(&path).map_err(|error| fail(error.error))?;
                // The rename itself is durable once the folder is; some file systems cannot sync folders.
                if let Some(folder) = path.parent().and_then(|folder| File::open(folder).ok()) {
                    let _ = folder.sync_all();
                }
                Ok(())
            }
        }
    }
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
