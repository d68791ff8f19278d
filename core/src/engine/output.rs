//! What the engine asks its host to do.

use crate::connection::ConnectionId;
use crate::event::Event;
use crate::http::{Status, response};
use crate::id::Position;
use crate::idempotency::IdempotencyKey;
use crate::time::Instant;

use super::parcel::Parcel;

/// Which shard of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ShardId(pub u16);

/// Names bytes of the present turn: `Engine::buffer` lends them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BufferId(pub(super) u32);

/// One thing to do. Small; it points at bytes and does not own them.
#[derive(Debug)]
#[must_use]
pub enum Output {
    /// Send these bytes, at most once per connection and turn. What the socket did not take is reported by
    /// `handle_short_send` before the next turn; silence means that all of them went out.
    Send {
        /// To whom.
        to: ConnectionId,
        /// What.
        buffer: BufferId,
    },
    /// Report bytes (`handle_received`) as soon as there are some, once.
    Receive(ConnectionId),
    /// Report when the peer hangs up (`handle_hangup`), or says something all the same (`handle_received`), once.
    /// Nothing is expected soon: there is no use in looking at once.
    WatchHangup(ConnectionId),
    /// Report when the socket takes bytes again (`handle_writable`), once.
    AwaitWritable(ConnectionId),
    /// Hand the socket and the parcel to another shard, then report `handle_closed`; or `handle_move_refused`.
    Move {
        /// The connection here.
        from: ConnectionId,
        /// Its home.
        to: ShardId,
        /// What its home must know.
        parcel: Box<Parcel>,
    },
    /// Give this to the sequencer; or report `handle_publish_refused`.
    Publish(Box<PublishRequest>),
    /// Ask the log where the stream of this connection goes on; report `handle_sought`.
    Seek {
        /// For whom.
        from: ConnectionId,
        /// What its client has seen last.
        last_event_id: Box<str>,
    },
    /// Read the page of the log with this position, and report `handle_page`. There is one under way at most.
    ReadPage(Position),
    /// Close the socket, with a reset if [`super::Engine::is_cut`], forget every operation on it, then report
    /// `handle_closed`. Nothing else follows for it.
    Close(ConnectionId),
}

/// What one request publishes.
#[derive(Debug)]
pub struct PublishRequest {
    /// Who waits for the answer.
    pub from: PublisherId,
    /// Under which the publisher may repeat the request.
    pub key: Option<IdempotencyKey>,
    /// When the shard had all of it.
    pub published: Instant,
    /// In the order of the request: lines that are no events keep their place.
    pub events: Vec<Result<Event, Refused>>,
}

/// Why one event of a request was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// What a request with this event alone is answered with.
    pub status: Status,
    /// `{"error", "message"}`, in one line.
    pub json: Box<str>,
}

impl Refused {
    /// The log could not keep it.
    #[must_use]
    pub fn not_kept() -> Self {
        let message = "the log cannot keep events at present, try again later";
        Self {
            status: Status::ServiceUnavailable,
            json: response::error_json("log_unavailable", &message).into(),
        }
    }
}

/// Where the answer to a publish goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublisherId {
    /// The shard.
    pub shard: ShardId,
    /// The connection there.
    pub connection: ConnectionId,
}

/// The sequencer's answer to a `PublishRequest`: one result for each of its events, in order.
#[derive(Debug)]
pub struct PublishAnswer {
    /// Who asked.
    pub to: PublisherId,
    /// The id of each event, or why it was not taken.
    pub results: Vec<Result<Box<str>, Refused>>,
}
