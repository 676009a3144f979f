//! Assets: a currency or unit with a fixed number of fraction digits.
//!
//! ISO 4217's active currencies are built in (minor units from the standard's list one); anything
//! else is registered in the journal, once, and never changes its scale.

mod iso4217;

use std::{collections::BTreeMap, fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::text::TextError;

/// Most fraction digits an asset may have. ETH, the finest in wide use, has 18.
pub const MAX_SCALE: u32 = 18;
/// Longest asset code.
pub const MAX_CODE: usize = 12;

/// An asset's code: `[A-Z][A-Z0-9]{1,11}`, for example `EUR` or `BTC`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AssetCode {
    bytes: [u8; MAX_CODE],
    len: u8,
}

impl AssetCode {
    /// The code as text.
    pub fn as_str(&self) -> &str {
        // Only ASCII is ever stored, so this cannot fail; the empty string would be visible at once.
        std::str::from_utf8(self.bytes.get(..usize::from(self.len)).unwrap_or_default()).unwrap_or_default()
    }
}

impl FromStr for AssetCode {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        let good = (2..=MAX_CODE).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
            && text.starts_with(|c: char| c.is_ascii_uppercase());
        if !good {
            return Err(TextError::new("asset", "2 to 12 capital letters and digits, a letter first"));
        }
        let mut bytes = [0; MAX_CODE];
        for (to, from) in bytes.iter_mut().zip(text.bytes()) {
            *to = from;
        }
        Ok(Self { bytes, len: u8::try_from(text.len()).unwrap_or_default() })
    }
}

impl fmt::Display for AssetCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for AssetCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

crate::text::serde_as_text!(AssetCode);

/// A currency or unit and its number of fraction digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Asset {
    /// The code.
    pub code: AssetCode,
    /// Fraction digits: 2 for EUR, 0 for JPY, 8 for BTC.
    pub scale: u32,
}

/// Every asset a ledger knows: the built-in ones and those registered in its journal.
#[derive(Clone, Debug, Default)]
pub struct Assets {
    registered: BTreeMap<AssetCode, Asset>,
}

impl Assets {
    /// The asset of this code, if it is known.
    pub fn get(&self, code: AssetCode) -> Option<Asset> {
        self.registered.get(&code).copied().or_else(|| iso4217::get(code))
    }

    /// Adds a registered asset. A later one of the same code replaces it: the caller has checked.
    pub fn register(&mut self, asset: Asset) {
        self.registered.insert(asset.code, asset);
    }

    /// The registered assets, sorted by code.
    pub fn registered(&self) -> impl Iterator<Item = Asset> {
        self.registered.values().copied()
    }

    /// The built-in assets, sorted by code.
    pub fn built_in() -> impl Iterator<Item = Asset> {
        iso4217::all()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn built_in_assets_have_their_standard_scale() {
        let assets = Assets::default();
        for (code, scale) in [("EUR", 2), ("JPY", 0), ("BHD", 3), ("CLF", 4), ("CZK", 2)] {
            assert_eq!(assets.get(code.parse().unwrap()).unwrap().scale, scale, "{code}");
        }
        assert!(assets.get("BTC".parse().unwrap()).is_none());
        let codes: Vec<_> = Assets::built_in().map(|a| a.code).collect();
        assert!(codes.is_sorted() && codes.len() > 150, "{}", codes.len());
    }

    #[test]
    fn codes_follow_the_grammar() {
        for bad in ["", "E", "eur", "1INCH", "TOOLONGACODE1", "EU R", "EÜR"] {
            assert!(bad.parse::<AssetCode>().is_err(), "{bad}");
        }
        assert_eq!("USDC".parse::<AssetCode>().unwrap().to_string(), "USDC");
    }
}
