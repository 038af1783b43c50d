//! `tokenvet whatif`: a change tried before it is made.

use super::args::CheckArgs;
use super::check::error_of;
use super::exit::{Exit, Failure};
use super::policy::Governance;
use super::{collect, output, problem};
use crate::discover::walk::{self, Input};
use crate::parse::typed;
use crate::policy::Amount;
use crate::report::{FileError, Format, Tool};
use crate::whatif::{Difference, Patch, Request, SCHEMA_VERSION, WhatIf, edit, gained, human, json};
use clap::Args as ClapArgs;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

/// Largest patch file, in bytes.
const MAX_PATCH: u64 = 1 << 20;
/// Before a limit's name in `--set`.
const LIMITS: &str = "limits.";

#[derive(Debug, ClapArgs)]
pub(super) struct WhatifArgs {
    /// The client that changes, by its client id; it must stand in one of the files, once
    #[arg(long, value_name = "ID", help_heading = "The change")]
    pub(super) client: Option<String>,
    /// A scope that the client may ask for from then on; repeats
    #[arg(long, value_name = "SCOPE", requires = "client", help_heading = "The change")]
    pub(super) add_scope: Vec<String>,
    /// A scope that the client may no longer ask for; repeats
    #[arg(long, value_name = "SCOPE", requires = "client", help_heading = "The change")]
    pub(super) remove_scope: Vec<String>,
    /// A new value: of a limit (`limits.access_token.lifetime.max=2h`), of a member of --client
    /// (`access_token_validity_seconds=3600`), or of a member of the one file that is given (`/0/scope=openid`); repeats.
    /// VALUE is JSON, or else a text
    #[arg(long, value_name = "PATH=VALUE", help_heading = "The change")]
    pub(super) set: Vec<String>,
    /// A file of changes (see `tokenvet schema whatif-patch`)
    #[arg(long, value_name = "FILE", help_heading = "The change")]
    pub(super) apply: Option<PathBuf>,
    #[command(flatten)]
    pub(super) check: CheckArgs,
}

/// Runs the command.
pub(super) fn run(args: &WhatifArgs) -> Result<Exit, Failure> {
    let format = match args.check.format.as_slice() {
        [] | [Format::Human] => Format::Human,
        [Format::Json] => Format::Json,
        _ => return Err(Failure::Usage("whatif writes human or json, and one of them".into())),
    };
    if !args.check.output.is_empty() || args.check.write_baseline.is_some() {
        return Err(Failure::Usage("whatif writes no files; redirect its output".into()));
    }
    let patch = patch(args)?;
    let now = super::clock(args.check.now.as_deref())?;
    let before = Governance::load(&args.check)?;
    let fail_on = before.fail_on;
    let mut after = Governance::load(&args.check)?;
    after.limit(&patch.limits)?;
    let found = walk::walk(&args.check.paths, &|path, _| before.ignores(path)).configuration();
    let errors: Vec<FileError> = found.unreadable.into_iter().map(error_of).collect();
    let (mut changes, replaced) = edited(&patch.clients, &found.inputs)?;
    changes.extend(patch.limits.iter().map(|(name, amount)| format!("the limit {name} is {}", amount.as_written())));

    let broken = !errors.is_empty();
    let first = collect::run(&args.check, now, before, found.inputs.clone(), BTreeMap::new())?;
    let second = collect::run(&args.check, now, after, found.inputs, replaced)?;
    let mut all = errors;
    all.extend(first.errors);
    all.extend(second.errors.into_iter().filter(|error| !all.contains(error)).collect::<Vec<_>>());
    let exit = if first.exit == Exit::Usage { first.exit } else { second.exit };
    let difference = Difference::new(first.findings, second.findings);
    let failing = difference.worse().any(|finding| fail_on.includes(finding.severity));
    let whatif = WhatIf {
        schema_version: SCHEMA_VERSION,
        tool: Tool::this(),
        now: now.to_string(),
        changes,
        gained: gained(&patch.clients),
        added: difference.added,
        removed: difference.removed,
        changed: difference.changed,
        unchanged: difference.unchanged,
        errors: all,
    };
    match format {
        Format::Json => output::print(&json(&whatif))?,
        _ => output::print(&human(&whatif, super::look(args.check.color, args.check.all)))?,
    }
    Ok(match exit {
        Exit::Usage | Exit::Nothing => exit,
        Exit::Clean | Exit::Findings if broken => Exit::Usage,
        Exit::Clean | Exit::Findings if failing => Exit::Findings,
        Exit::Clean | Exit::Findings => Exit::Clean,
    })
}

/// What is asked for, from the command line and the patch file.
fn patch(args: &WhatifArgs) -> Result<Patch, Failure> {
    let mut patch = match &args.apply {
        None => Patch::default(),
        Some(path) => {
            let source = Arc::new(problem::read_small(path, MAX_PATCH).map_err(Failure::Reported)?);
            let read = typed::read::<Patch>(&source);
            read.map_err(|error| Failure::Reported(problem::render(&source, &error)))?.0
        }
    };
    let mut request = Request {
        client: args.client.clone(),
        add_scopes: args.add_scope.clone(),
        remove_scopes: args.remove_scope.clone(),
        set: BTreeMap::new(),
    };
    for text in &args.set {
        let (path, value) = text.split_once('=').filter(|(path, _)| !path.is_empty()).ok_or_else(|| {
            Failure::Usage(format!("--set {text}: write PATH=VALUE, for example limits.access_token.lifetime.max=2h"))
        })?;
        match path.strip_prefix(LIMITS) {
            Some(name) => {
                let amount = value.parse().map_or_else(|_| Amount::Text(value.into()), Amount::Number);
                patch.limits.insert(name.into(), amount);
            }
            None => {
                let value = serde_json::from_str(value).unwrap_or_else(|_| value.into());
                request.set.insert(path.into(), value);
            }
        }
    }
    let Request { add_scopes, remove_scopes, set, .. } = &request;
    if !(add_scopes.is_empty() && remove_scopes.is_empty() && set.is_empty()) {
        patch.clients.push(request);
    }
    match patch.clients.is_empty() && patch.limits.is_empty() {
        true => Err(Failure::Usage(
            "no change is asked for: give --set, --client with --add-scope or --remove-scope, or --apply".into(),
        )),
        false => Ok(patch),
    }
}

/// The texts that change, by the names of their files, and what changes.
type Replaced = (Vec<String>, BTreeMap<String, Arc<str>>);

fn edited(requests: &[Request], inputs: &[Input]) -> Result<Replaced, Failure> {
    let (mut done, mut texts) = (Vec::new(), BTreeMap::<String, Arc<str>>::new());
    for request in requests {
        let mut hits = Vec::new();
        for input in inputs {
            // What cannot be read is an error of both runs.
            let Ok(source) = walk::read(input) else { continue };
            let source = match texts.get(input.name()) {
                Some(text) => crate::source::Source::from_text(input.name(), &**text),
                None => source,
            };
            match edit(&Arc::new(source), request) {
                Ok(Some(edited)) => hits.push((input.name().to_string(), edited)),
                Ok(None) => {}
                Err(why) => return Err(Failure::Usage(format!("{}: {why}", input.name()))),
            }
        }
        let client = request.client.as_deref().unwrap_or_default();
        match (hits.pop(), hits.len()) {
            (Some((name, edited)), 0) => {
                done.extend(edited.done.into_iter().map(|sentence| format!("{name}: {sentence}")));
                texts.insert(name, edited.text.into());
            }
            (None, _) => {
                return Err(Failure::Usage(format!(
                    "no client {client} stands in the given files; --client takes the client's id, not its name"
                )));
            }
            (Some((name, _)), _) => {
                let other = hits.first().map_or("", |(name, _)| name.as_str());
                return Err(Failure::Usage(format!(
                    "{} stands in {other} and in {name}; give the file that is meant",
                    if client.is_empty() { "the member".into() } else { format!("client {client}") }
                )));
            }
        }
    }
    Ok((done, texts))
}
