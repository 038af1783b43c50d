//! `html`: one self-contained page for people who would rather look at a report than read a log. It has no scripts and
//! loads nothing; a content security policy in it says so to the browser. What goes into it is gathered while files go by
//! ([`gather`]) and written at the end: a file for each section, all text through [`write`], which escapes it.

mod audit;
mod findings;
mod gather;
mod glossary;
mod keys;
mod lifetimes;
mod page;
mod scale;
mod summary;
#[cfg(test)]
pub(super) mod tests;
mod trust;
mod waivers;
mod write;

use super::{Checked, Options, Reporter, RuleBook, Run};
use crate::audit::Report;
use gather::Gathered;
use std::io;

/// A page in the making: as a reporter it gathers, and writes nothing until it is asked for its text.
#[derive(Default)]
pub struct HtmlPage {
    gathered: Gathered,
}

impl HtmlPage {
    /// An empty page. Of the options only `all` counts: it shows every finding, however many there are.
    pub fn new(options: Options) -> Self {
        HtmlPage { gathered: Gathered { all: options.all, ..Gathered::default() } }
    }

    /// The page. `rules` gives titles, help and what requirements say; `audit` what changed since an earlier audit, and
    /// the trend. Without a run that was gathered, only the audit is told.
    pub fn text(&self, rules: &dyn RuleBook, audit: Option<&Report>) -> String {
        page::text(&self.gathered, rules, audit)
    }
}

impl Reporter for HtmlPage {
    fn file(&mut self, checked: &Checked<'_>) -> io::Result<()> {
        self.gathered.add(checked);
        Ok(())
    }

    fn finish(&mut self, run: &Run) -> io::Result<()> {
        self.gathered.close(run);
        Ok(())
    }
}

/// Writes `html`, all of it at the end.
pub struct Html<'a, W: io::Write> {
    out: W,
    rules: &'a dyn RuleBook,
    page: HtmlPage,
}

impl<'a, W: io::Write> Html<'a, W> {
    /// A report to this writer.
    pub fn new(out: W, options: Options, rules: &'a dyn RuleBook) -> Self {
        Html { out, rules, page: HtmlPage::new(options) }
    }
}

impl<W: io::Write> Reporter for Html<'_, W> {
    fn file(&mut self, checked: &Checked<'_>) -> io::Result<()> {
        self.page.file(checked)
    }

    fn finish(&mut self, run: &Run) -> io::Result<()> {
        self.page.finish(run)?;
        self.out.write_all(self.page.text(self.rules, None).as_bytes())?;
        self.out.flush()
    }
}
