//! The dashboard's own event stream: a sample of the hub each second.
//!
//! Invariant: at most `VIEWERS_MAX` at once, one sample of each under way; who does not read misses samples, and is cut off
//! by the listener.
//! Not here: what a sample shows (`sample`).

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use http_body_util::channel::{Channel, Sender};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{MissedTickBehavior, interval};

use super::listener::Seat;
use super::problem::Problem;
use super::routes::Admin;
use super::sample::{Before, Sample};

/// Streams of samples at the same time: more than people look at one hub.
const VIEWERS_MAX: usize = 8;

const INTERVAL: Duration = Duration::from_secs(1);

/// How long a first sample waits to know who has most streams.
const SURVEY_PATIENCE: Duration = Duration::from_millis(250);

/// The places of those who look. All clones are the same.
#[derive(Clone)]
pub(super) struct Viewers(Arc<Semaphore>);

impl Default for Viewers {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(VIEWERS_MAX)))
    }
}

/// What the hub does, each second
///
/// An event stream of samples: `event: sample` with the JSON of one. At most 8 at once.
#[utoipa::path(
    get,
    path = "/api/live",
    tag = "hub",
    responses((status = 200, description = "Samples, one each second", content_type = "text/event-stream", body = String),
              (status = 503, description = "8 look already", content_type = "application/problem+json", body = Problem)),
)]
pub(super) async fn live(State(admin): State<Admin>, seat: Extension<Seat>) -> Result<Response, Problem> {
    let viewers = Arc::clone(&admin.viewers.0);
    let Ok(place) = viewers.try_acquire_owned() else {
        return Err(Problem::busy(format!("{VIEWERS_MAX} look already, no more can at once")));
    };
    seat.leave();
    let (sender, body) = Channel::<Bytes, Infallible>::new(1);
    tokio::spawn(feed(admin, sender, place));
    let headers = [
        (header::CONTENT_TYPE, "text/event-stream"),
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    Ok((headers, Body::new(body)).into_response())
}

/// Sends samples until nobody takes them any more.
async fn feed(admin: Admin, mut sender: Sender<Bytes, Infallible>, _place: OwnedSemaphorePermit) {
    let mut before = Before::default();
    let mut ticks = interval(INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut patience = SURVEY_PATIENCE;
    let mut text = String::from("retry: 2000\n\n");
    loop {
        ticks.tick().await;
        // Goes on by itself, so that a shard which is slow to answer delays no sample after the first.
        let survey = admin.hub.survey.clone();
        let walk = tokio::spawn(async move { survey.refresh().await });
        let _ = tokio::time::timeout(patience, walk).await;
        patience = Duration::ZERO;
        let sample = Sample::take(&admin.hub, &mut before);
        match serde_json::to_string(&sample) {
            // JSON has no line ends outside of its strings, and escapes those inside.
            Ok(json) => text.push_str(&format!("event: sample\ndata: {json}\n\n")),
            Err(error) => tracing::error!(%error, "a sample could not be encoded"),
        }
        if sender.send_data(Bytes::from(std::mem::take(&mut text))).await.is_err() {
            return;
        }
    }
}
