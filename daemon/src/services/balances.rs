//! Balance Service: balances now (cache or ledger) and at any past moment (ledger).
//!
//! Every answer says the instant it is for and the cut it was read from: the same question with the
//! same two gives the same answer for ever.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use wallet_core::{
    account::Account,
    cut::Cut,
    ids::WalletId,
    money::Balance,
    ports::{Axis, BalanceCache, CachePosition, Clock, EntryQuery, Known, LedgerStore, Look, Posted},
    time::{
        Timestamp,
        calendar::{Bound, Every, Point, Zone, closes},
    },
};

use super::{
    ServiceError,
    moments::{Moments, asked, there},
};
use crate::{metrics::figures::CacheReads, telemetry::within};

/// How long an answer about the cache's age is used: it adds to the age that is told.
const STAMP_LIFE: Duration = Duration::from_millis(200);

/// A balance and where it comes from.
#[derive(Clone, Debug)]
pub struct BalanceAt {
    /// The wallet.
    pub wallet: WalletId,
    /// Its asset.
    pub asset: wallet_core::asset::AssetCode,
    /// The balance.
    pub balance: Balance,
    /// When.
    pub at: Timestamp,
    /// False before the wallet opened.
    pub opened: bool,
    /// As known then: up to this record.
    pub seq: u64,
    /// Its epoch.
    pub epoch: u64,
    /// The whole cut; a cached answer does not know the hash.
    pub cut: Option<Cut>,
    /// From the cache: how old it may be, in microseconds.
    pub cached_age: Option<i64>,
}

/// Which balance.
#[derive(Clone, Debug, Default)]
pub struct Question<'a> {
    /// The moment; now if none.
    pub at: Option<&'a str>,
    /// As known then; the head if none.
    pub known_at: Option<&'a str>,
    /// The zone of dates.
    pub tz: Option<&'a str>,
    /// The answer must know this record.
    pub min_seq: Option<u64>,
    /// Let the cache answer.
    pub cached: bool,
}

/// A range of moments.
#[derive(Clone, Debug)]
pub struct Range<'a> {
    /// Start.
    pub from: &'a str,
    /// End; now if none.
    pub to: Option<&'a str>,
    /// Period.
    pub every: &'a str,
    /// As known then.
    pub known_at: Option<&'a str>,
    /// The zone.
    pub tz: Option<&'a str>,
}

/// A range, resolved.
#[derive(Clone, Debug)]
pub struct Resolved {
    /// The closes.
    pub points: Vec<Point>,
    /// Start.
    pub from: Timestamp,
    /// End.
    pub to: Timestamp,
    /// As known then.
    pub cut: Cut,
}

/// A page of a statement.
#[derive(Clone, Debug)]
pub struct Statement {
    /// The account.
    pub account: Account,
    /// Start.
    pub from: Timestamp,
    /// End.
    pub to: Timestamp,
    /// The balance just before the start.
    pub opening: Balance,
    /// The balance at the end.
    pub closing: Balance,
    /// As known then.
    pub cut: Cut,
    /// Entries by effective time, each with the balance after it in that order.
    pub lines: Vec<(Posted, Balance)>,
    /// Where the next page starts.
    pub next: Option<StatementCursor>,
}

/// Where a statement's next page starts: the last line's place. It also pins the cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatementCursor {
    /// The last line's time.
    pub effective_at: Timestamp,
    /// The last line's record.
    pub seq: u64,
    /// The cut of the first page.
    pub known: u64,
}

/// When the cache was asked for what its followers noted last, and what it said.
type Stamp = (Instant, Option<(CachePosition, Timestamp)>);

/// What the ledger says to a question, and the moment it is for.
struct Seen {
    look: Look,
    at: Timestamp,
}

/// The account of a wallet that was open at a cut.
fn known_by(account: Option<Account>, wallet: &WalletId, cut: Cut) -> Result<Account, ServiceError> {
    let account = account.ok_or_else(|| ServiceError::unknown_wallet(wallet))?;
    if account.opened_seq > cut.seq {
        return Err(ServiceError::not_known_yet(wallet, cut.seq, account.opened_seq));
    }
    Ok(account)
}

/// The Balance Service.
#[derive(Clone)]
pub struct Balances {
    ledger: Arc<dyn LedgerStore>,
    cache: Arc<dyn BalanceCache>,
    clock: Arc<dyn Clock>,
    stamp: Arc<Mutex<Option<Stamp>>>,
    /// How moments are resolved.
    pub moments: Moments,
    /// How the cache answered.
    pub cache_reads: Arc<CacheReads>,
}

impl Balances {
    /// Over this ledger and cache.
    pub fn new(ledger: Arc<dyn LedgerStore>, cache: Arc<dyn BalanceCache>, clock: Arc<dyn Clock>) -> Self {
        let moments = Moments::new(Arc::clone(&ledger), Arc::clone(&clock));
        Self { ledger, cache, clock, stamp: Arc::default(), moments, cache_reads: Arc::default() }
    }

    async fn account(&self, wallet: &WalletId, cut: Cut) -> Result<Account, ServiceError> {
        known_by(within("ledger.account", self.ledger.account(wallet)).await?, wallet, cut)
    }

    /// A wallet's balance.
    pub async fn balance(&self, wallet: &WalletId, question: &Question<'_>) -> Result<BalanceAt, ServiceError> {
        within("balances.balance", self.answered(wallet, question)).await
    }

    async fn answered(&self, wallet: &WalletId, question: &Question<'_>) -> Result<BalanceAt, ServiceError> {
        if question.cached {
            if question.at.is_some() || question.known_at.is_some() {
                return Err(ServiceError::invalid(
                    "invalid_request",
                    "a cached balance is always the present one: leave at and known_at out",
                ));
            }
            if let Some(found) = self.cached(wallet, question.min_seq).await? {
                return Ok(found);
            }
        }
        let seen = self.seen(wallet, question).await?;
        let (cut, at) = (seen.look.cut, seen.at);
        if question.min_seq.is_some_and(|min| min > cut.seq) {
            let detail = format!(
                "record {} is not there yet: the last one is {}",
                question.min_seq.unwrap_or_default(),
                cut.seq
            );
            return Err(ServiceError::invalid("invalid_request", detail));
        }
        let account = known_by(seen.look.account, wallet, cut)?;
        let balance = seen.look.balance.unwrap_or(Balance::zero(account.scale()));
        let opened = account.opened_at <= at;
        let (seq, epoch, cut) = (cut.seq, cut.epoch, Some(cut));
        let (wallet, asset) = (wallet.clone(), account.asset);
        Ok(BalanceAt { wallet, asset, balance, at, opened, seq, epoch, cut, cached_age: None })
    }

    /// Asks the ledger once: for the moments as this machine's clock has them. Only if the last record is ahead of the
    /// clock, and that makes them others, is it asked again.
    async fn seen(&self, wallet: &WalletId, question: &Question<'_>) -> Result<Seen, ServiceError> {
        let zone = Moments::zone(question.tz)?;
        let resolve = |now| asked(question.at, question.known_at, &zone, now);
        let clock = self.clock.now();
        if let Ok(wanted) = resolve(clock) {
            let look = self.look(wallet, wanted).await?;
            let now = clock.max(look.head.recorded_at);
            if now == clock || resolve(now).is_ok_and(|again| again == wanted) {
                return Ok(Seen { look, at: wanted.0.unwrap_or(now) });
            }
        }
        let present = self.moments.present().await?;
        let wanted = resolve(present.now)?;
        let look = self.look(wallet, wanted).await?;
        let now = present.now.max(look.head.recorded_at);
        Ok(Seen { look, at: wanted.0.unwrap_or(now) })
    }

    async fn look(&self, wallet: &WalletId, (at, known): (Option<Timestamp>, Known)) -> Result<Look, ServiceError> {
        let look = within("ledger.look", self.ledger.look(wallet, at, known)).await?;
        if let Known::At(seq) = known {
            there(seq, look.head)?;
        }
        Ok(look)
    }

    async fn at(&self, account: &Account, times: &[Timestamp], known: u64) -> Result<Vec<Balance>, ServiceError> {
        Ok(within("ledger.balances_at", self.ledger.balances_at(account, times, known)).await?)
    }

    async fn cached(&self, wallet: &WalletId, min_seq: Option<u64>) -> Result<Option<BalanceAt>, ServiceError> {
        // The age first: what is followed and noted between the two questions only makes the balance newer than it says.
        let stamp = self.stamped().await;
        let (found, position) = match within("cache.get", self.cache.get(wallet)).await {
            Ok(answer) => answer,
            Err(error) => {
                tracing::debug!(%error, "the balance cache did not answer; the ledger does");
                self.cache_reads.failures.one();
                return Ok(None);
            }
        };
        let found = found.filter(|found| min_seq.is_none_or(|min| found.seq >= min || position >= min));
        // Nothing is missing up to the moment that was noted last, if this part of the cache has followed so far.
        let stamp = stamp.filter(|(upto, _)| upto.seq <= position);
        let (Some(found), Some((upto, moment))) = (found, stamp) else {
            self.cache_reads.misses.one();
            return Ok(None);
        };
        self.cache_reads.hits.one();
        let at = moment.max(found.recorded_at);
        Ok(Some(BalanceAt {
            wallet: wallet.clone(),
            asset: found.asset,
            balance: found.balance,
            at,
            opened: true,
            seq: position.max(found.seq),
            epoch: found.epoch.max(upto.epoch),
            cut: None,
            cached_age: Some(self.clock.now().micros_since(at).max(0)),
        }))
    }

    /// What the cache's followers noted last: asked for a few times a second, since an older answer only makes
    /// balances look older.
    async fn stamped(&self) -> Option<(CachePosition, Timestamp)> {
        let known = *self.stamp.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((asked, stamp)) = known
            && asked.elapsed() < STAMP_LIFE
        {
            return stamp;
        }
        let stamp = self.cache.stamped().await.ok()?;
        *self.stamp.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), stamp));
        stamp
    }

    /// The moments and the cut of a range.
    pub async fn resolve(&self, range: &Range<'_>) -> Result<Resolved, ServiceError> {
        let zone = Moments::zone(range.tz)?;
        let every: Every =
            range.every.parse().map_err(|error| ServiceError::invalid("invalid_request", format!("every: {error}")))?;
        let present = self.moments.present().await?;
        let cut = self.moments.cut(&present, range.known_at, &zone).await?;
        let from = present.instant(Some(range.from), Bound::Start, &zone)?;
        let to = present.instant(range.to, Bound::Close, &zone)?;
        let points = closes(every, from, to, present.now, &zone)?;
        Ok(Resolved { points, from, to, cut })
    }

    /// A wallet's balances at the moments of a range.
    pub async fn history(
        &self,
        wallet: &WalletId,
        range: &Range<'_>,
    ) -> Result<(Vec<BalanceAt>, Resolved), ServiceError> {
        let resolved = self.resolve(range).await?;
        let account = self.account(wallet, resolved.cut).await?;
        let rows = self.rows(&account, &resolved.points, resolved.cut).await?;
        Ok((rows, resolved))
    }

    /// An account's balances at ascending points.
    async fn rows(&self, account: &Account, points: &[Point], cut: Cut) -> Result<Vec<BalanceAt>, ServiceError> {
        let times: Vec<_> = points.iter().map(|point| point.at).collect();
        let balances = self.at(account, &times, cut.seq).await?;
        let Some(wallet) = account.id.wallet() else {
            return Ok(Vec::new());
        };
        let row = |(at, balance): (Timestamp, Balance)| BalanceAt {
            wallet: wallet.clone(),
            asset: account.asset,
            balance,
            at,
            opened: account.opened_at <= at,
            seq: cut.seq,
            epoch: cut.epoch,
            cut: Some(cut),
            cached_age: None,
        };
        Ok(times.into_iter().zip(balances).map(row).collect())
    }

    /// Balances of accounts at ascending times, in the order of the accounts.
    pub async fn of_each(
        &self,
        accounts: &[Account],
        times: &[Timestamp],
        cut: Cut,
    ) -> Result<Vec<Vec<Balance>>, ServiceError> {
        Ok(within("ledger.balances_of", self.ledger.balances_of(accounts, times, cut.seq)).await?)
    }

    /// Wallets that exist at a cut, by id, behind `after`; the second value says if there may be more.
    pub async fn page(
        &self,
        after: Option<&WalletId>,
        limit: usize,
        cut: Cut,
    ) -> Result<(Vec<Account>, Option<WalletId>), ServiceError> {
        let accounts = within("ledger.accounts", self.ledger.accounts(after, limit)).await?;
        let next =
            (accounts.len() == limit).then(|| accounts.last().and_then(|last| last.id.wallet().cloned())).flatten();
        Ok((accounts.into_iter().filter(|account| account.opened_seq <= cut.seq).collect(), next))
    }

    /// A page of a wallet's statement.
    pub async fn statement(
        &self,
        wallet: &WalletId,
        from: &str,
        to: Option<&str>,
        known_at: Option<&str>,
        zone: &Zone,
        (after, limit): (Option<StatementCursor>, usize),
    ) -> Result<Statement, ServiceError> {
        let present = self.moments.present().await?;
        let cut = match after {
            Some(cursor) => self.ledger.cut_at(cursor.known).await?,
            None => self.moments.cut(&present, known_at, zone).await?,
        };
        let from = present.instant(Some(from), Bound::Start, zone)?;
        let to = present.instant(to, Bound::Close, zone)?;
        if to < from {
            return Err(wallet_core::time::calendar::MomentError::Backwards { from, to }.into());
        }
        let account = self.account(wallet, cut).await?;
        let ends = self.at(&account, &[from.plus_micros(-1), to], cut.seq).await?;
        let zero = Balance::zero(account.scale());
        let (opening, closing) = (ends.first().copied().unwrap_or(zero), ends.last().copied().unwrap_or(zero));
        let mut running = match after {
            Some(cursor) => self.balance_after(&account, cursor, cut).await?,
            None => opening,
        };
        let query = EntryQuery {
            wallet: wallet.clone(),
            axis: Axis::Effective,
            descending: false,
            from: Some(from),
            to: Some(to),
            known: cut.seq,
            after: after.map(|cursor| (cursor.effective_at, cursor.seq)),
            limit,
        };
        let page = within("ledger.entries", self.ledger.entries(&query)).await?;
        let mut lines = Vec::with_capacity(page.items.len());
        for posted in page.items {
            running = running.plus(posted.entry.amount).ok_or_else(ServiceError::range)?;
            lines.push((posted, running));
        }
        let next = lines.last().filter(|_| page.more).map(|(last, _)| StatementCursor {
            effective_at: last.entry.effective_at,
            seq: last.entry.seq,
            known: cut.seq,
        });
        Ok(Statement { account, from, to, opening, closing, cut, lines, next })
    }

    /// The balance after one entry in effective order: everything before its time, and what of its time is not behind it.
    async fn balance_after(
        &self,
        account: &Account,
        cursor: StatementCursor,
        cut: Cut,
    ) -> Result<Balance, ServiceError> {
        let before = cursor.effective_at.plus_micros(-1);
        let earlier = self.at(account, &[before], cut.seq).await?.pop();
        let zero = Balance::zero(account.scale());
        let same_time = |known| async move { self.at(account, &[before, cursor.effective_at], known).await };
        let ends = same_time(cursor.seq).await?;
        let (low, high) = (ends.first().copied().unwrap_or(zero), ends.last().copied().unwrap_or(zero));
        let of_time = high.minus(low).ok_or_else(ServiceError::range)?;
        earlier.unwrap_or(zero).plus(of_time).ok_or_else(ServiceError::range)
    }
}

#[cfg(test)]
mod tests;
