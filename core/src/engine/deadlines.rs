//! Deadlines: each connection has one timer, at the earliest of what may become due for it.
//!
//! A send does not touch the timer: it moves the deadline of silence on, which is noticed when the timer goes off.

use std::time::Duration;

use crate::close_reason::CloseReason;
use crate::connection::state::{State, Stream};
use crate::time::Instant;

use super::hot::{Hot, clock_ms};
use super::{Engine, Source};

/// A stream is warned so long before its token ends: time to fetch another.
const EXPIRY_WARNING: Duration = Duration::from_secs(30);

/// The wall clock may jump, so what is due by it is looked at again at least this often.
const WALL_CLOCK_TRUST: Duration = Duration::from_secs(60);

impl Engine {
    /// Sets the timer of a connection to its earliest deadline.
    pub(super) fn arm(&mut self, index: u32) {
        match self.deadline(index) {
            Some(deadline) => self.wheel.arm(index, deadline),
            None => self.wheel.disarm(index),
        }
    }

    pub(super) fn arm_if_occupied(&mut self, index: u32) {
        if self.arena.by_index(index).is_some() {
            self.arm(index);
        }
    }

    pub(super) fn fire_timers(&mut self) {
        let mut expired = std::mem::take(&mut self.expired);
        self.wheel.advance(self.now.instant, &mut expired);
        for index in expired.drain(..) {
            self.on_timer(index);
        }
        self.expired = expired;
    }

    fn on_timer(&mut self, index: u32) {
        let Some(connection) = self.arena.by_index(index) else { return };
        let now = self.now.instant;
        let blocked = self.blocked_deadline(index).is_some_and(|deadline| deadline <= now);
        match &connection.state {
            State::Head(intake) if intake.deadline <= now => return self.on_request_timeout(index),
            // A socket that was full before the goodbye came has no more time because of it.
            State::Draining { reason, until, .. } if *until <= now || blocked => {
                return self.end(index, *reason);
            }
            State::Answering(_) if blocked => return self.end(index, CloseReason::DeadPeer),
            State::Streaming(_) if blocked => return self.end(index, CloseReason::DeadPeer),
            State::Streaming(_) => return self.on_stream_timer(index),
            State::Head(_)
            | State::Publishing(_)
            | State::Answering(_)
            | State::Moving
            | State::Draining { .. }
            | State::Closing { .. } => {}
        }
        self.arm(index);
    }

    fn on_stream_timer(&mut self, index: u32) {
        let now = self.now.instant;
        let Some(stream) = self.stream(index) else { return };
        let (expires, warned) = (stream.expires.unix_ms(), stream.warned);
        let ends = self.age_deadline(index, stream);
        if expires.is_some_and(|expires| expires <= self.now.unix.0) {
            return self.end(index, CloseReason::TokenExpired);
        }
        if ends.is_some_and(|ends| ends <= now) {
            return self.end(index, CloseReason::MaxAge);
        }
        let heartbeat = self.heartbeat_deadline(index);
        // A heartbeat that is due first breaks the silence: both can be due at once if settings have changed in it.
        let is_idle = |idle: Instant| idle <= now && heartbeat.is_none_or(|heartbeat| idle < heartbeat);
        if self.idle_deadline(index).is_some_and(is_idle) {
            return self.end(index, CloseReason::IdleTimeout);
        }
        if !warned
            && expires.is_some_and(|expires| expires <= self.now.unix.0 + EXPIRY_WARNING.as_millis() as u64)
        {
            self.warn_of_expiry(index);
        } else if heartbeat.is_some_and(|deadline| deadline <= now) {
            self.queue(Source::Heartbeat, index);
            // The heartbeat goes out within this turn or the next; the timer is for the one after it.
            let interval = self.heartbeat_interval(index).unwrap_or(WALL_CLOCK_TRUST);
            let next_beat = on_beat(now + interval);
            let next = self.stream_deadline(index, Some(next_beat));
            self.wheel.arm(index, next.unwrap_or(next_beat));
            return;
        }
        self.arm(index);
    }

    fn deadline(&self, index: u32) -> Option<Instant> {
        let blocked = self.blocked_deadline(index);
        match &self.connection(index).state {
            State::Head(intake) => Some(intake.deadline),
            State::Publishing(_) | State::Moving | State::Closing { .. } => None,
            State::Answering(_) => blocked,
            State::Draining { until, .. } => Some(blocked.map_or(*until, |blocked| blocked.min(*until))),
            State::Streaming(_) => {
                let next = self.stream_deadline(index, self.heartbeat_deadline(index));
                earlier(blocked, next)
            }
        }
    }

    fn stream_deadline(&self, index: u32, heartbeat: Option<Instant>) -> Option<Instant> {
        let stream = self.stream(index)?;
        let by_clock = earlier(self.age_deadline(index, stream), self.expiry_deadline(stream));
        earlier(earlier(heartbeat, self.idle_deadline(index)), by_clock)
    }

    /// When something has to be looked at because of the token's end: the warning, then the end.
    fn expiry_deadline(&self, stream: &Stream) -> Option<Instant> {
        let mut due_ms = stream.expires.unix_ms()?;
        if !stream.warned {
            due_ms = due_ms.saturating_sub(EXPIRY_WARNING.as_millis() as u64);
        }
        let left = Duration::from_millis(due_ms.saturating_sub(self.now.unix.0));
        Some(self.now.instant + left.min(WALL_CLOCK_TRUST))
    }

    /// When a stream is too old: after 80–100 % of the setting, so that those who came together do not leave together.
    fn age_deadline(&self, index: u32, stream: &Stream) -> Option<Instant> {
        let age = self.settings.stream.max_age?;
        Some(stream.opened.seen_from(self.now.instant) + (age - part_of(age / 5, index)))
    }

    /// When the silence of a stream has to end.
    pub(super) fn heartbeat_deadline(&self, index: u32) -> Option<Instant> {
        if !self.is_quiet(index) {
            return None;
        }
        Some(on_beat(self.last_sent(self.hot[index as usize]) + self.heartbeat_interval(index)?))
    }

    /// Whether silence on a stream only means that nothing happens: it is live, or has seen more than has arrived here.
    pub(super) fn is_quiet(&self, index: u32) -> bool {
        let is_ahead = || {
            let cursor = self.stream(index).and_then(Stream::cursor);
            cursor.is_some_and(|cursor| self.ahead.contains(&(cursor, index)))
        };
        self.hot[index as usize].live || !self.outgoing.contains_key(&index) && is_ahead()
    }

    /// 75–100 % of the setting, different for neighbours: an event to all must not be followed by ten thousand
    /// heartbeats on one tick.
    fn heartbeat_interval(&self, index: u32) -> Option<Duration> {
        let heartbeat = self.settings.stream.heartbeat?;
        Some(heartbeat - part_of(heartbeat / 4, index))
    }

    fn idle_deadline(&self, index: u32) -> Option<Instant> {
        Some(self.last_sent(self.hot[index as usize]) + self.settings.stream.idle_timeout?)
    }

    fn blocked_deadline(&self, index: u32) -> Option<Instant> {
        Some(self.outgoing.get(&index)?.blocked_since()? + self.settings.stream.dead_peer)
    }

    pub(super) fn last_sent(&self, row: Hot) -> Instant {
        let silence_ms = clock_ms(self.now.instant).wrapping_sub(row.sent_ms);
        self.now.instant - Duration::from_millis(u64::from(silence_ms))
    }
}

/// Heartbeats go out on beats of 2^27 ns, about 134 ms, and rather early: one wake-up for many of them. With a thousand streams
/// each would otherwise have a wake-up of its own, which costs several times the send.
const BEAT_BITS: u32 = 27;

fn on_beat(deadline: Instant) -> Instant {
    Instant::from_nanos(deadline.as_nanos() >> BEAT_BITS << BEAT_BITS)
}

fn earlier(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

/// A part of `whole`, from none to all, of a slot's own. In whole numbers, since it is asked three times for each heartbeat.
fn part_of(whole: Duration, index: u32) -> Duration {
    // Fibonacci hashing: neighbouring slots land far apart.
    let part = index.wrapping_mul(2_654_435_769) >> 16;
    Duration::from_nanos((whole.as_nanos() as u64 >> 16) * u64::from(part))
}
