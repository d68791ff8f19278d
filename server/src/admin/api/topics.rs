//! Selectors that somebody subscribes to: topics, templates, and `*`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use corecast_core::engine::Engine;
use corecast_core::engine::inspect::SelectorRow;
use corecast_core::topics::SelectorKind;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::input::{self, Order, Query};
use super::page::{Place, Turn};
use crate::admin::problem::Problem;
use crate::admin::routes::Admin;
use crate::admin::tally::{SELECTORS_MAX, Tally};

/// Which selectors, and which page of them.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(super) struct TopicsQuery {
    /// Selectors that begin so.
    #[param(max_length = 1024)]
    prefix: Option<String>,
    /// By what the list is sorted.
    #[param(inline)]
    sort: Option<Sort>,
    /// Which way; by default the most subscribers or the first name come first.
    #[param(inline)]
    order: Option<Order>,
    /// Rows of a page.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<u16>,
    /// `next` of the page before.
    cursor: Option<String>,
}

/// By what selectors are sorted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Sort {
    /// How many streams have them.
    #[default]
    Subscribers,
    /// Their text, byte by byte.
    Name,
}

impl Sort {
    fn order(self) -> Order {
        match self {
            Self::Subscribers => Order::Desc,
            Self::Name => Order::Asc,
        }
    }
}

/// One page of selectors.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Topics {
    topics: Vec<Topic>,
    /// Selectors on all pages.
    matched: u64,
    /// The `cursor` of the next page; null if this is the last.
    next: Option<String>,
}

/// A selector that somebody subscribes to.
#[derive(Debug, Serialize, ToSchema)]
struct Topic {
    /// As the subscribers wrote it.
    #[schema(example = "/orders/{id}")]
    selector: Box<str>,
    kind: Kind,
    /// Streams that have it.
    subscribers: u32,
}

/// What a selector can match.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Kind {
    /// One topic.
    Exact,
    /// Some topics.
    Template,
    /// Every topic.
    Any,
}

/// List topics
///
/// Selectors that somebody subscribes to, with their subscribers.
#[utoipa::path(get, path = "/api/topics", tag = "topics", params(TopicsQuery),
    responses((status = 200, description = "One page", body = Topics)))]
pub(super) async fn list(
    State(admin): State<Admin>,
    Query(query): Query<TopicsQuery>,
) -> Result<Json<Topics>, Problem> {
    let sort = query.sort.unwrap_or_default();
    let order = query.order.unwrap_or(sort.order());
    let turn = Turn::new(sort as u8, order, input::limit(query.limit)?, query.cursor.as_deref())?;
    let prefix = input::prefix(query.prefix)?;
    let tally = Arc::new(Tally::of(&admin.shards, prefix.clone()).await?);
    if tally.is_full() {
        let detail =
            format!("there are more than {SELECTORS_MAX} selectors; ask for those with a longer prefix");
        return Err(Problem::busy(detail).field("prefix"));
    }
    let matched = tally.len() as u64;
    let parts = admin
        .shards
        .walk(
            |engine: &mut Engine, first| engine.inspect_selectors(first),
            || turn.begin(),
            move |best, _, row: SelectorRow| {
                if row.selector.starts_with(&*prefix) {
                    let row = SelectorRow { subscribers: tally.subscribers(&row), ..row };
                    best.offer(place_of(sort, &row), || Topic::of(row));
                }
            },
        )
        .await?;
    let page = turn.merge(parts);
    Ok(Json(Topics { topics: page.rows, matched, next: page.next }))
}

fn place_of(sort: Sort, row: &SelectorRow) -> Place {
    let key = match sort {
        Sort::Subscribers => u64::from(row.subscribers),
        Sort::Name => 0,
    };
    Place { key, id: row.selector.as_bytes().into() }
}

impl Topic {
    fn of(row: SelectorRow) -> Self {
        let kind = match row.kind {
            SelectorKind::Exact => Kind::Exact,
            SelectorKind::Template => Kind::Template,
            SelectorKind::Any => Kind::Any,
        };
        Self { selector: row.selector, kind, subscribers: row.subscribers }
    }
}
