//! Tokens: no bytes panic, are accepted without a signature, or are judged differently the second time.

use std::cell::RefCell;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use corecast_core::auth::{AuthError, Authorized, Keys, Verifier};
use corecast_core::time::UnixMillis;
use jsonwebtoken::{Algorithm, EncodingKey};

use super::Target;

const SECRET: &[u8; 32] = b"the secret of the token fuzzer!!";
const NOW: UnixMillis = UnixMillis(1_790_000_000_000);

thread_local! {
    static VERIFIER: RefCell<Verifier> = RefCell::new(verifier());
}

/// See the module.
pub const TARGET: Target = Target {
    name: "token",
    run,
    seeds: &[
        b"eyJhbGciOiJIUzI1NiJ9.eyJleHAiOjE3OTAwMDAwNjB9.c2ln",
        br#"{"exp":1790000060,"sub":"alice","corecast":{"publish":["*"]}}"#,
    ],
};

/// The input is a token as it is, and the payload and the header of tokens that are properly signed.
fn run(data: &[u8]) {
    VERIFIER.with_borrow_mut(|verifier| {
        let as_it_is = verify_twice(verifier, data);
        assert!(as_it_is.is_err(), "a token that nobody signed was accepted");
        if let Ok(authorized) = verify_twice(verifier, signed(br#"{"alg":"HS256"}"#, data).as_bytes()) {
            assert!(authorized.expires() > NOW);
            assert!(authorized.user().is_none_or(|user| !user.is_empty()));
        }
        if let Err(error) = verify_twice(verifier, signed(data, br#"{"exp":1790000060}"#).as_bytes()) {
            assert_ne!(error, AuthError::Expired);
        }
    });
}

fn verifier() -> Verifier {
    let mut keys = Keys::new();
    keys.add_secret(SECRET).expect("the secret is long enough");
    Verifier::new(keys, 64, 1)
}

fn verify_twice(verifier: &mut Verifier, token: &[u8]) -> Result<Authorized, AuthError> {
    let first = verifier.verify(token, NOW);
    let second = verifier.verify(token, NOW);
    assert_eq!(first.as_ref().map(Authorized::expires), second.as_ref().map(Authorized::expires));
    first
}

fn signed(header: &[u8], payload: &[u8]) -> String {
    let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
    let key = EncodingKey::from_secret(SECRET);
    let signature =
        jsonwebtoken::crypto::sign(message.as_bytes(), &key, Algorithm::HS256).expect("a secret signs HS256");
    format!("{message}.{signature}")
}
