//! Where tokens are kept: a real Secret Service on a D-Bus session of the test's own, and none at all.

use std::{fs, os::unix::fs::PermissionsExt as _, process::Command};

use super::{
    super::keycloak::{approves, claims},
    Person, Site, Waiting, files,
};
use crate::harness::{Run, run, tool};

/// A command that runs walletctl's words in a desktop session of its own: a D-Bus, and GNOME's keyring in it, unlocked
/// with a password.
fn in_a_session(person: &Person, script: &str) -> Option<Command> {
    // Whoever asks before the keyring is on the bus has the bus start another one, which nobody unlocks.
    const UNLOCKED: &str = "printf session | gnome-keyring-daemon --unlock --components=secrets >/dev/null; \
                            until dbus-send --session --print-reply --dest=org.freedesktop.DBus / \
                            org.freedesktop.DBus.NameHasOwner string:org.freedesktop.secrets | grep -q true; \
                            do sleep 0.1; done;";
    let what = "the keyring of a desktop session";
    let (bus, _) = (tool("dbus-run-session", what)?, tool("gnome-keyring-daemon", what)?);
    let runtime = person.world.dir.path().join("runtime");
    fs::create_dir_all(&runtime).unwrap();
    fs::set_permissions(&runtime, fs::Permissions::from_mode(0o700)).unwrap();
    let walletctl = person.world.walletctl().get_program().to_owned();
    let mut command = person.world.command(bus);
    command.env("XDG_RUNTIME_DIR", &runtime).env("WALLETCTL", walletctl);
    command.args(["--", "sh", "-c", &format!("{UNLOCKED} {script}")]);
    Some(command)
}

/// True if a file below the person's home has a text in it.
fn is_on_disk(person: &Person, text: &str) -> bool {
    files(&person.world.home()).iter().any(|path| {
        let bytes = fs::read(path).unwrap();
        bytes.windows(text.len()).any(|window| window == text.as_bytes())
    })
}

fn session(person: &Person, script: &str) -> Option<Run> {
    Some(run(in_a_session(person, script)?, Vec::new()))
}

#[test]
fn with_a_keyring_tokens_are_kept_in_it_across_sessions_and_nowhere_else() {
    let Some(site) = Site::new("tokens in a real keyring") else { return };
    let olivia = site.person("olivia");
    let login = "\"$WALLETCTL\" auth login --no-browser --output json";
    let Some(command) = in_a_session(&olivia, login) else { return };
    let login = Waiting::of(command);
    approves(&login.page(), "olivia", &[]).ok();
    assert_eq!(login.ends().data()["storage"], "keyring");
    // Another session, as after the next sign-in to the desktop: the same keyring.
    let token = session(&olivia, "\"$WALLETCTL\" auth token").unwrap().ok().trim().to_owned();
    assert_eq!(claims(&token)["preferred_username"], "olivia");
    assert!(!is_on_disk(&olivia, &token), "the token is in a file");
    let whoami = session(&olivia, "\"$WALLETCTL\" auth whoami -o json").unwrap().data();
    assert_eq!(whoami["roles"], serde_json::json!(["operator", "user"]));

    // Without a session the login is known, and its tokens are out of reach.
    let error = olivia.world.ctl("balance w_1 -o json");
    assert!([4, 78].contains(&error.code), "{error}");

    session(&olivia, "\"$WALLETCTL\" auth logout").unwrap().ok();
    session(&olivia, "\"$WALLETCTL\" auth token").unwrap().exits(4);
}

#[test]
fn without_a_keyring_a_sign_in_is_refused_before_anybody_is_asked_and_the_way_out_is_named() {
    let Some(site) = Site::new("no keyring") else { return };
    let olivia = site.person("olivia");
    // No session at all, as over SSH and in cron.
    let nothing = olivia.world.ctl("auth login --no-browser");
    assert!(nothing.err.contains("--insecure-storage") && !nothing.err.contains("Open "), "{nothing}");
    assert_eq!(nothing.code, 78, "{nothing}");
    olivia.world.ctl("auth status").exits(4);
    // Told so, it keeps them in a file that nobody else may read, and reads none that others may.
    olivia.signs_in();
    let token = olivia.token();
    let kept: Vec<_> = files(&olivia.world.home())
        .into_iter()
        .filter(|path| String::from_utf8_lossy(&fs::read(path).unwrap()).contains(&token))
        .collect();
    assert_eq!(kept.len(), 1, "{kept:?}");
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&kept[0]), mode(kept[0].parent().unwrap())), (0o600, 0o700));
    fs::set_permissions(&kept[0], fs::Permissions::from_mode(0o644)).unwrap();
    let error = olivia.world.ctl("balance w_1").fails(78, "chmod 600");
    assert!(!error.contains(&token));
}
