//! Lines of words: directives (`xrootd.cfg`), map files, plug-in stacks.
//!
//! The root is a list of lines, each a list of its words as strings. Blank lines and comments leave nothing.

use super::lines::{Line, MAX_ERRORS, Read, lines, nul, trim};
use super::{Data, ParseError, Text, TreeBuilder};
use crate::source::Span;

/// Whose rules a file of words follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum WordsDialect {
    /// XRootD's main configuration: `#` comments, `\` continuation, no quotes.
    Xrootd,
    /// XRootD's authorisation file (`acc.authdb`).
    Authdb,
    /// Commands of EOS in a shell script.
    EosVid,
    /// `gplazma.conf` of dCache.
    Gplazma,
    /// Map files of dCache's multimap plug-in: a line is one word, since dCache reads it like a command line.
    Multimap,
    /// Map files of HTCondor: quotes at the start of a word keep blanks together.
    CondorMap,
    /// The same where slashes enclose regular expressions (HTCondor-CE): in the second word, they keep blanks together.
    CondorCeMap,
    /// `.lsc` files of VOMS: a line is one word.
    Lsc,
    /// `vomses` files: quoted words.
    Vomses,
}

/// One dialect.
struct Rules {
    /// A `#` behind a blank starts a comment.
    trailing_comments: bool,
    /// A backslash at the end joins the next line.
    continued: bool,
    /// Characters that keep blanks together, as long as they are closed on the line.
    quotes: &'static [char],
    /// A line is one word.
    whole: bool,
    /// The words of HTCondor's map files; true where slashes enclose regular expressions.
    condor: Option<bool>,
}

const PLAIN: Rules = Rules { trailing_comments: false, continued: false, quotes: &[], whole: false, condor: None };

impl WordsDialect {
    fn rules(self) -> Rules {
        match self {
            WordsDialect::Xrootd => Rules { continued: true, trailing_comments: true, ..PLAIN },
            WordsDialect::EosVid => Rules { continued: true, trailing_comments: true, quotes: &['"'], ..PLAIN },
            WordsDialect::Authdb => Rules { continued: true, ..PLAIN },
            WordsDialect::Gplazma => PLAIN,
            WordsDialect::Multimap => Rules { whole: true, ..PLAIN },
            WordsDialect::CondorMap => Rules { condor: Some(false), ..PLAIN },
            WordsDialect::CondorCeMap => Rules { condor: Some(true), ..PLAIN },
            WordsDialect::Lsc => Rules { whole: true, ..PLAIN },
            WordsDialect::Vomses => Rules { quotes: &['"'], ..PLAIN },
        }
    }

    /// What users call such a file.
    pub fn name(self) -> &'static str {
        match self {
            WordsDialect::Xrootd => "XRootD configuration",
            WordsDialect::EosVid => "a script with EOS commands",
            WordsDialect::Authdb => "an XRootD authorisation file",
            WordsDialect::Gplazma => "gplazma.conf",
            WordsDialect::Multimap => "a multimap file",
            WordsDialect::CondorMap => "an HTCondor map file",
            WordsDialect::CondorCeMap => "an HTCondor-CE map file",
            WordsDialect::Lsc => "an lsc file",
            WordsDialect::Vomses => "a vomses file",
        }
    }
}

/// Reads a whole file.
pub fn read(text: &str, dialect: WordsDialect) -> Read {
    let rules = dialect.rules();
    let mut builder = TreeBuilder::new();
    let mut errors: Vec<ParseError> = nul(text).into_iter().collect();
    builder.open(Data::Seq, 0);
    let mut lines = lines(text, None);
    while let Some(line) = lines.next() {
        let span = line.trimmed(text);
        let trimmed = &text[span.range()];
        if trimmed.is_empty() || errors.len() >= MAX_ERRORS {
            continue;
        }
        if trimmed.starts_with('#') {
            builder.comment(span);
            continue;
        }
        builder.open(Data::Seq, span.start as usize);
        let mut at = line;
        let mut end = span.end as usize;
        loop {
            let (part, more) = part(text, at, &rules);
            end = end.max(part.end as usize);
            split(text, part, &rules, &mut builder, &mut errors);
            match more.then(|| lines.next()).flatten() {
                Some(next) => at = next,
                None => break,
            }
        }
        builder.close(end, text);
    }
    builder.close(text.len(), text);
    (builder.finish(), errors)
}

/// A line's span without the backslash that continues it, and whether there was one.
fn part(text: &str, line: Line, rules: &Rules) -> (Span, bool) {
    let span = line.trimmed(text);
    match text[span.range()].strip_suffix('\\') {
        Some(rest) if rules.continued => {
            (trim(text, Span::new(span.start as usize, span.start as usize + rest.len())), true)
        }
        _ => (span, false),
    }
}

/// Adds the words of a span.
fn split(text: &str, span: Span, rules: &Rules, builder: &mut TreeBuilder, errors: &mut Vec<ParseError>) {
    if rules.whole {
        builder.leaf(Data::Text(Text::Raw(span)), span);
        return;
    }
    if let Some(slashes) = rules.condor {
        return condor_words(text, span, slashes, builder, errors);
    }
    let mut at = span.start as usize;
    let end = span.end as usize;
    while at < end {
        let rest = &text[at..end];
        let blank = rest.len() - rest.trim_start().len();
        if blank > 0 {
            at += blank;
            continue;
        }
        if rest.starts_with('#') && rules.trailing_comments {
            builder.comment(Span::new(at, end));
            return;
        }
        let word = match word(rest, rules) {
            Some(word) => word,
            None => {
                let message = "the quote is never closed on this line; close it";
                errors.push(ParseError::at(at, message));
                rest.len()
            }
        };
        let whole = Span::new(at, at + word);
        let quoted = word >= 2 && rest.starts_with('"') && rest[..word].ends_with('"');
        let inner = match quoted && rules.quotes.contains(&'"') {
            true => Span::new(at + 1, at + word - 1),
            false => whole,
        };
        builder.leaf(Data::Text(Text::Raw(inner)), whole);
        at += word;
    }
}

/// The words of a line of HTCondor's map file. Quotes and slashes do not belong to a word's text, but to its span.
fn condor_words(text: &str, span: Span, slashes: bool, builder: &mut TreeBuilder, errors: &mut Vec<ParseError>) {
    const BLANKS: [char; 2] = [' ', '\t'];
    let end = span.end as usize;
    let mut at = span.start as usize;
    for index in 0.. {
        let rest = &text[at..end];
        at += rest.len() - rest.trim_start_matches(BLANKS).len();
        let rest = &text[at..end];
        let Some(first) = rest.chars().next() else { break };
        if first == '"' || (first == '/' && slashes && index == 1) {
            let (word, length) = enclosed(rest, first);
            let closed = length.is_some();
            let length = length.unwrap_or(rest.len());
            if !closed {
                let message = "the quote or slash is never closed on this line, which HTCondor skips then; close it";
                errors.push(ParseError::at(at, message));
            }
            let flags = match first == '/' && closed {
                true => rest[length..].len() - rest[length..].trim_start_matches(['i', 'U']).len(),
                false => 0,
            };
            let whole = Span::new(at, at + length + flags);
            builder.leaf(Data::Text(Text::Owned(word.into())), whole);
            at = whole.end as usize;
        } else {
            let length = rest.find(BLANKS).unwrap_or(rest.len());
            let whole = Span::new(at, at + length);
            builder.leaf(Data::Text(Text::Raw(whole)), whole);
            at += length;
        }
    }
}

/// The text between a mark and its like, and the length with both; `None` when there is no second. A backslash takes its
/// meaning from the mark and from a backslash, and stays before everything else.
fn enclosed(rest: &str, mark: char) -> (String, Option<usize>) {
    let mut word = String::new();
    let mut chars = rest.char_indices().skip(1);
    while let Some((at, c)) = chars.next() {
        match c {
            c if c == mark => return (word, Some(at + mark.len_utf8())),
            '\\' => match chars.next() {
                Some((_, next)) if next == mark || next == '\\' => word.push(next),
                Some((_, next)) => word.extend(['\\', next]),
                None => {}
            },
            c => word.push(c),
        }
    }
    (word, None)
}

/// The length of the word that a text starts with; `None` when a double quote is not closed.
fn word(rest: &str, rules: &Rules) -> Option<usize> {
    let mut quote = None;
    let mut escaped = false;
    for (at, c) in rest.char_indices() {
        match quote {
            Some(_) if escaped => escaped = false,
            Some(_) if c == '\\' => escaped = true,
            Some(open) if c == open => quote = None,
            Some(_) => {}
            None if c.is_whitespace() => return Some(at),
            None if rules.quotes.contains(&c) => quote = Some(c),
            None => {}
        }
    }
    match quote {
        Some(_) => None,
        None => Some(rest.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::{Document, Syntax};
    use crate::source::Source;
    use std::sync::Arc;

    fn rows(text: &str, dialect: WordsDialect) -> (Vec<String>, usize) {
        let (tree, errors) = read(text, dialect);
        let document = Document::new(Arc::new(Source::from_text("t", text)), Syntax::Words(dialect), tree);
        let row = |line: crate::parse::Cursor<'_>| {
            line.items().map(|word| word.as_str().unwrap_or_default()).collect::<Vec<_>>().join("|")
        };
        let rows = document.root().items().map(row).collect();
        (rows, errors.len())
    }

    #[test]
    fn words_in_every_dialect() {
        use WordsDialect::*;
        for (text, dialect, expected, errors, remark) in [
            ("a b  c\n\n# x\nd # y\n", Xrootd, vec!["a|b|c", "d"], 0, "comments"),
            ("a b \\\n  c\nd\n", Xrootd, vec!["a|b|c", "d"], 0, "continued line"),
            ("u * / rl # all\n", Authdb, vec!["u|*|/|rl|#|all"], 0, "no comment behind a rule"),
            (" # x\n#y\na \"b c\n", Gplazma, vec!["a|\"b|c"], 0, "indented comments, no quotes"),
            ("auth optional oidc\r\n", Gplazma, vec!["auth|optional|oidc"], 0, "CRLF"),
            (" \"dn:/CN=a b\" uid:1 # x\n#y\n", Multimap, vec!["\"dn:/CN=a b\" uid:1 # x"], 0, "a line is a word"),
            ("\"a b\" c\n", Vomses, vec!["a b|c"], 0, "a quoted word"),
            ("a \"b\n", Vomses, vec!["a|\"b"], 1, "an open quote"),
            (
                "SCITOKENS /^https:\\/\\/a\\.b c,\\\\d/iU x\n",
                CondorCeMap,
                vec!["SCITOKENS|^https://a\\.b c,\\d|x"],
                0,
                "an expression in slashes",
            ),
            ("SSL /^https:// x/y\n", CondorCeMap, vec!["SSL|^https:|/|x/y"], 0, "a slash within that closes it"),
            ("SSL \"a \\\"b\\.c\"d e\n", CondorCeMap, vec!["SSL|a \"b\\.c|d|e"], 0, "quotes"),
            ("SSL a\"b c\" d\n", CondorMap, vec!["SSL|a\"b|c\"|d"], 0, "quotes within a word are none"),
            ("GSI /CN=a/ x\n", CondorMap, vec!["GSI|/CN=a/|x"], 0, "slashes mean nothing here"),
            ("SSL /a\nSSL \"a\n", CondorCeMap, vec!["SSL|a", "SSL|a"], 2, "never closed"),
            ("SSL /a\\", CondorCeMap, vec!["SSL|a"], 1, "truncated behind a backslash"),
            ("/C=X/CN=host name\n", Lsc, vec!["/C=X/CN=host name"], 0, "a line is a word"),
            ("\"vo\" \"h\" \"1\"\n", Vomses, vec!["vo|h|1"], 0, "vomses"),
            ("", Xrootd, vec![], 0, "empty"),
        ] {
            let expected: Vec<String> = expected.iter().map(|row| row.to_string()).collect();
            assert_eq!(rows(text, dialect), (expected, errors), "{remark}");
        }
    }
}
