//! How to reach a server: what every adapter of a real server is given.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};

use super::schema::OpenError;
use crate::address::ServerUrl;

/// How to reach one server. Its `Debug` shows no password.
#[derive(Clone, Debug)]
pub struct Connection {
    /// Where it is, with user and password.
    pub url: ServerUrl,
    /// How the way there is encrypted; none: not at all.
    pub tls: Option<Tls>,
    /// Most connections at a time.
    pub pool: usize,
    /// Most time for one operation, connecting included.
    pub timeout: Duration,
}

/// How a server is known to be the right one, and how it knows this daemon.
#[derive(Clone, Debug, Default)]
pub struct Tls {
    /// The only authorities to trust; without it, those of the system.
    pub ca_file: Option<PathBuf>,
    /// This daemon's own certificate and key, where the server asks for one.
    pub identity: Option<Identity>,
}

/// A certificate with its key.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The certificate chain, PEM.
    pub cert_file: PathBuf,
    /// Its key, PEM.
    pub key_file: PathBuf,
}

impl Tls {
    /// For clients that take a rustls configuration.
    pub fn rustls(&self, store: &'static str) -> Result<ClientConfig, OpenError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| OpenError::configuration(store, error))?
            .with_root_certificates(self.roots(store)?);
        let Some(identity) = &self.identity else { return Ok(builder.with_no_client_auth()) };
        let chain = certificates(store, &identity.cert_file)?;
        let key = PrivateKeyDer::from_pem_file(&identity.key_file).map_err(unreadable(store, &identity.key_file))?;
        builder.with_client_auth_cert(chain, key).map_err(|error| OpenError::configuration(store, error))
    }

    fn roots(&self, store: &'static str) -> Result<RootCertStore, OpenError> {
        let found = match &self.ca_file {
            Some(file) => certificates(store, file)?,
            None => rustls_native_certs::load_native_certs().certs,
        };
        let mut roots = RootCertStore::empty();
        let (added, _) = roots.add_parsable_certificates(found);
        if added == 0 {
            let why = match &self.ca_file {
                Some(file) => format!("{} holds no certificate", file.display()),
                None => "this system has no certificate authorities; set ca_file".to_owned(),
            };
            return Err(OpenError::configuration(store, why));
        }
        Ok(roots)
    }
}

fn certificates(store: &'static str, file: &Path) -> Result<Vec<CertificateDer<'static>>, OpenError> {
    CertificateDer::pem_file_iter(file).and_then(Iterator::collect).map_err(unreadable(store, file))
}

fn unreadable(store: &'static str, file: &Path) -> impl Fn(rustls_pki_types::pem::Error) -> OpenError {
    move |error| OpenError::configuration(store, format_args!("cannot read {}: {error}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_certificates_is_a_fault_of_the_configuration() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let tls = Tls { ca_file: Some(file.path().to_owned()), identity: None };
        assert!(matches!(tls.rustls("ledger"), Err(OpenError::Configuration { .. })));
    }
}
