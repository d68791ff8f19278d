//! An event as it was read, in whatever form, and the checks that every event passes.

use std::collections::BTreeSet;
use std::time::Duration;

use super::EventRules;
use super::error::{Field, PublishError};
use crate::event::{Audience, Event};
use crate::frame::block_len_max;
use crate::http::control::KIND_PREFIX;
use crate::id::{EARLIEST, EventId, is_valid_id};
use crate::limits::{
    EVENT_TOPICS_MAX, EVENT_USERS_MAX, KIND_BYTES_MAX, NAME_BYTES_MAX, RETRY_MS_MAX, TOPIC_BYTES_MAX,
    TTL_SECONDS_MAX,
};
use crate::selector::RESERVED_PREFIX;

/// An event as it was read. The types are right, nothing else is known yet.
#[derive(Debug, Default)]
pub(super) struct Draft {
    pub(super) topics: Option<Names>,
    pub(super) users: Option<Names>,
    pub(super) all: bool,
    pub(super) data: Box<str>,
    pub(super) kind: Option<Box<str>>,
    pub(super) id: Option<Box<str>>,
    pub(super) retry_ms: Option<u64>,
    pub(super) ttl_seconds: Option<u64>,
    pub(super) private: bool,
    pub(super) ephemeral: bool,
}

/// A list of names. Of a list that is too long only the start is kept.
#[derive(Debug, Default)]
pub(super) struct Names {
    kept: Vec<Box<str>>,
    count: usize,
}

impl Names {
    /// Whether another name would be kept.
    pub(super) fn has_room(&self) -> bool {
        self.kept.len() < EVENT_USERS_MAX
    }

    /// Adds a name, or only counts it when there is no room or nothing to keep.
    pub(super) fn push(&mut self, name: Option<Box<str>>) {
        self.count += 1;
        if self.has_room() {
            self.kept.extend(name);
        }
    }
}

impl Draft {
    /// Checks everything.
    pub(super) fn into_event(self, rules: EventRules) -> Result<Event, PublishError> {
        let audience = audience(self.topics, self.users, self.all)?;
        if self.data.contains('\0') {
            return Err(PublishError::NulInData);
        }
        check_id(self.id.as_deref(), self.ephemeral)?;
        let retry_ms =
            self.retry_ms.map(|ms| in_range(Field::Retry, ms, 0, RETRY_MS_MAX.into())).transpose()?;
        let ttl =
            self.ttl_seconds.map(|seconds| in_range(Field::Ttl, seconds, 1, TTL_SECONDS_MAX)).transpose()?;
        let event = Event {
            audience,
            data: self.data,
            kind: checked_kind(self.kind)?,
            id: self.id,
            retry_ms: retry_ms.map(|ms| u32::try_from(ms).expect("at most RETRY_MS_MAX")),
            private: self.private,
            ttl: ttl.map(Duration::from_secs),
            ephemeral: self.ephemeral,
            shows_topics: rules.shows_topics,
        };
        let bytes = block_len_max(&event);
        if bytes >= rules.event_bytes as usize {
            return Err(PublishError::TooLarge { bytes, event_bytes: rules.event_bytes });
        }
        Ok(event)
    }
}

fn audience(topics: Option<Names>, users: Option<Names>, all: bool) -> Result<Audience, PublishError> {
    match (topics, users, all) {
        (Some(topics), None, false) => {
            let topics = distinct(topics, Field::Topics, EVENT_TOPICS_MAX, TOPIC_BYTES_MAX)?;
            // `*` selects every topic, so no topic can be called that.
            if topics.iter().any(|topic| **topic == *"*" || topic.starts_with(RESERVED_PREFIX)) {
                return Err(PublishError::Reserved(Field::Topics));
            }
            Ok(Audience::Topics(topics))
        }
        (None, Some(users), false) => {
            distinct(users, Field::Users, EVENT_USERS_MAX, NAME_BYTES_MAX).map(Audience::Users)
        }
        (None, None, true) => Ok(Audience::All),
        (None, None, false) => Err(PublishError::NoAudience),
        _ => Err(PublishError::TwoAudiences),
    }
}

/// The names without duplicates, in the order given.
fn distinct(
    names: Names,
    field: Field,
    count_max: usize,
    bytes_max: usize,
) -> Result<Box<[Box<str>]>, PublishError> {
    if names.count > count_max {
        return Err(PublishError::TooMany { field, count: names.count, count_max });
    }
    if names.count == 0 || names.kept.iter().any(|name| name.is_empty()) {
        return Err(PublishError::Empty(field));
    }
    for name in &names.kept {
        check_text(field, name, bytes_max)?;
    }
    let mut seen = BTreeSet::new();
    let is_first: Vec<bool> = names.kept.iter().map(|name| seen.insert(&**name)).collect();
    let firsts = names.kept.iter().zip(is_first).filter(|(_, is_first)| *is_first);
    Ok(firsts.map(|(name, _)| name.clone()).collect())
}

/// An empty type is the default one, as in the stream itself.
fn checked_kind(kind: Option<Box<str>>) -> Result<Option<Box<str>>, PublishError> {
    let Some(kind) = kind.filter(|kind| !kind.is_empty()) else {
        return Ok(None);
    };
    check_text(Field::Type, &kind, KIND_BYTES_MAX)?;
    // A publisher could otherwise tell clients that they are evicted.
    if kind.starts_with(KIND_PREFIX) {
        return Err(PublishError::Reserved(Field::Type));
    }
    Ok(Some(kind))
}

fn check_id(id: Option<&str>, ephemeral: bool) -> Result<(), PublishError> {
    match id {
        None => Ok(()),
        Some(id) if !is_valid_id(id) => Err(PublishError::Id),
        // As a cursor it would name a place in the log, and not this event; `earliest` names the log's start.
        Some(id) if id == EARLIEST || EventId::parse(id).is_some() => Err(PublishError::Reserved(Field::Id)),
        Some(_) if ephemeral => Err(PublishError::IdOfEphemeral),
        Some(_) => Ok(()),
    }
}

fn check_text(field: Field, text: &str, bytes_max: usize) -> Result<(), PublishError> {
    if text.len() > bytes_max {
        return Err(PublishError::TooLong { field, bytes: text.len(), bytes_max });
    }
    if text.chars().any(char::is_control) { Err(PublishError::Control(field)) } else { Ok(()) }
}

fn in_range(field: Field, value: u64, min: u64, max: u64) -> Result<u64, PublishError> {
    if (min..=max).contains(&value) { Ok(value) } else { Err(PublishError::OutOfRange { field, min, max }) }
}

/// A whole number in decimal digits. One above 64 bits is out of every range anyway.
pub(super) fn number(field: Field, text: &str) -> Result<u64, PublishError> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(PublishError::WrongType { field, expected: "a whole number from 0" });
    }
    Ok(text.parse().unwrap_or(u64::MAX))
}
