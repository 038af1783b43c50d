//! Token power: which operations on which paths a set of scopes allows at a service of a given profile level.
//!
//! The profile's releases give the same scope different powers: `storage.stage` includes reading up to WLCG 1.1 and not
//! from 1.2 on. So power always belongs to a [`ServiceLevel`], never to the token alone, and `wlcg.ver` does not matter
//! (WLCG-SCP-013).
//!
//! Where a release says nothing, the answer is [`Answer::LeftToService`], neither yes nor no: listing of directories
//! (WLCG-SCP-019), metadata under 1.0, paths that a service may either normalise or refuse (WLCG-SCP-036). Paths lie
//! within the area of the issuer's VO (WLCG-SCP-046), so two powers compare only for tokens of one issuer.

use super::scope::{Capability, Family, ScopePath, path_defect};
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeSet;

/// The release of a profile that a service implements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ServiceLevel {
    /// WLCG Common JWT Profile 1.0 (2019).
    Wlcg10,
    /// WLCG 1.1 (September 2025).
    Wlcg11,
    /// WLCG 1.2 (December 2025).
    Wlcg12,
    /// WLCG 1.3 (June 2026).
    Wlcg13,
    /// SciTokens 2.0.
    SciTokens,
}

impl ServiceLevel {
    /// Every level, the newest of a family last.
    pub const ALL: [ServiceLevel; 5] = [
        ServiceLevel::Wlcg10,
        ServiceLevel::Wlcg11,
        ServiceLevel::Wlcg12,
        ServiceLevel::Wlcg13,
        ServiceLevel::SciTokens,
    ];

    /// The profile in the rule book.
    pub fn profile(self) -> &'static str {
        match self {
            ServiceLevel::Wlcg10 => "wlcg@1.0",
            ServiceLevel::Wlcg11 => "wlcg@1.1",
            ServiceLevel::Wlcg12 => "wlcg@1.2",
            ServiceLevel::Wlcg13 => "wlcg@1.3",
            ServiceLevel::SciTokens => "scitokens@2.0",
        }
    }

    /// The scopes it understands; those of the other family grant nothing (WLCG-SCP-027).
    pub fn family(self) -> Family {
        match self {
            ServiceLevel::Wlcg10 | ServiceLevel::Wlcg11 | ServiceLevel::Wlcg12 | ServiceLevel::Wlcg13 => Family::Wlcg,
            ServiceLevel::SciTokens => Family::SciTokens,
        }
    }
}

/// What a bearer may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Operation {
    /// Read the data of files that are online.
    Read,
    /// Ask for size, checksum and the like.
    Stat,
    /// List a directory.
    List,
    /// Upload a file under a name that is free.
    Create,
    /// Make a directory.
    MakeDirectory,
    /// Make the missing directories above the path of the grant; nothing below the path itself.
    MakeParents,
    /// Rename a file to a name that is free; both ends have to lie in paths of this operation.
    Rename,
    /// Overwrite, truncate or otherwise change what is stored.
    Overwrite,
    /// Delete.
    Delete,
    /// Bring files from tape to disk.
    Stage,
    /// Cancel requests to stage, release (evict), pin and unpin.
    ManageStaging,
    /// Ask whether files are on disk or on tape.
    Poll,
    /// See the state of jobs.
    ReadJobs,
    /// Submit jobs.
    CreateJobs,
    /// Change attributes of jobs.
    ModifyJobs,
    /// Remove jobs.
    CancelJobs,
    /// Run tasks (SciTokens `execute`).
    Execute,
}

impl Operation {
    /// The operation as a verb, to be followed by a path; jobs have none.
    pub fn verb(self) -> &'static str {
        match self {
            Operation::Read => "read",
            Operation::Stat => "stat",
            Operation::List => "list",
            Operation::Create => "create",
            Operation::MakeDirectory => "make directories",
            Operation::MakeParents => "make parent directories",
            Operation::Rename => "rename",
            Operation::Overwrite => "overwrite",
            Operation::Delete => "delete",
            Operation::Stage => "stage",
            Operation::ManageStaging => "cancel staging, release and pin",
            Operation::Poll => "poll locality",
            Operation::ReadJobs => "see jobs",
            Operation::CreateJobs => "submit jobs",
            Operation::ModifyJobs => "change jobs",
            Operation::CancelJobs => "remove jobs",
            Operation::Execute => "run tasks",
        }
    }

    /// True for operations on jobs, which have no path.
    pub fn is_on_jobs(self) -> bool {
        use Operation::{CancelJobs, CreateJobs, Execute, ModifyJobs, ReadJobs};
        matches!(self, ReadJobs | CreateJobs | ModifyJobs | CancelJobs | Execute)
    }
}

/// What a conforming service says to a request; ordered by how much is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Answer {
    /// No.
    Denied,
    /// The profile leaves it open, so that services differ.
    LeftToService,
    /// Yes.
    Allowed,
}

/// An operation and where it is granted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Grant {
    /// The operation.
    pub operation: Operation,
    path: ScopePath,
}

impl Grant {
    /// The path that the grant is for, with all below it; normalised, `/` for everything and for jobs. A trailing slash
    /// says that only a directory is meant.
    pub fn path(&self) -> String {
        self.path.to_string()
    }

    fn covers(&self, other: &Grant) -> bool {
        self.operation == other.operation && self.path.covers(&other.path)
    }
}

impl std::fmt::Display for Grant {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.operation.verb())?;
        if self.operation.is_on_jobs() { Ok(()) } else { write!(f, " {}", self.path) }
    }
}

/// All that a set of scopes allows at a service of one level. No grant lies within another one of its own set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Power {
    level: ServiceLevel,
    /// What the profile grants.
    allowed: BTreeSet<Grant>,
    /// What services may grant or not.
    left_to_service: BTreeSet<Grant>,
}

/// How two powers stand to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Relation {
    /// Neither has anything the other lacks.
    Equal,
    /// The first has all that the second has, and more.
    More,
    /// The second has all that the first has, and more.
    Less,
    /// Each has something that the other lacks.
    Incomparable,
    /// One of the two is not known.
    Unknown,
}

impl Relation {
    /// From whether each has something that the other lacks.
    pub fn of_extras(first: bool, second: bool) -> Self {
        match (first, second) {
            (false, false) => Relation::Equal,
            (true, false) => Relation::More,
            (false, true) => Relation::Less,
            (true, true) => Relation::Incomparable,
        }
    }
}

impl Power {
    /// What these scopes allow together. Scopes that are no capabilities, and operations that the level does not
    /// define, add nothing. More scopes never allow less; a token that services have to refuse as a whole has its power
    /// nevertheless, see [`refused_for`].
    pub fn of<'s>(scopes: impl IntoIterator<Item = &'s str>, level: ServiceLevel) -> Self {
        let (mut allowed, mut left) = (BTreeSet::new(), BTreeSet::new());
        for capability in scopes.into_iter().filter_map(Capability::parse) {
            if capability.family != level.family() {
                continue;
            }
            let firm = firmness(capability, level);
            for (operation, answer) in grants(capability, level) {
                let path = if operation.is_on_jobs() { None } else { capability.path };
                let grant = Grant { operation, path: ScopePath::new(path) };
                match answer.min(firm) {
                    Answer::Allowed => allowed.insert(grant),
                    Answer::LeftToService => left.insert(grant),
                    Answer::Denied => false,
                };
            }
        }
        Power::reduced(level, allowed, left)
    }

    /// Takes out what lies within another grant. What a grant covers stands right behind it, so each one has to be held
    /// against the last that was kept only.
    fn reduced(level: ServiceLevel, allowed: BTreeSet<Grant>, left: BTreeSet<Grant>) -> Self {
        let widest = |grants: BTreeSet<Grant>| {
            let mut kept: Vec<Grant> = Vec::new();
            for grant in grants {
                if !kept.last().is_some_and(|last| last.covers(&grant)) {
                    kept.push(grant);
                }
            }
            kept.into_iter().collect::<BTreeSet<Grant>>()
        };
        let mut power = Power { level, allowed: widest(allowed), left_to_service: BTreeSet::new() };
        power.left_to_service = widest(left).into_iter().filter(|grant| !covered(&power.allowed, grant)).collect();
        power
    }

    /// The level of the service.
    pub fn level(&self) -> ServiceLevel {
        self.level
    }

    /// What every conforming service of the level allows: operation and path.
    pub fn allowed(&self) -> impl Iterator<Item = &Grant> {
        self.allowed.iter()
    }

    /// What the profile leaves to the service, as far as it is not allowed anyway.
    pub fn left_to_service(&self) -> impl Iterator<Item = &Grant> {
        self.left_to_service.iter()
    }

    /// True when nothing is allowed and nothing left to the service.
    pub fn is_empty(&self) -> bool {
        self.allowed.is_empty() && self.left_to_service.is_empty()
    }

    fn all(&self) -> impl Iterator<Item = (&Grant, Answer)> {
        let left = self.left_to_service.iter().map(|grant| (grant, Answer::LeftToService));
        self.allowed.iter().map(|grant| (grant, Answer::Allowed)).chain(left)
    }

    /// How far a whole grant is within this power.
    fn reaches(&self, grant: &Grant) -> Answer {
        match () {
            () if covered(&self.allowed, grant) => Answer::Allowed,
            () if covered(&self.left_to_service, grant) => Answer::LeftToService,
            () => Answer::Denied,
        }
    }

    /// What this power has and the other lacks.
    pub fn beyond<'p>(&'p self, other: &'p Power) -> impl Iterator<Item = &'p Grant> {
        self.all().filter(|(grant, answer)| other.reaches(grant) < *answer).map(|(grant, _)| grant)
    }

    /// True when this power allows all that the other allows, and leaves to services no less.
    pub fn covers(&self, other: &Power) -> bool {
        other.beyond(self).next().is_none()
    }

    /// The partial order: no number, since a token that reads everything and one that deletes a folder do not compare.
    pub fn relation(&self, other: &Power) -> Relation {
        Relation::of_extras(!other.covers(self), !self.covers(other))
    }

    /// True when both hold the same, whatever their levels.
    pub fn is_same(&self, other: &Power) -> bool {
        self.allowed == other.allowed && self.left_to_service == other.left_to_service
    }

    /// What both allow. Of two levels the first one's is kept.
    pub fn intersection(&self, other: &Power) -> Power {
        let (mut allowed, mut left) = (BTreeSet::new(), BTreeSet::new());
        // Paths form a tree, so whatever two grants share is one of them.
        for (one, two) in [(self, other), (other, self)] {
            for (grant, answer) in one.all() {
                match answer.min(two.reaches(grant)) {
                    Answer::Allowed => allowed.insert(grant.clone()),
                    Answer::LeftToService => left.insert(grant.clone()),
                    Answer::Denied => false,
                };
            }
        }
        Power::reduced(self.level, allowed, left)
    }

    /// What a service says to an operation on a path inside the VO's area. A path that ends in a slash names a
    /// directory, any other a file; jobs need no path. Renaming has two ends: see [`Power::allows_rename`].
    pub fn allows(&self, operation: Operation, path: &str) -> Answer {
        let mut path = ScopePath::new(Some(path));
        path.directory |= matches!(operation, Operation::MakeDirectory | Operation::MakeParents | Operation::List);
        let answers = self.all().map(|(grant, answer)| match (grant.operation, operation) {
            (granted, wanted) if granted == wanted => answer.min(self.reach(&grant.path, &path)),
            (Operation::MakeParents, Operation::MakeDirectory) if path.covers(&grant.path) => answer,
            _ => Answer::Denied,
        });
        answers.max().unwrap_or(Answer::Denied)
    }

    /// What a service says to the renaming of a file to a name that is free. A name that is taken needs
    /// [`Operation::Overwrite`] there as well.
    pub fn allows_rename(&self, from: &str, to: &str) -> Answer {
        let (from, to) = (self.allows(Operation::Rename, from), self.allows(Operation::Rename, to));
        match (self.level, to) {
            // 1.0 asks only that the target is new, and does not say where (WLCG-SCP-008).
            (ServiceLevel::Wlcg10, Answer::Denied) => from.min(Answer::LeftToService),
            _ => from.min(to),
        }
    }

    /// Whether a path granted reaches a path asked for. What 1.1 spells out (whole components, the trailing slash) 1.0
    /// leaves open, and SciTokens the trailing slash.
    fn reach(&self, granted: &ScopePath, asked: &ScopePath) -> Answer {
        let same = granted.segments == asked.segments;
        match self.level {
            _ if granted.covers(asked) => Answer::Allowed,
            ServiceLevel::Wlcg10 | ServiceLevel::SciTokens if same => Answer::LeftToService,
            ServiceLevel::Wlcg10 if begins(granted, asked) => Answer::LeftToService,
            ServiceLevel::Wlcg10
            | ServiceLevel::Wlcg11
            | ServiceLevel::Wlcg12
            | ServiceLevel::Wlcg13
            | ServiceLevel::SciTokens => Answer::Denied,
        }
    }
}

/// True when one of the grants covers the given one: only the last that does not stand behind it can.
fn covered(grants: &BTreeSet<Grant>, grant: &Grant) -> bool {
    grants.range(..=grant).next_back().is_some_and(|last| last.covers(grant))
}

/// True when the text of the granted path begins the text of the other, in the middle of a component (`/foo/bar` and
/// `/foo/bargain`).
fn begins(granted: &ScopePath, asked: &ScopePath) -> bool {
    let Some((last, parents)) = granted.segments.split_last() else { return false };
    let there = asked.segments.get(parents.len());
    !granted.directory && asked.segments.starts_with(parents) && there.is_some_and(|name| name.starts_with(last))
}

/// How firmly a scope grants what its operation stands for: its path may be one that services refuse or set right.
fn firmness(capability: Capability<'_>, level: ServiceLevel) -> Answer {
    match (level, capability.path) {
        // No path: WLCG services have to refuse the token, and many read the root; SciTokens define it as the root.
        (ServiceLevel::SciTokens, None | Some("")) => Answer::Allowed,
        (_, None) if capability.operation.starts_with("compute.") => Answer::Allowed,
        // 1.0 has such a scope among its examples; no release says what the path means.
        (ServiceLevel::Wlcg10, Some("/")) => Answer::Allowed,
        (_, Some(_)) if capability.operation.starts_with("compute.") => Answer::LeftToService,
        (_, Some(path)) if path.starts_with('/') && path_defect(path).is_none() => Answer::Allowed,
        (_, None | Some(_)) => Answer::LeftToService,
    }
}

/// What the operation of a scope includes at a level; nothing when the level does not define it.
fn grants(capability: Capability<'_>, level: ServiceLevel) -> impl Iterator<Item = (Operation, Answer)> {
    let (rows, column): (&[Row], usize) = match level {
        ServiceLevel::Wlcg10 => (WLCG, 0),
        ServiceLevel::Wlcg11 => (WLCG, 1),
        ServiceLevel::Wlcg12 | ServiceLevel::Wlcg13 => (WLCG, 2),
        ServiceLevel::SciTokens => (SCITOKENS, 0),
    };
    // What stands behind `condor` is a level of HTCondor and no path.
    let condor = match (capability.operation, capability.path) {
        ("condor", Some("/READ")) => "condor:/READ",
        ("condor", Some("/WRITE")) => "condor:/WRITE",
        ("condor", Some(_)) if !capability.is_root() => "",
        (operation, _) => operation,
    };
    let rows = rows.iter().filter(move |(scopes, ..)| scopes.contains(&condor));
    rows.map(move |(_, operation, answers)| (*operation, answers[column.min(answers.len() - 1)]))
}

/// Scopes, an operation that each of them includes, and the answer at WLCG 1.0, at 1.1, and from 1.2 on (one answer:
/// at every level).
type Row = (&'static [&'static str], Operation, &'static [Answer]);

const NO: Answer = Answer::Denied;
const OPEN: Answer = Answer::LeftToService;
const YES: Answer = Answer::Allowed;

/// The storage scopes that count for metadata.
const DATA: &[&str] = &["storage.read", "storage.create", "storage.modify", "storage.stage"];

const WLCG: &[Row] = &[
    // WLCG-SCP-003; staging included reading up to 1.1 (WLCG-SCP-011, -012).
    (&["storage.read"], Operation::Read, &[YES]),
    (&["storage.stage"], Operation::Read, &[YES, YES, NO]),
    // 1.0 does not speak of metadata; locality counts among them from 1.2 on (WLCG-SCP-018).
    (DATA, Operation::Stat, &[OPEN, YES, YES]),
    (DATA, Operation::Poll, &[OPEN, OPEN, YES]),
    (&["storage.poll"], Operation::Poll, &[NO, NO, YES]), // WLCG-SCP-016, -017
    (DATA, Operation::List, &[OPEN]),                     // WLCG-SCP-019
    // WLCG-SCP-005 to -008, -040; all of it is part of modifying (WLCG-SCP-010).
    (&["storage.create", "storage.modify"], Operation::Create, &[YES]),
    (&["storage.create", "storage.modify"], Operation::MakeDirectory, &[YES]),
    (&["storage.create", "storage.modify"], Operation::MakeParents, &[YES]),
    (&["storage.create", "storage.modify"], Operation::Rename, &[YES]),
    (&["storage.modify"], Operation::Overwrite, &[YES]),
    (&["storage.modify"], Operation::Delete, &[YES]),
    (&["storage.stage"], Operation::Stage, &[YES]),
    // 1.0 is silent, 1.1 calls them likely (WLCG-SCP-014).
    (&["storage.stage"], Operation::ManageStaging, &[OPEN, OPEN, YES]),
    // WLCG-SCP-020 to -023
    (&["compute.read"], Operation::ReadJobs, &[YES]),
    (&["compute.create"], Operation::CreateJobs, &[YES]),
    (&["compute.modify"], Operation::ModifyJobs, &[YES]),
    (&["compute.cancel"], Operation::CancelJobs, &[YES]),
];

/// SCITOK-009 names the operations and says little more, so what lies around reading and writing is left to the
/// service; the levels of HTCondor are known from the reference library alone (SCITOK-025).
const SCITOKENS: &[Row] = &[
    (&["read"], Operation::Read, &[YES]),
    (&["read"], Operation::List, &[OPEN]),
    (&["read", "write"], Operation::Stat, &[OPEN]),
    (&["write"], Operation::Create, &[YES]),
    (&["write"], Operation::Overwrite, &[YES]),
    (&["write"], Operation::MakeDirectory, &[OPEN]),
    (&["write"], Operation::MakeParents, &[OPEN]),
    (&["write"], Operation::Rename, &[OPEN]),
    (&["write"], Operation::Delete, &[OPEN]),
    (&["queue"], Operation::CreateJobs, &[YES]),
    (&["queue", "condor", "condor:/READ"], Operation::ReadJobs, &[OPEN]),
    (&["execute"], Operation::Execute, &[YES]),
    (&["condor", "condor:/WRITE"], Operation::CreateJobs, &[OPEN]),
    (&["condor", "condor:/WRITE"], Operation::ModifyJobs, &[OPEN]),
    (&["condor", "condor:/WRITE"], Operation::CancelJobs, &[OPEN]),
];

/// The first scope for which a WLCG service has to refuse the whole token: a storage scope without a path
/// (WLCG-SCP-031). SciTokens have no such rule.
pub fn refused_for<'s>(scopes: impl IntoIterator<Item = &'s str>) -> Option<&'s str> {
    scopes.into_iter().find(|text| {
        Capability::parse(text).is_some_and(|scope| {
            scope.is_known() && scope.operation.starts_with("storage.") && matches!(scope.path, None | Some(""))
        })
    })
}
