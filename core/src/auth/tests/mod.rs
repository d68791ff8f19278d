//! Issuers of tokens, with keys made for the run, that the tests of this module share.
//!
//! They sign with the cryptographic library itself, so that nothing under test takes part in making a token.

mod cache;
mod grants;
mod keys;
mod tokens;

use std::sync::LazyLock;

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm,
    Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RSA_PSS_SHA256, RsaEncoding, RsaKeyPair,
};
use aws_lc_rs::{hmac, rsa};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::*;

/// The time on the hub's clock in these tests.
const NOW: UnixMillis = UnixMillis(1_790_000_000_000);
const NOW_SECS: u64 = NOW.0 / 1000;

/// 64 bytes, so that it serves for HS512 too.
const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

static RSA: LazyLock<RsaKeyPair> = LazyLock::new(|| rsa::KeyPair::generate(KeySize::Rsa2048).unwrap());
static P256: LazyLock<EcdsaKeyPair> = LazyLock::new(|| ecdsa_key(&ECDSA_P256_SHA256_FIXED_SIGNING));
static P384: LazyLock<EcdsaKeyPair> = LazyLock::new(|| ecdsa_key(&ECDSA_P384_SHA384_FIXED_SIGNING));
static ED25519: LazyLock<Ed25519KeyPair> = LazyLock::new(|| Ed25519KeyPair::generate().unwrap());

fn ecdsa_key(algorithm: &'static EcdsaSigningAlgorithm) -> EcdsaKeyPair {
    EcdsaKeyPair::generate(algorithm).unwrap()
}

/// A signature over `message`, by the one key there is for `algorithm`.
fn sign(algorithm: Algorithm, message: &[u8]) -> Vec<u8> {
    match algorithm {
        Algorithm::Hs256 => sign_hmac(hmac::HMAC_SHA256, SECRET, message),
        Algorithm::Hs384 => sign_hmac(hmac::HMAC_SHA384, SECRET, message),
        Algorithm::Hs512 => sign_hmac(hmac::HMAC_SHA512, SECRET, message),
        Algorithm::Rs256 => sign_rsa(&RSA_PKCS1_SHA256, message),
        Algorithm::Ps256 => sign_rsa(&RSA_PSS_SHA256, message),
        Algorithm::Es256 => sign_ecdsa(&P256, message),
        Algorithm::Es384 => sign_ecdsa(&P384, message),
        Algorithm::EdDsa => ED25519.sign(message).as_ref().to_vec(),
    }
}

fn sign_hmac(algorithm: hmac::Algorithm, secret: &[u8], message: &[u8]) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(algorithm, secret), message).as_ref().to_vec()
}

fn sign_rsa(encoding: &'static dyn RsaEncoding, message: &[u8]) -> Vec<u8> {
    let mut signature = vec![0; RSA.public_modulus_len()];
    RSA.sign(encoding, &SystemRandom::new(), message, &mut signature).unwrap();
    signature
}

fn sign_ecdsa(key: &EcdsaKeyPair, message: &[u8]) -> Vec<u8> {
    key.sign(&SystemRandom::new(), message).unwrap().as_ref().to_vec()
}

/// The public half of the key for `algorithm`, in PEM.
fn public_pem(algorithm: Algorithm) -> String {
    match algorithm {
        Algorithm::Rs256 | Algorithm::Ps256 => pem_of(RSA.public_key()),
        Algorithm::Es256 => pem_of(P256.public_key()),
        Algorithm::Es384 => pem_of(P384.public_key()),
        Algorithm::EdDsa => pem_of(ED25519.public_key()),
        Algorithm::Hs256 | Algorithm::Hs384 | Algorithm::Hs512 => panic!("a secret has no public half"),
    }
}

fn pem_of(key: &impl AsDer<PublicKeyX509Der<'static>>) -> String {
    pem::encode(&pem::Pem::new("PUBLIC KEY", key.as_der().unwrap().as_ref()))
}

/// The public half of the key for `algorithm` as a JWK, with `extra` members.
fn public_jwk(algorithm: Algorithm, extra: Value) -> Value {
    let mut jwk = match algorithm {
        Algorithm::Rs256 | Algorithm::Ps256 => {
            let key = RSA.public_key();
            json!({
                "kty": "RSA",
                "n": encode(key.modulus().big_endian_without_leading_zero()),
                "e": encode(key.exponent().big_endian_without_leading_zero()),
            })
        }
        Algorithm::Es256 => ec_jwk("P-256", P256.public_key().as_ref()),
        Algorithm::Es384 => ec_jwk("P-384", P384.public_key().as_ref()),
        Algorithm::EdDsa => json!({"kty": "OKP", "crv": "Ed25519", "x": encode(ED25519.public_key())}),
        Algorithm::Hs256 | Algorithm::Hs384 | Algorithm::Hs512 => json!({"kty": "oct", "k": encode(SECRET)}),
    };
    jwk.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    jwk
}

/// `point` is uncompressed: a byte 4 and both coordinates.
fn ec_jwk(curve: &str, point: &[u8]) -> Value {
    let (x, y) = point[1..].split_at(point.len() / 2);
    json!({"kty": "EC", "crv": curve, "x": encode(x), "y": encode(y)})
}

fn jwk_set(keys: &[Value]) -> Vec<u8> {
    serde_json::to_vec(&json!({"keys": keys})).unwrap()
}

fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A token with these very texts as header and payload, signed for `algorithm` whatever the header says.
fn token_of(algorithm: Algorithm, header: impl AsRef<[u8]>, payload: impl AsRef<[u8]>) -> String {
    let message = format!("{}.{}", encode(header), encode(payload));
    let signature = encode(sign(algorithm, message.as_bytes()));
    format!("{message}.{signature}")
}

fn token(algorithm: Algorithm, claims: &Value) -> String {
    token_of(algorithm, json!({"alg": algorithm.as_str(), "typ": "JWT"}).to_string(), claims.to_string())
}

fn named_token(algorithm: Algorithm, kid: &str, claims: &Value) -> String {
    token_of(algorithm, json!({"alg": algorithm.as_str(), "kid": kid}).to_string(), claims.to_string())
}

/// Claims of `alice` for an hour.
fn alice() -> Value {
    json!({"sub": "alice", "exp": NOW_SECS + 3600})
}

fn secret_keys() -> Keys {
    let mut keys = Keys::new();
    keys.add_secret(SECRET).unwrap();
    keys
}

fn pem_keys(algorithm: Algorithm) -> Keys {
    let mut keys = Keys::new();
    keys.add_public_pem(public_pem(algorithm).as_bytes()).unwrap();
    keys
}

fn jwk_keys(jwks: &[Value]) -> Keys {
    let mut keys = Keys::new();
    keys.add_jwk_set(&jwk_set(jwks)).unwrap();
    keys
}

/// All keys of the hub that these tests know of.
fn all_keys() -> Keys {
    let mut keys = secret_keys();
    for algorithm in [Algorithm::Rs256, Algorithm::Es256, Algorithm::Es384, Algorithm::EdDsa] {
        keys.add_public_pem(public_pem(algorithm).as_bytes()).unwrap();
    }
    keys
}

/// What a fresh verifier says.
fn verdict(keys: Keys, token: impl AsRef<[u8]>) -> Result<Authorized, AuthError> {
    Verifier::new(keys, 16, 1).verify(token, NOW)
}

fn refusal(keys: Keys, token: impl AsRef<[u8]>) -> AuthError {
    verdict(keys, token).expect_err("the token should have been refused")
}
