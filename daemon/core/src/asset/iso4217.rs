//! Active currencies of ISO 4217 (list one, 2024 amendments) by their number of fraction digits.

use super::{Asset, AssetCode};

/// Currencies with something other than two fraction digits.
const OTHER: &[(&str, u32)] = &[
    ("BHD", 3),
    ("BIF", 0),
    ("CLF", 4),
    ("CLP", 0),
    ("DJF", 0),
    ("GNF", 0),
    ("IQD", 3),
    ("ISK", 0),
    ("JOD", 3),
    ("JPY", 0),
    ("KMF", 0),
    ("KRW", 0),
    ("KWD", 3),
    ("LYD", 3),
    ("OMR", 3),
    ("PYG", 0),
    ("RWF", 0),
    ("TND", 3),
    ("UGX", 0),
    ("UYI", 0),
    ("UYW", 4),
    ("VND", 0),
    ("VUV", 0),
    ("XAF", 0),
    ("XOF", 0),
    ("XPF", 0),
];

/// All codes, sorted.
const CODES: &str = "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BOV BRL BSD \
BTN BWP BYN BZD CAD CDF CHE CHF CHW CLF CLP CNY COP COU CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD \
FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW \
KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN \
NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD \
SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD USN UYI UYU UYW UZS VED VES VND VUV WST \
XAF XCD XOF XPF YER ZAR ZMW ZWG";

pub(super) fn get(code: AssetCode) -> Option<Asset> {
    let text = code.as_str();
    // Every code has three letters and the list is spaced evenly: a binary search without a table.
    let count = CODES.len().div_ceil(4);
    let (mut low, mut high) = (0_usize, count);
    while low < high {
        let middle = low.midpoint(high);
        let start = middle.saturating_mul(4);
        let here = CODES.get(start..start.saturating_add(3))?;
        match here.cmp(text) {
            std::cmp::Ordering::Equal => return Some(Asset { code, scale: scale(text) }),
            std::cmp::Ordering::Less => low = middle.saturating_add(1),
            std::cmp::Ordering::Greater => high = middle,
        }
    }
    None
}

pub(super) fn all() -> impl Iterator<Item = Asset> {
    CODES.split(' ').filter_map(|text| Some(Asset { code: text.parse().ok()?, scale: scale(text) }))
}

fn scale(text: &str) -> u32 {
    OTHER.iter().find(|(code, _)| *code == text).map_or(2, |(_, scale)| *scale)
}
