//! Logs that others write to and rotate meanwhile.
//!
//! A log is looked at from time to time. Rotation by renaming shows in another file having the name: the old one stays open
//! and is read for as long as its writer may not have noticed. Rotation by copying shows in the file having become shorter,
//! or holding something else than what was read before: what was written between the last look and the copy is read from
//! the copy. When more than one rotation happened since the last look, the files in between are read whole. So every line is
//! read once, by whichever name, unless it was gone before anybody could see it; then a note says so.

use super::several;
use super::walk::{describe, identity, open_file};
use std::collections::{HashSet, VecDeque};
use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Bytes read at once.
const CHUNK: usize = 256 << 10;
/// Bytes of one file that are read before others have their turn.
const TURN: u64 = 64 << 20;
/// Bytes before the place of reading that must be the same when it goes on.
const TAIL: usize = 1024;
/// Looks without anything new after which a line that ends is complete.
const QUIET: u32 = 1;
/// The same for the last line of a file that was renamed, which need not end.
const SETTLED: u32 = 4;
/// The same after which the writer of a renamed file has certainly noticed.
const DRAINED: u32 = 2400;
/// How often siblings are listed until none is renamed meanwhile, and the time between.
const TRIES: u32 = 20;
const RETRY: std::time::Duration = std::time::Duration::from_millis(5);

/// One part of what a log has become.
pub enum Part<'p> {
    /// More bytes of a file.
    Bytes(u64, &'p [u8]),
    /// Nothing follows them for now.
    Quiet(u64),
    /// Nothing follows them ever.
    End(u64),
    /// Something was lost.
    Note(String),
}

/// A log with its rotated siblings.
pub struct Log {
    path: PathBuf,
    /// Siblings that were read or are none of ours.
    known: HashSet<Known>,
    /// Files being read, oldest first; the last one has the name unless it is gone.
    files: VecDeque<Reading>,
    /// Files so far.
    numbered: u64,
}

/// What tells a sibling from others that come and go: numbers of files are used again, so the time counts too at which a
/// file was made, or last written to where the system does not know that.
type Known = (Option<(u64, u64)>, Option<SystemTime>);

fn known(metadata: &Metadata) -> Known {
    (identity(metadata), metadata.created().or_else(|_| metadata.modified()).ok())
}

/// A file being read.
struct Reading {
    number: u64,
    file: File,
    offset: u64,
    /// The last bytes before `offset`.
    tail: Vec<u8>,
    /// Looks without anything new.
    quiet: u32,
    /// It lost its name.
    renamed: bool,
}

impl Log {
    /// A log to be read from its beginning. What lies beside it already is left alone.
    pub fn new(path: &Path) -> Self {
        let known = siblings(path).into_iter().filter_map(|path| fs::metadata(path).ok()).map(|found| known(&found));
        Log { path: path.to_path_buf(), known: known.collect(), files: VecDeque::new(), numbered: 0 }
    }

    /// Hands out what is new; true when there is more than one turn takes.
    pub fn look(&mut self, take: &mut dyn FnMut(Part<'_>)) -> bool {
        if let Err(error) = self.catch_up(take) {
            take(Part::Note(describe(&error, &self.path)));
        }
        let mut more = false;
        for file in &mut self.files {
            match file.read(take) {
                Ok(in_turn) => more |= !in_turn,
                Err(error) => take(Part::Note(format!("reading it failed: {error}"))),
            }
        }
        let drained = |file: &Reading| file.renamed && file.quiet >= DRAINED;
        while self.files.front().is_some_and(drained) {
            if let Some(file) = self.files.pop_front() {
                self.known.extend(file.file.metadata().ok().map(|metadata| known(&metadata)));
                take(Part::End(file.number));
            }
        }
        more
    }

    /// Nothing is read any more: what was held back is handed out.
    pub fn end(&mut self, take: &mut dyn FnMut(Part<'_>)) {
        // What changed in the middle of one look shows in the next.
        for _ in 0..2 {
            while self.look(take) {}
        }
        self.files.drain(..).for_each(|file| take(Part::End(file.number)));
    }

    /// Finds out what was rotated since the last look.
    fn catch_up(&mut self, take: &mut dyn FnMut(Part<'_>)) -> io::Result<()> {
        let there = match fs::metadata(&self.path) {
            Ok(there) => Some(there),
            // Between renaming and creating.
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        let Some(current) = self.files.back_mut() else {
            return if there.is_some() { self.begin_current() } else { Ok(()) };
        };
        let now = current.file.metadata()?;
        current.renamed = there.as_ref().is_none_or(|there| identity(there) != identity(&now));
        let renamed = current.renamed;
        if current.is_cut()? {
            self.cut(renamed, take)?;
        }
        match (renamed, there) {
            (true, Some(_)) => {
                self.between(None);
                self.begin_current()
            }
            (true, None) => Ok(()),
            (false, _) => {
                // What nobody looked at between two rotations may show only now.
                if let Some(current) = self.files.pop_back() {
                    self.between(Some(&current));
                    self.files.push_back(current);
                }
                Ok(())
            }
        }
    }

    /// Reads the file that has the name.
    fn begin_current(&mut self) -> io::Result<()> {
        match open_file(&self.path) {
            Ok(file) => self.begin(file, false),
            // Renamed meanwhile; the next look finds it.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// The last file was cut, after it was copied if somebody cared.
    fn cut(&mut self, renamed: bool, take: &mut dyn FnMut(Part<'_>)) -> io::Result<()> {
        let Some(current) = self.files.pop_back() else { return Ok(()) };
        let anew = current.file.try_clone()?;
        let of_anew = identity(&anew.metadata()?);
        let copy = self.unknown().into_iter().filter(|(_, metadata)| identity(metadata) != of_anew);
        let copy = copy.filter(|(_, metadata)| metadata.len() >= current.offset).find_map(|(file, metadata)| {
            let (number, offset, tail) = (current.number, current.offset, current.tail.clone());
            let copy = Reading { number, file, offset, tail, quiet: 0, renamed: true };
            copy.is_same().then_some((copy, metadata))
        });
        self.begin(anew, renamed)?;
        let anew = self.files.pop_back();
        match copy {
            Some((copy, metadata)) => {
                self.known.insert(known(&metadata));
                self.files.push_back(copy);
                // The file itself may be among its siblings by now.
                self.known.extend(anew.as_ref().and_then(|anew| anew.file.metadata().ok()).map(|anew| known(&anew)));
                self.between(anew.as_ref());
            }
            None => {
                take(Part::End(current.number));
                take(Part::Note(format!(
                    "it was cut after byte {} and no copy lies beside it; lines written right before may be missing",
                    current.offset
                )));
            }
        }
        self.files.extend(anew);
        Ok(())
    }

    /// Files that were rotated away before anybody looked are read whole; all but the copy of a file that will only now be
    /// cut.
    fn between(&mut self, current: Option<&Reading>) {
        let mut unread = self.unknown();
        if let Some(current) = current {
            unread.retain(|(file, metadata)| !begins_with(&current.file, file, metadata.len()));
            if current.is_cut().unwrap_or(true) {
                // One of them is its copy; the next look finds out which.
                return;
            }
        }
        for (file, metadata) in unread {
            self.known.insert(known(&metadata));
            // What cannot be examined is not read.
            let _ = self.begin(file, true);
        }
    }

    /// Siblings that nobody knows, oldest first. Names change while one looks, so it is tried again until all are those
    /// that were listed.
    fn unknown(&self) -> Vec<(File, Metadata)> {
        let reading: HashSet<_> = self.files.iter().filter_map(|file| identity(&file.file.metadata().ok()?)).collect();
        let is_unknown = |metadata: &Metadata| {
            !self.known.contains(&known(metadata)) && !identity(metadata).is_some_and(|id| reading.contains(&id))
        };
        let mut opened = Vec::new();
        for _ in 0..TRIES {
            let there = || siblings(&self.path).into_iter().map(|path| (fs::metadata(&path).ok(), path));
            let before: Vec<_> = there().collect();
            opened = before.iter().filter_map(|(_, path)| open_file(path).ok()).collect();
            let ids = |list: &[(Option<Metadata>, PathBuf)]| -> Vec<_> {
                list.iter().map(|(metadata, path)| (metadata.as_ref().and_then(identity), path.clone())).collect()
            };
            if ids(&before) == ids(&there().collect::<Vec<_>>()) && opened.len() == before.len() {
                break;
            }
            std::thread::sleep(RETRY);
        }
        let opened = opened.into_iter().filter_map(|file| Some((file.metadata().ok()?, file)));
        opened.filter(|(metadata, _)| is_unknown(metadata)).map(|(metadata, file)| (file, metadata)).collect()
    }

    /// Reads a file from its beginning.
    fn begin(&mut self, file: File, renamed: bool) -> io::Result<()> {
        if !file.metadata()?.is_file() {
            return Err(io::Error::other("it is no regular file any more"));
        }
        let (number, offset, quiet) = (self.numbered, 0, 0);
        self.numbered += 1;
        self.files.push_back(Reading { number, file, offset, tail: vec![], quiet, renamed });
        Ok(())
    }
}

/// Does a file begin with all of another one? The end of it tells.
fn begins_with(file: &File, other: &File, length: u64) -> bool {
    let from = length.saturating_sub(TAIL as u64);
    let mut ends = [vec![0; (length - from) as usize], vec![0; (length - from) as usize]];
    let [end, of_other] = &mut ends;
    length > 0
        && other.read_exact_at(of_other, from).is_ok()
        && file.read_exact_at(end, from).is_ok()
        && end == of_other
}

/// Rotated siblings that are not compressed: those are read before they are.
fn siblings(path: &Path) -> Vec<PathBuf> {
    let packed = |path: &PathBuf| {
        path.extension().is_some_and(|end| ["gz", "zst", "xz", "bz2"].iter().any(|packed| end == *packed))
    };
    several::rotated(path).into_iter().filter(|path| !packed(path)).collect()
}

impl Reading {
    /// Is what was read no longer all before the place of reading?
    fn is_cut(&self) -> io::Result<bool> {
        let length = self.file.metadata()?.len();
        Ok(length < self.offset || (length > self.offset || self.quiet == 0) && !self.is_same())
    }

    /// Does what was read still stand before the place of reading?
    fn is_same(&self) -> bool {
        let mut there = vec![0; self.tail.len()];
        let from = self.offset - self.tail.len() as u64;
        self.file.read_exact_at(&mut there, from).is_ok() && there == self.tail
    }

    /// Hands out what is new; false when there is more than one turn takes.
    fn read(&mut self, take: &mut dyn FnMut(Part<'_>)) -> io::Result<bool> {
        let mut chunk = vec![0; CHUNK];
        let mut turn = 0;
        while turn < TURN {
            let read = match self.file.read_at(&mut chunk, self.offset) {
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            // What was read may be of a file that was cut right before and has grown again; the next look finds out.
            if read == 0 || !self.is_same() {
                break;
            }
            take(Part::Bytes(self.number, &chunk[..read]));
            self.offset += read as u64;
            turn += read as u64;
            let kept = self.tail.len().min(TAIL.saturating_sub(read));
            self.tail.drain(..self.tail.len() - kept);
            self.tail.extend_from_slice(&chunk[read - read.min(TAIL)..read]);
        }
        self.quiet = if turn > 0 { 0 } else { self.quiet.saturating_add(1) };
        let complete = self.tail.last() == Some(&b'\n');
        if self.quiet == QUIET && complete || self.quiet == SETTLED && self.renamed {
            take(Part::Quiet(self.number));
        }
        Ok(turn < TURN)
    }
}

/// A pipe or a terminal, read by a thread of its own so that nobody waits for it.
pub struct Stream(std::sync::mpsc::Receiver<io::Result<Vec<u8>>>);

impl Stream {
    /// Reads standard input.
    pub fn stdin() -> Self {
        let (send, receive) = std::sync::mpsc::sync_channel(4);
        std::thread::spawn(move || {
            let mut stdin = io::stdin().lock();
            let mut chunk = vec![0; CHUNK];
            loop {
                let read = match stdin.read(&mut chunk) {
                    Ok(read) => Ok(chunk[..read].to_vec()),
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                    Err(error) => Err(error),
                };
                let last = read.as_ref().map_or(true, Vec::is_empty);
                if send.send(read).is_err() || last {
                    return;
                }
            }
        });
        Stream(receive)
    }

    /// What came within this time; `None` when nothing did, nothing in it at the end.
    pub fn within(&self, time: std::time::Duration) -> Option<io::Result<Vec<u8>>> {
        use std::sync::mpsc::RecvTimeoutError;
        match self.0.recv_timeout(time) {
            Ok(read) => Some(read),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => Some(Ok(vec![])),
        }
    }
}
