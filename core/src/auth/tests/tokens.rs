//! Good tokens of every kind, and every kind of bad one.

use std::time::Duration;

use super::*;
use crate::limits::{GRANTS_MAX, TOKEN_BYTES_MAX};

#[test]
fn tokens_of_every_algorithm_are_good() {
    for algorithm in Algorithm::ALL {
        let claims = json!({
            "sub": "alice", "exp": NOW_SECS + 60, "iss": "https://shop.example", "aud": ["hub"],
            "corecast": {"subscribe": ["news", "users/{x}"], "publish": ["*"], "unknown": 1},
        });
        let authorized = verdict(all_keys(), token(algorithm, &claims)).unwrap();
        assert_eq!(authorized.user(), Some("alice"), "{algorithm}");
        assert_eq!(authorized.expires(), UnixMillis((NOW_SECS + 60) * 1000));
        assert_eq!(authorized.subscribe_grants().len(), 2);
        assert_eq!(authorized.publish_grants(), [Selector::Any]);
    }
}

#[test]
fn a_token_without_user_or_grants_is_good() {
    for claims in [
        json!({"exp": NOW_SECS + 60}),
        json!({"exp": NOW_SECS + 60, "sub": null, "nbf": null, "corecast": null}),
        json!({"exp": NOW_SECS + 60, "corecast": {}}),
        json!({"exp": NOW_SECS + 60, "corecast": {"subscribe": null, "publish": []}}),
    ] {
        let authorized = verdict(secret_keys(), token(Algorithm::Hs256, &claims)).unwrap();
        assert_eq!(authorized.user(), None);
        assert_eq!((authorized.subscribe_grants(), authorized.publish_grants()), (&[][..], &[][..]));
    }
}

#[test]
fn what_is_no_token_is_malformed() {
    let good = token(Algorithm::Hs256, &alice());
    let [header, payload, signature] = good.split('.').collect::<Vec<_>>()[..] else { panic!("three parts") };
    let signed = |header: &str, payload: &str| token_of(Algorithm::Hs256, header, payload);
    let hs256 = r#"{"alg":"HS256"}"#;
    let deep = format!(r#"{{"exp":1,"corecast":{}{}}}"#, "[".repeat(4000), "]".repeat(4000));
    let cases = [
        String::new(),
        "garbage".to_owned(),
        "..".to_owned(),
        "a.b.c".to_owned(),
        format!("{header}.{payload}"),
        format!("{good}.{signature}"),
        format!("{header}.{payload}.{signature}=="),
        format!("{header}.{payload}.{signature}\n"),
        format!(" {good}"),
        format!("{header}.{payload}.é"),
        signed("{}", "{}"),
        signed(r#"["HS256"]"#, "{}"),
        signed(r#"{"alg":5}"#, "{}"),
        signed(r#"{"alg":"HS256","alg":"none"}"#, "{}"),
        signed(r#"{"alg":"HS256","kid":5}"#, "{}"),
        signed(r#"{"alg":"HS256","crit":["b64"],"b64":false}"#, "{}"),
        signed(&format!("{hs256}x"), "{}"),
        signed(hs256, ""),
        signed(hs256, "null"),
        signed(hs256, &format!(r#"["alice",{}]"#, NOW_SECS + 60)),
        signed(hs256, &format!(r#"{{"exp":{0},"exp":{0}}}"#, NOW_SECS + 60)),
        signed(hs256, &deep[..6000]),
    ];
    for case in cases {
        assert_eq!(refusal(secret_keys(), &case), AuthError::Malformed, "{case}");
    }
}

#[test]
fn bytes_that_are_not_utf8_are_malformed() {
    let mut bytes = token(Algorithm::Hs256, &alice()).into_bytes();
    assert_eq!(refusal(secret_keys(), [0xff, 0xfe, b'.', b'.']), AuthError::Malformed);
    *bytes.last_mut().unwrap() = 0x80;
    assert_eq!(refusal(secret_keys(), &bytes), AuthError::Malformed);
    for (header, payload) in
        [(&b"{\"alg\":\"HS256\xff\"}"[..], &b"{}"[..]), (b"{\"alg\":\"HS256\"}", b"{\"sub\":\"\xff\"}")]
    {
        assert_eq!(refusal(secret_keys(), token_of(Algorithm::Hs256, header, payload)), AuthError::Malformed);
    }
}

#[test]
fn a_huge_token_is_refused_before_it_is_looked_at() {
    let mut verifier = Verifier::new(secret_keys(), 16, 1);
    let of_size = |bytes: usize| "a".repeat(bytes);
    assert_eq!(verifier.verify(of_size(TOKEN_BYTES_MAX), NOW).unwrap_err(), AuthError::Malformed);
    assert_eq!(verifier.cache_counters().misses, 1);
    for bytes in [TOKEN_BYTES_MAX + 1, 1 << 20] {
        assert_eq!(verifier.verify(of_size(bytes), NOW).unwrap_err(), AuthError::TooLarge);
    }
    assert_eq!(verifier.cache_counters().misses, 1, "it got as far as the cache");
}

#[test]
fn unsigned_tokens_are_refused_however_none_is_written() {
    for none in ["none", "None", "NONE", "nOnE"] {
        let header = json!({"alg": none}).to_string();
        let message = format!("{}.{}", encode(header), encode(alice().to_string()));
        for token in [
            format!("{message}."),
            format!("{message}.{}", encode(sign(Algorithm::Hs256, message.as_bytes()))),
        ] {
            assert_eq!(refusal(all_keys(), token), AuthError::Unsigned, "{none}");
        }
    }
}

#[test]
fn an_algorithm_must_be_in_the_list_in_its_letter_case() {
    for name in
        ["hs256", "HS256 ", "", "RS384", "RS512", "PS384", "ES512", "ES256K", "Ed25519", "RSA1_5", "dir"]
    {
        let token = token_of(Algorithm::Hs256, json!({"alg": name}).to_string(), alice().to_string());
        assert_eq!(refusal(all_keys(), token), AuthError::UnknownAlgorithm, "{name}");
    }
}

#[test]
fn a_key_serves_only_algorithms_of_its_own_kind() {
    let configurations = [
        (secret_keys(), &[Algorithm::Hs256, Algorithm::Hs384, Algorithm::Hs512][..]),
        (pem_keys(Algorithm::Rs256), &[Algorithm::Rs256, Algorithm::Ps256]),
        (pem_keys(Algorithm::Es256), &[Algorithm::Es256]),
        (pem_keys(Algorithm::Es384), &[Algorithm::Es384]),
        (pem_keys(Algorithm::EdDsa), &[Algorithm::EdDsa]),
    ];
    for (keys, allowed) in configurations {
        for algorithm in Algorithm::ALL {
            let result = verdict(keys.clone(), token(algorithm, &alice()));
            if allowed.contains(&algorithm) {
                assert_eq!(result.unwrap().user(), Some("alice"));
            } else {
                assert_eq!(result.unwrap_err(), AuthError::WrongKind(algorithm), "{keys:?}");
            }
        }
    }
}

#[test]
fn a_public_key_is_never_a_secret() {
    // The attack: sign with HS256, and the bytes of the public key, which everyone has, as the secret.
    let pem = public_pem(Algorithm::Rs256);
    let der = pem::parse(&pem).unwrap().into_contents();
    let message = format!("{}.{}", encode(r#"{"alg":"HS256"}"#), encode(alice().to_string()));
    for secret in [pem.as_bytes(), pem.trim_end().as_bytes(), &der] {
        let signature = encode(sign_hmac(hmac::HMAC_SHA256, secret, message.as_bytes()));
        let forged = format!("{message}.{signature}");
        assert_eq!(refusal(pem_keys(Algorithm::Rs256), &forged), AuthError::WrongKind(Algorithm::Hs256));
        assert_eq!(refusal(all_keys(), &forged), AuthError::BadSignature);
    }
    assert_eq!(Keys::new().add_secret(pem.as_bytes()), Err(KeyError::SecretIsPem));
}

#[test]
fn a_key_in_the_token_is_not_used() {
    let stranger = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    let header = json!({"alg": "ES256", "jwk": ec_jwk("P-256", stranger.public_key().as_ref()), "jku": "https://x.example"});
    let message = format!("{}.{}", encode(header.to_string()), encode(alice().to_string()));
    let forged = format!("{message}.{}", encode(sign_ecdsa(&stranger, message.as_bytes())));
    assert_eq!(refusal(all_keys(), forged), AuthError::BadSignature);
}

#[test]
fn a_changed_token_or_a_foreign_key_is_a_bad_signature() {
    for algorithm in Algorithm::ALL {
        let good = token(algorithm, &alice());
        let (message, signature) = good.rsplit_once('.').unwrap();
        let (header, _) = message.split_once('.').unwrap();
        let root = encode(json!({"sub": "root", "exp": NOW_SECS + 3600}).to_string());
        let mut bent = URL_SAFE_NO_PAD.decode(signature).unwrap();
        bent[7] ^= 1;
        let cases = [
            format!("{header}.{root}.{signature}"),
            format!("{message}.{}", encode(bent)),
            format!("{message}."),
            format!("{message}.{}", encode([0; 64])),
            format!("{message}.{}", encode(&signature[..20])),
        ];
        for case in cases {
            assert_eq!(refusal(all_keys(), case), AuthError::BadSignature, "{algorithm}");
        }
    }
    let mut other = Keys::new();
    other.add_secret(&[7; 64]).unwrap();
    assert_eq!(refusal(other, token(Algorithm::Hs256, &alice())), AuthError::BadSignature);
    assert_eq!(
        refusal(Keys::new(), token(Algorithm::Hs256, &alice())),
        AuthError::WrongKind(Algorithm::Hs256)
    );
}

#[test]
fn a_token_is_good_from_nbf_until_exp() {
    let (nbf, exp) = (NOW_SECS, NOW_SECS + 60);
    let token = token(Algorithm::Hs256, &json!({"nbf": nbf, "exp": exp}));
    let cases = [
        (0, Err(AuthError::NotYetValid)),
        (nbf * 1000 - NOT_BEFORE_LEEWAY_MS - 1, Err(AuthError::NotYetValid)),
        (nbf * 1000 - NOT_BEFORE_LEEWAY_MS, Ok(())),
        (exp * 1000 - 1, Ok(())),
        (exp * 1000, Err(AuthError::Expired)),
        (u64::MAX, Err(AuthError::Expired)),
        // The clock may jump back: what was expired is good again.
        (nbf * 1000, Ok(())),
    ];
    let mut remembering = Verifier::new(secret_keys(), 16, 1);
    for (now, expected) in cases {
        let now = UnixMillis(now);
        assert_eq!(remembering.verify(&token, now).map(drop), expected, "{now:?}");
        assert_eq!(Verifier::new(secret_keys(), 0, 1).verify(&token, now).map(drop), expected, "{now:?}");
    }
}

#[test]
fn dates_may_have_fractions_and_have_no_end() {
    let cases = [
        ("1790000000.5", Ok(1_790_000_000_500)),
        ("1.8e9", Ok(1_800_000_000_000)),
        ("18446744073709551615", Ok(u64::MAX)),
        ("1e300", Ok(u64::MAX)),
        ("0", Err(AuthError::Expired)),
        ("-5", Err(AuthError::Expired)),
        ("1e999", Err(AuthError::BadClaims(Claim::Exp))),
        ("null", Err(AuthError::NoExpiry)),
    ];
    for (exp, expected) in cases {
        let token = token_of(Algorithm::Hs256, r#"{"alg":"HS256"}"#, format!(r#"{{"exp":{exp}}}"#));
        assert_eq!(verdict(secret_keys(), token).map(|authorized| authorized.expires().0), expected, "{exp}");
    }
}

#[test]
fn bad_claims_are_named() {
    let exp = NOW_SECS + 60;
    let grants = |count: usize| vec!["a"; count];
    let cases = [
        (json!({"sub": "alice"}), AuthError::NoExpiry),
        (json!({"exp": exp.to_string()}), AuthError::BadClaims(Claim::Exp)),
        (json!({"exp": true}), AuthError::BadClaims(Claim::Exp)),
        (json!({"exp": exp, "nbf": "0"}), AuthError::BadClaims(Claim::Nbf)),
        (json!({"exp": exp, "sub": 7}), AuthError::BadClaims(Claim::Sub)),
        (json!({"exp": exp, "sub": ""}), AuthError::BadClaims(Claim::Sub)),
        (json!({"exp": exp, "sub": "a\nb"}), AuthError::BadClaims(Claim::Sub)),
        (json!({"exp": exp, "sub": "a".repeat(256)}), AuthError::BadClaims(Claim::Sub)),
        (json!({"exp": exp, "corecast": []}), AuthError::BadClaims(Claim::Corecast)),
        (json!({"exp": exp, "corecast": {"subscribe": "*"}}), AuthError::BadClaims(Claim::Subscribe)),
        (json!({"exp": exp, "corecast": {"subscribe": [5]}}), AuthError::BadClaims(Claim::Subscribe)),
        (json!({"exp": exp, "corecast": {"subscribe": ["a", ""]}}), AuthError::BadClaims(Claim::Subscribe)),
        (json!({"exp": exp, "corecast": {"publish": ["a\u{0}"]}}), AuthError::BadClaims(Claim::Publish)),
        (
            json!({"exp": exp, "corecast": {"publish": ["{x}".repeat(33)]}}),
            AuthError::BadClaims(Claim::Publish),
        ),
        (
            json!({"exp": exp, "corecast": {"publish": grants(GRANTS_MAX + 1)}}),
            AuthError::BadClaims(Claim::Publish),
        ),
    ];
    for (claims, expected) in cases {
        assert_eq!(refusal(secret_keys(), token(Algorithm::Hs256, &claims)), expected, "{claims}");
    }
    let most = json!({"exp": exp, "sub": "a".repeat(255), "corecast": {"publish": grants(GRANTS_MAX)}});
    let authorized = verdict(secret_keys(), token(Algorithm::Hs256, &most)).unwrap();
    assert_eq!(authorized.publish_grants().len(), GRANTS_MAX);
}

#[test]
fn the_signature_is_checked_before_the_claims() {
    let expired = token(Algorithm::Hs256, &json!({"exp": 1}));
    assert_eq!(refusal(secret_keys(), &expired), AuthError::Expired);
    assert_eq!(
        refusal(secret_keys(), expired.rsplit_once('.').unwrap().0.to_owned() + ".AAAA"),
        AuthError::BadSignature
    );
}

#[test]
fn a_minted_token_is_accepted_and_says_what_was_asked_for() {
    let selectors =
        |texts: &[&str]| texts.iter().map(|text| Selector::parse(text).unwrap()).collect::<Vec<_>>();
    let (subscribe, publish) = (selectors(&["news", "users/{x}"]), selectors(&["*"]));
    let minted = mint(SECRET, Some("alice"), &subscribe, &publish, Duration::from_secs(90), NOW).unwrap();
    let authorized = verdict(secret_keys(), minted).unwrap();
    assert_eq!(authorized.user(), Some("alice"));
    assert_eq!(authorized.expires(), UnixMillis(NOW.0 + 90_000));
    assert_eq!((authorized.subscribe_grants(), authorized.publish_grants()), (&*subscribe, &*publish));
}

#[test]
fn no_token_is_minted_that_the_hub_would_refuse() {
    let hour = Duration::from_secs(3600);
    let many = |count: usize| vec![Selector::Exact("0123456789".into()); count];
    let cases = [
        (
            mint(b"short", None, &[], &[], hour, NOW),
            Err(MintError::Key(KeyError::SecretTooShort { bytes: 5 })),
        ),
        (mint(SECRET, Some(""), &[], &[], hour, NOW), Err(MintError::User { bytes: 0 })),
        (mint(SECRET, Some("a\u{7f}"), &[], &[], hour, NOW), Err(MintError::User { bytes: 2 })),
        (mint(SECRET, None, &[], &[], Duration::from_millis(999), NOW), Err(MintError::TooShortLived)),
        (mint(SECRET, None, &many(1001), &[], hour, NOW), Err(MintError::TooManyGrants { count: 1001 })),
    ];
    for (minted, expected) in cases {
        assert_eq!(minted, expected);
    }
    let large = mint(SECRET, None, &many(600), &[], hour, NOW).unwrap_err();
    assert!(matches!(large, MintError::TooLarge { bytes } if bytes > TOKEN_BYTES_MAX), "{large}");
}

#[test]
fn clients_are_told_as_rfc_6750_says() {
    let errors = [
        AuthError::Ambiguous,
        AuthError::TooLarge,
        AuthError::Malformed,
        AuthError::Unsigned,
        AuthError::UnknownAlgorithm,
        AuthError::WrongKind(Algorithm::Rs256),
        AuthError::UnknownKey,
        AuthError::BadSignature,
        AuthError::NoExpiry,
        AuthError::Expired,
        AuthError::NotYetValid,
        AuthError::BadClaims(Claim::Sub),
    ];
    for error in errors {
        let told = error.bearer_error().unwrap();
        let expected =
            if error == AuthError::Ambiguous { (400, "invalid_request") } else { (401, "invalid_token") };
        assert_eq!((told.status, told.error), expected, "{error}");
        assert!(
            told.description.bytes().all(|b| matches!(b, 0x20..=0x21 | 0x23..=0x5b | 0x5d..=0x7e)),
            "{error}"
        );
    }
    assert_eq!(AuthError::Missing.bearer_error(), None);
}

#[test]
fn a_verifier_can_be_moved_to_its_shard() {
    fn assert_send<T: Send + 'static>() {}
    assert_send::<Verifier>();
    assert_send::<Authorized>();
}
