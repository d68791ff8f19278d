//! Tokens as the application's own backend would mint them.
//!
//! Not here: the hub's `corecast token`; one test compares the two. Minting ten thousand tokens by starting the
//! binary ten thousand times would measure the wrong thing.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

/// Shared with every hub the harness starts. 64 bytes: enough for HS512.
pub const HMAC_KEY: &str = "a-key-that-only-tests-know-0123456789abcdefghijklmnopqrstuvwxyz-";

/// What a token says.
#[derive(Clone, Debug)]
pub struct Token {
    user: Option<String>,
    expires: u64,
    subscribe: Vec<String>,
    publish: Vec<String>,
}

impl Token {
    /// For a user, good for an hour, without grants.
    #[must_use]
    pub fn of(user: &str) -> Self {
        let (subscribe, publish) = (Vec::new(), Vec::new());
        Self { user: Some(user.to_owned()), expires: unix_now() + 3600, subscribe, publish }
    }

    /// Without a user.
    #[must_use]
    pub fn of_nobody() -> Self {
        Self { user: None, ..Self::of("") }
    }

    /// May publish to every topic, every user and all.
    #[must_use]
    pub fn publisher() -> Self {
        Self::of("backend").publish("*").publish("corecast:users/{user}").publish("corecast:all")
    }

    /// Grants private events of a topic or template.
    #[must_use]
    pub fn subscribe(mut self, selector: &str) -> Self {
        self.subscribe.push(selector.to_owned());
        self
    }

    /// Grants publishing to a topic or template.
    #[must_use]
    pub fn publish(mut self, selector: &str) -> Self {
        self.publish.push(selector.to_owned());
        self
    }

    /// Ends at a time, in seconds since 1970.
    #[must_use]
    pub fn expires_at(mut self, unix_seconds: u64) -> Self {
        self.expires = unix_seconds;
        self
    }

    /// Ends after a time; at least a second, since `exp` counts seconds.
    #[must_use]
    pub fn expires_in(self, duration: Duration) -> Self {
        self.expires_at(unix_now() + duration.as_secs())
    }

    /// The claims.
    #[must_use]
    pub fn claims(&self) -> Value {
        let mut claims = json!({
            "exp": self.expires,
            "corecast": {"subscribe": self.subscribe, "publish": self.publish},
        });
        if let Some(user) = &self.user {
            claims["sub"] = json!(user);
        }
        claims
    }

    /// Signed with the harness's key.
    #[must_use]
    pub fn sign(&self) -> String {
        self.sign_with(Algorithm::HS256, &EncodingKey::from_secret(HMAC_KEY.as_bytes()))
    }

    /// Signed in any other way.
    ///
    /// # Panics
    /// If key and algorithm do not fit.
    #[must_use]
    pub fn sign_with(&self, algorithm: Algorithm, key: &EncodingKey) -> String {
        jsonwebtoken::encode(&Header::new(algorithm), &self.claims(), key)
            .expect("the key fits the algorithm")
    }
}

/// Seconds since 1970, as tokens count.
///
/// # Panics
/// If the machine's clock is before 1970.
#[must_use]
pub fn unix_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is past 1970").as_secs()
}
