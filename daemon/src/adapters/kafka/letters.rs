//! The dead-letter topic: copies of what lies in the journal topic and is none of this ledger's records.
//!
//! The key says where the original lies and the topic is compacted, so copies by several readers become one.

use std::sync::{
    OnceLock,
    atomic::{AtomicI64, Ordering},
};

use rdkafka::{
    Message as _,
    message::{Header, OwnedHeaders, OwnedMessage},
    producer::{FutureProducer, FutureRecord},
};

use super::{failure::Failure, log::Log, options::Options, wire::Foreign};

/// Copies foreign messages.
#[derive(Default)]
pub(super) struct Letters {
    producer: OnceLock<FutureProducer<Log>>,
    /// The last offset copied: several readers pass the same message.
    copied: AtomicI64,
}

impl Letters {
    /// Copies a message, unless it was copied.
    pub(super) async fn copy(&self, options: &Options, message: &OwnedMessage, why: &Foreign) -> Result<(), Failure> {
        let behind = message.offset().saturating_add(1);
        if self.copied.load(Ordering::Relaxed) >= behind {
            return Ok(());
        }
        let place = format!("{}/{}", message.topic(), message.offset());
        tracing::warn!(message = place, %why, "a foreign message in the journal topic goes to the dead letters");
        let producer = if let Some(producer) = self.producer.get() {
            producer
        } else {
            let made = options.letters().map_err(|error| Failure::Client(error.to_string()))?;
            self.producer.get_or_init(|| made)
        };
        let reason = why.to_string();
        let mut headers = message.headers().cloned().unwrap_or_else(OwnedHeaders::new);
        headers = headers.insert(Header { key: "dead-letter-reason", value: Some(&reason) });
        if let Some(key) = message.key() {
            headers = headers.insert(Header { key: "dead-letter-key", value: Some(key) });
        }
        let topic = options.dead_letter();
        let mut record = FutureRecord::<str, [u8]>::to(&topic).key(&place).headers(headers);
        if let Some(payload) = message.payload() {
            record = record.payload(payload);
        }
        producer.send(record, options.timeout).await.map_err(|(error, _)| error)?;
        self.copied.fetch_max(behind, Ordering::Relaxed);
        Ok(())
    }

    /// The journal topic is another one: its offsets begin anew.
    pub(super) fn forget(&self) {
        self.copied.store(0, Ordering::Relaxed);
    }
}
