use std::{fs, path::Path, sync::Arc};

use wallet_core::{
    account::Overdraft,
    command::{Action, Command, Mode, Move, OpenWallet, Request},
    ids::Actor,
    key::ScopedKey,
    model::MemoryLedger,
    ports::{Clock, LedgerStore, StoreError},
};

use super::*;
use crate::adapters::embedded::{
    clock::SystemClock,
    ledger::{FjallLedger, LedgerOptions},
};

fn key(text: &str) -> ScopedKey {
    ScopedKey::shared(text.parse().unwrap())
}

fn request(commands: Vec<Command>) -> Request {
    let actor = Actor::system();
    Request { actor, only: None, id: None, trace: None, mode: Mode::Continue, commands, own_key: None }
}

fn deposit(number: u32) -> Command {
    let action = Action::Move(Move {
        from: None,
        to: Some("w_1".parse().unwrap()),
        amount: "1.25".parse().unwrap(),
        asset: "EUR".parse().unwrap(),
        effective_at: None,
        memo: "été".parse().unwrap(),
        meta: wallet_core::text::Metadata::default(),
    });
    Command { key: key(&format!("d-{number}")), action }
}

async fn filled(clock: &Arc<dyn Clock>, deposits: u32) -> Arc<dyn LedgerStore> {
    let ledger = MemoryLedger::with_clock("ledger-1", clock.clone());
    let open = Action::OpenWallet(OpenWallet {
        id: "w_1".parse().unwrap(),
        owner: "ana".parse().unwrap(),
        asset: "EUR".parse().unwrap(),
        overdraft: "0".parse::<Overdraft>().unwrap(),
        opened_at: None,
        label: wallet_core::text::Label::default(),
        meta: wallet_core::text::Metadata::default(),
    });
    let mut commands = vec![Command { key: key("open"), action: open }];
    commands.extend((0..deposits).map(deposit));
    ledger.commit(&[request(commands)]).await.unwrap();
    Arc::new(ledger)
}

fn fjall(clock: Arc<dyn Clock>) -> impl Fn(&Path, &str) -> Result<Arc<dyn LedgerStore>, StoreError> {
    move |directory, id| {
        let options = LedgerOptions {
            dir: directory.join("ledger"),
            cache_bytes: 1 << 20,
            write_buffer_bytes: 1 << 20,
            reserve_bytes: 0,
            new_id: id.into(),
            clock: clock.clone(),
        };
        Ok(Arc::new(FjallLedger::open(options)?))
    }
}

fn clock() -> Arc<dyn Clock> {
    Arc::new(SystemClock::new())
}

#[tokio::test]
async fn a_backup_restored_into_another_engine_is_the_same_ledger_in_a_new_epoch() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), clock());
    let (file, data) = (dir.path().join("b.zst"), dir.path().join("data"));
    fs::create_dir(&data).unwrap();
    let source = filled(&clock, 2_500).await;
    let made = backup(&file, false, Source::Ledger(source.clone()), clock.as_ref()).await.unwrap();
    assert_eq!(made.records, 2_501);

    let restored = restore(&file, &data, fjall(clock.clone()), clock.as_ref()).await.unwrap();
    assert_eq!((restored.cut.epoch, restored.cut.seq), (2, 2_502));
    let ledger = fjall(clock.clone())(&data, "another id that must not be taken").unwrap();
    assert_eq!(ledger.id(), "ledger-1");
    let before = source.records(0, 5_000).await.unwrap();
    let after = ledger.records(0, 2_501).await.unwrap();
    assert!(before.iter().zip(&after).all(|(a, b)| a.bytes == b.bytes && a.hash == b.hash) && after.len() == 2_501);
    let account = ledger.account(&"w_1".parse().unwrap()).await.unwrap().unwrap();
    assert_eq!(account.balance.to_string(), "3125.00");

    // Keys live on: what happened before the backup replays, and new money moves.
    let answers = ledger.commit(&[request(vec![deposit(0), deposit(9_999)])]).await.unwrap();
    let wallet_core::outcome::Answer::Outcomes { outcomes, .. } = &answers[0] else { panic!("{answers:?}") };
    assert_eq!(outcomes.iter().map(wallet_core::outcome::Outcome::as_str).collect::<Vec<_>>(), ["replayed", "ok"]);
    assert_eq!(outcomes[1].record().unwrap().record.id().to_string(), "tx_2_2503");
}

#[tokio::test]
async fn a_damaged_or_short_backup_is_refused_and_leaves_nothing() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), clock());
    let (file, data) = (dir.path().join("b.zst"), dir.path().join("data"));
    fs::create_dir(&data).unwrap();
    backup(&file, false, Source::Ledger(filled(&clock, 20).await), clock.as_ref()).await.unwrap();
    let text = String::from_utf8(zstd::decode_all(fs::File::open(&file).unwrap()).unwrap()).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let without_last = lines[..lines.len() - 1].join("\n") + "\n";
    let without_one = [&lines[..5], &lines[6..]].concat().join("\n") + "\n";
    for broken in [
        without_last,
        without_one,
        text.replacen("1.25", "9.25", 1),
        text.replacen("ledger-1", "ledger-2", 1),
        format!("{text}{{}}\n"),
        "hello\n".into(),
        String::new(),
    ] {
        fs::write(&file, zstd::encode_all(broken.as_bytes(), 1).unwrap()).unwrap();
        let error = restore(&file, &data, fjall(clock.clone()), clock.as_ref()).await.unwrap_err();
        assert!(matches!(error, BackupError::Damaged(_)), "{error:?}");
        assert_eq!(fs::read_dir(&data).unwrap().count(), 0);
    }
    let whole = zstd::encode_all(text.as_bytes(), 1).unwrap();
    for broken in [b"not zstd at all", &whole[..whole.len() / 2]] {
        fs::write(&file, broken).unwrap();
        let error = restore(&file, &data, fjall(clock.clone()), clock.as_ref()).await.unwrap_err();
        assert!(matches!(&error, BackupError::Damaged(what) if what.contains("cut off or damaged")), "{error:?}");
    }
}

#[tokio::test]
async fn a_directory_with_something_in_it_is_left_as_it_is() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), clock());
    let (file, data) = (dir.path().join("b.zst"), dir.path().join("data"));
    fs::create_dir_all(data.join("ledger")).unwrap();
    backup(&file, false, Source::Ledger(filled(&clock, 1).await), clock.as_ref()).await.unwrap();
    let error = restore(&file, &data, fjall(clock.clone()), clock.as_ref()).await.unwrap_err();
    assert!(matches!(error, BackupError::NotEmpty(_)), "{error:?}");
    assert!(data.join("ledger").exists());
}

#[tokio::test]
async fn a_file_that_is_there_is_only_replaced_when_told_to() {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("backup");
    fs::write(&file, "last night's").unwrap();
    let source = filled(&clock, 1).await;
    let error = backup(&file, false, Source::Ledger(source.clone()), clock.as_ref()).await.unwrap_err();
    assert!(matches!(error, BackupError::Exists(_)) && error.exit() == 2, "{error}");
    assert_eq!(fs::read(&file).unwrap(), b"last night's");
    backup(&file, true, Source::Ledger(source), clock.as_ref()).await.unwrap();
    assert!(fs::metadata(&file).unwrap().len() > 100);
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1, "a draft was left behind");
}
