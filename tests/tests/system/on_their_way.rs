//! Chunks of a batch that are on their way together: the second follows the first whatever becomes of either.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    io::{BufRead as _, BufReader, Read as _, Write},
    net::Shutdown,
    os::unix::net::{UnixListener, UnixStream},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use serde_json::{Value, json};

use crate::harness::{World, until};

/// What becomes of a batch request on its way to the daemon. Others pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Deal {
    Pass,
    /// It is answered 503 and does not arrive.
    Refused,
    /// It arrives, and the answer is lost.
    Lost,
    /// It arrives when another batch request has come in behind it.
    WithTheNext,
}

/// Between walletctl and the daemon, on a socket of its own.
struct Between {
    socket: PathBuf,
    /// Heads of the batch requests seen.
    seen: Arc<Mutex<Vec<String>>>,
}

impl Between {
    /// `deal` says what becomes of a request by its key.
    fn new(world: &World, deal: impl Fn(&str) -> Deal + Send + Sync + 'static) -> Self {
        let (socket, behind) = (world.path("between.sock"), world.socket());
        let listener = UnixListener::bind(&socket).unwrap();
        let (seen, deal, count) = (Arc::<Mutex<Vec<String>>>::default(), Arc::new(deal), Arc::new(AtomicUsize::new(0)));
        let between = Self { socket, seen: Arc::clone(&seen) };
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (seen, deal, count, behind) = (seen.clone(), deal.clone(), count.clone(), behind.clone());
                thread::spawn(move || carry(&stream, &behind, &seen, &*deal, &count));
            }
        });
        between
    }

    fn line(&self, what: &str) -> String {
        format!("--socket {} {what}", self.socket.display())
    }
}

/// One request of one connection: read whole, dealt with, answered; then the connection ends.
fn carry(
    stream: &UnixStream,
    behind: &Path,
    seen: &Mutex<Vec<String>>,
    deal: &(dyn Fn(&str) -> Deal + Send + Sync),
    count: &AtomicUsize,
) {
    let Some((head, body)) = request(stream) else { return };
    let mut how = Deal::Pass;
    if head.starts_with("POST /v1/batches") {
        seen.lock().unwrap().push(head.clone());
        let place = count.fetch_add(1, Ordering::SeqCst) + 1;
        how = deal(&header(&head, "idempotency-key"));
        if how == Deal::WithTheNext {
            until("another batch request comes in", || count.load(Ordering::SeqCst) > place);
        }
    }
    let answer = if how == Deal::Refused {
        let body = json!({
            "type": "about:blank#unavailable", "title": "Nothing happened", "status": 503, "detail": "not now",
            "code": "unavailable", "retryable": true, "outcome": "not_applied",
        });
        let body = body.to_string();
        let length = body.len();
        format!("HTTP/1.1 503 Unavailable\r\ncontent-type: application/problem+json\r\ncontent-length: {length}\r\n\r\n{body}")
            .into_bytes()
    } else {
        let mut there = UnixStream::connect(behind).unwrap();
        let (first, rest) = head.split_once("\r\n").unwrap();
        write!(there, "{first}\r\nconnection: close\r\n{rest}\r\n\r\n").unwrap();
        there.write_all(&body).unwrap();
        let mut answer = Vec::new();
        there.read_to_end(&mut answer).unwrap();
        answer
    };
    if how != Deal::Lost {
        // The client may have gone.
        let _ = (&*stream).write_all(&answer);
    }
    let _ = stream.shutdown(Shutdown::Both);
}

/// A request's head without its end, and its body.
fn request(stream: &UnixStream) -> Option<(String, Vec<u8>)> {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        (reader.read_line(&mut head).ok()? > 0).then_some(())?;
    }
    let head = head.trim_end().to_owned();
    let mut body = vec![0; header(&head, "content-length").parse().unwrap_or(0)];
    reader.read_exact(&mut body).ok()?;
    Some((head, body))
}

fn header(head: &str, name: &str) -> String {
    let of =
        |line: &str| line.split_once(": ").filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, v)| v.into());
    head.lines().find_map(of).unwrap_or_default()
}

/// Sixty rows of which each needs what the one before brought, ten a request.
fn chain(world: &World) -> u64 {
    world.wallet("a", "EUR", "100");
    world.wallet("b", "EUR", "0");
    let mut text = "key,op,from,to,amount,asset\n".to_owned();
    for row in 0..60 {
        let (from, to) = if row % 2 == 0 { ("a", "b") } else { ("b", "a") };
        writeln!(text, "row-{row},transfer,{from},{to},100,EUR").unwrap();
    }
    world.file("chain.csv", text);
    world.head()
}

const RUN: &str = "batch run chain.csv --chunk 10 --results r.ndjson --yes";

/// Rows by outcome, as they are written down.
fn outcomes(world: &World) -> Vec<String> {
    let text = world.read("r.ndjson");
    let of = |line: &str| serde_json::from_str::<Value>(line).unwrap()["outcome"].as_str().unwrap().to_owned();
    text.lines().map(of).collect()
}

fn by_chunk(world: &World) -> Vec<String> {
    let mut told = Vec::new();
    for rows in outcomes(world).chunks(10) {
        assert!(rows.iter().all(|outcome| outcome == &rows[0]), "{rows:?}");
        told.push(rows[0].clone());
    }
    told
}

/// Which chunk a key is of, and how often that was sent by now. A key ends in its chunk's first row.
fn numbered() -> impl Fn(&str) -> (usize, usize) + Send + Sync {
    let sent = Mutex::new([0; 6]);
    move |key| {
        let chunk = key.rsplit(':').next().unwrap().parse::<usize>().unwrap() / 10;
        let mut sent = sent.lock().unwrap();
        sent[chunk] += 1;
        (chunk, sent[chunk])
    }
}

/// Every row moved money once. In another order than the file's one would have been refused.
#[track_caller]
fn is_whole(world: &World, before: u64) {
    assert_eq!(world.head(), before + 60);
    assert_eq!((world.balance("a"), world.balance("b")), ("100.00".into(), "0.00".into()));
}

#[test]
fn the_next_chunk_is_on_its_way_while_one_is_committed() {
    let world = World::new();
    let _daemon = world.daemon();
    let before = chain(&world);
    // The first goes on only when the second has come: sent one by one, the batch would never end.
    let number = numbered();
    let between = Between::new(&world, move |key| if number(key) == (0, 1) { Deal::WithTheNext } else { Deal::Pass });
    world.ctl(&between.line(RUN)).ok();
    assert_eq!(by_chunk(&world), ["ok"; 6]);
    is_whole(&world, before);
    let named = between.seen.lock().unwrap().iter().filter(|head| head.contains("behind=")).count();
    assert!(named > 0, "no chunk names the one before it");
}

#[test]
fn nothing_behind_a_chunk_that_did_not_happen_happens() {
    let world = World::new();
    let _daemon = world.daemon();
    let before = chain(&world);
    let number = numbered();
    let between = Between::new(&world, move |key| if number(key).0 == 2 { Deal::Refused } else { Deal::Pass });
    world.ctl(&between.line(&format!("{RUN} --retry-for 1"))).fails(8, "40 of 60 rows were not attempted: not now");
    let stopped = ["ok", "ok", "not_attempted", "not_attempted", "not_attempted", "not_attempted"];
    assert_eq!(by_chunk(&world), stopped);
    assert_eq!(world.head(), before + 20, "a chunk went ahead of one that did not happen");
    world.ctl("batch resume chain.csv --results r.ndjson --yes").ok();
    assert_eq!(by_chunk(&world), ["ok"; 6]);
    is_whole(&world, before);
}

#[test]
fn a_chunk_whose_answer_is_lost_for_good_is_settled_by_resuming() {
    let world = World::new();
    let _daemon = world.daemon();
    let before = chain(&world);
    let number = numbered();
    let between = Between::new(&world, move |key| if number(key).0 == 2 { Deal::Lost } else { Deal::Pass });
    world.ctl(&between.line(&format!("{RUN} --retry-for 1"))).exits(11);
    let told = by_chunk(&world);
    assert_eq!(told[..3], ["ok", "ok", "unknown"]);
    // The one that was on its way behind it has an outcome of its own.
    assert!(["ok", "not_attempted"].contains(&&*told[3]) && told[4..] == ["not_attempted"; 2], "{told:?}");
    world.ctl("batch resume chain.csv --results r.ndjson --yes").ok();
    assert_eq!(by_chunk(&world), ["ok"; 6]);
    is_whole(&world, before);
}

#[test]
fn an_answer_lost_once_and_a_refusal_that_passes_change_no_outcome() {
    let world = World::new();
    let _daemon = world.daemon();
    let before = chain(&world);
    let number = numbered();
    let between = Between::new(&world, move |key| match number(key) {
        (1, 1) => Deal::Lost,
        (3, 1 | 2) => Deal::Refused,
        _ => Deal::Pass,
    });
    world.ctl(&between.line(RUN)).ok();
    assert_eq!(by_chunk(&world), ["ok"; 6]);
    is_whole(&world, before);
}

#[test]
fn a_chunk_is_answered_before_the_next_where_a_refusal_ends_the_batch() {
    let world = World::new();
    let _daemon = world.daemon();
    chain(&world);
    let between = Between::new(&world, |_| Deal::Pass);
    world.ctl(&between.line(&format!("{RUN} --on-error stop"))).ok();
    let seen = between.seen.lock().unwrap().clone();
    assert_eq!(seen.len(), 6);
    assert!(!seen.iter().any(|head| head.contains("behind=")), "{seen:?}");
}

#[test]
fn a_batch_that_names_one_that_was_not_answered_is_out_of_turn() {
    let world = World::new();
    let _daemon = world.daemon();
    world.wallet("w_1", "EUR", "0");
    let before = world.head();
    let client = wallet_tests::http().unix_socket(world.socket()).build().unwrap();
    let post = async |key: &str, behind: Option<&str>, amount: &str| {
        let pay =
            json!({"key": format!("{key}-{amount}"), "op": "deposit", "to": "w_1", "amount": amount, "asset": "EUR"});
        let body = json!({"mode": "continue", "commands": [pay]});
        let query: BTreeMap<_, _> = behind.map(|behind| ("behind", behind)).into_iter().collect();
        let request = client.post("http://localhost/v1/batches").query(&query).header("idempotency-key", key);
        let answer = request.json(&body).send().await.unwrap();
        (answer.status().as_u16(), answer.json::<Value>().await.unwrap())
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (status, problem) = post("two", Some("one"), "2").await;
        assert_eq!((status, &problem["code"]), (409, &json!("out_of_turn")), "{problem}");
        assert_eq!(problem["retryable"], json!(true), "{problem}");
        let (status, problem) = post("two", Some("no key\u{7}"), "2").await;
        assert_eq!((status, &problem["code"]), (400, &json!("invalid_request")), "{problem}");
        // Sent in the wrong order at once: the one that is too early waits a moment.
        let (two, one) = tokio::join!(post("two", Some("one"), "2"), post("one", None, "1"));
        assert_eq!((one.0, two.0), (200, 200), "{one:?} {two:?}");
        let seq = |answer: &(u16, Value)| answer.1["outcomes"][0]["seq"].as_u64().unwrap();
        assert_eq!((seq(&one), seq(&two)), (before + 1, before + 2));
        // Its answer is kept: a repeat replays, whatever it names.
        let again = post("two", Some("never"), "2").await;
        assert_eq!((again.0, &again.1["replayed"]), (200, &json!(true)), "{again:?}");
    });
    assert_eq!(world.balance("w_1"), "3.00");
}
