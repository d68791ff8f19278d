//! The configuration in force.

use axum::Json;
use axum::extract::State;

use crate::admin::routes::Admin;
use crate::config::show;

/// The configuration in force
///
/// By section and key. Secrets are shown as `(secret)`, what is not set as null.
#[utoipa::path(get, path = "/api/config", tag = "hub",
    responses((status = 200, description = "Every setting", body = Object)))]
pub(super) async fn config(State(admin): State<Admin>) -> Json<serde_json::Value> {
    Json(show::in_force_json(&admin.hub.config.now().config))
}
