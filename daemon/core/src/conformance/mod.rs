//! The conformance lists: what every adapter of a port must pass, embedded or real.
//!
//! A check is named by the promise it holds and gets a [`Bed`], which makes empty stores and opens
//! them again. [`run_all`] runs a list and tells every promise that was broken. The checks panic by
//! assertion, need no runtime of their own, and take a few seconds on a store that syncs every commit.

mod append;
mod audit;
mod bound;
mod bus;
mod cache;
mod groups;
mod keys;
mod leases;
mod limits;
mod listing;
mod past;
mod support;
mod wallets;
mod writing;

use std::{
    future::{Future, poll_fn},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::Arc,
    task::Poll,
};

use async_trait::async_trait;

use crate::ports::{AuditStore, BalanceCache, EventBus, Leases, LedgerStore, RateLimiter, StoreError, WalletStore};

/// What a check returns: assertions panic, errors of the store come out here.
pub type Checked = Result<(), Box<dyn std::error::Error + Send + Sync>>;

/// A check while it runs.
pub type Running<'a> = Pin<Box<dyn Future<Output = Checked> + Send + 'a>>;

/// Makes the stores that are checked.
#[async_trait]
pub trait Bed<S: ?Sized + Send + Sync + 'static>: Send + Sync {
    /// A new, empty store, apart from all others. A ledger gets this id.
    async fn fresh(&self, id: &str) -> Result<Arc<S>, StoreError>;

    /// Closes a store and opens it again, as a restart does. What cannot outlive its process (or is
    /// not closed by one) is handed back as it is.
    async fn reopen(&self, store: Arc<S>) -> Result<Arc<S>, StoreError> {
        Ok(store)
    }
}

/// One promise.
pub struct Check<S: ?Sized + Send + Sync + 'static> {
    /// The promise.
    pub name: &'static str,
    /// Holds an adapter to it.
    pub run: for<'a> fn(&'a dyn Bed<S>) -> Running<'a>,
}

/// Runs checks one after the other; the error names each that failed, and how.
pub async fn run_all<S: ?Sized + Send + Sync + 'static>(checks: &[Check<S>], bed: &dyn Bed<S>) -> Result<(), String> {
    let mut failed = Vec::new();
    for check in checks {
        let mut running = (check.run)(bed);
        let done = poll_fn(|context| match catch_unwind(AssertUnwindSafe(|| running.as_mut().poll(context))) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(done)) => Poll::Ready(done.map_err(|error| whole(&*error))),
            Err(panic) => {
                let text = panic.downcast_ref::<String>().cloned();
                let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
                Poll::Ready(Err(text.unwrap_or_else(|| "it panicked".to_owned())))
            }
        });
        if let Err(why) = done.await {
            failed.push(format!("{}: {why}", check.name));
        }
    }
    if failed.is_empty() { Ok(()) } else { Err(failed.join("\n")) }
}

/// An error with its causes.
fn whole(error: &(dyn std::error::Error + 'static)) -> String {
    let cause = error.source().map(|cause| format!(": {}", whole(cause)));
    format!("{error}{}", cause.unwrap_or_default())
}

macro_rules! checks {
    ($($module:ident :: $name:ident),* $(,)?) => {
        &[$(Check { name: stringify!($name), run: |bed| Box::pin($module::$name(bed)) }),*]
    };
}

/// What every [`LedgerStore`] must pass.
pub const LEDGER_CHECKS: &[Check<dyn LedgerStore>] = checks![
    writing::an_empty_ledger_is_its_genesis,
    writing::records_follow_each_other_without_gaps,
    writing::all_balances_of_an_asset_sum_to_zero,
    writing::no_debit_goes_below_the_floor,
    writing::status_and_limit_outlive_a_restart,
    writing::assets_are_registered_once,
    writing::a_transaction_is_reversed_once,
    writing::a_preview_writes_nothing,
    writing::what_became_of_access_is_kept_once,
    writing::racing_transfers_neither_overdraw_nor_get_lost,
    keys::a_key_commits_at_most_once,
    keys::a_conflict_names_the_field,
    keys::a_refusal_does_not_burn_its_key,
    keys::a_known_key_replays_though_it_would_be_refused_now,
    keys::scopes_are_apart,
    keys::racing_commits_of_one_key_move_money_once,
    keys::a_requests_own_key_keeps_every_outcome,
    keys::a_request_that_follows_another_waits_for_its_answer,
    groups::a_group_is_all_or_nothing,
    groups::a_group_replays_whole_or_not_at_all,
    groups::no_cut_lies_inside_a_group,
    bound::only_transfers_out_of_ones_own_wallets_happen,
    bound::nothing_is_said_about_where_money_cannot_go,
    bound::a_long_request_is_bound_to_its_end,
    append::an_appended_journal_is_the_same_ledger,
    append::what_does_not_follow_is_not_appended,
    append::an_appended_ledger_goes_on,
    past::past_balances_are_sums_of_entries,
    past::past_balances_never_change,
    past::balances_of_many_are_those_of_each,
    past::past_balances_outlive_a_restart,
    past::a_look_is_what_the_single_questions_say,
    listing::entries_are_listed_in_every_order,
    listing::accounts_and_records_are_paged,
    listing::cuts_are_found_by_time,
];

/// What every [`WalletStore`] must pass.
pub const WALLET_CHECKS: &[Check<dyn WalletStore>] = checks![
    wallets::rows_are_only_replaced_by_newer_ones,
    wallets::an_opening_is_followed_or_forgotten,
    wallets::rows_and_position_outlive_a_restart,
    wallets::wallets_are_listed_by_id_and_filter,
];

/// What every [`AuditStore`] must pass.
pub const AUDIT_CHECKS: &[Check<dyn AuditStore>] = checks![
    audit::records_come_back_as_they_are,
    audit::another_record_in_the_same_place_is_damage,
    audit::records_are_found_by_every_field,
];

/// What every [`BalanceCache`] must pass.
pub const CACHE_CHECKS: &[Check<dyn BalanceCache>] = checks![
    cache::only_newer_balances_replace,
    cache::late_messages_revive_nothing,
    cache::the_position_only_grows,
    cache::nothing_is_held_without_a_position,
    cache::what_is_behind_its_follower_forgets,
    cache::a_later_epoch_starts_empty,
    cache::the_last_moment_noted_is_told,
];

/// What every [`EventBus`] must pass.
pub const BUS_CHECKS: &[Check<dyn EventBus>] = checks![
    bus::records_are_fetched_in_order,
    bus::what_was_published_is_skipped,
    bus::a_follower_is_woken,
    bus::what_is_cleared_is_published_anew,
];

/// What every [`Leases`] must pass.
pub const LEASE_CHECKS: &[Check<dyn Leases>] =
    checks![leases::a_lease_has_one_holder, leases::a_lease_given_back_is_free, leases::a_lease_ends_by_itself];

/// What every [`RateLimiter`] must pass.
pub const LIMITER_CHECKS: &[Check<dyn RateLimiter>] = checks![
    limits::a_bucket_gives_what_it_holds,
    limits::a_take_of_nothing_asks_whether_something_is_there,
    limits::several_buckets_give_all_or_nothing,
    limits::what_happened_already_is_charged_and_may_be_owed,
    limits::racing_takes_give_no_more_than_there_is,
];
