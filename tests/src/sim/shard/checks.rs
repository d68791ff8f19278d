//! What must hold of time, looked at where bytes leave a shard and after each of its turns: heartbeats, and dead peers.

use std::time::Duration;

use corecast_core::connection::ConnectionId;
use corecast_core::time::Instant;

use super::Shard;
use super::kernel::Notice;
use crate::sim::network::Network;

/// What a deadline may be late by: a tick of the wheel, and the time that the simulated scheduler takes.
pub(super) const SLACK: Duration = Duration::from_millis(100);

/// Heartbeats as they go out whole: as a chunk and as it is, unseen by handlers and seen.
const HEARTBEATS: [&[u8]; 4] = [
    b"2\r\n:\n\r\n",
    b":\n",
    b"24\r\nevent: corecast.heartbeat\ndata: {}\n\n\r\n",
    b"event: corecast.heartbeat\ndata: {}\n\n",
];

/// Heartbeats are moved to the beat before, so that many share a wake-up.
const BEAT: Duration = Duration::from_millis(135);

impl Shard {
    /// Heartbeats come in silence, and silence does not last longer than they allow.
    pub(super) fn check_silence(&self, bytes: &[u8], sent: Instant, was_full: Instant, now: Instant) {
        let silence = now.since(sent);
        let is_heartbeat = HEARTBEATS.contains(&bytes);
        let Some(interval) = self.rules.heartbeat else {
            return assert!(!is_heartbeat, "a heartbeat although they are off");
        };
        if is_heartbeat {
            let least = interval.mul_f64(0.75).saturating_sub(BEAT + SLACK);
            assert!(silence >= least, "a heartbeat after {silence:?}, allowed are {least:?} of silence");
        }
        let silence = now.since(sent.max(was_full));
        // What was silence enough before new settings came is broken at once.
        let is_excused = now <= self.paused_until.max(self.ruled) + SLACK;
        assert!(
            silence <= interval + SLACK || is_excused,
            "a stream was silent for {silence:?}, allowed are {interval:?}"
        );
    }

    /// Whoever takes nothing for too long is gone, and nobody who takes everything is left in silence.
    pub(super) fn check_deadlines(&self, net: &Network) {
        if net.now <= self.paused_until.max(self.ruled) + SLACK {
            return;
        }
        for seat in self.seats.iter().flatten().filter(|seat| !seat.is_closing) {
            let wire = &net.wires[seat.wire];
            if let Some(since) = seat.awaits {
                let stuck = net.now.since(since.max(wire.moved));
                let allowed = self.rules.dead_peer + SLACK;
                assert!(
                    stuck <= allowed,
                    "wire {} took nothing for {stuck:?}, allowed are {allowed:?}",
                    seat.wire
                );
            } else if let Some(interval) = self.rules.heartbeat.filter(|_| seat.is_stream && !wire.is_reset) {
                let silence = net.now.since(seat.sent.max(seat.was_full));
                let is_waiting = self.engine.has_work() || self.is_noticed(seat.id);
                assert!(
                    silence <= interval + SLACK || is_waiting,
                    "wire {} is silent for {silence:?}, allowed are {interval:?}",
                    seat.wire
                );
            }
        }
    }

    fn is_noticed(&self, id: ConnectionId) -> bool {
        self.notices.iter().any(|(_, notice)| matches!(notice, Notice::Writable(other) if *other == id))
    }
}
