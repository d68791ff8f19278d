//! The bytes that corecast would send: the head of a stream, the frame of an event, the answer to its publisher.

use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use corecast_core::event::{Audience, Event};
use corecast_core::frame::{Frame, Framing};
use corecast_core::http::{Cors, StreamHead};
use corecast_core::id::{EventId, Incarnation, Position};
use corecast_core::time::UnixMillis;

/// As the hub's default.
const RETRY_MS: u32 = 3000;

/// See the module.
pub(super) struct Frames {
    incarnation: Incarnation,
    position: Position,
    head: Bytes,
}

impl Frames {
    pub(super) fn new() -> Self {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let head = StreamHead {
            framing: Framing::Chunked,
            cors: Cors::NONE,
            closes: false,
            heartbeat: None,
            headers: &[],
        };
        Self {
            incarnation: Incarnation(fastrand::u64(..)),
            position: Position::default(),
            head: head.encode(UnixMillis(since_epoch.as_millis() as u64), RETRY_MS, false),
        }
    }

    /// What a subscriber gets first.
    pub(super) fn head(&self) -> Bytes {
        self.head.clone()
    }

    /// The frame of the next event, and the answer for its publisher, which is appended to `answers`.
    pub(super) fn encode(&mut self, data: &[u8], answers: &mut Vec<u8>) -> Bytes {
        self.position = self.position.next();
        let id = EventId::kept(self.incarnation, self.position).to_string();
        let body_len = "{\"id\":\"\"}".len() + id.len();
        let answer = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {body_len}\r\n\r\n{{\"id\":\"{id}\"}}"
        );
        answers.extend_from_slice(answer.as_bytes());
        let event = Event {
            audience: Audience::All,
            data: String::from_utf8_lossy(data).into(),
            kind: None,
            id: None,
            retry_ms: None,
            private: false,
            ttl: None,
            ephemeral: false,
            shows_topics: false,
        };
        Frame::encode(&event, &id).shared(Framing::Chunked)
    }
}
