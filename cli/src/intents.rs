//! Intents: what is about to be sent, on disk before it is sent.
//!
//! An intent is a file with the key and the whole request, fsynced with its folder. It goes when the
//! daemon has answered, whatever the answer. What a crash, a lost answer or Ctrl-C left open is found
//! by `walletctl intent list` and settled by `walletctl intent resume`: the same key, so it happens
//! at most once. While one walletctl sends an intent it holds the file's lock; a second one waits.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Seek as _, Write as _},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    time::Duration,
};

use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use wallet_core::key::Key;

use crate::{
    error::CliError,
    paths::{Paths, check_private, fault, private_dir},
};

/// How long a second walletctl waits for the first to send the same intent: longer than any answer
/// that is on its way in good order.
const LOCK_WAIT: Duration = Duration::from_secs(10);
const LOCK_POLL: Duration = Duration::from_millis(20);
/// Largest intent that is read: far above the largest request that makes one.
const MAX_INTENT: u64 = 4 << 20;

/// A request that may have been sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intent {
    /// Its idempotency key.
    pub key: Key,
    /// What it does, for people.
    pub summary: String,
    /// The command, which is also the schema of its answer.
    pub command: String,
    /// Where it goes.
    pub endpoint: String,
    /// The context it was made in.
    pub context: String,
    /// The path it is posted to.
    pub path: String,
    /// The whole body.
    pub body: Value,
    /// When it was made.
    pub made_at: String,
}

impl Intent {
    /// True if both ask for the same thing.
    fn same_request(&self, other: &Self) -> bool {
        (&self.key, &self.endpoint, &self.path, &self.body) == (&other.key, &other.endpoint, &other.path, &other.body)
    }
}

/// An intent whose lock is held.
#[derive(Debug)]
pub struct Held {
    path: PathBuf,
    _lock: File,
}

impl Held {
    /// The daemon has answered, or it was certainly never reached: nothing is open any more.
    pub fn settle(self) {
        // One that stays is found again and replays: no reason to fail after the answer.
        let _ = fs::remove_file(&self.path);
    }
}

/// The folder of intents.
#[derive(Clone, Debug)]
pub struct Intents {
    folder: PathBuf,
    wait: Duration,
}

impl Intents {
    /// Those of this user.
    pub fn of(paths: &Paths) -> Self {
        Self { folder: paths.intents(), wait: LOCK_WAIT }
    }

    /// Writes an intent down and locks it, before anything is sent.
    pub async fn begin(&self, intent: &Intent) -> Result<Held, CliError> {
        private_dir(&self.folder)?;
        let path = self.path(&intent.endpoint, &intent.key);
        let mut file = self.lock(&path, true).await?.ok_or_else(|| CliError::configuration("the intent vanished"))?;
        match read(&mut file, &path)? {
            Some(left) if !left.same_request(intent) => {
                return Err(CliError::new(
                    "key_conflict",
                    format!("the key {} belongs to an intent that is still open: {}", intent.key, left.summary),
                )
                .hint("walletctl intent show KEY shows it, intent resume KEY settles it. Nothing was sent."));
            }
            Some(_) => {}
            None => self.write(&mut file, &path, intent)?,
        }
        Ok(Held { path, _lock: file })
    }

    /// Locks an open intent, to send it again or to forget it.
    pub async fn reopen(&self, endpoint: &str, key: &Key) -> Result<(Intent, Held), CliError> {
        let path = self.path(endpoint, key);
        let missing = || CliError::new("not_found", format!("there is no open intent with the key {key}"));
        let mut file = self.lock(&path, false).await?.ok_or_else(missing)?;
        let intent = read(&mut file, &path)?.ok_or_else(missing)?;
        Ok((intent, Held { path, _lock: file }))
    }

    /// Every open intent, oldest first.
    pub fn list(&self) -> Result<Vec<Intent>, CliError> {
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(e) => return Err(fault("read", &self.folder, &e)),
        };
        check_private(&self.folder)?;
        let mut found = Vec::new();
        for entry in entries {
            let path = entry.map_err(|e| fault("read", &self.folder, &e))?.path();
            if path.extension().is_some_and(|name| name == "json")
                && let Ok(mut file) = File::open(&path)
                && let Some(intent) = read(&mut file, &path)?
            {
                found.push(intent);
            }
        }
        found.sort_by(|a, b| (&a.made_at, &a.key).cmp(&(&b.made_at, &b.key)));
        Ok(found)
    }

    fn path(&self, endpoint: &str, key: &Key) -> PathBuf {
        let hash = Sha256::new().chain_update(endpoint).chain_update([0]).chain_update(key.as_str()).finalize();
        let name = hash.iter().take(16).fold(String::new(), |name, byte| name + &format!("{byte:02x}"));
        self.folder.join(name).with_extension("json")
    }

    /// Opens and locks; none if it is not there and is not to be made.
    async fn lock(&self, path: &Path, make: bool) -> Result<Option<File>, CliError> {
        let mut waited = Duration::ZERO;
        loop {
            let opened = OpenOptions::new().read(true).write(true).create(make).mode(0o600).open(path);
            let file = match opened {
                Ok(file) => file,
                Err(e) if e.kind() == io::ErrorKind::NotFound && !make => return Ok(None),
                Err(e) => return Err(fault("write", path, &e)),
            };
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) if still_there(&file, path) => return Ok(Some(file)),
                // The one before us settled and removed it.
                Ok(()) => continue,
                Err(rustix::io::Errno::WOULDBLOCK) => {}
                Err(e) => return Err(fault("lock", path, &e.into())),
            }
            if waited >= self.wait {
                return Err(CliError::new("unavailable", "another walletctl is sending the same intent")
                    .hint("Wait for it, then try again with the same key."));
            }
            tokio::time::sleep(LOCK_POLL).await;
            waited += LOCK_POLL;
        }
    }

    fn write(&self, file: &mut File, path: &Path, intent: &Intent) -> Result<(), CliError> {
        let bytes = serde_json::to_vec(intent).map_err(|e| CliError::new("internal", e.to_string()))?;
        let mut write = || {
            file.set_len(0)?;
            file.rewind()?;
            file.write_all(&bytes)?;
            file.sync_all()?;
            File::open(&self.folder)?.sync_all()
        };
        write().map_err(|e| {
            // Half an intent is none; it must not be in the way of the next try.
            let _ = fs::remove_file(path);
            fault("write", path, &e)
        })
    }
}

/// True if the path still names the open file.
fn still_there(file: &File, path: &Path) -> bool {
    let same = |a: &fs::Metadata, b: &fs::Metadata| (a.dev(), a.ino()) == (b.dev(), b.ino());
    matches!((file.metadata(), fs::metadata(path)), (Ok(a), Ok(b)) if same(&a, &b))
}

/// An intent; none for a file that a crash left empty or torn before anything was sent.
fn read(file: &mut File, path: &Path) -> Result<Option<Intent>, CliError> {
    let mut bytes = Vec::new();
    file.take(MAX_INTENT).read_to_end(&mut bytes).map_err(|e| fault("read", path, &e))?;
    Ok(serde_json::from_slice(&bytes).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn intent(amount: &str) -> Intent {
        Intent {
            key: "inv-1".parse().unwrap(),
            summary: format!("Transfer {amount} EUR from w_1 to w_2"),
            command: "transfer".into(),
            endpoint: "/run/walletd.sock".into(),
            context: "default".into(),
            path: "/v1/transfers".into(),
            body: serde_json::json!({"amount": amount}),
            made_at: "2026-01-31T00:00:00.000000Z".into(),
        }
    }

    fn in_folder(test: impl AsyncFnOnce(Intents)) {
        let folder = tempfile::tempdir().unwrap();
        let intents = Intents { folder: folder.path().join("intents"), wait: LOCK_POLL };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(test(intents));
    }

    #[test]
    fn an_intent_is_on_disk_until_it_is_settled() {
        in_folder(async |intents| {
            assert_eq!(intents.list().unwrap(), []);
            let held = intents.begin(&intent("10.50")).await.unwrap();
            assert_eq!(intents.list().unwrap(), [intent("10.50")]);
            drop(held);
            assert_eq!(intents.list().unwrap().len(), 1, "a crash leaves it");
            let (again, held) = intents.reopen("/run/walletd.sock", &"inv-1".parse().unwrap()).await.unwrap();
            assert_eq!(again, intent("10.50"));
            held.settle();
            assert_eq!(intents.list().unwrap(), []);
            assert_eq!(intents.reopen("/run/walletd.sock", &"inv-1".parse().unwrap()).await.unwrap_err().exit, 3);
        });
    }

    #[test]
    fn an_open_key_cannot_be_used_for_something_else() {
        in_folder(async |intents| {
            drop(intents.begin(&intent("10.50")).await.unwrap());
            assert_eq!(intents.begin(&intent("99")).await.unwrap_err().exit, 7);
            drop(intents.begin(&intent("10.50")).await.unwrap());
        });
    }

    #[test]
    fn two_at_once_do_not_both_send() {
        in_folder(async |intents| {
            let first = intents.begin(&intent("10.50")).await.unwrap();
            let error = intents.begin(&intent("10.50")).await.unwrap_err();
            assert_eq!((error.exit, error.retryable), (75, true));
            first.settle();
            intents.begin(&intent("10.50")).await.unwrap().settle();
        });
    }

    #[test]
    fn a_torn_intent_is_none() {
        in_folder(async |intents| {
            drop(intents.begin(&intent("10.50")).await.unwrap());
            let file = fs::read_dir(&intents.folder).unwrap().next().unwrap().unwrap().path();
            fs::write(&file, b"{\"key\":").unwrap();
            assert_eq!(intents.list().unwrap(), []);
            drop(intents.begin(&intent("99")).await.unwrap());
            assert_eq!(intents.list().unwrap(), [intent("99")]);
        });
    }
}
