//! Clients that transfer until they are told to stop, and remember what they were told.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::harness::{World, until};

/// What a client waits before it sends the same again.
const PAUSE: Duration = Duration::from_millis(20);
/// A transfer whose outcome is not known by then fails the test.
const PATIENCE: Duration = Duration::from_mins(2);
/// What a client waits between two transfers, unless it is to go at full speed: thirty-two of them make some hundred
/// records a second, which the slowest of the servers still follows.
const THINK: Duration = Duration::from_millis(50);
/// What is in each wallet at the start.
const FUNDS: &str = "1000";

/// What the clients were told.
#[derive(Debug, Default)]
pub struct Tally {
    /// Keys whose transfer was acknowledged.
    pub acknowledged: BTreeSet<String>,
    /// Keys whose transfer was refused by a rule.
    pub refused: BTreeSet<String>,
    /// How often each code came that says to try again.
    pub again: BTreeMap<String, u64>,
    /// The HTTP statuses of all answers.
    pub statuses: BTreeSet<u16>,
    /// The longest time from sending to an answer of any kind.
    pub slowest: Duration,
}

impl Tally {
    /// Notes an answer; true if it is final.
    fn take(&mut self, key: &str, after: Duration, answer: &Result<(u16, Value), String>) -> bool {
        self.slowest = self.slowest.max(after);
        self.statuses.extend(answer.iter().map(|(status, _)| status));
        let code = match answer {
            Ok((200..300, _)) => return self.acknowledged.insert(key.into()),
            Ok((422, problem)) if problem["code"] == "insufficient_funds" => return self.refused.insert(key.into()),
            Ok((_, problem)) if problem["retryable"] == true => problem["code"].as_str().unwrap_or("none").to_owned(),
            Ok((status, problem)) => panic!("{key}: {status} {problem}"),
            // The daemon was killed: the answer is lost, or there was none.
            Err(_) => "no answer".into(),
        };
        *self.again.entry(code).or_default() += 1;
        false
    }
}

/// Clients at work.
pub struct Load {
    stop: Arc<AtomicBool>,
    moved: Arc<AtomicU64>,
    told: Arc<Mutex<Tally>>,
    thread: Option<JoinHandle<()>>,
}

/// Opens `count` wallets with money in them.
pub fn wallets(world: &World, prefix: &str, count: usize) -> Vec<String> {
    let ids: Vec<String> = (0..count).map(|number| format!("{prefix}{number}")).collect();
    let rows: Vec<String> = ids.iter().map(|id| format!("{id},o,EUR,0,2024-01-01")).collect();
    world.file("load-wallets.csv", format!("id,owner,asset,overdraft,opened_at\n{}\n", rows.join("\n")));
    world.ctl("wallet import load-wallets.csv --yes").ok();
    let rows: Vec<String> = ids.iter().map(|id| format!("fund-{id},deposit,,{id},{FUNDS},EUR")).collect();
    world.file("load-funds.csv", format!("key,op,from,to,amount,asset\n{}\n", rows.join("\n")));
    world.ctl("batch run load-funds.csv --yes").ok();
    ids
}

impl Load {
    /// Starts clients that move money between these wallets, each over one of the sockets in turn.
    pub fn start(prefix: &str, sockets: &[PathBuf], wallets: &[String], clients: usize) -> Self {
        Self::paced(prefix, sockets, wallets, clients, THINK)
    }

    /// The same with no time between transfers.
    pub fn at_full_speed(prefix: &str, sockets: &[PathBuf], wallets: &[String], clients: usize) -> Self {
        Self::paced(prefix, sockets, wallets, clients, Duration::ZERO)
    }

    fn paced(prefix: &str, sockets: &[PathBuf], wallets: &[String], clients: usize, think: Duration) -> Self {
        let (stop, moved, told) = (Arc::<AtomicBool>::default(), Arc::<AtomicU64>::default(), Arc::default());
        let work = Work {
            prefix: prefix.into(),
            wallets: wallets.to_vec(),
            think,
            stop: Arc::clone(&stop),
            moved: Arc::clone(&moved),
            told: Arc::clone(&told),
        };
        let sockets = sockets.to_vec();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let mut tasks = tokio::task::JoinSet::new();
                for number in 0..clients {
                    tasks.spawn(client(number, sockets[number % sockets.len()].clone(), work.clone()));
                }
                tasks.join_all().await;
            });
        });
        Self { stop, moved, told, thread: Some(thread) }
    }

    /// Transfers acknowledged so far.
    pub fn moved(&self) -> u64 {
        self.moved.load(Ordering::Relaxed)
    }

    /// Waits until so many more transfers are acknowledged.
    #[track_caller]
    pub fn moves(&self, more: u64, what: &str) -> Duration {
        let (goal, begin) = (self.moved() + more, Instant::now());
        until(&format!("money moves {what}"), || self.moved() >= goal || self.is_over());
        assert!(self.moved() >= goal, "the clients ended {what}");
        begin.elapsed()
    }

    /// How often this code has come.
    pub fn times(&self, code: &str) -> u64 {
        self.told.lock().unwrap().again.get(code).copied().unwrap_or_default()
    }

    fn is_over(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Lets every client learn what became of its last transfer, and ends.
    pub fn stop(&mut self) -> Tally {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().expect("a client");
        std::mem::take(&mut *self.told.lock().unwrap())
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

#[derive(Clone)]
struct Work {
    prefix: String,
    wallets: Vec<String>,
    think: Duration,
    stop: Arc<AtomicBool>,
    moved: Arc<AtomicU64>,
    told: Arc<Mutex<Tally>>,
}

async fn client(number: usize, socket: PathBuf, work: Work) {
    let client = wallet_tests::http().unix_socket(socket).timeout(PATIENCE).build().unwrap();
    let mut state = number as u64 + 1;
    for step in 0.. {
        if work.stop.load(Ordering::Relaxed) {
            return;
        }
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let from = usize::try_from(state >> 40).unwrap() % work.wallets.len();
        let to =
            (from + 1 + usize::try_from(state >> 20 & 0xfff).unwrap() % (work.wallets.len() - 1)) % work.wallets.len();
        let amount = format!("{}.{:02}", state >> 33 & 7, 1 + (state >> 50 & 63));
        let body = json!({"from": work.wallets[from], "to": work.wallets[to], "amount": amount, "asset": "EUR"});
        transfer(&client, &format!("{}-{number}-{step}", work.prefix), &body, &work).await;
        tokio::time::sleep(work.think).await;
    }
}

/// Sends one transfer until it is known what became of it.
async fn transfer(client: &reqwest::Client, key: &str, body: &Value, work: &Work) {
    let begin = Instant::now();
    loop {
        let sent = Instant::now();
        let request = client.post("http://localhost/v1/transfers").header("idempotency-key", key).json(body);
        let answer = match request.send().await {
            Ok(answer) => {
                let status = answer.status();
                answer.json::<Value>().await.map(|body| (status.as_u16(), body)).map_err(|error| error.to_string())
            }
            Err(error) => Err(error.to_string()),
        };
        if work.told.lock().unwrap().take(key, sent.elapsed(), &answer) {
            work.moved.fetch_add(u64::from(matches!(answer, Ok((200..300, _)))), Ordering::Relaxed);
            return;
        }
        assert!(begin.elapsed() < PATIENCE, "{key}: what became of it is not known after {PATIENCE:?}: {answer:?}");
        tokio::time::sleep(PAUSE).await;
    }
}
