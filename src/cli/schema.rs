//! `tokenvet schema` and `tokenvet completions`.

use super::args::{Args, CompletionsArgs, SchemaArgs};
use super::exit::{Exit, Failure};
use super::output;
use clap::CommandFactory;

/// The schema as committed under `schemas/`.
pub(super) fn run(args: &SchemaArgs) -> Result<Exit, Failure> {
    output::print(&crate::schema::text(args.what))?;
    Ok(Exit::Clean)
}

/// Completions for a shell.
pub(super) fn completions(args: &CompletionsArgs) -> Result<Exit, Failure> {
    let mut out = Vec::new();
    clap_complete::generate(args.shell, &mut Args::command(), "tokenvet", &mut out);
    output::print(&String::from_utf8_lossy(&out))?;
    Ok(Exit::Clean)
}
