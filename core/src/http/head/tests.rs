//! What a head means, what is refused, and that pieces make no difference.

use proptest::prelude::*;

use super::*;

const BOUND: usize = 16_384;

fn head_of(text: &str) -> Result<Request, HeadError> {
    match parse(text.as_bytes(), BOUND)? {
        Some((request, consumed)) => {
            assert_eq!(consumed, text.len(), "{text:?}");
            Ok(request)
        }
        None => panic!("incomplete: {text:?}"),
    }
}

fn get(headers: &str) -> Result<Request, HeadError> {
    head_of(&format!("GET /events HTTP/1.1\r\nHost: hub.example\r\n{headers}\r\n"))
}

#[test]
fn a_browser_s_request_is_read() {
    let request = head_of(
        "GET /events?topic=a%2Fb&x HTTP/1.1\r\nHost: hub.example:8080\r\nConnection: keep-alive\r\n\
         Accept: text/event-stream\r\nCache-Control: no-cache\r\nOrigin: https://shop.example\r\n\
         Cookie: a=1; corecast_token=abc\r\nLast-Event-ID: 0000000000000abc-17\r\n\
         X-Forwarded-For: 192.0.2.7\r\nX-Forwarded-For: 192.0.2.8\r\nForwarded: for=192.0.2.7\r\n\r\n",
    )
    .unwrap();
    assert_eq!((request.method, request.version), (Method::Get, Version::Http11));
    assert_eq!((request.path(), request.query()), ("/events", "topic=a%2Fb&x"));
    assert_eq!(request.host(), Some("hub.example:8080"));
    assert_eq!(request.origin(), Some("https://shop.example"));
    assert_eq!(request.cookie("corecast_token"), Some(&b"abc"[..]));
    assert_eq!(request.last_event_id().as_deref(), Some("0000000000000abc-17"));
    assert_eq!(request.x_forwarded_for().collect::<Vec<_>>(), [b"192.0.2.7", b"192.0.2.8"]);
    assert_eq!(request.forwarded().collect::<Vec<_>>(), [b"for=192.0.2.7"]);
    assert_eq!(request.body, BodyLength::None);
    assert!(request.wants_event_stream && request.keep_alive && !request.expects_continue);
}

#[test]
fn targets_are_read_as_rfc_9112_says() {
    for (method, target, expected) in [
        ("GET", "/", Ok(("/", "", "h"))),
        ("GET", "/a//../%70?", Ok(("/a//../%70", "", "h"))),
        ("GET", "/a?b?c", Ok(("/a", "b?c", "h"))),
        ("GET", "/a?t={x,y}|^`\\\"<>", Ok(("/a", "t={x,y}|^`\\\"<>", "h"))),
        ("GET", "http://hub.example/a?b", Ok(("/a", "b", "hub.example"))),
        ("GET", "HTTPS://hub.example:8080", Ok(("/", "", "hub.example:8080"))),
        ("GET", "http://hub.example?b", Ok(("/", "b", "hub.example"))),
        ("GET", "http://[::1]:80/a", Ok(("/a", "", "[::1]:80"))),
        ("OPTIONS", "*", Ok(("*", "", "h"))),
        ("GET", "*", Err(HeadError::Target)),
        ("GET", "a", Err(HeadError::Target)),
        ("CONNECT", "hub.example:443", Err(HeadError::Target)),
        ("GET", "http:///a", Err(HeadError::Target)),
        ("GET", "http://alice@hub.example/", Err(HeadError::Target)),
        ("GET", "ftp://hub.example/", Err(HeadError::Target)),
        ("GET", "/a#b", Err(HeadError::Target)),
        ("GET", "/é", Err(HeadError::Target)),
    ] {
        let read = head_of(&format!("{method} {target} HTTP/1.1\r\nHost: h\r\n\r\n"));
        let parts = read.as_ref().map(|r| (r.path(), r.query(), r.host().unwrap())).map_err(|error| *error);
        assert_eq!(parts, expected, "{method} {target}");
    }
}

#[test]
fn methods_are_case_sensitive() {
    for (method, expected) in [
        ("GET", Method::Get),
        ("HEAD", Method::Head),
        ("POST", Method::Post),
        ("OPTIONS", Method::Options),
        ("DELETE", Method::Other),
        ("get", Method::Other),
    ] {
        assert_eq!(head_of(&format!("{method} / HTTP/1.1\r\nHost: h\r\n\r\n")).unwrap().method, expected);
    }
}

#[test]
fn what_two_parsers_could_read_differently_is_refused() {
    use HeadError::*;
    let chunked_twice = "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n";
    for (headers, expected) in [
        // One length.
        ("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", TwoLengths),
        ("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", TwoLengths),
        ("Content-Length: 5\r\nContent-Length: 6\r\n", Repeated("Content-Length")),
        ("Content-Length: 5\r\ncontent-length: 5\r\n", Repeated("Content-Length")),
        ("Content-Length: 5, 5\r\n", ContentLength),
        ("Content-Length: +5\r\n", ContentLength),
        ("Content-Length: -5\r\n", ContentLength),
        ("Content-Length: 0x5\r\n", ContentLength),
        ("Content-Length: 5 5\r\n", ContentLength),
        ("Content-Length:\r\n", ContentLength),
        ("Content-Length: 18446744073709551616\r\n", ContentLength),
        ("Content-Length: \u{664}\r\n", ContentLength),
        // One transfer coding.
        (chunked_twice, Repeated("Transfer-Encoding")),
        ("Transfer-Encoding: chunked, chunked\r\n", TransferEncoding),
        ("Transfer-Encoding: chunked, identity\r\n", TransferEncoding),
        ("Transfer-Encoding: identity\r\n", TransferEncoding),
        ("Transfer-Encoding: xchunked\r\n", TransferEncoding),
        ("Transfer-Encoding: chunked;a=b\r\n", TransferEncoding),
        ("Transfer-Encoding: \"chunked\"\r\n", TransferEncoding),
        ("Transfer-Encoding: chunked\u{a0}\r\n", TransferEncoding),
        ("Transfer-Encoding:\r\n", TransferEncoding),
        ("Transfer-Encoding: gzip, chunked\r\n", TransferCoding),
        // One way to read a line.
        ("Content-Length : 5\r\n", Header),
        ("Content-Length\t: 5\r\n", Header),
        (" Content-Length: 5\r\n", Header),
        ("X: a\r\n b\r\n", Header),
        ("X: a\r\n\tb\r\n", Header),
        ("X\r\n", Header),
        (": a\r\n", Header),
        ("X(: a\r\n", Header),
        ("Xé: a\r\n", Header),
        ("X: a\0b\r\n", Header),
        ("X: a\u{b}b\r\n", Header),
        ("X: a\u{7f}b\r\n", Header),
        ("X: a\rContent-Length: 5\r\n", LineEnding),
        ("X: a\nContent-Length: 5\r\n", LineEnding),
        ("X: a\n\r\n", LineEnding),
        ("X: a\r\r\n", LineEnding),
        ("\n", LineEnding),
        // One host, one of what can be only one.
        ("Host: hub.example\r\n", Repeated("Host")),
        ("Authorization: Bearer a\r\nAuthorization: Bearer b\r\n", Repeated("Authorization")),
        ("Content-Type: text/plain\r\nContent-Type: application/json\r\n", Repeated("Content-Type")),
        ("Origin: https://a.example\r\nOrigin: https://b.example\r\n", Repeated("Origin")),
        ("Expect: 200-ok\r\n", Expectation),
    ] {
        assert_eq!(get(headers).err(), Some(expected), "{headers:?}");
    }
}

#[test]
fn request_lines_have_one_form() {
    use HeadError::*;
    for (line, expected) in [
        ("GET / HTTP/2.0", Version),
        ("PRI * HTTP/2.0", Version),
        ("GET / HTTP/1.2", Version),
        ("GET / HTTP/3", Version),
        ("GET / HTTP/0.9", Version),
        ("GET /", RequestLine),
        ("GET / http/1.1", RequestLine),
        ("GET / HTTP/1.1 ", RequestLine),
        ("GET / HTTP/1.10", RequestLine),
        ("GET  / HTTP/1.1", RequestLine),
        ("GET /  HTTP/1.1", RequestLine),
        ("GET /a b HTTP/1.1", RequestLine),
        ("GET HTTP/1.1", RequestLine),
        ("GET\t/ HTTP/1.1", RequestLine),
        (" GET / HTTP/1.1", RequestLine),
        ("G(T / HTTP/1.1", RequestLine),
        ("\u{16}\u{3}\u{1}", RequestLine),
        ("\r\n\r\nGET / HTTP/1.1", RequestLine),
        ("ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFGH / HTTP/1.1", RequestLine),
    ] {
        let text = format!("{line}\r\nHost: h\r\n\r\n");
        assert_eq!(parse(text.as_bytes(), BOUND).err(), Some(expected), "{line:?}");
    }
}

#[test]
fn http_1_1_needs_one_host_and_1_0_none() {
    for (text, expected) in [
        ("GET / HTTP/1.1\r\n\r\n", Some(HeadError::Host)),
        ("GET http://h/ HTTP/1.1\r\n\r\n", Some(HeadError::Host)),
        ("GET / HTTP/1.1\r\nHost: a b\r\n\r\n", Some(HeadError::Host)),
        ("GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", Some(HeadError::Host)),
        ("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", Some(HeadError::Host)),
        ("GET / HTTP/1.1\r\nHost: a@b\r\n\r\n", Some(HeadError::Host)),
        ("GET / HTTP/1.1\r\nHost:\r\n\r\n", None),
        ("GET / HTTP/1.0\r\n\r\n", None),
        ("GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n", Some(HeadError::Repeated("Host"))),
    ] {
        assert_eq!(head_of(text).err(), expected, "{text:?}");
    }
}

#[test]
fn the_body_s_length_is_one_of_three() {
    for (version, headers, expected) in [
        ("1.1", "", Ok(BodyLength::None)),
        ("1.1", "Content-Length: 0\r\n", Ok(BodyLength::Length(0))),
        ("1.1", "Content-Length: 18446744073709551615\r\n", Ok(BodyLength::Length(u64::MAX))),
        ("1.1", "Transfer-Encoding: chunked\r\n", Ok(BodyLength::Chunked)),
        ("1.1", "TRANSFER-encoding:\tChunked \r\n", Ok(BodyLength::Chunked)),
        ("1.0", "Content-Length: 7\r\n", Ok(BodyLength::Length(7))),
        ("1.0", "Transfer-Encoding: chunked\r\n", Err(HeadError::TransferEncoding)),
    ] {
        let read = head_of(&format!("POST / HTTP/{version}\r\nHost: h\r\n{headers}\r\n"));
        assert_eq!(read.map(|request| request.body), expected, "{version} {headers:?}");
    }
}

#[test]
fn an_event_stream_is_wanted_by_name_only() {
    for (headers, expected) in [
        ("", false),
        ("Accept: */*\r\n", false),
        ("Accept: text/*\r\n", false),
        ("Accept: text/event-stream\r\n", true),
        ("Accept: TEXT/Event-Stream; charset=utf-8;q=0.5\r\n", true),
        ("Accept: text/html , text/event-stream\r\n", true),
        ("Accept: text/html\r\nAccept: text/event-stream\r\n", true),
        ("Accept: text/event-stream\r\nAccept: text/html\r\n", true),
        ("Accept: text/event-stream;q=0\r\n", false),
        ("Accept: text/event-stream; Q=0.000\r\n", false),
        ("Accept: text/event-stream;q=0.001\r\n", true),
        ("Accept: text/event-streams\r\n", false),
    ] {
        assert_eq!(get(headers).unwrap().wants_event_stream, expected, "{headers:?}");
    }
}

#[test]
fn an_empty_cursor_is_none_and_a_broken_one_is_not() {
    for (headers, expected) in [
        (&b""[..], None),
        (b"last-event-id:\r\n", None),
        (b"Last-Event-ID:  \r\n", None),
        (b"Last-Event-ID: a-1\r\n", Some("a-1")),
        (b"Last-Event-ID:\r\nLast-Event-ID: a-1\r\nLast-Event-ID: a-2\r\n", Some("a-1")),
        (b"Last-Event-ID: \xc3\xa9\r\n", Some("é")),
        (b"Last-Event-ID: a\xff\r\n", Some("a\u{fffd}")),
    ] {
        let head = [b"GET / HTTP/1.1\r\nHost: h\r\n", headers, b"\r\n"].concat();
        let (request, _) = parse(&head, BOUND).unwrap().unwrap();
        assert_eq!(request.last_event_id().as_deref(), expected, "{headers:?}");
    }
}

#[test]
fn an_idempotency_key_comes_once_and_as_it_was_sent() {
    for (headers, expected) in [
        ("", Ok(None)),
        ("Idempotency-Key: k-1\r\n", Ok(Some(&b"k-1"[..]))),
        ("IDEMPOTENCY-key: \"k 1\" \r\n", Ok(Some(b"\"k 1\""))),
        ("Idempotency-Key:\r\n", Ok(Some(b""))),
        ("Idempotency-Key: a\r\nIdempotency-Key: a\r\n", Err(HeadError::Repeated("Idempotency-Key"))),
    ] {
        let read = get(headers);
        assert_eq!(
            read.as_ref().map(Request::idempotency_key).map_err(|error| *error),
            expected,
            "{headers:?}"
        );
    }
}

#[test]
fn a_connection_persists_unless_someone_says_close() {
    for (version, headers, expected) in [
        ("1.1", "", true),
        ("1.1", "Connection: keep-alive\r\n", true),
        ("1.1", "Connection: close\r\n", false),
        ("1.1", "Connection: TE, Close\r\n", false),
        ("1.1", "Connection: keep-alive\r\nConnection: close\r\n", false),
        ("1.0", "", false),
        ("1.0", "Connection: keep-alive\r\n", false),
    ] {
        let request = head_of(&format!("GET / HTTP/{version}\r\nHost: h\r\n{headers}\r\n")).unwrap();
        assert_eq!(request.keep_alive, expected, "{version} {headers:?}");
    }
}

#[test]
fn a_continue_is_expected_on_http_1_1_only() {
    for (version, headers, expected) in [
        ("1.1", "Expect: 100-Continue\r\n", Ok(true)),
        ("1.1", "", Ok(false)),
        ("1.1", "Expect: 100-continue, x\r\n", Err(HeadError::Expectation)),
        ("1.0", "Expect: 100-continue\r\n", Ok(false)),
        ("1.0", "Expect: x\r\n", Ok(false)),
    ] {
        let read = head_of(&format!("POST / HTTP/{version}\r\nHost: h\r\n{headers}\r\n"));
        assert_eq!(read.map(|request| request.expects_continue), expected, "{version} {headers:?}");
    }
}

#[test]
fn a_head_ends_where_it_says_and_not_above_its_bound() {
    let head = b"GET /events HTTP/1.1\r\nHost: h\r\n\r\n";
    let long_line = b"GET /aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    let long_header = b"GET / HTTP/1.1\r\nX: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    for (buf, bytes_max, expected) in [
        (&head[..], head.len(), Ok(Some(head.len()))),
        (&[&head[..], b"GET / HTTP"].concat(), head.len(), Ok(Some(head.len()))),
        (&[b"\r\n", &head[..]].concat(), 99, Ok(Some(head.len() + 2))),
        (&head[..head.len() - 1], head.len(), Ok(None)),
        (head, head.len() - 1, Err(HeadError::TooLarge)),
        (&head[..head.len() - 1], head.len() - 1, Err(HeadError::TooLarge)),
        (long_line, 40, Err(HeadError::TargetTooLong)),
        (long_line, 99, Ok(None)),
        (long_header, 40, Err(HeadError::TooLarge)),
        (long_header, 99, Ok(None)),
        (b"", 99, Ok(None)),
        (b"\r", 99, Ok(None)),
        (b"\r\n", 99, Ok(None)),
        // Wrong before the end is there.
        (b"\x16\x03\x01", 99, Err(HeadError::RequestLine)),
        (b"GET / HTTP/1.1\n", 99, Err(HeadError::LineEnding)),
        (b"GET / HTTP/2.0\r\n", 99, Err(HeadError::Version)),
        (b"hello\r\n", 99, Err(HeadError::RequestLine)),
    ] {
        let read = parse(buf, bytes_max).map(|read| read.map(|(_, consumed)| consumed));
        assert_eq!(read, expected, "{:?} of {bytes_max}", String::from_utf8_lossy(buf));
    }
}

#[test]
fn header_fields_are_counted() {
    let fields = |count: usize| "X: y\r\n".repeat(count - 1);
    assert!(get(&fields(HEADERS_MAX)).is_ok());
    assert_eq!(get(&fields(HEADERS_MAX + 1)).err(), Some(HeadError::TooManyHeaders));
}

#[test]
fn errors_have_the_status_of_their_kind() {
    for (error, status) in [
        (HeadError::RequestLine, 400),
        (HeadError::TwoLengths, 400),
        (HeadError::TransferEncoding, 400),
        (HeadError::TargetTooLong, 414),
        (HeadError::Expectation, 417),
        (HeadError::TooLarge, 431),
        (HeadError::TooManyHeaders, 431),
        (HeadError::TransferCoding, 501),
        (HeadError::Version, 505),
    ] {
        assert_eq!(error.status().code(), status, "{error}");
    }
}

#[test]
fn a_token_is_not_shown_by_debug() {
    let request = get("Authorization: Bearer secret\r\nCookie: corecast_token=secret\r\n").unwrap();
    assert!(!format!("{request:?}").contains("secret"));
}

/// A comparable picture of everything a request says.
fn picture(request: &Request) -> String {
    format!("{request:?} {} {:?} {:?}", request.query(), request.authorization(), request.last_event_id())
}

proptest! {
    #[test]
    fn pieces_make_no_difference(
        path in "/[a-z/%?&=]{0,20}",
        headers in prop::collection::vec("(X|Accept|Last-Event-ID|Authorization|Cookie): [ -~]{0,12}", 0..6),
        behind in "[ -~\r\n]{0,12}",
    ) {
        let head = format!("GET {path} HTTP/1.1\r\nHost: h\r\n{}\r\n\r\n", headers.join("\r\n"));
        let head = head.replace("\r\n\r\n\r\n", "\r\n\r\n");
        let whole = format!("{head}{behind}");
        let expected = parse(whole.as_bytes(), BOUND).map(|read| read.map(|(r, consumed)| (picture(&r), consumed)));
        for end in 0..=whole.len() {
            let read = parse(&whole.as_bytes()[..end], BOUND).map(|read| read.map(|(r, consumed)| (picture(&r), consumed)));
            if end < head.len() {
                prop_assert_eq!(read, Ok(None));
            } else {
                prop_assert_eq!(&read, &expected);
            }
        }
    }

    #[test]
    fn noise_is_refused_or_waited_for(noise in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(Some((_, consumed))) = parse(&noise, BOUND) {
            prop_assert!(noise[..consumed].ends_with(b"\r\n\r\n"));
        }
    }
}
