//! Wallets: opening, listing, life cycle, limits.

use std::sync::Arc;

use axum::{Json, extract::State};
use wallet_api::{
    problem::Problem,
    types::{
        BatchResult, Because, CreateWallet, DryRun, ImportWallets, Posted, SetLimit, WalletFilter, WalletList,
        WalletView,
    },
};
use wallet_core::{
    account::{Overdraft, Status},
    command::{self, Action, Command, MAX_COMMANDS, Mode, OpenWallet, Request, SetStatus, StatusChange},
    ids::{Owner, WalletId},
    journal::{Event, WalletOpened},
    key::ScopedKey,
    money::Balance,
    outcome::Outcome,
    ports::{WalletQuery, WalletRow, WalletState},
};

use super::{
    super::{
        Services,
        context::Context,
        document::{NotFound, Refusals},
        extract::{Body, Id, Params},
        fault::Fault,
        views,
    },
    limit, read,
};
use crate::services::ServiceError;

type Written = Result<Json<Posted<WalletView>>, Fault>;

fn view(row: &WalletRow, balance: Option<Balance>) -> WalletView {
    WalletView {
        id: row.id.to_string(),
        owner: row.owner.to_string(),
        asset: row.asset.to_string(),
        status: row.state.as_str().into(),
        overdraft: row.overdraft.clone(),
        opened_at: row.opened_at.to_string(),
        label: row.label.to_string(),
        meta: views::meta(&row.meta),
        balance: balance.map(|balance| balance.to_string()),
        seq: row.seq,
    }
}

/// What a wallet would be: only in a dry run.
fn planned(opened: &WalletOpened, seq: u64) -> WalletView {
    WalletView {
        id: opened.id.to_string(),
        owner: opened.owner.to_string(),
        asset: opened.asset.code.to_string(),
        status: Status::Active.as_str().into(),
        overdraft: opened.floor.to_string(),
        opened_at: opened.opened_at.to_string(),
        label: opened.label.to_string(),
        meta: views::meta(&opened.meta),
        balance: Some(Balance::zero(opened.asset.scale).to_string()),
        seq,
    }
}

async fn shown(services: &Services, id: &WalletId) -> Result<WalletView, Fault> {
    let found = services.wallets.show(id).await?.ok_or_else(|| ServiceError::unknown_wallet(id))?;
    Ok(view(&found.row, found.balance))
}

/// List wallets by id. Status and limit are copies that follow the ledger; a single wallet shows the ledger's.
#[utoipa::path(get, path = "/v1/wallets", tag = "wallets", params(WalletFilter),
    responses((status = 200, body = WalletList)))]
pub(super) async fn list(
    State(services): State<Arc<Services>>,
    context: Context,
    Params(filter): Params<WalletFilter>,
) -> Result<Json<WalletList>, Fault> {
    let state = match filter.status.as_deref() {
        None => None,
        Some("opening") => Some(WalletState::Opening),
        Some(status) => read::<Status>("status", Some(status))?.map(WalletState::Open),
    };
    let asked: Option<Owner> = read("owner", filter.owner.as_deref())?;
    let owner = match (context.only, asked) {
        (Some(only), Some(asked)) if asked != only => return Ok(Json(WalletList { wallets: Vec::new(), next: None })),
        (Some(only), _) => Some(only),
        (None, asked) => asked,
    };
    let query = WalletQuery {
        owner,
        asset: services.assets.known(read("asset", filter.asset.as_deref())?).await?,
        state,
        after: read("after", filter.after.as_deref())?,
        limit: limit(filter.limit)?,
    };
    let page = services.wallets.list(&query).await?;
    let next = page.items.last().filter(|_| page.more).map(|last| last.id.to_string());
    Ok(Json(WalletList { wallets: page.items.iter().map(|row| view(row, None)).collect(), next }))
}

fn opening(body: CreateWallet, id: WalletId) -> Action {
    const NO_OVERDRAFT: &str = "0";
    let none = || NO_OVERDRAFT.parse().unwrap_or(Overdraft::Unlimited);
    Action::OpenWallet(OpenWallet {
        id,
        owner: body.owner,
        asset: body.asset,
        overdraft: body.overdraft.unwrap_or_else(none),
        opened_at: body.opened_at,
        label: body.label,
        meta: body.meta,
    })
}

/// Open a wallet.
#[utoipa::path(post, path = "/v1/wallets", tag = "wallets", request_body = CreateWallet, params(("Idempotency-Key" = String, Header,), DryRun),
    responses((status = 200, body = Posted<WalletView>), Refusals))]
pub(super) async fn create(
    State(services): State<Arc<Services>>,
    context: Context,
    Params(how): Params<DryRun>,
    Body(body): Body<CreateWallet>,
) -> Written {
    context.may_backdate(body.opened_at.is_some())?;
    let key = context.write_key()?;
    let id = match &body.id {
        Some(id) => id.clone(),
        None => made_id(&services, &key).await?,
    };
    let command = Command { key, action: opening(body, id) };
    let request = context.request(Mode::Continue, vec![command]);
    if !how.dry_run {
        let outcome = views::single(services.wallets.open(request).await.map_err(ServiceError::from)?)?;
        let id = outcome.record().and_then(|stored| stored.record.event.wallets().next().cloned());
        let id = id.ok_or_else(|| Fault::from(Problem::new("internal", "the command opened no wallet")))?;
        return Ok(Json(views::posted(&outcome, false, shown(&services, &id).await?)));
    }
    let outcome = views::single(services.wallets.preview(request).await.map_err(ServiceError::from)?)?;
    match outcome.record().map(|stored| (&stored.record.event, stored.record.seq)) {
        Some((Event::WalletOpened(opened), seq)) => Ok(Json(views::posted(&outcome, true, planned(opened, seq)))),
        _ => Err(Problem::new("internal", "the command opens no wallet").into()),
    }
}

/// An id for a caller that gave none: the one its key made before, or a new one.
async fn made_id(services: &Services, key: &ScopedKey) -> Result<WalletId, Fault> {
    let known = services.wallets.opened_by(key).await?;
    Ok(known.unwrap_or_else(|| services.wallets.new_id()))
}

/// Open many wallets; each has the key `import:ID`, so a repeat replays.
#[utoipa::path(post, path = "/v1/wallets/import", tag = "wallets", request_body = ImportWallets, params(DryRun),
    responses((status = 200, body = BatchResult), Refusals))]
pub(super) async fn import(
    State(services): State<Arc<Services>>,
    context: Context,
    Params(how): Params<DryRun>,
    Body(body): Body<ImportWallets>,
) -> Result<Json<BatchResult>, Fault> {
    if body.wallets.len() > MAX_COMMANDS {
        return Err(Problem::new("too_large", format!("an import has at most {MAX_COMMANDS} wallets at a time")).into());
    }
    context.may_backdate(body.wallets.iter().any(|wallet| wallet.opened_at.is_some()))?;
    let commands: Result<Vec<_>, Fault> = body
        .wallets
        .into_iter()
        .enumerate()
        .map(|(index, wallet)| {
            let id =
                wallet.id.clone().ok_or_else(|| Fault::invalid(format!("wallets[{index}]: an import needs ids")))?;
            let key =
                format!("import:{id}").parse().map_err(|error| Fault::invalid(format!("wallets[{index}]: {error}")))?;
            Ok(Command { key: context.scoped(key), action: opening(wallet, id) })
        })
        .collect();
    let request = context.request(Mode::Continue, commands?);
    let answer =
        if how.dry_run { services.wallets.preview(request).await } else { services.wallets.open(request).await };
    Ok(Json(views::rows(answer.map_err(ServiceError::from)?)?))
}

/// Show a wallet: money, status and limit from the ledger.
#[utoipa::path(get, path = "/v1/wallets/{id}", tag = "wallets", params(("id" = String, Path,)),
    responses((status = 200, body = WalletView), NotFound))]
pub(super) async fn show(
    State(services): State<Arc<Services>>,
    context: Context,
    Id(id): Id<WalletId>,
) -> Result<Json<WalletView>, Fault> {
    services.wallets.reached(&id, context.only.as_ref()).await?;
    shown(&services, &id).await.map(Json)
}

/// Freeze a wallet: no money leaves it or enters it until it is unfrozen.
#[utoipa::path(post, path = "/v1/wallets/{id}/freeze", tag = "wallets", request_body = Because, params(("id" = String, Path,), ("Idempotency-Key" = String, Header,), DryRun),
    responses((status = 200, body = Posted<WalletView>), NotFound, Refusals))]
pub(super) async fn freeze(
    State(services): State<Arc<Services>>,
    context: Context,
    Id(id): Id<WalletId>,
    Params(how): Params<DryRun>,
    Body(body): Body<Because>,
) -> Written {
    set_status(&services, &context, how, SetStatus { wallet: id, change: StatusChange::Freeze, reason: body.reason })
        .await
}

/// Let money move again.
#[utoipa::path(post, path = "/v1/wallets/{id}/unfreeze", tag = "wallets", request_body = Because, params(("id" = String, Path,), ("Idempotency-Key" = String, Header,), DryRun),
    responses((status = 200, body = Posted<WalletView>), NotFound, Refusals))]
pub(super) async fn unfreeze(
    State(services): State<Arc<Services>>,
    context: Context,
    Id(id): Id<WalletId>,
    Params(how): Params<DryRun>,
    Body(body): Body<Because>,
) -> Written {
    set_status(&services, &context, how, SetStatus { wallet: id, change: StatusChange::Unfreeze, reason: body.reason })
        .await
}

/// Close an empty wallet, for ever.
#[utoipa::path(post, path = "/v1/wallets/{id}/close", tag = "wallets", request_body = Because, params(("id" = String, Path,), ("Idempotency-Key" = String, Header,), DryRun),
    responses((status = 200, body = Posted<WalletView>), NotFound, Refusals))]
pub(super) async fn close(
    State(services): State<Arc<Services>>,
    context: Context,
    Id(id): Id<WalletId>,
    Params(how): Params<DryRun>,
    Body(body): Body<Because>,
) -> Written {
    set_status(&services, &context, how, SetStatus { wallet: id, change: StatusChange::Close, reason: body.reason })
        .await
}

/// Change how far below zero a wallet may go.
#[utoipa::path(post, path = "/v1/wallets/{id}/limit", tag = "wallets", request_body = SetLimit, params(("id" = String, Path,), ("Idempotency-Key" = String, Header,), DryRun),
    responses((status = 200, body = Posted<WalletView>), NotFound, Refusals))]
pub(super) async fn set_limit(
    State(services): State<Arc<Services>>,
    context: Context,
    Id(id): Id<WalletId>,
    Params(how): Params<DryRun>,
    Body(body): Body<SetLimit>,
) -> Written {
    let set = command::SetLimit { wallet: id.clone(), overdraft: body.overdraft, reason: body.reason };
    let key = context.write_key()?;
    let request = context.request(Mode::Continue, vec![Command { key, action: Action::SetLimit(set) }]);
    change(&services, how, id, request).await
}

async fn set_status(services: &Services, context: &Context, how: DryRun, set: SetStatus) -> Written {
    let (id, key) = (set.wallet.clone(), context.write_key()?);
    let request = context.request(Mode::Continue, vec![Command { key, action: Action::SetStatus(set) }]);
    change(services, how, id, request).await
}

async fn change(services: &Services, how: DryRun, id: WalletId, request: Request) -> Written {
    let answer =
        if how.dry_run { services.wallets.preview(request).await } else { services.wallets.change(request).await };
    let outcome = views::single(answer.map_err(ServiceError::from)?)?;
    let mut wallet = shown(services, &id).await?;
    if how.dry_run
        && let Outcome::Ok(stored) = &outcome
    {
        match &stored.record.event {
            Event::StatusChanged { status, .. } => wallet.status = status.as_str().into(),
            Event::LimitChanged { floor, .. } => wallet.overdraft = floor.to_string(),
            _ => {}
        }
    }
    Ok(Json(views::posted(&outcome, how.dry_run, wallet)))
}
