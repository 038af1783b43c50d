//! Hashes by a key that is drawn at random and never leaves the process: nobody outside can make two things that have the
//! same, and at 128 bits none do by chance.

use siphasher::sip128::{Hasher128 as _, SipHasher13};
use std::hash::{BuildHasher as _, RandomState};

/// A key.
#[derive(Clone, Copy)]
pub(crate) struct Keyed(SipHasher13);

impl Keyed {
    /// Another key.
    pub(crate) fn new() -> Self {
        let [first, second] = [0, 1].map(|number| RandomState::new().hash_one(number));
        Keyed(SipHasher13::new_with_keys(first, second))
    }

    /// The hash of what is written.
    pub(crate) fn hash(&self, write: impl FnOnce(&mut SipHasher13)) -> u128 {
        let mut hasher = self.0;
        write(&mut hasher);
        hasher.finish128().into()
    }
}

impl std::fmt::Debug for Keyed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keyed")
    }
}
