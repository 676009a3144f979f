//! The endpoints, one file a topic.

mod admin;
mod assets;
mod audit;
mod balances;
mod batches;
mod identity;
pub(super) mod money;
mod reports;
mod status;
mod transactions;
mod wallets;

use std::sync::Arc;

use utoipa_axum::{router::OpenApiRouter, routes};

use super::Services;

/// Items of a page when the caller does not say.
const DEFAULT_LIMIT: usize = 50;
/// Most items of a page: an answer stays well below a megabyte.
const MAX_LIMIT: usize = 1_000;

fn limit(asked: Option<usize>) -> Result<usize, super::fault::Fault> {
    match asked {
        None => Ok(DEFAULT_LIMIT),
        Some(asked) if (1..=MAX_LIMIT).contains(&asked) => Ok(asked),
        Some(_) => Err(super::fault::Fault::invalid(format!("limit: must be 1 to {MAX_LIMIT}"))),
    }
}

/// Reads an optional text parameter, naming it where it is wrong.
fn read<T: std::str::FromStr<Err: std::fmt::Display>>(
    name: &str,
    text: Option<&str>,
) -> Result<Option<T>, super::fault::Fault> {
    text.map(|text| text.parse().map_err(|error: T::Err| super::fault::Fault::invalid(format!("{name}: {error}"))))
        .transpose()
}

/// What every daemon answers, whatever its roles.
pub(super) fn about_the_daemon() -> OpenApiRouter<Arc<Services>> {
    OpenApiRouter::new()
        .routes(routes!(status::health))
        .routes(routes!(status::ready))
        .routes(routes!(status::status))
        .routes(routes!(identity::metadata))
        .routes(routes!(identity::whoami))
        .routes(routes!(identity::can_i))
        .routes(routes!(admin::rebuild))
}

pub(super) fn router() -> OpenApiRouter<Arc<Services>> {
    about_the_daemon()
        .routes(routes!(status::totals))
        .routes(routes!(status::cut))
        .routes(routes!(assets::list, assets::register))
        .routes(routes!(wallets::list, wallets::create))
        .routes(routes!(wallets::import))
        .routes(routes!(wallets::show))
        .routes(routes!(wallets::freeze))
        .routes(routes!(wallets::unfreeze))
        .routes(routes!(wallets::close))
        .routes(routes!(wallets::set_limit))
        .routes(routes!(money::deposit))
        .routes(routes!(money::withdraw))
        .routes(routes!(money::transfer))
        .routes(routes!(batches::run))
        .routes(routes!(transactions::list))
        .routes(routes!(transactions::show))
        .routes(routes!(transactions::by_key))
        .routes(routes!(transactions::reverse))
        .routes(routes!(balances::balance))
        .routes(routes!(balances::history))
        .routes(routes!(balances::statement))
        .routes(routes!(reports::balances))
        .routes(routes!(reports::journal))
        .routes(routes!(audit::list))
        .routes(routes!(audit::verify))
}
