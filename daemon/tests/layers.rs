//! Imports flow one way: gateway -> services -> core's ports; adapters -> core; compose -> all.
//! Rooms stay small. Both are read from the source itself.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs, reason = "a test may stop where it stands")]

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Most lines of a source file before it becomes a folder; tests beside the code included.
const MAX_LINES: usize = 600;

fn sources(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
    found
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Files under a folder of src that mention one of these paths.
fn offenders(folder: &str, forbidden: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for path in sources(&root().join("src").join(folder)) {
        let text = fs::read_to_string(&path).unwrap();
        // What tests beside the code use is another matter.
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        if path.ends_with("tests.rs") || path.ends_with("testing.rs") {
            continue;
        }
        for word in forbidden.iter().filter(|word| code.contains(**word)) {
            found.push(format!("{}: {word}", path.display()));
        }
    }
    found
}

#[test]
fn services_name_neither_adapters_nor_the_gateway() {
    let none: Vec<String> = Vec::new();
    assert_eq!(
        offenders("services", &["crate::adapters", "crate::gateway", "crate::compose", "rusqlite", "fjall", "axum"]),
        none
    );
}

#[test]
fn the_gateway_names_no_adapter_and_no_store() {
    let none: Vec<String> = Vec::new();
    assert_eq!(offenders("gateway", &["crate::adapters", "crate::compose", "rusqlite", "fjall"]), none);
}

#[test]
fn adapters_name_neither_services_nor_the_gateway() {
    let none: Vec<String> = Vec::new();
    assert_eq!(offenders("adapters", &["crate::services", "crate::gateway", "crate::compose"]), none);
}

#[test]
fn core_does_no_input_or_output() {
    let mut found = Vec::new();
    for path in sources(&root().join("core/src")) {
        let text = fs::read_to_string(&path).unwrap();
        for word in ["tokio", "std::net", "std::fs", "rusqlite", "axum", "reqwest"] {
            if text.lines().any(|line| line.trim_start().starts_with("use ") && line.contains(word)) {
                found.push(format!("{}: {word}", path.display()));
            }
        }
    }
    assert_eq!(found, Vec::<String>::new());
}

#[test]
fn files_stay_small() {
    let folders = [root().join("src"), root().join("core/src"), root().join("api/src"), root().join("../cli/src")];
    let mut large = Vec::new();
    for path in folders.iter().flat_map(|folder| sources(folder)) {
        let lines = fs::read_to_string(&path).unwrap().lines().count();
        if lines > MAX_LINES {
            large.push(format!("{} has {lines} lines", path.display()));
        }
    }
    assert_eq!(large, Vec::<String>::new());
}

#[test]
fn the_index_of_decisions_has_each_by_its_title() {
    let folder = root().join("docs/adr");
    let index = fs::read_to_string(folder.join("README.md")).unwrap();
    let mut missing = Vec::new();
    for entry in fs::read_dir(&folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if name == "README.md" {
            continue;
        }
        let text = fs::read_to_string(folder.join(&name)).unwrap();
        let title = text.lines().next().and_then(|line| line.split_once(". ")).map_or("", |(_, title)| title);
        if !index.contains(&format!("({name}) | {title} |")) {
            missing.push(name);
        }
    }
    assert_eq!(missing, Vec::<String>::new());
}
