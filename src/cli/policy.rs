//! What governs a run: the policy file and what it names, the command line on top, and a plan for every file.

use super::args::CheckArgs;
use super::exit::Failure;
use super::store::Store;
use super::{problem, rules, trust};
use crate::audit::WaiverRef;
use crate::audit::ratchet::Accepted;
use crate::check::check_targets;
use crate::discover::walk::{self, folder_of};
use crate::evaluate::{Adjustments, Plan, Selection};
use crate::hex::hex;
use crate::model::{At, Field, Target, TargetKind, WorkflowEntry};
use crate::policy::{self, FailOn, Fitting, Policy, PolicyFile, RawPolicy, Workflow};
use crate::report::{Finding, PolicyFrom, WorkflowRef};
use crate::rule::RuleBook;
use crate::source::Source;
use crate::suppress::{self, baseline::Baseline, waiver::Waivers};
use sha2::{Digest, Sha256};
use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The profile family with the rules on workflows.
const WORKFLOW_FAMILY: &str = "ttt";

/// Everything that decides how files are judged and which findings count.
pub(super) struct Governance {
    /// Built-in rules and the user's.
    pub(super) book: Arc<RuleBook>,
    /// For what belongs to no file, and for files without overrides.
    pub(super) plan: Arc<Plan>,
    pub(super) waivers: Waivers,
    pub(super) baseline: Option<Baseline>,
    /// What stands where this run writes a baseline, when that is another one.
    pub(super) replaced: Option<Baseline>,
    /// What the report is to say of all this.
    pub(super) notes: Vec<String>,
    /// SHA-256 over policy, rule files, waivers and baseline; `None` without any.
    pub(super) digest: Option<String>,
    pub(super) fail_on: FailOn,
    /// Where all that was read, when not from disk.
    pub(super) policy_from: Option<PolicyFrom>,
    /// Every file and folder that governs the run, as absolute paths.
    pub(super) files: Vec<PathBuf>,
    root: Root,
    policy: Option<Policy>,
    /// The policy as written.
    file: Option<PolicyFile>,
    chosen: Vec<usize>,
    only: Vec<String>,
    ignore: Vec<String>,
    /// Bounds by limit name that outdo the policy's.
    limits: BTreeMap<String, i64>,
    /// What the last audit accepted, in audits.
    audited: Option<Arc<Accepted>>,
    plans: RefCell<HashMap<Fitting, Arc<Plan>>>,
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
        let store = Store::new(args.change.policy_from.as_deref(), &folder_of_first(&args.paths))?;
        let mut notes = Vec::new();
        let path = match (&args.config, args.no_config) {
            (Some(path), _) => Some(path.clone()),
            (None, true) => None,
            (None, false) => match args.paths.first() {
                Some(path) => discover(&store, path, &mut notes)?,
                None => None,
            },
        };
        let found = path.as_deref().map(|path| Found::read(&store, path)).transpose()?;
        let folder = path.as_deref().map_or(Path::new("."), folder_of);
        let folder = store
            .real(folder)
            .map_err(|error| Failure::Usage(format!("{}: cannot be read: {error}", folder.display())))?;
        let root = Root { folder, known: RefCell::default() };
        let mut digest = Parts::default();
        let (mut rule_files, mut waiver_files, mut baseline_file) = (vec![], vec![], None);
        if let Some(found) = &found {
            digest.add("policy", &found.source);
            rule_files = found.below(&store, &root, "rule-files", &found.file.raw.rule_files)?;
            let names: Vec<String> = found.file.raw.waivers.iter().map(|file| file.path().to_string()).collect();
            waiver_files = found.below(&store, &root, "waivers", &names)?;
            if args.waivers.is_empty() {
                found.pinned(&store, &waiver_files)?;
            }
            let baseline = found.file.raw.baseline.as_slice();
            baseline_file = found.baseline(&store, &root, baseline, args.write_baseline.as_deref())?;
        }
        rule_files.extend(args.rules.iter().cloned());
        let waiver_files = if args.waivers.is_empty() { waiver_files } else { args.waivers.clone() };
        let baseline_file = args.baseline.clone().or(baseline_file);
        let lists = [&rule_files, &waiver_files, &args.issuers, given_keys(args)];
        let named = path.iter().chain(&baseline_file).chain(lists.into_iter().flatten());
        let files = named.filter_map(|path| store.real(path).ok()).collect();
        let (mut book, sources) = rules::book_and_sources(&store, &rule_files)?;
        sources.iter().for_each(|source| digest.add("rule", source));
        let registries = trust::issuers(&store, &mut book.registry, &args.issuers)?;
        registries.iter().for_each(|source| digest.add("issuers", source));
        let policy = found.as_ref().map(|found| found.file.compile(&book).map_err(|error| found.failure(&error)));
        let (policy, waivers) = (policy.transpose()?, read_waivers(&store, &waiver_files, &root, &book, &mut digest)?);
        let replaced = replaced_baseline(args, baseline_file.as_deref(), &root)?;
        let baseline = read_baseline(&store, baseline_file, args, &root, &mut digest)?;

        let chosen = args.profile.iter().map(|text| book.resolve_profile(text)).collect::<Result<Vec<_>, _>>()?;
        let named = |names: &[String]| -> Result<Vec<String>, Failure> {
            Ok(names.iter().map(|name| rules::named(&book, name)).collect::<Result<Vec<_>, _>>()?.concat())
        };
        let (only, ignore) = (named(&args.only)?, named(&args.ignore)?);
        let digest = digest.finish();
        if let Some(pinned) = args.policy_digest.as_deref().filter(|pinned| Some(*pinned) != digest.as_deref()) {
            let now = digest.as_deref().unwrap_or("no policy");
            return Err(Failure::Usage(format!(
                "--policy-digest {pinned}: the effective policy is another one ({now})"
            )));
        }
        let by_policy = found.as_ref().and_then(|found| found.file.raw.fail_on);
        let book = Arc::new(book);
        // The process ends soon after its run: giving back the book piece by piece would take a tenth of a short one.
        std::mem::forget(Arc::clone(&book));
        // No rule has an empty name: this plan holds nothing until the one below is made.
        let nothing = Adjustments { only: vec![String::new()], ..Adjustments::default() };
        let mut governance = Governance {
            plan: Arc::new(Plan::new(Arc::clone(&book), Selection::Auto, &nothing)),
            book,
            waivers,
            baseline,
            replaced,
            notes,
            digest,
            fail_on: args.fail_on.or(by_policy).unwrap_or_default(),
            policy_from: store.from().cloned(),
            files,
            root,
            policy,
            file: found.map(|found| found.file),
            chosen,
            only,
            ignore,
            limits: BTreeMap::new(),
            audited: None,
            plans: RefCell::default(),
        };
        governance.plan = governance.plan_with(Fitting::default());
        Ok(governance)
    }

    /// Puts bounds in the place of the profiles' and the policy's.
    pub(super) fn limit(&mut self, limits: &BTreeMap<String, policy::Amount>) -> Result<(), Failure> {
        for (name, amount) in limits {
            let bound = policy::limit(&self.book, name, amount);
            self.limits.insert(name.clone(), bound.map_err(|error| Failure::Usage(format!("{name}: {error}")))?);
        }
        self.plans.borrow_mut().clear();
        self.plan = self.plan_with(Fitting::default());
        Ok(())
    }

    /// Judges as an audit does, which remembers what earlier ones accepted.
    pub(super) fn audit(&mut self, accepted: Accepted) {
        self.audited = Some(Arc::new(accepted));
        self.plans.borrow_mut().clear();
        self.plan = self.plan_with(Fitting::default());
    }

    /// Judges as an audit that remembers nothing: the run takes an inventory, and finds what it would find without.
    pub(super) fn take_inventory(&mut self) {
        self.audit(Accepted::default());
    }

    /// The name of the service that the files of a plan belong to, where the policy declares it.
    pub(super) fn service_of(&self, plan: &Plan) -> Option<String> {
        let entry = plan.software.as_ref()?.entry?;
        self.raw()?.services.get(entry).and_then(|service| service.name.clone())
    }

    /// The waivers of the run as reports list them.
    pub(super) fn waiver_list(&self) -> Vec<WaiverRef> {
        let waivers = self.waivers.list().map(|(raw, path, ends, used)| WaiverRef {
            rule: raw.rule.clone(),
            owner: raw.owner.clone(),
            path: path.to_string(),
            ends: ends.map(crate::rule::message::time),
            used,
        });
        waivers.collect()
    }

    /// The policy as written; `None` without one.
    pub(super) fn raw(&self) -> Option<&RawPolicy> {
        self.file.as_ref().map(|file| &file.raw)
    }

    /// Where a profile was chosen, for the report.
    pub(super) fn chosen_by(&self, profile: usize) -> &'static str {
        match (self.of_workflows() == Some(profile), self.chosen.is_empty()) {
            (true, _) => "the policy declares workflows",
            (false, true) => policy::FILE_NAME,
            (false, false) => "--profile",
        }
    }

    /// The profile that holds the rules on workflows, when the policy declares any: whoever says what tokens are for
    /// wants them judged by that.
    fn of_workflows(&self) -> Option<usize> {
        let any = self.policy.as_ref().is_some_and(|policy| !policy.workflows.all().is_empty());
        if any { self.book.newest(WORKFLOW_FAMILY) } else { None }
    }

    /// The policy's workflows, with how many targets were judged as theirs.
    pub(super) fn workflows(&self, found: &BTreeMap<usize, u64>) -> Vec<WorkflowRef> {
        let entry = |(index, workflow): (usize, &Workflow)| WorkflowRef {
            name: workflow.raw.name.clone(),
            class: workflow.raw.class.name().into(),
            user_class: workflow.raw.user_class.name().into(),
            targets: found.get(&index).copied().unwrap_or(0),
        };
        self.plan.workflows.all().iter().enumerate().map(entry).collect()
    }

    /// Findings about the workflows themselves. `whole` says that the run judged everything below the policy's folder.
    pub(super) fn about_workflows(&self, found: &BTreeMap<usize, u64>, whole: bool, now: i64) -> Vec<Finding> {
        let Some(file) = &self.file else { return vec![] };
        let (document, places) = file.workflow_places();
        let entries = self.plan.workflows.all().iter().zip(places).enumerate();
        let target = |(index, (workflow, place)): (usize, (&Workflow, crate::parse::Cursor<'_>))| {
            let raw = &workflow.raw;
            let at = |name: &str| place.get(name).map(|member| At::node(member.id));
            let names = raw.mitigations.iter().map(|mitigation| Field::text(mitigation.name(), at("mitigations")));
            let used = found.contains_key(&index);
            let seconds = workflow.max_transfer_time;
            let record = WorkflowEntry {
                name: Field::text(raw.name.clone(), at("name")),
                class: Field::text(raw.class.name(), at("class")),
                user_class: Field::text(raw.user_class.name(), at("user-class")),
                max_transfer_time: seconds
                    .map_or_else(Field::default, |time| Field::int(time, at("max-transfer-time"))),
                contact: raw.contact.clone().map_or_else(Field::default, |text| Field::text(text, at("contact"))),
                mitigations: Field::list(names.collect(), at("mitigations")),
                used: if used || whole { Field::bool(used, at("name")) } else { Field::default() },
            };
            let mut target = Target::new(TargetKind::Workflow, raw.name.clone(), record);
            target.identity = format!("{}\0workflow\0{}", policy::FILE_NAME, raw.name).into();
            target.at = At::node(place.id);
            target
        };
        let targets: Vec<Target<'_>> = entries.map(target).collect();
        check_targets(&self.plan, document, &targets, now).findings
    }

    /// Is a file or folder met while walking left out?
    pub(super) fn ignores(&self, path: &Path) -> bool {
        self.policy.as_ref().is_some_and(|policy| policy.ignores(&self.relative(path)))
    }

    /// Does the policy treat two paths of one file the same?
    pub(super) fn treats_alike(&self, one: &Path, other: &Path) -> bool {
        let (one, other) = (self.relative(one), self.relative(other));
        self.policy
            .as_ref()
            .is_none_or(|policy| policy.fitting(&one) == policy.fitting(&other) && !policy.ignores(&one))
    }

    /// A path relative to the policy's folder, with `/` separators; as named when it lies elsewhere.
    pub(super) fn relative(&self, path: &Path) -> String {
        self.root.relative(path)
    }

    /// The plan for a file, by its path relative to the policy's folder. Files that the same overrides fit share it.
    pub(super) fn plan_for(&self, relative: &str) -> Arc<Plan> {
        self.plan_with(self.policy.as_ref().map_or_else(Fitting::default, |policy| policy.fitting(relative)))
    }

    /// The plans that were needed.
    pub(super) fn plans(&self) -> Vec<Arc<Plan>> {
        self.plans.borrow().values().cloned().collect()
    }

    fn plan_with(&self, fitting: Fitting) -> Arc<Plan> {
        let mut plans = self.plans.borrow_mut();
        let plan = plans.entry(fitting).or_insert_with_key(|fitting| {
            let (selection, mut adjustments) =
                self.policy.as_ref().map_or_else(Default::default, |policy| policy.adjustments(fitting));
            let selection = if self.chosen.is_empty() { selection } else { Selection::Chosen(self.chosen.clone()) };
            if !self.only.is_empty() {
                // Asking for a rule by name turns it on, whatever the policy says.
                adjustments.severities.retain(|id, severity| severity.is_some() || !self.only.contains(id));
                adjustments.only.clone_from(&self.only);
            }
            let selection = match selection {
                Selection::Chosen(chosen) => Selection::Chosen(chosen.into_iter().chain(self.of_workflows()).collect()),
                Selection::Auto => Selection::Auto,
            };
            adjustments.limits.extend(self.limits.iter().map(|(name, bound)| (name.clone(), *bound)));
            adjustments.audited.clone_from(&self.audited);
            adjustments.severities.extend(self.ignore.iter().map(|id| (id.clone(), None)));
            let mut plan = Plan::new(Arc::clone(&self.book), selection, &adjustments);
            if *fitting != Fitting::default() {
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
        if !known.contains_key(folder) {
            let real = fs::canonicalize(folder).ok();
            let below = real.and_then(|real| real.strip_prefix(&self.folder).ok().map(Path::to_path_buf));
            known.insert(folder.to_path_buf(), below);
        }
        match (known.get(folder).and_then(Option::as_deref), name) {
            (Some(below), Some(name)) => walk::name_of(&below.join(name)),
            _ => walk::name_of(path),
        }
    }

    /// A source whose fingerprints count from here.
    fn anchored(&self, source: Source, path: &Path) -> Arc<Source> {
        Arc::new(source.anchored(self.relative(path)))
    }
}

/// A real path, relative to the working folder when it lies below it, as reports name files.
fn seen_from_here(real: PathBuf) -> PathBuf {
    let here = fs::canonicalize(".").ok();
    here.and_then(|here| real.strip_prefix(here).ok().map(Path::to_path_buf)).unwrap_or(real)
}

/// The folder that the first of some paths is or lies in; the working folder for standard input.
pub(super) fn folder_of_first(paths: &[PathBuf]) -> PathBuf {
    match paths.first() {
        Some(path) if path.as_os_str() != "-" => if path.is_dir() { path } else { folder_of(path) }.to_path_buf(),
        Some(_) | None => PathBuf::from("."),
    }
}

#[cfg(feature = "verify")]
fn given_keys(args: &CheckArgs) -> &Vec<PathBuf> {
    &args.keys
}

#[cfg(not(feature = "verify"))]
fn given_keys(_: &CheckArgs) -> &Vec<PathBuf> {
    const { &Vec::new() }
}

/// The policy that holds for a path: in its folder or the nearest folder above, within the repository. `notes` get what looks
/// like one and is none.
fn discover(store: &Store, path: &Path, notes: &mut Vec<String>) -> Result<Option<PathBuf>, Failure> {
    let start = if path.as_os_str() == "-" {
        Path::new(".")
    } else if path.is_dir() || store.is_folder(path) {
        path
    } else {
        folder_of(path)
    };
    // As it was named when it stands there, so that messages name it the same way.
    if let Some(own) = policy_in(store, start, notes)? {
        return Ok(Some(own));
    }
    let Ok(real) = store.real(start).or_else(|_| fs::canonicalize(start)) else { return Ok(None) };
    for (above, folder) in real.ancestors().enumerate() {
        if above > 0
            && let Some(found) = policy_in(store, folder, notes)?
        {
            return Ok(Some(seen_from_here(found)));
        }
        if folder.join(".git").exists() {
            break;
        }
    }
    Ok(None)
}

/// The policy in a folder.
fn policy_in(store: &Store, folder: &Path, notes: &mut Vec<String>) -> Result<Option<PathBuf>, Failure> {
    let path = folder.join(policy::FILE_NAME);
    if store.is_file(&path) {
        return Ok(Some(path));
    }
    let name = |path: PathBuf| walk::name_of(&seen_from_here(path));
    if store.from().is_none() && fs::symlink_metadata(&path).is_ok() {
        return Err(Failure::Usage(format!(
            "{}: the policy is to be here, and this is no file that can be read: a folder, or a link that leads nowhere; mend \
             it, or pass --config or --no-config",
            name(path)
        )));
    }
    let other = path.with_extension("yml");
    if store.is_file(&other) {
        notes.push(format!("{} is not read as the policy, whose name is {}", name(other), policy::FILE_NAME));
    }
    Ok(None)
}

impl Found {
    fn read(store: &Store, path: &Path) -> Result<Self, Failure> {
        let source = Arc::new(store.read(path, policy::MAX_FILE).map_err(Failure::Reported)?);
        match PolicyFile::read(&source) {
            Ok(file) => Ok(Found { file, source }),
            Err(error) => Err(Failure::Reported(problem::render(&source, &error))),
        }
    }

    fn failure(&self, error: &crate::parse::ParseError) -> Failure {
        Failure::Reported(problem::render(&self.source, error))
    }

    /// Files that the policy names. Each must exist and lie below its folder, links resolved.
    fn below(&self, store: &Store, root: &Root, member: &str, names: &[String]) -> Result<Vec<PathBuf>, Failure> {
        let resolve = |text: &String| -> Result<PathBuf, String> {
            let path = policy::inside(text)?;
            let real = store.real(&root.folder.join(path)).map_err(|_| "there is no such file; check the path")?;
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

    /// Refuses waiver files that are not the edition the policy names.
    fn pinned(&self, store: &Store, files: &[PathBuf]) -> Result<(), Failure> {
        for (index, (entry, path)) in self.file.raw.waivers.iter().zip(files).enumerate() {
            let Some(expected) = entry.sha256() else { continue };
            let error = |message: String| self.failure(&self.file.error("waivers", Some(index), message));
            if expected.len() != 64 || !expected.bytes().all(|digit| digit.is_ascii_hexdigit()) {
                return Err(error("`sha256` is expected as 64 hexadecimal digits, as sha256sum prints them".into()));
            }
            let source = store.read(path, suppress::MAX_FILE).map_err(Failure::Reported)?;
            let found = hex(&Sha256::digest(source.text().as_bytes()));
            if !expected.eq_ignore_ascii_case(&found) {
                return Err(error(format!(
                    "the file is another edition: its SHA-256 is {found}\nEither fetch the edition that was reviewed, or \
                     review this one and write its digest here."
                )));
            }
        }
        Ok(())
    }

    /// The baseline, which need not exist when this run writes it.
    fn baseline(
        &self,
        store: &Store,
        root: &Root,
        name: &[String],
        written: Option<&Path>,
    ) -> Result<Option<PathBuf>, Failure> {
        let path = name.first().and_then(|text| policy::inside(text).ok()).map(|path| root.folder.join(path));
        let same = |path: &PathBuf| written.is_some_and(|written| root.relative(written) == root.relative(path));
        if path.as_ref().is_some_and(|path| !path.exists() && same(path)) {
            return Ok(None);
        }
        Ok(self.below(store, root, "baseline", name)?.pop())
    }
}

fn read_waivers(
    store: &Store,
    files: &[PathBuf],
    root: &Root,
    book: &RuleBook,
    digest: &mut Parts,
) -> Result<Waivers, Failure> {
    let mut waivers = Waivers::default();
    for path in files {
        let source = store.read(path, suppress::MAX_FILE).map_err(Failure::Reported)?;
        let source = root.anchored(source, path);
        digest.add("waivers", &source);
        waivers.add(&source, book).map_err(|error| Failure::Reported(problem::render(&source, &error)))?;
    }
    Ok(waivers)
}

/// The baseline that this run replaces, where it does not read it anyway. Nothing but a baseline is replaced.
fn replaced_baseline(args: &CheckArgs, read: Option<&Path>, root: &Root) -> Result<Option<Baseline>, Failure> {
    let Some(path) = args.write_baseline.as_deref().filter(|path| path.is_file()) else { return Ok(None) };
    if read.is_some_and(|read| fs::canonicalize(read).ok() == fs::canonicalize(path).ok()) {
        return Ok(None);
    }
    let refused = || {
        let name = walk::name_of(path);
        Failure::Usage(format!("--write-baseline {name}: this file is there and is no baseline; name another one"))
    };
    let source = problem::read_small(path, suppress::MAX_FILE).map_err(|_| refused())?;
    Baseline::read(&root.anchored(source, path)).map(Some).map_err(|_| refused())
}

fn read_baseline(
    store: &Store,
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
    let source = root.anchored(store.read(&path, suppress::MAX_FILE).map_err(Failure::Reported)?, &path);
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
        self.any.then(|| hex(&self.hash.finalize()))
    }
}
