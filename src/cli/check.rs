//! `tokenvet check`: the main job.

use super::args::{CheckArgs, Color, Unrecognised};
use super::exit::{Exit, Failure};
use super::output::ReportFile;
use super::rules;
use crate::check::{Outcome, check, check_fleet};
use crate::discover::walk::{self, Input, Unreadable};
use crate::discover::{self};
use crate::evaluate::{Adjustments, Fact, Plan, Selection};
use crate::report::{self, Checked, FileError, Finding, Format, Options, ProfileRef, Reporter, Run, Summary, View};
use crate::source::Source;
use std::collections::BTreeSet;
use std::io::{self, IsTerminal};
use std::path::Path;
use std::sync::Arc;

/// Files judged in parallel and then reported in order. Bounds what is held in memory at a time.
const GROUP_FILES: usize = 256;
/// Bytes of input in such a group, unless a single file is larger.
const GROUP_BYTES: u64 = 16 << 20;

/// Runs the command.
pub(super) fn run(args: &CheckArgs) -> Result<Exit, Failure> {
    let now = super::clock(args.now.as_deref())?;
    let book = Arc::new(rules::book(&args.rules)?);
    let chosen: Result<Vec<usize>, String> = args.profile.iter().map(|text| book.resolve_profile(text)).collect();
    let selection = if args.profile.is_empty() { Selection::Auto } else { Selection::Chosen(chosen?) };
    for id in args.only.iter().chain(&args.ignore) {
        rules::known(&book, id)?;
    }
    let adjustments = Adjustments {
        severities: args.ignore.iter().map(|id| (id.clone(), None)).collect(),
        only: args.only.clone(),
        ..Adjustments::default()
    };
    let plan = Plan::new(Arc::clone(&book), selection, &adjustments);
    let files = args.output.iter().map(|text| destination(text)).collect::<Result<Vec<_>, Failure>>()?;
    let lookup = rules::Lookup(&book);
    let reporters = reporters(args, &files, &lookup)?;

    let found = walk::walk(&args.paths, &|_, _| false);
    let mut job = Job { args, plan: &plan, reporters, tally: Tally::default() };
    let workers = Workers::new(args.threads, found.inputs.len());
    job.tally.skipped = found.skipped;
    let unreadable: Vec<FileError> = found.unreadable.into_iter().map(error_of).collect();
    job.tally.broken = !unreadable.is_empty();
    job.tally.errors = unreadable;
    for group in groups(&found.inputs) {
        let judged = workers.map(group, |input| judge(&plan, input, now.as_second()));
        for (input, result) in group.iter().zip(judged) {
            job.report(input, result)?;
        }
    }
    job.fleet(now.as_second())?;
    let exit = job.finish(&now.to_string())?;
    for file in files {
        file.1.publish()?;
    }
    Ok(exit)
}

fn error_of(unreadable: Unreadable) -> FileError {
    FileError { path: unreadable.name, message: unreadable.message, region: None }
}

/// `FORMAT=PATH`.
fn destination(text: &str) -> Result<(Format, ReportFile), Failure> {
    let (format, path) = text.split_once('=').ok_or_else(|| {
        Failure::Usage(format!("--output {text}: write FORMAT=PATH, for example sarif=tokenvet.sarif"))
    })?;
    let format: Format = format.parse().map_err(|error: report::UnknownFormat| Failure::Usage(error.to_string()))?;
    Ok((format, ReportFile::create(Path::new(path))?))
}

/// One reporter for standard output and one per `--output`.
fn reporters<'a>(
    args: &CheckArgs,
    files: &[(Format, ReportFile)],
    lookup: &'a rules::Lookup<'a>,
) -> Result<Vec<Box<dyn Reporter + 'a>>, Failure> {
    let format = match args.format.as_slice() {
        [] => Format::Human,
        [one] => *one,
        _ => return Err(Failure::Usage("standard output takes one format; write the others with --output".into())),
    };
    let options = super::look(args.color, args.all);
    let mut reporters = vec![report::reporter(format, io::stdout(), options, lookup)];
    for (format, file) in files {
        let plain = Options { color: args.color == Color::Always, ..options };
        reporters.push(report::reporter(*format, file.writer()?, plain, lookup));
    }
    Ok(reporters)
}

/// Cuts the inputs into runs that are judged together.
fn groups(inputs: &[Input]) -> Vec<&[Input]> {
    let size = |input: &Input| std::fs::metadata(&input.path).map_or(0, |metadata| metadata.len());
    let (mut groups, mut start, mut bytes) = (Vec::new(), 0, 0);
    for (index, input) in inputs.iter().enumerate() {
        let next = size(input);
        if index > start && (index - start >= GROUP_FILES || bytes + next > GROUP_BYTES) {
            groups.push(&inputs[start..index]);
            (start, bytes) = (index, 0);
        }
        bytes += next;
    }
    if start < inputs.len() {
        groups.push(&inputs[start..]);
    }
    groups
}

/// Threads that judge files; none where one file or one thread is asked for, or the system grants no more threads.
struct Workers {
    #[cfg(feature = "threads")]
    pool: Option<rayon::ThreadPool>,
}

impl Workers {
    /// `threads` 0 takes one per core.
    fn new(threads: usize, files: usize) -> Self {
        #[cfg(feature = "threads")]
        {
            let several = threads != 1 && files > 1;
            let pool = || rayon::ThreadPoolBuilder::new().num_threads(threads).build().ok();
            Workers { pool: if several { pool() } else { None } }
        }
        #[cfg(not(feature = "threads"))]
        {
            let _ = (threads, files);
            Workers {}
        }
    }

    /// Maps in parallel, keeping the order.
    fn map<'i, T: Send>(&self, inputs: &'i [Input], map: impl Fn(&'i Input) -> T + Send + Sync) -> Vec<T> {
        #[cfg(feature = "threads")]
        if let Some(pool) = &self.pool {
            use rayon::prelude::*;
            return pool.install(|| inputs.par_iter().map(map).collect());
        }
        inputs.iter().map(map).collect()
    }
}

/// A file that was read and judged.
type Judged = Result<(Arc<Source>, Outcome), Unreadable>;

fn judge(plan: &Plan, input: &Input, now: i64) -> Judged {
    let source = Arc::new(walk::read(input)?);
    let outcome = check(plan, &source, now);
    Ok((source, outcome))
}

struct Job<'j> {
    args: &'j CheckArgs,
    plan: &'j Plan,
    /// Without those whose reader went away.
    reporters: Vec<Box<dyn Reporter + 'j>>,
    tally: Tally,
}

/// What the closing lines and the exit code need.
#[derive(Default)]
struct Tally {
    errors: Vec<FileError>,
    skipped: u64,
    documents: u64,
    /// What the targets left behind for rules that span documents, and what those found.
    facts: Vec<Fact>,
    fleet: Vec<Finding>,
    profiles: BTreeSet<ProfileRef>,
    summary: Summary,
    /// A named input, the policy or a rule is broken: exit 2.
    broken: bool,
    /// A finding reached `--fail-on`: exit 1.
    failing: bool,
}

impl Job<'_> {
    /// Takes one file's outcome: counts it and hands it to the reporters.
    fn report(&mut self, input: &Input, judged: Judged) -> Result<(), Failure> {
        let (source, mut outcome) = match judged {
            Ok(judged) => judged,
            Err(unreadable) => return self.refuse(input, unreadable),
        };
        if !outcome.recognised && !self.keep_unrecognised(input, &source, &mut outcome) {
            self.tally.skipped += 1;
            return Ok(());
        }
        let tally = &mut self.tally;
        tally.broken |= !outcome.errors.is_empty() || !outcome.defects.is_empty();
        tally.documents += outcome.documents.len() as u64;
        tally.facts.append(&mut outcome.facts);
        tally.profiles.append(&mut outcome.profiles);
        tally.summary.judged += outcome.judged;
        tally.summary.not_judged += outcome.not_judged_targets;
        for defect in &outcome.defects {
            let message = format!("a rule is defective: {defect}");
            let known = tally.errors.iter().any(|error| error.message == message);
            if !known {
                tally.errors.push(FileError { path: String::new(), message, region: None });
            }
        }
        for finding in &outcome.findings {
            tally.count(finding, self.args);
        }
        let secrets = std::mem::take(&mut outcome.secrets);
        let checked = Checked {
            view: Some(View::new(&source, &secrets)),
            documents: outcome.documents,
            targets: outcome.targets,
            findings: outcome.findings,
            not_judged: outcome.not_judged,
            errors: outcome.errors,
        };
        self.emit(&checked)
    }

    /// A file that nothing recognised: skipped when met while walking or when the user says so, unless it is broken
    /// and plainly one of ours; an error otherwise.
    fn keep_unrecognised(&self, input: &Input, source: &Source, outcome: &mut Outcome) -> bool {
        let broken = !outcome.errors.is_empty();
        let named = input.named && self.args.unrecognised == Unrecognised::Error;
        if named && !broken {
            let message = "not recognised: nothing in it looks like a client, token, key set, issuer metadata or \
                           configuration that tokenvet knows (see `tokenvet rules kinds`); leave it out or pass \
                           --unrecognised skip";
            outcome.errors.push(FileError { path: input.name.clone(), message: message.into(), region: None });
        }
        named || (broken && discover::is_telltale(source.text()))
    }

    /// A file that could not be read. Binary files met while walking are none of ours.
    fn refuse(&mut self, input: &Input, unreadable: Unreadable) -> Result<(), Failure> {
        if !input.named && unreadable.content {
            self.tally.skipped += 1;
            return Ok(());
        }
        self.tally.broken = true;
        let errors = vec![error_of(unreadable)];
        self.emit(&Checked { errors, ..Checked::default() })
    }

    fn emit(&mut self, checked: &Checked<'_>) -> Result<(), Failure> {
        self.each_reporter(|reporter| reporter.file(checked))
    }

    /// A reader that went away ends its own report; the others are still written whole.
    fn each_reporter(&mut self, mut write: impl FnMut(&mut dyn Reporter) -> io::Result<()>) -> Result<(), Failure> {
        let mut failure = None;
        self.reporters.retain_mut(|reporter| match write(&mut **reporter) {
            Ok(()) => true,
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => false,
            Err(error) => {
                failure.get_or_insert(error);
                false
            }
        });
        failure.map_or(Ok(()), |error| Err(error.into()))
    }

    /// Judges what spans documents, once all are known.
    fn fleet(&mut self, now: i64) -> Result<(), Failure> {
        let outcome = check_fleet(self.plan, std::mem::take(&mut self.tally.facts), now);
        for finding in &outcome.findings {
            self.tally.count(finding, self.args);
        }
        self.tally.fleet = outcome.findings;
        match outcome.not_judged.is_empty() {
            true => Ok(()),
            false => self.emit(&Checked { not_judged: outcome.not_judged, ..Checked::default() }),
        }
    }

    fn finish(mut self, now: &str) -> Result<Exit, Failure> {
        let exit = self.tally.exit(self.args);
        let tally = std::mem::take(&mut self.tally);
        let run = Run {
            now: now.to_string(),
            policy_digest: None,
            profiles: profiles(self.plan, tally.profiles),
            findings: tally.fleet,
            errors: tally.errors,
            skipped: tally.skipped,
            summary: tally.summary,
        };
        self.each_reporter(|reporter| reporter.finish(&run))?;
        Ok(exit)
    }
}

impl Tally {
    fn count(&mut self, finding: &Finding, args: &CheckArgs) {
        use crate::rule::Severity;
        if finding.suppressed.is_some() {
            self.summary.suppressed += 1;
            return;
        }
        match finding.severity {
            Severity::Error => self.summary.error += 1,
            Severity::Warning => self.summary.warning += 1,
            Severity::Note => self.summary.note += 1,
        }
        self.failing |= args.fail_on.includes(finding.severity);
    }

    fn exit(&self, args: &CheckArgs) -> Exit {
        let unknown = args.fail_on_unknown && self.summary.not_judged > 0;
        match self {
            Tally { broken: true, .. } => Exit::Usage,
            Tally { failing: true, .. } => Exit::Findings,
            _ if unknown => Exit::Findings,
            Tally { documents: 0, .. } => Exit::Nothing,
            _ => Exit::Clean,
        }
    }
}

/// The profiles of the run: chosen, shown by targets, or applied to all.
fn profiles(plan: &Plan, shown: BTreeSet<ProfileRef>) -> Vec<ProfileRef> {
    use crate::profile::ProfileClass;
    let all = plan.book.profiles.iter().enumerate();
    let fixed = all.filter_map(|(index, profile)| {
        let why = match (&plan.selection, profile.raw.class) {
            (_, ProfileClass::General) => "always applied",
            (Selection::Chosen(chosen), _) if chosen.contains(&index) => "--profile",
            (Selection::Auto, ProfileClass::Generic) => "no --profile: generic rules apply to every target",
            (Selection::Chosen(_), _) | (Selection::Auto, ProfileClass::Family) => return None,
        };
        Some(ProfileRef { id: profile.id.clone(), why: why.to_string() })
    });
    let mut list: Vec<ProfileRef> = fixed.chain(shown).collect();
    list.sort();
    list
}

/// True when standard output is a terminal.
pub(super) fn stdout_is_terminal() -> bool {
    io::stdout().is_terminal()
}
