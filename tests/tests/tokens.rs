//! A token is good or it is refused: nothing in between, and never a step down to anonymous.

use std::time::Duration;

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use corecast_tests::exchange::{self, Answer};
use corecast_tests::hub::Hub;
use corecast_tests::publish::Publisher;
use corecast_tests::request::Subscribe;
use corecast_tests::stream::EventStream;
use corecast_tests::token::{HMAC_KEY, Token, unix_now};
use corecast_tests::wire::response::End;
use jsonwebtoken::{Algorithm, EncodingKey};
use serde_json::json;

fn key() -> EncodingKey {
    EncodingKey::from_secret(HMAC_KEY.as_bytes())
}

/// An Ed25519 key of this test run: the signing half, and the public half as an operator has it, in PEM.
fn ed25519() -> (EncodingKey, String) {
    let pair = Ed25519KeyPair::generate().expect("the system has randomness");
    let private = pair.to_pkcs8v1().expect("a new key can be written");
    let public = pair.public_key().as_der().expect("a new key can be written");
    let pem = format!(
        "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n",
        STANDARD.encode(public.as_ref())
    );
    (EncodingKey::from_ed_der(private.as_ref()), pem)
}

/// A token with any header and signature.
fn forged(header: &str, signature: &str) -> String {
    let claims = Token::of("alice").claims().to_string();
    format!("{}.{}.{signature}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims))
}

/// Tokens that must never be taken, by name.
fn bad_tokens() -> Vec<(&'static str, String)> {
    let good = Token::of("alice").sign();
    let (ed, _) = ed25519();
    let parts = |token: &str| token.rsplit_once('.').map(|(p, s)| (p.to_owned(), s.to_owned()));
    let (payload, signature) = parts(&good).expect("a token has three parts");
    let (_, other_signature) = parts(&Token::of("bob").sign()).expect("a token has three parts");
    vec![
        ("empty", String::new()),
        ("no token", "x".to_owned()),
        ("two parts", payload.clone()),
        ("four parts", format!("{good}.x")),
        ("expired", Token::of("alice").expires_at(unix_now() - 3600).sign()),
        ("another key", Token::of("alice").sign_with(Algorithm::HS256, &EncodingKey::from_secret(&[7; 64]))),
        ("another kind of key", Token::of("alice").sign_with(Algorithm::EdDSA, &ed)),
        ("no algorithm", forged(r#"{"alg":"none","typ":"JWT"}"#, "")),
        ("no algorithm, spelt otherwise", forged(r#"{"alg":"nOnE"}"#, "")),
        ("no algorithm, signed", forged(r#"{"alg":"none"}"#, &signature)),
        ("another's signature", format!("{payload}.{other_signature}")),
        ("no signature", format!("{payload}.")),
        ("critical extension", forged(r#"{"alg":"HS256","crit":["x"]}"#, &signature)),
        ("huge", format!("{good}{}", "x".repeat(9000))),
        ("no base64", format!("{good}!")),
        ("without exp", unlimited()),
    ]
}

fn unlimited() -> String {
    let header = jsonwebtoken::Header::new(Algorithm::HS256);
    jsonwebtoken::encode(&header, &json!({"sub": "alice"}), &key()).expect("the key fits the algorithm")
}

fn assert_unauthorized(answer: &Answer, case: &str) {
    assert_eq!(answer.status(), 401, "{case}: {}", answer.text());
    let challenge = answer.head.field("www-authenticate").unwrap_or_default();
    assert!(challenge.starts_with("Bearer"), "{case}: {challenge:?}");
    assert!(answer.json()["message"].is_string(), "{case}");
}

#[test]
fn bad_tokens_are_refused_wherever_they_are() {
    let hub = Hub::start();
    for (case, token) in bad_tokens() {
        let header = Subscribe::with_token(&token).topic("t");
        let cookie = Subscribe::to("t").field("Cookie", &format!("a=b; corecast_token={token}; c=d"));
        let query = Subscribe::to("t").query("access_token", &token);
        for request in [header, cookie, query] {
            assert_unauthorized(&exchange::send(hub.addr(), &request.encode()), case);
        }
        let answer = Publisher::with_token(hub.addr(), &token).try_publish(&json!({"all": true, "data": ""}));
        assert_unauthorized(&answer, case);
    }
    assert_eq!(hub.metric("sse_active_connections"), 0.0);
}

#[test]
fn a_token_that_is_not_utf_8_is_refused() {
    let hub = Hub::start();
    let request = b"GET /events HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer \xff\xfe\r\n\r\n";
    assert_unauthorized(&exchange::send(hub.addr(), request), "not UTF-8");
}

#[test]
fn another_scheme_is_refused_and_not_overlooked() {
    let hub = Hub::start();
    let request = Subscribe::to("t").field("Authorization", "Basic YWxpY2U6c2VjcmV0");
    assert_unauthorized(&exchange::send(hub.addr(), &request.encode()), "Basic");
}

#[test]
fn a_bad_token_is_not_saved_by_a_good_one() {
    let hub = Hub::start();
    let good = Token::of("alice").sign();
    let request = Subscribe::with_token("bad").field("Cookie", &format!("corecast_token={good}"));
    assert_unauthorized(&exchange::send(hub.addr(), &request.encode()), "bad header, good cookie");
    let request = Subscribe::to("t").field("Cookie", "corecast_token=bad").query("access_token", &good);
    assert_unauthorized(&exchange::send(hub.addr(), &request.encode()), "bad cookie, good query");
}

#[test]
fn a_good_token_is_taken_from_each_place() {
    let hub = Hub::start();
    let good = Token::of("alice").sign();
    let mut publisher = Publisher::connect(hub.addr());
    for request in [
        Subscribe::with_token(&good),
        Subscribe::new().field("Authorization", &format!("bearer {good}")),
        Subscribe::new().field("Cookie", &format!("a=b; corecast_token={good}; c=d")),
        Subscribe::new().query("access_token", &good),
    ] {
        let mut stream = EventStream::open(hub.addr(), &request);
        publisher.publish(&json!({"users": ["alice"], "data": "own"}));
        assert_eq!(stream.next_data(1), ["own"], "{request:?}");
    }
}

#[test]
fn nobody_without_a_token_gets_in_where_all_need_one() {
    let hub = Hub::builder().set("auth.anonymous", false).start();
    assert_unauthorized(&exchange::send(hub.addr(), &Subscribe::to("t").encode()), "subscribe");
    let event = json!({"topics": ["t"], "data": ""}).to_string();
    let request = format!(
        "POST /publish HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{event}",
        event.len()
    );
    for hub in [&hub, &Hub::start()] {
        assert_unauthorized(&exchange::send(hub.addr(), request.as_bytes()), "publishers always need one");
    }
    let token = Token::of("alice").sign();
    assert_eq!(EventStream::open(hub.addr(), &Subscribe::with_token(&token)).status(), 200);
}

#[test]
fn every_hmac_algorithm_is_taken_with_the_hmac_key() {
    let hub = Hub::start();
    for algorithm in [Algorithm::HS256, Algorithm::HS384, Algorithm::HS512] {
        let token = Token::of("alice").sign_with(algorithm, &key());
        assert_eq!(
            EventStream::open(hub.addr(), &Subscribe::with_token(&token)).status(),
            200,
            "{algorithm:?}"
        );
    }
}

#[test]
fn a_public_key_takes_only_signatures_of_its_own_kind() {
    let (private, public) = ed25519();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("public.pem");
    std::fs::write(&file, &public).unwrap();
    let hub =
        Hub::builder().unset("auth.hmac_key").set("auth.public_key_file", file.to_str().unwrap()).start();
    let signed = Token::of("alice").sign_with(Algorithm::EdDSA, &private);
    assert_eq!(EventStream::open(hub.addr(), &Subscribe::with_token(&signed)).status(), 200);
    // The classic confusion: the public key, which everybody has, as the secret of an HMAC.
    let secret = EncodingKey::from_secret(public.as_bytes());
    for algorithm in [Algorithm::HS256, Algorithm::HS384, Algorithm::HS512] {
        let confused = Token::of("alice").sign_with(algorithm, &secret);
        let answer = exchange::send(hub.addr(), &Subscribe::with_token(&confused).encode());
        assert_unauthorized(&answer, "the public key as a secret");
    }
}

#[test]
fn publishing_beyond_the_grants_is_forbidden_by_name() {
    let hub = Hub::start();
    let token = Token::of("backend").publish("orders/{id}").publish("corecast:users/alice").sign();
    let mut publisher = Publisher::with_token(hub.addr(), &token);
    for event in [json!({"topics": ["orders/7"], "data": ""}), json!({"users": ["alice"], "data": ""})] {
        assert_eq!(publisher.try_publish(&event).status(), 200, "{event}");
    }
    for (event, named) in [
        (json!({"topics": ["invoices/7"], "data": ""}), "invoices/7"),
        (json!({"topics": ["orders/7", "orders/7/items"], "data": ""}), "orders/7/items"),
        (json!({"users": ["alice", "bob"], "data": ""}), "bob"),
        (json!({"all": true, "data": ""}), "all"),
    ] {
        let answer = publisher.try_publish(&event);
        assert_eq!(answer.status(), 403, "{event}");
        assert!(answer.json()["message"].as_str().unwrap().contains(named), "{event}: {}", answer.text());
    }
    let subscriber = Token::of("alice").subscribe("*").sign();
    let answer =
        Publisher::with_token(hub.addr(), &subscriber).try_publish(&json!({"topics": ["t"], "data": ""}));
    assert_eq!(answer.status(), 403, "a subscriber's token is no publisher's");
}

#[test]
fn a_stream_ends_with_its_token_after_a_warning() {
    let hub = Hub::start();
    let token = Token::of("alice").expires_in(Duration::from_secs(4));
    let expires = token.claims()["exp"].as_u64().unwrap();
    let mut stream = EventStream::open(hub.addr(), &Subscribe::with_token(&token.sign()));
    let warning = stream.next_event();
    assert!(unix_now() <= expires, "the warning comes before the end");
    assert_eq!((warning.kind.as_str(), warning.id.as_deref()), ("corecast.expiring", None));
    assert!(warning.json().is_object(), "{warning:?}");
    assert!((1000..=3000).contains(&warning.retry.unwrap()), "{warning:?}");
    assert_eq!(stream.end(), End::Abort, "whoever renewed the cookie comes back");
    assert!((expires..=expires + 2).contains(&unix_now()), "the stream ends at `exp`");
}
