//! A server of a test's own, to be killed and started again without disturbing others.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use tempfile::TempDir;

use super::stores::Stack;
use crate::harness::{Run, run};

/// Servers of one test, started by tests/stack in a folder of their own, gone with it.
pub struct Own {
    // On a disk, and where PostgreSQL's user may go.
    dir: TempDir,
}

impl Own {
    /// Starts them.
    pub fn up(servers: &[&str]) -> Self {
        let dir = tempfile::Builder::new().prefix("walletctl-own-").tempdir_in("/var/tmp").unwrap();
        let own = Self { dir };
        own.stack("up", servers).ok();
        own
    }

    fn folder(&self) -> PathBuf {
        self.dir.path().join("stack")
    }

    fn stack(&self, what: &str, servers: &[&str]) -> Run {
        let mut command = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("stack/stack"));
        command.env("STACK_DIR", self.folder()).env("DURABLE", "1").env_remove("STACK_PORTS").arg(what).args(servers);
        run(command, Vec::new())
    }

    /// kill -9.
    pub fn kill(&self, server: &str) {
        self.stack("kill", &[server]).ok();
    }

    /// Starts it again.
    pub fn again(&self, server: &str) {
        self.stack("up", &[server]).ok();
    }

    /// These servers in the place of the shared ones.
    pub fn instead_of(&self, shared: &Stack) -> Stack {
        let text = std::fs::read_to_string(self.folder().join("env")).unwrap();
        shared.with(&Stack::parse(&text))
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        let removed = self.stack("remove", &[]);
        if !std::thread::panicking() {
            removed.ok();
        }
    }
}
