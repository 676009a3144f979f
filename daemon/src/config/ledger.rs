//! `[ledger]`: memory and disk of the embedded ledger.

use serde::{Deserialize, Serialize};

use super::Invalid;

const MIB: u64 = 1 << 20;

/// Memory and disk of the embedded ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ledger {
    /// Memory for blocks read from disk.
    pub cache_bytes: u64,
    /// Memory for what is not yet in a table, over all keyspaces.
    pub write_buffer_bytes: u64,
    /// Bytes kept free on the disk: below it writes are refused, so that compaction and a restart
    /// still have room.
    pub reserve_bytes: u64,
}

impl Default for Ledger {
    fn default() -> Self {
        // Small, since a write buffer is held twice while it is written out; performance.md has what the whole takes.
        Self { cache_bytes: 16 * MIB, write_buffer_bytes: 20 * MIB, reserve_bytes: 16 * MIB }
    }
}

impl Ledger {
    pub(super) fn validate(&self) -> Result<(), Invalid> {
        Invalid::range("ledger.cache_bytes", &self.cache_bytes, MIB..=1 << 40)?;
        Invalid::range("ledger.write_buffer_bytes", &self.write_buffer_bytes, 4 * MIB..=1 << 36)?;
        Invalid::range("ledger.reserve_bytes", &self.reserve_bytes, 0..=1 << 44)
    }
}
