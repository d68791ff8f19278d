//! Makes tokens that the hub accepts, for its own command line: `corecast token` and `corecast dev`.
//!
//! Not here: tokens of an issuer with a key pair. Its private key has no business on a hub.

use std::fmt;
use std::time::Duration;

use jsonwebtoken::{EncodingKey, Header};
use serde::Serialize;

use super::claims::is_name;
use super::keys::{KeyError, check_secret};
use crate::limits::{GRANTS_MAX, NAME_BYTES_MAX, TOKEN_BYTES_MAX};
use crate::selector::Selector;
use crate::time::UnixMillis;

/// Why a token cannot be made: the hub would refuse it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MintError {
    /// The secret is none that the hub takes.
    Key(KeyError),
    /// The user's name is empty, too long or has control characters.
    User {
        /// How many bytes it has.
        bytes: usize,
    },
    /// More selectors in a list than a token may have.
    TooManyGrants {
        /// How many there are.
        count: usize,
    },
    /// It would be expired when it is made.
    TooShortLived,
    /// The token would be too large.
    TooLarge {
        /// How many bytes it would have.
        bytes: usize,
    },
}

#[derive(Serialize)]
struct Payload<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    sub: Option<&'a str>,
    iat: u64,
    exp: u64,
    corecast: Grants<'a>,
}

#[derive(Serialize)]
struct Grants<'a> {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    subscribe: Vec<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    publish: Vec<&'a str>,
}

/// Makes a token, signed with HS256, that expires after `ttl` (whole seconds, at least 1).
pub fn mint(
    secret: &[u8],
    user: Option<&str>,
    subscribe: &[Selector],
    publish: &[Selector],
    ttl: Duration,
    now: UnixMillis,
) -> Result<String, MintError> {
    check_secret(secret).map_err(MintError::Key)?;
    if let Some(name) = user.filter(|name| !is_name(name)) {
        return Err(MintError::User { bytes: name.len() });
    }
    if ttl < Duration::from_secs(1) {
        return Err(MintError::TooShortLived);
    }
    let iat = now.as_secs();
    let corecast = Grants { subscribe: texts(subscribe)?, publish: texts(publish)? };
    let payload = Payload { sub: user, iat, exp: iat.saturating_add(ttl.as_secs()), corecast };
    // `Header::default` is HS256.
    let token = jsonwebtoken::encode(&Header::default(), &payload, &EncodingKey::from_secret(secret))
        .expect("strings and numbers become JSON, and a secret signs HS256");
    if token.len() > TOKEN_BYTES_MAX {
        return Err(MintError::TooLarge { bytes: token.len() });
    }
    Ok(token)
}

fn texts(grants: &[Selector]) -> Result<Vec<&str>, MintError> {
    if grants.len() > GRANTS_MAX {
        return Err(MintError::TooManyGrants { count: grants.len() });
    }
    Ok(grants.iter().map(Selector::as_str).collect())
}

impl fmt::Display for MintError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(error) => error.fmt(f),
            Self::User { bytes } => write!(
                f,
                "a user name of {bytes} bytes, allowed are 1 to {NAME_BYTES_MAX} without control characters"
            ),
            Self::TooManyGrants { count } => {
                write!(f, "{count} selectors in a list, allowed are {GRANTS_MAX}")
            }
            Self::TooShortLived => f.write_str("a time to live below 1s, allowed is 1s or more"),
            Self::TooLarge { bytes } => {
                write!(
                    f,
                    "a token of {bytes} bytes is too large, allowed are {TOKEN_BYTES_MAX}: grant fewer selectors"
                )
            }
        }
    }
}

impl std::error::Error for MintError {}
