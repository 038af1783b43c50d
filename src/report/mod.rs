//! Reports: one file per output format. Renderers receive finished findings and a masked view; they never see
//! source text and never decide the exit code.

mod excerpt;
mod finding;
mod format;
mod github;
mod gitlab;
mod html;
#[cfg(feature = "cli")]
mod human;
mod json;
mod jsonl;
mod junit;
mod lines;
mod markdown;
mod place;
mod rules;
mod sarif;
#[cfg(test)]
mod tests;
pub mod text;

pub use crate::source::Region;
pub use finding::*;
pub use format::{Format, Options, UnknownFormat, reporter};
pub use github::Github;
pub use gitlab::Gitlab;
pub use html::{Html, HtmlPage};
#[cfg(feature = "cli")]
pub use human::{Human, problem};
pub(crate) use json::text_of as json_text;
pub use json::{Json, JsonReport, SCHEMA_VERSION, Tool};
pub use jsonl::Jsonl;
pub use junit::Junit;
pub use lines::Lines;
pub use markdown::Markdown;
pub(crate) use markdown::escaped as markdown_escaped;
pub use rules::{RequirementInfo, RuleBook, RuleInfo};
pub use sarif::Sarif;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::rc::Rc;

/// One judged file, handed to renderers while its text is still in memory. Files arrive in path order.
#[derive(Debug, Default)]
pub struct Checked<'a> {
    /// The masked text, for snippets; `None` when the file could not be read or parsed.
    pub view: Option<View<'a>>,
    /// Documents recognised in the file.
    pub documents: Vec<DocumentRef>,
    /// Targets of the file by kind (`client` → 226), so that "14 of 226 clients" can be said.
    pub targets: BTreeMap<String, u64>,
    /// Findings, sorted by offset, length, rule, profile, pointer.
    pub findings: Vec<Finding>,
    /// What could not be judged.
    pub not_judged: Vec<NotJudged>,
    /// Errors of the file.
    pub errors: Vec<FileError>,
    /// True when this is a part of a large file and further parts of it follow. Documents come with the last part.
    pub more: bool,
    /// True when the file says itself that it is a part of something larger.
    pub partial: bool,
    /// What is in it, when the run takes an inventory.
    pub inventory: Vec<crate::audit::inventory::Entry>,
    /// The policy's service that the file belongs to, by its name there.
    pub service: Option<String>,
}

/// What renderers may see of a file: whole lines with every secret masked.
#[derive(Debug, Clone, Copy)]
pub struct View<'a>(Shown<'a>);

/// Where the lines come from.
#[derive(Debug, Clone, Copy)]
enum Shown<'a> {
    Source { source: &'a crate::source::Source, secrets: &'a [crate::source::Span] },
    Lines(&'a Lines),
}

impl<'a> View<'a> {
    /// A view of a source that hides these spans, besides everything that looks like a secret.
    pub fn new(source: &'a crate::source::Source, secrets: &'a [crate::source::Span]) -> Self {
        View(Shown::Source { source, secrets })
    }

    /// A view of lines that somebody else masked.
    pub fn of_lines(lines: &'a Lines) -> Self {
        View(Shown::Lines(lines))
    }

    /// Name of the file.
    pub fn name(&self) -> &'a str {
        match self.0 {
            Shown::Source { source, .. } => source.name(),
            Shown::Lines(lines) => &lines.name,
        }
    }

    /// Number of lines up to the end of what is in memory, at least 1.
    pub fn lines(&self) -> usize {
        match self.0 {
            Shown::Source { source, .. } => source.line_index().count() + self.first_line() as usize - 1,
            Shown::Lines(lines) => lines.last as usize,
        }
    }

    /// The first line that is in memory: 1 unless the file is too large to be held as a whole.
    pub fn first_line(&self) -> u32 {
        match self.0 {
            Shown::Source { source, .. } => source.origin().position.line,
            Shown::Lines(lines) => lines.first,
        }
    }

    /// Byte range of a line (from 1) in the file, without its line ending, as far as it is in memory.
    pub fn line_range(&self, line: u32) -> Option<std::ops::Range<usize>> {
        match self.0 {
            Shown::Source { source, .. } => {
                let line = line.checked_sub(self.first_line() - 1)?;
                let range = source.line_index().line(source.text(), line)?;
                Some(range.start + base(source)..range.end + base(source))
            }
            Shown::Lines(lines) => lines.line_range(line),
        }
    }

    /// The offset, or the nearest character boundary before it; the end of what is in memory for offsets past it.
    pub fn snap(&self, offset: usize) -> usize {
        match self.0 {
            Shown::Source { source, .. } => {
                let text = source.text();
                let mut offset = offset.saturating_sub(base(source)).min(text.len());
                while !text.is_char_boundary(offset) {
                    offset -= 1;
                }
                offset + base(source)
            }
            Shown::Lines(lines) => lines.snap(offset),
        }
    }

    /// Number of characters of a byte range, masked or not.
    pub fn chars(&self, range: std::ops::Range<usize>) -> usize {
        match self.0 {
            Shown::Source { source, .. } => {
                source.text().get(within(source, range)).map_or(0, |text| text.chars().count())
            }
            Shown::Lines(lines) => lines.text(&range).chars().count(),
        }
    }

    /// The masked text of a byte range on character boundaries (see [`View::snap`]); as many characters and line breaks as the file has there.
    pub fn text(&self, range: std::ops::Range<usize>) -> String {
        match self.0 {
            Shown::Source { source, secrets } => crate::source::mask::window(source, within(source, range), secrets),
            Shown::Lines(lines) => lines.text(&range),
        }
    }
}

/// Bytes of the file before what is in memory.
fn base(source: &crate::source::Source) -> usize {
    usize::try_from(source.origin().byte).unwrap_or(usize::MAX)
}

/// A range of the file as one of the text in memory.
fn within(source: &crate::source::Source, range: std::ops::Range<usize>) -> std::ops::Range<usize> {
    range.start.saturating_sub(base(source))..range.end.saturating_sub(base(source))
}

/// The closing facts of a run.
#[derive(Debug, Default)]
pub struct Run {
    /// The clock of the run (RFC 3339, UTC).
    pub now: String,
    /// SHA-256 of the effective policy, `None` without one.
    pub policy_digest: Option<String>,
    /// Where policy, waivers, baseline and rule files were read, when not from disk.
    pub policy_from: Option<PolicyFrom>,
    /// What became of the wish to see findings on changed lines only; `None` when nobody had it.
    pub only_changed: Option<OnlyChanged>,
    /// What else was left out because somebody asked for that, one sentence each.
    pub notes: Vec<String>,
    /// Profiles that were applied to at least one target.
    pub profiles: Vec<ProfileRef>,
    /// The policy's workflows with the number of their targets.
    pub workflows: Vec<WorkflowRef>,
    /// Findings that belong to the run as a whole (unused waivers, fleet rules, what an agreed waiver may cover), sorted
    /// like the others.
    pub findings: Vec<Finding>,
    /// The files those point at, with the spans of their secrets, as far as they are still in memory.
    pub sources: Vec<(std::sync::Arc<crate::source::Source>, Vec<crate::source::Span>)>,
    /// What there is to show of files that somebody else judged.
    pub excerpts: Vec<Lines>,
    /// Errors that belong to no judged file.
    pub errors: Vec<FileError>,
    /// Files met while walking that nothing recognised.
    pub skipped: u64,
    /// Counts.
    pub summary: Summary,
    /// What the applied profiles, after the policy, say of lifetimes.
    pub bands: Vec<Band>,
    /// The waivers of the policy, whether they hide something or not.
    pub waivers: Vec<crate::audit::WaiverRef>,
    /// The service that each file of a service belongs to, as a number: files of one service have the same.
    pub services: BTreeMap<String, usize>,
}

impl Run {
    /// What there is to show of a file that a finding of the run points at.
    pub fn view(&self, path: &str) -> Option<View<'_>> {
        let source = self.sources.iter().find(|(source, _)| source.name() == path);
        let source = source.map(|(source, secrets)| View::new(source, secrets));
        source.or_else(|| self.excerpts.iter().find(|lines| lines.name == path).map(View::of_lines))
    }

    /// What the reader of any format must know of how the run was cut, one sentence each.
    fn remarks(&self) -> Vec<String> {
        let changed = self.only_changed.iter().map(OnlyChanged::sentence);
        changed.chain(self.policy_from.iter().map(PolicyFrom::sentence)).chain(self.notes.iter().cloned()).collect()
    }
}

/// Profiles with their reasons, those of the same reasons together.
fn profiles_by_reason(profiles: &[ProfileRef]) -> Vec<(Vec<&str>, Vec<&str>)> {
    let mut reasons: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for profile in profiles {
        reasons.entry(&profile.id).or_default().push(&profile.why);
    }
    let mut groups: Vec<(Vec<&str>, Vec<&str>)> = Vec::new();
    for (id, whys) in reasons {
        match groups.iter_mut().find(|(_, others)| *others == whys) {
            Some((ids, _)) => ids.push(id),
            None => groups.push((vec![id], whys)),
        }
    }
    groups
}

/// An output format.
pub trait Reporter {
    /// One file is finished.
    fn file(&mut self, checked: &Checked<'_>) -> io::Result<()>;

    /// The run is finished; everything still held back is written.
    fn finish(&mut self, run: &Run) -> io::Result<()>;

    /// Does it quote lines of files? For those that do not, nobody looks for what has to be hidden in them.
    fn quotes(&self) -> bool {
        true
    }
}

/// What is reported to one place and read at another.
impl<R: Reporter> Reporter for Rc<RefCell<R>> {
    fn file(&mut self, checked: &Checked<'_>) -> io::Result<()> {
        self.borrow_mut().file(checked)
    }

    fn finish(&mut self, run: &Run) -> io::Result<()> {
        self.borrow_mut().finish(run)
    }

    fn quotes(&self) -> bool {
        self.borrow().quotes()
    }
}
