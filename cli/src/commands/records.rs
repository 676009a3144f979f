//! The columns of what the daemon answers.

use wallet_api::types::{
    AssetView, AuditRecord, BalanceRow, BalanceView, Check, Posted, StatementLine, Status, TransactionView, WalletView,
    Whoami,
};

use crate::output::{Cell, Record};

impl Record for AssetView {
    const COLUMNS: &'static [&'static str] = &["code", "scale", "built_in"];

    fn cell(&self, column: &str) -> Cell<'_> {
        match column {
            "code" => Cell::text(self.code.as_str()),
            "scale" => Cell::Int(self.scale.into()),
            "built_in" => Cell::Bool(self.built_in),
            _ => Cell::None,
        }
    }
}

impl Record for WalletView {
    const COLUMNS: &'static [&'static str] = &["id", "owner", "asset", "status", "overdraft", "opened_at", "label"];
    const MORE: &'static [&'static str] = &["balance", "seq", "meta"];

    fn cell(&self, column: &str) -> Cell<'_> {
        match column {
            "id" => Cell::text(&self.id),
            "owner" => Cell::text(&self.owner),
            "asset" => Cell::text(&self.asset),
            "status" => Cell::text(&self.status),
            "overdraft" => Cell::Amount(&self.overdraft),
            "opened_at" => Cell::Time(&self.opened_at),
            "label" => Cell::text(&self.label),
            "balance" => Cell::maybe_amount(self.balance.as_deref()),
            "seq" => Cell::Int(self.seq),
            "meta" => Cell::pairs(&self.meta),
            _ => Cell::None,
        }
    }
}

impl Record for TransactionView {
    const COLUMNS: &'static [&'static str] =
        &["transaction", "seq", "kind", "from", "to", "amount", "asset", "effective_at", "recorded_at", "key", "memo"];
    const TABLE: &'static [&'static str] =
        &["transaction", "kind", "from", "to", "amount", "asset", "effective_at", "memo"];
    const MORE: &'static [&'static str] =
        &["from_balance", "to_balance", "reverses", "reversed_by", "meta", "actor", "hash"];

    fn cell(&self, column: &str) -> Cell<'_> {
        match column {
            "transaction" => Cell::maybe(self.transaction.as_deref()),
            "seq" => Cell::Int(self.seq),
            "kind" => Cell::text(&self.kind),
            "from" => Cell::maybe(self.from.as_deref()),
            "to" => Cell::maybe(self.to.as_deref()),
            "amount" => Cell::Amount(&self.amount),
            "asset" => Cell::text(&self.asset),
            "effective_at" => Cell::Time(&self.effective_at),
            "recorded_at" => Cell::Time(&self.recorded_at),
            "key" => Cell::maybe(self.key.as_deref()),
            "memo" => Cell::text(&self.memo),
            "from_balance" => Cell::maybe_amount(self.from_balance.as_deref()),
            "to_balance" => Cell::maybe_amount(self.to_balance.as_deref()),
            "reverses" => Cell::maybe(self.reverses.as_deref()),
            "reversed_by" => Cell::maybe(self.reversed_by.as_deref()),
            "meta" => Cell::pairs(&self.meta),
            "actor" => Cell::text(&self.actor),
            "hash" => Cell::maybe(self.hash.as_deref()),
            _ => Cell::None,
        }
    }
}

/// The columns of what was written, and what became of it.
impl<R: Record> Record for Posted<R> {
    const COLUMNS: &'static [&'static str] = R::COLUMNS;
    const TABLE: &'static [&'static str] = R::TABLE;
    const TAIL: &'static [&'static str] = &["outcome", "dry_run"];
    const MORE: &'static [&'static str] = R::MORE;

    fn cell(&self, column: &str) -> Cell<'_> {
        match column {
            "outcome" => Cell::text(&self.outcome),
            "dry_run" => Cell::Bool(self.dry_run),
            _ => self.result.cell(column),
        }
    }
}

impl Record for BalanceView {
    const COLUMNS: &'static [&'static str] = BalanceRow::COLUMNS;
    const MORE: &'static [&'static str] = &["source", "age_ms"];

    fn cell(&self, column: &str) -> Cell<'_> {
        match column {
            "wallet" => Cell::text(&self.wallet),
            "asset" => Cell::text(&self.asset),
            "balance" => Cell::Amount(&self.balance),
            "at" => Cell::Time(&self.at),
            "opened" => Cell::Bool(self.opened),
            "seq" => Cell::Int(self.seq),
            "source" => Cell::text(&self.source),
            "age_ms" => Cell::maybe_int(self.age_ms),
            _ => Cell::None,
        }
    }
}

impl Record for BalanceRow {
    const COLUMNS: &'static [&'static str] = &["wallet", "asset", "balance", "at", "opened", "seq"];
    const MORE: &'static [&'static str] = &["partial"];

    fn cell(&self, column: &str) -> Cell<'_> {
        match column {
            "wallet" => Cell::text(&self.wallet),
            "asset" => Cell::text(&self.asset),
            "balance" => Cell::Amount(&self.balance),
            "at" => Cell::Time(&self.at),
            "opened" => Cell::Bool(self.opened),
            "seq" => Cell::Int(self.seq),
            "partial" => Cell::Bool(self.partial),
            _ => Cell::None,
        }
    }
}

/// A balance at the close of a period. As [`BalanceRow`], and says at its end whether the period goes on.
#[derive(serde::Serialize)]
#[serde(transparent)]
pub(super) struct Close(pub(super) BalanceRow);

impl Record for Close {
    const COLUMNS: &'static [&'static str] = &["wallet", "asset", "balance", "at", "opened", "seq", "partial"];
    // People are told below the table.
    const TABLE: &'static [&'static str] = BalanceRow::COLUMNS;

    fn cell(&self, column: &str) -> Cell<'_> {
        self.0.cell(column)
    }
}

impl Record for StatementLine {
    const COLUMNS: &'static [&'static str] = &[
        "transaction",
        "seq",
        "kind",
        "counterparty",
        "amount",
        "balance",
        "effective_at",
        "recorded_at",
        "key",
        "memo",
    ];
    const TABLE: &'static [&'static str] =
        &["effective_at", "transaction", "kind", "counterparty", "amount", "balance", "memo"];

    fn cell(&self, column: &str) -> Cell<'_> {
        match column {
            "transaction" => Cell::text(&self.transaction),
            "seq" => Cell::Int(self.seq),
            "kind" => Cell::text(&self.kind),
            "counterparty" => Cell::maybe(self.counterparty.as_deref()),
            "amount" => Cell::Amount(&self.amount),
            "balance" => Cell::Amount(&self.balance),
            "effective_at" => Cell::Time(&self.effective_at),
            "recorded_at" => Cell::Time(&self.recorded_at),
            "key" => Cell::maybe(self.key.as_deref()),
            "memo" => Cell::text(&self.memo),
            _ => Cell::None,
        }
    }
}

/// What a record says besides its columns, for people: why, and of many attempts how many and where from.
fn detail(record: &serde_json::Value) -> String {
    let text = |name: &str| record.get(name).and_then(serde_json::Value::as_str);
    let mut detail = text("reason").unwrap_or_default().to_owned();
    if let Some(count) = record.get("count").and_then(serde_json::Value::as_u64) {
        detail = format!("{detail}, {count} times");
    }
    if let Some(network) = text("network") {
        detail = format!("{detail} from {network}");
    }
    detail
}

impl Record for AuditRecord {
    const COLUMNS: &'static [&'static str] = &["seq", "kind", "actor", "recorded_at", "wallets", "request_id", "hash"];
    const TABLE: &'static [&'static str] = &["seq", "kind", "actor", "recorded_at", "wallets", "detail"];
    const MORE: &'static [&'static str] = &["detail", "record"];

    fn cell(&self, column: &str) -> Cell<'_> {
        match column {
            "seq" => Cell::Int(self.seq),
            "kind" => Cell::text(&self.kind),
            "actor" => Cell::text(&self.actor),
            "recorded_at" => Cell::Time(&self.recorded_at),
            "wallets" => Cell::owned(self.wallets.join(" ")),
            "request_id" => Cell::maybe(self.request_id.as_deref()),
            "hash" => Cell::text(&self.hash),
            "detail" => Cell::owned(detail(&self.record)),
            "record" => Cell::owned(self.record.to_string()),
            _ => Cell::None,
        }
    }
}

impl Record for Check {
    const COLUMNS: &'static [&'static str] = &["name", "ok", "count", "detail"];

    fn cell(&self, column: &str) -> Cell<'_> {
        match column {
            "name" => Cell::text(&self.name),
            "ok" => Cell::Bool(self.ok),
            "count" => Cell::Int(self.count),
            "detail" => Cell::text(&self.detail),
            _ => Cell::None,
        }
    }
}

impl Record for Status {
    const COLUMNS: &'static [&'static str] =
        &["version", "state", "pid", "ledger_id", "epoch", "seq", "hash", "now", "uptime_s", "queued"];
    const MORE: &'static [&'static str] = &["recorded_at", "stores", "projections"];

    fn cell(&self, column: &str) -> Cell<'_> {
        match column {
            "version" => Cell::text(&self.version),
            "state" => Cell::text(&self.state),
            "pid" => Cell::Int(self.pid.into()),
            "ledger_id" => Cell::text(&self.ledger_id),
            "epoch" => Cell::Int(self.cut.epoch),
            "seq" => Cell::Int(self.cut.seq),
            "hash" => Cell::text(&self.cut.hash),
            "recorded_at" => Cell::Time(&self.cut.recorded_at),
            "now" => Cell::Time(&self.now),
            "uptime_s" => Cell::Int(self.uptime_s),
            "queued" => Cell::Int(self.queued),
            "stores" => Cell::pairs(&self.stores),
            "projections" => Cell::owned(projections(self)),
            _ => Cell::None,
        }
    }
}

/// `audit 42 (0 behind), balances 40 (2 behind)`.
fn projections(status: &Status) -> String {
    let one = |p: &wallet_api::types::Projection| {
        let error = p.error.as_ref().map(|error| format!(": {error}")).unwrap_or_default();
        format!("{} {} ({} behind){error}", p.name, p.seq, p.lag)
    };
    status.projections.iter().map(one).collect::<Vec<_>>().join(", ")
}

impl Record for Whoami {
    const COLUMNS: &'static [&'static str] =
        &["actor", "roles", "permissions", "owner", "issuer", "client", "expires_at"];

    fn cell(&self, column: &str) -> Cell<'_> {
        match column {
            "actor" => Cell::text(&self.actor),
            "roles" => Cell::owned(self.roles.join(" ")),
            "permissions" => Cell::owned(self.permissions.join(" ")),
            "owner" => Cell::maybe(self.owner.as_deref()),
            "issuer" => Cell::maybe(self.issuer.as_deref()),
            "client" => Cell::maybe(self.client.as_deref()),
            "expires_at" => self.expires_at.as_deref().map_or(Cell::None, Cell::Time),
            _ => Cell::None,
        }
    }
}
