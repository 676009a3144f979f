//! The wallet store on MySQL 8: the control plane's rows, which follow the ledger.
//!
//! Every write is one durable transaction: a single statement commits by itself (one round trip), several are put
//! between START TRANSACTION and COMMIT. Rows replace older ones by seq inside the statement, so writers need no order and any
//! write may be repeated: one that met a deadlock or a lost connection is, within its time limit.
//! Lists are keyset pages on the primary key, on (owner, id) or on (state, id). What contradicts the types on the
//! way out is damage and is said so, never guessed at.
//!
//! MariaDB is another engine (no row alias in ON DUPLICATE KEY, no checked constraints of this kind) and is refused.

mod errors;
mod facts;
mod rows;
mod schema;
mod server;

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use async_trait::async_trait;
use wallet_core::{
    ids::WalletId,
    ports::{Clock, Page, StoreError, WalletQuery, WalletRow, WalletStore},
};

pub use self::facts::{Facts, PoolUse};
use self::server::{Server, Statement};
use super::{
    connection::Connection,
    schema::{OpenError, Schema},
};

const STORE: &str = "wallet store";

/// Rows taken away by one statement of [`WalletStore::clear`]: few enough to stay inside its time limit.
const CLEARED_AT_A_TIME: u64 = 10_000;

/// The [`WalletStore`] on a MySQL server. Clones share one pool of connections.
#[derive(Clone)]
pub struct MysqlWallets {
    server: Arc<Server>,
    checked: Arc<AtomicBool>,
}

impl MysqlWallets {
    /// A store whose server is looked at when it is first used: for a daemon that starts while the server is down. A
    /// schema that is not this program's makes every call fail.
    pub fn lazy(connection: &Connection) -> Result<Self, OpenError> {
        Ok(Self { server: Arc::new(Server::new(connection)?), checked: Arc::default() })
    }

    /// Connects, and checks that the schema is this program's.
    pub async fn open(connection: &Connection) -> Result<Self, OpenError> {
        let store = Self::lazy(connection)?;
        store.check().await?;
        Ok(store)
    }

    /// How the database's schema stands, without touching it.
    pub async fn schema(connection: &Connection) -> Result<Schema, OpenError> {
        schema::found(&Server::new(connection)?).await
    }

    /// Brings the schema up to date. Two daemons may do so at a time.
    pub async fn migrate(connection: &Connection) -> Result<Schema, OpenError> {
        schema::migrate(connection).await
    }

    /// Makes a database of this plain name beside the connection's own: a benchmark's.
    pub async fn make_database(connection: &Connection, name: &str) -> Result<(), OpenError> {
        schema::make_database(connection, name).await
    }

    /// Drops a database that [`MysqlWallets::make_database`] made.
    pub async fn drop_database(connection: &Connection, name: &str) -> Result<(), OpenError> {
        schema::drop_database(connection, name).await
    }

    /// What the doctor asks the server. `clock` is this daemon's, to hold the server's against.
    pub async fn facts(&self, clock: &dyn Clock) -> Result<Facts, OpenError> {
        facts::ask(&self.server, clock).await
    }

    /// How the pool is used at this moment.
    pub fn pool(&self) -> PoolUse {
        self.server.pool_use()
    }

    async fn check(&self) -> Result<(), OpenError> {
        schema::check(&self.server).await?;
        self.checked.store(true, Ordering::Relaxed);
        Ok(())
    }

    async fn server(&self) -> Result<&Server, StoreError> {
        if !self.checked.load(Ordering::Relaxed) {
            self.check().await.map_err(|error| match error {
                OpenError::Store(error) => error,
                other => StoreError::unavailable(STORE, other),
            })?;
        }
        Ok(&self.server)
    }
}

#[async_trait]
impl WalletStore for MysqlWallets {
    async fn opening(&self, rows: &[WalletRow]) -> Result<(), StoreError> {
        let statements = rows::opening(rows)?;
        self.server().await?.write(&statements).await.map(drop)
    }

    async fn put_if_newer(&self, rows: &[WalletRow]) -> Result<(), StoreError> {
        let statements = rows::put_if_newer(rows)?;
        self.server().await?.write(&statements).await.map(drop)
    }

    async fn forget_opening(&self, ids: &[WalletId]) -> Result<(), StoreError> {
        self.server().await?.write(&rows::forget_opening(ids)).await.map(drop)
    }

    async fn get(&self, id: &WalletId) -> Result<Option<WalletRow>, StoreError> {
        Ok(self.get_many(std::slice::from_ref(id)).await?.pop())
    }

    async fn get_many(&self, ids: &[WalletId]) -> Result<Vec<WalletRow>, StoreError> {
        let mut found = Vec::with_capacity(ids.len());
        for statement in rows::get_many(ids) {
            for row in self.server().await?.read(&statement).await? {
                found.push(rows::wallet(row)?);
            }
        }
        Ok(found)
    }

    async fn list(&self, query: &WalletQuery) -> Result<Page<WalletRow>, StoreError> {
        let found = self.server().await?.read(&rows::list(query)).await?;
        let mut items = found.into_iter().map(rows::wallet).collect::<Result<Vec<_>, _>>()?;
        let more = items.len() > query.limit;
        items.truncate(query.limit);
        Ok(Page { items, more })
    }

    async fn position(&self) -> Result<u64, StoreError> {
        let found = self.server().await?.read(&Statement::plain("SELECT position FROM follower WHERE one = 1")).await?;
        let row = found.into_iter().next();
        let row = row.ok_or_else(|| StoreError::corrupt(STORE, "its follower's row is missing"))?;
        rows::Cells::of(row).number()
    }

    async fn follow(&self, rows: &[WalletRow], position: u64) -> Result<(), StoreError> {
        let mut statements = rows::put_if_newer(rows)?;
        statements.push(rows::advance(position));
        self.server().await?.write(&statements).await.map(drop)
    }

    /// The position first, then the rows piece by piece: one cut short is at 0 and is cleared or followed anew.
    async fn clear(&self) -> Result<(), StoreError> {
        let server = self.server().await?;
        server.write(&[Statement::plain("UPDATE follower SET position = 0 WHERE one = 1")]).await?;
        let piece = [Statement::plain(format!("DELETE FROM wallets LIMIT {CLEARED_AT_A_TIME}"))];
        while server.write(&piece).await? > 0 {}
        Ok(())
    }
}
