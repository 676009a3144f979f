//! Streams in constant memory, from one cut: balances of all wallets, and the journal.

use std::{fmt::Write as _, sync::Arc};

use axum::{
    body::Body,
    extract::State,
    http::{HeaderValue, header},
    response::Response,
};
use bytes::Bytes;
use tokio::sync::mpsc;
use tokio_stream::{StreamExt as _, wrappers::ReceiverStream};
use wallet_api::types::{BalanceRow, JournalLine, JournalQuery, ReportQuery};
use wallet_core::{
    account::Account,
    asset::AssetCode,
    cut::Cut,
    money::Balance,
    time::calendar::{Bound, Point},
};

use super::{
    super::{Services, context::Context, extract::Params, fault::Fault},
    read,
};
use crate::services::{ServiceError, balances::Range, moments::Moments};

/// Wallets read at a time.
const WALLETS_PAGE: usize = 500;
/// Balances asked for at a time, and so lines between two looks at the client: of wallets with many points each, fewer
/// wallets. A line is about a hundred bytes.
const BALANCES: usize = 1_000;
/// Records read at a time.
const RECORDS_PAGE: usize = 1_000;
/// Pages that may wait for a slow client.
const PAGES_AHEAD: usize = 2;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Format {
    Ndjson,
    Csv,
}

type Page = Result<Bytes, ServiceError>;

fn stream(pages: mpsc::Receiver<Page>, kind: &'static str, cut: Cut, at: Option<String>) -> Response {
    // An error in the middle breaks the chunked body: the client sees a failure, never a short report.
    let body = Body::from_stream(
        ReceiverStream::new(pages).map(|page| page.inspect_err(|error| tracing::error!(%error, "a stream broke off"))),
    );
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    let cut = format!("{},{},{},{}", cut.epoch, cut.seq, cut.recorded_at, cut.hash);
    for (name, value) in [("wallet-cut", Some(cut)), ("wallet-at", at)] {
        if let Some(value) = value.and_then(|value| HeaderValue::try_from(value).ok()) {
            headers.insert(name, value);
        }
    }
    response
}

/// Balances of all wallets at a moment, or at the closes of periods; one line each, by wallet.
#[utoipa::path(get, path = "/v1/reports/balances", tag = "reports", params(ReportQuery),
    responses((status = 200, body = BalanceRow, content_type = "application/x-ndjson")))]
pub(super) async fn balances(
    State(services): State<Arc<Services>>,
    _: Context,
    Params(query): Params<ReportQuery>,
) -> Result<Response, Fault> {
    let format = match query.format.as_deref() {
        None | Some("ndjson") => Format::Ndjson,
        Some("csv") => Format::Csv,
        Some(_) => return Err(Fault::invalid("format: must be ndjson or csv")),
    };
    let asset: Option<AssetCode> = services.assets.known(read("asset", query.asset.as_deref())?).await?;
    let (points, cut) = points(&services, &query).await?;
    let at = points.last().map(|point| point.at.to_string());
    let (sender, receiver) = mpsc::channel(PAGES_AHEAD);
    let kind = if format == Format::Csv { "text/csv; charset=utf-8" } else { "application/x-ndjson" };
    let report = Report { services, points, cut, asset, format, ranged: query.every.is_some() };
    // The task ends with its client: sending fails once the body is dropped.
    tokio::spawn(report.run(sender));
    Ok(stream(receiver, kind, cut, at))
}

async fn points(services: &Services, query: &ReportQuery) -> Result<(Vec<Point>, Cut), Fault> {
    let (known_at, tz) = (query.known_at.as_deref(), query.tz.as_deref());
    match (query.from.as_deref(), query.every.as_deref()) {
        (Some(from), Some(every)) if query.at.is_none() => {
            let range = Range { from, to: query.to.as_deref(), every, known_at, tz };
            let resolved = services.balances.resolve(&range).await?;
            Ok((resolved.points, resolved.cut))
        }
        (None, None) if query.to.is_none() => {
            let zone = Moments::zone(tz)?;
            let moments = &services.balances.moments;
            let present = moments.present().await?;
            let cut = moments.cut(&present, known_at, &zone).await?;
            let at = present.instant(query.at.as_deref(), Bound::Close, &zone)?;
            Ok((vec![Point { at, partial: false }], cut))
        }
        _ => Err(Fault::invalid("give either `at`, or `from` and `every` (and `to`)")),
    }
}

/// Why a report does not go on.
enum Broken {
    Store(ServiceError),
    /// Nobody reads it any more.
    Client,
}

impl From<ServiceError> for Broken {
    fn from(error: ServiceError) -> Self {
        Self::Store(error)
    }
}

struct Report {
    services: Arc<Services>,
    points: Vec<Point>,
    cut: Cut,
    asset: Option<AssetCode>,
    format: Format,
    ranged: bool,
}

impl Report {
    async fn run(self, sender: mpsc::Sender<Page>) {
        if let Err(Broken::Store(error)) = self.send(&sender).await {
            drop(sender.send(Err(error)).await);
        }
    }

    async fn send(&self, sender: &mpsc::Sender<Page>) -> Result<(), Broken> {
        let times: Vec<_> = self.points.iter().map(|point| point.at).collect();
        let mut text = String::new();
        if self.format == Format::Csv {
            text.push_str(if self.ranged {
                "wallet,asset,balance,at,opened,seq,partial\n"
            } else {
                "wallet,asset,balance,at,opened,seq\n"
            });
        }
        let balances = &self.services.balances;
        let mut after = None;
        loop {
            let (mut accounts, next) = balances.page(after.as_ref(), WALLETS_PAGE, self.cut).await?;
            accounts.retain(|account| self.asset.is_none_or(|asset| asset == account.asset));
            for some in accounts.chunks((BALANCES / times.len().max(1)).max(1)) {
                let rows = balances.of_each(some, &times, self.cut).await?;
                for (account, row) in some.iter().zip(&rows) {
                    self.write(account, row, &mut text);
                }
                let page = Bytes::from(std::mem::take(&mut text));
                sender.send(Ok(page)).await.map_err(|_| Broken::Client)?;
            }
            // Reading is short and never waits where the ledger is embedded: let others run between two pages.
            tokio::task::yield_now().await;
            match next {
                Some(next) => after = Some(next),
                None => break,
            }
        }
        // The heading of a report without wallets.
        if !text.is_empty() {
            sender.send(Ok(text.into())).await.map_err(|_| Broken::Client)?;
        }
        Ok(())
    }

    /// An account's balances at the points, a line each.
    fn write(&self, account: &Account, balances: &[Balance], text: &mut String) {
        for (balance, point) in balances.iter().zip(&self.points) {
            self.write_line(account, *balance, *point, text);
        }
    }

    /// Ids, assets, numbers and times need no quoting in either format.
    fn write_line(&self, account: &Account, balance: Balance, point: Point, text: &mut String) {
        let Account { id, asset, opened_at, .. } = account;
        let (Point { at, partial }, seq) = (point, self.cut.seq);
        let opened = *opened_at <= at;
        // Writing to a string cannot fail.
        let _ = match self.format {
            Format::Csv if self.ranged => writeln!(text, "{id},{asset},{balance},{at},{opened},{seq},{partial}"),
            Format::Csv => writeln!(text, "{id},{asset},{balance},{at},{opened},{seq}"),
            Format::Ndjson => {
                let partial = if partial { r#","partial":true"# } else { "" };
                writeln!(
                    text,
                    r#"{{"wallet":"{id}","asset":"{asset}","balance":"{balance}","at":"{at}","opened":{opened},"seq":{seq}{partial}}}"#
                )
            }
        };
    }
}

/// The journal's records, in order, as they are.
#[utoipa::path(get, path = "/v1/journal", tag = "reports", params(JournalQuery),
    responses((status = 200, body = JournalLine, content_type = "application/x-ndjson")))]
pub(super) async fn journal(
    State(services): State<Arc<Services>>,
    _: Context,
    Params(query): Params<JournalQuery>,
) -> Result<Response, Fault> {
    let cut = match query.to {
        Some(to) => services.status.cut_at(to).await?,
        None => services.status.head().await?,
    };
    let (sender, receiver) = mpsc::channel(PAGES_AHEAD);
    tokio::spawn(send_journal(services, query.after, cut.seq, sender));
    Ok(stream(receiver, "application/x-ndjson", cut, None))
}

async fn send_journal(services: Arc<Services>, mut after: u64, to: u64, sender: mpsc::Sender<Page>) {
    while after < to {
        let page = journal_page(&services, after, to).await;
        match &page {
            Ok((_, last)) => after = *last,
            Err(_) => after = to,
        }
        if sender.send(page.map(|(bytes, _)| bytes)).await.is_err() {
            return;
        }
    }
}

async fn journal_page(services: &Services, after: u64, to: u64) -> Result<(Bytes, u64), ServiceError> {
    let records = services.status.records(after, RECORDS_PAGE).await?;
    let mut bytes = Vec::with_capacity(records.len() * 900);
    let mut last = after;
    for stored in records.iter().take_while(|stored| stored.record.seq <= to) {
        last = stored.record.seq;
        let line = JournalLine {
            seq: last,
            hash: stored.hash.to_string(),
            record: String::from_utf8_lossy(&stored.bytes).into_owned(),
        };
        // Writing to memory cannot fail.
        let _ = serde_json::to_writer(&mut bytes, &line);
        bytes.push(b'\n');
    }
    if last == after {
        return Err(
            wallet_core::ports::StoreError::corrupt("ledger", format!("record {} is missing", after + 1)).into()
        );
    }
    Ok((bytes.into(), last))
}
