//! What is published reaches whom it is for: every event once, in order, as it was given.

use corecast_tests::exchange;
use corecast_tests::hub::Hub;
use corecast_tests::publish::{Publisher, request};
use corecast_tests::request::Subscribe;
use corecast_tests::stream::EventStream;
use corecast_tests::token::Token;
use serde_json::json;

fn numbers(range: std::ops::Range<u32>) -> Vec<String> {
    range.map(|n| n.to_string()).collect()
}

#[test]
fn every_event_comes_once_and_in_order() {
    let hub = Hub::start();
    let mut streams: Vec<_> =
        (0..4).map(|_| EventStream::open(hub.addr(), &Subscribe::to("numbers"))).collect();
    let mut publisher = Publisher::connect(hub.addr());
    let ids: Vec<String> = (0..500).map(|n| publisher.to_topic("numbers", &n.to_string())).collect();
    for stream in &mut streams {
        let events: Vec<_> = (0..500).map(|_| stream.next_event()).collect();
        assert_eq!(events.iter().map(|e| e.data.clone()).collect::<Vec<_>>(), numbers(0..500));
        assert_eq!(events.iter().map(|e| e.id.clone().unwrap()).collect::<Vec<_>>(), ids);
        assert!(events.iter().all(|e| e.kind == "message" && e.retry.is_none()));
    }
}

#[test]
fn publishers_on_many_connections_share_one_order() {
    const PUBLISHERS: u32 = 4;
    const EVENTS: u32 = 100;
    let hub = Hub::start();
    let mut streams: Vec<_> =
        (0..3).map(|_| EventStream::open(hub.addr(), &Subscribe::to("numbers"))).collect();
    std::thread::scope(|scope| {
        for p in 0..PUBLISHERS {
            let addr = hub.addr();
            scope.spawn(move || {
                let mut publisher = Publisher::connect(addr);
                for n in 0..EVENTS {
                    publisher.to_topic("numbers", &format!("{p}/{n}"));
                }
            });
        }
    });
    let count = (PUBLISHERS * EVENTS) as usize;
    let orders: Vec<Vec<String>> = streams.iter_mut().map(|s| s.next_data(count)).collect();
    assert!(orders.iter().all(|order| *order == orders[0]));
    for p in 0..PUBLISHERS {
        let own: Vec<_> = orders[0].iter().filter(|d| d.starts_with(&format!("{p}/"))).cloned().collect();
        assert_eq!(own, (0..EVENTS).map(|n| format!("{p}/{n}")).collect::<Vec<_>>());
    }
}

#[test]
fn only_the_topics_asked_for_come() {
    let hub = Hub::start();
    let mut exact = EventStream::open(hub.addr(), &Subscribe::to("chat/1"));
    let mut template = EventStream::open(hub.addr(), &Subscribe::to("chat/{room}"));
    let mut any = EventStream::open(hub.addr(), &Subscribe::to("*"));
    let mut several = EventStream::open(hub.addr(), &Subscribe::to("chat/2").topic("news"));
    let mut publisher = Publisher::connect(hub.addr());
    for topic in ["chat/1", "chat/2", "chat/1/typing", "news", "end"] {
        publisher.publish(&json!({"topics": [topic, format!("{topic}/same")], "data": topic}));
    }
    // The last event reaches everybody, so what did not come before it never will.
    publisher.publish(&json!({"topics": ["chat/1", "chat/2", "chat/3", "news"], "data": "last"}));
    assert_eq!(exact.next_data(2), ["chat/1", "last"]);
    assert_eq!(template.next_data(3), ["chat/1", "chat/2", "last"]);
    assert_eq!(any.next_data(6), ["chat/1", "chat/2", "chat/1/typing", "news", "end", "last"]);
    assert_eq!(several.next_data(3), ["chat/2", "news", "last"]);
}

#[test]
fn an_event_that_matches_twice_comes_once() {
    let hub = Hub::start();
    let token = Token::of("alice").sign();
    let request = Subscribe::with_token(&token).topic("chat/1").topic("chat/{room}").topic("*");
    let mut stream = EventStream::open(hub.addr(), &request);
    let mut publisher = Publisher::connect(hub.addr());
    publisher.publish(&json!({"topics": ["chat/1", "chat/2"], "data": "two selectors, two topics"}));
    publisher.publish(&json!({"all": true, "data": "all"}));
    publisher.publish(&json!({"users": ["alice"], "data": "own"}));
    publisher.to_topic("chat/1", "last");
    assert_eq!(stream.next_data(4), ["two selectors, two topics", "all", "own", "last"]);
}

#[test]
fn users_get_their_own_events_and_those_to_all() {
    let hub = Hub::start();
    let open = |user: &str| EventStream::open(hub.addr(), &Subscribe::with_token(&Token::of(user).sign()));
    let (mut alice, mut bob) = (open("alice"), open("bob"));
    let mut anonymous = EventStream::open(hub.addr(), &Subscribe::to("elsewhere"));
    let mut publisher = Publisher::connect(hub.addr());
    publisher.publish(&json!({"users": ["alice"], "data": "to alice"}));
    publisher.publish(&json!({"users": ["bob", "alice"], "data": "to both"}));
    publisher.publish(&json!({"users": ["carol"], "data": "to carol, who is not here"}));
    publisher.publish(&json!({"all": true, "data": "to all"}));
    assert_eq!(alice.next_data(3), ["to alice", "to both", "to all"]);
    assert_eq!(bob.next_data(2), ["to both", "to all"]);
    assert_eq!(anonymous.next_data(1), ["to all"]);
}

#[test]
fn private_events_come_only_where_they_are_granted() {
    let hub = Hub::start();
    let open = |user: &str, grant: &str| {
        let token = Token::of(user).subscribe(grant).sign();
        EventStream::open(hub.addr(), &Subscribe::with_token(&token).topic("orders/{id}"))
    };
    let mut template = open("alice", "orders/{id}");
    let mut exact = open("bob", "orders/7");
    let mut other = open("carol", "invoices/{id}");
    let mut anonymous = EventStream::open(hub.addr(), &Subscribe::to("orders/{id}"));
    let mut publisher = Publisher::connect(hub.addr());
    publisher.publish(&json!({"topics": ["orders/7"], "data": "private 7", "private": true}));
    publisher.publish(&json!({"topics": ["orders/8"], "data": "private 8", "private": true}));
    publisher.publish(&json!({"topics": ["orders/9"], "data": "public"}));
    assert_eq!(template.next_data(3), ["private 7", "private 8", "public"]);
    assert_eq!(exact.next_data(2), ["private 7", "public"]);
    assert_eq!(other.next_data(1), ["public"]);
    assert_eq!(anonymous.next_data(1), ["public"]);
}

#[test]
fn ephemeral_events_come_live_and_are_never_replayed() {
    let hub = Hub::start();
    let mut publisher = Publisher::connect(hub.addr());
    let before = publisher.to_topic("typing", "before");
    let mut live = EventStream::open(hub.addr(), &Subscribe::to("typing"));
    publisher.publish(&json!({"topics": ["typing"], "data": "ephemeral", "ephemeral": true}));
    publisher.to_topic("typing", "kept");
    let ephemeral = live.next_event();
    assert_eq!(ephemeral.data, "ephemeral");
    assert_eq!(live.next_data(1), ["kept"]);

    let mut resumed = EventStream::open(hub.addr(), &Subscribe::to("typing").last_event_id(&before));
    assert_eq!(resumed.next_data(1), ["kept"]);
    let behind_ephemeral = Subscribe::to("typing").last_event_id(&ephemeral.id.unwrap());
    assert_eq!(EventStream::open(hub.addr(), &behind_ephemeral).next_data(1), ["kept"]);
}

#[test]
fn fields_arrive_as_they_were_given() {
    let hub = Hub::start();
    let mut stream = EventStream::open(hub.addr(), &Subscribe::to("fields"));
    let mut publisher = Publisher::connect(hub.addr());
    let id = publisher.publish(&json!({
        "topics": ["fields"], "data": "x", "type": "order.created", "id": "order-17.a_b", "retry": 5000
    }));
    assert_eq!(id, "order-17.a_b");
    let event = stream.next_event();
    assert_eq!(event.kind, "order.created");
    assert_eq!(event.id.as_deref(), Some("order-17.a_b"));
    assert_eq!(event.retry, Some(5000));

    publisher.to_topic("fields", "y");
    let own = stream.next_event().id.unwrap();
    assert!(
        own.len() <= 128 && own.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b)),
        "{own}"
    );
}

#[test]
fn data_arrives_as_it_was_given() {
    let hub = Hub::start();
    let mut stream = EventStream::open(hub.addr(), &Subscribe::to("data"));
    let mut publisher = Publisher::connect(hub.addr());
    let cases = [
        (json!(""), ""),
        (json!("one"), "one"),
        (json!("one\ntwo"), "one\ntwo"),
        // All three line ends of the standard arrive as LF: an unsplit CR would inject fields.
        (json!("one\r\ntwo\rthree\nfour"), "one\ntwo\nthree\nfour"),
        (json!("\n"), "\n"),
        (json!("\n\ntail\n"), "\n\ntail\n"),
        (json!(" leading and trailing "), " leading and trailing "),
        (json!(": no comment"), ": no comment"),
        (json!("id: 7\nevent: forged"), "id: 7\nevent: forged"),
        (json!("grüße 😀\u{2028}\u{85}"), "grüße 😀\u{2028}\u{85}"),
        (json!({"b": [1, 2.50, null], "a": "x y"}), r#"{"b":[1,2.5,null],"a":"x y"}"#),
        (json!([]), "[]"),
        (json!(null), "null"),
        (json!(false), "false"),
        (json!(12), "12"),
        // JSON that the hub writes must survive clients that take these for line ends.
        (json!(["\u{2028}\u{2029}\u{85}"]), r#"["\u2028\u2029\u0085"]"#),
    ];
    for (data, expected) in cases {
        publisher.publish(&json!({"topics": ["data"], "data": data}));
        assert_eq!(stream.next_event().data, expected, "{data}");
    }
}

#[test]
fn numbers_keep_their_spelling() {
    let hub = Hub::start();
    let mut stream = EventStream::open(hub.addr(), &Subscribe::to("data"));
    let mut publisher = Publisher::connect(hub.addr());
    let body = r#"{"topics": ["data"], "data": {"z": 12345678901234567890123, "a": 1.10, "e": 1e3}}"#;
    assert_eq!(publisher.post("/publish", "application/json", body.as_bytes()).status(), 200);
    assert_eq!(stream.next_event().data, r#"{"z":12345678901234567890123,"a":1.10,"e":1e3}"#);
}

#[test]
fn plain_text_is_the_data() {
    let hub = Hub::start();
    let token = Token::of("alice").sign();
    let mut stream = EventStream::open(hub.addr(), &Subscribe::with_token(&token).topic("plain/a b"));
    let mut publisher = Publisher::connect(hub.addr());
    let cases = [
        ("/publish?topic=plain%2Fa%20b", "text/plain", "to a topic\nin two lines"),
        ("/publish?user=alice", "text/plain; charset=utf-8", "to a user: ü"),
        ("/publish?all=1", "text/plain", ""),
    ];
    for (target, content_type, body) in cases {
        let answer = publisher.post(target, content_type, body.as_bytes());
        assert_eq!(answer.status(), 200, "{target}: {}", answer.text());
        let event = stream.next_event();
        assert_eq!(
            (event.data.as_str(), event.id.as_deref()),
            (body, answer.json()["id"].as_str()),
            "{target}"
        );
    }
}

#[test]
fn ndjson_is_answered_line_by_line() {
    let hub = Hub::start();
    let mut stream = EventStream::open(hub.addr(), &Subscribe::to("lines"));
    let mut publisher = Publisher::connect(hub.addr());
    let body = "{\"topics\":[\"lines\"],\"data\":\"0\"}\n{\"data\":\"nobody\"}\n{\"topics\":[\"lines\"],\"data\":\"1\"}\n";
    let answer = publisher.post("/publish", "application/x-ndjson", body.as_bytes());
    assert_eq!(answer.status(), 200);
    let lines: Vec<serde_json::Value> =
        answer.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 3, "{lines:?}");
    assert!(lines[1]["error"].is_string() && lines[1]["id"].is_null(), "{}", lines[1]);
    for (line, data) in [(&lines[0], "0"), (&lines[2], "1")] {
        let event = stream.next_event();
        assert_eq!((event.data.as_str(), event.id.as_deref()), (data, line["id"].as_str()));
    }
}

#[test]
fn the_answer_to_a_publisher_is_small_and_complete() {
    let hub = Hub::start();
    let body = json!({"topics": ["a"], "data": "x"}).to_string();
    let token = Token::publisher().sign();
    let answer =
        exchange::send(hub.addr(), &request("/publish", &token, "application/json", body.as_bytes()));
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.head.field("content-type"), Some("application/json"));
    assert_eq!(answer.json().as_object().unwrap().keys().collect::<Vec<_>>(), ["id"]);
}

#[test]
fn a_token_of_the_command_line_is_good() {
    let hub = Hub::start();
    let output = std::process::Command::new(corecast_tests::binary::corecast())
        .args([
            "token",
            "--user",
            "alice",
            "--subscribe",
            "orders/{id}",
            "--publish",
            "orders/7",
            "--ttl",
            "1h",
        ])
        .env("CORECAST_AUTH__HMAC_KEY", corecast_tests::token::HMAC_KEY)
        .env_remove("CORECAST_BIN")
        .output()
        .unwrap();
    let token = String::from_utf8(output.stdout).unwrap().trim().to_owned();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut stream = EventStream::open(hub.addr(), &Subscribe::with_token(&token).topic("orders/{id}"));
    let mut publisher = Publisher::with_token(hub.addr(), &token);
    publisher.publish(&json!({"topics": ["orders/7"], "data": "mine", "private": true}));
    assert_eq!(stream.next_data(1), ["mine"]);
    assert_eq!(publisher.try_publish(&json!({"topics": ["orders/8"], "data": ""})).status(), 403);
}
