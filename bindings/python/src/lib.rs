//! The Python module `tokenvet._native`: what the package `tokenvet` beside it is made of.
//!
//! Results go over as JSON, in the words of the command's json report; the package makes typed objects of them. While
//! texts are searched or judged other Python threads run. No exception quotes a text.

mod check;
mod part;
mod scan;
mod text;

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use std::ffi::OsString;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, OnceLock};
use tokenvet::evaluate::{Adjustments, Plan, Selection};
use tokenvet::rule::RuleBook;

/// Runs the command line in this process and says with which exit code it ought to end; the first argument is the
/// program's name.
#[pyfunction]
fn run(py: Python<'_>, arguments: Vec<OsString>) -> PyResult<u8> {
    released(py, || tokenvet::cli::run(arguments))
}

/// Does something while other Python threads run. What a panic says may quote input, so it goes no further; its place in
/// our sources stands on standard error.
fn released<T: Send>(py: Python<'_>, work: impl FnOnce() -> T + Send) -> PyResult<T> {
    let done = py.detach(|| catch_unwind(AssertUnwindSafe(work)));
    done.map_err(|_| PyRuntimeError::new_err("internal error of tokenvet; please report it with the line it printed"))
}

/// The built-in rules.
fn book() -> PyResult<Arc<RuleBook>> {
    static BOOK: OnceLock<Result<Arc<RuleBook>, String>> = OnceLock::new();
    let book = BOOK.get_or_init(|| RuleBook::builtin().map(Arc::new));
    book.clone().map_err(|defect| PyRuntimeError::new_err(format!("the built-in rule book: {defect}")))
}

/// The built-in rules, under the profiles that each target shows.
fn plan() -> PyResult<Arc<Plan>> {
    static PLAN: OnceLock<Arc<Plan>> = OnceLock::new();
    let book = book()?;
    Ok(Arc::clone(PLAN.get_or_init(|| Arc::new(Plan::new(book, Selection::Auto, &Adjustments::default())))))
}

/// What the package is made of.
#[pymodule]
mod _native {
    use pyo3::prelude::*;

    #[pymodule_export]
    use super::check::check;
    #[pymodule_export]
    use super::part::{merge_parts, scan_part, terms};
    #[pymodule_export]
    use super::run;
    #[pymodule_export]
    use super::scan::scan;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        tokenvet::cli::quiet_panics();
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}
