//! Who is calling, and with which request: what the edge hands to every handler.

use wallet_api::problem::Problem;
use wallet_core::{
    command::{Command, Mode, Request},
    ids::{Owner, RequestId},
    key::{Key, ScopedKey},
};

use super::fault::Fault;
use crate::services::identity::{Caller, Permission};

/// One request, as handlers see it.
#[derive(Clone, Debug)]
pub(super) struct Context {
    /// Who calls.
    pub(super) caller: Caller,
    /// Only this owner's wallets are there for it; none where it reaches any.
    pub(super) only: Option<Owner>,
    /// This request.
    pub(super) request_id: RequestId,
    /// W3C `traceparent`, if it came with a good one.
    pub(super) trace: Option<Box<str>>,
    /// The `Idempotency-Key` header.
    pub(super) key: Option<Key>,
}

impl Context {
    /// A past moment needs a permission of its own.
    pub(super) fn may_backdate(&self, asked: bool) -> Result<(), Fault> {
        if !asked || self.caller.permissions.contains(&Permission::Backdate) {
            return Ok(());
        }
        Err(Problem::new(
            "forbidden",
            format!("{} lacks the permission backdate, which a given time needs", self.caller.actor),
        )
        .into())
    }

    /// The key of a write; without one nothing is written.
    pub(super) fn write_key(&self) -> Result<ScopedKey, Fault> {
        let missing = || Problem::new("key_missing", "a write needs the header Idempotency-Key");
        Ok(self.scoped(self.key.clone().ok_or_else(missing)?))
    }

    /// A key in the caller's namespace.
    pub(super) fn scoped(&self, key: Key) -> ScopedKey {
        ScopedKey::new(self.caller.scope.clone(), key)
    }

    /// A request of these commands.
    pub(super) fn request(&self, mode: Mode, commands: Vec<Command>) -> Request {
        Request {
            actor: self.caller.actor.clone(),
            only: self.only.clone(),
            id: Some(self.request_id.clone()),
            trace: self.trace.clone(),
            mode,
            commands,
            own_key: None,
        }
    }
}
