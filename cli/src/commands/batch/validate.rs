//! The whole-file check, and what of it people and programs see.

use std::sync::Arc;

use serde::Serialize;
use wallet_core::money::Quantity;

use super::{
    assets, of_io, open,
    options::{Limits, Validate},
};
use crate::{
    CliError, Context,
    batch::{
        check::{Checked, Format, check},
        faults::Fault,
        input::Source,
        row::Known,
    },
    output::{Cell, Meta, Record},
};

impl Record for Fault {
    const COLUMNS: &'static [&'static str] = &["line", "column", "message"];

    fn cell(&self, column: &str) -> Cell<'_> {
        match column {
            "line" => Cell::Int(self.line),
            "column" => Cell::Int(self.column as u64),
            "message" => Cell::text(&self.message),
            _ => Cell::None,
        }
    }
}

/// What a good file would move, one row an asset.
#[derive(Serialize)]
pub(super) struct TotalView {
    asset: String,
    rows: u64,
    amount: String,
    deposits: String,
    withdrawals: String,
    transfers: String,
}

impl Record for TotalView {
    const COLUMNS: &'static [&'static str] = &["asset", "rows", "amount", "deposits", "withdrawals", "transfers"];

    fn cell(&self, column: &str) -> Cell<'_> {
        match column {
            "asset" => Cell::text(&self.asset),
            "rows" => Cell::Int(self.rows),
            "amount" => Cell::Amount(&self.amount),
            "deposits" => Cell::Amount(&self.deposits),
            "withdrawals" => Cell::Amount(&self.withdrawals),
            "transfers" => Cell::Amount(&self.transfers),
            _ => Cell::None,
        }
    }
}

impl TotalView {
    pub(super) fn asset(&self) -> &str {
        &self.asset
    }

    pub(super) fn rows(&self) -> u64 {
        self.rows
    }
}

/// The totals of a file.
pub(super) fn totals(checked: &Checked) -> Vec<TotalView> {
    let view = |(asset, total): (&wallet_core::asset::AssetCode, &crate::batch::check::Total)| {
        let scale = total.amount.scale();
        let text = |mut amount: rust_decimal::Decimal| {
            amount.rescale(scale);
            amount.to_string()
        };
        TotalView {
            asset: asset.to_string(),
            rows: total.rows,
            amount: text(total.amount),
            deposits: text(total.deposits),
            withdrawals: text(total.withdrawals),
            transfers: text(total.transfers),
        }
    };
    checked.totals.iter().map(view).collect()
}

pub(super) async fn validate(ctx: &Context, args: Validate) -> Result<(), CliError> {
    ctx.out().check::<TotalView>()?;
    let (source, format) = open(&args.file)?;
    // The file is checked with or without the daemon: only registered assets need it.
    let known = assets(ctx).await.map_or_else(|_| Known::built_in(), |(known, _)| known);
    let (checked, _) = checked(ctx, &source, format, known, &args.limits)?;
    if checked.unknown_assets {
        ctx.prompt.note("note: the daemon does not answer, so assets beyond ISO 4217 were not looked up");
    }
    let mut rows = ctx.out().rows::<TotalView>("batch.validate")?;
    for total in totals(&checked) {
        rows.row(&total)?;
    }
    rows.foot(format!("{}: {} rows, no faults", source.name(), checked.rows));
    rows.finish(meta(&checked))
}

pub(super) fn meta(checked: &Checked) -> Meta {
    Meta::new().with("sha256", &checked.sha256).with("batch_rows", &checked.rows)
}

/// Checks a file; its faults are the result if there are any.
pub(super) fn checked(
    ctx: &Context,
    source: &Arc<Source>,
    format: Format,
    mut known: Known,
    limits: &Limits,
) -> Result<(Checked, Known), CliError> {
    let checked = check(source, format, &mut known).map_err(|error| of_io(source.name(), &error))?;
    let count = checked.faults.count();
    if count > 0 {
        let mut rows = ctx.out().rows::<Fault>("batch.faults")?;
        for fault in checked.faults.first() {
            rows.row(fault)?;
        }
        rows.finish(meta(&checked).with("faults", &count))?;
        let first = checked.faults.first().next().map_or_else(String::new, ToString::to_string);
        let message = match count {
            1 => format!("{}:{first}", source.name()),
            _ => format!("{}: {count} faults, the first at {first}", source.name()),
        };
        return Err(
            CliError::new("invalid_request", message).hint("Put the file right and run it again. Nothing was sent.")
        );
    }
    for (asset, most) in &limits.max_total {
        let total = checked.totals.get(asset).map(|total| total.amount).unwrap_or_default();
        if total > decimal(*most)? {
            return Err(CliError::usage(format!("{}: {asset} adds up to {total}, more than {most}", source.name()))
                .hint("Raise --max-total, or split the file. Nothing was sent."));
        }
    }
    Ok((checked, known))
}

fn decimal(quantity: Quantity) -> Result<rust_decimal::Decimal, CliError> {
    quantity.to_string().parse().map_err(|error| CliError::new("internal", format!("{error}")))
}
