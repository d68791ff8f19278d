//! Users with a stream, and clients without a token that have given an id.

use axum::Json;
use axum::extract::State;
use corecast_core::engine::Engine;
use corecast_core::engine::inspect::{Owner, OwnerRow};
use corecast_core::http::Excerpt;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::connections::{self, Row};
use super::input::{self, Order, Query, Segment};
use super::page::{Place, Turn};
use crate::admin::problem::Problem;
use crate::admin::routes::Admin;

/// Which users, and which page of them.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(super) struct UsersQuery {
    /// Names that begin so.
    #[param(max_length = 1024)]
    prefix: Option<String>,
    /// By what the list is sorted.
    #[param(inline)]
    sort: Option<Sort>,
    /// Which way; by default the most connections or the first name come first.
    #[param(inline)]
    order: Option<Order>,
    /// Rows of a page.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<u16>,
    /// `next` of the page before.
    cursor: Option<String>,
}

/// By what users are sorted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Sort {
    /// How many connections they have.
    #[default]
    Connections,
    /// Their names, byte by byte.
    Name,
}

impl Sort {
    fn order(self) -> Order {
        match self {
            Self::Connections => Order::Desc,
            Self::Name => Order::Asc,
        }
    }
}

/// One page of users.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Users {
    users: Vec<User>,
    /// Users on all pages.
    matched: u64,
    /// The `cursor` of the next page; null if this is the last.
    next: Option<String>,
}

/// A user, or a client without a token.
#[derive(Debug, Serialize, ToSchema)]
struct User {
    /// The token's `sub`, or the `client_id`.
    user: Box<str>,
    /// Whether it is a client without a token.
    anonymous: bool,
    connections: u32,
}

/// A user's streams.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct UserDetails {
    user: Box<str>,
    /// The oldest first, at most 1000.
    connections: Vec<Row>,
}

/// List users
///
/// Users with a stream, and clients without a token that have given a `client_id`.
#[utoipa::path(get, path = "/api/users", tag = "users", params(UsersQuery),
    responses((status = 200, description = "One page", body = Users)))]
pub(super) async fn list(
    State(admin): State<Admin>,
    Query(query): Query<UsersQuery>,
) -> Result<Json<Users>, Problem> {
    let sort = query.sort.unwrap_or_default();
    let order = query.order.unwrap_or(sort.order());
    let turn = Turn::new(sort as u8, order, input::limit(query.limit)?, query.cursor.as_deref())?;
    let prefix = input::prefix(query.prefix)?;
    let parts = admin
        .shards
        .walk(
            |engine: &mut Engine, first| engine.inspect_owners(first),
            || turn.begin(),
            move |best, _, row: OwnerRow| {
                let user = User::of(row);
                if user.user.starts_with(&*prefix) {
                    best.offer(user.place(sort), || user);
                }
            },
        )
        .await?;
    let page = turn.merge(parts);
    Ok(Json(Users { users: page.rows, matched: page.matched, next: page.next }))
}

/// One user's streams
#[utoipa::path(get, path = "/api/users/{user}", tag = "users",
    params(("user" = String, Path, description = "The token's `sub`", max_length = 255)),
    responses((status = 200, description = "The user's streams", body = UserDetails),
              (status = 404, description = "The user has no stream", content_type = "application/problem+json", body = Problem)))]
pub(super) async fn one(
    State(admin): State<Admin>,
    Segment(user): Segment,
) -> Result<Json<UserDetails>, Problem> {
    let user = input::name("user", user)?;
    let connections = connections::of_owner(&admin, Owner::User(user.clone())).await?;
    if connections.is_empty() {
        return Err(nobody(&user));
    }
    Ok(Json(UserDetails { user, connections }))
}

pub(super) fn nobody(user: &str) -> Problem {
    Problem::not_found(format!("user {} has no stream", Excerpt::of(user))).field("user")
}

impl User {
    fn of(row: OwnerRow) -> Self {
        let (user, anonymous) = match row.owner {
            Owner::User(name) => (name, false),
            Owner::Anonymous(client_id) => (client_id, true),
        };
        Self { user, anonymous, connections: row.connections }
    }

    fn place(&self, sort: Sort) -> Place {
        let key = match sort {
            Sort::Connections => u64::from(self.connections),
            Sort::Name => 0,
        };
        // The name first, so that it decides; the kind last, since both can have the same.
        let id = [self.user.as_bytes(), &[0, u8::from(self.anonymous)]].concat();
        Place { key, id: id.into() }
    }
}
