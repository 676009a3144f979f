//! A TCP proxy that a test puts between the daemon and one server, to be the network that fails.
//!
//! It passes bytes on as they come until it is told otherwise; a change reaches what is open and what comes
//! later alike, at once. It knows nothing of what it carries. It runs on a thread of its own, so that a test
//! that blocks does not stop it, and ends when it is dropped.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener as StdListener},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
};

/// Bytes read at a time.
const PIECE: usize = 16 * 1024;
/// How long the proxied server may take to accept.
const CONNECT: Duration = Duration::from_secs(2);
/// Connections that may wait to be accepted: more than any test makes at a time.
const QUEUE: i32 = 1_024;
/// A queue for none is full with fewer than this.
const FULL: usize = 16;
/// A connection that is not made by then will not be made: on loopback that takes microseconds.
const UNANSWERED: Duration = Duration::from_millis(200);

/// How the link behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    /// Everything passes.
    Whole,
    /// Open connections end, new ones end at once.
    Cut,
    /// What the client sends arrives; the way back is closed. An answer is lost, what was asked for is done.
    HalfClosed,
    /// Nothing passes and nothing ends: packets are dropped. What waits is delivered when the link is whole again.
    Silent,
    /// Every piece arrives so much later, in each direction.
    Slow(Duration),
    /// Packets vanish: nothing passes, nothing ends, and who connects is not answered. What was open before stays so for
    /// good, as behind a router that has forgotten it; what comes after the link is healed passes.
    BlackHole,
}

/// How the link behaves; how often it was cut: what was open before a cut has ended, however soon it was healed; and how
/// often it was a black hole, which nothing that was open before gets out of.
#[derive(Clone, Copy)]
struct Now {
    link: Link,
    cuts: u64,
    holes: u64,
}

/// What a trap lets happen to the piece it waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spring {
    /// It does not arrive: the moment before.
    Before,
    /// It arrives, and its answer does not: the moment between.
    After,
}

/// Whether a piece is the one that is waited for.
type Fits = Box<dyn Fn(&[u8]) -> bool + Send>;

/// Falls silent at the first piece from a client that fits.
struct Trap {
    spring: Spring,
    fits: Fits,
}

type Set = Arc<Mutex<Option<Trap>>>;

/// A proxy in front of one server.
pub struct Proxy {
    port: u16,
    link: watch::Sender<Now>,
    trap: Set,
    taken: Arc<AtomicU64>,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

impl Proxy {
    /// Listens on a free port of loopback.
    pub fn to(server: SocketAddr) -> std::io::Result<Self> {
        Self::on(0, server)
    }

    /// Listens on this port of loopback: for servers that tell their clients where to connect.
    pub fn on(port: u16, server: SocketAddr) -> std::io::Result<Self> {
        let listener = StdListener::bind((Ipv4Addr::LOCALHOST, port))?;
        listener.set_nonblocking(true)?;
        let port = listener.local_addr()?.port();
        let queue = listener.try_clone()?;
        let link = watch::Sender::new(Now { link: Link::Whole, cuts: 0, holes: 0 });
        let trap = Set::default();
        let taken = Arc::<AtomicU64>::default();
        let way = Way { link: link.clone(), trap: Arc::clone(&trap), taken: Arc::clone(&taken) };
        let (stop, mut stopped) = watch::channel(false);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let thread = std::thread::Builder::new().name(format!("proxy-{port}")).spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    () = accept(listener, queue, server, way) => {}
                    _ = stopped.wait_for(|stop| *stop) => {}
                }
            });
        })?;
        Ok(Self { port, link, trap, taken, stop, thread: Some(thread) })
    }

    /// Where to connect instead of to the server.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// How many connections have come here: none means that the test tests nothing.
    pub fn taken(&self) -> u64 {
        self.taken.load(Ordering::Relaxed)
    }

    /// Makes the link behave so from now on.
    pub fn set(&self, link: Link) {
        let count = |what| u64::from(link == what);
        self.link.send_modify(|now| {
            *now = Now { link, cuts: now.cuts + count(Link::Cut), holes: now.holes + count(Link::BlackHole) };
        });
    }

    /// Makes the link fall silent at the first piece from a client that fits. [`Proxy::sprung`] says when.
    pub fn trap(&self, spring: Spring, fits: impl Fn(&[u8]) -> bool + Send + 'static) {
        *self.trap.lock().unwrap_or_else(PoisonError::into_inner) = Some(Trap { spring, fits: Box::new(fits) });
    }

    /// Whether the trap has been sprung (or was never set).
    pub fn sprung(&self) -> bool {
        self.trap.lock().unwrap_or_else(PoisonError::into_inner).is_none()
    }

    /// Makes the link whole again.
    pub fn heal(&self) {
        self.set(Link::Whole);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        if let Some(thread) = self.thread.take() {
            // A proxy that panicked has failed its test already.
            drop(thread.join());
        }
    }
}

/// What the pumps of one proxy share.
#[derive(Clone)]
struct Way {
    link: watch::Sender<Now>,
    trap: Set,
    taken: Arc<AtomicU64>,
}

impl Way {
    /// If the trap waits for this piece: it is sprung, the link is silent, and this is what becomes of the piece.
    fn springs(&self, piece: &[u8]) -> Option<Spring> {
        let mut trap = self.trap.lock().unwrap_or_else(PoisonError::into_inner);
        let sprung = trap.take_if(|trap| (trap.fits)(piece))?;
        self.link.send_modify(|now| now.link = Link::Silent);
        Some(sprung.spring)
    }
}

async fn accept(listener: StdListener, queue: StdListener, server: SocketAddr, way: Way) {
    let Ok(listener) = TcpListener::from_std(listener) else { return };
    let mut link = way.link.subscribe();
    let mut fillers = Vec::new();
    loop {
        let taken = tokio::select! {
            hole = link.wait_for(|now| now.link == Link::BlackHole) => { drop(hole); None }
            taken = listener.accept() => Some(taken),
        };
        match taken {
            None => fillers = shut(&queue, &mut link).await,
            Some(Ok((client, from))) if !fillers.contains(&from) => {
                way.taken.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(carry(client, server, way.clone()));
            }
            Some(Ok(_)) => {}
            Some(Err(_)) => return,
        }
    }
}

/// Lets nobody connect while the link is a black hole: the queue of those that wait to be accepted is full, and the kernel
/// answers nobody else. Gives the addresses of those that filled it.
async fn shut(queue: &StdListener, link: &mut watch::Receiver<Now>) -> Vec<SocketAddr> {
    let _ = rustix::net::listen(queue, 0);
    let Ok(address) = queue.local_addr() else { return Vec::new() };
    let mut fillers = Vec::new();
    while fillers.len() < FULL
        && let Ok(Ok(filler)) = tokio::time::timeout(UNANSWERED, TcpStream::connect(address)).await
    {
        fillers.push(filler);
    }
    drop(link.wait_for(|now| now.link != Link::BlackHole).await);
    let _ = rustix::net::listen(queue, QUEUE);
    fillers.iter().filter_map(|filler| filler.local_addr().ok()).collect()
}

/// One connection, both ways, until it ends.
async fn carry(client: TcpStream, server: SocketAddr, way: Way) {
    let mut link = way.link.subscribe();
    // While nothing passes, not even the connection is made.
    let Ok(born) = link.wait_for(|now| now.link != Link::Silent).await.map(|now| *now) else { return };
    if born.link == Link::BlackHole {
        // Accepted at the very moment, and lost like what was open before.
        drop(link.wait_for(|now| now.cuts != born.cuts).await);
        return;
    }
    if born.link == Link::Cut {
        return;
    }
    let Ok(Ok(upstream)) = tokio::time::timeout(CONNECT, TcpStream::connect(server)).await else { return };
    for stream in [&client, &upstream] {
        // Only delay: the proxy has none of its own to add.
        drop(stream.set_nodelay(true));
    }
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = upstream.into_split();
    let there = pump(from_client, to_server, way.clone(), born, false);
    let back = pump(from_server, to_client, way, born, true);
    tokio::select! {
        ((), ()) = async { tokio::join!(there, back) } => {}
        _ = link.wait_for(|now| now.cuts != born.cuts) => {}
    }
}

/// One direction. `back`: from the server to the client.
async fn pump(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, way: Way, born: Now, back: bool) {
    let mut link = way.link.subscribe();
    let mut piece = vec![0; PIECE];
    let mut closed = false;
    loop {
        let read = tokio::select! {
            read = from.read(&mut piece) => read,
            changed = link.changed() => {
                if changed.is_err() {
                    return;
                }
                if back && link.borrow_and_update().link == Link::HalfClosed && !closed {
                    closed = true;
                    drop(to.shutdown().await);
                }
                continue;
            }
        };
        let Ok(count @ 1..) = read else { break };
        if back && link.borrow().link == Link::HalfClosed {
            // Read and thrown away, so that the server does not notice.
            if !closed {
                closed = true;
                drop(to.shutdown().await);
            }
            continue;
        }
        let at_once = !back && way.springs(&piece[..count]) == Some(Spring::After);
        // A way back that was closed stays closed on this connection.
        if closed {
            continue;
        }
        let fate = if at_once { Fate::Arrives } else { arrive(&mut link, born).await };
        match fate {
            Fate::Arrives if to.write_all(&piece[..count]).await.is_ok() => {}
            Fate::Arrives | Fate::Ends => break,
            Fate::Vanishes => {}
        }
    }
    if link.borrow().holes != born.holes {
        // Nobody hears of the end either.
        drop(link.wait_for(|now| now.cuts != born.cuts).await);
    }
    drop(to.shutdown().await);
}

/// What becomes of a piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Arrives,
    /// Its connection was cut.
    Ends,
    /// It is lost, and its connection stays open.
    Vanishes,
}

/// Waits as long as the link makes a piece wait.
async fn arrive(link: &mut watch::Receiver<Now>, born: Now) -> Fate {
    let now = link.borrow().link;
    match now {
        Link::Slow(delay) => tokio::time::sleep(delay).await,
        Link::Silent => {
            drop(link.wait_for(|now| now.link != Link::Silent || now.cuts != born.cuts).await);
        }
        Link::Whole | Link::HalfClosed | Link::Cut | Link::BlackHole => {}
    }
    let now = *link.borrow();
    if now.cuts != born.cuts {
        Fate::Ends
    } else if now.holes != born.holes {
        Fate::Vanishes
    } else {
        Fate::Arrives
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read as _, Write as _},
        net::TcpStream,
        time::Instant,
    };

    use super::*;

    /// A server that answers each byte with the next one.
    fn server() -> SocketAddr {
        let listener = StdListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                std::thread::spawn(move || {
                    let mut byte = [0];
                    while stream.read(&mut byte).is_ok_and(|count| count == 1) {
                        if stream.write_all(&[byte[0] + 1]).is_err() {
                            break;
                        }
                    }
                });
            }
        });
        address
    }

    /// A server that gives each byte back and tells which came, and a proxy in front of it.
    fn recorded() -> (Proxy, std::sync::mpsc::Receiver<u8>) {
        let (tell, told) = std::sync::mpsc::channel();
        let listener = StdListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let proxy = Proxy::to(listener.local_addr().unwrap()).unwrap();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut byte = [0];
            while stream.read(&mut byte).is_ok_and(|count| count == 1) {
                tell.send(byte[0]).unwrap();
                stream.write_all(&byte).unwrap();
            }
        });
        (proxy, told)
    }

    fn connect(proxy: &Proxy) -> TcpStream {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, proxy.port())).unwrap();
        stream.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
        stream
    }

    /// What comes back for a byte; none if the other side has closed.
    fn ask(stream: &mut TcpStream, byte: u8) -> std::io::Result<Option<u8>> {
        stream.write_all(&[byte])?;
        let mut answer = [0];
        Ok((stream.read(&mut answer)? == 1).then_some(answer[0]))
    }

    /// A proxy in front of [`server`], and a connection that has its first answer.
    fn answering() -> (Proxy, TcpStream) {
        let proxy = Proxy::to(server()).unwrap();
        let mut open = connect(&proxy);
        assert_eq!(ask(&mut open, 1).unwrap(), Some(2));
        (proxy, open)
    }

    #[test]
    fn a_whole_link_passes_everything_and_a_cut_one_nothing_until_it_is_healed() {
        let (proxy, mut open) = answering();
        proxy.set(Link::Cut);
        let mut end = [0];
        assert!(!open.read(&mut end).is_ok_and(|count| count > 0));
        let mut later = connect(&proxy);
        assert!(!later.read(&mut end).is_ok_and(|count| count > 0));
        proxy.heal();
        assert_eq!(ask(&mut connect(&proxy), 5).unwrap(), Some(6));
    }

    #[test]
    fn over_a_half_closed_link_requests_arrive_and_answers_do_not() {
        let (proxy, told) = recorded();
        let mut open = connect(&proxy);
        assert_eq!(ask(&mut open, 1).unwrap(), Some(1));
        assert_eq!(told.recv().unwrap(), 1);
        proxy.set(Link::HalfClosed);
        assert_eq!(ask(&mut open, 7).unwrap(), None);
        assert_eq!(told.recv_timeout(Duration::from_secs(5)).unwrap(), 7);
    }

    #[test]
    fn over_a_silent_link_nothing_comes_and_nothing_ends_and_all_of_it_comes_later() {
        let (proxy, mut open) = answering();
        proxy.set(Link::Silent);
        assert_eq!(ask(&mut open, 3).unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
        proxy.heal();
        let mut late = [0];
        open.read_exact(&mut late).unwrap();
        assert_eq!(late, [4]);
    }

    #[test]
    fn a_trap_stops_what_it_waits_for_before_it_arrives_or_its_answer() {
        for (spring, told) in [(Spring::Before, None), (Spring::After, Some(7))] {
            let (proxy, heard) = recorded();
            let mut open = connect(&proxy);
            proxy.trap(spring, |piece| piece.contains(&7));
            assert_eq!(ask(&mut open, 1).unwrap(), Some(1));
            assert!(!proxy.sprung());
            assert_eq!(ask(&mut open, 7).unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
            assert!(proxy.sprung());
            assert_eq!(heard.try_iter().collect::<Vec<_>>(), [Some(1), told].into_iter().flatten().collect::<Vec<_>>());
        }
    }

    #[test]
    fn what_is_held_when_the_link_is_cut_never_arrives_however_soon_it_is_healed() {
        let (proxy, mut open) = answering();
        proxy.set(Link::Silent);
        open.write_all(&[3]).unwrap();
        std::thread::sleep(Duration::from_millis(50));
        proxy.set(Link::Cut);
        proxy.heal();
        let mut late = [0];
        assert!(!open.read(&mut late).is_ok_and(|count| count > 0));
        assert_eq!(ask(&mut connect(&proxy), 5).unwrap(), Some(6));
    }

    #[test]
    fn a_black_hole_answers_nobody_and_gives_nothing_back_but_lets_through_who_comes_after_it() {
        let (proxy, mut open) = answering();
        proxy.set(Link::BlackHole);
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, proxy.port()));
        let knock = || TcpStream::connect_timeout(&address, Duration::from_millis(300)).map_err(|error| error.kind());
        while knock().is_ok() {}
        assert_eq!(knock().unwrap_err(), std::io::ErrorKind::TimedOut);
        assert_eq!(ask(&mut open, 3).unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
        proxy.heal();
        assert_eq!(ask(&mut open, 5).unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
        assert_eq!(ask(&mut connect(&proxy), 7).unwrap(), Some(8));
    }

    #[test]
    fn over_a_slow_link_everything_comes_later() {
        let proxy = Proxy::to(server()).unwrap();
        let mut open = connect(&proxy);
        proxy.set(Link::Slow(Duration::from_millis(60)));
        let begin = Instant::now();
        assert_eq!(ask(&mut open, 1).unwrap(), Some(2));
        assert!(begin.elapsed() >= Duration::from_millis(120), "{:?}", begin.elapsed());
    }
}
