//! Feeding from history: slow consumers and resumers, from their cursor to the seam where they are live.
//!
//! Invariant: a stream has a cursor exactly while it is not live, and `behind` holds it under that cursor. Becoming
//! live and the arrival of events happen on one thread, so the seam neither loses nor doubles anything.

use bytes::{Bytes, BytesMut};

use crate::close_reason::CloseReason;
use crate::connection::state::{State, Stream};
use crate::event::SharedEvent;
use crate::history::{Entry, History, Resolved};
use crate::id::Position;
use crate::users::{UserHash, UserKey};

use super::outgoing::Then;
use super::output::Output;
use super::turn::Carried;
use super::{Engine, Source};

/// Most that one send from history carries: what a socket takes at once (`NOTSENT_LOWAT`).
const FEED_BYTES_MAX: usize = 16 * 1024;

/// Most entries looked at for one connection in one go: some 10 µs, then others have their turn.
const FEED_SCAN_MAX: usize = 4096;

impl Engine {
    /// What was sent last is out: the stream goes on from its cursor, or is live.
    pub(super) fn on_fed(&mut self, index: u32) {
        if self.replay.is_seeking(index) {
            return self.arm(index);
        }
        let Some(cursor) = self.stream(index).and_then(Stream::cursor) else { return };
        let next = self.history.newest().next();
        if cursor == next {
            self.become_live(index);
        } else if cursor > next {
            self.ahead.insert((cursor, index));
            self.arm(index);
        } else {
            self.queue(Source::Feed, index);
            self.arm(index);
        }
    }

    pub(super) fn next_feed(&mut self, index: u32) -> Option<Output> {
        if self.outgoing.contains_key(&index) {
            return None;
        }
        let from = self.stream(index)?.cursor()?;
        if self.run_with(from).is_none() {
            match self.replays {
                true => self.await_page(index, from),
                false => self.end(index, CloseReason::SlowConsumer),
            }
            return None;
        }
        let framing = self.hot[index as usize].framing;
        let (mut events, mut sole, mut joined) = (0, None, BytesMut::new());
        let (cursor, expired) = self.for_each_missed(index, from, |event| {
            if let Some(first) = sole.replace(event) {
                // Only now is there something to join: one event alone is lent.
                if joined.is_empty() {
                    joined.reserve(FEED_BYTES_MAX);
                    joined.extend_from_slice(first.frame.bytes(framing));
                }
                joined.extend_from_slice(event.frame.bytes(framing));
            }
            events += 1;
        });
        let bytes = match sole {
            Some(event) if joined.is_empty() => Some(event.frame.shared(framing)),
            sole => sole.map(|_| joined.freeze()),
        };
        self.move_cursor(index, cursor);
        self.counters.expired += expired;
        let Some(bytes) = bytes else {
            self.turn.vain_looks += 1;
            self.on_fed(index);
            return None;
        };
        self.counters.deliveries += events;
        self.counters.deliveries_from_history += events;
        self.counters.joined_bytes += if events > 1 { bytes.len() as u64 } else { 0 };
        Some(self.send(index, bytes, Carried::Feed(from)))
    }

    /// A send from history fell short: traces it again from where it began.
    pub(super) fn on_feed_short(&mut self, index: u32, from: Position, taken: usize) {
        let framing = self.hot[index as usize].framing;
        let mut left = taken;
        let mut undelivered = 0;
        let mut stopped = None;
        let mut rest = Bytes::new();
        let (end, _) = self.for_each_missed(index, from, |event| {
            let len = event.frame.bytes(framing).len();
            if undelivered == 0 && left >= len {
                left -= len;
            } else if undelivered == 0 && left > 0 {
                rest = event.frame.shared(framing).slice(left..);
                stopped = Some(event.position.next());
                left = 0;
                undelivered = 1;
            } else {
                stopped.get_or_insert(event.position);
                undelivered += 1;
            }
        });
        let lost = undelivered - u64::from(!rest.is_empty());
        self.counters.deliveries -= lost;
        self.counters.deliveries_from_history -= lost;
        self.move_cursor(index, stopped.unwrap_or(end));
        self.block(index, rest, Then::Feed);
    }

    /// Visits the next events for one connection from `from` on, as many as one send takes. Where to go on, and how many were
    /// passed over since their time was over.
    fn for_each_missed<'a>(
        &'a self,
        index: u32,
        from: Position,
        mut visit: impl FnMut(&'a SharedEvent),
    ) -> (Position, u64) {
        let framing = self.hot[index as usize].framing;
        let mut cursor = from;
        let (mut bytes, mut expired) = (0, 0);
        let Some(run) = self.run_with(from) else { return (from, 0) };
        let user = match self.users.key_of(index) {
            Some(key @ UserKey::Named(name)) => Some((UserHash::of(self.seed, key), name)),
            Some(UserKey::Anonymous(_)) | None => None,
        };
        for (scanned, entry) in run.after(Position(from.0.saturating_sub(1))).enumerate() {
            if scanned == FEED_SCAN_MAX {
                return (cursor, expired);
            }
            if self.is_for(index, user, &entry) {
                if entry.event.expires.is_some_and(|expires| expires <= self.now.unix) {
                    expired += 1;
                    cursor = entry.position.next();
                    continue;
                }
                let len = entry.event.frame.bytes(framing).len();
                if bytes != 0 && bytes + len > FEED_BYTES_MAX {
                    return (cursor, expired);
                }
                bytes += len;
                visit(entry.event);
            }
            cursor = entry.position.next();
        }
        (cursor.max(run.newest().next()), expired)
    }

    /// What a stream is fed from whose cursor is here: the history, or a page of the log.
    fn run_with(&self, cursor: Position) -> Option<&History> {
        if cursor > self.history.start() { Some(&self.history) } else { self.replay.page(cursor) }
    }

    fn is_for(&self, index: u32, user: Option<(UserHash, &str)>, entry: &Entry<'_>) -> bool {
        match entry.audience {
            Resolved::Topics(topics) => {
                self.topics.is_subscribed(index, topics)
                    && (!entry.private || self.topics.is_granted(index, topics))
            }
            Resolved::Users(_) => user.is_some_and(|(hash, name)| entry.is_for_user(hash, name)),
            Resolved::All => !entry.private || user.is_some(),
        }
    }

    pub(super) fn become_live(&mut self, index: u32) {
        let cursor = self.stream_mut(index).and_then(|stream| stream.set_cursor(None));
        let cursor = cursor.expect("only a stream that is fed becomes live");
        self.behind.remove(&(cursor, index));
        self.hot[index as usize].live = true;
        self.arm(index);
    }

    pub(super) fn leave_live(&mut self, index: u32, cursor: Position) {
        // History will bring the rest of what it waits for.
        self.miss_ephemeral(self.hot[index as usize].pending);
        self.stop_fanout(index);
        if let Some(stream) = self.stream_mut(index) {
            stream.set_cursor(Some(cursor));
            self.behind.insert((cursor, index));
        }
    }

    /// A live stream goes on from history: something of its own goes out first.
    pub(super) fn fall_behind(&mut self, index: u32) {
        let cursor = self.first_pending(index).unwrap_or_else(|| self.history.newest().next());
        self.leave_live(index, cursor);
    }

    pub(super) fn move_cursor(&mut self, index: u32, cursor: Position) {
        let Some(stream) = self.stream_mut(index) else { return };
        if let Some(old) = stream.set_cursor(Some(cursor)) {
            self.behind.remove(&(old, index));
            self.ahead.remove(&(old, index));
        }
        self.behind.insert((cursor, index));
    }

    /// Streams that had already seen `position` at another shard are live from here on.
    pub(super) fn catch_up_with(&mut self, position: Position) {
        while let Some(&(cursor, index)) = self.ahead.first()
            && cursor <= position.next()
        {
            self.ahead.pop_first();
            // What is going out goes first; its end looks again.
            if !self.outgoing.contains_key(&index) {
                self.on_fed(index);
            }
        }
    }

    /// Lets go of what is too old or too much, and of those who had yet to read it.
    pub(super) fn trim_history(&mut self) {
        let topics = &mut self.topics;
        self.is_trimmed = self.history.trim(self.now.unix, |entry| {
            if let Resolved::Topics(ids) = entry.audience {
                ids.iter().for_each(|&id| topics.release(id));
            }
        });
        if self.replays {
            // They go on from the log.
            return;
        }
        let lost = self.history.start();
        while let Some(&(cursor, index)) = self.behind.first() {
            if cursor > lost {
                return;
            }
            self.end(index, CloseReason::SlowConsumer);
        }
    }

    pub(super) fn stream(&self, index: u32) -> Option<&Stream> {
        self.arena.by_index(index)?.state.stream()
    }

    pub(super) fn stream_mut(&mut self, index: u32) -> Option<&mut Stream> {
        match &mut self.arena.by_index_mut(index)?.state {
            State::Streaming(stream) => Some(stream),
            State::Head(_)
            | State::Publishing(_)
            | State::Answering(_)
            | State::Moving
            | State::Draining { .. }
            | State::Closing { .. } => None,
        }
    }
}
