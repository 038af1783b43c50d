//! Who reads what: every shard works it out for itself, and all come to the same.

use crate::hex::hex;
use sha2::{Digest as _, Sha256};
use std::ops::Range;

/// Bytes of a plain file that one shard reads at a time unless somebody asks for others (64 MiB).
pub const BLOCK: u64 = 64 << 20;

/// The shard that reads a block of an input, from 1. The blocks of one input go to one shard after the other, beginning with
/// one that its name decides: however large other inputs are, and however many blocks come to it, that stays so.
pub fn owner(name: &str, block: u64, shards: u32) -> u32 {
    let [a, b, c, d, e, f, g, h, ..] = <[u8; 32]>::from(Sha256::digest(name.as_bytes()));
    let first = u64::from_be_bytes([a, b, c, d, e, f, g, h]);
    let shards = u64::from(shards.max(1));
    u32::try_from((first % shards + block % shards) % shards).unwrap_or(0) + 1
}

/// The blocks of a file of this length that a shard reads, in bytes, before it is known where lines begin.
pub fn blocks(name: &str, length: u64, block: u64, shard: super::Shard) -> impl Iterator<Item = Range<u64>> {
    let block = block.max(1);
    let number = length.div_ceil(block).max(1);
    let first = (0..u64::from(shard.of).min(number)).find(|index| owner(name, *index, shard.of) == shard.number);
    let own = first.into_iter().flat_map(move |first| (first..number).step_by(shard.of as usize));
    own.map(move |index| index * block..length.min((index + 1).saturating_mul(block)))
}

/// SHA-256 over the names of inputs, in hexadecimal digits.
pub fn listing<'n>(names: impl Iterator<Item = &'n str>) -> String {
    let mut hash = Sha256::new();
    for name in names {
        hash.update((name.len() as u64).to_be_bytes());
        hash.update(name.as_bytes());
    }
    hex(&hash.finalize())
}

#[cfg(test)]
mod tests {
    use super::super::Shard;
    use super::*;

    #[test]
    fn every_block_has_one_owner_and_shares_are_even() {
        for (of, length) in [(1, 1000), (3, 1000), (7, 95), (100, 1000), (5, 0)] {
            let mut all: Vec<Range<u64>> =
                (1..=of).flat_map(|number| blocks("x.log", length, 10, Shard { number, of })).collect();
            all.sort_by_key(|range| range.start);
            let expected: Vec<Range<u64>> =
                (0..length.div_ceil(10).max(1)).map(|n| n * 10..length.min(n * 10 + 10)).collect();
            assert_eq!(all, expected, "{of} shards of {length} bytes");
            let counts = (1..=of).map(|number| blocks("x.log", length, 10, Shard { number, of }).count());
            let counts: Vec<usize> = counts.collect();
            assert!(counts.iter().max() <= counts.iter().min().map(|least| least + 1).as_ref());
        }
    }

    #[test]
    fn files_are_spread() {
        let mut counts = [0; 4];
        (0..400).for_each(|n| counts[owner(&format!("log.{n}"), 0, 4) as usize - 1] += 1);
        assert!(counts.iter().all(|count| (70..130).contains(count)), "{counts:?}");
    }
}
