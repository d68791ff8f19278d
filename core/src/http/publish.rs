//! What a publisher posts: JSON, NDJSON or plain text, turned into checked events.
//!
//! Invariant: an `Event` from here keeps every bound and character rule, and its block fits under any id it can get.
//! Strict throughout: a name that means nothing is an error that says so, since a misspelt `private` would otherwise
//! publish to everybody.
//! Not here: whether the publisher may. Grants are checked against the event's audience.

mod draft;
mod error;
mod form;
mod json;

pub use self::error::{Field, PublishError};

use crate::event::Event;
use crate::limits::{JSON_EXTRA_BYTES_MAX, NDJSON_BYTES_MAX, NDJSON_EVENTS_MAX};

/// What the body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MediaType {
    /// `application/json`: one event.
    Json,
    /// `application/x-ndjson`: one event a line.
    NdJson,
    /// `text/plain`: the body is the data, the query has the rest.
    Text,
}

impl MediaType {
    /// Reads a `Content-Type`. A charset other than UTF-8 is refused, not converted.
    pub fn parse(content_type: Option<&str>) -> Result<Self, PublishError> {
        let mut parts = content_type.unwrap_or("").split(';').map(str::trim);
        let essence = parts.next().unwrap_or("");
        if !parts.all(keeps_utf8) {
            return Err(PublishError::ContentType);
        }
        [("application/json", Self::Json), ("application/x-ndjson", Self::NdJson), ("text/plain", Self::Text)]
            .into_iter()
            .find_map(|(name, media)| essence.eq_ignore_ascii_case(name).then_some(media))
            .ok_or(PublishError::ContentType)
    }

    /// The most bytes a body of this kind can have; more is refused while it comes.
    #[must_use]
    pub const fn body_bytes_max(self, event_bytes: u32) -> usize {
        match self {
            Self::Json => event_bytes as usize + JSON_EXTRA_BYTES_MAX,
            Self::NdJson => NDJSON_BYTES_MAX,
            Self::Text => event_bytes as usize,
        }
    }
}

/// ASCII is UTF-8, and what some libraries say of JSON.
fn keeps_utf8(parameter: &str) -> bool {
    match parameter.split_once('=') {
        Some((name, value)) if name.trim().eq_ignore_ascii_case("charset") => {
            let value = value.trim().trim_matches('"');
            ["utf-8", "utf8", "us-ascii"].iter().any(|known| value.eq_ignore_ascii_case(known))
        }
        Some(_) | None => true,
    }
}

/// What the hub's settings make of an event.
#[derive(Clone, Copy, Debug)]
pub struct EventRules {
    /// The bound that the encoded block stays below, in bytes.
    pub event_bytes: u32,
    /// Whether the block names the event's topics; it has to stay below the bound with them.
    pub shows_topics: bool,
}

/// What one post asks to publish.
#[derive(Debug)]
pub enum Published<'a> {
    /// One event; the answer is one object.
    One(Event),
    /// Any number; the answer is one object a line, in order.
    Lines(Lines<'a>),
}

/// Reads a post.
///
/// # Errors
///
/// For an NDJSON body only what concerns all of it: then nothing of it is to be published.
pub fn parse<'a>(
    media: MediaType,
    query: &str,
    body: &'a [u8],
    rules: EventRules,
) -> Result<Published<'a>, PublishError> {
    let body = str::from_utf8(body).map_err(|error| PublishError::NotUtf8 { at: error.valid_up_to() })?;
    match media {
        MediaType::Text => form::draft(query, body)?.into_event(rules).map(Published::One),
        MediaType::Json => {
            form::check_only_token(query)?;
            json::draft(body, 1)?.into_event(rules).map(Published::One)
        }
        MediaType::NdJson => {
            form::check_only_token(query)?;
            Lines::of(body, rules).map(Published::Lines)
        }
    }
}

/// The events of an NDJSON body, read one by one. Blank lines are skipped.
#[derive(Debug)]
pub struct Lines<'a> {
    rest: std::iter::Enumerate<std::str::Split<'a, char>>,
    rules: EventRules,
}

impl<'a> Lines<'a> {
    fn of(body: &'a str, rules: EventRules) -> Result<Self, PublishError> {
        let count = body.split('\n').filter(|line| !is_blank(line)).count();
        if count > NDJSON_EVENTS_MAX {
            return Err(PublishError::TooManyEvents { count });
        }
        Ok(Self { rest: body.split('\n').enumerate(), rules })
    }
}

impl Iterator for Lines<'_> {
    type Item = Result<Event, PublishError>;

    fn next(&mut self) -> Option<Self::Item> {
        let (index, line) = self.rest.find(|(_, line)| !is_blank(line))?;
        Some(json::draft(line, index + 1).and_then(|draft| draft.into_event(self.rules)))
    }
}

fn is_blank(line: &str) -> bool {
    line.trim_ascii().is_empty()
}

#[cfg(test)]
mod tests;
