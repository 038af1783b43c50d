//! A buffered reader that shows what comes next, whatever the pieces it arrives in.

use std::io::{self, BufRead, Read};

/// Bytes read at once where small pieces are asked for.
const CAPACITY: usize = 64 << 10;

pub(super) struct Peek<'r> {
    from: &'r mut dyn Read,
    buffer: Vec<u8>,
    at: usize,
    end: usize,
    /// Bytes handed out.
    taken: u64,
    /// What went wrong behind the bytes in the buffer.
    failed: Option<io::Error>,
}

impl<'r> Peek<'r> {
    pub(super) fn new(from: &'r mut dyn Read) -> Self {
        Peek { from, buffer: Vec::new(), at: 0, end: 0, taken: 0, failed: None }
    }

    /// Offset of the next byte.
    #[cfg(feature = "archives")]
    pub(super) fn position(&self) -> u64 {
        self.taken
    }

    /// The next bytes, as many as there are up to `length`, which is at most 64 KiB. An error only when there are none.
    pub(super) fn head(&mut self, length: usize) -> io::Result<&[u8]> {
        if self.buffer.is_empty() {
            self.buffer = vec![0; CAPACITY];
        }
        if self.at + length > self.buffer.len() {
            self.buffer.copy_within(self.at..self.end, 0);
            (self.at, self.end) = (0, self.end - self.at);
        }
        while self.end - self.at < length && self.failed.is_none() {
            match self.from.read(&mut self.buffer[self.end..]) {
                Ok(0) => break,
                Ok(read) => self.end += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => self.failed = Some(error),
            }
        }
        let there = self.end.min(self.at + length);
        match self.failed.take() {
            Some(error) if there == self.at => Err(error),
            failed => {
                self.failed = failed;
                Ok(&self.buffer[self.at..there])
            }
        }
    }
}

impl Read for Peek<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = match self.end - self.at {
            0 if self.failed.is_some() => return self.failed.take().map_or(Ok(0), Err),
            // Nothing is gained by copying through the buffer.
            0 if into.len() >= CAPACITY => self.from.read(into)?,
            _ => {
                let held = self.fill_buf()?;
                let read = held.len().min(into.len());
                into[..read].copy_from_slice(&held[..read]);
                self.at += read;
                read
            }
        };
        self.taken += read as u64;
        Ok(read)
    }
}

impl BufRead for Peek<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.at == self.end {
            self.head(1)?;
        }
        Ok(&self.buffer[self.at..self.end])
    }

    fn consume(&mut self, amount: usize) {
        self.at = (self.at + amount).min(self.end);
        self.taken += amount as u64;
    }
}
