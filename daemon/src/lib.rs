//! walletd: the headless wallet daemon. The flow is one-way: gateway, service, core decision,
//! adapter, journal, relay, projections.

pub mod adapters;
pub mod address;
mod allocator;
pub mod backup;
pub mod cli;
pub mod compose;
pub mod config;
pub mod gateway;
pub mod lifecycle;
pub mod metrics;
mod operate;
pub mod rawbench;
pub mod serve;
pub mod services;
pub mod telemetry;
