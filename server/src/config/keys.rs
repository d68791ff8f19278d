//! Key material: read from files, fetched from a key set's URL, always bounded.
//!
//! Not here: what the bytes mean (the core's `auth`), and when to fetch again (the caller).

use std::fs::File;
use std::io::{self, Read};
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use thiserror::Error;

use super::rights;
use super::secret::Secret;
use super::{AuthConfig, Config};
use crate::http_client;

/// RFC 7518 §3.2: a key for HS256 has at least the size of its hash.
pub const HMAC_KEY_BYTES_MIN: usize = 32;

/// An RSA public key of 16,384 bits has 3 KiB; a file with more than this is not one.
const KEY_FILE_BYTES_MAX: u64 = 64 << 10;

/// A key with its certificates takes a few KiB: room for hundreds.
const KEY_SET_BYTES_MAX: u64 = 1 << 20;

/// From the name look-up to the last byte: start-up waits for it.
const KEY_SET_TIMEOUT: Duration = Duration::from_secs(10);

/// Why key material cannot be used.
#[derive(Debug, Error)]
pub enum KeyError {
    /// The file cannot be opened or read.
    #[error("cannot be read: {0}{remedy}", remedy = rights::remedy(.0))]
    Unreadable(#[from] io::Error),
    /// The file is larger than any key.
    #[error("is larger than {KEY_FILE_BYTES_MAX} bytes")]
    FileTooLarge,
    /// A shared secret that can be guessed.
    #[error("has {0} bytes: at least {HMAC_KEY_BYTES_MIN} random bytes are needed")]
    TooShort(usize),
    /// An admin token that no header field can carry.
    #[error("has a character that a bearer token cannot have: use letters, digits and -._~+/=")]
    NotAToken,
    /// Not text with a PEM block.
    #[error("is no PEM file: it has no \"-----BEGIN\" line")]
    NotPem,
    /// A private key where the public one is enough.
    #[error("holds a private key: only the public key belongs here")]
    PrivateKey,
    /// The key set could not be fetched.
    #[error("auth.jwks_url = \"{url}\": {cause}")]
    Fetch {
        /// Where it should be.
        url: String,
        /// Why not.
        #[source]
        cause: Box<ureq::Error>,
    },
}

/// Everything the hub verifies tokens with, as raw bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyMaterial {
    /// The shared secret.
    pub hmac: Option<Secret>,
    /// PEM text with a public key.
    pub public_pem: Option<Vec<u8>>,
    /// A JSON Web Key Set.
    pub jwks: Option<Vec<u8>>,
}

/// A shared secret from a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HmacKeyFile {
    /// The secret, without a line end at its end.
    pub secret: Secret,
    /// Whether everybody on this machine can read the file.
    pub is_world_readable: bool,
}

impl Config {
    /// Reads and fetches all keys that are set. Blocks for at most a few seconds, if there is a key set to fetch.
    pub fn load_keys(&self) -> Result<KeyMaterial, KeyError> {
        let hmac = self.hmac_secret()?;
        let AuthConfig { public_key_file, jwks_url, .. } = &self.auth;
        let public_pem = public_key_file.as_deref().map(read_public_key).transpose()?;
        let jwks = jwks_url.as_deref().map(fetch_key_set).transpose()?;
        Ok(KeyMaterial { hmac, public_pem, jwks })
    }

    /// The shared secret that is set, from wherever it is.
    pub fn hmac_secret(&self) -> Result<Option<Secret>, KeyError> {
        match (&self.auth.hmac_key, &self.auth.hmac_key_file) {
            (Some(secret), _) => Ok(Some(secret.clone())),
            (None, Some(path)) => Ok(Some(read_hmac_key(path)?.secret)),
            (None, None) => Ok(None),
        }
    }

    /// What whoever asks the admin listener must show, from wherever it is.
    pub fn admin_token(&self) -> Result<Option<Secret>, KeyError> {
        let token = match (&self.admin.token, &self.admin.token_file) {
            (Some(token), _) => token.clone(),
            (None, Some(path)) => read_hmac_key(path)?.secret,
            (None, None) => return Ok(None),
        };
        if is_bearer_token(token.expose()) { Ok(Some(token)) } else { Err(KeyError::NotAToken) }
    }
}

/// Whether a header field can carry it: `b64token` of RFC 6750, section 2.1, with `=` anywhere.
fn is_bearer_token(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(byte))
}

/// Reads a shared secret. One line end at its end is dropped, since `openssl rand -hex 32` and editors add it.
pub fn read_hmac_key(path: &Path) -> Result<HmacKeyFile, KeyError> {
    let (mut bytes, mode) = read_bounded(path)?;
    if bytes.ends_with(b"\n") {
        bytes.pop();
        if bytes.ends_with(b"\r") {
            bytes.pop();
        }
    }
    if bytes.len() < HMAC_KEY_BYTES_MIN {
        return Err(KeyError::TooShort(bytes.len()));
    }
    Ok(HmacKeyFile { secret: Secret::new(bytes), is_world_readable: mode & 0o004 != 0 })
}

/// Reads a PEM file. Which kind of public key it holds is for the verifier to say.
pub fn read_public_key(path: &Path) -> Result<Vec<u8>, KeyError> {
    let (bytes, _) = read_bounded(path)?;
    let text = String::from_utf8_lossy(&bytes);
    let labels: Vec<&str> = text.lines().filter_map(|line| line.trim().strip_prefix("-----BEGIN ")).collect();
    if labels.is_empty() {
        return Err(KeyError::NotPem);
    }
    if labels.iter().any(|label| label.contains("PRIVATE KEY")) {
        return Err(KeyError::PrivateKey);
    }
    Ok(bytes)
}

/// The file's bytes and its permission bits.
fn read_bounded(path: &Path) -> Result<(Vec<u8>, u32), KeyError> {
    let file = File::open(path)?;
    let mode = file.metadata()?.permissions().mode();
    let mut bytes = Vec::new();
    let length = file.take(KEY_FILE_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    if u64::try_from(length).is_ok_and(|length| length <= KEY_FILE_BYTES_MAX) {
        Ok((bytes, mode))
    } else {
        Err(KeyError::FileTooLarge)
    }
}

/// Fetches the key set at `url`. No redirects: the one place that is trusted is the one that was named.
pub fn fetch_key_set(url: &str) -> Result<Vec<u8>, KeyError> {
    fetch(url).map_err(|cause| KeyError::Fetch { url: url.to_owned(), cause: Box::new(cause) })
}

fn fetch(url: &str) -> Result<Vec<u8>, ureq::Error> {
    let agent =
        http_client::config().timeout_global(Some(KEY_SET_TIMEOUT)).max_redirects(0).build().new_agent();
    let mut answer = agent.get(url).header("Accept", "application/jwk-set+json, application/json").call()?;
    if answer.status() != 200 {
        return Err(ureq::Error::StatusCode(answer.status().as_u16()));
    }
    answer.body_mut().with_config().limit(KEY_SET_BYTES_MAX).read_to_vec()
}

/// Whether a URL's host is this machine, without asking the name service.
pub(super) fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests;
