//! What must hold for any set of wallets and rows with known results: the sample's and the bank's.

use std::{collections::BTreeMap, fs, path::Path};

use rust_decimal::Decimal;

use wallet_tests::expect::{self, Expected, Row, Wallet};

use crate::harness::{World, rows, run, tool};

/// Files in one directory, as the sample's generator and the converter of the bank data write them.
pub struct Dataset {
    pub wallets: String,
    pub batch: String,
    /// Key, and `ok` or the refusal's code (or `refused`, where the code is not known).
    pub outcomes: Vec<(String, String)>,
    /// Wallet and date, and the balance at its close.
    pub balances: BTreeMap<(String, String), String>,
}

impl Dataset {
    pub fn read(dir: &Path) -> Self {
        let text = |name: &str| fs::read_to_string(dir.join(name)).unwrap();
        let outcomes = rows(&text("expected_outcomes.csv")).into_iter().map(|mut row| {
            let code = row.remove("code").filter(|code| !code.is_empty());
            (row.remove("key").unwrap(), code.or(row.remove("outcome")).unwrap())
        });
        let balances = rows(&text("expected_balances.csv")).into_iter().map(|mut row| {
            ((row.remove("wallet").unwrap(), row.remove("date").unwrap()), row.remove("balance").unwrap())
        });
        Self {
            wallets: text("wallets.csv"),
            batch: text("batch.csv"),
            outcomes: outcomes.collect(),
            balances: balances.collect(),
        }
    }

    pub fn refusals(&self) -> usize {
        self.outcomes.iter().filter(|(_, outcome)| outcome != "ok").count()
    }

    pub fn dates(&self) -> Vec<String> {
        let mut dates: Vec<String> = self.balances.keys().map(|(_, date)| date.clone()).collect();
        dates.sort();
        dates.dedup();
        dates
    }

    /// Puts the files where the programs run, and imports the wallets.
    pub fn import(&self, world: &World) {
        world.file("wallets.csv", &self.wallets);
        world.file("batch.csv", &self.batch);
        world.ctl("wallet import wallets.csv --yes").ok();
    }

    /// The exit code a batch run must have.
    pub fn exit(&self) -> i32 {
        if self.refusals() == 0 { 0 } else { 8 }
    }

    /// Runs the batch and checks every row's outcome.
    pub fn run(&self, world: &World) {
        world.ctl("batch run batch.csv --results results.ndjson --yes").exits(self.exit());
        self.check_outcomes(world, "results.ndjson", "ok");
    }

    /// Every row of a results file is as expected; what is accepted is called `accepted`.
    #[track_caller]
    pub fn check_outcomes(&self, world: &World, results: &str, accepted: &str) {
        let found = results_of(&world.read(results));
        assert_eq!(found.len(), self.outcomes.len(), "rows in {results}");
        for (key, expected) in &self.outcomes {
            let (outcome, code) = found.get(key).unwrap_or_else(|| panic!("{key} is missing in {results}"));
            match expected.as_str() {
                "ok" => assert_eq!(outcome, accepted, "{key} ({code})"),
                "refused" => assert_eq!(outcome, "refused", "{key}"),
                expected => assert_eq!((outcome.as_str(), code.as_str()), ("refused", expected), "{key}"),
            }
        }
    }

    /// All balances at each month's end, one report a date.
    #[track_caller]
    pub fn check_balances(&self, world: &World) {
        for date in self.dates() {
            self.check_at(&world.ctl(&format!("balance --all-wallets --at {date} -o csv")).ok(), &date);
        }
    }

    #[track_caller]
    fn check_at(&self, report: &str, date: &str) {
        let found: BTreeMap<String, String> = rows(report)
            .into_iter()
            .map(|mut row| (row.remove("wallet").unwrap(), row.remove("balance").unwrap()))
            .collect();
        let expected: BTreeMap<String, String> = self
            .balances
            .iter()
            .filter(|((_, at), _)| at == date)
            .map(|((wallet, _), balance)| (wallet.clone(), balance.clone()))
            .collect();
        same(&expected, &found, date);
    }

    /// The same balances by one report over the whole range.
    #[track_caller]
    pub fn check_history(&self, world: &World) {
        let dates = self.dates();
        let (first, last) = (&dates[0][..8], &dates[dates.len() - 1]);
        let line = format!("balance --all-wallets --from {first}01 --to {last} --every month -o csv");
        let found: BTreeMap<(String, String), String> = rows(&world.ctl(&line).ok())
            .into_iter()
            .map(|mut row| {
                let date = row.remove("at").unwrap()[..10].to_owned();
                ((row.remove("wallet").unwrap(), date), row.remove("balance").unwrap())
            })
            .collect();
        same(&self.balances, &found, "month ends");
    }

    /// The balances at the last date as known at a seq are those of the first rows alone.
    #[track_caller]
    pub fn check_known_at(&self, world: &World, seq: u64, of_first_rows: &Self) {
        for date in of_first_rows.dates().iter().rev().take(2) {
            let line = format!("balance --all-wallets --at {date} --known-at {seq} -o csv");
            let found: BTreeMap<String, Decimal> = rows(&world.ctl(&line).ok())
                .into_iter()
                .map(|mut row| (row.remove("wallet").unwrap(), row.remove("balance").unwrap().parse().unwrap()))
                .collect();
            assert_eq!(found.len() * self.dates().len(), self.balances.len(), "wallets at {date}");
            for (wallet, balance) in &found {
                let expected = of_first_rows.balances.get(&(wallet.clone(), date.clone()));
                // A wallet that the first rows do not touch is not in the converter's output.
                let expected: Decimal = expected.map_or(Decimal::ZERO, |text| text.parse().unwrap());
                assert_eq!(*balance, expected, "{wallet} at {date}, known at {seq}");
            }
        }
    }

    /// An independent program, reading the exported journal, finds the same balances at every month's end.
    pub fn check_hledger(&self, world: &World) {
        world.ctl("export transactions --format hledger --out journal.hledger").ok();
        if let Some(hledger) = tool("hledger", "the balances as hledger sees them") {
            for date in self.dates() {
                let mut command = world.command(&hledger);
                command.args(["-f", "journal.hledger", "balance", "--flat", "--empty", "-O", "csv", "--no-total"]);
                command.args(["--end", &next_day(&date), "wallets:"]);
                self.check_foreign(&csv_balances(&run(command, Vec::new()).ok()), &date);
            }
        }
        if let Some(ledger) = tool("ledger", "the balances as ledger sees them") {
            // ledger reads the entries as they are, but not the commodities' formats, which hledger wants.
            let text = world.read("journal.hledger");
            let entries =
                text.lines().filter(|line| !line.starts_with("commodity ") && !line.starts_with("    format "));
            world.file("journal.ledger", entries.map(|line| format!("{line}\n")).collect::<Vec<_>>().concat());
            let dates = self.dates();
            for date in [&dates[0], &dates[dates.len() / 2], &dates[dates.len() - 1]] {
                let mut command = world.command(&ledger);
                command.args(["-f", "journal.ledger", "balance", "--flat", "--empty", "--no-total"]);
                command.args(["--balance-format", "%(account),%(quantity(scrub(display_total)))\\n"]);
                command.args(["--end", &next_day(date), "^wallets:"]);
                let text = format!("account,balance\n{}", run(command, Vec::new()).ok());
                self.check_foreign(&csv_balances(&text), date);
            }
        }
    }

    #[track_caller]
    fn check_foreign(&self, found: &BTreeMap<String, Decimal>, date: &str) {
        for ((wallet, at), expected) in self.balances.iter().filter(|((_, at), _)| at == date) {
            let held = found.get(wallet).copied().unwrap_or_default();
            assert_eq!(held, expected.parse::<Decimal>().unwrap(), "{wallet} at {at}");
        }
    }
}

/// Balances by wallet from `account,balance` lines, such as `wallets:w_1,"EUR 1.50"`.
fn csv_balances(text: &str) -> BTreeMap<String, Decimal> {
    let number = |text: &str| {
        let digits: String = text.chars().filter(|c| c.is_ascii_digit() || ".-".contains(*c)).collect();
        if digits.is_empty() { Decimal::ZERO } else { digits.parse().unwrap_or_else(|_| panic!("{text}")) }
    };
    rows(text)
        .iter()
        .map(|row| (row["account"].rsplit(':').next().unwrap().to_owned(), number(&row["balance"])))
        .collect()
}

fn next_day(date: &str) -> String {
    let (year, rest) = date.split_at(4);
    // Month ends only: the next day is the first of the next month.
    let (year, month): (u32, u32) = (year.parse().unwrap(), rest[1..3].parse().unwrap());
    if month == 12 { format!("{}-01-01", year + 1) } else { format!("{year}-{:02}-01", month + 1) }
}

#[track_caller]
fn same<K: Ord + std::fmt::Debug>(expected: &BTreeMap<K, String>, found: &BTreeMap<K, String>, what: &str) {
    for (key, value) in expected {
        assert_eq!(found.get(key), Some(value), "{what}: {key:?}");
    }
    assert_eq!(found.len(), expected.len(), "{what}: something is there that is not expected");
}

/// Outcome and code by key, from a results file.
pub fn results_of(text: &str) -> BTreeMap<String, (String, String)> {
    let mut found = BTreeMap::new();
    for line in text.lines() {
        let row: serde_json::Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        if let Some(key) = row["key"].as_str() {
            let word = |name: &str| row[name].as_str().unwrap_or_default().to_owned();
            let before = found.insert(key.to_owned(), (word("outcome"), word("code")));
            assert!(before.is_none() || before == found.get(key).cloned(), "{key} has two outcomes");
        }
    }
    found
}

/// The same rows in another order, the same one every time.
pub fn shuffled(batch: &str) -> String {
    let mut lines: Vec<&str> = batch.lines().collect();
    let mut state = 99_u64;
    for last in (2..lines.len()).rev() {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let other = 1 + usize::try_from(state >> 33).unwrap() % last;
        lines.swap(last, other);
    }
    lines.join("\n") + "\n"
}

/// Wallets without limits.
pub fn unlimited(wallets: &str) -> String {
    let mut out = csv::Writer::from_writer(Vec::new());
    let mut input = csv::Reader::from_reader(wallets.as_bytes());
    let place = input.headers().unwrap().iter().position(|name| name == "overdraft").unwrap();
    out.write_record(input.headers().unwrap()).unwrap();
    for row in input.records().map(Result::unwrap) {
        let cells = row.iter().enumerate().map(|(index, cell)| if index == place { "unlimited" } else { cell });
        out.write_record(cells).unwrap();
    }
    String::from_utf8(out.into_inner().unwrap()).unwrap()
}

/// Everything that the programs promise about a batch whose results are known.
pub fn the_whole_job(dataset: &Dataset, world: &World) {
    let daemon = world.daemon();
    dataset.import(world);
    dataset.run(world);
    dataset.check_balances(world);
    dataset.check_history(world);
    dataset.check_hledger(world);
    world.ctl("audit verify").ok();

    // The same file again: nothing moves, the same outcomes are reported.
    let head = world.head();
    world.ctl("batch run batch.csv --results results.ndjson --yes").exits(dataset.exit());
    dataset.check_outcomes(world, "results.ndjson", "ok");
    assert_eq!(world.head(), head);

    // Another machine has neither results nor state: what was accepted replays, and no money moves twice.
    let mut elsewhere = world.walletctl();
    elsewhere.env("XDG_STATE_HOME", world.path("elsewhere")).arg("--socket").arg(world.socket());
    elsewhere.args(["batch", "run", "batch.csv", "--results", "elsewhere.ndjson", "--yes"]);
    let again = run(elsewhere, Vec::new());
    assert!([0, 8].contains(&again.code), "{again}");
    let found = results_of(&world.read("elsewhere.ndjson"));
    let mut accepted_later = 0;
    for (key, first) in &dataset.outcomes {
        let outcome = found[key].0.as_str();
        if first == "ok" {
            assert_eq!(outcome, "replayed", "{key}");
        } else {
            accepted_later += u64::from(outcome == "ok");
        }
    }
    assert_eq!(world.head() - head, accepted_later, "an accepted row moved money twice");
    assert_eq!(daemon.stop(), 0);
}

/// What these rows alone come to, by the tests' own ledger.
fn folded(wallets: &str, batch: &[BTreeMap<String, String>]) -> Expected {
    let day = |moment: &str| moment[..10].to_owned();
    let wallets: Vec<_> = rows(wallets)
        .into_iter()
        .map(|row| Wallet {
            id: row["id"].clone(),
            asset: row["asset"].clone(),
            floor: None,
            opened: day(&row["opened_at"]),
        })
        .collect();
    let of = |row: &BTreeMap<String, String>| Row {
        key: row["key"].clone(),
        from: row["from"].clone(),
        to: row["to"].clone(),
        amount: row["amount"].parse().unwrap(),
        asset: row["asset"].clone(),
        day: day(&row["effective_at"]),
    };
    // Balances are compared as numbers.
    expect::fold(&wallets, &batch.iter().map(of).collect::<Vec<_>>(), |_| 2)
}

/// The rows in any order give the same closing balances, when no limit forbids any; and after each row it is known what the
/// rows up to it come to, whatever came late behind it.
pub fn any_order(dataset: &Dataset, world: &World) {
    let _daemon = world.daemon();
    let (wallets, batch) = (unlimited(&dataset.wallets), shuffled(&dataset.batch));
    world.file("wallets.csv", &wallets);
    world.file("batch.csv", &batch);
    world.ctl("wallet import wallets.csv --yes").ok();
    let opened = world.head();
    let run = world.ctl("batch run batch.csv --yes");
    assert!([0, 8].contains(&run.code), "{run}");
    dataset.check_balances(world);
    dataset.check_history(world);

    let (batch, dates) = (rows(&batch), dataset.dates());
    for count in [1, batch.len() / 3, batch.len() * 2 / 3, batch.len() - 1] {
        let expected = folded(&wallets, &batch[..count]);
        let seq = opened + u64::try_from(count - expected.refusals()).unwrap();
        for date in [&dates[0], &dates[dates.len() / 2], &dates[dates.len() - 1]] {
            let report = world.ctl(&format!("balance --all-wallets --at {date} --known-at {seq} -o csv")).ok();
            let number = |text: &str| text.parse::<Decimal>().unwrap();
            let found: BTreeMap<String, Decimal> =
                rows(&report).into_iter().map(|row| (row["wallet"].clone(), number(&row["balance"]))).collect();
            let known: BTreeMap<String, Decimal> =
                expected.wallets().map(|id| (id.to_owned(), number(&expected.balance(id, date)))).collect();
            let differs: Vec<_> =
                known.iter().filter(|(id, balance)| found.get(*id) != Some(balance)).take(3).collect();
            assert!(differs.is_empty() && found.len() == known.len(), "at {date} after {count} rows: {differs:?}");
        }
    }
    world.ctl("audit verify").ok();
}

/// kill -9 in the middle, restart, resume: the outcomes of an undisturbed run, row by row.
pub fn a_crash_in_the_middle(dataset: &Dataset, world: &World) {
    let daemon = world.daemon();
    dataset.import(world);
    let mut command = world.walletctl();
    command.args(["batch", "run", "batch.csv", "--results", "results.ndjson", "--chunk", "20"]);
    command.args(["--retry-for", "0", "--yes"]);
    command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    let child = command.spawn().unwrap();
    let written = || std::fs::read_to_string(world.path("results.ndjson")).map_or(0, |text| text.lines().count());
    while written() < dataset.outcomes.len() / 3 {
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    daemon.crash();
    let interrupted = crate::harness::finish("batch run, interrupted".into(), child);
    assert_eq!(interrupted.code, 11, "{interrupted}");

    let _daemon = world.daemon();
    world.ctl("batch resume batch.csv --results results.ndjson --yes").exits(dataset.exit());
    let found = results_of(&world.read("results.ndjson"));
    for (key, expected) in &dataset.outcomes {
        let (outcome, code) = &found[key];
        let fine = match expected.as_str() {
            "ok" => outcome == "ok" || outcome == "replayed",
            "refused" => outcome == "refused",
            expected => outcome == "refused" && code == expected,
        };
        assert!(fine, "{key}: {outcome} {code}, without a crash {expected}");
    }
    dataset.check_balances(world);
    world.ctl("audit verify").ok();
}
