//! Whatever is wrong with a request, the answer says what, the hub lives, and nothing is taken half.

use std::time::{Duration, Instant};

use corecast_tests::exchange::{self, Answer, Client};
use corecast_tests::hub::Hub;
use corecast_tests::publish::Publisher;
use corecast_tests::request::Subscribe;
use corecast_tests::stream::EventStream;
use corecast_tests::token::Token;
use corecast_tests::wire::printable;
use serde_json::{Value, json};

const HEAD_BYTES_MAX: usize = 16_384;

/// A head with `{}` filled up to `bytes` in all.
fn padded_head(bytes: usize) -> Vec<u8> {
    let (front, back) = ("GET /healthz HTTP/1.1\r\nHost: hub.test\r\nPadding: ", "\r\n\r\n");
    [front.to_owned(), "x".repeat(bytes - front.len() - back.len()), back.to_owned()].concat().into_bytes()
}

#[test]
fn malformed_heads_are_refused_and_closed() {
    let hub = Hub::start();
    let cases: &[(&[u8], u16)] = &[
        (b"NONSENSE\r\n\r\n", 400),
        (b"GET /events\r\n\r\n", 400),
        (b"GET  /events HTTP/1.1\r\nHost: h\r\n\r\n", 400),
        (b"GET /events  HTTP/1.1\r\nHost: h\r\n\r\n", 400),
        (b"GET /ev ents HTTP/1.1\r\nHost: h\r\n\r\n", 400),
        (b"G\x00T /events HTTP/1.1\r\nHost: h\r\n\r\n", 400),
        (b"GET /events HTTP/1.1\r\nHost : h\r\n\r\n", 400),
        (b"GET /events HTTP/1.1\r\n Host: h\r\n\r\n", 400),
        (b"GET /events HTTP/1.1\r\nHost: h\r\nX: a\r\n folded\r\n\r\n", 400),
        (b"GET /events HTTP/1.1\r\nHost: h\r\nX: a\x00b\r\n\r\n", 400),
        (b"GET /events HTTP/1.1\r\nHost: h\r\nno colon\r\n\r\n", 400),
        (b"GET /events HTTP/1.1\r\n\r\n", 400),
        (b"GET /events HTTP/1.1\r\nHost: h\r\nHost: i\r\n\r\n", 400),
        (
            b"POST /publish HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n",
            400,
        ),
        (b"POST /publish HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}", 400),
        (b"POST /publish HTTP/1.1\r\nHost: h\r\nContent-Length: +2\r\n\r\n{}", 400),
        (b"POST /publish HTTP/1.1\r\nHost: h\r\nContent-Length: 2, 2\r\n\r\n{}", 400),
        (b"POST /publish HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999999999999\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
    ];
    // Side by side: after a refusal the hub reads on for a moment, so that its answer is not lost in a reset.
    std::thread::scope(|scope| {
        for (request, status) in cases {
            let addr = hub.addr();
            scope.spawn(move || {
                let mut client = Client::connect(addr);
                client.try_send(request);
                let answer = client.read_answer();
                assert_eq!(answer.status(), *status, "{}", printable(request));
                assert!(answer.head.lists("connection", "close"), "{}", printable(request));
                assert_eq!(client.read_to_end(), b"", "{}", printable(request));
            });
        }
    });
    assert_eq!(exchange::get(hub.addr(), "/healthz").status(), 200);
}

#[test]
fn a_head_may_have_its_limit_and_no_byte_more() {
    let hub = Hub::start();
    assert_eq!(exchange::send(hub.addr(), &padded_head(HEAD_BYTES_MAX)).status(), 200);
    assert_eq!(exchange::send(hub.addr(), &padded_head(HEAD_BYTES_MAX + 1)).status(), 431);
    // A head without an end is refused as soon as it is too long, not when it ends.
    assert_eq!(
        exchange::send(hub.addr(), &padded_head(10 * HEAD_BYTES_MAX)[..5 * HEAD_BYTES_MAX]).status(),
        431
    );
    let many_fields = "X: y\r\n".repeat(200);
    let request = format!("GET /healthz HTTP/1.1\r\nHost: h\r\n{many_fields}\r\n");
    assert_eq!(exchange::send(hub.addr(), request.as_bytes()).status(), 431);
}

#[test]
fn malformed_chunks_are_refused() {
    let hub = Hub::start();
    for body in ["x\r\n", "\r\n", "-1\r\n", "2\r\n{}x", "2 2\r\n{}\r\n0\r\n\r\n"] {
        let request = format!(
            "POST /publish HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\n\
             Transfer-Encoding: chunked\r\n\r\n{body}",
            Token::publisher().sign()
        );
        let answer = exchange::send(hub.addr(), request.as_bytes());
        assert_eq!(answer.status(), 400, "{body:?}");
        assert!(answer.head.lists("connection", "close"), "{body:?}");
    }
}

#[test]
fn a_head_that_does_not_end_is_refused_at_its_deadline() {
    let hub = Hub::builder().set("limits.head_timeout", "1s").start();
    let body_begun =
        b"POST /publish HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{";
    let cases: [&[u8]; 2] = [b"GET /events HTTP/1.1\r\nHost: h\r\n", body_begun];
    for begun in cases {
        let mut client = Client::connect(hub.addr());
        let begin = Instant::now();
        client.send(begun);
        let answer = client.read_answer();
        let took = begin.elapsed();
        // A publisher without a token may be told so before its body is there.
        assert!(matches!(answer.status(), 408 | 401), "{}", answer.status());
        if answer.status() == 408 {
            assert!(took >= Duration::from_millis(900) && took < Duration::from_secs(5), "{took:?}");
        }
        assert_eq!(client.read_to_end(), b"");
    }
}

#[test]
fn dribbling_does_not_move_the_deadline() {
    let hub = Hub::builder().set("limits.head_timeout", "1s").start();
    let mut client = Client::connect(hub.addr());
    let begin = Instant::now();
    client.send(b"GET /events HTTP/1.1\r\nHost: h\r\n");
    // Ten times a second another field: bytes keep coming, the head never ends.
    while !client.has_answer_within(Duration::from_millis(100)) {
        client.try_send(b"X: y\r\n");
        assert!(begin.elapsed() < Duration::from_secs(10), "the deadline moved");
    }
    assert_eq!(client.read_answer().status(), 408);
}

#[test]
fn a_wrong_publish_body_is_refused_by_the_name_of_its_field() {
    let hub = Hub::start();
    let mut stream = EventStream::open(hub.addr(), &Subscribe::to("t"));
    let mut publisher = Publisher::connect(hub.addr());
    let long = "x".repeat(70_000);
    let cases: &[(Value, u16, &str)] = &[
        (json!({"topics": ["t"], "data": "x", "colour": 1}), 400, "colour"),
        (json!({"topics": ["t"], "users": ["alice"], "data": "x"}), 400, "users"),
        (json!({"topics": ["t"], "all": true, "data": "x"}), 400, "all"),
        (json!({"data": "x"}), 400, "topics"),
        (json!({"topics": [], "data": "x"}), 400, "topics"),
        (json!({"topics": "t", "data": "x"}), 400, "topics"),
        (json!({"topics": [""], "data": "x"}), 400, "topics"),
        (json!({"topics": ["corecast:all"], "data": "x"}), 400, "topics"),
        (json!({"topics": ["a\u{0}b"], "data": "x"}), 400, "topics"),
        (json!({"topics": ["x".repeat(1025)], "data": "x"}), 400, "topics"),
        (
            json!({"topics": vec!["t"; 1].into_iter().chain(std::iter::repeat_n("u", 1000)).collect::<Vec<_>>(), "data": "x"}),
            400,
            "topics",
        ),
        (json!({"users": [7], "data": "x"}), 400, "users"),
        (json!({"all": false, "data": "x"}), 400, "all"),
        (json!({"all": "yes", "data": "x"}), 400, "all"),
        (json!({"topics": ["t"], "data": "x", "id": ""}), 400, "id"),
        (json!({"topics": ["t"], "data": "x", "id": "a b"}), 400, "id"),
        (json!({"topics": ["t"], "data": "x", "id": "a\nb"}), 400, "id"),
        (json!({"topics": ["t"], "data": "x", "id": "x".repeat(129)}), 400, "id"),
        (json!({"topics": ["t"], "data": "x", "id": 7}), 400, "id"),
        (json!({"topics": ["t"], "data": "x", "type": "a\nb"}), 400, "type"),
        (json!({"topics": ["t"], "data": "x", "type": "corecast.drain"}), 400, "type"),
        (json!({"topics": ["t"], "data": "x", "retry": -1}), 400, "retry"),
        (json!({"topics": ["t"], "data": "x", "retry": 2_147_483_648_u64}), 400, "retry"),
        (json!({"topics": ["t"], "data": "x", "retry": "3s"}), 400, "retry"),
        (json!({"topics": ["t"], "data": "x", "private": 1}), 400, "private"),
        (json!({"topics": ["t"], "data": "x", "ttl": "soon"}), 400, "ttl"),
        (json!({"topics": ["t"], "data": "x", "ephemeral": "no"}), 400, "ephemeral"),
        (json!({"topics": ["t"], "data": "a\u{0}b"}), 400, "data"),
        (json!({"topics": ["t"], "data": long}), 413, "data"),
    ];
    for (event, status, field) in cases {
        let answer = publisher.try_publish(event);
        let shown: String = event.to_string().chars().take(200).collect();
        assert_eq!(answer.status(), *status, "{shown}: {}", answer.text());
        assert_names(&answer, field);
    }
    publisher.to_topic("t", "the only one that was taken");
    assert_eq!(stream.next_data(1), ["the only one that was taken"]);
}

#[test]
fn a_body_that_is_no_json_object_is_refused() {
    let hub = Hub::start();
    let mut publisher = Publisher::connect(hub.addr());
    let duplicate = br#"{"topics":["t"],"data":"x","data":"y"}"#;
    let bodies: [&[u8]; 7] =
        [b"", b"{", b"[]", b"\"x\"", b"{}{}", b"{\"topics\":[\"\xff\"],\"data\":\"\"}", duplicate];
    for body in bodies {
        let answer = publisher.post("/publish", "application/json", body);
        assert_eq!(answer.status(), 400, "{}", printable(body));
        assert!(answer.json()["error"].is_string() && answer.json()["message"].is_string());
    }
}

#[test]
fn a_body_above_every_bound_is_refused_unread() {
    let hub = Hub::start();
    let request = format!(
        "POST /publish HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\n\
         Content-Length: 1000000000\r\n\r\n",
        Token::publisher().sign()
    );
    let answer = exchange::send(hub.addr(), request.as_bytes());
    assert_eq!(answer.status(), 413);
    assert!(answer.head.lists("connection", "close"));
}

#[test]
fn a_wrong_subscription_is_refused_by_the_name_of_its_parameter() {
    let hub = Hub::start();
    let many = (0..300).fold(Subscribe::new(), |request, n| request.topic(&format!("t{n}")));
    let cases = [
        (Subscribe::to(""), "topic"),
        (Subscribe::to("a\nb"), "topic"),
        (Subscribe::to(&"x".repeat(1025)), "topic"),
        (many, "topic"),
        (Subscribe::to("t").client_id(&"x".repeat(256)), "client_id"),
        (Subscribe::to("t").client_id("a\nb"), "client_id"),
    ];
    for (request, parameter) in cases {
        let answer = exchange::send(hub.addr(), &request.encode());
        assert_eq!(answer.status(), 400, "{parameter}: {}", answer.text());
        assert_names(&answer, parameter);
    }
}

#[test]
fn wrong_paths_methods_and_media_types_have_their_own_statuses() {
    let hub = Hub::start();
    assert_eq!(exchange::get(hub.addr(), "/nowhere").status(), 404);
    for (method, path, allowed) in [
        ("DELETE", "/events", &["GET", "HEAD", "OPTIONS"][..]),
        ("GET", "/publish", &["POST", "OPTIONS"]),
        ("BREW", "/healthz", &["GET"]),
    ] {
        let request = format!("{method} {path} HTTP/1.1\r\nHost: h\r\n\r\n");
        let answer = exchange::send(hub.addr(), request.as_bytes());
        assert_eq!(answer.status(), 405, "{method} {path}");
        for method in allowed {
            assert!(answer.head.lists("allow", method), "{path}: {:?}", answer.head);
        }
    }
    let answer = Publisher::connect(hub.addr()).post("/publish", "application/xml", b"<event/>");
    assert_eq!(answer.status(), 415);
}

#[test]
fn bytes_behind_a_subscribe_request_are_ignored_up_to_a_bound() {
    let hub = Hub::start();
    let request = Subscribe::to("t");
    let mut client = Client::connect(hub.addr());
    client.send(&[request.encode(), b"a few stray bytes".to_vec()].concat());
    let mut stream = EventStream::answer_to(client.into_socket(), &request);
    Publisher::connect(hub.addr()).to_topic("t", "still here");
    assert_eq!(stream.next_data(1), ["still here"]);

    let mut flood = EventStream::open(hub.addr(), &request);
    flood.flood();
    hub.wait_for_connections(1);
}

#[test]
fn a_client_that_half_closes_is_gone() {
    let hub = Hub::start();
    let stream = EventStream::open(hub.addr(), &Subscribe::to("t"));
    hub.wait_for_connections(1);
    stream.into_socket().shutdown(std::net::Shutdown::Write).unwrap();
    hub.wait_for_connections(0);
}

fn assert_names(answer: &Answer, field: &str) {
    let body = answer.json();
    assert!(body["error"].is_string(), "{body}");
    assert!(body["message"].as_str().is_some_and(|m| m.contains(field)), "{field} is not named: {body}");
}
