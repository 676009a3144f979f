//! A desktop's session for one test: a D-Bus of its own, and a real Secret Service on it.

use std::{fs, os::unix::fs::PermissionsExt as _, process::Command};

use crate::harness::{World, tool};

/// A command that runs a shell's words in a session with GNOME's keyring, unlocked with a password; none, with a line
/// that says what is skipped, where there is no such thing. `$WALLETCTL` is the program.
pub fn session(world: &World, script: &str) -> Option<Command> {
    // Whoever asks before the keyring is on the bus has the bus start another one, which nobody unlocks.
    const UNLOCKED: &str = "printf session | gnome-keyring-daemon --unlock --components=secrets >/dev/null; \
                            until dbus-send --session --print-reply --dest=org.freedesktop.DBus / \
                            org.freedesktop.DBus.NameHasOwner string:org.freedesktop.secrets | grep -q true; \
                            do sleep 0.1; done;";
    let what = "the keyring of a desktop session";
    let (bus, _) = (tool("dbus-run-session", what)?, tool("gnome-keyring-daemon", what)?);
    let runtime = world.dir.path().join("runtime");
    fs::create_dir_all(&runtime).unwrap();
    fs::set_permissions(&runtime, fs::Permissions::from_mode(0o700)).unwrap();
    let walletctl = world.walletctl().get_program().to_owned();
    let mut command = world.command(bus);
    command.env("XDG_RUNTIME_DIR", &runtime).env("WALLETCTL", walletctl);
    command.args(["--", "sh", "-c", &format!("{UNLOCKED} {script}")]);
    Some(command)
}
