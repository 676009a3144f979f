//! The writer's connection: its statements, prepared once, and sending many of them in one round trip.
//!
//! Statements are sent in order without waiting for the answers between them; when one fails, PostgreSQL ignores the rest of
//! the transaction, and a COMMIT among them rolls back.

use std::{
    future::{Future, poll_fn},
    pin::Pin,
    task::{Context, Poll, Waker},
    time::Duration,
};

use futures_util::future::try_join_all;
use tokio_postgres::{Error, Row, Statement, error::Severity, types::ToSql};
use wallet_core::ports::StoreError;

use super::{
    STORE, errors, guess,
    link::{Connected, Link},
    rows::{ACCOUNT, CLOCK, RECORD},
};

/// A parameter of a statement.
pub(super) type Parameter<'a> = &'a (dyn ToSql + Sync);

macro_rules! statements {
    ($($(#[$doc:meta])* $name:ident => $sql:expr;)*) => {
        /// The statements of the writer.
        #[derive(Clone, Copy, Debug)]
        pub(super) enum Ask { $($(#[$doc])* $name),* }

        fn texts() -> Vec<String> {
            vec![$($sql.to_string()),*]
        }
    };
}

statements! {
    /// Locks the clock row: from here on nobody else writes. The server's time is read behind the lock: the outer
    /// SELECT asks for it when the inner one has its row.
    Lock => format_args!("WITH held AS MATERIALIZED (SELECT {CLOCK} FROM clock WHERE one = 1 FOR UPDATE) \
        SELECT {CLOCK}, (extract(epoch FROM clock_timestamp()) * 1000000)::int8 FROM held");
    Keys => format_args!("SELECT {RECORD} FROM journal WHERE key = ANY ($1::uuid[])");
    Records => format_args!("SELECT {RECORD} FROM journal WHERE seq = ANY ($1::int8[])");
    Accounts => format_args!("SELECT {ACCOUNT} FROM accounts WHERE id = ANY ($1::text[])");
    Reversals => "SELECT seq, epoch, by_seq, by_epoch FROM reversals WHERE seq = ANY ($1::int8[])";
    Answers => "SELECT name, answer FROM answers WHERE key = ANY ($1::uuid[])";
    Answered => "SELECT name FROM answers WHERE key = ANY ($1::uuid[])";
    Assets => "SELECT code, scale FROM assets";
    AddRecords => "INSERT INTO journal (seq, epoch, recorded_at, key, hash, bytes, trace) \
        SELECT * FROM unnest($1::int8[], $2::int8[], $3::int8[], $4::uuid[], $5::bytea[], $6::bytea[], $7::text[])";
    AddEntries => "INSERT INTO entries (account, run, effective_at, seq, version, amount, balance_after, run_after) \
        SELECT * FROM unnest($1::int8[], $2::int2[], $3::int8[], $4::int8[], $5::int8[], $6::numeric[], $7::numeric[], $8::numeric[])";
    AddAccounts => format_args!("INSERT INTO accounts ({ACCOUNT}) SELECT * FROM unnest($1::text[], $2::int8[], $3::text[], $4::text[], \
        $5::int2[], $6::text[], $7::numeric[], $8::numeric[], $9::int8[], $10::int8[], $11::int8[], $12::bytea[])");
    /// Fails (by a division by zero) unless every account was there, at the version it was decided on.
    SetAccounts => "WITH done AS (UPDATE accounts a SET balance = u.balance, version = u.version, seq = u.seq, runs = u.runs \
        FROM unnest($1::text[], $2::int8[], $3::numeric[], $4::int8[], $5::int8[], $6::bytea[]) \
            AS u (id, before, balance, version, seq, runs) \
        WHERE a.id = u.id AND a.version = u.before RETURNING 1) \
        SELECT 1 / (count(*) = $7::int8)::int4 FROM done";
    SetRules => "UPDATE accounts a SET status = u.status, floor = u.floor \
        FROM unnest($1::text[], $2::text[], $3::numeric[]) AS u (id, status, floor) WHERE a.id = u.id";
    AddReversals => "INSERT INTO reversals (seq, epoch, by_seq, by_epoch) \
        SELECT * FROM unnest($1::int8[], $2::int8[], $3::int8[], $4::int8[])";
    AddAnswers => "INSERT INTO answers (key, name, answer) SELECT * FROM unnest($1::uuid[], $2::text[], $3::bytea[])";
    AddAssets => "INSERT INTO assets (code, scale, seq) SELECT * FROM unnest($1::text[], $2::int2[], $3::int8[])";
    /// Fails (by a division by zero) unless the clock is still where it was decided on.
    SetClock => "WITH done AS (UPDATE clock SET epoch = $1::int8, seq = $2::int8, recorded_at = $3::int8, hash = $4::bytea \
        WHERE one = 1 AND seq = $5::int8 RETURNING 1) SELECT 1 / (count(*) = 1)::int4 FROM done";
    /// All of a commit at once: see [`super::guess`].
    AtOnce => guess::at_once();
    /// The same for one record of one wallet.
    Deposit => guess::single(1);
    /// The same for one record of two wallets.
    Transfer => guess::single(2);
}

/// One statement with its parameters.
pub(super) struct Call<'a> {
    pub(super) ask: Ask,
    pub(super) parameters: Vec<Parameter<'a>>,
}

impl<'a> Call<'a> {
    pub(super) fn new(ask: Ask, parameters: impl Into<Vec<Parameter<'a>>>) -> Self {
        Self { ask, parameters: parameters.into() }
    }
}

/// Rows, a parameter each column.
pub(super) trait Columns: Send + Sync {
    /// The columns, in the statement's order.
    fn parameters(&self) -> Vec<Parameter<'_>>;
}

/// Why a round trip did not do what it was to do.
pub(super) enum Broken {
    /// The server refused a statement in front of the commit, or there was no commit: it certainly came to nothing.
    Refused(Error),
    /// The connection broke or did not answer in time, before a commit was sent: it certainly came to nothing.
    Lost(StoreError),
    /// The same, behind a commit that was sent.
    Unknown(StoreError),
}

impl From<Broken> for StoreError {
    fn from(broken: Broken) -> Self {
        match broken {
            Broken::Refused(error) => errors::store(error),
            Broken::Lost(error) | Broken::Unknown(error) => error,
        }
    }
}

/// The writer's connection.
pub(super) struct Session {
    connected: Connected,
    statements: Vec<Statement>,
    limit: Duration,
}

/// What stands around the statements of a round trip.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Around {
    /// A BEGIN before them.
    Begin,
    /// Nothing.
    Nothing,
    /// A COMMIT behind them.
    Commit,
}

type Running<'a> = Pin<Box<dyn Future<Output = Result<Vec<Row>, Error>> + Send + 'a>>;

impl Session {
    pub(super) async fn open(link: &Link, limit: Duration) -> Result<Self, StoreError> {
        let connected = link.connect().await?;
        let texts = texts();
        let preparing = try_join_all(texts.iter().map(|text| connected.client.prepare(text)));
        let statements = match tokio::time::timeout(limit, preparing).await {
            Ok(prepared) => prepared.map_err(|error| StoreError::unavailable(STORE, errors::shown(&error)))?,
            Err(_) => return Err(errors::too_slow()),
        };
        Ok(Self { connected, statements, limit })
    }

    /// Sends one statement with many rows, and goes on without its answer.
    pub(super) fn start<'a>(&'a self, ask: Ask, rows: impl Columns + 'a) -> Sent<'a> {
        let mut sent = Sent::Waiting(Box::pin(async move { self.query(ask, &rows.parameters()).await }));
        sent.poll(&mut Context::from_waker(Waker::noop()));
        sent
    }

    async fn query(&self, ask: Ask, parameters: &[Parameter<'_>]) -> Result<Vec<Row>, Error> {
        match self.statements.get(ask as usize) {
            Some(statement) => self.connected.client.query(statement, parameters).await,
            None => Ok(Vec::new()),
        }
    }

    /// Sends all statements at once; gives the rows of each.
    pub(super) async fn round(&self, around: Around, calls: &[Call<'_>]) -> Result<Vec<Vec<Row>>, Broken> {
        self.round_behind(Vec::new(), around, calls).await
    }

    /// The same, behind statements that were sent before; the rows of those come first.
    pub(super) async fn round_behind<'a>(
        &'a self,
        before: Vec<Sent<'a>>,
        around: Around,
        calls: &'a [Call<'a>],
    ) -> Result<Vec<Vec<Row>>, Broken> {
        let client = &self.connected.client;
        let plain = |text: &'static str| -> Running<'_> {
            Box::pin(async move { client.batch_execute(text).await.map(|()| Vec::new()) })
        };
        let mut sent = before;
        sent.reserve(calls.len() + 2);
        if around == Around::Begin {
            sent.push(Sent::Waiting(plain("BEGIN")));
        }
        for call in calls {
            sent.push(Sent::Waiting(Box::pin(self.query(call.ask, &call.parameters))));
        }
        let mut commit = (around == Around::Commit).then(|| plain("COMMIT"));
        let statements = sent.len();
        let all = poll_fn(|context| {
            // Each sends when it is first polled: in this order.
            for one in &mut sent {
                one.poll(context);
            }
            // A statement that could not even be sent must not be committed without.
            if let Some(commit) = commit.take_if(|_| !sent.iter().any(Sent::failed)) {
                sent.push(Sent::Waiting(commit));
                sent.last_mut().into_iter().for_each(|one| one.poll(context));
            }
            if sent.iter().any(|one| matches!(one, Sent::Waiting(_))) { Poll::Pending } else { Poll::Ready(()) }
        });
        let in_time = tokio::time::timeout(self.limit, all).await.is_ok();
        let committing = sent.len() > statements;
        let lost = |error| if committing { Broken::Unknown(error) } else { Broken::Lost(error) };
        if !in_time {
            return Err(lost(errors::too_slow()));
        }
        let mut rows = Vec::with_capacity(sent.len());
        for (place, one) in sent.into_iter().enumerate() {
            match one {
                Sent::Done(Ok(found)) => rows.push(found),
                // Answers come in order: the server never came as far as the commit.
                Sent::Done(Err(error)) if place < statements && error.as_db_error().is_some() => {
                    return Err(Broken::Refused(error));
                }
                Sent::Done(Err(error)) => return Err(lost(errors::store(error))),
                Sent::Waiting(_) => return Err(lost(errors::too_slow())),
            }
        }
        if around == Around::Begin {
            rows.remove(0);
        }
        Ok(rows)
    }

    /// Sends one statement that commits by itself. When its rows are here, it has.
    pub(super) async fn once(&self, call: &Call<'_>) -> Result<Vec<Row>, Broken> {
        match tokio::time::timeout(self.limit, self.query(call.ask, &call.parameters)).await {
            Ok(Ok(rows)) => Ok(rows),
            // Of an error that ends the connection it is not said on which side of the commit it came.
            Ok(Err(error)) if error.as_db_error().is_some_and(|e| e.parsed_severity() == Some(Severity::Error)) => {
                Err(Broken::Refused(error))
            }
            Ok(Err(error)) => Err(Broken::Unknown(errors::store(error))),
            Err(_) => Err(Broken::Unknown(errors::too_slow())),
        }
    }

    /// Ends a transaction that has nothing to keep.
    pub(super) async fn roll_back(&self) -> Result<(), StoreError> {
        match tokio::time::timeout(self.limit, self.connected.client.batch_execute("ROLLBACK")).await {
            Ok(done) => done.map_err(errors::store),
            Err(_) => Err(errors::too_slow()),
        }
    }

    pub(super) fn is_closed(&self) -> bool {
        self.connected.client.is_closed()
    }
}

/// A statement on its way.
pub(super) enum Sent<'a> {
    /// Its answer is not here yet.
    Waiting(Running<'a>),
    /// Answered.
    Done(Result<Vec<Row>, Error>),
}

impl Sent<'_> {
    fn poll(&mut self, context: &mut Context<'_>) {
        if let Self::Waiting(running) = self
            && let Poll::Ready(done) = running.as_mut().poll(context)
        {
            *self = Self::Done(done);
        }
    }

    fn failed(&self) -> bool {
        matches!(self, Self::Done(Err(_)))
    }
}
