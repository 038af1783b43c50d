//! `tokenvet scan`: tokens in logs, dumps and other text.

use super::args::{CheckArgs, Unrecognised};
use super::check::{Job, Of, with_job};
use super::exit::{Exit, Failure};
use super::progress::Progress;
use super::shard::{self, ShardArgs};
use super::workers::Workers;
use crate::discover::several;
use crate::discover::walk::{self, Input, Unreadable};
use crate::evaluate::Plan;
use crate::report::text::{and_more, counted};
use crate::scan::find::Finder;
use crate::scan::fingerprint::Fingerprints;
use crate::scan::judge::Judge;
use crate::scan::member::{self, Limits, Note, Text, Visit, texts};
use crate::scan::since::Since;
use crate::scan::stream::{Place, Scanner};
use crate::scan::tally::{self, Kept, Tally};
use crate::scan::when;
use crate::shard::Shard;
use crate::shard::plan;
use crate::shard::scan::{self as shard_of_scan, Gap, Input as Read, Inputs, LeftOut, Lines, Scanned, Work};
use clap::Args as ClapArgs;
use std::collections::HashSet;
use std::io::Read as _;
use std::num::NonZeroUsize;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What reports call a scanned file.
pub(super) const KIND: &str = "text";
/// Tokens that one thread judges and that are then reported, while others are judged.
const BATCH: usize = 128;
/// Up to so many tokens are judged by one thread, unless they are verified too: others would cost more than they save.
const MANY: usize = 8192;

#[derive(Debug, ClapArgs)]
pub(super) struct ScanArgs {
    #[command(flatten)]
    pub(super) check: CheckArgs,
    /// Also scan the rotated siblings of the named files: `x.log.1`, `x.log-20261101.gz`
    #[arg(long, help_heading = "What is read")]
    pub(super) rotated: bool,
    /// Go on with what is written to the files, over rotation, and report each new token as it comes, until interrupted;
    /// `-` is followed too (`journalctl -f | tokenvet scan --follow -`)
    #[arg(long, conflicts_with = "since", help_heading = "What is read")]
    pub(super) follow: bool,
    /// Leave out what is certainly older: files by their modification time, lines by their timestamp. A time
    /// (2026-01-31T12:00:00Z), a date (2026-01-31) or a duration (7d, 1h30m)
    #[arg(long, value_name = "WHEN", help_heading = "What is read")]
    pub(super) since: Option<String>,
    /// Stop reading an input that expands beyond this (`500GiB`) [default: 64 GiB, and 500 times its size]
    #[arg(long, value_name = "SIZE", value_parser = parse_size, help_heading = "What is read")]
    pub(super) max_expanded: Option<u64>,
    /// Tell this many distinct tokens apart; those beyond are counted, and what is still valid comes first [default: 100000]
    #[arg(long, value_name = "NUMBER", help_heading = "What is read")]
    pub(super) max_tokens: Option<NonZeroUsize>,
    /// Make fingerprints of tokens with the key in this file (HMAC-SHA-256), so that nobody else can confirm them
    #[arg(long, value_name = "FILE", help_heading = "Reports")]
    pub(super) fingerprint_key: Option<PathBuf>,
    #[command(flatten)]
    pub(super) shard: ShardArgs,
    /// Cut plain files that are larger into pieces of this size, which shards read apart [default: 64 MiB]
    #[arg(long, value_name = "SIZE", value_parser = parse_size, requires = "shard", help_heading = shard::HEADING)]
    pub(super) shard_block: Option<u64>,
}

impl ScanArgs {
    pub(super) fn reading(&self, now: i64) -> Result<Reading, Failure> {
        // Whoever names a size knows what to expect, and no ratio counts.
        let limits = self.max_expanded.map_or_else(Limits::default, |expanded| Limits { expanded, ratio: None });
        let since = self.since.as_deref().map(|since| when::since(since, now));
        let since = since.transpose().map_err(|error| Failure::Usage(format!("--since {error}")))?;
        let skip_foreign = self.check.unrecognised == Unrecognised::Skip;
        let fingerprints = self.fingerprint_key.as_deref().map(fingerprints).transpose()?.unwrap_or_default();
        let (tokens, threads) = (self.max_tokens.map(NonZeroUsize::get), self.check.threads);
        Ok(Reading { limits, since, skip_foreign, threads, tokens, fingerprints })
    }
}

/// A number of bytes: `1000`, `64KiB`, `10 MB`, `2G`. Units of two letters and more are exact; a single letter is a
/// power of 1024.
pub(super) fn parse_size(text: &str) -> Result<u64, String> {
    let fail = || format!("{text}: write a number of bytes with a unit, for example 500MiB or 64GiB");
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let number: u64 = text[..digits].parse().map_err(|_| fail())?;
    let unit = text[digits..].trim().to_ascii_lowercase();
    let power = |letter: char| "kmgt".find(letter).map(|at| at as u32 + 1);
    let factor = match unit.as_bytes() {
        [] | [b'b'] => Some(1),
        [letter] | [letter, b'i', b'b'] => power(char::from(*letter)).map(|power| 1024u64.pow(power)),
        [letter, b'b'] => power(char::from(*letter)).map(|power| 1000u64.pow(power)),
        _ => None,
    };
    factor.and_then(|factor| number.checked_mul(factor)).ok_or_else(fail)
}

/// Fingerprints with the key in a file.
pub(super) fn fingerprints(path: &Path) -> Result<Fingerprints, Failure> {
    /// Longer files are not meant for keys.
    const LONGEST: u64 = 64 << 10;
    let fail = |why: &str| Failure::Usage(format!("--fingerprint-key {}: {why}", walk::name_of(path)));
    let mut content = Vec::new();
    let read = std::fs::File::open(path).and_then(|file| file.take(LONGEST + 1).read_to_end(&mut content));
    read.map_err(|error| fail(&error.to_string()))?;
    if content.len() as u64 > LONGEST {
        return Err(fail("too long for a key"));
    }
    Fingerprints::keyed(&content).map_err(|why| fail(&why))
}

/// Runs the command.
pub(super) fn run(mut args: ScanArgs) -> Result<Exit, Failure> {
    // Whoever waits for the next token wants to see it.
    args.check.all |= args.follow;
    args.check.at_once = args.follow;
    if let Some(number) = args.shard.shard {
        return shard::scan(&args, number);
    }
    with_job(&args.check, Of::Text, |job, inputs| {
        let reading = args.reading(job.now)?;
        let inputs = if args.rotated { with_rotated(inputs) } else { inputs };
        if args.follow {
            #[cfg(unix)]
            return super::follow::follow(job, &inputs, &reading, args.check.now.is_some());
            #[cfg(not(unix))]
            return Err(Failure::Usage("--follow: not on this system".into()));
        }
        search(job, &inputs, &reading)
    })
}

/// The inputs, and the rotated siblings of those that were named.
pub(super) fn with_rotated(mut inputs: Vec<Input>) -> Vec<Input> {
    let known: HashSet<&str> = inputs.iter().map(Input::name).collect();
    let named = inputs.iter().filter(|input| input.is_named());
    let siblings = named.flat_map(|input| several::rotated(input.path()));
    let siblings = siblings.map(Input::named);
    let siblings: Vec<Input> = siblings.filter(|input| !known.contains(input.name())).collect();
    inputs.extend(siblings);
    inputs.sort_by(|a, b| a.name().cmp(b.name()));
    inputs.dedup_by(|a, b| a.name() == b.name());
    inputs
}

/// How inputs are read; the default is what `tokenvet scan` does without options.
#[derive(Debug, Default)]
pub(super) struct Reading {
    /// How far one input may expand.
    pub(super) limits: Limits,
    /// What is certainly older is left out; in seconds since 1970.
    pub(super) since: Option<i64>,
    /// Archives of a kind that is not opened are no errors.
    pub(super) skip_foreign: bool,
    /// Threads; 0 takes one per core.
    pub(super) threads: usize,
    /// How many distinct tokens are told apart, when not the usual number.
    pub(super) tokens: Option<usize>,
    /// How reports name tokens.
    pub(super) fingerprints: Fingerprints,
}

impl Reading {
    /// How much is told apart.
    pub(super) fn keep(&self, now: i64) -> tally::Limits {
        tally::Limits::of(self.tokens.unwrap_or(tally::Limits::TOKENS), now)
    }
}

/// Judges the tokens in these files and in what is packed in them. The report is the same however many threads read.
pub(super) fn search(job: &mut Job<'_>, inputs: &[Input], reading: &Reading) -> Result<(), Failure> {
    let (read, tally) = read(job, inputs, reading, None)?;
    report(job, inputs, read, tally, reading)
}

/// The share of a run that is read here: every shard's `Share` is different, and together they are all.
#[derive(Clone, Copy, Debug)]
pub(super) struct Share {
    pub(super) shard: Shard,
    /// Bytes of a plain file that are read at a time.
    pub(super) block: u64,
}

/// What is read in one go.
struct Task<'i> {
    index: u64,
    input: &'i Input,
    /// The block of the input, before it is known where its lines begin; all of it when there is none.
    block: Option<Range<u64>>,
}

/// What there is to read, in order.
fn tasks<'i>(inputs: &'i [Input], reading: &Reading, share: Option<Share>) -> Vec<Task<'i>> {
    let whole = |(index, input): (usize, &'i Input)| Task { index: index as u64, input, block: None };
    let Some(Share { shard, block }) = share else { return inputs.iter().enumerate().map(whole).collect() };
    let mut tasks = Vec::new();
    for (index, input) in inputs.iter().enumerate() {
        let length = walk::length_of(input);
        // Which lines are old shows in those before them.
        let is_cut = length > block && reading.since.is_none();
        if is_cut && walk::stream(input).is_ok_and(member::is_plain) {
            let blocks = plan::blocks(input.name(), length, block, shard);
            tasks.extend(blocks.map(|block| Task { index: index as u64, input, block: Some(block) }));
        } else if plan::owner(input.name(), 0, shard.of) == shard.number {
            tasks.push(whole((index, input)));
        }
    }
    tasks
}

/// Reads the inputs, or a share of them: what became of each, and what was found in them.
pub(super) fn read(
    job: &Job<'_>,
    inputs: &[Input],
    reading: &Reading,
    share: Option<Share>,
) -> Result<(Vec<Read>, Tally), Failure> {
    let finder = Finder::new().map_err(Failure::Usage)?;
    let tasks = tasks(inputs, reading, share);
    let lengths =
        |task: &Task<'_>| task.block.as_ref().map_or_else(|| walk::length_of(task.input), |at| at.end - at.start);
    let progress = Progress::new(tasks.len(), || tasks.iter().map(lengths).sum());
    let keep = tally::Limits { signatures: job.has_keys(), ..reading.keep(job.now) };
    let search = Search {
        finder: &finder,
        reading,
        keep,
        progress: &progress,
        idle: Mutex::default(),
        failed: Mutex::default(),
    };
    let workers = Workers::new(reading.threads, tasks.len());
    let scanned = workers.map(&tasks, |task| {
        let (name, named) = (task.input.name().to_string(), task.input.is_named());
        Read { index: task.index, name, named, scanned: search.scan(task) }
    });
    let mut read = Inputs::default();
    read.add(scanned).map_err(|trouble| Failure::Usage(trouble.to_string()))?;
    let failed = search.failed.lock().unwrap_or_else(PoisonError::into_inner).take();
    let tally = search.tally();
    progress.end();
    if let Some(failed) = failed {
        return Err(Failure::Usage(format!("{failed}; the shard is not whole: run it again")));
    }
    Ok((read.into_vec(), tally))
}

fn words_of_unopened(names: &[String]) -> Option<String> {
    const NAMED: usize = 3;
    let named = &names[..names.len().min(NAMED)];
    let (files, more) = (counted(names.len() as u64, "file"), and_more(names.len() - named.len()));
    (!names.is_empty()).then(|| {
        format!(
            "{files} of a kind that is not opened, read as found: {}{more}; unpack what may hold logs, and scan that",
            named.join(", ")
        )
    })
}

fn words_of(left_out: &LeftOut, since: i64) -> Option<String> {
    if left_out.files + left_out.bytes_of_lines == 0 {
        return None;
    }
    let since = jiff::Timestamp::from_second(since).map_or_else(|_| since.to_string(), |since| since.to_string());
    let LeftOut { files, bytes_of_files, bytes_of_lines } = left_out;
    let files = counted(*files, "file");
    Some(format!(
        "older than {since} and left out: {files} of {bytes_of_files} bytes, and {bytes_of_lines} bytes of lines in \
         other files (--since)"
    ))
}

/// Scans inputs, by several threads if need be.
struct Search<'s> {
    finder: &'s Finder,
    reading: &'s Reading,
    keep: tally::Limits,
    progress: &'s Progress,
    /// What no thread works with at the moment.
    idle: Mutex<Vec<(Scanner<'s>, Tally)>>,
    /// Why a piece could not be read to its end.
    failed: Mutex<Option<String>>,
}

impl<'s> Search<'s> {
    /// Scans one input with everything in it, or a piece of it.
    fn scan(&self, task: &Task<'_>) -> Scanned {
        let idle = self.idle().pop();
        let (mut scanner, mut tally) = idle.unwrap_or_else(|| (Scanner::new(self.finder), self.new_tally()));
        let scanned = match &task.block {
            None => self.whole(task.input, &mut scanner, &mut tally),
            Some(block) => self.piece(task.input, block.clone(), &mut scanner, &mut tally),
        };
        self.idle().push((scanner, tally));
        self.progress.advance(1);
        scanned.unwrap_or_else(|Unreadable { name, message, content }| {
            let refused = Some(Gap { name, message, foreign: content });
            Scanned { refused, ..Scanned::default() }
        })
    }

    fn whole(&self, input: &Input, scanner: &mut Scanner<'s>, tally: &mut Tally) -> Result<Scanned, Unreadable> {
        let is_old = |modified: i64| self.reading.since.is_some_and(|since| modified < since);
        let mut scanned = Scanned::default();
        if walk::modified(input).is_some_and(is_old) {
            scanned.left_out = LeftOut { files: 1, bytes_of_files: walk::length_of(input), bytes_of_lines: 0 };
            scanned.whole = true;
            return Ok(scanned);
        }
        let opened = walk::opened(input)?;
        let mut taker = Taker { search: self, scanner, tally, scanned, remains: false };
        let bytes = self.progress.counted(opened.bytes);
        texts(input.name(), opened.modified, bytes, self.reading.limits, &mut taker);
        let Taker { mut scanned, remains, .. } = taker;
        // Nothing was left to be read, as of a file that was not touched.
        scanned.whole = !remains && scanned.left_out != LeftOut::default();
        let changed = opened.watch.and_then(|watch| watch.changed());
        scanned.gaps.extend(changed.map(|message| Gap { name: input.name().to_string(), message, foreign: false }));
        Ok(scanned)
    }

    /// Scans the lines that begin in a block of a plain file.
    fn piece(
        &self,
        input: &Input,
        block: Range<u64>,
        scanner: &mut Scanner<'s>,
        tally: &mut Tally,
    ) -> Result<Scanned, Unreadable> {
        let (mut file, length, watch) = walk::seekable(input)?;
        let size = block.end - block.start;
        let mut scanned = Scanned::default();
        match shard_of_scan::piece((self.finder, scanner, tally), input.name(), &mut file, length, block) {
            Ok(Some((piece, found))) => (scanned.pieces, scanned.found) = (vec![piece], found),
            Ok(None) => {}
            // Without this piece nobody can number the lines of the next ones.
            Err(error) => {
                let failed = Some(format!("{}: {error}", input.name()));
                *self.failed.lock().unwrap_or_else(PoisonError::into_inner) = failed;
            }
        }
        self.progress.read(|| size);
        let gap = |message: String| Gap { name: input.name().to_string(), message, foreign: false };
        scanned.gaps.extend(watch.and_then(|watch| watch.changed()).map(gap));
        Ok(scanned)
    }

    fn idle(&self) -> MutexGuard<'_, Vec<(Scanner<'s>, Tally)>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn new_tally(&self) -> Tally {
        Tally::new(self.keep).named_by(self.reading.fingerprints.clone())
    }

    /// All that was found.
    fn tally(self) -> Tally {
        let mut all = self.new_tally();
        let idle = self.idle.into_inner().unwrap_or_else(PoisonError::into_inner);
        idle.into_iter().for_each(|(_, tally)| all.merge(tally));
        all
    }
}

/// Takes the texts of one input.
struct Taker<'t, 's, 'f> {
    search: &'t Search<'s>,
    scanner: &'t mut Scanner<'f>,
    tally: &'t mut Tally,
    scanned: Scanned,
    /// Not all was left out.
    remains: bool,
}

impl Visit for Taker<'_, '_, '_> {
    fn text(&mut self, text: Text<'_>) {
        let Taker { search, scanner, tally, scanned, remains } = self;
        tally.begin(text.name);
        let mut sink = |place: Place<'_>| {
            scanned.found += 1;
            tally.add(&place);
        };
        let read = match search.reading.since {
            Some(since) if text.modified.is_some_and(|modified| modified < since) => {
                scanned.left_out.files += 1;
                return;
            }
            Some(since) => {
                let mut recent = Since::new(text.bytes, text.form, since, search.keep.now);
                let read = scanner.tokens(&mut recent, &mut sink);
                scanned.left_out.bytes_of_lines += recent.left_out();
                *remains |= !recent.left_out_all();
                read
            }
            None => {
                *remains = true;
                scanner.tokens(text.bytes, &mut sink)
            }
        };
        if let Err(error) = read {
            let message = format!("reading it ended early: {error}");
            scanned.gaps.push(Gap { name: text.name.to_string(), message, foreign: false });
        }
    }

    fn note(&mut self, note: Note) {
        let Note { name, message, foreign } = note;
        self.scanned.gaps.push(Gap { name, message, foreign });
    }
}

/// Reports what one input came to. Archives and the like that are not opened are no errors when they were met while walking; a
/// token may be in them all the same, so `unopened` takes their names.
fn take(
    job: &mut Job<'_>,
    input: &Input,
    scanned: Scanned,
    reading: &Reading,
    unopened: &mut Vec<String>,
) -> Result<(), Failure> {
    if let Some(Gap { name, message, foreign }) = scanned.refused {
        return job.refuse(input, Unreadable { name, message, content: foreign });
    }
    if !scanned.whole {
        job.document(input.name(), KIND, scanned.found)?;
    }
    for Gap { name, message, foreign } in scanned.gaps {
        if !(foreign && reading.skip_foreign) {
            if foreign && !input.is_named() {
                unopened.push(name.clone());
            }
            job.refuse(input, Unreadable { name, message, content: foreign })?;
        }
    }
    Ok(())
}

/// Reports what was read of all inputs, in order, and judges every distinct token once, at the place it was found first;
/// those that matter most come first.
pub(super) fn report(
    job: &mut Job<'_>,
    inputs: &[Input],
    read: Vec<Read>,
    tally: Tally,
    reading: &Reading,
) -> Result<(), Failure> {
    let lines = Lines::of(&read);
    let (mut left_out, mut unopened) = (LeftOut::default(), vec![]);
    for (input, read) in inputs.iter().zip(read) {
        left_out.add(&read.scanned.left_out);
        take(job, input, read.scanned, reading, &mut unopened)?;
    }
    let since = reading.since.and_then(|since| words_of(&left_out, since));
    since.into_iter().chain(words_of_unopened(&unopened)).for_each(|note| job.note_left_out(note));
    let mut account = tally.finish();
    account.number_lines(&|path, offset| lines.before(path, offset));
    account.notes().into_iter().for_each(|note| job.note(note));
    let (keys, now) = (job.take_keys(), job.now);
    let shared = if keys.is_empty() { MANY } else { BATCH };
    let workers = Workers::new(reading.threads, account.tokens.len().div_ceil(shared));
    let of_one_text = account.tokens.chunk_by(|seen, next| first_text(seen) == first_text(next));
    let mut batches = of_one_text.flat_map(|tokens| tokens.chunks(BATCH));
    keys.with_verifier(|verifier| {
        workers.in_order(
            job,
            |job| {
                let tokens = batches.next()?;
                let (relative, plan) = plan_for(job, inputs, first_text(tokens.first()?));
                Some(Batch { tokens, relative, plan })
            },
            |Batch { tokens, plan, .. }| {
                let judge = Judge::new(now, verifier);
                tokens.iter().map(|seen| judge.findings(plan, seen)).collect::<Vec<_>>()
            },
            |job, Batch { relative, .. }, findings| {
                findings.into_iter().try_for_each(|of_one| job.one_of_many(&relative, of_one))
            },
        )
    })?;
    job.end_of_many()
}

/// The text that a token stands in first.
fn first_text(seen: &Kept) -> &str {
    seen.places.first().map_or("", |first| &first.path)
}

/// Tokens of one text, judged by one thread at a time.
struct Batch<'t> {
    tokens: &'t [Kept],
    /// The text's path relative to the policy's folder.
    relative: String,
    plan: Arc<Plan>,
}

/// A text's path relative to the policy's folder, and the plan for it.
fn plan_for(job: &Job<'_>, inputs: &[Input], text: &str) -> (String, Arc<Plan>) {
    let relative = job.governance.relative(Path::new(input_of(text, inputs)));
    let plan = job.governance.plan_for(&relative);
    (relative, plan)
}

/// What a shard found, with what findings need of every token in it.
pub(super) fn work(job: &mut Job<'_>, inputs: &[Input], read: Vec<Read>, tally: Tally) -> Work {
    job.take_keys().with_verifier(|verifier| {
        let judge = Judge::new(job.now, verifier);
        Work::new(read, tally, &judge, &|text| plan_for(job, inputs, text).1)
    })
}

/// The input that a text belongs to: what holds for an archive holds for its members.
pub(super) fn input_of<'p>(path: &'p str, inputs: &[Input]) -> &'p str {
    let is_input = |path: &str| inputs.binary_search_by(|input| input.name().cmp(path)).is_ok();
    let outer = path.match_indices('!').map(|(at, _)| &path[..at]).find(|outer| is_input(outer));
    if is_input(path) { path } else { outer.unwrap_or(path) }
}
