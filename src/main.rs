//! The `tokenvet` command; everything is in the library's `cli` module.

use std::process::ExitCode;

fn main() -> ExitCode {
    tokenvet::cli::main()
}
