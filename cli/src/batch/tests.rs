//! Checks over whole files: reading, faults, chunks, results.

use std::{fmt::Write as _, io::Cursor, sync::Arc};

use sha2::Digest as _;
use wallet_api::types::{Batch, BatchMode, RowOutcome};

use super::{
    check::{Checked, Format, check, thorough},
    chunks::{Chunk, ChunkError, Chunker, Plan, Sort},
    input::{Bounds, InputError, MAX_ROW, Source},
    outcomes::Held,
    quick::pieces,
    results::{Binding, Ledger, Results, ResultsError, SCHEMA, View},
    row::Known,
};

const HEADER: &str = "key,op,from,to,amount,asset,effective_at,memo,meta.invoice\n";

fn source(bytes: impl Into<Vec<u8>>) -> Arc<Source> {
    // Whatever it holds: what a stream may hold is tried apart.
    let most = Bounds { bytes: u64::MAX, lines: u64::MAX, line: usize::MAX / 2 };
    Arc::new(Source::spool(Cursor::new(bytes.into()), "test", &most).unwrap())
}

fn checked(bytes: impl Into<Vec<u8>>, format: Format) -> Checked {
    check(&source(bytes), format, &mut Known::all([])).unwrap()
}

fn faults(bytes: impl Into<Vec<u8>>) -> Vec<String> {
    checked(bytes, Format::Csv).faults.first().map(ToString::to_string).collect()
}

fn plan(checked: &Checked, chunk: usize, mode: BatchMode, sort: Sort) -> Plan {
    Plan { sha256: checked.sha256, format: Format::Csv, mode, sort, chunk, attempt: 1 }
}

fn chunks(source: &Arc<Source>, plan: &Plan, skip: u64) -> Vec<Chunk> {
    let mut chunker = Chunker::new(source, plan, Known::all([])).unwrap();
    chunker.skip(skip).unwrap();
    std::iter::from_fn(|| chunker.next_chunk().unwrap()).collect()
}

fn rows(n: usize) -> String {
    let mut text = HEADER.to_owned();
    for i in 0..n {
        let _ = writeln!(
            text,
            "k{i},deposit,,w1,1.00,EUR,2026-01-{:02}T00:00:00Z,\"row {i}, \"\"x\"\"\",INV-{i}",
            28 - i % 28
        );
    }
    text
}

#[test]
fn a_good_file_has_its_rows_and_totals() {
    let text = format!(
        "{HEADER}k1,transfer,a,b,10.50,EUR,,January,INV\r\n\r\nk2,deposit,,a,1,JPY,,,\nk3,withdraw,a,,0.5,EUR,,,"
    );
    let found = checked(text.clone(), Format::Csv);
    assert!(found.faults.is_empty(), "{:?}", found.faults);
    assert_eq!(found.rows, 3);
    let eur = found.totals[&"EUR".parse().unwrap()];
    assert_eq!((eur.rows, eur.amount.to_string().as_str(), eur.withdrawals.to_string().as_str()), (2, "11.00", "0.50"));
    assert_eq!(found.sha256.0, <[u8; 32]>::from(sha2::Sha256::digest(text.as_bytes())));
}

#[test]
fn every_kind_of_bad_file_is_found_with_its_place() {
    let row = "k1,deposit,,a,1.00,EUR,,,\n";
    assert_eq!(faults(""), ["1:1: the file is empty: not even a header is there"]);
    assert!(faults(HEADER).is_empty());
    assert!(faults(format!("\u{feff}{HEADER}{row}"))[0].starts_with("1:1: the file starts with a byte order mark"));
    assert!(faults(format!("{HEADER}{row}k1,deposit,,a,1.00,EUR,,,\n"))[0].starts_with("3:1: the key of line 2 again"));
    assert!(faults(format!("{HEADER}k1,deposit,,a,1.00,EUR\n"))[0].starts_with("2:20: 6 fields; the header has 9"));
    assert!(faults("key,op,to,amount,asset,colour\n")[0].starts_with("1:24: unknown column \"colour\""));
    assert!(faults(format!("{HEADER}k1,deposit,,a\0,1.00,EUR,,,\n"))[0].starts_with("2:14: a NUL byte"));
    assert!(faults([HEADER.as_bytes(), b"k1,deposit,,a,1.00,EUR,,\xff,\n"].concat())[0].starts_with("2:25: not UTF-8"));
    assert!(faults(format!("{HEADER}k1,deposit,,a,1e3,EUR,,,\n"))[0].starts_with("2:15: amount: not an amount"));
    assert_eq!(faults(format!("{HEADER}k1,deposit,,a,,EUR,,,\n")), ["2:15: amount is empty"]);
    assert_eq!(faults(format!("{HEADER}k1,deposit,,a,1,,,,\n")), ["2:17: asset is empty"]);
    assert_eq!(
        faults(format!("{HEADER}k1,,,a,1,EUR,,,\n")),
        ["2:4: op is empty: must be deposit, withdraw or transfer"]
    );
    assert_eq!(faults(format!("{HEADER},deposit,,a,1,EUR,,,\n")), ["2:1: key is empty"]);
    assert_eq!(faults(format!("{HEADER}k1,transfer,,a,1,EUR,,,\n")), ["2:13: from: a transfer needs it"]);
    assert_eq!(faults("amount,asset,op,key,to\n1,EUR,deposit,k,\n"), ["2:17: to: a deposit needs it"]);
    assert!(faults(format!("{HEADER}k1,deposit,,a,1,EUR,2026-01-01,,\n"))[0].contains("a date alone names no instant"));
    assert!(faults(format!("{HEADER}k1,deposit,,a,1,XXQ,,,\n"))[0].starts_with("2:17: asset XXQ is neither"));
    assert!(
        faults(format!("{HEADER}k1,deposit,,a,1,EUR,,\"open,\n{row}"))[0]
            .starts_with("2:22: a quote that is not closed")
    );
    let long = faults([HEADER.as_bytes(), &vec![b'x'; 5 * MAX_ROW], b"\n", row.as_bytes()].concat());
    assert_eq!(long, [format!("2:1: the line is longer than {MAX_ROW} bytes")]);
}

#[test]
fn only_the_first_hundred_faults_are_told_but_all_are_counted() {
    let mut text = HEADER.to_owned();
    (0..500).for_each(|i| writeln!(text, "k{i},pay,,a,1,EUR,,,").unwrap());
    let found = checked(text, Format::Csv);
    assert_eq!((found.faults.count(), found.faults.first().count()), (500, 100));
    assert_eq!(found.faults.first().last().unwrap().line, 101);
}

/// A file with everything that may be in a good one: every operation, several assets, quotes, empty lines, both ends of
/// lines, and a last line without any.
fn motley() -> String {
    let mut text = HEADER.to_owned();
    for i in 0..300 {
        let (op, from, to) = [("deposit", "", "w1"), ("withdraw", "w2", ""), ("transfer", "w1", "w2")][i % 3];
        let asset = ["EUR", "JPY", "XBT"][i / 7 % 3];
        let memo = if i % 5 == 0 { format!("\"a, \"\"{}\"\"\"", "é".repeat(i % 100)) } else { String::new() };
        let end = ["\n", "\r\n", "\n\n", "\n\r\n"][i % 4];
        let _ = write!(text, "k{i},{op},{from},{to},{},{asset},,{memo},{end}", i + 1);
    }
    text + "last,deposit,,w1,1,EUR,,,"
}

#[test]
fn a_good_file_is_the_same_however_many_threads_read_it_in_whatever_pieces() {
    let known = Known::built_in();
    let source = source(motley());
    let whole = thorough(&source, Format::Csv, &mut known.clone()).unwrap();
    assert_eq!((whole.rows, whole.faults.count(), whole.unknown_assets), (301, 0, true));
    for (threads, piece) in (1..=4).flat_map(|threads| [1, 2, 3, 17, 64, 1_000, 1 << 20].map(|piece| (threads, piece)))
    {
        let found = pieces(&source, Format::Csv, &known, threads, piece).unwrap();
        assert_eq!((found.sha256, found.rows, found.unknown_assets), (whole.sha256, whole.rows, true));
        assert_eq!(format!("{:?}", found.totals), format!("{:?}", whole.totals), "{threads} threads, {piece} bytes");
    }
}

#[test]
fn what_is_wrong_anywhere_is_never_taken_for_good() {
    let bad = |text: &str| {
        let source = source(text);
        [1, 40, 1 << 20].map(|piece| pieces(&source, Format::Csv, &Known::all([]), 3, piece).is_none()) == [true; 3]
    };
    let row = |i: usize| format!("k{i},deposit,,w1,1.00,EUR,,,\n");
    let with = |at: usize, wrong: &str| {
        let rows: Vec<_> = (0..40).map(|i| if i == at { wrong.to_owned() } else { row(i) }).collect();
        format!("{HEADER}{}", rows.concat())
    };
    assert!(!bad(&with(41, "")));
    for at in [0, 1, 20, 38, 39] {
        for wrong in [
            "k",
            "k,deposit,,w1,1,EUR,,,\0",
            "k,deposit,,w1,1,XBT,,,",
            "k,deposit,,w1,1,EUR,,\"open,",
            "k,pay,,w1,1,EUR,,,",
        ] {
            assert!(bad(&with(at, &format!("{wrong}\n"))), "{wrong:?} as row {at}");
        }
        assert!(bad(&with(at, &row((at + 1) % 40))), "a key is there twice");
        assert!(bad(&with(at, &format!("k,deposit,,w1,1,EUR,,{},\n", "x".repeat(2 * MAX_ROW)))));
    }
    let large = |i: usize| format!("k{i},deposit,,w1,9{},JPY,,,\n", "0".repeat(26));
    let sum: String = (0..100).map(large).collect();
    assert!(bad(&format!("{HEADER}{sum}")), "the rows add up to more than a decimal holds");
    assert!(bad("") && bad("key,op,amount\n") && !bad(HEADER));
}

#[test]
fn a_line_may_be_as_long_as_the_limit_whatever_the_buffer_holds() {
    for len in [MAX_ROW - 1, MAX_ROW, MAX_ROW + 1, MAX_ROW + 2] {
        for end in ["", "\n", "\r\n", "\nx"] {
            let text = format!("ab\n{}{end}", "y".repeat(len));
            let source = source(text);
            let mut lines = source.lines();
            assert_eq!(lines.next_line().unwrap().unwrap().bytes, Some(&b"ab"[..]));
            let line = lines.next_line().unwrap().unwrap();
            assert_eq!((line.number, line.bytes.map(<[u8]>::len)), (2, (len <= MAX_ROW).then_some(len)));
            assert!(len > MAX_ROW || line.offset == 3);
            assert_eq!(lines.next_line().unwrap().is_some(), end == "\nx");
            assert!(lines.next_line().unwrap().is_none());
        }
    }
}

#[test]
fn both_formats_give_the_same_commands() {
    let csv = source(format!("{HEADER}k1,transfer,a,b,10.50,EUR,2026-01-01T00:00:00Z,\"a \"\"b\"\"\",INV\n"));
    let json = source(
        r#"{"key":"k1","op":"transfer","from":"a","to":"b","amount":"10.50","asset":"EUR","effective_at":"2026-01-01T00:00:00Z","memo":"a \"b\"","meta.invoice":"INV"}"#,
    );
    let body = |source: &Arc<Source>, format| {
        let found = check(source, format, &mut Known::all([])).unwrap();
        let plan = Plan { format, ..plan(&found, 5_000, BatchMode::Stop, Sort::File) };
        chunks(source, &plan, 0).remove(0).body
    };
    assert_eq!(body(&csv, Format::Csv), body(&json, Format::Ndjson));
    let batch: Batch = serde_json::from_slice(&body(&csv, Format::Csv)).unwrap();
    assert_eq!((batch.mode, batch.commands.len()), (BatchMode::Stop, 1));
}

#[test]
fn chunks_cover_every_row_once_and_their_keys_name_their_first_row() {
    let source = source(rows(25));
    let found = check(&source, Format::Csv, &mut Known::all([])).unwrap();
    let plan = plan(&found, 10, BatchMode::Continue, Sort::File);
    let all = chunks(&source, &plan, 0);
    let shape: Vec<_> = all.iter().map(|c| (c.start, c.rows.len(), c.rows[0].line)).collect();
    assert_eq!(shape, [(0, 10, 2), (10, 10, 12), (20, 5, 22)]);
    let rest = chunks(&source, &plan, 20);
    assert_eq!((rest.len(), &rest[0].body), (1, &all[2].body));
    assert_ne!(plan.key(0), plan.key(10));
    assert_ne!(plan.key(0), Plan { attempt: 2, ..plan.clone() }.key(0));
}

#[test]
fn a_file_that_is_written_to_while_it_runs_gives_no_further_chunk() {
    for sort in [Sort::File, Sort::EffectiveAt] {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), rows(25)).unwrap();
        let source = Arc::new(Source::open(file.path()).unwrap());
        let found = check(&source, Format::Csv, &mut Known::all([])).unwrap();
        let mut chunker = Chunker::new(&source, &plan(&found, 10, BatchMode::Continue, sort), Known::all([])).unwrap();
        assert!(chunker.next_chunk().unwrap().is_some());
        std::fs::write(file.path(), rows(25).replace(",1.00,", ",9.00,")).unwrap();
        // However fast this was, and however coarse the disk's clock is.
        file.as_file().set_modified(std::time::UNIX_EPOCH).unwrap();
        assert!(matches!(chunker.next_chunk(), Err(ChunkError::Changed(_))), "{sort:?}");
    }
}

#[test]
fn sorting_puts_rows_in_the_order_of_time_then_line() {
    let source = source(rows(60));
    let found = check(&source, Format::Csv, &mut Known::all([])).unwrap();
    let plan = plan(&found, 100, BatchMode::Continue, Sort::EffectiveAt);
    let chunk = chunks(&source, &plan, 0).remove(0);
    let lines: Vec<_> = chunk.rows.iter().map(|row| row.line).collect();
    assert_eq!(lines.len(), 60);
    // Row i counts on day 28 - i % 28: day 1 is rows 27 and 55, on lines 29 and 57.
    assert_eq!(&lines[..2], [29, 57]);
    let batch: Batch = serde_json::from_slice(&chunk.body).unwrap();
    assert!(batch.commands.is_sorted_by_key(|command| command.effective_at));
}

fn outcome(name: &'static str) -> RowOutcome {
    let code = (name == "refused").then(|| "insufficient_funds".into());
    RowOutcome { outcome: name.into(), transaction: None, seq: None, code, message: None, field: None }
}

fn binding(plan: Plan, rows: u64) -> Binding {
    Binding { schema: SCHEMA.into(), ledger: ledger("l1", 1), file: "test".into(), rows, plan }
}

fn ledger(id: &str, epoch: u64) -> Ledger {
    Ledger { id: id.into(), epoch }
}

#[test]
fn results_go_on_where_what_stands_ends() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("results.ndjson");
    let source = source(rows(25));
    let found = check(&source, Format::Csv, &mut Known::all([])).unwrap();
    let plan = plan(&found, 10, BatchMode::Stop, Sort::File);
    let all = chunks(&source, &plan, 0);
    let open = || Results::open(&path, binding(plan.clone(), 25)).unwrap();
    let mut results = open();
    results.record(&all[0], &vec![outcome("ok"); 10]).unwrap();
    results.record(&all[1], &vec![outcome("ok"); 10]).unwrap();
    drop(results);
    // Ended without a word: the last chunk is asked for again.
    assert_eq!(open().view().held().unwrap().settled, 10);
    // A torn line costs its chunk.
    let torn = std::fs::read(&path).unwrap();
    std::fs::write(&path, &torn[..torn.len() - 5]).unwrap();
    let mut results = open();
    let held = results.view().held().unwrap();
    assert_eq!((held.settled, held.tally.lines), (10, 19));
    results.cut(&held).unwrap();
    // A stop is told, and the batch goes on behind the row that was refused.
    let mut second = vec![outcome("ok"); 10];
    second[4] = outcome("refused");
    second[5..].fill(outcome("not_attempted"));
    results.record(&all[1], &second).unwrap();
    results.record_all(&all[2], "not_attempted").unwrap();
    results.sync().unwrap();
    let held = results.view().held().unwrap();
    let counts = held.tally.counts;
    assert_eq!((held.settled, counts.ok, counts.refused, counts.not_attempted), (15, 14, 1, 10));
    assert_eq!((held.tally.failures[0].line, held.tally.failures[0].key.as_str()), (16, "k14"));
    // What was counted on the way, behind what was there before, is what reading it all comes to.
    assert_eq!(*results.tally(), held.tally);
    results.cut(&held).unwrap();
    for chunk in chunks(&source, &plan, 15) {
        results.record(&chunk, &vec![outcome("ok"); chunk.rows.len()]).unwrap();
    }
    let held = results.view().held().unwrap();
    assert_eq!((held.settled, held.tally.counts.committed(), held.stopped), (25, 24, false));
    assert_eq!(*results.tally(), held.tally);
}

#[test]
fn results_belong_to_one_batch_and_one_run_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("results.ndjson");
    let found = checked(rows(3), Format::Csv);
    let other = checked(rows(4), Format::Csv);
    let plan_of = |found: &Checked| plan(found, 10, BatchMode::Continue, Sort::File);
    let first = Results::open(&path, binding(plan_of(&found), 3)).unwrap();
    let again = Results::open(&path, binding(plan_of(&found), 3));
    assert!(matches!(again, Err(ResultsError::Locked(_))));
    drop(first);
    let changed = Results::open(&path, binding(plan_of(&other), 4));
    assert!(matches!(changed, Err(ResultsError::Changed { .. })));
    std::fs::write(folder.path().join("foreign"), "x").unwrap();
    let foreign = Results::open(&folder.path().join("foreign"), binding(plan_of(&found), 3));
    assert!(matches!(foreign, Err(ResultsError::Foreign(_))));
    assert_eq!(View::find(&path).unwrap().unwrap().binding.rows, 3);
}

#[test]
fn outcomes_are_true_of_one_ledger_and_one_epoch_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("results.ndjson");
    let source = source(rows(3));
    let found = check(&source, Format::Csv, &mut Known::all([])).unwrap();
    let plan = plan(&found, 10, BatchMode::Continue, Sort::File);
    let ours = binding(plan.clone(), 3);
    let mut results = Results::open(&path, ours.clone()).unwrap();
    for chunk in chunks(&source, &plan, 0) {
        results.record(&chunk, &[outcome("ok"), outcome("ok"), outcome("ok")]).unwrap();
    }
    drop(results);
    let other = Results::open(&path, Binding { ledger: ledger("l2", 1), ..ours.clone() });
    assert!(matches!(other, Err(ResultsError::OtherLedger { .. })));
    // A restored ledger may have lost them: they are forgotten, and what still stands replays.
    let restored = ledger("l1", 2);
    let mut results = Results::open(&path, Binding { ledger: restored.clone(), ..ours }).unwrap();
    assert!(!results.view().is_of(&restored) && !results.is_fresh());
    results.begin(plan, 2).unwrap();
    let held: Held = results.view().held().unwrap();
    assert_eq!((held.tally.lines, held.settled), (0, 0));
    assert!(results.view().is_of(&restored) && results.is_fresh());
    assert!(View::find(&path).unwrap().unwrap().is_of(&restored));
}

/// A stream that never ends, and how much of it was read.
struct Endless<'a> {
    text: &'a [u8],
    read: usize,
}

impl std::io::Read for Endless<'_> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        for (place, byte) in into.iter_mut().enumerate() {
            *byte = self.text[(self.read + place) % self.text.len()];
        }
        self.read += into.len();
        Ok(into.len())
    }
}

#[test]
fn a_stream_that_never_ends_is_refused_while_it_is_copied() {
    let most = Bounds { bytes: 3 << 20, lines: 50_000, line: 10_000 };
    let spool = |text: &[u8], most: &Bounds| {
        let mut from = Endless { text, read: 0 };
        let error = Source::spool(&mut from, "stream", most).unwrap_err();
        assert!(from.read < 4 << 20, "{} bytes were read", from.read);
        error
    };
    let error = spool(b"\0", &most);
    assert!(matches!(error, InputError::LongLine { line: 1, .. }), "{error}");
    let error = spool(b"x\n", &most);
    assert!(matches!(error, InputError::TooManyLines { .. }), "{error}");
    let row = [&b"x".repeat(5_000)[..], b"\n"].concat();
    let error = spool(&row, &most);
    assert!(matches!(error, InputError::TooLarge { .. }), "{error}");
    // A line may be as long as the bound, however it ends and wherever it is cut while it is read.
    for (len, end, fits) in [(10_000, "\r\n", true), (10_001, "\r\n", false), (10_000, "\n", true), (10_000, "", true)]
    {
        let text = ["y".repeat(len), "y".repeat(len)].join(end) + end;
        let text = if end.is_empty() { "y".repeat(len) } else { text };
        let found = Source::spool(Cursor::new(text), "stream", &most);
        assert_eq!(found.is_ok(), fits, "{len} {end:?}");
    }
}
