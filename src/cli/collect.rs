//! A run whose findings are kept instead of reported, for commands that compare or use them.

use super::args::CheckArgs;
use super::check::Job;
use super::exit::{Exit, Failure};
use super::policy::Governance;
use crate::discover::walk::Input;
use crate::report::{Checked, FileError, Finding, Reporter, Run};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::rc::Rc;
use std::sync::Arc;

/// What one run found.
pub(super) struct Found {
    /// All findings, suppressed ones as well.
    pub(super) findings: Vec<Finding>,
    /// What could not be read or judged.
    pub(super) errors: Vec<FileError>,
    /// How the run would have ended.
    pub(super) exit: Exit,
}

/// Judges files as `check` does; texts in `replaced` (by the names of their files in reports) stand in for what the files hold.
pub(super) fn run(
    args: &CheckArgs,
    now: jiff::Timestamp,
    governance: Governance,
    inputs: Vec<Input>,
    replaced: BTreeMap<String, Arc<str>>,
) -> Result<Found, Failure> {
    let collected = Rc::new(RefCell::new((Vec::new(), Vec::new())));
    let mut job = Job::new(args, now, governance, vec![Box::new(Collector(Rc::clone(&collected)))])?;
    job.replaced = replaced;
    job.check(inputs)?;
    job.settle()?;
    let exit = job.finish()?;
    let (findings, errors) = collected.take();
    Ok(Found { findings, errors, exit })
}

/// Keeps what a run says.
struct Collector(Rc<RefCell<(Vec<Finding>, Vec<FileError>)>>);

impl Reporter for Collector {
    fn file(&mut self, checked: &Checked<'_>) -> io::Result<()> {
        let (findings, errors) = &mut *self.0.borrow_mut();
        findings.extend(checked.findings.iter().cloned());
        errors.extend(checked.errors.iter().cloned());
        Ok(())
    }

    fn finish(&mut self, run: &Run) -> io::Result<()> {
        let (findings, errors) = &mut *self.0.borrow_mut();
        findings.extend(run.findings.iter().cloned());
        errors.extend(run.errors.iter().cloned());
        Ok(())
    }
}
