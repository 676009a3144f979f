//! The daemon's command line.

use std::process::ExitCode;

// Under many small requests it is faster than the system's allocator, and gives memory back sooner.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    walletd::cli::main()
}
