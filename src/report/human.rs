//! `human`: for a person at a terminal. Snippets come from miette; what stands around them is ours.

use super::excerpt::Excerpt;
use super::place::{Counts, Place, places};
use super::text::wrapped;
use super::{Checked, FileError, Finding, Options, Region, Reporter, RuleBook, Run, TargetRef, View, text};
use crate::rule::Severity;
use miette::{GraphicalReportHandler, GraphicalTheme, LabeledSpan, MietteError, SourceSpan, SpanContents};
use miette::{ThemeCharacters, ThemeStyles};
use smol_str::SmolStr;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io;

/// Snippets shown for one rule in one file, unless all are asked for.
const SNIPPETS: u64 = 3;

/// Snippets shown for one rule in a run: two thousand files with one fault each are no better than one file.
const SNIPPETS_OF_RUN: u64 = 12;

/// Writes `human`: a file's findings as soon as it is finished, then errors, what was not judged, and the tables.
pub struct Human<'a, W: io::Write> {
    out: W,
    options: Options,
    rules: &'a dyn RuleBook,
    errors: Vec<FileError>,
    table: BTreeMap<String, Row>,
    /// Live findings.
    counts: Counts,
    not_judged: BTreeMap<(String, String), NotJudgedGroup>,
    targets: BTreeMap<String, u64>,
    files: u64,
    /// Places of the current file by rule: shown, and held back.
    in_file: BTreeMap<String, (u64, Held)>,
}

/// What a run has seen of one rule.
#[derive(Default)]
struct Row {
    /// The worst one.
    severity: Option<Severity>,
    /// Places.
    count: u64,
    /// Places shown with a snippet.
    shown: u64,
    /// Places in files of which no snippet was shown.
    elsewhere: Held,
    /// Those files.
    files_elsewhere: u64,
}

/// Places that are counted instead of shown.
#[derive(Default)]
struct Held {
    places: u64,
    /// Targets they are in, and the last of those: a target's places follow each other.
    targets: u64,
    last: Option<super::TargetRef>,
    mixed: bool,
}

impl Held {
    fn add(&mut self, finding: &Finding) {
        self.places += 1;
        if self.last.as_ref() != Some(&finding.target) {
            self.targets += 1;
            self.mixed |= self.last.as_ref().is_some_and(|last| last.kind != finding.target.kind);
            self.last = Some(finding.target.clone());
        }
    }

    fn join(&mut self, other: Held) {
        let kind = |held: &Held| held.last.as_ref().map(|last| last.kind.clone());
        self.mixed |= other.mixed || self.places > 0 && kind(self) != kind(&other);
        self.places += other.places;
        self.targets += other.targets;
        self.last = other.last;
    }

    /// `token-outlives-maximum: … 1,982 more clients (--all shows them)`; `files` says how many files they are in,
    /// when that is not the one just shown.
    fn line(&self, rule: &str, files: Option<u64>) -> String {
        let kind = match &self.last {
            Some(last) if !self.mixed => text::shortened(&last.kind.replace('-', " "), 20),
            _ => "target".to_owned(),
        };
        let targets = text::plural(self.targets, &kind);
        let what = if self.targets == self.places {
            format!("{} more {targets}", text::count(self.places))
        } else {
            format!("{} more places in {} {targets}", text::count(self.places), text::count(self.targets))
        };
        let of = files.map(|files| format!(" of {}", text::counted(files, "other file"))).unwrap_or_default();
        format!("  {}: … {what}{of} (--all shows them)\n", text::visible(rule))
    }
}

/// Targets of one kind that could not be judged for one reason.
#[derive(Default)]
struct NotJudgedGroup {
    targets: u64,
    fields: BTreeSet<String>,
}

impl<'a, W: io::Write> Human<'a, W> {
    /// A report to this writer; `rules` says who can turn which knob.
    pub fn new(out: W, options: Options, rules: &'a dyn RuleBook) -> Self {
        Human {
            out,
            options,
            rules,
            errors: Vec::new(),
            table: BTreeMap::new(),
            counts: Counts::default(),
            not_judged: BTreeMap::new(),
            targets: BTreeMap::new(),
            files: 0,
            in_file: BTreeMap::new(),
        }
    }

    fn findings(&mut self, view: Option<&View<'_>>, findings: &[Finding]) -> io::Result<()> {
        for place in places(findings) {
            let finding = place.findings[0];
            self.counts.add(&place);
            if !self.table.contains_key(finding.rule.as_str()) {
                self.table.insert(finding.rule.to_string(), Row::default());
            }
            let Some(row) = self.table.get_mut(finding.rule.as_str()) else { continue };
            row.severity = row.severity.max(Some(finding.severity));
            row.count += 1;
            if !self.in_file.contains_key(finding.rule.as_str()) {
                self.in_file.insert(finding.rule.to_string(), Default::default());
            }
            let Some((shown, held)) = self.in_file.get_mut(finding.rule.as_str()) else { continue };
            if self.options.all || *shown < SNIPPETS && row.shown < SNIPPETS_OF_RUN {
                *shown += 1;
                row.shown += 1;
                let text = self.place(view, &place);
                self.print(&text)?;
            } else {
                held.add(finding);
            }
        }
        Ok(())
    }

    /// Says what was held back of the file that ends here.
    fn end_of_file(&mut self) -> io::Result<()> {
        let mut lines = String::new();
        for (rule, (shown, held)) in std::mem::take(&mut self.in_file) {
            if held.places > 0 && shown > 0 {
                lines.push_str(&held.line(&rule, None));
            } else if let Some(row) = self.table.get_mut(&rule)
                && held.places > 0
            {
                row.elsewhere.join(held);
                row.files_elsewhere += 1;
            }
        }
        if !lines.is_empty() {
            lines.push('\n');
            self.print(&lines)?;
        }
        Ok(())
    }

    fn place(&self, view: Option<&View<'_>>, place: &Place<'_>) -> String {
        let finding = place.findings[0];
        let digits = finding.region.start_line.saturating_add(1).to_string().len();
        let width = self.options.width.max(40);
        let excerpt = view.and_then(|view| Excerpt::new(view, &finding.region, 1, width.saturating_sub(digits + 5)));
        let placed = excerpt.is_some();
        let mut out = snippet(finding, excerpt, self.options);
        if !placed {
            self.fact(&mut out, "at", &place_name(finding));
        }
        self.facts(place, &mut out);
        out.push('\n');
        out
    }

    /// The lines under a snippet: what it is about, what to do, what it rests on.
    fn facts(&self, place: &Place<'_>, out: &mut String) {
        let finding = place.findings[0];
        let mut pointer = text::shortened(&finding.pointer, 200);
        if let Some(inner) = finding.inner_pointer.as_deref() {
            pointer = format!("{pointer} → {}", text::shortened(inner, 200));
        }
        let name = text::shortened(&finding.target.name, 100);
        let mut target = format!("{name} {}", if pointer.is_empty() { String::new() } else { format!("({pointer})") });
        if let Some(workflow) = &finding.target.workflow {
            target = format!("{} of workflow {}", target.trim_end(), text::shortened(workflow, 100));
        }
        self.fact(out, &text::shortened(&finding.target.kind.replace('-', " "), 20), &target);
        for related in &finding.related {
            let at =
                format!("{}:{}:{}", text::shown(&related.path), related.region.start_line, related.region.start_column);
            self.fact(out, "also", &format!("{at} {}", text::shown(&related.message)));
        }
        self.fact(out, "help", &text::shown(&finding.help));
        for judged in &place.findings {
            let mut basis = text::visible(&judged.profile).into_owned();
            if !judged.requirements.is_empty() {
                basis.push_str(": ");
                basis.push_str(&text::visible(&judged.requirements.join(", ")));
            }
            if judged.severity != finding.severity {
                basis.push_str(&format!(" ({})", judged.severity));
            }
            if judged.severity != judged.default_severity {
                basis.push_str(&format!(" ({} by default; the policy changed it)", judged.default_severity));
            }
            if judged.message != finding.message {
                basis.push_str(&format!(" – {}", text::shown(&judged.message)));
            }
            self.fact(out, "basis", &basis);
        }
        self.fact(out, "more", &format!("tokenvet explain {}", text::visible(&finding.rule)));
    }

    /// A labelled value; the label has at most 20 characters.
    fn fact(&self, out: &mut String, name: &str, value: &str) {
        if value.trim().is_empty() {
            return;
        }
        let label = self.paint(Paint::Dim, &format!("{name:>7}"));
        let indent = name.chars().count().max(7) + 3;
        for (at, line) in wrapped(value, self.options.width.max(40) - indent).iter().enumerate() {
            match at {
                0 => out.push_str(&format!("  {label} {line}\n")),
                _ => out.push_str(&format!("{:indent$}{line}\n", "")),
            }
        }
    }

    fn paint(&self, paint: Paint, text: &str) -> String {
        if !self.options.color {
            return text.to_owned();
        }
        let code = match paint {
            Paint::Severity(Severity::Error) => "1;31",
            Paint::Severity(Severity::Warning) => "1;33",
            Paint::Severity(Severity::Note) => "1;36",
            Paint::Dim => "2",
            Paint::Bold => "1",
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }

    fn print(&mut self, text: &str) -> io::Result<()> {
        let text = text::without_commands(text);
        if self.options.unicode {
            return self.out.write_all(text.as_bytes());
        }
        let text = text.replace('…', "...").replace('→', "->").replace('–', "-");
        self.out.write_all(text.as_bytes())
    }
}

#[derive(Clone, Copy)]
enum Paint {
    Severity(Severity),
    Dim,
    Bold,
}

fn place_name(finding: &Finding) -> String {
    format!("{}:{}:{}", text::shown(&finding.path), finding.region.start_line, finding.region.start_column)
}

/// Heading and source lines of a finding.
fn snippet(finding: &Finding, excerpt: Option<Excerpt>, options: Options) -> String {
    let mut characters = if options.unicode { ThemeCharacters::unicode() } else { ThemeCharacters::ascii() };
    characters.error = "error:".into();
    characters.warning = "warning:".into();
    characters.advice = "note:".into();
    let mut styles = if options.color { ThemeStyles::ansi() } else { ThemeStyles::none() };
    styles.highlights.truncate(1);
    let handler = GraphicalReportHandler::new_themed(GraphicalTheme { characters, styles })
        .with_links(false)
        .with_context_lines(1)
        // Its line breaking needs language models that are not linked in, and says so on stderr.
        .with_wrap_lines(false);
    let mut out = String::new();
    let room = options.width.max(40) - "  warning: ".len();
    let message = wrapped(&text::shown(&finding.message), room).join("\n");
    let shown = Shown { severity: finding.severity, message, source: excerpt.map(|it| Snippet::new(finding, it)) };
    match handler.render_report(&mut out, &shown) {
        Ok(()) => out,
        // The renderer fails only when a snippet cannot be read; the words alone still help.
        Err(fmt::Error) => format!("{}: {}\n", shown.severity, shown.message),
    }
}

/// A problem in one of the user's own tokenvet files, drawn like a finding: the first line of `message` is the
/// heading, further lines follow the snippet.
pub fn problem(view: &View<'_>, region: &Region, message: &str, options: Options) -> String {
    let (heading, rest) = message.split_once('\n').unwrap_or((message, ""));
    let finding = Finding {
        rule: SmolStr::default(),
        profile: SmolStr::default(),
        severity: Severity::Error,
        default_severity: Severity::Error,
        message: heading.to_owned(),
        path: view.name().into(),
        region: *region,
        fault: (region.start_line, region.end_line),
        pointer: SmolStr::default(),
        inner_pointer: None,
        target: TargetRef { kind: SmolStr::default(), name: SmolStr::default(), workflow: None },
        requirements: vec![],
        related: vec![],
        help: SmolStr::default(),
        identity: SmolStr::default(),
        fingerprint: String::new(),
        suppressed: None,
        deviation: None,
        measure: None,
    };
    let excerpt = Excerpt::new(view, region, 1, options.width.saturating_sub(12));
    let mut out = snippet(&finding, excerpt, options);
    for line in rest.lines() {
        out.push_str("  ");
        out.push_str(&text::visible(line));
        out.push('\n');
    }
    out
}

/// A finding as miette sees it.
#[derive(Debug)]
struct Shown {
    severity: Severity,
    /// Filled into lines.
    message: String,
    source: Option<Snippet>,
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Shown {}

impl miette::Diagnostic for Shown {
    fn severity(&self) -> Option<miette::Severity> {
        Some(match self.severity {
            Severity::Error => miette::Severity::Error,
            Severity::Warning => miette::Severity::Warning,
            Severity::Note => miette::Severity::Advice,
        })
    }

    fn source_code(&self) -> Option<&dyn miette::SourceCode> {
        self.source.as_ref().map(|source| source as &dyn miette::SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let source = self.source.as_ref()?;
        let label = source.ends_on.map(|line| format!("goes on to line {line}"));
        Some(Box::new(std::iter::once(LabeledSpan::new_with_span(label, source.marked))))
    }
}

/// An excerpt as miette reads it. It holds the few lines that are shown and nothing else, so that the cost of a
/// finding does not grow with the file.
#[derive(Debug)]
struct Snippet {
    text: String,
    marked: SourceSpan,
    ends_on: Option<u32>,
    lines: usize,
    first_line: u32,
    name: String,
    line: u32,
    column: u32,
}

impl Snippet {
    fn new(finding: &Finding, excerpt: Excerpt) -> Self {
        let before: usize = excerpt.lines[..excerpt.marked_line].iter().map(|line| line.len() + 1).sum();
        Snippet {
            text: excerpt.lines.join("\n"),
            marked: SourceSpan::from((before + excerpt.marked.start, excerpt.marked.len())),
            ends_on: excerpt.ends_on,
            lines: excerpt.lines.len(),
            first_line: excerpt.first_line,
            name: text::shown(&finding.path),
            line: finding.region.start_line,
            column: finding.region.start_column,
        }
    }
}

impl miette::SourceCode for Snippet {
    fn read_span<'s>(
        &'s self,
        span: &SourceSpan,
        before: usize,
        after: usize,
    ) -> Result<Box<dyn SpanContents<'s> + 's>, MietteError> {
        // Without context miette asks for the place it names; with context, for the lines it draws.
        let (range, line, column, lines) = if before + after == 0 {
            (span.offset()..span.offset() + span.len(), self.line, self.column, 1)
        } else {
            (0..self.text.len(), self.first_line, 1, self.lines)
        };
        let data = self.text.as_bytes().get(range.clone()).ok_or(MietteError::OutOfBounds)?;
        Ok(Box::new(miette::MietteSpanContents::new_named(
            self.name.clone(),
            data,
            SourceSpan::from((range.start, range.len())),
            line.saturating_sub(1) as usize,
            column.saturating_sub(1) as usize,
            lines,
        )))
    }
}

impl<W: io::Write> Reporter for Human<'_, W> {
    fn file(&mut self, checked: &Checked<'_>) -> io::Result<()> {
        self.files += u64::from(!checked.documents.is_empty());
        for (kind, number) in &checked.targets {
            *self.targets.entry(kind.clone()).or_default() += number;
        }
        let mut seen = BTreeSet::new();
        for not_judged in &checked.not_judged {
            let target = &not_judged.target;
            let group = self.not_judged.entry((target.kind.to_string(), not_judged.why.clone())).or_default();
            if group.fields.len() < 8 {
                group.fields.insert(not_judged.field.to_string());
            }
            group.targets += u64::from(seen.insert((target.kind.as_str(), target.name.as_str(), &not_judged.why)));
        }
        self.errors.extend_from_slice(&checked.errors);
        self.findings(checked.view.as_ref(), &checked.findings)?;
        if checked.more { Ok(()) } else { self.end_of_file() }
    }

    fn finish(&mut self, run: &Run) -> io::Result<()> {
        for of_file in run.findings.chunk_by(|one, next| one.path == next.path) {
            let path = of_file.first().map_or("", |finding| finding.path.as_str());
            let view = run.view(path);
            self.findings(view.as_ref(), of_file)?;
        }
        self.end_of_file()?;
        let mut closing = self.elsewhere_lines();
        closing.push_str(&self.error_lines(&run.errors));
        closing.push_str(&self.not_judged_lines());
        closing.push_str(&self.table_lines());
        closing.push_str(&self.profiles_lines(run));
        for remark in run.remarks() {
            closing.push_str(&wrapped(&text::shown(&remark), self.options.width.max(40) - 4).join("\n    "));
            closing.push('\n');
        }
        closing.push_str(&self.summary_line(run));
        self.print(&closing)?;
        self.out.flush()
    }
}

impl<W: io::Write> Human<'_, W> {
    fn elsewhere_lines(&self) -> String {
        let mut out = String::new();
        for (rule, row) in self.table.iter().filter(|(_, row)| row.files_elsewhere > 0) {
            out.push_str(&row.elsewhere.line(rule, Some(row.files_elsewhere)));
        }
        if !out.is_empty() {
            out.push('\n');
        }
        out
    }

    fn error_lines(&self, of_run: &[FileError]) -> String {
        let mut out = String::new();
        for error in self.errors.iter().chain(of_run) {
            // Only what concerns the run as a whole (a defective rule) has no file.
            let label = if error.path.is_empty() { "error:" } else { "not checked:" };
            let label = self.paint(Paint::Severity(Severity::Error), label);
            let mut place = text::shown(&error.path);
            if let Some(region) = error.region {
                place.push_str(&format!(":{}:{}", region.start_line, region.start_column));
            }
            out.push_str(format!("{label} {place}").trim_end());
            out.push('\n');
            for line in wrapped(&text::shown(&error.message), self.options.width.max(40) - 4) {
                out.push_str(&format!("    {line}\n"));
            }
        }
        if !out.is_empty() {
            out.push('\n');
        }
        out
    }

    fn not_judged_lines(&self) -> String {
        let mut out = String::new();
        for ((kind, why), group) in &self.not_judged {
            let total = self.targets.get(kind).copied().unwrap_or(0).max(group.targets);
            let kind = kind.replace('-', " ");
            let noun = text::plural(total, &kind);
            let fields: Vec<_> = group.fields.iter().map(String::as_str).collect();
            let line = format!(
                "{} of {} {noun} not judged: {why} ({})",
                text::count(group.targets),
                text::count(total),
                fields.join(", ")
            );
            out.push_str(&wrapped(&text::shown(&line), self.options.width.max(40) - 4).join("\n    "));
            out.push('\n');
        }
        if !out.is_empty() {
            out.push('\n');
        }
        out
    }

    fn table_lines(&self) -> String {
        if self.table.is_empty() {
            return String::new();
        }
        let mut rows: Vec<_> =
            self.table.iter().map(|(rule, row)| (row.severity.unwrap_or(Severity::Note), row.count, rule)).collect();
        rows.sort_by(|a, b| (b.0, b.1).cmp(&(a.0, a.1)).then_with(|| a.2.cmp(b.2)));
        let name_width = rows.iter().map(|row| row.2.chars().count()).max().unwrap_or(0).clamp(4, 40);
        let count_width = rows.iter().map(|row| text::count(row.1).len()).max().unwrap_or(0).max(5);
        let heading = format!("{:8} {:>count_width$}  {:name_width$}  who can change it", "severity", "count", "rule");
        let mut out = format!("{}\n", self.paint(Paint::Bold, &heading));
        for (severity, number, rule) in rows {
            let label = self.paint(Paint::Severity(severity), &format!("{:8}", severity.name()));
            let room = self.options.width.saturating_sub(count_width + name_width + 13).max(16);
            let contact = self.rules.info(rule).map(|info| text::shortened(&info.contact, room)).unwrap_or_default();
            let name = text::shortened(rule, name_width);
            let row = format!("{label} {:>count_width$}  {name:name_width$}  {contact}", text::count(number));
            out.push_str(row.trim_end());
            out.push('\n');
        }
        out.push('\n');
        out
    }

    /// The profiles with their reasons, those of the same reasons together.
    fn profiles_lines(&self, run: &Run) -> String {
        let groups = super::profiles_by_reason(&run.profiles);
        if groups.is_empty() {
            return String::new();
        }
        let before = if groups.len() == 1 { " " } else { "\n  " };
        let mut out = self.paint(Paint::Bold, "profiles:");
        for (ids, whys) in &groups {
            let group = format!("{} ({})", ids.join(", "), whys.join("; "));
            let lines = wrapped(&text::visible(&group), self.options.width.max(40) - 10);
            out.push_str(before);
            out.push_str(&lines.join("\n    "));
        }
        out + "\n"
    }

    fn summary_line(&self, run: &Run) -> String {
        let mut parts = Vec::new();
        for severity in [Severity::Error, Severity::Warning, Severity::Note] {
            let number = self.counts.by_severity[severity as usize];
            if number > 0 {
                parts.push(self.paint(Paint::Severity(severity), &text::counted(number, severity.name())));
            }
        }
        let found = if parts.is_empty() { self.paint(Paint::Bold, "no findings") } else { parts.join(", ") };
        let summary = &run.summary;
        let mut line = match self.files {
            0 => format!("{found}: nothing to check"),
            files => format!("{found} in {}", text::counted(files, "file")),
        };
        line.extend(self.counts.repeated_words().map(|words| format!("; {words}")));
        match (summary.judged, summary.not_judged) {
            (0, 0) => {}
            (judged, 0) => line.push_str(&format!("; {} judged", text::counted(judged, "target"))),
            (judged, partly) => {
                let judged = text::counted(judged, "target");
                line.push_str(&format!("; {judged} judged, {} only in part", text::count(partly)));
            }
        }
        let unchecked: BTreeSet<_> = self.errors.iter().chain(&run.errors).map(|error| &error.path).collect();
        let unchecked = unchecked.iter().filter(|path| !path.is_empty()).count() as u64;
        if summary.suppressed > 0 {
            line.push_str(&format!("; {} suppressed", text::count(summary.suppressed)));
        }
        for (number, what) in [(run.skipped, "skipped"), (unchecked, "not checked")] {
            if number > 0 {
                line.push_str(&format!("; {} {what}", text::counted(number, "file")));
            }
        }
        // Colour codes take no columns, so a coloured line is left to the terminal.
        if !self.options.color {
            line = wrapped(&line, self.options.width.max(40)).join("\n");
        }
        line.push('\n');
        line
    }
}
