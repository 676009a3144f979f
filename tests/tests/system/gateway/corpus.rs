//! Malformed HTTP/1: what request smuggling, fuzzers and broken clients send.
//!
//! Every case may have a hidden request somewhere in it: a deposit that somebody who reads the bytes
//! differently would take for a request of its own. It carries its number as its request id, which an answer
//! repeats, and as its key, which the ledger would remember.

/// What must come of a case besides that its hidden request is not served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is refused (4xx or 5xx) or not answered at all, and the connection ends.
    Refused,
    /// The same over TCP. On the socket it is a good request, with another behind it.
    RefusedOverTcp,
    /// At most one request is seen in it. The connection may stay.
    One,
    /// At most one request is seen in it, and the connection ends.
    OneAndEnd,
}

/// One case.
pub struct Case {
    pub name: String,
    pub bytes: Vec<u8>,
    pub outcome: Outcome,
    /// Answers that come before the malformed part.
    pub before: usize,
}

/// A deposit that must never happen.
pub fn hidden(number: usize) -> String {
    let body = r#"{"to":"w_1","amount":"1","asset":"EUR"}"#;
    format!(
        "POST /v1/deposits HTTP/1.1\r\nhost: localhost\r\nx-request-id: {id}\r\nidempotency-key: {id}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len(),
        id = id(number)
    )
}

/// Its key, and its request id.
pub fn id(number: usize) -> String {
    format!("hidden-{number}")
}

struct Cases(Vec<Case>);

impl Cases {
    /// `HIDDEN` in the text is the hidden request, `LENGTH` its length.
    fn add(&mut self, outcome: Outcome, before: usize, name: &str, text: impl AsRef<[u8]>) {
        let hidden = hidden(self.0.len());
        let mut bytes = text.as_ref().to_vec();
        for (word, value) in [("HIDDEN", hidden.clone()), ("LENGTH", hidden.len().to_string())] {
            while let Some(at) = bytes.windows(word.len()).position(|window| window == word.as_bytes()) {
                bytes.splice(at..at + word.len(), value.bytes());
            }
        }
        self.0.push(Case { name: name.to_owned(), bytes, outcome, before });
    }

    fn refused(&mut self, name: &str, text: impl AsRef<[u8]>) {
        self.add(Outcome::Refused, 0, name, text);
    }

    /// A head of these lines, with a chunked end and the hidden request behind it.
    fn smuggles(&mut self, outcome: Outcome, lines: &str) {
        let text = format!("POST /readyz HTTP/1.1\r\nhost: localhost\r\n{lines}\r\n\r\n0\r\n\r\nHIDDEN");
        self.add(outcome, 0, &lines.escape_default().to_string(), text);
    }

    /// A header line by itself.
    fn line(&mut self, line: &[u8]) {
        let text = [b"GET /readyz HTTP/1.1\r\nhost: localhost\r\n", line, b"\r\n\r\nHIDDEN"].concat();
        self.refused(&line.escape_ascii().to_string(), text);
    }
}

/// All cases.
pub fn cases() -> Vec<Case> {
    let mut cases = Cases(Vec::new());
    lengths(&mut cases);
    encodings(&mut cases);
    chunks(&mut cases);
    lines(&mut cases);
    starts(&mut cases);
    sizes(&mut cases);
    others(&mut cases);
    cases.0
}

fn lengths(cases: &mut Cases) {
    for lines in [
        "content-length: 5\r\ncontent-length: 6",
        "content-length: 0\r\ncontent-length: 5",
        "content-length: 5, 6",
        "content-length: +5",
        "content-length: -1",
        "content-length: 0x5",
        "content-length: 5a",
        "content-length: 5 5",
        "content-length: 1e1",
        "content-length: 99999999999999999999999",
        "content-length: 18446744073709551615",
        "content-length:",
        "content-length: \"5\"",
        "content-length: 5;",
    ] {
        cases.smuggles(Outcome::Refused, lines);
    }
    // Both lengths at once: the encoding counts, and the connection ends (RFC 9112, 6.3).
    for lines in [
        "content-length: 5\r\ntransfer-encoding: chunked",
        "transfer-encoding: chunked\r\ncontent-length: 5",
        "content-length: LENGTH\r\ntransfer-encoding: chunked",
        "Content-Length: 0\r\nTRANSFER-ENCODING: Chunked",
        "content-length: 5\r\ncontent-length: 5\r\ntransfer-encoding: chunked",
    ] {
        cases.smuggles(Outcome::OneAndEnd, lines);
    }
    let body = "GET /readyz HTTP/1.1\r\nhost: localhost\r\ncontent-length: LENGTH\r\n\r\nHIDDEN";
    cases.add(Outcome::One, 0, "a GET with a body", body);
    let twice =
        "POST /readyz HTTP/1.1\r\nhost: localhost\r\ncontent-length: LENGTH\r\ncontent-length: LENGTH\r\n\r\nHIDDEN";
    cases.add(Outcome::One, 0, "the same length twice", twice);
}

fn encodings(cases: &mut Cases) {
    for lines in [
        "transfer-encoding: xchunked",
        "transfer-encoding: chunkedx",
        "transfer-encoding: x",
        "transfer-encoding: identity",
        "transfer-encoding: chunked, identity",
        "transfer-encoding: chunked, gzip",
        "transfer-encoding: chunked\r\ntransfer-encoding: identity",
        "transfer-encoding:",
        "transfer-encoding: \"chunked\"",
        "transfer-encoding: chunked;q=1",
        "transfer-encoding:\x0bchunked",
        "transfer-encoding: chunked\x0c",
        "transfer-encoding : chunked",
        "transfer-encoding\t: chunked",
        " transfer-encoding: chunked",
        "x: y\r\n transfer-encoding: chunked",
        "transfer-encoding:\r\n chunked",
        "transfer\u{0}-encoding: chunked",
    ] {
        cases.smuggles(Outcome::Refused, lines);
    }
    // Names another header: no body, and the rest is no request.
    for lines in ["transfer_encoding: chunked", "x-transfer-encoding: chunked"] {
        let text = format!("POST /readyz HTTP/1.1\r\nhost: localhost\r\n{lines}\r\n\r\n0\r\n\r\nHIDDEN");
        cases.add(Outcome::OneAndEnd, 1, lines, text);
    }
    cases.refused(
        "an encoding in HTTP/1.0",
        "POST /readyz HTTP/1.0\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\nHIDDEN",
    );
}

fn chunks(cases: &mut Cases) {
    let head = "POST /v1/deposits HTTP/1.1\r\nhost: localhost\r\nidempotency-key: k\r\n\
                content-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n";
    for body in [
        "-1\r\nx\r\n0\r\n\r\nHIDDEN",
        "0x1\r\nx\r\n0\r\n\r\nHIDDEN",
        "+1\r\nx\r\n0\r\n\r\nHIDDEN",
        "g\r\nx\r\n0\r\n\r\nHIDDEN",
        "\r\n0\r\n\r\nHIDDEN",
        "1_0\r\nx\r\n0\r\n\r\nHIDDEN",
        "fffffffffffffffff\r\nx\r\n0\r\n\r\nHIDDEN",
        "1\r\nxx\r\n0\r\n\r\nHIDDEN",
        "1\r\nx0\r\n\r\nHIDDEN",
        "1;\n0\r\n\r\nHIDDEN",
        "1;a\rb\r\nx\r\n0\r\n\r\nHIDDEN",
        "0\r\nno colon\r\n\r\nHIDDEN",
        "0\r\n x: folded\r\n\r\nHIDDEN",
        "0\n\nHIDDEN",
        "0\r\rHIDDEN",
    ] {
        cases.add(Outcome::OneAndEnd, 0, &format!("chunks {}", body.escape_default()), format!("{head}{body}"));
    }
    let long = format!("{head}1;{}\r\nx\r\n0\r\n\r\nHIDDEN", "e".repeat(100_000));
    cases.add(Outcome::OneAndEnd, 0, "an endless extension of a chunk", long);
    let trailers = format!("{head}0\r\n{}\r\nHIDDEN", "x: y\r\n".repeat(20_000));
    cases.add(Outcome::OneAndEnd, 0, "endless trailers", trailers);
    let told = format!("{head}0\r\ncontent-length: LENGTH\r\nhost: evil\r\nauthorization: Bearer x\r\n\r\n");
    cases.add(Outcome::One, 0, "trailers that would be headers", told);
}

fn lines(cases: &mut Cases) {
    for line in [
        &b"no colon"[..],
        b": no name",
        b"x y: z",
        b"x: a\x00b",
        b"x: a\x01b",
        b"x: a\x7fb",
        b"x\x00: y",
        b"\x80: y",
        b"x\xe9: y",
        b"x: a\rb",
        b"x: a\r b",
        b"(x): y",
        b"x@y: z",
        b"x : y",
        b"\tx: y",
        b"x: y\r\n\tz",
        b"x: y\r\n z: w",
    ] {
        cases.line(line);
    }
}

fn starts(cases: &mut Cases) {
    for start in [
        &b"GET"[..],
        b"GET ",
        b"GET /",
        b"GET / ",
        b"GET /readyz HTTP",
        b"GET /readyz HTTP/0.9",
        b"GET /readyz HTTP/1.2",
        b"GET /readyz HTTP/2.0",
        b"GET /readyz HTTP/9.9",
        b"GET /readyz HTTP/1",
        b"GET /readyz HTTP/1.1.1",
        b"GET /readyz http/1.1",
        b"GET /readyz  HTTP/1.1",
        b"GET  /readyz HTTP/1.1",
        b"GET\t/readyz HTTP/1.1",
        b"GET /readyz\tHTTP/1.1",
        b"GET /readyz HTTP/1.1 ",
        b"GET /readyz HTTP/1.1 x",
        b" GET /readyz HTTP/1.1",
        b"GET /rea dyz HTTP/1.1",
        b"GET /rea\x00dyz HTTP/1.1",
        b"GET /rea\x01dyz HTTP/1.1",
        b"G\x00T /readyz HTTP/1.1",
        b"G(T /readyz HTTP/1.1",
        b"\xff\xfe /readyz HTTP/1.1",
        b"HTTP/1.1 200 OK",
        b"/readyz GET HTTP/1.1",
    ] {
        let text = [start, b"\r\nhost: localhost\r\n\r\nHIDDEN"].concat();
        cases.refused(&start.escape_ascii().to_string(), text);
    }
    let no_path = "GET readyz HTTP/1.1\r\nhost: localhost\r\n\r\nHIDDEN";
    cases.add(Outcome::RefusedOverTcp, 0, "no path", no_path);
    for hosts in ["x: y", "host: a\r\nhost: b", "host: a@b", "host: a/b"] {
        let text = format!("GET /readyz HTTP/1.1\r\n{hosts}\r\n\r\nHIDDEN");
        cases.add(Outcome::RefusedOverTcp, 0, &hosts.escape_default().to_string(), text);
    }
    for start in [
        "GET http://evil.example/readyz HTTP/1.1",
        "GET http://localhost/v1/deposits HTTP/1.1",
        "OPTIONS * HTTP/1.1",
        "CONNECT localhost:80 HTTP/1.1",
        "CONNECT / HTTP/1.1",
        "TRACE /readyz HTTP/1.1",
        "PROPFIND /readyz HTTP/1.1",
        "get /readyz HTTP/1.1",
        "PRI * HTTP/1.1",
        "GET /%00 HTTP/1.1",
        "GET /../../etc/passwd HTTP/1.1",
        "GET //evil.example/readyz HTTP/1.1",
        "GET /v1/../readyz HTTP/1.1",
        "GET /readyz#fragment HTTP/1.1",
        "GET /readyz?%0d%0aset-cookie:x HTTP/1.1",
    ] {
        let text = format!("{start}\r\nhost: localhost\r\nconnection: close\r\n\r\n");
        cases.add(Outcome::OneAndEnd, 0, start, text);
    }
}

fn sizes(cases: &mut Cases) {
    let many = "x: y\r\n".repeat(5_000);
    cases.refused("five thousand headers", format!("GET /readyz HTTP/1.1\r\nhost: localhost\r\n{many}\r\nHIDDEN"));
    for (name, size, outcome) in
        [("a header of 100 kB", 100_000, Outcome::RefusedOverTcp), ("a header of 2 MB", 2_000_000, Outcome::Refused)]
    {
        let large = "y".repeat(size);
        let text = format!("GET /readyz HTTP/1.1\r\nhost: localhost\r\nx: {large}\r\n\r\nHIDDEN");
        cases.add(outcome, 0, name, text);
    }
    let name = "n".repeat(100_000);
    cases.refused("a name of 100 kB", format!("GET /readyz HTTP/1.1\r\nhost: localhost\r\n{name}: y\r\n\r\nHIDDEN"));
    let path = "p".repeat(100_000);
    cases.refused("a path of 100 kB", format!("GET /{path} HTTP/1.1\r\nhost: localhost\r\n\r\nHIDDEN"));
    let method = "M".repeat(100_000);
    let text = format!("{method} / HTTP/1.1\r\nhost: localhost\r\n\r\nHIDDEN");
    cases.add(Outcome::RefusedOverTcp, 0, "a method of 100 kB", text);
    cases.refused("a head that never ends", "y".repeat(1_000_000));
    cases.refused("nothing but line ends", "\r\n".repeat(500_000));
}

fn others(cases: &mut Cases) {
    let good = "GET /readyz HTTP/1.1\r\nhost: localhost\r\n\r\n";
    let pipelined = [
        ("a bad second", "GET /readyz\r\n\r\nHIDDEN"),
        (
            "a second of two lengths",
            "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nHIDDEN",
        ),
        ("a second with a NUL", "GET /readyz HTTP/1.1\r\nhost: x\r\nx: \0\r\n\r\nHIDDEN"),
        ("a second that is garbage", "\u{1}\u{2}\u{3}\r\n\r\nHIDDEN"),
    ];
    for (name, second) in pipelined {
        cases.add(Outcome::OneAndEnd, 1, name, format!("{good}{second}"));
    }
    let upgrade = "connection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABkAAQAAP__";
    let h2c = format!("GET /readyz HTTP/1.1\r\nhost: localhost\r\n{upgrade}\r\n\r\n");
    cases.add(Outcome::One, 0, "an upgrade to h2c", h2c);
    let socket = "connection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-key: x";
    cases.add(Outcome::One, 0, "an upgrade", format!("GET /readyz HTTP/1.1\r\nhost: localhost\r\n{socket}\r\n\r\n"));
    let expect =
        "POST /readyz HTTP/1.1\r\nhost: localhost\r\nexpect: a-miracle\r\ncontent-length: LENGTH\r\n\r\nHIDDEN";
    cases.add(Outcome::One, 0, "an expectation nobody knows", expect);
    // A line may end with a bare LF (RFC 9112, 2.2): it is one request, and not a second one.
    let bare = "GET /readyz HTTP/1.1\nhost: localhost\nconnection: close\n\n";
    cases.add(Outcome::OneAndEnd, 0, "bare line feeds", bare);
    cases.refused("HTTP/0.9", "GET /readyz\r\n");
    cases.refused("a TLS hello in the clear", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03HIDDEN");
    cases.refused("another protocol", "SSH-2.0-OpenSSH_9.2\r\nHIDDEN");
    cases.refused("a line of SMTP", "EHLO localhost\r\nMAIL FROM:<x>\r\n\r\nHIDDEN");
    // The same bytes every time.
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for round in 0..16 {
        let bytes: Vec<u8> = (0..4_096)
            .map(|_| {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                state.to_le_bytes()[0]
            })
            .collect();
        let mut bytes = bytes;
        bytes.extend_from_slice(b"\r\n\r\nHIDDEN");
        cases.refused(&format!("garbage {round}"), bytes);
    }
}
