//! Decoding as the URL standard has it, and what a subscriber can ask for.

use super::*;

#[test]
fn pairs_are_decoded_as_the_url_standard_says() {
    for (query, expected) in [
        ("", &[][..]),
        ("&&", &[]),
        ("a", &[("a", "")]),
        ("=a", &[("", "a")]),
        ("a=b=c", &[("a", "b=c")]),
        ("a=1&a=2", &[("a", "1"), ("a", "2")]),
        ("a;b=1", &[("a;b", "1")]),
        ("a+b=c+d%2B", &[("a b", "c d+")]),
        ("%61=%C3%A9%2fx", &[("a", "é/x")]),
        ("a=100%&b=%zz%4", &[("a", "100%"), ("b", "%zz%4")]),
        ("a={x,y}", &[("a", "{x,y}")]),
    ] {
        let decoded: Vec<_> = pairs(query).map(Result::unwrap).collect();
        let decoded: Vec<_> = decoded.iter().map(|(name, value)| (&**name, &**value)).collect();
        assert_eq!(decoded, expected, "{query}");
    }
}

#[test]
fn what_is_not_escaped_is_not_copied() {
    let (name, value) = pairs("topic=news/1").next().unwrap().unwrap();
    assert!(matches!((name, value), (Cow::Borrowed("topic"), Cow::Borrowed("news/1"))));
}

#[test]
fn bytes_that_are_no_text_are_an_error_that_names_the_key() {
    for query in ["topic=%ff", "topic=%C3+", "topic=a%80"] {
        assert_eq!(pairs(query).next(), Some(Err(QueryError::NotUtf8(Excerpt::of("topic")))), "{query}");
    }
    assert_eq!(pairs("%ff=a").next(), Some(Err(QueryError::NotUtf8(Excerpt::of("%ff")))));
}

#[test]
fn pairs_are_counted() {
    let query = |count: usize| "a&".repeat(count);
    assert!(pairs(&query(QUERY_PAIRS_MAX)).all(|pair| pair.is_ok()));
    assert_eq!(SubscribeQuery::parse(&query(QUERY_PAIRS_MAX + 1)), Err(QueryError::TooManyPairs));
}

#[test]
fn a_subscriber_s_wishes_are_read() {
    let query = SubscribeQuery::parse(
        "topic=news%2F1&topic=*&client_id=tab-7&last_event_id=a-1&access_token=x.y.z&padding=true&heartbeat=event&_=17",
    );
    let expected = SubscribeQuery {
        topics: ["news/1".into(), "*".into()].into_iter().collect(),
        client_id: Some("tab-7".into()),
        last_event_id: Some("a-1".into()),
        access_token: Some("x.y.z".into()),
        padding: true,
        heartbeat_event: true,
    };
    assert_eq!(query, Ok(expected));
    assert_eq!(SubscribeQuery::parse("client_id=&padding=1&last_event_id="), Ok(SubscribeQuery::default()));
}

#[test]
fn the_strongest_name_of_the_cursor_wins() {
    for (query, expected) in [
        ("last_event_id=old&lastEventId=new", Some("new")),
        ("lastEventId=new&last_event_id=old", Some("new")),
        ("lastEventId=older&lastEventId=newer", Some("newer")),
        ("lastEventId=&last_event_id=a", Some("a")),
        ("lastEventID=a&Last-Event-ID=b", Some("a")),
        ("Last-Event-ID=b", Some("b")),
        ("last-event-id=b", None),
    ] {
        let read = SubscribeQuery::parse(query).unwrap();
        assert_eq!(read.last_event_id.as_deref(), expected, "{query}");
    }
}

#[test]
fn wishes_have_bounds() {
    let long_id = "x".repeat(NAME_BYTES_MAX + 1);
    let too_long = QueryError::TooLong { name: "client_id", bytes: 256, bytes_max: NAME_BYTES_MAX };
    let topics = "topic=a&".repeat(SELECTORS_MAX + 1);
    for (query, expected) in [
        (format!("client_id={long_id}"), too_long),
        ("client_id=a%0Ab".to_owned(), QueryError::Control("client_id")),
        ("client_id=a%C2%85".to_owned(), QueryError::Control("client_id")),
        ("client_id=a&client_id=b".to_owned(), QueryError::Repeated("client_id")),
        ("access_token=a&access_token=".to_owned(), QueryError::Repeated("access_token")),
        (topics, QueryError::TooMany { name: "topic", count_max: SELECTORS_MAX }),
        (
            "heartbeat=x".to_owned(),
            QueryError::Value { name: "heartbeat", value: Excerpt::of("x"), allowed: "`event`" },
        ),
    ] {
        assert_eq!(SubscribeQuery::parse(&query), Err(expected), "{query:.40}");
    }
    assert!(SubscribeQuery::parse(&format!("client_id={}", &long_id[1..])).is_ok());
}

#[test]
fn the_token_is_found_without_the_rest() {
    for (query, expected) in [
        ("", Ok(None)),
        ("a=b&access_token=x%2Ey&c", Ok(Some("x.y"))),
        ("access_token=", Ok(Some(""))),
        ("access_token=a&access_token=a", Err(QueryError::Repeated("access_token"))),
        ("a=%ff", Err(QueryError::NotUtf8(Excerpt::of("a")))),
    ] {
        let found = access_token(query);
        assert_eq!(
            found.as_ref().map(|found| found.as_deref()),
            expected.as_ref().map(|found| *found),
            "{query}"
        );
    }
}
