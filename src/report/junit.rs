//! `junit`: JUnit XML. A file is a test suite and a finding a test case: errors and warnings fail, notes pass with a
//! text, suppressed findings and what could not be judged are skipped. A file without findings is one passed case.

use super::json::Collected;
use super::{Checked, DocumentRef, FileError, Finding, NotJudged, Reporter, Run, text};
use crate::rule::Severity;
use std::collections::BTreeMap;
use std::io;

/// Writes `junit`.
#[derive(Debug)]
pub struct Junit<W: io::Write> {
    out: W,
    collected: Collected,
}

impl<W: io::Write> Junit<W> {
    /// A report to this writer.
    pub fn new(out: W) -> Self {
        Junit { out, collected: Collected::default() }
    }
}

/// What one file has, by path.
#[derive(Default)]
struct Suite<'a> {
    documents: Vec<&'a DocumentRef>,
    findings: Vec<&'a Finding>,
    not_judged: Vec<&'a NotJudged>,
    errors: Vec<&'a FileError>,
    /// What concerns the whole run.
    remarks: Vec<String>,
}

/// Counts in the order of JUnit's attributes.
#[derive(Clone, Copy, Default)]
struct Totals {
    tests: usize,
    failures: usize,
    errors: usize,
    skipped: usize,
}

impl<W: io::Write> Reporter for Junit<W> {
    fn file(&mut self, checked: &Checked<'_>) -> io::Result<()> {
        self.collected.add(checked);
        Ok(())
    }

    fn finish(&mut self, run: &Run) -> io::Result<()> {
        self.collected.close(run);
        let remarks = run.remarks();
        let mut suites = suites(&self.collected);
        if !remarks.is_empty() {
            suites.entry("").or_default().remarks = remarks;
        }
        let mut total = Totals::default();
        for suite in suites.values() {
            let one = suite.totals();
            total.tests += one.tests;
            total.failures += one.failures;
            total.errors += one.errors;
            total.skipped += one.skipped;
        }
        let out = &mut self.out;
        writeln!(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>")?;
        writeln!(out, "<testsuites name=\"tokenvet\" {}>", total.attributes())?;
        for (path, suite) in &suites {
            suite.write(out, path, &run.now)?;
        }
        writeln!(out, "</testsuites>")?;
        out.flush()
    }

    fn quotes(&self) -> bool {
        false
    }
}

fn suites(collected: &Collected) -> BTreeMap<&str, Suite<'_>> {
    let mut suites: BTreeMap<&str, Suite<'_>> = BTreeMap::new();
    for document in &collected.documents {
        suites.entry(&document.path).or_default().documents.push(document);
    }
    for finding in &collected.findings {
        suites.entry(&finding.path).or_default().findings.push(finding);
    }
    for not_judged in &collected.not_judged {
        suites.entry(&not_judged.path).or_default().not_judged.push(not_judged);
    }
    for error in &collected.errors {
        suites.entry(&error.path).or_default().errors.push(error);
    }
    suites
}

fn fails(finding: &Finding) -> bool {
    finding.suppressed.is_none() && finding.severity > Severity::Note
}

impl Totals {
    fn attributes(self) -> String {
        let Totals { tests, failures, errors, skipped } = self;
        format!("tests=\"{tests}\" failures=\"{failures}\" errors=\"{errors}\" skipped=\"{skipped}\"")
    }
}

impl Suite<'_> {
    fn is_clean(&self) -> bool {
        self.findings.is_empty() && self.errors.is_empty() && self.remarks.is_empty()
    }

    fn totals(&self) -> Totals {
        let skipped = usize::from(!self.not_judged.is_empty());
        Totals {
            tests: self.findings.len()
                + self.errors.len()
                + self.remarks.len()
                + skipped
                + usize::from(self.is_clean()),
            failures: self.findings.iter().filter(|finding| fails(finding)).count(),
            errors: self.errors.len(),
            skipped: skipped + self.findings.iter().filter(|finding| finding.suppressed.is_some()).count(),
        }
    }

    fn write(&self, out: &mut impl io::Write, path: &str, now: &str) -> io::Result<()> {
        let mut names = Names::default();
        let name = escaped(if path.is_empty() { "run" } else { path });
        let time = if now.is_empty() { String::new() } else { format!(" timestamp=\"{}\"", escaped(now)) };
        writeln!(out, "<testsuite name=\"{name}\" {}{time}>", self.totals().attributes())?;
        if self.is_clean() {
            let kinds: Vec<_> = self.documents.iter().map(|document| escaped(&document.kind)).collect();
            let case = names.own(&format!("no findings {}", kinds.join(", ")));
            writeln!(out, "<testcase classname=\"{name}\" name=\"{case}\"/>")?;
        }
        for finding in &self.findings {
            case(out, &name, &mut names, finding)?;
        }
        if !self.not_judged.is_empty() {
            let count = text::counted(self.not_judged.len() as u64, "check");
            writeln!(
                out,
                "<testcase classname=\"{name}\" name=\"{}\"><skipped message=\"{count} not judged\"/></testcase>",
                names.own("not judged")
            )?;
        }
        for remark in &self.remarks {
            let remark = escaped(remark);
            writeln!(
                out,
                "<testcase classname=\"{name}\" name=\"{}\"><system-out>{remark}</system-out></testcase>",
                names.own("remark")
            )?;
        }
        for error in &self.errors {
            let message = escaped(&error.message);
            writeln!(
                out,
                "<testcase classname=\"{name}\" name=\"{}\"><error type=\"error\" message=\"{message}\"/></testcase>",
                names.own("not checked")
            )?;
        }
        writeln!(out, "</testsuite>")
    }
}

/// The names of a suite's cases. Of several with one name GitLab keeps the first alone, so the others get a number.
#[derive(Default)]
struct Names(BTreeMap<String, u32>);

impl Names {
    fn own(&mut self, name: &str) -> String {
        let number = self.0.entry(name.to_string()).or_default();
        *number += 1;
        match *number {
            1 => name.to_string(),
            // A target may be called like that.
            number => self.own(&format!("{name} #{number}")),
        }
    }
}

fn case(out: &mut impl io::Write, class: &str, names: &mut Names, finding: &Finding) -> io::Result<()> {
    let name = names.own(&escaped(&format!("{} ({}) {}", finding.rule, finding.profile, finding.target.name)));
    write!(out, "<testcase classname=\"{class}\" name=\"{name}\">")?;
    let message = escaped(&finding.message);
    let place = format!("line {}, column {}", finding.region.start_line, finding.region.start_column);
    let body =
        format!("{place}: {message} | {} | {}", escaped(&finding.help), escaped(&finding.requirements.join(", ")));
    match &finding.suppressed {
        Some(suppressed) => write!(out, "<skipped message=\"{}\"/>", escaped(&suppressed.reason))?,
        None if fails(finding) => {
            let severity = finding.severity;
            write!(out, "<failure type=\"{severity}\" message=\"{message}\">{body}</failure>")?;
        }
        None => write!(out, "<system-out>{body}</system-out>")?,
    }
    writeln!(out, "</testcase>")
}

/// Text for an attribute or an element: one line of characters that XML 1.0 allows.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text::shown(text).chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&apos;"),
            c => escaped.push(c),
        }
    }
    escaped
}
