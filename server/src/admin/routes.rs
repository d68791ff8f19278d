//! What the admin listener answers under which path.
//!
//! Not here: the numbers (`metrics`), or what a connection may cost (`listener`).

use std::fmt::Display;
use std::sync::atomic::Ordering;

use axum::Router;
use axum::extract::State;
use axum::http::{Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use corecast_core::http::Excerpt;
use corecast_core::http::response::error_json;

use super::{AdminState, metrics};

const TEXT: &str = "text/plain; charset=utf-8";
const JSON: &str = "application/json";

/// The routes, all of them to be read only. `GET` answers `HEAD` too.
pub(super) fn router(state: AdminState) -> Router {
    Router::new()
        .route("/", get(index))
        .route("/metrics", get(metrics_page))
        .route("/healthz", get(health))
        .route("/readyz", get(ready))
        .fallback(not_found)
        .method_not_allowed_fallback(not_allowed)
        .with_state(state)
}

async fn index(State(state): State<AdminState>) -> Response {
    let text = format!(
        "corecast {}\n\n\
         /metrics  numbers for Prometheus, as OpenMetrics text\n\
         /healthz  200 while the process answers\n\
         /readyz   200 while the hub takes connections, 503 while it drains\n",
        state.version
    );
    answer(StatusCode::OK, TEXT, text)
}

async fn metrics_page(State(state): State<AdminState>) -> Response {
    match metrics::expose(&state).await {
        Ok(text) => answer(StatusCode::OK, metrics::CONTENT_TYPE, text),
        Err(error) => {
            tracing::error!(%error, "the metrics could not be encoded");
            refuse(StatusCode::INTERNAL_SERVER_ERROR, "not_encoded", &"the metrics could not be encoded")
        }
    }
}

async fn health() -> Response {
    answer(StatusCode::OK, TEXT, "ok\n".into())
}

async fn ready(State(state): State<AdminState>) -> Response {
    if state.draining.load(Ordering::Relaxed) {
        answer(StatusCode::SERVICE_UNAVAILABLE, TEXT, "draining\n".into())
    } else {
        answer(StatusCode::OK, TEXT, "ready\n".into())
    }
}

async fn not_found(uri: Uri) -> Response {
    let path = Excerpt::of(uri.path());
    let message = format!("there is nothing under {path}; / lists what there is");
    refuse(StatusCode::NOT_FOUND, "not_found", &message)
}

async fn not_allowed(method: Method) -> Response {
    let method = Excerpt::of(method.as_str());
    let message = format!("this path does not take {method}; it takes GET and HEAD");
    refuse(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", &message)
}

fn refuse(status: StatusCode, code: &'static str, message: &dyn Display) -> Response {
    answer(status, JSON, error_json(code, message))
}

/// An answer that holds for this moment and is what it says it is.
fn answer(status: StatusCode, content_type: &'static str, body: String) -> Response {
    let headers = [
        (header::CONTENT_TYPE, content_type),
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (status, headers, body).into_response()
}
