//! Where walletctl keeps its files, and how: folders 0700, files 0600, replaced whole.
//!
//! XDG's variables where they are set and absolute, else below the home folder; without `HOME` the
//! home folder is the one of the user's passwd entry, so that cron and a login shell agree.
//! A folder or file of ours that others may read or write is refused, never silently mended.

use std::{
    fs::{self, DirBuilder, File, Metadata, OpenOptions},
    io::{self, Read as _},
    os::unix::fs::{DirBuilderExt as _, FileExt as _, MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use rustix::fs::OFlags;
use uuid::Uuid;

use crate::{env::Env, error::CliError};

/// Bits of a mode that let others in.
const OTHERS: u32 = 0o077;
/// Largest file of our own that is read whole: far above any configuration or intent.
const MAX_FILE: u64 = 16 << 20;
/// How the names of files end that are not whole yet.
pub const TEMPORARY: &str = "tmp";

/// The folders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paths {
    /// Configuration: `config.toml`.
    pub config: PathBuf,
    /// State: intents, batches.
    pub state: PathBuf,
    /// The daemon's socket, unless told otherwise.
    pub socket: PathBuf,
}

impl Paths {
    /// Finds them; touches nothing.
    pub fn find(env: &Env) -> Result<Self, CliError> {
        let home = || {
            env.get("HOME").map(PathBuf::from).filter(|home| home.is_absolute()).or_else(passwd_home).ok_or_else(|| {
                CliError::configuration("there is no HOME, and no passwd entry of this user")
                    .hint("Set HOME, or XDG_CONFIG_HOME and XDG_STATE_HOME.")
            })
        };
        let base = |name: &str, below: &str| match env.get(name).map(PathBuf::from).filter(|path| path.is_absolute()) {
            Some(path) => Ok(path),
            None => home().map(|home| home.join(below)),
        };
        let state = base("XDG_STATE_HOME", ".local/state")?;
        Ok(Self {
            config: base("XDG_CONFIG_HOME", ".config")?.join("walletctl"),
            socket: state.join("walletd").join("walletd.sock"),
            state: state.join("walletctl"),
        })
    }

    /// The configuration file.
    pub fn config_file(&self) -> PathBuf {
        self.config.join("config.toml")
    }

    /// Where intents are.
    pub fn intents(&self) -> PathBuf {
        self.state.join("intents")
    }

    /// Where results of batches are.
    pub fn batches(&self) -> PathBuf {
        self.state.join("batches")
    }
}

fn passwd_home() -> Option<PathBuf> {
    let uid = rustix::process::getuid().as_raw();
    home_in(&fs::read_to_string("/etc/passwd").ok()?, uid)
}

fn home_in(passwd: &str, uid: u32) -> Option<PathBuf> {
    let entry = passwd.lines().map(|line| line.split(':').collect::<Vec<_>>());
    let home = entry.into_iter().find(|fields| fields.get(2).is_some_and(|id| id.parse() == Ok(uid)))?;
    home.get(5).map(PathBuf::from).filter(|home| home.is_absolute())
}

/// True if the disk has no room.
pub fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// An error of one of our own files.
pub fn fault(what: &str, path: &Path, error: &io::Error) -> CliError {
    let text = format!("cannot {what} {}: {error}", path.display());
    if is_full(error) {
        return CliError::new("disk_full", text).hint("Make room, then try again. Nothing was sent.");
    }
    CliError::configuration(text).hint(
        "Make it usable for this user, or set XDG_STATE_HOME and XDG_CONFIG_HOME to folders that are. Nothing was sent.",
    )
}

/// Makes a folder of ours if it is missing, and refuses one that others may enter.
pub fn private_dir(path: &Path) -> Result<(), CliError> {
    if !path.exists() {
        DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(|e| fault("make", path, &e))?;
    }
    check_private(path)
}

/// Refuses what others may read or write, or what another user owns.
pub fn check_private(path: &Path) -> Result<(), CliError> {
    check(path, &fs::metadata(path).map_err(|e| fault("read", path, &e))?)
}

fn check(path: &Path, found: &Metadata) -> Result<(), CliError> {
    if found.uid() != rustix::process::getuid().as_raw() {
        return Err(CliError::configuration(format!("{} belongs to another user", path.display()))
            .hint(format!("chown it, or remove it: {}", path.display())));
    }
    if found.mode() & OTHERS != 0 {
        let (mode, wanted) = (found.mode() & 0o777, if found.is_dir() { "700" } else { "600" });
        return Err(CliError::configuration(format!("{} has mode {mode:o}: others may use it", path.display()))
            .hint(format!("chmod {wanted} {}", path.display())));
    }
    Ok(())
}

/// Opens a file; none if it is not there. A pipe or a device is refused at once: who reads one waits for somebody to
/// write, and in cron nobody is there to end that.
pub fn open_plain(path: &Path) -> Result<Option<(File, Metadata)>, CliError> {
    // Without it the opening of a pipe waits already. To a plain file it means nothing.
    let flags = OFlags::NONBLOCK.bits().cast_signed();
    let file = match OpenOptions::new().read(true).custom_flags(flags).open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(fault("read", path, &e)),
    };
    let found = file.metadata().map_err(|e| fault("read", path, &e))?;
    if !found.is_file() {
        return Err(CliError::configuration(format!("{} is no plain file", path.display()))
            .hint("Put a file there: a pipe, a folder or a device is not read. Nothing was sent."));
    }
    Ok(Some((file, found)))
}

/// Reads a file of ours; none if it is not there. What is judged is what was opened, whatever the path names by then.
pub fn read_private(path: &Path) -> Result<Option<String>, CliError> {
    let Some((file, found)) = open_plain(path)? else { return Ok(None) };
    check(path, &found)?;
    let mut text = String::new();
    file.take(MAX_FILE).read_to_string(&mut text).map_err(|e| fault("read", path, &e))?;
    Ok(Some(text))
}

/// Writes a file of ours whole, durably, in one step: readers see the old one or the new one.
pub fn replace_private(path: &Path, bytes: &[u8]) -> Result<(), CliError> {
    Replacement::begin(path, 0)?.finish(bytes)
}

/// A file that will take the place of one of ours, and has its room on the disk before there is anything to write.
/// Dropped before it is finished, nothing is left of it; a crash leaves a file whose name ends with [`TEMPORARY`].
#[derive(Debug)]
pub struct Replacement {
    path: PathBuf,
    temporary: PathBuf,
    file: File,
}

impl Replacement {
    /// Makes it, with room for so many bytes.
    pub fn begin(path: &Path, room: usize) -> Result<Self, CliError> {
        let folder = path.parent().unwrap_or(Path::new("/"));
        private_dir(folder)?;
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(format!(".{}.{TEMPORARY}", Uuid::new_v4()));
        let temporary = folder.join(name);
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary);
        let file = file.map_err(|e| fault("write", &temporary, &e))?;
        let made = Self { path: path.to_owned(), temporary, file };
        let reserve = || {
            made.file.write_all_at(&vec![b' '; room], 0)?;
            made.file.sync_all()
        };
        if room > 0 {
            reserve().map_err(|e| fault("write", path, &e))?;
        }
        Ok(made)
    }

    /// Writes it and puts it in its place.
    pub fn finish(self, bytes: &[u8]) -> Result<(), CliError> {
        let write = || {
            self.file.write_all_at(bytes, 0)?;
            self.file.set_len(bytes.len() as u64)?;
            self.file.sync_all()?;
            fs::rename(&self.temporary, &self.path)?;
            File::open(self.path.parent().unwrap_or(Path::new("/")))?.sync_all()
        };
        write().map_err(|e| fault("write", &self.path, &e))
    }
}

impl Drop for Replacement {
    fn drop(&mut self) {
        // Once it is in its place there is nothing by this name.
        let _ = fs::remove_file(&self.temporary);
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    #[test]
    fn folders_follow_xdg_then_home_then_the_passwd_entry() {
        let found = Paths::find(&Env::of([("HOME", "/home/me"), ("XDG_STATE_HOME", "/var/state")])).unwrap();
        assert_eq!(found.config, Path::new("/home/me/.config/walletctl"));
        assert_eq!(found.state, Path::new("/var/state/walletctl"));
        assert_eq!(found.socket, Path::new("/var/state/walletd/walletd.sock"));
        // A relative one does not count, says the XDG specification.
        let found = Paths::find(&Env::of([("HOME", "/home/me"), ("XDG_STATE_HOME", "state")])).unwrap();
        assert_eq!(found.state, Path::new("/home/me/.local/state/walletctl"));
        let passwd = "root:x:0:0:root:/root:/bin/bash\nme:x:1000:1000::/home/me:/bin/sh\n";
        assert_eq!(home_in(passwd, 1000).unwrap(), Path::new("/home/me"));
        assert_eq!(home_in(passwd, 7), None);
    }

    #[test]
    fn files_are_private_and_looser_ones_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("walletctl").join("config.toml");
        replace_private(&path, b"one").unwrap();
        replace_private(&path, b"two").unwrap();
        assert_eq!(read_private(&path).unwrap().unwrap(), "two");
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert_eq!(fs::metadata(path.parent().unwrap()).unwrap().mode() & 0o777, 0o700);
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let error = read_private(&path).unwrap_err();
        assert_eq!((error.exit, error.code.as_str()), (78, "configuration"));
        assert!(error.hint.starts_with("chmod 600"), "{}", error.hint);
        assert_eq!(read_private(Path::new("/nowhere/at/all")).unwrap(), None);
    }

    #[test]
    fn a_pipe_is_refused_at_once_in_the_place_of_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("secret");
        rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, 0o600.into()).unwrap();
        let (done, waited) = std::sync::mpsc::channel();
        let path = pipe.clone();
        std::thread::spawn(move || done.send(read_private(&path)));
        // Nobody ever writes to it.
        let error = waited.recv_timeout(std::time::Duration::from_mins(1)).expect("no answer").unwrap_err();
        assert!(error.exit == 78 && error.message.contains("no plain file"), "{error:?}");
        assert_eq!(read_private(folder.path()).unwrap_err().exit, 78);
    }

    #[test]
    fn a_link_is_judged_by_the_file_it_leads_to() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("ours").join("file"), folder.path().join("link"));
        replace_private(&file, b"one").unwrap();
        symlink(&file, &link).unwrap();
        assert_eq!(read_private(&link).unwrap().unwrap(), "one");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o604)).unwrap();
        assert_eq!(read_private(&link).unwrap_err().exit, 78);
    }

    #[test]
    fn a_replacement_that_is_not_finished_leaves_the_old_file_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700)).unwrap();
        let path = folder.path().join("login.json");
        replace_private(&path, b"old").unwrap();
        let begun = Replacement::begin(&path, 4_096).unwrap();
        assert_eq!(fs::metadata(&begun.temporary).unwrap().len(), 4_096);
        drop(begun);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        let begun = Replacement::begin(&path, 4_096).unwrap();
        assert_eq!(read_private(&path).unwrap().unwrap(), "old");
        begun.finish(b"new").unwrap();
        assert_eq!((read_private(&path).unwrap().unwrap().as_str(), fs::metadata(&path).unwrap().len()), ("new", 3));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_full_disk_is_told_apart_from_a_folder_that_cannot_be_used() {
        let of = |kind: io::ErrorKind| fault("write", Path::new("/x"), &kind.into()).exit;
        assert_eq!((of(io::ErrorKind::StorageFull), of(io::ErrorKind::QuotaExceeded)), (75, 75));
        assert_eq!((of(io::ErrorKind::PermissionDenied), of(io::ErrorKind::ReadOnlyFilesystem)), (78, 78));
    }
}
