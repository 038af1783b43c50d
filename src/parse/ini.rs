//! Keys and values by line, with or without `[sections]`: INI in the dialect of each product.
//!
//! The root is a mapping: entries before the first section are its members, every section is a member that is a mapping
//! of entries. Sections and keys that are repeated stay, in order; adapters know which of them the product takes.
//! Values are strings. A line that the product itself refuses is an error at that line; the others are still read.

use super::lines::{Line, MAX_ERRORS, Read, lines, nul, trim};
use super::{Data, NoteKind, ParseError, Text, TreeBuilder};
use crate::source::Span;

/// Whose rules a file of keys and values follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum IniDialect {
    /// `scitokens.cfg` of XRootD, read by inih.
    ScitokensCfg,
    /// Python's `configparser` (Rucio, tools of FTS): keys without case, sections with.
    ConfigParser,
    /// `fts3restconfig`: Python's `configparser` told to keep the case of keys.
    FtsRest,
    /// `fts3config` of the FTS server, read by Boost: whatever is behind a `#` is a comment.
    Fts3Config,
    /// Key files of GLib (gfal2).
    KeyFile,
    /// `arc.conf`.
    ArcConf,
    /// Java properties (storage areas of StoRM WebDAV).
    Properties,
    /// dCache's properties with `[domain]` and `[domain/service]` headings.
    Dcache,
    /// HTCondor configuration.
    Condor,
    /// systemd units and drop-ins.
    Systemd,
}

/// How a value goes on in the next line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Continuation {
    /// It does not.
    None,
    /// After a backslash at the end; with `trim`, leading blanks of the next line do not count.
    Backslash { trim: bool },
    /// By indentation, joined with a line break.
    Indent,
    /// By indentation, as another entry of the same key.
    IndentRepeats,
}

/// What becomes of a line without separator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bare {
    /// The product refuses the file.
    Refused(&'static str),
    /// A key with an empty value.
    Key,
    /// A key with an empty value when it is one word; the product skips every other line, which becomes null.
    Skipped,
}

/// One dialect.
struct Rules {
    /// What starts a comment that is a whole line.
    comments: &'static [char],
    /// Such a comment may be indented.
    indented_comments: bool,
    /// What starts a comment behind a blank, or anywhere in the line with `inline_anywhere`.
    inline: &'static [char],
    inline_anywhere: bool,
    /// What stands between key and value; the first that occurs counts.
    separators: &'static [char],
    sections: bool,
    /// A heading is nothing but `[domain]` or `[domain/service]`; a line with more behind it is an entry.
    domain_headings: bool,
    continuation: Continuation,
    bare: Bare,
    /// Keys are compared without case; the tree has them in lower case.
    caseless: bool,
    /// The same for section names.
    caseless_sections: bool,
    /// `\n`, `\t`, `\uXXXX` … in values.
    escapes: bool,
    /// Bytes of a line that are read at once; the rest of a line is another line.
    line_limit: Option<usize>,
    /// A key may be repeated without being suspicious.
    repeats: bool,
    /// A `[section]` with anything behind it is skipped like any other line that is none; it becomes null.
    bare_headings: bool,
}

const PLAIN: Rules = Rules {
    comments: &['#'],
    indented_comments: true,
    inline: &[],
    inline_anywhere: false,
    separators: &['='],
    sections: true,
    bare_headings: false,
    continuation: Continuation::None,
    bare: Bare::Refused("a key, = and a value are expected"),
    caseless: false,
    caseless_sections: false,
    escapes: false,
    line_limit: None,
    repeats: true,
    domain_headings: false,
};

/// Bytes that inih reads at once in XRootD since 5.6.2 (a buffer of 1024 with its end mark; 200 before).
const INIH_LINE: usize = 1023;

static SCITOKENS_CFG: Rules = Rules {
    comments: &[';', '#'],
    inline: &[';'],
    separators: &['=', ':'],
    continuation: Continuation::IndentRepeats,
    bare: Bare::Refused("a key, = and a value are expected; XRootD refuses the whole file for this line"),
    caseless: true,
    caseless_sections: true,
    line_limit: Some(INIH_LINE),
    ..PLAIN
};
const CONFIG_PARSER: Rules = Rules {
    comments: &['#', ';'],
    separators: &['=', ':'],
    continuation: Continuation::Indent,
    bare: Bare::Refused("a key, = and a value are expected; Python's configparser refuses the whole file"),
    caseless: true,
    repeats: false,
    ..PLAIN
};
static FTS_REST: Rules = Rules { caseless: false, ..CONFIG_PARSER };
static FTS3_CONFIG: Rules = Rules {
    inline: &['#'],
    inline_anywhere: true,
    bare: Bare::Refused("a key, = and a value are expected; FTS does not start with this line"),
    repeats: false,
    ..PLAIN
};
static KEY_FILE: Rules = Rules { ..PLAIN };
static ARC_CONF: Rules = Rules { bare: Bare::Skipped, bare_headings: true, ..PLAIN };
static PROPERTIES: Rules = Rules {
    comments: &['#', '!'],
    separators: &['=', ':', ' ', '\t'],
    sections: false,
    continuation: Continuation::Backslash { trim: true },
    bare: Bare::Key,
    escapes: true,
    repeats: false,
    ..PLAIN
};
static DCACHE: Rules = Rules {
    comments: &['#', '!'],
    separators: &['=', ':', ' ', '\t'],
    domain_headings: true,
    continuation: Continuation::Backslash { trim: true },
    bare: Bare::Key,
    escapes: true,
    ..PLAIN
};
static SYSTEMD: Rules = Rules { comments: &['#', ';'], continuation: Continuation::Backslash { trim: false }, ..PLAIN };

impl IniDialect {
    fn rules(self) -> &'static Rules {
        match self {
            IniDialect::ScitokensCfg => &SCITOKENS_CFG,
            IniDialect::ConfigParser => &const { CONFIG_PARSER },
            IniDialect::FtsRest => &FTS_REST,
            IniDialect::Fts3Config => &FTS3_CONFIG,
            IniDialect::KeyFile => &KEY_FILE,
            IniDialect::ArcConf => &ARC_CONF,
            IniDialect::Properties => &PROPERTIES,
            IniDialect::Dcache => &DCACHE,
            // Read by a reader of its own.
            IniDialect::Condor => &PLAIN,
            IniDialect::Systemd => &SYSTEMD,
        }
    }

    /// What users call such a file.
    pub fn name(self) -> &'static str {
        match self {
            IniDialect::ScitokensCfg => "scitokens.cfg",
            IniDialect::ConfigParser => "an INI file",
            IniDialect::FtsRest => "fts3restconfig",
            IniDialect::Fts3Config => "fts3config",
            IniDialect::KeyFile => "a key file",
            IniDialect::ArcConf => "arc.conf",
            IniDialect::Properties => "a properties file",
            IniDialect::Dcache => "a dCache configuration file",
            IniDialect::Condor => "HTCondor configuration",
            IniDialect::Systemd => "a systemd unit",
        }
    }
}

/// Reads a whole file.
pub fn read(text: &str, dialect: IniDialect) -> Read {
    if dialect == IniDialect::Condor {
        return super::condor::read(text);
    }
    let mut reader = Reader {
        text,
        rules: dialect.rules(),
        builder: TreeBuilder::new(),
        errors: nul(text).into_iter().collect(),
        open: None,
        previous: None,
    };
    reader.builder.open(Data::Map, 0);
    let mut lines = lines(text, reader.rules.line_limit).peekable();
    while let Some(line) = lines.next() {
        if reader.errors.len() >= MAX_ERRORS {
            break;
        }
        reader.line(line, &mut lines);
    }
    reader.close_section();
    let Reader { mut builder, errors, rules, .. } = reader;
    close(&mut builder, rules, text.len(), text);
    (builder.finish(), errors)
}

fn close(builder: &mut TreeBuilder, rules: &Rules, end: usize, text: &str) {
    match rules.repeats {
        true => builder.close_repeating(end),
        false => builder.close(end, text),
    }
}

struct Reader<'t> {
    text: &'t str,
    rules: &'static Rules,
    builder: TreeBuilder,
    errors: Vec<ParseError>,
    /// End of the section's last line, when one is open.
    open: Option<usize>,
    /// The last key of the section, as the product remembers it.
    previous: Option<String>,
}

impl<'t> Reader<'t> {
    fn line(&mut self, line: Line, rest: &mut std::iter::Peekable<impl Iterator<Item = Line>>) {
        let span = line.trimmed(self.text);
        let trimmed = &self.text[span.range()];
        let indented = span.start as usize > line.start;
        if trimmed.is_empty() {
            return;
        }
        if trimmed.starts_with(self.rules.comments) && (self.rules.indented_comments || !indented) {
            return self.builder.comment(span);
        }
        if indented && self.rules.continuation == Continuation::IndentRepeats && self.previous.is_some() {
            return self.repeated(span);
        }
        if self.rules.bare_headings && trimmed.starts_with('[') && !is_bare_heading(trimmed) {
            return self.skipped(span);
        }
        let heading = trimmed.starts_with('[') && (!self.rules.domain_headings || is_domain_heading(trimmed));
        if self.rules.sections && heading {
            return self.section(span);
        }
        self.entry(line, span, rest);
    }

    /// A `[section]` line.
    fn section(&mut self, span: Span) {
        let inner = Span { start: span.start + 1, end: span.end };
        let Some(end) = self.text[inner.range()].find(']') else {
            return self
                .errors
                .push(ParseError { message: "the section's name is not closed; end it with ]".into(), span });
        };
        let end = inner.start as usize + end;
        self.close_section();
        let name = Span::new(inner.start as usize, end);
        let key = self.name(name, self.rules.caseless_sections);
        self.builder.key(key, name);
        self.builder.open(Data::Map, span.start as usize);
        self.open = Some(span.end as usize);
        self.previous = None;
        let behind = trim(self.text, Span::new(end + 1, span.end as usize));
        if self.text[behind.range()].starts_with(self.rules.comments) {
            self.builder.comment(behind);
        }
    }

    /// The text of a key or section, as the product compares it.
    fn name(&self, span: Span, caseless: bool) -> Text {
        let name = &self.text[span.range()];
        match caseless && name.bytes().any(|byte| byte.is_ascii_uppercase()) {
            true => Text::Owned(name.to_ascii_lowercase().into()),
            false => Text::Raw(span),
        }
    }

    /// A line that the product skips: null, its own text the key.
    fn skipped(&mut self, span: Span) {
        self.builder.key(Text::Raw(span), span);
        self.builder.leaf(Data::Null, span);
        self.touch(span);
    }

    fn close_section(&mut self) {
        if let Some(end) = self.open.take() {
            close(&mut self.builder, self.rules, end, self.text);
        }
    }

    /// An indented line that the product reads as another value of the last key.
    fn repeated(&mut self, span: Span) {
        let Some(key) = self.previous.clone() else { return };
        let value = self.without_comment(span);
        self.builder.key(Text::Owned(key.into()), Span { start: value.start, end: value.start });
        let node = self.builder.leaf(Data::Text(Text::Raw(value)), value);
        self.builder.note(NoteKind::Continuation, node);
        self.touch(span);
    }

    fn touch(&mut self, span: Span) {
        if let Some(end) = &mut self.open {
            *end = span.end as usize;
        }
    }

    /// A span without the comment behind it.
    fn without_comment(&mut self, span: Span) -> Span {
        let text = &self.text[span.range()];
        let anywhere = self.rules.inline_anywhere;
        let comment = text.char_indices().zip(std::iter::once(' ').chain(text.chars())).find(|((at, mark), before)| {
            self.rules.inline.contains(mark) && (anywhere || (*at > 0 && before.is_whitespace()))
        });
        let Some(((at, _), _)) = comment else { return span };
        let start = span.start as usize;
        self.builder.comment(Span::new(start + at, span.end as usize));
        trim(self.text, Span::new(start, start + at))
    }

    fn entry(&mut self, line: Line, span: Span, rest: &mut std::iter::Peekable<impl Iterator<Item = Line>>) {
        let text = &self.text[span.range()];
        let blanks = self.rules.separators.contains(&' ');
        let found = text.find(self.rules.separators);
        let start = span.start as usize;
        let (key, value) = match (found, self.rules.bare) {
            (Some(at), _) => {
                // Where a blank separates, a = behind it still is the separator.
                let behind = text[at..].trim_start();
                let skip = match blanks && behind.starts_with(['=', ':']) && !text[at..].starts_with(['=', ':']) {
                    true => text.len() - behind.len() + 1,
                    false => at + text[at..].chars().next().map_or(0, char::len_utf8),
                };
                (Span::new(start, start + at), Span::new(start + skip, line.end))
            }
            (None, Bare::Key) => (span, Span::new(line.end, line.end)),
            (None, Bare::Skipped) if text.contains(char::is_whitespace) => return self.skipped(span),
            (None, Bare::Skipped) => (span, Span::new(line.end, line.end)),
            (None, Bare::Refused(message)) => return self.errors.push(ParseError { message: message.into(), span }),
        };
        let key = trim(self.text, key);
        let value = trim(self.text, value);
        let value = self.without_comment(value);
        let (text, whole) = self.value(value, rest);
        let name = self.name(key, self.rules.caseless);
        self.previous = Some(match &name {
            Text::Raw(span) => self.text[span.range()].to_string(),
            Text::Owned(text) => text.to_string(),
        });
        self.builder.key(name, key);
        let node = self.builder.leaf(Data::Text(text), whole);
        if line.rest {
            self.builder.note(NoteKind::CutLine, node);
        }
        self.touch(whole);
    }

    /// The value that starts in a span, with the lines it goes on in.
    fn value(&mut self, span: Span, rest: &mut std::iter::Peekable<impl Iterator<Item = Line>>) -> (Text, Span) {
        let mut whole = span;
        let mut joined: Option<String> = None;
        match self.rules.continuation {
            Continuation::None | Continuation::IndentRepeats => {}
            Continuation::Indent => {
                while let Some(line) = rest.next_if(|line| is_indented(self.text, *line)) {
                    let part = line.trimmed(self.text);
                    if self.text[part.range()].starts_with(self.rules.comments) {
                        self.builder.comment(part);
                        continue;
                    }
                    let so_far = joined.get_or_insert_with(|| self.text[span.range()].to_string());
                    so_far.push('\n');
                    so_far.push_str(&self.text[part.range()]);
                    whole.end = part.end;
                }
            }
            Continuation::Backslash { trim } => {
                while is_continued(&self.text[whole.range()]) {
                    let so_far = joined.get_or_insert_with(|| self.text[span.range()].to_string());
                    so_far.pop();
                    let Some(line) = rest.next() else { break };
                    let part = match trim {
                        true => line.trimmed(self.text),
                        false => Span::new(line.start, line.end),
                    };
                    so_far.push_str(&self.text[part.range()]);
                    whole.end = part.end.max(whole.end);
                    if part.is_empty() {
                        break;
                    }
                }
            }
        }
        let text = match joined {
            Some(text) => Text::Owned(text.into()),
            None => Text::Raw(whole),
        };
        (self.decoded(text), whole)
    }

    /// Without escapes, where the dialect has them.
    fn decoded(&self, text: Text) -> Text {
        let raw = match &text {
            Text::Raw(span) => &self.text[span.range()],
            Text::Owned(text) => text,
        };
        match self.rules.escapes && raw.contains('\\') {
            true => Text::Owned(unescape(raw).into()),
            false => text,
        }
    }
}

/// Is it `[name]` and nothing else?
fn is_bare_heading(line: &str) -> bool {
    line.len() > 2 && line.ends_with(']') && !line[1..line.len() - 1].contains(['[', ']'])
}

/// dCache takes exactly this for a heading: a domain and perhaps a service, neither empty, and nothing behind.
fn is_domain_heading(line: &str) -> bool {
    let inner = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or_default();
    let (domain, service) = inner.split_once('/').unwrap_or((inner, "-"));
    !domain.is_empty() && !service.is_empty() && !inner.contains(']') && !service.contains('/')
}

fn is_indented(text: &str, line: Line) -> bool {
    let text = line.text(text);
    text.starts_with([' ', '\t']) && !text.trim().is_empty()
}

/// Does a line end in an odd number of backslashes?
fn is_continued(text: &str) -> bool {
    text.bytes().rev().take_while(|&byte| byte == b'\\').count() % 2 == 1
}

/// Escapes of Java properties; an unknown one stands for its character.
fn unescape(raw: &str) -> String {
    let mut value = String::with_capacity(raw.len());
    let mut chars = raw.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            value.push(c);
            continue;
        }
        match chars.next() {
            Some('n') => value.push('\n'),
            Some('t') => value.push('\t'),
            Some('r') => value.push('\r'),
            Some('f') => value.push('\u{c}'),
            Some('u') => {
                let digits = chars.as_str().get(..4).filter(|hex| hex.bytes().all(|byte| byte.is_ascii_hexdigit()));
                let code = digits.and_then(|hex| u32::from_str_radix(hex, 16).ok());
                if code.is_some() {
                    chars = chars.as_str()[4..].chars();
                }
                value.push(code.and_then(char::from_u32).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            Some(other) => value.push(other),
            None => {}
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::{Document, Syntax};
    use crate::source::Source;
    use std::sync::Arc;

    /// The tree as `pointer=value` lines, and the offsets of the errors.
    fn flat(text: &str, dialect: IniDialect) -> (Vec<String>, Vec<u32>) {
        let (tree, errors) = read(text, dialect);
        let document = Document::new(Arc::new(Source::from_text("t", text)), Syntax::Ini(dialect), tree);
        let values = document.tree.ids().filter_map(|id| {
            let cursor = document.cursor(id);
            Some(format!("{}={}", document.pointer(id), cursor.as_str()?))
        });
        (values.collect(), errors.into_iter().map(|error| error.span.start).collect())
    }

    #[test]
    fn every_dialect_reads_as_its_product_does() {
        use IniDialect::*;
        let long = format!("audience = {}https://a\nnext = 1\n", "x".repeat(1023 - "audience = ".len()));
        for (text, dialect, expected, remark) in [
            ("[Global]\nAudience: a, b ; c\n", ScitokensCfg, vec!["/global/audience=a, b"], "case, colon, inline ;"),
            ("[g]\na = b # c\n", ScitokensCfg, vec!["/g/a=b # c"], "# does not start an inline comment"),
            ("[g]\na = b;c\n", ScitokensCfg, vec!["/g/a=b;c"], "; needs a blank in front"),
            ("[g]\na = 1\n  2\n", ScitokensCfg, vec!["/g/a=1", "/g/a#2=2"], "an indented line is another value"),
            ("[g]\n  a = 1\n", ScitokensCfg, vec!["/g/a=1"], "indented first entry"),
            (
                "[g]\nissuer = i\n  base_path = /\n",
                ScitokensCfg,
                vec!["/g/issuer=i", "/g/issuer#2=base_path = /"],
                "swallowed",
            ),
            ("[g]\na=1\n[g]\na=2\n", ScitokensCfg, vec!["/g/a=1", "/g#2/a=2"], "a section twice"),
            ("a=1\n", ScitokensCfg, vec!["/a=1"], "before the first section"),
            ("[S]\nA = b\n  c\n# x\nd: e\n", ConfigParser, vec!["/S/a=b\nc", "/S/d=e"], "configparser joins"),
            ("A=1\n[S]\nx_B = 1\n", FtsRest, vec!["/A=1", "/S/x_B=1"], "told to keep the case"),
            ("[s]\na = %(x)s ; c\n", ConfigParser, vec!["/s/a=%(x)s ; c"], "no inline comments"),
            ("Key=a#b\nx=#y\n", Fts3Config, vec!["/Key=a", "/x="], "keys with case; # anywhere"),
            ("[b:c]\na = \"x y\"\na=z\n", ArcConf, vec!["/b:c/a=\"x y\"", "/b:c/a#2=z"], "quotes stay; repeated keys"),
            ("[b] # c\nd e\nf\ng = # h\n", ArcConf, vec!["/f=", "/g=# h"], "headings and lines that are skipped"),
            ("a b\nc : d\ne\nf = g \\\n   h\n! x\n", Properties, vec!["/a=b", "/c=d", "/e=", "/f=g h"], "separators"),
            ("a = \\u0041\\n\n", Properties, vec!["/a=A\n"], "escapes"),
            (
                "[d] # x\n[d/s]\na=1\n[/s]\n",
                Dcache,
                vec!["/[d]=# x", "/d~1s/a=1", "/d~1s/[~1s]="],
                "no headings in dCache",
            ),
            ("x=1\n[d]\na=${x}\n[d/s]\na=2\n", Dcache, vec!["/x=1", "/d/a=${x}", "/d~1s/a=2"], "dCache layout"),
            (
                "[Service]\nEnvironment=\"A=b\"\nEnvironment=C=d\n",
                Systemd,
                vec!["/Service/Environment=\"A=b\"", "/Service/Environment#2=C=d"],
                "systemd",
            ),
            ("\u{feff}[g]\r\na=1\r\n", ScitokensCfg, vec!["/g/a=1"], "byte order mark, CRLF"),
            ("", ScitokensCfg, vec![], "empty"),
        ] {
            assert_eq!(
                flat(text, dialect),
                (expected.iter().map(|line| line.to_string()).collect(), vec![]),
                "{remark}"
            );
        }
        let (values, errors) = flat(&long, ScitokensCfg);
        assert_eq!((values.len(), errors.len()), (3, 0));
        assert_eq!(values[1], "/https=//a", "what is behind byte 1023 is another line");
    }

    #[test]
    fn spans_are_the_values_own_bytes() {
        let text = "# c\n[Issuer A]\nissuer =  https://a.example/ ; old\nbase_path = /a, /b\n";
        let (tree, _) = read(text, IniDialect::ScitokensCfg);
        let document =
            Document::new(Arc::new(Source::from_text("t", text)), Syntax::Ini(IniDialect::ScitokensCfg), tree);
        let issuer = document.at_pointer("/issuer a/issuer").expect("read");
        assert_eq!(document.source.slice(issuer.span()), "https://a.example/");
        let base = document.at_pointer("/issuer a/base_path").expect("read");
        assert_eq!(document.source.slice(base.word_span(1)), "/b");
        let section = document.at_pointer("/issuer a").expect("read");
        assert_eq!(section.key_span().map(|span| document.source.slice(span)), Some("Issuer A"));
        let comments: Vec<&str> = document.tree.comments.iter().map(|span| document.source.slice(*span)).collect();
        assert_eq!(comments, ["# c", "; old"]);
    }

    #[test]
    fn broken_lines_do_not_hide_the_others() {
        for (text, dialect, values, errors, remark) in [
            ("[g\na=1\n", IniDialect::ScitokensCfg, 1, vec![0], "section not closed"),
            ("[g]\nnonsense\na=1\n", IniDialect::ScitokensCfg, 1, vec![4], "no separator"),
            ("[g]\na=1\0\n", IniDialect::ScitokensCfg, 1, vec![7], "NUL"),
            ("nonsense\n[s]\na=1\n", IniDialect::ConfigParser, 1, vec![0], "configparser"),
        ] {
            let (got, wrong) = flat(text, dialect);
            assert_eq!((got.len(), wrong), (values, errors), "{remark}");
        }
        let (_, errors) = flat(&"x\n".repeat(1000), IniDialect::ScitokensCfg);
        assert_eq!(errors.len(), MAX_ERRORS, "the reader gives up");
    }
}
