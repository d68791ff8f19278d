//! What the admin listener answers under which path.
//!
//! Not here: the numbers (`metrics`), the API (`api`), or what a connection may cost (`listener`).

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::{from_fn_with_state, map_response};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use corecast_core::http::Excerpt;

use super::asking::Shards;
use super::handed_on::Streams;
use super::live::Viewers;
use super::problem::Problem;
use super::{AdminState, access, api, metrics, pages};
use crate::control::Command;

const TEXT: &str = "text/plain; charset=utf-8";

/// What all routes share. All clones are the same.
#[derive(Clone)]
pub(super) struct Admin {
    pub(super) hub: AdminState,
    pub(super) shards: Shards,
    pub(super) viewers: Viewers,
    pub(super) streams: Streams,
    /// The API's description.
    pub(super) document: Arc<str>,
}

impl Admin {
    /// Tells the hub what to do.
    pub(super) fn give(&self, command: Command) -> Result<(), Problem> {
        let given = self.hub.commands.give(command);
        given.map_err(|_command| {
            Problem::busy("the hub has too many commands to obey, or obeys none any more")
        })
    }
}

/// The routes. `GET` answers `HEAD` too.
pub(super) fn router(hub: AdminState) -> Router {
    let (api, document) = api::router();
    let mut router = Router::new()
        .merge(api)
        .route("/api", get(index))
        .route("/metrics", get(metrics_page))
        .route("/healthz", get(health))
        .route("/readyz", get(ready));
    for file in &pages::FILES {
        router = router.route(file.path, get(move |headers| pages::serve(State(file), headers)));
    }
    let token = hub.token.clone();
    let admin = Admin {
        shards: Shards::new(Arc::clone(&hub.inboxes)),
        hub,
        viewers: Viewers::default(),
        streams: Streams::default(),
        document: document.into(),
    };
    router
        .fallback(not_found)
        .method_not_allowed_fallback(not_allowed)
        .layer(from_fn_with_state(token, access::guard))
        .layer(map_response(of_this_moment))
        .with_state(admin)
}

async fn index(State(admin): State<Admin>) -> Response {
    let text = format!(
        "corecast {}\n\n\
         /              the dashboard\n\
         /metrics       numbers for Prometheus, as OpenMetrics text\n\
         /healthz       200 while the process answers\n\
         /readyz        200 while the hub takes connections, 503 while it drains\n\
         /openapi.json  what can be asked for under /api/, for programs\n\n\
         /api/hub  /api/connections  /api/users  /api/topics  /api/disconnect  /api/config  /api/reload  /api/drain\n\
         /api/log-level  /api/live\n",
        admin.hub.version
    );
    text_answer(StatusCode::OK, TEXT, text)
}

async fn metrics_page(State(admin): State<Admin>) -> Response {
    match metrics::expose(&admin.hub).await {
        Ok(text) => text_answer(StatusCode::OK, metrics::CONTENT_TYPE, text),
        Err(error) => {
            tracing::error!(%error, "the metrics could not be encoded");
            Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "the metrics could not be encoded")
                .into_response()
        }
    }
}

async fn health() -> Response {
    text_answer(StatusCode::OK, TEXT, "ok\n".into())
}

async fn ready(State(admin): State<Admin>) -> Response {
    if admin.hub.drain.is_draining() {
        text_answer(StatusCode::SERVICE_UNAVAILABLE, TEXT, "draining\n".into())
    } else {
        text_answer(StatusCode::OK, TEXT, "ready\n".into())
    }
}

async fn not_found(uri: Uri) -> Problem {
    let path = Excerpt::of(uri.path());
    Problem::not_found(format!("there is nothing under {path}; /api lists what there is")).field("path")
}

/// axum adds `Allow`.
async fn not_allowed(method: Method) -> Problem {
    let method = Excerpt::of(method.as_str());
    let detail = format!("this path does not take {method}; the header Allow has what it takes");
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, detail).field("method")
}

fn text_answer(status: StatusCode, content_type: &'static str, body: String) -> Response {
    (status, [(header::CONTENT_TYPE, content_type)], body).into_response()
}

/// An answer that holds for this moment, unless it says otherwise, and is what it says it is.
async fn of_this_moment(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}
