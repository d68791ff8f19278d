//! Draining the hub.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::input::{Nothing, OptionalBody};
use crate::admin::problem::Problem;
use crate::admin::routes::Admin;
use crate::admin::sample::HubState;
use crate::control::Command;

/// A hub that stops.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Draining {
    state: HubState,
    /// Over which time streams are ended.
    over_seconds: f64,
}

/// Drain the hub, and end it
///
/// As SIGTERM: takes no more connections, ends streams over `drain.over`, and ends the process.
#[utoipa::path(post, path = "/api/drain", tag = "hub",
    request_body(content = Nothing, content_type = "application/json"),
    responses((status = 202, description = "It drains", body = Draining)))]
pub(super) async fn drain(
    State(admin): State<Admin>,
    OptionalBody(_): OptionalBody<Nothing>,
) -> Result<(StatusCode, Json<Draining>), Problem> {
    // Once is enough: a second time would cut it short.
    if HubState::of(&admin.hub) != HubState::Draining {
        admin.give(Command::Drain)?;
    }
    let over_seconds = admin.hub.drain_over().as_secs_f64();
    Ok((StatusCode::ACCEPTED, Json(Draining { state: HubState::Draining, over_seconds })))
}
