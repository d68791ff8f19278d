//! From the bytes of a token to the proof that its holder is authorized.
//!
//! Tokens are taken apart and judged here; of the JWT library only keys and signatures are used. Its own claim checks
//! read the system clock, and it parses each header three times.

use std::sync::Arc;

use super::Authorized;
use super::cache::{CacheCounters, Digest, TokenCache};
use super::claims::Claims;
use super::error::AuthError;
use super::keys::Keys;
use super::token::{Token, payload_of};
use crate::limits::TOKEN_BYTES_MAX;
use crate::time::UnixMillis;

/// How far `nbf` may be ahead of the hub's clock, in milliseconds: clocks kept by NTP differ by less, and a token is
/// often used as soon as it is issued. `exp` has no leeway.
pub const NOT_BEFORE_LEEWAY_MS: u64 = 5_000;

/// Checks tokens. Each shard has its own.
pub struct Verifier {
    keys: Keys,
    cache: TokenCache,
    publishers: Publishers,
}

/// The claims of those who published last. A subscriber's token is read once for each of its streams; a publisher shows the
/// same one with every request, and reading it would be a fifth of the work of a post.
#[derive(Default)]
struct Publishers {
    /// What was used last is in front.
    recent: Vec<(Digest, Arc<Claims>)>,
}

/// Back ends that publish have a few tokens, and one look at each of them is less than reading one.
const PUBLISHERS_MAX: usize = 8;

impl Publishers {
    fn find(&mut self, digest: &Digest) -> Option<Arc<Claims>> {
        let index = self.recent.iter().position(|(known, _)| known == digest)?;
        self.recent[..=index].rotate_right(1);
        self.recent.first().map(|(_, claims)| Arc::clone(claims))
    }

    /// Remembers what `find` did not know, if it is a publisher's.
    fn remember(&mut self, digest: Digest, claims: &Arc<Claims>) {
        if !claims.publish.is_empty() {
            self.recent.truncate(PUBLISHERS_MAX - 1);
            self.recent.insert(0, (digest, Arc::clone(claims)));
        }
    }
}

impl Verifier {
    /// Good tokens are remembered, at most `cache_capacity` ([`crate::limits::TOKENS_CACHED`] is a sane number, 0 is
    /// none); `seed` should be random, so that nobody can choose which tokens displace each other.
    #[must_use]
    pub fn new(keys: Keys, cache_capacity: usize, seed: u64) -> Self {
        Self { keys, cache: TokenCache::new(cache_capacity, seed), publishers: Publishers::default() }
    }

    /// Checks a token as it stood in the request. What was authorized ends at [`Authorized::expires`].
    pub fn verify(&mut self, token: impl AsRef<[u8]>, now: UnixMillis) -> Result<Authorized, AuthError> {
        let token = token.as_ref();
        if token.len() > TOKEN_BYTES_MAX {
            return Err(AuthError::TooLarge);
        }
        let digest = self.cache.digest_of(token);
        let claims = match self.cache.find(&digest) {
            Some(verdict) => verdict.and_then(|()| self.read_again(digest, token))?,
            None => {
                let judged = judge(&self.keys, token);
                self.cache.remember(digest, &judged, now);
                Arc::new(judged?)
            }
        };
        claims.check_time(now)?;
        Ok(Authorized { claims })
    }

    /// The claims of a token that is known to be good.
    fn read_again(&mut self, digest: Digest, token: &[u8]) -> Result<Arc<Claims>, AuthError> {
        if let Some(claims) = self.publishers.find(&digest) {
            return Ok(claims);
        }
        let claims = Arc::new(Claims::parse(&payload_of(token)?)?);
        self.publishers.remember(digest, &claims);
        Ok(claims)
    }

    /// Takes other keys from now on and forgets what the old ones said. Who already streams is not affected.
    pub fn replace_keys(&mut self, keys: Keys) {
        self.keys = keys;
        self.cache.clear();
        self.publishers = Publishers::default();
    }

    /// How often the cache knew a token.
    #[must_use]
    pub fn cache_counters(&self) -> CacheCounters {
        self.cache.counters()
    }

    /// Good tokens that it remembers.
    #[must_use]
    pub fn cached_tokens(&self) -> usize {
        self.cache.len()
    }
}

/// What there is to say about a token whatever the time, so that it can be remembered.
fn judge(keys: &Keys, token: &[u8]) -> Result<Claims, AuthError> {
    let token = Token::parse(token)?;
    let candidates = keys.candidates(token.algorithm, token.key_id.as_deref())?;
    if !candidates.iter().any(|key| key.has_signed(token.algorithm, token.message, &token.signature)) {
        return Err(AuthError::BadSignature);
    }
    Claims::parse(&token.payload()?)
}
