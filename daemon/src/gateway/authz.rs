//! Who may do what: one table of every route, asked in one place, the edge. A route without a row cannot be reached.
//!
//! `walletd authz` prints it; a test holds it against the routes there are, and every role against every row.

use std::fmt::Write as _;

use serde_json::json;

use crate::services::identity::{Caller, Permission, Role};

/// Whose wallets a role reaches by a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reach {
    /// None: it may not.
    None,
    /// Only its own.
    Own,
    /// Any.
    Any,
}

impl Reach {
    /// Its word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "-",
            Self::Own => "own",
            Self::Any => "any",
        }
    }
}

/// Who may use a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// Everybody, without signing in.
    Everybody,
    /// Whoever is signed in, with or without a role.
    Known,
    /// Roles.
    Roles {
        /// What an operator reaches.
        operator: Reach,
        /// What an auditor reaches.
        auditor: Reach,
        /// What a user reaches.
        user: Reach,
    },
    /// Whoever has the permission, whatever the role.
    Permitted(Permission),
}

impl Who {
    /// What a role reaches.
    pub fn role(self, role: Role) -> Reach {
        match self {
            Self::Everybody | Self::Known => Reach::Any,
            Self::Permitted(_) => Reach::None,
            Self::Roles { operator, auditor, user } => match role {
                Role::Operator => operator,
                Role::Auditor => auditor,
                Role::User => user,
            },
        }
    }
}

/// One row.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// The method.
    pub method: &'static str,
    /// The path, as the router has it.
    pub path: &'static str,
    /// What it does, in walletctl's words.
    pub action: &'static str,
    /// Who may.
    pub who: Who,
    /// A past time may be given, by whoever has the permission backdate as well.
    pub backdate: bool,
}

const OPEN: Who = Who::Everybody;
const KNOWN: Who = Who::Known;
const ALL: Who = Who::Roles { operator: Reach::Any, auditor: Reach::Any, user: Reach::Any };
const READ: Who = Who::Roles { operator: Reach::Any, auditor: Reach::Any, user: Reach::None };
const READ_OWN: Who = Who::Roles { operator: Reach::Any, auditor: Reach::Any, user: Reach::Own };
const WRITE: Who = Who::Roles { operator: Reach::Any, auditor: Reach::None, user: Reach::None };
const WRITE_OWN: Who = Who::Roles { operator: Reach::Any, auditor: Reach::None, user: Reach::Own };
const ADMIN: Who = Who::Permitted(Permission::Admin);

macro_rules! rules {
    ($($method:ident $path:literal $action:literal $who:ident $($backdate:ident)?;)*) => {
        /// Every route.
        pub const RULES: &[Rule] = &[$(Rule {
            method: stringify!($method), path: $path, action: $action, who: $who, backdate: rules!(@ $($backdate)?),
        }),*];
    };
    (@ backdate) => { true };
    (@) => { false };
}

rules! {
    GET "/healthz" "health" OPEN;
    GET "/readyz" "health" OPEN;
    GET "/openapi.json" "openapi" OPEN;
    GET "/.well-known/oauth-protected-resource" "metadata" OPEN;
    GET "/v1/whoami" "auth whoami" KNOWN;
    GET "/v1/can-i" "auth can-i" KNOWN;
    GET "/v1/status" "daemon status" READ;
    GET "/v1/totals" "totals" READ;
    GET "/v1/cut" "cut" READ;
    GET "/v1/assets" "asset list" ALL;
    POST "/v1/assets" "asset register" WRITE;
    GET "/v1/wallets" "wallet list" READ_OWN;
    POST "/v1/wallets" "wallet create" WRITE backdate;
    POST "/v1/wallets/import" "wallet import" WRITE backdate;
    GET "/v1/wallets/{id}" "wallet show" READ_OWN;
    POST "/v1/wallets/{id}/freeze" "wallet freeze" WRITE;
    POST "/v1/wallets/{id}/unfreeze" "wallet unfreeze" WRITE;
    POST "/v1/wallets/{id}/close" "wallet close" WRITE;
    POST "/v1/wallets/{id}/limit" "wallet set-limit" WRITE;
    POST "/v1/deposits" "deposit" WRITE backdate;
    POST "/v1/withdrawals" "withdraw" WRITE backdate;
    POST "/v1/transfers" "transfer" WRITE_OWN backdate;
    POST "/v1/batches" "batch run" WRITE_OWN backdate;
    GET "/v1/transactions" "tx list" READ_OWN;
    GET "/v1/transactions/{id}" "tx show" READ_OWN;
    GET "/v1/transactions/by-key/{key}" "tx show" READ_OWN;
    POST "/v1/transactions/{id}/reverse" "tx reverse" WRITE backdate;
    GET "/v1/wallets/{id}/balance" "balance" READ_OWN;
    GET "/v1/wallets/{id}/history" "balance" READ_OWN;
    GET "/v1/wallets/{id}/statement" "statement" READ_OWN;
    GET "/v1/reports/balances" "export balances" READ;
    GET "/v1/journal" "export journal" READ;
    GET "/v1/audit/records" "audit list" READ;
    POST "/v1/audit/verify" "audit verify" READ;
    POST "/v1/admin/rebuild/{store}" "rebuild" ADMIN;
}

/// What a request asks for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Asked<'a> {
    /// A path that nothing serves.
    Nowhere,
    /// A path that does not take the method, or may not: it has no such row.
    Otherwise(&'a str),
    /// A row of the table.
    Row(&'static Rule),
}

impl<'a> Asked<'a> {
    /// `path` as the router has it, if it has one.
    pub(super) fn of(method: &str, path: Option<&'a str>) -> Self {
        match path {
            None => Self::Nowhere,
            Some(path) => rule(method, path).map_or(Self::Otherwise(path), Self::Row),
        }
    }

    /// Nobody has to be known for it.
    pub(super) fn is_open(self) -> bool {
        matches!(self, Self::Row(Rule { who: Who::Everybody, .. }))
    }
}

/// What the table says about a request: `path` as the router has it.
pub(super) fn rule(method: &str, path: &str) -> Option<&'static Rule> {
    let method = if method == "HEAD" { "GET" } else { method };
    RULES.iter().find(|rule| rule.path == path && rule.method == method)
}

/// The methods that a path takes, as the header Allow has them.
pub(super) fn allow(path: &str) -> String {
    let mut methods: Vec<_> = RULES.iter().filter(|rule| rule.path == path).map(|rule| rule.method).collect();
    if methods.contains(&"GET") {
        methods.push("HEAD");
    }
    methods.join(", ")
}

/// The first row of an action.
pub(super) fn of_action(action: &str) -> Option<&'static Rule> {
    RULES.iter().find(|rule| rule.action == action)
}

/// The row of a path with its variable parts filled in; a row of words alone before one with variables.
pub(super) fn of_path(method: &str, path: &str) -> Option<&'static Rule> {
    let fits = |rule: &&Rule| {
        let (mut rows, mut given) = (rule.path.split('/'), path.split('/'));
        loop {
            match (rows.next(), given.next()) {
                (None, None) => return true,
                (Some(row), Some(part)) if row == part || (row.starts_with('{') && !part.is_empty()) => {}
                _ => return false,
            }
        }
    };
    let method = method.to_ascii_uppercase();
    let mut found = RULES.iter().filter(|rule| rule.method == method).filter(fits);
    let first = found.next();
    first.filter(|rule| !rule.path.contains('{')).or_else(|| found.find(|rule| !rule.path.contains('{'))).or(first)
}

/// What a caller lacks for a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lack {
    /// Every role that may.
    Role(Who),
    /// A permission.
    Permission(Permission),
    /// The name of its wallets' owner.
    Owner,
}

impl std::fmt::Display for Lack {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Role(who) => {
                let may = Role::ALL.into_iter().filter(|role| who.role(*role) != Reach::None).map(Role::as_str);
                let may: Vec<_> = may.collect();
                match may.as_slice() {
                    [one] => write!(f, "the role {one}"),
                    several => write!(f, "one of the roles {}", several.join(", ")),
                }
            }
            Self::Permission(permission) => write!(f, "the permission {}", permission.as_str()),
            Self::Owner => f.write_str("the name of an owner, which says whose wallets a user has"),
        }
    }
}

/// Whose wallets a caller reaches by a route, or what it lacks.
pub(super) fn decide(rule: &Rule, caller: &Caller) -> Result<Reach, Lack> {
    match rule.who {
        Who::Everybody | Who::Known => Ok(Reach::Any),
        Who::Permitted(permission) if caller.permissions.contains(&permission) => Ok(Reach::Any),
        Who::Permitted(permission) => Err(Lack::Permission(permission)),
        who @ Who::Roles { .. } => match caller.roles.iter().map(|role| who.role(*role)).max() {
            None | Some(Reach::None) => Err(Lack::Role(who)),
            Some(Reach::Own) if caller.owner.is_none() => Err(Lack::Owner),
            Some(reach) => Ok(reach),
        },
    }
}

fn cells(rule: &Rule) -> [String; 3] {
    match rule.who {
        Who::Everybody => std::array::from_fn(|_| "open".to_owned()),
        Who::Known => std::array::from_fn(|_| "yes".to_owned()),
        Who::Permitted(permission) => std::array::from_fn(|_| format!("with {}", permission.as_str())),
        who @ Who::Roles { .. } => Role::ALL.map(|role| match who.role(role) {
            Reach::Any => "yes".to_owned(),
            reach => reach.as_str().to_owned(),
        }),
    }
}

/// The table for people.
pub fn in_text() -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{:<18} {:<6} {:<40} {:<10} {:<10} user", "action", "method", "path", "operator", "auditor");
    for rule in RULES {
        let [operator, auditor, user] = cells(rule);
        let past = if rule.backdate { "  (a past time: with backdate)" } else { "" };
        let Rule { method, path, action, .. } = rule;
        let _ = writeln!(text, "{action:<18} {method:<6} {path:<40} {operator:<10} {auditor:<10} {user}{past}");
    }
    text.push_str(
        "\nyes: any wallet. own: only wallets of the caller's owner; others look as if they were not there.\n\
         open: without signing in. backdate and admin are permissions beside the roles.\n",
    );
    text
}

/// The table for programs.
pub fn in_json() -> String {
    let rows = RULES.iter().map(|rule| {
        let [operator, auditor, user] = cells(rule);
        json!({"action": rule.action, "method": rule.method, "path": rule.path, "operator": operator,
            "auditor": auditor, "user": user, "backdate": rule.backdate})
    });
    format!("{}\n", json!({"rules": rows.collect::<Vec<_>>()}))
}

#[cfg(test)]
mod tests;
