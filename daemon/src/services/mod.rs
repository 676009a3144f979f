//! Services: what the daemon does, on ports only. No adapter is named here.

pub mod assets;
pub mod audit;
pub mod balances;
pub mod commits;
mod error;
pub mod moments;
pub mod status;
pub mod transactions;

pub use self::error::ServiceError;
