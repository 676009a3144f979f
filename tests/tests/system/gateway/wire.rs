//! Raw bytes to the daemon, by each way there is, and what comes back.

use std::{
    io::{self, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned,
    pki_types::{CertificateDer, pem::PemObject as _},
};

/// What an answer may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// A connection of any kind.
pub trait Duplex: Read + Write + Send {}
impl<T: Read + Write + Send> Duplex for T {}

/// A way to the daemon.
#[derive(Clone)]
pub enum Way {
    Socket(PathBuf),
    Plain(SocketAddr),
    Tls(SocketAddr, Arc<ClientConfig>),
}

impl std::fmt::Debug for Way {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Socket(_) => "socket",
            Self::Plain(_) => "plain TCP",
            Self::Tls(..) => "TLS",
        })
    }
}

/// Trusts one certificate, and offers one protocol.
pub fn trust(cert: &Path, protocol: &str) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(cert).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    // A resumed session shows no certificate.
    config.resumption = rustls::client::Resumption::disabled();
    config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
    Arc::new(config)
}

/// What came back, and whether the other side ended the connection.
#[derive(Debug)]
pub struct Said {
    pub bytes: Vec<u8>,
    pub ended: bool,
}

impl Said {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    /// The statuses of the answers, in their order.
    pub fn statuses(&self) -> Vec<u16> {
        let text = self.text();
        let heads = text.match_indices("HTTP/1.").filter_map(|(at, _)| text.get(at + 9..at + 12)?.parse().ok());
        heads.collect()
    }
}

impl Way {
    pub fn open(&self, patience: Duration) -> io::Result<Box<dyn Duplex>> {
        let tcp = |address: &SocketAddr| {
            let stream = TcpStream::connect(address)?;
            stream.set_read_timeout(Some(patience))?;
            stream.set_write_timeout(Some(PATIENCE))?;
            stream.set_nodelay(true)?;
            Ok::<_, io::Error>(stream)
        };
        Ok(match self {
            Self::Socket(path) => {
                let stream = UnixStream::connect(path)?;
                stream.set_read_timeout(Some(patience))?;
                stream.set_write_timeout(Some(PATIENCE))?;
                Box::new(stream)
            }
            Self::Plain(address) => Box::new(tcp(address)?),
            Self::Tls(address, config) => {
                let name = "localhost".try_into().unwrap();
                let mut client = ClientConnection::new(Arc::clone(config), name).map_err(io::Error::other)?;
                let mut stream = tcp(address)?;
                while client.is_handshaking() {
                    client.complete_io(&mut stream)?;
                }
                Box::new(StreamOwned::new(client, stream))
            }
        })
    }

    /// Sends bytes, then reads until the other side ends it or says nothing for so long.
    pub fn says(&self, bytes: &[u8], quiet: Duration) -> Said {
        let mut stream = self.open(quiet).unwrap();
        // The daemon may well have seen enough before the end.
        let _ = stream.write_all(bytes).and_then(|()| stream.flush());
        listen(&mut stream)
    }
}

/// Reads until the other side ends it, or says nothing for as long as the connection's patience.
pub fn listen(stream: &mut dyn Duplex) -> Said {
    let mut said = Said { bytes: Vec::new(), ended: false };
    let begin = Instant::now();
    let mut piece = vec![0; 64 << 10];
    while begin.elapsed() < PATIENCE {
        match stream.read(&mut piece) {
            Ok(0) => {
                said.ended = true;
                break;
            }
            Ok(read) => said.bytes.extend_from_slice(&piece[..read]),
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => break,
            // A reset, or TLS that ends without a goodbye.
            Err(_) => {
                said.ended = true;
                break;
            }
        }
    }
    said
}

/// A connection from another loopback address: another client.
pub fn from(source: Ipv4Addr, to: SocketAddr) -> io::Result<TcpStream> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let socket = tokio::net::TcpSocket::new_v4()?;
        socket.bind((source, 0).into())?;
        let stream = socket.connect(to).await?.into_std()?;
        stream.set_nonblocking(false)?;
        Ok(stream)
    })
}

/// One answer with a length: its status, and whether it is the connection's last. None if it does not come whole.
pub fn hear(stream: &mut dyn Duplex) -> Option<(u16, bool)> {
    let mut bytes = Vec::new();
    let mut piece = [0; 4_096];
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let head = head.to_ascii_lowercase();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok())?;
            if body.len() >= length {
                let status = head.split(' ').nth(1)?.parse().ok()?;
                return Some((status, head.contains("connection: close")));
            }
        }
        match stream.read(&mut piece) {
            Ok(read) if read > 0 => bytes.extend_from_slice(&piece[..read]),
            _ => return None,
        }
    }
}
