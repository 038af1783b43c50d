//! Percent-encoding. Whoever passes an address on may encode it once more: `%2E`, `%252E`.

use crate::hex;
use std::borrow::Cow;

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
    let code = |at: usize| hex::byte(*text.get(at..)?.first_chunk()?);
    let mut char = Char { byte, length: 1, level: 0 };
    while char.byte == b'%'
        && char.level < deepest
        && let Some(byte) = code(at + char.length)
    {
        char = Char { byte, length: char.length + 2, level: char.level + 1 };
    }
    Some(char)
}

/// The byte that `%XX` at the start stands for.
pub(crate) fn code(bytes: &[u8]) -> Option<u8> {
    hex::byte(*bytes.strip_prefix(b"%")?.first_chunk()?)
}

/// Every code undone, once. A `%` without two hexadecimal digits stays as it is; what holds no code is borrowed.
pub(crate) fn decoded(text: &[u8]) -> Cow<'_, [u8]> {
    let Some(first) = memchr::memchr_iter(b'%', text).find(|at| code(&text[*at..]).is_some()) else {
        return Cow::Borrowed(text);
    };
    let mut out = text[..first].to_vec();
    let mut at = first;
    while let Some(char) = char_at(text, at, 1) {
        out.push(char.byte);
        at += char.length;
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::{char_at, decoded};
    use std::borrow::Cow;

    #[test]
    fn codes_are_undone_once_and_nothing_else_is() {
        for (text, expected) in
            [("/%50%05", "/P\u{5}"), ("%7e%7E", "~~"), ("%252E", "%2E"), ("100%25 %zz%41%", "100% %zzA%")]
        {
            assert_eq!(String::from_utf8_lossy(&decoded(text.as_bytes())), expected, "{text}");
        }
        for plain in ["", "a", "%", "%5", "%+5", "%-5", "% 5", "%zz%"] {
            assert!(matches!(decoded(plain.as_bytes()), Cow::Borrowed(same) if same == plain.as_bytes()), "{plain}");
        }
    }

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
