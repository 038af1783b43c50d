//! How many different things there are, about, when there are too many to keep.
//!
//! The smallest hashes of what was seen are kept: however often and in whichever order something is added, and whoever
//! merges what with what, the same ones remain. Up to [`KEPT`] things the number is exact; beyond, the largest hash that is
//! kept tells how dense they lie, and the number is right within some 6 % in two of three cases.

use std::collections::BTreeSet;

/// Hashes that are kept.
pub const KEPT: usize = 256;

/// The smallest hashes of what was added.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sketch(BTreeSet<u64>);

impl Sketch {
    /// The same again, from its hashes.
    pub fn of(hashes: impl IntoIterator<Item = u64>) -> Self {
        let mut sketch = Sketch::default();
        hashes.into_iter().for_each(|hash| sketch.insert(hash));
        sketch
    }

    /// Adds something by its SHA-256.
    pub fn add(&mut self, digest: &[u8; 32]) {
        let [a, b, c, d, e, f, g, h, ..] = *digest;
        self.insert(u64::from_be_bytes([a, b, c, d, e, f, g, h]));
    }

    fn insert(&mut self, hash: u64) {
        let full = self.0.len() >= KEPT;
        if full && self.0.last().is_some_and(|largest| hash >= *largest) {
            return;
        }
        if self.0.insert(hash) && full {
            self.0.pop_last();
        }
    }

    /// Adds what another one has.
    pub fn merge(&mut self, other: &Sketch) {
        other.0.iter().for_each(|hash| self.insert(*hash));
    }

    /// The hashes, smallest first.
    pub fn hashes(&self) -> impl Iterator<Item = u64> + '_ {
        self.0.iter().copied()
    }

    /// How many different things were added, about.
    pub fn estimate(&self) -> u64 {
        match self.0.last() {
            Some(largest) if self.0.len() >= KEPT => {
                let share = (*largest as f64 + 1.0) / (u64::MAX as f64 + 1.0);
                ((KEPT as f64 - 1.0) / share).round() as u64
            }
            _ => self.0.len() as u64,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sha2::{Digest as _, Sha256};

    fn digest(n: u64) -> [u8; 32] {
        Sha256::digest(n.to_be_bytes()).into()
    }

    #[test]
    fn the_number_is_exact_at_first_and_near_it_later() {
        for (number, tolerance) in [(0, 0), (1, 0), (255, 0), (1_000, 150), (100_000, 15_000)] {
            let mut sketch = Sketch::default();
            (0..number).chain(0..number / 2).for_each(|n| sketch.add(&digest(n)));
            assert!(sketch.estimate().abs_diff(number) <= tolerance, "{} of {number}", sketch.estimate());
        }
    }

    #[test]
    fn order_and_repetition_change_nothing() {
        let part = |range: std::ops::Range<u64>| {
            let mut sketch = Sketch::default();
            range.for_each(|n| sketch.add(&digest(n)));
            sketch
        };
        let whole = part(0..3000);
        let (mut a, b) = (part(1500..3000), part(0..2000));
        a.merge(&b);
        assert_eq!(a, whole);
        a.merge(&b);
        a.merge(&a.clone());
        assert_eq!(a, whole);
        assert_eq!(Sketch::of(whole.hashes()), whole);
    }
}
