//! A publisher that repeats its request under the same `Idempotency-Key` publishes once.

use corecast_tests::exchange::{Answer, Client};
use corecast_tests::hub::Hub;
use corecast_tests::publish::Publisher;
use corecast_tests::request::Subscribe;
use corecast_tests::stream::EventStream;
use corecast_tests::token::Token;
use corecast_tests::wait::PATIENCE;

/// A post under `key`, on a connection of its own as after a lost answer.
fn post_under(hub: &Hub, token: &str, key: &str, media: &str, body: &str) -> Answer {
    let request = format!(
        "POST /publish HTTP/1.1\r\nHost: hub.test\r\nAuthorization: Bearer {token}\r\nIdempotency-Key: {key}\r\n\
         Content-Type: {media}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut client = Client::connect(hub.addr());
    client.try_send(request.as_bytes());
    client.read_answer()
}

fn to_topic(hub: &Hub, token: &str, key: &str, data: &str) -> String {
    let body = format!(r#"{{"topics":["a"],"data":"{data}"}}"#);
    let answer = post_under(hub, token, key, "application/json", &body);
    assert_eq!(answer.status(), 200, "{}", answer.text());
    answer.json()["id"].as_str().expect("an id").to_owned()
}

#[test]
fn a_repeated_request_is_answered_alike_and_seen_once() {
    let hub = Hub::start();
    let mut reader = EventStream::open(hub.addr(), &Subscribe::to("a"));
    let (alice, bob) = (Token::of("alice").publish("*").sign(), Token::of("bob").publish("*").sign());
    let first = to_topic(&hub, &alice, "k", "one");
    assert_eq!(to_topic(&hub, &alice, "k", "one"), first);
    assert_eq!(to_topic(&hub, &alice, "\"k\"", "one"), first);
    assert_ne!(to_topic(&hub, &alice, "l", "two"), first);
    assert_ne!(to_topic(&hub, &bob, "k", "three"), first);
    Publisher::connect(hub.addr()).to_topic("a", "last");
    assert_eq!(reader.next_data(4), ["one", "two", "three", "last"]);
}

#[test]
fn lines_are_repeated_each_under_its_own_key() {
    let hub = Hub::start();
    let mut reader = EventStream::open(hub.addr(), &Subscribe::to("a"));
    let token = Token::publisher().sign();
    let lines =
        |count: u32| (0..count).map(|n| format!("{{\"topics\":[\"a\"],\"data\":{n}}}\n")).collect::<String>();
    let post = |body: &str| {
        let answer = post_under(&hub, &token, "batch-7", "application/x-ndjson", body);
        assert_eq!(answer.status(), 200, "{}", answer.text());
        answer.text().to_owned()
    };
    let half = post(&lines(5));
    // The second time the publisher has more to say: what is new is published, the rest is not again.
    let whole = post(&lines(10));
    assert!(whole.starts_with(&half) && whole.lines().count() == 10, "{half}{whole}");
    assert_eq!(reader.next_data(10), (0..10).map(|n: u32| n.to_string()).collect::<Vec<_>>());
    Publisher::connect(hub.addr()).to_topic("a", "last");
    assert_eq!(reader.next_data(1), ["last"]);
}

#[test]
fn requests_at_once_under_one_key_publish_once() {
    let hub = Hub::start();
    let mut reader = EventStream::open(hub.addr(), &Subscribe::to("a"));
    let token = Token::publisher().sign();
    let ids: Vec<String> = std::thread::scope(|scope| {
        let posts: Vec<_> = (0..16).map(|_| scope.spawn(|| to_topic(&hub, &token, "k", "one"))).collect();
        posts.into_iter().map(|post| post.join().expect("a post is answered")).collect()
    });
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    Publisher::connect(hub.addr()).to_topic("a", "last");
    assert_eq!(reader.next_data(2), ["one", "last"]);
}

#[test]
fn a_key_is_forgotten_with_its_event() {
    const EVENTS: u32 = 10;
    let hub = Hub::builder().set("history.events", EVENTS).start();
    let token = Token::publisher().sign();
    let first = to_topic(&hub, &token, "k", "one");
    let mut publisher = Publisher::connect(hub.addr());
    for n in 0..EVENTS {
        publisher.to_topic("a", &n.to_string());
    }
    assert_ne!(to_topic(&hub, &token, "k", "one"), first);
}

#[test]
fn a_file_log_knows_keys_over_a_restart_however_the_hub_ended() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().to_str().expect("temporary folders have plain names");
    let start = || {
        let hub = Hub::builder().set("log.kind", "file").set("log.path", path);
        // Little memory, so that none of it is known from there.
        hub.set("history.events", 2).set("drain.over", "0s").start()
    };
    let token = Token::of("alice").publish("*").sign();
    let mut hub = start();
    let first = to_topic(&hub, &token, "k", "one");
    let lines =
        "{\"topics\":[\"a\"],\"data\":\"two\"}\n{\"topics\":[\"a\"],\"data\":\"three\",\"id\":\"own-3\"}\n";
    let post = |hub: &Hub| post_under(hub, &token, "batch", "application/x-ndjson", lines).text().to_owned();
    let answers = post(&hub);
    let mut publisher = Publisher::connect(hub.addr());
    (4..10).for_each(|n| _ = publisher.to_topic("a", &n.to_string()));
    for ends_well in [false, true] {
        if ends_well {
            hub.sigterm();
            assert!(hub.wait_for_exit(PATIENCE).success());
        } else {
            hub.kill9();
        }
        hub = start();
        assert_eq!(to_topic(&hub, &token, "k", "one"), first);
        assert_eq!(post(&hub), answers);
    }
    let mut reader = EventStream::open(hub.addr(), &Subscribe::to("a").last_event_id("earliest"));
    let all = ["one", "two", "three", "4", "5", "6", "7", "8", "9"];
    assert_eq!(reader.next_data(all.len()), all);
    Publisher::connect(hub.addr()).to_topic("a", "last");
    assert_eq!(reader.next_data(1), ["last"]);
}

#[test]
fn what_is_no_key_is_refused_by_name() {
    let hub = Hub::start();
    let token = Token::publisher().sign();
    for key in ["", "two words", "k\r\nIdempotency-Key: l"] {
        let answer = post_under(&hub, &token, key, "application/json", r#"{"all":true,"data":1}"#);
        assert_eq!(answer.status(), 400, "{key}");
        assert!(answer.text().contains("`Idempotency-Key`"), "{}", answer.text());
    }
}

#[test]
fn another_id_under_a_known_key_is_answered_with_the_id_that_is_kept() {
    let hub = Hub::start();
    let token = Token::publisher().sign();
    let first = to_topic(&hub, &token, "k", "one");
    let body = r#"{"topics":["a"],"data":"one","id":"order-1"}"#;
    let again = post_under(&hub, &token, "k", "application/json", body);
    assert_eq!(again.json()["id"], first.as_str(), "`order-1` leads nowhere");
}
