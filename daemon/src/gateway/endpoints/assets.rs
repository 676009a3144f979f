//! Assets.

use std::sync::Arc;

use axum::{Json, extract::State};
use wallet_api::types::{AssetList, AssetView, DryRun, Posted, RegisterAsset};
use wallet_core::{
    asset::{Asset, MAX_SCALE},
    command::{Action, Command, Mode},
};

use super::super::{
    Services,
    context::Context,
    document::Refusals,
    extract::{Body, Params},
    fault::Fault,
    views,
};
use crate::services::commits::Commits as _;

/// List every asset the ledger knows.
#[utoipa::path(get, path = "/v1/assets", tag = "assets", responses((status = 200, body = AssetList)))]
pub(super) async fn list(State(services): State<Arc<Services>>, _: Context) -> Result<Json<AssetList>, Fault> {
    let found = services.assets.list().await?;
    let (ledger_id, epoch) = services.assets.ledger().await?;
    let assets = found
        .into_iter()
        .map(|(asset, built_in)| AssetView { code: asset.code, scale: asset.scale, built_in })
        .collect();
    Ok(Json(AssetList { assets, ledger_id, epoch }))
}

/// Make an asset known, for ever with this scale.
#[utoipa::path(post, path = "/v1/assets", tag = "assets", request_body = RegisterAsset, params(("Idempotency-Key" = String, Header,), DryRun),
    responses((status = 200, body = Posted<AssetView>), Refusals))]
pub(super) async fn register(
    State(services): State<Arc<Services>>,
    context: Context,
    Params(how): Params<DryRun>,
    Body(body): Body<RegisterAsset>,
) -> Result<Json<Posted<AssetView>>, Fault> {
    if body.scale > MAX_SCALE {
        return Err(Fault::invalid(format!("scale: must be 0 to {MAX_SCALE}")));
    }
    let asset = Asset { code: body.code, scale: body.scale };
    let command = Command { key: context.write_key()?, action: Action::RegisterAsset(asset) };
    let request = context.request(Mode::Continue, vec![command]);
    let answer = if how.dry_run {
        services.transactions.preview(request).await?
    } else {
        services.transactions.submit(request).await.map_err(crate::services::ServiceError::from)?
    };
    let outcome = views::single(answer)?;
    let view = AssetView { code: asset.code, scale: asset.scale, built_in: false };
    Ok(Json(views::posted(&outcome, how.dry_run, view)))
}
