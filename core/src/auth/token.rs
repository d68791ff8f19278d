//! A JWS in compact form (RFC 7515 §7.1), taken apart but not yet believed.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::algorithm::Algorithm;
use super::error::AuthError;

/// What a token says about itself. Nothing of it is checked.
pub(super) struct Token<'a> {
    pub(super) algorithm: Algorithm,
    pub(super) key_id: Option<Box<str>>,
    /// What is signed: header and payload, encoded.
    pub(super) message: &'a [u8],
    pub(super) signature: Vec<u8>,
    payload: &'a str,
}

#[derive(Deserialize)]
struct Header {
    alg: Box<str>,
    kid: Option<Box<str>>,
    /// Extensions that a receiver must understand or refuse the token (RFC 7515 §4.1.11). The hub knows none.
    crit: Option<IgnoredAny>,
}

impl<'a> Token<'a> {
    pub(super) fn parse(text: &'a [u8]) -> Result<Self, AuthError> {
        let text = std::str::from_utf8(text).map_err(|_| AuthError::Malformed)?;
        let (message, signature) = text.rsplit_once('.').ok_or(AuthError::Malformed)?;
        let (header, payload) = message.split_once('.').ok_or(AuthError::Malformed)?;
        if payload.contains('.') {
            return Err(AuthError::Malformed);
        }
        let header: Header = parse_object(&decode(header)?)?;
        if header.crit.is_some() {
            return Err(AuthError::Malformed);
        }
        Ok(Self {
            algorithm: algorithm_named(&header.alg)?,
            key_id: header.kid,
            message: message.as_bytes(),
            signature: decode(signature)?,
            payload,
        })
    }

    /// The claims as JSON.
    pub(super) fn payload(&self) -> Result<Vec<u8>, AuthError> {
        decode(self.payload)
    }
}

/// The claims as JSON of a token that has been taken apart before.
pub(super) fn payload_of(text: &[u8]) -> Result<Vec<u8>, AuthError> {
    let payload = text.split(|&byte| byte == b'.').nth(1).ok_or(AuthError::Malformed)?;
    URL_SAFE_NO_PAD.decode(payload).map_err(|_| AuthError::Malformed)
}

/// Reads a JSON object. The check for `{` is needed since serde also fills a struct from an array.
pub(super) fn parse_object<'a, T: Deserialize<'a>>(json: &'a [u8]) -> Result<T, AuthError> {
    if !json.trim_ascii_start().starts_with(b"{") {
        return Err(AuthError::Malformed);
    }
    serde_json::from_slice(json).map_err(|_| AuthError::Malformed)
}

fn algorithm_named(name: &str) -> Result<Algorithm, AuthError> {
    match Algorithm::parse(name) {
        Some(algorithm) => Ok(algorithm),
        None if name.eq_ignore_ascii_case("none") => Err(AuthError::Unsigned),
        None => Err(AuthError::UnknownAlgorithm),
    }
}

fn decode(part: &str) -> Result<Vec<u8>, AuthError> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| AuthError::Malformed)
}
