//! The folder of a snapshot: gathered beside its place, put there whole.

use super::Error;
use crate::adapt::snapshot::{MANIFEST_PART, PART};
use crate::discover::walk::{describe, folder_of};
use crate::hex::hex;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Metadata of the issuer.
pub(super) const METADATA: &str = "openid-configuration.json";
/// Its key set.
pub(super) const KEYS: &str = "jwks.json";
/// The caching headers of the key set.
pub(super) const KEY_HEADERS: &str = "jwks.headers.json";
/// The certificates of its server.
pub(super) const CERTIFICATES: &str = "certificates.json";
/// INDIGO IAM's clients.
pub(super) const CLIENTS: &str = "clients.json";
/// INDIGO IAM's scope policies.
pub(super) const SCOPE_POLICIES: &str = "scope-policies.json";
/// INDIGO IAM's token-exchange policies.
pub(super) const EXCHANGE_POLICIES: &str = "exchange-policies.json";
/// A Keycloak realm with its clients.
pub(super) const REALM: &str = "realm.json";
/// What was fetched.
pub(super) const MANIFEST: &str = "manifest.json";

/// Every file a snapshot may hold. Nothing that a server says becomes part of a name.
const FILES: [&str; 9] =
    [METADATA, KEYS, KEY_HEADERS, CERTIFICATES, CLIENTS, SCOPE_POLICIES, EXCHANGE_POLICIES, REALM, MANIFEST];

const LOCK: &str = ".lock";
const STATE: &str = "paging.json";

/// What the manifest says of one file. It holds nothing secret.
#[derive(Clone, Debug, Serialize)]
pub struct Entry {
    /// Name in the folder.
    pub file: &'static str,
    /// Where it came from; for pages the address without the place in the list.
    pub url: String,
    /// When it was fetched, or its first page (RFC 3339, UTC).
    pub fetched: String,
    /// HTTP status; absent where the answer is no HTTP answer (certificates).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Scope or role that the call needs; absent for public addresses.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub needs: Option<&'static str>,
    /// Number of entries of a list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entries: Option<u64>,
    /// How many secrets were withheld.
    pub withheld: usize,
    /// Length in bytes.
    pub bytes: u64,
    /// SHA-256 of the file, hexadecimal.
    pub sha256: String,
}

#[derive(Serialize)]
struct Manifest<'a> {
    #[serde(rename = "tokenvet_snapshot")]
    part: &'static str,
    issuer: &'a str,
    api: Option<&'static str>,
    tokenvet: &'static str,
    taken: String,
    files: &'a [Entry],
}

/// Does this folder hold a snapshot of what only a token shows?
pub fn holds_clients(folder: &Path) -> bool {
    let manifest = fs::read(folder.join(MANIFEST)).ok().and_then(|text| serde_json::from_slice::<Value>(&text).ok());
    manifest.is_some_and(|manifest| manifest[PART] == MANIFEST_PART && manifest["api"].is_string())
}

/// What a later run needs to go on with a list.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Paging {
    pub(super) issuer: String,
    pub(super) api: String,
    /// When the first page was fetched, in seconds since 1970.
    pub(super) started: i64,
}

/// The snapshot in the making.
pub(super) struct Staging {
    /// Where it will stand.
    target: PathBuf,
    /// Where it is gathered: beside the target, called like it with `.partial` behind.
    folder: PathBuf,
    lock: Option<File>,
    pub(super) entries: Vec<Entry>,
}

impl Staging {
    /// Prepares the folder beside `into`. What an earlier run left there goes away unless `resume` says otherwise.
    pub(super) fn open(into: &Path, resume: bool) -> Result<Self, Error> {
        let target = real(into)?;
        foreign(&target)?;
        let name = target.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let folder = target.with_file_name(format!("{name}.partial"));
        let fail = |error: io::Error| unwritable(&folder, &error);
        match private_folder(&folder) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => own_folder(&folder)?,
            made => made.map_err(fail)?,
        }
        let lock = File::create(folder.join(LOCK)).map_err(fail)?;
        if lock.try_lock().is_err() {
            return Err(Error::new(
                &folder.display().to_string(),
                "another fetch into this folder is under way; wait for it",
            ));
        }
        let staging = Staging { target, folder, lock: Some(lock), entries: Vec::new() };
        if !resume {
            staging.clear()?;
        }
        Ok(staging)
    }

    /// The state of a list that was interrupted.
    pub(super) fn paging(&self) -> Option<Paging> {
        serde_json::from_slice(&fs::read(self.folder.join(STATE)).ok()?).ok()
    }

    /// Remembers what a list is being read.
    pub(super) fn begin(&self, paging: &Paging) -> Result<(), Error> {
        let text = serde_json::to_string(paging).unwrap_or_default();
        self.write(STATE, text.as_bytes())
    }

    /// The pages that are there, in order: place of the first entry, text.
    pub(super) fn pages(&self) -> Result<Vec<(u64, PathBuf)>, Error> {
        let mut pages = Vec::new();
        for name in self.names()? {
            let start = name.strip_prefix("page-").and_then(|rest| rest.strip_suffix(".json"));
            if let Some(start) = start.and_then(|digits| digits.parse().ok()) {
                pages.push((start, self.folder.join(name)));
            }
        }
        pages.sort();
        Ok(pages)
    }

    /// Keeps a page whose first entry has this place.
    pub(super) fn page(&self, start: u64, text: &str) -> Result<(), Error> {
        // A page is whole or not there: a later run takes what it finds.
        self.write("page.tmp", text.as_bytes())?;
        let (from, to) = (self.folder.join("page.tmp"), self.folder.join(format!("page-{start:09}.json")));
        fs::rename(from, &to).map_err(|error| unwritable(&to, &error))
    }

    /// Forgets the pages.
    pub(super) fn forget_pages(&self) -> Result<(), Error> {
        for (_, path) in self.pages()? {
            fs::remove_file(&path).map_err(|error| unwritable(&path, &error))?;
        }
        Ok(())
    }

    /// A file of the snapshot that is written piece by piece.
    pub(super) fn create(&self, file: &'static str) -> Result<Hashed, Error> {
        let path = self.folder.join(file);
        let out = File::create(&path).map_err(|error| unwritable(&path, &error))?;
        Ok(Hashed { out: io::BufWriter::new(out), path, hash: Sha256::new(), bytes: 0 })
    }

    /// Writes a file of the snapshot.
    pub(super) fn add(&mut self, text: &str, entry: Entry) -> Result<(), Error> {
        let mut file = self.create(entry.file)?;
        file.write(text)?;
        self.finish(file, entry)
    }

    /// Ends a file of the snapshot.
    pub(super) fn finish(&mut self, file: Hashed, entry: Entry) -> Result<(), Error> {
        let Hashed { mut out, path, hash, bytes } = file;
        let ended = out.flush().and_then(|()| out.get_ref().sync_all());
        ended.map_err(|error| unwritable(&path, &error))?;
        self.entries.push(Entry { bytes, sha256: hex(&hash.finalize()), ..entry });
        Ok(())
    }

    /// Puts the snapshot in its place: the old one stands there whole until the new one does.
    pub(super) fn publish(
        mut self,
        issuer: &str,
        api: Option<&'static str>,
        taken: String,
    ) -> Result<Vec<Entry>, Error> {
        let manifest = Manifest {
            part: MANIFEST_PART,
            issuer,
            api,
            tokenvet: env!("CARGO_PKG_VERSION"),
            taken,
            files: &self.entries,
        };
        let text = serde_json::to_string_pretty(&manifest).unwrap_or_default() + "\n";
        self.write(MANIFEST, text.as_bytes())?;
        self.forget_pages()?;
        // An earlier run may have left files that this one did not write.
        let written = |name: &str| name == MANIFEST || self.entries.iter().any(|entry| entry.file == name);
        for name in FILES.into_iter().filter(|name| !written(name)).chain([STATE, "page.tmp", LOCK]) {
            let _ = fs::remove_file(self.folder.join(name));
        }
        foreign(&self.target)?;
        let fail = |error: io::Error| unwritable(&self.target, &error);
        match fs::metadata(&self.target) {
            Ok(old) => {
                fs::set_permissions(&self.folder, old.permissions()).map_err(fail)?;
                exchange(&self.folder, &self.target).map_err(fail)?;
                fs::remove_dir_all(&self.folder).map_err(|error| unwritable(&self.folder, &error))?;
            }
            Err(_) => fs::rename(&self.folder, &self.target).map_err(fail)?,
        }
        // The rename itself is durable once the folder above is; some file systems cannot sync folders.
        if let Some(Ok(above)) = self.target.parent().map(File::open) {
            let _ = above.sync_all();
        }
        self.lock = None;
        Ok(std::mem::take(&mut self.entries))
    }

    /// Takes everything away, for a failure that leaves nothing to go on with.
    pub(super) fn discard(self) {
        let _ = fs::remove_dir_all(&self.folder);
    }

    fn write(&self, name: &str, bytes: &[u8]) -> Result<(), Error> {
        let path = self.folder.join(name);
        let written = File::create(&path).and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()));
        written.map_err(|error| unwritable(&path, &error))
    }

    fn names(&self) -> Result<Vec<String>, Error> {
        let entries = fs::read_dir(&self.folder).map_err(|error| unwritable(&self.folder, &error))?;
        Ok(entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect())
    }

    fn clear(&self) -> Result<(), Error> {
        for name in self.names()?.into_iter().filter(|name| name != LOCK) {
            let path = self.folder.join(name);
            fs::remove_file(&path).map_err(|error| unwritable(&path, &error))?;
        }
        Ok(())
    }
}

/// A file that is hashed while it is written.
pub(super) struct Hashed {
    out: io::BufWriter<File>,
    path: PathBuf,
    hash: Sha256,
    bytes: u64,
}

impl Hashed {
    pub(super) fn write(&mut self, text: &str) -> Result<(), Error> {
        self.hash.update(text.as_bytes());
        self.bytes += text.len() as u64;
        self.out.write_all(text.as_bytes()).map_err(|error| unwritable(&self.path, &error))
    }
}

/// The place of a folder that may not be there yet, links resolved.
fn real(into: &Path) -> Result<PathBuf, Error> {
    let place = into.display().to_string();
    if let Ok(real) = fs::canonicalize(into) {
        return match real.is_dir() && real.file_name().is_some() {
            true => Ok(real),
            false => Err(Error::new(&place, "is no folder a snapshot can be put in; name another with --into")),
        };
    }
    match (fs::canonicalize(folder_of(into)), into.file_name()) {
        (Ok(above), Some(name)) => Ok(above.join(name)),
        _ => Err(Error::new(&place, "the folder it is to stand in does not exist; make that first")),
    }
}

/// A snapshot replaces a snapshot and nothing else.
fn foreign(target: &Path) -> Result<(), Error> {
    let place = target.display().to_string();
    let entries = match fs::read_dir(target) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(Error::new(&place, describe(&error, target))),
    };
    let names = entries.map(|entry| entry.map(|entry| entry.file_name().to_string_lossy().into_owned()));
    let mut names =
        names.collect::<io::Result<Vec<_>>>().map_err(|error| Error::new(&place, describe(&error, target)))?;
    names.sort();
    match names.into_iter().find(|name| !FILES.contains(&name.as_str())) {
        None => Ok(()),
        Some(name) => Err(Error::new(
            &place,
            format!(
                "holds {name}, which is no part of a snapshot and would be lost: move it away, or choose another folder"
            ),
        )),
    }
}

fn private_folder(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().mode(0o700).create(folder)
}

/// What an earlier run left: a folder of this user's, no link to somewhere else.
fn own_folder(folder: &Path) -> Result<(), Error> {
    use std::os::unix::fs::MetadataExt;
    let metadata = fs::symlink_metadata(folder).map_err(|error| unwritable(folder, &error))?;
    match metadata.is_dir() && metadata.uid() == rustix::process::geteuid().as_raw() {
        true => Ok(()),
        false => Err(Error::new(
            &folder.display().to_string(),
            "is in the way and is no folder of yours; remove it, or choose another --into",
        )),
    }
}

/// Swaps two folders in one step; where the file system cannot do that, in two.
fn exchange(new: &Path, old: &Path) -> io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    match renameat_with(CWD, new, CWD, old, RenameFlags::EXCHANGE) {
        Ok(()) => Ok(()),
        Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS | rustix::io::Errno::NOTSUP) => {
            let name = old.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let aside = old.with_file_name(format!("{name}.old"));
            fs::rename(old, &aside)?;
            fs::rename(new, old)?;
            fs::rename(&aside, new)
        }
        Err(error) => Err(error.into()),
    }
}

fn unwritable(path: &Path, error: &io::Error) -> Error {
    let reason = match error.kind() {
        io::ErrorKind::PermissionDenied => "no permission to write there".to_string(),
        io::ErrorKind::StorageFull => "the disk is full; the old snapshot stays as it is".to_string(),
        _ => format!("cannot be written: {error}"),
    };
    Error::new(&path.display().to_string(), reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(file: &'static str) -> Entry {
        Entry {
            file,
            url: "https://iam.example.org/".into(),
            fetched: "2026-11-22T08:00:00Z".into(),
            status: Some(200),
            needs: None,
            entries: None,
            withheld: 0,
            bytes: 0,
            sha256: String::new(),
        }
    }

    fn snapshot(into: &Path, text: &str) -> Result<Vec<Entry>, Error> {
        let mut staging = Staging::open(into, false)?;
        staging.add(text, entry(KEYS))?;
        staging.publish("https://iam.example.org/", None, "2026-11-22T08:00:00Z".into())
    }

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).expect("a folder");
        let mut names: Vec<_> =
            entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_snapshot_replaces_a_snapshot_whole() {
        let root = tempfile::tempdir().expect("a folder");
        let into = root.path().join("iam");
        snapshot(&into, "{\"keys\":[]}").expect("the first");
        let entries = snapshot(&into, "{\"keys\":[1]}").expect("the second");
        assert_eq!(fs::read_to_string(into.join(KEYS)).expect("kept"), "{\"keys\":[1]}");
        assert_eq!(names(&into), [KEYS, MANIFEST]);
        assert_eq!(names(root.path()), ["iam"], "nothing is left beside it");
        assert_eq!(entries[0].bytes, 12);
        assert_eq!(entries[0].sha256, hex(&Sha256::digest(b"{\"keys\":[1]}")));
        let unfinished = Staging::open(&into, false).expect("a third");
        unfinished.discard();
        assert_eq!(names(&into), [KEYS, MANIFEST], "a failure leaves the old one");
    }

    #[test]
    fn what_an_earlier_run_left_does_not_become_part_of_a_snapshot() {
        let root = tempfile::tempdir().expect("a folder");
        let into = root.path().join("iam.example.org");
        let partial = root.path().join("iam.example.org.partial");
        private_folder(&partial).expect("made");
        fs::write(partial.join(CLIENTS), "old").expect("written");
        fs::write(partial.join("page-000000000.json"), "old").expect("written");
        let mut staging = Staging::open(&into, true).expect("resumed");
        assert_eq!(staging.pages().expect("read").len(), 1);
        staging.add("{}", entry(KEYS)).expect("added");
        staging.publish("https://iam.example.org/", None, String::new()).expect("published");
        assert_eq!(names(&into), [KEYS, MANIFEST]);
        assert_eq!(names(root.path()), ["iam.example.org"]);
    }

    #[test]
    fn what_is_no_snapshot_is_not_replaced() {
        let root = tempfile::tempdir().expect("a folder");
        let notes = root.path().join("notes.txt");
        fs::write(&notes, "mine").expect("written");
        let refused = |into: &Path| Staging::open(into, false).map(|_| ()).expect_err("refused").to_string();
        assert!(refused(root.path()).contains("notes.txt"));
        assert!(refused(&notes).contains("no folder"));
        assert!(refused(&root.path().join("no/where")).contains("make that first"));
        assert!(refused(Path::new("/")).contains("no folder"));
        std::os::unix::fs::symlink(root.path(), root.path().join("iam.partial")).expect("a link");
        assert!(refused(&root.path().join("iam")).contains("in the way"));
    }

    #[test]
    fn one_fetch_at_a_time() {
        let root = tempfile::tempdir().expect("a folder");
        let into = root.path().join("iam");
        let first = Staging::open(&into, false).expect("the first");
        let second = Staging::open(&into, true).map(|_| ()).expect_err("refused").to_string();
        assert!(second.contains("under way"), "{second}");
        drop(first);
        assert!(Staging::open(&into, true).is_ok());
    }
}
