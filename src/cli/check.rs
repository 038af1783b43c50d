//! `tokenvet check`: the main job.

use super::args::{CheckArgs, Color, Unrecognised};
use super::changed::Changed;
use super::exit::{Exit, Failure};
use super::output::{self, ReportFile};
use super::policy::Governance;
use super::progress::Progress;
use super::rules;
use super::workers::Workers;
use crate::check::{ASK_THE_VO, Outcome, WHOLE, check, check_fleet, check_in_parts, check_list, secrets, sort};
use crate::discover::include::Follow;
use crate::discover::walk::{self, Found, Input, Taken, Unreadable};
use crate::discover::{self};
use crate::evaluate::{Fact, Facts, Plan, Selection};
use crate::policy::FailOn;
use crate::report::{
    self, Checked, DocumentRef, FileError, Finding, Format, Lines, Options, ProfileRef, Reporter, Run, Summary, View,
};
use crate::scan::judge;
use crate::shard::check::{File, Part, Work};
use crate::shard::scan::Gap;
use crate::source::Source;
use crate::suppress::{baseline, inline::Allow, waiver::Held};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Files that one thread judges and that are then reported, while others are judged: what some such groups need bounds what
/// is held in memory at a time.
const GROUP_FILES: usize = 32;
/// Bytes of input in such a group, unless a single file is larger.
const GROUP_BYTES: u64 = 1 << 20;
/// A run of so few files, in such a group of them, keeps them: what is found at its end is shown in their text.
const KEPT_FILES: usize = 128;
/// Bytes of input in a run that keeps its files.
const KEPT_BYTES: u64 = 16 << 20;

/// Longer files stand alone, in bytes.
const LARGE: u64 = WHOLE as u64;

/// Runs the command.
pub(super) fn run(args: &CheckArgs) -> Result<Exit, Failure> {
    with_job(args, Of::Configuration, |job, inputs| job.check(inputs))
}

/// What of a folder a command reads.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Of {
    /// What may be configuration by its name.
    Configuration,
    /// Texts of any kind.
    Text,
}

/// What commands that judge the files they are given have in common: what governs the run, the reports, and the end.
/// `judge` takes the files.
pub(super) fn with_job(
    args: &CheckArgs,
    of: Of,
    judge: impl FnOnce(&mut Job<'_>, Vec<Input>) -> Result<(), Failure>,
) -> Result<Exit, Failure> {
    with_listed(args, |governance| Listed::walk(args, of, governance), judge)
}

/// The inputs of a run, and what is known of it before any of them is read.
pub(super) struct Listed {
    /// In the order of reports.
    pub(super) inputs: Vec<Input>,
    /// Files met while walking that are left alone.
    pub(super) skipped: u64,
    /// What could not be found or followed.
    pub(super) lost: Vec<FileError>,
    /// The change whose lines count, when only they do.
    changed: Option<Changed>,
}

impl Listed {
    /// What the paths of the command line hold.
    pub(super) fn walk(args: &CheckArgs, of: Of, governance: &Governance) -> Result<Self, Failure> {
        let mut found = walk::walk(&args.paths, &|path, _| governance.ignores(path));
        if of == Of::Configuration {
            found = found.configuration();
        }
        let lost = follow(args, governance, &mut found)?;
        let changed = Changed::load(&args.paths, &args.change, governance, &mut found)?;
        let lost = found.unreadable.into_iter().map(error_of).chain(lost).collect();
        Ok(Listed { inputs: found.inputs, skipped: found.skipped, lost, changed })
    }

    /// What other processes read.
    pub(super) fn elsewhere(inputs: Vec<Input>, skipped: u64, lost: Vec<FileError>) -> Self {
        Listed { inputs, skipped, lost, changed: None }
    }
}

/// The same, with inputs that `list` knows.
pub(super) fn with_listed(
    args: &CheckArgs,
    list: impl FnOnce(&Governance) -> Result<Listed, Failure>,
    judge: impl FnOnce(&mut Job<'_>, Vec<Input>) -> Result<(), Failure>,
) -> Result<Exit, Failure> {
    let now = super::clock(args.now.as_deref())?;
    let mut governance = Governance::load(args)?;
    let book = Arc::clone(&governance.book);
    let lookup = rules::Lookup(&book);
    let files = args.output.iter().map(|text| destination(text)).collect::<Result<Vec<_>, Failure>>()?;
    let baseline = args.write_baseline.as_deref().map(ReportFile::create).transpose()?;
    let written: Vec<&ReportFile> = files.iter().map(|(_, file)| file).chain(&baseline).collect();
    output::distinct(&written)?;
    let reporters = reporters(args, &files, &lookup)?;

    let Listed { inputs, skipped, lost, changed } = list(&governance)?;
    spare(&written, &inputs, args, &governance)?;
    if args.format.contains(&Format::Html) || files.iter().any(|(format, _)| *format == Format::Html) {
        governance.take_inventory();
    }
    let mut job = Job::new(args, now, governance, reporters)?;
    job.changed = changed;
    job.tally.skipped = skipped;
    job.lose(lost);
    judge(&mut job, inputs)?;
    job.settle()?;
    if let Some(baseline) = baseline {
        job.write_baseline(baseline)?;
    }
    let exit = job.finish()?;
    for file in files {
        file.1.publish()?;
    }
    Ok(exit)
}

/// Refuses reports that would take the place of what the run reads. A report of an earlier run that lies among the files is
/// replaced: nothing recognises it.
fn spare(written: &[&ReportFile], inputs: &[Input], args: &CheckArgs, governance: &Governance) -> Result<(), Failure> {
    for file in written {
        let Some((path, id)) = file.replaces() else { continue };
        let refused = |what: &str| {
            let path = walk::name_of(path);
            Err(Failure::Usage(format!("cannot write {path}: {what}; name another file")))
        };
        let is_baseline = args.write_baseline.as_deref() == Some(path);
        if !is_baseline && governance.files.iter().any(|path| output::id_of(path) == Some(id)) {
            return refused("it governs this run");
        }
        let Some(input) = inputs.iter().find(|input| !input.is_stdin() && output::id_of(input.path()) == Some(id))
        else {
            continue;
        };
        let named = input.is_named() && matches!(args.unrecognised, Unrecognised::Error);
        if named || walk::read(input).is_ok_and(|source| discover::recognise(&Arc::new(source)).is_known()) {
            return refused("it is one of the files to check");
        }
    }
    Ok(())
}

/// Adds the files that configurations name, when the user asks for it; what could not be followed.
fn follow(args: &CheckArgs, governance: &Governance, found: &mut Found) -> Result<Vec<FileError>, Failure> {
    if !args.follow_includes {
        return Ok(vec![]);
    }
    if let Some(root) = args.root.as_deref().filter(|root| !root.is_dir()) {
        return Err(Failure::Usage(format!("--root {}: there is no such folder", walk::name_of(root))));
    }
    let ignored = |path: &Path| governance.ignores(path);
    Ok(Follow { root: args.root.as_deref(), trees: &args.paths, ignored: &ignored }.run(found))
}

/// A file to judge and what it is judged by.
struct Task<'i> {
    input: &'i Input,
    /// Its path relative to the policy's folder.
    relative: String,
    plan: Arc<Plan>,
    /// Whether every user of the machine can reach its folder, see [`walk::folder_opens_to_all`].
    reachable: Option<bool>,
    /// What is judged in place of the file's text.
    replaced: Option<Arc<str>>,
    /// Some report quotes lines of it.
    quoted: bool,
}

impl<'i> Task<'i> {
    /// `folders` keeps what is known of the folders so far.
    fn new(input: &'i Input, governance: &Governance, folders: &mut HashMap<PathBuf, Option<bool>>) -> Self {
        let relative = governance.relative(input.path());
        let plan = governance.plan_for(&relative);
        let folder = input.path().parent().unwrap_or(Path::new(""));
        let reachable = folders.get(folder).copied().unwrap_or_else(|| {
            let reachable = walk::folder_opens_to_all(folder);
            folders.insert(folder.to_path_buf(), reachable);
            reachable
        });
        Task { input, relative, plan, reachable, replaced: None, quoted: true }
    }

    /// Tells a source where it lies.
    fn place(&self, source: Source) -> Source {
        let source = source.anchored(self.relative.as_str());
        let open = source.open_to_all().and_then(|open| Some(open && self.reachable?));
        let source = source.opened_to_all(open);
        if self.quoted { source } else { source.unquoted() }
    }
}

pub(super) fn error_of(unreadable: Unreadable) -> FileError {
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
    let options = Options { at_once: args.at_once, ..super::look(args.color, args.all) };
    let mut reporters = vec![report::reporter(format, io::stdout(), options, lookup)];
    for (format, file) in files {
        let plain = Options { color: args.color == Color::Always, ..options };
        reporters.push(report::reporter(*format, file.writer()?, plain, lookup));
    }
    Ok(reporters)
}

/// Are these so few that what is in memory at one time may stay there until the end of the run?
fn are_kept(inputs: &[Input]) -> bool {
    let mut bytes = 0;
    let mut fits = |input: &Input| {
        let length = walk::length_of(input);
        bytes += length;
        length <= LARGE && bytes <= KEPT_BYTES
    };
    inputs.len() == 1 || inputs.len() <= KEPT_FILES && inputs.iter().all(&mut fits)
}

/// Cuts inputs into runs that are judged together. How large a file is is asked when its run comes, which is while others are
/// judged.
struct Groups<'i>(&'i [Input]);

/// A run of inputs.
struct Group<'i> {
    inputs: &'i [Input],
    /// It is one, which is large or may be: its parts go out as they are judged.
    flows: bool,
}

impl<'i> Iterator for Groups<'i> {
    type Item = Group<'i>;

    fn next(&mut self) -> Option<Group<'i>> {
        let (first, others) = self.0.split_first()?;
        // Nobody knows how long standard input is.
        let flows = |input: &Input, length| length > LARGE || input.is_stdin();
        let mut bytes = walk::length_of(first);
        let alone = flows(first, bytes);
        let fits = |input: &&Input| {
            let next = walk::length_of(input);
            bytes += next;
            !flows(input, next) && bytes <= GROUP_BYTES
        };
        let few = &others[..others.len().min(GROUP_FILES - 1)];
        let others = if alone { 0 } else { few.iter().take_while(fits).count() };
        let (inputs, rest) = self.0.split_at(1 + others);
        self.0 = rest;
        Some(Group { inputs, flows: alone })
    }
}

/// Why a file that stands alone was not judged.
enum Stop {
    /// It cannot be read.
    Unreadable(Unreadable),
    /// The run cannot go on.
    Failure(Failure),
}

impl From<Unreadable> for Stop {
    fn from(unreadable: Unreadable) -> Self {
        Stop::Unreadable(unreadable)
    }
}

/// Takes what was found in a file, or in a part of it.
type Take<'j, 't> = dyn FnMut(&mut Job<'j>, &Task<'_>, Judged) -> Result<(), Failure> + 't;

/// A file that was read and judged.
type Judged = Result<(Arc<Source>, Outcome), Unreadable>;

fn read(task: &Task<'_>) -> Result<Arc<Source>, Unreadable> {
    let mut source = walk::read(task.input)?;
    if let Some(text) = &task.replaced {
        source = Source::from_text(task.input.name(), &**text).opened_to_all(source.open_to_all());
    }
    Ok(Arc::new(task.place(source)))
}

fn judge(task: &Task<'_>, now: i64) -> Judged {
    let source = read(task)?;
    let outcome = check(&task.plan, &source, now);
    Ok((source, outcome))
}

/// A run at work.
pub(super) struct Job<'j> {
    args: &'j CheckArgs,
    /// The clock, in seconds since 1970.
    pub(super) now: i64,
    /// The same as reports write it.
    pub(super) clock: String,
    /// What governs the run.
    pub(super) governance: Governance,
    /// Without those whose reader went away.
    reporters: Vec<Box<dyn Reporter + 'j>>,
    /// What a baseline written by this run holds.
    accepted: Vec<baseline::Entry>,
    /// The change whose lines count, when only they do.
    pub(super) changed: Option<Changed>,
    /// Some report quotes lines of files.
    quotes: bool,
    /// The run has so few files that they are kept, to show what findings at its end point at.
    keeps: bool,
    /// Those files, with what they were judged by.
    kept: BTreeMap<String, (Arc<Source>, Arc<Plan>)>,
    /// What there is to show of files that other processes judged.
    excerpts: BTreeMap<String, Lines>,
    /// What is judged in place of files' texts, by their names in reports.
    pub(super) replaced: BTreeMap<String, Arc<str>>,
    tally: Tally,
}

/// What the closing lines and the exit code need.
#[derive(Default)]
struct Tally {
    errors: Vec<FileError>,
    /// See [`Run::notes`].
    notes: Vec<String>,
    skipped: u64,
    documents: u64,
    /// What the targets left behind for rules that span documents, and what those found.
    facts: Facts,
    /// The service that each file of one belongs to.
    services: BTreeMap<String, usize>,
    fleet: Vec<Finding>,
    /// What comments say about findings of rules that span documents, by file.
    allowed: Vec<(String, Allow)>,
    /// Findings that a waiver may cover whose mitigations the end of the run decides.
    held: Vec<Held>,
    profiles: BTreeSet<ProfileRef>,
    /// Targets by the policy's workflow.
    workflows: BTreeMap<usize, u64>,
    summary: Summary,
    /// An input, the policy or a rule is broken: exit 2.
    broken: bool,
    /// A finding reached `--fail-on`: exit 1.
    failing: bool,
}

impl<'j> Job<'j> {
    /// A run that has judged nothing yet.
    pub(super) fn new(
        args: &'j CheckArgs,
        now: jiff::Timestamp,
        governance: Governance,
        reporters: Vec<Box<dyn Reporter + 'j>>,
    ) -> Result<Self, Failure> {
        let (clock, now) = (now.to_string(), now.as_second());
        let (accepted, kept, tally) = (vec![], BTreeMap::new(), Tally::default());
        let (changed, replaced, excerpts) = (None, BTreeMap::new(), BTreeMap::new());
        let (quotes, keeps) = (true, false);
        let mut job = Job {
            args,
            now,
            clock,
            governance,
            reporters,
            accepted,
            changed,
            quotes,
            keeps,
            kept,
            excerpts,
            replaced,
            tally,
        };
        job.tally.notes.append(&mut job.governance.notes);
        #[cfg(feature = "verify")]
        job.tally.facts.take(&job.governance.plan, super::trust::keys(&job.governance.book, &args.keys, now)?);
        Ok(job)
    }

    /// Takes what could not be found or followed.
    pub(super) fn lose(&mut self, errors: impl IntoIterator<Item = FileError>) {
        self.tally.errors.extend(errors);
        self.tally.broken |= !self.tally.errors.is_empty();
    }

    /// Judges files and hands them to the reporters.
    pub(super) fn check(&mut self, inputs: Vec<Input>) -> Result<(), Failure> {
        inputs.iter().for_each(|input| self.tally.facts.expect(input.name()));
        self.quotes = self.reporters.iter().any(|reporter| reporter.quotes());
        self.each(&inputs, &mut |job, task, judged| job.report(task, judged))
    }

    /// Judges files and hands over what is found in each, in order; in several parts when a file is large.
    fn each(&mut self, inputs: &[Input], take: &mut Take<'j, '_>) -> Result<(), Failure> {
        let workers = Workers::new(self.args.threads, inputs.len());
        let progress = Progress::new(inputs.len(), || inputs.iter().map(walk::length_of).sum());
        let mut folders = HashMap::new();
        self.keeps = self.quotes && are_kept(inputs);
        let now = self.now;
        let mut groups = Groups(inputs);
        let done = workers.in_order(
            self,
            |job| groups.next().map(|group| (job.tasks(group.inputs, &mut folders), group.flows)),
            |(tasks, flows)| match flows {
                true => vec![],
                false => tasks.iter().map(|task| judge(task, now)).collect(),
            },
            |job, (tasks, flows), judged| {
                match tasks.as_slice() {
                    [task] if flows => job.alone(task, &progress, take)?,
                    tasks => job.take_all(tasks, judged, &progress, take)?,
                }
                job.done(&tasks, &progress);
                Ok(())
            },
        );
        progress.end();
        done
    }

    fn tasks<'i>(&self, group: &'i [Input], folders: &mut HashMap<PathBuf, Option<bool>>) -> Vec<Task<'i>> {
        let replaced = |input: &Input| self.replaced.get(input.name()).cloned();
        let quoted = self.quotes;
        let task = |input| Task { replaced: replaced(input), quoted, ..Task::new(input, &self.governance, folders) };
        group.iter().map(task).collect()
    }

    /// Hands over what was found in the files of a group.
    fn take_all(
        &mut self,
        tasks: &[Task<'_>],
        judged: Vec<Judged>,
        progress: &Progress,
        take: &mut Take<'j, '_>,
    ) -> Result<(), Failure> {
        progress.pause(|| tasks.iter().zip(judged).try_for_each(|(task, result)| take(self, task, result)))
    }

    fn done(&mut self, tasks: &[Task<'_>], progress: &Progress) {
        progress.read(|| tasks.iter().map(|task| walk::length_of(task.input)).sum());
        tasks.iter().for_each(|task| self.tally.facts.done(task.input.name()));
        progress.advance(tasks.len());
    }

    /// Judges what spans files, once all of them are known.
    pub(super) fn settle(&mut self) -> Result<(), Failure> {
        self.fleet()?;
        self.decide();
        Ok(())
    }

    /// Judges and reports a file that stands alone, perhaps because it is large: part by part.
    fn alone(&mut self, task: &Task<'_>, progress: &Progress, take: &mut Take<'j, '_>) -> Result<(), Failure> {
        let source = match self.flow(task, progress, take) {
            Ok(Some(source)) => source,
            Ok(None) => return Ok(()),
            Err(Stop::Failure(failure)) => return Err(failure),
            Err(Stop::Unreadable(unreadable)) => return progress.pause(|| take(self, task, Err(unreadable))),
        };
        let mut result = Ok(());
        check_in_parts(&task.plan, &source, self.now, &mut |source, part| {
            if result.is_ok() {
                result = progress.pause(|| take(self, task, Ok((Arc::clone(source), part))));
            }
            progress.advance(0);
        });
        result
    }

    /// Judges and reports a large list while it is read; anything else is read and given back.
    fn flow(
        &mut self,
        task: &Task<'_>,
        progress: &Progress,
        take: &mut Take<'j, '_>,
    ) -> Result<Option<Arc<Source>>, Stop> {
        if task.replaced.is_some() {
            return Ok(Some(read(task)?));
        }
        let (frame, input) = match walk::take(task.input, WHOLE as u64)? {
            Taken::Read(source) => return Ok(Some(Arc::new(task.place(source)))),
            Taken::Large(frame, input) => (task.place(frame), input),
        };
        // Of a list that flows only parts are ever in memory.
        let keeps = std::mem::take(&mut self.keeps);
        let mut result = Ok(());
        let rest = check_list(&task.plan, &frame, input, self.now, &mut |window, part| {
            if result.is_ok() {
                result = progress.pause(|| take(self, task, Ok((Arc::clone(window), part))));
            }
            progress.advance(0);
        });
        self.keeps = keeps;
        result.map_err(Stop::Failure)?;
        let source = walk::read_rest(task.input, &frame, rest)?;
        Ok(source.map(|source| Arc::new(task.place(source))))
    }

    /// Takes one file's outcome: counts it and hands it to the reporters.
    fn report(&mut self, task: &Task<'_>, judged: Judged) -> Result<(), Failure> {
        let input = task.input;
        let (source, mut outcome) = match judged {
            Ok(judged) => judged,
            Err(unreadable) => return self.refuse(input, unreadable),
        };
        let counts = outcome.recognised || self.keep_unrecognised(input, &source, &mut outcome);
        if counts && self.may_show(&source, &outcome) {
            let kept = (Arc::clone(&source), Arc::clone(&task.plan));
            self.kept.insert(source.name().to_string(), kept);
        }
        let secrets = std::mem::take(&mut outcome.secrets);
        self.conclude(input, &task.relative, outcome, counts, View::new(&source, &secrets))
    }

    /// May reports show the file beside findings of the whole run?
    fn may_show(&self, source: &Source, outcome: &Outcome) -> bool {
        self.keeps && outcome.errors.is_empty() && source.text().len() as u64 <= KEPT_BYTES
    }

    /// Takes what was found in a file: decides what is suppressed, counts it and hands it to the reporters. It does not count
    /// when nothing recognised it and that is no error.
    fn conclude(
        &mut self,
        input: &Input,
        relative: &str,
        mut outcome: Outcome,
        counts: bool,
        view: View<'_>,
    ) -> Result<(), Failure> {
        self.tally.facts.take(&self.governance.plan, std::mem::take(&mut outcome.facts));
        if outcome.issuerless {
            self.tally.facts.done_but_for_clients(input.name());
        }
        if !counts {
            self.tally.skipped += 1;
            return Ok(());
        }
        let complete = !outcome.more && !outcome.gapped && outcome.errors.is_empty();
        if let Some(changed) = &self.changed {
            changed.void(&mut outcome.findings);
        }
        let waivers = &self.governance.waivers;
        let held = outcome.findings.extract_if(.., |finding| waivers.holds_back(relative, finding));
        self.tally.held.extend(held.map(|finding| (relative.to_string(), finding)));
        self.suppress(relative, &mut outcome.findings, complete);
        if let Some(changed) = &mut self.changed {
            outcome.findings.retain(|finding| changed.keeps(finding));
        }
        let tally = &mut self.tally;
        let allowed = std::mem::take(&mut outcome.allowed).into_iter();
        tally.allowed.extend(allowed.map(|allow| (view.name().to_string(), allow)));
        tally.broken |= !outcome.errors.is_empty() || !outcome.defects.is_empty();
        tally.documents += outcome.documents.len() as u64;
        tally.profiles.append(&mut outcome.profiles);
        for (index, number) in &outcome.workflows {
            *tally.workflows.entry(*index).or_default() += number;
        }
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
            tally.count(finding, self.governance.fail_on);
        }
        let checked = Checked {
            view: Some(view),
            documents: outcome.documents,
            targets: outcome.targets,
            findings: outcome.findings,
            not_judged: outcome.not_judged,
            errors: outcome.errors,
            more: outcome.more,
            partial: outcome.partial,
            inventory: outcome.inventory,
            service: self.governance.service_of(&self.governance.plan_for(relative)),
        };
        self.emit(&checked)
    }

    /// Judges a share of some files, and keeps what is found.
    pub(super) fn share(&mut self, inputs: &[Input], is_own: &dyn Fn(&Input) -> bool) -> Result<Work, Failure> {
        let given = std::mem::take(&mut self.tally.facts).finish();
        // As in a run that judges them all.
        let shows = are_kept(inputs);
        let own: Vec<Input> = inputs.iter().filter(|input| is_own(input)).cloned().collect();
        let mut found: Vec<Shared> = Vec::new();
        self.each(&own, &mut |job, task, judged| {
            if found.last().is_none_or(|last| last.input != *task.input) {
                found.push(Shared { input: task.input.clone(), file: File::default(), facts: vec![] });
            }
            let Some(Shared { file, facts, .. }) = found.last_mut() else { return Ok(()) };
            match judged {
                Err(Unreadable { name, message, content }) => {
                    file.refused = Some(Gap { name, message, foreign: content });
                }
                Ok((source, mut outcome)) => {
                    let counts = outcome.recognised || job.keep_unrecognised(task.input, &source, &mut outcome);
                    let shown = counts && shows && job.may_show(&source, &outcome);
                    let hidden = shown.then(|| secrets(&task.plan, &source));
                    facts.push(outcome.facts.clone());
                    file.parts.push(Part::of(&source, outcome, counts, hidden.as_deref()));
                }
            }
            Ok(())
        })?;
        #[cfg(feature = "verify")]
        self.verify(inputs, &given, &mut found)?;
        let mut numbers = inputs.iter().zip(0..);
        let file = |Shared { input, mut file, facts }: Shared| {
            let number = numbers.find(|(known, _)| **known == input).map_or(0, |(_, number)| number);
            file.parts.iter_mut().zip(&facts).for_each(|(part, facts)| part.settle(facts));
            File { index: number, name: input.name().to_string(), named: input.is_named(), ..file }
        };
        Ok(Work::new(found.into_iter().map(file).collect(), given))
    }

    /// Verifies the tokens of a share with the keys of the whole run, so that none has to leave it.
    #[cfg(feature = "verify")]
    fn verify(&mut self, inputs: &[Input], given: &[Fact], found: &mut [Shared]) -> Result<(), Failure> {
        use crate::verify::Proof;
        let is_token = |fact: &Fact| matches!(fact.proof, Some(Proof::Token(_)));
        if !found.iter().any(|shared| shared.facts.iter().flatten().any(is_token)) {
            return Ok(());
        }
        let mut own = found.iter().map(|shared| &shared.input).peekable();
        let others: Vec<Input> = inputs.iter().filter(|input| own.next_if_eq(input).is_none()).cloned().collect();
        let mut elsewhere: Vec<(Input, Vec<Fact>)> = Vec::new();
        self.each(&others, &mut |_, task, judged| {
            let facts = judged.map_or_else(|_| vec![], |(_, outcome)| outcome.facts);
            let facts = facts.into_iter().filter(|fact| !is_token(fact));
            match elsewhere.last_mut() {
                Some((input, known)) if input == task.input => known.extend(facts),
                _ => elsewhere.push((task.input.clone(), facts.collect())),
            }
            Ok(())
        })?;
        let mut facts = given.to_vec();
        let (mut own, mut elsewhere) = (found.iter_mut().peekable(), elsewhere.into_iter().peekable());
        let mut places = Vec::new();
        for input in inputs {
            if let Some(shared) = own.next_if(|shared| shared.input == *input) {
                for fact in shared.facts.iter_mut().flatten() {
                    facts.push(fact.clone());
                    places.push((facts.len() - 1, &mut fact.proof));
                }
            } else if let Some((_, known)) = elsewhere.next_if(|(known, _)| known == input) {
                facts.extend(known);
            }
        }
        crate::shard::check::verify(&mut facts);
        places.into_iter().for_each(|(at, proof)| *proof = facts[at].proof.take());
        Ok(())
    }

    /// Takes what the shards of a run found in all files, in order, and the keys that they were given.
    pub(super) fn take_files(&mut self, files: Vec<File>, given: Vec<Fact>) -> Result<(), Failure> {
        self.tally.facts.take(&self.governance.plan, given);
        files.iter().for_each(|file| self.tally.facts.expect(&file.name));
        for file in files {
            let File { name, named, refused, parts, .. } = file;
            let input = Input::told(name, named);
            let relative = self.governance.relative(input.path());
            // The run's list of profiles tells those of every plan that was needed.
            let _ = self.governance.plan_for(&relative);
            if let Some(Gap { name, message, foreign }) = refused {
                self.refuse(&input, Unreadable { name, message, content: foreign })?;
            }
            for part in parts {
                let (outcome, counts, lines, kept) =
                    part.open(&self.governance.book).map_err(|trouble| Failure::Usage(trouble.to_string()))?;
                self.conclude(&input, &relative, outcome, counts, View::of_lines(&lines))?;
                if let Some(kept) = kept {
                    self.excerpts.entry(input.name().to_string()).or_default().merge(kept);
                }
            }
            self.tally.facts.done(input.name());
        }
        Ok(())
    }

    /// A file that nothing recognised: skipped when met while walking or when the user says so, unless it is broken
    /// and plainly one of ours; an error otherwise.
    fn keep_unrecognised(&self, input: &Input, source: &Source, outcome: &mut Outcome) -> bool {
        let broken = !outcome.errors.is_empty();
        let named = input.is_named() && self.args.unrecognised == Unrecognised::Error;
        if named && !broken {
            let message = "not recognised: nothing in it looks like a client, token, key set, issuer metadata or \
                           configuration that tokenvet knows (see `tokenvet rules kinds`); leave it out or pass \
                           --unrecognised skip";
            outcome.errors.push(FileError { path: input.name().to_string(), message: message.into(), region: None });
        }
        named || (broken && discover::is_telltale(input.name(), source.text()))
    }

    /// Takes a finding that belongs to the end of the run.
    pub(super) fn at_the_end(&mut self, relative: &str, mut finding: Finding) {
        if let Some(changed) = &self.changed {
            changed.void(std::slice::from_mut(&mut finding));
        }
        self.suppress(relative, std::slice::from_mut(&mut finding), false);
        if self.changed.as_mut().is_some_and(|changed| !changed.keeps(&finding)) {
            return;
        }
        self.tally.count(&finding, self.governance.fail_on);
        self.tally.fleet.push(finding);
    }

    /// Takes the findings about one thing, which are reported before anything else is read.
    pub(super) fn at_once(&mut self, relative: &str, findings: Vec<Finding>) -> Result<(), Failure> {
        self.about_one(relative, findings, false)
    }

    /// Does anybody still read a report?
    pub(super) fn is_heard(&self) -> bool {
        !self.reporters.is_empty()
    }

    /// Says what was left out: because somebody asked for that, or because it is of another kind.
    pub(super) fn note_left_out(&mut self, message: String) {
        self.tally.notes.push(message);
    }

    /// Says what the report as a whole must not keep to itself; the exit code stays as it is.
    pub(super) fn note(&mut self, message: String) {
        self.tally.errors.push(FileError { path: String::new(), message, region: None });
    }

    /// Takes the findings about one thing out of many, which is reported at once: there may be more than fit in memory.
    pub(super) fn one_of_many(&mut self, relative: &str, findings: Vec<Finding>) -> Result<(), Failure> {
        self.about_one(relative, findings, true)
    }

    fn about_one(&mut self, relative: &str, mut findings: Vec<Finding>, more: bool) -> Result<(), Failure> {
        self.suppress(relative, &mut findings, false);
        findings.iter().for_each(|finding| self.tally.count(finding, self.governance.fail_on));
        self.emit(&Checked { findings, more, ..Checked::default() })
    }

    /// Says that there are no more of those.
    pub(super) fn end_of_many(&mut self) -> Result<(), Failure> {
        self.emit(&Checked::default())
    }

    /// Did the user give keys to verify tokens with? Only as long as no file was judged.
    pub(super) fn has_keys(&self) -> bool {
        !self.tally.facts.is_empty()
    }

    /// Hands over the keys that the user gave; the run has none then.
    pub(super) fn take_keys(&mut self) -> Keys {
        Keys(std::mem::take(&mut self.tally.facts).finish())
    }

    /// Takes a document that was read, with the number of targets in it.
    pub(super) fn document(&mut self, path: &str, kind: &str, targets: u64) -> Result<(), Failure> {
        self.tally.documents += 1;
        self.tally.summary.judged += targets;
        let documents = vec![DocumentRef { path: path.to_string(), kind: kind.to_string(), targets }];
        self.emit(&Checked { documents, ..Checked::default() })
    }

    /// A file that could not be read. Binary files met while walking are none of ours.
    pub(super) fn refuse(&mut self, input: &Input, unreadable: Unreadable) -> Result<(), Failure> {
        if !input.is_named() && unreadable.content {
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
    fn fleet(&mut self) -> Result<(), Failure> {
        let mut outcome = check_fleet(&self.governance.plan, std::mem::take(&mut self.tally.facts).finish(), self.now);
        self.tally.services = std::mem::take(&mut outcome.services);
        for mut finding in std::mem::take(&mut outcome.findings) {
            let relative = self.governance.relative(Path::new(&finding.path));
            // An override says what holds for the file the finding points at.
            let plan = self.governance.plan_for(&relative);
            let Some(severity) = plan.severity(&finding.rule, &finding.profile) else { continue };
            finding.severity = severity;
            let line = self.tally.allowed.iter().filter(|(path, _)| *path == finding.path);
            let allows = line.map(|(_, allow)| allow).find(|allow| allow.covers(&finding));
            finding.suppressed = allows.and_then(|allow| allow.suppressed());
            self.at_the_end(&relative, finding);
        }
        match outcome.not_judged.is_empty() {
            true => Ok(()),
            false => self.emit(&Checked { not_judged: outcome.not_judged, ..Checked::default() }),
        }
    }

    /// Decides what waivers with mitigations cover, once every token they may cover is known. Like what spans documents,
    /// these findings close the report in every format.
    fn decide(&mut self) {
        let mut held = std::mem::take(&mut self.tally.held);
        let workflows = Arc::clone(&self.governance.plan.workflows);
        self.governance.waivers.decide(&mut held, &workflows, self.now);
        for (relative, mut finding) in held {
            if finding.suppressed.is_some()
                && let Some(message) = finding.message.strip_suffix(ASK_THE_VO)
            {
                finding.message.truncate(message.len());
            }
            self.at_the_end(&relative, finding);
        }
    }

    /// Waivers and baseline; comments were taken into account before. `complete` says that these are all findings of
    /// a file that was judged as a whole.
    fn suppress(&mut self, relative: &str, findings: &mut [Finding], complete: bool) {
        self.governance.waivers.apply(relative, findings, self.now);
        if self.args.write_baseline.is_some() {
            let live = findings.iter().filter(|finding| finding.suppressed.is_none());
            self.accepted.extend(live.map(|finding| baseline::Entry {
                path: relative.to_string(),
                rule: finding.rule.to_string(),
                fingerprint: finding.fingerprint.clone(),
            }));
        }
        if let Some(replaced) = &mut self.governance.replaced {
            replaced.judge(relative, complete);
        }
        if let Some(baseline) = &mut self.governance.baseline {
            baseline.apply(relative, findings, complete);
        }
    }

    /// Writes what was accepted, and what earlier baselines say of files and by rules that were not judged now.
    fn write_baseline(&mut self, file: ReportFile) -> Result<(), Failure> {
        if self.tally.broken {
            let message =
                "the baseline was not written: some input could not be judged, and its findings would be lost";
            self.tally.errors.push(FileError { path: String::new(), message: message.into(), region: None });
            return Ok(());
        }
        let governance = &self.governance;
        // A rule that no book has any more says nothing, ever.
        let runs =
            |path: &str, rule: &str| governance.book.rule(rule).is_none() || governance.plan_for(path).runs(rule);
        let known = [&governance.baseline, &governance.replaced].into_iter().flatten();
        let kept: Vec<_> = known.flat_map(|baseline| baseline.unjudged(&runs).cloned()).collect();
        let text = baseline::text(self.accepted.drain(..).chain(kept));
        file.writer()?.write_all(text.as_bytes())?;
        file.publish()
    }

    /// Findings about waivers and baseline, which only the end of the run can tell.
    fn about_suppressions(&self) -> Vec<Finding> {
        let governance = &self.governance;
        let whole = governance.is_whole(&self.args.paths);
        let mut findings = governance.waivers.finish(&governance.plan, whole, self.now);
        if self.args.write_baseline.is_none() {
            let stale = governance.baseline.iter().flat_map(|baseline| baseline.finish(&governance.plan, self.now));
            findings.extend(stale);
        }
        findings.extend(governance.about_workflows(&self.tally.workflows, whole, self.now));
        findings
    }

    /// Closes the reports.
    pub(super) fn finish(&mut self) -> Result<Exit, Failure> {
        let mut own = self.about_suppressions();
        if let Some(changed) = &mut self.changed {
            own.retain(|finding| changed.keeps(finding));
        }
        own.iter().for_each(|finding| self.tally.count(finding, self.governance.fail_on));
        let exit = self.tally.exit(self.args);
        let mut tally = std::mem::take(&mut self.tally);
        tally.fleet.extend(own);
        sort(&mut tally.fleet);
        let paths: BTreeSet<&str> = tally.fleet.iter().map(|finding| finding.path.as_str()).collect();
        let excerpts = paths.iter().filter_map(|path| self.excerpts.remove(*path)).collect();
        let kept = paths.into_iter().filter_map(|path| self.kept.get(path));
        let sources = kept.map(|(source, plan)| (Arc::clone(source), secrets(plan, source)));
        let profiles = profiles(&self.governance, tally.profiles);
        let run = Run {
            sources: sources.collect(),
            excerpts,
            now: self.clock.clone(),
            policy_digest: self.governance.digest.clone(),
            policy_from: self.governance.policy_from.clone(),
            only_changed: self.changed.as_ref().and_then(|changed| changed.said.clone()),
            notes: tally.notes,
            bands: self.governance.plan.bands(&profiles),
            profiles,
            waivers: self.governance.waiver_list(),
            services: tally.services,
            workflows: self.governance.workflows(&tally.workflows),
            findings: tally.fleet,
            errors: tally.errors,
            skipped: tally.skipped,
            summary: tally.summary,
        };
        self.each_reporter(|reporter| reporter.finish(&run))?;
        Ok(exit)
    }
}

/// What was found in a file of a share, and what it leaves behind, until its tokens are verified.
struct Shared {
    input: Input,
    file: File,
    /// By part.
    facts: Vec<Vec<Fact>>,
}

/// Keys that the user vouches for.
pub(super) struct Keys(Vec<crate::evaluate::Fact>);

impl Keys {
    /// Are there none?
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Does some work with what verifies tokens; `None` without keys.
    pub(super) fn with_verifier<T>(&self, work: impl FnOnce(Option<&judge::Verifier<'_>>) -> T) -> T {
        #[cfg(feature = "verify")]
        if !self.0.is_empty() {
            let verifier = crate::verify::Verifier::new(&self.0);
            return work(Some(&|token, iss| verifier.verify(token, iss)));
        }
        work(None)
    }
}

impl Tally {
    fn count(&mut self, finding: &Finding, fail_on: FailOn) {
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
        self.failing |= fail_on.includes(finding.severity);
    }

    fn exit(&self, args: &CheckArgs) -> Exit {
        let unknown = args.fail_on_unknown && self.summary.not_judged > 0;
        match self {
            Tally { broken: true, .. } => Exit::Usage,
            Tally { failing: true, .. } if args.write_baseline.is_none() => Exit::Findings,
            _ if unknown => Exit::Findings,
            Tally { documents: 0, .. } => Exit::Nothing,
            _ => Exit::Clean,
        }
    }
}

/// The profiles of the run: chosen, shown by targets, or applied to all.
fn profiles(governance: &Governance, shown: BTreeSet<ProfileRef>) -> Vec<ProfileRef> {
    use crate::profile::ProfileClass;
    let mut list = shown;
    for plan in governance.plans() {
        for (index, profile) in plan.book.profiles.iter().enumerate() {
            let why = match (&plan.selection, profile.raw.class) {
                (_, ProfileClass::General) => "always applied",
                (Selection::Chosen(chosen), _) if chosen.contains(&index) => governance.chosen_by(index),
                (Selection::Auto, ProfileClass::Generic) => "no profile is chosen: generic rules apply to every target",
                (Selection::Chosen(_), _) | (Selection::Auto, ProfileClass::Family) => continue,
            };
            list.insert(ProfileRef { id: profile.id.clone(), why: why.into() });
        }
    }
    list.into_iter().collect()
}

/// True when standard output is a terminal.
pub(super) fn stdout_is_terminal() -> bool {
    io::stdout().is_terminal()
}
