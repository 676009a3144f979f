//! The events on a real Kafka: `WALLETD_TEST_KAFKA_URL` names it (`kafka://host:port`). Without it these tests say so and
//! check nothing.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test says what is wrong by panicking")]
#![allow(clippy::print_stdout, reason = "a test says what it measured")]

mod common;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use common::{command, kept, named, payment, wallet};
use rdkafka::{
    ClientConfig, Message, Offset, TopicPartitionList,
    admin::{AdminClient, AdminOptions, NewTopic, TopicReplication},
    client::DefaultClientContext,
    consumer::{BaseConsumer, Consumer},
    message::{Header, Headers, OwnedHeaders, OwnedMessage},
    producer::{BaseProducer, BaseRecord, Producer},
};
use wallet_core::{
    asset::Asset,
    command::{Action, Request},
    conformance::{BUS_CHECKS, Bed, run_all},
    ids::Actor,
    journal::Stored,
    model::MemoryLedger,
    ports::{EventBus, LedgerStore, StoreError},
};
use walletd::adapters::{connection::Connection, finding::Level, kafka::KafkaBus, schema::OpenError};

const LEDGER: &str = "kafka-test";
const LIMIT: Duration = Duration::from_secs(10);

/// The servers, as `host:port,host:port`.
fn servers() -> Option<String> {
    let url = named("WALLETD_TEST_KAFKA_URL", "the events on Kafka")?;
    let hosts = url.trim_start_matches("kafka://").split('/').next().unwrap().to_owned();
    Some(hosts)
}

fn connection(servers: &str, prefix: &str, query: &str) -> Connection {
    let url = format!("kafka://{servers}/{prefix}?{query}").parse().unwrap();
    Connection { url, tls: None, pool: 1, timeout: LIMIT }
}

fn unique(name: &str) -> String {
    format!("test.{name}.{}", uuid::Uuid::new_v4().simple())
}

async fn open(servers: &str, prefix: &str) -> KafkaBus {
    KafkaBus::open(&connection(servers, prefix, "entries=3"), LEDGER).await.unwrap()
}

/// A journal of so many records, mostly transfers.
async fn journal(records: usize) -> Vec<Arc<Stored>> {
    let ledger = MemoryLedger::new(LEDGER);
    let mut number = 0;
    while usize::try_from(ledger.head().await.unwrap().seq).unwrap() < records {
        let asset = Asset { code: format!("X{number}").parse().unwrap(), scale: 2 };
        let command = command(&format!("k{number}"), Action::RegisterAsset(asset));
        ledger.commit(&[Request::single(Actor::system(), command)]).await.unwrap();
        number += 1;
    }
    ledger.records(0, records).await.unwrap()
}

fn seqs(records: &[Arc<Stored>]) -> Vec<u64> {
    records.iter().map(|stored| stored.record.seq).collect()
}

struct Servers(String);

#[async_trait]
impl Bed<dyn EventBus> for Servers {
    async fn fresh(&self, id: &str) -> Result<Arc<dyn EventBus>, StoreError> {
        Ok(Arc::new(KafkaBus::open(&connection(&self.0, &unique(id), ""), id).await.unwrap()))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_bus_on_kafka_keeps_every_promise() {
    let Some(servers) = servers() else { return };
    kept(run_all(BUS_CHECKS, &Servers(servers)).await);
}

fn consumer(servers: &str) -> BaseConsumer {
    ClientConfig::new()
        .set("bootstrap.servers", servers)
        .set("group.id", "tests")
        .set("enable.auto.commit", "false")
        .set("isolation.level", "read_committed")
        .set("enable.partition.eof", "true")
        .create()
        .unwrap()
}

/// Every committed message of a partition.
fn messages(servers: &str, topic: &str, partition: i32) -> Vec<OwnedMessage> {
    let consumer = consumer(servers);
    let mut from = TopicPartitionList::new();
    from.add_partition_offset(topic, partition, Offset::Beginning).unwrap();
    consumer.assign(&from).unwrap();
    let mut found = Vec::new();
    loop {
        match consumer.poll(LIMIT) {
            Some(Ok(message)) => found.push(message.detach()),
            Some(Err(rdkafka::error::KafkaError::PartitionEOF(_))) => return found,
            Some(Err(error)) => panic!("{error}"),
            None => panic!("{topic} does not answer"),
        }
    }
}

fn header(message: &OwnedMessage, key: &str) -> Option<String> {
    let found = message.headers()?.iter().find(|header| header.key == key)?.value?.to_vec();
    Some(String::from_utf8(found).unwrap())
}

/// A producer that no walletd is.
fn stranger(servers: &str, transactional_id: Option<&str>) -> BaseProducer {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", servers).set("acks", "all");
    if let Some(id) = transactional_id {
        config.set("transactional.id", id);
    }
    config.create().unwrap()
}

/// Puts any message into the journal topic.
fn put(producer: &BaseProducer, prefix: &str, bytes: &[u8], headers: Option<OwnedHeaders>) {
    let topic = format!("{prefix}.journal");
    let mut message: BaseRecord<'_, str, [u8]> = BaseRecord::to(&topic).key("strange").payload(bytes);
    message.headers = headers;
    producer.send(message).map_err(|(error, _)| error).unwrap();
    let ending = Instant::now() + LIMIT;
    while producer.in_flight_count() > 0 && Instant::now() < ending {
        producer.poll(Duration::from_millis(1));
    }
}

fn admin(servers: &str) -> AdminClient<DefaultClientContext> {
    ClientConfig::new().set("bootstrap.servers", servers).create().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_the_records_very_bytes_and_each_leg_is_one_of_its_own() {
    let Some(servers) = servers() else { return };
    let prefix = unique("bytes");
    let bus = open(&servers, &prefix).await;
    let vectors =
        serde_json::from_str::<serde_json::Value>(include_str!("../core/tests/vectors/journal.json")).unwrap();
    drop(vectors);
    let records = wallets().await;
    bus.lead().await.unwrap();
    bus.publish(&records).await.unwrap();
    let messages_of = |topic: &str, partition| messages(&servers, &format!("{prefix}.{topic}"), partition);
    let published = messages_of("journal", 0);
    assert_eq!(published.len(), records.len());
    for (message, stored) in published.iter().zip(&records) {
        assert_eq!(message.payload().unwrap(), &*stored.bytes);
        assert_eq!(message.key().unwrap(), stored.record.seq.to_string().as_bytes());
        assert_eq!(header(message, "hash"), Some(stored.hash.to_string()));
        assert_eq!(header(message, "seq"), Some(stored.record.seq.to_string()));
        assert_eq!(header(message, "epoch").as_deref(), Some("1"));
        assert_eq!(header(message, "ledger").as_deref(), Some(LEDGER));
        assert_eq!(header(message, "schema").as_deref(), Some("1"));
        assert_eq!(header(message, "traceparent").as_deref(), stored.trace.as_deref());
        assert_eq!(message.timestamp().to_millis(), Some(stored.record.recorded_at.as_micros() / 1_000));
    }
    let entries: Vec<_> = (0..3).flat_map(|partition| messages_of("entries", partition)).collect();
    let legs: usize = records.iter().filter(|stored| stored.record.transaction().is_some()).count() * 2;
    assert_eq!(entries.len(), legs);
    let mut of_a = Vec::new();
    for message in &entries {
        let entry: serde_json::Value = serde_json::from_slice(message.payload().unwrap()).unwrap();
        assert_eq!(entry["account"].as_str().unwrap().as_bytes(), message.key().unwrap());
        if entry["account"] == "a" {
            of_a.push((entry["version"].as_u64().unwrap(), entry["balance_after"].as_str().unwrap().to_owned()));
        }
    }
    assert!(of_a.is_sorted(), "the legs of one account are in order: {of_a:?}");
    assert_eq!(of_a.last().unwrap().1, "7.00");
}

/// Two wallets and money between them.
async fn wallets() -> Vec<Arc<Stored>> {
    let ledger = MemoryLedger::new(LEDGER);
    let open = |id: &str| Action::OpenWallet(wallet(id, "0".parse().unwrap()));
    let side = |id: &'static str| (id != "-").then_some(id);
    let pay = |from, to, amount| Action::Move(payment(side(from), side(to), amount));
    let actions =
        [open("a"), open("b"), pay("-", "a", "10"), pay("a", "b", "4"), pay("b", "a", "1"), pay("b", "-", "2")];
    for (number, action) in actions.into_iter().enumerate() {
        let mut request = Request::single(Actor::system(), command(&format!("k{number}"), action));
        request.trace = Some(format!("00-{number:032x}-00000000000000aa-01").into());
        ledger.commit(&[request]).await.unwrap();
    }
    let records = ledger.records(0, 100).await.unwrap();
    assert_eq!(records.len(), 6);
    records
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_led_before_publishes_nothing() {
    let Some(servers) = servers() else { return };
    let prefix = unique("fenced");
    let records = journal(30).await;
    let (old, new) = (open(&servers, &prefix).await, open(&servers, &prefix).await);
    old.lead().await.unwrap();
    old.publish(&records[..10]).await.unwrap();
    new.lead().await.unwrap();
    assert_eq!(new.tail().await.unwrap(), Some(records[9].cut()));
    // The old one wakes up and believes that it leads.
    let refused = old.publish(&records[10..20]).await;
    assert!(
        matches!(&refused, Err(StoreError::Unavailable { source, .. }) if source.to_string().contains("fenced")),
        "{refused:?}"
    );
    let refused = old.publish(&records[10..20]).await;
    assert!(matches!(refused, Err(StoreError::Unavailable { .. })), "not before it leads again: {refused:?}");
    new.publish(&records[10..]).await.unwrap();
    assert_eq!(old.tail().await.unwrap(), Some(records[29].cut()), "one that does not lead sees the tail all the same");
    assert_eq!(old.fetch(0, 100).await.unwrap(), records);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_publisher_left_half_done_is_never_seen() {
    let Some(servers) = servers() else { return };
    let prefix = unique("aborted");
    let records = journal(12).await;
    let bus = open(&servers, &prefix).await;
    bus.lead().await.unwrap();
    bus.publish(&records[..5]).await.unwrap();
    // As walletd would, killed before its commit: the same id, and messages that are on the disk already.
    let killed = stranger(&servers, Some(&format!("{prefix}.relay.{LEDGER}")));
    killed.init_transactions(LIMIT).unwrap();
    killed.begin_transaction().unwrap();
    for stored in &records[5..8] {
        put(&killed, &prefix, &stored.bytes, Some(headers(stored, LEDGER)));
    }
    assert_eq!(bus.fetch(0, 100).await.unwrap(), records[..5]);
    let next = open(&servers, &prefix).await;
    next.lead().await.unwrap();
    assert_eq!(next.tail().await.unwrap(), Some(records[4].cut()));
    assert_eq!(bus.fetch(0, 100).await.unwrap(), records[..5]);
    assert!(bus.fetch(5, 100).await.unwrap().is_empty());
    next.publish(&records).await.unwrap();
    assert_eq!(bus.fetch(0, 100).await.unwrap(), records);
    assert_eq!(messages(&servers, &format!("{prefix}.journal"), 0).len(), records.len());
    drop(killed);
}

fn headers(stored: &Stored, ledger: &str) -> OwnedHeaders {
    let (seq, hash) = (stored.record.seq.to_string(), stored.hash.to_string());
    let pairs = [("seq", seq.as_str()), ("hash", &hash), ("epoch", "1"), ("ledger", ledger), ("schema", "1")];
    pairs.into_iter().fold(OwnedHeaders::new(), |all, (key, value)| all.insert(Header { key, value: Some(value) }))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_deleted_and_made_anew_is_filled_again() {
    let Some(servers) = servers() else { return };
    let prefix = unique("deleted");
    let records = journal(60).await;
    let (bus, follower) = (open(&servers, &prefix).await, Arc::new(open(&servers, &prefix).await));
    bus.lead().await.unwrap();
    for page in records[..40].chunks(10) {
        bus.publish(page).await.unwrap();
    }
    assert_eq!(follower.fetch(0, 100).await.unwrap(), records[..40]);
    let waiting = tokio::spawn({
        let follower = follower.clone();
        async move { follower.wait(40).await }
    });
    tokio::time::sleep(Duration::from_millis(300)).await;
    let both = [format!("{prefix}.journal"), format!("{prefix}.entries")];
    let both: Vec<_> = both.iter().map(String::as_str).collect();
    for result in
        admin(&servers).delete_topics(&both, &AdminOptions::new().operation_timeout(Some(LIMIT))).await.unwrap()
    {
        result.unwrap();
    }
    // As the relay does: publishes, fails, leads again, continues behind the tail.
    let began = Instant::now();
    let mut tail = 40;
    while tail < 60 {
        assert!(began.elapsed() < Duration::from_mins(1));
        let step = async {
            let seq = usize::try_from(bus.tail().await?.map_or(0, |cut| cut.seq)).unwrap();
            bus.publish(&records[seq..records.len().min(seq + 7)]).await?;
            Ok::<_, StoreError>(bus.tail().await?.map_or(0, |cut| cut.seq))
        };
        match step.await {
            Ok(seq) => tail = seq,
            Err(error) => {
                println!("{error:?}");
                assert!(!matches!(error, StoreError::Corrupt { .. }));
                tokio::time::sleep(Duration::from_millis(100)).await;
                let _ = bus.lead().await;
            }
        }
    }
    let published = messages(&servers, &format!("{prefix}.journal"), 0);
    assert_eq!(published.len(), 60, "all of it, from the first record, once");
    tokio::time::timeout(Duration::from_secs(30), waiting).await.unwrap().unwrap().unwrap();
    assert_eq!(follower.fetch(40, 100).await.unwrap(), records[40..]);
    assert_eq!(follower.fetch(0, 100).await.unwrap(), records);
}

#[tokio::test(flavor = "multi_thread")]
async fn foreign_messages_are_skipped_and_copied() {
    let Some(servers) = servers() else { return };
    let prefix = unique("foreign");
    let records = journal(12).await;
    let bus = open(&servers, &prefix).await;
    bus.lead().await.unwrap();
    bus.publish(&records[..4]).await.unwrap();
    let stranger = stranger(&servers, None);
    put(&stranger, &prefix, b"not ours", None);
    put(&stranger, &prefix, &records[4].bytes, Some(headers(&records[4], "another-ledger")));
    bus.publish(&records[4..8]).await.unwrap();
    let garbled = [&records[8].bytes[..10], b"?"].concat();
    put(&stranger, &prefix, &garbled, Some(headers(&records[8], LEDGER)));
    bus.publish(&records[8..]).await.unwrap();
    assert_eq!(bus.fetch(0, 100).await.unwrap(), records);
    assert_eq!(bus.fetch(6, 3).await.unwrap(), records[6..9]);
    let other = open(&servers, &prefix).await;
    assert_eq!(other.fetch(4, 100).await.unwrap(), records[4..]);
    let copies = messages(&servers, &format!("{prefix}.dead-letter"), 0);
    let payloads: Vec<_> = copies.iter().map(|copy| copy.payload().unwrap().to_vec()).collect();
    assert_eq!(payloads[..3], [b"not ours".to_vec(), records[4].bytes.to_vec(), garbled]);
    assert_eq!(header(&copies[0], "dead-letter-key").as_deref(), Some("strange"));
    assert!(header(&copies[1], "dead-letter-reason").unwrap().contains("another-ledger"));
    assert!(copies[0].key().unwrap().starts_with(format!("{prefix}.journal/").as_bytes()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_is_missing_leaves_a_gap_and_the_rest_is_given() {
    let Some(servers) = servers() else { return };
    let prefix = unique("gap");
    let records = journal(9).await;
    let bus = open(&servers, &prefix).await;
    let producer = stranger(&servers, None);
    for stored in records.iter().filter(|stored| stored.record.seq != 4) {
        put(&producer, &prefix, &stored.bytes, Some(headers(stored, LEDGER)));
    }
    assert_eq!(seqs(&bus.fetch(0, 100).await.unwrap()), [1, 2, 3, 5, 6, 7, 8, 9]);
    assert_eq!(seqs(&bus.fetch(3, 2).await.unwrap()), [5, 6]);
    assert_eq!(seqs(&bus.fetch(4, 2).await.unwrap()), [5, 6]);
    tokio::time::timeout(LIMIT, bus.wait(3)).await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn any_record_of_thousands_is_found_between_markers() {
    let Some(servers) = servers() else { return };
    let prefix = unique("search");
    let records = journal(4_000).await;
    let bus = open(&servers, &prefix).await;
    bus.lead().await.unwrap();
    let began = Instant::now();
    // Pages of many sizes, so that markers lie unevenly.
    let mut rest = &records[..];
    for size in [1, 2, 3, 50, 1, 7, 1_000].iter().cycle() {
        let (page, behind) = rest.split_at(rest.len().min(*size));
        bus.publish(page).await.unwrap();
        rest = behind;
        if rest.is_empty() {
            break;
        }
    }
    println!("published in {:?}", began.elapsed());
    let other = open(&servers, &prefix).await;
    for after in [0, 1, 5, 6, 63, 64, 65, 1_063, 1_999, 2_500, 3_998, 3_999] {
        let began = Instant::now();
        let page = other.fetch(after, 3).await.unwrap();
        println!("found what is behind {after} in {:?}", began.elapsed());
        let from = usize::try_from(after).unwrap();
        assert_eq!(page, records[from..records.len().min(from + 3)], "behind {after}");
    }
    assert!(other.fetch(4_000, 3).await.unwrap().is_empty());
    // Three that follow go on where they are; none is looked up anew.
    let began = Instant::now();
    let followers = (0..3).map(|_| async {
        let mut after = 0;
        while after < 4_000 {
            let page = other.fetch(after, 500).await.unwrap();
            after = page.last().unwrap().record.seq;
        }
    });
    futures_util::future::join_all(followers).await;
    println!("three read all of it in {:?}", began.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_journal_in_several_partitions_is_refused() {
    let Some(servers) = servers() else { return };
    let prefix = unique("split");
    let name = format!("{prefix}.journal");
    let topic = NewTopic::new(&name, 2, TopicReplication::Fixed(1));
    admin(&servers).create_topics([&topic], &AdminOptions::new()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(500)).await;
    let opened = KafkaBus::open(&connection(&servers, &prefix, ""), LEDGER).await;
    assert!(matches!(opened, Err(OpenError::Configuration { .. })));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_of_another_ledger_is_not_written_to() {
    let Some(servers) = servers() else { return };
    let prefix = unique("shared");
    let bus = open(&servers, &prefix).await;
    bus.lead().await.unwrap();
    bus.publish(&journal(3).await).await.unwrap();
    let other = KafkaBus::open(&connection(&servers, &prefix, ""), "other").await.unwrap();
    let refused = other.lead().await;
    assert!(matches!(refused, Err(StoreError::Corrupt { .. })), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn topics_are_made_as_they_should_be_and_described() {
    let Some(servers) = servers() else { return };
    let prefix = unique("facts");
    let bus = open(&servers, &prefix).await;
    let facts = bus.facts().await.unwrap();
    assert!(facts.brokers >= 1 && facts.cluster.is_some());
    let [journal, entries, letters] = &facts.topics[..] else { panic!("{facts:?}") };
    assert_eq!((journal.name.as_str(), journal.partitions), (format!("{prefix}.journal").as_str(), 1));
    assert_eq!(
        (journal.retention_ms, journal.retention_bytes, journal.cleanup.as_deref()),
        (Some(-1), Some(-1), Some("delete"))
    );
    assert_eq!((entries.partitions, letters.cleanup.as_deref()), (3, Some("compact")));
    assert_eq!(journal.min_insync, Some(1));
    let findings = KafkaBus::look(&connection(&servers, &prefix, "")).await.unwrap();
    assert!(findings.len() == 4 && findings.iter().all(|finding| finding.level == Level::Good), "{findings:?}");
    let nowhere = unique("nowhere");
    let findings = KafkaBus::look(&connection(&servers, &nowhere, "")).await.unwrap();
    assert_eq!(findings[1].level, Level::Warning, "a missing topic is told, not made: {findings:?}");
    let again = KafkaBus::look(&connection(&servers, &nowhere, "")).await.unwrap();
    assert_eq!(findings, again);
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_that_are_not_there_are_no_reason_not_to_start() {
    // Port 9 of loopback: nobody listens there.
    let mut connection = connection("127.0.0.1:9", "nobody", "");
    connection.timeout = Duration::from_millis(500);
    let began = Instant::now();
    let bus = KafkaBus::open(&connection, LEDGER).await.unwrap();
    for result in [bus.lead().await.err(), bus.tail().await.err(), bus.fetch(0, 1).await.err(), bus.wait(0).await.err()]
    {
        assert!(matches!(result, Some(StoreError::Unavailable { .. })), "{result:?}");
    }
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
}
