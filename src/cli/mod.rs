//! The command line: one file per subcommand.

mod args;
mod check;
mod exit;
mod explain;
mod list;
mod output;
mod schema;
mod test;

use args::{Args, Command};
use clap::Parser;
use exit::Exit;
use std::io::Write;
use std::process::ExitCode;

/// Runs the command that the arguments name.
pub fn main() -> ExitCode {
    quiet_panics();
    no_core_dumps();
    let arguments = Args::with_default_command(std::env::args_os());
    let args = match Args::try_parse_from(arguments) {
        Ok(args) => args,
        Err(error) => {
            // Help and version are no errors; a closed pipe is none either.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { Exit::Usage } else { Exit::Clean } as u8);
        }
    };
    let result = match args.command {
        Command::Check(args) => check::run(&args),
        Command::Explain(args) => explain::run(&args),
        Command::Rules(args) => list::rules(&args),
        Command::Profile(args) => list::profiles(&args),
        Command::Test(args) => test::run(&args),
        Command::Schema(args) => schema::run(&args),
        Command::Completions(args) => schema::completions(&args),
    };
    match result {
        Ok(exit) => ExitCode::from(exit as u8),
        Err(exit::Failure::BrokenPipe(exit)) => ExitCode::from(exit as u8),
        Err(exit::Failure::Usage(message)) => {
            let _ = writeln!(std::io::stderr(), "tokenvet: {}", crate::report::text::visible(&message));
            ExitCode::from(Exit::Usage as u8)
        }
    }
}

/// A panic names its place in our sources and nothing else: its message might quote input.
fn quiet_panics() {
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
