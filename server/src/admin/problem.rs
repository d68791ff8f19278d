//! How the admin listener says no: RFC 9457 problem details, with the field that is to blame where there is one.

use std::fmt::Display;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use corecast_core::http::Excerpt;
use serde::Serialize;
use utoipa::ToSchema;

use super::asking::Silent;

/// The media type of every refusal.
pub(super) const CONTENT_TYPE: &str = "application/problem+json";

/// Seconds after which it is worth asking again when something was too busy.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("1");

/// What was wrong (RFC 9457).
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Problem {
    /// Always `about:blank`: the status says what kind of problem it is.
    #[serde(rename = "type")]
    #[schema(example = "about:blank")]
    kind: &'static str,
    /// The status in words.
    #[schema(example = "Bad Request")]
    title: &'static str,
    /// The status code.
    #[schema(example = 400, minimum = 400, maximum = 599)]
    status: u16,
    /// What was wrong, then what is allowed.
    #[schema(example = "limit = 0 is below the minimum 1")]
    detail: String,
    /// The parameter, header or member of the body that is to blame.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "limit")]
    field: Option<String>,
}

impl Problem {
    pub(super) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        let title = status.canonical_reason().unwrap_or("Error");
        Self { kind: "about:blank", title, status: status.as_u16(), detail: detail.into(), field: None }
    }

    /// Names what is to blame. It may be an outsider's text, so only its beginning is shown.
    pub(super) fn field(mut self, field: &str) -> Self {
        let shown = Excerpt::of(field).to_string();
        self.field = Some(shown.trim_matches('`').to_owned());
        self
    }

    /// A parameter or member with a value that is not allowed.
    pub(super) fn bad(field: &str, detail: impl Display) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail.to_string()).field(field)
    }

    pub(super) fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, detail)
    }

    /// Something is at its bound at this moment.
    pub(super) fn busy(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, detail)
    }
}

impl From<Silent> for Problem {
    fn from(silent: Silent) -> Self {
        Self::busy(silent.to_string())
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_string(&self).unwrap_or_default();
        let headers = [
            (header::CONTENT_TYPE, CONTENT_TYPE),
            (header::CACHE_CONTROL, "no-store"),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        ];
        let mut response = (status, headers, body).into_response();
        if status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(header::RETRY_AFTER, RETRY_AFTER);
        }
        response
    }
}
