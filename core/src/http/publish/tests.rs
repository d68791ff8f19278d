//! The rules of publishing, one table each.

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::event::Audience;
use crate::frame::{Frame, Framing, block_len_max};
use crate::http::{Excerpt, QueryError};
use crate::limits::*;

const EVENT_BYTES: u32 = 65_536;

const RULES: EventRules = EventRules { event_bytes: EVENT_BYTES, shows_topics: false };

fn one(media: MediaType, query: &str, body: &str) -> Result<Event, PublishError> {
    match parse(media, query, body.as_bytes(), RULES)? {
        Published::One(event) => Ok(event),
        Published::Lines(_) => panic!("one event was posted"),
    }
}

fn json(body: &str) -> Result<Event, PublishError> {
    one(MediaType::Json, "", body)
}

/// An object to everyone, with more members.
fn to_all(members: &str) -> Result<Event, PublishError> {
    json(&format!("{{\"all\":true{members}}}"))
}

fn plain(data: &str) -> Event {
    Event {
        audience: Audience::All,
        data: data.into(),
        kind: None,
        id: None,
        retry_ms: None,
        private: false,
        ttl: None,
        ephemeral: false,
        shows_topics: false,
    }
}

fn names(names: &[&str]) -> Box<[Box<str>]> {
    names.iter().map(|&name| name.into()).collect()
}

#[test]
fn every_field_is_read() {
    let full = r#"{"topics": ["b", "a", "b"], "data": {"n": 1.50}, "type": "price", "id": "x7", "retry": 0,
        "private": true, "ttl": 60, "ephemeral": false}"#;
    let expected = Event {
        audience: Audience::Topics(names(&["b", "a"])),
        kind: Some("price".into()),
        id: Some("x7".into()),
        retry_ms: Some(0),
        private: true,
        ttl: Some(Duration::from_secs(60)),
        ..plain(r#"{"n":1.50}"#)
    };
    assert_eq!(json(full), Ok(expected.clone()));

    let query =
        "topic=b&topic=a&topic=b&type=price&id=x7&retry=0&private=1&ttl=60&ephemeral=0&access_token=t";
    assert_eq!(one(MediaType::Text, query, r#"{"n":1.50}"#), Ok(expected));
}

#[test]
fn an_audience_is_one_of_three() {
    for (members, expected) in [
        (r#""topics":["a"]"#, Ok(Audience::Topics(names(&["a"])))),
        (r#""users":["alice","user-7","alice"]"#, Ok(Audience::Users(names(&["alice", "user-7"])))),
        (r#""all":true"#, Ok(Audience::All)),
        (r#""all":false,"topics":["a"]"#, Ok(Audience::Topics(names(&["a"])))),
        ("", Err(PublishError::NoAudience)),
        (r#""all":false"#, Err(PublishError::NoAudience)),
        (r#""all":true,"topics":["a"]"#, Err(PublishError::TwoAudiences)),
        (r#""users":["a"],"topics":["a"]"#, Err(PublishError::TwoAudiences)),
        (r#""topics":[]"#, Err(PublishError::Empty(Field::Topics))),
        (r#""topics":[""]"#, Err(PublishError::Empty(Field::Topics))),
        (r#""users":[]"#, Err(PublishError::Empty(Field::Users))),
        (r#""topics":["*"]"#, Err(PublishError::Reserved(Field::Topics))),
        (r#""topics":["a","corecast:all"]"#, Err(PublishError::Reserved(Field::Topics))),
        (r#""topics":["a\u0000"]"#, Err(PublishError::Control(Field::Topics))),
        (r#""topics":["a\u0085"]"#, Err(PublishError::Control(Field::Topics))),
        (r#""users":["a\n"]"#, Err(PublishError::Control(Field::Users))),
    ] {
        let read = json(&format!("{{{members}}}")).map(|event| event.audience);
        assert_eq!(read, expected, "{members}");
    }
}

#[test]
fn lists_and_names_have_bounds() {
    let list = |count: usize, bytes: usize| {
        let names: Vec<_> = (0..count).map(|n| format!("\"{n:0bytes$}\"")).collect();
        format!("[{}]", names.join(","))
    };
    let too_many = |field, count, count_max| Some(PublishError::TooMany { field, count, count_max });
    let too_long = |field, bytes, bytes_max| Some(PublishError::TooLong { field, bytes, bytes_max });
    for (name, list, expected) in [
        ("topics", list(EVENT_TOPICS_MAX, 1), None),
        ("topics", list(EVENT_TOPICS_MAX + 1, 1), too_many(Field::Topics, 101, 100)),
        ("topics", list(5000, 1), too_many(Field::Topics, 5000, 100)),
        ("users", list(EVENT_USERS_MAX, 1), None),
        ("users", list(EVENT_USERS_MAX + 1, 1), too_many(Field::Users, 1001, 1000)),
        ("topics", list(1, TOPIC_BYTES_MAX), None),
        ("topics", list(1, TOPIC_BYTES_MAX + 1), too_long(Field::Topics, 1025, 1024)),
        ("users", list(1, NAME_BYTES_MAX), None),
        ("users", list(1, NAME_BYTES_MAX + 1), too_long(Field::Users, 256, 255)),
    ] {
        assert_eq!(json(&format!("{{\"{name}\":{list}}}")).err(), expected, "{name} {list:.20}");
    }
}

#[test]
fn data_goes_out_verbatim_or_compact() {
    for (members, expected) in [
        ("", ""),
        (r#","data":"""#, ""),
        (r#","data":" a\nb\u2028 ""#, " a\nb\u{2028} "),
        (r#","data":"{ \"a\": 1 }""#, "{ \"a\": 1 }"),
        (r#","data":{ "b": [1, 2e3], "a": " x " }"#, r#"{"b":[1,2e3]|"a":" x "}"#),
        (",\"data\":[\"\u{2028}\u{85}\u{2029}\"]", r#"["\u2028\u0085\u2029"]"#),
        (r#","data":["\u0000"]"#, r#"["\u0000"]"#),
        (r#","data": null"#, "null"),
        (r#","data": 12345678901234567890.10"#, "12345678901234567890.10"),
        (r#","data":{"$serde_json::private::Number":"1"}"#, r#"{"$serde_json::private::Number":"1"}"#),
    ] {
        assert_eq!(to_all(members), Ok(plain(&expected.replace('|', ","))), "{members}");
    }
}

#[test]
fn what_is_wrong_with_a_field_is_named() {
    use PublishError::*;
    let strings = "a list of strings";
    let truth = "true or false";
    let whole = "a whole number from 0";
    let retry_range = OutOfRange { field: Field::Retry, min: 0, max: RETRY_MS_MAX.into() };
    let ttl_range = OutOfRange { field: Field::Ttl, min: 1, max: TTL_SECONDS_MAX };
    for (members, expected) in [
        (r#","topik":["a"]"#, UnknownField(Excerpt::of("topik"))),
        (r#","Private":true"#, UnknownField(Excerpt::of("Private"))),
        (r#","data":1,"data":1"#, Repeated(Field::Data)),
        (r#","all":true"#, Repeated(Field::All)),
        (r#","topics":"a""#, WrongType { field: Field::Topics, expected: strings }),
        (r#","topics":["a",1]"#, WrongType { field: Field::Topics, expected: strings }),
        (r#","users":{"a":1}"#, WrongType { field: Field::Users, expected: strings }),
        (r#","private":1"#, WrongType { field: Field::Private, expected: truth }),
        (r#","private":"true""#, WrongType { field: Field::Private, expected: truth }),
        (r#","ephemeral":null"#, WrongType { field: Field::Ephemeral, expected: truth }),
        (r#","type":7"#, WrongType { field: Field::Type, expected: "a string" }),
        (r#","type":null"#, WrongType { field: Field::Type, expected: "a string" }),
        (r#","id":7"#, WrongType { field: Field::Id, expected: "a string" }),
        (r#","retry":"7""#, WrongType { field: Field::Retry, expected: whole }),
        (r#","retry":-1"#, WrongType { field: Field::Retry, expected: whole }),
        (r#","retry":1.5"#, WrongType { field: Field::Retry, expected: whole }),
        (r#","retry":1e3"#, WrongType { field: Field::Retry, expected: whole }),
        (r#","retry":2147483648"#, retry_range),
        (r#","retry":99999999999999999999999"#, retry_range),
        (r#","ttl":0"#, ttl_range),
        (r#","ttl":4294967296"#, ttl_range),
        (r#","ttl":true"#, WrongType { field: Field::Ttl, expected: whole }),
        (
            r#","data":"\ud800""#,
            WrongType { field: Field::Data, expected: "a string of whole Unicode characters" },
        ),
        (r#","data":"a\u0000b""#, NulInData),
        (r#","type":"a\nb""#, Control(Field::Type)),
        (r#","type":"a\rb""#, Control(Field::Type)),
        (r#","type":"a\u0000""#, Control(Field::Type)),
        (r#","type":"corecast.evicted""#, Reserved(Field::Type)),
        (r#","id":"""#, Id),
        (r#","id":"a b""#, Id),
        (r##","id":"#a""##, Id),
        (r#","id":"é""#, Id),
        (r#","id":"earliest""#, Reserved(Field::Id)),
        (r#","id":"0000000000000abc-17""#, Reserved(Field::Id)),
        (r#","id":"a","ephemeral":true"#, IdOfEphemeral),
    ] {
        assert_eq!(to_all(members), Err(expected), "{members}");
        assert_eq!(expected.status().code(), 400, "{members}");
    }
    for members in [
        r#","retry":2147483647"#,
        r#","ttl":4294967295"#,
        r#","type":"""#,
        r#","ephemeral":true"#,
        r#","id":"a","ephemeral":false"#,
    ] {
        assert!(to_all(members).is_ok(), "{members}");
    }
}

#[test]
fn ids_and_types_have_bounds() {
    let text = |name: &str, bytes: usize| format!(",\"{name}\":\"{}\"", "x".repeat(bytes));
    let too_long = PublishError::TooLong { field: Field::Type, bytes: 256, bytes_max: KIND_BYTES_MAX };
    for (members, expected) in [
        (text("type", 255), None),
        (text("type", 256), Some(too_long)),
        (text("id", 128), None),
        (text("id", 129), Some(PublishError::Id)),
    ] {
        assert_eq!(to_all(&members).err(), expected);
    }
}

#[test]
fn what_is_no_object_is_refused() {
    for (body, expected) in [
        ("", PublishError::Json { line: 1, column: 0 }),
        ("{", PublishError::Json { line: 1, column: 1 }),
        ("{\"all\":true\n,}", PublishError::Json { line: 2, column: 2 }),
        ("{\"all\":true}x", PublishError::Json { line: 1, column: 13 }),
        ("{\"all\":true}{}", PublishError::Json { line: 1, column: 13 }),
        ("\u{feff}{\"all\":true}", PublishError::Json { line: 1, column: 1 }),
        ("[]", PublishError::NotAnObject),
        ("\"a\"", PublishError::NotAnObject),
        ("null", PublishError::NotAnObject),
    ] {
        assert_eq!(json(body), Err(expected), "{body}");
    }
    for media in [MediaType::Json, MediaType::NdJson, MediaType::Text] {
        let error = parse(media, "all=1", b"a\xff", RULES).err();
        assert_eq!(error, Some(PublishError::NotUtf8 { at: 1 }));
    }
}

#[test]
fn deep_data_does_not_overflow_the_stack() {
    let deep = format!("{}{}", "[".repeat(20_000), "]".repeat(20_000));
    assert_eq!(to_all(&format!(",\"data\":{deep}")).map(|event| event.data), Ok(deep.into()));
}

#[test]
fn the_query_of_plain_text_is_read_strictly() {
    let unknown = |name: &str| Err(PublishError::UnknownParameter(Excerpt::of(name)));
    let flag = |field| Err(PublishError::WrongType { field, expected: "1 or 0" });
    for (query, expected) in [
        ("all=1", Ok(plain("hi\r\n"))),
        ("all", Ok(plain("hi\r\n"))),
        ("all=true&private=false", Ok(plain("hi\r\n"))),
        ("user=alice", Ok(Event { audience: Audience::Users(names(&["alice"])), ..plain("hi\r\n") })),
        ("topic=a%2Bb+c", Ok(Event { audience: Audience::Topics(names(&["a+b c"])), ..plain("hi\r\n") })),
        ("all=1&private", Ok(Event { private: true, ..plain("hi\r\n") })),
        ("", Err(PublishError::NoAudience)),
        ("all=0", Err(PublishError::NoAudience)),
        ("all=1&topic=a", Err(PublishError::TwoAudiences)),
        ("topic=", Err(PublishError::Empty(Field::Topics))),
        ("topics=a", unknown("topics")),
        ("all=1&data=x", unknown("data")),
        ("all=1&_=17", unknown("_")),
        ("all=yes", flag(Field::All)),
        ("all=1&private=on", flag(Field::Private)),
        ("all=1&all=1", Err(PublishError::Repeated(Field::All))),
        ("all=1&type=a&type=b", Err(PublishError::Repeated(Field::Type))),
        (
            "all=1&retry=",
            Err(PublishError::WrongType { field: Field::Retry, expected: "a whole number from 0" }),
        ),
        ("all=1&ttl=0", Err(PublishError::OutOfRange { field: Field::Ttl, min: 1, max: TTL_SECONDS_MAX })),
        ("topic=%ff", Err(PublishError::Query(QueryError::NotUtf8(Excerpt::of("topic"))))),
    ] {
        assert_eq!(one(MediaType::Text, query, "hi\r\n"), expected, "{query}");
    }
    assert_eq!(one(MediaType::Text, "all=1", "a\0"), Err(PublishError::NulInData));
    for media in [MediaType::Json, MediaType::NdJson] {
        let post = |query| parse(media, query, b"{\"all\":true}", RULES).err();
        assert_eq!(post("access_token=t"), None);
        assert_eq!(post("topic=a"), Some(PublishError::UnknownParameter(Excerpt::of("topic"))));
    }
}

#[test]
fn lines_are_answered_one_by_one_in_order() {
    let body =
        "{\"all\":true,\"data\":\"1\"}\n\n  \r\n{\"all\":1}\r\n{\"all\"\n{\"all\":true,\"data\":\"2\"}";
    let Ok(Published::Lines(lines)) = parse(MediaType::NdJson, "", body.as_bytes(), RULES) else {
        panic!("lines were posted");
    };
    let expected = [
        Ok(plain("1")),
        Err(PublishError::WrongType { field: Field::All, expected: "true or false" }),
        Err(PublishError::Json { line: 5, column: 6 }),
        Ok(plain("2")),
    ];
    assert_eq!(lines.collect::<Vec<_>>(), expected);

    let many = "{}\n".repeat(NDJSON_EVENTS_MAX + 1);
    let error = parse(MediaType::NdJson, "", many.as_bytes(), RULES).err();
    assert_eq!(error, Some(PublishError::TooManyEvents { count: NDJSON_EVENTS_MAX + 1 }));
}

#[test]
fn media_types_are_three() {
    for (content_type, expected) in [
        (Some("application/json"), Ok(MediaType::Json)),
        (Some("Application/JSON; charset=UTF-8"), Ok(MediaType::Json)),
        (Some("application/x-ndjson"), Ok(MediaType::NdJson)),
        (Some("text/plain"), Ok(MediaType::Text)),
        (Some("text/plain;charset=\"utf-8\" ; format=flowed"), Ok(MediaType::Text)),
        (Some("text/plain; charset=iso-8859-1"), Err(PublishError::ContentType)),
        (Some("application/x-www-form-urlencoded"), Err(PublishError::ContentType)),
        (Some("application/jsonx"), Err(PublishError::ContentType)),
        (Some(""), Err(PublishError::ContentType)),
        (None, Err(PublishError::ContentType)),
    ] {
        assert_eq!(MediaType::parse(content_type), expected, "{content_type:?}");
    }
    let refusal = PublishError::ContentType;
    assert_eq!(refusal.status().code(), 415);
    for name in ["application/json", "application/x-ndjson", "text/plain"] {
        assert!(refusal.to_string().contains(name));
    }
}

#[test]
fn a_block_stays_below_the_bound() {
    // With the publisher's own id the size is known to the byte.
    let fixed = "data: \nid: a\n\n".len();
    let room = EVENT_BYTES as usize - fixed;
    let post = |bytes: usize| one(MediaType::Text, "all=1&id=a", &"x".repeat(bytes));
    let event = post(room - 1).unwrap();
    assert_eq!(Frame::encode(&event, "a").bytes(Framing::CloseDelimited).len(), 65_535);
    let refused = PublishError::TooLarge { bytes: 65_536, event_bytes: EVENT_BYTES };
    assert_eq!(post(room), Err(refused));
    assert_eq!(refused.status().code(), 413);
    // Line ends weigh more on the stream than in the body.
    assert!(one(MediaType::Text, "all=1", &"\n".repeat(20_000)).is_err());
}

#[test]
fn topics_that_a_block_names_count_against_its_bound() {
    let post = |shows_topics, bytes: usize| -> Result<Event, PublishError> {
        let rules = EventRules { shows_topics, ..RULES };
        match parse(MediaType::Text, "topic=news&id=a", "x".repeat(bytes).as_bytes(), rules)? {
            Published::One(event) => Ok(event),
            Published::Lines(_) => panic!("one event was posted"),
        }
    };
    let room = EVENT_BYTES as usize - 1 - "data: \nid: a\n\n".len();
    let left = room - "topic: news\n".len();
    for (shows_topics, bytes, fits) in
        [(false, room, true), (false, room + 1, false), (true, left, true), (true, left + 1, false)]
    {
        let event = post(shows_topics, bytes);
        assert_eq!(event.is_ok(), fits, "{shows_topics} {bytes}");
        assert!(event.is_err() || event.is_ok_and(|event| event.shows_topics == shows_topics));
    }
}

#[test]
fn errors_name_the_field_the_value_and_what_is_allowed() {
    for (error, expected) in [
        (
            PublishError::UnknownField(Excerpt::of("topik")),
            "unknown field `topik`, the fields are `topics`, `users`, `all`, `data`, `type`, `id`, `retry`, `private`, \
             `ttl`, `ephemeral`",
        ),
        (
            PublishError::TooMany { field: Field::Topics, count: 101, count_max: 100 },
            "`topics` has 101 names, above the maximum 100",
        ),
        (
            PublishError::TooLarge { bytes: 70_000, event_bytes: 65_536 },
            "`data` makes the event 70000 bytes on a stream, it has to stay below 65536",
        ),
    ] {
        assert_eq!(error.to_string(), expected);
    }
}

proptest! {
    #[test]
    fn what_is_accepted_keeps_every_bound(body in "\\{(\"(all|data|type|id|topics)\":(true|\"[^\"]{0,9}\"|\\[\"[a-z*:]{0,9}\"\\]),?){0,4}\\}") {
        if let Ok(event) = json(&body) {
            prop_assert!(block_len_max(&event) < EVENT_BYTES as usize);
            prop_assert!(!event.data.contains('\0'));
        }
    }

    #[test]
    fn any_text_published_as_json_arrives_as_it_was(text in "[^\0]{0,60}") {
        let body = serde_json::json!({"all": true, "data": text}).to_string();
        prop_assert_eq!(json(&body), Ok(plain(&text)));
    }
}
