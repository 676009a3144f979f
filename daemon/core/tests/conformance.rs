//! The ledger in memory passes the list that every engine passes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test says what is wrong by panicking")]

mod common;

use std::sync::Arc;

use async_trait::async_trait;
use common::block_on;
use wallet_core::{
    conformance::{Bed, LEDGER_CHECKS, run_all},
    model::MemoryLedger,
    ports::{LedgerStore, StoreError},
};

struct Memory;

#[async_trait]
impl Bed<dyn LedgerStore> for Memory {
    async fn fresh(&self, id: &str) -> Result<Arc<dyn LedgerStore>, StoreError> {
        Ok(Arc::new(MemoryLedger::new(id)))
    }
}

#[test]
fn the_ledger_in_memory_keeps_every_promise() {
    if let Err(broken) = block_on(run_all(LEDGER_CHECKS, &Memory)) {
        panic!("{broken}");
    }
}
