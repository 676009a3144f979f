//! Request and response bodies of the HTTP API, v1, a file a topic.

mod assets;
mod audit;
mod balances;
mod batches;
mod common;
mod identity;
mod status;
mod transactions;
mod wallets;

pub use self::{
    assets::*, audit::*, balances::*, batches::*, common::*, identity::*, status::*, transactions::*, wallets::*,
};
