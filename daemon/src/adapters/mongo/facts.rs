//! What the doctor asks a MongoDB server.

use mongodb::bson::{Bson, Document, doc};
use wallet_core::{ports::Clock, time::Timestamp};

use super::{RECORDS, Trail, server};
use crate::adapters::schema::OpenError;

/// What the doctor wants to know of a MongoDB server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// The version of the protocol's server.
    pub version: String,
    /// The version of FerretDB, if it is that and not MongoDB.
    pub ferretdb: Option<String>,
    /// The replica set it is part of; a server of its own has none.
    pub replica_set: Option<String>,
    /// Who is logged in; nobody where the server asks nobody.
    pub user: Option<String>,
    /// What the account may do to the trail.
    pub rights: Rights,
    /// How writes are acknowledged.
    pub write_concern: &'static str,
    /// The server's clock minus ours, in microseconds, give or take the way there; MongoDB tells it in milliseconds.
    pub skew_micros: i64,
}

/// What an account may do to the records of the trail.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "each is one right, and any of them may be there")]
pub struct Rights {
    /// Read them: needed.
    pub find: bool,
    /// Add some: needed.
    pub insert: bool,
    /// Change some: better not.
    pub update: bool,
    /// Take some away: better not.
    pub remove: bool,
    /// Drop them all, as `walletd rebuild audit` does: better given for that occasion only.
    pub drop: bool,
}

impl Rights {
    const ALL: Self = Self { find: true, insert: true, update: true, remove: true, drop: true };
}

pub(super) async fn ask(trail: &Trail, clock: &dyn Clock) -> Result<Facts, OpenError> {
    let command = async |command: Document| {
        trail.limits.read(trail.database.run_command(command)).await.map_err(server::at_opening)
    };
    let build = command(doc! { "buildInfo": 1 }).await?;
    let before = clock.now();
    let hello = command(doc! { "hello": 1 }).await?;
    let after = clock.now();
    let theirs = hello.get_datetime("localTime").map_or(0, |time| time.timestamp_millis());
    let theirs = Timestamp::from_micros(theirs.saturating_mul(1_000));
    let status = command(doc! { "connectionStatus": 1, "showPrivileges": true }).await?;
    let info = status.get_document("authInfo").cloned().unwrap_or_default();
    let user = first(&info, "authenticatedUsers").and_then(|user| text(&user, "user"));
    let rights = match &user {
        Some(_) => rights(&info, trail.database.name()),
        None => Rights::ALL,
    };
    Ok(Facts {
        version: text(&build, "version").unwrap_or_default(),
        ferretdb: text(&build, "ferretdbVersion"),
        replica_set: text(&hello, "setName"),
        user,
        rights,
        write_concern: "majority, journaled",
        skew_micros: theirs.micros_since(before.plus_micros(after.micros_since(before) / 2)),
    })
}

fn text(document: &Document, name: &str) -> Option<String> {
    document.get_str(name).ok().map(str::to_owned)
}

fn documents<'a>(document: &'a Document, name: &str) -> impl Iterator<Item = &'a Document> {
    document.get_array(name).into_iter().flatten().filter_map(Bson::as_document)
}

fn first(document: &Document, name: &str) -> Option<Document> {
    documents(document, name).next().cloned()
}

/// What the privileges say of the records of this database.
fn rights(info: &Document, database: &str) -> Rights {
    let mut rights = Rights::default();
    for privilege in documents(info, "authenticatedUserPrivileges") {
        let Ok(resource) = privilege.get_document("resource") else { continue };
        let names =
            |name: &str, ours: &str| resource.get_str(name).is_ok_and(|named| named.is_empty() || named == ours);
        let any = resource.get_bool("anyResource").unwrap_or(false);
        let ours = names("db", database) && names("collection", RECORDS);
        if !any && !ours {
            continue;
        }
        for action in privilege.get_array("actions").into_iter().flatten().filter_map(Bson::as_str) {
            match action {
                "anyAction" => rights = Rights::ALL,
                "find" => rights.find = true,
                "insert" => rights.insert = true,
                "update" => rights.update = true,
                "remove" => rights.remove = true,
                "dropCollection" => rights.drop = true,
                _ => {}
            }
        }
    }
    rights
}

#[cfg(test)]
mod tests {
    use super::*;

    fn privilege(resource: Document, actions: &[&str]) -> Document {
        doc! { "resource": resource, "actions": actions.iter().map(|action| (*action).to_owned()).collect::<Vec<_>>() }
    }

    #[test]
    fn rights_are_those_on_the_records_of_this_database() {
        let info = doc! { "authenticatedUserPrivileges": [
            privilege(doc! { "db": "wallet", "collection": "records" }, &["find", "insert", "createIndex"]),
            privilege(doc! { "db": "other", "collection": "" }, &["remove"]),
            privilege(doc! { "db": "wallet", "collection": "else" }, &["dropCollection"]),
            privilege(doc! { "cluster": true }, &["update"]),
        ] };
        assert_eq!(rights(&info, "wallet"), Rights { find: true, insert: true, ..Rights::default() });
        let info = doc! { "authenticatedUserPrivileges": [
            privilege(doc! { "db": "", "collection": "" }, &["find", "remove"]),
        ] };
        assert_eq!(rights(&info, "wallet"), Rights { find: true, remove: true, ..Rights::default() });
        let info = doc! { "authenticatedUserPrivileges": [privilege(doc! { "anyResource": true }, &["anyAction"])] };
        assert_eq!(rights(&info, "wallet"), Rights::ALL);
    }
}
