//! `tokenvet profile diff`: two profiles side by side, and what they make of the given files.

use super::args::{DiffArgs, InspectFormat};
use super::exit::{Exit, Failure};
use super::output;
use super::workers::Workers;
use crate::diff::{Differ, Judged, ProfileDiff, human, json};
use crate::discover::walk::{self, Input, Unreadable};
use crate::report::FileError;
use crate::rule::RuleBook;
use std::sync::Arc;

/// Files judged in parallel before what they are is taken; bounds what is held in memory at a time.
const GROUP_FILES: usize = 64;

/// Runs the command.
pub(super) fn run(args: &DiffArgs) -> Result<Exit, Failure> {
    let now = super::clock(args.now.as_deref())?;
    let book = Arc::new(RuleBook::builtin().map_err(Failure::Usage)?);
    let (from, to) = (book.resolve_profile(&args.from)?, book.resolve_profile(&args.to)?);
    let mut differ = Differ::new(book, from, to, now.as_second());
    let mut broken = false;
    if !args.corpus.is_empty() {
        broken = corpus(args, &mut differ);
    }
    let diff = differ.finish((!args.corpus.is_empty()).then(|| now.to_string()));
    let exit = match &diff.corpus {
        _ if broken => Exit::Usage,
        Some(corpus) if corpus.files == 0 => Exit::Nothing,
        Some(_) | None => Exit::Clean,
    };
    print(args, &diff).map_err(|failure| match failure {
        Failure::BrokenPipe(_) => Failure::BrokenPipe(exit),
        other => other,
    })?;
    Ok(exit)
}

/// Walks and judges the files; true when something could not be read.
fn corpus(args: &DiffArgs, differ: &mut Differ) -> bool {
    let found = walk::walk(&args.corpus, &|_, _| false).configuration();
    let mut broken = !found.unreadable.is_empty();
    differ.skip(found.skipped);
    found.unreadable.into_iter().for_each(|unreadable| differ.error(error_of(unreadable)));
    let workers = Workers::new(0, found.inputs.len());
    for group in found.inputs.chunks(GROUP_FILES) {
        let judged = workers.map(group, |input| judge(differ, input));
        for (input, judged) in group.iter().zip(judged) {
            match judged {
                // Binary files met while walking are none of ours, and neither is what nothing recognises.
                Err(unreadable) if !input.is_named() && unreadable.content => differ.skip(1),
                Err(unreadable) => {
                    broken = true;
                    differ.error(error_of(unreadable));
                }
                Ok(judged) if !judged.is_recognised() && !input.is_named() => differ.skip(1),
                Ok(judged) => {
                    broken |= !judged.errors().is_empty() || !judged.is_recognised();
                    if !judged.is_recognised() {
                        let message = "not recognised: nothing in it looks like a client, token, key set, issuer \
                                       metadata or configuration that tokenvet knows (see `tokenvet rules kinds`)";
                        let path = input.name().to_string();
                        differ.error(FileError { path, message: message.into(), region: None });
                    }
                    differ.take(judged);
                }
            }
        }
    }
    broken
}

fn judge(differ: &Differ, input: &Input) -> Result<Judged, Unreadable> {
    Ok(differ.judge(&Arc::new(walk::read(input)?)))
}

fn error_of(unreadable: Unreadable) -> FileError {
    FileError { path: unreadable.name, message: unreadable.message, region: None }
}

fn print(args: &DiffArgs, diff: &ProfileDiff) -> Result<(), Failure> {
    match args.format {
        InspectFormat::Human => output::print(&human(diff, super::look(args.color, args.all))),
        InspectFormat::Json => output::print(&json(diff)),
    }
}
