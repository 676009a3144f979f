//! The gateway on TCP: its certificate, its limits, its end, and clients that mean it ill.

mod corpus;
mod drain;
mod frames;
mod life;
mod malformed;
mod slow;
mod wire;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use self::wire::Way;
use crate::harness::{Daemon, World, certificate};

/// Within this a good client has its answer, whatever else happens, on a busy machine.
const PROMPT: Duration = Duration::from_secs(10);

/// A machine whose daemon listens on TCP; with a certificate if there can be one.
pub struct Site {
    pub world: World,
    pub cert: Option<PathBuf>,
}

impl Site {
    /// Plain, with further settings (`gateway.KEY` = value).
    pub fn plain(settings: &[(&str, &str)]) -> Self {
        Self { world: World::having(&environment(settings)), cert: None }
    }

    /// Encrypted; none where there is no openssl.
    pub fn tls(settings: &[(&str, &str)]) -> Option<Self> {
        let mut world = World::new();
        let (cert, key) = certificate(&world.path(""), "own")?;
        let mut env = environment(settings);
        env.insert("WALLETD_GATEWAY__CERT_FILE".into(), cert.display().to_string());
        env.insert("WALLETD_GATEWAY__KEY_FILE".into(), key.display().to_string());
        world.set(env);
        Some(Self { world, cert: Some(cert) })
    }

    pub fn socket(&self) -> Way {
        Way::Socket(self.world.socket())
    }

    /// The way over TCP.
    pub fn way(&self, daemon: &Daemon, protocol: &str) -> Way {
        match &self.cert {
            Some(cert) => Way::Tls(daemon.tcp(), wire::trust(cert, protocol)),
            None => Way::Plain(daemon.tcp()),
        }
    }
}

fn environment(settings: &[(&str, &str)]) -> BTreeMap<String, String> {
    let mut env = BTreeMap::from([("WALLETD_LISTEN".to_owned(), "127.0.0.1:0".to_owned())]);
    for (key, value) in settings {
        env.insert(format!("WALLETD_GATEWAY__{}", key.to_ascii_uppercase()), (*value).to_owned());
    }
    env
}

/// A plain request and the end of its connection.
pub const GOOD: &[u8] = b"GET /readyz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";

/// Clients that do what they should while others do not.
pub struct GoodClients {
    stop: Arc<AtomicBool>,
    asked: Arc<AtomicU64>,
    threads: Vec<JoinHandle<Duration>>,
}

impl GoodClients {
    /// One on each way.
    pub fn on(ways: &[Way]) -> Self {
        let (stop, asked) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let client = |way: &Way| {
            let (way, stop, asked) = (way.clone(), Arc::clone(&stop), Arc::clone(&asked));
            thread::spawn(move || {
                let mut worst = Duration::ZERO;
                while !stop.load(Ordering::Relaxed) {
                    let begin = Instant::now();
                    let said = way.says(GOOD, PROMPT);
                    worst = worst.max(begin.elapsed());
                    // Without a token TCP says so; both are whole answers.
                    assert!(matches!(said.statuses()[..], [200 | 401]) && said.ended, "{way:?}: {:?}", said.text());
                    asked.fetch_add(1, Ordering::Relaxed);
                    thread::sleep(Duration::from_millis(20));
                }
                worst
            })
        };
        Self { threads: ways.iter().map(client).collect(), stop, asked }
    }

    /// All of them were served all the time.
    #[track_caller]
    pub fn were_served(self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads {
            let worst = thread.join().unwrap();
            assert!(worst < PROMPT, "an answer took {worst:?}");
        }
        assert!(self.asked.load(Ordering::Relaxed) > 0);
    }
}

/// What a process holds: open files, and memory in MiB.
pub fn held(pid: u32) -> (usize, u64) {
    let proc = Path::new("/proc").join(pid.to_string());
    let files = fs::read_dir(proc.join("fd")).unwrap().count();
    let status = fs::read_to_string(proc.join("status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    (files, line.trim().trim_end_matches(" kB").trim().parse::<u64>().unwrap() >> 10)
}
