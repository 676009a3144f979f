//! The README's commands, typed into a shell as they stand: each must end with the code it shows and print what it shows.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    os::unix::{fs::symlink, process::CommandExt as _},
    path::{Path, PathBuf},
    process::{Child, Stdio},
    sync::mpsc::{Receiver, channel},
};

use crate::harness::{PATIENCE, World, get, programs, tool, until};

/// What the shell says when a command has ended, before the exit code.
const ENDED: &str = "--- ended with";
/// How lines begin that differ from run to run: requests and traces, moments, and where the issuer of tokens is.
const VARIES: [&str; 8] =
    ["request: ", "trace: ", "opened at ", "Open ", "Code ", "issuer ", "access ends at ", "login ends at "];

/// A command with the lines below it.
pub struct Shown {
    pub command: String,
    lines: Vec<String>,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The commands of one section of the README, after a change to its text.
pub fn commands(section: &str, changed: impl Fn(&str) -> String) -> Vec<Shown> {
    let readme = changed(&std::fs::read_to_string(root().join("README.md")).unwrap());
    let mut sections = readme.split("\n## ");
    let text = sections.find(|text| text.lines().next() == Some(section));
    let text = text.unwrap_or_else(|| panic!("the README has no section {section}"));
    let mut found: Vec<Shown> = Vec::new();
    for block in text.split("```console\n").skip(1) {
        for line in block.split("```").next().unwrap().lines() {
            match line.strip_prefix("$ ") {
                Some(command) => found.push(Shown { command: command.into(), lines: Vec::new() }),
                None => found.last_mut().expect("a command first").lines.push(line.trim_end().into()),
            }
        }
    }
    found
}

/// Somebody who types what the README shows, in a folder that looks like a clone.
pub struct Reader<'a> {
    world: &'a World,
    shell: Child,
    printed: Receiver<String>,
}

impl<'a> Reader<'a> {
    /// With these variables from outside.
    pub fn new(world: &'a World, environment: &[(&str, &str)]) -> Self {
        std::fs::create_dir(world.path("target")).unwrap();
        symlink(programs(), world.path("target/debug")).unwrap();
        symlink(root().join("tests"), world.path("tests")).unwrap();
        let mut shell = world.command("bash");
        shell.args(["--norc", "--noprofile"]).envs(environment.iter().copied());
        // A group of its own: what still runs at the end is ended with it.
        shell.process_group(0).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut shell = shell.spawn().unwrap();
        let (tell, printed) = channel();
        let pipe = BufReader::new(shell.stdout.take().unwrap());
        std::thread::spawn(move || pipe.lines().map_while(Result::ok).try_for_each(|line| tell.send(line)));
        let mut reader = Self { world, shell, printed };
        reader.types("exec 2>&1");
        reader
    }

    fn types(&mut self, line: &str) {
        writeln!(self.shell.stdin.as_mut().unwrap(), "{line}").unwrap();
    }

    /// Types a command and checks how it ends and what it prints; `hears` gets each line as it comes.
    #[track_caller]
    pub fn follows(&mut self, shown: &Shown, mut hears: impl FnMut(&str)) {
        // Nothing to read: the shell's own input is the next commands.
        self.types(&format!("{{ {}\n}} </dev/null\nprintf '\\n{ENDED} %d\\n' $?", shown.command));
        let mut printed = vec![format!("$ {}", shown.command)];
        let ended = loop {
            let Ok(line) = self.printed.recv_timeout(PATIENCE) else {
                panic!("this does not end:\n{}", printed.join("\n"));
            };
            if let Some(code) = line.strip_prefix(ENDED) {
                break code.trim().parse::<i32>().unwrap();
            }
            hears(&line);
            printed.push(line.trim_end().to_owned());
        };
        let code = |line: &String| line.strip_prefix("(exit code ")?.strip_suffix(')')?.parse().ok();
        let expected = shown.lines.iter().find_map(code).unwrap_or(0);
        assert_eq!(ended, expected, "\n{}", printed.join("\n"));
        for line in shown.lines.iter().filter(|line| code(line).is_none()) {
            let varies = VARIES.into_iter().find(|start| line.starts_with(start));
            let found = printed.iter().any(|found| varies.map_or(found == line, |start| found.starts_with(start)));
            assert!(found, "the README shows {line:?}, which is not in\n{}", printed.join("\n"));
        }
        if shown.command.ends_with('&') {
            let socket = self.world.socket();
            until(&shown.command, || get(&socket, "/readyz").is_ok_and(|answer| answer.starts_with("HTTP/1.1 200")));
        }
    }
}

impl Drop for Reader<'_> {
    fn drop(&mut self) {
        let group = i32::try_from(self.shell.id()).ok().and_then(rustix::process::Pid::from_raw);
        if let Some(group) = group {
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        }
        let _ = self.shell.wait();
    }
}

#[test]
fn the_readmes_tour_does_what_it_shows() {
    let world = World::new();
    let mut reader = Reader::new(&world, &[]);
    let shown = commands("A tour", str::to_owned);
    assert!(shown.len() > 10);
    for shown in shown {
        if !shown.command.starts_with("hledger") || tool("hledger", "the README's hledger command").is_some() {
            reader.follows(&shown, |_| {});
        }
    }
}
