//! Escaping that all formats share. What comes from files is untrusted: no writer passes it on without one of these.

use std::borrow::Cow;
use std::fmt::Write;

/// Longest value or message that text formats show, in characters; the JSON family is never cut.
pub const MAX_SHOWN: usize = 500;

/// True for characters that are never written as they are: controls (C0, C1, DEL), bidirectional and zero-width
/// marks, other format characters, line and paragraph separators, invisible fillers and noncharacters.
pub fn is_unsafe(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_control();
    }
    matches!(u32::from(c),
        0x80..=0x9f | 0xad | 0x34f | 0x600..=0x605 | 0x61c | 0x6dd | 0x70f | 0x890..=0x891 | 0x8e2
        | 0x115f..=0x1160 | 0x17b4..=0x17b5 | 0x180b..=0x180f | 0x200b..=0x200f | 0x2028..=0x202e
        | 0x2060..=0x206f | 0x3164 | 0xfeff | 0xffa0 | 0xfff0..=0xfffb | 0x110bd | 0x110cd
        | 0x13430..=0x1343f | 0x1bca0..=0x1bca3 | 0x1d173..=0x1d17a | 0xe0000..=0xe0fff
        | 0xfdd0..=0xfdef)
        || u32::from(c) & 0xfffe == 0xfffe
}

/// The text on one line, with unsafe characters as `\u{1b}` and the opening of a CI log command (`##[`) broken up.
pub fn visible(text: &str) -> Cow<'_, str> {
    if !text.contains(is_unsafe) && !text.contains("##[") {
        return text.into();
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_unsafe(c) || c == '[' && shown.ends_with("##") {
            push_escape(&mut shown, c);
        } else {
            shown.push(c);
        }
    }
    shown.into()
}

fn push_escape(out: &mut String, c: char) {
    write!(out, "\\u{{{:x}}}", u32::from(c)).unwrap_or_else(|_| unreachable!("a String takes every write"));
}

/// [`visible`], cut to `max` characters with an ellipsis.
pub fn shortened(text: &str, max: usize) -> String {
    let shown = visible(text);
    match shown.char_indices().nth(max) {
        None => shown.into_owned(),
        Some(_) => {
            let end = shown.char_indices().nth(max.saturating_sub(1)).map_or(0, |(at, _)| at);
            format!("{}…", &shown[..end])
        }
    }
}

/// A message, name or value as text formats show it.
pub fn shown(text: &str) -> String {
    shortened(text, MAX_SHOWN)
}

/// Output of several lines that is not ours to command a CI runner with: runners trim a line and obey it when it then
/// begins with `::`, and look for `##[` anywhere.
pub fn without_commands(output: &str) -> Cow<'_, str> {
    if !output.contains("::") && !output.contains("##[") {
        return output.into();
    }
    let mut guarded = String::with_capacity(output.len() + 16);
    for line in output.split_inclusive('\n') {
        let rest = without_lead(line);
        if rest.starts_with("::") {
            guarded.push_str(&line[..line.len() - rest.len()]);
            push_escape(&mut guarded, ':');
            guarded.push_str(&rest[1..].replace("##[", "##\\u{5b}"));
        } else {
            guarded.push_str(&line.replace("##[", "##\\u{5b}"));
        }
    }
    guarded.into()
}

/// The line without blanks and colour codes in front.
fn without_lead(line: &str) -> &str {
    let mut rest = line.trim_start();
    while let Some((code, after)) = rest.strip_prefix("\x1b[").and_then(|code| code.split_once('m')) {
        if !code.bytes().all(|byte| byte.is_ascii_digit() || byte == b';') {
            break;
        }
        rest = after.trim_start();
    }
    rest
}

/// `1,982`: digits in groups of three.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// `1 client`, `1,982 clients`, `2 policies`: a count with its noun.
pub fn counted(number: u64, noun: &str) -> String {
    format!("{} {}", count(number), plural(number, noun))
}

/// What follows a list whose first elements are named: ` and 3 more`; empty when all are named.
pub fn and_more(unnamed: usize) -> String {
    if unnamed > 0 { format!(" and {unnamed} more") } else { String::new() }
}

/// The noun as it follows this number.
pub fn plural(number: u64, noun: &str) -> Cow<'_, str> {
    match noun.strip_suffix('y') {
        _ if number == 1 => noun.into(),
        Some(stem) if !stem.ends_with(['a', 'e', 'o', 'u']) => format!("{stem}ies").into(),
        _ if noun.ends_with(['s', 'x']) => noun.into(),
        _ => format!("{noun}s").into(),
    }
}

/// Words filled into lines of at most `width` characters; longer words are broken.
pub fn wrapped(text: &str, width: usize) -> Vec<String> {
    let width = width.max(16);
    let mut lines = Vec::new();
    let mut line = String::new();
    let mut used = 0;
    for word in text.split_whitespace() {
        let length = word.chars().count();
        if used > 0 && used + 1 + length > width {
            lines.push(std::mem::take(&mut line));
            used = 0;
        }
        if used > 0 {
            line.push(' ');
            used += 1;
        }
        for c in word.chars() {
            if used == width {
                lines.push(std::mem::take(&mut line));
                used = 0;
            }
            line.push(c);
            used += 1;
        }
    }
    lines.push(line);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_what_a_terminal_would_obey() {
        for (text, shown, why) in [
            ("plain ümläut 漢字 😀", "plain ümläut 漢字 😀", "printable text stays"),
            ("a\x1b[31mb", "a\\u{1b}[31mb", "escape sequence"),
            ("a\nb\r\tc", "a\\u{a}b\\u{d}\\u{9}c", "one finding stays one line"),
            ("\u{85}\u{9b}\u{7f}", "\\u{85}\\u{9b}\\u{7f}", "C1 and DEL"),
            ("\u{202e}x\u{2069}\u{200b}\u{feff}", "\\u{202e}x\\u{2069}\\u{200b}\\u{feff}", "bidi, zero width"),
            ("###[error]", "###\\u{5b}error]", "old runner command"),
        ] {
            assert_eq!(visible(text), shown, "{why}");
        }
    }

    #[test]
    fn cuts_after_escaping() {
        assert_eq!(shortened("abc", 3), "abc");
        assert_eq!(shortened("abcd", 3), "ab…");
        assert_eq!(shown(&"\x07".repeat(600)).chars().count(), MAX_SHOWN);
    }

    #[test]
    fn commands_are_broken_up_at_every_line_start() {
        assert_eq!(without_commands("a::b\n  ::error::x\n"), "a::b\n  \\u{3a}:error::x\n");
        assert_eq!(without_commands(" \x1b[1;31m ::a"), " \x1b[1;31m \\u{3a}:a");
        assert_eq!(without_commands("x ##[add-mask]y"), "x ##\\u{5b}add-mask]y");
    }

    #[test]
    fn counts_read_as_english() {
        for (number, noun, text) in [
            (1, "client", "1 client"),
            (1982, "client", "1,982 clients"),
            (1_000_000, "scope-policy", "1,000,000 scope-policies"),
            (2, "keys", "2 keys"),
            (0, "error", "0 errors"),
        ] {
            assert_eq!(counted(number, noun), text);
        }
    }
}
