//! Which keys are taken, and which of them a token is checked with.

use super::*;
use crate::limits::{JWK_SET_BYTES_MAX, KEY_TRIES_MAX, KEYS_MAX};

/// Public keys made for these tests; nobody has kept their private halves.
const TEST_RSA_1024_PEM: &str = "-----BEGIN PUBLIC KEY-----
MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDs1M9UyL+oEmOQdzxKhZ0/4Ikt
ZjAruRkQXrKT7IpRcj/TeDKBrtraU+PYqqNYPrdvD/5/k2Vx442suOc+G28X6FFU
lvcc+jMGvaTyBHPPyv+zRSbKXWt7TcSLIz/db5auAHtU70qFBJh1jeOGGcaS0726
Bk1xx2j5MpVxsJqonQIDAQAB
-----END PUBLIC KEY-----";
const TEST_SECP256K1_PEM: &str = "-----BEGIN PUBLIC KEY-----
MFYwEAYHKoZIzj0CAQYFK4EEAAoDQgAELeDDAcc9ayo8VhfShjhitHppJdDCAcOg
5Croh5WClyOchSZFQJ2KusPplFr9SDVE0ioHn1QyXLacvzJZpW3eHg==
-----END PUBLIC KEY-----";

fn added_pem(text: impl AsRef<[u8]>) -> Result<usize, KeyError> {
    let mut keys = Keys::new();
    keys.add_public_pem(text.as_ref()).map(|()| keys.len())
}

fn added_jwks(json: &[u8]) -> Result<usize, KeyError> {
    let mut keys = Keys::new();
    keys.add_jwk_set(json).map(|()| keys.len())
}

#[test]
fn a_secret_must_be_long_enough_for_its_algorithm() {
    let algorithms = [Algorithm::Hs256, Algorithm::Hs384, Algorithm::Hs512];
    let cases = [(31, 0), (32, 1), (47, 1), (48, 2), (63, 2), (64, 3)];
    for (bytes, allowed) in cases {
        let mut keys = Keys::new();
        if allowed == 0 {
            assert_eq!(keys.add_secret(&SECRET[..bytes]), Err(KeyError::SecretTooShort { bytes }));
            assert!(keys.is_empty());
            continue;
        }
        keys.add_secret(&SECRET[..bytes]).unwrap();
        for (index, algorithm) in algorithms.into_iter().enumerate() {
            let expected =
                if index < allowed { AuthError::BadSignature } else { AuthError::WrongKind(algorithm) };
            let forged = token(algorithm, &alice()).rsplit_once('.').unwrap().0.to_owned() + ".AAAA";
            assert_eq!(refusal(keys.clone(), forged), expected, "{bytes} bytes, {algorithm}");
        }
    }
}

#[test]
fn a_pem_text_may_have_several_keys() {
    let text = [Algorithm::Rs256, Algorithm::Es256, Algorithm::EdDsa].map(public_pem).concat();
    assert_eq!(added_pem(text), Ok(3));
}

#[test]
fn an_rsa_key_may_be_in_pkcs1() {
    let text = pem::encode(&pem::Pem::new("RSA PUBLIC KEY", RSA.public_key().as_ref()));
    let mut keys = Keys::new();
    keys.add_public_pem(text.as_bytes()).unwrap();
    for algorithm in [Algorithm::Rs256, Algorithm::Ps256] {
        assert_eq!(verdict(keys.clone(), token(algorithm, &alice())).unwrap().user(), Some("alice"));
    }
}

#[test]
fn what_is_no_usable_public_key_is_an_error_that_says_why() {
    let block = |tag: &str, bytes: &[u8]| pem::encode(&pem::Pem::new(tag, bytes));
    let good = public_pem(Algorithm::Es256);
    let cases = [
        (String::new(), KeyError::NotPem),
        ("a secret".to_owned(), KeyError::NotPem),
        (good[..good.len() / 2].to_owned(), KeyError::NotPem),
        (block("PUBLIC KEY", b""), KeyError::UnsupportedKind),
        (block("PUBLIC KEY", b"garbage"), KeyError::UnsupportedKind),
        (block("CERTIFICATE", b"garbage"), KeyError::NotPublicKey),
        (block("PRIVATE KEY", b"garbage"), KeyError::PrivateKey),
        (block("RSA PRIVATE KEY", b"garbage"), KeyError::PrivateKey),
        (block("EC PRIVATE KEY", b"garbage"), KeyError::PrivateKey),
        (format!("{good}{}", block("PRIVATE KEY", b"garbage")), KeyError::PrivateKey),
        (TEST_RSA_1024_PEM.to_owned(), KeyError::RsaSize { bits: 1024 }),
        (TEST_SECP256K1_PEM.to_owned(), KeyError::UnsupportedKind),
    ];
    for (text, expected) in cases {
        assert_eq!(added_pem(&text), Err(expected), "{text}");
    }
}

#[test]
fn jwks_of_every_kind_verify() {
    for algorithm in
        [Algorithm::Rs256, Algorithm::Ps256, Algorithm::Es256, Algorithm::Es384, Algorithm::EdDsa]
    {
        let narrow =
            json!({"use": "sig", "key_ops": ["verify"], "alg": algorithm.as_str(), "x5t": "…", "exp": 1.5});
        for extra in [json!({}), narrow] {
            let keys = jwk_keys(&[public_jwk(algorithm, extra)]);
            assert_eq!(
                verdict(keys, token(algorithm, &alice())).unwrap().user(),
                Some("alice"),
                "{algorithm}"
            );
        }
    }
}

#[test]
fn the_alg_of_a_jwk_narrows_what_it_is_used_for() {
    let keys = jwk_keys(&[public_jwk(Algorithm::Ps256, json!({"alg": "PS256"}))]);
    assert_eq!(verdict(keys.clone(), token(Algorithm::Ps256, &alice())).unwrap().user(), Some("alice"));
    assert_eq!(refusal(keys, token(Algorithm::Rs256, &alice())), AuthError::WrongKind(Algorithm::Rs256));
}

#[test]
fn a_modulus_may_have_a_leading_zero() {
    let modulus = [&[0], RSA.public_key().modulus().big_endian_without_leading_zero()].concat();
    let keys = jwk_keys(&[public_jwk(Algorithm::Rs256, json!({"n": encode(modulus)}))]);
    assert_eq!(verdict(keys, token(Algorithm::Rs256, &alice())).unwrap().user(), Some("alice"));
}

#[test]
fn jwks_that_cannot_verify_here_are_passed_over() {
    let usable = public_jwk(Algorithm::EdDsa, json!({}));
    let weak = pem::parse(TEST_RSA_1024_PEM).unwrap();
    let weak = rsa::PublicKey::from_der(weak.contents()).unwrap();
    let cases = [
        json!({}),
        json!(5),
        json!({"kty": 5}),
        json!({"kty": "AKP", "alg": "ML-DSA-44", "pub": "…"}),
        json!({"kty": "OKP", "crv": "X25519", "x": encode([1; 32])}),
        json!({"kty": "EC", "crv": "P-256"}),
        json!({"kty": "EC", "crv": "P-256", "x": encode([1; 32]), "y": encode([1; 32])}),
        json!({"kty": "EC", "crv": "P-256", "x": encode([1; 31]), "y": encode([1; 33])}),
        json!({"kty": "RSA", "n": encode(weak.modulus().big_endian_without_leading_zero()), "e": "AQAB"}),
        json!({"kty": "RSA", "n": "", "e": ""}),
        public_jwk(Algorithm::Rs256, json!({"n": "not base64!"})),
        public_jwk(Algorithm::Rs256, json!({"e": "AA"})),
        public_jwk(Algorithm::Rs256, json!({"use": "enc"})),
        public_jwk(Algorithm::Rs256, json!({"key_ops": ["encrypt"]})),
        public_jwk(Algorithm::Rs256, json!({"alg": "RS512"})),
        public_jwk(Algorithm::Rs256, json!({"alg": "ES256"})),
        public_jwk(Algorithm::Es256, json!({"crv": "P-384"})),
        public_jwk(Algorithm::Es256, json!({"kid": 5})),
    ];
    for jwk in cases {
        assert_eq!(added_jwks(&jwk_set(&[jwk.clone(), usable.clone()])), Ok(1), "{jwk}");
        assert_eq!(added_jwks(&jwk_set(&[jwk])), Err(KeyError::NoUsableJwk));
    }
}

#[test]
fn a_set_with_secrets_is_refused_whole() {
    let usable = public_jwk(Algorithm::EdDsa, json!({}));
    let cases = [
        (public_jwk(Algorithm::Hs256, json!({"alg": "HS256"})), KeyError::SymmetricJwk),
        (json!({"kty": "oct"}), KeyError::SymmetricJwk),
        (public_jwk(Algorithm::Rs256, json!({"d": "AQAB"})), KeyError::PrivateKey),
        (public_jwk(Algorithm::EdDsa, json!({"d": "…"})), KeyError::PrivateKey),
    ];
    for (jwk, expected) in cases {
        assert_eq!(added_jwks(&jwk_set(&[usable.clone(), jwk])), Err(expected));
    }
}

#[test]
fn what_is_no_jwk_set_is_an_error() {
    for json in ["", "null", "[]", "{}", r#"{"keys": 5}"#, r#"{"keys": [}"#] {
        assert_eq!(added_jwks(json.as_bytes()), Err(KeyError::NotJwkSet), "{json}");
    }
    assert_eq!(added_jwks(br#"{"keys": []}"#), Err(KeyError::NoUsableJwk));
    let bytes = JWK_SET_BYTES_MAX + 1;
    assert_eq!(added_jwks(&vec![b' '; bytes]), Err(KeyError::JwkSetTooLarge { bytes }));
}

#[test]
fn a_set_of_keys_is_bounded() {
    let jwk = public_jwk(Algorithm::EdDsa, json!({}));
    let mut keys = jwk_keys(&vec![jwk; KEYS_MAX]);
    assert_eq!(keys.add_secret(SECRET), Err(KeyError::TooManyKeys));
    assert_eq!(keys.len(), KEYS_MAX);
}

/// As many key pairs as asked for, each with its JWK, named `key-0` and on.
fn rotation(count: usize) -> (Vec<EcdsaKeyPair>, Vec<Value>) {
    (0..count)
        .map(|index| {
            let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
            let mut jwk = ec_jwk("P-256", pair.public_key().as_ref());
            jwk["kid"] = json!(format!("key-{index}"));
            (pair, jwk)
        })
        .unzip()
}

fn es256_token(pair: &EcdsaKeyPair, header: &Value) -> String {
    let message = format!("{}.{}", encode(header.to_string()), encode(alice().to_string()));
    format!("{message}.{}", encode(sign_ecdsa(pair, message.as_bytes())))
}

#[test]
fn old_and_new_keys_serve_together_while_they_are_rotated() {
    let (pairs, jwks) = rotation(3);
    let old = es256_token(&pairs[0], &json!({"alg": "ES256", "kid": "key-0"}));
    let new = es256_token(&pairs[1], &json!({"alg": "ES256", "kid": "key-1"}));
    let unnamed = es256_token(&pairs[1], &json!({"alg": "ES256"}));

    let mut verifier = Verifier::new(jwk_keys(&jwks[..1]), 16, 1);
    assert_eq!(verifier.verify(&old, NOW).map(drop), Ok(()));
    assert_eq!(verifier.verify(&new, NOW).map(drop), Err(AuthError::UnknownKey));
    assert_eq!(verifier.verify(&unnamed, NOW).map(drop), Err(AuthError::BadSignature));

    verifier.replace_keys(jwk_keys(&jwks[..2]));
    for token in [&old, &new, &unnamed] {
        assert_eq!(verifier.verify(token, NOW).map(drop), Ok(()));
    }

    verifier.replace_keys(jwk_keys(&jwks[1..]));
    assert_eq!(verifier.verify(&old, NOW).map(drop), Err(AuthError::UnknownKey));
    assert_eq!(verifier.verify(&new, NOW).map(drop), Ok(()));
    assert_eq!(verifier.verify(&unnamed, NOW).map(drop), Ok(()));
}

#[test]
fn a_token_that_names_its_key_is_not_checked_with_another_named_one() {
    let (pairs, jwks) = rotation(2);
    let misnamed = es256_token(&pairs[0], &json!({"alg": "ES256", "kid": "key-1"}));
    assert_eq!(refusal(jwk_keys(&jwks), misnamed), AuthError::BadSignature);
}

#[test]
fn a_key_without_a_name_serves_tokens_of_any_key_name() {
    let named = named_token(Algorithm::Es256, "2026-01", &alice());
    assert_eq!(verdict(pem_keys(Algorithm::Es256), &named).unwrap().user(), Some("alice"));
    let (_, mut jwks) = rotation(1);
    jwks[0]["kid"] = json!("2026-01");
    let mut keys = jwk_keys(&jwks);
    assert_eq!(refusal(keys.clone(), &named), AuthError::BadSignature);
    keys.add_public_pem(public_pem(Algorithm::Es256).as_bytes()).unwrap();
    assert_eq!(verdict(keys, &named).unwrap().user(), Some("alice"));
}

#[test]
fn a_token_must_name_its_key_where_there_are_too_many_to_try() {
    let (pairs, jwks) = rotation(KEY_TRIES_MAX + 1);
    let last = &pairs[KEY_TRIES_MAX - 1];
    let unnamed = es256_token(last, &json!({"alg": "ES256"}));
    assert_eq!(verdict(jwk_keys(&jwks[..KEY_TRIES_MAX]), &unnamed).map(drop), Ok(()));
    assert_eq!(refusal(jwk_keys(&jwks), &unnamed), AuthError::UnknownKey);
    let kid = format!("key-{}", KEY_TRIES_MAX - 1);
    assert_eq!(
        verdict(jwk_keys(&jwks), es256_token(last, &json!({"alg": "ES256", "kid": kid}))).map(drop),
        Ok(())
    );
}

#[test]
fn keys_do_not_show_their_secrets() {
    let shown = format!("{:?}", secret_keys());
    assert_eq!(shown, "[(Hmac { secret_bytes: 64 }, None)]");
}
