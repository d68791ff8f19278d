//! Tokens of subscribers and publishers, for all targets that verify any: HS256, with the claims that the hub reads.
//!
//! Not here: where in a request a token stands.

use std::time::{Duration, SystemTime};

use anyhow::Context;
use corecast_core::auth::mint;
use corecast_core::selector::Selector;
use corecast_core::time::UnixMillis;

/// Of tokens of a benchmark, which nobody else's server takes.
pub(super) const HMAC_KEY: &str = "a-key-for-benchmarks-and-for-nothing-else";

/// No benchmark takes longer.
const TTL: Duration = Duration::from_secs(24 * 3600);

/// The name of a user.
pub(super) fn user(number: u32) -> String {
    format!("user-{number}")
}

/// A token for `user` that may publish what `publish` says.
pub(super) fn token(user: &str, publish: &[Selector]) -> anyhow::Result<String> {
    mint(HMAC_KEY.as_bytes(), Some(user), &[], publish, TTL, now()).context("a token")
}

/// A token for a subscriber. A few microseconds.
pub(super) fn subscriber_token(number: u32) -> String {
    token(&user(number), &[]).expect("a short name and no grants")
}

/// The time of tokens.
pub(super) fn now() -> UnixMillis {
    let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    UnixMillis(since_epoch.as_millis() as u64)
}
