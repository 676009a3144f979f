//! The ledger on PostgreSQL, shared by any number of daemons.
//!
//! One row, the clock, is the ledger's lock: whoever holds it is the only writer, so all daemons' batches are in one total
//! order and accounts need no locks of their own. A commit is one transaction in two round trips of pipelined statements
//! ([`commit`]), or in one where all is known ([`guess`]); reads go over a bounded pool ([`read`], [`past`]). Plain SQL only: `migrations/postgres`.
//!
//! What this daemon keeps in memory (accounts, assets, the last records) is used only while the clock row proves that
//! nobody else has written. An error says whether the commit certainly did not happen ([`errors`]); a lost answer is
//! settled by looking, under the clock row's lock.
//!
//! Cost: a connection for the writer and one for commits of callers that are alone, the pool's for readers; 250 bytes an account kept, at most
//! [`commit::CACHED_ACCOUNTS`]; the last records ([`super::recent`]).

pub(crate) mod codec;
mod commit;
mod decision;
mod draft;
mod errors;
mod facts;
mod gather;
mod guess;
mod head;
mod leases;
pub(crate) mod link;
mod look;
mod past;
mod read;
mod rows;
mod schema;
mod session;
mod write;

use std::{sync::Arc, time::Duration};

use deadpool_postgres::Pool;
use tokio::{runtime::Handle, sync::Mutex};
use wallet_core::{cut::Hash, journal::genesis, ports::Clock};

use self::{commit::Writer, link::Link};
pub use self::{
    draft::Draft,
    facts::{Facts, PoolUse, Setting, facts},
    leases::PostgresLeases,
    schema::{drop_database, make_database, migrate, schema},
};
use super::{connection::Connection, recent::Recent, schema::OpenError};

/// The name errors give this store.
const STORE: &str = "ledger";

/// The ledger on PostgreSQL.
pub struct PostgresLedger {
    id: String,
    genesis: Hash,
    link: Link,
    pool: Pool,
    /// Where the pool's connections live: the writer asks from a runtime of its own, which is not always at hand.
    home: Handle,
    /// Most time for one operation.
    limit: Duration,
    clock: Arc<dyn Clock>,
    writer: Mutex<Writer>,
    recent: Recent,
    head: head::Shared,
    looks: look::Looks,
}

impl PostgresLedger {
    /// Opens a ledger whose schema is this program's. A new one gets `new_id`; of several daemons that open a new one at
    /// once, all get the id of the first.
    pub async fn open(connection: &Connection, new_id: String, clock: Arc<dyn Clock>) -> Result<Self, OpenError> {
        let found = schema(connection).await?;
        if !found.is_current() {
            return Err(OpenError::Schema { store: STORE, schema: found });
        }
        Self::on(Link::new(connection, "walletd ledger")?, connection, &new_id, clock).await
    }

    /// The same, at the end of a way of its own.
    async fn on(link: Link, connection: &Connection, new_id: &str, clock: Arc<dyn Clock>) -> Result<Self, OpenError> {
        let pool = link.pool(connection.pool)?;
        let id = schema::identify(&link, new_id).await?;
        Ok(Self {
            genesis: genesis(&id),
            id,
            link,
            pool,
            home: Handle::current(),
            limit: connection.timeout,
            clock,
            writer: Mutex::new(Writer::new()),
            recent: Recent::default(),
            head: head::Shared::default(),
            looks: look::Looks::default(),
        })
    }
}
