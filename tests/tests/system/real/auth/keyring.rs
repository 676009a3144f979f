//! Where tokens are kept: a real Secret Service on a D-Bus session of the test's own, and none at all.

use std::{fs, os::unix::fs::PermissionsExt as _};

use super::{
    super::keycloak::{approves, claims},
    Person, Site, Waiting, files,
};
use crate::{
    desktop,
    harness::{Run, run},
};

/// True if a file below the person's home has a text in it.
fn is_on_disk(person: &Person, text: &str) -> bool {
    files(&person.world.home()).iter().any(|path| {
        let bytes = fs::read(path).unwrap();
        bytes.windows(text.len()).any(|window| window == text.as_bytes())
    })
}

fn session(person: &Person, script: &str) -> Option<Run> {
    Some(run(desktop::session(&person.world, script)?, Vec::new()))
}

#[test]
fn with_a_keyring_tokens_are_kept_in_it_across_sessions_and_nowhere_else() {
    let Some(site) = Site::new("tokens in a real keyring") else { return };
    let olivia = site.person("olivia");
    let login = "\"$WALLETCTL\" auth login --no-browser --output json";
    let Some(command) = desktop::session(&olivia.world, login) else { return };
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
