//! One method for each route of the API.

use serde::Serialize;
use wallet_core::{
    ids::{TransactionId, WalletId},
    key::Key,
};

use super::{Answer, Client, ClientError, Lines, VERIFY_TIMEOUT, Write, segment};
use crate::types::{
    AssetList, AssetView, AuditFilter, AuditList, BalanceQuery, BalanceView, Batch, BatchResult, Because, CanI,
    CanIQuery, CreateWallet, CutView, History, HistoryQuery, ImportWallets, JournalQuery, MoveMoney, Posted,
    RegisterAsset, ReportQuery, ReverseTransaction, SetLimit, Statement, StatementQuery, Status, Totals,
    TransactionFilter, TransactionList, TransactionView, Verification, VerifyRequest, WalletFilter, WalletList,
    WalletView, Whoami,
};

type Reply<T> = Result<Answer<T>, ClientError>;

/// Which cut: neither for the head.
#[derive(Clone, Debug, Default, Serialize)]
pub struct CutQuery {
    /// The last record at or before this moment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// This record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seq: Option<u64>,
}

impl Client {
    /// What the daemon says about itself.
    pub async fn status(&self) -> Reply<Status> {
        self.get("/v1/status", &()).await
    }

    /// Who the caller is to the daemon.
    pub async fn whoami(&self) -> Reply<Whoami> {
        self.get("/v1/whoami", &()).await
    }

    /// Whether the caller may do something.
    pub async fn can_i(&self, query: &CanIQuery) -> Reply<CanI> {
        self.get("/v1/can-i", query).await
    }

    /// What all wallets hold together.
    pub async fn totals(&self) -> Reply<Totals> {
        self.get("/v1/totals", &()).await
    }

    /// Every asset.
    pub async fn assets(&self) -> Reply<AssetList> {
        self.get("/v1/assets", &()).await
    }

    /// Registers an asset.
    pub async fn register_asset(&self, asset: &RegisterAsset, write: Write<'_>) -> Reply<Posted<AssetView>> {
        self.post("/v1/assets", asset, write).await
    }

    /// Opens a wallet.
    pub async fn create_wallet(&self, wallet: &CreateWallet, write: Write<'_>) -> Reply<Posted<WalletView>> {
        self.post("/v1/wallets", wallet, write).await
    }

    /// Opens wallets together, or says what would become of them; a repeat replays.
    pub async fn import_wallets(&self, wallets: &ImportWallets, dry_run: bool) -> Reply<BatchResult> {
        self.post("/v1/wallets/import", wallets, Write { dry_run, ..Write::default() }).await
    }

    /// A page of wallets.
    pub async fn wallets(&self, filter: &WalletFilter) -> Reply<WalletList> {
        self.get("/v1/wallets", filter).await
    }

    /// One wallet.
    pub async fn wallet(&self, id: &WalletId) -> Reply<WalletView> {
        self.get(&format!("/v1/wallets/{id}"), &()).await
    }

    /// `freeze`, `unfreeze` or `close` a wallet.
    pub async fn set_status(
        &self,
        id: &WalletId,
        step: &str,
        because: &Because,
        write: Write<'_>,
    ) -> Reply<Posted<WalletView>> {
        self.post(&format!("/v1/wallets/{id}/{step}"), because, write).await
    }

    /// Changes how far below zero a wallet may go.
    pub async fn set_limit(&self, id: &WalletId, limit: &SetLimit, write: Write<'_>) -> Reply<Posted<WalletView>> {
        self.post(&format!("/v1/wallets/{id}/limit"), limit, write).await
    }

    /// Moves money: `path` is that of deposits, withdrawals or transfers.
    pub async fn move_money(&self, path: &str, money: &MoveMoney, write: Write<'_>) -> Reply<Posted<TransactionView>> {
        self.post(path, money, write).await
    }

    /// A batch of commands under its own key.
    pub async fn batch(&self, batch: &Batch, write: Write<'_>) -> Reply<BatchResult> {
        self.post("/v1/batches", batch, write).await
    }

    /// A page of transactions.
    pub async fn transactions(&self, filter: &TransactionFilter) -> Reply<TransactionList> {
        self.get("/v1/transactions", filter).await
    }

    /// One transaction.
    pub async fn transaction(&self, id: TransactionId) -> Reply<TransactionView> {
        self.get(&format!("/v1/transactions/{id}"), &()).await
    }

    /// The transaction of a key.
    pub async fn transaction_by_key(&self, key: &Key) -> Reply<TransactionView> {
        // A URL takes these as "here" and "one up", however they are encoded.
        if matches!(key.as_str(), "." | "..") {
            return Err(ClientError::Request(format!("the key {key} cannot be part of a path")));
        }
        self.get(&format!("/v1/transactions/by-key/{}", segment(key.as_str())), &()).await
    }

    /// Undoes a transaction.
    pub async fn reverse(
        &self,
        id: TransactionId,
        reversal: &ReverseTransaction,
        write: Write<'_>,
    ) -> Reply<Posted<TransactionView>> {
        self.post(&format!("/v1/transactions/{id}/reverse"), reversal, write).await
    }

    /// One balance.
    pub async fn balance(&self, id: &WalletId, query: &BalanceQuery) -> Reply<BalanceView> {
        self.get(&format!("/v1/wallets/{id}/balance"), query).await
    }

    /// Balances of one wallet over time.
    pub async fn history(&self, id: &WalletId, query: &HistoryQuery) -> Reply<History> {
        self.get(&format!("/v1/wallets/{id}/history"), query).await
    }

    /// A page of a wallet's statement.
    pub async fn statement(&self, id: &WalletId, query: &StatementQuery) -> Reply<Statement> {
        self.get(&format!("/v1/wallets/{id}/statement"), query).await
    }

    /// Balances of all wallets, as lines of [`crate::types::BalanceRow`].
    pub async fn report(&self, query: &ReportQuery) -> Result<Lines, ClientError> {
        self.lines("/v1/reports/balances", query).await
    }

    /// The journal, as lines of [`crate::types::JournalLine`].
    pub async fn journal(&self, query: &JournalQuery) -> Result<Lines, ClientError> {
        self.lines("/v1/journal", query).await
    }

    /// A cut.
    pub async fn cut(&self, query: &CutQuery) -> Reply<CutView> {
        self.get("/v1/cut", query).await
    }

    /// A page of the audit trail.
    pub async fn audit(&self, filter: &AuditFilter) -> Reply<AuditList> {
        self.get("/v1/audit/records", filter).await
    }

    /// Verifies the ledger and the audit trail against each other.
    pub async fn verify(&self, request: &VerifyRequest) -> Reply<Verification> {
        self.post_within("/v1/audit/verify", request, Write::default(), VERIFY_TIMEOUT).await
    }
}
