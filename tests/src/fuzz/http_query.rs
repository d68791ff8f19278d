//! Queries: what is accepted keeps its bounds.

use corecast_core::http::{SubscribeQuery, query};
use corecast_core::limits::{NAME_BYTES_MAX, SELECTORS_MAX};

use super::Target;

/// A query, without `?`.
pub const TARGET: Target = Target {
    name: "http_query",
    run,
    seeds: &[
        b"topic=news%2F1&topic=*&client_id=tab+7&lastEventId=a-1&access_token=x.y.z",
        b"padding=true&heartbeat=event&a;b&=c&%zz=%&Last-Event-ID=%C3%A9&last_event_id=",
    ],
};

fn run(input: &[u8]) {
    let Ok(text) = str::from_utf8(input) else {
        return;
    };
    if let Ok(wishes) = SubscribeQuery::parse(text) {
        assert!(wishes.topics.len() <= SELECTORS_MAX);
        assert_ne!(wishes.last_event_id.as_deref(), Some(""));
        assert!(wishes.client_id.is_none_or(|id| (1..=NAME_BYTES_MAX).contains(&id.len())));
        assert_eq!(query::access_token(text), Ok(wishes.access_token));
    }
}
