//! What tests of reading share.

use std::io::{self, Read};

/// A reader that hands out a few bytes at a time.
pub(super) struct Slow<'t>(pub(super) &'t [u8], pub(super) usize);

impl Read for Slow<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let take = self.1.min(self.0.len()).min(into.len());
        into[..take].copy_from_slice(&self.0[..take]);
        self.0 = &self.0[take..];
        Ok(take)
    }
}
