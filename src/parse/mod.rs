//! Syntaxes: text to [`Document`]. One file per syntax; each builds the same [`Tree`] with byte spans.
//!
//! A reader never guesses: what it cannot read is a located [`ParseError`], what is readable but suspicious
//! (duplicate keys, scalars that YAML 1.1 and 1.2 read differently) is a [`Note`] on the tree.

pub mod cfg;
mod condor;
pub mod der;
mod document;
pub mod env;
pub mod flow;
pub mod ini;
pub mod json;
pub mod jwt;
mod lines;
pub(crate) mod macaroon;
mod nested;
mod tree;
pub mod typed;
pub mod words;
pub mod xml;
pub mod yaml;

pub use document::{Cursor, Decoded, Document, Encoding};
pub use tree::{Data, Node, NodeId, Note, NoteKind, Text, Tree, TreeBuilder};

use crate::source::{Source, Span};
use std::sync::Arc;

/// Deepest nesting any reader accepts. Real files stay below 40.
pub const MAX_DEPTH: usize = 256;

/// The syntaxes that have a reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Syntax {
    /// RFC 8259 JSON, strict.
    Json,
    /// YAML 1.2; what YAML 1.1 reads differently stays text, see [`yaml::scalar_1_1`].
    Yaml,
    /// `KEY=value` lines of env files and systemd `EnvironmentFile`s.
    Env,
    /// XML (Java properties files and OA4MP server configuration).
    Xml,
    /// Compact JWS, one or several, one per line.
    Jwt,
    /// Keys and values by line, with or without sections.
    Ini(ini::IniDialect),
    /// Sections in braces with options by line (DIRAC).
    Cfg,
    /// Words by line.
    Words(words::WordsDialect),
}

impl Syntax {
    /// The name shown to users.
    pub fn name(self) -> &'static str {
        match self {
            Syntax::Json => "JSON",
            Syntax::Yaml => "YAML",
            Syntax::Env => "env file",
            Syntax::Xml => "XML",
            Syntax::Jwt => "JWT",
            Syntax::Cfg => "DIRAC configuration",
            Syntax::Ini(dialect) => dialect.name(),
            Syntax::Words(dialect) => dialect.name(),
        }
    }
}

/// Text that a reader refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ParseError {
    /// What is wrong and what to do next. Never quotes file content: a broken file may hold secrets anywhere.
    pub message: String,
    /// Where it went wrong.
    pub span: Span,
}

impl ParseError {
    /// An error at one byte offset.
    pub fn at(offset: usize, message: impl Into<String>) -> Self {
        ParseError { message: message.into(), span: Span::new(offset, offset) }
    }
}

/// Reads a source in the given syntax. YAML and JWT files may hold several documents; a reader that can recover
/// returns the documents it got together with the errors.
pub fn parse(source: &Arc<Source>, syntax: Syntax) -> (Vec<Document>, Vec<ParseError>) {
    let one = |result: Result<Tree, ParseError>| match result {
        Ok(tree) => (vec![Document::new(Arc::clone(source), syntax, tree)], vec![]),
        Err(error) => (vec![], vec![error]),
    };
    match syntax {
        Syntax::Json => one(json::read(source.text())),
        Syntax::Env => one(env::read(source.text())),
        Syntax::Xml => one(xml::read(source.text())),
        Syntax::Jwt => {
            let (tree, errors) = jwt::read_lines(source.text());
            (tree.into_iter().map(|tree| Document::new(Arc::clone(source), syntax, tree)).collect(), errors)
        }
        // Half a template reads as directives that nobody wrote.
        Syntax::Ini(_) | Syntax::Words(_) | Syntax::Cfg if let Some(error) = lines::template(source.text()) => {
            (vec![], vec![error])
        }
        Syntax::Cfg => by_line(source, syntax, cfg::read(source.text())),
        Syntax::Ini(dialect) => by_line(source, syntax, ini::read(source.text(), dialect)),
        Syntax::Words(dialect) => by_line(source, syntax, words::read(source.text(), dialect)),
        Syntax::Yaml => {
            let (trees, errors) = yaml::read(source.text());
            let documents = trees.into_iter().map(|tree| Document::new(Arc::clone(source), syntax, tree)).collect();
            (documents, errors)
        }
    }
}

fn by_line(source: &Arc<Source>, syntax: Syntax, (tree, errors): lines::Read) -> (Vec<Document>, Vec<ParseError>) {
    (vec![Document::new(Arc::clone(source), syntax, tree)], errors)
}
