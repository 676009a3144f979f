//! Who is calling, and with which request: what the edge hands to every handler.

use wallet_api::problem::Problem;
use wallet_core::{
    command::{Command, Mode, Request},
    ids::RequestId,
    key::{Key, ScopedKey},
};

use super::fault::Fault;
use crate::services::identity::{Caller, Permission, Role};

/// One request, as handlers see it.
#[derive(Clone, Debug)]
pub(super) struct Context {
    /// Who calls.
    pub(super) caller: Caller,
    /// This request.
    pub(super) request_id: RequestId,
    /// W3C `traceparent`, if it came with a good one.
    pub(super) trace: Option<Box<str>>,
    /// The `Idempotency-Key` header.
    pub(super) key: Option<Key>,
}

impl Context {
    /// Only who writes.
    pub(super) fn operator(&self) -> Result<(), Fault> {
        if self.caller.roles.contains(&Role::Operator) {
            return Ok(());
        }
        Err(Problem::new(
            "forbidden",
            format!("{} is not an operator: it may read and verify, not write", self.caller.actor),
        )
        .into())
    }

    /// Only who may steer the daemon goes on.
    pub(super) fn admin(&self) -> Result<(), Fault> {
        if self.caller.permissions.contains(&Permission::Admin) {
            return Ok(());
        }
        let detail = format!("{} lacks the permission admin, which steering the daemon needs", self.caller.actor);
        Err(Problem::new("forbidden", detail).into())
    }

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
        ScopedKey { scope: self.caller.scope.clone(), key }
    }

    /// A request of these commands.
    pub(super) fn request(&self, mode: Mode, commands: Vec<Command>) -> Request {
        Request {
            actor: self.caller.actor.clone(),
            id: Some(self.request_id.clone()),
            trace: self.trace.clone(),
            mode,
            commands,
            own_key: None,
        }
    }
}
