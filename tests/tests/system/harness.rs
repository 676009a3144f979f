//! A machine for one test: its own home, its own daemon, the two programs, nothing inherited.

use std::{
    ffi::OsStr,
    fs,
    io::{Read as _, Write as _},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;
use tempfile::TempDir;

/// Nothing a test runs takes longer; what does, hangs.
pub const PATIENCE: Duration = Duration::from_mins(5);

/// Where the programs are: beside this test, in the folder of its profile.
pub fn programs() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let found = test.parent().and_then(Path::parent).unwrap().to_owned();
    for name in ["walletctl", "walletd"] {
        let path = found.join(name);
        assert!(path.is_file(), "{} is missing: build the programs first (make test does)", path.display());
    }
    found
}

/// Says what is skipped, past the capture of a test's output: a check that did not run must be seen.
pub fn skipped(what: &str) {
    let _ = writeln!(std::io::stderr(), "skipped: {what}");
}

/// The path of a tool, or none with a line that says what is skipped.
pub fn tool(name: &str, what: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|dir| dir.join(name)).find(|path| path.is_file());
    if found.is_none() {
        skipped(&format!("{what} (there is no {name} here)"));
    }
    found
}

/// What a program did.
#[derive(Debug)]
pub struct Run {
    pub line: String,
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Run {
    /// It ended with this code; what it wrote to stdout.
    #[track_caller]
    pub fn exits(self, code: i32) -> String {
        assert_eq!(self.code, code, "{self}");
        self.out
    }

    /// It went well.
    #[track_caller]
    pub fn ok(self) -> String {
        self.exits(0)
    }

    /// It ended with this code, and stderr has this text.
    #[track_caller]
    pub fn fails(self, code: i32, text: &str) -> String {
        assert_eq!(self.code, code, "{self}");
        assert!(self.err.contains(text), "no {text:?} in\n{self}");
        self.err
    }

    /// True if it wrote this text, wherever.
    pub fn says(&self, text: &str) -> bool {
        self.out.contains(text) || self.err.contains(text)
    }

    /// The `data` of the JSON envelope.
    #[track_caller]
    pub fn data(self) -> Value {
        let text = self.ok();
        let envelope: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
        envelope["data"].clone()
    }
}

impl std::fmt::Display for Run {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let cut = |text: &str| text.chars().take(4_000).collect::<String>();
        write!(f, "$ {}\nexit code {}\n{}\n{}", self.line, self.code, cut(&self.out), cut(&self.err))
    }
}

/// One machine.
pub struct World {
    pub dir: TempDir,
    programs: PathBuf,
    /// What the daemon's environment has besides; where the stores are real ones.
    env: std::collections::BTreeMap<String, String>,
}

impl World {
    pub fn new() -> Self {
        let dir = tempfile::Builder::new().prefix("wallet-test-").tempdir().unwrap();
        fs::create_dir(dir.path().join("home")).unwrap();
        fs::create_dir(dir.path().join("work")).unwrap();
        Self { dir, programs: programs(), env: std::collections::BTreeMap::new() }
    }

    /// One machine whose daemon has these variables, such as those that lead to real servers.
    pub fn having(env: &std::collections::BTreeMap<String, String>) -> Self {
        Self { env: env.clone(), ..Self::new() }
    }

    /// The daemon's environment has one more variable from now on.
    pub fn add(&mut self, name: &str, value: &str) {
        self.env.insert(name.into(), value.into());
    }

    /// What the daemon's environment has besides, from now on.
    pub fn set(&mut self, env: std::collections::BTreeMap<String, String>) {
        self.env = env;
    }

    pub fn home(&self) -> PathBuf {
        self.dir.path().join("home")
    }

    /// A path in the working directory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join("work").join(name)
    }

    /// A file in the working directory.
    pub fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        fs::write(self.path(name), content).unwrap();
        self.path(name)
    }

    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    pub fn state(&self) -> PathBuf {
        self.home().join(".local/state")
    }

    pub fn socket(&self) -> PathBuf {
        self.state().join("walletd/walletd.sock")
    }

    pub fn data(&self) -> PathBuf {
        self.state().join("walletd/data")
    }

    /// A program with this machine's surroundings and none of ours.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        let path = std::env::var_os("PATH").unwrap_or_default();
        command
            .env_clear()
            .env("HOME", self.home())
            .env("PATH", path)
            .env("TZ", "Pacific/Auckland")
            .env("LC_ALL", "C.UTF-8");
        command.current_dir(self.dir.path().join("work")).stdin(Stdio::null());
        command
    }

    pub fn walletctl(&self) -> Command {
        self.command(self.programs.join("walletctl"))
    }

    pub fn walletd(&self) -> Command {
        let mut command = self.command(self.programs.join("walletd"));
        command.envs(&self.env);
        command
    }

    /// Runs walletctl with words.
    pub fn ctl(&self, line: &str) -> Run {
        self.ctl_words(&line.split_whitespace().collect::<Vec<_>>())
    }

    pub fn ctl_words(&self, words: &[&str]) -> Run {
        let mut command = self.walletctl();
        command.args(words);
        run(command, Vec::new())
    }

    /// Runs walletctl with something on stdin.
    pub fn ctl_reading(&self, line: &str, stdin: impl Into<Vec<u8>>) -> Run {
        let mut command = self.walletctl();
        command.args(line.split_whitespace()).stdin(Stdio::piped());
        run(command, stdin.into())
    }

    /// Runs walletd to its end.
    pub fn walletd_runs(&self, line: &str) -> Run {
        let mut command = self.walletd();
        command.args(line.split_whitespace());
        run(command, Vec::new())
    }

    /// Starts the daemon and waits until it serves.
    pub fn daemon(&self) -> Daemon {
        self.daemon_by(self.walletd())
    }

    /// Starts the daemon by a command that ends with walletd, such as one that watches it.
    pub fn daemon_by(&self, command: Command) -> Daemon {
        self.daemon_at(command, &self.socket())
    }

    /// Starts the daemon by a command that lets it serve on a socket of its own.
    pub fn daemon_at(&self, mut command: Command, socket: &Path) -> Daemon {
        let log = self.dir.path().join("walletd.log");
        let file = fs::OpenOptions::new().create(true).append(true).open(&log).unwrap();
        command.arg("serve");
        if self.env.contains_key("WALLETD_LEDGER_URL") {
            command.arg("--migrate");
        }
        let child = command.stdout(file.try_clone().unwrap()).stderr(file).spawn().unwrap();
        let mut daemon = Daemon { child, log, socket: socket.to_owned() };
        daemon.wait_until_ready();
        daemon
    }

    /// A wallet with money in it.
    pub fn wallet(&self, id: &str, asset: &str, amount: &str) {
        self.ctl(&format!("wallet create {id} --owner o --asset {asset} --idempotency-key open-{id} --yes")).ok();
        if amount != "0" {
            self.ctl(&format!("deposit --to {id} --amount {amount} --asset {asset} --idempotency-key fund-{id} --yes"))
                .ok();
        }
    }

    /// What a wallet holds now.
    pub fn balance(&self, wallet: &str) -> String {
        self.ctl(&format!("balance {wallet} -o json")).data()["balance"].as_str().unwrap().to_owned()
    }

    /// Waits until everything that follows the journal has come to its end; what is left to say if it has not.
    #[track_caller]
    pub fn settles(&self, what: &str) {
        let mut last = String::new();
        let begin = Instant::now();
        loop {
            if let Ok(status) = serde_json::from_str::<Value>(&self.ctl("api GET /v1/status").out) {
                let behind = |projection: &&Value| projection["lag"] != 0 || projection["error"].is_string();
                let projections = status["projections"].as_array().unwrap();
                let late: Vec<&Value> = projections.iter().filter(behind).collect();
                if late.is_empty() {
                    return;
                }
                last = format!("{late:?}");
            }
            assert!(begin.elapsed() < Duration::from_mins(2), "{what}: this is not drained: {last}");
            thread::sleep(Duration::from_millis(100));
        }
    }

    /// The ledger's head.
    pub fn head(&self) -> u64 {
        let text = self.ctl("api GET /v1/status").ok();
        let status: Value = serde_json::from_str(&text).unwrap();
        status["cut"]["seq"].as_u64().unwrap()
    }
}

/// Runs a command to its end.
pub fn run(mut command: Command, stdin: Vec<u8>) -> Run {
    let line = format!("{command:?}");
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    if let Some(mut pipe) = child.stdin.take() {
        // The program may well stop reading early.
        thread::spawn(move || drop(pipe.write_all(&stdin)));
    }
    finish(line, child)
}

/// Waits for a program that was started with pipes.
pub fn finish(line: String, mut child: Child) -> Run {
    let reader = |pipe: Option<Box<dyn std::io::Read + Send>>| {
        thread::spawn(move || {
            let mut bytes = Vec::new();
            if let Some(mut pipe) = pipe {
                pipe.read_to_end(&mut bytes).unwrap();
            }
            String::from_utf8_lossy(&bytes).into_owned()
        })
    };
    let out = reader(child.stdout.take().map(|pipe| Box::new(pipe) as _));
    let err = reader(child.stderr.take().map(|pipe| Box::new(pipe) as _));
    let code = wait(&mut child).unwrap_or_else(|| {
        let _ = child.kill();
        panic!("{line} did not end within {PATIENCE:?}")
    });
    Run { line, code, out: out.join().unwrap(), err: err.join().unwrap() }
}

/// The exit code; minus the signal if one ended it; none if it does not end.
pub fn wait(child: &mut Child) -> Option<i32> {
    use std::os::unix::process::ExitStatusExt as _;
    let begin = Instant::now();
    while begin.elapsed() < PATIENCE {
        if let Some(status) = child.try_wait().unwrap() {
            return status.code().or(status.signal().map(|signal| -signal));
        }
        thread::sleep(Duration::from_millis(2));
    }
    None
}

/// Waits until something holds.
#[track_caller]
pub fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !holds() {
        assert!(begin.elapsed() < Duration::from_mins(1), "{what}: not within a minute");
        thread::sleep(Duration::from_millis(10));
    }
}

pub fn signal(pid: u32, signal: rustix::process::Signal) {
    let pid = rustix::process::Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    rustix::process::kill_process(pid, signal).unwrap();
}

/// A running daemon; killed when dropped.
pub struct Daemon {
    child: Child,
    log: PathBuf,
    socket: PathBuf,
}

impl Daemon {
    fn wait_until_ready(&mut self) {
        let begin = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                panic!("walletd ended with {status}:\n{}", self.log());
            }
            if get(&self.socket, "/readyz").is_ok_and(|answer| answer.starts_with("HTTP/1.1 200")) {
                return;
            }
            assert!(begin.elapsed() < Duration::from_mins(1), "walletd is not ready:\n{}", self.log());
            thread::sleep(Duration::from_millis(5));
        }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Where it listens on TCP, as it says itself.
    #[track_caller]
    pub fn tcp(&self) -> std::net::SocketAddr {
        let log = self.log();
        let mut lines = log.lines().rev().filter_map(|line| line.split_once("listening on TCP address="));
        let (_, rest) = lines.next().unwrap_or_else(|| panic!("no TCP listener in\n{log}"));
        rest.split(' ').next().unwrap().parse().unwrap()
    }

    /// kill -9, as a crash would.
    pub fn crash(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM, and its exit code.
    pub fn stop(mut self) -> i32 {
        signal(self.pid(), rustix::process::Signal::TERM);
        wait(&mut self.child).unwrap_or_else(|| panic!("walletd does not stop:\n{}", self.log()))
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            let log = self.log();
            let last: Vec<&str> = log.lines().rev().take(20).collect();
            eprintln!("walletd's last lines, newest first:\n{}", last.join("\n"));
        }
    }
}

/// A plain request, by hand.
pub fn get(socket: &Path, path: &str) -> std::io::Result<String> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    write!(stream, "GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// A certificate for localhost and 127.0.0.1, and its key; none, with a line that says so, where there is no openssl.
pub fn certificate(dir: &Path, name: &str) -> Option<(PathBuf, PathBuf)> {
    let openssl = tool("openssl", "certificates for the TCP listener")?;
    Some(certificate_by(Command::new(openssl), dir, name))
}

/// One that was good for two days, years ago.
pub fn expired_certificate(dir: &Path, name: &str) -> Option<(PathBuf, PathBuf)> {
    let mut command = Command::new(tool("faketime", "a certificate that has expired")?);
    command.args(["2020-01-01", "openssl"]);
    Some(certificate_by(command, dir, name))
}

fn certificate_by(mut command: Command, dir: &Path, name: &str) -> (PathBuf, PathBuf) {
    let (cert, key) = (dir.join(format!("{name}.pem")), dir.join(format!("{name}.key")));
    command.args("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost".split(' '));
    command.args(["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]);
    // It is trusted as it stands, and is no authority for others.
    command.args(["-addext", "basicConstraints=critical,CA:FALSE"]);
    command.arg("-out").arg(&cert).arg("-keyout").arg(&key);
    run(command, Vec::new()).ok();
    (cert, key)
}

/// The rows of csv text by column name.
pub fn rows(text: &str) -> Vec<std::collections::BTreeMap<String, String>> {
    csv::Reader::from_reader(text.as_bytes()).deserialize().map(Result::unwrap).collect()
}

impl Run {
    /// It ended with this code under `-o json`; the error object on stderr.
    #[track_caller]
    pub fn exits_with_error(self, code: i32) -> Value {
        assert_eq!(self.code, code, "{self}");
        assert!(self.out.is_empty(), "{self}");
        let line = self.err.lines().last().unwrap_or_default();
        serde_json::from_str(&self.err)
            .or_else(|_| serde_json::from_str(line))
            .unwrap_or_else(|error| panic!("{error}: {self}"))
    }
}
