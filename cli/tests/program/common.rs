//! A home of its own for each test, and a daemon that answers what it is told to.

use std::{
    io::{Read as _, Write as _},
    os::unix::net::{UnixListener, UnixStream},
    path::PathBuf,
    process::{Command, Output, Stdio},
    sync::mpsc::{self, Receiver},
    thread,
};

use tempfile::TempDir;

/// What the stub does with one request.
#[derive(Clone)]
pub(crate) enum Reply {
    /// Answers with a status and a body.
    Json(u16, &'static str),
    /// Reads the request and hangs up.
    HangUp,
    /// Reads the request and never answers.
    Never,
    /// Answers with this very text and hangs up.
    Raw(&'static str),
}

/// A home and its stub of a daemon.
pub(crate) struct Home {
    pub(crate) folder: TempDir,
    requests: Option<Receiver<String>>,
}

impl Home {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), requests: None }
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.path().join("state/walletd/walletd.sock")
    }

    /// Serves one reply a connection, in order.
    pub(crate) fn serve(mut self, replies: Vec<Reply>) -> Self {
        let socket = self.socket();
        std::fs::create_dir_all(socket.parent().unwrap()).unwrap();
        let listener = UnixListener::bind(socket).unwrap();
        let (send, requests) = mpsc::channel();
        self.requests = Some(requests);
        thread::spawn(move || {
            for reply in replies {
                let (mut stream, _) = listener.accept().unwrap();
                let request = read_request(&mut stream);
                if send.send(request).is_err() {
                    return;
                }
                match reply {
                    Reply::Json(status, body) => {
                        let head = format!(
                            "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\
                             x-request-id: req-7\r\nconnection: close\r\n\r\n",
                            body.len()
                        );
                        let _ = stream.write_all(format!("{head}{body}").as_bytes());
                    }
                    Reply::Raw(text) => drop(stream.write_all(text.as_bytes())),
                    Reply::HangUp => {}
                    Reply::Never => thread::park(),
                }
            }
        });
        self
    }

    /// The next request the stub has read.
    pub(crate) fn request(&self) -> String {
        self.requests.as_ref().unwrap().recv_timeout(std::time::Duration::from_secs(20)).unwrap()
    }

    pub(crate) fn command(&self, args: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_walletctl"));
        command
            .args(args.split_whitespace())
            .env_clear()
            .env("HOME", self.folder.path())
            .env("XDG_STATE_HOME", self.folder.path().join("state"))
            .env("XDG_CONFIG_HOME", self.folder.path().join("config"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    pub(crate) fn run(&self, args: &str) -> Ran {
        Ran::from(self.command(args).output().unwrap())
    }
}

fn read_request(stream: &mut UnixStream) -> String {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some(head) = text.find("\r\n\r\n") {
            let length = text[..head]
                .lines()
                .find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse::<usize>().ok());
            if bytes.len() >= head + 4 + length.unwrap_or(0) {
                return text;
            }
        }
        let count = stream.read(&mut buffer).unwrap();
        if count == 0 {
            return text;
        }
        bytes.extend_from_slice(&buffer[..count]);
    }
}

/// How a run ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    /// Its error, under `-o json`.
    pub(crate) fn error(&self) -> serde_json::Value {
        serde_json::from_str(&self.err).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}
