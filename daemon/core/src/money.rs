//! Money: decimals pinned to their asset's scale, checked arithmetic only, never a float.
//!
//! Three types, one grammar. A [`Quantity`] is what somebody typed: strictly read, not yet tied to
//! an asset. An [`Amount`] is a positive quantity at its asset's scale; a [`Balance`] is signed.
//! Anything beyond [`MAX_DIGITS`] digits is refused, so that every engine and every tool that reads
//! our exports holds the same number. Nothing is ever rounded.

use std::{fmt, str::FromStr};

use rust_decimal::Decimal;

use crate::digits::Digits;

/// Most digits of an amount or a balance, fraction included. `Decimal` holds any 28-digit number; one less leaves room for a sum of two.
pub const MAX_DIGITS: u32 = 27;

/// Why a number was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MoneyError {
    /// Not `digits[.digits]`.
    #[error("not an amount: write digits with an optional point and digits, for example 10.50")]
    Grammar,
    /// Zero where something must move.
    #[error("an amount must be above zero")]
    Zero,
    /// More fraction digits than the asset has.
    #[error("{given} fraction digits, but the asset has {scale}: amounts are never rounded")]
    Scale {
        /// Digits given.
        given: u32,
        /// Digits the asset has.
        scale: u32,
    },
    /// More than 27 digits.
    #[error("more than {MAX_DIGITS} digits in all")]
    Range,
}

/// An unsigned decimal as somebody wrote it: `digits[.digits]`, at most 27 digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quantity(Decimal);

impl Quantity {
    /// True for zero.
    pub fn is_zero(self) -> bool {
        self.0.is_zero()
    }

    /// Pins the quantity to a scale. No digit behind the point is dropped, a zero neither: who writes 1.230 EUR may mean
    /// another asset, or thousands.
    fn pin(self, scale: u32) -> Result<Decimal, MoneyError> {
        let mut value = self.0;
        if value.scale() > scale {
            return Err(MoneyError::Scale { given: value.scale(), scale });
        }
        value.rescale(scale);
        if value.scale() != scale || !in_range(value) {
            return Err(MoneyError::Range);
        }
        Ok(value)
    }
}

impl FromStr for Quantity {
    type Err = MoneyError;

    fn from_str(text: &str) -> Result<Self, MoneyError> {
        let (whole, fraction) = match text.split_once('.') {
            Some((whole, fraction)) if !fraction.is_empty() => (whole, fraction),
            Some(_) => return Err(MoneyError::Grammar),
            None => (text, ""),
        };
        if whole.is_empty() || !whole.bytes().chain(fraction.bytes()).all(|b| b.is_ascii_digit()) {
            return Err(MoneyError::Grammar);
        }
        // Long runs of zeros are still too many digits: the bound is on what is read, too.
        if whole.len().saturating_add(fraction.len()) > MAX_DIGITS as usize {
            return Err(MoneyError::Range);
        }
        Decimal::from_str_exact(text).map(Self).map_err(|_| MoneyError::Range)
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

crate::text::serde_as_text!(Quantity);

/// Minus zero is a zero.
fn digits(value: Decimal) -> Digits {
    let units = value.mantissa();
    Digits::decimal(units < 0, units.unsigned_abs(), value.scale())
}

fn in_range(value: Decimal) -> bool {
    value.mantissa().unsigned_abs() < 10_u128.pow(MAX_DIGITS)
}

/// A positive amount at its asset's scale.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Amount(Decimal);

impl Amount {
    /// Pins a quantity to an asset's scale; zero is refused.
    pub fn new(quantity: Quantity, scale: u32) -> Result<Self, MoneyError> {
        let value = quantity.pin(scale)?;
        if value.is_zero() { Err(MoneyError::Zero) } else { Ok(Self(value)) }
    }

    /// The amount as a credit.
    pub fn credit(self) -> Balance {
        Balance(self.0)
    }

    /// The amount as a debit.
    pub fn debit(self) -> Balance {
        Balance(-self.0)
    }

    /// Its text, without allocating.
    pub fn digits(self) -> Digits {
        digits(self.0)
    }

    /// The number, for sums outside the ledger (totals of a batch file).
    pub fn decimal(self) -> Decimal {
        self.0
    }

    /// The same number as a quantity.
    pub fn quantity(self) -> Quantity {
        Quantity(self.0)
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad_integral(true, "", &self.digits())
    }
}

/// A signed balance, or a signed change of one, at its asset's scale.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Balance(Decimal);

impl Balance {
    /// Zero at a scale.
    pub fn zero(scale: u32) -> Self {
        Self(Decimal::new(0, scale.min(MAX_DIGITS)))
    }

    /// Pins a quantity, zero included, to an asset's scale.
    pub fn from_quantity(quantity: Quantity, scale: u32) -> Result<Self, MoneyError> {
        quantity.pin(scale).map(Self)
    }

    /// Reads a signed decimal and pins it to a scale.
    pub fn parse(text: &str, scale: u32) -> Result<Self, MoneyError> {
        match text.strip_prefix('-') {
            Some(rest) => rest.parse::<Quantity>()?.pin(scale).map(|value| Self(-value)),
            None => text.parse::<Quantity>()?.pin(scale).map(Self),
        }
    }

    /// A signed decimal as the journal writes it: its own fraction digits are its scale.
    pub fn parse_exact(text: &str) -> Result<Self, MoneyError> {
        let digits = text.split_once('.').map_or(0, |(_, fraction)| fraction.len());
        Self::parse(text, u32::try_from(digits).map_err(|_| MoneyError::Range)?)
    }

    /// From an integer count of the smallest unit.
    pub fn from_units(units: i128, scale: u32) -> Result<Self, MoneyError> {
        let value = Decimal::try_from_i128_with_scale(units, scale).map_err(|_| MoneyError::Range)?;
        if in_range(value) { Ok(Self(value)) } else { Err(MoneyError::Range) }
    }

    /// The integer count of the smallest unit.
    pub fn units(self) -> i128 {
        self.0.mantissa()
    }

    /// Its text, without allocating.
    pub fn digits(self) -> Digits {
        digits(self.0)
    }

    /// Fraction digits.
    pub fn scale(self) -> u32 {
        self.0.scale()
    }

    /// The sum, unless it leaves the range or the scales differ.
    pub fn plus(self, other: Self) -> Option<Self> {
        if self.0.scale() != other.0.scale() {
            return None;
        }
        let sum = self.0.checked_add(other.0)?;
        (in_range(sum) && sum.scale() == self.0.scale()).then_some(Self(sum))
    }

    /// The difference, unless it leaves the range or the scales differ.
    pub fn minus(self, other: Self) -> Option<Self> {
        self.plus(other.negated())
    }

    /// The opposite.
    #[must_use]
    pub fn negated(self) -> Self {
        Self(-self.0)
    }

    /// True below zero.
    pub fn is_negative(self) -> bool {
        self.0.is_sign_negative() && !self.0.is_zero()
    }

    /// True at zero.
    pub fn is_zero(self) -> bool {
        self.0.is_zero()
    }

    /// The number without its sign, as an amount; none at zero.
    pub fn magnitude(self) -> Option<Amount> {
        (!self.0.is_zero()).then(|| Amount(self.0.abs()))
    }
}

impl fmt::Display for Balance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.digits();
        match text.strip_prefix('-') {
            Some(magnitude) => f.pad_integral(false, "", magnitude),
            None => f.pad_integral(true, "", &text),
        }
    }
}

/// A balance as the journal writes it: its own fraction digits are its scale.
impl FromStr for Balance {
    type Err = MoneyError;

    fn from_str(text: &str) -> Result<Self, MoneyError> {
        Self::parse_exact(text)
    }
}

crate::text::serde_as_text!(Balance);

impl serde::Serialize for Amount {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn amounts_follow_the_strict_grammar() {
        for bad in ["", ".", "1.", ".5", "+1", "-1", "1e3", "1_000", "1,5", " 1", "1 ", "0x1", "1.2.3", "NaN", "١"] {
            assert_eq!(bad.parse::<Quantity>(), Err(MoneyError::Grammar), "{bad:?}");
        }
        assert_eq!("1".repeat(28).parse::<Quantity>(), Err(MoneyError::Range));
        assert!("9".repeat(27).parse::<Quantity>().is_ok());
    }

    #[test]
    fn an_amount_is_pinned_and_never_rounded() {
        let amount = |text: &str, scale| Amount::new(text.parse().unwrap(), scale).map(|a| a.to_string());
        assert_eq!(amount("10.5", 2).unwrap(), "10.50");
        assert_eq!(amount("10.500", 2), Err(MoneyError::Scale { given: 3, scale: 2 }));
        assert_eq!(amount("1.0", 0), Err(MoneyError::Scale { given: 1, scale: 0 }));
        assert_eq!(Balance::parse("-1.230", 2), Err(MoneyError::Scale { given: 3, scale: 2 }));
        assert_eq!(amount("10.501", 2), Err(MoneyError::Scale { given: 3, scale: 2 }));
        assert_eq!(amount("0.00", 2), Err(MoneyError::Zero));
        assert_eq!(amount("007", 0).unwrap(), "7");
        assert_eq!(amount(&"9".repeat(27), 2), Err(MoneyError::Range));
    }

    #[test]
    fn a_balance_shows_minus_zero_as_zero() {
        assert_eq!(Balance::parse("-0.00", 2).unwrap().to_string(), "0.00");
    }

    proptest! {
        #[test]
        fn sums_agree_with_integers(a in -10_i128.pow(26)..10_i128.pow(26), b in -10_i128.pow(26)..10_i128.pow(26), scale in 0_u32..=18) {
            let sum = Balance::from_units(a, scale).unwrap().plus(Balance::from_units(b, scale).unwrap()).unwrap();
            prop_assert_eq!(sum.units(), a + b);
            prop_assert_eq!(Balance::parse(&sum.to_string(), scale).unwrap(), sum);
            prop_assert_eq!(Balance::parse_exact(&sum.to_string()).unwrap(), sum);
        }
    }
}
