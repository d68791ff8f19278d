//! Ending connections: one, a user's, a topic's, an address's.

use std::net::IpAddr;

use axum::Json;
use axum::extract::State;
use corecast_core::engine::Engine;
use corecast_core::engine::disconnect::Disconnect;
use corecast_core::engine::inspect::{ConnectionFilter, Owner, SLICE_ROWS};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::connections::{gone, parse_id};
use super::input::{self, Body, OptionalBody, Segment};
use super::users::nobody;
use crate::admin::asking::Silent;
use crate::admin::problem::Problem;
use crate::admin::routes::Admin;

/// How a connection is ended.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct How {
    /// What the client is told.
    #[schema(max_length = 200)]
    reason: Option<String>,
    /// Whether the client shall come back, after its reconnection time. Else it is told to stay away.
    reconnect: Option<bool>,
}

/// Whose connections are ended, and how. Exactly one of `user`, `topic`, `connection` and `address`.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Whom {
    /// All streams of this user; with `anonymous`, of this `client_id`.
    #[schema(min_length = 1, max_length = 255)]
    user: Option<String>,
    /// Whether `user` is the `client_id` of a client without a token.
    anonymous: Option<bool>,
    /// All streams with this selector, as they wrote it.
    topic: Option<String>,
    /// This one.
    #[schema(example = "0-17-3")]
    connection: Option<String>,
    /// All from this IP address.
    #[schema(value_type = Option<String>, example = "192.0.2.1")]
    address: Option<IpAddr>,
    /// What the clients are told.
    #[schema(max_length = 200)]
    reason: Option<String>,
    /// Whether the clients shall come back.
    reconnect: Option<bool>,
}

/// What came of it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Disconnected {
    /// How many connections have been told to end.
    disconnected: u64,
}

impl Disconnected {
    fn told(disconnected: u64) -> Json<Self> {
        tracing::info!(disconnected, "an operator has disconnected");
        Json(Self { disconnected })
    }
}

/// Disconnect one connection
#[utoipa::path(delete, path = "/api/connections/{id}", tag = "connections",
    params(("id" = String, Path, description = "As a list gave it", example = "0-17-3")),
    request_body(content = Option<How>, content_type = "application/json"),
    responses((status = 200, description = "It ends", body = Disconnected),
              (status = 404, description = "It has ended already", content_type = "application/problem+json", body = Problem)))]
pub(super) async fn connection(
    State(admin): State<Admin>,
    Segment(text): Segment,
    OptionalBody(how): OptionalBody<How>,
) -> Result<Json<Disconnected>, Problem> {
    let how = how.checked()?;
    match one(&admin, "id", &text, how).await? {
        0 => Err(gone(&text)),
        disconnected => Ok(Disconnected::told(disconnected)),
    }
}

/// Disconnect a user
#[utoipa::path(delete, path = "/api/users/{user}/connections", tag = "users",
    params(("user" = String, Path, description = "The token's `sub`", max_length = 255)),
    request_body(content = Option<How>, content_type = "application/json"),
    responses((status = 200, description = "The user's streams end", body = Disconnected),
              (status = 404, description = "The user has no stream", content_type = "application/problem+json", body = Problem)))]
pub(super) async fn user(
    State(admin): State<Admin>,
    Segment(user): Segment,
    OptionalBody(how): OptionalBody<How>,
) -> Result<Json<Disconnected>, Problem> {
    let (user, how) = (input::name("user", user)?, how.checked()?);
    match owner(&admin, Owner::User(user.clone()), how).await? {
        0 => Err(nobody(&user)),
        disconnected => Ok(Disconnected::told(disconnected)),
    }
}

/// Disconnect a user, a topic's subscribers, an address, or one connection
#[utoipa::path(post, path = "/api/disconnect", tag = "connections",
    request_body(content = Whom, content_type = "application/json"),
    responses((status = 200, description = "They end; 0 if there was none", body = Disconnected)))]
pub(super) async fn post(
    State(admin): State<Admin>,
    Body(whom): Body<Whom>,
) -> Result<Json<Disconnected>, Problem> {
    let how = How { reason: whom.reason, reconnect: whom.reconnect }.checked()?;
    let is_anonymous = whom.anonymous.unwrap_or(false);
    if is_anonymous && whom.user.is_none() {
        return Err(Problem::bad("anonymous", "anonymous says whose name user is: it needs user"));
    }
    let disconnected = match (whom.user, whom.topic, whom.connection, whom.address) {
        (Some(name), None, None, None) => {
            let name = input::name("user", name)?;
            let whose = if is_anonymous { Owner::Anonymous(name) } else { Owner::User(name) };
            owner(&admin, whose, how).await?
        }
        (None, Some(text), None, None) => topic(&admin, input::selector("topic", text)?, how).await?,
        (None, None, Some(text), None) => one(&admin, "connection", &text, how).await?,
        (None, None, None, Some(ip)) => address(&admin, ip.to_canonical(), how).await?,
        _ => {
            let detail = "exactly one of user, topic, connection and address says who is disconnected";
            return Err(Problem::bad("body", detail));
        }
    };
    Ok(Disconnected::told(disconnected))
}

impl How {
    fn checked(self) -> Result<Disconnect, Problem> {
        Ok(Disconnect { reason: input::reason(self.reason)?, reconnect: self.reconnect.unwrap_or(false) })
    }
}

async fn one(admin: &Admin, field: &str, text: &str, how: Disconnect) -> Result<u64, Problem> {
    let (shard, id) = parse_id(field, text)?;
    if shard >= admin.shards.len() {
        return Ok(0);
    }
    Ok(u64::from(admin.shards.ask(shard, move |engine| engine.disconnect(id, &how)).await?))
}

async fn owner(admin: &Admin, owner: Owner, how: Disconnect) -> Result<u64, Problem> {
    let end = move |engine: &mut Engine| engine.disconnect_owner(&owner, &how);
    Ok(until_done(admin, end).await?)
}

async fn topic(admin: &Admin, selector: Box<str>, how: Disconnect) -> Result<u64, Problem> {
    let end = move |engine: &mut Engine| engine.disconnect_selector(&selector, &how);
    Ok(until_done(admin, end).await?)
}

/// The engine ends a slice at a time: asks every shard until a slice was not full.
async fn until_done(
    admin: &Admin,
    end: impl FnOnce(&mut Engine) -> u32 + Clone + Send + 'static,
) -> Result<u64, Silent> {
    let mut disconnected = 0;
    loop {
        let ended = admin.shards.ask_all(end.clone()).await?;
        disconnected += ended.iter().map(|&ended| u64::from(ended)).sum::<u64>();
        if ended.iter().all(|&ended| ended < SLICE_ROWS) {
            return Ok(disconnected);
        }
    }
}

async fn address(admin: &Admin, ip: IpAddr, how: Disconnect) -> Result<u64, Problem> {
    let filter = ConnectionFilter { ip: Some(ip), ..ConnectionFilter::default() };
    let parts = admin.shards.walk(
        move |engine: &mut Engine, first| {
            let mut slice = engine.inspect_connections(first, &filter);
            slice.rows.retain(|row| engine.disconnect(row.id, &how));
            slice
        },
        || 0_u64,
        |disconnected, _, _| *disconnected += 1,
    );
    Ok(parts.await?.into_iter().sum())
}
