//! What `walletd doctor` looks at: every store of a configuration, as an operator should know it before money depends on it.

mod gateway;

use std::num::NonZeroU32;

use wallet_core::{ledger::MAX_SKEW, ports::StoreError, time::SECOND};

use super::stores::{Places, connection};
use crate::{
    adapters::{
        connection::Connection,
        embedded::clock::SystemClock,
        finding::Finding,
        kafka::KafkaBus,
        mongo::MongoAudit,
        mysql::MysqlWallets,
        postgres,
        redis::{RedisCache, RedisLimiter},
        schema::{OpenError, Schema},
    },
    config::{Config, Store},
    services::whole,
};

/// A clock further off than this leaves little of the bound at which writes stop.
const NOTABLE_SKEW: i64 = SECOND;

/// What was found at one store, or at another part of the daemon's surroundings.
#[derive(Debug)]
pub struct Examined {
    /// Which store or part.
    pub store: &'static str,
    /// Its engine and place, without a password.
    pub place: String,
    /// What was found.
    pub findings: Vec<Finding>,
    /// True if it did not answer: nothing is known of it.
    pub unreachable: bool,
}

/// Looks at every store, and at the issuer of tokens. Changes nothing.
pub async fn examine(config: &Config) -> Vec<Examined> {
    let mut all = Vec::new();
    for (name, store) in config.stores.each() {
        all.push(one(name, store, config).await);
    }
    all.extend(super::identity::examine(&config.auth).await);
    all.extend(gateway::examine(config));
    all.extend(gateway::examine_keycloak(config).await);
    all
}

async fn one(name: &'static str, store: &Store, config: &Config) -> Examined {
    let (place, found) = match connection(name, store) {
        Ok(None) => ("embedded".to_owned(), Ok(embedded(name, config))),
        Ok(Some(server)) => (server.url.to_string(), server_findings(name, &server).await),
        Err(error) => ("not usable".to_owned(), Err(error)),
    };
    let mut unreachable = false;
    let findings = found.unwrap_or_else(|error| {
        unreachable = matches!(error, OpenError::Store(StoreError::Unavailable { .. }));
        vec![refused(&error)]
    });
    Examined { store: name, place, findings, unreachable }
}

/// What stands in the way of looking at all.
fn refused(error: &OpenError) -> Finding {
    let text = whole(error);
    match error {
        OpenError::Schema { .. } => Finding::fault("schema", text, "run `walletd migrate up`"),
        OpenError::Configuration { .. } => {
            Finding::fault("configuration", text, "change the configuration of this store")
        }
        OpenError::Store(StoreError::Corrupt { .. }) => {
            Finding::fault("content", text, "do not write to it; look at it with `walletctl audit verify --stores`")
        }
        OpenError::Store(_) => {
            Finding::fault("connection", text, "start the server, or correct host, port and credentials in the URL")
        }
    }
}

async fn server_findings(name: &'static str, server: &Connection) -> Result<Vec<Finding>, OpenError> {
    let mut found = match name {
        "ledger" => ledger(server).await?,
        "wallets" => wallets(server).await?,
        "audit" => audit(server).await?,
        "balances" => balances(server).await?,
        "limits" => limits(server).await?,
        _ => KafkaBus::look(server).await?,
    };
    if server.tls.is_none() && !server.url.is_loopback() {
        found.push(Finding::warning(
            "encryption",
            "the way to this server is not encrypted",
            format!("unless the network is yours alone, set stores.{name}.tls = true"),
        ));
    }
    Ok(found)
}

async fn ledger(server: &Connection) -> Result<Vec<Finding>, OpenError> {
    let facts = postgres::facts(server, &SystemClock::new()).await?;
    let mut found = vec![if facts.supported {
        Finding::good("version", format!("PostgreSQL {}", facts.version))
    } else {
        Finding::fault("version", format!("PostgreSQL {} is too old", facts.version), "use PostgreSQL 14 or newer")
    }];
    found.push(schema(&postgres::schema(server).await?));
    found.push(skew(facts.skew));
    for setting in &facts.settings {
        let text = format!("{} = {}", setting.name, setting.value);
        found.push(if setting.durable {
            Finding::good("durability", text)
        } else {
            let advice = format!("set {} = on: acknowledged money could be lost with a crash", setting.name);
            Finding::fault("durability", text, advice)
        });
    }
    found.push(connections(server.pool.saturating_add(3), facts.max_connections));
    Ok(found)
}

async fn wallets(server: &Connection) -> Result<Vec<Finding>, OpenError> {
    // The schema first: it tells a refused login from a server that is down.
    let schema = schema(&MysqlWallets::schema(server).await?);
    let facts = MysqlWallets::lazy(server)?.facts(&SystemClock::new()).await?;
    let mut found = vec![Finding::good("version", format!("MySQL {}", facts.version)), schema];
    found.push(skew(facts.skew_micros));
    let flush = format!("innodb_flush_log_at_trx_commit = {}", facts.flush_log_at_trx_commit);
    found.push(if facts.flush_log_at_trx_commit == 1 {
        Finding::good("durability", flush)
    } else {
        Finding::fault("durability", flush, "set innodb_flush_log_at_trx_commit = 1: a crash could lose wallet rows")
    });
    if facts.log_bin && facts.sync_binlog != 1 {
        let text = format!("sync_binlog = {}", facts.sync_binlog);
        found.push(Finding::fault("durability", text, "set sync_binlog = 1: a crash could leave replicas apart"));
    }
    if facts.doublewrite.eq_ignore_ascii_case("off") {
        found.push(Finding::fault(
            "durability",
            "innodb_doublewrite = OFF",
            "turn it on: a power loss could tear pages",
        ));
    }
    if facts.read_only {
        found.push(Finding::fault("writes", "the server is read only", "name the primary in stores.wallets.url"));
    }
    found.push(connections(server.pool, facts.max_connections));
    Ok(found)
}

async fn audit(server: &Connection) -> Result<Vec<Finding>, OpenError> {
    let facts = MongoAudit::lazy(server, "doctor").await?.facts(&SystemClock::new()).await?;
    let version = match &facts.ferretdb {
        Some(ferretdb) => format!("FerretDB {ferretdb}, which speaks MongoDB's protocol"),
        None => format!("MongoDB {}", facts.version),
    };
    let mut found = vec![Finding::good("version", version), skew(facts.skew_micros)];
    found.push(Finding::good("durability", format!("writes are acknowledged with {}", facts.write_concern)));
    if facts.replica_set.is_none() {
        let advice = "for more than one machine's worth of safety run a replica set";
        found.push(Finding::warning("replicas", "a server of its own", advice));
    }
    let rights = facts.rights;
    found.push(if rights.find && rights.insert {
        Finding::good("rights", "may read and add records")
    } else {
        Finding::fault("rights", "may not read and add records", "grant find and insert on the collection of records")
    });
    if rights.update || rights.remove {
        let advice =
            "give walletd an account that can only find and insert: the trail is evidence against its own writer";
        found.push(Finding::warning("rights", "may also change or remove records", advice));
    }
    Ok(found)
}

async fn balances(server: &Connection) -> Result<Vec<Finding>, OpenError> {
    let facts = RedisCache::open(server, "doctor").await?.facts().await?;
    let bound = if facts.max_memory == 0 { "no bound".to_owned() } else { format!("{} MiB", facts.max_memory >> 20) };
    let memory = format!("{bound}, {}", facts.eviction);
    let evicts = facts.eviction.starts_with("allkeys-");
    Ok(vec![
        Finding::good("version", format!("Redis {}", facts.version)),
        if evicts || facts.max_memory == 0 {
            Finding::good("memory", memory)
        } else {
            let advice = "set maxmemory-policy allkeys-lru: a full cache that evicts nothing refuses new balances";
            Finding::warning("memory", memory, advice)
        },
    ])
}

async fn limits(server: &Connection) -> Result<Vec<Finding>, OpenError> {
    let (version, eviction) = RedisLimiter::open(server, "doctor", NonZeroU32::MIN).await?.facts().await?;
    Ok(vec![
        Finding::good("version", format!("Redis {version}")),
        if eviction == "noeviction" {
            Finding::good("memory", eviction)
        } else {
            let advice =
                "give the limits a server of their own with maxmemory-policy noeviction: evicted limits limit nobody";
            Finding::fault("memory", eviction, advice)
        },
    ])
}

fn schema(schema: &Schema) -> Finding {
    let Schema { applied, known } = schema;
    match applied {
        _ if schema.is_current() => Finding::good("schema", format!("{known}, which this walletd knows")),
        Some(applied) if applied > known => {
            let text = format!("{applied}, newer than the {known} of this walletd");
            Finding::fault("schema", text, "use the walletd that migrated it, or a newer one")
        }
        Some(applied) => {
            Finding::fault("schema", format!("{applied}, this walletd needs {known}"), "run `walletd migrate up`")
        }
        None => Finding::fault("schema", "none", "run `walletd migrate up`"),
    }
}

fn skew(micros: i64) -> Finding {
    #[expect(clippy::cast_precision_loss, reason = "shown with two digits")]
    let text = format!("{:+.2} s from this machine's", micros as f64 / SECOND as f64);
    let advice = format!("set both clocks by NTP: above {} s writes are refused", MAX_SKEW / SECOND);
    match micros.abs() {
        off if off > MAX_SKEW => Finding::fault("clock", text, advice),
        off if off > NOTABLE_SKEW => Finding::warning("clock", text, advice),
        _ => Finding::good("clock", text),
    }
}

fn connections(pool: usize, max: i64) -> Finding {
    let text = format!("this daemon uses up to {pool} of the server's {max}");
    if i64::try_from(pool).is_ok_and(|pool| pool < max) {
        Finding::good("connections", text)
    } else {
        Finding::fault("connections", text, "raise the server's max_connections, or lower the store's pool")
    }
}

/// What lies in the data directory: that it can be written, and has room.
fn embedded(name: &'static str, config: &Config) -> Vec<Finding> {
    let directory = &config.data.directory;
    if !["ledger", "wallets", "audit"].contains(&name) {
        return vec![Finding::good("place", "in this process")];
    }
    let nearest = directory.ancestors().find(|path| path.exists()).unwrap_or(directory);
    let mut found = Vec::new();
    if rustix::fs::access(nearest, rustix::fs::Access::WRITE_OK).is_ok() {
        let made = if name == "ledger" { Places::of(directory).ledger.exists() } else { directory.exists() };
        let text = format!("{} ({})", directory.display(), if made { "made" } else { "made by the first start" });
        found.push(Finding::good("place", text));
    } else {
        let text = format!("{} cannot be written", nearest.display());
        found.push(Finding::fault("place", text, "give walletd's user the directory, or name another with --data"));
    }
    if let Ok(disk) = rustix::fs::statvfs(nearest) {
        let free = disk.f_bavail.saturating_mul(disk.f_frsize);
        let text = format!("{} MiB free", free >> 20);
        found.push(if free < config.ledger.reserve_bytes.saturating_mul(16) {
            Finding::warning("room", text, "make room: writes are refused when the reserve is reached")
        } else {
            Finding::good("room", text)
        });
    }
    found
}
