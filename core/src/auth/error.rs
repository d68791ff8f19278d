//! Why a token was refused: for the operator in full, for the client as RFC 6750 has it.
//!
//! Invariant: no text here has any part of a token but the name of an algorithm of the closed list.

use std::fmt;

use super::algorithm::Algorithm;
use super::verifier::NOT_BEFORE_LEEWAY_MS;
use crate::limits::{GRANTS_MAX, NAME_BYTES_MAX, TOKEN_BYTES_MAX};

/// Why a request is not authorized.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthError {
    /// No token where one is needed.
    Missing,
    /// Several tokens in one place of a request, so that it is unclear who asks.
    Ambiguous,
    /// Longer than [`TOKEN_BYTES_MAX`].
    TooLarge,
    /// Not three parts of base64url with two JSON objects, or with a critical extension.
    Malformed,
    /// `alg` is `none`.
    Unsigned,
    /// `alg` is not in the list of what the hub accepts.
    UnknownAlgorithm,
    /// No key may be used with this algorithm.
    WrongKind(Algorithm),
    /// The `kid` is that of no key; or there is none, and there are too many keys to try.
    UnknownKey,
    /// No key made this signature.
    BadSignature,
    /// Without `exp`.
    NoExpiry,
    /// `exp` has come.
    Expired,
    /// `nbf` is ahead.
    NotYetValid,
    /// A claim is not what it must be.
    BadClaims(Claim),
}

/// A claim that the hub reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// `sub`
    Sub,
    /// `exp`
    Exp,
    /// `nbf`
    Nbf,
    /// `corecast`
    Corecast,
    /// `corecast.subscribe`
    Subscribe,
    /// `corecast.publish`
    Publish,
}

/// The `error` and `error_description` of a `WWW-Authenticate: Bearer` challenge (RFC 6750 §3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BearerError {
    /// The HTTP status that goes with it.
    pub status: u16,
    /// `invalid_request` or `invalid_token`.
    pub error: &'static str,
    /// For a developer. ASCII without `"` and `\`, so it needs no escaping.
    pub description: &'static str,
}

impl AuthError {
    /// What to tell the client. `None` where no token was presented: its 401 has a bare challenge (RFC 6750 §3.1).
    ///
    /// Says less than `Display`: which keys and algorithms the hub has is not the client's business.
    #[must_use]
    pub const fn bearer_error(self) -> Option<BearerError> {
        let description = match self {
            Self::Missing => return None,
            Self::Ambiguous => {
                let description = "more than one token";
                return Some(BearerError { status: 400, error: "invalid_request", description });
            }
            Self::TooLarge => "the token is too large",
            Self::Malformed => "the token is malformed",
            Self::Unsigned
            | Self::UnknownAlgorithm
            | Self::WrongKind(_)
            | Self::UnknownKey
            | Self::BadSignature => "the token is not signed by a key of this hub",
            Self::NoExpiry => "the token has no exp",
            Self::Expired => "the token has expired",
            Self::NotYetValid => "the token is not valid yet",
            Self::BadClaims(_) => "the token has a claim that is not understood",
        };
        Some(BearerError { status: 401, error: "invalid_token", description })
    }

    /// Whether finding it out took a signature check. It depends on the token and the keys alone, never on the time.
    pub(super) const fn is_costly(self) -> bool {
        matches!(self, Self::BadSignature | Self::NoExpiry | Self::BadClaims(_))
    }
}

impl fmt::Display for AuthError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("no token"),
            Self::Ambiguous => f.write_str("more than one token, allowed is one"),
            Self::TooLarge => write!(f, "a token is too large, allowed are {TOKEN_BYTES_MAX} bytes"),
            Self::Malformed => f.write_str(
                "a token is malformed, allowed is a JWS in compact form without critical extensions",
            ),
            Self::Unsigned => f.write_str("a token is not signed (alg none), which is never allowed"),
            Self::UnknownAlgorithm => {
                f.write_str("a token has an unknown alg, allowed are ")?;
                for (index, algorithm) in Algorithm::ALL.iter().enumerate() {
                    write!(f, "{}{algorithm}", if index == 0 { "" } else { ", " })?;
                }
                Ok(())
            }
            Self::WrongKind(algorithm) => {
                write!(f, "a token is signed with {algorithm}, for which no key is configured")
            }
            Self::UnknownKey => f.write_str("a token has the kid of no configured key"),
            Self::BadSignature => f.write_str("a token was signed by none of the configured keys"),
            Self::NoExpiry => f.write_str("a token has no exp, which is required"),
            Self::Expired => f.write_str("a token has expired"),
            Self::NotYetValid => {
                write!(
                    f,
                    "the nbf of a token is ahead of the hub's clock, allowed are {NOT_BEFORE_LEEWAY_MS} ms"
                )
            }
            Self::BadClaims(claim) => write!(f, "a token has a bad {claim}, allowed is {}", claim.allowed()),
        }
    }
}

impl std::error::Error for AuthError {}

impl Claim {
    fn allowed(self) -> String {
        match self {
            Self::Sub => format!("a string of 1 to {NAME_BYTES_MAX} bytes without control characters"),
            Self::Exp | Self::Nbf => "a number of seconds since 1970".to_owned(),
            Self::Corecast => "an object".to_owned(),
            Self::Subscribe | Self::Publish => format!("an array of up to {GRANTS_MAX} selectors"),
        }
    }
}

impl fmt::Display for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sub => "sub",
            Self::Exp => "exp",
            Self::Nbf => "nbf",
            Self::Corecast => "corecast",
            Self::Subscribe => "corecast.subscribe",
            Self::Publish => "corecast.publish",
        })
    }
}
