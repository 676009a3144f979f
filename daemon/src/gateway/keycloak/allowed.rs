//! What of Keycloak is reached through the gateway: one table, matched literally on the raw path.
//!
//! Nothing is decoded and nothing is resolved before the match, so there is one reading of a path, ours.
//! A path with any other character than letters, digits and `-._~/`, with an empty segment, or with a
//! segment of dots alone is refused as malformed: what Keycloak, or a cache on the way, would make of it is not
//! asked. What is not in the table does not exist: the admin API, consoles, registration, the account
//! pages, other realms.

use axum::http::Method;

/// Under which path everything of Keycloak lies.
pub(super) const PREFIX: &str = "/auth";
/// Longest path: the longest of the shipped themes' is below a quarter.
const MAX_PATH: usize = 512;

/// What is forwarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Route {
    /// The discovery document.
    Discovery,
    /// The realm's public keys.
    Keys,
    /// A client asks for a device code.
    Device,
    /// A client asks for a token.
    Token,
    /// A client gives a token back.
    Revoke,
    /// A person gives the code that the client showed.
    Code,
    /// Where a person sees how it ended.
    Status,
    /// A person signs in, consents, sets a password or a second factor.
    Login,
    /// Style sheets, scripts and images of those pages.
    Resource,
}

/// Why nothing is forwarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// Nobody means such a path well.
    Malformed,
    /// It is not in the table.
    Unknown,
    /// It is, for these methods.
    Method(&'static [Method]),
}

/// The steps of signing in, under `login-actions`. Registration, mails and other realms' sign-ins are left out.
const STEPS: [&str; 5] = ["authenticate", "consent", "detached-info", "required-action", "restart"];
/// The resources of the pages above. Those of the consoles are beside them.
const THEMES: [&str; 2] = ["common", "login"];

/// What a request is for; `path` is the request's own, with [`PREFIX`].
pub(super) fn route(realm: &str, method: &Method, path: &str) -> Result<Route, Refused> {
    if !is_plain(path) {
        return Err(Refused::Malformed);
    }
    let mut parts = path.split('/').skip(1);
    if parts.next() != PREFIX.strip_prefix('/') {
        return Err(Refused::Unknown);
    }
    let parts: Vec<&str> = parts.collect();
    let (found, methods) = match parts.as_slice() {
        ["resources", _version, theme, _, ..] if THEMES.contains(theme) => (Route::Resource, READ),
        ["realms", name, rest @ ..] if *name == realm => of_realm(rest).ok_or(Refused::Unknown)?,
        _ => return Err(Refused::Unknown),
    };
    if methods.contains(method) { Ok(found) } else { Err(Refused::Method(methods)) }
}

const READ: &[Method] = &[Method::GET];
const SEND: &[Method] = &[Method::POST];
const PAGE: &[Method] = &[Method::GET, Method::POST];

fn of_realm(rest: &[&str]) -> Option<(Route, &'static [Method])> {
    Some(match rest {
        [".well-known", "openid-configuration"] => (Route::Discovery, READ),
        ["protocol", "openid-connect", "certs"] => (Route::Keys, READ),
        ["protocol", "openid-connect", "auth", "device"] => (Route::Device, SEND),
        ["protocol", "openid-connect", "token"] => (Route::Token, SEND),
        ["protocol", "openid-connect", "revoke"] => (Route::Revoke, SEND),
        ["device"] => (Route::Code, PAGE),
        ["device", "status"] => (Route::Status, READ),
        ["login-actions", step] if STEPS.contains(step) => (Route::Login, PAGE),
        _ => return None,
    })
}

/// A path that everybody reads alike.
fn is_plain(path: &str) -> bool {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(byte);
    let is_step = |segment: &str| !segment.is_empty() && segment.bytes().any(|byte| byte != b'.');
    path.len() <= MAX_PATH
        && path.as_bytes().iter().all(is_plain)
        && !path.contains("..")
        && path.strip_prefix('/').is_some_and(|rest| rest.split('/').all(is_step))
}

#[cfg(test)]
mod tests {
    use super::*;

    const REALM: &str = "wallet";

    fn get(path: &str) -> Result<Route, Refused> {
        route(REALM, &Method::GET, path)
    }

    fn post(path: &str) -> Result<Route, Refused> {
        route(REALM, &Method::POST, path)
    }

    const OPEN: [(&str, &[Method], Route); 14] = [
        ("/auth/realms/wallet/.well-known/openid-configuration", READ, Route::Discovery),
        ("/auth/realms/wallet/protocol/openid-connect/certs", READ, Route::Keys),
        ("/auth/realms/wallet/protocol/openid-connect/auth/device", SEND, Route::Device),
        ("/auth/realms/wallet/protocol/openid-connect/token", SEND, Route::Token),
        ("/auth/realms/wallet/protocol/openid-connect/revoke", SEND, Route::Revoke),
        ("/auth/realms/wallet/device", PAGE, Route::Code),
        ("/auth/realms/wallet/device/status", READ, Route::Status),
        ("/auth/realms/wallet/login-actions/authenticate", PAGE, Route::Login),
        ("/auth/realms/wallet/login-actions/consent", PAGE, Route::Login),
        ("/auth/realms/wallet/login-actions/detached-info", PAGE, Route::Login),
        ("/auth/realms/wallet/login-actions/required-action", PAGE, Route::Login),
        ("/auth/realms/wallet/login-actions/restart", PAGE, Route::Login),
        ("/auth/resources/1vt8c/login/keycloak.v2/css/styles.css", READ, Route::Resource),
        ("/auth/resources/1vt8c/common/keycloak/vendor/patternfly-v5/patternfly.min.css", READ, Route::Resource),
    ];

    #[test]
    fn the_table_is_open_for_its_methods_and_no_others() {
        let all = [
            Method::GET,
            Method::HEAD,
            Method::POST,
            Method::PUT,
            Method::PATCH,
            Method::DELETE,
            Method::OPTIONS,
            Method::TRACE,
            Method::CONNECT,
            Method::from_bytes(b"PROPFIND").unwrap(),
            Method::from_bytes(b"get").unwrap(),
        ];
        for (path, methods, expected) in OPEN {
            for method in &all {
                let wanted = if methods.contains(method) { Ok(expected) } else { Err(Refused::Method(methods)) };
                assert_eq!(route(REALM, method, path), wanted, "{method} {path}");
            }
        }
    }

    #[test]
    fn what_is_not_in_the_table_does_not_exist() {
        for path in [
            "/auth",
            "/authrealms/wallet/device",
            "/auth2/realms/wallet/device",
            "/realms/wallet/device",
            "/AUTH/realms/wallet/device",
            "/auth/Realms/wallet/device",
            "/auth/realms/Wallet/device",
            "/auth/realms/wallet",
            "/auth/realms/wallet2/device",
            "/auth/realms/master/device",
            "/auth/realms/master/protocol/openid-connect/token",
            "/auth/realms/master/.well-known/openid-configuration",
            "/auth/realms/wallet/account",
            "/auth/realms/wallet/account/credentials",
            "/auth/realms/wallet/broker/google/login",
            "/auth/realms/wallet/clients-registrations/openid-connect",
            "/auth/realms/wallet/login-actions",
            "/auth/realms/wallet/login-actions/registration",
            "/auth/realms/wallet/login-actions/reset-credentials",
            "/auth/realms/wallet/login-actions/action-token",
            "/auth/realms/wallet/login-actions/first-broker-login",
            "/auth/realms/wallet/login-actions/authenticate/more",
            "/auth/realms/wallet/device/status/more",
            "/auth/realms/wallet/protocol/openid-connect",
            "/auth/realms/wallet/protocol/openid-connect/auth",
            "/auth/realms/wallet/protocol/openid-connect/registrations",
            "/auth/realms/wallet/protocol/openid-connect/logout",
            "/auth/realms/wallet/protocol/openid-connect/userinfo",
            "/auth/realms/wallet/protocol/openid-connect/token/introspect",
            "/auth/realms/wallet/protocol/openid-connect/ext/par/request",
            "/auth/realms/wallet/protocol/openid-connect/ext/ciba/auth",
            "/auth/realms/wallet/protocol/openid-connect/login-status-iframe.html",
            "/auth/realms/wallet/protocol/openid-connect/3p-cookies/step1.html",
            "/auth/realms/wallet/protocol/saml",
            "/auth/realms/wallet/protocol/docker-v2/auth",
            "/auth/realms/wallet/.well-known/uma2-configuration",
            "/auth/admin",
            "/auth/admin/master/console",
            "/auth/admin/realms/wallet/users",
            "/auth/js/keycloak.js",
            "/auth/metrics",
            "/auth/health",
            "/auth/resources",
            "/auth/resources/1vt8c",
            "/auth/resources/1vt8c/login",
            "/auth/resources/1vt8c/admin/keycloak.v2/main.js",
            "/auth/resources/1vt8c/account/keycloak.v3/main.js",
            "/auth/resources/1vt8c/welcome/keycloak/css/welcome.css",
        ] {
            for method in [Method::GET, Method::POST] {
                assert_eq!(route(REALM, &method, path), Err(Refused::Unknown), "{method} {path}");
            }
        }
    }

    #[test]
    fn a_path_that_others_may_read_differently_is_refused_wherever_the_trick_stands() {
        let tricks = [
            "%", "%2e%2e", "%2E%2e", "%2f", "%2F", "%5c", "%00", "%252f", "%c0%af", ";", ";x=1", "\\", "//", "/./",
            "/../", "..", "/.", "...", " ", "\t", "\r\n", "\0", "*", "'", "\"", "<", ">", "|", "^", "`", "{", "}", "$",
            "!", "(", ")", ",", "=", "&", "+", ":", "@", "?x", "#x", "é", "\u{2025}", "\u{ff0f}", "\u{2215}",
        ];
        for (path, _, _) in OPEN {
            for trick in tricks {
                for at in 0..=path.len() {
                    let (before, after) = path.split_at(at);
                    let made = format!("{before}{trick}{after}");
                    // A dot more within a name is another name, not a trick.
                    if trick == "/." && !after.starts_with('/') && !after.is_empty() {
                        assert!(get(&made).is_err() || made.contains("/resources/"), "{made:?}");
                        continue;
                    }
                    assert_eq!(get(&made), Err(Refused::Malformed), "{made:?}");
                    assert_eq!(post(&made), Err(Refused::Malformed), "{made:?}");
                }
            }
            assert_eq!(get(&format!("{path}/")), Err(Refused::Malformed), "{path}");
        }
        assert_eq!(get(&format!("/auth/resources/v/login/{}", "x".repeat(MAX_PATH))), Err(Refused::Malformed));
        for bare in ["", "/", "auth", "*", "example.org:443", "http://kc/auth/realms/wallet/device"] {
            assert_eq!(get(bare), Err(Refused::Malformed), "{bare:?}");
        }
    }

    /// Every way to leave out, double or swap one segment of an open path leads nowhere, or to another open path.
    #[test]
    fn no_rearranged_path_is_open_that_is_not_in_the_table() {
        let is_open = |path: &str| OPEN.iter().any(|(open, _, _)| *open == path);
        for (path, _, route) in OPEN.iter().filter(|(_, _, route)| *route != Route::Resource) {
            let parts: Vec<&str> = path.split('/').skip(1).collect();
            for at in 0..parts.len() {
                let mut less = parts.clone();
                less.remove(at);
                let mut more = parts.clone();
                more.insert(at, parts[at]);
                let mut swapped = parts.clone();
                swapped.swap(at, (at + 1) % parts.len());
                for parts in [less, more, swapped] {
                    let other = format!("/{}", parts.join("/"));
                    let found = get(&other).is_ok() || post(&other).is_ok();
                    assert_eq!(found, is_open(&other), "{other} from {route:?}");
                }
            }
        }
    }
}
