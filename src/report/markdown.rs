//! `markdown`: for job summaries and comments (GitHub flavoured). A table of rules, then a section per rule with its
//! places and one excerpt. Everything that is not ours is written as character references, which no Markdown reader
//! takes for markup.

use super::excerpt::Excerpt;
use super::json::Collected;
use super::{Checked, FileError, Finding, Options, ProfileRef, Reporter, RuleBook, Run, text};
use crate::rule::Severity;
use std::collections::BTreeMap;
use std::io;

/// Places listed for one rule unless all are asked for.
const PLACES: usize = 25;

/// Bytes that the sections of rules may take, and the whole page: a job summary of GitHub holds 1 MiB, and is not shown
/// at all when it is larger.
const SECTIONS: usize = 700_000;
const PAGE: usize = 1_000_000;

/// Errors and reasons listed.
const LINES: usize = 100;

/// Width of excerpts, in characters.
const WIDTH: usize = 100;

/// Writes `markdown`.
pub struct Markdown<'a, W: io::Write> {
    out: W,
    options: Options,
    rules: &'a dyn RuleBook,
    collected: Collected,
    /// The excerpt of each rule's first live finding.
    excerpts: BTreeMap<String, String>,
}

impl<'a, W: io::Write> Markdown<'a, W> {
    /// A report to this writer; `rules` gives titles and help. Of the options only `all` counts: every place is listed.
    pub fn new(out: W, options: Options, rules: &'a dyn RuleBook) -> Self {
        Markdown { out, options, rules, collected: Collected::default(), excerpts: BTreeMap::new() }
    }
}

impl<W: io::Write> Reporter for Markdown<'_, W> {
    fn file(&mut self, checked: &Checked<'_>) -> io::Result<()> {
        if let Some(view) = &checked.view {
            for finding in checked.findings.iter().filter(|finding| finding.suppressed.is_none()) {
                if !self.excerpts.contains_key(finding.rule.as_str())
                    && let Some(excerpt) = Excerpt::new(view, &finding.region, 1, WIDTH)
                {
                    self.excerpts.insert(finding.rule.to_string(), fenced(&excerpt));
                }
            }
        }
        self.collected.add(checked);
        Ok(())
    }

    fn finish(&mut self, run: &Run) -> io::Result<()> {
        self.collected.close(run);
        let mut by_rule: BTreeMap<&str, Vec<&Finding>> = BTreeMap::new();
        for finding in self.collected.findings.iter().filter(|finding| finding.suppressed.is_none()) {
            by_rule.entry(&finding.rule).or_default().push(finding);
        }
        let worst = |findings: &[&Finding]| findings.iter().map(|finding| finding.severity).max();
        let mut rules: Vec<_> = by_rule.into_iter().collect();
        rules.sort_by_key(|(rule, findings)| {
            (std::cmp::Reverse(worst(findings)), std::cmp::Reverse(findings.len()), *rule)
        });
        let mut page = head(run);
        if !rules.is_empty() {
            page.push_str("\n| severity | count | rule | who can change it |\n| --- | ---: | --- | --- |\n");
        }
        for (rule, findings) in &rules {
            let severity = worst(findings).unwrap_or(Severity::Note);
            let contact = self.rules.info(rule).map(|info| escaped(&info.contact)).unwrap_or_default();
            let number = text::count(findings.len() as u64);
            page.push_str(&format!("| {severity} | {number} | {} | {contact} |\n", code(rule)));
        }
        let (mut rules_left, mut findings_left) = (0, 0);
        for (rule, findings) in &rules {
            let mut section = String::new();
            self.section(&mut section, rule, findings);
            if self.options.all || page.len() + section.len() <= SECTIONS {
                page.push_str(&section);
            } else {
                rules_left += 1;
                findings_left += findings.len() as u64;
            }
        }
        if rules_left > 0 {
            let (of_rules, findings) = (text::counted(rules_left, "rule"), text::counted(findings_left, "finding"));
            page.push_str(&format!(
                "\n… {findings} of {of_rules} are not listed: the page would be too long (--all lists them)\n"
            ));
        }
        self.remainder(&mut page, run);
        self.out.write_all(text::without_commands(&page).as_bytes())?;
        self.out.flush()
    }
}

impl<W: io::Write> Markdown<'_, W> {
    fn section(&self, page: &mut String, rule: &str, findings: &[&Finding]) {
        page.push_str(&format!("\n### {}\n\n", code(rule)));
        let info = self.rules.info(rule).unwrap_or_default();
        let help = findings.first().map_or("", |finding| finding.help.as_str());
        for paragraph in [info.title.as_str(), help] {
            if !paragraph.is_empty() {
                page.push_str(&format!("{}\n\n", escaped(paragraph)));
            }
        }
        if let Some(excerpt) = self.excerpts.get(rule) {
            page.push_str(excerpt);
            page.push('\n');
        }
        page.push_str("| severity | place | what | message | basis |\n| --- | --- | --- | --- | --- |\n");
        let listed = if self.options.all { findings.len() } else { findings.len().min(PLACES) };
        for finding in &findings[..listed] {
            let region = &finding.region;
            let place = format!("{}:{}:{}", finding.path, region.start_line, region.start_column);
            let basis = match finding.requirements.as_slice() {
                [] => finding.profile.to_string(),
                requirements => format!("{}: {}", finding.profile, requirements.join(", ")),
            };
            page.push_str(&format!(
                "| {} | {} | {} | {} | {} |\n",
                finding.severity,
                code(&place),
                code(&finding.target.name),
                escaped(&finding.message),
                code(&basis)
            ));
        }
        if findings.len() > listed {
            page.push_str(&format!("\n… {} more (--all lists them)\n", text::count((findings.len() - listed) as u64)));
        }
    }

    /// Adds lines as long as the page has room, at most [`LINES`]; what is left out is counted.
    fn lines(&self, page: &mut String, lines: impl Iterator<Item = String>) {
        let mut left = 0;
        for (number, line) in lines.enumerate() {
            match self.options.all || number < LINES && page.len() + line.len() <= PAGE {
                true => page.push_str(&line),
                false => left += 1,
            }
        }
        if left > 0 {
            page.push_str(&format!("- … {} more\n", text::count(left)));
        }
    }

    fn remainder(&self, page: &mut String, run: &Run) {
        let errors = &self.collected.errors;
        if !errors.is_empty() {
            page.push_str("\n### Not checked\n\n");
        }
        let line = |error: &FileError| {
            let place = match error.region {
                Some(region) => format!("{}:{}:{}", error.path, region.start_line, region.start_column),
                None => error.path.clone(),
            };
            format!("- {} {}\n", code(&place), escaped(&error.message))
        };
        self.lines(page, errors.iter().map(line));
        let mut reasons: BTreeMap<(&str, &str), u64> = BTreeMap::new();
        for not_judged in &self.collected.not_judged {
            *reasons.entry((&not_judged.field, &not_judged.why)).or_default() += 1;
        }
        if !reasons.is_empty() {
            page.push_str("\n### Not judged\n\n");
        }
        let line = |((field, why), number): (&(&str, &str), &u64)| {
            format!("- {}: {} {}\n", text::counted(*number, "check"), code(field), escaped(why))
        };
        self.lines(page, reasons.iter().map(line));
        if !run.profiles.is_empty() {
            page.push_str("\n### Profiles\n\n");
        }
        let line = |profile: &ProfileRef| format!("- {} {}\n", code(&profile.id), escaped(&profile.why));
        self.lines(page, run.profiles.iter().map(line));
    }
}

fn head(run: &Run) -> String {
    let summary = &run.summary;
    let counts = [(summary.error, "error"), (summary.warning, "warning"), (summary.note, "note")];
    let found: Vec<_> = counts.iter().filter(|(n, _)| *n > 0).map(|&(n, noun)| text::counted(n, noun)).collect();
    let found = if found.is_empty() { "no findings".to_owned() } else { found.join(", ") };
    let mut line = format!("## tokenvet: {found}\n\n{} judged", text::counted(summary.judged, "target"));
    for (number, what) in [(summary.not_judged, "judged only in part"), (summary.suppressed, "suppressed")] {
        if number > 0 {
            line.push_str(&format!(", {} {what}", text::count(number)));
        }
    }
    if run.skipped > 0 {
        line.push_str(&format!(", {} skipped", text::counted(run.skipped, "file")));
    }
    line.push('\n');
    for remark in run.remarks() {
        line.push_str(&format!("\n{}\n", escaped(&remark)));
    }
    line
}

/// The excerpt as a code block. Lines begin with their number, so none closes the block or is taken for a command;
/// the fence is longer than any run of backticks inside all the same.
fn fenced(excerpt: &Excerpt) -> String {
    let longest = excerpt.lines.iter().flat_map(|line| line.split(|c| c != '`')).map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    let mut block = format!("{fence}text\n");
    for (at, line) in excerpt.lines.iter().enumerate() {
        block.push_str(&format!("{:>5} | {line}\n", u64::from(excerpt.first_line) + at as u64));
        if at == excerpt.marked_line {
            let before = line[..excerpt.marked.start].chars().count();
            let marks = "^".repeat(line[excerpt.marked.clone()].chars().count().max(1));
            let on = excerpt.ends_on.map(|line| format!(" goes on to line {line}")).unwrap_or_default();
            block.push_str(&format!("      | {:before$}{marks}{on}\n", ""));
        }
    }
    block.push_str(&fence);
    block.push('\n');
    block
}

/// A name from data: shown in code type, where no reader looks for mentions.
fn code(name: &str) -> String {
    format!("<code>{}</code>", escaped(name))
}

/// Text from data. Punctuation becomes character references, which cannot stand for markup (CommonMark section 2.5),
/// but for a few marks that mean nothing inside a line; a comment behind `@` and `#` keeps mentions, mail addresses
/// and issue numbers from becoming links.
pub(crate) fn escaped(text: &str) -> String {
    const HARMLESS: &str = ",;-/()'\"%=+?";
    let mut escaped = String::with_capacity(text.len() * 2);
    // Leading blanks would open a code block.
    for c in text::shown(text.trim()).chars() {
        let harmless = HARMLESS.contains(c) && !escaped.is_empty();
        match c {
            '@' | '#' => escaped.push_str(&format!("&#{};<!-- -->", u32::from(c))),
            c if c.is_ascii_punctuation() && !harmless => escaped.push_str(&format!("&#{};", u32::from(c))),
            c => escaped.push(c),
        }
    }
    escaped
}
