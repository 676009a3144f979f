//! Logins that are kept: on a disk that is full, in a keyring that is away, where somebody put a pipe in a file's place.

use std::{fs, os::unix::fs::PermissionsExt as _, path::PathBuf, process::Command, thread};

use serde_json::Value;
use wallet_tests::issuer::{Issuer, Next};

use crate::{
    desktop::session,
    harness::{Run, World, run, until},
};

const LOGIN: &str = "auth login --no-browser --insecure-storage -o json";

/// A machine whose current context is of the issuer's daemon.
fn world(issuer: &Issuer) -> World {
    let world = World::new();
    world.ctl(&format!("context set t --daemon {} --issuer {}", issuer.daemon(), issuer.name())).ok();
    world.ctl("context use t").ok();
    world
}

fn signed_in(issuer: &Issuer) -> World {
    let world = world(issuer);
    world.ctl(LOGIN).ok();
    world
}

fn folder(world: &World) -> PathBuf {
    world.state().join("walletctl/logins")
}

/// The files of logins whose names end so.
fn files(world: &World, end: &str) -> Vec<PathBuf> {
    let found = fs::read_dir(folder(world)).unwrap().map(|entry| entry.unwrap().path());
    found.filter(|path| path.extension().is_some_and(|found| found == end)).collect()
}

/// The one login's file, as if its tokens had been put into a keyring.
fn moved_to_a_keyring(world: &World) -> PathBuf {
    let file = files(world, "json").remove(0);
    let mut kept: Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
    kept["storage"] = "keyring".into();
    kept.as_object_mut().unwrap().remove("tokens").unwrap();
    fs::write(&file, kept.to_string()).unwrap();
    file
}

/// Runs walletctl where no keyring answers.
fn without_a_bus(world: &World, line: &str) -> Run {
    let mut command = world.walletctl();
    command.env("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nowhere/bus").args(line.split(' '));
    run(command, Vec::new())
}

/// Runs walletctl where no file can be written: as on a full disk, even for root.
fn on_a_full_disk(world: &World, line: &str) -> Run {
    let mut command = world.command("/bin/sh");
    let walletctl = world.walletctl().get_program().to_owned();
    command.args(["-c", "trap '' XFSZ; ulimit -f 0; exec \"$0\" \"$@\""]).arg(walletctl).args(line.split(' '));
    run(command, Vec::new())
}

#[test]
fn a_full_disk_costs_no_login() {
    let issuer = Issuer::start().unwrap();
    issuer.state().life = 0;
    let world = signed_in(&issuer);
    issuer.state().life = 300;
    on_a_full_disk(&world, "auth token").fails(78, "cannot write");
    assert_eq!(issuer.state().renewed, 0, "asked for what could not have been kept");
    assert_eq!(files(&world, "tmp"), Vec::<PathBuf>::new());
    // With room, it goes on as if nothing had been.
    assert_eq!(world.ctl("auth token").ok(), "access-secret-2\n");
    let state = issuer.state();
    assert_eq!((state.renewed, state.reused), (1, 0));
}

#[test]
fn nobody_is_asked_to_approve_what_could_not_be_kept() {
    let issuer = Issuer::start().unwrap();
    let world = world(&issuer);
    on_a_full_disk(&world, LOGIN).fails(78, "cannot write");
    assert!(issuer.seen("/realms/test/device").is_empty());
}

#[test]
fn a_new_token_that_is_not_kept_serves_this_command_and_it_says_that_it_is_the_last() {
    let issuer = Issuer::start().unwrap();
    issuer.state().life = 0;
    let world = signed_in(&issuer);
    issuer.state().life = 300;
    // Between the asking and the keeping, somebody removes what was begun.
    let logins = folder(&world);
    issuer.state().next.push_back(Next::After(std::sync::Arc::new(move || {
        for entry in fs::read_dir(&logins).unwrap().flatten() {
            if entry.path().extension().is_some_and(|end| end == "tmp") {
                fs::remove_file(entry.path()).unwrap();
            }
        }
    })));
    let told = world.ctl("auth token");
    assert!(told.err.contains("could not be kept") && told.err.contains("auth login"), "{told}");
    assert_eq!(told.ok(), "access-secret-2\n");
    world.ctl("auth token").exits(4);
}

#[test]
fn what_a_crash_left_of_a_login_is_gone_with_the_next_renewal_and_with_signing_out() {
    let issuer = Issuer::start().unwrap();
    issuer.state().life = 0;
    let world = signed_in(&issuer);
    let leave = || {
        let name = files(&world, "json").remove(0).file_name().unwrap().to_str().unwrap().to_owned();
        fs::write(folder(&world).join(format!("{name}.4711.tmp")), "refresh-secret-0").unwrap();
    };
    leave();
    world.ctl("auth token").ok();
    assert_eq!(files(&world, "tmp"), Vec::<PathBuf>::new());
    leave();
    world.ctl("auth logout").ok();
    assert_eq!((files(&world, "tmp"), files(&world, "json")), (vec![], vec![]));
}

#[test]
fn a_pipe_in_the_place_of_a_secret_is_refused_and_not_waited_for() {
    let issuer = Issuer::start().unwrap();
    let world = World::new();
    rustix::fs::mkfifoat(rustix::fs::CWD, world.path("secret"), 0o600.into()).unwrap();
    let at = format!("--daemon {} --issuer {} --client cron", issuer.daemon(), issuer.name());
    world.ctl(&format!("context set night {at} --secret-file secret")).ok();
    world.ctl("--context night auth whoami").fails(78, "no plain file");
    world.ctl("--context night doctor --for-cron").fails(78, "no plain file");
}

#[test]
fn a_login_whose_keyring_does_not_answer_is_called_unusable_and_stays_known_until_it_can_be_forgotten() {
    let issuer = Issuer::start().unwrap();
    let world = signed_in(&issuer);
    let file = moved_to_a_keyring(&world);
    let status = without_a_bus(&world, "auth status");
    assert!(status.out.contains("unusable") && !status.out.contains("signed_in"), "{status}");
    status.fails(78, "no_keyring");
    without_a_bus(&world, "auth logout").fails(78, "the tokens stay where they are");
    assert!(file.exists() && issuer.seen("/realms/test/revoke").is_empty());
    // Signing in anew takes its place.
    without_a_bus(&world, LOGIN).ok();
    without_a_bus(&world, "auth status").ok();
}

fn in_a_session(world: &World, script: &str) -> Option<Run> {
    session(world, script).map(|command: Command| run(command, Vec::new()))
}

#[test]
fn many_who_look_whether_there_is_a_keyring_do_not_meet_and_leave_nothing_in_it() {
    let issuer = Issuer::start().unwrap();
    issuer.state().roles = Some(vec!["operator"]);
    let world = world(&issuer);
    fs::set_permissions(world.file("secret", "s"), fs::Permissions::from_mode(0o600)).unwrap();
    let at = format!("--daemon {} --issuer {} --client cron", issuer.daemon(), issuer.name());
    world.ctl(&format!("context set c {at} --secret-file secret")).ok();
    world.file("token", world.ctl("--context c auth token").ok());
    // Each is at a daemon of its own, so that only the looking is shared.
    for number in 0..8 {
        world
            .ctl(&format!("context set t{number} --daemon http://127.0.0.{} --issuer {}", 2 + number, issuer.name()))
            .ok();
    }
    let each = "for n in 0 1 2 3 4 5 6 7; do \"$WALLETCTL\" --context t$n auth login --with-token < token & \
                all=\"$all $!\"; done; for one in $all; do wait $one || exit $?; done";
    let Some(done) = in_a_session(&world, each) else { return };
    done.ok();
}

#[test]
fn a_login_whose_tokens_are_gone_from_the_keyring_is_called_unusable_and_can_be_forgotten() {
    let issuer = Issuer::start().unwrap();
    let world = signed_in(&issuer);
    moved_to_a_keyring(&world);
    let Some(status) = in_a_session(&world, "\"$WALLETCTL\" auth status") else { return };
    assert!(status.out.contains("unusable"), "{status}");
    status.fails(4, "gone from the keyring");
    in_a_session(&world, "\"$WALLETCTL\" auth logout").unwrap().ok();
    world.ctl("auth status").fails(4, "nobody is signed in");
}

#[test]
fn the_browser_is_opened_without_the_code_which_everybody_on_the_machine_could_read() {
    let issuer = Issuer::start().unwrap();
    let world = world(&issuer);
    let programs = world.path("programs");
    fs::create_dir(&programs).unwrap();
    let opener = programs.join("xdg-open");
    fs::write(
        &opener,
        "#!/bin/sh\nprintf '%s\\n' \"$*\" > \"$HOME/opened.new\"; mv \"$HOME/opened.new\" \"$HOME/opened\"\n",
    )
    .unwrap();
    fs::set_permissions(&opener, fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = world.walletctl();
    command.env("DISPLAY", ":99").env("PATH", format!("{}:/usr/bin:/bin", programs.display()));
    command.args(["auth", "login", "--insecure-storage"]);
    let login = thread::scope(|scope| scope.spawn(|| run(command, Vec::new())).join().unwrap());
    assert!(login.err.contains("/approve?user_code=ABCD-EFGH"), "the person sees both: {login}");
    assert!(login.err.contains("type the code there"), "{login}");
    login.ok();
    let page = world.home().join("opened");
    until("the browser is opened", || page.exists());
    assert_eq!(fs::read_to_string(page).unwrap(), format!("{}/approve\n", issuer.name()));
}
