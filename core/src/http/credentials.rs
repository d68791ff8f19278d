//! Where a request carries its token: `Authorization`, else the cookie, else the query.
//!
//! A place that has something decides, good or bad: falling through to the next would turn a broken token into
//! another one, or into none.
//! Not here: whether the token is good.

use super::head::Request;

/// The cookie that the application sets for browsers, whose `EventSource` cannot send a header.
pub const TOKEN_COOKIE: &str = "corecast_token";

/// What a request shows of who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Credentials<'a> {
    /// Nothing anywhere.
    Absent,
    /// A token, not yet looked at.
    Token(&'a str),
    /// Something that is no token: another scheme, empty, or not ASCII.
    Malformed,
}

impl<'a> Credentials<'a> {
    /// Finds the token of `request`; `access_token` is the query's, decoded.
    #[must_use]
    pub fn of(request: &'a Request, access_token: Option<&'a str>) -> Self {
        if let Some(value) = request.authorization() {
            return bearer(value).map_or(Self::Malformed, Self::from_token);
        }
        if let Some(value) = request.cookie(TOKEN_COOKIE) {
            return Self::from_token(value);
        }
        access_token.map_or(Self::Absent, |token| Self::from_token(token.as_bytes()))
    }

    fn from_token(token: &'a [u8]) -> Self {
        match str::from_utf8(token) {
            Ok(token) if !token.is_empty() && is_graphic(token) => Self::Token(token),
            Ok(_) | Err(_) => Self::Malformed,
        }
    }
}

/// Whether all of it are visible characters of ASCII. Counted to the end: a search that stops early costs five times
/// as much on a good token, since it cannot look at many bytes at once.
fn is_graphic(token: &str) -> bool {
    token.bytes().map(|byte| u32::from(!byte.is_ascii_graphic())).sum::<u32>() == 0
}

/// The token of `Bearer SP token` (RFC 6750 §2.1); the scheme has any letter case (RFC 9110 §11.1).
fn bearer(value: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = value.split_at_checked("Bearer ".len())?;
    scheme.eq_ignore_ascii_case(b"Bearer ").then(|| token.trim_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::parse;

    #[test]
    fn the_first_place_that_has_something_decides() {
        use Credentials::{Absent, Malformed, Token};
        for (headers, access_token, expected) in [
            ("", None, Absent),
            ("", Some("q"), Token("q")),
            ("", Some(""), Malformed),
            ("Cookie: corecast_token=c\r\n", Some("q"), Token("c")),
            ("Cookie: other=c\r\n", Some("q"), Token("q")),
            ("Cookie: corecast_token=\r\n", Some("q"), Malformed),
            ("Cookie: corecast_token=a b\r\n", None, Malformed),
            ("Authorization: Bearer h\r\nCookie: corecast_token=c\r\n", Some("q"), Token("h")),
            ("Authorization: bEaReR   h\r\n", None, Token("h")),
            ("Authorization: Bearer\r\nCookie: corecast_token=c\r\n", None, Malformed),
            ("Authorization: Bearer é\r\n", None, Malformed),
            ("Authorization: Basic YTpi\r\nCookie: corecast_token=c\r\n", None, Malformed),
            ("Authorization:\r\n", None, Malformed),
        ] {
            let head = format!("GET /events HTTP/1.1\r\nHost: hub\r\n{headers}\r\n");
            let (request, _) = parse(head.as_bytes(), 1000).unwrap().unwrap();
            assert_eq!(Credentials::of(&request, access_token), expected, "{headers:?} {access_token:?}");
        }
    }
}
