//! `tokenvet compare`: two tokens, dimension by dimension.

use super::args::{CompareArgs, InspectFormat};
use super::exit::{Exit, Failure};
use super::{inspect, output, rules};
use crate::compare::{compare, human, json};
use crate::inspect::{Inspector, TokenView, find};
use std::ffi::OsString;
use std::sync::Arc;

/// Runs the command.
pub(super) fn run(args: &CompareArgs) -> Result<Exit, Failure> {
    let now = super::clock(args.now.as_deref())?;
    if args.a == "-" && args.b == "-" {
        return Err(Failure::Usage("only one of the two tokens can come from standard input".into()));
    }
    let inspector = Inspector::new(Arc::new(rules::book(&[])?), &[], now.as_second());
    let (a, b) = (token(&args.a, &inspector)?, token(&args.b, &inspector)?);
    let comparison = compare((&a.0, &a.1), (&b.0, &b.1), now.as_second(), now.to_string());
    match args.format {
        InspectFormat::Human => output::print(&human(&comparison, super::look(args.color, args.all)))?,
        InspectFormat::Json => output::print(&json(&comparison))?,
    }
    Ok(Exit::Clean)
}

/// The token of an argument, with the name of its source. Of a token response the access token is meant.
fn token(word: &OsString, inspector: &Inspector) -> Result<(String, TokenView), Failure> {
    let (source, is_token) = inspect::named(word)?;
    let source = Arc::new(source);
    let found = find(&source, is_token);
    let name = source.name();
    let mut views: Vec<TokenView> =
        found.pieces.iter().zip(1..).map(|(piece, nth)| inspector.inspect(piece, nth)).collect();
    let count = views.len();
    if count > 1 {
        views.retain(|view| view.kind == "access-token");
    }
    match (views.pop(), views.len()) {
        (Some(view), 0) if view.kind == "unreadable" => {
            Err(Failure::Usage(format!("{name}: the token cannot be read; `tokenvet inspect` says why")))
        }
        (Some(view), 0) => Ok((name.to_string(), view)),
        (None, _) if count == 0 => {
            Err(Failure::Usage(format!("{name}: no token in it; give a JWT or a file that holds one")))
        }
        (Some(_) | None, _) => Err(Failure::Usage(format!(
            "{name}: {count} tokens in it, and not exactly one access token; give a file with the one that is meant"
        ))),
    }
}
