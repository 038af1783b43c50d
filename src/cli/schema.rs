//! `tokenvet schema` and `tokenvet completions`.

use super::args::{Args, CompletionsArgs, SchemaArgs, SchemaKind};
use super::exit::{Exit, Failure};
use super::output;
use clap::CommandFactory;

/// The schema as committed under `schemas/`.
pub(super) fn run(args: &SchemaArgs) -> Result<Exit, Failure> {
    let kind = match args.what {
        SchemaKind::Rule => crate::schema::Kind::Rule,
        SchemaKind::Profile => crate::schema::Kind::Profile,
        SchemaKind::Ledger => crate::schema::Kind::Ledger,
        SchemaKind::Lifetimes => crate::schema::Kind::Lifetimes,
        SchemaKind::Policy => crate::schema::Kind::Policy,
        SchemaKind::Waivers => crate::schema::Kind::Waivers,
        SchemaKind::Audit => crate::schema::Kind::Audit,
        SchemaKind::Report => crate::schema::Kind::Report,
        SchemaKind::Inspect => crate::schema::Kind::Inspect,
        SchemaKind::Compare => crate::schema::Kind::Compare,
        SchemaKind::ProfileDiff => crate::schema::Kind::ProfileDiff,
        SchemaKind::Compat => crate::schema::Kind::Compat,
        SchemaKind::CompatExpectations => crate::schema::Kind::CompatExpectations,
        SchemaKind::CompatModel => crate::schema::Kind::CompatModel,
        SchemaKind::Trace => crate::schema::Kind::Trace,
        SchemaKind::TraceAnswers => crate::schema::Kind::TraceAnswers,
        SchemaKind::LogFormat => crate::schema::Kind::LogFormat,
        SchemaKind::CompatReader => crate::schema::Kind::CompatReader,
        SchemaKind::Whatif => crate::schema::Kind::Whatif,
        SchemaKind::WhatifPatch => crate::schema::Kind::WhatifPatch,
    };
    output::print(&crate::schema::text(kind))?;
    Ok(Exit::Clean)
}

/// Completions for a shell.
pub(super) fn completions(args: &CompletionsArgs) -> Result<Exit, Failure> {
    let mut out = Vec::new();
    clap_complete::generate(args.shell, &mut Args::command(), "tokenvet", &mut out);
    output::print(&String::from_utf8_lossy(&out))?;
    Ok(Exit::Clean)
}
