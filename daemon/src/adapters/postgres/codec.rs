//! Values as PostgreSQL takes them: NUMERIC for money, uuid for digests of keys, and the ends of an account's runs
//! as compact bytes.

use std::sync::Arc;

use bytes::{BufMut as _, BytesMut};
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};
use wallet_core::{
    journal::Stored,
    money::Balance,
    ports::StoreError,
    runs::{Runs, Tail},
    time::Timestamp,
};

use super::errors::damaged;

type Fault = Box<dyn std::error::Error + Sync + Send>;

/// A number of ours as PostgreSQL's. All of them stay below 2^53; "no bound" becomes the largest there is.
pub(super) fn integer(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A number of PostgreSQL's as ours.
pub(super) fn number(value: i64) -> Result<u64, StoreError> {
    u64::try_from(value).map_err(|_| damaged(format_args!("{value} where no number is below zero")))
}

/// Money on its way to a NUMERIC, with the fraction digits of its scale.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Money(pub(crate) Balance);

impl ToSql for Money {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Fault> {
        let (units, scale) = (self.0.units(), self.0.scale());
        // Groups of four digits, aligned to the point.
        let mut rest = units.unsigned_abs() * 10_u128.pow((4 - scale % 4) % 4);
        let mut groups = [0_u16; 10];
        let mut count = 0;
        for group in &mut groups {
            if rest == 0 {
                break;
            }
            *group = u16::try_from(rest % 10_000)?;
            rest /= 10_000;
            count += 1;
        }
        let weight = i16::try_from(count)? - i16::try_from(scale.div_ceil(4))? - 1;
        out.put_i16(i16::try_from(count)?);
        out.put_i16(weight);
        out.put_u16(if units < 0 { 0x4000 } else { 0 });
        out.put_u16(u16::try_from(scale)?);
        for group in groups.iter().take(count).rev() {
            out.put_u16(*group);
        }
        Ok(IsNull::No)
    }

    fn accepts(ty: &Type) -> bool {
        *ty == Type::NUMERIC
    }

    to_sql_checked!();
}

/// A NUMERIC on its way to money: the scale comes from the asset.
#[derive(Clone, Copy, Debug)]
pub(super) struct Numeric {
    mantissa: i128,
    /// Power of ten of the mantissa's last digit.
    exponent: i32,
}

impl Numeric {
    /// The balance at its asset's scale; damage if it has other digits.
    pub(super) fn at(self, scale: u32) -> Result<Balance, StoreError> {
        let shift = self.exponent + i32::try_from(scale).unwrap_or_default();
        let power = 10_i128.checked_pow(shift.unsigned_abs());
        let units = match power {
            _ if self.mantissa == 0 => Some(0),
            Some(power) if shift >= 0 => self.mantissa.checked_mul(power),
            Some(power) => (self.mantissa % power == 0).then(|| self.mantissa / power),
            None => None,
        };
        let balance = units.and_then(|units| Balance::from_units(units, scale).ok());
        balance.ok_or_else(|| damaged("money that does not fit its asset"))
    }
}

impl<'a> FromSql<'a> for Numeric {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Fault> {
        let mut cells = raw.chunks_exact(2).map(|pair| match pair {
            [high, low] => u16::from_be_bytes([*high, *low]),
            _ => 0,
        });
        let mut header = || cells.next().ok_or("a NUMERIC is cut off");
        let (count, weight, sign, _) = (header()?, header()?, header()?, header()?);
        let mut mantissa = 0_i128;
        for group in cells.by_ref().take(usize::from(count)) {
            let more = mantissa.checked_mul(10_000).and_then(|m| m.checked_add(i128::from(group)));
            mantissa = more.ok_or("a NUMERIC with too many digits")?;
        }
        let exponent = 4 * (i32::from(weight.cast_signed()) + 1 - i32::from(count));
        match sign {
            0 => Ok(Self { mantissa, exponent }),
            0x4000 => Ok(Self { mantissa: -mantissa, exponent }),
            _ => Err("a NUMERIC that is no number".into()),
        }
    }

    fn accepts(ty: &Type) -> bool {
        *ty == Type::NUMERIC
    }
}

/// 16 bytes of a key's hash, in a column of type uuid: the narrowest index there is for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Digest(pub(crate) [u8; 16]);

impl ToSql for Digest {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Fault> {
        out.put_slice(&self.0);
        Ok(IsNull::No)
    }

    fn accepts(ty: &Type) -> bool {
        *ty == Type::UUID
    }

    to_sql_checked!();
}

/// Bytes of a record, without a copy of them.
#[derive(Clone)]
pub(super) struct Blob {
    pub(super) of: Arc<Stored>,
    pub(super) part: fn(&Stored) -> &[u8],
}

impl std::fmt::Debug for Blob {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "of record {}", self.of.record.seq)
    }
}

impl ToSql for Blob {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Fault> {
        out.put_slice((self.part)(&self.of));
        Ok(IsNull::No)
    }

    fn accepts(ty: &Type) -> bool {
        *ty == Type::BYTEA
    }

    to_sql_checked!();
}

fn put(out: &mut Vec<u8>, mut value: u128) {
    while value >= 0x80 {
        out.push(u8::try_from(value & 0x7f).unwrap_or_default() | 0x80);
        value >>= 7;
    }
    out.push(u8::try_from(value).unwrap_or_default());
}

fn put_signed(out: &mut Vec<u8>, value: i128) {
    put(out, (value.cast_unsigned() << 1) ^ (value >> 127).cast_unsigned());
}

fn take(bytes: &mut &[u8]) -> Result<u128, StoreError> {
    let mut value = 0_u128;
    for shift in (0..=126).step_by(7) {
        let (byte, rest) = bytes.split_first().ok_or_else(|| damaged("an account's runs are cut off"))?;
        *bytes = rest;
        value |= u128::from(byte & 0x7f) << shift;
        if *byte < 0x80 {
            return Ok(value);
        }
    }
    Err(damaged("an account's runs have a number without an end"))
}

fn take_signed(bytes: &mut &[u8]) -> Result<i128, StoreError> {
    let value = take(bytes)?;
    Ok((value >> 1).cast_signed() ^ -((value & 1).cast_signed()))
}

fn take_u64(bytes: &mut &[u8]) -> Result<u64, StoreError> {
    u64::try_from(take(bytes)?).map_err(|_| damaged("an account's runs have a number out of range"))
}

/// The overflow's count, then each run's end: variable-length numbers, signs folded in.
pub(super) fn encode_runs(runs: &Runs) -> Vec<u8> {
    let mut out = Vec::with_capacity(runs.tails.len() * 18 + 1);
    put(&mut out, runs.overflow.into());
    for tail in &runs.tails {
        put_signed(&mut out, tail.effective_at.as_micros().into());
        put(&mut out, tail.seq.into());
        put_signed(&mut out, tail.sum.units());
    }
    out
}

pub(super) fn decode_runs(mut bytes: &[u8], scale: u32) -> Result<Runs, StoreError> {
    let overflow = take_u64(&mut bytes)?;
    let mut tails = Vec::new();
    while !bytes.is_empty() {
        let micros = i64::try_from(take_signed(&mut bytes)?).map_err(|_| damaged("a run ends out of time"))?;
        let seq = take_u64(&mut bytes)?;
        let sum = Balance::from_units(take_signed(&mut bytes)?, scale);
        let sum = sum.map_err(|_| damaged("a run's sum is out of range"))?;
        tails.push(Tail { effective_at: Timestamp::from_micros(micros), seq, sum });
    }
    Ok(Runs { tails, overflow })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sent(balance: Balance) -> Vec<u8> {
        let mut out = BytesMut::new();
        Money(balance).to_sql(&Type::NUMERIC, &mut out).unwrap();
        out.to_vec()
    }

    proptest! {
        #[test]
        fn money_reads_back(units in -10_i128.pow(26)..10_i128.pow(26), scale in 0_u32..19) {
            let balance = Balance::from_units(units, scale).unwrap();
            prop_assert_eq!(Numeric::from_sql(&Type::NUMERIC, &sent(balance)).unwrap().at(scale).unwrap(), balance);
        }

        #[test]
        fn runs_read_back(overflow in any::<u64>(), tails in prop::collection::vec((any::<i32>(), any::<u64>(), -1_000_000_i128..1_000_000), 0..70)) {
            let tail = |(at, seq, sum): (i32, u64, i128)| {
                Tail { effective_at: Timestamp::from_micros(at.into()), seq, sum: Balance::from_units(sum, 3).unwrap() }
            };
            let runs = Runs { tails: tails.into_iter().map(tail).collect(), overflow };
            let bytes = encode_runs(&runs);
            prop_assert_eq!(decode_runs(&bytes, 3).unwrap(), runs);
        }
    }

    #[test]
    fn numerics_are_sent_as_postgresql_sends_them() {
        // select numeric_send(-12345.60): two groups before the point, one behind it, two digits shown.
        let balance = Balance::from_units(-1_234_560, 2).unwrap();
        assert_eq!(sent(balance), [0, 3, 0, 1, 0x40, 0, 0, 2, 0, 1, 0x09, 0x29, 0x17, 0x70]);
        assert_eq!(sent(Balance::zero(2)), [0, 0, 255, 254, 0, 0, 0, 2]);
    }

    #[test]
    fn a_numeric_with_other_digits_is_damage() {
        let cent = Numeric::from_sql(&Type::NUMERIC, &sent(Balance::from_units(5, 3).unwrap())).unwrap();
        assert!(cent.at(2).is_err() && cent.at(3).is_ok() && cent.at(8).is_ok());
    }
}
