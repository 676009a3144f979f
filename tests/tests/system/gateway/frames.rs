//! HTTP/2 by raw frames: what breaks the protocol, what bends it, and floods that it allows.

use std::{io::Write as _, time::Duration};

use super::{
    GoodClients, Site, held,
    wire::{Duplex, Way, listen},
};
use crate::harness::until;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PUSH: u8 = 5;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
/// Longer than the limits that are set here.
const QUIET: Duration = Duration::from_secs(3);
const LIMITS: [(&str, &str); 3] = [("head_timeout_s", "1"), ("body_timeout_s", "1"), ("idle_timeout_s", "2")];
/// What may be left: see the other corpus.
const FILES: usize = 10;
const MEMORY_MIB: u64 = 96;

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// A header block without compression.
fn block(headers: &[(&str, &[u8])]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (name, value) in headers {
        bytes.push(0);
        for part in [name.as_bytes(), value] {
            assert!(part.len() < 127, "a length of one byte");
            bytes.push(u8::try_from(part.len()).unwrap());
            bytes.extend_from_slice(part);
        }
    }
    bytes
}

const ASK: [(&str, &[u8]); 4] =
    [(":method", b"GET"), (":scheme", b"http"), (":path", b"/readyz"), (":authority", b"localhost")];

fn request(stream: u32, headers: &[(&str, &[u8])]) -> Vec<u8> {
    frame(HEADERS, END_STREAM | END_HEADERS, stream, &block(headers))
}

/// The whole frames of an answer: kind, stream, payload.
fn frames(mut bytes: &[u8]) -> Vec<(u8, u32, Vec<u8>)> {
    let mut found = Vec::new();
    while let Some((head, rest)) = bytes.split_at_checked(9) {
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        let Some((payload, rest)) = rest.split_at_checked(length) else { break };
        let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
        found.push((head[3], stream, payload.to_vec()));
        bytes = rest;
    }
    found
}

fn with(headers: &[(&str, &[u8])], more: &[(&str, &[u8])]) -> Vec<u8> {
    request(1, &[headers, more].concat())
}

/// What must end the connection or the stream, or be answered with 400 or 431.
fn broken() -> Vec<(&'static str, Vec<u8>)> {
    let without = |name: &str| {
        let rest: Vec<_> = ASK.into_iter().filter(|(known, _)| *known != name).collect();
        request(1, &rest)
    };
    let open = frame(HEADERS, END_HEADERS, 1, &block(&ASK));
    vec![
        ("settings of five bytes", frame(SETTINGS, 0, 0, &[0; 5])),
        ("settings on a stream", frame(SETTINGS, 0, 1, &[])),
        ("an acknowledgement with content", frame(SETTINGS, 1, 0, &[0; 6])),
        ("a window beyond its bound", frame(SETTINGS, 0, 0, &[0, 4, 0xff, 0xff, 0xff, 0xff])),
        ("a frame size beyond its bound", frame(SETTINGS, 0, 0, &[0, 5, 0xff, 0xff, 0xff, 0xff])),
        ("headers on stream 0", frame(HEADERS, END_STREAM | END_HEADERS, 0, &block(&ASK))),
        ("an even stream", request(2, &ASK)),
        ("a stream that goes back", [request(5, &ASK), request(3, &ASK)].concat()),
        ("a continuation of nothing", frame(CONTINUATION, END_HEADERS, 1, &block(&ASK))),
        ("another frame within headers", [frame(HEADERS, 0, 1, &block(&ASK)), frame(PING, 0, 0, &[0; 8])].concat()),
        ("data on stream 0", frame(DATA, 0, 0, b"x")),
        ("data before headers", frame(DATA, 0, 1, b"x")),
        ("padding longer than the frame", frame(HEADERS, END_HEADERS | 8, 1, &[255, 0])),
        ("a stream that depends on itself", frame(HEADERS, END_HEADERS | END_STREAM | 0x20, 1, &[0, 0, 0, 1, 0])),
        ("a push by a client", frame(PUSH, END_HEADERS, 1, &[0, 0, 0, 2])),
        ("a ping of seven bytes", frame(PING, 0, 0, &[0; 7])),
        ("a ping on a stream", frame(PING, 0, 1, &[0; 8])),
        ("a goaway of three bytes", frame(GOAWAY, 0, 0, &[0; 3])),
        ("a reset of nothing", frame(RST_STREAM, 0, 1, &[0; 4])),
        ("a window grown by nothing", frame(WINDOW_UPDATE, 0, 0, &[0; 4])),
        ("a window grown beyond its bound", frame(WINDOW_UPDATE, 0, 0, &[0x7f, 0xff, 0xff, 0xff])),
        ("a frame of 16 MiB", [&[0xff, 0xff, 0xff, DATA, 0][..], &1_u32.to_be_bytes()].concat()),
        ("an index of nothing", frame(HEADERS, END_STREAM | END_HEADERS, 1, &[0xff, 0xff, 0xff, 0x7f])),
        ("an integer without an end", frame(HEADERS, END_STREAM | END_HEADERS, 1, &[0xff; 64])),
        ("a text longer than its frame", frame(HEADERS, END_STREAM | END_HEADERS, 1, &[0, 0x7e, b'x'])),
        ("Huffman code that is none", frame(HEADERS, END_STREAM | END_HEADERS, 1, &[0, 0x84, 0xff, 0xff, 0xff, 0xff])),
        ("a table larger than allowed", frame(HEADERS, END_STREAM | END_HEADERS, 1, &[0x3f, 0xff, 0xff, 0x7f])),
        ("no method", without(":method")),
        ("no path", without(":path")),
        ("no scheme", without(":scheme")),
        ("two paths", with(&ASK, &[(":path", b"/v1/status")])),
        ("a pseudo header nobody knows", with(&ASK, &[(":hidden", b"x")])),
        ("a pseudo header of answers", with(&ASK, &[(":status", b"200")])),
        ("a pseudo header at the end", with(&[("x", b"y")], &ASK)),
        ("a name in capitals", with(&ASK, &[("X-Name", b"y")])),
        ("an empty name", with(&ASK, &[("", b"y")])),
        ("a name with a line end", with(&ASK, &[("x\r\nhost", b"y")])),
        ("a value with a line end", with(&ASK, &[("x", b"y\r\nidempotency-key: k")])),
        ("a value with a NUL", with(&ASK, &[("x", b"y\0z")])),
        ("a header of a connection", with(&ASK, &[("connection", b"close")])),
        ("an encoding", with(&ASK, &[("transfer-encoding", b"chunked")])),
        ("an upgrade", with(&ASK, &[("upgrade", b"h2c")])),
        ("te", with(&ASK, &[("te", b"gzip")])),
        ("a path with a NUL", request(1, &[ASK[0], ASK[1], (":path", b"/\0"), ASK[3]])),
        ("a path with a line end", request(1, &[ASK[0], ASK[1], (":path", b"/ HTTP/1.1\r\nhost: x\r\n\r\n"), ASK[3]])),
        ("an empty path", request(1, &[ASK[0], ASK[1], (":path", b""), ASK[3]])),
        ("a host with a user", request(1, &[ASK[0], ASK[1], ASK[2], (":authority", b"a@b/c")])),
        (
            "a connect with a protocol",
            request(1, &[(":method", b"CONNECT"), (":protocol", b"websocket"), ASK[1], ASK[2], ASK[3]]),
        ),
        (
            "less data than was told",
            [
                frame(HEADERS, END_HEADERS, 1, &block(&[&ASK[..], &[("content-length", b"5")]].concat())),
                frame(DATA, END_STREAM, 1, b"x"),
            ]
            .concat(),
        ),
        ("headers twice", [open.clone(), frame(HEADERS, END_HEADERS, 1, &block(&ASK))].concat()),
        (
            "more headers than may be",
            [frame(HEADERS, END_STREAM, 1, &block(&ASK)), many_continuations(40, true)].concat(),
        ),
        (
            "headers that never end",
            [frame(HEADERS, END_STREAM, 1, &block(&ASK)), many_continuations(4_000, false)].concat(),
        ),
        (
            "bytes that are no frames",
            (0..20_000_u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()).collect(),
        ),
    ]
}

fn many_continuations(count: usize, end: bool) -> Vec<u8> {
    let pieces = (0..count).flat_map(|number| {
        let flags = if end && number + 1 == count { END_HEADERS } else { 0 };
        let line: &[(&str, &[u8])] = &[("x", &[b'y'; 100])];
        frame(CONTINUATION, flags, 1, &block(&line.repeat(40)))
    });
    pieces.collect()
}

/// What the protocol allows, and nobody needs.
fn floods() -> Vec<(&'static str, Vec<u8>)> {
    let times = |count: u32, make: &dyn Fn(u32) -> Vec<u8>| (0..count).flat_map(make).collect::<Vec<u8>>();
    let reset = |n: u32| [request(2 * n + 1, &ASK), frame(RST_STREAM, 0, 2 * n + 1, &[0, 0, 0, 8])].concat();
    vec![
        ("pings", times(50_000, &|_| frame(PING, 0, 0, &[0; 8]))),
        ("settings", times(50_000, &|_| frame(SETTINGS, 0, 0, &[]))),
        ("windows", times(50_000, &|_| frame(WINDOW_UPDATE, 0, 0, &[0, 0, 0, 1]))),
        (
            "empty data",
            [frame(HEADERS, END_HEADERS, 1, &block(&ASK)), times(50_000, &|_| frame(DATA, 0, 1, &[]))].concat(),
        ),
        ("frames nobody knows", times(50_000, &|_| frame(0xee, 0, 0, &[0; 8]))),
        ("requests that are taken back", times(5_000, &reset)),
        ("requests all at once", times(5_000, &|n| request(2 * n + 1, &ASK))),
    ]
}

fn hello(way: &Way) -> Box<dyn Duplex> {
    let mut stream = way.open(QUIET).unwrap();
    stream.write_all(&[PREFACE, &frame(SETTINGS, 0, 0, &[])].concat()).unwrap();
    stream
}

/// An answer with a status that says whose fault it is: static table, 400, or a literal 431.
fn blames(payload: &[u8]) -> bool {
    payload.first() == Some(&0x8c) || payload.starts_with(&[0x48]) || payload.starts_with(&[0x08])
}

fn run_corpus(site: &Site) {
    let daemon = site.world.daemon();
    site.world.wallet("w_1", "EUR", "100");
    let way = site.way(&daemon, "h2");
    let head = site.world.head();
    let (files, memory) = held(daemon.pid());
    let mut stream = hello(&way);
    stream.write_all(&request(1, &ASK)).unwrap();
    let whole = frames(&listen(&mut stream).bytes);
    assert!(whole.iter().any(|(kind, on, _)| (*kind, *on) == (HEADERS, 1)), "a good request is answered: {whole:?}");

    let good = GoodClients::on(&[site.socket(), site.way(&daemon, "http/1.1")]);
    let mut faults = Vec::new();
    for (name, bytes) in broken() {
        let mut stream = hello(&way);
        let _ = stream.write_all(&bytes).and_then(|()| stream.flush());
        let said = listen(&mut stream);
        let refused = frames(&said.bytes).iter().any(|(kind, _, payload)| match *kind {
            RST_STREAM => true,
            GOAWAY => payload.get(4..8) != Some(&[0; 4]),
            HEADERS => blames(payload),
            _ => false,
        });
        let cut_off = said.ended && frames(&said.bytes).iter().all(|(kind, _, _)| *kind != HEADERS);
        if !(refused || cut_off) {
            faults.push(format!("{name}: {:?}", frames(&said.bytes)));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    for (_, bytes) in floods() {
        let mut stream = hello(&way);
        // It may be cut off before the end, or be sat out.
        let _ = stream.write_all(&bytes).and_then(|()| stream.flush());
        listen(&mut stream);
    }
    good.were_served();
    assert_eq!(site.world.head(), head, "something was written");
    until("what was opened is closed", || held(daemon.pid()).0 <= files + FILES);
    let grown = held(daemon.pid()).1.saturating_sub(memory);
    assert!(grown < MEMORY_MIB, "{grown} MiB more than before");
    assert!(!daemon.log().contains("panicked"), "{}", daemon.log());
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn broken_frames_end_their_stream_or_connection_and_floods_disturb_nobody() {
    run_corpus(&Site::plain(&LIMITS));
}

#[test]
fn broken_frames_within_tls_end_their_stream_or_connection_and_floods_disturb_nobody() {
    if let Some(site) = Site::tls(&LIMITS) {
        run_corpus(&site);
    }
}
