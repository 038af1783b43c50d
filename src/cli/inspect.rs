//! `tokenvet inspect`: where the token comes from, and what the exit code says of it.

use super::args::{InspectArgs, InspectFormat};
use super::exit::{Exit, Failure};
use super::{output, rules};
use crate::discover::walk::{self, Input};
use crate::inspect::{Inspection, Inspector, SCHEMA_VERSION, TokenView, find, human};
use crate::report::{FileError, Tool, text};
use crate::source::Source;
use std::env;
use std::ffi::OsStr;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A text and whether it is meant to be a token whatever it looks like.
struct Given {
    source: Source,
    is_token: bool,
}

/// Runs the command.
pub(super) fn run(args: &InspectArgs) -> Result<Exit, Failure> {
    let now = super::clock(args.now.as_deref())?;
    let book = Arc::new(rules::book(&args.rules)?);
    let chosen: Vec<usize> =
        args.profile.iter().map(|text| book.resolve_profile(text)).collect::<Result<_, String>>()?;
    let Some(given) = input(&args.token)? else {
        say("no token found: give one as a file or on standard input (`-`), or set BEARER_TOKEN or BEARER_TOKEN_FILE");
        return Ok(Exit::Nothing);
    };
    let source = Arc::new(given.source);
    let found = find(&source, given.is_token);
    if found.joined {
        say("warning: spaces or line breaks inside the token were taken out; services refuse it with them");
    }
    let inspector = Inspector::new(book, &chosen, now.as_second());
    let pieces = found.pieces.iter().zip(1..).filter(|(_, nth)| args.nth.is_none_or(|wanted| wanted == *nth));
    let tokens: Vec<TokenView> = pieces.map(|(piece, nth)| inspector.inspect(piece, nth)).collect();
    let mut errors = found.errors;
    let empty = source.text().trim_start_matches('\u{feff}').trim().is_empty();
    if found.pieces.is_empty() && (errors.is_empty() || empty) {
        match found.kind {
            Some(kind) => {
                say(&format!("{}: no token in it (recognised as {kind})", source.name()));
                return Ok(Exit::Nothing);
            }
            None if empty => {
                say(&format!("{}: no token, it is empty", source.name()));
                return Ok(Exit::Nothing);
            }
            None => {
                let message = "no token: neither a JWT nor anything that holds one (see `tokenvet rules kinds`)";
                errors.push(FileError { path: source.name().to_string(), message: message.into(), region: None });
            }
        }
    }
    if let (Some(nth), true, false) = (args.nth, tokens.is_empty(), found.pieces.is_empty()) {
        let holds = text::counted(found.pieces.len() as u64, "token");
        return Err(Failure::Usage(format!("--nth {nth}: {} holds {holds}", source.name())));
    }
    let exit = exit(args, &tokens, &errors);
    let inspection = Inspection {
        schema_version: SCHEMA_VERSION,
        tool: Tool::this(),
        now: now.to_string(),
        source: source.name().to_string(),
        tokens,
        errors,
    };
    print(args, &inspection).map_err(|failure| match failure {
        Failure::BrokenPipe(_) => Failure::BrokenPipe(exit),
        other => other,
    })?;
    Ok(exit)
}

fn print(args: &InspectArgs, inspection: &Inspection) -> Result<(), Failure> {
    match args.format {
        InspectFormat::Human => output::print(&human(inspection, super::look(args.color, args.all))),
        InspectFormat::Json => output::print(&crate::inspect::json(inspection)),
    }
}

fn exit(args: &InspectArgs, tokens: &[TokenView], errors: &[FileError]) -> Exit {
    let unreadable = tokens.iter().any(|token| !token.problems.is_empty() || !token.defects.is_empty());
    let failing = tokens.iter().any(|token| token.worst.is_some_and(|worst| args.fail_on.includes(worst)));
    match (unreadable || !errors.is_empty(), failing) {
        (true, _) => Exit::Usage,
        (false, true) => Exit::Findings,
        (false, false) => Exit::Clean,
    }
}

/// A line on standard error.
fn say(message: &str) {
    let _ = writeln!(std::io::stderr(), "tokenvet: {}", text::visible(message));
}

/// The text the arguments name, or what bearer token discovery finds; `None` when it finds nothing.
fn input(words: &[std::ffi::OsString]) -> Result<Option<Given>, Failure> {
    let file = |path: &OsStr| read(Path::new(path), false).map(Some);
    match words {
        [] => discover(),
        [only] if only == "-" || Path::new(only).symlink_metadata().is_ok() => file(only),
        words => argument(words).map(Some),
    }
}

/// What one argument names: a file, standard input, or the token itself; and whether it is meant to be a token
/// whatever it looks like.
pub(super) fn named(word: &OsStr) -> Result<(Source, bool), Failure> {
    let given = match word == "-" || Path::new(word).symlink_metadata().is_ok() {
        true => read(Path::new(word), false)?,
        false => argument(&[word.to_os_string()])?,
    };
    Ok((given.source, given.is_token))
}

fn read(path: &Path, is_token: bool) -> Result<Given, Failure> {
    match walk::read(&Input::named(path)) {
        Ok(source) => Ok(Given { source, is_token }),
        Err(error) => Err(Failure::Usage(format!("{}: {}", error.name, error.message))),
    }
}

/// A token given as an argument; several words are one pasted header (`Bearer …`). No message repeats them.
fn argument(words: &[std::ffi::OsString]) -> Result<Given, Failure> {
    let words: Vec<&str> = words
        .iter()
        .map(|word| word.to_str().ok_or_else(|| Failure::Usage("the argument names no file and is no text".into())))
        .collect::<Result<_, _>>()?;
    let text = words.join(" ");
    let last = words.last().copied().unwrap_or_default().trim_matches(['"', '\'', '`', ' ']);
    let path_like = !last.starts_with("ey") && (last.contains('/') || last.len() < 40);
    if path_like {
        let message =
            "the argument names no file and is no JWT; check the path, or pass a token on standard input (`-`)";
        return Err(Failure::Usage(message.into()));
    }
    say("warning: a token given as an argument shows in the process list (ps) and in the shell's history; next time \
         pass it on standard input (`-`) or in BEARER_TOKEN");
    Ok(Given { source: Source::from_text("<argument>", text), is_token: true })
}

/// WLCG Bearer Token Discovery, version 1.0: BEARER_TOKEN, the file BEARER_TOKEN_FILE names, then
/// `$XDG_RUNTIME_DIR/bt_u$ID` and `/tmp/bt_u$ID` for the effective user. A variable that is set and a file that is
/// there settle it, even when they cannot be read.
fn discover() -> Result<Option<Given>, Failure> {
    let variable = |name: &str| env::var_os(name).filter(|value| !value.is_empty());
    if let Some(token) = variable("BEARER_TOKEN") {
        say("token taken from BEARER_TOKEN");
        let text = token.into_string().map_err(|_| Failure::Usage("BEARER_TOKEN is no UTF-8 text".into()))?;
        return Ok(Some(Given { source: Source::from_text("BEARER_TOKEN", text), is_token: true }));
    }
    if let Some(path) = variable("BEARER_TOKEN_FILE") {
        let path = PathBuf::from(path);
        say(&format!("token taken from BEARER_TOKEN_FILE, {}", walk::name_of(&path)));
        return token_file(&path).map(Some);
    }
    let name = format!("bt_u{}", rustix::process::geteuid().as_raw());
    let folders = variable("XDG_RUNTIME_DIR").map(PathBuf::from).into_iter().chain([PathBuf::from("/tmp")]);
    for path in folders.map(|folder| folder.join(&name)) {
        if path.symlink_metadata().is_ok() {
            say(&format!("token taken from {}", walk::name_of(&path)));
            return token_file(&path).map(Some);
        }
    }
    Ok(None)
}

/// A bearer token file: what others may read, or put there, is worth a warning.
fn token_file(path: &Path) -> Result<Given, Failure> {
    if let Ok(metadata) = path.metadata() {
        if metadata.mode() & 0o077 != 0 {
            let name = walk::name_of(path);
            say(&format!(
                "warning: {name} is open to other users (mode {:03o}); chmod 600 it",
                metadata.mode() & 0o777
            ));
        }
        if metadata.uid() != rustix::process::geteuid().as_raw() {
            say(&format!("warning: {} belongs to another user", walk::name_of(path)));
        }
    }
    read(path, true)
}
