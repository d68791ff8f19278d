//! Events of the hub itself: what a client must know that no status can tell it (sse-clients.md §5).
//!
//! Invariant: each is a whole block with JSON data. Only `corecast.gap` has an id, since only it moves the cursor; a new
//! reconnection time stands inside the block, where all clients see it.
//! Not here: when they are sent, and how the stream ends behind them.

use std::io::Write as _;

use bytes::Bytes;

use crate::frame::{Block, Frame, Framing};
use crate::id::ID_BYTES_MAX;
use crate::limits::RETRY_MS_MAX;

use super::json::JsonText;

/// Event types that begin with this are the hub's own.
pub const KIND_PREFIX: &str = "corecast.";

/// Long enough to stay away, and below what Node's timers wrap at.
const A_DAY_MS: u32 = 86_400_000;

/// Which limit a stream ran into.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LimitReason {
    /// Streams in the whole process.
    Connections,
    /// Streams of one user.
    PerUser,
    /// Streams of one peer address.
    PerIp,
}

impl LimitReason {
    /// The `reason` in the event's data: the setting's name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Connections => "connections",
            Self::PerUser => "per_user",
            Self::PerIp => "per_ip",
        }
    }
}

/// `corecast.gap`: the events behind `from`, up to `to`, cannot be replayed. `to` becomes the cursor, so a stream that
/// breaks right here resumes without a second gap.
///
/// `from` is what the client gave. What is too long to be anybody's id is shown as `null`.
#[must_use]
pub fn gap(framing: Framing, from: Option<&str>, to: &str) -> Bytes {
    let mut data = String::from("{\"from\":");
    match from.filter(|from| from.len() <= ID_BYTES_MAX) {
        Some(from) => data.push_str(&JsonText(from).to_string()),
        None => data.push_str("null"),
    }
    data.push_str(",\"to\":");
    data.push_str(&JsonText(to).to_string());
    data.push('}');
    encode(
        framing,
        &Block { kind: Some("corecast.gap"), retry_ms: None, topics: &[], data: &data, id: Some(to) },
    )
}

/// `corecast.evicted`: a newer stream took this one's place. The time to come back is a day, for those whom a clean
/// end does not stop.
#[must_use]
pub fn evicted(framing: Framing) -> Bytes {
    last(framing, "corecast.evicted", "{}", A_DAY_MS)
}

/// `corecast.evicted` by an operator, in the operator's words: as [`evicted`], the client is to stay away.
#[must_use]
pub fn expelled(framing: Framing, message: &str) -> Bytes {
    last(framing, "corecast.evicted", &operators_words(message), A_DAY_MS)
}

/// `corecast.drain` by an operator, in the operator's words: the client is to come back in `retry_ms`.
#[must_use]
pub fn disconnected(framing: Framing, message: &str, retry_ms: u32) -> Bytes {
    last(framing, "corecast.drain", &operators_words(message), retry_ms)
}

fn operators_words(message: &str) -> String {
    format!("{{\"reason\":\"disconnected\",\"message\":{}}}", JsonText(message))
}

/// `corecast.limit`: there was no room for this stream.
#[must_use]
pub fn limit(framing: Framing, reason: LimitReason, retry_ms: u32) -> Bytes {
    last(framing, "corecast.limit", &format!("{{\"reason\":\"{}\"}}", reason.as_str()), retry_ms)
}

/// `corecast.expiring`: the token ends in so many seconds, and the stream with it.
#[must_use]
pub fn expiring(framing: Framing, seconds: u64, retry_ms: u32) -> Bytes {
    last(framing, "corecast.expiring", &format!("{{\"seconds\":{seconds}}}"), retry_ms)
}

/// `corecast.drain`: this hub goes; come back in `retry_ms`.
#[must_use]
pub fn drain(framing: Framing, retry_ms: u32) -> Bytes {
    last(framing, "corecast.drain", "{}", retry_ms)
}

fn last(framing: Framing, kind: &str, data: &str, retry_ms: u32) -> Bytes {
    let retry_ms = Some(retry_ms.min(RETRY_MS_MAX));
    encode(framing, &Block { kind: Some(kind), retry_ms, topics: &[], data, id: None })
}

fn encode(framing: Framing, block: &Block<'_>) -> Bytes {
    Frame::of(block).shared(framing)
}

/// A bare comment line: no client sees an event in it, not even inside a block (sse-clients.md §1, rule 4).
#[must_use]
pub const fn heartbeat(framing: Framing) -> &'static [u8] {
    match framing {
        Framing::Chunked => b"2\r\n:\n\r\n",
        Framing::CloseDelimited => b":\n",
    }
}

/// The heartbeat for who asked to see it (`heartbeat=event`): comments reach no handler.
#[must_use]
pub const fn heartbeat_event(framing: Framing) -> &'static [u8] {
    match framing {
        Framing::Chunked => b"24\r\nevent: corecast.heartbeat\ndata: {}\n\n\r\n",
        Framing::CloseDelimited => b"event: corecast.heartbeat\ndata: {}\n\n",
    }
}

/// The end that says "do not come back". Without it the end of a chunked stream is an abort, which says "come back";
/// a close-delimited stream cannot tell the two apart.
#[must_use]
pub const fn clean_end(framing: Framing) -> &'static [u8] {
    match framing {
        Framing::Chunked => b"0\r\n\r\n",
        Framing::CloseDelimited => b"",
    }
}

/// Appends the first bytes of a stream: padding if asked for, a comment that makes `open` fire behind buffers, and the
/// time to come back in. No blank line: it would be an empty event to some clients (sse-clients.md §1, rule 3).
pub(super) fn write_first_bytes(out: &mut Vec<u8>, framing: Framing, retry_ms: u32, padding_bytes: usize) {
    let mut first = Vec::with_capacity(32 + padding_bytes);
    if padding_bytes > 0 {
        first.push(b':');
        first.resize(first.len() + padding_bytes, b' ');
        first.push(b'\n');
    }
    writeln!(first, ":\nretry: {}", retry_ms.min(RETRY_MS_MAX)).expect("writing to memory does not fail");
    match framing {
        Framing::Chunked => crate::frame::write_chunk(out, &first),
        Framing::CloseDelimited => out.extend_from_slice(&first),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_control_event_is_one_whole_block() {
        use Framing::CloseDelimited as Plain;
        for (bytes, expected) in [
            (
                gap(Plain, Some("a-1"), "a-9"),
                "event: corecast.gap\ndata: {\"from\":\"a-1\",\"to\":\"a-9\"}\nid: a-9\n\n",
            ),
            (
                gap(Plain, None, "a-0"),
                "event: corecast.gap\ndata: {\"from\":null,\"to\":\"a-0\"}\nid: a-0\n\n",
            ),
            (
                gap(Plain, Some("\n\"\u{2028}\0é"), "a-9"),
                "event: corecast.gap\ndata: {\"from\":\"\\n\\\"\\u2028\\u0000é\",\"to\":\"a-9\"}\nid: a-9\n\n",
            ),
            (
                gap(Plain, Some(&"x".repeat(129)), "a-9"),
                "event: corecast.gap\ndata: {\"from\":null,\"to\":\"a-9\"}\nid: a-9\n\n",
            ),
            (evicted(Plain), "event: corecast.evicted\nretry: 86400000\ndata: {}\n\n"),
            (
                expelled(Plain, "maintenance\n\"at\" noon"),
                "event: corecast.evicted\nretry: 86400000\n\
                 data: {\"reason\":\"disconnected\",\"message\":\"maintenance\\n\\\"at\\\" noon\"}\n\n",
            ),
            (
                disconnected(Plain, "", 500),
                "event: corecast.drain\nretry: 500\ndata: {\"reason\":\"disconnected\",\"message\":\"\"}\n\n",
            ),
            (
                limit(Plain, LimitReason::Connections, 47_312),
                "event: corecast.limit\nretry: 47312\ndata: {\"reason\":\"connections\"}\n\n",
            ),
            (
                expiring(Plain, 30, u32::MAX),
                "event: corecast.expiring\nretry: 2147483647\ndata: {\"seconds\":30}\n\n",
            ),
            (drain(Plain, 500), "event: corecast.drain\nretry: 500\ndata: {}\n\n"),
        ] {
            assert_eq!(String::from_utf8_lossy(&bytes), expected);
        }
    }

    #[test]
    fn the_chunked_constants_are_chunks_of_the_plain_ones() {
        for constant in [heartbeat, heartbeat_event] {
            let mut chunk = Vec::new();
            crate::frame::write_chunk(&mut chunk, constant(Framing::CloseDelimited));
            assert_eq!(constant(Framing::Chunked), chunk);
        }
        assert_eq!(clean_end(Framing::Chunked), b"0\r\n\r\n");
        assert!(clean_end(Framing::CloseDelimited).is_empty());
    }
}
