use async_trait::async_trait;

use crate::time::Timestamp;

/// Something another server published.
#[derive(Clone, Debug)]
pub struct Document {
    /// Its bytes; bounded by the adapter.
    pub body: Vec<u8>,
    /// The server's clock, where it said so.
    pub date: Option<Timestamp>,
}

/// Why there is no document.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The server did not answer, or not in time, or was not the one it should be.
    #[error("it does not answer")]
    Unreachable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// It answered with another status than 200. Redirects are not followed.
    #[error("it answers with status {0}")]
    Status(u16),
    /// The document is larger than any good one.
    #[error("its answer has more than {0} bytes")]
    TooLarge(usize),
}

/// Fetches what an issuer of tokens publishes. Time and size of an answer are bounded.
#[async_trait]
pub trait Documents: Send + Sync {
    /// The document at this URL, as it is now.
    async fn fetch(&self, url: &str) -> Result<Document, FetchError>;
}
