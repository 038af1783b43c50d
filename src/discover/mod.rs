//! Finding inputs and recognising what they are, by content.

#[cfg(all(feature = "cli", unix))]
pub mod grow;
#[cfg(feature = "cli")]
pub mod include;
#[cfg(feature = "cli")]
pub mod listed;
#[cfg(feature = "cli")]
pub mod several;
#[cfg(feature = "cli")]
pub mod walk;

use crate::adapt::{self, Adapter, Sample};
use crate::parse::flow::{Flow, Opened};
use crate::parse::{Document, ParseError, Syntax, jwt, parse};
use crate::source::{Source, Span};
use std::io::{self, Read};
use std::sync::Arc;

/// Files above this size are only read when they are JSON, whose large lists are read element by element.
const MAX_WHOLE: usize = 16 << 20;

/// The adapter that recognised a document, and the kind it took it for.
pub type Format = (&'static dyn Adapter, &'static str);

/// What a source turned out to be.
pub struct Recognised {
    /// Its documents in order, with their formats where one is known.
    pub documents: Vec<(Document, Option<Format>)>,
    /// Where its syntax is broken.
    pub errors: Vec<ParseError>,
    /// The syntax it was read in; `None` when no format is written like that.
    pub syntax: Option<Syntax>,
}

impl Recognised {
    /// True when some document is of a known kind.
    pub fn is_known(&self) -> bool {
        self.documents.iter().any(|(_, kind)| kind.is_some())
    }

    /// Where it cannot be read, and why.
    pub fn trouble(&self) -> impl Iterator<Item = (String, Span)> {
        let name = self.syntax.map_or("text", Syntax::name);
        self.errors.iter().map(move |error| (format!("not readable as {name}: {}", error.message), error.span))
    }
}

/// A list that flows, and its format.
pub(crate) type Known = (Document, &'static dyn Adapter, &'static str);

/// Recognises a JSON list by its beginning, where all there is to a list of its format is its elements. Else the input is
/// given back: what was read of it, and the rest.
pub(crate) fn flowing(
    frame: &Source,
    input: Box<dyn Read + Send>,
) -> io::Result<Result<Known, crate::parse::flow::Rest>> {
    let document = match Flow::open(frame, input)? {
        Opened::List(document) => document,
        Opened::Other(bytes, rest) => return Ok(Err((bytes, rest))),
    };
    match adapt::recognise(&document).filter(|(adapter, kind)| adapter.flows(kind)) {
        Some((adapter, kind)) => Ok(Ok((document, adapter, kind))),
        None => Ok(Err(document.give_back())),
    }
}

/// Parses a source in the syntax its content shows and asks the adapters what it is.
pub fn recognise(source: &Arc<Source>) -> Recognised {
    let syntax = syntax_of(source.name(), source.text());
    if source.text().trim().is_empty() {
        let error = ParseError::at(0, "the file is empty");
        return Recognised { documents: vec![], errors: vec![error], syntax };
    }
    let Some(written) = syntax else { return Recognised { documents: vec![], errors: vec![], syntax } };
    if source.text().len() > MAX_WHOLE && written != Syntax::Json {
        let message = format!("larger than {} MiB; only JSON lists are read beyond that", MAX_WHOLE >> 20);
        return Recognised { documents: vec![], errors: vec![ParseError::at(0, message)], syntax };
    }
    let (documents, errors) = parse(source, written);
    let documents = documents.into_iter().map(|document| {
        let kind = adapt::recognise(&document);
        (document, kind)
    });
    Recognised { documents: documents.collect(), errors, syntax }
}

/// The syntax a text is written in, judged by its first characters and lines; formats that those do not show are asked. `None`
/// for programs, which may hold any of them as samples, and for sections that no format has.
pub fn syntax_of(path: &str, text: &str) -> Option<Syntax> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let start = text.trim_start();
    let first_line = start.lines().find(|line| !line.trim().is_empty() && !line.starts_with('#')).unwrap_or_default();
    Some(match start.as_bytes() {
        [b'#', b'!', b'/' | b' ', ..] if !is_env(start) && !is_configuration(path) => return None,
        [b'{', b'{' | b'%', ..] => Syntax::Yaml, // an unrendered template; its reader says so
        [b'{', ..] => Syntax::Json,
        [b'[', ..] if !is_section(first_line) => Syntax::Json,
        [b'<', ..] => Syntax::Xml,
        _ if jwt::looks_like_jwt(first_line) => Syntax::Jwt,
        _ if let Some(syntax) = adapt::syntax(&Sample::new(path, text)) => syntax,
        [b'[', ..] => return None,
        _ if is_env(start) => Syntax::Env,
        _ => Syntax::Yaml,
    })
}

/// True for a `[section]` of a line-based format.
fn is_section(line: &str) -> bool {
    let name = line.trim().strip_prefix('[').and_then(|rest| rest.split_once(']')).map(|(name, _)| name);
    name.is_some_and(|name| {
        name.starts_with(|c: char| c.is_ascii_alphabetic()) && !matches!(name, "true" | "false" | "null")
    })
}

/// True when the lines are assignments to upper-case names, as in env files.
fn is_env(text: &str) -> bool {
    let assignment = |line: &str| {
        let line = line.strip_prefix("export ").unwrap_or(line);
        line.split_once('=').is_some_and(|(name, _)| {
            !name.is_empty() && name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
        })
    };
    let lines = text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with(['#', ';'])).take(20);
    let (yes, no): (Vec<&str>, Vec<&str>) = lines.partition(|line| assignment(line));
    yes.len() > no.len()
}

/// Prose, programs and records, by the ending of their names: what looks like configuration in them is a sample.
const NO_CONFIGURATION: &[&str] = &[
    "adoc", "asciidoc", "bat", "c", "cc", "cjs", "cpp", "cs", "css", "csv", "diff", "go", "h", "hpp", "htm", "html",
    "ipynb", "java", "js", "jsx", "kt", "log", "lua", "markdown", "md", "mjs", "patch", "php", "pl", "pm", "po", "ps1",
    "py", "pyi", "r", "rb", "rs", "rst", "scala", "sql", "svg", "swift", "tex", "ts", "tsv", "tsx", "vue", "xhtml",
];

/// Endings of the names of configuration.
const CONFIGURATION: &[&str] =
    &["cfg", "conf", "config", "env", "ini", "json", "jwk", "jwks", "jwt", "properties", "token", "xml", "yaml", "yml"];

/// What stands behind the last dot of a file's name.
fn ending(path: &str) -> Option<&str> {
    let name = path.rsplit('/').next()?;
    name.rsplit_once('.').map(|(_, ending)| ending)
}

/// Does a file's name end with one of these, in any case?
fn ends_with(path: &str, endings: &[&str]) -> bool {
    ending(path).is_some_and(|ending| endings.iter().any(|known| known.eq_ignore_ascii_case(ending)))
}

/// True for files that are configuration by their names.
fn is_configuration(path: &str) -> bool {
    ends_with(path, CONFIGURATION)
}

/// True for files that are none of ours by their names, whatever stands in them.
pub fn is_no_configuration(path: &str) -> bool {
    ends_with(path, NO_CONFIGURATION)
}

/// Is a broken file worth an error even when nobody named it, since skipping it would look like a pass? One of configuration
/// is that holds words that only files of this field hold. A template is not broken, it becomes a file elsewhere.
pub fn is_telltale(path: &str, text: &str) -> bool {
    const WORDS: &[&str] = &[
        "\"client_id\"",
        "\"clientId\"",
        "\"redirect_uris\"",
        "\"redirectUris\"",
        "_validity_seconds",
        "\"jwks_uri\"",
        "\"access_token\"",
        "\"wlcg.ver\"",
        "\"kty\"",
        "token_endpoint",
    ];
    /// How templates of Helm, Jinja, Go and ERB open.
    const TEMPLATE: &[&str] = &["{{", "{%", "<%"];
    let head = &text.as_bytes()[..text.len().min(64 << 10)];
    let has = |words: &[&str]| words.iter().any(|word| memchr::memmem::find(head, word.as_bytes()).is_some());
    let is_json = || ending(path).is_none() && text.trim_start().starts_with(['{', '[']);
    (is_configuration(path) || is_json()) && has(WORDS) && !has(TEMPLATE)
}
