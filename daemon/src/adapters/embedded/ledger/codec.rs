//! Keys and rows as fjall holds them: big-endian keys that sort as the ledger reads, compact rows.
//!
//! A changed layout is a new [`FORMAT`]; a ledger of another format is refused at opening.

use wallet_core::{
    account::{Account, Floor, Status},
    cut::Hash,
    ids::{AccountId, TransactionId},
    journal::Stored,
    money::Balance,
    ports::StoreError,
    runs::{Runs, Tail},
    time::Timestamp,
};

/// The number of this layout.
pub(super) const FORMAT: &str = "4";
const STORE: &str = super::STORE;

pub(super) fn damaged(what: &'static str) -> StoreError {
    StoreError::corrupt(STORE, what)
}

/// Appends numbers and text to a row.
struct Row<'a>(&'a mut Vec<u8>);

impl Row<'_> {
    fn number(&mut self, value: u128) {
        let mut value = match u64::try_from(value) {
            Ok(small) => return self.small(small),
            Err(_) => value,
        };
        while value >= 0x80 {
            self.0.push(u8::try_from(value & 0x7f).unwrap_or_default() | 0x80);
            value >>= 7;
        }
        self.0.push(u8::try_from(value).unwrap_or_default());
    }

    /// The same for what fits a register, as nearly all numbers do.
    fn small(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(u8::try_from(value & 0x7f).unwrap_or_default() | 0x80);
            value >>= 7;
        }
        self.0.push(u8::try_from(value).unwrap_or_default());
    }

    fn signed(&mut self, value: i128) {
        self.number((value.cast_unsigned() << 1) ^ (value >> 127).cast_unsigned());
    }

    fn text(&mut self, text: &str) {
        self.number(text.len() as u128);
        self.0.extend_from_slice(text.as_bytes());
    }

    fn tails(&mut self, tails: &[Tail]) {
        self.number(tails.len() as u128);
        for tail in tails {
            self.signed(tail.effective_at.as_micros().into());
            self.number(tail.seq.into());
            self.signed(tail.sum.units());
        }
    }
}

/// Reads what [`Row`] wrote.
struct Cells<'a>(&'a [u8]);

impl<'a> Cells<'a> {
    fn byte(&mut self) -> Result<u8, StoreError> {
        let (first, rest) = self.0.split_first().ok_or_else(|| damaged("a row is cut off"))?;
        self.0 = rest;
        Ok(*first)
    }

    fn number(&mut self) -> Result<u128, StoreError> {
        // In a register, as nearly all numbers fit.
        let mut small = 0_u64;
        for shift in (0..=56).step_by(7) {
            let byte = self.byte()?;
            small |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(small.into());
            }
        }
        let mut value = u128::from(small);
        for shift in (63..=126).step_by(7) {
            let byte = self.byte()?;
            value |= u128::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(damaged("a row has a number without an end"))
    }

    fn u64(&mut self) -> Result<u64, StoreError> {
        u64::try_from(self.number()?).map_err(|_| damaged("a row has a number out of range"))
    }

    fn signed(&mut self) -> Result<i128, StoreError> {
        let value = self.number()?;
        Ok((value >> 1).cast_signed() ^ -((value & 1).cast_signed()))
    }

    fn time(&mut self) -> Result<Timestamp, StoreError> {
        let micros = i64::try_from(self.signed()?).map_err(|_| damaged("a row has a time out of range"))?;
        Ok(Timestamp::from_micros(micros))
    }

    fn balance(&mut self, scale: u32) -> Result<Balance, StoreError> {
        Balance::from_units(self.signed()?, scale).map_err(|_| damaged("a row has a balance out of range"))
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], StoreError> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or_else(|| damaged("a row is cut off"))?;
        self.0 = rest;
        Ok(taken)
    }

    fn text(&mut self) -> Result<&'a str, StoreError> {
        let count = usize::try_from(self.number()?).map_err(|_| damaged("a row is cut off"))?;
        std::str::from_utf8(self.take(count)?).map_err(|_| damaged("a row has text that is not UTF-8"))
    }

    fn tails(&mut self, scale: u32) -> Result<Vec<Tail>, StoreError> {
        let mut tails = Vec::new();
        for _ in 0..self.u64()? {
            tails.push(Tail { effective_at: self.time()?, seq: self.u64()?, sum: self.balance(scale)? });
        }
        Ok(tails)
    }
}

fn status_code(status: Status) -> u8 {
    match status {
        Status::Active => 0,
        Status::Frozen => 1,
        Status::Closed => 2,
    }
}

/// An account's row; its id is the key.
pub(super) fn encode_account(account: &Account, row: &mut Vec<u8>) {
    let mut row = Row(row);
    row.text(account.owner.as_ref().map_or("", |owner| owner.as_str()));
    row.text(account.asset.as_str());
    row.0.push(u8::try_from(account.scale()).unwrap_or(u8::MAX));
    row.0.push(status_code(account.status));
    match account.floor {
        Floor::None => row.0.push(0),
        Floor::At(floor) => {
            row.0.push(1);
            row.signed(floor.units());
        }
    }
    row.signed(account.balance.units());
    row.number(account.version.into());
    row.signed(account.opened_at.as_micros().into());
    row.number(account.opened_seq.into());
    row.number(account.seq.into());
    row.number(account.runs.overflow.into());
    row.tails(&account.runs.tails);
}

pub(super) fn decode_account(id: AccountId, bytes: &[u8]) -> Result<Account, StoreError> {
    let mut cells = Cells(bytes);
    let owner = match cells.text()? {
        "" => None,
        text => Some(text.parse().map_err(|_| damaged("an account has no good owner"))?),
    };
    let asset = cells.text()?.parse().map_err(|_| damaged("an account has no good asset"))?;
    let scale = u32::from(cells.byte()?);
    let status = match cells.byte()? {
        0 => Status::Active,
        1 => Status::Frozen,
        2 => Status::Closed,
        _ => return Err(damaged("an account has no good status")),
    };
    let floor = match cells.byte()? {
        0 => Floor::None,
        _ => Floor::At(cells.balance(scale)?),
    };
    let balance = cells.balance(scale)?;
    let version = cells.u64()?;
    let opened_at = cells.time()?;
    let (opened_seq, seq, overflow) = (cells.u64()?, cells.u64()?, cells.u64()?);
    let tails = cells.tails(scale)?;
    Ok(Account {
        id,
        owner,
        asset,
        status,
        floor,
        balance,
        version,
        opened_at,
        opened_seq,
        seq,
        runs: Runs { tails, overflow },
    })
}

/// Bytes of an entry's key: the most that the store holds in place, without a pointer to follow at every comparison.
pub(super) const ENTRY_KEY: usize = 20;
/// The largest seq that fits it: a million records a second for four years, or what one machine does in a century.
pub(super) const MAX_SEQ: u64 = (1 << SEQ_BITS) - 1;
const SEQ_BITS: u32 = 47;
const TIME_BITS: u32 = 59;
const RUN_BITS: u32 = 7;
/// Bits of a seq behind the first sixteen bytes.
const LOW_BITS: u32 = 32;
/// Where the marks of an account stand among its entries: behind all runs.
const MARKS: u8 = (1 << RUN_BITS) - 1;

/// Account, run, `effective_at`, seq, as one number, big-endian: 47, 7, 59 and 47 bits.
pub(super) fn entry_key(number: u64, run: u8, effective_at: Timestamp, seq: u64) -> [u8; ENTRY_KEY] {
    let time = effective_at.micros_since(Timestamp::MIN).unsigned_abs();
    packed(number, run, time, seq)
}

/// The first key behind a run's end; without one, of the run.
pub(super) fn entry_key_behind(number: u64, run: u8, end: Option<Tail>) -> [u8; ENTRY_KEY] {
    let start = end.map_or((Timestamp::MIN, 0), |end| (end.effective_at, end.seq.saturating_add(1)));
    entry_key(number, run, start.0, start.1)
}

fn packed(number: u64, run: u8, time: u64, seq: u64) -> [u8; ENTRY_KEY] {
    let (number, seq) = (number.min(MAX_SEQ), seq.min(MAX_SEQ));
    let mut high = u128::from(number);
    high = (high << RUN_BITS) | u128::from(run & MARKS);
    high = (high << TIME_BITS) | u128::from(time & ((1 << TIME_BITS) - 1));
    high = (high << (SEQ_BITS - LOW_BITS)) | u128::from(seq >> LOW_BITS);
    let low = u32::try_from(seq & u64::from(u32::MAX)).unwrap_or_default();
    let mut key = [0; ENTRY_KEY];
    for (to, from) in key.iter_mut().zip(high.to_be_bytes().into_iter().chain(low.to_be_bytes())) {
        *to = from;
    }
    key
}

/// Bytes a stretch begins with: enough for a run that seldom goes on.
const STRETCH: usize = 128;

/// The key of a mark: account, seq. It lies behind the account's stretches.
pub(super) fn mark_key(number: u64, seq: u64) -> [u8; ENTRY_KEY] {
    packed(number, MARKS, seq.min(MAX_SEQ), 0)
}

/// The seq of a mark's key.
pub(super) fn decode_mark_key(key: &[u8]) -> Result<u64, StoreError> {
    let micros = decode_entry_key(key)?.effective_at.micros_since(Timestamp::MIN);
    Ok(micros.unsigned_abs())
}

/// The ends of an account's runs behind an entry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Mark {
    /// The entry's.
    pub(super) version: u64,
    pub(super) tails: Vec<Tail>,
}

pub(super) fn encode_mark(version: u64, tails: &[Tail]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(tails.len() * 16 + 12);
    let mut row = Row(&mut bytes);
    row.number(version.into());
    row.tails(tails);
    bytes
}

pub(super) fn decode_mark(bytes: &[u8], scale: u32) -> Result<Mark, StoreError> {
    let mut cells = Cells(bytes);
    Ok(Mark { version: cells.u64()?, tails: cells.tails(scale)? })
}

/// An entry in its run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) place: Place,
    /// The run's sum behind it.
    pub(super) run_after: Balance,
}

/// Entries of one run, one behind the other, by what each differs from the one before. The first one's place is in
/// the key, which is that of its entry.
#[derive(Clone, Debug)]
pub(super) struct Stretch {
    first: Place,
    last: Step,
    row: Vec<u8>,
}

impl Stretch {
    pub(super) fn of(first: Step) -> Self {
        let mut row = Vec::with_capacity(STRETCH);
        Row(&mut row).signed(first.run_after.units());
        Self { first: first.place, last: first, row }
    }

    /// Adds the next one: neither its time nor its seq is before the last one's.
    pub(super) fn push(&mut self, next: Step) {
        let mut row = Row(&mut self.row);
        let (here, before) = (next.place, self.last.place);
        row.small(here.effective_at.micros_since(before.effective_at).unsigned_abs());
        row.small(here.seq.saturating_sub(before.seq));
        row.signed(next.run_after.units() - self.last.run_after.units());
        self.last = next;
    }

    pub(super) fn into_row(self, number: u64, run: u8) -> ([u8; ENTRY_KEY], Vec<u8>) {
        (entry_key(number, run, self.first.effective_at, self.first.seq), self.row)
    }
}

/// The last step of a stretch that counts by a time and is known at a seq; none if the first is not.
pub(super) fn last_step(
    first: Place,
    row: &[u8],
    scale: u32,
    at: Timestamp,
    known: u64,
) -> Result<Option<Step>, StoreError> {
    let mut cells = Cells(row);
    let (mut place, mut sum, mut last) = (first, cells.signed()?, None);
    while place.effective_at <= at && place.seq <= known {
        last = Some((place, sum));
        if cells.0.is_empty() {
            break;
        }
        let later = i64::try_from(cells.u64()?).map_err(|_| damaged("a row has a time out of range"))?;
        let out_of_range = || damaged("a row has a number out of range");
        place = Place {
            effective_at: place.effective_at.plus_micros(later),
            seq: place.seq.checked_add(cells.u64()?).ok_or_else(out_of_range)?,
        };
        sum = sum.checked_add(cells.signed()?).ok_or_else(out_of_range)?;
    }
    let step = |(place, sum)| {
        let run_after = Balance::from_units(sum, scale).map_err(|_| damaged("a row has a balance out of range"))?;
        Ok(Step { place, run_after })
    };
    last.map(step).transpose()
}

/// What an entry's key says, the account and run aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) effective_at: Timestamp,
    pub(super) seq: u64,
}

pub(super) fn decode_entry_key(key: &[u8]) -> Result<Place, StoreError> {
    let bad = || damaged("an entry has no good key");
    let (high, low) = key.split_first_chunk::<16>().ok_or_else(bad)?;
    let low: [u8; 4] = low.try_into().map_err(|_| bad())?;
    let high = u128::from_be_bytes(*high);
    let bits = |shift: u32, width: u32| u64::try_from((high >> shift) & ((1 << width) - 1)).unwrap_or_default();
    let high_bits = SEQ_BITS - LOW_BITS;
    let seq = (bits(0, high_bits) << LOW_BITS) | u64::from(u32::from_be_bytes(low));
    let time = i64::try_from(bits(high_bits, TIME_BITS)).map_err(|_| bad())?;
    Ok(Place { effective_at: Timestamp::MIN.plus_micros(time), seq })
}

/// The part of an entry that is not in its key.
#[derive(Clone, Copy, Debug)]
pub(super) struct EntryRow {
    pub(super) run_after: Balance,
    pub(super) amount: Balance,
    pub(super) balance_after: Balance,
    pub(super) version: u64,
}

pub(super) fn encode_entry(entry: &EntryRow, row: &mut Vec<u8>) {
    let mut row = Row(row);
    row.signed(entry.run_after.units());
    row.signed(entry.amount.units());
    row.signed(entry.balance_after.units());
    row.number(entry.version.into());
}

pub(super) fn decode_entry(bytes: &[u8], scale: u32) -> Result<EntryRow, StoreError> {
    let mut cells = Cells(bytes);
    Ok(EntryRow {
        run_after: cells.balance(scale)?,
        amount: cells.balance(scale)?,
        balance_after: cells.balance(scale)?,
        version: cells.u64()?,
    })
}

/// A journal row: the hash, the trace, the record's bytes.
pub(super) fn encode_stored(stored: &Stored, row: &mut Vec<u8>) {
    row.extend_from_slice(&stored.hash.0);
    Row(row).text(stored.trace.as_deref().unwrap_or_default());
    row.extend_from_slice(&stored.bytes);
}

pub(super) fn decode_stored(bytes: &[u8]) -> Result<Stored, StoreError> {
    let mut cells = Cells(bytes);
    let hash = cells.take(32)?.try_into().map(Hash).map_err(|_| damaged("a journal row is cut off"))?;
    let trace = match cells.text()? {
        "" => None,
        text => Some(text.into()),
    };
    Stored::open(cells.0, hash, trace).map_err(|error| StoreError::corrupt(STORE, error))
}

/// A transaction's id as a key.
pub(super) fn transaction_key(id: TransactionId) -> [u8; 16] {
    ((u128::from(id.epoch) << 64) | u128::from(id.seq)).to_be_bytes()
}

pub(super) fn decode_transaction(bytes: &[u8]) -> Result<TransactionId, StoreError> {
    let both = bytes.try_into().map(u128::from_be_bytes).map_err(|_| damaged("a reversal has no good id"))?;
    Ok(TransactionId {
        epoch: u64::try_from(both >> 64).unwrap_or_default(),
        seq: u64::try_from(both & u128::from(u64::MAX)).unwrap_or_default(),
    })
}

pub(super) fn decode_seq(bytes: &[u8]) -> Result<u64, StoreError> {
    bytes.try_into().map(u64::from_be_bytes).map_err(|_| damaged("a seq is cut off"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Any account, run, time and seq, the ends among them.
    fn place() -> impl Strategy<Value = (u64, u8, Timestamp, u64)> {
        let time = prop_oneof![
            (Timestamp::MIN.as_micros()..=Timestamp::MAX.as_micros()).prop_map(Timestamp::from_micros),
            Just(Timestamp::MIN),
            Just(Timestamp::MAX),
        ];
        let seq = || prop_oneof![0..=MAX_SEQ, Just(MAX_SEQ)];
        (0..MAX_SEQ, 0..=wallet_core::runs::OVERFLOW, time, seq())
    }

    proptest! {
        #[test]
        fn entry_keys_sort_by_account_run_time_and_seq(a in place(), b in place()) {
            let key = |p: (u64, u8, Timestamp, u64)| entry_key(p.0, p.1, p.2, p.3);
            prop_assert_eq!(key(a).cmp(&key(b)), a.cmp(&b));
            prop_assert_eq!(decode_entry_key(&key(a)).unwrap(), Place { effective_at: a.2, seq: a.3 });
            // Marks lie behind the account's entries, in front of the next account's.
            prop_assert!(key(a) < mark_key(a.0, a.3) && mark_key(a.0, a.3) < key((a.0 + 1, a.1, a.2, a.3)));
            prop_assert_eq!(mark_key(a.0, a.3).cmp(&mark_key(a.0, b.3)), a.3.cmp(&b.3));
        }

        #[test]
        fn a_stretch_says_what_its_entries_say(
            steps in prop::collection::vec((0_i64..1_000, 1_u64..1_000, -10_i128.pow(27)..10_i128.pow(27)), 1..70),
            at in 0_i64..30_000, known in 0_u64..30_000
        ) {
            let mut place = Place { effective_at: Timestamp::EPOCH, seq: 0 };
            let steps: Vec<_> = steps.into_iter().map(|(later, seqs, sum)| {
                place = Place { effective_at: place.effective_at.plus_micros(later), seq: place.seq + seqs };
                Step { place, run_after: Balance::from_units(sum, 2).unwrap() }
            }).collect();
            let (first, rest) = steps.split_first().unwrap();
            let mut stretch = Stretch::of(*first);
            for step in rest {
                stretch.push(*step);
            }
            let (key, row) = stretch.into_row(7, 3);
            prop_assert_eq!(key, entry_key(7, 3, first.place.effective_at, first.place.seq));
            let at = Timestamp::from_micros(at);
            let right = steps.iter().take_while(|step| step.place.effective_at <= at && step.place.seq <= known).last();
            let said = last_step(decode_entry_key(&key).unwrap(), &row, 2, at, known).unwrap();
            prop_assert_eq!(said, right.copied());
            prop_assert!(last_step(first.place, &row[..row.len() - 1], 2, Timestamp::MAX, u64::MAX).is_err());
        }

        #[test]
        fn accounts_read_back(balance in -10_i128.pow(20)..10_i128.pow(20), floor in prop::option::of(0_i128..10_i128.pow(20)),
            version in any::<u64>(), tails in prop::collection::vec((any::<i32>(), any::<u64>(), -1_000_000_i128..1_000_000), 0..5)) {
            let money = |units| Balance::from_units(units, 3).unwrap();
            let account = Account {
                id: AccountId::Wallet("w".parse().unwrap()), owner: Some("o".parse().unwrap()), asset: "BHD".parse().unwrap(),
                status: Status::Frozen, floor: floor.map_or(Floor::None, |f| Floor::At(money(-f))), balance: money(balance), version,
                opened_at: Timestamp::from_micros(-5), opened_seq: 7, seq: 9,
                runs: Runs { tails: tails.into_iter().map(|(t, seq, sum)| Tail { effective_at: Timestamp::from_micros(t.into()), seq, sum: money(sum) }).collect(), overflow: 3 },
            };
            let mut bytes = Vec::new();
            encode_account(&account, &mut bytes);
            prop_assert_eq!(decode_account(account.id.clone(), &bytes).unwrap(), account);
            prop_assert!(decode_account(AccountId::Wallet("w".parse().unwrap()), &bytes[..bytes.len() - 1]).is_err());
        }
    }
}
