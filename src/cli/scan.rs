//! `tokenvet scan`: tokens in logs, dumps and other text.

use super::args::CheckArgs;
use super::check::{Job, with_job};
use super::exit::{Exit, Failure};
use super::progress::Progress;
use crate::discover::walk::{self, Input, Unreadable};
use crate::scan::find::Finder;
use crate::scan::judge;
use crate::scan::member::{Limits, Note, Text, Visit, texts};
use crate::scan::stream::Scanner;
use crate::scan::tally::{self, Account, Tally};
use clap::Args as ClapArgs;
use std::path::Path;

/// What reports call a scanned file.
const KIND: &str = "text";

#[derive(Debug, ClapArgs)]
pub(super) struct ScanArgs {
    #[command(flatten)]
    pub(super) check: CheckArgs,
    /// Stop reading an input that expands beyond this (`500GiB`) [default: 64 GiB, and 500 times its size]
    #[arg(long, value_name = "SIZE", value_parser = parse_size, help_heading = "What is read")]
    pub(super) max_expanded: Option<u64>,
}

impl ScanArgs {
    fn reading(&self) -> Reading {
        // Whoever names a size knows what to expect, and no ratio counts.
        let limits = self.max_expanded.map_or_else(Limits::default, |expanded| Limits { expanded, ratio: None });
        Reading { limits }
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

/// Runs the command.
pub(super) fn run(args: &ScanArgs) -> Result<Exit, Failure> {
    with_job(&args.check, |job, inputs| search(job, &inputs, &args.reading()))
}

/// How inputs are read; the default is what `tokenvet scan` does without options.
#[derive(Debug, Default)]
pub(super) struct Reading {
    /// How far one input may expand.
    pub(super) limits: Limits,
}

/// Judges the tokens in these files and in what is packed in them.
pub(super) fn search(job: &mut Job<'_>, inputs: &[Input], reading: &Reading) -> Result<(), Failure> {
    let finder = Finder::new().map_err(Failure::Usage)?;
    let mut tally = Tally::new(tally::Limits::of(tally::Limits::TOKENS, job.now));
    let mut scanner = Scanner::new(&finder);
    let mut progress = Progress::new(inputs.len());
    for input in inputs {
        let scanned = scan(&mut scanner, input, reading.limits, &mut tally);
        progress.pause(|| take(job, input, scanned))?;
        progress.advance(1);
    }
    progress.end();
    report(job, inputs, &tally.finish());
    Ok(())
}

/// What one input came to.
struct Scanned {
    /// Tokens in it.
    found: u64,
    /// What could not be read of it.
    notes: Vec<Note>,
}

/// Scans one input with everything in it.
fn scan(scanner: &mut Scanner<'_>, input: &Input, limits: Limits, tally: &mut Tally) -> Result<Scanned, Unreadable> {
    let opened = walk::opened(input)?;
    let mut taker = Taker { scanner, tally, scanned: Scanned { found: 0, notes: vec![] } };
    texts(&input.name, opened.modified, opened.bytes, limits, &mut taker);
    Ok(taker.scanned)
}

/// Takes the texts of one input.
struct Taker<'s, 'f> {
    scanner: &'s mut Scanner<'f>,
    tally: &'s mut Tally,
    scanned: Scanned,
}

impl Visit for Taker<'_, '_> {
    fn text(&mut self, text: Text<'_>) {
        let Taker { scanner, tally, scanned } = self;
        tally.begin(text.name);
        let read = scanner.tokens(text.bytes, &mut |place| {
            scanned.found += 1;
            tally.add(&place);
        });
        if let Err(error) = read {
            let message = format!("reading it ended early: {error}");
            scanned.notes.push(Note { name: text.name.to_string(), message, foreign: false });
        }
    }

    fn note(&mut self, note: Note) {
        self.scanned.notes.push(note);
    }
}

/// Reports what one input came to.
fn take(job: &mut Job<'_>, input: &Input, scanned: Result<Scanned, Unreadable>) -> Result<(), Failure> {
    let scanned = match scanned {
        Ok(scanned) => scanned,
        Err(unreadable) => return job.refuse(input, unreadable),
    };
    job.document(&input.name, KIND, scanned.found)?;
    for Note { name, message, foreign } in scanned.notes {
        job.refuse(input, Unreadable { name, message, content: foreign })?;
    }
    Ok(())
}

/// Judges every distinct token once, at the place it was found first.
fn report(job: &mut Job<'_>, inputs: &[Input], account: &Account) {
    account.notes().into_iter().for_each(|note| job.note(note));
    for seen in &account.tokens {
        let Some(place) = seen.places.first() else { continue };
        let relative = job.governance.relative(Path::new(input_of(&place.path, inputs)));
        let plan = job.governance.plan_for(&relative);
        for finding in judge::findings(&plan, seen, job.now) {
            job.at_the_end(&relative, finding);
        }
    }
}

/// The input that a text belongs to: what holds for an archive holds for its members.
fn input_of<'p>(path: &'p str, inputs: &[Input]) -> &'p str {
    let is_input = |path: &str| inputs.binary_search_by(|input| input.name.as_str().cmp(path)).is_ok();
    let outer = path.match_indices('!').map(|(at, _)| &path[..at]).find(|outer| is_input(outer));
    if is_input(path) { path } else { outer.unwrap_or(path) }
}
