//! Services: what the daemon does, on ports only. No adapter is named here.

pub mod access;
pub mod assets;
pub mod audit;
pub mod balances;
pub mod commits;
mod error;
mod freshen;
pub mod identity;
pub mod moments;
mod pace;
pub mod projections;
pub mod rebuild;
pub mod relay;
pub mod status;
#[cfg(test)]
mod testing;
pub mod transactions;
mod turns;
pub mod wallets;

pub use self::error::{ServiceError, whole};
