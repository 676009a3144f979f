//! The table against the routes there are, and against what the design says of each role.

use std::collections::BTreeSet;

use wallet_core::key::KeyScope;

use super::*;

fn caller(roles: &[Role], permissions: &[Permission]) -> Caller {
    Caller {
        actor: "sub:x".parse().unwrap(),
        scope: KeyScope::Shared,
        roles: roles.into(),
        permissions: permissions.into(),
        owner: Some("x".parse().unwrap()),
        token: None,
    }
}

/// `POST /v1/transfers`, and so on.
fn name(rule: &Rule) -> String {
    format!("{} {}", rule.method, rule.path)
}

#[test]
fn every_route_has_exactly_one_row_and_every_row_a_route() {
    let routes: Vec<String> =
        crate::gateway::routes().into_iter().map(|(path, method)| format!("{method} {path}")).collect();
    let rows: Vec<String> = RULES.iter().map(name).collect();
    let set = |names: &[String]| names.iter().cloned().collect::<BTreeSet<_>>();
    assert_eq!(set(&routes), set(&rows));
    assert_eq!((routes.len(), rows.len()), (set(&routes).len(), set(&rows).len()));
}

/// What a role may, route by route, as design and documents say it in words.
fn expected(role: Role, row: &Rule) -> Reach {
    let reads = row.method == "GET" || row.path == "/v1/audit/verify";
    let open = ["/healthz", "/readyz", "/openapi.json", "/.well-known/oauth-protected-resource"];
    if open.contains(&row.path) || ["/v1/whoami", "/v1/can-i", "/v1/assets"].contains(&row.path) && reads {
        return Reach::Any;
    }
    if row.path.starts_with("/v1/admin/") {
        return Reach::None;
    }
    match role {
        Role::Operator => Reach::Any,
        Role::Auditor if reads => Reach::Any,
        Role::Auditor => Reach::None,
        Role::User => {
            let own = [
                "GET /v1/wallets",
                "GET /v1/wallets/{id}",
                "GET /v1/wallets/{id}/balance",
                "GET /v1/wallets/{id}/history",
                "GET /v1/wallets/{id}/statement",
                "GET /v1/transactions",
                "GET /v1/transactions/{id}",
                "GET /v1/transactions/by-key/{key}",
                "POST /v1/transfers",
                "POST /v1/batches",
            ];
            if own.contains(&name(row).as_str()) { Reach::Own } else { Reach::None }
        }
    }
}

#[test]
fn every_role_has_what_the_design_gives_it_on_every_route_and_no_more() {
    for rule in RULES {
        for role in Role::ALL {
            let decided = decide(rule, &caller(&[role], &[])).unwrap_or(Reach::None);
            assert_eq!(decided, expected(role, rule), "{} {}", role.as_str(), name(rule));
        }
        let nobody = decide(rule, &caller(&[], &[])).unwrap_or(Reach::None);
        let known = matches!(rule.who, Who::Everybody | Who::Known);
        assert_eq!(nobody, if known { Reach::Any } else { Reach::None }, "nobody {}", name(rule));
    }
}

#[test]
fn several_roles_reach_what_the_widest_of_them_does() {
    for rule in RULES {
        for mask in 0..8_usize {
            let roles: Vec<Role> = (0..3).filter(|bit| mask >> bit & 1 == 1).map(|bit| Role::ALL[bit]).collect();
            let each = roles.iter().map(|role| decide(rule, &caller(&[*role], &[])).unwrap_or(Reach::None));
            let widest = each.max().unwrap_or(decide(rule, &caller(&[], &[])).unwrap_or(Reach::None));
            assert_eq!(decide(rule, &caller(&roles, &[])).unwrap_or(Reach::None), widest, "{roles:?} {}", name(rule));
        }
    }
}

#[test]
fn steering_the_daemon_needs_its_permission_and_no_role_has_it() {
    let rebuild = of_action("rebuild").unwrap();
    assert_eq!(decide(rebuild, &caller(&[], &[Permission::Admin])), Ok(Reach::Any));
    let lack = decide(rebuild, &caller(&Role::ALL, &[Permission::Backdate])).unwrap_err();
    assert_eq!(lack.to_string(), "the permission admin");
}

#[test]
fn a_user_without_an_owners_name_reaches_nothing() {
    let mut user = caller(&[Role::User], &[]);
    user.owner = None;
    for rule in RULES.iter().filter(|rule| expected(Role::User, rule) == Reach::Own) {
        assert_eq!(decide(rule, &user), Err(Lack::Owner));
    }
}

#[test]
fn a_path_names_the_methods_it_takes() {
    assert_eq!(allow("/v1/wallets"), "GET, POST, HEAD");
    assert_eq!(allow("/v1/transfers"), "POST");
    assert!(matches!(Asked::of("DELETE", Some("/v1/wallets")), Asked::Otherwise("/v1/wallets")));
    assert!(Asked::of("HEAD", Some("/healthz")).is_open() && !Asked::of("HEAD", Some("/v1/status")).is_open());
}

#[test]
fn what_is_lacking_is_named() {
    let lack = |action, caller: &Caller| decide(of_action(action).unwrap(), caller).unwrap_err().to_string();
    assert_eq!(lack("deposit", &caller(&[Role::User], &[])), "the role operator");
    assert_eq!(lack("transfer", &caller(&[Role::Auditor], &[])), "one of the roles operator, user");
}

#[test]
fn a_path_is_found_as_the_router_finds_it() {
    let path = |method, path| of_path(method, path).map(name);
    assert_eq!(path("post", "/v1/wallets/import").as_deref(), Some("POST /v1/wallets/import"));
    assert_eq!(path("GET", "/v1/wallets/w1/balance").as_deref(), Some("GET /v1/wallets/{id}/balance"));
    assert_eq!(path("GET", "/v1/transactions/by-key/k").as_deref(), Some("GET /v1/transactions/by-key/{key}"));
    for (method, given) in
        [("GET", "/v1/transfers"), ("GET", "/v1/wallets//balance"), ("GET", "/"), ("PUT", "/v1/wallets")]
    {
        assert_eq!(path(method, given), None, "{method} {given}");
    }
}

#[test]
fn the_table_is_printed_whole() {
    let (text, json) = (in_text(), in_json());
    for rule in RULES {
        assert!(text.contains(rule.path) && json.contains(rule.path), "{}", rule.path);
    }
    assert!(text.lines().any(|line| line.starts_with("transfer ") && line.contains(" own ")), "{text}");
    assert!(json.contains(r#""action":"deposit""#));
    assert!(serde_json::from_str::<serde_json::Value>(&json).is_ok());
}
