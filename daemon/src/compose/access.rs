//! Who a local caller is: the daemon's own user, and the users and groups of the configuration.

use std::sync::Arc;

use wallet_core::{ids::Actor, key::KeyScope};

use crate::{
    config::{self, Access},
    gateway::{Identify, Peer},
    services::identity::{Caller, Permission, Role},
};

/// The daemon's own user is operator with every permission; others are what the configuration says.
pub(super) fn identify(access: Access) -> anyhow::Result<Identify> {
    let own = rustix::process::geteuid().as_raw();
    let me = Caller {
        actor: actor(own)?,
        scope: KeyScope::Shared,
        roles: Arc::new([Role::Operator, Role::Auditor]),
        permissions: Arc::new([Permission::Backdate, Permission::Admin]),
        owner: None,
        token: None,
    };
    Ok(Arc::new(move |peer: Peer| {
        if peer.uid == own {
            return Some(me.clone());
        }
        let found = access.peers.iter().find(|known| known.uid == Some(peer.uid) || known.gid == Some(peer.gid))?;
        let actor = actor(peer.uid).ok()?;
        let scope = if found.roles.contains(&config::Role::User) && !found.roles.contains(&config::Role::Operator) {
            KeyScope::User(actor.as_str().into())
        } else {
            KeyScope::Shared
        };
        Some(Caller {
            actor,
            scope,
            roles: found
                .roles
                .iter()
                .map(|role| match role {
                    config::Role::Operator => Role::Operator,
                    config::Role::Auditor => Role::Auditor,
                    config::Role::User => Role::User,
                })
                .collect(),
            permissions: found
                .permissions
                .iter()
                .map(|permission| match permission {
                    config::Permission::Backdate => Permission::Backdate,
                    config::Permission::Admin => Permission::Admin,
                })
                .collect(),
            owner: found.owner.clone(),
            token: None,
        })
    }))
}

fn actor(uid: u32) -> anyhow::Result<Actor> {
    Ok(format!("uid:{uid}").parse()?)
}
