//! The README's commands, run as written: each must end with the code it shows and print what it shows.

use std::path::Path;

use crate::harness::{World, programs, run, tool};

/// A command with the lines below it.
struct Shown {
    command: String,
    lines: Vec<String>,
}

fn commands(readme: &str) -> Vec<Shown> {
    let mut found: Vec<Shown> = Vec::new();
    for block in readme.split("```console\n").skip(1) {
        for line in block.split("```").next().unwrap().lines() {
            match line.strip_prefix("$ ") {
                Some(command) => found.push(Shown { command: command.into(), lines: Vec::new() }),
                None => found.last_mut().expect("a command first").lines.push(line.trim_end().into()),
            }
        }
    }
    found
}

/// What differs from run to run: names of requests and traces, and the moment of the run.
fn varies(line: &str) -> bool {
    ["request: ", "trace: ", "opened at"].iter().any(|start| line.starts_with(start))
}

#[test]
fn the_readmes_commands_do_what_it_shows() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let world = World::new();
    std::fs::create_dir_all(world.path("tests/sample")).unwrap();
    for name in ["wallets.csv", "batch.csv"] {
        std::fs::copy(root.join("tests/sample").join(name), world.path("tests/sample").join(name)).unwrap();
    }
    let _daemon = world.daemon();
    let path = format!("{}:{}", programs().display(), std::env::var("PATH").unwrap());
    let shown = commands(&std::fs::read_to_string(root.join("README.md")).unwrap());
    assert!(shown.len() > 10);
    for Shown { command, lines } in shown {
        let elsewhere = command.starts_with("export ") || command.starts_with("walletd serve");
        if elsewhere || command.starts_with("hledger") && tool("hledger", "the README's hledger command").is_none() {
            continue;
        }
        let mut shell = world.command("sh");
        shell.env("PATH", &path).args(["-c", &command]);
        let done = run(shell, Vec::new());
        let code = lines.iter().find_map(|line| line.strip_prefix("(exit code ")?.strip_suffix(')')?.parse().ok());
        assert_eq!(done.code, code.unwrap_or(0), "{done}");
        for line in lines.iter().filter(|line| !varies(line) && !line.starts_with("(exit code ")) {
            let printed = done.out.lines().chain(done.err.lines()).any(|found| found.trim_end() == line);
            assert!(printed, "the README shows {line:?}, which is not in\n{done}");
        }
    }
}
