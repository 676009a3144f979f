//! An HTTP front that a test puts before a server, to be the gateway that misbehaves: some requests it answers itself,
//! some answers it changes, and it counts what was asked for.
//!
//! One request a connection, HTTP/1.1, a thread each: enough for a handful of requests, and simple enough to be right.
//! It ends when it is dropped.

use std::{
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

/// What the server behind may take, and what the client may.
const PATIENCE: Duration = Duration::from_secs(30);
/// Largest head of a request.
const MAX_HEAD: usize = 64 * 1024;

/// What happens to a request whose line has a text in it.
#[derive(Clone, Debug)]
enum Rule {
    /// So many are answered like this.
    Answer { status: u16, left: usize },
    /// Nothing is answered to so many: the connection ends.
    Drop { left: usize },
    /// In the answer one text stands for another of the same length.
    Change { from: String, to: String },
}

#[derive(Default)]
struct State {
    rules: Mutex<Vec<(String, Rule)>>,
    lines: Mutex<Vec<String>>,
    ended: AtomicBool,
}

/// A front before one server.
pub struct Front {
    address: SocketAddr,
    state: Arc<State>,
    thread: Option<JoinHandle<()>>,
}

impl Front {
    /// Before this server, on a port of its own.
    pub fn before(server: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let (address, state) = (listener.local_addr()?, Arc::new(State::default()));
        let seen = Arc::clone(&state);
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if seen.ended.load(Ordering::Relaxed) {
                    return;
                }
                let (Ok(stream), state) = (stream, Arc::clone(&seen)) else { continue };
                std::thread::spawn(move || drop(serve(&state, stream, server)));
            }
        });
        Ok(Self { address, state, thread: Some(thread) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The next so many requests whose line has this text are answered with a status and nothing else.
    pub fn answers(&self, text: &str, status: u16, times: usize) {
        self.rule(text, Rule::Answer { status, left: times });
    }

    /// The next so many requests whose line has this text are not answered: the connection ends.
    pub fn drops(&self, text: &str, times: usize) {
        self.rule(text, Rule::Drop { left: times });
    }

    /// In answers to requests whose line has this text, one text stands for another, as long as it is.
    ///
    /// # Panics
    /// If the two are not equally long.
    pub fn changes(&self, text: &str, from: &str, to: &str) {
        assert_eq!(from.len(), to.len(), "the answer's length is not changed");
        self.rule(text, Rule::Change { from: from.into(), to: to.into() });
    }

    /// How many requests came whose line has this text.
    pub fn asked(&self, text: &str) -> usize {
        let lines = self.state.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.iter().filter(|line| line.contains(text)).count()
    }

    fn rule(&self, text: &str, rule: Rule) {
        self.state.rules.lock().unwrap_or_else(PoisonError::into_inner).push((text.to_owned(), rule));
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.state.ended.store(true, Ordering::Relaxed);
        // The thread waits for a connection.
        drop(TcpStream::connect(self.address));
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

/// A request as it came, but for its `Connection` header.
struct Request {
    line: String,
    bytes: Vec<u8>,
}

fn read(stream: &TcpStream) -> io::Result<Request> {
    let mut reader = BufReader::new(stream);
    let (mut line, mut bytes, mut length) = (String::new(), Vec::new(), 0);
    reader.read_line(&mut line)?;
    bytes.extend_from_slice(line.as_bytes());
    bytes.extend_from_slice(b"Connection: close\r\n");
    loop {
        let mut header = String::new();
        if reader.read_line(&mut header)? == 0 || bytes.len() > MAX_HEAD {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let name = header.split(':').next().unwrap_or_default().to_ascii_lowercase();
        if name == "content-length" {
            length = header.split(':').nth(1).and_then(|text| text.trim().parse().ok()).unwrap_or_default();
        }
        if name != "connection" {
            bytes.extend_from_slice(header.as_bytes());
        }
        if header.trim().is_empty() {
            break;
        }
    }
    let head = bytes.len();
    bytes.resize(head + length, 0);
    reader.read_exact(&mut bytes[head..])?;
    Ok(Request { line, bytes })
}

fn serve(state: &State, mut stream: TcpStream, server: SocketAddr) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    let request = read(&stream)?;
    state.lines.lock().unwrap_or_else(PoisonError::into_inner).push(request.line.clone());
    let mut changes = Vec::new();
    for (text, rule) in &mut *state.rules.lock().unwrap_or_else(PoisonError::into_inner) {
        if !request.line.contains(text.as_str()) {
            continue;
        }
        match rule {
            Rule::Answer { status, left } if *left > 0 => {
                *left -= 1;
                return write!(
                    stream,
                    "HTTP/1.1 {status} From the front\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
                );
            }
            Rule::Drop { left } if *left > 0 => {
                *left -= 1;
                return stream.shutdown(Shutdown::Both);
            }
            Rule::Change { from, to } => changes.push((from.clone(), to.clone())),
            Rule::Answer { .. } | Rule::Drop { .. } => {}
        }
    }
    let mut behind = TcpStream::connect(server)?;
    behind.set_read_timeout(Some(PATIENCE))?;
    behind.write_all(&request.bytes)?;
    let mut answer = Vec::new();
    behind.read_to_end(&mut answer)?;
    for (from, to) in changes {
        replace(&mut answer, from.as_bytes(), to.as_bytes());
    }
    stream.write_all(&answer)
}

fn replace(bytes: &mut [u8], from: &[u8], to: &[u8]) {
    for at in 0..=bytes.len().saturating_sub(from.len()) {
        if bytes[at..].starts_with(from) {
            bytes[at..at + to.len()].copy_from_slice(to);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server that tells what it was asked.
    fn echo() -> SocketAddr {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let request = read(&stream).unwrap();
                let text = String::from_utf8(request.bytes).unwrap();
                write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{text}", text.len()).unwrap();
            }
        });
        address
    }

    fn ask(front: &Front, path: &str) -> String {
        let mut stream = TcpStream::connect(front.address()).unwrap();
        write!(stream, "POST {path} HTTP/1.1\r\nHost: h\r\nConnection: keep-alive\r\nContent-Length: 4\r\n\r\nbody")
            .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    #[test]
    fn a_request_passes_whole_but_for_its_connection() {
        let front = Front::before(echo()).unwrap();
        let answer = ask(&front, "/a?b");
        assert!(
            answer.contains("POST /a?b HTTP/1.1\r\nConnection: close\r\nHost: h\r\nContent-Length: 4\r\n\r\nbody"),
            "{answer}"
        );
        assert_eq!((front.asked("/a?b"), front.asked("/x")), (1, 0));
    }

    #[test]
    fn what_it_was_told_to_spoil_is_spoiled_as_often_as_it_was_told() {
        let front = Front::before(echo()).unwrap();
        front.answers("/token", 502, 2);
        front.drops("/token", 1);
        front.changes("/device", "body", "b-dy");
        for _ in 0..2 {
            assert!(ask(&front, "/token").starts_with("HTTP/1.1 502 "));
        }
        assert_eq!(ask(&front, "/token"), "");
        assert!(ask(&front, "/token").starts_with("HTTP/1.1 200 OK"));
        assert!(ask(&front, "/device").ends_with("b-dy"));
        assert_eq!(front.asked("/token"), 4);
    }
}
