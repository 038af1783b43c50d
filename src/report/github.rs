//! `github`: workflow commands of GitHub Actions, one line each. The runner shows ten annotations of each level for a
//! step and keeps the rest in the log; the last lines, which are no commands, say so.

use super::{Checked, FileError, Finding, Region, Reporter, Run, text};
use crate::rule::Severity;
use std::io;

/// Annotations of one level that GitHub shows for a step.
const SHOWN: u64 = 10;

/// The levels of annotations.
const LEVELS: [&str; 3] = ["error", "warning", "notice"];

/// Writes `github`.
#[derive(Debug)]
pub struct Github<W: io::Write> {
    out: W,
    /// Annotations written, by level.
    written: [u64; 3],
}

impl<W: io::Write> Github<W> {
    /// A report to this writer.
    pub fn new(out: W) -> Self {
        Github { out, written: [0; 3] }
    }

    fn finding(&mut self, finding: &Finding) -> io::Result<()> {
        if finding.suppressed.is_some() {
            return Ok(());
        }
        let level = match finding.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Note => "notice",
        };
        let mut message = text::shown(&finding.message);
        for line in [text::shown(&finding.help), finding.requirements.join(", ")] {
            if !line.is_empty() {
                message.push('\n');
                message.push_str(&text::visible(&line));
            }
        }
        let title = format!("{} ({})", text::visible(&finding.rule), text::visible(&finding.profile));
        self.command(level, &finding.path, Some(&finding.region), &title, &message)
    }

    fn error(&mut self, error: &FileError) -> io::Result<()> {
        self.command("error", &error.path, error.region.as_ref(), "not checked", &text::shown(&error.message))
    }

    /// A line of the log that is no command.
    fn plain(&mut self, words: &str) -> io::Result<()> {
        writeln!(self.out, "tokenvet: {}", text::shown(words))
    }

    fn command(
        &mut self,
        level: &str,
        path: &str,
        region: Option<&Region>,
        title: &str,
        message: &str,
    ) -> io::Result<()> {
        if let Some(at) = LEVELS.iter().position(|known| *known == level) {
            self.written[at] += 1;
        }
        write!(self.out, "::{level} ")?;
        if !path.is_empty() {
            write!(self.out, "file={},", property(&text::visible(path)))?;
        }
        if let Some(region) = region {
            write!(self.out, "line={},", region.start_line)?;
            // Columns count only when the region stays on its line.
            if region.end_line == region.start_line {
                write!(self.out, "col={},endColumn={},", region.start_column, region.end_column)?;
            } else {
                write!(self.out, "endLine={},", region.end_line)?;
            }
        }
        writeln!(self.out, "title={}::{}", property(title), data(message))
    }
}

impl<W: io::Write> Reporter for Github<W> {
    fn file(&mut self, checked: &Checked<'_>) -> io::Result<()> {
        checked.findings.iter().try_for_each(|finding| self.finding(finding))?;
        checked.errors.iter().try_for_each(|error| self.error(error))
    }

    fn finish(&mut self, run: &Run) -> io::Result<()> {
        run.findings.iter().try_for_each(|finding| self.finding(finding))?;
        run.errors.iter().try_for_each(|error| self.error(error))?;
        for (level, number) in LEVELS.iter().zip(self.written).filter(|(_, number)| *number > SHOWN) {
            let number = text::counted(number, level);
            self.plain(&format!("GitHub shows {SHOWN} of {number} as annotations; all stand in this log"))?;
        }
        run.remarks().iter().try_for_each(|remark| self.plain(remark))?;
        self.out.flush()
    }

    fn quotes(&self) -> bool {
        false
    }
}

/// The text behind a command, as the runner decodes it.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// The value of a command's property, as the runner decodes it.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_what_the_runner_decodes() {
        assert_eq!(data("100%: a,b\r\nc%0A"), "100%25: a,b%0D%0Ac%250A");
        assert_eq!(property("c:\\x,y::z%3A"), "c%3A\\x%2Cy%3A%3Az%253A");
    }
}
