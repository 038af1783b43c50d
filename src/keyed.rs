//! Hashes by a key that is drawn at random and never leaves the process: nobody outside can make two things that have the
//! same, and at 128 bits none do by chance.

use siphasher::sip128::{Hasher128 as _, SipHasher13};
use std::collections::HashMap;
use std::hash::{BuildHasher as _, BuildHasherDefault, Hasher, RandomState};

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

/// Things by the hash of what they belong to.
pub(crate) type ByHash<T> = HashMap<u128, T, BuildHasherDefault<AsItIs>>;

/// A hash is not hashed once more.
#[derive(Debug, Default)]
pub(crate) struct AsItIs(u64);

impl Hasher for AsItIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.0 = self.0.rotate_left(8) ^ u64::from(*byte));
    }

    fn write_u128(&mut self, hash: u128) {
        self.0 = hash as u64;
    }
}
