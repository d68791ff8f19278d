//! Connections: lists of them, and one of them in full.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Json;
use axum::extract::State;
use corecast_core::connection::{ConnectionId, Phase};
use corecast_core::engine::Engine;
use corecast_core::engine::inspect::{ConnectionDetails, ConnectionFilter, ConnectionRow, Owner};
use corecast_core::frame::Framing;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::input::{self, Order, Query, Segment};
use super::page::{Page, Place, Turn};
use crate::admin::moment::moment;
use crate::admin::problem::Problem;
use crate::admin::routes::Admin;

/// Which connections, and which page of them.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(super) struct ConnectionsQuery {
    /// Of this user; with `anonymous=true`, of this `client_id`.
    #[param(min_length = 1, max_length = 255)]
    user: Option<String>,
    /// Streams without a token.
    anonymous: Option<bool>,
    /// With this selector, as the subscriber wrote it.
    #[param(example = "/orders/{id}")]
    topic: Option<String>,
    /// From this IP address.
    #[param(value_type = Option<String>, format = "ip", example = "192.0.2.1")]
    address: Option<IpAddr>,
    /// In this state.
    state: Option<StateName>,
    /// Streams that are fed from history or the log.
    behind: Option<bool>,
    /// By what the list is sorted.
    #[param(inline)]
    sort: Option<Sort>,
    /// Which way it is sorted.
    #[param(inline)]
    order: Option<Order>,
    /// Rows of a page.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<u16>,
    /// `next` of the page before.
    cursor: Option<String>,
}

/// By what connections are sorted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Sort {
    /// How long they have streamed.
    #[default]
    Age,
    /// What their sockets took.
    Bytes,
    /// How many events they have yet to get.
    Lag,
    /// How long they have been sent nothing.
    Silence,
}

/// Where in its life a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum StateName {
    /// A request is read, or waited for.
    Head,
    /// What it published is with the sequencer.
    Publishing,
    /// An answer goes out.
    Answering,
    /// On the way to its home shard.
    Moving,
    /// An event stream.
    Streaming,
    /// Its last bytes go out.
    Draining,
    /// It is being closed.
    Closing,
}

impl From<StateName> for Phase {
    fn from(name: StateName) -> Self {
        match name {
            StateName::Head => Self::Head,
            StateName::Publishing => Self::Publishing,
            StateName::Answering => Self::Answering,
            StateName::Moving => Self::Moving,
            StateName::Streaming => Self::Streaming,
            StateName::Draining => Self::Draining,
            StateName::Closing => Self::Closing,
        }
    }
}

impl From<Phase> for StateName {
    fn from(phase: Phase) -> Self {
        match phase {
            Phase::Head => Self::Head,
            Phase::Publishing => Self::Publishing,
            Phase::Answering => Self::Answering,
            Phase::Moving => Self::Moving,
            Phase::Streaming => Self::Streaming,
            Phase::Draining => Self::Draining,
            Phase::Closing => Self::Closing,
        }
    }
}

/// One page of connections.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Connections {
    connections: Vec<Row>,
    /// Connections on all pages.
    matched: u64,
    /// The `cursor` of the next page; null if this is the last.
    next: Option<String>,
    /// When it was looked.
    #[schema(format = DateTime)]
    as_of: Option<String>,
}

/// One connection.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Row {
    #[schema(example = "0-17-3")]
    id: String,
    shard: usize,
    state: StateName,
    /// The token's `sub`, or the `client_id` without a token; null if it has neither, or is no stream.
    user: Option<Box<str>>,
    /// Whether it is a stream without a token.
    anonymous: bool,
    #[schema(example = "127.0.0.1:53122")]
    address: String,
    /// How long it has streamed.
    age_seconds: Option<f64>,
    /// Since it was last sent something.
    silence_seconds: Option<f64>,
    /// What its socket took.
    bytes: u64,
    /// Events that it has yet to be sent, or to be looked up for it.
    lag_events: u64,
    /// Whether it is fed from history or the log.
    behind: bool,
    /// When its token ends.
    #[schema(format = DateTime)]
    expires: Option<String>,
}

/// One connection in full.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Details {
    #[serde(flatten)]
    row: Row,
    /// What it subscribes to.
    selectors: Vec<Box<str>>,
    /// Which topics' private events it may have.
    grants: Vec<Box<str>>,
    /// How its body is delimited: `chunked`, or `close` for HTTP/1.0.
    framing: &'static str,
    /// Whether its heartbeats are events that the page can see.
    visible_heartbeat: bool,
}

/// List connections
///
/// Sorted, filtered and in pages. The look costs each shard 1024 rows at a time.
#[utoipa::path(get, path = "/api/connections", tag = "connections", params(ConnectionsQuery),
    responses((status = 200, description = "One page", body = Connections)))]
pub(super) async fn list(
    State(admin): State<Admin>,
    Query(query): Query<ConnectionsQuery>,
) -> Result<Json<Connections>, Problem> {
    let sort = query.sort.unwrap_or_default();
    let order = query.order.unwrap_or_default();
    let turn = Turn::new(sort as u8, order, input::limit(query.limit)?, query.cursor.as_deref())?;
    let page = find(&admin, query.filter()?, sort, turn).await?;
    Ok(Json(Connections {
        connections: page.rows,
        matched: page.matched,
        next: page.next,
        as_of: moment(SystemTime::now()),
    }))
}

/// One connection
#[utoipa::path(get, path = "/api/connections/{id}", tag = "connections",
    params(("id" = String, Path, description = "As a list gave it", example = "0-17-3")),
    responses((status = 200, description = "The connection", body = Details),
              (status = 404, description = "It has ended", content_type = "application/problem+json", body = Problem)))]
pub(super) async fn one(
    State(admin): State<Admin>,
    Segment(text): Segment,
) -> Result<Json<Details>, Problem> {
    let (shard, id) = parse_id("id", &text)?;
    if shard >= admin.shards.len() {
        return Err(gone(&text));
    }
    let details = admin.shards.ask(shard, move |engine| engine.inspect_connection(id)).await?;
    details.map(|details| Json(Details::of(shard, details))).ok_or_else(|| gone(&text))
}

/// All connections of this user.
pub(super) async fn of_owner(admin: &Admin, owner: Owner) -> Result<Vec<Row>, Problem> {
    let filter = ConnectionFilter { owner: Some(owner), ..ConnectionFilter::default() };
    let turn = Turn::new(0, Order::Desc, usize::from(input::LIMIT_MAX), None)?;
    Ok(find(admin, filter, Sort::Age, turn).await?.rows)
}

async fn find(admin: &Admin, filter: ConnectionFilter, sort: Sort, turn: Turn) -> Result<Page<Row>, Problem> {
    let begin = || turn.begin();
    let parts = admin
        .shards
        .walk(
            move |engine: &mut Engine, first| engine.inspect_connections(first, &filter),
            begin,
            move |best, shard, row| best.offer(place_of(sort, shard, &row), || Row::of(shard, row)),
        )
        .await?;
    Ok(turn.merge(parts))
}

impl ConnectionsQuery {
    fn filter(self) -> Result<ConnectionFilter, Problem> {
        let is_anonymous = self.anonymous.unwrap_or(false);
        let owner = self.user.map(|user| input::name("user", user)).transpose()?;
        Ok(ConnectionFilter {
            owner: owner.map(|name| if is_anonymous { Owner::Anonymous(name) } else { Owner::User(name) }),
            is_anonymous,
            selector: self.topic.map(|topic| input::selector("topic", topic)).transpose()?,
            ip: self.address.map(|address| address.to_canonical()),
            phase: self.state.map(Phase::from),
            is_behind: self.behind.unwrap_or(false),
        })
    }
}

/// Where a connection stands. Times are moments and not durations here: all durations grow, and a cursor must not.
fn place_of(sort: Sort, shard: usize, row: &ConnectionRow) -> Place {
    let before_seen = |duration: Duration| {
        // As far as a stream knows its moments: to the millisecond.
        let seen_ms = row.seen.as_nanos() / 1_000_000;
        u64::MAX - seen_ms.saturating_sub(duration.as_millis() as u64)
    };
    let opened = |age: Duration| u64::MAX - row.seen.as_nanos().saturating_sub(age.as_nanos() as u64);
    let key = match sort {
        Sort::Age => row.age.map_or(0, opened),
        Sort::Bytes => row.bytes,
        Sort::Lag => row.lag,
        Sort::Silence => row.silence.map_or(0, before_seen),
    };
    let ConnectionId { index, generation } = row.id;
    let id = [&(shard as u32).to_be_bytes()[..], &index.to_be_bytes(), &generation.to_be_bytes()].concat();
    Place { key, id: id.into() }
}

impl Row {
    fn of(shard: usize, row: ConnectionRow) -> Self {
        let is_stream = row.age.is_some();
        let (user, is_named) = match row.owner {
            Some(Owner::User(name)) => (Some(name), true),
            Some(Owner::Anonymous(client_id)) => (Some(client_id), false),
            None => (None, false),
        };
        Self {
            id: format!("{shard}-{}-{}", row.id.index, row.id.generation),
            shard,
            state: row.phase.into(),
            user,
            anonymous: is_stream && !is_named,
            address: SocketAddr::to_string(&row.peer),
            age_seconds: row.age.map(|age| age.as_secs_f64()),
            silence_seconds: row.silence.map(|silence| silence.as_secs_f64()),
            bytes: row.bytes,
            lag_events: row.lag,
            behind: row.is_behind,
            expires: row.expires.and_then(|at| moment(UNIX_EPOCH + Duration::from_millis(at.0))),
        }
    }
}

impl Details {
    fn of(shard: usize, details: ConnectionDetails) -> Self {
        Self {
            row: Row::of(shard, details.row),
            selectors: details.selectors,
            grants: details.grants,
            framing: match details.framing {
                Framing::Chunked => "chunked",
                Framing::CloseDelimited => "close",
            },
            visible_heartbeat: details.visible_heartbeat,
        }
    }
}

/// Reads `shard-slot-generation`.
pub(super) fn parse_id(field: &str, text: &str) -> Result<(usize, ConnectionId), Problem> {
    let number = |part: Option<&str>| {
        let part = part.filter(|part| part.bytes().all(|byte| byte.is_ascii_digit()))?;
        part.parse::<u32>().ok()
    };
    let mut parts = text.split('-');
    let parsed = (|| Some((number(parts.next())?, number(parts.next())?, number(parts.next())?)))();
    match parsed.filter(|_| parts.next().is_none()) {
        Some((shard, index, generation)) => Ok((shard as usize, ConnectionId { index, generation })),
        None => Err(Problem::bad(
            field,
            format_args!(
                "{field} = {} is no connection's id, such as 0-17-3",
                corecast_core::http::Excerpt::of(text)
            ),
        )),
    }
}

pub(super) fn gone(id: &str) -> Problem {
    let shown = corecast_core::http::Excerpt::of(id);
    Problem::not_found(format!("there is no connection {shown}; it has ended, or never was")).field("id")
}
