//! A ledger with ten wallets, the transfers between them, and what must hold whatever happened: asked by SQL.

use std::sync::Arc;

use wallet_core::{
    command::{Action, Command, Mode, Request},
    ids::Actor,
    outcome::{Answer, Outcome},
    ports::{Axis, EntryQuery, Known, LedgerStore},
    time::Timestamp,
};
use walletd::adapters::{
    connection::Connection,
    embedded::clock::SystemClock,
    postgres::{PostgresLedger, migrate},
};

use super::postgres::Server;
use crate::common::{command, payment, wallet};

/// Wallets `w0` to `w9`, each with 100.00 EUR.
pub(crate) struct Bank {
    pub(crate) connection: Connection,
    pub(crate) ledger: Arc<PostgresLedger>,
}

const WALLETS: u64 = 10;
/// Records that opening the bank makes.
const OPENING: usize = 20;

fn request(commands: Vec<Command>) -> Request {
    let mut request = Request::single(Actor::system(), deposit_command("unused", "w0", "1"));
    (request.mode, request.commands) = (Mode::Continue, commands);
    request
}

fn pay(key: &str, from: Option<&str>, to: Option<&str>, amount: &str) -> Command {
    command(key, Action::Move(payment(from, to, amount)))
}

fn deposit_command(key: &str, to: &str, amount: &str) -> Command {
    pay(key, None, Some(to), amount)
}

/// One deposit of 1.00.
pub(crate) fn deposit(key: &str, to: &str) -> Request {
    request(vec![deposit_command(key, to, "1")])
}

/// A withdrawal of more than there is.
pub(crate) fn too_much(key: &str) -> Request {
    request(vec![pay(key, Some("w9"), None, "1000000")])
}

/// A transfer that some other client makes the other way round; large enough to be refused at times.
pub(crate) fn opposite(client: u64, round: u64) -> Request {
    let (one, two) = (format!("w{}", client % 5), format!("w{}", client % 5 + 5));
    let (from, to) = if (client / 5 + round).is_multiple_of(2) { (&one, &two) } else { (&two, &one) };
    request(vec![pay(&format!("t-{client}-{round}"), Some(from), Some(to), "37.5")])
}

/// Many small transfers in a circle.
pub(crate) fn many(batch: u64, count: u64) -> Request {
    let one = |number: u64| {
        let (from, to) = (format!("w{}", number % WALLETS), format!("w{}", (number + 1) % WALLETS));
        pay(&format!("m-{batch}-{number}"), Some(&from), Some(&to), "0.01")
    };
    request((0..count).map(one).collect())
}

/// How many commands happened now, not before.
pub(crate) fn happened(answers: &[Answer]) -> usize {
    let of = |answer: &Answer| match answer {
        Answer::Outcomes { outcomes, .. } => outcomes.iter().filter(|one| matches!(one, Outcome::Ok(_))).count(),
        Answer::OwnKeyConflict | Answer::OutOfTurn => 0,
    };
    answers.iter().map(of).sum()
}

impl Bank {
    pub(crate) async fn open(connection: &Connection) -> Self {
        migrate(connection).await.unwrap();
        let ledger = PostgresLedger::open(connection, "a bank".into(), Arc::new(SystemClock::new())).await.unwrap();
        let mut commands = Vec::new();
        for number in 0..WALLETS {
            let id = format!("w{number}");
            let open = wallet(&id, "0".parse().unwrap());
            commands.push(command(&format!("open-{id}"), Action::OpenWallet(open)));
            commands.push(deposit_command(&format!("seed-{id}"), &id, "100"));
        }
        let came = ledger.commit(&[request(commands)]).await.unwrap();
        assert_eq!(happened(&came), OPENING);
        Self { connection: connection.clone(), ledger: Arc::new(ledger) }
    }

    pub(crate) fn database(&self) -> String {
        self.connection.url.path().to_owned()
    }

    /// Every kind of statement once.
    pub(crate) async fn use_everything(&self) {
        let ledger = &self.ledger;
        let head = ledger.head().await.unwrap();
        ledger.commit(&[deposit(&format!("use-{}", head.seq), "w3")]).await.unwrap();
        let wallet = "w3".parse().unwrap();
        let account = ledger.account(&wallet).await.unwrap().unwrap();
        for known in [head.seq / 2, u64::MAX] {
            ledger.balances_at(&account, &[head.recorded_at.plus_micros(-1)], known).await.unwrap();
        }
        let accounts = ledger.accounts(None, 3).await.unwrap();
        for known in [head.seq / 2, u64::MAX] {
            ledger.balances_of(&accounts, &[head.recorded_at.plus_micros(-1)], known).await.unwrap();
        }
        let earlier = head.recorded_at.plus_micros(-1);
        for known in [Known::Head, Known::At(head.seq / 2), Known::By(earlier)] {
            ledger.look(&wallet, Some(earlier), known).await.unwrap();
            ledger.look(&wallet, None, known).await.unwrap();
        }
        for (axis, descending) in
            [(Axis::Recorded, false), (Axis::Recorded, true), (Axis::Effective, false), (Axis::Effective, true)]
        {
            let query = EntryQuery {
                wallet: wallet.clone(),
                axis,
                descending,
                from: Some(Timestamp::EPOCH),
                to: Some(head.recorded_at),
                known: head.seq,
                after: None,
                limit: 5,
            };
            ledger.entries(&query).await.unwrap();
        }
        ledger.cut_at_time(head.recorded_at.plus_micros(-1)).await.unwrap();
        ledger.records(head.seq / 2, 3).await.unwrap();
        ledger.externals().await.unwrap();
    }

    /// All that must hold whatever happened, by plain SQL, and that so many commands happened since it was opened.
    pub(crate) async fn sound(&self, server: &Server, happened: usize) {
        let client = server.client(&self.database()).await;
        let rows = async |sql: &str| client.query(sql, &[]).await.unwrap().len();
        let one = async |sql: &str| client.query_one(sql, &[]).await.unwrap().get::<_, i64>(0);
        assert_eq!(one("SELECT count(*) FROM journal").await, i64::try_from(OPENING + happened).unwrap());
        assert_eq!(one("SELECT max(seq) - count(*) FROM journal").await, 0, "seq has a gap");
        assert_eq!(one("SELECT count(key) - count(DISTINCT key) FROM journal").await, 0, "a key committed twice");
        let forth = "SELECT 1 FROM journal a JOIN journal b ON b.seq = a.seq + 1 WHERE b.recorded_at <= a.recorded_at";
        assert_eq!(rows(forth).await, 0, "recorded_at does not grow");
        let chain =
            "SELECT 1 FROM journal a JOIN journal b ON b.seq = a.seq + 1 WHERE b.hash <> sha256(a.hash || b.bytes)";
        assert_eq!(rows(chain).await, 0, "the chain is broken");
        assert_eq!(rows("SELECT asset FROM accounts GROUP BY asset HAVING sum(balance) <> 0").await, 0, "sums");
        assert_eq!(rows("SELECT 1 FROM accounts WHERE balance < floor").await, 0, "an overdraft");
        let entries = "SELECT a.id FROM accounts a LEFT JOIN entries e ON e.account = a.number WHERE a.owner IS NOT NULL \
            GROUP BY a.id HAVING a.balance <> coalesce(sum(e.amount), 0) OR a.version <> count(e.seq)";
        assert_eq!(rows(entries).await, 0, "a balance is not the sum of its entries");
        let running = "SELECT 1 FROM (SELECT balance_after - amount AS before, version, \
                lag(balance_after, 1, 0) OVER w AS last, lag(version, 1, 0::int8) OVER w AS last_version \
                FROM entries WINDOW w AS (PARTITION BY account ORDER BY seq)) e \
            WHERE before <> last OR version <> last_version + 1";
        assert_eq!(rows(running).await, 0, "an entry does not follow the one before it");
        let clock = "SELECT 1 FROM clock c JOIN journal j USING (seq, epoch, recorded_at, hash)";
        assert_eq!(rows(clock).await, 1, "the clock is not the last record");
    }
}
