//! The packets of macaroons of the binary form version 1, as libmacaroons makes them for XRootD and dCache: each has its length
//! in four hexadecimal digits, a name, a blank, a value and a line end.

use crate::hex;

/// A packet with nothing in it: its length, one letter of a name and a blank.
const EMPTY: usize = 6;

/// One packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Packet<'b> {
    /// What it is: `location`, `identifier`, `cid`, `signature`.
    pub(crate) name: &'b [u8],
    /// `None` when it is not ended as it should be.
    pub(crate) value: Option<&'b [u8]>,
    /// All of it is there; what is cut is the last that is given.
    pub(crate) is_whole: bool,
}

/// The packets up to one that is none.
pub(crate) fn packets(mut bytes: &[u8]) -> impl Iterator<Item = Packet<'_>> {
    std::iter::from_fn(move || {
        let length = usize::from(u16::from_be_bytes(hex::bytes(bytes.get(..4)?)?));
        if length <= EMPTY {
            return None;
        }
        let is_whole = length <= bytes.len();
        let (packet, behind) = bytes.split_at(length.min(bytes.len()));
        bytes = behind;
        let body = &packet[4..];
        let (name, value) = match body.iter().position(|byte| *byte == b' ') {
            Some(at) => (&body[..at], body[at + 1..].strip_suffix(b"\n").filter(|_| is_whole)),
            None => (body, None),
        };
        Some(Packet { name, value, is_whole })
    })
}

#[cfg(test)]
mod tests {
    use super::packets;

    #[test]
    fn packets_are_read_up_to_what_is_none() {
        let read = |bytes: &[u8]| -> Vec<(String, Option<String>, bool)> {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            packets(bytes).map(|one| (text(one.name), one.value.map(text), one.is_whole)).collect()
        };
        let packet = |name: &str, value: Option<&str>, whole| (name.to_string(), value.map(str::to_string), whole);
        let cid = packet("cid", Some("a b"), true);
        assert_eq!(read(b"000ccid a b\n000Ccid a b\n"), [cid.clone(), cid.clone()], "small and large digits");
        assert_eq!(read(b"000ccid a b\n000ccid a\n"), [cid.clone(), packet("cid", None, false)], "cut");
        assert_eq!(read(b"000ccid a b.000ccid a b\n"), [packet("cid", None, true), cid.clone()], "not ended");
        assert_eq!(read(b"0009cida\n"), [packet("cida\n", None, true)], "no blank");
        assert_eq!(read(b"0007c \n"), [packet("c", Some(""), true)], "the shortest");
        for none in [&b""[..], b"000", b"0000", b"0006c ", b"+00ccid a b\n", b"0x0ccid a b\n"] {
            assert_eq!(read(none), [], "{none:?}");
            assert_eq!(read(&[b"000ccid a b\n", none].concat()), std::slice::from_ref(&cid), "{none:?}");
        }
    }
}
