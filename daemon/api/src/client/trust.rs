//! How connections are made: nothing between here and the server, and certificates that somebody vouches for.
//!
//! Reading the system's certificate authorities takes milliseconds: it is done for https and for nothing else.

use std::{sync::Once, time::Duration};

use reqwest::{Certificate, ClientBuilder};

use super::{CONNECT_TIMEOUT, ClientError, IDLE_TIMEOUT, causes};

/// An idle connection is asked after this time whether its other end is still there: a peer that went away without a
/// word is found out within a minute, however long an answer may take.
const KEEPALIVE: Duration = Duration::from_secs(30);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);
const KEEPALIVE_RETRIES: u32 = 3;

/// Makes this program's TLS the process's, once. Whoever builds a client of their own calls it first.
pub fn install_tls() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // Somebody else's choice, made earlier, stands.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
}

/// Whose certificates are believed: the system's authorities, and those of a file.
#[derive(Clone, Debug, Default)]
pub struct Trust {
    more: Vec<Certificate>,
}

impl Trust {
    /// The system's authorities and these, PEM.
    pub fn with(pem: &[u8]) -> Result<Self, ClientError> {
        let wrong = |why: String| ClientError::Endpoint(format!("the certificate authorities are not usable: {why}"));
        let more = Certificate::from_pem_bundle(pem).map_err(|e| wrong(causes(&e)))?;
        if more.is_empty() {
            return Err(wrong("there is no PEM certificate in the file".into()));
        }
        Ok(Self { more })
    }

    /// A client for https, still to be completed.
    pub fn tls(&self) -> ClientBuilder {
        bare()
            .tls_certs_merge(self.more.iter().cloned())
            .tcp_nodelay(true)
            .tcp_keepalive(KEEPALIVE)
            .tcp_keepalive_interval(KEEPALIVE_INTERVAL)
            .tcp_keepalive_retries(KEEPALIVE_RETRIES)
    }
}

/// A client for what never leaves this machine: it trusts no certificate at all, and reads none.
pub fn local() -> ClientBuilder {
    bare().tls_certs_only([])
}

/// No proxy, no redirect, no retry behind the caller's back.
fn bare() -> ClientBuilder {
    install_tls();
    reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        .connect_timeout(CONNECT_TIMEOUT)
        .pool_idle_timeout(IDLE_TIMEOUT)
}

/// True if a connection failed for its encryption: a certificate nobody vouches for, another name, no TLS at all.
pub fn is_untrusted(error: &reqwest::Error) -> bool {
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = next {
        let inner = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        if error.is::<rustls::Error>() || inner.is_some_and(|inner| inner.is::<rustls::Error>()) {
            return true;
        }
        next = error.source();
    }
    false
}
