//! What happened, as the model keeps it, and every question about it: each goes through all facts.

use std::collections::BTreeMap;

use crate::{
    asset::{AssetCode, Assets, MAX_SCALE},
    command::Action,
    ids::{Owner, WalletId},
    key::ScopedKey,
};

/// One thing that happened; its seq is its place in the list, from 1.
#[derive(Clone, Debug)]
pub(super) struct Fact {
    pub(super) key: ScopedKey,
    /// What was asked for, to compare a repeat with.
    pub(super) action: Action,
    pub(super) what: What,
    pub(super) recorded: i64,
}

#[derive(Clone, Debug)]
pub(super) enum What {
    Moved { from: Option<WalletId>, to: Option<WalletId>, units: i128, asset: AssetCode, at: i64, undoes: Option<u64> },
    Opened { wallet: WalletId, asset: AssetCode, floor: Option<i128>, at: i64 },
    Became { wallet: WalletId, status: &'static str },
    Limited { wallet: WalletId, floor: Option<i128> },
    Known { asset: AssetCode, scale: u32 },
    Noted,
}

/// A wallet as all facts together make it.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) asset: AssetCode,
    pub(super) status: &'static str,
    /// Lowest balance a debit may leave; none for no limit.
    pub(super) floor: Option<i128>,
    pub(super) opened_at: i64,
}

/// The list. Times are microseconds, money is whole units of the asset's scale.
#[derive(Clone, Debug, Default)]
pub(super) struct Facts(pub(super) Vec<Fact>);

impl Facts {
    pub(super) fn numbered(&self) -> impl DoubleEndedIterator<Item = (u64, &Fact)> {
        (1_u64..).zip(&self.0).collect::<Vec<_>>().into_iter()
    }

    pub(super) fn get(&self, seq: u64) -> Option<&Fact> {
        self.numbered().find(|(number, _)| *number == seq).map(|(_, fact)| fact)
    }

    pub(super) fn by_key(&self, key: &ScopedKey) -> Option<(u64, &Fact)> {
        self.numbered().find(|(_, fact)| fact.key == *key)
    }

    pub(super) fn scale(&self, code: AssetCode) -> Option<u32> {
        let registered = self.0.iter().find_map(|fact| match &fact.what {
            What::Known { asset, scale } if *asset == code => Some(*scale),
            _ => None,
        });
        registered.or_else(|| Assets::built_in().find(|asset| asset.code == code).map(|asset| asset.scale))
    }

    pub(super) fn wallet(&self, id: &WalletId) -> Option<Seen> {
        let mut seen = None;
        for fact in &self.0 {
            match (&fact.what, &mut seen) {
                (What::Opened { wallet, asset, floor, at }, None) if wallet == id => {
                    seen = Some(Seen { asset: *asset, status: "active", floor: *floor, opened_at: *at });
                }
                (What::Became { wallet, status }, Some(seen)) if wallet == id => seen.status = status,
                (What::Limited { wallet, floor }, Some(seen)) if wallet == id => seen.floor = *floor,
                _ => {}
            }
        }
        seen
    }

    pub(super) fn owner(&self, id: &WalletId) -> Option<&Owner> {
        self.0.iter().find_map(|fact| match (&fact.what, &fact.action) {
            (What::Opened { wallet, .. }, Action::OpenWallet(open)) if wallet == id => Some(&open.owner),
            _ => None,
        })
    }

    pub(super) fn undone_by(&self, seq: u64) -> Option<u64> {
        let undoes = |fact: &Fact| matches!(fact.what, What::Moved { undoes: Some(undone), .. } if undone == seq);
        self.numbered().find(|(_, fact)| undoes(fact)).map(|(number, _)| number)
    }

    /// The sum of a wallet's movements that count up to `at` and were recorded up to `known`.
    pub(super) fn balance(&self, id: &WalletId, at: i64, known: u64) -> i128 {
        let mut sum = 0;
        for (_, fact) in self.numbered().filter(|(seq, _)| *seq <= known) {
            if let What::Moved { from, to, units, at: when, .. } = &fact.what
                && *when <= at
            {
                if to.as_ref() == Some(id) {
                    sum += units;
                }
                if from.as_ref() == Some(id) {
                    sum -= units;
                }
            }
        }
        sum
    }

    /// What came from outside minus what went there, per asset, with the sign of an account.
    pub(super) fn outside(&self) -> BTreeMap<AssetCode, i128> {
        let mut sums = BTreeMap::new();
        for fact in &self.0 {
            if let What::Moved { from, to, units, asset, .. } = &fact.what {
                match (from, to) {
                    (None, _) => *sums.entry(*asset).or_insert(0) -= units,
                    (_, None) => *sums.entry(*asset).or_insert(0) += units,
                    _ => {}
                }
            }
        }
        sums
    }
}

/// Decimal text as whole units at a scale; none if it does not fit.
pub(super) fn units(text: &str, scale: u32) -> Option<i128> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let scale = usize::try_from(scale.min(MAX_SCALE)).ok()?;
    if fraction.len() > scale {
        return None;
    }
    let digits = format!("{whole}{fraction:0<scale$}");
    let units: i128 = digits.parse().ok()?;
    (units < 10_i128.pow(27)).then_some(units)
}
