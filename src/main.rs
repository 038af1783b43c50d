//! The `tokenvet` command; everything is in the library's `cli` module.

use std::process::ExitCode;

/// Threads hand their findings to the one that reports them; most allocators make that dear. Without huge pages it needs
/// little more memory than that of the system.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    tokenvet::cli::main()
}
