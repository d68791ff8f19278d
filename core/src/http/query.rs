//! Queries (`application/x-www-form-urlencoded` of the URL standard), bounded, and what a subscriber asks for in one.
//!
//! Pairs are split at `&` only, `+` is a space, a name without `=` has an empty value, and a `%` that begins no escape
//! stays as it is. Unlike the standard's lossy decoding, bytes that are not UTF-8 are an error.

use std::borrow::Cow;
use std::fmt;

use percent_encoding::percent_decode;
use smallvec::SmallVec;

use super::{Excerpt, Status};
use crate::limits::{NAME_BYTES_MAX, QUERY_PAIRS_MAX, SELECTORS_MAX};

/// A decoded name and its decoded value.
pub type Pair<'a> = (Cow<'a, str>, Cow<'a, str>);

/// Why a query is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueryError {
    /// The value under this name, or the name, is not UTF-8.
    NotUtf8(Excerpt),
    /// More pairs than the bound.
    TooManyPairs,
    /// More of this name than the bound.
    TooMany {
        /// The name.
        name: &'static str,
        /// The bound.
        count_max: usize,
    },
    /// A name that can come once came again.
    Repeated(&'static str),
    /// A value above the bound, in bytes.
    TooLong {
        /// The name.
        name: &'static str,
        /// The length of the value.
        bytes: usize,
        /// The bound.
        bytes_max: usize,
    },
    /// Control characters in the value under this name.
    Control(&'static str),
    /// A value that is none of those which the name can have.
    Value {
        /// The name.
        name: &'static str,
        /// The value.
        value: Excerpt,
        /// What is allowed.
        allowed: &'static str,
    },
}

/// The pairs of a query, decoded one by one. Ends behind the first error.
pub fn pairs(query: &str) -> impl Iterator<Item = Result<Pair<'_>, QueryError>> {
    let parts = query.split('&').filter(|part| !part.is_empty());
    parts.enumerate().map(|(index, part)| {
        if index >= QUERY_PAIRS_MAX {
            return Err(QueryError::TooManyPairs);
        }
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        let not_utf8 = || QueryError::NotUtf8(Excerpt::of(name));
        Ok((decode(name).ok_or_else(not_utf8)?, decode(value).ok_or_else(not_utf8)?))
    })
}

/// The value of `access_token`, which both publishers and subscribers may send.
pub fn access_token(query: &str) -> Result<Option<Cow<'_, str>>, QueryError> {
    let mut found = None;
    for pair in pairs(query) {
        if let (name, value) = pair?
            && name == "access_token"
        {
            set_once(&mut found, value, "access_token")?;
        }
    }
    Ok(found)
}

/// Borrows where nothing is escaped; `None` if the bytes are not UTF-8.
fn decode(part: &str) -> Option<Cow<'_, str>> {
    let is_escaped = |byte| matches!(byte, b'%' | b'+');
    if !part.bytes().any(is_escaped) {
        return Some(Cow::Borrowed(part));
    }
    if !part.contains('+') {
        return percent_decode(part.as_bytes()).decode_utf8().ok();
    }
    let spaced = part.replace('+', " ");
    let decoded = percent_decode(spaced.as_bytes()).decode_utf8().ok()?;
    Some(Cow::Owned(decoded.into_owned()))
}

/// What a subscriber asks for in the query of `GET /events`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SubscribeQuery<'a> {
    /// `topic`, repeatable; each is still to be parsed as a selector. At most `SELECTORS_MAX`.
    pub topics: SmallVec<[Cow<'a, str>; 4]>,
    /// `client_id`: the stable id of a tab, browser or device; not empty, without control characters.
    pub client_id: Option<Cow<'a, str>>,
    /// The cursor; not empty. The header beats it.
    pub last_event_id: Option<Cow<'a, str>>,
    /// `access_token`
    pub access_token: Option<Cow<'a, str>>,
    /// `padding=true`: begin with a comment of 2 KiB, for old XHR transports.
    pub padding: bool,
    /// `heartbeat=event`: heartbeats that a page's handlers can see.
    pub heartbeat_event: bool,
}

/// Names of the cursor, strongest first. `event-source-polyfill` appends its newest id as `lastEventId` and leaves an
/// older cursor in the URL; the others are ours and those of Mercure's drafts.
const CURSOR_NAMES: [&str; 4] = ["lastEventId", "last_event_id", "lastEventID", "Last-Event-ID"];

impl<'a> SubscribeQuery<'a> {
    /// Reads a query. Unknown names are ignored: they may be a cache buster, or a newer client's.
    pub fn parse(query: &'a str) -> Result<Self, QueryError> {
        let mut parsed = Self::default();
        let mut cursors: [Option<Cow<'a, str>>; CURSOR_NAMES.len()] = [const { None }; CURSOR_NAMES.len()];
        for pair in pairs(query) {
            let (name, value) = pair?;
            if let Some(rank) = CURSOR_NAMES.iter().position(|cursor| *cursor == name) {
                // The last of a name is the newest. Empty is the same as absent.
                if !value.is_empty() {
                    cursors[rank] = Some(value);
                }
            } else {
                parsed.on_pair(&name, value)?;
            }
        }
        parsed.last_event_id = cursors.into_iter().flatten().next();
        Ok(parsed)
    }

    fn on_pair(&mut self, name: &str, value: Cow<'a, str>) -> Result<(), QueryError> {
        match name {
            "topic" if self.topics.len() == SELECTORS_MAX => {
                return Err(QueryError::TooMany { name: "topic", count_max: SELECTORS_MAX });
            }
            "topic" => self.topics.push(value),
            "client_id" if !value.is_empty() => {
                check_name(&value)?;
                set_once(&mut self.client_id, value, "client_id")?;
            }
            "access_token" => set_once(&mut self.access_token, value, "access_token")?,
            "padding" => self.padding = value == "true",
            "heartbeat" if value == "event" => self.heartbeat_event = true,
            "heartbeat" => {
                let value = Excerpt::of(&value);
                return Err(QueryError::Value { name: "heartbeat", value, allowed: "`event`" });
            }
            _ => {}
        }
        Ok(())
    }
}

fn check_name(client_id: &str) -> Result<(), QueryError> {
    let name = "client_id";
    if client_id.len() > NAME_BYTES_MAX {
        return Err(QueryError::TooLong { name, bytes: client_id.len(), bytes_max: NAME_BYTES_MAX });
    }
    if client_id.chars().any(char::is_control) { Err(QueryError::Control(name)) } else { Ok(()) }
}

fn set_once<T>(slot: &mut Option<T>, value: T, name: &'static str) -> Result<(), QueryError> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(QueryError::Repeated(name)),
    }
}

impl QueryError {
    /// What to answer.
    #[must_use]
    pub const fn status(self) -> Status {
        Status::BadRequest
    }

    /// The `error` of the answer's body.
    #[must_use]
    pub const fn code(self) -> &'static str {
        "invalid_query"
    }
}

impl fmt::Display for QueryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotUtf8(name) => write!(f, "query parameter {name} is not UTF-8"),
            Self::TooManyPairs => write!(f, "the query has more than {QUERY_PAIRS_MAX} parameters"),
            Self::TooMany { name, count_max } => write!(f, "more than {count_max} `{name}` parameters"),
            Self::Repeated(name) => write!(f, "`{name}` came more than once"),
            Self::TooLong { name, bytes, bytes_max } => {
                write!(f, "`{name}` has {bytes} bytes, above the maximum {bytes_max}")
            }
            Self::Control(name) => write!(f, "`{name}` has control characters"),
            Self::Value { name, value, allowed } => {
                write!(f, "`{name}` is {value}, and can only be {allowed}")
            }
        }
    }
}

impl std::error::Error for QueryError {}

#[cfg(test)]
mod tests;
