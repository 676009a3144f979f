//! How connections are made: nothing between here and the server, and certificates that somebody vouches for.
//!
//! Reading the system's certificate authorities takes milliseconds: it is done for https and for nothing else.

use std::{error::Error, io, sync::Once, time::Duration};

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
    is_tls(error)
}

/// True if an error is one of TLS, or was caused by one. An I/O error hides what it was made of from `source`, and
/// TLS errors come inside several of them.
fn is_tls(error: &(dyn Error + 'static)) -> bool {
    if error.is::<rustls::Error>() {
        return true;
    }
    let held = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    let held = held.map(|held| held as &(dyn Error + 'static));
    held.or_else(|| error.source()).is_some_and(is_tls)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_of_tls_is_found_however_deep_it_lies() {
        let tls = || rustls::Error::General("not trusted".into());
        let once = io::Error::new(io::ErrorKind::InvalidData, tls());
        assert!(is_tls(&tls()) && is_tls(&once) && is_tls(&io::Error::other(io::Error::other(tls()))));
        assert!(!is_tls(&io::Error::from(io::ErrorKind::ConnectionRefused)) && !is_tls(&io::Error::other("refused")));
    }

    #[test]
    fn a_file_without_a_certificate_vouches_for_nobody() {
        for wrong in ["", "not PEM", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
            let trust = Trust::with(wrong.as_bytes());
            assert!(trust.is_err() || trust.is_ok_and(|trust| trust.tls().build().is_err()), "{wrong}");
        }
    }
}
