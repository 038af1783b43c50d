//! Percent-encoding. Whoever passes an address on may encode it once more: `%2E`, `%252E`.

/// A character, as it is or percent-encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Char {
    pub(crate) byte: u8,
    /// In bytes.
    pub(crate) length: usize,
    /// How often it is encoded.
    pub(crate) level: usize,
}

/// The character that begins there, decoded `deepest` times at the most; `None` behind the end. A `%` without two
/// hexadecimal digits is itself.
pub(crate) fn char_at(text: &[u8], at: usize, deepest: usize) -> Option<Char> {
    let byte = *text.get(at)?;
    let digit = |at: usize| char::from(*text.get(at)?).to_digit(16);
    let code = |at: usize| u8::try_from(digit(at)? << 4 | digit(at + 1)?).ok();
    let mut char = Char { byte, length: 1, level: 0 };
    while char.byte == b'%'
        && char.level < deepest
        && let Some(byte) = code(at + char.length)
    {
        char = Char { byte, length: char.length + 2, level: char.level + 1 };
    }
    Some(char)
}

#[cfg(test)]
mod tests {
    use super::char_at;

    #[test]
    fn characters_are_decoded_as_often_as_they_are_encoded() {
        for (text, deepest, byte, length, level) in [
            ("a%2E", 2, b'a', 1, 0),
            ("%2Ea", 2, b'.', 3, 1),
            ("%2ea", 0, b'%', 1, 0),
            ("%252Ea", 2, b'.', 5, 2),
            ("%252Ea", 1, b'%', 3, 1),
            ("%25252E", 2, b'%', 5, 2),
            ("%25252E", 3, b'.', 7, 3),
            ("%25zz", 3, b'%', 3, 1),
            ("%25%2E", 3, b'%', 3, 1),
            ("%2", 3, b'%', 1, 0),
            ("%zz", 3, b'%', 1, 0),
        ] {
            let char = char_at(text.as_bytes(), 0, deepest).expect("not empty");
            assert_eq!((char.byte, char.length, char.level), (byte, length, level), "{text} {deepest}");
        }
        assert_eq!(char_at(b"%2E", 3, 2), None);
    }
}
