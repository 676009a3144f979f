//! The topics: made where they are missing, described for `walletd doctor`, dropped and made anew for a rebuild.

use std::{sync::Arc, time::Duration};

use rdkafka::{
    admin::{AdminClient, AdminOptions, NewTopic, ResourceSpecifier, TopicReplication},
    consumer::Consumer as _,
    error::RDKafkaErrorCode,
    metadata::MetadataTopic,
};

use super::{
    Inner,
    failure::Failure,
    log::Log,
    options::Options,
    probe::{Deadline, Probe},
};
use crate::adapters::finding::Finding;

/// Between two looks at something that the servers do in their own time.
const LOOK: Duration = Duration::from_millis(50);
/// Longest wait for topics to be gone, or to be there: a busy cluster takes seconds.
const CHANGE: Duration = Duration::from_secs(30);

/// A topic as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicFacts {
    /// Its name.
    pub name: String,
    /// Its partitions; none if the topic is missing.
    pub partitions: usize,
    /// Replicas of each.
    pub replicas: usize,
    /// `min.insync.replicas`.
    pub min_insync: Option<i64>,
    /// `retention.ms`; -1: for ever.
    pub retention_ms: Option<i64>,
    /// `retention.bytes`; -1: all.
    pub retention_bytes: Option<i64>,
    /// `cleanup.policy`.
    pub cleanup: Option<String>,
}

/// The servers as they are. The protocol does not tell their version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KafkaFacts {
    /// Brokers in the cluster.
    pub brokers: usize,
    /// The cluster's id.
    pub cluster: Option<String>,
    /// Journal, entries and dead letters, in this order.
    pub topics: Vec<TopicFacts>,
}

/// What is known of a topic without asking for its settings.
struct Shape {
    brokers: usize,
    partitions: usize,
    replicas: usize,
}

fn shape(probe: &Probe, topic: &str, deadline: Deadline) -> Result<Shape, Failure> {
    let metadata = probe.consumer().fetch_metadata(Some(topic), deadline.left()?)?;
    let found = metadata.topics().iter().find(|found| found.name() == topic && found.error().is_none());
    let partitions = found.map(MetadataTopic::partitions).unwrap_or_default();
    Ok(Shape {
        brokers: metadata.brokers().len(),
        partitions: partitions.len(),
        replicas: partitions.iter().map(|partition| partition.replicas().len()).min().unwrap_or_default(),
    })
}

fn names(options: &Options) -> [String; 3] {
    [options.journal(), options.entries_topic(), options.dead_letter()]
}

async fn shapes(inner: &Arc<Inner>, deadline: Deadline) -> Result<Vec<Shape>, Failure> {
    inner
        .looking(move |inner, probe| names(&inner.options).iter().map(|topic| shape(probe, topic, deadline)).collect())
        .await
}

/// Makes the topics that are missing.
pub(super) async fn ensure(inner: &Arc<Inner>, deadline: Deadline) -> Result<(), Failure> {
    let found = shapes(inner, deadline).await?;
    let all = names(&inner.options);
    if let Some(journal) = found.first().filter(|journal| journal.partitions > 1) {
        return Err(Failure::Partitions(inner.options.journal(), journal.partitions));
    }
    let missing: Vec<_> =
        all.iter().zip(&found).filter(|(_, shape)| shape.partitions == 0).map(|(name, _)| name).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let brokers = found.first().map_or(1, |shape| shape.brokers);
    create(inner, &missing, brokers, deadline).await?;
    // They are there when every broker that matters knows.
    while shapes(inner, deadline).await?.iter().any(|shape| shape.partitions == 0) {
        deadline.left()?;
        tokio::time::sleep(LOOK).await;
    }
    Ok(())
}

async fn create(inner: &Arc<Inner>, missing: &[&String], brokers: usize, deadline: Deadline) -> Result<(), Failure> {
    let options = &inner.options;
    let brokers = i32::try_from(brokers).unwrap_or(1).max(1);
    let replicas = options.replication.unwrap_or_else(|| brokers.min(super::options::REPLICATION));
    let insync = options.min_insync.unwrap_or_else(|| replicas.saturating_sub(1).max(1)).to_string();
    let (journal, entries) = (options.journal(), options.entries_topic());
    let made: Vec<_> = missing
        .iter()
        .map(|name| {
            let partitions = if **name == entries { options.entries } else { 1 };
            let topic = NewTopic::new(name, partitions, TopicReplication::Fixed(replicas))
                .set("min.insync.replicas", &insync)
                .set("retention.ms", "-1")
                .set("retention.bytes", "-1");
            let kept = **name == journal || **name == entries;
            topic.set("cleanup.policy", if kept { "delete" } else { "compact" })
        })
        .collect();
    tracing::info!(topics = ?missing, replicas, min_insync = insync, "making topics");
    let admin = Admin::new(options)?;
    let left = Some(deadline.left()?);
    let asked = AdminOptions::new().request_timeout(left).operation_timeout(left);
    for result in admin.client()?.create_topics(&made, &asked).await? {
        match result {
            Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
            Err((_, code)) => return Err(rdkafka::error::KafkaError::AdminOp(code).into()),
        }
    }
    Ok(())
}

/// Deletes topics; one that is not there is no error.
async fn delete(options: &Options, topics: &[String], deadline: Deadline) -> Result<(), Failure> {
    let admin = Admin::new(options)?;
    let left = Some(deadline.left()?);
    let asked = AdminOptions::new().request_timeout(left).operation_timeout(left);
    let topics: Vec<_> = topics.iter().map(String::as_str).collect();
    for result in admin.client()?.delete_topics(&topics, &asked).await? {
        match result {
            Ok(_) | Err((_, RDKafkaErrorCode::UnknownTopicOrPartition)) => {}
            Err((_, code)) => return Err(rdkafka::error::KafkaError::AdminOp(code).into()),
        }
    }
    Ok(())
}

/// Deletes all three.
pub(super) async fn remove(options: &Options) -> Result<(), Failure> {
    delete(options, &names(options), Deadline::after(CHANGE)).await
}

/// Drops journal and entries, and makes them anew.
pub(super) async fn recreate(inner: &Arc<Inner>) -> Result<(), Failure> {
    let deadline = Deadline::after(CHANGE);
    delete(&inner.options, &[inner.options.journal(), inner.options.entries_topic()], deadline).await?;
    loop {
        // A topic that is on its way out may still be seen, and refuse to be made.
        match ensure(inner, Deadline::after(inner.options.timeout)).await {
            Ok(()) if is_empty(inner, deadline).await? => return Ok(()),
            Ok(()) => {}
            Err(failure) => tracing::debug!(%failure, "the topics are not there yet"),
        }
        deadline.left()?;
        tokio::time::sleep(LOOK).await;
    }
}

/// True if the journal topic is there and is not the old one: whoever leads the relay may be filling it already, from
/// its first offset.
async fn is_empty(inner: &Arc<Inner>, deadline: Deadline) -> Result<bool, Failure> {
    let range = inner.looking(move |_, probe| probe.range(deadline)).await?;
    Ok(range.is_some_and(|range| range.low == 0))
}

/// What the servers say about the topics.
pub(super) async fn facts(inner: &Arc<Inner>) -> Result<KafkaFacts, Failure> {
    let deadline = Deadline::after(inner.options.timeout);
    let found = shapes(inner, deadline).await?;
    let cluster = inner
        .looking(move |_, probe| {
            let left = deadline.left()?;
            Ok(probe.consumer().client().fetch_cluster_id(left))
        })
        .await?;
    let all = names(&inner.options);
    let there: Vec<_> = all.iter().zip(&found).filter(|(_, shape)| shape.partitions > 0).collect();
    let asked: Vec<_> = there.iter().map(|(name, _)| ResourceSpecifier::Topic(name)).collect();
    let admin = Admin::new(&inner.options)?;
    let settings = if asked.is_empty() {
        Vec::new()
    } else {
        let options = AdminOptions::new().request_timeout(Some(deadline.left()?));
        admin.client()?.describe_configs(&asked, &options).await?
    };
    let setting = |topic: &str, name: &str| {
        let of = |resource: &&rdkafka::admin::ConfigResource| match &resource.specifier {
            rdkafka::admin::OwnedResourceSpecifier::Topic(found) => found == topic,
            _ => false,
        };
        settings.iter().flatten().find(of).and_then(|resource| resource.get(name)?.value.clone())
    };
    let number = |topic: &str, name: &str| setting(topic, name).and_then(|value| value.parse().ok());
    let topic = |(name, shape): (&String, &Shape)| TopicFacts {
        name: name.clone(),
        partitions: shape.partitions,
        replicas: shape.replicas,
        min_insync: number(name, "min.insync.replicas"),
        retention_ms: number(name, "retention.ms"),
        retention_bytes: number(name, "retention.bytes"),
        cleanup: setting(name, "cleanup.policy"),
    };
    let topics = all.iter().zip(&found).map(topic).collect();
    Ok(KafkaFacts { brokers: found.first().map_or(0, |shape| shape.brokers), cluster, topics })
}

/// What is to be said about the servers.
pub(super) fn findings(facts: &KafkaFacts) -> Vec<Finding> {
    let mut found = vec![Finding::good(
        "brokers",
        format!("{} in cluster {}", facts.brokers, facts.cluster.as_deref().unwrap_or("?")),
    )];
    for (topic, is_journal) in facts.topics.iter().zip([true, false, false]) {
        let insync = topic.min_insync.unwrap_or(1);
        let text = format!(
            "{}: {} partitions, {} replicas, min.insync.replicas={insync}, retention.ms={}, cleanup.policy={}",
            topic.name,
            topic.partitions,
            topic.replicas,
            topic.retention_ms.unwrap_or_default(),
            topic.cleanup.as_deref().unwrap_or("?"),
        );
        let forever = [topic.retention_ms, topic.retention_bytes].into_iter().flatten().all(|bound| bound < 0);
        let compacted = topic.cleanup.as_deref().is_some_and(|policy| policy.contains("compact"));
        found.push(match topic {
            TopicFacts { partitions: 0, name, .. } => {
                Finding::warning("topics", format!("{name} is missing"), "whoever leads the relay makes it")
            }
            TopicFacts { partitions: 2.., .. } if is_journal => {
                Finding::fault("topics", text, "the journal needs exactly one partition: delete it, it is published anew")
            }
            _ if is_journal && (!forever || compacted) => {
                let advice = "a new follower finds less there and reads the rest from the ledger; set cleanup.policy=delete, retention.ms=-1 and retention.bytes=-1";
                Finding::warning("topics", text, advice)
            }
            _ if facts.brokers > 1 && topic.replicas < 2 => {
                Finding::warning("durability", text, "one broker lost is this topic lost, until `walletd rebuild events`: give it replicas")
            }
            _ if topic.replicas > 2 && insync < 2 => {
                Finding::warning("durability", text, "set min.insync.replicas=2: acks=all means one replica otherwise")
            }
            _ => Finding::good("topics", text),
        });
    }
    found
}

/// A client for changing topics; its end, which waits for a thread, is left to a thread that may wait.
struct Admin(Option<AdminClient<Log>>);

impl Admin {
    fn new(options: &Options) -> Result<Self, Failure> {
        options.admin().map(|client| Self(Some(client))).map_err(|error| Failure::Client(error.to_string()))
    }

    fn client(&self) -> Result<&AdminClient<Log>, Failure> {
        self.0.as_ref().ok_or(Failure::Task)
    }
}

impl Drop for Admin {
    fn drop(&mut self) {
        super::end(self.0.take());
    }
}
