//! `batch report`: outcomes row by row, or the failed rows as a batch file.

use std::{
    io::{self, Write as _},
    path::Path,
    sync::Arc,
};

use serde::Serialize;

use super::{find_standing, of_results, options::Report};
use crate::{
    CliError, Context,
    batch::{
        check::Format,
        input::Source,
        outcomes::{ResultLine, is_committed, is_failed},
        results::View,
        sort::Sorter,
    },
    output::{Cell, Meta, Record},
};

/// A row's outcome, as it is shown.
#[derive(Serialize)]
struct Shown {
    line: u64,
    key: String,
    outcome: String,
    code: Option<String>,
    field: Option<String>,
    message: Option<String>,
    transaction: Option<String>,
    seq: Option<u64>,
}

impl Record for Shown {
    const COLUMNS: &'static [&'static str] =
        &["line", "key", "outcome", "code", "transaction", "seq", "field", "message"];
    const TABLE: &'static [&'static str] = &["line", "key", "outcome", "code", "transaction", "message"];

    fn cell(&self, column: &str) -> Cell<'_> {
        match column {
            "line" => Cell::Int(self.line),
            "key" => Cell::text(&self.key),
            "outcome" => Cell::text(&self.outcome),
            "code" => Cell::maybe(self.code.as_deref()),
            "field" => Cell::maybe(self.field.as_deref()),
            "message" => Cell::maybe(self.message.as_deref()),
            "transaction" => Cell::maybe(self.transaction.as_deref()),
            "seq" => Cell::maybe_int(self.seq),
            _ => Cell::None,
        }
    }
}

pub(super) async fn report(ctx: &Context, args: &Report) -> Result<(), CliError> {
    ctx.out().check::<Shown>()?;
    let (source, view) = find_standing(ctx, &args.file, args.results.as_deref()).await?;
    if let Some(out) = &args.out {
        return write_failed(ctx, &source, &view, out, args.force);
    }
    let mut rows = ctx.out().rows::<Shown>("batch.report")?;
    let mut failed = Ok(());
    view.each(|line| {
        if args.failed && !is_failed(&line.outcome) {
            return Ok(());
        }
        failed = rows.row(&shown(line));
        if failed.is_ok() { Ok(()) } else { Err(io::ErrorKind::BrokenPipe.into()) }
    })
    .or_else(|error| failed.and_then(|()| Err(of_results(&error))))?;
    rows.finish(Meta::new().with("batch", &view.binding.plan.sha256))
}

fn shown(line: &ResultLine<'_>) -> Shown {
    let text = |text: &Option<std::borrow::Cow<'_, str>>| text.as_ref().map(ToString::to_string);
    Shown {
        line: line.line,
        key: line.key.to_string(),
        outcome: line.outcome.to_string(),
        code: text(&line.code),
        field: text(&line.field),
        message: text(&line.message),
        transaction: text(&line.transaction),
        seq: line.seq,
    }
}

/// Writes the failed rows as they stand in the batch file, under its header, in file order.
fn write_failed(ctx: &Context, source: &Arc<Source>, view: &View, out: &Path, force: bool) -> Result<(), CliError> {
    let mut failed = Sorter::<8>::default();
    let mut not_judged = 0_u64;
    view.each(|line| {
        if is_failed(&line.outcome) {
            return failed.push(line.line.to_be_bytes());
        }
        not_judged += u64::from(!is_committed(&line.outcome));
        Ok(())
    })
    .map_err(|error| of_results(&error))?;
    let wrong = |error: io::Error| CliError::usage(format!("{}: {error}", out.display()));
    if !force && out.exists() {
        return Err(CliError::usage(format!("{} is there already", out.display())).hint("Add --force to replace it."));
    }
    let folder = out.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let temporary = tempfile::NamedTempFile::new_in(folder).map_err(wrong)?;
    let mut to = io::BufWriter::new(temporary);
    let mut written = 0_u64;
    let copy = || -> io::Result<()> {
        let mut failed = failed.finish()?;
        let mut wanted = failed.next_item()?.map(u64::from_be_bytes);
        let mut lines = source.lines();
        while let Some(line) = lines.next_line()? {
            let header = line.number == 1 && view.binding.plan.format == Format::Csv;
            if !header && Some(line.number) != wanted {
                continue;
            }
            to.write_all(line.bytes.unwrap_or_default())?;
            to.write_all(b"\n")?;
            if !header {
                written += 1;
                wanted = failed.next_item()?.map(u64::from_be_bytes);
            }
        }
        to.flush()?;
        to.get_ref().as_file().sync_all()
    };
    copy().map_err(wrong)?;
    let temporary = to.into_inner().map_err(|error| wrong(error.into_error()))?;
    temporary.persist(out).map_err(|error| wrong(error.error))?;
    if not_judged > 0 {
        ctx.prompt
            .note(&format!("{not_judged} rows were not judged and are not in it: walletctl batch resume sends them"));
    }
    let done = Written { file: out.display().to_string(), rows: written };
    ctx.out().one("batch.report_file", &done, Meta::new())
}

/// The file that was written.
#[derive(Serialize)]
struct Written {
    file: String,
    rows: u64,
}

impl Record for Written {
    const COLUMNS: &'static [&'static str] = &["file", "rows"];

    fn cell(&self, column: &str) -> Cell<'_> {
        match column {
            "file" => Cell::text(&self.file),
            "rows" => Cell::Int(self.rows),
            _ => Cell::None,
        }
    }
}
