//! The daemon that is measured: a scratch one that is ours to start and stop, or a running one.

use std::{
    fs,
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use tempfile::TempDir;

use super::{stores::Stores, wire::Wire};
use crate::error::CliError;

/// How long a daemon may take to start.
const START: Duration = Duration::from_secs(20);
/// How long it may take to stop before it is killed.
const STOP: Duration = Duration::from_secs(10);

/// How long it may take to come to rest.
const REST: Duration = Duration::from_secs(30);
/// How often it is looked at meanwhile.
const LOOK: Duration = Duration::from_millis(100);
/// So many looks one after the other must find it at rest.
const STILL: u32 = 5;
/// Processor time between two looks that is still rest, in milliseconds: what its timers take.
const IDLE_MS: u64 = 10;

/// Lines of a daemon's log that are shown when it ended by itself.
const LOG_LINES: usize = 20;
/// The unit of processor times in `/proc`: hundredths of a second, on every Linux.
const TICKS: u64 = 100;

/// A daemon, and where its files are.
pub struct Daemon {
    /// Its socket.
    pub socket: PathBuf,
    /// Its process.
    pub pid: u32,
    /// A folder on the same disk, for files of our own.
    pub folder: TempDir,
    child: Option<Child>,
}

/// The daemon's program: the one given, or the one beside this program.
pub fn program(given: Option<&Path>) -> Result<PathBuf, CliError> {
    let path = match given {
        Some(path) => path.to_owned(),
        None => std::env::current_exe()
            .ok()
            .and_then(|own| Some(own.parent()?.join("walletd")))
            .unwrap_or_else(|| "walletd".into()),
    };
    if path.is_file() {
        return Ok(path);
    }
    Err(CliError::usage(format!("there is no walletd at {}", path.display())).hint("Name it with --walletd PATH."))
}

/// A folder for scratch files.
pub fn folder(given: Option<&Path>) -> Result<TempDir, CliError> {
    let made = match given {
        Some(path) => TempDir::with_prefix_in("walletctl-bench-", path),
        None => TempDir::with_prefix("walletctl-bench-"),
    };
    made.map_err(|error| CliError::usage(format!("cannot make a scratch folder: {error}")))
}

impl Daemon {
    /// Starts one with these stores, which are empty, and these variables besides.
    pub async fn start(
        program: &Path,
        folder: TempDir,
        stores: &Stores,
        besides: &[(&str, String)],
    ) -> Result<Self, CliError> {
        let socket = folder.path().join("walletd.sock");
        let failed = |error: std::io::Error| CliError::usage(format!("{}: {error}", program.display()));
        let log = fs::File::create(folder.path().join("walletd.log")).map_err(failed)?;
        let mut command = Command::new(program);
        command
            .args(["serve", "--log-level", "error"])
            .arg("--socket")
            .arg(&socket)
            .arg("--data")
            .arg(folder.path().join("data"))
            .env("XDG_STATE_HOME", folder.path())
            .env("XDG_CONFIG_HOME", folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            // A signal to the group (Ctrl-C, `timeout`) is for this program, which then stops the daemon.
            .process_group(0);
        stores.lead(&mut command);
        command.envs(besides.iter().map(|(name, value)| (name, value)));
        let child = command.spawn().map_err(failed)?;
        let mut daemon = Self { socket, pid: child.id(), folder, child: Some(child) };
        let until = Instant::now() + START;
        while !daemon.answers().await {
            let ended = daemon.child.as_mut().is_some_and(|child| matches!(child.try_wait(), Ok(Some(_))));
            if ended || Instant::now() > until {
                let log = fs::read_to_string(daemon.folder.path().join("walletd.log")).unwrap_or_default();
                return Err(CliError::new("unreachable", format!("the scratch daemon does not start: {}", log.trim())));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(daemon)
    }

    /// One that is running.
    pub fn running(socket: PathBuf, pid: u32, folder: TempDir) -> Self {
        Self { socket, pid, folder, child: None }
    }

    async fn answers(&self) -> bool {
        match Wire::connect(&self.socket).await {
            Ok(mut wire) => wire.get("/readyz").await.is_ok_and(|status| status == 200),
            Err(_) => false,
        }
    }

    /// What a scratch daemon said at its end, if it ended.
    pub fn last_words(&mut self) -> Option<String> {
        let status = self.child.as_mut()?.try_wait().ok()??;
        let log = fs::read_to_string(self.folder.path().join("walletd.log")).unwrap_or_default();
        let last: Vec<_> = log.lines().rev().take(LOG_LINES).collect();
        let log = last.into_iter().rev().collect::<Vec<_>>().join("\n");
        Some(format!("the scratch daemon ended by itself ({status}): {}", log.trim()))
    }

    /// The processor time it took so far, in milliseconds.
    pub fn cpu_ms(&self) -> Option<u64> {
        cpu_ms(self.pid)
    }

    /// Its memory now and at most, in KiB.
    pub fn memory(&self) -> (Option<u64>, Option<u64>) {
        memory(self.pid)
    }

    /// Waits until it is at rest: what was loaded is written out and merged, and whatever follows it has caught up. One that
    /// works for others as well is not waited for longer than [`REST`].
    pub async fn at_rest(&self) {
        let until = Instant::now() + REST;
        let (mut still, mut before) = (0, self.cpu_ms());
        while still < STILL && Instant::now() < until {
            tokio::time::sleep(LOOK).await;
            let now = self.cpu_ms();
            still = if now.zip(before).is_some_and(|(now, before)| now <= before + IDLE_MS) { still + 1 } else { 0 };
            before = now;
        }
    }
}

/// A process's memory now and at most, in KiB.
pub fn memory(pid: u32) -> (Option<u64>, Option<u64>) {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.split_whitespace().next()?.parse().ok()
    };
    (field("VmRSS:"), field("VmHWM:"))
}

/// The processor time a process took so far, in milliseconds.
pub fn cpu_ms(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // Behind the name, which may hold anything but ends with the last bracket, the state is the third field.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let (user, system): (u64, u64) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    Some((user + system) * 1_000 / TICKS)
}

/// A scratch daemon ends with its measuring.
impl Drop for Daemon {
    fn drop(&mut self) {
        let Some(mut child) = self.child.take() else { return };
        if let Some(pid) = i32::try_from(self.pid).ok().and_then(rustix::process::Pid::from_raw) {
            // It may have ended by itself.
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        }
        let until = Instant::now() + STOP;
        while Instant::now() < until {
            if !matches!(child.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = child.kill();
        let _ = child.wait();
    }
}
