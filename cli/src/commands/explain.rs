//! `walletctl explain`.

use clap::Args;
use serde::Serialize;
use wallet_api::problem::CODES;

use crate::{
    context::Context,
    error::CliError,
    output::{Cell, Meta, Record},
};

/// Explain an error code, or the codes of an exit code, or list them all
#[derive(Args)]
#[command(after_help = "Examples:
  walletctl explain insufficient_funds
  walletctl explain 75
  walletctl explain -o csv")]
pub struct Explain {
    /// The code, or the exit code of a command
    code: Option<String>,
}

#[derive(Serialize)]
struct Row {
    code: &'static str,
    exit: u8,
    status: u16,
    retryable: bool,
    title: &'static str,
    advice: &'static str,
}

impl Record for Row {
    const COLUMNS: &'static [&'static str] = &["code", "exit", "status", "retryable", "title"];
    const TABLE: &'static [&'static str] = &["code", "exit", "title"];
    const MORE: &'static [&'static str] = &["advice"];

    fn cell(&self, column: &str) -> Cell<'_> {
        match column {
            "code" => Cell::text(self.code),
            "exit" => Cell::Int(self.exit.into()),
            "status" if self.status == 0 => Cell::None,
            "status" => Cell::Int(self.status.into()),
            "retryable" => Cell::Bool(self.retryable),
            "title" => Cell::text(self.title),
            "advice" => Cell::text(self.advice),
            _ => Cell::None,
        }
    }
}

/// Explains.
pub fn explain(ctx: &Context, args: Explain) -> Result<(), CliError> {
    let rows: Vec<Row> = CODES
        .iter()
        .map(|row| Row {
            code: row.code,
            exit: row.exit,
            status: row.status,
            retryable: row.retryable,
            title: row.title,
            advice: row.advice,
        })
        .collect();
    let Some(code) = args.code else { return ctx.out().list("codes", &rows, Meta::new()) };
    if let Ok(exit) = code.parse::<u8>() {
        let rows: Vec<_> = rows.into_iter().filter(|row| row.exit == exit).collect();
        if rows.is_empty() {
            return Err(CliError::new("not_found", format!("no error ends with {exit}"))
                .hint("walletctl explain lists all codes with their exit codes."));
        }
        return ctx.out().list("codes", &rows, Meta::new());
    }
    let found = rows.iter().find(|row| row.code == code).ok_or_else(|| {
        CliError::new("not_found", format!("there is no code {code}")).hint("walletctl explain lists them all.")
    })?;
    ctx.out().one("code", found, Meta::new())
}
