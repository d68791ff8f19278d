//! The keys that tokens are verified with, and their refresh from a key set's URL.

use std::time::Duration;

use corecast_core::auth::Keys;

use super::{StartError, threads};
use crate::config::Config;
use crate::config::keys::fetch_key_set;
use crate::shard::inbox::{Inbox, Mail};

/// How often a key set is fetched again: issuers publish a new key hours before they sign with it.
const REFRESH_INTERVAL: Duration = Duration::from_secs(300);

/// See the module.
pub(super) struct Keyring {
    /// Everything but the key set.
    fixed: Keys,
    jwks_url: Option<String>,
    keys: Keys,
}

impl Keyring {
    /// Reads and fetches all keys that are configured.
    pub(super) fn load(config: &Config) -> Result<Self, StartError> {
        let material =
            config.load_keys().map_err(|cause| StartError::Key { place: "auth".to_owned(), cause })?;
        let mut fixed = Keys::new();
        if let Some(secret) = &material.hmac {
            let added = fixed.add_secret(secret.expose());
            added.map_err(|cause| StartError::KeyContent { place: "auth.hmac_key", cause })?;
        }
        if let Some(pem) = &material.public_pem {
            let added = fixed.add_public_pem(pem);
            added.map_err(|cause| StartError::KeyContent { place: "auth.public_key_file", cause })?;
        }
        let keys = match &material.jwks {
            Some(json) => with_key_set(&fixed, json)
                .map_err(|cause| StartError::KeyContent { place: "auth.jwks_url", cause })?,
            None => fixed.clone(),
        };
        Ok(Self { fixed, jwks_url: config.auth.jwks_url.clone(), keys })
    }

    /// The keys in force.
    pub(super) fn keys(&self) -> Keys {
        self.keys.clone()
    }

    /// Keeps every shard's keys fresh. While the key set cannot be had, the old keys stay in force.
    pub(super) async fn refresh(self, inboxes: Vec<Inbox>) {
        let Some(url) = self.jwks_url else { return };
        loop {
            tokio::time::sleep(REFRESH_INTERVAL).await;
            let asked = url.clone();
            match tokio::task::spawn_blocking(move || fetch_key_set(&asked)).await {
                Ok(Ok(json)) => match with_key_set(&self.fixed, &json) {
                    Ok(keys) => threads::send_to_all(&inboxes, || Mail::Keys(Box::new(keys.clone()))),
                    Err(error) => tracing::warn!(url, %error, "the key set is of no use, the old keys stay"),
                },
                Ok(Err(error)) => {
                    tracing::warn!(%error, "the key set could not be fetched, the old keys stay")
                }
                Err(error) => tracing::error!(%error, "fetching the key set was cut short"),
            }
        }
    }
}

fn with_key_set(fixed: &Keys, json: &[u8]) -> Result<Keys, corecast_core::auth::KeyError> {
    let mut keys = fixed.clone();
    keys.add_jwk_set(json)?;
    Ok(keys)
}
