//! What a turn asks of a driver's sockets.
//!
//! Everything here is done when it returns, except the watches: a socket that is watched tells with a later
//! [`Sockets::take`]. So at most one send of a connection is ever under way (invariant 5 of ARCHITECTURE.md).

use std::time::Duration;

use corecast_core::connection::ConnectionId;
use corecast_core::engine::Engine;
use corecast_core::engine::output::{BufferId, ShardId};
use corecast_core::engine::parcel::Parcel;
use corecast_core::time::Instant;
use corecast_ring::{Listener, RingCounters};

use super::pace::Pace;
use crate::shard::Shard;
use crate::shard::inbox::Passage;

/// What a connection waits for. `Readable` also serves idle streams: of them, only the end is ever readable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Watch {
    Readable = 1,
    Writable = 2,
}

impl Watch {
    pub(super) const ALL: [Self; 2] = [Self::Readable, Self::Writable];
}

/// Sets when the kernel gives up peers that connect from now on.
pub(crate) fn set_user_timeout<'a>(listeners: impl IntoIterator<Item = &'a Listener>, timeout: Duration) {
    for listener in listeners {
        if let Err(error) = listener.set_user_timeout(timeout) {
            tracing::warn!(%error, "the kernel does not take another time-out for dead peers");
        }
    }
}

/// See the module.
pub(super) trait Sockets {
    /// Takes in what has happened: tells the engine who has come and who can be written to, and adds to `readable` who has
    /// bytes to read, or may have. Gives how much it was.
    fn take(&mut self, shard: &mut Shard, pace: &mut Pace, readable: &mut Vec<ConnectionId>) -> usize;

    /// Accepts, or makes ready to, as many as the pace allows.
    fn accept(&mut self, engine: &mut Engine, pace: &mut Pace, now: Instant);

    /// Accepts no more, and gives the address up if nobody else has the socket.
    fn stop_accepting(&mut self);

    /// Accepts that may still bring a connection.
    fn accepts_armed(&self) -> u32;

    /// When the kernel gives up peers that connect from now on.
    fn set_user_timeout(&self, timeout: Duration);

    /// Reads once from each, and watches those that have nothing yet.
    fn receive(&mut self, from: &mut Vec<ConnectionId>, engine: &mut Engine);

    /// Watches a connection, unless it is watched already.
    fn watch(&mut self, id: ConnectionId, what: Watch);

    /// Sends, and tells the engine of every send that fell short.
    fn send(&mut self, sends: &mut Vec<(ConnectionId, BufferId)>, engine: &mut Engine);

    /// Closes connections, and forgets those that have moved on. A connection that ended within a frame is reset.
    fn close(&mut self, closing: &mut Vec<ConnectionId>, moved: &mut Vec<ConnectionId>, engine: &mut Engine);

    /// Hands a socket to its home shard, whose inbox had room a moment ago; it is then among the moved ones of this turn's
    /// [`Sockets::close`].
    ///
    /// # Errors
    /// The parcel: the connection stays.
    fn pass(
        &mut self,
        from: ConnectionId,
        to: ShardId,
        parcel: Box<Parcel>,
        shard: &Shard,
    ) -> Result<(), Box<Parcel>>;

    /// A connection arrives from another shard.
    fn arrive(&mut self, passage: Passage, parcel: Box<Parcel>, engine: &mut Engine);

    /// The socket that was announced under this key does not come.
    fn forget(&mut self, key: u64);

    /// When sockets are to be looked at again, though none has said anything.
    fn next_try(&self) -> Option<Instant>;

    /// What the ring has counted, if there is one.
    fn counters(&self) -> RingCounters;
}
