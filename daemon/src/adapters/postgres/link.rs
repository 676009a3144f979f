//! The way to the server: where, how encrypted, and the settings every session of ours has.

use std::time::Duration;

use deadpool_postgres::{Hook, HookError, Manager, ManagerConfig, Pool, RecyclingMethod, Runtime, Timeouts};
use tokio::task::JoinHandle;
use tokio_postgres::{
    Client, Config, NoTls,
    config::{SslMode, TargetSessionAttrs},
};
use tokio_postgres_rustls::MakeRustlsConnect;
use wallet_core::ports::StoreError;

use super::{
    STORE,
    errors::{self, too_slow},
};
use crate::adapters::{connection::Connection, schema::OpenError};

/// PostgreSQL's port where the URL has none.
const PORT: u16 = 5432;
/// Longest wait for a connection: a server that is there answers in milliseconds, and who waits is refused at once.
const CONNECT: Duration = Duration::from_secs(1);
/// Longest pause of a session inside a transaction: a holder of the clock row that was stopped is thrown out after this.
const IDLE_IN_TRANSACTION: Duration = Duration::from_secs(2);
/// Longest wait for the clock row: longer than a stopped holder keeps it.
const LOCK: Duration = Duration::from_secs(4);
/// Longest run of one statement; a batch of thousands takes a tenth of a second.
const STATEMENT: Duration = Duration::from_secs(10);
/// Longest wait for the other side to take or acknowledge bytes.
const UNHEARD: Duration = Duration::from_secs(5);

/// The way to the server.
#[derive(Clone)]
pub(crate) struct Link {
    config: Config,
    tls: Option<MakeRustlsConnect>,
    /// Most time for one operation.
    limit: Duration,
}

/// One connection; dropping it closes the socket whatever it is doing.
pub(crate) struct Connected {
    pub(crate) client: Client,
    driver: JoinHandle<()>,
}

impl Drop for Connected {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Link {
    pub(crate) fn new(connection: &Connection, name: &str) -> Result<Self, OpenError> {
        let wrong = |why: &str| OpenError::configuration(STORE, why);
        let url = &connection.url;
        if !url.query().is_empty() {
            return Err(wrong("its URL has parameters behind a ?; encryption and limits have settings of their own"));
        }
        let mut config = Config::new();
        config.user(url.user().ok_or_else(|| wrong("its URL names no user"))?);
        if let Some(password) = url.password() {
            config.password(password);
        }
        if url.path().is_empty() {
            return Err(wrong("its URL names no database: postgres://user@host/DATABASE"));
        }
        config.dbname(url.path());
        for host in url.hosts() {
            config.host(&host.name);
            config.port(host.port.unwrap_or(PORT));
        }
        config
            .application_name(name)
            .connect_timeout(CONNECT)
            .tcp_user_timeout(UNHEARD)
            .keepalives_idle(UNHEARD)
            .keepalives_interval(Duration::from_secs(1))
            .keepalives_retries(3)
            // Of several servers, the one that may be written to.
            .target_session_attrs(if url.hosts().len() > 1 {
                TargetSessionAttrs::ReadWrite
            } else {
                TargetSessionAttrs::Any
            })
            .ssl_mode(if connection.tls.is_some() { SslMode::Require } else { SslMode::Disable });
        let tls = connection.tls.as_ref().map(|tls| tls.rustls(STORE).map(MakeRustlsConnect::new)).transpose()?;
        Ok(Self { config, tls, limit: connection.timeout })
    }

    /// The same way, into another schema than the user's own.
    pub(super) fn within(mut self, schema: &str) -> Self {
        self.config.options(format!("-c search_path={schema}"));
        self
    }

    /// A connection with our settings; an error says what the server said.
    pub(super) async fn try_connect(&self) -> Result<Connected, Unconnected> {
        let connect = async {
            let (client, driver) = match &self.tls {
                None => {
                    let (client, connection) = self.config.connect(NoTls).await?;
                    (client, tokio::spawn(drive(connection)))
                }
                Some(tls) => {
                    let (client, connection) = self.config.connect(tls.clone()).await?;
                    (client, tokio::spawn(drive(connection)))
                }
            };
            let connected = Connected { client, driver };
            connected.client.batch_execute(&settings()).await?;
            Ok(connected)
        };
        match tokio::time::timeout(CONNECT.min(self.limit) * 2, connect).await {
            Ok(done) => done.map_err(Unconnected::Refused),
            Err(_) => Err(Unconnected::TooSlow),
        }
    }

    /// A connection with our settings.
    pub(crate) async fn connect(&self) -> Result<Connected, StoreError> {
        self.try_connect().await.map_err(Into::into)
    }

    /// A bounded pool of such connections, for reading.
    pub(super) fn pool(&self, size: usize) -> Result<Pool, OpenError> {
        let how = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let manager = match &self.tls {
            None => Manager::from_config(self.config.clone(), NoTls, how),
            Some(tls) => Manager::from_config(self.config.clone(), tls.clone(), how),
        };
        let timeouts = Timeouts { wait: Some(self.limit), create: Some(CONNECT * 2), recycle: Some(CONNECT) };
        let set = Hook::async_fn(|client: &mut deadpool_postgres::ClientWrapper, _| {
            Box::pin(async move { client.batch_execute(&settings()).await.map_err(HookError::Backend) })
        });
        Pool::builder(manager)
            .max_size(size)
            .timeouts(timeouts)
            .runtime(Runtime::Tokio1)
            .post_create(set)
            .build()
            .map_err(|error| OpenError::configuration(STORE, error))
    }
}

/// Why there is no connection.
pub(super) enum Unconnected {
    Refused(tokio_postgres::Error),
    TooSlow,
}

impl From<Unconnected> for StoreError {
    fn from(why: Unconnected) -> Self {
        match why {
            // Whatever the reason, nothing was asked for yet.
            Unconnected::Refused(error) => StoreError::unavailable(STORE, errors::shown(&error)),
            Unconnected::TooSlow => too_slow(),
        }
    }
}

impl From<Unconnected> for OpenError {
    fn from(why: Unconnected) -> Self {
        match why {
            Unconnected::Refused(error) => errors::open(error),
            Unconnected::TooSlow => too_slow().into(),
        }
    }
}

async fn drive<S, T>(connection: tokio_postgres::Connection<S, T>)
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
    T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    // Whoever waits for an answer over it gets the error as well.
    if let Err(error) = connection.await {
        tracing::debug!(%error, "a connection to the ledger ended");
    }
}

/// What every session sets. Plans are generic and by index: a plan made while a table was small must be right when it
/// is large, JIT would cost more than any statement here, and planning anew costs as much as running.
fn settings() -> String {
    let mut text = String::from(
        "SET jit = off; SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off; SET enable_hashjoin = off; \
         SET enable_mergejoin = off; SET default_transaction_isolation = 'read committed'; ",
    );
    for (name, limit) in [
        ("idle_in_transaction_session_timeout", IDLE_IN_TRANSACTION),
        ("lock_timeout", LOCK),
        ("statement_timeout", STATEMENT),
        ("tcp_user_timeout", UNHEARD),
    ] {
        text += &["SET ", name, " = ", &limit.as_millis().to_string(), "; "].concat();
    }
    // Never lowered: `remote_apply` promises more than `on`, everything else less.
    text += "SELECT set_config('synchronous_commit', 'on', false) FROM pg_settings \
             WHERE name = 'synchronous_commit' AND setting <> 'remote_apply'; ";
    // Where the server has it: it looks whether we are still there while a session of ours waits.
    text += "SELECT set_config(name, '1000', false) FROM pg_settings WHERE name = 'client_connection_check_interval'";
    text
}
