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
    /// `gplazma.conf` of dCache: comments only in the first column.
    Gplazma,
    /// Map files of dCache's multimap plug-in: quotes keep blanks together.
    Multimap,
    /// Map files of HTCondor: quotes keep blanks together, `/…/` is one word.
    CondorMap,
    /// `.lsc` files of VOMS: a line is one word.
    Lsc,
    /// `vomses` files: quoted words.
    Vomses,
}

/// One dialect.
struct Rules {
    /// A comment may be indented.
    indented_comments: bool,
    /// A `#` behind a blank starts a comment.
    trailing_comments: bool,
    /// A backslash at the end joins the next line.
    continued: bool,
    /// Characters that keep blanks together, as long as they are closed on the line.
    quotes: &'static [char],
    /// A line is one word.
    whole: bool,
}

const PLAIN: Rules =
    Rules { indented_comments: true, trailing_comments: false, continued: false, quotes: &[], whole: false };

impl WordsDialect {
    fn rules(self) -> Rules {
        match self {
            WordsDialect::Xrootd => Rules { continued: true, trailing_comments: true, ..PLAIN },
            WordsDialect::Authdb => Rules { continued: true, ..PLAIN },
            WordsDialect::Gplazma => Rules { indented_comments: false, quotes: &['"'], ..PLAIN },
            WordsDialect::Multimap => Rules { quotes: &['"'], ..PLAIN },
            WordsDialect::CondorMap => Rules { quotes: &['"', '/'], ..PLAIN },
            WordsDialect::Lsc => Rules { whole: true, ..PLAIN },
            WordsDialect::Vomses => Rules { quotes: &['"'], ..PLAIN },
        }
    }

    /// What users call such a file.
    pub fn name(self) -> &'static str {
        match self {
            WordsDialect::Xrootd => "XRootD configuration",
            WordsDialect::Authdb => "an XRootD authorisation file",
            WordsDialect::Gplazma => "gplazma.conf",
            WordsDialect::Multimap => "a multimap file",
            WordsDialect::CondorMap => "an HTCondor map file",
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
        let indented = span.start as usize > line.start;
        if trimmed.is_empty() || errors.len() >= MAX_ERRORS {
            continue;
        }
        if trimmed.starts_with('#') && (rules.indented_comments || !indented) {
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
            None if rules.quotes.contains(&c) && (c == '"' || at == 0) => quote = Some(c),
            None => {}
        }
    }
    match quote {
        Some('"') => None,
        // A slash that is not closed starts an ordinary word.
        Some(_) => Some(rest.find(char::is_whitespace).unwrap_or(rest.len())),
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
            (" # x\n#y\n", Gplazma, vec!["#|x"], 0, "a comment only in the first column"),
            ("auth optional oidc\r\n", Gplazma, vec!["auth|optional|oidc"], 0, "CRLF"),
            ("dn:\"/C=X/CN=a b\" username:x\n", Multimap, vec!["dn:\"/C=X/CN=a b\"|username:x"], 0, "quotes in a word"),
            ("\"dn:/CN=a b\" uid:1\n", Multimap, vec!["dn:/CN=a b|uid:1"], 0, "a quoted word"),
            ("a \"b\n", Multimap, vec!["a|\"b"], 1, "an open quote"),
            (
                "SCITOKENS /^https:\\/\\/a b,/ x\n",
                CondorMap,
                vec!["SCITOKENS|/^https:\\/\\/a b,/|x"],
                0,
                "a regular expression",
            ),
            ("GSI /CN=a x\n", CondorMap, vec!["GSI|/CN=a|x"], 0, "a slash that is no expression"),
            ("/C=X/CN=host name\n", Lsc, vec!["/C=X/CN=host name"], 0, "a line is a word"),
            ("\"vo\" \"h\" \"1\"\n", Vomses, vec!["vo|h|1"], 0, "vomses"),
            ("", Xrootd, vec![], 0, "empty"),
        ] {
            let expected: Vec<String> = expected.iter().map(|row| row.to_string()).collect();
            assert_eq!(rows(text, dialect), (expected, errors), "{remark}");
        }
    }
}
