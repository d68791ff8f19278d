//! The keys that may have signed a token, each for the algorithms of its own kind only.
//!
//! Invariant: a key was parsed by the library that verifies with it, so a key that can never verify is an error at
//! start and not a refusal of every token.
//! Not here: files and URLs. Whoever reads them hands in their bytes.

use std::fmt;

use aws_lc_rs::rsa;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, ParsedPublicKey, VerificationAlgorithm,
};
use jsonwebtoken::DecodingKey;
use jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER;
use smallvec::SmallVec;

use super::algorithm::Algorithm;
use super::error::AuthError;
use super::jwk;
use crate::limits::{JWK_SET_BYTES_MAX, KEY_TRIES_MAX, KEYS_MAX};

/// A shorter secret can be guessed from one token, offline. It is also what RFC 7518 §3.2 asks for HS256.
pub const HMAC_SECRET_BYTES_MIN: usize = 32;

const RSA_BITS_MIN: usize = 2048;
const RSA_BITS_MAX: usize = 8192;

/// A set of keys. While keys are rotated it holds old and new ones together.
#[derive(Clone, Default)]
pub struct Keys {
    keys: Vec<Key>,
}

/// Why a key cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyError {
    /// A secret of fewer than [`HMAC_SECRET_BYTES_MIN`] bytes.
    SecretTooShort {
        /// How many it has.
        bytes: usize,
    },
    /// PEM text where a secret belongs. A public key used as a secret lets everyone sign.
    SecretIsPem,
    /// No PEM block, or a broken one.
    NotPem,
    /// A PEM block that is no public key: a certificate, parameters.
    NotPublicKey,
    /// A private key where a public one belongs.
    PrivateKey,
    /// An RSA key outside the allowed sizes.
    RsaSize {
        /// How many bits it has.
        bits: usize,
    },
    /// A public key of a kind or curve that the hub does not use.
    UnsupportedKind,
    /// More than [`JWK_SET_BYTES_MAX`].
    JwkSetTooLarge {
        /// How many bytes it has.
        bytes: usize,
    },
    /// No JSON of the form `{"keys": […]}`.
    NotJwkSet,
    /// A JWK set with a symmetric key: whoever can read the set can sign.
    SymmetricJwk,
    /// A JWK set without any key that can verify a token here.
    NoUsableJwk,
    /// More than [`KEYS_MAX`].
    TooManyKeys,
}

/// One key, and what it may be used for.
#[derive(Clone)]
pub(super) struct Key {
    pub(super) kind: Kind,
    /// The `kid` of a JWK.
    pub(super) id: Option<Box<str>>,
    /// The `alg` of a JWK, which narrows what its kind allows.
    pub(super) only: Option<Algorithm>,
    pub(super) material: DecodingKey,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Hmac { secret_bytes: usize },
    Rsa,
    P256,
    P384,
    Ed25519,
}

impl Keys {
    /// No keys: no token is good.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How many keys there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Adds an HMAC secret, for HS256 and, from 48 and 64 bytes on, HS384 and HS512 (RFC 7518 §3.2). The bytes are
    /// taken as they are: a line end at the end of a file belongs to the caller.
    pub fn add_secret(&mut self, secret: &[u8]) -> Result<(), KeyError> {
        check_secret(secret)?;
        let kind = Kind::Hmac { secret_bytes: secret.len() };
        self.add(vec![Key { kind, id: None, only: None, material: DecodingKey::from_secret(secret) }])
    }

    /// Adds every public key of a PEM text (`PUBLIC KEY` or `RSA PUBLIC KEY`), at least one: RSA of 2048 to
    /// 8192 bits, P-256, P-384 or Ed25519.
    pub fn add_public_pem(&mut self, text: &[u8]) -> Result<(), KeyError> {
        let blocks =
            pem::parse_many(text).ok().filter(|blocks| !blocks.is_empty()).ok_or(KeyError::NotPem)?;
        let keys = blocks.iter().map(public_key_of).collect::<Result<Vec<_>, _>>()?;
        self.add(keys)
    }

    /// Adds the keys of a JWK set (RFC 7517 §5). Keys for encryption, and of kinds, curves, sizes or algorithms that
    /// the hub does not use, are passed over; secret ones are an error, and so is finding no key to add.
    pub fn add_jwk_set(&mut self, json: &[u8]) -> Result<(), KeyError> {
        self.add(jwk::parse_set(json)?)
    }

    /// Adds all keys of another set, behind those that are here.
    pub fn add_all(&mut self, other: &Self) -> Result<(), KeyError> {
        self.add(other.keys.clone())
    }

    fn add(&mut self, keys: Vec<Key>) -> Result<(), KeyError> {
        if self.keys.len() + keys.len() > KEYS_MAX {
            return Err(KeyError::TooManyKeys);
        }
        self.keys.extend(keys);
        Ok(())
    }

    /// The keys that may have made a signature, most likely first, at least one and at most [`KEY_TRIES_MAX`].
    ///
    /// A token that names its key is checked with keys of that name, then with those that have none (a PEM file), but
    /// never with one of another name.
    pub(super) fn candidates(
        &self,
        algorithm: Algorithm,
        id: Option<&str>,
    ) -> Result<SmallVec<[&Key; KEY_TRIES_MAX]>, AuthError> {
        let allowed = || self.keys.iter().filter(|key| key.allows(algorithm));
        if allowed().next().is_none() {
            return Err(AuthError::WrongKind(algorithm));
        }
        let named = allowed().filter(|key| key.id.is_some() && (id.is_none() || key.id.as_deref() == id));
        let candidates: SmallVec<_> = named.chain(allowed().filter(|key| key.id.is_none())).collect();
        let can_try = (1..=KEY_TRIES_MAX).contains(&candidates.len());
        if can_try { Ok(candidates) } else { Err(AuthError::UnknownKey) }
    }
}

impl Key {
    /// A public key in DER (`SubjectPublicKeyInfo`; for RSA also PKCS #1) or, for curves, as the bare point.
    pub(super) fn from_public(der: &[u8]) -> Result<Self, KeyError> {
        let parses =
            |algorithm: &'static dyn VerificationAlgorithm| ParsedPublicKey::new(algorithm, der).is_ok();
        let (kind, material) = if parses(&ECDSA_P256_SHA256_FIXED) {
            (Kind::P256, DecodingKey::from_ec_der(der))
        } else if parses(&ECDSA_P384_SHA384_FIXED) {
            (Kind::P384, DecodingKey::from_ec_der(der))
        } else if parses(&ED25519) {
            (Kind::Ed25519, DecodingKey::from_ed_der(der))
        } else {
            let key = rsa::PublicKey::from_der(der).map_err(|_| KeyError::UnsupportedKind)?;
            check_rsa_size(key.modulus().big_endian_without_leading_zero())?;
            (Kind::Rsa, DecodingKey::from_rsa_der(der))
        };
        Ok(Self { kind, id: None, only: None, material })
    }

    fn allows(&self, algorithm: Algorithm) -> bool {
        self.kind.allows(algorithm) && self.only.is_none_or(|only| only == algorithm)
    }

    /// Whether this key made `signature` over `message`. The key must allow the algorithm.
    pub(super) fn has_signed(&self, algorithm: Algorithm, message: &[u8], signature: &Vec<u8>) -> bool {
        // The provider is named here, not looked up: which one the process has installed or which features other
        // crates turn on makes no difference.
        (DEFAULT_PROVIDER.verifier_factory)(&algorithm.to_library(), &self.material)
            .is_ok_and(|verifier| verifier.verify(message, signature).is_ok())
    }
}

impl Kind {
    pub(super) const fn allows(self, algorithm: Algorithm) -> bool {
        match (self, algorithm) {
            (Self::Hmac { secret_bytes }, Algorithm::Hs256) => secret_bytes >= 32,
            (Self::Hmac { secret_bytes }, Algorithm::Hs384) => secret_bytes >= 48,
            (Self::Hmac { secret_bytes }, Algorithm::Hs512) => secret_bytes >= 64,
            (Self::Rsa, Algorithm::Rs256 | Algorithm::Ps256) => true,
            (Self::P256, Algorithm::Es256) => true,
            (Self::P384, Algorithm::Es384) => true,
            (Self::Ed25519, Algorithm::EdDsa) => true,
            (Self::Hmac { .. } | Self::Rsa | Self::P256 | Self::P384 | Self::Ed25519, _) => false,
        }
    }
}

pub(super) fn check_secret(secret: &[u8]) -> Result<(), KeyError> {
    if secret.trim_ascii_start().starts_with(b"-----BEGIN ") {
        Err(KeyError::SecretIsPem)
    } else if secret.len() < HMAC_SECRET_BYTES_MIN {
        Err(KeyError::SecretTooShort { bytes: secret.len() })
    } else {
        Ok(())
    }
}

/// `modulus` is big-endian without leading zeros.
pub(super) fn check_rsa_size(modulus: &[u8]) -> Result<(), KeyError> {
    let unused = modulus.first().map_or(0, |byte| byte.leading_zeros() as usize);
    let bits = modulus.len() * 8 - unused;
    if (RSA_BITS_MIN..=RSA_BITS_MAX).contains(&bits) { Ok(()) } else { Err(KeyError::RsaSize { bits }) }
}

fn public_key_of(block: &pem::Pem) -> Result<Key, KeyError> {
    match block.tag() {
        "PUBLIC KEY" | "RSA PUBLIC KEY" => Key::from_public(block.contents()),
        tag if tag.ends_with("PRIVATE KEY") => Err(KeyError::PrivateKey),
        _ => Err(KeyError::NotPublicKey),
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.keys.iter().map(|key| (key.kind, &key.id))).finish()
    }
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SecretTooShort { bytes } => {
                write!(
                    f,
                    "an HMAC secret of {bytes} bytes is too short, allowed are {HMAC_SECRET_BYTES_MIN} or more"
                )
            }
            Self::SecretIsPem => f.write_str("a PEM key is no HMAC secret, allowed are random bytes"),
            Self::NotPem => f.write_str("no readable PEM block, allowed are PUBLIC KEY and RSA PUBLIC KEY"),
            Self::NotPublicKey => {
                f.write_str("a PEM block is no public key, allowed are PUBLIC KEY and RSA PUBLIC KEY")
            }
            Self::PrivateKey => f.write_str("a private key where only its public half is needed and allowed"),
            Self::RsaSize { bits } => {
                write!(f, "an RSA key of {bits} bits, allowed are {RSA_BITS_MIN} to {RSA_BITS_MAX}")
            }
            Self::UnsupportedKind => {
                f.write_str("a public key of an unknown kind, allowed are RSA, P-256, P-384 and Ed25519")
            }
            Self::JwkSetTooLarge { bytes } => {
                write!(f, "a JWK set of {bytes} bytes is too large, allowed are {JWK_SET_BYTES_MAX}")
            }
            Self::NotJwkSet => f.write_str("no JWK set, allowed is JSON of the form {\"keys\": [...]}"),
            Self::SymmetricJwk => f.write_str("a JWK set with a symmetric key, allowed are public keys"),
            Self::NoUsableJwk => f.write_str(
                "a JWK set without a usable key, allowed are RSA, P-256, P-384 and Ed25519 for signatures",
            ),
            Self::TooManyKeys => write!(f, "too many keys, allowed are {KEYS_MAX}"),
        }
    }
}

impl std::error::Error for KeyError {}
