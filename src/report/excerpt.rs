//! The lines around a region, masked, escaped and cut to a width: what snippets show.

use super::{Region, View, text};

/// Some whole or cut lines, ready to print.
#[derive(Debug, Default)]
pub(super) struct Excerpt {
    /// Number of the first line.
    pub(super) first_line: u32,
    /// The lines, without unsafe characters.
    pub(super) lines: Vec<String>,
    /// Index into `lines` of the line that holds the marked part.
    pub(super) marked_line: usize,
    /// Bytes of the marked part in that line.
    pub(super) marked: std::ops::Range<usize>,
    /// The line on which the region ends, when that is not its first one (only that one is marked).
    pub(super) ends_on: Option<u32>,
}

impl Excerpt {
    /// The region's first line with `context` lines before and after, each at most `width` characters (16 at least).
    /// A longer line is cut to the surroundings of the region. `None` when the file has no such line.
    pub(super) fn new(view: &View<'_>, region: &Region, context: u32, width: usize) -> Option<Excerpt> {
        let width = width.max(16);
        let line = view.line_range(region.start_line)?;
        let first = region.start_line.saturating_sub(context).max(view.first_line());
        let last = region.start_line.saturating_add(context);
        let mut excerpt = Excerpt {
            first_line: first,
            ends_on: (region.end_line > region.start_line).then_some(region.end_line),
            ..Excerpt::default()
        };
        for number in first..=last {
            if number == region.start_line {
                excerpt.marked_line = excerpt.lines.len();
                let (text, marked) = marked_line(view, &line, region, width);
                excerpt.lines.push(text);
                excerpt.marked = marked;
            } else if let Some(range) = view.line_range(number) {
                excerpt.lines.push(context_line(view, range, width));
            }
        }
        Some(excerpt)
    }
}

/// Most bytes that `width` characters can take.
fn bytes(width: usize) -> usize {
    width * 4
}

fn context_line(view: &View<'_>, range: std::ops::Range<usize>, width: usize) -> String {
    let end = view.snap(range.end.min(range.start + bytes(width + 1)));
    text::shortened(&spaced(&view.text(range.start..end)), width)
}

fn marked_line(
    view: &View<'_>,
    line: &std::ops::Range<usize>,
    region: &Region,
    width: usize,
) -> (String, std::ops::Range<usize>) {
    let clamp = |offset: u64| usize::try_from(offset).unwrap_or(usize::MAX).clamp(line.start, line.end);
    let start = view.snap(clamp(region.byte_offset));
    let end = view.snap(clamp(region.byte_offset.saturating_add(region.byte_length)));
    // Never more text than can be shown is masked and escaped, however long the line is.
    let near = bytes(width + 1);
    let from = view.snap(start.saturating_sub(near).max(line.start));
    let mid_end = view.snap(end.min(start + near));
    let to = if mid_end < end { mid_end } else { view.snap(line.end.min(end + near)) };
    // Masking is what costs, so it is done once; it keeps the number of characters.
    let masked: Vec<char> = view.text(from..to).chars().collect();
    let piece = |range: std::ops::Range<usize>| {
        let range = view.chars(from..range.start)..view.chars(from..range.end);
        let text: String = masked.get(range).unwrap_or_default().iter().collect();
        text::visible(&spaced(&text)).into_owned()
    };
    let (before, marked, after) = (piece(from..start), piece(start..mid_end), piece(mid_end..to));

    let (before_width, marked_width, after_width) = (width_of(&before), width_of(&marked), width_of(&after));
    if before_width + marked_width + after_width <= width && from == line.start && to == line.end && mid_end == end {
        let range = before.len()..before.len() + marked.len();
        return (before + &marked + &after, range);
    }
    // The region comes first; two thirds of what remains go to the text before it, which names the member.
    let marked_room = marked_width.min(width - 2);
    let remaining = width - 2 - marked_room;
    let after_room = after_width.min((remaining / 3).max(remaining.saturating_sub(before_width)));
    let before_room = before_width.min(remaining - after_room);
    let mut cut = String::new();
    if before_room < before_width || from > line.start {
        cut.push('…');
    }
    cut.extend(before.chars().skip(before_width - before_room));
    let marked_start = cut.len();
    cut.extend(marked.chars().take(marked_room));
    let marked_cut = marked_room < marked_width || mid_end < end;
    if marked_cut {
        cut.push('…');
    }
    let marked_end = cut.len();
    if !marked_cut {
        cut.extend(after.chars().take(after_room));
        if after_room < after_width || to < line.end {
            cut.push('…');
        }
    }
    (cut, marked_start..marked_end)
}

/// Tabs as spaces: a tab is no danger, but has no width of its own.
fn spaced(text: &str) -> String {
    text.replace('\t', "    ")
}

fn width_of(text: &str) -> usize {
    text.chars().count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{Source, Span};

    fn region(source: &Source, span: std::ops::Range<usize>) -> Region {
        Region::new(source.position(span.start), source.position(span.end), span.start, span.len())
    }

    #[test]
    fn cuts_long_lines_around_the_region() {
        let long = format!("{{{}\"exp\": 99999, \"x\": 1{}}}", "\"a\": 1, ".repeat(500), ", \"b\": 2".repeat(500));
        let at = long.find("99999").expect("written above");
        let source = Source::from_text("min.json", long);
        let excerpt = Excerpt::new(&View::new(&source, &[]), &region(&source, at..at + 5), 1, 60).expect("line 1");
        let [line] = excerpt.lines.as_slice() else { panic!("one line") };
        assert_eq!(&line[excerpt.marked.clone()], "99999");
        assert!(line.contains("\"exp\": 99999, \"x\"") && line.starts_with('…') && line.ends_with('…'), "{line}");
        assert!(line.chars().count() <= 60, "{line}");
    }

    #[test]
    fn a_region_longer_than_the_width_is_cut_itself() {
        let source = Source::from_text("t", format!("{}\n", "x".repeat(3000)));
        let excerpt = Excerpt::new(&View::new(&source, &[]), &region(&source, 10..2990), 1, 40).expect("line 1");
        assert_eq!(excerpt.lines[0].chars().count(), 40);
        assert!(excerpt.lines[0][excerpt.marked.clone()].ends_with('…'));
    }

    #[test]
    fn shows_no_secret_and_no_control_character() {
        let source = Source::from_text("t", "a: \x1b[31m\tb\nsecret: hunter2 # \u{202e}\nc\n");
        let secret = source.text().find("hunter2").expect("written above");
        let span = Span::new(secret, secret + 7);
        let spans = [span];
        let view = View::new(&source, &spans);
        let excerpt = Excerpt::new(&view, &region(&source, span.range()), 1, 60).expect("line 2");
        assert_eq!(excerpt.lines, ["a: \\u{1b}[31m    b", "secret: ******* # \\u{202e}", "c"]);
        assert_eq!((excerpt.first_line, excerpt.marked_line, excerpt.marked), (1, 1, 8..15));
    }

    #[test]
    fn regions_that_do_not_fit_the_file_do_no_harm() {
        let source = Source::from_text("t", "ü\n");
        let view = View::new(&source, &[]);
        let wrong = Region {
            start_line: 1,
            start_column: 9,
            end_line: 7,
            end_column: 1,
            byte_offset: 1,
            byte_length: u64::MAX,
        };
        assert!(Excerpt::new(&view, &wrong, 1, 40).is_some_and(|excerpt| excerpt.ends_on == Some(7)));
        assert!(Excerpt::new(&view, &Region { start_line: 9, ..wrong }, 1, 40).is_none());
    }
}
