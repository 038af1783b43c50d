//! The formats by name.

use super::{Reporter, RuleBook};
use std::fmt;
use std::io;
use std::str::FromStr;

/// An output format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Format {
    /// Snippets and tables for a person at a terminal.
    #[cfg(feature = "cli")]
    Human,
    /// One JSON object, described by `schemas/report.schema.json`.
    Json,
    /// One JSON object a line, in document order.
    Jsonl,
    /// SARIF 2.1.0.
    Sarif,
    /// GitHub workflow commands, which show up as annotations.
    Github,
    /// GitLab code quality report.
    Gitlab,
    /// JUnit XML.
    Junit,
    /// Markdown for job summaries and comments.
    Markdown,
    /// A page for people who would rather look at a report: one file without scripts.
    Html,
}

impl Format {
    /// Every format of this build, in the order help texts list them.
    pub const ALL: &'static [Format] = &[
        #[cfg(feature = "cli")]
        Format::Human,
        Format::Json,
        Format::Jsonl,
        Format::Sarif,
        Format::Github,
        Format::Gitlab,
        Format::Junit,
        Format::Markdown,
        Format::Html,
    ];

    /// The word for `--format`.
    pub fn name(self) -> &'static str {
        match self {
            #[cfg(feature = "cli")]
            Format::Human => "human",
            Format::Json => "json",
            Format::Jsonl => "jsonl",
            Format::Sarif => "sarif",
            Format::Github => "github",
            Format::Gitlab => "gitlab",
            Format::Junit => "junit",
            Format::Markdown => "markdown",
            Format::Html => "html",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A format name that does not exist; the text lists those that do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownFormat;

impl fmt::Display for UnknownFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = Format::ALL.iter().map(|format| format.name()).collect();
        write!(f, "unknown format; use one of {}", names.join(", "))
    }
}

impl std::error::Error for UnknownFormat {}

impl FromStr for Format {
    type Err = UnknownFormat;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Format::ALL.iter().copied().find(|format| format.name() == name).ok_or(UnknownFormat)
    }
}

/// How text formats look; the JSON family and XML do not depend on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// ANSI colours. Whether they suit (terminal, `NO_COLOR`, `CLICOLOR_FORCE`) is decided by the caller.
    pub color: bool,
    /// Box-drawing characters; `false` draws with ASCII.
    pub unicode: bool,
    /// Columns of the terminal, at least 40.
    pub width: usize,
    /// Every finding is shown (human: with its snippet; markdown: in its table), however many of a kind there are.
    pub all: bool,
    /// Nothing is held back: somebody waits for what comes next.
    pub at_once: bool,
}

impl Default for Options {
    fn default() -> Self {
        Options { color: false, unicode: true, width: 80, all: false, at_once: false }
    }
}

/// A reporter that writes this format. It buffers on its own; errors of `out` come back from the reporter's calls.
pub fn reporter<'a>(
    format: Format,
    out: impl io::Write + 'a,
    options: Options,
    rules: &'a dyn RuleBook,
) -> Box<dyn Reporter + 'a> {
    const HELD: usize = 64 << 10;
    let out = io::BufWriter::with_capacity(if options.at_once { 0 } else { HELD }, out);
    match format {
        #[cfg(feature = "cli")]
        Format::Human => Box::new(super::human::Human::new(out, options, rules)),
        Format::Json => Box::new(super::json::Json::new(out)),
        Format::Jsonl => Box::new(super::jsonl::Jsonl::new(out)),
        Format::Sarif => Box::new(super::sarif::Sarif::new(out, rules)),
        Format::Github => Box::new(super::github::Github::new(out)),
        Format::Gitlab => Box::new(super::gitlab::Gitlab::new(out)),
        Format::Junit => Box::new(super::junit::Junit::new(out)),
        Format::Markdown => Box::new(super::markdown::Markdown::new(out, options, rules)),
        Format::Html => Box::new(super::html::Html::new(out, options, rules)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_reads_back() {
        for &format in Format::ALL {
            assert_eq!(format.name().parse(), Ok(format));
        }
        assert!("html5".parse::<Format>().is_err_and(|error| error.to_string().contains("sarif")));
    }
}
