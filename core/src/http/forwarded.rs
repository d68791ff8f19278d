//! Where a request behind proxies comes from, as they tell it in `Forwarded` (RFC 7239) or `X-Forwarded-For`.
//!
//! Each proxy appends whom it had the request from, so only the end of the list can be believed: from the last entry
//! back to the first that is no trusted proxy. What stands before that, anybody may have written.
//! Not here: which proxies are trusted (the caller knows), and whether the request came from one.

use std::net::{IpAddr, SocketAddr};

use smallvec::SmallVec;

use super::Request;

/// Proxies in a row that are believed. Nobody has more, and a list that is all proxies must not be walked for ever.
const HOPS_MAX: usize = 16;

/// An entry; `None` if it names no address (`unknown`, `_hidden`, nonsense).
type Hop = Option<SocketAddr>;

/// The last entries of a list, in order.
type Hops = SmallVec<[Hop; HOPS_MAX]>;

/// The client of a request that came from a trusted proxy, with port 0 if that is not told; `None` if nothing can be
/// believed, and then the proxy has to stand for it.
///
/// With both headers only what they agree on is believed: a proxy that sets the one may pass on the other as its client
/// wrote it.
#[must_use]
pub fn client(request: &Request, is_trusted: impl Fn(IpAddr) -> bool) -> Option<SocketAddr> {
    let forwarded = last_untrusted(&forwarded(request.forwarded()), &is_trusted);
    let x_forwarded_for = last_untrusted(&x_forwarded_for(request.x_forwarded_for()), &is_trusted);
    match (forwarded, x_forwarded_for) {
        (Some(one), Some(other)) => (one.ip() == other.ip()).then_some(one),
        (one, other) => one.or(other),
    }
}

/// The last that is not trusted. If a proxy does not say where it had the request from, or all are trusted, the furthest
/// that is known.
fn last_untrusted(hops: &Hops, is_trusted: impl Fn(IpAddr) -> bool) -> Option<SocketAddr> {
    let mut furthest = None;
    for hop in hops.iter().rev() {
        let Some(address) = *hop else { break };
        furthest = Some(address);
        if !is_trusted(address.ip()) {
            break;
        }
    }
    furthest
}

fn forwarded<'a>(lines: impl Iterator<Item = &'a [u8]>) -> Hops {
    let elements = lines.flat_map(|line| split(line, b','));
    last(elements.map(|element| split(element, b';').find_map(for_of).and_then(node)))
}

fn x_forwarded_for<'a>(lines: impl Iterator<Item = &'a [u8]>) -> Hops {
    last(lines.flat_map(|line| split(line, b',')).map(node))
}

fn last(entries: impl Iterator<Item = Hop>) -> Hops {
    let mut hops = Hops::new();
    for hop in entries {
        if hops.len() == HOPS_MAX {
            hops.remove(0);
        }
        hops.push(hop);
    }
    hops
}

/// The value of the pair `for=…`, without its quotes.
fn for_of(pair: &[u8]) -> Option<&[u8]> {
    let at = pair.iter().position(|&byte| byte == b'=')?;
    let (name, value) = (pair[..at].trim_ascii(), pair[at + 1..].trim_ascii());
    let unquoted = value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\""));
    name.eq_ignore_ascii_case(b"for").then_some(unquoted.unwrap_or(value))
}

/// An address with or without port; of IPv6 with or without brackets.
fn node(text: &[u8]) -> Hop {
    let text = str::from_utf8(text.trim_ascii()).ok()?;
    let address = text.parse::<SocketAddr>().ok().or_else(|| {
        let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
        Some(SocketAddr::new(bare.parse().ok()?, 0))
    })?;
    Some(SocketAddr::new(address.ip().to_canonical(), address.port()))
}

/// The parts of a list, where a separator within quotes is none. Empty parts are passed over (RFC 9110 §5.6.1).
fn split(list: &[u8], separator: u8) -> impl Iterator<Item = &[u8]> {
    let mut is_quoted = false;
    let mut is_escaped = false;
    let parts = list.split(move |&byte| {
        let is_text = std::mem::take(&mut is_escaped);
        match byte {
            _ if is_text => false,
            b'\\' => {
                is_escaped = is_quoted;
                false
            }
            b'"' => {
                is_quoted = !is_quoted;
                false
            }
            byte => byte == separator && !is_quoted,
        }
    });
    parts.filter(|part| !part.trim_ascii().is_empty())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::http::parse;

    /// 10.x.x.x are proxies.
    fn is_proxy(ip: IpAddr) -> bool {
        matches!(ip, IpAddr::V4(ip) if ip.octets()[0] == 10)
    }

    fn client_of(headers: &str) -> Option<String> {
        let head = format!("GET /events HTTP/1.1\r\nHost: hub\r\n{headers}\r\n");
        let (request, _) = parse(head.as_bytes(), 16_384).unwrap().unwrap();
        client(&request, is_proxy).map(|address| match address.port() {
            0 => address.ip().to_string(),
            _ => address.to_string(),
        })
    }

    fn check(headers: &str, expected: Option<&str>) {
        assert_eq!(client_of(headers).as_deref(), expected, "{headers}");
    }

    #[test]
    fn the_last_that_is_no_proxy_is_the_client() {
        check("", None);
        for (list, expected) in [
            ("192.0.2.1", Some("192.0.2.1")),
            ("192.0.2.1:4711", Some("192.0.2.1:4711")),
            ("203.0.113.9, 192.0.2.1", Some("192.0.2.1")),
            ("203.0.113.9, 192.0.2.1 , 10.0.0.7,10.0.0.8", Some("192.0.2.1")),
            ("2001:db8::1", Some("2001:db8::1")),
            ("[2001:db8::1]:80", Some("[2001:db8::1]:80")),
            ("::ffff:192.0.2.1", Some("192.0.2.1")),
            ("10.0.0.9, 10.0.0.7", Some("10.0.0.9")),
            ("192.0.2.1, nonsense, 10.0.0.7", Some("10.0.0.7")),
            ("192.0.2.1, nonsense", None),
            (",, ,", None),
        ] {
            check(&format!("X-Forwarded-For: {list}\r\n"), expected);
        }
    }

    #[test]
    fn forwarded_is_read_as_its_specification_has_it() {
        for (list, expected) in [
            ("for=192.0.2.60;proto=http;by=203.0.113.43", Some("192.0.2.60")),
            ("For=\"[2001:db8:cafe::17]:4711\"", Some("[2001:db8:cafe::17]:4711")),
            ("for=203.0.113.9, for=192.0.2.43, for=10.0.0.1", Some("192.0.2.43")),
            ("by=\"a,b;for=203.0.113.9\";for=192.0.2.1", Some("192.0.2.1")),
            ("by=\"\\\",for=203.0.113.9\";for=192.0.2.1", Some("192.0.2.1")),
            ("for=192.0.2.1, for=unknown, for=10.0.0.1", Some("10.0.0.1")),
            ("for=_hidden", None),
            ("proto=https", None),
            ("for=\"192.0.2.1", None),
        ] {
            check(&format!("Forwarded: {list}\r\n"), expected);
        }
    }

    #[test]
    fn several_lines_are_one_list() {
        check("X-Forwarded-For: 203.0.113.9\r\nX-Forwarded-For: 192.0.2.1, 10.0.0.1\r\n", Some("192.0.2.1"));
        check("Forwarded: for=203.0.113.9\r\nForwarded: for=192.0.2.1\r\n", Some("192.0.2.1"));
    }

    #[test]
    fn a_client_cannot_choose_its_address_by_the_other_header() {
        check("X-Forwarded-For: 192.0.2.1\r\nForwarded: for=203.0.113.9\r\n", None);
        check("X-Forwarded-For: 192.0.2.1\r\nForwarded: for=\"192.0.2.1:80\"\r\n", Some("192.0.2.1:80"));
    }

    #[test]
    fn no_more_proxies_than_the_bound_are_believed() {
        let list = format!("203.0.113.9{}", ", 10.0.0.1".repeat(HOPS_MAX));
        check(&format!("X-Forwarded-For: {list}\r\n"), Some("10.0.0.1"));
    }

    proptest! {
        #[test]
        fn whatever_is_written_before_the_client_changes_nothing(before in "[ -~]{0,200}") {
            let headers = format!("X-Forwarded-For: {before}\r\nX-Forwarded-For: 192.0.2.1, 10.0.0.1\r\n");
            prop_assert_eq!(client_of(&headers), Some("192.0.2.1".to_owned()));
        }

        #[test]
        fn any_text_is_a_list_of_some_kind(text in "[ -~]{0,300}") {
            client_of(&format!("Forwarded: {text}\r\n"));
            client_of(&format!("X-Forwarded-For: {text}\r\n"));
        }
    }
}
