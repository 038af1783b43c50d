//! What lies between an input and its texts: compression, archives, and texts in them.
//!
//! One input is read once, from its beginning to its end, and hands out its texts one after the other. What something is
//! shows in its first bytes; names do not count. Compressed data may come in several members or frames one behind the
//! other, as log rotation and parallel compressors write them. An archive may be compressed, and what is in it may be
//! compressed or an archive again: two levels are opened, what lies deeper is named and left closed.
//!
//! Whoever reads a text never sees an error: a text ends where it cannot be read any further, and a [`Note`] says why. So
//! one damaged member hides neither what was read of it nor what follows it.
//!
//! Nothing is ever written to disk, and names inside archives are only shown, never used as paths.

pub mod codec;
mod peek;
#[cfg(feature = "archives")]
mod tape;

use codec::Codec;
use peek::Peek;
use std::cell::Cell;
use std::fmt;
use std::io::{self, Read};

/// Archives and compressions inside one another that are opened: a file, and the files in it.
pub const LEVELS: usize = 2;
/// Notes about one input; further ones are counted.
pub const MAX_NOTES: u64 = 100;
/// Expansion up to this size is never called a bomb, in bytes (1 GiB).
#[cfg(feature = "archives")]
const HARMLESS: u64 = 1 << 30;
/// Bytes that show what something is.
const HEAD: usize = 512;

/// How far one input may expand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Decompressed bytes of one input, all its texts and layers together.
    pub expanded: u64,
    /// Decompressed bytes for each byte read, once there are more than 1 GiB of them; `None` for any number.
    pub ratio: Option<u64>,
}

impl Default for Limits {
    /// 64 GiB, and 500 times what was read: the logs of a week stay far below, and bombs do not.
    fn default() -> Self {
        Limits { expanded: 64 << 30, ratio: Some(500) }
    }
}

/// One layer around a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrap {
    /// It is compressed.
    Compressed(Codec),
    /// It is a member of a tar archive.
    Archived,
}

/// What a text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Lines, or anything else.
    Text,
    /// Entries of a systemd journal in its export format.
    JournalExport,
}

/// What an export of a systemd journal begins with, and every entry in it.
pub(crate) const JOURNAL_EXPORT: &[u8] = b"__CURSOR=";

/// One text of an input.
pub struct Text<'t> {
    /// Its name in reports: the input's, and for members of archives their own behind `!`.
    pub name: &'t str,
    /// When it was last modified, in seconds since 1970, where its input or archive says so.
    pub modified: Option<i64>,
    /// What it is.
    pub form: Form,
    /// What is around it, outermost first; empty for a plain file.
    pub wraps: &'t [Wrap],
    /// Its bytes. They need not be read to the end. Reading never fails: what went wrong is a note, given when the text
    /// is done.
    pub bytes: &'t mut dyn Read,
}

/// Something that keeps a text from being read, or read whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// The input or text.
    pub name: String,
    /// What is wrong, where, and what to do.
    pub message: String,
    /// It is whole, but of a kind that is not opened.
    pub foreign: bool,
}

/// Takes the texts of an input.
pub trait Visit {
    /// The next text.
    fn text(&mut self, text: Text<'_>);
    /// Something is not read; it comes behind the text that it is about.
    fn note(&mut self, note: Note);
}

/// Hands out the texts of one input.
pub fn texts(name: &str, modified: Option<i64>, from: impl Read, limits: Limits, visit: &mut dyn Visit) {
    let budget = Budget { limits, read: Cell::new(0), expanded: Cell::new(0) };
    let mut base = Base { from, budget: &budget, failed: false };
    let mut notes = Notes { visit, given: 0 };
    let item = Item { name: name.to_string(), modified, wraps: vec![], level: 1 };
    open(item, &mut base, &budget, &mut notes);
    notes.end(name);
}

/// Is this compressed, or an archive that is opened?
pub fn is_packed(mut from: impl Read) -> bool {
    let mut from = Peek::new(&mut from);
    let Ok(head) = from.head(HEAD) else { return false };
    #[cfg(feature = "archives")]
    if tape::is_header(head) {
        return true;
    }
    Codec::of(head).is_some()
}

/// Is this one text as it lies there, which may be read from any place on?
pub fn is_plain(mut from: impl Read) -> bool {
    let mut from = Peek::new(&mut from);
    let Ok(head) = from.head(HEAD) else { return false };
    #[cfg(feature = "archives")]
    if tape::is_header(head) {
        return false;
    }
    Codec::of(head).is_none() && codec::foreign(head).is_none()
}

/// Something that may be a text, compressed, or an archive.
struct Item {
    name: String,
    modified: Option<i64>,
    wraps: Vec<Wrap>,
    /// From 1.
    level: usize,
}

/// Opens what an item turns out to be.
fn open(item: Item, from: &mut dyn Read, budget: &Budget, notes: &mut Notes<'_>) {
    let mut from = Peek::new(from);
    let head = match from.head(HEAD) {
        Ok(head) => head,
        Err(error) => return notes.ended(&item.name, error),
    };
    if let Some(codec) = Codec::of(head) {
        // What is compressed twice counts as one thing in another.
        let twice = matches!(item.wraps.last(), Some(Wrap::Compressed(_)));
        return match item.level + usize::from(twice) {
            level @ ..=LEVELS => decompress(&item, codec, level, from, budget, notes),
            _ => notes.add(&item.name, too_deep(codec.name())),
        };
    }
    #[cfg(feature = "archives")]
    if tape::is_header(head) {
        match item.level > LEVELS {
            // Its members are no less readable as one text.
            true => notes.add(&item.name, too_deep("tar")),
            false => return tape::members(&item, from, budget, notes),
        }
    }
    let foreign = codec::foreign(head);
    let form = if head.starts_with(JOURNAL_EXPORT) { Form::JournalExport } else { Form::Text };
    notes.text(&item, form, &mut from);
    if let Some((kind, advice)) = foreign {
        let message = format!("{kind} data is not opened and was read as it stands; {advice}");
        notes.give(Note { name: item.name, message, foreign: kind != codec::UTF_16 });
    }
}

fn too_deep(kind: &str) -> String {
    format!("{kind} data inside {LEVELS} other archives is not opened; unpack the outer one and name what is in it")
}

#[cfg(feature = "archives")]
fn decompress(item: &Item, codec: Codec, level: usize, from: Peek<'_>, budget: &Budget, notes: &mut Notes<'_>) {
    match codec::Layer::new(codec, from, budget) {
        Ok(mut layer) => {
            let wraps = item.wraps.iter().copied().chain([Wrap::Compressed(codec)]).collect();
            let inside = Item { name: item.name.clone(), modified: item.modified, wraps, level };
            open(inside, &mut layer, budget, notes);
        }
        Err(error) => notes.ended(&item.name, error),
    }
}

#[cfg(not(feature = "archives"))]
fn decompress(item: &Item, codec: Codec, _level: usize, _from: Peek<'_>, _budget: &Budget, notes: &mut Notes<'_>) {
    let message = format!("{} data: this tokenvet was built without the feature `archives`", codec.name());
    notes.give(Note { name: item.name.clone(), message, foreign: true });
}

/// Bytes that went in and came out.
#[cfg_attr(not(feature = "archives"), expect(dead_code, reason = "nothing expands"))]
struct Budget {
    limits: Limits,
    read: Cell<u64>,
    expanded: Cell<u64>,
}

impl Budget {
    /// Counts decompressed bytes; the reason when there are too many.
    #[cfg(feature = "archives")]
    fn expand(&self, by: usize) -> Option<String> {
        let expanded = self.expanded.get().saturating_add(by as u64);
        self.expanded.set(expanded);
        let size = |bytes: u64| format!("{:.1} GiB", bytes as f64 / HARMLESS as f64);
        if expanded > self.limits.expanded {
            return Some(format!("it expands to more than {}", size(self.limits.expanded)));
        }
        let ratio = self.limits.ratio.filter(|_| expanded > HARMLESS)?;
        (expanded / ratio > self.read.get())
            .then(|| format!("it expands to more than {ratio} times its size ({} so far)", size(expanded)))
    }
}

/// Why a stream of bytes ended early, carried through the layers above it. The text of an error is told once.
#[derive(Debug)]
struct Ended(Option<String>);

impl Ended {
    fn error(message: impl Into<String>) -> io::Error {
        io::Error::other(Ended(Some(message.into())))
    }

    fn again() -> io::Error {
        io::Error::other(Ended(None))
    }

    #[cfg(feature = "archives")]
    fn is(error: &io::Error) -> bool {
        error.get_ref().is_some_and(|inner| inner.is::<Ended>())
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_deref().unwrap_or("ended early"))
    }
}

impl std::error::Error for Ended {}

/// The input itself.
struct Base<'b, R> {
    from: R,
    budget: &'b Budget,
    failed: bool,
}

impl<R: Read> Read for Base<'_, R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.failed {
            return Err(Ended::again());
        }
        let read = self.budget.read.get();
        match self.from.read(into) {
            Ok(more) => {
                self.budget.read.set(read + more as u64);
                Ok(more)
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Err(error),
            Err(error) => {
                self.failed = true;
                Err(Ended::error(format!("reading it ended early, after {read} bytes: {error}")))
            }
        }
    }
}

/// Hands out texts, and says what was wrong with them.
struct Notes<'n> {
    visit: &'n mut dyn Visit,
    given: u64,
}

impl Notes<'_> {
    fn text(&mut self, item: &Item, form: Form, from: &mut dyn Read) {
        let mut bytes = Bytes { from, ended: None };
        let (name, modified, wraps) = (&item.name, item.modified, &item.wraps);
        self.visit.text(Text { name, modified, form, wraps, bytes: &mut bytes });
        if let Some(error) = bytes.ended {
            self.ended(&item.name, error);
        }
    }

    /// A stream ended early.
    fn ended(&mut self, name: &str, error: io::Error) {
        let message = match error.downcast::<Ended>() {
            Ok(Ended(Some(message))) => message,
            Ok(Ended(None)) => return,
            Err(error) => format!("reading it ended early: {error}"),
        };
        self.add(name, message);
    }

    fn add(&mut self, name: &str, message: impl Into<String>) {
        self.give(Note { name: name.to_string(), message: message.into(), foreign: false });
    }

    fn give(&mut self, note: Note) {
        self.given += 1;
        if self.given <= MAX_NOTES {
            self.visit.note(note);
        }
    }

    fn end(self, name: &str) {
        if let Some(more @ 1..) = self.given.checked_sub(MAX_NOTES) {
            let message = format!("{more} more places could not be read; only the first {MAX_NOTES} are listed");
            self.visit.note(Note { name: name.to_string(), message, foreign: false });
        }
    }
}

/// The bytes of one text, which end where they cannot be read.
struct Bytes<'b> {
    from: &'b mut dyn Read,
    ended: Option<io::Error>,
}

impl Read for Bytes<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.ended.is_some() {
            return Ok(0);
        }
        loop {
            match self.from.read(into) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.ended = Some(error);
                    return Ok(0);
                }
                read => return read,
            }
        }
    }
}

#[cfg(all(test, feature = "archives"))]
mod tests;
