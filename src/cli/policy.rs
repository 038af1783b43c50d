//! What governs a run: the policy file and what it names, the command line on top, and a plan for every file.

use super::args::CheckArgs;
use super::exit::Failure;
use super::{problem, rules, trust};
use crate::discover::walk;
use crate::evaluate::{Adjustments, Plan, Selection};
use crate::policy::{self, FailOn, Policy, PolicyFile};
use crate::rule::RuleBook;
use crate::source::Source;
use crate::suppress::{self, baseline::Baseline, waiver::Waivers};
use sha2::{Digest, Sha256};
use std::cell::RefCell;
use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Everything that decides how files are judged and which findings count.
pub(super) struct Governance {
    /// Built-in rules and the user's.
    pub(super) book: Arc<RuleBook>,
    /// For what belongs to no file, and for files without overrides.
    pub(super) plan: Arc<Plan>,
    /// Where a profile was chosen, for the report.
    pub(super) chosen_by: &'static str,
    pub(super) waivers: Waivers,
    pub(super) baseline: Option<Baseline>,
    /// SHA-256 over policy, rule files, waivers and baseline; `None` without any.
    pub(super) digest: Option<String>,
    pub(super) fail_on: FailOn,
    root: Root,
    policy: Option<Policy>,
    chosen: Vec<usize>,
    only: Vec<String>,
    ignore: Vec<String>,
    plans: RefCell<HashMap<Vec<usize>, Arc<Plan>>>,
}

/// The folder that globs, fingerprints and baselines count from.
struct Root {
    folder: PathBuf,
    /// Where folders as they were named really are: below the root, or elsewhere.
    known: RefCell<HashMap<PathBuf, Option<PathBuf>>>,
}

/// A policy file as it was read, and the files it names.
struct Found {
    file: PolicyFile,
    source: Arc<Source>,
}

impl Governance {
    /// Finds and reads everything.
    pub(super) fn load(args: &CheckArgs) -> Result<Self, Failure> {
        let path = match (&args.config, args.no_config) {
            (Some(path), _) => Some(path.clone()),
            (None, true) => None,
            (None, false) => args.paths.first().and_then(|path| discover(path)),
        };
        let found = path.as_deref().map(Found::read).transpose()?;
        let folder = path.as_deref().map_or(Path::new("."), folder_of);
        let folder = fs::canonicalize(folder)
            .map_err(|error| Failure::Usage(format!("{}: cannot be read: {error}", folder.display())))?;
        let root = Root { folder, known: RefCell::default() };
        let mut digest = Parts::default();
        let (mut rule_files, mut waiver_files, mut baseline_file) = (vec![], vec![], None);
        if let Some(found) = &found {
            digest.add("policy", &found.source);
            rule_files = found.below(&root, "rule-files", &found.file.raw.rule_files)?;
            waiver_files = found.below(&root, "waivers", &found.file.raw.waivers)?;
            let baseline = found.file.raw.baseline.as_slice();
            baseline_file = found.baseline(&root, baseline, args.write_baseline.as_deref())?;
        }
        rule_files.extend(args.rules.iter().cloned());
        let (mut book, sources) = rules::book_and_sources(&rule_files)?;
        sources.iter().for_each(|source| digest.add("rule", source));
        let registries = trust::issuers(&mut book.registry, &args.issuers)?;
        registries.iter().for_each(|source| digest.add("issuers", source));
        let policy = found.as_ref().map(|found| found.file.compile(&book).map_err(|error| found.failure(&error)));
        let waiver_files = if args.waivers.is_empty() { waiver_files } else { args.waivers.clone() };
        let (policy, waivers) = (policy.transpose()?, read_waivers(&waiver_files, &root, &book, &mut digest)?);
        let baseline = read_baseline(args.baseline.clone().or(baseline_file), args, &root, &mut digest)?;

        let chosen = args.profile.iter().map(|text| book.resolve_profile(text)).collect::<Result<Vec<_>, _>>()?;
        args.only.iter().chain(&args.ignore).try_for_each(|id| rules::known(&book, id))?;
        let digest = digest.finish();
        if let Some(pinned) = args.policy_digest.as_deref().filter(|pinned| Some(*pinned) != digest.as_deref()) {
            let now = digest.as_deref().unwrap_or("no policy");
            return Err(Failure::Usage(format!(
                "--policy-digest {pinned}: the effective policy is another one ({now})"
            )));
        }
        let by_policy = found.as_ref().and_then(|found| found.file.raw.fail_on);
        let book = Arc::new(book);
        let mut governance = Governance {
            plan: Arc::new(Plan::new(Arc::clone(&book), Selection::Auto, &Adjustments::default())),
            book,
            chosen_by: if chosen.is_empty() { policy::FILE_NAME } else { "--profile" },
            waivers,
            baseline,
            digest,
            fail_on: args.fail_on.or(by_policy).unwrap_or_default(),
            root,
            policy,
            chosen,
            only: args.only.clone(),
            ignore: args.ignore.clone(),
            plans: RefCell::default(),
        };
        governance.plan = governance.plan_with(vec![]);
        Ok(governance)
    }

    /// Is a file or folder met while walking left out?
    pub(super) fn ignores(&self, path: &Path) -> bool {
        self.policy.as_ref().is_some_and(|policy| policy.ignores(&self.relative(path)))
    }

    /// A path relative to the policy's folder, with `/` separators; as named when it lies elsewhere.
    pub(super) fn relative(&self, path: &Path) -> String {
        self.root.relative(path)
    }

    /// The plan for a file, by its path relative to the policy's folder. Files that the same overrides fit share it.
    pub(super) fn plan_for(&self, relative: &str) -> Arc<Plan> {
        self.plan_with(self.policy.as_ref().map_or_else(Vec::new, |policy| policy.overrides(relative)))
    }

    /// The plans that were needed.
    pub(super) fn plans(&self) -> Vec<Arc<Plan>> {
        self.plans.borrow().values().cloned().collect()
    }

    fn plan_with(&self, overrides: Vec<usize>) -> Arc<Plan> {
        let mut plans = self.plans.borrow_mut();
        let plan = plans.entry(overrides).or_insert_with_key(|overrides| {
            let (selection, mut adjustments) =
                self.policy.as_ref().map_or_else(Default::default, |policy| policy.adjustments(overrides));
            let selection = if self.chosen.is_empty() { selection } else { Selection::Chosen(self.chosen.clone()) };
            if !self.only.is_empty() {
                // Asking for a rule by name turns it on, whatever the policy says.
                adjustments.severities.retain(|id, severity| severity.is_some() || !self.only.contains(id));
                adjustments.only.clone_from(&self.only);
            }
            adjustments.severities.extend(self.ignore.iter().map(|id| (id.clone(), None)));
            let mut plan = Plan::new(Arc::clone(&self.book), selection, &adjustments);
            if !overrides.is_empty() {
                plan.keep_facts_of(&self.plan);
            }
            Arc::new(plan)
        });
        Arc::clone(plan)
    }

    /// True when these paths hold the whole folder of the policy.
    pub(super) fn is_whole(&self, paths: &[PathBuf]) -> bool {
        let real = paths.iter().filter_map(|path| fs::canonicalize(path).ok());
        real.filter(|path| path.is_dir()).any(|path| self.root.folder.starts_with(path))
    }
}

impl Root {
    fn relative(&self, path: &Path) -> String {
        if path.as_os_str() == "-" || path.as_os_str() == "<stdin>" {
            return "<stdin>".into();
        }
        let (folder, name) = (folder_of(path), path.file_name());
        let mut known = self.known.borrow_mut();
        let below = known.entry(folder.to_path_buf()).or_insert_with(|| {
            let real = fs::canonicalize(folder).ok()?;
            real.strip_prefix(&self.folder).ok().map(Path::to_path_buf)
        });
        match (below, name) {
            (Some(below), Some(name)) => walk::name_of(&below.join(name)),
            _ => walk::name_of(path),
        }
    }

    /// A source whose fingerprints count from here.
    fn anchored(&self, source: Source, path: &Path) -> Arc<Source> {
        Arc::new(source.anchored(self.relative(path)))
    }
}

/// The folder a file stands in.
fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// A real path, relative to the working folder when it lies below it, as reports name files.
fn seen_from_here(real: PathBuf) -> PathBuf {
    let here = fs::canonicalize(".").ok();
    here.and_then(|here| real.strip_prefix(here).ok().map(Path::to_path_buf)).unwrap_or(real)
}

/// The policy that holds for a path: in its folder or the nearest folder above, within the repository.
fn discover(path: &Path) -> Option<PathBuf> {
    let start = if path.as_os_str() == "-" {
        Path::new(".")
    } else if path.is_dir() {
        path
    } else {
        folder_of(path)
    };
    // As it was named when it stands there, so that messages name it the same way.
    let own = start.join(policy::FILE_NAME);
    if own.is_file() {
        return Some(own);
    }
    let real = fs::canonicalize(start).ok()?;
    for folder in real.ancestors() {
        let candidate = folder.join(policy::FILE_NAME);
        if candidate.is_file() {
            return Some(seen_from_here(candidate));
        }
        if folder.join(".git").exists() {
            break;
        }
    }
    None
}

impl Found {
    fn read(path: &Path) -> Result<Self, Failure> {
        let source = Arc::new(problem::read_small(path, policy::MAX_FILE).map_err(Failure::Reported)?);
        match PolicyFile::read(&source) {
            Ok(file) => Ok(Found { file, source }),
            Err(error) => Err(Failure::Reported(problem::render(&source, &error))),
        }
    }

    fn failure(&self, error: &crate::parse::ParseError) -> Failure {
        Failure::Reported(problem::render(&self.source, error))
    }

    /// Files that the policy names. Each must exist and lie below its folder, links resolved.
    fn below(&self, root: &Root, member: &str, names: &[String]) -> Result<Vec<PathBuf>, Failure> {
        let resolve = |text: &String| -> Result<PathBuf, String> {
            let path = policy::inside(text)?;
            let real = fs::canonicalize(root.folder.join(path)).map_err(|_| "there is no such file; check the path")?;
            match real.strip_prefix(&root.folder) {
                Ok(_) => Ok(seen_from_here(real)),
                Err(_) => Err("a link leads out of the policy's folder".into()),
            }
        };
        let resolved = names.iter().enumerate().map(|(index, text)| {
            resolve(text).map_err(|message| self.failure(&self.file.error(member, Some(index), message)))
        });
        resolved.collect()
    }

    /// The baseline, which need not exist when this run writes it.
    fn baseline(&self, root: &Root, name: &[String], written: Option<&Path>) -> Result<Option<PathBuf>, Failure> {
        let path = name.first().and_then(|text| policy::inside(text).ok()).map(|path| root.folder.join(path));
        let same = |path: &PathBuf| written.is_some_and(|written| root.relative(written) == root.relative(path));
        if path.as_ref().is_some_and(|path| !path.exists() && same(path)) {
            return Ok(None);
        }
        Ok(self.below(root, "baseline", name)?.pop())
    }
}

fn read_waivers(files: &[PathBuf], root: &Root, book: &RuleBook, digest: &mut Parts) -> Result<Waivers, Failure> {
    let mut waivers = Waivers::default();
    for path in files {
        let source = problem::read_small(path, suppress::MAX_FILE).map_err(Failure::Reported)?;
        let source = root.anchored(source, path);
        digest.add("waivers", &source);
        waivers.add(&source, book).map_err(|error| Failure::Reported(problem::render(&source, &error)))?;
    }
    Ok(waivers)
}

fn read_baseline(
    path: Option<PathBuf>,
    args: &CheckArgs,
    root: &Root,
    digest: &mut Parts,
) -> Result<Option<Baseline>, Failure> {
    let Some(path) = path else { return Ok(None) };
    // The first baseline is written with the options of every later run.
    if args.write_baseline.as_deref() == Some(path.as_path()) && !path.exists() {
        return Ok(None);
    }
    let source = root.anchored(problem::read_small(&path, suppress::MAX_FILE).map_err(Failure::Reported)?, &path);
    digest.add("baseline", &source);
    Baseline::read(&source).map(Some).map_err(|error| Failure::Reported(problem::render(&source, &error)))
}

/// The digest of everything that governs a run. Names do not count: where a policy lies changes nothing.
#[derive(Default)]
struct Parts {
    hash: Sha256,
    any: bool,
}

impl Parts {
    fn add(&mut self, role: &str, source: &Source) {
        self.any = true;
        for part in [role.as_bytes(), source.text().as_bytes()] {
            self.hash.update((part.len() as u64).to_be_bytes());
            self.hash.update(part);
        }
    }

    fn finish(self) -> Option<String> {
        self.any.then(|| self.hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
    }
}
