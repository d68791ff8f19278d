//! JWK sets (RFC 7517): the public keys of an issuer, as it publishes them.

use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::DecodingKey;
use serde::Deserialize;
use serde_json::Value;

use super::algorithm::Algorithm;
use super::keys::{Key, KeyError, Kind, check_rsa_size};
use crate::limits::JWK_SET_BYTES_MAX;

#[derive(Deserialize)]
struct Set {
    keys: Vec<Value>,
}

/// The members that matter for verifying; `kty` decides which must be there.
#[derive(Deserialize)]
struct Jwk {
    kty: String,
    #[serde(rename = "use")]
    purpose: Option<String>,
    key_ops: Option<Vec<String>>,
    alg: Option<String>,
    kid: Option<Box<str>>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

/// The usable keys of a set, at least one.
pub(super) fn parse_set(json: &[u8]) -> Result<Vec<Key>, KeyError> {
    if json.len() > JWK_SET_BYTES_MAX {
        return Err(KeyError::JwkSetTooLarge { bytes: json.len() });
    }
    let set: Set = serde_json::from_slice(json).map_err(|_| KeyError::NotJwkSet)?;
    let mut keys = Vec::new();
    for value in set.keys {
        refuse_secrets(&value)?;
        // RFC 7517 §5: what is not understood is to be ignored, so that issuers can add new kinds of keys.
        keys.extend(serde_json::from_value(value).ok().as_ref().and_then(usable_key));
    }
    if keys.is_empty() { Err(KeyError::NoUsableJwk) } else { Ok(keys) }
}

/// A set is public. A secret in it is known to all, and its issuer should hear of it.
fn refuse_secrets(jwk: &Value) -> Result<(), KeyError> {
    if jwk.get("kty").is_some_and(|kty| kty == "oct") {
        Err(KeyError::SymmetricJwk)
    } else if jwk.get("d").is_some() {
        Err(KeyError::PrivateKey)
    } else {
        Ok(())
    }
}

fn usable_key(jwk: &Jwk) -> Option<Key> {
    let verifies = jwk.purpose.as_deref().is_none_or(|purpose| purpose == "sig")
        && jwk
            .key_ops
            .as_ref()
            .is_none_or(|operations| operations.iter().any(|operation| operation == "verify"));
    if !verifies {
        return None;
    }
    let key = match (jwk.kty.as_str(), jwk.crv.as_deref()) {
        ("RSA", _) => rsa_key(jwk),
        ("EC", Some("P-256")) => {
            point_key(&[&[4], &*coordinate::<32>(&jwk.x)?, &*coordinate::<32>(&jwk.y)?].concat())
        }
        ("EC", Some("P-384")) => {
            point_key(&[&[4], &*coordinate::<48>(&jwk.x)?, &*coordinate::<48>(&jwk.y)?].concat())
        }
        ("OKP", Some("Ed25519")) => point_key(&coordinate::<32>(&jwk.x)?),
        _ => None,
    }?;
    let only = match &jwk.alg {
        Some(name) => Some(Algorithm::parse(name).filter(|only| key.kind.allows(*only))?),
        None => None,
    };
    Some(Key { id: jwk.kid.clone(), only, ..key })
}

fn point_key(point: &[u8]) -> Option<Key> {
    Key::from_public(point).ok()
}

fn rsa_key(jwk: &Jwk) -> Option<Key> {
    // Some issuers write a leading zero byte; the verifying library takes none.
    let n = number(&jwk.n)?;
    let e = number(&jwk.e)?;
    check_rsa_size(&n).ok()?;
    RsaPublicKeyComponents { n: &n, e: &e }.to_parsed_public_key(&RSA_PKCS1_2048_8192_SHA256).ok()?;
    Some(Key {
        kind: Kind::Rsa,
        id: None,
        only: None,
        material: DecodingKey::from_rsa_raw_components(&n, &e),
    })
}

/// A big-endian number without leading zeros.
fn number(text: &Option<String>) -> Option<Vec<u8>> {
    let mut bytes = URL_SAFE_NO_PAD.decode(text.as_ref()?).ok()?;
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    bytes.drain(..zeros);
    Some(bytes)
}

/// A coordinate has the full length of its field (RFC 7518 §6.2.1.2).
fn coordinate<const BYTES: usize>(text: &Option<String>) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text.as_ref()?).ok().filter(|bytes| bytes.len() == BYTES)
}
