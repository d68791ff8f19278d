//! The dashboard's way to the hub itself: what is asked for under `/hub/` goes to the hub's own port as it is, so that the
//! page needs no other origin.
//!
//! Invariants: the admin token is never sent to the hub; a stream is handed on as it comes, and is read no faster than its
//! reader reads.
//! Not here: any rule of the hub. It sees the request as anybody's.

use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header};
use axum::response::Response;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::listener::Seat;
use super::problem::Problem;
use super::routes::Admin;
use crate::reachable::reachable;

/// Streams handed on at the same time.
const STREAMS_MAX: usize = 8;

/// Until the hub's head is here: below the time of an exchange, so that the refusal still gets out.
const HEAD_TIMEOUT: Duration = Duration::from_secs(8);

/// What stands in for `Authorization`, which is the admin listener's own.
const AUTHORIZATION: HeaderName = HeaderName::from_static("x-corecast-authorization");

/// What of a request the hub is told.
const REQUEST_HEADERS: [HeaderName; 5] = [
    header::ACCEPT,
    header::CONTENT_TYPE,
    header::CONTENT_LENGTH,
    HeaderName::from_static("last-event-id"),
    HeaderName::from_static("idempotency-key"),
];

/// What of an answer is between the hub and this listener alone.
const OWN_HEADERS: [HeaderName; 4] =
    [header::CONNECTION, header::TRANSFER_ENCODING, HeaderName::from_static("keep-alive"), header::DATE];

/// The places of streams that are handed on. All clones are the same.
#[derive(Clone)]
pub(super) struct Streams(Arc<Semaphore>);

impl Default for Streams {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(STREAMS_MAX)))
    }
}

/// Subscribe, through the admin listener
///
/// `GET /events` of the hub, for the dashboard's debugger. The hub's token goes into `X-Corecast-Authorization`.
/// At most 8 streams at once.
#[utoipa::path(
    get,
    path = "/hub/events",
    tag = "debugger",
    params(
        ("topic" = Option<Vec<String>>, Query, description = "Selectors"),
        ("X-Corecast-Authorization" = Option<String>, Header, description = "`Authorization` for the hub"),
    ),
    responses((status = 200, description = "The hub's answer, as it is", content_type = "text/event-stream", body = String),
              (status = 204, description = "The hub's answer: do not come back"),
              (status = 404, description = "The hub's answer"),
              (status = 409, description = "The hub's answer"),
              (status = 414, description = "The hub's answer"),
              (status = 429, description = "The hub's answer"),
              (status = 431, description = "The hub's answer"),
              (status = 502, description = "The hub did not answer", content_type = "application/problem+json", body = Problem)),
)]
pub(super) async fn events(
    State(admin): State<Admin>,
    seat: Extension<Seat>,
    request: Request,
) -> Result<Response, Problem> {
    let Ok(place) = Arc::clone(&admin.streams.0).try_acquire_owned() else {
        return Err(Problem::busy(format!(
            "{STREAMS_MAX} streams are handed on already, no more can be at once"
        )));
    };
    let response = hand_on(&admin, "/events", request).await?;
    if response.status() == StatusCode::OK {
        seat.leave();
    }
    // The place is taken for as long as there is a body.
    Ok(response.map(|body| {
        Body::new(http_body_util::BodyExt::map_frame(body, move |frame| {
            let _place = &place;
            frame
        }))
    }))
}

/// Publish, through the admin listener
///
/// `POST /publish` of the hub, for the dashboard's debugger. The hub's token goes into `X-Corecast-Authorization`.
#[utoipa::path(
    post,
    path = "/hub/publish",
    tag = "debugger",
    params(("X-Corecast-Authorization" = Option<String>, Header, description = "`Authorization` for the hub")),
    request_body(content = serde_json::Value, content_type = "application/json"),
    responses((status = 200, description = "The hub's answer, as it is"),
              (status = 404, description = "The hub's answer"),
              (status = 408, description = "The hub's answer"),
              (status = 409, description = "The hub's answer"),
              (status = 411, description = "The hub's answer"),
              (status = 413, description = "The hub's answer"),
              (status = 415, description = "The hub's answer"),
              (status = 422, description = "The hub's answer"),
              (status = 431, description = "The hub's answer"),
              (status = 502, description = "The hub did not answer", content_type = "application/problem+json", body = Problem)),
)]
pub(super) async fn publish(State(admin): State<Admin>, request: Request) -> Result<Response, Problem> {
    hand_on(&admin, "/publish", request).await
}

async fn hand_on(admin: &Admin, path: &str, request: Request) -> Result<Response, Problem> {
    let failed = |error: &dyn std::fmt::Display| {
        Problem::new(StatusCode::BAD_GATEWAY, format!("the hub's own port did not answer: {error}"))
    };
    let answered = timeout(HEAD_TIMEOUT, exchange(admin, path, request)).await;
    match answered {
        Ok(Ok(response)) => Ok(response),
        Ok(Err(error)) => Err(failed(&error)),
        Err(_elapsed) => Err(failed(&format_args!("nothing within {HEAD_TIMEOUT:?}"))),
    }
}

/// Why the hub did not answer.
#[derive(Debug, thiserror::Error)]
enum HandOnError {
    #[error("{0}")]
    Connect(#[from] std::io::Error),
    #[error("{0}")]
    Http(#[from] hyper::Error),
    #[error("{0}")]
    Request(#[from] axum::http::Error),
}

async fn exchange(admin: &Admin, path: &str, request: Request) -> Result<Response, HandOnError> {
    let address = reachable(admin.hub.listen);
    let socket = TcpStream::connect(address).await?;
    let (mut hub, connection) = http1::handshake(TokioIo::new(socket)).await?;
    // Ends with its one answer: when that is through, or when nobody reads it any more.
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a connection that was handed on has ended");
        }
    });
    let (parts, body) = request.into_parts();
    let target = match parts.uri.query() {
        Some(query) => format!("{path}?{query}"),
        None => path.to_owned(),
    };
    let mut onward = axum::http::Request::builder()
        .method(parts.method)
        .uri(target.parse::<Uri>().map_err(axum::http::Error::from)?);
    if let Some(headers) = onward.headers_mut() {
        let host = HeaderValue::from_str(&address.to_string()).map_err(axum::http::Error::from)?;
        headers.insert(header::HOST, host);
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        tell(&parts.headers, headers);
    }
    let response = hub.send_request(onward.body(body)?).await?;
    let (mut parts, body) = response.into_parts();
    for own in OWN_HEADERS {
        parts.headers.remove(own);
    }
    Ok(Response::from_parts(parts, Body::new(body)))
}

/// Copies what the hub is told.
fn tell(from: &HeaderMap, to: &mut HeaderMap) {
    for name in REQUEST_HEADERS {
        for value in from.get_all(&name) {
            to.append(name.clone(), value.clone());
        }
    }
    if let Some(token) = from.get(AUTHORIZATION) {
        to.insert(header::AUTHORIZATION, token.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hub_is_told_its_own_token_and_never_the_admins() {
        let mut from = HeaderMap::new();
        for (name, value) in [
            ("authorization", "Bearer admin"),
            ("cookie", "session=admin"),
            ("x-corecast-authorization", "Bearer hub"),
            ("origin", "http://localhost"),
            ("last-event-id", "7"),
        ] {
            from.insert(name, HeaderValue::from_static(value));
        }
        let mut to = HeaderMap::new();
        tell(&from, &mut to);
        let told: Vec<_> = to.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
        assert_eq!(told, [("last-event-id", "7"), ("authorization", "Bearer hub")]);
    }
}
