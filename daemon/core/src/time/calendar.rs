//! What people write about time, turned into instants: dates, zones, periods.
//!
//! A date stands for its close (the last microsecond of the day) where something ends, and for its
//! first existing instant where something starts. A local time that a zone skips or repeats is
//! refused, never guessed. The zone is always said, never the host's.

use std::{fmt, str::FromStr};

use jiff::{
    ToSpan,
    civil::{Date, DateTime},
    tz::{AmbiguousOffset, TimeZone},
};

use super::Timestamp;
use crate::text::TextError;

/// Most instants one report may have.
pub const MAX_POINTS: usize = 10_000;

/// Why a moment was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MomentError {
    /// Not a date, nor an instant with an offset.
    #[error("{0:?} is not a moment: write YYYY-MM-DD, or RFC 3339 with an offset such as 2026-01-31T23:59:59Z")]
    Syntax(String),
    /// A local time without an offset that the zone skips.
    #[error("{local} does not exist in {zone}: the clocks jumped over it; give an offset")]
    Gap {
        /// What was written.
        local: String,
        /// The zone.
        zone: String,
    },
    /// A local time without an offset that the zone has twice.
    #[error("{local} happened twice in {zone}: the clocks went back; give an offset, {first} or {second}")]
    Overlap {
        /// What was written.
        local: String,
        /// The zone.
        zone: String,
        /// The earlier offset.
        first: String,
        /// The later offset.
        second: String,
    },
    /// A date of which no time is kept.
    #[error("{date} is beyond the times that are kept, which end a day earlier in {zone}")]
    Beyond {
        /// What was written.
        date: String,
        /// The zone.
        zone: String,
    },
    /// A date that the zone skips.
    #[error("there was no {date} in {zone}: the calendar jumped over it; name the day before or after")]
    Skipped {
        /// What was written.
        date: String,
        /// The zone.
        zone: String,
    },
    /// After now.
    #[error("{0} is in the future: only what was is known")]
    Future(Timestamp),
    /// Not a zone of the IANA database.
    #[error("{0:?} is not a time zone: write an IANA name such as Europe/Lisbon, or UTC")]
    Zone(String),
    /// More instants than one report may have.
    #[error("the range has more than {MAX_POINTS} periods: choose a longer period or a shorter range")]
    TooMany,
    /// The range ends before it starts.
    #[error("the range ends ({to}) before it starts ({from})")]
    Backwards {
        /// Start.
        from: Timestamp,
        /// End.
        to: Timestamp,
    },
}

/// A time zone by its IANA name.
#[derive(Clone, Debug)]
pub struct Zone(TimeZone);

impl Zone {
    /// UTC.
    pub fn utc() -> Self {
        Self(TimeZone::UTC)
    }

    /// The date of an instant here.
    pub fn date(&self, at: Timestamp) -> Date {
        self.0.to_datetime(at.to_jiff()).date()
    }

    /// The first existing instant of a date here.
    pub fn start(&self, date: Date) -> Option<Timestamp> {
        date.to_zoned(self.0.clone()).ok().map(|zoned| Timestamp::from_jiff(zoned.timestamp()))
    }

    /// The last microsecond of a date here. A date that the zone skipped whole closes where the
    /// one before it does. None for a last date, whose close is beyond the times that are kept.
    pub fn close(&self, date: Date) -> Option<Timestamp> {
        self.start(date.tomorrow().ok()?).map(|start| start.plus_micros(-1))
    }

    /// False for a date that the zone skipped whole: where it should start, another has started already.
    pub fn has(&self, date: Date) -> bool {
        self.start(date).is_none_or(|start| self.date(start) == date)
    }
}

impl PartialEq for Zone {
    fn eq(&self, other: &Self) -> bool {
        self.to_string() == other.to_string()
    }
}

impl FromStr for Zone {
    type Err = MomentError;

    fn from_str(name: &str) -> Result<Self, MomentError> {
        if name == "UTC" || name == "Z" {
            return Ok(Self::utc());
        }
        TimeZone::get(name).map(Self).map_err(|_| MomentError::Zone(name.to_owned()))
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.iana_name().unwrap_or("UTC"))
    }
}

/// What somebody wrote for a moment, before a zone is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Moment {
    /// An instant, with its offset.
    Instant(Timestamp),
    /// A whole day.
    Date(Date),
    /// A local time without an offset. Good only where the zone has it exactly once.
    Local(DateTime),
}

impl FromStr for Moment {
    type Err = MomentError;

    fn from_str(text: &str) -> Result<Self, MomentError> {
        let wrong = || MomentError::Syntax(text.to_owned());
        let plain = text.is_ascii() && !text.contains(['[', '_', '+']) && !text.starts_with('-');
        if plain && text.len() == 10 {
            return text.parse().map(Self::Date).map_err(|_| wrong());
        }
        if let Ok(instant) = text.parse() {
            return Ok(Self::Instant(instant));
        }
        if plain && text.len() >= 19 && text.get(10..11) == Some("T") && !text.ends_with(['Z', 'z']) {
            if text.get(17..19) == Some("60") {
                return Err(wrong());
            }
            return text.parse().map(Self::Local).map_err(|_| wrong());
        }
        Err(wrong())
    }
}

/// Which end of a day a bare date stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// Its first existing instant (`--from`).
    Start,
    /// Its last microsecond (`--at`, `--to`).
    Close,
}

impl Moment {
    /// The instant this stands for. In the future is an error, except that today's close means now.
    pub fn resolve(&self, bound: Bound, zone: &Zone, now: Timestamp) -> Result<Timestamp, MomentError> {
        let instant = match self {
            Self::Instant(at) => *at,
            Self::Local(local) => local_instant(*local, zone)?,
            Self::Date(date) if !zone.has(*date) => {
                return Err(MomentError::Skipped { date: date.to_string(), zone: zone.to_string() });
            }
            Self::Date(date) => {
                let at = match bound {
                    Bound::Start => zone.start(*date),
                    Bound::Close => zone.close(*date),
                };
                let beyond = || MomentError::Beyond { date: date.to_string(), zone: zone.to_string() };
                let at = at.ok_or_else(beyond)?;
                if *date == zone.date(now) { at.min(now) } else { at }
            }
        };
        if instant > now { Err(MomentError::Future(instant)) } else { Ok(instant) }
    }
}

fn local_instant(local: DateTime, zone: &Zone) -> Result<Timestamp, MomentError> {
    let (text, name) = (local.to_string(), zone.to_string());
    let ambiguous = zone.0.to_ambiguous_zoned(local);
    match ambiguous.offset() {
        AmbiguousOffset::Unambiguous { .. } => ambiguous
            .unambiguous()
            .map(|zoned| Timestamp::from_jiff(zoned.timestamp()))
            .map_err(|_| MomentError::Syntax(text)),
        AmbiguousOffset::Gap { .. } => Err(MomentError::Gap { local: text, zone: name }),
        AmbiguousOffset::Fold { before, after } => {
            Err(MomentError::Overlap { local: text, zone: name, first: before.to_string(), second: after.to_string() })
        }
    }
}

/// The length of a report's periods.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Every {
    /// Hours, by the clock.
    Hour,
    /// Calendar days.
    Day,
    /// ISO weeks: Monday to Sunday.
    Week,
    /// Calendar months.
    Month,
}

impl FromStr for Every {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        match text {
            "hour" => Ok(Self::Hour),
            "day" => Ok(Self::Day),
            "week" => Ok(Self::Week),
            "month" => Ok(Self::Month),
            _ => Err(TextError::new("period", "hour, day, week or month")),
        }
    }
}

impl fmt::Display for Every {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
        })
    }
}

/// One instant of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Point {
    /// When.
    pub at: Timestamp,
    /// True for a last period that has not ended yet: it is read at the end of the range.
    pub partial: bool,
}

/// The closes of the calendar periods that end between `from` and `to`, both inclusive. A last
/// period that is still open at `now` ends at now, marked partial.
pub fn closes(
    every: Every,
    from: Timestamp,
    to: Timestamp,
    now: Timestamp,
    zone: &Zone,
) -> Result<Vec<Point>, MomentError> {
    if to < from {
        return Err(MomentError::Backwards { from, to });
    }
    let mut points = Vec::new();
    let mut next = Some(first_close(every, from, zone));
    while let Some(close) = next.flatten() {
        if close > to {
            // The period `to` lies in has not ended; it is shown only when it is the running one.
            if to >= now && points.last().is_none_or(|last: &Point| last.at < to) {
                points.push(Point { at: to, partial: true });
            }
            break;
        }
        if close >= from && points.last().is_none_or(|last: &Point| last.at < close) {
            points.push(Point { at: close, partial: false });
        }
        if points.len() > MAX_POINTS {
            return Err(MomentError::TooMany);
        }
        next = Some(first_close(every, close.plus_micros(1), zone));
        if close == Timestamp::MAX {
            break;
        }
    }
    Ok(points)
}

/// The close of the period that `at` lies in.
fn first_close(every: Every, at: Timestamp, zone: &Zone) -> Option<Timestamp> {
    const HOUR: i64 = 3_600 * super::SECOND;
    let date = zone.date(at);
    match every {
        Every::Hour => {
            // Zones off by a quarter hour start their hours there, too.
            let offset = i64::from(zone.0.to_offset(at.to_jiff()).seconds()).checked_mul(super::SECOND)?;
            let local = at.as_micros().checked_add(offset)?;
            let left = HOUR.checked_sub(local.rem_euclid(HOUR))?.checked_sub(1)?;
            Some(at.plus_micros(left))
        }
        Every::Day => zone.close(date),
        Every::Week => {
            let to_sunday = 7_i8.checked_sub(date.weekday().to_monday_one_offset())?;
            zone.close(date.checked_add(i32::from(to_sunday).days()).ok()?)
        }
        Every::Month => zone.close(date.last_of_month()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn resolve(text: &str, bound: Bound, zone: &str) -> Result<String, MomentError> {
        let now = at("2026-11-23T10:00:00Z");
        text.parse::<Moment>()?.resolve(bound, &zone.parse()?, now).map(|t| t.to_string())
    }

    #[test]
    fn a_date_is_its_close_or_its_start_in_the_zone() {
        assert_eq!(resolve("2026-01-31", Bound::Close, "UTC").unwrap(), "2026-01-31T23:59:59.999999Z");
        assert_eq!(resolve("2026-07-31", Bound::Close, "Europe/Lisbon").unwrap(), "2026-07-31T22:59:59.999999Z");
        assert_eq!(resolve("2026-07-31", Bound::Start, "Europe/Lisbon").unwrap(), "2026-07-30T23:00:00.000000Z");
    }

    #[test]
    fn today_means_now_and_tomorrow_is_refused() {
        assert_eq!(resolve("2026-11-23", Bound::Close, "UTC").unwrap(), "2026-11-23T10:00:00.000000Z");
        assert!(matches!(resolve("2026-11-24", Bound::Close, "UTC"), Err(MomentError::Future(_))));
        assert!(matches!(resolve("2026-11-23T10:00:01Z", Bound::Close, "UTC"), Err(MomentError::Future(_))));
    }

    #[test]
    fn a_naive_time_in_a_gap_or_an_overlap_is_refused() {
        assert!(matches!(resolve("2026-03-29T02:30:00", Bound::Close, "Europe/Berlin"), Err(MomentError::Gap { .. })));
        let twice = resolve("2026-10-25T02:30:00", Bound::Close, "Europe/Berlin").unwrap_err();
        assert!(twice.to_string().contains("+02") && twice.to_string().contains("+01"), "{twice}");
    }

    #[test]
    fn a_day_without_a_midnight_starts_at_its_first_instant() {
        // Beirut moved its clocks at midnight in March 2022.
        assert_eq!(resolve("2022-03-27", Bound::Start, "Asia/Beirut").unwrap(), "2022-03-26T22:00:00.000000Z");
        assert_eq!(resolve("2022-03-26", Bound::Close, "Asia/Beirut").unwrap(), "2022-03-26T21:59:59.999999Z");
    }

    #[test]
    fn a_date_the_zone_skipped_is_refused_and_has_no_row_in_a_report() {
        // Samoa had no 2011-12-30.
        for bound in [Bound::Start, Bound::Close] {
            let skipped = resolve("2011-12-30", bound, "Pacific/Apia");
            assert!(matches!(skipped, Err(MomentError::Skipped { .. })), "{skipped:?}");
            assert!(resolve("2011-12-29", bound, "Pacific/Apia").is_ok());
            assert!(resolve("2011-12-31", bound, "Pacific/Apia").is_ok());
        }
        let zone: Zone = "Pacific/Apia".parse().unwrap();
        let at = |date: &str, bound| date.parse::<Moment>().unwrap().resolve(bound, &zone, at("2026-01-01T00:00:00Z"));
        let (from, to) = (at("2011-12-29", Bound::Start).unwrap(), at("2011-12-31", Bound::Close).unwrap());
        let points = closes(Every::Day, from, to, Timestamp::MAX, &zone).unwrap();
        assert_eq!(points.iter().map(|point| zone.date(point.at).day()).collect::<Vec<_>>(), [29, 31]);
    }

    #[test]
    fn the_last_date_of_all_is_refused_as_what_it_is() {
        let last = resolve("9999-12-31", Bound::Close, "Europe/Lisbon");
        assert!(matches!(last, Err(MomentError::Beyond { .. })), "{last:?}");
        assert!(matches!(resolve("9999-12-29", Bound::Close, "Europe/Lisbon"), Err(MomentError::Future(_))));
    }

    #[test]
    fn what_is_no_moment_is_refused() {
        for bad in [
            "yesterday",
            "2026-13-01",
            "2026-1-1",
            "31.01.2026",
            "2026-02-30",
            "",
            "2026-01-31T25:00:00Z",
            "1769817600",
            "2026-01-31T10:00Z",
            "2016-12-31T23:59:60Z",
            "2016-12-31T23:59:60",
        ] {
            assert!(matches!(bad.parse::<Moment>(), Err(MomentError::Syntax(_))), "{bad}");
        }
        assert!("Mars/Olympus".parse::<Zone>().is_err());
    }

    #[test]
    fn months_close_and_the_running_one_is_partial() {
        let now = at("2026-11-23T10:00:00Z");
        let points = closes(Every::Month, at("2026-09-01T00:00:00Z"), now, now, &Zone::utc()).unwrap();
        let shown: Vec<_> = points.iter().map(|p| (p.at.to_string(), p.partial)).collect();
        assert_eq!(
            shown,
            [
                ("2026-09-30T23:59:59.999999Z".into(), false),
                ("2026-10-31T23:59:59.999999Z".into(), false),
                ("2026-11-23T10:00:00.000000Z".into(), true),
            ]
        );
        let past =
            closes(Every::Month, at("2026-01-15T00:00:00Z"), at("2026-03-15T00:00:00Z"), now, &Zone::utc()).unwrap();
        assert_eq!(past.len(), 2);
    }

    #[test]
    fn weeks_close_on_sunday_and_days_follow_the_zone() {
        let now = at("2026-11-23T10:00:00Z");
        let weeks =
            closes(Every::Week, at("2026-01-01T00:00:00Z"), at("2026-01-31T00:00:00Z"), now, &Zone::utc()).unwrap();
        assert_eq!(weeks.first().unwrap().at, at("2026-01-04T23:59:59.999999Z"));
        assert_eq!(weeks.len(), 4);
        let zone = "Europe/Berlin".parse().unwrap();
        let days =
            closes(Every::Day, at("2026-03-28T00:00:00+01:00"), at("2026-03-30T23:59:59.999999+02:00"), now, &zone)
                .unwrap();
        assert_eq!(
            days.iter().map(|p| p.at).collect::<Vec<_>>(),
            [at("2026-03-28T22:59:59.999999Z"), at("2026-03-29T21:59:59.999999Z"), at("2026-03-30T21:59:59.999999Z")]
        );
        let hours =
            closes(Every::Hour, at("2026-03-29T00:00:00Z"), at("2026-03-29T03:59:59.999999Z"), now, &zone).unwrap();
        assert_eq!(hours.len(), 4);
        assert_eq!(closes(Every::Hour, at("1900-01-01T00:00:00Z"), now, now, &zone), Err(MomentError::TooMany));
    }
}
