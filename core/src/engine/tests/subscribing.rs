//! How a stream begins: its head and first bytes, tokens and their places, and what is refused.

use std::time::Duration;

use super::Harness;
use super::harness::{bearer, event, get};
use crate::close_reason::CloseReason;

#[test]
fn the_first_bytes_of_a_stream_are_these() {
    let mut hub = Harness::new();
    let client = hub.subscribe("topic=a");
    let retry = hub.seen(client).retry;
    assert!((3000..=6000).contains(&retry), "{retry}");
    let first = format!(":\nretry: {retry}\n");
    let expected = format!(
        "HTTP/1.1 200 OK\r\nDate: Mon, 02 Nov 2026 09:00:00 GMT\r\n\
         Content-Type: text/event-stream; charset=utf-8\r\nCache-Control: no-cache, no-store, no-transform\r\n\
         X-Accel-Buffering: no\r\nX-Content-Type-Options: nosniff\r\nTransfer-Encoding: chunked\r\nCorecast-Heartbeat: 15\r\n\
         Last-Event-ID: 000000000000c0de-0\r\n\r\n\
         {:x}\r\n{first}\r\n",
        first.len()
    );
    assert_eq!(hub.text(client), expected);
    assert_eq!(hub.sends(client).len(), 1, "head and first bytes go out in one send");
}

#[test]
fn a_stream_that_has_seen_nothing_is_told_where_it_begins() {
    let mut hub = Harness::new();
    hub.publish(event("b", "1"));
    let client = hub.subscribe("topic=a");
    assert!(hub.text(client).contains("\r\nLast-Event-ID: 000000000000c0de-1\r\n"));
    hub.publish(event("a", "2"));
    let back = hub.subscribe("topic=a&last_event_id=000000000000c0de-1");
    let text = hub.text(back);
    assert!(text.contains("data: 2\n") && !text.contains("Last-Event-ID"), "who resumes knows: {text}");
}

#[test]
fn http_1_0_gets_a_body_that_ends_with_the_connection() {
    let mut hub = Harness::new();
    let client = hub.request("GET /events?topic=a HTTP/1.0\r\n\r\n");
    let id = hub.publish(event("a", "x"));
    let text = hub.text(client);
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    assert!(head.contains("\r\nConnection: close") && !head.contains("Transfer-Encoding"), "{head}");
    let (first, rest) = body.split_at(body.find("data").unwrap());
    assert!(first.starts_with(":\nretry: ") && first.ends_with('\n'));
    assert_eq!(rest, format!("data: x\nid: {id}\n\n"));
}

#[test]
fn an_event_is_one_chunk() {
    let mut hub = Harness::new();
    let client = hub.subscribe("topic=a");
    hub.take(client);
    let id = hub.publish(event("a", "x"));
    let block = format!("data: x\nid: {id}\n\n");
    assert_eq!(hub.text(client), format!("{:x}\r\n{block}\r\n", block.len()));
}

#[test]
fn padding_comes_first_if_it_is_asked_for() {
    let mut hub = Harness::new();
    let client = hub.subscribe("topic=a&padding=true");
    let seen = hub.seen(client);
    assert_eq!(seen.comments, 2);
    assert!(hub.received(client).len() > 2048);
}

#[test]
fn the_reconnection_time_is_each_clients_own() {
    let mut hub = Harness::new();
    let retries: std::collections::BTreeSet<_> = (0..50)
        .map(|_| {
            let client = hub.subscribe("topic=a");
            hub.seen(client).retry
        })
        .collect();
    assert!(retries.len() > 40, "{retries:?}");
    assert!(retries.iter().all(|retry| (3000..=6000).contains(retry)), "{retries:?}");
}

#[test]
fn a_token_may_stand_in_three_places() {
    let mut hub = Harness::with(|settings| settings.anonymous = false);
    let token = hub.token("alice");
    for request in [
        get("/events", &bearer(&token)),
        get("/events", &format!("Cookie: theme=dark; corecast_token={token}\r\n")),
        get(&format!("/events?access_token={token}"), ""),
    ] {
        let client = hub.request(&request);
        hub.publish(super::harness::event_for_user("alice", "hers"));
        assert_eq!(hub.data(client), ["hers"], "{request}");
        hub.hang_up(client);
    }
}

#[test]
fn a_bad_token_is_never_the_anonymous_way_in() {
    let mut hub = Harness::new();
    let good = hub.token("alice");
    let expired = hub.token_for(Some("alice"), &[], &[], Duration::from_secs(60));
    hub.advance_secs(61);
    let challenge = "Bearer realm=\"corecast\", error=\"invalid_token\"";
    for (target, headers) in [
        ("/events", bearer("nonsense")),
        ("/events", bearer(&expired)),
        ("/events", "Authorization: Basic eDp5\r\n".to_owned()),
        ("/events", "Cookie: corecast_token=\r\n".to_owned()),
        ("/events?access_token=x", String::new()),
        (&format!("/events?access_token={good}"), bearer("nonsense")),
    ] {
        let client = hub.request(get(target, &headers));
        let answer = hub.answer(client);
        assert_eq!((answer.status, answer.header("WWW-Authenticate")), (401, Some(challenge)), "{headers}");
        assert!(!hub.is_closed(client), "a refusal costs next to nothing: the connection is kept");
    }
    assert_eq!((hub.counters().tokens_rejected, hub.engine().streams()), (6, 0));
}

#[test]
fn without_a_token_only_anonymous_hubs_let_in() {
    let mut hub = Harness::with(|settings| settings.anonymous = false);
    let client = hub.subscribe("topic=a");
    let answer = hub.answer(client);
    assert_eq!((answer.status, answer.header("WWW-Authenticate")), (401, Some("Bearer realm=\"corecast\"")));

    // The same connection, now with one.
    let token = hub.token("alice");
    hub.send(client, get("/events?topic=a", &bearer(&token)));
    hub.publish(event("a", "x"));
    assert_eq!(hub.data(client), ["x"]);
}

#[test]
fn what_cannot_be_asked_for_is_refused() {
    let mut hub = Harness::new();
    let complex = format!("/events?topic={}", "%7Bx%7D/".repeat(33));
    let long = format!("/events?topic={}", "x".repeat(1025));
    for (target, status) in [
        ("/events?topic=", 400),
        (&complex, 400),
        ("/events?topic=%FF", 400),
        ("/events?heartbeat=maybe", 400),
        ("/events?client_id=a&client_id=b", 400),
        ("/events?topic=corecast:users/alice", 403),
        (&long, 400),
    ] {
        let client = hub.request(get(target, ""));
        assert_eq!(hub.status(client), status, "{target}");
        assert!(!hub.is_closed(client));
    }
    let client = hub.request(get("/events", "Content-Length: 3\r\n") + "abc");
    let answer = hub.answer(client);
    assert!(answer.status == 400 && answer.closes());
    assert_eq!(hub.engine().streams(), 0);
}

#[test]
fn a_stream_tells_listed_origins_that_they_may_read_it() {
    let mut hub = Harness::with(|settings| settings.cors.origins = vec!["https://shop.example".into()]);
    for (origin, named) in
        [("https://shop.example", Some("https://shop.example")), ("https://evil.example", None)]
    {
        let client = hub.request(get("/events?topic=a", &format!("Origin: {origin}\r\n")));
        let head = hub.seen(client).head;
        assert_eq!(head.header("Access-Control-Allow-Origin"), named);
        assert_eq!(head.header("Vary"), Some("Origin"));
    }
}

#[test]
fn what_follows_the_request_of_a_stream_is_ignored_up_to_a_bound() {
    let mut hub = Harness::new();
    let client = hub.connect();
    hub.say(client, get("/events?topic=a", "") + "GET /healthz HTTP/1.1\r\nHost: hub\r\n\r\n");
    hub.run_until_idle();
    hub.send(client, "more");
    hub.publish(event("a", "x"));
    assert_eq!(hub.data(client), ["x"]);
    assert_eq!(hub.counters().requests, 1);

    hub.send(client, vec![b'x'; 4092]);
    assert!(!hub.is_closed(client));
    hub.send(client, "x");
    assert!(hub.is_closed(client));
    assert_eq!(hub.counters().closes[CloseReason::BadRequest.index()], 1);
}

#[test]
fn whoever_hangs_up_leaves_nothing_behind() {
    let mut hub = Harness::new();
    let client = hub.subscribe_as("alice", "topic=a&topic=b/%7Bx%7D&client_id=tab");
    assert_eq!((hub.engine().streams(), hub.engine().users(), hub.streams_counted()), (1, 1, 1));
    hub.hang_up(client);
    assert!(hub.is_closed(client));
    let counts = hub.engine().topics.counts();
    assert_eq!((counts.topics, counts.patterns, counts.subscriptions), (0, 0, 0));
    assert_eq!((hub.engine().streams(), hub.engine().users(), hub.streams_counted()), (0, 0, 0));
    assert_eq!((hub.engine().connections(), hub.engine().poll_timeout()), (0, None));
}

#[test]
fn a_request_split_anywhere_opens_the_same_stream() {
    let request = get("/events?topic=a", "");
    for at in 1..request.len() {
        let mut hub = Harness::new();
        let client = hub.request(&request[..at]);
        hub.send(client, &request[at..]);
        hub.publish(event("a", "x"));
        assert_eq!(hub.data(client), ["x"], "split at {at}");
    }
}
