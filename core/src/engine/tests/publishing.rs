//! Publishing over HTTP: who may, what is answered, and what happens when the sequencer has no room.

use std::time::Duration;

use super::Harness;
use super::harness::{SequencerMood, bearer, post};
use crate::close_reason::CloseReason;

fn lines(token: &str, body: &str) -> String {
    format!(
        "POST /publish HTTP/1.1\r\nHost: hub\r\n{}Content-Type: application/x-ndjson\r\nContent-Length: {}\r\n\r\n{body}",
        bearer(token),
        body.len()
    )
}

#[test]
fn a_publisher_is_told_the_id_that_subscribers_see() {
    let mut hub = Harness::new();
    let reader = hub.subscribe("topic=a");
    let token = hub.publisher_token();
    let publisher = hub.request(post(&token, r#"{"topics":["a"],"data":{"n":1}}"#));
    let answer = hub.answer(publisher);
    let seen = hub.seen(reader);
    assert_eq!(answer.body, format!("{{\"id\":\"{}\"}}", seen.last_id()));
    assert_eq!(seen.data(), [r#"{"n":1}"#]);
    assert_eq!((hub.counters().published, hub.counters().events), (1, 1));
}

#[test]
fn plain_text_is_published_as_the_query_says() {
    let mut hub = Harness::new();
    let reader = hub.subscribe("topic=a");
    let token = hub.publisher_token();
    let publisher = hub.request(format!(
        "POST /publish?topic=a&type=note HTTP/1.1\r\nHost: hub\r\n{}Content-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello",
        bearer(&token)
    ));
    assert_eq!(hub.answer(publisher).status, 200);
    let seen = hub.seen(reader);
    assert_eq!((seen.last().kind.as_str(), seen.last().data.as_str()), ("note", "hello"));
}

#[test]
fn lines_are_answered_each_in_order() {
    let mut hub = Harness::new();
    let reader = hub.subscribe("topic=a");
    let token = hub.token_for(None, &[], &["a"], Duration::from_secs(60));
    let body = "{\"topics\":[\"a\"],\"data\":1}\n{\"topics\":[\"b\"],\"data\":2}\nnonsense\n\n{\"topics\":[\"a\"],\"data\":3,\"id\":\"x\"}\n";
    let publisher = hub.request(lines(&token, body));
    let answer = hub.answer(publisher);
    let answers: Vec<_> = answer.body.lines().collect();
    assert_eq!((answer.status, answers.len()), (200, 4));
    assert!(answers[0].starts_with("{\"id\":\"") && answers[3] == "{\"id\":\"x\"}");
    assert!(answers[1].starts_with("{\"error\":\"forbidden\"") && answers[1].contains("topic `b`"));
    assert!(answers[2].starts_with("{\"error\":"));
    assert_eq!(hub.data(reader), ["1", "3"]);
    assert_eq!(hub.counters().published, 2);
}

#[test]
fn a_token_publishes_what_it_grants_and_nothing_else() {
    let mut hub = Harness::new();
    let token =
        hub.token_for(Some("alice"), &[], &["news/{x}", "corecast:users/bob"], Duration::from_secs(60));
    for (json, status) in [
        (r#"{"topics":["news/1"],"data":1}"#, 200),
        (r#"{"topics":["news/1","other"],"data":1}"#, 403),
        (r#"{"users":["bob"],"data":1}"#, 200),
        (r#"{"users":["bob","alice"],"data":1}"#, 403),
        (r#"{"all":true,"data":1}"#, 403),
        (r#"{"topics":[],"data":1}"#, 400),
        (r#"{"data":1}"#, 400),
    ] {
        let publisher = hub.request(post(&token, json));
        assert_eq!(hub.answer(publisher).status, status, "{json}");
    }
    assert_eq!(hub.counters().requests_rejected, 5);
}

#[test]
fn who_may_not_publish_is_told_before_the_body_comes() {
    let mut hub = Harness::new();
    for (headers, status) in [("", 401), ("Authorization: Bearer nonsense\r\n", 401)] {
        let publisher = hub.request(format!(
            "POST /publish HTTP/1.1\r\nHost: hub\r\n{headers}Content-Type: application/json\r\nContent-Length: 99\r\n\r\n"
        ));
        let answer = hub.answer(publisher);
        assert!(answer.status == status && answer.closes());
        assert!(answer.header("WWW-Authenticate").is_some());
    }
    assert_eq!(hub.counters().tokens_rejected, 2);
}

#[test]
fn an_id_in_the_hubs_own_form_cannot_be_chosen() {
    let mut hub = Harness::new();
    let token = hub.publisher_token();
    for (id, status) in [("000000000000c0de-1", 400), ("000000000000beef-1", 400), ("order-17", 200)] {
        let publisher = hub.request(post(&token, &format!(r#"{{"all":true,"data":1,"id":"{id}"}}"#)));
        assert_eq!(hub.answer(publisher).status, status, "{id}");
    }
}

#[test]
fn a_full_sequencer_holds_publishers_back() {
    let mut hub = Harness::new();
    let token = hub.publisher_token();
    hub.mood = SequencerMood::Full;
    let publish = post(&token, r#"{"all":true,"data":1}"#);
    let publisher = hub.request(&publish);
    let answer = hub.answer(publisher);
    assert_eq!((answer.status, answer.header("Retry-After")), (503, Some("1")));
    assert_eq!((hub.counters().publishes_refused, hub.counters().published), (1, 0));
    assert!(!hub.is_closed(publisher));

    hub.mood = SequencerMood::Works;
    hub.send(publisher, &publish);
    assert_eq!(hub.answer(publisher).status, 200);
}

#[test]
fn what_the_log_cannot_keep_is_not_acknowledged() {
    let mut hub = Harness::new();
    let reader = hub.subscribe("topic=a");
    let token = hub.publisher_token();
    hub.mood = SequencerMood::CannotKeep;
    let publisher = hub.request(post(&token, r#"{"topics":["a"],"data":1}"#));
    let answer = hub.answer(publisher);
    assert_eq!((answer.status, answer.header("Retry-After")), (503, Some("1")));
    assert!(hub.data(reader).is_empty());
}

#[test]
fn requests_behind_a_publish_wait_for_its_answer() {
    let mut hub = Harness::new();
    let token = hub.publisher_token();
    hub.mood = SequencerMood::Hesitates;
    let publisher =
        hub.request(post(&token, r#"{"all":true,"data":1}"#) + "GET /healthz HTTP/1.1\r\nHost: hub\r\n\r\n");
    hub.advance_secs(60);
    assert!(
        hub.received(publisher).is_empty() && !hub.is_closed(publisher),
        "patience is with the hub, not the peer"
    );
    hub.mood = SequencerMood::Works;
    hub.run_until_idle();
    assert_eq!(hub.answers(publisher).len(), 2);
}

#[test]
fn events_are_published_though_their_publisher_has_gone() {
    let mut hub = Harness::new();
    let reader = hub.subscribe("topic=a");
    let token = hub.publisher_token();
    hub.mood = SequencerMood::Hesitates;
    let publisher = hub.request(post(&token, r#"{"topics":["a"],"data":1}"#));
    let id = hub.id_of(publisher);
    hub.engine().handle_hangup(id);
    hub.mood = SequencerMood::Works;
    hub.run_until_idle();
    assert!(hub.is_closed(publisher) && hub.received(publisher).is_empty());
    assert_eq!(hub.counters().closes[CloseReason::PeerGone.index()], 1);
    assert_eq!(hub.data(reader), ["1"]);
    assert_eq!((hub.counters().published, hub.counters().stale_inputs), (1, 1));
}

#[test]
fn a_cookie_publishes_only_for_pages_of_the_hub_and_of_listed_origins() {
    let mut hub = Harness::with(|settings| settings.cors.origins = vec!["https://app.test".into()]);
    let cookie = format!("Cookie: corecast_token={}\r\n", hub.publisher_token());
    for (origin, status) in [
        ("", 200),
        ("Origin: http://hub\r\n", 200),
        ("Origin: https://app.test\r\n", 200),
        ("Origin: https://evil.test\r\n", 403),
        ("Origin: null\r\n", 403),
    ] {
        let client = hub.request(format!(
            "POST /publish?topic=a HTTP/1.1\r\nHost: hub\r\n{cookie}{origin}Content-Type: text/plain\r\n\
             Content-Length: 1\r\n\r\nx"
        ));
        assert_eq!(hub.answer(client).status, status, "{origin}");
    }
}
