//! `GET /events`, `POST /publish` and `POST /publish-batch`.
//!
//! Not here: who gets what (`hub`).

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::sse::{Event, KeepAlive};
use axum::response::{IntoResponse, Response, Sse};
use axum::routing::{get, post};
use axum::{Json, Router};
use futures_util::{Stream, StreamExt};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::Deserialize;

use crate::hub::{Data, Hub};

/// What every request shares.
#[derive(Clone)]
pub(crate) struct App(Arc<Shared>);

struct Shared {
    hub: Arc<Hub>,
    key: DecodingKey,
    validation: Validation,
    anonymous: bool,
    heartbeat: Duration,
}

impl App {
    pub(crate) fn new(hub: Arc<Hub>, hmac_key: &[u8], anonymous: bool, heartbeat_seconds: u64) -> Self {
        Self(Arc::new(Shared {
            hub,
            key: DecodingKey::from_secret(hmac_key),
            validation: Validation::new(Algorithm::HS256),
            anonymous,
            heartbeat: Duration::from_secs(heartbeat_seconds),
        }))
    }

    /// The user of a good token; `None` without any.
    fn user(&self, headers: &HeaderMap) -> Result<Option<String>, StatusCode> {
        let Some(field) = headers.get(header::AUTHORIZATION) else { return Ok(None) };
        let token = field.to_str().ok().and_then(|field| field.strip_prefix("Bearer "));
        let token = token.ok_or(StatusCode::UNAUTHORIZED)?;
        let verified = jsonwebtoken::decode::<Claims>(token, &self.0.key, &self.0.validation);
        // What is wrong with a token is not told to who sent it.
        verified.map(|token| Some(token.claims.sub)).or(Err(StatusCode::UNAUTHORIZED))
    }

    fn publish(&self, draft: Draft) {
        match draft.user {
            Some(user) => self.0.hub.publish_user(&user, draft.data),
            None => self.0.hub.publish_all(draft.data),
        }
    }
}

#[derive(Deserialize)]
struct Claims {
    sub: String,
}

/// An event to `user`, or to all.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Draft {
    user: Option<String>,
    data: Data,
}

pub(crate) fn router(app: App) -> Router {
    Router::new()
        .route("/events", get(subscribe))
        .route("/publish", post(publish))
        .route("/publish-batch", post(publish_batch))
        .with_state(app)
}

async fn subscribe(State(app): State<App>, headers: HeaderMap) -> Result<Response, StatusCode> {
    match app.user(&headers)? {
        Some(user) => Ok(stream(&app, app.0.hub.subscribe_user(&user))),
        None if app.0.anonymous => Ok(stream(&app, app.0.hub.subscribe())),
        None => Err(StatusCode::UNAUTHORIZED),
    }
}

fn stream(app: &App, data: impl Stream<Item = Data> + Send + 'static) -> Response {
    // axum's events cannot share their bytes: each stream writes its own.
    let events = data.map(|data| Ok::<_, Infallible>(Event::default().data(&*data)));
    let stream = Sse::new(events);
    if app.0.heartbeat.is_zero() {
        return stream.into_response();
    }
    stream.keep_alive(KeepAlive::new().interval(app.0.heartbeat)).into_response()
}

async fn publish(
    State(app): State<App>,
    headers: HeaderMap,
    Json(draft): Json<Draft>,
) -> Result<StatusCode, StatusCode> {
    app.user(&headers)?.ok_or(StatusCode::UNAUTHORIZED)?;
    app.publish(draft);
    Ok(StatusCode::NO_CONTENT)
}

async fn publish_batch(
    State(app): State<App>,
    headers: HeaderMap,
    Json(drafts): Json<Vec<Draft>>,
) -> Result<StatusCode, StatusCode> {
    app.user(&headers)?.ok_or(StatusCode::UNAUTHORIZED)?;
    for draft in drafts {
        app.publish(draft);
    }
    Ok(StatusCode::NO_CONTENT)
}
