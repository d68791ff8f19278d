//! What publishers post: an event that is accepted keeps every bound, and its frame has the size that was promised.

use corecast_core::event::{Audience, Event};
use corecast_core::frame::{Frame, Framing, block_len, block_len_max};
use corecast_core::http::publish::{EventRules, MediaType, Published, parse};
use corecast_core::limits::{EVENT_TOPICS_MAX, EVENT_USERS_MAX, RETRY_MS_MAX};

use super::Target;

/// The media type, the query, a line feed, the body.
pub const TARGET: Target = Target {
    name: "publish_body",
    run,
    seeds: &[
        b"J\n{\"topics\":[\"a\",\"b\"],\"data\":{\"x\": [1, 2.50, \"\\u2028\"]},\"type\":\"t\",\"id\":\"i-1\",\"retry\":5}",
        b"J\n{\"users\":[\"alice\"],\"data\":\"a\\r\\nb\",\"private\":true,\"ttl\":60,\"ephemeral\":true}",
        b"N\n{\"all\":true}\n\n{\"all\":true,\"data\":null}\r\n",
        b"Ttopic=a&topic=b%2B&type=t&id=x&retry=1&ttl=2&private&ephemeral=0\nhello\r\nworld",
    ],
};

const EVENT_BYTES: u32 = 256;

fn run(input: &[u8]) {
    let Some((media, rest)) = input.split_first() else {
        return;
    };
    let media = match media {
        b'T' => MediaType::Text,
        b'N' => MediaType::NdJson,
        _ => MediaType::Json,
    };
    let at = rest.iter().position(|&byte| byte == b'\n').unwrap_or(rest.len());
    let (query, body) = (String::from_utf8_lossy(&rest[..at]), rest.get(at + 1..).unwrap_or(&[]));
    let rules = EventRules { event_bytes: EVENT_BYTES, shows_topics: true };
    match parse(media, &query, body, rules) {
        Ok(Published::One(event)) => check(&event),
        Ok(Published::Lines(lines)) => lines.flatten().for_each(|event| check(&event)),
        Err(error) => assert!((400..500).contains(&error.status().code()), "{error}"),
    }
}

fn check(event: &Event) {
    match &event.audience {
        Audience::Topics(topics) => assert!((1..=EVENT_TOPICS_MAX).contains(&topics.len())),
        Audience::Users(users) => assert!((1..=EVENT_USERS_MAX).contains(&users.len())),
        Audience::All => {}
    }
    assert!(!event.data.contains('\0') && event.retry_ms.is_none_or(|ms| ms <= RETRY_MS_MAX));
    assert!(block_len_max(event) < EVENT_BYTES as usize);
    let id = event.id.as_deref().unwrap_or("own-1");
    let frame = Frame::encode(event, id);
    assert_eq!(frame.bytes(Framing::CloseDelimited).len(), block_len(event, id.len()));
}
