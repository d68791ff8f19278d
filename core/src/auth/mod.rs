//! Who may do what: tokens in, proof of authorization out.
//!
//! Invariant: `Authorized` is made in one function, `Verifier::verify`, so whoever holds one has been checked.
//! Not here: where in a request a token stands, reading key files, and fetching JWK sets.

mod algorithm;
mod cache;
mod claims;
mod error;
mod jwk;
mod keys;
mod mint;
#[cfg(test)]
mod tests;
mod token;
mod verifier;

use std::borrow::Cow;
use std::fmt::Write;
use std::sync::Arc;

use self::claims::Claims;
use crate::selector::{RESERVED_PREFIX, Selector};
use crate::time::UnixMillis;

pub use self::algorithm::Algorithm;
pub use self::cache::CacheCounters;
pub use self::error::{AuthError, BearerError, Claim};
pub use self::keys::{HMAC_SECRET_BYTES_MIN, KeyError, Keys};
pub use self::mint::{MintError, mint};
pub use self::verifier::{NOT_BEFORE_LEEWAY_MS, Verifier};

/// Proof that a token was good when it was looked at. Cloning shares it.
#[derive(Clone, Debug)]
pub struct Authorized {
    claims: Arc<Claims>,
}

impl Authorized {
    /// The token's `sub`.
    #[must_use]
    pub fn user(&self) -> Option<&str> {
        self.claims.user.as_deref()
    }

    /// The token's `exp`: what was authorized ends then.
    #[must_use]
    pub fn expires(&self) -> UnixMillis {
        self.claims.expires
    }

    /// Topics whose private events it may see.
    #[must_use]
    pub fn subscribe_grants(&self) -> &[Selector] {
        &self.claims.subscribe
    }

    /// Topics, users (`corecast:users/NAME`) and all (`corecast:all`) it may publish to.
    #[must_use]
    pub fn publish_grants(&self) -> &[Selector] {
        &self.claims.publish
    }

    /// Whether it may see private events of `topic`.
    #[must_use]
    pub fn may_see_private(&self, topic: &str) -> bool {
        self.subscribe_grants().iter().any(|grant| grant.matches(topic))
    }

    /// Whether it may publish to `topic`; never to one of the hub's own, whatever is granted.
    #[must_use]
    pub fn may_publish_topic(&self, topic: &str) -> bool {
        !topic.starts_with(RESERVED_PREFIX) && self.publish_grants().iter().any(|grant| grant.matches(topic))
    }

    /// Whether it may publish to every stream of the user `name`.
    ///
    /// The topic of a user is `corecast:users/` and the name. A template may also match the name as a variable's
    /// expansion would write it, percent-encoded, so that `corecast:users/{user}` grants `alice@example.com` too.
    #[must_use]
    pub fn may_publish_user(&self, name: &str) -> bool {
        let topic = format!("{RESERVED_PREFIX}users/{name}");
        let expanded = format!("{RESERVED_PREFIX}users/{}", expand_variable(name));
        self.publish_grants().iter().any(|grant| {
            grant.matches(&topic) || matches!(grant, Selector::Template(_)) && grant.matches(&expanded)
        })
    }

    /// Whether it may publish to every stream there is.
    #[must_use]
    pub fn may_publish_all(&self) -> bool {
        self.publish_grants().iter().any(|grant| grant.matches("corecast:all"))
    }
}

/// What `{x}` becomes for the value `text` (RFC 6570 §3.2.2).
fn expand_variable(text: &str) -> Cow<'_, str> {
    let is_unreserved = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
    if text.bytes().all(is_unreserved) {
        return text.into();
    }
    text.bytes()
        .fold(String::with_capacity(3 * text.len()), |mut expanded, byte| {
            if is_unreserved(byte) {
                expanded.push(char::from(byte));
            } else {
                write!(expanded, "%{byte:02X}").expect("writing to a string cannot fail");
            }
            expanded
        })
        .into()
}
