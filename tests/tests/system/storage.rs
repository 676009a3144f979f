//! Power, disks, clocks and bytes that go wrong.

use std::{
    fs::{self, OpenOptions},
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use crate::harness::{World, run, tool, until};

/// Files below a directory.
fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).into_iter().flatten().map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}

/// Changes one byte where `text` is found in files; true if it was found.
fn flip(paths: &[PathBuf], text: &str) -> bool {
    let mut flipped = false;
    for path in paths {
        let bytes = fs::read(path).unwrap();
        if let Some(at) = bytes.windows(text.len()).position(|window| window == text.as_bytes()) {
            let file = OpenOptions::new().write(true).open(path).unwrap();
            file.write_all_at(&[bytes[at] ^ 1], at as u64).unwrap();
            flipped = true;
        }
    }
    flipped
}

fn audit_files(world: &World) -> Vec<PathBuf> {
    let all = files(&world.data());
    all.into_iter().filter(|path| path.file_name().unwrap().to_string_lossy().starts_with("audit")).collect()
}

#[test]
fn one_changed_byte_in_the_audit_file_is_found() {
    let world = World::new();
    let daemon = world.daemon();
    let words = "deposit --to w_1 --amount 1 --asset EUR --memo needle-in-the-audit --idempotency-key k --yes";
    world.wallet("w_1", "EUR", "0");
    world.ctl(words).ok();
    until("the audit trail", || world.ctl("audit list -o json").out.contains("needle-in-the-audit"));
    world.ctl("audit verify").ok();
    assert_eq!(daemon.stop(), 0);
    // Behind the end of its log SQLite sees nothing, and what is lost there is made anew from the journal:
    // the byte has to be in the file itself.
    let Some(sqlite) = tool("sqlite3", "a changed byte in the audit file") else {
        return;
    };
    let mut checkpoint = world.command(sqlite);
    checkpoint.arg(world.data().join("audit.sqlite")).arg("PRAGMA wal_checkpoint(TRUNCATE)");
    run(checkpoint, Vec::new()).ok();
    assert!(flip(&audit_files(&world), "needle-in-the-audit"), "the record is nowhere in the audit file");
    let _daemon = world.daemon();
    world.ctl("audit verify").exits(9);
}

#[test]
fn one_changed_byte_in_the_ledgers_files_is_found() {
    let world = World::new();
    let daemon = world.daemon();
    world.wallet("w_1", "EUR", "0");
    world.ctl("deposit --to w_1 --amount 1 --asset EUR --memo needle-in-the-ledger --idempotency-key k --yes").ok();
    for number in 0..20 {
        world.ctl(&format!("deposit --to w_1 --amount 1 --asset EUR --idempotency-key k{number} --yes")).ok();
    }
    assert_eq!(daemon.stop(), 0);
    let ledger = world.data().join("ledger");
    assert!(flip(&files(&ledger), "needle-in-the-ledger"), "the record is nowhere in the ledger's files");
    // The store's log ends where it cannot be read; what was acknowledged behind that comes back from its copy.
    if let Some(verdict) = found(&world) {
        assert_eq!(verdict, "21.00");
    }
}

#[test]
fn one_changed_byte_in_the_ledgers_tables_is_found() {
    let world = World::new();
    let mut command = world.walletd();
    command.env("WALLETD_LEDGER__WRITE_BUFFER_BYTES", "4194304");
    let daemon = world.daemon_by(command);
    world.wallet("w_1", "EUR", "0");
    // Enough, and of letters that do not compress to nothing, that the store writes tables.
    let memo = |number: usize| format!("{:0400}", (number + 1) * 7_919_777).chars().rev().collect::<String>();
    let rows: Vec<String> =
        (0..20_000).map(|number| format!("k{number},deposit,,w_1,1,EUR,{}", memo(number))).collect();
    world.file("b.csv", format!("key,op,from,to,amount,asset,memo\n{}\n", rows.join("\n")));
    world.ctl("batch run b.csv --yes").ok();
    let tables = || {
        let all = files(&world.data().join("ledger"));
        let tables = all.into_iter().filter(|path| path.to_string_lossy().contains("/tables/"));
        tables.max_by_key(|path| fs::metadata(path).map_or(0, |meta| meta.len()))
    };
    let large = || tables().is_some_and(|path| fs::metadata(path).is_ok_and(|meta| meta.len() > 200_000));
    until("a table of the journal", large);
    assert_eq!(daemon.stop(), 0);
    let path = tables().unwrap();
    let middle = fs::metadata(&path).unwrap().len() / 2;
    let file = OpenOptions::new().read(true).write(true).open(&path).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, middle).unwrap();
    file.write_all_at(&[byte[0] ^ 1], middle).unwrap();
    assert_eq!(found(&world), None, "a changed byte in {} passed", path.display());
}

/// None if the damage is found: the daemon refuses to start, or verification fails. Else what `w_1` holds.
fn found(world: &World) -> Option<String> {
    let mut command = world.walletd();
    command.arg("serve").stderr(std::process::Stdio::piped()).stdout(std::process::Stdio::null());
    let mut child = command.spawn().unwrap();
    let mut ended = None;
    until("the daemon decides", || {
        ended = child.try_wait().unwrap();
        ended.is_some() || crate::harness::get(&world.socket(), "/readyz").is_ok_and(|answer| answer.contains(" 200 "))
    });
    if let Some(status) = ended {
        assert_eq!(status.code(), Some(9), "{:?}", std::io::read_to_string(child.stderr.take().unwrap()));
        return None;
    }
    let verdict = world.ctl("audit verify");
    let balance = world.ctl("balance w_1 -o json");
    child.kill().unwrap();
    child.wait().unwrap();
    if verdict.code == 9 {
        return None;
    }
    verdict.ok();
    Some(balance.data()["balance"].as_str().unwrap().to_owned())
}

#[test]
fn a_torn_end_of_the_stores_log_loses_nothing_that_was_acknowledged() {
    // So many bytes of its end changed, or never written.
    for (cut, torn) in [(1_u64, false), (7, false), (64, false), (7, true), (900, true)] {
        let world = World::new();
        let daemon = world.daemon();
        world.wallet("w_1", "EUR", "0");
        for number in 0..10 {
            world.ctl(&format!("deposit --to w_1 --amount 1 --asset EUR --idempotency-key k{number} --yes")).ok();
        }
        daemon.crash();
        // The end of the newest log: what a crash tears, and worse, since this was acknowledged.
        let logs = files(&world.data().join("ledger"));
        let journals: Vec<_> = logs
            .iter()
            .filter(|path| path.to_string_lossy().contains("journal") || path.extension().is_some_and(|e| e == "jnl"))
            .collect();
        let newest = journals.into_iter().max_by_key(|path| fs::metadata(path).unwrap().modified().unwrap());
        let path = newest.expect("the store has a log");
        let bytes = fs::read(path).unwrap();
        let end = bytes.iter().rposition(|byte| *byte != 0).unwrap() as u64 + 1;
        let file = OpenOptions::new().write(true).open(path).unwrap();
        for at in (end - cut)..end {
            let byte = if torn { 0 } else { bytes[usize::try_from(at).unwrap()] ^ 0x55 };
            file.write_all_at(&[byte], at).unwrap();
        }
        let _daemon = world.daemon();
        assert_eq!(world.balance("w_1"), "10.00");
        world.ctl("audit verify").ok();
    }
}

#[test]
fn the_ledgers_fsync_stands_between_request_and_answer() {
    let Some(strace) = tool("strace", "that commits are synced before they are answered") else {
        return;
    };
    let world = World::new();
    let trace = world.path("trace");
    let mut command = world.command(strace);
    let calls = "trace=fsync,fdatasync,read,write,recvfrom,sendto,readv,writev";
    command
        .args(["-f", "-y", "-s", "64", "-o"])
        .arg(&trace)
        .args(["-e", calls])
        .arg(crate::harness::programs().join("walletd"));
    let mut probe = world.command("strace");
    probe.args(["-o", "/dev/null", "true"]);
    if run(probe, Vec::new()).code != 0 {
        crate::harness::skipped("that commits are synced before they are answered (strace may not trace here)");
        return;
    }
    let daemon = world.daemon_by(command);
    world.wallet("w_1", "EUR", "0");
    let before = world.read("trace").lines().count();
    world.ctl("deposit --to w_1 --amount 1 --asset EUR --idempotency-key k --yes").ok();
    let text = world.read("trace");
    let lines: Vec<&str> = text.lines().skip(before.saturating_sub(1)).collect();
    let place = |what: &str, test: &dyn Fn(&str) -> bool| {
        lines
            .iter()
            .position(|line| test(line))
            .unwrap_or_else(|| panic!("no {what} in the trace:\n{}", lines.join("\n")))
    };
    let request = place("request", &|line| line.contains("POST /v1/deposits"));
    let answer = request + lines[request..].iter().position(|line| line.contains("HTTP/1.1 20")).expect("an answer");
    let synced = lines[request..answer].iter().any(|line| {
        (line.contains("fdatasync(") || line.contains("fsync(")) && line.contains("/ledger")
            || line.contains("fdatasync resumed")
    });
    assert!(synced, "no fsync of the ledger between request and answer:\n{}", lines[request..=answer].join("\n"));
    // strace forwards nothing: the daemon below it is told by its own number.
    let pid: u32 = fs::read_to_string(world.data().join("lock")).unwrap().trim().parse().unwrap();
    crate::harness::signal(pid, rustix::process::Signal::TERM);
    drop(daemon);
}

/// A file system in memory, taken away again however the test ends.
pub struct Mounted(PathBuf);

impl Mounted {
    /// Mounts one, where that is allowed.
    pub fn new(place: &Path, options: &str) -> Option<Self> {
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(place).output();
        mount.is_ok_and(|output| output.status.success()).then(|| Self(place.to_owned()))
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn a_full_disk_answers_75_loses_nothing_and_is_left_behind_when_there_is_room() {
    let world = World::new();
    let disk = world.path("disk");
    fs::create_dir(&disk).unwrap();
    let Some(_mounted) = Mounted::new(&disk, "size=96m") else {
        crate::harness::skipped("a full disk (no right to mount a small one here)");
        return;
    };
    let mut command = world.walletd();
    command.env("WALLETD_DATA", disk.join("data"));
    let daemon = world.daemon_by(command);
    world.wallet("w_1", "EUR", "0");
    let deposit =
        |key: &str| world.ctl(&format!("deposit --to w_1 --amount 1 --asset EUR --idempotency-key {key} --yes"));
    deposit("before").ok();

    // Something else takes all the room there is.
    let hog = disk.join("hog");
    let block = vec![1_u8; 64 << 10];
    let mut at = 0;
    let file = fs::File::create(&hog).unwrap();
    while file.write_all_at(&block, at).is_ok() {
        at += block.len() as u64;
    }
    drop(file);
    let mut acknowledged = 1;
    let mut refused = 0;
    for number in 0..30 {
        let run = deposit(&format!("full-{number}"));
        match run.code {
            0 => acknowledged += 1,
            75 => refused += 1,
            _ => panic!("{run}"),
        }
    }
    assert!(refused > 0, "the disk never was full");
    assert_eq!(world.balance("w_1"), format!("{acknowledged}.00"));
    fs::remove_file(&hog).unwrap();
    until("the daemon goes on by itself", || deposit("after").code == 0);
    assert_eq!(world.balance("w_1"), format!("{}.00", acknowledged + 1));
    daemon.crash();
    let mut command = world.walletd();
    command.env("WALLETD_DATA", disk.join("data"));
    let _daemon = world.daemon_by(command);
    assert_eq!(world.balance("w_1"), format!("{}.00", acknowledged + 1));
    world.ctl("audit verify").ok();
}

/// Starts the daemon under a clock that a file sets.
fn with_clock(world: &World) -> Option<(crate::harness::Daemon, PathBuf)> {
    tool("faketime", "a clock that is set under a running daemon")?;
    let library = [
        "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1",
        "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1",
    ];
    let Some(library) = library.into_iter().find(|path| Path::new(path).is_file()) else {
        crate::harness::skipped("a clock that is set under a running daemon (libfaketime is not where Debian puts it)");
        return None;
    };
    let offset = world.file("clock", "+0s\n");
    let mut command = world.walletd();
    command.env("LD_PRELOAD", library).env("FAKETIME_TIMESTAMP_FILE", &offset).env("FAKETIME_NO_CACHE", "1");
    // The steady clock is what the jump is measured against, as it is on a real machine.
    command.env("FAKETIME_DONT_FAKE_MONOTONIC", "1").env("DONT_FAKE_MONOTONIC", "1");
    Some((world.daemon_by(command), offset))
}

#[test]
fn a_clock_set_back_an_hour_or_forward_a_year_stops_writes_and_poisons_nothing() {
    let world = World::new();
    let Some((_daemon, clock)) = with_clock(&world) else {
        return;
    };
    world.wallet("w_1", "EUR", "1");
    let deposit =
        |key: &str| world.ctl(&format!("deposit --to w_1 --amount 1 --asset EUR --idempotency-key {key} --yes"));
    let head = world.head();
    for (name, offset) in [("back", "-1h"), ("forward", "+1y")] {
        fs::write(&clock, format!("{offset}\n")).unwrap();
        deposit(name).fails(75, "clock");
        assert_eq!(world.head(), head);
        world.ctl("balance w_1").ok();
    }
    fs::write(&clock, "+0s\n").unwrap();
    deposit("right").ok();
    let recorded = world.ctl("tx show --key right -o json").data();
    assert!(recorded["recorded_at"].as_str().unwrap() < "2100", "{recorded}");
    world.ctl("audit verify").ok();
}
