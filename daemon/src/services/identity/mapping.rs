//! What a verified token makes of its bearer: roles and permissions by the configured names, owner by the configured claim.
//!
//! Only `sub` says who somebody is: names and addresses in a token can be changed by people and are not read.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::{Map, Value};
use wallet_core::{
    ids::{Actor, Owner},
    key::KeyScope,
};

use super::caller::{Bearer, Caller, Permission, Role};

/// Longest subject: with its prefix it is well below what an actor may have.
const MAX_SUBJECT: usize = 128;

/// What one role of a token gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grant {
    /// A role here.
    Role(Role),
    /// A permission here.
    Permission(Permission),
}

/// How claims are read.
#[derive(Clone, Debug)]
pub struct Mapping {
    /// What each role of `realm_access.roles` gives; others give nothing.
    pub roles: BTreeMap<String, Grant>,
    /// The claim with a user's owner name.
    pub owner_claim: String,
}

impl Mapping {
    /// The bearer of a verified token; none if it does not say whose it is.
    pub(super) fn caller(&self, claims: &Map<String, Value>, token: Bearer) -> Option<Caller> {
        let subject = claims.get("sub").and_then(Value::as_str).filter(|subject| is_subject(subject))?;
        let actor: Actor = format!("sub:{subject}").parse().ok()?;
        let granted = |wanted: Grant| {
            let named = claims.get("realm_access").and_then(|access| access.get("roles")).and_then(Value::as_array);
            named.is_some_and(|names| {
                names.iter().filter_map(Value::as_str).any(|name| self.roles.get(name) == Some(&wanted))
            })
        };
        let roles: Arc<[Role]> = Role::ALL.into_iter().filter(|role| granted(Grant::Role(*role))).collect();
        let permissions = Permission::ALL.into_iter().filter(|it| granted(Grant::Permission(*it))).collect();
        let owner: Option<Owner> =
            claims.get(&self.owner_claim).and_then(Value::as_str).and_then(|name| name.parse().ok());
        let mut caller =
            Caller { scope: KeyScope::Shared, actor, roles, permissions, owner: None, token: Some(Arc::new(token)) };
        if caller.roles.contains(&Role::User) {
            caller.owner = owner;
            if !caller.roles.contains(&Role::Operator) {
                caller.scope = KeyScope::User(caller.actor.as_str().into());
            }
        }
        Some(caller)
    }
}

/// Visible ASCII: it becomes part of an actor's name and of a key's namespace.
fn is_subject(text: &str) -> bool {
    (1..=MAX_SUBJECT).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}
