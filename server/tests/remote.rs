//! `corecast publish` and `corecast subscribe` against a scripted server: the bytes both ways, and how they exit.
#![expect(clippy::unwrap_used, reason = "what a test cannot set up has failed it")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

/// Long enough for a busy machine; a test that waits so long has failed.
const DEADLINE: Duration = Duration::from_secs(20);

/// What a client sent.
#[derive(Debug)]
struct Request {
    head: String,
    body: String,
}

/// A server that answers its connections one after another with the given bytes, in pieces, and then closes.
struct Server {
    url: String,
    requests: Receiver<Request>,
}

impl Server {
    fn new(answers: Vec<Vec<Vec<u8>>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (sender, requests) = channel();
        thread::spawn(move || {
            for answer in answers {
                serve(&listener, &answer, &sender);
            }
        });
        Self { url, requests }
    }

    fn request(&self) -> Request {
        self.requests.recv_timeout(DEADLINE).unwrap()
    }
}

fn serve(listener: &TcpListener, answer: &[Vec<u8>], requests: &Sender<Request>) {
    let (mut socket, _) = listener.accept().unwrap();
    socket.set_read_timeout(Some(DEADLINE)).unwrap();
    let request = read_request(&mut socket);
    requests.send(request).unwrap();
    for piece in answer {
        // A client that has seen enough is gone before the end.
        if socket.write_all(piece).is_err() {
            return;
        }
    }
}

fn read_request(socket: &mut TcpStream) -> Request {
    let mut reader = BufReader::new(socket);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert_ne!(reader.read_line(&mut head).unwrap(), 0, "{head}");
    }
    let lower = head.to_lowercase();
    let length = lower.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body).unwrap();
    Request { head, body: String::from_utf8(body).unwrap() }
}

fn answer(status: &str, body: &str) -> Vec<Vec<u8>> {
    let length = body.len();
    vec![
        format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}")
            .into_bytes(),
    ]
}

const STREAM_HEAD: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n\
                           Transfer-Encoding: chunked\r\n\r\n";

/// A stream of chunks; with its last chunk it is a clean end, without an abort.
fn stream(blocks: &[&str], is_clean: bool) -> Vec<Vec<u8>> {
    let mut pieces = vec![STREAM_HEAD.as_bytes().to_vec()];
    pieces.extend(blocks.iter().map(|block| format!("{:X}\r\n{block}\r\n", block.len()).into_bytes()));
    if is_clean {
        pieces.push(b"0\r\n\r\n".to_vec());
    }
    pieces
}

fn command(server: &Server, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_corecast"));
    command.env_clear().env("CORECAST_URL", &server.url).args(args);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn run(server: &Server, args: &[&str]) -> Output {
    command(server, args).env("CORECAST_TOKEN", "t.o.k").output().unwrap()
}

fn run_with_input(server: &Server, args: &[&str], input: &str) -> Output {
    let mut child = command(server, args).stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[test]
fn publish_sends_one_object_and_prints_the_id() {
    let server = Server::new(vec![answer("200 OK", "{\"id\":\"abc-1\"}")]);
    let args = [
        "publish",
        "--topic",
        "a",
        "--topic",
        "b",
        "--type",
        "notice",
        "--id",
        "x-1",
        "--retry",
        "3s",
        "--private",
        "--ttl",
        "10m",
        "--ephemeral",
        "two\nlines",
    ];
    let output = run(&server, &args);
    assert_eq!(
        (output.status.code(), text(&output.stdout)),
        (Some(0), "abc-1\n"),
        "{}",
        text(&output.stderr)
    );
    let request = server.request();
    assert!(request.head.starts_with("POST /publish HTTP/1.1\r\n"), "{}", request.head);
    let head = request.head.to_lowercase();
    assert!(head.contains("\r\nauthorization: bearer t.o.k\r\n"), "{head}");
    assert!(head.contains("\r\ncontent-type: application/json\r\n"), "{head}");
    assert_eq!(
        request.body,
        "{\"topics\":[\"a\",\"b\"],\"data\":\"two\\nlines\",\"type\":\"notice\",\"id\":\"x-1\",\"retry\":3000,\
         \"private\":true,\"ttl\":600,\"ephemeral\":true}"
    );
}

#[test]
fn publish_can_be_repeated_under_a_key() {
    let server = Server::new(vec![answer("200 OK", "{\"id\":\"abc-1\"}")]);
    let output = run(&server, &["publish", "--all", "--idempotency-key", "order-17-paid", "x"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let head = server.request().head.to_lowercase();
    assert!(head.contains("\r\nidempotency-key: order-17-paid\r\n"), "{head}");

    let output = run(&server, &["publish", "--all", "--idempotency-key", "two words", "x"]);
    assert_eq!(output.status.code(), Some(2));
    let error = text(&output.stderr);
    assert!(error.contains("--idempotency-key \"two words\": "), "{error}");
}

#[test]
fn publish_takes_data_from_standard_input() {
    let server = Server::new(vec![answer("200 OK", "{\"id\":\"abc-1\"}")]);
    let output = run_with_input(&server, &["publish", "--all"], "hello\n");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert_eq!(server.request().body, "{\"all\":true,\"data\":\"hello\"}");
}

#[test]
fn publish_reports_the_words_of_the_hub() {
    for (status, body, expected) in [
        (
            "403 Forbidden",
            "{\"error\":\"forbidden\",\"message\":\"topics: no grant for \\\"a\\\"\"}",
            "error: the hub answered 403: topics: no grant for \"a\"\n",
        ),
        ("502 Bad Gateway", "<html>", "error: the hub answered 502: bad gateway\n"),
        (
            "503 Service Unavailable\r\nRetry-After: 2",
            "{\"error\":\"full\",\"message\":\"the log is full\"}",
            "error: the hub answered 503: the log is full (try again in 2 s)\n",
        ),
    ] {
        let server = Server::new(vec![answer(status, body)]);
        let output = run(&server, &["publish", "--user", "alice", "x"]);
        assert_eq!((output.status.code(), text(&output.stderr)), (Some(1), expected));
        assert_eq!(text(&output.stdout), "");
    }
}

#[test]
fn publish_says_which_hub_cannot_be_reached() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let mut command = Command::new(env!("CARGO_BIN_EXE_corecast"));
    let output = command.env_clear().args(["publish", "--url", &url, "--all", "x"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).starts_with(&format!("error: cannot reach {url}/publish: ")));
}

#[test]
fn publish_streams_lines_and_counts_the_refused() {
    let answers =
        "{\"id\":\"abc-1\"}\n{\"error\":\"bad_data\",\"message\":\"data is missing\"}\n{\"id\":\"abc-2\"}\n";
    let server = Server::new(vec![answer("200 OK", answers)]);
    let output = run_with_input(&server, &["publish", "--ndjson"], "{\"a\":1}\n\n{\"b\":2}\n{\"c\":3}\n");
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(text(&output.stdout), "abc-1\nabc-2\n");
    assert_eq!(text(&output.stderr), "line 3: data is missing\nerror: 1 of 3 events were refused\n");
    let request = server.request();
    assert!(request.head.to_lowercase().contains("\r\ncontent-type: application/x-ndjson\r\n"));
    assert_eq!(request.body, "{\"a\":1}\n{\"b\":2}\n{\"c\":3}\n");
}

#[test]
fn publish_notices_answers_that_are_missing() {
    let server = Server::new(vec![answer("200 OK", "{\"id\":\"abc-1\"}\n")]);
    let output = run_with_input(&server, &["publish", "--ndjson"], "{}\n{}\n");
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("1 answers to 2 events"), "{}", text(&output.stderr));
}

#[test]
fn subscribe_asks_comes_back_with_its_cursor_and_stops_when_evicted() {
    let evicted = "event: corecast.evicted\nretry: 86400000\ndata: {\"by\":\"tab-2\"}\n\n";
    let server = Server::new(vec![
        stream(&[":\nretry: 100\n", "data: one\nid: a-1\n\n", "data: cut\nid: a-2\n"], false),
        stream(&["event: notice\ndata: two\ndata: lines\nid: a-2\n\n"], true),
        stream(&[evicted], true),
    ]);
    let output =
        run(&server, &["subscribe", "--topic", "orders/{id}", "--topic", "a b", "--client-id", "tab-1"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert_eq!(text(&output.stdout), "message a-1 one\nnotice a-2 two\n  lines\n");
    assert_eq!(text(&output.stderr), "corecast.evicted {\"by\":\"tab-2\"}\n");
    for cursor in [None, Some("a-1"), Some("a-2")] {
        let request = server.request();
        let query = "/events?topic=orders%2F%7Bid%7D&topic=a%20b&client_id=tab-1";
        assert!(request.head.starts_with(&format!("GET {query} HTTP/1.1\r\n")), "{}", request.head);
        let head = request.head.to_lowercase();
        assert!(head.contains("\r\naccept: text/event-stream\r\n"), "{head}");
        assert!(head.contains("\r\nauthorization: bearer t.o.k\r\n"), "{head}");
        let found = head.lines().find_map(|line| line.strip_prefix("last-event-id: "));
        assert_eq!(found, cursor);
    }
}

#[test]
fn subscribe_begins_where_it_is_told_and_ends_at_204() {
    let server = Server::new(vec![answer("204 No Content", "")]);
    let output = run(&server, &["subscribe", "--last-event-id", "a-7"]);
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), ""));
    assert!(server.request().head.to_lowercase().contains("\r\nlast-event-id: a-7\r\n"));
}

#[test]
fn subscribe_prints_json_for_programs() {
    let server = Server::new(vec![
        stream(&["retry: 100\ndata: {\"a\":1}\nid: a-1\n\n"], false),
        answer("204 No Content", ""),
    ]);
    let output = run(&server, &["subscribe", "--json"]);
    assert_eq!(text(&output.stdout), "{\"type\":\"message\",\"id\":\"a-1\",\"data\":\"{\\\"a\\\":1}\"}\n");
}

#[test]
fn subscribe_ends_at_a_refusal_and_comes_back_after_a_503() {
    let server = Server::new(vec![
        stream(&["retry: 100\n"], false),
        answer("503 Service Unavailable", "{\"error\":\"drain\",\"message\":\"draining\"}"),
        answer("401 Unauthorized", "{\"error\":\"token\",\"message\":\"the token has expired\"}"),
    ]);
    let output = run(&server, &["subscribe"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        text(&output.stderr),
        "the hub answered 503: draining; next attempt in 100ms\nerror: the hub answered 401: the token has expired\n"
    );
}

#[test]
fn subscribe_refuses_what_is_no_event_stream() {
    let page = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 0\r\n\r\n";
    let server = Server::new(vec![vec![page.into()]]);
    let output = run(&server, &["subscribe"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("its media type is \"text/html\""), "{}", text(&output.stderr));
}

/// A subscriber whose stream stays open, and the other end of it.
fn open_subscriber(args: &[&str]) -> (Child, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = Server { url: format!("http://{}", listener.local_addr().unwrap()), requests: channel().1 };
    let child = command(&server, args).spawn().unwrap();
    let (mut socket, _) = listener.accept().unwrap();
    read_request(&mut socket);
    socket.write_all(STREAM_HEAD.as_bytes()).unwrap();
    (child, socket)
}

#[test]
fn each_event_is_printed_while_the_stream_is_open() {
    let (mut child, mut socket) = open_subscriber(&["subscribe"]);
    let mut printed = BufReader::new(child.stdout.take().unwrap());
    for number in 1..=3 {
        // A chunk in two pieces: nothing may wait for a full buffer or the end of the stream.
        let block = format!("data: {number}\nid: a-{number}\n\n");
        socket.write_all(format!("{:X}\r\n{block}", block.len()).as_bytes()).unwrap();
        socket.write_all(b"\r\n").unwrap();
        let mut line = String::new();
        printed.read_line(&mut line).unwrap();
        assert_eq!(line, format!("message a-{number} {number}\n"));
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let (mut child, mut socket) = open_subscriber(&["subscribe"]);
    drop(child.stdout.take());
    // A process that another test is starting may hold a copy of the pipe for a moment: only a later event meets its end.
    let deadline = Instant::now() + Duration::from_secs(20);
    while child.try_wait().unwrap().is_none() && socket.write_all(b"9\r\ndata: 1\n\n\r\n").is_ok() {
        assert!(Instant::now() < deadline, "it goes on printing to nobody");
        thread::park_timeout(Duration::from_millis(10));
    }
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), ""));
}
