//! The listener on a real socket, asked with bare bytes.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use corecast_core::connection::PeerHash;
use corecast_core::engine::census::Census as _;
use corecast_core::hash::HashSeed;
use tokio::sync::oneshot;

use super::listener::{Bounds, serve_within};
use super::*;
use crate::config::{Purpose, Sources, load};
use crate::driver::{Choice, Chosen, Reason};

/// Longer than any answer takes, even on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

fn hub() -> AdminState {
    AdminState {
        shards: Arc::from([Stats::default(), Stats::default()]),
        census: SharedCensus::new(100, 0),
        sequencer: SequencerQueue::new(),
        log: None,
        config: InForce::new(load(&Sources::default(), Purpose::Inspect).unwrap()),
        version: "1.2.3",
        driver: Chosen { choice: Choice::Uring, reason: Reason::Works },
        started: SystemTime::now(),
        control: ControlStats::default(),
        drain: DrainProgress::default(),
        inboxes: Arc::new([]),
        commands: Commands::channel().0,
        listen: (LOOPBACK, 1).into(),
        admin: (LOOPBACK, 2).into(),
        token: None,
        survey: Survey::new(Arc::new([])),
    }
}

/// A listener on a thread of its own, as on the control thread. Stops when dropped.
struct Running {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    fn start(state: AdminState, bounds: Bounds) -> Self {
        let listener = TcpListener::bind((LOOPBACK, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let shutdown = async { stopped.await.unwrap_or(()) };
            runtime.block_on(serve_within(bounds, listener, state, shutdown)).unwrap();
        });
        Self { address, stop: Some(stop), thread: Some(thread) }
    }

    fn connect(&self) -> TcpStream {
        let socket = TcpStream::connect(self.address).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket
    }

    fn ask(&self, request: &str) -> Answer {
        let mut socket = self.connect();
        socket.write_all(request.as_bytes()).unwrap();
        Answer::read(&mut socket)
    }

    fn stop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            thread.join().expect("the listener does not panic");
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop();
    }
}

#[derive(Debug)]
struct Answer {
    status: String,
    head: String,
    body: String,
}

impl Answer {
    /// Everything up to the end of the connection.
    fn read(socket: &mut TcpStream) -> Self {
        let mut text = String::new();
        socket.read_to_string(&mut text).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no head in {text:?}"));
        let status = head.split(' ').nth(1).unwrap().to_owned();
        Self { status, head: head.to_ascii_lowercase(), body: body.to_owned() }
    }
}

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n")
}

/// Whether the other side has closed the connection, which it must do within `PATIENCE`.
fn is_cut_off(socket: &mut TcpStream) -> bool {
    match socket.read(&mut [0; 1]) {
        Ok(bytes) => bytes == 0,
        Err(error) => error.kind() == ErrorKind::ConnectionReset,
    }
}

#[test]
fn every_path_answers_what_it_is_for() {
    let running = Running::start(hub(), Bounds::default());
    let problem = "application/problem+json";
    let cases = [
        ("GET /", "200", "text/html", "<!doctype html>"),
        ("GET /dashboard.js", "200", "text/javascript", "/api/live"),
        ("GET /dashboard.css", "200", "text/css", "{"),
        ("GET /api", "200", "text/plain", "/metrics"),
        ("GET /openapi.json", "200", "application/json", "\"openapi\":\"3.1.0\""),
        ("GET /metrics", "200", "application/openmetrics-text; version=1.0.0", "# EOF\n"),
        ("GET /metrics?format=any", "200", "application/openmetrics-text; version=1.0.0", "# EOF\n"),
        ("GET /healthz", "200", "text/plain", "ok\n"),
        ("GET /readyz", "200", "text/plain", "ready\n"),
        ("GET /metric", "404", problem, "\"detail\":\"there is nothing under `/metric`; /"),
        ("POST /nowhere", "404", problem, "\"title\":\"Not Found\""),
        ("POST /metrics", "405", problem, "this path does not take `POST`"),
        ("DELETE /", "405", problem, "this path does not take `DELETE`"),
        ("BREW /readyz", "405", problem, "`BREW`"),
    ];
    for (line, status, content_type, part) in cases {
        let answer = running.ask(&format!("{line} HTTP/1.1\r\nHost: 127.0.0.1:9180\r\n\r\n"));
        assert_eq!(answer.status, status, "{line}");
        assert!(answer.head.contains(&format!("content-type: {content_type}")), "{line}: {}", answer.head);
        assert!(answer.head.contains("cache-control: no-"), "{line}: {}", answer.head);
        assert_eq!(answer.head.contains("\r\nallow: get,head"), status == "405", "{line}: {}", answer.head);
        assert!(answer.body.contains(part), "{line}: {}", answer.body);
    }
}

#[test]
fn a_head_request_is_answered_without_the_body() {
    let answer = Running::start(hub(), Bounds::default()).ask("HEAD /metrics HTTP/1.1\r\nHost: hub\r\n\r\n");
    assert_eq!((answer.status.as_str(), answer.body.as_str()), ("200", ""));
    assert!(answer.head.contains("content-length: "), "{}", answer.head);
}

#[test]
fn a_draining_hub_is_healthy_but_not_ready() {
    let state = hub();
    let running = Running::start(state.clone(), Bounds::default());
    state.drain.let_go();
    let ready = running.ask(&get("/readyz"));
    assert_eq!((ready.status.as_str(), ready.body.as_str()), ("503", "draining\n"));
    assert_eq!(running.ask(&get("/healthz")).status, "200");
}

#[test]
fn the_metrics_are_those_of_this_moment() {
    let state = hub();
    let running = Running::start(state.clone(), Bounds::default());
    assert!(running.ask(&get("/metrics")).body.contains("\nsse_active_connections 0\n"));
    state.census.try_enter(PeerHash::of(HashSeed::new(1), LOOPBACK)).unwrap();
    state.shards[1].publish(|| crate::shard::stats::Snapshot { streams: 1, ..Default::default() });
    let body = running.ask(&get("/metrics")).body;
    assert!(body.contains("\nsse_active_connections 1\n"), "{body}");
    assert!(body.contains("\ncorecast_streams{shard=\"0\"} 0\ncorecast_streams{shard=\"1\"} 1\n"), "{body}");
}

#[test]
fn a_connection_is_one_exchange_long() {
    let answer = Running::start(hub(), Bounds::default()).ask(&get("/healthz").repeat(2));
    assert!(answer.head.contains("connection: close"), "{}", answer.head);
    assert_eq!(answer.body, "ok\n");
}

#[test]
fn a_head_beyond_its_bound_is_refused() {
    let running = Running::start(hub(), Bounds::default());
    let field = format!("x: {}\r\n", "x".repeat(100));
    // As many bytes as are read and no more: what is left unread would turn the answer into a reset.
    let mut long = format!("GET / HTTP/1.1\r\n{}", field.repeat(90));
    long.truncate(8192);
    let many = format!("GET / HTTP/1.1\r\n{}\r\n", "x: y\r\n".repeat(65));
    for request in [long, many] {
        assert_eq!(running.ask(&request).status, "431");
    }
}

#[test]
fn a_stuck_connection_is_cut_off_and_makes_room() {
    let bounds =
        Bounds { connections_max: 1, exchange_timeout: Duration::from_millis(250), ..Bounds::default() };
    let running = Running::start(hub(), bounds);
    let mut stuck = running.connect();
    stuck.write_all(b"GET /metrics HTTP/1.1\r\n").unwrap();
    assert_eq!(running.ask(&get("/healthz")).status, "200", "the next in line has its turn");
    assert!(is_cut_off(&mut stuck));
}

#[test]
fn a_stop_waits_for_nobody_longer_than_its_grace() {
    let bounds =
        Bounds { shutdown_grace: Duration::from_millis(10), exchange_timeout: PATIENCE, ..Bounds::default() };
    let mut running = Running::start(hub(), bounds);
    let mut stuck = running.connect();
    // Connections are accepted in order: once this is answered, the stuck one has been taken up.
    assert_eq!(running.ask(&get("/healthz")).status, "200");
    let begun = Instant::now();
    running.stop();
    assert!(begun.elapsed() < PATIENCE, "the stuck one has all of this time, but for the stop");
    assert!(is_cut_off(&mut stuck));
}
