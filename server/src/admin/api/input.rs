//! What a request brings, read strictly: what is not known, or comes twice, is an error that names it.
//!
//! Not here: what the values mean beyond their form (each resource).

use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use corecast_core::http::Excerpt;
use corecast_core::limits::{DISCONNECT_REASON_BYTES_MAX, NAME_BYTES_MAX};
use corecast_core::selector::Selector;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::admin::problem::Problem;

/// Bytes of a body: far beyond every request of this API.
pub(super) const BODY_BYTES_MAX: usize = 64 << 10;

/// The parameters of the query.
pub(super) struct Query<T>(pub(super) T);

impl<S: Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let query = parts.uri.query().unwrap_or_default();
        let pairs = serde_html_form::Deserializer::from_bytes(query.as_bytes());
        serde_path_to_error::deserialize(pairs).map(Self).map_err(|error| malformed("the query", &error))
    }
}

/// The last part of the path, decoded.
pub(super) struct Segment(pub(super) String);

impl<S: Send + Sync> FromRequestParts<S> for Segment {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match Path::<String>::from_request_parts(parts, state).await {
            Ok(Path(segment)) => Ok(Self(segment)),
            Err(error) => Err(Problem::bad("path", error.body_text())),
        }
    }
}

/// A JSON body.
pub(super) struct Body<T>(pub(super) T);

impl<S: Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        check_type(&request)?;
        read(request).await.and_then(|bytes| parse(&bytes)).map(Self)
    }
}

/// A JSON body that may be missing. `DELETE` needs no media type then: no form of a page can send one.
pub(super) struct OptionalBody<T>(pub(super) T);

impl<S: Sync, T: DeserializeOwned + Default> FromRequest<S> for OptionalBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let is_delete = request.method() == axum::http::Method::DELETE;
        if !is_delete || request.headers().contains_key(header::CONTENT_TYPE) {
            check_type(&request)?;
        }
        let bytes = read(request).await?;
        if bytes.is_empty() { Ok(Self(T::default())) } else { parse(&bytes).map(Self) }
    }
}

/// A form of another page could not say that it has JSON: what has another type must change nothing.
fn check_type(request: &Request) -> Result<(), Problem> {
    let given = request.headers().get(header::CONTENT_TYPE).map(|value| value.as_bytes()).unwrap_or_default();
    let essence = given.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
    if essence.eq_ignore_ascii_case(b"application/json") {
        return Ok(());
    }
    let detail = format!(
        "Content-Type: {} is not application/json, which every request that changes something must have",
        Excerpt::of_bytes(given)
    );
    Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail).field("Content-Type"))
}

async fn read(request: Request) -> Result<axum::body::Bytes, Problem> {
    axum::body::to_bytes(request.into_body(), BODY_BYTES_MAX).await.map_err(|error| {
        let is_too_long = std::error::Error::source(&error)
            .is_some_and(|source| source.is::<http_body_util::LengthLimitError>());
        if is_too_long {
            let detail = format!("the body is longer than {BODY_BYTES_MAX} bytes");
            Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail).field("body")
        } else {
            Problem::bad("body", format_args!("the body did not come whole: {error}"))
        }
    })
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut json).map_err(|error| malformed("the body", &error))?;
    json.end().map_err(|error| Problem::bad("body", error))?;
    Ok(value)
}

/// Names the field, as far as it is known.
fn malformed<E: std::fmt::Display>(place: &str, error: &serde_path_to_error::Error<E>) -> Problem {
    let (path, inner) = (error.path().to_string(), error.inner().to_string());
    // What is missing, or comes again, has no path of its own.
    let named = ["missing field `", "duplicate field `"].iter().find_map(|words| inner.strip_prefix(words));
    match (path.as_str(), named.and_then(|rest| rest.split('`').next())) {
        ("." | "?", Some(named)) => Problem::bad(named, &inner),
        ("." | "?", None) => Problem::bad(place.trim_start_matches("the "), format_args!("{place}: {inner}")),
        (path, _) => Problem::bad(path, format_args!("{}: {inner}", Excerpt::of(path))),
    }
}

/// A body in which there is nothing to say yet.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Nothing {}

/// Rows of a page unless asked for more or fewer.
pub(super) const LIMIT_DEFAULT: u16 = 100;

/// Rows of a page at most.
pub(super) const LIMIT_MAX: u16 = 1000;

pub(super) fn limit(asked: Option<u16>) -> Result<usize, Problem> {
    match asked.unwrap_or(LIMIT_DEFAULT) {
        0 => Err(Problem::bad("limit", "limit = 0 is below the minimum 1")),
        limit if limit > LIMIT_MAX => {
            Err(Problem::bad("limit", format_args!("limit = {limit} is above the maximum {LIMIT_MAX}")))
        }
        limit => Ok(usize::from(limit)),
    }
}

/// A user's name or a `client_id`.
pub(super) fn name(field: &str, text: String) -> Result<Box<str>, Problem> {
    if text.is_empty() || text.len() > NAME_BYTES_MAX {
        let detail = format!("{field} has {} bytes: a name has 1 to {NAME_BYTES_MAX}", text.len());
        return Err(Problem::bad(field, detail));
    }
    Ok(text.into())
}

/// A selector, as subscribers write it.
pub(super) fn selector(field: &str, text: String) -> Result<Box<str>, Problem> {
    match Selector::parse(&text) {
        Ok(_) => Ok(text.into()),
        Err(error) => Err(Problem::bad(field, format_args!("{field} = {}: {error}", Excerpt::of(&text)))),
    }
}

/// The beginning of names.
pub(super) fn prefix(text: Option<String>) -> Result<Box<str>, Problem> {
    let text = text.unwrap_or_default();
    let bytes_max = corecast_core::limits::TOPIC_BYTES_MAX;
    if text.len() > bytes_max {
        return Err(Problem::bad(
            "prefix",
            format_args!("prefix has {} bytes, at most {bytes_max}", text.len()),
        ));
    }
    Ok(text.into())
}

/// Why, in the operator's words.
pub(super) fn reason(text: Option<String>) -> Result<Box<str>, Problem> {
    let text = text.unwrap_or_default();
    if text.len() > DISCONNECT_REASON_BYTES_MAX {
        let detail =
            format!("reason has {} bytes, at most {DISCONNECT_REASON_BYTES_MAX} are allowed", text.len());
        return Err(Problem::bad("reason", detail));
    }
    Ok(text.into())
}

/// Which way a list is sorted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Order {
    /// From the least.
    Asc,
    /// From the most.
    #[default]
    Desc,
}
