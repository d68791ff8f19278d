//! Which answers a page of another origin may read (Fetch, "CORS protocol").
//!
//! Only listed origins are named, each exactly as the browser sends it, and with credentials: cookies are how a native
//! `EventSource` shows its token. The list's `*` lets pages of any other origin read without credentials, so never
//! with somebody's cookie. `null` is the origin of every sandboxed document and is therefore nobody's: listing it has no
//! effect.

use crate::settings::CorsSettings;

/// What one request's origin may read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cors<'a> {
    access: Access<'a>,
    /// Whether another origin would get other headers: a shared cache must know.
    varies: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Access<'a> {
    /// The same origin, an unlisted one, or no browser.
    None,
    /// A listed origin, with credentials.
    Listed(&'a str),
    /// Any origin, without credentials.
    Any,
}

/// What pages may read of an answer beside its body: cursors, how long a
/// stream may be silent, when to come back, and why they were refused.
const EXPOSED: &str =
    "Last-Event-ID, Mercure-Last-Event-ID, Corecast-Heartbeat, Link, Retry-After, WWW-Authenticate";

/// Headers that clients send and that no browser sends to another origin unasked.
const ALLOWED_HEADERS: &str = "Authorization, Cache-Control, Last-Event-ID, Content-Type, Idempotency-Key";

/// Two hours, the most that Chromium takes.
const MAX_AGE_SECONDS: &str = "7200";

impl<'a> Cors<'a> {
    /// For answers that no page of another origin has business with.
    pub const NONE: Self = Self { access: Access::None, varies: false };

    /// What the page at `origin` may read.
    #[must_use]
    pub fn of(settings: &CorsSettings, origin: Option<&'a str>) -> Self {
        let lists = |wanted: &str| settings.origins.iter().any(|listed| **listed == *wanted);
        let access = match origin {
            Some(origin) if origin != "*" && origin != "null" && lists(origin) => Access::Listed(origin),
            _ if lists("*") => Access::Any,
            _ => Access::None,
        };
        Self { access, varies: settings.origins.iter().any(|listed| **listed != *"*") }
    }

    /// The headers for any answer, in order.
    pub(super) fn headers(self) -> impl Iterator<Item = (&'static str, &'a str)> {
        let (origin, credentials) = match self.access {
            Access::None => (None, None),
            Access::Listed(origin) => (Some(origin), Some("true")),
            Access::Any => (Some("*"), None),
        };
        [
            ("Vary", self.varies.then_some("Origin")),
            ("Access-Control-Allow-Origin", origin),
            ("Access-Control-Allow-Credentials", credentials),
            ("Access-Control-Expose-Headers", origin.map(|_| EXPOSED)),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
    }

    /// What the answer to a preflight has besides. An unlisted origin is told the same: without
    /// `Access-Control-Allow-Origin` the browser stops there.
    pub(super) fn preflight_headers(methods: &'static str) -> [(&'static str, &'static str); 3] {
        [
            ("Access-Control-Allow-Methods", methods),
            ("Access-Control-Allow-Headers", ALLOWED_HEADERS),
            ("Access-Control-Max-Age", MAX_AGE_SECONDS),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_listed_origins_are_named() {
        const PAGE: &str = "https://shop.example";
        let named = [
            ("Vary", "Origin"),
            ("Access-Control-Allow-Origin", PAGE),
            ("Access-Control-Allow-Credentials", "true"),
            ("Access-Control-Expose-Headers", EXPOSED),
        ];
        let any = [("Access-Control-Allow-Origin", "*"), ("Access-Control-Expose-Headers", EXPOSED)];
        let any_beside_listed = [named[0], any[0], any[1]];
        let vary = [("Vary", "Origin")];
        for (origins, origin, expected) in [
            (&[][..], Some(PAGE), &[][..]),
            (&[PAGE], Some(PAGE), &named),
            (&[PAGE], None, &vary),
            (&[PAGE], Some("https://shop.example.evil"), &vary),
            (&[PAGE], Some("http://shop.example"), &vary),
            (&[PAGE], Some("HTTPS://SHOP.EXAMPLE"), &vary),
            (&[PAGE, "null"], Some("null"), &vary),
            (&["*"], Some(PAGE), &any),
            (&["*"], None, &any),
            (&["*"], Some("*"), &any),
            (&["*", PAGE], Some(PAGE), &named),
            (&["*", PAGE], Some("https://other.example"), &any_beside_listed),
        ] {
            let settings = CorsSettings { origins: origins.iter().map(|&origin| origin.into()).collect() };
            let headers: Vec<_> = Cors::of(&settings, origin).headers().collect();
            assert_eq!(headers, expected, "{origins:?} {origin:?}");
        }
    }
}
