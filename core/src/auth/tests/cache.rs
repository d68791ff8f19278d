//! The cache of tokens: what is remembered, for how long, and what makes room.

use super::*;

fn alice_until(exp_secs: u64, number: usize) -> String {
    token(Algorithm::Hs256, &json!({"sub": "alice", "exp": exp_secs, "jti": number}))
}

fn counters(hits: u64, misses: u64) -> CacheCounters {
    CacheCounters { hits, misses }
}

#[test]
fn a_token_is_judged_once() {
    let mut verifier = Verifier::new(secret_keys(), 16, 1);
    let token = token(Algorithm::Hs256, &alice());
    for _ in 0..10 {
        assert_eq!(verifier.verify(&token, NOW).unwrap().user(), Some("alice"));
    }
    assert_eq!(verifier.cache_counters(), counters(9, 1));
}

#[test]
fn a_remembered_token_expires_all_the_same() {
    let mut verifier = Verifier::new(secret_keys(), 16, 1);
    let token = alice_until(NOW_SECS + 1, 0);
    assert_eq!(verifier.verify(&token, NOW).map(drop), Ok(()));
    for _ in 0..3 {
        assert_eq!(verifier.verify(&token, UnixMillis(NOW.0 + 1000)).map(drop), Err(AuthError::Expired));
    }
    assert_eq!(verifier.cache_counters(), counters(3, 1), "a herd with expired tokens costs a check each");
}

#[test]
fn a_token_that_was_expired_when_first_seen_is_judged_once() {
    let mut verifier = Verifier::new(secret_keys(), 16, 1);
    let token = alice_until(1, 0);
    for _ in 0..3 {
        assert_eq!(verifier.verify(&token, NOW).map(drop), Err(AuthError::Expired));
    }
    assert_eq!(verifier.cache_counters(), counters(2, 1));
}

#[test]
fn refusals_that_cost_a_signature_check_are_remembered_and_cheap_ones_are_not() {
    let good = token(Algorithm::Hs256, &alice());
    let bad_claims = token(Algorithm::Hs256, &json!({"exp": NOW_SECS + 60, "sub": 5}));
    let no_expiry = token(Algorithm::Hs256, &json!({"sub": "alice"}));
    let forged = good.rsplit_once('.').unwrap().0.to_owned() + ".AAAA";
    let cases = [
        (forged, AuthError::BadSignature, counters(2, 1)),
        (bad_claims, AuthError::BadClaims(Claim::Sub), counters(2, 1)),
        (no_expiry, AuthError::NoExpiry, counters(2, 1)),
        ("garbage".to_owned(), AuthError::Malformed, counters(0, 3)),
        (token(Algorithm::Es256, &alice()), AuthError::WrongKind(Algorithm::Es256), counters(0, 3)),
    ];
    for (token, error, expected) in cases {
        let mut verifier = Verifier::new(secret_keys(), 16, 1);
        for _ in 0..3 {
            assert_eq!(verifier.verify(&token, NOW).map(drop), Err(error));
        }
        assert_eq!(verifier.cache_counters(), expected, "{error}");
    }
}

#[test]
fn forged_tokens_displace_no_good_ones() {
    let mut verifier = Verifier::new(secret_keys(), 16, 1);
    let good: Vec<String> = (0..16).map(|number| alice_until(NOW_SECS + 60, number)).collect();
    for token in &good {
        verifier.verify(token, NOW).unwrap();
    }
    for number in 0..1000_u32 {
        let forged = format!("{}.{}", good[0].rsplit_once('.').unwrap().0, encode(number.to_be_bytes()));
        assert_eq!(verifier.verify(&forged, NOW).map(drop), Err(AuthError::BadSignature));
    }
    let before = verifier.cache_counters();
    for token in &good {
        verifier.verify(token, NOW).unwrap();
    }
    assert_eq!(verifier.cache_counters(), counters(before.hits + 16, before.misses));
}

#[test]
fn at_capacity_the_token_used_longest_ago_goes() {
    let mut verifier = Verifier::new(secret_keys(), 3, 1);
    let tokens: Vec<String> = (0..4).map(|number| alice_until(NOW_SECS + 60, number)).collect();
    // Each step: which token, and whether it is still known.
    for (step, (index, known)) in [
        (0, false),
        (1, false),
        (2, false),
        (0, true),
        (3, false),
        (0, true),
        (2, true),
        (1, false),
        (3, false),
    ]
    .into_iter()
    .enumerate()
    {
        let before = verifier.cache_counters();
        verifier.verify(&tokens[index], NOW).unwrap();
        let expected = if known {
            counters(before.hits + 1, before.misses)
        } else {
            counters(before.hits, before.misses + 1)
        };
        assert_eq!(verifier.cache_counters(), expected, "step {step}");
    }
}

#[test]
fn expired_tokens_make_room_first_and_displace_nothing() {
    let mut verifier = Verifier::new(secret_keys(), 2, 1);
    let later = UnixMillis(NOW.0 + 10_000);
    let (short, long) = (alice_until(NOW_SECS + 5, 0), alice_until(NOW_SECS + 60, 1));
    verifier.verify(&long, NOW).unwrap();
    verifier.verify(&short, NOW).unwrap();
    // `long` was used longest ago, but `short` has expired.
    let third = alice_until(NOW_SECS + 60, 2);
    verifier.verify(&third, later).unwrap();
    assert_eq!(verifier.verify(&short, later).map(drop), Err(AuthError::Expired));
    assert_eq!(verifier.cache_counters(), counters(0, 4));
    for token in [&long, &third] {
        verifier.verify(token, later).unwrap();
    }
    assert_eq!(verifier.cache_counters(), counters(2, 4));
}

#[test]
fn no_capacity_is_no_cache() {
    let mut verifier = Verifier::new(secret_keys(), 0, 1);
    let token = token(Algorithm::Hs256, &alice());
    for _ in 0..3 {
        verifier.verify(&token, NOW).unwrap();
        assert_eq!(verifier.verify("a.b.c", NOW).map(drop), Err(AuthError::Malformed));
    }
    assert_eq!(verifier.cache_counters(), counters(0, 6));
}

#[test]
fn a_full_table_still_knows_most_of_its_capacity() {
    let capacity = 256;
    let mut verifier = Verifier::new(secret_keys(), capacity, 7);
    let tokens: Vec<String> = (0..capacity).map(|number| alice_until(NOW_SECS + 60, number)).collect();
    for token in &tokens {
        verifier.verify(token, NOW).unwrap();
    }
    let before = verifier.cache_counters();
    assert_eq!(before, counters(0, 256));
    // Newest first, so that nothing is displaced that is still to be asked for.
    for token in tokens.iter().rev() {
        verifier.verify(token, NOW).unwrap();
    }
    let hits = verifier.cache_counters().hits;
    assert!((200..=256).contains(&hits), "{hits} of {capacity}");
}

#[test]
fn the_same_seed_gives_the_same_hits() {
    let tokens: Vec<String> = (0..90).map(|number| alice_until(NOW_SECS + 60, number)).collect();
    let run = |seed: u64| {
        let mut verifier = Verifier::new(secret_keys(), 64, seed);
        let hits_after = |step: usize| {
            verifier.verify(&tokens[step], NOW).unwrap();
            verifier.cache_counters().hits
        };
        (0..90).chain((0..90).rev()).map(hits_after).collect::<Vec<_>>()
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1), run(2));
}

#[test]
fn other_keys_forget_what_the_old_ones_said() {
    let mut verifier = Verifier::new(secret_keys(), 16, 1);
    let token = token(Algorithm::Hs256, &alice());
    assert_eq!(verifier.verify(&token, NOW).map(drop), Ok(()));
    let mut other = Keys::new();
    other.add_secret(&[7; 32]).unwrap();
    verifier.replace_keys(other);
    assert_eq!(verifier.verify(&token, NOW).map(drop), Err(AuthError::BadSignature));
    verifier.replace_keys(secret_keys());
    assert_eq!(verifier.verify(&token, NOW).map(drop), Ok(()));
}

#[test]
fn each_of_many_publishers_keeps_its_own_grants() {
    let mut verifier = Verifier::new(secret_keys(), 64, 1);
    let tokens: Vec<String> = (0..20)
        .map(|number| {
            let claims = json!({"exp": NOW_SECS + 60, "corecast": {"publish": [format!("topic-{number}")]}});
            token(Algorithm::Hs256, &claims)
        })
        .collect();
    // Several times the same, then all in turn: from the short list, and past its end.
    let order = (0..20).flat_map(|number| [number; 3]).chain(0..20).chain((0..20).rev());
    for number in order {
        let authorized = verifier.verify(&tokens[number], NOW).unwrap();
        assert!(authorized.may_publish_topic(&format!("topic-{number}")), "{number}");
        assert!(!authorized.may_publish_topic(&format!("topic-{}", number + 1)), "{number}");
        let late = verifier.verify(&tokens[number], UnixMillis(NOW.0 + 60_000)).map(drop);
        assert_eq!(late, Err(AuthError::Expired), "{number}");
    }
}

#[test]
fn a_publisher_whose_key_is_gone_is_refused() {
    let mut verifier = Verifier::new(secret_keys(), 64, 1);
    let token =
        token(Algorithm::Hs256, &json!({"exp": NOW_SECS + 60, "corecast": {"publish": ["corecast:all"]}}));
    for _ in 0..3 {
        assert!(verifier.verify(&token, NOW).unwrap().may_publish_all());
    }
    let mut other = Keys::new();
    other.add_secret(&[7; 32]).unwrap();
    verifier.replace_keys(other);
    assert_eq!(verifier.verify(&token, NOW).map(drop), Err(AuthError::BadSignature));
}

#[test]
fn the_cache_knows_how_many_good_tokens_it_has() {
    let mut verifier = Verifier::new(secret_keys(), 16, 1);
    for number in 0..40 {
        let token = alice_until(NOW_SECS + 60, number);
        verifier.verify(&token, NOW).unwrap();
        verifier.verify(&token, NOW).unwrap();
        assert_eq!(verifier.cached_tokens(), 16.min(number + 1));
    }
    verifier.replace_keys(secret_keys());
    assert_eq!(verifier.cached_tokens(), 0);
}
