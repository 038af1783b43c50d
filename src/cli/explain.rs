//! `tokenvet explain`: a rule, a requirement, a limit or a profile, whole.

use super::args::ExplainArgs;
use super::exit::{Exit, Failure};
use super::{output, rules};
use crate::docs;
use crate::profile::Requirement;

/// Prints a rule, a requirement, a limit or a profile.
pub(super) fn run(args: &ExplainArgs) -> Result<Exit, Failure> {
    let book = rules::book(&args.rules)?;
    let wanted = args.id.to_ascii_uppercase();
    let page = match (book.rule(&args.id), Requirement::find(&wanted)) {
        (Some(rule), _) => docs::rule_page(&book, rule),
        (None, Some(requirement)) => docs::requirement_page(&book, requirement),
        (None, None) => match book.resolve_profile(&args.id) {
            Ok(profile) => docs::profile_page(&book, profile),
            // A version makes it plain that a profile was meant.
            Err(problem) if args.id.contains('@') => return Err(problem.into()),
            Err(_) => match docs::limit_page(&book, &args.id) {
                Some(page) => page,
                None => return Err(rules::unknown(&book, &args.id)),
            },
        },
    };
    output::print(&docs::plain(&page))?;
    Ok(Exit::Clean)
}
