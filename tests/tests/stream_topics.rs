//! With `stream.topics` an event says which topics it was published to, and without it a stream's bytes know nothing of them.

use corecast_tests::hub::{Hub, HubBuilder};
use corecast_tests::publish::Publisher;
use corecast_tests::request::Subscribe;
use corecast_tests::stream::EventStream;
use corecast_tests::token::Token;
use corecast_tests::wait::{PATIENCE, eventually};
use serde_json::json;
use tempfile::tempdir;

fn told() -> HubBuilder {
    Hub::builder().set("stream.topics", true)
}

/// Everything behind the first block.
fn events_in(stream: &EventStream) -> String {
    let raw = String::from_utf8(stream.raw().to_vec()).expect("a stream is UTF-8");
    let (_, body) = raw.split_once("\r\n\r\n").expect("a stream has a head");
    let (_, events) = body.split_once(&format!("retry: {}\n", stream.opening_retry())).expect("first bytes");
    events.to_owned()
}

#[test]
fn topics_come_before_the_data_and_only_where_they_are_asked_for() {
    for (builder, topics) in [(Hub::builder(), ""), (told(), "topic: chat/1\ntopic: é: x\n")] {
        let hub = builder.start();
        let mut stream = EventStream::open(hub.addr(), &Subscribe::to("chat/{room}").http_1_0());
        let mut publisher = Publisher::connect(hub.addr());
        let event =
            json!({"topics": ["chat/1", "é: x"], "data": "a\nb", "type": "t", "retry": 9, "id": "i-1"});
        publisher.publish(&event);
        stream.next_event();
        assert_eq!(events_in(&stream), format!("event: t\nretry: 9\n{topics}data: a\ndata: b\nid: i-1\n\n"));
    }
}

#[test]
fn nobody_learns_from_it_for_whom_else_an_event_is() {
    let hub = told().start();
    let token = Token::of("alice").subscribe("books/{id}").subscribe("users/alice/{+rest}").sign();
    let request = Subscribe::with_token(&token).topic("books/{id}").topic("users/alice/{+rest}");
    let mut stream = EventStream::open(hub.addr(), &request);
    let mut publisher = Publisher::connect(hub.addr());
    for (event, topics) in [
        (json!({"topics": ["books/1"]}), &["books/1"][..]),
        (json!({"topics": ["books/1", "users/bob/books/1"]}), &["books/1", "users/bob/books/1"]),
        (json!({"topics": ["books/2"], "private": true}), &["books/2"]),
        (json!({"topics": ["users/alice/books/1", "users/bob/books/1"], "private": true}), &[]),
        (json!({"users": ["alice", "bob"]}), &[]),
        (json!({"all": true}), &[]),
    ] {
        publisher.publish(&event);
        assert_eq!(stream.next_event().topics, topics, "{event}");
    }
}

#[test]
fn an_event_with_its_topics_stays_below_the_bound() {
    let hub = told().start();
    let mut publisher = Publisher::connect(hub.addr());
    let topics: Vec<String> = (0..100).map(|n| format!("{n:0>1000}")).collect();
    let answer = publisher.try_publish(&json!({"topics": topics, "data": ""}));
    assert_eq!(answer.status(), 413);
    publisher.publish(&json!({"topics": topics[..60], "data": ""}));
}

#[test]
fn a_line_end_in_a_topic_is_refused_before_it_could_be_a_field() {
    let hub = told().start();
    let mut publisher = Publisher::connect(hub.addr());
    for topic in ["a\ndata: b", "a\rdata: b", "a\r\n\r\ndata: b", "a\u{85}data: b", "a\0"] {
        assert_eq!(publisher.try_publish(&json!({"topics": [topic], "data": ""})).status(), 400, "{topic:?}");
    }
}

#[test]
fn a_reload_changes_what_comes_and_not_what_was() {
    let folder = tempdir().unwrap();
    let builder = Hub::builder().log_in(folder.path());
    let hub = builder.clone().start();
    let mut publisher = Publisher::connect(hub.addr());
    let start = publisher.to_topic("a", "start");
    publisher.to_topic("a", "before");
    std::fs::write(hub.config(), builder.clone().set("stream.topics", true).toml()).unwrap();
    hub.sighup();
    eventually(PATIENCE, "the reload", || {
        (hub.count_in_log(&["the new configuration is in force"]) == 1).then_some(())
    });
    // A shard may follow a moment after it was told.
    let mut live = EventStream::open(hub.addr(), &Subscribe::to("a"));
    eventually(PATIENCE, "topics", || {
        publisher.to_topic("a", "after");
        (live.next_event().topics == ["a"]).then_some(())
    });
    let check = |hub: &Hub| {
        let mut replayed = EventStream::open(hub.addr(), &Subscribe::to("a").last_event_id(&start));
        assert_eq!(replayed.next_event().topics, [""; 0], "as it was published");
        assert!(std::iter::from_fn(|| Some(replayed.next_event())).any(|event| event.topics == ["a"]));
    };
    check(&hub);
    // The log has frames, and a hub without the setting shows them as they are.
    drop(hub);
    check(&builder.start());
}

#[test]
fn a_stream_s_head_tells_the_heartbeat() {
    for (heartbeat, told) in [("15s", Some("15")), ("1500ms", Some("2")), ("off", None)] {
        let hub = Hub::builder()
            .set("stream.heartbeat", heartbeat)
            .set("cors.origins", vec!["https://app.test"])
            .start();
        let request = Subscribe::to("a").field("Origin", "https://app.test");
        let stream = EventStream::open(hub.addr(), &request);
        assert_eq!(stream.head().field("corecast-heartbeat"), told, "{heartbeat}");
        assert!(stream.head().lists("access-control-expose-headers", "Corecast-Heartbeat"));
    }
}
