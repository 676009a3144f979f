//! Cuts: names of one state of the whole ledger, for ever.

use std::{fmt, str::FromStr};

use crate::{
    text::{TextError, serde_as_text},
    time::Timestamp,
};

/// A SHA-256 hash of the journal's chain; 64 lower-case hex digits as text.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Hash(pub [u8; 32]);

impl FromStr for Hash {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        let wrong = TextError::new("hash", "64 hex digits");
        if text.len() != 64 {
            return Err(wrong);
        }
        let mut bytes = [0; 32];
        for (to, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            let digits = std::str::from_utf8(pair).map_err(|_| wrong.clone())?;
            if !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
                return Err(wrong);
            }
            *to = u8::from_str_radix(digits, 16).map_err(|_| wrong.clone())?;
        }
        Ok(Self(bytes))
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        // All at once: every answer has one.
        let mut text = [0; 64];
        let digit = |value: u8| DIGITS.get(usize::from(value)).copied().unwrap_or_default();
        for (pair, byte) in text.chunks_exact_mut(2).zip(self.0) {
            pair.copy_from_slice(&[digit(byte >> 4), digit(byte & 15)]);
        }
        f.write_str(std::str::from_utf8(&text).unwrap_or_default())
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

serde_as_text!(Hash);

/// One state of the whole ledger: everything up to and including record `seq` of `epoch`.
///
/// Written down or signed, a cut proves later that nothing up to it was changed or cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    /// How often the ledger was restored from a backup, plus one.
    pub epoch: u64,
    /// The last record it holds; 0 for an empty ledger.
    pub seq: u64,
    /// When that record was made.
    pub recorded_at: Timestamp,
    /// That record's chain hash.
    pub hash: Hash,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_read_back() {
        let hash = Hash(std::array::from_fn(|i| u8::try_from(i * 7).unwrap()));
        assert_eq!(hash.to_string().parse::<Hash>().unwrap(), hash);
        assert!("+f".repeat(32).parse::<Hash>().is_err());
    }
}
