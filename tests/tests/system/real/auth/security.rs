//! daemon/docs/security.md names the tests that hold what it says.

use std::{fs, path::Path};

use super::super::keycloak::file;

/// Shorter words in backquotes are settings and the like.
const SHORTEST: usize = 20;

fn sources(dir: &Path, text: &mut String) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, text);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            *text += &fs::read_to_string(path).unwrap();
        }
    }
}

#[test]
fn every_test_that_the_security_page_names_exists() {
    let mut code = String::new();
    for dir in ["cli", "daemon", "tests"] {
        sources(&file(dir), &mut code);
    }
    let page = fs::read_to_string(file("daemon/docs/security.md")).unwrap();
    let is_name = |word: &&str| {
        word.len() >= SHORTEST && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
    };
    let named: Vec<&str> = page.split('`').skip(1).step_by(2).filter(is_name).collect();
    assert!(named.len() > 40, "{named:?}");
    let missing: Vec<&&str> = named.iter().filter(|name| !code.contains(&format!("fn {name}("))).collect();
    assert!(missing.is_empty(), "{missing:?}");
    assert!(page.contains("**gap**"));
}
