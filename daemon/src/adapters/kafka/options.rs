//! What the URL of the events says: `kafka://user:password@h1:9092,h2:9092/PREFIX?option=value&…`.
//!
//! Topics are `PREFIX.journal`, `PREFIX.entries` and `PREFIX.dead-letter`. Options: `entries` (partitions of the
//! entries, 12), `replication` (of topics that are made here; as many brokers as there are, at most 3), `min_insync`
//! (replicas that must have a record before it counts; one less than there are), `sasl` (PLAIN, SCRAM-SHA-256 or
//! SCRAM-SHA-512; PLAIN where the URL has a user).

use std::time::Duration;

use rdkafka::{
    ClientConfig,
    config::{FromClientConfigAndContext, RDKafkaLogLevel},
};

use super::{STORE, log::Log};
use crate::adapters::{connection::Connection, schema::OpenError};

/// The port of a host without one.
const PORT: u16 = 9092;
/// Partitions of the entries: as many outsiders share the work at most.
const ENTRIES: i32 = 12;
/// Replicas of a topic where there are as many brokers.
pub(super) const REPLICATION: i32 = 3;
/// The longest prefix: a topic's name has 249 characters at most.
const MAX_PREFIX: usize = 200;
/// Bytes a reader holds that nobody has asked for yet, in KiB.
const READ_AHEAD_KIB: &str = "1024";
/// Bytes of one answer to a reader; records take five times that when they are unpacked.
const FETCH: &str = "131072";
/// Bytes of one batch of the producer.
const BATCH: &str = "262144";
/// Bytes the producer holds, in KiB: a few pages of records.
const WRITE_BUFFER_KIB: &str = "32768";
/// A producer that died inside a transaction holds the readers up for so long, unless another leads before.
const TRANSACTION_MS: &str = "15000";

/// What the URL says.
#[derive(Clone)]
pub(super) struct Options {
    base: ClientConfig,
    /// The topics' names begin with it.
    pub(super) prefix: String,
    /// The ledger's id.
    pub(super) ledger: String,
    pub(super) entries: i32,
    pub(super) replication: Option<i32>,
    pub(super) min_insync: Option<i32>,
    /// Most time for one operation.
    pub(super) timeout: Duration,
    /// Where the servers are, without password.
    pub(super) place: String,
}

impl Options {
    pub(super) fn of(connection: &Connection, ledger: &str) -> Result<Self, OpenError> {
        let wrong = |why: String| OpenError::configuration(STORE, why);
        let url = &connection.url;
        let prefix = url.path().to_owned();
        let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        if prefix.is_empty() || prefix.len() > MAX_PREFIX || !prefix.chars().all(plain) {
            return Err(wrong(format!(
                "its URL ends with the prefix of its topics, as in {}://HOST/wallet: letters, digits, . _ - only",
                url.scheme()
            )));
        }
        let mut options = Self {
            base: ClientConfig::new(),
            prefix,
            ledger: ledger.to_owned(),
            entries: ENTRIES,
            replication: None,
            min_insync: None,
            timeout: connection.timeout,
            place: url.to_string(),
        };
        let mut sasl = None;
        for part in url.query().split('&').filter(|part| !part.is_empty()) {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            let number = || {
                let read = value.parse().ok().filter(|number| (1..=1_000).contains(number));
                read.ok_or_else(|| wrong(format!("{name}={value} in its URL is not a number from 1 to 1000")))
            };
            match name {
                "entries" => options.entries = number()?,
                "replication" => options.replication = Some(number()?),
                "min_insync" => options.min_insync = Some(number()?),
                "sasl" if ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"].contains(&value) => sasl = Some(value),
                _ => {
                    let known = "entries, replication, min_insync, sasl=PLAIN|SCRAM-SHA-256|SCRAM-SHA-512";
                    return Err(wrong(format!("{part} in its URL is not one of {known}")));
                }
            }
        }
        options.base = base(connection, sasl);
        Ok(options)
    }

    pub(super) fn journal(&self) -> String {
        format!("{}.journal", self.prefix)
    }

    pub(super) fn entries_topic(&self) -> String {
        format!("{}.entries", self.prefix)
    }

    pub(super) fn dead_letter(&self) -> String {
        format!("{}.dead-letter", self.prefix)
    }

    /// For asking about topics and changing them.
    pub(super) fn admin<T: FromClientConfigAndContext<Log>>(&self) -> Result<T, OpenError> {
        make(&self.base, Log::default())
    }

    /// For the one that publishes.
    pub(super) fn publisher(&self) -> ClientConfig {
        let mut config = self.base.clone();
        config
            .set("transactional.id", format!("{}.relay.{}", self.prefix, self.ledger))
            .set("transaction.timeout.ms", TRANSACTION_MS)
            .set("acks", "all")
            .set("enable.idempotence", "true")
            .set("compression.type", "lz4")
            .set("linger.ms", "1")
            .set("batch.size", BATCH)
            .set("partitioner", "murmur2_random")
            .set("queue.buffering.max.kbytes", WRITE_BUFFER_KIB);
        config
    }

    /// For copies of foreign messages.
    pub(super) fn letters<T: FromClientConfigAndContext<Log>>(&self) -> Result<T, OpenError> {
        let mut config = self.base.clone();
        config
            .set("acks", "all")
            .set("enable.idempotence", "true")
            .set("message.timeout.ms", self.timeout.as_millis().max(1).to_string());
        make(&config, Log::default())
    }

    /// For those who follow: reads ahead a little.
    pub(super) fn reader<T: FromClientConfigAndContext<Log>>(&self) -> Result<T, OpenError> {
        let mut config = self.consumer();
        config
            .set("queued.max.messages.kbytes", READ_AHEAD_KIB)
            .set("fetch.message.max.bytes", FETCH)
            // How long reading ahead pauses when it is far enough; the default of a second is a stutter.
            .set("fetch.queue.backoff.ms", "5");
        make(&config, Log::default())
    }

    /// For looking at single places of the journal: small answers, and the end is told.
    pub(super) fn probe<T: FromClientConfigAndContext<Log>>(&self) -> Result<T, OpenError> {
        let mut config = self.consumer();
        config
            .set("enable.partition.eof", "true")
            .set("fetch.wait.max.ms", "5")
            .set("fetch.message.max.bytes", "65536")
            .set("queued.max.messages.kbytes", "256");
        make(&config, Log::default())
    }

    fn consumer(&self) -> ClientConfig {
        let mut config = self.base.clone();
        config
            // The client wants one; nothing is subscribed to and nothing committed: positions are kept with the effects.
            .set("group.id", format!("{}.readers", self.prefix))
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("isolation.level", "read_committed")
            // A place that is not there any more is looked up anew, never guessed.
            .set("auto.offset.reset", "error")
            .set("fetch.error.backoff.ms", "100");
        config
    }
}

fn make<T: FromClientConfigAndContext<Log>>(config: &ClientConfig, log: Log) -> Result<T, OpenError> {
    T::from_config_and_context(config, log).map_err(|error| OpenError::configuration(STORE, error))
}

/// What every client of these servers is given.
fn base(connection: &Connection, sasl: Option<&str>) -> ClientConfig {
    let url = &connection.url;
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", url.authorities(PORT).join(","))
        .set("client.id", "walletd")
        .set("client.software.name", "walletd")
        .set("client.software.version", env!("CARGO_PKG_VERSION"))
        .set("reconnect.backoff.max.ms", "1000")
        .set("log.connection.close", "false")
        // A topic that was deleted is known to be so soon.
        .set("topic.metadata.propagation.max.ms", "2000")
        .set("topic.metadata.refresh.interval.ms", "60000")
        .set_log_level(RDKafkaLogLevel::Info);
    let login = url.user().is_some() || sasl.is_some();
    let protocol = match (login, connection.tls.is_some()) {
        (false, false) => "plaintext",
        (false, true) => "ssl",
        (true, false) => "sasl_plaintext",
        (true, true) => "sasl_ssl",
    };
    config.set("security.protocol", protocol);
    if login {
        config
            .set("sasl.mechanisms", sasl.unwrap_or("PLAIN"))
            .set("sasl.username", url.user().unwrap_or_default())
            .set("sasl.password", url.password().unwrap_or_default());
    }
    if let Some(tls) = &connection.tls {
        match &tls.ca_file {
            Some(file) => config.set("ssl.ca.location", file.to_string_lossy()),
            None => config.set("ssl.ca.location", "probe"),
        };
        if let Some(identity) = &tls.identity {
            config
                .set("ssl.certificate.location", identity.cert_file.to_string_lossy())
                .set("ssl.key.location", identity.key_file.to_string_lossy());
        }
    }
    config
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(url: &str) -> Result<Options, OpenError> {
        let connection = Connection { url: url.parse().unwrap(), tls: None, pool: 1, timeout: Duration::from_secs(1) };
        Options::of(&connection, "ledger")
    }

    #[test]
    fn the_url_names_servers_topics_and_options() {
        let options = options("kafka://ana:pw@a:1,b/wallet.eu?entries=3&min_insync=2&sasl=SCRAM-SHA-512").unwrap();
        assert_eq!((options.journal().as_str(), options.entries), ("wallet.eu.journal", 3));
        assert_eq!((options.replication, options.min_insync), (None, Some(2)));
        let config = options.publisher();
        assert_eq!(config.get("bootstrap.servers"), Some("a:1,b:9092"));
        assert_eq!(config.get("sasl.mechanisms"), Some("SCRAM-SHA-512"));
        assert_eq!(config.get("transactional.id"), Some("wallet.eu.relay.ledger"));
        assert!(!options.place.contains("pw"));
    }

    #[test]
    fn what_a_url_cannot_mean_is_refused() {
        for url in [
            "kafka://a",
            "kafka://a/with/slash",
            "kafka://a/w?entries=0",
            "kafka://a/w?acks=1",
            "kafka://a/w?sasl=NONE",
        ] {
            assert!(matches!(options(url), Err(OpenError::Configuration { .. })), "{url}");
        }
    }
}
