//! Lists in pages: `--limit 50` by default, `--all` in constant memory.

use clap::Args;
use wallet_api::client::Answer;

use crate::{
    context::Context,
    error::CliError,
    output::{Format, Meta, Record, Rows},
};

/// How many are shown when nobody says.
const USUAL: usize = 50;
/// The daemon's largest page.
pub const PAGE: usize = 1_000;

/// Flags of every list.
#[derive(Args, Clone, Copy, Debug)]
pub struct Paging {
    /// At most so many
    #[arg(long, default_value_t = USUAL, conflicts_with = "all")]
    pub limit: usize,
    /// All of them
    #[arg(long)]
    pub all: bool,
}

/// One page, and where the next one starts.
pub struct Page<R> {
    /// Its rows.
    pub rows: Vec<R>,
    /// The cursor of the next page; none on the last.
    pub next: Option<String>,
}

impl Paging {
    /// Says that a list was cut off; json says so in its meta.
    pub fn cut_off(ctx: &Context) {
        if ctx.out().format() != Format::Json {
            ctx.prompt.notice("there are more: --all, or a larger --limit");
        }
    }

    /// Asks for page after page and shows their rows. `ask` is given a cursor and a page's size;
    /// `done` may add to the last page's meta and to the table's foot.
    pub async fn show<R: Record, T>(
        self,
        ctx: &Context,
        schema: &str,
        ask: impl AsyncFn(Option<String>, usize) -> Result<Answer<T>, CliError>,
        page: impl Fn(&mut T) -> Page<R>,
        done: impl FnOnce(&Answer<T>, &mut Rows<R>, Meta) -> Meta,
    ) -> Result<(), CliError> {
        let mut rows = ctx.out().rows::<R>(schema)?;
        let mut left = if self.all { usize::MAX } else { self.limit };
        let mut after = None;
        loop {
            let mut answer = ask(after.take(), left.clamp(1, PAGE)).await?;
            let Page { rows: found, next } = page(&mut answer.body);
            for row in found.iter().take(left) {
                rows.row(row)?;
            }
            left = left.saturating_sub(found.len());
            after = next.filter(|_| !found.is_empty());
            if left == 0 || after.is_none() {
                let meta = done(&answer, &mut rows, Meta::of(&answer).with("next", &after));
                rows.finish(meta)?;
                if after.is_some() {
                    Self::cut_off(ctx);
                }
                return Ok(());
            }
        }
    }
}
