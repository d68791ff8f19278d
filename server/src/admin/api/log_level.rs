//! What the hub logs.

use axum::Json;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::input::Body;
use crate::admin::problem::Problem;
use crate::logging::{self, LevelError};

/// Bytes of directives: far beyond every list of levels.
const LEVEL_BYTES_MAX: usize = 1000;

/// What the hub logs.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LogLevel {
    /// Directives as in `logging.level`.
    #[schema(example = "info,corecast::shard=debug", min_length = 1, max_length = 1000)]
    level: String,
}

/// What is logged
#[utoipa::path(get, path = "/api/log-level", tag = "hub",
    responses((status = 200, description = "The level in force", body = LogLevel)))]
pub(super) async fn log_level() -> Result<Json<LogLevel>, Problem> {
    let level = logging::level().ok_or_else(|| Problem::busy(LevelError::NotStarted.to_string()))?;
    Ok(Json(LogLevel { level }))
}

/// Change what is logged
///
/// Until the next reload or restart, which take `logging.level` again.
#[utoipa::path(put, path = "/api/log-level", tag = "hub",
    request_body(content = LogLevel, content_type = "application/json"),
    responses((status = 200, description = "The level in force", body = LogLevel),
              (status = 422, description = "This is no level", content_type = "application/problem+json", body = Problem)))]
pub(super) async fn set_log_level(Body(asked): Body<LogLevel>) -> Result<Json<LogLevel>, Problem> {
    if asked.level.len() > LEVEL_BYTES_MAX {
        let detail = format!("level has {} bytes, at most {LEVEL_BYTES_MAX} are allowed", asked.level.len());
        return Err(Problem::bad("level", detail));
    }
    match logging::set_level(&asked.level) {
        Ok(()) => {
            tracing::info!(level = asked.level, "an operator has changed what is logged");
            Ok(Json(asked))
        }
        Err(error @ (LevelError::Empty | LevelError::Malformed(_))) => {
            let detail = format!("level {error}");
            Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail).field("level"))
        }
        Err(error @ LevelError::NotStarted) => Err(Problem::busy(error.to_string())),
    }
}
