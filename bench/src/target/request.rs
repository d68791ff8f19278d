//! Requests as bytes, as targets write them.
//!
//! Not here: what is asked for, which each target knows.

use std::io::Write;

/// A request without a body. `fields` are whole lines, each with its CRLF.
pub(super) fn get(target: &str, fields: &str) -> Vec<u8> {
    format!("GET {target} HTTP/1.1\r\nHost: bench\r\nAccept: text/event-stream\r\n{fields}\r\n").into_bytes()
}

/// Appends a `POST` of `body`. `fields` are whole lines, each with its CRLF.
pub(super) fn post(target: &str, fields: &str, body: &[u8], out: &mut Vec<u8>) {
    let len = body.len();
    write!(out, "POST {target} HTTP/1.1\r\nHost: bench\r\n{fields}Content-Length: {len}\r\n\r\n")
        .expect("a vector takes everything");
    out.extend_from_slice(body);
}

/// The field that brings a token; nothing without one.
pub(super) fn bearer(token: Option<&str>) -> String {
    token.map(|token| format!("Authorization: Bearer {token}\r\n")).unwrap_or_default()
}

/// The field that asks to go on after an event.
pub(super) fn last_event_id(id: Option<&str>) -> String {
    id.map(|id| format!("Last-Event-ID: {id}\r\n")).unwrap_or_default()
}

/// Appends `data` as a JSON string. Bytes that are no UTF-8 become U+FFFD; no mark has any.
pub(super) fn json_string(data: &[u8], out: &mut Vec<u8>) {
    serde_json::to_writer(out, &String::from_utf8_lossy(data)).expect("a vector takes every string");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_read_as_http() {
        let mut out = b"before".to_vec();
        post("/p", "A: b\r\n", b"body", &mut out);
        let expected = "beforePOST /p HTTP/1.1\r\nHost: bench\r\nA: b\r\nContent-Length: 4\r\n\r\nbody";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
        let fields = bearer(Some("t")) + &bearer(None) + &last_event_id(Some("7")) + &last_event_id(None);
        let request = String::from_utf8(get("/e?x=1", &fields)).unwrap();
        assert!(request.starts_with("GET /e?x=1 HTTP/1.1\r\nHost: bench\r\n"));
        assert!(request.ends_with("\r\nAuthorization: Bearer t\r\nLast-Event-ID: 7\r\n\r\n"), "{request}");
    }

    #[test]
    fn data_becomes_a_json_string() {
        for (data, expected) in
            [(&b"~0a.."[..], "\"~0a..\""), (b"a\"\n", "\"a\\\"\\n\""), (b"\xFF", "\"\u{FFFD}\"")]
        {
            let mut out = Vec::new();
            json_string(data, &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
    }
}
