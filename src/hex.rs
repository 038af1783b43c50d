//! Hexadecimal digits of hashes.

/// Lower-case digits, two for each byte.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| b"0123456789abcdef"[usize::from(nibble)];
    let mut digits = Vec::with_capacity(2 * bytes.len());
    bytes.iter().for_each(|byte| digits.extend([digit(byte >> 4), digit(byte & 15)]));
    String::from_utf8(digits).unwrap_or_default()
}
