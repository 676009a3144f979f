//! `[access]`: which local users may call, and as what. The daemon's own user is always operator with
//! every permission.

use serde::{Deserialize, Serialize};

use wallet_core::ids::Owner;

use super::Invalid;

/// What a caller is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Moves money, any wallet.
    Operator,
    /// Reads everything, verifies, writes nothing.
    Auditor,
    /// Reads and uses its own wallets.
    User,
}

/// What a caller may do besides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Permission {
    /// Give a past `effective_at` or `opened_at`.
    Backdate,
    /// Steer the daemon.
    Admin,
}

/// A user or a group of this machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Peer {
    /// The user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<u32>,
    /// Or the group: the calling process's own, not the user's further ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gid: Option<u32>,
    /// What it is.
    pub roles: Vec<Role>,
    /// Whose wallets it has, for the role user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<Owner>,
    /// What it may do besides.
    #[serde(default)]
    pub permissions: Vec<Permission>,
}

/// Which local users may call, and as what.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Access {
    /// Users and groups.
    pub peers: Vec<Peer>,
}

impl Access {
    pub(super) fn validate(&self) -> Result<(), Invalid> {
        for peer in &self.peers {
            if peer.uid.is_some() == peer.gid.is_some() {
                return Err(Invalid::new("access.peers", "each peer names either a uid or a gid"));
            }
            if peer.roles.is_empty() {
                return Err(Invalid::new("access.peers", "each peer has at least one role"));
            }
            if peer.roles.contains(&Role::User) && peer.owner.is_none() {
                return Err(Invalid::new("access.peers", "a peer with the role user names the owner of its wallets"));
            }
        }
        Ok(())
    }
}
