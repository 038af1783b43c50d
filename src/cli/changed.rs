//! `--only-changed`: findings on lines that a change touches are reported, the others are counted.

use super::args::first_given;
use super::exit::Failure;
use super::git::{self, Repository};
use super::policy::{Governance, folder_of_first};
use crate::discover::walk::{Found, Input, name_of};
use crate::policy;
use crate::report::{Finding, OnlyChanged, SuppressionKind};
use crate::rule::Severity;
use crate::suppress::changed::{Change, FileChange, MAX_DIFF};
use clap::Args as ClapArgs;
use smol_str::format_smolstr;
use std::collections::{HashMap, HashSet};
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

const HEADING: &str = "Changes";

/// What a run is told of a change.
#[derive(Clone, Debug, Default, ClapArgs)]
pub(super) struct ChangeArgs {
    /// Report findings on lines that a pull or merge request touches; count the others. The branch it is made for comes
    /// from GITHUB_BASE_REF, CI_MERGE_REQUEST_DIFF_BASE_SHA or CHANGE_TARGET; without one everything is reported
    #[arg(long, help_heading = HEADING, conflicts_with = "write_baseline")]
    pub(super) only_changed: bool,
    /// The same for what changed since the history left this branch or commit, as `git diff REF...` shows it, with what is
    /// not committed yet
    #[arg(long, value_name = "REF", help_heading = HEADING, conflicts_with_all = ["diff", "write_baseline"])]
    pub(super) changed_since: Option<String>,
    /// The same for the change in this unified diff; `-` is standard input
    #[arg(long, value_name = "FILE", help_heading = HEADING, conflicts_with = "write_baseline")]
    pub(super) diff: Option<PathBuf>,
    /// Read policy, waivers, baseline, rule files and issuers as this branch or commit has them, so that a change cannot
    /// rewrite the rules it is judged by. Comments that the change adds suppress nothing then
    #[arg(long, value_name = "REF", help_heading = HEADING, conflicts_with = "write_baseline")]
    pub(super) policy_from: Option<String>,
}

impl ChangeArgs {
    /// An option by which only what a change touches is reported.
    pub(super) fn given(&self) -> Option<&'static str> {
        first_given(&[
            ("--only-changed", self.only_changed),
            ("--changed-since", self.changed_since.is_some()),
            ("--diff", self.diff.is_some()),
        ])
    }
}

/// A change, and what the run makes of it.
#[derive(Default)]
pub(super) struct Changed {
    /// What it did to files, by their names in reports.
    files: HashMap<String, FileChange>,
    /// Inputs that no diff could name: standard input, files outside of the repository.
    outside: HashSet<String>,
    /// With `--policy-from`: the commit that comments must be in to count, and what changed since.
    exceptions_from: Option<(String, HashMap<String, FileChange>)>,
    /// What the report says; `None` when nobody asked for changed lines only.
    pub(super) said: Option<OnlyChanged>,
}

/// A change as it was told.
struct Told {
    change: Change,
    top: PathBuf,
    /// What it is compared with.
    since: String,
}

impl Changed {
    /// Reads the change, if there is to be one. Files that it touches join the inputs where they lie below a named folder,
    /// also when an ignore file would hide them.
    pub(super) fn load(
        paths: &[PathBuf],
        args: &ChangeArgs,
        governance: &Governance,
        found: &mut Found,
    ) -> Result<Option<Self>, Failure> {
        let wanted = args.only_changed || args.changed_since.is_some() || args.diff.is_some();
        let of_comments = args.policy_from.as_deref().map(|reference| since(paths, reference)).transpose()?;
        let told = if wanted { told(paths, args, found)? } else { None };
        if !wanted && of_comments.is_none() {
            return Ok(None);
        }
        for told in told.iter().chain(&of_comments) {
            join(paths, told, governance, found);
        }
        let exceptions_from = of_comments.map(|told| {
            let reference = args.policy_from.clone().unwrap_or_default();
            (reference, by_name(&told, governance, found).0)
        });
        let Some(told) = told else {
            let off = "nothing says what the change is made for: GITHUB_BASE_REF, CI_MERGE_REQUEST_DIFF_BASE_SHA and \
                       CHANGE_TARGET are not set";
            let said = wanted.then(|| OnlyChanged { off: Some(off.into()), ..OnlyChanged::default() });
            return Ok(Some(Changed { exceptions_from, said, ..Changed::default() }));
        };
        let said = Some(OnlyChanged {
            since: Some(told.since.clone()),
            off: governing(&told, governance),
            files: told.change.files().count() as u64,
            ..OnlyChanged::default()
        });
        let (files, outside) = by_name(&told, governance, found);
        Ok(Some(Changed { files, outside, exceptions_from, said }))
    }

    /// Brings findings back to life that a comment suppresses which the change itself adds or alters.
    pub(super) fn void(&self, findings: &mut [Finding]) {
        let Some((reference, files)) = &self.exceptions_from else { return };
        for finding in findings {
            let Some(suppressed) = &finding.suppressed else { continue };
            let fresh =
                files.get(finding.path.as_str()).is_some_and(|file| file.touches(suppressed.line, suppressed.line));
            if suppressed.kind == SuppressionKind::Inline && fresh {
                finding.suppressed = None;
                finding.help = format_smolstr!(
                    "{} The comment that allows it is part of this change; it counts once it is in {reference}.",
                    finding.help
                );
            }
        }
    }

    /// Is it to be reported? If not, it is counted.
    pub(super) fn keeps(&mut self, finding: &Finding) -> bool {
        let Some(said) = self.said.as_mut().filter(|said| said.off.is_none()) else { return true };
        let region = &finding.region;
        let here = [(region.start_line, region.end_line), finding.fault];
        let here = here.map(|(first, last)| (finding.path.as_str(), first, last));
        let others =
            finding.related.iter().map(|other| (other.path.as_str(), other.region.start_line, other.region.end_line));
        let touched = here.into_iter().chain(others).any(|(path, first, last)| {
            self.outside.contains(path) || self.files.get(path).is_some_and(|file| file.touches(first, last))
        });
        if !touched && finding.suppressed.is_none() {
            match finding.severity {
                Severity::Error => said.left_out.error += 1,
                Severity::Warning => said.left_out.warning += 1,
                Severity::Note => said.left_out.note += 1,
            }
        }
        touched
    }
}

/// The change that the arguments, or a CI service, speak of; `None` when nothing does.
fn told(paths: &[PathBuf], args: &ChangeArgs, found: &Found) -> Result<Option<Told>, Failure> {
    let folder = folder_of_first(paths);
    if let Some(diff) = &args.diff {
        if diff.as_os_str() == "-" && found.inputs.iter().any(|input| input.is_stdin()) {
            return Err(Failure::Usage("standard input is either the diff or a file to check, not both".into()));
        }
        let (bytes, name) = (read(diff)?, name_of(diff));
        let change = Change::read(&bytes).map_err(|error| Failure::Usage(format!("--diff {name}, {error}")))?;
        if change.is_empty() && !bytes.trim_ascii().is_empty() {
            return Err(Failure::Usage(format!(
                "--diff {name}: names no changed file; pass a unified diff, as `git diff` and `diff -ruN` write it"
            )));
        }
        let top = top_of(&folder)?;
        let mut files = change.files().map(|(path, _)| git::path_of(path)).peekable();
        let below = |path: &Path| path.components().all(|part| matches!(part, Component::Normal(_)));
        let is_there = |path: PathBuf| below(&path) && fs::symlink_metadata(top.join(path)).is_ok();
        if files.peek().is_some() && !files.any(is_there) {
            return Err(Failure::Usage(format!(
                "--diff {name}: none of the files it names is below {}, where its paths count from; make it there, without \
                 --relative",
                name_of(&top)
            )));
        }
        drop(files);
        return Ok(Some(Told { change, top, since: format!("the diff {name}") }));
    }
    if let Some(reference) = &args.changed_since {
        return since(paths, reference).map(Some);
    }
    let base = base_of_request(|| Repository::of(&folder))?;
    base.map(|(repository, reference)| in_repository(repository, &reference)).transpose()
}

/// What changed since the history left that of a reference.
fn since(paths: &[PathBuf], reference: &str) -> Result<Told, Failure> {
    in_repository(Repository::of(&folder_of_first(paths))?, reference)
}

fn in_repository(repository: Repository, reference: &str) -> Result<Told, Failure> {
    let commit = repository.fork_point(&repository.commit(reference)?)?;
    let diff = repository.diff(&commit)?;
    let mut change = Change::read(&diff).map_err(|error| Failure::Usage(format!("git diff, {error}")))?;
    repository.untracked()?.into_iter().for_each(|path| change.add_whole(path));
    let since = format!("{reference} ({})", &commit[..commit.len().min(12)]);
    Ok(Told { change, top: repository.top, since })
}

/// What the branch of a pull or merge request is to be merged into, as CI services say it.
fn base_of_request(
    repository: impl FnOnce() -> Result<Repository, Failure>,
) -> Result<Option<(Repository, String)>, Failure> {
    let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    if let Some(commit) = set("CI_MERGE_REQUEST_DIFF_BASE_SHA") {
        return Ok(Some((repository()?, commit)));
    }
    let Some(branch) = set("GITHUB_BASE_REF").or_else(|| set("CHANGE_TARGET")) else { return Ok(None) };
    let repository = repository()?;
    let remote = format!("refs/remotes/origin/{branch}");
    let merged = set("GITHUB_REF").is_some_and(|name| name.starts_with("refs/pull/") && name.ends_with("/merge"));
    if repository.commit(&remote).is_err() && merged && repository.commit("HEAD^2").is_ok() {
        // GitHub checks out the merge it would make: its first parent is the branch, also where nothing else was fetched.
        return Ok(Some((repository, "HEAD^1".into())));
    }
    Ok(Some((repository, remote)))
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let fail = |error: io::Error| Failure::Usage(format!("--diff {}: cannot be read: {error}", name_of(path)));
    let mut bytes = Vec::new();
    let mut stream: Box<dyn Read> = match path.as_os_str() == "-" {
        true => Box::new(io::stdin().lock()),
        false => Box::new(File::open(path).map_err(fail)?),
    };
    stream.by_ref().take(MAX_DIFF + 1).read_to_end(&mut bytes).map_err(fail)?;
    match bytes.len() as u64 > MAX_DIFF {
        true => Err(Failure::Usage(format!("--diff: larger than {} MiB; check everything instead", MAX_DIFF >> 20))),
        false => Ok(bytes),
    }
}

/// The folder that the paths of a diff count from: the repository's, else the working folder.
fn top_of(folder: &Path) -> Result<PathBuf, Failure> {
    let real = |path: &Path| {
        fs::canonicalize(path).map_err(|error| Failure::Usage(format!("{}: cannot be read: {error}", name_of(path))))
    };
    let start = real(folder)?;
    match start.ancestors().find(|above| above.join(".git").exists()) {
        Some(top) => Ok(top.to_path_buf()),
        None => real(Path::new(".")),
    }
}

/// Adds files that the change touches and an ignore file hides: git has them all the same.
fn join(paths: &[PathBuf], told: &Told, governance: &Governance, found: &mut Found) {
    let known: HashSet<PathBuf> = found.inputs.iter().map(|input| input.path().to_path_buf()).collect();
    let roots = paths.iter().filter(|path| path.is_dir());
    let roots: Vec<(&PathBuf, PathBuf)> =
        roots.filter_map(|path| fs::canonicalize(path).ok().map(|real| (path, real))).collect();
    for (path, _) in told.change.files() {
        let full = told.top.join(git::path_of(path));
        let named = roots.iter().find_map(|(path, real)| Some(path.join(full.strip_prefix(real).ok()?)));
        let Some(named) = named.filter(|named| !known.contains(named) && !governance.ignores(named)) else { continue };
        let regular = fs::symlink_metadata(&full).is_ok_and(|metadata| metadata.is_file());
        if regular && fs::canonicalize(&full).is_ok_and(|real| real == full) {
            found.inputs.push(Input::found(named));
        }
    }
    found.inputs.sort_by(Input::by_name);
    found.inputs.dedup_by(|a, b| a.name() == b.name() && a.path() == b.path());
}

/// Why everything is reported: the change touches what governs the run.
fn governing(told: &Told, governance: &Governance) -> Option<String> {
    let inside = |path: &Path| path.strip_prefix(&told.top).ok().map(Path::to_path_buf);
    let own = governance.files.iter().filter_map(|path| inside(path));
    let own = own.filter(|path| told.change.names(path.as_os_str().as_bytes())).map(|path| name_of(&path)).min();
    let policy = || told.change.named(policy::FILE_NAME.as_bytes()).map(|path| name_of(&git::path_of(path)));
    own.or_else(policy).map(|name| format!("the change touches {name}, which says how files are judged"))
}

/// What the change did to the inputs, and the inputs it can say nothing of.
fn by_name(told: &Told, governance: &Governance, found: &Found) -> (HashMap<String, FileChange>, HashSet<String>) {
    let (mut files, mut outside): (HashMap<String, FileChange>, _) = (HashMap::new(), HashSet::new());
    for input in &found.inputs {
        let real = fs::canonicalize(input.path()).ok();
        let Some(inside) = real.as_ref().and_then(|real| real.strip_prefix(&told.top).ok()) else {
            outside.insert(input.name().to_string());
            continue;
        };
        let Some(change) = told.change.of(inside.as_os_str().as_bytes()) else { continue };
        let mut change = change.clone();
        // A file that the policy treats otherwise under its new name is as good as new.
        let moved = change.from.as_deref().map(|from| told.top.join(git::path_of(from)));
        change.whole |= moved.is_some_and(|from| !governance.treats_alike(&from, input.path()));
        let known = files.entry(input.name().to_string()).or_default();
        known.whole |= change.whole;
        known.lines.extend(change.lines);
    }
    (files, outside)
}
