//! A link to a server that a test can cut, silence and heal: a TCP relay in the test's own process.

use std::net::SocketAddr;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream, tcp::OwnedReadHalf, tcp::OwnedWriteHalf},
    sync::watch,
};

/// What the link does with bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Passes them on.
    Up,
    /// Closes every connection, takes no new one.
    Cut,
    /// Passes requests on and keeps what comes back.
    Mute,
    /// Keeps everything.
    Silent,
}

/// A link to one server.
pub(crate) struct Link {
    address: SocketAddr,
    state: watch::Sender<State>,
}

impl Link {
    /// A link to this `host:port`.
    pub(crate) async fn to(server: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (state, seen) = watch::channel(State::Up);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                if *seen.borrow() == State::Cut {
                    continue;
                }
                let (server, seen) = (server.clone(), seen.clone());
                tokio::spawn(async move {
                    let Ok(server) = TcpStream::connect(server).await else { return };
                    for end in [&client, &server] {
                        end.set_nodelay(true).unwrap();
                    }
                    let ((from_client, to_client), (from_server, to_server)) =
                        (client.into_split(), server.into_split());
                    tokio::join!(
                        pass(from_client, to_server, seen.clone(), &[State::Up, State::Mute]),
                        pass(from_server, to_client, seen, &[State::Up]),
                    );
                });
            }
        });
        Self { address, state }
    }

    /// Where to connect.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// As if the server were gone.
    pub(crate) fn cut(&self) {
        self.state.send_replace(State::Cut);
    }

    /// Requests arrive, answers do not.
    pub(crate) fn mute(&self) {
        self.state.send_replace(State::Mute);
    }

    /// Nothing arrives, nothing ends.
    pub(crate) fn silence(&self) {
        self.state.send_replace(State::Silent);
    }

    /// As it was.
    pub(crate) fn heal(&self) {
        self.state.send_replace(State::Up);
    }
}

async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut state: watch::Receiver<State>, passing: &[State]) {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let read = tokio::select! {
            read = from.read(&mut buffer) => read.unwrap_or(0),
            cut = state.wait_for(|state| *state == State::Cut) => { drop(cut); 0 }
        };
        if read == 0 {
            return;
        }
        match state.wait_for(|state| passing.contains(state) || *state == State::Cut).await.map(|state| *state) {
            Ok(State::Cut) | Err(_) => return,
            Ok(_) => {}
        }
        if to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}
