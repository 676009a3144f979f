//! `[data]`: where the embedded stores are.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::Invalid;

/// Where the embedded stores are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Data {
    /// One directory for all of them; one daemon at a time has it.
    pub directory: PathBuf,
}

impl Data {
    pub(super) fn validate(&self) -> Result<(), Invalid> {
        if self.directory.is_absolute() {
            return Ok(());
        }
        Err(Invalid::new("data.directory", format!("{} is not an absolute path", self.directory.display())))
    }
}
