//! What is encoded is what a reader of the stream gets back, in both framings.

use proptest::prelude::*;

use super::*;
use crate::event::Audience;

fn event(data: &str) -> Event {
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

fn block(event: &Event, id: &str) -> String {
    String::from_utf8(Frame::encode(event, id).bytes(Framing::CloseDelimited).to_vec()).unwrap()
}

#[test]
fn a_block_has_its_fields_in_the_order_that_clients_need() {
    let full = Event { kind: Some("price".into()), retry_ms: Some(4231), ..event("1\n2") };
    assert_eq!(block(&full, "a-1"), "event: price\nretry: 4231\ndata: 1\ndata: 2\nid: a-1\n\n");
}

#[test]
fn a_block_names_the_topics_that_all_its_readers_may_know() {
    let names = |names: &[&str]| names.iter().map(|&name| name.into()).collect();
    let (topics, users) = (|list: &[&str]| Audience::Topics(names(list)), Audience::Users(names(&["alice"])));
    for (audience, private, lines) in [
        (topics(&["chat/1"]), false, "topic: chat/1\n"),
        (topics(&["b", " a", "é: x"]), false, "topic: b\ntopic:  a\ntopic: é: x\n"),
        (topics(&["chat/1"]), true, "topic: chat/1\n"),
        // Whoever is granted one of them is not to learn of the others.
        (topics(&["books/1", "users/7/books/1"]), true, ""),
        (users.clone(), false, ""),
        (users, true, ""),
        (Audience::All, false, ""),
    ] {
        for shows_topics in [true, false] {
            let event =
                Event { audience: audience.clone(), private, shows_topics, retry_ms: Some(9), ..event("x") };
            let shown = if shows_topics { lines } else { "" };
            assert_eq!(block(&event, "a-1"), format!("retry: 9\n{shown}data: x\nid: a-1\n\n"), "{event:?}");
            assert_eq!(block_len(&event, 3), block(&event, "a-1").len());
        }
    }
}

#[test]
fn values_are_split_wherever_a_reader_ends_a_line() {
    for (data, lines) in [
        ("", "data:\n"),
        ("a", "data: a\n"),
        (" a", "data:  a\n"),
        ("a\nb", "data: a\ndata: b\n"),
        ("a\rb", "data: a\ndata: b\n"),
        ("a\r\nb", "data: a\ndata: b\n"),
        ("a\n\rb", "data: a\ndata:\ndata: b\n"),
        ("a\r\r\nb", "data: a\ndata:\ndata: b\n"),
        ("\n", "data:\ndata:\n"),
        ("a\n", "data: a\ndata:\n"),
        ("id: 7\n\nevent: x", "data: id: 7\ndata:\ndata: event: x\n"),
        ("a\u{2028}b\u{85}c", "data: a\u{2028}b\u{85}c\n"),
    ] {
        assert_eq!(block(&event(data), "i"), format!("{lines}id: i\n\n"), "{data:?}");
    }
}

#[test]
fn both_framings_share_the_same_bytes() {
    let frame = Frame::encode(&event(&"x".repeat(300)), "i");
    let block = frame.bytes(Framing::CloseDelimited);
    let chunk = [format!("{:x}\r\n", block.len()).as_bytes(), block, b"\r\n"].concat();
    assert_eq!(frame.bytes(Framing::Chunked), chunk);
    for framing in [Framing::Chunked, Framing::CloseDelimited] {
        assert_eq!(frame.shared(framing), frame.bytes(framing));
        assert_eq!(frame.shared(framing).as_ptr(), frame.bytes(framing).as_ptr());
    }
}

#[test]
fn the_allocation_of_a_frame_is_exact() {
    let chunk = Frame::encode(&event("a\r\nb"), "i").shared(Framing::Chunked);
    let len = chunk.len();
    assert_eq!(Vec::from(chunk).capacity(), len);
}

/// What a reader of an event stream dispatches.
#[derive(Debug, Default, PartialEq)]
struct Dispatched {
    kind: String,
    data: String,
    id: String,
    retry: Option<String>,
}

/// The algorithm of WHATWG HTML §9.2.6, word by word, for one stream that holds only complete blocks.
fn read(stream: &str) -> Vec<Dispatched> {
    let mut dispatched = Vec::new();
    let mut now = Dispatched::default();
    let unified = stream.replace("\r\n", "\n").replace('\r', "\n");
    for line in unified.split('\n') {
        if line.is_empty() {
            let mut whole = std::mem::take(&mut now);
            now.id = whole.id.clone();
            if whole.data.pop().is_some() {
                dispatched.push(whole);
            }
            continue;
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => now.kind = value.into(),
            "data" => now.data = format!("{}{value}\n", now.data),
            "id" if !value.contains('\0') => now.id = value.into(),
            "retry" => now.retry = Some(value.into()),
            _ => {}
        }
    }
    dispatched
}

/// Text in which line ends, colons and spaces are as likely as anything else.
fn text() -> impl Strategy<Value = String> {
    prop::collection::vec(
        prop_oneof![
            Just("\r".to_owned()),
            Just("\n".to_owned()),
            Just("\r\n".to_owned()),
            Just(" ".to_owned()),
            Just(": ".to_owned()),
            Just("data".to_owned()),
            Just("\u{feff}".to_owned()),
            "[a-z]{0,4}",
            any::<char>().prop_map(String::from),
        ],
        0..24,
    )
    .prop_map(|parts| parts.concat())
}

proptest! {
    #[test]
    fn a_reader_gets_what_was_published(
        data in text(),
        kind in prop::option::of(" ?[^\r\n\0]{1,20}"),
        retry_ms in prop::option::of(0..=crate::limits::RETRY_MS_MAX),
        id in "[0-9A-Za-z._-]{1,128}",
        topics in prop::option::of(prop::collection::vec("[ :a-z\u{2028}]{1,9}", 1..3)),
    ) {
        let audience = topics.map_or(Audience::All, |topics| Audience::Topics(topics.into_iter().map(Into::into).collect()));
        let kind_of = kind.clone().map(Into::into);
        let event = Event { audience, kind: kind_of, retry_ms, shows_topics: true, ..event(&data) };
        let bytes = block(&event, &id);
        prop_assert_eq!(bytes.len(), block_len(&event, id.len()));
        let expected = Dispatched {
            kind: kind.unwrap_or_default(),
            data: data.replace("\r\n", "\n").replace('\r', "\n"),
            id,
            retry: retry_ms.map(|ms| ms.to_string()),
        };
        // Twice in a row: a block leaves nothing behind that changes the next one.
        let again = Dispatched { data: expected.data.clone(), kind: expected.kind.clone(), id: expected.id.clone(), retry: expected.retry.clone() };
        prop_assert_eq!(read(&bytes.repeat(2)), vec![expected, again]);
    }
}

#[test]
fn an_unplaced_event_is_weighed_with_the_longest_id_it_can_get() {
    use crate::id::{EventId, Incarnation, Position};
    let longest = EventId {
        incarnation: Incarnation(u64::MAX),
        position: Position(u64::MAX),
        ephemeral: Some(u64::MAX),
    };
    let longest = format!("#{longest}");
    assert_eq!(longest.len(), OWN_ID_BYTES_MAX);
    let own = event("a");
    assert_eq!(block_len_max(&own), block(&own, &longest).len());
    let named = Event { id: Some("x7".into()), ..event("a") };
    assert_eq!(block_len_max(&named), block(&named, "x7").len());
}

#[test]
fn a_frame_comes_back_from_its_chunk_and_from_nothing_else() {
    let frame = Frame::encode(&event("one\ntwo"), "x7");
    let chunk = frame.shared(Framing::Chunked);
    assert_eq!(Frame::decode(chunk.clone()), Some(frame));
    for len in 0..chunk.len() {
        assert_eq!(Frame::decode(chunk.slice(..len)), None, "{len} bytes of {}", chunk.len());
    }
    for wrong in
        ["", "\r\n", "2\r\n\n\n\r\n0", "+2\r\n\n\n\r\n", "3\r\n\n\n\r\n", "ffffffffffffffff\r\n\n\n\r\n"]
    {
        assert_eq!(Frame::decode(Bytes::from_static(wrong.as_bytes())), None, "{wrong:?}");
    }
}
