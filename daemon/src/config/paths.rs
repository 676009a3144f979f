//! Where files are when nobody says so: the XDG directories.
//!
//! cron has no login shell and sometimes no HOME: then the passwd entry of the user decides, so both
//! find the same socket.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    path::{Path, PathBuf},
};

/// No home directory can be found.
#[derive(Debug, thiserror::Error)]
#[error(
    "no home directory: HOME is not set and user {uid} has none in /etc/passwd; set XDG_STATE_HOME, or server.socket and data.directory"
)]
pub struct PathError {
    /// The user.
    pub uid: u32,
}

/// What the process was started with.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    vars: BTreeMap<OsString, OsString>,
    uid: u32,
    passwd_home: Option<PathBuf>,
}

impl Environment {
    /// This process's.
    pub fn of_process() -> Self {
        let uid = rustix::process::getuid().as_raw();
        let passwd = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
        Self::of(std::env::vars_os(), uid, home_in(&passwd, uid))
    }

    /// A given one.
    pub fn of(vars: impl Iterator<Item = (OsString, OsString)>, uid: u32, passwd_home: Option<PathBuf>) -> Self {
        Self { vars: vars.collect(), uid, passwd_home }
    }

    /// A variable; an empty one counts as unset.
    pub fn var(&self, name: &str) -> Option<&OsString> {
        self.vars.get(std::ffi::OsStr::new(name)).filter(|value| !value.is_empty())
    }

    /// Variables whose name starts with `prefix` and whose name and value are UTF-8.
    pub(super) fn prefixed<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        let text = |(name, value): (&'a OsString, &'a OsString)| Some((name.to_str()?, value.to_str()?));
        self.vars.iter().filter_map(text).filter(move |(name, value)| name.starts_with(prefix) && !value.is_empty())
    }

    /// `$XDG_STATE_HOME/walletd`.
    pub fn state_dir(&self) -> Result<PathBuf, PathError> {
        self.base("XDG_STATE_HOME", ".local/state")
    }

    /// `$XDG_CONFIG_HOME/walletd`.
    pub fn config_dir(&self) -> Result<PathBuf, PathError> {
        self.base("XDG_CONFIG_HOME", ".config")
    }

    fn base(&self, variable: &str, below_home: &str) -> Result<PathBuf, PathError> {
        // The XDG specification: a relative path is to be ignored.
        let absolute = |name| self.var(name).map(PathBuf::from).filter(|path: &PathBuf| path.is_absolute());
        let home = || absolute("HOME").or_else(|| self.passwd_home.clone()).map(|home| home.join(below_home));
        absolute(variable).or_else(home).map(|base| base.join("walletd")).ok_or(PathError { uid: self.uid })
    }
}

/// The home directory of a user in the text of /etc/passwd.
fn home_in(passwd: &str, uid: u32) -> Option<PathBuf> {
    let line = passwd.lines().find(|line| line.split(':').nth(2).is_some_and(|field| field.parse() == Ok(uid)))?;
    let home = Path::new(line.split(':').nth(5)?);
    home.is_absolute().then(|| home.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_home_the_passwd_entry_decides() {
        let home = home_in("root:x:0:0:root:/root:/bin/sh\nana:x:1000:1000::/home/ana:/bin/sh\n", 1000);
        let env = Environment::of(std::iter::empty(), 1000, home);
        assert_eq!(env.state_dir().unwrap(), PathBuf::from("/home/ana/.local/state/walletd"));
        assert!(Environment::of(std::iter::empty(), 1000, None).state_dir().is_err());
    }

    #[test]
    fn a_relative_xdg_path_is_ignored() {
        let vars = [("XDG_STATE_HOME", "state"), ("HOME", "/h")].map(|(k, v)| (k.into(), v.into()));
        let env = Environment::of(vars.into_iter(), 1, None);
        assert_eq!(env.state_dir().unwrap(), PathBuf::from("/h/.local/state/walletd"));
    }
}
