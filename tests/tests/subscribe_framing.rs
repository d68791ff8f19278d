//! The bytes of a stream are those that every real client understands.

use std::io::{Read, Write};
use std::net::TcpStream;

use corecast_tests::exchange::{self, Client};
use corecast_tests::hub::Hub;
use corecast_tests::publish::Publisher;
use corecast_tests::request::Subscribe;
use corecast_tests::stream::EventStream;
use corecast_tests::wait::PATIENCE;
use corecast_tests::wire::head::ResponseHead;
use serde_json::json;

/// The head's fields that are the same on every stream.
const STREAM_FIELDS: [(&str, &str); 4] = [
    ("content-type", "text/event-stream; charset=utf-8"),
    ("cache-control", "no-cache, no-store, no-transform"),
    ("x-accel-buffering", "no"),
    ("x-content-type-options", "nosniff"),
];

fn assert_stream_head(head: &ResponseHead) {
    assert_eq!((head.version, head.status), (1, 200));
    for (name, value) in STREAM_FIELDS {
        assert_eq!(head.field(name), Some(value), "{name}");
    }
    for absent in ["content-length", "content-encoding"] {
        assert_eq!(head.field(absent), None, "{absent}");
    }
    let date = head.field("date").expect("a server with a clock says the date");
    assert!(date.len() == 29 && date.ends_with(" GMT"), "{date}");
}

/// The body behind the head.
fn body(raw: &[u8]) -> &[u8] {
    let end = raw.windows(4).position(|w| w == b"\r\n\r\n").expect("a stream has a head");
    &raw[end + 4..]
}

fn chunk(block: &str) -> String {
    format!("{:x}\r\n{block}\r\n", block.len())
}

#[test]
fn a_stream_of_http_1_1_is_chunked_byte_for_byte() {
    let hub = Hub::start();
    let mut stream = EventStream::open(hub.addr(), &Subscribe::to("a"));
    assert_stream_head(stream.head());
    assert_eq!(stream.head().field("transfer-encoding"), Some("chunked"));

    let mut publisher = Publisher::connect(hub.addr());
    publisher.publish(&json!({"topics": ["a"], "data": "x\n\ny", "type": "t", "retry": 9, "id": "i-1"}));
    publisher.publish(&json!({"topics": ["a"], "data": "", "id": "i-2"}));
    stream.next_data(2);
    let expected = [
        chunk(&format!(":\nretry: {}\n", stream.opening_retry())),
        chunk("event: t\nretry: 9\ndata: x\ndata:\ndata: y\nid: i-1\n\n"),
        chunk("data:\nid: i-2\n\n"),
    ];
    // Whether a chunk's size is spelt in upper or lower case is the hub's choice; everything else is not.
    let sent = String::from_utf8(body(stream.raw()).to_vec()).unwrap();
    assert_eq!(sent.to_lowercase(), expected.concat());
}

#[test]
fn a_stream_of_http_1_0_ends_with_its_connection() {
    let hub = Hub::start();
    let mut stream = EventStream::open(hub.addr(), &Subscribe::to("a").http_1_0());
    assert_stream_head(stream.head());
    assert_eq!(stream.head().field("transfer-encoding"), None);
    assert!(stream.head().lists("connection", "close"), "{:?}", stream.head());
    Publisher::connect(hub.addr()).publish(&json!({"topics": ["a"], "data": "x", "id": "i-1"}));
    stream.next_data(1);
    let expected = format!(":\nretry: {}\ndata: x\nid: i-1\n\n", stream.opening_retry());
    assert_eq!(body(stream.raw()), expected.as_bytes());
}

#[test]
fn the_first_bytes_come_in_one_piece_with_the_head() {
    let hub = Hub::start();
    for request in [Subscribe::to("a"), Subscribe::to("a").http_1_0()] {
        let mut socket = TcpStream::connect(hub.addr()).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket.write_all(&request.encode()).unwrap();
        let mut buf = [0; 4096];
        let read = socket.read(&mut buf).unwrap();
        let text = String::from_utf8_lossy(&buf[..read]);
        assert!(text.contains("\r\n\r\n") && text.contains(":\nretry: "), "{text:?}");
    }
}

#[test]
fn reconnection_times_are_spread() {
    let hub = Hub::builder().set("stream.retry", "3s").start();
    let mut times: Vec<u64> =
        (0..50).map(|_| EventStream::open(hub.addr(), &Subscribe::to("a")).opening_retry()).collect();
    assert!(times.iter().all(|t| (3000..=6000).contains(t)), "{times:?}");
    times.sort_unstable();
    times.dedup();
    // Of 3,001 values 50 draws repeat some now and then; that only half of them differ never happens by chance.
    assert!(times.len() > 25, "{times:?}");
}

#[test]
fn heartbeats_are_bare_comments_that_count_silence() {
    let hub = Hub::builder().set("stream.heartbeat", "200ms").start();
    let mut chunked = EventStream::open(hub.addr(), &Subscribe::to("a"));
    let mut plain = EventStream::open(hub.addr(), &Subscribe::to("a").http_1_0());
    chunked.wait_for_comments(3);
    plain.wait_for_comments(3);
    Publisher::connect(hub.addr()).to_topic("a", "after");
    for stream in [&mut chunked, &mut plain] {
        assert_eq!(stream.next_data(1), ["after"], "heartbeats are no events");
    }
    let opening = format!(":\nretry: {}\n", chunked.opening_retry());
    let expected = [chunk(&opening), chunk(":\n"), chunk(":\n")].concat();
    assert!(body(chunked.raw()).starts_with(expected.as_bytes()));
    let expected = format!(":\nretry: {}\n:\n:\n", plain.opening_retry());
    assert!(body(plain.raw()).starts_with(expected.as_bytes()));
}

#[test]
fn head_answers_as_get_without_a_body_or_a_stream() {
    let hub = Hub::start();
    let mut client = Client::connect(hub.addr());
    client.send(&Subscribe::to("a").method("HEAD").encode());
    assert_stream_head(&client.read_head_answer().head);
    client.send(b"GET /healthz HTTP/1.1\r\nHost: hub.test\r\n\r\n");
    assert_eq!(client.read_answer().status(), 200, "the connection stays usable");
    assert_eq!(hub.metric("sse_active_connections"), 0.0);
}

#[test]
fn preflights_are_always_answered() {
    let hub = Hub::builder().set("cors.origins", vec!["https://app.test"]).start();
    for (path, method) in [("/events", "GET"), ("/publish", "POST")] {
        let request = format!(
            "OPTIONS {path} HTTP/1.1\r\nHost: hub.test\r\nOrigin: https://app.test\r\n\
             Access-Control-Request-Method: {method}\r\nAccess-Control-Request-Headers: last-event-id\r\n\r\n"
        );
        let head = exchange::send(hub.addr(), request.as_bytes()).head;
        assert_eq!(head.status, 204, "{path}");
        assert_eq!(head.field("access-control-allow-origin"), Some("https://app.test"));
        assert_eq!(head.field("access-control-allow-credentials"), Some("true"));
        assert_eq!(head.field("access-control-max-age"), Some("7200"));
        assert!(head.lists("access-control-allow-methods", method), "{path}: {method}");
        for field in ["Authorization", "Cache-Control", "Last-Event-ID", "Content-Type"] {
            assert!(head.lists("access-control-allow-headers", field), "{path}: {field}");
        }
    }
}

#[test]
fn only_listed_origins_may_read() {
    let hub = Hub::builder().set("cors.origins", vec!["https://app.test"]).start();
    let head = |origin: &str| {
        EventStream::open(hub.addr(), &Subscribe::to("a").field("Origin", origin)).head().clone()
    };
    let listed = head("https://app.test");
    assert_eq!(listed.field("access-control-allow-origin"), Some("https://app.test"));
    assert_eq!(listed.field("access-control-allow-credentials"), Some("true"));
    for origin in ["https://evil.test", "https://app.test.evil.test", "http://app.test", "null"] {
        let unlisted = head(origin);
        assert_eq!(unlisted.field("access-control-allow-origin"), None, "{origin}");
        assert!(unlisted.lists("vary", "Origin"), "a cache must not serve one origin's answer to another");
    }
}

#[test]
fn a_block_of_65_535_bytes_passes_and_one_more_byte_does_not() {
    let hub = Hub::start();
    let mut stream = EventStream::open(hub.addr(), &Subscribe::to("a"));
    let mut publisher = Publisher::connect(hub.addr());
    // `data: ` LF `id: i` LF LF are 14 bytes beside the data.
    let event =
        |block_bytes: usize| json!({"topics": ["a"], "data": "x".repeat(block_bytes - 14), "id": "i"});
    assert_eq!(publisher.try_publish(&event(65_536)).status(), 413);
    publisher.publish(&event(65_535));
    assert_eq!(stream.next_event().data.len(), 65_535 - 14);
}

#[test]
fn curl_reads_both_framings() {
    let hub = Hub::start();
    let mut publisher = Publisher::connect(hub.addr());
    let first = publisher.to_topic("a", "missed");
    publisher.publish(&json!({"topics": ["a"], "data": "one\ntwo", "id": "last"}));
    for version in ["--http1.0", "--http1.1"] {
        let url = format!("http://{}/events?topic=a&last_event_id={first}", hub.addr());
        let output = std::process::Command::new("curl")
            .args([
                "--silent",
                "--no-buffer",
                "--max-time",
                "1",
                version,
                "--header",
                "Accept: text/event-stream",
            ])
            .arg(url)
            .output()
            .expect("curl is installed; scripts/test installs it");
        // 28 is curl's own end after --max-time: it found nothing wrong with the framing before.
        assert_eq!(output.status.code(), Some(28), "{version}: {}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.starts_with(":\nretry: "), "{version}: {text:?}");
        assert!(text.ends_with("data: one\ndata: two\nid: last\n\n"), "{version}: {text:?}");
    }
}
