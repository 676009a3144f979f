//! Numbers and times as text without the machinery of formatting: a record has a dozen of them, an answer as many again.

use std::{fmt, ops::Deref};

/// Room for a number of 128 bits with a sign and a point, and for a time.
const ROOM: usize = 48;

/// A short text of digits, on the stack.
#[derive(Clone, Copy)]
pub struct Digits {
    bytes: [u8; ROOM],
    /// Where the text begins; it goes on to the end.
    start: usize,
}

impl Digits {
    const EMPTY: Self = Self { bytes: [0; ROOM], start: ROOM };

    /// Puts a byte in front.
    fn put(&mut self, byte: u8) {
        if let Some(start) = self.start.checked_sub(1)
            && let Some(place) = self.bytes.get_mut(start)
        {
            *place = byte;
            self.start = start;
        }
    }

    /// A number.
    pub fn number(value: u64) -> Self {
        Self::decimal(false, value.into(), 0)
    }

    /// A number of so many units of the last of `scale` digits behind the point.
    pub(crate) fn decimal(negative: bool, units: u128, scale: u32) -> Self {
        let mut text = Self::EMPTY;
        let mut place = 0;
        let mut large = units;
        // Nearly all numbers fit a register, whose division is a multiplication.
        while u64::try_from(large).is_err() {
            text.digit(large % 10, &mut place, scale);
            large /= 10;
        }
        let mut small = u64::try_from(large).unwrap_or_default();
        while small > 0 || place <= scale {
            text.digit((small % 10).into(), &mut place, scale);
            small /= 10;
        }
        if negative {
            text.put(b'-');
        }
        text
    }

    fn digit(&mut self, digit: u128, place: &mut u32, scale: u32) {
        if *place == scale && scale > 0 {
            self.put(b'.');
        }
        self.put(b'0' + u8::try_from(digit).unwrap_or_default());
        *place += 1;
    }

    /// An instant in UTC, years 1 to 9999: RFC 3339 with six digits.
    pub(crate) fn instant(micros: i64) -> Self {
        const DAY: i64 = 86_400_000_000;
        let (year, month, day) = civil(micros.div_euclid(DAY));
        let micros = micros.rem_euclid(DAY);
        let seconds = micros / 1_000_000;
        let mut text = Self::EMPTY;
        text.put(b'Z');
        for (value, width, before) in [
            (micros % 1_000_000, 6, b'.'),
            (seconds % 60, 2, b':'),
            (seconds / 60 % 60, 2, b':'),
            (seconds / 3_600, 2, b'T'),
            (day, 2, b'-'),
            (month, 2, b'-'),
            (year, 4, 0),
        ] {
            let mut value = value;
            for _ in 0..width {
                text.put(b'0' + u8::try_from(value % 10).unwrap_or_default());
                value /= 10;
            }
            if before != 0 {
                text.put(before);
            }
        }
        text
    }
}

/// Year, month and day of a day counted from 1970-01-01, in the Gregorian calendar: years begin in March, so that the
/// day a leap year has more is the last of its year; 400 of them are an era.
fn civil(day: i64) -> (i64, i64, i64) {
    /// Days from 0000-03-01 to 1970-01-01.
    const FROM_MARCH_OF_0: i64 = 719_468;
    const ERA: i64 = 146_097;
    let day = day + FROM_MARCH_OF_0;
    let (era, of_era) = (day.div_euclid(ERA), day.rem_euclid(ERA));
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let from_march = (5 * of_year + 2) / 153;
    let of_month = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (year + era * 400 + i64::from(month <= 2), month, of_month)
}

impl Deref for Digits {
    type Target = str;

    fn deref(&self) -> &str {
        std::str::from_utf8(self.bytes.get(self.start..).unwrap_or_default()).unwrap_or_default()
    }
}

impl fmt::Display for Digits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self)
    }
}

impl fmt::Debug for Digits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self)
    }
}

impl serde::Serialize for Digits {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self)
    }
}

#[cfg(test)]
mod tests {
    use jiff::fmt::temporal::DateTimePrinter;
    use proptest::prelude::*;
    use rust_decimal::Decimal;

    use super::*;
    use crate::time::Timestamp;

    proptest! {
        #[test]
        fn numbers_are_what_formatting_makes_of_them(value in prop_oneof![any::<u64>(), 0_u64..1_000]) {
            prop_assert_eq!(&*Digits::number(value), value.to_string());
        }

        #[test]
        fn decimals_are_what_the_decimals_library_makes_of_them(
            units in prop_oneof![-1_000_i128..1_000, -10_i128.pow(28)..10_i128.pow(28)], scale in 0_u32..=28,
        ) {
            let decimal = Decimal::from_i128_with_scale(units, scale);
            prop_assert_eq!(&*Digits::decimal(units < 0, units.unsigned_abs(), scale), decimal.to_string());
        }

        #[test]
        fn instants_are_what_the_calendars_library_makes_of_them(
            micros in Timestamp::MIN.as_micros()..=Timestamp::MAX.as_micros(),
        ) {
            let printer = DateTimePrinter::new().precision(Some(6));
            let expected = printer.timestamp_to_string(&jiff::Timestamp::from_microsecond(micros).unwrap());
            prop_assert_eq!(&*Digits::instant(micros), expected);
        }
    }

    #[test]
    fn every_day_of_two_eras_is_found() {
        // 1600-01-01 to 2400-12-31.
        for day in -135_140..157_419 {
            let instant = jiff::Timestamp::from_second(day * 86_400).unwrap();
            let date = instant.to_zoned(jiff::tz::TimeZone::UTC).date();
            assert_eq!(civil(day), (date.year().into(), date.month().into(), date.day().into()), "{day}");
        }
    }
}
