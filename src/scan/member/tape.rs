//! Members of tar archives, as they come by.
//!
//! Whatever the headers say, every byte between them is handed out: a header that cannot be read, a member longer than
//! the archive and data behind a link hide nothing. Holes of sparse files are left out; what is stored of them is one text.

use super::peek::Peek;
use super::{Budget, Ended, Item, Notes, Wrap, open};
use crate::report::text;
use crate::source::mask;
use std::io::{self, Read};
use tar::{EntryType, Header, PaxExtensions};

const BLOCK: usize = 512;
/// Longest name that is read, in bytes.
const MAX_LONG_NAME: u64 = 64 << 10;
/// Longest extended header that is read, in bytes (1 MiB).
const MAX_EXTENDED: u64 = 1 << 20;

/// Characters that are shown of a member's name.
const MAX_NAME: usize = 512;

/// Is this block the header of a member? Its sum over all bytes says so.
pub(super) fn is_header(block: &[u8]) -> bool {
    let Ok(bytes) = <&[u8; BLOCK]>::try_from(block) else { return false };
    let sum: u32 = bytes[..148].iter().chain(&bytes[156..]).map(|byte| u32::from(*byte)).sum::<u32>() + 8 * 32;
    bytes[0] != 0 && Header::from_byte_slice(bytes).cksum().is_ok_and(|stored| stored == sum)
}

/// What headers before a member's own say of it.
#[derive(Default)]
struct Extended {
    name: Option<Vec<u8>>,
    size: Option<u64>,
    modified: Option<i64>,
}

/// Opens the members one by one.
pub(super) fn members(archive: &Item, mut from: Peek<'_>, budget: &Budget, notes: &mut Notes<'_>) {
    let mut extended = Extended::default();
    loop {
        let at = from.position();
        let block = match from.head(BLOCK) {
            Ok([]) => return,
            Ok(block) => block,
            Err(error) => return notes.ended(&archive.name, error),
        };
        // Two blocks of zeros end an archive, and another may follow.
        if block.iter().all(|byte| *byte == 0) {
            if let Err(error) = skip(&mut from, BLOCK as u64) {
                return notes.ended(&archive.name, error);
            }
            continue;
        }
        let Some(header) = is_header(block).then(|| Header::from_byte_slice(block).clone()) else {
            extended = Extended::default();
            damaged(archive, &mut from, at, notes);
            continue;
        };
        if let Err(error) = member(archive, &header, &mut extended, &mut from, budget, notes) {
            return notes.ended(&archive.name, error);
        }
    }
}

/// One header with what belongs to it. An error is one of the archive, which ends it.
fn member(
    archive: &Item,
    header: &Header,
    extended: &mut Extended,
    from: &mut Peek<'_>,
    budget: &Budget,
    notes: &mut Notes<'_>,
) -> io::Result<()> {
    skip(from, BLOCK as u64)?;
    let kind = header.entry_type();
    let size = header.entry_size().unwrap_or(0);
    match kind {
        EntryType::GNULongName => {
            let mut name = data(from, size, MAX_LONG_NAME)?;
            name.truncate(name.iter().position(|byte| *byte == 0).unwrap_or(name.len()));
            extended.name = Some(name);
        }
        EntryType::GNULongLink | EntryType::XGlobalHeader => drop(data(from, size, 0)?),
        EntryType::XHeader => pax(&data(from, size, MAX_EXTENDED)?, extended),
        // Whatever claims to have data is handed out.
        _ => {
            if kind == EntryType::GNUSparse {
                skip_map(header, from)?;
            }
            let known = std::mem::take(extended);
            let path = known.name.unwrap_or_else(|| header.path_bytes().into_owned());
            let modified = known.modified.or_else(|| i64::try_from(header.mtime().ok()?).ok());
            let mut bytes = Portion::new(from, known.size.unwrap_or(size));
            if bytes.left > 0 {
                let wraps = archive.wraps.iter().copied().chain([Wrap::Archived]).collect();
                let name = member_name(&archive.name, &path);
                open(Item { name, modified, wraps, level: archive.level + 1 }, &mut bytes, budget, notes);
            }
            bytes.end()?;
        }
    }
    Ok(())
}

/// Data of a header, as much as is wanted of it; the rest of it is passed over.
fn data(from: &mut Peek<'_>, size: u64, most: u64) -> io::Result<Vec<u8>> {
    let mut portion = Portion::new(from, size);
    let mut data = Vec::new();
    Read::by_ref(&mut portion).take(most).read_to_end(&mut data)?;
    portion.end()?;
    Ok(data)
}

/// Reads the records of an extended header.
fn pax(records: &[u8], extended: &mut Extended) {
    for record in PaxExtensions::new(records).flatten() {
        let text = record.value().unwrap_or_default();
        match record.key_bytes() {
            // The name of a sparse file, whatever its path says.
            b"GNU.sparse.name" => extended.name = Some(record.value_bytes().to_vec()),
            b"path" if extended.name.is_none() => extended.name = Some(record.value_bytes().to_vec()),
            b"size" => extended.size = text.parse().ok(),
            b"mtime" => extended.modified = text.split('.').next().and_then(|seconds| seconds.parse().ok()),
            _ => {}
        }
    }
}

/// Passes over the further headers that say where the data of a sparse file belongs.
fn skip_map(header: &Header, from: &mut Peek<'_>) -> io::Result<()> {
    const GOES_ON: usize = 504;
    let mut more = header.as_gnu().is_some_and(tar::GnuHeader::is_extended);
    while more {
        more = from.head(BLOCK)?.get(GOES_ON).is_some_and(|byte| *byte != 0);
        skip(from, BLOCK as u64)?;
    }
    Ok(())
}

/// Blocks that are no header where one should be, up to the next one, are a text of their own.
fn damaged(archive: &Item, from: &mut Peek<'_>, at: u64, notes: &mut Notes<'_>) {
    let wraps = archive.wraps.iter().copied().chain([Wrap::Archived]).collect();
    let name = format!("{}!<byte {at}>", archive.name);
    let item = Item { name, modified: None, wraps, level: archive.level + 1 };
    let mut bytes = Unnamed { from, in_block: 0, any: false, failed: None };
    notes.text(&item, super::Form::Text, &mut bytes);
    // Whoever did not read it whole must come to its end all the same.
    let _ = io::copy(&mut bytes, &mut io::sink());
    match bytes.failed.take() {
        Some(error) => notes.ended(&archive.name, error),
        None => notes.add(
            &archive.name,
            format!(
                "the header of a member is damaged at byte {at}; what follows up to the next one was read as it stands"
            ),
        ),
    }
}

/// Passes over bytes.
fn skip(from: &mut Peek<'_>, bytes: u64) -> io::Result<()> {
    io::copy(&mut from.take(bytes), &mut io::sink()).map(drop)
}

/// The data of one member.
struct Portion<'p, 'r> {
    from: &'p mut Peek<'r>,
    size: u64,
    left: u64,
    failed: bool,
}

impl<'p, 'r> Portion<'p, 'r> {
    fn new(from: &'p mut Peek<'r>, size: u64) -> Self {
        Portion { from, size, left: size, failed: false }
    }

    /// Passes over what was not read, and over what fills the last block.
    fn end(mut self) -> io::Result<()> {
        io::copy(&mut self, &mut io::sink())?;
        skip(self.from, (BLOCK as u64 - self.size % BLOCK as u64) % BLOCK as u64)
    }
}

impl Read for Portion<'_, '_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.failed {
            return Err(Ended::again());
        }
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(into.len());
        if most == 0 {
            return Ok(0);
        }
        let read = match self.from.read(&mut into[..most]) {
            Ok(0) => {
                let (there, size) = (self.size - self.left, self.size);
                Err(Ended::error(format!(
                    "the archive ends in the middle of this member, after {there} of {size} bytes, which were read; \
                     fetch the file anew"
                )))
            }
            read => read,
        };
        match &read {
            Ok(read) => self.left -= *read as u64,
            Err(error) => self.failed = error.kind() != io::ErrorKind::Interrupted,
        }
        read
    }
}

/// Blocks up to the next header.
struct Unnamed<'p, 'r> {
    from: &'p mut Peek<'r>,
    /// Bytes of the current block that are still to be read.
    in_block: usize,
    any: bool,
    failed: Option<io::Error>,
}

impl Read for Unnamed<'_, '_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.failed.is_some() || into.is_empty() {
            return Ok(0);
        }
        if self.in_block == 0 {
            self.in_block = match self.from.head(BLOCK) {
                Ok(block) if self.any && is_header(block) => 0,
                Ok(block) => block.len(),
                Err(error) => {
                    self.failed = Some(error);
                    0
                }
            };
            self.any = true;
            if self.in_block == 0 {
                return Ok(0);
            }
        }
        let most = self.in_block.min(into.len());
        let read = self.from.read(&mut into[..most])?;
        self.in_block -= read;
        Ok(read)
    }
}

/// The name of an archive's member in reports.
fn member_name(archive: &str, name: &[u8]) -> String {
    let name = String::from_utf8_lossy(name);
    format!("{archive}!{}", text::shortened(&mask::redact(&name), MAX_NAME))
}
