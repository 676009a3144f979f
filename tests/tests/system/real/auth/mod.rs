//! People and cron jobs against the real Keycloak: who gets in, and what each may do then.
//!
//! A site is one daemon that takes the tokens of a Keycloak; each person has a home of their own. Signing in is done as a
//! person would: walletctl prints where to go, and somebody with a browser goes there (tests/stack/keycloak).

mod api;
mod cron;
mod gateway;
mod keyring;
mod people;
mod readme;
mod realm;
mod roles;
mod security;
mod ways;

use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader, Read as _},
    net::SocketAddr,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    thread::JoinHandle,
};

use serde_json::Value;

use super::keycloak::{Keycloak, approves, free_port};
use crate::harness::{Daemon, Run, World, until, wait};

/// Rates that one test does not reach.
const UNHURRIED: [(&str, &str); 4] = [
    ("WALLETD_RATE_LIMIT__SIGN_IN__PER_SECOND", "100000"),
    ("WALLETD_RATE_LIMIT__SIGN_IN__BURST", "100000"),
    ("WALLETD_RATE_LIMIT__CLIENT__PER_SECOND", "100000"),
    ("WALLETD_RATE_LIMIT__CLIENT__BURST", "100000"),
];

/// One daemon that takes a Keycloak's tokens.
pub struct Site {
    pub keycloak: Keycloak,
    pub issuer: String,
    /// What clients call the daemon.
    pub url: String,
    pub world: World,
    pub daemon: Daemon,
}

impl Site {
    /// With the test realm as its issuer; none without a stack.
    pub fn new(what: &str) -> Option<Self> {
        let keycloak = Keycloak::of(what)?;
        let issuer = keycloak.issuer();
        Some(Self::of(keycloak, &issuer, free_port(), None))
    }

    /// The same, with rate limits that thousands of requests from one address do not meet.
    pub fn unhurried(what: &str) -> Option<Self> {
        let keycloak = Keycloak::of(what)?;
        let issuer = keycloak.issuer();
        Some(Self::having(keycloak, &issuer, free_port(), None, &UNHURRIED))
    }

    /// With an issuer that is reached, and calls itself, as this address: a front before Keycloak.
    pub fn by(keycloak: Keycloak, issuer: SocketAddr) -> Self {
        Self::of(keycloak, &format!("http://{issuer}/realms/wallet"), free_port(), None)
    }

    /// On this port; clients may know it by another.
    pub fn of(keycloak: Keycloak, issuer: &str, port: u16, known_as: Option<u16>) -> Self {
        Self::having(keycloak, issuer, port, known_as, &[])
    }

    fn having(
        keycloak: Keycloak,
        issuer: &str,
        port: u16,
        known_as: Option<u16>,
        more: &[(&'static str, &str)],
    ) -> Self {
        let url = format!("http://127.0.0.1:{}", known_as.unwrap_or(port));
        let env = [
            ("WALLETD_LISTEN", format!("127.0.0.1:{port}")),
            ("WALLETD_PUBLIC_URL", url.clone()),
            ("WALLETD_ISSUER", issuer.to_owned()),
            ("WALLETD_AUTH__CLIENTS", "[walletctl, brief, hasty, slow, cron-job, cron-brief, cron-key]".into()),
        ];
        let more = more.iter().map(|(name, value)| (*name, (*value).to_owned()));
        let env: BTreeMap<String, String> =
            env.into_iter().chain(more).map(|(name, value)| (name.to_owned(), value)).collect();
        let world = World::having(&env);
        let daemon = world.daemon();
        Self { keycloak, issuer: issuer.to_owned(), url, world, daemon }
    }

    /// Somebody with a home of their own, where walletctl knows this daemon; nobody is signed in.
    pub fn person(&self, name: &str) -> Person {
        self.by_client(name, "walletctl")
    }

    /// The same by another client.
    pub fn by_client(&self, name: &str, client: &str) -> Person {
        let person = Person { name: name.into(), world: World::new() };
        let words = ["context", "set", "site", "--daemon", &self.url, "--issuer", &self.issuer, "--client", client];
        person.world.ctl_words(&words).ok();
        person.world.ctl("context use site").ok();
        person
    }

    /// Somebody who has signed in.
    pub fn signed_in(&self, name: &str) -> Person {
        let person = self.person(name);
        person.signs_in();
        person
    }
}

/// Somebody with a home of their own.
pub struct Person {
    pub name: String,
    pub world: World,
}

impl Person {
    /// Begins to sign in; the tokens will be in a file.
    pub fn begins(&self, words: &[&str]) -> Waiting {
        let mut command = self.world.walletctl();
        command.args(["auth", "login", "--no-browser", "--insecure-storage", "--output", "json"]).args(words);
        Waiting::of(command)
    }

    /// Signs in, from end to end.
    #[track_caller]
    pub fn signs_in(&self) {
        let login = self.begins(&[]);
        approves(&login.page(), &self.name, &[]).ok();
        assert_eq!(login.ends().data()["who"], self.name);
    }

    /// Who this is to the daemon.
    pub fn is(&self) -> Value {
        self.world.ctl("auth whoami -o json").data()
    }

    /// An access token.
    pub fn token(&self) -> String {
        self.world.ctl("auth token").ok().trim().to_owned()
    }

    /// What is kept of the login: its file, as it is.
    pub fn kept(&self) -> Value {
        let found = files(&self.world.state().join("walletctl"));
        let logins = found.iter().filter_map(|path| {
            let text = std::fs::read_to_string(path).ok()?;
            let value: Value = serde_json::from_str(&text).ok()?;
            value["tokens"].is_object().then_some(value)
        });
        let logins: Vec<Value> = logins.collect();
        assert_eq!(logins.len(), 1, "{found:?}");
        logins[0].clone()
    }

    /// The refresh token that is kept.
    pub fn refresh_token(&self) -> String {
        self.kept()["tokens"]["refresh"].as_str().unwrap().to_owned()
    }
}

/// All files below a folder.
pub fn files(dir: &std::path::Path) -> Vec<std::path::PathBuf> {
    let Ok(entries) = std::fs::read_dir(dir) else { return Vec::new() };
    let below = entries.flat_map(|entry| {
        let path = entry.unwrap().path();
        if path.is_dir() { files(&path) } else { vec![path] }
    });
    below.collect()
}

/// A sign-in that waits for somebody with a browser.
pub struct Waiting {
    line: String,
    child: Child,
    said: Arc<Mutex<String>>,
    reader: JoinHandle<()>,
}

impl Waiting {
    /// Starts it.
    pub fn of(mut command: Command) -> Self {
        let line = format!("{command:?}");
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (said, pipe) = (Arc::new(Mutex::new(String::new())), child.stderr.take().unwrap());
        let heard = Arc::clone(&said);
        let reader = std::thread::spawn(move || {
            for line in BufReader::new(pipe).lines() {
                let mut said = heard.lock().unwrap();
                said.push_str(&line.unwrap());
                said.push('\n');
            }
        });
        Self { line, child, said, reader }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it has said so far.
    pub fn said(&self) -> String {
        self.said.lock().unwrap().clone()
    }

    fn word(&self, name: &str) -> Option<String> {
        self.said().lines().find_map(|line| line.strip_prefix(name).map(|rest| rest.trim().to_owned()))
    }

    /// The page to open.
    #[track_caller]
    pub fn page(&self) -> String {
        until("walletctl names a page, or ends", || self.word("Open").is_some() || self.reader.is_finished());
        self.word("Open").unwrap_or_else(|| panic!("{}\n{}", self.line, self.said()))
    }

    /// The code to compare.
    pub fn code(&self) -> String {
        self.page();
        until("walletctl names the code", || self.word("Code").is_some());
        self.word("Code").unwrap()
    }

    /// Waits for its end.
    pub fn ends(mut self) -> Run {
        let mut out = String::new();
        self.child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
        let code = wait(&mut self.child).unwrap_or_else(|| panic!("{} does not end:\n{}", self.line, self.said()));
        self.reader.join().unwrap();
        let err = self.said.lock().unwrap().clone();
        Run { line: self.line, code, out, err }
    }
}
