//! Requests that are no streams: kept connections, pipelining, refusals, patience, and how connections end behind them.

use std::time::Duration;

use super::Harness;
use super::harness::post;
use crate::close_reason::CloseReason;

const HEALTH: &str = "GET /healthz HTTP/1.1\r\nHost: hub\r\n\r\n";

fn plain(method: &str, target: &str, headers: &str) -> String {
    format!("{method} {target} HTTP/1.1\r\nHost: hub\r\n{headers}\r\n")
}

#[test]
fn a_connection_is_kept_for_the_next_request() {
    let mut hub = Harness::new();
    let client = hub.connect();
    for _ in 0..3 {
        hub.send(client, HEALTH);
        let answer = hub.answer(client);
        assert_eq!((answer.status, answer.body.as_str()), (200, "ok\n"));
        assert!(!answer.closes());
    }
    assert!(!hub.is_closed(client));
    assert_eq!((hub.counters().accepted, hub.counters().requests), (1, 3));
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let mut hub = Harness::new();
    let token = hub.publisher_token();
    let client = hub.connect();
    let publish = post(&token, r#"{"topics":["a"],"data":"x"}"#);
    let missing = plain("GET", "/nothing", "");
    hub.send(client, [HEALTH, &publish, &missing, HEALTH].concat());
    let statuses: Vec<_> = hub.answers(client).iter().map(|answer| answer.status).collect();
    assert_eq!(statuses, [200, 200, 404, 200]);
    assert!(!hub.is_closed(client));
}

#[test]
fn a_request_may_be_split_at_every_byte() {
    let mut hub = Harness::new();
    let token = hub.publisher_token();
    let chunked = format!(
        "POST /publish HTTP/1.1\r\nHost: hub\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n\
         Transfer-Encoding: chunked\r\n\r\n8\r\n{{\"all\":t\r\n10;x=y\r\nrue,\"data\":\"hi\"}}\r\n0\r\n\r\n"
    );
    for request in [HEALTH.to_owned(), post(&token, r#"{"all":true,"data":"hi"}"#), chunked] {
        for at in 1..request.len() {
            let client = hub.request(&request[..at]);
            assert!(hub.received(client).is_empty(), "no answer to {:?}", &request[..at]);
            hub.send(client, &request[at..]);
            assert_eq!(hub.answer(client).status, 200, "split at {at}");
            hub.hang_up(client);
        }
        let client = hub.connect();
        request.bytes().for_each(|byte| hub.send(client, [byte]));
        assert_eq!(hub.answer(client).status, 200, "byte by byte");
    }
}

#[test]
fn http_1_0_and_connection_close_end_behind_the_answer() {
    let mut hub = Harness::new();
    for request in ["GET /healthz HTTP/1.0\r\n\r\n", &plain("GET", "/healthz", "Connection: close\r\n")] {
        let client = hub.request(request);
        let answer = hub.answer(client);
        assert!(answer.status == 200 && answer.closes());
        assert!(hub.is_closed(client));
    }
    assert_eq!(hub.counters().closes[CloseReason::Done.index()], 2);
    assert_eq!(hub.engine().connections(), 0);
}

#[test]
fn a_body_that_waits_is_asked_for_once() {
    let mut hub = Harness::new();
    let token = hub.publisher_token();
    let body = r#"{"all":true,"data":1}"#;
    let request = post(&token, body).replace("Content-Length", "Expect: 100-continue\r\nContent-Length");
    let head = request.strip_suffix(body).unwrap();
    let client = hub.request(head);
    assert_eq!(hub.answer(client).status, 100);
    hub.send(client, body);
    assert_eq!(hub.answer(client).status, 200);

    // Who does not wait is not asked.
    hub.send(client, &request);
    assert_eq!(hub.answer(client).status, 200);
}

#[test]
fn a_body_that_is_refused_is_never_asked_for() {
    let mut hub = Harness::new();
    let client = hub.request(
        "POST /publish HTTP/1.1\r\nHost: hub\r\nContent-Type: application/json\r\nExpect: 100-continue\r\n\
         Content-Length: 10\r\n\r\n",
    );
    let answer = hub.answer(client);
    assert!(answer.status == 401 && answer.closes());
    assert_eq!(hub.counters().tokens_rejected, 1);
}

#[test]
fn head_is_get_without_the_body() {
    let mut hub = Harness::new();
    let client = hub.connect();
    for (target, status) in
        [("/healthz", "200 OK"), ("/readyz", "200 OK"), ("/", "200 OK"), ("/x", "404 Not Found")]
    {
        hub.send(client, plain("HEAD", target, ""));
        let text = hub.text(client);
        assert!(text.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{target}: {text}");
        assert!(text.ends_with("\r\n\r\n"), "{target} has no body");
        assert!(text.contains("Content-Length: "), "{target} tells the length of its body");
    }
}

#[test]
fn head_of_a_stream_registers_nothing() {
    let mut hub = Harness::with(|settings| settings.anonymous = false);
    let token = hub.token("alice");
    let client = hub.request(plain("HEAD", "/events?topic=a", &super::harness::bearer(&token)));
    let text = hub.text(client);
    assert!(text.starts_with("HTTP/1.1 200 OK\r\n") && text.contains("text/event-stream"), "{text}");
    assert!(text.ends_with("\r\n\r\n"));
    assert_eq!((hub.engine().streams(), hub.streams_counted()), (0, 0));

    // The connection is as it was, and a `HEAD` that a `GET` would refuse is refused.
    hub.send(client, plain("HEAD", "/events?topic=a", ""));
    assert!(hub.text(client).starts_with("HTTP/1.1 401 "));
    hub.send(client, HEALTH);
    assert_eq!(hub.answer(client).status, 200);
}

#[test]
fn a_body_behind_head_of_a_stream_is_not_the_next_request() {
    let mut hub = Harness::new();
    let smuggled = "GET /healthz HTTP/1.1\r\nHost: hub\r\n\r\n";
    let headers = format!("Content-Length: {}\r\n", smuggled.len());
    let client = hub.request(plain("HEAD", "/events", &headers) + smuggled);
    assert_eq!(hub.counters().requests, 1);
    assert!(hub.text(client).starts_with("HTTP/1.1 400 "));
}

#[test]
fn other_paths_and_methods_are_told_what_there_is() {
    let mut hub = Harness::new();
    let client = hub.connect();
    for (method, target, status, allow) in [
        ("GET", "/", 200, None),
        ("GET", "/readyz", 200, None),
        ("GET", "/nothing", 404, None),
        ("DELETE", "/nothing", 404, None),
        ("GET", "/publish", 405, Some("POST, OPTIONS")),
        ("POST", "/events", 405, Some("GET, HEAD, OPTIONS")),
        ("PUT", "/healthz", 405, Some("GET, HEAD, OPTIONS")),
        ("OPTIONS", "/nothing", 404, None),
        ("OPTIONS", "*", 204, Some("GET, HEAD, OPTIONS")),
    ] {
        hub.send(client, plain(method, target, ""));
        let answer = hub.answer(client);
        assert_eq!((answer.status, answer.header("Allow")), (status, allow), "{method} {target}");
    }
    assert!(!hub.is_closed(client), "none of this ends the connection");
}

#[test]
fn a_preflight_names_listed_origins_only() {
    let mut hub = Harness::with(|settings| settings.cors.origins = vec!["https://shop.example".into()]);
    for (target, methods) in [("/events", "GET, HEAD, OPTIONS"), ("/publish", "POST, OPTIONS")] {
        for (origin, named) in
            [("https://shop.example", Some("https://shop.example")), ("https://evil.example", None)]
        {
            let headers = format!("Origin: {origin}\r\nAccess-Control-Request-Method: GET\r\n");
            let client = hub.request(plain("OPTIONS", target, &headers));
            let answer = hub.answer(client);
            assert_eq!(answer.status, 204);
            assert_eq!(answer.header("Access-Control-Allow-Methods"), Some(methods));
            assert_eq!(answer.header("Access-Control-Allow-Origin"), named);
        }
    }
}

#[test]
fn pages_of_listed_origins_can_read_why_they_are_refused() {
    let mut hub = Harness::with(|settings| {
        settings.anonymous = false;
        settings.cors.origins = vec!["https://shop.example".into()];
    });
    for target in ["/events", "/nothing", "/publish"] {
        let client = hub.request(plain("GET", target, "Origin: https://shop.example\r\n"));
        let answer = hub.answer(client);
        assert!(answer.status >= 400);
        assert_eq!(answer.header("Access-Control-Allow-Origin"), Some("https://shop.example"), "{target}");
    }
}

#[test]
fn a_body_that_is_too_big_is_refused_before_it_comes() {
    let mut hub = Harness::with(|settings| settings.limits.event_bytes = 1000);
    let token = hub.publisher_token();
    let client = hub.request(format!(
        "POST /publish?all=1 HTTP/1.1\r\nHost: hub\r\nAuthorization: Bearer {token}\r\nContent-Type: text/plain\r\n\
         Expect: 100-continue\r\nContent-Length: 1001\r\n\r\n"
    ));
    let answer = hub.answer(client);
    assert!(answer.status == 413 && answer.closes());
    assert_eq!(hub.counters().requests_rejected, 1);
}

#[test]
fn a_head_that_is_too_big_is_refused_while_it_comes() {
    let mut hub = Harness::with(|settings| settings.limits.head_bytes = 1000);
    let client = hub.request("GET /healthz HTTP/1.1\r\nHost: hub\r\n");
    hub.send(client, format!("X-Long: {}", "x".repeat(1000)));
    assert_eq!(hub.answer(client).status, 431);
    let client = hub.request(format!("GET /{} HTTP/1.1\r\n", "x".repeat(1000)));
    assert_eq!(hub.answer(client).status, 414);
}

#[test]
fn a_dribbled_head_meets_its_deadline() {
    let mut hub = Harness::new();
    let client = hub.connect();
    for byte in HEALTH.bytes().take(11) {
        assert!(hub.received(client).is_empty(), "patience has not ended");
        hub.send(client, [byte]);
        hub.advance(Duration::from_millis(999));
    }
    let answer = hub.answer(client);
    assert!(answer.status == 408 && answer.closes());
    assert_eq!(hub.counters().closes[CloseReason::RequestTimeout.index()], 0, "the peer may still read");
    hub.advance_secs(2);
    assert!(hub.is_closed(client));
    assert_eq!(hub.counters().closes[CloseReason::RequestTimeout.index()], 1);
}

#[test]
fn patience_with_a_new_connection_begins_with_it() {
    let mut hub = Harness::new();
    let client = hub.connect();
    hub.advance_secs(9);
    hub.send(client, "GET");
    hub.advance_secs(2);
    assert_eq!(hub.answer(client).status, 408);
}

#[test]
fn patience_with_a_body_begins_with_the_body() {
    let mut hub = Harness::new();
    let token = hub.publisher_token();
    let request = post(&token, r#"{"all":true,"data":1}"#);
    let (head, body) = request.split_at(request.len() - 10);
    let client = hub.connect();
    hub.advance_secs(9);
    hub.send(client, head);
    hub.advance_secs(9);
    hub.send(client, &body[..5]);
    hub.advance_secs(2);
    assert_eq!(hub.answer(client).status, 408);
}

#[test]
fn what_comes_late_does_not_cut_off_the_answer() {
    let mut hub = Harness::new();
    let client = hub.request("GET /he");
    hub.stall(client);
    hub.advance_secs(11);
    assert!(hub.received(client).is_empty());
    hub.send(client, "althz HTTP/1.1\r\n\r\n");
    assert!(!hub.is_closed(client), "the answer has not gone out yet");
    hub.unstall(client);
    assert_eq!(hub.answer(client).status, 408);
    assert!(!hub.is_closed(client), "the hub listens a little longer");
    hub.advance_secs(2);
    assert!(hub.is_closed(client));
}

#[test]
fn who_says_nothing_is_not_answered() {
    let mut hub = Harness::new();
    let client = hub.connect();
    hub.advance_secs(11);
    assert!(hub.is_closed(client) && hub.received(client).is_empty());
    assert_eq!(hub.counters().closes[CloseReason::IdleTimeout.index()], 1);
}

#[test]
fn a_kept_connection_may_idle_longer_than_a_new_one() {
    let mut hub = Harness::new();
    let client = hub.request(HEALTH);
    hub.take(client);
    hub.advance_secs(299);
    hub.send(client, HEALTH);
    assert_eq!(hub.answer(client).status, 200);
    hub.send(client, "GET");
    hub.advance_secs(11);
    assert_eq!(hub.answer(client).status, 408, "within a request patience is that of a head");

    let client = hub.request(HEALTH);
    hub.take(client);
    hub.advance_secs(301);
    assert!(hub.is_closed(client) && hub.received(client).is_empty());
}

#[test]
fn a_half_sent_request_ends_with_its_peer() {
    let mut hub = Harness::new();
    let token = hub.publisher_token();
    let publish = post(&token, r#"{"all":true,"data":1}"#);
    for request in ["G", &HEALTH[..HEALTH.len() - 1], &publish[..publish.len() - 1]] {
        let client = hub.request(request);
        hub.finish_sending(client);
        assert!(hub.is_closed(client) && hub.received(client).is_empty());
    }
    assert_eq!(hub.counters().closes[CloseReason::PeerGone.index()], 3);
    assert_eq!(hub.counters().published, 0);
}

#[test]
fn a_peer_that_only_stops_sending_gets_its_answer() {
    let mut hub = Harness::new();
    let client = hub.connect();
    hub.say(client, HEALTH);
    hub.finish_sending(client);
    assert_eq!(hub.answer(client).status, 200);
    assert!(hub.is_closed(client));
}

#[test]
fn behind_an_error_the_hub_listens_until_the_peer_is_done() {
    for (ends, seconds) in [(true, 0), (false, 2)] {
        let mut hub = Harness::new();
        let client = hub.request("nonsense\r\n\r\n");
        let answer = hub.answer(client);
        assert!(answer.status == 400 && answer.closes());
        hub.send(client, "more nonsense");
        assert!(!hub.is_closed(client));
        if ends {
            hub.finish_sending(client);
        }
        hub.advance_secs(seconds);
        assert!(hub.is_closed(client));
        assert_eq!(hub.counters().closes[CloseReason::BadRequest.index()], 1);
    }
}

#[test]
fn the_hub_does_not_listen_for_ever() {
    let mut hub = Harness::new();
    let client = hub.request("nonsense\r\n\r\n");
    for _ in 0..4 {
        assert!(!hub.is_closed(client));
        hub.send(client, vec![b'x'; 64 * 1024]);
    }
    assert!(hub.is_closed(client));
}

#[test]
fn a_peer_that_takes_no_answer_is_dead() {
    let mut hub = Harness::new();
    let client = hub.connect();
    hub.set_room(client, 10);
    hub.send(client, HEALTH);
    assert!(hub.is_blocked(client));
    hub.advance_secs(29);
    assert!(!hub.is_closed(client));
    hub.advance_secs(2);
    assert!(hub.is_closed(client));
    assert_eq!(hub.counters().closes[CloseReason::DeadPeer.index()], 1);
}

#[test]
fn an_answer_may_go_out_byte_by_byte() {
    let mut hub = Harness::new();
    let client = hub.connect();
    hub.stall(client);
    hub.send(client, [HEALTH, HEALTH].concat());
    while hub.is_blocked(client) {
        hub.take_in(client, 1);
    }
    hub.unstall(client);
    let statuses: Vec<_> = hub.answers(client).iter().map(|answer| answer.status).collect();
    assert_eq!(statuses, [200, 200]);
}
