//! `--shard K/N`: one share of a run, whose shard report `tokenvet merge` takes.

use super::args::{CheckArgs, Unrecognised, first_given};
use super::check::{self as unshared, Job, Listed, Of};
use super::exit::{Exit, Failure};
use super::output::{self, ReportFile};
use super::policy::Governance;
use super::scan::{self, ScanArgs, Share};
use crate::discover::walk::{self, Input};
use crate::hex::hex;
use crate::scan::fingerprint::{Fingerprints, shown};
use crate::shard::{Part, Shard, Terms, Work, plan};
use clap::Args as ClapArgs;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};

pub(super) const HEADING: &str = "Shards";

/// Which share of a run, and where its report goes.
#[derive(Clone, Debug, Default, ClapArgs)]
pub(super) struct ShardArgs {
    /// Do this share of the work only (`3/8`) and write a shard report, of which `tokenvet merge` makes the report of the
    /// whole run
    #[arg(long, value_name = "K/N", help_heading = HEADING)]
    pub(super) shard: Option<Shard>,
    /// Write the shard report to this file, which appears whole or not at all [default: standard output]
    #[arg(long, value_name = "FILE", requires = "shard", help_heading = HEADING)]
    pub(super) shard_report: Option<PathBuf>,
}

/// `tokenvet check`, or a share of it.
#[derive(Debug, ClapArgs)]
pub(super) struct CheckCommand {
    #[command(flatten)]
    check: CheckArgs,
    #[command(flatten)]
    shard: ShardArgs,
}

/// Runs `tokenvet check`.
pub(super) fn check(args: &CheckCommand) -> Result<Exit, Failure> {
    match args.shard.shard {
        None => unshared::run(&args.check),
        Some(shard) => judge(&args.check, &args.shard, shard),
    }
}

/// Runs one share of `tokenvet check`.
fn judge(args: &CheckArgs, own: &ShardArgs, shard: Shard) -> Result<Exit, Failure> {
    refuse_others(args)?;
    let report = Destination::new(own.shard_report.as_deref())?;
    let (mut job, listed) = begin(args, Of::Configuration)?;
    let terms = terms("check", shard, args, &job, &listed, options(args)?)?;
    let is_own = |input: &Input| plan::owner(input.name(), 0, shard.of) == shard.number;
    let work = job.share(&listed.inputs, &is_own)?;
    report.write(&Part::new(terms, shard.number, Work::Check(work)))
}

/// Runs one share of `tokenvet scan`.
pub(super) fn scan(args: &ScanArgs, shard: Shard) -> Result<Exit, Failure> {
    refuse_others(&args.check)?;
    if args.follow {
        return Err(Failure::Usage("--follow has no end, so --shard cannot share it out".into()));
    }
    let report = Destination::new(args.shard.shard_report.as_deref())?;
    let (mut job, mut listed) = begin(&args.check, Of::Text)?;
    let reading = args.reading(job.now)?;
    if args.rotated {
        listed.inputs = scan::with_rotated(std::mem::take(&mut listed.inputs));
    }
    let block = args.shard_block.unwrap_or(plan::BLOCK).max(1);
    let mut options = options(&args.check)?;
    let mut add = |name: &str, value: Option<String>| _ = value.map(|value| options.insert(name.into(), vec![value]));
    add("since", reading.since.map(|since| since.to_string()));
    add("max-expanded", args.max_expanded.map(|size| size.to_string()));
    add("max-tokens", args.max_tokens.map(|number| number.to_string()));
    add("rotated", args.rotated.then(String::new));
    add("shard-block", Some(block.to_string()));
    // Tells one key from another, and nothing more.
    add("fingerprint-key", args.fingerprint_key.as_ref().map(|_| key_name(&reading.fingerprints)));
    let terms = terms("scan", shard, &args.check, &job, &listed, options)?;
    let (read, tally) = scan::read(&job, &listed.inputs, &reading, Some(Share { shard, block }))?;
    let work = scan::work(&mut job, &listed.inputs, read, tally);
    report.write(&Part::new(terms, shard.number, Work::Scan(work)))
}

fn key_name(fingerprints: &Fingerprints) -> String {
    shown(&fingerprints.whole(&Sha256::digest(b"name of this key").into()))
}

/// Options that only the whole run knows what to do with.
fn refuse_others(args: &CheckArgs) -> Result<(), Failure> {
    let others = [
        ("--format", !args.format.is_empty()),
        ("--output", !args.output.is_empty()),
        ("--write-baseline", args.write_baseline.is_some()),
    ];
    if let Some(name) = first_given(&others) {
        return Err(Failure::Usage(format!("{name}: a shard writes its shard report; give this to `tokenvet merge`")));
    }
    let governed = [("--policy-from", args.change.policy_from.is_some())];
    if let Some(name) = args.change.given().or_else(|| first_given(&governed)) {
        return Err(Failure::Usage(format!(
            "{name} cannot be combined with --shard; changes are small enough for one run"
        )));
    }
    match args.paths.iter().any(|path| path.as_os_str() == "-") {
        true => Err(Failure::Usage("standard input cannot be shared out among shards; name files".into())),
        false => Ok(()),
    }
}

/// A run without reports, and its inputs.
fn begin(args: &CheckArgs, of: Of) -> Result<(Job<'_>, Listed), Failure> {
    let now = super::clock(args.now.as_deref())?;
    let governance = Governance::load(args)?;
    let listed = Listed::walk(args, of, &governance)?;
    Ok((Job::new(args, now, governance, vec![])?, listed))
}

/// What all shards of this run have in common.
fn terms(
    command: &str,
    shard: Shard,
    args: &CheckArgs,
    job: &Job<'_>,
    listed: &Listed,
    options: BTreeMap<String, Vec<String>>,
) -> Result<Terms, Failure> {
    Ok(Terms {
        command: command.into(),
        shards: shard.of,
        now: job.clock.clone(),
        paths: texts("PATH", &args.paths)?,
        options,
        policy_digest: job.governance.digest.clone(),
        inputs: listed.inputs.len() as u64,
        listing: plan::listing(listed.inputs.iter().map(|input| input.name())),
        skipped: listed.skipped,
        lost: listed.lost.clone(),
    })
}

fn texts(option: &str, paths: &[PathBuf]) -> Result<Vec<String>, Failure> {
    let text = |path: &PathBuf| {
        let fail = || Failure::Usage(format!("{option} {}: a shard needs paths in UTF-8", walk::name_of(path)));
        path.to_str().map(str::to_string).ok_or_else(fail)
    };
    paths.iter().map(text).collect()
}

/// The options that decide what is found, as [`adopt`] takes them.
fn options(args: &CheckArgs) -> Result<BTreeMap<String, Vec<String>>, Failure> {
    let one = |path: &Option<PathBuf>| path.iter().cloned().collect::<Vec<_>>();
    let paths = [
        ("rules", args.rules.clone()),
        ("issuers", args.issuers.clone()),
        ("waivers", args.waivers.clone()),
        ("config", one(&args.config)),
        ("baseline", one(&args.baseline)),
        ("root", one(&args.root)),
    ];
    let mut options = BTreeMap::new();
    for (name, paths) in paths {
        options.insert(name.to_string(), texts(&format!("--{name}"), &paths)?);
    }
    let flag = |given: bool| if given { vec![String::new()] } else { vec![] };
    for (name, values) in [
        ("profile", args.profile.clone()),
        ("only", args.only.clone()),
        ("ignore", args.ignore.clone()),
        ("no-config", flag(args.no_config)),
        ("follow-includes", flag(args.follow_includes)),
        ("unrecognised-skip", flag(args.unrecognised == Unrecognised::Skip)),
        ("keys", keys(args)?),
    ] {
        options.insert(name.to_string(), values);
    }
    options.retain(|_, values| !values.is_empty());
    Ok(options)
}

/// SHA-256 of the key sets, in hexadecimal digits: what was verified is known, so `merge` needs no keys.
#[cfg(feature = "verify")]
fn keys(args: &CheckArgs) -> Result<Vec<String>, Failure> {
    let digest = |path: &PathBuf| {
        let text = std::fs::read(path);
        let text = text.map_err(|error| Failure::Usage(format!("--keys {}: {error}", walk::name_of(path))))?;
        Ok(hex(&Sha256::digest(text)))
    };
    args.keys.iter().map(digest).collect()
}

#[cfg(not(feature = "verify"))]
fn keys(_: &CheckArgs) -> Result<Vec<String>, Failure> {
    Ok(vec![])
}

/// The arguments of the run that shards were shares of. What is given here as well counts, so that a policy may lie
/// elsewhere; that it is the same one is for others to see.
pub(super) fn adopt(args: &mut CheckArgs, terms: &Terms) {
    let texts = |name: &str| terms.options.get(name).cloned().unwrap_or_default();
    let paths = |name: &str| texts(name).into_iter().map(PathBuf::from).collect::<Vec<_>>();
    args.paths = terms.paths.iter().map(PathBuf::from).collect();
    args.now = Some(terms.now.clone());
    for (own, name) in [(&mut args.rules, "rules"), (&mut args.issuers, "issuers"), (&mut args.waivers, "waivers")] {
        if own.is_empty() {
            *own = paths(name);
        }
    }
    for (own, name) in [(&mut args.profile, "profile"), (&mut args.only, "only"), (&mut args.ignore, "ignore")] {
        *own = texts(name);
    }
    if args.config.is_none() && !args.no_config {
        args.config = paths("config").pop();
        args.no_config = !texts("no-config").is_empty();
    }
    args.baseline = args.baseline.take().or_else(|| paths("baseline").pop());
    if !texts("unrecognised-skip").is_empty() {
        args.unrecognised = Unrecognised::Skip;
    }
}

/// Where a shard report goes.
pub(super) enum Destination {
    File(ReportFile),
    StandardOutput,
}

impl Destination {
    /// A file, or standard output.
    pub(super) fn new(path: Option<&Path>) -> Result<Self, Failure> {
        path.map_or(Ok(Destination::StandardOutput), |path| ReportFile::create(path).map(Destination::File))
    }

    /// Writes a shard report.
    pub(super) fn write(self, part: &Part) -> Result<Exit, Failure> {
        let text = part.text();
        match self {
            Destination::StandardOutput => output::print(&text)?,
            Destination::File(file) => {
                file.writer()?.write_all(text.as_bytes())?;
                file.publish()?;
            }
        }
        Ok(Exit::Clean)
    }
}
