//! Turning what callers write about time into instants and cuts.

use std::sync::Arc;

use wallet_core::{
    cut::Cut,
    ports::{Clock, Known, LedgerStore},
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

/// What is there when a question comes: all of its moments are resolved against this one state, asked for once.
#[derive(Clone, Copy, Debug)]
pub struct Present {
    /// The ledger's head.
    pub head: Cut,
    /// The clock, but never before the last record, so that acknowledged money is in the present.
    pub now: Timestamp,
}

impl Present {
    /// The instant written, or now.
    pub fn instant(&self, text: Option<&str>, bound: Bound, zone: &Zone) -> Result<Timestamp, ServiceError> {
        match text {
            Some(text) => Ok(text.parse::<Moment>()?.resolve(bound, zone, self.now)?),
            None => Ok(self.now),
        }
    }
}

/// What a moment and a cut, as written, ask for while `now` is the present. The moment is none if none is written.
pub fn asked(
    at: Option<&str>,
    known_at: Option<&str>,
    zone: &Zone,
    now: Timestamp,
) -> Result<(Option<Timestamp>, Known), ServiceError> {
    let known = known_at.map_or(Ok(Known::Head), |text| known(text, zone, now))?;
    let at =
        at.map(|text| Ok::<_, ServiceError>(text.parse::<Moment>()?.resolve(Bound::Close, zone, now)?)).transpose()?;
    Ok((at, known))
}

/// A cut written as a seq, a date or an instant.
fn known(text: &str, zone: &Zone, now: Timestamp) -> Result<Known, ServiceError> {
    if !text.is_empty() && text.len() < 20 && text.bytes().all(|b| b.is_ascii_digit()) {
        return Ok(Known::At(text.parse().unwrap_or(u64::MAX)));
    }
    Ok(Known::By(text.parse::<Moment>()?.resolve(Bound::Close, zone, now)?))
}

/// Nobody knows a record that is not there yet.
pub fn there(seq: u64, head: Cut) -> Result<(), ServiceError> {
    if seq > head.seq {
        let detail = format!("record {seq} is not there yet: the last one is {}", head.seq);
        return Err(ServiceError::invalid("invalid_time", detail));
    }
    Ok(())
}

impl Moments {
    /// Over this ledger and clock.
    pub fn new(ledger: Arc<dyn LedgerStore>, clock: Arc<dyn Clock>) -> Self {
        Self { ledger, clock }
    }

    /// What is there now.
    pub async fn present(&self) -> Result<Present, ServiceError> {
        let head = self.ledger.head().await?;
        Ok(Present { head, now: self.clock.now().max(head.recorded_at) })
    }

    /// The zone named, or UTC.
    pub fn zone(tz: Option<&str>) -> Result<Zone, ServiceError> {
        Ok(tz.map_or_else(|| Ok(Zone::utc()), str::parse)?)
    }

    /// The bounds of a listing: a date's start for the first, its close for the second; none stays none.
    pub async fn bounds(
        &self,
        from: Option<&str>,
        to: Option<&str>,
        zone: &Zone,
    ) -> Result<(Option<Timestamp>, Option<Timestamp>), ServiceError> {
        if from.is_none() && to.is_none() {
            return Ok((None, None));
        }
        let present = self.present().await?;
        let from = from.map(|from| present.instant(Some(from), Bound::Start, zone)).transpose()?;
        let to = to.map(|to| present.instant(Some(to), Bound::Close, zone)).transpose()?;
        Ok((from, to))
    }

    /// The cut written as a seq, a date or an instant; or the head.
    pub async fn cut(&self, present: &Present, known_at: Option<&str>, zone: &Zone) -> Result<Cut, ServiceError> {
        let Some(text) = known_at else {
            return Ok(present.head);
        };
        match known(text, zone, present.now)? {
            Known::Head => Ok(present.head),
            Known::At(seq) => {
                there(seq, present.head)?;
                Ok(self.ledger.cut_at(seq).await?)
            }
            Known::By(time) => Ok(self.ledger.cut_at_time(time).await?),
        }
    }
}
