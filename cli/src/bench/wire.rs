//! HTTP/1.1 over the daemon's socket, or over TCP with a token, with as little between as can be: one connection, one
//! request at a time, no parsing beyond the status and the length. Good for answers with a length, which all but
//! streams have.

use std::{io, net::SocketAddr, path::Path, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpStream, UnixStream},
    time::timeout,
};

/// How long one answer may take.
const PATIENCE: Duration = Duration::from_mins(2);

/// Either kind of connection.
trait Stream: AsyncRead + AsyncWrite + Unpin {}

impl<S: AsyncRead + AsyncWrite + Unpin> Stream for S {}

/// A connection.
pub struct Wire {
    stream: Box<dyn Stream>,
    /// The header lines that every request has.
    headers: String,
    request: Vec<u8>,
    answer: Vec<u8>,
    body: usize,
}

impl Wire {
    /// Connects to the socket.
    pub async fn connect(socket: &Path) -> io::Result<Self> {
        Ok(Self::over(Box::new(UnixStream::connect(socket).await?)))
    }

    /// Connects over TCP.
    pub async fn connect_tcp(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self::over(Box::new(stream)))
    }

    fn over(stream: Box<dyn Stream>) -> Self {
        let headers = "host: localhost\r\n".to_owned();
        Self { stream, headers, request: Vec::with_capacity(4 << 10), answer: vec![0; 8 << 10], body: 0 }
    }

    /// From now on every request shows this token.
    pub fn show(&mut self, token: &str) {
        self.headers.clear();
        self.headers.push_str("host: localhost\r\nauthorization: Bearer ");
        self.headers.push_str(token);
        self.headers.push_str("\r\n");
    }

    /// GET; the status.
    pub async fn get(&mut self, path: &str) -> io::Result<u16> {
        self.request.clear();
        self.request.extend_from_slice(b"GET ");
        self.request.extend_from_slice(path.as_bytes());
        self.request.extend_from_slice(b" HTTP/1.1\r\n");
        self.request.extend_from_slice(self.headers.as_bytes());
        self.request.extend_from_slice(b"\r\n");
        self.exchange().await
    }

    /// POST of JSON under a key; the status.
    pub async fn post(&mut self, path: &str, key: &str, body: &[u8]) -> io::Result<u16> {
        use std::io::Write as _;
        self.request.clear();
        write!(
            self.request,
            "POST {path} HTTP/1.1\r\n{}content-type: application/json\r\nidempotency-key: {key}\r\ncontent-length: {}\r\n\r\n",
            self.headers,
            body.len()
        )?;
        self.request.extend_from_slice(body);
        self.exchange().await
    }

    /// The last answer's body.
    pub fn body(&self) -> &[u8] {
        self.answer.get(..self.body).unwrap_or_default()
    }

    async fn exchange(&mut self) -> io::Result<u16> {
        timeout(PATIENCE, self.talk()).await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
    }

    async fn talk(&mut self) -> io::Result<u16> {
        self.stream.write_all(&self.request).await?;
        let mut held = 0;
        let (code, start, length) = loop {
            if held == self.answer.len() {
                self.answer.resize(held * 2, 0);
            }
            let room = self.answer.get_mut(held..).unwrap_or_default();
            let read = self.stream.read(room).await?;
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            held += read;
            if let Some(found) = head(self.answer.get(..held).unwrap_or_default()) {
                break found;
            }
        };
        let end = start + length;
        if self.answer.len() < end {
            self.answer.resize(end, 0);
        }
        if held < end {
            self.stream.read_exact(self.answer.get_mut(held..end).unwrap_or_default()).await?;
        }
        self.answer.copy_within(start..end, 0);
        self.body = length;
        Ok(code)
    }
}

/// Status, length of the head, length of the body; none if the head is not all there.
fn head(bytes: &[u8]) -> Option<(u16, usize, usize)> {
    let end = memchr::memmem::find(bytes, b"\r\n\r\n")? + 4;
    let text = std::str::from_utf8(bytes.get(..end)?).ok()?;
    let status = text.get(9..12)?.parse().ok()?;
    let length = text.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        if name.eq_ignore_ascii_case("content-length") { value.trim().parse().ok() } else { None }
    });
    Some((status, end, length.unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read_when_it_is_whole() {
        let text = b"HTTP/1.1 201 Created\r\nContent-Length: 5\r\n\r\nhello";
        assert_eq!(head(text), Some((201, 43, 5)));
        assert_eq!(head(&text[..40]), None);
    }
}
