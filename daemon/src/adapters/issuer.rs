//! What an issuer of tokens publishes, by HTTP: bounded in time and size, through no proxy, without redirects.
//!
//! Who vouches for the keys is the way to them: https with the system's authorities or only the configured ones, or
//! plain http where the configuration says so.

use std::{path::PathBuf, time::Duration};

use async_trait::async_trait;
use jiff::fmt::rfc2822::DateTimeParser;
use reqwest::{Client, Response, header::DATE, redirect::Policy};
use rustls::{ClientConfig, RootCertStore};
use wallet_core::{
    ports::{Document, Documents, FetchError},
    time::Timestamp,
};

use super::{connection::Tls, schema::OpenError};

/// Time for a connection.
const CONNECT_WITHIN: Duration = Duration::from_secs(2);
/// Time for a whole answer: a caller whose key is not known waits for two of them.
const ANSWER_WITHIN: Duration = Duration::from_secs(4);
/// Largest document: Keycloak's have some 10 KB.
const MAX_BYTES: usize = 256 << 10;
/// The name in errors.
const STORE: &str = "issuer";

/// Fetches by HTTP.
#[derive(Debug)]
pub struct HttpDocuments(Client);

impl HttpDocuments {
    /// For an issuer at this URL; `ca_file` names the only authorities to trust.
    pub fn new(url: &str, ca_file: Option<PathBuf>) -> Result<Self, OpenError> {
        let is_needed = url.starts_with("https://") || ca_file.is_some();
        let tls = match (Tls { ca_file, identity: None }).rustls(STORE) {
            // An issuer that is asked in plain http may still have its keys at an https URL, so the system's authorities
            // are at hand; a system that has none trusts nobody.
            Err(_) if !is_needed => trusting_nobody()?,
            made => made?,
        };
        let client = Client::builder()
            .tls_backend_preconfigured(tls)
            .no_proxy()
            .redirect(Policy::none())
            .connect_timeout(CONNECT_WITHIN)
            .timeout(ANSWER_WITHIN)
            // Once in five minutes: a kept connection would only have gone stale.
            .pool_max_idle_per_host(0)
            .user_agent(concat!("walletd/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| OpenError::configuration(STORE, error))?;
        Ok(Self(client))
    }
}

fn trusting_nobody() -> Result<ClientConfig, OpenError> {
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| OpenError::configuration(STORE, error))?;
    Ok(builder.with_root_certificates(RootCertStore::empty()).with_no_client_auth())
}

#[async_trait]
impl Documents for HttpDocuments {
    async fn fetch(&self, url: &str) -> Result<Document, FetchError> {
        let mut response = self.0.get(url).send().await.map_err(unreachable)?;
        if response.status() != reqwest::StatusCode::OK {
            return Err(FetchError::Status(response.status().as_u16()));
        }
        let date = date(&response);
        let mut body = Vec::new();
        while let Some(piece) = response.chunk().await.map_err(unreachable)? {
            if body.len().saturating_add(piece.len()) > MAX_BYTES {
                return Err(FetchError::TooLarge(MAX_BYTES));
            }
            body.extend_from_slice(&piece);
        }
        Ok(Document { body, date })
    }
}

fn unreachable(error: reqwest::Error) -> FetchError {
    // The URL is told beside it.
    FetchError::Unreachable(Box::new(error.without_url()))
}

fn date(response: &Response) -> Option<Timestamp> {
    let text = response.headers().get(DATE)?.to_str().ok()?;
    let at = DateTimeParser::new().parse_timestamp(text).ok()?;
    Some(Timestamp::from_micros(at.as_microsecond()))
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpListener,
    };

    use super::*;

    /// A server that answers every request with this text.
    async fn server(answer: String) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/keys", listener.local_addr().unwrap());
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut request = [0; 4_096];
                let _ = stream.read(&mut request).await;
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        });
        url
    }

    async fn fetched(answer: &str) -> Result<Document, FetchError> {
        let url = server(answer.to_owned()).await;
        HttpDocuments::new(&url, None).unwrap().fetch(&url).await
    }

    #[tokio::test]
    async fn a_document_comes_with_the_servers_clock() {
        let answer = "HTTP/1.1 200 OK\r\ndate: Thu, 01 Jan 1970 00:00:01 GMT\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}";
        let found = fetched(answer).await.unwrap();
        assert_eq!((found.body.as_slice(), found.date), (&b"{}"[..], Some(Timestamp::from_micros(1_000_000))));
    }

    #[tokio::test]
    async fn a_redirect_is_not_followed() {
        let there = server("HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}".into()).await;
        let answer =
            format!("HTTP/1.1 302 Found\r\nlocation: {there}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        assert!(matches!(fetched(&answer).await, Err(FetchError::Status(302))));
    }

    #[tokio::test]
    async fn an_endless_answer_is_cut_off() {
        let body = "x".repeat(MAX_BYTES + 1);
        let answer = format!("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{body}");
        assert!(matches!(fetched(&answer).await, Err(FetchError::TooLarge(_))));
    }

    #[tokio::test]
    async fn a_server_that_is_not_there_is_unreachable() {
        let url = "http://127.0.0.1:1/keys";
        assert!(matches!(HttpDocuments::new(url, None).unwrap().fetch(url).await, Err(FetchError::Unreachable(_))));
    }
}
