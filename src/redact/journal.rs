//! Fields of a journal in its export format whose length stands before them: what takes the place of something in such a
//! field has to be as long, or nobody can read the copy.
//!
//! The format is systemd's Journal Export Format: lines `NAME=value`, and for values that hold line breaks or no text a line
//! `NAME`, eight bytes with the length (little-endian), the value and a line break.

use crate::scan::member::JOURNAL_EXPORT;
use std::ops::Range;

/// Follows a text as it comes. Of a text that is no export it knows nothing.
#[derive(Debug)]
pub(super) struct Fields {
    at: At,
    /// Bytes of the text so far.
    read: u64,
    /// Where values of a stated length stand in the text, ascending.
    values: Vec<Range<u64>>,
}

/// What comes next.
#[derive(Debug)]
enum At {
    /// Perhaps the beginning of an export: so many bytes look like one.
    Beginning(usize),
    /// The rest of a line, which so far is the name of a field; `true` for one that is empty so far.
    Name(bool),
    /// The rest of any other line.
    Line,
    /// The length of a value, of which so many bytes are known.
    Length([u8; 8], usize),
    /// So many bytes of a value.
    Value(u64),
    /// The line break behind one.
    Break,
    /// No export, or a broken one.
    Other,
}

impl Fields {
    pub(super) fn new() -> Self {
        Fields { at: At::Beginning(0), read: 0, values: Vec::new() }
    }

    /// Takes what comes next of the text.
    pub(super) fn push(&mut self, mut piece: &[u8]) {
        let in_name = |byte: &u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || *byte == b'_';
        while let [first, rest @ ..] = piece {
            let took;
            (self.at, took) = match &self.at {
                At::Other => (At::Other, piece.len()),
                At::Beginning(known) if JOURNAL_EXPORT[*known] != *first => (At::Other, 1),
                At::Beginning(known) if known + 1 == JOURNAL_EXPORT.len() => (At::Line, 1),
                At::Beginning(known) => (At::Beginning(known + 1), 1),
                At::Line => match memchr::memchr(b'\n', piece) {
                    Some(end) => (At::Name(true), end + 1),
                    None => (At::Line, piece.len()),
                },
                At::Name(is_empty) => match piece.iter().take_while(|byte| in_name(byte)).count() {
                    0 if *first == b'=' => (At::Line, 1),
                    0 if *first == b'\n' && *is_empty => (At::Name(true), 1),
                    0 if *first == b'\n' => (At::Length([0; 8], 0), 1),
                    0 => (At::Other, 1),
                    length => (At::Name(false), length),
                },
                At::Length(bytes, known) => {
                    let mut bytes = *bytes;
                    bytes[*known] = *first;
                    let value = u64::from_le_bytes(bytes);
                    match (known + 1, value) {
                        (8, 0) => (At::Break, 1),
                        (8, length) => {
                            let start = self.read + (piece.len() - rest.len()) as u64;
                            self.values.push(start..start.saturating_add(length));
                            (At::Value(length), 1)
                        }
                        (known, _) => (At::Length(bytes, known), 1),
                    }
                }
                At::Value(left) => {
                    let length = usize::try_from(*left).unwrap_or(usize::MAX).min(piece.len());
                    match left - length as u64 {
                        0 => (At::Break, length),
                        left => (At::Value(left), length),
                    }
                }
                At::Break if *first == b'\n' => (At::Name(true), 1),
                At::Break => (At::Other, 1),
            };
            self.read += took as u64;
            piece = &piece[took..];
        }
    }

    /// Has some of this stretch of the text to keep its length?
    pub(super) fn fix(&self, stretch: Range<u64>) -> bool {
        let next = self.values.partition_point(|value| value.end <= stretch.start);
        self.values.get(next).is_some_and(|value| value.start < stretch.end)
    }

    /// Forgets what stands before a place of the text.
    pub(super) fn forget(&mut self, before: u64) {
        self.values.drain(..self.values.partition_point(|value| value.end <= before));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_a_stated_length_are_told_apart() {
        let sized = |length: u64, value: &str| [b"N_1\n", &length.to_le_bytes()[..], value.as_bytes(), b"\n"].concat();
        let start = b"__CURSOR=a\n\nM=b\n".to_vec();
        for (text, expected, remark) in [
            ([start.clone(), sized(5, "a\nb=c")].concat(), vec![(28, 33)], "one"),
            (
                [start.clone(), sized(1, "a"), b"X=\n".to_vec(), sized(2, "b\n")].concat(),
                vec![(28, 29), (45, 47)],
                "two",
            ),
            ([start.clone(), sized(0, "")].concat(), vec![], "an empty one"),
            ([start.clone(), sized(u64::MAX, "a")].concat(), vec![(28, u64::MAX)], "one without end"),
            ([start.clone(), sized(1, "ab"), sized(1, "a")].concat(), vec![(28, 29)], "broken: the length is wrong"),
            ([start.clone(), b"a line\n".to_vec(), sized(1, "a")].concat(), vec![], "broken: no name"),
            ([b"__CURSER=a\n".to_vec(), sized(1, "a")].concat(), vec![], "no export"),
        ] {
            for step in [1, 2, 7, text.len()] {
                let mut fields = Fields::new();
                text.chunks(step).for_each(|piece| fields.push(piece));
                let found: Vec<_> = fields.values.iter().map(|value| (value.start, value.end)).collect();
                assert_eq!(found, expected, "{remark}, {step} at a time");
            }
        }
    }

    #[test]
    fn a_stretch_is_asked_for() {
        let mut fields = Fields { at: At::Other, read: 100, values: vec![10..20, 30..40] };
        let asked = [0..10, 0..11, 19..20, 20..30, 25..50, 40..41];
        assert_eq!(asked.clone().map(|stretch| fields.fix(stretch)), [false, true, true, false, true, false]);
        fields.forget(20);
        assert_eq!(asked.map(|stretch| fields.fix(stretch)), [false, false, false, false, true, false]);
    }
}
