//! What bad input gets: a clear refusal with the right code, and nothing happens.

use std::{io::Write as _, process::Stdio, thread, time::Duration};

use crate::harness::World;

/// Runs commands that must fail with a code and a word; then nothing may have happened.
fn refused(world: &World, cases: &[(&str, i32)]) {
    let head = world.head();
    for (line, code) in cases {
        let run = world.ctl(line);
        assert_eq!(run.code, *code, "{run}");
        assert!(!run.err.is_empty() && run.out.is_empty(), "{run}");
    }
    assert_eq!(world.head(), head, "something happened");
}

#[test]
fn amounts_are_plain_digits_at_the_assets_scale() {
    let world = World::new();
    let _daemon = world.daemon();
    world.wallet("w_1", "EUR", "100");
    world.wallet("y_1", "JPY", "0");
    let deposit = |amount: &str| format!("deposit --to w_1 --amount {amount} --asset EUR --idempotency-key k --yes");
    let bad =
        ["0", "0.00", "-1", "1e3", "1_000", "1,000", "+1", ".5", "1.", "1.001", "1.230", "ten", "٣", "0x10", "NaN"];
    for amount in bad {
        refused(&world, &[(&deposit(amount), 2)]);
    }
    refused(&world, &[(&deposit(&"9".repeat(40)), 2)]);
    refused(&world, &[(&deposit(&format!("{}.00", "9".repeat(26))), 2)]);
    let jpy = "deposit --to y_1 --amount 1.5 --asset JPY --idempotency-key k --yes";
    refused(&world, &[("deposit --to y_1 --amount 1.0 --asset JPY --idempotency-key k --yes", 2)]);
    let wrong = "deposit --to w_1 --amount 1 --asset JPY --idempotency-key k --yes";
    let unknown = "deposit --to w_1 --amount 1 --asset ZZZ --idempotency-key k --yes";
    refused(&world, &[(jpy, 2), (wrong, 6), (unknown, 2)]);
    // The largest there is goes in, and not a cent more.
    let most = format!("{}.99", "9".repeat(25));
    world.wallet("w_2", "USD", &most);
    assert_eq!(world.balance("w_2"), most);
    refused(&world, &[("deposit --to w_2 --amount 0.01 --asset USD --idempotency-key k2 --yes", 6)]);
}

#[test]
fn dates_must_exist_once_and_not_lie_ahead() {
    let world = World::new();
    let _daemon = world.daemon();
    world.ctl("wallet create w_1 --owner o --asset EUR --opened-at 2020-01-01 --idempotency-key o --yes").ok();
    refused(
        &world,
        &[
            // A local time needs a zone that has it exactly once.
            ("balance w_1 --at 2024-03-31T01:30:00 --tz Europe/Lisbon", 2),
            ("balance w_1 --at 2024-10-27T01:30:00 --tz Europe/Lisbon", 2),
            ("balance w_1 --at 2024-02-30", 2),
            // Samoa went from the 29th to the 31st; no day has a 61st second; no time is kept of the last day of all.
            ("balance w_1 --at 2011-12-30 --tz Pacific/Apia", 2),
            ("balance w_1 --from 2011-12-30 --every day --tz Pacific/Apia", 2),
            ("balance w_1 --at 2024-12-31T23:59:60Z", 2),
            ("balance w_1 --at 2024-12-31T23:59:60", 2),
            ("balance w_1 --at 9999-12-31 --tz Europe/Lisbon", 2),
            ("balance w_1 --at yesterday", 2),
            ("balance w_1 --at 2999-01-01", 2),
            ("balance w_1 --at 2999-01-01T00:00:00Z", 2),
            ("balance w_1 --at 2024-01-01 --tz Mars/Olympus", 2),
            (
                "deposit --to w_1 --amount 1 --asset EUR --effective-at 2999-01-01T00:00:00Z --idempotency-key k --yes",
                2,
            ),
            (
                "deposit --to w_1 --amount 1 --asset EUR --effective-at 2019-12-31T23:59:59Z --idempotency-key k --yes",
                6,
            ),
        ],
    );
    let days = world.ctl("balance w_1 --from 2011-12-29 --to 2011-12-31 --every day --tz Pacific/Apia -o csv").ok();
    assert_eq!(days.lines().count(), 3, "{days}");
    // A day of 25 hours ends with its last; the day before a skipped midnight (Lebanon) ends where the next begins.
    let at = |line: &str| world.ctl(&format!("{line} -o json")).data()["at"].as_str().unwrap().to_owned();
    assert_eq!(at("balance w_1 --at 2024-10-27 --tz Europe/Lisbon"), "2024-10-27T23:59:59.999999Z");
    assert_eq!(at("balance w_1 --at 2024-03-30 --tz Asia/Beirut"), "2024-03-30T21:59:59.999999Z");
    let before = world.ctl("balance w_1 --at 2019-06-01 -o json").data();
    assert_eq!((before["balance"].as_str(), before["opened"].as_bool()), (Some("0.00"), Some(false)));
}

#[test]
fn wallets_that_cannot_be_meant_are_refused() {
    let world = World::new();
    let _daemon = world.daemon();
    world.wallet("w_1", "EUR", "10");
    world.wallet("w_f", "EUR", "0");
    world.wallet("w_c", "EUR", "0");
    world.ctl("wallet freeze w_f --reason test --idempotency-key f --yes").ok();
    world.ctl("wallet close w_c --reason test --idempotency-key c --yes").ok();
    let move_to = |to: &str| format!("transfer --from w_1 --to {to} --amount 1 --asset EUR --idempotency-key k --yes");
    for (to, code) in
        [("w_1", 2), ("nobody", 3), ("W_1", 3), ("w_f", 6), ("w_c", 6), ("../w_1", 2), ("@external:EUR", 2)]
    {
        refused(&world, &[(&move_to(to), code)]);
    }
    let run = world.ctl_words(&["wallet", "show", "w\u{1b}[31m_1"]);
    assert_eq!(run.code, 2, "{run}");
    assert!(!run.err.contains('\u{1b}'), "an escape sequence reaches the terminal: {run}");
    let long = "x".repeat(65);
    refused(&world, &[(&format!("wallet create {long} --owner o --asset EUR --idempotency-key l --yes"), 2)]);
    refused(&world, &[("wallet create w_1 --owner o --asset EUR --idempotency-key again --yes", 6)]);
    refused(&world, &[("wallet close w_1 --reason full --idempotency-key c1 --yes", 6)]);
    refused(&world, &[("wallet unfreeze w_1 --reason none --idempotency-key u --yes", 6)]);
}

#[test]
fn metadata_and_memos_are_bounded() {
    let world = World::new();
    let _daemon = world.daemon();
    world.wallet("w_1", "EUR", "0");
    let head = world.head();
    let base = ["deposit", "--to", "w_1", "--amount", "1", "--asset", "EUR", "--idempotency-key", "k", "--yes"];
    let with = |more: &[&str]| world.ctl_words(&[&base[..], more].concat());
    with(&["--memo", &"m".repeat(100_000)]).exits(2);
    with(&["--memo", "bell\u{7}"]).exits(2);
    with(&["--meta", &format!("a={}", "v".repeat(100_000))]).exits(2);
    let many: Vec<String> = (0..500).flat_map(|n| ["--meta".to_owned(), format!("name{n}=v")]).collect();
    with(&many.iter().map(String::as_str).collect::<Vec<_>>()).exits(2);
    with(&["--meta", "twice=1", "--meta", "twice=2"]).exits(2);
    assert_eq!(world.head(), head);
}

const HEADER: &str = "key,op,from,to,amount,asset\n";

#[test]
fn a_batch_file_is_checked_whole_before_anything_is_sent() {
    let world = World::new();
    let _daemon = world.daemon();
    world.wallet("w_1", "EUR", "0");
    let head = world.head();
    let good = "a,deposit,,w_1,1,EUR\n";
    let cases: Vec<(&str, Vec<u8>, &str)> = vec![
        ("unknown column", b"key,op,from,to,amount,asset,colour\na,deposit,,w_1,1,EUR,red\n".into(), "colour"),
        ("byte order mark", format!("\u{feff}{HEADER}{good}").into(), "byte order mark"),
        ("duplicate key", format!("{HEADER}{good}{good}").into(), "3"),
        ("ragged row", format!("{HEADER}a,deposit,,w_1,1\n").into(), "2"),
        ("not UTF-8", [HEADER.as_bytes(), b"a\xff,deposit,,w_1,1,EUR\n"].concat(), "2"),
        ("NUL", format!("{HEADER}a\0,deposit,,w_1,1,EUR\n").into(), "2"),
        ("empty file", Vec::new(), ""),
        ("missing column", b"key,op,from,to,amount\na,deposit,,w_1,1\n".into(), "asset"),
        ("unknown op", format!("{HEADER}a,steal,,w_1,1,EUR\n").into(), "op"),
        ("bad amount", format!("{HEADER}{good}b,deposit,,w_1,1e9,EUR\n").into(), "3"),
        ("deposit from", format!("{HEADER}a,deposit,w_1,w_1,1,EUR\n").into(), "2"),
        ("no key", format!("{HEADER},deposit,,w_1,1,EUR\n").into(), "key"),
    ];
    for (what, content, word) in cases {
        world.file("b.csv", content);
        for verb in ["validate", "run --yes"] {
            let run = world.ctl(&format!("batch {verb} b.csv"));
            assert_eq!(run.code, 2, "{what}: {run}");
            assert!(run.err.contains(word) || run.out.contains(word), "{what}: no {word:?} in {run}");
        }
    }
    assert_eq!(world.head(), head, "something was sent");
}

#[test]
fn a_header_without_rows_is_a_batch_of_nothing() {
    let world = World::new();
    let _daemon = world.daemon();
    world.file("b.csv", HEADER);
    world.ctl("batch run b.csv --yes").ok();
    world.file("crlf.csv", "key,op,from,to,amount,asset\r\na,deposit,,w_1,1,EUR\r\n");
    world.ctl("batch validate crlf.csv").ok();
}

#[test]
fn a_line_of_100_megabytes_is_refused_in_constant_memory() {
    let world = World::new();
    let mut content = HEADER.as_bytes().to_vec();
    content.extend(std::iter::repeat_n(b'x', 100 << 20));
    world.file("b.csv", content);
    let mut command = world.walletctl();
    command.args(["batch", "validate", "b.csv"]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // The peak only rises, so what is read last is the most there was until then.
    let mut peak = 0;
    while child.try_wait().unwrap().is_none() {
        peak = peak_of(child.id()).unwrap_or(peak).max(peak);
        thread::sleep(Duration::from_millis(1));
    }
    let run = crate::harness::finish("batch validate".into(), child);
    assert!(run.says("2:1: ") && run.says("longer than"), "{run}");
    run.exits(2);
    assert!(peak > 0 && peak < 64 << 20, "{peak} bytes of memory");
}

/// The most memory a process ever had; none once it has ended.
fn peak_of(pid: u32) -> Option<u64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.parse::<u64>().ok().map(|kib| kib << 10)
}

#[test]
fn standard_input_that_never_ends_is_refused_without_anybody_ending_it() {
    let world = World::new();
    for verb in ["batch validate", "batch run --yes", "wallet import --yes"] {
        let _daemon = verb.contains("yes").then(|| world.daemon());
        // One line for ever.
        let mut command = world.walletctl();
        command.args(verb.split(' ')).arg("-").stdin(std::fs::File::open("/dev/zero").unwrap());
        let run = crate::harness::run(command, Vec::new());
        assert!(run.says("1:1: the line is longer than"), "{run}");
        run.exits(2);
    }
    // Rows for ever: more than a batch may have.
    let mut command = world.walletctl();
    command.args(["batch", "validate", "-"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let writer = thread::spawn(move || {
        let rows = b"x\n".repeat(1 << 16);
        while stdin.write_all(&rows).is_ok() {}
    });
    let run = crate::harness::finish("batch validate -".into(), child);
    writer.join().unwrap();
    assert!(run.says("lines: split the batch"), "{run}");
    run.exits(2);
}

#[test]
fn a_file_that_changed_between_run_and_resume_is_refused() {
    let world = World::new();
    let _daemon = world.daemon();
    world.wallet("w_1", "EUR", "0");
    world.file("b.csv", format!("{HEADER}a,deposit,,w_1,1,EUR\n"));
    world.ctl("batch run b.csv --results r.ndjson --yes").ok();
    world.file("b.csv", format!("{HEADER}a,deposit,,w_1,2,EUR\n"));
    world.ctl("batch resume b.csv --results r.ndjson --yes").exits(2);
    assert_eq!(world.balance("w_1"), "1.00");
}

#[test]
fn what_others_wrote_cannot_steer_the_terminal_or_a_spreadsheet() {
    let world = World::new();
    let _daemon = world.daemon();
    world.wallet("w_1", "EUR", "0");
    let words = ["deposit", "--to", "w_1", "--amount", "1", "--asset", "EUR", "--memo", "=HYPERLINK(1)"];
    world.ctl_words(&[&words[..], &["--idempotency-key", "k", "--yes"]].concat()).ok();
    let csv = world.ctl("tx list -o csv").ok();
    assert!(csv.contains("'=HYPERLINK"), "{csv}");
    assert!(!csv.contains("'1.00") && csv.contains(",1.00,"), "{csv}");
}

#[test]
fn a_write_without_a_terminal_needs_its_key_and_its_yes() {
    let world = World::new();
    let _daemon = world.daemon();
    world.wallet("w_1", "EUR", "0");
    refused(
        &world,
        &[
            ("deposit --to w_1 --amount 1 --asset EUR --yes", 2),
            ("deposit --to w_1 --amount 1 --asset EUR --idempotency-key k", 2),
        ],
    );
}

#[test]
fn a_dry_run_answers_like_the_real_thing_and_writes_nothing() {
    let world = World::new();
    let _daemon = world.daemon();
    world.wallet("w_1", "EUR", "10");
    world.wallet("w_2", "EUR", "0");
    let head = world.head();
    let transfer = |amount: &str| {
        format!("transfer --from w_1 --to w_2 --amount {amount} --asset EUR --idempotency-key k --dry-run")
    };
    world.ctl(&transfer("4")).ok();
    world.ctl(&transfer("40")).exits(6);
    assert_eq!((world.head(), world.balance("w_1").as_str()), (head, "10.00"));
}
