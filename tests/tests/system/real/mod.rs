//! The same promises on real servers, and what happens when those fail.
//!
//! Every test has databases, topics and Redis numbers of its own on the stack that `make test` starts
//! (tests/stack); without one it says that it is skipped. What moves money is checked by SQL afterwards.

mod auth;
mod bench;
mod busy;
mod crashes;
mod deploy;
mod encrypted;
mod evidence;
mod keycloak;
mod links;
mod load;
mod losses;
mod money;
mod own;
mod replicas;
mod restore;
mod servers;
mod stores;
mod tracing;
mod whole;
