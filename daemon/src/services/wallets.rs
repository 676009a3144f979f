//! Wallet Service: the control plane of wallets, around the ledger that has the truth.
//!
//! Opening: a row says `opening`, the ledger commits the one record that counts, the row follows it. Freezing, closing
//! and limits: the ledger first, then the row. A row that could not be written is no error of the command: the journal's
//! follower writes it too, and the reconciler settles rows that a crash left `opening`.
//!
//! Costs: opening is two synced writes of the wallet store besides the commit, however many wallets the request opens.

pub mod rows;

use std::{sync::Arc, time::Duration};

use tokio_util::sync::CancellationToken;
use wallet_core::{
    command::{Action, Request},
    ids::{Owner, WalletId},
    journal::{Event, Stored},
    key::ScopedKey,
    money::Balance,
    outcome::Answer,
    ports::{Clock, Leases, LedgerStore, Page, StoreError, WalletQuery, WalletRow, WalletState, WalletStore},
    time::{SECOND, Timestamp},
};

use super::{
    ServiceError,
    commits::{Commits, SubmitError},
};
use crate::telemetry::within;

/// How old an `opening` row is before the reconciler asks the ledger about it: longer than any request lives.
const OPENING_AGE: i64 = 60 * SECOND;
/// How often the reconciler looks.
const RECONCILE_EVERY: Duration = Duration::from_secs(30);
/// The lease's name.
const LEASE: &str = "reconciler";
/// Rows the reconciler looks at at a time.
const RECONCILE_PAGE: usize = 500;

/// One wallet as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wallet {
    /// Its row, with state, limit and seq as the ledger has them.
    pub row: WalletRow,
    /// Its balance; none while it is opening.
    pub balance: Option<Balance>,
}

/// The Wallet Service.
#[derive(Clone)]
pub struct Wallets {
    store: Arc<dyn WalletStore>,
    ledger: Arc<dyn LedgerStore>,
    commits: Arc<dyn Commits>,
    clock: Arc<dyn Clock>,
}

impl Wallets {
    /// The service over its stores.
    pub fn new(
        store: Arc<dyn WalletStore>,
        ledger: Arc<dyn LedgerStore>,
        commits: Arc<dyn Commits>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self { store, ledger, commits, clock }
    }

    /// A new id, for a caller that gives none.
    pub fn new_id(&self) -> WalletId {
        let micros = self.clock.now().as_micros().max(0).cast_unsigned();
        let (seconds, nanos) = (micros / 1_000_000, u32::try_from(micros % 1_000_000 * 1_000).unwrap_or_default());
        WalletId::from_uuid(uuid::Uuid::new_v7(uuid::Timestamp::from_unix(uuid::NoContext, seconds, nanos)))
    }

    /// The wallet this key opened before.
    pub async fn opened_by(&self, key: &ScopedKey) -> Result<Option<WalletId>, StoreError> {
        let stored = self.ledger.record_by_key(key).await?;
        Ok(stored.and_then(|stored| match &stored.record.event {
            Event::WalletOpened(opened) => Some(opened.id.clone()),
            _ => None,
        }))
    }

    /// Opens the wallets that a request's commands name.
    pub async fn open(&self, request: Request) -> Result<Answer, SubmitError> {
        within("wallets.open", self.opened(request)).await
    }

    async fn opened(&self, request: Request) -> Result<Answer, SubmitError> {
        let asked = self.clock.now();
        let rows: Vec<WalletRow> = request
            .commands
            .iter()
            .filter_map(|command| match &command.action {
                Action::OpenWallet(open) => Some(rows::opening(open, asked)),
                _ => None,
            })
            .collect();
        match within("wallets_store.opening", self.store.opening(&rows)).await {
            // The ledger's record is what opens a wallet: its row follows when the store is back.
            Err(error @ (StoreError::Unavailable { .. } | StoreError::Uncertain { .. })) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "wallets are opened without their rows");
            }
            noted => noted?,
        }
        let ids: Vec<WalletId> = rows.into_iter().map(|row| row.id).collect();
        let answer = match self.commits.submit(request).await {
            Ok(answer) => answer,
            Err(error) => {
                if !matches!(error, SubmitError::Store(StoreError::Uncertain { .. })) {
                    self.forget(&ids).await;
                }
                return Err(error);
            }
        };
        let opened = self.follow(&answer).await;
        if opened < ids.len() {
            // Those that were opened are `opening` no more, so only refused ones go.
            self.forget(&ids).await;
        }
        Ok(answer)
    }

    /// Freezes, unfreezes, closes wallets or changes their limits, as a request's commands say.
    pub async fn change(&self, request: Request) -> Result<Answer, SubmitError> {
        let changed = async {
            let answer = self.commits.submit(request).await?;
            self.follow(&answer).await;
            Ok(answer)
        };
        within("wallets.change", changed).await
    }

    /// What a request would be answered now. Writes nothing.
    pub async fn preview(&self, request: Request) -> Result<Answer, SubmitError> {
        let answers = self.ledger.preview(&[request]).await?;
        let lost = || StoreError::corrupt("ledger", "one request was previewed, none was answered");
        Ok(answers.into_iter().next().ok_or_else(lost)?)
    }

    /// Wallets by id, from the rows.
    pub async fn list(&self, query: &WalletQuery) -> Result<Page<WalletRow>, StoreError> {
        within("wallets_store.list", self.store.list(query)).await
    }

    /// One wallet: money, state and limit from the ledger, names from its row, or from the journal where the row is missing.
    pub async fn show(&self, id: &WalletId) -> Result<Option<Wallet>, StoreError> {
        let row = within("wallets_store.get", self.store.get(id)).await;
        let Some(account) = within("ledger.account", self.ledger.account(id)).await? else {
            let opening = row?.filter(|row| row.state == WalletState::Opening);
            return Ok(opening.map(|row| Wallet { row, balance: None }));
        };
        let confirmed = match row {
            // The ledger has it all, in the record that opened the wallet and in its account.
            Err(StoreError::Unavailable { .. }) => None,
            row => row?.filter(|row| row.state != WalletState::Opening),
        };
        let row = match confirmed {
            Some(row) => rows::at_account(row, &account),
            None => rows::from_account(&*self.ledger, id, &account).await?,
        };
        Ok(Some(Wallet { row, balance: Some(account.balance) }))
    }

    /// Fails unless the wallet is there for this caller: any one that exists, or only this owner's. The ledger is asked:
    /// an owner never changes. Somebody else's wallet is told from one that does not exist by nothing.
    pub async fn reached(&self, id: &WalletId, only: Option<&Owner>) -> Result<(), ServiceError> {
        if self.reaches(id, only).await? { Ok(()) } else { Err(ServiceError::unknown_wallet(id)) }
    }

    /// True if [`Wallets::reached`] would not fail.
    pub async fn reaches(&self, id: &WalletId, only: Option<&Owner>) -> Result<bool, ServiceError> {
        let Some(owner) = only else { return Ok(true) };
        let account = within("ledger.account", self.ledger.account(id)).await?;
        Ok(account.is_some_and(|account| account.owner.as_ref() == Some(owner)))
    }

    /// Brings rows to where an answer's records are; the number of records. Failing is no error: the follower does it again.
    async fn follow(&self, answer: &Answer) -> usize {
        let records: Vec<Arc<Stored>> = match answer {
            Answer::Outcomes { outcomes, .. } => outcomes.iter().filter_map(|o| o.record().cloned()).collect(),
            Answer::OwnKeyConflict | Answer::OutOfTurn => Vec::new(),
        };
        let put = async {
            let rows = rows::of_records(&*self.store, &*self.ledger, &records).await?;
            if rows.is_empty() { Ok(()) } else { self.store.put_if_newer(&rows).await }
        };
        if let Err(error) = within("wallets_store.put_if_newer", put).await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "wallet rows are behind; the follower brings them up"
            );
        }
        records.len()
    }

    async fn forget(&self, ids: &[WalletId]) {
        if let Err(error) = self.store.forget_opening(ids).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "opening rows are left to the reconciler");
        }
    }

    /// Settles every row that is `opening` since `asked` or longer: the ledger has the wallet, or the row goes. The number settled.
    pub async fn reconcile(&self, asked: Timestamp) -> Result<usize, StoreError> {
        let mut settled = 0;
        let mut query =
            WalletQuery { state: Some(WalletState::Opening), limit: RECONCILE_PAGE, ..WalletQuery::default() };
        loop {
            let page = self.store.list(&query).await?;
            query.after = page.items.last().map(|row| row.id.clone());
            let (mut found, mut refused) = (Vec::new(), Vec::new());
            for row in page.items.into_iter().filter(|row| row.opened_at <= asked) {
                match self.ledger.account(&row.id).await? {
                    Some(account) => found.push(rows::from_account(&*self.ledger, &row.id, &account).await?),
                    None => refused.push(row.id),
                }
            }
            settled += found.len() + refused.len();
            if !found.is_empty() {
                self.store.put_if_newer(&found).await?;
            }
            if !refused.is_empty() {
                self.store.forget_opening(&refused).await?;
            }
            if !page.more {
                return Ok(settled);
            }
        }
    }

    /// Reconciles until `stop`: what a crash or a lost answer left half way is finished within a minute or two. One
    /// daemon at a time does it, by a lease; it is idempotent, the lease only spares the others the work.
    pub async fn run_reconciler(&self, leases: &dyn Leases, holder: &str, stop: &CancellationToken) {
        while !stop.is_cancelled() {
            let settled = async {
                match leases.take(LEASE, holder, RECONCILE_EVERY.saturating_mul(2)).await? {
                    Some(_) => self.reconcile(self.clock.now().plus_micros(-OPENING_AGE)).await,
                    None => Ok(0),
                }
            };
            match settled.await {
                Ok(0) => {}
                Ok(rows) => tracing::info!(rows, "settled wallets that were left opening"),
                Err(error) => {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "opening wallets could not be settled yet"
                    );
                }
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(RECONCILE_EVERY) => {}
            }
        }
        if let Err(error) = leases.release(LEASE, holder).await {
            tracing::debug!(error = &error as &dyn std::error::Error, "the reconciler's lease ends by itself");
        }
    }
}

#[cfg(test)]
mod tests;
