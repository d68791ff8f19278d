//! The keys that tokens are verified with: those that are configured, and for a while those that were.
//!
//! Not here: when they are read again, and who is told (`reload`).

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use corecast_core::auth::Keys;

use super::StartError;
use crate::config::Config;
use crate::config::keys::{KeyError, KeyMaterial, fetch_key_set, read_public_key};
use crate::config::problem::Fault;

/// Keys that were replaced and are still good, at most: each makes a forged token a little dearer. When there are more,
/// the oldest go before their time.
const RETIRED_MAX: usize = 4;

/// See the module.
pub(super) struct Keyring {
    material: KeyMaterial,
    jwks_url: Option<String>,
    keys: Sorts,
    /// The last one first.
    retired: VecDeque<Retired>,
}

/// Keys by where they are from.
#[derive(Clone, Default)]
struct Sorts {
    secret: Keys,
    public: Keys,
    key_set: Keys,
}

/// Keys that are no longer configured.
struct Retired {
    until: Instant,
    keys: Keys,
}

/// Key material that was read and is of use.
pub(super) struct Fresh {
    material: KeyMaterial,
    jwks_url: Option<String>,
    keys: Sorts,
}

/// Which material a reload has changed, by setting.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct KeyChanges {
    pub(super) secret: bool,
    pub(super) public: bool,
    pub(super) key_set: bool,
}

impl Fresh {
    /// Reads and fetches all keys that are configured.
    pub(super) fn read(config: &Config) -> Result<Self, StartError> {
        let material =
            config.load_keys().map_err(|cause| StartError::Key { place: "auth".to_owned(), cause })?;
        Self::of(material, config.auth.jwks_url.clone())
            .map_err(|(place, cause)| StartError::KeyContent { place, cause })
    }

    /// The same for a hub that runs: `last` is the key set it has, with where that is from, for when it cannot be had at
    /// present. Blocks for some seconds at most.
    pub(super) fn read_again(config: &Config, last: Option<(String, Vec<u8>)>) -> Result<Self, Fault> {
        let secret = config.hmac_secret().map_err(|cause| Fault::Key {
            name: "auth.hmac_key_file",
            value: shown_path(config.auth.hmac_key_file.as_deref()),
            cause,
        })?;
        let path = config.auth.public_key_file.as_deref();
        let public_pem = path.map(read_public_key).transpose().map_err(|cause| Fault::Key {
            name: "auth.public_key_file",
            value: shown_path(path),
            cause,
        })?;
        let url = config.auth.jwks_url.clone();
        let jwks = match url.as_deref().map(fetch_key_set).transpose() {
            Ok(jwks) => jwks,
            Err(error) => Some(keep_last(url.as_deref(), last, error)?),
        };
        Self::of(KeyMaterial { hmac: secret, public_pem, jwks }, url)
            .map_err(|(name, cause)| Fault::KeyContent { name, cause })
    }

    fn of(
        material: KeyMaterial,
        jwks_url: Option<String>,
    ) -> Result<Self, (&'static str, corecast_core::auth::KeyError)> {
        let mut keys = Sorts::default();
        if let Some(secret) = &material.hmac {
            keys.secret.add_secret(secret.expose()).map_err(|cause| ("auth.hmac_key", cause))?;
        }
        if let Some(pem) = &material.public_pem {
            keys.public.add_public_pem(pem).map_err(|cause| ("auth.public_key_file", cause))?;
        }
        if let Some(json) = &material.jwks {
            keys.key_set.add_jwk_set(json).map_err(|cause| ("auth.jwks_url", cause))?;
        }
        Ok(Self { material, jwks_url, keys })
    }
}

/// A key set whose server is away is no reason to refuse a reload that does not touch it.
fn keep_last(url: Option<&str>, last: Option<(String, Vec<u8>)>, error: KeyError) -> Result<Vec<u8>, Fault> {
    match last {
        Some((known, json)) if url == Some(&*known) => {
            tracing::warn!(%error, "the key set could not be fetched, the old keys stay");
            Ok(json)
        }
        _ => Err(Fault::KeySet(error)),
    }
}

/// A path as in a configuration; nothing for none.
pub(super) fn shown_path(path: Option<&std::path::Path>) -> String {
    path.map(|path| format!("\"{}\"", path.display())).unwrap_or_default()
}

impl Keyring {
    /// The keys to start with.
    pub(super) fn load(config: &Config) -> Result<Self, StartError> {
        let Fresh { material, jwks_url, keys } = Fresh::read(config)?;
        Ok(Self { material, jwks_url, keys, retired: VecDeque::new() })
    }

    /// The keys in force, those that are configured first.
    pub(super) fn keys(&self) -> Keys {
        let Sorts { secret, public, key_set } = &self.keys;
        let retired = self.retired.iter().map(|retired| &retired.keys);
        let mut all = Keys::new();
        for keys in [secret, public, key_set].into_iter().chain(retired) {
            if let Err(error) = all.add_all(keys) {
                tracing::warn!(%error, "some keys that were replaced are not good any more");
            }
        }
        all
    }

    /// The key set in force, and where it is from.
    pub(super) fn key_set(&self) -> Option<(String, Vec<u8>)> {
        Some((self.jwks_url.clone()?, self.material.jwks.clone()?))
    }

    /// What would change.
    pub(super) fn changes(&self, fresh: &Fresh) -> KeyChanges {
        KeyChanges {
            secret: self.material.hmac != fresh.material.hmac,
            public: self.material.public_pem != fresh.material.public_pem,
            // What its issuer does with it is the issuer's own rotation, which has an overlap of its own.
            key_set: self.jwks_url != fresh.jwks_url,
        }
    }

    /// These are in force from now on; those they replace are good for `overlap` more.
    pub(super) fn replace(&mut self, fresh: Fresh, overlap: Duration, now: Instant) {
        let KeyChanges { secret, public, key_set } = self.changes(&fresh);
        let Fresh { material, jwks_url, keys } = fresh;
        let old = std::mem::replace(&mut self.keys, keys);
        (self.material, self.jwks_url) = (material, jwks_url);
        let until = now + overlap;
        // A shorter overlap is meant for those too: it is how a key that has leaked is got rid of.
        self.retired.iter_mut().for_each(|retired| retired.until = retired.until.min(until));
        for (is_changed, keys) in [(secret, old.secret), (public, old.public), (key_set, old.key_set)] {
            if is_changed && !keys.is_empty() {
                self.retired.push_front(Retired { until, keys });
            }
        }
        self.retired.truncate(RETIRED_MAX);
        self.retire(now);
    }

    /// Its issuer publishes other keys now.
    pub(super) fn replace_key_set(&mut self, json: Vec<u8>) -> Result<(), corecast_core::auth::KeyError> {
        let mut keys = Keys::new();
        keys.add_jwk_set(&json)?;
        self.keys.key_set = keys;
        self.material.jwks = Some(json);
        Ok(())
    }

    /// When the next keys go.
    pub(super) fn next_retirement(&self) -> Option<Instant> {
        self.retired.iter().map(|retired| retired.until).min()
    }

    /// Lets go of keys whose time is over.
    pub(super) fn retire(&mut self, now: Instant) {
        self.retired.retain(|retired| retired.until > now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Secret;

    const MINUTE: Duration = Duration::from_secs(60);

    fn fresh(secret: u8) -> Fresh {
        let material = KeyMaterial { hmac: Some(Secret::new([secret; 32])), ..KeyMaterial::default() };
        Fresh::of(material, None).unwrap()
    }

    fn keyring(secret: u8) -> Keyring {
        let Fresh { material, jwks_url, keys } = fresh(secret);
        Keyring { material, jwks_url, keys, retired: VecDeque::new() }
    }

    #[test]
    fn old_keys_are_good_for_the_overlap_and_then_gone() {
        let begun = Instant::now();
        let mut keyring = keyring(1);
        keyring.replace(fresh(2), MINUTE, begun);
        assert_eq!((keyring.keys().len(), keyring.next_retirement()), (2, Some(begun + MINUTE)));
        keyring.retire(begun + MINUTE / 2);
        assert_eq!(keyring.keys().len(), 2);
        keyring.retire(begun + MINUTE);
        assert_eq!((keyring.keys().len(), keyring.next_retirement()), (1, None));
    }

    #[test]
    fn the_same_key_is_no_change() {
        let mut keyring = keyring(1);
        assert_eq!(keyring.changes(&fresh(1)), KeyChanges::default());
        keyring.replace(fresh(1), MINUTE, Instant::now());
        assert_eq!(keyring.keys().len(), 1);
    }

    #[test]
    fn without_an_overlap_old_keys_are_gone_at_once_and_older_ones_too() {
        let begun = Instant::now();
        let mut keyring = keyring(1);
        keyring.replace(fresh(2), MINUTE, begun);
        keyring.replace(fresh(3), Duration::ZERO, begun);
        assert_eq!(keyring.keys().len(), 1);
    }

    #[test]
    fn keys_that_change_again_and_again_stay_few() {
        let begun = Instant::now();
        let mut keyring = keyring(0);
        (1..100).for_each(|secret| keyring.replace(fresh(secret), MINUTE, begun));
        assert_eq!(keyring.keys().len(), 1 + RETIRED_MAX);
    }

    #[test]
    fn a_key_that_is_taken_away_is_good_for_the_overlap_too() {
        let mut keyring = keyring(1);
        let none = Fresh::of(KeyMaterial::default(), None).unwrap();
        keyring.replace(none, MINUTE, Instant::now());
        assert_eq!(keyring.keys().len(), 1);
    }
}
