//! One daemon on stores of a test's own while 32 clients transfer: what every test of a fault begins and ends with.

use std::time::Duration;

use super::{
    load::{self, Load, Tally},
    money,
    stores::{Stores, Way},
};
use crate::harness::{Daemon, World};

/// Clients that transfer.
pub const CLIENTS: usize = 32;
/// Transfers that show that money moves.
pub const SOME: u64 = 300;
/// How their keys begin.
const PREFIX: &str = "l";

/// Nothing that was acknowledged is missing, nothing is there that was not sent or was refused, every key once.
#[track_caller]
pub fn account_for(stores: &Stores, tally: &Tally, prefix: &str) {
    let sql = stores.sql();
    money::check(&sql);
    let there = money::keys(&sql, &format!("{prefix}-"));
    let lost: Vec<_> = tally.acknowledged.difference(&there).take(5).collect();
    assert!(lost.is_empty(), "acknowledged and not there: {lost:?}");
    let sneaked: Vec<_> = there.difference(&tally.acknowledged).take(5).collect();
    assert!(sneaked.is_empty(), "there and never acknowledged: {sneaked:?}");
    assert!(tally.refused.is_disjoint(&there));
}

/// The daemon, its stores, and the clients at work. They end in this order.
pub struct Busy {
    pub load: Load,
    pub daemon: Daemon,
    pub world: World,
    pub way: Way,
    pub stores: Stores,
    pub wallets: Vec<String>,
    what: String,
}

impl Busy {
    /// Starts it; money moves when this returns.
    #[track_caller]
    pub fn on(what: &str, stores: Stores, way: Way) -> Self {
        let world = World::having(&way.env);
        let daemon = world.daemon();
        let wallets = load::wallets(&world, "w_", 10);
        world.settles(what);
        let load = Load::start(PREFIX, &[world.socket()], &wallets, CLIENTS);
        load.moves(SOME, "before");
        Self { load, daemon, world, way, stores, wallets, what: what.into() }
    }

    /// Money moves on; how long that took.
    #[track_caller]
    pub fn moves(&self, what: &str) -> Duration {
        self.load.moves(SOME, what)
    }

    /// When the clients have stopped: what follows the ledger is at its end, what was acknowledged is there and nothing else,
    /// every store says the same, and the daemon, the same one all the time, ends well.
    #[track_caller]
    pub fn ends_right(self, tally: &Tally) {
        self.world.settles(&self.what);
        account_for(&self.stores, tally, PREFIX);
        self.world.ctl("audit verify --stores").ok();
        assert_eq!(self.daemon.stop(), 0);
    }

    /// The same, and no client had to send anything twice.
    #[track_caller]
    pub fn was_never_refused(self, tally: &Tally) {
        assert!(tally.again.is_empty(), "a client had to try again: {:?}", tally.again);
        self.ends_right(tally);
    }
}
