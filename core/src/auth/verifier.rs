//! From the bytes of a token to the proof that its holder is authorized.
//!
//! Tokens are taken apart and judged here; of the JWT library only keys and signatures are used. Its own claim checks
//! read the system clock, and it parses each header three times.

use std::sync::Arc;

use super::Authorized;
use super::cache::{CacheCounters, TokenCache};
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
}

impl Verifier {
    /// Good tokens are remembered, at most `cache_capacity` ([`crate::limits::TOKENS_CACHED`] is a sane number, 0 is
    /// none); `seed` should be random, so that nobody can choose which tokens displace each other.
    #[must_use]
    pub fn new(keys: Keys, cache_capacity: usize, seed: u64) -> Self {
        Self { keys, cache: TokenCache::new(cache_capacity, seed) }
    }

    /// Checks a token as it stood in the request. What was authorized ends at [`Authorized::expires`].
    pub fn verify(&mut self, token: impl AsRef<[u8]>, now: UnixMillis) -> Result<Authorized, AuthError> {
        let token = token.as_ref();
        if token.len() > TOKEN_BYTES_MAX {
            return Err(AuthError::TooLarge);
        }
        let digest = self.cache.digest_of(token);
        let claims = match self.cache.find(&digest) {
            Some(verdict) => verdict.and_then(|()| Claims::parse(&payload_of(token)?))?,
            None => {
                let judged = judge(&self.keys, token);
                self.cache.remember(digest, &judged, now);
                judged?
            }
        };
        claims.check_time(now)?;
        Ok(Authorized { claims: Arc::new(claims) })
    }

    /// Takes other keys from now on and forgets what the old ones said. Who already streams is not affected.
    pub fn replace_keys(&mut self, keys: Keys) {
        self.keys = keys;
        self.cache.clear();
    }

    /// How often the cache knew a token.
    #[must_use]
    pub fn cache_counters(&self) -> CacheCounters {
        self.cache.counters()
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
