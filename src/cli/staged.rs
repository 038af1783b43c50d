//! A file in the making that takes its place when it is complete: the old file or the whole new one is there, never
//! anything else, and a run that is killed leaves nothing behind where the system can do that.

use crate::discover::walk::folder_of;
use std::fs::{self, File};
use std::io::{self, Seek};
use std::path::{Path, PathBuf};

/// Content on its way to a path.
pub(super) enum Staged {
    /// A file that has no name yet.
    #[cfg(target_os = "linux")]
    Unnamed(File),
    /// A file beside the destination, where the system knows no other way.
    Named(tempfile::NamedTempFile),
}

impl Staged {
    /// A new file in the folder of `path`, with this mode less the user's umask.
    pub(super) fn beside(path: &Path, mode: u32) -> io::Result<Self> {
        #[cfg(target_os = "linux")]
        {
            use rustix::fs::{Mode, OFlags};
            let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
            if let Ok(file) = rustix::fs::open(folder_of(path), flags, Mode::from_raw_mode(mode)) {
                return Ok(Staged::Unnamed(file.into()));
            }
        }
        named(path, mode).map(Staged::Named)
    }

    /// The file.
    pub(super) fn file(&self) -> &File {
        match self {
            #[cfg(target_os = "linux")]
            Staged::Unnamed(file) => file,
            Staged::Named(named) => named.as_file(),
        }
    }

    /// Gives the complete content its name; `over` says whether a file of this name is replaced. Fails otherwise when
    /// there is one.
    pub(super) fn publish(self, path: &Path, over: bool) -> io::Result<()> {
        self.file().sync_all()?;
        match self {
            #[cfg(target_os = "linux")]
            Staged::Unnamed(file) => match link(&file, path, over) {
                // Without /proc an unnamed file cannot be given a name.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    copy_to_named(file, path)?.place(path, over)?
                }
                linked => linked?,
            },
            Staged::Named(named) => named.place(path, over)?,
        }
        // The name itself is durable once the folder is; some file systems cannot sync folders.
        if let Ok(folder) = File::open(folder_of(path)) {
            let _ = folder.sync_all();
        }
        Ok(())
    }
}

trait Place {
    fn place(self, path: &Path, over: bool) -> io::Result<()>;
}

impl Place for tempfile::NamedTempFile {
    fn place(self, path: &Path, over: bool) -> io::Result<()> {
        let placed = if over { self.persist(path) } else { self.persist_noclobber(path) };
        placed.map(|_| ()).map_err(|error| error.error)
    }
}

fn named(path: &Path, mode: u32) -> io::Result<tempfile::NamedTempFile> {
    use std::os::unix::fs::PermissionsExt;
    let permissions = fs::Permissions::from_mode(mode);
    tempfile::Builder::new().prefix(".tokenvet-").permissions(permissions).tempfile_in(folder_of(path))
}

#[cfg(target_os = "linux")]
fn copy_to_named(mut file: File, path: &Path) -> io::Result<tempfile::NamedTempFile> {
    let mut copy = named(path, 0o600)?;
    file.rewind()?;
    io::copy(&mut file, copy.as_file_mut())?;
    copy.as_file().set_permissions(file.metadata()?.permissions())?;
    copy.as_file().sync_all()?;
    Ok(copy)
}

/// Names an unnamed file. A name that is taken can only be replaced by a file that has one already.
#[cfg(target_os = "linux")]
fn link(file: &File, path: &Path, over: bool) -> io::Result<()> {
    use rustix::fs::{AtFlags, CWD, linkat};
    use std::os::fd::AsRawFd;
    let unnamed = format!("/proc/self/fd/{}", file.as_raw_fd());
    let name = |path: &Path| linkat(CWD, unnamed.as_str(), CWD, path, AtFlags::SYMLINK_FOLLOW).map_err(io::Error::from);
    if !over {
        return name(path);
    }
    // A run that was killed right here may have had our number.
    let names = (0..16).map(|n| folder_of(path).join(format!(".tokenvet-{}-{n}", std::process::id())));
    let mut taken = io::Error::from(io::ErrorKind::AlreadyExists);
    let free = |beside: &PathBuf| name(beside).map_err(|error| taken = error).is_ok();
    let mut names = names;
    let Some(beside) = names.find(free) else { return Err(taken) };
    fs::rename(&beside, path).inspect_err(|_| {
        let _ = fs::remove_file(&beside);
    })
}
