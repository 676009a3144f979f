//! Turning what callers write about time into instants and cuts.

use std::sync::Arc;

use wallet_core::{
    cut::Cut,
    ports::{Clock, LedgerStore},
    time::{
        Timestamp,
        calendar::{Bound, Moment, Zone},
    },
};

use super::ServiceError;

/// Resolves moments against the clock and the ledger.
#[derive(Clone)]
pub struct Moments {
    ledger: Arc<dyn LedgerStore>,
    clock: Arc<dyn Clock>,
}

impl Moments {
    /// Over this ledger and clock.
    pub fn new(ledger: Arc<dyn LedgerStore>, clock: Arc<dyn Clock>) -> Self {
        Self { ledger, clock }
    }

    /// Now: the clock, but never before the last record, so that acknowledged money is in the present.
    pub async fn now(&self) -> Result<Timestamp, ServiceError> {
        Ok(self.clock.now().max(self.ledger.head().await?.recorded_at))
    }

    /// The zone named, or UTC.
    pub fn zone(tz: Option<&str>) -> Result<Zone, ServiceError> {
        Ok(tz.map_or_else(|| Ok(Zone::utc()), str::parse)?)
    }

    /// The instant written, or now.
    pub async fn instant(&self, text: Option<&str>, bound: Bound, zone: &Zone) -> Result<Timestamp, ServiceError> {
        let now = self.now().await?;
        match text {
            Some(text) => Ok(text.parse::<Moment>()?.resolve(bound, zone, now)?),
            None => Ok(now),
        }
    }

    /// The bounds of a listing: a date's start for the first, its close for the second; none stays none.
    pub async fn bounds(
        &self,
        from: Option<&str>,
        to: Option<&str>,
        zone: &Zone,
    ) -> Result<(Option<Timestamp>, Option<Timestamp>), ServiceError> {
        let from = match from {
            Some(from) => Some(self.instant(Some(from), Bound::Start, zone).await?),
            None => None,
        };
        let to = match to {
            Some(to) => Some(self.instant(Some(to), Bound::Close, zone).await?),
            None => None,
        };
        Ok((from, to))
    }

    /// The cut written as a seq, a date or an instant; or the head.
    pub async fn cut(&self, known_at: Option<&str>, zone: &Zone) -> Result<Cut, ServiceError> {
        let Some(text) = known_at else {
            return Ok(self.ledger.head().await?);
        };
        if !text.is_empty() && text.len() < 20 && text.bytes().all(|b| b.is_ascii_digit()) {
            let head = self.ledger.head().await?;
            let seq = text.parse().unwrap_or(u64::MAX);
            if seq > head.seq {
                let detail = format!("record {text} is not there yet: the last one is {}", head.seq);
                return Err(ServiceError::invalid("invalid_time", detail));
            }
            return Ok(self.ledger.cut_at(seq).await?);
        }
        let at = self.instant(Some(text), Bound::Close, zone).await?;
        Ok(self.ledger.cut_at_time(at).await?)
    }
}
