//! What the client library says, as log lines of ours.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use rdkafka::{
    ClientContext,
    config::RDKafkaLogLevel,
    consumer::ConsumerContext,
    error::{KafkaError, RDKafkaErrorCode},
};

/// Takes the log lines of one client.
#[derive(Clone, Default)]
pub(super) struct Log {
    refused: Arc<AtomicBool>,
}

impl Log {
    /// True if a server refused the user, the password or the certificate.
    pub(super) fn was_refused(&self) -> bool {
        self.refused.load(Ordering::Relaxed)
    }
}

/// Whoever calls gets the errors that matter and says so once; the library repeats them for each of its threads, so its
/// lines are a level lower than it thinks.
pub(super) fn line(level: RDKafkaLogLevel, facility: &str, text: &str) {
    match level {
        RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical => {
            tracing::error!(facility, "librdkafka: {text}");
        }
        RDKafkaLogLevel::Error | RDKafkaLogLevel::Warning => tracing::info!(facility, "librdkafka: {text}"),
        RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info => tracing::debug!(facility, "librdkafka: {text}"),
        RDKafkaLogLevel::Debug => tracing::trace!(facility, "librdkafka: {text}"),
    }
}

/// An error of a client as a whole, such as a broker that cannot be reached; the client goes on by itself.
pub(super) fn error(error: &KafkaError, reason: &str) {
    tracing::debug!(%error, "librdkafka: {reason}");
}

impl ClientContext for Log {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        line(level, facility, text);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        let code = error.rdkafka_error_code();
        if matches!(
            code,
            Some(RDKafkaErrorCode::Authentication | RDKafkaErrorCode::SaslAuthenticationFailed | RDKafkaErrorCode::SSL)
        ) {
            self.refused.store(true, Ordering::Relaxed);
        }
        self::error(&error, reason);
    }
}

impl ConsumerContext for Log {}
