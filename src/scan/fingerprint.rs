//! Names for tokens that reveal nothing of them.
//!
//! A fingerprint is the beginning of a hash over the whole token, so nobody gets a token from it. Who already holds a token
//! can confirm that it is the one; where that is too much (a public ticket), a key makes fingerprints that only its holders
//! can confirm.

use crate::hex::hex;
use sha2::{Digest as _, Sha256};

/// Hexadecimal digits of a fingerprint, two for each byte of the hash that is shown.
pub const DIGITS: usize = 12;
/// Shortest key, in bytes.
pub const SHORTEST_KEY: usize = 16;
/// Block size of SHA-256, in bytes.
const BLOCK: usize = 64;
/// Keeps these hashes apart from those of anything else that uses the same key.
const DOMAIN: &[u8] = b"tokenvet token fingerprint 1\0";

/// Makes fingerprints of digests (SHA-256 of a token in its plain form).
#[derive(Clone, Default)]
pub struct Fingerprints {
    /// The key, as HMAC takes it: one block.
    key: Option<[u8; BLOCK]>,
}

impl std::fmt::Debug for Fingerprints {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.key.is_some() { "Fingerprints(keyed)" } else { "Fingerprints" })
    }
}

impl Fingerprints {
    /// With a key: the content of a file, of which line breaks at the end do not count.
    ///
    /// An error when it has less than [`SHORTEST_KEY`] bytes; the text says what to do.
    pub fn keyed(content: &[u8]) -> Result<Self, String> {
        let end = content.iter().rposition(|byte| !matches!(byte, b'\n' | b'\r')).map_or(0, |last| last + 1);
        match end < SHORTEST_KEY {
            true => Err(format!(
                "the key has {end} bytes and at least {SHORTEST_KEY} are needed, for example from `openssl rand -hex 32`"
            )),
            false => Ok(Fingerprints { key: Some(block(&content[..end])) }),
        }
    }

    /// [`DIGITS`] hexadecimal digits that tell tokens apart.
    pub fn of(&self, digest: &[u8; 32]) -> String {
        shown(&self.whole(digest))
    }

    /// All of the hash that fingerprints are the beginning of: the digest itself without a key.
    pub fn whole(&self, digest: &[u8; 32]) -> [u8; 32] {
        match &self.key {
            Some(key) => hmac(key, &[DOMAIN, digest]),
            None => *digest,
        }
    }
}

/// The fingerprint that such a hash begins with.
pub fn shown(whole: &[u8; 32]) -> String {
    hex(&whole[..DIGITS / 2])
}

fn block(key: &[u8]) -> [u8; BLOCK] {
    let mut block = [0; BLOCK];
    match key.len() > BLOCK {
        true => block[..32].copy_from_slice(&Sha256::digest(key)),
        false => block[..key.len()].copy_from_slice(key),
    }
    block
}

/// HMAC-SHA-256 (RFC 2104).
fn hmac(key: &[u8; BLOCK], message: &[&[u8]]) -> [u8; 32] {
    let mut inner = Sha256::new_with_prefix(key.map(|byte| byte ^ 0x36));
    message.iter().for_each(|part| inner.update(part));
    let outer = Sha256::new_with_prefix(key.map(|byte| byte ^ 0x5c));
    outer.chain_update(inner.finalize()).finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hmac_is_that_of_rfc_4231() {
        for (key, message, expected) in [
            (vec![0x0b; 20], "Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
            (
                b"Jefe".to_vec(),
                "what do ya want for nothing?",
                "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
            ),
            (
                vec![0xaa; 131],
                "Test Using Larger Than Block-Size Key - Hash Key First",
                "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
            ),
        ] {
            assert_eq!(hex(&hmac(&block(&key), &[message.as_bytes()])), expected);
        }
    }

    #[test]
    fn only_who_holds_the_key_can_confirm_a_fingerprint() {
        let digest: [u8; 32] = Sha256::digest("a token").into();
        let keyed = |content: &[u8]| Fingerprints::keyed(content).map(|prints| prints.of(&digest));
        let key = b"0123456789abcdef0123456789abcdef";
        assert_eq!(keyed(key), keyed(b"0123456789abcdef0123456789abcdef\r\n"), "an editor's line break does not count");
        assert_ne!(keyed(key), keyed(b"0123456789abcdef0123456789abcdee"));
        assert_ne!(keyed(key).as_deref(), Ok(Fingerprints::default().of(&digest).as_str()));
        assert_eq!(keyed(key).map(|print| print.len()), Ok(DIGITS));
        assert!(keyed(b"too short\n").is_err_and(|error| error.contains("9 bytes")));
    }
}
