//! One connection that all callers share, and what happens when it is lost.
//!
//! Commands are pipelined by the client, so one connection carries what a pool would and a reply costs no connection of
//! its own. While it is lost every call fails at once and one task tries to connect anew, with pauses: a dead server costs
//! the calls that were under way their time limit, and those after them nothing.

use std::{
    fmt,
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use redis::{
    AsyncConnectionConfig, Client, ClientTlsConfig, Cmd, ConnectionAddr, ConnectionInfo, ErrorKind,
    IntoConnectionInfo as _, Pipeline, RedisConnectionInfo, RedisError, RedisFuture, ServerErrorKind, TlsCertificates,
    TlsMode, Value,
    aio::{ConnectionLike, MultiplexedConnection},
    cluster::{ClusterClient, ClusterClientBuilder},
    cluster_async::ClusterConnection,
};
use wallet_core::ports::StoreError;

use crate::{
    adapters::{
        connection::{Connection, Tls},
        schema::OpenError,
    },
    address::ServerUrl,
};

/// The port of a URL without one.
const PORT: u16 = 6379;
/// The first pause before connecting anew; it doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// The longest: so soon a server that is back is used again.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// Least time for connecting, which nobody waits for: TLS and a busy server need longer than a command.
const CONNECT: Duration = Duration::from_secs(2);

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum CallError {
    /// There is no connection; nothing was sent.
    #[error("not connected: {0}")]
    Lost(String),
    /// It was sent, and no answer came in time.
    #[error("no answer within {} ms", .0.as_millis())]
    Slow(Duration),
    /// The client or the server says no.
    #[error(transparent)]
    Redis(#[from] RedisError),
}

impl CallError {
    /// True if the command may have been carried out all the same.
    fn is_uncertain(&self) -> bool {
        match self {
            Self::Lost(_) => false,
            Self::Slow(_) => true,
            Self::Redis(error) => error.is_io_error(),
        }
    }

    /// For what only reads, or does not matter when it is repeated.
    pub(super) fn of_read(self, store: &'static str) -> StoreError {
        StoreError::unavailable(store, self)
    }

    /// For a change.
    pub(super) fn of_change(self, store: &'static str) -> StoreError {
        if self.is_uncertain() { StoreError::uncertain(store, self) } else { StoreError::unavailable(store, self) }
    }
}

/// A server, or a cluster of them.
enum Target {
    One(Box<Client>),
    Cluster(Box<ClusterClient>),
}

/// A connection to either; clones share it.
#[derive(Clone)]
enum Wire {
    One(MultiplexedConnection),
    Cluster(ClusterConnection),
}

impl ConnectionLike for Wire {
    fn req_packed_command<'a>(&'a mut self, cmd: &'a Cmd) -> RedisFuture<'a, Value> {
        match self {
            Self::One(wire) => wire.req_packed_command(cmd),
            Self::Cluster(wire) => wire.req_packed_command(cmd),
        }
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        match self {
            Self::One(wire) => wire.req_packed_commands(pipeline, offset, count),
            Self::Cluster(wire) => wire.req_packed_commands(pipeline, offset, count),
        }
    }

    fn get_db(&self) -> i64 {
        match self {
            Self::One(wire) => wire.get_db(),
            Self::Cluster(wire) => wire.get_db(),
        }
    }
}

enum State {
    /// Connected; the number tells one connection from the next.
    Up(Wire, u64),
    /// Being connected anew; why it is not connected.
    Down(String),
}

struct Shared {
    store: &'static str,
    place: String,
    target: Target,
    timeout: Duration,
    state: Mutex<State>,
}

/// A script and its hash.
#[derive(Debug)]
pub(super) struct Script {
    text: &'static str,
    known: redis::Script,
}

impl Script {
    pub(super) fn new(text: &'static str) -> Self {
        Self { text, known: redis::Script::new(text) }
    }
}

/// The way to a server. Its calls need a tokio runtime.
pub(super) struct Link(Arc<Shared>);

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Link({})", self.0.place)
    }
}

impl Link {
    /// Connects. A server that is down is no error: it is connected to when it is up. One that refuses the password is.
    pub(super) async fn open(store: &'static str, connection: &Connection) -> Result<Self, OpenError> {
        let target = target(store, connection)?;
        let state = Mutex::new(State::Down("it was not asked yet".to_owned()));
        let (place, timeout) = (connection.url.to_string(), connection.timeout);
        let shared = Arc::new(Shared { store, place, target, timeout, state });
        match shared.connect().await {
            Ok(wire) => *shared.state() = State::Up(wire, 1),
            Err(CallError::Redis(error)) if error.kind() == ErrorKind::AuthenticationFailed => {
                return Err(OpenError::configuration(store, error));
            }
            Err(error) => shared.down(0, &error),
        }
        Ok(Self(shared))
    }

    /// Sends a command and waits for its answer, within the time limit.
    pub(super) async fn call<T: redis::FromRedisValue>(&self, cmd: &Cmd) -> Result<T, CallError> {
        let (mut wire, number) = match &*self.0.state() {
            State::Up(wire, number) => (wire.clone(), *number),
            State::Down(why) => return Err(CallError::Lost(why.clone())),
        };
        let error = match within(self.0.timeout, cmd.query_async::<T>(&mut wire)).await {
            Ok(answer) => return Ok(answer),
            Err(error) => error,
        };
        if breaks(&error) {
            self.0.down(number, &error);
        }
        Err(error)
    }

    /// Runs a script by its hash, which sends its text only where the server does not know it.
    pub(super) async fn run<T: redis::FromRedisValue>(
        &self,
        script: &Script,
        keys: &[String],
        args: &[String],
    ) -> Result<T, CallError> {
        let by = |command: &'static str, what: &str| {
            let mut cmd = redis::cmd(command);
            cmd.arg(what).arg(keys.len()).arg(keys).arg(args);
            cmd
        };
        match self.call(&by("EVALSHA", script.known.get_hash())).await {
            Err(CallError::Redis(error)) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
                self.call(&by("EVAL", script.text)).await
            }
            answer => answer,
        }
    }

    /// Why there is no connection, if there is none.
    pub(super) fn lost(&self) -> Option<String> {
        match &*self.0.state() {
            State::Up(..) => None,
            State::Down(why) => Some(why.clone()),
        }
    }

    /// One line of the server's own description, such as `redis_version` or `maxmemory_policy`.
    pub(super) async fn info(&self, section: &str, name: &str) -> Result<Option<String>, CallError> {
        // A cluster answers with what each node says; the first is as good as another.
        let value: Value = self.call(redis::cmd("INFO").arg(section)).await?;
        let text: String = match value {
            Value::Map(nodes) => match nodes.into_iter().next() {
                Some((_, text)) => redis::from_redis_value(text).map_err(RedisError::from)?,
                None => String::new(),
            },
            text => redis::from_redis_value(text).map_err(RedisError::from)?,
        };
        let found = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        Ok(found.map(|value| value.trim().to_owned()))
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        // Assignments only; a poisoned state is a whole one.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn connect(&self) -> Result<Wire, CallError> {
        let limit = self.timeout.max(CONNECT);
        let wire = async {
            let config = AsyncConnectionConfig::new().set_connection_timeout(None).set_response_timeout(None);
            let mut wire = match &self.target {
                Target::One(client) => Wire::One(client.get_multiplexed_async_connection_with_config(&config).await?),
                Target::Cluster(client) => Wire::Cluster(client.get_async_connection().await?),
            };
            redis::cmd("PING").query_async::<Value>(&mut wire).await?;
            Ok(wire)
        };
        within(limit, wire).await
    }

    /// Notes that a connection is lost, and sees to the next one; once for each.
    fn down(self: &Arc<Self>, number: u64, error: &CallError) {
        let mut state = self.state();
        if matches!(&*state, State::Up(_, current) if *current != number) {
            return;
        }
        if matches!(&*state, State::Down(_)) && number > 0 {
            return;
        }
        *state = State::Down(error.to_string());
        drop(state);
        tracing::warn!(store = self.store, server = %self.place, %error, "the server does not answer");
        drop(tokio::spawn(reconnect(Arc::downgrade(self), number.saturating_add(1))));
    }
}

/// Connects anew, until it is done or nobody needs it any more.
async fn reconnect(link: Weak<Shared>, number: u64) {
    let mut pause = FIRST_PAUSE;
    loop {
        tokio::time::sleep(pause).await;
        pause = pause.saturating_mul(2).min(LONGEST_PAUSE);
        let Some(shared) = link.upgrade() else { return };
        match shared.connect().await {
            Ok(wire) => {
                *shared.state() = State::Up(wire, number);
                tracing::info!(store = shared.store, server = %shared.place, "the server answers again");
                return;
            }
            Err(error) => *shared.state() = State::Down(error.to_string()),
        }
    }
}

async fn within<T>(limit: Duration, work: impl Future<Output = Result<T, RedisError>>) -> Result<T, CallError> {
    match tokio::time::timeout(limit, work).await {
        Ok(done) => done.map_err(CallError::Redis),
        Err(_) => Err(CallError::Slow(limit)),
    }
}

/// True if the connection is of no use any more: it is broken, silent, or leads to a server that only reads.
fn breaks(error: &CallError) -> bool {
    match error {
        CallError::Lost(_) => false,
        CallError::Slow(_) => true,
        CallError::Redis(error) => {
            error.is_unrecoverable_error() || error.kind() == ErrorKind::Server(ServerErrorKind::ReadOnly)
        }
    }
}

/// What a URL names.
fn target(store: &'static str, connection: &Connection) -> Result<Target, OpenError> {
    let url = &connection.url;
    let wrong = |why: String| OpenError::configuration(store, why);
    let cluster = match url.query() {
        "" | "cluster=false" => false,
        "cluster=true" => true,
        other => return Err(wrong(format!("its URL ends with ?{other}; there is only ?cluster=true"))),
    };
    let database: i64 = match url.path() {
        "" => 0,
        path => path.parse().map_err(|_| wrong(format!("/{path} in its URL is not the number of a database")))?,
    };
    let certificates = connection.tls.as_ref().map(|tls| certificates(store, tls)).transpose()?;
    let nodes = nodes(url, database, certificates.is_some()).map_err(|error| OpenError::configuration(store, error))?;
    if !cluster && nodes.len() > 1 {
        return Err(wrong("its URL names several hosts, which only a cluster has: add ?cluster=true".to_owned()));
    }
    let made = if cluster {
        let mut builder = ClusterClientBuilder::new(nodes).connection_timeout(connection.timeout.max(CONNECT));
        if let Some(certificates) = certificates {
            builder = builder.tls(TlsMode::Secure).certs(certificates);
        }
        builder.build().map(|client| Target::Cluster(Box::new(client)))
    } else {
        let node = nodes.into_iter().next().ok_or_else(|| wrong("its URL names no host".to_owned()))?;
        let client = match certificates {
            Some(certificates) => Client::build_with_tls(node, certificates),
            None => Client::open(node),
        };
        client.map(|client| Target::One(Box::new(client)))
    };
    made.map_err(|error| OpenError::configuration(store, error))
}

fn nodes(url: &ServerUrl, database: i64, encrypted: bool) -> Result<Vec<ConnectionInfo>, RedisError> {
    let mut login = RedisConnectionInfo::default().set_db(database).set_lib_name("walletd", env!("CARGO_PKG_VERSION"));
    if let Some(user) = url.user() {
        login = login.set_username(user);
    }
    if let Some(password) = url.password() {
        login = login.set_password(password);
    }
    let node = |host: &crate::address::Host| {
        let (name, port) = (host.name.clone(), host.port.unwrap_or(PORT));
        let address = if encrypted {
            ConnectionAddr::TcpTls { host: name, port, insecure: false, tls_params: None }
        } else {
            ConnectionAddr::Tcp(name, port)
        };
        Ok(address.into_connection_info()?.set_redis_settings(login.clone()))
    };
    url.hosts().iter().map(node).collect()
}

fn certificates(store: &'static str, tls: &Tls) -> Result<TlsCertificates, OpenError> {
    // Read here for the client, and by us first: what cannot be used is named.
    tls.rustls(store)?;
    let read = |file: &std::path::Path| {
        std::fs::read(file)
            .map_err(|error| OpenError::configuration(store, format_args!("cannot read {}: {error}", file.display())))
    };
    let root_cert = tls.ca_file.as_deref().map(read).transpose()?;
    let client_tls = match &tls.identity {
        Some(identity) => {
            Some(ClientTlsConfig { client_cert: read(&identity.cert_file)?, client_key: read(&identity.key_file)? })
        }
        None => None,
    };
    Ok(TlsCertificates { client_tls, root_cert })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opened(url: &str) -> Result<Target, OpenError> {
        let url = url.parse().unwrap();
        target("balances", &Connection { url, tls: None, pool: 1, timeout: Duration::from_millis(10) })
    }

    #[test]
    fn what_a_url_cannot_mean_is_refused() {
        for url in ["redis://a:1,b:2/0", "redis://a/nine", "redis://a/0?timeout=1"] {
            assert!(matches!(opened(url), Err(OpenError::Configuration { .. })), "{url}");
        }
        assert!(matches!(opened("redis://ana:s%40cret@a:1/2"), Ok(Target::One(_))));
        assert!(matches!(opened("redis://a:1,b:2?cluster=true"), Ok(Target::Cluster(_))));
    }

    #[tokio::test]
    async fn a_server_that_is_not_there_costs_nothing_after_the_start() {
        // Port 9 of loopback: nobody listens there.
        let url = "redis://127.0.0.1:9".parse().unwrap();
        let connection = Connection { url, tls: None, pool: 1, timeout: Duration::from_mins(1) };
        let link = Link::open("balances", &connection).await.unwrap();
        assert!(link.lost().is_some());
        let began = std::time::Instant::now();
        let answer = link.call::<Value>(&redis::cmd("PING")).await.unwrap_err().of_change("balances");
        assert!(matches!(answer, StoreError::Unavailable { .. }), "{answer:?}");
        assert!(began.elapsed() < Duration::from_secs(5));
    }
}
