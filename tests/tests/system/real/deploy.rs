//! docker-compose.yml, as far as it can be held to its word without a container engine.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_yaml_ng::Value;

use super::stores::Stack;
use crate::harness::{World, run, skipped};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn text(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap()
}

/// `NAME=value` lines.
fn variables(text: &str) -> BTreeMap<String, String> {
    let pairs = text.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once('='));
    pairs.map(|(name, value)| (name.into(), value.into())).collect()
}

/// The .env that `make env` makes.
fn made() -> BTreeMap<String, String> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("made.env");
    let mut command = Command::new(root().join("scripts/env.sh"));
    command.arg(&path);
    run(command, Vec::new()).ok();
    variables(&fs::read_to_string(path).unwrap())
}

/// The compose file with every variable resolved. Only `${NAME:?what to do}` is used: without a value nothing starts.
fn resolved(values: &BTreeMap<String, String>) -> (String, BTreeSet<String>) {
    let compose = text("docker-compose.yml");
    let (mut out, mut used) = (String::new(), BTreeSet::new());
    let mut rest = compose.as_str();
    while let Some(at) = rest.find('$') {
        out += &rest[..at];
        rest = &rest[at + 1..];
        if let Some(escaped) = rest.strip_prefix('$') {
            out.push('$');
            rest = escaped;
            continue;
        }
        let (name, behind) = rest.strip_prefix('{').and_then(|rest| rest.split_once('}')).expect("${NAME:?…} or $$");
        let (name, advice) = name.split_once(":?").unwrap_or_else(|| panic!("{name} has a default, or may be empty"));
        assert!(!advice.is_empty(), "{name}");
        out += values.get(name).filter(|value| !value.is_empty()).unwrap_or_else(|| panic!("{name} has no value"));
        used.insert(name.to_owned());
        rest = behind;
    }
    (out + rest, used)
}

fn services() -> serde_yaml_ng::Mapping {
    let document: Value = serde_yaml_ng::from_str(&resolved(&made()).0).unwrap();
    document["services"].as_mapping().unwrap().clone()
}

fn strings(value: &Value) -> Vec<String> {
    value.as_sequence().into_iter().flatten().map(|item| item.as_str().unwrap().to_owned()).collect()
}

/// A service's environment, as text.
fn environment(service: &Value) -> BTreeMap<String, String> {
    let pairs = service["environment"].as_mapping().into_iter().flatten();
    let word = |value: &Value| match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        other => panic!("{other:?} is not text: quote it"),
    };
    pairs.map(|(name, value)| (name.as_str().unwrap().to_owned(), word(value))).collect()
}

#[test]
fn every_variable_of_the_compose_file_is_in_the_example_and_every_one_there_is_used() {
    let example = variables(&text(".env.example"));
    let (_, used) = resolved(&made());
    assert_eq!(example.keys().cloned().collect::<BTreeSet<_>>(), used);
}

#[test]
fn no_secret_is_written_down_and_made_ones_are_made_anew_and_kept() {
    let example = variables(&text(".env.example"));
    let (first, second) = (made(), made());
    for (name, value) in &example {
        let secret = ["PASSWORD", "SECRET"].iter().any(|word| name.contains(word));
        if secret {
            assert!(value.is_empty(), "{name} has a value that everybody knows");
            assert!(first[name].len() >= 22 && first[name].chars().all(|c| c.is_ascii_alphanumeric()), "{name}");
            assert_ne!(first[name], second[name]);
        } else if !value.is_empty() {
            assert_eq!(&first[name], value);
        }
    }
    let raw: Value = serde_yaml_ng::from_str(&text("docker-compose.yml")).unwrap();
    for (service, body) in raw["services"].as_mapping().unwrap() {
        for (name, value) in environment(body) {
            if name.contains("PASSWORD") || name.contains("SECRET") {
                assert!(value.starts_with("${"), "{service:?} {name} is written down");
            }
            if let Some((_, login)) = value.split_once("://").filter(|(_, rest)| rest.contains('@')) {
                let password = login.split('@').next().unwrap().split_once(':').unwrap().1;
                assert!(password.starts_with("${"), "{service:?} {name} has a password in it");
            }
        }
    }
    // What is there is left alone: its secrets are in use.
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("kept.env");
    fs::write(&path, "POSTGRES_PASSWORD=kept\n").unwrap();
    let mut command = Command::new(root().join("scripts/env.sh"));
    command.arg(&path);
    run(command, Vec::new()).ok();
    assert_eq!(fs::read_to_string(&path).unwrap(), "POSTGRES_PASSWORD=kept\n");
}

#[test]
fn the_compose_file_has_the_whole_service_set_pinned_and_with_health_checks() {
    let services = services();
    let names: BTreeSet<&str> = services.keys().map(|name| name.as_str().unwrap()).collect();
    let expected =
        ["jaeger", "kafka", "keycloak", "mongo", "mysql", "postgres", "redis-balances", "redis-limits", "walletd"];
    assert_eq!(names, BTreeSet::from(expected));
    for (name, service) in &services {
        let image = service["image"].as_str().unwrap();
        let tag = image.rsplit_once(':').unwrap_or_else(|| panic!("{image} has no tag")).1;
        let parts = tag.split(['.', '-']).take_while(|part| part.chars().all(|c| c.is_ascii_digit())).count();
        assert!(parts >= 2, "{image} is not pinned to one version");
        let check = &service["healthcheck"];
        assert!(!strings(&check["test"]).is_empty(), "{name:?} has no health check");
        for limit in ["interval", "timeout", "retries"] {
            assert!(!check[limit].is_null(), "{name:?}: its health check has no {limit}");
        }
        assert_eq!(service["restart"].as_str(), Some("unless-stopped"), "{name:?}");
    }
}

#[test]
fn ports_are_on_loopback_from_env_and_all_different() {
    let values = made();
    let mut seen = BTreeSet::new();
    for (name, service) in &services() {
        for port in strings(&service["ports"]) {
            let (address, rest) = port.split_once(':').unwrap();
            assert_eq!(address, "127.0.0.1", "{name:?} is open to the network");
            let outside = rest.split(':').next().unwrap().to_owned();
            assert!(
                values.iter().any(|(name, value)| name.ends_with("_PORT") && *value == outside),
                "{name:?}: {port}"
            );
            assert!(seen.insert(outside), "{name:?}: {port} is taken");
        }
    }
    assert_eq!(seen.len(), values.keys().filter(|name| name.ends_with("_PORT")).count());
}

#[test]
fn what_must_last_is_in_a_volume_and_what_is_mounted_is_in_the_repository() {
    let document: Value = serde_yaml_ng::from_str(&resolved(&made()).0).unwrap();
    let volumes: BTreeSet<&str> =
        document["volumes"].as_mapping().unwrap().keys().map(|name| name.as_str().unwrap()).collect();
    let mut used = BTreeSet::new();
    let services = services();
    for (name, service) in &services {
        let mounted = strings(&service["volumes"]);
        // Traces are the one thing that may go.
        assert!(!mounted.is_empty() || name.as_str() == Some("jaeger"), "{name:?} keeps nothing");
        for mount in mounted {
            let (source, _) = mount.split_once(':').unwrap();
            if let Some(path) = source.strip_prefix("./") {
                assert!(root().join(path).is_file(), "{path} is not there");
            } else {
                assert!(volumes.contains(source), "{source} is no volume");
                assert!(used.insert(source.to_owned()), "{source} is used twice");
            }
        }
    }
    assert_eq!(used, volumes.iter().map(|name| (*name).to_owned()).collect());
    for (store, dependency) in services["walletd"]["depends_on"].as_mapping().unwrap() {
        let healthy = dependency["condition"].as_str() == Some("service_healthy");
        let needed = !["keycloak", "jaeger"].contains(&store.as_str().unwrap());
        assert!(services.contains_key(store) && healthy == needed, "{store:?}");
    }
}

#[test]
fn the_variables_of_the_composes_walletd_are_those_it_takes_and_those_of_the_stack() {
    let environment = environment(&services()["walletd"]);
    let servers = ["postgres", "mysql", "mongo", "kafka", "redis-balances", "redis-limits", "jaeger", "keycloak"];
    let native: BTreeMap<String, String> = environment
        .iter()
        .map(|(name, value)| {
            let mut value = value.clone();
            for server in servers {
                value = value.replace(&format!("@{server}:"), "@127.0.0.1:");
                value = value.replace(&format!("://{server}:"), "://127.0.0.1:");
            }
            (name.clone(), value)
        })
        .collect();
    let world = World::having(&native);
    world.walletd_runs("config check").ok();
    let printed = world.walletd_runs("config print --origin").ok();
    for name in native.keys() {
        assert!(printed.contains(name), "{name} is not where any value comes from:\n{printed}");
    }
    // A name that nobody knows is refused, so the check above means something.
    let mut unknown = native.clone();
    unknown.insert("WALLETD_LEGDER_URL".into(), "embedded".into());
    World::having(&unknown).walletd_runs("config check").exits(78);

    let urls = |names: &BTreeMap<String, String>| -> BTreeSet<String> {
        names.keys().filter(|name| name.starts_with("WALLETD_") && name.ends_with("_URL")).cloned().collect()
    };
    if let Some(stack) = Stack::of("the compose file's variables against those of the native servers") {
        assert_eq!(urls(&environment), urls(stack.all()));
    }
}

#[test]
fn an_engine_that_is_there_takes_the_compose_file_as_it_is() {
    let version = Command::new("docker").args(["compose", "version"]).output();
    if !version.is_ok_and(|output| output.status.success()) {
        skipped("docker compose config (there is no docker compose here)");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("made.env");
    let mut command = Command::new(root().join("scripts/env.sh"));
    command.arg(&path);
    run(command, Vec::new()).ok();
    let mut command = Command::new("docker");
    command.args(["compose", "--file"]).arg(root().join("docker-compose.yml")).arg("--env-file").arg(&path);
    command.args(["config", "--quiet"]);
    run(command, Vec::new()).ok();
}

#[test]
fn the_image_is_built_in_stages_from_what_is_there_by_the_toolchain_of_the_workspace() {
    let dockerfile = text("daemon/Dockerfile");
    let toolchain = text("rust-toolchain.toml");
    let channel = toolchain.split("channel = \"").nth(1).unwrap().split('"').next().unwrap();
    let stages: Vec<&str> = dockerfile.lines().filter_map(|line| line.strip_prefix("FROM ")).collect();
    assert_eq!(stages.len(), 2, "{stages:?}");
    assert!(stages[0].starts_with(&format!("rust:{channel}-")), "{stages:?}");
    for line in dockerfile.lines().filter_map(|line| line.strip_prefix("COPY ")).filter(|line| !line.starts_with("--"))
    {
        let mut words: Vec<&str> = line.split(' ').collect();
        words.pop();
        for word in words {
            assert!(root().join(word).exists(), "{word} is not there");
        }
    }
    assert!(dockerfile.contains("\nUSER walletd\n"), "it runs as root");
    // What the build needs passes the ignore file.
    let ignored = text("daemon/Dockerfile.dockerignore");
    for needed in ["Cargo.toml", "Cargo.lock", "rust-toolchain.toml", "cli", "daemon", "tests/src"] {
        assert!(ignored.lines().any(|line| line == format!("!{needed}")), "{needed} does not reach the build");
    }
}

#[test]
fn the_shipped_realm_has_no_person_and_no_secret_in_it() {
    let realm: serde_json::Value = serde_json::from_str(&text("daemon/keycloak/realm.json")).unwrap();
    for user in realm["users"].as_array().unwrap() {
        assert!(user["serviceAccountClientId"].is_string(), "{user}");
        assert!(user["credentials"].is_null(), "{user}");
    }
    let compose = text("docker-compose.yml");
    for client in realm["clients"].as_array().unwrap() {
        match client["secret"].as_str() {
            Some(secret) => {
                let name = secret.strip_prefix("${").and_then(|rest| rest.strip_suffix('}')).expect("a variable");
                assert!(compose.contains(&format!("{name}: ${{")), "{name} is not set for keycloak");
            }
            None => assert_eq!(client["publicClient"], true, "{client}"),
        }
    }
    let roles: BTreeSet<&str> =
        realm["roles"]["realm"].as_array().unwrap().iter().map(|role| role["name"].as_str().unwrap()).collect();
    assert_eq!(roles, BTreeSet::from(["admin", "auditor", "backdate", "operator", "user"]));
}
