//! `tokenvet merge`: one report of what the shards of a run found.

use super::args::{CheckArgs, first_given};
use super::check::{Listed, with_listed};
use super::exit::{Exit, Failure};
use super::policy::Governance;
use super::scan::{self, Reading};
use super::shard::{Destination, adopt};
use crate::discover::walk::{self, Input};
use crate::evaluate::Fact;
use crate::report::Format;
use crate::report::text::{and_more, counted};
use crate::scan::tally::Tally;
use crate::shard::check::{self, File};
use crate::shard::scan::{Gather, Input as Read};
use crate::shard::{Part, Terms, Trouble, Work};
use clap::Args as ClapArgs;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

/// Missing shards that are named.
const NAMED: usize = 20;

#[derive(Debug, ClapArgs)]
#[command(mut_arg("paths", |arg| arg.value_name("PART").help("Shard reports, and folders of them, in any order")))]
#[command(mut_arg("profile", |arg| arg.hide(true)))]
pub(super) struct MergeArgs {
    #[command(flatten)]
    check: CheckArgs,
    /// Write one shard report of them all, which can be merged with others again, and no report
    #[arg(long, value_name = "FILE", help_heading = super::shard::HEADING)]
    shard_report: Option<PathBuf>,
}

/// Runs the command.
pub(super) fn run(mut args: MergeArgs) -> Result<Exit, Failure> {
    refuse_decided(&args.check)?;
    let files = files(&args.check.paths)?;
    let mut parts = Parts::new(files)?;
    if let Some(path) = &args.shard_report {
        return parts.join(path);
    }
    let html = args.check.format.contains(&Format::Html) || args.check.output.iter().any(|to| to.starts_with("html="));
    if html && parts.terms.command == "check" {
        let message =
            "html: the page lists what there is, which shards of a check do not report; make it by a single run";
        return Err(Failure::Usage(message.into()));
    }
    adopt(&mut args.check, &parts.terms);
    let found = RefCell::new(None);
    with_listed(
        &args.check,
        |governance| {
            let (inputs, gathered) = parts.gather(governance)?;
            *found.borrow_mut() = Some(gathered);
            let Terms { skipped, lost, .. } = parts.terms.clone();
            Ok(Listed::elsewhere(inputs, skipped, lost))
        },
        |job, inputs| match found.take() {
            Some(Gathered::Scan { read, tally, reading }) => scan::report(job, &inputs, read, *tally, &reading),
            Some(Gathered::Check(files, given)) => job.take_files(files, given),
            None => Ok(()),
        },
    )
}

/// Options on what the shards have decided already.
fn refuse_decided(args: &CheckArgs) -> Result<(), Failure> {
    let decided = [
        ("--profile", !args.profile.is_empty()),
        ("--only", !args.only.is_empty()),
        ("--ignore", !args.ignore.is_empty()),
        ("--now", args.now.is_some()),
        ("--follow-includes", args.follow_includes),
    ];
    if let Some(name) = first_given(&decided) {
        return Err(Failure::Usage(format!("{name}: the shards have judged already; give this to each of them")));
    }
    match args.change.given() {
        Some(name) => {
            Err(Failure::Usage(format!("{name} cannot be combined with shards; changes are small enough for one run")))
        }
        None => Ok(()),
    }
}

/// What shards found, once all of it is there.
enum Gathered {
    Scan { read: Vec<Read>, tally: Box<Tally>, reading: Reading },
    Check(Vec<File>, Vec<Fact>),
}

/// The named files, and those of named folders.
fn files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    let mut files = Vec::new();
    for path in paths {
        if path.as_os_str() == "-" {
            let message = "-: shard reports are read more than once, which standard input cannot be; name their files";
            return Err(Failure::Usage(message.into()));
        }
        if !path.is_dir() {
            files.push(path.clone());
            continue;
        }
        let fail = |error: std::io::Error| Failure::Usage(format!("{}: {error}", walk::name_of(path)));
        let mut inside = Vec::new();
        for entry in fs::read_dir(path).map_err(fail)? {
            let entry = entry.map_err(fail)?;
            let is_hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
            if !is_hidden && entry.file_type().map_err(fail)?.is_file() {
                inside.push(entry.path());
            }
        }
        inside.sort();
        files.extend(inside);
    }
    Ok(files)
}

/// Shard reports of one run.
struct Parts {
    files: Vec<PathBuf>,
    /// Of the first that can be read.
    terms: Terms,
    /// Where each shard stands first, and its digest.
    known: BTreeMap<u32, (String, String)>,
    /// What is wrong with them.
    troubles: Vec<String>,
}

fn read(path: &PathBuf) -> Result<Part, Trouble> {
    match fs::read(path) {
        Ok(text) => Part::read(&text),
        Err(error) => Err(Trouble::Corrupt(walk::describe(&error, path))),
    }
}

impl Parts {
    fn new(files: Vec<PathBuf>) -> Result<Self, Failure> {
        let terms = files.iter().find_map(|path| read(path).ok()).map(|part| part.run);
        match terms {
            Some(terms) => Ok(Parts { files, terms, known: BTreeMap::new(), troubles: vec![] }),
            None => {
                let told = |path: &PathBuf| {
                    let trouble = read(path).err().map(|trouble| trouble.to_string()).unwrap_or_default();
                    format!("{}: {trouble}", walk::name_of(path))
                };
                let told: Vec<String> = files.iter().map(told).collect();
                Err(failure(if told.is_empty() { vec!["there is no shard report".into()] } else { told }))
            }
        }
    }

    /// Reads one shard report after the other and hands out each shard once.
    fn each(&mut self, take: &mut dyn FnMut(u32, Part) -> Result<(), Trouble>) {
        for path in &self.files {
            let name = walk::name_of(path);
            let part = match read(path).and_then(|part| self.terms.same(&part.run).map(|()| part)) {
                Ok(part) => part,
                Err(trouble) => {
                    self.troubles.push(format!("{name}: {trouble}"));
                    continue;
                }
            };
            for (number, done) in part.shards {
                match self.known.get(&number) {
                    Some((first, sha256)) if *sha256 != done.sha256 => {
                        self.troubles.push(format!("{first} and {name}: {}", Trouble::Twofold(number)));
                        continue;
                    }
                    Some(_) => continue,
                    None => _ = self.known.insert(number, (name.clone(), done.sha256.clone())),
                }
                let one = Part { shards: BTreeMap::from([(number, done)]), ..Part::empty(&self.terms) };
                if let Err(trouble) = take(number, one) {
                    self.troubles.push(format!("{name}: {trouble}"));
                }
            }
        }
    }

    fn note_missing(&mut self) {
        let of = self.terms.shards;
        let missing: Vec<u32> = (1..=of).filter(|number| !self.known.contains_key(number)).collect();
        let named: Vec<String> = missing.iter().take(NAMED).map(u32::to_string).collect();
        let more = and_more(missing.len() - named.len());
        if !missing.is_empty() {
            let shards = counted(missing.len() as u64, "shard");
            let named = named.join(", ");
            self.troubles.push(format!("{shards} of {of} missing: {named}{more}; run them and merge again"));
        }
    }

    /// One shard report of all.
    fn join(mut self, path: &std::path::Path) -> Result<Exit, Failure> {
        let destination = Destination::new(Some(path))?;
        let mut all = Part::empty(&self.terms);
        self.each(&mut |_, part| all.merge(part));
        match self.troubles.is_empty() {
            true => destination.write(&all),
            false => Err(failure(self.troubles)),
        }
    }

    /// All that the shards found.
    fn gather(&mut self, governance: &Governance) -> Result<(Vec<Input>, Gathered), Failure> {
        if self.terms.policy_digest != governance.digest {
            return Err(Failure::Usage(
                "the policy here is not the one that the shards judged by; name it with --config, --rules, --waivers or \
                 --baseline"
                    .into(),
            ));
        }
        let now = super::clock(Some(&self.terms.now))?.as_second();
        let reading = reading(&self.terms);
        let keep = reading.keep(now);
        let (mut scanned, mut checked) = (Gather::new(keep), check::Gather::default());
        self.each(&mut |_, part| {
            for done in part.shards.into_values() {
                match done.work {
                    Work::Scan(work) => scanned.add(work, &governance.book)?,
                    Work::Check(work) => checked.add(work)?,
                }
            }
            Ok(())
        });
        self.note_missing();
        if !self.troubles.is_empty() {
            return Err(failure(std::mem::take(&mut self.troubles)));
        }
        let told = |trouble: Trouble| failure(vec![trouble.to_string()]);
        if self.terms.command == "check" {
            let (files, given) = checked.finish(&self.terms).map_err(told)?;
            return Ok((vec![], Gathered::Check(files, given)));
        }
        let (read, tally) = scanned.finish(&self.terms).map_err(told)?;
        let named = |read: &Read| Input::told(read.name.as_str(), read.named);
        let inputs = read.iter().map(named).collect();
        Ok((inputs, Gathered::Scan { read, tally: Box::new(tally), reading }))
    }
}

/// What is wrong with the shard reports, a line each.
fn failure(troubles: Vec<String>) -> Failure {
    let lines = troubles.iter().map(|trouble| format!("tokenvet: {}\n", super::printable(trouble)));
    let end = "tokenvet: no report was written\n".to_string();
    Failure::Reported(lines.chain([end]).collect())
}

/// How the inputs were read.
fn reading(terms: &Terms) -> Reading {
    let number = |name: &str| terms.options.get(name).and_then(|values| values.first()?.parse::<i64>().ok());
    Reading {
        since: number("since"),
        tokens: number("max-tokens").and_then(|number| usize::try_from(number).ok()),
        skip_foreign: terms.options.contains_key("unrecognised-skip"),
        ..Reading::default()
    }
}
