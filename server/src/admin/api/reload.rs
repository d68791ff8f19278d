//! Reloading the configuration.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use tokio::sync::oneshot;
use utoipa::ToSchema;

use super::input::{Nothing, OptionalBody};
use crate::admin::problem::Problem;
use crate::admin::routes::Admin;
use crate::control::{Change, Command, ReloadReport};

/// What a reload came to.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Reloaded {
    /// In force now.
    applied: Vec<Changed>,
    /// In force after a restart.
    needs_restart: Vec<Changed>,
}

/// A setting with another value than before.
#[derive(Debug, Serialize, ToSchema)]
struct Changed {
    #[schema(example = "limits.per_user")]
    setting: String,
    from: String,
    to: String,
}

/// Reload the configuration
///
/// As SIGHUP: applies every setting that can change while running, and says which cannot.
#[utoipa::path(post, path = "/api/reload", tag = "hub",
    request_body(content = Nothing, content_type = "application/json"),
    responses((status = 200, description = "What has changed", body = Reloaded),
              (status = 422, description = "The file is bad, everything stays as it was",
               content_type = "application/problem+json", body = Problem)))]
pub(super) async fn reload(
    State(admin): State<Admin>,
    OptionalBody(_): OptionalBody<Nothing>,
) -> Result<Json<Reloaded>, Problem> {
    let (answer, answered) = oneshot::channel();
    admin.give(Command::Reload(answer))?;
    match answered.await {
        Ok(Ok(report)) => Ok(Json(Reloaded::of(report))),
        Ok(Err(problems)) => Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, problems.to_string())),
        Err(_dropped) => Err(Problem::busy("the hub does not reload at present")),
    }
}

impl Reloaded {
    fn of(report: ReloadReport) -> Self {
        let changed = |Change { setting, from, to }| Changed { setting, from, to };
        Self {
            applied: report.applied.into_iter().map(changed).collect(),
            needs_restart: report.needs_restart.into_iter().map(changed).collect(),
        }
    }
}
