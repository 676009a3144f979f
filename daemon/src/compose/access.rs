//! Who a local caller is: the daemon's own user, and the users and groups of the configuration.
//!
//! A row that names the user counts before one that names a group, wherever it stands. The group is the one that the
//! calling process has (its primary group, as a rule): the kernel tells that beside the user, and no further ones.

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
        let by_user = access.peers.iter().find(|known| known.uid == Some(peer.uid));
        let found = by_user.or_else(|| access.peers.iter().find(|known| known.gid == Some(peer.gid)))?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_that_is_named_is_what_its_row_says_whatever_its_group_is() {
        let row = |uid, gid, role| config::Peer { uid, gid, roles: vec![role], owner: None, permissions: Vec::new() };
        let peers = vec![
            row(None, Some(50), config::Role::Operator),
            row(Some(1_001), None, config::Role::Auditor),
            row(None, Some(60), config::Role::Auditor),
        ];
        let identify = identify(Access { peers }).unwrap();
        let roles = |uid, gid| identify(Peer { uid, gid }).map(|caller| caller.roles.to_vec());
        assert_eq!(roles(1_001, 50), Some(vec![Role::Auditor]));
        assert_eq!(roles(1_002, 50), Some(vec![Role::Operator]));
        assert_eq!(roles(1_002, 60), Some(vec![Role::Auditor]));
        assert_eq!(roles(1_002, 1_002), None);
        let own = rustix::process::geteuid().as_raw();
        assert_eq!(roles(own, 50), Some(vec![Role::Operator, Role::Auditor]), "the daemon's own user");
    }
}
