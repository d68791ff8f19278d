//! What the holder of a token may do.

use super::*;

fn publisher(grants: &[&str]) -> Authorized {
    let claims = json!({"exp": NOW_SECS + 60, "corecast": {"publish": grants}});
    verdict(secret_keys(), token(Algorithm::Hs256, &claims)).unwrap()
}

#[test]
fn private_topics_need_a_grant() {
    let claims =
        json!({"exp": NOW_SECS + 60, "corecast": {"subscribe": ["news", "users/7/{x}"], "publish": ["*"]}});
    let authorized = verdict(secret_keys(), token(Algorithm::Hs256, &claims)).unwrap();
    for (topic, expected) in [("news", true), ("users/7/a", true), ("users/8/a", false), ("new", false)] {
        assert_eq!(authorized.may_see_private(topic), expected, "{topic}");
    }
}

#[test]
fn publishing_needs_a_grant_for_the_very_audience() {
    // Grants, then what may be published to: topic `a/b`, user `alice`, all.
    let cases: &[(&[&str], [bool; 3])] = &[
        (&[], [false, false, false]),
        (&["*"], [true, true, true]),
        (&["a/b"], [true, false, false]),
        (&["{+x}"], [true, true, true]),
        (&["{x}/{y}"], [true, false, false]),
        (&["corecast:all"], [false, false, true]),
        (&["corecast:users/alice"], [false, true, false]),
        (&["corecast:users/bob"], [false, false, false]),
        (&["corecast:users/{user}"], [false, true, false]),
        (&["x", "corecast:users/{user}", "corecast:all"], [false, true, true]),
    ];
    for (grants, expected) in cases {
        let publisher = publisher(grants);
        let allowed = [
            publisher.may_publish_topic("a/b"),
            publisher.may_publish_user("alice"),
            publisher.may_publish_all(),
        ];
        assert_eq!(allowed, *expected, "{grants:?}");
    }
}

#[test]
fn a_template_grants_users_of_any_name() {
    for name in ["alice", "alice@example.com", "a/b c", "Zoë", "100%", "%41", "corecast:all"] {
        for grants in [["*"], ["corecast:users/{user}"], ["corecast:users/{+user}"]] {
            assert!(publisher(&grants).may_publish_user(name), "{name} by {grants:?}");
        }
        assert!(!publisher(&["corecast:users/x{user}"]).may_publish_user(name), "{name}");
    }
}

#[test]
fn an_exact_grant_is_for_the_name_as_written() {
    let publisher = publisher(&["corecast:users/a%40b"]);
    assert!(publisher.may_publish_user("a%40b"));
    assert!(!publisher.may_publish_user("a@b"));
}

#[test]
fn the_hubs_own_topics_are_no_topics_to_publish_to() {
    for grants in [["*"], ["corecast:all"], ["corecast:users/{user}"]] {
        for topic in ["corecast:all", "corecast:users/alice", "corecast:"] {
            assert!(!publisher(&grants).may_publish_topic(topic), "{topic} by {grants:?}");
        }
    }
}
