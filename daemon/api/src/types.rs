//! Request and response bodies of the HTTP API, v1.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use wallet_core::{
    account::Overdraft,
    asset::AssetCode,
    ids::{Owner, TransactionId, WalletId},
    key::Key,
    money::Quantity,
    text::{Label, Memo, Metadata, Reason},
    time::Timestamp,
};

/// A state of the whole ledger, for ever.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CutView {
    /// How often the ledger was restored from a backup, plus one.
    pub epoch: u64,
    /// The last record it holds.
    pub seq: u64,
    /// When that record was made.
    pub recorded_at: String,
    /// That record's chain hash, hex.
    pub hash: String,
}

/// An asset.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct AssetView {
    /// Its code.
    #[schema(value_type = String, example = "EUR")]
    pub code: AssetCode,
    /// Fraction digits.
    pub scale: u32,
    /// True for ISO 4217's, false for registered ones.
    pub built_in: bool,
}

/// Every asset the ledger knows.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct AssetList {
    /// The assets, registered ones first.
    pub assets: Vec<AssetView>,
}

/// An asset to register.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RegisterAsset {
    /// Its code.
    #[schema(value_type = String, example = "BTC")]
    pub code: AssetCode,
    /// Fraction digits, at most 18.
    pub scale: u32,
}

/// A wallet to open.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateWallet {
    /// Its id; made by the daemon when left out (not in an import).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub id: Option<WalletId>,
    /// Who owns it.
    #[schema(value_type = String)]
    pub owner: Owner,
    /// Its one asset.
    #[schema(value_type = String)]
    pub asset: AssetCode,
    /// An amount, or `unlimited`; `0` when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub overdraft: Option<Overdraft>,
    /// A past moment (permission `backdate`); now when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub opened_at: Option<Timestamp>,
    /// A name for people.
    #[serde(default)]
    #[schema(value_type = String)]
    pub label: Label,
    /// Free facts.
    #[serde(default)]
    #[schema(value_type = std::collections::BTreeMap<String, String>)]
    pub meta: Metadata,
}

/// Wallets to open together; each has the key `import:ID`, so a repeat replays.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ImportWallets {
    /// The wallets, at most 5,000; each with an id.
    pub wallets: Vec<CreateWallet>,
}

/// A wallet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WalletView {
    /// Its id.
    pub id: String,
    /// Who owns it.
    pub owner: String,
    /// Its one asset.
    pub asset: String,
    /// `opening`, `active`, `frozen` or `closed`.
    pub status: String,
    /// How far below zero it may go: an amount, or `unlimited`.
    pub overdraft: String,
    /// When it opened.
    pub opened_at: String,
    /// A name for people.
    pub label: String,
    /// Free facts.
    pub meta: std::collections::BTreeMap<String, String>,
    /// Its balance now; only where one wallet is shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub balance: Option<String>,
    /// The last record that touched it.
    pub seq: u64,
}

/// A page of wallets.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct WalletList {
    /// The wallets, by id.
    pub wallets: Vec<WalletView>,
    /// Where the next page starts; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// Which wallets to list.
#[derive(Clone, Debug, Default, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct WalletFilter {
    /// Only this owner's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Only of this asset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asset: Option<String>,
    /// Only with this status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// `next` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// At most so many; 50 when left out, at most 1,000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
}

/// Why an operator does something.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Because {
    /// Kept in the journal.
    #[serde(default)]
    #[schema(value_type = String)]
    pub reason: Reason,
}

/// A new overdraft limit.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetLimit {
    /// An amount, or `unlimited`.
    #[schema(value_type = String)]
    pub overdraft: Overdraft,
    /// Kept in the journal.
    #[serde(default)]
    #[schema(value_type = String)]
    pub reason: Reason,
}

/// On every write: only say what would happen.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct DryRun {
    /// Decide, show the balances that would result, write nothing.
    #[serde(default)]
    pub dry_run: bool,
}

/// A deposit (`to`), a withdrawal (`from`) or a transfer (both).
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MoveMoney {
    /// The wallet that pays; none in a deposit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub from: Option<WalletId>,
    /// The wallet that is paid; none in a withdrawal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub to: Option<WalletId>,
    /// How much: `digits[.digits]`.
    #[schema(value_type = String, example = "10.50")]
    pub amount: Quantity,
    /// Of what.
    #[schema(value_type = String, example = "EUR")]
    pub asset: AssetCode,
    /// A past moment it counts from (permission `backdate`); when it is recorded, if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub effective_at: Option<Timestamp>,
    /// A note.
    #[serde(default, skip_serializing_if = "Memo::is_empty")]
    #[schema(value_type = String)]
    pub memo: Memo,
    /// Free facts.
    #[serde(default, skip_serializing_if = "Metadata::is_empty")]
    #[schema(value_type = std::collections::BTreeMap<String, String>)]
    pub meta: Metadata,
}

/// A transaction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TransactionView {
    /// Its id, `tx_EPOCH_SEQ`. Absent in a dry run.
    pub transaction: Option<String>,
    /// Its record's number.
    pub seq: u64,
    /// `deposit`, `withdrawal`, `transfer` or `reversal`.
    pub kind: String,
    /// The wallet that paid; none for a deposit.
    pub from: Option<String>,
    /// The wallet that was paid; none for a withdrawal.
    pub to: Option<String>,
    /// How much.
    pub amount: String,
    /// Of what.
    pub asset: String,
    /// When it counts.
    pub effective_at: String,
    /// When it was recorded.
    pub recorded_at: String,
    /// Its idempotency key.
    pub key: Option<String>,
    /// A note.
    pub memo: String,
    /// Free facts.
    pub meta: std::collections::BTreeMap<String, String>,
    /// Who did it.
    pub actor: String,
    /// The paying wallet's balance after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_balance: Option<String>,
    /// The paid wallet's balance after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to_balance: Option<String>,
    /// For a reversal: what it undoes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reverses: Option<String>,
    /// The reversal that undid it (where one transaction is shown).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reversed_by: Option<String>,
    /// Its chain hash. Absent in a dry run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash: Option<String>,
}

/// What became of a write.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Posted<T> {
    /// `ok`, or `replayed` if it had happened before under this key.
    pub outcome: String,
    /// True if nothing was written.
    pub dry_run: bool,
    /// What it is now (or would be).
    #[serde(flatten)]
    pub result: T,
}

/// A batch of commands.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Batch {
    /// `continue`, `stop` or `atomic`.
    pub mode: BatchMode,
    /// At most 5,000.
    pub commands: Vec<BatchCommand>,
}

/// What happens after a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum BatchMode {
    /// Go on with the next.
    Continue,
    /// The rest is not attempted.
    Stop,
    /// All or nothing.
    Atomic,
}

/// One command of a batch.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BatchCommand {
    /// Its idempotency key.
    #[schema(value_type = String)]
    pub key: Key,
    /// `deposit`, `withdraw` or `transfer`.
    pub op: Op,
    /// The wallet that pays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub from: Option<WalletId>,
    /// The wallet that is paid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub to: Option<WalletId>,
    /// How much.
    #[schema(value_type = String)]
    pub amount: Quantity,
    /// Of what.
    #[schema(value_type = String)]
    pub asset: AssetCode,
    /// A past moment it counts from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub effective_at: Option<Timestamp>,
    /// A note.
    #[serde(default, skip_serializing_if = "Memo::is_empty")]
    #[schema(value_type = String)]
    pub memo: Memo,
    /// Free facts.
    #[serde(default, skip_serializing_if = "Metadata::is_empty")]
    #[schema(value_type = std::collections::BTreeMap<String, String>)]
    pub meta: Metadata,
}

/// The operations of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Op {
    /// Needs `to`.
    Deposit,
    /// Needs `from`.
    Withdraw,
    /// Needs both.
    Transfer,
}

/// What became of a batch.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct BatchResult {
    /// True if the batch's own key was known: these are the first outcomes again.
    pub replayed: bool,
    /// One a command, in order.
    pub outcomes: Vec<RowOutcome>,
}

/// What became of one row of a batch or an import.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RowOutcome {
    /// `ok`, `replayed`, `refused`, `conflict` or `not_attempted`.
    pub outcome: String,
    /// The transaction (for ok, replayed; for conflict, the one that has the key).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub transaction: Option<TransactionId>,
    /// Its record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seq: Option<u64>,
    /// Why it was refused: a code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// Why, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// For a conflict: the first field that differs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
}

/// A reversal to make.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReverseTransaction {
    /// When it counts; not before the original. Now when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub effective_at: Option<Timestamp>,
    /// Let the paying wallet go below its floor.
    #[serde(default)]
    pub allow_negative: bool,
    /// A note.
    #[serde(default)]
    #[schema(value_type = String)]
    pub memo: Memo,
}

/// Which transactions to list, newest recorded first.
#[derive(Clone, Debug, Default, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct TransactionFilter {
    /// Only of this wallet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wallet: Option<String>,
    /// Only of this kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Only recorded at or after: a date (its start) or an instant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Only recorded at or before: a date (its close) or an instant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// The zone of dates; UTC when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tz: Option<String>,
    /// `next` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// At most so many; 50 when left out, at most 1,000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
}

/// A page of transactions.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct TransactionList {
    /// The transactions.
    pub transactions: Vec<TransactionView>,
    /// Where the next page starts; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// Which balance.
#[derive(Clone, Debug, Default, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct BalanceQuery {
    /// The moment: a date (its close) or an instant; now when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// As known then: a date, an instant, or a seq; the head when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known_at: Option<String>,
    /// The zone of dates; UTC when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tz: Option<String>,
    /// The answer must know this record (read your writes).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_seq: Option<u64>,
    /// `exact` (the ledger; default) or `cached`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consistency: Option<String>,
}

/// A balance, with everything needed to ask for it again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BalanceView {
    /// The wallet.
    pub wallet: String,
    /// Its asset.
    pub asset: String,
    /// The balance.
    pub balance: String,
    /// The resolved instant.
    pub at: String,
    /// False before the wallet opened (the balance is 0 then).
    pub opened: bool,
    /// The cut's seq: the balance as known up to this record.
    pub seq: u64,
    /// That record's epoch.
    pub epoch: u64,
    /// The cut; a cached answer does not know its hash and has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cut: Option<CutView>,
    /// `ledger` or `cache`.
    pub source: String,
    /// For a cached answer: how old it may be, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub age_ms: Option<u64>,
}

/// Which balances over time.
#[derive(Clone, Debug, Default, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct HistoryQuery {
    /// Start: a date (its first instant) or an instant.
    pub from: String,
    /// End: a date (its close) or an instant; now when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// `hour`, `day`, `week` or `month`.
    pub every: String,
    /// As known then: a date, an instant, or a seq; the head when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known_at: Option<String>,
    /// The zone of dates and periods; UTC when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tz: Option<String>,
}

/// One row of a balance report: what `reports/balances` streams, and a history holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BalanceRow {
    /// The wallet.
    pub wallet: String,
    /// Its asset.
    pub asset: String,
    /// The balance.
    pub balance: String,
    /// The instant.
    pub at: String,
    /// False before the wallet opened.
    pub opened: bool,
    /// The cut's seq.
    pub seq: u64,
    /// True for a last period that has not ended.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub partial: bool,
}

/// Balances over time.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct History {
    /// One row a period.
    pub rows: Vec<BalanceRow>,
    /// The cut.
    pub cut: CutView,
    /// The resolved start.
    pub from: String,
    /// The resolved end.
    pub to: String,
}

/// Which wallets' balances to stream: either `at`, or `from`, `to` and `every`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ReportQuery {
    /// The moment: a date (its close) or an instant; now when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// Start of a range.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// End of a range.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// Period of a range.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every: Option<String>,
    /// As known then: a date, an instant, or a seq.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known_at: Option<String>,
    /// The zone of dates and periods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tz: Option<String>,
    /// Only wallets of this asset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asset: Option<String>,
    /// `ndjson` (default) or `csv`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
}

/// Which part of a wallet's statement.
#[derive(Clone, Debug, Default, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct StatementQuery {
    /// Start: a date (its first instant) or an instant.
    pub from: String,
    /// End: a date (its close) or an instant; now when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// As known then: a date, an instant, or a seq.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known_at: Option<String>,
    /// The zone of dates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tz: Option<String>,
    /// `next` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// At most so many lines; 50 when left out, at most 1,000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
}

/// A wallet's statement: opening balance, lines by effective time, closing balance.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Statement {
    /// The wallet.
    pub wallet: String,
    /// Its asset.
    pub asset: String,
    /// The resolved start.
    pub from: String,
    /// The resolved end.
    pub to: String,
    /// The balance just before the start.
    pub opening: String,
    /// The balance at the end.
    pub closing: String,
    /// The cut.
    pub cut: CutView,
    /// The lines of this page.
    pub lines: Vec<StatementLine>,
    /// Where the next page starts; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// One line of a statement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StatementLine {
    /// The transaction.
    pub transaction: String,
    /// Its record.
    pub seq: u64,
    /// Its kind.
    pub kind: String,
    /// The other wallet; none for money from or to outside.
    pub counterparty: Option<String>,
    /// Signed: what it did to this wallet.
    pub amount: String,
    /// The balance after it, in effective order.
    pub balance: String,
    /// When it counts.
    pub effective_at: String,
    /// When it was recorded.
    pub recorded_at: String,
    /// Its key.
    pub key: Option<String>,
    /// A note.
    pub memo: String,
}

/// Which records of the journal to stream.
#[derive(Clone, Debug, Default, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct JournalQuery {
    /// Records with a seq above this; 0 when left out.
    #[serde(default)]
    pub after: u64,
    /// Records up to this seq; the head when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<u64>,
}

/// One line of the journal's stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct JournalLine {
    /// The record's number.
    pub seq: u64,
    /// SHA-256 of the previous hash and the record's bytes, hex.
    pub hash: String,
    /// The record's very bytes (canonical JSON) as a string.
    pub record: String,
}

/// Which audit records to list, newest first.
#[derive(Clone, Debug, Default, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AuditFilter {
    /// Only by this actor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    /// Only about this wallet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wallet: Option<String>,
    /// Only of this kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Only of this request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
    /// Only recorded at or after.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Only recorded at or before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// The zone of dates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tz: Option<String>,
    /// `next` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// At most so many; 50 when left out, at most 1,000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
}

/// One record of the audit trail.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct AuditRecord {
    /// Its number.
    pub seq: u64,
    /// What happened.
    pub kind: String,
    /// Who did it.
    pub actor: String,
    /// When it was recorded.
    pub recorded_at: String,
    /// The wallets it is about.
    pub wallets: Vec<String>,
    /// The HTTP request it came with.
    pub request_id: Option<String>,
    /// Its chain hash.
    pub hash: String,
    /// The whole record.
    #[schema(value_type = Object)]
    pub record: serde_json::Value,
}

/// A page of the audit trail.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct AuditList {
    /// The records.
    pub records: Vec<AuditRecord>,
    /// Where the next page starts; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// What to verify.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct VerifyRequest {
    /// A cut that was written down, `SEQ:HASH`: proves that nothing up to it was changed or cut off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cut: Option<String>,
    /// Hold every store that follows the ledger (audit trail, events, wallet rows, cached balances) against it, whole.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub stores: bool,
}

/// How far a rebuild is: one line a step, the last one with `finished`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct RebuildStep {
    /// What is rebuilt: `wallets`, `balances`, `audit` or `events`.
    pub store: String,
    /// What the numbers count: `wallets` or `records`.
    pub unit: String,
    /// How many are done.
    pub done: u64,
    /// Of how many, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<u64>,
    /// True on the last line of a rebuild that is done.
    pub finished: bool,
    /// Why it ended early; running it again is safe.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// What verification found.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Verification {
    /// True if everything agrees.
    pub ok: bool,
    /// Each check, in order.
    pub checks: Vec<Check>,
    /// The ledger's head when it began.
    pub cut: CutView,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
}

/// One check.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Check {
    /// What was checked.
    pub name: String,
    /// True if it holds.
    pub ok: bool,
    /// Records or wallets looked at.
    pub count: u64,
    /// What was found: on a fault, the first record or wallet that differs.
    pub detail: String,
}

/// What the daemon says about itself.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Status {
    /// Its version.
    pub version: String,
    /// `serving` or `draining`.
    pub state: String,
    /// Its process.
    pub pid: u32,
    /// The ledger's id.
    pub ledger_id: String,
    /// The head.
    pub cut: CutView,
    /// The daemon's clock.
    pub now: String,
    /// Seconds since it started.
    pub uptime_s: u64,
    /// Commands waiting to be committed.
    pub queued: u64,
    /// How far each projection is.
    pub projections: Vec<Projection>,
    /// Stores in use, by port.
    pub stores: std::collections::BTreeMap<String, String>,
}

/// A projection of the journal.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Projection {
    /// `wallets`, `balances` or `audit`.
    pub name: String,
    /// The last record that took effect in it.
    pub seq: u64,
    /// Records behind the head.
    pub lag: u64,
    /// Why it does not move, if it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// Who the caller is to the daemon.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Whoami {
    /// The actor, as journal records name it.
    pub actor: String,
    /// `operator`, `auditor`, `user`.
    pub roles: Vec<String>,
    /// `backdate`, `admin`.
    pub permissions: Vec<String>,
    /// Whose wallets a user has; absent for a caller that is not bound to an owner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// When the token stops counting; absent on the socket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
    /// Who issued the token; absent on the socket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// The client the token was issued to; absent on the socket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
}

/// What the caller wants to know whether it may do: an `action`, or a `method` and a `path`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct CanIQuery {
    /// A word of `walletd authz`, such as `transfer` or `wallet freeze`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    /// An HTTP method, with `path`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// A path of the API, such as `/v1/wallets/w1/freeze`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
}

/// Whether the caller may do something. Rules about the money itself are another matter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CanI {
    /// True if it may.
    pub allowed: bool,
    /// What, in a word.
    pub action: String,
    /// Its method.
    pub method: String,
    /// Its path, as OpenAPI writes it.
    pub path: String,
    /// `any` wallets, or only its `own`; absent where it may not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wallets: Option<String>,
    /// True if it may also give a past time here (permission `backdate`).
    pub backdate: bool,
    /// What it would need and has not, such as `one of the roles operator, user`; absent where it may.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lacks: Option<String>,
}

/// Where to sign in for this daemon: OAuth 2.0 Protected Resource Metadata (RFC 9728).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProtectedResource {
    /// The URL that clients use, exactly.
    pub resource: String,
    /// Who issues tokens for it.
    pub authorization_servers: Vec<String>,
    /// How a token is sent: `header` only.
    pub bearer_methods_supported: Vec<String>,
    /// Its name for people.
    pub resource_name: String,
}

/// What all wallets of an asset hold together.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Totals {
    /// One an asset in use.
    pub totals: Vec<Total>,
    /// The head.
    pub cut: CutView,
}

/// What all wallets of one asset hold together.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Total {
    /// The asset.
    pub asset: String,
    /// What wallets hold.
    pub wallets: String,
    /// The other side: always its opposite.
    pub external: String,
}
