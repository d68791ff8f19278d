//! Who may do what: tokens in, proof of authorization out.
//!
//! Invariant: `Authorized` is made in one function, `Verifier::verify`, so whoever holds one has been checked.

use std::sync::Arc;

use crate::selector::Selector;
use crate::time::UnixMillis;

/// Proof that a token was good when it was looked at.
#[derive(Clone, Debug)]
pub struct Authorized {
    claims: Arc<Claims>,
}

/// What a good token says.
#[derive(Debug)]
struct Claims {
    user: Option<Box<str>>,
    expires: UnixMillis,
    subscribe: Box<[Selector]>,
    publish: Box<[Selector]>,
}

impl Authorized {
    /// The token's `sub`.
    #[must_use]
    pub fn user(&self) -> Option<&str> {
        self.claims.user.as_deref()
    }

    /// The token's `exp`.
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
}
