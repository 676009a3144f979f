//! The audit trail, and proof that nothing was changed.

use std::sync::Arc;

use axum::{Json, extract::State};
use wallet_api::types::{AuditFilter, AuditList, AuditRecord, Check, Verification, VerifyRequest};
use wallet_core::{
    cut::Hash,
    journal::{Event, Stored},
    ports::AuditQuery,
};

use super::{
    super::{
        Services,
        context::Context,
        extract::{Body, Params},
        fault::Fault,
        views,
    },
    limit, read,
};
use crate::services::{audit::Wish, moments::Moments};

/// List records of the audit trail, newest first.
#[utoipa::path(get, path = "/v1/audit/records", tag = "audit", params(AuditFilter),
    responses((status = 200, body = AuditList)))]
pub(super) async fn list(
    State(services): State<Arc<Services>>,
    _: Context,
    Params(filter): Params<AuditFilter>,
) -> Result<Json<AuditList>, Fault> {
    let zone = Moments::zone(filter.tz.as_deref())?;
    let moments = &services.balances.moments;
    let (from, to) = moments.bounds(filter.from.as_deref(), filter.to.as_deref(), &zone).await?;
    let query = AuditQuery {
        actor: read("actor", filter.actor.as_deref())?,
        wallet: read("wallet", filter.wallet.as_deref())?,
        kind: filter.kind.map(kind).transpose()?,
        request: read("request", filter.request.as_deref())?,
        from,
        to,
        before: read("after", filter.after.as_deref())?,
        limit: limit(filter.limit)?,
    };
    let page = services.audit.list(&query).await?;
    let next = page.items.last().filter(|_| page.more).map(|last| last.record.seq.to_string());
    Ok(Json(AuditList { records: page.items.iter().map(|stored| view(stored)).collect(), next }))
}

/// A kind that there is: a slip of the pen is no empty trail.
fn kind(text: String) -> Result<String, Fault> {
    if Event::KINDS.contains(&text.as_str()) {
        return Ok(text);
    }
    Err(Fault::invalid(format!("kind: must be one of {}", Event::KINDS.join(", "))))
}

fn view(stored: &Stored) -> AuditRecord {
    let record = &stored.record;
    AuditRecord {
        seq: record.seq,
        kind: record.event.kind().into(),
        actor: record.actor.to_string(),
        recorded_at: record.recorded_at.to_string(),
        wallets: record.event.wallets().map(ToString::to_string).collect(),
        request_id: record.request.as_ref().map(ToString::to_string),
        hash: stored.hash.to_string(),
        record: serde_json::from_slice(&stored.bytes).unwrap_or_default(),
    }
}

/// Verify the journal, the accounts and the audit trail, and a cut that was written down.
#[utoipa::path(post, path = "/v1/audit/verify", tag = "audit", request_body = VerifyRequest,
    responses((status = 200, body = Verification)))]
pub(super) async fn verify(
    State(services): State<Arc<Services>>,
    _: Context,
    Body(body): Body<VerifyRequest>,
) -> Result<Json<Verification>, Fault> {
    let wish = Wish { cut: body.cut.as_deref().map(written_down).transpose()?, stores: body.stores };
    // The edge sets it no time limit, and it ends when its client leaves.
    let found = services.audit.verify(wish).await?;
    let checks = found.checks.iter().map(|check| Check {
        name: check.name.into(),
        ok: check.fault.is_none(),
        count: check.count,
        detail: check.detail.clone(),
    });
    let checks: Vec<_> = checks.collect();
    Ok(Json(Verification {
        ok: checks.iter().all(|check| check.ok),
        checks,
        cut: views::cut(found.cut),
        took_ms: u64::try_from(found.took.as_millis()).unwrap_or(u64::MAX),
    }))
}

fn written_down(text: &str) -> Result<(u64, Hash), Fault> {
    let wrong = || Fault::invalid("cut: must be SEQ:HASH, for example from `walletctl daemon status`");
    let (seq, hash) = text.split_once(':').ok_or_else(wrong)?;
    Ok((seq.parse().map_err(|_| wrong())?, hash.parse().map_err(|_| wrong())?))
}
