//! Answers, byte for byte.

use super::*;
use crate::settings::CorsSettings;

const NOW: UnixMillis = UnixMillis(1_784_000_000_999);
const DATE: &str = "Tue, 14 Jul 2026 03:33:20 GMT";

fn text(bytes: Bytes) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// The head of a stream to a peer of HTTP/1.0, with nothing that is not in every head.
const PLAIN: StreamHead<'static> = StreamHead {
    framing: Framing::CloseDelimited,
    cors: Cors::NONE,
    closes: false,
    heartbeat: None,
    headers: &[],
};

#[test]
fn a_refusal_says_what_to_do() {
    let answer = Response::error(Status::TooManyRequests, "per_user", &"too many \"streams\"")
        .retry_after(30)
        .closing(true);
    let body = r#"{"error":"per_user","message":"too many \"streams\""}"#;
    let head = format!(
        "HTTP/1.1 429 Too Many Requests\r\nDate: {DATE}\r\nContent-Type: application/json\r\n\
         X-Content-Type-Options: nosniff\r\nContent-Length: {}\r\nCache-Control: no-store\r\nRetry-After: 30\r\n\
         Connection: close\r\n\r\n",
        body.len()
    );
    assert_eq!(text(answer.encode(NOW)), format!("{head}{body}"));
    assert_eq!(text(answer.to_head(true).encode(NOW)), head);
}

#[test]
fn a_published_event_is_answered_with_its_id() {
    let bytes = text(Response::json(Status::Ok, id_json("a-1")).encode(NOW));
    assert!(
        bytes.starts_with("HTTP/1.1 200 OK\r\n") && bytes.ends_with("\r\n\r\n{\"id\":\"a-1\"}"),
        "{bytes}"
    );
}

#[test]
fn an_answer_without_content_has_no_length() {
    let bytes = text(Response::empty(Status::NoContent).encode(NOW));
    assert_eq!(bytes, format!("HTTP/1.1 204 No Content\r\nDate: {DATE}\r\nCache-Control: no-store\r\n\r\n"));
    let bytes = text(Response::empty(Status::NotFound).encode(NOW));
    assert!(bytes.contains("\r\nContent-Length: 0\r\n"));
}

#[test]
fn challenges_and_methods_are_named() {
    for (answer, line) in [
        (
            Response::empty(Status::Unauthorized).challenge(Challenge::Missing),
            "\r\nWWW-Authenticate: Bearer realm=\"corecast\"\r\n",
        ),
        (
            Response::empty(Status::Forbidden).challenge(Challenge::InsufficientScope),
            "\r\nWWW-Authenticate: Bearer realm=\"corecast\", error=\"insufficient_scope\"\r\n",
        ),
        (
            Response::empty(Status::MethodNotAllowed).allow("GET, HEAD, OPTIONS"),
            "\r\nAllow: GET, HEAD, OPTIONS\r\n",
        ),
    ] {
        let bytes = text(answer.encode(NOW));
        assert!(bytes.contains(line), "{bytes}");
    }
}

#[test]
fn a_preflight_is_answered_for_listed_and_unlisted_origins() {
    let settings = CorsSettings { origins: vec!["https://shop.example".into()] };
    let told = "Allow: GET, HEAD, OPTIONS\r\nAccess-Control-Allow-Methods: GET, HEAD, OPTIONS\r\n\
         Access-Control-Allow-Headers: Authorization, Cache-Control, Last-Event-ID, Content-Type, Idempotency-Key\r\n\
         Access-Control-Max-Age: 7200\r\nVary: Origin\r\n";
    for (origin, allowed) in [("https://shop.example", true), ("https://other.example", false)] {
        let cors = Cors::of(&settings, Some(origin));
        let bytes = text(Response::preflight("GET, HEAD, OPTIONS", cors).encode(NOW));
        assert!(bytes.starts_with("HTTP/1.1 204 ") && bytes.contains(told), "{bytes}");
        assert_eq!(bytes.contains(&format!("Access-Control-Allow-Origin: {origin}\r\n")), allowed);
        assert_eq!(bytes.contains("Access-Control-Allow-Credentials: true\r\n"), allowed);
    }
}

#[test]
fn a_header_value_cannot_end_its_line() {
    let bytes = text(Response::empty(Status::Ok).header("Last-Event-ID", "a\r\nX: y\0é").encode(NOW));
    assert!(bytes.contains("\r\nLast-Event-ID: a  X: y é\r\n"), "{bytes}");
}

#[test]
fn a_stream_begins_as_clients_and_proxies_need_it() {
    let settings = CorsSettings { origins: vec!["https://shop.example".into()] };
    let cors = Cors::of(&settings, Some("https://shop.example"));
    let common = format!(
        "HTTP/1.1 200 OK\r\nDate: {DATE}\r\nContent-Type: text/event-stream; charset=utf-8\r\n\
         Cache-Control: no-cache, no-store, no-transform\r\nX-Accel-Buffering: no\r\nX-Content-Type-Options: nosniff\r\n"
    );
    let cors_lines = "Vary: Origin\r\nAccess-Control-Allow-Origin: https://shop.example\r\n\
         Access-Control-Allow-Credentials: true\r\n\
         Access-Control-Expose-Headers: Last-Event-ID, Mercure-Last-Event-ID, Corecast-Heartbeat, Link, Retry-After, WWW-Authenticate\r\n";

    let chunked = StreamHead {
        framing: Framing::Chunked,
        cors,
        closes: false,
        heartbeat: Some(Duration::from_millis(14_001)),
        headers: &[("Last-Event-ID", "a-1")],
    };
    let head = format!(
        "{common}Transfer-Encoding: chunked\r\nCorecast-Heartbeat: 15\r\nLast-Event-ID: a-1\r\n{cors_lines}\r\n"
    );
    assert_eq!(text(chunked.encode(NOW, 4231, false)), format!("{head}e\r\n:\nretry: 4231\n\r\n"));
    assert_eq!(text(chunked.encode_to_head(NOW)), head);

    assert_eq!(
        text(PLAIN.encode(NOW, 4231, false)),
        format!("{common}Connection: close\r\n\r\n:\nretry: 4231\n")
    );
}

#[test]
fn padding_is_one_comment_before_the_rest() {
    let bytes = text(PLAIN.encode(NOW, 1, true));
    let (_, body) = bytes.split_once("\r\n\r\n").unwrap();
    assert_eq!(body, format!(":{}\n:\nretry: 1\n", " ".repeat(PADDING_BYTES)));
}

#[test]
fn a_clock_beyond_all_dates_is_no_panic() {
    let bytes = text(Response::empty(Status::Ok).encode(UnixMillis(u64::MAX)));
    assert!(bytes.contains("\r\nDate: Fri, 31 Dec 9999 23:59:59 GMT\r\n"), "{bytes}");
}

#[test]
fn peers_of_http_1_0_get_no_chunks() {
    assert_eq!(Version::Http10.framing(), Framing::CloseDelimited);
    assert_eq!(Version::Http11.framing(), Framing::Chunked);
}
