//! Redis: the balance cache and the rate limiter that all replicas share.
//!
//! Two URLs on purpose: a server that evicts cached balances would evict limits as well. Both go through a [`link::Link`],
//! which costs requests nothing while the server is dead. Every change is one script of one hash slot, so one server, a
//! primary with replicas and a cluster (`?cluster=true`) do.

mod breaker;
pub mod cache;
mod lease;
pub mod limiter;
mod link;

pub use self::{cache::RedisCache, limiter::RedisLimiter};
