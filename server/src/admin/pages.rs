//! The dashboard's files, which are part of the binary.
//!
//! Not here: what is in them (`server/dashboard`), or the data that they show (`api`, `live`).

use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

/// Only what this listener itself serves runs and is loaded, and nothing of it within another page.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; \
     form-action 'none'; frame-ancestors 'none'",
);

/// One file.
pub(super) struct File {
    pub(super) path: &'static str,
    content_type: &'static str,
    bytes: &'static [u8],
}

pub(super) static FILES: [File; 3] = [
    File {
        path: "/",
        content_type: "text/html; charset=utf-8",
        bytes: include_bytes!("../../assets/dashboard/index.html"),
    },
    File {
        path: "/dashboard.js",
        content_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../../assets/dashboard/dashboard.js"),
    },
    File {
        path: "/dashboard.css",
        content_type: "text/css; charset=utf-8",
        bytes: include_bytes!("../../assets/dashboard/dashboard.css"),
    },
];

impl File {
    /// Tells versions of the file apart.
    fn etag(&self) -> String {
        let checksum = crc32c::crc32c(self.bytes);
        format!("\"{:x}-{checksum:08x}\"", self.bytes.len())
    }
}

pub(super) async fn serve(State(file): State<&'static File>, headers: HeaderMap) -> Response {
    let etag = file.etag();
    let is_known = headers.get(header::IF_NONE_MATCH).is_some_and(|known| {
        let known = known.to_str().unwrap_or_default();
        known == "*" || known.split(',').any(|one| one.trim().trim_start_matches("W/") == etag)
    });
    let fixed = [
        (header::CONTENT_TYPE, HeaderValue::from_static(file.content_type)),
        // A new binary has new files under the same paths: ask each time, and get them only if they have changed.
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        (HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin")),
        (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin")),
    ];
    let etag = [(header::ETAG, etag)];
    if is_known {
        (StatusCode::NOT_MODIFIED, fixed, etag).into_response()
    } else {
        (fixed, etag, file.bytes).into_response()
    }
}
