//! What was said about tokens seen before, so that a herd that comes back costs no signature checks.
//!
//! Invariant: a verdict depends on the token and the keys alone. Time is checked on each use, so nothing here goes
//! stale, and a clock that jumps does no harm. Tokens are not kept, only their digests: a memory dump has none.
//!
//! At capacity a token displaces an expired one, else the one of its set that was not used for longest.
//! Not here: refusals that cost no signature check. Finding those out again is as cheap as a look-up.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, SHA256_OUTPUT_LEN, digest};
use siphasher::sip::SipHasher13;

use super::claims::Claims;
use super::error::AuthError;
use crate::limits::REFUSALS_CACHED;
use crate::time::UnixMillis;

/// How often the cache knew a token, since the verifier was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CacheCounters {
    /// Known.
    pub hits: u64,
    /// Not known, so it was judged.
    pub misses: u64,
}

pub(super) type Verdict = Result<Arc<Claims>, AuthError>;

pub(super) struct TokenCache {
    accepted: Table<Arc<Claims>>,
    /// Apart, so that forged tokens displace no good ones.
    refused: Table<AuthError>,
    counters: CacheCounters,
}

/// SHA-256 of a token: equal digests are equal tokens.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Digest([u8; SHA256_OUTPUT_LEN]);

impl Digest {
    pub(super) fn of(token: &[u8]) -> Self {
        let mut bytes = [0; SHA256_OUTPUT_LEN];
        bytes.copy_from_slice(digest(&SHA256, token).as_ref());
        Self(bytes)
    }
}

impl TokenCache {
    pub(super) fn new(capacity: usize, seed: u64) -> Self {
        Self {
            accepted: Table::new(capacity, seed),
            refused: Table::new(capacity.min(REFUSALS_CACHED), seed),
            counters: CacheCounters::default(),
        }
    }

    pub(super) fn find(&mut self, digest: &Digest) -> Option<Verdict> {
        let accepted = self.accepted.find(digest).map(|claims| Ok(Arc::clone(claims)));
        let found = accepted.or_else(|| self.refused.find(digest).map(|error| Err(*error)));
        match found {
            Some(_) => self.counters.hits += 1,
            None => self.counters.misses += 1,
        }
        found
    }

    /// Remembers what `find` did not know.
    pub(super) fn remember(&mut self, digest: Digest, verdict: &Verdict, now: UnixMillis) {
        match verdict {
            Ok(claims) => self.accepted.insert(digest, Arc::clone(claims), |claims| claims.is_expired(now)),
            Err(error) if error.is_costly() => self.refused.insert(digest, *error, |_| false),
            Err(_) => {}
        }
    }

    pub(super) fn clear(&mut self) {
        self.accepted.clear();
        self.refused.clear();
    }

    pub(super) fn counters(&self) -> CacheCounters {
        self.counters
    }
}

/// A set-associative table: a digest belongs to one set, a set is a short list with what was used last in front.
struct Table<V> {
    sets: Box<[Vec<(Digest, V)>]>,
    set_len_max: usize,
    seed: u64,
}

/// Long enough that a table is nearly full before a set is, short enough to be searched in a few cache lines.
const SET_LEN_MAX: usize = 16;

impl<V> Table<V> {
    /// At most `capacity` entries in all.
    fn new(capacity: usize, seed: u64) -> Self {
        let set_len_max = SET_LEN_MAX.min(capacity);
        let set_count = capacity.checked_div(set_len_max).unwrap_or(0);
        Self { sets: (0..set_count).map(|_| Vec::new()).collect(), set_len_max, seed }
    }

    fn find(&mut self, digest: &Digest) -> Option<&V> {
        let set = self.set_of(digest)?;
        let index = set.iter().position(|(known, _)| known == digest)?;
        set[..=index].rotate_right(1);
        set.first().map(|(_, value)| value)
    }

    fn insert(&mut self, digest: Digest, value: V, is_spent: impl Fn(&V) -> bool) {
        let set_len_max = self.set_len_max;
        let Some(set) = self.set_of(&digest) else { return };
        if set.len() == set_len_max {
            match set.iter().rposition(|(_, value)| is_spent(value)) {
                Some(index) => drop(set.remove(index)),
                // What is of no use any more displaces nothing that is.
                None if is_spent(&value) => return,
                None => drop(set.pop()),
            }
        }
        set.insert(0, (digest, value));
    }

    fn clear(&mut self) {
        self.sets.iter_mut().for_each(Vec::clear);
    }

    /// `None` only if the table has no capacity. The hash is keyed, since digests can be chosen by trial.
    fn set_of(&mut self, digest: &Digest) -> Option<&mut Vec<(Digest, V)>> {
        let mut hasher = SipHasher13::new_with_keys(self.seed, self.seed.rotate_left(32));
        digest.hash(&mut hasher);
        let set_count = u64::try_from(self.sets.len()).ok()?;
        let index = hasher.finish().checked_rem(set_count)?;
        self.sets.get_mut(usize::try_from(index).ok()?)
    }
}
