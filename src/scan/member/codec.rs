//! Compressions: told by their first bytes, taken off, and put on again.

#[cfg(feature = "archives")]
use super::{Budget, Ended, peek::Peek};
#[cfg(feature = "archives")]
use std::io::{self, BufRead, Read, Write};

/// Memory that data under test may ask for in order to be decompressed, as a power of two (128 MiB): what `zstd -19` and
/// `xz -9` write needs 8 and 65 MiB.
#[cfg(feature = "archives")]
const WINDOW: u32 = 27;

/// Bytes that are decompressed before the limits are looked at.
#[cfg(feature = "archives")]
const AT_ONCE: usize = 1 << 20;

/// A compression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Codec {
    /// `.gz`.
    Gzip,
    /// `.zst`.
    Zstd,
    /// `.xz`.
    Xz,
    /// `.bz2`.
    Bzip2,
}

impl Codec {
    /// What data is compressed with, by its first bytes.
    pub fn of(head: &[u8]) -> Option<Codec> {
        match head {
            [0x1f, 0x8b, 8, ..] => Some(Codec::Gzip),
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Some(Codec::Zstd),
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Some(Codec::Xz),
            // The first block, or the end of empty data.
            [b'B', b'Z', b'h', b'1'..=b'9', 0x31, 0x41, 0x59, 0x26, 0x53, 0x59, ..]
            | [b'B', b'Z', b'h', b'1'..=b'9', 0x17, 0x72, 0x45, 0x38, 0x50, 0x90, ..] => Some(Codec::Bzip2),
            _ => None,
        }
    }

    /// Its name in messages.
    pub fn name(self) -> &'static str {
        match self {
            Codec::Gzip => "gzip",
            Codec::Zstd => "zstd",
            Codec::Xz => "xz",
            Codec::Bzip2 => "bzip2",
        }
    }

    /// The usual end of names of files that are compressed so, without a dot.
    pub fn extension(self) -> &'static str {
        match self {
            Codec::Gzip => "gz",
            Codec::Zstd => "zst",
            Codec::Xz => "xz",
            Codec::Bzip2 => "bz2",
        }
    }
}

/// Text all the same, in an encoding that is not read.
pub(super) const UTF_16: &str = "UTF-16";

/// Archives, compressions and encodings that are not opened, by their first bytes: their name, and what to do with them.
pub(super) fn foreign(head: &[u8]) -> Option<(&'static str, &'static str)> {
    const UNPACK: &str = "unpack it and name what is in it";
    const CONVERT: &str = "convert it (iconv -f UTF-16 -t UTF-8) and name the copy";
    if head.starts_with(&[0xff, 0xfe]) || head.starts_with(&[0xfe, 0xff]) {
        return Some((UTF_16, CONVERT));
    }
    let packed = match head {
        [b'P', b'K', 3, 4, ..] | [b'P', b'K', 5, 6, ..] => Some("zip"),
        [b'7', b'z', 0xbc, 0xaf, 0x27, 0x1c, ..] => Some("7z"),
        [b'R', b'a', b'r', b'!', 0x1a, 7, ..] => Some("rar"),
        [0x04, 0x22, 0x4d, 0x18, ..] => Some("lz4"),
        [0x1f, 0x9d, ..] => Some("compress"),
        [b'L', b'Z', b'I', b'P', 0 | 1, ..] => Some("lzip"),
        [0x5d, 0, 0, _, 0, ..] => Some("lzma"),
        _ => None,
    };
    packed.map(|name| (name, UNPACK))
}

/// Takes a compression off, member by member.
#[cfg(feature = "archives")]
pub(super) struct Layer<'p, 'b> {
    codec: Codec,
    budget: &'b Budget,
    /// `None` between two members, and at the end.
    decoder: Option<Decoder<Peek<'p>>>,
    /// Offset of the member in the compressed data.
    member: u64,
    /// Bytes handed out.
    expanded: u64,
    /// Told at the next read, behind what could be read.
    failed: Option<io::Error>,
    ended: bool,
}

#[cfg(feature = "archives")]
enum Decoder<R: BufRead> {
    Gzip(Box<flate2::bufread::GzDecoder<R>>),
    Zstd(Box<zstd::stream::read::Decoder<'static, R>>),
    Xz(liblzma::bufread::XzDecoder<R>),
    Bzip2(bzip2::bufread::BzDecoder<R>),
}

#[cfg(feature = "archives")]
impl<R: BufRead> Decoder<R> {
    fn new(codec: Codec, from: R) -> io::Result<Self> {
        Ok(match codec {
            Codec::Gzip => Decoder::Gzip(Box::new(flate2::bufread::GzDecoder::new(from))),
            Codec::Zstd => {
                let mut decoder = zstd::stream::read::Decoder::with_buffer(from)?.single_frame();
                decoder.window_log_max(WINDOW)?;
                Decoder::Zstd(Box::new(decoder))
            }
            Codec::Xz => {
                let stream = liblzma::stream::Stream::new_stream_decoder(1 << WINDOW, 0)?;
                Decoder::Xz(liblzma::bufread::XzDecoder::new_stream(from, stream))
            }
            Codec::Bzip2 => Decoder::Bzip2(bzip2::bufread::BzDecoder::new(from)),
        })
    }

    fn from(&self) -> &R {
        match self {
            Decoder::Gzip(decoder) => decoder.get_ref(),
            Decoder::Zstd(decoder) => decoder.get_ref(),
            Decoder::Xz(decoder) => decoder.get_ref(),
            Decoder::Bzip2(decoder) => decoder.get_ref(),
        }
    }

    fn into_from(self) -> R {
        match self {
            Decoder::Gzip(decoder) => decoder.into_inner(),
            Decoder::Zstd(decoder) => decoder.finish(),
            Decoder::Xz(decoder) => decoder.into_inner(),
            Decoder::Bzip2(decoder) => decoder.into_inner(),
        }
    }
}

#[cfg(feature = "archives")]
impl<R: BufRead> Read for Decoder<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Decoder::Gzip(decoder) => decoder.read(into),
            Decoder::Zstd(decoder) => decoder.read(into),
            Decoder::Xz(decoder) => decoder.read(into),
            Decoder::Bzip2(decoder) => decoder.read(into),
        }
    }
}

#[cfg(feature = "archives")]
impl<'p, 'b> Layer<'p, 'b> {
    pub(super) fn new(codec: Codec, from: Peek<'p>, budget: &'b Budget) -> io::Result<Self> {
        let decoder = Some(Decoder::new(codec, from)?);
        Ok(Layer { codec, budget, decoder, member: 0, expanded: 0, failed: None, ended: false })
    }

    /// Goes on with the next member; false when there is none.
    fn next_member(&mut self) -> io::Result<bool> {
        let Some(decoder) = self.decoder.take() else { return Ok(false) };
        let mut from = decoder.into_from();
        // Some writers fill the last block of a device or a tape with zeros.
        loop {
            let held = from.fill_buf()?;
            let zeros = held.iter().take_while(|byte| **byte == 0).count();
            if zeros == 0 {
                break;
            }
            from.consume(zeros);
        }
        let head = from.head(10)?;
        if head.is_empty() {
            return Ok(false);
        }
        if Codec::of(head) != Some(self.codec) {
            let message = format!(
                "behind its {} data, at byte {}, stands something else, which was not read; cut it off, or put it \
                 in a file of its own",
                self.codec.name(),
                from.position()
            );
            return Err(Ended::error(message));
        }
        self.member = from.position();
        self.decoder = Some(Decoder::new(self.codec, from)?);
        Ok(true)
    }

    /// What went wrong, with the place.
    fn explain(&self, error: io::Error) -> io::Error {
        if Ended::is(&error) {
            return error;
        }
        let at = self.decoder.as_ref().map_or(0, |decoder| decoder.from().position());
        let what = match error.kind() {
            io::ErrorKind::UnexpectedEof => "is cut off",
            _ => "is damaged, or needs more than 128 MiB of memory",
        };
        let name = self.codec.name();
        let read = self.expanded;
        Ended::error(format!(
            "its {name} data {what} at byte {at} or shortly before; the {read} bytes of text up to there were read; \
             fetch the file anew, or repair it"
        ))
    }
}

#[cfg(feature = "archives")]
impl Read for Layer<'_, '_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if into.is_empty() || self.ended && self.failed.is_none() {
            return Ok(0);
        }
        loop {
            if let Some(error) = self.failed.take() {
                self.ended = true;
                self.failed = Some(Ended::again());
                return Err(error);
            }
            let Some(decoder) = &mut self.decoder else { return Ok(0) };
            let most = into.len().min(AT_ONCE);
            match decoder.read(&mut into[..most]) {
                Ok(0) => match self.next_member() {
                    Ok(true) => {}
                    Ok(false) => {
                        self.ended = true;
                        return Ok(0);
                    }
                    Err(error) => self.failed = Some(self.explain(error)),
                },
                Ok(read) => {
                    self.expanded += read as u64;
                    if let Some(why) = self.budget.expand(read) {
                        let message = format!(
                            "{why}; the rest of it was not read; if that is no attack, give --max-expanded a higher \
                             limit"
                        );
                        self.failed = Some(Ended::error(message));
                    }
                    return Ok(read);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => return Err(error),
                Err(error) => self.failed = Some(self.explain(error)),
            }
        }
    }
}

/// Puts a compression on.
#[cfg(feature = "archives")]
pub struct Encoder<W: Write>(Encoding<W>);

#[cfg(feature = "archives")]
enum Encoding<W: Write> {
    Gzip(flate2::write::GzEncoder<W>),
    Zstd(zstd::stream::write::Encoder<'static, W>),
    Xz(liblzma::write::XzEncoder<W>),
    Bzip2(bzip2::write::BzEncoder<W>),
}

#[cfg(feature = "archives")]
impl<W: Write> Encoder<W> {
    /// Writes compressed data, at the strength that the usual tools take by default.
    pub fn new(codec: Codec, into: W) -> io::Result<Self> {
        Ok(Encoder(match codec {
            Codec::Gzip => Encoding::Gzip(flate2::write::GzEncoder::new(into, flate2::Compression::new(6))),
            Codec::Zstd => {
                let mut encoder = zstd::stream::write::Encoder::new(into, 3)?;
                encoder.include_checksum(true)?;
                Encoding::Zstd(encoder)
            }
            Codec::Xz => Encoding::Xz(liblzma::write::XzEncoder::new(into, 6)),
            Codec::Bzip2 => Encoding::Bzip2(bzip2::write::BzEncoder::new(into, bzip2::Compression::best())),
        }))
    }

    /// Writes what is still held back and the end of the data.
    pub fn finish(self) -> io::Result<W> {
        match self.0 {
            Encoding::Gzip(encoder) => encoder.finish(),
            Encoding::Zstd(encoder) => encoder.finish(),
            Encoding::Xz(encoder) => encoder.finish(),
            Encoding::Bzip2(encoder) => encoder.finish(),
        }
    }
}

#[cfg(feature = "archives")]
impl<W: Write> Write for Encoder<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.0 {
            Encoding::Gzip(encoder) => encoder.write(bytes),
            Encoding::Zstd(encoder) => encoder.write(bytes),
            Encoding::Xz(encoder) => encoder.write(bytes),
            Encoding::Bzip2(encoder) => encoder.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.0 {
            Encoding::Gzip(encoder) => encoder.flush(),
            Encoding::Zstd(encoder) => encoder.flush(),
            Encoding::Xz(encoder) => encoder.flush(),
            Encoding::Bzip2(encoder) => encoder.flush(),
        }
    }
}
