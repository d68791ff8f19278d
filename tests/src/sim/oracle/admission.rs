//! Who may have a stream, who has to go for whom, and who is turned away: limits and evictions, a second time.

use std::time::Duration;

use corecast_core::settings::{PerUserPolicy, Settings};
use corecast_core::time::Instant;

use super::Oracle;
use crate::sim::chance::Fault;
use crate::sim::event_stream::Block;
use crate::sim::log::Limits;
use crate::sim::network::{Network, WireId};

/// How long the `client_id` of an evicted stream is turned away (the contract says "a while").
const EVICTED_MEMORY: Duration = Duration::from_secs(30);

/// Streams beyond a lowered limit that go with one that is opened, at most.
const SURPLUS_MAX: usize = 64;

impl Oracle {
    /// Counts the stream under its owner, and finds out which other one has to go for it.
    pub(super) fn admit(&mut self, wire: WireId, now: Instant) {
        let ask = &self.asks[&wire];
        let Some(owner) = ask.owner() else { return };
        if let Some(client) = &ask.client_id {
            let until = self.evictions.get(&(owner.clone(), client.clone()));
            assert!(
                until.is_none_or(|&until| now >= until),
                "wire {wire} has a stream although its client was evicted less than {EVICTED_MEMORY:?} ago"
            );
        }
        let limits = &self.settings.limits;
        let open = self.owners.entry(owner.clone()).or_default();
        let same = open
            .iter()
            .rposition(|other| ask.client_id.is_some() && self.asks[other].client_id == ask.client_id);
        if let Some(at) = same {
            let replaced = open.remove(at);
            self.evict(replaced);
        } else if limits.per_user > 0 && open.len() >= limits.per_user as usize && !limits.dry_run {
            assert!(
                limits.per_user_policy == PerUserPolicy::EvictOldest,
                "wire {wire} has a stream although its user has {} of {}",
                open.len(),
                limits.per_user
            );
            // More than one only after the limit was lowered.
            let surplus = open.len() - limits.per_user as usize;
            let oldest: Vec<_> = open.drain(..=surplus.min(SURPLUS_MAX)).collect();
            for oldest in oldest {
                if let Some(client) = self.asks[&oldest].client_id.clone() {
                    let until = now + EVICTED_MEMORY;
                    self.past_evictions.insert((owner.clone(), client.clone()), (until, None));
                    self.evictions.insert((owner.clone(), client), until);
                }
                self.evict(oldest);
            }
        }
        self.owners.entry(owner).or_default().push(wire);
    }

    fn evict(&mut self, wire: WireId) {
        if let Some(stream) = self.streams.get_mut(&wire) {
            stream.evicted = Some(self.logs[stream.log].placed.len());
        }
    }

    /// The hub has closed a connection.
    pub(in crate::sim) fn on_close(&mut self, wire: WireId, net: &Network) {
        let may_end = self.may_end(wire, net);
        let Some(stream) = self.streams.get_mut(&wire) else { return };
        assert!(may_end || stream.evicted.is_some(), "wire {wire} was well, and was closed");
        stream.is_open = false;
        stream.closed = Some(self.logs[stream.log].placed.len());
        let Some(owner) = self.asks[&wire].owner() else { return };
        let Some(open) = self.owners.get_mut(&owner) else { return };
        let before = open.len();
        open.retain(|&other| other != wire);
        if open.is_empty() && before > 0 {
            self.owners.remove(&owner);
            // Nobody is in the way of those whom they replaced.
            self.evictions.retain(|(of, _), _| *of != owner);
            let forgotten = self.past_evictions.iter_mut().filter(|((of, _), _)| *of == owner);
            forgotten.for_each(|(_, (_, at))| *at = at.or(Some(net.now)));
        }
    }

    /// Whether there is anything that may end a stream which nobody evicted.
    fn may_end(&self, wire: WireId, net: &Network) -> bool {
        let end = &net.wires[wire];
        let client_is_well = !end.is_reset && !end.rx_end && !net.chance.has(Fault::StrayBytes);
        let is_timed = self.ever(|Settings { stream, .. }| {
            stream.max_age.is_some() || stream.idle_timeout.is_some() && stream.heartbeat.is_none()
        });
        let has_time = !is_timed
            && self.asks.get(&wire).is_none_or(|ask| ask.token_expires.is_none_or(|at| net.unix < at));
        // A short history may be overtaken while a stream begins.
        let has_history = match self.limits {
            Limits::Memory(_) => !self.ever(|Settings { history, .. }| {
                history.events < 2000 || history.bytes < 1 << 20 || history.age < Duration::from_secs(3600)
            }),
            Limits::File { .. } => !net.chance.has(Fault::ReadFailure),
        };
        let was_short = self.streams.get(&wire).is_some_and(|stream| stream.was_short);
        !(client_is_well
            && has_time
            && has_history
            && self.has_steady_clock
            && !was_short
            && !self.is_draining)
    }

    /// The hub stops: streams end.
    pub(in crate::sim) const fn on_drain(&mut self) {
        self.is_draining = true;
    }

    /// The hub ends streams although requests are not answered.
    pub(in crate::sim) const fn on_impatient(&mut self) {
        self.is_impatient = true;
    }

    /// There are as many streams as there may be.
    pub(in crate::sim) const fn on_full(&mut self, now: Instant) {
        self.full = Some(now);
    }

    /// Another shard had no place for this wire.
    pub(in crate::sim) fn on_unmoved(&mut self, wire: WireId) {
        self.unmoved.insert(wire);
    }

    pub(super) fn check_refusal(&self, wire: WireId, control: &str, block: &Block) {
        assert!(block.retry_ms.is_some(), "corecast.{control} says when to come back");
        assert!(block.id.is_none(), "corecast.{control} moves the cursor");
        if control == "drain" {
            return;
        }
        let asked = self.asks[&wire].at;
        let data: serde_json::Value = serde_json::from_str(&block.data).expect("the data of a limit is JSON");
        let is_right = match data["reason"].as_str() {
            Some("connections") => {
                self.full.is_some_and(|full| full >= asked) || self.unmoved.contains(&wire)
            }
            Some("per_user") => self.ever(|Settings { limits, .. }| {
                limits.per_user > 0 && limits.per_user_policy == PerUserPolicy::RejectNewest
            }),
            Some("per_ip") => self.ever(|Settings { limits, .. }| limits.per_ip > 0),
            _ => false,
        };
        assert!(is_right, "wire {wire} was refused for no reason: {data}");
    }

    /// A client was turned away with 204: it had been evicted.
    pub(in crate::sim) fn on_turned_away(&self, wire: WireId, asked: Instant) {
        let ask = &self.asks[&wire];
        let key = ask.owner().zip(ask.client_id.clone());
        let eviction = key.and_then(|key| self.past_evictions.get(&key));
        assert!(
            eviction.is_some_and(|&(until, forgotten)| asked < forgotten.unwrap_or(until).min(until)),
            "wire {wire} was turned away, but its client was not evicted"
        );
    }
}
