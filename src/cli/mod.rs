//! The command line: one file per subcommand.

mod args;
#[cfg(feature = "state")]
mod audit;
mod changed;
mod check;
mod collect;
mod compare;
mod compat;
mod diff;
mod exit;
mod explain;
#[cfg(feature = "fetch")]
mod fetch;
mod fix;
#[cfg(unix)]
mod follow;
mod git;
mod incident;
mod inspect;
mod list;
mod man;
mod merge;
mod output;
mod policy;
mod problem;
mod progress;
mod redact;
#[cfg(feature = "state")]
mod refresh;
mod rules;
mod scan;
mod schema;
mod shard;
mod staged;
mod store;
mod test;
mod trace;
mod trust;
mod whatif;
mod workers;

use args::{Args, Command};
use exit::Exit;
use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

/// Runs the command that the arguments of this process name.
pub fn main() -> ExitCode {
    ExitCode::from(run(std::env::args_os()))
}

/// Runs the command that these arguments name, of which the first is the program's own name, and says with which exit
/// code the process ought to end. From then on a panic prints its place alone, and no core file is written.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> u8 {
    quiet_panics();
    no_core_dumps();
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let args = match Args::read(arguments.iter().cloned()) {
        Ok(args) => args,
        Err(error) => {
            #[cfg(feature = "state")]
            if let Some(Ok(exit)) = audit::misused(&arguments, &error) {
                return exit as u8;
            }
            // Help and version are no errors; a closed pipe is none either.
            print_usage(&error);
            return if error.use_stderr() { Exit::Usage } else { Exit::Clean } as u8;
        }
    };
    let result = match args.command {
        Command::Check(args) => shard::check(&args),
        #[cfg(feature = "state")]
        Command::Audit(args) => audit::run(&args),
        Command::Scan(args) => scan::run(*args),
        Command::Merge(args) => merge::run(*args),
        Command::Trace(args) => trace::run(&args),
        Command::Redact(args) => redact::run(&args),
        Command::Incident(args) => incident::run(&args),
        Command::Inspect(args) => inspect::run(&args),
        Command::Compare(args) => compare::run(&args),
        Command::Compat(args) => compat::run(&args),
        Command::Fix(args) => fix::run(&args),
        Command::Whatif(args) => whatif::run(&args),
        #[cfg(feature = "fetch")]
        Command::Fetch(args) => fetch::run(&args),
        Command::Explain(args) => explain::run(&args),
        Command::Rules(args) => list::rules(&args),
        Command::Profile(args) => list::profiles(&args),
        Command::Test(args) => test::run(&args),
        Command::Schema(args) => schema::run(&args),
        Command::Completions(args) => schema::completions(&args),
        Command::Man(args) => man::run(&args),
    };
    match result {
        Ok(exit) => exit as u8,
        Err(exit::Failure::BrokenPipe(exit)) => exit as u8,
        Err(exit::Failure::Reported(text)) => {
            let _ = write!(std::io::stderr(), "{text}");
            Exit::Usage as u8
        }
        Err(exit::Failure::Usage(message)) => {
            let _ = writeln!(std::io::stderr(), "tokenvet: {}", printable(&message));
            Exit::Usage as u8
        }
    }
}

/// Prints help, the version or a usage error. Arguments may hold a token or control characters: such an error goes
/// without colours, so that every line of it can be made safe.
fn print_usage(error: &clap::Error) {
    let plain = error.render().to_string();
    let safe: Vec<_> = plain.split('\n').map(printable).collect();
    let safe = safe.join("\n");
    let _ = if safe == plain { error.print() } else { write!(std::io::stderr(), "{safe}") };
}

/// One line for standard error: no secrets, no control characters, nothing a CI runner obeys.
fn printable(line: &str) -> String {
    let redacted = crate::source::mask::redact(line);
    crate::report::text::without_commands(&crate::report::text::visible(&redacted)).into_owned()
}

/// The clock of the run: `--now`, else the system's.
fn clock(now: Option<&str>) -> Result<jiff::Timestamp, exit::Failure> {
    match now {
        None => Ok(jiff::Timestamp::now()),
        Some(text) => text.parse().map_err(|_| {
            exit::Failure::Usage(format!("--now {text}: write RFC 3339 with a zone, for example 2026-01-31T12:00:00Z"))
        }),
    }
}

/// A duration of the command line, in seconds.
fn duration(name: &str, text: &str) -> Result<i64, exit::Failure> {
    let read = crate::policy::lifetime(&crate::policy::Amount::Text(text.into()));
    read.map_err(|message| exit::Failure::Usage(format!("{name} {text}: {message}")))
}

/// `--fingerprint`, which has to be a whole one: what some tokens' fingerprints begin with names none of them.
fn whole_fingerprint(text: &str) -> Result<(), exit::Failure> {
    use crate::scan::fingerprint::DIGITS;
    match text.len() == DIGITS && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        true => Ok(()),
        false => Err(exit::Failure::Usage(format!(
            "--fingerprint {}: write the {DIGITS} hexadecimal digits that a scan shows",
            crate::report::text::shown(text)
        ))),
    }
}

/// How text formats look on this terminal.
fn look(color: args::Color, all: bool) -> crate::report::Options {
    let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty() && value != "0");
    let terminal = check::stdout_is_terminal();
    let color = match color {
        args::Color::Always => true,
        args::Color::Never => false,
        args::Color::Auto => set("CLICOLOR_FORCE") || (terminal && !set("NO_COLOR")),
    };
    let width = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok()).unwrap_or(100);
    crate::report::Options { color, width: width.clamp(40, 120), all, ..Default::default() }
}

/// A panic names its place in our sources and nothing else: its message might quote input.
pub fn quiet_panics() {
    std::panic::set_hook(Box::new(|info| {
        let place = info.location().map_or_else(String::new, |at| format!(" at {}:{}", at.file(), at.line()));
        let _ = writeln!(std::io::stderr(), "tokenvet: internal error{place}; please report it with this line");
    }));
}

/// Memory may hold tokens and secrets, so it must not land in a core file.
fn no_core_dumps() {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, setrlimit};
        let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
    }
}
