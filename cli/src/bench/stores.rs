//! Where a scratch daemon keeps its stores: in its own folder, or in databases of its own on the servers that the
//! environment names, which walletd makes and drops ([`Stores`]).
//!
//! Nothing else of the environment's `WALLETD_` variables reaches a scratch daemon: it must never serve a real ledger.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::error::CliError;

/// The variables that name a store's server.
const URLS: [&str; 6] = [
    "WALLETD_LEDGER_URL",
    "WALLETD_WALLETS_URL",
    "WALLETD_AUDIT_URL",
    "WALLETD_EVENTS_URL",
    "WALLETD_BALANCES_URL",
    "WALLETD_LIMITS_URL",
];
/// What else is said about stores: password files, certificates, pools.
const SETTINGS: &str = "WALLETD_STORES__";
const PREFIX: &str = "WALLETD_";
/// The value of a URL that names no server.
const EMBEDDED: &str = "embedded";
/// What walletd ends with when its configuration cannot be used.
const CONFIGURATION: i32 = 78;

/// The stores of a scratch daemon. Dropped, its databases are gone.
pub struct Stores {
    program: PathBuf,
    /// The databases' name; none once they are dropped, or while everything is embedded.
    name: Option<String>,
    /// Variables as they were given.
    given: BTreeMap<String, String>,
    /// Those that lead to the databases.
    own: BTreeMap<String, String>,
    ledger_id: String,
}

impl Stores {
    /// In the daemon's folder.
    pub fn embedded(program: &Path) -> Self {
        let (given, own) = (BTreeMap::new(), BTreeMap::new());
        Self { program: program.to_owned(), name: None, given, own, ledger_id: String::new() }
    }

    /// In new databases on the servers that these variables name; what names none is embedded.
    pub fn on_servers(
        program: &Path,
        name: &str,
        variables: impl Iterator<Item = (String, String)>,
    ) -> Result<Self, CliError> {
        let mut stores = Self::embedded(program);
        stores.given = variables
            .filter(|(name, value)| (URLS.contains(&name.as_str()) || name.starts_with(SETTINGS)) && !value.is_empty())
            .collect();
        if !URLS.iter().any(|url| stores.is_on_a_server(url)) {
            return Err(CliError::usage("--servers: the environment names no server").hint(format!(
                "Set {} or others; tests/stack/stack env prints those of a test stack.",
                URLS.join(", ")
            )));
        }
        stores.name = Some(name.to_owned());
        let made = stores.walletd(&["make", name])?;
        stores.own = serde_json::from_slice(&made)
            .map_err(|error| CliError::new("internal", format!("{} bench-stores: {error}", program.display())))?;
        Ok(stores)
    }

    fn is_on_a_server(&self, url: &str) -> bool {
        self.given.get(url).is_some_and(|value| value != EMBEDDED)
    }

    /// True if the ledger is on PostgreSQL.
    pub fn ledger(&self) -> bool {
        self.is_on_a_server("WALLETD_LEDGER_URL")
    }

    /// True if balances are cached in Redis.
    pub fn balances(&self) -> bool {
        self.is_on_a_server("WALLETD_BALANCES_URL")
    }

    /// Whose data is in them, so that what lies under the ledger's id can be found.
    pub fn belong_to(&mut self, ledger_id: &str) {
        ledger_id.clone_into(&mut self.ledger_id);
    }

    /// Leads a daemon's command to them, and nowhere else.
    pub fn lead(&self, command: &mut Command) {
        surround(command, &self.given);
        command.envs(&self.own);
        if self.name.is_some() {
            command.arg("--migrate");
        }
    }

    /// A command of walletd that reaches the servers, but not these databases.
    pub fn beside(&self, word: &str) -> Command {
        let mut command = Command::new(&self.program);
        surround(&mut command, &self.given);
        command.arg(word).stdin(Stdio::null());
        command
    }

    /// Drops the databases.
    pub fn remove(mut self) -> Result<(), CliError> {
        self.removed()
    }

    fn removed(&mut self) -> Result<(), CliError> {
        match self.name.take() {
            Some(name) => self.walletd(&["drop", &name, "--ledger-id", &self.ledger_id]).map(drop),
            None => Ok(()),
        }
    }

    fn walletd(&self, words: &[&str]) -> Result<Vec<u8>, CliError> {
        let failed = |error: std::io::Error| CliError::usage(format!("{}: {error}", self.program.display()));
        let output = self.beside("bench-stores").args(words).output().map_err(failed)?;
        if output.status.success() {
            return Ok(output.stdout);
        }
        Err(refused(output.status.code(), &output.stderr))
    }
}

/// What walletd said when it could not do what a benchmark needs.
pub fn refused(code: Option<i32>, stderr: &[u8]) -> CliError {
    let said = String::from_utf8_lossy(stderr);
    let said = said.trim().trim_start_matches("walletd: ").to_owned();
    match code {
        Some(CONFIGURATION) => CliError::configuration(said),
        _ => CliError::new("unavailable", said),
    }
}

/// An early end is none for the databases.
impl Drop for Stores {
    fn drop(&mut self) {
        // Whoever ended early has an error of its own to tell.
        drop(self.removed());
    }
}

/// Gives a command of walletd these variables of its kind and no others.
fn surround(command: &mut Command, variables: &BTreeMap<String, String>) {
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| name.starts_with(PREFIX)) {
            command.env_remove(name);
        }
    }
    command.envs(variables);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on(variables: &[(&str, &str)]) -> Result<Stores, CliError> {
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Stores::on_servers(Path::new("/nowhere/walletd"), "bench_1", variables)
    }

    #[test]
    fn servers_have_to_be_named() {
        for variables in [&[][..], &[("WALLETD_LEDGER_URL", "")], &[("WALLETD_LEDGER_URL", "embedded")]] {
            let error = on(variables).err().unwrap();
            assert!(error.message.contains("names no server") && error.exit == 2, "{error:?}");
        }
    }

    #[test]
    fn what_walletd_refuses_is_told_by_kind() {
        assert_eq!(refused(Some(78), b"walletd: ledger cannot be used\n").code, "configuration");
        let down = refused(Some(75), b"walletd: ledger: it does not answer\n");
        assert_eq!((down.code.as_str(), down.message.as_str()), ("unavailable", "ledger: it does not answer"));
    }
}
