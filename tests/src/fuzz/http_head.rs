//! Request heads: pieces make no difference, and nothing is taken that is not whole.

use corecast_core::http::{Credentials, parse};

use super::Target;

/// Any bytes, as a peer sends them.
pub const TARGET: Target = Target {
    name: "http_head",
    run,
    seeds: &[
        b"GET /events?topic=a HTTP/1.1\r\nHost: hub.example\r\nAccept: text/event-stream\r\nLast-Event-ID: a-1\r\n\r\n",
        b"POST /publish HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n",
        b"OPTIONS * HTTP/1.1\r\nHost: h\r\nOrigin: https://shop.example\r\nConnection: close\r\n\r\n",
        b"\r\nGET http://[::1]:80?x HTTP/1.0\r\nCookie: corecast_token=a; b\r\nContent-Length: 17\r\nExpect: x\r\n\r\n",
    ],
};

fn run(input: &[u8]) {
    const BYTES_MAX: usize = 512;
    let whole = parse(input, BYTES_MAX);
    for end in 0..input.len() {
        if let Ok(Some((_, consumed))) = parse(&input[..end], BYTES_MAX) {
            assert_eq!(whole.as_ref().map(|read| read.as_ref().map(|(_, whole)| *whole)), Ok(Some(consumed)));
        }
    }
    if let Ok(Some((request, consumed))) = whole {
        assert!(consumed <= BYTES_MAX && input[..consumed].ends_with(b"\r\n\r\n"));
        assert!(request.path() == "*" || request.path().starts_with('/'));
        assert_ne!(request.last_event_id().as_deref(), Some(""));
        let _ = (request.query(), request.host(), Credentials::of(&request, None));
    }
}
