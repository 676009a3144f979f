//! Somebody who calls, whichever way they were told apart: by the kernel, or by a token.

use std::sync::Arc;

use wallet_core::{
    ids::{Actor, Owner},
    key::KeyScope,
    time::Timestamp,
};

/// What a caller is. Who has which role is configuration; what a role may do is here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Moves money, any wallet.
    Operator,
    /// Reads everything, verifies, writes nothing.
    Auditor,
    /// Reads its own wallets, and transfers out of them.
    User,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 3] = [Self::Operator, Self::Auditor, Self::User];

    /// Its word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::Auditor => "auditor",
            Self::User => "user",
        }
    }
}

/// What a caller may do besides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Permission {
    /// Give a past `effective_at` or `opened_at`.
    Backdate,
    /// Steer the daemon.
    Admin,
}

impl Permission {
    /// Every permission.
    pub const ALL: [Self; 2] = [Self::Backdate, Self::Admin];

    /// Its word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Backdate => "backdate",
            Self::Admin => "admin",
        }
    }
}

/// Somebody the edge knows.
#[derive(Clone, Debug)]
pub struct Caller {
    /// As journal records name it.
    pub actor: Actor,
    /// Whose keys it uses: operators and service accounts share one namespace.
    pub scope: KeyScope,
    /// What it is.
    pub roles: Arc<[Role]>,
    /// What it may do besides.
    pub permissions: Arc<[Permission]>,
    /// Whose wallets a user sees.
    pub owner: Option<Owner>,
    /// The token it came with; none on the socket.
    pub token: Option<Arc<Bearer>>,
}

/// What is known of a verified token besides its bearer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bearer {
    /// Who issued it.
    pub issuer: Arc<str>,
    /// The client it was issued to.
    pub client: String,
    /// When it stops counting.
    pub expires_at: Timestamp,
}

impl Caller {
    /// The roles' words.
    pub fn role_names(&self) -> Vec<String> {
        self.roles.iter().map(|role| role.as_str().to_owned()).collect()
    }

    /// The permissions' words.
    pub fn permission_names(&self) -> Vec<String> {
        self.permissions.iter().map(|permission| permission.as_str().to_owned()).collect()
    }
}
