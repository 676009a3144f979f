//! Time: microseconds since 1970 in UTC, as integers, so that every engine agrees.
//!
//! Two axes (never mixed up by name): `recorded_at` is when a record was made and only grows;
//! `effective_at` is when it counts. [`calendar`] turns what people write (dates, zones, periods)
//! into instants.

pub mod calendar;

use std::{fmt, str::FromStr};

use crate::{
    digits::Digits,
    text::{TextError, serde_as_text},
};

/// Microseconds in a second.
pub const SECOND: i64 = 1_000_000;
/// 0001-01-01T00:00:00Z.
const MIN: i64 = -62_135_596_800_000_000;
/// 9999-12-30T21:59:59.999999Z, jiff's last instant in every zone.
const MAX: i64 = 253_402_207_199_999_999;

/// An instant: microseconds since the Unix epoch. Text is RFC 3339 in UTC with six digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(i64);

impl Timestamp {
    /// 1970-01-01T00:00:00Z.
    pub const EPOCH: Self = Self(0);
    /// The first instant there is.
    pub const MIN: Self = Self(MIN);
    /// The last instant there is.
    pub const MAX: Self = Self(MAX);

    /// From microseconds since the Unix epoch, clamped to the years 1 to 9999.
    pub const fn from_micros(micros: i64) -> Self {
        if micros < MIN {
            Self(MIN)
        } else if micros > MAX {
            Self(MAX)
        } else {
            Self(micros)
        }
    }

    /// Microseconds since the Unix epoch.
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// This instant and some microseconds, clamped.
    #[must_use]
    pub const fn plus_micros(self, micros: i64) -> Self {
        Self::from_micros(self.0.saturating_add(micros))
    }

    /// How many microseconds after `other` this is.
    pub const fn micros_since(self, other: Self) -> i64 {
        self.0.saturating_sub(other.0)
    }

    /// Its text, without allocating.
    pub fn digits(self) -> Digits {
        Digits::instant(self.0)
    }

    /// As jiff's type.
    pub fn to_jiff(self) -> jiff::Timestamp {
        jiff::Timestamp::from_microsecond(self.0).unwrap_or_default()
    }

    /// From jiff's type; anything finer than a microsecond is cut off.
    pub fn from_jiff(instant: jiff::Timestamp) -> Self {
        Self::from_micros(instant.as_microsecond())
    }
}

impl FromStr for Timestamp {
    type Err = TextError;

    /// RFC 3339 with `Z` or an offset; at most microseconds.
    fn from_str(text: &str) -> Result<Self, TextError> {
        const WRONG: TextError = TextError::new("time", "RFC 3339 with an offset, for example 2026-01-31T23:59:59Z");
        let bytes = text.as_bytes();
        let at = |index: usize| bytes.get(index).copied().unwrap_or_default();
        let shaped = text.is_ascii()
            && text.len() >= 20
            && at(4) == b'-'
            && at(7) == b'-'
            && matches!(at(10), b'T' | b't' | b' ')
            && at(13) == b':'
            && at(16) == b':'
            && !text.contains(['[', '_']);
        let offset = text.get(19..).unwrap_or_default();
        let zoned = offset.ends_with(['Z', 'z']) || offset.contains(['+', '-']);
        if !shaped || !zoned {
            return Err(WRONG);
        }
        // There is no place for a leap second: it would be told as the one before it.
        if (at(17), at(18)) == (b'6', b'0') {
            return Err(TextError::new("time", "given with seconds up to 59: leap seconds are not counted"));
        }
        let instant: jiff::Timestamp = text.parse().map_err(|_| WRONG)?;
        if instant.subsec_nanosecond().checked_rem(1_000) != Some(0) {
            return Err(TextError::new("time", "given with at most six fraction digits"));
        }
        let micros = instant.as_microsecond();
        if (MIN..=MAX).contains(&micros) { Ok(Self(micros)) } else { Err(WRONG) }
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.digits())
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

serde_as_text!(Timestamp);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_rfc_3339_with_six_digits() {
        let read = |text: &str| text.parse::<Timestamp>().map(|t| t.to_string());
        assert_eq!(read("2026-01-31T23:59:59Z").unwrap(), "2026-01-31T23:59:59.000000Z");
        assert_eq!(read("2026-01-31T23:59:59.5+02:00").unwrap(), "2026-01-31T21:59:59.500000Z");
        assert_eq!(read("0001-01-01T00:00:00Z").unwrap(), "0001-01-01T00:00:00.000000Z");
        for bad in [
            "2026-01-31",
            "2026-01-31T23:59:59",
            "2026-01-31T23:59Z",
            "20260131T235959Z",
            "2026-02-30T00:00:00Z",
            "2026-01-31T23:59:59.1234567Z",
            "1700000000",
            "2016-12-31T23:59:60Z",
            "2016-12-31T23:59:60+00:00",
            "2026-01-31T23:59:59Z[UTC]",
            "",
        ] {
            assert!(read(bad).is_err(), "{bad}: {:?}", read(bad));
        }
        assert_eq!(Timestamp::MIN.to_string().parse::<Timestamp>().unwrap(), Timestamp::MIN);
        assert_eq!(Timestamp::MAX.to_string().parse::<Timestamp>().unwrap(), Timestamp::MAX);
    }
}
