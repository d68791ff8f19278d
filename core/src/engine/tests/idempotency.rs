//! `Idempotency-Key`: a publisher that heard no answer repeats its request, and nothing is published twice.

use std::time::Duration;

use super::Harness;
use super::harness::bearer;

/// A post under `key`.
fn post_under(token: &str, key: &str, media: &str, body: &str) -> String {
    format!(
        "POST /publish HTTP/1.1\r\nHost: hub\r\n{}Idempotency-Key: {key}\r\nContent-Type: {media}\r\n\
         Content-Length: {}\r\n\r\n{body}",
        bearer(token),
        body.len()
    )
}

fn json_under(token: &str, key: &str, data: &str) -> String {
    post_under(token, key, "application/json", &format!(r#"{{"topics":["a"],"data":"{data}"}}"#))
}

#[test]
fn a_repeated_key_is_answered_as_the_first_time_and_published_once() {
    let mut hub = Harness::new();
    let reader = hub.subscribe("topic=a");
    let token = hub.publisher_token();
    let mut answers = Vec::new();
    // The second with quotes, as the draft has it: the same key.
    for (key, data) in [("k-1", "one"), ("\"k-1\"", "one"), ("k-2", "two"), ("k-1", "one")] {
        let publisher = hub.request(json_under(&token, key, data));
        let answer = hub.answer(publisher);
        assert_eq!(answer.status, 200, "{}", answer.body);
        answers.push(answer.body);
    }
    assert_eq!((&answers[1], &answers[3]), (&answers[0], &answers[0]));
    assert_ne!(answers[2], answers[0]);
    assert_eq!(hub.data(reader), ["one", "two"]);
}

#[test]
fn each_line_has_its_own_key() {
    let mut hub = Harness::new();
    let reader = hub.subscribe("topic=a");
    let token = hub.publisher_token();
    let body = "{\"topics\":[\"a\"],\"data\":1}\nnonsense\n{\"topics\":[\"a\"],\"data\":2}\n";
    let repeat = |hub: &mut Harness, body: &str| {
        let publisher = hub.request(post_under(&token, "k", "application/x-ndjson", body));
        hub.answer(publisher).body
    };
    let first = repeat(&mut hub, body);
    assert_eq!(first.lines().filter(|line| line.starts_with("{\"id\":")).count(), 2);
    assert_eq!(repeat(&mut hub, body), first);
    // What could not be read keeps its place, so the lines behind it keep their keys.
    let mended = repeat(&mut hub, &body.replace("nonsense", "{\"topics\":[\"a\"],\"data\":3}"));
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    let (first, mended) = (lines(&first), lines(&mended));
    assert_eq!((&mended[0], &mended[2]), (&first[0], &first[2]));
    assert_eq!(hub.data(reader), ["1", "2", "3"]);
}

#[test]
fn a_key_belongs_to_its_publisher() {
    let mut hub = Harness::new();
    let reader = hub.subscribe("topic=a");
    for (user, data) in [(Some("alice"), "hers"), (Some("bob"), "his"), (None, "nobody's")] {
        let token = hub.token_for(user, &[], &["*"], Duration::from_secs(60));
        for _ in 0..2 {
            let publisher = hub.request(json_under(&token, "k", data));
            assert_eq!(hub.answer(publisher).status, 200);
        }
    }
    assert_eq!(hub.data(reader), ["hers", "his", "nobody's"]);
}

#[test]
fn what_is_no_key_is_refused_by_the_header_s_name() {
    let mut hub = Harness::new();
    let reader = hub.subscribe("topic=a");
    let token = hub.publisher_token();
    let long = "k".repeat(256);
    for key in ["", "two words", "\"a\", \"b\"", "k\r\nIdempotency-Key: k", &long] {
        let publisher = hub.request(json_under(&token, key, "x"));
        let answer = hub.answer(publisher);
        assert_eq!(answer.status, 400, "{key}");
        assert!(answer.body.contains("`Idempotency-Key`"), "{}", answer.body);
    }
    assert!(hub.data(reader).is_empty());
}
