//! The life of a stream: from its greeting to its goodbye.

use std::time::Duration;

use bytes::Bytes;

use crate::auth::Authorized;
use crate::close_reason::CloseReason;
use crate::connection::compact::{Expiry, Past};
use crate::connection::state::{State, Stream};
use crate::connection::{ConnectionId, PeerHash};
use crate::history::Resume;
use crate::http::{Cors, StreamHead, control};
use crate::id::{EventId, Position, is_valid_id};
use crate::limits::RETRY_MS_MAX;

use super::outgoing::Then;
use super::output::Output;
use super::parcel::Parcel;
use super::turn::Carried;
use super::{Engine, hot};

/// How long a goodbye may take to go out.
pub(super) const GOODBYE_TIMEOUT: Duration = Duration::from_secs(5);

impl Engine {
    /// Opens a stream that has been admitted: head, first bytes, and if needed the gap, in one send.
    pub(super) fn open_stream(&mut self, index: u32, parcel: &Parcel) {
        let (after, gap) = self.resume(index, parcel);
        let now = self.now.instant;
        let cursor = after.next();
        let expires = Expiry::at(parcel.authorized.as_ref().map(Authorized::expires));
        let mut stream = Stream::new(cursor, Past::at(now), expires, parcel.framing);
        stream.visible_heartbeat = parcel.visible_heartbeat;
        self.become_state(index, State::Streaming(stream));
        self.behind.insert((cursor, index));
        let hot = &mut self.hot[index as usize];
        hot.framing = parcel.framing;
        hot.sent_ms = hot::clock_ms(now);
        self.streams += 1;
        self.counters.streams_opened += 1;
        let greeting = self.greeting(parcel, after, gap);
        self.outputs.push_back(Output::WatchHangup(self.id_of(index)));
        self.begin_outgoing(index, greeting, Then::Feed);
        self.arm(index);
    }

    /// Where the stream begins (behind which position), and the block of the gap it must be told of.
    /// If only the log can tell, the stream is told later, and its head goes out meanwhile.
    fn resume(&mut self, index: u32, parcel: &Parcel) -> (Position, Option<Bytes>) {
        let Some(last_event_id) = &parcel.last_event_id else { return (self.history.newest(), None) };
        self.counters.resumes += 1;
        match self.history.resume(last_event_id) {
            Resume::After(position) => (position, None),
            // What is no id cannot be known to the log either.
            Resume::Gap { .. } if self.replays && is_valid_id(last_event_id) => {
                self.begin_seek(index, last_event_id);
                (self.history.newest(), None)
            }
            Resume::Gap { to, .. } => {
                self.counters.gaps += 1;
                let gap = control::gap(parcel.framing, Some(last_event_id), &to.to_string());
                (to.position, Some(gap))
            }
        }
    }

    /// Head and first bytes of a stream. `begins` is the id behind which it does, for who has none yet.
    pub(super) fn stream_head(&self, parcel: &Parcel, retry_ms: u32, begins: Option<&str>) -> Bytes {
        let cors = Cors::of(&self.cors, parcel.origin.as_deref());
        let headers = begins.map(|id| ("Last-Event-ID", id));
        let head = StreamHead {
            framing: parcel.framing,
            cors,
            closes: false,
            heartbeat: self.settings.stream.heartbeat,
            headers: headers.as_slice(),
        };
        head.encode(self.now.unix, retry_ms, parcel.padding)
    }

    /// A stream without a cursor is told where it begins: what comes before its first event would be lost to it if it
    /// broke. `EventSource` cannot see that; clients by `fetch` can.
    fn greeting(&mut self, parcel: &Parcel, after: Position, gap: Option<Bytes>) -> Bytes {
        let retry_ms = self.retry_ms();
        let begins = match parcel.last_event_id {
            None => Some(EventId::kept(self.history.incarnation(), after).to_string()),
            Some(_) => None,
        };
        let head = self.stream_head(parcel, retry_ms, begins.as_deref());
        match gap {
            None => head,
            Some(gap) => [head, gap].concat().into(),
        }
    }

    pub(super) fn next_heartbeat(&mut self, index: u32) -> Option<Output> {
        // An event that is about to go out, or went out while this waited for its turn, breaks the silence as well.
        let is_due = self.heartbeat_deadline(index).is_some_and(|deadline| deadline <= self.now.instant);
        if !is_due || self.hot[index as usize].pending != 0 {
            return None;
        }
        let stream = self.stream(index)?;
        let bytes = heartbeat(stream);
        self.counters.heartbeats += 1;
        Some(self.send(index, bytes, Carried::Heartbeat))
    }

    pub(super) fn on_heartbeat_short(&mut self, index: u32, taken: usize) {
        let Some(stream) = self.stream(index) else { return };
        let bytes = heartbeat(stream);
        // None of it out means nothing is owed: the silence of a full socket is the peer's own.
        let rest = if taken == 0 { Bytes::new() } else { bytes.slice(taken..) };
        if stream.cursor().is_none() {
            self.fall_behind(index);
        }
        self.block(index, rest, Then::Feed);
    }

    /// Warns a stream that its token ends soon. The stream goes on.
    pub(super) fn warn_of_expiry(&mut self, index: u32) {
        let retry = clamp_ms(self.jittered(Duration::from_secs(1), Duration::from_secs(2)));
        let unix = self.now.unix.0;
        let Some(stream) = self.stream_mut(index) else { return };
        stream.warned = true;
        let left_ms = stream.expires.unix_ms().unwrap_or(0).saturating_sub(unix);
        let bytes = control::expiring(stream.framing, left_ms.div_ceil(1000), retry);
        // An own piece among the events: the stream is fed from history until it is out.
        if stream.cursor().is_none() {
            self.fall_behind(index);
        }
        self.begin_outgoing(index, bytes, Then::Feed);
    }

    /// Takes a stream out of everything that would send to it, and leaves the connection to be closed or drained.
    pub(super) fn begin_draining(&mut self, index: u32, reason: CloseReason) {
        self.leave_indexes(index, reason);
        let receiving = self.is_receiving(index);
        let until = self.now.instant + GOODBYE_TIMEOUT;
        self.become_state(index, State::Draining { reason, until, linger_bytes: 0, receiving });
        self.arm(index);
    }

    /// Ends a connection now, with whatever has gone out.
    pub(super) fn end(&mut self, index: u32, reason: CloseReason) {
        self.leave_indexes(index, reason);
        self.counters.closes[reason.index()] += 1;
        let outgoing = self.outgoing.remove(&index);
        let is_cut = outgoing.is_some_and(|outgoing| outgoing.is_begun && !outgoing.rest.is_empty());
        self.wheel.disarm(index);
        self.become_state(index, State::Closing { is_cut });
        self.outputs.push_back(Output::Close(self.id_of(index)));
    }

    /// Whether a connection that the host is to close ended within a frame: then a reset tells the peer that what it
    /// has of the frame is nothing. Some clients would glue an orderly end to the next stream (sse-clients.md §1, rule 8).
    #[must_use]
    pub fn is_cut(&self, id: ConnectionId) -> bool {
        self.arena.by_id(id).is_some_and(|it| matches!(it.state, State::Closing { is_cut: true }))
    }

    /// Ends a connection that has said its goodbye.
    pub(super) fn close(&mut self, index: u32) {
        let reason = match &self.connection(index).state {
            State::Draining { reason, .. } => *reason,
            State::Head(_)
            | State::Publishing(_)
            | State::Answering(_)
            | State::Moving
            | State::Streaming(_)
            | State::Closing { .. } => CloseReason::Done,
        };
        self.end(index, reason);
    }

    fn leave_indexes(&mut self, index: u32, reason: CloseReason) {
        let Some(stream) = self.stream(index) else { return };
        let (cursor, opened) = (stream.cursor(), stream.opened.seen_from(self.now.instant));
        if let Some(cursor) = cursor {
            self.behind.remove(&(cursor, index));
            self.ahead.remove(&(cursor, index));
        }
        self.replay.forget(index, cursor);
        self.stop_fanout(index);
        self.topics.unsubscribe(index);
        if let Some(departure) = self.users.leave(index)
            && departure.was_last
            && !matches!(reason, CloseReason::Evicted | CloseReason::Replaced | CloseReason::Disconnected)
        {
            // Nobody is in the way of an evicted client any more. One that an operator sent away was in nobody's way.
            self.users.forget_evictions(departure.user);
        }
        self.census.leave(PeerHash::of(self.seed, self.peers[index as usize].ip()));
        self.streams -= 1;
        self.counters.stream_ended(reason, self.now.instant.since(opened));
    }
}

pub(super) fn clamp_ms(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(RETRY_MS_MAX).min(RETRY_MS_MAX)
}

fn heartbeat(stream: &Stream) -> Bytes {
    Bytes::from_static(if stream.visible_heartbeat {
        control::heartbeat_event(stream.framing)
    } else {
        control::heartbeat(stream.framing)
    })
}
