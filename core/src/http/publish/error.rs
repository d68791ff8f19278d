//! Why a post is refused: which field, what was wrong with it, what is allowed.

use std::fmt;

use crate::http::{Excerpt, QueryError, Status};
use crate::id::ID_BYTES_MAX;
use crate::limits::{IDEMPOTENCY_KEY_BYTES_MAX, NDJSON_EVENTS_MAX};

/// A field of an event, by its name in JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names are the contract's")]
pub enum Field {
    Topics,
    Users,
    All,
    Data,
    Type,
    Id,
    Retry,
    Private,
    Ttl,
    Ephemeral,
}

impl Field {
    pub(super) const ALL_FIELDS: [Self; 10] = [
        Self::Topics,
        Self::Users,
        Self::All,
        Self::Data,
        Self::Type,
        Self::Id,
        Self::Retry,
        Self::Private,
        Self::Ttl,
        Self::Ephemeral,
    ];

    /// The name in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Topics => "topics",
            Self::Users => "users",
            Self::All => "all",
            Self::Data => "data",
            Self::Type => "type",
            Self::Id => "id",
            Self::Retry => "retry",
            Self::Private => "private",
            Self::Ttl => "ttl",
            Self::Ephemeral => "ephemeral",
        }
    }
}

/// Why a post is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PublishError {
    /// No `Content-Type`, or none that the hub reads.
    ContentType,
    /// The body is not UTF-8 from this byte on.
    NotUtf8 {
        /// The first bad byte, from 0.
        at: usize,
    },
    /// The body, or a line of it, is not JSON.
    Json {
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
    },
    /// JSON, but not an object.
    NotAnObject,
    /// A field that no event has.
    UnknownField(Excerpt),
    /// A query parameter that no event has, or that has no meaning beside a JSON body.
    UnknownParameter(Excerpt),
    /// The query is malformed.
    Query(QueryError),
    /// `Idempotency-Key` is not one key within its bounds.
    IdempotencyKey,
    /// A field that came twice.
    Repeated(Field),
    /// A value of another type.
    WrongType {
        /// The field.
        field: Field,
        /// What is allowed.
        expected: &'static str,
    },
    /// None of `topics`, `users` and `all`.
    NoAudience,
    /// More than one of `topics`, `users` and `all`.
    TwoAudiences,
    /// An empty list, or an empty name in it.
    Empty(Field),
    /// A list above its bound.
    TooMany {
        /// The field.
        field: Field,
        /// How many there are.
        count: usize,
        /// The bound.
        count_max: usize,
    },
    /// A text above its bound.
    TooLong {
        /// The field.
        field: Field,
        /// How long it is.
        bytes: usize,
        /// The bound.
        bytes_max: usize,
    },
    /// A text with control characters.
    Control(Field),
    /// Data with U+0000 in it: some clients end there.
    NulInData,
    /// A topic, type or id that belongs to the hub.
    Reserved(Field),
    /// An id with other characters than those that may return in headers and URLs.
    Id,
    /// An id for an event that is never kept, so that nobody could resume from it.
    IdOfEphemeral,
    /// A number out of its range.
    OutOfRange {
        /// The field.
        field: Field,
        /// The least.
        min: u64,
        /// The most.
        max: u64,
    },
    /// The encoded block is not below the bound.
    TooLarge {
        /// Bytes of the block, with the longest id it can get.
        bytes: usize,
        /// What it has to stay below.
        event_bytes: u32,
    },
    /// More events in an NDJSON body than the bound.
    TooManyEvents {
        /// How many there are.
        count: usize,
    },
}

impl PublishError {
    /// What to answer.
    #[must_use]
    pub const fn status(self) -> Status {
        match self {
            Self::ContentType => Status::UnsupportedMediaType,
            Self::TooLarge { .. } | Self::TooManyEvents { .. } => Status::ContentTooLarge,
            Self::NotUtf8 { .. }
            | Self::Json { .. }
            | Self::NotAnObject
            | Self::UnknownField(_)
            | Self::UnknownParameter(_)
            | Self::Query(_)
            | Self::IdempotencyKey
            | Self::Repeated(_)
            | Self::WrongType { .. }
            | Self::NoAudience
            | Self::TwoAudiences
            | Self::Empty(_)
            | Self::TooMany { .. }
            | Self::TooLong { .. }
            | Self::Control(_)
            | Self::NulInData
            | Self::Reserved(_)
            | Self::Id
            | Self::IdOfEphemeral
            | Self::OutOfRange { .. } => Status::BadRequest,
        }
    }

    /// The `error` of the answer's body.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::ContentType => "unsupported_media_type",
            Self::NotUtf8 { .. } => "not_utf8",
            Self::Json { .. } | Self::NotAnObject => "invalid_json",
            Self::UnknownField(_) => "unknown_field",
            Self::UnknownParameter(_) => "unknown_parameter",
            Self::Query(error) => error.code(),
            Self::IdempotencyKey => "invalid_idempotency_key",
            Self::Repeated(_) => "repeated_field",
            Self::NoAudience | Self::TwoAudiences => "invalid_audience",
            Self::WrongType { .. }
            | Self::Empty(_)
            | Self::TooMany { .. }
            | Self::TooLong { .. }
            | Self::Control(_)
            | Self::NulInData
            | Self::Reserved(_)
            | Self::Id
            | Self::IdOfEphemeral
            | Self::OutOfRange { .. } => "invalid_field",
            Self::TooLarge { .. } => "event_too_large",
            Self::TooManyEvents { .. } => "too_many_events",
        }
    }
}

impl fmt::Display for PublishError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ContentType => f.write_str(
                "`Content-Type` can be `application/json`, `application/x-ndjson` or `text/plain`, each in UTF-8",
            ),
            Self::NotUtf8 { at } => write!(f, "the body is not UTF-8 at byte {at}"),
            Self::Json { line, column } => write!(f, "the body is not JSON at line {line}, column {column}"),
            Self::NotAnObject => f.write_str("the body is JSON, but not an object"),
            Self::UnknownField(name) => {
                write!(f, "unknown field {name}, the fields are")?;
                let mut separator = " ";
                for field in Field::ALL_FIELDS {
                    write!(f, "{separator}`{}`", field.as_str())?;
                    separator = ", ";
                }
                Ok(())
            }
            Self::UnknownParameter(name) => write!(
                f,
                "unknown query parameter {name}, only `text/plain` has `topic`, `user`, `all`, `type`, `id`, `retry`, \
                 `ttl`, `private` and `ephemeral`"
            ),
            Self::Query(error) => error.fmt(f),
            Self::IdempotencyKey => write!(
                f,
                "`Idempotency-Key` is not 1 to {IDEMPOTENCY_KEY_BYTES_MAX} visible ASCII characters, or such a string in \
                 quotes"
            ),
            Self::Repeated(field) => write!(f, "`{}` came more than once", field.as_str()),
            Self::WrongType { field, expected } => write!(f, "`{}` is not {expected}", field.as_str()),
            Self::NoAudience => f.write_str("one of `topics`, `users` and `all` is needed"),
            Self::TwoAudiences => f.write_str("only one of `topics`, `users` and `all` can be given"),
            Self::Empty(field) => write!(f, "`{}` is empty or has an empty name", field.as_str()),
            Self::TooMany { field, count, count_max } => {
                write!(f, "`{}` has {count} names, above the maximum {count_max}", field.as_str())
            }
            Self::TooLong { field, bytes, bytes_max } => {
                write!(f, "`{}` has a text of {bytes} bytes, above the maximum {bytes_max}", field.as_str())
            }
            Self::Control(field) => write!(f, "`{}` has control characters", field.as_str()),
            Self::NulInData => f.write_str("`data` has a character U+0000"),
            Self::Reserved(field) => write!(f, "`{}` is one of the hub's own", field.as_str()),
            Self::Id => write!(f, "`id` is not 1 to {ID_BYTES_MAX} of `0-9A-Za-z._-`"),
            Self::IdOfEphemeral => f.write_str("`id` and `ephemeral` exclude each other: nobody could resume from it"),
            Self::OutOfRange { field, min, max } => {
                write!(f, "`{}` is out of range, from {min} to {max}", field.as_str())
            }
            Self::TooLarge { bytes, event_bytes } => {
                write!(f, "`data` makes the event {bytes} bytes on a stream, it has to stay below {event_bytes}")
            }
            Self::TooManyEvents { count } => {
                write!(f, "the body has {count} events, above the maximum {NDJSON_EVENTS_MAX}")
            }
        }
    }
}

impl std::error::Error for PublishError {}

impl From<QueryError> for PublishError {
    fn from(error: QueryError) -> Self {
        Self::Query(error)
    }
}
