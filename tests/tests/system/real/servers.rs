//! The servers as a test looks at them: by their own languages, apart from the project's code.

use mysql_async::prelude::Queryable as _;
use tokio::runtime::Runtime;
use tokio_postgres::SimpleQueryMessage;

pub fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}

/// A session on PostgreSQL.
pub struct Sql {
    client: tokio_postgres::Client,
    runtime: Runtime,
}

impl Sql {
    pub fn connect(url: &str) -> Self {
        let runtime = runtime();
        let (client, connection) =
            runtime.block_on(tokio_postgres::connect(url, tokio_postgres::NoTls)).unwrap_or_else(|e| panic!("{e:?}"));
        runtime.spawn(connection);
        Self { client, runtime }
    }

    pub fn run(&self, statement: &str) {
        self.runtime.block_on(self.client.batch_execute(statement)).unwrap_or_else(|e| panic!("{statement}: {e:?}"));
    }

    /// The rows as text; NULL is empty.
    pub fn rows(&self, query: &str) -> Vec<Vec<String>> {
        let answer =
            self.runtime.block_on(self.client.simple_query(query)).unwrap_or_else(|e| panic!("{query}: {e:?}"));
        let row = |message| match message {
            SimpleQueryMessage::Row(row) => {
                Some((0..row.len()).map(|column| row.get(column).unwrap_or_default().to_owned()).collect())
            }
            _ => None,
        };
        answer.into_iter().filter_map(row).collect()
    }

    /// The one value of one row.
    #[track_caller]
    pub fn one(&self, query: &str) -> String {
        let mut rows = self.rows(query);
        assert_eq!(rows.len(), 1, "{query}: {rows:?}");
        rows.remove(0).remove(0)
    }

    /// A column of bytes.
    pub fn bytes(&self, query: &str) -> Vec<Vec<u8>> {
        let rows = self.runtime.block_on(self.client.query(query, &[])).unwrap_or_else(|e| panic!("{query}: {e:?}"));
        rows.into_iter().map(|row| row.get(0)).collect()
    }
}

/// A session on `MySQL`.
pub struct Mysql {
    conn: Option<mysql_async::Conn>,
    runtime: Runtime,
}

impl Mysql {
    pub fn connect(url: &str) -> Self {
        let runtime = runtime();
        let options = mysql_async::Opts::from_url(url).unwrap();
        let options = mysql_async::OptsBuilder::from_opts(options).prefer_socket(false);
        let conn = runtime.block_on(mysql_async::Conn::new(options)).unwrap();
        Self { conn: Some(conn), runtime }
    }

    pub fn run(&mut self, statement: &str) {
        let conn = self.conn.as_mut().unwrap();
        self.runtime.block_on(conn.query_drop(statement)).unwrap_or_else(|error| panic!("{statement}: {error}"));
    }

    /// The rows as text; NULL is empty.
    pub fn rows(&mut self, query: &str) -> Vec<Vec<String>> {
        let conn = self.conn.as_mut().unwrap();
        let rows: Vec<mysql_async::Row> =
            self.runtime.block_on(conn.query(query)).unwrap_or_else(|error| panic!("{query}: {error}"));
        let text = |value: mysql_async::Value| match value {
            mysql_async::Value::NULL => String::new(),
            mysql_async::Value::Bytes(bytes) => String::from_utf8(bytes).unwrap(),
            other => other.as_sql(true).trim_matches('\'').to_owned(),
        };
        rows.into_iter().map(|row| row.unwrap().into_iter().map(text).collect()).collect()
    }
}

impl Drop for Mysql {
    fn drop(&mut self) {
        if let Some(conn) = self.conn.take() {
            drop(self.runtime.block_on(conn.disconnect()));
        }
    }
}

/// A connection to one number of a Redis.
pub struct Redis {
    connection: redis::aio::MultiplexedConnection,
    runtime: Runtime,
}

impl Redis {
    pub fn connect(url: &str) -> Self {
        let runtime = runtime();
        let client = redis::Client::open(url).unwrap();
        let connection = runtime.block_on(client.get_multiplexed_async_connection()).unwrap();
        Self { connection, runtime }
    }

    pub fn ask<T: redis::FromRedisValue>(&mut self, words: &[&str]) -> T {
        let mut command = redis::cmd(words[0]);
        for word in &words[1..] {
            command.arg(word);
        }
        self.runtime.block_on(command.query_async(&mut self.connection)).unwrap_or_else(|e| panic!("{words:?}: {e}"))
    }

    /// Forgets this number.
    pub fn flush(&mut self) {
        self.ask::<()>(&["FLUSHDB"]);
    }

    /// Every key with its text; what is evicted between the two questions is left out.
    pub fn texts(&mut self, pattern: &str) -> Vec<(String, String)> {
        let keys: Vec<String> = self.ask(&["KEYS", pattern]);
        let text = |key: String| self.ask::<Option<String>>(&["GET", &key]).map(|text| (key, text));
        keys.into_iter().filter_map(text).collect()
    }
}

/// The documents of a collection, by `_id`.
pub fn documents(url: &str, database: &str, collection: &str) -> Vec<mongodb::bson::Document> {
    use futures_util::TryStreamExt as _;
    use mongodb::bson::doc;
    runtime().block_on(async {
        let client = mongodb::Client::with_uri_str(url).await.unwrap();
        let found = client.database(database).collection::<mongodb::bson::Document>(collection);
        let mut all: Vec<_> = found.find(doc! {}).await.unwrap().try_collect().await.unwrap();
        all.sort_by_key(|document| document.get_i64("_id").unwrap());
        all
    })
}

pub fn drop_mongo(url: &str, database: &str) {
    runtime().block_on(async {
        let client = mongodb::Client::with_uri_str(url).await.unwrap();
        client.database(database).drop().await.unwrap();
    });
}

/// Every committed message of one partition, in order: key and content.
pub fn messages(broker: &str, topic: &str, partition: i32) -> Vec<(Option<Vec<u8>>, Vec<u8>)> {
    use rdkafka::{
        Message as _, Offset, TopicPartitionList,
        consumer::{BaseConsumer, Consumer as _},
    };
    let patience = std::time::Duration::from_secs(10);
    let consumer: BaseConsumer = rdkafka::ClientConfig::new()
        .set("bootstrap.servers", broker)
        .set("group.id", format!("reader-{}", uuid::Uuid::new_v4()))
        .set("isolation.level", "read_committed")
        .set("enable.auto.commit", "false")
        .set("enable.partition.eof", "true")
        .create()
        .unwrap();
    let mut place = TopicPartitionList::new();
    place.add_partition_offset(topic, partition, Offset::Beginning).unwrap();
    consumer.assign(&place).unwrap();
    let mut found = Vec::new();
    loop {
        match consumer.poll(patience) {
            Some(Ok(message)) => {
                found.push((message.key().map(<[u8]>::to_vec), message.payload().unwrap_or_default().to_vec()));
            }
            Some(Err(rdkafka::error::KafkaError::PartitionEOF(_))) => return found,
            Some(Err(error)) => panic!("{topic}: {error}"),
            None => panic!("{topic}: no message and no end within {patience:?}"),
        }
    }
}

/// Deletes a topic, and waits until it is gone.
pub fn delete_topic(broker: &str, topic: &str) {
    use rdkafka::admin::{AdminClient, AdminOptions};
    let admin: AdminClient<_> = rdkafka::ClientConfig::new().set("bootstrap.servers", broker).create().unwrap();
    let answer = runtime().block_on(admin.delete_topics(&[topic], &AdminOptions::new())).unwrap();
    assert!(answer.iter().all(Result::is_ok), "{answer:?}");
}

/// Sends a message of somebody else's.
pub fn send(broker: &str, topic: &str, content: &[u8]) {
    use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
    let producer: BaseProducer = rdkafka::ClientConfig::new().set("bootstrap.servers", broker).create().unwrap();
    producer.send(BaseRecord::<(), [u8]>::to(topic).partition(0).payload(content)).map_err(|(error, _)| error).unwrap();
    producer.flush(std::time::Duration::from_secs(10)).unwrap();
}
