//! Events as the sequencer would hand them to a log, and what has to be the same when they come back.

use std::sync::Arc;
use std::time::Duration;

use corecast_core::event::{Audience, Event, SequencedEvent, SharedEvent};
use corecast_core::frame::{Frame, Framing};
use corecast_core::id::{EventId, Incarnation, Position};
use corecast_core::idempotency::{EventKey, IdempotencyKey};
use corecast_core::time::{Instant, UnixMillis};
use fastrand::Rng;

/// Draws events, no two of them with the same data, id or key.
pub(super) struct Events {
    rng: Rng,
    drawn: u64,
    /// Bytes of the largest data.
    bytes_max: usize,
}

impl Events {
    pub(super) const fn new(rng: Rng, bytes_max: usize) -> Self {
        Self { rng, drawn: 0, bytes_max }
    }

    /// The event that is to be kept at `position`.
    pub(super) fn draw(
        &mut self,
        incarnation: Incarnation,
        position: Position,
        now: UnixMillis,
    ) -> SharedEvent {
        self.drawn += 1;
        let (number, rng) = (self.drawn, &mut self.rng);
        let len = match rng.u8(..8) {
            0 => 0,
            1 => rng.usize(..=self.bytes_max),
            _ => rng.usize(..=self.bytes_max.min(100)),
        };
        let names = |kind: &str, rng: &mut Rng| -> Box<[Box<str>]> {
            (0..rng.usize(1..4)).map(|n| format!("{kind}/{n}/{}", rng.u8(..)).into()).collect()
        };
        let audience = match rng.u8(..3) {
            0 => Audience::All,
            1 => Audience::Users(names("user", rng)),
            _ => Audience::Topics(names("topic", rng)),
        };
        let event = Event {
            audience,
            data: format!("{number} {}", ["x", "line\n", "é"][rng.usize(..3)].repeat(len / 2)).into(),
            kind: rng.bool().then(|| "tick".into()),
            id: rng.bool().then(|| format!("order-{number}").into()),
            retry_ms: (rng.u8(..8) == 0).then_some(2000),
            private: rng.bool(),
            ttl: (rng.u8(..4) == 0).then(|| Duration::from_millis(rng.u64(1..100_000))),
            ephemeral: false,
            shows_topics: false,
        };
        let key = rng.bool().then(|| IdempotencyKey::of(Some("alice"), &number.to_le_bytes()).event(0));
        sequence(event, key, EventId::kept(incarnation, position), now)
    }
}

fn sequence(event: Event, key: Option<EventKey>, id: EventId, now: UnixMillis) -> SharedEvent {
    let wire_id = event.id.clone().unwrap_or_else(|| id.to_string().into());
    let frame = Frame::encode(&event, &wire_id);
    Arc::new(SequencedEvent {
        position: id.position,
        id,
        publisher_id: event.id,
        key,
        audience: event.audience,
        private: event.private,
        expires: event.ttl.map(|ttl| UnixMillis(now.0 + ttl.as_millis() as u64)),
        ephemeral: false,
        sequenced: now,
        published: Instant::ZERO,
        frame,
    })
}

/// Fails unless what was read is what was kept, to the last byte.
pub(super) fn assert_same(read: &SharedEvent, kept: &SharedEvent) {
    let position = kept.position.0;
    assert_eq!(read.position, kept.position, "the position of event {position}");
    assert_eq!(read.id, kept.id, "the id of event {position}");
    assert_eq!(read.publisher_id, kept.publisher_id, "the publisher's id of event {position}");
    assert_eq!(read.key, kept.key, "the key of event {position}");
    assert_eq!(read.audience, kept.audience, "the audience of event {position}");
    assert_eq!(read.private, kept.private, "the privacy of event {position}");
    assert_eq!(read.expires, kept.expires, "the expiry of event {position}");
    assert_eq!(read.sequenced, kept.sequenced, "the time of event {position}");
    assert!(!read.ephemeral, "event {position} is kept");
    for framing in [Framing::Chunked, Framing::CloseDelimited] {
        let (read, kept) = (read.frame.bytes(framing), kept.frame.bytes(framing));
        assert!(
            read == kept,
            "the {framing:?} frame of event {position}: {} bytes, not {}",
            read.len(),
            kept.len()
        );
    }
}

/// The least and the most that the record of an event takes, header and alignment included.
pub(super) fn record_bytes(event: &SharedEvent) -> (u64, u64) {
    let frame = event.frame.bytes(Framing::Chunked).len() as u64;
    let names: usize = match &event.audience {
        Audience::Topics(names) | Audience::Users(names) => names.iter().map(|name| name.len() + 8).sum(),
        Audience::All => 0,
    };
    (frame, frame + names as u64 + event.publisher_id.as_ref().map_or(0, |id| id.len() as u64) + 200)
}
