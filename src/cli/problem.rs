//! Problems in the user's own tokenvet files, shown where they are.

use crate::discover::walk::{self, Input};
use crate::parse::ParseError;
use crate::report::{self, Options, Region, View};
use crate::source::Source;
use std::path::Path;

/// Reads a file of ours; the error is a line for standard error.
pub(super) fn read(path: &Path) -> Result<Source, String> {
    walk::read(&Input::named(path)).map_err(|error| format!("{}: {}\n", error.name, error.message))
}

/// Reads a file of ours that is small by nature; a larger one is refused before it is read.
pub(super) fn read_small(path: &Path, limit: u64) -> Result<Source, String> {
    match std::fs::metadata(path) {
        Ok(metadata) if metadata.is_file() && metadata.len() > limit => {
            let name = walk::name_of(path);
            Err(format!(
                "{name}: larger than {} MiB; this is no file of tokenvet's, or it must be split\n",
                limit >> 20
            ))
        }
        _ => read(path),
    }
}

/// A problem with a snippet of the file.
pub(super) fn render(source: &Source, error: &ParseError) -> String {
    let start = source.position(error.span.start as usize);
    let end = source.position(error.span.end as usize);
    let region = Region::new(start, end, error.span.start as usize, error.span.len());
    let options: Options = super::look(super::args::Color::Auto, false);
    report::problem(&View::new(source, &[]), &region, &error.message, options)
}
