//! walletctl: see the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    walletctl::run(std::env::args_os())
}
