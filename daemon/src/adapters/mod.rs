//! Adapters: what implements the ports of wallet-core. Each knows core and its engine, nothing else.

pub mod buckets;
pub mod connection;
pub mod embedded;
pub mod finding;
pub mod issuer;
pub mod kafka;
pub mod mongo;
pub mod mysql;
pub mod postgres;
mod recent;
pub mod redis;
pub mod schema;
