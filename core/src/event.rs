//! What a publisher hands in, and what the sequencer makes of it.

use std::sync::Arc;
use std::time::Duration;

use crate::frame::Frame;
use crate::id::{EventId, Position};
use crate::idempotency::EventKey;
use crate::time::{Instant, UnixMillis};

/// Whom an event is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Audience {
    /// Subscribers with a selector for one of these topics. At least one; no duplicates.
    Topics(Box<[Box<str>]>),
    /// Every stream of these users. At least one; no duplicates.
    Users(Box<[Box<str>]>),
    /// Every stream.
    All,
}

/// What a publisher hands in, checked: every bound and character rule already holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Whom it is for.
    pub audience: Audience,
    /// The value of the `data` field; may be empty and may have many lines.
    pub data: Box<str>,
    /// The event type (`event:` on the wire); `None` is the default type `message`.
    pub kind: Option<Box<str>>,
    /// The publisher's own id, kept as given.
    pub id: Option<Box<str>>,
    /// A new reconnection time for the receivers, in milliseconds.
    pub retry_ms: Option<u32>,
    /// Only for subscribers whose token grants it.
    pub private: bool,
    /// How long it may be replayed; `None` is as long as history has it.
    pub ttl: Option<Duration>,
    /// Live subscribers only; never kept, never replayed.
    pub ephemeral: bool,
    /// Whether its frame says which topics it was published to, as far as [`Event::shown_topics`] allows.
    pub shows_topics: bool,
}

impl Event {
    /// The topics that its frame names. A private event of several topics names none: whoever is granted one of them
    /// would be told for whom else it is.
    #[must_use]
    pub fn shown_topics(&self) -> &[Box<str>] {
        match &self.audience {
            Audience::Topics(topics) if self.shows_topics && (!self.private || topics.len() == 1) => topics,
            Audience::Topics(_) | Audience::Users(_) | Audience::All => &[],
        }
    }
}

/// An event with its place in the order, encoded. Shared by the log and every shard, never changed.
#[derive(Debug)]
pub struct SequencedEvent {
    /// For a kept event its own position; for an ephemeral one that of the last kept event before it.
    pub position: Position,
    /// The hub's id of it. The id on the wire is `publisher_id` if there is one.
    pub id: EventId,
    /// The publisher's own id.
    pub publisher_id: Option<Box<str>>,
    /// Under which its publisher may repeat it. Only kept events have one.
    pub key: Option<EventKey>,
    /// Whom it is for.
    pub audience: Audience,
    /// Only for subscribers whose token grants it.
    pub private: bool,
    /// When replay must no longer show it.
    pub expires: Option<UnixMillis>,
    /// Never in history.
    pub ephemeral: bool,
    /// When the sequencer took it: age limits count from here.
    pub sequenced: UnixMillis,
    /// When the shard that took it had its request, on the clock of this process: how long its delivery took counts from
    /// here. [`Instant::ZERO`] for what was read back from a log.
    pub published: Instant,
    /// The bytes every recipient gets.
    pub frame: Frame,
}

/// How events travel: one allocation for all shards.
pub type SharedEvent = Arc<SequencedEvent>;
