//! What a change would bring, for a person at a terminal.

use super::WhatIf;
use crate::report::{Finding, Options, text};
use std::fmt::Write as _;

/// Findings shown of one kind, unless all are asked for.
const MAX_FINDINGS: usize = 20;

/// The whole comparison as text: `+` would be added, `-` would go away, `~` would say something else.
pub fn human(whatif: &WhatIf, options: Options) -> String {
    let mut page = Page { out: String::new(), options };
    page.heading("The change");
    whatif.changes.iter().for_each(|change| page.line(' ', change));
    for (scope, words) in &whatif.gained {
        let words = words.as_deref().unwrap_or("no profile that tokenvet knows defines it");
        page.line(' ', &format!("{scope}: {words}"));
    }
    page.findings("New findings", '+', &whatif.added);
    page.findings("Findings that go away", '-', &whatif.removed);
    if !whatif.changed.is_empty() {
        page.heading(&format!("Findings that say something else: {}", whatif.changed.len()));
        let shown = page.shown(whatif.changed.len());
        for pair in &whatif.changed[..shown] {
            page.line('~', &format!("{}: {}", pair.after.rule, pair.before.message));
            page.line('→', &pair.after.message);
        }
        page.rest(whatif.changed.len() - shown);
    }
    for error in &whatif.errors {
        page.line('!', &format!("{}: {}", error.path, error.message));
    }
    let _ = writeln!(
        page.out,
        "\n{} more, {} less, {} changed, {} as before; nothing was written",
        text::counted(whatif.added.len() as u64, "finding"),
        whatif.removed.len(),
        whatif.changed.len(),
        whatif.unchanged
    );
    text::without_commands(&page.out).into_owned()
}

struct Page {
    out: String,
    options: Options,
}

impl Page {
    fn heading(&mut self, title: &str) {
        let gap = if self.out.is_empty() { "" } else { "\n" };
        let title = if self.options.color { format!("\x1b[1m{title}\x1b[0m") } else { title.to_string() };
        let _ = writeln!(self.out, "{gap}{title}");
    }

    /// A line whose continuation is indented below its text.
    fn line(&mut self, sign: char, value: &str) {
        let width = self.options.width.max(60) - 4;
        for (at, line) in text::wrapped(&text::visible(value), width).iter().enumerate() {
            let sign = if at == 0 { sign } else { ' ' };
            let _ = writeln!(self.out, "  {sign} {line}");
        }
    }

    fn shown(&self, number: usize) -> usize {
        if self.options.all { number } else { number.min(MAX_FINDINGS) }
    }

    fn rest(&mut self, number: usize) {
        if number > 0 {
            self.line(' ', &format!("and {number} more; --all shows them"));
        }
    }

    fn findings(&mut self, title: &str, sign: char, findings: &[Finding]) {
        if findings.is_empty() {
            return;
        }
        self.heading(&format!("{title}: {}", findings.len()));
        let shown = self.shown(findings.len());
        for finding in &findings[..shown] {
            let severity = finding.severity;
            self.line(sign, &format!("{severity} {} ({}): {}", finding.rule, finding.profile, finding.message));
            if sign == '+' {
                self.line(' ', &finding.help);
            }
        }
        self.rest(findings.len() - shown);
    }
}
