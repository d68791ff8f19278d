//! Which tokens seen before were good, so that a herd that comes back costs no signature checks.
//!
//! Invariant: a verdict depends on the token and the keys alone. Time is checked on each use, so nothing here goes
//! stale, and a clock that jumps does no harm. Tokens are not kept, only their digests: a memory dump has none.
//!
//! At capacity a token displaces an expired one, else the one of its set that was not used for longest.
//! Not here: claims, which would be ten times as much as a digest and are soon read again out of the token; and refusals
//! that cost no signature check, since finding those out again is as cheap as a look-up.

use aws_lc_rs::digest::{Context, SHA256};

use super::claims::Claims;
use super::error::AuthError;
use crate::connection::compact::Expiry;
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

/// Whether the signature and what it signs are good.
pub(super) type Verdict = Result<(), AuthError>;

pub(super) struct TokenCache {
    /// Until when each is of use.
    good: Table<Expiry>,
    /// Apart, so that forged tokens displace no good ones.
    refused: Table<AuthError>,
    seed: u64,
    counters: CacheCounters,
}

/// Half of the SHA-256 of seed and token. Equal digests are equal tokens: to find another token for one of them takes
/// 2^128 trials, each of which has to be made here, since the seed is secret.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Digest([u8; 16]);

const _: () = assert!(size_of::<(Digest, Expiry)>() == 22, "there is one for each token of a herd");

impl Digest {
    fn of(seed: u64, token: &[u8]) -> Self {
        let mut context = Context::new(&SHA256);
        context.update(&seed.to_le_bytes());
        context.update(token);
        let mut half = [0; 16];
        half.copy_from_slice(&context.finish().as_ref()[..16]);
        Self(half)
    }
}

impl TokenCache {
    pub(super) fn new(capacity: usize, seed: u64) -> Self {
        Self {
            good: Table::new(capacity, Expiry::at(None)),
            refused: Table::new(capacity.min(REFUSALS_CACHED), AuthError::Malformed),
            seed,
            counters: CacheCounters::default(),
        }
    }

    pub(super) fn digest_of(&self, token: &[u8]) -> Digest {
        Digest::of(self.seed, token)
    }

    pub(super) fn find(&mut self, digest: &Digest) -> Option<Verdict> {
        let good = self.good.find(digest).map(|_| Ok(()));
        let found = good.or_else(|| self.refused.find(digest).map(|error| Err(*error)));
        match found {
            Some(_) => self.counters.hits += 1,
            None => self.counters.misses += 1,
        }
        found
    }

    /// Remembers what `find` did not know.
    pub(super) fn remember(&mut self, digest: Digest, judged: &Result<Claims, AuthError>, now: UnixMillis) {
        let is_spent = |expiry: &Expiry| expiry.unix_ms().is_some_and(|end| end <= now.0);
        match judged {
            Ok(claims) => self.good.insert(digest, Expiry::at(Some(claims.expires)), is_spent),
            Err(error) if error.is_costly() => self.refused.insert(digest, *error, |_| false),
            Err(_) => {}
        }
    }

    pub(super) fn clear(&mut self) {
        self.good.clear();
        self.refused.clear();
    }

    pub(super) fn counters(&self) -> CacheCounters {
        self.counters
    }

    /// Good tokens that it remembers.
    pub(super) fn len(&self) -> usize {
        self.good.len
    }
}

/// A set-associative table of a fixed size: a digest belongs to one set, a set is a short list with what was used last in
/// front. All of it is there from the start: lists that grow would leave as much behind as they take.
struct Table<V> {
    /// Set behind set, each with `set_len_max` places.
    places: Box<[(Digest, V)]>,
    /// How many places of each set are taken.
    lens: Box<[u8]>,
    set_len_max: usize,
    /// Places taken, in all sets together.
    len: usize,
}

/// Long enough that a table is nearly full before a set is, short enough to be searched in a few cache lines.
const SET_LEN_MAX: usize = 16;

impl<V: Copy> Table<V> {
    /// At most `capacity` entries in all; `vacant` is what stands where there is none.
    fn new(capacity: usize, vacant: V) -> Self {
        let set_len_max = SET_LEN_MAX.min(capacity);
        let set_count = capacity.checked_div(set_len_max).unwrap_or(0);
        let places = vec![(Digest([0; 16]), vacant); set_count * set_len_max].into_boxed_slice();
        Self { places, lens: vec![0; set_count].into_boxed_slice(), set_len_max, len: 0 }
    }

    fn find(&mut self, digest: &Digest) -> Option<&V> {
        let (set, len) = self.set_of(digest)?;
        let index = set[..usize::from(*len)].iter().position(|(known, _)| known == digest)?;
        set[..=index].rotate_right(1);
        set.first().map(|(_, value)| value)
    }

    fn insert(&mut self, digest: Digest, value: V, is_spent: impl Fn(&V) -> bool) {
        let Some((set, len)) = self.set_of(&digest) else { return };
        let taken = usize::from(*len);
        let place = if taken < set.len() {
            *len += 1;
            taken
        } else {
            match set.iter().rposition(|(_, value)| is_spent(value)) {
                Some(spent) => spent,
                // What is of no use any more displaces nothing that is.
                None if is_spent(&value) => return,
                None => taken - 1,
            }
        };
        set[place] = (digest, value);
        set[..=place].rotate_right(1);
        self.len += usize::from(place == taken);
    }

    fn clear(&mut self) {
        self.lens.fill(0);
        self.len = 0;
    }

    /// The places of a digest's set, and how many are taken. `None` only if the table has no capacity. Nobody can choose
    /// tokens of one set, since digests are keyed.
    fn set_of(&mut self, digest: &Digest) -> Option<(&mut [(Digest, V)], &mut u8)> {
        let (low, _) = digest.0.split_first_chunk().expect("a digest has 16 bytes");
        let set_count = u64::try_from(self.lens.len()).ok()?;
        let number = usize::try_from(u64::from_le_bytes(*low).checked_rem(set_count)?).ok()?;
        let begin = number * self.set_len_max;
        Some((self.places.get_mut(begin..begin + self.set_len_max)?, self.lens.get_mut(number)?))
    }
}
