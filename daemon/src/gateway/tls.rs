//! The certificate of the TCP listener: read at the start, and again on SIGHUP.
//!
//! A connection takes the certificate that holds when it shakes hands; those before keep theirs. New
//! files that cannot be used (unreadable, key of another certificate, expired) change nothing: the
//! certificate before stays, and the error is the caller's to log. Nothing but TLS 1.2 and 1.3.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use arc_swap::ArcSwap;
use rustls::{
    ServerConfig,
    crypto::{CryptoProvider, ring},
    pki_types::{CertificateDer, PrivateKeyDer, pem, pem::PemObject as _},
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use sha2::{Digest as _, Sha256};
use wallet_core::time::Timestamp;
use x509_cert::{Certificate as Parsed, der::Decode as _};

/// HTTP/2 before HTTP/1.1: what both sides know is used.
const PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];
/// A chain of a dozen certificates is below 32 KiB; what is larger is no certificate.
const MAX_FILE: u64 = 1 << 20;
const SECONDS_A_DAY: i64 = 86_400;

/// Why files hold no certificate that can be used.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// A file cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file is not PEM, or has nothing of what it is for.
    #[error("{} has no {what} in PEM", path.display())]
    Pem {
        /// The file.
        path: PathBuf,
        /// What it is for.
        what: &'static str,
        /// Why.
        #[source]
        source: pem::Error,
    },
    /// It is too large for a certificate.
    #[error("{} has {size} bytes: no certificate and no key is that large", path.display())]
    Size {
        /// The file.
        path: PathBuf,
        /// Its size.
        size: u64,
    },
    /// The certificate and the key do not belong together, or one of them is of an unknown kind.
    #[error("{} and {} cannot be used together", cert.display(), key.display())]
    Pair {
        /// The certificate's file.
        cert: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// Why.
        #[source]
        source: rustls::Error,
    },
    /// The certificate cannot be taken apart.
    #[error("{} is no X.509 certificate", path.display())]
    X509 {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: x509_cert::der::Error,
    },
    /// The certificate is not good any more.
    #[error("the certificate of {} expired {days} days ago", path.display())]
    Expired {
        /// The file.
        path: PathBuf,
        /// Since when.
        days: i64,
    },
    /// TLS cannot be set up at all.
    #[error("TLS cannot be set up")]
    Tls(#[from] rustls::Error),
}

/// What a certificate says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// SHA-256 of the certificate, in hexadecimal: what a person compares.
    pub fingerprint: String,
    /// Its first second, in seconds since 1970.
    pub from: i64,
    /// Its last second.
    pub until: i64,
}

impl Facts {
    /// Whole days that are left; negative once it has expired.
    pub fn days_left(&self, now: Timestamp) -> i64 {
        self.until.saturating_sub(seconds(now)).div_euclid(SECONDS_A_DAY)
    }

    /// True after its last second.
    pub fn is_expired(&self, now: Timestamp) -> bool {
        self.until < seconds(now)
    }

    /// True before its first second.
    pub fn is_early(&self, now: Timestamp) -> bool {
        seconds(now) < self.from
    }
}

fn seconds(at: Timestamp) -> i64 {
    at.as_micros().div_euclid(wallet_core::time::SECOND)
}

/// Where a certificate and its key lie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Files {
    /// The certificate and its chain, PEM.
    pub cert: PathBuf,
    /// Its key, PEM.
    pub key: PathBuf,
}

impl Files {
    /// Reads both, and checks that they belong together.
    pub fn read(&self) -> Result<(Arc<CertifiedKey>, Facts), CertificateError> {
        let not_pem = |path: &Path, what| {
            let path = path.to_owned();
            move |source| CertificateError::Pem { path, what, source }
        };
        let text = bounded(&self.cert)?;
        let chain = CertificateDer::pem_slice_iter(&text)
            .collect::<Result<Vec<_>, _>>()
            .map_err(not_pem(&self.cert, "certificate"))?;
        let Some(own) = chain.first() else {
            return Err(not_pem(&self.cert, "certificate")(pem::Error::NoItemsFound));
        };
        let facts = facts(own).map_err(|source| CertificateError::X509 { path: self.cert.clone(), source })?;
        let key = PrivateKeyDer::from_pem_slice(&bounded(&self.key)?).map_err(not_pem(&self.key, "private key"))?;
        let pair = CertifiedKey::from_der(chain, key, &provider()).map_err(|source| CertificateError::Pair {
            cert: self.cert.clone(),
            key: self.key.clone(),
            source,
        })?;
        Ok((Arc::new(pair), facts))
    }
}

fn bounded(path: &Path) -> Result<Vec<u8>, CertificateError> {
    let unreadable = |source| CertificateError::Read { path: path.to_owned(), source };
    let size = std::fs::metadata(path).map_err(unreadable)?.len();
    if size > MAX_FILE {
        return Err(CertificateError::Size { path: path.to_owned(), size });
    }
    std::fs::read(path).map_err(unreadable)
}

fn facts(certificate: &CertificateDer<'_>) -> Result<Facts, x509_cert::der::Error> {
    let validity = Parsed::from_der(certificate)?.tbs_certificate.validity;
    let at = |time: x509_cert::time::Time| i64::try_from(time.to_unix_duration().as_secs()).unwrap_or(i64::MAX);
    let fingerprint = wallet_core::cut::Hash(Sha256::digest(certificate).into()).to_string();
    Ok(Facts { fingerprint, from: at(validity.not_before), until: at(validity.not_after) })
}

fn provider() -> CryptoProvider {
    ring::default_provider()
}

/// Gives clients that ask rustls for the process's provider the one that the listener uses.
pub fn install_provider() {
    // The first to set it wins, and all of this program set this one.
    let _already_set = provider().install_default();
}

/// The certificate that holds now.
#[derive(Debug)]
pub struct Certificate {
    files: Files,
    current: ArcSwap<CertifiedKey>,
}

impl Certificate {
    /// Reads it for the first time. An expired one is taken: clients say so, and the socket serves on.
    pub fn open(files: Files) -> Result<(Arc<Self>, Facts), CertificateError> {
        let (pair, facts) = files.read()?;
        Ok((Arc::new(Self { files, current: ArcSwap::new(pair) }), facts))
    }

    /// Reads it again. After an error the one before holds. Blocks on the files.
    pub fn reload(&self, now: Timestamp) -> Result<Facts, CertificateError> {
        let (pair, facts) = self.files.read()?;
        if facts.is_expired(now) {
            let days = facts.days_left(now).saturating_neg();
            return Err(CertificateError::Expired { path: self.files.cert.clone(), days });
        }
        self.current.store(pair);
        Ok(facts)
    }

    /// How connections shake hands.
    pub(super) fn server(self: Arc<Self>) -> Result<Arc<ServerConfig>, CertificateError> {
        let mut config = ServerConfig::builder_with_provider(Arc::new(provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(self);
        config.alpn_protocols = PROTOCOLS.iter().map(|protocol| protocol.to_vec()).collect();
        Ok(Arc::new(config))
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current.load_full())
    }
}
