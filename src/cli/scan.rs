//! `tokenvet scan`: tokens in logs, dumps and other text.

use super::args::CheckArgs;
use super::check::{Job, with_job};
use super::exit::{Exit, Failure};
use super::progress::Progress;
use crate::discover::walk::{self, Input, Unreadable};
use crate::scan::find::Finder;
use crate::scan::judge;
use crate::scan::stream::Scanner;
use crate::scan::tally::{Account, Limits, Tally};
use clap::Args as ClapArgs;
use std::path::Path;

/// What reports call a scanned file.
const KIND: &str = "text";

#[derive(Debug, ClapArgs)]
pub(super) struct ScanArgs {
    #[command(flatten)]
    pub(super) check: CheckArgs,
}

/// Runs the command.
pub(super) fn run(args: &ScanArgs) -> Result<Exit, Failure> {
    with_job(&args.check, |job, inputs| search(job, &inputs))
}

/// Judges the tokens in these files.
pub(super) fn search(job: &mut Job<'_>, inputs: &[Input]) -> Result<(), Failure> {
    let finder = Finder::new().map_err(Failure::Usage)?;
    let mut scanner = Scanner::new(&finder);
    let mut tally = Tally::new(Limits::of(Limits::TOKENS, job.now));
    let mut progress = Progress::new(inputs.len());
    for input in inputs {
        match scan(&mut scanner, input, &mut tally) {
            Ok(found) => progress.pause(|| job.document(&input.name, KIND, found))?,
            Err(unreadable) => progress.pause(|| job.refuse(input, unreadable))?,
        }
        progress.advance(1);
    }
    progress.end();
    report(job, &tally.finish());
    Ok(())
}

/// Scans one input; the result is the number of tokens in it.
fn scan(scanner: &mut Scanner<'_>, input: &Input, tally: &mut Tally) -> Result<u64, Unreadable> {
    let mut found = 0;
    tally.begin(&input.name);
    let read = scanner.tokens(walk::stream(input)?, &mut |place| {
        found += 1;
        tally.add(&place);
    });
    match read {
        Ok(_) => Ok(found),
        Err(error) => Err(Unreadable {
            name: input.name.clone(),
            message: format!("reading it ended early: {error}"),
            content: false,
        }),
    }
}

/// Judges every distinct token once, at the place it was found first.
fn report(job: &mut Job<'_>, account: &Account) {
    account.notes().into_iter().for_each(|note| job.note(note));
    for seen in &account.tokens {
        let Some(place) = seen.places.first() else { continue };
        let relative = job.governance.relative(Path::new(&*place.path));
        let plan = job.governance.plan_for(&relative);
        for finding in judge::findings(&plan, seen, job.now) {
            job.at_the_end(&relative, finding);
        }
    }
}
