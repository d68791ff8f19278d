//! What reaches a shard from other threads: events from the sequencer, and mail.
//!
//! Two queues, since a shard whose fan-out is behind stops taking events but goes on taking mail.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use corecast_core::auth::Keys;
use corecast_core::connection::ConnectionId;
use corecast_core::engine::Engine;
use corecast_core::engine::output::PublishAnswer;
use corecast_core::engine::parcel::Parcel;
use corecast_core::event::SharedEvent;
use corecast_core::replay::{PageRead, Sought};
use corecast_ring::Wake;
use crossbeam_queue::ArrayQueue;

use super::ShardSettings;
use super::bell::Bell;

/// Events that wait for a shard: a little more than two windows, so that the next one is at hand. 8 B each.
const EVENTS_MAX: usize = 256;

/// Letters that wait for a shard: all publishes that the sequencer may hold, and a herd that moves in. 64 B each.
const MAIL_MAX: usize = 16_384;

/// Before a shard's first turn. It has just begun, so it has room.
const UNKNOWN_ROOM: u32 = u32::MAX;

/// Moves that may be under way when a shard says that it has room.
const ROOM_MARGIN: u32 = 64;

/// How long a sender looks away when a shard has no room: it has been woken, and a turn takes this long.
const ROOM_WAIT: Duration = Duration::from_micros(50);

/// A question to an engine, which carries its own way to answer. It runs between two turns, so it must be as short as one:
/// the engine's own bounds see to that ([`corecast_core::engine::inspect`]).
pub type Ask = Box<dyn FnOnce(&mut Engine) + Send>;

/// A letter to a shard.
pub enum Mail {
    /// The sequencer's answer to a publisher here.
    Published(PublishAnswer),
    /// A connection moves in from another shard.
    Arriving {
        /// How its socket comes.
        passage: Passage,
        /// What the shard must know of it.
        parcel: Box<Parcel>,
    },
    /// The socket of this key does not come: the shard's table was full.
    NotArriving {
        /// The key that was announced.
        key: u64,
    },
    /// Where the stream of this connection goes on, as the log knows it.
    Sought {
        /// Who asked.
        connection: ConnectionId,
        /// What the log said.
        sought: Sought,
    },
    /// The page of the log that the shard asked for.
    Page(PageRead),
    /// Tokens are verified with these keys from now on.
    Keys(Box<Keys>),
    /// The configuration has changed.
    Settings(Box<ShardSettings>),
    /// Something that an operator asks of the engine.
    Ask(Ask),
    /// The hub is about to stop: nobody new is accepted, and who is here has one more request answered.
    LastRequests,
    /// The hub stops: requests that have begun are finished.
    Drain,
    /// No shard has a request left to finish: streams may end.
    EndStreams,
}

/// How a socket gets from one shard to another.
#[derive(Debug)]
pub enum Passage {
    /// From ring to ring, under this key: it may come before the letter or after it.
    Ring(u64),
    /// With the letter.
    Letter(OwnedFd),
}

/// The inbox of one shard. All clones are the same inbox.
#[derive(Clone)]
pub struct Inbox {
    shared: Arc<Shared>,
}

struct Shared {
    events: ArrayQueue<SharedEvent>,
    mail: ArrayQueue<Mail>,
    bell: Bell,
    wake: Wake,
    /// Connections that may still move in. Out of date by a turn; the margin of the table makes up for it.
    room: AtomicU32,
    /// Requests that a stopping shard has yet to finish; `NOT_DRAINING` before.
    unfinished: AtomicU32,
    closed: AtomicBool,
}

/// Before a shard has heard that the hub stops.
const NOT_DRAINING: u32 = u32::MAX;

impl Inbox {
    /// An empty inbox whose shard is woken by `wake`.
    #[must_use]
    pub fn new(wake: Wake) -> Self {
        let shared = Shared {
            events: ArrayQueue::new(EVENTS_MAX),
            mail: ArrayQueue::new(MAIL_MAX),
            bell: Bell::default(),
            wake,
            room: AtomicU32::new(UNKNOWN_ROOM),
            unfinished: AtomicU32::new(NOT_DRAINING),
            closed: AtomicBool::new(false),
        };
        Self { shared: Arc::new(shared) }
    }

    /// The shard has ended: what is handed in from now on has nobody left to reach, and must not be waited for.
    pub fn close(&self) {
        self.shared.closed.store(true, Ordering::SeqCst);
    }

    /// Whether the shard has ended.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.shared.closed.load(Ordering::Relaxed)
    }

    /// Hands in a letter; gives it back if there is no room.
    ///
    /// # Errors
    /// The letter.
    pub fn try_send(&self, mail: Mail) -> Result<(), Mail> {
        let sent = self.queue(mail);
        self.wake_shard();
        sent
    }

    /// Hands in an event without waking the shard: what comes together is worth one wake, by [`Inbox::wake_shard`]. Without
    /// room it wakes the shard at once, and gives the event back.
    ///
    /// # Errors
    /// The event, to be tried again once the shard has turned.
    pub fn queue_event(&self, event: SharedEvent) -> Result<(), SharedEvent> {
        if self.has_ended() {
            return Ok(());
        }
        self.shared.events.push(event).inspect_err(|_| self.wake_shard())
    }

    /// The same for a letter.
    ///
    /// # Errors
    /// The letter.
    pub fn queue(&self, mail: Mail) -> Result<(), Mail> {
        if self.has_ended() {
            return Ok(());
        }
        self.shared.mail.push(mail).inspect_err(|_| self.wake_shard())
    }

    /// The next event. Only the shard itself asks.
    #[must_use]
    pub fn next_event(&self) -> Option<SharedEvent> {
        self.shared.events.pop()
    }

    /// The next letter. Only the shard itself asks.
    #[must_use]
    pub fn next_mail(&self) -> Option<Mail> {
        self.shared.mail.pop()
    }

    /// Whether there is mail, or an event and the shard wants one.
    #[must_use]
    pub fn has_something(&self, wants_event: bool) -> bool {
        !self.shared.mail.is_empty() || (wants_event && !self.shared.events.is_empty())
    }

    /// Whoever sleeps on this inbox.
    #[must_use]
    pub fn bell(&self) -> &Bell {
        &self.shared.bell
    }

    /// What wakes the shard.
    #[must_use]
    pub fn wake(&self) -> &Wake {
        &self.shared.wake
    }

    /// The shard tells how many connections may move in.
    pub fn announce_room(&self, room: u32) {
        self.shared.room.store(room, Ordering::Relaxed);
    }

    /// Whether a connection may move in.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.shared.room.load(Ordering::Relaxed) > ROOM_MARGIN
    }

    /// A stopping shard tells how many requests it has yet to finish: before the drain those that may still come count too.
    pub fn announce_unfinished(&self, requests: u32) {
        self.shared.unfinished.store(requests, Ordering::SeqCst);
    }

    /// Whether the shard has heard that the hub stops, and has no request left to finish.
    #[must_use]
    pub fn has_finished_requests(&self) -> bool {
        self.shared.unfinished.load(Ordering::SeqCst) == 0
    }

    /// Whether events wait.
    #[must_use]
    pub fn has_events(&self) -> bool {
        !self.shared.events.is_empty()
    }

    /// Events that wait for the shard.
    #[must_use]
    pub fn events_waiting(&self) -> usize {
        self.shared.events.len()
    }

    /// Wakes the shard if it sleeps: for what was queued.
    pub fn wake_shard(&self) {
        if self.shared.bell.must_wake() {
            self.shared.wake.wake();
        }
    }
}

/// Hands `thing` in, waiting for room: an event that has been kept, or an answer, is never dropped. While the sequencer
/// waits its own queue fills, and publishers are held back.
pub fn hand_in<T>(thing: T, mut try_send: impl FnMut(T) -> Result<(), T>) {
    let mut waiting = try_send(thing).err();
    while let Some(thing) = waiting {
        std::thread::park_timeout(ROOM_WAIT);
        waiting = try_send(thing).err();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_waits_for_a_shard_that_has_ended() {
        let inbox = Inbox::new(Wake::new().unwrap());
        while inbox.try_send(Mail::Drain).is_ok() {}
        inbox.close();
        assert!(inbox.try_send(Mail::Drain).is_ok());
    }
}
