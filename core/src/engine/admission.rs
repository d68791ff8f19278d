//! Who may have a stream: limits, evictions, refusals.
//!
//! Here because it runs on the user's home shard, where all of a user's streams are: no lock, no race between two
//! tabs. Every refusal has the form that strands no tab (sse-clients.md §5): a browser's `EventSource` gives up for
//! good on any status but 200, so what may pass is told in a stream; others get the honest status.

use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use smallvec::SmallVec;

use crate::close_reason::CloseReason;
use crate::connection::{Peer, PeerHash};
use crate::http::control::{self, LimitReason};
use crate::http::{Cors, Response, Status};
use crate::settings::PerUserPolicy;
use crate::users::UserKey;

use super::Engine;
use super::census::Full;
use super::parcel::Parcel;

/// How long the `client_id` of an evicted stream is answered 204: longer than a page that ignores `retry` and
/// comes back at once needs to learn it, shorter than a person takes to come back to that tab.
pub(super) const EVICTED_MEMORY: Duration = Duration::from_secs(30);

/// When a refused stream may come back: limits seldom clear in a moment, and a herd must not come back as one.
const REFUSED_RETRY: Duration = Duration::from_secs(30);
const REFUSED_RETRY_SPREAD: Duration = Duration::from_secs(90);

/// Streams beyond a lowered limit that go when their user opens another: enough that the limit is soon kept, and no
/// more than a turn is long.
const SURPLUS_EVICTED_MAX: usize = 64;

/// A stream that goes for a newer one.
struct Older {
    index: u32,
    reason: CloseReason,
}

impl From<Full> for CloseReason {
    fn from(full: Full) -> Self {
        match full {
            Full::Process => Self::ConnectionLimit,
            Full::Address => Self::AddressLimit,
        }
    }
}

impl Engine {
    /// Admits a stream on its home shard, or tells it why not.
    pub(super) fn admit(&mut self, index: u32, parcel: &Parcel) {
        self.arrivals.count(self.now.instant);
        // From here on it is the client's connection, whichever proxy it came through.
        self.peers[index as usize] = parcel.peer;
        if self.drain.is_some() {
            return self.refuse(index, parcel, CloseReason::Drain);
        }
        let key = parcel.user_key();
        let client_id = parcel.client_id.as_deref();
        if let (Some(key), Some(client_id)) = (key, client_id)
            && self.users.is_evicted(key, client_id, self.now.instant)
        {
            self.counters.evicted_returns += 1;
            return self.answer_evicted(index, parcel);
        }
        let room = self.make_room(key, client_id);
        if self.settings.limits.dry_run {
            self.enter_unlimited(parcel.peer, room);
        } else if let Err(reason) = room.and_then(|older| self.enter(parcel.peer, older)) {
            return self.refuse(index, parcel, reason);
        }
        let grants = parcel.authorized.as_ref().map_or(&[][..], |authorized| authorized.subscribe_grants());
        self.topics.subscribe(index, &parcel.selectors, grants);
        if let Some(key) = key {
            self.users.join(index, key, client_id);
        }
        self.open_stream(index, parcel);
    }

    /// Which stream has to go for one more of this user, if any; or that there may be no more. A tab that comes back
    /// under its `client_id` has its own old stream's place, whether limits are enforced or not.
    fn make_room(
        &mut self,
        key: Option<UserKey<'_>>,
        client_id: Option<&str>,
    ) -> Result<Option<Older>, CloseReason> {
        let Some(key) = key else { return Ok(None) };
        if let Some(index) = client_id.and_then(|client_id| self.users.find_client(key, client_id)) {
            return Ok(Some(Older { index, reason: CloseReason::Replaced }));
        }
        let (limits, streams) = (&self.settings.limits, self.users.len(key));
        let limit = limits.per_user as usize;
        if limit == 0 || streams < limit {
            return Ok(None);
        }
        match limits.per_user_policy {
            PerUserPolicy::RejectNewest => Err(CloseReason::UserLimit),
            PerUserPolicy::EvictOldest => {
                // More than one only after the limit was lowered.
                let surplus = (streams - limit).min(SURPLUS_EVICTED_MAX);
                let mut oldest: SmallVec<[u32; 1]> = self.users.connections(key).take(surplus + 1).collect();
                let last = oldest.pop().map(|index| Older { index, reason: CloseReason::Evicted });
                if !limits.dry_run {
                    for index in oldest {
                        self.evict(Older { index, reason: CloseReason::Evicted });
                    }
                }
                Ok(last)
            }
        }
    }

    /// Takes a place among all streams. The older one goes only if the newer one comes in.
    fn enter(&mut self, peer: Peer, older: Option<Older>) -> Result<(), CloseReason> {
        let hash = PeerHash::of(self.seed, peer.ip());
        let Some(older) = older else { return self.census.try_enter(hash).map_err(CloseReason::from) };
        // The older one's place is the newer one's, whatever the limits say; they may have been lowered meanwhile. It is
        // given up only once the newer one is in, so that nobody else takes it.
        let has_its_address = self.peers[older.index as usize].ip() == peer.ip();
        match if has_its_address { Err(Full::Process) } else { self.census.try_enter(hash) } {
            Ok(()) => {}
            Err(Full::Process) => drop(self.census.enter(hash)),
            Err(Full::Address) => return Err(CloseReason::AddressLimit),
        }
        self.evict(older);
        Ok(())
    }

    /// Takes a place whatever the limits say, and counts what they would have done: one refusal or eviction at most.
    fn enter_unlimited(&mut self, peer: Peer, room: Result<Option<Older>, CloseReason>) {
        let hash = PeerHash::of(self.seed, peer.ip());
        let mut would_go = None;
        match room {
            Ok(Some(older)) if older.reason == CloseReason::Replaced => self.evict(older),
            Ok(older) => would_go = older,
            Err(reason) => {
                self.census.enter(hash);
                return self.count_refusal(reason);
            }
        }
        let met = self.census.enter(hash);
        // The place of the one that would have gone would have been free.
        let is_free = would_go.as_ref().is_some_and(|older| {
            met == Some(Full::Process) || self.peers[older.index as usize].ip() == peer.ip()
        });
        match met.filter(|_| !is_free) {
            Some(full) => self.count_refusal(full.into()),
            None => self.counters.would_evict += u64::from(would_go.is_some()),
        }
    }

    fn count_refusal(&mut self, reason: CloseReason) {
        self.counters.would_refuse[reason.index()] += 1;
    }

    /// Tells a stream that a newer one has its place, in the form that makes it stay away, and ends it.
    fn evict(&mut self, Older { index, reason }: Older) {
        self.counters.evictions[reason.index()] += 1;
        if reason == CloseReason::Evicted {
            self.users.note_evicted(index, self.now.instant + EVICTED_MEMORY);
        }
        let framing = self.hot[index as usize].framing;
        let mut bytes = BytesMut::from(&control::evicted(framing)[..]);
        bytes.extend_from_slice(control::clean_end(framing));
        self.begin_goodbye(index, bytes.freeze(), reason);
    }

    /// No room. A stream is told when to come back; who asked for no stream is told by a status.
    pub(super) fn refuse(&mut self, index: u32, parcel: &Parcel, reason: CloseReason) {
        self.counters.refusals[reason.index()] += 1;
        let retry_ms = self.retry_within(REFUSED_RETRY, REFUSED_RETRY_SPREAD);
        let bytes = if parcel.wants_event_stream {
            let mut bytes = BytesMut::from(&self.stream_head(parcel, retry_ms, None)[..]);
            bytes.extend_from_slice(&match limit_reason(reason) {
                Some(limit) => control::limit(parcel.framing, limit, retry_ms),
                None => control::drain(parcel.framing, retry_ms),
            });
            bytes.freeze()
        } else {
            let (status, message) = match limit_reason(reason) {
                Some(LimitReason::PerUser) => {
                    (Status::TooManyRequests, "this user has as many streams as one may have")
                }
                Some(LimitReason::PerIp) => {
                    (Status::TooManyRequests, "this address has as many streams as one may have")
                }
                Some(LimitReason::Connections) => {
                    (Status::ServiceUnavailable, "the hub has as many streams as it may have")
                }
                None => (Status::ServiceUnavailable, "the hub is stopping"),
            };
            let cors = Arc::clone(&self.cors);
            Response::error(status, reason.label(), &message)
                .retry_after(u64::from(retry_ms / 1000))
                .cors(Cors::of(&cors, parcel.origin.as_deref()))
                .closing(true)
                .encode(self.now.unix)
        };
        self.begin_goodbye(index, bytes, reason);
    }

    /// An evicted client is back too early: 204 is the only status that tells an `EventSource` to stay away.
    fn answer_evicted(&mut self, index: u32, parcel: &Parcel) {
        let cors = Arc::clone(&self.cors);
        let response =
            Response::empty(Status::NoContent).cors(Cors::of(&cors, parcel.origin.as_deref())).closing(true);
        self.begin_goodbye(index, response.encode(self.now.unix), CloseReason::Done);
    }
}

/// What a stream is told of the limit it met; nothing if it met the hub's end.
fn limit_reason(reason: CloseReason) -> Option<LimitReason> {
    match reason {
        CloseReason::ConnectionLimit => Some(LimitReason::Connections),
        CloseReason::UserLimit => Some(LimitReason::PerUser),
        CloseReason::AddressLimit => Some(LimitReason::PerIp),
        _ => None,
    }
}
