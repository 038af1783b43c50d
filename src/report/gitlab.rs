//! `gitlab`: the code quality report that GitLab shows beside a merge request.

use super::json::{Collected, write};
use super::{Checked, FileError, Finding, Reporter, Run, text};
use crate::hex::hex;
use crate::rule::Severity;
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::io;

/// Writes `gitlab`.
#[derive(Debug)]
pub struct Gitlab<W: io::Write> {
    out: W,
    collected: Collected,
}

impl<W: io::Write> Gitlab<W> {
    /// A report to this writer.
    pub fn new(out: W) -> Self {
        Gitlab { out, collected: Collected::default() }
    }
}

impl<W: io::Write> Reporter for Gitlab<W> {
    fn file(&mut self, checked: &Checked<'_>) -> io::Result<()> {
        self.collected.add(checked);
        Ok(())
    }

    fn finish(&mut self, run: &Run) -> io::Result<()> {
        self.collected.close(run);
        let findings = self.collected.findings.iter().filter(|finding| finding.suppressed.is_none()).map(issue);
        let remarks = run.remarks();
        let remarks = remarks.iter().map(|remark| remark_of_run(remark));
        let mut issues: Vec<_> = findings.chain(self.collected.errors.iter().map(error)).chain(remarks).collect();
        distinguish(&mut issues);
        write(&mut self.out, &issues, 1)?;
        self.out.flush()
    }

    fn quotes(&self) -> bool {
        false
    }
}

#[derive(Serialize)]
struct Issue<'a> {
    description: String,
    check_name: &'a str,
    fingerprint: String,
    severity: &'static str,
    location: Location<'a>,
}

#[derive(Serialize)]
struct Location<'a> {
    path: &'a str,
    lines: Lines,
}

#[derive(Serialize)]
struct Lines {
    begin: u32,
    end: u32,
}

/// Of several issues with one fingerprint GitLab shows one alone: the others get one of their own, by their order.
fn distinguish(issues: &mut [Issue<'_>]) {
    let mut known: BTreeMap<String, u32> = BTreeMap::new();
    for issue in issues {
        let number = known.entry(issue.fingerprint.clone()).or_default();
        *number += 1;
        if *number > 1 {
            issue.fingerprint = digest(&[&issue.fingerprint, &number.to_string()]);
        }
    }
}

fn issue(finding: &Finding) -> Issue<'_> {
    let severity = match finding.severity {
        Severity::Error => "major",
        Severity::Warning => "minor",
        Severity::Note => "info",
    };
    Issue {
        description: format!("{} ({})", text::shown(&finding.message), text::visible(&finding.profile)),
        check_name: &finding.rule,
        fingerprint: finding.fingerprint.clone(),
        severity,
        location: Location {
            path: &finding.path,
            lines: Lines { begin: finding.region.start_line, end: finding.region.end_line },
        },
    }
}

/// The format has no place for what concerns the whole run but an issue of its own.
fn remark_of_run(remark: &str) -> Issue<'_> {
    Issue {
        description: text::shown(remark),
        check_name: "run",
        fingerprint: digest(&["run", remark]),
        severity: "info",
        location: Location { path: ".", lines: Lines { begin: 1, end: 1 } },
    }
}

fn digest(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    hex(&hash.finalize()[..16])
}

fn error(error: &FileError) -> Issue<'_> {
    let lines = error
        .region
        .map_or(Lines { begin: 1, end: 1 }, |region| Lines { begin: region.start_line, end: region.end_line });
    Issue {
        description: text::shown(&error.message),
        check_name: "not-checked",
        fingerprint: digest(&[&error.path, &error.message]),
        severity: "blocker",
        // GitLab wants a path; what concerns the whole run gets the working directory.
        location: Location { path: if error.path.is_empty() { "." } else { &error.path }, lines },
    }
}
