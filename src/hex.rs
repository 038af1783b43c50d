//! Hexadecimal digits, written and read.

/// Lower-case digits, two for each byte.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let digits: Vec<[u8; 2]> = bytes.iter().map(|byte| DIGITS[usize::from(*byte)]).collect();
    String::from_utf8(digits.into_flattened()).unwrap_or_default()
}

/// Both digits of every byte.
const DIGITS: [[u8; 2]; 256] = {
    let mut digits = [[0; 2]; 256];
    let mut byte = 0;
    while byte < digits.len() {
        digits[byte] = [b"0123456789abcdef"[byte >> 4], b"0123456789abcdef"[byte & 15]];
        byte += 1;
    }
    digits
};

/// The byte of two digits. Nothing but digits is read: the standard library takes a sign for one.
pub(crate) fn byte(digits: [u8; 2]) -> Option<u8> {
    let [high, low] = digits.map(|digit| char::from(digit).to_digit(16));
    u8::try_from(high? << 4 | low?).ok()
}

/// The bytes of twice as many digits.
pub(crate) fn bytes<const N: usize>(digits: &[u8]) -> Option<[u8; N]> {
    let (pairs, rest) = digits.as_chunks::<2>();
    let mut bytes = [0; N];
    if pairs.len() != N || !rest.is_empty() {
        return None;
    }
    for (into, pair) in bytes.iter_mut().zip(pairs) {
        *into = byte(*pair)?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::{byte, bytes, hex};

    #[test]
    fn digits_alone_are_read() {
        let all: Vec<u8> = (0..=u8::MAX).collect();
        for one in &all {
            let written = hex(&[*one]);
            for digits in [written.to_ascii_uppercase(), written] {
                assert_eq!(bytes(digits.as_bytes()), Some([*one]), "{digits}");
            }
        }
        for no in [*b"+5", *b"-5", *b" 5", *b"5 ", *b"0x", *b"g0"] {
            assert_eq!(byte(no), None, "{no:?}");
        }
        assert_eq!(bytes::<2>(b"00ff"), Some([0, 255]));
        assert_eq!([&b"00f"[..], b"00fff", b"00ff00", b"", b"+0ff"].map(bytes::<2>), [None; 5]);
    }
}
