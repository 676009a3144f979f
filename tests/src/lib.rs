//! What the whole-system tests share: a sample of their own, made by a small generator, with the
//! results an independent fold expects. Nothing here uses the project's code, so that an error in
//! its arithmetic or its times cannot hide on both sides.

pub mod expect;
pub mod front;
pub mod issuer;
pub mod proxy;
pub mod sample;

/// An HTTP client of the tests' own, to be completed: no proxy, and the same TLS as the programs.
pub fn http() -> reqwest::ClientBuilder {
    // The first call makes the choice for the process; the others find it made.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy()
}
