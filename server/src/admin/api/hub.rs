//! The hub as a whole.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use crate::admin::moment::moment;
use crate::admin::routes::Admin;
use crate::admin::sample::HubState;
use crate::log::file::LogState;
use crate::shard::stats::{Snapshot, Stats};

/// What is running, where, and how much of it is used.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Hub {
    version: &'static str,
    /// When the process began.
    #[schema(format = DateTime)]
    started: Option<String>,
    uptime_seconds: f64,
    state: HubState,
    /// What drives the sockets.
    #[schema(example = "uring")]
    driver: &'static str,
    /// Why it was chosen.
    driver_reason: String,
    shards: usize,
    /// Where subscribers and publishers connect.
    #[schema(example = "0.0.0.0:8080")]
    listen: String,
    /// Where this is.
    #[schema(example = "127.0.0.1:9180")]
    admin: String,
    pid: u32,
    connections: HubConnections,
    log: HubLog,
    /// Whether limits are only counted and not enforced.
    dry_run: bool,
}

#[derive(Debug, Serialize, ToSchema)]
struct HubConnections {
    /// Open streams.
    streams: u32,
    /// The limit of open streams.
    max: u32,
    /// Connections in any state.
    open: u64,
    /// Users with a stream.
    users: u64,
}

#[derive(Debug, Serialize, ToSchema)]
struct HubLog {
    /// `memory` or `file`.
    #[schema(example = "memory")]
    kind: &'static str,
    /// Whether a file log keeps events: `ok`, `full` or `failed`.
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<&'static str>,
    /// Bytes of a file log.
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<u64>,
}

/// The hub as a whole
#[utoipa::path(get, path = "/api/hub", tag = "hub",
    responses((status = 200, description = "What is running", body = Hub)))]
pub(super) async fn hub(State(admin): State<Admin>) -> Json<Hub> {
    let hub = &admin.hub;
    let shards: Vec<Snapshot> = hub.shards.iter().map(Stats::last).collect();
    let limits = &hub.config.now().config.limits;
    let log = hub.log.as_ref().map(|view| view.log.snapshot());
    Json(Hub {
        version: hub.version,
        started: moment(hub.started),
        uptime_seconds: hub.started.elapsed().unwrap_or_default().as_secs_f64(),
        state: HubState::of(hub),
        driver: hub.driver.choice.name(),
        driver_reason: hub.driver.reason.to_string(),
        shards: shards.len(),
        listen: hub.listen.to_string(),
        admin: hub.admin.to_string(),
        pid: std::process::id(),
        connections: HubConnections {
            streams: hub.census.streams(),
            max: limits.connections,
            open: shards.iter().map(|shard| u64::from(shard.connections)).sum(),
            users: shards.iter().map(|shard| shard.users as u64).sum(),
        },
        log: HubLog {
            kind: if log.is_some() { "file" } else { "memory" },
            state: log.map(|log| match log.state {
                LogState::Ok => "ok",
                LogState::Full => "full",
                LogState::Failed => "failed",
            }),
            bytes: log.map(|log| log.bytes),
        },
        dry_run: limits.dry_run,
    })
}
