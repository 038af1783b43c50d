//! A run whose outcome is kept instead of reported, for commands that compare or use it.

use super::args::CheckArgs;
use super::check::Job;
use super::exit::{Exit, Failure};
use super::policy::Governance;
use crate::audit::inventory;
use crate::discover::walk::Input;
use crate::report::{Checked, FileError, Finding, Reporter, Run};
use smol_str::SmolStr;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::rc::Rc;
use std::sync::Arc;

/// Everything that reports of a run would show.
#[derive(Default)]
pub(super) struct Gathered {
    /// All findings, suppressed ones as well.
    pub(super) findings: Vec<Finding>,
    /// Paths of documents.
    pub(super) documents: Vec<String>,
    /// Those of which a part was not judged.
    pub(super) partial: BTreeSet<String>,
    /// What there is, where somebody asked for it.
    pub(super) inventory: Vec<inventory::Entry>,
    /// Rule, path and target of what could not be judged.
    pub(super) not_judged: BTreeSet<(SmolStr, SmolStr, SmolStr)>,
    /// What could not be read or judged.
    pub(super) errors: Vec<FileError>,
}

/// The reporter that writes nothing; its clones gather the same.
#[derive(Clone, Default)]
pub(super) struct Collector(Rc<RefCell<Gathered>>);

impl Collector {
    /// Hands over what was gathered.
    pub(super) fn take(&self) -> Gathered {
        self.0.take()
    }
}

impl Reporter for Collector {
    fn file(&mut self, checked: &Checked<'_>) -> io::Result<()> {
        let mut all = self.0.borrow_mut();
        all.findings.extend(checked.findings.iter().cloned());
        all.documents.extend(checked.documents.iter().map(|document| document.path.clone()));
        if checked.partial {
            all.partial.extend(checked.documents.iter().map(|document| document.path.clone()));
        }
        all.inventory.extend(checked.inventory.iter().cloned());
        let gaps = checked.not_judged.iter();
        all.not_judged.extend(gaps.map(|gap| (gap.rule.clone(), gap.path.clone(), gap.target.name.clone())));
        all.errors.extend(checked.errors.iter().cloned());
        Ok(())
    }

    fn finish(&mut self, run: &Run) -> io::Result<()> {
        let mut all = self.0.borrow_mut();
        all.findings.extend(run.findings.iter().cloned());
        all.errors.extend(run.errors.iter().cloned());
        Ok(())
    }
}

/// What one run found.
pub(super) struct Found {
    /// All findings, suppressed ones as well.
    pub(super) findings: Vec<Finding>,
    /// What could not be read or judged.
    pub(super) errors: Vec<FileError>,
    /// How the run would have ended.
    pub(super) exit: Exit,
    /// What governed the run. Its waivers and baseline are used up: another run needs its own.
    pub(super) governance: Governance,
}

/// Judges files as `check` does; texts in `replaced` (by the names of their files in reports) stand in for what the files
/// hold.
pub(super) fn run(
    args: &CheckArgs,
    now: jiff::Timestamp,
    governance: Governance,
    inputs: Vec<Input>,
    replaced: BTreeMap<String, Arc<str>>,
) -> Result<Found, Failure> {
    let collector = Collector::default();
    let mut job = Job::new(args, now, governance, vec![Box::new(collector.clone())])?;
    job.replaced = replaced;
    job.check(inputs)?;
    job.settle()?;
    let exit = job.finish()?;
    let Gathered { findings, errors, .. } = collector.take();
    Ok(Found { findings, errors, exit, governance: job.governance })
}
