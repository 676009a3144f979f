//! Reading: the ledger port over the pool. Each question is one statement, and so one committed state.

use std::{pin::pin, sync::Arc};

use async_trait::async_trait;
use deadpool_postgres::Object;
use futures_util::TryStreamExt as _;
use tokio::runtime::Handle;
use tokio_postgres::Row;
use wallet_core::{
    account::Account,
    asset::Assets,
    command::Request,
    cut::Cut,
    ids::{TransactionId, WalletId},
    journal::Stored,
    key::ScopedKey,
    money::Balance,
    outcome::Answer,
    ports::{EntryQuery, Known, LedgerStore, Look, Page, Posted, StoreError},
    time::Timestamp,
};

use super::{
    PostgresLedger, STORE,
    codec::{Digest, integer},
    errors::{self, damaged, too_slow},
    look::search,
    rows::{self, ACCOUNT, CLOCK, RECORD},
    session::Parameter,
};

impl PostgresLedger {
    /// Asks one question over the pool.
    pub(super) async fn ask(&self, sql: &str, parameters: &[Parameter<'_>]) -> Result<Vec<Row>, StoreError> {
        let client = self.client().await?;
        let asked = async {
            let statement = client.prepare_cached(sql).await?;
            client.query(&statement, parameters).await
        };
        if let Ok(done) = tokio::time::timeout(self.limit, asked).await {
            return done.map_err(errors::store);
        }
        // Whoever gets it next would wait for this answer first.
        drop(Object::take(client));
        Err(too_slow())
    }

    /// The same, of which the answer may be long: its rows pass one by one.
    pub(super) async fn ask_each(
        &self,
        sql: &str,
        parameters: &[Parameter<'_>],
        mut each: impl FnMut(&Row) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let client = self.client().await?;
        let asked = async {
            let statement = client.prepare_cached(sql).await.map_err(errors::store)?;
            let rows = client.query_raw(&statement, parameters.iter().copied()).await.map_err(errors::store)?;
            let mut rows = pin!(rows);
            while let Some(row) = rows.try_next().await.map_err(errors::store)? {
                each(&row)?;
            }
            Ok(())
        };
        if let Ok(done) = tokio::time::timeout(self.limit, asked).await {
            return done;
        }
        drop(Object::take(client));
        Err(too_slow())
    }

    /// A connection of the pool; a new one lives where the ledger was opened.
    async fn client(&self) -> Result<Object, StoreError> {
        let got = if Handle::current().id() == self.home.id() {
            self.pool.get().await
        } else {
            let pool = self.pool.clone();
            let getting = self.home.spawn(async move { pool.get().await });
            getting.await.map_err(|error| StoreError::unavailable(STORE, error))?
        };
        got.map_err(errors::pool)
    }

    /// The records of these seqs that are there.
    pub(super) async fn records_of(&self, seqs: &[i64]) -> Result<Vec<Arc<Stored>>, StoreError> {
        if seqs.is_empty() {
            return Ok(Vec::new());
        }
        let sql = select(RECORD, "FROM journal WHERE seq = ANY ($1::int8[])");
        rows::stored_all(&self.ask(&sql, &[&seqs]).await?)
    }

    /// The cut of the empty ledger.
    pub(super) fn start(&self) -> Cut {
        Cut { epoch: 1, seq: 0, recorded_at: Timestamp::EPOCH, hash: self.genesis }
    }

    /// The record of a seq that must be there; none for 0.
    async fn needed(&self, seq: u64) -> Result<Option<Arc<Stored>>, StoreError> {
        if seq == 0 {
            return Ok(None);
        }
        let missing = || damaged(format_args!("record {seq} is missing from the journal"));
        self.record(seq).await?.ok_or_else(missing).map(Some)
    }

    /// The last seq recorded at or before a time, 0 for none: a binary search, since time grows with seq.
    pub(super) async fn seq_at(&self, at: Timestamp) -> Result<u64, StoreError> {
        let sql = ["WITH RECURSIVE ", &search("$1"), " SELECT low FROM search WHERE low >= high"].concat();
        let found = self.ask(&sql, &[&at.as_micros()]).await?;
        rows::count(found.first().ok_or_else(|| damaged("a record is missing from the journal"))?, 0)
    }
}

fn select(columns: &str, rest: &str) -> String {
    format!("SELECT {columns} {rest}")
}

#[async_trait]
impl LedgerStore for PostgresLedger {
    fn id(&self) -> &str {
        &self.id
    }

    async fn head(&self) -> Result<Cut, StoreError> {
        let question = async {
            let found = self.ask(&select(CLOCK, "FROM clock"), &[]).await?;
            rows::cut(found.first().ok_or_else(|| damaged("it has no clock row"))?, 0)
        };
        self.head.ask(question).await
    }

    async fn commit(&self, requests: &[Request]) -> Result<Vec<Answer>, StoreError> {
        self.commit_now(requests).await
    }

    fn is_afar(&self) -> bool {
        true
    }

    async fn preview(&self, requests: &[Request]) -> Result<Vec<Answer>, StoreError> {
        self.preview_now(requests).await
    }

    async fn append(&self, records: &[Arc<Stored>]) -> Result<(), StoreError> {
        self.append_now(records).await
    }

    async fn record(&self, seq: u64) -> Result<Option<Arc<Stored>>, StoreError> {
        Ok(self.records_of(&[integer(seq)]).await?.pop())
    }

    async fn records(&self, after: u64, limit: usize) -> Result<Vec<Arc<Stored>>, StoreError> {
        if let Some(records) = self.recent.behind(after, limit) {
            return Ok(records);
        }
        let sql = select(RECORD, "FROM journal WHERE seq > $1 ORDER BY seq LIMIT $2");
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let records = rows::stored_all(&self.ask(&sql, &[&integer(after), &limit]).await?)?;
        for (stored, seq) in records.iter().zip(after.saturating_add(1)..) {
            if stored.record.seq != seq {
                return Err(damaged(format_args!("record {seq} is missing from the journal")));
            }
        }
        Ok(records)
    }

    async fn record_by_key(&self, key: &ScopedKey) -> Result<Option<Arc<Stored>>, StoreError> {
        let found = self.ask(&select(RECORD, "FROM journal WHERE key = $1"), &[&Digest(key.digest())]).await?;
        let stored = rows::stored_all(&found)?.pop();
        match stored {
            Some(stored) if stored.record.key.as_ref() != Some(key) => {
                Err(damaged("a key points at a record that has another key"))
            }
            other => Ok(other),
        }
    }

    async fn cut_at(&self, seq: u64) -> Result<Cut, StoreError> {
        let head = self.head().await?;
        if seq >= head.seq {
            return Ok(head);
        }
        let Some(stored) = self.needed(seq).await? else {
            return Ok(self.start());
        };
        match stored.record.group {
            Some(part) if !stored.record.ends_group() => {
                let before = self.needed(seq.saturating_sub(u64::from(part.index) + 1)).await?;
                Ok(before.map_or_else(|| self.start(), |stored| stored.cut()))
            }
            _ => Ok(stored.cut()),
        }
    }

    async fn cut_at_time(&self, at: Timestamp) -> Result<Cut, StoreError> {
        let head = self.head().await?;
        if head.seq == 0 || at >= head.recorded_at {
            return Ok(head);
        }
        self.cut_at(self.seq_at(at).await?).await
    }

    async fn account(&self, wallet: &WalletId) -> Result<Option<Account>, StoreError> {
        let found = self.ask(&select(ACCOUNT, "FROM accounts WHERE id = $1"), &[&wallet.as_str()]).await?;
        found.first().map(rows::account).transpose()
    }

    async fn accounts(&self, after: Option<&WalletId>, limit: usize) -> Result<Vec<Account>, StoreError> {
        let sql = select(ACCOUNT, "FROM accounts WHERE id > $1 AND owner IS NOT NULL ORDER BY id LIMIT $2");
        let after = after.map_or("", WalletId::as_str);
        let found = self.ask(&sql, &[&after, &i64::try_from(limit).unwrap_or(i64::MAX)]).await?;
        found.iter().map(rows::account).collect()
    }

    async fn balances_at(
        &self,
        account: &Account,
        times: &[Timestamp],
        known: u64,
    ) -> Result<Vec<Balance>, StoreError> {
        let balances = self.past_balances(std::slice::from_ref(account), times, known).await?.pop();
        Ok(balances.unwrap_or_default())
    }

    async fn balances_of(
        &self,
        accounts: &[Account],
        times: &[Timestamp],
        known: u64,
    ) -> Result<Vec<Vec<Balance>>, StoreError> {
        self.past_balances(accounts, times, known).await
    }

    async fn look(&self, wallet: &WalletId, at: Option<Timestamp>, known: Known) -> Result<Look, StoreError> {
        self.look_once(wallet, at, known).await
    }

    async fn entries(&self, query: &EntryQuery) -> Result<Page<Posted>, StoreError> {
        self.list_entries(query).await
    }

    async fn reversal_of(&self, transaction: TransactionId) -> Result<Option<TransactionId>, StoreError> {
        const SQL: &str = "SELECT seq, epoch, by_seq, by_epoch FROM reversals WHERE seq = $1";
        let found = self.ask(SQL, &[&integer(transaction.seq)]).await?;
        let found = found.first().map(rows::reversal).transpose()?;
        Ok(found.filter(|(of, _)| *of == transaction).map(|(_, by)| by))
    }

    async fn assets(&self) -> Result<Assets, StoreError> {
        rows::assets(&self.ask("SELECT code, scale FROM assets", &[]).await?)
    }

    async fn externals(&self) -> Result<Vec<Account>, StoreError> {
        // '@' is reserved for them, and 'A' is the byte behind it.
        let sql = select(ACCOUNT, "FROM accounts WHERE id >= '@' AND id < 'A' ORDER BY id");
        self.ask(&sql, &[]).await?.iter().map(rows::account).collect()
    }
}
