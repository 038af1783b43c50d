//! The lines of a file that reports show, masked, for whoever reports what others judged and does not have the file.

use super::{Region, View};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::ops::Range;

/// Lines around a place that are shown with it.
const CONTEXT: u32 = 1;
/// Bytes of a line that are kept whole; of longer ones what is near a place.
const WHOLE: usize = 16 << 10;
/// Bytes of a long line that are kept at its beginning, and on both sides of a place; nobody shows more.
const NEAR: usize = 1024;

/// Lines of one file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Lines {
    /// The file.
    pub name: String,
    /// The first line that was in memory, from 1.
    pub first: u32,
    /// The last one.
    pub last: u32,
    /// Lines that may be shown, by their number.
    pub lines: BTreeMap<u32, Line>,
}

/// One line.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// Offset of its first byte in the file.
    pub start: usize,
    /// Offset of the first byte behind it, its line ending left out.
    pub end: usize,
    /// What is kept of it.
    pub pieces: Vec<Piece>,
}

/// A stretch of a line.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Piece {
    /// Offset of its first byte in the file.
    pub at: usize,
    /// The text, with every secret masked character by character.
    pub text: String,
    /// How many bytes each character has in the file, a digit each; empty when that is one for all.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub widths: String,
}

impl Piece {
    fn of(view: &View<'_>, range: Range<usize>) -> Self {
        let range = view.snap(range.start)..view.snap(range.end);
        let mut widths = String::new();
        let mut at = range.start;
        while at < range.end {
            // Characters take up to four bytes.
            let next = (at + 1..=at + 4).find(|end| view.snap(*end) == *end).unwrap_or(range.end).min(range.end);
            widths.push(char::from(b'0' + u8::try_from(next - at).unwrap_or(1)));
            at = next;
        }
        if widths.bytes().all(|width| width == b'1') {
            widths.clear();
        }
        Piece { at: range.start, text: view.text(range), widths }
    }

    /// Offsets of its characters in the file, and that of its end.
    fn offsets(&self) -> impl Iterator<Item = usize> + '_ {
        let plain = self.widths.is_empty().then(|| std::iter::repeat_n(1, self.text.chars().count()));
        let widths = self.widths.bytes().map(|width| usize::from(width.wrapping_sub(b'0')));
        let widths = plain.into_iter().flatten().chain(widths);
        std::iter::once(self.at).chain(widths.scan(self.at, |at, width| {
            *at = at.saturating_add(width);
            Some(*at)
        }))
    }

    fn end(&self) -> usize {
        match self.widths.is_empty() {
            true => self.at.saturating_add(self.text.chars().count()),
            false => self.offsets().last().unwrap_or(self.at),
        }
    }

    fn holds(&self, range: &Range<usize>) -> bool {
        self.at <= range.start && range.end <= self.end()
    }
}

impl Lines {
    /// What reports show of a file around some places.
    pub fn of<'r>(view: &View<'_>, places: impl Iterator<Item = &'r Region>) -> Self {
        let last = u32::try_from(view.lines()).unwrap_or(u32::MAX);
        let mut lines = Lines { name: view.name().to_string(), first: view.first_line(), last, lines: BTreeMap::new() };
        for place in places {
            let first = place.start_line.saturating_sub(CONTEXT).max(lines.first);
            for number in first..=place.start_line.saturating_add(CONTEXT) {
                lines.add(view, number, place);
            }
        }
        lines
    }

    fn add(&mut self, view: &View<'_>, number: u32, place: &Region) {
        let Some(range) = view.line_range(number) else { return };
        let line =
            self.lines.entry(number).or_insert_with(|| Line { start: range.start, end: range.end, pieces: vec![] });
        let mut keep = |part: Range<usize>| {
            let part = view.snap(part.start)..view.snap(part.end);
            if !line.pieces.iter().any(|piece| piece.holds(&part)) {
                line.pieces.push(Piece::of(view, part));
            }
        };
        if range.len() <= WHOLE {
            return keep(range);
        }
        keep(range.start..range.start + NEAR);
        if number == place.start_line {
            let at = usize::try_from(place.byte_offset).unwrap_or(usize::MAX).clamp(range.start, range.end);
            keep(at.saturating_sub(NEAR).max(range.start)..range.end.min(at + 2 * NEAR));
        }
    }

    /// Adds the lines of another part of the same file.
    pub fn merge(&mut self, other: Lines) {
        if self.lines.is_empty() {
            *self = other;
            return;
        }
        self.last = self.last.max(other.last);
        for (number, line) in other.lines {
            let known = self.lines.entry(number).or_insert_with(|| Line { pieces: vec![], ..line.clone() });
            let more = line.pieces.into_iter().filter(|piece| !known.pieces.contains(piece)).collect::<Vec<_>>();
            known.pieces.extend(more);
        }
    }

    pub(super) fn line_range(&self, line: u32) -> Option<Range<usize>> {
        self.lines.get(&line).map(|line| line.start..line.end)
    }

    fn piece(&self, range: &Range<usize>) -> Option<&Piece> {
        let around = self.lines.values().filter(|line| line.start <= range.start && range.start <= line.end);
        around.flat_map(|line| &line.pieces).find(|piece| piece.holds(range))
    }

    pub(super) fn snap(&self, offset: usize) -> usize {
        let piece = self.piece(&(offset..offset));
        piece.and_then(|piece| piece.offsets().take_while(|at| *at <= offset).last()).unwrap_or(offset)
    }

    pub(super) fn text(&self, range: &Range<usize>) -> String {
        let Some(piece) = self.piece(range) else { return String::new() };
        let inside = piece.text.chars().zip(piece.offsets()).filter(|(_, at)| range.contains(at));
        inside.map(|(c, _)| c).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::excerpt::Excerpt;
    use super::*;
    use crate::source::{Source, Span};

    #[test]
    fn they_show_what_the_file_shows() {
        let long = format!("{{{}\"exp\": 99999, \"ü\": 1{}}}", "\"ä\": 1, ".repeat(5000), ", \"b\": 2".repeat(5000));
        let text = format!("a: \x1b[31m\tb\nsecret: hünter2 # \u{202e}\n{long}\n\nlast öne");
        let source = Source::from_text("x.json", text.as_str());
        let secret = text.find("hünter2").expect("written above");
        let secrets = [Span::new(secret, secret + 8)];
        let view = View::new(&source, &secrets);
        let region =
            |start: usize, end: usize| Region::new(source.position(start), source.position(end), start, end - start);
        let at = text.find("99999").expect("written above");
        let places = [
            region(0, 3),
            region(secret, secret + 8),
            region(at, at + 5),
            region(at - 20_000, text.len() - 3),
            region(text.len() - 3, text.len()),
            Region { start_line: 99, ..region(0, 1) },
        ];
        let lines = Lines::of(&view, places.iter());
        let read: Lines = serde_json::from_str(&serde_json::to_string(&lines).expect("JSON")).expect("read back");
        assert!(read == lines && !format!("{lines:?}").contains("nter2"));
        let kept = View::of_lines(&read);
        assert_eq!((kept.name(), kept.lines(), kept.first_line()), ("x.json", 5, 1));
        for (place, width) in places.iter().flat_map(|place| [16, 40, 77, 120].map(|width| (place, width))) {
            let shown = |view| Excerpt::new(view, place, 1, width).map(|excerpt| format!("{excerpt:?}"));
            assert_eq!(shown(&kept), shown(&view), "{place:?} in {width}");
        }
    }
}
