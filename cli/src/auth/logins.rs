//! Logins that are kept: a file for each, with the tokens in it or in the keyring.
//!
//! The file says what the login belongs to, whose it is and when it ends; it is replaced in one step, with mode 0600, and
//! looser modes are refused. Who renews a login holds its lock, and has a place for the new tokens ([`Place`]) before it
//! asks for them: a refresh token is good once, and what it brought must not be lost to a full disk or a locked keyring.

use std::{
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::OpenOptionsExt as _,
    path::PathBuf,
    time::Duration,
};

use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};
use wallet_api::client::Token;

use super::{binding::Binding, claims::Claims, keyring, tokens::Tokens};
use crate::{
    env::now,
    error::CliError,
    paths::{Paths, Replacement, TEMPORARY, check_private, fault, private_dir, read_private},
};

/// How long to wait for others that renew the same login: a dozen of them, each as long as an issuer may take.
const LOCK_WAIT: Duration = Duration::from_mins(3);
const LOCK_POLL: Duration = Duration::from_millis(20);
/// Room for a login's file: its two tokens, of many roles each, are below half of it.
const ROOM: usize = 64 << 10;
/// The shape of the files.
const VERSION: u32 = 1;

/// Where tokens are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Storage {
    /// In the keyring.
    Keyring,
    /// In the login's file.
    File,
}

impl Storage {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Keyring => "keyring",
            Self::File => "file",
        }
    }
}

/// A login, without its tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    /// What it belongs to.
    pub binding: Binding,
    /// Where its tokens are.
    pub storage: Storage,
    /// Whose it is, as the token says.
    pub who: Option<String>,
    /// When it was made.
    pub made_at: String,
    /// When the access token ends, in seconds since 1970.
    pub ends_at: i64,
    /// True if it can be renewed.
    pub renewable: bool,
    /// When it cannot be renewed any more, if the issuer says.
    pub renewable_until: Option<i64>,
}

impl Login {
    /// One that begins now.
    pub fn begin(binding: Binding, storage: Storage, tokens: &Tokens) -> Self {
        Self {
            binding,
            storage,
            who: Claims::of(&tokens.access).and_then(|claims| claims.name()),
            made_at: now().to_string(),
            ends_at: tokens.ends_at,
            renewable: tokens.refresh.is_some(),
            renewable_until: tokens.refresh_ends_at,
        }
    }

    /// When nothing is left of it, if that is known; `None` for a login without end.
    pub fn over_at(&self) -> Option<i64> {
        if self.renewable { self.renewable_until } else { Some(self.ends_at) }
    }
}

/// A login's file.
#[derive(Serialize, Deserialize)]
struct Kept {
    version: u32,
    #[serde(flatten)]
    binding: Binding,
    storage: Storage,
    #[serde(default)]
    who: Option<String>,
    made_at: String,
    ends_at: i64,
    renewable: bool,
    #[serde(default)]
    renewable_until: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tokens: Option<Secrets>,
}

/// Tokens as they are kept. This is the one place where they become text.
#[derive(Serialize, Deserialize)]
struct Secrets {
    access: String,
    given_at: i64,
    ends_at: i64,
    #[serde(default)]
    refresh: Option<String>,
    #[serde(default)]
    refresh_ends_at: Option<i64>,
}

impl Secrets {
    fn of(tokens: &Tokens) -> Self {
        Self {
            access: tokens.access.expose().to_owned(),
            given_at: tokens.given_at,
            ends_at: tokens.ends_at,
            refresh: tokens.refresh.as_ref().map(|token| token.expose().to_owned()),
            refresh_ends_at: tokens.refresh_ends_at,
        }
    }

    fn open(self) -> Tokens {
        Tokens {
            access: Token::new(self.access),
            given_at: self.given_at,
            ends_at: self.ends_at,
            refresh: self.refresh.map(Token::new),
            refresh_ends_at: self.refresh_ends_at,
        }
    }
}

/// The right to renew a login, until it is dropped.
#[derive(Debug)]
pub struct Lock(#[expect(dead_code, reason = "the lock is the open file")] File);

/// Where the next tokens of a login will be, with room for them.
#[derive(Debug)]
pub struct Place(Replacement);

/// The folder of logins.
#[derive(Clone, Debug)]
pub struct Logins {
    folder: PathBuf,
}

impl Logins {
    /// Those of this user.
    pub fn of(paths: &Paths) -> Self {
        Self { folder: paths.state.join("logins") }
    }

    /// The login for a resource and a client; with an issuer only that issuer's.
    pub fn find(&self, resource: &str, client: &str, issuer: Option<&str>) -> Result<Option<Login>, CliError> {
        Ok(self.all()?.into_iter().find(|login| {
            let binding = &login.binding;
            binding.resource == resource
                && binding.client == client
                && issuer.is_none_or(|issuer| issuer == binding.issuer)
        }))
    }

    /// All of them, the newest first.
    pub fn all(&self) -> Result<Vec<Login>, CliError> {
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(e) => return Err(fault("read", &self.folder, &e)),
        };
        check_private(&self.folder)?;
        let mut found = Vec::new();
        for entry in entries {
            let path = entry.map_err(|e| fault("read", &self.folder, &e))?.path();
            if path.extension().is_some_and(|name| name == "json") {
                found.extend(read(&path)?.map(|(login, _)| login));
            }
        }
        found.sort_by(|a: &Login, b| b.made_at.cmp(&a.made_at));
        Ok(found)
    }

    /// Takes the right to renew.
    pub async fn lock(&self, binding: &Binding) -> Result<Lock, CliError> {
        private_dir(&self.folder)?;
        let id = binding.id();
        let path = self.lock_path(&id);
        let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path);
        let file = file.map_err(|e| fault("write", &path, &e))?;
        let mut waited = Duration::ZERO;
        loop {
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => break,
                Err(rustix::io::Errno::WOULDBLOCK) if waited < LOCK_WAIT => {}
                Err(rustix::io::Errno::WOULDBLOCK) => {
                    return Err(CliError::new("unavailable", "another walletctl is renewing the login")
                        .hint("Wait for it, then try again."));
                }
                Err(e) => return Err(fault("lock", &path, &e.into())),
            }
            tokio::time::sleep(LOCK_POLL).await;
            waited += LOCK_POLL;
        }
        self.sweep(Some(&id));
        Ok(Lock(file))
    }

    /// Removes what a crash left half written, since tokens may be in it. Who writes a login holds its lock: a file whose
    /// lock nobody has, or we have, is nobody's any more.
    pub fn sweep(&self, held: Option<&str>) {
        for entry in fs::read_dir(&self.folder).into_iter().flatten().flatten() {
            let path = entry.path();
            let name = entry.file_name();
            let id = name.to_str().and_then(|name| name.split('.').next()).unwrap_or_default();
            if path.extension().is_none_or(|end| end != TEMPORARY) {
                continue;
            }
            let lock = File::open(self.lock_path(id)).ok();
            let free = |lock: &File| flock(lock, FlockOperation::NonBlockingLockExclusive).is_ok();
            if held == Some(id) || lock.as_ref().is_none_or(free) {
                // One that stays is for the next walletctl.
                let _ = fs::remove_file(&path);
            }
        }
    }

    fn lock_path(&self, id: &str) -> PathBuf {
        self.folder.join(id).with_extension("lock")
    }

    /// The login of a binding and its tokens, as they are now.
    pub async fn read(&self, binding: &Binding) -> Result<Option<(Login, Tokens)>, CliError> {
        let Some((login, tokens)) = read(&self.path(binding))? else { return Ok(None) };
        let tokens = match (login.storage, tokens) {
            (Storage::File, tokens) => tokens,
            (Storage::Keyring, _) => match keyring::get(&binding.id()).await? {
                Some(text) => serde_json::from_str::<Secrets>(text.expose()).ok().map(Secrets::open),
                None => None,
            },
        };
        Ok(tokens.map(|tokens| (login, tokens)))
    }

    /// Makes room for the tokens that a login is about to get. Whoever asks for it holds the lock.
    pub fn room(&self, binding: &Binding) -> Result<Place, CliError> {
        Replacement::begin(&self.path(binding), ROOM).map(Place)
    }

    /// The same before a login's tokens are exchanged for others: the keyring shows too that it still takes them, by
    /// taking those that it has.
    pub async fn room_after(&self, login: &Login, tokens: &Tokens) -> Result<Place, CliError> {
        if login.storage == Storage::Keyring {
            keyring::set(&login.binding.id(), text(tokens)?).await?;
        }
        self.room(&login.binding)
    }

    /// Keeps a login and its tokens in its place. The keyring first: a file that names tokens which are not there is no
    /// login.
    pub async fn save(&self, place: Place, login: &Login, tokens: &Tokens) -> Result<(), CliError> {
        let id = login.binding.id();
        let before = read(&self.path(&login.binding))?;
        let mut kept = Kept {
            version: VERSION,
            binding: login.binding.clone(),
            storage: login.storage,
            who: login.who.clone(),
            made_at: login.made_at.clone(),
            ends_at: tokens.ends_at,
            renewable: tokens.refresh.is_some(),
            renewable_until: tokens.refresh_ends_at,
            tokens: None,
        };
        match login.storage {
            Storage::Keyring => keyring::set(&id, text(tokens)?).await?,
            Storage::File => kept.tokens = Some(Secrets::of(tokens)),
        }
        place.0.finish(&serde_json::to_vec_pretty(&kept).map_err(|e| internal(&e))?)?;
        if login.storage == Storage::File && before.is_some_and(|(before, _)| before.storage == Storage::Keyring) {
            // What the keyring still has is old; that it cannot be asked any more is why a file was wanted.
            let _ = keyring::delete(&id).await;
        }
        Ok(())
    }

    /// Forgets a login, here. The keyring first: with the file gone, nobody would know what is left in it.
    pub async fn remove(&self, login: &Login) -> Result<(), CliError> {
        if login.storage == Storage::Keyring {
            keyring::delete(&login.binding.id()).await?;
        }
        let path = self.path(&login.binding);
        match fs::remove_file(&path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(fault("remove", &path, &e)),
            _ => Ok(()),
        }
    }

    fn path(&self, binding: &Binding) -> PathBuf {
        self.folder.join(binding.id()).with_extension("json")
    }
}

/// Tokens as the keyring keeps them.
fn text(tokens: &Tokens) -> Result<Token, CliError> {
    serde_json::to_string(&Secrets::of(tokens)).map(Token::new).map_err(|e| internal(&e))
}

fn internal(error: &serde_json::Error) -> CliError {
    CliError::new("internal", error.to_string())
}

fn read(path: &std::path::Path) -> Result<Option<(Login, Option<Tokens>)>, CliError> {
    let Some(text) = read_private(path)? else { return Ok(None) };
    // Said without a word of the file: it holds secrets.
    let kept: Kept = serde_json::from_str(&text).map_err(|_| {
        CliError::configuration(format!("{} is not a login of this walletctl", path.display()))
            .hint(format!("Remove it and sign in again: rm {}", path.display()))
    })?;
    let login = Login {
        binding: kept.binding,
        storage: kept.storage,
        who: kept.who,
        made_at: kept.made_at,
        ends_at: kept.ends_at,
        renewable: kept.renewable,
        renewable_until: kept.renewable_until,
    };
    Ok(Some((login, kept.tokens.map(Secrets::open))))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

    use super::*;

    fn binding(resource: &str, issuer: &str) -> Binding {
        Binding { resource: resource.into(), issuer: issuer.into(), client: "walletctl".into() }
    }

    fn tokens(access: &str) -> Tokens {
        Tokens {
            access: Token::new(access),
            given_at: 0,
            ends_at: 300,
            refresh: Some(Token::new("r-secret")),
            refresh_ends_at: Some(1_800),
        }
    }

    async fn keep(logins: &Logins, login: &Login, access: &str) {
        logins.save(logins.room(&login.binding).unwrap(), login, &tokens(access)).await.unwrap();
    }

    fn in_folder(test: impl AsyncFnOnce(Logins)) {
        let folder = tempfile::tempdir().unwrap();
        let logins = Logins { folder: folder.path().join("logins") };
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test(logins));
    }

    #[test]
    fn a_login_is_found_for_its_own_url_issuer_and_client_only() {
        in_folder(async |logins| {
            let login = Login::begin(binding("https://a", "https://i"), Storage::File, &tokens("t"));
            keep(&logins, &login, "t").await;
            let found = |resource: &str, client: &str, issuer| logins.find(resource, client, issuer).unwrap().is_some();
            assert!(found("https://a", "walletctl", None) && found("https://a", "walletctl", Some("https://i")));
            assert!(!found("https://b", "walletctl", None) && !found("https://a", "cron", None));
            assert!(!found("https://a", "walletctl", Some("https://evil")));
            assert!(logins.read(&binding("https://a", "https://evil")).await.unwrap().is_none());
            let (_, kept) = logins.read(&login.binding).await.unwrap().unwrap();
            assert_eq!((kept.access.expose(), kept.refresh_ends_at), ("t", Some(1_800)));
            logins.remove(&login).await.unwrap();
            assert!(!found("https://a", "walletctl", None));
        });
    }

    #[test]
    fn a_login_in_a_file_is_private_and_a_looser_one_is_refused() {
        in_folder(async |logins| {
            let login = Login::begin(binding("https://a", "https://i"), Storage::File, &tokens("t"));
            keep(&logins, &login, "t").await;
            let path = logins.path(&login.binding);
            assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
            assert_eq!(fs::metadata(&logins.folder).unwrap().mode() & 0o777, 0o700);
            fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
            assert_eq!(logins.read(&login.binding).await.unwrap_err().exit, 78);
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
            fs::write(&path, "{\"access\":\"t-secret\"").unwrap();
            let error = logins.read(&login.binding).await.unwrap_err();
            assert!(error.exit == 78 && !format!("{error:?}").contains("t-secret"), "{error:?}");
        });
    }

    #[test]
    fn one_at_a_time_renews() {
        in_folder(async |logins| {
            let binding = binding("https://a", "https://i");
            let held = logins.lock(&binding).await.unwrap();
            let soon = tokio::time::timeout(LOCK_POLL * 3, logins.lock(&binding)).await;
            assert!(soon.is_err());
            drop(held);
            logins.lock(&binding).await.unwrap();
        });
    }

    #[test]
    fn what_a_crash_left_half_written_is_removed_and_what_is_being_written_is_not() {
        in_folder(async |logins| {
            let (ours, theirs, nobodys) = (
                binding("https://a", "https://i"),
                binding("https://b", "https://i"),
                binding("https://c", "https://i"),
            );
            let kept = Login::begin(ours.clone(), Storage::File, &tokens("t"));
            keep(&logins, &kept, "t").await;
            let their_lock = logins.lock(&theirs).await.unwrap();
            let left = |binding: &Binding| logins.folder.join(format!("{}.json.4711.tmp", binding.id()));
            for binding in [&ours, &theirs, &nobodys] {
                fs::write(left(binding), "t-secret").unwrap();
            }
            let lock = logins.lock(&ours).await.unwrap();
            assert_eq!([&ours, &theirs, &nobodys].map(|binding| left(binding).exists()), [false, true, false]);
            assert!(logins.read(&ours).await.unwrap().is_some());
            drop((lock, their_lock));
            logins.sweep(None);
            assert!(!left(&theirs).exists());
        });
    }
}
