//! Requests to an issuer, and for what a daemon says of itself: no proxy, no redirect, bounded answers, and errors
//! that say whether asking again may help.

use std::{path::PathBuf, sync::OnceLock, time::Duration};

use bytes::{Bytes, BytesMut};
use reqwest::{Response, StatusCode, header::RETRY_AFTER};
use serde::de::DeserializeOwned;
use wallet_api::client::{Token, Trust, is_untrusted, local, secure, segment};

use crate::error::CliError;

/// How long one answer may take: an issuer that signs tokens under load takes seconds.
const PATIENCE: Duration = Duration::from_secs(15);
/// Largest answer: a token of many roles is below 16 KiB, a discovery document below 64 KiB.
const MAX_BODY: usize = 1 << 20;
/// Largest file of certificate authorities: the whole public list is a quarter of it.
const MAX_AUTHORITIES: u64 = 1 << 20;
/// The longest wait that a server may ask for.
const LONGEST_WAIT: u64 = 300;

/// Why there is no usable answer.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Trouble {
    /// Not reached, no whole answer, or one that says so: it may be better in a while.
    #[error("{at} does not answer: {why}")]
    Away {
        /// Who.
        at: String,
        /// Why.
        why: String,
        /// How long it asks to be left alone.
        wait: Option<Duration>,
    },
    /// Whoever answers there is not who was asked for.
    #[error("no trusted connection to {at}: {why}")]
    Untrusted {
        /// Who.
        at: String,
        /// Why.
        why: String,
    },
    /// There is an answer, and it is of no use.
    #[error("{at}: {why}")]
    Useless {
        /// Who.
        at: String,
        /// Why.
        why: String,
    },
    /// Nothing could be asked.
    #[error("{0}")]
    Setup(CliError),
}

impl From<Trouble> for CliError {
    fn from(trouble: Trouble) -> Self {
        let message = trouble.to_string();
        match trouble {
            Trouble::Away { .. } => Self::new("issuer_unavailable", message),
            Trouble::Untrusted { .. } => Self::new("untrusted_server", message),
            Trouble::Useless { .. } => Self::configuration(message)
                .hint("Is the URL right, and is what answers there what it should be? (walletctl auth status)"),
            Trouble::Setup(error) => error,
        }
    }
}

/// An answer, whatever its status.
pub struct Reply {
    /// Who answered.
    pub at: String,
    /// Its status.
    pub status: StatusCode,
    /// Its body.
    pub body: Bytes,
    /// How long it asks to be left alone.
    pub wait: Option<Duration>,
}

impl Reply {
    /// Its body as JSON, if it is a good answer.
    pub fn json<T: DeserializeOwned>(self) -> Result<T, Trouble> {
        if !self.status.is_success() {
            return Err(self.trouble());
        }
        serde_json::from_slice(&self.body)
            .map_err(|e| Trouble::Useless { at: self.at, why: format!("the answer is not understood: {e}") })
    }

    /// What a bad answer is.
    pub fn trouble(self) -> Trouble {
        let Self { at, status, wait, .. } = self;
        let why = format!("it answers {status}");
        if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS || status == StatusCode::REQUEST_TIMEOUT
        {
            return Trouble::Away { at, why, wait };
        }
        let why = if status.is_redirection() { format!("{why}, and redirects are refused") } else { why };
        Trouble::Useless { at, why }
    }
}

/// Asks. Certificate authorities are read when https is first spoken.
#[derive(Debug, Default)]
pub struct Http {
    ca_file: Option<PathBuf>,
    tls: OnceLock<reqwest::Client>,
    local: OnceLock<reqwest::Client>,
}

impl Http {
    /// One that trusts the system's authorities, and those of the file.
    pub fn new(ca_file: Option<PathBuf>) -> Self {
        Self { ca_file, ..Self::default() }
    }

    /// GET.
    pub async fn get(&self, url: &str) -> Result<Reply, Trouble> {
        let request = self.client(url)?.get(url).header("accept", "application/json");
        Self::send(url, request).await
    }

    /// POST of a form; a client with a secret shows it as RFC 6749 wants it.
    pub async fn post(
        &self,
        url: &str,
        form: &[(&str, &str)],
        basic: Option<(&str, &Token)>,
    ) -> Result<Reply, Trouble> {
        let request = self.client(url)?.post(url).header("accept", "application/json").form(form);
        let request = match basic {
            Some((client, secret)) => request.basic_auth(segment(client), Some(segment(secret.expose()))),
            None => request,
        };
        Self::send(url, request).await
    }

    async fn send(url: &str, request: reqwest::RequestBuilder) -> Result<Reply, Trouble> {
        let at = url.split('?').next().unwrap_or_default().to_owned();
        let trouble = |e: &reqwest::Error| {
            let (at, why) = (at.clone(), cause(e));
            if is_untrusted(e) { Trouble::Untrusted { at, why } } else { Trouble::Away { at, why, wait: None } }
        };
        let mut response = request.timeout(PATIENCE).send().await.map_err(|e| trouble(&e))?;
        let (status, wait) = (response.status(), retry_after(&response));
        let mut body = BytesMut::new();
        while let Some(chunk) = response.chunk().await.map_err(|e| trouble(&e))? {
            if body.len() + chunk.len() > MAX_BODY {
                return Err(Trouble::Useless { at, why: format!("the answer has more than {MAX_BODY} bytes") });
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Reply { at, status, body: body.freeze(), wait })
    }

    fn client(&self, url: &str) -> Result<&reqwest::Client, Trouble> {
        let wrong = |why: String| Trouble::Useless { at: url.to_owned(), why };
        let tls = secure(url).map_err(wrong)?.scheme() == "https";
        let cell = if tls { &self.tls } else { &self.local };
        if let Some(client) = cell.get() {
            return Ok(client);
        }
        let builder = if tls { trust(self.ca_file.as_ref()).map_err(Trouble::Setup)?.tls() } else { local() };
        let client = builder.build().map_err(|e| Trouble::Setup(CliError::configuration(cause(&e))))?;
        Ok(cell.get_or_init(|| client))
    }
}

/// The system's authorities, and those of the file.
pub fn trust(ca_file: Option<&PathBuf>) -> Result<Trust, CliError> {
    let Some(path) = ca_file else { return Ok(Trust::default()) };
    let wrong = |why: String| {
        CliError::configuration(format!("ca_file {}: {why}", path.display()))
            .hint("Name a file of PEM certificates: walletctl context set NAME --ca-file FILE.")
    };
    let read = || -> std::io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut std::io::Read::take(std::fs::File::open(path)?, MAX_AUTHORITIES), &mut bytes)?;
        Ok(bytes)
    };
    Trust::with(&read().map_err(|e| wrong(e.to_string()))?).map_err(|e| wrong(e.to_string()))
}

fn retry_after(response: &Response) -> Option<Duration> {
    let seconds = response.headers().get(RETRY_AFTER)?.to_str().ok()?.parse::<u64>().ok()?;
    Some(Duration::from_secs(seconds.min(LONGEST_WAIT)))
}

/// What caused an error, in a few words. The URL is said elsewhere.
fn cause(error: &reqwest::Error) -> String {
    let mut last: &dyn std::error::Error = error;
    while let Some(source) = last.source() {
        last = source;
    }
    if error.is_timeout() { "no answer in time".into() } else { last.to_string() }
}
