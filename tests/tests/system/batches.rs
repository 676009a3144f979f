//! What is kept of a batch's outcomes: of which ledger they are true, and what a program reads of them.

use serde_json::Value;

use crate::harness::{Daemon, World};

const HEADER: &str = "key,op,from,to,amount,asset\n";

/// A second daemon of the same machine, with a ledger of its own.
fn another(world: &World, name: &str) -> (Daemon, std::path::PathBuf) {
    let socket = world.path(&format!("{name}.sock"));
    let mut command = world.walletd();
    command.env("WALLETD_SOCKET", &socket).env("WALLETD_DATA", world.path(name));
    (world.daemon_at(command, &socket), socket)
}

/// The numbers of a batch that went well.
#[track_caller]
fn told(world: &World, line: &str) -> (u64, u64) {
    let data = world.ctl(&format!("{line} -o json")).data();
    (data["ok"].as_u64().unwrap(), data["replayed"].as_u64().unwrap())
}

#[test]
fn outcomes_at_one_ledger_say_nothing_about_another() {
    let world = World::new();
    let first = world.daemon();
    let (_second, socket) = another(&world, "second");
    let second = format!("--socket {}", socket.display());
    world.wallet("w_1", "EUR", "0");
    world.ctl(&format!("{second} wallet create w_1 --owner o --asset EUR --idempotency-key o --yes")).ok();
    world.file("pay.csv", format!("{HEADER}k1,deposit,,w_1,5,EUR\n"));
    assert_eq!(told(&world, "batch run pay.csv --yes"), (1, 0));
    // Nothing of it was done there, and nothing says it was.
    for look in ["status", "report", "resume"] {
        let yes = if look == "resume" { "--yes" } else { "" };
        world.ctl(&format!("{second} batch {look} pay.csv {yes}")).fails(2, "no batch with this content was run");
    }
    assert_eq!(told(&world, &format!("{second} batch run pay.csv --yes")), (1, 0));
    assert_eq!(world.ctl(&format!("{second} balance w_1 -o json")).data()["balance"], "5.00");
    // Each has outcomes of its own from now on.
    for at in ["", &second] {
        assert_eq!(told(&world, &format!("{at} batch status pay.csv")), (1, 0));
        let again = world.ctl(&format!("{at} batch run pay.csv --yes"));
        assert!(again.says("nothing is sent"), "{again}");
    }
    assert_eq!(world.balance("w_1"), "5.00");
    // A results file that was named is of one ledger, too.
    world.file("more.csv", format!("{HEADER}k2,deposit,,w_1,1,EUR\n"));
    assert_eq!(told(&world, "batch run more.csv --results r.ndjson --yes"), (1, 0));
    let line = format!("{second} batch run more.csv --results r.ndjson --yes");
    world.ctl(&line).fails(2, "belongs to the ledger");
    // Without a daemon, a file with outcomes at two ledgers is not guessed at; with its name it is told.
    first.stop();
    world.ctl("batch status pay.csv").exits(75);
    assert_eq!(told(&world, "batch status more.csv --results r.ndjson"), (1, 0));
}

#[test]
fn outcomes_behind_a_backup_that_was_restored_are_asked_for_again() {
    let world = World::new();
    let daemon = world.daemon();
    world.wallet("w_1", "EUR", "0");
    world.file("before.csv", format!("{HEADER}k1,deposit,,w_1,5,EUR\n"));
    world.ctl("batch run before.csv --yes").ok();
    world.walletd_runs("backup night.backup").ok();
    world.file("behind.csv", format!("{HEADER}k2,deposit,,w_1,7,EUR\n"));
    world.ctl("batch run behind.csv --yes").ok();
    assert_eq!(daemon.stop(), 0);
    std::fs::rename(world.data(), world.path("lost")).unwrap();
    world.walletd_runs(&format!("restore {}", world.path("night.backup").display())).ok();
    let _daemon = world.daemon();
    assert_eq!(world.balance("w_1"), "5.00");
    for look in ["status", "report"] {
        world.ctl(&format!("batch {look} behind.csv")).fails(2, "restored");
    }
    assert_eq!(told(&world, "batch run behind.csv --yes"), (1, 0), "the row that was lost is not sent again");
    assert_eq!(told(&world, "batch resume before.csv --yes"), (0, 1), "the row that was kept does not replay");
    assert_eq!(world.balance("w_1"), "12.00");
    let again = world.ctl("batch run behind.csv --yes");
    assert!(again.says("nothing is sent"), "{again}");
}

#[test]
fn outcomes_can_be_looked_up_while_the_daemon_is_down() {
    let world = World::new();
    let daemon = world.daemon();
    world.wallet("w_1", "EUR", "0");
    world.file("pay.csv", format!("{HEADER}k1,deposit,,w_1,5,EUR\n"));
    world.ctl("batch run pay.csv --yes").ok();
    daemon.stop();
    let run = world.ctl("batch status pay.csv");
    assert!(run.says("these are the outcomes at the ledger"), "{run}");
    run.ok();
}

/// What a program reads on stderr.
fn outcome(world: &World, line: &str, code: i32) -> String {
    let run = world.ctl(line);
    assert_eq!(run.code, code, "{run}");
    let error: Value = serde_json::from_str(run.err.trim()).unwrap_or_else(|error| panic!("{error}: {run}"));
    error["outcome"].as_str().unwrap().to_owned()
}

#[test]
fn a_batch_of_which_something_was_applied_never_says_not_applied() {
    let world = World::new();
    let _daemon = world.daemon();
    world.wallet("w_1", "EUR", "0");
    world.file("some.csv", format!("{HEADER}a,deposit,,w_1,1,EUR\nb,withdraw,w_1,,5,EUR\n"));
    assert_eq!(outcome(&world, "batch run some.csv --yes -o json", 8), "partly_applied");
    assert_eq!(outcome(&world, "batch run some.csv --yes -o json", 8), "partly_applied");
    world.file("none.csv", format!("{HEADER}c,withdraw,w_1,,5,EUR\n"));
    assert_eq!(outcome(&world, "batch run none.csv --yes -o json", 8), "not_applied");
    assert_eq!(outcome(&world, "batch run some.csv --again --dry-run -o json", 8), "not_applied");
    world.file("wallets.csv", "id,owner,asset\nw_2,o,EUR\nw_1,o,EUR\n");
    assert_eq!(outcome(&world, "wallet import wallets.csv --yes -o json", 8), "partly_applied");
    world.file("same.csv", "id,owner,asset\nw_1,o,EUR\n");
    assert_eq!(outcome(&world, "wallet import same.csv --yes -o json", 8), "not_applied");
}
