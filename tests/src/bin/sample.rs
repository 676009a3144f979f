//! Writes the sample's files: `sample DIR`.

use std::path::PathBuf;

use anyhow::Context as _;
use wallet_tests::sample;

fn main() -> anyhow::Result<()> {
    let directory: PathBuf = std::env::args_os().nth(1).context("usage: sample DIR")?.into();
    sample::generate(true).write(&directory)
}
