//! Wallet rows from what the journal and the ledger say.

use std::{collections::BTreeMap, sync::Arc};

use wallet_core::{
    account::{Account, Status},
    command::OpenWallet,
    ids::WalletId,
    journal::{Event, Stored, WalletOpened},
    ports::{LedgerStore, StoreError, WalletRow, WalletState, WalletStore},
    time::Timestamp,
};

/// The row of a wallet that is asked for.
pub fn opening(open: &OpenWallet, asked: Timestamp) -> WalletRow {
    WalletRow {
        id: open.id.clone(),
        owner: open.owner.clone(),
        asset: open.asset,
        state: WalletState::Opening,
        overdraft: open.overdraft.to_string(),
        opened_at: asked,
        label: open.label.clone(),
        meta: open.meta.clone(),
        seq: 0,
    }
}

/// The row that a wallet's opening record makes.
fn opened(opened: &WalletOpened, seq: u64) -> WalletRow {
    WalletRow {
        id: opened.id.clone(),
        owner: opened.owner.clone(),
        asset: opened.asset.code,
        state: WalletState::Open(Status::Active),
        overdraft: opened.floor.to_string(),
        opened_at: opened.opened_at,
        label: opened.label.clone(),
        meta: opened.meta.clone(),
        seq,
    }
}

/// A row with what its account says now.
pub fn at_account(row: WalletRow, account: &Account) -> WalletRow {
    WalletRow {
        state: WalletState::Open(account.status),
        overdraft: account.floor.to_string(),
        opened_at: account.opened_at,
        seq: account.seq,
        ..row
    }
}

/// The row of a wallet whose row is missing: from the record that opened it and its account.
pub async fn from_account(ledger: &dyn LedgerStore, id: &WalletId, account: &Account) -> Result<WalletRow, StoreError> {
    let seq = account.opened_seq;
    let stored = ledger.record(seq).await?;
    match stored.as_ref().map(|stored| &stored.record.event) {
        Some(Event::WalletOpened(event)) if event.id == *id => Ok(at_account(opened(event, seq), account)),
        _ => Err(StoreError::corrupt("ledger", format_args!("record {seq} does not open wallet {id}"))),
    }
}

/// The rows as they are after these records, in order: of the wallets that they open, freeze, unfreeze, close or limit.
pub async fn of_records(
    store: &dyn WalletStore,
    ledger: &dyn LedgerStore,
    records: &[Arc<Stored>],
) -> Result<Vec<WalletRow>, StoreError> {
    let mut rows: BTreeMap<WalletId, WalletRow> = BTreeMap::new();
    let changed: Vec<WalletId> = records
        .iter()
        .filter_map(|stored| match &stored.record.event {
            Event::StatusChanged { wallet, .. } | Event::LimitChanged { wallet, .. } => Some(wallet.clone()),
            _ => None,
        })
        .collect();
    if !changed.is_empty() {
        let there = store.get_many(&changed).await?;
        let confirmed = there.into_iter().filter(|row| row.state != WalletState::Opening);
        rows.extend(confirmed.map(|row| (row.id.clone(), row)));
    }
    for stored in records {
        let seq = stored.record.seq;
        match &stored.record.event {
            Event::WalletOpened(event) => {
                rows.entry(event.id.clone()).or_insert_with(|| opened(event, seq));
            }
            Event::StatusChanged { wallet, status, .. } => {
                change(&mut rows, ledger, wallet, seq, |row| row.state = WalletState::Open(*status)).await?;
            }
            Event::LimitChanged { wallet, floor, .. } => {
                change(&mut rows, ledger, wallet, seq, |row| row.overdraft = floor.to_string()).await?;
            }
            Event::Transaction(_) | Event::AssetRegistered(_) | Event::Access(_) | Event::EpochRaised { .. } => {}
        }
    }
    Ok(rows.into_values().collect())
}

async fn change(
    rows: &mut BTreeMap<WalletId, WalletRow>,
    ledger: &dyn LedgerStore,
    wallet: &WalletId,
    seq: u64,
    change: impl FnOnce(&mut WalletRow),
) -> Result<(), StoreError> {
    if let Some(row) = rows.get_mut(wallet) {
        if row.seq < seq {
            change(row);
            row.seq = seq;
        }
        return Ok(());
    }
    // The store was dropped or the row was lost: the ledger's account is at this record or further.
    if let Some(account) = ledger.account(wallet).await? {
        rows.insert(wallet.clone(), from_account(ledger, wallet, &account).await?);
    }
    Ok(())
}
