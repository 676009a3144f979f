//! What the allocator is told, which it only reads from the environment, before `main` runs.
//!
//! mimalloc keeps memory that was given back for a second before the system gets it. A second is tens of batches: what
//! they had, one size after the other, stays in the process although hardly any of it is in use (docs/adr/0008). Its own setting
//! wins: `MIMALLOC_PURGE_DELAY` in walletd's environment, in milliseconds.

use std::{env, os::unix::process::CommandExt as _, process::Command};

/// The setting.
const SETTING: &str = "MIMALLOC_PURGE_DELAY";
/// How long memory that was given back is kept, in milliseconds: nothing that is used again and again goes, what a burst
/// had does.
const PURGE_DELAY_MS: &str = "100";

/// Starts this very program once more in this process, with the setting, unless it is set. Nothing may have been begun before:
/// the process, its arguments and its files stay, its memory does not. If it cannot be started again it goes on as it is.
pub(crate) fn settle() {
    if env::var_os(SETTING).is_some() {
        return;
    }
    let Ok(program) = env::current_exe() else { return };
    let mut arguments = env::args_os();
    let mut again = Command::new(program);
    if let Some(name) = arguments.next() {
        again.arg0(name);
    }
    // Comes back only if it failed.
    let _ = again.args(arguments).env(SETTING, PURGE_DELAY_MS).exec();
}
